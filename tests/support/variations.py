"""Small labelled data in every dress (dimensions, chunks, number formats, calendars, gaps), for the campaign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
import xarray as xr

import xdrought
from tests.support.forecasters import untrained
from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import random_sites

DAYS, SITES = 200, 4
CALENDARS = ("numpy", "standard", "noleap", "360_day", "all_leap")
GAPS = ("none", "scattered", "block", "start", "a whole site")
TARGET, DRIVERS = "soil_moisture", ["tp", "t2m"]


@dataclass(frozen=True)
class Dress:
    """How the same numbers are given."""

    order: tuple[str, ...]  # of time, lat and lon; sites take the place of lat
    chunk: int
    single: bool
    calendar: str
    gaps: str
    seed: int
    grid: bool = False

    @property
    def dims(self) -> tuple[str, ...]:
        return self.order if self.grid else tuple("site" if d == "lat" else d for d in self.order if d != "lon")


def world(dress: Dress) -> xr.Dataset:
    """Weather and soil moisture that falls and recovers, float64 numbers that float32 holds too."""
    rng, dims = np.random.default_rng(dress.seed), ("site", "time")
    rain = rng.exponential(1.0, (SITES, DAYS)) * (rng.random((SITES, DAYS)) < 0.2)
    soil = np.zeros((SITES, DAYS))
    for t in range(1, DAYS):
        soil[:, t] = 0.93 * soil[:, t - 1] + rain[:, t] / 64
    values = {"tp": rain, "t2m": 280 + rng.standard_normal((SITES, DAYS)), TARGET: soil}
    values = {name: array.astype("float32").astype("float64") for name, array in values.items()}
    values[TARGET] = with_gaps(values[TARGET], dress.gaps, rng)
    calendar = {"use_cftime": False} if dress.calendar == "numpy" else {"calendar": dress.calendar, "use_cftime": True}
    time = xr.date_range("2001-01-01", periods=DAYS, **calendar)
    units = {"tp": "mm", "t2m": "K", TARGET: "m3 m-3"}
    attrs = {name: {"units": units[name], "note": "mine"} for name in values}
    if dress.grid:
        maps = {
            name: (("lat", "lon", "time"), array.reshape(2, 2, DAYS), attrs[name]) for name, array in values.items()
        }
        return xr.Dataset(maps, {"lat": [47.0, 46.75], "lon": [11.0, 11.25], "time": time})
    coords = {"lat": ("site", [47.0, 10.0, -30.0, 0.0]), "lon": ("site", [11.0, 50.0, 120.0, 20.0])}
    rows = {name: (dims, array, attrs[name]) for name, array in values.items()}
    return xr.Dataset(rows, {"site": [f"S{k}" for k in range(SITES)], "time": time, **coords})


def with_gaps(values: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    out = values.copy()
    if kind == "scattered":
        out[rng.random(out.shape) < 0.05] = np.nan
    elif kind == "block":
        out[rng.integers(SITES), 60:90] = np.nan
    elif kind == "start":
        out[:, : rng.integers(1, 40)] = np.nan
    elif kind == "a whole site":
        out[rng.integers(SITES)] = np.nan
    return out


def dressed(ds: xr.Dataset, dress: Dress) -> xr.Dataset:
    """The same data, turned, in chunks of sites, in its number format."""
    out = ds.transpose(*dress.dims)
    if dress.single:
        out = out.astype("float32", keep_attrs=True).assign_coords(ds.coords)
    return out.chunk({"time": -1} | ({"lat": 1, "lon": min(dress.chunk, 2)} if dress.grid else {"site": dress.chunk}))


@lru_cache
def forecaster(variant: str) -> xdrought.Forecaster:
    torch.set_num_threads(1)
    return untrained(random_sites(SITES, 120), variant, window=5, lead=2)


def table(events: xr.Dataset) -> xr.Dataset:
    """Events in one order, whatever that of their places."""
    places = ["site"] if "site" in events.coords else ["lat", "lon"]
    return events.sortby([*places, "onset_time"]) if events.sizes["event"] else events


def without_cell(events: xr.Dataset) -> xr.Dataset:
    """Without the position of the place among the dimensions as they were given."""
    return events.drop_vars(["cell", "match_cell"], errors="ignore")


def attribution(ds: xr.Dataset) -> xr.Dataset:
    found = forecaster("Rec")
    few = ds.isel(time=slice(0, 40))
    explained = xr.zeros_like(few.site, dtype=bool) | (few.time == few.time[20])
    return xdrought.attributions(
        few,
        found,
        where=explained,
        background=ds.compute().isel(time=slice(0, 60)),
        n_background=4,
        n_draws=4,
        progress=False,
        device="cpu",
    )


def windows(ds: xr.Dataset) -> xr.Dataset:
    made = xdrought.patches(ds, TARGET, drivers=DRIVERS, size=1, window=5, lead=2)
    return xr.Dataset({"inputs": made.inputs, "targets": made.to_labels(made.targets)})


@dataclass(frozen=True)
class Case:
    """One public function on such data; `lazy`: dask gives dask; `dates`: needs numpy's; `grid`: takes grids, too."""

    call: Callable[[xr.Dataset], xr.Dataset | xr.DataArray]
    lazy: bool = True
    dates: bool = False
    grid: bool = True
    tolerance: float = 0.0  # of float32 against float64 of the same numbers


def forecast_of(ds: xr.Dataset) -> xr.DataArray:
    return ds[TARGET].shift(time=3).assign_attrs(ds[TARGET].attrs)


def pair(ds: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """A forecast and the observations."""
    return forecast_of(ds), ds[TARGET]


CASES: dict[str, Case] = {
    "soil_moisture_percentile": Case(lambda ds: xdrought.soil_moisture_percentile(ds[TARGET])),
    "soil_moisture_percentile of the season": Case(
        lambda ds: xdrought.soil_moisture_percentile(ds[TARGET], pool="dayofyear", window=15, method="hazen")
    ),
    "drought_classes": Case(lambda ds: xdrought.drought_classes(ds[TARGET])),
    "drought_summary": Case(lambda ds: xdrought.drought_summary(ds[TARGET])),
    "flash_drought_events": Case(lambda ds: without_cell(table(xdrought.flash_drought_events(ds[TARGET]))), lazy=False),
    "ccm": Case(lambda ds: xdrought.ccm(ds[DRIVERS], ds[TARGET], embedding_dim=3), tolerance=1e-5),
    "causality_degree": Case(
        lambda ds: xdrought.causality_degree(ds[DRIVERS], ds[TARGET], train=slice(None)), tolerance=1e-5
    ),
    "patches": Case(windows, lazy=False),
    "predict": Case(
        lambda ds: xdrought.predict(ds, forecaster("Rec" if "lat" in ds.dims else "CauRec"), device="cpu"),
        tolerance=1e-5,
    ),
    "verify": Case(
        lambda ds: xdrought.verify(forecast_of(ds), ds[TARGET], lead=3, n_boot=20),
        lazy=False,
        dates=True,
        grid=False,
        tolerance=1e-4,
    ),
    "class_scores": Case(lambda ds: xdrought.class_scores(*map(xdrought.drought_classes, pair(ds))), lazy=False),
    "match_events": Case(
        lambda ds: without_cell(
            xdrought.match_events(*(table(xdrought.flash_drought_events(one)) for one in pair(ds)))
        ),
        lazy=False,
    ),
    "attributions": Case(attribution, lazy=False, dates=True, grid=False, tolerance=1e-4),
}


def outcome(case: Case, ds: xr.Dataset) -> xr.Dataset | xr.DataArray | str:
    """What a function gives, in memory; or the words of its refusal."""
    try:
        return case.call(ds).compute()
    except (ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def same(one, other, tolerance: float) -> None:
    """Equal results, in any order of dimensions, or refusals with the same first words."""
    if isinstance(one, str) or isinstance(other, str):
        assert str(one).split(";")[0][:60] == str(other).split(";")[0][:60]
        return
    one = one if isinstance(one, xr.Dataset) else one.to_dataset(name="it")
    other = other if isinstance(other, xr.Dataset) else other.to_dataset(name="it")
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        a, b = one[name], other[name]
        assert set(a.dims) == set(b.dims), name
        b = b.transpose(*a.dims)
        if a.dtype.kind == "f" and tolerance:
            np.testing.assert_allclose(a.values, b.values, rtol=tolerance, atol=tolerance, err_msg=str(name))
        else:
            np.testing.assert_array_equal(a.values, b.values, err_msg=str(name))


def check(case: Case, dress: Dress) -> None:
    """The laws for one function and one dress."""
    dress = replace(dress, calendar="numpy" if case.dates else dress.calendar, grid=dress.grid and case.grid)
    plain = world(dress)
    with unchanged(plain):
        expected = outcome(case, plain)
    turned = plain.transpose(*dress.dims)
    with unchanged(turned):
        same(expected, outcome(case, turned), 0.0)
    clothed = dressed(plain, dress)
    before = clothed.copy(deep=True)
    if case.lazy and not isinstance(expected, str):
        with raise_if_dask_computes():
            case.call(clothed)
    found = outcome(case, clothed)
    xr.testing.assert_identical(before.compute(), clothed.compute())
    same(expected, found, case.tolerance if dress.single else 0.0)
