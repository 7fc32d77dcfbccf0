"""What a value of rain or evaporation is the amount of: one hour, or the time since midnight."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import xarray as xr

_LONGEST_HOURLY_STEP = pd.Timedelta(hours=18)  # ERA5 forecasts start at 06 and 18 UTC and end after 18 hours
_LAND = re.compile(r"era5[-_ ]?land", re.IGNORECASE)
_LAND_STEP = 0.1  # degrees
_CELLS_LOOKED_AT = 64
_FEWEST_DAYS = 3


def forecast_steps(da: xr.DataArray) -> xr.DataArray:
    """The forecast steps as durations."""
    if da["step"].dtype.kind != "m":
        raise ValueError(
            f"'step' of {da.name!r} holds {da['step'].dtype}, not durations; open the file with decode_timedelta=True, "
            f"or make them, ds.assign_coords(step=pandas.to_timedelta(ds['step'].values, 'h'))"
        )
    return da["step"]


def check_accumulation(da: xr.DataArray, accumulation: str | None) -> None:
    """Raise when the forecast steps of an accumulated field contradict how it is said to be accumulated."""
    if "step" not in da.dims or "step" not in da.coords:
        return
    longest = pd.Timedelta(forecast_steps(da).values.max())
    if accumulation in (None, "hourly") and longest > _LONGEST_HOURLY_STEP:
        raise ValueError(
            f"{da.name!r} has forecast steps up to {longest / pd.Timedelta(hours=1):g} h, as ERA5-Land has, "
            f'which accumulates from 00 UTC on; use accumulation="since_midnight"'
        )
    starts = pd.DatetimeIndex(np.atleast_1d(da["time"].values)) if "time" in da.coords else pd.DatetimeIndex([])
    if accumulation == "since_midnight" and (starts != starts.normalize()).any():
        raise ValueError(
            f"{da.name!r} comes from forecasts that start at {starts[starts != starts.normalize()][0]:%H:%M}, "
            f'as ERA5 has, not at 00:00; use accumulation="hourly"'
        )


def land_evidence(da: xr.DataArray, part: xr.Dataset) -> str:
    """Why a field (.., lat, lon) seems to come from ERA5-Land, in words; empty where nothing says so."""
    for where, value in (*part.attrs.items(), *da.attrs.items(), ("source", part.encoding.get("source", ""))):
        if isinstance(value, str) and (found := _LAND.search(value)):
            return f"{where!r} names {found.group()}"
    steps = [float(np.abs(np.diff(da[dim].values)).mean()) for dim in ("lat", "lon") if da.sizes.get(dim, 0) > 1]
    steps = steps or [float(da.attrs.get(f"GRIB_{axis}DirectionIncrementInDegrees", np.nan)) for axis in "ij"]
    if all(abs(step - _LAND_STEP) < 1e-3 for step in steps):
        return "its grid has steps of 0.1 degree"
    return ""


def refuse_land(name: object, evidence: str) -> None:
    """Raise when amounts of hours are assumed of what seems to be ERA5-Land."""
    if evidence:
        raise ValueError(
            f"{name!r} seems to come from ERA5-Land ({evidence}), which counts from 00 UTC on; say what its values are "
            f'the amount of, accumulation="since_midnight", or accumulation="hourly" where each is of one hour'
        )


def refuse_totals(hours: np.ndarray, name: object) -> None:
    """Raise when the steps of most wet days (day, step, ...) rise all day long and fall back after midnight.

    Amounts of an hour do so on one wet day in a hundred. Some cells of the array are looked at.
    """
    cells = np.abs(hours.reshape(*hours.shape[:2], -1))
    if hours.shape[1] < 8 or hours.shape[0] < _FEWEST_DAYS or not cells.size:
        return
    cells = cells[:, :, :: max(1, cells.shape[2] // _CELLS_LOOKED_AT)]
    with np.errstate(invalid="ignore"):
        most = cells.max(axis=1)
        wet = (cells > 0).sum(axis=1) >= cells.shape[1] // 4
        rising = (np.diff(cells, axis=1) >= -0.01 * most[:, None]).mean(axis=1) >= 0.8
        totals = rising & (cells[:, -1] >= 0.95 * most) & (cells[:, -1] > 1.5 * cells[:, 0])
        falls = cells[1:, 0] < 0.5 * cells[:-1, -1]
    if wet.any(axis=1).sum() < _FEWEST_DAYS or not wet[:-1].any():
        return
    if totals[wet].mean() >= 0.8 and falls[wet[:-1]].mean() >= 0.8:
        raise ValueError(
            f"{name!r} rises from hour to hour and falls back after 00 UTC on {totals[wet].mean():.0%} of its days, as "
            f'totals since midnight do (ERA5-Land) and amounts of an hour do not; use accumulation="since_midnight"'
        )
