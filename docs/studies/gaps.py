"""What missing days do to droughts: days taken out at random, and counted what is left of the events.

    XDROUGHT_DATA_DIR=<folder> python docs/studies/gaps.py [--out docs/_include] [--draws 5]

Records are the FLUXNET2015 towers and USCRN stations that pass the paper's screening, with the gaps they have. Of their
valid days 0.5, 1, 2 and 5 % are taken out, each day by itself; events, flash droughts and classes by `tang2025` are
compared with those of the record before. Writes gaps.md.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from xdrought import drought_classes, flash_drought_events
from xdrought.data import open_dataset, screen_sites

NETWORKS = {"fluxnet": "FLUXNET2015", "uscrn": "USCRN"}
SHARES = (0.5, 1.0, 2.0, 5.0)  # % of valid days
MAX_GAPS = (0, 3, 10)


class Found(NamedTuple):
    """Events of one record under one reading."""

    events: xr.Dataset
    classes: xr.DataArray
    filled: xr.DataArray  # classes with those of the bridges


def read(network: str) -> xr.DataArray:
    """Soil moisture of the screened sites, gaps as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files without soil moisture
        kept, _ = screen_sites(open_dataset(network))
    return kept.soil_moisture.transpose("site", "time")


def find(record: xr.DataArray, max_gap: float) -> Found:
    classes = [drought_classes(record, max_gap=max_gap, fill_gaps=fill) for fill in (False, True)]
    return Found(flash_drought_events(record, max_gap=max_gap), *classes)


def thinned(record: xr.DataArray, share: float, seed: int) -> xr.DataArray:
    """The record without `share` % of its valid days."""
    return record.where(np.random.default_rng(seed).random(record.shape) >= share / 100)


def found_again(before: xr.Dataset, after: xr.Dataset) -> float:
    """Share (%) of the flash droughts of `before` that share a day with a flash drought of `after` at their site."""
    before, after = (events.isel(event=events.is_flash.values) for events in (before, after))
    hits = 0
    for k in range(before.sizes["event"]):
        same = after.isel(event=after.cell.values == before.cell.values[k])
        hits += bool(
            (
                (same.start_time.values <= before.end_time.values[k])
                & (same.end_time.values >= before.start_time.values[k])
            ).any()
        )
    return 100 * hits / before.sizes["event"]


def inside(record: xr.DataArray) -> np.ndarray:
    """Days from the first valid one of each site to its last, bool (site, time)."""
    valid = np.isfinite(record.values)
    return np.logical_or.accumulate(valid, axis=1) & np.logical_or.accumulate(valid[:, ::-1], axis=1)[:, ::-1]


def same_class(before: xr.DataArray, after: xr.DataArray) -> float:
    """Share (%) of the days with a class before and after whose class is the same."""
    known = (before.values >= 0) & (after.values >= 0)
    return 100 * (before.values == after.values)[known].mean()


def recovered(before: xr.DataArray, after: xr.DataArray) -> float:
    """Share (%) of all days with a class before that have the same after, be it by a bridge."""
    known = before.values >= 0
    return 100 * (before.values == after.values)[known].mean()


def missing(record: xr.DataArray, found: Found) -> float:
    """Share (%) of the days of the record that are called missing."""
    return 100 * (found.classes.values < 0)[inside(record)].mean()


def table_of(record: xr.DataArray, draws: int) -> list[str]:
    """A line for each share and reading; means over the draws."""
    lines = [
        "| days taken out | `max_gap` | events | flash | flash found again | same class | same class, bridged days too "
        "| class missing |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    whole = {max_gap: find(record, max_gap) for max_gap in MAX_GAPS}
    for max_gap, found in whole.items():
        counts = f"{found.events.sizes['event']} | {int(found.events.is_flash.sum())}"
        lines.append(f"| none | {max_gap} | {counts} | | | | {missing(record, found):.1f} % |")
    for share in SHARES:
        for max_gap in MAX_GAPS:
            rows = []
            for seed in range(draws):
                found = find(thinned(record, share, seed), max_gap)
                complete = whole[max(MAX_GAPS)]
                again = found_again(complete.events, found.events)
                same = same_class(complete.classes, found.classes)
                counts = found.events.sizes["event"], int(found.events.is_flash.sum())
                every = recovered(complete.classes, found.filled)
                rows.append((*counts, again, same, every, missing(record, found)))
            events, flash, again, same, every, unknown = np.mean(rows, axis=0)
            lines.append(
                f"| {share:g} % | {max_gap} | {events:.0f} | {flash:.0f} | {again:.0f} % | {same:.1f} % | "
                f"{every:.1f} % | {unknown:.1f} % |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    text = ""
    for network, name in NETWORKS.items():
        record = read(network)
        valid = np.isfinite(record.values)
        gaps = 100 - 100 * valid.sum() / inside(record).sum()
        text += f"{name}: {record.sizes['site']} sites, {valid.sum() / 365.25:.0f} site-years, "
        text += f"{gaps:.1f} % of the days between the first and the last are missing.\n\n"
        text += "\n".join(table_of(record, options.draws)) + "\n\n"
    (options.out / "gaps.md").write_text(text.rstrip("\n") + "\n")
    print(text)


if __name__ == "__main__":
    main()
