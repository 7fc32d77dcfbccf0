"""Days, pentads and days of year of a time axis, for all calendars; plain arrays out. And when a day begins."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment

DAYS_IN_YEAR = 365.25  # on the average

Period = slice | tuple | xr.DataArray | int | str

_YEAR_FIRST = re.compile(r"\d{4}(-\d\d?(-\d\d?([T ].*)?)?)?")

TimeIndex = pd.DatetimeIndex | xr.CFTimeIndex


def _is_leap(index: TimeIndex) -> np.ndarray:
    calendar = getattr(index, "calendar", "proleptic_gregorian")
    year = np.asarray(index.year)
    if calendar in {"noleap", "365_day", "360_day"}:
        return np.zeros(year.size, bool)
    if calendar in {"all_leap", "366_day"}:
        return np.ones(year.size, bool)
    if calendar == "julian":
        return year % 4 == 0
    return (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))


def common_day_of_year(index: TimeIndex) -> np.ndarray:
    """Day of year from 0 as in a common year; 29 February counts as 28 February."""
    day = np.asarray(index.day_of_year if isinstance(index, pd.DatetimeIndex) else index.dayofyear) - 1
    return day - (_is_leap(index) & (day >= 59))


def pentad_of_year(index: TimeIndex) -> np.ndarray:
    """Pentad of the year from 0 (73 a year, 72 in a 360-day calendar); the one with 29 February has six days."""
    return common_day_of_year(index) // 5


class Blocks(NamedTuple):
    """Consecutive days that make one step: first day and length of each, and which are complete."""

    first: np.ndarray
    length: np.ndarray
    complete: np.ndarray


def pentad_blocks(index: TimeIndex) -> Blocks:
    """The calendar pentads of a gapless daily axis; those cut by the record's ends are not complete."""
    key = np.asarray(index.year).astype(np.int64) * 100 + pentad_of_year(index)
    first = np.concatenate([[0], np.flatnonzero(np.diff(key)) + 1]).astype(np.int64)
    length = np.diff(np.append(first, key.size))
    has_leap_day = _is_leap(index)[first] & (pentad_of_year(index)[first] == 11)
    return Blocks(first, length, length == 5 + has_leap_day)


class Pools(NamedTuple):
    """Which days of a reference each day is ranked against, as two lists of lists (CSR)."""

    members: np.ndarray
    member_starts: np.ndarray
    pools: np.ndarray
    pool_starts: np.ndarray


def make_pools(groups: np.ndarray, reference_groups: np.ndarray, n_groups: int, window: int) -> Pools:
    """Pools of a circular grouping: group g is ranked against groups g - window to g + window."""
    members = np.argsort(groups, kind="stable")
    member_starts = np.searchsorted(groups[members], np.arange(n_groups + 1))
    order = np.argsort(reference_groups, kind="stable")
    starts = np.searchsorted(reference_groups[order], np.arange(n_groups + 1))
    width = min(2 * window + 1, n_groups)
    parts = [
        np.concatenate(
            [order[starts[k % n_groups] : starts[k % n_groups + 1]] for k in range(g - window, g - window + width)]
        )
        for g in range(n_groups)
    ]
    pool_starts = np.concatenate([[0], np.cumsum([part.size for part in parts])])
    return Pools(members, member_starts, np.concatenate(parts), pool_starts)


DAY_BOUNDARY = "day_boundary"  # attribute of a variable of daily values: by which time its days are counted
LOCAL_DAYS = "00:00 local standard time"
_UTC_DAYS = re.compile(r"00:00 UTC(?P<hours>[+-]\d+(\.\d+)?)?")


def utc_days(utc_offset: float = 0.0) -> str:
    """The value of `DAY_BOUNDARY` for days that begin at midnight of a time so many hours before UTC."""
    return f"00:00 UTC{utc_offset:+g}" if utc_offset else "00:00 UTC"


def offset_of_days(boundary: str) -> float | None:
    """Hours from UTC to the time by which days are counted, of a value of `DAY_BOUNDARY`; None for local time.

    Raises
    ------
    ValueError
        For words that none of the readers writes.
    """
    if boundary == LOCAL_DAYS:
        return None
    found = _UTC_DAYS.fullmatch(boundary)
    if found is None:
        raise ValueError(f"{DAY_BOUNDARY} {boundary!r} is none of {utc_days()!r}, {utc_days(10)!r}, {LOCAL_DAYS!r}")
    return float(found["hours"] or 0.0)


# How files write units of time, in days.
_DAYS: dict[str, float] = {
    **dict.fromkeys(("days", "day", "d"), 1.0),
    **dict.fromkeys(("hours", "hour", "hrs", "hr", "h"), 1 / 24),
    **dict.fromkeys(("minutes", "minute", "min"), 1 / 1440),
    **dict.fromkeys(("seconds", "second", "sec", "s"), 1 / 86400),
}


def spans_in_days(spans: xr.DataArray) -> np.ndarray:
    """Lead times in days: of timedeltas, or of numbers with units; without units they are days."""
    if spans.dtype.kind == "m":
        return spans.values / np.timedelta64(1, "D")
    unit = str(spans.attrs.get("units", "days")).strip().lower()
    if unit not in _DAYS:
        raise ValueError(
            f"{spans.name} has the units {unit!r}, which are no time; set what they are, "
            f'e.g. ds[{spans.name!r}].attrs["units"] = "days"'
        )
    return spans.values.astype(float) * _DAYS[unit]


def check_mask(mask: xr.DataArray, da: xr.DataArray) -> xr.DataArray:
    """A boolean mask on dimensions of `da`, on its labels."""
    if mask.dtype.kind != "b":
        raise TypeError(f"train has dtype {mask.dtype}; a training mask is boolean, True where it trains")
    return alignment.align_to(da, mask, what="the training mask")


def period_of(given: object) -> slice | None:
    """A period as a slice of dates: (start, end), a slice, or one year or month; whole numbers are years.

    None for anything else.
    """
    if isinstance(given, str) or (isinstance(given, int | np.integer) and 1000 <= given <= 9999):
        bounds = [given, given]
    elif isinstance(given, slice):
        bounds = [given.start, given.stop]
    elif isinstance(given, tuple | list) and len(given) == 2:
        bounds = [*given]
    else:
        return None
    if not all(map(_is_date, bounds)):
        return None
    return slice(*(str(bound) if isinstance(bound, int | np.integer) else bound for bound in bounds))


def _is_date(bound: object) -> bool:
    """Whether it can bound a period: nothing, a year, a date, or a text of one (pandas reads more than ISO's)."""
    if isinstance(bound, str):
        return _YEAR_FIRST.fullmatch(bound) is not None or not pd.isna(pd.to_datetime(bound, errors="coerce"))
    if isinstance(bound, int | np.integer | np.datetime64):
        return not isinstance(bound, bool)
    return bound is None or hasattr(bound, "strftime")


def as_slice(period: object) -> slice:
    """The dates of a training part.

    Raises
    ------
    TypeError
        For what is no period.
    """
    found = period_of(period)
    if found is None:
        raise TypeError(f"train={period!r}; give a period, e.g. train=(2001, 2015), or a mask of days")
    return found


def in_period(da: xr.DataArray, period: slice, time: Hashable, what: str = "training part") -> xr.DataArray:
    """An array on the days of a period; refused where it has none of them, or where the bounds are no dates."""
    label = f"the {what} {period.start} to {period.stop}"
    try:
        chosen = da.sel({time: period})
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{label} is no period of dates; give e.g. (1991, 2020)") from error
    if not chosen.sizes[time]:
        index = da.indexes[time]
        raise ValueError(
            f"{label} holds no day of the record, which goes from {index[0]} to {index[-1]}; choose others"
        )
    return chosen


def training_mask(da: xr.DataArray, train: Period, time: Hashable) -> xr.DataArray:
    """True on the days of `da` that belong to the training part."""
    if isinstance(train, xr.DataArray):
        return check_mask(train, da)
    chosen = as_slice(train)
    days = alignment.in_order(da[time].rename("days"), time)
    return da[time].isin(in_period(days, chosen, time))
