"""Tests of hypotheses: many at once, and onsets that fall together."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Fdr = Literal["bh", "by", "holm"]  # how many tests are adjusted for
FDR = (*get_args(Fdr), None)


def adjusted(p: np.ndarray, fdr: str | None) -> np.ndarray:
    """Adjust the p-values (test,) of one family of tests; NaN is no test.

    `fdr` is "bh" (Benjamini and Hochberg), "by" (Benjamini and Yekutieli), "holm", or None for p-values as they are.
    """
    from scipy.stats import false_discovery_control

    p = np.asarray(p, dtype=np.float64)
    tested = np.isfinite(p)
    if fdr is None or not tested.any():
        return p.copy()
    result = np.full(p.shape, np.nan)
    result[tested] = _holm(p[tested]) if fdr == "holm" else false_discovery_control(p[tested], method=fdr)
    return result


def _holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate((p.size - np.arange(p.size)) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


YEAR = 365.2425  # days


def shifted_rates(first: np.ndarray, second: np.ndarray, years: int, tolerance: float) -> np.ndarray:
    """Share of all onsets that have one of the other site within `tolerance` days, by shift of the second.

    Parameters
    ----------
    first, second : numpy.ndarray
        Days since the start of the common record, below ``years * YEAR``.
    years : int
        Length of the common record; it is closed to a circle.
    tolerance : float
        Days.

    Returns
    -------
    numpy.ndarray
        (years,), the first without a shift; NaN where there is no onset at one of the sites.
    """
    if not first.size or not second.size:
        return np.full(years, np.nan)
    length = years * YEAR
    shift = np.arange(years)[:, None, None] * YEAR
    signed = first[:, None] - second - shift  # [shift, first, second]
    around = np.abs((signed + length / 2) % length - length / 2)
    near = around <= tolerance + 1e-9
    hits = near.any(axis=2).sum(axis=1) + near.any(axis=1).sum(axis=1)
    return hits / (first.size + second.size)


def relative_rates(rates: np.ndarray, years: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Rates of all pairs when every site is shifted by years of its own, (site, site).

    Parameters
    ----------
    rates : numpy.ndarray
        (site, site, shift) from :func:`shifted_rates`, filled up with NaN.
    years : numpy.ndarray
        (site, site) common years, 0 where there are none.
    shift : numpy.ndarray
        (site,) whole numbers.
    """
    index = (shift[None, :] - shift[:, None]) % np.maximum(years, 1)
    return np.take_along_axis(rates, index[..., None], axis=2)[..., 0]
