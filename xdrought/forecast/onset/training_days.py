"""What warnings learn from, in memory: labels and inputs of every place and day."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xdrought import calendars
from xdrought.forecast.onset.predictors import stacked_rows

FOLDS = 4  # of the training part, for calibration


@dataclass(frozen=True, eq=False)
class TrainingDays:
    """Labels and inputs of every place and day, and which of them belong to each part.

    Parameters
    ----------
    labels : numpy.ndarray
        float32 (places, time, label), NaN where not known: whether an onset falls within the first 1, 2, ... lead days
        for what learns the lead days one by one, else within the lead only.
    inputs : dict of str to numpy.ndarray
        Each float32 (places, time).
    days : dict of str to numpy.ndarray
        bool (places, time): the days of issue of each part, on which the percentile is known.
    """

    labels: np.ndarray
    inputs: dict[str, np.ndarray]
    days: dict[str, np.ndarray]

    @property
    def begins(self) -> np.ndarray:
        """(places, time) whether an onset falls within the longest lead."""
        return self.labels[..., -1]

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """bool (places, time): the days of issue of each part whose label is known."""
        known = np.isfinite(self.begins)
        return {part: days & known for part, days in self.days.items()}

    def rows(self, chosen: np.ndarray) -> np.ndarray:
        """float32 (n, inputs) of the days chosen, bool (places, time)."""
        return stacked_rows(tuple(values[chosen] for values in self.inputs.values()))

    def folds(self, part: np.ndarray) -> np.ndarray:
        """(places, time) a number from 0 to 3 for each day of a part, -1 elsewhere.

        It is that of its place, or of its quarter where places are few.
        """
        place, _ = np.nonzero(part)
        fold = np.full(part.shape, -1)
        if np.unique(place).size >= FOLDS:
            fold[part] = np.unique(place, return_inverse=True)[1] % FOLDS
        else:
            fold[part] = np.concatenate([np.arange(n) * FOLDS // n for n in np.bincount(place) if n])
        return fold

    def counts(self) -> dict[str, int]:
        """Days of each part, and how many of them stand before an onset."""
        result = {}
        for part, chosen in self.parts.items():
            result[f"{part}_days"] = int(chosen.sum())
            result[f"{part}_positive"] = int(self.begins[chosen].sum())
        return result


def season_on_days(season: xr.DataArray, like: xr.DataArray, time: Hashable) -> xr.DataArray:
    """The season's frequency on the places and days of `like`; places that are not known get the pool.

    `season` is on (day_of_year), or on the places and day_of_year with the coordinate ``pool(day_of_year)``.
    """
    days = calendars.common_day_of_year(like.indexes[time])  # type: ignore[arg-type]
    at = xr.DataArray(np.asarray(days), {time: like[time]}, [time])
    pool = season.coords["pool"].reset_coords(drop=True)
    places = [dim for dim in season.dims if dim != "day_of_year"]
    here = {dim: like.indexes[dim] for dim in places if dim in like.indexes}
    if not places or any(dim not in like.dims or dim not in here for dim in places):
        return pool.isel(day_of_year=at)
    known = season.reset_coords(drop=True).reindex(here)
    return known.where(known.notnull(), pool).isel(day_of_year=at)
