"""Compiled skill of nested random libraries.

The nearest neighbours of each day in the whole record are listed once. The neighbours in a library are the first of
that list that belong to it, so that only a day whose list is too short needs a search of its own.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.compilation import inner
from xdrought.kernels.compiled_operator import TIE, group_members
from xdrought.kernels.distinct_vectors import group_equal, nearest_groups, sort_points

LISTED = 20  # listed groups per neighbour: libraries down to about a twelfth of the record find theirs there
ALWAYS = 1 << 40  # rank of a neighbour that has to be looked at again for every size


@njit(cache=True, nogil=True)
def library_skills(
    vectors: np.ndarray, days: np.ndarray, targets: np.ndarray, order: np.ndarray, sizes: np.ndarray, radius: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skill (k, sizes, samples) of targets (k, time) with libraries ``order[sample, :size]``, sizes descending.

    Parameters
    ----------
    vectors : ndarray (time, E)
    days : ndarray (time,) of bool
        Days to estimate; the targets and vectors are finite there.
    order : ndarray (samples, days) of int64
        These days in random order.

    Returns
    -------
    rho : ndarray (k, sizes, samples)
    mapped, tied : ndarray (sizes, samples) of int64
        Days with an estimate, and those of them with ties. Nothing for sizes beyond the days.
    """
    k, time = vectors.shape[1] + 1, days.size
    rows, groups = np.flatnonzero(days), group_equal(vectors, days)
    rho = np.full((targets.shape[0], sizes.size, order.shape[0]), np.nan)
    n_mapped, n_tied = np.zeros(rho.shape[1:], np.int64), np.zeros(rho.shape[1:], np.int64)
    if groups.first.size < 2:
        return rho, n_mapped, n_tied
    number, member_start, members = group_members(groups)
    number_at = np.full(time, -1)
    for day in rows:
        number_at[day] = number[groups.at[day]]
    square, group = nearest_groups(sort_points(vectors, groups), groups, vectors, rows, radius, LISTED * k, False)
    near, entry = np.sqrt(square), np.full(group.shape, ALWAYS)
    for row in range(rows.size):
        for slot in range(group.shape[1]):
            which = group[row, slot]
            if which >= 0:
                entry[row, slot] = groups.first[which] if number[which] < 0 else -1 - number[which]
    values = _centre(targets, rows)
    rank, keep_until = np.empty(time, np.int64), np.empty(rows.size, np.int64)
    estimate, tied, mapped = np.zeros((rows.size, len(targets))), np.zeros(rows.size, np.bool_), rows >= 0
    count, total = np.empty(member_start.size - 1, np.int64), np.empty((member_start.size - 1, len(targets)))
    for sample in range(order.shape[0]):
        rank[:], keep_until[:] = ALWAYS, ALWAYS
        for place in range(order.shape[1]):
            rank[order[sample, place]] = place
        for at in range(sizes.size):
            size = sizes[at]
            if size > rows.size:
                continue
            n_distinct = size - _count_members(member_start, members, rank, size, values, count, total)
            if n_distinct < 2:
                mapped[:] = False
            else:
                library = order[sample, :size]
                _map(
                    vectors,
                    rows,
                    near,
                    entry,
                    values,
                    library,
                    rank,
                    number_at,
                    count,
                    total,
                    radius,
                    k,
                    keep_until,
                    estimate,
                    tied,
                    mapped,
                )
            n_mapped[at, sample], n_tied[at, sample] = mapped.sum(), (mapped & tied).sum()
            found = _correlate(estimate, values, rows, mapped)
            for target in range(found.size):  # not one array into another: see `compiled_operator._longer`
                rho[target, at, sample] = found[target]
    return rho, n_mapped, n_tied


@inner
def _centre(targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Targets (time, k) less their mean over `rows`, 0 elsewhere."""
    values = np.zeros((targets.shape[1], targets.shape[0]))
    for which in range(targets.shape[0]):
        mean = 0.0
        for day in rows:
            mean += targets[which, day] / rows.size
        for day in rows:
            values[day, which] = targets[which, day] - mean
    return values


@inner
def _count_members(
    member_start: np.ndarray,
    members: np.ndarray,
    rank: np.ndarray,
    size: int,
    values: np.ndarray,
    count: np.ndarray,
    total: np.ndarray,
) -> int:
    """Library members of each group of several days and the sums of their values; how many days merely repeat."""
    repeats = 0
    for group in range(member_start.size - 1):
        count[group], total[group] = 0, 0.0
        for at in range(member_start[group], member_start[group + 1]):
            if rank[members[at]] < size:
                count[group] += 1
                for which in range(values.shape[1]):
                    total[group, which] += values[members[at], which]
        repeats += max(count[group] - 1, 0)
    return repeats


@inner
def _map(
    vectors: np.ndarray,
    rows: np.ndarray,
    near: np.ndarray,
    entry: np.ndarray,
    values: np.ndarray,
    library: np.ndarray,
    rank: np.ndarray,
    number_at: np.ndarray,
    count: np.ndarray,
    total: np.ndarray,
    radius: int,
    k: int,
    keep_until: np.ndarray,
    estimate: np.ndarray,
    tied: np.ndarray,
    mapped: np.ndarray,
) -> None:
    """Estimate every row from one library. Rows whose neighbours all stay when the library shrinks are left alone."""
    size, n_listed = library.size, near.shape[1]
    used, allowed = np.empty(n_listed, np.int64), np.empty(n_listed, np.int64)
    distance, best = np.empty(size), np.empty(k)
    for row in range(rows.size):
        if keep_until[row] < size:
            continue
        day, keep_until[row] = rows[row], ALWAYS
        mapped[row] = size - 2 * radius - 1 >= k or size - _inside(rank, day, radius, size) >= k
        if not mapped[row]:
            continue
        n_used, reached, last, newest, complete = 0, 0, np.inf, 0, False
        for slot in range(n_listed):
            which = entry[row, slot]
            complete = which == ALWAYS or near[row, slot] > last * (1 + TIE)
            if complete:
                break
            if which >= 0:
                if rank[which] >= size:
                    continue
                allowed[n_used], newest = 1, max(newest, rank[which])
            else:
                allowed[n_used] = count[-1 - which] - _inside_group(rank, number_at, -1 - which, day, radius, size)
                newest = ALWAYS
                if allowed[n_used] == 0:
                    continue
            used[n_used] = slot
            reached += allowed[n_used]
            n_used += 1
            if near[row, slot] == 0.0:
                complete = True
                break
            if reached >= k and last == np.inf:
                last = near[row, slot]
        if not complete:
            tied[row] = _scan(vectors, day, library, radius, values, distance, best, estimate[row])
            continue
        first = near[row, used[0]]
        slots, sharing, weights = k, 0, 0.0
        for at in range(n_used):
            if near[row, used[at]] < last * (1 - TIE):
                slots -= allowed[at]
            else:
                sharing += allowed[at]
        if first == 0.0:
            slots, sharing = 0, allowed[0]
        tied[row] = sharing > slots
        if not tied[row]:
            keep_until[row] = newest
        per_first = 1.0 / first if first > 0.0 else 0.0
        for target in range(values.shape[1]):
            estimate[row, target] = 0.0
        for at in range(n_used):
            here, which = near[row, used[at]], entry[row, used[at]]
            weight = np.exp(-here * per_first)
            if first > 0.0 and here >= last * (1 - TIE):
                weight *= slots / sharing
            weights += weight * allowed[at]
            if which >= 0:
                for target in range(values.shape[1]):
                    estimate[row, target] += weight * values[which, target]
            else:
                _add_group(total, values, rank, number_at, -1 - which, day, radius, size, weight, estimate[row])
        for target in range(values.shape[1]):
            estimate[row, target] /= weights


@inner
def _inside(rank: np.ndarray, day: int, radius: int, size: int) -> int:
    """Library days in the exclusion window."""
    inside = 0
    for other in range(max(day - radius, 0), min(day + radius + 1, rank.size)):
        inside += rank[other] < size
    return inside


@inner
def _inside_group(rank: np.ndarray, number_at: np.ndarray, number: int, day: int, radius: int, size: int) -> int:
    """Library days of a group in the exclusion window."""
    inside = 0
    for other in range(max(day - radius, 0), min(day + radius + 1, rank.size)):
        inside += number_at[other] == number and rank[other] < size
    return inside


@inner
def _add_group(
    total: np.ndarray,
    values: np.ndarray,
    rank: np.ndarray,
    number_at: np.ndarray,
    number: int,
    day: int,
    radius: int,
    size: int,
    weight: float,
    estimate: np.ndarray,
) -> None:
    """Add the permitted library members of a group, each with `weight`."""
    estimate += weight * total[number]
    for other in range(max(day - radius, 0), min(day + radius + 1, rank.size)):
        if number_at[other] == number and rank[other] < size:
            estimate -= weight * values[other]


@inner
def _scan(
    vectors: np.ndarray,
    day: int,
    library: np.ndarray,
    radius: int,
    values: np.ndarray,
    distance: np.ndarray,
    best: np.ndarray,
    estimate: np.ndarray,
) -> bool:
    """Estimate one day by looking at the whole library, for days whose list is too short; whether ties had to share.

    `distance` (library,) and `best` (k,) are room to work in.
    """
    k = best.size
    best[:] = np.inf
    for at in range(library.size):
        square = 0.0
        for axis in range(vectors.shape[1]):
            gap = vectors[library[at], axis] - vectors[day, axis]
            square += gap * gap
        distance[at] = np.sqrt(square) if abs(library[at] - day) > radius else np.inf
        if distance[at] < best[k - 1]:
            slot = k - 1
            while slot > 0 and best[slot - 1] > distance[at]:
                best[slot] = best[slot - 1]
                slot -= 1
            best[slot] = distance[at]
    first, last = best[0], best[k - 1] if best[0] > 0.0 else 0.0
    slots, sharing, weights = k, 0, 0.0
    for at in range(library.size):
        if distance[at] <= last * (1 + TIE):
            slots -= distance[at] < last * (1 - TIE)
            sharing += distance[at] >= last * (1 - TIE)
    for target in range(estimate.size):
        estimate[target] = 0.0
    for at in range(library.size):
        if distance[at] <= last * (1 + TIE):
            weight = np.exp(-distance[at] / first) if first > 0.0 else 1.0
            if distance[at] >= last * (1 - TIE):
                weight *= slots / sharing
            weights += weight
            for target in range(estimate.size):
                estimate[target] += weight * values[library[at], target]
    for target in range(estimate.size):
        estimate[target] /= weights
    return first == 0.0 or sharing > slots


@inner
def _correlate(estimate: np.ndarray, values: np.ndarray, rows: np.ndarray, mapped: np.ndarray) -> np.ndarray:
    """Correlation (k,) of estimates (rows, k) and values (time, k) on the mapped rows; as `cross_map.pearson`."""
    n, n_targets = mapped.sum(), values.shape[1]
    rho = np.full(n_targets, np.nan)
    if n < 3:
        return rho
    for target in range(n_targets):
        mean_a = mean_b = largest = 0.0
        for row in range(rows.size):
            if mapped[row]:
                mean_a += estimate[row, target]
                mean_b += values[rows[row], target]
                largest = max(largest, abs(values[rows[row], target]))
        mean_a, mean_b = mean_a / n, mean_b / n
        spread = truth = both = 0.0
        for row in range(rows.size):
            if mapped[row]:
                a, b = estimate[row, target] - mean_a, values[rows[row], target] - mean_b
                spread, truth, both = spread + a * a, truth + b * b, both + a * b
        spread, truth = np.sqrt(spread), np.sqrt(truth)
        if truth > 1e-13 * largest * np.sqrt(n) and spread > 1e-12 * truth:
            rho[target] = min(max(both / (spread * truth), -1.0), 1.0)
    return rho
