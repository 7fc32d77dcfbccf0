"""A simulated land surface with known causes, lags and flash droughts; never an observation.

- :func:`simulate` and :func:`simulate_grid` - towers with patches of weather around them, or a region;
- :func:`respond` - the same soils under changed drivers: what happens is what the driver causes;
- :func:`to_era5` and :func:`to_fluxnet_csv` - the world as files, so that the readers can be run on it.
"""

from xdrought.simulation.twin import respond, simulate, simulate_grid
from xdrought.simulation.world import DRIVERS
from xdrought.simulation.writers import to_era5, to_fluxnet_csv

__all__ = ["DRIVERS", "respond", "simulate", "simulate_grid", "to_era5", "to_fluxnet_csv"]
