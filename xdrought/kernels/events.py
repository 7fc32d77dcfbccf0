"""Drought events and daily classes of many series: one pass over each, exact thresholds, no percentile field.

Only dry days and onset points are ranked. The rules are those of :mod:`xdrought.definitions`; the words follow Tang et
al. (2025, section 3.3): onset point t_o, start t_s, end t_e.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from xdrought.kernels import compilation
from xdrought.kernels.bits import WORD
from xdrought.kernels.gaps import bridge_keys
from xdrought.kernels.labels import (
    FLASH_ONSET,
    MISSING_CLASS,
    NORMAL_ONSET,
    UNKNOWN_CLASS,
    label_days,
    paint,
    paint_around_missing,
)
from xdrought.kernels.order import as_bits, magnitude_bits, make_keys, missing_key, twice_ranks
from xdrought.kernels.search import GAP_DAYS, KIND, N_FOUND, ROW, UNKNOWN, find_droughts
from xdrought.kernels.spells import CUT, END, FIRST_DRY, ONSET, START, STOP_DRY

# Rounding of a percentile difference: no two differences of ranks lie so close to a whole rate.
_ROUNDING = 1e-9
_AT_ONCE = 64  # series whose dry days stay in the cache from one step to the next


class Rules(NamedTuple):
    """A definition in steps of the data, as the compiled scan takes it."""

    upper: float = 40.0
    lower: float = 20.0
    wet_at_upper: bool = False  # p == upper is wet
    dry_at_lower: bool = False  # p == lower is dry
    recovers_at_lower: bool = False  # p == lower counts as recovered
    min_rate: float = 1.0
    recovery: int = 5
    min_duration: int = 15
    count_onset: bool = False  # min_duration counts from the onset, not from the start
    min_wet_run: int = 1
    max_onset: int = 2**31 - 1
    relapse: int = 0
    a: int = 100  # plotting position, in hundredths
    b: int = -100
    max_gap: int = 0  # longest gap that the scan bridges
    end_at: int = 0  # steps from the last one of a dry spell that recovers to the end of its drought


EVENT_DTYPE = np.dtype(
    [
        ("row", np.int32),
        ("onset", np.int32),
        ("start", np.int32),
        ("end", np.int32),
        ("onset_percentile", np.float64),
        ("start_percentile", np.float64),
        ("rate", np.float64),
        ("severity", np.float64),
        ("is_flash", np.bool_),
        ("is_censored", np.bool_),
        ("gap_days", np.int32),  # missing days from the onset point to the end
    ]
)


def detect_events(series, days, rules, ranked, labels, fill_gaps=False):
    """Events of many series.

    Parameters
    ----------
    series : (rows, time) float, any strides
        Values, or percentiles (0 to 100) when `ranked` is False. NaN and infinite values are missing.
    days : (time,) float64
        Day number of each step.
    rules : Rules
    ranked : bool
        True: the series hold values and their percentiles are those of their own record.
    labels : (rows, time) int8, or (0, 0)
        Filled with the daily classes when it has rows.
    fill_gaps : bool
        Whether bridged days have the class of their line; they are missing otherwise.

    Returns
    -------
    events : (events,) structured, in order of row and time
    n_valid : (rows,) int32, number of days with a value, bridged ones not counted

    Notes
    -----
    Gaps of at most ``rules.max_gap`` steps are bridged first, and the bridged days are part of the record. A dry spell
    that a longer gap cuts so that nobody knows whether it was a drought is labelled missing, with its onset.

    Some series at a time go through three steps: droughts are found by counting, dry days are sorted by numpy, and the
    ranks of these days are summed over each drought. What follows from these is computed for all droughts at once.
    """
    n_rows = len(series)
    block = _Block(min(_AT_ONCE, n_rows), series, rules, ranked, fill_gaps)
    n_valid, n_ranked = np.empty(n_rows, np.int32), np.empty(n_rows, np.int32)
    pieces = [(np.empty((N_FOUND, 0), np.int32), np.empty((3, 0)))]
    for first in range(0, n_rows, _AT_ONCE):
        here = slice(first, first + _AT_ONCE)
        found, numbers = block.scan(_in_order_of_time(series[here]), n_valid[here], n_ranked[here], labels[here])
        found[ROW] += first
        pieces.append((found, numbers))
    found, numbers = (np.concatenate(parts, axis=1) for parts in zip(*pieces, strict=True))
    is_known = found[KIND] != UNKNOWN
    known = found[:, is_known]
    numbers = numbers[:, is_known]
    if ranked:
        numbers = _percentiles_of_ranks(numbers, known, n_ranked, rules)
    events = _as_events(known, numbers, days, rules)
    if labels.shape[0]:
        found[KIND, is_known] = events["is_flash"]
        compilation.run(_paint_droughts, series.size, found, labels)
        rows = np.unique(found[ROW, ~is_known])
        labels[rows] = np.maximum(labels[rows], MISSING_CLASS)
    return events, n_valid


def _in_order_of_time(part):
    """Some series as numba has one type for; those whose steps lie apart in memory are turned in parts in the cache."""
    if part.strides[1] == part.itemsize:
        return compilation.as_one_type(part)
    turned = np.empty(part.shape, part.dtype)
    for first in range(0, part.shape[1], WORD):
        turned[:, first : first + WORD] = part[:, first : first + WORD]
    return turned


class _Block:
    """What is known of the series at work, at most `n_rows`, and room to work in."""

    def __init__(self, n_rows, series, rules, ranked, fill_gaps):
        n_time, dtype = series.shape[1], series.dtype
        n_words = -(-n_time // WORD)
        most = n_time // 2 + 1  # a gap may cut a spell after each day
        self.rules, self.ranked, self.fill_gaps = rules, ranked, fill_gaps
        self.line = np.zeros(n_words * WORD, dtype)
        self.missing, self.magnitude = missing_key(dtype), magnitude_bits(dtype)
        kind = as_bits(self.line).dtype
        self.keys = np.full((n_rows, n_words * WORD), self.missing, kind)
        self.ranges = np.empty((n_rows, 2), np.int64)
        self.bridged = np.zeros((n_rows, n_words), np.uint64)
        self.around = np.zeros((2, 2), np.int64) if ranked else _keys_of_percentiles(rules, dtype)
        self.days = np.empty((5, n_words), np.uint64)
        self.chosen = np.empty(n_words * WORD, kind)
        self.spells = np.empty((most, ROW), np.int32)
        self.dry = np.empty((n_rows, n_time), kind)
        self.packed = np.empty((n_rows, n_time), np.uint32)
        self.n_dry = np.empty(n_rows, np.int32)
        self.ranks = np.empty(n_time, np.int32)
        self.found = np.empty((N_FOUND, n_rows * most), np.int32)
        self.numbers = np.empty((3, n_rows * most))
        self.make_keys, self.bridge, self.find, self.sum_ranks, self.sum_values = (
            compilation.choose_once(kernel, series.size)
            for kernel in (make_keys, bridge_keys, find_droughts, _sum_ranks, _sum_values)
        )

    def scan(self, part, n_valid, n, labels):
        """Droughts of some series: what is found of them, a column each, and three numbers.

        These are twice the ranks of onset point and start and twice the sum of the ranks of the dry days; of series
        that are percentiles, these themselves.
        """
        n_rows, n_time = part.shape
        keys, ranges, bridged = self.keys[:n_rows], self.ranges[:n_rows], self.bridged[:n_rows]
        self.make_keys(as_bits(part), self.missing, self.magnitude, keys, n_valid, ranges)
        n[:] = n_valid
        if labels.shape[0] and not self.fill_gaps:
            label_days(keys[:, :n_time], self.missing, labels)
        has_lines = self.rules.max_gap > 0 and bool(((n > 0) & (n < n_time)).any())
        if has_lines:
            line = self.line, as_bits(self.line)
            self.bridge(part, self.missing, self.magnitude, self.rules, keys, n, ranges, bridged, self.days, *line)
        if labels.shape[0] and self.fill_gaps:
            label_days(keys[:, :n_time], self.missing, labels)
        series = keys, n, ranges, bridged, has_lines, self.missing
        room = self.days, self.chosen, self.spells
        results = self.dry, self.n_dry, self.packed, self.found, self.numbers[0]
        n_found, n_dry = self.find(*series, self.rules, self.ranked, self.around, *room, *results)
        found, numbers = self.found[:, :n_found], self.numbers[:, :n_found]
        if self.ranked:
            self.packed[:n_rows, :n_dry].sort(axis=1)
            self.sum_ranks(found, self.n_dry, self.dry, self.packed, self.ranks, numbers)
        else:
            for k, column in enumerate((ONSET, START)):
                numbers[k] = _as_floats(keys[found[ROW], found[column]], part.dtype)
            dry = _as_floats(self.dry[:n_rows, :n_dry], part.dtype)
            self.sum_values(found, compilation.as_one_type(dry), numbers)
        return found.copy(), numbers.copy()


def _keys_of_percentiles(rules, dtype):
    """What :func:`xdrought.kernels.order.key_around` says of `lower` and `upper` where values are percentiles."""
    limits = np.array([rules.lower, rules.upper])
    values = limits.astype(dtype)
    sides = np.sign(values.astype(np.float64) - limits).astype(np.int64)
    return np.stack([as_bits(values), sides], axis=1)


def _as_floats(keys, dtype):
    """Keys back as the values that they are of."""
    return np.where(keys < 0, np.iinfo(keys.dtype).min - keys, keys).view(dtype)


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_ranks(found, n_dry, dry, packed, ranks, numbers):
    """Twice the rank of the start and twice the sum of ranks of each drought; `ranks` (time,) is room to work in."""
    row = np.int64(-1)
    for k in range(found.shape[1]):
        r, first, stop = np.int64(found[ROW, k]), np.int64(found[FIRST_DRY, k]), np.int64(found[STOP_DRY, k])
        if r != row:
            row = r
            twice_ranks(dry[r, : n_dry[r]], packed[r, : n_dry[r]], ranks)
        total = np.int64(0)
        for i in range(first, stop):
            total += ranks[i]
        numbers[1, k], numbers[2, k] = ranks[first], total


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_values(found, dry, numbers):
    """The sum of the dry days of each drought, one day after the other."""
    for k in range(found.shape[1]):
        r, total = np.int64(found[ROW, k]), 0.0
        for i in range(np.int64(found[FIRST_DRY, k]), np.int64(found[STOP_DRY, k])):
            total += np.float64(dry[r, i])
        numbers[2, k] = total


def _percentiles_of_ranks(twice, found, n_ranked, rules):
    """Percentiles of onset point and start of each drought and their sum over its dry days, from twice the ranks.

    Whole numbers are rounded once, as in :mod:`xdrought.kernels.ranks`.
    """
    scale = 100 * n_ranked[found[ROW]].astype(np.int64) + rules.b
    n_ranks = 1, 1, found[STOP_DRY] - found[FIRST_DRY]
    return np.stack([50.0 * (100 * one - 2 * rules.a * n) / scale for one, n in zip(twice, n_ranks, strict=True)])


def _as_events(found, numbers, days, rules):
    """The table of droughts, with rate, severity and kind."""
    events = np.zeros(found.shape[1], EVENT_DTYPE)
    for name, row in {"row": ROW, "onset": ONSET, "start": START, "end": END, "gap_days": GAP_DAYS}.items():
        events[name] = found[row]
    onset, start, (p_onset, p_start, total) = found[ONSET], found[START], numbers
    length, fall = days[start] - days[onset], p_onset - p_start
    events["onset_percentile"], events["start_percentile"] = p_onset, p_start
    events["rate"] = fall / length
    events["severity"] = rules.lower * (found[STOP_DRY] - found[FIRST_DRY]) - total
    events["is_flash"] = (fall >= rules.min_rate * length - _ROUNDING) & (start - onset <= rules.max_onset)
    events["is_censored"] = found[CUT]
    return events


@njit(cache=True, nogil=True, error_model="numpy")
def _paint_droughts(found, labels):
    """Write the classes of the days of all droughts, and that nobody knows them."""
    row = last_end = np.int64(-1)
    for k in range(found.shape[1]):
        r, onset, start = np.int64(found[ROW, k]), np.int64(found[ONSET, k]), np.int64(found[START, k])
        end = np.int64(found[END, k])
        if r != row:
            row, last_end = r, np.int64(-1)
        first = onset if onset >= 0 else start
        first = first if first > last_end else last_end + 1
        is_unknown = found[KIND, k] == UNKNOWN
        if is_unknown:
            paint_around_missing(labels[r], first, end + 1, np.int64(UNKNOWN_CLASS))
        elif found[GAP_DAYS, k] > 0:
            kind = np.int64(FLASH_ONSET if found[KIND, k] else NORMAL_ONSET)
            paint_around_missing(labels[r], first, start, kind)
            paint_around_missing(labels[r], start, end + 1, kind + 1)
        else:
            paint(labels[r], first, start, end, found[KIND, k] != 0)
        if not is_unknown:
            last_end = end


@compilation.inner
def place_event(event, row, onset, start, end):
    """Fill in where an event is."""
    event["row"] = row
    event["onset"] = onset
    event["start"] = start
    event["end"] = end
    event["gap_days"] = 0


@compilation.inner
def append_event(events, n_events, row, onset, start, end):
    """The event array, grown when full, with the places of its next event filled in."""
    if n_events == events.size:
        larger = np.empty(2 * events.size, EVENT_DTYPE)
        for k in range(n_events):  # not one array into another, for which numba compiles seconds of error messages
            larger[k] = events[k]
        events = larger
    place_event(events[n_events], row, onset, start, end)
    return events
