"""Does skill grow with the library? Mean, spread and tests of the skill of random libraries of several sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr
from scipy.stats import kendalltau

if TYPE_CHECKING:
    from xdrought.kernels.crossmap import Skill

NAMES = (
    "convergence",
    "convergence_lower",
    "convergence_upper",
    "kendall_tau",
    "kendall_p_value",
    "fisher_z",
    "fisher_p_value",
)
QUANTILES = (0.025, 0.975)


def summarise(samples: Skill, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Skill (k, sizes, samples) of random libraries in numbers: the mean curve (k, sizes) and tests of it (k,)."""
    rho, n = samples.rho.mean(axis=-1), samples.n_pairs.min(axis=-1)
    low, high = np.quantile(samples.rho, QUANTILES, axis=-1)
    found = {
        "rho": rho,
        "n_pairs": n,
        "tied_fraction": samples.tied_fraction.mean(axis=-1),
        "rho_lower": low,
        "rho_upper": high,
    }
    if len(sizes) > 1:
        found |= dict(zip(NAMES, growth_of(samples.rho, n, np.array(sizes)), strict=True))
    return found


def growth_of(rho: np.ndarray, n: np.ndarray, sizes: np.ndarray, *, nested: bool = True) -> tuple[np.ndarray, ...]:
    """The numbers of `NAMES` (k,) for skill (k, sizes, samples) and pairs (k, sizes).

    Sizes without skill (more than the record holds) are left out; with fewer than two left all is NaN. Libraries that
    are not `nested` may differ in number by size (the rest is NaN), and any small one is compared with any large one.
    """
    out = np.full((len(NAMES), len(rho)), np.nan)
    for at, (curve, pairs) in enumerate(zip(rho, n, strict=True)):
        order = np.argsort(sizes, kind="stable")
        known = np.isfinite(curve[order])
        order = order[known.all(axis=-1) if nested else known.any(axis=-1)]
        if len(order) < 2 or sizes[order[0]] == sizes[order[-1]]:
            continue
        first, last = order[0], order[-1]
        gain = curve[last] - curve[first] if nested else np.subtract.outer(curve[last], curve[first])
        gain = gain[np.isfinite(gain)]
        mean = np.nanmean(curve[order], axis=-1)
        tau, tau_p = kendalltau(sizes[order], mean, alternative="greater")
        z, z_p = fisher_difference(mean[-1], pairs[last], mean[0], pairs[first])
        out[:, at] = (gain.mean(), *np.quantile(gain, QUANTILES), tau, tau_p, z, z_p)
    return tuple(out)


def fisher_difference(high: float, n_high: int, low: float, n_low: int) -> tuple[float, float]:
    """Fisher's z of the difference of two correlations, and its one-sided p-value (first is larger)."""
    if min(n_high, n_low) <= 3:
        return np.nan, np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.arctanh(high) - np.arctanh(low)) / np.sqrt(1 / (n_high - 3) + 1 / (n_low - 3))
    return z, ndtr(-z)
