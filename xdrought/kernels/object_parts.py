"""Connected parts of daily maps and their links from day to day: what space-time objects are made of (arrays only).

A part is a connected set of cells on one day, numbered within its day by its first cell; that number depends on the
day's map alone, so that blocks of days can be worked on by themselves and joined without a search.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import ndimage, sparse

SUMS = ("area", "x", "y", "z", "intensity_area", "intensity_sum")


class Grid(NamedTuple):
    """A map's cells: area (lat, lon) in km2, unit vectors of the centres (lat, lon, 3), and who are neighbours."""

    area: np.ndarray
    centre: np.ndarray
    full: bool  # cells that share a corner are neighbours, too
    periodic: bool  # the last column is beside the first


class Parts(NamedTuple):
    """Parts of a block of days, in order of day and first cell, and their links to the day after each."""

    per_day: np.ndarray  # (days,) parts of each day
    sums: np.ndarray  # (parts, 6), see SUMS
    peak: np.ndarray  # (parts,) largest intensity, NaN without any
    is_cut: np.ndarray  # (parts,) bool, whether a gap begins or ends beside one of its cells
    parent: np.ndarray  # (links,) number of the earlier part in the block
    child: np.ndarray  # (links,) of the later one; the day after the block counts on
    overlap: np.ndarray  # (links,) km2 in both
    footprint_part: np.ndarray  # (cells hit,) a part of the connected piece that hit the cell
    footprint_cell: np.ndarray  # (cells hit,) index of the cell on the map


def components(n: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Component (n,) of each node of a graph, numbered from 0 in order of their first nodes."""
    if n == 0:
        return np.zeros(0, np.int64)
    ones = np.ones(first.size, np.int8)
    graph = sparse.coo_matrix((ones, (first, second)), shape=(n, n))
    found = sparse.csgraph.connected_components(graph, directed=False)[1]
    _, first_node, inverse = np.unique(found, return_index=True, return_inverse=True)
    rank = np.empty(first_node.size, np.int64)
    rank[np.argsort(first_node)] = np.arange(first_node.size)
    return rank[inverse]


def label_days(mask: np.ndarray, full: bool, periodic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Number of the part (days, lat, lon) int32 that holds each cell, 0 outside, and parts of each day (days,)."""
    structure = np.zeros((3, 3, 3), bool)
    structure[1] = ndimage.generate_binary_structure(2, 2 if full else 1)
    labels, n = ndimage.label(mask, structure, output=np.int32)
    root = np.arange(n + 1)
    if periodic and n:
        west, east = labels[:, :, 0], labels[:, :, -1]
        pairs = [(west, east)]
        if full:
            pairs += [(west[:, 1:], east[:, :-1]), (west[:, :-1], east[:, 1:])]
        first, second = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
        touch = (first > 0) & (second > 0)
        root = components(n + 1, first[touch], second[touch])
    count = np.zeros(mask.shape[0], np.int64)
    _number_by_day(labels, root, count)
    return labels, count


@njit(cache=True, nogil=True)
def _number_by_day(labels, root, count):
    """Renumber the labels of each day from 1 in order of their first cells; in place."""
    number = np.zeros(root.size, np.int32)
    for d in range(labels.shape[0]):
        for i in range(labels.shape[1]):
            for k in range(labels.shape[2]):
                if labels[d, i, k] > 0:
                    own = root[labels[d, i, k]]
                    if number[own] == 0:
                        count[d] += 1
                        number[own] = count[d]
                    labels[d, i, k] = number[own]


@njit(cache=True, nogil=True)
def _sum_parts(labels, offset, intensity, area, centre, sums, peak):
    has_intensity = intensity.shape[0] > 0
    for d in range(offset.size - 1):
        for i in range(labels.shape[1]):
            for k in range(labels.shape[2]):
                if labels[d, i, k] == 0:
                    continue
                p = offset[d] + labels[d, i, k] - 1
                a = area[i, k]
                sums[p, 0] += a
                for c in range(3):
                    sums[p, 1 + c] += a * centre[i, k, c]
                if has_intensity and np.isfinite(intensity[d, i, k]):
                    value = np.float64(intensity[d, i, k])
                    sums[p, 4] += a
                    sums[p, 5] += a * value
                    peak[p] = value if np.isnan(peak[p]) else max(peak[p], value)


@njit(cache=True, nogil=True)
def _meetings(labels, offset, area, full, periodic):
    """Pairs (parent, child) that meet and km2 that both have; a pair may be told several times, each time in part."""
    n_days, n_lat, n_lon = labels.shape
    reach = 1 if full else 0
    pairs = np.empty((1024, 2), np.int64)
    shared = np.empty(1024)
    told = np.full(offset[-1] + 1, -1, np.int64)  # the pair last told of each parent
    n = 0
    for d in range(n_days - 1):
        for i in range(n_lat):
            for k in range(n_lon):
                if labels[d, i, k] == 0:
                    continue
                parent = offset[d] + labels[d, i, k] - 1
                for i_later in range(max(i - reach, 0), min(i + reach + 1, n_lat)):
                    for step in range(-reach, reach + 1):
                        k_later = (k + step) % n_lon if periodic else k + step
                        if k_later < 0 or k_later >= n_lon or labels[d + 1, i_later, k_later] == 0:
                            continue
                        child = offset[d + 1] + labels[d + 1, i_later, k_later] - 1
                        e = told[parent]
                        if e < 0 or pairs[e, 1] != child:
                            if n == shared.size:
                                larger_pairs, larger = np.empty((2 * n, 2), np.int64), np.empty(2 * n)
                                for old in range(n):  # as one array into another it takes seconds to compile
                                    larger_pairs[old, 0], larger_pairs[old, 1] = pairs[old, 0], pairs[old, 1]
                                    larger[old] = shared[old]
                                pairs, shared = larger_pairs, larger
                            e = n
                            n += 1
                            pairs[e, 0], pairs[e, 1], shared[e] = parent, child, 0.0
                            told[parent] = e
                        if i_later == i and step == 0:
                            shared[e] += area[i, k]
    return pairs[:n], shared[:n]


def _links(labels: np.ndarray, offset: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parts of a day and of the next one that share a cell (or touch, when `full`), and the area that they share."""
    pairs, shared = _meetings(labels, offset, grid.area, grid.full, grid.periodic)
    n = max(int(offset[-1]), 1)
    unique, inverse = np.unique(pairs[:, 0] * n + pairs[:, 1], return_inverse=True)
    return unique // n, unique % n, np.bincount(inverse, shared, unique.size)


def find_parts(
    mask: np.ndarray, intensity: np.ndarray | None, beside_gap: np.ndarray | None, n_own: int, grid: Grid
) -> Parts:
    """Parts of the first `n_own` days of a block; a day more, when there is one, is only linked to.

    Parameters
    ----------
    mask : (days, lat, lon) bool
    intensity : (n_own or more days, lat, lon) float, or None
    beside_gap : (n_own or more days, lat, lon) bool, or None
        Cells that are missing on the day before or after.
    n_own : int
    grid : Grid
    """
    labels, count = label_days(mask, grid.full, grid.periodic)
    offset = np.concatenate([[0], np.cumsum(count)])
    n = int(offset[n_own])
    sums, peak = np.zeros((n, len(SUMS))), np.full(n, np.nan)
    values = np.empty((0, 0, 0)) if intensity is None else intensity
    _sum_parts(labels, offset[: n_own + 1], values, grid.area, grid.centre, sums, peak)
    parent, child, overlap = _links(labels, offset, grid)
    inside = child < n
    piece = components(n, parent[inside], child[inside])
    day, lat, lon = np.nonzero(labels[:n_own])
    n_cells = mask.shape[1] * mask.shape[2]
    part = offset[day] + labels[day, lat, lon] - 1
    is_cut = np.zeros(n, bool)
    if beside_gap is not None:
        is_cut[part[beside_gap[day, lat, lon]]] = True
    hit = piece[part] * n_cells + lat * mask.shape[2] + lon
    hit = np.unique(hit)
    first_part = np.unique(piece, return_index=True)[1]
    return Parts(count[:n_own], sums, peak, is_cut, parent, child, overlap, first_part[hit // n_cells], hit % n_cells)


def number_cells(mask: np.ndarray, object_of_part: np.ndarray, full: bool, periodic: bool) -> np.ndarray:
    """Object (days, lat, lon) int32 of each cell, given the object of each part of these days."""
    labels, count = label_days(mask, full, periodic)
    offset = np.concatenate([[0], np.cumsum(count)])[:-1]
    lookup = np.append(object_of_part, 0).astype(np.int32)
    return np.where(labels > 0, lookup[np.where(labels > 0, labels + offset[:, None, None] - 1, -1)], np.int32(0))
