"""Tests of hypotheses: many at once, onsets that fall together, and whether a series is of one piece."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np

Fdr = Literal["bh", "by", "holm"]  # how many tests are adjusted for
FDR = (*get_args(Fdr), None)


def adjusted(p: np.ndarray, fdr: str | None) -> np.ndarray:
    """Adjust the p-values (test,) of one family of tests; NaN is no test.

    `fdr` is "bh" (Benjamini and Hochberg), "by" (Benjamini and Yekutieli), "holm", or None for p-values as they are.
    """
    from scipy.stats import false_discovery_control

    p = np.asarray(p, dtype=np.float64)
    tested = np.isfinite(p)
    if fdr is None or not tested.any():
        return p.copy()
    result = np.full(p.shape, np.nan)
    result[tested] = _holm(p[tested]) if fdr == "holm" else false_discovery_control(p[tested], method=fdr)
    return result


def _holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate((p.size - np.arange(p.size)) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


YEAR = 365.2425  # days


def shifted_rates(first: np.ndarray, second: np.ndarray, years: int, tolerance: float) -> np.ndarray:
    """Share of all onsets that have one of the other site within `tolerance` days, by shift of the second.

    Parameters
    ----------
    first, second : numpy.ndarray
        Days since the start of the common record, below ``years * YEAR``.
    years : int
        Length of the common record; it is closed to a circle.
    tolerance : float
        Days.

    Returns
    -------
    numpy.ndarray
        (years,), the first without a shift; NaN where there is no onset at one of the sites.
    """
    if not first.size or not second.size:
        return np.full(years, np.nan)
    length = years * YEAR
    shift = np.arange(years)[:, None, None] * YEAR
    signed = first[:, None] - second - shift  # [shift, first, second]
    around = np.abs((signed + length / 2) % length - length / 2)
    near = around <= tolerance + 1e-9
    hits = near.any(axis=2).sum(axis=1) + near.any(axis=1).sum(axis=1)
    return hits / (first.size + second.size)


def relative_rates(rates: np.ndarray, years: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Rates of all pairs when every site is shifted by years of its own, (site, site).

    Parameters
    ----------
    rates : numpy.ndarray
        (site, site, shift) from :func:`shifted_rates`, filled up with NaN.
    years : numpy.ndarray
        (site, site) common years, 0 where there are none.
    shift : numpy.ndarray
        (site,) whole numbers.
    """
    index = (shift[None, :] - shift[:, None]) % np.maximum(years, 1)
    return np.take_along_axis(rates, index[..., None], axis=2)[..., 0]


_LARGEST_MEMORY = 0.95
_ROUNDS = 3  # of estimating the memory that makes an estimate as large as the one found


class Break(NamedTuple):
    """The likeliest step of a series, its size, and the p-values of no step and of no drift."""

    position: int
    size: float
    step_p_value: float
    slope: float
    drift_p_value: float
    step_share: float
    drift_share: float
    memory: float


NO_BREAK = Break(-1, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)


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
    there = np.isfinite(series)
    z = _standardised(series, there)
    n = there.sum(axis=1, keepdims=True)
    before = np.cumsum(there, axis=1)
    after = n - before
    total = np.cumsum(z, axis=1)
    allowed = there & (before >= least) & (after >= least)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(allowed, total**2 * n / (before * after), -np.inf)
    last = statistic.argmax(axis=1)
    rows = np.arange(len(series))
    best = statistic[rows, last]
    following = np.where(there, np.arange(series.shape[1]), series.shape[1])
    following = np.minimum.accumulate(following[:, ::-1], axis=1)[:, ::-1]
    place = following[rows, np.minimum(last + 1, series.shape[1] - 1)]
    found = np.isfinite(best)
    return np.where(found, best, np.nan), np.where(found, place, -1)


def drift(series: np.ndarray) -> np.ndarray:
    """Squared correlation with time, times the number of values (row,): what a line explains, counted as a step is."""
    there = np.isfinite(series)
    z = _standardised(series, there)
    steps = np.broadcast_to(np.arange(series.shape[1], dtype=np.float64), series.shape)
    t = _standardised(np.where(there, steps, np.nan), there)
    n = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (z * t).sum(axis=1) ** 2 / n


def find_break(series: np.ndarray, least: int, n_simulations: int, rng: np.random.Generator) -> Break:
    """The likeliest step of one series (time,), and how often a series without any has one as clear.

    The series that it is held against are Gaussian with the memory of one step (AR(1)) that the series has on both
    sides of its likeliest step, and with the same gaps. A memory estimated around a step that was looked for is too
    small: it is raised until series of that memory give the estimate that was found.

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

    Returns
    -------
    Break
        The first step after the break, the mean after less the mean before, the slope per step, p-values, the shares
        of the variance that a step and a line explain, and the memory; :data:`NO_BREAK` where values are too few.
    """
    there = np.isfinite(series)
    if there.sum() < 4 * least or np.ptp(series[there]) == 0:
        return NO_BREAK
    one = series[None]
    statistic, place = snht(one, least)
    line = drift(one)
    noise = rng.normal(size=(n_simulations, series.size))
    memory = _memory(one, there, least, noise)
    others = _ar1(noise, memory, there)
    step_p = (1 + (snht(others, least)[0] >= statistic[0]).sum()) / (n_simulations + 1)
    drift_p = (1 + (drift(others) >= line[0]).sum()) / (n_simulations + 1)
    at, n = int(place[0]), there.sum()
    size = series[at:][there[at:]].mean() - series[:at][there[:at]].mean()
    slope = np.polyfit(np.flatnonzero(there), series[there], 1)[0]
    return Break(at, float(size), step_p, float(slope), drift_p, statistic[0] / n, line[0] / n, memory)


def _standardised(series: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 of the values that are there, 0 elsewhere."""
    n = np.maximum(there.sum(axis=1, keepdims=True), 1)
    values = np.where(there, series, 0.0)
    anomaly = np.where(there, values - values.sum(axis=1, keepdims=True) / n, 0.0)
    spread = np.sqrt((anomaly**2).sum(axis=1, keepdims=True) / n)
    return anomaly / np.where(spread > 0, spread, 1.0)


def _memory(series: np.ndarray, there: np.ndarray, least: int, noise: np.ndarray) -> float:
    """The AR(1) coefficient with which the estimate around the likeliest step is, on average, the one found."""
    found = float(_estimated_memory(series, least)[0])
    memory = found
    for _ in range(_ROUNDS):
        usual = _estimated_memory(_ar1(noise, memory, there), least).mean()
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


def _ar1(noise: np.ndarray, memory: float, there: np.ndarray) -> np.ndarray:
    """Series (row, time) of unit variance with a memory of one step, from white noise, with the gaps of another."""
    from scipy.signal import lfilter

    shaped = noise * np.sqrt(1 - memory**2)
    shaped[:, 0] = noise[:, 0]
    return np.where(there, lfilter([1.0], [1.0, -memory], shaped, axis=1), np.nan)
