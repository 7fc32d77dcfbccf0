"""Values as whole numbers in their order, and what can be said of a series by counting: no sort, no copy.

The bits of a float, read as a whole number, are ordered as the float is (below zero the other way round). Such keys
are compared, counted, and halved between two of them exactly, and a count goes as fast as memory is read. Series of
keys are padded with that of a missing value to whole words of days (:mod:`xdrought.kernels.bits`).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.bits import WORD, first_mark, last_mark, marks_below, n_marks
from xdrought.kernels.compilation import by_numpy, inner
from xdrought.kernels.ranks import sort_days

_SECANTS = 8  # steps by straight lines; then halving takes turns, which ends whatever the values are
_BEHIND = 16  # keys
_NONE, _ONE = np.uint64(0), np.uint64(1)
_PACKED_BITS = 32


def as_bits(values):
    """The same memory as whole numbers: float32 as int32, float64 as int64."""
    return values.view(f"i{values.dtype.itemsize}")


def missing_key(dtype):
    """The key of a missing value, larger than that of any other: that of infinity."""
    return int(as_bits(np.array([np.inf], dtype))[0])


def magnitude_bits(dtype):
    """All bits of the key of a value but that of the sign."""
    kind = np.dtype(f"i{dtype.itemsize}")
    return kind.type(np.iinfo(kind).max)


@njit(cache=True, nogil=True, error_model="numpy")
def make_keys(bits, missing, magnitude, keys, n, ranges):
    """Write the key of each value of some series; NaN and infinite ones are missing, -0.0 is 0.0.

    `n` gets the number of the others, `ranges` (rows, 2) the lowest and the highest of their keys.
    """
    as_key = keys.dtype.type
    none, lowest = as_key(missing), as_key(-missing)
    for r in range(bits.shape[0]):
        row, series = keys[r], bits[r]
        count, low, high = np.int32(0), none, lowest
        for t in range(series.size):
            value = series[t]
            key = value if value >= 0 else as_key(-(value & magnitude))
            valid = (key < none) & (key > lowest)
            count = np.int32(count + valid)
            row[t] = key if valid else none
            low = row[t] if row[t] < low else low
            key = key if valid else lowest
            high = key if key > high else high
        n[r], ranges[r, 0], ranges[r, 1] = count, low, high


@by_numpy(make_keys)
def _(bits, missing, magnitude, keys, n, ranges):
    size = bits & magnitude
    valid = size < missing
    found = np.where(bits >= 0, size, -size)
    keys[: len(bits), : bits.shape[1]] = np.where(valid, found, missing)
    n[:] = valid.sum(axis=1)
    ranges[:, 0] = found.min(axis=1, where=valid, initial=missing)
    ranges[:, 1] = found.max(axis=1, where=valid, initial=-missing)


@inner
def count_below(key, keys):
    """Number of keys below one."""
    n = np.int64(0)
    for first in range(0, keys.size, WORD):
        n += n_marks(marks_below(keys, first, key))
    return n


@by_numpy(count_below)
def _(key, keys):
    return np.count_nonzero(keys < key)


@inner
def twice_rank(key, keys):
    """Twice the average rank, 1 for the smallest, of a key that is among them."""
    n = np.int64(1)
    for first in range(0, keys.size, WORD):
        n += n_marks(marks_below(keys, first, key)) + n_marks(marks_below(keys, first, key + 1))
    return n


@by_numpy(twice_rank)
def _(key, keys):
    return np.count_nonzero(keys < key) + np.count_nonzero(keys <= key) + 1


@inner
def mark_between(first, stop, keys, days):
    """Mark the days whose keys are from `first` to before `stop`."""
    for k in range(days.size):
        days[k] = marks_below(keys, WORD * k, stop) & ~marks_below(keys, WORD * k, first)


@inner
def choose_keys(days, keys, chosen):
    """Write the keys of the marked days one after the other; returns how many there are."""
    n = np.int64(0)
    for k in range(days.size):
        word = days[k]
        while word != _NONE:
            chosen[n] = keys[WORD * k + first_mark(word)]
            word &= word - _ONE
            n += 1
    return n


@by_numpy(choose_keys)
def _(days, keys, chosen):
    found = keys[: WORD * days.size][np.unpackbits(days.view(np.uint8), bitorder="little").view(bool)]
    chosen[: found.size] = found
    return found.size


@inner
def key_around(threshold, n, a, b, keys, low, n_low, high, guess, days, chosen):
    """The key that a percentile falls on or beside, -1, 0 or 1 (its own is below it, equal or above), and keys below.

    All n keys are below `high`, `n_low` of them below `low`, and the one looked for is not. Keys before it in the order
    are below the percentile, those behind it above. Decided on whole numbers, see :mod:`xdrought.kernels.ranks`.

    Counts at pivots narrow the bracket until a word can hold its keys: a guess first, then straight lines that aim a
    little behind the position, so that the other end comes near too; then its middle takes turns with these, because
    the values may be the same or very far apart. `days` and `chosen` are room to work in.
    """
    bound = threshold * (100 * n + b)
    position = np.int64(np.floor((bound / 100.0 + a) / 100.0 - 1.0))
    position = 0 if position < 0 else (n - 1 if position > n - 1 else position)
    n_high = n
    moved_low = False
    step = 0
    while n_high - n_low > WORD and low + 1 < high:
        if step == 0 and low < guess < high:
            pivot = guess
        elif step < _SECANTS or step % 2 == 0:
            aim = position + (_BEHIND if moved_low else -_BEHIND) - n_low
            share = aim / (n_high - n_low)
            share = 0.0 if share < 0.0 else (1.0 if share > 1.0 else share)
            half = np.int64(share * np.float64(high // 2 - low // 2))  # the whole may have no place in 64 bits
            pivot = low + half + half
        else:
            pivot = low // 2 + high // 2
        pivot = low + 1 if pivot <= low else (high - 1 if pivot >= high else pivot)
        n_pivot = count_below(pivot, keys)
        moved_low = n_pivot <= position
        if moved_low:
            low, n_low = pivot, n_pivot
        else:
            high, n_high = pivot, n_pivot
        step += 1
    key, n_below, n_to = low, n_low, n_high
    if low + 1 < high:
        mark_between(low, high, keys, days)
        size = choose_keys(days, keys, chosen)
        for k in range(size, WORD):
            chosen[k] = high
        k = 0
        n_to = n_low
        while n_below > position or n_to <= position:
            key = np.int64(chosen[k])
            n_below = n_low + n_marks(marks_below(chosen, 0, key))
            n_to = n_low + n_marks(marks_below(chosen, 0, key + 1))
            k += 1
    score = 50.0 * (100 * (n_below + n_to + 1) - 2 * a)
    return key, 1 if score > bound else (0 if score == bound else -1), n_below


@inner
def pack(keys, low, high, packed):
    """Write each key, of which none is outside `low` to below `high`, and its place as one number of 32 bits.

    A sort of these finds the order, except of keys that differ in the bits only for which there is no room.
    """
    places = last_mark(np.uint64(keys.size)) + 1
    spare = last_mark(np.uint64(high - low)) + 1 - (_PACKED_BITS - places)
    spare = spare if spare > 0 else 0
    for k in range(keys.size):
        above = np.uint64(keys[k] - low) >> np.uint64(spare)
        packed[k] = np.uint32(above << np.uint64(places) | np.uint64(k))


@by_numpy(pack)
def _(keys, low, high, packed):
    places = keys.size.bit_length()
    spare = max((int(high) - int(low)).bit_length() - (_PACKED_BITS - places), 0)
    above = (keys.astype(np.int64) - np.int64(low)).view(np.uint64) >> np.uint64(spare)
    packed[: keys.size] = above << np.uint64(places) | np.arange(keys.size, dtype=np.uint64)


@inner
def twice_ranks(keys, packed, ranks):
    """Write twice the average rank of each of the keys, which were packed and sorted."""
    n = keys.size
    place = np.uint32((1 << (last_mark(np.uint64(n)) + 1)) - 1)
    n_alike = np.int32(0)
    for k in range(n):
        ranks[packed[k] & place] = 2 * k + 2
    for k in range(n - 1):
        n_alike = np.int32(n_alike + (packed[k] | place == packed[k + 1] | place))
    first = np.int64(0)
    while first < n and n_alike > 0:  # keys that are equal, or differ in the bits only that were left out
        stop = first + 1
        while stop < n and packed[stop] | place == packed[first] | place:
            stop += 1
        if stop > first + 1:
            places = packed[first:stop]
            for k in range(places.size):
                places[k] &= place
            sort_days(keys, places)
            equal = np.int64(0)
            for k in range(places.size):
                if k + 1 == places.size or keys[places[k + 1]] != keys[places[k]]:
                    for i in range(equal, k + 1):
                        ranks[places[i]] = 2 * first + equal + k + 2
                    equal = k + 1
        first = stop
