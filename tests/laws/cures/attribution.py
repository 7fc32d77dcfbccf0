"""Attributions and what drove events: what is refused, and its messages followed literally."""

from __future__ import annotations

import re
from typing import Any

import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    cured,
    made_by,
    of_patches,
    one_dimension_more,
    value,
)
from tests.support.cures import follow
from xdrought import study
from xdrought.attribution.explained_windows import as_bytes, check_where

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        "the events lack",
        lambda: xd.event_importance(given.shares(), events().drop_vars("onset_time")),
        lambda m: xd.event_importance(given.shares(), made_by(m)(soil())),
    ),
    Cure(
        "some events are of places or days that the data lack; take the events of the same data",
        lambda: xd.event_drivers(events(), weather().isel(site=[0])),
        lambda m: xd.event_drivers(xd.flash_drought_events(weather().soil_moisture), weather()),
    ),
    Cure(
        "convert the latter, da = da.convert_calendar",
        lambda: xd.event_importance(given.shares().convert_calendar("standard", use_cftime=True), events()),
        lambda m: xd.event_importance(cured(m, given.shares().convert_calendar("standard", use_cftime=True)), events()),
    ),
    Cure(
        "compute it from the same events with xdrought.event_importance",
        lambda: xd.driver_importance(given.importance().isel(event=slice(0, 2)), events(), n_boot=3),
        lambda m: xd.driver_importance(made_by(m)(given.shares(), events()), events(), n_boot=3),
    ),
    Cure(
        "there is no rain among the drivers",
        lambda: xd.event_drivers(events(), weather(), drivers={"t2m": "temperature"}),
        lambda m: xd.event_drivers(events(), weather(), drivers={"tp": "rain", "t2m": "temperature"}),
    ),
    Cure(
        "of patches take the mean of the nearest cells, ds = ",
        lambda: xd.event_drivers(events(), of_patches()),
        lambda m: xd.event_drivers(events(), follow(m, ds=of_patches())["ds"]),
    ),
    Cure(
        "reduce it with .any(",
        lambda: check_where(one_dimension_more(given.summer()), ("site", "time")),
        lambda m: check_where(cured(m, one_dimension_more(given.summer())), ("site", "time")) or True,
    ),
    Cure(
        "where is float64; give a boolean DataArray, True on the valid times to explain",
        lambda: check_where(1.0 * given.summer(), ("site", "time")),
        lambda m: check_where((1.0 * given.summer()).astype(bool), ("site", "time")) or True,
    ),
    Cure(
        "take them as they come",
        lambda: xd.event_importance(given.shares().rename(variable="driver"), events()),
        lambda m: xd.event_importance(given.shares(), events()),
    ),
    Cure(
        "take both from the same record",
        lambda: xd.event_importance(given.shares().assign_coords(site=list("abcde")), events()),
        lambda m: xd.event_importance(given.shares(), events()),
    ),
    Cure(
        "events with importance; give 1 to that many",
        lambda: xd.importance_by_rate(given.importance(), events(), bins=10_000),
        lambda m: xd.importance_by_rate(given.importance(), events(), bins=1),
    ),
    Cure(
        "name it with target=",
        lambda: xd.event_drivers(events(), weather().rename(soil_moisture="theta")),
        lambda m: xd.event_drivers(events(), weather().rename(soil_moisture="theta"), target="theta"),
    ),
    Cure(
        "give bytes, or words as",
        lambda: as_bytes("much"),
        lambda m: [as_bytes(eval(re.search(r'"\d+ MiB"', m)[0])), as_bytes(2**28)],
    ),
    Cure(
        "has an importance of every driver; leave out drivers that have none",
        lambda: xd.driver_importance(without_one(given.importance()), events(), n_boot=3),
        lambda m: xd.driver_importance(cured(m, without_one(given.importance())), events(), n_boot=3),
    ),
    Cure(
        "compute values from the table as it is now",
        lambda: study.onset_trend(given.rate()[::-1].reset_coords(drop=True), events(), n_boot=3),
        lambda m: study.onset_trend(given.rate(), events(), n_boot=3),
    ),
    *(
        Cure(
            "explain fewer with where=, sum over more with reduce=, or allow more, memory_limit=",
            lambda: explained(memory_limit=1000, reduce=[]),
            right,
        )
        for right in (
            lambda m: explained(memory_limit=1000, reduce=[], where=weather().time == given.DAYS[230]),
            lambda m: explained(memory_limit=1000, reduce=["window"]),
            lambda m: explained(memory_limit=value(m, "memory_limit"), reduce=[]),
        )
    ),
    Cure(
        "the data hold no window of the training part to compare with; give background=",
        lambda: explained(weather().isel(time=slice(-30, None))),
        lambda m: explained(weather().isel(time=slice(-30, None)), background=given.drivers_of_a_month()),
    ),
]


def without_one(importance: xr.DataArray) -> xr.DataArray:
    """One driver has no importance at all."""
    return importance.where(importance["variable"] != "sp")


def explained(ds: xr.Dataset | None = None, **options: Any) -> xr.Dataset:
    """Attributions of one month."""
    month = given.weather_of_a_month() if ds is None else ds
    found = xd.attributions(month, given.forecaster(), n_draws=2, n_background=2, device="cpu", **options)
    assert found.attribution.notnull().any()
    return found
