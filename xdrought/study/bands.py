"""A LOWESS curve through points, with a band from bootstrap samples of sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdrought.kernels.lowess import lowess
from xdrought.kernels.rank_association import drawn_sites


@dataclass(frozen=True)
class Resampling:
    """How to draw intervals."""

    confidence: float
    resamples: int
    seed: int

    def checked(self, caller: str) -> Resampling:
        if not 0 < self.confidence < 1:
            raise ValueError(f"{caller}: confidence={self.confidence!r}; it is a share between 0 and 1, e.g. 0.95")
        if self.resamples < 1:
            raise ValueError(f"{caller}: resamples={self.resamples!r}; it is a whole number of at least 1")
        return self

    def rng(self, *more: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *more])

    def interval(self, samples: np.ndarray) -> np.ndarray:
        """(2, ...) central interval over the first axis; NaN where no sample is known."""
        ends = [(1 - self.confidence) / 2, (1 + self.confidence) / 2]
        known = np.isfinite(samples).any(axis=0)
        return np.where(known, np.nanquantile(np.where(known, samples, 0.0), ends, axis=0), np.nan)


@dataclass(frozen=True)
class Curve:
    """Smoothed y on a grid of x, (3, points): the curve, and the band's lower and upper end."""

    x: np.ndarray
    y: np.ndarray


def curve_with_band(
    x: np.ndarray, y: np.ndarray, site: np.ndarray, points: int, fraction: float, how: Resampling
) -> Curve:
    """LOWESS of the points; `site` counts from 0, and a sample of sites brings all their points."""
    if x.size < 3 or np.ptp(x) == 0:
        return Curve(np.full(points, np.nan), np.full((3, points), np.nan))
    grid = np.linspace(x.min(), x.max(), points)
    weights = drawn_sites(int(site.max()) + 1, how.resamples, how.rng(1))
    samples = np.full((how.resamples, points), np.nan)
    for k, times in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(x.size), times[site])
        samples[k] = lowess(x[rows], y[rows], grid, fraction)
    return Curve(grid, np.concatenate([lowess(x, y, grid, fraction)[None], how.interval(samples)]))
