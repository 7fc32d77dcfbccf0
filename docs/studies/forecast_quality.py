"""Dose and response: how good a forecast of soil moisture is when so many days of its weather forecast are right.

    XDROUGHT_DATA_DIR=<folder> python docs/studies/forecast_quality.py [--network uscrn] [--sites N] [--epochs N]
        [--lead 7] [--shares 0 0.25 0.5 0.75 1] [--out docs/_include]

For each share a network ("Rec", as in lead_weather.py) is trained on emulated forecasts whose lead days are the truth
with that probability, and scored on others of the same quality, at the longest lead. Damped persistence is the line to
beat.
Writes OUT/forecast_quality_NETWORK.md and .png.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from forecast_real import DRIVERS, NETWORKS
from lead_weather import fitted, interval, scored, with_season

import xdrought


def response(ds: Any, options: argparse.Namespace) -> list[dict[str, Any]]:
    """NSE at the longest lead of every station, by the share of right days, beside that of damped persistence."""
    found = []
    for share in options.shares:
        taught, given = (xdrought.degrade_forcing(ds, DRIVERS, lead=options.lead, skill=share, seed=k) for k in (1, 2))
        nse = scored(ds, fitted(ds, taught, options), given).nse.isel(lead_time=-1)
        forecast, damped = (nse.sel(model=model).to_numpy() for model in ("forecast", "damped_persistence"))
        found.append({"share": share, "forecast": forecast, "damped": damped})
        print(f"share {share:g}: median NSE {np.median(forecast):.3f}, damped {np.median(damped):.3f}", flush=True)
    return found


def table(found: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| share of right days | median NSE | minus damped persistence | stations ahead |",
        "|---:|---:|---:|---:|",
    ]
    for one in found:
        gain = one["forecast"] - one["damped"]
        low, high = interval(gain)
        gained = f"{np.median(gain):+.3f} [{low:+.3f}, {high:+.3f}]"
        ahead = f"{int((gain > 0).sum())} of {gain.size}"
        lines.append(f"| {one['share']:.0%} | {np.median(one['forecast']):.3f} | {gained} | {ahead} |")
    return lines


def drawn(found: list[dict[str, Any]], lead: int) -> plt.Figure:
    """The median NSE against the share of right days, every station thin, damped persistence as a line."""
    figure, ax = plt.subplots(figsize=(4.2, 3), layout="constrained")
    shares = [100 * one["share"] for one in found]
    stations = np.stack([one["forecast"] for one in found])
    ax.plot(shares, stations, color="0.8", lw=0.7)
    ax.plot(shares, np.median(stations, axis=1), "o-", color="#0072B2", label="forecast, median station")
    damped = np.median(found[0]["damped"])
    ax.axhline(damped, color="#D55E00", ls="--", label="damped persistence, median station")
    ax.set_xlabel("lead days whose weather is right (%)", fontsize=8)
    ax.set_ylabel(f"NSE, {lead} days ahead", fontsize=8)
    ax.set_ylim(bottom=max(-0.5, np.nanquantile(stations, 0.05) - 0.1), top=1)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=7, frameon=False, loc="lower right")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=sorted(NETWORKS), default="uscrn")
    parser.add_argument("--sites", type=int, default=8, help="stations, spread over all")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lead", type=int, default=7)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.25, 0.5, 0.75, 1.0])
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    ds = with_season(options.network, options.sites)
    n_sites = ds.sizes["site"]
    found = response(ds, options)
    command = f"--network {options.network} --sites {n_sites} --epochs {options.epochs} --lead {options.lead}"
    command += f" --runs {options.runs}"
    lines = [
        f"{NETWORKS[options.network].title}, {n_sites} stations, {options.lead} days ahead, test part, one network for "
        f"all (`python docs/studies/forecast_quality.py {command}`):",
        "",
        *table(found),
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"forecast_quality_{options.network}"
    path.with_suffix(".md").write_text("\n".join(lines) + "\n")
    drawn(found, options.lead).savefig(path.with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main()
