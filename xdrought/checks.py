"""Checks of labels that every public function shares; each error names its cure."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
import xarray as xr

_SAME_STEP = 1e-5  # days; hours and minutes have no exact value in days


def require_dim(da: xr.DataArray, dim: Hashable, caller: str) -> None:
    """Raise unless `da` has the dimension `dim`."""
    if dim not in da.dims:
        raise ValueError(
            f"{caller}: no dimension {dim!r} in {da.name!r}; it has {tuple(da.dims)}. "
            f"Name the time dimension with time=..."
        )


def require_one_chunk(da: xr.DataArray, dim: Hashable, caller: str, why: str) -> None:
    """Raise when dask splits `dim`; `why` says what needs the whole of it."""
    chunks = da.chunksizes.get(dim, ())
    if len(chunks) > 1:
        raise ValueError(f"{caller}: {dim!r} has {len(chunks)} chunks; {why}: use .chunk({{{str(dim)!r}: -1}})")


def days_since_start(da: xr.DataArray, dim: Hashable, caller: str) -> np.ndarray:
    """Days since the first step of `dim`, float64 (time,), for numpy and cftime calendars alike."""
    if dim not in da.indexes:
        raise ValueError(
            f"{caller}: dimension {dim!r} has no coordinate; assign the dates, "
            f"e.g. .assign_coords({dim}=pandas.date_range(...))"
        )
    index = da.indexes[dim]
    if not isinstance(index, pd.DatetimeIndex | xr.CFTimeIndex):
        raise ValueError(
            f"{caller}: coordinate {dim!r} holds {index.dtype}, not dates; "
            f"decode it with xarray.decode_cf or assign dates"
        )
    if index.hasnans:
        raise ValueError(f"{caller}: coordinate {dim!r} has missing dates (NaT); drop those steps")
    if not len(index):
        raise ValueError(f"{caller}: {dim!r} has no step; check the selection or the file that the record came from")
    return np.asarray((index - index[0]) / pd.Timedelta(days=1), dtype="float64")


def step_text(days: float) -> str:
    """A step in words: ``1 h``, ``5 days``."""
    if days >= 1:
        return "1 day" if days == 1 else f"{days:g} days"
    return f"{round(24 * days, 3):g} h"


def _holds_leap_day(index: pd.DatetimeIndex | xr.CFTimeIndex) -> np.ndarray:
    """Whether 29 February is among the six days from each date on."""
    days = [index + pd.Timedelta(days=k) for k in range(6)]
    return np.any([(day.month == 2) & (day.day == 29) for day in days], axis=0)


def require_regular_steps(da: xr.DataArray, dim: Hashable, caller: str) -> float:
    """The step of a gapless, sorted, duplicate-free time axis in days (one step: 1.0).

    Pentads of the calendar year (73 a year, the one with 29 February six days long) count as regular.
    """
    days = days_since_start(da, dim, caller)
    if days.size < 2:
        return 1.0
    steps = np.diff(days)
    index = da.indexes[dim]

    def where(mask: np.ndarray) -> str:
        first = int(np.flatnonzero(mask)[0])
        return f"{int(mask.sum())} time(s), first at {index[first + 1]}"

    if (steps < 0).any():
        raise ValueError(f"{caller}: {dim!r} goes backwards {where(steps < 0)}; use .sortby({dim!r})")
    if (steps == 0).any():
        raise ValueError(f"{caller}: {dim!r} has a repeated date {where(steps == 0)}; use .drop_duplicates({dim!r})")
    step = float(np.round(np.median(steps), 6))
    allowed = np.isclose(steps, step, rtol=0, atol=_SAME_STEP)
    if step == 5:
        allowed |= (steps == 6) & _holds_leap_day(index[:-1])
    if step > 5 and not allowed.all():
        raise ValueError(
            f"{caller}: {dim!r} has uneven steps of {steps.min():g} to {steps.max():g} days; expected one value a day "
            f"or a pentad"
        )
    if not allowed.all():
        freq = f"{step:g}D" if step >= 1 else f"{round(24 * step, 3):g}h"
        raise ValueError(
            f"{caller}: {dim!r} has missing steps (expected every {step_text(step)}, broken {where(~allowed)}); "
            f'insert them as NaN, e.g. .resample({dim}="{freq}").asfreq(), or with .reindex'
        )
    return step


def align_exactly(
    first: xr.DataArray, second: xr.DataArray, names: str, caller: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """Both arrays, whose labels must be the same; `names` says what they are."""
    try:
        return xr.align(first, second, join="exact")
    except ValueError as error:
        raise ValueError(f"{caller}: {names} differ in their labels; use xarray.align") from error
