"""Names, units and coordinates of a simulated world, and the way back from them to its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.simulation import soil as land
from xdrought.simulation.soil import Planted, Soil
from xdrought.simulation.world import DRIVERS, STEP, Place, SimulatedRecord, SoilColumns

DRIVER_ATTRS = {
    "d2m": ("dewpoint temperature at 2 m", "K"),
    "t2m": ("temperature at 2 m, mean of the day", "K"),
    "mx2t": ("temperature at 2 m, maximum of the day", "K"),
    "cape": ("convective available potential energy", "J kg-1"),
    "tp": ("precipitation, sum of the day", "m"),
    "e": ("evaporation, sum of the day, negative upwards", "m"),
    "sp": ("surface pressure", "Pa"),
    "r": ("relative humidity at 2 m", "%"),
    "z500": ("geopotential height at 500 hPa", "m"),
    "ws10": ("wind speed at 10 m", "m s-1"),
    "stl1": ("temperature of the uppermost soil layer", "K"),
    "swvl1": ("volumetric water of the uppermost soil layer", "m3 m-3"),
}
SIMULATED = "simulated by xdrought.simulation.twin; not observations"
_PROPERTIES = tuple(field.name for field in fields(Soil))
_START = ("start_storage", "start_snow")
_TRUTH_ATTRS = {
    "truth_coefficient": {"long_name": "planted coefficient of the driver", "units": "1"},
    "truth_lag": {"long_name": "planted delay of the driver's effect, NaN without one", "units": "d"},
    "truth_strength": {
        "long_name": "standard deviation of the change of soil moisture without the driver's departures from "
        "its annual cycle",
        "units": "m3 m-3",
    },
    "truth_soil_moisture": {"long_name": "water in the soil without error, ice included", "units": "m3 m-3"},
    "truth_rain_ratio": {"long_name": "rain at the place over rain of the grid", "units": "1"},
    "truth_soil": {
        "long_name": "properties of the soil and its state before the first day",
        "comment": "depth, start_storage and start_snow in mm; drainage_rate in d-1; warmer in K; others 1",
    },
}
_SOIL_MOISTURE_ATTRS = {"long_name": "volumetric soil water content", "units": "m3 m-3"}
_SOIL_TEMPERATURE_ATTRS = {"long_name": "soil temperature", "units": "degC"}


def site_dataset(
    cubes: Mapping[str, np.ndarray],
    record: SimulatedRecord,
    columns: SoilColumns,
    places: Sequence[Place],
    days: pd.DatetimeIndex,
    size: int,
    settings: Mapping[str, Any],
) -> xr.Dataset:
    """Label towers and the patches around them."""
    dims = ("site", "time", "patch_lat", "patch_lon")
    patches = [place.patch(size) for place in places]
    coords = {
        "site": ("site", [f"TW-{k:03d}" for k in range(1, len(places) + 1)]),
        "time": ("time", days, {"standard_name": "time", "long_name": "day"}),
        "lat": ("site", [place.lat for place in places], _north("latitude")),
        "lon": ("site", [place.lon for place in places], _east("longitude")),
        "elevation": ("site", [place.elevation for place in places], {"units": "m"}),
        "igbp": ("site", [place.igbp for place in places], {"long_name": "land cover, a label only"}),
        "cell_lat": (dims[::2], np.stack([lat for lat, _ in patches]), _north("latitude of the cell")),
        "cell_lon": (dims[::3], np.stack([lon for _, lon in patches]), _east("longitude of the cell")),
    }
    data = {name: (dims, cube, _driver_attrs(name)) for name, cube in cubes.items()}
    ds = xr.Dataset(data, coords, {"title": "simulated towers", "source": SIMULATED, **settings})
    return _with_record(ds, record, columns, ("site",))


def grid_rows(
    record: SimulatedRecord, columns: SoilColumns, lat: np.ndarray, lon: np.ndarray, days: pd.DatetimeIndex
) -> xr.Dataset:
    """Label what happened in some rows of a grid."""
    return _with_record(xr.Dataset(coords=_grid_coords(lat, lon, days)), record, columns, ("lat", "lon"))


def grid_dataset(
    cubes: Mapping[str, np.ndarray],
    rows: Sequence[xr.Dataset],
    lat: np.ndarray,
    lon: np.ndarray,
    days: pd.DatetimeIndex,
    settings: Mapping[str, Any],
) -> xr.Dataset:
    """Label a grid whose rows came in parts of :func:`grid_rows`."""
    data = {name: (("time", "lat", "lon"), cube, _driver_attrs(name)) for name, cube in cubes.items()}
    attrs = {"title": "simulated region", "source": SIMULATED, **settings}
    ds = xr.Dataset(data, _grid_coords(lat, lon, days), attrs)
    truth = xr.concat(rows, "lat", data_vars="minimal", coords="minimal", compat="override", join="override")
    return ds.assign(truth.data_vars).assign_coords(truth.coords)


def _grid_coords(lat: np.ndarray, lon: np.ndarray, days: pd.DatetimeIndex) -> dict[str, tuple]:
    return {
        "time": ("time", days, {"standard_name": "time", "long_name": "day"}),
        "lat": ("lat", lat, _north("latitude")),
        "lon": ("lon", lon, _east("longitude")),
    }


def _with_record(ds: xr.Dataset, record: SimulatedRecord, columns: SoilColumns, space: tuple[str, ...]) -> xr.Dataset:
    """Add what happened in the columns, and why, on the dimensions `space`."""
    shape = tuple(ds.sizes[dim] for dim in space)
    over_time = (*space, "time") if space == ("site",) else ("time", *space)

    def series(values: np.ndarray) -> xr.Variable:
        return xr.Variable(("time", *space), values.astype("float32").reshape(-1, *shape)).transpose(*over_time)

    def table(dim: str, rows: Sequence[np.ndarray]) -> xr.Variable:
        stacked = np.stack([np.asarray(row, dtype="float64") for row in rows])
        return xr.Variable((dim, *space), stacked.reshape(-1, *shape)).transpose(*space, dim)

    none = np.zeros(len(columns.lat))
    coefficient = [columns.planted.coefficient.get(name, none) for name in DRIVERS]
    lag = [columns.planted.lag.get(name, none) for name in DRIVERS]
    soil = [*(getattr(columns.soil, name) for name in _PROPERTIES), *record.water.start]
    truth = {
        "truth_coefficient": table("variable", coefficient),
        "truth_lag": table("variable", [np.where(c == 0, np.nan, k) for c, k in zip(coefficient, lag, strict=True)]),
        "truth_strength": table("variable", [record.strength.get(name, none) for name in DRIVERS]),
        "truth_soil_moisture": series(land.soil_water(record.water, columns.soil)),
        "truth_rain_ratio": series(record.ratio),
        "truth_soil": table("soil_property", soil),
    }
    named = {name: values.copy(deep=False) for name, values in truth.items()}
    for name, values in named.items():
        values.attrs = dict(_TRUTH_ATTRS[name])
    data = {"soil_moisture": series(record.observed), "soil_temperature": series(record.soil_temperature)}
    data["soil_moisture"].attrs = dict(_SOIL_MOISTURE_ATTRS)
    data["soil_temperature"].attrs = dict(_SOIL_TEMPERATURE_ATTRS)
    index = {"variable": list(DRIVERS), "soil_property": [*_PROPERTIES, *_START]}
    return ds.assign(data).assign_coords({**index, **named})


def columns_of(ds: xr.Dataset, space: tuple[str, ...]) -> tuple[SoilColumns, np.ndarray]:
    """The columns behind a labelled world and their state before its first day, (2, n)."""

    def flat(da: xr.DataArray) -> np.ndarray:
        return da.broadcast_like(ds["truth_soil"].isel(soil_property=0, drop=True)).transpose(*space).values.ravel()

    properties = {name: flat(ds["truth_soil"].sel(soil_property=name)) for name in (*_PROPERTIES, *_START)}
    coefficient = {name: flat(ds["truth_coefficient"].sel(variable=name)) for name in land.PATHS}
    lag = {name: flat(ds["truth_lag"].sel(variable=name).fillna(0)).astype(int) for name in land.PATHS}
    start = np.stack([properties.pop(name) for name in _START])
    return SoilColumns(Soil(**properties), Planted(coefficient, lag), flat(ds["lat"])), start


def space_of(ds: xr.Dataset) -> tuple[str, ...]:
    """The dimensions of the places of a simulated world: (site,) or (lat, lon)."""
    if "truth_soil" not in ds.coords:
        raise ValueError("no 'truth_soil' among the coordinates; give a world of twin.simulate")
    return ("site",) if "site" in ds["truth_soil"].dims else ("lat", "lon")


def require_drivers(ds: xr.Dataset, needed: Iterable[str], what: str) -> None:
    """Raise where a world was simulated without some of the drivers that `what` need."""
    missing = [name for name in needed if name not in ds]
    if missing:
        there = [name for name in DRIVERS if name in ds or name in missing]
        raise ValueError(f"{what} need the drivers {missing} too; simulate with them, drivers={there}")


def nearest_mean(ds: xr.Dataset, name: str) -> xr.DataArray:
    """A driver at the places: itself on a grid, the mean of the four cells around a tower on patches."""
    driver = ds[name].drop_attrs()
    if "patch_lat" not in driver.dims:
        return driver
    around_lat = abs(ds["cell_lat"] - ds["lat"]) < STEP
    around_lon = abs(ds["cell_lon"] - ds["lon"]) < STEP
    if not ((around_lat.sum("patch_lat") == 2) & (around_lon.sum("patch_lon") == 2)).all():
        raise ValueError("the patches lack cells around their tower; simulate with size=2 or more")
    return driver.where(around_lat & around_lon).mean(("patch_lat", "patch_lon"))


def _driver_attrs(name: str) -> dict[str, str]:
    long_name, units = DRIVER_ATTRS[name]
    return {"long_name": long_name, "units": units, "source": SIMULATED}


def _north(text: str) -> dict[str, str]:
    return {"long_name": text, "units": "degrees_north"}


def _east(text: str) -> dict[str, str]:
    return {"long_name": text, "units": "degrees_east"}
