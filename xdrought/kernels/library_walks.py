"""Neighbours of a day in 64 random libraries at once, found along one list of its neighbours in the whole record.

A word of 64 bits says for each day in which of the libraries it is. Distinct vectors at one distance are a level of the
list: a library that needs fewer days than it has of a level gives each of them its share.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xdrought.kernels.bits import WORD, take_mark, write_marked
from xdrought.kernels.compilation import inner
from xdrought.kernels.compiled_operator import FIRST, TIE
from xdrought.kernels.plain_maps import exponentials

NUMBERS = 255  # listed groups have numbers of one byte, the last of which is for none
NONE, ONE = np.uint64(0), np.uint64(1)


class Lists(NamedTuple):
    """Neighbours of each of some days (rows), the nearest first: distinct vectors in levels at one distance each."""

    near: np.ndarray  # (rows, listed + 1): distances; one more, at infinity, is for none
    group: np.ndarray  # (rows, listed): the day that has the vector; behind all days, the number of a group of them
    level: np.ndarray  # (rows, listed): where a level ends, 0 for one of a single day that is not at no distance
    place: np.ndarray  # (rows, listed + 1): of the value of such a day, else of a zero, see :func:`_values`
    length: np.ndarray  # (rows,): as far as all levels are whole


class Libraries(NamedTuple):
    """Up to 64 libraries, each of which is a bit, or a lane."""

    sizes: np.ndarray  # (64,), 0 where there is none
    holds: np.ndarray  # (time + groups,) uint64: which libraries have a day, or any day of a group
    n_held: np.ndarray  # (groups, 64): how many days of a group they have


class Walk(NamedTuple):
    """Neighbours found along a list in 64 libraries: up to k levels, each in the slot of its first neighbour.

    The days of a level of several are records: a slot, and the place of a value.
    """

    held: np.ndarray  # (k,) uint64: which libraries have a neighbour for a slot
    found: np.ndarray  # (k, 64) uint8: the number of the level in the list
    share: np.ndarray  # (k, 64): of the weight of a level's distance, for each of its days
    n_members: np.ndarray  # (k, 64): days of a level
    record_slot: np.ndarray  # slot * 64 + library
    record_place: np.ndarray
    slot: np.ndarray  # (64,), of the level that is being looked at
    members: np.ndarray  # (64,), its days


@inner
def make_lists(square: np.ndarray, group: np.ndarray, first_day: np.ndarray, number: np.ndarray, time: int) -> Lists:
    """Divide listed groups into levels."""
    n_rows, n_listed = group.shape
    near, member = np.full((n_rows, n_listed + 1), np.inf), np.zeros((n_rows, n_listed), np.int64)
    level, place = np.zeros((n_rows, n_listed), np.int64), np.full((n_rows, n_listed + 1), 2 * time)
    length = np.zeros(n_rows, np.int64)
    for row in range(n_rows):
        n = 0
        while n < n_listed and group[row, n] >= 0:
            which = group[row, n]
            near[row, n] = np.sqrt(square[row, n])
            member[row, n] = first_day[which] if number[which] < 0 else time + number[which]
            n += 1
        at = 0
        while at < n:
            stop = at + 1
            while stop < n and near[row, stop] <= near[row, at] * (1 + TIE):
                stop += 1
            last, beyond = near[row, stop - 1], near[row, stop] if stop < n or n < n_listed else 0.0
            if last > near[row, at] * (1 + TIE / 10) or beyond <= last * (1 + 2 * TIE):
                break  # not clearly one level, or tied with what is not listed
            if stop > at + 1 or member[row, at] >= time or last == 0.0:
                level[row, at] = stop
            else:
                place[row, at] = member[row, at]
            at = stop
        length[row] = at
    return Lists(near, member, level, place, length)


@inner
def make_libraries(
    order: np.ndarray,
    sizes: np.ndarray,
    first: int,
    stop: int,
    time: int,
    member_start: np.ndarray,
    members: np.ndarray,
) -> Libraries:
    """Those from number `first` to `stop`, of one size after the other."""
    n_groups, size_of = member_start.size - 1, np.zeros(WORD, np.int64)
    holds, n_held = np.zeros(time + n_groups, np.uint64), np.zeros((n_groups, WORD), np.int64)
    for library in range(first, stop):
        bit = ONE << np.uint64(library - first)
        size_of[library - first] = sizes[library // order.shape[0]]
        for day in order[library % order.shape[0], : size_of[library - first]]:
            holds[day] |= bit
    for group in range(n_groups):
        for day in members[member_start[group] : member_start[group + 1]]:
            holds[time + group] |= holds[day]
            for lane in range(WORD):
                n_held[group, lane] += np.int64(holds[day] >> np.uint64(lane) & ONE)
    return Libraries(size_of, holds, n_held)


@inner
def able_libraries(libraries: Libraries, radius: int, k: int) -> tuple[np.uint64, np.uint64]:
    """Libraries with two distinct vectors, and those of them that may have fewer than `k` days outside a window."""
    able, small = NONE, NONE
    for lane in range(WORD):
        size, distinct, bit = libraries.sizes[lane], libraries.sizes[lane], ONE << np.uint64(lane)
        for group in range(len(libraries.n_held)):
            distinct -= max(libraries.n_held[group, lane] - 1, 0)
        able |= bit if distinct > 1 else NONE
        small |= bit if size - 2 * radius - 1 < k else NONE
    return able, small


@inner
def lacking_libraries(
    holds: np.ndarray, asked: np.uint64, sizes: np.ndarray, day: int, radius: int, k: int
) -> np.uint64:
    """Which of the libraries `asked` about have fewer than `k` days outside the window of a day."""
    lacks, counts = NONE, np.zeros(WORD, np.int64)
    for other in range(max(day - radius, 0), min(day + radius + 1, holds.size)):
        for lane in range(WORD):
            counts[lane] += np.int64(holds[other] >> np.uint64(lane) & ONE)
    for lane in range(WORD):
        lacks |= ONE << np.uint64(lane) if sizes[lane] - counts[lane] < k else NONE
    return lacks & asked


@inner(inline="always")
def make_walk(k: int, n_listed: int, most_excluded: int) -> Walk:
    """Room for a walk of `n_listed` groups, where so many days at most may not be neighbours."""
    most = (n_listed + most_excluded) * WORD
    return Walk(
        np.empty(k, np.uint64),
        np.empty((k, WORD), np.uint8),
        np.ones((k, WORD)),
        np.ones((k, WORD)),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(WORD, np.int64),
        np.empty(WORD, np.int64),
    )


@inner(inline="always")
def walk_list(
    lists: Lists,
    row: int,
    libraries: Libraries,
    day: int,
    radius: int,
    number_at: np.ndarray,
    wanted: np.uint64,
    walk: Walk,
) -> tuple[int, int, np.uint64, np.uint64]:
    """Walk along the list of a day until all wanted libraries have their neighbours, or it ends.

    How far that was, how many records there are, and the libraries that still miss neighbours and those with ties.
    """
    holds, group, level, length = libraries.holds, lists.group, lists.level, lists.length[row]
    held, found, k = walk.held, walk.found, len(walk.held)
    held[:], found[:] = NONE, group.shape[1]
    at, n_records, missing, tied = 0, 0, wanted, NONE
    while missing and at < length:
        if level[row, at] == 0:
            arriving = holds[group[row, at]]
            for slot in range(k):
                write_marked(found, slot * WORD, arriving & ~held[slot], np.uint8(at))  # type: ignore[call-arg]
                already = held[slot]
                held[slot] |= arriving
                arriving &= already
            at += 1
        else:
            n_records, ties = _share_level(lists, row, at, libraries, day, radius, number_at, missing, walk, n_records)
            tied |= ties
            at = level[row, at]
        missing = wanted & ~held[k - 1]
    return at, n_records, missing, tied


@inner
def _share_level(
    lists: Lists,
    row: int,
    at: int,
    libraries: Libraries,
    day: int,
    radius: int,
    number_at: np.ndarray,
    missing: np.uint64,
    walk: Walk,
    n_records: int,
) -> tuple[int, np.uint64]:
    """Let the libraries that miss neighbours take a level of several days; how many records there are, and the ties."""
    time, near, stop, k = number_at.size, lists.near[row, at], lists.level[row, at], len(walk.held)
    group, holds, touched, tied = lists.group, libraries.holds, NONE, NONE
    for listed in range(at, stop):
        touched |= holds[group[row, listed]]
    touched &= missing
    left = touched
    while left:
        lane, left = take_mark(left)
        slot = 0
        while walk.held[slot] >> np.uint64(lane) & ONE:
            slot += 1
        walk.slot[lane], walk.members[lane] = slot, 0
    for listed in range(at, stop):
        which = group[row, listed]
        left = holds[which] & touched
        while left:
            lane, left = take_mark(left)
            walk.record_slot[n_records] = walk.slot[lane] * WORD + lane
            if which < time:
                walk.members[lane] += 1
                walk.record_place[n_records] = which
            else:
                walk.members[lane] += libraries.n_held[which - time, lane]
                walk.record_place[n_records] = 2 * time + 1 + WORD * (which - time) + lane
            n_records += 1
        if which < time:
            continue
        for other in range(max(day - radius, 0), min(day + radius + 1, time)):  # not these: they are taken off again
            left = holds[other] & touched if number_at[other] == which - time else NONE
            while left:
                lane, left = take_mark(left)
                walk.members[lane] -= 1
                walk.record_slot[n_records], walk.record_place[n_records] = walk.slot[lane] * WORD + lane, time + other
                n_records += 1
    while touched:
        lane, touched = take_mark(touched)
        n, slot, bit = walk.members[lane], walk.slot[lane], ONE << np.uint64(lane)
        if n == 0:
            continue
        slots = k - slot if near > 0.0 else 1
        walk.found[slot, lane], walk.share[slot, lane], walk.n_members[slot, lane] = at, min(n, slots) / n, n
        if near == 0.0 or n > slots:
            tied |= bit
        for filled in range(slot, k if near == 0.0 else min(slot + n, k)):
            walk.held[filled] |= bit
    return n_records, tied


@inner(inline="always")
def weigh(
    near: np.ndarray, walk: Walk, is_shared: bool, missing: np.uint64, weight: np.ndarray, power: np.ndarray
) -> None:
    """Weights (k, 64) of a day of each level, those of a library sum to one; none for the libraries `missing` some."""
    found, k, total = walk.found, len(walk.found), power[:WORD].view(np.float64)
    for lane in range(WORD):
        total[lane] = -1.0 / near[found[0, lane]]
    for slot in range(1, k):
        for lane in range(WORD):
            weight[slot, lane] = near[found[slot, lane]] * total[lane]
    exponentials(weight[1:].ravel(), (k - 1) * WORD, power)
    weight[0], total[:] = FIRST, 0.0
    if is_shared:
        for slot in range(k):
            for lane in range(WORD):
                weight[slot, lane] *= walk.share[slot, lane]
                total[lane] += weight[slot, lane] * walk.n_members[slot, lane]
        walk.share[:], walk.n_members[:] = 1.0, 1.0
    else:
        for slot in range(k):
            for lane in range(WORD):
                total[lane] += weight[slot, lane]
    for lane in range(WORD):
        total[lane] = 1.0 / total[lane]
    for slot in range(k):
        for lane in range(WORD):
            weight[slot, lane] *= total[lane]
    while missing:
        lane, missing = take_mark(missing)
        weight[:, lane] = 0.0
