"""A simulated land surface with known causes, lags and flash droughts; never an observation."""

from xdrought.simulation.twin import respond, simulate, simulate_grid
from xdrought.simulation.world import DRIVERS
from xdrought.simulation.writers import to_era5, to_fluxnet_csv

__all__ = ["DRIVERS", "respond", "simulate", "simulate_grid", "to_era5", "to_fluxnet_csv"]
