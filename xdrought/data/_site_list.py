"""Sites from a Dataset or a table, checked: a name and a place each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

_SHOWN = 8


def site_coords(sites: xr.Dataset | pd.DataFrame, caller: str) -> xr.Dataset:
    """A Dataset of coordinates only: ``site``, ``lat``, ``lon`` and whatever else is known on site."""
    if isinstance(sites, pd.DataFrame):
        table = sites if sites.index.name == "site" else sites.set_index("site") if "site" in sites else None
        if table is None:
            raise ValueError(
                f"{caller}: the table of sites has no column 'site'; it has {list(map(str, sites.columns))}"
            )
        known = {str(name): ("site", _plain(table[name])) for name in table.columns}
        coords = xr.Dataset(coords={"site": table.index.astype(str).to_numpy(dtype="U"), **known})
    elif isinstance(sites, xr.Dataset):
        if "site" not in sites.dims or "site" not in sites.coords:
            raise ValueError(
                f"{caller}: the sites have no dimension and coordinate 'site'; they have {dict(sites.sizes)}"
            )
        wanted = [name for name in ("lat", "lon") if name in sites.data_vars]
        names = [name for name in sites.set_coords(wanted).coords if sites[name].dims == ("site",)]
        coords = xr.Dataset(coords={name: sites[name].variable for name in names})
    else:
        raise TypeError(f"{caller}: sites must be a Dataset or a DataFrame, got {type(sites).__name__}")
    _check(coords, caller)
    return coords


def name_some(names: np.ndarray) -> str:
    """The first names of many, for an error text."""
    shown = ", ".join(str(name) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _plain(column: pd.Series) -> np.ndarray:
    values = column.to_numpy()
    return values if values.dtype.kind in "fiubM" else column.astype(str).to_numpy(dtype="U")


def _check(coords: xr.Dataset, caller: str) -> None:
    absent = [name for name in ("lat", "lon") if name not in coords]
    if absent:
        raise ValueError(f"{caller}: the sites have no {absent} on 'site'; they have {list(map(str, coords.coords))}")
    names = coords["site"].values
    if not names.size:
        raise ValueError(f"{caller}: no sites were given")
    index = pd.Index(names)
    if index.has_duplicates:
        raise ValueError(f"{caller}: sites given more than once: {name_some(index[index.duplicated()].unique())}")
    for name, low, high in (("lat", -90.0, 90.0), ("lon", -180.0, 360.0)):
        if coords[name].dtype.kind not in "fiu":
            raise ValueError(f"{caller}: {name!r} of the sites holds {coords[name].dtype}, not degrees")
        values = coords[name].values.astype("float64")
        wrong = ~((values >= low) & (values <= high))
        if wrong.any():
            raise ValueError(
                f"{caller}: {name!r} is missing or outside {low:g} to {high:g} degrees at {name_some(names[wrong])}"
            )
