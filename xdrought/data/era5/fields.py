"""The fields that drivers are made of, gathered from one or many Datasets on one grid; lazy."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.data.era5.drivers import LEVELS, find_inputs
from xdrought.data.patch_cells import standard_grid

_LONGEST_HOURLY_STEP = pd.Timedelta(hours=18)  # ERA5 forecasts start at 06 and 18 UTC and end after 18 hours
_HIGHEST_HPA = 1100.0


def valid_time_axis(da: xr.DataArray, time: Hashable | None) -> xr.DataArray:
    """The variable on one dimension ``time`` of valid times, in their order.

    Forecast shapes, with a start in ``time`` and a lead in ``step``, are laid out by ``valid_time``.
    """
    if time is not None:
        if time not in da.dims:
            raise ValueError(f"no dimension {str(time)!r} in {da.name!r}; it has {da.dims}")
        dims: tuple[Hashable, ...] = (time,)
        stamps = da[time]
    else:
        stamps = _valid_times(da)
        dims = stamps.dims
    if stamps.dtype.kind != "M":
        raise ValueError(
            f"the times of {da.name!r} are {stamps.dtype}, not datetime64; decode them with "
            f'xarray.decode_cf, and bring other calendars to ERA5\'s with .convert_calendar("standard")'
        )
    if len(dims) > 1:  # forecasts one after the other
        bare = da.drop_vars([name for name in da.coords if set(da[name].dims) & set(dims)])
        flat = bare.transpose(*dims, ...).stack(_valid=dims, create_index=False)
        values = stamps.values.ravel()
        order = np.argsort(values, kind="stable")
        flat = flat if (np.diff(order) == 1).all() else flat.isel(_valid=order)
        return flat.rename(_valid="time").assign_coords(time=values[order]).transpose("time", ...)
    values = stamps.values
    along = [name for name in da.coords if dims[0] in da[name].dims]
    bare = da.drop_vars(along)
    renamed = bare if dims[0] == "time" else bare.drop_vars("time", errors="ignore").rename({dims[0]: "time"})
    return renamed.assign_coords(time=values).transpose("time", ...)


def _valid_times(da: xr.DataArray) -> xr.DataArray:
    """Valid times on one dimension of `da`, or on two of forecast start and step."""
    if {"time", "step"} <= set(da.dims) & set(da.coords):  # the same as valid_time, and in memory
        return da["time"] + _steps(da)
    if "valid_time" in da.coords and da["valid_time"].ndim:
        return da["valid_time"]
    if "time" not in da.dims or "time" not in da.coords:
        raise ValueError(
            f"{da.name!r} has no time coordinate ('valid_time' or 'time'); it has the dimensions "
            f"{da.dims}. "
            f"Name another one with time=..."
        )
    if "step" in da.coords:  # forecasts without the valid time written out
        return da["time"] + _steps(da)
    return da["time"]


def _steps(da: xr.DataArray) -> xr.DataArray:
    if da["step"].dtype.kind != "m":
        raise ValueError(
            f"'step' of {da.name!r} holds {da['step'].dtype}, not durations; open the file with decode_timedelta=True"
        )
    return da["step"]


def check_accumulation(da: xr.DataArray, accumulation: str) -> None:
    """Raise when the forecast steps of an accumulated field contradict how it is said to be accumulated."""
    if "step" not in da.dims or "step" not in da.coords:
        return
    longest = pd.Timedelta(_steps(da).values.max())
    if accumulation == "hourly" and longest > _LONGEST_HOURLY_STEP:
        raise ValueError(
            f"{da.name!r} has forecast steps up to {longest / pd.Timedelta(hours=1):g} h, as "
            f"ERA5-Land has, "
            f'which accumulates from 00 UTC on; use accumulation="since_midnight"'
        )
    starts = pd.DatetimeIndex(np.atleast_1d(da["time"].values)) if "time" in da.coords else pd.DatetimeIndex([])
    if accumulation == "since_midnight" and (starts != starts.normalize()).any():
        raise ValueError(
            f"{da.name!r} comes from forecasts that start at "
            f"{starts[starts != starts.normalize()][0]:%H:%M}, "
            f'as ERA5 has, not at 00:00; use accumulation="hourly"'
        )


def level_dim(da: xr.DataArray) -> str | None:
    """The name of the pressure coordinate, a dimension or a single level."""
    return next((name for name in LEVELS if name in da.coords), None)


def at_level(da: xr.DataArray, hpa: float) -> xr.DataArray | None:
    """The variable at a pressure level, or None when that level is not there."""
    name = level_dim(da)
    if name is None:
        return None
    levels = _in_hpa(da[name])
    if not da[name].ndim:
        return da.drop_vars(name) if np.isclose(levels, hpa) else None
    there = np.flatnonzero(np.isclose(levels, hpa))
    return da.isel({name: int(there[0])}).drop_vars(name) if there.size else None


def level_text(da: xr.DataArray) -> str:
    """The levels of a variable in words, for an error text."""
    name = level_dim(da)
    if name is None:
        return "without a pressure level"
    levels = np.atleast_1d(_in_hpa(da[name]))
    return f"at {', '.join(f'{level:g}' for level in levels[:5])}{' ...' if levels.size > 5 else ''} hPa"


def _in_hpa(level: xr.DataArray) -> np.ndarray:
    values = level.values.astype("float64")
    units = str(level.attrs.get("units", "Pa" if level.name == "isobaricInPa" else "hPa"))
    if units == "Pa":
        return values / 100.0
    if units.lower() not in {"hpa", "mbar", "millibar", "millibars"} or (values > _HIGHEST_HPA).any():
        raise ValueError(
            f"pressure levels {level.name!r} up to {values.max():g} with units {units!r}; "
            f'set the units, e.g. ds[{str(level.name)!r}].attrs["units"] = "hPa"'
        )
    return values


def require_dims(da: xr.DataArray, dims: Sequence[Hashable]) -> xr.DataArray:
    """The variable on exactly these dimensions; others of one element are dropped, longer ones refused."""
    single = [dim for dim in da.dims if dim not in dims and da.sizes[dim] == 1]
    squeezed = da.isel(dict.fromkeys(single, 0), drop=True)
    extra = {str(dim): squeezed.sizes[dim] for dim in squeezed.dims if dim not in dims}
    if extra:
        cure = (
            "combine the two versions, e.g. ds.sel(expver=1).combine_first(ds.sel(expver=5))"
            if "expver" in extra
            else "select one, e.g. " + " and ".join(f"ds.isel({dim}=0)" for dim in extra)
        )
        raise ValueError(f"{da.name!r} has the further dimensions {extra}; {cure}")
    return squeezed.drop_vars([name for name in squeezed.coords if name not in dims]).transpose(*dims)


_LEVELS = {"z": 500.0, "gh": 500.0, "r": 1000.0}  # hPa
_NEEDS_LEVEL = frozenset({"z", "gh"})


def gather_inputs(
    parts: Sequence[xr.Dataset], wanted: set[str], accumulation: str, time: Hashable | None
) -> tuple[dict[str, xr.DataArray], list[str]]:
    """Short name to field on (time, lat, lon), and what there is in words, for an error text."""
    pieces: dict[str, list[xr.DataArray]] = {}
    there: list[str] = []
    for part in parts:
        try:
            _gather_part(part, wanted, accumulation, time, pieces, there)
        except (TypeError, ValueError) as error:
            source = str(part.encoding.get("source", ""))
            if source:
                error.add_note(f"in the file {PurePath(source).name}")
            raise
    fields = {short: _join(several) for short, several in pieces.items()}
    _require_one_grid(fields)
    return fields, there


def _gather_part(
    part: xr.Dataset,
    wanted: set[str],
    accumulation: str,
    time: Hashable | None,
    pieces: dict[str, list[xr.DataArray]],
    there: list[str],
) -> None:
    """Add the fields of one Dataset to `pieces`, and what it holds in words to `there`."""
    names = find_inputs(part, wanted)
    unused = sorted(str(name) for name in part.data_vars if name not in names.values())
    there += [name for name in unused if name not in there]
    if not names:
        return
    grid = standard_grid(part[list(names.values())])
    for short, name in names.items():
        field = _field(grid[name], short, accumulation, time)
        text = f"{name} ({level_text(part[name])})" if short in _LEVELS else str(name)
        there += [text] if text not in there else []
        if field is not None:
            pieces.setdefault(short, []).append(field)


def shared_attrs(parts: Sequence[xr.Dataset]) -> dict[str, Any]:
    """Attributes of the Datasets that all of them have alike."""
    first, *others = (part.attrs for part in parts)
    return {
        key: value
        for key, value in first.items()
        if not key.startswith("GRIB_") and all(key in other and np.array_equal(other[key], value) for other in others)
    }


def _field(da: xr.DataArray, short: str, accumulation: str, time: Hashable | None) -> xr.DataArray | None:
    """The variable on (time, lat, lon), its name in the file kept; None when its level is not there."""
    if short in ("tp", "e"):
        check_accumulation(da, accumulation)
    attrs = {**da.attrs, "original_name": str(da.name)}
    if level_dim(da) is not None and short in _LEVELS:
        level = at_level(da, _LEVELS[short])
        if level is None:
            return None
        da, attrs["level_used"] = level, f"at {_LEVELS[short]:g} hPa"
    elif short in _NEEDS_LEVEL:  # the surface's, as far as anyone can tell
        return None
    field = require_dims(valid_time_axis(da, time), ("time", "lat", "lon"))
    field.attrs = attrs
    return field


def _join(pieces: list[xr.DataArray]) -> xr.DataArray:
    """One field of pieces at different times."""
    if len(pieces) == 1:
        return pieces[0]
    _require_one_grid(dict(enumerate(pieces)))
    units = sorted({str(piece.attrs.get("units")) for piece in pieces})
    if len(units) > 1:
        raise ValueError(f"{pieces[0].name!r} has units {units} in different inputs; bring them to one")
    pieces = sorted(pieces, key=lambda piece: piece["time"].values[:1].tolist())
    joined = xr.concat(pieces, "time", coords="minimal", compat="override", join="override", combine_attrs="override")
    times = joined["time"].values
    order = np.argsort(times, kind="stable")
    twice = times[order][1:][np.diff(times[order]) == np.timedelta64(0)]
    if twice.size:
        raise ValueError(
            f"{pieces[0].name!r} is in more than one input at {twice.size} time(s), first "
            f"{twice[0]}; "
            f"give each time once"
        )
    return joined if (np.diff(order) == 1).all() else joined.isel(time=order)


def _require_one_grid(fields: dict) -> None:
    if not fields:
        return
    first = next(iter(fields.values()))
    for da in fields.values():
        same = all(np.array_equal(da[dim].values, first[dim].values) for dim in ("lat", "lon"))
        if not same:
            raise ValueError(
                f"{first.name!r} and {da.name!r} are on different grids ({_extent(first)}, "
                f"{_extent(da)}); "
                f"select or regrid them to the same cells"
            )


def _extent(da: xr.DataArray) -> str:
    lat, lon = da["lat"].values, da["lon"].values
    return f"{lat.size} x {lon.size} cells, {lat[0]:g} to {lat[-1]:g} north, {lon[0]:g} to {lon[-1]:g} east"
