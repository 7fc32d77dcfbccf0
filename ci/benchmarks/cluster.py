"""Every gridded call from a zarr store on two workers of 2 GB, one of which is killed on the way. One page.

    python ci/benchmarks/cluster.py [--out docs/benchmarks/cluster.md] [--work FOLDER] [--small] [--only events ccm]

The store (104,000 cells x 10 years, simulated) and what was measured are kept in --work: a run that was stopped goes
on where it was. --small tries everything on 128 cells and prints its page.
Linux only (/proc).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

os.environ.update(NUMBA_NUM_THREADS="1", OMP_NUM_THREADS="1")

import dask
import dask.array
import numpy as np
import pandas as pd
import xarray as xr
import zarr
from distributed import Client, LocalCluster

import xdrought as xd

GLOBE = 1440 * 721 * 14610  # cells x days of 0.25 degree and 40 years
MEMORY_LIMIT = 2e9  # bytes a worker
FIRST_DAY = "2011-01-01"
DRIVERS = ["tp", "t2m"]
PREDICTED = 30  # days
PATCH, WINDOW, LEAD = 4, 15, 7
DRAWS = 5


@dataclass(frozen=True)
class Sizes:
    """Of the store."""

    n_lat: int = 260
    n_lon: int = 400
    n_days: int = 3650
    block: tuple[int, int] = (20, 40)

    @property
    def cells(self) -> int:
        return self.n_lat * self.n_lon

    @property
    def bytes(self) -> int:
        """Of one variable."""
        return 4 * self.cells * self.n_days


SMALL = Sizes(8, 16, 800, (4, 4))


# --- the store ------------------------------------------------------------------------------------------------


def simulate(shape: tuple[int, int], n_days: int, seed: int) -> dict[str, np.ndarray]:
    """Random rain, a temperature with memory and seasons, and a bucket that they fill and empty; time last."""
    rng = np.random.default_rng(seed)
    season = np.cos(2 * np.pi * np.arange(n_days) / 365.25).astype("float32")
    out = {name: np.empty((*shape, n_days), "float32") for name in ("tp", "t2m", "soil_moisture")}
    anomaly, soil = np.zeros(shape, "float32"), np.full(shape, 0.3, "float32")
    for day in range(n_days):
        rain = (rng.random(shape, "float32") < 0.22) * rng.standard_exponential(shape, "float32") * 8
        anomaly = 0.9 * anomaly + rng.standard_normal(shape, "float32")
        loss = 0.02 + 0.01 * (1 - season[day]) + 0.002 * anomaly
        soil = np.clip(soil - loss * (soil - 0.05) + 0.004 * rain, 0.05, 0.45).astype("float32")
        out["tp"][..., day], out["t2m"][..., day] = rain, 285 - 10 * season[day] + anomaly
        out["soil_moisture"][..., day] = soil + 0.001 * rng.standard_normal(shape, "float32")
    return out


def make_store(path: Path, sizes: Sizes) -> None:
    """Band by band (one simulated band, shifted in time); a finished store is kept."""
    done = path.with_suffix(".done")
    if done.exists():
        return
    rows = sizes.block[0]
    band = simulate((rows, sizes.n_lon), sizes.n_days, seed=1)
    zeros = dask.array.zeros((sizes.n_lat, sizes.n_lon, sizes.n_days), dtype="float32", chunks=(*sizes.block, -1))
    units = {"tp": "mm", "t2m": "K", "soil_moisture": "m3 m-3"}
    coords = {
        "time": pd.date_range(FIRST_DAY, periods=sizes.n_days),
        "lat": 65 - 0.25 * np.arange(sizes.n_lat),
        "lon": 0.25 * np.arange(sizes.n_lon),
    }
    empty = xr.Dataset({n: (("lat", "lon", "time"), zeros, {"units": units[n]}) for n in band}, coords)
    empty.to_zarr(path, compute=False, consolidated=False, mode="w")
    group = zarr.open_group(path, mode="r+")
    for k in range(sizes.n_lat // rows):
        for name, values in band.items():
            group[name][k * rows : (k + 1) * rows] = np.roll(values, 97 * k, axis=-1)
    done.touch()


def open_store(path: Path) -> xr.Dataset:
    return xr.open_zarr(path, consolidated=False)


def forecaster_of(path: Path, ds: xr.Dataset) -> xd.Forecaster:
    """A small network, trained on one block and two years; kept in a file."""
    if not path.exists():
        part = ds.isel(lat=slice(0, 8), lon=slice(0, 8), time=slice(0, 730)).load()
        xd.fit_resattcaurec(
            part,
            "soil_moisture",
            DRIVERS,
            variant="ResAttRec",
            size=PATCH,
            window=WINDOW,
            lead=LEAD,
            widths=(4, 8),
            epochs=2,
            batch_size=512,
            learning_rate=2e-3,
            device="cpu",
            progress=False,
        ).save(path)
    return xd.load_forecaster(path)


# --- the calls ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """One call: what it reads, what it does with a Dataset, and words for the page."""

    variables: tuple[str, ...]
    run: Callable[[xr.Dataset, Path, xd.Forecaster], int]
    what: str


def _write(result: xr.Dataset | xr.DataArray, path: Path) -> int:
    """To zarr, by the workers; how many bytes when read again."""
    ds = result.to_dataset() if isinstance(result, xr.DataArray) else result
    ds.drop_encoding().to_zarr(path, mode="w", consolidated=False)
    return ds.nbytes


def read(ds: xr.Dataset, out: Path, forecaster: xd.Forecaster) -> int:
    """Every block is loaded and one day of it kept."""
    days = [da.data.map_blocks(lambda b: b[..., :1].copy(), chunks=(*da.chunks[:2], (1,))) for da in ds.values()]
    return sum(day.nbytes for day in dask.compute(*days))


def events(ds: xr.Dataset, out: Path, forecaster: xd.Forecaster) -> int:
    return xd.flash_drought_events(ds.soil_moisture).nbytes


def percentile(ds: xr.Dataset, out: Path, forecaster: xd.Forecaster) -> int:
    return _write(xd.soil_moisture_percentile(ds.soil_moisture).astype("float32"), out)


def classes(ds: xr.Dataset, out: Path, forecaster: xd.Forecaster) -> int:
    return _write(xd.drought_classes(ds.soil_moisture), out)


def summary(ds: xr.Dataset, out: Path, forecaster: xd.Forecaster) -> int:
    return _write(xd.drought_summary(ds.soil_moisture), out)


def ccm(ds: xr.Dataset, out: Path, forecaster: xd.Forecaster) -> int:
    return _write(xd.ccm(ds.t2m, ds.soil_moisture, direction="cause_to_effect"), out)


def predict(ds: xr.Dataset, out: Path, forecaster: xd.Forecaster) -> int:
    return _write(xd.predict(ds.isel(time=slice(-PREDICTED, None)), forecaster, device="cpu"), out)


def attributions(ds: xr.Dataset, out: Path, forecaster: xd.Forecaster) -> int:
    background = ds.isel(lat=slice(0, 8), lon=slice(0, 8), time=slice(0, 730)).load()
    last = ds.isel(time=slice(-WINDOW - LEAD, None))
    where = last.time == last.time[-1]
    options = {"background": background, "n_background": DRAWS, "n_draws": DRAWS, "device": "cpu"}
    return _write(xd.attributions(last, forecaster, where=where, **options), out)


ONE, TWO = ("soil_moisture",), ("tp", "t2m")
CALLS = {
    "read one": Call(ONE, read, "plain read of one variable"),
    "read two": Call(TWO, read, "plain read of two variables"),
    "events": Call(ONE, events, "`flash_drought_events`, one table in the client's memory"),
    "percentile": Call(ONE, percentile, "`soil_moisture_percentile`, written as float32"),
    "classes": Call(ONE, classes, "`drought_classes`, written"),
    "summary": Call(ONE, summary, "`drought_summary`, written"),
    "predict": Call(TWO, predict, f"`predict` of the last {PREDICTED} days, written"),
    "attributions": Call(TWO, attributions, f"`attributions` of one day, {DRAWS} draws, written"),
    "ccm": Call(("t2m", "soil_moisture"), ccm, "`ccm` of one cause, one direction, written"),
}


# --- measuring ------------------------------------------------------------------------------------------------


class Watch(threading.Thread):
    """Samples memory and CPU time of the workers' processes, and kills one when half of the tasks are done."""

    def __init__(self, cluster: LocalCluster, kills: bool):
        super().__init__(daemon=True)
        self.cluster, self.kills = cluster, kills
        self.peak, self.killed_at, self._over = 0.0, None, threading.Event()
        self.cpu: dict[int, tuple[float, float]] = {}  # process: seconds when first and last seen

    def run(self) -> None:
        while not self._over.wait(0.05):
            self.look()
            share = self.share_done()
            if self.kills and self.killed_at is None and share >= 0.5:
                os.kill(next(iter(self.cluster.workers.values())).pid, signal.SIGKILL)
                self.killed_at = share

    def look(self) -> None:
        for pid in [nanny.pid for nanny in self.cluster.workers.values() if nanny.pid]:
            self.peak = max(self.peak, resident(pid))
            seconds = cpu_seconds(pid)
            if seconds:
                self.cpu[pid] = (self.cpu.get(pid, (seconds, 0))[0], seconds)

    def share_done(self) -> float:
        """Of the tasks that the scheduler knows; most are forgotten when they are done."""
        left = sum(task.state in ("waiting", "processing", "queued", "no-worker") for task in self.tasks())
        self.most = max(getattr(self, "most", 0), left)
        return 1 - left / self.most if self.most > 20 else 0.0

    def tasks(self) -> list:
        for _ in range(5):
            try:
                return list(self.cluster.scheduler.tasks.values())
            except RuntimeError:  # changed while it was read: the scheduler runs in a thread of this process
                continue
        return []

    def stop(self) -> None:
        self._over.set()
        self.join()
        self.look()


def resident(pid: int) -> float:
    """VmRSS of a process, bytes; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return 1024 * float(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0.0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def two_workers():
    # else the cluster gives up a worker that needs longer than 15 s to come back, as on a busy machine
    settings = {"distributed.worker.daemon": False, "distributed.deploy.lost-worker-timeout": "1d"}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=MEMORY_LIMIT, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.run(warm_up)
        yield cluster, client


def warm_up() -> None:
    """Imports, which every process does once."""
    import torch

    torch.set_num_threads(1)


def measure(name: str, work: Path, cluster: LocalCluster, client: Client, kills: bool) -> dict:
    """One call; a worker that was killed is there again when it ends."""
    call, out = CALLS[name], work / "out.zarr"
    ds = open_store(work / "in.zarr")
    forecaster = forecaster_of(work / "network.xdrought", ds)
    before = {nanny.pid for nanny in cluster.workers.values()}
    watch = Watch(cluster, kills)
    watch.look()
    load, started = os.getloadavg()[0], time.perf_counter()
    watch.start()
    n_bytes = call.run(ds[list(call.variables)], out, forecaster)
    wall = time.perf_counter() - started
    watch.stop()
    client.wait_for_workers(2, timeout=600)
    if kills and watch.killed_at is None:
        raise RuntimeError(f"{name}: it was over after {wall:.1f} s, before a worker could be killed")
    shutil.rmtree(out, ignore_errors=True)
    return {
        "wall": wall,
        "cpu": sum(last - first for first, last in watch.cpu.values()),
        "peak": watch.peak,
        "killed_at": watch.killed_at,
        "new": len({nanny.pid for nanny in cluster.workers.values()} - before),
        "bytes": n_bytes,
        "load": [load, os.getloadavg()[0]],
    }


def measure_all(work: Path, names: list[str]) -> dict:
    """Every call, with a worker killed half-way but in the plain reads; what is there is not measured again."""
    notes = work / "measured.json"
    found = json.loads(notes.read_text()) if notes.exists() else {}
    names = [name for name in names if name not in found]
    if not names:
        return found
    with two_workers() as (cluster, client):
        for name in names:
            found[name] = measure(name, work, cluster, client, kills=not name.startswith("read"))
            notes.with_suffix(".new").write_text(json.dumps(found, indent=1))
            notes.with_suffix(".new").replace(notes)
            print(name, found[name], flush=True)
    return found


# --- the page -------------------------------------------------------------------------------------------------


def page(found: dict, sizes: Sizes) -> str:
    loads = [load for each in found.values() for load in each["load"]]
    rows = []
    for name, call in CALLS.items():
        if name not in found:
            rows.append(f"| {call.what} | not measured | | | | | | |")
            continue
        plain = found["read one" if len(call.variables) == 1 else "read two"]
        each = found[name]
        killed = "-" if each["killed_at"] is None else f"{100 * each['killed_at']:.0f} %"
        rows.append(
            f"| {call.what} | {killed} | {each['wall']:.0f} | {each['wall'] / plain['wall']:.1f} | {each['cpu']:.0f} | "
            f"{each['cpu'] / plain['cpu']:.1f} | {each['peak'] / 1e9:.2f} | {each['bytes'] / 1e9:.3f} |"
        )
    table = "\n".join(rows)
    factor = GLOBE / (sizes.cells * sizes.n_days)
    extra = sum(each["new"] - (each["killed_at"] is not None) for each in found.values())
    missing = [name for name in CALLS if name not in found]
    finished = f"All but {', '.join(missing)} were run, and finished" if missing else "All finished"
    total = sum(each["wall"] for each in found.values()) / 60
    versions = ", ".join(f"{name} {version(name)}" for name in ("dask", "distributed", "xarray", "zarr", "torch"))
    cores, cells, days = os.cpu_count(), f"{sizes.cells:,}", f"{sizes.n_days:,}"
    rows_columns = f"{sizes.block[0]} x {sizes.block[1]}"
    block = 4 * sizes.block[0] * sizes.block[1] * sizes.n_days / 1e6
    restarted = "no worker was" if not extra else f"{extra} workers were"
    n_windows = (PREDICTED - WINDOW + 1) * sizes.cells / 1e6
    gradients = DRAWS * sizes.cells / 1e6
    whole = (sizes.n_days - WINDOW + 1) / (PREDICTED - WINDOW + 1)
    return f"""<!-- Written by ci/benchmarks/cluster.py. -->
# Speed: two workers on a cluster

Measured on {datetime.now(UTC):%-d %B %Y} with `python ci/benchmarks/cluster.py` on {cores} cores, Python
{platform.python_version()}, {versions}. The machine was shared with other work, load {min(loads):.1f} to
{max(loads):.1f} on {cores} cores: wall times are upper bounds, and differ between rows by what else ran. Ratios of CPU
time are the figures to go by.

**The data** are simulated: random rain, a temperature with memory and seasons, and soil moisture that they drive, on
{sizes.n_lat} x {sizes.n_lon} = {cells} cells x {days} days, float32, {sizes.bytes / 1e9:.2f} GB a variable, in a zarr
store of blocks of {rows_columns} cells and all days ({block:.1f} MB).

**The cluster** is `LocalCluster(n_workers=2, threads_per_worker=1, memory_limit={MEMORY_LIMIT:.0f})`, with
`torch` and `xdrought` imported before the clock starts; what numba compiles or loads is in the time, and so is what
the process that replaces a killed one imports. In every call but the plain reads one worker is killed by SIGKILL when
about half of the tasks are done; the column says at which share. {finished}, in {total:.0f} minutes together, and
{restarted} restarted for any other reason than the kill. Memory is the largest resident size of any worker,
sampled twenty times a second; CPU time is that of all workers, the killed one's included.

| call | killed at | wall s | times the plain read | CPU s | times the plain read | peak of a worker, GB | result, GB |
|---|---|---|---|---|---|---|---|
{table}

The plain read loads every block of the same variables on the same cluster and keeps one day; part of the store is in
the page cache, for all rows alike. `predict` and `attributions` run a small network (ResAttRec, patches of
{PATCH} x {PATCH}, widths 4 and 8, {len(DRIVERS)} drivers) on a part of the record, of all cells: {PREDICTED} days are
{n_windows:.1f} million windows, one explained day with {DRAWS} draws is {gradients:.2f} million gradients.
All {days} days would be {whole:.0f} times the windows of the row `predict`. Both load whole blocks for a few days.

0.25 degree x 40 years is 1440 x 721 x 14610 / ({cells} x {days}) = {factor:.1f} times this record:
{{doc}}`/../laptop_to_globe` does the arithmetic.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/cluster.md"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/xdrought-cluster"))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", nargs="+", choices=list(CALLS), default=list(CALLS))
    given = parser.parse_args()
    sizes = SMALL if given.small else Sizes()
    work = given.work.with_name(given.work.name + "-small") if given.small else given.work
    work.mkdir(parents=True, exist_ok=True)
    make_store(work / "in.zarr", sizes)
    found = measure_all(work, given.only)
    if given.small:
        print(page(found, sizes))
    else:
        given.out.write_text(page(found, sizes))


if __name__ == "__main__":
    main()
