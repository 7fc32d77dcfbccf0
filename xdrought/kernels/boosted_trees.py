"""Sums of decision trees: the margins (log odds) of a boosted classifier, tree after tree."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def tree_values(features, roots, feature, threshold, missing_left, left, right, value):
    """What each tree says of each row.

    Parameters
    ----------
    features : numpy.ndarray
        (rows, n_features); NaN where missing.
    roots : numpy.ndarray
        (trees,) node at which each tree begins.
    feature, threshold, missing_left, left, right, value : numpy.ndarray
        (nodes,) of all trees one after the other: a row goes to the node `left` when its feature is at most the
        threshold, or missing and `missing_left`, otherwise to `right`. A leaf has left = -1 and a `value`.

    Returns
    -------
    numpy.ndarray
        float64 (trees, rows).
    """
    n_trees, n_rows = roots.size, features.shape[0]
    out = np.empty((n_trees, n_rows))
    for k in range(n_trees):
        for r in range(n_rows):
            out[k, r] = _leaf_value(features[r], roots[k], feature, threshold, missing_left, left, right, value)
    return out


@njit(cache=True, nogil=True)
def tree_margins(features, roots, feature, threshold, missing_left, left, right, value, baseline):
    """Baseline plus what all trees say, float64 (rows,); arguments as for :func:`tree_values`."""
    n_rows = features.shape[0]
    out = np.empty(n_rows)
    for r in range(n_rows):
        total = baseline
        for k in range(roots.size):
            total += _leaf_value(features[r], roots[k], feature, threshold, missing_left, left, right, value)
        out[r] = total
    return out


@njit(cache=True, nogil=True, inline="always")
def _leaf_value(row, node, feature, threshold, missing_left, left, right, value):
    while left[node] >= 0:
        x = row[feature[node]]
        goes_left = missing_left[node] if np.isnan(x) else x <= threshold[node]
        node = left[node] if goes_left else right[node]
    return value[node]
