"""How often something happened in the past: by the season, and by the percentile of the day of issue."""

from __future__ import annotations

import numpy as np

DAYS_OF_YEAR = 365
WINDOW = 30  # days on either side of the day of the year
POOL_DAYS = 200  # days with which a site is shrunk to the pool of all sites


def season_frequency(happened: np.ndarray, known: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How often something happened, by day of the year: of all sites, and of each.

    Parameters
    ----------
    happened, known : numpy.ndarray
        bool (sites, time): it happened; the day counts.
    day : numpy.ndarray
        (time,) day of the year from 0.

    Returns
    -------
    pool, sites : numpy.ndarray
        (365,) and (sites, 365): shares of the days within 30 days of the day of the year. A site counts as if the pool
        added 200 days to its own. Days of the year that nobody has seen get the share of all days.
    """
    counts = np.zeros((2, len(happened), DAYS_OF_YEAR))
    for k, part in enumerate((happened & known, known)):
        site, time = np.nonzero(part)
        np.add.at(counts[k], (site, day[time]), 1.0)
    hits, days = np.sum([np.roll(counts, shift, axis=-1) for shift in range(-WINDOW, WINDOW + 1)], axis=0)
    overall = (happened & known).sum() / max(known.sum(), 1)
    pool = np.where(days.sum(axis=0) > 0, hits.sum(axis=0) / np.maximum(days.sum(axis=0), 1), overall)
    return pool, (hits + POOL_DAYS * pool) / (days + POOL_DAYS)


def percentile_frequency(happened: np.ndarray, percentile: np.ndarray, n_bins: int) -> np.ndarray:
    """How often something happened, (n_bins,) by percentile in bins of equal width; both arrays (days,).

    Bins that nobody has seen get the share of all days.
    """
    bins = percentile_bin(percentile, n_bins)
    days = np.bincount(bins, minlength=n_bins)
    hits = np.bincount(bins, weights=happened, minlength=n_bins)
    return np.where(days > 0, hits / np.maximum(days, 1), happened.mean())


def percentile_bin(percentile: np.ndarray, n_bins: int) -> np.ndarray:
    """The bin of each percentile, 0 to 100; 0 where it is missing."""
    return np.clip(np.nan_to_num(percentile) * (n_bins / 100), 0, n_bins - 1).astype(np.int64)
