"""Compiled skill of nested random libraries.

The nearest neighbours of each day in the whole record are listed once. The neighbours in a library are the first of
that list that belong to it, which 64 libraries look for together (:mod:`xdrought.kernels.library_walks`), so that only
a day whose list is too short needs a search of its own.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.bits import WORD, take_mark
from xdrought.kernels.compilation import inner
from xdrought.kernels.compiled_operator import TIE, group_members
from xdrought.kernels.distinct_vectors import group_equal, nearest_groups, sort_points
from xdrought.kernels.library_walks import (
    NONE,
    NUMBERS,
    ONE,
    Libraries,
    Lists,
    Walk,
    able_libraries,
    lacking_libraries,
    make_libraries,
    make_lists,
    make_walk,
    walk_list,
    weigh,
)

LISTED = 30  # listed groups per neighbour: libraries down to about a twelfth of the record find theirs there
MANY = 8  # targets that fill a register; fewer are estimated in eight libraries at once


@njit(cache=True, nogil=True, error_model="numpy")
def library_skills(
    vectors: np.ndarray, days: np.ndarray, targets: np.ndarray, order: np.ndarray, sizes: np.ndarray, radius: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skill (k, sizes, samples) of targets (k, time) with libraries ``order[sample, :size]``.

    Parameters
    ----------
    vectors : ndarray (time, E)
    days : ndarray (time,) of bool
        Days to estimate; the targets and vectors are finite there.
    order : ndarray (samples, days) of int64
        These days in random order; no size is beyond them.

    Returns
    -------
    rho : ndarray (k, sizes, samples)
    mapped, tied : ndarray (sizes, samples) of int64
        Days with an estimate, and those of them with ties.
    """
    k, time, rows, groups = vectors.shape[1] + 1, days.size, np.flatnonzero(days), group_equal(vectors, days)
    n_samples = order.shape[0]
    rho = np.full((len(targets), sizes.size * n_samples), np.nan)
    n_mapped, n_tied = np.zeros(rho.shape[1], np.int64), np.zeros(rho.shape[1], np.int64)
    if groups.first.size > 1:
        number, member_start, members = group_members(groups)
        number_at = np.full(time, -1)
        for day in rows:
            number_at[day] = number[groups.at[day]]
        enough = (k + 3 * np.sqrt(k)) * rows.size / sizes.min()  # that many hold k days of the smallest library, mostly
        n_listed = min(int(enough) + 1, LISTED * k, NUMBERS - 1)
        square, group = nearest_groups(sort_points(vectors, groups), groups, vectors, rows, radius, n_listed, False)
        lists = make_lists(square, group, groups.first, number, time)
        values = _values(targets, rows, member_start.size - 1)
        for first in range(0, rho.shape[1], WORD):
            stop = min(first + WORD, rho.shape[1])
            some = make_libraries(order, sizes, first, stop, time, member_start, members)
            _sum_groups(some.holds, member_start, members, values, time)
            found = _map(vectors, rows, lists, some, values, order, first % n_samples, number_at, radius, k)
            for lane in range(stop - first):  # not one array into another: see `compiled_operator._longer`
                n_mapped[first + lane], n_tied[first + lane] = found[1][lane], found[2][lane]
                for target in range(len(rho)):
                    rho[target, first + lane] = found[0][target, lane]
    shape = (sizes.size, n_samples)
    return rho.reshape((len(targets), *shape)), n_mapped.reshape(shape), n_tied.reshape(shape)


@inner
def _values(targets: np.ndarray, rows: np.ndarray, n_groups: int) -> np.ndarray:
    """Targets (k, time) less their mean over `rows`, the same with the other sign, a zero, and 64 places a group."""
    time = targets.shape[1]
    values = np.zeros((len(targets), 2 * time + 1 + WORD * n_groups))
    for which in range(len(targets)):
        mean = 0.0
        for day in rows:
            mean += targets[which, day] / rows.size
        for day in rows:
            values[which, day] = targets[which, day] - mean
            values[which, time + day] = -values[which, day]
    return values


@inner
def _sum_groups(
    holds: np.ndarray, member_start: np.ndarray, members: np.ndarray, values: np.ndarray, time: int
) -> None:
    """Write the sums over the days of each group in each library into their places."""
    values[:, 2 * time + 1 :] = 0.0
    for which in range(len(values)):
        for group in range(member_start.size - 1):
            sums = values[which, 2 * time + 1 + WORD * group :]
            for day in members[member_start[group] : member_start[group + 1]]:
                for lane in range(WORD):
                    sums[lane] += values[which, day] if holds[day] >> np.uint64(lane) & ONE else 0.0


@inner
def _map(
    vectors: np.ndarray,
    rows: np.ndarray,
    lists: Lists,
    libraries: Libraries,
    values: np.ndarray,
    order: np.ndarray,
    first_sample: int,
    number_at: np.ndarray,
    radius: int,
    k: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skill (k, 64) of all targets, and days mapped and tied, of some libraries."""
    time, n_targets, n_listed = len(vectors), len(values), lists.group.shape[1]
    by_place, walk = values.T.copy(), make_walk(k, n_listed, min(2 * radius + 1, time))
    weight, power, distance, best = np.empty((k, WORD)), np.empty(k * WORD, np.int64), np.empty(rows.size), np.empty(k)
    given, estimate, listed = np.zeros((WORD, n_targets)), np.empty(max(WORD, n_targets)), np.zeros(n_listed + 1)
    mapped, is_mapped, n_tied = np.empty(rows.size, np.uint64), np.empty(WORD, np.bool_), np.zeros(WORD, np.int64)
    sums = np.zeros((4, n_targets, WORD) if n_targets < MANY else (4, WORD, n_targets))
    sums[0] = np.nan
    able, small = able_libraries(libraries, radius, k)
    for row in range(rows.size):
        day, wanted = rows[row], able
        if small & wanted:
            wanted &= ~lacking_libraries(libraries.holds[:time], small & wanted, libraries.sizes, day, radius, k)
        mapped[row] = wanted
        at, n_records, missing, tied = walk_list(lists, row, libraries, day, radius, number_at, wanted, walk)
        weigh(lists.near[row], walk, n_records > 0, missing, weight, power)
        is_given = n_records > 0 or missing > NONE
        for record in range(n_records):
            slot, lane = walk.record_slot[record] // WORD, walk.record_slot[record] % WORD
            for target in range(n_targets):
                given[lane, target] += weight[slot, lane] * by_place[walk.record_place[record], target]
        while missing:
            lane, missing = take_mark(missing)
            library = order[(first_sample + lane) % order.shape[0], : libraries.sizes[lane]]
            if _scan(vectors, day, library, radius, by_place, distance, best, given[lane]):
                tied |= ONE << np.uint64(lane)
        while tied:
            lane, tied = take_mark(tied)
            n_tied[lane] += 1
        if n_targets < MANY:
            _add_by_library(
                lists.place[row, :at], walk, weight, values, given, day, wanted, listed, estimate, is_mapped, sums
            )
        else:
            _add_by_target(lists.place[row], walk, weight, by_place, given, day, wanted, estimate, sums)
        if is_given:
            given[:] = 0.0
    rho, n_mapped = _correlate(sums, values, rows, mapped)
    return rho, n_mapped, n_tied


@inner(inline="always")
def _add_by_library(
    place: np.ndarray,
    walk: Walk,
    weight: np.ndarray,
    values: np.ndarray,
    given: np.ndarray,
    day: int,
    wanted: np.uint64,
    listed: np.ndarray,
    estimate: np.ndarray,
    is_mapped: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Estimate a day and add it to the sums (4, targets, 64), eight libraries at once.

    The sums are: the first estimate, and about it the sum of the estimates, that of their squares, and that of their
    products with the values. `listed`, `estimate` and `is_mapped` are room to work in.
    """
    for lane in range(WORD):
        is_mapped[lane] = wanted >> np.uint64(lane) & ONE == ONE
    for target in range(len(values)):
        value = values[target, day]
        for slot in range(place.size):
            listed[slot] = values[target, place[slot]]
        for lane in range(WORD):
            estimate[lane] = given[lane, target]
        for slot in range(len(weight)):
            for lane in range(WORD):
                estimate[lane] += weight[slot, lane] * listed[walk.found[slot, lane]]
        for lane in range(WORD):
            here, about, is_in = estimate[lane], sums[0, target, lane], is_mapped[lane]
            about = here if is_in & np.isnan(about) else about
            off = here - about if is_in else 0.0
            sums[0, target, lane] = about
            sums[1, target, lane] += off
            sums[2, target, lane] += off * off
            sums[3, target, lane] += off * value


@inner(inline="always")
def _add_by_target(
    place: np.ndarray,
    walk: Walk,
    weight: np.ndarray,
    by_place: np.ndarray,
    given: np.ndarray,
    day: int,
    wanted: np.uint64,
    estimate: np.ndarray,
    sums: np.ndarray,
) -> None:
    """The same for sums (4, 64, targets), eight targets at once."""
    n_targets = by_place.shape[1]
    while wanted:
        lane, wanted = take_mark(wanted)
        for target in range(n_targets):
            estimate[target] = given[lane, target]
        for slot in range(len(weight)):
            here = place[walk.found[slot, lane]]
            for target in range(n_targets):
                estimate[target] += weight[slot, lane] * by_place[here, target]
        for target in range(n_targets):
            about = sums[0, lane, target]
            about = estimate[target] if np.isnan(about) else about
            off = estimate[target] - about
            sums[0, lane, target] = about
            sums[1, lane, target] += off
            sums[2, lane, target] += off * off
            sums[3, lane, target] += off * by_place[day, target]


@inner
def _correlate(
    sums: np.ndarray, values: np.ndarray, rows: np.ndarray, mapped: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation (k, 64) from the sums, as `cross_map.pearson`, and days mapped (64,)."""
    rho, n_mapped = np.full((len(values), WORD), np.nan), np.zeros(WORD, np.int64)
    for row in range(rows.size):
        for lane in range(WORD):
            n_mapped[lane] += np.int64(mapped[row] >> np.uint64(lane) & ONE)
    for target in range(len(values)):
        whole = _spread(values[target], rows, mapped, NONE)
        for lane in range(WORD):
            n, (one, other) = n_mapped[lane], (target, lane) if len(values) < MANY else (lane, target)
            plain, squares, products = sums[1, one, other], sums[2, one, other], sums[3, one, other]
            if n < 3:
                continue
            mean, truth, largest = whole
            if n < rows.size:
                mean, truth, largest = _spread(values[target], rows, mapped, ONE << np.uint64(lane))
            spread = np.sqrt(max(squares - plain * plain / n, 0.0))
            if truth > 1e-13 * largest * np.sqrt(n) and spread > 1e-12 * truth:
                rho[target, lane] = min(max((products - plain * mean) / (spread * truth), -1.0), 1.0)
    return rho, n_mapped


@inner
def _spread(values: np.ndarray, rows: np.ndarray, mapped: np.ndarray, bit: np.uint64) -> tuple[float, float, float]:
    """Mean, root of the sum of squares about it, and largest size of the values on the days mapped; all for no bit."""
    n, mean, squares, largest = 0, 0.0, 0.0, 0.0
    for row in range(rows.size):
        if mapped[row] & bit == bit:
            n += 1
            mean += values[rows[row]]
            largest = max(largest, abs(values[rows[row]]))
    mean /= n
    for row in range(rows.size):
        if mapped[row] & bit == bit:
            squares += (values[rows[row]] - mean) ** 2
    return mean, np.sqrt(squares), largest


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
