"""Percentiles from ranks: exact, tie-aware, O(n) for a record ranked against itself.

A percentile is ``100 (r - a) / (n + b)`` with the average rank r (1 for the driest) of n valid values. The
plotting position (a, b) is given in hundredths as integers, so that a threshold is decided on integers:
``50 (100 * 2r - 2a) < threshold (100 n + b)`` is exact, where a rounded percentile might not be.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels import compilation
from xdrought.kernels.compilation import inner

# name -> (a, b) in hundredths, p = 100 (r - a/100) / (n + b/100)
PLOTTING_POSITIONS = {
    "linear": (100, -100),
    "hazen": (50, 0),
    "weibull": (0, 100),
    "gringorten": (44, 12),
    "ecdf": (0, 0),
}

_BIG_BIN = 16


@njit(nogil=True, inline="always")
def percentile_of_rank(twice_rank, n, a, b):
    """Percentile of the average rank ``twice_rank / 2`` among n values; 50 when n is too small to say."""
    scale = 100 * n + b
    if scale <= 0:
        return 50.0
    return 50.0 * (100 * twice_rank - 2 * a) / scale


def bins_for(n_time):
    """Number of value bins for a record of n days: about two days each."""
    return max(n_time // 2, 16)


@inner
def load_row(source, row):
    """Copy one series; missing and infinite values become +inf. Returns the number of valid values."""
    missing = row.dtype.type(np.inf)
    n = 0
    for t in range(source.size):
        value = source[t]
        valid = abs(value) < missing
        row[t] = value if valid else missing
        n += valid
    return n


@inner(fastmath={"nnan", "nsz"})
def _bounds(row):
    """Smallest and largest valid value of a loaded row (+inf marks a missing day)."""
    missing = row.dtype.type(np.inf)
    low, high = missing, -missing
    for t in range(row.size):
        value = row[t]
        low = min(low, value)
        high = max(high, value if value < missing else -missing)
    return low, high


@inner
def rank_bins(row, bins, starts, order):
    """Group the days of a loaded row by value bins: a counting sort, O(n).

    Fills `bins` (time,), `starts` (n_bins + 2,) and `order` (time,), the days grouped by bin, missing days last.
    """
    n_bins = starts.size - 2
    low, high = _bounds(row)
    missing = row.dtype.type(np.inf)
    spread = high - low
    scale = row.dtype.type(0)
    if 0 < spread < missing:
        scale = row.dtype.type((n_bins - 1) / spread)
        if not scale < missing:  # a spread so small that its inverse overflows: one bin
            scale = row.dtype.type(0)
    last = row.dtype.type(n_bins - 1)
    for t in range(row.size):
        position = (row[t] - low) * scale
        b = np.int32(position) if position < last else np.int32(n_bins - 1)
        bins[t] = b if row[t] < missing else np.int32(n_bins)
    starts[:] = 0
    for t in range(row.size):
        starts[bins[t] + 1] += 1
    total = 0
    for b in range(n_bins + 2):
        total += starts[b]
        starts[b] = total
    for t in range(row.size):
        b = bins[t]
        order[starts[b]] = t
        starts[b] += 1
    for b in range(n_bins + 1, 0, -1):  # the scatter moved each start to its end: move them back
        starts[b] = starts[b - 1]
    starts[0] = 0


@inner
def rank_days(row, starts, order, first_bin, end_bin, twice_ranks):
    """Write twice the average rank of every day of some bins to the day's place in `twice_ranks`."""
    for b in range(first_bin, end_bin):
        first, end = starts[b], starts[b + 1]
        if end - first > _BIG_BIN:
            _rank_big_bin(row, first, order[first:end], twice_ranks)
            continue
        for i in range(first, end):
            twice_ranks[order[i]] = twice_rank(row[order[i]], row, order, first, end)


@inner
def _rank_big_bin(row, first, members, twice_ranks):
    """The same for a bin of many days (ties, outliers), by sorting it."""
    sort_days(row, members)
    i = 0
    while i < members.size:
        k = i + 1
        while k < members.size and row[members[k]] == row[members[i]]:
            k += 1
        for m in range(i, k):
            twice_ranks[members[m]] = 2 * first + i + k + 1
        i = k


@inner
def sort_days(row, days):
    """Sort days in place by their value: Shell's sort, because numpy's argsort takes numba seconds to compile."""
    gap = 1
    while gap < days.size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, days.size):
            day = days[i]
            value = row[day]
            k = i
            while k >= gap and row[days[k - gap]] > value:
                days[k] = days[k - gap]
                k -= gap
            days[k] = day
        gap //= 3


@njit(nogil=True, inline="always")
def twice_rank(value, row, order, first, end):
    """Twice the average rank of a valid sample whose bin holds the days ``order[first:end]``."""
    below = equal = 0
    for i in range(first, end):
        other = row[order[i]]
        below += other < value
        equal += other == value
    return 2 * (first + below) + equal + 1


@inner
def percentile_in_sorted(value, pool, n, a, b):
    """Percentile of any value among the first n of a sorted pool.

    A value of the pool has its average rank; between two of them the percentile is linear; outside it is 0 or 100.
    """
    at = _n_below(value, pool, n)
    if at < n and pool[at] == value:
        first, stop = _alike(pool, n, at)
        return percentile_of_rank(first + stop + 1, n, a, b)
    if at == 0:
        return 0.0
    if at == n:
        return 100.0
    low, high = pool[at - 1], pool[at]
    p_low = percentile_of_rank(_alike(pool, n, at - 1)[0] + at + 1, n, a, b)
    p_high = percentile_of_rank(at + _alike(pool, n, at)[1] + 1, n, a, b)
    return p_low + (p_high - p_low) * ((np.float64(value) - low) / (np.float64(high) - low))


@inner
def _n_below(value, pool, n):
    """Number of the first n of a sorted pool below a value, by halving without a branch that must be guessed."""
    first = 0
    while n > 0:
        half = n // 2
        is_below = pool[first + half] < value
        first = first + half + 1 if is_below else first
        n = n - half - 1 if is_below else half
    return first


@inner
def _n_up_to(value, pool, n):
    """Number of the first n of a sorted pool that are a value or below it."""
    first = 0
    while n > 0:
        half = n // 2
        if pool[first + half] <= value:
            first, n = first + half + 1, n - half - 1
        else:
            n = half
    return first


@inner
def _alike(pool, n, place):
    """The first and the stop of the values of a sorted pool that equal the one at a place; most are alone."""
    first, stop = place, place + 1
    if first > 0 and pool[first - 1] == pool[place]:
        first = _n_below(pool[place], pool, n)
    if stop < n and pool[stop] == pool[place]:
        stop = _n_up_to(pool[place], pool, n)
    return first, stop


def record_percentiles(series, a, b):
    """Percentiles (rows, time) of each series within its own valid values; NaN stays NaN."""
    n_time = series.shape[1]
    row = np.empty(n_time, series.dtype)
    bins, order, twice_ranks = (np.empty(n_time, np.int32) for _ in range(3))
    starts = np.empty(bins_for(n_time) + 2, np.int32)
    out = np.empty(series.shape)
    compilation.run(_rank_records, series.size, series, a, b, row, bins, order, twice_ranks, starts, out, what="ranks")
    return out


@njit(cache=True, nogil=True)
def _rank_records(series, a, b, row, bins, order, twice_ranks, starts, out):
    for r in range(series.shape[0]):
        n = load_row(series[r], row)
        rank_bins(row, bins, starts, order)
        rank_days(row, starts, order, 0, starts.size - 2, twice_ranks)
        for t in range(series.shape[1]):
            valid = row[t] < np.inf
            out[r, t] = percentile_of_rank(twice_ranks[t], n, a, b) if valid else np.nan


def pooled_percentiles(series, reference, members, member_starts, pools, pool_starts, a, b):
    """Percentiles (rows, time) of `series` within pools of `reference` (rows, reference time).

    Group g holds the days ``members[member_starts[g]:member_starts[g + 1]]`` of the series, ranked against the
    days ``pools[pool_starts[g]:pool_starts[g + 1]]`` of the reference. Empty pools give NaN.
    """
    out = np.full(series.shape, np.nan)
    pool = np.empty(max(pools.size, 1), reference.dtype)
    groups = (members, member_starts, pools, pool_starts)
    n_steps = series.shape[0] * (members.size + pools.size)
    compilation.run(_rank_in_pools, n_steps, series, reference, *groups, a, b, pool, out, what="ranks")
    return out


@njit(cache=True, nogil=True)
def _rank_in_pools(series, reference, members, member_starts, pools, pool_starts, a, b, pool, out):
    for r in range(series.shape[0]):
        for g in range(member_starts.size - 1):
            n = 0
            for i in range(pool_starts[g], pool_starts[g + 1]):
                value = reference[r, pools[i]]
                if np.isfinite(value):
                    pool[n] = value
                    n += 1
            if n == 0:
                continue
            pool[:n].sort()
            for i in range(member_starts[g], member_starts[g + 1]):
                value = series[r, members[i]]
                if np.isfinite(value):
                    out[r, members[i]] = percentile_in_sorted(value, pool, n, a, b)
