"""What the compiled search looks through: groups of equal delay vectors, and a tree of the distinct ones."""

from __future__ import annotations

from typing import NamedTuple

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


LEAF = 24  # points in a leaf at most: fewer mean more boxes, more mean longer scans
NEVER = -(1 << 40)  # a day that no exclusion window reaches


class Groups(NamedTuple):
    """Library days with equal vectors: the group of each day (-1: none), and each group's first day and size."""

    at: np.ndarray
    first: np.ndarray
    size: np.ndarray


class Tree(NamedTuple):
    """Distinct vectors in the order of the leaves, with what belongs to them, and the boxes of the nodes."""

    points: np.ndarray
    group: np.ndarray
    day: np.ndarray  # of a group of one day; NEVER for larger ones
    leaf_of: np.ndarray  # by group
    bounds: np.ndarray  # where each leaf starts
    low: np.ndarray
    high: np.ndarray


@njit(cache=True, nogil=True)
def group_equal(vectors: np.ndarray, library: np.ndarray) -> Groups:
    """Number the distinct vectors of the library days, in the order they appear, by hashing."""
    time, dim = vectors.shape
    bits = 4
    while (1 << bits) < 2 * time:
        bits += 1
    table = np.full(1 << bits, -1)
    at, first, count = np.full(time, -1), np.empty(time, np.int64), np.zeros(time, np.int64)
    words = (vectors + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    n_groups, mixer, shift = 0, np.uint64(0x9E3779B97F4A7C15), np.uint64(64 - bits)
    for day in range(time):
        if not library[day]:
            continue
        mixed = np.uint64(0)
        for axis in range(dim):
            mixed = (mixed ^ words[day, axis]) * mixer
            mixed ^= mixed >> np.uint64(32)
        slot = np.int64((mixed * mixer) >> shift)
        while table[slot] >= 0 and not _equal(words, day, first[table[slot]]):
            slot = (slot + 1) & (table.size - 1)
        if table[slot] < 0:
            table[slot], first[n_groups] = n_groups, day
            n_groups += 1
        at[day] = table[slot]
        count[table[slot]] += 1
    return Groups(at, first[:n_groups].copy(), count[:n_groups].copy())


@njit(cache=True, nogil=True)
def _equal(words: np.ndarray, one: int, other: int) -> bool:
    for axis in range(words.shape[1]):  # noqa: SIM110, compiled as a loop
        if words[one, axis] != words[other, axis]:
            return False
    return True


@njit(cache=True, nogil=True)
def allowed_members(groups: Groups, group: int, day: int, radius: int) -> int:
    """Members of a group that are further in time from `day` than the exclusion radius."""
    if groups.size[group] == 1:
        return 1 if abs(groups.first[group] - day) > radius else 0
    allowed = groups.size[group]
    for other in range(max(day - radius, 0), min(day + radius + 1, groups.at.size)):
        if groups.at[other] == group:
            allowed -= 1
    return allowed


@njit(cache=True, nogil=True)
def build_kdtree(vectors: np.ndarray, groups: Groups) -> Tree:
    """The tree of the distinct vectors; at least one."""
    m, dim = groups.first.size, vectors.shape[1]
    points = np.empty((m, dim))
    for group in range(m):
        points[group] = vectors[groups.first[group]]
    order, bounds, low, high = build_tree(points, LEAF)
    ordered, day, leaf_of = np.empty((m, dim)), np.empty(m, np.int64), np.empty(m, np.int64)
    for leaf in range(bounds.size - 1):
        for at in range(bounds[leaf], bounds[leaf + 1]):
            ordered[at] = points[order[at]]
            leaf_of[order[at]] = leaf
            day[at] = groups.first[order[at]] if groups.size[order[at]] == 1 else NEVER
    return Tree(ordered, order, day, leaf_of, bounds, low, high)


@njit(cache=True, nogil=True)
def box_gap(tree: Tree, low: np.ndarray, high: np.ndarray, node: int) -> float:
    """Squared distance between the box from `low` to `high` (E,) and that of a node; 0 where they meet."""
    total = 0.0
    for axis in range(low.size):
        gap = max(tree.low[node, axis] - high[axis], low[axis] - tree.high[node, axis], 0.0)
        total += gap * gap
    return total


@njit(cache=True, nogil=True)
def start_leaf(tree: Tree, groups: Groups, query: np.ndarray, day: int) -> int:
    """The leaf that holds the vector of a library day, or one near that of any other day."""
    if groups.at[day] >= 0:
        return tree.leaf_of[groups.at[day]]
    node, n_leaves = 1, tree.bounds.size - 1
    while node < n_leaves:
        node = 2 * node + (box_gap(tree, query, query, 2 * node + 1) < box_gap(tree, query, query, 2 * node))
    return node - n_leaves


@njit(cache=True, nogil=True)
def start_at(n_leaves: int, leaf: int, stack: np.ndarray) -> int:
    """Fill `stack` so that the leaf comes off first, then the other halves from small to large; its length."""
    node, depth = n_leaves + leaf, 0
    while (node >> depth) > 1:
        depth += 1
    for level in range(depth):
        stack[depth - 1 - level] = (node >> level) ^ 1
    stack[depth] = node
    return depth + 1


@njit(cache=True, nogil=True)
def groups_within(
    tree: Tree,
    groups: Groups,
    query: np.ndarray,
    day: int,
    radius: int,
    limit: float,
    distance: np.ndarray,
    group: np.ndarray,
) -> int:
    """Write every group with a permitted member no further than `limit` into `distance` and `group`; their number."""
    n_leaves, found = tree.bounds.size - 1, 0
    stack = np.empty(128, np.int64)
    stack[0], top = 1, 1
    while top > 0:
        top -= 1
        node = stack[top]
        if np.sqrt(box_gap(tree, query, query, node)) > limit:
            continue
        if node < n_leaves:
            stack[top], stack[top + 1] = 2 * node, 2 * node + 1
            top += 2
            continue
        for at in range(tree.bounds[node - n_leaves], tree.bounds[node - n_leaves + 1]):
            here = 0.0
            for axis in range(query.size):
                gap = tree.points[at, axis] - query[axis]
                here += gap * gap
            here = np.sqrt(here)
            if here <= limit and allowed_members(groups, tree.group[at], day, radius) > 0:
                distance[found], group[found] = here, tree.group[at]
                found += 1
    return found
