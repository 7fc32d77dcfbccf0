"""Several cross maps of one block of series: each direction with an embedding of its own, and one or many lags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdrought.kernels.crossmap import Settings
from xdrought.kernels.crossmap_blocks import has_sizes, map_block, result_names


def map_variants(
    effect: np.ndarray, *others: np.ndarray, variants: Sequence[Sequence[Settings]], masked: bool
) -> tuple[np.ndarray, ...]:
    """Cross map causes (..., time) and effect (..., time) with each of the `variants` [direction][lag].

    Parameters
    ----------
    effect : ndarray (..., time)
    *others : ndarray (..., time)
        The causes; the first one is the mask of days when `masked`.

    Returns
    -------
    tuple of ndarray
        (..., cause, direction, lag[, library size]) each, named by :func:`result_names`.
    """
    where, causes = (others[0], others[1:]) if masked else (None, others)
    names = result_names(variants[0][0])
    rows = []
    for settings in variants:
        lags = [map_block(effect, *causes, settings=one, where=where) for one in settings]
        rows.append(
            [_join(parts, name, settings[0]) for name, parts in zip(names, zip(*lags, strict=True), strict=True)]
        )
    # a direction of its own is the last but one axis of each part (two before the end with sizes)
    return tuple(
        np.concatenate(parts, axis=-3 if has_sizes(name, variants[0][0]) else -2)
        for name, parts in zip(names, zip(*rows, strict=True), strict=True)
    )


def _join(parts: Sequence[np.ndarray], name: str, settings: Settings) -> np.ndarray:
    """One array per lag (..., cause, direction[, size]) to (..., cause, direction, lag[, size])."""
    return np.stack(parts, axis=-2 if has_sizes(name, settings) else -1)
