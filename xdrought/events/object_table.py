"""From the parts of daily maps to numbered objects and their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

if TYPE_CHECKING:
    from xdrought.kernels.object_parts import Parts


def build_objects(
    mask: xr.DataArray,
    intensity: xr.DataArray | None,
    grid: tuple,
    min_area: float,
    min_duration: float,
    cells_at_once: int,
) -> xr.Dataset:
    """Objects of a mask (time, lat, lon); `grid` as :class:`xdrought.kernels.object_parts.Grid`."""
    from xdrought.kernels.object_parts import Grid, components

    cells = Grid(*grid)
    edges = _block_edges(mask, cells_at_once)
    parts = _join(_find(mask, intensity, edges, cells))
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


def _find(mask: xr.DataArray, intensity: xr.DataArray | None, edges: np.ndarray, grid: Any) -> list[Parts]:
    """Parts of every block; each sees the first day of the next one."""
    from xdrought.kernels.object_parts import find_parts

    blocks = [(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    values = None if intensity is None else intensity.data
    own = [None if values is None else values[a:b] for a, b in blocks]
    if not mask.chunks:
        return [find_parts(mask.data[a : b + 1], one, b - a, grid) for (a, b), one in zip(blocks, own, strict=True)]
    import dask

    run, cells = dask.delayed(find_parts, pure=True), dask.delayed(grid)
    tasks = [run(mask.data[a : b + 1], one, b - a, cells) for (a, b), one in zip(blocks, own, strict=True)]
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
            (when[begin] == 0) | (when[end] == len(index) - 1),
            "whether the record cuts it",
            None,
        ),
        "day_object": ("object_day", ids[of_day], "object", None),
        "day_time": ("object_day", dates[when], "day", None),
        "day_area": ("object_day", area, "area", "km2"),
        "day_lat": ("object_day", lat, "latitude of the centroid", "degrees_north"),
        "day_lon": ("object_day", lon, "longitude of the centroid", "degrees_east"),
        "day_parts": ("object_day", np.bincount(inverse, minlength=key.size), "connected parts", "1"),
        "part_object": ("part", owner.astype(np.int32), "object", None),
        "part_time": ("part", dates[day], "day", None),
        "part_area": ("part", sums[:, 0], "area", "km2"),
        "part_lat": ("part", part_lat, "latitude of the centroid", "degrees_north"),
        "part_lon": ("part", part_lon, "longitude of the centroid", "degrees_east"),
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
    attrs = {"long_name": "object that the cell is part of, 0 for none"}
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
