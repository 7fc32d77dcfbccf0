"""Daily drivers spread over hours, in the variables and stamps that ERA5 publishes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.data._twin_labels import SIMULATED

GRAVITY = 9.80665  # m s-2
_WARMEST = 14  # hour of the day
_NEEDED = ("d2m", "t2m", "mx2t", "cape", "tp", "e", "sp", "z500", "ws10", "stl1", "swvl1")


def to_hours(grid: xr.Dataset) -> xr.Dataset:
    """Hours from 00:00 of the first day to 00:00 of the day after the last.

    Daily means, the daily maximum and the daily sums (of the hours 01:00 to 24:00) are those of `grid`, but for
    the dewpoint, which is held below the hour's temperature.
    """
    missing = [name for name in _NEEDED if name not in grid]
    if missing:
        raise ValueError(f"to_era5: hours need the drivers {missing} too; simulate with them among drivers=")
    first = pd.Timestamp(grid.indexes["time"][0])
    hours = pd.date_range(first, periods=24 * grid.sizes["time"] + 1, freq="h", name="time")
    # The last stamp has no day of its own: it goes on with the last one.
    day = np.minimum(np.arange(hours.size) // 24, grid.sizes["time"] - 1)
    daily = grid.isel(time=xr.DataArray(day, dims="time")).assign_coords(time=hours)
    swing = daily["mx2t"] - daily["t2m"]
    t2m = daily["t2m"] + swing * _sun(hours.hour)
    turn = xr.DataArray(0.3 * day, dims="time", coords={"time": hours})
    hourly = {
        "d2m": daily["d2m"].where(daily["d2m"] <= t2m, t2m),
        "t2m": t2m,
        "mx2t": daily["t2m"] + swing * np.maximum(_sun(hours.hour), _sun(hours.hour - 1)),
        "cape": daily["cape"],
        "tp": _hourly_sum(grid["tp"], hours),
        "e": _hourly_sum(grid["e"], hours),
        "sp": daily["sp"],
        "u10": daily["ws10"] * np.cos(turn),
        "v10": daily["ws10"] * np.sin(turn),
        "stl1": daily["stl1"],
        "swvl1": daily["swvl1"],
        "z": (GRAVITY * daily["z500"]).expand_dims(pressure_level=[500.0], axis=1),
    }
    units = {"cape": "J kg**-1", "u10": "m s**-1", "v10": "m s**-1", "swvl1": "m**3 m**-3", "z": "m**2 s**-2"}
    sums = dict.fromkeys(("tp", "e"), "m of water equivalent")
    return xr.Dataset(
        {
            name: da.astype("float32").assign_attrs(
                long_name=grid[name].attrs["long_name"] if name in grid else name,
                units={**units, **sums}.get(name, "Pa" if name == "sp" else "K"),
                source=SIMULATED,
            )
            for name, da in hourly.items()
        }
    )


def _sun(hour: pd.Index) -> xr.DataArray:
    """Daily swing between -1 and 1 with mean 0 over 24 hours."""
    return xr.DataArray(np.cos(2 * np.pi * (np.asarray(hour) - _WARMEST) / 24.0), dims="time")


def _hourly_sum(daily: xr.DataArray, hours: pd.DatetimeIndex) -> xr.DataArray:
    """Equal parts stamped at the end of their hour; the first stamp belongs to the day before and is 0."""
    share = (daily / 24.0).isel(time=xr.DataArray((np.arange(hours.size - 1)) // 24, dims="time"))
    return share.assign_coords(time=hours[1:]).reindex(time=hours, fill_value=0.0)
