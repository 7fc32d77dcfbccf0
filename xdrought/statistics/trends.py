"""Trends of values over years and places, of counts of events, and curves of locally weighted lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from xdrought.statistics.bootstrap import LeaveOneOut, twoway_jackknife


class Estimate(NamedTuple):
    """A slope per year with its interval, the p-value of its absence, and the degrees of freedom behind them."""

    slope: float
    lower: float
    upper: float
    p_value: float
    freedom: int


def year_tables(
    site: np.ndarray, year: np.ndarray, values: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Number and sum of the values of each site in each year, (site, year); `site` and `year` count from 0."""
    counts, totals = np.zeros(shape), np.zeros(shape)
    np.add.at(counts, (site, year), 1.0)
    np.add.at(totals, (site, year), values)
    return counts, totals


def linear_trend(counts: np.ndarray, totals: np.ndarray, confidence: float) -> Estimate:
    """Least squares with a level for each site, per year, with the two-way jackknife's error.

    Parameters
    ----------
    counts, totals : numpy.ndarray
        (site, year) from :func:`year_tables`, consecutive years.
    confidence : float
        Of the interval.

    Returns
    -------
    Estimate
        NaN without two years at one site; interval and p-value NaN with fewer than three sites or years.
    """
    levels = totals / np.maximum(counts, 1)
    centre = (counts * levels).sum() / max(1.0, counts.sum())
    totals = totals - centre * counts  # rounding; no slope changes

    def slope(counts: np.ndarray, totals: np.ndarray) -> float:
        up, down = _by_site(counts, totals)
        return _over(up.sum(), down.sum())

    without = _leave_out(counts, totals, slope)
    estimate = slope(counts, totals)
    error, freedom = twoway_jackknife(counts, without)
    half = _half_width(error, freedom, confidence)
    return Estimate(estimate, estimate - half, estimate + half, _p_value(estimate, error, freedom), freedom)


def rank_trend(site: np.ndarray, year: np.ndarray, values: np.ndarray, confidence: float) -> Estimate:
    """Median of the slopes of all pairs of one site's events in different years, tested by Kendall's tau.

    Sen's slope with Mann and Kendall's test, within sites (the regional Kendall test); the error of tau is the
    two-way jackknife's.

    Parameters
    ----------
    site, year, values : numpy.ndarray
        (event,); `site` and `year` count from 0.
    confidence : float
        Of the interval.
    """
    first, second = _pairs(site, year)
    if not first.size:
        nan = float("nan")
        return Estimate(nan, nan, nan, nan, 0)
    slopes = (values[second] - values[first]) / (year[second] - year[first])
    middle = float(np.median(slopes))
    shape = (int(site.max()) + 1, int(year.max()) + 1)
    counts, _ = year_tables(site, year, values, shape)
    signs, pairs = np.sign(slopes - middle), np.ones(slopes.size)

    def tables(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum over the pairs that an event of each site and year is part of, and over all of a site's pairs."""
        of_year = np.zeros(shape)
        np.add.at(of_year, (site[first], year[first]), weights)
        np.add.at(of_year, (site[first], year[second]), weights)
        return of_year, np.bincount(site[first], weights, shape[0])

    (s_year, s_site), (n_year, n_site) = tables(signs), tables(pairs)
    whole, number = s_site.sum(), n_site.sum()
    without = LeaveOneOut(
        _divide(whole - s_site, number - n_site),
        _divide(whole - s_year.sum(axis=0), number - n_year.sum(axis=0)),
        _divide(whole - s_year, number - n_year),
    )
    error, freedom = twoway_jackknife(counts, without)
    half = _half_width(error, freedom, confidence)
    tau = float(np.sign(slopes).mean())
    ends = np.quantile(slopes, np.clip([0.5 - half / 2, 0.5 + half / 2], 0, 1)) if np.isfinite(half) else [np.nan] * 2
    return Estimate(middle, float(ends[0]), float(ends[1]), _p_value(tau, error, freedom), freedom)


def year_effects(counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Mean of each year with the sites' levels taken off, (..., year); NaN for years without values.

    Least squares with a level for each site and each year; the mean over all values is kept. Sites that share no year
    with the others, directly or through third ones, are set level with them.

    Parameters
    ----------
    counts, totals : numpy.ndarray
        (..., site, year).
    """
    of_site = np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)
    share = counts / of_site
    matrix = -(np.swapaxes(counts, -1, -2) @ share)
    there = counts.sum(axis=-2)
    index = np.arange(counts.shape[-1])
    matrix[..., index, index] += there
    right = (totals - counts * totals.sum(axis=-1, keepdims=True) / of_site).sum(axis=-2)
    effects = (np.linalg.pinv(matrix, rcond=1e-10, hermitian=True) @ right[..., None])[..., 0]
    number = np.maximum(there.sum(axis=-1, keepdims=True), 1.0)
    effects += (totals.sum(axis=(-1, -2))[..., None] - (there * effects).sum(axis=-1, keepdims=True)) / number
    return np.where(there > 0, effects, np.nan)


def _by_site(counts: np.ndarray, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance and variance sums of each site, whose ratio is its slope per year."""
    years = np.arange(counts.shape[1]) - (counts.shape[1] - 1) / 2
    n = np.maximum(counts.sum(axis=1), 1e-300)
    x, xx, v, xv = counts @ years, counts @ years**2, totals.sum(axis=1), totals @ years
    return xv - x * v / n, np.maximum(xx - x * x / n, 0.0)


def _leave_out(counts: np.ndarray, totals: np.ndarray, slope: Callable[[np.ndarray, np.ndarray], float]) -> LeaveOneOut:
    up, down = _by_site(counts, totals)
    years = range(counts.shape[1])
    by_year, by_cell = np.empty(counts.shape[1]), np.empty(counts.shape)
    for k in years:
        kept = np.ones(counts.shape[1])
        kept[k] = 0.0
        up_k, down_k = _by_site(counts * kept, totals * kept)
        by_year[k] = _over(up_k.sum(), down_k.sum())
        by_cell[:, k] = _divide(up.sum() - up + up_k, down.sum() - down + down_k)
    return LeaveOneOut(_divide(up.sum() - up, down.sum() - down), by_year, by_cell)


def _pairs(site: np.ndarray, year: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of all pairs of events of one site, the earlier year first."""
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for name in np.unique(site):
        own = np.flatnonzero(site == name)
        own = own[np.argsort(year[own], kind="stable")]
        i, j = np.triu_indices(own.size, 1)
        apart = year[own[i]] < year[own[j]]
        first.append(own[i[apart]])
        second.append(own[j[apart]])
    return np.concatenate(first), np.concatenate(second)


def _half_width(error: float, freedom: int, confidence: float) -> float:
    from scipy.stats import t

    return float(error * t.ppf((1 + confidence) / 2, freedom)) if freedom else float("nan")


def _p_value(estimate: float, error: float, freedom: int) -> float:
    from scipy.stats import t

    if not freedom:
        return float("nan")
    return float(2 * t.sf(abs(estimate) / error, freedom)) if error > 0 else float(estimate == 0)


def _over(top: float, bottom: float) -> float:
    return float(top / bottom) if bottom > 0 else float("nan")


def _divide(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 1e-12)


_KNOTS = 60  # lines are fitted at this many points at most, and are joined between them


def lowess(x: np.ndarray, y: np.ndarray, at: np.ndarray, fraction: float = 2 / 3, iterations: int = 3) -> np.ndarray:
    """Smoothed values of y at the points `at`.

    Parameters
    ----------
    x, y : numpy.ndarray
        (n,), finite.
    at : numpy.ndarray
        (m,) where to smooth; NaN is given outside the range of x.
    fraction : float
        Share of the points that each line is fitted to.
    iterations : int
        Rounds in which points far from the curve lose weight.

    Returns
    -------
    numpy.ndarray
        (m,), NaN with fewer than 2 points.

    References
    ----------
    Cleveland 1979, doi:10.1080/01621459.1979.10481038.
    """
    if x.size < 2:
        return np.full(at.shape, np.nan)
    n_near = int(np.clip(fraction * x.size + 1e-10, 2, x.size))
    knots = np.unique(x)
    if knots.size > _KNOTS:
        knots = np.unique(np.quantile(knots, np.linspace(0, 1, _KNOTS)))
    distance = np.abs(knots[:, None] - x)
    radius = np.partition(distance, n_near - 1, axis=1)[:, n_near - 1, None]
    nearness = _tricube(np.divide(distance, radius, out=np.where(distance > 0, 2.0, 0.0), where=radius > 0))
    trust = np.ones(x.size)
    for _ in range(iterations):
        miss = y - np.interp(x, knots, _lines(knots, x, y, nearness, trust))
        typical = 6 * np.median(np.abs(miss))
        if typical <= 1e-12 * (np.abs(y).max() + 1e-300):
            break  # the curve meets the points
        trust = np.clip(1 - (miss / typical) ** 2, 0, None) ** 2
    smoothed = np.interp(at, knots, _lines(knots, x, y, nearness, trust))
    return np.where((at < knots[0]) | (at > knots[-1]), np.nan, smoothed)


def _tricube(share: np.ndarray) -> np.ndarray:
    return np.clip(1 - share**3, 0, None) ** 3


def _lines(knots: np.ndarray, x: np.ndarray, y: np.ndarray, nearness: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """A weighted line at each knot; a mean where all weight lies on one x. Where no near point is trusted, all are."""
    weight = nearness * trust
    weight = np.where(weight.sum(axis=1, keepdims=True) > 0, weight, nearness)
    weight /= weight.sum(axis=1, keepdims=True)
    mean_x, mean_y = weight @ x, weight @ y
    from_mean = x - mean_x[:, None]
    spread = (weight * from_mean**2).sum(axis=1)
    covariance = (weight * from_mean * y).sum(axis=1)
    steep = spread > 1e-12 * np.ptp(x) ** 2
    slope = np.divide(covariance, spread, out=np.zeros_like(spread), where=steep)
    return mean_y + slope * (knots - mean_x)


_STEEPEST = 5.0  # a year, of the log rate: beyond it all events lie in one year at an end
_ROUNDS = 60  # of halving, to a ten-billionth of the steepest


class RateTrend(NamedTuple):
    """Trend of the logarithm of the rate per year with its interval, and the p-value of none, each (...)."""

    slope: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p_value: np.ndarray


def rate_trend(counts: np.ndarray, exposure: np.ndarray, years: np.ndarray, confidence: float) -> RateTrend:
    """Log-linear trend of a Poisson rate, with the score test of none and the interval that inverts it.

    Given how many events there were, their years are draws with probabilities in proportion to exposure times the rate.
    The test compares the mean year of the events with that of the exposure; the trend is the one whose mean year is
    that of the events, and the interval holds those that the test does not refuse.

    Parameters
    ----------
    counts : numpy.ndarray
        (..., year) events.
    exposure : numpy.ndarray
        (..., year) how much of each year was watched; years of 0 count nowhere.
    years : numpy.ndarray
        (year,)
    confidence : float
        Of the interval.

    Returns
    -------
    RateTrend
        NaN without an event or without two watched years; infinite where all events lie at one end.

    References
    ----------
    Cox and Lewis 1966, The Statistical Analysis of Series of Events, section 3.3.
    """
    from scipy.stats import norm

    shape = counts.shape[:-1]
    counts, exposure = (one.reshape(-1, one.shape[-1]).astype(np.float64) for one in (counts, exposure))
    counts = np.where(exposure > 0, counts, 0.0)
    t = years - years.mean()
    number = counts.sum(axis=-1)
    there = (number > 0) & ((exposure > 0).sum(axis=-1) > 1)
    safe = np.where(there[:, None], exposure, 1.0)
    mean_year = np.where(there, counts @ t, 0.0) / np.where(there, number, 1.0)
    z = norm.ppf((1 + confidence) / 2)
    ends = [_solve(safe, t, number, mean_year, shift) for shift in (0.0, z, -z)]
    middle, spread = _moments(safe, t, np.zeros(number.size))
    score = (mean_year - middle) * np.sqrt(np.where(there, number, 1.0) / spread)
    found = [np.where(there, one, np.nan).reshape(shape) for one in (*ends, 2 * norm.sf(np.abs(score)))]
    return RateTrend(*found)


def _moments(exposure: np.ndarray, t: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of an event's year under each slope."""
    power = slope[:, None] * t
    weight = exposure * np.exp(power - power.max(axis=-1, keepdims=True))
    weight /= weight.sum(axis=-1, keepdims=True)
    mean = weight @ t
    return mean, np.maximum(weight @ t**2 - mean**2, 1e-12)


def _solve(exposure: np.ndarray, t: np.ndarray, number: np.ndarray, mean_year: np.ndarray, shift: float) -> np.ndarray:
    """The slope under which the events' mean year lies `shift` standard errors above what is expected, by halving."""
    low, high = np.full(number.size, -_STEEPEST), np.full(number.size, _STEEPEST)

    def above(slope: np.ndarray) -> np.ndarray:
        mean, variance = _moments(exposure, t, slope)
        return mean_year - mean - shift * np.sqrt(variance / np.maximum(number, 1.0))

    start, stop = above(low), above(high)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        up = above(middle) > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return np.where(start <= 0, -np.inf, np.where(stop >= 0, np.inf, (low + high) / 2))
