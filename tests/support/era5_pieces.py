"""Pieces of ERA5 with the same value in all cells at each time, and the totals of ERA5-Land."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

LAT, LON = [48.0, 47.0], [7.0, 8.0, 9.0]


def field(name, values, times, units, dims=("time", "latitude", "longitude"), lat=LAT, lon=LON):
    """One variable with the same value in all cells at each time."""
    values = np.broadcast_to(np.asarray(values, "float64").reshape(-1, 1, 1), (len(times), len(lat), len(lon)))
    return xr.Dataset({name: (dims, values.copy(), {"units": units})}, dict(zip(dims, (times, lat, lon), strict=True)))


def t2m(value, start, n, freq="h", **options):
    return field("t2m", value, pd.date_range(start, periods=n, freq=freq), "K", **options)


def first_cell(made, name):
    return made[name].isel(lat=0, lon=0).values


def totals(days=6, lat=(48.0, 47.9), lon=(7.0, 7.1), name="tp", seed=0):
    """Rain as ERA5-Land counts it, from 00 UTC on, and its days."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2003-05-01 01:00", periods=24 * days, freq="h")
    amounts = rng.exponential(1e-3, times.size) * (rng.random(times.size) < 0.6)
    day = (times - pd.Timedelta("1h")).normalize()
    series = pd.Series(amounts, times)
    return field(name, series.groupby(day).cumsum(), times, "m", lat=list(lat), lon=list(lon)), series.groupby(
        day
    ).sum()
