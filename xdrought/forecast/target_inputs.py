"""What a network may know of the target itself: which observations, from which day, and how late they arrive."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks


@dataclass(frozen=True)
class TargetInputs:
    """Which observations of the target a network uses; by default none, as in the paper.

    Parameters
    ----------
    history : bool
        The target's own past is one more driver.
    change : bool
        The network learns the change from the last known observation to the forecast day.
    latency : int
        Days until an observation is reported: on the day of issue the observation of `latency` days before is the last
        one that is known.
    """

    history: bool = False
    change: bool = False
    latency: int = 0

    @property
    def is_used(self) -> bool:
        """Whether the network uses any observation of the target."""
        return self.history or self.change

    def describe(self) -> str:
        """What is used, in words."""
        uses = ["as a driver"] * self.history + ["as the value that a change is added to"] * self.change
        return f"{' and '.join(uses)}, reported after {self.latency} days" if uses else "not used"


NO_TARGET_INPUTS = TargetInputs()


def checked_target_inputs(history: bool, change: bool, latency: int) -> TargetInputs:
    """The keywords of a training as a checked value.

    Raises
    ------
    ValueError
        For values of another kind, or a latency of observations that are not used.
    """
    for name, value in (("target_history", history), ("predict_change", change)):
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name}={value!r}; it is True or False")
    used = TargetInputs(bool(history), bool(change), checks.require_integer(latency, "latency", 0, of="days"))
    if used.latency and not used.is_used:
        raise ValueError(
            f"latency={latency} says how late observations arrive, but none are used; "
            f"use target_history=True or predict_change=True, or leave latency out"
        )
    return used


def history_name(target: Hashable) -> str:
    """Name of the driver that holds the target's past."""
    return f"{target}_history"


def known_before(observed: xr.DataArray, days: int, time: Hashable) -> xr.DataArray:
    """On each day of the record the observation of `days` days before, NaN where there is none."""
    checks.require_dim(observed, time)
    later = observed.assign_coords({time: _days_later(observed, days, time)})
    return later.reindex({time: observed[time]})


def known_on(observed: xr.DataArray, days: int, times: pd.Index, time: Hashable) -> xr.DataArray:
    """The observation of `days` days before each of the days `times`."""
    later = observed.assign_coords({time: _days_later(observed, days, time)})
    return later.reindex({time: times})


def with_history(ds: xr.Dataset, target: Hashable, used: TargetInputs, time: Hashable) -> xr.Dataset:
    """`ds` with the driver that holds on each day the observation that is then the last reported one."""
    name = history_name(target)
    if name in ds.variables:
        raise ValueError(f"{name!r} is what target_history=True adds; rename the variable of that name")
    attrs = {**ds[target].attrs, "long_name": f"{ds[target].attrs.get('long_name', target)}, as reported on the day"}
    return ds.assign({name: known_before(ds[target], used.latency, time).assign_attrs(attrs)})


def _days_later(da: xr.DataArray, days: int, time: Hashable) -> pd.Index:
    checks.days_since_start(da, time)  # refuse what is not dates
    return da.indexes[time] + pd.Timedelta(days=days)
