"""Several configurations of a network trained, forecast and scored on the same days, and which differences hold."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.causality.significance import false_discovery_control
from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.verification.scores import verify

SCORES = ("nse", "rmse", "kge")
# The paper's ablation, from the plain recurrence to the whole network, and its U-Net.
LADDER: dict[str, dict[str, Any]] = {
    name: {"variant": name} for name in ("Rec", "ResRec", "ResAttRec", "ResAttCauRec", "UNet")
}


def compare(
    ds: xr.Dataset,
    target: Hashable,
    features: Sequence[Hashable] | None = None,
    *,
    configurations: Mapping[str, Mapping[str, Any]],
    runs: int = 5,
    seed: int = 0,
    part: str = "test",
    progress: bool = True,
    time: Hashable = "time",
    **settings: Any,
) -> xr.Dataset:
    """Train every configuration with several seeds and score it where all of them, and the references, have a value.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily data of sites, as :func:`xdrought.fit_resattcaurec` takes them.
    target, features
        As in :func:`xdrought.fit_resattcaurec`.
    configurations : mapping of str to mapping
        Name and keywords of :func:`xdrought.fit_resattcaurec`; those given here win over `settings`. `LADDER` holds
        the paper's ablation. All must have the same window, lead and split.
    runs, seed : int
        Networks of each configuration; run k has the same seed in all of them.
    part : {"test", "val", "train"}
        Which days are scored.
    progress : bool
        Show a bar over the configurations.
    time : hashable
        The time dimension.
    **settings
        Keywords of :func:`xdrought.fit_resattcaurec` for all configurations.

    Returns
    -------
    xarray.Dataset
        ``nse rmse kge`` on (model, run, site); the models are the configurations and then persistence, damped
        persistence and climatology, which are the same in every run. ``is_reference`` (model), ``n_days`` (site).

    Raises
    ------
    ValueError
        Without a configuration, for configurations whose splits differ, and as :func:`xdrought.fit_resattcaurec`.

    Examples
    --------
    >>> from xdrought.data import open_dataset
    >>> from xdrought.study import compare, paired_differences
    >>> ds = open_dataset("us-ar1")
    >>> small = {"size": 1, "widths": (4, 4), "epochs": 1, "learning_rate": 1e-2}
    >>> found = compare(ds, "soil_moisture", ["TA_F", "P_F"], runs=2, progress=False,
    ...                 configurations={"Rec": {"variant": "Rec"}, "CauRec": {"variant": "CauRec"}}, **small)
    >>> found.model.values.tolist()
    ['Rec', 'CauRec', 'persistence', 'damped_persistence', 'climatology']
    """
    caller = "compare"
    if not configurations:
        raise ValueError(f"{caller}: no configuration was given; give e.g. configurations=xdrought.study.LADDER")
    from tqdm.auto import tqdm

    forecasts: dict[str, xr.DataArray] = {}
    splits = None
    for name, own in tqdm(configurations.items(), desc=caller, unit="configuration", disable=not progress):
        keywords = {**settings, **own}
        forecaster = fit_resattcaurec(ds, target, features, runs=runs, seed=seed, progress=False, time=time, **keywords)
        if splits is not None and not forecaster.splits.ranges.equals(splits.ranges):
            raise ValueError(f"{caller}: configuration {name!r} has other splits than the first; compare them apart")
        splits = forecaster.splits
        forecast = predict(ds, forecaster, time=time)[target]
        tested = forecast.where(splits.mask(part, forecast[time]))
        for run in range(runs):
            member = tested.isel(run=run, drop=True) if "run" in tested.dims else tested
            forecasts[_member(name, run)] = member
    assert splits is not None
    train = splits.training_days(ds[time])
    scores = verify(forecasts, ds[target], train=train, n_boot=1, time=time)
    return _by_run(scores, list(configurations), runs, part)


def _member(name: str, run: int) -> str:
    return f"{name} run {run}"


def _by_run(scores: xr.Dataset, names: list[str], runs: int, part: str) -> xr.Dataset:
    """Members as (model, run); references are the same in each run."""
    references = scores["reference"].values.tolist()
    members = [[_member(name, run) for run in range(runs)] for name in names] + [[name] * runs for name in references]
    at = xr.DataArray(members, {"_model": [*names, *references], "run": np.arange(runs)})
    found = scores[list(SCORES)].sel(model=at).drop_vars("model").rename({"_model": "model"})
    is_reference = ("model", [False] * len(names) + [True] * len(references))
    return found.assign(is_reference=is_reference, n_days=scores["n_days"]).assign_attrs(part=part)


def paired_differences(
    scores: xr.Dataset,
    baseline: str,
    *,
    score: str = "nse",
    n_boot: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Score of every model less that of a baseline, site by site and seed by seed, with a nested bootstrap.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`compare`.
    baseline : str
        A model or reference.
    score : str
        Which score.
    n_boot : int
        Bootstrap samples: sites are drawn, and runs within them, the same for both of a pair.
    confidence : float
        Of the percentile interval.
    seed : int
        For the bootstrap.

    Returns
    -------
    pandas.DataFrame
        One row per other model: ``median`` of the score over sites (of the runs' mean), ``difference`` (median over
        sites of the difference of the runs' means), ``lower upper``, ``better_sites`` and ``sites``, two-sided
        bootstrap ``p_value``, and ``adjusted_p_value`` (false-discovery rate over the rows, Benjamini-Hochberg). With
        a single site the interval is over runs only.

    Raises
    ------
    ValueError
        For an unknown score or baseline.

    Examples
    --------
    See :func:`compare`.
    """
    caller = "paired_differences"
    if score not in scores:
        raise ValueError(f"{caller}: no score {score!r}; choose one of {[str(s) for s in SCORES if s in scores]}")
    models = scores["model"].values.tolist()
    if baseline not in models:
        raise ValueError(f"{caller}: no model {baseline!r}; choose one of {models}")
    table = scores[score].transpose("model", "run", "site").values
    difference = table - table[models.index(baseline)]
    usable = np.isfinite(difference).all(axis=(0, 1))
    difference, table = difference[..., usable], table[..., usable]
    samples = _bootstrap(difference, n_boot, seed)
    tail = (1 - confidence) / 2
    rows = []
    for k, model in enumerate(models):
        if model == baseline:
            continue
        by_site = difference[k].mean(axis=0)
        low, high = np.quantile(samples[k], [tail, 1 - tail]) if by_site.size else (np.nan, np.nan)
        rows.append(
            {
                "model": model,
                "median": np.median(table[k].mean(axis=0)) if by_site.size else np.nan,
                "difference": np.median(by_site) if by_site.size else np.nan,
                "lower": low,
                "upper": high,
                "better_sites": int((by_site > 0).sum()),
                "sites": by_site.size,
                "p_value": _two_sided(samples[k]),
            }
        )
    frame = pd.DataFrame(rows).set_index("model")
    adjusted = false_discovery_control(xr.DataArray(frame["p_value"].to_numpy(), dims="model"))
    return frame.assign(adjusted_p_value=adjusted.values)


def _bootstrap(difference: np.ndarray, n_boot: int, seed: int) -> np.ndarray:
    """Median over drawn sites of the mean over drawn runs, (model, n_boot)."""
    n_model, n_run, n_site = difference.shape
    rng = np.random.default_rng(seed)
    found = np.full((n_model, n_boot), np.nan)
    if not n_site:
        return found
    for b in range(n_boot):
        sites, runs = rng.integers(n_site, size=n_site), rng.integers(n_run, size=(n_run, n_site))
        found[:, b] = np.median(difference[:, runs, sites].mean(axis=1), axis=-1)
    return found


def _two_sided(samples: np.ndarray) -> float:
    if not np.isfinite(samples).all():
        return float("nan")
    n = samples.size
    below, above = (int((samples <= 0).sum()), int((samples >= 0).sum()))
    return min(1.0, 2 * (1 + min(below, above)) / (1 + n))
