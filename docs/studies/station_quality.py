"""Planted steps of one standard deviation: how many `quality_report` finds, and how many sound stations it accuses.

Simulated stations share their weather, remember a month and have neither steps nor drifts, so that every accusation is
false. Real records (USCRN with neighbours, FLUXNET each by itself) may have steps of their own: what is flagged as they
are is told, and a planted step counts as found when a step is named within 90 days of it. Every record gets its step,
one after the other, while its neighbours stay as they are.

    python docs/studies/station_quality.py             # XDROUGHT_DATA_DIR names the folder of real data
"""

from __future__ import annotations

import argparse
import os
import time as clock
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter

from xdrought.data import open_fluxnet, open_uscrn, quality_report


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


def antecedent_rain(ds: xr.Dataset) -> xr.DataArray:
    """Rain of the days before, each day worth a thirtieth less than the next one: what a soil alone would remember."""
    rain = ds.P_F.transpose("site", "time").fillna(0)
    return rain.copy(data=lfilter([1.0], [1.0, -29 / 30], rain.values, axis=1)).assign_attrs(units="mm")


def power(ds: xr.Dataset, seed: int, n_simulations: int, reference: str | None = None) -> tuple[int, int, int]:
    """Stations with a planted step, those that are flagged, and those whose step is named within 90 days."""
    tried = flagged = placed = 0
    for k, when, changed in planted(ds, seed):
        report = quality_report(changed, reference=reference, n_simulations=n_simulations, seed=seed).isel(site=k)
        near = abs(report.step_time.values - when) <= np.timedelta64(90, "D")
        tried, flagged, placed = tried + 1, flagged + bool(report.is_flagged), placed + bool(report.has_step and near)
    return tried, flagged, placed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=199)
    parser.add_argument("--worlds", type=int, default=10)
    options = parser.parse_args()
    began = clock.time()
    print("| records | stations | stepped as they are | drifting as they are | planted | flagged | placed |")
    print("|---|---|---|---|---|---|---|")
    for years in (4, 8, 15):
        rows = []
        for seed in range(options.worlds):
            ds = simulated(10, years * 365, seed)
            report = quality_report(ds, n_simulations=options.simulations, seed=seed)
            few = power(ds.isel(site=slice(0, 10)), seed, options.simulations) if seed < 3 else (0, 0, 0)
            rows.append((10, int(report.has_step.sum()), int(report.has_drift.sum()), *few))
        tell(f"simulated, {years} years", np.sum(rows, axis=0))
    folder = Path(os.environ["XDROUGHT_DATA_DIR"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stations, towers = open_uscrn(folder / "uscrn"), open_fluxnet(folder / "fluxnet2015")
    towers["rain"] = antecedent_rain(towers)
    for name, ds, reference in (
        ("USCRN, neighbours within 500 km", stations, None),
        ("FLUXNET, each by itself", towers, None),
        ("FLUXNET, its antecedent rain", towers, "rain"),
    ):
        long = np.isfinite(ds.soil_moisture).sum("time").values >= 3 * 365
        ds = ds[["soil_moisture", *([reference] if reference else [])]].isel(site=long)
        report = quality_report(ds, reference=reference, n_simulations=options.simulations)
        counts = ds.sizes["site"], int(report.has_step.sum()), int(report.has_drift.sum())
        tell(name, np.array([*counts, *power(ds, 0, options.simulations, reference)]))
    print(f"{clock.time() - began:.0f} s")


def tell(name: str, row: np.ndarray) -> None:
    """One row of the table."""
    n, step, drift, tried, flagged, placed = (int(one) for one in row)
    shares = [
        f"{step / n:.1%}",
        f"{drift / n:.1%}",
        tried,
        *(f"{one / max(tried, 1):.0%}" for one in (flagged, placed)),
    ]
    print("|", " | ".join(map(str, [name, n, *shares])), "|", flush=True)


if __name__ == "__main__":
    main()
