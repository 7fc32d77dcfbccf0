"""From stamps to days: which hours make a day, and their mean, maximum or sum; lazy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks

DAY = pd.Timedelta(days=1)
HOUR = pd.Timedelta(hours=1)


@dataclass(frozen=True)
class Stamps:
    """A checked time axis: its dates and the constant distance between them."""

    index: pd.DatetimeIndex
    step: pd.Timedelta

    @property
    def per_day(self) -> int:
        """Stamps in a whole day."""
        return DAY // self.step

    @property
    def hours(self) -> float:
        """The step in hours."""
        return self.step / HOUR


def read_stamps(da: xr.DataArray) -> Stamps:
    """Check that the times ascend in steps that divide the day; gaps are allowed here."""
    index = pd.DatetimeIndex(da.indexes["time"])
    if index.hasnans:
        raise ValueError(f"{da.name!r} has missing times (NaT); drop those steps")
    if index.size < 2:
        raise ValueError(f"{da.name!r} has {index.size} time(s); at least two are needed to tell hours from days")
    gaps = index[1:] - index[:-1]
    if (gaps < pd.Timedelta(0)).any():
        first = index[1:][gaps < pd.Timedelta(0)][0]
        raise ValueError(f'the times of {da.name!r} go backwards at {first}; use .sortby("time")')
    if (gaps == pd.Timedelta(0)).any():
        first = index[1:][gaps == pd.Timedelta(0)][0]
        raise ValueError(
            f"{da.name!r} has {int((gaps == pd.Timedelta(0)).sum())} repeated time(s), first "
            f"{first}; "
            f'use .drop_duplicates("time")'
        )
    step = gaps.min()
    if step > DAY or DAY % step != pd.Timedelta(0):
        raise ValueError(
            f"the times of {da.name!r} are {step} apart; daily values or a step that divides the "
            f"day "
            f"(1, 3, 6 hours) are needed"
        )
    since = (index - index.normalize()) % step
    if (since != since[0]).any() or (step < DAY and since[0] != pd.Timedelta(0)):
        odd = index[since != (since[0] if step == DAY else pd.Timedelta(0))][0]
        raise ValueError(f"{da.name!r} has a time off the {step / HOUR:g}-hourly steps of the day: {odd}")
    return Stamps(index, step)


def daily_statistic(da: xr.DataArray, statistic: str, *, ends: bool, min_hours: float | None) -> xr.DataArray:
    """Mean, maximum or sum of each whole day, (time, ...) on a gapless daily axis.

    Parameters
    ----------
    da : xarray.DataArray
        On ``time``, any step that divides the day, in order.
    statistic : {"mean", "maximum", "sum"}
    ends : bool
        Values belong to the step that ends at their stamp (hours 01 to 24 make a day), not to the moment
        of the stamp (hours 00 to 23).
    min_hours : float or None
        Hours of a day that must be there; None: all, as a sum needs.

    Returns
    -------
    xarray.DataArray
        Days with fewer hours are missing; those at both ends of the record are left out. Counts of both in
        attrs.
    """
    stamps = read_stamps(da)
    if stamps.step == DAY:
        return _on_every_day(da, stamps.index.normalize(), 0)
    n = stamps.per_day
    need = n if min_hours is None else int(np.ceil(min_hours / stamps.hours))
    shift = stamps.step if ends else pd.Timedelta(0)
    days, counts = np.unique((stamps.index - shift).normalize(), return_counts=True)
    usable = np.flatnonzero(counts >= need)
    if not usable.size:
        raise ValueError(
            f"{da.name!r} has no day with {need * stamps.hours:g} hours "
            f"({stamps.index[0]} to {stamps.index[-1]}, every {stamps.hours:g} h"
            f"{'; a stamp is the end of its step' if ends else ''}); give whole days"
        )
    first, last = (pd.Timestamp(days[usable[k]]) for k in (0, -1))
    expected = pd.date_range(first + shift, last + shift + DAY - stamps.step, freq=stamps.step).as_unit(
        stamps.index.unit
    )
    whole = _on_stamps(da, stamps.index, expected)
    made = _reduce(whole, statistic, n, need)
    every = pd.date_range(first, last, freq="D").as_unit(stamps.index.unit)
    report = {"days_left_out_at_the_ends": int(days.size - (usable[-1] - usable[0] + 1))}
    return _report(made.assign_coords(time=every), every.difference(pd.DatetimeIndex(days[usable])), report, da.name)


def total_since_midnight(da: xr.DataArray) -> xr.DataArray:
    """Daily totals of a field accumulated from 00 UTC on: the value at 00 UTC is that of the day before."""
    read_stamps(da)
    index = pd.DatetimeIndex(da.indexes["time"])
    at_midnight = np.flatnonzero(index == index.normalize())
    if not at_midnight.size:
        raise ValueError(
            f"{da.name!r} has no value at 00 UTC, where a total since midnight is that of the day "
            f"before; "
            f"add these times"
        )
    later = index[index > index[at_midnight[-1]]]
    left_out = int(later.normalize().nunique())
    return _on_every_day(da.isel(time=at_midnight), index[at_midnight] - DAY, left_out)


def _on_every_day(da: xr.DataArray, days: pd.DatetimeIndex, left_out: int) -> xr.DataArray:
    """Daily values on every day from the first to the last."""
    every = pd.date_range(days[0], days[-1], freq="D").as_unit(days.unit)
    made = _on_stamps(da.assign_coords(time=days), days, every)
    return _report(made, every.difference(days), {"days_left_out_at_the_ends": left_out}, da.name)


def _on_stamps(da: xr.DataArray, have: pd.DatetimeIndex, wanted: pd.DatetimeIndex) -> xr.DataArray:
    """The values at the wanted times, NaN where there is none; a slice when nothing is missing."""
    start, stop = have.searchsorted(wanted[0]), have.searchsorted(wanted[-1], side="right")
    part = da.isel(time=slice(int(start), int(stop)))
    return part if have[start:stop].equals(wanted) else part.reindex(time=wanted)


def _reduce(da: xr.DataArray, statistic: str, n: int, need: int) -> xr.DataArray:
    hours = da.drop_vars("time").coarsen(time=n).construct(time=("time", "_step"))
    reduce = {"mean": hours.mean, "maximum": hours.max, "sum": hours.sum}[statistic]
    if need == n:
        return reduce("_step", skipna=False, keep_attrs=True)
    return reduce("_step", skipna=True, keep_attrs=True).where(hours.notnull().sum("_step") >= need)


def _report(made: xr.DataArray, gaps: pd.DatetimeIndex, counts: dict[str, int], name: object) -> xr.DataArray:
    if gaps.size:
        checks.warn(
            f"{name!r} lacks times on {gaps.size} day(s) inside its record, first "
            f"{gaps[0]:%Y-%m-%d}; "
            f"they are missing in the result"
        )
    return made.assign_attrs(days_missing_inside=int(gaps.size), **counts)
