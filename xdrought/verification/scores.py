"""Scores of forecasts, never alone: persistence and climatology stand beside them, on the same days."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks
from xdrought.calendars import Period
from xdrought.choices import Matching, Part, ScoreSummary
from xdrought.events.table import table_to_read
from xdrought.kernels import score_sums as kernel
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.verification import paired_days
from xdrought.verification.contingency import class_scores
from xdrought.verification.differences import WholeTable
from xdrought.verification.distributions import as_points, distribution_scores
from xdrought.verification.groups import for_each_lead, has_leads
from xdrought.verification.intervals import LABELS, Bootstrap, collect_sums, score_tables
from xdrought.verification.paired_days import REFERENCES, Forecast, by_site, collect_models, in_units_of
from xdrought.verification.references import Lead

SCORES_READ = ("rmse", "nse", "kge", "skill")

__all__ = ["class_scores", "generalization_ability", "to_table", "verify"]


@public
@recorded
def verify(
    forecast: Forecast,
    observed: xr.DataArray,
    *,
    references: Iterable[str] = REFERENCES,
    drivers: Mapping[str, xr.DataArray] | None = None,
    matching: Matching | None = None,
    lead: Lead = None,
    train: Period | None = None,
    part: Part | None = "test",
    window: int = 15,
    n_boot: int = 1000,
    confidence: float = 0.95,
    block_length: int | None = None,
    seed: int = 0,
    site: Hashable = "site",
    time: Hashable = "time",
    run: Hashable = "run",
) -> xr.Dataset:
    """Scores of a forecast per site, their median and pooled, beside its references on exactly the same days.

    Parameters
    ----------
    forecast : xarray.DataArray, xarray.Dataset or mapping of DataArrays
        ([site,] time[, run]) at the valid time, or ([site,] init_time, lead_time[, run]). A Dataset is
        searched for the observation's name; a mapping
        compares several models, which are named by its keys. Runs are averaged (ensemble mean). Computed at once.
    observed : xarray.DataArray
        ([site,] time); should be longer than the forecast: the training part and the days of issue. A forecast in
        other units is converted to those of the observation.
    references : iterable of {"persistence", "damped_persistence", "climatology"}
        At least one. Persistence is the observation on the day of issue; climatology the mean around the day of
        year in the training part; damped persistence the anomaly on the day of issue, shrunk as in the training
        part. A day counts only if every model, reference and driver has it.
    drivers : mapping of str to DataArray, optional
        Further references by name, ([site,] time), e.g. ``{"ERA5 soil water": ds["swvl1"]}``. What counts is the value
        at the valid time, so a reanalysis has seen the day that it is asked about; for its value on the day of issue
        give ``persistence_forecast(driver, forecast)``. Units are converted; a driver without units is refused.
    matching : {None, "mean_variance"}
        How drivers are brought to the scale of the observation: not at all, or with
        :func:`xdrought.verification.mean_variance_matching` by the training part.
    lead : int, timedelta64 or Timedelta, optional
        Days (or time) from issue to valid time; by default from ``init_time(time)`` or ``lead_time``.
    train : slice, (start, end) or boolean xarray.DataArray, optional
        Training part for the climatology: dates, or a mask on the observation. By default everything observed up
        to each site's first day of issue.
    part : {"test", "val", "train"} or None
        Days that are scored of a forecast that says what part each day belongs to, as that of
        :func:`xdrought.predict` does; None for all. By default one that does not say it, or that has no value on its
        test days because it was cut before, is scored as it is. Attribute `part` says what was scored.
    window : int
        Half width of the climatology's day-of-year window, in days.
    n_boot : int
        Bootstrap samples: sites are drawn, and blocks of days within each.
    confidence : float
        Confidence level of the intervals, between 0 and 1.
    block_length : int, optional
        Length of the blocks of days, in steps; should span what today's error knows of later ones. By default a
        twelfth of a site's record, from its first to its last scored day, and 30 steps at least.
    seed : int
        For the bootstrap.
    site, time, run : hashable
        Names of dimensions.

    Returns
    -------
    xarray.Dataset
        Each of ``rmse mse mae bias nse kge correlation anomaly_correlation`` on (model, site), with ``_summary`` on
        (model, summary) for the median over sites and all days pooled, ``_interval`` on (model, summary, bound) and
        ``_site_interval`` on (model, site, bound).
        ``skill = 1 - mse / mse of the reference`` on (reference, model, site), also with summary and intervals.
        For forecasts with `run`, the pooled score of each run, ``rmse_run`` and so on (model, run), all samples at
        once, with ``_run_mean`` (model) and ``_run_interval`` (model, bound), Student's t over runs.
        `n_days` (site) counts the days that were scored, `n_forecast_days` those with forecast and observation.
        Attribute `interval` says what was resampled, or why the intervals are NaN. Models come first, references last.

        Of a forecast with `quantile` or `member` these are scores of the median or the mean, and beside them there are,
        on `distribution` (the models that give one): ``crps`` (site) and ``crps_summary``, ``crps_reference`` of damped
        persistence dressed with its errors, ``crps_skill`` between the two with ``_summary`` and the ``_interval`` of
        its median over sites, and of quantiles the ``coverage`` (interval_level, site) of central intervals,
        ``coverage_pooled``, and ``pit`` (pit_bin), the observed over the expected share of days between two quantiles,
        1 where the forecast is right.
        Of a forecast for several leads everything is on `lead_time`, too: each lead is scored by itself.

    Raises
    ------
    TypeError
        When the observation is not a DataArray.
    ValueError
        For missing dimensions or sites, unknown or no references, an unknown lead, or settings out of range.

    Warns
    -----
    UserWarning
        When a site has a forecast but no day that its references share.

    Notes
    -----
    RMSE, MSE, NSE and KGE are Tang et al. 2025, Eq. 10 to 12; the scores of the paper's headline, of all samples by
    run, are ``nse_run_mean`` and its kin. A score is NaN where undefined (constant observation).

    Intervals of a site and of the pool are studentised (symmetric bootstrap-t) on a scale without ends, those of the
    median expanded percentile intervals of drawn sites. A site's says how well its score is known from these days;
    those of median and pool, what other sites of the same kind on other days would give. How often they hold the true
    score was measured, see the documentation, page "Verification". Sites are taken as independent: errors that many
    share on the same day make the intervals of median and pool too narrow.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import verify
    >>> days = pd.date_range("2001-01-01", periods=1000)
    >>> obs = xr.DataArray(30 + np.cumsum(np.random.default_rng(0).standard_normal(1000)), {"time": days})
    >>> scores = verify(0.9 * obs[700:] + 3, obs, lead=7, n_boot=100)
    >>> scores["model"].values.tolist()
    ['forecast', 'persistence', 'damped_persistence', 'climatology']
    >>> scores.attrs["interval"]
    '95 % block bootstrap of one site, blocks of 1/12 of a record, 30 steps or more'
    """
    several = forecast.values() if isinstance(forecast, dict) else [forecast]
    if part is not None:
        checks.require_choice(part, "part", paired_days.PARTS)
    days: dict[str, Any] = {"lead": lead, "train": train, "window": window, "site": site, "time": time, "run": run}
    compared: dict[str, Any] = {"references": references, "drivers": drivers, "matching": matching}
    if any(has_leads(model) for model in several):
        drawn: dict[str, Any] = {"n_boot": n_boot, "confidence": confidence, "block_length": block_length, "seed": seed}
        drawn["part"] = part
        return for_each_lead(forecast, time, lambda one: verify(one, observed, **days, **compared, **drawn))
    bootstrap = Bootstrap(n_boot, confidence, block_length, seed)
    tested, scored = paired_days.days_of_part(forecast, part, time)
    points = as_points(tested)
    models, beside, truth = paired_days.prepare(points, observed, **compared, **days)
    result = score_tables(collect_sums(models, beside, truth, bootstrap), truth, bootstrap)
    by_run = pooled_by_run(points, observed, models, beside, truth, run)
    by_run = {name: scores.assign_attrs(units=result[name].attrs["units"]) for name, scores in by_run.items()}
    first = next(iter(paired_days.collect_models(points, observed).values()))
    result = alignment.in_order_of(result, first, [site])
    settings = {"n_boot": n_boot, "confidence": confidence, "seed": seed, "climatology_window": window, "part": scored}
    spread = distribution_scores(tested, observed, bootstrap, **days)
    if spread:
        result = result.assign(spread.reindex({site: result[site]}).variables)
    return result.assign(summarise_runs(by_run, confidence).variables).assign_attrs(settings)


@public
@recorded
def generalization_ability(training: xr.Dataset, test: xr.Dataset) -> xr.Dataset:
    """Generalization ability: RMSE of the training part over RMSE of the test part; 1 is ideal, less is overfitting.

    Parameters
    ----------
    training, test : xarray.Dataset
        From :func:`xdrought.verify`, of the same models.

    Returns
    -------
    xarray.Dataset
        `ga` (model, site) and `ga_summary` (model, summary): the median over sites, and the ratio of pooled RMSE. For
        scores with `run`, `ga_run` (model, run), the ratio of pooled RMSE of each run, with `ga_run_mean` (model) and
        `ga_run_interval` (model, bound).

    Raises
    ------
    ValueError
        When the two were not made by :func:`xdrought.verify`, or have other models or sites.

    References
    ----------
    Gorgij et al. 2023; Tang et al. 2025, Eq. 13.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.verification import generalization_ability
    >>> def scores(rmse):
    ...     return xr.Dataset(
    ...         {"rmse": (("model", "site"), [[rmse]]), "rmse_summary": (("model", "summary"), [[rmse, rmse]])},
    ...         {"model": ["net"], "site": ["AT-Neu"], "summary": ["median", "pooled"]},
    ...     )
    >>> generalization_ability(scores(2.0), scores(4.0)).ga.values
    array([[0.5]])
    """
    for scores in (training, test):
        checks.require_variables(scores, ("rmse", "rmse_summary"), "the scores lack", "xdrought.verify")
    try:
        if "site" in test.indexes and set(test.indexes["site"]) == set(training.indexes.get("site", ())):
            test = test.sel(site=training["site"])
        training, test = xr.align(training, test, join="exact")
    except ValueError as error:
        raise ValueError("the two results have different models or sites; choose the same of both with .sel") from error
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = training["rmse"] / test["rmse"]
        pooled = training["rmse_summary"].sel(summary="pooled") / test["rmse_summary"].sel(summary="pooled")
    over = [dim for dim in ratio.dims if dim != "model"]
    summary = xr.concat([ratio.median(over).assign_coords(summary="median"), pooled], "summary").transpose("model", ...)
    attrs = {"long_name": "generalization ability (RMSE of training over RMSE of test)", "units": "1"}
    result = alignment.dataset_of({"ga": ratio.assign_attrs(attrs), "ga_summary": summary.assign_attrs(attrs)})
    if "rmse_run" not in training or "rmse_run" not in test:
        return result
    by_run = (training["rmse_run"] / test["rmse_run"]).assign_attrs(attrs)
    return result.merge(summarise_runs({"ga": by_run}, float(test.attrs.get("confidence", 0.95))))


@public
def to_table(
    scores: xr.Dataset,
    *,
    names: Iterable[str] | None = None,
    summary: ScoreSummary = "median",
    digits: int = 2,
) -> pd.DataFrame:
    """Scores, or events, as a table to print: a row per model, each score with its interval, or a row per event.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.verify`, or events from :func:`xdrought.flash_drought_events`.
    names : iterable of str, optional
        Which scores, by default rmse, nse, kge and skill; "skill" gives a column for each reference. Of events, which
        columns beside the place; by default those that say what an event is, twelve in all with the place.
    summary : {"median", "pooled"}
        Over sites, or over all days of all sites; of scores only.
    digits : int
        Decimals.

    Returns
    -------
    pandas.DataFrame
        Of scores strings such as "0.62 (0.55 to 0.70)"; without an interval the value alone. Of events numbers and
        dates; everything that the Dataset holds is in its ``.to_dataframe()``. Columns that do not fit on 80
        characters are printed below each other.

    Raises
    ------
    ValueError
        For an unknown score, column or summary.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought import to_table
    >>> coords = {"model": ["net"], "summary": ["median"], "bound": ["lower", "upper"]}
    >>> values = {
    ...     "nse_summary": (("model", "summary"), [[0.618]]),
    ...     "nse_interval": (("model", "summary", "bound"), [[[0.55, 0.7]]]),
    ... }
    >>> to_table(xr.Dataset(values, coords), names=["nse"])
                           nse
    model
    net    0.62 (0.55 to 0.70)
    """
    if "event" in scores.dims and "start_time" in scores.variables:
        return WholeTable(table_to_read(scores, names, digits))
    checks.require_variables(scores, ("summary",), "the scores lack", "xdrought.verify")
    checks.require_choice(summary, "summary", scores["summary"].values.tolist())
    columns = {}
    for name in names or SCORES_READ:
        if f"{name}_summary" not in scores:
            known = sorted(str(one).removesuffix("_summary") for one in scores if str(one).endswith("_summary"))
            raise ValueError(f"no score {name!r}; choose from {known}")
        value = scores[f"{name}_summary"].sel(summary=summary)
        interval = scores[f"{name}_interval"].sel(summary=summary)
        if name != "skill":
            columns[name] = _cells(value, interval, digits)
            continue
        for reference in scores["reference"].values:
            at = {"reference": reference}
            columns[f"skill against {reference}"] = _cells(value.sel(at), interval.sel(at), digits)
    return WholeTable(columns, index=pd.Index(scores["model"].values, name="model"))


def _cells(value: xr.DataArray, interval: xr.DataArray, digits: int) -> list[str]:
    cells = []
    for one, (low, high) in zip(value.values, interval.transpose("model", "bound").values, strict=True):
        text = f"{one:.{digits}f}"
        cells.append(f"{text} ({low:.{digits}f} to {high:.{digits}f})" if np.isfinite([low, high]).all() else text)
    return cells


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
