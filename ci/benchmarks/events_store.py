"""The out-of-core half of the events benchmark: a zarr store made, gone through and measured."""

from __future__ import annotations

import time
from pathlib import Path

import dask
import dask.array
import numpy as np
import pandas as pd
import xarray as xr

import xdrought as xd

YEARS_40 = 14610
BLOCK = (20, 40)  # cells of a block of the store


def simulate(shape: tuple[int, int], n_days: int, seed: int) -> np.ndarray:
    """Soil moisture of buckets filled by random rain and drained by a seasonal loss, float32, time last."""
    rng = np.random.default_rng(seed)
    season = np.cos(2 * np.pi * np.arange(n_days) / 365.25)
    chance, loss = 0.22 + 0.08 * season, 0.04 - 0.02 * season
    moisture = np.full(shape, 0.3, np.float32)
    out = np.empty((*shape, n_days), np.float32)
    for day in range(n_days):
        rain = (rng.random(shape, np.float32) < chance[day]) * rng.standard_exponential(shape, np.float32) * 0.035
        moisture = np.minimum(moisture - np.float32(loss[day]) * (moisture - 0.05) + rain, 0.45).astype(np.float32)
        out[..., day] = moisture + np.float32(0.001) * rng.standard_normal(shape, np.float32)
    return out


def label(values: np.ndarray | dask.array.Array) -> xr.DataArray:
    time_axis = pd.date_range("1981-01-01", periods=values.shape[-1])
    return xr.DataArray(values, dims=("lat", "lon", "time"), coords={"time": time_axis}, name="soil_moisture")


def memory(field: str) -> float:
    """VmRSS or VmHWM (its peak) of this process, bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * float(line.split()[1])
    raise OSError(f"/proc/self/status has no {field}")


def reset_peak() -> float:
    """Start a new peak; the resident memory now."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def go_through(way: str, path: str) -> dict:
    """Read a store, make one table of its events, write the events of each band, write the classes, or both."""
    da = xr.open_zarr(path, consolidated=False).soil_moisture
    warm = label(np.random.default_rng(0).random((1, 2, 99), np.float32)).chunk(lon=1)
    xd.flash_drought_events(warm), xd.drought_classes(warm).compute(), xd.detect_droughts(warm)
    reset_peak()
    n_events = 0
    wall, used = time.perf_counter(), time.process_time()
    with dask.config.set(scheduler="threads", num_workers=2):
        if way == "read":
            da.data.map_blocks(
                lambda block: block[..., :1].copy(), chunks=(*da.chunks[:2], (1,)), dtype=da.dtype
            ).compute()
        if way == "table":
            n_events = xd.flash_drought_events(da).sizes["event"]
        if way in ("events", "both"):
            for first in range(0, da.sizes["lat"], BLOCK[0]):
                band = xd.flash_drought_events(da[first : first + BLOCK[0]])
                n_events += band.sizes["event"]
                band.to_netcdf(f"{path}.events{first}.nc", engine="h5netcdf")
        if way == "one pass":
            n_events = xd.detect_droughts(da, path=f"{path}.droughts", progress=False).events.sizes["event"]
        if way in ("classes", "both"):
            xd.drought_classes(da).to_zarr(f"{path}.classes", mode="w", consolidated=False)
    used, wall = time.process_time() - used, time.perf_counter() - wall
    return {"wall": wall, "cpu": used, "peak": memory("VmHWM"), "events": n_events}


def make_store(path: Path, gigabytes: float) -> tuple[int, float]:
    """Write a store band by band (one simulated band, shifted in time); its series and bytes when read."""
    import zarr

    n_blocks = max(int(gigabytes * 1e9 / (4 * BLOCK[0] * BLOCK[1] * YEARS_40) / 8), 1)
    shape = (n_blocks * BLOCK[0], 8 * BLOCK[1], YEARS_40)
    empty = label(dask.array.zeros(shape, dtype="float32", chunks=(*BLOCK, YEARS_40)))
    empty.to_dataset().to_zarr(path, compute=False, consolidated=False)
    array = zarr.open_group(path, mode="r+")["soil_moisture"]
    band = simulate((BLOCK[0], shape[1]), YEARS_40, seed=1)
    for k in range(n_blocks):
        array[k * BLOCK[0] : (k + 1) * BLOCK[0]] = np.roll(band, 97 * k, axis=-1)
    return shape[0] * shape[1], 4.0 * np.prod(shape)
