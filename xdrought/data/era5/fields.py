"""The fields that drivers are made of: one variable on (time, lat, lon) of valid times, whatever its shape; lazy."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.data.era5.days import check_accumulation, forecast_steps, land_evidence
from xdrought.data.era5.names import LEVELS, QUANTITY, find_inputs
from xdrought.data.era5.pieces import join_pieces, require_one_grid
from xdrought.data.grid_axes import find_time, standard_grid
from xdrought.limits import check
from xdrought.units import convert, converts

_HIGHEST_HPA = 1100.0
_GREGORIAN = ("standard", "gregorian", "proleptic_gregorian")


@dataclass(frozen=True)
class ReaderSettings:
    """How fields are read and days are made."""

    accumulation: str | None = None
    min_hours: float | None = None
    utc_offset: float = 0.0
    time: Hashable | None = None
    lat: Hashable | None = None
    lon: Hashable | None = None


def gather_inputs(
    parts: Sequence[xr.Dataset], wanted: set[str], settings: ReaderSettings
) -> tuple[dict[str, list[xr.DataArray]], list[str]]:
    """Short name to fields on (time, lat, lon), one for each step of time, and what there is in words."""
    pieces: dict[str, list[xr.DataArray]] = {}
    there: list[str] = []
    for part in parts:
        try:
            _gather_part(part, wanted, settings, pieces, there)
        except (TypeError, ValueError) as error:
            source = str(part.encoding.get("source", ""))
            if source:
                error.add_note(f"in the file {PurePath(source).name}; open it with xarray.open_dataset to mend it")
            raise
    fields = {short: join_pieces(several) for short, several in _one_resolution(pieces).items()}
    require_one_grid([field for several in fields.values() for field in several])
    return fields, there


def _gather_part(
    part: xr.Dataset,
    wanted: set[str],
    settings: ReaderSettings,
    pieces: dict[str, list[xr.DataArray]],
    there: list[str],
) -> None:
    """Add the fields of one Dataset to `pieces`, and what it holds in words to `there`."""
    names = find_inputs(part, wanted)
    unused = sorted(str(name) for name in part.data_vars if name not in names.values())
    there += [name for name in unused if name not in there]
    if not names:
        return
    grid = standard_grid(part[list(names.values())], settings.lat, settings.lon)
    for short, name in names.items():
        field = _field(grid[name], short, part, settings)
        text = f"{name} ({level_text(part[name])})" if short in _LEVELS else str(name)
        there += [text] if text not in there else []
        if field is not None:
            pieces.setdefault(short, []).append(field)


def _field(da: xr.DataArray, short: str, part: xr.Dataset, settings: ReaderSettings) -> xr.DataArray | None:
    """The variable on (time, lat, lon), its name in the file kept; None when its level is not there."""
    attrs: dict[str, Any] = {**da.attrs, "original_name": str(da.name)}
    if short in ("tp", "e"):
        check_accumulation(da, settings.accumulation)
        attrs["land_evidence"] = land_evidence(da, part)
    if level_dim(da) is not None and short in _LEVELS:
        level = at_level(da, _LEVELS[short])
        if level is None:
            return None
        da, attrs["level_used"] = level, f"at {_LEVELS[short]:g} hPa"
    elif short in _NEEDS_LEVEL:  # the surface's, as far as anyone can tell
        return None
    attrs["is_forecast"] = {"time", "step"} <= set(da.dims)
    stamps = _valid_times(da, settings.time)
    attrs["time_name"] = str(stamps.dims[-1] if len(stamps.dims) == 1 else "time")
    field = require_dims(valid_time_axis(da, stamps), ("time", "lat", "lon"))
    if settings.utc_offset:
        local = field.indexes["time"] + pd.Timedelta(hours=settings.utc_offset)
        field = field.assign_coords(time=local)
        attrs["utc_offset"] = settings.utc_offset
    field.attrs = attrs
    return check(field, quantity=QUANTITY.get(short), name=str(da.name))


def _one_resolution(pieces: Mapping[str, list[xr.DataArray]]) -> dict[str, list[xr.DataArray]]:
    """All times in one unit, as files of different programs have seconds, microseconds or nanoseconds."""
    units = {pd.DatetimeIndex(piece.indexes["time"]).unit for several in pieces.values() for piece in several}
    if len(units) < 2:
        return dict(pieces)
    return {
        short: [piece.assign_coords(time=pd.DatetimeIndex(piece.indexes["time"]).as_unit("us")) for piece in several]
        for short, several in pieces.items()
    }


def shared_attrs(parts: Sequence[xr.Dataset]) -> dict[str, Any]:
    """Attributes of the Datasets that all of them have alike."""
    first, *others = (part.attrs for part in parts)
    return {
        key: value
        for key, value in first.items()
        if not key.startswith("GRIB_") and all(key in other and np.array_equal(other[key], value) for other in others)
    }


def valid_time_axis(da: xr.DataArray, stamps: xr.DataArray) -> xr.DataArray:
    """The variable on one dimension ``time`` of valid times, in their order.

    Forecast shapes, with a start in ``time`` and a lead in ``step``, are laid out by ``valid_time``.
    """
    dims = stamps.dims
    values = _dates(da, stamps)
    if len(dims) > 1:  # forecasts one after the other
        bare = da.drop_vars([name for name in da.coords if set(da[name].dims) & set(dims)])
        flat = bare.transpose(*dims, ...).stack(_valid=dims, create_index=False)
        values = values.ravel()
        order = np.argsort(values, kind="stable")
        flat = flat if (np.diff(order) == 1).all() else flat.isel(_valid=order)
        return flat.rename(_valid="time").assign_coords(time=values[order]).transpose("time", ...)
    along = [name for name in da.coords if dims[0] in da[name].dims]
    bare = da.drop_vars(along)
    renamed = bare if dims[0] == "time" else bare.drop_vars("time", errors="ignore").rename({dims[0]: "time"})
    return renamed.assign_coords(time=values).transpose("time", ...)


def _valid_times(da: xr.DataArray, time: Hashable | None) -> xr.DataArray:
    """Valid times on one dimension of `da`, or on two of forecast start and step."""
    if time is not None:
        if time not in da.dims:
            raise ValueError(f"no dimension {str(time)!r} in {da.name!r}; it has {da.dims}")
        return da[time]
    if {"time", "step"} <= set(da.dims) & set(da.coords):  # the same as valid_time, and in memory
        return da["time"] + forecast_steps(da)
    if "valid_time" in da.coords and da["valid_time"].ndim:
        return da["valid_time"]
    if "time" in da.dims and "time" in da.coords:
        # forecasts without the valid time written out
        return da["time"] + forecast_steps(da) if "step" in da.coords else da["time"]
    return da[find_time(da)]


def _dates(da: xr.DataArray, stamps: xr.DataArray) -> np.ndarray:
    """The valid times as datetime64; other calendars and other values are refused with what turns them into dates."""
    if stamps.dtype.kind == "M":
        return stamps.values
    dim = str(stamps.name if stamps.name is not None else stamps.dims[0])
    first = stamps.values.ravel()[0] if stamps.size else None
    calendar = getattr(first, "calendar", None)
    if calendar in _GREGORIAN:
        return _gregorian_dates(da, stamps, dim)
    if calendar is not None:
        align = ', align_on="date"' if calendar == "360_day" else ""
        what = f"in the calendar {calendar!r}"
        cure = f'ds.convert_calendar("standard", dim={dim!r}, use_cftime=False{align})'
    elif isinstance(first, str | bytes):
        what, cure = "texts", f"ds.assign_coords({dim}=pandas.to_datetime(ds[{dim!r}].values.astype(str)))"
    elif stamps.dtype.kind in "iuf" and 19_000_000 < float(first or 0) < 22_000_000:
        what = f"numbers like {int(float(first or 0))}"
        cure = f"ds.assign_coords({dim}=pandas.to_datetime(ds[{dim!r}].values.astype(int).astype(str)))"
    else:
        what = f"{stamps.dtype}"
        units = stamps.attrs.get("units", "hours since 1900-01-01")
        cure = f"ds[{dim!r}].attrs['units'] = {units!r}; ds = xarray.decode_cf(ds)"
    raise ValueError(f"the times of {da.name!r} are {what}, not datetime64; make dates of them, {cure}")


def _gregorian_dates(da: xr.DataArray, stamps: xr.DataArray, dim: str) -> np.ndarray:
    """Dates that were counted from an early year, as years, and refused when they are in one."""
    dates = stamps.values.ravel()
    years = np.array([date.year for date in dates])
    if years.min() < 1678 or years.max() > 2261:
        raise ValueError(
            f"the times of {da.name!r} lie in the years {years.min()} to {years.max()}, where no reanalysis is; their "
            f"units are wrong, open the file with decode_times=False and correct them, "
            f"ds[{dim!r}].attrs['units'] = 'hours since 1900-01-01'; ds = xarray.decode_cf(ds)"
        )
    texts = [f"{d.year:04d}-{d.month:02d}-{d.day:02d}T{d.hour:02d}:{d.minute:02d}:{d.second:02d}" for d in dates]
    return np.array(texts, "datetime64[us]").reshape(stamps.shape)


_LEVELS = {"z": 500.0, "gh": 500.0, "r": 1000.0}  # hPa
_NEEDS_LEVEL = frozenset({"z", "gh"})


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
    """Pressure levels in hPa; numbers that are too high for the units that they have are refused."""
    units = str(level.attrs.get("units") or ("Pa" if level.name == "isobaricInPa" else "hPa"))
    named = level.astype("float64").assign_attrs(units={"millibars": "hPa", "hpa": "hPa"}.get(units, units))
    if converts(named, "hPa"):
        values = convert(named, "hPa").values
        if not (values > _HIGHEST_HPA).any():
            return values
    fits = "Pa" if level.values.max() > _HIGHEST_HPA else "hPa"
    raise ValueError(
        f"pressure levels {level.name!r} up to {level.values.max():g} with units {units!r}; "
        f'set the units, e.g. ds[{str(level.name)!r}].attrs["units"] = "{fits}"'
    )


def require_dims(da: xr.DataArray, dims: Sequence[Hashable]) -> xr.DataArray:
    """The variable on exactly these dimensions; others of one element are dropped, longer ones refused."""
    single = [dim for dim in da.dims if dim not in dims and da.sizes[dim] == 1]
    squeezed = da.isel(dict.fromkeys(single, 0), drop=True)
    extra = {str(dim): squeezed.sizes[dim] for dim in squeezed.dims if dim not in dims}
    if extra:
        cure = (
            f"combine the versions, {_combine_versions(squeezed)}"
            if "expver" in extra
            else "select one, e.g. " + ".".join(["ds", *(f"isel({dim}=0)" for dim in extra)])
        )
        raise ValueError(f"{da.name!r} has the further dimensions {extra}; {cure}")
    return squeezed.drop_vars([name for name in squeezed.coords if name not in dims]).transpose(*dims)


def _combine_versions(da: xr.DataArray) -> str:
    """The call that puts the versions of ERA5 together, the final one (1) before the early one (5)."""
    if "expver" in da.coords:
        order = sorted(da["expver"].values.tolist(), key=str)
        picked = [f"ds.sel(expver={version!r}, drop=True)" for version in order]
    else:
        picked = [f"ds.isel(expver={k}, drop=True)" for k in range(da.sizes["expver"])]
    return picked[0] + "".join(f".combine_first({other})" for other in picked[1:])
