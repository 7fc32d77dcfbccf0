"""Small fields as ERA5 files hold them: ones, one cell with given values, and variables on levels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.data.era5 import daily_drivers

DIMS = ("valid_time", "latitude", "longitude")
UNITS = {
    "t2m": "K",
    "d2m": "K",
    "mx2t": "K",
    "cape": "J kg**-1",
    "tp": "m",
    "e": "m of water equivalent",
    "sp": "Pa",
    "u10": "m s**-1",
    "v10": "m s**-1",
    "z": "m**2 s**-2",
    "stl1": "K",
    "swvl1": "m**3 m**-3",
}


def fields(names="t2m", hours=48, start="2003-05-01", step=1, lat=(47.0, 46.75), lon=(11.0, 11.25, 11.5)):
    """ERA5-shaped fields of ones; a single name or several."""
    time = pd.date_range(start, periods=hours, freq=f"{step}h")
    shape = (hours, len(lat), len(lon))
    data = {
        name: (DIMS, np.ones(shape), {"units": UNITS[name]}) for name in ([names] if isinstance(names, str) else names)
    }
    return xr.Dataset(data, {"valid_time": time, "latitude": list(lat), "longitude": list(lon)})


def hourly(name="t2m", values=None, start="2003-05-01", step=1, units=None):
    """One cell with the given values over time."""
    values = np.asarray(values, dtype="float64")
    time = pd.date_range(start, periods=values.size, freq=f"{step}h")
    attrs = {"units": units or UNITS[name]}
    return xr.Dataset(
        {name: (DIMS, values[:, None, None], attrs)},
        {"valid_time": time, "latitude": [47.0], "longitude": [11.0]},
    )


def one(ds, name, **options):
    """Dates and values of one driver at the first cell."""
    made = daily_drivers(ds, drivers=[name], **options)[name][:, 0, 0]
    return [f"{day:%Y-%m-%d}" for day in made.indexes["time"]], made.values


def with_levels(name="z", levels=(1000.0, 500.0), units="hPa", dim="pressure_level"):
    ds = fields("z", hours=24).rename(z=name)
    level = xr.DataArray(list(levels), dims=dim, attrs={"units": units} if units else {})
    return ds * xr.DataArray(np.arange(1.0, len(levels) + 1), {dim: level}, dims=dim) * 9.80665 * 100, name


def grib(days=2, base_hours=(6, 18), steps=range(1, 13), name="tp"):
    """Forecasts as cfgrib gives them: value = hours since 2003-05-01 at the valid time."""
    start = pd.Timestamp("2003-04-30")
    base = pd.DatetimeIndex([start + pd.Timedelta(days=d, hours=h) for d in range(days + 1) for h in base_hours])
    step = pd.to_timedelta(list(steps), unit="h")
    valid = base.to_numpy()[:, None] + step.to_numpy()[None, :]
    values = ((valid - np.datetime64("2003-05-01")) / np.timedelta64(1, "h"))[:, :, None, None] * np.ones((1, 1, 2, 2))
    attrs = {"units": "m", "GRIB_shortName": name, "GRIB_stepType": "accum"}
    return xr.Dataset(
        {name: (("time", "step", "latitude", "longitude"), values, attrs)},
        {
            "time": base,
            "step": step,
            "valid_time": (("time", "step"), valid),
            "latitude": [47.0, 46.75],
            "longitude": [11.0, 11.25],
            "number": 0,
            "surface": 0.0,
        },
        {"GRIB_centre": "ecmf", "institution": "European Centre for Medium-Range Weather Forecasts"},
    )
