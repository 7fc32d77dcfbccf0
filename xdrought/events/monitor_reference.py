"""What a monitor ranks against: series that stay as they are, one for each cell or one for all."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from xdrought import calendars, files, shown
from xdrought.definitions import Definition
from xdrought.events.table import block_slices
from xdrought.percentiles import REFERENCE_TIME, pool_groups, year_length

CELLS_AT_ONCE = 4096


def rows_of_cells(values: xr.DataArray, shape: tuple[int, ...]) -> Iterator[tuple[Any, np.ndarray]]:
    """(which cells, their new days (cells, days)) piece by piece, so that little is held at once."""
    chunks = values.chunks[: len(shape)] if values.chunks else tuple((n,) for n in shape)
    numbers = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    for where in block_slices(chunks):
        block = np.asarray(values.data[where]).reshape(-1, values.shape[-1])
        cells = numbers[where].ravel()
        for first in range(0, cells.size, CELLS_AT_ONCE):
            some = cells[first : first + CELLS_AT_ONCE]
            is_run = some[-1] - some[0] + 1 == some.size
            yield slice(int(some[0]), int(some[-1]) + 1) if is_run else some, block[first : first + some.size]


@dataclass(frozen=True, eq=False)
class FixedReference:
    """The reference series of all cells, and where in the year their steps lie.

    Parameters
    ----------
    values : (cells, steps) numpy array, or xarray.Variable that is read from a file piece by piece
        One row may serve all cells. Sorted when all steps are one pool.
    n_valid : (cells,) int64
        Valid values of each row.
    groups : (steps,) int64
        Day or pentad of the year of each step, all 0 when all steps are one pool.
    key : str
        Name under which a file knows it: a digest of the values, the definition and the cells.
    """

    values: np.ndarray | xr.Variable = field(repr=False)
    n_valid: np.ndarray = field(repr=False)
    groups: np.ndarray = field(repr=False)
    key: str

    @classmethod
    def create(
        cls, reference: xr.DataArray, space: list[Hashable], sizes: dict, definition: Definition
    ) -> FixedReference:
        """From the series that a record is ranked against; dask is computed."""
        own = [d for d in space if d in reference.dims]
        if own:  # every cell its own row, also where a dimension is missing
            reference = reference.expand_dims({d: sizes[d] for d in space if d not in own})
        series = reference.transpose(*space if own else [], REFERENCE_TIME)
        shape = series.shape[:-1]
        values = np.empty((math.prod(shape), series.shape[-1]), series.dtype)
        n_valid = np.zeros(values.shape[0], np.int64)
        for cells, rows in rows_of_cells(series, shape):
            finite = np.isfinite(rows)
            n_valid[cells] = finite.sum(axis=1)
            rows = np.where(finite, rows, rows.dtype.type(np.nan))
            values[cells] = np.sort(rows, axis=1) if definition.pool == "record" else rows  # NaN last
        groups = pool_groups(reference.indexes[REFERENCE_TIME], definition.pool)
        labels = [reference[d].values for d in space if d in reference.coords]
        blocks = (values[k : k + CELLS_AT_ONCE] for k in range(0, values.shape[0], CELLS_AT_ONCE))
        return cls(
            values, n_valid, groups, files.digest(blocks, groups, shown.in_one_line(definition), repr(sizes), *labels)
        )

    @property
    def serves_all(self) -> bool:
        """Whether one row is the reference of every cell."""
        return self.values.shape[0] == 1

    def with_more(self, other: FixedReference) -> FixedReference:
        """The references of these cells, and those of further ones after them."""
        ours, theirs = np.asarray(self.values[:]), np.asarray(other.values[:])
        groups, is_sorted = self.groups, not (self.groups.any() or other.groups.any())
        if not np.array_equal(groups, other.groups):  # other years: each row is blank where the other's are
            blank = np.full((ours.shape[0], theirs.shape[1]), np.nan, ours.dtype)
            blank_too = np.full((theirs.shape[0], ours.shape[1]), np.nan, theirs.dtype)
            ours, theirs = np.concatenate([ours, blank], axis=1), np.concatenate([blank_too, theirs], axis=1)
            groups = np.concatenate([groups, other.groups])
        if is_sorted:
            theirs.sort(axis=1)  # blanks last
        n_valid = np.concatenate([self.n_valid, other.n_valid])
        return FixedReference(np.concatenate([ours, theirs]), n_valid, groups, files.digest(self.key, other.key))

    def rank(self, rows: np.ndarray, cells: Any, index: calendars.TimeIndex, definition: Definition) -> np.ndarray:
        """Percentiles (rows, steps) float64 of the values of some cells at the steps `index`."""
        from xdrought.kernels import episodes, ranks

        a, b = ranks.PLOTTING_POSITIONS[definition.percentile_method]
        own = slice(None) if self.serves_all else cells
        pool = np.asarray(self.values[own])
        common = np.result_type(rows, pool)
        rows = np.ascontiguousarray(rows, dtype=common)
        pool = np.ascontiguousarray(pool, dtype=common)
        if definition.pool == "record":
            return episodes.sorted_percentiles(rows, pool, self.n_valid[own], a, b)
        if pool.shape[0] == 1:
            pool = np.broadcast_to(pool, (rows.shape[0], pool.shape[1])).copy()
        n_groups = year_length(index, definition.pool)
        groups = pool_groups(index, definition.pool)
        pools = _used(calendars.make_pools(groups, self.groups, n_groups, definition.window))
        return ranks.pooled_percentiles(rows, pool, *pools, a, b)


def _used(pools: calendars.Pools) -> calendars.Pools:
    """Only the groups that have members: the others would be sorted for nothing."""
    kept = np.flatnonzero(np.diff(pools.member_starts))
    parts = [pools.pools[pools.pool_starts[g] : pools.pool_starts[g + 1]] for g in kept]
    member_starts = np.append(pools.member_starts[kept], pools.member_starts[-1])
    pool_starts = np.concatenate([[0], np.cumsum([part.size for part in parts])]).astype(np.int64)
    return calendars.Pools(pools.members, member_starts, np.concatenate([*parts, np.zeros(0, np.int64)]), pool_starts)
