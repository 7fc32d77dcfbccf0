"""Files in, labelled Datasets out.

Tower and station readers give SITE Datasets, ``(site, time)``:

- :func:`~xdrought.data.fluxnet.open_fluxnet` - FLUXNET2015 daily csv or published zip;
- :func:`~xdrought.data.ismn.open_ismn` - stations of the International Soil Moisture Network;
- :func:`~xdrought.data.uscrn.open_uscrn` - NOAA USCRN daily01, local or fetched;
- :func:`~xdrought.data.quality.quality_report` - stuck sensors, spikes, steps and drifts;
- :func:`~xdrought.data.layers.root_zone`, :func:`~xdrought.data.layers.soil_profile` - several depths;
- :func:`~xdrought.data.screening.screen_sites` - which sites can be used, which not, and why;
- :func:`~xdrought.data.tutorial.open_dataset` - small and real data by name.

Weather forecasts give the weather of the lead days, ``(init_time, lead_time[, member])``:

- :func:`~xdrought.data.forecasts.open_forecast` - ECMWF open data, S2S, GEFS, WeatherBench 2, earth2studio.

Each module is one source of data; modules for gridded data and the simulated world are imported by their own
names (``xdrought.data.era5``, ``xdrought.data.collocate``, ``xdrought.simulation.twin``).
"""

from __future__ import annotations

from xdrought.data.fluxnet import open_fluxnet
from xdrought.data.forecasts import open_forecast
from xdrought.data.ismn import open_ismn
from xdrought.data.layers import root_zone, soil_profile
from xdrought.data.quality import quality_report
from xdrought.data.screening import screen_sites, site_report
from xdrought.data.tutorial import open_dataset
from xdrought.data.uscrn import open_uscrn

__all__ = [
    "open_dataset",
    "open_fluxnet",
    "open_forecast",
    "open_ismn",
    "open_uscrn",
    "quality_report",
    "root_zone",
    "soil_profile",
    "screen_sites",
    "site_report",
]
