"""One setting varied: lead, window, batch size, learning rate, or a threshold of the drought definition."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xdrought.choices import DefinitionName, Part
from xdrought.definitions import Definition, get_definition
from xdrought.events import CLASSES, drought_classes
from xdrought.public_functions import public
from xdrought.splits import Splits, resolve_splits
from xdrought.study.comparison import score_members
from xdrought.study.result_cache import Member, open_cache, trained
from xdrought.verification import class_scores, climatology_forecast, damped_persistence_forecast, persistence_forecast
from xdrought.windows.labelled import Patches, patches

# "window" is the days of input here, not a definition's day-of-year window
NO_THRESHOLDS = ("name", "source", "note", "window")
THRESHOLDS = tuple(field.name for field in dataclasses.fields(Definition) if field.name not in NO_THRESHOLDS)
SWEPT = ["nse", "rmse", "kge", "precision", "recall", "f1", "share", "accuracy", "majority_accuracy"]
CLASS_SCORES = SWEPT[3:]
USUAL = {"window": 15, "lead": 7}
LONG_NAMES = {
    "lead": ("lead", "days"),
    "window": ("input window", "days"),
    "batch_size": ("windows in a batch", "1"),
    "learning_rate": ("learning rate", "1"),
    "upper": ("percentile that an onset falls from", "percent"),
    "lower": ("percentile that an onset falls to", "percent"),
}


@public
def sweep(
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable] | None = None,
    *,
    over: Mapping[str, Sequence[Any]],
    configurations: Mapping[str, Mapping[str, Any]] | None = None,
    definition: DefinitionName | Definition = "tang2025",
    runs: int = 5,
    seed: int = 0,
    part: Part = "test",
    cache_dir: str | Path | None = None,
    progress: bool = True,
    time: Hashable = "time",
    **settings: Any,
) -> xr.Dataset:
    """Train with each value of one setting, and score all on the same days beside the references of each.

    Parameters
    ----------
    ds, target, drivers
        Daily data of sites; see :func:`xdrought.fit_resattcaurec`.
    over : mapping of one str to a sequence
        The setting and its values: a keyword of :func:`xdrought.fit_resattcaurec`, e.g. ``{"lead": range(1, 15)}``
        (the paper's Table S5), "window" (Table S6), "batch_size" or "learning_rate"; or "definition" or one of the
        fields of :class:`xdrought.definitions.Definition`, e.g. ``{"lower": [15, 20, 25]}`` (Table S4), for which the
        networks are trained once and their droughts counted anew.
    configurations : mapping of str to mapping, optional
        As in :func:`xdrought.study.compare`; by default one, called "network", of the `settings` alone.
    definition : str or Definition
        Of the drought classes.
    runs, seed, part, cache_dir, progress, time, **settings
        As in :func:`xdrought.study.compare`.

    Returns
    -------
    xarray.Dataset
        On the swept dimension, which has the setting's name: ``nse rmse kge`` (.., model, run, site); of the daily
        drought classes ``precision recall f1 share`` (.., model, run, class_name) and ``accuracy majority_accuracy``
        (.., model, run). Models are the configurations, then persistence, damped persistence and climatology, made
        for the lead of each value. ``is_reference`` (model), ``n_days`` (site).

    Raises
    ------
    ValueError
        When `over` is not one setting with values, for an unknown definition, and as
        :func:`xdrought.fit_resattcaurec`.

    Notes
    -----
    All values have the same splits, those of the longest window and lead, and are scored on the days that every
    forecast and reference of every value has. Percentiles of a forecast are taken among the whole observed record, as
    in the paper. Its classes are those of the path of one network through all days, and are counted on the scored days.

    Examples
    --------
    >>> from xdrought import open_dataset
    >>> from xdrought.study import sweep
    >>> small = {"variant": "Rec", "size": 1, "widths": (4, 4), "epochs": 1, "runs": 1, "progress": False}
    >>> result = sweep(open_dataset("us-ar1"), "soil_moisture", ["TA_F", "P_F"], over={"lead": [1, 7]}, **small)
    >>> dict(result.nse.sizes)
    {'lead': 2, 'model': 4, 'run': 1, 'site': 1}
    """
    name, values = _one_setting(over, settings)
    configurations = {"network": {}} if configurations is None else configurations
    base = get_definition(definition)
    of_definition = name == "definition" or name in THRESHOLDS
    definitions = [_changed(base, name, value) if of_definition else base for value in values]
    longest = {key: max(values) if name == key else settings.get(key, usual) for key, usual in USUAL.items()}
    windows = patches(ds, target, drivers=drivers, size=settings.get("size"), time=time, **longest)
    windows.require_windows()
    splits = _common_splits(windows, settings, seed)
    common = {**settings, "runs": runs, "seed": seed, "time": time, "split": splits}
    cache = open_cache(cache_dir, ds, target, drivers)
    from tqdm.auto import tqdm

    members: list[dict[str, Member]] = []
    for value in tqdm(values, desc=f"sweep {name}", disable=None if progress else True):
        if of_definition and members:
            members.append(members[0])
            continue
        own = {} if of_definition else {name: value}
        stem = "all" if of_definition else f"{name}={value}"
        members.append(
            {
                label: trained(cache, f"{label} {stem}", ds, target, drivers, **{**common, **keywords, **own})
                for label, keywords in configurations.items()
            }
        )
    scores = _scored(members, definitions, windows.data[target], part, time)
    labels = [value.name if isinstance(value, Definition) else value for value in values]
    text, units = LONG_NAMES.get(name, (name.replace("_", " "), ""))
    swept = xr.Variable(name, labels, {"long_name": text, "units": units})
    out = xr.concat(scores, swept, combine_attrs="drop_conflicts", data_vars=SWEPT, coords="minimal", compat="override")
    return out.assign_attrs(part=part)


def _one_setting(over: Mapping[str, Sequence[Any]], settings: Mapping[str, Any]) -> tuple[str, list[Any]]:
    if not isinstance(over, Mapping) or len(over) != 1:
        raise ValueError(f"over={over!r}; give one setting and its values, e.g. over={{'lead': [1, 7, 14]}}")
    ((name, given),) = over.items()
    values = list(given)
    if not values or len({str(value) for value in values}) < len(values):
        raise ValueError(f"{name}={values} needs at least one value, each once")
    if name in settings:
        raise ValueError(f"{name!r} is swept and cannot be set to {settings[name]!r} as well; leave one out")
    return name, values


def _changed(base: Definition, name: str, value: Any) -> Definition:
    return get_definition(value) if name == "definition" else dataclasses.replace(base, **{name: value})


def _common_splits(windows: Patches, settings: Mapping[str, Any], seed: int) -> Splits:
    """The splits of the longest window and lead, with an embargo that is long enough for all."""
    return resolve_splits(settings.get("split", "chronological"), windows, settings.get("latency", 0), seed)


def _scored(
    members: list[dict[str, Member]], definitions: list[Definition], observed: xr.DataArray, part: str, time: Hashable
) -> list[xr.Dataset]:
    """Scores of each value on the days that all forecasts and references of all values have."""
    splits = next(iter(members[0].values())).splits
    train = splits.training_days(observed[time])
    references = [_references(of_value, observed, train, time) for of_value in members]
    forecasts = [{label: member.forecast for label, member in of_value.items()} for of_value in members]
    there = [path.notnull() for of_value in (*references, *forecasts) for path in of_value.values()]
    shared = reduce(and_, (_of_all_runs(one).reindex_like(observed, fill_value=False) for one in there))
    shared = shared & observed.notnull() & splits.mask(part, observed[time])
    result = []
    for of_value, beside, rules in zip(members, references, definitions, strict=True):
        chosen = {
            label: dataclasses.replace(one, forecast=one.forecast.where(shared)) for label, one in of_value.items()
        }
        scores = score_members(chosen, observed, part=part, time=time)
        paths = {label: one.forecast.reindex({time: observed[time]}) for label, one in of_value.items()}
        classes = _class_tables({**paths, **beside}, observed, rules, shared)
        result.append(scores.merge(classes.sel(model=scores["model"]), combine_attrs="override"))
    return result


def _of_all_runs(there: xr.DataArray) -> xr.DataArray:
    return there.all("run") if "run" in there.dims else there


def _references(
    members: Mapping[str, Member], observed: xr.DataArray, train: xr.DataArray, time: Hashable
) -> dict[str, xr.DataArray]:
    """What needs no network, at the lead of the members."""
    lead = next(iter(members.values())).lead
    return {
        "persistence": persistence_forecast(observed, observed, lead=lead, time=time),
        "damped_persistence": damped_persistence_forecast(observed, observed, train=train, lead=lead, time=time),
        "climatology": climatology_forecast(observed, observed, train=train, time=time),
    }


def _class_tables(
    paths: Mapping[str, xr.DataArray], observed: xr.DataArray, rules: Definition, shared: xr.DataArray
) -> xr.Dataset:
    """Scores of the daily classes of every path (model, run, class_name); percentiles are among the observed record."""
    obs = drought_classes(observed, definition=rules)
    counted = obs.where(shared, CLASSES["missing"]).assign_attrs(obs.attrs)
    runs = max(path.sizes.get("run", 1) for path in paths.values())
    tables = []
    for path in paths.values():
        path = path if "run" in path.dims else path.expand_dims("run")
        fcst = drought_classes(path.assign_attrs(observed.attrs), definition=rules, reference=observed)
        by_run = [class_scores(fcst.isel(run=k, drop=True), counted)[CLASS_SCORES] for k in range(fcst.sizes["run"])]
        by_run = by_run * runs if len(by_run) < runs else by_run  # references are the same in every run
        tables.append(xr.concat(by_run, xr.Variable("run", np.arange(runs))))
    return xr.concat(tables, xr.Variable("model", list(paths)))
