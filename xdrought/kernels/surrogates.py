"""Surrogate series for tests of cross mapping: they keep much of a series but not its relation to others.

Phase surrogates keep the spectrum, circular surrogates the values and their order, and seasonal surrogates the annual
cycle of mean and spread. Time is the last axis everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

KINDS = PHASE, SEASONAL, CIRCULAR = ("phase", "seasonal", "circular")
HARMONICS, SPREAD_HARMONICS = 4, 2  # of the annual cycle: of its mean and of its spread
LEAST_SPREAD = 0.1  # of the mean spread: a dry season of zeros is not blown up
DIRECTIONS = 2**16  # phases to draw from, so that a random word of 64 bits gives four


def anomalies_to_test(values: np.ndarray, kind: str, years: np.ndarray | None) -> np.ndarray:
    """Standardised anomalies (..., time) where the annual cycle is to be removed, else the values as they are.

    `years` (time,) is time in years, None to keep the cycle; seasonal surrogates keep it in any case.
    """
    return values if years is None or kind == SEASONAL else standard_anomalies(values, years)


def make_surrogates(
    series: np.ndarray, kind: str, number: int, seed: int, years: np.ndarray | None, batch: int
) -> Iterator[np.ndarray]:
    """Unrelated copies (batch, time) of the anomalies `series` (time,), `number` in all.

    Where the annual cycle was removed from the series (`years` is given) it is removed from its copies too: they would
    else hold a little of a cycle that the series cannot have.
    """
    if kind == SEASONAL:
        if years is None:
            raise ValueError("seasonal surrogates keep the annual cycle and need the time in years")
        return seasonal_surrogates(series, number, seed, batch, years)
    make = circular_surrogates if kind == CIRCULAR else phase_surrogates
    copies = make(series, number, seed, batch)
    return copies if years is None else _without_cycle(copies, series, years)


def remove_annual_cycle(values: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Anomalies (..., time) from a mean and four harmonics of the year, fitted to the finite days.

    `years` (time,) is time in years. A series of less than one year, or of nothing but the cycle, becomes NaN.
    """
    design = harmonics(years, HARMONICS)
    rows = values.reshape(-1, values.shape[-1])
    out = np.full(rows.shape, np.nan)
    for row, result in zip(rows, out, strict=True):
        days = np.flatnonzero(np.isfinite(row))
        if days.size <= design.shape[1] or years[days[-1]] - years[days[0]] < 0.99:
            continue
        fit, *_ = np.linalg.lstsq(design[days], row[days], rcond=None)
        anomaly = row[days] - design[days] @ fit
        if anomaly.std() > 1e-10 * np.abs(row[days]).max():
            result[days] = anomaly
    return out.reshape(values.shape)


def phase_surrogates(series: np.ndarray, number: int, seed: int, batch: int) -> Iterator[np.ndarray]:
    """Phase-randomised copies (batch, time) of `series` (time,), `number` in all, with its gaps put back.

    Gaps inside the record are bridged by straight lines for the spectrum only. The same seed and length give the
    same phases, whatever the series. A phase is one of 65,536 at equal distances: all that is averaged over copies is
    as with phases from the whole circle. Copies are turned in single precision, to about 1e-7 of the spread.
    """
    finite = np.flatnonzero(np.isfinite(series))
    span = slice(finite[0], finite[-1] + 1)
    inside = series[span]
    bridged = np.interp(np.arange(inside.size), finite - finite[0], series[finite])
    mean = bridged.mean()
    spectrum = np.fft.rfft(bridged - mean).astype(np.complex64)
    kept = [0, spectrum.size - 1] if inside.size % 2 == 0 else [0]  # mean and Nyquist term are real
    rng, n_words = np.random.default_rng(seed), -(-spectrum.size // 4)
    for start in range(0, number, batch):
        words = rng.integers(0, 2**64, (min(batch, number - start), n_words), np.uint64)
        directions = words.view(np.uint16)[:, : spectrum.size]
        directions[:, kept] = 0
        turned = np.empty(directions.shape, np.complex64)
        np.take(_circle(), directions, out=turned, mode="clip")  # the other modes take a copy of `turned` first
        turned *= spectrum
        copies = np.empty((len(turned), series.size))
        copies[:, span] = np.fft.irfft(turned, n=inside.size)
        copies[:, span] += mean
        if finite.size < series.size:
            copies[:, ~np.isfinite(series)] = np.nan
        yield copies


@cache
def _circle() -> np.ndarray:
    """Numbers on the complex unit circle at equal distances, the first of which is 1."""
    return np.exp(2j * np.pi * np.arange(DIRECTIONS) / DIRECTIONS).astype(np.complex64)


def standard_anomalies(values: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Anomalies (..., time) from the annual cycle over their seasonal spread: a season leaves neither mean nor size."""
    anomalies = remove_annual_cycle(values, years)
    rows = anomalies.reshape(-1, values.shape[-1])
    for row in rows:
        row /= seasonal_spread(row, years)
    return rows.reshape(values.shape)


def seasonal_spread(anomaly: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Mean absolute anomaly (time,) over the year, from two harmonics; 1 where there is nothing to fit."""
    days = np.isfinite(anomaly)
    if not days.any():
        return np.ones(anomaly.size)
    design = harmonics(years, SPREAD_HARMONICS)
    size = np.abs(anomaly[days])
    fit, *_ = np.linalg.lstsq(design[days], size, rcond=None)
    return np.maximum(design @ fit, LEAST_SPREAD * size.mean())


def harmonics(years: np.ndarray, number: int) -> np.ndarray:
    """Regressors (time, 1 + 2 number): a constant, and cosines and sines of the year."""
    angle = 2 * np.pi * years[:, None] * np.arange(1, number + 1)
    return np.hstack([np.ones((years.size, 1)), np.cos(angle), np.sin(angle)])


def _without_cycle(copies: Iterator[np.ndarray], series: np.ndarray, years: np.ndarray) -> Iterator[np.ndarray]:
    """Remove from copies (batch, time) of a series the annual cycle of each on the days that the series has."""
    finite = np.isfinite(series)
    days = slice(None) if finite.all() else finite  # a view is cheaper than a choice
    basis, _ = np.linalg.qr(harmonics(years, HARMONICS)[days])
    for some in copies:
        some[:, days] -= (some[:, days] @ basis) @ basis.T
        yield some


def seasonal_surrogates(
    series: np.ndarray, number: int, seed: int, batch: int, years: np.ndarray
) -> Iterator[np.ndarray]:
    """The annual cycle of mean and spread as it is, with phase-randomised standardised anomalies.

    Less than a year, or nothing but the cycle, leaves no anomalies: the copies are NaN.
    """
    anomaly = remove_annual_cycle(series, years)
    if not np.isfinite(anomaly).any():
        for start in range(0, number, batch):
            yield np.full((min(batch, number - start), series.size), np.nan)
        return
    cycle, spread = series - anomaly, seasonal_spread(anomaly, years)
    for copies in phase_surrogates(anomaly / spread, number, seed, batch):
        yield cycle + spread * copies


def circular_surrogates(series: np.ndarray, number: int, seed: int, batch: int) -> Iterator[np.ndarray]:
    """The series shifted in a circle by a random number of steps; gaps stay where they are.

    The shift is at least a twentieth of the record in either direction, because neighbouring days are alike. No shift
    is used twice as long as there are enough. The same seed and length give the same shifts, whatever the series.
    """
    finite = np.flatnonzero(np.isfinite(series))
    span = slice(finite[0], finite[-1] + 1)
    inside = np.interp(np.arange(finite[0], finite[-1] + 1), finite, series[finite])
    least = max(inside.size // 20, 1)
    far = np.arange(least, max(inside.size - least + 1, least + 1))
    shifts = np.resize(np.random.default_rng(seed).permutation(far), number)
    for start in range(0, number, batch):
        some = shifts[start : start + batch]
        copies = np.full((some.size, series.size), np.nan)
        copies[:, span] = inside[(np.arange(inside.size) - some[:, None]) % inside.size]
        copies[:, ~np.isfinite(series)] = np.nan
        yield copies
