"""Drought events and daily classes of many series: one pass over each, exact thresholds, no percentile field.

Each day gets a small code (missing, dry, at the threshold, between, wet) from its *value*, because a percentile
is monotone in the value; only the days that an event reports are ranked. The rules are those of
:mod:`xdrought.definitions`; the words follow Tang et al. (2025, section 3.3): onset point t_o, start t_s, end t_e.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from xdrought.kernels import compilation
from xdrought.kernels.gaps import bridge_row
from xdrought.kernels.ranks import (
    bins_for,
    load_row,
    percentile_of_rank,
    rank_bins,
    rank_days,
    threshold_bin,
    threshold_values,
    twice_rank,
)

MISSING, DRY, AT_LOWER, BETWEEN, WET = 0, 1, 2, 3, 4
NO_DROUGHT, NORMAL_ONSET, NORMAL_CONDITION, FLASH_ONSET, FLASH_CONDITION = 0, 1, 2, 3, 4
MISSING_CLASS = -1
RELAPSE = {"event": 0, "drop": 1, "merge": 2}
END_AT = {"before_rise": 0, "rise": 1}  # steps from the last one of a dry spell to the end of its drought
_DROP, _MERGE = RELAPSE["drop"], RELAPSE["merge"]

# Rounding of a percentile difference: no two differences of ranks lie so close to a whole rate.
_ROUNDING = 1e-9
# Series are copied in groups that fill a cache line when time is not the fastest axis in memory.
_GROUP = 16
_EVENTS_AT_ONCE = 65_536


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


@njit(nogil=True)
def _bounds_of_values(n, rules, row, starts, order, twice_ranks, rank_dry):
    """Code bounds of a ranked row (dry up to, recovered from, wet from); ranks every day that may be dry if asked."""
    home = threshold_bin(rules.lower, n, rules.a, rules.b, starts)
    rank_days(row, starts, order, 0 if rank_dry else home, home + 1, twice_ranks)
    below, exact, above = threshold_values(rules.lower, n, rules.a, rules.b, home, row, starts, order, twice_ranks)
    has_exact = exact == exact
    dry_to = exact if rules.dry_at_lower and has_exact else below
    recovered_from = exact if rules.recovers_at_lower and has_exact else above
    home = threshold_bin(rules.upper, n, rules.a, rules.b, starts)
    rank_days(row, starts, order, home, home + 1, twice_ranks)
    _, exact, wet_from = threshold_values(rules.upper, n, rules.a, rules.b, home, row, starts, order, twice_ranks)
    if rules.wet_at_upper and exact == exact:
        wet_from = exact
    return dry_to, recovered_from, wet_from


@njit(nogil=True)
def _bounds_of_percentiles(rules):
    """Code bounds of a row that holds percentiles."""
    dry_to = rules.lower if rules.dry_at_lower else np.nextafter(rules.lower, -np.inf)
    recovered_from = rules.lower if rules.recovers_at_lower else np.nextafter(rules.lower, np.inf)
    wet_from = rules.upper if rules.wet_at_upper else np.nextafter(rules.upper, np.inf)
    return dry_to, recovered_from, wet_from


@njit(nogil=True)
def _code_days(row, dry_to, recovered_from, wet_from, code):
    missing = row.dtype.type(np.inf)
    for t in range(row.size):
        value = row[t]
        level = 1 + (value > dry_to) + (value >= recovered_from) + (value >= wet_from)
        if level == AT_LOWER and value >= recovered_from:
            level = BETWEEN
        code[t] = level * (value < missing)


@njit(nogil=True)
def _find_spells(code, recovery, min_wet_run, relapse, end_at, spells):
    """Dry spells as rows (onset or -1, start, end, censored, step after the last gap); returns their number.

    `end_at` moves the ends that are written, and nothing else: a relapse is told by the last step of the spell itself.
    """
    n_time = code.size
    n = 0
    t = 0
    piece = 0
    wet_run = 0
    last_wet = -1
    previous_end = -1
    while t < n_time:
        while t < n_time and code[t] > DRY:
            wet_run = wet_run + 1 if code[t] == WET else 0
            last_wet = t if wet_run >= min_wet_run else last_wet
            t += 1
        if t == n_time:
            break
        if code[t] == MISSING:  # nothing is remembered across a gap
            wet_run = 0
            last_wet = -1
            previous_end = -1
            t += 1
            piece = t
            continue
        start, onset = t, last_wet
        wet_run = 0
        recovered = 0
        while t < n_time and recovered < recovery and code[t] != MISSING:
            wet_run = wet_run + 1 if code[t] == WET else 0
            last_wet = t if wet_run >= min_wet_run else last_wet
            recovered = recovered + 1 if code[t] > AT_LOWER else 0
            t += 1
        closed = recovered == recovery
        end = t - 1 - (recovery if closed else 0)
        relapsed = previous_end >= 0 and onset <= previous_end
        previous_end = end
        end += end_at if closed else 0
        if relapsed and relapse == _MERGE:
            spells[n - 1, 2] = end
            spells[n - 1, 3] = not closed
        elif not (relapsed and relapse == _DROP):
            spells[n, 0] = onset
            spells[n, 1] = start
            spells[n, 2] = end
            spells[n, 3] = not closed
            spells[n, 4] = piece
            n += 1
    return n


@njit(nogil=True)
def _percentile(t, row, bins, starts, order, n, rules, ranked):
    """Percentile of day t: from its rank, or the value itself when the row holds percentiles."""
    if ranked:
        return percentile_of_rank(
            twice_rank(row[t], row, order, starts[bins[t]], starts[bins[t] + 1]), n, rules.a, rules.b
        )
    return np.float64(row[t])


@njit(nogil=True)
def _severity(start, end, row, code, twice_ranks, n, rules, ranked):
    """Sum over the dry days of a condition of their percentile deficit below `lower`."""
    n_dry = 0
    ranks = np.int64(0)
    percentiles = 0.0
    if ranked:
        for t in range(start, end + 1):
            dry = code[t] == DRY
            n_dry += dry
            ranks += twice_ranks[t] * dry
        percentiles = 50.0 * (100 * ranks - 2 * rules.a * n_dry) / (100 * n + rules.b)
    else:
        for t in range(start, end + 1):
            if code[t] == DRY:
                n_dry += 1
                percentiles += row[t]
    return rules.lower * n_dry - percentiles


@njit(nogil=True)
def extent(row):
    """First and last step with a finite value; (size, -1) without any. Missing steps outside are no gap."""
    first, last = 0, row.size - 1
    while first < row.size and not abs(row[first]) < np.inf:
        first += 1
    while last >= 0 and not abs(row[last]) < np.inf:
        last -= 1
    return first, last


@njit(nogil=True)
def _nobody_knows(spell, first, last, rules):
    """Whether a dry spell that is no event might have been one, had the gap beside it been seen.

    A spell with an onset point may have gone on in the gap after it; one without may have begun in the gap before its
    piece. The record's start (`first`) and end (`last`) are no gaps: what begins dry there has no onset point.
    """
    onset, start, end, is_cut, piece = spell[0], spell[1], spell[2], spell[3] != 0, spell[4]
    runs_into_gap = is_cut and end < last
    if onset >= 0:
        return runs_into_gap
    may_be_longer = rules.count_onset or start == piece or runs_into_gap
    return piece > first and (may_be_longer or end - start + 1 >= rules.min_duration)


@njit(nogil=True)
def init_labels(row, labels):
    """No drought on every valid day."""
    for t in range(row.size):
        labels[t] = NO_DROUGHT if abs(row[t]) < np.inf else MISSING_CLASS


@njit(nogil=True)
def paint(labels, first, start, end, is_flash):
    """Label the onset ``first .. start - 1`` and the condition ``start .. end`` of one event."""
    labels[first:start] = FLASH_ONSET if is_flash else NORMAL_ONSET
    labels[start : end + 1] = FLASH_CONDITION if is_flash else NORMAL_CONDITION


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


@njit(nogil=True)
def _copy_group(series, first, group):
    """Copy some series to C order, walking memory along its own fastest axis."""
    n_rows = min(group.shape[0], series.shape[0] - first)
    if series.strides[1] > series.strides[0]:
        for t in range(series.shape[1]):
            for g in range(n_rows):
                group[g, t] = series[first + g, t]
    else:
        for g in range(n_rows):
            for t in range(series.shape[1]):
                group[g, t] = series[first + g, t]


class Work(NamedTuple):
    """Arrays that the scan of a series writes to; made outside, because compiling what makes arrays takes seconds."""

    group: np.ndarray  # (_GROUP, time) series in C order
    row: np.ndarray  # (time,) the loaded series
    bins: np.ndarray
    order: np.ndarray
    twice_ranks: np.ndarray
    starts: np.ndarray
    code: np.ndarray
    spells: np.ndarray


def detect_events(series, days, rules, ranked, labels, with_severity):
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
    with_severity : bool
        False saves the ranks of all dry days (a third of the time); the severity is NaN then.

    Returns
    -------
    events : (events,) structured, in order of row and time
    n_valid : (rows,) int32, number of days with a value, bridged ones not counted

    Notes
    -----
    Gaps of at most ``rules.max_gap`` steps are bridged first, and the bridged days are part of the record. A dry spell
    that a longer gap cuts so that nobody knows whether it was a drought is labelled missing, with its onset.
    """
    n_rows, n_time = series.shape
    work = Work(
        group=np.empty((_GROUP, n_time), series.dtype),
        row=np.empty(n_time, series.dtype),
        bins=np.empty(n_time, np.int32),
        order=np.empty(n_time, np.int32),
        twice_ranks=np.zeros(n_time, np.int32),
        starts=np.empty(bins_for(n_time) + 2, np.int32),
        code=np.empty(n_time, np.uint8),
        spells=np.empty((n_time // 2 + 1, 5), np.int32),  # a gap may cut a spell after each day
    )
    found = np.empty(_EVENTS_AT_ONCE + len(work.spells), EVENT_DTYPE)
    n_valid = np.empty(n_rows, np.int32)
    pieces = []
    first = 0
    while first < n_rows:
        next_row, n_events = compilation.run(
            _scan,
            (n_rows - first) * n_time,
            series,
            first,
            days,
            rules,
            ranked,
            labels,
            with_severity,
            work,
            found,
            n_valid,
        )
        first = int(next_row)
        pieces.append(found[:n_events].copy())
    return np.concatenate(pieces) if pieces else found[:0].copy(), n_valid


@njit(cache=True, nogil=True)
def _scan(series, first_row, days, rules, ranked, labels, with_severity, work, events, n_valid):
    """Scan the series from `first_row` until `events` may be full; returns the next row and the number of events."""
    n_rows, n_time = series.shape
    row, bins, order, starts = work.row, work.bins, work.order, work.starts
    twice_ranks, code, spells = work.twice_ranks, work.code, work.spells
    n_events = 0
    for r in range(first_row, n_rows):
        if n_events + spells.shape[0] > events.size:
            return r, n_events
        if r % _GROUP == 0 or r == first_row:
            _copy_group(series, r - r % _GROUP, work.group)
        n = load_row(work.group[r % _GROUP], row)
        n_valid[r] = n
        if rules.max_gap > 0 and n < n_time:
            n += bridge_row(row, rules.max_gap)
        if labels.shape[0]:
            init_labels(row, labels[r])
        if n < 2:
            continue
        if ranked:
            rank_bins(row, bins, starts, order)
            dry_to, recovered_from, wet_from = _bounds_of_values(
                n, rules, row, starts, order, twice_ranks, with_severity
            )
            _code_days(row, dry_to, recovered_from, wet_from, code)
        else:
            low, back, high = _bounds_of_percentiles(rules)
            _code_days(row, low, back, high, code)
        n_spells = _find_spells(code, rules.recovery, rules.min_wet_run, rules.relapse, rules.end_at, spells)
        last_end = -1
        first_seen, last_seen = extent(row) if labels.shape[0] else (0, n_time - 1)
        for s in range(n_spells):
            onset, start, end = spells[s, 0], spells[s, 1], spells[s, 2]
            first = onset if rules.count_onset else start
            if onset < 0 or end - first + 1 < rules.min_duration:
                if labels.shape[0] and _nobody_knows(spells[s], first_seen, last_seen, rules):
                    labels[r, max(onset if onset >= 0 else start, last_end + 1) : end + 1] = MISSING_CLASS
                continue
            p_onset = _percentile(onset, row, bins, starts, order, n, rules, ranked)
            p_start = _percentile(start, row, bins, starts, order, n, rules, ranked)
            length = days[start] - days[onset]
            is_flash = p_onset - p_start >= rules.min_rate * length - _ROUNDING and start - onset <= rules.max_onset
            if labels.shape[0]:
                paint(labels[r], max(onset, last_end + 1), start, end, is_flash)
            last_end = end
            event = events[n_events]
            place_event(event, r, onset, start, end)
            event["onset_percentile"] = p_onset
            event["start_percentile"] = p_start
            event["rate"] = (p_onset - p_start) / length
            event["severity"] = np.nan
            if with_severity:
                event["severity"] = _severity(start, end, row, code, twice_ranks, n, rules, ranked)
            event["is_flash"] = is_flash
            event["is_censored"] = spells[s, 3] != 0
            n_events += 1
    return n_rows, n_events
