"""How well daily drought classes are forecast, beside what always saying the commonest class would get."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks
from xdrought.flags import flags_of
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics import bootstrap as resampling
from xdrought.verification.groups import By, for_each_group, with_references
from xdrought.verification.intervals import Bootstrap, in_words, resample


def _logit(share: np.ndarray) -> np.ndarray:
    return np.log(share) - np.log1p(-share)


def _from_logit(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


# scales without ends, there and back; all others are shares
SCALES = {"frequency_bias": (np.log, np.exp)} | dict.fromkeys(("sedi", "ets", "hss", "peirce"), (np.arctanh, np.tanh))
SHARE = (_logit, _from_logit)


def pooled_intervals(
    cells: xr.DataArray,
    statistic: resampling.Statistic,
    bootstrap: Bootstrap,
    site: Hashable,
    time: Hashable,
) -> tuple[dict[str, np.ndarray], str]:
    """Intervals (row, 2) of a statistic of the counts of all days, and in words what was drawn.

    `cells` (..., time, cell) is True in the cell of each day that counts; `statistic` takes counts (..., cell).
    """
    checks.require_dim(cells, time)
    cell = cells.dims[-1]
    checks.require_sites_and_days(cells, site, time, cell)
    if site not in cells.dims:
        cells = cells.expand_dims(site)
    cells = alignment.in_label_order(cells.transpose(site, ...), [site])
    values = cells.transpose(site, time, cell).values.astype(float)
    known = np.concatenate([values.any(axis=-1, keepdims=True), values], axis=-1)  # whether a day counts comes first
    sites = [resampling.blocks(one[None], bootstrap.block_length) for one in known]
    plain = partial(_of_one_model, statistic)
    drawn = resample(sites, bootstrap, plain, partial(_unbounded, plain))
    found = {}
    for name, value in plain(known.sum(axis=(0, 1))[None]).items():
        bounds = np.full((*value.shape, 2), np.nan)
        if drawn is not None:
            back = SCALES.get(name, SHARE)[1]
            bounds = back(resampling.studentised_bounds(drawn.pooled[name], bootstrap.confidence))
            varies = np.isfinite(drawn.pooled[name].value) & (drawn.pooled[name].error > 0)
            bounds = np.where(varies[:, None], bounds, np.nan)  # all or nothing: counts say no more
        found[name] = bounds
    return found, in_words(sites, bootstrap)


def _of_one_model(statistic: resampling.Statistic, sums: np.ndarray) -> dict[str, np.ndarray]:
    """The statistic (row, ...) of counts (1, ..., cells and one more)."""
    return statistic(sums[0, ..., 1:])


def _unbounded(plain: resampling.Statistic, sums: np.ndarray) -> dict[str, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: SCALES.get(name, SHARE)[0](value) for name, value in plain(sums).items()}


MISSING = "missing"
_LONG_NAMES = {
    "precision": "share of forecast days of a class that were right",
    "recall": "share of observed days of a class that were forecast",
    "f1": "F1, harmonic mean of precision and recall",
    "share": "share of observed days",
    "forecast_share": "share of forecast days",
    "accuracy": "share of days in the right class",
    "majority_accuracy": "accuracy of always forecasting the commonest observed class",
    "n_days": "days compared",
    "confusion": "days by observed and forecast class",
}


def same_days(
    forecast: xr.DataArray, observed: xr.DataArray, time: Hashable, names: tuple[str, str] = ("forecast", "observed")
) -> tuple[xr.DataArray, xr.DataArray]:
    """Both on the labels of the observation, which must be the same, with days in order."""
    if time in observed.dims:
        observed = alignment.in_order(observed, time)
        if time in forecast.dims and time in forecast.indexes and time in observed.indexes:
            forecast = alignment.in_order(forecast, time)
    forecast = alignment.align_to(observed, forecast, what=names[0], exact=True)
    if missing := [dim for dim in observed.dims if dim not in forecast.dims]:
        raise ValueError(
            f"{names[0]} lacks the dimension(s) {missing} of {names[1]}; give both the same, e.g. with "
            f".broadcast_like({names[1]})"
        )
    return forecast, observed


@public
@recorded
def class_scores(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    classes: Mapping[str, int] | None = None,
    references: Mapping[str, xr.DataArray] | None = None,
    by: By | None = None,
    n_boot: int = 0,
    confidence: float = 0.95,
    block_length: int | None = None,
    seed: int = 0,
    site: Hashable = "site",
    time: Hashable = "time",
) -> xr.Dataset:
    """Precision, recall, F1 and share of every class, and the accuracy beside that of the commonest class.

    Parameters
    ----------
    forecast, observed : xarray.DataArray
        Integer classes on the same dimensions and labels, e.g. from :func:`xdrought.drought_classes` of forecast and
        observed soil moisture. Counted over all dimensions, at once.
    classes : mapping of str to int, optional
        Names and values of the classes; by default ``flag_meanings`` and ``flag_values`` of the observation. A class
        called "missing", and values that are no class, are left out.
    references : mapping of str to DataArray, optional
        Other forecasts of the classes, e.g. ``{"persistence": persistence_forecast(observed, forecast, lead=7)}``. Only
        days that all have are scored.
    by : str or xarray.DataArray, optional
        Score groups of days or places by themselves: "season", the name of a coordinate of the observation such as a
        land cover on `site`, or labels on some of its dimensions.
    n_boot : int
        Bootstrap samples for intervals, sites drawn and blocks of days within, as in :func:`xdrought.verify`; 0 for
        none. The input must then be ([site,] time).
    confidence, block_length, seed
        As in :func:`xdrought.verify`.
    site, time : hashable
        Names of dimensions, for intervals.

    Returns
    -------
    xarray.Dataset
        On `class_name`: `precision`, `recall`, `f1`, `share` (of observed days), `forecast_share`. Scalars `accuracy`,
        `majority_accuracy` (of always forecasting the commonest observed class) and `n_days`. `confusion`
        (class_name, forecast_class) counts the days. A class that is never forecast has no precision (NaN),
        one never observed no recall, one that is neither no F1. With `n_boot`, ``precision_interval recall_interval
        f1_interval`` on (class_name, bound) and `accuracy_interval` (bound); NaN where all or none were right. With
        `references` the same with ``_reference`` on `reference`; with `by` everything also on that dimension.

    Raises
    ------
    TypeError
        For a reference that is no DataArray.
    ValueError
        When labels differ, there are no groups, the classes are not known, or intervals are asked for without sites
        and days.

    Notes
    -----
    Table 1 of Tang et al. 2025. Two identities hold: the sum of ``recall * share`` is the accuracy, and the sum of
    ``recall * share / precision`` is one (the shares of the forecast classes).

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought import class_scores
    >>> observed = xr.DataArray([0, 0, 0, 1], dims="time")
    >>> forecast = xr.DataArray([0, 0, 1, 1], dims="time")
    >>> result = class_scores(forecast, observed, classes={"wet": 0, "dry": 1})
    >>> result.precision.values, result.recall.values
    (array([1. , 0.5]), array([0.66666667, 1.        ]))
    >>> result.accuracy.item(), result.majority_accuracy.item()
    (0.75, 0.75)
    """
    names = class_values(observed, "give classes={'no_drought': 0, ...}") if classes is None else dict(classes)
    names = {name: value for name, value in names.items() if name != MISSING}
    if classes is None:
        forecast = _in_classes_of(observed, forecast, "forecast")
        references = {
            name: _in_classes_of(observed, one, f"the reference {name!r}") for name, one in (references or {}).items()
        }
    forecast, observed = same_days(forecast, observed, time)
    for what, da in {"forecast": forecast, "observed": observed}.items():
        checks.require_numbers(da, name=what, kinds="fiub")
    drawn: dict[str, Any] = {"n_boot": n_boot, "confidence": confidence, "block_length": block_length, "seed": seed}

    def again(one: xr.DataArray, beside: Mapping[str, xr.DataArray] | None = None) -> xr.Dataset:
        return class_scores(one, observed, classes=names, references=beside, site=site, time=time, **drawn)

    if by is not None:
        return for_each_group(by, observed, time, lambda group: again(forecast.where(group), references))
    values = list(names.values())
    if references:
        return with_references(forecast, references, lambda da: da.isin(values), again)
    result = _scores(_confusion(forecast, observed, names))
    if not n_boot:
        return result
    bootstrap = Bootstrap(n_boot, confidence, block_length, seed)
    pairs = xr.concat([(observed == obs) & (forecast == fcst) for obs in values for fcst in values], "_cell")
    bounds, what = pooled_intervals(pairs.transpose(..., "_cell"), _shares, bootstrap, site, time)
    for name, interval in bounds.items():
        dims = ("bound",) if name == "accuracy" else ("class_name", "bound")
        result[f"{name}_interval"] = (dims, interval[0] if name == "accuracy" else interval, result[name].attrs)
    return result.assign_coords(bound=["lower", "upper"]).assign_attrs(interval=what)


def class_values(classes: xr.DataArray, cure: str) -> dict[str, int]:
    """Names and values of classes, from ``flag_meanings`` and ``flag_values``."""
    flags = flags_of(classes)
    if not flags:
        raise ValueError(f"the observation has no flag_values and flag_meanings; {cure}")
    return flags


def _in_classes_of(observed: xr.DataArray, other: xr.DataArray, what: str) -> xr.DataArray:
    """Classes in the numbers that the observation has for them, where they say by themselves what they are called."""
    if not {"flag_values", "flag_meanings"} <= set(other.attrs):
        return other
    ours, theirs = class_values(observed, ""), class_values(other, "")
    if unknown := sorted(set(theirs) - set(ours) - {MISSING}):
        raise ValueError(
            f"{what} has the classes {unknown}, which the observation lacks (it has {sorted(ours)}); say which numbers "
            f"are compared, classes={theirs}"
        )
    if all(theirs[name] == value for name, value in ours.items() if name in theirs):
        return other
    numbers = xr.full_like(other, np.nan, dtype=float)
    for name, value in theirs.items():
        if name != MISSING:
            numbers = numbers.where(other != value, ours[name])
    return numbers


def _confusion(forecast: xr.DataArray, observed: xr.DataArray, names: Mapping[str, int]) -> xr.DataArray:
    """Days by observed and forecast class; anything that is no class is left out."""
    index, shape = pd.Index(list(names.values())), (len(names), len(names))
    obs, fcst = (index.get_indexer(pd.Index(da.values.ravel())) for da in (observed, forecast))  # -1 is no class
    both = (obs >= 0) & (fcst >= 0)
    days = np.bincount(np.ravel_multi_index((obs[both], fcst[both]), shape), minlength=len(names) ** 2).reshape(shape)
    coords = {"class_name": list(names), "forecast_class": list(names)}
    return xr.DataArray(days, coords, tuple(coords))


def _shares(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1 (class, ...), accuracy (1, ...), of counts (..., observed * forecast class).

    The arithmetic of `_scores` once more, for resampling: labels take a thousand times as long.
    """
    size = round(counts.shape[-1] ** 0.5)
    confusion = np.moveaxis(counts.reshape(*counts.shape[:-1], size, size), (-2, -1), (0, 1))
    right, obs, fcst = np.einsum("kk...->k...", confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "precision": right / fcst,
            "recall": right / obs,
            "f1": 2 * right / (fcst + obs),
            "accuracy": (right.sum(axis=0) / obs.sum(axis=0))[None],
        }


def _scores(confusion: xr.DataArray) -> xr.Dataset:
    """The tidy Dataset of :func:`class_scores`."""
    from xarray_einstats import linalg

    obs, fcst = confusion.sum("forecast_class"), confusion.sum("class_name").rename(forecast_class="class_name")
    right, n_days = linalg.diagonal(confusion, dims=confusion.dims), confusion.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "precision": right / fcst,
            "recall": right / obs,
            "f1": 2 * right / (fcst + obs),
            "share": obs / n_days,
            "forecast_share": fcst / n_days,
            "accuracy": linalg.trace(confusion, dims=confusion.dims) / n_days,
            "majority_accuracy": obs.max() / n_days,
            "n_days": n_days,
            "confusion": confusion,
        }
    return xr.Dataset({name: da.assign_attrs(long_name=_LONG_NAMES[name], units="1") for name, da in found.items()})
