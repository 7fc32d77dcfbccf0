"""Compiled cross maps of many series at once, where no two delay vectors are equal and no distances tie.

Nearly all records of the weather are such. The others are flagged here and mapped one by one with all their ties
(:mod:`xdrought.kernels.cross_map`).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.compilation import as_one_type, is_stored
from xdrought.kernels.sorted_scan import LANES, order_by_sum, scan

TIE = 6e-9  # squared distances this close (relative) may be tied, in which case the series is flagged


def map_plain(
    series: np.ndarray, targets: np.ndarray, dim: int, tau: int, radius: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skill of estimating `targets` (s, k, time) from the manifolds of `series` (s, time), with their `radius` (s,).

    Returns
    -------
    rho : ndarray (s, k)
    n_pairs : ndarray (s,)
    done : ndarray (s,) of bool
        False, and the rest is nothing, for a series with ties, with targets that differ in their gaps, or with too few
        days.
    """
    n_series, n_targets, time = targets.shape
    rho, n_pairs = np.full((n_series, n_targets), np.nan), np.zeros(n_series, np.int64)
    done = np.zeros(n_series, bool)
    coordinates = tuple(np.empty(time + LANES) for _ in range(dim))
    best = tuple(np.empty(LANES) for _ in range(dim + 2))
    arrays = as_one_type(series), as_one_type(targets)
    _map_plain(*arrays, tau, radius, coordinates, best, rho, n_pairs, done)
    return rho, n_pairs, done


def is_compiled_for(dim: int) -> bool:
    """Whether the code for an embedding dimension is there: each has its own."""
    return is_stored(_map_plain, lambda types: len(types[4]) == dim)


@njit(cache=True, nogil=True)
def _map_plain(
    series: np.ndarray,
    targets: np.ndarray,
    tau: int,
    radius: np.ndarray,
    points: tuple,
    best: tuple,
    rho: np.ndarray,
    n_pairs: np.ndarray,
    done: np.ndarray,
) -> None:
    """Search, weigh, estimate and correlate, series by series; `points` and `best` are room to work in."""
    n_targets, time = targets.shape[1:]
    k, dim = len(best) - 1, len(points)
    days, begins, chosen = np.empty((3, time + LANES), np.int64)
    sums, values, estimate = np.empty((3, time + LANES))
    found, weights = np.empty((k + 1, time + LANES), np.uint64), np.empty((k, time + LANES))
    room = np.empty(4 * time, np.int64)
    for which in range(len(series)):
        mean, n = _days_in_common(series[which], targets[which], dim, tau, chosen)
        if n < k + 2:
            continue
        for at in range(n):
            values[at] = -dim * mean
            for axis in range(dim):
                values[at] += series[which, chosen[at] - axis * tau]
        step = order_by_sum(values, n, begins, room)
        if step < 0.0:
            continue
        step += 1e-15 * dim * (dim * abs(mean) + abs(values[begins[0]]) + abs(values[begins[n - 1]]))  # rounding
        for at in range(n + LANES):
            before = begins[min(at, n - 1)]  # beyond the end for the lanes of the last eight
            days[at], sums[at] = chosen[before], values[before]
        for at in range(n + LANES):
            begins[at] = days[at] - radius[which]
        for axis in range(dim):
            coordinate = points[axis]
            for at in range(n + LANES):
                coordinate[at] = series[which, days[at] - axis * tau]
        done[which] = _neighbours(points, sums, days, begins, n, radius[which], step, best, found, weights)
        if done[which]:
            n_pairs[which] = n
            for target in range(n_targets):
                rho[which, target] = _skill(targets[which, target], days, n, found, weights, values, estimate)


@njit(cache=True, nogil=True, error_model="numpy")
def _days_in_common(
    series: np.ndarray, targets: np.ndarray, dim: int, tau: int, chosen: np.ndarray
) -> tuple[float, int]:
    """Days on which the delay vector and all targets are there, into `chosen`; the mean of the series on them, and how
    many they are: 0 where the targets differ in their gaps."""
    n, mean, differs = 0, 0.0, 0
    for target in range(1, len(targets)):
        for day in range(series.size):
            differs += np.isfinite(targets[target, day]) != np.isfinite(targets[0, day])
    if differs:
        return 0.0, 0
    for day in range((dim - 1) * tau, series.size):
        there = np.isfinite(targets[0, day])
        for axis in range(dim):
            there &= np.isfinite(series[day - axis * tau])
        chosen[n] = day
        mean += series[day] if there else 0.0
        n += there
    return mean / max(n, 1), n


@njit(cache=True, nogil=True, error_model="numpy")
def _neighbours(
    points: tuple,
    sums: np.ndarray,
    days: np.ndarray,
    begins: np.ndarray,
    n: int,
    radius: int,
    step: float,
    best: tuple,
    found: np.ndarray,
    weights: np.ndarray,
) -> bool:
    """The nearest points (k, n) and their weights, which sum to one; False when ties or missing ones were met."""
    k, mask = len(best) - 1, 1
    while mask < n:
        mask *= 2
    for first in range(0, n, LANES):
        scan(points, sums, days, begins, n, first, radius, step, ~(mask - 1), best)
        for slot in range(k + 1):
            keys, row = best[slot].view(np.uint64), found[slot]
            for lane in range(LANES):
                row[first + lane] = keys[lane]
    good = True
    nearest, beyond = np.empty(n), np.empty(n)
    nearest[:], beyond[:] = np.inf, 0.0
    for slot in range(k + 1):
        good &= found[slot, :n].max() < np.uint64(0x7FF0000000000000)  # the key is finite
        for at in range(n):
            found[slot, at] &= np.uint64(mask - 1)
    if not good:
        return False
    for slot in range(k):
        square = weights[slot]
        square[:n] = 0.0
        for axis in range(len(points)):
            coordinate = points[axis]
            for at in range(n):
                gap = coordinate[found[slot, at]] - coordinate[at]
                square[at] += gap * gap
        for at in range(n):
            nearest[at], beyond[at] = min(nearest[at], square[at]), max(beyond[at], square[at])
    total = np.zeros(n)
    for axis in range(len(points)):
        coordinate = points[axis]
        for at in range(n):
            gap = coordinate[found[k, at]] - coordinate[at]
            total[at] += gap * gap
    ties = 0
    for at in range(n):
        ties += (total[at] <= beyond[at] * (1 + TIE)) | (nearest[at] == 0.0)
    if ties:
        return False
    total[:] = 0.0
    for slot in range(k):
        square = weights[slot]
        for at in range(n):
            square[at] = -np.sqrt(square[at] / nearest[at])
        _exponentials(square, n)
        for at in range(n):
            total[at] += square[at]
    for slot in range(k):
        for at in range(n):
            weights[slot, at] /= total[at]
    return True


LOG2E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.693147180369123816490, 1.90821492927058770002e-10


@njit(cache=True, nogil=True, error_model="numpy")
def _exponentials(values: np.ndarray, n: int) -> None:
    """``exp`` of the first `n` values, none above 0, in place and within 2e-16 (relative); a loop for registers."""
    power = np.empty(n, np.int64)
    for at in range(n):
        x = max(values[at], -700.0)
        whole = np.floor(x * LOG2E + 0.5)
        r = (x - whole * LN2_HIGH) - whole * LN2_LOW  # at most ln(2) / 2 in size
        p = 1.6059043836821613e-10
        p = p * r + 2.08767569878681e-9
        p = p * r + 2.505210838544172e-8
        p = p * r + 2.755731922398589e-7
        p = p * r + 2.7557319223985893e-6
        p = p * r + 2.48015873015873e-5
        p = p * r + 1.984126984126984e-4
        p = p * r + 1.388888888888889e-3
        p = p * r + 8.333333333333333e-3
        p = p * r + 4.1666666666666664e-2
        p = p * r + 1.6666666666666666e-1
        p = p * r + 0.5
        p = p * r + 1.0
        values[at], power[at] = p * r + 1.0, np.int64(whole)
    bits = values.view(np.int64)
    for at in range(n):
        bits[at] += power[at] << 52


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _skill(
    target: np.ndarray,
    days: np.ndarray,
    n: int,
    found: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    estimate: np.ndarray,
) -> float:
    """Correlation of a target with its estimates; as `cross_map.pearson`."""
    k, mean = len(weights), 0.0
    for at in range(n):
        values[at] = target[days[at]]
        mean += values[at]
    mean /= n
    again = 0.0  # centred twice, so that sums lose nothing on pressures in Pa
    for at in range(n):
        values[at] -= mean
        again += values[at]
    again /= n
    for at in range(n):
        values[at] -= again
        estimate[at] = 0.0
    for slot in range(k):
        for at in range(n):
            estimate[at] += weights[slot, at] * values[found[slot, at]]
    middle = 0.0
    for at in range(n):
        middle += estimate[at]
    middle /= n
    spread = truth = both = 0.0
    for at in range(n):
        a = estimate[at] - middle
        spread, truth, both = spread + a * a, truth + values[at] * values[at], both + a * values[at]
    spread, truth = np.sqrt(spread), np.sqrt(truth)
    if truth > 1e-13 * abs(again) * np.sqrt(n) and spread > 1e-12 * truth:
        return min(max(both / (spread * truth), -1.0), 1.0)
    return np.nan
