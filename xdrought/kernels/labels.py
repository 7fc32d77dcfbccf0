"""The classes of the days of a series, as numbers, and how they are written."""

from __future__ import annotations

import numpy as np
from numba import njit

from xdrought.kernels.bits import next_day
from xdrought.kernels.compilation import inner

NO_DROUGHT, NORMAL_ONSET, NORMAL_CONDITION, FLASH_ONSET, FLASH_CONDITION = 0, 1, 2, 3, 4
MISSING_CLASS = -1


@inner
def label_days(keys, missing, bridged, hide_bridged, labels):
    """No drought on every valid day."""
    limit = keys.dtype.type(missing)
    for t in range(labels.size):
        labels[t] = NO_DROUGHT if keys[t] < limit else MISSING_CLASS
    if hide_bridged:
        hide_days(bridged, 0, labels.size, labels)


@inner
def hide_days(bridged, first, stop, labels):
    """Label bridged days from `first` to before `stop` as missing."""
    t = next_day(bridged, first)
    while t < stop:
        labels[t] = MISSING_CLASS
        t = next_day(bridged, t + 1)


@inner
def paint_days(labels, first, stop, label):
    """Label the days from `first` to before `stop`."""
    for t in range(first, stop):
        labels[t] = label


@njit(nogil=True)
def extent(row):
    """First and last step with a finite value; (size, -1) without any. Missing steps outside are no gap."""
    first, last = 0, row.size - 1
    while first < row.size and not abs(row[first]) < np.inf:
        first += 1
    while last >= 0 and not abs(row[last]) < np.inf:
        last -= 1
    return first, last


@njit(nogil=True)
def init_labels(row, labels):
    """No drought on every valid day."""
    for t in range(row.size):
        labels[t] = NO_DROUGHT if abs(row[t]) < np.inf else MISSING_CLASS


@inner
def paint(labels, first, start, end, is_flash):
    """Label the onset ``first .. start - 1`` and the condition ``start .. end`` of one event."""
    kind = np.int64(FLASH_ONSET if is_flash else NORMAL_ONSET)
    paint_days(labels, first, start, kind)
    paint_days(labels, start, end + 1, kind + 1)  # the condition follows its onset in the codes
