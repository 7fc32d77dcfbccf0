"""What the caller calls sites, latitudes, longitudes and days: given, or found by CF attributes, never by values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd
import xarray as xr

from xdrought.windows.selection import GRID, SITE

_Labelled = TypeVar("_Labelled", xr.Dataset, xr.DataArray)
LAT, LON = GRID


@dataclass(frozen=True)
class DimensionNames:
    """The caller's names, and the levels of a stacked dimension of sites."""

    site: Hashable = SITE
    lat: Hashable = LAT
    lon: Hashable = LON
    levels: tuple[Hashable, ...] = ()

    def to_ours(self, obj: _Labelled) -> _Labelled:
        """`obj` with our names; a stacked dimension gets labels of text, and keeps its levels as coordinates."""
        if self.levels and self.site in obj.indexes and isinstance(obj.indexes[self.site], pd.MultiIndex):
            labels = [", ".join(map(str, levels)) for levels in obj.indexes[self.site]]
            obj = obj.reset_index(self.site).assign_coords({self.site: labels})
        return _renamed(obj, {self.site: SITE, self.lat: LAT, self.lon: LON})

    def to_theirs(self, obj: _Labelled) -> _Labelled:
        """`obj` with the caller's names, and with the sites stacked as they were."""
        if self.levels and SITE in obj.dims and set(self.levels) <= set(obj.coords):
            levels: dict[Any, Any] = {SITE: list(self.levels)}
            obj = obj.drop_vars(SITE, errors="ignore").set_index(levels)
        return _renamed(obj, {SITE: self.site, LAT: self.lat, LON: self.lon})

    def stored(self) -> dict[str, str]:
        """The names that differ from ours, for the settings of a forecaster."""
        given = {"site": self.site, "lat": self.lat, "lon": self.lon}
        return {f"{ours}_name": str(theirs) for ours, theirs in given.items() if theirs != ours}


def dimension_names(
    ds: xr.Dataset, site: Hashable | None = None, lat: Hashable | None = None, lon: Hashable | None = None
) -> DimensionNames:
    """The names in `ds`: those given, else ours where they are there, else what CF attributes say.

    Raises
    ------
    ValueError
        For a name that is not in `ds`, or where several coordinates have the CF attributes.
    """
    if not isinstance(ds, xr.Dataset):
        return DimensionNames()
    found = {
        "site": _name(ds, site, SITE, "site", ("cf_roles", "timeseries_id")),
        "lat": _name(ds, lat, LAT, "lat", ("coordinates", "latitude")),
        "lon": _name(ds, lon, LON, "lon", ("coordinates", "longitude")),
    }
    index = ds.indexes.get(found["site"])
    return DimensionNames(**found, levels=tuple(index.names) if isinstance(index, pd.MultiIndex) else ())


def time_name(ds: xr.Dataset, time: Hashable) -> Hashable:
    """`time`, or where no dimension is called so, the one dimension whose CF attributes say that it is time."""
    if not isinstance(ds, xr.Dataset) or time in ds.dims or time != "time":
        return time
    dims = [name for name in _by_attributes(ds, "coordinates", "time") if name in ds.dims]
    return dims[0] if len(dims) == 1 else time


def known_names(ds: xr.Dataset, settings: Mapping[str, Any], **given: Hashable | None) -> DimensionNames:
    """The names given, else those of the training where they are in `ds`, else as :func:`dimension_names`."""
    if isinstance(ds, xr.Dataset):
        stored = {key: settings.get(f"{key}_name") for key in given}
        there = {key: name for key, name in stored.items() if name in ds.dims or name in ds.coords}
        given = {key: name if name is not None else there.get(key) for key, name in given.items()}
    return dimension_names(ds, **given)


def _name(ds: xr.Dataset, given: Hashable | None, ours: str, keyword: str, attribute: tuple[str, str]) -> Hashable:
    if given is not None:
        if given not in ds.dims and given not in ds.coords:
            raise ValueError(f"{keyword}={given!r} is no dimension or coordinate; the Dataset has {list(ds.sizes)}")
        return given
    if ours in ds.dims or ours in ds.coords:
        return ours
    names = _by_attributes(ds, *attribute)
    if len(names) > 1:
        raise ValueError(f"{names} are all {attribute[1]} by their CF attributes; name one with {keyword}=")
    return names[0] if names else ours


def _by_attributes(ds: xr.Dataset, kind: str, key: str) -> list[Hashable]:
    """Coordinates with the CF attributes of `key`."""
    import cf_xarray  # noqa: F401  # registers .cf

    return [name for name in getattr(ds.cf, kind).get(key, []) if name in ds.coords]


def _renamed(obj: _Labelled, names: dict[Hashable, Hashable]) -> _Labelled:
    there = {a: b for a, b in names.items() if a != b and (a in obj.dims or a in obj.coords)}
    taken = [b for b in there.values() if b in obj.dims or b in obj.coords]
    if taken:
        raise ValueError(
            f"{taken} is in the data beside {[a for a, b in there.items() if b in taken]}; drop or rename it"
        )
    return obj.rename(there)
