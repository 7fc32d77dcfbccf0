"""Forecast events against observed ones, one to one: hits, misses, false alarms and how far the hits were off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.checks import public

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
}
_RATES = {
    "pod": ("probability of detection, hits over observed events", "1"),
    "far": ("false alarm ratio, false alarms over forecast events", "1"),
    "csi": ("critical success index, hits over hits, misses and false alarms", "1"),
    "false_alarms_per_year": ("false alarms per year", "a-1"),
}


@public
def match_events(
    forecast: xr.Dataset,
    observed: xr.Dataset,
    *,
    tolerance: float = 15.0,
    lead: float | None = None,
    years: float | xr.DataArray | None = None,
) -> xr.Dataset:
    """Match forecast events with observed ones of the same place, one to one.

    Parameters
    ----------
    forecast, observed : xarray.Dataset
        From :func:`xdrought.flash_drought_events` of forecast and observed soil moisture, of one definition; take the
        flash droughts alone with ``events.isel(event=events.is_flash)``. Places are told apart by ``site`` where both
        have it, otherwise by ``cell``.
    tolerance : float
        Most days between the starts of a pair. As many pairs as possible are made, and among those choices the one
        with the smallest summed distance.
    lead : float, optional
        Days from issue to valid time of the forecast; adds ``detection_lead``.
    years : float or xarray.DataArray, optional
        Years that were forecast, one number or per place (on ``site`` or ``cell``); adds false alarms per year, and
        tells of places without any event.

    Returns
    -------
    xarray.Dataset
        On ``site`` (or ``cell``): ``n_observed n_forecast hits misses false_alarms pod far csi`` (NaN where there is
        nothing to divide by) and ``false_alarms_per_year``; the same over all places with ``_pooled``. On ``match``:
        the place, ``observed_event`` and ``forecast_event`` (positions in the tables), ``start_error onset_error
        duration_error`` in days, positive when the forecast is late or long, and ``detection_lead``.

    Raises
    ------
    ValueError
        For something else than event tables, several definitions in one table, or a negative tolerance.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought import match_events
    >>> def table(*starts):
    ...     days = np.array(starts, "datetime64[D]").astype("datetime64[s]")
    ...     columns = {"onset_time": days - np.timedelta64(5, "D"), "start_time": days, "duration": [20] * len(days)}
    ...     data = {name: ("event", values) for name, values in columns.items()}
    ...     return xr.Dataset(data, {"site": ("event", ["AT-Neu"] * len(days))})
    >>> found = match_events(table("2001-05-03", "2001-09-01"), table("2001-05-01"), lead=7)
    >>> int(found.hits[0]), int(found.false_alarms[0]), found.start_error.values, found.detection_lead.values
    (1, 1, array([2.]), array([5.]))
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance={tolerance!r}; it is a number of days, 0 or more")
    for name, events in (("forecast", forecast), ("observed", observed)):
        _check_table(events, name)
    key = "site" if "site" in forecast.coords and "site" in observed.coords else "cell"
    said, seen = _Table.read(forecast, key), _Table.read(observed, key)
    pairs = _pair(said, seen, tolerance)
    places = _places(key, (seen, said), years)
    counts = _count(said, seen, pairs, places)
    found: dict[str, tuple] = {
        name: (key, counts[name], {"long_name": text, "units": "1"}) for name, text in _COUNTS.items()
    }
    total = {name: counts[name].sum() for name in _COUNTS}
    found |= {f"{name}_pooled": ((), total[name], {"long_name": text, "units": "1"}) for name, text in _COUNTS.items()}
    length = _length(years, key, places)
    for name, (text, unit) in _RATES.items():
        if name == "false_alarms_per_year" and length is None:
            continue
        attrs = {"long_name": text, "units": unit}
        whole = None if length is None else length.sum()
        found[name] = (key, _rate(name, counts, length), attrs)
        found[f"{name}_pooled"] = ((), _rate(name, total, whole), attrs)
    errors = _errors(said, seen, pairs, lead)
    found |= {name: ("match", values, {"long_name": _ERRORS[name][0], "units": "d"}) for name, values in errors.items()}
    coords = {
        key: places,
        f"match_{key}": ("match", seen.place[pairs.observed]),
        "observed_event": ("match", pairs.observed),
        "forecast_event": ("match", pairs.forecast),
    }
    return xr.Dataset(found, coords, {"tolerance": float(tolerance), "matched_by": "start_time"})


class _Table(NamedTuple):
    """What matching needs of an event table; times in days since 1970 in the table's own calendar."""

    place: np.ndarray
    start: np.ndarray
    onset: np.ndarray
    duration: np.ndarray

    @classmethod
    def read(cls, events: xr.Dataset, key: str) -> _Table:
        onset = _days(events["onset_time"]) if "onset_time" in events else np.full(events.sizes["event"], np.nan)
        return cls(events[key].values, _days(events["start_time"]), onset, events["duration"].values.astype(float))


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


def _places(key: str, tables: tuple[_Table, ...], years: float | xr.DataArray | None) -> np.ndarray:
    """Every place, those of `years` first, then those of the observed and forecast events."""
    named = [years[key].values] if isinstance(years, xr.DataArray) and key in years.coords else []
    return pd.unique(np.concatenate([*named, *(table.place for table in tables)]))


def _count(forecast: _Table, observed: _Table, pairs: _Pairs, places: np.ndarray) -> dict[str, np.ndarray]:
    index = pd.Index(places)

    def per_place(found: np.ndarray) -> np.ndarray:
        return np.bincount(index.get_indexer(found), minlength=places.size)

    n_forecast, n_observed = per_place(forecast.place), per_place(observed.place)
    hits = per_place(observed.place[pairs.observed])
    return {
        "n_observed": n_observed,
        "n_forecast": n_forecast,
        "hits": hits,
        "misses": n_observed - hits,
        "false_alarms": n_forecast - hits,
    }


def _length(years: float | xr.DataArray | None, key: str, places: np.ndarray) -> np.ndarray | None:
    """Years of every place; NaN where `years` does not name it."""
    if years is None:
        return None
    if isinstance(years, xr.DataArray) and key in years.coords:
        return years.reindex({key: places}).values.astype(float)
    return np.full(places.size, float(years))


def _rate(name: str, counts: dict, length: np.ndarray | None) -> np.ndarray:
    hits, false_alarms = counts["hits"], counts["false_alarms"]
    top, bottom = {
        "pod": (hits, counts["n_observed"]),
        "far": (false_alarms, counts["n_forecast"]),
        "csi": (hits, counts["n_observed"] + false_alarms),
        "false_alarms_per_year": (false_alarms, length),
    }[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(top, bottom)


def _errors(forecast: _Table, observed: _Table, pairs: _Pairs, lead: float | None) -> dict[str, np.ndarray]:
    said, seen = pairs.forecast, pairs.observed
    errors = {
        "start_error": forecast.start[said] - observed.start[seen],
        "onset_error": forecast.onset[said] - observed.onset[seen],
        "duration_error": forecast.duration[said] - observed.duration[seen],
    }
    return errors if lead is None else errors | {"detection_lead": float(lead) - errors["start_error"]}
