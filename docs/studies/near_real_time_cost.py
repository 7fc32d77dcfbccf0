"""One more day for 100,000 cells by a monitor, beside the whole record again: process time and equality of the tables.

    python docs/studies/near_real_time_cost.py [cells] [years]
    python docs/studies/near_real_time_cost.py memory [cells]

Soil is rain and recession, simulated; the reference is all years but the last. With "memory" the record of three years
is lazy, in blocks of 5000 cells (random walks), and the largest memory of the process is told.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pandas as pd
import xarray as xr

import xdrought
from xdrought.events import load_monitor, start_monitor


def simulate(n_cells: int, years: int) -> xr.DataArray:
    rng = np.random.default_rng(0)
    index = pd.date_range("2011-01-01", f"{2010 + years}-12-31")
    soil = np.empty((n_cells, len(index)), "f4")
    for first in range(0, n_cells, 5000):
        water = np.zeros(min(5000, n_cells - first))
        for day in range(len(index)):
            water = water * 0.985 + rng.exponential(1, water.size) * (rng.random(water.size) < 0.08)
            soil[first : first + 5000, day] = water
    return xr.DataArray(soil, {"time": index}, ("cell_of_grid", "time"), "soil_moisture", {"units": "mm"})


def walks(n_cells: int) -> xr.DataArray:
    """Random walks of three years in blocks of 5000 cells, lazy."""
    index = pd.date_range("2011-01-01", "2013-12-31")

    def block(block_info: Any = None) -> np.ndarray:
        own = block_info[None]
        rng = np.random.default_rng(own["chunk-location"][0])
        return np.cumsum(rng.standard_normal(own["chunk-shape"], dtype="f4"), axis=1)

    chunks = ((5000,) * (n_cells // 5000), (len(index),))
    soil = dask.array.map_blocks(block, chunks=chunks, dtype="f4")
    return xr.DataArray(soil, {"time": index}, ("cell_of_grid", "time"), "soil_moisture", {"units": "mm"})


def measure_start(n_cells: int) -> None:
    """The largest memory of a start and of its save, beside that before them."""
    import resource  # not on Windows

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

    soil, options = walks(n_cells), {"reference": ("2011", "2012")}
    start_monitor(soil[:5], **options)  # compile
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        start_monitor(soil, **options).save(folder)
    print(f"{n_cells} cells: {before:.2f} GB before, {peak():.2f} GB at most")


def clock(what: str, run: Callable[[], Any]) -> Any:
    begin = time.process_time()
    result = run()
    print(f"  {what}: {time.process_time() - begin:.2f} s")
    return result


def compare(soil: xr.DataArray, **options: Any) -> None:
    print(options or "one pool for all days")
    options["reference"] = (None, str(soil.indexes["time"].year[-1] - 1))
    few = soil[:4]
    start_monitor(few[:, :-1], **options).update(few[:, -1:]).today()  # compile
    batch = clock("the whole record", lambda: xdrought.flash_drought_events(soil, **options))
    monitor = clock("start on all days but one", lambda: start_monitor(soil[:, :-1], **options))
    with tempfile.TemporaryDirectory() as folder:
        clock("save, with the reference", lambda: monitor.save(folder))
        monitor = clock("load", lambda: load_monitor(folder))
        monitor = clock("update by one day", lambda: monitor.update(soil[:, -1:]))
        clock("save", lambda: monitor.save(folder))
        sizes = {path.name.split("-")[0]: round(path.stat().st_size / 1e6) for path in Path(folder).iterdir()}
    events = clock("table", monitor.events)
    clock("map of today", monitor.today)
    same = events[list(batch.data_vars)].equals(batch)
    print(f"  files {sizes} MB, {events.sizes['event']} events, equal: {same}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        measure_start(int((sys.argv[2:3] or ["250000"])[0]))
        sys.exit()
    given = [int(text) for text in sys.argv[1:]]
    n_cells, years = given + [100_000, 3][len(given) :]
    record = simulate(n_cells, years)
    compare(record)
    compare(record, pool="dayofyear", window=7)
