"""Skill that converges with the library, neighbours that are left out, significance, and the choice of an embedding."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support import oracles_ccm as slow
from tests.support.causal_series import BACKWARD, FORWARD, logistic, weather
from tests.support.helpers import raise_if_dask_computes
from xdrought.causality import ccm, choose_embedding


def test_skill_converges_towards_the_driver_only():
    x, y = logistic(400)
    found = ccm(x, y, library_size=[20, 80, 300], library_samples=20)
    assert found.rho.dims == ("direction", "library_size")
    assert found["library_size"].values.tolist() == [20, 80, 300]
    assert (found.rho.sel(direction=FORWARD).diff("library_size") > 0.03).all()
    assert (found.rho_lower <= found.rho).all()
    assert (found.rho <= found.rho_upper).all()
    one = ccm(x, y, library_size=80, library_samples=20)
    assert one.rho.dims == ("direction",)
    np.testing.assert_allclose(one.rho, found.rho.sel(library_size=80), atol=1e-12)


def test_libraries_follow_the_seed():
    x, y = logistic(200)
    draw = [ccm(x, y, library_size=30, library_samples=2, seed=seed).rho for seed in (1, 1, 2)]
    xr.testing.assert_identical(draw[0], draw[1])
    assert not np.allclose(draw[0], draw[2])


def test_auto_exclusion_radius_is_that_of_the_searched_series():
    rng, n = np.random.default_rng(0), 2000
    slow_series = np.zeros(n)
    for t in range(1, n):
        slow_series[t] = 0.9 * slow_series[t - 1] + rng.standard_normal()
    fast = xr.DataArray(rng.standard_normal(n), dims="time", name="fast")
    soil = xr.DataArray(slow_series, dims="time", name="soil")
    found = ccm(fast, soil, exclusion_radius="auto")
    assert found.exclusion_radius.sel(direction=BACKWARD) == 1
    radius = found.exclusion_radius.sel(direction=FORWARD).item()
    assert radius == pytest.approx(9.5, abs=3)
    fixed = ccm(fast, soil, exclusion_radius=radius, direction=FORWARD)
    assert fixed.rho.item() == found.rho.sel(direction=FORWARD).item()


def autoregressive(rng, n_series, n_time, memory) -> np.ndarray:
    x = rng.standard_normal((n_series, n_time))
    for t in range(1, n_time):
        x[:, t] += memory * x[:, t - 1]
    return x


def test_a_shared_season_fools_the_raw_p_value_and_not_the_surrogates():
    rng, n = np.random.default_rng(1), 1100
    time = pd.date_range("2001-01-01", periods=n)
    season = 3 * np.cos(2 * np.pi * np.arange(n) / 365.25)
    pair = [
        xr.DataArray(autoregressive(rng, 40, n, memory) + season, {"time": time}, ("site", "time"), name=name)
        for memory, name in ((0.7, "air"), (0.9, "soil"))
    ]
    found = ccm(*pair, surrogates=59)
    assert ((found.p_value < 0.05) & (found.rho > 0)).mean() > 0.9
    assert ((found.surrogate_p_value <= 0.05).mean("site") <= 0.15).all()  # 6 of 40: 2 % chance at 5 %
    assert (np.abs(found.tested_rho) < np.abs(found.rho)).mean() > 0.9


def test_surrogates_find_a_real_driver():
    x, y = logistic(400)
    found = ccm(x, y, surrogates=99, deseasonalize=False, direction=FORWARD)
    assert found.surrogate_p_value.item() == 0.01
    assert found.tested_rho.item() == pytest.approx(found.rho.item())
    assert found.attrs["surrogates"] == 99


def test_embedding_table_equals_the_slow_reference():
    x, _ = logistic(80)
    found = choose_embedding(x, max_dim=3, tau=[1, 2])
    assert found.rho.dims == ("tau", "embedding_dim")
    ahead = np.append(x.values[1:], np.nan)
    for tau in (1, 2):
        for dim in (1, 2, 3):
            rho, n = slow.skill(x.values, ahead, dim, tau)
            cell = found.sel(tau=tau, embedding_dim=dim)
            assert cell.rho.item() == pytest.approx(rho, abs=1e-10)
            assert cell.n_pairs.item() == n == 79 - (dim - 1) * tau
            assert cell.standard_error.item() == pytest.approx((1 - rho**2) / np.sqrt(n - 1), rel=1e-6)


def test_the_smallest_embedding_within_one_standard_error_is_chosen():
    from xdrought.causality.embedding import _smallest_as_good

    rho = np.array([[[0.70, 0.885, 0.90, 0.89]], [[0.70, 0.85, 0.90, 0.89]], [[np.nan] * 4]])
    dim, tau = _smallest_as_good(rho, np.full(rho.shape, 0.02), [3])
    np.testing.assert_array_equal(dim, [2, 3, np.nan])
    np.testing.assert_array_equal(tau, [3, 3, np.nan])


def test_embedding_of_real_series(de_hai):
    assert choose_embedding(de_hai["SWC_F_MDS_1"]).best_embedding_dim == 3


def test_embedding_is_lazy_on_dask():
    ds = weather(n_time=60)
    with raise_if_dask_computes():
        lazy = choose_embedding(ds["sm"].chunk(site=1), max_dim=3, exclusion_radius="auto")
    xr.testing.assert_allclose(lazy.compute(), choose_embedding(ds["sm"], max_dim=3, exclusion_radius="auto"))
