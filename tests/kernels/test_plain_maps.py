"""Cross maps of many series at once: the slow reference, scipy's tree, and what is left to the careful way."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tests.kernels.test_cross_map import series_pairs
from tests.support import oracles_ccm as slow
from tests.support.helpers import from_python
from xdrought.kernels import cross_map, plain_maps
from xdrought.kernels.cross_map import Settings
from xdrought.kernels.cross_map_blocks import map_block, result_names


@settings(max_examples=150)
@given(series_pairs(), st.integers(1, 4), st.integers(1, 3), st.integers(0, 4))
def test_what_is_mapped_equals_the_slow_reference(pair, dim, tau, radius):
    series, target = pair
    rho, n, done = plain_maps.map_plain(series[None], target[None, None], dim, tau, np.array([radius]))
    expected = cross_map.cross_map(series, target[None], Settings(dim=dim, tau=tau), radius)
    if not done[0]:
        assert expected.n_pairs[0] < 2 * radius + dim + 4 or expected.tied_fraction[0] > 0
        return
    assert expected.tied_fraction[0] == 0
    assert n[0] == expected.n_pairs[0] == slow.skill(series, target, dim, tau, radius)[1]
    np.testing.assert_allclose(rho[0, 0], slow.skill(series, target, dim, tau, radius)[0], atol=1e-8)
    np.testing.assert_allclose(rho[0, 0], expected.rho[0], atol=1e-9)


def walks(n: int, n_days: int) -> np.ndarray:
    """Series from white noise to a slow walk, about large and small means, one with gaps."""
    rng = np.random.default_rng(n_days)
    series = np.zeros((n, n_days))
    for which in range(n):
        keeps = which / n
        for day in range(1, n_days):
            series[which, day] = keeps * series[which, day - 1] + rng.standard_normal()
    series[1] += 101325
    series[2] *= 1e-6
    series[3, [50, 51, 300]] = np.nan
    return series


@pytest.mark.parametrize("radius", [0, 7])
@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_long_series_equal_scipys_tree(dim, radius):
    series = walks(5, 700)
    targets = np.stack([series[::-1], np.roll(series, 1, axis=0)], axis=1)
    rho, n, done = plain_maps.map_plain(series, targets, dim, 2, np.full(5, radius))
    assert done.tolist() == [True, False, True, True, False]  # not where one target of two has gaps
    for which in np.flatnonzero(done):
        expected = cross_map.cross_map(series[which], targets[which], Settings(dim=dim, tau=2), radius)
        np.testing.assert_allclose(rho[which], expected.rho, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(n[which], expected.n_pairs)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_clouds_of_any_shape_equal_scipys_tree(dim):
    rng, day = np.random.default_rng(dim), np.arange(1501.0)
    noise = rng.standard_normal(day.size)
    series = np.stack(
        [
            np.where(day % 2 == 0, 5.0, -5.0) + 0.1 * noise,  # the slope spreads more than the sum
            day + 1e-3 * noise,  # only the sum spreads
            rng.standard_cauchy(day.size),  # points far from all others
            np.where(day < 750, 0.0, 1e3) + noise,  # two clouds
            1e-100 * noise,
        ]
    )
    targets = np.roll(series, 1, axis=0)[:, None] + rng.standard_normal((5, 1, 1501))
    rho, n, done = plain_maps.map_plain(series, targets, dim, 1, np.array([0, 3, 0, 20, 0]))
    assert done.all()
    assert (n == 1502 - dim).all()
    for which, radius in enumerate([0, 3, 0, 20, 0]):
        expected = cross_map.cross_map(series[which], targets[which], Settings(dim=dim), radius)
        np.testing.assert_allclose(rho[which], expected.rho, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_days", [1, 2, 4, 7, 9, 15, 16, 17, 33])
def test_records_of_a_few_days(n_days):
    series = np.random.default_rng(n_days).standard_normal((2, n_days))
    rho, _, done = plain_maps.map_plain(series, series[::-1, None], 2, 1, np.zeros(2, int))
    assert done.tolist() == [n_days > 5] * 2
    for which in np.flatnonzero(done):
        expected = cross_map.cross_map(series[which], series[1 - which][None], Settings(), 0)
        np.testing.assert_allclose(rho[which], expected.rho, rtol=0, atol=1e-12)


def test_ties_gaps_and_constants_go_the_careful_way():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal(300))
    rain = np.where(rng.random(300) < 0.7, 0.0, np.round(rng.gamma(0.7, 8, 300), 1))
    near = walk.copy()
    near[100] = near[50]  # with E = 1 one pair at no distance
    series = np.stack([walk, rain, np.full(300, 0.1), near, walk])
    targets = rng.standard_normal((5, 2, 300))
    targets[4, 1, 20] = np.nan  # the gap of one target only
    _, _, done = plain_maps.map_plain(series, targets, 1, 1, np.zeros(5, int))
    assert done.tolist() == [True, False, False, False, False]


@pytest.mark.parametrize(
    "settings_of", [Settings(), Settings(lag=3, radius=2), Settings(surrogates=9), Settings(dim=4)]
)
@pytest.mark.parametrize("masked", [False, True])
def test_a_block_of_all_kinds_equals_one_map_each(settings_of, masked):
    rng = np.random.default_rng(1)
    effect = np.cumsum(rng.standard_normal((3, 1, 150)), axis=-1)
    effect[1] = np.round(effect[1])
    causes = [rng.standard_normal((3, 4, 150)), np.maximum(rng.standard_normal((3, 4, 150)).round(1), 0)]
    where = [rng.random((3, 4, 150)) < 0.8] if masked else []
    found, expected = (
        map_block(
            effect,
            *where,
            *causes,
            from_effect=[True, False],
            settings=[[replace(settings_of, compiled=compiled)]] * 2,
            masked=masked,
        )
        for compiled in (True, False)
    )
    for name, one, other in zip(result_names(settings_of), found, expected, strict=True):
        assert one.shape == (3, 4, 2, 2, 1)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-11, err_msg=name)


def test_exponentials():
    x = -np.concatenate([np.linspace(0, 5, 1000), np.logspace(-300, 2.8, 1000)])
    found, exponentials = x.copy(), from_python(plain_maps.exponentials)
    exponentials(found, x.size, np.empty(x.size, np.int64))
    np.testing.assert_allclose(found, np.exp(x), rtol=4e-16)
    far = np.array([-1e5])
    exponentials(far, 1, np.empty(1, np.int64))
    assert 0 < far[0] < 1e-300
