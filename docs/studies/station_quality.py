"""Planted steps of one standard deviation: how many `quality_report` finds, and how many sound stations it accuses.

Simulated stations have neither steps nor drifts, so that every accusation is false: some share their weather, remember
a month and are Gaussian; others are buckets of the twin, which rain fills and the sun empties. Real records (USCRN with
neighbours, FLUXNET each by itself) may have steps of their own: what is flagged as they are is told, and a planted step
counts as placed when a step is named within 90 days of it, or 3. Every record gets its step, one after the other, while
its neighbours stay as they are.

    python docs/studies/station_quality.py             # XDROUGHT_DATA_DIR names the folder of real data
"""

from __future__ import annotations

import argparse
import os
import time as clock
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter

from xdrought.data import open_fluxnet, open_uscrn, quality_report
from xdrought.simulation import twin

FIRST_WORLD = 1000  # earlier ones were looked at when the statistic was chosen
PLANTED_WORLDS = 10  # in which each station gets a step; the others say only how many are accused


def simulated(n_site: int, n_days: int, seed: int) -> xr.Dataset:
    """Stations within 300 km: a season, weather that all share in part, and noise, each with a memory of 30 days."""
    rng = np.random.default_rng(seed)
    keep = np.exp(-1 / 30)
    shocks = 0.7 * rng.normal(size=(1, n_days)) + 0.7 * rng.normal(size=(n_site, n_days))
    state = np.zeros((n_site, n_days))
    for day in range(1, n_days):
        state[:, day] = keep * state[:, day - 1] + np.sqrt(1 - keep**2) * shocks[:, day]
    season = np.cos(2 * np.pi * np.arange(n_days) / 365.25)
    days = pd.date_range("2001-01-01", periods=n_days)
    coords = {
        "site": np.arange(n_site),
        "time": days,
        "lat": ("site", 45 + rng.random(n_site)),
        "lon": ("site", 8 + rng.random(n_site)),
    }
    values = 0.25 + 0.05 * season + 0.05 * state
    return xr.Dataset({"soil_moisture": (("site", "time"), values, {"units": "m3 m-3"})}, coords)


def rain_fed(n_site: int, n_days: int, seed: int) -> xr.Dataset:
    """Towers of the twin, each alone, with the rain of its cell."""
    ds = twin.simulate(n_site, n_days, size=1, seed=seed)[["soil_moisture", "tp"]].squeeze(drop=True).compute()
    ds = ds.drop_vars(["lat", "lon"]).astype(float)
    return ds.assign(rain=antecedent_rain(ds.tp))


def planted(ds: xr.Dataset, seed: int, size: float = 1.0) -> Iterator[tuple[int, np.datetime64, xr.Dataset]]:
    """Each station with a step of `size` of its standard deviations in the middle three fifths of its record."""
    rng = np.random.default_rng(seed)
    for k in range(ds.sizes["site"]):
        values = ds.soil_moisture.transpose("site", "time").values.copy()
        there = np.flatnonzero(np.isfinite(values[k]))
        if there.size < 3 * 365:
            continue
        at = there[int(rng.uniform(0.2, 0.8) * there.size)]
        values[k, at:] += rng.choice([-1, 1]) * size * np.nanstd(values[k])
        yield k, ds.time.values[at], ds.assign(soil_moisture=(("site", "time"), values, ds.soil_moisture.attrs))


def antecedent_rain(rain: xr.DataArray) -> xr.DataArray:
    """Rain of the days before, each day worth a thirtieth less than the next one: what a soil alone would remember."""
    rain = rain.transpose("site", "time").fillna(0)
    return rain.copy(data=lfilter([1.0], [1.0, -29 / 30], rain.values, axis=1)).assign_attrs(units="mm")


def accused(ds: xr.Dataset, seed: int, **options: Any) -> np.ndarray:
    """Stations, those with a step as they are, and those with a drift."""
    report = quality_report(ds, seed=seed, **options)
    return np.array([ds.sizes["site"], int(report.has_step.sum()), int(report.has_drift.sum())])


def with_neighbours(ds: xr.Dataset, k: int) -> np.ndarray:
    """A station, first, and the five nearest ones, which are all that are looked at."""
    near = np.deg2rad(ds.lat), np.deg2rad(ds.lon)
    here = near[0][k], near[1][k]
    cosine = np.sin(near[0]) * np.sin(here[0]) + np.cos(near[0]) * np.cos(here[0]) * np.cos(near[1] - here[1])
    return np.argsort(-cosine.values)[:6]


def power(ds: xr.Dataset, seed: int, **options: Any) -> np.ndarray:
    """Stations with a planted step, those that are flagged, and those whose step is named within 90 days, 3 days."""
    counts = np.zeros(4, int)
    for k, when, changed in planted(ds, seed):
        if "lat" not in ds.coords:  # nobody else is looked at
            changed, k = changed.isel(site=[k]), 0
        elif ds.sizes["site"] > 10:
            changed, k = changed.isel(site=with_neighbours(ds, k)), 0
        report = quality_report(changed, seed=seed, **options).isel(site=k)
        off = abs(report.step_time.values - when)
        near = [bool(report.has_step) and off <= np.timedelta64(days, "D") for days in (90, 3)]
        counts += [1, bool(report.is_flagged), *near]
    return counts


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=199)
    parser.add_argument("--worlds", type=int, default=10)
    options = parser.parse_args()
    began = clock.time()
    how = {"n_simulations": options.simulations}
    print("| records | stations | stepped as they are | drifting so | planted | flagged | placed | to 3 days |")
    print("|---|---|---|---|---|---|---|---|")
    for name, make, reference in (
        ("simulated, neighbours", simulated, None),
        ("simulated, each by itself", lambda *size: simulated(*size).drop_vars(["lat", "lon"]), None),
        ("rain-fed, each by itself", rain_fed, None),
        ("rain-fed, its antecedent rain", rain_fed, "rain"),
    ):
        for years in (4, 8, 15):
            found = np.zeros(7, int)
            for seed in range(FIRST_WORLD, FIRST_WORLD + options.worlds):
                ds = make(10, years * 365, seed)
                found[:3] += accused(ds, seed, reference=reference, **how)
                found[3:] += power(ds, seed, reference=reference, **how) if seed < FIRST_WORLD + PLANTED_WORLDS else 0
            tell(f"{name}, {years} years", found)
    folder = Path(os.environ["XDROUGHT_DATA_DIR"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stations, towers = open_uscrn(folder / "uscrn"), open_fluxnet(folder / "fluxnet2015")
    towers["rain"] = antecedent_rain(towers.P_F)
    towers = towers.drop_vars(["lat", "lon"])
    for name, ds, reference in (
        ("USCRN, neighbours within 500 km", stations, None),
        ("FLUXNET, each by itself", towers, None),
        ("FLUXNET, its antecedent rain", towers, "rain"),
    ):
        long = np.isfinite(ds.soil_moisture).sum("time").values >= 3 * 365
        ds = ds[["soil_moisture", *([reference] if reference else [])]].isel(site=long)
        how = {"n_simulations": options.simulations, "reference": reference}
        tell(name, np.r_[accused(ds, 0, **how), power(ds, 0, **how)])
    print(f"{clock.time() - began:.0f} s")


def tell(name: str, row: np.ndarray) -> None:
    """One row of the table."""
    n, step, drift, tried, *found = (int(one) for one in row)
    shares = [f"{step / n:.1%}", f"{drift / n:.1%}", tried, *(f"{one / max(tried, 1):.0%}" for one in found)]
    print("|", " | ".join(map(str, [name, n, *shares])), "|", flush=True)


if __name__ == "__main__":
    main()
