"""From forecast steps to lead days: which steps make each day after the day of issue, and their mean, extreme or sum.

Whole days of UTC only: half a day of rain is no day of rain. Lazy for dask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

STEP = "step"
_FEWEST = 4  # moments of a day of which a mean is taken
_FALL = 0.001  # of the largest total: by how much packing lets a total fall


@dataclass(frozen=True)
class Steps:
    """The steps of runs that begin at one hour of the day.

    Parameters
    ----------
    hours : (step,) array
        Hours from 00 UTC of the day of the run to each step, growing.
    start : float
        Hour of the day at which the run begins.
    first : int
        Days from the day of the run to lead day 1.
    """

    hours: np.ndarray
    start: float
    first: int

    def begin(self, lead: int) -> float:
        """Hours from 00 UTC of the day of the run to the begin of a lead day."""
        return 24.0 * (lead - 1 + self.first)

    def moments(self, lead: int) -> np.ndarray | None:
        """Positions of the evenly spaced moments of a day, from 00 UTC on; None when it is not whole."""
        since = self.hours - self.begin(lead)
        at = np.flatnonzero((since >= 0) & (since < 24))
        whole = at.size >= _FEWEST and np.allclose(since[at], np.arange(at.size) * 24 / at.size)
        return at if whole else None

    def spans(self, lead: int) -> np.ndarray | None:
        """Positions of the ends of the evenly spaced spans of a day, up to 24 UTC; None when it is not whole."""
        since = self.hours - self.begin(lead)
        at = np.flatnonzero((since > 0) & (since <= 24))
        whole = at.size > 0 and np.allclose(since[at], np.arange(1, at.size + 1) * 24 / at.size)
        return at if whole else None

    def ends(self, lead: int) -> tuple[int | None, int] | None:
        """Positions of the begin (None: the run itself) and the end of a day; None when one is not there."""
        begin = self.begin(lead)
        at_begin, at_end = (np.flatnonzero(np.isclose(self.hours, hour)) for hour in (begin, begin + 24))
        if not at_end.size or (not at_begin.size and not np.isclose(begin, self.start)):
            return None
        return (None if np.isclose(begin, self.start) else int(at_begin[0])), int(at_end[0])


def mean_of_moments(da: xr.DataArray, steps: Steps, lead: int) -> xr.DataArray | None:
    """Mean of the moments of a day."""
    at = steps.moments(lead)
    return None if at is None else da.isel({STEP: at}).mean(STEP, skipna=False)


def extreme_of(da: xr.DataArray, steps: Steps, lead: int, largest: bool, of_spans: bool) -> xr.DataArray | None:
    """Largest or smallest value of a day, of its moments or of spans that end at their step."""
    at = steps.spans(lead) if of_spans else steps.moments(lead)
    if at is None:
        return None
    day = da.isel({STEP: at})
    return day.max(STEP, skipna=False) if largest else day.min(STEP, skipna=False)


def mean_of_spans(da: xr.DataArray, steps: Steps, lead: int) -> xr.DataArray | None:
    """Mean of values that each stand for the time since the step before."""
    at = steps.spans(lead)
    return None if at is None else da.isel({STEP: at}).mean(STEP, skipna=False)


def sum_of_spans(da: xr.DataArray, steps: Steps, lead: int) -> xr.DataArray | None:
    """Sum of amounts that each fell since the step before."""
    at = steps.spans(lead)
    return None if at is None else da.isel({STEP: at}).sum(STEP, skipna=False)


def since_the_start(da: xr.DataArray, steps: Steps, lead: int, grows: bool) -> xr.DataArray | None:
    """What a total since the begin of the run gained in a day."""
    found = steps.ends(lead)
    if found is None:
        return None
    before, after = found
    end = da.isel({STEP: after}, drop=True)
    if before is None:
        return end
    begin = da.isel({STEP: before}, drop=True)
    gained = end - begin
    if not grows:
        return gained
    return xr.apply_ufunc(
        _never_falling, gained, end, kwargs={"name": da.name}, dask="parallelized", output_dtypes=[gained.dtype]
    )


def _never_falling(gained: np.ndarray, total: np.ndarray, *, name: object) -> np.ndarray:
    """What was gained, where packing made a little less than nothing of it 0; ValueError for a total that falls."""
    fallen = gained < -_FALL * np.nanmax(np.abs(total), initial=0.0)
    if fallen.any():
        raise ValueError(
            f"{name!r} falls from day to day in {fallen.mean():.0%} of its values, as no total since the start of the "
            f'forecast does; use accumulation="step" if each value is of the time since the step before, or the time '
            f'after which totals begin anew, e.g. accumulation="6h"'
        )
    return np.maximum(gained, 0)


def lead_days(
    da: xr.DataArray, steps: Steps, one_day: Callable[[xr.DataArray, Steps, int], xr.DataArray | None], what: str
) -> tuple[list[int], xr.DataArray]:
    """Lead days 1, 2, ... as far as they are whole, and their values on ``lead_time``.

    Raises
    ------
    ValueError
        When lead day 1 is not whole, or one between whole ones.
    """
    n = int((steps.hours.max() - steps.begin(1)) // 24) if steps.hours.size else 0
    made = [one_day(da, steps, lead) for lead in range(1, n + 1)]
    there = [lead for lead, values in enumerate(made, start=1) if values is not None]
    lacking = [lead for lead in range(1, max(there, default=1) + 1) if lead not in there]
    if lacking:
        begin = steps.begin(lacking[0]) - steps.start
        have = ", ".join(f"{hour:g}" for hour in (steps.hours - steps.start)[:8])
        raise ValueError(
            f"lead day {lacking[0]} of {da.name!r} is not whole: it needs {what} between step {begin:g} and "
            f"{begin + 24:g} h, found steps {have}{' ...' if steps.hours.size > 8 else ''} h; add the steps that lack"
        )
    values = xr.concat([day for day in made if day is not None], pd.Index(there, name="lead_time"))
    return there, values
