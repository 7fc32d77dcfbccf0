"""One layout of what archives ship: each variable on (init_time, step[, member], places), whatever its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars
from xdrought.data.era5.fields import at_level, level_dim
from xdrought.data.era5.names import ALIASES
from xdrought.data.forecast_days import STEP
from xdrought.data.grid_axes import standard_grid

INIT, LEAD, MEMBER = "init_time", "lead_time", "member"
_INITS = (INIT, "forecast_reference_time", "initial_time", "hdate", "time")
_LEADS = (LEAD, "prediction_timedelta", STEP, "forecast_period", "leadtime", "lead")
_MEMBERS = (MEMBER, "number", "realization", "ensemble", "ensemble_member", "sample")
# Names of forecasts beside those of the reanalysis.
_NAMES: dict[str, tuple[str, ...]] = {
    "mx2t": ("mx2t3", "mx2t6", "mx2t24", "tmax"),
    "mn2t": ("mn2t", "mn2t3", "mn2t6", "mn2t24", "tmin", "minimum_2m_temperature_since_previous_post_processing"),
    "tp": ("total_precipitation_6hr", "total_precipitation_24hr", "tp06", "apcp"),
    "u10": ("u10m",),
    "v10": ("v10m",),
    "ssr": ("ssr", "surface_net_solar_radiation"),
    "ssrd": ("ssrd", "surface_solar_radiation_downwards"),
    "str": ("str", "surface_net_thermal_radiation"),
    "strd": ("strd", "surface_thermal_radiation_downwards"),
}
_SHORT = {name: short for table in (ALIASES, _NAMES) for short, names in table.items() for name in (short, *names)}


def laid_out(ds: xr.Dataset) -> xr.Dataset:
    """A part on (init_time, step[, member], places), steps in hours."""
    lead = next((name for name in _LEADS if name in ds.coords), None)
    if lead is None and "forecast_reference_time" in ds.coords and not ds["forecast_reference_time"].ndim:
        # CF: the run is one number, the times are those that the values are valid at
        ds = ds.assign_coords({STEP: ds["time"] - ds["forecast_reference_time"]}).swap_dims(time=STEP).drop_vars("time")
        lead = STEP
    init = next((name for name in _INITS if name in ds.coords and ds[name].dtype.kind == "M"), None)
    for role, found, names in (("the start of the run", init, _INITS), ("the lead time", lead, _LEADS)):
        if found is None:
            raise ValueError(
                f"no coordinate holds {role} among {list(ds.coords)}; name it, e.g. ds.rename(my_name={names[0]!r}), "
                f"or ds.expand_dims({names[0]}=[...]) when the file has one"
            )
    member = next((name for name in _MEMBERS if name in ds.coords), None)
    named = {init: INIT, lead: STEP} | ({member: MEMBER} if member else {})
    kept = {*named, *(dim for dim in ds.dims), *(name for name in ds.coords if level_dim(ds[name]) == name)}
    bare = ds.drop_vars([name for name in ds.coords if name not in kept])
    for name in named:
        bare = bare if name in bare.dims else bare.expand_dims(name)  # type: ignore[arg-type]
    out = bare.rename({old: new for old, new in named.items() if old != new})  # type: ignore[arg-type]
    hours = calendars.spans_in_days(out[STEP]) * 24
    _require_growing(out.indexes[INIT], "runs", INIT)
    out = out.assign_coords({STEP: np.round(hours, 6)})
    _require_growing(out.indexes[STEP], "steps", STEP)
    has_grid = any(name in out.dims for name in ("lat", "latitude", "lon", "longitude"))
    return standard_grid(out) if has_grid else out


def _require_growing(index: pd.Index, what: str, dim: str) -> None:
    if index.hasnans:
        raise ValueError(f"some {what} are missing (NaT); drop them, ds.isel({dim}=ds[{dim!r}].notnull().values)")
    if not (index.is_monotonic_increasing and index.is_unique):
        raise ValueError(f"the {what} are not sorted or repeat; use ds.sortby({dim!r}), .drop_duplicates({dim!r})")


def fields_of(parts: Sequence[xr.Dataset], needed: set[str], units: Mapping[str, str]) -> dict[str, list[xr.DataArray]]:
    """Short name to its pieces."""
    result: dict[str, list[xr.DataArray]] = {}
    for part in parts:
        for name, da in part.data_vars.items():
            short = _SHORT.get(str(name))
            if short not in needed:
                continue
            level = level_dim(da)
            if level is not None and short in ("z", "gh"):
                at = at_level(da, 500.0)
                if at is None:
                    continue
                da = at
            elif short in ("z", "gh"):  # that of the surface, as far as anyone can tell
                continue
            elif level is not None:
                da = da.isel({level: 0}, drop=True) if level in da.dims else da.drop_vars(level)
            if "units" not in da.attrs and str(name) in units:
                da = da.assign_attrs(units=units[str(name)])
            result.setdefault(short, []).append(da.rename(name))
    return result


def joined_pieces(pieces: list[xr.DataArray], short: str) -> xr.DataArray:
    """The pieces of a variable as one, each run with each member and step."""
    dims = [dim for dim in (INIT, STEP, MEMBER) if any(dim in da.dims for da in pieces)]
    if any(dim not in da.dims for da in pieces for dim in dims):
        raise ValueError(f"some parts of {short!r} have members and some have none; give each its number")
    if len(pieces) > 1:
        _require_full(pieces, short, dims)
    joined = list(pieces)
    for dim in (STEP, MEMBER, INIT) * 2:
        if dim not in dims:
            continue
        groups: dict[Any, list[xr.DataArray]] = {}
        for da in joined:
            others = tuple(tuple(da.indexes[other]) for other in dims if other != dim)
            groups.setdefault(others, []).append(da)
        try:
            joined = [
                xr.concat(several, dim, join="exact", combine_attrs="drop_conflicts").sortby(dim)
                if len(several) > 1
                else several[0]
                for several in groups.values()
            ]
        except ValueError as error:
            raise ValueError(
                f"the parts of {short!r} are not on one grid ({error}); give one grid at a time"
            ) from error
    if len(joined) > 1:
        raise ValueError(f"the parts of {short!r} cannot be put side by side; give whole runs, or whole steps, in each")
    return joined[0]


def _require_full(pieces: list[xr.DataArray], short: str, dims: list[str]) -> None:
    """Raise where a run lacks a member or a step that others have, or has it twice."""
    labels = [pd.Index(np.unique(np.concatenate([da.indexes[dim] for da in pieces]))) for dim in dims]
    count = np.zeros([index.size for index in labels], np.int16)
    for da in pieces:
        count[np.ix_(*(index.get_indexer(da.indexes[dim]) for index, dim in zip(labels, dims, strict=True)))] += 1
    for wrong, text, cure in (
        (count == 0, "lack", "add the files that hold them, or leave the others out"),
        (count > 1, "hold more than once", "give each file once"),
    ):
        if wrong.any():
            first = np.argwhere(wrong)[0]
            where = ", ".join(
                f"{dim} {index[at]:g} h" if dim == STEP else f"{dim} {index[at]}"
                for dim, index, at in zip(dims, labels, first, strict=True)
            )
            raise ValueError(f"the parts {text} {int(wrong.sum())} fields of {short!r}, first {where}; {cure}")
