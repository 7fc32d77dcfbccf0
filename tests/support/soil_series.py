"""Series and grids of soil moisture for tests of events: given values, random walks with ties and gaps, cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from tests.support.cases import Case


def series(values, *, start="2001-01-01", freq="D", **kwargs) -> xr.DataArray:
    values = [np.nan if v is None else float(v) for v in values]
    time = pd.date_range(start, periods=len(values), freq=freq)
    return xr.DataArray(np.array(values), dims="time", coords={"time": time}, name="sm", **kwargs)


def walk(rng: np.random.Generator, shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray:
    """Random walks with ties, floors and gaps: what the rules find hardest."""
    x = np.cumsum(rng.standard_normal(shape), axis=-1)
    x = np.where(rng.random(shape[:-1] + (1,)) < 0.5, np.round(x), x)
    x = np.maximum(x, np.quantile(x, rng.choice([0, 0.3]), axis=-1, keepdims=True))
    return np.where(rng.random(shape) < rng.choice([0, 0.02]), np.nan, x).astype(dtype)


def on_days(case: Case) -> xr.DataArray:
    """The series of a case on its days, counted from the calendar pentad before the one of 29 February 2004."""
    da = series(case.series)
    days = range(da.size) if case.days is None else case.days
    return da.assign_coords(time=[np.datetime64("2004-02-20", "ns") + np.timedelta64(day, "D") for day in days])


GRID = {"lat": 3, "lon": 4, "time": 400}


def grid(order=("time", "lat", "lon"), dtype="float32") -> xr.DataArray:
    rng = np.random.default_rng(5)
    coords = {"lat": [30.0, 20.0, 10.0], "lon": [1.0, 2.0, 3.0, 4.0], "time": pd.date_range("2001", periods=400)}
    return xr.DataArray(walk(rng, (3, 4, 400), dtype), dims=("lat", "lon", "time"), coords=coords, name="sm").transpose(
        *order
    )
