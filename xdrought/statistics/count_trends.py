"""Trends of counts of events in years: a log-linear rate, and the test that knows how long each year was watched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
