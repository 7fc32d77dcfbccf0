"""Every gridded call on a real cluster of two worker processes: the same numbers, a death survived, small graphs."""

from __future__ import annotations

import os
import runpy
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cloudpickle
import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
import zarr

from tests.support.causal_series import weather
from tests.support.forecasters import untrained
from tests.support.helpers import raise_if_dask_computes
from tests.support.towers import random_grid, random_sites
from xdrought.attribution.expected_gradients import attributions
from xdrought.causality import causality_degree, ccm
from xdrought.events.flash_droughts import drought_classes, drought_summary, flash_drought_events
from xdrought.forecast.prediction import predict
from xdrought.percentiles import soil_moisture_percentile
from xdrought.provenance import without_record

distributed = pytest.importorskip("distributed", reason="the cluster's own package; the test extra brings it")

N_DAYS, MIB = 200, 2**20
MEMORY_LIMIT = 1024 * MIB
FAMILY = {"fdr": "bh", "fdr_dim": ("site", "variable")}
DRAWS = {"library_size": [30, 100], "library_samples": 3, "surrogates": 5, "deseasonalize": False}
DIED = "a worker died here"


@pytest.fixture(scope="module")
def client():
    """Two worker processes of one thread, 1 GiB each."""
    # else a cluster gives up a worker that needs longer than 15 s to come back, as on a busy machine
    settings = {"distributed.worker.daemon": False, "distributed.deploy.lost-worker-timeout": "1d"}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, memory_limit=MEMORY_LIMIT, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Drivers and soil moisture on 6 x 7 cells; one is sea, one has a gap."""
    torch.set_num_threads(1)
    ds = random_grid(6, 7, N_DAYS, seed=4)
    soil = (ds.swvl1 - ds.swvl1.mean()).cumsum("time")  # wanders, so that there are droughts
    dry = (soil - soil.min()) / (soil.max() - soil.min())  # 0 to 1, as volumetric soil moisture may be
    ds = ds.assign(swvl1=dry.assign_attrs(ds.swvl1.attrs))
    sea = (ds.lat == ds.lat[2]) & (ds.lon == ds.lon[5])
    gap = (ds.lat == ds.lat[4]) & (ds.lon == ds.lon[1]) & ds.time.isin(ds.time[90:95])
    return ds.where(~(sea | gap))


@pytest.fixture(scope="module")
def forecaster(ds):
    return untrained(ds, "ResAttCauRec", target="swvl1", size=2, runs=2)


@contextmanager
def working(client) -> Iterator[None]:
    """Whatever is computed inside is computed by the cluster."""
    with client.as_current(), dask.config.set(scheduler=client):
        yield


# --- each call, on drivers `ds` that are in memory or lazy ---------------------------------------------------


def _events(ds, forecaster, known):
    return flash_drought_events(ds.swvl1, max_onset=60, relapse="drop")


def _percentile(ds, forecaster, known):
    return soil_moisture_percentile(ds.swvl1, pool="dayofyear", window=15)


def _classes(ds, forecaster, known):
    return drought_classes(ds.swvl1, definition=["tang2025", "yuan2019"])


def _summary(ds, forecaster, known):
    return drought_summary(ds.swvl1)


def _ccm(ds, forecaster, known):
    return ccm(
        ds[["tp", "t2m"]], ds.swvl1, library_size=[30, 100], library_samples=3, surrogates=5, deseasonalize=False
    )


def _degree(ds, forecaster, known):
    return causality_degree(ds[["tp", "t2m"]], ds.swvl1, train=slice(None))


def _predict(ds, forecaster, known):
    return predict(ds, forecaster, device="cpu")


def _attributions(ds, forecaster, known):
    where = (ds.time.dt.day == 9) & (ds.swvl1 > ds.swvl1.mean("time"))
    options = {"n_background": 6, "n_draws": 12, "progress": False, "device": "cpu", "background": known}
    return attributions(ds, forecaster, where=where, **options)


CALLS = {call.__name__[1:]: call for call in (_percentile, _classes, _summary, _ccm, _degree, _predict, _attributions)}
ROUNDED = {"attributions"}  # windows are grouped otherwise, and sums of another length are rounded otherwise


def same(found: xr.DataArray | xr.Dataset, expected: xr.DataArray | xr.Dataset, exact: bool) -> None:
    """Labels, attributes and values; lazy results may have places and days on which nothing is explained."""
    if exact:
        xr.testing.assert_identical(found, expected)
        return
    part = found.sel({dim: expected[dim] for dim in expected.dims if dim in expected.indexes})
    xr.testing.assert_allclose(part, expected, rtol=1e-4, atol=1e-6)
    assert without_record(part).attrs == without_record(expected).attrs
    assert int(found.prediction.notnull().sum()) == int(expected.prediction.notnull().sum())


# --- the same numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_a_cluster_gives_the_numbers_of_one_process(client, ds, forecaster, name):
    call = CALLS[name]
    with raise_if_dask_computes():
        lazy = call(on_workers(ds, {"lat": 2, "lon": 3}), forecaster, ds)
    same(client.compute(lazy, sync=True), call(ds, forecaster, ds), exact=name not in ROUNDED)


def test_a_cluster_gives_the_events_of_one_process(client, ds):
    expected = _events(ds, None, None)
    assert expected.sizes["event"] > 10
    with working(client):
        xr.testing.assert_identical(_events(on_workers(ds, {"lat": 2, "lon": 3}), None, None), expected)


def test_a_cluster_gives_the_forecasts_of_one_process_at_sites(client):
    sites = random_sites(4, 60, 2)
    network = untrained(sites, "ResAttCauRec", runs=2)
    found = client.compute(predict(sites.chunk(site=1), network, device="cpu"), sync=True)
    xr.testing.assert_identical(found, predict(sites, network, device="cpu"))


def test_a_cluster_gives_the_skills_of_one_process_with_all_options(client):
    ds = weather(n_time=150, n_site=4)
    summer = ds["time"].dt.month.isin([3, 4]) | (ds["site"] != "S1")

    def skills(ds, where):
        return ccm(
            ds[["t2m", "tp"]], ds["sm"], where=where, lag=[-1, 0], fdr="bh", fdr_dim=("site", "variable"), **DRAWS
        )

    def degree(ds):
        return causality_degree(ds[["t2m", "tp"]], ds["sm"], train=slice(None), method="mutual_information")

    lazy = ds.chunk(site=1)
    found = client.compute([skills(lazy, summer), degree(lazy)], sync=True)
    xr.testing.assert_allclose(found[0], skills(ds, summer))
    xr.testing.assert_allclose(found[1], degree(ds))


def test_a_store_by_days_becomes_one_by_places_and_then_classes(client, ds, tmp_path):
    """The way of the guide: zarr in, chunks turned, zarr out, nothing through the client."""
    ds.chunk(time=20).to_zarr(tmp_path / "days.zarr", consolidated=False)
    stored = xr.open_zarr(tmp_path / "days.zarr", consolidated=False).drop_encoding()
    with working(client):
        stored.chunk(time=-1, lat=2, lon=3).to_zarr(tmp_path / "places.zarr", consolidated=False)
        by_place = xr.open_zarr(tmp_path / "places.zarr", consolidated=False)
        assert by_place.chunksizes == {"time": (N_DAYS,), "lat": (2, 2, 2), "lon": (3, 3, 1)}
        drought_classes(by_place.swvl1).to_dataset().to_zarr(tmp_path / "classes.zarr", consolidated=False)
    found = xr.open_zarr(tmp_path / "classes.zarr", consolidated=False).drought_class
    np.testing.assert_array_equal(found, drought_classes(ds.swvl1))


# --- a worker dies --------------------------------------------------------------------------------------------


def test_a_death_changes_no_number(client, ds, forecaster, tmp_path):
    """A worker kills its own process while it loads the fifth of nine blocks, and takes its results with it."""
    lazy = on_workers(ds, {"lat": 2, "lon": 3}, deadly=tmp_path / DIED)
    before = workers_of(client)
    names = ("percentile", "classes", "summary", "ccm", "predict", "attributions")
    found = client.compute([CALLS[name](lazy, forecaster, ds) for name in names], sync=True)
    assert (tmp_path / DIED).exists()
    client.wait_for_workers(2, timeout=180)
    assert len(set(before) - set(workers_of(client))) == 1
    for name, result in zip(names, found, strict=True):
        same(result, CALLS[name](ds, forecaster, ds), exact=name not in ROUNDED)


def test_a_death_loses_no_event(client, ds, tmp_path):
    lazy = on_workers(ds, {"lat": 2, "lon": 3}, deadly=tmp_path / DIED)
    with working(client):
        found = _events(lazy, None, None)
    assert (tmp_path / DIED).exists()
    xr.testing.assert_identical(found, _events(ds, None, None))


def workers_of(client) -> list[int]:
    """Process ids."""
    return list(client.run(os.getpid).values())


def on_workers(ds: xr.Dataset, chunks: dict[str, int], deadly: Path | None = None) -> xr.Dataset:
    """The same values in chunks that refuse to load in this process; the fifth block of tp or swvl1 may kill."""
    own = os.getpid()

    def load(block, block_info=None):
        assert os.getpid() != own, "a block was loaded in the client's process"
        if deadly is not None and block_info[None]["chunk-location"][1:] == (1, 1) and not deadly.exists():
            deadly.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    lazy = ds.chunk(chunks)
    return lazy.map(lambda v: v.copy(data=v.data.map_blocks(load, dtype=v.dtype, meta=v.data._meta)))


# --- memory ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are reset through Linux's /proc")
def test_a_worker_holds_some_blocks_not_the_record(client, tmp_path):
    """40 blocks of 13 MB go through two workers; none adds more than ten of them to its peak."""
    n_days, n_blocks, side = 3650, 40, 30
    block = n_days * side**2 * 4
    noise = da.random.default_rng(0).random((n_days, side, side * n_blocks), "float32", chunks=(n_days, side, side))
    time = pd.date_range("2001-01-01", periods=n_days)
    soil = xr.DataArray(noise, {"time": time}, ("time", "lat", "lon"), "soil_moisture")
    warm = drought_classes(soil[:, :, :side])
    client.compute(warm.sum(), sync=True)  # what is compiled and imported once is no part of it
    client.run(lambda: Path("/proc/self/clear_refs").write_text("5"))
    before = client.run(resident, "VmRSS")
    with working(client):
        drought_classes(soil).to_dataset().to_zarr(tmp_path / "classes.zarr", consolidated=False)
    added = [peak - before[worker] for worker, peak in client.run(resident, "VmHWM").items()]
    assert 0 < max(added) < 10 * block, [round(each / block, 1) for each in added]


def resident(field: str) -> int:
    """VmRSS or its peak VmHWM of the process, bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise OSError(field)


# --- what is sent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [("predict", "ensemble"), ("attributions", "job")])
def test_the_weights_are_sent_once_and_not_with_every_task(ds, name, kind):
    heavy = untrained(ds, "ResAttRec", target="swvl1", size=2, runs=2, widths=(32, 64))
    numbers = sum(4 * tensor.numel() for one in heavy.weights for tensor in one.values())
    assert numbers > MIB
    graph = tasks_of(CALLS[name](ds.chunk(lat=1, lon=1), heavy, ds))
    sizes = {key: len(cloudpickle.dumps(task)) for key, task in graph.items() if "swvl1" not in str(key)}
    once = [key for key, size in sizes.items() if size > numbers]
    assert [str(key).split("-")[0] for key in once] == [kind]
    rest = [size for key, size in sizes.items() if key not in once]
    assert max(rest) < max(20_000, 3 * ds.tp.nbytes)  # the drivers themselves are in memory here
    assert len(cloudpickle.dumps(graph)) < 1.5 * numbers + 200 * len(graph) + 40 * ds.nbytes


# --- the whole globe, not computed ----------------------------------------------------------------------------

GLOBE = {"lat": 721, "lon": 1440, "time": 14610}  # 0.25 degree, 40 years
SIDE = 50  # cells on a side of a block
MOST = {  # tasks a block, and bytes of the graph
    "events": (5, 1 * MIB),
    "percentile": (5, 8 * MIB),
    "classes": (10, 8 * MIB),
    "summary": (20, 3 * MIB),
    "ccm": (40, 4 * MIB),
    "predict": (30, 3 * MIB),
    "attributions": (40, 5 * MIB),
}


def globe(side: int) -> xr.Dataset:
    """0.25 degree x 40 years, lazy zeros."""
    zeros = da.zeros((GLOBE["time"], GLOBE["lat"], GLOBE["lon"]), dtype="float32", chunks=(-1, side, side))
    coords = {
        "time": pd.date_range("1981-01-01", periods=GLOBE["time"]),
        "lat": 90 - 0.25 * np.arange(GLOBE["lat"]),
        "lon": 0.25 * np.arange(GLOBE["lon"]),
    }
    units = {"tp": "mm", "t2m": "K", "swvl1": "m3 m-3"}
    return xr.Dataset({name: (("time", "lat", "lon"), zeros, {"units": unit}) for name, unit in units.items()}, coords)


@pytest.mark.parametrize("name", MOST)
def test_the_graph_of_the_globe_is_small(name, monkeypatch):
    ds = globe(SIDE)
    known = random_grid(12, 12, 60)
    known = known.assign_coords(lat=ds.lat[200:212], lon=ds.lon[400:412])
    network = untrained(known, "ResAttRec", target="swvl1", size=10, window=15, lead=7)
    if name == "events":
        graph = tasks_of(*asked_to_compute(monkeypatch, lambda: _events(ds, None, None)))
    else:
        with raise_if_dask_computes():
            lazy = CALLS[name](ds, network, known)
        graph = tasks_of(lazy)
    n_blocks = -(-GLOBE["lat"] // SIDE) * -(-GLOBE["lon"] // SIDE)
    most_tasks, most_bytes = MOST[name]
    assert n_blocks <= len(graph) <= most_tasks * n_blocks
    assert len(cloudpickle.dumps(graph)) < most_bytes


def asked_to_compute(monkeypatch, call) -> tuple:
    """What a call hands to dask.compute, which is not done."""

    class Asked(Exception):
        pass

    def remember(*tasks, **options):
        raise Asked(tasks)

    with monkeypatch.context() as patched:
        patched.setattr(dask, "compute", remember)
        with pytest.raises(Asked) as caught:
            call()
    return caught.value.args[0]


def tasks_of(*lazy) -> dict:
    """The tasks that a scheduler would get, optimised."""
    graph: dict = {}
    for one in dask.optimize(*lazy):
        graph.update(one.__dask_graph__())
    return graph


# --- the script of the guide ----------------------------------------------------------------------------------


def test_the_script_of_the_guide_goes_on_where_it_was(client, ds, tmp_path):
    """Band by band is the whole, and what is finished is not computed again."""
    script = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "_include" / "globe.py"))
    grid = xr.concat([ds, ds.assign_coords(lat=ds.lat - 1.5)], "lat").rename(swvl1="soil_moisture")  # 12 rows
    grid = grid.isel(lon=slice(4))
    grid.chunk(lat=1, lon=4).to_zarr(tmp_path / "in.zarr", consolidated=False)
    network = untrained(grid, "ResAttRec", size=2)
    network.save(tmp_path / "network.xdrought")
    arguments = [str(tmp_path / "in.zarr"), str(tmp_path / "out"), str(tmp_path / "network.xdrought")]
    with working(client):
        script["main"](*arguments)
    out = tmp_path / "out"

    def stored(name: str) -> xr.Dataset:
        return xr.open_zarr(out / f"{name}.zarr", consolidated=False).load()

    np.testing.assert_array_equal(stored("classes").drought_class, drought_classes(grid.soil_moisture))
    np.testing.assert_array_equal(stored("summary").mean_duration, drought_summary(grid.soil_moisture).mean_duration)
    forecast = predict(grid, network, device="cpu")
    np.testing.assert_array_equal(stored("forecast").soil_moisture, forecast.soil_moisture)
    xr.testing.assert_identical(stored("forecast").init_time, forecast.init_time)
    tables = [xr.open_dataset(out / f"events-{first}.nc", engine="h5netcdf") for first in (0, 5, 10)]
    assert sum(table.sizes["event"] for table in tables) == flash_drought_events(grid.soil_moisture).sizes["event"]

    marks = out / "classes.done"
    assert marks.read_text().split() == ["0", "5", "10"]
    marks.write_text("0\n10\n")  # killed in the second band
    broken = zarr.open_group(out / "classes.zarr", mode="r+")["drought_class"]
    broken[...] = 99
    with working(client):
        script["main"](*arguments[:2])
    again = stored("classes").drought_class.transpose("lat", ...)
    assert (again[5:10] == drought_classes(grid.soil_moisture).transpose("lat", ...)[5:10]).all()
    assert (again[:5] == 99).all()
    assert (again[10:] == 99).all()
