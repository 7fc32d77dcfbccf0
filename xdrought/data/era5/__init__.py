"""ERA5 to the twelve daily drivers: hours to days, names, units, and one convention of labels."""

from xdrought.data.era5.drivers import relative_humidity
from xdrought.data.era5.names import DRIVERS
from xdrought.data.era5.reader import daily_drivers, open_era5

__all__ = ["DRIVERS", "daily_drivers", "open_era5", "relative_humidity"]
