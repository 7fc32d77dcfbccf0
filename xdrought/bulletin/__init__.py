"""Products of a drought bulletin: categories, shares of regions, their table, and how rare a year was."""

from xdrought.bulletin.categories import CATEGORIES, drought_categories, index_percentile
from xdrought.bulletin.regions import region_shares, region_table
from xdrought.bulletin.return_periods import return_period

__all__ = ["CATEGORIES", "drought_categories", "index_percentile", "region_shares", "region_table", "return_period"]
