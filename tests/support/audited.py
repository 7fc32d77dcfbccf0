"""Eight towers that are audited for leaks: small trainings on them, their parts, and what is given beside the data."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import xarray as xr

from tests.support.towers import forced_soil
from xdrought.forecast import fit_resattcaurec
from xdrought.leakage import AlarmThreshold
from xdrought.splits import Splits, chronological, spatial_monte_carlo
from xdrought.windows.labelled import patches

TARGET, DRIVERS = "soil_moisture", ["tp", "t2m"]
SMALL = {"window": 5, "lead": 2, "epochs": 1, "batch_size": 2048, "device": "cpu", "progress": False, "widths": (4, 4)}
CHECKS = [
    "data",
    "order",
    "overlap",
    "embargo",
    "same series",
    "same location",
    "scaling",
    "causality",
    "filled inputs",
    "reference",
    "percentiles",
    "standardised",
    "range",
    "site statistics",
    "future",
    "future of drivers",
    "day boundaries",
    "issue times",
    "weather ahead",
    "threshold",
    "filled gaps",
    "repeated days",
    "best epoch",
]


def eight_towers() -> xr.Dataset:
    """Three years of soil moisture at eight towers, far from each other."""
    made = forced_soil(8, 1096)
    return made.assign_coords(lat=("site", np.linspace(-40.0, 60.0, 8)), lon=("site", np.linspace(-100.0, 120.0, 8)))


def fit(ds: xr.Dataset, drivers=DRIVERS, variant: str = "Rec", **options):
    return fit_resattcaurec(ds, options.pop("target", TARGET), drivers, variant=variant, **(SMALL | options))


def bare(da: xr.DataArray) -> xr.DataArray:
    """Without the units of what it was made of, which arithmetic keeps."""
    return da.drop_attrs()


def splits_of(ds: xr.Dataset, **options) -> Splits:
    return chronological(patches(ds, TARGET, drivers=DRIVERS, window=5, lead=2), **options)


def spatial(ds: xr.Dataset, **options) -> Splits:
    return spatial_monte_carlo(patches(ds, TARGET, drivers=DRIVERS, window=5, lead=2), **options)


def train_days(ds: xr.Dataset) -> xr.DataArray:
    return splits_of(ds).training_days(ds.time).drop_vars("part", errors="ignore")


def with_gaps(ds: xr.Dataset) -> xr.Dataset:
    rng = np.random.default_rng(5)
    return ds.assign({name: ds[name].where(rng.random(ds[name].shape) > 0.02) for name in DRIVERS})


def counted_by(ds: xr.Dataset, **days: str) -> xr.Dataset:
    """The same, and each variable says when its days begin."""
    return ds.assign({name: ds[name].assign_attrs(day_boundary=text) for name, text in days.items()})


def forcing(ds, noise: float) -> xr.Dataset:
    """Forecasts of rain of the days to come, right but for some noise."""
    leads = np.array([1, 2], "timedelta64[D]").astype("timedelta64[ns]")
    rain = xr.concat([ds.tp.shift(time=-k) for k in (1, 2)], pd.Index(leads, name="lead_time")).rename(time="init_time")
    return (rain + np.random.default_rng(5).normal(scale=noise, size=rain.shape)).to_dataset(name="tp")


def alarm(forecaster, ds: xr.Dataset, part: str) -> AlarmThreshold:
    """A noisy probability of a dry day, with the threshold of the highest CSI among the days of a part."""
    dry = ds[TARGET] < 3.0
    p = 1 / (1 + np.exp(1 - 2.0 * dry + np.random.default_rng(6).normal(size=dry.shape)))
    days = forecaster.splits.mask(part, ds.time).transpose(*p.dims).values
    given, came = p.values[days], dry.values[days]
    choices = np.quantile(given, np.linspace(0, 1, 200))
    csi = [(came & (given >= c)).sum() / (came | (given >= c)).sum() for c in choices]
    best = choices[int(np.argmax(csi))]
    every = np.unique(given)
    near = every[np.abs(every - best) < 0.05]  # the best of all lies beside the best of some
    return AlarmThreshold(
        float(max(near, key=lambda c: (came & (given >= c)).sum() / (came | (given >= c)).sum())), p, dry
    )


UTC, LOCAL = "00:00 UTC", "00:00 local standard time"


@cache
def trained():
    return fit(eight_towers())
