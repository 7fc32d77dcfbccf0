"""Locally weighted scatterplot smoothing: lines fitted to the nearest points, robust to outliers."""

from __future__ import annotations

import numpy as np

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
