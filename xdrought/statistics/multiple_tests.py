"""p-values of a family of tests, adjusted for how many there are."""

from __future__ import annotations

import numpy as np
from scipy.stats import false_discovery_control


def adjusted(p: np.ndarray, method: str) -> np.ndarray:
    """Adjusted p-values (test,): "bh" (Benjamini-Hochberg), "by" (Benjamini-Yekutieli) or "holm"; NaN is no test."""
    p = np.asarray(p, dtype=np.float64)
    tested = np.isfinite(p)
    found = np.full(p.shape, np.nan)
    if tested.any():
        found[tested] = _holm(p[tested]) if method == "holm" else false_discovery_control(p[tested], method=method)
    return found


def _holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate((p.size - np.arange(p.size)) * p[order])
    found = np.empty_like(p)
    found[order] = np.minimum(stepped, 1.0)
    return found
