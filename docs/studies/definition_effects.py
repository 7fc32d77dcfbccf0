"""What each reading of the definition does on real towers: the tables of the page "Definitions and ambiguities".

    python docs/studies/definition_effects.py [--out docs/_include]

Towers are US-AR1, which travels with the library, and the FLUXNET2015 files of $XDROUGHT_DATA_DIR, screened by the
paper's rules. Writes definition_effects.md (options of tang2025) and definitions_compared.md (published definitions).
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import DEFINITIONS, drought_classes, flash_drought_events, soil_moisture_percentile
from xdrought.data import open_dataset, screen_sites

SHARES = {1: "normal onset", 2: "normal condition", 3: "flash onset", 4: "flash condition", 0: "none"}
PAPER = {"normal onset": 6.46, "normal condition": 5.24, "flash onset": 1.85, "flash condition": 12.66, "none": 73.80}
TRAINING = "first 70 %"


class Reading(NamedTuple):
    """One answer to one question: how it is asked for in words and in keywords."""

    question: str
    answer: str
    keywords: dict[str, Any]


DEFAULT = Reading("default", "`tang2025` as it is", {})
READINGS = [
    Reading("1 pool", '`pool="dayofyear", window=15`', {"pool": "dayofyear", "window": 15}),
    Reading("1 pool", "`reference=`(first 70 % of each record)", {"reference": TRAINING}),
    Reading("2 formula", '`percentile_method="hazen"`', {"percentile_method": "hazen"}),
    Reading("2 formula", '`percentile_method="weibull"`', {"percentile_method": "weibull"}),
    Reading("2 formula", '`percentile_method="ecdf"`', {"percentile_method": "ecdf"}),
    Reading(
        "4 strictness",
        "`wet_at_upper=True, dry_at_lower=True, recovers_at_lower=True`",
        {"wet_at_upper": True, "dry_at_lower": True, "recovers_at_lower": True},
    ),
    Reading("6 wet days", "`min_wet_run=2`", {"min_wet_run": 2}),
    Reading("6 wet days", "`min_wet_run=3`", {"min_wet_run": 3}),
    Reading("7 hovering", "`max_onset=20`", {"max_onset": 20}),
    Reading("9 end", '`end_at="rise"`', {"end_at": "rise"}),
    Reading("10 short rises", "`recovery=1` (no five-day rule)", {"recovery": 1}),
    Reading("10 short rises", "`recovery=10`", {"recovery": 10}),
    Reading("11 relapse", '`relapse="drop"`', {"relapse": "drop"}),
    Reading("11 relapse", '`relapse="merge"`', {"relapse": "merge"}),
    Reading("12 duration", "`min_duration=14`", {"min_duration": 14}),
    Reading("12 duration", "`min_duration=20`", {"min_duration": 20}),
    Reading("13 rate", "`min_rate=0.5`", {"min_rate": 0.5}),
    Reading("13 rate", "`min_rate=2`", {"min_rate": 2.0}),
    Reading("15 ends", '`censored="drop"`', {"censored": "drop"}),
    Reading("16 gaps", "`max_gap=0` (any missing day cuts)", {"max_gap": 0}),
    Reading("19 pentads", '`step="pentad"`', {"step": "pentad"}),
    Reading("20 frost", '`frozen="mask"`', {"frozen": "mask"}),
]


def read_towers() -> xr.Dataset:
    """Soil moisture and temperature of the towers that pass the paper's screening."""
    towers = open_dataset("us-ar1")
    if os.environ.get("XDROUGHT_DATA_DIR"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # files without soil moisture are dropped by the screening
            others = open_dataset("fluxnet")
        towers = xr.concat([towers, others], dim="site", join="outer", combine_attrs="drop_conflicts")
    kept, _ = screen_sites(towers[["soil_moisture", "soil_moisture_qc", "soil_temperature"]])
    return kept


def count(towers: xr.Dataset, **keywords: Any) -> pd.Series:
    """Events, flash events and shares of the classes (% of all sites' valid days) under one reading."""
    totals = pd.Series(0.0, index=["events", "flash", *SHARES.values()])
    for site in towers.site.values:
        one = towers.sel(site=site).dropna("time", subset=["soil_moisture"])
        days = pd.date_range(one.time.values[0], one.time.values[-1])  # trimmed at both ends, gaps stay gaps
        one = towers.sel(site=site, time=days)
        choice = {"soil_temperature": one.soil_temperature, **keywords}
        if choice.get("reference") == TRAINING:
            choice["reference"] = (days[0], days[int(0.7 * days.size) - 1])
        events = flash_drought_events(one.soil_moisture, **choice)
        totals["events"] += events.sizes["event"]
        totals["flash"] += int(events.is_flash.sum())
        choice.pop("censored", None)
        classes = drought_classes(one.soil_moisture, **choice).values
        for value, name in SHARES.items():
            totals[name] += np.count_nonzero(classes == value)
    shares = list(SHARES.values())
    totals[shares] *= 100 / totals[shares].sum()
    return totals


def row(cells: list[str], numbers: pd.Series) -> str:
    shares = [f"{numbers[name]:.2f}" for name in SHARES.values()]
    return f"| {' | '.join([*cells, f'{numbers.events:.0f}', f'{numbers.flash:.0f}', *shares])} |"


def header(*columns: str) -> list[str]:
    names = [*columns, "events", "flash", *(f"{name} %" for name in SHARES.values())]
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(columns)}{'--:|' * (len(names) - len(columns))}"]


def effects_table(towers: xr.Dataset) -> str:
    lines = header("question", "reading")
    for reading in [DEFAULT, *READINGS]:
        lines.append(row([reading.question, reading.answer], count(towers, **reading.keywords)))
    lines.append(
        f"| the paper's Table 1 | its own sites, test days | | | {' | '.join(f'{v:.2f}' for v in PAPER.values())} |"
    )
    return "\n".join(lines)


def definitions_table(towers: xr.Dataset) -> str:
    lines = header("definition")
    for name in DEFINITIONS:
        lines.append(row([f"`{name}`"], count(towers, definition=name)))
    return "\n".join(lines)


def dry_outside(towers: xr.Dataset) -> float:
    """Days below the 20th percentile that belong to no event, % of all sites' valid days."""
    dry = soil_moisture_percentile(towers.soil_moisture) < 20
    outside = dry & (drought_classes(towers.soil_moisture) == 0)
    return 100 * float(outside.sum() / towers.soil_moisture.notnull().sum())


def said_of(towers: xr.Dataset) -> str:
    sites = ", ".join(map(str, towers.site.values))
    years = float(towers.soil_moisture.notnull().sum()) / 365.25
    dry = f"By the default, {dry_outside(towers):.1f} % of valid days are below the 20th percentile and in no event."
    return f"\n\n{towers.sizes['site']} towers, {years:.0f} site-years: {sites}. {dry}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    folder = parser.parse_args().out
    if not os.environ.get("XDROUGHT_DATA_DIR"):
        sys.exit("definition_effects: XDROUGHT_DATA_DIR is not set; the tables are of the FLUXNET2015 towers in it")
    towers = read_towers()
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("definition_effects", effects_table), ("definitions_compared", definitions_table)):
        text = table(towers) + said_of(towers)
        (folder / f"{name}.md").write_text(text)
        print(text)


if __name__ == "__main__":
    main()
