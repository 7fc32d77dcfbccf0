"""What the weather of the lead days is worth at real stations: none, the season's, emulated forecasts, observed.

    XDROUGHT_DATA_DIR=<folder> python docs/studies/lead_weather.py [--networks uscrn fluxnet] [--sites N] [--epochs N]
        [--lead 7] [--runs 1] [--out docs/_include]

One network for all stations ("Rec", its own past and the season known, the change of soil moisture learnt) is trained
on each kind of weather of the lead days, and scored on the test part beside damped persistence. With several runs the
mean of their forecasts is scored. The network trained on the observed also gets emulated forecasts, as happens where
nobody trains on the forecasts that are used; that on emulated forecasts is also tried at stations that it never saw, a
quarter of them at a time. The last row trains quantiles from history. Writes OUT/lead_weather_NETWORK.md, and the NSE
of every lead and station as .csv.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from forecast_real import DRIVERS, NETWORKS, OWN, prepared

import xdrought
from xdrought.forecast.degraded_forcing import OTHERS, RAIN

TARGET = "soil_moisture"
SEASON = ["season_sin", "season_cos"]
BATCHES = {"uscrn": 256, "fluxnet": 64}  # as many steps an epoch: the towers have a quarter of the windows
FOLDS = 4
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
SETTINGS = {"variant": "Rec", "widths": (64,), "learning_rate": 2e-3, "target_history": True, "predict_change": True}
SKILL = {"rain": RAIN, "temperature": OTHERS, "sunshine": OTHERS}


def with_season(network: str, n_sites: int | None) -> xr.Dataset:
    """The stations of a network, spread over all, with the season as two more drivers."""
    ds, _ = prepared(NETWORKS[network])
    if n_sites:
        ds = ds.isel(site=np.unique(np.linspace(0, ds.sizes["site"] - 1, n_sites).astype(int)))
    angle = ds.time.dt.dayofyear / 365.25 * 2 * np.pi
    waves = {
        name: wave(angle).broadcast_like(ds.soil_moisture) for name, wave in zip(SEASON, (np.sin, np.cos), strict=True)
    }
    return ds.assign(waves).assign_attrs(batch_size=BATCHES[network])


def fitted(ds: xr.Dataset, forcing: Any, options: argparse.Namespace, **more: Any) -> xdrought.Forecaster:
    return xdrought.fit_resattcaurec(
        ds,
        TARGET,
        [*DRIVERS, *OWN, *SEASON],
        batch_size=ds.attrs["batch_size"],
        lead=range(1, options.lead + 1),
        future=[] if forcing is None else DRIVERS,
        forcing=forcing,
        epochs=options.epochs,
        runs=options.runs,
        device="cpu",
        progress=False,
        **SETTINGS,
        **more,
    )


def scored(ds: xr.Dataset, forecaster: xdrought.Forecaster, forcing: Any) -> xr.Dataset:
    """Scores of every lead on the test part, beside damped persistence."""
    return verified(ds, xdrought.predict(ds, forecaster, forcing=forcing, device="cpu"))


def verified(ds: xr.Dataset, forecast: xr.Dataset) -> xr.Dataset:
    mean = forecast.mean("run", keep_attrs=True) if "run" in forecast.dims else forecast
    return xdrought.verify(mean, ds[TARGET], references=["damped_persistence"], n_boot=1000, seed=1)


def at_unseen(ds: xr.Dataset, forcing: xr.Dataset, part: xr.DataArray, options: argparse.Namespace) -> xr.Dataset:
    """Scores where each station is forecast by a network that was trained on the other three quarters of them."""
    found = []
    for fold in range(FOLDS):
        held = np.arange(ds.sizes["site"]) % FOLDS == fold
        seen, unseen = ds.isel(site=~held), ds.isel(site=held)
        forecaster = fitted(seen, forcing.sel(site=seen.site), options)
        found.append(xdrought.predict(unseen, forecaster, forcing=forcing.sel(site=unseen.site), device="cpu"))
    forecast = xr.concat([one.drop_vars("part", errors="ignore") for one in found], "site").sel(site=ds.site)
    return verified(ds, forecast.assign_coords(part=part))


def interval(gains: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap over stations of the median."""
    drawn = np.random.default_rng(0).integers(gains.size, size=(2000, gains.size))
    low, high = np.quantile(np.median(gains[drawn], axis=1), [0.025, 0.975])
    return float(low), float(high)


def row(name: str, scores: xr.Dataset, lead: int) -> dict[str, Any]:
    """One line of the table, of the longest lead."""
    nse = scores.nse.isel(lead_time=lead - 1)
    forecast, damped = (nse.sel(model=model).to_numpy() for model in ("forecast", "damped_persistence"))
    gain = forecast - damped
    low, high = interval(gain)
    ahead = f"{int((gain > 0).sum())} of {gain.size}"
    return {
        "weather of the lead days": name,
        "median NSE": f"{np.median(forecast):.3f}",
        "minus damped persistence": f"{np.median(gain):+.3f} [{low:+.3f}, {high:+.3f}]",
        "stations ahead": ahead,
    }


def quantile_lines(scores: xr.Dataset, lead: int) -> list[str]:
    """CRPS skill and coverage of the quantiles, of the longest lead."""
    one = scores.isel(lead_time=lead - 1, distribution=0)
    low, high = one.crps_skill_interval.values
    better = int((one.crps_skill > 0).sum())
    coverage = ", ".join(
        f"{value:.3f} of {level:.0%} intervals"
        for level, value in zip(one.interval_level.values, one.coverage_pooled.values, strict=True)
        if level in (0.8, 0.9)
    )
    return [
        "",
        f"Quantiles from history, {lead} days ahead: CRPS skill over dressed damped persistence "
        f"{float(one.crps_skill_summary[0]):+.3f} [{low:+.3f}, {high:+.3f}], ahead at {better} of {one.sizes['site']} "
        f"stations; coverage {coverage}.",
    ]


def study(name: str, options: argparse.Namespace) -> None:
    ds = with_season(name, options.sites)
    emulated = xdrought.degrade_forcing(ds, DRIVERS, lead=options.lead, skill=SKILL, seed=1)
    kinds = {"none: history alone": None, "the season's, by year": "climatology", "emulated forecast": emulated}
    rows, numbers, began = [], [], time.time()

    def add(kind: str, scores: xr.Dataset) -> None:
        rows.append(row(kind, scores, options.lead))
        numbers.append(scores.nse.to_dataframe()["nse"].reset_index().assign(weather=kind))
        print(rows[-1], f"{time.time() - began:.0f} s", flush=True)

    for kind, forcing in {**kinds, "observed (perfect prognosis)": "observed"}.items():
        forecaster = fitted(ds, forcing, options)
        forecast = xdrought.predict(ds, forecaster, forcing=forcing, device="cpu")
        add(kind, verified(ds, forecast))
        if kind == "emulated forecast":
            add("emulated, at stations never seen", at_unseen(ds, emulated, forecast.part, options))
        if kind.startswith("observed"):
            add("emulated, to the network trained on observed", scored(ds, forecaster, emulated))
    spread = quantile_lines(scored(ds, fitted(ds, None, options, quantiles=LEVELS), None), options.lead)
    print(*spread, flush=True)
    shares = f"--networks {name} --sites {ds.sizes['site']} --epochs {options.epochs}"
    shares += f" --lead {options.lead} --runs {options.runs}"
    lines = [
        f"{NETWORKS[name].title}, {ds.sizes['site']} stations, {options.lead} days ahead, test part "
        f"(`python docs/studies/lead_weather.py {shares}`):",
        "",
        "| " + " | ".join(rows[0]) + " |",
        "|---|---:|---:|---:|",
        *("| " + " | ".join(map(str, each.values())) + " |" for each in rows),
        *spread,
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"lead_weather_{name}.md").write_text("\n".join(lines) + "\n")
    table = pd.concat(numbers)
    table.to_csv(options.out / f"lead_weather_{name}.csv", index=False, float_format="%.4f")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=sorted(NETWORKS), default=["uscrn", "fluxnet"])
    parser.add_argument("--sites", type=int, default=None, help="stations, spread over all; by default every one")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lead", type=int, default=7)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.networks:
        study(name, options)


if __name__ == "__main__":
    main()
