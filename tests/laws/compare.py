"""Whether two results hold the same under the same labels, whatever their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.units import convert

# Positions among what was given, which another order changes.
POSITIONS = ("cell", "match_cell", "observed_event", "forecast_event", "event", "parent_part", "child_part")


def parts(result: Any) -> dict[str, xr.Dataset]:
    """The tables and arrays of a result by name, as Datasets."""
    if isinstance(result, xr.DataArray):
        return {"": result.rename("it").to_dataset()}
    if isinstance(result, xr.Dataset):
        return {"": result}
    if isinstance(result, pd.DataFrame):
        return {"": xr.Dataset.from_dataframe(result.reset_index()).drop_vars("index").rename(index="row")}
    if isinstance(result, dict):
        return {f"{key} {name}": one for key, value in result.items() for name, one in parts(value).items()}
    if isinstance(result, tuple):
        return {f"{k} {name}": one for k, value in enumerate(result) for name, one in parts(value).items()}
    raise TypeError(f"no law compares a {type(result).__name__}")


def canonical(ds: xr.Dataset) -> xr.Dataset:
    """In the order of the labels, or, along what has none, in the order of the rows' own values."""
    out = ds.compute().drop_vars([name for name in POSITIONS if name in ds.variables and name not in ds.dims])
    for name, variable in list(out.variables.items()):
        if variable.dtype == object and all(one is None or hasattr(one, "calendar") for one in variable.values.flat):
            flat = [np.datetime64("NaT" if one is None else one.isoformat(), "ns") for one in variable.values.flat]
            out = out.assign_coords({name: (variable.dims, np.array(flat).reshape(variable.shape))})
        elif variable.dtype.kind == "M":
            out = out.assign_coords({name: (variable.dims, variable.values.astype("datetime64[ns]"))})
    for dim in sorted(map(str, out.dims)):
        out = out.sortby(dim) if dim in out.indexes else out.isel({dim: rows(out, dim)})
    return out


def rows(ds: xr.Dataset, dim: str) -> np.ndarray:
    """The order of rows by what stands in them: words, numbers and dates first, measured values last."""
    columns = [v for _, v in sorted(ds.variables.items(), key=lambda pair: str(pair[0])) if v.dims == (dim,)]
    exact = [v.values for v in columns if v.dtype.kind != "f"]
    measured = [np.round(v.values, 5) for v in columns if v.dtype.kind == "f"]
    keys = [np.unique(v.astype(str) if v.dtype == object else v, return_inverse=True)[1] for v in exact + measured]
    return np.lexsort(keys[::-1]) if keys else np.arange(ds.sizes[dim])


def differences(expected: Any, found: Any, tolerance: float, ignored: tuple[str, ...] = ()) -> list[str]:
    """What differs, in words."""
    if isinstance(expected, str) or isinstance(found, str):
        return [] if expected == found else [f"{str(found)[:200]}"]
    ours, theirs = parts(expected), parts(found)
    if set(ours) != set(theirs):
        return [f"parts {sorted(ours)} became {sorted(theirs)}"]
    told = []
    for name in ours:
        a, b = canonical(ours[name]), canonical(theirs[name])
        extra = [one for one in b.variables if one not in a.variables and not str(one).startswith("series_")]
        told += [f"{one} is new" for one in extra if one not in ignored]
        for one in a.variables:
            if one not in b.variables:
                told.append(f"{one} is gone")
            elif problem := unlike(a[one], b[one], tolerance):
                told.append(f"{one}: {problem}")
    return told


def unlike(a: xr.DataArray, b: xr.DataArray, tolerance: float) -> str:
    """Empty when both are alike."""
    if set(a.dims) != set(b.dims):
        return f"dims {a.dims} became {b.dims}"
    units = [one.attrs.get("units") for one in (a, b)]
    if units[0] != units[1] and None not in units:
        b = convert(b, units[0])
    x, y = a.variable.values, b.variable.transpose(*a.dims).values
    if x.shape != y.shape:
        return f"shape {x.shape} became {y.shape}"
    if a.dtype.kind in "fc" and b.dtype.kind in "fiu":
        scale = np.nanmax(np.abs(x), initial=0.0) if np.isfinite(x).any() else 0.0
        near = np.isclose(x, y, rtol=tolerance, atol=max(tolerance * min(scale, 1e6), 1e-30), equal_nan=True)
        return "" if near.all() else f"{int((~near).sum())} of {x.size} differ, e.g. {x[~near][0]} became {y[~near][0]}"
    if a.dtype.kind in "mM" and b.dtype.kind in "mM":
        return (
            ""
            if ((x == y) | (np.isnat(x) & np.isnat(y))).all()
            else f"dates differ, e.g. {x.ravel()[:2]}, {y.ravel()[:2]}"
        )
    same = x.astype(str) == y.astype(str) if x.dtype == object or y.dtype == object else x == y
    return "" if np.all(same) else f"{int(np.sum(~np.asarray(same)))} of {x.size} differ"
