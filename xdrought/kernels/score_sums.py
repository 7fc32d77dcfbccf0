"""Scores of forecasts from sums: sums add up over days and sites, so pooling and resampling cost nothing."""

from __future__ import annotations

import numpy as np

# sums over days, the last axis of all arrays of moments here; f forecast, o observation, each less a common centre;
# a, b their anomalies from climatology
MOMENTS = ("n", "f", "o", "ff", "oo", "fo", "error2", "error1", "a", "b", "aa", "bb", "ab")
SCORES = ("rmse", "mse", "mae", "bias", "nse", "kge", "correlation", "anomaly_correlation")
PLAIN = ("bias",)  # scores that are already on a scale without an end
CORRELATIONS = ("correlation", "anomaly_correlation")
ERRORS = ("rmse", "mse", "mae")  # from 0; all others end at 1
CONSTANT = 1e-13  # variance below this share of the mean square is rounding


def moments(forecast: np.ndarray, observed: np.ndarray, climatology: np.ndarray, centre: float) -> np.ndarray:
    """The sums of each day, (..., time) -> (..., time, 13); zero on days without forecast or observation.

    Days without climatology count in all sums but those of anomalies, which become NaN.
    """
    there = np.isfinite(forecast) & np.isfinite(observed)
    f, o, c = (np.where(there, values - centre, 0.0) for values in (forecast, observed, climatology))
    e, a, b = f - o, f - c, o - c
    return np.stack(
        [there.astype(np.float64), f, o, f * f, o * o, f * o, e * e, np.abs(e), a, b, a * a, b * b, a * b], axis=-1
    )


def scores(sums: np.ndarray, centre: float) -> dict[str, np.ndarray]:
    """Every score of `SCORES` from moments (..., 13); NaN where undefined.

    RMSE, MSE, NSE and KGE are Tang et al. 2025, Eq. 10 to 12; standard deviations are those of the population.
    """
    n, f, o, ff, oo, fo, error2, error1, a, b, aa, bb, ab = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.where(n > 0, n, np.nan)
        mse = error2 / n
        var_f, var_o = _variance(ff, f, n), _variance(oo, o, n)
        r = (fo / n - (f / n) * (o / n)) / np.sqrt(var_f * var_o)
        anomaly_r = (ab / n - (a / n) * (b / n)) / np.sqrt(_variance(aa, a, n) * _variance(bb, b, n))
        mean_ratio = (f / n + centre) / (o / n + centre)
        kge = 1 - np.sqrt((r - 1) ** 2 + (np.sqrt(var_f / var_o) - 1) ** 2 + (mean_ratio - 1) ** 2)
        return {
            "rmse": np.sqrt(mse),
            "mse": mse,
            "mae": error1 / n,
            "bias": (f - o) / n,
            "nse": 1 - mse / var_o,
            "kge": np.where(np.isfinite(kge), kge, np.nan),
            "correlation": np.clip(r, -1, 1),
            "anomaly_correlation": np.clip(anomaly_r, -1, 1),
        }


def _variance(squares: np.ndarray, total: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Population variance; NaN where the values are constant to rounding."""
    variance = squares / n - (total / n) ** 2
    return np.where(variance > CONSTANT * squares / n, variance, np.nan)


def skill(mse: np.ndarray, reference_mse: np.ndarray) -> np.ndarray:
    """``1 - mse / reference_mse``; NaN where the reference makes no error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(reference_mse > 0, 1 - mse / reference_mse, np.nan)


def median(values: np.ndarray) -> np.ndarray:
    """Median over the last axis without NaN; NaN where nothing else is there."""
    some = np.isfinite(values).any(axis=-1, keepdims=True)
    found = np.nanmedian(np.where(some, values, 0.0), axis=-1)
    return np.where(some[..., 0], found, np.nan)


def unbounded(name: str, score: np.ndarray) -> np.ndarray:
    """A score on a scale without ends, on which its errors are about the same everywhere.

    The logarithm of errors, of one less efficiency or skill, and Fisher's z of correlations.
    """
    if name in PLAIN:
        return score
    with np.errstate(divide="ignore", invalid="ignore"):
        if name in CORRELATIONS:
            return np.arctanh(score)
        return np.log(score) if name in ERRORS else -np.log1p(-score)


def bounded(name: str, value: np.ndarray) -> np.ndarray:
    """Back from the scale of :func:`unbounded`."""
    if name in PLAIN:
        return value
    if name in CORRELATIONS:
        return np.tanh(value)
    with np.errstate(over="ignore"):  # the interval of a few sites may have no end
        return np.exp(value) if name in ERRORS else -np.expm1(-value)
