"""From stamps to days: which hours make a day, of what span a value is the amount, and mean, maximum or sum; lazy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.checks import step_text

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


@dataclass(frozen=True)
class DailyValues:
    """Daily values without a gap, the days among them that have hours enough, and all days that have any."""

    values: xr.DataArray
    usable: pd.DatetimeIndex
    seen: pd.DatetimeIndex


def time_name(da: xr.DataArray) -> str:
    """What the user calls the time dimension, for the cures in error texts."""
    return str(da.attrs.get("time_name", "time"))


def as_given(da: xr.DataArray, when: pd.Timestamp) -> pd.Timestamp:
    """A time as it stands in the file, before local days were asked for."""
    return when - pd.Timedelta(hours=da.attrs.get("utc_offset", 0.0))


def read_stamps(da: xr.DataArray) -> Stamps:
    """Check that the times ascend in steps that divide the day; gaps are allowed here."""
    index = pd.DatetimeIndex(da.indexes["time"])
    dim = time_name(da)
    if index.hasnans:
        raise ValueError(f"{da.name!r} has missing times (NaT); drop those steps, ds.isel({dim}=ds[{dim!r}].notnull())")
    if index.size < 2:
        raise ValueError(f"{da.name!r} has {index.size} time(s); at least two are needed to tell hours from days")
    gaps = index[1:] - index[:-1]
    if (gaps < pd.Timedelta(0)).any():
        first = index[1:][gaps < pd.Timedelta(0)][0]
        raise ValueError(f"the times of {da.name!r} go backwards at {as_given(da, first)}; use ds.sortby({dim!r})")
    if (gaps == pd.Timedelta(0)).any():
        repeated = index[1:][gaps == pd.Timedelta(0)]
        raise ValueError(
            f"{da.name!r} has {repeated.size} repeated time(s), first {as_given(da, repeated[0])}; "
            f"use ds.drop_duplicates({dim!r})"
        )
    step = gaps.min()
    if step > DAY or DAY % step != pd.Timedelta(0):
        raise ValueError(
            f"the times of {da.name!r} are {step_text(step / DAY)} apart; daily values or a step that divides the day "
            f"(1, 3, 6 hours) are needed"
        )
    offset = pd.Timedelta(hours=da.attrs.get("utc_offset", 0.0))
    if offset and (step == DAY or offset % step != pd.Timedelta(0)):
        fits = (
            "daily values have no hours to count anew: give hours, or utc_offset=0"
            if step == DAY
            else f"it must be a multiple of their step, e.g. utc_offset={round(offset / step) * (step / HOUR):g}"
        )
        raise ValueError(f"utc_offset={offset / HOUR:g} does not fit the times of {da.name!r}; {fits}")
    since = (index - index.normalize()) % step
    if (since != since[0]).any() or (step < DAY and since[0] != pd.Timedelta(0)):
        odd = index[since != (since[0] if step == DAY else pd.Timedelta(0))][0]
        raise ValueError(
            f"{da.name!r} has a time off the {step / HOUR:g}-hourly steps of the day: {odd}; leave such times out, or "
            f"name the hours that they stand for, ds.assign_coords({dim}=ds[{dim!r}].dt.floor('h'))"
        )
    return Stamps(index, step)


def daily_statistic(da: xr.DataArray, statistic: str, *, ends: bool, min_hours: float | None) -> DailyValues | None:
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
    DailyValues or None
        Days with fewer hours are missing; those at both ends of the record are left out. None when no day is whole.
    """
    stamps = read_stamps(da)
    if stamps.step == DAY:
        return on_every_day(da, stamps.index.normalize(), stamps.index.normalize())
    n = stamps.per_day
    need = n if min_hours is None else int(np.ceil(min_hours / stamps.hours))
    shift = stamps.step if ends else pd.Timedelta(0)
    of_day = (stamps.index - shift).normalize()
    days, counts = np.unique(of_day, return_counts=True)
    _refuse_coarser_days(da, stamps, of_day, days, counts, need)
    usable = np.flatnonzero(counts >= need)
    if not usable.size:
        return None
    first, last = (pd.Timestamp(days[usable[k]]) for k in (0, -1))
    expected = pd.date_range(first + shift, last + shift + DAY - stamps.step, freq=stamps.step).as_unit(
        stamps.index.unit
    )
    whole = _on_stamps(da, stamps.index, expected)
    made = _reduce(whole, statistic, n, need)
    every = pd.date_range(first, last, freq="D").as_unit(stamps.index.unit)
    return DailyValues(made.assign_coords(time=every), pd.DatetimeIndex(days[usable]), pd.DatetimeIndex(days))


def tell_no_whole_day(da: xr.DataArray, *, ends: bool, min_hours: float | None) -> str:
    """Why no day could be made."""
    stamps = read_stamps(da)
    need = 24.0 if min_hours is None else min_hours
    return (
        f"{da.name!r} has no day with {need:g} hours ({stamps.index[0]} to {stamps.index[-1]}, every "
        f"{step_text(stamps.step / DAY)}{'; a stamp is the end of its step' if ends else ''}); give whole days"
    )


def _refuse_coarser_days(
    da: xr.DataArray, stamps: Stamps, of_day: pd.DatetimeIndex, days: np.ndarray, counts: np.ndarray, need: int
) -> None:
    """Refuse a record of two steps: days of evenly spaced, fewer stamps are no days that lack hours."""
    starts = np.searchsorted(of_day, days)
    gaps = np.diff(stamps.index.to_numpy())
    coarse = np.zeros(days.size, bool)
    for k in np.flatnonzero((counts < need) & (stamps.per_day % counts == 0)):
        inside = gaps[starts[k] : starts[k] + counts[k] - 1]
        coarse[k] = bool((inside == (DAY / counts[k]).to_timedelta64()).all())
    # One such day is a day that lacks hours, as the last midnight of a month is; neighbours alike are another step.
    alike = coarse[:-1] & coarse[1:] & (counts[:-1] == counts[1:]) & (np.diff(days) == np.timedelta64(1, "D"))
    if not alike.any():
        return
    run = int(np.flatnonzero(alike)[0])
    same = coarse & (counts == counts[run])
    last = run
    while last + 1 < days.size and same[last + 1]:
        last += 1
    dim = time_name(da)
    # The part is cut where its days begin or end, so that both sides keep the stamps of their days.
    after = starts[run] if starts[run] > 0 else starts[last] + counts[last]
    end, begin = (as_given(da, stamps.index[k]) for k in (after - 1, after))
    raise ValueError(
        f"{da.name!r} comes every {24 / counts[run]:g} h on {int(same.sum())} day(s), first "
        f"{pd.Timestamp(days[run]):%Y-%m-%d}, and every {step_text(stamps.step / DAY)} on others; give the parts by "
        f"themselves, daily_drivers([ds.sel({dim}=slice(None, '{end}')), ds.sel({dim}=slice('{begin}', None))], ...)"
    )


def total_since_midnight(da: xr.DataArray) -> DailyValues | None:
    """Daily totals of a field accumulated from 00 UTC on: the value at 00 UTC is that of the day before."""
    index = read_stamps(da).index
    at_midnight = np.flatnonzero(index == index.normalize())
    if not at_midnight.size:
        return None
    days = index[at_midnight] - DAY
    return on_every_day(da.isel(time=at_midnight), days, days.union(index[index > days[-1] + DAY].normalize()))


def amounts_of_steps(da: xr.DataArray) -> xr.DataArray:
    """Amounts of each step of a field accumulated from 00 UTC on; NaN where the step before is not there."""
    stamps = read_stamps(da)
    every = pd.date_range(stamps.index[0], stamps.index[-1], freq=stamps.step).as_unit(stamps.index.unit)
    whole = _on_stamps(da, stamps.index, every)
    before = whole.shift(time=1)
    begins = (every - stamps.step) == (every - stamps.step).normalize()
    made = whole - before.where(~xr.DataArray(begins, {"time": every}, "time"), 0.0)
    return made.rename(da.name).assign_attrs(da.attrs)


def on_every_day(da: xr.DataArray, days: pd.DatetimeIndex, seen: pd.DatetimeIndex) -> DailyValues:
    """Daily values on every day from the first to the last."""
    every = pd.date_range(days[0], days[-1], freq="D").as_unit(days.unit)
    return DailyValues(_on_stamps(da.assign_coords(time=days), days, every), days, seen)


def join_days(parts: Sequence[DailyValues], name: object) -> xr.DataArray:
    """One gapless daily record of parts that were made of different steps, with counts of what is missing."""
    if len(parts) == 1:
        values, usable, seen = parts[0].values, parts[0].usable, parts[0].seen
    else:
        usable = pd.DatetimeIndex(np.concatenate([part.usable for part in parts])).sort_values()
        if usable.has_duplicates:
            twice = usable[usable.duplicated()]
            raise ValueError(
                f"{name!r} has {twice.size} day(s) in parts of different steps, first {twice[0]:%Y-%m-%d}; leave them "
                f"out of one of the parts"
            )
        seen = pd.DatetimeIndex(np.concatenate([part.seen for part in parts])).unique()
        # Only the days that are usable: the gap of one part may be filled by another.
        alone = [part.values.sel(time=part.usable) for part in parts]
        alone.sort(key=lambda da: da.indexes["time"][0])
        joined = xr.concat(
            alone, "time", coords="minimal", compat="override", join="override", combine_attrs="override"
        ).sortby("time")
        values = on_every_day(joined, pd.DatetimeIndex(joined.indexes["time"]), seen).values
    every = values.indexes["time"]
    gaps = every.difference(usable)
    if gaps.size:
        checks.warn(
            f"{name!r} lacks times on {gaps.size} day(s) inside its record, first {gaps[0]:%Y-%m-%d}; "
            f"they are missing in the result"
        )
    outside = seen[(seen < every[0]) | (seen > every[-1])]
    return values.assign_attrs(days_missing_inside=int(gaps.size), days_left_out_at_the_ends=int(outside.size))


def _on_stamps(da: xr.DataArray, have: pd.DatetimeIndex, wanted: pd.DatetimeIndex) -> xr.DataArray:
    """The values at the wanted times, NaN where there is none; a slice when nothing is missing."""
    start, stop = have.searchsorted(wanted[0]), have.searchsorted(wanted[-1], side="right")
    part = da.isel(time=slice(int(start), int(stop)))
    return part if have[start:stop].equals(wanted) else part.reindex(time=wanted)


def _reduce(da: xr.DataArray, statistic: str, n: int, need: int) -> xr.DataArray:
    hours = da.drop_vars("time").coarsen(time=n).construct(time=("time", "_step"))
    if statistic == "sum":
        hours = _refuse_totals(hours)
    reduce = {"mean": hours.mean, "maximum": hours.max, "sum": hours.sum}[statistic]
    if need == n:
        return reduce("_step", skipna=False, keep_attrs=True)
    return reduce("_step", skipna=True, keep_attrs=True).where(hours.notnull().sum("_step") >= need)


def _refuse_totals(hours: xr.DataArray) -> xr.DataArray:
    """Steps of days (time, _step, ...) that are amounts; totals since midnight are refused, in blocks for dask."""
    axis = hours.get_axis_num("_step")
    if hours.chunks is None:
        refuse_totals(np.moveaxis(hours.to_numpy(), axis, 1), hours.name)
        return hours
    whole = hours.chunk({"_step": -1})

    def check(block: np.ndarray) -> np.ndarray:
        refuse_totals(np.moveaxis(block, axis, 1), hours.name)
        return block

    return whole.copy(data=whole.data.map_blocks(check, dtype=whole.dtype, meta=whole.data._meta))


_LONGEST_HOURLY_STEP = pd.Timedelta(hours=18)  # ERA5 forecasts start at 06 and 18 UTC and end after 18 hours
_LAND = re.compile(r"era5[-_ ]?land", re.IGNORECASE)
_LAND_STEP = 0.1  # degrees
_CELLS_LOOKED_AT = 64
_FEWEST_DAYS = 3


def forecast_steps(da: xr.DataArray) -> xr.DataArray:
    """The forecast steps as durations."""
    if da["step"].dtype.kind != "m":
        raise ValueError(
            f"'step' of {da.name!r} holds {da['step'].dtype}, not durations; open the file with decode_timedelta=True, "
            f"or make them, ds.assign_coords(step=pandas.to_timedelta(ds['step'].values, 'h'))"
        )
    return da["step"]


def check_accumulation(da: xr.DataArray, accumulation: str | None) -> None:
    """Raise when the forecast steps of an accumulated field contradict how it is said to be accumulated."""
    if "step" not in da.dims or "step" not in da.coords:
        return
    longest = pd.Timedelta(forecast_steps(da).values.max())
    if accumulation in (None, "hourly") and longest > _LONGEST_HOURLY_STEP:
        raise ValueError(
            f"{da.name!r} has forecast steps up to {longest / pd.Timedelta(hours=1):g} h, as ERA5-Land has, "
            f'which accumulates from 00 UTC on; use accumulation="since_midnight"'
        )
    starts = pd.DatetimeIndex(np.atleast_1d(da["time"].values)) if "time" in da.coords else pd.DatetimeIndex([])
    if accumulation == "since_midnight" and (starts != starts.normalize()).any():
        raise ValueError(
            f"{da.name!r} comes from forecasts that start at {starts[starts != starts.normalize()][0]:%H:%M}, "
            f'as ERA5 has, not at 00:00; use accumulation="hourly"'
        )


def land_evidence(da: xr.DataArray, part: xr.Dataset) -> str:
    """Why a field (.., lat, lon) seems to come from ERA5-Land, in words; empty where nothing says so."""
    for where, value in (*part.attrs.items(), *da.attrs.items(), ("source", part.encoding.get("source", ""))):
        if isinstance(value, str) and (found := _LAND.search(value)):
            return f"{where!r} names {found.group()}"
    steps = [float(np.abs(np.diff(da[dim].values)).mean()) for dim in ("lat", "lon") if da.sizes.get(dim, 0) > 1]
    steps = steps or [float(da.attrs.get(f"GRIB_{axis}DirectionIncrementInDegrees", np.nan)) for axis in "ij"]
    if all(abs(step - _LAND_STEP) < 1e-3 for step in steps):
        return "its grid has steps of 0.1 degree"
    return ""


def refuse_land(name: object, evidence: str) -> None:
    """Raise when amounts of hours are assumed of what seems to be ERA5-Land."""
    if evidence:
        raise ValueError(
            f"{name!r} seems to come from ERA5-Land ({evidence}), which counts from 00 UTC on; say what its values are "
            f'the amount of, accumulation="since_midnight", or accumulation="hourly" where each is of one hour'
        )


def refuse_totals(hours: np.ndarray, name: object) -> None:
    """Raise when the steps of most wet days (day, step, ...) rise all day long and fall back after midnight.

    Amounts of an hour do so on one wet day in a hundred. Some cells of the array are looked at.
    """
    cells = np.abs(hours.reshape(*hours.shape[:2], -1))
    if hours.shape[1] < 8 or hours.shape[0] < _FEWEST_DAYS or not cells.size:
        return
    cells = cells[:, :, :: max(1, cells.shape[2] // _CELLS_LOOKED_AT)]
    with np.errstate(invalid="ignore"):
        most = cells.max(axis=1)
        wet = (cells > 0).sum(axis=1) >= cells.shape[1] // 4
        rising = (np.diff(cells, axis=1) >= -0.01 * most[:, None]).mean(axis=1) >= 0.8
        totals = rising & (cells[:, -1] >= 0.95 * most) & (cells[:, -1] > 1.5 * cells[:, 0])
        falls = cells[1:, 0] < 0.5 * cells[:-1, -1]
    if wet.any(axis=1).sum() < _FEWEST_DAYS or not wet[:-1].any():
        return
    if totals[wet].mean() >= 0.8 and falls[wet[:-1]].mean() >= 0.8:
        raise ValueError(
            f"{name!r} rises from hour to hour and falls back after 00 UTC on {totals[wet].mean():.0%} of its days, as "
            f'totals since midnight do (ERA5-Land) and amounts of an hour do not; use accumulation="since_midnight"'
        )
