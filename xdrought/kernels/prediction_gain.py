"""What each driver adds to the prediction of the change of soil moisture on days that were not learned from.

The change from one day to the next is predicted by a robust ridge regression on the season, on the wetness before and
on all drivers. Each fold of days is predicted by the model of the other folds, with a group of drivers and without it;
the model without the group comes from the model with it in closed form, so that nothing is fitted twice. Time is the
last axis of series and the first of tables of columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xdrought.kernels.surrogates import HARMONICS, harmonics, remove_annual_cycle

BASE_RIDGE = 1e-6  # of the base columns, as a share of the number of days: keeps the matrix invertible, no more
HUBER = 1.5  # scales of the errors (1.4826 times the median absolute deviation) beyond which a loss grows linearly
ROUNDS = 3  # of reweighting
BLOCK_DAYS = 30  # days whose gains keep their sign together in the test
LEAST_DAYS = 300  # with fewer usable days there is no test
SEASONAL_LAGS = 2  # the season's influence is that of the mean of lags 0 to this one


@dataclass(frozen=True)
class GainSettings:
    """How the gain is measured: days of memory, ridge on the drivers' columns, folds, and the draws of the test."""

    lags: int = 5
    ridge: float = 0.03
    folds: int = 10
    flips: int = 999
    seed: int = 0


@dataclass(frozen=True)
class Columns:
    """The regression of one record, by its n usable days.

    `day` (n,) are their places in the record, `change` (n,) the soil moisture of each less that of the day before,
    `base` (n, columns) season and wetness, `drivers` (n, columns) all drivers, `owner` (columns,) the driver of each,
    `anomalies` (drivers, n) the drivers of the same day.
    """

    day: np.ndarray
    change: np.ndarray
    base: np.ndarray
    drivers: np.ndarray
    owner: np.ndarray
    anomalies: np.ndarray


@dataclass(frozen=True)
class Gain:
    """Of one record: `gain`, `p_value` and `redundancy` (groups,), `used` (drivers,) and the number of usable days."""

    gain: np.ndarray
    p_value: np.ndarray
    redundancy: np.ndarray
    used: np.ndarray
    n_days: int


def driver_gain(
    drivers: np.ndarray,
    soil: np.ndarray,
    where: np.ndarray | None,
    years: np.ndarray,
    days: np.ndarray,
    groups: Sequence[Sequence[int]],
    settings: GainSettings,
) -> Gain:
    """The test of one record.

    `drivers` (drivers, time) and `soil` (time,) may hold NaN; `where` (time,) is True on the days whose change is
    predicted; `years` and `days` (time,) tell the time; `groups` are the drivers that are tested together.
    """
    used, columns = usable_columns(drivers, soil, where, years, days, settings)
    gain, p_value, redundancy = np.full((3, len(groups)), np.nan)
    result = Gain(gain, p_value, redundancy, used, columns.day.size)
    tested = [i for i, group in enumerate(groups) if used[list(group)].any()]
    if columns.day.size < LEAST_DAYS or not tested or not columns.change.any():
        return result
    members = [[j for j in groups[i] if used[j]] for i in tested]
    penalty = _penalty(columns, settings.ridge)
    with_all, without = fold_predictions(columns, members, penalty, settings.folds)
    loss, losses = nested_losses(columns.change, with_all, without)
    blocks = ((days[columns.day] - days[columns.day[0]]) // BLOCK_DAYS).astype(int)
    result.gain[tested] = (losses - loss).sum(axis=1) / losses.sum(axis=1)
    result.p_value[tested] = sign_flip_p_values(losses - loss, blocks, settings.flips, settings.seed)
    result.redundancy[tested] = [explained_by_others(columns.anomalies, used, one) for one in members]
    return result


def contributions(
    drivers: np.ndarray,
    soil: np.ndarray,
    where: np.ndarray | None,
    years: np.ndarray,
    days: np.ndarray,
    groups: Sequence[Sequence[int]],
    settings: GainSettings,
) -> np.ndarray:
    """What each group adds to the predicted change (groups, time), as against its columns at their means.

    Each day's is that of the model of the other folds; NaN on days that are not usable, and for groups without data.
    """
    used, columns = usable_columns(drivers, soil, where, years, days, settings)
    result = np.full((len(groups), soil.size), np.nan)
    if columns.day.size < LEAST_DAYS or not used.any() or not columns.change.any():
        return result
    coefficients = fold_coefficients(columns, _penalty(columns, settings.ridge), settings.folds)
    departure = columns.drivers - columns.drivers.mean(axis=0)
    first = columns.base.shape[1]
    for i, group in enumerate(groups):
        own = np.isin(columns.owner, [j for j in group if used[j]])
        if own.any():
            parts = [departure[fold][:, own] @ b[first:][own] for fold, b in coefficients]
            result[i, columns.day] = np.concatenate(parts)
    return result


# columns


def usable_columns(
    drivers: np.ndarray,
    soil: np.ndarray,
    where: np.ndarray | None,
    years: np.ndarray,
    days: np.ndarray,
    settings: GainSettings,
) -> tuple[np.ndarray, Columns]:
    """Which drivers vary in this record, and the columns of the days on which these and the soil are known."""
    anomalies = remove_annual_cycle(drivers.astype(np.float64), years)
    used = np.isfinite(anomalies).any(axis=-1)
    anomalies = anomalies[used]
    anomalies /= np.nanstd(anomalies, axis=-1, keepdims=True) if used.any() else 1.0
    lagged = np.stack([delayed(anomalies, lag) for lag in range(settings.lags + 1)])  # (lag, driver, time)
    before, change = delayed(soil, 1), soil - delayed(soil, 1)
    known = np.isfinite(change) & np.isfinite(delayed(soil, 2)) & np.isfinite(lagged).all(axis=(0, 1))
    if where is not None:
        known &= where
    day = np.flatnonzero(known)
    lagged = lagged[..., day]
    if not day.size:
        nothing = np.empty((0, 0))
        return used, Columns(day, change[day], nothing, nothing, np.empty(0, int), lagged[0])
    cycle = harmonics((days[day] - days[day[0]]) * _year_length(years, days), HARMONICS)
    state = standardised(before[day])
    base = base_columns(state, standardised(delayed(soil, 2)[day]), cycle)
    parts = [driver_columns(lagged[:, j], state, cycle) for j in range(len(anomalies))]
    table = np.hstack(parts) if parts else np.empty((day.size, 0))
    owner = np.repeat(np.flatnonzero(used), [part.shape[1] for part in parts])
    return used, Columns(day, change[day], unit_size(base), unit_size(table), owner, lagged[0])


def base_columns(state: np.ndarray, two_days_before: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """What is known without any driver (n, columns): the season, the wetness of the day before, and both together."""
    s = state[:, None]
    waves = cycle[:, 1:]
    wetness = [s, s**2, s**3, np.maximum(s - 1, 0) ** 2]
    return np.hstack([cycle, *wetness, s * waves, s**2 * waves[:, _FIRST_WAVE], two_days_before[:, None]])


def driver_columns(lagged: np.ndarray, state: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """One driver (n, columns): its anomaly of each lag (lag, n), alone and times the wetness, and by season."""
    recent = lagged[: SEASONAL_LAGS + 1].mean(axis=0)
    return np.hstack([lagged.T, (lagged * state).T, recent[:, None] * cycle[:, 1:][:, _FIRST_WAVE]])


_FIRST_WAVE = [0, HARMONICS]  # cosine and sine of the year among the waves


def delayed(series: np.ndarray, steps: int) -> np.ndarray:
    """The series (..., time) of `steps` steps before; NaN where that is before its start."""
    out = np.full(series.shape, np.nan)
    out[..., steps:] = series[..., : series.shape[-1] - steps]
    return out


def standardised(values: np.ndarray) -> np.ndarray:
    """Values less their mean, over their standard deviation; zeros for a constant."""
    departure = values - values.mean()
    return departure / (departure.std() or 1.0)


def unit_size(table: np.ndarray) -> np.ndarray:
    """Columns over their root mean square; a column of zeros stays."""
    size = np.sqrt((table**2).mean(axis=0))
    return table / np.where(size > 0, size, 1.0)


def _year_length(years: np.ndarray, days: np.ndarray) -> float:
    """Years a day."""
    return float((years[-1] - years[0]) / (days[-1] - days[0]))


def _penalty(columns: Columns, ridge: float) -> np.ndarray:
    """The ridge of each column, base first, as a share of the number of days."""
    return np.r_[np.full(columns.base.shape[1], BASE_RIDGE), np.full(columns.drivers.shape[1], ridge)]


# regression


def fold_predictions(
    columns: Columns, groups: Sequence[Sequence[int]], penalty: np.ndarray, folds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predicted changes with all drivers (n,) and without each group (groups, n), from the models of other folds."""
    table = np.hstack([columns.base, columns.drivers])
    first = columns.base.shape[1]
    own = [first + np.flatnonzero(np.isin(columns.owner, list(group))) for group in groups]
    with_all = np.empty(columns.change.size)
    without = np.empty((len(groups), columns.change.size))
    for fold, inverse, b in _fold_models(table, columns.change, penalty, folds):
        reduced = np.stack([b, *(_leave_out(b, inverse, some) for some in own)])
        predicted = table[fold] @ reduced.T
        with_all[fold], without[:, fold] = predicted[:, 0], predicted[:, 1:].T
    return with_all, without


def fold_coefficients(columns: Columns, penalty: np.ndarray, folds: int) -> list[tuple[slice, np.ndarray]]:
    """Each fold's days and the coefficients (columns,) that the other days gave."""
    table = np.hstack([columns.base, columns.drivers])
    return [(fold, b) for fold, _, b in _fold_models(table, columns.change, penalty, folds)]


def _fold_models(
    table: np.ndarray, y: np.ndarray, penalty: np.ndarray, folds: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """For each fold of days in a row: the days, the inverse matrix and the coefficients of the model of the others."""
    n = y.size
    weighted = table * robust_weights(table, y, penalty)[:, None]
    edges = np.linspace(0, n, folds + 1).round().astype(int)
    parts = [slice(*pair) for pair in zip(edges[:-1], edges[1:], strict=True)]
    grams = np.stack([weighted[part].T @ table[part] for part in parts])
    moments = np.stack([weighted[part].T @ y[part] for part in parts])
    gram, moment = grams.sum(axis=0), moments.sum(axis=0)
    for part, own_gram, own_moment in zip(parts, grams, moments, strict=True):
        learned = n - (part.stop - part.start)
        inverse = np.linalg.inv(gram - own_gram + np.diag(penalty * learned))
        yield part, inverse, inverse @ (moment - own_moment)


def _leave_out(b: np.ndarray, inverse: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Coefficients of the model without `some` columns, from those of the model with them and its inverse matrix."""
    reduced = b - inverse[:, some] @ np.linalg.solve(inverse[np.ix_(some, some)], b[some])
    reduced[some] = 0.0
    return reduced


def robust_weights(table: np.ndarray, y: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Huber's weights (n,) of the days after `ROUNDS` rounds of fitting all of them."""
    weights = np.ones(y.size)
    ridge = np.diag(penalty * y.size)
    for _ in range(ROUNDS):
        weighted = table * weights[:, None]
        error = y - table @ np.linalg.solve(weighted.T @ table + ridge, weighted.T @ y)
        size = np.maximum(np.abs(error), np.finfo(float).tiny)
        weights = np.minimum(1.0, huber_limit(error) / size)
    return weights


def huber_limit(error: np.ndarray) -> float:
    """The error beyond which Huber's loss is linear."""
    return HUBER * 1.4826 * float(np.median(np.abs(error - np.median(error))))


# test


def nested_losses(y: np.ndarray, with_all: np.ndarray, without: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Huber's losses of the days with all drivers (n,) and without each group (groups, n)."""
    limit = huber_limit(y - with_all)

    def huber(error: np.ndarray) -> np.ndarray:
        size = np.abs(error)
        return np.where(size <= limit, error**2 / 2, limit * (size - limit / 2))

    return huber(y - with_all), huber(y - without)


def sign_flip_p_values(gains: np.ndarray, blocks: np.ndarray, flips: int, seed: int) -> np.ndarray:
    """One-sided p-values (groups,) of gains (groups, n): their sum, against that of blocks with random signs."""
    _, block = np.unique(blocks, return_inverse=True)
    sums = np.stack([np.bincount(block, row) for row in gains])
    signs = 2.0 * np.random.default_rng(seed).integers(0, 2, (flips, sums.shape[1])) - 1.0
    reached = (sums @ signs.T >= sums.sum(axis=1, keepdims=True)).sum(axis=1)
    return (reached + 1) / (flips + 1)


def explained_by_others(anomalies: np.ndarray, used: np.ndarray, group: Sequence[int]) -> float:
    """Share of the variance of a group's anomalies (drivers, n) that the other drivers of the same day explain."""
    own = np.isin(np.flatnonzero(used), list(group))
    mine, others = (part - part.mean(axis=1, keepdims=True) for part in (anomalies[own], anomalies[~own]))
    if not len(others):
        return 0.0
    fit, *_ = np.linalg.lstsq(others.T, mine.T, rcond=None)
    left = mine.T - others.T @ fit
    return float(1 - (left**2).sum() / (mine**2).sum())
