"""
The map of events
=================

How many flash droughts a year does each site have? One call finds the events of all sites, one draws them, and
sites without any are on the map too. Coastlines come with the library; nothing is downloaded.
"""

# %%
# FLUXNET2015 sites where the files are there, else the simulated twin's; and the sites that pass the paper's screening.

import warnings

import xarray as xr

import xdrought  # registers ds.xdrought
from xdrought.data import open_dataset, screen_sites
from xdrought.plot import plot_map

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files without soil moisture are in the report below
        towers = open_dataset("fluxnet")
    towers = xr.concat([open_dataset("us-ar1"), towers], "site", join="outer", combine_attrs="drop_conflicts")
    what = "FLUXNET2015 towers"
except FileNotFoundError:
    towers, what = open_dataset("twin", n_sites=16, n_days=2192), "simulated towers"
kept, report = screen_sites(towers)
print(f"{kept.sizes['site']} of {len(report)} {what} kept")
report.loc[~report.kept, ["site", "days", "invalid_percent", "reason"]]

# %%
# All events of all sites are one table; the years of data make counts comparable.

events = kept.xdrought.flash_drought_events("soil_moisture", soil_temperature="soil_temperature")
years = kept.soil_moisture.notnull().sum("time") / 365.25
number = int(events.is_flash.sum())
ax = plot_map(events, years=years, title=f"{number} flash droughts at {kept.sizes['site']} {what}")

# %%
# A part of it, west, east, south and north in degrees. Where Natural Earth's finer coastlines are on the computer,
# ``resolution="50m"`` draws them.

ax = plot_map(events, years=years, extent=(-11, 30, 36, 61), title=f"{what} in Europe")

# %%
# A site's mean rate of intensification is a number per site, and is drawn by the same function.

summary = kept.xdrought.drought_summary("soil_moisture")
ax = plot_map(summary.mean_intensification_rate, cmap="viridis", title=what)
