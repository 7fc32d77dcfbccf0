"""Do droughts get more frequent, cell by cell? Trends of counts on a grid or at sites, with all cells as one family."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.checks import public
from xdrought.choices import Moment
from xdrought.provenance import recorded
from xdrought.statistics.hypothesis_tests import FDR, Fdr, adjusted
from xdrought.statistics.trends import rate_trend

_DECADE = 10.0


@public
@recorded
def frequency_trend(
    events: xr.Dataset,
    record: xr.DataArray,
    *,
    min_events: int = 5,
    confidence: float = 0.95,
    fdr: Fdr | None = "bh",
    moment: Moment = "onset_time",
    time: Hashable = "time",
    flagged: Hashable | None = None,
) -> xr.Dataset:
    """Trend of the number of events a year at each site or cell.

    Parameters
    ----------
    events : xarray.Dataset
        From :func:`xdrought.flash_drought_events` of the `record`, one definition. Choose flash droughts before, e.g.
        ``events.sel(event=events.is_flash)``.
    record : xarray.DataArray
        The soil moisture that the events are of: its places are those of the result, and a year counts by the share of
        its days that it knows. Read once; with dask, block by block.
    min_events : int
        Places with fewer get no trend.
    confidence : float
        Confidence level of the intervals, each by itself.
    fdr : {"bh", "by", "holm", None}
        How the p-values of all places are adjusted, see :func:`xdrought.false_discovery_control`.
    moment : str
        The variable whose year counts.
    time : hashable
        The time dimension of the record.
    flagged : hashable, optional
        A coordinate of the record that is true at doubtful stations. The result then has a dimension `stations`, "all"
        and "unflagged"; in the latter, flagged places have no event and no known year; p-values are adjusted for the
        others alone. Flags of :func:`xdrought.data.quality_report` are given by
        ``record.assign_coords(is_flagged=report.is_flagged)``.

    Returns
    -------
    xarray.Dataset
        On the record's places: `rate` of events in a year of known days, a-1; `trend`, `lower` and `upper`, percent of
        the rate per decade; `p_value` of no trend and `p_value_adjusted`; `event_count`, and `years_known`, the sum of
        the years' known shares. Trends are infinite where all events lie at one end of the record.

    Raises
    ------
    TypeError
        For a record that is no DataArray of numbers.
    ValueError
        For events of several definitions, of other places or years than the record, or without the `moment`; for an
        unknown adjustment, or flags that the record does not have.

    Notes
    -----
    Given how many events a place had, their years are compared with its known days (Cox and Lewis): a record that
    grows denser is no trend. Events of one place are taken as independent; droughts that last or cluster make the
    p-values too small, and neighbours share their weather, so the false discovery rate is the statement about a map
    (Wilks 2016).

    References
    ----------
    Cox and Lewis 1966, The Statistical Analysis of Series of Events, section 3.3. Wilks 2016,
    doi:10.1175/BAMS-D-15-00267.1.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> days = pd.date_range("2001-01-01", "2008-12-31")
    >>> record = xr.DataArray(np.full((1, days.size), 0.2), {"site": ["A"], "time": days}, ("site", "time"))
    >>> onsets = pd.to_datetime([f"{year}-06-01" for year in (2002, 2005, 2006, 2007, 2007, 2008, 2008)])
    >>> events = xr.Dataset({"onset_time": ("event", onsets)}, {"site": ("event", ["A"] * 7)})
    >>> found = frequency_trend(events, record)
    >>> int(found.event_count[0]), bool(found.trend[0] > 0), round(float(found.p_value[0]), 3)
    (7, True, 0.058)
    """
    if not isinstance(record, xr.DataArray):
        raise TypeError(f"record is {type(record).__name__}; give the soil moisture that the events are of")
    checks.require_dim(record, time)
    checks.require_integer(min_events, "min_events", 1, "events")
    checks.require_share(confidence, "confidence")
    checks.require_choice(fdr, "fdr", FDR)
    if moment not in events.variables:
        raise ValueError(f"the events have no {moment!r}; take them from xdrought.flash_drought_events")
    if "definition" in events.variables and np.unique(events["definition"].values).size > 1:
        raise ValueError("the events are of several definitions; choose one with .sel(event=events.definition == ...)")
    space = [dim for dim in record.dims if dim != time]
    known = _known_shares(limits.check(record), time).transpose(*space, "year")
    counts = _counts(events, known, space, moment)
    how: dict[str, Any] = {"min_events": min_events, "confidence": confidence, "fdr": fdr}
    coords = {name: coord for name, coord in record.coords.items() if set(coord.dims) <= set(space)}
    settings = {"min_events": min_events, "confidence": confidence, "fdr": str(fdr), "moment": moment}
    whole = alignment.dataset_of(_trends(counts, known, **how), coords).assign_attrs(settings)
    if flagged is None:
        return whole
    sound = ~_flags(record, known, space, flagged)
    left = alignment.dataset_of(_trends(counts * sound.values, known.where(sound, 0.0), **how), coords)
    both = xr.concat([whole, left], "stations", coords="minimal", compat="override", combine_attrs="override")
    return both.assign_coords(stations=["all", "unflagged"]).assign_attrs(flagged=str(flagged))


def _flags(record: xr.DataArray, known: xr.DataArray, space: list[Hashable], flagged: Hashable) -> xr.DataArray:
    """True at doubtful stations, on the record's places and (for counts) one year."""
    given = record.coords.get(flagged)
    if given is None or given.dtype != bool or not set(given.dims) <= set(space):
        raise ValueError(
            f"the record has no flags {flagged!r} that are true or false at its places; give them, "
            f"record = record.assign_coords({flagged}=report.is_flagged)"
        )
    return given.broadcast_like(known).transpose(*space, "year")


def _trends(
    counts: np.ndarray, known: xr.DataArray, *, min_events: int, confidence: float, fdr: str | None
) -> dict[str, tuple]:
    """Variables of the result on the dimensions of `known` but the last."""
    found = rate_trend(counts, known.values, known["year"].values.astype(float), confidence)
    number, years = counts.sum(axis=-1), known.values.sum(axis=-1)
    enough = number >= min_events
    p_value = np.where(enough, found.p_value, np.nan)
    share, per_decade = f"{confidence:.0%}", {"units": "percent per decade"}
    numbers = {
        "rate": (
            number / np.where(years > 0, years, np.nan),
            {"long_name": "events in a year of known days", "units": "a-1"},
        ),
        "trend": (_percent(found.slope, enough), {"long_name": "trend of the rate of events", **per_decade}),
        "lower": (_percent(found.lower, enough), {"long_name": f"lower end of the {share} interval", **per_decade}),
        "upper": (_percent(found.upper, enough), {"long_name": f"upper end of the {share} interval", **per_decade}),
        "p_value": (p_value, {"long_name": "p-value of no trend"}),
        "p_value_adjusted": (
            adjusted(p_value.ravel(), fdr).reshape(p_value.shape),
            {"long_name": "p-value of no trend, adjusted for all places"},
        ),
        "event_count": (number.astype(int), {"long_name": "number of events", "units": "1"}),
        "years_known": (years, {"long_name": "sum of the known shares of years", "units": "a"}),
    }
    return {name: (known.dims[:-1], values, attrs) for name, (values, attrs) in numbers.items()}


def _known_shares(record: xr.DataArray, time: Hashable) -> xr.DataArray:
    """Share of each year's days that a place knows, (..., year); of the first and the last year too."""
    if record.sizes[time] < 2:
        raise ValueError(f"the record has {record.sizes[time]} day(s); check the selection")
    step, year = checks.require_regular_steps(record, time), record[time].dt.year.rename("year")
    length = record[time].dt.days_in_year.groupby(year).max()
    there = record.notnull().groupby(year).sum([time])
    return (there * step / length).clip(max=1.0).compute()


def _counts(events: xr.Dataset, known: xr.DataArray, space: list[Hashable], moment: str) -> np.ndarray:
    """Events of each place and year, (..., year)."""
    positions = []
    for dim in space:
        if dim not in events.variables:
            raise ValueError(
                f"the events do not say their {dim!r}; give the record that they are of, on its dimensions"
            )
        if not known.indexes[dim].is_unique:
            raise ValueError(f"the record has labels of {dim!r} that stand twice; use da.drop_duplicates({dim!r})")
        alignment.require_same_kind(known[dim], events[dim], dim, what="the table of events")
        positions.append(known.indexes[dim].get_indexer(pd.Index(events[dim].values)))
    positions.append(known.indexes["year"].get_indexer(events[moment].dt.year.values.astype(int)))
    if lost := int(np.any([one < 0 for one in positions], axis=0).sum()):
        raise ValueError(
            f"{lost} of {events.sizes['event']} events lie outside the record; give the one that they are of"
        )
    counts = np.zeros(known.shape)
    np.add.at(counts, tuple(positions), 1.0)
    return counts


def _percent(slope: np.ndarray, enough: np.ndarray) -> np.ndarray:
    """Change of a rate in ten years, percent, of the slope of its logarithm."""
    with np.errstate(over="ignore"):
        return np.where(enough, 100 * np.expm1(_DECADE * slope), np.nan)
