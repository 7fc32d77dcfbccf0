"""Series for tests of causes: two coupled species, random weather at sites, and patches of it around towers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

FORWARD, BACKWARD = "cause_to_effect", "effect_to_cause"


def logistic(n: int = 1000) -> tuple[xr.DataArray, xr.DataArray]:
    """Two coupled species (Sugihara et al. 2012); y feels x (0.1) more than x feels y (0.02)."""
    x, y = np.full((2, n), np.nan)
    x[0], y[0] = 0.4, 0.2
    for t in range(n - 1):
        x[t + 1] = x[t] * (3.8 - 3.8 * x[t] - 0.02 * y[t])
        y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.1 * x[t])
    return xr.DataArray(x, dims="time", name="x"), xr.DataArray(y, dims="time", name="y")


def weather(n_time=300, n_site=3, seed=0, start="2001-01-01") -> xr.Dataset:
    """Random (site, time) series with a name each; nothing causes anything."""
    rng = np.random.default_rng(seed)
    values = {name: (("site", "time"), rng.standard_normal((n_site, n_time))) for name in ("t2m", "tp", "sm")}
    coords = {"site": [f"S{i}" for i in range(n_site)], "time": pd.date_range(start, periods=n_time)}
    return xr.Dataset(values, coords).assign_coords(lat=("site", np.arange(n_site) + 40.0))


def patches(size=10, n_time=120) -> tuple[xr.Dataset, xr.DataArray]:
    rng = np.random.default_rng(0)
    coords = {"site": ["A", "B"], "time": pd.date_range("2001-01-01", periods=n_time)}
    dims = ("site", "time", "patch_lat", "patch_lon")
    drivers = xr.Dataset({n: (dims, rng.standard_normal((2, n_time, size, size))) for n in ("t2m", "tp")}, coords)
    return drivers, xr.DataArray(rng.standard_normal((2, n_time)), coords, ("site", "time"), name="soil_moisture")
