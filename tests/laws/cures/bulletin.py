"""Bulletins: what is refused, and its messages followed literally."""

from __future__ import annotations

import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    cured,
    example,
    value,
)
from xdrought import bulletin

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        "is no standard deviate; use da.where",
        lambda: bulletin.index_percentile(50.0 + 0 * given.standardised()),
        lambda m: bulletin.index_percentile(cured(m, 50.0 + 0 * given.standardised())),
    ),
    *(
        Cure(
            words,
            lambda wrong=wrong: bulletin.region_shares(wrong(), given.regions()),
            lambda m: bulletin.region_shares(xd.drought_classes(soil()), given.regions()),
        )
        for words, wrong in (
            ("give those of xdrought.drought_classes", weather),
            ("give classes of xdrought.drought_classes or xdrought.bulletin", given.percentile),
        )
    ),
    Cure(
        "give one number a year, e.g. ",
        lambda: bulletin.return_period(soil()),
        lambda m: bulletin.return_period(cured(m, soil())),
    ),
    Cure(
        "; give five falling percentiles, e.g.",
        lambda: bulletin.drought_categories(given.percentile(), thresholds=(5, 10)),
        lambda m: bulletin.drought_categories(given.percentile(), thresholds=example(m)),
    ),
    Cure(
        "choose steps that are there, e.g. before=",
        lambda: bulletin.region_table(shares(), before=["900D"]),
        lambda m: bulletin.region_table(shares(), before=value(m, "before")),
    ),
    Cure(
        "shares have the dimension(s) ['definition']; choose along them first",
        lambda: bulletin.region_table(bulletin.region_shares(given.two_definitions(), given.regions())),
        lambda m: bulletin.region_table(
            bulletin.region_shares(given.two_definitions(), given.regions()).isel(definition=0, drop=True)
        ),
    ),
    Cure(
        "no cell lies in a region; check that mask and classes cover the same places",
        lambda: bulletin.region_shares(given.classes(), given.regions().where(False, "")),
        lambda m: bulletin.region_shares(given.classes(), given.regions()),
    ),
    Cure(
        "give a mask as DataArray, regionmask.Regions or a GeoDataFrame",
        lambda: bulletin.region_shares(given.classes(), ["north"]),
        lambda m: bulletin.region_shares(given.classes(), given.regions()),
    ),
    Cure(
        "name them with lat=, lon= or site=",
        lambda: bulletin.region_shares(given.classes().rename(site="station"), given.regions().rename(site="station")),
        lambda m: bulletin.region_shares(
            given.classes().rename(site="station"), given.regions().rename(site="station"), site="station"
        ),
    ),
]


def shares() -> xr.Dataset:
    return bulletin.region_shares(given.classes(), given.regions())
