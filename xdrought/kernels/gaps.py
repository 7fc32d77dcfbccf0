"""Gaps of a record: short ones are bridged by a straight line, and the days without a value are counted."""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels import compilation


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
            first = np.float64(row[before])
            slope = (np.float64(row[t]) - first) / (n_gap + 1)
            for k in range(1, n_gap + 1):
                row[before + k] = slope * k + first
            n_bridged += n_gap
    return n_bridged


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
