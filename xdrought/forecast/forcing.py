"""The weather of the lead days: observed, of the same season in the training years, or from weather forecasts.

Labels in, arrays out. What a network reads is made in the same way in training and in use.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, calendars
from xdrought.forecast.driver_inputs import in_training_units, splits_on_places
from xdrought.forecast.options import CLIMATOLOGY, FORECASTS, NONE, OBSERVED, LeadDays
from xdrought.splits import PARTS, Splits
from xdrought.windows.selection import GRID, INIT, LEAD, MEMBER, PATCH, SITE

if TYPE_CHECKING:
    from xdrought.scaling import Scaling
    from xdrought.windows.labelled import Patches
    from xdrought.windows.tensors import LeadWeather, ResidentCube

_ISSUED = ("forecast_reference_time", "issue_time")

Forcing = str | xr.Dataset | None


def kind_of(forcing: Forcing, future: Sequence[Hashable]) -> str:
    """The kind of a forcing, which must be there exactly where drivers of the lead days are to be known.

    Raises
    ------
    TypeError
        For a forcing of another type.
    ValueError
        For an unknown word, a forcing that nothing needs, or none where one is needed.
    """
    if not future:
        if forcing is not None:
            raise ValueError("forcing= without future=; name the drivers that it holds, e.g. future=['tp']")
        return NONE
    if isinstance(forcing, xr.Dataset):
        return FORECASTS
    if forcing is not None and not isinstance(forcing, str):
        raise TypeError(f"forcing is a {type(forcing).__name__}; give a Dataset, {OBSERVED!r} or {CLIMATOLOGY!r}")
    if forcing not in (OBSERVED, CLIMATOLOGY):
        raise ValueError(
            f"forcing={forcing!r}, but the weather of the lead days is needed for {list(future)}; give a Dataset of "
            f"forecasts on ({INIT}, {LEAD}), {CLIMATOLOGY!r} where there are none, or {OBSERVED!r} to learn what a "
            f"perfect forecast is worth"
        )
    return str(forcing)


def checked_future(future: Sequence[Hashable], drivers: Sequence[Hashable]) -> tuple[Hashable, ...]:
    """Drivers known for the lead days, all of them drivers."""
    if isinstance(future, str):
        raise TypeError(f"future={future!r} is one name; give a list, [{future!r}]")
    future = tuple(future)
    unknown = [name for name in future if name not in drivers]
    if unknown or len(set(future)) < len(future):
        raise ValueError(f"future={list(future)}; name drivers of {list(drivers)}, each once")
    return future


# --- forecasts on (init_time, lead_time[, member]) -------------------------------------------------------------------


def forecasts_of(
    forcing: xr.Dataset, name: Hashable, n_leads: int, like: xr.DataArray, wanted: str | None, time: Hashable
) -> xr.DataArray:
    """The forecasts of a driver for the lead days 1 to `n_leads`, (..., time, lead_time), on the days of `like`.

    Parameters
    ----------
    forcing : xarray.Dataset
        On (init_time, lead_time[, member]) and the places of `like`.
    name : hashable
        The driver.
    n_leads : int
        Lead days.
    like : xarray.DataArray
        Gives the places and the days of issue.
    wanted : str or None
        Units of the training.
    time : hashable
        The time dimension of `like`.

    Raises
    ------
    KeyError
        For a driver that is not there.
    ValueError
        For a forcing that lacks a dimension or a lead, is not sorted, was issued later than its init_time, shares no
        day of issue with `like`, or has units that cannot be converted.
    """
    if name not in forcing.data_vars:
        raise KeyError(f"no variable {name!r} in the forcing; it has {list(forcing.data_vars)}")
    da = forcing[name]
    lacking = [dim for dim in (INIT, LEAD) if dim not in da.dims or dim not in da.coords]
    if lacking:
        raise ValueError(
            f"the forcing {name!r} has dimensions {tuple(da.dims)}; it lacks {lacking}, with its coordinate: name them "
            f"with .rename, e.g. forcing.rename(step={LEAD!r})"
        )
    _check_issue(da, name)
    da = in_training_units(da, wanted)
    da = alignment.align_to(like, da, what=f"the forcing {name!r}", extra_dims=True, skip=(time,))
    ahead, wanted_days = calendars.spans_in_days(da[LEAD]), range(1, n_leads + 1)
    at = {k: np.flatnonzero(np.isclose(ahead, k)) for k in wanted_days}
    missing = [k for k in wanted_days if not at[k].size]
    if missing:
        raise ValueError(
            f"the forcing {name!r} has no lead_time of {', '.join(map(str, missing))} days, it has {ahead.tolist()}; "
            f"lead day 1 is the day after {INIT}: give every lead day, or train for shorter leads"
        )
    days = da.isel({LEAD: [int(at[k][0]) for k in wanted_days]}).assign_coords({LEAD: list(wanted_days)})
    if not days.indexes[INIT].isin(like.indexes[time]).any():
        first, last = days.indexes[INIT][[0, -1]]
        start, end = like.indexes[time][[0, -1]]
        raise ValueError(
            f"the forcing {name!r} was issued from {first} to {last}, on no day of the record, {start} to {end}; "
            f"give forecasts issued on days of the record, at the same time of day as {time!r}"
        )
    return days.rename({INIT: time}).reindex({time: like[time]}).reset_coords(drop=True)


def _check_issue(da: xr.DataArray, name: Hashable) -> None:
    """Raise for days of issue out of order, or forecasts that were issued after them."""
    index = da.indexes[INIT]
    if not index.is_monotonic_increasing:
        raise ValueError(f"{INIT} of the forcing {name!r} is not sorted; use .sortby({INIT!r})")
    for issued in _ISSUED:
        if issued in da.coords and INIT in da[issued].dims:
            late = int((da[issued] > da[INIT]).sum())
            if late:
                raise ValueError(
                    f"{late} forecasts of {name!r} were issued after their {INIT} by their {issued}; a forecast may "
                    f"know nothing after the day of issue: correct {INIT}"
                )


def _scaled_forecasts(
    forcing: xr.Dataset,
    days: LeadDays,
    n_leads: int,
    windows: Patches,
    known: Mapping[Hashable, str | None],
    scaling: Scaling,
) -> xr.DataArray:
    """(places..., time, member, lead_time, variable) float32 of all drivers known ahead."""
    time, places = windows.time, GRID if windows.on_grid else (SITE,)
    found = []
    for name in days.future:
        like = windows.data[name]
        like = like.isel({dim: 0 for dim in PATCH if dim in like.dims}, drop=True)
        da = forecasts_of(forcing, name, n_leads, like, known.get(name), time)
        found.append(scaling.forward(_at_centre(da, windows)).astype("float32"))
    with_members = [MEMBER in da.dims for da in found]
    if any(with_members) and not all(with_members):
        lacking = [name for name, there in zip(days.future, with_members, strict=True) if not there]
        raise ValueError(f"the forcing {lacking} has no members, the others have; give each its members")
    _check_members(found)
    if not any(with_members):
        found = [da.expand_dims(MEMBER) for da in found]
    joined = xr.concat([da.drop_attrs() for da in found], pd.Index(days.future, name="variable"), join="exact")
    short = {dim: windows.data.sizes[dim] for dim in places if dim not in joined.dims}
    return joined.expand_dims(short).transpose(*places, time, MEMBER, LEAD, "variable")


def _check_members(found: list[xr.DataArray]) -> None:
    """Raise for members that hold nothing, where the values are in memory."""
    for da in found:
        if MEMBER in da.dims and da.chunks is None:
            empty = np.flatnonzero(~da.notnull().any([dim for dim in da.dims if dim != MEMBER]).to_numpy())
            if empty.size:
                labels = da[MEMBER].values[empty].tolist() if MEMBER in da.coords else empty.tolist()
                drop = "drop_sel" if MEMBER in da.coords else "drop_isel"
                raise ValueError(
                    f"member {labels} of the forcing {da.name!r} is missing throughout; leave it out, "
                    f"forcing.{drop}({MEMBER}={labels})"
                )


def _at_centre(da: xr.DataArray, windows: Patches) -> xr.DataArray:
    """The mean of the central cells, as the network reads them of the days of the window."""
    size = windows.size
    if windows.on_grid:
        if size % 2:
            return da
        south = da + da.shift(lat=-1)
        return ((south + south.shift(lon=-1)) / 4).rename(da.name)
    middle = {dim: slice((da.sizes[dim] - 1) // 2, da.sizes[dim] // 2 + 1) for dim in PATCH if dim in da.dims}
    return da.isel(middle).mean(list(middle)).rename(da.name) if middle else da


# --- one source for training and use ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LeadSource:
    """How blocks of places get the weather of their lead days; plain arrays, which dask may send.

    Parameters
    ----------
    kind : {"observed", "climatology", "forecasts"}
        Where it comes from.
    future : tuple of int
        Positions of the drivers known ahead.
    n_leads : int
        Lead days.
    n_members : int
        Members.
    season : numpy.ndarray, optional
        Of "climatology": (time, year) the day of the same season in each other year, -1 where there is none.
    """

    kind: str
    future: tuple[int, ...]
    n_leads: int
    n_members: int = 1
    season: np.ndarray | None = None

    def __dask_tokenize__(self) -> tuple:
        return ("xdrought.LeadSource", self.kind, self.future, self.n_leads, self.n_members, self.season)

    def weather(self, windows: ResidentCube, given: np.ndarray | None) -> LeadWeather:
        """The weather of the lead days at the places of `windows`.

        Parameters
        ----------
        windows : ResidentCube
            Of scaled drivers.
        given : numpy.ndarray or None
            Of "forecasts": (places..., time, member, lead, variable), scaled. Of "climatology": (places..., 6), from
            :func:`part_bounds`.
        """
        import torch

        from xdrought.windows.tensors import of_forecasts, of_observations

        if self.kind == FORECASTS:
            assert given is not None
            values = np.ascontiguousarray(given.reshape(-1, *given.shape[-4:]), "float32")
            return of_forecasts(torch.from_numpy(values).to(windows.cube.device))
        rows = None
        if self.kind == CLIMATOLOGY:
            assert given is not None
            assert self.season is not None
            allowed = days_allowed(given.reshape(-1, given.shape[-1]), len(self.season))
            rows = torch.from_numpy(rows_of_season(self.season, allowed, self.n_leads)).to(windows.cube.device)
        return of_observations(windows, self.future, self.n_leads, rows)


@dataclass(frozen=True, eq=False)
class GivenWeather:
    """The weather of the lead days beside windows: the source, what it needs on the places, and its members."""

    source: LeadSource
    given: xr.DataArray | None = None
    members: np.ndarray | None = None


def resolve(
    forcing: Forcing,
    days: LeadDays,
    windows: Patches,
    known: Mapping[Hashable, str | None],
    scaling: Scaling,
    splits: Splits,
) -> GivenWeather | None:
    """What a forcing says of the lead days of windows; None where no driver is known ahead.

    Parameters
    ----------
    forcing : str, xarray.Dataset or None
        See :func:`kind_of`.
    days : LeadDays
        What the network reads.
    windows : Patches
        Unscaled.
    known : mapping
        Units of the training.
    scaling : Scaling
        Of the training.
    splits : Splits
        Of the training.
    """
    kind = kind_of(forcing, days.future)
    if kind == NONE:
        return None
    future = tuple(windows.drivers.index(name) for name in days.future)
    if isinstance(forcing, xr.Dataset):
        given = _scaled_forecasts(forcing, days, windows.lead, windows, known, scaling)
        has_members = any(MEMBER in forcing[name].dims for name in days.future)
        labels = given[MEMBER].values if MEMBER in given.coords else np.arange(given.sizes[MEMBER])
        source = LeadSource(kind, future, windows.lead, given.sizes[MEMBER])
        return GivenWeather(source, given, labels if has_members else None)
    if kind == OBSERVED:
        return GivenWeather(LeadSource(kind, future, windows.lead))
    index = windows.data.indexes[windows.time]
    season, years = days_of_season(index)
    bounds = part_bounds(splits_on_places(splits, windows.data), windows)
    if not (bounds.isel(bound=1) > 0).any():
        raise ValueError(
            f"forcing={CLIMATOLOGY!r} needs days of the training in the data, and there are none; give records that "
            f"reach back into it, or a Dataset of forecasts"
        )
    last = int(bounds.isel(bound=1).max()) - 1  # no later year is of the training anywhere
    kept = years <= index[last].year
    return GivenWeather(LeadSource(kind, future, windows.lead, int(kept.sum()), season[:, kept]), bounds, years[kept])


def part_bounds(splits: Splits, windows: Patches) -> xr.DataArray:
    """(places..., 6) int32: on the days of the record, first and last (exclusive) of training, validation and test."""
    days = windows.data.indexes[windows.time].to_numpy()
    found = []
    for part in PARTS:
        for name, side in (("start", "left"), ("end", "right")):
            dates = splits.ranges[name].sel(part=part, drop=True)
            at = np.searchsorted(days, dates.fillna(days[0]).to_numpy(), side=side)  # type: ignore[call-overload]
            found.append(dates.copy(data=np.where(dates.isnull(), 0, at).astype("int32")))
    return xr.concat(found, "bound").transpose(..., "bound").reset_coords(drop=True)


def days_allowed(bounds: np.ndarray, n_time: int) -> np.ndarray:
    """(cell, time) True up to the end of training and outside the other parts, from (cell, 6) :func:`part_bounds`."""
    day, edges = np.arange(n_time), bounds[..., None]
    allowed = day < edges[:, 1]
    for first, last in ((2, 3), (4, 5)):
        allowed &= (day < edges[:, first]) | (day >= edges[:, last])
    return allowed


def days_of_season(index: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """(time, year) position of the same day of year in each other year, -1 where there is none; and the years."""
    day, year = calendars.common_day_of_year(index), np.asarray(index.year)  # type: ignore[arg-type,attr-defined]
    years = np.arange(year.min(), year.max() + 1)
    table = np.full((years.size, 365), -1, np.int64)
    table[year - years[0], day] = np.arange(day.size)
    rows = table[:, day].T.copy()
    rows[np.arange(day.size), year - years[0]] = -1
    return rows, years


def rows_of_season(season: np.ndarray, allowed: np.ndarray, n_leads: int) -> np.ndarray:
    """(cell, time, year) the rows of `season` after which all lead days are allowed, -1 elsewhere."""
    n_cells, n_time = allowed.shape
    counts = np.zeros((n_cells, n_time + n_leads + 1), np.int64)
    counts[:, 1 : n_time + 1] = np.cumsum(allowed, axis=1)
    counts[:, n_time + 1 :] = counts[:, n_time : n_time + 1]
    whole = counts[:, 1 + n_leads :] - counts[:, 1 : n_time + 1] == n_leads  # of the days after each day
    there = whole[:, np.maximum(season, 0)] & (season >= 0)
    return np.where(there, season, -1)


def blocks_of(given: xr.DataArray | None, windows: Patches) -> Any:
    """The array of what is given, (places..., time, ...), or None."""
    if given is None:
        return None
    places = GRID if windows.on_grid else (SITE,)
    return given.transpose(*places, ...).data
