"""Scores of yes-or-no forecasts and of probabilities, through the library `scores`: by site and pooled."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.verification.contingency import MISSING, class_values, pooled_intervals, same_days
from xdrought.verification.groups import By, for_each_group, with_references
from xdrought.verification.intervals import Bootstrap

ROUNDING = 1e-6  # by which a probability may miss 0 and 1
_BINARY = {
    "pod": ("probability_of_detection", "probability of detection, hits over observed occurrences"),
    "far": ("false_alarm_ratio", "false alarm ratio, false alarms over forecast occurrences"),
    "csi": ("critical_success_index", "critical success index"),
    "frequency_bias": ("frequency_bias", "forecast over observed occurrences"),
    "pofd": ("probability_of_false_detection", "probability of false detection, false alarms over days without"),
    "ets": ("equitable_threat_score", "equitable threat score, hits by chance left out"),
    "hss": ("heidke_skill_score", "Heidke skill score, against chance"),
    "peirce": ("peirce_skill_score", "Peirce skill score, detection minus false detection"),
    "f1": ("f1_score", "F1, harmonic mean of precision and recall"),
    "sedi": ("symmetric_extremal_dependence_index", "symmetric extremal dependence index, fit for rare events"),
    "base_rate": ("base_rate", "share of days on which it occurred"),
}


@public
@recorded
def occurrence_scores(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    event: str | Iterable[str] = ("flash_onset", "flash_condition"),
    references: Mapping[str, xr.DataArray] | None = None,
    by: By | None = None,
    n_boot: int = 0,
    confidence: float = 0.95,
    block_length: int | None = None,
    seed: int = 0,
    site: Hashable = "site",
    time: Hashable = "time",
) -> xr.Dataset:
    """How well days of some drought classes are forecast: detection, false alarms, and scores for rare events.

    Parameters
    ----------
    forecast, observed : xarray.DataArray
        Daily classes with ``flag_values`` and ``flag_meanings``, from :func:`xdrought.drought_classes` of forecast and
        observed soil moisture; same dimensions and labels. Days missing in either are left out.
    event : str or iterable of str
        Names of the classes that count as an occurrence.
    references, by
        As in :func:`xdrought.class_scores`.
    n_boot : int
        Bootstrap samples for intervals of the pooled scores, sites drawn and blocks of days within, as in
        :func:`xdrought.verify`; 0 for none. The input must then be ([site,] time).
    confidence, block_length, seed
        As in :func:`xdrought.verify`.
    site : hashable
        A dimension that is kept, if there is one.
    time : hashable
        The time dimension, for intervals.

    Returns
    -------
    xarray.Dataset
        ``pod far pofd csi ets hss peirce frequency_bias f1 sedi base_rate`` and ``n_days`` on `site`, and over
        everything with ``_pooled``; NaN where there is nothing to divide by. With `n_boot`, ``_pooled_interval`` on
        (bound). With `references` the same with ``_reference`` on `reference`; with `by` everything also on that
        dimension.

    Raises
    ------
    TypeError
        For a reference that is no DataArray.
    ValueError
        For unknown classes, missing flags, labels that differ, or groups that are not there.

    See Also
    --------
    xdrought.class_scores : all classes at once.

    References
    ----------
    SEDI: Ferro and Stephenson 2011, https://doi.org/10.1175/WAF-D-10-05030.1. The others: Jolliffe and Stephenson 2012,
    Forecast Verification, chapter 3.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought import occurrence_scores
    >>> flags = {"flag_values": [0, 1], "flag_meanings": "no_drought flash_condition"}
    >>> obs = xr.DataArray([0, 0, 1, 1], dims="time", attrs=flags)
    >>> result = occurrence_scores(obs.copy(data=[0, 1, 1, 1]), obs, event="flash_condition")
    >>> result.pod.item(), round(result.far.item(), 3)
    (1.0, 0.333)
    """
    chosen = [event] if isinstance(event, str) else list(event)
    forecast, observed = same_days(forecast, observed, time)
    drawn: dict[str, Any] = {"n_boot": n_boot, "confidence": confidence, "block_length": block_length, "seed": seed}

    def again(one: xr.DataArray, beside: Mapping[str, xr.DataArray] | None = None) -> xr.Dataset:
        return occurrence_scores(one, observed, event=chosen, references=beside, site=site, time=time, **drawn)

    if by is not None:
        return for_each_group(by, observed, time, lambda group: again(forecast.where(group), references))
    if references:
        return with_references(forecast, references, lambda da: _occurs(da, chosen, observed).notnull(), again)
    fcst, obs = (_occurs(da, chosen, observed) for da in (forecast, observed))
    from scores.categorical import BinaryContingencyManager

    table = BinaryContingencyManager(fcst, obs)
    kept = [site] if site in observed.dims else []
    days = (fcst.notnull() & obs.notnull()).sum([d for d in observed.dims if d not in kept])
    found = {"n_days": days.assign_attrs(long_name="days compared", units="1")}
    with np.errstate(divide="ignore", invalid="ignore"):
        for suffix, part in (("", table.transform(preserve_dims=kept)), ("_pooled", table.transform())):
            for name, (method, text) in _BINARY.items():
                found[name + suffix] = getattr(part, method)().assign_attrs(long_name=text, units="1")
    scores = alignment.dataset_of(found).assign_attrs(event=" ".join(chosen))
    if not n_boot:
        return scores
    bootstrap = Bootstrap(n_boot, confidence, block_length, seed)
    pairs = [(fcst == one) & (obs == other) for one in (1, 0) for other in (1, 0)]
    cells = xr.concat(pairs, "_cell").transpose(..., "_cell")
    bounds, what = pooled_intervals(cells, binary_scores, bootstrap, site, time)
    for name, interval in bounds.items():
        scores[f"{name}_pooled_interval"] = ("bound", interval[0], scores[f"{name}_pooled"].attrs)
    return scores.assign_coords(bound=["lower", "upper"]).assign_attrs(interval=what)


def binary_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Scores (1, ...) of counts (..., 4): hits, false alarms, misses, days without.

    For resampling, and for thousands of thresholds: the library's own table takes 0.2 s a call.
    """
    hits, false_alarms, misses, without = np.moveaxis(counts, -1, 0)
    n = counts.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pod, pofd = hits / (hits + misses), false_alarms / (false_alarms + without)
        logs = [np.log(pofd), np.log(pod), np.log1p(-pofd), np.log1p(-pod)]
        by_chance = (hits + misses) * (hits + false_alarms) / n
        right_by_chance = by_chance + (without + misses) * (without + false_alarms) / n
        found = {
            "pod": pod,
            "far": false_alarms / (hits + false_alarms),
            "csi": hits / (hits + misses + false_alarms),
            "frequency_bias": (hits + false_alarms) / (hits + misses),
            "pofd": pofd,
            "ets": (hits - by_chance) / (hits + misses + false_alarms - by_chance),
            "hss": (hits + without - right_by_chance) / (n - right_by_chance),
            "peirce": pod - pofd,
            "f1": 2 * hits / (2 * hits + misses + false_alarms),
            "sedi": (logs[0] - logs[1] - logs[2] + logs[3]) / sum(logs),
            "base_rate": (hits + misses) / n,
        }
    return {name: value[None] for name, value in found.items()}


def _occurs(da: xr.DataArray, event: list[str], observed: xr.DataArray) -> xr.DataArray:
    """1 on days of the classes, 0 on other known days, NaN on missing ones; without flags those of the observation."""
    values = class_values(da if "flag_values" in da.attrs else observed, "give classes of drought_classes")
    unknown = [name for name in event if name not in values or name == MISSING]
    if unknown or not event:
        raise ValueError(f"event={event} is unknown; choose from {[n for n in values if n != MISSING]}")
    known = [value for name, value in values.items() if name != MISSING]
    return da.isin([values[name] for name in event]).astype(float).where(da.isin(known))


@public
@recorded
def probability_scores(
    probability: xr.DataArray,
    occurred: xr.DataArray,
    *,
    climatology: float | xr.DataArray | None = None,
    references: Mapping[str, xr.DataArray] | None = None,
    by: By | None = None,
    n_bins: int = 10,
    cost_loss_ratio: Sequence[float] = tuple(np.linspace(0.02, 0.98, 49).round(2).tolist()),
    site: Hashable = "site",
    time: Hashable = "time",
) -> xr.Dataset:
    """Brier score beside that of climatology, reliability, ROC curve, and economic value of probabilities.

    Parameters
    ----------
    probability : xarray.DataArray
        Forecast probabilities, 0 to 1; NaN is left out.
    occurred : xarray.DataArray
        Whether it happened: booleans, or 0 and 1 with NaN where it is not known; same dimensions and labels.
    climatology : float or xarray.DataArray, optional
        The probability that climatology gives, best from a training part. By default the share of the days scored on
        which it occurred, by site: a reference that knows the outcome and so is too good.
    references : mapping of str to DataArray, optional
        Other probabilities, e.g. of :func:`xdrought.percentile_table_forecast`. Only days that all have are scored.
    by : str or xarray.DataArray, optional
        As in :func:`xdrought.class_scores`; "season" and coordinates are those of `probability`.
    n_bins : int
        Bins of equal width for the reliability.
    cost_loss_ratio : sequence of float
        Cost of protection over the loss without it, each between 0 and 1 and growing.
    site : hashable
        A dimension that is kept, if there is one.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        ``brier brier_climatology brier_skill roc_area n_days`` on `site`, and over everything with ``_pooled``;
        ``roc_area`` is the area under the ROC curve, the probability that a day on which it occurred has the higher
        value of two (NaN where it never or always did). Over everything, on ``threshold`` the ROC curve, ``roc_pod``
        and ``roc_pofd``, detection and false detection of acting from that probability on;
        on ``probability_bin`` (its centre): ``mean_probability observed_frequency n_in_bin``; on ``cost_loss_ratio``:
        ``economic_value``, of the best threshold for each ratio against acting on the base rate alone (1 perfect, 0
        worthless: never to act is one of the choices). With `references` the same with ``_reference`` on `reference`;
        with `by` everything also on that dimension.

    Raises
    ------
    TypeError
        For a reference that is no DataArray.
    ValueError
        For groups that are not there, values outside 0 to 1, labels that differ, or bins and ratios out of range.

    References
    ----------
    Brier 1950; Richardson 2000, https://doi.org/10.1002/qj.49712656313.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought import probability_scores
    >>> fcst = xr.DataArray([0.9, 0.8, 0.1, 0.0], dims="time")
    >>> result = probability_scores(fcst, xr.DataArray([True, True, False, False], dims="time"))
    >>> round(result.brier.item(), 3), round(result.brier_skill.item(), 3)
    (0.015, 0.94)
    """
    if n_bins < 1:
        raise ValueError(f"n_bins={n_bins}; give 1 or more")
    ratios = np.asarray(cost_loss_ratio, dtype=float)
    if not ratios.size or ratios.min() <= 0 or ratios.max() >= 1 or (np.diff(ratios) <= 0).any():
        raise ValueError(f"cost_loss_ratio must grow and lie between 0 and 1, found {ratios.tolist()}")
    occurred, probability = same_days(occurred, probability, time, ("occurred", "probability"))
    bins: dict[str, Any] = {"climatology": climatology, "n_bins": n_bins, "cost_loss_ratio": cost_loss_ratio}

    def again(one: xr.DataArray, beside: Mapping[str, xr.DataArray] | None = None) -> xr.Dataset:
        return probability_scores(one, occurred, references=beside, site=site, time=time, **bins)

    if by is not None:
        return for_each_group(by, probability, time, lambda group: again(probability.where(group), references))
    if references:
        return with_references(probability, references, xr.DataArray.notnull, again)
    probability = limits.check(probability, codes_only=True)
    both = probability.notnull() & occurred.notnull()
    fcst, obs = (da.astype(float).where(both).compute() for da in (probability, occurred))
    fcst = _check_range(fcst, obs)
    if not bool(both.any()) and bool(probability.notnull().any()) and bool(occurred.notnull().any()):
        checks.warn(
            f"no day has both a probability and an occurrence, so that all scores are NaN: probabilities are there "
            f"{_reach(probability, time)}, occurrences {_reach(occurred, time)}; give both for the same days"
        )
    kept = [site] if site in fcst.dims else []
    normal = obs.mean([d for d in obs.dims if d not in kept]) if climatology is None else climatology
    if climatology is not None:
        normal = _check_climatology(climatology, fcst)
    found = _brier(fcst, obs, normal, kept) | _roc(fcst, obs, kept)
    p, happened = (da.values[both.values] for da in (fcst, obs))
    binned = reliability(p, happened, np.minimum((p * n_bins).astype(int), n_bins - 1), n_bins)
    centres = (np.arange(n_bins) + 0.5) / n_bins
    return alignment.dataset_of(found | binned | _economic_value(fcst, obs, ratios), {"probability_bin": centres})


def _check_range(fcst: xr.DataArray, obs: xr.DataArray) -> xr.DataArray:
    """The probabilities, without what rounding put beyond 0 and 1."""
    low, high = float(fcst.min()), float(fcst.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise ValueError(f"probabilities reach {low:g} to {high:g}; give 0 to 1")
    if not bool((obs.isnull() | (obs == 0) | (obs == 1)).all()):
        raise ValueError("the occurrence holds other values than 0 and 1; compare first, e.g. moisture < 0.1")
    return fcst.clip(0, 1)


def _check_climatology(climatology: float | xr.DataArray, fcst: xr.DataArray) -> float | xr.DataArray:
    """The probability of the climatology on the labels of the forecast, between 0 and 1."""
    normal = climatology
    if isinstance(climatology, xr.DataArray):
        normal = alignment.align_to(fcst, climatology, what="climatology").compute()
    values = np.asarray(normal, dtype=float)
    if np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=0) > 1:
        raise ValueError(f"climatology reaches {np.nanmin(values):g} to {np.nanmax(values):g}; a probability is 0 to 1")
    return normal


def _brier(fcst: xr.DataArray, obs: xr.DataArray, normal: Any, kept: list[Hashable]) -> dict[str, xr.DataArray]:
    from scores.probability import brier_score

    reference = (xr.zeros_like(fcst) + normal).where(fcst.notnull())
    result = {}
    for suffix, dims in (("", kept), ("_pooled", [])):
        score, normal_score = (brier_score(p, obs, preserve_dims=dims or None) for p in (fcst, reference))
        days = fcst.notnull().sum([d for d in fcst.dims if d not in dims])
        skill = (1 - score / normal_score).where(normal_score > 0)
        result[f"brier{suffix}"] = score.assign_attrs(long_name="Brier score", units="1")
        result[f"brier_climatology{suffix}"] = normal_score.assign_attrs(
            long_name="Brier score of climatology", units="1"
        )
        result[f"brier_skill{suffix}"] = skill.assign_attrs(long_name="Brier skill against climatology", units="1")
        result[f"n_days{suffix}"] = days.assign_attrs(long_name="days scored", units="1")
    return result


def _roc(fcst: xr.DataArray, obs: xr.DataArray, kept: list[Hashable]) -> dict[str, xr.DataArray]:
    from scores.probability import roc_auc, roc_curve_data

    area = {"long_name": "area under the ROC curve", "units": "1"}
    result = {"roc_area": roc_auc(fcst, obs, preserve_dims=kept or None).assign_attrs(area)}
    result["roc_area_pooled"] = roc_auc(fcst, obs).assign_attrs(area)
    with np.errstate(divide="ignore", invalid="ignore"):
        curve = roc_curve_data(fcst, obs, thresholds=np.linspace(0, 1, 101).round(2))
    for name, column, text in (("pod", "POD", "detection"), ("pofd", "POFD", "false detection")):
        result[f"roc_{name}"] = curve[column].assign_attrs(long_name=f"probability of {text}", units="1")
    return result


def reliability(p: np.ndarray, happened: np.ndarray, bins: np.ndarray, n_bins: int) -> dict[str, tuple]:
    """Mean probability, observed frequency and number of the days of each bin, as variables on `probability_bin`.

    All are (day,): the probability, whether it happened, and the number of the bin.
    """
    count, total, hits = (np.bincount(bins, weights=w, minlength=n_bins) for w in (None, p, happened))
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "mean_probability": (total / count, "mean probability of the bin"),
            "observed_frequency": (hits / count, "share of the bin's days on which it occurred"),
            "n_in_bin": (count, "days in the bin"),
        }
    return {name: ("probability_bin", v, {"long_name": text, "units": "1"}) for name, (v, text) in columns.items()}


def _reach(da: xr.DataArray, time: Hashable) -> str:
    """From when to when there is a value, or how many there are."""
    there = da.notnull()
    if time not in da.indexes:
        return f"{int(there.sum())} times"
    days = da.indexes[time][there.any([dim for dim in da.dims if dim != time]).to_numpy()]
    return f"from {str(days[0])[:10]} to {str(days[-1])[:10]}"


def base_rate(scores: xr.Dataset) -> float:
    """Share of the days of :func:`probability_scores` on which it happened."""
    count = scores["n_in_bin"]
    if not int(count.sum()):
        raise ValueError("no bin has a day; score probabilities and occurrences of the same days")
    return float((scores["observed_frequency"].fillna(0) * count).sum() / count.sum())


def _economic_value(fcst: xr.DataArray, obs: xr.DataArray, ratios: np.ndarray) -> dict[str, xr.DataArray]:
    """Of the best threshold for each ratio; NaN when it never or always happened."""
    from scores.probability import relative_economic_value

    attrs = {"long_name": "relative economic value of the best threshold", "units": "1"}
    rate = float(obs.mean())
    if not 0 < rate < 1:
        empty = np.full(ratios.size, np.nan)
        return {"economic_value": xr.DataArray(empty, {"cost_loss_ratio": ratios}, attrs=attrs)}
    thresholds = np.linspace(0, 1, 101)
    value = relative_economic_value(fcst, obs, cost_loss_ratios=ratios, probability_thresholds=thresholds)
    # never to act is a choice too, and worth 0
    return {"economic_value": value.max("probability_threshold").clip(min=0).assign_attrs(attrs)}
