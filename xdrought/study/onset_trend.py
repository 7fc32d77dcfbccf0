"""Do onsets get faster, or do other sites report? Trends with a changing roster of sites (Figure 7a)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import get_args

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.checks import public
from xdrought.choices import TrendMethod
from xdrought.statistics import bootstrap_weights, trends
from xdrought.study.degree_skill import Resampling
from xdrought.study.event_association import place_of_events, require_fit

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
    >>> found = onset_trend(rate, events)
    >>> float(found.slope), round(float(found.naive_slope), 2)
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
    kept = np.flatnonzero(~_flags(events, flagged))
    sound = _trend(values.isel(event=kept), events.isel(event=kept), method, how, time)
    both = xr.concat([whole, sound], "stations", join="outer", combine_attrs="drop_conflicts", data_vars="all")
    for name in ("event_count", "site_count"):
        both[name] = both[name].fillna(0).astype(int).assign_attrs(whole[name].attrs)
    return both.assign_coords(stations=["all", "unflagged"]).assign_attrs(flagged=str(flagged))


def _flags(events: xr.Dataset, flagged: Hashable) -> np.ndarray:
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
