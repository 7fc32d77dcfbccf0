"""Pieces of one variable at different times, put together: one field for each step of time; lazy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.data.era5.days import DAY, as_given, time_name


def join_pieces(pieces: Sequence[xr.DataArray]) -> list[xr.DataArray]:
    """Fields of pieces (time, lat, lon): those of one step are joined, those of another stay by themselves.

    A month of daily means and a month of hours are two fields. Pieces that lie between each other in time are one.
    """
    if len(pieces) == 1:
        return [pieces[0]]
    require_one_grid(pieces)
    units = sorted({str(piece.attrs.get("units")) for piece in pieces})
    if len(units) > 1:
        name = pieces[0].name
        raise ValueError(
            f"{name!r} has units {units} in different inputs; bring them to one, e.g. "
            f"ds = ds.assign({name}=xdrought.units.convert(ds[{name!r}], {units[0]!r}))"
        )
    return [_join(group) for group in _group_by_step([piece for piece in pieces if piece.sizes["time"]])]


def _group_by_step(pieces: Iterable[xr.DataArray]) -> list[list[xr.DataArray]]:
    """Pieces in order of time, in groups of one step, or that lie between each other."""
    groups: list[list[xr.DataArray]] = []
    for piece in sorted(pieces, key=_span):
        if groups and _belongs(groups[-1], piece):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    joined: list[list[xr.DataArray]] = []
    for group in groups:  # a piece of one time may have parted what belongs together
        if joined and _step(joined[-1]) is not None and _step(joined[-1]) == _step(group):
            joined[-1] += group
        else:
            joined.append(group)
    return joined


def _span(da: xr.DataArray) -> tuple[pd.Timestamp, pd.Timestamp]:
    index = da.indexes["time"]
    return index.min(), index.max()


def _step(group: Sequence[xr.DataArray]) -> tuple[pd.Timedelta, pd.Timedelta] | None:
    """The step of a group, and of daily ones the hour of their stamps; None for one time."""
    times = pd.DatetimeIndex(np.unique(np.concatenate([piece["time"].values for piece in group])))
    if times.size < 2:
        return None
    step = (times[1:] - times[:-1]).min()
    return step, times[0] - times[0].normalize() if step == DAY else pd.Timedelta(0)


def _belongs(group: Sequence[xr.DataArray], piece: xr.DataArray) -> bool:
    """Whether a piece goes on with a group: of the same step, or begun before the group ends."""
    start = _span(piece)[0]
    end = max(_span(one)[1] for one in group)
    ours, theirs = _step(group), _step([piece])
    if start < end:
        return True
    if ours is not None and theirs is not None:
        return ours == theirs
    known = ours or theirs
    return start - end == known[0] if known is not None else start - end <= DAY


def _join(pieces: list[xr.DataArray]) -> xr.DataArray:
    """One field of pieces of one step, in order of time."""
    if len(pieces) == 1:
        return pieces[0]
    if any(piece.attrs.get("is_forecast") for piece in pieces):
        pieces = _fill_overlaps(pieces)
    times = np.concatenate([piece["time"].values for piece in pieces])
    order = np.argsort(times, kind="stable")
    twice = times[order][1:][np.diff(times[order]) == np.timedelta64(0)]
    if twice.size:
        dim = time_name(pieces[0])
        raise ValueError(
            f"{pieces[0].name!r} is in more than one input at {twice.size} time(s), first "
            f"{as_given(pieces[0], pd.Timestamp(twice[0]))}; give each time once, e.g. "
            f"second = second.drop_sel({dim}=first[{dim!r}].values, errors='ignore')"
        )
    joined = _concat(pieces)
    return joined if (np.diff(order) == 1).all() else joined.isel(time=order)


def _concat(pieces: Sequence[xr.DataArray]) -> xr.DataArray:
    return xr.concat(pieces, "time", coords="minimal", compat="override", join="override", combine_attrs="override")


def _fill_overlaps(pieces: Sequence[xr.DataArray]) -> list[xr.DataArray]:
    """Pieces without a time in common, where cubes of forecasts overlap.

    cfgrib pads the cube of a file (start, step) with NaN, so that two consecutive files share the times around their
    border, and each of these has its values in one file only.
    """
    apart: list[xr.DataArray] = []
    for piece in pieces:
        rest = piece
        for k, other in enumerate(apart):
            both = np.intersect1d(other["time"].values, rest["time"].values)
            if not both.size:
                continue
            filled = xr.apply_ufunc(
                _one_of_both,
                other.sel(time=both),
                rest.sel(time=both),
                dask="parallelized",
                output_dtypes=[np.result_type(other.dtype, rest.dtype)],
                keep_attrs="override",
                kwargs={"name": piece.name},
            )
            apart[k] = _concat([other.drop_sel(time=both), filled])
            rest = rest.drop_sel(time=both)
        if rest.sizes["time"]:
            apart.append(rest)
    return apart


def _one_of_both(first: np.ndarray, second: np.ndarray, name: object) -> np.ndarray:
    """The value that is there; two that differ are refused."""
    differ = ~np.isnan(first) & ~np.isnan(second) & (first != second)
    if differ.any():
        raise ValueError(
            f"{name!r} has two different values at {int(differ.sum())} place(s) and time(s) that are in more than one "
            f"input; give each time once"
        )
    return np.where(np.isnan(first), second, first)


def require_one_grid(fields: Sequence[xr.DataArray]) -> None:
    """Raise unless all fields have the same labels."""
    for da in fields[1:]:
        same = all(np.array_equal(da[dim].values, fields[0][dim].values) for dim in ("lat", "lon"))
        if not same:
            raise ValueError(
                f"{fields[0].name!r} and {da.name!r} are on different grids ({_extent(fields[0])}, {_extent(da)}); "
                f"select or regrid them to the same cells"
            )


def _extent(da: xr.DataArray) -> str:
    lat, lon = da["lat"].values, da["lon"].values
    return f"{lat.size} x {lon.size} cells, {lat[0]:g} to {lat[-1]:g} north, {lon[0]:g} to {lon[-1]:g} east"


def overlap(first: xr.DataArray, second: xr.DataArray) -> bool:
    """Whether two fields have days in common."""
    (start, end), (begin, stop) = (pd.DatetimeIndex(_span(da)).normalize() for da in (first, second))
    return bool(start <= stop and begin <= end)
