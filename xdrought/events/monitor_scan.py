"""The scan of a monitor: old days are folded into the past of each cell, the last ones are read again every time.

The last 30 days may be corrected, and a day that is missing may get a value by the line over its gap, which needs the
next value. So a day is folded when it is older than both together; then nothing that comes can change what it says.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from xdrought import calendars
from xdrought.events.detection import block_means
from xdrought.events.monitor_ledger import ENDED, FINAL, PROVISIONAL, new_rows, relist
from xdrought.events.monitor_reference import CELLS_AT_ONCE
from xdrought.events.monitor_state import MonitorState, Span, joined, n_revisable, span_of
from xdrought.events.table import _no_events

State = TypeVar("State", bound=MonitorState)


class Now(NamedTuple):
    """Cells after the last step that is over."""

    episodes: np.ndarray  # (cells,)
    is_seen: np.ndarray  # (cells,) bool, whether any day of that step has a value of its own
    ended: tuple[np.ndarray, np.ndarray]  # (cells, events): those that no further day changes, and
    open: tuple[np.ndarray, np.ndarray]  # those that further days may change


def with_days(state: State, pieces: Iterable[tuple[Any, np.ndarray]], new: calendars.TimeIndex) -> tuple[State, Now]:
    """The state after further days, which follow and fit; `pieces` are (which cells, their new days)."""
    state, folded = _fold(state, pieces, joined(state.index, new))
    now = read_now(state)
    today = len(state.index) - 1
    found = [
        new_rows(*folded, FINAL, today),
        new_rows(*now.ended, ENDED, today),
        new_rows(*now.open, PROVISIONAL, today),
    ]
    return dataclasses.replace(state, ledger=relist(state.ledger, np.concatenate(found), today)), now


def _fold(
    state: State, pieces: Iterable[tuple[Any, np.ndarray]], index: calendars.TimeIndex
) -> tuple[State, tuple[np.ndarray, np.ndarray]]:
    """The state on a longer time axis, and the events (their cells, themselves) of the steps that it has folded."""
    span = span_of(state, index)
    longest = span.detector.longest_gap
    last = np.searchsorted(span.edges, len(index) - n_revisable(state) - longest, side="right") - 1
    target = int(np.clip(last, span.folded, span.ready))
    n_folded = int(span.edges[target])
    n_recent = min(len(index) - n_folded + longest, state.recent.shape[1] + len(index) - len(state.index))
    episodes = state.episodes.copy()
    recent = np.empty((episodes.size, n_recent), state.recent.dtype)
    cells_of, events_of = [np.zeros(0, np.int64)], [_no_events()]
    for cells, days in pieces:
        old = state.recent[cells]
        rows = np.concatenate([old, days], axis=1) if old.shape[1] else days
        if rows.dtype != recent.dtype:
            recent = recent.astype(rows.dtype)
        recent[cells] = rows[:, rows.shape[1] - n_recent :]
        own = episodes[cells]
        events, _ = _scan(state, rows, cells, index, span, (span.folded, target), own)
        episodes[cells] = own
        events_of.append(events)
        cells_of.append(np.arange(episodes.size)[cells][events["row"]])
    folded = np.concatenate(cells_of), np.concatenate(events_of)
    return dataclasses.replace(state, index=index, n_folded=n_folded, episodes=episodes, recent=recent), folded


def read_now(state: MonitorState) -> Now:
    """Read the days that are not folded yet."""
    from xdrought.kernels.episodes import unsettled_events

    span = span_of(state, state.index)
    rules = span.detector._rules()
    n_waiting = _waiting_steps(state, span)
    episodes, is_seen = state.episodes.copy(), np.zeros(state.episodes.size, bool)
    cells_of, events_of = [np.zeros(0, np.int64)], [_no_events()]
    for first in range(0, episodes.size, CELLS_AT_ONCE):
        cells = slice(first, first + CELLS_AT_ONCE)
        own = episodes[cells]
        steps = (span.folded, span.ready)
        events, missing = _scan(state, state.recent[cells], cells, state.index, span, steps, own, n_waiting[cells])
        episodes[cells] = own
        if missing.shape[1]:
            is_seen[cells] = missing[:, -1] < span.detector.days_in_step[span.ready - 1]
        events_of.append(events)
        cells_of.append(np.arange(episodes.size)[cells][events["row"]])
    still_open = unsettled_events(episodes, span.detector.days, rules)
    still_open["gap_days"] *= _days_of_a_gap(span)
    ended = np.concatenate(cells_of), np.concatenate(events_of)
    return Now(episodes, is_seen, ended, (still_open["row"].astype(np.int64), still_open))


def _scan(
    state: MonitorState,
    rows: np.ndarray,
    cells: Any,
    index: calendars.TimeIndex,
    span: Span,
    steps: tuple[int, int],
    episodes: np.ndarray,
    n_waiting: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Take some steps of the record into `episodes`; the events that they settle, and the missing days of each step.

    `rows` (cells, days) are the last days of `index`, with the days before the steps that a line may begin in.
    """
    from xdrought.kernels.episodes import advance
    from xdrought.kernels.gaps import bridge_gaps

    begin, end = steps
    detector = span.detector
    offset = len(index) - rows.shape[1]
    days = slice(int(span.edges[begin]) - offset, int(span.edges[end]) - offset)
    gone = ~np.isfinite(rows[:, days])
    if end == begin:
        return _no_events(), gone[:, :0].astype(np.uint8)
    if detector.longest_gap and gone.any():
        rows = bridge_gaps(rows, detector.longest_gap)
    rows = rows[:, days]
    missing = gone.view(np.uint8)
    if detector.blocks is not None:
        first, length, complete = (part[begin:end] for part in detector.blocks)
        rows = block_means(rows, calendars.Blocks(first - first[0], length, complete))
        missing = np.add.reduceat(missing, first - first[0], axis=1)
    step_index = index[detector.first_days[begin:end]]
    if state.reference is None:
        percentiles = rows.astype(np.float64)
    else:
        percentiles = state.reference.rank(rows, cells, step_index, state.definition)
    waiting = np.zeros(rows.shape[0], np.int64) if n_waiting is None else n_waiting
    events = advance(percentiles, missing, waiting, begin, detector.days, detector._rules(), episodes)
    events["gap_days"] *= _days_of_a_gap(span)
    return events, missing


def _days_of_a_gap(span: Span) -> int:
    """Days of one missing value."""
    return 1 if span.detector.blocks is not None else int(span.detector.step_days)


def _waiting_steps(state: MonitorState, span: Span) -> np.ndarray:
    """Steps (cells,) at the end that wait for a next value, because the gap that they lie in may be bridged by it."""
    longest = span.detector.longest_gap
    if not longest:
        return np.zeros(state.episodes.size, np.int64)
    tail = np.isfinite(state.recent[:, ::-1][:, : longest + 1])
    gap = np.where(tail.any(axis=1), tail.argmax(axis=1), tail.shape[1])
    ends = span.edges[span.folded + 1 : span.ready + 1]
    of_gap = np.array([np.count_nonzero(ends > len(state.index) - days) for days in range(tail.shape[1] + 1)])
    return np.where(gap <= longest, of_gap[gap], 0)
