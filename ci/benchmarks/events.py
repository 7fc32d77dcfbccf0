"""How fast are events and classes, in how much memory, and beside xclim and a pandas loop? One run, one page.

    python ci/benchmarks/events.py [--out docs/benchmarks/events.md] [--cells 200] [--store-gb 3.75]

In memory: a cube of cells x cells x 3650 days, float32, simulated soil moisture, time last and without gaps. Process
CPU time, medians of several calls, one thread unless said. Peers run on a part of the cube and are scaled to the whole.
Out of core: a zarr store in a temporary folder, deleted afterwards, read by processes of their own, whose peak resident
memory the kernel reports. Linux only (/proc). Writes the page to --out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

os.environ.update(NUMBA_NUM_THREADS="1", OMP_NUM_THREADS="1")

import dask
import numpy as np
import pandas as pd
import xarray as xr

import xdrought as xd
from xdrought.kernels.events import Rules, detect_events

from events_store import BLOCK, YEARS_40, go_through, label, make_store, memory, reset_peak, simulate  # isort: skip

YEARS_10 = 3650
GLOBE = 1440 * 721  # cells of 0.25 degree
REPEATS = 3
PASSES = {
    "read": "only reading",
    "table": "events, one table in memory",
    "events": "events, a file for each band of 20 latitudes",
    "classes": "classes, written",
    "both": "events by band, then classes",
    "one pass": "`detect_droughts(path=...)`: events, classes and summary, written",
}


def cpu(move: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median process CPU time of a call, seconds."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        move()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def kernel(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Events and classes in one pass."""
    rows = values.reshape(-1, values.shape[-1])
    labels = np.empty(rows.shape, np.int8)
    return detect_events(rows, np.arange(rows.shape[1], dtype=float), Rules(), True, labels)[0], labels


def events_and_classes(da: xr.DataArray) -> tuple[xr.Dataset, xr.DataArray]:
    """Both labelled functions one after the other: two passes."""
    return xd.flash_drought_events(da), xd.drought_classes(da).compute()


def pandas_events(series: pd.Series) -> list[tuple[int, int]]:
    """Start and end of the events of one series, in the way of a careful pandas user."""
    p = 100 * (series.rank() - 1) / (series.count() - 1)
    dry, above = np.flatnonzero(p < 20), (p > 20)
    recovered = np.flatnonzero(above[::-1].rolling(5).sum()[::-1] == 5)  # first day of five above
    wet = np.flatnonzero(p > 40)
    found, end = [], -1
    for start in dry:
        if start <= end or not (wet < start).any():
            if start > end:
                following = recovered[recovered > start]
                end = following[0] - 1 if following.size else p.size - 1
            continue
        following = recovered[recovered > start]
        end = following[0] - 1 if following.size else p.size - 1
        if end - start + 1 >= 15:
            found.append((int(start), int(end)))
    return found


def masks(part: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Days below and above the 20th percentile of each series."""
    limit = part.quantile(0.2, "time")
    return (part < limit).drop_vars("quantile").compute(), (part > limit).drop_vars("quantile").compute()


def xclim_rle(part: xr.DataArray) -> Callable[[], object]:
    from xclim.indices import run_length

    dry, _ = masks(part)
    return lambda: run_length.rle(dry).compute()


def xclim_find_events(part: xr.DataArray) -> Callable[[], object]:
    from xclim.indices import run_length

    dry, above = masks(part)
    return lambda: run_length.find_events(dry, 1, above, 5).compute()


def pandas_loop(part: xr.DataArray) -> Callable[[], object]:
    """The loop over the series of `part`, once it is seen to find the package's events."""
    rows = [pd.Series(row) for row in part.values.reshape(-1, part.sizes["time"])]
    table = xd.flash_drought_events(part)
    begin = part.time.values[0]
    ours = [
        sorted(
            ((start - begin) // np.timedelta64(1, "D"), (end - begin) // np.timedelta64(1, "D"))
            for start, end in zip(one.start_time.values, one.end_time.values, strict=True)
        )
        for one in (table.isel(event=table.cell.values == k) for k in range(len(rows)))
    ]
    if [pandas_events(row) for row in rows] != ours:
        raise AssertionError("the pandas loop and the package find other events: they cannot be compared")
    return lambda: [pandas_events(row) for row in rows]


PEERS = {  # how each is made, and whether it runs on the whole cube
    "xclim `rle` of one mask": (xclim_rle, True),
    "xclim `find_events` of one mask": (xclim_find_events, False),
    "pandas loop": (pandas_loop, False),
}


def part_of(cube: np.ndarray, whole: bool) -> xr.DataArray:
    """The cube, or a hundredth of its cells for peers that would take minutes."""
    n = cube.shape[0]
    return label(cube if whole else np.ascontiguousarray(cube[: max(n // 20, 1), : max(n // 5, 1)]))


def measure_peers(cube: np.ndarray) -> dict[str, tuple[float, str]]:
    """CPU time on the whole cube of each peer, and the part it ran on."""
    results = {}
    for name, (make, whole) in PEERS.items():
        part = part_of(cube, whole)
        seconds = cpu(make(part), REPEATS) * cube.size / part.size
        results[name] = seconds, f"{part.size // cube.shape[-1]} cells, {REPEATS} calls"
    return results


def in_child(task: str, *arguments: object) -> dict:
    """Run one task of this file in a process of its own."""
    command = [sys.executable, __file__, "--task", task, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def task_memory(way: str, path: str) -> dict:
    """Extra peak memory of one way, as a multiple of the cube."""
    cube = np.load(path)
    warm = label(cube[:2, :2])
    da = label(cube)
    if way == "dask":
        warm, da = warm.chunk(lat=1), da.chunk(lat=BLOCK[0], lon=BLOCK[1])
    move = kernel if way == "kernel" else events_and_classes
    move(warm.values if way == "kernel" else warm)
    before = reset_peak()
    with dask.config.set(scheduler="threads", num_workers=2):
        move(cube if way == "kernel" else da)
    return {"extra": (memory("VmHWM") - before) / cube.nbytes}


def measure_speed(cube: np.ndarray) -> dict[str, tuple[float, float]]:
    """Seconds and GB/s of each way."""
    da, time_first = label(cube), label(cube).transpose("time", ...)
    time_first = time_first.copy(data=np.ascontiguousarray(time_first.data))
    chunked = da.chunk(lat=BLOCK[0], lon=BLOCK[1])
    for warm in (da[:2], da[:2].chunk(), time_first[:, :2]):  # compile
        events_and_classes(warm)
        xd.detect_droughts(warm)
    kernel(cube[:2]), xd.drought_summary(da[:2])
    seconds = {
        "kernel, events and classes in one pass": cpu(lambda: kernel(cube)),
        "`detect_droughts`: events, classes and summary": cpu(lambda: xd.detect_droughts(da)),
        "the same, time first in memory": cpu(lambda: xd.detect_droughts(time_first)),
        "`flash_drought_events`": cpu(lambda: xd.flash_drought_events(da)),
        "`drought_classes`": cpu(lambda: xd.drought_classes(da)),
        "`drought_summary`": cpu(lambda: xd.drought_summary(da)),
        "`flash_drought_events`, then `drought_classes`": cpu(lambda: events_and_classes(da)),
        "the same two, time first in memory": cpu(lambda: events_and_classes(time_first)),
    }
    with dask.config.set(scheduler="threads", num_workers=2):
        seconds["`detect_droughts`, dask blocks of 20 x 40 cells, 2 threads"] = cpu(lambda: xd.detect_droughts(chunked))
        seconds["the same two, dask blocks of 20 x 40 cells, 2 threads"] = cpu(lambda: events_and_classes(chunked))
    return {name: (s, cube.nbytes / s / 1e9) for name, s in seconds.items()}


def measure_cube(cells: int) -> tuple[dict, dict, dict]:
    """Seconds of each way, extra memory of each way, and the peers, on one cube."""
    cube = simulate((cells, cells), YEARS_10, seed=0)
    seconds, peers = measure_speed(cube), measure_peers(cube)
    with tempfile.TemporaryDirectory() as folder:
        np.save(path := Path(folder) / "cube.npy", cube)
        extra = {way: in_child("memory", way, path)["extra"] for way in ("kernel", "eager", "dask")}
    return seconds, extra, peers


def measure_store_side(gigabytes: float) -> tuple[dict, int, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.zarr"
        cells, size = make_store(path, gigabytes)
        on_disk = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        runs = {}
        for way in ("read", *PASSES):  # the second reading counts: all find the same cache
            runs[way] = in_child("store", way, path)
    return runs, cells, size, on_disk


def page(args: argparse.Namespace, loads: list[str]) -> str:
    seconds, extra, peers = measure_cube(args.cells)
    loads.append(f"{os.getloadavg()[0]:.1f}")
    runs, cells, size, on_disk = measure_store_side(args.store_gb)
    loads.append(f"{os.getloadavg()[0]:.1f}")
    best = next(iter(seconds.values()))[0]
    scale = GLOBE / cells
    lines = [
        PAGE_HEAD.format(
            cells=args.cells,
            gb=4 * args.cells**2 * YEARS_10 / 1e9,
            machine=describe_machine(),
            versions=describe_versions(),
            date=datetime.now(UTC).strftime("%d %B %Y"),
            loads=", ".join(loads),
            out=args.out,
        )
    ]
    lines += ["| what is timed | s of CPU | us per series | GB/s per core of CPU time |", "|---|---|---|---|"]
    lines += [f"| {k} | {s:.2f} | {1e6 * s / args.cells**2:.1f} | {rate:.2f} |" for k, (s, rate) in seconds.items()]
    lines += ["", MEMORY_WORDS, "| way | extra peak memory, times the cube |", "|---|---|"]
    words = {"kernel": "kernel, one pass", "eager": "both labelled functions", "dask": "both, dask, 2 threads"}
    lines += [f"| {words[way]} | {value:.2f} |" for way, value in extra.items()]
    lines += ["", PEER_WORDS, "| peer | ran on | s of CPU, whole cube | times the kernel |", "|---|---|---|---|"]
    lines += [f"| {k} | {part} | {s:.1f} | {s / best:.0f} |" for k, (s, part) in peers.items()]
    lines += [
        "",
        STORE_WORDS.format(
            cells=cells,
            gb=size / 1e9,
            disk=on_disk / 1e9,
            events=runs["both"]["events"],
            scale=scale,
            globe=GLOBE * YEARS_40 * 4 / 1e9,
            wall=runs["both"]["wall"],
            minutes=runs["both"]["wall"] * scale / 60,
            core_minutes=runs["both"]["cpu"] * scale / 60,
            two=runs["both"]["cpu"] * scale / 120,
        ),
    ]
    head = "| pass over the store | wall s | CPU s | times reading, wall | times reading, CPU | peak memory GB | "
    lines += [head + "0.25 degree: wall min | CPU min |", "|---|---|---|---|---|---|---|---|"]
    for way, text in PASSES.items():
        run, base = runs[way], runs["read"]
        lines.append(
            f"| {text} | {run['wall']:.1f} | {run['cpu']:.1f} | {run['wall'] / base['wall']:.2f} | "
            f"{run['cpu'] / base['cpu']:.2f} | {run['peak'] / 1e9:.2f} | {run['wall'] * scale / 60:.1f} | "
            f"{run['cpu'] * scale / 60:.1f} |"
        )
    return "\n".join(lines) + "\n" + CHECK_WORDS


def describe_machine() -> str:
    model = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{model[0] if model else platform.machine()}, {os.cpu_count()} cores, {pages / 2**30:.0f} GiB of memory"


def describe_versions() -> str:
    names = ("numpy", "numba", "xarray", "dask", "zarr", "pandas", "xclim")
    return f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names)


PAGE_HEAD = """<!-- Written by ci/benchmarks/events.py. -->
# Speed: drought events

Measured on {date} with `python ci/benchmarks/events.py` on {machine} ({versions}). The machine was shared with other
work: the load (runnable processes, one-minute mean) was {loads} at the start, in the middle and at the end, so that
everything compared is process CPU time, the median of several calls in one run.

## In memory

The cube holds {cells} x {cells} series of 3650 days, float32, {gb:.2f} GB, simulated soil moisture, time last, no gap.
`tang2025` with its defaults, percentiles of the whole record included. The labelled functions are two calls with a
pass each; the kernel does both in one.
"""
MEMORY_WORDS = """Extra memory is the peak of a process of its own less what it held before the call, results
included (classes are a quarter of the cube). A cube in memory is the dask input too.
"""
PEER_WORDS = """Peers that ran on a part of the cube are scaled to the whole; xclim gets its mask ready made, and has
neither percentiles nor onsets nor classes to find. The pandas loop ranks each series and finds the same events as the
package (checked). Calls after the first count: the first `find_events` of a process compiles for some tenths of a
second, which scaled from 400 cells to the cube would look like a minute.
"""
CHECK_WORDS = """
## Equality

```{include} ../_include/events_check.md
```
"""
STORE_WORDS = """## Out of core

A zarr store (zstd, blocks of 20 x 40 series) of {cells} series of 40 years (14610 days), {gb:.2f} GB, {disk:.2f} GB on
disk, made of one simulated band shifted in time; two dask threads, each pass a process of its own. Part of the file is
in the page cache, for reading alone as for the others.

The last two columns scale by 1440 x 721 / {cells} = {scale:.2f} to 0.25 degree x 40 years ({globe:.1f} GB):
{wall:.1f} s x {scale:.2f} = {minutes:.1f} minutes of wall time under the load of the run for events and written
classes, and {core_minutes:.1f} core minutes, which is {two:.1f} minutes on two cores that do nothing else. The store
holds {events} events. One table of all of them is held in memory; where that is too much, write them band by band.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="docs/benchmarks/events.md")
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--store-gb", type=float, default=3.75)
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        task, way, path = args.task
        print(json.dumps({"memory": task_memory, "store": go_through}[task](way, path)))
        return 0
    text = page(args, [f"{os.getloadavg()[0]:.1f}"])
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
