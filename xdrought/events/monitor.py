"""Events kept up to date day by day: what `flash_drought_events` gives for the whole record, without the record.

A monitor holds a fixed reference, a few numbers a cell, the values of the last weeks and the events so far. None of it
grows with the record but the events; an update reads the new days and the last ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import xarray as xr

from xdrought import alignment, checks, shown
from xdrought.choices import Censored
from xdrought.events.flash_droughts import CLASSES, settings_of
from xdrought.events.monitor_ledger import PROVISIONAL, STATUS, WITHDRAWN
from xdrought.events.monitor_scan import Now, read_now
from xdrought.events.monitor_state import MonitorState, span_of
from xdrought.events.monitor_update import update
from xdrought.events.table import _label, _place
from xdrought.flags import flag_attrs
from xdrought.provenance import recorded


@dataclass(frozen=True, eq=False, repr=False)
class DroughtMonitor(MonitorState):
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
    n_folded : int
        Steps of the record that nothing can change any more: those older than 30 days and the longest gap together.
    episodes : (cells,) structured array
        What each cell remembers of them, 110 bytes; see ``xdrought.kernels.episodes.EPISODE_DTYPE``.
    recent : (cells, days) array
        The values of the last days, with as many before them as the longest gap has.
    ledger : (events,) structured array
        Every event that was ever listed; see ``xdrought.events.monitor_ledger``.
    lineage : tuple of str
        Digests of the states that this one came from, the own one last.

    Examples
    --------
    See :func:`start_monitor`.
    """

    def __repr__(self) -> str:
        return shown.as_text(*self._facts())

    def _repr_html_(self) -> str:
        """What notebooks show: the same as a table."""
        return shown.as_html(*self._facts())

    def _facts(self) -> tuple[str, dict[str, str]]:
        """Of what it knows, where and until when."""
        days = f"{self.index[0]:%Y-%m-%d} to {self.index[-1]:%Y-%m-%d}, " if len(self.index) else ""
        places = ", ".join(f"{dim}: {size}" for dim, size in self.cells.sizes.items())
        return f"xdrought.DroughtMonitor of {self.name}{f' ({self.units})' if self.units else ''}", {
            "record": f"{days}{len(self.index)} steps of {self.input_step:g} days",
            "cells": f"{self.cells.size}{f' ({places})' if places else ''}",
            "definition": self.definition.name,
            "ranked": "not, values are percentiles" if self.reference is None else "against a fixed reference",
            "final": f"all but the last {len(self.index) - self.n_folded} steps",
            "events": f"{len(self.ledger)} listed so far",
        }

    def update(
        self, new_days: xr.DataArray, *, revise: bool = False, reference: xr.DataArray | None = None
    ) -> DroughtMonitor:
        """Go on by the days that follow the last one, or take late and corrected days.

        Parameters
        ----------
        new_days : xarray.DataArray
            One step or more of the record's cells, in the same units; missing days as NaN. Days stamped at noon are
            taken as their day. Days that are known already and say the same change nothing. Where the record has one
            dimension of stations with labels, their order does not matter, stations that are not named are missing
            on days that follow and stay as they are on others, and further stations are taken up: of them nothing is
            known before their first day, which may lie within the last 30.
        revise : bool
            Whether values that differ from those known, within the last 30 days, correct them. Late days, which were
            missing, are such values too, and NaN takes a value back.
        reference : xarray.DataArray, optional
            The reference series of further stations, where each has its own.

        Returns
        -------
        DroughtMonitor
            This one itself when the new days tell nothing.

        Raises
        ------
        ValueError
            When days are missing between or out of order; for values that differ from those known without `revise`,
            or that are older than 30 days; for other cells of a grid, other dimensions or units; for further stations
            without a reference or without the coordinates of the others.
        TypeError
            For something else than numbers in a DataArray.

        Examples
        --------
        >>> import numpy as np, pandas as pd, xarray as xr
        >>> from xdrought import start_monitor
        >>> p = np.repeat([60.0, 15.0, np.nan, 15.0], [5, 7, 1, 9])
        >>> da = xr.DataArray(p, dims="time", coords={"time": pd.date_range("2001-01-01", periods=22)})
        >>> monitor = start_monitor(da, is_percentile=True)
        >>> int(monitor.events().gap_days[0])
        1
        >>> late = da.sel(time=["2001-01-13"]).fillna(15.0)
        >>> int(monitor.update(late, revise=True).events().gap_days[0])
        0
        """
        monitor, now = update(self, new_days, revise, reference)
        return monitor if now is None else monitor._knowing(now)

    @recorded
    def events(self, *, censored: Censored = "keep") -> xr.Dataset:
        """The table of all events up to the last day, as :func:`xdrought.flash_drought_events` gives it.

        Parameters
        ----------
        censored : {"keep", "drop"}
            Events that meet a gap or the last day.

        Returns
        -------
        xarray.Dataset
            Equal to that of the whole record, with, besides:

            - ``is_provisional``: whether further days may change the event (it goes on, or a relapse may lengthen it)
              or, when its length is not sure, take it back;
            - ``status``: ``provisional`` as above, ``ended`` when only a correction of the last 30 days may change it,
              ``final`` when nothing can;
            - ``event_id``: its name, from the station (or the number of the cell) and the start when it was listed
              first; it stays when days come or are corrected, as long as the event shares a day with what it was;
            - ``first_issued``, ``last_changed``: the last day of the record when the event was listed first, and when
              any of its values changed last.

        Raises
        ------
        ValueError
            For another word for `censored`.

        Examples
        --------
        See :func:`start_monitor`.
        """
        checks.require_choice(censored, "censored", get_args(Censored))
        events = self._table(self.ledger[self.ledger["status"] != WITHDRAWN])
        return events.isel(event=~events.is_censored.values) if censored == "drop" else events

    @recorded
    def changes_since(self, day: Any) -> xr.Dataset:
        """The events that changed after a day: those that are new, those that went on or ended, those taken back.

        Parameters
        ----------
        day : str, datetime or cftime.datetime
            A day of the record, e.g. that of the last bulletin.

        Returns
        -------
        xarray.Dataset
            The rows of :meth:`events` whose ``last_changed`` is later, and events that were taken back later, with the
            status ``withdrawn`` and the values that they had last.

        Raises
        ------
        ValueError
            For something else than a day.

        Examples
        --------
        >>> import numpy as np, pandas as pd, xarray as xr
        >>> from xdrought import start_monitor
        >>> p = np.repeat([60.0, 15.0, 30.0], [5, 20, 5])
        >>> da = xr.DataArray(p, dims="time", coords={"time": pd.date_range("2001-01-01", periods=30)})
        >>> monitor = start_monitor(da[:22], is_percentile=True).update(da[22:])
        >>> monitor.changes_since("2001-01-22").sizes["event"], monitor.changes_since("2001-01-30").sizes["event"]
        (1, 0)
        """
        try:
            known = self.index.slice_indexer(None, day).stop
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(f"{day!r} is no day of the record; give e.g. {str(self.index[-1])[:10]!r}") from error
        known = len(self.index) if known is None else known
        return self._table(self.ledger[self.ledger["last_changed"] >= known])

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

        span, e = span_of(self, self.index), self._now.episodes
        detector, last = span.detector, span.ready - 1
        days = np.append(detector.days, detector.days[-1] + detector.step_days)
        unsettled = kernel.first_unsettled_step(e, detector._rules())
        if detector.blocks is None:  # a missing day stays missing, whatever its gap becomes
            unsettled = np.where(unsettled > e["last_step"], last + 1, unsettled)
        onset = np.where(e["is_open"], e["onset"], e["last_wet"])
        since_onset = np.where(onset >= 0, days[last] - days[onset], np.nan)
        since_start = np.where(e["is_open"], days[last] - days[e["start"]], np.nan)
        fall = np.where(e["is_open"] & (onset >= 0), e["onset_percentile"] - e["start_percentile"], np.nan)
        with np.errstate(invalid="ignore"):
            rate = fall / (since_onset - since_start)
        cells, found = (np.concatenate(parts) for parts in zip(self._now.ended, self._now.open, strict=True))
        classes = kernel.last_classes(e, cells, found, last, detector._rules())
        classes[~self._now.is_seen] = CLASSES["missing"]

        def map_of(values: np.ndarray, text: str, unit: str | None = None) -> xr.DataArray:
            attrs = {"long_name": text} | ({"units": unit} if unit else {})
            return xr.DataArray(values.reshape(self.cells.shape), self.cells.coords, self.cells.dims, attrs=attrs)

        maps = {
            "percentile": map_of(e["percentile"].copy(), "soil moisture percentile", "percent"),
            "drought_class": map_of(classes, "drought class").assign_attrs(flag_attrs(CLASSES)),
            "provisional_days": map_of(days[last + 1] - days[unsettled], "days whose class may change", "d"),
            "days_since_onset": map_of(since_onset, "days since the last one above the upper percentile", "d"),
            "days_since_start": map_of(since_start, "days since the fall below the lower percentile", "d"),
            "intensification_rate": map_of(rate, "mean decline of the percentile in the onset", "percent d-1"),
        }
        label = self.index[detector.first_days[max(last, 0)]]
        return alignment.dataset_of(maps, {self.time: label}).assign_attrs(settings_of(self.definition))

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
            When the folder holds another monitor, later days, or days that another run has written since this one was
            read: time never goes back.
        BlockingIOError
            While another run writes to the folder.

        Examples
        --------
        >>> monitor.save("soil_moisture.monitor")  # doctest: +SKIP
        """
        from xdrought.events.monitor_store import write_monitor

        write_monitor(self, Path(path))

    @cached_property
    def _now(self) -> Now:
        return read_now(self)

    def _knowing(self, now: Now) -> DroughtMonitor:
        """This monitor, which need not read its last days again."""
        self.__dict__["_now"] = now
        return self

    def _table(self, rows: np.ndarray) -> xr.Dataset:
        """Rows of the ledger as a table of events."""
        rows = rows[np.lexsort((rows["start"], rows["cell"]))]
        events = _label(self.detector, rows, self.index)
        events = events.assign_coords(_place(self.cells, list(self.cells.dims), self.cells.shape, rows["cell"]))
        days = {name: self.index[rows[name]].values for name in ("first_issued", "last_changed")}
        more: dict[str, tuple] = {
            "is_provisional": ("event", rows["status"] == PROVISIONAL, "whether further days may change the event"),
            "status": ("event", rows["status"], "what may still change the event"),
            "event_id": ("event", self._names(rows), "name of the event"),
            "first_issued": ("event", days["first_issued"], "last day of the record when the event was listed first"),
            "last_changed": ("event", days["last_changed"], "last day of the record when the event changed last"),
        }
        variables = {name: (dim, values, {"long_name": text}) for name, (dim, values, text) in more.items()}
        events = events.assign(variables).assign_attrs(settings_of(self.definition))
        events["status"].attrs |= flag_attrs(STATUS)
        return events

    def _names(self, rows: np.ndarray) -> np.ndarray:
        """Station, or number of the cell, and day of the start when the event was listed first."""
        dims = self.cells.dims
        labels = self.cells.indexes[dims[0]] if len(dims) == 1 and dims[0] in self.cells.indexes else None
        places = np.asarray(rows["cell"] if labels is None else labels[rows["cell"]]).astype(str)
        starts, which = np.unique(rows["first_start"], return_inverse=True)
        dates = self.index[self.detector.first_days[starts]]
        days = np.array([f"-{day.year:04d}{day.month:02d}{day.day:02d}" for day in dates], dtype="U9")
        return np.strings.add(places, days[which])
