"""What a forecast may know of the target's own past: nothing, as in the paper, or what a station has reported."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks


@dataclass(frozen=True)
class TargetPast:
    """Which observations of the target a network uses; by default none.

    Parameters
    ----------
    history : bool
        The target's own past is one more driver.
    change : bool
        The network learns the change from the last known observation to the forecast day.
    latency : int
        Days until an observation is reported: on the day of issue those of `latency` days before are the last.
    """

    history: bool = False
    change: bool = False
    latency: int = 0

    @property
    def is_used(self) -> bool:
        return self.history or self.change

    def describe(self) -> str:
        """In words."""
        uses = ["as a driver"] * self.history + ["as the value that a change is added to"] * self.change
        return f"{' and '.join(uses)}, reported after {self.latency} days" if uses else "not used"


NO_PAST = TargetPast()


def make_past(history: bool, change: bool, latency: int, caller: str) -> TargetPast:
    """A checked :class:`TargetPast`."""
    for name, value in (("target_history", history), ("predict_change", change)):
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{caller}: {name}={value!r}; it is True or False")
    if isinstance(latency, bool) or not isinstance(latency, int | np.integer) or latency < 0:
        raise ValueError(f"{caller}: latency={latency!r}; it is a whole number of days, 0 or more")
    past = TargetPast(bool(history), bool(change), int(latency))
    if past.latency and not past.is_used:
        raise ValueError(
            f"{caller}: latency={latency} says how late observations arrive, but none are used; "
            f"use target_history=True or predict_change=True, or leave latency out"
        )
    return past


def history_name(target: Hashable) -> str:
    """Name of the driver that holds the target's past."""
    return f"{target}_history"


def known_before(observed: xr.DataArray, days: int, time: Hashable, caller: str) -> xr.DataArray:
    """On each day of the record the observation of `days` days before, NaN where there is none."""
    checks.require_dim(observed, time, caller)
    later = observed.assign_coords({time: _days_later(observed, days, time, caller)})
    return later.reindex({time: observed[time]})


def known_on(observed: xr.DataArray, days: int, times: pd.Index, time: Hashable, caller: str) -> xr.DataArray:
    """The observation of `days` days before each of the days `times`."""
    later = observed.assign_coords({time: _days_later(observed, days, time, caller)})
    return later.reindex({time: times})


def with_history(ds: xr.Dataset, target: Hashable, past: TargetPast, time: Hashable, caller: str) -> xr.Dataset:
    """`ds` with the driver that holds on each day what is then the last report."""
    name = history_name(target)
    if name in ds.variables:
        raise ValueError(f"{caller}: {name!r} is what target_history=True adds; rename the variable of that name")
    attrs = {**ds[target].attrs, "long_name": f"{ds[target].attrs.get('long_name', target)}, as reported on the day"}
    return ds.assign({name: known_before(ds[target], past.latency, time, caller).assign_attrs(attrs)})


def _days_later(da: xr.DataArray, days: int, time: Hashable, caller: str) -> pd.Index:
    checks.days_since_start(da, time, caller)  # refuse what is not dates
    return da.indexes[time] + pd.Timedelta(days=days)
