"""Values as whole numbers in their order, and what can be said of a series by counting: no sort, no copy.

The bits of a float, read as a whole number, are ordered as the float is (below zero the other way round). Such keys
are compared, counted, and halved between two of them exactly, and a count goes as fast as memory is read. Series of
keys are padded with that of a missing value to whole words of days (:mod:`xdrought.kernels.bits`).
"""

from __future__ import annotations

import numpy as np

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


@inner
def magnitude_bits(keys):
    """All bits but that of the sign."""
    return keys.dtype.type((1 << (8 * keys.itemsize - 1)) - 1)


@inner
def key_of(bits, magnitude):
    """The key of a value by its bits; -0.0 is 0.0."""
    return bits if bits >= 0 else -(bits & magnitude)


@inner
def make_keys(bits, missing, keys):
    """Write the key of each value, NaN and infinite ones are missing; the number and range of the others."""
    as_key = keys.dtype.type
    none, magnitude = as_key(missing), magnitude_bits(keys)
    n, low, high = np.int32(0), none, as_key(-none)
    for t in range(bits.size):
        key = as_key(key_of(bits[t], magnitude))
        valid = (key < none) & (key > -none)
        n = np.int32(n + valid)
        low = min(low, key if valid else none)
        high = max(high, key if valid else as_key(-none))
        keys[t] = key if valid else none
    return np.int64(n), np.int64(low), np.int64(high)


@by_numpy(make_keys)
def _(bits, missing, keys):
    magnitude = np.abs(bits & np.iinfo(bits.dtype).max)
    valid = magnitude < missing
    found = np.where(bits >= 0, magnitude, -magnitude)[valid]
    keys[: bits.size] = missing
    keys[: bits.size][valid] = found
    return found.size, *((np.int64(found.min()), np.int64(found.max())) if found.size else (missing, -missing))


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
    return count_below(key, keys) + count_below(key + 1, keys) + 1


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
def key_at(position, keys, low, n_low, high, n_high, guess, days, chosen):
    """The key at a position of the order, 0 for the smallest; also the numbers of keys below it, and up to it.

    It is looked for from `low` to below `high`, which have `n_low` and `n_high` keys below them. Counts at pivots
    narrow this bracket until a word can hold its keys: a guess first, then straight lines that aim a little behind the
    position, so that the other end comes near too; then its middle takes turns with these, because the values may be
    the same or very far apart. `days` and `chosen` are room to work in.
    """
    moved_low = False
    step = 0
    while n_high - n_low > WORD and low + 1 < high:
        if step == 0 and low < guess < high:
            pivot = guess
        elif step < _SECANTS or step % 2 == 0:
            aim = position + (_BEHIND if moved_low else -_BEHIND) - n_low
            share = min(max(aim / (n_high - n_low), 0.0), 1.0)
            half = np.int64(share * np.float64(high // 2 - low // 2))  # the whole may have no place in 64 bits
            pivot = low + half + half
        else:
            pivot = low // 2 + high // 2
        pivot = min(max(pivot, low + 1), high - 1)
        n_pivot = count_below(pivot, keys)
        moved_low = n_pivot <= position
        if moved_low:
            low, n_low = pivot, n_pivot
        else:
            high, n_high = pivot, n_pivot
        step += 1
    if low + 1 == high:
        return low, n_low, n_high
    mark_between(low, high, keys, days)
    n = choose_keys(days, keys, chosen)
    chosen[n:WORD] = high
    among = chosen[:WORD]
    key, n_below, n_to = low, n_low, n_low
    k = 0
    while n_below > position or n_to <= position:
        key = np.int64(among[k])
        n_below, n_to = n_low + count_below(key, among), n_low + count_below(key + 1, among)
        k += 1
    return key, n_below, n_to


@inner
def key_around(threshold, n, a, b, keys, low, n_low, high, guess, days, chosen):
    """The key that a percentile falls on or beside, -1, 0 or 1 (its own is below it, equal or above), and keys below.

    All n keys are below `high`, `n_low` of them below `low`, and the one looked for is not. Keys before it in the order
    are below the percentile, those behind it above. Decided on whole numbers, see :mod:`xdrought.kernels.ranks`.
    """
    bound = threshold * (100 * n + b)
    position = int(np.floor((bound / 100.0 + a) / 100.0 - 1.0))
    key, n_below, n_to = key_at(min(max(position, 0), n - 1), keys, low, n_low, high, n, guess, days, chosen)
    score = 50.0 * (100 * (n_below + n_to + 1) - 2 * a)
    return key, 1 if score > bound else (0 if score == bound else -1), n_below


@inner
def _n_bits(number):
    """Bits that a whole number above 0 takes."""
    return last_mark(np.uint64(number)) + 1


@inner
def pack(keys, low, high, packed):
    """Write each key, of which none is outside `low` to below `high`, and its place as one number of 32 bits.

    A sort of these finds the order, except of keys that differ in the bits only for which there is no room.
    """
    places = _n_bits(keys.size)
    spare = max(_n_bits(high - low) - (_PACKED_BITS - places), 0)
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
    places = np.uint32(_n_bits(n))
    place = (np.uint32(1) << places) - np.uint32(1)
    n_alike = np.int32(0)
    for k in range(n):
        ranks[packed[k] & place] = 2 * k + 2
    for k in range(n - 1):
        n_alike = np.int32(n_alike + (packed[k] | place == packed[k + 1] | place))
    first = np.int64(0)
    while first < n and n_alike > 0:
        stop = first + 1
        while stop < n and packed[stop] | place == packed[first] | place:
            stop += 1
        if stop > first + 1:
            packed[first:stop] &= place
            _rank_alike(keys, packed[first:stop], first, ranks)
        first = stop


@inner
def _rank_alike(keys, places, n_before, ranks):
    """The same for keys that are equal, or differ in the bits only that were left out."""
    sort_days(keys, places)
    first = 0
    while first < places.size:
        stop = first + 1
        while stop < places.size and keys[places[stop]] == keys[places[first]]:
            stop += 1
        for i in range(first, stop):
            ranks[places[i]] = 2 * n_before + first + stop + 1
        first = stop
