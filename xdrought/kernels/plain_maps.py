"""Compiled cross maps of many series at once, where no two delay vectors are equal and no distances tie.

Nearly all records of the weather are such. The others are flagged here and mapped one by one with all their ties
(:mod:`xdrought.kernels.cross_map`).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.compilation import as_one_type, inner, is_stored
from xdrought.kernels.sorted_scan import LANES, directions, scan

TIE = 6e-9  # squared distances this close (relative) may be tied, in which case the series is flagged
FIRST = np.exp(-1.0)  # the weight of the nearest before all are made to sum to one
INFINITE = 0x7FF0000000000000  # by its bits
KEY_BITS, DAY_BITS = 40, 24  # of a key: of the place in an order, and of the day
DAY = np.uint64((1 << DAY_BITS) - 1)
LAST = np.uint64(0xFFFFFFFFFFFFFFFF)  # the key of a day without a delay vector, or without a target
TOGETHER = 2**17  # steps of series whose keys are sorted at once: they fit the cache


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
    series, targets = as_one_type(series), as_one_type(targets)
    length = 2 * time + 4 * LANES  # whole columns, one of which may be as long as the record
    coordinates = tuple(np.empty(length) for _ in range(dim))
    best = tuple(np.empty(length) for _ in range(dim + 2))
    together = max(TOGETHER // max(time, 1), 1)
    for first in range(0, n_series, together):
        part = slice(first, first + together)
        some = series[part], targets[part]
        keys, n, mean, width = keys_across(*some, dim, tau)
        keys.sort(axis=1)
        step = keys_along(some[0], dim, tau, keys, n, mean, width)
        keys.sort(axis=1)
        layout = keys, n, mean, width, step
        _map_plain(*some, tau, radius[part], *layout, coordinates, best, rho[part], n_pairs[part], done[part])
    return rho, n_pairs, done


def is_compiled_for(dim: int) -> bool:
    """Whether the code for an embedding dimension is there: each has its own."""
    return is_stored(_map_plain, lambda types: len(types[-5]) == dim)


@njit(cache=True, nogil=True, error_model="numpy")
def keys_across(
    series: np.ndarray, targets: np.ndarray, dim: int, tau: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Keys (s, time) that sort the days of each of `series` (s, time) across the columns.

    Also how many days have a delay vector and all targets (s, k, time), the mean of the series on them, and the width
    of its columns, in which eight vectors in a row lie in a box about as high as it is wide. There are no days where
    the targets differ in their gaps.
    """
    n_series, time = series.shape
    keys, n_days = np.empty((n_series, time), np.uint64), np.empty(n_series, np.int64)
    means, widths = np.empty(n_series), np.empty(n_series, np.int64)
    places, good = np.empty((2, time)), np.empty(time, np.bool_)
    across, along = directions(dim)
    for which in range(n_series):
        n = _mark_common_days(series[which], targets[which], dim, tau, good)
        mean = _sums(series[which], good)[0] / max(n, 1)
        _project(series[which], mean, across, tau, places[0])
        _project(series[which], mean, along, tau, places[1])
        wide, tall = _sums(places[0], good)[1], _sums(places[1], good)[1]
        rows = min(np.sqrt(n * np.sqrt(tall / wide) / LANES), n / LANES) if wide > 0.0 else n / LANES
        n_days[which], means[which] = n if wide + tall < np.inf else 0, mean
        widths[which] = LANES * max(int(rows + 1), 2)
        largest = _largest(places[0])
        per_place = ((1 << (KEY_BITS - 1)) - 1) / largest if largest > 0.0 else 0.0
        for day in range(time):
            place = np.uint64(np.int64((places[0, day] + largest) * per_place if good[day] else 0.0))
            keys[which, day] = place << np.uint64(DAY_BITS) | np.uint64(day) if good[day] else LAST
    return keys, n_days, means, widths


@inner
def _mark_common_days(series: np.ndarray, targets: np.ndarray, dim: int, tau: int, good: np.ndarray) -> int:
    """Mark the days with a delay vector and all targets; how many they are, none where targets differ in their gaps."""
    time, differs, n = series.size, 0, 0
    for day in range(time):
        good[day] = np.isfinite(targets[0, day])
    for target in range(1, len(targets)):
        for day in range(time):
            differs += np.isfinite(targets[target, day]) != good[day]
    good[: time if differs else (dim - 1) * tau] = False
    for axis in range(dim):
        early = _earlier(series, axis * tau)
        for day in range(early.size):
            good[day + axis * tau] &= np.isfinite(early[day])
    for day in range(time):
        n += good[day]
    return n


@inner
def _earlier(series: np.ndarray, steps: int) -> np.ndarray:
    """What a series was so many steps before each day that has such a day: nothing where it is shorter than that."""
    return series[: max(series.size - steps, 0)]


@inner(fastmath={"reassoc", "contract"})
def _sums(values: np.ndarray, good: np.ndarray) -> tuple[float, float]:
    """Sum and sum of squares of the good ones of the values."""
    total, squares = 0.0, 0.0
    for at in range(values.size):
        value = values[at] if good[at] else 0.0
        total, squares = total + value, squares + value * value
    return total, squares


@inner
def _largest(values: np.ndarray) -> float:
    """Largest finite size of the values, by their bits, whose order is that of the sizes."""
    bits, largest, found = values.view(np.int64), np.zeros(1, np.int64), np.int64(0)
    for at in range(bits.size):
        size = bits[at] & np.int64(0x7FFFFFFFFFFFFFFF)
        found = max(found, size if size < INFINITE else np.int64(0))
    largest[0] = found
    return largest.view(np.float64)[0]


@inner
def _project(series: np.ndarray, mean: float, direction: np.ndarray, tau: int, places: np.ndarray) -> None:
    """Places of the delay vectors of a series (time,) in a direction, each coordinate less its mean."""
    places[:] = 0.0
    for axis in range(direction.size):
        early = _earlier(series, axis * tau)
        for day in range(early.size):
            places[day + axis * tau] += direction[axis] * (early[day] - mean)


@njit(cache=True, nogil=True, error_model="numpy")
def keys_along(
    series: np.ndarray,
    dim: int,
    tau: int,
    keys: np.ndarray,
    n_days: np.ndarray,
    means: np.ndarray,
    widths: np.ndarray,
) -> np.ndarray:
    """Turn sorted keys into such that sort by column, and along each of them to within a step (s,), which is given."""
    steps, places, along = np.empty(len(keys)), np.empty(series.shape[1]), directions(dim)[1]
    for which in range(len(keys)):
        n, width, row = n_days[which], widths[which], keys[which]
        _project(series[which], means[which], along, tau, places)
        largest = _largest(places)
        bits, columns = KEY_BITS - 1, n // width
        while columns:
            columns //= 2
            bits -= 1
        per_place = ((1 << bits) - 1) / largest if largest > 0.0 else 0.0
        for column in range(n // width + 1):
            head = np.uint64(column) << np.uint64(bits + 1)
            for at in range(column * width, min(column * width + width, n)):
                place = np.uint64(np.int64((places[np.uintp(row[at] & DAY)] + largest) * per_place))
                row[at] = (head + place) << np.uint64(DAY_BITS) | row[at] & DAY
        steps[which] = (1 + 1e-9) / per_place if largest > 0.0 else 0.0
    return steps


@njit(cache=True, nogil=True, error_model="numpy")
def _map_plain(
    series: np.ndarray,
    targets: np.ndarray,
    tau: int,
    radius: np.ndarray,
    keys: np.ndarray,
    n_days: np.ndarray,
    means: np.ndarray,
    widths: np.ndarray,
    steps: np.ndarray,
    points: tuple,
    best: tuple,
    rho: np.ndarray,
    n_pairs: np.ndarray,
    done: np.ndarray,
) -> None:
    """Search, weigh, estimate and correlate, series by series; `points` and `best` are room to work in."""
    k, length = len(best) - 1, points[0].size
    days, begins = np.empty((2, length), np.int64)
    across, along, values, estimate = np.empty((4, length))
    found, weights, edges = np.empty((k + 1, length), np.int64), np.empty((k, length)), np.empty((2, length))
    for which in range(len(series)):
        n, width = n_days[which], widths[which]
        if n < k + 2:
            continue
        padded = (n // width + 1) * width + LANES  # beyond the end for the lanes of the last eight
        for at in range(n):
            days[at] = np.int64(keys[which, at] & DAY)
        days[n:padded] = days[n - 1]
        for at in range(padded):
            begins[at] = days[at] - radius[which]
        step, columns = steps[which], edges[:, : (n - 1) // width + 1]
        step += _lay_out(series[which], means[which], tau, days[:padded], width, points, across, along, columns)
        mask = scan(points, across, along, columns, days, begins, n, width, radius[which], step, best)
        if not _weigh(points, n, best, mask, found, weights):
            continue
        done[which], n_pairs[which] = True, n
        for target in range(targets.shape[1]):
            rho[which, target] = _skill(targets[which, target], days, n, found, weights, values, estimate)


@inner
def _lay_out(
    series: np.ndarray,
    mean: float,
    tau: int,
    days: np.ndarray,
    width: int,
    points: tuple,
    across: np.ndarray,
    along: np.ndarray,
    edges: np.ndarray,
) -> float:
    """Write the delay vectors of the days, in columns, and their places; the edges of the columns, and what of the
    places may be rounding."""
    to_across, to_along = directions(len(points))
    across[: days.size], along[: days.size] = 0.0, 0.0
    for axis in range(len(points)):
        coordinate = points[axis]
        for at in range(days.size):
            coordinate[at] = series[np.uintp(days[at] - axis * tau)]
        for at in range(days.size):
            across[at] += to_across[axis] * (coordinate[at] - mean)
            along[at] += to_along[axis] * (coordinate[at] - mean)
    rounding = 3e-15 * len(points) * _largest(series)
    low, high = np.empty(LANES), np.empty(LANES)
    for column in range(edges.shape[1]):
        low[:], high[:] = np.inf, -np.inf
        for first in range(column * width, column * width + width, LANES):
            for lane in range(LANES):
                place = across[np.uintp(first + lane)]
                low[lane] = place if place < low[lane] else low[lane]
                high[lane] = place if place > high[lane] else high[lane]
        for lane in range(1, LANES):
            low[0], high[0] = min(low[0], low[lane]), max(high[0], high[lane])
        edges[0, column], edges[1, column] = low[0] - rounding, high[0] + rounding
    return rounding


@inner(fastmath={"contract"})
def _weigh(points: tuple, n: int, best: tuple, mask: int, found: np.ndarray, weights: np.ndarray) -> bool:
    """Numbers (k + 1, n) of the nearest points by their keys and weights (k, n), which sum to one; False when ties were
    met, or too few points."""
    k, ties = len(weights), 0
    for slot in range(k + 1):
        keys, missing = best[slot].view(np.int64), 0
        for at in range(n):
            missing += keys[at] >= INFINITE
            found[slot, at] = keys[at] & mask
        if missing:
            return False
    total, beyond, power = np.zeros(n), np.zeros(n), np.empty(n, np.int64)
    for slot in range(k + 1):
        square = weights[slot] if slot < k else beyond
        square[:n] = 0.0
        for axis in range(len(points)):
            coordinate = points[axis]
            for at in range(n):
                gap = coordinate[np.uintp(found[slot, at])] - coordinate[at]
                square[at] += gap * gap
    for at in range(n):
        ties += (beyond[at] <= weights[k - 1, at] * (1 + TIE)) | (weights[0, at] == 0.0)
        beyond[at] = 1.0 / weights[0, at]
        total[at] = FIRST
    if ties:
        return False
    for slot in range(1, k):
        square = weights[slot]
        for at in range(n):
            square[at] = -np.sqrt(square[at] * beyond[at])
        exponentials(square, n, power)
        for at in range(n):
            total[at] += square[at]
    for at in range(n):
        total[at] = 1.0 / total[at]
        weights[0, at] = FIRST * total[at]
    for slot in range(1, k):
        for at in range(n):
            weights[slot, at] *= total[at]
    return True


LOG2E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.693147180369123816490, 1.90821492927058770002e-10


@inner
def exponentials(values: np.ndarray, n: int, power: np.ndarray) -> None:
    """``exp`` of the first `n` values, none above 0, in place and within 2e-16 (relative); a loop for registers.

    `power` (n,) of int64 is room to work in.
    """
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


@inner(fastmath={"reassoc", "contract"})
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
            estimate[at] += weights[slot, at] * values[np.uintp(found[slot, at])]
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
