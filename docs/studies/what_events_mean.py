"""What was unusual around the flash droughts of each definition? Composites with placebo dates and intervals.

    python docs/studies/what_events_mean.py [--placebos 999] [--boot 999] [--out docs/_include]

Towers are the FLUXNET2015 files of $XDROUGHT_DATA_DIR, screened by the paper's rules. Rain, temperature, vapour
pressure deficit, radiation, latent heat and gross primary production are taken as departures from the annual cycle of
each tower, in its standard deviations, and averaged over the 30 days before an onset, over the onset, and over the 30
days after the drought's start. A placebo is the same event in another year of its tower, drawn at random. Intervals
draw towers anew. Writes what_events_mean.md.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

from xdrought import DEFINITIONS, flash_drought_events
from xdrought.data import open_fluxnet, screen_sites
from xdrought.kernels.surrogates import remove_annual_cycle

VARIABLES = {
    "P_F": "rain",
    "TA_F": "temperature",
    "VPD_F": "VPD",
    "SW_IN_F": "radiation",
    "LE_F_MDS": "latent heat",
    "GPP_NT_VUT_REF": "GPP",
}
WINDOWS = ("30 days before", "onset", "30 days after")
SPAN = 30  # days before an onset and after a start
YEAR = 365.2425
FEWEST = 0.5  # share of a window's days that must be known


def anomalies(ds: xr.Dataset) -> np.ndarray:
    """Departures from the annual cycle in standard deviations, (variable, site, time); NaN where a tower has none."""
    days = ds["time"].dt.dayofyear.values / YEAR + ds["time"].dt.year.values
    found = []
    for name in VARIABLES:
        values = ds[name].transpose("site", "time").values.astype(float)
        parts = remove_annual_cycle(values, days)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # towers without this variable
            found.append(parts / np.nanstd(parts, axis=-1, keepdims=True))
    return np.stack(found)


def bounds_of(onset: np.ndarray, start: np.ndarray) -> np.ndarray:
    """First day and the day after the last of each window, (event, window, 2)."""
    ends = [(onset - SPAN, onset), (onset, np.maximum(start, onset + 1)), (start, start + SPAN)]
    return np.stack([np.stack(pair, axis=-1) for pair in ends], axis=1)


def window_means(sums: np.ndarray, known: np.ndarray, site: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Means (variable, event, window) of cumulative sums and counts (variable, site, time + 1)."""
    last = sums.shape[-1] - 1
    low, high = (np.clip(bounds[..., k], 0, last) for k in (0, 1))
    total = sums[:, site[:, None], high] - sums[:, site[:, None], low]
    number = known[:, site[:, None], high] - known[:, site[:, None], low]
    enough = number >= FEWEST * (bounds[..., 1] - bounds[..., 0])
    return np.where(enough, total / np.maximum(number, 1), np.nan)


def cumulated(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums and counts of known values before each day, (..., time + 1)."""
    there = np.isfinite(values)
    pad = [(0, 0)] * (values.ndim - 1) + [(1, 0)]
    return np.pad(np.where(there, values, 0.0), pad).cumsum(axis=-1), np.pad(there, pad).astype(float).cumsum(axis=-1)


def other_years(
    site: np.ndarray, bounds: np.ndarray, first: np.ndarray, last: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Shift of each event to another year of its tower's record, days; 0 where it has no other year."""
    earliest, latest = bounds[:, 0, 0], bounds[:, -1, 1]
    back = np.ceil((first[site] - earliest) / YEAR - 1e-9).astype(int).clip(max=0)
    ahead = np.floor((last[site] - latest) / YEAR + 1e-9).astype(int).clip(min=0)
    pick = np.floor(rng.random(site.size) * (ahead - back)).astype(int)  # among all but the year itself
    years = back + pick
    years = np.where(years >= 0, years + 1, years)
    return np.where(ahead - back > 0, np.round(years * YEAR).astype(int), 0)


def composite(values: np.ndarray, site: np.ndarray, n_site: int, boot: int, rng: np.random.Generator) -> np.ndarray:
    """Mean over events with its 95 % interval over towers, (3, variable, window)."""
    there = np.isfinite(values)
    total, number = (np.zeros((n_site, *values.shape[::2])) for _ in range(2))
    np.add.at(total, site, np.where(there, values, 0.0).transpose(1, 0, 2))
    np.add.at(number, site, there.transpose(1, 0, 2).astype(float))
    own = np.unique(site)
    drawn = rng.integers(0, own.size, (boot, own.size))
    with np.errstate(invalid="ignore"):
        samples = total[own][drawn].sum(axis=1) / number[own][drawn].sum(axis=1)
        mean = total.sum(axis=0) / number.sum(axis=0)
    return np.stack([mean, *np.nanquantile(samples, [0.025, 0.975], axis=0)])


def of_definition(ds: xr.Dataset, fields: np.ndarray, name: str, placebos: int, boot: int, seed: int = 0) -> tuple:
    """Numbers of droughts and towers, composite (3, variable, window), range of placebos (2, variable, window)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few values in a pool
        events = flash_drought_events(ds["soil_moisture"], definition=name)
    events = events.isel(event=np.flatnonzero(events["is_flash"].values))
    index = ds.indexes["time"]
    onset, start = (index.get_indexer(events[one].values) for one in ("onset_time", "start_time"))
    site = ds.indexes["site"].get_indexer(events["site"].values)
    sums, known = cumulated(fields)
    bounds = bounds_of(onset, start)
    rng = np.random.default_rng(seed)
    found = composite(window_means(sums, known, site, bounds), site, ds.sizes["site"], boot, rng)
    reported = np.isfinite(ds["soil_moisture"].transpose("site", "time").values)
    first, last = reported.argmax(axis=1), reported.shape[1] - reported[:, ::-1].argmax(axis=1)
    means = []
    for _ in range(placebos):
        shift = other_years(site, bounds, first, last, rng)
        moved = window_means(sums, known, site, bounds + shift[:, None, None])
        moved[:, shift == 0] = np.nan
        means.append(np.nanmean(moved, axis=1))
    return site.size, np.unique(site).size, found, np.nanquantile(means, [0.025, 0.975], axis=0)


def lines(name: str, events: int, towers: int, found: np.ndarray, placebo: np.ndarray) -> list[str]:
    """Rows of the table: bold where the composite lies outside what placebo dates give in 95 of 100 draws."""
    rows = []
    for w, window in enumerate(WINDOWS):
        cells = []
        for v in range(len(VARIABLES)):
            mean, low, high = found[:, v, w]
            outside = not placebo[0, v, w] <= mean <= placebo[1, v, w]
            text = f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"
            cells.append(f"**{text}**" if outside else text)
        head = f"`{name}`, {events} at {towers}" if w == 0 else ""
        rows.append(f"| {head} | {window} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    """Write the table of all definitions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--placebos", type=int, default=999)
    parser.add_argument("--boot", type=int, default=999)
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files without soil moisture
        ds = open_fluxnet(Path(os.environ["XDROUGHT_DATA_DIR"]) / "fluxnet2015", variables=["GPP_NT_VUT_REF"])
    kept, _ = screen_sites(ds, max_gap=10)
    fields = anomalies(kept)
    text = [
        f"| flash droughts, towers | window | {' | '.join(VARIABLES.values())} |",
        "|---" * (2 + len(VARIABLES)) + "|",
    ]
    for name in DEFINITIONS:
        text += lines(name, *of_definition(kept, fields, name, options.placebos, options.boot))
    body = "\n".join([*text, ""])
    (options.out / "what_events_mean.md").write_text(body)
    print(body)


if __name__ == "__main__":
    main()
