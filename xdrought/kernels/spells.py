"""Dry spells of a series, found among marked days (see :mod:`xdrought.kernels.bits`), whatever their length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xdrought.kernels.bits import WORD, count_days, keep_runs, last_day, marks_below, next_day
from xdrought.kernels.compilation import inner

RELAPSE = {"event": 0, "drop": 1, "merge": 2}
END_AT = {"before_rise": 0, "rise": 1}  # steps from the last one of a dry spell to the end of its drought
DROP, MERGE = RELAPSE["drop"], RELAPSE["merge"]
ONSET, START, END, CUT, PIECE, FIRST_DRY, STOP_DRY = range(7)  # columns of a spell


class Bounds(NamedTuple):
    """The first key that is not dry, the first that counts as recovered, and the first wet one."""

    dry_end: int
    recovered: int
    wet: int


class Days(NamedTuple):
    """Days of a series by what they are, as bits: (words,) uint64 each."""

    gaps: np.ndarray  # without a value, and what is behind the record
    dry: np.ndarray
    recovers: np.ndarray  # from which a recovery lasts long enough
    wet: np.ndarray  # from which it is wet long enough
    other: np.ndarray  # room to work in

    @classmethod
    def create(cls, n_words):
        return cls(*(np.zeros(n_words, np.uint64) for _ in cls._fields))


@inner
def mark_days(keys, bounds, rules, days):
    """Mark what the days are, those of gaps being marked already."""
    for k in range(days.dry.size):
        first = WORD * k
        days.dry[k] = marks_below(keys, first, bounds.dry_end)
        days.recovers[k] = ~(marks_below(keys, first, bounds.recovered) | days.gaps[k])
        days.wet[k] = ~(marks_below(keys, first, bounds.wet) | days.gaps[k])
    keep_runs(days.recovers, rules.recovery)
    keep_runs(days.wet, rules.min_wet_run)


@inner
def find_spells(days, n_time, rules, spells):
    """Dry spells as rows of `spells`; returns their number.

    A spell has its onset point (or -1), its start, its end, whether a gap or the record's end cuts it, the step after
    the gap before, and its part of the dry days. ``rules.end_at`` moves the ends that are written, and nothing else: a
    relapse is told by the last step of the spell itself.
    """
    n = n_dry = piece = stop = np.int64(0)
    previous_end = np.int64(-1)
    start = next_day(days.dry, 0)
    while start < n_time:
        if start >= stop:  # days between two gaps: nothing is remembered across one
            piece, stop = last_day(days.gaps, start) + 1, min(next_day(days.gaps, start), n_time)
            previous_end = np.int64(-1)
        wet = last_day(days.wet, start - rules.min_wet_run + 1)
        last_wet = wet + rules.min_wet_run - 1 if wet >= piece else np.int64(-1)
        rise = next_day(days.recovers, start)
        is_cut = rise >= stop
        end = (stop if is_cut else rise) - 1
        stop_dry = n_dry + count_days(days.dry, start, end + 1)
        relapsed = previous_end >= 0 and last_wet <= previous_end
        if not (relapsed and rules.relapse == DROP):
            if not (relapsed and rules.relapse == MERGE):
                spell = spells[n]
                spell[ONSET], spell[START], spell[PIECE], spell[FIRST_DRY] = last_wet, start, piece, n_dry
                n += 1
            spell = spells[n - 1]
            spell[END], spell[CUT] = end + (0 if is_cut else rules.end_at), is_cut
            spell[STOP_DRY] = stop_dry
        previous_end, n_dry = end, stop_dry
        start = next_day(days.dry, end + 1)
    return n


@inner
def known_extent(gaps, n_time):
    """First and last day with a value, of which there is one."""
    first, last = np.int64(0), np.int64(n_time - 1)
    while next_day(gaps, first) == first:
        first += 1
    while last_day(gaps, last + 1) == last:
        last -= 1
    return first, last
