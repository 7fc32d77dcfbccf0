"""Which sites' droughts set in together? Coincidence of onsets, beside that of shifted years."""

from __future__ import annotations

import datetime
from collections.abc import Hashable

import numpy as np
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.causality.significance import false_discovery_control
from xdrought.choices import Moment
from xdrought.public_functions import public
from xdrought.statistics.hypothesis_tests import YEAR, relative_rates, shifted_rates


@public
def onset_coincidence(
    events: xr.Dataset,
    record: xr.DataArray,
    *,
    tolerance: float | datetime.timedelta | np.timedelta64 = 15.0,
    min_years: int = 4,
    n_boot: int = 1000,
    seed: int = 0,
    moment: Moment = "start_time",
    time: Hashable = "time",
) -> xr.Dataset:
    """Share of droughts that set in within some days of one at another site, and what the season alone gives.

    Parameters
    ----------
    events : xarray.Dataset
        From :func:`xdrought.flash_drought_events`, with `site`.
    record : xarray.DataArray
        The soil moisture (site, time) that they are of: a year counts for a site with values on half of its days.
    tolerance : float or timedelta
        Days between two moments that fall together, before or after.
    min_years : int
        Pairs with fewer common years are NaN.
    n_boot : int
        Networks in which every site is shifted by a number of years of its own.
    seed : int
        Of the shifts.
    moment : str
        Which moment of an event, "start_time" or "onset_time".
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        On (site, other), of the years that both report: `rate`, the share of the events of both with one of the other
        within the tolerance; `expected`, its mean over all shifts of one of them by whole years, in a circle, which
        keep seasons; `common_years`. On `site`: `excess`, the mean of rate less expected over the others, its
        one-sided `p_value` among the shifted networks, and `p_value_adjusted` (false-discovery rate). Over all:
        `network_rate`, `network_expected`, `network_p_value`.

    Raises
    ------
    ValueError
        For events without sites or the moment, a record that lacks a site, or settings out of range.

    Notes
    -----
    A pair has as many shifts as common years, too few for a p-value of its own; sites and the network are
    tested. Droughts of one region share their season, so a rate means something only beside `expected`.

    References
    ----------
    Event coincidence analysis: Donges et al. 2016, doi:10.1140/epjst/e2015-50233-y. The paper's "synchronization"
    (Figure 7c) is another thing, :func:`site_synchrony`.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> days = pd.date_range("2001-01-01", "2006-12-31")
    >>> record = xr.DataArray(np.ones((2, days.size)), {"site": ["A", "B"], "time": days}, ("site", "time"))
    >>> start = pd.to_datetime(["2001-07-01", "2003-07-01", "2001-07-09", "2005-07-01"])
    >>> events = xr.Dataset({"start_time": ("event", start)}, {"site": ("event", list("AABB"))})
    >>> result = onset_coincidence(events, record)
    >>> float(result.rate.sel(site="A", other="B")), round(float(result.expected.sel(site="A", other="B")), 2)
    (0.5, 0.3)
    """
    checks.require_variables(events, ("site", moment), "the events lack", "xdrought.flash_drought_events")
    tolerance = checks.number_of_days(tolerance, "tolerance")
    if min_years < 2 or n_boot < 1:
        raise ValueError(f"min_years={min_years!r}, n_boot={n_boot!r}; they are at least 2 and 1")
    if "site" not in record.dims:
        raise ValueError(f"the record has dimensions {record.dims}, no 'site'; give the soil moisture of the events")
    checks.require_dim(record, time)
    given, record = record, limits.check(alignment.in_label_order(record, ["site"]))
    alignment.require_same_kind(record["site"], events["site"], "site", what="the table of events")
    if lacking := sorted(set(events["site"].values.tolist()) - set(record["site"].values.tolist())):
        raise ValueError(f"the record has no sites {lacking}; give the soil moisture that the events are of")
    sites = record["site"].values
    reported, first = _years(record, time)
    rates, years = _pairs(events, sites, reported, first, tolerance, moment)
    years[years < min_years] = 0
    rates[years == 0] = np.nan
    counted = np.arange(rates.shape[2]) < years[..., None]
    expected = _mean(np.where(counted, rates, np.nan)[..., 1:], axis=2)
    rate = rates[..., 0]
    excess, drawn = _tests(rates, years, expected, n_boot, seed)
    p_value = np.where(np.isfinite(excess), (1 + (drawn >= excess - 1e-12).sum(axis=0)) / (1 + n_boot), np.nan)
    overall, draws = _mean(excess[None], axis=1)[0], _mean(drawn, axis=1)
    pair, text = ("site", "other"), "of droughts that set in together"
    coords = {name: coord for name, coord in record.coords.items() if coord.dims == ("site",)}
    out = alignment.dataset_of(
        {
            "rate": (pair, rate, {"long_name": f"share {text}", "units": "1"}),
            "expected": (pair, expected, {"long_name": f"share {text}, years shifted", "units": "1"}),
            "common_years": (pair, years, {"long_name": "years that both report"}),
            "excess": ("site", excess, {"long_name": f"share {text}, above shifted years", "units": "1"}),
            "p_value": ("site", p_value, {"long_name": "one-sided p-value among shifted networks"}),
            "network_rate": ((), float(_mean(rate.reshape(1, -1), axis=1)[0]), {"long_name": "mean share"}),
            "network_expected": ((), float(_mean(expected.reshape(1, -1), axis=1)[0]), {"long_name": "years shifted"}),
            "network_p_value": ((), (1 + (draws >= overall - 1e-12).sum()) / (1 + n_boot)),
        },
        {**coords, "other": sites},
    )
    out["p_value_adjusted"] = false_discovery_control(out.p_value)
    out = alignment.in_order_of(out, given, ["site"])
    out = out.sel(other=out["site"].values)
    return out.assign_attrs(tolerance=tolerance, min_years=min_years, n_boot=n_boot, seed=seed, moment=moment)


def _years(record: xr.DataArray, time: Hashable) -> tuple[np.ndarray, int]:
    """(site, year) whether a site reports on half of a year's days, and the first year."""
    year = record[time].dt.year
    first, last = int(year.min()), int(year.max())
    there = record.notnull().transpose("site", time).to_numpy()
    counts = np.stack([there[:, (year == one).to_numpy()].sum(axis=1) for one in range(first, last + 1)], axis=1)
    return counts > YEAR / 2, first


def _pairs(
    events: xr.Dataset, sites: np.ndarray, reported: np.ndarray, first: int, tolerance: float, moment: str
) -> tuple[np.ndarray, np.ndarray]:
    """(site, site, shift) rates and (site, site) common years; the diagonal is empty."""
    when = events[moment]
    year, day = when.dt.year.to_numpy() - first, when.dt.dayofyear.to_numpy() - 1.0
    place = events["site"].to_numpy()
    own = [np.flatnonzero((place == site) & (year >= 0) & (year < reported.shape[1])) for site in sites]
    n = len(sites)
    rates, years = np.full((n, n, reported.shape[1]), np.nan), np.zeros((n, n), int)
    for a in range(n):
        for b in range(a):
            common = reported[a] & reported[b]
            count = int(common.sum())
            order = np.cumsum(common) - 1  # common years in a row
            days = [order[year[k]] * YEAR + day[k] for k in (rows[common[year[rows]]] for rows in (own[a], own[b]))]
            found = shifted_rates(days[0], days[1], count, tolerance)
            rates[a, b, :count] = found
            rates[b, a, :count] = np.roll(found[::-1], 1)  # a shift of one is the opposite shift of the other
            years[a, b] = years[b, a] = count
    return rates, years


def _tests(
    rates: np.ndarray, years: np.ndarray, expected: np.ndarray, n_boot: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """(site,) mean excess over the others, and (n_boot, site) those of shifted networks."""
    rng = np.random.default_rng(seed)
    excess = _mean(rates[..., 0] - expected, axis=1)
    shifts = rng.integers(0, rates.shape[2] * 1000, (n_boot, len(rates)))
    drawn = np.stack([_mean(relative_rates(rates, years, shift) - expected, axis=1) for shift in shifts])
    return excess, drawn


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
