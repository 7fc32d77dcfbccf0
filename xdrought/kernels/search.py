"""The droughts of some series, found by counting: where they are, not yet how severe.

Thresholds are keys of the *values* (see :mod:`xdrought.kernels.order`), because a percentile is monotone in the value.
What is found waits with the dry days of the series for their ranks, see :mod:`xdrought.kernels.events`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from xdrought.kernels.bits import WORD, count_days, marks_below
from xdrought.kernels.compilation import inner
from xdrought.kernels.gaps import bridge_keys
from xdrought.kernels.labels import label_days
from xdrought.kernels.order import (
    as_bits,
    choose_keys,
    count_below,
    key_around,
    make_keys,
    mark_between,
    missing_key,
    pack,
    twice_rank,
)
from xdrought.kernels.spells import (
    CUT,
    END,
    ONSET,
    PIECE,
    START,
    Bounds,
    Days,
    find_spells,
    known_extent,
    mark_days,
)

# What a dry spell is: none of ours, one of which a gap hides whether it is a drought, a drought (flash or not).
NO_EVENT, UNKNOWN, DROUGHT = -2, -1, 0
# Columns of a drought that was found, behind those of its spell: the series, what it is, twice the rank of the onset,
# and its days without a value of their own.
ROW, KIND, ONSET_RANK, GAP_DAYS = 7, 8, 9, 10
_LAST = np.uint32(2**32 - 1)  # behind all packed keys


class Block(NamedTuple):
    """What is known of the series at work, at most `n_rows`, and room to work in."""

    n: np.ndarray  # (rows,) int32, days with a value, bridged ones too
    dry: np.ndarray  # (rows, time) keys of the dry days
    packed: np.ndarray  # (rows, time) uint32, the same with their places
    n_dry: np.ndarray  # (rows,) int32
    bridged: np.ndarray  # (rows, words) uint64, bridged days
    found: np.ndarray  # (droughts, 11) int32
    onset_keys: np.ndarray  # (droughts,)
    numbers: np.ndarray  # (droughts, 4) float64: percentiles of onset and start, rate, severity
    keys: np.ndarray  # (padded time,) values of a series as whole numbers, see order.py
    days: Days
    chosen: np.ndarray  # (padded time,) keys
    ranks: np.ndarray  # (time,) int32
    spells: np.ndarray
    line: np.ndarray  # (padded time,) floats
    line_bits: np.ndarray  # the same memory

    @classmethod
    def create(cls, n_rows, n_time, dtype):
        n_words = -(-n_time // WORD)
        line = np.zeros(n_words * WORD, dtype)
        bits = as_bits(line)
        most = n_time // 2 + 1  # a gap may cut a spell after each day
        return cls(
            n=np.empty(n_rows, np.int32),
            dry=np.empty((n_rows, n_time), bits.dtype),
            packed=np.empty((n_rows, n_time), np.uint32),
            n_dry=np.empty(n_rows, np.int32),
            bridged=np.zeros((n_rows, n_words), np.uint64),
            found=np.empty((n_rows * most, 11), np.int32),
            onset_keys=np.empty(n_rows * most, bits.dtype),
            numbers=np.empty((n_rows * most, 4)),
            keys=np.full(n_words * WORD, missing_key(dtype), bits.dtype),
            days=Days.create(n_words),
            chosen=np.empty(n_words * WORD, bits.dtype),
            ranks=np.empty(n_time, np.int32),
            spells=np.empty((most, 7), np.int32),
            line=line,
            line_bits=bits,
        )


@njit(cache=True, nogil=True)
def find_droughts(part, bits, rules, ranked, around, missing, fill_gaps, labels, n_valid, block):
    """Find the droughts of some series, those of which nobody knows too, and pack their dry days.

    Returns how many droughts there are, and how many dry days of one series at most.
    """
    keys, days, chosen, room = block.keys, block.days, block.chosen, block.days.other
    n_time = part.shape[1]
    n_found = most_dry = np.int64(0)
    for r in range(part.shape[0]):
        n, low, high = make_keys(bits[r], missing, keys)
        n_valid[r] = n
        bridged = block.bridged[r]
        n_bridged, low, high = _find_gaps(part[r], n, low, high, missing, rules, bridged, block)
        n += n_bridged
        block.n[r], block.n_dry[r] = n, 0
        if labels.shape[0]:
            label_days(keys, missing, bridged, n_bridged > 0 and not fill_gaps, labels[r])
        if n < 2:
            continue
        if ranked:  # the keys around `lower` and `upper`; those of the series before are the first guesses
            first, below = low, np.int64(0)
            for k in range(2):
                threshold = rules.upper if k else rules.lower
                key, side, below = key_around(
                    threshold, n, rules.a, rules.b, keys, first, below, high + 1, around[k, 0], room, chosen
                )
                around[k, 0], around[k, 1] = key, side
                first = key
        recovered = _first_beyond(around[0, 0], around[0, 1], not rules.recovers_at_lower)
        dry_end = min(_first_beyond(around[0, 0], around[0, 1], rules.dry_at_lower), recovered)
        wet = _first_beyond(around[1, 0], around[1, 1], not rules.wet_at_upper)
        mark_days(keys, Bounds(dry_end, recovered, wet), rules, days)
        n_before, n_found = n_found, _choose_spells(r, n_time, n < n_time, n_bridged > 0, rules, n_found, block)
        if n_found == n_before:
            continue
        if fill_gaps:
            bridged[:] = np.uint64(0)
        n_dry = choose_keys(days.dry, keys, block.dry[r])
        if ranked:
            _rank_onsets(keys, wet, block.found, n_before, n_found, room, chosen)
            pack(block.dry[r, :n_dry], low, dry_end, block.packed[r])
            block.n_dry[r] = n_dry
            most_dry = max(most_dry, n_dry)
    for r in range(part.shape[0]):  # what is behind the dry days stays there
        for k in range(block.n_dry[r], most_dry):
            block.packed[r, k] = _LAST
    return n_found, most_dry


@inner
def _find_gaps(values, n, low, high, missing, rules, bridged, block):
    """Mark the days without a value, and bridge short gaps; their days and the range of all keys then."""
    keys, gaps, is_known = block.keys, block.days.gaps, block.days.other
    for k in range(gaps.size):
        is_known[k] = marks_below(keys, WORD * k, missing)
        gaps[k] = ~is_known[k]
        bridged[k] = 0
    if rules.max_gap == 0 or n == 0 or n == values.size:
        return np.int64(0), low, high
    bridged[:] = gaps
    n_bridged, first, last = bridge_keys(values, is_known, rules.max_gap, keys, gaps, block.line, block.line_bits)
    for k in range(gaps.size):
        bridged[k] ^= gaps[k]
    return n_bridged, min(low, first), max(high, last)


@inner
def _first_beyond(key, side, with_equal):
    """The first key above a percentile that `key` is below, at or above; one at it is beyond unless `with_equal`."""
    return key + 1 if side < 0 or (side == 0 and with_equal) else key


@inner
def _choose_spells(r, n_time, has_gaps, has_lines, rules, n_found, block):
    """Find the dry spells of a series, and note those that are or may be droughts behind the ones found before."""
    keys, spells, bridged = block.keys, block.spells, block.bridged[r]
    first, last = known_extent(block.days.gaps, n_time) if has_gaps else (0, n_time - 1)
    for s in range(find_spells(block.days, n_time, rules, spells)):
        kind = _judge(spells[s], first, last, rules)
        if kind == NO_EVENT:
            continue
        found = block.found[n_found]
        for column in range(ROW):
            found[column] = spells[s, column]
        onset = np.int64(found[ONSET])
        found[ROW], found[KIND], found[GAP_DAYS] = r, kind, 0
        if onset >= 0:
            block.onset_keys[n_found] = keys[onset]
            if has_lines:
                found[GAP_DAYS] = count_days(bridged, onset, np.int64(found[END]) + 1)
        n_found += 1
    return n_found


@inner
def _judge(spell, first, last, rules):
    """Whether a dry spell is a drought, or might have been one, had the gap beside it been seen.

    A spell with an onset point may have gone on in the gap after it; one without may have begun in the gap before its
    piece. The record's start (`first`) and end (`last`) are no gaps: what begins dry there has no onset point.
    """
    onset, start, end, is_cut, piece = spell[ONSET], spell[START], spell[END], spell[CUT] != 0, spell[PIECE]
    is_long = end - (onset if rules.count_onset else start) + 1 >= rules.min_duration
    runs_into_gap = is_cut and end < last
    if onset >= 0:
        return DROUGHT if is_long else (UNKNOWN if runs_into_gap else NO_EVENT)
    may_be_long = rules.count_onset or start == piece or runs_into_gap or is_long
    return UNKNOWN if piece > first and may_be_long else NO_EVENT


@inner
def _rank_onsets(keys, wet, found, first, stop, days, chosen):
    """Twice the average rank of onset points, which are wet: only days between them are looked at one by one."""
    highest = np.int64(wet)
    for k in range(first, stop):
        if found[k, ONSET] >= 0:
            highest = max(highest, np.int64(keys[found[k, ONSET]]))
    n_below = count_below(wet, keys)
    mark_between(wet, highest + 1, keys, days)
    n = choose_keys(days, keys, chosen)
    n_padded = -(-n // WORD) * WORD
    chosen[n:n_padded] = highest + 1
    for k in range(first, stop):
        if found[k, ONSET] >= 0:
            found[k, ONSET_RANK] = 2 * n_below + twice_rank(keys[found[k, ONSET]], chosen[:n_padded])
