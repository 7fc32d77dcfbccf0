"""Compiled simplex weights: the rules of `neighbours.build_operator` on the groups that the tree finds."""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.tree_nearest import nearest_groups
from xdrought.kernels.tree_search import Groups, Tree, allowed_members, group_equal, groups_within, plant

TIE = 1e-9  # as in `neighbours`
FIRST = np.exp(-1.0)  # the weight of the nearest before all are made to sum to one


@njit(cache=True, nogil=True)
def operator_arrays(vectors: np.ndarray, queries: np.ndarray, library: np.ndarray, radius: int) -> tuple:
    """The fields of `neighbours.Operator` for delay vectors (time, E)."""
    time, k = vectors.shape[0], vectors.shape[1] + 1
    groups = group_equal(vectors, library)
    number, member_start, members = list_members(groups)
    starts = np.zeros(time + 1, np.int64)
    mapped, tied = np.zeros(time, np.bool_), np.zeros(time, np.bool_)
    columns, weights = np.empty(time * (k + 2), np.int64), np.empty(time * (k + 2))
    if groups.first.size < 2 or radius >= time:
        return starts, columns[:0], weights[:0], member_start, members, mapped, tied
    tree = plant(vectors, groups)
    days = _days_with_enough(queries, library, radius, k)
    square, group = nearest_groups(tree, groups, vectors, days, radius, k + 1, True)
    used, count, first_day = 0, groups.size, groups.first
    for row in range(days.size):
        day, before = days[row], used
        if used + k > columns.size:
            columns, weights = _longer(columns, used + k), _longer(weights, used + k)
        plain = group[row, k] >= 0 and square[row, 0] > 0.0 and square[row, k] > square[row, k - 1] * (1 + 6 * TIE)
        for slot in range(k):
            plain = plain and count[group[row, slot]] == 1
        if plain:  # single days, none at no distance, nothing tied with the last
            total, per_first = FIRST, 1.0 / square[row, 0]
            columns[used], weights[used] = first_day[group[row, 0]], FIRST
            for slot in range(1, k):
                columns[used + slot] = first_day[group[row, slot]]
                weights[used + slot] = np.exp(-np.sqrt(square[row, slot] * per_first))
                total += weights[used + slot]
            for slot in range(k):
                weights[used + slot] /= total
            used += k
        else:
            near, which, allowed = _every_tie(tree, groups, vectors[day], day, radius, square[row], group[row])
            share, tied[day] = _share(near, allowed, k)
            for at in range(near.size):
                if share[at] > 0.0:
                    needed = used + 2 + min(2 * radius + 1, count[which[at]])
                    if needed > columns.size:
                        columns, weights = _longer(columns, needed), _longer(weights, needed)
                    used = _write(groups, number, which[at], day, radius, share[at], columns, weights, used)
        mapped[day] = True
        starts[day + 1] = used - before
    return np.cumsum(starts), columns[:used], weights[:used], member_start, members, mapped, tied


@njit(cache=True, nogil=True)
def _every_tie(
    tree: Tree, groups: Groups, query: np.ndarray, day: int, radius: int, square: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances, groups and permitted members, completed when the list may lack ties of the last that is used."""
    k, found, reached, last = group.size - 1, 0, 0, 0.0
    near, allowed = np.sqrt(square), np.zeros(group.size, np.int64)
    while found <= k and group[found] >= 0:
        allowed[found] = allowed_members(groups, group[found], day, radius)
        if reached < k and near[0] > 0.0:
            last = near[found]
        reached += allowed[found]
        found += 1
    if found <= k or near[k] > last * (1 + 2 * TIE):
        return near[:found], group[:found], allowed[:found]
    near, group = np.empty(groups.first.size), np.empty(groups.first.size, np.int64)
    found = groups_within(tree, groups, query, day, radius, last * (1 + TIE), near, group)
    order = np.argsort(near[:found])
    near, group = near[order], group[order]
    allowed = np.empty(found, np.int64)
    for at in range(found):
        allowed[at] = allowed_members(groups, group[at], day, radius)
    return near, group, allowed


@njit(cache=True, nogil=True)
def list_members(groups: Groups) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the groups of several days (-1: one day); where the members of each start in `members`, and these."""
    group_at, count = groups.at, groups.size
    number, start = np.full(count.size, -1), np.zeros((count > 1).sum() + 1, np.int64)
    several = 0
    for group in range(count.size):
        if count[group] > 1:
            number[group] = several
            start[several + 1] = start[several] + count[group]
            several += 1
    filled, members = start.copy(), np.empty(start[-1], np.int64)
    for day in range(group_at.size):
        if group_at[day] >= 0 and number[group_at[day]] >= 0:
            members[filled[number[group_at[day]]]] = day
            filled[number[group_at[day]]] += 1
    return number, start, members


@njit(cache=True, nogil=True)
def _days_with_enough(queries: np.ndarray, library: np.ndarray, radius: int, k: int) -> np.ndarray:
    """Queried days with at least `k` library days outside their exclusion window."""
    time = library.size
    before = np.zeros(time + 1, np.int64)
    before[1:] = np.cumsum(library)
    days, n = np.empty(time, np.int64), 0
    for day in range(time):
        inside = before[min(day + radius + 1, time)] - before[max(day - radius, 0)]
        if queries[day] and before[time] - inside >= k:
            days[n] = day
            n += 1
    return days[:n].copy()


@njit(cache=True, nogil=True)
def _share(near: np.ndarray, allowed: np.ndarray, k: int) -> tuple[np.ndarray, bool]:
    """Weight of one member of each group, nearest first, and whether ties had to share."""
    share, last, reached = np.zeros(near.size), near[-1], 0
    if near[0] == 0.0:
        at_no_distance = near == 0.0
        share[at_no_distance] = 1.0 / allowed[at_no_distance].sum()
        return share, True
    for at in range(near.size):
        reached += allowed[at]
        if reached >= k:
            last = near[at]
            break
    slots, sharing, total = k, 0, 0.0
    for at in range(near.size):
        if near[at] < last * (1 - TIE):
            slots -= allowed[at]
        elif near[at] <= last * (1 + TIE):
            sharing += allowed[at]
    for at in range(near.size):
        if near[at] <= last * (1 + TIE):
            share[at] = np.exp(-near[at] / near[0])
        if near[at] >= last * (1 - TIE):
            share[at] *= slots / sharing
        total += share[at] * allowed[at]
    return share / total, sharing > slots


@njit(cache=True, nogil=True)
def _longer(values: np.ndarray, needed: int) -> np.ndarray:
    longer = np.empty(2 * needed, values.dtype)
    longer[: values.size] = values
    return longer


@njit(cache=True, nogil=True)
def _write(
    groups: Groups,
    number: np.ndarray,
    group: int,
    day: int,
    radius: int,
    share: float,
    columns: np.ndarray,
    weights: np.ndarray,
    used: int,
) -> int:
    """Append a group's entries: its day or its sum, less the members in the exclusion window; the new end."""
    if number[group] < 0:
        columns[used], weights[used] = groups.first[group], share
        return used + 1
    columns[used], weights[used] = groups.at.size + number[group], share
    used += 1
    for other in range(max(day - radius, 0), min(day + radius + 1, groups.at.size)):
        if groups.at[other] == group:
            columns[used], weights[used] = other, -share
            used += 1
    return used
