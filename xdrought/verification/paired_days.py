"""What verification is given: models, observation and references on the same sites and days."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, get_args

import numpy as np
import xarray as xr

from xdrought import alignment, checks, limits, units
from xdrought.calendars import Period
from xdrought.choices import Matching, Part
from xdrought.flags import flags_of
from xdrought.verification.references import (
    Lead,
    climatology_forecast,
    damped_persistence_forecast,
    issue_times,
    mean_variance_matching,
    persistence_forecast,
)

REFERENCES = ("persistence", "damped_persistence", "climatology")
MATCHINGS = (None, *get_args(Matching))
PARTS = get_args(Part)
ALL_DAYS = "all days"
Forecast = xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray]


def check_references(references: Iterable[str]) -> tuple[str, ...]:
    """The names of the references, at least one."""
    chosen = (references,) if isinstance(references, str) else tuple(references)
    if not chosen or not set(chosen) <= set(REFERENCES):
        raise ValueError(f"references={chosen}; a score needs at least one of {REFERENCES} beside it")
    return chosen


def collect_models(forecast: Forecast, observed: xr.DataArray) -> dict[str, xr.DataArray]:
    """Forecasts by name of model."""
    if isinstance(forecast, xr.DataArray):
        return {"forecast": forecast}
    if isinstance(forecast, xr.Dataset):
        if observed.name in forecast:
            return {"forecast": forecast[observed.name]}
        if len(forecast.data_vars) == 1:
            return {"forecast": next(iter(forecast.data_vars.values()))}
        found = sorted(map(str, forecast.data_vars))
        raise ValueError(
            f"no variable {observed.name!r} in the forecast, which has {found}; choose one, forecast[name]"
        )
    if not isinstance(forecast, Mapping):
        raise TypeError(
            f"the forecast must be a DataArray, a Dataset or a dict of DataArrays by name of model, got "
            f"{type(forecast).__name__}; {checks.an_array_of(forecast)}"
        )
    models: dict[Any, xr.DataArray] = {
        name: checks.require_array(da, f"forecast[{name!r}]") for name, da in forecast.items()
    }
    if not models or set(models) & set(REFERENCES):
        raise ValueError(f"models are called {sorted(models)}; give at least one, and none of {REFERENCES}")
    return models


def ensemble_mean(da: xr.DataArray, run: Hashable) -> xr.DataArray:
    """The mean over runs; missing where one of them is."""
    return da.mean([run], skipna=False, keep_attrs=True) if run in da.dims else da


def by_site(da: xr.DataArray, site: Hashable, time: Hashable) -> xr.DataArray:
    """(site, time) in memory as float64, days in order; a single series becomes one site."""
    checks.require_dim(da, time)
    checks.require_numbers(da)
    checks.days_since_start(da, time)
    da = alignment.in_order(da, time)
    checks.require_sites_and_days(da, site, time)
    if site not in da.dims:
        da = da.expand_dims(site) if site in da.coords else da.expand_dims({site: ["all"]})
    if site not in da.indexes:
        da = da.assign_coords({site: np.arange(da.sizes[site])})
    return da.transpose(site, time).astype("float64").compute()


def in_units_of(da: xr.DataArray, observed: xr.DataArray) -> xr.DataArray:
    """Converted to the units of the observation, where both have units."""
    wanted = observed.attrs.get("units")
    if wanted is None or da.attrs.get("units", wanted) == wanted:
        return da
    return units.convert(da, wanted)


def on_common_days(
    models: dict[str, xr.DataArray], truth: xr.DataArray, lead: Lead
) -> tuple[dict[str, xr.DataArray], xr.DataArray]:
    """All models on the times that they share, and the observation of their sites; all are (site, time)."""
    _, time = truth.dims
    names = list(models)
    first = models[names[0]]
    for name in names[1:]:
        same = alignment.with_dates_of(first, models[name], time, what=repr(name))
        models[name] = alignment.align_to(first, same, what=repr(name), exact=True, skip=(time,))
    truth = alignment.on_days_of(first, truth, time, what="the observation")
    aligned = dict(zip(names, xr.align(*models.values(), join="inner"), strict=True))
    if not aligned[names[0]].sizes[time]:
        raise ValueError(f"the models have no valid time in common; check their {time!r}")
    issued = {name: issue_times(da, lead, time) for name, da in aligned.items()}
    for name in names[1:]:
        if not issued[name].equals(issued[names[0]]):
            raise ValueError(f"{names[0]!r} and {name!r} have different lead times; compare them one by one")
    return aligned, truth


def days_of_part(forecast: Any, part: str | None, time: Hashable) -> tuple[Any, str]:
    """The days of a part of a forecast that says which they are, as :func:`xdrought.predict` does, and what they are.

    Asked for its test days, a forecast that does not know them, or without any value on them because it was cut by the
    caller, is taken as it is.
    """
    if part is None:
        return forecast, ALL_DAYS
    if isinstance(forecast, Mapping) and not isinstance(forecast, xr.Dataset):
        cut = {name: days_of_part(model, part, time) for name, model in forecast.items()}
        scored = {fcst for _, fcst in cut.values()}
        return {name: model for name, (model, _) in cut.items()}, scored.pop() if len(scored) == 1 else part
    coords: Any = forecast.coords if isinstance(forecast, xr.DataArray | xr.Dataset) else {}
    flags = flags_of(coords["part"]) if "part" in coords else {}
    if part not in flags or time not in coords["part"].dims:
        if part == "test":
            return forecast, ALL_DAYS
        raise ValueError(
            f"part={part!r}, but the forecast has no coordinate 'part' on {time!r}; give part=None to score all days"
        )
    chosen = (coords["part"] == flags[part]).drop_vars("part").compute()
    days = chosen.any([dim for dim in chosen.dims if dim != time])
    cut = forecast.where(chosen).isel({time: np.flatnonzero(days.to_numpy())})
    values = cut if isinstance(cut, xr.DataArray) else cut.to_array()
    if part == "test" and not bool(values.notnull().any()):
        return forecast, ALL_DAYS
    return cut, part


def prepare(
    forecast: Forecast,
    observed: xr.DataArray,
    *,
    references: Iterable[str],
    drivers: Mapping[str, xr.DataArray] | None,
    matching: str | None,
    lead: Lead,
    train: Period | None,
    window: int,
    site: Hashable,
    time: Hashable,
    run: Hashable,
) -> tuple[dict[str, xr.DataArray], dict[str, xr.DataArray], xr.DataArray]:
    """Models, references and observation, all (site, time) on the models' sites and valid times."""
    chosen = check_references(references)
    checks.require_choice(matching, "matching", MATCHINGS)
    truth = by_site(limits.check(observed), site, time)
    models = {}
    for name, da in collect_models(forecast, observed).items():
        single = by_site(ensemble_mean(limits.check(da, codes_only=True), run), site, time)
        models[name] = in_units_of(single, truth)
    models = {name: alignment.in_label_order(da, [site]) for name, da in models.items()}
    models, truth = on_common_days(models, truth, lead)
    period = before_first_issue(models, truth, lead) if train is None else train
    beside = make_references(chosen, models, truth, lead, period, window)
    for name, da in (drivers or {}).items():
        if name in beside or name in models:
            raise ValueError(f"{name!r} is the name of a driver and of a model or reference; rename one")
        beside[name] = driver_forecast(name, da, truth, period, matching)
    valid = {time: next(iter(models.values()))[time]}
    return models, {name: da.reindex(valid) for name, da in beside.items()}, truth.reindex(valid)


def driver_forecast(
    name: str, driver: xr.DataArray, truth: xr.DataArray, train: Period, matching: str | None
) -> xr.DataArray:
    """A driver in the units of the observation, or matched with it; its value at the valid time is the forecast."""
    site, time = truth.dims
    if matching is None and "units" in truth.attrs and "units" in driver.attrs:
        units.require_convertible(driver, truth.attrs["units"])  # units of something else are told first
    values = by_site(limits.check(driver), site, time)
    values = alignment.on_days_of(truth, values, time, what=f"the driver {name!r}")
    if matching == "mean_variance":
        return mean_variance_matching(values, truth, train=train, time=time)
    if "units" in truth.attrs and "units" not in values.attrs:
        raise ValueError(
            f"the driver {name!r} has no units, the observation {truth.attrs['units']!r}; set its "
            f'attrs["units"], or bring it to the observation\'s mean and spread with matching="mean_variance"'
        )
    return in_units_of(values, truth)


def make_references(
    names: tuple[str, ...],
    models: dict[str, xr.DataArray],
    truth: xr.DataArray,
    lead: Lead,
    period: Period,
    window: int,
) -> dict[str, xr.DataArray]:
    """The references on the models' valid times."""
    time = truth.dims[1]
    first = next(iter(models.values()))
    make = {
        "persistence": lambda: persistence_forecast(truth, first, lead=lead, time=time),
        "damped_persistence": lambda: damped_persistence_forecast(
            truth, first, train=period, lead=lead, window=window, time=time
        ),
        "climatology": lambda: climatology_forecast(truth, first, train=period, window=window, time=time),
    }
    return {name: make[name]() for name in names}


def before_first_issue(models: dict[str, xr.DataArray], truth: xr.DataArray, lead: Lead) -> xr.DataArray:
    """True up to the day on which the first forecast of each site was issued."""
    time = truth.dims[1]
    issued = issue_times(next(iter(models.values())), lead, time)
    there = np.any([np.isfinite(da.values) for da in models.values()], axis=0)
    first, some = there.argmax(axis=1), there.any(axis=1)
    days = truth.indexes[time]
    mask = [(days <= issued[at]) & known for at, known in zip(first, some, strict=True)]
    return xr.DataArray(np.stack(mask), truth.coords, truth.dims)
