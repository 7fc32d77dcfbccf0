"""What the weather of the lead days is worth at real stations: none, the season's, emulated forecasts, observed.

    XDROUGHT_DATA_DIR=<folder> python docs/studies/lead_weather.py [--networks uscrn fluxnet] [--sites N] [--epochs N]
        [--lead 7] [--runs 1] [--out docs/_include]

One network for all stations ("Rec", its own past known, the change of the standardised value learnt) is trained on each
kind of weather of the lead days, and scored on the test part beside damped persistence. That trained on the observed
also gets emulated forecasts, as happens where nobody trains on the forecasts that are used. The last row trains
quantiles from history. Writes OUT/lead_weather_NETWORK.md, and the NSE of every lead and station as .csv.
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

TARGET = "standardised"  # NSE of a station does not depend on its mean and spread
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
SETTINGS = {"variant": "Rec", "widths": (64,), "learning_rate": 2e-3, "target_history": True, "predict_change": True}
SKILL = {"rain": RAIN, "temperature": OTHERS, "sunshine": OTHERS}


def fitted(ds: xr.Dataset, forcing: Any, options: argparse.Namespace, **more: Any) -> xdrought.Forecaster:
    return xdrought.fit_resattcaurec(
        ds,
        TARGET,
        [*DRIVERS, *OWN],
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
    forecast = xdrought.predict(ds, forecaster, forcing=forcing, device="cpu")
    return xdrought.verify(forecast, ds[TARGET], references=["damped_persistence"], n_boot=1000, seed=1)


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
    ds, _ = prepared(NETWORKS[name])
    if options.sites:
        ds = ds.isel(site=np.unique(np.linspace(0, ds.sizes["site"] - 1, options.sites).astype(int)))
    emulated = xdrought.degrade_forcing(ds, DRIVERS, lead=options.lead, skill=SKILL, seed=1)
    kinds = {"none: history alone": None, "the season's, by year": "climatology", "emulated forecast": emulated}
    rows, numbers, began = [], [], time.time()
    for kind, forcing in {**kinds, "observed (perfect prognosis)": "observed"}.items():
        forecaster = fitted(ds, forcing, options)
        uses = {kind: forcing}
        if kind.startswith("observed"):
            uses["emulated, to the network trained on observed"] = emulated
        for use, given in uses.items():
            scores = scored(ds, forecaster, given)
            rows.append(row(use, scores, options.lead))
            numbers.append(scores.nse.to_dataframe()["nse"].reset_index().assign(weather=use))
            print(rows[-1], f"{time.time() - began:.0f} s", flush=True)
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
