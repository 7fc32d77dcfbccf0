"""The probability that a flash drought begins within the lead, on every day of labelled data."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace

import numpy as np
import xarray as xr

from xdrought import alignment, checks
from xdrought.events.state import Train
from xdrought.forecast.forcing import Forcing
from xdrought.forecast.onset.hazard import HazardNetwork, by_lead_day, within_leads
from xdrought.forecast.onset.onset_model import OnsetModel
from xdrought.forecast.onset.predictors import in_units_of, onset_inputs, stacked_rows
from xdrought.forecast.onset.training_days import season_on_days
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.splits import Splits, require_numpy_dates
from xdrought.statistics.frequencies import percentile_bin
from xdrought.windows.selection import LEAD, MEMBER


@public
@recorded
def predict_onset(
    ds: xr.Dataset,
    onset: OnsetModel,
    *,
    train: Train | None = None,
    forcing: Forcing = None,
    time: Hashable = "time",
) -> xr.Dataset:
    """P(a flash drought begins within the next 1 to `lead` days) on each day of issue, beside two frequencies.

    Parameters
    ----------
    ds : xarray.Dataset
        Soil moisture and drivers of sites or of a grid, under the names and in the units of the training or others that
        can be converted. With dask, time must be one chunk; the result is lazy.
    onset : OnsetModel
        From :func:`xdrought.fit_onset` or :func:`xdrought.load_onset`.
    train : slice, (start, end), boolean DataArray, or a record, optional
        What percentiles and means are computed from. By default the training days of the fit, which must be among the
        days of `ds`; places that the training has not seen need it.
    forcing : xarray.Dataset or "observed", optional
        The weather of the lead days where the model was fitted with `future`.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        On the dimensions of soil moisture, where time is the day of issue, and of several leads on ``lead_time``:
        ``flash_onset_probability``;
        ``season_frequency``, how often it happened in the training part in the same season, at the site shrunk to all
        sites; ``percentile_frequency``, how often it happened at the same percentile; ``part``, the part of the
        splits (outside, train, val, test) that the day belongs to. NaN where soil moisture of the day is missing; other
        missing inputs count as not known, and the coordinate ``n_filled`` says how many do. With members, the
        probability is the mean of theirs.

    Raises
    ------
    KeyError
        For a variable that is not there.
    ValueError
        For places without training days, days out of order, units that cannot be converted, or a forcing that lacks a
        lead day.

    Examples
    --------
    See :func:`xdrought.fit_onset`.
    """
    task = onset.task
    data = in_units_of(ds, task)
    target = data[task.target]
    checks.require_regular_steps(target, time)
    require_numpy_dates(target, time)
    splits = _as_lazy_as(_splits_here(onset.splits, target, time), target)
    train = training_days_of(onset, target, time) if train is None else train
    inputs = onset_inputs(data, task, train, forcing, time)
    inputs = {name: inputs[name] for name in onset.inputs}
    issued = inputs["percentile"].notnull()
    found = {
        "flash_onset_probability": _probability(inputs, onset, time),
        "season_frequency": _by_lead(onset.season, lambda season: season_on_days(season, target, time)),
        "percentile_frequency": _by_lead(
            onset.percentile_table, lambda table: _percentile_frequency(inputs["percentile"], table)
        ),
    }
    within = f"{task.lead} days" if not task.leads else f"the days of {LEAD}"
    ahead = f"a flash drought begins within {within}"
    texts = {
        "flash_onset_probability": f"probability that {ahead}",
        "season_frequency": f"how often {ahead}, in the season",
        "percentile_frequency": f"how often {ahead}, by today's percentile",
    }
    out = {
        name: da.where(issued).transpose(*target.dims, ...).assign_attrs(long_name=texts[name], units="1")
        for name, da in found.items()
    }
    unknown = sum((da.isnull().astype("int16") for da in inputs.values()), start=xr.zeros_like(target, dtype="int16"))
    unknown = unknown.max(MEMBER) if MEMBER in unknown.dims else unknown
    part = splits.part_of(target[time]).reset_coords(drop=True)
    out["part"] = part.broadcast_like(target).transpose(*target.dims)
    seconds = np.array(onset.leads) * np.timedelta64(86400, "s")
    about_leads = {"long_name": "longest time to the onset"}
    ahead_of = (LEAD, seconds, about_leads) if task.leads else ((), seconds[0], about_leads)
    about = {"long_name": "inputs of the day that are not known", "units": "1", "inputs": len(inputs)}
    n_filled = unknown.reset_coords(drop=True).transpose(*target.dims).assign_attrs(about)
    coords = {**target.coords, LEAD: ahead_of, "n_filled": n_filled}
    return alignment.dataset_of(out, coords).assign_attrs(
        {
            "label": task.label,
            "definition": task.definition.name,
            "lead": list(task.leads) if task.leads else task.lead,
            "model": onset.model,
            "forcing": forcing if isinstance(forcing, str) else "none" if forcing is None else "forecasts",
        }
    )


def training_days_of(onset: OnsetModel, target: xr.DataArray, time: Hashable) -> xr.DataArray:
    """True on the training days of each place of `target`, as lazy as it is; ValueError where there is none."""
    splits = _splits_here(onset.splits, target, time)
    _require_training_days(splits, target, time)
    return _as_lazy_as(splits, target).training_days(target[time])


def _by_lead(frequency: xr.DataArray, on_days: Callable[[xr.DataArray], xr.DataArray]) -> xr.DataArray:
    """A frequency on the days of issue, for each lead where it is that of several."""
    if LEAD not in frequency.dims:
        return on_days(frequency)
    each = [on_days(frequency.sel({LEAD: lead}, drop=True)) for lead in frequency[LEAD].values]
    return xr.concat(each, LEAD)


def _percentile_frequency(percentile: xr.DataArray, table: xr.DataArray) -> xr.DataArray:
    return xr.apply_ufunc(
        _table_block, percentile, kwargs={"table": table.to_numpy()}, dask="parallelized", output_dtypes=[np.float64]
    )


def _table_block(percentile: np.ndarray, *, table: np.ndarray) -> np.ndarray:
    return table[percentile_bin(percentile, table.size)]


def _probability(inputs: dict[str, xr.DataArray], onset: OnsetModel, time: Hashable) -> xr.DataArray:
    """The probability on the days of issue, the mean of the members; of several leads on one more dimension."""
    if isinstance(onset.classifier, HazardNetwork):
        return _probability_by_lead(inputs, onset, time)
    probability = xr.apply_ufunc(
        _probability_block,
        *inputs.values(),
        kwargs={"onset": onset},
        dask="parallelized",
        output_dtypes=[np.float64],
        keep_attrs=False,
    )
    return probability.mean(MEMBER) if MEMBER in probability.dims else probability


def _probability_block(*inputs: np.ndarray, onset: OnsetModel) -> np.ndarray:
    rows = stacked_rows(inputs)
    known = np.isfinite(rows[..., onset.inputs.index("percentile")])
    out = np.full(known.shape, np.nan)
    out[known] = onset.probabilities(rows[known])
    return out


def _probability_by_lead(inputs: dict[str, xr.DataArray], onset: OnsetModel, time: Hashable) -> xr.DataArray:
    """The same from hazards, whose windows and members are whole in each block."""
    whole = [da.chunk({MEMBER: -1}) if MEMBER in da.chunksizes else da for da in inputs.values()]
    with_members = tuple(MEMBER in da.dims for da in whole)
    probability = xr.apply_ufunc(
        _hazard_block,
        *whole,
        kwargs={"onset": onset, "with_members": with_members},
        input_core_dims=[[time, MEMBER] if there else [time] for there in with_members],
        output_core_dims=[[time, LEAD]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {LEAD: len(onset.leads)}},
        output_dtypes=[np.float64],
        keep_attrs=False,
    )
    return probability if onset.task.leads else probability.isel({LEAD: 0})


def _hazard_block(*inputs: np.ndarray, onset: OnsetModel, with_members: tuple[bool, ...]) -> np.ndarray:
    """(places..., time, lead) from inputs (places..., time), those known ahead also (places..., time, member)."""
    network = onset.classifier
    assert isinstance(network, HazardNetwork)
    n_inputs = network.mean.size
    days = stacked_rows(inputs[:n_inputs])  # [places..., time, input]
    shape = days.shape[:-1]
    ahead = [
        values if there else values[..., None]
        for values, there in zip(inputs[n_inputs:], with_members[n_inputs:], strict=True)
    ]
    known = np.isfinite(days[..., onset.inputs.index("percentile")]).reshape(-1, shape[-1])
    weather = None
    if ahead:
        joined = stacked_rows(tuple(ahead))  # [places..., time, member, driver and lead day]
        joined = np.broadcast_to(joined, (*shape, *joined.shape[-2:])).reshape(*known.shape, *joined.shape[-2:])
        weather = by_lead_day(joined, len(network.future), network.lead)
    slope, intercept = onset.calibration
    hazards = network.hazards(days.reshape(*known.shape, n_inputs), weather, known)  # [n, member, lead day]
    out = np.full((*known.shape, len(onset.leads)), np.nan)
    out[known] = within_leads(intercept + slope * hazards).mean(axis=1)[:, np.array(onset.leads) - 1]
    return out.reshape(*shape, -1)


def _splits_here(splits: Splits, target: xr.DataArray, time: Hashable) -> Splits:
    """The parts on the places of the target; empty at places that they do not know."""
    here = {
        dim: target.indexes[dim] for dim in splits.ranges.dims if dim in target.indexes and dim in splits.ranges.indexes
    }
    ranges = splits.ranges.reindex(here)
    gone = [dim for dim in ranges.dims if dim != "part" and dim not in target.dims]
    if gone:  # a single place was selected: its own parts, if its label is still there
        labels = {dim: target.coords[dim] for dim in gone if dim in target.coords}
        ranges = (
            ranges.sel(labels) if len(labels) == len(gone) else ranges.isel(dict.fromkeys(gone, slice(0))).max(gone)
        )
    return replace(splits, ranges=ranges, time=time)


def _as_lazy_as(splits: Splits, target: xr.DataArray) -> Splits:
    """The parts in the chunks of the target, so that masks of days are as lazy as it is."""
    if target.chunks is None:
        return splits
    chunks = {dim: target.chunksizes[dim] for dim in splits.ranges.dims if dim in target.chunksizes}
    return replace(splits, ranges=splits.ranges.chunk(chunks))


def _require_training_days(splits: Splits, target: xr.DataArray, time: Hashable) -> None:
    """Raise when the data of some place hold no day of its training part."""
    ranges = splits.ranges.sel(part="train", drop=True)
    first, last = target[time][0].values, target[time][-1].values
    there = (ranges.start <= last) & (ranges.end >= first)
    if not bool(there.all()):
        lacking = there.where(~there, drop=True)
        names = [lacking[dim].values.tolist()[:5] for dim in lacking.dims if dim in lacking.coords]
        raise ValueError(
            f"{int((~there).sum())} place(s) {names} hold no day of the training, from which their percentiles and "
            f'means could be computed; give train=, e.g. train=(None, "2015-12-31"), or a record of {target.name!r}'
        )
