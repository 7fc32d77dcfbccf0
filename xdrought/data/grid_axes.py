"""Latitude, longitude and time of data: which dimensions they are, their labels, and the cells of patches."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from xdrought.public_functions import public

LATITUDES = ("lat", "latitude")
LONGITUDES = ("lon", "longitude")
PATCH = ("patch_lat", "patch_lon")


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
    result: list[Hashable] = [name for name in names if name in obj.dims] or cf_dimensions(obj, kind)
    if len(result) != 1:
        raise ValueError(
            f"expected one dimension called {' or '.join(names)}, or with the CF attributes of {kind}, found "
            f"{[str(name) for name in result] or 'none'} among {tuple(map(str, obj.dims))}; name it with "
            f"{keyword}=... (a regular latitude-longitude grid is needed: regrid another one)"
        )
    return result[0]


def find_time(da: xr.DataArray) -> Hashable:
    """The dimension of time, by its CF attributes."""
    result = cf_dimensions(da, "time")
    if len(result) != 1:
        raise ValueError(
            f"{da.name!r} has no time coordinate ('valid_time' or 'time'); it has the dimensions {da.dims}. "
            f"Name another one with time=..."
        )
    return result[0]


def cf_dimensions(obj: xr.Dataset | xr.DataArray, kind: str) -> list[Hashable]:
    """Dimensions whose own coordinate has the CF attributes of latitude, longitude or time."""
    import cf_xarray  # noqa: F401  (registers .cf)

    axis = {"latitude": "Y", "longitude": "X", "time": "T"}[kind]
    named = [*obj.cf.coordinates.get(kind, []), *(obj.cf.axes.get(axis, []) if kind == "time" else [])]
    return [name for name in dict.fromkeys(named) if obj[name].dims == (name,)]


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


def grid_labels(ds: xr.Dataset, dim: Hashable, limits: tuple[float, float]) -> np.ndarray:
    """The labels of a horizontal dimension as float64, checked."""
    if dim not in ds.dims or dim not in ds.indexes:
        raise ValueError(
            f"no 1-D coordinate {str(dim)!r} with a dimension of its own; the dimensions are "
            f"{tuple(map(str, ds.dims))}. A regular latitude-longitude grid is needed: rename its "
            f"dimensions, or regrid"
        )
    found = ds.indexes[dim].to_numpy()
    if found.dtype.kind not in "fiu":
        raise ValueError(f"coordinate {str(dim)!r} holds {found.dtype}, not degrees")
    labels = exact_labels(found)
    low, high = limits
    if not ((labels >= low) & (labels <= high)).all():
        raise ValueError(
            f"coordinate {str(dim)!r} runs from {labels.min():g} to {labels.max():g}; "
            f"expected degrees within {low:g} to {high:g}"
        )
    return labels


def require_distinct(labels: np.ndarray, dim: Hashable) -> None:
    """Raise when a row or column occurs twice, as 0 and 360 degrees do."""
    values, counts = np.unique(labels, return_counts=True)
    if (counts > 1).any():
        twice = ", ".join(f"{value:g}" for value in values[counts > 1][:3])
        raise ValueError(
            f"{str(dim)!r} names the same place more than once ({twice} degrees; -180 and 180, or 0 and 360, are one "
            f"meridian); keep one, e.g. with .isel({dim}=slice(0, -1))"
        )


def standard_grid(ds: xr.Dataset, lat: Hashable | None = None, lon: Hashable | None = None) -> xr.Dataset:
    """The same cells on ``lat`` from north to south and ``lon`` from -180 to below 180, west to east; lazy.

    Labels are wrapped first, then values and labels are sorted together, so that no value changes its place.
    """
    lat_name = find_axis(ds, LATITUDES, "latitude", lat)
    lon_name = find_axis(ds, LONGITUDES, "longitude", lon)
    rows = grid_labels(ds, lat_name, (-90.0, 90.0))
    columns = wrap_longitude(grid_labels(ds, lon_name, (-180.0, 360.0)))
    require_distinct(rows, lat_name)
    require_distinct(columns, lon_name)
    named = ds.rename({old: new for old, new in ((lat_name, "lat"), (lon_name, "lon")) if old != new})
    labelled = named.assign_coords(lat=("lat", rows, LAT_ATTRS), lon=("lon", columns, LON_ATTRS))
    return _reorder(_reorder(labelled, "lat", np.argsort(-rows)), "lon", np.argsort(columns))


def _reorder(ds: xr.Dataset, dim: str, order: np.ndarray) -> xr.Dataset:
    return ds if (np.diff(order) == 1).all() else ds.isel({dim: order})


@public
def nearest_cells(patches: xr.Dataset) -> xr.Dataset:
    """The four cells nearest to each site.

    Parameters
    ----------
    patches : xarray.Dataset
        Variables on (site, time, patch_lat, patch_lon), of :func:`collocate` or the simulated world.

    Returns
    -------
    xarray.Dataset
        Variables on (site, time, cell), `cell` from 0 row by row: north-west, north-east, south-west,
        south-east; ``cell_lat`` and ``cell_lon`` are then on (site, cell). Of a patch of size 10 these are
        rows and columns 4 and 5. Of an odd size they are the nearest cell and those on the site's side of it;
        a patch of one cell gives that one. Variables without patch dimensions are unchanged; lazy for dask.

    Raises
    ------
    ValueError
        No patch dimensions, patches that are not square, or an odd size without the places of sites and
        cells.

    Examples
    --------
    >>> from xdrought.data import collocate
    >>> from xdrought import simulation
    >>> collocate.nearest_cells(simulation.simulate(2, 30, size=4)).t2m.sizes["cell"]
    4
    """
    if not set(PATCH) <= set(patches.dims) or patches.sizes[PATCH[0]] != patches.sizes[PATCH[1]]:
        raise ValueError(f"expected square patches on {PATCH}, found {dict(patches.sizes)}; make them with collocate")
    size = patches.sizes[PATCH[0]]
    first = {dim: _first_of_two(patches, dim) for dim in PATCH}
    steps = [(0, 0)] if size == 1 else [(0, 0), (0, 1), (1, 0), (1, 1)]
    pick = {dim: first[dim] + xr.DataArray([step[k] for step in steps], dims="cell") for k, dim in enumerate(PATCH)}
    if any("site" in index.dims for index in pick.values()):
        pick["site"] = xr.DataArray(np.arange(patches.sizes["site"]), dims="site")
    on_cells = patches.isel(pick).assign_coords(cell=("cell", np.arange(len(steps)), {"long_name": "cell, row by row"}))
    return on_cells.transpose("site", ..., "cell", missing_dims="ignore")


def _first_of_two(patches: xr.Dataset, dim: str) -> xr.DataArray | int:
    """First of the two nearest cells along a patch dimension: one index for all, or one a site (site,)."""
    size = patches.sizes[dim]
    if size == 1 or size % 2 == 0:
        return max(size // 2 - 1, 0)
    cell, place = ("cell_lat", "lat") if dim == PATCH[0] else ("cell_lon", "lon")
    if cell not in patches.coords or place not in patches.coords:
        raise ValueError(
            f"in patches of odd size {size} the nearest cells depend on {cell!r} and {place!r}, which are not "
            f"coordinates; make the patches with collocate"
        )
    ahead = patches[place].variable - patches[cell].isel({dim: size // 2}).variable
    before = ahead.values > 0 if place == "lat" else (ahead.values + 180.0) % 360.0 - 180.0 < 0
    return xr.DataArray(size // 2 - before.astype(np.int64), dims="site")


_STRAIGHT = 0.01  # largest deviation of a label from equal spacing, in cells
_ON_CELL = 1e-6  # a site closer than this to a cell's centre or edge, in cells, lies on it


class Axis(NamedTuple):
    """Cells in order (north to south, or west to east) and their place along the axis."""

    order: np.ndarray  # position in the input of each cell
    start: float  # degrees of the first cell
    step: float  # degrees from one cell to the next, negative to the south
    wraps: bool  # the cell after the last is the first

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.order)


class PatchCells(NamedTuple):
    """Cells of every site along one axis, (site, size)."""

    position: np.ndarray  # in the input; any valid one where not inside
    inside: np.ndarray


def latitude_axis(lat: np.ndarray) -> Axis:
    """The rows of a grid from north to south; ValueError when they are not evenly spaced."""
    order = np.argsort(-lat)
    start, step = _spacing(lat[order], "lat")
    return Axis(order, start, step, wraps=False)


def longitude_axis(lon: np.ndarray, wrap: bool | None) -> Axis:
    """The columns of a grid from west to east, from the longest gap on; `lon` is in [-180, 180).

    `wrap` None: a grid around the globe wraps. True raises for another one.
    """
    order = np.argsort(lon)
    labels = lon[order]
    gaps = np.diff(np.append(labels, labels[0] + 360.0))
    if gaps.max() > 1.5 * gaps.min():  # a region: it begins east of where there is nothing
        order = np.roll(order, -(int(gaps.argmax()) + 1))
        labels = lon[order]
    unrolled = labels[0] + (labels - labels[0]) % 360.0
    start, step = _spacing(unrolled, "lon")
    is_global = abs(len(lon) * step - 360.0) < 0.5 * step
    if wrap and not is_global:
        raise ValueError(
            f"wrap=True, but the grid covers {len(lon) * step:g} of 360 degrees of longitude; use wrap='auto'"
        )
    return Axis(order, start, step, wraps=is_global and wrap is not False)


def _spacing(labels: np.ndarray, name: str) -> tuple[float, float]:
    if labels.size < 2:
        raise ValueError(f"{name!r} has one cell; at least two are needed to know the spacing")
    step = (labels[-1] - labels[0]) / (labels.size - 1)
    off = np.abs((labels - labels[0]) / step - np.arange(labels.size))
    if off.max() > _STRAIGHT:
        gaps = np.abs(np.diff(labels))
        raise ValueError(
            f"{name!r} is not evenly spaced (steps from {gaps.min():g} to {gaps.max():g} degrees); a patch needs a "
            f"regular grid without missing rows or columns: regrid it, or give the whole of it"
        )
    return float(labels[0]), float(step)


def place_latitude(axis: Axis, lat: np.ndarray) -> np.ndarray:
    """Position of latitudes in cells from the first one on, with fractions (site,)."""
    return _snap((lat - axis.start) / axis.step)


def place_longitude(axis: Axis, lon: np.ndarray) -> np.ndarray:
    """Position of longitudes of either convention in cells from the first one on (site,)."""
    middle = axis.start + 0.5 * (axis.size - 1) * axis.step
    near = (lon - middle + 180.0) % 360.0 - 180.0  # the way round that is nearer to the grid's middle
    return _snap((near + middle - axis.start) / axis.step)


def _snap(position: np.ndarray) -> np.ndarray:
    half = np.rint(2.0 * position) / 2.0
    return np.where(np.abs(position - half) < _ON_CELL, half, position)


def patch_cells(axis: Axis, place: np.ndarray, size: int) -> PatchCells:
    """The `size` cells around each place along one axis.

    Even: the place is between cells size/2-1 and size/2, or on the former. Odd: the middle cell is the
    nearest one, the northern or western one of two as near.
    """
    middle = np.floor(place) if size % 2 == 0 else np.ceil(place - 0.5)
    steps = middle.astype(np.int64)[:, None] - (size - 1) // 2 + np.arange(size)
    if axis.wraps:
        return PatchCells(axis.order[steps % axis.size], np.ones(steps.shape, dtype=bool))
    inside = (steps >= 0) & (steps < axis.size)
    return PatchCells(axis.order[np.clip(steps, 0, axis.size - 1)], inside)
