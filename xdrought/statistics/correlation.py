"""Correlation of values and of their ranks, over sites and within sites, where weights say how often a site counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xdrought.statistics.bootstrap import LeaveOneOut, twoway_jackknife

N, X, Y, XX, YY, XY = range(6)  # columns of sums
_LARGEST = 1 - 1e-9  # correlation of which Fisher's transform is taken


def ranks(values: np.ndarray) -> np.ndarray:
    """Average ranks along the last axis, minus their mean."""
    from scipy.stats import rankdata

    result = rankdata(values, axis=-1)
    return result - result.mean(axis=-1, keepdims=True)


def site_sums(x: np.ndarray, y: np.ndarray, site: np.ndarray) -> np.ndarray:
    """Count, sums and products of each site, (site, 6); `site` counts from 0."""
    return np.stack([np.bincount(site, values) for values in (np.ones(x.size), x, y, x * x, y * y, x * y)], axis=1)


def demeaned_sums(sums: np.ndarray) -> np.ndarray:
    """The sums of :func:`site_sums` for values minus the means of their site, (site, 6)."""
    n = np.maximum(sums[:, N], 1.0)
    x, y = sums[:, X], sums[:, Y]
    zero = np.zeros(len(sums))
    products = (sums[:, XX] - x * x / n, sums[:, YY] - y * y / n, sums[:, XY] - x * y / n)
    return np.stack([sums[:, N], zero, zero, np.maximum(products[0], 0), np.maximum(products[1], 0), products[2]], 1)


def correlation(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Correlation (...) in which sites count as often as the weights (..., site) say; NaN where x or y is constant."""
    whole = weights @ sums
    n = np.maximum(whole[..., N], 1.0)
    xx, yy, xy = (
        whole[..., both] - whole[..., first] * whole[..., second] / n
        for both, first, second in ((XX, X, X), (YY, Y, Y), (XY, X, Y))
    )
    known = (xx > 1e-9 * (whole[..., XX] + 1e-300)) & (yy > 1e-9 * (whole[..., YY] + 1e-300))
    return np.divide(xy, np.sqrt(np.where(known, xx * yy, 1.0)), out=np.full(xx.shape, np.nan), where=known)


def slope(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Least-squares slope of y on x, from sums of :func:`demeaned_sums`; NaN where x is constant."""
    whole = weights @ sums
    return np.divide(whole[..., XY], whole[..., XX], out=np.full(whole.shape[:-1], np.nan), where=whole[..., XX] > 0)


def permuted_within(site: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions that shuffle the values of each site among themselves."""
    order, place = np.lexsort((rng.random(site.size), site)), np.argsort(site, kind="stable")
    shuffled = np.empty(site.size, np.int64)
    shuffled[place] = order
    return shuffled


class Association(NamedTuple):
    """A correlation within sites with its interval and the p-value of none."""

    rho: float
    lower: float
    upper: float
    p_value: float


def association_within(
    x: np.ndarray, y: np.ndarray, site: np.ndarray, year: np.ndarray, confidence: float
) -> Association:
    """Correlation of x and y less their site means, events of a site and of a year being dependent.

    The two-way jackknife's error of Fisher's transform, with Student's t.

    Parameters
    ----------
    x, y : numpy.ndarray
        (event,), e.g. ranks.
    site, year : numpy.ndarray
        (event,), counted from 0.
    confidence : float
        Of the interval.
    """
    from scipy.stats import t

    cells = np.zeros((int(site.max()) + 1, int(year.max()) + 1, 6))
    np.add.at(cells, (site, year), np.stack([np.ones(x.size), x, y, x * x, y * y, x * y], axis=1))
    sums = cells.sum(axis=1)
    own = demeaned_sums(sums)
    all_but = demeaned_sums((sums[:, None] - cells).reshape(-1, 6)).reshape(
        cells.shape
    )  # a site without one of its years
    whole = own.sum(axis=0)
    rho = float(_correlation_of(whole))
    without = LeaveOneOut(
        *(_transformed(part) for part in (whole - own, all_but.sum(axis=0), whole - own[:, None] + all_but))
    )
    error, freedom = twoway_jackknife(cells[..., N], without)
    middle = np.arctanh(np.clip(rho, -_LARGEST, _LARGEST))
    half = error * t.ppf((1 + confidence) / 2, freedom) if freedom else np.nan
    p_value = 2 * t.sf(abs(middle) / max(error, 1e-12), freedom) if freedom else np.nan
    return Association(rho, float(np.tanh(middle - half)), float(np.tanh(middle + half)), float(p_value))


def _correlation_of(sums: np.ndarray) -> np.ndarray:
    """From summed products of :func:`demeaned_sums`, (..., 6)."""
    scale = sums[..., XX] * sums[..., YY]
    known = scale > 0
    return np.divide(sums[..., XY], np.sqrt(scale), out=np.full(scale.shape, np.nan), where=known)


def _transformed(sums: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(_correlation_of(sums), -_LARGEST, _LARGEST))


def demean_by_site(values: np.ndarray, site: np.ndarray) -> np.ndarray:
    """Values less the mean of their site."""
    return values - (np.bincount(site, values) / np.maximum(np.bincount(site), 1))[site]
