"""Scores of several models on the same days: by site, their median, pooled, and with bootstrap intervals."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from xdrought.kernels import bootstrap as intervals
from xdrought.kernels import scores as kernel
from xdrought.verification.resampling import Bootstrap, Resampled, Sums, in_words, resample

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


def score_tables(sums: Sums, observed: xr.DataArray, bootstrap: Bootstrap) -> xr.Dataset:
    """The tidy Dataset of :func:`xdrought.verify`."""
    site, _ = observed.dims
    plain = partial(_scores, centre=sums.centre, reference_at=sums.reference_at)
    drawn = resample(sums.blocks, bootstrap, plain, partial(_unbounded, plain))
    by_site = plain(sums.by_site)
    pooled = plain(sums.by_site.sum(axis=1))
    if not sums.has_climatology:
        del by_site["anomaly_correlation"]
    variables: dict[str, tuple] = {}
    for name, of_site in by_site.items():
        dims: tuple[str, ...] = ("model",)
        shape: tuple[int, ...] = (len(sums.names),)
        if name == "skill":
            dims, shape = ("reference", *dims), (len(sums.reference_at), *shape)
        attrs = {"long_name": LABELS[name], "units": _units(name, observed)}
        summary = np.stack([kernel.median(of_site), pooled[name]], axis=-1)
        about = {"": of_site, "_summary": summary}
        about["_interval"] = _summary_intervals(name, drawn, summary, bootstrap)
        about["_site_interval"] = _site_intervals(name, drawn, of_site, bootstrap)
        ends = {"": (site,), "_summary": ("summary",), "_interval": ("summary", "bound")}
        ends["_site_interval"] = (site, "bound")
        for suffix, values in about.items():
            variables[name + suffix] = ((*dims, *ends[suffix]), values.reshape(*shape, *values.shape[1:]), attrs)
    counts = {
        "n_days": (sums.by_site[0, :, 0].astype(int), "days scored"),
        "n_forecast_days": (sums.n_forecast_days, "days with forecast and observation"),
    }
    variables |= {name: (site, count, {"long_name": text, "units": "1"}) for name, (count, text) in counts.items()}
    references = sums.names[sums.n_models :]
    coords = {"model": sums.names, "reference": references, "summary": list(SUMMARIES), "bound": ["lower", "upper"]}
    places = {name: coord for name, coord in observed.coords.items() if set(coord.dims) <= {site}}
    return xr.Dataset(variables, {**places, **coords}, {"interval": in_words(sums.blocks, bootstrap)})


def _scores(sums: np.ndarray, centre: float, reference_at: list[int]) -> dict[str, np.ndarray]:
    """Scores (model, ...) of sums (model, ..., 13); skill is (reference * model, ...), references slowest."""
    found = kernel.scores(sums, centre)
    found["skill"] = np.concatenate([kernel.skill(found["mse"], found["mse"][at]) for at in reference_at])
    return found


def _unbounded(plain: intervals.Statistic, sums: np.ndarray) -> dict[str, np.ndarray]:
    return {name: kernel.unbounded(name, score) for name, score in plain(sums).items()}


def _bounds(name: str, found: intervals.Studentised, confidence: float) -> np.ndarray:
    """Interval (row, 2) of a score, lower bound first."""
    return np.sort(kernel.bounded(name, intervals.studentised_bounds(found, confidence)), axis=-1)


def _summary_intervals(name: str, drawn: Resampled | None, summary: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Intervals (row, summary, 2) of the median over sites and of all days pooled."""
    if drawn is None:
        return np.full((*summary.shape, 2), np.nan)
    pooled = _bounds(name, drawn.pooled[name], bootstrap.confidence)
    if not drawn.medians:
        return np.stack([pooled, pooled], axis=1)
    medians = intervals.percentile_bounds(drawn.medians[name], bootstrap.confidence, len(drawn.by_site))
    return np.stack([medians, pooled], axis=1)


def _site_intervals(name: str, drawn: Resampled | None, of_site: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Intervals (row, site, 2) of each site."""
    found = np.full((*of_site.shape, 2), np.nan)
    for k, statistics in (drawn.by_site if drawn else {}).items():
        found[:, k] = _bounds(name, statistics[name], bootstrap.confidence)
    return found


def _units(name: str, observed: xr.DataArray) -> str:
    """Units of a score; unknown ("") where the observation has none."""
    found = str(observed.attrs.get("units", ""))
    if name == "mse":
        return f"({found})^2" if found else ""
    return found if name in ("rmse", "mae", "bias") else "1"
