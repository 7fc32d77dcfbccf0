"""Correlation of many series with many, each pair on the days that both have."""

from __future__ import annotations

import numpy as np


def pairwise_correlation(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's r of every row of `a` (m, time) with every row of `b` (n, time), and the number of common days.

    Both (m, n); NaN where a row is constant on the common days.
    """
    (a, there_a), (b, there_b) = _centred(a), _centred(b)
    n = there_a @ there_b.T
    with np.errstate(divide="ignore", invalid="ignore"):
        sum_a, sum_b = a @ there_b.T, there_a @ b.T
        covariance = a @ b.T - sum_a * sum_b / n
        spread_a = (a**2) @ there_b.T - sum_a**2 / n
        spread_b = there_a @ (b**2).T - sum_b**2 / n
        flat = (spread_a <= 1e-9 * n) | (spread_b <= 1e-9 * n)  # of series with variance 1
        r = np.where(flat, np.nan, covariance / np.sqrt(spread_a * spread_b))
    return np.clip(r, -1, 1), n


def _centred(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of mean 0 and variance 1 with 0 where nothing is known, and 1 where something is."""
    there = np.isfinite(values)
    n = np.maximum(there.sum(axis=1, keepdims=True), 1)
    centred = np.where(there, values - np.where(there, values, 0).sum(axis=1, keepdims=True) / n, 0.0)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / n)
    return centred / np.where(spread > 0, spread, 1), there.astype("float64")
