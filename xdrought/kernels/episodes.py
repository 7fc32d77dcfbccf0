"""The event scan a day at a time: what a cell must remember is one row of numbers, whatever its past.

The rules are those of :mod:`xdrought.kernels.events`; there a whole record is scanned, here the scan stops after any
step and goes on later. Both give the same events to the last bit, because sums are taken in the same order.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.compilation import inner
from xdrought.kernels.events import _ROUNDING, EVENT_DTYPE, append_event
from xdrought.kernels.labels import FLASH_CONDITION, MISSING_CLASS, NO_DROUGHT, NORMAL_CONDITION
from xdrought.kernels.ranks import percentile_in_sorted
from xdrought.kernels.spells import DROP, MERGE

NONE = -1
MISSING, DRY, AT_LOWER, BETWEEN, WET = 0, 1, 2, 3, 4  # what a step is by its percentile
# What a cell remembers; steps count from the record's start, -1 stands for none.
EPISODE_DTYPE = np.dtype(
    [
        ("percentile", np.float64),  # of the last step
        ("last_wet", np.int32),  # the onset point of a drought that may come
        ("last_wet_percentile", np.float64),
        ("wet_run", np.int32),
        ("previous_end", np.int32),  # of the last dry spell; a gap forgets it
        ("last_event_end", np.int32),
        # The dry spell that goes on, or that a relapse may still lengthen (`is_open` False); start -1: there is none,
        # onset -1: it can never be an event. The end is that of the dry spell; its drought ends `end_at` steps later.
        ("onset", np.int32),
        ("start", np.int32),
        ("end", np.int32),
        ("onset_percentile", np.float64),
        ("start_percentile", np.float64),
        ("recovered", np.int32),
        ("n_dry", np.int32),
        ("dry_sum", np.float64),  # of the percentiles of its dry days
        ("is_open", np.bool_),
        ("is_dropped", np.bool_),  # a relapse that the definition drops
        ("first", np.int32),  # step of the first value
        ("piece", np.int32),  # step after the last missing one
        ("last_step", np.int32),  # that was taken; fewer than there are while a gap may still be bridged
        ("cut_from", np.int32),  # step from which the next value makes classes missing: a spell ran into this gap
        # Missing days that were bridged: so far, before the last wet step, before the onset, to the end of the spell.
        ("missing", np.int32),
        ("last_wet_missing", np.int32),
        ("onset_missing", np.int32),
        ("end_missing", np.int32),
    ]
)


def new_episodes(n_cells):
    """Cells that have seen nothing yet."""
    episodes = np.zeros(n_cells, EPISODE_DTYPE)
    steps = ("last_wet", "previous_end", "last_event_end", "onset", "start", "end", "first", "last_step", "cut_from")
    for name in steps:
        episodes[name] = NONE
    for name in ("percentile", "last_wet_percentile", "onset_percentile", "start_percentile"):
        episodes[name] = np.nan
    return episodes


@njit(cache=True, nogil=True)
def sorted_percentiles(series, pool, n_valid, a, b):
    """Percentiles (rows, steps) float64 within sorted pools (rows, values), or one pool (1, values) for all rows.

    The first ``n_valid[row]`` values of a pool count; NaN where the series is missing or the pool is empty.
    """
    n_rows, n_steps = series.shape
    out = np.full((n_rows, n_steps), np.nan)
    for r in range(n_rows):
        own = r if pool.shape[0] > 1 else 0
        n = n_valid[own]
        for t in range(n_steps):
            if n > 0 and np.isfinite(series[r, t]):
                out[r, t] = percentile_in_sorted(series[r, t], pool[own], n, a, b)
    return out


@inner
def _append(events, n_events, row, episode, end, is_censored, days, rules):
    """The event of a held dry spell that ends at `end`, when its length makes it one."""
    first = episode["onset"] if rules.count_onset else episode["start"]
    if episode["onset"] < 0 or end - first + 1 < rules.min_duration:
        return events, n_events
    onset, start = episode["onset"], episode["start"]
    events = append_event(events, n_events, row, onset, start, end)
    event = events[n_events]
    length = days[start] - days[onset]
    fall = episode["onset_percentile"] - episode["start_percentile"]
    event["onset_percentile"] = episode["onset_percentile"]
    event["start_percentile"] = episode["start_percentile"]
    event["rate"] = fall / length
    event["severity"] = rules.lower * episode["n_dry"] - episode["dry_sum"]
    event["is_flash"] = fall >= rules.min_rate * length - _ROUNDING and start - onset <= rules.max_onset
    event["is_censored"] = is_censored
    missing = episode["missing"] if is_censored else episode["end_missing"]
    event["gap_days"] = missing - episode["onset_missing"]
    return events, n_events + 1


@inner
def _settle(events, n_events, row, episode, end, is_censored, days, rules):
    """Let go of the held spell: nothing that comes can change it."""
    events, n = _append(events, n_events, row, episode, end, is_censored, days, rules)
    if n > n_events:
        episode["last_event_end"] = end
    episode["onset"] = episode["start"] = episode["end"] = NONE
    episode["is_open"] = episode["is_dropped"] = False
    return events, n


@inner
def _is_over(episode, rules):
    """Whether the held spell has ended for good: it recovered, and no relapse can lengthen it."""
    return not episode["is_open"] and (rules.relapse != MERGE or episode["last_wet"] > episode["end"])


@inner
def _begin_spell(episode, t, p, is_dropped):
    episode["onset"] = NONE if is_dropped else episode["last_wet"]
    episode["onset_percentile"] = episode["last_wet_percentile"]
    episode["onset_missing"] = episode["last_wet_missing"]
    episode["end_missing"] = episode["missing"]
    episode["start"] = t
    episode["start_percentile"] = p
    episode["n_dry"] = 1
    episode["dry_sum"] = 0.0 + p
    episode["recovered"] = 0
    episode["is_open"] = True
    episode["is_dropped"] = is_dropped


@inner
def _bounds_of_percentiles(rules):
    """Code bounds of a row that holds percentiles."""
    dry_to = rules.lower if rules.dry_at_lower else np.nextafter(rules.lower, -np.inf)
    recovered_from = rules.lower if rules.recovers_at_lower else np.nextafter(rules.lower, np.inf)
    wet_from = rules.upper if rules.wet_at_upper else np.nextafter(rules.upper, np.inf)
    return dry_to, recovered_from, wet_from


@inner
def _code_days(row, dry_to, recovered_from, wet_from, code):
    missing = row.dtype.type(np.inf)
    for t in range(row.size):
        value = row[t]
        level = 1 + (value > dry_to) + (value >= recovered_from) + (value >= wet_from)
        if level == AT_LOWER and value >= recovered_from:
            level = BETWEEN
        code[t] = level * (value < missing)


@inner
def _cut_from(episode, end, rules):
    """First step of an open spell that a gap ends and that is no event: then nobody knows whether it was one."""
    onset, start = episode["onset"], episode["start"]
    if episode["is_dropped"] or not episode["is_open"]:
        return NONE
    counted_from = onset if rules.count_onset and onset >= 0 else start
    is_long = end - counted_from + 1 >= rules.min_duration
    if onset < 0:  # not at the record's start, and not missing whatever comes
        is_missing = rules.count_onset or start == episode["piece"] or is_long
        return NONE if is_missing or episode["piece"] <= episode["first"] else max(start, episode["last_event_end"] + 1)
    return NONE if is_long else max(onset, episode["last_event_end"] + 1)


@njit(cache=True, nogil=True)
def advance(percentiles, missing, n_waiting, first_step, days, rules, episodes):
    """Take further steps of many cells; returns the events that these steps settle.

    Parameters
    ----------
    percentiles : (rows, steps) float64
        The new steps; NaN and infinite values are missing.
    missing : (rows, steps) uint8
        Days of each step that have no value of their own.
    n_waiting : (rows,) int
        Last steps that are not taken yet, because the gap they end in may still be bridged.
    first_step : int
        Index of the first of them on the whole record.
    days : (all steps,) float64
        Day number of each step of the whole record, old and new.
    rules : Rules
    episodes : (rows,) EPISODE_DTYPE
        What the cells remember; changed in place.

    Returns
    -------
    events : (events,) EVENT_DTYPE, in order of row and time
    """
    n_rows, n_steps = percentiles.shape
    events = np.empty(max(n_rows // 8, 16), EVENT_DTYPE)
    n_events = 0
    codes = np.empty(n_steps, np.uint8)
    row = np.empty(n_steps)
    dry_to, recovered_from, wet_from = _bounds_of_percentiles(rules)
    for r in range(n_rows):
        episode = episodes[r]
        for k in range(n_steps):
            row[k] = percentiles[r, k] if np.isfinite(percentiles[r, k]) else np.inf
        _code_days(row, dry_to, recovered_from, wet_from, codes)
        n_taken = n_steps - n_waiting[r]
        if n_taken > 0:
            episode["last_step"] = first_step + n_taken - 1
        for k in range(n_taken):
            t, p, code = first_step + k, row[k], codes[k]
            held = episode["start"] >= 0
            if held and _is_over(episode, rules):  # it is no event, and the step before was its last
                events, n_events = _settle(events, n_events, r, episode, episode["end"], False, days, rules)
                held = False
            if code == MISSING:  # nothing is remembered across a gap
                if held:
                    end = t - 1 if episode["is_open"] else episode["end"] + rules.end_at
                    episode["cut_from"] = _cut_from(episode, end, rules)
                    events, n_events = _settle(events, n_events, r, episode, end, episode["is_open"], days, rules)
                episode["wet_run"] = 0
                episode["last_wet"] = episode["previous_end"] = NONE
                episode["percentile"] = np.nan
                episode["piece"] = t + 1
                continue
            episode["percentile"] = p
            episode["cut_from"] = NONE
            missing_before = episode["missing"]
            episode["missing"] += missing[r, k]
            if episode["first"] < 0:
                episode["first"] = t
            episode["wet_run"] = episode["wet_run"] + 1 if code == WET else 0
            if code == WET and episode["wet_run"] >= rules.min_wet_run:
                episode["last_wet"] = t
                episode["last_wet_percentile"] = p
                episode["last_wet_missing"] = missing_before
            if episode["is_open"]:
                episode["recovered"] = episode["recovered"] + 1 if code > AT_LOWER else 0
                if episode["recovered"] <= rules.end_at:
                    episode["end_missing"] = episode["missing"]
                if code == DRY:
                    episode["n_dry"] += 1
                    episode["dry_sum"] += p
                if episode["recovered"] == rules.recovery:
                    end = t - rules.recovery
                    episode["end"] = episode["previous_end"] = end
                    episode["is_open"] = False
                    end += rules.end_at
                    if _is_over(episode, rules) and (episode["onset"] >= 0 or end < t):  # else t is part of it
                        events, n_events = _settle(events, n_events, r, episode, end, False, days, rules)
            elif code == DRY:
                relapsed = episode["previous_end"] >= 0 and episode["last_wet"] <= episode["previous_end"]
                if relapsed and rules.relapse == MERGE:
                    episode["n_dry"] += 1
                    episode["dry_sum"] += p
                    episode["recovered"] = 0
                    episode["end_missing"] = episode["missing"]
                    episode["is_open"] = True
                else:
                    _begin_spell(episode, t, p, relapsed and rules.relapse == DROP)
            elif held and episode["last_wet"] > episode["previous_end"]:  # wet again: no relapse can lengthen it
                end = episode["end"] + rules.end_at
                events, n_events = _settle(events, n_events, r, episode, end, False, days, rules)
        if n_waiting[r] > 0:
            episode["percentile"] = np.nan
    return events[:n_events].copy()


@njit(cache=True, nogil=True)
def unsettled_events(episodes, days, rules):
    """Events (events,) EVENT_DTYPE of the held spells, as they stand after the last step taken."""
    events = np.empty(16, EVENT_DTYPE)
    n_events = 0
    for r in range(episodes.size):
        episode = episodes[r]
        if episode["start"] >= 0:
            end = episode["last_step"] if episode["is_open"] else episode["end"] + rules.end_at
            events, n_events = _append(events, n_events, r, episode, end, episode["is_open"], days, rules)
    return events[:n_events].copy()


def _hidden_onsets(episodes, rules):
    """Held spells (cells,) whose onset point may lie in a gap, and those whose class is missing whatever comes."""
    e = episodes
    hidden = (e["start"] >= 0) & (e["onset"] < 0) & ~e["is_dropped"] & (e["piece"] > e["first"])
    return hidden, hidden & ((e["start"] == e["piece"]) | rules.count_onset)


def last_classes(episodes, cells, events, last_step, rules):
    """Class (cells,) int8 of the last step, as a scan of the whole record would give it.

    `events` are those not yet folded, settled or not, and `cells` where they are.
    """
    e = episodes
    classes = np.where(np.isfinite(e["percentile"]), NO_DROUGHT, MISSING_CLASS).astype(np.int8)
    hidden, always = _hidden_onsets(e, rules)
    is_long = last_step - e["start"] + 1 >= rules.min_duration
    lasts = e["is_open"] | (e["end"] + rules.end_at == last_step)
    classes[lasts & (always | (hidden & is_long))] = MISSING_CLASS  # nobody knows whether it is a drought
    lasting = events["end"] == last_step
    classes[cells[lasting]] = np.where(events["is_flash"][lasting], FLASH_CONDITION, NORMAL_CONDITION)
    return classes


def first_unsettled_step(episodes, rules):
    """First step (cells,) whose class may still change; the one after the last step taken where none may."""
    e = episodes
    held = e["start"] >= 0
    hidden, always = _hidden_onsets(e, rules)
    begun = np.where(hidden, e["start"], np.maximum(e["onset"], e["last_event_end"] + 1))
    # A held spell that is long enough whatever comes: only what follows its end, were it to end, is open.
    spell_end = np.where(e["is_open"], e["last_step"] - e["recovered"], e["end"])
    sure_end = np.minimum(spell_end + rules.end_at, e["last_step"])
    counted_from = e["onset"] if rules.count_onset else e["start"]
    is_sure = always | (sure_end - counted_from + 1 >= rules.min_duration)
    of_spell = np.where(is_sure, sure_end + 1, begun)
    # Otherwise the drought that may come begins at the last wet step, unless it would be a relapse.
    barred_to = np.where(e["is_open"], spell_end, e["previous_end"]) if rules.relapse in (DROP, MERGE) else NONE
    may_begin = (e["last_wet"] >= 0) & (e["last_wet"] > barred_to)
    of_wet = np.where(may_begin, np.maximum(e["last_wet"], e["last_event_end"] + 1), e["last_step"] + 1)
    is_over = ~e["is_open"] & ((rules.relapse != MERGE) | (e["last_wet"] > e["end"]))
    unsettled = np.where(held & ((e["onset"] >= 0) | hidden) & (is_sure | ~is_over), of_spell, of_wet)
    return np.where(e["cut_from"] >= 0, e["cut_from"], unsettled)
