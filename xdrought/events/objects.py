"""Space-time flash droughts: connected objects of a grid's daily classes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xdrought import checks, units
from xdrought.events.flash_droughts import CLASSES
from xdrought.events.object_table import build_objects

CONNECTIVITY = ("full", "face")
EARTH_RADIUS = 6371.0  # km
_CELLS_AT_ONCE = 2**23


def drought_objects(
    classes: xr.DataArray,
    *,
    kinds: Sequence[str] = ("flash_onset", "flash_condition"),
    intensity: xr.DataArray | None = None,
    connectivity: str = "full",
    min_area: float = 0.0,
    min_duration: float = 0.0,
    cell_area: xr.DataArray | None = None,
    periodic: bool | None = None,
    lat: Hashable = "lat",
    lon: Hashable = "lon",
    time: Hashable = "time",
) -> xr.Dataset:
    """Flash droughts as objects in space and time: where they were, how they spread, merged and split.

    Parameters
    ----------
    classes : xarray.DataArray
        Daily classes from :func:`xdrought.drought_classes`, or True and False, on (time, lat, lon) in any order.
        Dask is computed once for the table, block by block of days, and once more when ``object_id`` is: store the
        classes first, best in chunks of whole maps.
    kinds : sequence of str
        Classes that make an object; missing days make none.
    intensity : xarray.DataArray, optional
        On the same grid, larger where it is worse, e.g. ``20 - percentile``; NaN does not count.
    connectivity : {"full", "face"}
        Neighbours in space and time: the 26 that share a face, an edge or a corner, or the 6 that share a face.
    min_area : float
        Objects that are nowhen as large are left out, km2.
    min_duration : float
        Objects that are shorter are left out, days.
    cell_area : xarray.DataArray, optional
        Area of the cells on (lat, lon) or (lat), with units; by default that of the sphere between the midpoints.
    periodic : bool, optional
        Whether the first and the last longitude are neighbours; by default, whether the grid goes around the world.
        No object goes over a pole.
    lat, lon, time : hashable
        Names of the dimensions.

    Returns
    -------
    xarray.Dataset
        ``object_id`` (time, lat, lon), int32, 0 outside all objects, lazy for dask; and tables:

        - ``object``, in order of first day and cell: ``start_time end_time duration`` (d), ``max_area`` (km2) at
          ``max_area_time``, ``footprint_area`` (km2, cells hit on any day), ``area_days`` (km2 d), ``spread_rate``
          (km2 d-1, growth from the first day to the largest area; 0 when that is the first day), ``merge_count
          split_count``, ``is_censored`` (on the first or last day of the record), and with `intensity`
          ``peak_intensity mean_intensity``;
        - ``object_day``, a row for each day of each object: ``day_object day_time day_area day_lat day_lon`` (the
          track: centroid on the sphere, weighted by area) ``day_parts`` and ``day_intensity``;
        - ``part``, a connected piece of one day: ``part_object part_time part_area part_lat part_lon``;
        - ``link``, from a part to one of the next day that it overlaps or, when `connectivity` is "full", touches:
          ``parent_part child_part`` (indices on ``part``) and ``overlap_area`` (km2). A part with several parents is
          a merge, one with several children a split.

    Raises
    ------
    ValueError
        For other dimensions, longitudes that are not evenly spaced in one round, latitudes out of order, an unknown
        class or connectivity, cell areas without units, or an intensity on another grid.
    TypeError
        For something else than classes or True and False in a DataArray.

    Notes
    -----
    Parts of each day are labelled by :func:`scipy.ndimage.label`, and objects are the connected components of the
    graph of their links, so that blocks of days are independent of each other but for the links between them.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.events import drought_objects
    >>> dry = np.zeros((3, 4, 8), bool)
    >>> dry[0, 1, 7], dry[1, 1, [7, 0]], dry[2, 1, 0] = True, True, True  # it crosses the date line
    >>> coords = {"time": pd.date_range("2001-07-01", periods=3), "lat": [60, 20, -20, -60], "lon": np.arange(8) * 45.0}
    >>> objects = drought_objects(xr.DataArray(dry, coords, ("time", "lat", "lon")))
    >>> objects.sizes["object"], objects.day_lon.values.round(1).tolist()
    (1, [-45.0, -22.5, 0.0])
    """
    caller = "drought_objects"
    mask = _mask_of(classes, kinds, (time, lat, lon), caller)
    if connectivity not in CONNECTIVITY:
        raise ValueError(f"{caller}: connectivity={connectivity!r} is unknown; choose one of {CONNECTIVITY}")
    checks.require_regular_steps(mask, time, caller)
    lon_degrees, round_the_world = _longitudes(mask[lon].values, caller)
    lat_degrees = _latitudes(mask[lat].values, caller)
    area = _areas(lat_degrees, lon_degrees, cell_area, mask, caller)
    around = round_the_world if periodic is None else bool(periodic)
    if intensity is not None:
        intensity, mask = _same_grid(intensity, mask, caller)
    mask, intensity = _in_blocks_of_days(mask, intensity)
    grid = area, _unit_vectors(lat_degrees, lon_degrees), connectivity == "full", around
    settings = {
        "kinds": " ".join(kinds) if classes.dtype != bool else "True",
        "connectivity": connectivity,
        "min_area": min_area,
        "min_duration": min_duration,
        "periodic": int(around),
    }
    objects = build_objects(mask, intensity, grid, float(min_area), float(min_duration), _CELLS_AT_ONCE)
    extra = {name: c for name, c in classes.coords.items() if name not in objects.coords and set(c.dims) <= {lat, lon}}
    return objects.assign_coords(extra).assign_attrs(settings)


def _mask_of(classes: Any, kinds: Sequence[str], dims: tuple, caller: str) -> xr.DataArray:
    if not isinstance(classes, xr.DataArray) or classes.dtype.kind not in "biuf":
        found = classes.dtype if isinstance(classes, xr.DataArray) else type(classes).__name__
        raise TypeError(f"{caller}: expected classes from drought_classes or True and False, got {found}")
    if set(classes.dims) != set(dims):
        raise ValueError(
            f"{caller}: objects live on {dims}; {classes.name!r} has {tuple(classes.dims)}: choose along the others, "
            f'e.g. .sel(definition="tang2025"), or name the dimensions with time=, lat=, lon='
        )
    for dim in dims:
        if dim not in classes.indexes:
            raise ValueError(f"{caller}: dimension {dim!r} has no coordinate; assign its values")
        if not classes.sizes[dim]:
            raise ValueError(f"{caller}: dimension {dim!r} has no step; check the selection")
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    unknown = sorted(set(kinds) - set(CLASSES))
    if unknown or not kinds:
        raise ValueError(f"{caller}: kinds={kinds} names no or unknown classes; choose among {sorted(CLASSES)}")
    classes = classes.transpose(*dims)
    return classes if classes.dtype == bool else classes.isin([CLASSES[kind] for kind in kinds])


def _longitudes(lon: np.ndarray, caller: str) -> tuple[np.ndarray, bool]:
    """Longitudes without a jump, and whether they go around the world."""
    degrees = np.unwrap(np.asarray(lon, np.float64), period=360)
    if degrees.size == 1:
        return degrees, False
    steps = np.diff(degrees)
    step = (degrees[-1] - degrees[0]) / steps.size
    if not (np.isfinite(degrees).all() and step and (np.abs(steps - step) < 0.05 * abs(step)).all()):
        raise ValueError(
            f"{caller}: longitudes go from {lon[0]:g} to {lon[-1]:g} in steps of {steps.min():g} to {steps.max():g} "
            f"degrees; expected even steps in one direction: use .sortby"
        )
    width = abs(step) * degrees.size
    if width > 360 + 0.5 * abs(step):
        raise ValueError(
            f"{caller}: {degrees.size} longitudes, {abs(step):g} degrees each, go around the world more than once; "
            f"drop the repeated ones"
        )
    return degrees, bool(abs(width - 360) < 0.5 * abs(step))


def _latitudes(lat: np.ndarray, caller: str) -> np.ndarray:
    degrees = np.asarray(lat, np.float64)
    steps = np.diff(degrees)
    if not ((steps > 0).all() or (steps < 0).all()) or not (np.abs(degrees) <= 90).all():
        raise ValueError(
            f"{caller}: latitudes are not in order between -90 and 90 degrees ({lat[0]:g} to {lat[-1]:g}); use .sortby"
        )
    return degrees


def _edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells: midpoints, and half a step beyond the ends (half a degree around a single one)."""
    step = np.diff(centres) if centres.size > 1 else np.ones(1)
    return np.concatenate([[centres[0] - step[0] / 2], (centres[:-1] + centres[1:]) / 2, [centres[-1] + step[-1] / 2]])


def _areas(lat: np.ndarray, lon: np.ndarray, cell_area: Any, mask: xr.DataArray, caller: str) -> np.ndarray:
    """Area of each cell (lat, lon), km2."""
    dims = mask.dims[1:]
    if cell_area is None:
        bands = np.abs(np.diff(np.sin(np.deg2rad(np.clip(_edges(lat), -90, 90)))))
        widths = np.abs(np.diff(np.deg2rad(_edges(lon))))
        return EARTH_RADIUS**2 * bands[:, None] * widths
    given = units.convert(cell_area, "km2", caller=caller)
    own = mask.isel({mask.dims[0]: 0}, drop=True)
    fits = set(given.dims) <= set(dims) and all(own.indexes[d].equals(given.indexes.get(d)) for d in given.dims)
    if not fits or dims[0] not in given.dims:
        raise ValueError(
            f"{caller}: cell_area is on {tuple(given.dims)} with other labels than the classes' {dims}; "
            f"use .reindex_like"
        )
    full = given.broadcast_like(own).transpose(*dims).values.astype(np.float64)
    if not (full >= 0).all():
        raise ValueError(f"{caller}: cell_area is negative or missing somewhere; fill it, 0 where nothing counts")
    return full


def _unit_vectors(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    phi, lam = np.deg2rad(lat)[:, None], np.deg2rad(lon)[None, :]
    return np.stack(np.broadcast_arrays(np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)), axis=-1)


def _same_grid(intensity: xr.DataArray, mask: xr.DataArray, caller: str) -> tuple[xr.DataArray, xr.DataArray]:
    if not isinstance(intensity, xr.DataArray) or set(intensity.dims) != set(mask.dims):
        raise ValueError(f"{caller}: intensity must be a DataArray on {tuple(mask.dims)}; use .broadcast_like(classes)")
    return checks.align_exactly(intensity.transpose(*mask.dims), mask, "intensity and classes", caller)


def _in_blocks_of_days(mask: xr.DataArray, intensity: xr.DataArray | None) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Whole maps in chunks of days, when either is dask."""
    if not mask.chunks and (intensity is None or not intensity.chunks):
        return mask, intensity
    time, *space = mask.dims
    days = max(_CELLS_AT_ONCE // (mask.sizes[space[0]] * mask.sizes[space[1]]), 1)
    chunks: Any = mask.chunksizes.get(time, ())
    chunks = {time: chunks if len(chunks) > 1 else days, **dict.fromkeys(space, -1)}
    mask = mask.chunk(chunks)
    return mask, None if intensity is None else intensity.chunk({**chunks, time: mask.chunksizes[time]})
