"""Space-time flash droughts: connected objects of a grid's daily classes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks, limits, units
from xdrought.choices import Connectivity
from xdrought.events.flash_droughts import CLASSES, require_classes
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics import sphere
from xdrought.statistics.sphere import unit_vectors

if TYPE_CHECKING:
    from xdrought.kernels.object_parts import Parts


def build_objects(
    mask: xr.DataArray,
    intensity: xr.DataArray | None,
    beside_gap: xr.DataArray | None,
    grid: tuple,
    min_area: float,
    min_duration: float,
    cells_at_once: int,
) -> xr.Dataset:
    """Objects of a mask (time, lat, lon); `grid` as :class:`xdrought.kernels.object_parts.Grid`."""
    from xdrought.kernels.object_parts import Grid, components

    cells = Grid(*grid)
    edges = _block_edges(mask, cells_at_once)
    parts = _join(_find(mask, intensity, beside_gap, edges, cells))
    index = mask.indexes[mask.dims[0]]
    step = _step_days(index)
    day = np.repeat(np.arange(len(index)), parts.per_day)
    piece = components(day.size, parts.parent, parts.child)
    first, last, largest = _extent_of(piece, day, parts.sums[:, 0])
    long_enough = (index[last] - index[first]) / pd.Timedelta(days=1) + step >= min_duration
    kept = np.asarray(long_enough) & (largest >= min_area)
    number = np.where(kept, np.cumsum(kept), 0)
    of_part = number[piece]
    tables = _tables(parts, of_part, day, index, step, cells, intensity is not None)
    object_id = _number_cells(mask, of_part, parts.per_day, edges, cells)
    return tables.assign(object_id=object_id)


def _block_edges(mask: xr.DataArray, cells_at_once: int) -> np.ndarray:
    """Days at which blocks begin, and the end."""
    if mask.chunks:
        return np.concatenate([[0], np.cumsum(mask.chunks[0])])
    days = max(cells_at_once // max(mask[0].size, 1), 1)
    return np.append(np.arange(0, mask.shape[0], days), mask.shape[0])


def _days_of(field: xr.DataArray | None, first: int, stop: int) -> Any:
    """The values of some days, or nothing of no field."""
    return None if field is None else field.data[first:stop]


def _find(
    mask: xr.DataArray, intensity: xr.DataArray | None, beside_gap: xr.DataArray | None, edges: np.ndarray, grid: Any
) -> list[Parts]:
    """Parts of every block; each sees the first day of the next one."""
    from xdrought.kernels.object_parts import find_parts

    blocks = [(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    own = [(_days_of(intensity, a, b), _days_of(beside_gap, a, b)) for a, b in blocks]
    if not mask.chunks:
        return [find_parts(mask.data[a : b + 1], *of, b - a, grid) for (a, b), of in zip(blocks, own, strict=True)]
    import dask

    run, cells = dask.delayed(find_parts, pure=True), dask.delayed(grid)
    tasks = [run(mask.data[a : b + 1], *of, b - a, cells) for (a, b), of in zip(blocks, own, strict=True)]
    return list(dask.compute(*tasks))


def _join(blocks: list[Parts]) -> Parts:
    """Parts of all days, numbered through."""
    from xdrought.kernels.object_parts import Parts

    offset = np.concatenate([[0], np.cumsum([block.peak.size for block in blocks])])[:-1]
    numbered = [
        block._replace(
            parent=block.parent + first, child=block.child + first, footprint_part=block.footprint_part + first
        )
        for block, first in zip(blocks, offset, strict=True)
    ]
    return Parts(*(np.concatenate(column) for column in zip(*numbered, strict=True)))


def _step_days(index: pd.Index) -> float:
    return float((index[1] - index[0]) / pd.Timedelta(days=1)) if len(index) > 1 else 1.0


def _extent_of(piece: np.ndarray, day: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last day of each piece, and its largest area on a day."""
    n = int(piece.max(initial=-1)) + 1
    first, last, largest = np.full(n, np.iinfo(np.int64).max), np.full(n, -1), np.zeros(n)
    np.minimum.at(first, piece, day)
    np.maximum.at(last, piece, day)
    key, inverse = np.unique(piece * (int(day.max(initial=0)) + 1) + day, return_inverse=True)
    np.maximum.at(largest, key // (int(day.max(initial=0)) + 1), np.bincount(inverse, area, key.size))
    return first, last, largest


def _places(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of summed vectors; NaN where they cancel out."""
    x, y, z = sums[:, 1], sums[:, 2], sums[:, 3]
    length = np.sqrt(x**2 + y**2 + z**2)
    somewhere = length > 1e-9 * np.maximum(sums[:, 0], 1e-300)
    lat = np.where(somewhere, np.rad2deg(np.arctan2(z, np.hypot(x, y))), np.nan)
    lon = np.where(somewhere, np.rad2deg(np.arctan2(y, x)), np.nan)
    return lat, lon


def _tables(
    parts: Parts, of_part: np.ndarray, day: np.ndarray, index: pd.Index, step: float, grid: Any, has_intensity: bool
) -> xr.Dataset:
    kept = of_part > 0
    new_index = np.cumsum(kept) - 1
    in_kept = kept[parts.parent]
    parent, child, overlap = new_index[parts.parent[in_kept]], new_index[parts.child[in_kept]], parts.overlap[in_kept]
    sums, peak, owner, day = parts.sums[kept], parts.peak[kept], of_part[kept], day[kept]
    n = int(owner.max(initial=0))
    # days of objects, in order of object and day
    key, inverse = np.unique((owner - 1) * len(index) + day, return_inverse=True)
    of_day, when = key // len(index), key % len(index)
    day_sums = np.stack([np.bincount(inverse, column, key.size) for column in sums.T], axis=1)
    area = day_sums[:, 0]
    begin = np.searchsorted(of_day, np.arange(n))
    end = np.searchsorted(of_day, np.arange(n), side="right") - 1
    largest = np.zeros(n)
    np.maximum.at(largest, of_day, area)
    at_largest = np.flatnonzero(area == largest[of_day])
    at_largest = at_largest[np.unique(of_day[at_largest], return_index=True)[1]]  # the first of them
    times = np.asarray((index - index[0]) / pd.Timedelta(days=1), np.float64)
    growing = times[when[at_largest]] - times[when[begin]]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.where(growing > 0, (largest - area[begin]) / growing, 0.0)
        day_intensity = day_sums[:, 5] / day_sums[:, 4]
        intensity = np.bincount(of_day, day_sums[:, 5], n) / np.bincount(of_day, day_sums[:, 4], n)
    top = np.full(n, np.nan)
    np.fmax.at(top, owner - 1, peak)
    hits = of_part[parts.footprint_part]
    hit = np.unique((hits[hits > 0] - 1) * grid.area.size + parts.footprint_cell[hits > 0])
    footprint = np.bincount(hit // grid.area.size, grid.area.ravel()[hit % grid.area.size], n)
    merges = np.bincount(owner[np.bincount(child, minlength=owner.size) > 1] - 1, minlength=n)
    splits = np.bincount(owner[np.bincount(parent, minlength=owner.size) > 1] - 1, minlength=n)
    dates = index.values
    lat, lon = _places(day_sums)
    part_lat, part_lon = _places(sums)
    ids = np.arange(1, n + 1, dtype=np.int32)
    named = {
        "start_time": ("object", dates[when[begin]], "first day", None),
        "end_time": ("object", dates[when[end]], "last day", None),
        "duration": ("object", np.rint(times[when[end]] - times[when[begin]] + step).astype(int), "duration", "d"),
        "max_area": ("object", largest, "largest area on a day", "km2"),
        "max_area_time": ("object", dates[when[at_largest]], "first day of the largest area", None),
        "footprint_area": ("object", footprint, "area of all cells hit", "km2"),
        "area_days": ("object", np.bincount(of_day, area, n) * step, "sum of the areas of all days", "km2 d"),
        "spread_rate": ("object", spread, "growth from the first day to the largest area", "km2 d-1"),
        "merge_count": ("object", merges, "parts that several parts of the day before became", "1"),
        "split_count": ("object", splits, "parts that became several parts on the next day", "1"),
        "is_censored": (
            "object",
            (when[begin] == 0) | (when[end] == len(index) - 1) | np.isin(ids, owner[parts.is_cut[kept]]),
            "whether the record's ends or a gap cut it",
            None,
        ),
        "day_object": ("object_day", ids[of_day], "object", None),
        "day_time": ("object_day", dates[when], "day", None),
        "day_area": ("object_day", area, "area", "km2"),
        "day_lat": ("object_day", lat, "latitude of the centroid", "degree"),
        "day_lon": ("object_day", lon, "longitude of the centroid", "degree"),
        "day_parts": ("object_day", np.bincount(inverse, minlength=key.size), "connected parts", "1"),
        "part_object": ("part", owner.astype(np.int32), "object", None),
        "part_time": ("part", dates[day], "day", None),
        "part_area": ("part", sums[:, 0], "area", "km2"),
        "part_lat": ("part", part_lat, "latitude of the centroid", "degree"),
        "part_lon": ("part", part_lon, "longitude of the centroid", "degree"),
        "parent_part": ("link", parent, "index of the earlier part", None),
        "child_part": ("link", child, "index of the part of the next day", None),
        "overlap_area": ("link", overlap, "area that both parts have", "km2"),
    }
    if has_intensity:
        named |= {
            "peak_intensity": ("object", top, "largest intensity of a cell on a day", None),
            "mean_intensity": ("object", intensity, "mean intensity, weighted by area", None),
            "day_intensity": ("object_day", day_intensity, "mean intensity of the day, weighted by area", None),
        }
    variables = {
        name: (dim, values, {"long_name": text} | ({"units": unit} if unit else {}))
        for name, (dim, values, text, unit) in named.items()
    }
    return xr.Dataset(variables, {"object": ("object", ids, {"long_name": "number of the object"})})


def _number_cells(
    mask: xr.DataArray, of_part: np.ndarray, count: np.ndarray, edges: np.ndarray, grid: Any
) -> xr.DataArray:
    """The object of every cell on every day; lazy for dask."""
    from xdrought.kernels.object_parts import number_cells

    offset = np.concatenate([[0], np.cumsum(count)])
    blocks = [(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    owners = [of_part[offset[a] : offset[b]] for a, b in blocks]
    attrs = {"long_name": "object that the cell is part of, 0 for none, -1 for missing"}
    data: Any
    if not mask.chunks:
        data = np.empty(mask.shape, np.int32)
        for (a, b), own in zip(blocks, owners, strict=True):
            data[a:b] = number_cells(mask.data[a:b], own, grid.full, grid.periodic)
    else:
        import dask
        import dask.array as da

        run = dask.delayed(number_cells, pure=True)
        maps = [
            da.from_delayed(run(mask.data[a:b], own, grid.full, grid.periodic), (b - a, *mask.shape[1:]), np.int32)
            for (a, b), own in zip(blocks, owners, strict=True)
        ]
        data = da.concatenate(maps)
    return xr.DataArray(data, {d: mask[d] for d in mask.dims}, mask.dims, attrs=attrs)


CONNECTIVITY = get_args(Connectivity)
_CELLS_AT_ONCE = 2**23


@public
@recorded
def drought_objects(
    classes: xr.DataArray,
    *,
    kinds: Sequence[str] = ("flash_onset", "flash_condition"),
    intensity: xr.DataArray | None = None,
    connectivity: Connectivity = "full",
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
        classes first, best in chunks of whole maps. What is held at once are the days of a chunk, or, in memory, of
        some eight million cells, besides ``object_id``.
    kinds : sequence of str
        Classes that make an object; missing days make none, so that a gap may cut one: bridge short gaps before, with
        ``drought_classes(..., fill_gaps=True)``.
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
        ``object_id`` (time, lat, lon), int32, 0 outside all objects, -1 where the class is missing, lazy for dask; and
        tables:

        - ``object``, in order of first day and cell: ``start_time end_time duration`` (d), ``max_area`` (km2) at
          ``max_area_time``, ``footprint_area`` (km2, cells hit on any day), ``area_days`` (km2 d), ``spread_rate``
          (km2 d-1, growth from the first day to the largest area; 0 when that is the first day), ``merge_count
          split_count``, ``is_censored`` (on the first or last day of the record, or a cell of it is missing on the day
          before or after), and with `intensity` ``peak_intensity mean_intensity``;
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
    >>> from xdrought import drought_objects
    >>> dry = np.zeros((3, 4, 8), bool)
    >>> dry[0, 1, 7], dry[1, 1, [7, 0]], dry[2, 1, 0] = True, True, True  # it crosses the date line
    >>> coords = {"time": pd.date_range("2001-07-01", periods=3), "lat": [60, 20, -20, -60], "lon": np.arange(8) * 45.0}
    >>> objects = drought_objects(xr.DataArray(dry, coords, ("time", "lat", "lon")))
    >>> objects.sizes["object"], objects.day_lon.values.round(1).tolist()
    (1, [-45.0, -22.5, 0.0])
    """
    mask = _mask_of(classes, kinds, (time, lat, lon))
    checks.require_choice(connectivity, "connectivity", CONNECTIVITY)
    checks.require_regular_steps(mask, time)
    lon_degrees, round_the_world = _longitudes(mask[lon].values, lon)
    lat_degrees = _latitudes(mask[lat].values)
    area = _areas(lat_degrees, lon_degrees, cell_area, mask)
    around = round_the_world if periodic is None else bool(periodic)
    if intensity is not None:
        intensity = _same_grid(intensity, mask)
    beside_gap = _beside_gap(classes, mask)
    mask, intensity, beside_gap = _in_blocks_of_days(mask, intensity, beside_gap)
    grid = area, unit_vectors(lat_degrees[:, None], lon_degrees[None, :]), connectivity == "full", around
    settings = {
        "kinds": " ".join(kinds) if classes.dtype != bool else "True",
        "connectivity": connectivity,
        "min_area": min_area,
        "min_duration": min_duration,
        "periodic": int(around),
    }
    objects = build_objects(mask, intensity, beside_gap, grid, float(min_area), float(min_duration), _CELLS_AT_ONCE)
    if classes.dtype != bool:
        objects["object_id"] = _without_missing(objects["object_id"], classes)
    extra = {name: c for name, c in classes.coords.items() if name not in objects.coords and set(c.dims) <= {lat, lon}}
    return alignment.dataset_of(objects.data_vars, {**objects.coords, **extra}).assign_attrs(settings)


def _mask_of(classes: Any, kinds: Sequence[str], dims: tuple) -> xr.DataArray:
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    unknown = sorted(set(kinds) - set(CLASSES))
    if unknown or not kinds:
        raise ValueError(f"kinds={kinds} names no or unknown classes; choose among {sorted(CLASSES)}")
    classes = require_classes(classes)
    if set(classes.dims) != set(dims):
        raise ValueError(
            f"objects live on {dims}; {classes.name!r} has {tuple(classes.dims)}: choose along the others, "
            f'e.g. .sel(definition="tang2025"), or name the dimensions with time=, lat=, lon='
        )
    for dim in dims:
        if dim not in classes.indexes:
            raise ValueError(f"dimension {dim!r} has no coordinate; assign its values")
        if not classes.sizes[dim]:
            raise ValueError(f"dimension {dim!r} has no step; check the selection")
    classes = classes.transpose(*dims)
    return classes if classes.dtype == bool else classes.isin([CLASSES[kind] for kind in kinds])


def _without_missing(object_id: xr.DataArray, classes: xr.DataArray) -> xr.DataArray:
    """The objects, -1 where the class is missing: nobody knows of these cells, which is not the same as no drought."""
    unknown = ~(classes.transpose(*object_id.dims).data >= 0) & (object_id.data == 0)  # -1, or NaN as files give it
    return object_id.copy(data=object_id.data - unknown.astype(np.int32))


def _longitudes(lon: np.ndarray, name: Hashable) -> tuple[np.ndarray, bool]:
    """Longitudes without a jump, and whether they go around the world."""
    degrees = np.unwrap(np.asarray(lon, np.float64), period=360)
    if degrees.size == 1:
        return degrees, False
    steps = np.diff(degrees)
    step = (degrees[-1] - degrees[0]) / steps.size
    if not (np.isfinite(degrees).all() and step and (np.abs(steps - step) < 0.05 * abs(step)).all()):
        raise ValueError(
            f"longitudes go from {lon[0]:g} to {lon[-1]:g} in steps of {steps.min():g} to {steps.max():g} "
            f"degrees; expected even steps in one direction: use {_turn(np.asarray(lon, np.float64), name)}"
        )
    width = abs(step) * degrees.size
    if width > 360 + 0.5 * abs(step):
        raise ValueError(
            f"{degrees.size} longitudes, {abs(step):g} degrees each, go around the world more than once; "
            f"drop the repeated ones"
        )
    return degrees, bool(abs(width - 360) < 0.5 * abs(step))


def _turn(degrees: np.ndarray, name: Hashable) -> str:
    """The call that puts longitudes in a row: sorted ones may have the date line between, then they are turned."""
    order = np.sort(np.mod(degrees, 360))
    gaps = np.diff(order, append=order[0] + 360)
    first = order[(int(np.argmax(gaps)) + 1) % order.size]  # east of the widest gap
    at = int(np.argmin(np.abs(np.mod(degrees, 360) - first)))
    if (np.diff(degrees) > 0).all() and at:
        return f"da.roll({name}={degrees.size - at}, roll_coords=True)"
    return f"da.sortby({str(name)!r})"


def _latitudes(lat: np.ndarray) -> np.ndarray:
    degrees = np.asarray(lat, np.float64)
    steps = np.diff(degrees)
    if not ((steps > 0).all() or (steps < 0).all()) or not (np.abs(degrees) <= 90).all():
        raise ValueError(
            f"latitudes are not in order between -90 and 90 degrees ({lat[0]:g} to {lat[-1]:g}); use .sortby"
        )
    return degrees


def given_areas(cell_area: object, own: xr.DataArray) -> xr.DataArray:
    """Areas of the user on the labels of `own`, km2, or a refusal of what cannot be areas."""
    given = units.convert(alignment.align_to(own, cell_area, what="cell_area"), "km2")
    full = given.broadcast_like(own).transpose(*own.dims).astype(np.float64)
    if not ((full.values >= 0) & np.isfinite(full.values)).all():
        raise ValueError("cell_area is negative or missing somewhere; fill it, 0 where nothing counts")
    return full


def _areas(lat: np.ndarray, lon: np.ndarray, cell_area: Any, mask: xr.DataArray) -> np.ndarray:
    """Area of each cell (lat, lon), km2."""
    dims = mask.dims[1:]
    if cell_area is None:
        return sphere.cell_areas(lat, lon)
    if isinstance(cell_area, xr.DataArray) and dims[0] not in cell_area.dims:
        raise ValueError(
            f"cell_area is on {tuple(cell_area.dims)}; the area of cells depends on {dims[0]!r}: give it along"
        )
    return given_areas(cell_area, mask.isel({mask.dims[0]: 0}, drop=True)).values


def _same_grid(intensity: xr.DataArray, mask: xr.DataArray) -> xr.DataArray:
    """The intensity on the labels of the classes, every day and cell of them."""
    aligned = alignment.align_to(mask, intensity, what="intensity")
    if missing := [dim for dim in mask.dims if dim not in aligned.dims]:
        raise ValueError(
            f"intensity lacks the dimension(s) {missing}; it must be on {tuple(mask.dims)}: use "
            f"da.broadcast_like(classes)"
        )
    return limits.check(aligned, codes_only=True)


def _beside_gap(classes: xr.DataArray, mask: xr.DataArray) -> xr.DataArray | None:
    """True where the class is missing on the day before or after; None for True and False, which know no gaps."""
    if classes.dtype == bool:
        return None
    missing = ~(classes.transpose(*mask.dims) >= 0)
    time = mask.dims[0]
    return missing.shift({time: 1}, fill_value=False) | missing.shift({time: -1}, fill_value=False)


def _in_blocks_of_days(mask: xr.DataArray, *fields: xr.DataArray | None) -> tuple[Any, ...]:
    """Whole maps in chunks of days, when one of them is dask."""
    if not any(da is not None and da.chunks for da in (mask, *fields)):
        return mask, *fields
    time, *space = mask.dims
    days = max(_CELLS_AT_ONCE // (mask.sizes[space[0]] * mask.sizes[space[1]]), 1)
    chunks: Any = mask.chunksizes.get(time, ())
    chunks = {time: chunks if len(chunks) > 1 else days, **dict.fromkeys(space, -1)}
    mask = mask.chunk(chunks)
    like = {**chunks, time: mask.chunksizes[time]}
    return mask, *(None if da is None else da.chunk(like) for da in fields)
