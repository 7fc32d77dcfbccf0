"""The paper's causality degree: which cells, which days, which order, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support import oracles_ccm as slow
from tests.support.causal_series import FORWARD, patches, weather
from tests.support.helpers import raise_if_dask_computes
from xdrought.causality import causality_degree, ccm, degree_vector


def test_degree_takes_the_four_central_cells_row_by_row():
    drivers, soil = patches()
    degree = causality_degree(drivers, soil, train=slice(None))
    assert degree.rho.dims == ("site", "variable", "cell")
    assert degree.sizes["cell"] == 4
    for cell, (row, column) in enumerate([(4, 4), (4, 5), (5, 4), (5, 5)]):
        one = drivers["tp"].isel(patch_lat=row, patch_lon=column)
        for site in ("A", "B"):
            rho, _ = slow.skill(soil.sel(site=site).values, one.sel(site=site).values, 2, 1)  # weather from soil
            assert degree.rho.sel(site=site, variable="tp", cell=cell).item() == pytest.approx(rho, abs=1e-10)
    assert degree["direction"].item() == FORWARD


@pytest.mark.parametrize(("size", "cells"), [(1, 1), (2, 4), (3, 1), (4, 4)])
def test_degree_of_other_patches(size, cells):
    drivers, soil = patches(size)
    degree = causality_degree(drivers, soil, train=slice(None))
    assert degree.sizes["cell"] == cells
    if cells == 1:
        centre = drivers.isel(patch_lat=size // 2, patch_lon=size // 2)
        expected = ccm(centre, soil, direction=FORWARD).rho
        np.testing.assert_allclose(degree.rho.isel(cell=0), expected.transpose("site", "variable"))


def test_degree_of_tower_data_has_one_cell():
    ds = weather()
    degree = causality_degree(ds[["t2m", "tp"]], ds["sm"], train=slice(None))
    assert dict(degree.rho.sizes) == {"site": 3, "variable": 2, "cell": 1}
    assert degree_vector(degree).sizes["causal"] == 4
    single = causality_degree(ds["t2m"], ds["sm"], train=slice(None))
    xr.testing.assert_allclose(single.rho, degree.rho.sel(variable=["t2m"]))


def test_degree_sees_the_training_part_only():
    drivers, soil = patches()
    last = pd.Timestamp("2001-03-25")
    later = soil["time"] > last
    spoiled = soil.where(~later, 99.0), drivers.where(~later, -5.0)
    mask = ~later
    per_site = mask & (soil["site"] != "none")
    dates = causality_degree(drivers, soil, train=(None, last))
    assert (dates.n_pairs == 83).all()
    for train in (slice(None, last), mask, per_site):
        xr.testing.assert_allclose(causality_degree(drivers, soil, train=train), dates)
        xr.testing.assert_allclose(causality_degree(spoiled[1], spoiled[0], train=train), dates)
    assert not np.allclose(causality_degree(drivers, soil, train=slice(None)).rho, dates.rho)


def test_degree_with_both_directions_and_surrogates():
    drivers, soil = patches(1)
    degree = causality_degree(
        drivers, soil, train=slice(None), direction="both", surrogates=9, deseasonalize=False, exclusion_radius=2
    )
    assert degree.surrogate_p_value.dims == ("site", "direction", "variable", "cell")
    vector, n = degree_vector(degree), degree.sizes["variable"] * degree.sizes["cell"]
    assert vector.sizes["causal"] == 4 * n
    each = [degree_vector(degree.sel(direction=name, drop=True)) for name in degree["direction"].values]
    halves = [one.isel(causal=slice(k * n, (k + 1) * n)) for k in range(2) for one in each]  # rho, rho, then p, p
    np.testing.assert_array_equal(vector, np.concatenate([half.values for half in halves], axis=-1))


def test_degree_is_lazy_on_dask():
    drivers, soil = patches()
    with raise_if_dask_computes():
        lazy = degree_vector(
            causality_degree(drivers.chunk(site=1), soil.chunk(site=1), train=slice("2001-01-10", None))
        )
    eager = degree_vector(causality_degree(drivers, soil, train=slice("2001-01-10", None)))
    xr.testing.assert_allclose(lazy.compute(), eager)


def test_degree_vector_is_all_correlations_then_all_p_values():
    drivers, soil = patches()
    degree = causality_degree(drivers, soil, train=slice(None))
    vector = degree_vector(degree)
    assert vector.dims == ("site", "causal")
    assert vector.sizes["causal"] == 2 * 2 * 4
    for at, (quantity, name, cell) in enumerate(
        [(q, v, c) for q in ("rho", "p_value") for v in ("t2m", "tp") for c in range(4)]
    ):
        place = vector.isel(causal=at)
        assert (place["quantity"], place["variable"], place["cell"]) == (quantity, name, cell)
        np.testing.assert_array_equal(place, degree[quantity].sel(variable=name, cell=cell))


def test_degree_vector_fills_what_has_no_skill():
    ds = weather(n_site=1)
    degree = causality_degree(ds[["t2m"]] * 0, ds["sm"], train=slice(None))
    assert degree_vector(degree).values.tolist() == [[0, 1]]
    assert np.isnan(degree_vector(degree, fill_missing=False)).all()


def test_degree_refuses_half_a_patch_and_a_mask_of_numbers():
    drivers, soil = patches(2)
    with pytest.raises(ValueError, match=r"'t2m' has 'patch_lat' but not both of"):
        causality_degree(drivers.isel(patch_lon=0), soil, train=slice(None))
    with pytest.raises(TypeError, match="train has dtype float64; a training mask is boolean"):
        causality_degree(drivers, soil, train=soil)
    with pytest.raises(ValueError, match="the training part 1999-01-01 to 1999-12-31 holds no day of the record"):
        causality_degree(drivers, soil, train=("1999-01-01", "1999-12-31"))
