"""A slow, plain version of the out-of-sample gain: loops over days, and every model is fitted anew."""

from __future__ import annotations

import numpy as np


def anomaly(x: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Departures from a mean and four harmonics, fitted to the finite days, over their standard deviation."""
    days = np.isfinite(x)
    cycle = np.array([wave(t) for t in years])
    left = x - cycle @ np.linalg.lstsq(cycle[days], x[days], rcond=None)[0]
    return left / np.std(left[days])


def wave(t: float) -> list[float]:
    """One and four harmonics of the year."""
    angles = [2 * np.pi * k * t for k in (1, 2, 3, 4)]
    return [1.0, *np.cos(angles), *np.sin(angles)]


def columns(drivers, soil, where, years, lags, frozen=None):
    """Days, changes, base columns and the list of columns of each driver, day by day."""
    a = [anomaly(x, years) for x in drivers]
    days = [
        t
        for t in range(max(2, lags), soil.size)
        if where[t]
        and np.isfinite(soil[t - 2 : t + 1]).all()
        and all(np.isfinite(x[t - lags : t + 1]).all() for x in a)
    ]
    before = np.array([soil[t - 1] for t in days])
    earlier = np.array([soil[t - 2] for t in days])
    state = (before - before.mean()) / before.std()
    earlier = (earlier - earlier.mean()) / earlier.std()
    base, own = [], [[] for _ in drivers]
    for t, s, two in zip(days, state, earlier, strict=True):
        w = wave(years[t] - years[days[0]])
        base.append([*w, s, s**2, s**3, max(s - 1, 0) ** 2, *(s * v for v in w[1:]), s * s * w[1], s * s * w[5], two])
        for x, rows in zip(a, own, strict=True):
            lagged = [x[t - lag] for lag in range(lags + 1)]
            means = [np.mean(lagged[a:b]) for a, b in ((0, 1), (1, 2), (0, 3), (2, 6)) if a < len(lagged)]
            rows.append([*lagged, *(s * v for v in lagged), *(m * w[k] for m in means for k in (1, 5))])
    if frozen is not None:  # a soil temperature, and where it freezes
        number, start, end = frozen
        for t, s, rows in zip(days, state, own[number], strict=True):
            shares = [min(max((start - drivers[number][t - lag]) / (start - end), 0), 1) for lag in (0, 1, 2)]
            rows.extend([*shares, *(s * v for v in shares)])
    change = np.array([soil[t] - soil[t - 1] for t in days])
    return np.array(days), change, scaled(np.array(base)), [scaled(np.array(rows)) for rows in own]


def scaled(table: np.ndarray) -> np.ndarray:
    return table / np.sqrt((table**2).mean(axis=0))


def fit(table, y, weights, ridge):
    """Weighted ridge regression as least squares with one row more for each column."""
    rows = np.vstack([table * np.sqrt(weights)[:, None], np.diag(np.sqrt(ridge * y.size))])
    return np.linalg.lstsq(rows, np.r_[y * np.sqrt(weights), np.zeros(table.shape[1])], rcond=None)[0]


def limit(error) -> float:
    return 1.5 * 1.4826 * np.median(np.abs(error - np.median(error)))


def huber(error: float, c: float) -> float:
    return error**2 / 2 if abs(error) <= c else c * (abs(error) - c / 2)


def model(drivers, soil, where, years, lags, frozen=None, ridge=0.1):
    """Days, changes, weights, and the whole table with its ridge and the owner of each column (-1 for the base)."""
    days, y, base, own = columns(drivers, soil, where, years, lags, frozen)
    table = np.hstack([base, *own])
    owner = np.repeat([-1, *range(len(own))], [base.shape[1], *(part.shape[1] for part in own)])
    penalty = np.where(owner < 0, 1e-6, ridge)
    weights = np.ones(y.size)
    for _ in range(3):
        error = y - table @ fit(table, y, weights, penalty)
        weights = np.array([min(1.0, limit(error) / abs(e)) for e in error])
    return days, y, weights, table, penalty, owner


def folds(n: int) -> list[np.ndarray]:
    edges = [round(n * k / 10) for k in range(11)]
    return [np.arange(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def out_of_fold(y, weights, table, penalty, owner, without=()) -> np.ndarray:
    """Predictions of each fold by the model of the others, which leaves out the columns of some drivers.

    The ridge of a driver is adapted to the size of its coefficients in the model of these days with all drivers.
    """
    predicted = np.empty(y.size)
    kept = ~np.isin(owner, without)
    for fold in folds(y.size):
        rest = np.setdiff1d(np.arange(y.size), fold)
        b = fit(table[rest], y[rest], weights[rest], penalty)
        ridge = adapted(penalty, b, owner)[kept]
        predicted[fold] = table[fold][:, kept] @ fit(table[rest][:, kept], y[rest], weights[rest], ridge)
    return predicted


def adapted(penalty, b, owner) -> np.ndarray:
    """Less ridge on drivers with large coefficients, by a tenth to ten times."""
    sizes = {j: np.linalg.norm(b[owner == j]) for j in set(owner) if j >= 0}
    mean = np.mean(list(sizes.values()))
    factor = {j: min(max(mean / size, 0.1), 10) for j, size in sizes.items()}
    return np.array([p * factor.get(j, 1) for p, j in zip(penalty, owner, strict=True)])


def gains(drivers, soil, where, years, groups, lags=5, frozen=None):
    """For each group its gain and the sums of daily gains in blocks of 20 days."""
    days, y, weights, table, penalty, owner = model(drivers, soil, where, years, lags, frozen)
    full = y - out_of_fold(y, weights, table, penalty, owner)
    c = limit(full)
    result = []
    for group in groups:
        without = y - out_of_fold(y, weights, table, penalty, owner, group)
        losses = np.array([huber(e, c) for e in without])
        d = losses - np.array([huber(e, c) for e in full])
        blocks: dict[int, float] = {}
        for t, value in zip(days, d, strict=True):
            blocks[(t - days[0]) // 20] = blocks.get((t - days[0]) // 20, 0.0) + value
        result.append((d.sum() / losses.sum(), np.array([blocks[k] for k in sorted(blocks)])))
    return result


def rank_statistic(sums) -> float:
    """Sum of the ranks of the sizes of the sums, each with the sign of its sum."""
    order = sorted(abs(v) for v in sums)
    return sum(np.sign(v) * (1 + order.index(abs(v))) for v in sums)


def contribution(drivers, soil, where, years, group, lags=5):
    """Days, and the prediction with all columns as they were less that with the group's columns at their means."""
    days, y, weights, table, penalty, owner = model(drivers, soil, where, years, lags)
    still = np.where(np.isin(owner, group), table.mean(axis=0), table)
    found = np.empty(y.size)
    for fold in folds(y.size):
        rest = np.setdiff1d(np.arange(y.size), fold)
        first = fit(table[rest], y[rest], weights[rest], penalty)
        b = fit(table[rest], y[rest], weights[rest], adapted(penalty, first, owner))
        found[fold] = table[fold] @ b - still[fold] @ b
    return days, found
