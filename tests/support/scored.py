"""Forecasts and observations to be scored: a season with noise, its parts, and classes of droughts by day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr


def daily(values, start="2001-01-01", **coords) -> xr.DataArray:
    values = np.asarray(values, dtype=float)
    dims = ("site", "time")[-values.ndim :]
    labels = {"time": pd.date_range(start, periods=values.shape[-1])}
    if values.ndim == 2:
        labels["site"] = [f"S{i}" for i in range(values.shape[0])]
    return xr.DataArray(values, labels | coords, dims, name="soil_moisture", attrs={"units": "percent"})


def world(n_site=6, n_time=900, seed=0) -> tuple[xr.DataArray, xr.DataArray]:
    """Soil moisture as an autoregressive series about a season, and a forecast of its last 300 days."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_site, n_time))
    for t in range(1, n_time):
        noise[:, t] += 0.95 * noise[:, t - 1]
    season = 8 * np.cos(2 * np.pi * np.arange(n_time) / 365.25)
    seen = daily(30 + season + noise + rng.uniform(-5, 5, (n_site, 1)))
    forecast = (seen + rng.standard_normal(seen.shape)).isel(time=slice(600, None))
    return forecast.assign_coords(lead_time=np.timedelta64(7, "D")), seen


def with_parts(forecast: xr.DataArray) -> xr.DataArray:
    """The forecast of 300 days: 100 of training, 50 outside of all parts, 150 of the test."""
    flags = {"flag_values": np.arange(4, dtype="int8"), "flag_meanings": "outside train val test"}
    return forecast.assign_coords(part=("time", np.repeat([1, 0, 3], [100, 50, 150]).astype("int8"), flags))


FIVE = {
    "no_drought": 0,
    "normal_onset": 1,
    "normal_condition": 2,
    "flash_onset": 3,
    "flash_condition": 4,
    "missing": -1,
}


def labelled(values) -> xr.DataArray:
    attrs = {"flag_values": np.array(list(FIVE.values()), "int8"), "flag_meanings": " ".join(FIVE)}
    return xr.DataArray(np.asarray(values, "int8"), dims="time", attrs=attrs)
