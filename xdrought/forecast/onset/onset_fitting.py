"""Fit the probability that a flash drought begins within the lead, and calibrate it on days not learned from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, replace
from typing import Any

import dask
import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars, checks
from xdrought.choices import DefinitionName, OnsetClassifier, OnsetLabel, SplitKind
from xdrought.definitions import Definition, get_definition
from xdrought.events.onsets import confirming_days, onset_label
from xdrought.events.state import Train
from xdrought.forecast.forcing import Forcing
from xdrought.forecast.onset.classifiers import Classifier, Fitted, log_loss, settings_of
from xdrought.forecast.onset.onset_model import OnsetModel
from xdrought.forecast.onset.predictors import OnsetTask, in_units_of, names_mean_ahead, onset_inputs
from xdrought.forecast.onset.training_days import FOLDS, TrainingDays
from xdrought.forecast.options import OBSERVED
from xdrought.public_functions import public
from xdrought.splits import PARTS, Splits, chronological, spatial_monte_carlo
from xdrought.statistics.frequencies import DAYS_OF_YEAR, percentile_frequency, season_frequency
from xdrought.windows.selection import LEAD, MEMBER, Lead, are_several, check_leads

N_BINS = 20  # of today's percentile


@public
def fit_onset(
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable] = (),
    *,
    future: Sequence[Hashable] = (),
    forcing: Forcing = None,
    lead: Lead = 7,
    label: OnsetLabel = "path",
    definition: DefinitionName | Definition = "tang2025",
    model: OnsetClassifier | Classifier = "boosting",
    split: SplitKind | Splits = "chronological",
    fractions: Sequence[float] = (0.70, 0.15, 0.15),
    embargo: int | None = None,
    train: Train | None = None,
    calibrate: bool = True,
    max_days: int = 2_000_000,
    seed: int = 0,
    time: Hashable = "time",
    **thresholds: Any,
) -> OnsetModel:
    """Fit P(a flash drought begins within the next 1 to `lead` days) from the state of the soil and the weather.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily soil moisture and weather of sites or of a grid, with units. With dask, time must be one chunk; what is
        needed for training is computed.
    target : hashable
        Name of soil moisture.
    drivers : sequence of hashable
        Names of weather known up to the day of issue, on no other dimensions than the target. Each gives its value of
        the day and its means over 3 to 90 days. At real sites rain alone served better than all weather.
    future : sequence of hashable
        Names of weather known for the lead days, from `forcing`.
    forcing : xarray.Dataset or "observed", optional
        Forecasts of `future` on (init_time, lead_time[, member]) and the places, best of the quality that will be used.
        With "observed" the record itself is read ahead, which is an upper bound and no warning.
    lead : int or sequence of int
        Days after the day of issue on which an onset counts. With ``model="hazard"`` several leads, growing, are
        answered by one fit, and the probability never falls from one to the next.
    label : {"path", "event"}
        ``path``: soil moisture falls from above `upper` to below `lower` fast enough. ``event``: such a fall that
        lasts, as :func:`xdrought.flash_drought_events` lists it.
    definition : str or Definition
        Of a flash drought.
    model : {"boosting", "logistic", "hazard"}, Boosting, Logistic or Hazard
        Gradient boosting, logistic regression, or the paper's network that gives the hazard of each lead day
        (:class:`xdrought.forecast.Hazard`). Boosting was ahead of both at real
        sites and is the default.
    split : "chronological", "spatial_monte_carlo" or Splits
        Parts by day of issue at each site, or whole sites, or splits of your own.
    fractions : (float, float, float)
        Shares of training, validation and test.
    embargo : int, optional
        Days left out after each border. By default the days that the inputs look back, plus the days that the label
        looks ahead, so that no day of one part is seen by another.
    train : slice, (start, end), boolean DataArray, or a record, optional
        What percentiles and means of the sites are computed from; by default each site's training days. Needed where
        whole sites are held out.
    calibrate : bool
        Whether slope and intercept of the log odds are fitted to days that the classifier has not learned from: the
        validation part, and the training part as seen by classifiers of the other places (of other years where there
        are few places). The validation part alone is too short: its weather is not that of the years to come.
    max_days : int
        Most site-days that are read for training. Of larger grids, cells are drawn at random, and the season's
        frequency is that of all cells together.
    seed : int
        Of the draw of cells and of the classifier.
    time : hashable
        The time dimension.
    **thresholds
        Fields of :class:`xdrought.definitions.Definition` to change, e.g. ``pool="dayofyear", window=15``.

    Returns
    -------
    OnsetModel
        For :func:`xdrought.predict_onset`.

    Raises
    ------
    KeyError
        For a variable that is not there.
    ValueError
        For a training or validation part without an onset, or with nothing else; a target without values; days out of
        order; units or dimensions that do not fit; a place without training days; an unknown option.

    Notes
    -----
    Days whose label cannot be told are left out. The number of trees is the one of the smallest log loss on the
    validation part; the test part is not looked at.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import fit_onset, predict_onset
    >>> rng, days = np.random.default_rng(0), pd.date_range("2001-01-01", periods=3000)
    >>> rain = rng.exponential(4.0, (3, 3000)) * (rng.random((3, 3000)) < 0.2)
    >>> soil = np.zeros((3, 3000))
    >>> for t in range(1, 3000):
    ...     soil[:, t] = 0.95 * soil[:, t - 1] + rain[:, t]
    >>> dims = ("site", "time")
    >>> data = {"rain": (dims, rain, {"units": "mm"}), "soil_moisture": (dims, soil, {"units": "mm"})}
    >>> ds = xr.Dataset(data, {"site": list("ABC"), "time": days})
    >>> onset = fit_onset(ds, "soil_moisture", ["rain"], model="logistic")
    >>> sorted(predict_onset(ds, onset).data_vars)
    ['flash_onset_probability', 'part', 'percentile_frequency', 'season_frequency']
    """
    name, settings = settings_of(model)
    task = _task(ds, target, drivers, future, lead, label, get_definition(definition, **thresholds), time, settings)
    data = in_units_of(ds, task)
    if not bool(data[target].notnull().any()):
        raise ValueError(f"{target!r} has no value on any day; check the selection or the file that it came from")
    splits = _splits(data[target], task, split, fractions, embargo, seed)
    places = [dim for dim in data[target].dims if dim != time]
    drawn = _drawn_places(data, places, max_days, seed, time)
    known = train if train is not None else splits.training_days(data[time])
    if train is None:
        _require_training_days(splits, places)
    days = _training_days(
        _at_places(data, drawn),
        task,
        _at_places(splits, drawn),
        _at_places(known, drawn),
        _at_places(forcing, drawn),
        time,
        by_lead_day=settings.by_lead_day,
    )
    counts = days.counts()
    _require_both_classes(counts, target, calibrate)
    learned, validated = settings.learnable(days, "train"), settings.learnable(days, "val")
    classifier = settings.fit_days(days, learned, validated, task, seed)
    calibration = (1.0, 0.0)
    if calibrate:
        calibration = _platt_scaling(*_margins_out_of_fold(days, classifier, settings, task, seed))
    return OnsetModel(
        task=task,
        inputs=tuple(days.inputs),
        model=name,
        classifier=classifier,
        calibration=calibration,
        season=_by_lead(task, lambda lead: _season(days, lead, data[target], drawn is None, time)),
        percentile_table=_by_lead(task, lambda lead: _percentile_table(days, lead)),
        splits=splits,
        settings={**asdict(settings), **counts, "seed": seed, "embargo": splits.embargo, "train": _described(train)}
        | ({"forcing": OBSERVED if isinstance(forcing, str) else "forecasts"} if future else {}),
    )


def _task(
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable],
    future: Sequence[Hashable],
    lead: Lead,
    label: OnsetLabel,
    definition: Definition,
    time: Hashable,
    settings: Classifier,
) -> OnsetTask:
    """What is asked for, with the units of the training."""
    for role, names in (("drivers", drivers), ("future", future)):
        if isinstance(names, str):
            raise TypeError(f"{role}={names!r} is one name; give a list, [{names!r}]")
    leads = check_leads(lead) if are_several(lead) else (checks.require_integer(lead, "lead", of="days"),)
    if are_several(lead) and not settings.by_lead_day:
        raise ValueError(
            f"lead={list(leads)}, and {type(settings).__name__} answers for one lead; fit it for each, or use "
            f'model="hazard", which answers for several'
        )
    if settings.by_lead_day and not set(future) <= set(drivers):
        raise ValueError(
            f"future={list(future)} names weather that is not among the drivers {list(drivers)}; the network reads it "
            f"on the day of issue, too: name it in drivers as well"
        )
    named = [target, *drivers, *future]
    known = {name: ds[name].attrs.get("units") for name in named if name in ds.data_vars}
    several = leads if are_several(lead) else ()
    names = (target, tuple(drivers), tuple(future))
    return OnsetTask(*names, leads[-1], label, definition, known, time, several, settings.window)


def _splits(
    target: xr.DataArray,
    task: OnsetTask,
    split: SplitKind | Splits,
    fractions: Sequence[float],
    embargo: int | None,
    seed: int,
) -> Splits:
    """The parts, by day of issue."""
    if isinstance(split, Splits):
        return split
    observed = target.notnull()
    if split == "chronological":
        ahead = task.lead + confirming_days(task.definition, task.label)
        gap = task.memory + ahead if embargo is None else embargo
        return chronological(observed, fractions=fractions, embargo=gap, time=task.time)
    if split == "spatial_monte_carlo":
        return spatial_monte_carlo(observed, fractions=fractions, seed=seed, time=task.time)
    raise ValueError(f'split={split!r} is unknown; give Splits, "chronological" or "spatial_monte_carlo"')


def _require_training_days(splits: Splits, places: Sequence[Hashable]) -> None:
    """Raise when a place of validation or test has no training days of its own."""
    used = splits.ranges.start.notnull()
    lacking = used.any("part") & ~used.sel(part="train", drop=True)
    if bool(lacking.any()):
        where = lacking.where(lacking, drop=True)
        names = [where[dim].values.tolist()[:5] for dim in places if dim in where.coords]
        raise ValueError(
            f"places {names} have no training days, from which their percentiles and means could be computed; give "
            f'train=, e.g. train=(None, "2015-12-31") or a record of these places'
        )


def _drawn_places(
    data: xr.Dataset, places: list[Hashable], max_days: int, seed: int, time: Hashable
) -> dict[Hashable, xr.DataArray] | None:
    """Positions of places drawn at random where all of them are too many, else None."""
    sizes = [data.sizes[dim] for dim in places]
    wanted = max(1, int(max_days) // max(data.sizes[time], 1))
    if not places or int(np.prod(sizes)) <= wanted:
        return None
    chosen = np.sort(np.random.default_rng(seed).choice(int(np.prod(sizes)), wanted, replace=False))
    positions = np.unravel_index(chosen, sizes)
    return {dim: xr.DataArray(at, dims="_place") for dim, at in zip(places, positions, strict=True)}


def _at_places(what: Any, drawn: dict[Hashable, xr.DataArray] | None) -> Any:
    """Labelled data, or splits, at the places that were drawn."""
    if drawn is None or not isinstance(what, xr.DataArray | xr.Dataset | Splits):
        return what
    if isinstance(what, Splits):
        return replace(what, ranges=what.ranges.isel(drawn))
    return what.isel(drawn, missing_dims="ignore")


def _training_days(
    data: xr.Dataset,
    task: OnsetTask,
    splits: Splits,
    train: Train,
    forcing: Forcing,
    time: Hashable,
    *,
    by_lead_day: bool,
) -> TrainingDays:
    """Labels, of each lead up to the longest where they are learned one by one, and inputs in memory."""
    target = data[task.target]
    options: dict[str, Any] = {"label": task.label, "train": train, "definition": task.definition, "time": time}
    leads = range(1, task.lead + 1) if by_lead_day else (task.lead,)
    labels = [onset_label(target, lead=lead, **options) for lead in leads]
    inputs = onset_inputs(data, task, train, forcing, time)
    inputs = {name: da.isel({MEMBER: 0}, drop=True) if MEMBER in da.dims else da for name, da in inputs.items()}
    if by_lead_day:
        inputs = {name: da for name, da in inputs.items() if name not in set(names_mean_ahead(task))}
    labels, inputs = dask.compute(labels, inputs)
    like = labels[-1].reset_coords(drop=True)
    shape = (-1, target.sizes[time])

    def rows(da: xr.DataArray) -> np.ndarray:
        return da.reset_coords(drop=True).broadcast_like(like).transpose(..., time).to_numpy().reshape(shape)

    arrays = {name: rows(da).astype(np.float32) for name, da in inputs.items()}
    known = np.isfinite(arrays["percentile"])
    days = {part: known & rows(splits.mask(part, target[time])) for part in PARTS}
    return TrainingDays(np.stack([rows(da) for da in labels], axis=-1), arrays, days)


def _require_both_classes(counts: dict[str, int], target: Hashable, calibrate: bool) -> None:
    for part in ("train", "val") if calibrate else ("train",):
        days, positive = counts[f"{part}_days"], counts[f"{part}_positive"]
        if not 0 < positive < days:
            name = {"train": "training", "val": "validation"}[part]
            cure = "give more sites or years, other fractions=, or thresholds that are met more often"
            cure += ", or calibrate=False" if part == "val" else ""
            raise ValueError(
                f"the {name} part of {target!r} has {days} days, {positive} of them before an onset; both kinds are "
                f"needed: {cure}"
            )


def _margins_out_of_fold(
    days: TrainingDays, classifier: Fitted, settings: Classifier, task: OnsetTask, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Log odds and outcomes (n,) of training and validation days, the former by classifiers of the other folds."""
    learned, validated = settings.learnable(days, "train"), settings.learnable(days, "val")
    begins, fold = settings.outcomes(days, learned), days.folds(learned)
    margins = np.full(begins.shape, np.nan)
    for k in range(FOLDS):
        others, held = learned & (fold != k), (fold == k)[learned]
        outcomes = days.begins[others & days.parts["train"]]
        if held.any() and 0 < outcomes.sum() < outcomes.size:
            like: Any = settings.like(classifier)  # type: ignore[arg-type]
            margins[held] = like.fit_days(days, others, np.zeros_like(others), task, seed).margins_of(days, fold == k)
    margins = np.concatenate([margins, classifier.margins_of(days, validated)])
    begins = np.concatenate([begins, settings.outcomes(days, validated)])
    there = np.isfinite(margins) & np.isfinite(begins)
    return margins[there], begins[there]


def _platt_scaling(margins: np.ndarray, begins: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the log odds with the smallest log loss (Platt 1999), by Newton's method."""
    design = np.stack([margins, np.ones_like(margins)])
    fitted = np.array([1.0, 0.0])
    loss = log_loss(fitted @ design, begins)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(fitted @ design, -500, 500)))
        gradient = design @ (p - begins)
        curvature = (design * (p * (1 - p))) @ design.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while step.any() and log_loss((fitted - step) @ design, begins) > loss:
            step = step / 2 if np.abs(step).max() > 1e-12 else np.zeros(2)
        fitted = fitted - step
        loss = log_loss(fitted @ design, begins)
        if np.abs(step).max() < 1e-10:
            break
    return float(fitted[0]), float(fitted[1])


def _by_lead(task: OnsetTask, frequency: Callable[[int], xr.DataArray]) -> xr.DataArray:
    """A frequency of the training part, and where several leads are asked for, those of each."""
    if not task.leads:
        return frequency(task.lead)
    leads = pd.Index(task.leads, name=LEAD)
    return xr.concat([frequency(lead) for lead in task.leads], leads, coords="different", compat="equals")


def _known_outcomes(days: TrainingDays, lead: int) -> tuple[np.ndarray, np.ndarray]:
    """(places, time) whether an onset falls within a lead, and where that is known, in the training part."""
    labels = days.labels[..., min(lead, days.labels.shape[-1]) - 1]
    return np.nan_to_num(labels) == 1, days.days["train"] & np.isfinite(labels)


def _percentile_table(days: TrainingDays, lead: int) -> xr.DataArray:
    """The frequency by today's percentile in the training part."""
    begins, known = _known_outcomes(days, lead)
    table = percentile_frequency(begins[known].astype(np.float32), days.inputs["percentile"][known], N_BINS)
    return xr.DataArray(table, {"percentile_bin": (np.arange(N_BINS) + 0.5) * 100 / N_BINS}, ["percentile_bin"])


def _season(days: TrainingDays, lead: int, target: xr.DataArray, all_read: bool, time: Hashable) -> xr.DataArray:
    """The season's frequency in the training part, of each place where all of them were read."""
    day = np.asarray(calendars.common_day_of_year(target.indexes[time]))  # type: ignore[arg-type]
    pool, places = season_frequency(*_known_outcomes(days, lead), day)
    coords: dict[Hashable, Any] = {"pool": ("day_of_year", pool)}
    if not all_read:
        return xr.DataArray(pool, coords, ["day_of_year"])
    like = target.isel({time: 0}, drop=True)
    coords |= {dim: like[dim].variable for dim in like.dims if dim in like.coords}
    return xr.DataArray(places.reshape(*like.shape, DAYS_OF_YEAR), coords, [*like.dims, "day_of_year"])


def _described(train: Train | None) -> str:
    """What the percentiles are computed from, in words."""
    if train is None:
        return "training days of each place"
    if isinstance(train, xr.DataArray):
        return "a mask of days" if train.dtype == bool else "a record"
    period = calendars.as_slice(train)
    return f"{period.start} to {period.stop}"
