"""What the commands on real sites share: the data, the options, the table of paired differences, the files written."""

from __future__ import annotations

import argparse
import warnings
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import xarray as xr

from xdrought.data import open_dataset, screen_sites

NETWORKS = {
    "fluxnet": ["TA_F", "VPD_F", "PA_F", "P_F", "WS_F", "SW_IN_F", "LE_F_MDS", "soil_temperature"],
    "uscrn": ["T_DAILY_MAX", "T_DAILY_AVG", "P_DAILY_CALC", "SOLARAD_DAILY", "RH_DAILY_AVG", "soil_temperature"],
}


def read(network: str) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files without soil moisture
        ds = open_dataset(network)
    kept, report = screen_sites(ds, max_gap=10)
    print(f"{network}: {kept.sizes['site']} of {len(report)} sites kept", flush=True)
    return kept


def options_of(
    doc: str, name: str, *, epochs: int | None = 3, epochs_help: str | None = None
) -> argparse.ArgumentParser:
    """The options of `docs/studies/NAME.py`; forecasts are kept in a folder of its name."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=sorted(NETWORKS), default="fluxnet")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=epochs, help=epochs_help)
    parser.add_argument("--patience", type=int, help="end a training after so many epochs without a lower loss")
    parser.add_argument("--cache-dir", type=Path, default=Path(name))
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    return parser


def made_by(name: str, network: str, runs: int, epochs: int, more: str = "") -> str:
    """Versions and the command, to stand beside a table."""
    command = f"python docs/studies/{name}.py --network {network} --runs {runs} --epochs {epochs}{more}"
    return f"xdrought {version('xdrought')}, torch {version('torch')}; command: `{command}`"


def differences_as_markdown(table: pd.DataFrame, baseline: str, first_column: str) -> list[str]:
    """A table of `xdrought.study.paired_differences`."""
    lines = [
        f"| {first_column} | median NSE | difference to {baseline} (95 % interval) | sites ahead | p, adjusted |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, row in table.iterrows():
        lines.append(
            f"| {str(name).replace('_', ' ')} | {row['median']:.3f} | {row.difference:+.3f} ({row.lower:+.3f} to "
            f"{row.upper:+.3f}) | {int(row.better_sites)} of {int(row.sites)} | {row.p_value_adjusted:.3f} |"
        )
    return lines


def write(stem: Path, scores: xr.Dataset, lines: list[str]) -> None:
    """The text as STEM.md, and the NSE of every seed and site as STEM.csv."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    nse = scores.nse.to_dataframe()["nse"].unstack("site")
    nse.to_csv(stem.with_suffix(".csv"), float_format="%.4f")
    text = "\n".join(lines)
    stem.with_suffix(".md").write_text(text)
    print(text)
