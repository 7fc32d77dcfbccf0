"""Attributions of lazy data: the eager numbers whatever the chunks, nothing computed, and what is told when."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from tests.support.forecasters import untrained
from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import random_grid, random_sites
from xdrought.attribution import explained_windows
from xdrought.attribution.expected_gradients import attributions
from xdrought.attribution.explained_windows import background_of, background_windows, windows_of
from xdrought.provenance import without_record

FEW = {"n_background": 6, "n_draws": 12, "progress": False, "device": "cpu"}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def sites() -> xr.Dataset:
    return random_sites(3, 120, 2)


@pytest.fixture(scope="module")
def grid() -> xr.Dataset:
    """7 x 8 cells with a hole."""
    ds = random_grid(7, 8, 60)
    return ds.where(~((ds.lat == ds.lat[4]) & (ds.lon == ds.lon[6])))


def same(lazy: xr.Dataset, eager: xr.Dataset) -> None:
    """Equal where the eager result is, and nothing elsewhere."""
    assert all(lazy[name].chunks is not None for name in lazy if lazy[name].ndim)
    found = lazy.compute()
    part = found.sel({dim: eager[dim] for dim in eager.dims if dim in eager.indexes})
    xr.testing.assert_allclose(part.transpose(*eager.dims), eager.transpose(*eager.dims), rtol=1e-4, atol=1e-6)
    assert without_record(part).attrs == without_record(eager).attrs
    assert {name: part[name].attrs for name in part} == {name: eager[name].attrs for name in eager}
    assert int(found.prediction.notnull().sum()) == int(eager.prediction.notnull().sum()) > 0


@pytest.fixture(scope="module", params=[1, 2, 3, 4])
def explained(request, grid):
    """A part of the grid with the hole, a network of patches of a size, days, and the eager attributions."""
    grid = grid.isel(lat=slice(1, 6), lon=slice(2, 8))
    forecaster = untrained(grid, "CauRec", target="swvl1", size=request.param, runs=2)
    where = grid.time.dt.day == 9
    return grid, forecaster, where, attributions(grid, forecaster, where=where, reduce=(), **FEW)


@pytest.mark.parametrize("chunks", [(5, 6), (3, 2), ((1, 3, 1), (4, 2)), (1, 1)])
def test_chunks_of_a_grid_change_no_number(explained, chunks):
    grid, forecaster, where, eager = explained
    lazy = attributions(grid.chunk(lat=chunks[0], lon=chunks[1]), forecaster, where=where, reduce=(), **FEW)
    same(lazy, eager)


@pytest.fixture(
    scope="module",
    params=[
        lambda ds: None,
        lambda ds: ds.time.dt.month == 2,
        lambda ds: (ds.site == "S1") & (ds.time.dt.day == 3),
        lambda ds: (ds.soil_moisture > 0.9).isel(time=slice(20, None)),  # other times than the data
        lambda ds: ds.site == "S2",
    ],
)
def explained_where(request, sites):
    """What is to be explained, a network, and the eager attributions."""
    forecaster, where = untrained(sites, "ResAttCauRec", history=True), request.param(sites)
    return where, forecaster, attributions(sites, forecaster, where=where, **FEW)


@pytest.mark.parametrize("is_lazy", [True, False])
def test_where_may_be_lazy_and_lack_dimensions(sites, explained_where, is_lazy):
    where, forecaster, eager = explained_where
    asked = where.chunk() if is_lazy and where is not None else where
    with unchanged(sites):
        lazy = attributions(sites.chunk(site=2), forecaster, where=asked, **FEW)
    same(lazy, eager)


def test_nothing_is_computed_with_a_background_in_memory(sites):
    forecaster = untrained(sites, "ResAttCauRec")
    where = (sites.soil_moisture > 0.9).chunk()
    with raise_if_dask_computes():
        attributions(sites.chunk(site=1), forecaster, where=where, background=sites, **FEW)


def test_a_lazy_causality_degree_stays_lazy(sites):
    forecaster = untrained(sites, "CauRec")
    with raise_if_dask_computes():
        lazy = attributions(
            sites.chunk(site=1), forecaster, causality=forecaster.causality.chunk(site=1), background=sites, **FEW
        )
    same(lazy, attributions(sites, forecaster, **FEW))
    same(attributions(sites.chunk(site=1), forecaster, causality=forecaster.causality.chunk(), **FEW), lazy.compute())


def test_the_background_is_complete_windows_of_the_training_part(grid):
    """Sea everywhere but in a corner: most tries are in vain, in memory as in lazy data."""
    land = grid.where((grid.lat >= grid.lat[3]) & (grid.lon <= grid.lon[4]))
    forecaster = untrained(land, "Rec", target="swvl1", size=2)
    eager = windows_of(land, forecaster, None, "time")
    lazy = windows_of(land.chunk(lat=2, lon=3), forecaster, None, "time")
    chosen = background_windows(eager.windows, forecaster, 9, 0)
    assert set(chosen) <= set(forecaster.splits.windows(eager.windows, "train"))
    assert len(set(chosen)) == 9
    expected, found = eager.sample(chosen, "cpu"), background_of(lazy, forecaster, 9, 0)
    np.testing.assert_array_equal(found.x, expected.x)
    assert bool(found.x.isfinite().all())
    every = background_windows(eager.windows, forecaster, 10**6, 0)
    np.testing.assert_array_equal(every, forecaster.splits.windows(eager.windows, "train"))


def test_only_the_tried_windows_are_read_for_the_background(grid, monkeypatch):
    read = []
    whole = explained_windows._read_windows

    def counted(scaled, cell, start):
        read.append(len(cell))
        return whole(scaled, cell, start)

    monkeypatch.setattr(explained_windows, "_read_windows", counted)
    forecaster = untrained(grid, "Rec", target="swvl1", size=2)
    attributions(grid.chunk(lat=2), forecaster, **FEW)
    assert read
    assert sum(read) <= 20 * 6
    assert read[0] == 6


def test_refusals_and_what_is_told_late(sites, grid):
    forecaster = untrained(sites, "CauRec")
    lazy = sites.chunk(site=1)

    def refused(match, error=ValueError, **options):
        with pytest.raises(error, match=match):
            attributions(options.pop("ds", lazy), forecaster, **(FEW | options))

    refused("where is float64; give a boolean DataArray", TypeError, where=lazy.soil_moisture)
    refused(r"where has \['patch_lat', 'patch_lon'\]", where=lazy.tp > 0)
    refused("where is True on 0 of its values, but on none with a complete window", where=sites.time < sites.time[0])
    refused(r"the places of a chunk on .* need \d+ MiB, allowed are 0 MiB", MemoryError, memory_limit=10)
    refused("no window of the training part to compare with", ds=lazy.isel(time=slice(105, None)))
    empty = lazy.assign(tp=lazy.tp * np.nan)
    refused("no window of the training part to compare with", ds=empty)
    unknown = forecaster.causality.isel(site=[0, 1])
    refused("no causality degree for a place of the background", causality=unknown)

    partly = attributions(lazy, forecaster, causality=unknown, background=sites, **FEW)
    with pytest.raises(ValueError, match=r"no causality degree for 1 place\(s\) of a chunk"):
        partly.compute()
    fine = attributions(lazy, forecaster, causality=unknown, background=sites, where=sites.site != "S2", **FEW)
    assert fine.compute().prediction.sel(site="S2").isnull().all()
