"""Scores of several models on the same days: by site, their median, pooled, and with bootstrap intervals."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xdrought.kernels import scores as kernel

LABELS = {
    "rmse": "root mean squared error",
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "bias": "mean error",
    "nse": "Nash-Sutcliffe efficiency",
    "kge": "Kling-Gupta efficiency",
    "correlation": "correlation",
    "anomaly_correlation": "correlation of anomalies from climatology",
    "skill": "skill, 1 - MSE / MSE of the reference",
}
SUMMARIES = ("median", "pooled")


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made; the settings are checked here."""

    n_boot: int
    confidence: float
    block: int
    seed: int
    caller: str

    def __post_init__(self) -> None:
        if self.n_boot < 1 or self.block < 1 or not 0 < self.confidence < 1:
            raise ValueError(
                f"{self.caller}: n_boot={self.n_boot}, block={self.block}, confidence={self.confidence}; the first two "
                f"must be 1 or more, confidence between 0 and 1"
            )


def score_tables(
    models: dict[str, xr.DataArray],
    references: dict[str, xr.DataArray],
    observed: xr.DataArray,
    bootstrap: Bootstrap,
) -> xr.Dataset:
    """The tidy Dataset of :func:`xdrought.verify`; all arrays are (site, time) on the same labels."""
    site, _ = observed.dims
    names = [*models, *references]
    values = np.stack([da.values for da in (*models.values(), *references.values())])  # (model, site, time)
    both = np.isfinite(values[: len(models)]).all(axis=0) & np.isfinite(observed.values)
    valid = both & np.isfinite(values).all(axis=0)
    _warn_without_references(both, valid, observed[site].values, bootstrap.caller)
    centre = float(observed.values[valid].mean()) if valid.any() else 0.0
    normal = references["climatology"].values if "climatology" in references else np.full(valid.shape, np.nan)
    daily = kernel.moments(np.where(valid, values, np.nan), observed.values, normal, centre)
    resampled, what = _resample(daily, bootstrap)
    reference_at = [names.index(name) for name in references]
    by_site, summary = _scores(daily.sum(axis=2), centre, reference_at)
    samples = None if resampled is None else _scores(resampled, centre, reference_at)[1]
    if "climatology" not in references:
        del summary["anomaly_correlation"]
    variables: dict[str, tuple] = {}
    for name, values_of in summary.items():
        dims = ("reference", "model") if name == "skill" else ("model",)
        attrs = {"long_name": LABELS[name], "units": _units(name, observed)}
        variables[name] = ((*dims, site), by_site[name], attrs)
        variables[f"{name}_summary"] = ((*dims, "summary"), values_of, attrs)
        interval = _interval(samples[name] if samples else None, values_of.shape, bootstrap.confidence)
        variables[f"{name}_interval"] = ((*dims, "summary", "bound"), interval, attrs)
    variables |= _counts(site, valid, both)
    coords = {"model": names, "reference": list(references), "summary": list(SUMMARIES), "bound": ["lower", "upper"]}
    of_site = {name: coord for name, coord in observed.coords.items() if set(coord.dims) <= {site}}
    return xr.Dataset(variables, {**of_site, **coords}, {"interval": what})


def _counts(site: Hashable, valid: np.ndarray, both: np.ndarray) -> dict[str, tuple]:
    return {
        "n_days": (site, valid.sum(axis=1), {"long_name": "days scored", "units": "1"}),
        "n_forecast_days": (
            site,
            both.sum(axis=1),
            {"long_name": "days with forecast and observation", "units": "1"},
        ),
    }


def _units(name: str, observed: xr.DataArray) -> str:
    """Units of a score; unknown ("") where the observation has none."""
    found = str(observed.attrs.get("units", ""))
    if name == "mse":
        return f"({found})^2" if found else ""
    return found if name in ("rmse", "mae", "bias") else "1"


def _warn_without_references(both: np.ndarray, valid: np.ndarray, sites: np.ndarray, caller: str) -> None:
    lost = both.any(axis=1) & ~valid.any(axis=1)
    if lost.any():
        warnings.warn(
            f"{caller}: sites {sites[lost].tolist()} have forecasts but no day that all references share, so their "
            f"scores are NaN; give the observation before the forecast, or the training part with train=...",
            stacklevel=4,
        )


def _resample(daily: np.ndarray, bootstrap: Bootstrap) -> tuple[np.ndarray | None, str]:
    """Moments of the units of each bootstrap sample (model, n_boot, unit, moment), and what was drawn in words."""
    sums, share = daily.sum(axis=2), f"{bootstrap.confidence * 100:g} % bootstrap of"
    scored = np.flatnonzero(sums[0, :, 0] > 0)
    if scored.size == 0:
        return None, "no interval: no day could be scored"
    if scored.size > 1:
        drawn = kernel.draw(scored.size, bootstrap.n_boot, bootstrap.seed)
        return sums[:, scored][:, drawn], f"{share} {scored.size} sites"
    pieces = kernel.blocks(daily[:, scored[0]], bootstrap.block)
    pieces = pieces[:, pieces[0, :, 0] > 0]
    if pieces.shape[1] < 2:
        return None, f"no interval: one site, all in one block of {bootstrap.block} steps; use a smaller block"
    drawn = kernel.draw(pieces.shape[1], bootstrap.n_boot, bootstrap.seed)
    return pieces[:, drawn].sum(axis=2, keepdims=True), f"{share} blocks of {bootstrap.block} steps in time, one site"


def _interval(samples: np.ndarray | None, shape: tuple[int, ...], confidence: float) -> np.ndarray:
    """Bounds (..., summary, 2) of samples (..., n_boot, summary)."""
    if samples is None:
        return np.full((*shape, 2), np.nan)
    return kernel.bounds(np.moveaxis(samples, -1, -2), confidence)


def _scores(
    sums: np.ndarray, centre: float, reference_at: list[int]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Scores of each unit (model, ..., unit), and their median and pooled value (model, ..., 2).

    Skill has a leading axis of references. The same draw serves all models, so differences are paired.
    """
    single, pooled = kernel.scores(sums, centre), kernel.scores(sums.sum(axis=-2), centre)
    for group in (single, pooled):
        mse = group["mse"]
        group["skill"] = np.stack([kernel.skill(mse, mse[at]) for at in reference_at])
    return single, {name: np.stack([kernel.median(single[name]), pooled[name]], axis=-1) for name in single}
