"""Do onsets get faster (Figure 7a), and droughts more frequent? Trends of changing rosters of sites, and of cells."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.choices import Moment, TrendMethod
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics import bootstrap_weights, trends
from xdrought.statistics.hypothesis_tests import FDR, Fdr, adjusted
from xdrought.statistics.trends import rate_trend
from xdrought.study.association import place_of_events, require_fit
from xdrought.study.degree_skill import Resampling

METHODS = get_args(TrendMethod)


@public
def onset_trend(
    values: xr.DataArray,
    events: xr.Dataset,
    *,
    method: TrendMethod = "linear",
    confidence: float = 0.95,
    n_boot: int = 500,
    seed: int = 0,
    time: Hashable = "onset_time",
    flagged: Hashable | None = None,
) -> xr.Dataset:
    """Trend of a number of each event over the years, free of the sites' own levels.

    Sites enter and leave a network. Where later ones are faster, the mean of all events rises although no site
    changes. Here each site has a level of its own, and only changes within sites count.

    Parameters
    ----------
    values : xarray.DataArray
        On `event`, e.g. ``events.intensification_rate`` or :func:`xdrought.drought_complexity`; NaN are left out.
    events : xarray.Dataset
        The same events, with `site` (or `cell`) and `time`. Choose flash droughts before, for both.
    method : {"linear", "rank"}
        Least squares with site levels; or the median of the slopes of all pairs of a site's events (Sen) tested by
        Kendall's tau, which outliers do not move.
    confidence : float
        Of intervals.
    n_boot : int
        Bootstrap samples of sites, for the yearly means only.
    seed : int
        Of the bootstrap.
    time : hashable
        The variable whose year counts.
    flagged : hashable, optional
        A variable of the events that is true at doubtful stations. The result then has a dimension `stations`, "all"
        and "unflagged". Flags of :func:`xdrought.data.quality_report` travel to the events as a coordinate of the
        record: ``ds.assign_coords(is_flagged=report.is_flagged)`` before events are found.

    Returns
    -------
    xarray.Dataset
        `slope` per year, `lower`, `upper`, `p_value`; `naive_slope` and `naive_p_value`, those of all events in one
        regression that knows no sites. On `year`: `adjusted`, the mean with the sites' levels taken off, and
        `adjusted_lower` `adjusted_upper`; `pooled`, the plain mean; `event_count`, `site_count`. Attributes tell the
        `sites` and `degrees_of_freedom` of the trend. NaN where there is too little: a slope needs two years
        of one site, a p-value three sites and three years.

    Raises
    ------
    ValueError
        For values that do not fit the events, events without a place, time or flags, or an unknown method.

    Notes
    -----
    Events of one site are not independent, and neither are those of one year: a dry year reaches many sites. The error
    is a two-way jackknife: the variance over sites plus that over years less that over both. A bootstrap of sites alone
    calls far too many trends significant as soon as years are shared; rates of both are measured on the page
    on trends.

    References
    ----------
    Cameron, Gelbach and Miller 2011, doi:10.1198/jbes.2010.07136. Helsel and Frans 2006, doi:10.1021/es051650b (trends
    over blocks of sites). Tang et al. 2025, section 4.5, Figure 7a.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> years = pd.to_datetime([f"{year}-06-01" for year in (2001, 2002, 2003, 2002, 2003, 2004)])
    >>> events = xr.Dataset({"onset_time": ("event", years)}, {"site": ("event", list("AAABBB"))})
    >>> rate = xr.DataArray([1.0, 1.0, 1.0, 5.0, 5.0, 5.0], dims="event")
    >>> result = onset_trend(rate, events)
    >>> float(result.slope), round(float(result.naive_slope), 2)
    (0.0, 1.09)
    """
    how = Resampling(confidence, n_boot, seed).checked()
    checks.require_choice(method, "method", METHODS)
    require_fit(events, values=values)
    if time not in events.variables:
        raise ValueError(f"the events have no {time!r}; take them from xdrought.flash_drought_events")
    whole = _trend(values, events, method, how, time)
    if flagged is None:
        return whole
    kept = np.flatnonzero(~_flagged_events(events, flagged))
    sound = _trend(values.isel(event=kept), events.isel(event=kept), method, how, time)
    both = xr.concat([whole, sound], "stations", join="outer", combine_attrs="drop_conflicts", data_vars="all")
    for name in ("event_count", "site_count"):
        both[name] = both[name].fillna(0).astype(int).assign_attrs(whole[name].attrs)
    return both.assign_coords(stations=["all", "unflagged"]).assign_attrs(flagged=str(flagged))


def _flagged_events(events: xr.Dataset, flagged: Hashable) -> np.ndarray:
    """True for events of doubtful stations, (event,)."""
    if flagged not in events.variables or events[flagged].dims != ("event",) or events[flagged].dtype != bool:
        raise ValueError(
            f"the events have no flags {flagged!r} that are true or false; give them to the record before its events "
            f"are found, ds.assign_coords({flagged}=report.is_flagged)"
        )
    return events[flagged].to_numpy()


def _trend(values: xr.DataArray, events: xr.Dataset, method: str, how: Resampling, time: Hashable) -> xr.Dataset:
    """The trend of some events and their yearly means."""
    confidence = how.confidence
    measured = values.to_numpy().astype("float64")
    known = np.isfinite(measured)
    y = measured[known]
    _, site = np.unique(place_of_events(events).to_numpy()[known], return_inverse=True)
    calendar = events[time].dt.year.to_numpy()[known].astype(int) if known.any() else np.zeros(0, int)
    first = int(calendar.min()) if y.size else 0
    year = calendar - first
    shape = (int(site.max(initial=-1)) + 1, int(year.max(initial=-1)) + 1)
    counts, totals = trends.year_tables(site, year, y, shape)
    if method == "linear":
        found = trends.linear_trend(counts, totals, confidence)
    else:
        found = trends.rank_trend(site, year, y, confidence)
    naive_slope, naive_p = _naive(year, y)
    unit, share = str(values.attrs.get("units", "")), f"{confidence:.0%}"
    each = {"units": f"{unit} a-1".strip()}
    name = str(values.attrs.get("long_name") or values.name or "value")
    out = xr.Dataset(
        {
            "slope": ((), found.slope, {"long_name": f"trend of {name} within sites", **each}),
            "lower": ((), found.lower, {"long_name": f"lower end of the {share} interval", **each}),
            "upper": ((), found.upper, {"long_name": f"upper end of the {share} interval", **each}),
            "p_value": ((), found.p_value, {"long_name": "p-value of no trend"}),
            "naive_slope": ((), naive_slope, {"long_name": f"trend of {name}, all events together", **each}),
            "naive_p_value": ((), naive_p, {"long_name": "p-value as if events were independent"}),
        }
    )
    yearly = _yearly(counts, totals, how)
    texts = {
        "adjusted": f"{name}, site levels taken off",
        "adjusted_lower": f"lower end of the {share} interval over sites",
        "adjusted_upper": f"upper end of the {share} interval over sites",
        "pooled": f"{name}, mean of all events",
    }
    numbers = {k: ("year", yearly[k], {"long_name": text, **_units(unit)}) for k, text in texts.items()}
    out = out.assign(numbers).assign(
        event_count=("year", counts.sum(axis=0).astype(int), {"long_name": "number of events"}),
        site_count=("year", (counts > 0).sum(axis=0), {"long_name": "number of sites with an event"}),
    )
    used = int(((counts > 0).sum(axis=1) > 1).sum())
    return out.assign_coords(year=first + np.arange(shape[1])).assign_attrs(
        method=method,
        confidence=confidence,
        n_boot=how.n_boot,
        seed=how.seed,
        sites=used,
        degrees_of_freedom=found.freedom,
    )


def _units(unit: str) -> dict[str, str]:
    return {"units": unit} if unit else {}


def _naive(year: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """One regression over all events."""
    from scipy.stats import linregress

    if np.unique(year).size < 2 or year.size < 3:
        return float("nan"), float("nan")
    line = linregress(year, values)
    return float(line.slope), float(line.pvalue)


def _yearly(counts: np.ndarray, totals: np.ndarray, how: Resampling) -> dict[str, np.ndarray]:
    """Means of the years, with and without the sites' levels."""
    there = counts.sum(axis=0)
    pooled = np.divide(totals.sum(axis=0), there, out=np.full(there.shape, np.nan), where=there > 0)
    if not counts.size:
        return dict.fromkeys(("adjusted", "adjusted_lower", "adjusted_upper", "pooled"), pooled)
    weights = bootstrap_weights(len(counts), how.n_boot, how.rng(1))[:, :, None]
    # one sample at a time would be slow, all at once large; a sample is a network in which some sites count twice
    samples = np.concatenate(
        [trends.year_effects(counts * part, totals * part) for part in np.array_split(weights, how.n_boot // 50 + 1)]
    )
    lower, upper = how.interval(samples)
    return {
        "adjusted": trends.year_effects(counts, totals),
        "adjusted_lower": lower,
        "adjusted_upper": upper,
        "pooled": pooled,
    }


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
    >>> result = frequency_trend(events, record)
    >>> int(result.event_count[0]), bool(result.trend[0] > 0), round(float(result.p_value[0]), 3)
    (7, True, 0.058)
    """
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
    sound = ~_flagged_places(record, known, space, flagged)
    left = alignment.dataset_of(_trends(counts * sound.values, known.where(sound, 0.0), **how), coords)
    both = xr.concat([whole, left], "stations", coords="minimal", compat="override", combine_attrs="override")
    return both.assign_coords(stations=["all", "unflagged"]).assign_attrs(flagged=str(flagged))


def _flagged_places(
    record: xr.DataArray, known: xr.DataArray, space: list[Hashable], flagged: Hashable
) -> xr.DataArray:
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
