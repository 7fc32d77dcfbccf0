"""Small made-up records for the tests of forecasts: random numbers, or rain that drives soil."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr


def random_sites(n_site: int = 3, n_time: int = 60, size: int | None = None, seed: int = 0) -> xr.Dataset:
    """Two drivers, with a patch of `size` cells if given, and a target; nothing depends on anything."""
    rng = np.random.default_rng(seed)
    dims, shape = ("site", "time"), (n_site, n_time)
    patch = () if size is None else ("patch_lat", "patch_lon")
    drivers = {
        name: ((*dims, *patch), mean + spread * rng.standard_normal((*shape, *(size,) * len(patch))), {"units": unit})
        for name, mean, spread, unit in (("tp", 5.0, 0.5, "mm"), ("t2m", 280.0, 4.0, "K"))
    }
    target = {"soil_moisture": (dims, rng.random(shape), {"units": "m3 m-3", "long_name": "soil moisture"})}
    return xr.Dataset(
        drivers | target,
        {
            "site": [f"S{k}" for k in range(n_site)],
            "time": pd.date_range("2001-01-01", periods=n_time),
            "lat": ("site", np.arange(n_site) + 40.0),
            "lon": ("site", np.arange(n_site) + 8.0),
        },
    )


def random_grid(n_lat: int = 6, n_lon: int = 5, n_time: int = 30, seed: int = 0) -> xr.Dataset:
    """Two drivers and a target on a grid with falling latitudes."""
    rng, dims = np.random.default_rng(seed), ("time", "lat", "lon")
    scales = {"tp": (5.0, 0.5, "mm"), "t2m": (280.0, 4.0, "K"), "swvl1": (0.3, 0.03, "m3 m-3")}
    data = {
        name: (dims, mean + spread * rng.standard_normal((n_time, n_lat, n_lon)), {"units": unit})
        for name, (mean, spread, unit) in scales.items()
    }
    coords = {
        "time": pd.date_range("2001-01-01", periods=n_time),
        "lat": 50 - 0.25 * np.arange(n_lat),
        "lon": 8 + 0.25 * np.arange(n_lon),
    }
    return xr.Dataset(data, coords)


def forced_soil(n_site: int = 2, n_time: int = 500, seed: int = 0) -> xr.Dataset:
    """Soil moisture that keeps 90 % of itself each day and takes up the rain of the day."""
    rng = np.random.default_rng(seed)
    rain = rng.exponential(1.0, (n_site, n_time)) * (rng.random((n_site, n_time)) < 0.3)
    soil = np.zeros((n_site, n_time))
    soil[:, 0] = 3.0
    for t in range(1, n_time):
        soil[:, t] = 0.9 * soil[:, t - 1] + rain[:, t]
    dims = ("site", "time")
    data = {
        "tp": (dims, rain, {"units": "mm"}),
        "t2m": (dims, 280 + rng.standard_normal((n_site, n_time)), {"units": "K"}),
        "soil_moisture": (dims, soil, {"units": "mm", "long_name": "water in the soil"}),
    }
    coords = {"site": [f"S{k}" for k in range(n_site)], "time": pd.date_range("2001-01-01", periods=n_time)}
    return xr.Dataset(data, coords)
