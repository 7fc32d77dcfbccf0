"""Bootstrap of scores that several networks have at several sites: sites are drawn, and networks within each."""

from __future__ import annotations

import numpy as np


def bootstrap_medians(scores: np.ndarray, n_boot: int, seed: int) -> np.ndarray:
    """Median over drawn sites of the mean over drawn runs of scores (model, run, site): (model, n_boot).

    The same sites and runs are drawn for all models, so that differences between models are paired.
    """
    n_model, n_run, n_site = scores.shape
    rng = np.random.default_rng(seed)
    found = np.full((n_model, n_boot), np.nan)
    if not n_site:
        return found
    for b in range(n_boot):
        sites, runs = rng.integers(n_site, size=n_site), rng.integers(n_run, size=(n_run, n_site))
        found[:, b] = np.median(scores[:, runs, sites].mean(axis=1), axis=-1)
    return found
