"""The fields that drivers are made of, gathered from one or many Datasets on one grid; lazy."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import xarray as xr

from xdrought.data._era5_axes import (
    at_level,
    check_accumulation,
    level_dim,
    level_text,
    require_dims,
    valid_time_axis,
)
from xdrought.data._era5_names import find_inputs
from xdrought.data._grid_labels import standard_grid

_LEVELS = {"z": 500.0, "gh": 500.0, "r": 1000.0}  # hPa
_NEEDS_LEVEL = frozenset({"z", "gh"})


def gather_inputs(
    parts: Sequence[xr.Dataset], wanted: set[str], accumulation: str, time: Hashable | None, caller: str
) -> tuple[dict[str, xr.DataArray], list[str]]:
    """Short name to field on (time, lat, lon), and what there is in words, for an error text."""
    pieces: dict[str, list[xr.DataArray]] = {}
    there: list[str] = []
    for part in parts:
        caller_and_file = _with_file(caller, part)
        found = find_inputs(part, wanted, caller_and_file)
        unused = sorted(str(name) for name in part.data_vars if name not in found.values())
        there += [name for name in unused if name not in there]
        if not found:
            continue
        grid = standard_grid(part[list(found.values())], caller_and_file)
        for short, name in found.items():
            field = _field(grid[name], short, accumulation, time, caller_and_file)
            text = f"{name} ({level_text(part[name], caller_and_file)})" if short in _LEVELS else str(name)
            there += [text] if text not in there else []
            if field is not None:
                pieces.setdefault(short, []).append(field)
    fields = {short: _join(several, caller) for short, several in pieces.items()}
    _require_one_grid(fields, caller)
    return fields, there


def _with_file(caller: str, part: xr.Dataset) -> str:
    """The caller, and the file that the Dataset was opened from when it is known: for error texts."""
    source = str(part.encoding.get("source", ""))
    return f"{caller}: {PurePath(source).name}" if source else caller


def shared_attrs(parts: Sequence[xr.Dataset]) -> dict[str, Any]:
    """Attributes of the Datasets that all of them have alike."""
    first, *others = (part.attrs for part in parts)
    return {
        key: value
        for key, value in first.items()
        if not key.startswith("GRIB_") and all(key in other and np.array_equal(other[key], value) for other in others)
    }


def _field(da: xr.DataArray, short: str, accumulation: str, time: Hashable | None, caller: str) -> xr.DataArray | None:
    """The variable on (time, lat, lon), its name in the file kept; None when its level is not there."""
    if short in ("tp", "e"):
        check_accumulation(da, accumulation, caller)
    attrs = {**da.attrs, "original_name": str(da.name)}
    if level_dim(da) is not None and short in _LEVELS:
        level = at_level(da, _LEVELS[short], caller)
        if level is None:
            return None
        da, attrs["level_used"] = level, f"at {_LEVELS[short]:g} hPa"
    elif short in _NEEDS_LEVEL:  # the surface's, as far as anyone can tell
        return None
    field = require_dims(valid_time_axis(da, time, caller), ("time", "lat", "lon"), caller)
    field.attrs = attrs
    return field


def _join(pieces: list[xr.DataArray], caller: str) -> xr.DataArray:
    """One field of pieces at different times."""
    if len(pieces) == 1:
        return pieces[0]
    _require_one_grid(dict(enumerate(pieces)), caller)
    units = sorted({str(piece.attrs.get("units")) for piece in pieces})
    if len(units) > 1:
        raise ValueError(f"{caller}: {pieces[0].name!r} has units {units} in different inputs; bring them to one")
    pieces = sorted(pieces, key=lambda piece: piece["time"].values[:1].tolist())
    joined = xr.concat(pieces, "time", coords="minimal", compat="override", join="override", combine_attrs="override")
    times = joined["time"].values
    order = np.argsort(times, kind="stable")
    twice = times[order][1:][np.diff(times[order]) == np.timedelta64(0)]
    if twice.size:
        raise ValueError(
            f"{caller}: {pieces[0].name!r} is in more than one input at {twice.size} time(s), first "
            f"{twice[0]}; "
            f"give each time once"
        )
    return joined if (np.diff(order) == 1).all() else joined.isel(time=order)


def _require_one_grid(fields: dict, caller: str) -> None:
    if not fields:
        return
    first = next(iter(fields.values()))
    for da in fields.values():
        same = all(np.array_equal(da[dim].values, first[dim].values) for dim in ("lat", "lon"))
        if not same:
            raise ValueError(
                f"{caller}: {first.name!r} and {da.name!r} are on different grids ({_extent(first)}, "
                f"{_extent(da)}); "
                f"select or regrid them to the same cells"
            )


def _extent(da: xr.DataArray) -> str:
    lat, lon = da["lat"].values, da["lon"].values
    return f"{lat.size} x {lon.size} cells, {lat[0]:g} to {lat[-1]:g} north, {lon[0]:g} to {lon[-1]:g} east"
