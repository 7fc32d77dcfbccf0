"""Forecast events against observed ones, one to one: hits, misses, false alarms and how far the hits were off."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.verification.groups import SEASONS, side_by_side

_ERRORS = {
    "start_error": ("forecast start minus observed start", "d"),
    "onset_error": ("forecast onset point minus observed onset point", "d"),
    "duration_error": ("forecast duration minus observed duration", "d"),
    "detection_lead": ("observed start minus the day on which the forecast of the event's start was issued", "d"),
}
_COUNTS = {
    "n_observed": "observed events",
    "n_forecast": "forecast events",
    "hits": "observed events with a forecast one",
    "misses": "observed events without",
    "false_alarms": "forecast events without an observed one",
    "hits_in_time": "observed events with a forecast one that was issued before they began",
}
_RATES = {
    "pod": ("probability of detection, hits over observed events", "1"),
    "pod_in_time": ("probability of detection before the start, hits in time over observed events", "1"),
    "far": ("false alarm ratio, false alarms over forecast events", "1"),
    "csi": ("critical success index, hits over hits, misses and false alarms", "1"),
    "false_alarms_per_year": ("false alarms per year", "a-1"),
}


@public
@recorded
def match_events(
    forecast: xr.Dataset,
    observed: xr.Dataset,
    *,
    tolerance: float | datetime.timedelta | np.timedelta64 = 15.0,
    lead: float | None = None,
    years: float | xr.DataArray | None = None,
    references: Mapping[str, xr.Dataset] | None = None,
    by: str | None = None,
) -> xr.Dataset:
    """Match forecast events with observed ones of the same place, one to one.

    Parameters
    ----------
    forecast, observed : xarray.Dataset
        From :func:`xdrought.flash_drought_events` of forecast and observed soil moisture, of one definition; take the
        flash droughts alone with ``events.isel(event=events.is_flash)``. Places are told apart by ``site`` where both
        have it, on grids by the labels of their dimensions (``lat`` and ``lon``), whatever the order and extent of
        either grid; by ``cell`` alone only where both tables are of the same series.
    tolerance : float or timedelta
        Most days between the starts of a pair. As many pairs as possible are made, and among those choices the one
        with the smallest summed distance.
    lead : float, optional
        Days from issue to valid time of the forecast; adds ``detection_lead``, ``hits_in_time`` and ``pod_in_time``.
    years : float or xarray.DataArray, optional
        Years that were forecast, one number or per place (on ``site``, ``cell`` or the grid's dimensions); adds false
        alarms per year, and tells of places without any event.
    references : mapping of str to Dataset, optional
        Events of other forecasts, made by the same definition, of persistence for one.
    by : str, optional
        "season" of the start, or a variable on `event` of the observed table, such as a land cover or a class of the
        rate of onset. False alarms are counted where the forecast's table has it, too.

    Returns
    -------
    xarray.Dataset
        On ``site`` (or ``cell``, on grids with its ``lat lon``): ``n_observed n_forecast hits misses false_alarms pod
        far csi`` (NaN where there is nothing to divide by) and ``false_alarms_per_year``; the same over all places with
        ``_pooled``. On ``match``: the place (``match_site``, or ``match_lat match_lon``), ``observed_event`` and
        ``forecast_event`` (positions in the tables), ``start_error onset_error duration_error`` in days, positive when
        the forecast is late or long, and ``detection_lead``. A hit is in time when the event was announced before it
        began, ``detection_lead > 0``: persistence, which tells every start `lead` days late, never has one. With
        `references` counts and rates with ``_reference`` on `reference`; with `by` those of all places together with
        ``_by`` behind the name, on the dimension of that name.

    Raises
    ------
    ValueError
        For a variable `by` that is not on the events, something else than event tables, several definitions in one
        table, a negative tolerance, tables of
        different kinds of places (sites against cells, numbers against text) or of different calendars.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought import match_events
    >>> def table(*starts):
    ...     days = np.array(starts, "datetime64[D]").astype("datetime64[s]")
    ...     columns = {"onset_time": days - np.timedelta64(5, "D"), "start_time": days, "duration": [20] * len(days)}
    ...     data = {name: ("event", values) for name, values in columns.items()}
    ...     return xr.Dataset(data, {"site": ("event", ["AT-Neu"] * len(days))})
    >>> result = match_events(table("2001-05-03", "2001-09-01"), table("2001-05-01"), lead=7)
    >>> int(result.hits[0]), int(result.false_alarms[0]), result.start_error.values, result.detection_lead.values
    (1, 1, array([2.]), array([5.]))
    """
    tolerance = checks.number_of_days(tolerance, "tolerance")
    years = checks.lengths_in_years(years)
    for name, events in {"forecast": forecast, "observed": observed, **(references or {})}.items():
        _check_table(events, name)
    if by is not None:
        _group_labels(observed, by, required=True)
    tables = {"": forecast, **(references or {})}
    names = _Names.create(observed, list(tables.values()), years)
    result = [
        _matched(events, observed, names, tolerance, lead, _length(years, names), by) for events in tables.values()
    ]
    if references:
        counted = [
            table[[name for name in table if table[name].dims != ("match",)]].reset_coords(drop=True)
            for table in result
        ]
        result[0] = result[0].assign(side_by_side(counted[1:], list(references)))
    return result[0].assign_attrs({"tolerance": float(tolerance), "matched_by": "start_time"})


def _matched(
    forecast: xr.Dataset,
    observed: xr.Dataset,
    names: _Names,
    tolerance: float,
    lead: float | None,
    length: np.ndarray | None,
    by: str | None,
) -> xr.Dataset:
    """The matches of one table of forecasts, its counts and rates."""
    key = names.key
    fcst, obs = _Table.read(forecast, names.of(forecast)), _Table.read(observed, names.of(observed))
    _check_calendars(forecast, observed)
    pairs = _pair(fcst, obs, tolerance)
    errors = _errors(fcst, obs, pairs, lead)
    in_time = None if lead is None else errors["detection_lead"] > 0
    counts = _count(fcst.place, obs.place, pairs, in_time, len(names.labels))
    found = _scores(key, "", counts, length)
    total = {name: number.sum() for name, number in counts.items()}
    found |= _scores((), "_pooled", total, None if length is None else length.sum())
    groups: list[Any] = []
    if by is not None:
        groups, of_forecast, of_observed = _groups(by, forecast, observed)
        counts = _count(of_forecast, of_observed, pairs, in_time, len(groups))
        found |= _scores(by, "_by", counts, None if length is None else np.full(len(groups), length.sum()))
    found |= {name: ("match", values, {"long_name": _ERRORS[name][0], "units": "d"}) for name, values in errors.items()}
    place = obs.place[pairs.observed]
    coords: dict[str, Any] = {name: (key, values) for name, values in names.columns().items()}
    coords |= {f"match_{name}": ("match", values[place]) for name, values in names.columns().items()}
    coords |= {by: groups} if by is not None else {}
    coords |= {"observed_event": ("match", pairs.observed), "forecast_event": ("match", pairs.forecast)}
    if key not in coords:
        coords[key] = (key, np.arange(len(names.labels)), {"long_name": "number of the place in this table"})
    return xr.Dataset(found, coords)


def _keys(forecast: xr.Dataset, observed: xr.Dataset) -> tuple[str, tuple[str, ...]]:
    """The dimension of the result, and the coordinates that tell places apart in both tables."""
    tables = (forecast, observed)
    if all("site" in events.coords for events in tables):
        return "site", ("site",)
    dims = [
        sorted(str(events["cell"].attrs.get("instance_dimension", "")).split())
        for events in tables
        if "cell" in events.coords
    ]
    if len(dims) < 2:
        kinds = ["site" if "site" in events.coords else "cell" for events in tables]
        raise ValueError(
            f"the forecast's events are told apart by {kinds[0]!r}, the observed ones by {kinds[1]!r}, so that nothing "
            f"says which are of one place; make events of records on the same dimensions"
        )
    labels = [_place_labels(events, own) for events, own in zip(tables, dims, strict=True)]
    if labels[0] and labels[0] == labels[1]:
        return "cell", labels[0]
    shapes = [events["cell"].attrs.get("shape") for events in tables]
    if labels[0] != labels[1] or shapes[0] != shapes[1]:
        raise ValueError(
            f"the forecast's events are on {labels[0] or shapes[0]}, the observed ones on {labels[1] or shapes[1]}; "
            f"give both the same coordinates, e.g. lat and lon, before the events are made"
        )
    return "cell", ("cell",)


def _place_labels(events: xr.Dataset, dims: list[str]) -> tuple[str, ...]:
    """Coordinates that label the series of a table: those of its dimensions, or lat and lon of stacked ones."""
    for names in (tuple(dims), ("lat", "lon")):
        if all(name in events.coords and "index along" not in _text(events, name) for name in names):
            return names
    return ()


def _text(events: xr.Dataset, name: str) -> str:
    return str(events[name].attrs.get("long_name", ""))


class _Names(NamedTuple):
    """Places of all tables, numbered: those of `years` first, then of the observed and all forecast events."""

    key: str
    keys: tuple[str, ...]
    labels: pd.Index

    @classmethod
    def create(cls, observed: xr.Dataset, tables: list[xr.Dataset], years: float | xr.DataArray | None) -> _Names:
        found = {_keys(forecast, observed) for forecast in tables}
        if len(found) > 1:
            raise ValueError(f"forecast and references are on other places, {sorted(found)}; make all of one record")
        key, keys = found.pop()
        for name in keys:
            for forecast in tables:
                alignment.require_same_kind(observed[name], forecast[name], name, what="the forecast's events")
        parts = [_labels(events, keys) for events in (observed, *tables)]
        if isinstance(years, xr.DataArray) and set(keys) <= set(years.coords):
            flat = years.stack(_place=years.dims) if years.dims else years.expand_dims("_place")
            parts.insert(0, _labels(flat, keys))
        merged = parts[0]
        for part in parts[1:]:
            merged = merged.append(part)
        return cls(key, keys, merged.unique())

    def of(self, events: xr.Dataset) -> np.ndarray:
        """The number of each event's place."""
        return self.labels.get_indexer(_labels(events, self.keys))

    def columns(self) -> dict[str, np.ndarray]:
        """The labels of all places."""
        if len(self.keys) == 1:
            return {self.keys[0]: self.labels.to_numpy()}
        return {name: self.labels.get_level_values(name).to_numpy() for name in self.keys}


def _labels(events: xr.Dataset | xr.DataArray, keys: tuple[str, ...]) -> pd.Index:
    """Labels of places, numbers as single precision holds them, so that 0.1 is the same latitude in both."""
    columns = [events[name].values for name in keys]
    columns = [column.astype("float32") if column.dtype.kind == "f" else column for column in columns]
    if len(keys) == 1:
        return pd.Index(columns[0], name=keys[0])
    return pd.MultiIndex.from_arrays(columns, names=keys)


def _check_calendars(forecast: xr.Dataset, observed: xr.Dataset) -> None:
    """Days of both tables must count alike."""
    times = [pd.Index(events["start_time"].values) for events in (observed, forecast) if events.sizes["event"]]
    if len(times) == 2:
        kinds = [xr.CFTimeIndex(one) if one.dtype == object else one for one in times]
        alignment.require_same_calendar(kinds[0], kinds[1], "start_time", what="the forecast's events")


class _Table(NamedTuple):
    """What matching needs of an event table; times in days since 1970 in the table's own calendar."""

    place: np.ndarray
    start: np.ndarray
    onset: np.ndarray
    duration: np.ndarray

    @classmethod
    def read(cls, events: xr.Dataset, place: np.ndarray) -> _Table:
        onset = _days(events["onset_time"]) if "onset_time" in events else np.full(events.sizes["event"], np.nan)
        return cls(place, _days(events["start_time"]), onset, events["duration"].values.astype(float))


class _Pairs(NamedTuple):
    forecast: np.ndarray
    observed: np.ndarray


def _check_table(events: xr.Dataset, name: str) -> None:
    wanted = {"start_time", "duration"}
    if not isinstance(events, xr.Dataset) or "event" not in events.dims or not wanted <= set(events.variables):
        raise ValueError(f"{name} is no table of events with {sorted(wanted)}; give the result of flash_drought_events")
    if "site" not in events.coords and "cell" not in events.coords:
        raise ValueError(f"the events of {name} have neither site nor cell; give the result as it came")
    if "definition" in events.coords and len(np.unique(events["definition"].values)) > 1:
        raise ValueError(
            f"{name} holds events of several definitions; choose one, "
            f"e.g. events.isel(event=events.definition == 'tang2025')"
        )


def _days(times: xr.DataArray) -> np.ndarray:
    """Days as float, for numpy and cftime calendars alike."""
    if not times.size:
        return np.zeros(0)
    if np.issubdtype(times.dtype, np.datetime64):
        return times.values.astype("datetime64[s]").astype("int64") / 86400.0
    epoch = times.values[0].replace(year=1970, month=1, day=1)
    return np.array([(one - epoch) / pd.Timedelta(days=1) for one in times.values])


def _pair(forecast: _Table, observed: _Table, tolerance: float) -> _Pairs:
    from scipy.optimize import linear_sum_assignment

    left, right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for place in pd.unique(observed.place):
        f, o = (np.flatnonzero(table.place == place) for table in (forecast, observed))
        distance = np.abs(forecast.start[f][:, None] - observed.start[o])
        # a forbidden pair costs more than all permitted ones together, so the number of pairs comes first
        forbidden = (min(f.size, o.size) + 1) * (tolerance + 1)
        row, column = linear_sum_assignment(np.where(distance <= tolerance, distance, forbidden))
        kept = distance[row, column] <= tolerance
        left.append(f[row[kept]])
        right.append(o[column[kept]])
    return _Pairs(np.concatenate(left), np.concatenate(right))


def _count(
    forecast: np.ndarray, observed: np.ndarray, pairs: _Pairs, in_time: np.ndarray | None, n: int
) -> dict[str, np.ndarray]:
    """Counts (n,) by the number of each event's place or group; -1 is none."""

    def number(at: np.ndarray) -> np.ndarray:
        return np.bincount(at[at >= 0], minlength=n)

    hits = number(observed[pairs.observed])
    found = {
        "n_observed": number(observed),
        "n_forecast": number(forecast),
        "hits": hits,
        "misses": number(observed) - hits,
        "false_alarms": number(np.delete(forecast, pairs.forecast)),
    }
    return found if in_time is None else found | {"hits_in_time": number(observed[pairs.observed[in_time]])}


def _scores(dims: Any, suffix: str, counts: dict, length: Any) -> dict[str, tuple]:
    """Counts, and the rates that can be known from them, as variables."""
    result = {}
    for name, number in counts.items():
        result[f"{name}{suffix}"] = (dims, number, {"long_name": _COUNTS[name], "units": "1"})
    for name, (text, unit) in _RATES.items():
        known = {"false_alarms_per_year": length is not None, "pod_in_time": "hits_in_time" in counts}
        if known.get(name, True):
            result[f"{name}{suffix}"] = (dims, _rate(name, counts, length), {"long_name": text, "units": unit})
    return result


def _groups(by: str, forecast: xr.Dataset, observed: xr.Dataset) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """The groups of the observed events, and the number of each event's; -1 is none."""
    obs, fcst = _group_labels(observed, by, required=True), _group_labels(forecast, by)
    there = set(obs[~pd.isna(obs)].tolist())
    groups = list(SEASONS) if by == "season" and there <= set(SEASONS) else sorted(there)
    numbers = [pd.Index(groups).get_indexer(pd.Index(labels)) for labels in (fcst, obs)]
    return groups, numbers[0], numbers[1]


def _group_labels(events: xr.Dataset, by: str, required: bool = False) -> np.ndarray:
    """The label of each event, None where the table does not say."""
    if by in events.variables and events[by].dims == ("event",):
        return events[by].to_numpy()
    if by == "season":
        return events["start_time"].dt.season.to_numpy() if events.sizes["event"] else np.zeros(0, "U3")
    if required:
        on_events = sorted(str(name) for name in events.variables if events[name].dims == ("event",))
        raise ValueError(f"by={by!r} is not on the observed events; choose 'season' or one of {on_events}")
    return np.full(events.sizes["event"], None)


def _length(years: float | xr.DataArray | None, names: _Names) -> np.ndarray | None:
    """Years of every place; NaN where `years` does not name it."""
    if years is None:
        return None
    if isinstance(years, xr.DataArray) and set(names.keys) <= set(years.coords):
        flat = years.stack(_place=years.dims) if years.dims else years.expand_dims("_place")
        at = _labels(flat, names.keys).get_indexer(names.labels)
        return np.where(at >= 0, flat.values[at].astype(float), np.nan)
    return np.full(len(names.labels), float(years))


def _rate(name: str, counts: dict, length: np.ndarray | None) -> np.ndarray:
    hits, false_alarms = counts["hits"], counts["false_alarms"]
    top, bottom = {
        "pod": (hits, counts["n_observed"]),
        "pod_in_time": (counts.get("hits_in_time"), counts["n_observed"]),
        "far": (false_alarms, counts["n_forecast"]),
        "csi": (hits, counts["n_observed"] + false_alarms),
        "false_alarms_per_year": (false_alarms, length),
    }[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(top, bottom)


def _errors(forecast: _Table, observed: _Table, pairs: _Pairs, lead: float | None) -> dict[str, np.ndarray]:
    fcst, obs = pairs.forecast, pairs.observed
    errors = {
        "start_error": forecast.start[fcst] - observed.start[obs],
        "onset_error": forecast.onset[fcst] - observed.onset[obs],
        "duration_error": forecast.duration[fcst] - observed.duration[obs],
    }
    return errors if lead is None else errors | {"detection_lead": float(lead) - errors["start_error"]}
