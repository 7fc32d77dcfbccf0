"""What windows are cut from, checked, on its final dimensions and with every day once."""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.lib.stride_tricks import sliding_window_view

from xdrought import checks


def whole_patches(ok: np.ndarray, size: int) -> np.ndarray:
    """(lat, lon, time) True where all `size` x `size` cells around a cell are; False across the edge."""
    before = (size - 1) // 2
    whole = np.zeros_like(ok)
    for axis in (0, 1):
        ok = np.all(sliding_window_view(ok, size, axis=axis), axis=-1)
    whole[before : before + ok.shape[0], before : before + ok.shape[1]] = ok
    return whole


def whole_windows(day_ok: np.ndarray, window: int) -> np.ndarray:
    """(..., start) True where `window` good days in a row begin."""
    return np.all(sliding_window_view(day_ok, window, axis=-1), axis=-1)


def missing_in_windows(n_missing: np.ndarray, window: int) -> np.ndarray:
    """(..., start) int32 sums over `window` days of `n_missing` (..., time), how many drivers each day lacks."""
    sums = np.cumsum(n_missing, axis=-1, dtype="int32")
    result = sums[..., window - 1 :].copy()
    result[..., 1:] -= sums[..., :-window]
    return result


def window_starts(
    n_missing: np.ndarray, target_ok: np.ndarray | None, window: int, leads: tuple[int, ...], most: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(cell, start) of the windows that lack at most so many drivers' days, with a target at one lead when asked for.

    Parameters
    ----------
    n_missing : numpy.ndarray
        (..., time) how many drivers are missing; `cell` counts over the flattened leading axes.
    target_ok : numpy.ndarray or None
        (..., time) where the target is known. The longest lead then lies within the record.
    window : int
        Days of a window.
    leads : tuple of int
        Days ahead.
    most : int
        Most drivers' days that a window may lack.
    """
    ok = missing_in_windows(n_missing, window) <= most
    if target_ok is not None:
        n_start = ok.shape[-1] - leads[-1]
        ok = ok[..., :n_start] & np.logical_or.reduce(
            [target_ok[..., window - 1 + lead :][..., :n_start] for lead in leads]
        )
    cell, start = np.nonzero(ok.reshape(-1, ok.shape[-1]))
    return cell, start


def corner(cell: Any, n_lon: int, size: int) -> tuple[Any, Any]:
    """First row and column of the patch around `cell` (number, array or tensor) of the flattened grid."""
    before = (size - 1) // 2
    return cell // n_lon - before, cell % n_lon - before


Span = datetime.timedelta | np.timedelta64  # of pandas, too, whose Timedelta is one of Python's
Lead = int | Span | Sequence[int | Span]
SITE, GRID, PATCH = "site", ("lat", "lon"), ("patch_lat", "patch_lon")
# Of forecasts: the day of issue, the time to the day that is forecast, that day, and what there may be several of.
INIT, LEAD, VALID, MEMBER, QUANTILE = "init_time", "lead_time", "valid_time", "member", "quantile"
_NO_DRIVERS = ("_qc", "_QC")  # quality flags are no weather
_TRUTH = "truth_"  # what a simulated world knows and a station does not


@dataclass(frozen=True)
class Arranged:
    """The variables on their final dimensions and daily axis; `size` is the width of a patch."""

    data: xr.Dataset
    drivers: tuple[Hashable, ...]
    size: int
    on_grid: bool


def arrange(
    ds: xr.Dataset, target: Hashable | None, drivers: Sequence[Hashable] | None, size: int | None, time: Hashable
) -> Arranged:
    """Choose and check the variables, order their dimensions, insert missing days, crop the patch."""
    if isinstance(drivers, str):
        raise TypeError(f"drivers={drivers!r} is one name; give a list, [{drivers!r}]")
    names = tuple(drivers) if drivers is not None else default_drivers(ds, target, time)
    if not names:
        raise ValueError(f"no drivers with dimension {time!r} in {list(ds.data_vars)}; name drivers=[...]")
    wanted = [*names] if target is None else [*names, target]
    _check_names(ds, wanted)
    picked = ds[wanted].drop_vars([c for c in ds.coords if time in ds[c].dims and c != time])
    for name in wanted:
        _check_variable(picked[name], time)
    on_grid = set(GRID) <= set(picked[names[0]].dims)
    for name in wanted:
        _check_dims(picked[name], on_grid, name == target, time)
    if on_grid:
        data, size = picked.transpose(time, *GRID), _grid_size(picked, size)
    else:
        data, size = _site_patches(picked, names, size, time)
    return Arranged(_every_day(data, time), names, size, on_grid)


def default_drivers(ds: xr.Dataset, target: Hashable | None, time: Hashable) -> tuple[Hashable, ...]:
    """Numbers over time but the target, quality flags and simulated truths; those with a patch if any has."""
    names = [
        name
        for name, da in ds.data_vars.items()
        if time in da.dims and da.dtype.kind in "fiu" and name != target
        if not str(name).endswith(_NO_DRIVERS) and not str(name).startswith(_TRUTH)
    ]
    with_patch = [name for name in names if set(PATCH) <= set(ds[name].dims)]
    return tuple(with_patch or names)


def daily_index(start: Any, like: pd.Index, n_days: int) -> pd.Index:
    """`n_days` days from `start`, of the kind (numpy or cftime, calendar, resolution) of `like`."""
    if isinstance(like, xr.CFTimeIndex):
        return xr.date_range(start, periods=n_days, freq="D", calendar=like.calendar, use_cftime=True)
    return pd.date_range(start, periods=n_days, freq="D", unit=getattr(like, "unit", None))


def _check_names(ds: xr.Dataset, wanted: list[Hashable]) -> None:
    missing = [name for name in wanted if name not in ds.data_vars]
    if missing:
        raise KeyError(f"no variable {missing} in the Dataset; it has {list(ds.data_vars)}")
    twice = sorted({str(name) for name in wanted if wanted.count(name) > 1})
    if twice:
        raise ValueError(f"{twice} is named twice; a driver is named once, and the target is no driver")


def _check_variable(da: xr.DataArray, time: Hashable) -> None:
    if da.dtype.kind not in "fiu":
        raise TypeError(f"{da.name!r} has dtype {da.dtype}; windows need numbers: use .astype('float32')")
    checks.require_dim(da, time)
    checks.require_one_chunk(da, time, "windows slide along the whole record")


def _check_dims(da: xr.DataArray, on_grid: bool, is_target: bool, time: Hashable) -> None:
    """A grid has exactly (time, lat, lon); sites may have a whole patch, their target none."""
    found = set(da.dims)
    allowed = {time, *GRID} if on_grid else {time, SITE} if is_target else {time, SITE, *PATCH}
    partial = len(found & set(PATCH)) == 1
    if found - allowed or partial or (on_grid and found != allowed):
        raise ValueError(
            f"{da.name!r} has dimensions {tuple(da.dims)}, expected "
            f"{'exactly' if on_grid else 'among'} "
            f"{sorted(map(str, allowed))}; rename with .rename, or give each {SITE!r} its patch with "
            f"xdrought.data.collocate"
        )


def _grid_size(ds: xr.Dataset, size: int | None) -> int:
    size = 10 if size is None else checks.require_integer(size, "size")
    for dim in GRID:
        if ds.sizes[dim] < size:
            raise ValueError(
                f"a patch of {size} cells does not fit into {dim!r} with {ds.sizes[dim]}; "
                f"use a larger region or a smaller size="
            )
    return size


def _site_patches(
    ds: xr.Dataset, names: tuple[Hashable, ...], size: int | None, time: Hashable
) -> tuple[xr.Dataset, int]:
    """(site, time, patch_lat, patch_lon) drivers cropped about their centre; without a patch 1 x 1."""
    if SITE not in ds.dims:
        ds = ds.expand_dims(SITE) if SITE in ds.coords else ds.expand_dims({SITE: ["site"]})
    lengths = {dim: ds.sizes.get(dim, 1) for dim in PATCH}
    widths = set(lengths.values())
    if len(widths) > 1:
        least = min(widths)
        cut = [f"{dim}=slice({(n - least) // 2}, {(n + least) // 2})" for dim, n in lengths.items() if n > least]
        raise ValueError(
            f"patches are square, found {lengths}; crop them about their centre, ds.isel({', '.join(cut)})"
        )
    width = widths.pop()
    size = width if size is None else checks.require_integer(size, "size")
    if size > width or (width - size) % 2:
        raise ValueError(
            f"size={size} cannot be cut from patches of {width} x {width} around the same centre; "
            f"choose one of {list(range(width, 0, -2))}"
        )
    missing = {dim: 1 for dim in PATCH if dim not in ds.dims}
    edge = (width - size) // 2
    ds = ds if missing else ds.isel({dim: slice(edge, edge + size) for dim in PATCH})
    like: dict[Hashable, int] = {SITE: ds.sizes[SITE], time: ds.sizes[time], **dict.fromkeys(PATCH, size)}
    out = {}
    for name in ds.data_vars:
        short = {dim: n for dim, n in like.items() if dim not in ds[name].dims and (name in names or dim == SITE)}
        order = like if name in names else (SITE, time)
        out[name] = ds[name].expand_dims(short).transpose(*order)
    return ds.assign(out), size


def _every_day(ds: xr.Dataset, time: Hashable) -> xr.Dataset:
    """Missing days become NaN, so that no window can cross a gap unseen."""
    da = next(iter(ds.data_vars.values()))
    if not da.sizes[time]:
        raise ValueError(f"{time!r} is empty; give a record with days in it")
    days = checks.days_since_start(da, time)
    steps = np.diff(days)
    if (steps < 0).any():
        checks.require_regular_steps(da, time)
    if (days % 1).any() or (steps.size and steps.min() > 1):
        raise ValueError(
            f"the shortest step of {time!r} is {steps.min():g} days; windows count days: "
            f'use .resample({time}="1D").mean()'
        )
    if days[-1] == days.size - 1:
        return ds
    index = ds.indexes[time]
    return ds.reindex({time: daily_index(index[0], index, int(days[-1]) + 1)})


def check_lengths(window: int, lead: Lead, n_days: int, require_target: bool) -> tuple[int, tuple[int, ...]]:
    """Window and leads in days, short enough for the record."""
    window, leads = checks.require_integer(window, "window"), check_leads(lead)
    needed = window + leads[-1] if require_target else window
    if n_days < needed:
        raise ValueError(
            f"the record has {n_days} days, but a window of {window} days"
            f"{f' and its target {leads[-1]} days later need' if require_target else ' needs'} {needed}; "
            f"give a longer record or a shorter window"
        )
    return window, leads


def are_several(lead: Lead) -> bool:
    """Whether leads are given as a sequence, and not as one number or timedelta."""
    return isinstance(lead, Iterable) and not isinstance(lead, str | np.generic)


def check_leads(lead: Lead) -> tuple[int, ...]:
    """The leads in whole days, growing; a single one makes one."""
    if not are_several(lead):
        return (checks.require_days(lead, "lead"),)
    leads = tuple(checks.require_days(each, "lead") for each in lead)  # type: ignore[union-attr]
    if not leads or list(leads) != sorted(set(leads)):
        raise ValueError(f"lead={list(leads)}; several leads are named once each and in growing order, e.g. [1, 3, 7]")
    return leads
