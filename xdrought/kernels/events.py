"""Drought events and daily classes of many series: one pass over each, exact thresholds, no percentile field.

Thresholds are found as keys of the *values* (see :mod:`xdrought.kernels.order`), because a percentile is monotone in
the value; only dry days and onset points are ranked. The rules are those of
:mod:`xdrought.definitions`; the words follow Tang et al. (2025, section 3.3): onset point t_o, start t_s, end t_e.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from xdrought.kernels import compilation
from xdrought.kernels.compilation import inner
from xdrought.kernels.gaps import bridge_row
from xdrought.kernels.order import (
    as_bits,
    count_below,
    key_around,
    keys_between,
    make_keys,
    missing_key,
    pack,
    twice_rank,
    twice_ranks,
)
from xdrought.kernels.ranks import load_row, percentile_of_rank
from xdrought.kernels.spells import (
    CUT,
    END,
    FIRST_DRY,
    ONSET,
    PIECE,
    START,
    STOP_DRY,
    Bounds,
    find_spells,
    known_extent,
)

NO_DROUGHT, NORMAL_ONSET, NORMAL_CONDITION, FLASH_ONSET, FLASH_CONDITION = 0, 1, 2, 3, 4
MISSING_CLASS = -1

# Rounding of a percentile difference: no two differences of ranks lie so close to a whole rate.
_ROUNDING = 1e-9
_AT_ONCE = 32  # series whose keys stay in the cache from one step to the next
_LINE = 64  # days: keys are padded to whole steps of vector instructions
# What a dry spell is: none of ours, one of which a gap hides whether it is a drought, a drought (flash or not).
_NONE, _UNKNOWN, _DROUGHT = -2, -1, 0
_LAST = 2**63 - 1  # behind all packed keys
# Columns of a drought that was found, behind those of its spell: the series, what it is, twice the rank of the onset.
_ROW, _KIND, _ONSET_RANK = 7, 8, 9


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


def detect_events(series, days, rules, ranked, labels):
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
    block = _Block.create(n_time, series.dtype)
    around = np.zeros((2, 2), np.int64) if ranked else _keys_of_percentiles(rules, series.dtype)
    n_valid = np.empty(n_rows, np.int32)
    find = compilation.choose_once(_find_droughts, series.size)
    describe = compilation.choose_once(_describe, series.size)
    pieces = []
    for first in range(0, n_rows, _AT_ONCE):
        part = compilation.as_one_type(series[first : first + _AT_ONCE])
        here = slice(first, first + len(part))
        n_found, n_dry = find(part, as_bits(part), rules, ranked, around, missing, labels[here], n_valid[here], block)
        if n_found == 0:
            continue
        if ranked:
            block.packed[: len(part), :n_dry].sort(axis=1)
        describe(
            *(_as_floats(keys, series.dtype, ranked) for keys in (block.keys, block.dry)),
            n_found,
            days,
            rules,
            ranked,
            labels[here],
            block,
        )
        pieces.append((first, block.found[:n_found].copy(), block.numbers[:n_found].copy()))
    return _as_events(pieces), n_valid


class _Block(NamedTuple):
    """What is known of the series at work, and room to work in."""

    keys: np.ndarray  # (_AT_ONCE, padded time) values as whole numbers, see order.py
    n: np.ndarray  # (_AT_ONCE,) int32, days with a value, bridged ones too
    dry: np.ndarray  # (_AT_ONCE, time) keys of the dry days
    packed: np.ndarray  # (_AT_ONCE, time) int64, the same with their places
    n_dry: np.ndarray  # (_AT_ONCE,) int32
    found: np.ndarray  # (droughts, 10) int32
    numbers: np.ndarray  # (droughts, 4) float64: percentiles of onset and start, rate, severity
    row: np.ndarray  # (padded time,) a bridged series
    row_bits: np.ndarray
    chosen: np.ndarray  # (padded time,) keys
    ranks: np.ndarray  # (time,) int32
    spells: np.ndarray

    @classmethod
    def create(cls, n_time, dtype):
        n_padded = -(-n_time // _LINE) * _LINE
        row = np.full(n_padded, np.inf, dtype)
        bits = as_bits(row)
        most = n_time // 2 + 1  # a gap may cut a spell after each day
        return cls(
            keys=np.full((_AT_ONCE, n_padded), bits[0]),
            n=np.empty(_AT_ONCE, np.int32),
            dry=np.empty((_AT_ONCE, n_time), bits.dtype),
            packed=np.empty((_AT_ONCE, n_time), np.int64),
            n_dry=np.empty(_AT_ONCE, np.int32),
            found=np.empty((_AT_ONCE * most, 10), np.int32),
            numbers=np.empty((_AT_ONCE * most, 4)),
            row=row,
            row_bits=bits,
            chosen=np.empty(n_padded, bits.dtype),
            ranks=np.empty(n_time, np.int32),
            spells=np.empty((most, 7), np.int32),
        )


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
        found[:, _ROW] += first
    found, numbers = (np.concatenate(parts) for parts in list(zip(*pieces, strict=True))[1:])
    is_known = found[:, _KIND] != _UNKNOWN
    if not is_known.all():
        found, numbers = found[is_known], numbers[is_known]
    events = np.zeros(len(found), EVENT_DTYPE)
    columns = {"row": _ROW, "onset": ONSET, "start": START, "end": END, "is_flash": _KIND, "is_censored": CUT}
    for name, column in columns.items():
        events[name] = found[:, column]
    for k, name in enumerate(("onset_percentile", "start_percentile", "rate", "severity")):
        events[name] = numbers[:, k]
    return events


@njit(cache=True, nogil=True)
def _find_droughts(part, bits, rules, ranked, around, missing, labels, n_valid, block):
    """Find the droughts of some series, those of which nobody knows too, and pack their dry days.

    Returns how many droughts there are, and how many dry days of one series at most.
    """
    row, row_bits, spells, found, chosen = block.row, block.row_bits, block.spells, block.found, block.chosen
    all_keys, all_dry, all_packed, all_n, n_dry = block.keys, block.dry, block.packed, block.n, block.n_dry
    n_time = part.shape[1]
    n_found = most_dry = np.int64(0)
    for r in range(part.shape[0]):
        keys, dry = all_keys[r], all_dry[r]
        n, low, high = make_keys(bits[r], missing, keys)
        n_valid[r] = n
        if rules.max_gap > 0 and 0 < n < n_time:
            load_row(part[r], row[:n_time])
            if bridge_row(row[:n_time], rules.max_gap) > 0:
                n, low, high = make_keys(row_bits[:n_time], missing, keys)
        all_n[r] = n
        n_dry[r] = 0
        if labels.shape[0]:
            _label_days(keys, missing, labels[r])
        if n < 2:
            continue
        if ranked:  # the keys around `lower` and `upper`; those of the series before are the first guesses
            below = np.int64(0)
            for k in range(2):
                threshold = rules.upper if k else rules.lower
                key, side, below = key_around(threshold, n, rules.a, rules.b, keys, low, below, high + 1, around[k, 0])
                around[k, 0], around[k, 1] = key, side
                low = key
        recovered = _first_beyond(around[0, 0], around[0, 1], not rules.recovers_at_lower)
        dry_end = min(_first_beyond(around[0, 0], around[0, 1], rules.dry_at_lower), recovered)
        wet = _first_beyond(around[1, 0], around[1, 1], not rules.wet_at_upper)
        bounds = Bounds(dry_end, recovered, wet, missing)
        n_spells, dry_days = find_spells(keys, n_time, n < n_time, bounds, rules, spells, dry)
        first, last = known_extent(keys, n_time, missing) if n < n_time else (0, n_time - 1)
        n_before = n_found
        for s in range(n_spells):
            kind = _judge(spells[s], first, last, rules)
            if kind != _NONE:
                for column in range(_ROW):
                    found[n_found, column] = spells[s, column]
                found[n_found, _ROW], found[n_found, _KIND] = r, kind
                n_found += 1
        if ranked and n_found > n_before:
            _rank_onsets(keys, wet, found, n_before, n_found, chosen)
            pack(dry, dry_days, all_packed[r])
            n_dry[r] = dry_days
            most_dry = max(most_dry, dry_days)
    for r in range(part.shape[0]):  # what is behind the dry days stays there
        for k in range(n_dry[r], most_dry):
            all_packed[r, k] = _LAST
    return n_found, most_dry


@inner
def _first_beyond(key, side, with_equal):
    """The first key above a percentile that `key` is below, at or above; one at it is beyond unless `with_equal`."""
    return key + 1 if side < 0 or (side == 0 and with_equal) else key


@inner
def _label_days(keys, missing, labels):
    """No drought on every valid day."""
    limit = keys.dtype.type(missing)
    for t in range(labels.size):
        labels[t] = NO_DROUGHT if keys[t] < limit else MISSING_CLASS


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
        return _DROUGHT if is_long else (_UNKNOWN if runs_into_gap else _NONE)
    may_be_long = rules.count_onset or start == piece or runs_into_gap or is_long
    return _UNKNOWN if piece > first and may_be_long else _NONE


@inner
def _rank_onsets(keys, wet, found, first, stop, chosen):
    """Twice the average rank of onset points, which are wet: only days between them are looked at one by one."""
    highest = wet
    for k in range(first, stop):
        if found[k, ONSET] >= 0:
            highest = max(highest, np.int64(keys[found[k, ONSET]]))
    n_below = count_below(wet, keys)
    between = chosen[: keys_between(wet, highest, keys, chosen)]
    for k in range(first, stop):
        if found[k, ONSET] >= 0:
            found[k, _ONSET_RANK] = 2 * n_below + twice_rank(keys[found[k, ONSET]], between)


@njit(cache=True, nogil=True, error_model="numpy")
def _describe(values, dry_values, n_found, days, rules, ranked, labels, block):
    """Percentiles, rate, severity and kind of the droughts that were found, and the classes of their days."""
    all_found, all_numbers, ranks = block.found, block.numbers, block.ranks
    all_n, n_dry, dry, packed = block.n, block.n_dry, block.dry, block.packed
    row = last_end = np.int64(-1)
    for k in range(n_found):
        found, numbers = all_found[k], all_numbers[k]
        r, onset, start, end = (
            np.int64(found[_ROW]),
            np.int64(found[ONSET]),
            np.int64(found[START]),
            np.int64(found[END]),
        )
        n = np.int64(all_n[r])
        if r != row:
            row, last_end = r, np.int64(-1)
            if ranked:
                twice_ranks(dry[r, : n_dry[r]], packed[r, : n_dry[r]], ranks)
        if found[_KIND] == _UNKNOWN:
            if labels.shape[0]:
                _paint(labels[r], max(onset if onset >= 0 else start, last_end + 1), end + 1, np.int64(MISSING_CLASS))
            continue
        total = 0.0
        if ranked:
            twice = np.int64(0)  # of whole numbers, rounded once
            for i in range(found[FIRST_DRY], found[STOP_DRY]):
                twice += ranks[i]
            days_dry = found[STOP_DRY] - found[FIRST_DRY]
            total = 50.0 * (100 * twice - 2 * rules.a * days_dry) / (100 * n + rules.b)
            p_onset = percentile_of_rank(np.int64(found[_ONSET_RANK]), n, rules.a, rules.b)
            p_start = percentile_of_rank(np.int64(ranks[found[FIRST_DRY]]), n, rules.a, rules.b)
        else:
            for i in range(found[FIRST_DRY], found[STOP_DRY]):
                total += np.float64(dry_values[r, i])
            p_onset, p_start = np.float64(values[r, onset]), np.float64(values[r, start])
        length = days[start] - days[onset]
        is_flash = p_onset - p_start >= rules.min_rate * length - _ROUNDING and start - onset <= rules.max_onset
        numbers[0], numbers[1], numbers[2] = p_onset, p_start, (p_onset - p_start) / length
        numbers[3] = rules.lower * (found[STOP_DRY] - found[FIRST_DRY]) - total
        found[_KIND] = is_flash
        if labels.shape[0]:
            paint(labels[r], max(onset, last_end + 1), start, end, is_flash)
        last_end = end


@inner
def _paint(labels, first, stop, label):
    for t in range(first, stop):
        labels[t] = label


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
def init_labels(row, labels):
    """No drought on every valid day."""
    for t in range(row.size):
        labels[t] = NO_DROUGHT if abs(row[t]) < np.inf else MISSING_CLASS


@inner
def paint(labels, first, start, end, is_flash):
    """Label the onset ``first .. start - 1`` and the condition ``start .. end`` of one event."""
    kind = np.int64(FLASH_ONSET if is_flash else NORMAL_ONSET)
    _paint(labels, first, start, kind)
    _paint(labels, start, end + 1, kind + 1)  # the condition follows its onset in the codes


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
