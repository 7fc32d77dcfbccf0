"""Small labelled inputs of every kind that a public function takes, each made once."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import xdrought
from tests.support.forecasters import untrained

DAYS = pd.date_range("2001-01-01", periods=560)
SITES = ["S0", "S1", "S2", "S3", "S4"]
LAT, LON = [48.0, 47.5, 47.0], [8.0, 8.5, 9.0, 9.5]
LEAD = 7


def _attrs(name: str, units: str) -> dict[str, str]:
    return {"units": units, "long_name": name}


def _coords() -> dict[str, Any]:
    place = {"lat": ("site", [47.0, 10.0, -30.0, 5.0, 60.0]), "lon": ("site", [11.0, 50.0, 120.0, 20.0, -5.0])}
    return {"site": SITES, "time": DAYS, **place}


@cache
def weather() -> xr.Dataset:
    """Rain, warmth and the soil that they make, (site, time); numbers that float32 holds exactly."""
    rng = np.random.default_rng(0)
    shape = (len(SITES), DAYS.size)
    rain = rng.exponential(2.0, shape) * (rng.random(shape) < 0.15)
    warmth = 283 + 9 * np.sin(2 * np.pi * DAYS.day_of_year.to_numpy() / 365.25) + rng.standard_normal(shape)
    soil = np.full(shape, 0.1)
    for t in range(1, DAYS.size):
        soil[:, t] = 0.02 + 0.94 * (soil[:, t - 1] - 0.02) + rain[:, t] / 150 - 0.0002 * (warmth[:, t] - 283)
    soil = soil.clip(0.0, 1.0)
    soil[1, 100:130] = np.nan
    soil[3, :20] = np.nan
    soil[rng.random(shape) < 0.01] = np.nan
    data = {"tp": (rain, "mm"), "t2m": (warmth, "K"), "soil_moisture": (soil, "m3 m-3")}
    exact = {name: (values.astype("float32").astype("float64"), unit) for name, (values, unit) in data.items()}
    return xr.Dataset(
        {name: (("site", "time"), values, _attrs(name, unit)) for name, (values, unit) in exact.items()}, _coords()
    )


def soil() -> xr.DataArray:
    return weather()["soil_moisture"]


def drivers() -> xr.Dataset:
    return weather()[["tp", "t2m"]]


@cache
def frost() -> xr.DataArray:
    """Soil temperature of the weather, degC."""
    return (weather()["t2m"] - 276).rename("soil_temperature").assign_attrs(units="degC")


@cache
def reference() -> xr.DataArray:
    """Another record of the same soils."""
    return (soil() * 0.9 + 0.005).rename("reference").assign_attrs(soil().attrs).isel(time=slice(0, 500))


@cache
def percentile() -> xr.DataArray:
    return xdrought.soil_moisture_percentile(soil())


@cache
def standardised() -> xr.DataArray:
    """A standardised index of the warmth."""
    warmth = weather()["t2m"]
    deviates = ((warmth - warmth.mean("time")) / warmth.std("time")).astype("float32").astype("float64")
    return deviates.rename("index").assign_attrs(_attrs("index", "1"))


@cache
def regions() -> xr.DataArray:
    """The region of each site; one site is in none."""
    return xr.DataArray(["north", "south", "", "south", "north"], {"site": SITES}, "site", "regions")


@cache
def yearly() -> xr.DataArray:
    """One number for each of twelve years."""
    values = np.random.default_rng(5).integers(0, 64, (len(SITES), 12)) / 64
    return xr.DataArray(values, {"site": SITES, "year": np.arange(2001, 2013)}, ("site", "year"), "yearly")


@cache
def classes() -> xr.DataArray:
    return xdrought.drought_classes(soil()).isel(time=slice(0, 200))


@cache
def other_classes() -> xr.DataArray:
    return xdrought.drought_classes(reference().reindex(time=DAYS).fillna(soil())).isel(time=slice(0, 200))


@cache
def two_definitions() -> xr.DataArray:
    return xdrought.drought_classes(soil(), definition=["tang2025", "yuan2019"])


@cache
def events() -> xr.Dataset:
    return xdrought.flash_drought_events(soil())


@cache
def forecast() -> xr.DataArray:
    """A forecast of the last 150 days, seven days ahead, that holds half of the anomaly."""
    rng = np.random.default_rng(1)
    held = 0.5 * soil().shift(time=LEAD) + 0.5 * soil().mean("time")
    noise = xr.DataArray(0.005 * rng.standard_normal(held.shape), held.coords, held.dims)
    return (held + noise).isel(time=slice(-150, None)).rename("soil_moisture").assign_attrs(soil().attrs)


@cache
def forecast_events() -> xr.Dataset:
    return xdrought.flash_drought_events(soil().shift(time=2).assign_attrs(soil().attrs))


@cache
def probability() -> xr.DataArray:
    rng = np.random.default_rng(2)
    values = (0.7 * (soil() < 0.1) + 0.27 * rng.random(soil().shape) + 0.01).round(2) + 0.003
    return values.where(soil().notnull()).rename("probability").assign_attrs(units="1").isel(time=slice(0, 200))


@cache
def occurred() -> xr.DataArray:
    known = (soil() < 0.1).astype(float).where(soil().notnull())
    return known.rename("occurred").drop_attrs().isel(time=slice(0, 200))


@cache
def scores() -> xr.Dataset:
    return xdrought.verify(forecast(), soil(), lead=LEAD, n_boot=5)


@cache
def training_scores() -> xr.Dataset:
    earlier = forecast().assign_coords(time=DAYS[-300:-150])
    return xdrought.verify(earlier, soil(), lead=LEAD, n_boot=5)


@cache
def train() -> xr.DataArray:
    return (soil().time < DAYS[400]) & soil().site.notnull()


@cache
def summer() -> xr.DataArray:
    """A mask that differs from site to site."""
    early = xr.DataArray([50, 0, 30, 80, 20], {"site": SITES}, "site")
    return (xr.DataArray(np.arange(DAYS.size), {"time": DAYS}, "time") >= early).transpose("site", "time")


@cache
def degree() -> xr.Dataset:
    return xdrought.causality_degree(drivers(), soil(), train=train())


@cache
def p_values() -> xr.DataArray:
    return degree()["p_value"]


@cache
def skill() -> xr.DataArray:
    return scores()["rmse"].sel(model="forecast", drop=True)


@cache
def relation() -> xr.Dataset:
    values = [[0.1, 0.3, 0.2, 0.5, 0.4], [0.5, 0.2, 0.3, 0.1, 0.4], [0.2, 0.1, 0.4, 0.3, 0.5]]
    rho = xr.DataArray(values, {"variable": ["tp", "t2m", "sp"], "site": SITES}, ("variable", "site"))
    return xdrought.study.skill_by_degree(rho, skill(), n_boot=20, permutations=50)


@cache
def shares() -> xr.DataArray:
    """Attributions on (site, time, variable)."""
    rng = np.random.default_rng(3)
    coords = {"site": SITES, "time": DAYS, "variable": ["tp", "t2m", "sp"]}
    values = rng.standard_normal((len(SITES), DAYS.size, 3))
    return xr.DataArray(values, coords, tuple(coords), "attribution", {"units": "m3 m-3"})


@cache
def importance() -> xr.DataArray:
    return xdrought.event_importance(shares(), events())


@cache
def complexity() -> xr.DataArray:
    return xdrought.drought_complexity(shares(), events())


@cache
def rate() -> xr.DataArray:
    return events()["intensification_rate"]


@cache
def starts() -> xr.DataArray:
    return xdrought.onset_days(soil(), train=train())


@cache
def onset_model() -> xdrought.OnsetModel:
    return xdrought.fit_onset(weather(), "soil_moisture", ["tp"], lead=LEAD, model="logistic", calibrate=False)


@cache
def warnings() -> xr.Dataset:
    return xdrought.predict_onset(weather(), onset_model())


@cache
def begins() -> xr.DataArray:
    return xdrought.onset_label(soil(), lead=LEAD, train=train())


@cache
def forecaster() -> xdrought.Forecaster:
    import torch

    torch.set_num_threads(1)
    return untrained(weather(), "CauRec", window=5, lead=2)


@cache
def layers() -> xr.Dataset:
    """Soil moisture of two layers."""
    below = (soil() * 0.5 + 0.1).assign_attrs(soil().attrs)
    return xr.Dataset({"top": soil().rename("top"), "below": below.rename("below")})


@cache
def long_weather() -> xr.Dataset:
    """Rain of three years at two places."""
    days = pd.date_range("2001-01-01", "2003-12-31")
    rain = np.random.default_rng(10).exponential(2.0, (2, days.size)).astype("float32").astype("float64")
    return xr.Dataset({"tp": (("site", "time"), rain, _attrs("rain", "mm"))}, {"site": ["A", "B"], "time": days})


@cache
def leads() -> xr.DataArray:
    """A forecast for two leads."""
    values = np.random.default_rng(11).random((2, 20, 2))
    coords = {"site": ["A", "B"], "init_time": DAYS[:20], "lead_time": pd.to_timedelta([1, 7], unit="D")}
    return xr.DataArray(values, coords, tuple(coords), "soil_moisture", {"units": "m3 m-3"})


def weather_of_a_month() -> xr.Dataset:
    return weather().isel(time=slice(200, 240))


def drivers_of_a_month() -> xr.Dataset:
    return weather_of_a_month()[["tp", "t2m"]]


@cache
def warmth() -> xr.DataArray:
    return grid_weather()["t2m"]


@cache
def dew() -> xr.DataArray:
    return (warmth() - 3.0).rename("d2m").assign_attrs(units="K")


@cache
def field() -> xr.Dataset:
    """Smooth fields on (time, lat, lon), two causes and an effect."""
    rng = np.random.default_rng(4)
    lat, lon = np.arange(52.0, 46.0, -0.5), np.arange(5.0, 12.0, 0.5)
    rain = rng.random((2, lat.size, lon.size))
    coords = {"time": DAYS[:2], "lat": lat, "lon": lon}
    data = {"rain": rain, "wind": rng.random(rain.shape), "soil": np.sqrt(rain) + 0.1 * rng.random(rain.shape)}
    return xr.Dataset({name: (tuple(coords), values) for name, values in data.items()}, coords)


@cache
def dry() -> xr.DataArray:
    """True and False on (time, lat, lon), round the world."""
    rng = np.random.default_rng(5)
    coords = {"time": DAYS[:12], "lat": [50.0, 30.0, 10.0, -10.0], "lon": np.arange(-180.0, 180.0, 30.0)}
    return xr.DataArray(rng.random((12, 4, 12)) < 0.25, coords, tuple(coords), "dry")


@cache
def depth() -> xr.DataArray:
    """An intensity on the grid of `dry`."""
    rng = np.random.default_rng(6)
    return xr.DataArray(rng.random(dry().shape), dry().coords, dry().dims, "depth", {"units": "percent"})


@cache
def areas() -> xr.DataArray:
    rng = np.random.default_rng(7)
    place = dry().isel(time=0, drop=True)
    return xr.DataArray(1e5 * (1 + rng.random(place.shape)), place.coords, place.dims, "area", {"units": "km2"})


@cache
def grid_weather() -> xr.Dataset:
    """The weather of the first days on (time, lat, lon)."""
    rng = np.random.default_rng(8)
    coords = {"time": DAYS[:6], "lat": np.arange(50.0, 44.0, -0.5), "lon": np.arange(5.0, 12.0, 0.5)}
    shape = tuple(len(one) for one in coords.values())
    data = {"t2m": (280 + rng.standard_normal(shape), "K"), "tp": (rng.random(shape), "mm")}
    return xr.Dataset(
        {name: (tuple(coords), values, _attrs(name, unit)) for name, (values, unit) in data.items()}, coords
    )


@cache
def places() -> xr.Dataset:
    return xr.Dataset(coords={"site": ["A", "B"], "lat": ("site", [47.1, 48.2]), "lon": ("site", [8.2, 9.1])})


@cache
def around() -> xr.Dataset:
    from xdrought.data import collocate

    return collocate.collocate(grid_weather(), places(), size=4)


@cache
def towers() -> xr.Dataset:
    values = np.arange(12.0).reshape(2, 6) / 100
    coords = {"site": ["B", "A"], "time": DAYS[:6], "lat": ("site", [48.2, 47.1]), "lon": ("site", [9.1, 8.2])}
    return xr.Dataset({"soil_moisture": (("site", "time"), values, _attrs("soil moisture", "m3 m-3"))}, coords)


@cache
def configurations() -> xr.Dataset:
    """Scores of two configurations, as `study.compare` gives them."""
    rng = np.random.default_rng(9)
    coords = {"configuration": ["zeros", "true", "random"], "run": [0, 1], "site": SITES}
    values = rng.random((3, 2, len(SITES)))
    return xr.Dataset({"nse": (tuple(coords), values)}, coords)
