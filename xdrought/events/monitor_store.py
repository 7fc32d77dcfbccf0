"""A drought monitor as a folder of netCDF files: the reference, written once, and the state of a day."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

import cftime
import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars, files
from xdrought.definitions import Definition
from xdrought.events.monitor_ledger import FINAL, ledger_dtype
from xdrought.events.monitor_reference import FixedReference
from xdrought.events.monitor_state import MonitorState, span_of
from xdrought.untrusted import check_hdf5

FORMAT, FORMAT_VERSION = "xdrought.DroughtMonitor", 3
STATE = "state.nc"
_CFTIME_DAYS = "days since 1900-01-01"
State = TypeVar("State", bound=MonitorState)


def write_monitor(monitor: MonitorState, folder: Path) -> None:
    """Write the reference when it is not there, then the state in one move; only over a state that it came from."""
    folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder, "the drought monitor"):
        if (folder / STATE).is_file():
            labels = _read_labels(folder / STATE)
            mark = _mark_of(folder / STATE, labels)
            if mark == monitor.lineage[-1]:
                return
            if mark not in monitor.lineage:
                raise ValueError(_refusal(monitor, folder, labels))
        key = monitor.reference.key if monitor.reference is not None else ""
        if monitor.reference is not None and not (folder / _reference_name(key)).is_file():
            _write_groups(_reference_groups(monitor.reference), folder / _reference_name(key))
        _write_groups(_state_groups(monitor), folder / STATE)
        for path in folder.glob(_reference_name("*")):  # of fewer stations
            if path.name != _reference_name(key):
                path.unlink()


def read_monitor(folder: Path, kind: type[State]) -> State:
    """The monitor, of a class that :class:`MonitorState` is the base of, that :func:`write_monitor` wrote."""
    if not (folder / STATE).is_file():
        raise FileNotFoundError(f"there is no {STATE} in {folder}; give what DroughtMonitor.save wrote")
    labels = _read_labels(folder / STATE)
    if labels.get("format_version") not in range(1, FORMAT_VERSION + 1):
        raise ValueError(
            f"{folder} has format version {labels.get('format_version')!r}, this xdrought reads 1 to "
            f"{FORMAT_VERSION}; update xdrought"
        )
    reference_path = folder / _reference_name(labels["reference_key"])
    if labels["reference_key"] and not reference_path.is_file():
        raise FileNotFoundError(f"{folder} lacks its reference {reference_path.name}; copy it there too")
    mark = _mark_of(folder / STATE, labels)
    try:
        reference = _read_reference(reference_path, labels["reference_key"])
        fields = _read_state(folder / STATE, labels, reference) | {"lineage": (mark,)}
        return _migrated(kind(**fields)) if labels["format_version"] == 1 else kind(**fields)
    except Exception as error:  # whatever a changed file leads to, it is the file's fault
        raise ValueError(f"{folder} does not fit together ({error}); restore it, or start again") from error


def _mark_of(path: Path, labels: dict[str, Any]) -> str:
    """By which the descendants of a state know it."""
    return str(labels["mark"]) if "mark" in labels else files.digest(path.read_bytes())


def _refusal(monitor: MonitorState, folder: Path, labels: dict[str, Any]) -> str:
    """What to say when the folder holds a state that the monitor did not come from."""
    if labels["reference_key"] and (monitor.reference is None or labels["reference_key"] != monitor.reference.key):
        return f"{folder} holds another monitor, with a reference of its own; choose another folder"
    with xr.open_dataset(folder / STATE, engine="h5netcdf") as ds:
        last = _read_dates(ds["dates"].values[-1:], labels["dates_as"], monitor.time)[0]
    went_on = f"holds days up to {last}, this monitor ends at {monitor.index[-1]}: time does not go back"
    changed = f"holds {last} as another run has written it since this monitor was read"
    return (
        f"{folder} {went_on if str(last) > str(monitor.index[-1]) else changed}; load it again and update that, "
        f"or choose another folder"
    )


def _migrated(state: State) -> State:
    """A state of the first format, which kept no days but those of a pentad that is not over.

    What it remembers goes on; its days cannot be corrected, and of its events nobody knows when they were issued first.
    """
    from xdrought.events.monitor_scan import with_days

    span = span_of(state, state.index)
    n_folded = int(span.edges[span.ready])
    state.episodes["last_step"] = span.ready - 1
    state.episodes["first"] = 0
    fresh = dataclasses.replace(state, n_folded=n_folded)
    return with_days(fresh, [], state.index[:0])[0]


def _reference_name(key: str) -> str:
    return f"reference-{key}.nc"


def _write_groups(groups: dict[str, xr.Dataset], path: Path) -> None:
    with files.replacing(path) as part:
        for k, (group, ds) in enumerate(groups.items()):
            ds.to_netcdf(part, mode="a" if k else "w", group=group, engine="h5netcdf")


def _reference_groups(reference: FixedReference) -> dict[str, xr.Dataset]:
    variables = {
        "values": (("cell", "step"), np.asarray(reference.values[:])),
        "n_valid": ("cell", reference.n_valid),
        "groups": ("step", reference.groups),
    }
    return {"/": xr.Dataset(variables, attrs={"format": f"{FORMAT} reference"})}


def _state_groups(monitor: MonitorState) -> dict[str, xr.Dataset]:
    dates, dates_as = _plain_dates(monitor.index)
    labels = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "definition": json.dumps(dataclasses.asdict(monitor.definition)),
        "reference_key": monitor.reference.key if monitor.reference is not None else "",
        "input_step": monitor.input_step,
        "dates_as": dates_as,
        "dims": json.dumps([*map(str, monitor.cells.dims)]),
        "names": json.dumps([monitor.time, monitor.name, monitor.units]),
        "n_folded": monitor.n_folded,
        "mark": monitor.lineage[-1],
    }
    state = xr.Dataset({"dates": ("date", dates), "recent": (("cell", "day"), monitor.recent)}, attrs=labels)
    return {
        "/": state,
        "cells": monitor.cells.rename("cells").to_dataset(),
        "episodes": xr.Dataset(_columns(monitor.episodes, "cell")),
        "events": xr.Dataset(_columns(monitor.ledger, "event")),
    }


def _columns(table: np.ndarray, dim: str) -> dict[str, Any]:
    """A structured array as variables."""
    return {str(name): (dim, np.ascontiguousarray(table[name])) for name in table.dtype.names or ()}


def _from_columns(ds: xr.Dataset, blank: np.ndarray, is_old: bool) -> np.ndarray:
    """The columns of a file in a blank table; those that an old file lacks stay as they are."""
    for name in blank.dtype.names or ():
        if name in ds or not is_old:
            blank[name] = ds[name].values
    return blank


def _plain_dates(index: calendars.TimeIndex) -> tuple[np.ndarray, str]:
    """Dates as numbers, and how to read them: a datetime64 unit or a calendar."""
    if isinstance(index, pd.DatetimeIndex):
        return index.asi8.copy(), f"datetime64[{index.unit}]"
    calendar = index.calendar
    return np.asarray(cftime.date2num(index.values, _CFTIME_DAYS, calendar=calendar), np.float64), f"cftime {calendar}"


def _read_dates(numbers: np.ndarray, dates_as: str, time: Any) -> calendars.TimeIndex:
    if dates_as.startswith("cftime "):
        return xr.CFTimeIndex(cftime.num2date(numbers, _CFTIME_DAYS, calendar=dates_as.split()[1]), name=time)
    return pd.DatetimeIndex(numbers.astype("int64").view(dates_as), name=time)


def _read_labels(path: Path) -> dict[str, Any]:
    try:
        check_hdf5(str(path))
        with xr.open_dataset(path, engine="h5netcdf") as ds:
            labels = {
                name: value.item() if isinstance(value, np.generic) else value for name, value in ds.attrs.items()
            }
    except Exception as error:  # the engines raise many types for a broken file
        raise ValueError(f"{path} cannot be read ({error}); restore it, or start again") from error
    if labels.get("format") != FORMAT:
        raise ValueError(f"{path} is no monitor, it says {labels.get('format')!r}; give another folder")
    key = labels.get("reference_key")
    if not isinstance(key, str) or not (key == "" or key.isalnum()):  # it names a file beside this one, nothing else
        raise ValueError(f"{path} names the reference {key!r}; it was changed, restore it")
    return labels


def _read_reference(path: Path, key: str) -> FixedReference | None:
    if not key:
        return None
    check_hdf5(str(path))
    ds = xr.open_dataset(path, engine="h5netcdf", cache=False, decode_cf=False)
    return FixedReference(ds["values"].variable, ds["n_valid"].values, ds["groups"].values, key)


def _read_state(path: Path, labels: dict[str, Any], reference: FixedReference | None) -> dict[str, Any]:
    from xdrought.kernels.episodes import new_episodes

    def group(name: str) -> xr.Dataset:
        with xr.open_dataset(path, engine="h5netcdf", group=name) as ds:
            return ds.load()

    is_old, lacks_columns = labels["format_version"] == 1, labels["format_version"] < FORMAT_VERSION
    time, name, units = json.loads(labels["names"])
    state, events, episodes = group("/"), group("events"), group("episodes")
    cells = group("cells")["cells"].rename(None).transpose(*json.loads(labels["dims"]))
    texts = {c: da.astype(str) for c, da in cells.coords.items() if da.dtype.kind in "OT"}
    fields: dict[str, Any] = {
        "definition": Definition(**json.loads(labels["definition"])),
        "reference": reference,
        "cells": cells.assign_coords(texts),
        "index": _read_dates(state["dates"].values, labels["dates_as"], time),
        "input_step": float(labels["input_step"]),
        "time": time,
        "name": name,
        "units": units,
        "n_folded": int(labels.get("n_folded", 0)),
        "episodes": _from_columns(episodes, new_episodes(episodes.sizes.get("cell", 0)), lacks_columns),
        "recent": state["open_days" if is_old else "recent"].values,
        "ledger": _from_columns(events, np.zeros(events.sizes.get("event", 0), ledger_dtype()), is_old),
    }
    if is_old:
        fields["ledger"]["status"], fields["ledger"]["first_start"] = FINAL, events["start"].values
        fields["ledger"]["first_issued"] = fields["ledger"]["last_changed"] = len(fields["index"]) - 1
    n_cells = fields["episodes"].size
    if n_cells != cells.size or (events["cell"].values >= n_cells).any():
        raise ValueError(f"{n_cells} cells remembered, {cells.size} named")
    return fields
