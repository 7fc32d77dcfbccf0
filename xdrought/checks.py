"""Checks of labels that every public function shares; each error names its cure."""

from __future__ import annotations

import datetime
import sys
import warnings
from collections.abc import Hashable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import suggestions

_SAME_STEP = 1e-5  # days; hours and minutes have no exact value in days
_PACKAGE = str(Path(__file__).parent)
_IN_CACHE = 2**16  # values
_SHOWN = 3  # labels of an error
# Of the call of a public function that the user made: whether a record without values was told of.
told_of_no_values: ContextVar[bool | None] = ContextVar("told_of_no_values", default=None)
_T = TypeVar("_T")


def require_known_sizes(given: Iterable[xr.DataArray | xr.Dataset]) -> None:
    """Refuse dask arrays of which nobody knows how long they are."""
    for item in given:
        unknown = {dim for dim, size in item.sizes.items() if np.isnan(size)}
        for da in arrays_of(item) if unknown else ():
            if unknown & set(da.dims):
                label = "the input" if da.name is None else repr(str(da.name))
                raise ValueError(
                    f"{label} has chunks of unknown size, as a dask array has that was selected by its values; give it "
                    f"its sizes, da.data.compute_chunk_sizes(), or select with labels, da.where(...) or da.sel(...)"
                )


def require_unique_labels(given: Iterable[xr.DataArray | xr.Dataset]) -> None:
    """Refuse a label that stands twice along a dimension: nothing tells which value counts, and both would be counted.

    Rows of a table, on `event`, may share labels, which do not tell them apart.
    """
    for item in given:
        for dim in set(item.dims) & set(item.indexes) - {"event"}:
            index = item.indexes[dim]
            if not index.is_unique:
                has_name = isinstance(item, xr.DataArray) and item.name is not None
                raise ValueError(
                    f"{repr(str(item.name)) if has_name else 'the input'} has "
                    f"{some(index[index.duplicated()].unique())} twice along {str(dim)!r}; keep one of each, "
                    f"{'ds' if isinstance(item, xr.Dataset) else 'da'}.drop_duplicates({str(dim)!r})"
                )


def some(labels: pd.Index) -> str:
    """A few labels in words."""
    shown = [str(label) for label in labels[:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(labels) > _SHOWN else "")


def arrays_of(labelled: xr.DataArray | xr.Dataset) -> list[xr.DataArray]:
    """The array itself, or the variables of a Dataset."""
    return [labelled] if isinstance(labelled, xr.DataArray) else list(labelled.data_vars.values())


def has_value(values: np.ndarray) -> bool:
    """Whether any value is finite: reads no further than to the first piece that holds one."""
    flat = values.reshape(-1) if values.flags.c_contiguous else values.ravel(order="K")
    return any(np.isfinite(flat[first : first + _IN_CACHE]).any() for first in range(0, flat.size, _IN_CACHE))


def refuse_zeros_and_ones(da: xr.DataArray, what: str, otherwise: str) -> None:
    """Refuse numbers that are all 0 and 1, as a mask is that lost its type; dask arrays are not looked at."""
    if da.chunks is not None or da.dtype.kind not in "fiu":
        return
    values = da.to_numpy().reshape(-1)
    for piece in (values[: _IN_CACHE // 64], values):  # of a record the first days show others
        if not ((piece == 0) | (piece == 1) | np.isnan(piece)).all():
            return
    if (values == 1).any():
        raise ValueError(
            f"{what} holds 0 and 1 alone, as a mask does; make it one, da = da.fillna(0).astype(bool), {otherwise}"
        )


def warn_without_values(name: str = "") -> None:
    """Say that a record is all NaN, once in the call that the user made; `name` is a text to show."""
    if told_of_no_values.get():
        return
    if told_of_no_values.get() is not None:
        told_of_no_values.set(True)
    warn(
        f"{name or 'the record'} has no value at all (all is NaN), so that nothing can be computed from it; it was cut "
        f"or masked before, or the variable of the file is another one"
    )


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn about the line of the user's code that called the package, however deep in the package the reason lies.

    Other packages may lie between: xarray calls functions of ours for the user's call of a function of ours.
    """
    frame, depth, level = sys._getframe(1), 1, 2
    while frame.f_back is not None:
        if frame.f_code.co_filename.startswith(_PACKAGE):
            level = depth + 2  # of the line that called this frame
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, category, stacklevel=level)


def require_integer(value: object, name: str, least: int = 1, of: str = "") -> int:
    """Return `value` as an int, or raise unless it is a whole number of at least `least`.

    Integers of numpy count, booleans and floats do not. `of` says what is counted, e.g. ``"days"``.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
        unit = f" of {of}" if of else ""
        raise ValueError(f"{name}={value!r}; it must be a whole number{unit}, {least} or more")
    return int(value)


def require_days(value: object, name: str, least: int = 1) -> int:
    """Return whole days, given as a number or as a timedelta of Python, numpy or pandas, as an int."""
    if isinstance(value, datetime.timedelta | np.timedelta64):
        span = pd.Timedelta(value)
        if pd.isna(span) or span % pd.Timedelta(days=1) or span < pd.Timedelta(days=least):
            raise ValueError(f"{name}={value!r}; it must be whole days, {least} or more, e.g. pandas.Timedelta(days=7)")
        return int(span / pd.Timedelta(days=1))
    if isinstance(value, str):
        raise ValueError(
            f"{name}={value!r} is text; give days as a whole number, e.g. 7, or pandas.Timedelta({value!r})"
        )
    return require_integer(value, name, least)


def number_of_days(value: object, name: str) -> float:
    """A number of days, 0 or more, given as a number or as a timedelta of Python, numpy or pandas."""
    days = float("nan")
    if isinstance(value, datetime.timedelta | np.timedelta64):
        days = pd.Timedelta(value) / pd.Timedelta(days=1)
    elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        days = float(value)
    if not days >= 0:
        raise ValueError(f"{name}={value!r}; it is a number of days, 0 or more")
    return days


def lengths_in_years(years: float | xr.DataArray | None) -> float | xr.DataArray | None:
    """Lengths of records, for one number above 0; of an array those of no length are missing."""
    found = np.atleast_1d(np.asarray(1.0 if years is None else years, dtype=float))
    if (found < 0).any() or not (found > 0).any():
        raise ValueError(
            f"years={found.reshape(-1)[:3].tolist()}; give the lengths of the records in years, above 0, e.g. "
            f"record.notnull().sum('time') / 365.2425"
        )
    return years.where(years > 0) if isinstance(years, xr.DataArray) else years


def require_integers(**counts: object) -> None:
    """Raise unless every keyword is a whole number of at least 1."""
    for name, count in counts.items():
        require_integer(count, name)


def require_share(value: float, name: str, example: float = 0.95) -> float:
    """Return `value`, or raise unless it lies between 0 and 1, ends excluded."""
    if isinstance(value, str | bool) or not 0 < value < 1:
        raise ValueError(f"{name}={value!r}; it must be a share between 0 and 1, e.g. {example}")
    return float(value)


def require_levels(quantiles: Iterable[float]) -> tuple[float, ...]:
    """Return the levels of quantiles, or raise unless they grow between 0 and 1, ends excluded: others would cross."""
    levels = tuple(float(level) for level in quantiles)
    if not levels or list(levels) != sorted(set(levels)) or levels[0] <= 0 or levels[-1] >= 1:
        raise ValueError(
            f"quantiles={list(levels)}; give levels between 0 and 1 in growing order, each once, e.g. (0.1, 0.5, 0.9)"
        )
    return levels


def require_choice(value: _T, name: str, choices: Iterable[_T]) -> _T:
    """Return `value`, or raise unless it is one of `choices`."""
    choices = list(choices)
    if value not in choices:
        hint = suggestions.did_you_mean(value, choices) if isinstance(value, str) else ""
        raise ValueError(f"{name}={value!r} is unknown; choose one of {choices}{hint}")
    return value


def require_array(da: object, what: str = "") -> xr.DataArray:
    """Return a DataArray, or raise for what is none, with the call that makes one of it."""
    if isinstance(da, xr.DataArray):
        return da
    wanted = f"{what} must be a DataArray" if what else "expected a DataArray"
    raise TypeError(f"{wanted}, got {type(da).__name__}; {an_array_of(da)}")


def an_array_of(given: object) -> str:
    """The call that makes a DataArray of a value."""
    if isinstance(given, xr.Dataset) and given.data_vars:
        name = "soil_moisture" if "soil_moisture" in given.data_vars else next(iter(given.data_vars))
        return f"pick a variable, e.g. ds[{name!r}]"
    if hasattr(given, "to_xarray"):
        return "use da.to_xarray()"
    if isinstance(given, list | tuple) or hasattr(given, "__array__"):
        return "give it labels, xarray.DataArray(values, coords=..., dims=...)"
    return "pick a variable, e.g. ds['soil_moisture']"


def require_numbers(da: xr.DataArray, *, name: object = None, kinds: str = "fiu") -> None:
    """Raise for values whose kind of dtype is not among `kinds`, with what makes them numbers."""
    if da.dtype.kind in kinds:
        return
    name = da.name if name is None else name
    label = "the input" if name is None else repr(str(name))
    real = "take its real part, da = da.real" if da.dtype.kind == "c" else "make them numbers, da = da.astype(float)"
    raise TypeError(f"{label} has dtype {da.dtype}; expected numbers: {real}")


def require_dim(da: xr.DataArray, dim: Hashable) -> None:
    """Raise unless `da` has the dimension `dim`."""
    if dim not in da.dims:
        if {"init_time", "lead_time"} <= set(da.dims):
            raise ValueError(
                f"{da.name!r} is a forecast for several leads, on {tuple(da.dims)}; choose one by valid time, e.g. "
                f"xdrought.select_lead(forecast, 7)"
            )
        raise ValueError(
            f"no dimension {dim!r} in {da.name!r}; it has {tuple(da.dims)}. Name the time dimension with time=..."
        )


def require_variables(ds: xr.Dataset, names: Iterable[Hashable], lacks: str, made_by: str) -> None:
    """Raise unless a Dataset has these variables or coordinates; `lacks` begins the words, as in "the events lack"."""
    if missing := [name for name in names if name not in ds.variables]:
        found = sorted(map(str, ds.variables))
        raise ValueError(f"{lacks} {missing}, among {found}; give what {made_by} returned")


def require_site(da: xr.DataArray, site: Hashable) -> None:
    """Raise unless `da` has the dimension of sites."""
    if site not in da.dims:
        raise ValueError(
            f"no dimension {site!r} in {da.name!r}; it has {tuple(da.dims)}. One site is "
            f"ds.expand_dims({str(site)!r}); name the dimension with site=..."
        )


def require_daily(da: xr.DataArray, time: Hashable) -> None:
    """Raise unless the steps are days."""
    if (step := require_regular_steps(da, time)) != 1:
        raise ValueError(
            f'{da.name!r} has steps of {step_text(step)} and is not daily; use .resample({time}="1D").mean()'
        )


def require_sites_and_days(da: xr.DataArray, site: Hashable, time: Hashable, *also: Hashable) -> None:
    """Raise for dimensions beside these."""
    others = [dim for dim in da.dims if dim not in (site, time, *also)]
    if not others:
        return
    first, stacked = "", [*others]
    if site in da.dims:  # a stack takes no name that is there
        first, stacked = f".rename({{{site!r}: 'each_{site}'}})", [*others, f"each_{site}"]
    label = "" if da.name is None else f"{da.name!r} has "
    raise ValueError(
        f"{label}dimensions {sorted(map(str, others))} beside {site!r} and {time!r}; choose along them, or make them "
        f"sites with {first}.stack({{{site!r}: {stacked}}})"
    )


def require_one_chunk(da: xr.DataArray, dim: Hashable, why: str) -> None:
    """Raise when dask splits `dim`; `why` says what needs the whole of it."""
    chunks = da.chunksizes.get(dim, ())
    if len(chunks) > 1:
        raise ValueError(f"{dim!r} has {len(chunks)} chunks; {why}: use .chunk({{{str(dim)!r}: -1}})")


def days_since_start(da: xr.DataArray, dim: Hashable) -> np.ndarray:
    """Days since the first step of `dim`, float64 (time,), for numpy and cftime calendars alike."""
    if dim not in da.indexes:
        raise ValueError(
            f"dimension {dim!r} has no coordinate; assign the dates, e.g. .assign_coords({dim}=pandas.date_range(...))"
        )
    index = da.indexes[dim]
    if not isinstance(index, pd.DatetimeIndex | xr.CFTimeIndex):
        raise ValueError(f"coordinate {dim!r} holds {index.dtype}, not dates; {_as_dates(index, dim)}")
    if index.hasnans:
        raise ValueError(f"coordinate {dim!r} has missing dates (NaT); drop those steps")
    if not len(index):
        raise ValueError(f"{dim!r} has no step; check the selection or the file that the record came from")
    return np.asarray((index - index[0]) / pd.Timedelta(days=1), dtype="float64")


def _as_dates(index: pd.Index, dim: Hashable) -> str:
    """What makes dates of labels that are none, as far as the first one tells."""
    if isinstance(index, pd.PeriodIndex):
        return f"take the first moment of each, .assign_coords({dim}=da.indexes[{str(dim)!r}].to_timestamp())"
    if index.dtype.kind == "O" and len(index) and isinstance(index[0], datetime.date):
        return f"make them such, .assign_coords({dim}=pandas.to_datetime(da[{str(dim)!r}].values))"
    if index.dtype.kind in "OSU" and len(index) and isinstance(index[0], str | bytes):
        return f"make them such, .assign_coords({dim}=pandas.to_datetime(da[{str(dim)!r}].values.astype(str)))"
    return "decode it with xarray.decode_cf or assign dates"


def step_text(days: float) -> str:
    """A step in words: ``1 h``, ``5 days``."""
    if days >= 1:
        return "1 day" if days == 1 else f"{days:g} days"
    return f"{round(24 * days, 3):g} h"


def _holds_leap_day(index: pd.DatetimeIndex | xr.CFTimeIndex) -> np.ndarray:
    """Whether 29 February is among the six days from each date on."""
    days = [index + pd.Timedelta(days=k) for k in range(6)]
    return np.any([(day.month == 2) & (day.day == 29) for day in days], axis=0)


def _as_days(index: pd.Index, steps: np.ndarray) -> str | None:
    """How stamps that are an hour or so off become days one after the other; None where they do not."""
    if not isinstance(index, pd.DatetimeIndex) or steps.min() < 0.8 or steps.max() > 1.2:
        return None
    for way in ("round", "floor"):
        if (np.diff(getattr(index, way)("D").to_numpy()) == np.timedelta64(1, "D")).all():
            return way
    return None


def require_regular_steps(da: xr.DataArray, dim: Hashable) -> float:
    """The step of a gapless, sorted time axis in days (one step: 1.0).

    Pentads of the calendar year (73 a year, the one with 29 February six days long) count as regular.
    """
    days = days_since_start(da, dim)
    if days.size < 2:
        return 1.0
    steps = np.diff(days)
    index = da.indexes[dim]

    def where(mask: np.ndarray) -> str:
        first = int(np.flatnonzero(mask)[0])
        return f"{int(mask.sum())} time(s), first at {index[first + 1]}"

    if (steps < 0).any():
        raise ValueError(f"{dim!r} goes backwards {where(steps < 0)}; use .sortby({dim!r})")
    step = float(np.round(np.median(steps), 6))
    allowed = np.isclose(steps, step, rtol=0, atol=_SAME_STEP)
    if step == 5:
        allowed |= (steps == 6) & _holds_leap_day(index[:-1])
    if step > 5 and not allowed.all():
        raise ValueError(
            f"{dim!r} has uneven steps of {steps.min():g} to {steps.max():g} days; expected one value a day or a pentad"
        )
    if not allowed.all() and (way := _as_days(index, steps)) is not None:
        raise ValueError(
            f"{dim!r} has days of {24 * steps.min():g} to {24 * steps.max():g} h, {where(~allowed)}, as midnights of a "
            f"zone with summer time have in UTC; name the days alone, "
            f".assign_coords({dim}=da[{str(dim)!r}].dt.{way}('D'))"
        )
    if not allowed.all():
        freq = f"{step:g}D" if step >= 1 else f"{round(24 * step, 3):g}h"
        raise ValueError(
            f"{dim!r} has missing steps (expected every {step_text(step)}, broken {where(~allowed)}); "
            f'insert them as NaN, e.g. .resample({dim}="{freq}").asfreq(), or with .reindex'
        )
    return step
