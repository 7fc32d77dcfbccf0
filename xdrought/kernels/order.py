"""Values as whole numbers in their order, and what can be said of a series by counting: no sort, no copy.

The bits of a float, read as a whole number, are ordered as the float is (below zero the other way round). Such keys
are compared, counted, and halved between two of them exactly, and a count goes as fast as memory is read.
"""

from __future__ import annotations

import numpy as np

from xdrought.kernels.compilation import by_numpy, inner

_SECANTS = 8  # steps by straight lines; then halving takes turns, which ends whatever the values are
_PLACE_BITS = 24  # of a packed key: its place; the other bits hold the key, or as much of it as they can
_PLACE = 2**_PLACE_BITS - 1


def as_bits(values):
    """The same memory as whole numbers: float32 as int32, float64 as int64."""
    return values.view(f"i{values.dtype.itemsize}")


def missing_key(dtype):
    """The key of a missing value, larger than that of any other: that of infinity."""
    return int(as_bits(np.array([np.inf], dtype))[0])


@inner
def make_keys(bits, missing, keys):
    """Write the key of each value, NaN and infinite ones are missing; the number and range of the others."""
    as_key = keys.dtype.type
    none, magnitude = as_key(missing), as_key((1 << (8 * keys.itemsize - 1)) - 1)
    n, low, high = np.int32(0), none, as_key(-none)
    for t in range(bits.size):
        key = as_key(bits[t] if bits[t] >= 0 else -(bits[t] & magnitude))  # -0.0 is 0.0
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
    limit = keys.dtype.type(key)
    n = np.int32(0)
    for t in range(keys.size):
        n = np.int32(n + (keys[t] < limit))
    return n


@by_numpy(count_below)
def _(key, keys):
    return np.count_nonzero(keys < key)


@inner
def twice_rank(key, keys):
    """Twice the average rank, 1 for the smallest, of a key that is among them."""
    limit = keys.dtype.type(key)
    rank = np.int32(1)
    for t in range(keys.size):
        rank = np.int32(rank + (keys[t] < limit) + (keys[t] <= limit))
    return rank


@inner
def largest_between(low, high, keys):
    """The largest key from `low` to below `high`, where there is one."""
    low, high = keys.dtype.type(low), keys.dtype.type(high)
    largest = low
    for t in range(keys.size):
        largest = max(largest, keys[t] if keys[t] < high else low)
    return np.int64(largest)


@by_numpy(largest_between)
def _(low, high, keys):
    return np.int64(keys[keys < high].max())


@inner
def smallest_between(low, high, keys):
    """The smallest key from `low` to below `high`, where there is one."""
    low, high = keys.dtype.type(low), keys.dtype.type(high)
    smallest = high
    for t in range(keys.size):
        smallest = min(smallest, keys[t] if keys[t] >= low else high)
    return np.int64(smallest)


@by_numpy(smallest_between)
def _(low, high, keys):
    return np.int64(keys[keys >= low].min())


@inner
def key_at(position, keys, low, n_low, high, n_high, guess):
    """The key at a position of the order, 0 for the smallest; also the numbers of keys below it, and up to it.

    It is looked for from `low` to below `high`, which have `n_low` and `n_high` keys below them. Counts at pivots
    narrow this bracket: a guess first, then straight lines (the Illinois way), then its middle and its largest key take
    turns with these, because the values may be the same or very far apart.
    """
    to_low, to_high = position + 0.5 - n_low, n_high - position - 0.5
    moved_low = moved_high = False
    step = 0
    while n_low < position and position + 1 < n_high and low + 1 < high:
        if step == 0 and low < guess < high:
            pivot = guess
        elif step < _SECANTS or step % 3 == 0:
            pivot = low + np.int64(to_low / (to_low + to_high) * (np.float64(high) - np.float64(low)))
        elif step % 3 == 1:
            pivot = low // 2 + high // 2
        else:
            pivot = largest_between(low, high, keys)
        pivot = min(max(pivot, low + 1), high - 1)
        n_pivot = count_below(pivot, keys)
        if n_pivot <= position:
            low, n_low, to_low = pivot, n_pivot, position + 0.5 - n_pivot
            to_high = 0.5 * to_high if moved_low else to_high
        else:
            high, n_high, to_high = pivot, n_pivot, n_pivot - position - 0.5
            to_low = 0.5 * to_low if moved_high else to_low
        moved_low, moved_high = n_pivot <= position, n_pivot > position
        step += 1
    if low + 1 == high:
        return low, n_low, n_high
    if n_low == position:
        key = smallest_between(low, high, keys)
        return key, n_low, np.int64(count_below(key + 1, keys))
    key = largest_between(low, high, keys)
    return key, np.int64(count_below(key, keys)), n_high


@inner
def key_around(threshold, n, a, b, keys, low, n_low, high, guess):
    """The key that a percentile falls on or beside, -1, 0 or 1 (its own is below it, equal or above), and keys below.

    All n keys are below `high`, `n_low` of them below `low`, and the one looked for is not. Keys before it in the order
    are below the percentile, those behind it above. Decided on whole numbers, see :mod:`xdrought.kernels.ranks`.
    """
    bound = threshold * (100 * n + b)
    position = int(np.floor((bound / 100.0 + a) / 100.0 - 1.0))
    key, n_below, n_to = key_at(min(max(position, 0), n - 1), keys, low, n_low, high, n, guess)
    score = 50.0 * (100 * (n_below + n_to + 1) - 2 * a)
    return key, 1 if score > bound else (0 if score == bound else -1), n_below


@inner
def keys_between(first, last, keys, chosen):
    """Write the keys from `first` to `last`, both included; returns how many there are."""
    as_key = keys.dtype.type
    first, last = as_key(first), as_key(last)
    n = 0
    for t in range(keys.size):
        if first <= keys[t] <= last:
            chosen[n] = keys[t]
            n += 1
    return n


@inner
def pack(keys, n, packed):
    """Write each of the first n keys and its place as one number, so that a sort of these finds the order."""
    shift = _PLACE_BITS if keys.itemsize == 4 else 0
    for k in range(n):
        packed[k] = np.int64(keys[k]) << shift & ~_PLACE | k


@inner
def twice_ranks(keys, packed, ranks):
    """Write twice the average rank of each of the keys, which were packed and sorted."""
    n = keys.size
    first = np.int64(0)
    for k in range(n):
        ranks[packed[k] & _PLACE] = 2 * k + 2
    while first < n:
        stop = first + 1
        while stop < n and packed[stop] >> _PLACE_BITS == packed[first] >> _PLACE_BITS:
            stop += 1
        if stop > first + 1:
            _rank_alike(keys, packed[first:stop], first, ranks)
        first = stop


@inner
def _rank_alike(keys, packed, n_before, ranks):
    """The same for keys that are equal, or differ in the bits only that were left out."""
    for k in range(packed.size):
        place, i = packed[k] & _PLACE, k
        while i > 0 and keys[packed[i - 1]] > keys[place]:
            packed[i] = packed[i - 1]
            i -= 1
        packed[i] = place
    first = 0
    while first < packed.size:
        stop = first + 1
        while stop < packed.size and keys[packed[stop]] == keys[packed[first]]:
            stop += 1
        for i in range(first, stop):
            ranks[packed[i]] = 2 * n_before + first + stop + 1
        first = stop
