"""Dry spells of a series of keys (see :mod:`xdrought.kernels.order`), found by leaps over days that are not dry."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xdrought.kernels.compilation import inner
from xdrought.kernels.order import count_below

RELAPSE = {"event": 0, "drop": 1, "merge": 2}
END_AT = {"before_rise": 0, "rise": 1}  # steps from the last one of a dry spell to the end of its drought
DROP, MERGE = RELAPSE["drop"], RELAPSE["merge"]
ONSET, START, END, CUT, PIECE, FIRST_DRY, STOP_DRY = range(7)  # columns of a spell
_LEAP = 32  # days


class Bounds(NamedTuple):
    """The first key that is not dry, the first that counts as recovered, the first wet one, and that of no value."""

    dry_end: int
    recovered: int
    wet: int
    missing: int


@inner
def find_spells(keys, n_time, has_gaps, bounds, rules, spells, dry):
    """Dry spells as rows of `spells`, and the keys of all dry days in their order; returns the numbers of both.

    A spell has its onset point (or -1), its start, its end, whether a gap or the record's end cuts it, the step after
    the gap before, and its part of the dry days. ``rules.end_at`` moves the ends that are written, and nothing else: a
    relapse is told by the last step of the spell itself.
    """
    as_key = keys.dtype.type
    dry_end, recovered_from = as_key(bounds.dry_end), as_key(bounds.recovered)
    none = np.int64(-1)  # plain numbers would be types of their own, and compiled once more
    n = n_dry = piece = np.int64(0)
    while piece < n_time:  # days between two gaps: nothing is remembered across one
        stop = _next_gap(keys, piece, n_time, bounds.missing) if has_gaps else n_time
        last_wet = previous_end = none
        seen = piece
        t = _next_dry(keys, piece, stop, dry_end)
        while t < stop:
            start, first_dry, recovered = t, n_dry, 0
            last_wet = _last_wet(keys, start, seen, piece, last_wet, bounds.wet, rules.min_wet_run)
            seen = start
            while t < stop and recovered < rules.recovery:
                key = keys[t]
                recovered = recovered + 1 if key >= recovered_from else 0
                dry[n_dry] = key
                n_dry += key < dry_end
                t += 1
            closed = recovered == rules.recovery
            relapsed = previous_end >= 0 and last_wet <= previous_end
            previous_end = t - 1 - (recovered if closed else 0)
            if not (relapsed and rules.relapse == DROP):
                if not (relapsed and rules.relapse == MERGE):
                    spell = spells[n]
                    spell[ONSET], spell[START], spell[PIECE], spell[FIRST_DRY] = last_wet, start, piece, first_dry
                    n += 1
                spell = spells[n - 1]
                spell[END], spell[CUT] = previous_end + (rules.end_at if closed else 0), not closed
                spell[STOP_DRY] = n_dry
            t = _next_dry(keys, t, stop, dry_end)
        piece = stop + 1
    return n, n_dry


@inner
def _next_gap(keys, t, n_time, missing):
    while t < n_time and keys[t] < missing:
        t += 1
    return t


@inner
def _next_dry(keys, t, stop, dry_end):
    """The first dry day from t on, or `stop`."""
    while t < stop and count_below(dry_end, keys[t : min(t + _LEAP, stop)]) == 0:
        t += _LEAP
    while t < stop and keys[t] >= dry_end:
        t += 1
    return min(t, stop)


@inner
def _last_wet(keys, start, seen, piece, known, wet, min_wet_run):
    """The last day before `start` that ends `min_wet_run` wet ones; `known` was the last one before day `seen`."""
    first_wet = keys.dtype.type(wet)
    run = 0
    for t in range(start - 1, max(piece, seen - min_wet_run + 1) - 1, -1):
        run = run + 1 if keys[t] >= first_wet else 0
        if run == min_wet_run:
            return t + min_wet_run - 1
    return known


@inner
def known_extent(keys, n_time, missing):
    """First and last day with a value, of which there is one."""
    first, last = 0, n_time - 1
    while keys[first] == missing:
        first += 1
    while keys[last] == missing:
        last -= 1
    return first, last
