"""Events kept up to date day by day: what `flash_drought_events` gives for the whole record, without the record.

A monitor holds a fixed reference, a few numbers a cell and the events so far. None of it grows with the record but the
events; an update reads the new days alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, calendars, checks
from xdrought.definitions import Definition
from xdrought.events.detection import Detector, block_means
from xdrought.events.flash_droughts import CLASSES, _settings
from xdrought.events.monitor_store import FixedReference
from xdrought.events.table import _block_slices, _label, _place
from xdrought.percentiles import SOIL_MOISTURE, prepare
from xdrought.provenance import recorded

_CELLS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class DroughtMonitor:
    """Droughts of many cells up to a day; ``update`` gives a new monitor and leaves this one as it is.

    Made by :func:`start_monitor` or :func:`load_monitor`.

    Parameters
    ----------
    definition : Definition
        The rules.
    reference : FixedReference or None
        What values are ranked against; None when they are percentiles already.
    cells : xarray.DataArray
        The cells with their coordinates, without time.
    index : pandas.DatetimeIndex or xarray.CFTimeIndex
        Every step of the record so far.
    input_step : float
        Days between two steps of the input.
    time, name, units : str
        Name of the time dimension; name and units of the record.
    episodes : (cells,) structured array
        What each cell remembers, 77 bytes; see ``xdrought.kernels.episodes.EPISODE_DTYPE``.
    settled_cells, settled : (events,) arrays
        Events that no further day can change, with their cell.
    open_days : (cells, days) array
        Values of the days of a pentad that is not over; at most five, none for daily definitions.

    Examples
    --------
    See :func:`start_monitor`.
    """

    definition: Definition
    reference: FixedReference | None
    cells: xr.DataArray = field(repr=False)
    index: calendars.TimeIndex = field(repr=False)
    input_step: float
    time: Hashable
    name: Hashable
    units: str | None
    episodes: np.ndarray = field(repr=False)
    settled_cells: np.ndarray = field(repr=False)
    settled: np.ndarray = field(repr=False)
    open_days: np.ndarray = field(repr=False)

    def update(self, new_days: xr.DataArray) -> DroughtMonitor:
        """Go on by the days that follow the last one.

        Parameters
        ----------
        new_days : xarray.DataArray
            One step or more of the same cells, in the same units; missing days as NaN.

        Returns
        -------
        DroughtMonitor

        Raises
        ------
        ValueError
            When days are missing between, known already or out of order; for other cells, dimensions or units.
        TypeError
            For something else than numbers in a DataArray.

        Examples
        --------
        See :func:`start_monitor`.
        """
        quantity = "percentile" if self.reference is None else SOIL_MOISTURE
        # On a dry day all percentiles may lie below 1, which tells nothing of their scale.
        values = _on_cells(self.cells, prepare(new_days, self.time, quantity, scale=False), self.time)
        if (found := values.attrs.get("units")) != self.units:
            raise ValueError(
                f"the new days have units {found!r}, the record {self.units!r}; convert them first, "
                f"e.g. with xdrought.units.convert, or set attrs['units']"
            )
        _require_next(self.index, values.indexes[self.time], self.input_step)
        return self._advance(values)

    @recorded
    def events(self, *, censored: str = "keep") -> xr.Dataset:
        """The table of all events up to the last day, as :func:`xdrought.flash_drought_events` gives it.

        Parameters
        ----------
        censored : {"keep", "drop"}
            Events that meet a gap or the last day.

        Returns
        -------
        xarray.Dataset
            Equal to that of the whole record, with ``is_provisional`` besides: whether further days may change the
            event (it goes on, or a relapse may lengthen it) or, when its length is not sure, take it back.

        Raises
        ------
        ValueError
            For another word for `censored`.

        Examples
        --------
        See :func:`start_monitor`.
        """
        checks.require_choice(censored, "censored", ("keep", "drop"))
        open_events = self._open_events()
        cell = np.concatenate([self.settled_cells, open_events["row"].astype(np.int64)])
        table = np.concatenate([self.settled, open_events])
        is_open = np.arange(cell.size) >= self.settled_cells.size
        order = np.lexsort((table["start"], cell))
        events = _label(self._detector(self.index), table[order], self.index)
        events = events.assign_coords(_place(self.cells, list(self.cells.dims), self.cells.shape, cell[order]))
        text = {"long_name": "whether further days may change the event"}
        events = events.assign(is_provisional=("event", is_open[order], text)).assign_attrs(_settings(self.definition))
        return events.isel(event=~events.is_censored.values) if censored == "drop" else events

    @recorded
    def today(self) -> xr.Dataset:
        """The state of every cell on the last day (for pentads, on the last whole one).

        Returns
        -------
        xarray.Dataset
            On the dims of the cells: ``percentile``; ``drought_class`` as :func:`xdrought.drought_classes` gives it;
            ``provisional_days``, the number of latest days whose class may still change (an onset shows only when
            the drought has lasted long enough); ``days_since_onset``, since the last step above `upper`, or since
            that from which the dry spell fell; ``days_since_start``, since the first step of the dry spell that goes
            on, NaN when there is none; ``intensification_rate``, the fall between the two.

        Examples
        --------
        >>> import numpy as np, pandas as pd, xarray as xr
        >>> p = np.repeat([60.0, 30.0, 15.0], [5, 1, 3])
        >>> da = xr.DataArray(p, dims="time", coords={"time": pd.date_range("2001-01-01", periods=9)})
        >>> from xdrought import start_monitor
        >>> today = start_monitor(da, is_percentile=True).today()
        >>> int(today.drought_class), int(today.provisional_days), float(today.days_since_start)
        (0, 5, 2.0)
        """
        from xdrought.kernels import episodes as kernel

        detector, e = self._detector(self.index), self.episodes
        last = self._n_ready(detector) - 1
        days = np.append(detector.days, detector.days[-1] + detector.step_days)
        unsettled = kernel.first_unsettled_step(e, last, detector._rules())
        onset = np.where(e["is_open"], e["onset"], e["last_wet"])
        since_onset = np.where(onset >= 0, days[last] - days[onset], np.nan)
        since_start = np.where(e["is_open"], days[last] - days[e["start"]], np.nan)
        fall = np.where(e["is_open"] & (onset >= 0), e["onset_percentile"] - e["start_percentile"], np.nan)
        with np.errstate(invalid="ignore"):
            rate = fall / (since_onset - since_start)
        classes = kernel.last_classes(e, self._open_events(), last, detector._rules())

        def map_of(values: np.ndarray, text: str, unit: str | None = None) -> xr.DataArray:
            attrs = {"long_name": text} | ({"units": unit} if unit else {})
            return xr.DataArray(values.reshape(self.cells.shape), self.cells.coords, self.cells.dims, attrs=attrs)

        flags = {"flag_values": np.array(list(CLASSES.values()), np.int8), "flag_meanings": " ".join(CLASSES)}
        maps = {
            "percentile": map_of(e["percentile"].copy(), "soil moisture percentile", "percent"),
            "drought_class": map_of(classes, "drought class").assign_attrs(flags),
            "provisional_days": map_of(days[last + 1] - days[unsettled], "days whose class may change", "d"),
            "days_since_onset": map_of(since_onset, "days since the last one above the upper percentile", "d"),
            "days_since_start": map_of(since_start, "days since the fall below the lower percentile", "d"),
            "intensification_rate": map_of(rate, "mean decline of the percentile in the onset", "percent d-1"),
        }
        label = self.index[detector.first_days[max(last, 0)]]
        return xr.Dataset(maps, {self.time: label}, _settings(self.definition))

    def save(self, path: str | Path) -> None:
        """Write the monitor to a folder: netCDF, no pickle.

        The state is written beside the old one and moved into its place, so that there is never half a state; the
        reference is written once.

        Parameters
        ----------
        path : str or pathlib.Path
            The folder; made when it is not there.

        Raises
        ------
        ValueError
            When the folder holds another monitor.

        Examples
        --------
        >>> monitor.save("soil_moisture.monitor")  # doctest: +SKIP
        """
        from xdrought.events.monitor_store import write_monitor

        write_monitor(self, Path(path))

    def _detector(self, index: calendars.TimeIndex) -> Detector:
        daily_for_pentads = self.definition.step == "pentad" and self.input_step == 1.0 and self.reference is not None
        blocks = calendars.pentad_blocks(index) if daily_for_pentads else None
        steps = index if blocks is None else index[blocks.first]
        days = np.asarray((steps - steps[0]) / pd.Timedelta(days=1), dtype=np.float64)
        step = self.input_step if blocks is None else 5.0
        return Detector(self.definition, days, step, blocks, None, False)

    def _n_ready(self, detector: Detector) -> int:
        """Steps that are over; the pentad of the last day may not be."""
        return detector.days.size - (detector.blocks is not None and not detector.blocks.complete[-1])

    def _open_events(self) -> np.ndarray:
        from xdrought.kernels.episodes import unsettled_events

        detector = self._detector(self.index)
        return unsettled_events(self.episodes, self._n_ready(detector) - 1, detector.days, detector._rules())

    def _advance(self, values: xr.DataArray) -> DroughtMonitor:
        """The monitor after further days, which follow and fit."""
        from xdrought.kernels.episodes import advance

        new_index = cast(calendars.TimeIndex, values.indexes[self.time])
        index = joined(self.index, new_index)
        detector = self._detector(index)
        before = self._n_ready(self._detector(self.index)) if len(self.index) else 0
        steps = slice(before, self._n_ready(detector))
        first_days = np.append(detector.first_days, len(index))
        n_days = int(first_days[steps.stop] - first_days[steps.start])  # of the steps that are over
        step_index = index[detector.first_days[steps]]
        episodes = self.episodes.copy()
        cells_of, events_of = [self.settled_cells], [self.settled]
        n_open = self.open_days.shape[1] + len(new_index) - n_days
        open_days = np.empty((episodes.size, n_open), np.result_type(self.open_days, values.dtype))
        for cells, new in _rows_of_cells(values.transpose(*self.cells.dims, self.time), self.cells.shape):
            rows = np.concatenate([self.open_days[cells], new], axis=1) if self.open_days.shape[1] else new
            open_days[cells] = rows[:, n_days:]
            if steps.stop == steps.start:
                continue
            own = episodes[cells]
            percentiles = self._percentiles(rows[:, :n_days], cells, detector, steps, step_index)
            events = advance(percentiles, steps.start, detector.days, detector._rules(), own)
            episodes[cells] = own
            events_of.append(events)
            cells_of.append(np.arange(episodes.size)[cells][events["row"]])
        return dataclasses.replace(
            self,
            index=index,
            episodes=episodes,
            settled_cells=np.concatenate(cells_of),
            settled=np.concatenate(events_of),
            open_days=open_days,
        )

    def _percentiles(
        self, rows: np.ndarray, cells: Any, detector: Detector, steps: slice, index: calendars.TimeIndex
    ) -> np.ndarray:
        if detector.blocks is not None:
            first, length, complete = (part[steps] for part in detector.blocks)
            rows = block_means(rows, calendars.Blocks(first - first[0], length, complete))
        if self.reference is None:
            return rows.astype(np.float64)
        return self.reference.rank(rows, cells, index, self.definition)


def _on_cells(cells: xr.DataArray, values: xr.DataArray, time: Hashable) -> xr.DataArray:
    """New days on the cells of the record, whatever their order; never fewer cells and never more."""
    dims = [d for d in values.dims if d != time]
    if set(dims) != set(cells.dims):
        raise ValueError(
            f"the new days have dimensions {tuple(values.dims)}, the record "
            f"{(*cells.dims, time)}; bring them to the same, e.g. with .expand_dims or .isel"
        )
    return alignment.align_to(cells, values, what="new_days", exact=True, extra_dims=True)


def joined(old: calendars.TimeIndex, new: calendars.TimeIndex) -> calendars.TimeIndex:
    """One time axis after another."""
    if not len(old):
        return new
    if isinstance(old, xr.CFTimeIndex):  # its own append forgets that it holds dates
        return xr.CFTimeIndex(np.concatenate([old.values, new.values]), name=old.name)
    return cast(pd.DatetimeIndex, old.append(new))


def _rows_of_cells(values: xr.DataArray, shape: tuple[int, ...]) -> Iterator[tuple[Any, np.ndarray]]:
    """(which cells, their new days (cells, days)) piece by piece, so that little is held at once."""
    chunks = values.chunks[: len(shape)] if values.chunks else tuple((n,) for n in shape)
    numbers = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    for where in _block_slices(shape, chunks):
        block = np.asarray(values.data[where]).reshape(-1, values.shape[-1])
        cells = numbers[where].ravel()
        for first in range(0, cells.size, _CELLS_AT_ONCE):
            some = cells[first : first + _CELLS_AT_ONCE]
            is_run = some[-1] - some[0] + 1 == some.size
            yield slice(int(some[0]), int(some[-1]) + 1) if is_run else some, block[first : first + some.size]


def _require_next(old: calendars.TimeIndex, new: calendars.TimeIndex, step: float) -> None:
    """Raise unless the new days follow the old ones without a gap, at the same step."""
    if type(old) is not type(new) or getattr(old, "calendar", "") != getattr(new, "calendar", ""):
        raise ValueError(
            f"the new days have another kind of dates ({new.dtype}) than the record ({old.dtype}); "
            f"use .convert_calendar"
        )
    if new[0] <= old[-1]:
        raise ValueError(
            f"the record ends at {old[-1]}, the new days begin at {new[0]}; what is known cannot be given "
            f"again: leave those days out, or start another monitor when they have been corrected"
        )
    tail = joined(old[-8:], new[:8])
    dummy = xr.DataArray(np.zeros(len(tail), np.int8), {"time": tail}, "time", "new days")
    gap = (new[0] - old[-1]) / pd.Timedelta(days=1)
    try:
        follows = checks.require_regular_steps(dummy, "time") == step
    except ValueError:
        follows = False
    if not follows:
        raise ValueError(
            f"the record ends at {old[-1]} and goes by {checks.step_text(step)}, the new days begin at "
            f"{new[0]}, {checks.step_text(gap)} later; give every step between, missing ones as NaN"
        )
