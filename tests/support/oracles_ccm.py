"""Cross mapping the slow and obvious way: every pair of days, one at a time, straight from the definition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

TIE = 1e-9


def delay_vector(series: Sequence[float], t: int, dim: int, tau: int) -> list[float] | None:
    """The delay vector of day t, or None when it reaches before the start or touches a missing day."""
    days = [t - d * tau for d in range(dim)]
    if min(days) < 0 or not all(math.isfinite(series[day]) for day in days):
        return None
    return [float(series[day]) for day in days]


def candidates(series, target, t, dim, tau, radius, library=None) -> list[tuple[float, int]]:
    """(distance, day) of every day that may be a neighbour of day t, nearest first."""
    here, found = delay_vector(series, t, dim, tau), []
    for day in range(len(series)):
        there = delay_vector(series, day, dim, tau)
        if there is None or not math.isfinite(target[day]) or abs(day - t) <= radius:
            continue
        if library is None or day in library:
            found.append((math.dist(here, there), day))
    return sorted(found)


def estimate_day(found: list[tuple[float, int]], target, k: int) -> float:
    """Weighted mean of the k nearest; days tied with the k-th share its slots, zero distances share equally."""
    if len(found) < k:
        return math.nan
    nearest, last = found[0][0], found[k - 1][0]
    closer = [(d, day) for d, day in found if d < last * (1 - TIE)]
    level = [(d, day) for d, day in found if last * (1 - TIE) <= d <= last * (1 + TIE)]
    share = (k - len(closer)) / len(level)
    total = weights = 0.0
    for d, day, part in [(d, day, 1.0) for d, day in closer] + [(d, day, share) for d, day in level]:
        weight = part * (math.exp(-d / nearest) if nearest > 0 else float(d == 0))
        total += weight * target[day]
        weights += weight
    return total / weights


def estimate_day_by_random_ties(found: list[tuple[float, int]], target, k: int) -> float:
    """Mean over all ways to break ties at the k-th neighbour: another road to the same number."""
    last = found[k - 1][0]
    closer = [pair for pair in found if pair[0] < last * (1 - TIE)]
    level = [pair for pair in found if last * (1 - TIE) <= pair[0] <= last * (1 + TIE)]
    results = []
    for chosen in itertools.combinations(level, k - len(closer)):
        neighbours = closer + list(chosen)
        nearest = neighbours[0][0]
        weights = [math.exp(-d / nearest) if nearest > 0 else float(d == 0) for d, _ in neighbours]
        values = [target[day] for _, day in neighbours]
        results.append(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))
    return sum(results) / len(results)


def estimates(series, target, dim, tau, radius=0, library=None) -> np.ndarray:
    """Estimate of `target` on every day of the manifold of `series`; NaN elsewhere."""
    out = np.full(len(series), np.nan)
    vectors = {tuple(v) for t in range(len(series)) if (v := _used(series, target, t, dim, tau, library))}
    if len(vectors) < 2:
        return out
    for t in range(len(series)):
        if delay_vector(series, t, dim, tau) is None or not math.isfinite(target[t]):
            continue
        out[t] = estimate_day(candidates(series, target, t, dim, tau, radius, library), target, dim + 1)
    return out


def _used(series, target, t, dim, tau, library) -> list[float] | None:
    inside = math.isfinite(target[t]) and (library is None or t in library)
    return delay_vector(series, t, dim, tau) if inside else None


def skill(series, target, dim, tau, radius=0, library=None) -> tuple[float, int]:
    """Correlation and number of pairs."""
    found = estimates(series, target, dim, tau, radius, library)
    days = np.flatnonzero(np.isfinite(found))
    if days.size < 3 or np.ptp(np.asarray(target)[days]) == 0 or np.ptp(found[days]) < 1e-11:
        return math.nan, days.size
    return float(np.corrcoef(found[days], np.asarray(target)[days])[0, 1]), days.size
