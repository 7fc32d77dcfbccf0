"""Which of several forecasts is better: paired differences on the same days, the same draws, many tests at once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.calendars import Period
from xdrought.choices import Matching, Part
from xdrought.kernels import score_sums as kernel
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics import bootstrap as resampling
from xdrought.statistics.hypothesis_tests import FDR, Fdr, adjusted
from xdrought.verification import paired_days
from xdrought.verification.intervals import Bootstrap, Sums, collect_sums, resample
from xdrought.verification.paired_days import REFERENCES, Forecast
from xdrought.verification.references import Lead

HIGHER_IS_BETTER = {name: name not in kernel.ERRORS for name in kernel.SCORES if name != "bias"}


@public
@recorded
def compare_models(
    forecast: Forecast,
    observed: xr.DataArray,
    *,
    score: str | Iterable[str] = "nse",
    baseline: str | None = None,
    fdr: Fdr | None = "bh",
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
) -> pd.DataFrame:
    """Paired differences of scores between models and references, with intervals, p-values and wins.

    Parameters
    ----------
    forecast, observed, references, drivers, matching, lead, train, part, window
        As in :func:`xdrought.verify`.
    n_boot, confidence, block_length, seed, site, time, run
        As in :func:`xdrought.verify`.
    score : str or iterable of str
        Of ``rmse mse mae nse kge correlation anomaly_correlation``. Bias has no better direction.
    baseline : str, optional
        A model, reference or driver that all others are compared with; by default every pair is compared.
    fdr : {"bh", "by", "holm", None}
        How the p-values of one score and summary are adjusted for their number. "bh" (Benjamini and Hochberg) and "by"
        (Benjamini and Yekutieli, under any dependence) control the expected share of wrong ones among the differences
        called real, "holm" the chance that any of them is wrong. None adjusts nothing.

    Returns
    -------
    pandas.DataFrame
        A row for each score, summary ("median" over sites of the sites' differences, "pooled" difference of the scores
        of all days) and pair: ``score summary model other difference lower upper p_value p_value_adjusted
        better_sites worse_sites sites``. The difference is `model` less `other`; better is higher for efficiencies
        and correlations, lower for errors.

    Raises
    ------
    ValueError
        For unknown scores, `fdr` or baselines, and as :func:`xdrought.verify`.

    Notes
    -----
    Both scores of a pair come from the same drawn sites and days, so what makes a site or a season hard for all
    cancels. Intervals and p-values agree: a p-value is below 0.05 when the 95 % interval leaves zero out. How often
    they are right is in the documentation, page "Verification".

    References
    ----------
    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x; Holm 1979, Scand. J. Statist. 6, 65-70.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import compare_models
    >>> rng, days = np.random.default_rng(0), pd.date_range("2001-01-01", periods=1000)
    >>> obs = xr.DataArray(30 + np.cumsum(rng.standard_normal(1000)), {"time": days})
    >>> both = {"sharp": obs[700:] + rng.standard_normal(300), "blunt": obs[700:] + 3 * rng.standard_normal(300)}
    >>> result = compare_models(both, obs, score="rmse", baseline="blunt", lead=7, n_boot=200)
    >>> row = result.set_index(["summary", "model"]).loc[("pooled", "sharp")]
    >>> bool(row.upper < 0), int(row.better_sites), int(row.sites)
    (True, 1, 1)
    """
    chosen = _check_scores(score, fdr)
    if part is not None:
        checks.require_choice(part, "part", paired_days.PARTS)
    bootstrap = Bootstrap(n_boot, confidence, block_length, seed)
    models, beside, truth = paired_days.prepare(
        paired_days.days_of_part(forecast, part, time)[0],
        observed,
        references=references,
        drivers=drivers,
        matching=matching,
        lead=lead,
        train=train,
        window=window,
        site=site,
        time=time,
        run=run,
    )
    sums = collect_sums(models, beside, truth, bootstrap)
    pairs = _pairs(sums.names, baseline)
    differ = partial(_differences, centre=sums.centre, pairs=np.array(pairs), scores=chosen)
    frame = pd.concat(_rows(sums, bootstrap, differ, pairs), ignore_index=True)
    families = frame.groupby(["score", "summary"], sort=False)["p_value"]
    frame["p_value_adjusted"] = families.transform(lambda p: adjusted(p.to_numpy(dtype=float), fdr))
    return WholeTable(frame[COLUMNS])


class WholeTable(pd.DataFrame):
    """A table that is printed with every column, below each other where 80 characters do not hold them all."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return WholeTable

    def __repr__(self) -> str:
        with pd.option_context("display.max_columns", None, "display.width", 80):
            return super().__repr__()


COLUMNS = [
    "score",
    "summary",
    "model",
    "other",
    "difference",
    "lower",
    "upper",
    "p_value",
    "p_value_adjusted",
    "better_sites",
    "worse_sites",
    "sites",
]


def _check_scores(score: str | Iterable[str], fdr: str | None) -> tuple[str, ...]:
    chosen = (score,) if isinstance(score, str) else tuple(score)
    if not chosen or not set(chosen) <= set(HIGHER_IS_BETTER):
        raise ValueError(f"score={chosen}; choose from {list(HIGHER_IS_BETTER)}")
    checks.require_choice(fdr, "fdr", FDR)
    return chosen


def _pairs(names: list[str], baseline: str | None) -> list[tuple[int, int]]:
    """Positions of both of each pair."""
    if baseline is None:
        return list(combinations(range(len(names)), 2))
    if baseline not in names:
        raise ValueError(f"no model or reference {baseline!r}; choose one of {names}")
    at = names.index(baseline)
    return [(k, at) for k in range(len(names)) if k != at]


def _differences(sums: np.ndarray, centre: float, pairs: np.ndarray, scores: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Score differences (pair, ...) of sums (model, ..., 13)."""
    found = kernel.scores(sums, centre)
    return {name: found[name][pairs[:, 0]] - found[name][pairs[:, 1]] for name in scores}


def _rows(
    sums: Sums, bootstrap: Bootstrap, differ: resampling.Statistic, pairs: list[tuple[int, int]]
) -> list[pd.DataFrame]:
    """A table for each score and summary."""
    drawn = resample(sums.blocks, bootstrap, differ, differ)
    by_site, pooled = differ(sums.by_site), differ(sums.by_site.sum(axis=1))
    nothing = np.full((len(pairs), 2), np.nan)
    tables = []
    for name, of_site in by_site.items():
        sign = 1 if HIGHER_IS_BETTER[name] else -1
        known = {
            "score": name,
            "model": [sums.names[one] for one, _ in pairs],
            "other": [sums.names[other] for _, other in pairs],
            "better_sites": (sign * of_site > 0).sum(axis=1),
            "worse_sites": (sign * of_site < 0).sum(axis=1),
            "sites": np.isfinite(of_site).sum(axis=1),
        }
        for summary, value in (("median", kernel.median(of_site)), ("pooled", pooled[name])):
            bounds, p_value = nothing, nothing[:, 0]
            if drawn is not None and summary == "median" and drawn.medians:
                n_sites = len(drawn.by_site)
                bounds = resampling.percentile_bounds(drawn.medians[name], bootstrap.confidence, n_sites)
                p_value = resampling.percentile_p_value(drawn.medians[name], n_sites)
            elif drawn is not None:
                bounds = resampling.studentised_bounds(drawn.pooled[name], bootstrap.confidence)
                p_value = resampling.studentised_p_value(drawn.pooled[name])
            found = {"summary": summary, "difference": value, "lower": bounds[:, 0], "upper": bounds[:, 1]}
            tables.append(pd.DataFrame(known | found | {"p_value": p_value}))
    return tables
