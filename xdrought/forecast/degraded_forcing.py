"""Weather forecasts of a chosen quality, made from observations: what one is worth, where no archive is at hand."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks, limits, quantities
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.windows.selection import INIT, LEAD, MEMBER, VALID

# Share of forecasts that are right on lead day 1, 2, ...: daily rain then correlates from .75 down to .28.
RAIN = (0.75, 0.68, 0.60, 0.50, 0.41, 0.33, 0.26, 0.20, 0.15, 0.10, 0.08, 0.06, 0.05, 0.04)
OTHERS = (0.97, 0.95, 0.92, 0.87, 0.80, 0.70, 0.60, 0.50, 0.40, 0.35, 0.30, 0.25, 0.20, 0.18)
_TRIES = 20  # draws of another day, where that of the first is missing

LeadSkill = float | Sequence[float] | Mapping[Hashable, float | Sequence[float]] | None


@public
@recorded
def degrade_forcing(
    ds: xr.Dataset,
    drivers: Sequence[Hashable],
    *,
    lead: int = 7,
    skill: LeadSkill = None,
    members: int | None = None,
    season: int = 10,
    seed: int = 0,
    time: Hashable = "time",
) -> xr.Dataset:
    """Emulated weather forecasts: each lead day is the truth, or the same season of another year of the same place.

    Parameters
    ----------
    ds : xarray.Dataset
        Observed drivers on time and places, one value a day. Read into memory.
    drivers : sequence of hashable
        Those that are forecast.
    lead : int
        Lead days, 1 to `lead`.
    skill : float, sequence of float, or mapping by driver, optional
        Probability that a lead day is the truth: one for all lead days, or one for each. By default those of the
        emulator that the user guide measures: for rain from 0.75 on the first day to 0.26 on the seventh, for the rest
        from 0.97 to 0.60.
    members : int, optional
        Forecasts for each day of issue, on `member`; by default one, without the dimension.
    season : int
        Most days by which the season of the other year is off.
    seed : int
        Of the draws. Those of a place depend on its label and nothing else.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        The drivers with their attributes on (places, init_time, lead_time[, member]), and ``valid_time``: what
        `forcing` of :func:`xdrought.fit_resattcaurec` and :func:`xdrought.predict` takes. NaN after the record, and
        where the truth is missing.

    Raises
    ------
    KeyError
        For a driver that is not there.
    ValueError
        For a skill outside 0 to 1 or of too few lead days, a record of less than two years, or days out of order.

    Notes
    -----
    All drivers of a day share one draw and one other day, so that a wrong day is a real day, and rain, which is right
    less often, is wrong first. Errors of members are independent, which those of a real ensemble are not: their mean
    looks far too good, so score single members.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import degrade_forcing
    >>> days = pd.date_range("2001-01-01", "2003-12-31")
    >>> ds = xr.Dataset({"tp": (("site", "time"), np.arange(len(days))[None] * 1.0)}, {"site": ["A"], "time": days})
    >>> right = degrade_forcing(ds, ["tp"], lead=3, skill=1.0)
    >>> right.tp.isel(site=0, init_time=0).values
    array([1., 2., 3.])
    >>> some = degrade_forcing(ds, ["tp"], lead=3, skill=0.5)
    >>> bool(abs(float((some.tp == right.tp).mean()) - 0.5) < 0.03)
    True
    """
    lead = checks.require_integer(lead, "lead", of="days")
    n_members = 1 if members is None else checks.require_integer(members, "members")
    checks.require_integer(season, "season", 0, of="days")
    missing = [name for name in drivers if name not in ds.data_vars]
    if missing or isinstance(drivers, str):
        raise KeyError(f"no variable {missing or drivers} in the Dataset; give a list of {list(ds.data_vars)}")
    right = {name: _probabilities(ds[name], skill, lead) for name in drivers}
    for name in drivers:
        checks.require_regular_steps(ds[name], time)
    index: Any = ds.indexes[time]
    if len(index) < 2 * 365:
        raise ValueError(f"the record has {len(index)} days; another year to draw from takes two years or more")
    first = limits.check(ds[drivers[0]])
    places = [dim for dim in first.dims if dim != time]
    data = [limits.check(ds[name]).broadcast_like(first).transpose(*places, time) for name in drivers]
    values = np.stack([da.to_numpy().reshape(-1, len(index)) for da in data]).astype("float64")  # (driver, place, time)
    labels = _labels(first, places)
    found = np.stack(
        [
            _degraded(values[:, k], right, lead, n_members, season, index, [seed, zlib.crc32(label.encode())])
            for k, label in enumerate(labels)
        ],
        axis=1,
    )
    shape = (*(first.sizes[dim] for dim in places), len(index), lead, n_members)
    dims = (*places, INIT, LEAD, MEMBER)
    out = xr.Dataset({name: (dims, found[k].reshape(shape), ds[name].attrs) for k, name in enumerate(drivers)})
    spans = pd.to_timedelta(np.arange(1, lead + 1), unit="D").as_unit("s")
    valid = np.stack([index + pd.Timedelta(days=k) for k in range(1, lead + 1)], axis=1)
    coords = {name: c.variable for name, c in first.coords.items() if time not in c.dims}
    out = out.assign_coords({**coords, INIT: index.rename(INIT), LEAD: spans, VALID: ((INIT, LEAD), valid)})
    out = out.isel({MEMBER: 0}) if members is None else out.assign_coords({MEMBER: np.arange(n_members)})
    return out.assign_attrs(emulated=f"the truth with the probability that skill gives, else another year; seed {seed}")


def _probabilities(da: xr.DataArray, skill: LeadSkill, lead: int) -> np.ndarray:
    """(lead,) probability that a driver's lead day is the truth."""
    if isinstance(skill, Mapping):
        if da.name not in skill:
            raise ValueError(f"skill names {list(skill)}, not the driver {da.name!r}; give one for each driver")
        skill = skill[da.name]
    if skill is None:
        known = quantities.recognise(da, str(da.attrs.get("units", "1")), None)
        skill = RAIN if known is not None and known[0].name.startswith("precipitation") else OTHERS
        skill = (*skill, *(skill[-1],) * max(0, lead - len(skill)))
    chosen = np.full(lead, skill, float) if isinstance(skill, int | float) else np.asarray(skill, float)
    if chosen.ndim != 1 or chosen.size < lead or not ((chosen >= 0) & (chosen <= 1)).all():
        raise ValueError(f"skill={skill!r} of {da.name!r}; give probabilities from 0 to 1, one or {lead} of them")
    return chosen[:lead]


def _labels(da: xr.DataArray, places: list[Hashable]) -> list[str]:
    """Each place in words, in the order of its rows."""
    if not places:
        return [""]
    names = [da[dim].values if dim in da.coords else np.arange(da.sizes[dim]) for dim in places]
    grid = np.meshgrid(*names, indexing="ij")
    return [", ".join(map(str, where)) for where in zip(*(each.ravel() for each in grid), strict=True)]


def _degraded(
    values: np.ndarray,
    right: Mapping[Hashable, np.ndarray],
    lead: int,
    n_members: int,
    season: int,
    index: Any,
    seed: list[int],
) -> np.ndarray:
    """(driver, init_time, lead, member) of one place, from values (driver, time)."""
    rng, n_time = np.random.default_rng(seed), values.shape[1]
    shape = (n_time, lead, n_members)
    day = np.arange(n_time)[:, None, None] + np.arange(1, lead + 1)[:, None] + np.zeros(n_members, int)
    chance = rng.random(shape)
    other = _other_days(day, np.isfinite(values).all(axis=0), season, np.asarray(index.year), rng)
    inside = day < n_time
    out = np.full((len(values), *shape), np.nan)
    for k, probabilities in enumerate(right.values()):
        truth = np.where(inside, values[k][np.where(inside, day, 0)], np.nan)
        wrong = np.where(other >= 0, values[k][np.maximum(other, 0)], np.nan)
        out[k] = np.where(chance < probabilities[:, None], truth, np.where(inside, wrong, np.nan))
    return out


def _other_days(
    day: np.ndarray, there: np.ndarray, season: int, years: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """For each day of the record another one of the same season in another year, -1 where none is found."""
    n_years = int(years[-1] - years[0]) + 1
    result = np.full(day.shape, -1)
    for _ in range(_TRIES):
        apart = rng.integers(1, n_years + 1, day.shape) * rng.choice([-1, 1], day.shape)
        drawn = day + np.rint(apart * 365.2425).astype(int) + rng.integers(-season, season + 1, day.shape)
        inside = (drawn >= 0) & (drawn < there.size)
        good = inside & there[np.where(inside, drawn, 0)] & (result < 0)
        result = np.where(good, drawn, result)
    return result
