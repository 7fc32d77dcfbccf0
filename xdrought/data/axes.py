"""Latitude, longitude and time of data: by the names given, else by usual names, else by their CF attributes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import xarray as xr

LATITUDES = ("lat", "latitude")
LONGITUDES = ("lon", "longitude")


def find_axis(
    obj: xr.Dataset | xr.DataArray, names: Sequence[str], kind: str, given: Hashable | None = None
) -> Hashable:
    """Which dimension is latitude, longitude or time.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Whose dimensions are looked at; values never are.
    names : sequence of str
        What the dimension is usually called.
    kind : {"latitude", "longitude", "time"}
        What CF attributes (``standard_name``, ``units``, ``axis``) call it, looked at when no usual name is there.
    given : hashable, optional
        The name, when the caller knows it.

    Raises
    ------
    ValueError
        The name given is no dimension; none or several dimensions could be meant.
    """
    keyword = {"latitude": "lat", "longitude": "lon"}.get(kind, kind)
    if given is not None:
        if given not in obj.dims:
            raise ValueError(f"no dimension {str(given)!r} for {keyword}=; it has {tuple(map(str, obj.dims))}")
        return given
    found: list[Hashable] = [name for name in names if name in obj.dims] or cf_dimensions(obj, kind)
    if len(found) != 1:
        raise ValueError(
            f"expected one dimension called {' or '.join(names)}, or with the CF attributes of {kind}, found "
            f"{[str(name) for name in found] or 'none'} among {tuple(map(str, obj.dims))}; name it with "
            f"{keyword}=... (a regular latitude-longitude grid is needed: regrid another one)"
        )
    return found[0]


def find_time(da: xr.DataArray) -> Hashable:
    """The dimension of time, by its CF attributes."""
    found = cf_dimensions(da, "time")
    if len(found) != 1:
        raise ValueError(
            f"{da.name!r} has no time coordinate ('valid_time' or 'time'); it has the dimensions {da.dims}. "
            f"Name another one with time=..."
        )
    return found[0]


def cf_dimensions(obj: xr.Dataset | xr.DataArray, kind: str) -> list[Hashable]:
    """Dimensions whose own coordinate has the CF attributes of latitude, longitude or time."""
    import cf_xarray  # noqa: F401  (registers .cf)

    axis = {"latitude": "Y", "longitude": "X", "time": "T"}[kind]
    named = [*obj.cf.coordinates.get(kind, []), *(obj.cf.axes.get(axis, []) if kind == "time" else [])]
    return [name for name in dict.fromkeys(named) if obj[name].dims == (name,)]
