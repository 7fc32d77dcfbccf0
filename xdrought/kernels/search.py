"""The droughts of some series, found by counting: where they are, not yet how severe.

Thresholds are keys of the *values* (see :mod:`xdrought.kernels.order`), because a percentile is monotone in the value.
What is found waits with the dry days of the series for their ranks, see :mod:`xdrought.kernels.events`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.bits import WORD, count_days, keep_runs, last_day, marks_below, next_day
from xdrought.kernels.compilation import inner
from xdrought.kernels.order import choose_keys, count_below, key_around, mark_between, pack, twice_rank
from xdrought.kernels.spells import CUT, END, ONSET, PIECE, START, find_spells

# What a dry spell is: none of ours, one of which a gap hides whether it is a drought, a drought (flash or not).
NO_EVENT, UNKNOWN, DROUGHT = -2, -1, 0
# What is known of a drought that was found, behind what is of its spell: the series, what it is, and its days without a
# value of their own.
ROW, KIND, GAP_DAYS = 7, 8, 9
N_FOUND = 10
_LAST = np.uint32(2**32 - 1)  # behind all packed keys


@njit(cache=True, nogil=True, error_model="numpy")
def find_droughts(
    keys,
    n,
    ranges,
    bridged,
    has_lines,
    missing,
    rules,
    ranked,
    around,
    days,
    chosen,
    spells,
    dry,
    n_dry,
    packed,
    found,
    onset_ranks,
):
    """Find the droughts of some series, those of which nobody knows too, and pack their dry days.

    Parameters
    ----------
    keys : (rows, padded time), n : (rows,), ranges : (rows, 2)
        See :func:`xdrought.kernels.order.make_keys`; short gaps are bridged.
    bridged : (rows, words) uint64
        Marks of bridged days, looked at if `has_lines`.
    around : (2, 2) int64
        The keys around `lower` and `upper`, see :func:`xdrought.kernels.order.key_around`. Those of a series whose
        values are ranked are found here, and those before are the first guesses.
    days : (5, words) uint64, chosen : (padded time,), spells : (most, 7)
        Room to work in.
    dry, n_dry, packed, found, onset_ranks
        Filled with the dry days of each series, in order of time and as packed keys, a column for each drought, and
        twice the rank of its onset point.

    Returns
    -------
    n_found, most_dry : int
        Number of droughts, and of dry days of one series at most.
    """
    n_time = dry.shape[1]
    gaps, is_dry, recovers, wet, room = days[0], days[1], days[2], days[3], days[4]
    n_found = most_dry = np.int64(0)
    for r in range(n.size):
        n_dry[r] = 0
        if n[r] < 2:
            continue
        row, low, high = keys[r], ranges[r, 0], ranges[r, 1]
        if ranked:
            first, below = low, np.int64(0)
            for k in range(2):
                threshold = rules.upper if k else rules.lower
                first, around[k, 1], below = key_around(
                    threshold, np.int64(n[r]), rules.a, rules.b, row, first, below, high + 1, around[k, 0], room, chosen
                )
                around[k, 0] = first
        from_recovered = _first_beyond(around[0], not rules.recovers_at_lower)
        dry_end = _first_beyond(around[0], rules.dry_at_lower)
        dry_end = dry_end if dry_end < from_recovered else from_recovered
        from_wet = _first_beyond(around[1], not rules.wet_at_upper)
        for k in range(gaps.size):
            known = marks_below(row, WORD * k, missing)
            gaps[k] = ~known
            is_dry[k] = marks_below(row, WORD * k, dry_end)
            recovers[k] = known & ~marks_below(row, WORD * k, from_recovered)
            wet[k] = known & ~marks_below(row, WORD * k, from_wet)
        keep_runs(recovers, rules.recovery)
        keep_runs(wet, rules.min_wet_run)
        n_spells = find_spells(gaps, is_dry, recovers, wet, n_time, rules, spells)
        n_before, n_found = n_found, _choose_spells(spells[:n_spells], gaps, room, n[r] < n_time, rules, found, n_found)
        if n_found == n_before:
            continue
        n_dry[r] = choose_keys(is_dry, row, dry[r])
        most_dry = n_dry[r] if n_dry[r] > most_dry else most_dry
        if ranked:
            pack(dry[r, : n_dry[r]], low, dry_end, packed[r])
        highest = from_wet
        for k in range(n_before, n_found):
            onset = np.int64(found[ONSET, k])
            found[ROW, k], found[GAP_DAYS, k] = r, 0
            if onset >= 0:
                highest = row[onset] if row[onset] > highest else highest
                if has_lines:
                    found[GAP_DAYS, k] = count_days(bridged[r], onset, np.int64(found[END, k]) + 1)
        if ranked:  # onset points are wet: only days between them are counted one by one
            n_below = count_below(from_wet, row)
            mark_between(from_wet, highest + 1, row, room)
            size = choose_keys(room, row, chosen)
            n_padded = -(-size // WORD) * WORD
            for k in range(size, n_padded):
                chosen[k] = highest + 1
            for k in range(n_before, n_found):
                if found[ONSET, k] >= 0:
                    onset_ranks[k] = 2 * n_below + twice_rank(np.int64(row[found[ONSET, k]]), chosen[:n_padded])
    if ranked:
        for r in range(n.size):  # what is behind the dry days stays there
            for k in range(n_dry[r], most_dry):
                packed[r, k] = _LAST
    return n_found, most_dry


@inner
def _first_beyond(around, with_equal):
    """The first key above a percentile that a key is below, at or above; one at it is beyond unless `with_equal`."""
    return around[0] + 1 if around[1] < 0 or (around[1] == 0 and with_equal) else around[0]


@inner
def _choose_spells(spells, gaps, known, has_gaps, rules, found, n_found):
    """Note the dry spells that are droughts, or might have been ones, had the gap beside them been seen.

    A spell with an onset point may have gone on in the gap after it; one without may have begun in the gap before its
    piece. The record's start and end are no gaps: what begins dry there has no onset point.
    """
    first, last = np.int64(0), np.int64(WORD * gaps.size)
    if has_gaps:
        for k in range(gaps.size):
            known[k] = ~gaps[k]
        first, last = next_day(known, 0), last_day(known, last)
    for s in range(len(spells)):
        spell = spells[s]
        onset, start, end, piece = spell[ONSET], spell[START], spell[END], spell[PIECE]
        is_long = end - (onset if rules.count_onset else start) + 1 >= rules.min_duration
        runs_into_gap = has_gaps and spell[CUT] != 0 and end < last
        kind = NO_EVENT
        if onset >= 0:
            kind = DROUGHT if is_long else (UNKNOWN if runs_into_gap else NO_EVENT)
        elif piece > first and (rules.count_onset or start == piece or runs_into_gap or is_long):
            kind = UNKNOWN
        if kind != NO_EVENT:
            for column in range(ROW):
                found[column, n_found] = spell[column]
            found[KIND, n_found] = kind
            n_found += 1
    return n_found
