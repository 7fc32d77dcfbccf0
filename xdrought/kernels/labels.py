"""The classes of the days of a series, as numbers, and how they are written."""

from __future__ import annotations

import numpy as np

from xdrought.kernels.compilation import inner

NO_DROUGHT, NORMAL_ONSET, NORMAL_CONDITION, FLASH_ONSET, FLASH_CONDITION = 0, 1, 2, 3, 4
MISSING_CLASS = -1
UNKNOWN_CLASS = -2  # of a day of which nobody knows; it is missing, too, once all droughts are painted


def label_days(keys, missing, labels):
    """No drought on every valid day."""
    np.greater_equal(keys, missing, out=labels.view(bool))
    np.negative(labels, out=labels)


@inner
def paint_days(labels, first, stop, label):
    """Label the days from `first` to before `stop`."""
    for t in range(first, stop):
        labels[t] = label


@inner
def paint_around_missing(labels, first, stop, label):
    """Label the days from `first` to before `stop` that are not missing."""
    for t in range(first, stop):
        labels[t] = label if labels[t] != MISSING_CLASS else MISSING_CLASS


@inner
def extent(row):
    """First and last step with a finite value; (size, -1) without any. Missing steps outside are no gap."""
    first, last = 0, row.size - 1
    while first < row.size and not abs(row[first]) < np.inf:
        first += 1
    while last >= 0 and not abs(row[last]) < np.inf:
        last -= 1
    return first, last


@inner
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
