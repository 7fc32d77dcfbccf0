"""Products of a drought bulletin: categories, shares of regions, how rare a year was, and a morning at the desk."""

from xdrought.bulletin.categories import CATEGORIES, drought_categories, index_percentile
from xdrought.bulletin.desk import desk_report, desk_table
from xdrought.bulletin.desk_page import write_desk_page
from xdrought.bulletin.regions import region_shares, region_table
from xdrought.bulletin.return_periods import return_period

__all__ = [
    "CATEGORIES",
    "desk_report",
    "desk_table",
    "drought_categories",
    "index_percentile",
    "region_shares",
    "region_table",
    "return_period",
    "write_desk_page",
]
