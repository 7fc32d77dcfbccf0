"""The same data, given in another way; and data that are wrong, which must be refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dask.array
import numpy as np
import xarray as xr

Labelled = xr.DataArray | xr.Dataset


@dataclass(frozen=True)
class Transformation:
    """How one array is given; None where it does not concern the array."""

    apply: Callable[[Labelled], Labelled | None]
    names: dict[str, str] = field(default_factory=dict)  # dimensions that are called otherwise
    single: bool = False  # to the rounding of float32
    refused: bool = False  # must be refused, or give the same


def turned(one: Labelled, dims: tuple[str, ...] = ("site", "lat", "lon")) -> Labelled | None:
    there = [dim for dim in dims if dim in one.dims and dim in one.indexes]
    return one.isel({dim: slice(None, None, -1) for dim in there}) if there else None


def shuffled_days(one: Labelled) -> Labelled | None:
    if "time" not in one.indexes or one.sizes["time"] < 3:
        return None
    return one.isel(time=np.random.default_rng(0).permutation(one.sizes["time"]))


def rows_turned(one: Labelled) -> Labelled | None:
    return one.isel(event=slice(None, None, -1)) if "event" in one.dims else None


def transposed(one: Labelled) -> Labelled | None:
    return one.transpose(*reversed(list(one.dims))) if len(one.dims) > 1 else None


def chunked(one: Labelled) -> Labelled | None:
    if "event" in one.dims or "time" not in one.dims:
        return None
    return one.chunk({dim: -1 if dim not in ("site",) else 2 for dim in one.dims})


def single(one: Labelled) -> Labelled | None:
    if isinstance(one, xr.Dataset):
        floats = {name: da.astype("float32", keep_attrs=True) for name, da in one.items() if da.dtype == "float64"}
        return one.assign(floats) if floats else None
    return one.astype("float32", keep_attrs=True) if one.dtype == "float64" else None


def single_places(one: Labelled) -> Labelled | None:
    """Latitudes and longitudes as files hold them."""
    there = [name for name in ("lat", "lon") if name in one.coords and one[name].dtype == "float64"]
    return one.assign_coords({name: one[name].astype("float32") for name in there}) if there else None


def renamed(one: Labelled) -> Labelled | None:
    return one.rename(time="day") if "time" in one.dims else None


def packed(one: Labelled) -> Labelled:
    """Decoded numbers that remember how their file packed them."""
    out = one.copy()
    variables = out.data_vars.values() if isinstance(out, xr.Dataset) else [out]
    for da in variables:
        if da.dtype.kind == "f":
            da.encoding = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 273.0, "_FillValue": -32767}
    return out


def with_coords(names: list[str]) -> Callable[[Labelled], Labelled]:
    """Further coordinates, called as the results are."""

    def apply(one: Labelled) -> Labelled:
        taken = {*one.coords, *one.dims, *getattr(one, "data_vars", ()), getattr(one, "name", None)}
        free = [name for name in names if name not in taken]
        more: dict[str, Any] = dict.fromkeys(free[::2], 5.0)
        if "site" in one.dims:
            more |= {name: ("site", np.arange(one.sizes["site"]) + 0.5) for name in free[1::2]}
        return one.assign_coords(more)

    return apply


def in_seconds(one: Labelled) -> Labelled | None:
    """Dates of another resolution."""
    dated = (
        [n for n, c in one.variables.items() if c.dtype.kind == "M"]
        if isinstance(one, xr.Dataset)
        else [n for n, c in one.coords.items() if c.dtype.kind == "M"]
    )
    if not dated:
        return None
    if isinstance(one, xr.Dataset):
        return one.assign({n: one[n].astype("datetime64[s]") for n in dated if n in one.data_vars}).assign_coords(
            {n: one[n].astype("datetime64[s]") for n in dated if n in one.coords}
        )
    return one.assign_coords({n: one[n].astype("datetime64[s]") for n in dated})


def cftime(one: Labelled) -> Labelled | None:
    """Dates of the standard calendar as cftime holds them."""
    if "time" not in one.indexes or "event" in one.dims:
        return None
    return one.convert_calendar("standard", use_cftime=True)


def noon(one: Labelled) -> Labelled | None:
    """Days stamped at noon."""
    if "time" not in one.indexes:
        return None
    return one.assign_coords(time=one.indexes["time"] + np.timedelta64(12, "h"))


def numbered_sites(one: Labelled) -> Labelled | None:
    """Sites by number instead of name, in another order."""
    if "site" in one.indexes:
        return one.assign_coords(site=np.arange(one.sizes["site"])[::-1])
    return None


def percent(one: Labelled) -> Labelled | None:
    """Soil moisture in per cent."""
    if isinstance(one, xr.Dataset):
        if "soil_moisture" not in one:
            return None
        return one.assign(soil_moisture=percent(one["soil_moisture"]))
    if one.attrs.get("units") != "m3 m-3" or one.dtype.kind != "f" or "event" in one.dims:
        return None
    return (100 * one).assign_attrs(one.attrs, units="%")


def coded(code: float) -> Callable[[Labelled], Labelled | None]:
    """A missing code left as a number."""

    def apply(one: Labelled) -> Labelled | None:
        if isinstance(one, xr.Dataset):
            if "event" in one.dims or "time" not in one.dims:
                return None
            names = [n for n, da in one.items() if da.dtype.kind == "f" and "time" in da.dims]
            name = "soil_moisture" if "soil_moisture" in names else next(iter(names), None)
            return None if name is None else one.assign({name: apply(one[name])})
        if one.dtype.kind != "f" or "time" not in one.dims:
            return None
        out = one.copy(deep=True)
        out.loc[{"time": one.time[1:5]}] = code
        return out

    return apply


def emptied(one: Labelled) -> Labelled | None:
    """No number left, as after a mask of other labels or a variable that a file does not fill."""
    if isinstance(one, xr.Dataset):
        floats = {name: emptied(da) for name, da in one.items() if da.dtype.kind == "f"}
        return one.assign(floats) if floats else None
    return one.where(False).assign_attrs(one.attrs) if one.dtype.kind == "f" else None


def infinite(one: Labelled) -> Labelled | None:
    """Infinite where a value is missing, as a division by zero leaves it."""
    if isinstance(one, xr.Dataset):
        floats = {name: infinite(da) for name, da in one.items() if da.dtype.kind == "f"}
        return one.assign(floats) if floats else None
    return one.copy(data=np.where(np.isnan(one), np.inf, one)) if one.dtype.kind == "f" else None


def extended(one: Labelled) -> Labelled | None:
    """Numbers of extended precision, which compiled code does not take."""
    if isinstance(one, xr.Dataset):
        floats = {name: extended(da) for name, da in one.items() if da.dtype.kind == "f"}
        return one.assign(floats) if floats else None
    return one.astype("longdouble", keep_attrs=True) if one.dtype.kind == "f" else None


def mask_as_numbers(one: Labelled) -> Labelled | None:
    """A mask that lost its type, 1 and missing, as ``da.where(da)`` leaves it."""
    return one.where(one) if isinstance(one, xr.DataArray) and one.dtype == bool else None


def labelled_rows_missing(one: Labelled) -> Labelled | None:
    """One row alone, which does not serve all."""
    if "site" in one.indexes and one.sizes["site"] > 1 and "event" not in one.dims:
        return one.isel(site=[0])
    return None


def twice(one: Labelled) -> Labelled | None:
    """A label that stands twice."""
    if "site" in one.indexes and one.sizes["site"] > 2 and "event" not in one.dims:
        return one.isel(site=[0, *range(one.sizes["site"])])
    return None


SAME = {
    "turned": Transformation(turned),
    "days in any order": Transformation(shuffled_days),
    "rows turned": Transformation(rows_turned),
    "transposed": Transformation(transposed),
    "chunked": Transformation(chunked),
    "single": Transformation(single, single=True),
    "single places": Transformation(single_places, single=True),
    "renamed": Transformation(renamed, names={"time": "day"}),
    "packed": Transformation(packed),
    "in seconds": Transformation(in_seconds),
    "cftime": Transformation(cftime),
    "percent": Transformation(percent),
    "infinite": Transformation(infinite),
    "extended": Transformation(extended),
}
# Given to one of several inputs only: the same, or refused.
ALONE = {
    **{name: SAME[name] for name in ("turned", "rows turned", "transposed", "chunked", "in seconds", "cftime")},
    **{name: SAME[name] for name in ("single places", "days in any order", "percent")},
    "mask as numbers": Transformation(mask_as_numbers),
    "noon": Transformation(noon),
    "numbered sites": Transformation(numbered_sites),
    "one row": Transformation(labelled_rows_missing),
    "twice": Transformation(twice),
}
WRONG = {f"{code:g}": Transformation(coded(code)) for code in (-9999.0, 1e20, 9.96921e36)}


def third_label_twice(one: Labelled, dim: str) -> Labelled | None:
    """The third label along a dimension stands twice; None where the dimension has no labels."""
    if dim not in one.indexes or one.sizes[dim] < 3:
        return None
    return one.isel({dim: [0, 1, 2, 2, *range(3, one.sizes[dim])]})


def of_unknown_size(one: Labelled) -> Labelled | None:
    """A dask array that was selected by values along one dimension, so that its length is not known; None without."""
    dim = next((dim for dim in ("site", "lat", "lon", "time") if dim in one.dims), None)
    if dim is None:
        return None
    whole = one.drop_vars([name for name in one.coords if dim in one[name].dims])
    if isinstance(whole, xr.DataArray):
        return xr.DataArray(_selected(whole, dim), dims=whole.dims, coords=whole.coords, name=one.name, attrs=one.attrs)
    first = next((name for name, da in whole.items() if dim in da.dims), None)
    if first is None or sum(dim in da.dims for da in whole.data_vars.values()) > 1:
        return None  # xarray itself refuses two of them in a Dataset
    return whole.assign({first: (whole[first].dims, _selected(whole[first], dim), whole[first].attrs)})


def _selected(da: xr.DataArray, dim: str) -> dask.array.Array:
    """All values along a dimension, as dask selects them by a mask."""
    at = da.get_axis_num(dim)
    return dask.array.from_array(da.to_numpy())[(slice(None),) * at + (dask.array.ones(da.sizes[dim], dtype=bool),)]
