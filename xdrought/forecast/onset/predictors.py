"""What a warning is made from: the state of the soil, the season, the weather so far and, where given, that ahead.

The same inputs are made in training and in use, lazily for dask. Nothing but `future` looks at a day after the day of
issue.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from xdrought.choices import OnsetLabel
from xdrought.definitions import Definition
from xdrought.events.state import MEMORY, Train, drought_state
from xdrought.forecast.driver_inputs import in_training_units
from xdrought.forecast.forcing import Forcing, forecasts_of
from xdrought.forecast.options import OBSERVED
from xdrought.percentiles import as_rows
from xdrought.windows.selection import LEAD

WINDOWS = (3, 7, 14, 30, 60, 90)  # days over which a driver is averaged
_SITE = ("site_mean", "site_spread", "site_decay")


@dataclass(frozen=True)
class OnsetTask:
    """What is warned of, and from what.

    Parameters
    ----------
    target : hashable
        Name of soil moisture.
    drivers : tuple of hashable
        Names of the weather up to the day of issue.
    future : tuple of hashable
        Names of the weather known for the lead days.
    lead : int
        Days after the day of issue on which an onset counts; the longest of several leads.
    label : {"path", "event"}
        See :func:`xdrought.onset_days`.
    definition : Definition
        Of a flash drought.
    units : mapping
        Units of target and drivers in training.
    time : hashable
        The time dimension in training.
    leads : tuple of int
        The leads, where several are asked for.
    window : int
        Days up to the day of issue whose inputs are read.
    """

    target: Hashable
    drivers: tuple[Hashable, ...]
    future: tuple[Hashable, ...]
    lead: int
    label: OnsetLabel
    definition: Definition
    units: Mapping[Hashable, str | None] = field(default_factory=dict)
    time: Hashable = "time"
    leads: tuple[int, ...] = ()
    window: int = 1

    @property
    def memory(self) -> int:
        """Days that the inputs look back."""
        return (max(MEMORY, *WINDOWS) if self.drivers else MEMORY) + self.window - 1


def in_units_of(ds: xr.Dataset, task: OnsetTask) -> xr.Dataset:
    """The variables of the task in the units of the training, on the dimensions of the target."""
    wanted = [task.target, *dict.fromkeys((*task.drivers, *(n for n in task.future if n in ds.data_vars)))]
    missing = [name for name in wanted if name not in ds.data_vars]
    if missing:
        raise KeyError(f"no variable {missing} in the Dataset; it has {list(ds.data_vars)}")
    return xr.Dataset({name: in_training_units(ds[name], task.units.get(name)) for name in wanted})


def onset_inputs(
    ds: xr.Dataset, task: OnsetTask, train: Train, forcing: Forcing, time: Hashable
) -> dict[str, xr.DataArray]:
    """Every input by its name, ``percentile`` first, each on some of the dimensions of the target.

    Parameters
    ----------
    ds : xarray.Dataset
        From :func:`in_units_of`.
    task : OnsetTask
        What is made.
    train : slice, (start, end), boolean DataArray, or a record
        As for :func:`xdrought.drought_state`.
    forcing : "observed", xarray.Dataset or None
        Where the weather of `future` comes from: the record itself, or forecasts on (init_time, lead_time[, member]).
    time : hashable
        The time dimension.
    """
    target = ds[task.target]
    state = drought_state(target, train=train, definition=task.definition, time=time)
    found = {str(name): da for name, da in state.data_vars.items() if name not in _SITE}
    for name in task.drivers:
        found |= _of_driver(ds[name], target, time)
    for name in task.future:
        found |= _of_future(ds, name, task, forcing, time)
    return {name: da.reset_coords(drop=True) for name, da in found.items()}


def names_ahead(task: OnsetTask) -> list[str]:
    """Names of the inputs of :func:`onset_inputs` that are the weather of a lead day, of one driver after the other."""
    return [f"{name}_ahead_{k}" for name in task.future for k in range(1, task.lead + 1)]


def names_mean_ahead(task: OnsetTask) -> list[str]:
    """Names of those that are means up to a lead day."""
    return [f"{name}_mean_ahead_{k}" for name in task.future for k in range(2, task.lead + 1)]


def _of_driver(da: xr.DataArray, target: xr.DataArray, time: Hashable) -> dict[str, xr.DataArray]:
    """A driver today and its means over the last days."""
    extra = [dim for dim in da.dims if dim not in target.dims]
    if extra or time not in da.dims:
        raise ValueError(
            f"driver {da.name!r} has dimensions {tuple(da.dims)}, soil moisture {tuple(target.dims)}; a driver has "
            f"{time!r} and no other dimension than the target: average it over its patch first, e.g. .mean({extra})"
        )
    means = xr.apply_ufunc(
        _means_block,
        da,
        input_core_dims=[[time]],
        output_core_dims=[[time]] * len(WINDOWS),
        dask="parallelized",
        output_dtypes=[np.float32] * len(WINDOWS),
    )
    return {str(da.name): da} | {f"{da.name}_mean_{k}": mean for k, mean in zip(WINDOWS, means, strict=True)}


def _means_block(values: np.ndarray) -> tuple[np.ndarray, ...]:
    from xdrought.kernels.onset_state import trailing_means

    found = trailing_means(np.ascontiguousarray(as_rows(values), np.float64), WINDOWS)
    return tuple(one.reshape(values.shape).astype(np.float32) for one in found)


def _of_future(
    ds: xr.Dataset, name: Hashable, task: OnsetTask, forcing: Forcing, time: Hashable
) -> dict[str, xr.DataArray]:
    """A driver on each of the lead days, and its mean up to each of them."""
    if isinstance(forcing, xr.Dataset):
        days = _of_forecasts(forcing, name, task, ds[task.target], time)
    elif forcing == OBSERVED:
        if name not in ds.data_vars:
            raise KeyError(f'no variable {name!r} in the Dataset, which forcing="observed" reads for the lead days')
        days = [ds[name].shift({time: -k}) for k in range(1, task.lead + 1)]
    else:
        raise ValueError(
            f"forcing={forcing!r}, but the weather of the lead days is needed for {list(task.future)}; give a Dataset "
            f'of forecasts on (init_time, lead_time), or "observed" to learn what a perfect forecast is worth'
        )
    result = {f"{name}_ahead_{k}": day for k, day in enumerate(days, start=1)}
    total = days[0]
    for k, day in enumerate(days[1:], start=2):
        total = total + day
        result[f"{name}_mean_ahead_{k}"] = total / k
    return result


def _of_forecasts(
    forcing: xr.Dataset, name: Hashable, task: OnsetTask, target: xr.DataArray, time: Hashable
) -> list[xr.DataArray]:
    """The forecasts of a driver for each lead day, on the days of issue of the target."""
    days = forecasts_of(forcing, name, task.lead, target, task.units.get(name), time)
    return [days.sel({LEAD: k}, drop=True) for k in range(1, task.lead + 1)]


def stacked_rows(inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Inputs that broadcast against each other as float32 (..., inputs)."""
    return np.stack(np.broadcast_arrays(*inputs), axis=-1).astype(np.float32)
