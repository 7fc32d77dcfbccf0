"""Begin to follow droughts day by day: the record so far, a reference that stays, and a monitor comes out."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars, checks
from xdrought.choices import DefinitionName, Relapse
from xdrought.definitions import Definition, get_definition
from xdrought.events.detection import Inputs
from xdrought.events.monitor import DroughtMonitor
from xdrought.events.monitor_ledger import ledger_dtype
from xdrought.events.monitor_reference import FixedReference, rows_of_cells
from xdrought.events.monitor_scan import with_days
from xdrought.events.monitor_state import digest_of, joined
from xdrought.percentiles import Reference
from xdrought.public_functions import public


@public
def start_monitor(
    soil_moisture: xr.DataArray,
    *,
    reference: Reference = None,
    definition: DefinitionName | Definition = "tang2025",
    is_percentile: bool = False,
    time: Hashable = "time",
    relapse: Relapse | None = None,
    **thresholds: Any,
) -> DroughtMonitor:
    """Begin to follow droughts in near real time.

    Parameters
    ----------
    soil_moisture : xarray.DataArray
        The record so far, as :func:`xdrought.flash_drought_events` takes it; dask is computed block by block.
    reference : DataArray, slice or (start, end)
        What percentiles are of, now and later: a series, or a period that the record holds to its end. Without one a
        new day would change every percentile of the past.
    definition : str or Definition
        One of those that fall from a threshold to another, by the day or the pentad.
    is_percentile : bool
        The record holds percentiles (0 to 100); no reference is needed.
    time : hashable
        Name of the time dimension.
    relapse, **thresholds
        As in :func:`xdrought.flash_drought_events`.

    Returns
    -------
    DroughtMonitor

    Raises
    ------
    ValueError
        Without a reference, for a reference period that the record does not hold, for another kind of definition, and
        as :func:`xdrought.flash_drought_events`.
    TypeError
        As :func:`xdrought.flash_drought_events`.

    Notes
    -----
    Frozen soil is not treated here: take frozen days out before, with ``soil_moisture.where(soil_temperature >= 0)``.
    Gaps are bridged as in :func:`xdrought.flash_drought_events`, a day after they end at the earliest: until then an
    event that they meet is censored and provisional.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> p = np.repeat([60.0, 30.0, 15.0, 30.0], [5, 1, 20, 10])
    >>> da = xr.DataArray(p, dims="time", coords={"time": pd.date_range("2001-01-01", periods=36)})
    >>> from xdrought import start_monitor
    >>> monitor = start_monitor(da[:24], is_percentile=True)
    >>> [bool(monitor.events().is_provisional[0]), int(monitor.events().duration[0])]
    [True, 18]
    >>> monitor = monitor.update(da[24:])
    >>> [bool(monitor.events().is_provisional[0]), int(monitor.events().duration[0])]
    [False, 20]
    """
    chosen = get_definition(definition, relapse=relapse, **thresholds)
    if chosen.rule != "threshold":
        raise ValueError(
            f"definition {chosen.name!r} has the rule {chosen.rule!r}, which is not followed day by day; "
            f"use one with rule 'threshold', or flash_drought_events on the whole record"
        )
    inputs = Inputs.create(soil_moisture, reference, None, is_percentile, "ignore", time)
    values = inputs.values
    if reference is None and not is_percentile:
        raise ValueError(
            "no reference; percentiles of a growing record change with every day: "
            'give a period, e.g. reference=("1991", "2020"), or a series'
        )
    if isinstance(inputs.reference, slice):
        _require_finished(values.indexes[time], inputs.reference, chosen)
    _, arrays, _ = inputs.bind(chosen)
    space = [d for d in values.dims if d != time]
    sizes = {d: values.sizes[d] for d in space}
    fixed = None
    if not is_percentile:
        fixed = FixedReference.create(arrays[-1], space, sizes, chosen)
    from xdrought.kernels.episodes import new_episodes

    n_cells = int(np.prod(list(sizes.values()), dtype=np.int64))
    coords = {name: c for name, c in values.coords.items() if set(c.dims) <= set(space)}
    cells = xr.DataArray(np.zeros(tuple(sizes.values()), np.int8), coords, space)
    empty = DroughtMonitor(
        definition=chosen,
        reference=fixed,
        cells=cells.compute(),
        index=values.indexes[time][:0],
        input_step=checks.require_regular_steps(values, time),
        time=time,
        name=values.name,
        units=values.attrs.get("units"),
        n_folded=0,
        episodes=new_episodes(n_cells),
        recent=np.zeros((n_cells, 0), values.dtype),
        ledger=np.zeros(0, ledger_dtype()),
        lineage=(),
    )
    pieces = rows_of_cells(values.transpose(*space, time), cells.shape)
    monitor, now = with_days(empty, pieces, values.indexes[time])
    if (now.episodes["first"] < 0).all():
        checks.warn_without_values()
    return dataclasses.replace(monitor, lineage=(digest_of(monitor),))._knowing(now)


def _require_finished(index: calendars.TimeIndex, chosen: slice, definition: Definition) -> None:
    """Raise when days to come would belong to the reference period."""
    labels, over = index, len(index)
    if definition.step == "pentad" and _is_daily(index):
        blocks = calendars.pentad_blocks(index)
        labels = index[blocks.first]
        over = blocks.first.size - (not blocks.complete[-1])
    if over == len(labels):
        labels = joined(labels, labels[-1:] + pd.Timedelta(days=1))
    picked = labels.slice_indexer(chosen.start, chosen.stop)
    if picked.stop is None or picked.stop > over:
        raise ValueError(
            f"the reference {chosen.start} to {chosen.stop} goes on after the record's last day {index[-1]}; "
            f"give a period that is over, so that no new day can change it"
        )


def _is_daily(index: calendars.TimeIndex) -> bool:
    """Whether steps are days."""
    return len(index) < 2 or (index[1] - index[0]) == pd.Timedelta(days=1)


@public
def load_monitor(path: str | Path) -> DroughtMonitor:
    """Read a monitor that ``DroughtMonitor.save`` wrote.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder. Its reference is read piece by piece when days are ranked, and stays open until then.

    Returns
    -------
    DroughtMonitor

    Raises
    ------
    FileNotFoundError
        When the folder or its reference is not there.
    ValueError
        For another kind of file, a newer version, or one that is damaged.

    Examples
    --------
    >>> monitor = load_monitor("soil_moisture.monitor")  # doctest: +SKIP
    """
    from xdrought.events.monitor_store import read_monitor

    return read_monitor(Path(path), DroughtMonitor)
