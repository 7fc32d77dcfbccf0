"""Cross mapping on dask: one task a block; on a cluster: tests/package/test_distributed.py."""

from __future__ import annotations

import dask
import numpy as np
import xarray as xr

from tests.support.causal_series import weather
from xdrought.causality import ccm, gccm
from xdrought.kernels import cross_map_blocks, spatial_cross_map

OPTIONS = {
    "library_size": [30, 100],
    "library_samples": 3,
    "lag": [-1, 0],
    "surrogates": 19,
    "deseasonalize": False,
    "fdr": "bh",
    "fdr_dim": ("site", "variable"),
}


def test_one_task_a_block(monkeypatch):
    blocks = []
    function = cross_map_blocks.map_block

    def counted(effect, *others, **settings):
        blocks.append(effect.shape)
        return function(effect, *others, **settings)

    monkeypatch.setattr(cross_map_blocks, "map_block", counted)
    ds = weather(n_time=150, n_site=4).chunk(site=2)
    lazy = ccm(ds[["t2m", "tp"]], ds["sm"], **OPTIONS)
    assert blocks == []
    with dask.config.set(scheduler="synchronous"):
        lazy.compute()
    assert blocks == [(2, 150)] * 2


def test_one_task_a_field_block(monkeypatch):
    blocks = []
    function = spatial_cross_map.map_block

    def counted(effect, *causes, **settings):
        blocks.append(effect.shape)
        return function(effect, *causes, **settings)

    monkeypatch.setattr(spatial_cross_map, "map_block", counted)
    rng = np.random.default_rng(0)
    x, y = (xr.DataArray(rng.random((4, 6, 7)), dims=("time", "lat", "lon"), name=n).chunk(time=2) for n in "xy")
    lazy = gccm(x, y)
    assert blocks == []
    with dask.config.set(scheduler="synchronous"):
        lazy.compute()
    assert blocks == [(2, 6, 7)] * 2
