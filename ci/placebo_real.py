"""Is the causality input causality? The same network with its matrix, with placebos of it and without, on real sites.

    python ci/placebo_real.py [--network fluxnet|uscrn] [--runs 5] [--epochs 10] [--keep FOLDER] [--out docs/_include]

Needs XDROUGHT_DATA_DIR. One cell per site (tower data have no maps), CauRec of small width. Writes the tables
OUT/placebo_NETWORK.md with the command, and OUT/placebo_NETWORK.csv with every seed and site. Forecasts are kept in
FOLDER, so that a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import warnings
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
import xarray as xr

from xdrought.data import open_dataset, screen_sites
from xdrought.study import gain_shares, paired_differences, placebo

NETWORKS = {
    "fluxnet": ["TA_F", "VPD_F", "PA_F", "P_F", "WS_F", "SW_IN_F", "LE_F_MDS", "soil_temperature"],
    "uscrn": ["T_DAILY_MAX", "T_DAILY_AVG", "P_DAILY_CALC", "SOLARAD_DAILY", "RH_DAILY_AVG", "soil_temperature"],
}
WIDTHS = (16, 32)
EPOCHS = {"fluxnet": 10, "uscrn": 2}


def read(network: str) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files without soil moisture
        ds = open_dataset(network)
    kept, report = screen_sites(ds, max_gap=10)
    print(f"{network}: {kept.sizes['site']} of {len(report)} sites kept", flush=True)
    return kept


def as_markdown(table: pd.DataFrame, against: str) -> list[str]:
    lines = [
        f"| causality input | median NSE | difference to {against} (95 % interval) | sites ahead | p, adjusted |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, row in table.iterrows():
        lines.append(
            f"| {str(name).replace('_', ' ')} | {row['median']:.3f} | {row.difference:+.3f} ({row.lower:+.3f} to "
            f"{row.upper:+.3f}) | {int(row.better_sites)} of {int(row.sites)} | {row.adjusted_p_value:.3f} |"
        )
    return lines


def shares_as_markdown(table: pd.DataFrame) -> list[str]:
    lines = [
        "| causality input | gain in NSE over zeros (95 % interval) | share of causality's gain | |",
        "|---|---:|---:|---|",
    ]
    for name, row in table.iterrows():
        share = f"{row.share:.0%} ({row.share_lower:.0%} to {row.share_upper:.0%})" if row.share == row.share else "-"
        gain = f"{row.gain:+.3f} ({row.lower:+.3f} to {row.upper:+.3f})"
        lines.append(f"| {name} | {gain} | {'100%' if name == 'causality' else share} | {row.verdict} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=sorted(NETWORKS), default="fluxnet")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="10 for fluxnet, 2 for uscrn, which has five times the windows")
    parser.add_argument("--keep", type=Path, default=Path("placebo_real"))
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    epochs = options.epochs or EPOCHS[options.network]
    ds = read(options.network)
    scores = placebo(
        ds,
        "soil_moisture",
        NETWORKS[options.network],
        variant="CauRec",
        size=1,
        runs=options.runs,
        epochs=epochs,
        widths=WIDTHS,
        batch_size=256,
        learning_rate=1e-3,
        device="cpu",
        keep=options.keep / options.network,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    stem = options.out / f"placebo_{options.network}"
    scores.nse.to_dataframe()["nse"].unstack("site").to_csv(stem.with_suffix(".csv"), float_format="%.4f")
    command = f"python ci/placebo_real.py --network {options.network} --runs {options.runs} --epochs {epochs}"
    lines = [
        f"CauRec of widths {WIDTHS}, one cell, {options.runs} seeds, {epochs} epochs, test part of "
        f"{scores.sizes['site']} {options.network.upper()} sites, {int(scores.n_days.sum()):,} station-days. "
        f"xdrought {version('xdrought')}, torch {version('torch')}; command: `{command}`",
        "",
        *shares_as_markdown(gain_shares(scores)),
        "",
    ]
    for baseline in ("zeros", "causality"):
        lines += [*as_markdown(paired_differences(scores, baseline), baseline), ""]
    text = "\n".join(lines)
    stem.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
