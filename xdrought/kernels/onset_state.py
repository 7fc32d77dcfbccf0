"""The state of the soil before a flash drought, and the days on which one begins: compiled scans of percentiles.

The last axis is time. Nothing here looks at a later day than the one it describes, except :func:`within_lead`, which
makes the outcome that a forecast is scored against.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_ROUNDING = 1e-9  # no two differences of percentiles lie so close to a whole rate


@njit(cache=True, nogil=True)
def percentile_state(percentiles, changes, extremes, below_window, longest, lower, upper, dry_at_lower, wet_at_upper):
    """What the percentiles up to each day say about that day.

    Parameters
    ----------
    percentiles : numpy.ndarray
        (rows, time), NaN where missing.
    changes, extremes : tuple of int
        Days over which the change, and the smallest and largest value (today included), are taken.
    below_window : int
        Days, today included, among which those below `lower` are counted.
    longest : int
        Upper limit of the days since the last one above `upper`; also given where there was none.
    lower, upper : float
        Percentiles.
    dry_at_lower, wet_at_upper : bool
        Whether a percentile equal to the threshold counts as below or above it.

    Returns
    -------
    numpy.ndarray
        float64 (features, rows, time): the changes, then the minimum and the maximum of each window, the days below,
        the days since above; whether an onset is possible (1 when it was above `upper` less than `longest` days ago and
        has not been below `lower` since, without a gap between), and then the mean fall per day since that day. NaN on
        days without a percentile; a change is NaN when its first day is missing; other missing days are skipped; the
        fall is NaN where no onset is possible.
    """
    n_rows, n_time = percentiles.shape
    n_changes, n_extremes = len(changes), len(extremes)
    out = np.full((n_changes + 2 * n_extremes + 4, n_rows, n_time), np.nan)
    for r in range(n_rows):
        p = percentiles[r]
        since, wet_day = longest, -1  # the last day above `upper`, -1 where it has been dry or missing since
        for t in range(n_time):
            wet = p[t] >= upper if wet_at_upper else p[t] > upper
            dry = p[t] <= lower if dry_at_lower else p[t] < lower
            since = 0 if wet else min(since + 1, longest)
            if wet:
                wet_day = t
            elif dry or np.isnan(p[t]) or since >= longest:
                wet_day = -1
            if np.isnan(p[t]):
                continue
            for k in range(n_changes):
                if t >= changes[k]:
                    out[k, r, t] = p[t] - p[t - changes[k]]
            for k in range(n_extremes):
                low = high = p[t]
                for past in range(max(0, t - extremes[k] + 1), t):
                    if not np.isnan(p[past]):
                        low, high = min(low, p[past]), max(high, p[past])
                out[n_changes + 2 * k, r, t] = low
                out[n_changes + 2 * k + 1, r, t] = high
            below = 0
            for past in range(max(0, t - below_window + 1), t + 1):
                below += p[past] <= lower if dry_at_lower else p[past] < lower
            out[n_changes + 2 * n_extremes, r, t] = below
            out[n_changes + 2 * n_extremes + 1, r, t] = since
            out[n_changes + 2 * n_extremes + 2, r, t] = wet_day >= 0
            if wet_day >= 0:
                out[n_changes + 2 * n_extremes + 3, r, t] = (p[wet_day] - p[t]) / max(t - wet_day, 1)
    return out


@njit(cache=True, nogil=True)
def trailing_means(values, windows):
    """Means (windows, rows, time) over the last days, today included; `windows` grow.

    NaN where fewer than half of the days are known. Each mean is summed up anew, from today backwards, so that it
    depends on nothing but its days: a running sum would leave traces of what has left the window, and decision trees
    see them.
    """
    n_rows, n_time = values.shape
    out = np.full((len(windows), n_rows, n_time), np.nan)
    for r in range(n_rows):
        for t in range(n_time):
            total, count, past = 0.0, 0, t
            for k in range(len(windows)):
                while past > t - windows[k] and past >= 0:
                    if np.isfinite(values[r, past]):
                        total += values[r, past]
                        count += 1
                    past -= 1
                if count > 0 and 2 * count >= windows[k]:
                    out[k, r, t] = total / count
    return out


@njit(cache=True, nogil=True)
def path_onsets(percentiles, days, lower, upper, dry_at_lower, wet_at_upper, min_rate, max_onset):
    """True (rows, steps) on the first step below `lower` since the last above `upper`, when the fall was fast enough.

    Parameters
    ----------
    percentiles : numpy.ndarray
        (rows, steps); a missing step forgets what was before it.
    days : numpy.ndarray
        (steps,) day number of each step.
    lower, upper, dry_at_lower, wet_at_upper
        As for :func:`percentile_state`.
    min_rate : float
        Slowest fall between the two steps, percentile per day.
    max_onset : float
        Most days between the two steps, or infinity.

    Returns
    -------
    numpy.ndarray
        bool (rows, steps). How long the drought lasts is not asked.
    """
    n_rows, n_steps = percentiles.shape
    out = np.zeros((n_rows, n_steps), np.bool_)
    for r in range(n_rows):
        wet_step = -1  # the last step above `upper`, -1 when there is none, or it has been dry since
        for t in range(n_steps):
            p = percentiles[r, t]
            if np.isnan(p):
                wet_step = -1
                continue
            if p >= upper if wet_at_upper else p > upper:
                wet_step = t
            elif (p <= lower if dry_at_lower else p < lower) and wet_step >= 0:
                fall, length = percentiles[r, wet_step] - p, days[t] - days[wet_step]
                out[r, t] = length <= max_onset and fall >= min_rate * length - _ROUNDING
                wet_step = -1
    return out


@njit(cache=True, nogil=True)
def within_lead(onsets, known, lead, confirm):
    """Whether an onset falls on one of the next `lead` days: 1, 0, or NaN where it cannot be told.

    Parameters
    ----------
    onsets, known : numpy.ndarray
        bool (rows, time): an onset falls on the day; the day was observed.
    lead : int
        Days ahead that count.
    confirm : int
        Further days that must be observed before it is clear whether an onset was one.

    Returns
    -------
    numpy.ndarray
        float32 (rows, time); NaN unless today and the ``lead + confirm`` following days are known.
    """
    n_rows, n_time = onsets.shape
    out = np.full((n_rows, n_time), np.nan, np.float32)
    for r in range(n_rows):
        run = 0  # known days in a row, from the end
        next_onset = n_time + lead + 1
        for t in range(n_time - 1, -1, -1):
            run = run + 1 if known[r, t] else 0
            if run > lead + confirm:
                out[r, t] = 1.0 if next_onset <= t + lead else 0.0
            if onsets[r, t]:
                next_onset = t
    return out


@njit(cache=True, nogil=True)
def day_of_year_means(values, day, n_days, window):
    """Means (rows, n_days) of values (rows, time) in a circular window of +-`window` days around each day of the year.

    NaN for days of year without a value. Sums go from day to day, so that they do not depend on blocks of rows.
    """
    n_rows, n_time = values.shape
    out = np.full((n_rows, n_days), np.nan)
    for r in range(n_rows):
        total, count = np.zeros(n_days), np.zeros(n_days)
        for t in range(n_time):
            if np.isfinite(values[r, t]):
                total[day[t]] += values[r, t]
                count[day[t]] += 1
        for d in range(n_days):
            sum_near, count_near = 0.0, 0.0
            for shift in range(-window, window + 1):
                sum_near += total[(d + shift) % n_days]
                count_near += count[(d + shift) % n_days]
            if count_near > 0:
                out[r, d] = sum_near / count_near
    return out


@njit(cache=True, nogil=True)
def mean_and_spread(values):
    """Mean and standard deviation (rows,) of the known values (rows, time); NaN without any."""
    n_rows, n_time = values.shape
    mean, spread = np.full(n_rows, np.nan), np.full(n_rows, np.nan)
    for r in range(n_rows):
        total, squares, count = 0.0, 0.0, 0
        for t in range(n_time):
            if np.isfinite(values[r, t]):
                total += values[r, t]
                count += 1
        if count:
            mean[r] = total / count
            for t in range(n_time):
                if np.isfinite(values[r, t]):
                    squares += (values[r, t] - mean[r]) ** 2
            spread[r] = np.sqrt(squares / count)
    return mean, spread


@njit(cache=True, nogil=True)
def lagged_correlation(values, lag):
    """Correlation (rows,) of values (rows, time) with those `lag` steps before; NaN without two different pairs."""
    n_rows, n_time = values.shape
    out = np.full(n_rows, np.nan)
    for r in range(n_rows):
        now, before, count = 0.0, 0.0, 0
        for t in range(lag, n_time):
            if np.isfinite(values[r, t]) and np.isfinite(values[r, t - lag]):
                now += values[r, t]
                before += values[r, t - lag]
                count += 1
        if count < 2:
            continue
        now, before = now / count, before / count
        both, spread_now, spread_before = 0.0, 0.0, 0.0
        for t in range(lag, n_time):
            if np.isfinite(values[r, t]) and np.isfinite(values[r, t - lag]):
                a, b = values[r, t] - now, values[r, t - lag] - before
                both += a * b
                spread_now += a * a
                spread_before += b * b
        if spread_now > 0 and spread_before > 0:
            out[r] = both / np.sqrt(spread_now * spread_before)
    return out
