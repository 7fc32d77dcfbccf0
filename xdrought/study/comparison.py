"""Several configurations of a network trained, forecast and scored on the same days, and which differences hold.

Among them is the whole 2 x 2 x 2 ablation: residual encoder, attention and causality, each on or off.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment
from xdrought.causality.significance import false_discovery_control
from xdrought.choices import Part
from xdrought.public_functions import public
from xdrought.statistics import percentile_interval
from xdrought.statistics.bootstrap import bootstrap_medians, two_sided
from xdrought.study.result_cache import Member, open_cache, trained
from xdrought.verification.differences import HIGHER_IS_BETTER
from xdrought.verification.scores import summarise_runs, verify

SCORES = ("nse", "rmse", "kge")
# The paper's ablation, from the plain recurrence to the whole network, and its U-Net.
LADDER: dict[str, dict[str, Any]] = {
    name: {"variant": name} for name in ("Rec", "ResRec", "ResAttRec", "ResAttCauRec", "UNet")
}


@public
def compare(
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable] | None = None,
    *,
    configurations: Mapping[str, Mapping[str, Any]],
    runs: int = 5,
    seed: int = 0,
    part: Part = "test",
    cache_dir: str | Path | None = None,
    progress: bool = True,
    time: Hashable = "time",
    **settings: Any,
) -> xr.Dataset:
    """Train every configuration with several seeds and score it where all of them, and the references, have a value.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily data of sites, as :func:`xdrought.fit_resattcaurec` takes them.
    target, drivers
        As in :func:`xdrought.fit_resattcaurec`.
    configurations : mapping of str to mapping
        Name and keywords of :func:`xdrought.fit_resattcaurec`; those given here win over `settings`. `LADDER` holds
        the paper's ablation. All must have the same window, lead and split.
    runs, seed : int
        Networks of each configuration; run k has the same seed in all of them.
    part : {"test", "val", "train"}
        Which days are scored.
    cache_dir : str or pathlib.Path, optional
        A folder for the forecasts of each configuration (netCDF). What is there is read instead of trained, so a
        stopped call goes on where it was, within a configuration too. Other settings or data have files of their own.
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
        persistence and climatology, which are the same in every run. ``nse_run rmse_run kge_run`` (model, run) are the
        scores of all samples pooled, with ``_run_mean`` (model) and ``_run_interval`` (model, bound) over runs.
        ``is_reference`` (model), ``n_days`` (site).

    Raises
    ------
    ValueError
        Without a configuration, for configurations whose splits differ, and as :func:`xdrought.fit_resattcaurec`.

    Examples
    --------
    >>> from xdrought import open_dataset
    >>> from xdrought.study import compare, paired_differences
    >>> ds = open_dataset("us-ar1")
    >>> small = {"size": 1, "widths": (4, 4), "epochs": 1, "learning_rate": 1e-2}
    >>> result = compare(ds, "soil_moisture", ["TA_F", "P_F"], runs=2, progress=False,
    ...                 configurations={"Rec": {"variant": "Rec"}, "CauRec": {"variant": "CauRec"}}, **small)
    >>> result.model.values.tolist()
    ['Rec', 'CauRec', 'persistence', 'damped_persistence', 'climatology']
    """
    if not configurations:
        raise ValueError("no configuration was given; give e.g. configurations=xdrought.study.LADDER")
    from tqdm.auto import tqdm

    cache = open_cache(cache_dir, ds, target, drivers)
    members: dict[str, Member] = {}
    for name, own in tqdm(
        configurations.items(), desc="compare", unit="configuration", disable=None if progress else True
    ):
        keywords = {**settings, **own}
        members[name] = trained(cache, name, ds, target, drivers, runs=runs, seed=seed, time=time, **keywords)
        first = next(iter(members.values()))
        if not members[name].splits.ranges.equals(first.splits.ranges) or members[name].lead != first.lead:
            raise ValueError(f"configuration {name!r} has other splits than the first; compare them apart")
    return score_members(members, ds[target], part=part, time=time)


def score_members(
    members: Mapping[str, Member], observed: xr.DataArray, *, part: str = "test", time: Hashable = "time"
) -> xr.Dataset:
    """Scores of trained configurations on (model, run, site) beside their references, on the days that all have."""
    first = next(iter(members.values()))
    forecasts = {
        _member(name, run): forecast
        for name, member in members.items()
        for run, forecast in enumerate(member.runs(part, time))
    }
    train = first.splits.training_days(observed[time])
    scores = verify(forecasts, observed, train=train, lead=first.lead, n_boot=1, time=time)
    return _by_run(scores, list(members), first.forecast.sizes["run"], part)


def _member(name: str, run: int) -> str:
    return f"{name} run {run}"


def _by_run(scores: xr.Dataset, names: list[str], runs: int, part: str) -> xr.Dataset:
    """Members as (model, run); references are the same in each run."""
    references = scores["reference"].values.tolist()
    members = [[_member(name, run) for run in range(runs)] for name in names] + [[name] * runs for name in references]
    at = xr.DataArray(members, {"_model": [*names, *references], "run": np.arange(runs)})
    result = scores[list(SCORES)].sel(model=at).drop_vars("model").rename({"_model": "model"})
    is_reference = ("model", [False] * len(names) + [True] * len(references))
    pooled = scores[[f"{name}_summary" for name in SCORES]].sel(summary="pooled", drop=True).sel(model=at)
    pooled = pooled.drop_vars("model").rename({"_model": "model"})
    result = result.merge(summarise_runs({name: pooled[f"{name}_summary"] for name in SCORES}, confidence=0.95))
    result.attrs = {"part": part}  # intervals over sites come later, of differences
    return result.assign(is_reference=is_reference, n_days=scores["n_days"])


@public
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
        bootstrap ``p_value``, and ``p_value_adjusted`` (false-discovery rate over the rows, Benjamini-Hochberg). With
        a single site the interval is over runs only.

    Raises
    ------
    ValueError
        For an unknown score or baseline.

    Examples
    --------
    See :func:`compare`.
    """
    table, models = usable_table(scores, score)
    if baseline not in models:
        raise ValueError(f"no model {baseline!r}; choose one of {models}")
    others = [k for k, model in enumerate(models) if model != baseline]
    difference = table[others] - table[models.index(baseline)]
    by_site = table[others].mean(axis=1)
    medians = np.median(by_site, axis=1) if by_site.size else np.full(len(others), np.nan)
    columns = _with_intervals(difference, "difference", HIGHER_IS_BETTER[score], n_boot, confidence, seed)
    return pd.DataFrame({"median": medians, **columns}, index=pd.Index([models[k] for k in others], name="model"))


def _with_intervals(
    table: np.ndarray, name: str, higher_is_better: bool, n_boot: int, confidence: float, seed: int
) -> dict[str, Any]:
    """Median over sites of the runs' mean of differences (row, run, site), interval, better sites and p-values."""
    samples = bootstrap_medians(table, n_boot, seed)
    by_site = table.mean(axis=1)
    lower, upper = percentile_interval(samples, confidence)
    p_values = two_sided(samples, np.zeros(len(samples)))
    adjusted = false_discovery_control(xr.DataArray(p_values, dims="row"))
    return {
        name: np.median(by_site, axis=1) if by_site.size else np.full(len(by_site), np.nan),
        "lower": lower,
        "upper": upper,
        "better_sites": (by_site > 0).sum(axis=1) if higher_is_better else (by_site < 0).sum(axis=1),
        "sites": np.full(len(by_site), by_site.shape[1]),
        "p_value": p_values,
        "p_value_adjusted": adjusted.values,
    }


def usable_table(scores: xr.Dataset, score: str) -> tuple[np.ndarray, list[str]]:
    """A score (model, run, site) of the sites where every model and run has one, and the models."""
    if score not in scores:
        raise ValueError(f"no score {score!r}; choose one of {[str(s) for s in SCORES if s in scores]}")
    table = alignment.in_label_order(scores[score], ["site"]).transpose("model", "run", "site").values
    return table[..., np.isfinite(table).all(axis=(0, 1))], scores["model"].values.tolist()


PIECES = {"residual": "Res", "attention": "Att", "causality": "Cau"}
# All eight networks, from the plain recurrence to the whole one; the paper's ladder has four of them.
FACTORIAL: dict[str, dict[str, Any]] = {
    f"{residual}{attention}{causality}Rec": {"variant": f"{residual}{attention}{causality}Rec"}
    for residual, attention, causality in product(*(("", piece) for piece in PIECES.values()))
}


@public
def ablation(
    ds: xr.Dataset, target: Hashable, drivers: Sequence[Hashable] | None = None, **settings: Any
) -> xr.Dataset:
    """Train the eight networks that are the recurrence with or without residual encoder, attention and causality.

    Parameters
    ----------
    ds, target, drivers, **settings
        As in :func:`xdrought.study.compare`.

    Returns
    -------
    xarray.Dataset
        As from :func:`xdrought.study.compare`, for :func:`factorial_effects` and
        :func:`xdrought.study.paired_differences`.

    Raises
    ------
    ValueError
        As :func:`xdrought.study.compare`.

    Notes
    -----
    The paper takes its three pieces away one after the other (ResAttCauRec, ResAttRec, ResRec, Rec), so what a piece
    gives is only seen beside the pieces that are still there. Two of the eight networks have no published form:
    attention without a residual encoder. There the block with which each residual unit weighs its maps (Eq. 1-3)
    weighs the drivers' maps themselves, once, before the mean of the central cells that the plain recurrence reads:
    "AttRec" and "AttCauRec", 123 parameters more than "Rec" and "CauRec" with twelve drivers. On 1 x 1 patches
    (towers without maps) attention can only weigh drivers, and the residual encoder has no neighbours to look at.

    Examples
    --------
    >>> from xdrought.study import FACTORIAL
    >>> list(FACTORIAL)
    ['Rec', 'CauRec', 'AttRec', 'AttCauRec', 'ResRec', 'ResCauRec', 'ResAttRec', 'ResAttCauRec']
    """
    return compare(ds, target, drivers, configurations=FACTORIAL, **settings)


@public
def factorial_effects(
    scores: xr.Dataset, *, score: str = "nse", n_boot: int = 2000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """What each piece and each pair of them does to a score, over all networks of the 2 x 2 x 2 ablation.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`ablation`.
    score : str
        Which score.
    n_boot, confidence, seed
        As in :func:`xdrought.study.paired_differences`.

    Returns
    -------
    pandas.DataFrame
        A row for each of the three main effects, three interactions of two and that of all three: ``effect`` (median
        over sites of the runs' mean), ``lower upper``, ``better_sites`` and ``sites``, ``p_value`` and
        ``p_value_adjusted`` (false-discovery rate over the seven rows).

    Raises
    ------
    ValueError
        For an unknown score, or scores that lack one of the eight networks.

    Notes
    -----
    A main effect is, at each site and seed, the mean of the four networks with the piece less the mean of the four
    without. An interaction is half the difference between the effect of one piece with and without the other: above 0
    they help each other. These are the contrasts of a two-level factorial design (Yates 1937).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.study import FACTORIAL, factorial_effects
    >>> nse = np.array([0.1 * ("Res" in name) + 0.2 * ("Cau" in name) for name in FACTORIAL])
    >>> nse = np.broadcast_to(nse[:, None, None], (8, 2, 5))
    >>> scores = xr.Dataset({"nse": (("model", "run", "site"), nse)}, {"model": list(FACTORIAL), "site": range(5)})
    >>> factorial_effects(scores, n_boot=10).effect.round(3).tolist()
    [0.1, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0]
    """
    missing = [name for name in FACTORIAL if name not in scores["model"].values]
    if missing:
        raise ValueError(f"the scores lack {missing}; they come from xdrought.study.ablation")
    table = xr.DataArray(usable_table(scores.sel(model=list(FACTORIAL)), score)[0], dims=("model", "run", "site"))
    contrasts = _contrasts()
    names = contrasts["effect"].values.tolist()
    labelled = xr.dot(contrasts / (len(FACTORIAL) / 2), table, dim="model")
    effects = labelled.where(abs(labelled) >= 1e-12, 0.0).transpose("effect", "run", "site").values  # no rounding
    columns = _with_intervals(effects, "effect", True, n_boot, confidence, seed)
    return pd.DataFrame(columns, index=pd.Index(names, name="piece"))


def _contrasts() -> xr.DataArray:
    """+1 or -1 for each network (effect, model), with the names of the seven effects."""
    main = np.array([[1 if piece in name else -1 for name in FACTORIAL] for piece in PIECES.values()])
    rows: dict[str, np.ndarray] = {}
    for chosen in [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]:
        rows[" x ".join(list(PIECES)[k] for k in chosen)] = main[list(chosen)].prod(axis=0)
    return xr.DataArray(np.stack(list(rows.values())), {"effect": list(rows)}, ("effect", "model"))
