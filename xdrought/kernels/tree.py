"""A k-d tree in arrays: balanced, leaves of neighbouring points, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def build_tree(points: np.ndarray, leaf_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Halve `points` (m, E) at the median of the widest side until no part has more than `leaf_size`.

    Returns
    -------
    order : ndarray (m,)
        Points in the order of the leaves.
    bounds : ndarray (n_leaves + 1,)
        Where each leaf starts in `order`.
    low, high : ndarray (2 * n_leaves, E)
        Box of every node. Node 1 is the root, 2n and 2n + 1 are the halves of node n, the last n_leaves the leaves.
    """
    m, dim = points.shape
    n_leaves = 1
    while (m + n_leaves - 1) // n_leaves > leaf_size:
        n_leaves *= 2
    low, high = np.empty((2 * n_leaves, dim)), np.empty((2 * n_leaves, dim))
    for axis in range(dim):
        low[1, axis], high[1, axis] = points[:, axis].min(), points[:, axis].max()
    order, key = np.arange(m), np.empty(m)
    first, last = np.zeros(2 * n_leaves, np.int64), np.zeros(2 * n_leaves, np.int64)
    last[1] = m
    for node in range(1, n_leaves):
        axis = 0
        for other in range(1, dim):
            if high[node, other] - low[node, other] > high[node, axis] - low[node, axis]:
                axis = other
        start, stop = first[node], last[node]
        middle = (start + stop) // 2
        for at in range(start, stop):
            key[at] = points[order[at], axis]
        _select(key, order, start, stop, middle)
        for child in (2 * node, 2 * node + 1):
            for other in range(dim):
                low[child, other], high[child, other] = low[node, other], high[node, other]
        if start < stop:
            high[2 * node, axis] = low[2 * node + 1, axis] = key[middle]
        first[2 * node], last[2 * node] = start, middle
        first[2 * node + 1], last[2 * node + 1] = middle, stop
    _tighten(points, order, first, last, low, high)
    bounds = np.empty(n_leaves + 1, np.int64)
    bounds[:n_leaves], bounds[n_leaves] = first[n_leaves:], m
    return order, bounds, low, high


@njit(cache=True, nogil=True)
def _select(key: np.ndarray, order: np.ndarray, left: int, stop: int, middle: int) -> None:
    """Order `key` from `left` to `stop` so that none before `middle` is larger and none after it smaller."""
    while stop - left > 1:
        one, two, three = key[left], key[(left + stop) // 2], key[stop - 1]
        pivot = max(min(one, two), min(max(one, two), three))
        split = left
        for at in range(left, stop):  # no branch to guess: every number is swapped, the border moves or not
            here, which = key[at], order[at]
            key[at], order[at] = key[split], order[split]
            key[split], order[split] = here, which
            split += here < pivot
        if middle < split:
            stop = split
            continue
        if split > left:
            left = split
            continue
        for at in range(left, stop):  # the pivot is the smallest: gather what equals it
            here, which = key[at], order[at]
            key[at], order[at] = key[split], order[split]
            key[split], order[split] = here, which
            split += here == pivot
        if middle < split:
            return
        left = split


@njit(cache=True, nogil=True)
def _tighten(
    points: np.ndarray, order: np.ndarray, first: np.ndarray, last: np.ndarray, low: np.ndarray, high: np.ndarray
) -> None:
    """Shrink every box to the points inside, leaves first."""
    n_leaves, dim = len(first) // 2, points.shape[1]
    for node in range(2 * n_leaves - 1, 0, -1):
        for axis in range(dim):
            if node < n_leaves:
                low[node, axis] = min(low[2 * node, axis], low[2 * node + 1, axis])
                high[node, axis] = max(high[2 * node, axis], high[2 * node + 1, axis])
                continue
            smallest, largest = np.inf, -np.inf
            for at in range(first[node], last[node]):
                value = points[order[at], axis]
                smallest, largest = min(smallest, value), max(largest, value)
            low[node, axis], high[node, axis] = smallest, largest
