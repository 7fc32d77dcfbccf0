"""Series with the same spectrum and no relation: what cross-map skill is tested against. Time is the last axis."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

HARMONICS = 4  # of the annual cycle
BLOCK = 2**16  # phases drawn at once: bounds the memory


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
    has_gaps = finite.size < series.size
    bridged = np.interp(np.arange(inside.size), finite - finite[0], series[finite]) if has_gaps else inside
    spectrum = np.fft.rfft(bridged)
    last = (inside.size + 1) // 2  # the Nyquist term of an even length is real
    for start in range(0, number, batch):
        turned = np.empty((min(batch, number - start), spectrum.size), complex)
        turned[:] = spectrum
        for rows, turns in _turns_of(start, start + len(turned), max(last - 1, 0), seed):
            turned[rows, 1:last] *= turns
        copies = np.fft.irfft(turned, n=inside.size)
        if has_gaps:
            whole = np.full((len(copies), series.size), np.nan)
            whole[:, span] = copies
            whole[:, ~np.isfinite(series)] = np.nan
            copies = whole
        yield copies


def _turns_of(start: int, stop: int, terms: int, seed: int) -> Iterator[tuple[slice, np.ndarray]]:
    """The phase factors of copies `start` to `stop`, in blocks: which of these copies, and factors (copies, terms)."""
    length = max(BLOCK // max(terms, 1), 1)
    for block in range(start // length, (stop - 1) // length + 1):
        first, last = max(start, block * length), min(stop, (block + 1) * length)
        turns = _draw_turns(length, terms, seed, block)
        yield slice(first - start, last - start), turns[first - block * length : last - block * length]


@lru_cache(maxsize=16)  # series of one length share their phases, and drawing them is most of the work
def _draw_turns(length: int, terms: int, seed: int, block: int) -> np.ndarray:
    """Random numbers (length, terms) on the complex unit circle: the directions of normal pairs."""
    pairs = np.random.default_rng([seed, block]).standard_normal((length, terms, 2))
    pairs /= np.sqrt(pairs[..., :1] ** 2 + pairs[..., 1:] ** 2)
    turns = pairs.view(complex)[..., 0]
    turns.flags.writeable = False
    return turns
