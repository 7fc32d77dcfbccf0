"""The soil moisture volatility index of Osman et al. (2021): a short running mean below a long one while it is dry."""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.compilation import inner
from xdrought.kernels.events import EVENT_DTYPE, append_event
from xdrought.kernels.labels import MISSING_CLASS, extent, init_labels, paint

# Two means of the same numbers differ by rounding; a fall is more than that.
_RELATIVE_ROUNDING = 1e-9


@inner
def _judge_days(values, p, short, long, lower, state):
    """1 where the short trailing mean is below the long one and p < lower, 0 where not, -1 where unknown."""
    for t in range(values.size):
        state[t] = -1
        if t < long - 1 or not np.isfinite(p[t]):
            continue
        recent = np.float64(0.0)
        total = np.float64(0.0)
        size = np.float64(0.0)
        for k in range(long):
            value = np.float64(values[t - k])
            total += value
            size += abs(value)
            if k < short:
                recent += value
        if np.isfinite(total):
            falls = recent / short < total / long - _RELATIVE_ROUNDING * size / long
            state[t] = 1 if falls and p[t] < lower else 0


@inner
def _hide_unknown(state, first, last, long, min_duration, labels):
    """Label missing what a gap hides: days whose means it takes, and the runs beside them that may have lasted.

    The record has values from `first` to `last`; its first `long` - 1 days have no mean, gap or not.
    """
    begin = first + long - 1
    t = begin
    while t <= last:
        start = t
        while t <= last and state[t] == 1:
            t += 1
        is_cut = (t <= last and state[t] == -1) or (start > begin and state[start - 1] == -1)
        if is_cut and t - start < min_duration:
            labels[start:t] = MISSING_CLASS
        if t <= last and state[t] == -1:
            labels[t] = MISSING_CLASS
        t += 1


@njit(cache=True, nogil=True)
def detect_osman2021(series, percentiles, short, long, rules, labels):
    """Flash droughts of many series: the longest runs of qualifying days.

    Parameters
    ----------
    series : (rows, time) float
        Daily soil moisture.
    percentiles : (rows, time) float64
        Its percentiles.
    short, long : int
        Trailing running means, days; a mean exists only when all its days do.
    rules : Rules
    labels : (rows, time) int8, or (0, 0)

    Returns
    -------
    events : (events,) structured; onset and start are the same day and the rate is NaN
    n_valid : (rows,) int32
    """
    n_rows, n_time = series.shape
    events = np.empty(max(n_rows, 16), EVENT_DTYPE)
    n_valid = np.empty(n_rows, np.int32)
    state = np.empty(n_time, np.int8)
    n_events = 0
    for r in range(n_rows):
        p = percentiles[r]
        n_valid[r] = np.isfinite(p).sum()
        if labels.shape[0]:
            init_labels(p, labels[r])
        _judge_days(series[r], p, short, long, rules.lower, state)
        if labels.shape[0]:
            _hide_unknown(state, *extent(series[r]), long, rules.min_duration, labels[r])
        t = 0
        while t < n_time:
            start = t
            while t < n_time and state[t] == 1:
                t += 1
            if t - start >= rules.min_duration:
                if labels.shape[0]:
                    paint(labels[r], start, start, t - 1, True)
                events = append_event(events, n_events, r, start, start, t - 1)
                event = events[n_events]
                event["onset_percentile"] = p[start]
                event["start_percentile"] = p[start]
                event["rate"] = np.nan
                event["severity"] = (rules.lower - p[start:t]).sum()
                event["is_flash"] = True
                event["is_censored"] = t == n_time or state[t] == -1
                n_events += 1
            t += 1
    return events[:n_events].copy(), n_valid
