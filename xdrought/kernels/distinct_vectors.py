"""Compiled lists of the nearest distinct delay vectors, ties and repetitions included.

Library days with equal vectors are one group. The groups lie in the order of the sum of their coordinates, and each
query looks to both sides until none can be nearer (:mod:`xdrought.kernels.sorted_scan` says why).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xdrought.kernels.compilation import inner

CHUNK = 16  # vectors looked at between two questions whether to go on
TIES = 1 + 1e-8  # so far beyond the last that ties with it are seen


class Groups(NamedTuple):
    """Library days with equal vectors: the group of each day (-1: none), and each group's first day and size."""

    at: np.ndarray
    first: np.ndarray
    size: np.ndarray


class Points(NamedTuple):
    """The distinct vectors in the order of their sums, to within `step`."""

    coordinates: np.ndarray  # (E, m)
    sums: np.ndarray
    group: np.ndarray
    place: np.ndarray  # by group
    mean: float  # of the first coordinate, taken off every coordinate before summing
    step: float


@inner
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


@inner
def _equal(words: np.ndarray, one: int, other: int) -> bool:
    for axis in range(words.shape[1]):  # noqa: SIM110, compiled as a loop
        if words[one, axis] != words[other, axis]:
            return False
    return True


@inner
def allowed_members(groups: Groups, group: int, day: int, radius: int) -> int:
    """Members of a group that are further in time from `day` than the exclusion radius."""
    return _allowed(groups.at, groups.first, groups.size, group, day, radius)


@inner
def _allowed(at: np.ndarray, first: np.ndarray, count: np.ndarray, group: int, day: int, radius: int) -> int:
    if count[group] == 1:
        return 1 if abs(first[group] - day) > radius else 0
    allowed = count[group]
    for other in range(max(day - radius, 0), min(day + radius + 1, at.size)):
        allowed -= at[other] == group
    return allowed


@inner
def sort_points(vectors: np.ndarray, groups: Groups) -> Points:
    """The distinct vectors; at least one."""
    m, dim, first = groups.first.size, vectors.shape[1], groups.first
    raw, sums, order, place = np.empty(m), np.empty(m), np.arange(m), np.empty(m, np.int64)
    coordinates, mean, largest = np.empty((dim, m)), 0.0, 0.0
    for group in range(m):
        mean += vectors[first[group], 0] / m
    for group in range(m):
        raw[group] = _sum(vectors[first[group]], mean)
        largest = max(largest, abs(raw[group]))
    step = order_by_sum(raw, m, order, np.empty(4 * m, np.int64))
    # without differences nothing is too far; with them, not what rounding may have moved
    step = step + 1e-15 * dim * (dim * abs(mean) + largest) if step > 0.0 else np.inf
    for at in range(m):
        place[order[at]], sums[at] = at, raw[order[at]]
        for axis in range(dim):
            coordinates[axis, at] = vectors[first[order[at]], axis]
    return Points(coordinates, sums, order, place, mean, step)


@inner
def order_by_sum(sums: np.ndarray, n: int, order: np.ndarray, room: np.ndarray) -> float:
    """Order the first `n` of `sums` to within a step that is given back, by counting; `order` gets their numbers.

    `room` (at least 2 n) of int64 is to work in. The step is negative where the sums do not differ.
    """
    low, high = np.inf, -np.inf
    for at in range(n):
        low, high = min(low, sums[at]), max(high, sums[at])
    steps = room.size // 2
    if not 0.0 < high - low < np.inf:
        return -1.0
    per_sum = (steps - 1) / (high - low)
    start, step = room[:steps], room[steps:]
    start[:] = 0
    for at in range(n):
        step[at] = np.int64((sums[at] - low) * per_sum)
        start[step[at]] += 1
    before = 0
    for here in range(steps):
        count = start[here]
        start[here] = before
        before += count
    for at in range(n):
        order[start[step[at]]] = at
        start[step[at]] += 1
    return (1 + 1e-9) / per_sum


@inner
def _sum(vector: np.ndarray, mean: float) -> float:
    total = 0.0
    for value in vector:
        total += value - mean
    return total


@inner
def nearest_groups(
    points: Points, groups: Groups, vectors: np.ndarray, days: np.ndarray, radius: int, k: int, complete: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest groups with a permitted member of each of `days`.

    Returns
    -------
    square, group : ndarray (days, k)
        Squared distances, ascending, and groups; inf and -1 where there are fewer. When the whole library is there
        (`complete`), a day whose own vector occurs again has that group alone, since nothing further away has a weight;
        otherwise groups of several days are listed whether or not a member is permitted.
    """
    square, group = np.full((days.size, k), np.inf), np.full((days.size, k), -1)
    ahead, dim = np.empty(CHUNK), vectors.shape[1]
    # taken out once, and no row is sliced out: each look into a tuple and each slice costs a count
    at, first, count = groups.at, groups.first, groups.size
    coordinates, sums, group_of, place = points.coordinates, points.sums, points.group, points.place
    for row in range(days.size):
        day = days[row]
        own = at[day]
        if complete and own >= 0 and count[own] > 1 and _allowed(at, first, count, own, day, radius) > 0:
            square[row, 0], group[row, 0] = 0.0, own
            continue
        total = 0.0
        for axis in range(dim):
            total += vectors[day, axis] - points.mean
        low = high = place[own] if own >= 0 else _begin(sums, total)
        to_left, to_right = low > 0, high < sums.size
        while to_left or to_right:
            for is_right in range(2):
                if not (to_right if is_right else to_left):
                    continue
                start = high if is_right else max(low - CHUNK, 0)
                n = min(CHUNK, sums.size - high) if is_right else low - start
                if _squares(coordinates, vectors, day, start, n, square[row, k - 1], ahead):
                    for ahead_at in range(n):
                        here, which = ahead[ahead_at], group_of[start + ahead_at]
                        if here >= square[row, k - 1]:
                            continue
                        if count[which] == 1:
                            if abs(first[which] - day) <= radius:
                                continue
                        elif complete and _allowed(at, first, count, which, day, radius) == 0:
                            continue
                        slot = k - 1
                        while slot > 0 and square[row, slot - 1] > here:
                            square[row, slot], group[row, slot] = square[row, slot - 1], group[row, slot - 1]
                            slot -= 1
                        square[row, slot], group[row, slot] = here, which
                if is_right:
                    high += n
                    gap = sums[high] - total if high < sums.size else np.inf
                    to_right = high < sums.size and not _is_far(gap - points.step, dim, square[row, k - 1])
                else:
                    low = start
                    gap = total - sums[low - 1] if low > 0 else np.inf
                    to_left = low > 0 and not _is_far(gap - points.step, dim, square[row, k - 1])
    return square, group


@inner
def _begin(sums: np.ndarray, total: float) -> int:
    """About where a sum belongs."""
    low, high = 0, sums.size
    while low < high:
        middle = (low + high) // 2
        if sums[middle] < total:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _is_far(gap: float, dim: int, square: float) -> bool:
    """Whether vectors whose sums differ by `gap` or more are further apart than a squared distance."""
    return gap > 0.0 and gap * gap > dim * square * TIES


@inner
def _squares(
    coordinates: np.ndarray, vectors: np.ndarray, day: int, start: int, n: int, last: float, squares: np.ndarray
) -> int:
    """Squared distances of a day's vector to `n` points from number `start` on; how many are below `last`."""
    below = 0
    for at in range(n):
        squares[at] = 0.0
    for axis in range(vectors.shape[1]):
        value = vectors[day, axis]
        for at in range(n):
            gap = coordinates[axis, np.uintp(start + at)] - value  # unsigned: numba does not ask whether it is negative
            squares[at] += gap * gap
    for at in range(n):
        below += squares[at] < last
    return below


@inner
def groups_within(
    points: Points,
    groups: Groups,
    vectors: np.ndarray,
    day: int,
    radius: int,
    limit: float,
    distance: np.ndarray,
    group: np.ndarray,
) -> int:
    """Write every group with a permitted member no further than `limit` into `distance` and `group`; their number."""
    total, found, square, dim = _sum(vectors[day], points.mean), 0, np.empty(1), vectors.shape[1]
    begin, sums, coordinates, group_of = _begin(points.sums, total), points.sums, points.coordinates, points.group
    for direction in (-1, 1):
        place = begin if direction > 0 else begin - 1
        while 0 <= place < sums.size:
            if _is_far((sums[place] - total) * direction - points.step, dim, limit * limit):
                break
            _squares(coordinates, vectors, day, place, 1, limit, square)
            here = np.sqrt(square[0])
            if here <= limit and allowed_members(groups, group_of[place], day, radius) > 0:
                distance[found], group[found] = here, group_of[place]
                found += 1
            place += direction
    return found
