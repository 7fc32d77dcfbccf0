"""A drought monitor as a folder of netCDF files: the reference, written once, and the state of a day."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cftime
import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars, files
from xdrought.definitions import Definition
from xdrought.percentiles import REFERENCE_TIME, _groups, _year_length

if TYPE_CHECKING:
    from xdrought.events.monitor import DroughtMonitor

FORMAT, FORMAT_VERSION = "xdrought.DroughtMonitor", 1
STATE = "state.nc"
_CFTIME_DAYS = "days since 1900-01-01"


@dataclass(frozen=True, eq=False)
class FixedReference:
    """The reference series of all cells, and where in the year their steps lie.

    Parameters
    ----------
    values : (cells, steps) numpy array, or xarray.Variable that is read from a file piece by piece
        One row may serve all cells. Sorted when all steps are one pool.
    n_valid : (cells,) int64
        Valid values of each row.
    groups : (steps,) int64
        Day or pentad of the year of each step, all 0 when all steps are one pool.
    key : str
        Name under which a file knows it: a digest of the values, the definition and the cells.
    """

    values: np.ndarray | xr.Variable = field(repr=False)
    n_valid: np.ndarray = field(repr=False)
    groups: np.ndarray = field(repr=False)
    key: str

    @classmethod
    def create(
        cls, reference: xr.DataArray, space: list[Hashable], sizes: dict, definition: Definition
    ) -> FixedReference:
        """From the series that a record is ranked against; dask is computed."""
        own = [d for d in space if d in reference.dims]
        if own:  # every cell its own row, also where a dimension is missing
            reference = reference.expand_dims({d: sizes[d] for d in space if d not in own})
        series = reference.transpose(*space if own else [], REFERENCE_TIME)
        values = series.values.reshape(-1, series.sizes[REFERENCE_TIME])
        finite = np.isfinite(values)
        values = np.where(finite, values, values.dtype.type(np.nan))
        if definition.pool == "record":
            values.sort(axis=1)  # NaN last
        groups = _groups(reference.indexes[REFERENCE_TIME], definition.pool)
        labels = [reference[d].values for d in space if d in reference.coords]
        key = files.digest(values, groups, repr(definition), repr(sizes), *labels)
        return cls(values, finite.sum(axis=1), groups, key)

    def rank(self, rows: np.ndarray, cells: slice, index: calendars.TimeIndex, definition: Definition) -> np.ndarray:
        """Percentiles (rows, steps) float64 of the values of some cells at the steps `index`."""
        from xdrought.kernels import episodes, ranks

        a, b = ranks.PLOTTING_POSITIONS[definition.percentile_method]
        own = cells if self.values.shape[0] > 1 else slice(None)
        pool = np.asarray(self.values[own])
        common = np.result_type(rows, pool)
        rows = np.ascontiguousarray(rows, dtype=common)
        pool = np.ascontiguousarray(pool, dtype=common)
        if definition.pool == "record":
            return episodes.sorted_percentiles(rows, pool, self.n_valid[own], a, b)
        if pool.shape[0] == 1:
            pool = np.broadcast_to(pool, (rows.shape[0], pool.shape[1])).copy()
        n_groups = _year_length(index, definition.pool)
        groups = _groups(index, definition.pool)
        pools = _used(calendars.make_pools(groups, self.groups, n_groups, definition.window))
        return ranks.pooled_percentiles(rows, pool, *pools, a, b)


def _used(pools: calendars.Pools) -> calendars.Pools:
    """Only the groups that have members: the others would be sorted for nothing."""
    kept = np.flatnonzero(np.diff(pools.member_starts))
    parts = [pools.pools[pools.pool_starts[g] : pools.pool_starts[g + 1]] for g in kept]
    member_starts = np.append(pools.member_starts[kept], pools.member_starts[-1])
    pool_starts = np.concatenate([[0], np.cumsum([part.size for part in parts])]).astype(np.int64)
    return calendars.Pools(pools.members, member_starts, np.concatenate([*parts, np.zeros(0, np.int64)]), pool_starts)


def write_monitor(monitor: DroughtMonitor, folder: Path) -> None:
    """Write the reference when it is not there, then the state in one move."""
    folder.mkdir(parents=True, exist_ok=True)
    key = monitor.reference.key if monitor.reference is not None else ""
    if (folder / STATE).is_file():
        found = _read_labels(folder / STATE)
        if found["reference_key"] != key:
            raise ValueError(f"{folder} holds another monitor, with a reference of its own; choose another folder")
    if monitor.reference is not None and not (folder / _reference_name(key)).is_file():
        _write_groups(_reference_groups(monitor.reference), folder / _reference_name(key))
    _write_groups(_state_groups(monitor), folder / STATE)


def read_monitor(folder: Path) -> dict[str, Any]:
    """The fields of a monitor that :func:`write_monitor` wrote."""
    if not (folder / STATE).is_file():
        raise FileNotFoundError(f"there is no {STATE} in {folder}; give what DroughtMonitor.save wrote")
    labels = _read_labels(folder / STATE)
    if labels.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{folder} has format version {labels.get('format_version')!r}, this xdrought reads "
            f"{FORMAT_VERSION}; update xdrought"
        )
    reference_path = folder / _reference_name(labels["reference_key"])
    if labels["reference_key"] and not reference_path.is_file():
        raise FileNotFoundError(f"{folder} lacks its reference {reference_path.name}; copy it there too")
    try:
        return _read_state(folder / STATE, labels, _read_reference(reference_path, labels["reference_key"]))
    except Exception as error:  # whatever a changed file leads to, it is the file's fault
        raise ValueError(f"{folder} does not fit together ({error}); restore it, or start again") from error


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


def _state_groups(monitor: DroughtMonitor) -> dict[str, xr.Dataset]:
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
    }
    state = xr.Dataset({"dates": ("date", dates), "open_days": (("cell", "open"), monitor.open_days)}, attrs=labels)
    columns = _columns(monitor.settled, "event") | {"cell": ("event", monitor.settled_cells)}
    return {
        "/": state,
        "cells": monitor.cells.rename("cells").to_dataset(),
        "episodes": xr.Dataset(_columns(monitor.episodes, "cell")),
        "events": xr.Dataset(columns),
    }


def _columns(table: np.ndarray, dim: str) -> dict[str, Any]:
    """A structured array as variables."""
    return {str(name): (dim, np.ascontiguousarray(table[name])) for name in table.dtype.names or ()}


def _from_columns(ds: xr.Dataset, blank: np.ndarray) -> np.ndarray:
    """The columns of a file in a blank table; those that the file lacks stay as they are."""
    for name in blank.dtype.names or ():
        if name in ds:
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
    ds = xr.open_dataset(path, engine="h5netcdf", cache=False, decode_cf=False)
    return FixedReference(ds["values"].variable, ds["n_valid"].values, ds["groups"].values, key)


def _read_state(path: Path, labels: dict[str, Any], reference: FixedReference | None) -> dict[str, Any]:
    from xdrought.kernels.episodes import new_episodes
    from xdrought.kernels.events import EVENT_DTYPE

    def group(name: str) -> xr.Dataset:
        with xr.open_dataset(path, engine="h5netcdf", group=name) as ds:
            return ds.load()

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
        "episodes": _from_columns(episodes, new_episodes(episodes.sizes.get("cell", 0))),
        "settled_cells": events["cell"].values,
        "settled": _from_columns(events, np.zeros(events.sizes.get("event", 0), EVENT_DTYPE)),
        "open_days": state["open_days"].values,
    }
    n_cells = fields["episodes"].size
    if n_cells != cells.size or (events["cell"].values >= n_cells).any():
        raise ValueError(f"{n_cells} cells remembered, {cells.size} named")
    return fields
