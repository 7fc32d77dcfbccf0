"""What a monitor knows: the past as a few numbers a cell, the last days as they were given, and the events so far."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars, files, shown
from xdrought.definitions import Definition
from xdrought.events.detection import Detector
from xdrought.events.monitor_reference import FixedReference

REVISABLE = 30.0  # days, the last of the record, that may still be corrected


@dataclass(frozen=True, eq=False)
class MonitorState:
    """The fields of :class:`xdrought.DroughtMonitor`."""

    definition: Definition
    reference: FixedReference | None
    cells: xr.DataArray = field(repr=False)
    index: calendars.TimeIndex = field(repr=False)
    input_step: float
    time: Hashable
    name: Hashable
    units: str | None
    n_folded: int
    episodes: np.ndarray = field(repr=False)
    recent: np.ndarray = field(repr=False)
    ledger: np.ndarray = field(repr=False)
    lineage: tuple[str, ...] = field(repr=False)

    @property
    def detector(self) -> Detector:
        """The definition on the steps of the record so far."""
        return detector_of(self, self.index)


def digest_of(state: MonitorState) -> str:
    """A digest of what a state holds, by which its descendants know it."""
    labels = [state.cells[name].values for name in state.cells.coords]
    key = state.reference.key if state.reference is not None else ""
    return files.digest(
        key, shown.in_one_line(state.definition), str(list(state.index[-1:])), *labels, state.recent, state.episodes
    )


class Span(NamedTuple):
    """Steps of a record, in numbers of steps and of days: those folded into the past, and those that are over."""

    detector: Detector
    edges: np.ndarray  # (steps + 1,) first day of each step, and the number of days
    folded: int
    ready: int


def detector_of(state: MonitorState, index: calendars.TimeIndex) -> Detector:
    """The definition of a monitor on a time axis."""
    daily_for_pentads = state.definition.step == "pentad" and state.input_step == 1.0 and state.reference is not None
    blocks = calendars.pentad_blocks(index) if daily_for_pentads else None
    steps = index if blocks is None else index[blocks.first]
    days = np.asarray((steps - steps[0]) / pd.Timedelta(days=1), dtype=np.float64)
    return Detector(state.definition, days, state.input_step if blocks is None else 5.0, blocks, None, False)


def span_of(state: MonitorState, index: calendars.TimeIndex) -> Span:
    """Steps of a time axis that begins with the state's."""
    detector = detector_of(state, index)
    edges = np.append(detector.first_days, len(index))
    unfinished = detector.blocks is not None and not detector.blocks.complete[-1]
    return Span(detector, edges, int(np.searchsorted(edges, state.n_folded)), detector.days.size - int(unfinished))


def n_revisable(state: MonitorState) -> int:
    """Steps of the input that may be corrected."""
    return int(REVISABLE // state.input_step)


def joined(old: calendars.TimeIndex, new: calendars.TimeIndex) -> calendars.TimeIndex:
    """One time axis after another."""
    if not len(old):
        return new
    if not len(new):
        return old
    if isinstance(old, xr.CFTimeIndex):  # its own append forgets that it holds dates
        return xr.CFTimeIndex(np.concatenate([old.values, new.values]), name=old.name)
    return cast(pd.DatetimeIndex, old.append(new))
