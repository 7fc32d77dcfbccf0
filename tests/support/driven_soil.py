"""A small world whose soil moisture some drivers change and others do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

DAYS = 1200
QUIET = pytest.mark.filterwarnings("ignore::UserWarning")


def red(rng: np.random.Generator, shape: tuple[int, ...], memory: float = 0.6) -> np.ndarray:
    """Autoregressive series (..., time) of unit variance."""
    x = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        x[..., t] = memory * x[..., t - 1] + np.sqrt(1 - memory**2) * x[..., t]
    return x


def world(n_sites: int = 3, n_days: int = DAYS, seed: int = 0) -> xr.Dataset:
    """Sites where `rain` and `heat` drive the soil; `cloud` shares the weather of rain and `wind` nothing."""
    rng = np.random.default_rng(seed)
    shared, heat, wind = red(rng, (3, n_sites, n_days))
    rain = np.maximum(shared + 0.5 * rng.standard_normal(shared.shape), 0)
    cloud = shared + 0.5 * rng.standard_normal(shared.shape)
    soil = np.zeros((n_sites, n_days))
    for t in range(1, n_days):
        push = 0.5 * rain[:, t] - 0.15 * heat[:, t - 1] + 0.1 * rng.standard_normal(n_sites)
        soil[:, t] = 0.9 * soil[:, t - 1] + push
    season = np.cos(2 * np.pi * np.arange(n_days) / 365.25)
    variables = {"rain": rain, "heat": heat + 2 * season, "cloud": cloud, "wind": wind, "soil": soil}
    coords = {"site": [f"S{i}" for i in range(n_sites)], "time": pd.date_range("2001-01-01", periods=n_days)}
    return xr.Dataset({name: (("site", "time"), values) for name, values in variables.items()}, coords)


DRIVERS = ["rain", "heat", "cloud", "wind"]
