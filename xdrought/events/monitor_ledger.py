"""Every event that a monitor has listed: when it was issued first, when it changed last, whether it still stands."""

from __future__ import annotations

from functools import cache

import numpy as np

# Whether further days may change the event, only a revision of the last days may, or nothing; withdrawn ones are those
# that a day or a revision took back.
STATUS = {"withdrawn": 0, "provisional": 1, "ended": 2, "final": 3}
WITHDRAWN, PROVISIONAL, ENDED, FINAL = STATUS.values()
# What the events of a scan say, but for the row, which counts in blocks.
_NUMBERS = ("onset", "start", "end", "onset_percentile", "start_percentile", "rate", "severity")
_VALUES = (*_NUMBERS, "is_flash", "is_censored", "gap_days")


@cache
def ledger_dtype() -> np.dtype:
    """A row of the ledger."""
    from xdrought.kernels.events import EVENT_DTYPE

    return np.dtype(
        [
            ("cell", np.int64),
            *((name, EVENT_DTYPE[name]) for name in _VALUES),
            ("first_start", np.int32),  # step of the start when the event was listed first: its name
            ("first_issued", np.int32),  # last day of the record when it was
            ("last_changed", np.int32),  # and when any of its values changed last
            ("status", np.int8),
        ]
    )


def new_rows(cells: np.ndarray, events: np.ndarray, status: int, today: int) -> np.ndarray:
    """Events (EVENT_DTYPE) of some cells as rows that are issued today."""
    rows = np.zeros(events.size, ledger_dtype())
    for name in _VALUES:
        rows[name] = events[name]
    rows["cell"], rows["first_start"], rows["status"] = cells, events["start"], status
    rows["first_issued"] = rows["last_changed"] = today
    return rows


def relist(ledger: np.ndarray, found: np.ndarray, today: int) -> np.ndarray:
    """The ledger after the events `found` (rows of today) have taken the place of those that were not final.

    An event keeps its name when one of its cell starts on the same day, or else shares a day with it. What is found no
    more is withdrawn.
    """
    is_final = ledger["status"] == FINAL
    before, found = ledger[~is_final], found.copy()
    old, new = _same_start(before, found)
    old, new = _overlapping(before, found, old, new)
    same = np.ones(old.size, bool)
    for name in _VALUES:
        same &= before[name][old] == found[name][new]
    same &= before["status"][old] != WITHDRAWN
    for name in ("first_start", "first_issued"):
        found[name][new] = before[name][old]
    found["last_changed"][new] = np.where(same, before["last_changed"][old], today)
    gone = np.ones(before.size, bool)
    gone[old] = False
    withdrawn = before[gone]
    newly = withdrawn["status"] != WITHDRAWN
    withdrawn["last_changed"][newly] = today
    withdrawn["status"] = WITHDRAWN
    return np.concatenate([ledger[is_final], found, withdrawn])


def _same_start(before: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both tables with the same cell and start."""
    keys = [table["cell"] * 2**32 + table["start"] for table in (before, found)]
    _, old, new = np.intersect1d(*keys, return_indices=True)
    return old, new


def _overlapping(
    before: np.ndarray, found: np.ndarray, old: np.ndarray, new: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs given, and of the other rows those that share a day, the earliest first."""
    free = np.setdiff1d(np.arange(before.size), old)
    free = free[np.isin(before["cell"][free], found["cell"])]
    left = np.setdiff1d(np.arange(found.size), new)
    pairs = []
    for k in free[np.lexsort((before["start"][free], before["cell"][free]))]:
        same = left[found["cell"][left] == before["cell"][k]]
        shared = same[(found["start"][same] <= before["end"][k]) & (found["end"][same] >= before["start"][k])]
        if shared.size:
            first = shared[np.argmin(found["start"][shared])]
            pairs.append((k, first))
            left = left[left != first]
    more = np.array(pairs, np.int64).reshape(-1, 2)
    return np.concatenate([old, more[:, 0]]), np.concatenate([new, more[:, 1]])
