"""Nearest neighbours on a delay manifold as a linear operator: weights that turn library values into estimates.

Neighbours depend on the searched series only, so one operator serves every series mapped from it. Equal delay
vectors are one group with a count, which keeps half a year of zero rain linear in time and memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

TIE = 1e-9  # distances this close (relative) are one distance


def delay_embed(series: np.ndarray, dim: int, tau: int) -> np.ndarray:
    """Delay vectors of `series` (time,) -> (time, dim); rows before the start or touching a gap are NaN."""
    series = np.asarray(series, dtype=np.float64)
    vectors = np.full((series.size, dim), np.nan)
    for column in range(dim):
        shift = column * tau
        vectors[shift:, column] = series[: max(series.size - shift, 0)]
    complete = np.isfinite(vectors[:, 0])
    for column in range(1, dim):
        complete &= np.isfinite(vectors[:, column])
    vectors[~complete] = np.nan
    return vectors


class Operator(NamedTuple):
    """Estimates are a sparse matrix times ``[values, sums of values over groups]``.

    The columns of the matrix are the days and, after them, the groups: days with equal delay vectors. Members of a
    group that a day may not use (itself and its exclusion window) have columns of their own, with negative weight.
    """

    starts: np.ndarray  # (time + 1,): where each day's entries start
    columns: np.ndarray  # (entries,)
    weights: np.ndarray  # (entries,)
    member_starts: np.ndarray  # (groups + 1,): where each group's days start
    members: np.ndarray  # (member days,)
    mapped: np.ndarray  # (time,) bool: days with an estimate
    tied: np.ndarray  # (time,) bool: days whose last neighbour is tied with others, or whose nearest is at no distance

    def estimate(self, values: np.ndarray) -> np.ndarray:
        """Estimates (k, time) of `values` (k, time), NaN where there is none; values outside the library are unused."""
        time, n_groups = self.mapped.size, self.member_starts.size - 1
        kept = np.ascontiguousarray(np.where(np.isfinite(values), values, 0.0).T)
        sums = csr_array((np.ones(self.members.size), self.members, self.member_starts), shape=(n_groups, time)) @ kept
        matrix = csr_array((self.weights, self.columns, self.starts), shape=(time, time + n_groups))
        return np.where(self.mapped, (matrix @ np.concatenate([kept, sums])).T, np.nan)


def build_operator(
    vectors: np.ndarray, queries: np.ndarray, library: np.ndarray, radius: int, *, compiled: bool = False
) -> Operator:
    """Simplex weights of the E + 1 nearest library vectors of every queried day.

    Parameters
    ----------
    vectors : ndarray (time, E)
        Delay vectors.
    queries, library : ndarray (time,) of bool
        Days to estimate and days to learn from; their vectors must be finite.
    radius : int
        Days with ``|i - j| <= radius`` are no neighbours; 0 leaves out the day itself.
    compiled : bool
        Search with compiled code, for jobs that are worth numba's start; the numbers agree to rounding.

    Returns
    -------
    Operator
        Days with fewer than E + 1 permitted neighbours, or a manifold of a single point, get no estimate.

    Notes
    -----
    Weights are ``exp(-d / d_1)`` (Tang et al. 2025, Eq. 8, with the distances on the searched manifold). When the
    nearest distance is zero all zero-distance vectors share equally, the limit of the equation. All vectors tied
    with the last neighbour (relative 1e-9) share the slots that are left: the expectation over random tie breaking.
    """
    if compiled:
        from xdrought.kernels.compiled_operator import operator_arrays

        return Operator(*operator_arrays(vectors, queries, library, radius))
    time, dim = vectors.shape
    days = np.flatnonzero(library)
    group_of_day, unique = _group(vectors[days])
    counts = np.bincount(group_of_day, minlength=len(unique))
    rounds: list[_Neighbours] = []
    if len(unique) > 1 and radius < time:
        group_at = np.full(time + 2 * radius, -1)  # padded, so that exclusion windows may reach past the ends
        group_at[days + radius] = group_of_day
        rounds = list(_search(vectors, np.flatnonzero(queries), unique, counts, group_at, dim + 1, radius))
    mapped, tied = np.zeros(time, bool), np.zeros(time, bool)
    for nearest in rounds:
        mapped[nearest.days] = True
        tied[nearest.days] = nearest.tied
    several = counts > 1
    column = np.where(several, time + np.cumsum(several) - 1, days[_first_member(group_of_day)])
    entries = [_weight_entries(nearest, column) for nearest in rounds]
    entries += [_left_out_entries(nearest, group_at, radius, several) for nearest in rounds]
    in_order = days[np.argsort(group_of_day, kind="stable")]
    members = in_order[np.repeat(several, counts)]
    member_starts = np.concatenate([[0], np.cumsum(counts[several])])
    return Operator(*_rows(entries, time), member_starts, members, mapped, tied)


def _first_member(group_of_day: np.ndarray) -> np.ndarray:
    return np.unique(group_of_day, return_index=True)[1]


class _Neighbours(NamedTuple):
    """Weights of the nearest groups of some days, each (days, listed groups) except `days` and `tied`."""

    days: np.ndarray
    group: np.ndarray
    weight: np.ndarray
    tied: np.ndarray


def _group(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct rows: the number of each row, and the distinct rows."""
    if not len(vectors):
        return np.zeros(0, np.intp), vectors
    order = np.lexsort(vectors.T)
    ranked = vectors[order]
    is_new = np.concatenate([[True], (ranked[1:] != ranked[:-1]).any(axis=1)])
    number = np.empty(len(vectors), np.intp)
    number[order] = np.cumsum(is_new) - 1
    return number, ranked[is_new]


def _search(
    vectors: np.ndarray,
    days: np.ndarray,
    unique: np.ndarray,
    counts: np.ndarray,
    group_at: np.ndarray,
    k: int,
    radius: int,
) -> Iterator[_Neighbours]:
    """Query the tree with more and more neighbours until every day has its own; yields the days that are done."""
    tree = cKDTree(unique, balanced_tree=False, compact_nodes=False)
    width = min(len(unique), k + 2 + min(2 * radius, 16))
    while days.size:
        distance, group = tree.query(vectors[days], k=np.arange(1, width + 1))
        allowed = counts[group]
        for offset in range(2 * radius + 1):
            allowed -= group == group_at[days + offset, None]
        is_all = width == len(unique)
        done, last = _is_complete(distance, allowed, k, is_all=is_all)
        weight, tied = _weigh(distance[done], allowed[done], last[done], k)
        yield _Neighbours(days[done], group[done], weight, tied)
        if is_all:
            return
        days, width = days[~done], min(2 * width, len(unique))


def _is_complete(distance: np.ndarray, allowed: np.ndarray, k: int, *, is_all: bool) -> tuple[np.ndarray, np.ndarray]:
    """Days whose k-th neighbour and all its ties are in the list, and the distance of that neighbour (days, 1)."""
    reached = np.cumsum(allowed, axis=1) >= k
    last = np.take_along_axis(distance, reached.argmax(axis=1)[:, None], axis=1)
    complete = reached[:, -1]
    if not is_all:
        complete = complete & (distance[:, -1] > last[:, 0] * (1 + TIE))
    return complete, last


def _weigh(distance: np.ndarray, allowed: np.ndarray, last: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Weight of one member of each listed group (days, groups), and which days have ties (days,)."""
    closer = distance < last * (1 - TIE)
    level = ~closer & (distance <= last * (1 + TIE))
    slots = k - (allowed * closer).sum(axis=1, keepdims=True)
    sharing = (allowed * level).sum(axis=1, keepdims=True)
    first = np.take_along_axis(distance, (allowed > 0).argmax(axis=1)[:, None], axis=1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        decay = np.where(first > 0, np.exp(-distance / first), distance == 0)
    weight = decay * np.where(closer, 1.0, level * (slots / sharing)) * (allowed > 0)
    weight /= (weight * allowed).sum(axis=1, keepdims=True)
    return weight, ((sharing > slots) | (first == 0))[:, 0]


def _weight_entries(nearest: _Neighbours, column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Day, column and weight of every group that is used."""
    row, listed = np.nonzero(nearest.weight)
    return nearest.days[row], column[nearest.group[row, listed]], nearest.weight[row, listed]


def _left_out_entries(
    nearest: _Neighbours, group_at: np.ndarray, radius: int, several: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Day, excluded day and negative weight, where a group that is used has members in the exclusion window."""
    rows, others, weights = [], [], []
    used = (nearest.weight > 0) & several[nearest.group]
    for offset in range(2 * radius + 1):
        row, listed = np.nonzero(used & (nearest.group == group_at[nearest.days + offset, None]))
        rows.append(nearest.days[row])
        others.append(nearest.days[row] + offset - radius)
        weights.append(-nearest.weight[row, listed])
    return np.concatenate(rows), np.concatenate(others), np.concatenate(weights)


def _rows(
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]], time: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entries by day: where each day starts, columns, weights."""
    if not entries:
        return np.zeros(time + 1, np.int64), np.zeros(0, np.int64), np.zeros(0)
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    order = np.argsort(row, kind="stable")
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=time))]), column[order], value[order]
