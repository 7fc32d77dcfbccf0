"""Curves and lines through events, with intervals over the places that they are of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xdrought.statistics.bootstrap import bootstrap_weights, percentile_interval
from xdrought.statistics.correlation import correlation, site_sums, slope


class Band(NamedTuple):
    """A curve and the ends of its interval, on `x`."""

    x: np.ndarray
    y: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class Line(NamedTuple):
    """Pearson's correlation with its interval, and the line of least squares with its band."""

    r: float
    lower: float
    upper: float
    slope: float
    band: Band


def _draws(place: np.ndarray, n_boot: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of each event's place, and how often each sample holds each place."""
    _, number = np.unique(place, return_inverse=True)
    return number, bootstrap_weights(int(number.max(initial=-1)) + 1, n_boot, np.random.default_rng(seed))


def polynomial(
    x: np.ndarray,
    y: np.ndarray,
    place: np.ndarray,
    *,
    order: int = 4,
    n_boot: int = 500,
    seed: int = 0,
    confidence: float = 0.95,
    points: int = 80,
) -> Band:
    """A polynomial of all events, and its bootstrap interval over places, on `points` of x between the outer events.

    x is scaled to -1 to 1 before the fit; samples that hold fewer different x than the order needs are left out.
    """
    grid = np.linspace(x.min(), x.max(), points)
    span = max(np.ptp(x), 1e-12)

    def at(values: np.ndarray) -> np.ndarray:
        return np.polynomial.legendre.legvander(2 * (values - x.min()) / span - 1, order)

    design, wanted = at(x), at(grid)
    number, weights = _draws(place, n_boot, seed)
    samples = np.full((n_boot, points), np.nan)
    for k, times in enumerate(weights):
        root = np.sqrt(times[number])
        if np.unique(x[root > 0]).size > order:
            samples[k] = wanted @ np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
    middle = wanted @ np.linalg.lstsq(design, y, rcond=None)[0]
    lower, upper = percentile_interval(samples.T, confidence)
    return Band(grid, middle, lower, upper)


def linear(
    x: np.ndarray, y: np.ndarray, place: np.ndarray, *, n_boot: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Line:
    """Pearson's correlation and the line of all events, with bootstrap intervals over places."""
    number, weights = _draws(place, n_boot, seed)
    sums = site_sums(x - x.mean(), y - y.mean(), number)
    ones = np.ones(len(sums))
    low, high = percentile_interval(correlation(sums, weights), confidence)
    band = polynomial(x, y, place, order=1, n_boot=n_boot, seed=seed, confidence=confidence)
    return Line(float(correlation(sums, ones)), float(low), float(high), float(slope(sums, ones)), band)
