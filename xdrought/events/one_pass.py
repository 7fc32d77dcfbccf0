"""Events, daily classes and summary of a record from one pass, in memory or band by band into a zarr store."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, get_args

import xarray as xr

from xdrought import checks
from xdrought.choices import Censored, DefinitionName, Frozen, Relapse
from xdrought.definitions import Definition, get_definition
from xdrought.events.detection import COLUMNS, Inputs
from xdrought.events.drought_store import write_bands
from xdrought.events.droughts import Droughts, Labelling
from xdrought.events.flash_droughts import SUMMARY
from xdrought.events.table import Bound, scan_blocks
from xdrought.percentiles import Reference
from xdrought.provenance import ATTRIBUTES, Record
from xdrought.public_functions import public

__all__ = ["Droughts", "detect_droughts"]

_OWN = COLUMNS | {"drought_class", *SUMMARY}


@public
def detect_droughts(
    soil_moisture: xr.DataArray,
    *,
    definition: DefinitionName | Definition = "tang2025",
    path: str | Path | None = None,
    is_percentile: bool = False,
    reference: Reference = None,
    soil_temperature: xr.DataArray | None = None,
    frozen: Frozen = "flag",
    censored: Censored = "keep",
    time: Hashable = "time",
    progress: bool = True,
    relapse: Relapse | None = None,
    **thresholds: Any,
) -> Droughts:
    """Events, daily classes and summary maps of every series from one pass over the record.

    It gives what :func:`flash_drought_events`, :func:`drought_classes` and :func:`drought_summary` give, in half the
    time of the first two, because the record is read and ranked once.

    Parameters
    ----------
    soil_moisture, definition, is_percentile, reference, soil_temperature, frozen, censored, time, relapse, **thresholds
        As in :func:`flash_drought_events`, with one definition. A dask input is computed: memory holds the blocks at
        work, the events and the classes (one byte a day), or, with a `path`, one band of them.
    path : str or pathlib.Path, optional
        A zarr store (format 3) for records whose classes are larger than memory. The chunks of the first chunked
        dimension follow each other as bands, each of which is written when it is there: the store has the groups
        ``events``, ``classes`` and ``summary``. After an interruption call the function again with the same record
        and path, and it goes on with the next band. The folder that holds the store must exist.
    progress : bool
        A bar of the bands on terminals.

    Returns
    -------
    Droughts
        A named tuple (``events``, ``classes``, ``summary``); with a `path` they are lazy, opened from it, and the
        events of each band follow those of the band before.

    Raises
    ------
    ValueError, TypeError
        As :func:`flash_drought_events`.
    FileExistsError
        When the path holds a store that is complete, or that was begun with another record or definition.
    BlockingIOError
        When another run is writing the same store.

    Examples
    --------
    >>> from xdrought import detect_droughts, open_dataset
    >>> soil = open_dataset("us-ar1").soil_moisture
    >>> events, classes, summary = detect_droughts(soil)
    >>> events.sizes["event"] == int(summary.event_count.sum()), classes.dtype
    (True, dtype('int8'))
    """
    checks.require_choice(censored, "censored", get_args(Censored))
    chosen = get_definition(definition, relapse=relapse, **thresholds)
    inputs = Inputs.create(soil_moisture, reference, soil_temperature, is_percentile, frozen, time, _OWN)
    data = {"soil_moisture": soil_moisture, "reference": reference, "soil_temperature": soil_temperature}
    settings = {"is_percentile": is_percentile, "frozen": frozen, "censored": censored, "time": time}
    given = {**data, "definition": definition, "relapse": relapse, **settings, **thresholds}
    record = Record.create("detect_droughts", {name: one for name, one in given.items() if one is not None})
    labelling = Labelling(Bound.create(inputs, chosen), chosen, soil_moisture.dims, censored, record)
    if path is None:
        blocks = scan_blocks(labelling.bound, "everything")
        if all(block.is_empty for block in blocks):
            checks.warn_without_values()
        return labelling.droughts(blocks, {})
    write_bands(Path(path), labelling, progress)
    events, classes, summary = (xr.open_zarr(path, group=group, consolidated=False) for group in Droughts._fields)
    if "start_time" in events.coords:  # a coordinate in files, as CF has it
        events = events.reset_coords("start_time")
    if bool(summary.event_count.isnull().all()):  # no series had a valid day
        checks.warn_without_values()
    made = {name: value for name, value in classes.attrs.items() if name in ATTRIBUTES}
    return Droughts(events, classes.drought_class.assign_attrs(made), summary)
