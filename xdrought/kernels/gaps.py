"""Gaps of a record: short ones are bridged by a straight line, and the days without a value are counted."""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels import compilation
from xdrought.kernels.bits import clear_days, next_day
from xdrought.kernels.compilation import inner
from xdrought.kernels.order import key_of, magnitude_bits


@njit(nogil=True)
def _draw_line(row):
    """Write a straight line between the first and the last value."""
    first = np.float64(row[0])
    n_steps = row.size - 1
    slope = (np.float64(row[n_steps]) - first) / n_steps
    for k in range(1, n_steps):
        row[k] = slope * k + first


@njit(nogil=True)
def bridge_row(row, longest):
    """Draw a line over every gap of at most `longest` steps between two values; in place.

    Parameters
    ----------
    row : (time,) float
        A loaded row: missing steps are +inf (see :func:`xdrought.kernels.ranks.load_row`).
    longest : int

    Returns
    -------
    n_bridged : int
    """
    missing = row.dtype.type(np.inf)
    n_bridged = 0
    t = 0
    while t < row.size:
        while t < row.size and row[t] < missing:
            t += 1
        before = t - 1
        while t < row.size and not row[t] < missing:
            t += 1
        n_gap = t - before - 1
        if before >= 0 and t < row.size and n_gap <= longest:
            _draw_line(row[before : t + 1])
            n_bridged += n_gap
    return n_bridged


@inner
def bridge_keys(values, is_known, longest, keys, gaps, line, line_bits):
    """The same for keys of a series, whose days with a value are marked; returns the number and range of new keys.

    Takes the marks of bridged days off `gaps`. `line` (time,) is room to work in, `line_bits` the same memory.
    """
    n, magnitude = np.int64(0), magnitude_bits(keys)
    begin = next_day(is_known, 0)
    low = high = np.int64(keys[begin])
    first = next_day(gaps, begin)
    while first < values.size:
        stop = next_day(is_known, first)
        if stop < values.size and stop - first <= longest:
            n_gap = stop - first
            line[0], line[n_gap + 1] = values[first - 1], values[stop]
            _draw_line(line[: n_gap + 2])
            for k in range(n_gap):
                key = key_of(line_bits[k + 1], magnitude)
                keys[first + k] = key
                low, high = min(low, np.int64(key)), max(high, np.int64(key))
            clear_days(gaps, first, stop)
            n += n_gap
        first = next_day(gaps, stop)
    return n, low, high


def bridge_gaps(series, longest):
    """The series (rows, time) with gaps of at most `longest` steps bridged; steps still missing are NaN."""
    out = np.empty(series.shape, series.dtype)
    compilation.run(_bridge_rows, series.size, series, longest, out, what="gaps")
    return out


@njit(cache=True, nogil=True)
def _bridge_rows(series, longest, out):
    n_rows, n_time = series.shape
    missing = series.dtype.type(np.inf)
    for r in range(n_rows):
        for t in range(n_time):
            value = series[r, t]
            out[r, t] = value if abs(value) < missing else missing
        bridge_row(out[r], longest)
        for t in range(n_time):
            out[r, t] = out[r, t] if out[r, t] < missing else np.nan


def count_missing(series, rows, first, stop):
    """Steps without a finite value (n,) int32 among ``first[k] .. stop[k] - 1`` of the series ``rows[k]``."""
    counts = np.zeros(rows.size, np.int32)
    n_steps = int((stop - first).sum())
    compilation.run(_count_rows, n_steps, series, rows, first, stop, counts, what="gaps")
    return counts


@njit(cache=True, nogil=True)
def _count_rows(series, rows, first, stop, counts):
    for k in range(rows.size):
        for t in range(first[k], stop[k]):
            counts[k] += not np.isfinite(series[rows[k], t])
