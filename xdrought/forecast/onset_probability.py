"""How probable a flash drought is within the lead: the share of an ensemble's paths in which one begins."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

from xdrought.definitions import Definition, get_definition
from xdrought.forecast.forecaster import Forecaster
from xdrought.kernels.onset_share import OnsetRule, flash_onset_share
from xdrought.percentiles import soil_moisture_percentile


def onset_rule(definition: str | Definition) -> OnsetRule:
    """The part of a definition that can be seen within a lead time."""
    d = get_definition(definition) if isinstance(definition, str) else definition
    if not isinstance(d, Definition):
        raise TypeError(f"probability={definition!r} is no definition; give its name, e.g. 'tang2025'")
    if d.rule != "threshold" or d.step != "day":
        raise ValueError(
            f"definition {d.name!r} ({d.rule}, by the {d.step}) cannot be read off daily paths; "
            f"use one that falls from a threshold to another by the day, e.g. 'tang2025'"
        )
    longest = np.inf if d.max_onset is None else d.max_onset
    return OnsetRule(d.upper, d.lower, d.min_rate, longest, d.wet_at_upper, d.dry_at_lower)


def require_ensemble(forecaster: Forecaster) -> None:
    """A share needs several."""
    if forecaster.runs < 2:
        raise ValueError("a probability is a share of several networks, this forecaster has one; train with runs=10")


def flash_onset_probability(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    reference: xr.DataArray | None,
    definition: str | Definition,
    forecaster: Forecaster,
    time: Hashable,
) -> xr.DataArray:
    """Share of the runs of `forecast` (run, ..., time) in which a flash drought begins between issue and valid time."""
    rule = onset_rule(definition)
    d = get_definition(definition) if isinstance(definition, str) else definition
    if reference is None:
        reference = _training_record(observed, forecaster, time)
    record = observed.reindex({time: forecast[time][: -forecaster.lead]})  # every day once

    def percentile(da: xr.DataArray) -> xr.DataArray:
        da = da.drop_vars([name for name in da.coords if name not in da.dims]).assign_attrs(units=None)
        return soil_moisture_percentile(
            da, method=d.percentile_method, pool=d.pool, window=d.window, reference=reference.drop_attrs(), time=time
        )

    share = xr.apply_ufunc(
        _share,
        percentile(record).rename({time: "_day"}),
        percentile(forecast),
        input_core_dims=[["_day"], ["run", time]],
        output_core_dims=[[time]],
        kwargs={"lead": forecaster.lead, "latency": forecaster.target_inputs.latency, "rule": rule},
        dask="parallelized",
        output_dtypes=["float64"],
    )
    return share.transpose(*(dim for dim in forecast.dims if dim != "run")).assign_attrs(
        long_name="probability that a flash drought begins after init_time and up to time",
        units="1",
        definition=d.name,
        upper=rule.upper,
        lower=rule.lower,
        min_rate=rule.min_rate,
        members=forecaster.runs,
    )


def _share(observed: np.ndarray, members: np.ndarray, *, lead: int, latency: int, rule: OnsetRule) -> np.ndarray:
    return flash_onset_share(observed, np.moveaxis(members, -2, 0), lead, latency, rule)


def _training_record(observed: xr.DataArray, forecaster: Forecaster, time: Hashable) -> xr.DataArray:
    """The observations that the training may see."""
    days = forecaster.splits.training_days(observed[time])
    days = days.drop_vars([name for name in days.coords if name not in days.dims])
    if not bool(days.any()):
        raise ValueError(
            f"the data hold no day of the training, against which soil moisture is ranked; "
            f"give reference= a longer record of {observed.name!r}"
        )
    labels = {dim: observed.indexes[dim] for dim in days.dims if dim != time and dim in observed.indexes}
    return observed.where(days.reindex(labels, fill_value=False)).rename(observed.name)
