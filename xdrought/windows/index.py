"""Which windows are complete, from booleans: arrays only, the last axis is time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def whole_patches(ok: np.ndarray, size: int) -> np.ndarray:
    """(lat, lon, time) True where all `size` x `size` cells around a cell are; False across the edge."""
    before = (size - 1) // 2
    whole = np.zeros_like(ok)
    for axis in (0, 1):
        ok = np.all(sliding_window_view(ok, size, axis=axis), axis=-1)
    whole[before : before + ok.shape[0], before : before + ok.shape[1]] = ok
    return whole


def whole_windows(day_ok: np.ndarray, window: int) -> np.ndarray:
    """(..., start) True where `window` good days in a row begin."""
    return np.all(sliding_window_view(day_ok, window, axis=-1), axis=-1)


def window_starts(
    day_ok: np.ndarray, target_ok: np.ndarray | None, window: int, lead: int
) -> tuple[np.ndarray, np.ndarray]:
    """(cell, start) of the runs of `window` good days, with a good target `lead` days later when asked for.

    Both inputs are (..., time); `cell` counts over their flattened leading axes.
    """
    ok = whole_windows(day_ok, window)
    if target_ok is not None:
        ok = ok[..., : ok.shape[-1] - lead] & target_ok[..., window - 1 + lead :]
    cell, start = np.nonzero(ok.reshape(-1, ok.shape[-1]))
    return cell, start


def corner(cell: Any, n_lon: int, size: int) -> tuple[Any, Any]:
    """First row and column of the patch around `cell` (number, array or tensor) of the flattened grid."""
    before = (size - 1) // 2
    return cell // n_lon - before, cell % n_lon - before
