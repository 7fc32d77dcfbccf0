"""The data and the forecaster side by side: windows as in training, and who may see which day."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought.forecast.driver_inputs import in_known_units, splits_on_places, training_windows
from xdrought.splits import Splits
from xdrought.windows.dimension_names import known_names
from xdrought.windows.labelled import Patches, make_patches
from xdrought.windows.selection import GRID, PATCH, SITE

if TYPE_CHECKING:
    from xdrought.forecast.forecaster import Forecaster


@dataclass(frozen=True, eq=False)
class Audit:
    """What the checks look at.

    Parameters
    ----------
    forecaster : Forecaster
        The forecaster that is audited.
    windows : Patches
        Those that a training of these data would have.
    central : xarray.Dataset
        Drivers and target as observed at every place (of a patch its centre), in memory.
    """

    forecaster: Forecaster
    windows: Patches
    central: xr.Dataset

    @property
    def time(self) -> Hashable:
        return self.windows.time

    @property
    def target(self) -> Hashable:
        return self.forecaster.target

    @property
    def names(self) -> list[Hashable]:
        """Drivers and target, without what the training makes of the target."""
        return [*self.forecaster.drivers, self.target]

    @property
    def latency(self) -> int:
        return self.forecaster.target_inputs.latency if self.forecaster.target_inputs.is_used else 0

    @property
    def places(self) -> tuple[str, ...]:
        return GRID if self.windows.on_grid else (SITE,)

    @cached_property
    def place_names(self) -> list[str]:
        """Each place of `central` in words, in the order of the rows."""
        return names_of_places(self.central, self.places)

    @cached_property
    def days(self) -> np.ndarray:
        """The daily axis, (time,)."""
        return self.central.indexes[self.time].to_numpy()

    def rows(self, da: xr.DataArray) -> np.ndarray:
        """(places, time) float64."""
        values = da.transpose(*self.places, self.time).to_numpy()
        return values.reshape(-1, values.shape[-1]).astype("float64")

    def series(self, name: Hashable) -> np.ndarray:
        """A variable at every place, (places, time) float64, NaN where it is not finite."""
        values = self.rows(self.central[name])
        return np.where(np.isfinite(values), values, np.nan)

    def bounds(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """First and last target day of a part at every place, NaT where it has none."""
        ranges = self.splits_of(self.central).ranges.sel(part=part, drop=True).transpose(*self.places)
        return ranges["start"].to_numpy().ravel(), ranges["end"].to_numpy().ravel()

    def target_days(self, part: str) -> np.ndarray:
        """True on the target days of a part, (places, time)."""
        start, end = self.bounds(part)
        return (self.days >= start[:, None]) & (self.days <= end[:, None])

    @cached_property
    def tested(self) -> np.ndarray:
        """True on the target days of validation and test, (places, time)."""
        return self.target_days("val") | self.target_days("test")

    @cached_property
    def learnt(self) -> np.ndarray:
        """True up to the end of the training part and outside the others, (places, time): what may be learnt from."""
        return (self.days <= self.bounds("train")[1][:, None]) & ~self.tested

    def days_of(self, kind: str, data: xr.Dataset) -> xr.DataArray:
        """True on the days of a kind, on the places and the time of `data`."""
        splits, times = self.splits_of(data), data[self.time]
        val, test = splits.mask("val", times), splits.mask("test", times)
        kinds = {
            "the training days": lambda: splits.training_days(times) & ~val & ~test,
            "the target days of training": lambda: splits.mask("train", times) & ~val & ~test,
            "training and validation": lambda: (
                (splits.training_days(times) | _until_end_of("val", splits, times)) & ~test
            ),
            "all days up to the end of training, tested ones among them": lambda: splits.training_days(times),
            "the whole record": lambda: xr.ones_like(val),
            "the tested days": lambda: val | test,
        }
        return kinds[kind]().drop_vars("part", errors="ignore")

    def splits_of(self, data: xr.Dataset) -> Splits:
        """The splits on the places of `data`, empty where they have none."""
        splits = splits_on_places(self.forecaster.splits, data)
        others = [name for name in splits.ranges.coords if name not in splits.ranges.dims]
        return replace(splits, ranges=splits.ranges.drop_vars(others))


def _until_end_of(part: str, splits: Splits, times: xr.DataArray) -> xr.DataArray:
    return (times <= splits.ranges.end.sel(part=part, drop=True)).transpose(..., *times.dims)


ALLOWED = ("the training days", "the target days of training")
FORBIDDEN = (
    "the whole record",
    "training and validation",
    "all days up to the end of training, tested ones among them",
)


def names_of_places(data: xr.Dataset, places: tuple[str, ...]) -> list[str]:
    """Each place in words, row by row."""
    labels = [data.indexes.get(dim, range(data.sizes[dim])) for dim in places]
    return [", ".join(map(str, where)) for where in product(*labels)]


def gather(ds: xr.Dataset, forecaster: Forecaster) -> Audit:
    """Windows and central series of the data that a forecaster was trained on."""
    time, target, target_inputs = forecaster.splits.time, forecaster.target, forecaster.target_inputs
    ds = known_names(ds, forecaster.settings, site=None, lat=None, lon=None).to_ours(ds)
    known = in_known_units(ds, [*forecaster.drivers, target], forecaster.units)
    settings = (forecaster.size, forecaster.window, forecaster.windows_lead())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of sites without windows: said in training
        share = forecaster.missing.largest_share
        windows = training_windows(known, target, forecaster.drivers, *settings, time, target_inputs, share)
    every_place = make_patches(known, target, forecaster.drivers, *settings, True, time).data
    middle = (forecaster.size - 1) // 2
    central = every_place.isel({dim: middle for dim in PATCH if dim in every_place.dims}).compute()
    return Audit(forecaster, windows, central)


def shown(names: list[str], most: int = 5) -> str:
    """Some names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
