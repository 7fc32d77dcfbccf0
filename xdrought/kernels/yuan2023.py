"""The definition of Yuan et al. (2023), as in the authors' program: soil moisture falls fast at every onset step."""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.compilation import inner
from xdrought.kernels.events import _ROUNDING, EVENT_DTYPE, append_event
from xdrought.kernels.labels import MISSING_CLASS, extent, init_labels, paint


@inner
def _onset_end(p, first, stop, step, rules):
    """Last step of the onset that begins at `first`, or -1 when its rate fails before `lower` was reached."""
    reached = p[first] <= rules.lower
    for t in range(first + 1, stop):
        fast = rules.upper - p[t] >= rules.min_rate * step * (t - first + 1) - _ROUNDING
        if reached and not (fast and p[t] < p[t - 1]):
            return t - 1
        if not reached and not fast:
            return -1
        reached = reached or p[t] <= rules.lower
    return stop - 1


@inner
def _hide_dry_starts(p, first_seen, lower, labels):
    """Steps at or below `lower` right after a gap may belong to a drought that began in it: nobody knows."""
    for t in range(first_seen + 1, p.size):
        if p[t] <= lower and labels[t - 1] == MISSING_CLASS:
            labels[t] = MISSING_CLASS


@njit(cache=True, nogil=True)
def detect_yuan2023(percentiles, step, rules, labels):
    """Flash droughts of many percentile series.

    The onset begins at the first step below `upper` whose predecessor is not; its k-th step (k > 1) needs a fall of
    ``k * min_rate * step`` below `upper`; once `lower` was reached it ends before the first step that does not fall
    or is too slow. The recovery lasts while p <= `lower`. A step at or above `upper`, a gap or the record's end
    always end it. A drought that a gap cuts so that nobody knows whether it was one is labelled missing.

    Parameters
    ----------
    percentiles : (rows, time) float64
    step : float
        Length of a step in days.
    rules : Rules
    labels : (rows, time) int8, or (0, 0)

    Returns
    -------
    events : (events,) structured; `start` is the first step at or below `lower`
    n_valid : (rows,) int32
    """
    n_rows, n_time = percentiles.shape
    events = np.empty(max(n_rows, 16), EVENT_DTYPE)
    n_valid = np.empty(n_rows, np.int32)
    n_events = 0
    for r in range(n_rows):
        p = percentiles[r]
        n_valid[r] = np.isfinite(p).sum()
        if labels.shape[0]:
            init_labels(p, labels[r])
            first_seen, last_seen = extent(p)
            _hide_dry_starts(p, first_seen, rules.lower, labels[r])
        for first in range(1, n_time):
            if not (p[first] < rules.upper and p[first - 1] >= rules.upper):
                continue
            stop = first
            while stop < n_time and p[stop] < rules.upper:
                stop += 1
            onset_end = _onset_end(p, first, stop, step, rules)
            if onset_end < 0:
                continue
            end = onset_end
            while end + 1 < stop and p[end + 1] <= rules.lower:
                end += 1
            start = first
            while start <= end and p[start] > rules.lower:
                start += 1
            if start > end or end - first + 1 < rules.min_duration:
                if labels.shape[0] and end == stop - 1 and end < last_seen and not np.isfinite(p[stop]):
                    labels[r, first : end + 1] = MISSING_CLASS
                continue
            if labels.shape[0]:
                paint(labels[r], first, start, end, True)
            events = append_event(events, n_events, r, first, start, end)
            event = events[n_events]
            event["onset_percentile"] = p[first]
            event["start_percentile"] = p[start]
            event["rate"] = (rules.upper - p[onset_end]) / ((onset_end - first + 1) * step)
            event["severity"] = np.maximum(rules.lower - p[start : end + 1], 0.0).sum()
            event["is_flash"] = True
            event["is_censored"] = end == stop - 1 and not (stop < n_time and p[stop] >= rules.upper)
            n_events += 1
    return events[:n_events].copy(), n_valid
