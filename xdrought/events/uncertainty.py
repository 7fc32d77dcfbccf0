"""How sure an event is, given how few years the reference has: references of years drawn anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.choices import Censored, DefinitionName, Frozen, Relapse
from xdrought.definitions import Definition, get_definition
from xdrought.events.flash_droughts import flash_drought_events
from xdrought.percentiles import Reference, check_reference, prepare
from xdrought.provenance import recorded
from xdrought.public_functions import public

_FEW_YEARS = 2
_TIMES = ("onset_time", "start_time", "end_time")


@public
@recorded
def event_uncertainty(
    soil_moisture: xr.DataArray,
    *,
    definition: DefinitionName | Definition = "tang2025",
    reference: Reference = None,
    soil_temperature: xr.DataArray | None = None,
    frozen: Frozen = "flag",
    censored: Censored = "keep",
    n_boot: int = 200,
    confidence: float = 0.9,
    seed: int = 0,
    time: Hashable = "time",
    relapse: Relapse | None = None,
    **thresholds: Any,
) -> xr.Dataset:
    """Events with how sure they are: the probability that each is one, and intervals of its dates and its rate.

    A percentile of a short reference is uncertain, and an event is made of percentiles that cross thresholds. The
    years of the reference are drawn with replacement, the same ones for all series, and the whole record is ranked
    against each such reference. An event is found again when an event of the same series overlaps it.

    Parameters
    ----------
    soil_moisture, definition, reference, soil_temperature, frozen, censored, time, relapse, **thresholds
        As for :func:`xdrought.flash_drought_events`, one definition at a time. Dask is computed, `n_boot` times.
    n_boot : int
        References drawn.
    confidence : float
        Confidence level of the intervals.
    seed : int
        Of the draws.

    Returns
    -------
    xarray.Dataset
        The table of :func:`xdrought.flash_drought_events` and, on event:

        - ``probability`` and ``flash_probability``: share of the references under which the event is found again, and
          found again as a flash drought;
        - ``onset_time_interval start_time_interval end_time_interval intensification_rate_interval`` (event, bound):
          of those found again; missing where there are none;

        and on sample ``event_count`` and ``flash_count``: events of all series under each reference, for intervals of
        counts. ``flash_probability`` is a weight for counts by year and for trends.

    Raises
    ------
    ValueError
        As :func:`xdrought.flash_drought_events`; for a reference of a single year, or percentiles.
    TypeError
        As :func:`xdrought.flash_drought_events`; for a list of definitions.

    Notes
    -----
    What is resampled is which years the reference holds. Errors of the sensor, and whether another definition would
    call it an event, are other questions.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 8 (units of dependent data).

    Examples
    --------
    >>> import xdrought
    >>> tower = xdrought.open_dataset("us-ar1")
    >>> sure = xdrought.event_uncertainty(tower.soil_moisture, n_boot=20)
    >>> bool((sure.flash_probability <= sure.probability).all()), sure.intensification_rate_interval.dims
    (True, ('event', 'bound'))
    """
    if "is_percentile" in thresholds:
        raise ValueError("percentiles leave nothing to rank, so that is_percentile= is no option; give soil moisture")
    checks.require_integer(n_boot, "n_boot")
    checks.require_share(confidence, "confidence")
    chosen = get_definition(definition, relapse=relapse, **thresholds)
    detect = partial(
        flash_drought_events,
        soil_moisture,
        definition=chosen,
        soil_temperature=soil_temperature,
        frozen=frozen,
        censored=censored,
        time=time,
    )
    events = detect(reference=reference)
    years = _YearsOfReference.create(soil_moisture, reference, time)
    rng = np.random.default_rng(seed)
    found = _Found.empty(events.sizes["event"], n_boot)
    for sample in range(n_boot):
        found.add(sample, events, detect(reference=years.drawn(rng)))
    return _labelled(events, found, confidence).assign_attrs(n_boot=n_boot, confidence=confidence, seed=seed)


@dataclasses.dataclass(frozen=True)
class _YearsOfReference:
    """The values of a reference, and the year and the day of the year of each."""

    values: xr.DataArray
    year: np.ndarray
    day: np.ndarray
    time: Hashable

    @classmethod
    def create(cls, soil_moisture: xr.DataArray, reference: Reference, time: Hashable) -> _YearsOfReference:
        values = prepare(soil_moisture, time)
        given = check_reference(values, reference, time)
        if isinstance(given, xr.DataArray):
            values = given
        elif given is not None:
            values = values.sel({time: given})
        index: Any = values.indexes[time]
        year = np.asarray(index.year)
        if np.unique(year).size < _FEW_YEARS:
            raise ValueError(
                f"the reference has {np.unique(year).size} year(s); drawing years needs {_FEW_YEARS} or more: give a "
                f"longer record or reference"
            )
        return cls(values, year, np.asarray(index.month) * 32 + np.asarray(index.day), time)

    def drawn(self, rng: np.random.Generator) -> xr.DataArray:
        """The reference with each year's values replaced by those of a year drawn; days that it lacks are missing."""
        years = np.unique(self.year)
        of = dict(zip(years, rng.choice(years, years.size), strict=True))
        place = pd.MultiIndex.from_arrays([self.year, self.day])
        wanted = pd.MultiIndex.from_arrays([[of[y] for y in self.year], self.day])
        row = place.get_indexer(wanted)
        picked = self.values.isel({self.time: np.maximum(row, 0)}).assign_coords({self.time: self.values[self.time]})
        return picked.where(xr.DataArray(row >= 0, dims=[self.time])).assign_attrs(self.values.attrs)


@dataclasses.dataclass
class _Found:
    """What each event is under each reference, (event, sample); NaT and NaN where it is not found again."""

    times: dict[str, np.ndarray]
    rate: np.ndarray
    is_flash: np.ndarray
    counts: np.ndarray

    @classmethod
    def empty(cls, n_event: int, n_boot: int) -> _Found:
        times = {name: np.full((n_event, n_boot), np.nan) for name in _TIMES}
        return cls(
            times, np.full((n_event, n_boot), np.nan), np.zeros((n_event, n_boot), bool), np.zeros((2, n_boot), int)
        )

    def add(self, sample: int, events: xr.Dataset, table: xr.Dataset) -> None:
        """Look for each event among those of a sample: the one of its series that shares most of its days."""
        self.counts[:, sample] = table.sizes["event"], int(table.is_flash.sum())
        own, days = _days(events), _days(table)
        first, last = (np.searchsorted(table.cell.values, events.cell.values, side) for side in ("left", "right"))
        flash, rate = table.is_flash.values, table.intensification_rate.values
        for k, (begin, end) in enumerate(zip(first, last, strict=True)):
            near = slice(begin, end)
            shared = np.minimum(days["end_time"][near], own["end_time"][k]) - np.maximum(
                days["start_time"][near], own["start_time"][k]
            )
            if shared.size and shared.max() >= 0:
                at = begin + int(shared.argmax())
                self.rate[k, sample], self.is_flash[k, sample] = rate[at], flash[at]
                for name in _TIMES:
                    self.times[name][k, sample] = days[name][at]


def _days(table: xr.Dataset) -> dict[str, np.ndarray]:
    """Dates of a table as whole days since 1970, float64 (event,)."""
    out = {}
    for name in _TIMES:
        values = table[name].values
        if values.dtype.kind == "M":
            out[name] = values.astype("datetime64[D]").astype(np.int64).astype(np.float64)
        else:
            import cftime

            calendar = values[0].calendar if values.size else "standard"
            out[name] = np.asarray(cftime.date2num(values, "days since 1970-01-01", calendar=calendar), np.float64)
    return out


def _interval(samples: np.ndarray, confidence: float) -> np.ndarray:
    """Ends of the central interval of the known samples, (event, 2); NaN without any."""
    out = np.full((samples.shape[0], 2), np.nan)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    for row, found in zip(samples, out, strict=True):
        known = row[np.isfinite(row)]
        if known.size:
            found[:] = np.quantile(known, ends, method="inverted_cdf")
    return out


def _labelled(events: xr.Dataset, found: _Found, confidence: float) -> xr.Dataset:
    again = np.isfinite(found.times["start_time"]).mean(axis=1)
    text = f"{confidence:.0%} interval of"
    rate = _interval(found.rate, confidence)
    new: dict[str, Any] = {
        "probability": ("event", again, {"long_name": "share of the references with the event", "units": "1"}),
        "flash_probability": (
            "event",
            found.is_flash.mean(axis=1),
            {"long_name": "share of the references with the event as a flash drought", "units": "1"},
        ),
        "intensification_rate_interval": (
            ("event", "bound"),
            rate,
            {"long_name": f"{text} the intensification rate", "units": "percent d-1"},
        ),
        "event_count": ("sample", found.counts[0], {"long_name": "drought events of all series", "units": "1"}),
        "flash_count": ("sample", found.counts[1], {"long_name": "flash droughts of all series", "units": "1"}),
    }
    for name in _TIMES:
        days = _interval(found.times[name], confidence)
        new[f"{name}_interval"] = (("event", "bound"), _dates(days, events[name]), {"long_name": f"{text} {name}"})
    return events.assign(new).assign_coords(bound=["lower", "upper"])


def _dates(days: np.ndarray, like: xr.DataArray) -> np.ndarray:
    """Days since 1970 as dates of the kind of others; NaT, or None of a calendar of its own, where there are none."""
    known = np.isfinite(days)
    if like.dtype.kind == "M":
        whole = np.where(known, days, 0).astype("datetime64[D]").astype(like.dtype)
        return np.where(known, whole, np.datetime64("NaT"))
    import cftime

    calendar = like.values[0].calendar if like.size else "standard"
    dates: Any = cftime.num2date(np.where(known, days, 0), "days since 1970-01-01", calendar=calendar)
    nothing: Any = None
    return np.where(known, np.asarray(dates), nothing)
