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
from xdrought.kernels.labels import MISSING_CLASS, hide_days, paint, paint_days
from xdrought.kernels.order import as_bits, missing_key, twice_ranks
from xdrought.kernels.ranks import percentile_of_rank
from xdrought.kernels.search import GAP_DAYS, KIND, ONSET_RANK, ROW, UNKNOWN, Block, find_droughts
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
    droughts are described by the ranks of these days.
    """
    n_rows, n_time = series.shape
    missing = missing_key(series.dtype)
    block = Block.create(min(_AT_ONCE, n_rows), n_time, series.dtype)
    around = np.zeros((2, 2), np.int64) if ranked else _keys_of_percentiles(rules, series.dtype)
    n_valid = np.empty(n_rows, np.int32)
    find = compilation.choose_once(find_droughts, series.size)
    describe = compilation.choose_once(_describe, series.size)
    pieces = []
    for first in range(0, n_rows, _AT_ONCE):
        part = _in_order_of_time(series[first : first + _AT_ONCE])
        here = slice(first, first + len(part))
        bits = as_bits(part)
        n_found, n_dry = find(part, bits, rules, ranked, around, missing, fill_gaps, labels[here], n_valid[here], block)
        if n_found == 0:
            continue
        if ranked:
            block.packed[: len(part), :n_dry].sort(axis=1)
        used = block.onset_keys[:n_found], block.dry[: len(part)]
        onset_values, dry_values = (_as_floats(keys, series.dtype, ranked) for keys in used)
        describe(onset_values, dry_values, n_found, days, rules, ranked, labels[here], block)
        pieces.append((first, block.found[:n_found].copy(), block.numbers[:n_found].copy()))
    return _as_events(pieces), n_valid


def _in_order_of_time(part):
    """Some series as numba has one type for; those whose steps lie apart in memory are turned in parts in the cache."""
    if part.strides[1] == part.itemsize:
        return compilation.as_one_type(part)
    turned = np.empty(part.shape, part.dtype)
    for first in range(0, part.shape[1], WORD):
        turned[:, first : first + WORD] = part[:, first : first + WORD]
    return turned


def _keys_of_percentiles(rules, dtype):
    """What :func:`xdrought.kernels.order.key_around` says of `lower` and `upper` where values are percentiles."""
    limits = np.array([rules.lower, rules.upper])
    values = limits.astype(dtype)
    sides = np.sign(values.astype(np.float64) - limits).astype(np.int64)
    return np.stack([as_bits(values), sides], axis=1)


def _as_floats(keys, dtype, ranked):
    """Keys of values that are percentiles, back as these; of others anything, because nobody asks."""
    if not ranked and (keys < 0).any():
        keys = np.where(keys < 0, np.iinfo(keys.dtype).min - keys, keys)
    return keys.view(dtype)


def _as_events(pieces):
    """The table of the droughts of all blocks, each with its first series."""
    if not pieces:
        return np.zeros(0, EVENT_DTYPE)
    for first, found, _ in pieces:
        found[:, ROW] += first
    found, numbers = (np.concatenate(parts) for parts in list(zip(*pieces, strict=True))[1:])
    is_known = found[:, KIND] != UNKNOWN
    if not is_known.all():
        found, numbers = found[is_known], numbers[is_known]
    events = np.zeros(len(found), EVENT_DTYPE)
    columns = {"row": ROW, "onset": ONSET, "start": START, "end": END, "is_flash": KIND, "is_censored": CUT}
    for name, column in (columns | {"gap_days": GAP_DAYS}).items():
        events[name] = found[:, column]
    for k, name in enumerate(("onset_percentile", "start_percentile", "rate", "severity")):
        events[name] = numbers[:, k]
    return events


@njit(cache=True, nogil=True, error_model="numpy")
def _describe(onset_values, dry_values, n_found, days, rules, ranked, labels, block):
    """Percentiles, rate, severity and kind of the droughts that were found, and the classes of their days."""
    all_found, all_numbers, ranks, n_dry = block.found, block.numbers, block.ranks, block.n_dry
    row = last_end = np.int64(-1)
    for k in range(n_found):
        found, numbers = all_found[k], all_numbers[k]
        r, onset, start = np.int64(found[ROW]), np.int64(found[ONSET]), np.int64(found[START])
        end, first_dry, stop_dry = np.int64(found[END]), np.int64(found[FIRST_DRY]), np.int64(found[STOP_DRY])
        if r != row:
            row, last_end = r, np.int64(-1)
            if ranked:
                twice_ranks(block.dry[r, : n_dry[r]], block.packed[r, : n_dry[r]], ranks)
        if found[KIND] == UNKNOWN:
            if labels.shape[0]:
                paint_days(
                    labels[r], max(onset if onset >= 0 else start, last_end + 1), end + 1, np.int64(MISSING_CLASS)
                )
            continue
        total = 0.0
        if ranked:
            twice = np.int64(0)  # of whole numbers, rounded once
            for i in range(first_dry, stop_dry):
                twice += ranks[i]
            n = np.int64(block.n[r])
            total = 50.0 * (100 * twice - 2 * rules.a * (stop_dry - first_dry)) / (100 * n + rules.b)
            p_onset = percentile_of_rank(np.int64(found[ONSET_RANK]), n, rules.a, rules.b)
            p_start = percentile_of_rank(np.int64(ranks[first_dry]), n, rules.a, rules.b)
        else:
            for i in range(first_dry, stop_dry):
                total += np.float64(dry_values[r, i])
            p_onset, p_start = np.float64(onset_values[k]), np.float64(dry_values[r, first_dry])
        length = days[start] - days[onset]
        is_flash = p_onset - p_start >= rules.min_rate * length - _ROUNDING and start - onset <= rules.max_onset
        numbers[0], numbers[1], numbers[2] = p_onset, p_start, (p_onset - p_start) / length
        numbers[3] = rules.lower * (stop_dry - first_dry) - total
        found[KIND] = is_flash
        if labels.shape[0]:
            first = max(onset, last_end + 1)
            paint(labels[r], first, start, end, is_flash)
            if found[GAP_DAYS] > 0:
                hide_days(block.bridged[r], first, end + 1, labels[r])
        last_end = end


@njit(nogil=True)
def place_event(event, row, onset, start, end):
    """Fill in where an event is."""
    event["row"] = row
    event["onset"] = onset
    event["start"] = start
    event["end"] = end
    event["gap_days"] = 0


@njit(nogil=True)
def append_event(events, n_events, row, onset, start, end):
    """The event array, grown when full, with the places of its next event filled in."""
    if n_events == events.size:
        larger = np.empty(2 * events.size, EVENT_DTYPE)
        larger[:n_events] = events
        events = larger
    place_event(events[n_events], row, onset, start, end)
    return events
