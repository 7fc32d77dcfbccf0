"""Pooled scores of each run of an ensemble, all samples at once, with their mean and its interval over runs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr

from xdrought import alignment
from xdrought.kernels import score_sums as kernel
from xdrought.verification.intervals import LABELS
from xdrought.verification.paired_days import Forecast, by_site, collect_models, in_units_of

POOLED = ("rmse", "mse", "mae", "bias", "nse", "kge", "correlation")


def pooled_by_run(
    forecast: Forecast,
    observed: xr.DataArray,
    models: Mapping[str, xr.DataArray],
    beside: Mapping[str, xr.DataArray],
    truth: xr.DataArray,
    run: Hashable,
) -> dict[str, xr.DataArray]:
    """Scores (model, run) over all sites and days that every model and reference has; none without a dimension `run`.

    `models`, `beside` and `truth` are (site, time), from :func:`xdrought.verification.paired_days.prepare`. A forecast
    without runs and a reference are the same in each run; runs that a model does not have are NaN.
    """
    given = collect_models(forecast, observed)
    counts = {name: da.sizes.get(run, 1) for name, da in given.items()}
    if not any(run in da.dims for da in given.values()):
        return {}
    site, time = truth.dims
    scored = truth.notnull()
    for da in (*models.values(), *beside.values()):
        scored &= da.notnull()
    centre = float(truth.where(scored).mean())
    n_runs = max(counts.values())
    sums = np.zeros((len(models) + len(beside), n_runs, len(kernel.MOMENTS)))
    for row, (name, da) in enumerate({**models, **beside}.items()):
        has_runs = name in given and run in given[name].dims
        for k in range(counts[name] if has_runs else 1):
            member = in_units_of(by_site(given[name].isel({run: k}), site, time), truth) if has_runs else da
            member = alignment.with_dates_of(truth, member, time, what=repr(name)) if has_runs else member
            values = member.reindex_like(truth).where(scored).values
            daily = kernel.moments(values, truth.values, np.full(truth.shape, centre), centre)
            sums[row, slice(k, k + 1) if has_runs else slice(None)] = daily.sum(axis=(0, 1))
    scores = kernel.scores(sums, centre)
    labels = next(da[run] for da in given.values() if da.sizes.get(run) == n_runs)
    coords = {"model": [*models, *beside], "run": labels.values if run in labels.coords else np.arange(n_runs)}
    return {name: xr.DataArray(scores[name], coords, ("model", "run")) for name in POOLED}


def summarise_runs(scores: Mapping[str, xr.DataArray], confidence: float) -> xr.Dataset:
    """Scores (..., run) as ``NAME_run``, their mean ``NAME_run_mean`` and its interval ``NAME_run_interval``.

    The interval of the mean is Student's t over runs; NaN for a single run and for scores that do not differ by run.
    """
    from scipy.stats import t

    variables = {}
    for name, by_run in scores.items():
        attrs = {"long_name": f"{LABELS.get(name, name)} of all samples, by run", **by_run.attrs}
        mean, n = by_run.mean("run"), by_run.notnull().sum("run")
        error = by_run.std("run", ddof=1) / np.sqrt(n)
        reach = (t.ppf((1 + confidence) / 2, np.maximum(n - 1, 1)) * error).where((n > 1) & (error > 0))
        bounds = xr.concat([mean - reach, mean + reach], "bound").transpose(..., "bound")
        variables[f"{name}_run"] = by_run.assign_attrs(attrs)
        variables[f"{name}_run_mean"] = mean.assign_attrs(attrs, long_name=f"{attrs['long_name']}, mean")
        variables[f"{name}_run_interval"] = bounds.assign_attrs(
            attrs, long_name=f"{attrs['long_name']}, {confidence:.0%} interval of the mean over runs"
        )
    return xr.Dataset(variables, {"bound": ["lower", "upper"]} if variables else {})
