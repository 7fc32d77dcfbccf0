"""From structured events of blocks to one labelled Dataset along `event`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.definitions import Definition
from xdrought.events.detection import FREEZING, Detector, Inputs, split_others
from xdrought.percentiles import as_rows

_MOSTLY_FROZEN = 0.5
# What a reader of a table wants to know of an event, first things first.
_READ = [
    *("onset_time", "start_time", "end_time", "duration", "intensification_rate", "severity", "is_flash"),
    *("is_censored", "is_provisional", "frozen_fraction", "onset_length", "start_percentile", "onset_percentile"),
]
_MOST_COLUMNS = 12
_OTHER_NAME: dict[Hashable, str] = {"cell": "series_cell"}


class Block(NamedTuple):
    """What one block of series gives; `where` are its slices among all of them."""

    where: tuple[slice, ...]
    cell: np.ndarray  # (events,) index of the series among all
    events: np.ndarray  # (events,) structured, indices in steps
    frozen: np.ndarray  # (events,) share of days below freezing, or empty without temperatures
    classes: np.ndarray | None  # (block..., time) int8
    maps: tuple[np.ndarray, ...]  # (block...) each
    is_empty: bool  # no series holds a value


class Bound(NamedTuple):
    """A definition bound to the arrays of a record, whose blocks can be scanned."""

    inputs: Inputs
    detector: Detector
    arrays: list[xr.DataArray]  # values and what else a block takes, the series first and time last
    space: list[Hashable]
    shape: tuple[int, ...]
    chunks: tuple[tuple[int, ...], ...]

    @classmethod
    def create(cls, inputs: Inputs, definition: Definition) -> Bound:
        detector, arrays, core_dims = inputs.bind(definition)
        space = [d for d in inputs.values.dims if d != inputs.time]
        arrays = [
            array.transpose(*[d for d in space if d in array.dims], *core)
            for array, core in zip(arrays, core_dims, strict=True)
        ]
        shape = tuple(inputs.values.sizes[d] for d in space)
        chunks = arrays[0].chunks[: len(space)] if arrays[0].chunks else tuple((n,) for n in shape)
        return cls(inputs, detector, [_with_all_dims(array, space) for array in arrays], space, shape, chunks)


def build_events(inputs: Inputs, definition: Definition) -> xr.Dataset:
    """All events of one definition; a dask input is computed block by block."""
    bound = Bound.create(inputs, definition)
    blocks = scan_blocks(bound, "events")
    if all(block.is_empty for block in blocks):
        checks.warn_without_values()
    return events_of(bound, blocks)


def scan_blocks(bound: Bound, move: str, band: Mapping[Hashable, slice] | None = None) -> list[Block]:
    """The blocks of a band, or all, scanned for their ``events`` or for ``everything``; dask computes them together."""
    has_temperature = bound.inputs.temperature is not None
    options: dict[str, Any] = {
        "shape": bound.shape,
        "detector": bound.detector,
        "has_temperature": has_temperature,
        "move": move,
    }
    if not any(array.chunks for array in bound.arrays):
        whole = tuple(slice(0, n) for n in bound.shape)
        return [_scan_block(*[array.values for array in bound.arrays], where=whole, **options)]
    import dask

    run = dask.delayed(_scan_block, pure=True)
    tasks = [
        run(*[_cut(array, where) for array in bound.arrays], where=where, **options)
        for where in block_slices(bound.chunks)
        if all(where[bound.space.index(dim)] == part for dim, part in (band or {}).items())
    ]
    return list(dask.compute(*tasks))


def events_of(bound: Bound, blocks: list[Block]) -> xr.Dataset:
    """The labelled table of the events of some blocks, in order of series and time."""
    cell = np.concatenate([np.zeros(0, np.int64), *[block.cell for block in blocks]])
    table = np.concatenate([_no_events(), *[block.events for block in blocks]])
    frozen = np.concatenate([np.zeros(0), *[block.frozen for block in blocks]])
    if len(blocks) > 1:
        order = np.lexsort((table["start"], cell))
        table, cell = table[order], cell[order]
        frozen = frozen[order] if frozen.size else frozen
    inputs = bound.inputs
    events = _label(bound.detector, table, inputs.values.indexes[inputs.time])
    events = events.assign_coords(_place(inputs.values, bound.space, bound.shape, cell))
    return _add_frozen(events, frozen, inputs.frozen) if inputs.temperature is not None else events


def _no_events() -> np.ndarray:
    from xdrought.kernels.events import EVENT_DTYPE

    return np.zeros(0, EVENT_DTYPE)


def _with_all_dims(array: xr.DataArray, space: list[Hashable]) -> xr.DataArray:
    """Dimensions that an array lacks become length one, so that blocks line up."""
    missing = [d for d in space if d not in array.dims]
    core = [d for d in array.dims if d not in space]
    return array.expand_dims(missing).transpose(*space, *core) if missing else array


def block_slices(chunks: tuple[tuple[int, ...], ...]) -> Iterator[tuple[slice, ...]]:
    """Slices of every block of the leading dimensions, in C order."""
    edges = [np.concatenate([[0], np.cumsum(c)]) for c in chunks]
    for block in np.ndindex(*[len(c) for c in chunks]):
        yield tuple(slice(int(e[k]), int(e[k + 1])) for e, k in zip(edges, block, strict=True))


def _cut(array: xr.DataArray, where: tuple[slice, ...]) -> object:
    """The part of an array that belongs to a block; dimensions of length one serve every block."""
    own = tuple(w if array.sizes[d] > 1 else slice(None) for w, d in zip(where, array.dims, strict=False))
    return array.data[own]


def _scan_block(
    values: np.ndarray,
    *others: np.ndarray,
    where: tuple[slice, ...],
    shape: tuple[int, ...],
    detector: Detector,
    has_temperature: bool,
    move: str,
) -> Block:
    """One block of series; `where` says which part of all series it is, `move` what is asked of it."""
    temperature, reference = split_others(values, others, has_temperature)
    classes: np.ndarray | None = None
    maps: tuple[np.ndarray, ...] = ()
    if move == "everything":
        events, classes, maps = detector.everything(as_rows(values), reference, temperature)
        classes = classes.reshape(values.shape)
        maps = tuple(one.reshape(values.shape[:-1]) for one in maps)
    else:
        events = detector.events(as_rows(values), reference, temperature)
    local = np.unravel_index(events["row"], values.shape[:-1]) if values.ndim > 1 else ()
    cell = np.zeros(events.size, np.int64)
    if shape:
        cell = np.ravel_multi_index([part + w.start for part, w in zip(local, where, strict=True)], shape)
    is_empty = not events.size and not np.isfinite(values).any()
    return Block(where, cell, events, _frozen_fraction(detector, events, temperature), classes, maps, is_empty)


def _frozen_fraction(detector: Detector, events: np.ndarray, temperature: np.ndarray | None) -> np.ndarray:
    """Share of each condition's days with a soil temperature below freezing, among those with one; NaN without any."""
    if temperature is None:
        return np.zeros(0)
    fraction = np.full(events.size, np.nan)
    first = detector.first_days[events["start"]]
    last = detector.first_days[events["end"]] + detector.days_in_step[events["end"]]
    for k, (row, begin, end) in enumerate(zip(events["row"], first, last, strict=True)):
        days = temperature[row, begin:end]
        seen = np.isfinite(days).sum()
        if seen:
            fraction[k] = (days < FREEZING).sum() / seen
    return fraction


def _label(detector: Detector, table: np.ndarray, index: pd.Index) -> xr.Dataset:
    """Variables of the event table with names, units and dates."""
    start, onset, end = table["start"], table["onset"], table["end"]

    def when(steps: np.ndarray, text: str) -> tuple:
        return "event", index[detector.first_days[steps]].values, {"long_name": text}

    def number(values: np.ndarray, text: str, unit: str) -> tuple:
        return "event", values, {"long_name": text, "units": unit}

    def flag(values: np.ndarray, text: str) -> tuple:
        return "event", values, {"long_name": text}

    return xr.Dataset(
        {
            "onset_time": when(onset, "onset point, last step above the upper percentile"),
            "start_time": when(start, "start, first step below the lower percentile"),
            "end_time": when(end, "end, last step of the drought condition"),
            "onset_percentile": number(table["onset_percentile"], "percentile at the onset point", "percent"),
            "start_percentile": number(table["start_percentile"], "percentile at the start", "percent"),
            "onset_length": number(_whole(detector.days[start] - detector.days[onset]), "onset point to start", "d"),
            "duration": number(_whole(detector.durations(table)), "duration of the drought condition", "d"),
            "intensification_rate": number(table["rate"], "mean decline of the percentile in the onset", "percent d-1"),
            "severity": number(
                table["severity"] * detector.step_days, "summed deficit below the lower percentile", "percent d"
            ),
            "is_flash": flag(table["is_flash"], "whether the drought is a flash drought"),
            "is_censored": flag(
                table["is_censored"], "whether a gap too long to bridge or the record's end cuts the drought"
            ),
            "gap_days": number(
                table["gap_days"].astype(np.int64), "days without a value from onset point to end, bridged", "d"
            ),
        }
    )


def _whole(days: np.ndarray) -> np.ndarray:
    return np.rint(days).astype(np.int64)


def _place(values: xr.DataArray, space: list[Hashable], shape: tuple[int, ...], cell: np.ndarray) -> dict:
    """Coordinates of each event: its series' index among all, and every coord of the series.

    Of stacked dimensions the levels stay, which files can hold; a dimension called cell leaves that name to the index.
    """
    where = dict(zip(space, np.unravel_index(cell, shape), strict=True)) if space else {}
    shape_text = " ".join(f"{d}: {n}" for d, n in zip(space, shape, strict=True))
    coords: dict = {
        "cell": (
            "event",
            cell,
            {
                "long_name": "index of the series among all",
                "instance_dimension": " ".join(map(str, space)),
                "shape": shape_text,
            },
        )
    }
    stacked = {d for d in space if isinstance(values.indexes.get(d), pd.MultiIndex)}
    for name, coord in values.coords.items():
        if set(coord.dims) <= set(space) and name not in stacked:
            picked = coord.values[tuple(where[d] for d in coord.dims)] if coord.dims else coord.values
            coords[_OTHER_NAME.get(name, name)] = (
                "event",
                np.broadcast_to(picked, cell.shape).copy(),
                dict(coord.attrs),
            )
    for d in space:
        if d not in stacked:
            coords.setdefault(_OTHER_NAME.get(d, d), ("event", where[d], {"long_name": f"index along {d}"}))
    return coords


def table_to_read(events: xr.Dataset, names: Iterable[str] | None = None, digits: int = 2) -> pd.DataFrame:
    """A row per event: where it is and what it is, without coordinates that only keep the books.

    By default the place and, of what an event is, the first things, twelve columns in all, in the order of the Dataset.
    """
    dims = str(events["cell"].attrs.get("instance_dimension", "")).split() if "cell" in events.coords else []
    places = [name for name in ("definition", *(_OTHER_NAME.get(dim, dim) for dim in dims)) if name in events.coords]
    if names is None:
        room = max(_MOST_COLUMNS - len(places), 1)
        first = [name for name in _READ if name in events.variables][:room]
        names = sorted(first, key=list(events.variables).index)
    unknown = [name for name in names if name not in events.variables]
    if unknown:
        raise ValueError(f"no column {unknown[0]!r} of events; choose from {sorted(map(str, events.variables))}")
    columns = {name: events[name].values for name in places}
    for name in names:
        values = events[name].values
        columns[name] = values.round(digits) if values.dtype.kind == "f" else values
    return pd.DataFrame(columns, index=pd.RangeIndex(events.sizes["event"], name="event"))


def _add_frozen(events: xr.Dataset, fraction: np.ndarray, frozen: str) -> xr.Dataset:
    text = "share of the condition's days with soil below 0 degC"
    events = events.assign(frozen_fraction=("event", fraction, {"long_name": text, "units": "1"}))
    if frozen != "flag":
        return events
    flag = ("event", fraction >= _MOSTLY_FROZEN, {"long_name": "whether at least half of the days are frozen"})
    return events.assign(is_frozen=flag)
