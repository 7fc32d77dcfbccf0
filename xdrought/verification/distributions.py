"""Scores of distributions, given as quantiles or members: CRPS, coverage and PIT, beside dressed persistence."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.calendars import Period, training_mask
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics.bootstrap import draw, percentile_bounds, quantile
from xdrought.verification.intervals import Bootstrap
from xdrought.verification.paired_days import before_first_issue, by_site, collect_models, ensemble_mean, in_units_of
from xdrought.verification.references import Lead, damped_persistence_forecast, single_lead
from xdrought.windows.selection import INIT, MEMBER, QUANTILE

DRESSED = "dressed_persistence"
_LEVELS = np.linspace(0.005, 0.995, 100).round(3)  # of the reference beside members


@public
@recorded
def dressed_persistence_forecast(
    observed: xr.DataArray,
    forecast: xr.DataArray,
    *,
    quantiles: Any,
    train: Period,
    lead: Lead = None,
    window: int = 15,
    time: Hashable = "time",
) -> xr.DataArray:
    """Damped persistence with the quantiles of its errors in the training part: the distribution that costs nothing.

    Parameters
    ----------
    observed, forecast, train, lead, window, time
        As in :func:`xdrought.damped_persistence_forecast`.
    quantiles : sequence of float
        Levels, between 0 and 1.

    Returns
    -------
    xarray.DataArray
        (..., time, quantile): the damped forecast and the quantile of the errors that it made at the place on training
        days. Computed at once.

    Raises
    ------
    ValueError
        As :func:`xdrought.damped_persistence_forecast`, and for levels outside 0 to 1.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import dressed_persistence_forecast
    >>> days = pd.date_range("2001-01-01", periods=900)
    >>> obs = xr.DataArray(np.random.default_rng(0).standard_normal(900), {"time": days}, dims="time")
    >>> result = dressed_persistence_forecast(obs, obs[800:], quantiles=[0.1, 0.9], train=slice(None, "2002"), lead=3)
    >>> result.dims, result.std("time").max().item() < 0.5
    (('time', 'quantile'), True)
    """
    levels = list(checks.require_levels(quantiles))
    checks.require_dim(forecast, time)
    options: dict[str, Any] = {"train": train, "lead": lead, "window": window, "time": time}
    ahead, observed = single_lead(forecast, lead, time), limits.check(observed).compute()
    usable = training_mask(observed, train, time)
    past = observed.assign_coords({INIT: (time, observed.indexes[time] - ahead)})
    errors = (observed - damped_persistence_forecast(observed, past, **options)).where(usable).compute()
    spread = xr.apply_ufunc(
        quantile,
        errors,
        kwargs={"at": levels},
        input_core_dims=[[time]],
        output_core_dims=[[QUANTILE]],
        keep_attrs=False,
    ).assign_coords({QUANTILE: levels})
    damped = damped_persistence_forecast(observed, forecast, **options).compute()
    dressed = (damped + spread).transpose(..., time, QUANTILE).rename(observed.name).assign_attrs(observed.attrs)
    return limits.within(dressed).rename(DRESSED)


def as_points(forecast: Any) -> Any:
    """A forecast with the median of its quantiles, and the mean of its members, in the place of its distribution."""
    if isinstance(forecast, Mapping) and not isinstance(forecast, xr.Dataset):
        return {name: as_points(model) for name, model in forecast.items()}
    if not isinstance(forecast, xr.DataArray | xr.Dataset):
        return forecast
    if QUANTILE in forecast.dims:
        levels = checks.require_levels(forecast[QUANTILE].values)
        if not levels[0] <= 0.5 <= levels[-1]:
            raise ValueError(f"quantiles {levels} have no median to score; train with 0.5 among them")
        middle = forecast.sel({QUANTILE: 0.5}) if 0.5 in levels else forecast.interp({QUANTILE: 0.5})
        forecast = middle.drop_vars(QUANTILE)
    return forecast.mean(MEMBER, keep_attrs=True) if MEMBER in forecast.dims else forecast


def distribution_scores(
    forecast: Any,
    observed: xr.DataArray,
    bootstrap: Bootstrap,
    *,
    lead: Lead,
    train: Period | None,
    window: int,
    site: Hashable,
    time: Hashable,
    run: Hashable,
) -> xr.Dataset:
    """CRPS, coverage and PIT of models that give a distribution, beside dressed persistence; empty without one.

    Parameters are those of :func:`xdrought.verify`, of one lead and test days only.
    """
    given = {name: da for name, da in collect_models(forecast, observed).items() if {QUANTILE, MEMBER} & set(da.dims)}
    if not given:
        return xr.Dataset()
    both = [name for name, da in given.items() if {QUANTILE, MEMBER} <= set(da.dims)]
    if both:
        raise ValueError(f"{both} have quantiles of several members; choose one, e.g. forecast.isel(member=0)")
    truth = by_site(limits.check(observed), site, time)
    found = [_of_model(name, da, truth, bootstrap, lead, train, window, run) for name, da in given.items()]
    return xr.concat(found, "distribution", join="outer") if len(found) > 1 else found[0]


def _of_model(
    name: str,
    da: xr.DataArray,
    truth: xr.DataArray,
    bootstrap: Bootstrap,
    lead: Lead,
    train: Period | None,
    window: int,
    run: Hashable,
) -> xr.Dataset:
    site, time = truth.dims
    dim = QUANTILE if QUANTILE in da.dims else MEMBER
    da = ensemble_mean(da, run)
    if site not in da.dims:
        da = da.expand_dims({site: truth[site].values})
    parts = [by_site(da.isel({dim: k}, drop=True), site, time) for k in range(da.sizes[dim])]
    values = in_units_of(xr.concat(parts, dim).assign_attrs(da.attrs), truth).transpose(site, time, dim)
    first = values.mean(dim)  # where nothing else is needed than that something is there
    truth = alignment.on_days_of(first, truth, time, what="the observation")
    period = before_first_issue({name: first}, truth, lead) if train is None else train
    levels = list(checks.require_levels(da[QUANTILE].values)) if dim == QUANTILE else _LEVELS.tolist()
    options: dict[str, Any] = {"train": period, "lead": lead, "window": window, "time": time}
    dressed = dressed_persistence_forecast(truth, first, quantiles=levels, **options)
    obs = truth.reindex({time: first[time]})
    there = values.notnull()  # a place may have fewer members than others, but has all quantiles
    known = (there.all(dim) if dim == QUANTILE else there.any(dim)) & obs.notnull() & dressed.notnull().all(QUANTILE)
    obs = obs.where(known)
    own = crps_of_quantiles(values, obs, levels) if dim == QUANTILE else _crps_of_members(values, obs)
    crps = {"crps": own, "crps_reference": crps_of_quantiles(dressed, obs, levels)}
    units = {"units": str(truth.attrs.get("units", ""))}
    texts = {"crps": "continuous ranked probability score", "crps_reference": f"the same of {DRESSED}"}
    out: dict[str, Any] = {}
    for key, each in crps.items():
        of_site, attrs = each.mean([time]), {"long_name": texts[key], **units}
        out[key] = of_site.assign_attrs(attrs)
        out[f"{key}_summary"] = ("summary", [float(of_site.median()), float(each.mean())], attrs)
    skill = 1 - out["crps"] / out["crps_reference"]
    pooled = 1 - out["crps_summary"][1][1] / out["crps_reference_summary"][1][1]
    attrs = {"long_name": f"CRPS skill, 1 - CRPS / CRPS of {DRESSED}", "units": "1"}
    out |= {
        "crps_skill": skill.assign_attrs(attrs),
        "crps_skill_summary": ("summary", [float(skill.median()), pooled], attrs),
        "crps_skill_interval": ("bound", _interval_of_median(skill, bootstrap), attrs),
    }
    if dim == QUANTILE:
        out |= _coverage(values, obs, levels) | _pit(values, obs, levels)
    result = xr.Dataset(out, {"summary": ["median", "pooled"], "bound": ["lower", "upper"]})
    return result.drop_vars([n for n in result.coords if n not in result.dims]).expand_dims(distribution=[name])


def crps_of_quantiles(forecast: xr.DataArray, observed: xr.DataArray, levels: list[float]) -> xr.DataArray:
    """CRPS of each day from quantiles: twice the pinball loss, integrated over the levels between 0 and 1."""
    from scores.continuous import quantile_score

    edges = np.concatenate([[0.0], (np.array(levels[1:]) + levels[:-1]) / 2, [1.0]])
    total = xr.zeros_like(observed)
    for k, (level, width) in enumerate(zip(levels, np.diff(edges), strict=True)):
        one = forecast.isel({QUANTILE: k}, drop=True)
        total = total + 2 * width * quantile_score(one, observed, level, preserve_dims="all")
    return total


def _crps_of_members(forecast: xr.DataArray, observed: xr.DataArray) -> xr.DataArray:
    from scores.probability import crps_for_ensemble

    return crps_for_ensemble(forecast, observed, MEMBER, method="ecdf", preserve_dims="all")


def _interval_of_median(skill: xr.DataArray, bootstrap: Bootstrap) -> np.ndarray:
    """Of the median over sites, which are drawn; NaN for fewer than three."""
    values = skill.to_numpy()
    values = values[np.isfinite(values)]
    if values.size < 3:
        return np.full(2, np.nan)
    drawn = draw(values.size, (bootstrap.n_boot, values.size), np.random.default_rng(bootstrap.seed))
    medians = np.median(values[drawn], axis=1)[None]
    return percentile_bounds(medians, bootstrap.confidence, values.size)[0]


def _coverage(values: xr.DataArray, obs: xr.DataArray, levels: list[float]) -> dict[str, Any]:
    """Share of days inside each central interval, by site and over all days."""
    pairs = [(a, b) for a, b in zip(levels, levels[::-1], strict=True) if a < b and abs(a + b - 1) < 1e-9]
    if not pairs:
        return {}
    inside = []
    for low, high in pairs:
        bounds = [values.isel({QUANTILE: levels.index(level)}, drop=True) for level in (low, high)]
        inside.append(((obs >= bounds[0]) & (obs <= bounds[1])).where(obs.notnull()))
    nominal = [round(high - low, 9) for low, high in pairs]
    each = xr.concat(inside, "interval_level").assign_coords(interval_level=nominal)
    attrs = {"long_name": "share of observations inside the central interval", "units": "1"}
    site, time = obs.dims
    pooled = each.mean([site, time])
    return {"coverage": each.mean([time]).assign_attrs(attrs), "coverage_pooled": pooled.assign_attrs(attrs)}


def _pit(values: xr.DataArray, obs: xr.DataArray, levels: list[float]) -> dict[str, Any]:
    """Share of all observations between neighbouring quantiles over the share that should be there; 1 is right."""
    rank = (obs > values).sum(QUANTILE).where(obs.notnull()).to_numpy()
    counts = np.bincount(rank[np.isfinite(rank)].astype(int), minlength=len(levels) + 1)
    edges = np.array([0.0, *levels, 1.0])
    share = counts / max(1, counts.sum()) / np.diff(edges)
    attrs = {"long_name": "PIT histogram, observed over expected share of observations between quantiles", "units": "1"}
    return {"pit": xr.DataArray(share, {"pit_bin": (edges[1:] + edges[:-1]) / 2}, ("pit_bin",), attrs=attrs)}
