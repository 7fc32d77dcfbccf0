"""Gaps of a record: short ones are bridged by a straight line, and the days without a value are counted."""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels import compilation
from xdrought.kernels.bits import WORD, mark_days, marks_below, next_day
from xdrought.kernels.compilation import inner


@inner
def _draw_line(first, last, between):
    """Write a straight line between two values, without these."""
    begin = np.float64(first)
    slope = (np.float64(last) - begin) / (between.size + 1)
    for k in range(between.size):
        between[k] = slope * (k + 1) + begin


@inner
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
            _draw_line(row[before], row[t], row[before + 1 : t])
            n_bridged += n_gap
    return n_bridged


@njit(cache=True, nogil=True, error_model="numpy")
def bridge_keys(values, missing, magnitude, rules, keys, n, ranges, bridged, days, line, line_bits):
    """The same for some series and their keys, see :func:`xdrought.kernels.order.make_keys`; marks bridged days.

    `days` (2, words) and `line` (time,) are room to work in, `line_bits` the same memory as `line`.
    """
    n_time = values.shape[1]
    known, gaps = days[0], days[1]
    for r in range(values.shape[0]):
        row, marks, low, high = keys[r], bridged[r], ranges[r, 0], ranges[r, 1]
        for k in range(known.size):
            known[k] = marks_below(row, WORD * k, missing)
            gaps[k] = ~known[k]
            marks[k] = 0
        first = next_day(gaps, next_day(known, 0))
        while first < n_time:
            stop = next_day(known, first)
            n_gap = stop - first
            if stop < n_time and n_gap <= rules.max_gap:
                _draw_line(values[r, first - 1], values[r, stop], line[:n_gap])
                for k in range(n_gap):
                    bits = line_bits[k]
                    key = np.int64(bits if bits >= 0 else -(bits & magnitude))
                    row[first + k] = key
                    low, high = key if key < low else low, key if key > high else high
                mark_days(marks, first, stop)
                n[r] += n_gap
            first = next_day(gaps, stop)
        ranges[r, 0], ranges[r, 1] = low, high


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
