"""New days of a monitor: whose they are, which are known already, which correct what was known, and which follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, calendars, checks, files
from xdrought.events.detection import Inputs
from xdrought.events.monitor_reference import CELLS_AT_ONCE, FixedReference
from xdrought.events.monitor_scan import Now, with_days
from xdrought.events.monitor_state import MonitorState, joined, n_revisable
from xdrought.percentiles import SOIL_MOISTURE, prepare

State = TypeVar("State", bound=MonitorState)


@dataclass(frozen=True, eq=False)
class Days:
    """New days on the cells of a state."""

    values: np.ndarray  # (cells, days)
    index: calendars.TimeIndex
    is_told: np.ndarray  # (cells,) bool: False for cells that the new days do not name
    is_new: np.ndarray  # (cells,) bool: cells of which nothing was known before


def update(
    state: State, new_days: xr.DataArray, revise: bool, reference: xr.DataArray | None
) -> tuple[State, Now | None]:
    """The state after new days and what was read of its last ones; itself and None when they tell nothing."""
    for name, given in {"new_days": new_days, "reference": reference}.items():
        if given is not None:
            checks.require_unique_labels([checks.require_array(given, name)])
    quantity = "percentile" if state.reference is None else SOIL_MOISTURE
    # On a dry day all percentiles may lie below 1, which tells nothing of their scale.
    values = prepare(new_days, state.time, quantity, scale=False)
    if (found := values.attrs.get("units")) != state.units:
        raise ValueError(
            f"the new days have units {found!r}, the record {state.units!r}; convert them first, "
            f"e.g. with xdrought.units.convert, or set attrs['units']"
        )
    values = _on_days(values, state.index, state.time, state.input_step)
    state, days = _on_cells(state, values, reference)
    n_known = int((days.index <= state.index[-1]).sum())
    recent = _revised(state, days, n_known, revise)
    following = days.index[n_known:]
    if len(following):
        _require_next(state.index, following, state.input_step, state.time)
    is_same = recent is state.recent and not days.is_new.any()
    if is_same and not len(following):
        return state, None
    told = days.values[days.is_told]
    mark = files.digest(state.lineage[-1], told, str(np.flatnonzero(days.is_told).tolist()), str(list(days.index)))
    state = dataclasses.replace(state, recent=recent, lineage=(*state.lineage, mark))
    ahead = days.values[:, n_known:]
    pieces = ((slice(k, k + CELLS_AT_ONCE), ahead[k : k + CELLS_AT_ONCE]) for k in range(0, len(ahead), CELLS_AT_ONCE))
    return with_days(state, pieces, following)


def _on_days(values: xr.DataArray, known: calendars.TimeIndex, time: Hashable, step: float) -> xr.DataArray:
    """New days with the time of day of the record, e.g. those stamped at noon on midnight."""
    new = cast(calendars.TimeIndex, values.indexes[time])
    if type(known) is not type(new) or getattr(known, "calendar", "") != getattr(new, "calendar", ""):
        raise ValueError(
            f"the new days have another kind of dates ({new.dtype}) than the record ({known.dtype}); "
            f"use .convert_calendar"
        )
    if step < 1:
        return values
    own, theirs = known[-1:] - known[-1:].floor("D"), new[:1] - new[:1].floor("D")
    if own[0] == theirs[0]:
        return values
    index = new.floor("D") + own[0]
    return values.assign_coords({time: index.as_unit(known.unit) if isinstance(known, pd.DatetimeIndex) else index})


def _on_cells(state: State, values: xr.DataArray, reference: xr.DataArray | None) -> tuple[State, Days]:
    """New days on the cells of the record, whatever their order; stations may be missing, and further ones come."""
    dims = [d for d in values.dims if d != state.time]
    if set(dims) != set(state.cells.dims):
        raise ValueError(
            f"the new days have dimensions {tuple(values.dims)}, the record "
            f"{(*state.cells.dims, state.time)}; bring them to the same, e.g. with .expand_dims or .isel"
        )
    index = cast(calendars.TimeIndex, values.indexes[state.time])
    n_before = state.cells.size
    is_told = np.ones(n_before, bool)
    if len(dims) == 1 and dims[0] in state.cells.indexes and dims[0] in values.indexes:
        dim = dims[0]
        come = values.indexes[dim].difference(state.cells.indexes[dim], sort=False)
        kinds = [index.inferred_type for index in (values.indexes[dim], state.cells.indexes[dim])]
        if len(come) and kinds[0] != kinds[1]:
            raise ValueError(
                f"new_days calls stations {values.indexes[dim][:3].tolist()} along {dim!r}, the record "
                f"{state.cells.indexes[dim][:3].tolist()}; give them the same labels"
            )
        if len(come):
            state = _with_stations(state, values.sel({dim: come}), reference)
        labels = state.cells.indexes[dim]
        is_told = labels.isin(values.indexes[dim])
        if not is_told.all():
            values = values.reindex({dim: labels})
    aligned = alignment.align_to(state.cells, values, what="new_days", exact=True, extra_dims=True)
    rows = aligned.transpose(*state.cells.dims, state.time).values.reshape(state.cells.size, -1)
    return state, Days(rows, index, is_told, np.arange(state.cells.size) >= n_before)


def _with_stations(state: State, values: xr.DataArray, reference: xr.DataArray | None) -> State:
    """The state with further stations, of which nothing is known yet."""
    from xdrought.kernels.episodes import new_episodes

    (dim,) = state.cells.dims
    names = values.indexes[dim].tolist()
    fixed = state.reference
    if fixed is not None and not fixed.serves_all:
        if reference is None:
            raise ValueError(
                f"the stations {names} are new and have no reference; give their series, "
                f"update(new_days, reference=...), or leave them out with .sel"
            )
        inputs = Inputs.create(values, reference, None, False, "ignore", state.time)
        arrays = inputs.bind(state.definition)[1]
        fixed = fixed.with_more(FixedReference.create(arrays[-1], [dim], {dim: len(names)}, state.definition))
    lacking = [name for name in state.cells.coords if name not in values.coords]
    if lacking:
        raise ValueError(f"the stations {names} are new and lack the coordinates {lacking} of the others; assign them")
    n = len(names)
    coords = {name: values[name] for name in state.cells.coords}
    cells = xr.concat([state.cells, xr.DataArray(np.zeros(n, np.int8), coords, [dim])], dim, coords="minimal")
    return dataclasses.replace(
        state,
        reference=fixed,
        cells=cells.compute(),
        episodes=np.concatenate([state.episodes, new_episodes(n)]),
        recent=np.concatenate([state.recent, np.full((n, state.recent.shape[1]), np.nan, state.recent.dtype)]),
    )


def _revised(state: MonitorState, days: Days, n_known: int, revise: bool) -> np.ndarray:
    """The last days as the new ones correct them; the array itself when they say the same."""
    if not n_known:
        return state.recent
    first_kept = len(state.index) - state.recent.shape[1]
    places = state.index.get_indexer(days.index[:n_known])
    if (places < first_kept).any():
        begin = f"only the days from {state.index[first_kept]} on" if state.recent.shape[1] else "no day"
        raise ValueError(
            f"the new days begin at {days.index[0]}, and of those that are known {begin} are kept and can be compared; "
            f"leave earlier ones out"
        )
    told = days.values[:, :n_known].astype(state.recent.dtype, copy=False)
    known = state.recent[:, places - first_kept]
    same = (told == known) | (~np.isfinite(told) & ~np.isfinite(known)) | ~days.is_told[:, None]
    if same.all():
        return state.recent
    cells, columns = np.nonzero(~same)
    first_open = len(state.index) - n_revisable(state)
    if (places[columns] < first_open).any():
        when = state.index[places[columns].min()]
        raise ValueError(
            f"the new days differ from what is known on {when}; only the last {n_revisable(state)} steps, from "
            f"{state.index[max(first_open, 0)]} on, can be corrected: start another monitor from the corrected record"
        )
    if not revise and not days.is_new[cells].all():
        old = ~days.is_new[cells]
        raise ValueError(
            f"the new days differ from what is known in {int(old.sum())} value(s), the first on "
            f"{state.index[places[columns[old]].min()]}; take late and corrected days with "
            f"update(new_days, revise=True)"
        )
    recent = state.recent.copy()
    recent[cells, places[columns] - first_kept] = told[cells, columns]
    return recent


def _require_next(old: calendars.TimeIndex, new: calendars.TimeIndex, step: float, time: Hashable) -> None:
    """Raise unless the new days follow the old ones without a gap, at the same step."""
    tail = joined(old[-8:], new[:8])
    dummy = xr.DataArray(np.zeros(len(tail), np.int8), {time: tail}, [time], "new days")
    gap = (new[0] - old[-1]) / pd.Timedelta(days=1)
    try:
        follows = checks.require_regular_steps(dummy, time) == step
    except ValueError:
        follows = False
    if not follows:
        raise ValueError(
            f"the record ends at {old[-1]} and goes by {checks.step_text(step)}, the new days begin at "
            f"{new[0]}, {checks.step_text(gap)} later; give every step between, missing ones as NaN"
        )
