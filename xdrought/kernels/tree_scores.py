"""Compiled skill of many targets from one operator: estimate and correlate without keeping the estimates."""

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 32  # targets estimated together: their values fill whole cache lines, and one block of them the cache


@njit(cache=True, nogil=True)
def skills(
    starts: np.ndarray,
    columns: np.ndarray,
    weights: np.ndarray,
    member_starts: np.ndarray,
    members: np.ndarray,
    mapped: np.ndarray,
    targets: np.ndarray,
) -> np.ndarray:
    """Correlation (k,) of targets (k, time), finite on the mapped days, with their estimates; as `crossmap.pearson`."""
    days, time, k = np.flatnonzero(mapped), mapped.size, targets.shape[0]
    rho = np.full(k, np.nan)
    if days.size < 3:
        return rho
    total = np.zeros(time + member_starts.size - 1)  # weight of each column in the mean estimate
    for entry in range(columns.size):
        total[columns[entry]] += weights[entry]
    values = np.zeros((total.size, min(LANES, k)))
    for first in range(0, k, LANES):
        lanes = min(LANES, k - first)
        largest = _load(targets[first : first + lanes], days, member_starts, members, values)
        spread, truth, both = _moments(starts, columns, weights, days, total, values, lanes)
        for lane in range(lanes):
            a, b = np.sqrt(spread[lane]), np.sqrt(truth[lane])
            if b > 1e-13 * largest[lane] * np.sqrt(days.size) and a > 1e-12 * b:
                rho[first + lane] = min(max(both[lane] / (a * b), -1.0), 1.0)
    return rho


@njit(cache=True, nogil=True)
def _load(
    targets: np.ndarray, days: np.ndarray, member_starts: np.ndarray, members: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Centred targets and their sums over groups into `values` (column, lane); the largest size of each target."""
    lanes, time = targets.shape
    largest = np.zeros(lanes)
    for lane in range(lanes):
        mean = 0.0
        for day in days:
            mean += targets[lane, day]
        mean /= days.size
        again = 0.0  # centred twice, so that sums lose nothing on pressures in Pa
        for day in days:
            again += targets[lane, day] - mean
        again /= days.size
        for day in range(time):
            here = (targets[lane, day] - mean) - again
            values[day, lane] = here if np.isfinite(here) else 0.0
        for day in days:
            largest[lane] = max(largest[lane], abs(values[day, lane]))
    for group in range(member_starts.size - 1):
        values[time + group] = 0.0
        for at in range(member_starts[group], member_starts[group + 1]):
            for lane in range(lanes):
                values[time + group, lane] += values[members[at], lane]
    return largest


@njit(cache=True, nogil=True)
def _moments(
    starts: np.ndarray,
    columns: np.ndarray,
    weights: np.ndarray,
    days: np.ndarray,
    total: np.ndarray,
    values: np.ndarray,
    lanes: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums over `days` of the squared anomalies of the estimates and of the truth, and of their products."""
    mean, estimate = np.zeros(lanes), np.zeros(lanes)
    spread, truth, both = np.zeros(lanes), np.zeros(lanes), np.zeros(lanes)
    for column in range(total.size):
        for lane in range(lanes):
            mean[lane] += total[column] * values[column, lane] / days.size
    for day in days:
        for lane in range(lanes):
            estimate[lane] = -mean[lane]
        for entry in range(starts[day], starts[day + 1]):
            weight, column = weights[entry], columns[entry]
            for lane in range(lanes):
                estimate[lane] += weight * values[column, lane]
        for lane in range(lanes):
            spread[lane] += estimate[lane] * estimate[lane]
            truth[lane] += values[day, lane] * values[day, lane]
            both[lane] += estimate[lane] * values[day, lane]
    return spread, truth, both
