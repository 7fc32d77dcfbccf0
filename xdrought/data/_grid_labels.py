"""Latitudes and longitudes of regular grids in one convention; values always move with their labels."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

LATITUDES = ("lat", "latitude")
LONGITUDES = ("lon", "longitude")
LAT_ATTRS = {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"}
LON_ATTRS = {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"}


def exact_labels(labels: np.ndarray) -> np.ndarray:
    """Labels as float64 without noise: 350.1 for its float32 (350.10001) and for 350.10000000000095.

    Files of one grid then have the same labels; 1e-8 degree is about a millimetre.
    """
    decimals = labels.astype(str) if labels.dtype == np.float32 else labels
    return np.round(decimals.astype("float64"), 8)


def wrap_longitude(lon: np.ndarray) -> np.ndarray:
    """Longitudes of either convention in [-180, 180); those already there are as they were."""
    wrapped = lon - 360.0 * np.floor((lon + 180.0) / 360.0)
    # Rounding takes away what the subtraction added (350.1 - 360 is -9.899999999999977).
    return np.where((lon >= -180.0) & (lon < 180.0), lon, np.round(wrapped, 8))


def grid_labels(ds: xr.Dataset, dim: Hashable, caller: str, limits: tuple[float, float]) -> np.ndarray:
    """The labels of a horizontal dimension as float64, checked."""
    if dim not in ds.dims or dim not in ds.indexes:
        raise ValueError(
            f"{caller}: no 1-D coordinate {str(dim)!r} with a dimension of its own; the dimensions are "
            f"{tuple(map(str, ds.dims))}. A regular latitude-longitude grid is needed: rename its "
            f"dimensions, or regrid"
        )
    found = ds.indexes[dim].to_numpy()
    if found.dtype.kind not in "fiu":
        raise ValueError(f"{caller}: coordinate {str(dim)!r} holds {found.dtype}, not degrees")
    labels = exact_labels(found)
    low, high = limits
    if not ((labels >= low) & (labels <= high)).all():
        raise ValueError(
            f"{caller}: coordinate {str(dim)!r} runs from {labels.min():g} to {labels.max():g}; "
            f"expected degrees within {low:g} to {high:g}"
        )
    return labels


def require_distinct(labels: np.ndarray, dim: Hashable, caller: str) -> None:
    """Raise when a row or column occurs twice, as 0 and 360 degrees do."""
    values, counts = np.unique(labels, return_counts=True)
    if (counts > 1).any():
        twice = ", ".join(f"{value:g}" for value in values[counts > 1][:3])
        raise ValueError(
            f"{caller}: {str(dim)!r} names the same place more than once ({twice} degrees; -180 and 180, or "
            f"0 and "
            f"360, are one meridian); keep one, e.g. with .isel({dim}=slice(0, -1))"
        )


def find_axis(ds: xr.Dataset, names: tuple[str, ...], caller: str) -> str:
    """Which of `names` is a dimension of `ds`."""
    found = [name for name in names if name in ds.dims]
    if len(found) != 1:
        raise ValueError(
            f"{caller}: expected one dimension called {' or '.join(names)}, found {found or 'none'} among "
            f"{tuple(map(str, ds.dims))}; a regular latitude-longitude grid is needed: rename its "
            f"dimensions, or regrid"
        )
    return found[0]


def standard_grid(ds: xr.Dataset, caller: str) -> xr.Dataset:
    """The same cells on ``lat`` from north to south and ``lon`` from -180 to below 180, west to east; lazy.

    Labels are wrapped first, then values and labels are sorted together, so that no value changes its place.
    """
    lat_name, lon_name = find_axis(ds, LATITUDES, caller), find_axis(ds, LONGITUDES, caller)
    lat = grid_labels(ds, lat_name, caller, (-90.0, 90.0))
    lon = wrap_longitude(grid_labels(ds, lon_name, caller, (-180.0, 360.0)))
    require_distinct(lat, lat_name, caller)
    require_distinct(lon, lon_name, caller)
    named = ds.rename({old: new for old, new in ((lat_name, "lat"), (lon_name, "lon")) if old != new})
    labelled = named.assign_coords(lat=("lat", lat, LAT_ATTRS), lon=("lon", lon, LON_ATTRS))
    return _reorder(_reorder(labelled, "lat", np.argsort(-lat)), "lon", np.argsort(lon))


def _reorder(ds: xr.Dataset, dim: str, order: np.ndarray) -> xr.Dataset:
    return ds if (np.diff(order) == 1).all() else ds.isel({dim: order})
