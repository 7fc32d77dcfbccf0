"""Spatial cross mapping the slow and obvious way: every pair of cells, one at a time, straight from the definition."""

from __future__ import annotations

import math

import numpy as np

from tests.support.oracles_ccm import estimate_day


def ring_mean(field, row, column, ring, periodic=False) -> float:
    """Mean over the finite cells whose larger distance in row or column is `ring`."""
    rows, columns = np.shape(field)
    values = []
    for i in range(row - ring, row + ring + 1):
        for j in range(column - ring, column + ring + 1):
            if max(abs(i - row), abs(j - column)) != ring or not 0 <= i < rows:
                continue
            if periodic:
                j %= columns  # noqa: PLW2901
            if 0 <= j < columns and math.isfinite(field[i][j]):
                values.append(field[i][j])
    return sum(values) / len(values) if values else math.nan


def state(field, row, column, dim, tau, periodic=False) -> list[float] | None:
    """The state vector of a cell, or None when a part of it is missing."""
    found = [ring_mean(field, row, column, ring * tau, periodic) for ring in range(dim)]
    return found if all(map(math.isfinite, found)) else None


def skill(field, target, dim, tau, k, radius=0, inside=None, periodic=False) -> tuple[float, int]:
    """Correlation and number of cells of `target` estimated from `field`; only cells `inside` are learned from."""
    rows, columns = np.shape(field)
    states = {}
    for i in range(rows):
        for j in range(columns):
            vector = state(field, i, j, dim, tau, periodic)
            if vector is not None and math.isfinite(target[i][j]):
                states[i, j] = vector
    pairs = []
    for (i, j), here in states.items():
        found = []
        for (other_i, other_j), there in states.items():
            apart = abs(j - other_j)
            apart = min(apart, columns - apart) if periodic else apart
            if max(abs(i - other_i), apart) <= radius or (inside is not None and not inside[other_i][other_j]):
                continue
            distance = sum(abs(a - b) for a, b in zip(here, there, strict=True)) / dim
            found.append((distance, (other_i, other_j)))
        estimate = estimate_day(sorted(found), target, k)
        if math.isfinite(estimate):
            pairs.append((estimate, target[i][j]))
    if len(pairs) < 3:
        return math.nan, len(pairs)
    return float(np.corrcoef(np.array(pairs).T)[0, 1]), len(pairs)
