"""Series with the same spectrum and no relation: what cross-map skill is tested against. Time is the last axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

HARMONICS = 4  # of the annual cycle


def remove_annual_cycle(values: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Anomalies (..., time) from a mean and four harmonics of the year, fitted to the finite days.

    `years` (time,) is time in years. A series of less than one year, or of nothing but the cycle, becomes NaN.
    """
    angle = 2 * np.pi * years[:, None] * np.arange(1, HARMONICS + 1)
    design = np.hstack([np.ones((years.size, 1)), np.cos(angle), np.sin(angle)])
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
    same phases, whatever the series.
    """
    finite = np.flatnonzero(np.isfinite(series))
    span = slice(finite[0], finite[-1] + 1)
    inside = series[span]
    bridged = np.interp(np.arange(inside.size), finite - finite[0], series[finite])
    spectrum = np.fft.rfft(bridged)
    rng = np.random.default_rng(seed)
    last = spectrum.size - 1 if inside.size % 2 == 0 else spectrum.size  # the Nyquist term of an even length is real
    for start in range(0, number, batch):
        turned = np.tile(spectrum, (min(batch, number - start), 1))
        angle = rng.uniform(0, 2 * np.pi, (len(turned), max(last - 1, 0)))
        turned[:, 1:last] *= np.exp(1j * angle)
        copies = np.full((len(turned), series.size), np.nan)
        copies[:, span] = np.fft.irfft(turned, n=inside.size)
        copies[:, ~np.isfinite(series)] = np.nan
        yield copies
