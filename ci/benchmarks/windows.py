"""Windows per second: the resident cube against the stock xbatcher loader, equal element by element.

    python ci/benchmarks/windows.py [--rounds 5] [--out docs/benchmarks/windows.md]

20 sites x 1000 days x 12 drivers x 10 x 10 cells, float32, numpy behind; batches of 512 windows of 15 days. CPU time of
one thread; the ways take turns.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
import xbatcher
from torch.utils.data import DataLoader
from xbatcher.loaders.torch import MapDataset

from xdrought.models.training import consecutive
from xdrought.windows.labelled import patches

N_SITES, N_DAYS, N_DRIVERS, SIZE, WINDOW, BATCH = 20, 1000, 12, 10, 15, 512
SETTING = """{n_sites} sites x {n_days} days x {n_drivers} drivers x {size} x {size} cells, float32 numpy; windows of
{window} days in batches of {batch}. CPU time, one thread, medians of {rounds} (range), {machine}, torch {torch},
xbatcher {xbatcher}, xarray {xarray}, Python {python}; the machine is shared with other jobs, so only ratios mean
something. All ways give the same windows, compared element by element before the clock starts."""


def records() -> xr.Dataset:
    rng = np.random.default_rng(0)
    dims = ("site", "time", "patch_lat", "patch_lon")
    shape = (N_SITES, N_DAYS, SIZE, SIZE)
    coords = {"site": np.arange(N_SITES), "time": pd.date_range("2001-01-01", periods=N_DAYS)}
    return xr.Dataset({f"v{k}": (dims, rng.random(shape, dtype="float32")) for k in range(N_DRIVERS)}, coords)


def stock(data: xr.Dataset | xr.DataArray, positions: np.ndarray) -> torch.Tensor:
    """The windows at `positions` through BatchGenerator, MapDataset and DataLoader, as xbatcher's guide shows it."""
    sizes = {"time": WINDOW, "patch_lat": SIZE, "patch_lon": SIZE}
    if isinstance(data, xr.DataArray):
        sizes["variable"] = N_DRIVERS
    generator = xbatcher.BatchGenerator(data, sizes, input_overlap={"time": WINDOW - 1}, batch_dims={"site": 1})
    windows = MapDataset(generator, transform=to_tensor)
    return next(iter(DataLoader(windows, len(positions), sampler=positions.tolist())))


def to_tensor(window: xr.Dataset | xr.DataArray) -> torch.Tensor:
    """(time, variable, lat, lon) of one window."""
    array = window.to_dataarray() if isinstance(window, xr.Dataset) else window
    return torch.as_tensor(array.squeeze("site").transpose("time", "variable", "patch_lat", "patch_lon").to_numpy())


def gathering_ways() -> dict[str, Callable[[], torch.Tensor]]:
    """The ways to gather a batch, once they are seen to give the same windows."""
    ds = records()
    array = ds.to_dataarray().transpose("site", "time", "variable", "patch_lat", "patch_lon")
    array = array.copy(data=np.ascontiguousarray(array))
    cube = patches(ds, window=WINDOW, lead=1).to_torch()
    rng = np.random.default_rng(1)
    scattered = torch.from_numpy(rng.choice(len(cube), BATCH, replace=False))
    together = consecutive(cube.cell, cube.start, 16, torch.Generator().manual_seed(0))[:BATCH]
    buffer = torch.empty(BATCH, WINDOW, N_DRIVERS, SIZE, SIZE)
    ways = {
        "xbatcher, Dataset of 12 variables, DataLoader": lambda: stock(ds, scattered.numpy()),
        "xbatcher, one DataArray, DataLoader": lambda: stock(array, scattered.numpy()),
        "resident cube, scattered windows": lambda: cube.gather(scattered),
        "resident cube, scattered windows, memory reused": lambda: cube.gather(scattered, out=buffer),
        "resident cube, runs of 16, every day once": lambda: cube.days(together)[0],
    }
    expected = cube.gather(scattered)
    for way in list(ways)[:4]:
        torch.testing.assert_close(ways[way](), expected, rtol=0, atol=0)
    frames, position, _ = cube.days(together)
    torch.testing.assert_close(frames[position], cube.gather(together), rtol=0, atol=0)
    return ways


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/windows.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    ways = gathering_ways()
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, gather in ways.items():
            n = 1 if way.startswith("xbatcher") else 20
            begun = time.process_time()
            for _ in range(n):
                gather()
            spent[way].append((time.process_time() - begun) / n)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(spent, options))
    print(options.out.read_text())


def page(spent: dict[str, list[float]], options: argparse.Namespace) -> str:
    lines = [
        "# Speed: windows",
        "",
        f"`python ci/benchmarks/windows.py --rounds {options.rounds}`",
        "",
        SETTING.format(
            n_sites=N_SITES,
            n_days=N_DAYS,
            n_drivers=N_DRIVERS,
            size=SIZE,
            window=WINDOW,
            batch=BATCH,
            rounds=options.rounds,
            machine=platform.machine(),
            python=platform.python_version(),
            **{name: version(name) for name in ("torch", "xbatcher", "xarray")},
        ),
        "",
        "| way | windows per CPU second | times the Dataset loader | times the DataArray loader |",
        "|---|---|---|---|",
    ]
    median = {way: statistics.median(seconds) for way, seconds in spent.items()}
    of_dataset, of_array = list(median.values())[:2]
    for way, seconds in spent.items():
        rate = f"{BATCH / median[way]:,.0f} ({BATCH / max(seconds):,.0f} to {BATCH / min(seconds):,.0f})"
        lines.append(f"| {way} | {rate} | {of_dataset / median[way]:.1f} | {of_array / median[way]:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
