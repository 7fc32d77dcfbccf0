"""The package that Tang et al. 2025 used (causal-ccm), for comparison; slow, and without gaps or tie rules."""

from __future__ import annotations

import numpy as np

from xdrought.kernels.crossmap import Settings, Skill


def cross_map(series: np.ndarray, targets: np.ndarray, settings: Settings, radius: int) -> Skill:
    """Skill of each of `targets` (k, time) from the manifold of `series` (time,) by ``causal_ccm.ccm``.

    The span that both series have is used; a gap inside it, or a span too short for E + 1 neighbours, gives NaN.
    The package doesn't report ties. `radius` is 0 here: it has no exclusion window.
    """
    from causal_ccm.causal_ccm import ccm

    rho, n = np.full(len(targets), np.nan), np.zeros(len(targets), np.int64)
    for at, target in enumerate(targets):
        days = np.flatnonzero(np.isfinite(series) & np.isfinite(target))
        reach = (settings.dim - 1) * settings.tau
        if days.size < reach + settings.dim + 2 or days[-1] - days[0] + 1 != days.size:
            continue
        if np.ptp(series[days]) == 0 or np.ptp(target[days]) == 0:
            continue
        result = ccm(target[days], series[days], tau=settings.tau, E=settings.dim)
        rho[at], _ = result.causality()
        n[at] = days.size - reach
    return Skill(rho, n, np.full(len(targets), np.nan))
