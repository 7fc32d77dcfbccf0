"""Alarms raised from probabilities, and what became of them: one scan of each series."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def scan_alarms(probability, starts, threshold, lead, repeat_after):
    """Raise an alarm on each day whose probability reaches the threshold, and hold it against the starts.

    An alarm says that a drought begins within the next `lead` days and is in force for these days; further days with
    such a probability while it is in force prolong it. A start ends it. One that ends without a start is a false alarm,
    and one that stands for long is another one after every `repeat_after` days.

    Parameters
    ----------
    probability : numpy.ndarray
        (rows, time); no alarm is raised where it is NaN.
    starts : numpy.ndarray
        bool (rows, time): a drought begins.
    threshold : float
        An alarm is raised from this probability on.
    lead : int
        Days for which an alarm is in force.
    repeat_after : int
        Days after which an alarm that has been prolonged counts again.

    Returns
    -------
    warning : numpy.ndarray
        int64 (rows, time): on days of a start, the days from the first alarm in the `lead` days before to the start, 0
        when there was none, -1 when none of these days has a probability; -1 on other days.
    false : numpy.ndarray
        int64 (rows, time): on the day on which an alarm is raised, the false alarms until it ended; -1 on other days.
    last : numpy.ndarray
        int64 (rows, time): on the day on which an alarm is raised, its last day with such a probability; -1 elsewhere.
    """
    n_rows, n_time = probability.shape
    warning = np.full((n_rows, n_time), -1)
    false, last = np.full((n_rows, n_time), -1), np.full((n_rows, n_time), -1)
    for r in range(n_rows):
        raised, latest = -1, -1
        for t in range(n_time):
            if raised >= 0 and t > latest + lead:  # it has run out
                false[r, raised], last[r, raised] = (latest - raised) // repeat_after + 1, latest
                raised = -1
            if starts[r, t]:
                for past in range(max(0, t - lead), t):
                    if not np.isnan(probability[r, past]):
                        warning[r, t] = max(warning[r, t], 0)
                        if probability[r, past] >= threshold and warning[r, t] <= 0:
                            warning[r, t] = t - past
                if raised >= 0:
                    false[r, raised], last[r, raised] = (t - raised - 1) // repeat_after, latest
                    raised = -1
            if probability[r, t] >= threshold:
                raised = t if raised < 0 else raised
                latest = t
        if raised >= 0:
            false[r, raised], last[r, raised] = (latest - raised) // repeat_after + 1, latest
    return warning, false, last
