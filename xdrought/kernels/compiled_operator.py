"""Compiled weights of the nearest neighbours as a linear operator, with every tie, and its skill for many targets."""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.compilation import inner
from xdrought.kernels.distinct_vectors import (
    Groups,
    Points,
    allowed_members,
    group_equal,
    groups_within,
    nearest_groups,
    sort_points,
)

TIE = 1e-9  # as in `neighbours`
FIRST = np.exp(-1.0)  # the weight of the nearest before all are made to sum to one


@njit(cache=True, nogil=True)
def operator_arrays(vectors: np.ndarray, queries: np.ndarray, library: np.ndarray, radius: int) -> tuple:
    """The fields of `neighbours.Operator` for delay vectors (time, E)."""
    time, k = vectors.shape[0], vectors.shape[1] + 1
    groups = group_equal(vectors, library)
    number, member_start, members = group_members(groups)
    starts = np.zeros(time + 1, np.int64)
    mapped, tied = np.zeros(time, np.bool_), np.zeros(time, np.bool_)
    columns, weights = np.empty(time * (k + 2), np.int64), np.empty(time * (k + 2))
    if groups.first.size < 2 or radius >= time:
        return starts, columns[:0], weights[:0], member_start, members, mapped, tied
    points = sort_points(vectors, groups)
    days = _days_with_enough(queries, library, radius, k)
    square, group = nearest_groups(points, groups, vectors, days, radius, k + 1, True)
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
            near, which, allowed = _every_tie(points, groups, vectors, day, radius, square[row], group[row])
            share, tied[day] = _share(near, allowed, k)
            for at in range(near.size):
                if share[at] > 0.0:
                    needed = used + 2 + min(2 * radius + 1, count[which[at]])
                    if needed > columns.size:
                        columns, weights = _longer(columns, needed), _longer(weights, needed)
                    used = _write(groups, number, which[at], day, radius, share[at], columns, weights, used)
        mapped[day] = True
        starts[day + 1] = used - before
    for day in range(time):
        starts[day + 1] += starts[day]
    return starts, columns[:used], weights[:used], member_start, members, mapped, tied


@inner
def _every_tie(
    points: Points, groups: Groups, vectors: np.ndarray, day: int, radius: int, square: np.ndarray, group: np.ndarray
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
    found = groups_within(points, groups, vectors, day, radius, last * (1 + TIE), near, group)
    order = np.argsort(near[:found])
    near, group = near[order], group[order]
    allowed = np.empty(found, np.int64)
    for at in range(found):
        allowed[at] = allowed_members(groups, group[at], day, radius)
    return near, group, allowed


@inner
def group_members(groups: Groups) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the groups of several days (-1: one day); where the members of each start in `members`, and these."""
    group_at, count = groups.at, groups.size
    several = 0
    for group in range(count.size):
        several += count[group] > 1
    number, start = np.full(count.size, -1), np.zeros(several + 1, np.int64)
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


@inner
def _days_with_enough(queries: np.ndarray, library: np.ndarray, radius: int, k: int) -> np.ndarray:
    """Queried days with at least `k` library days outside their exclusion window."""
    time = library.size
    before = np.zeros(time + 1, np.int64)
    for day in range(time):
        before[day + 1] = before[day] + library[day]
    days, n = np.empty(time, np.int64), 0
    for day in range(time):
        inside = before[min(day + radius + 1, time)] - before[max(day - radius, 0)]
        if queries[day] and before[time] - inside >= k:
            days[n] = day
            n += 1
    return days[:n].copy()


@inner
def _share(near: np.ndarray, allowed: np.ndarray, k: int) -> tuple[np.ndarray, bool]:
    """Weight of one member of each group, nearest first, and whether ties had to share."""
    share, last, reached = np.zeros(near.size), near[-1], 0
    if near[0] == 0.0:
        for at in range(near.size):
            reached += allowed[at] if near[at] == 0.0 else 0
        for at in range(near.size):
            share[at] = 1.0 / reached if near[at] == 0.0 else 0.0
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
    for at in range(near.size):
        share[at] /= total
    return share, sharing > slots


@inner
def _longer(values: np.ndarray, needed: int) -> np.ndarray:
    longer = np.empty(2 * needed, values.dtype)
    for at in range(values.size):  # not one array into another, for which numba compiles seconds of error messages
        longer[at] = values[at]
    return longer


@inner
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


LANES = 32  # targets estimated together: their values fill whole cache lines, and one block of them the cache


@njit(cache=True, nogil=True)
def skills(
    starts: np.ndarray,
    columns: np.ndarray,
    weights: np.ndarray,
    member_starts: np.ndarray,
    members: np.ndarray,
    mapped: np.ndarray,
    targets: np.ndarray,
) -> np.ndarray:
    """Correlation (k,) of targets (k, time), finite on the mapped days, with their estimates; as `pearson`."""
    days, time, k = np.flatnonzero(mapped), mapped.size, targets.shape[0]
    rho = np.full(k, np.nan)
    if days.size < 3:
        return rho
    total = np.zeros(time + member_starts.size - 1)  # weight of each column in the mean estimate
    for entry in range(columns.size):
        total[columns[entry]] += weights[entry]
    values = np.zeros((total.size, min(LANES, k)))
    for first in range(0, k, LANES):
        lanes = min(LANES, k - first)
        largest = _load(targets[first : first + lanes], days, member_starts, members, values)
        spread, truth, both = _moments(starts, columns, weights, days, total, values, lanes)
        for lane in range(lanes):
            a, b = np.sqrt(spread[lane]), np.sqrt(truth[lane])
            if b > 1e-13 * largest[lane] * np.sqrt(days.size) and a > 1e-12 * b:
                rho[first + lane] = min(max(both[lane] / (a * b), -1.0), 1.0)
    return rho


@inner
def _load(
    targets: np.ndarray, days: np.ndarray, member_starts: np.ndarray, members: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Centred targets and their sums over groups into `values` (column, lane); the largest size of each target."""
    lanes, time = targets.shape
    largest, mean, again = np.zeros(lanes), np.zeros(lanes), np.zeros(lanes)
    for lane in range(lanes):
        for day in range(time):
            values[day, lane] = targets[lane, day]
    for day in days:
        for lane in range(lanes):
            mean[lane] += values[day, lane]
    mean /= days.size
    for day in days:  # centred twice, so that sums lose nothing on pressures in Pa
        for lane in range(lanes):
            again[lane] += values[day, lane] - mean[lane]
    again /= days.size
    for day in range(time):
        for lane in range(lanes):
            here = (values[day, lane] - mean[lane]) - again[lane]
            values[day, lane] = here if np.isfinite(here) else 0.0
    for day in days:
        for lane in range(lanes):
            largest[lane] = max(largest[lane], abs(values[day, lane]))
    for group in range(member_starts.size - 1):
        values[time + group] = 0.0
        for at in range(member_starts[group], member_starts[group + 1]):
            for lane in range(lanes):
                values[time + group, lane] += values[members[at], lane]
    return largest


@inner
def _moments(
    starts: np.ndarray,
    columns: np.ndarray,
    weights: np.ndarray,
    days: np.ndarray,
    total: np.ndarray,
    values: np.ndarray,
    lanes: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums over `days` of the squared anomalies of the estimates and of the truth, and of their products."""
    mean, estimate = np.zeros(lanes), np.zeros(lanes)
    spread, truth, both = np.zeros(lanes), np.zeros(lanes), np.zeros(lanes)
    for column in range(total.size):
        for lane in range(lanes):
            mean[lane] += total[column] * values[column, lane] / days.size
    for day in days:
        for lane in range(lanes):
            estimate[lane] = -mean[lane]
        for entry in range(starts[day], starts[day + 1]):
            weight, column = weights[entry], columns[entry]
            for lane in range(lanes):
                estimate[lane] += weight * values[column, lane]
        for lane in range(lanes):
            spread[lane] += estimate[lane] * estimate[lane]
            truth[lane] += values[day, lane] * values[day, lane]
            both[lane] += estimate[lane] * values[day, lane]
    return spread, truth, both
