"""p-values of a family of tests, adjusted for how many there are."""

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
