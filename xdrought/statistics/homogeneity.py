"""Whether a series is of one piece: steps, the sudden changes they come with, and drifts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_LARGEST_MEMORY = 0.95
_ROUNDS = 3  # of estimating the memory that makes an estimate as large as the one found


class Break(NamedTuple):
    """The likeliest step of a series, its size, and the p-values of no step, of no drift, and of neither."""

    position: int
    size: float
    step_p_value: float
    slope: float
    drift_p_value: float
    p_value: float
    step_share: float
    drift_share: float
    memory: float
    jump: int  # which of the jumps the step is, -1 for none


NO_BREAK = Break(-1, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, -1)


class Jumps(NamedTuple):
    """Sudden changes within a series, which a step may be: the largest of the finer series behind it.

    Each has the place in the series, 1 for a rise and -1 for a fall, and how often one of the finer series' changes is
    as large; `most` is the largest such share that was kept, so that those of a series without a step are uniform
    between 0 and it.
    """

    place: np.ndarray
    direction: np.ndarray
    p_value: np.ndarray
    most: np.ndarray


NO_JUMPS = Jumps(np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros(0))


def exceedance(values: np.ndarray, share: float, least: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest values, and how often one as large comes by an exponential tail fitted without the very largest.

    That one may be the fault that is looked for. It is not left out, which would make the tail too short where it is
    none: all that the fit knows of it is that it is no smaller than the second largest (type II censoring).

    Parameters
    ----------
    values : numpy.ndarray
        (value,), none missing.
    share, least, most : float, int, int
        How many of them are the tail: a share, but no fewer and no more than so many, and no more than half.

    Returns
    -------
    tuple of numpy.ndarray
        Indices of the values of the tail, largest first, and their shares; empty where it has not three values.
    """
    n = min(max(int(share * values.size), least), most, values.size // 2)
    order = np.argsort(-values, kind="stable")
    excess = values[order[:n]] - (values[order[n]] if n else 0.0)
    if n < 3 or excess[1] <= 0:
        return np.zeros(0, int), np.zeros(0)
    scale = (excess[1:].sum() + excess[1]) / (n - 1)
    shares = n / values.size * np.exp(-excess / scale)
    return order[:n], np.maximum(shares, np.finfo(np.float64).tiny)


def snht(series: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """The statistic of the standard normal homogeneity test (row,) and the step's place (row,).

    Parameters
    ----------
    series : numpy.ndarray
        (row, time), NaN where missing.
    least : int
        Values that each side of a step must have, two or more.

    Returns
    -------
    tuple of numpy.ndarray
        The largest of ``k z1**2 + (n - k) z2**2`` over all steps, z1 and z2 the means of the standardised series
        before and after the k-th value, and the index of the first value after it; NaN and -1 where the values are
        too few.

    References
    ----------
    Alexandersson (1986), https://doi.org/10.1002/joc.3370060607.
    """
    statistic, _ = _of_each_step(series, least)
    last = statistic.argmax(axis=1)
    best = statistic[np.arange(len(series)), last]
    found = best >= 0
    return np.where(found, best, np.nan), np.where(found, _following(np.isfinite(series), last), -1)


def _of_each_step(series: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """The statistic of a step after each value, -1 where none may be, and whether it rises, 1, or falls, -1."""
    there = np.isfinite(series)
    z = _standardised(series, there)
    n = there.sum(axis=1, keepdims=True)
    before = np.cumsum(there, axis=1)
    after = n - before
    total = np.cumsum(z, axis=1)
    allowed = there & (before >= least) & (after >= least)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(allowed, total**2 * n / (before * after), -1.0), -np.sign(total)


def _following(there: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The first place (row,) with a value after another."""
    following = np.where(there, np.arange(there.shape[1]), there.shape[1])
    following = np.minimum.accumulate(following[:, ::-1], axis=1)[:, ::-1]
    return following[np.arange(len(there)), np.minimum(last + 1, there.shape[1] - 1)]


def drift(series: np.ndarray) -> np.ndarray:
    """Squared correlation with time, times the number of values (row,): what a line explains, counted as a step is."""
    there = np.isfinite(series)
    z = _standardised(series, there)
    steps = np.broadcast_to(np.arange(series.shape[1], dtype=np.float64), series.shape)
    t = _standardised(np.where(there, steps, np.nan), there)
    n = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (z * t).sum(axis=1) ** 2 / n


def find_break(
    series: np.ndarray,
    least: int,
    n_simulations: int,
    rng: np.random.Generator,
    jumps: Jumps = NO_JUMPS,
    cycle: int = 1,
) -> Break:
    """The likeliest step of one series (time,), and how often a series without any has one as clear.

    The series that it is held against are Gaussian with the memory of one step (AR(1)) that the series has on both
    sides of its likeliest step, and with the same gaps. A memory estimated around a step that was looked for is too
    small: it is raised until series of that memory give the estimate that was found.

    With `jumps`, a step is the clearer the rarer the jump is with which it came: twice the negative logarithm of its
    share, as in Fisher's combination of tests, is added to the statistic of a step at its place and in its direction.
    A memory m makes that statistic ``(1 + m) / (1 - m)`` times as large as it is of independent values; the share
    counts more by the square root of that, which found most steps of simulated stations. The simulated series have
    jumps at the same places whose shares are drawn.

    Parameters
    ----------
    series : numpy.ndarray
        (time,), NaN where missing.
    least : int
        Values on each side of a step.
    n_simulations : int
        Series to be held against.
    rng : numpy.random.Generator
        Draws them.
    jumps : Jumps
        Sudden changes of the finer series of which this one holds the means.
    cycle : int
        Values of a cycle that was taken from the series, e.g. 12 where each is less the mean of its calendar month.

    Returns
    -------
    Break
        The first step after the break, the mean after less the mean before, the slope per step, p-values of no step,
        of no drift and of neither, the shares of the variance that a step and a line explain, the memory, and the
        number of the jump; :data:`NO_BREAK` where values are too few.
    """
    there = np.isfinite(series)
    if there.sum() < 4 * least or np.ptp(series[there]) == 0:
        return NO_BREAK
    noise = rng.normal(size=(n_simulations, series.size))
    memory = _memory(series[None], there, least, noise, cycle)
    rows = np.concatenate([series[None], _ar1(noise, memory, there, cycle)])
    steps, rises = _of_each_step(rows, least)
    sudden = _of_jumps(steps, rises, jumps, 2 * ((1 + memory) / (1 - memory)) ** 0.5, rng)
    clearest, line = np.maximum(steps.max(axis=1), sudden.max(axis=1, initial=-1.0)), drift(rows)
    jump = int(sudden[0].argmax()) if sudden.size and sudden[0].max() == clearest[0] else -1
    at = int(_following(there[None], steps[:1].argmax(axis=1))[0]) if jump < 0 else int(jumps.place[jump])
    step_p, drift_p = _p_values(clearest), _p_values(line)
    p = (np.minimum(step_p, drift_p) <= min(step_p[0], drift_p[0])).mean()
    early = np.arange(series.size) < at
    size = series[~early & there].mean() - series[early & there].mean()
    slope = np.polyfit(np.flatnonzero(there), series[there], 1)[0]
    shares = steps[0].max() / there.sum(), line[0] / there.sum()
    return Break(at, float(size), step_p[0], float(slope), drift_p[0], float(p), *shares, memory, jump)


def _of_jumps(
    steps: np.ndarray, rises: np.ndarray, jumps: Jumps, weight: float, rng: np.random.Generator
) -> np.ndarray:
    """The statistic of a step at each jump (row, jump): of the first row by its own shares, of others by drawn ones."""
    shares = np.concatenate([jumps.p_value[None], jumps.most * (1 - rng.random((len(steps) - 1, jumps.place.size)))])
    around = [np.maximum(jumps.place - 1, 0), jumps.place]  # the mean of its own month is of both sides
    level = np.maximum(*(np.where(rises[:, k] == jumps.direction, steps[:, k], -1.0) for k in around))
    return np.where(level >= 0, level - weight * np.log(shares), -1.0)


def _p_values(statistic: np.ndarray) -> np.ndarray:
    """The share of all rows whose statistic is as large (row,)."""
    order = np.sort(statistic)
    return (statistic.size - np.searchsorted(order, statistic, side="left")) / statistic.size


def _standardised(series: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 of the values that are there, 0 elsewhere."""
    n = np.maximum(there.sum(axis=1, keepdims=True), 1)
    values = np.where(there, series, 0.0)
    anomaly = np.where(there, values - values.sum(axis=1, keepdims=True) / n, 0.0)
    spread = np.sqrt((anomaly**2).sum(axis=1, keepdims=True) / n)
    return anomaly / np.where(spread > 0, spread, 1.0)


def _memory(series: np.ndarray, there: np.ndarray, least: int, noise: np.ndarray, cycle: int) -> float:
    """The AR(1) coefficient with which the estimate around the likeliest step is, on average, the one found."""
    found = float(_estimated_memory(series, least)[0])
    memory = found
    for _ in range(_ROUNDS):
        usual = _estimated_memory(_ar1(noise, memory, there, cycle), least).mean()
        memory = float(np.clip(memory + found - usual, 0.0, _LARGEST_MEMORY))
    return memory


def _estimated_memory(series: np.ndarray, least: int) -> np.ndarray:
    """Correlation of neighbouring values around the means on both sides of the likeliest step (row,)."""
    there = np.isfinite(series)
    _, place = snht(series, least)
    late = np.arange(series.shape[1]) >= place[:, None]
    residual = np.zeros(series.shape)
    for side in (late, ~late):
        own = side & there
        n = np.maximum(own.sum(axis=1, keepdims=True), 1)
        mean = np.where(own, series, 0.0).sum(axis=1, keepdims=True) / n
        residual = np.where(own, np.where(there, series, 0.0) - mean, residual)
    both = there[:, 1:] & there[:, :-1]
    pairs = (residual[:, 1:] * residual[:, :-1] * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    return pairs / np.maximum((residual**2).sum(axis=1) / np.maximum(there.sum(axis=1), 1), 1e-300)


def _ar1(noise: np.ndarray, memory: float, there: np.ndarray, cycle: int) -> np.ndarray:
    """Series (row, time) with a memory of one step, from white noise, with the gaps of another, less their cycle."""
    from scipy.signal import lfilter

    shaped = noise * np.sqrt(1 - memory**2)
    shaped[:, 0] = noise[:, 0]
    series = np.where(there, lfilter([1.0], [1.0, -memory], shaped, axis=1), np.nan)
    for phase in range(cycle):
        own = there & (np.arange(there.size) % cycle == phase)
        series[:, own] -= series[:, own].mean(axis=1, keepdims=True) if own.any() else 0.0
    return series
