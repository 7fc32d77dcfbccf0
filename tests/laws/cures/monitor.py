"""Monitors: what is refused, and its messages followed literally."""

from __future__ import annotations

import re

import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    example,
    made_by,
    one_dimension_more,
    twice,
    value,
)

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        'give a period, e.g. reference=("1991", "2020"), or a series',
        lambda: xd.start_monitor(soil()),
        lambda m: xd.start_monitor(soil(), reference=soil()),
    ),
    Cure(
        "the new days have units",
        lambda: xd.start_monitor(soil()[:, :400], reference=soil()).update(
            (100 * soil()[:, 400:]).assign_attrs(units="percent")
        ),
        lambda m: xd.start_monitor(soil()[:, :400], reference=soil()).update(
            made_by(m)((100 * soil()[:, 400:]).assign_attrs(units="percent"), "m3 m-3")
        ),
    ),
    Cure(
        "take late and corrected days with update(new_days, revise=True)",
        lambda: xd.start_monitor(soil()[:, :400], reference=soil()).update(0.9 * soil()[:, 390:410].assign_attrs()),
        lambda m: xd.start_monitor(soil()[:, :400], reference=soil()).update(
            (0.9 * soil()[:, 390:410]).assign_attrs(soil().attrs), revise=value(m, "revise")
        ),
    ),
    Cure(
        "give their series, update(new_days, reference=...)",
        lambda: xd.start_monitor(soil()[:3, :400], reference=soil()[:3]).update(soil()[:, 400:]),
        lambda m: xd.start_monitor(soil()[:3, :400], reference=soil()[:3]).update(soil()[:, 400:], reference=soil()),
    ),
    Cure(
        "is no day of the record; give e.g.",
        lambda: followed().changes_since("noon"),
        lambda m: followed().changes_since(example(m)),
    ),
    *(
        Cure(
            "which is not followed day by day; use one with rule 'threshold', or flash_drought_events",
            lambda: xd.start_monitor(soil(), reference=soil(), definition="osman2021"),
            right,
        )
        for right in (
            lambda m: [
                xd.start_monitor(soil(), reference=soil(), definition=name)
                for name, one in xd.DEFINITIONS.items()
                if one.rule == "threshold"
            ],
            lambda m: xd.flash_drought_events(soil(), definition="osman2021"),
        )
    ),
    Cure(
        "give a period that is over, so that no new day can change it",
        lambda: xd.start_monitor(soil(), reference=("2001", "2003")),
        lambda m: xd.start_monitor(soil(), reference=("2001", "2001")),
    ),
    *(
        Cure(
            "bring them to the same, e.g. with .expand_dims or .isel",
            lambda wrong=wrong: followed().update(wrong()),
            lambda m, right=right: followed().update(right()),
        )
        for wrong, right in (
            (lambda: one_dimension_more(later()), lambda: one_dimension_more(later()).isel(member=0, drop=True)),
            (lambda: later().isel(site=0), lambda: later().isel(site=0).expand_dims("site")),
        )
    ),
    Cure(
        "are new and lack the coordinates ['lat'] of the others; assign them",
        lambda: followed([0, 1, 2]).update(later().drop_vars("lat"), reference=soil()),
        lambda m: followed([0, 1, 2]).update(later().drop_vars("lat").assign_coords(lat=soil().lat), reference=soil()),
    ),
    Cure(
        "are kept and can be compared; leave earlier ones out",
        lambda: followed().update(soil()[:, 300:410]),
        lambda m: followed().update(soil().sel(time=slice(re.search(r"days from (\S+)", m)[1], None))),
    ),
    Cure(
        "can be corrected: start another monitor from the corrected record",
        lambda: followed().update((0.9 * soil()[:, 362:410]).assign_attrs(soil().attrs), revise=True),
        lambda m: xd.start_monitor((0.9 * soil()[:, :410]).assign_attrs(soil().attrs), reference=soil()),
    ),
    Cure(
        "give every step between, missing ones as NaN",
        lambda: followed().update(soil()[:, 410:]),
        lambda m: followed().update(soil()[:, 410:].reindex(time=given.DAYS[400:])),
    ),
    Cure(
        "has S0 twice along 'site'; keep one of each, da.drop_duplicates(",
        lambda: followed().update(twice(later())),
        lambda m: followed().update(twice(later()).drop_duplicates("site")),
    ),
    Cure(
        "along 'site', the record ['S0', 'S1', 'S2']; give them the same labels",
        lambda: followed().update(later().assign_coords(site=range(5)), reference=soil()),
        lambda m: followed().update(later().assign_coords(site=range(5)).assign_coords(site=given.SITES)),
    ),
    Cure(
        "the new days have another kind of dates",
        lambda: followed().update(later().convert_calendar("standard", use_cftime=True)),
        lambda m: followed().update(
            later().convert_calendar("standard", use_cftime=True).convert_calendar("standard", use_cftime=False)
        ),
    ),
]


def followed(sites: list[int] | None = None) -> xd.DroughtMonitor:
    """A monitor of the first 400 days of all sites, or of some."""
    chosen = soil() if sites is None else soil()[sites]
    return xd.start_monitor(chosen[:, :400], reference=chosen)


def later() -> xr.DataArray:
    """The days that follow."""
    return soil()[:, 400:]
