"""Labels and dates, which every room checks: what is refused, and its messages followed literally."""

from __future__ import annotations

import numpy as np
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    chained,
    cured,
    ranked,
    same,
    stacked,
    twice,
)
from xdrought import data, splits

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        "a name that the result uses itself; use .rename",
        lambda: xd.flash_drought_events(soil().drop_vars(["lat", "lon"]).rename(site="duration")),
        lambda m: xd.flash_drought_events(
            cured(m.replace("...", "'tower'"), soil().drop_vars(["lat", "lon"]).rename(site="duration"))
        ),
    ),
    Cure(
        "keep one of each, da.drop_duplicates",
        lambda: ranked(soil(), reference=twice(given.reference())),
        lambda m: ranked(soil(), reference=cured(m, twice(given.reference()))),
    ),
    Cure(
        "bring it back to one label with da.reset_index",
        lambda: ranked(soil(), reference=stacked()),
        lambda m: ranked(soil(), reference=chained(m, stacked(), lambda da: ranked(soil(), reference=da))),
    ),
    Cure(
        "use .chunk(",
        lambda: ranked(soil().chunk(time=100)),
        lambda m: ranked(cured(m, soil().chunk(time=100))).compute(),
    ),
    Cure(
        "assign the dates, e.g. .assign_coords",
        lambda: ranked(soil().drop_vars("time")),
        lambda m: ranked(cured(m.replace("...", "'2001-01-01', periods=560"), soil().drop_vars("time"))),
    ),
    Cure(
        "use .sortby(",
        lambda: ranked(soil().isel(time=slice(None, None, -1))),
        lambda m: ranked(cured(m, soil().isel(time=slice(None, None, -1)))),
    ),
    Cure(
        "insert them as NaN, e.g. .resample",
        lambda: xd.flash_drought_events(soil().drop_isel(time=100)),
        lambda m: xd.flash_drought_events(cured(m, soil().drop_isel(time=100))),
    ),
    Cure(
        "assign them, or use .convert_calendar('standard') for cftime",
        lambda: splits.chronological(given.summer().convert_calendar("standard", use_cftime=True)),
        lambda m: splits.chronological(cured(m, given.summer().convert_calendar("standard", use_cftime=True))),
    ),
    Cure(
        "expected Patches or a boolean DataArray",
        lambda: splits.chronological(soil()),
        lambda m: splits.chronological(cured(m, soil())),
    ),
    Cure(
        "decode it with xarray.decode_cf or assign dates",
        lambda: ranked(numbered_days()),
        lambda m: ranked(xr.decode_cf(numbered_days().to_dataset(name="soil_moisture")).soil_moisture),
    ),
    Cure(
        "has missing dates (NaT); drop those steps",
        lambda: ranked(without_a_date()),
        lambda m: ranked(without_a_date().isel(time=slice(0, -1))),
    ),
    Cure(
        "has dtype complex128; expected numbers: take its real part, da = da.real",
        lambda: data.soil_profile(given.layers().map(lambda da: da + 0j, keep_attrs=True), layers={"top": (0, 0.1)}),
        lambda m: data.soil_profile(
            given.layers().map(lambda da: cured(m, da + 0j).assign_attrs(da.attrs)), layers={"top": (0, 0.1)}
        ),
    ),
    Cure(
        "expected numbers: make them numbers, da = da.astype(float)",
        lambda: xd.persistence_forecast(soil().astype(object), given.forecast(), lead=given.LEAD),
        lambda m: xd.persistence_forecast(cured(m, soil().astype(object)), given.forecast(), lead=given.LEAD),
    ),
    Cure(
        "without labels to tell which belong together; assign coordinates to both",
        lambda: ranked(soil().drop_vars("site")[:4], reference=given.reference().drop_vars("site")),
        lambda m: same(
            ranked(soil()[:4], reference=given.reference()), ranked(soil(), reference=given.reference())[:4]
        ),
    ),
]


def numbered_days() -> xr.DataArray:
    """Days as a file numbers them, not decoded."""
    days = ("time", np.arange(soil().sizes["time"]), {"units": "days since 2001-01-01"})
    return soil().assign_coords(time=days)


def without_a_date() -> xr.DataArray:
    """The last step has no date."""
    days = soil().time.values.copy()
    days[-1] = np.datetime64("NaT")
    return soil().assign_coords(time=days)
