"""What each driver adds to the prediction of the change of soil moisture on days that were not learned from.

The change from one day to the next is predicted by a robust ridge regression on the season, on the wetness before and
on all drivers. Each fold of days is predicted by the model of the other folds, with a group of drivers and without it;
the model without the group comes from the model with it in closed form, so that nothing is fitted twice. Time is the
last axis of series and the first of tables of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from xdrought.kernels.surrogates import HARMONICS, harmonics, remove_annual_cycle

BASE_RIDGE = 1e-6  # of the base columns, as a share of the number of days: keeps the matrix invertible, no more
HUBER = 1.5  # scales of the errors (1.4826 times the median absolute deviation) beyond which a loss grows linearly
ROUNDS = 3  # of reweighting
BLOCK_DAYS = 20  # days whose gains keep their sign together in the test
LEAST_DAYS = 300  # with fewer usable days there is no test
ADAPTED = (0.1, 10.0)  # least and largest factor by which the ridge of a driver is adapted
FROST_LAG = 2  # days before the change, 0 to this one, on which frost in the soil acts
SPANS = ((0, 0), (1, 1), (0, 2), (2, 5))  # first and last lag of the means whose effect may change with the season


@dataclass(frozen=True)
class GainSettings:
    """How the gain is measured: days of memory, ridge on the drivers' columns, folds, and the draws of the test.

    `freezing` names the drivers that are soil temperatures, by number, with the values at which water begins to freeze
    and at which most of it is frozen.
    """

    lags: int = 5
    ridge: float = 0.1
    folds: int = 10
    flips: int = 999
    seed: int = 0
    freezing: tuple[tuple[int, float, float], ...] = ()


@dataclass(frozen=True)
class Days:
    """The n usable days of a record, and what is known on them.

    `used` (drivers,) says which drivers vary, `day` (n,) which days of the record these are, `change` (n,) is the soil
    moisture of each less that of the day before, `state` and `earlier` (n,) are the standardised wetness of one and of
    two days before, `lagged` (lag, used drivers, n) the anomalies, `cycle` (n, 9) a mean and four harmonics of the
    year, and `frost` holds, for each soil temperature that freezes, its number and the share of frozen water (lag, n).
    """

    used: np.ndarray
    day: np.ndarray
    change: np.ndarray
    state: np.ndarray
    earlier: np.ndarray
    lagged: np.ndarray
    cycle: np.ndarray
    frost: tuple[tuple[int, np.ndarray], ...] = ()


@dataclass(frozen=True)
class Columns:
    """The regression on the usable days.

    `table` (n, columns) holds season and wetness first, then the drivers; `owner` (columns,) is the driver of each
    column, -1 for season and wetness.
    """

    table: np.ndarray
    owner: np.ndarray

    def penalty(self, ridge: float) -> np.ndarray:
        """The ridge of each column (columns,), as a share of the number of days."""
        return np.where(self.owner < 0, BASE_RIDGE, ridge)


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
    usable = usable_days(drivers, soil, where, years, days, settings)
    gain, p_value, redundancy = np.full((3, len(groups)), np.nan)
    members = [[j for j in group if usable.used[j]] for group in groups]
    tested = [i for i, group in enumerate(members) if group]
    if can_be_tested(usable) and tested:
        tested_groups = [members[i] for i in tested]
        columns = columns_of(usable)
        predictions = fold_predictions(
            usable.change, columns, tested_groups, columns.penalty(settings.ridge), settings.folds
        )
        loss, losses = nested_losses(usable.change, *predictions)
        blocks = ((days[usable.day] - days[usable.day[0]]) // BLOCK_DAYS).astype(int)
        gain[tested] = (losses - loss).sum(axis=1) / losses.sum(axis=1)
        p = sign_flip_p_values(losses - loss, blocks, settings.flips, settings.seed)
        p_value[tested] = np.where(gain[tested] > 0, p, 1.0)  # months that gain do not help if the whole loses
        redundancy[tested] = [explained_by_others(usable, group) for group in tested_groups]
    return Gain(gain, p_value, redundancy, usable.used, usable.day.size)


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
    usable = usable_days(drivers, soil, where, years, days, settings)
    result = np.full((len(groups), soil.size), np.nan)
    if not can_be_tested(usable):
        return result
    columns = columns_of(usable)
    departure = columns.table - columns.table.mean(axis=0)
    models = list(fold_models(usable.change, columns, columns.penalty(settings.ridge), settings.folds))
    for i, group in enumerate(groups):
        own = np.isin(columns.owner, group)
        if own.any():
            result[i, usable.day] = np.concatenate([departure[fold][:, own] @ b[own] for fold, _, b in models])
    return result


# columns


def usable_days(
    drivers: np.ndarray,
    soil: np.ndarray,
    where: np.ndarray | None,
    years: np.ndarray,
    days: np.ndarray,
    settings: GainSettings,
) -> Days:
    """The days on which the drivers that vary, of this and of the days before, and the soil are known."""
    anomalies = remove_annual_cycle(drivers.astype(np.float64), years)
    used = np.isfinite(anomalies).any(axis=-1)
    anomalies = anomalies[used]
    anomalies /= np.nanstd(anomalies, axis=-1, keepdims=True) if used.any() else 1.0
    lagged = np.stack([delayed(anomalies, lag) for lag in range(settings.lags + 1)])
    before, earlier = delayed(soil, 1), delayed(soil, 2)
    known = np.isfinite(soil) & np.isfinite(before) & np.isfinite(earlier) & np.isfinite(lagged).all(axis=(0, 1))
    if where is not None:
        known &= where
    day = np.flatnonzero(known)
    since = years[day] - years[day[:1]]  # the season is counted from the first usable day
    return Days(
        used,
        day,
        (soil - before)[day],
        standardised(before[day]),
        standardised(earlier[day]),
        lagged[..., day],
        harmonics(since, HARMONICS),
        tuple(_frost(drivers, used, day, settings)),
    )


def _frost(
    drivers: np.ndarray, used: np.ndarray, day: np.ndarray, settings: GainSettings
) -> Iterator[tuple[int, np.ndarray]]:
    """Soil temperatures that freeze, by number, and about which share of the water is frozen (lag, n)."""
    for number, start, end in settings.freezing:
        if used[number]:
            share = np.clip((start - drivers[number]) / (start - end), 0.0, 1.0)
            frozen = np.stack([delayed(share, lag)[day] for lag in range(min(FROST_LAG, settings.lags) + 1)])
            if frozen.any():
                yield number, frozen


def can_be_tested(usable: Days) -> bool:
    """Whether there is a driver, a soil that changes, and days enough."""
    return usable.day.size >= LEAST_DAYS and bool(usable.used.any()) and bool(usable.change.any())


Builder = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def driver_columns(lagged: np.ndarray, state: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """One driver (n, columns): its anomaly of each lag (lag, n) alone and times the wetness, and means by season."""
    means = [lagged[first : last + 1].mean(axis=0) for first, last in SPANS if first < len(lagged)]
    return np.hstack([lagged.T, (lagged * state).T, *(mean[:, None] * first_wave(cycle) for mean in means)])


def columns_of(usable: Days, build: Builder = driver_columns) -> Columns:
    """All columns, each of root mean square one; `build` makes those of one driver."""
    lagged, state, cycle = usable.lagged, usable.state, usable.cycle
    parts = [(-1, base_columns(state, usable.earlier, cycle))]
    parts += [(j, build(lagged[:, i], state, cycle)) for i, j in enumerate(np.flatnonzero(usable.used).tolist())]
    parts += [(j, np.hstack([frozen.T, (frozen * state).T])) for j, frozen in usable.frost]
    owner = np.repeat([j for j, _ in parts], [part.shape[1] for _, part in parts])
    return Columns(unit_size(np.hstack([part for _, part in parts])), owner)


def base_columns(state: np.ndarray, earlier: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """What is known without any driver (n, columns): the season, the wetness of the day before, and both together."""
    s = state[:, None]
    wetness = [s, s**2, s**3, np.maximum(s - 1, 0) ** 2]
    return np.hstack([cycle, *wetness, s * cycle[:, 1:], s**2 * first_wave(cycle), earlier[:, None]])


def first_wave(cycle: np.ndarray) -> np.ndarray:
    """Cosine and sine of the year (n, 2) among the columns of a mean and harmonics."""
    return cycle[:, [1, 1 + HARMONICS]]


def delayed(series: np.ndarray, steps: int) -> np.ndarray:
    """The series (..., time) of `steps` steps before; NaN where that is before its start."""
    out = np.full(series.shape, np.nan)
    out[..., steps:] = series[..., : series.shape[-1] - steps]
    return out


def standardised(values: np.ndarray) -> np.ndarray:
    """Values less their mean, over their standard deviation; zeros for a constant."""
    if not values.size:
        return values
    departure = values - values.mean()
    return departure / (departure.std() or 1.0)


def unit_size(table: np.ndarray) -> np.ndarray:
    """Columns over their root mean square; a column of zeros stays."""
    size = np.sqrt((table**2).mean(axis=0))
    return table / np.where(size > 0, size, 1.0)


# regression


def fold_predictions(
    y: np.ndarray,
    columns: Columns,
    groups: Sequence[Sequence[int]],
    penalty: np.ndarray,
    folds: int,
    adapted: tuple[float, float] = ADAPTED,
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of `y` with all drivers (n,) and without each group (groups, n), from the models of other folds."""
    own = [np.flatnonzero(np.isin(columns.owner, group)) for group in groups]
    with_all, without = np.empty(y.size), np.empty((len(groups), y.size))
    for fold, inverse, b in fold_models(y, columns, penalty, folds, adapted):
        reduced = np.stack([b, *(leave_out(b, inverse, some) for some in own)])
        predicted = columns.table[fold] @ reduced.T
        with_all[fold], without[:, fold] = predicted[:, 0], predicted[:, 1:].T
    return with_all, without


def fold_models(
    y: np.ndarray, columns: Columns, penalty: np.ndarray, folds: int, adapted: tuple[float, float] = ADAPTED
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """For each fold of days in a row: the days, the inverse matrix and the coefficients of the model of the others.

    The model is fitted twice: first with the same ridge on all drivers, then with less on those of large coefficients,
    by factors in the range `adapted`.
    """
    table = columns.table
    root = np.sqrt(robust_weights(y, table, penalty))
    rows, values = table * root[:, None], y * root
    edges = np.linspace(0, y.size, folds + 1).round().astype(int)
    parts = [slice(*pair) for pair in zip(edges[:-1], edges[1:], strict=True)]
    grams = np.stack([rows[part].T @ rows[part] for part in parts])
    moments = np.stack([rows[part].T @ values[part] for part in parts])
    gram, moment = grams.sum(axis=0), moments.sum(axis=0)
    for part, own_gram, own_moment in zip(parts, grams, moments, strict=True):
        learned = y.size - (part.stop - part.start)
        first = np.linalg.solve(gram - own_gram + np.diag(penalty * learned), moment - own_moment)
        ridge = penalty * ridge_factors(first, columns.owner, adapted) * learned
        inverse = np.linalg.inv(gram - own_gram + np.diag(ridge))
        yield part, inverse, inverse @ (moment - own_moment)


def ridge_factors(b: np.ndarray, owner: np.ndarray, adapted: tuple[float, float]) -> np.ndarray:
    """What to multiply the ridge of each column with: mean size of the drivers' coefficients over the driver's own."""
    size = np.sqrt(np.bincount(owner + 1, b**2)[1:])
    mean = size[size > 0].mean() if size.any() else 1.0
    factors = np.clip(mean / np.maximum(size, np.finfo(float).tiny), *adapted)
    return np.where(owner < 0, 1.0, factors[owner])


def leave_out(b: np.ndarray, inverse: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Coefficients of the model without `some` columns, from those of the model with them and its inverse matrix."""
    reduced = b - inverse[:, some] @ np.linalg.solve(inverse[np.ix_(some, some)], b[some])
    reduced[some] = 0.0
    return reduced


def robust_weights(y: np.ndarray, table: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Huber's weights (n,) of the days after `ROUNDS` rounds of fitting all of them."""
    weights = np.ones(y.size)
    ridge = np.diag(penalty * y.size)
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        rows = table * root[:, None]  # the product of a matrix with itself costs half
        error = y - table @ np.linalg.solve(rows.T @ rows + ridge, rows.T @ (y * root))
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


def block_sums(gains: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Sums (groups, blocks) of the gains (groups, n) of the days of each block, for blocks with days."""
    _, block = np.unique(blocks, return_inverse=True)
    return np.stack([np.bincount(block, row) for row in gains])


def sign_flip_p_values(gains: np.ndarray, blocks: np.ndarray, flips: int, seed: int) -> np.ndarray:
    """One-sided p-values (groups,) of gains (groups, n): signed ranks of the sums of blocks, against random signs."""
    sums = block_sums(gains, blocks)
    ranks = rankdata(np.abs(sums), axis=1) * np.sign(sums)
    signs = 2.0 * np.random.default_rng(seed).integers(0, 2, (flips, sums.shape[1])) - 1.0
    reached = (ranks @ signs.T >= ranks.sum(axis=1, keepdims=True)).sum(axis=1)
    return (reached + 1) / (flips + 1)


def explained_by_others(usable: Days, group: Sequence[int]) -> float:
    """Share of the variance of a group's anomalies that the other drivers of the same day explain."""
    own = np.isin(np.flatnonzero(usable.used), group)
    today = usable.lagged[0]
    mine, others = (part - part.mean(axis=1, keepdims=True) for part in (today[own], today[~own]))
    if not len(others):
        return 0.0
    fit, *_ = np.linalg.lstsq(others.T, mine.T, rcond=None)
    left = mine.T - others.T @ fit
    return float(1 - (left**2).sum() / (mine**2).sum())
