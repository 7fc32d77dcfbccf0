"""Compiled cross map of whole series: embed, search, weigh and correlate in one call."""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.tree_scores import skills
from xdrought.kernels.tree_weights import operator_arrays


@njit(cache=True, nogil=True)
def map_targets(
    series: np.ndarray, targets: np.ndarray, dim: int, tau: int, radius: int
) -> tuple[bool, np.ndarray, int, int]:
    """Skill (k,) of targets (k, time) that share their gaps; the days mapped, and those of them with ties.

    The first value is False, and the rest is nothing, when the targets differ in their gaps.
    """
    time, n_targets = series.size, targets.shape[0]
    vectors, days = np.empty((time, dim)), np.ones(time, np.bool_)
    for day in range(time):
        there = np.isfinite(targets[0, day])
        for which in range(1, n_targets):
            if np.isfinite(targets[which, day]) != there:
                return False, np.empty(0), 0, 0
        for axis in range(dim):
            before = day - axis * tau
            vectors[day, axis] = series[before] if before >= 0 else np.nan
            there = there and np.isfinite(vectors[day, axis])
        days[day] = there
    starts, columns, weights, member_starts, members, mapped, tied = operator_arrays(vectors, days, days, radius)
    rho = skills(starts, columns, weights, member_starts, members, mapped, targets)
    return True, rho, mapped.sum(), tied.sum()
