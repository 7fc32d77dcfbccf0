"""The compiled neighbour search: the same weights as scipy's tree, on ties, gaps, constants and any window."""

from __future__ import annotations

import threading

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings
from scipy.spatial import cKDTree

from tests.support.helpers import from_python
from xdrought.kernels import distinct_vectors, neighbours

group_equal, sort_points = from_python(distinct_vectors.group_equal), from_python(distinct_vectors.sort_points)
nearest_groups, order_by_sum = from_python(distinct_vectors.nearest_groups), from_python(distinct_vectors.order_by_sum)


def weight_of_day(operator: neighbours.Operator) -> np.ndarray:
    """The weight (time, time) of every library day (column) in the estimate of every day (row); NaN: no estimate."""
    return operator.estimate(np.eye(operator.mapped.size)).T


@st.composite
def manifolds(draw, longest: int = 60):
    """Delay vectors with what makes neighbours hard, days to estimate and to learn from, and a window."""
    n, dim = draw(st.integers(1, longest)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = np.cumsum(rng.standard_normal(n))
    kind = draw(st.sampled_from(["plain", "rounded", "rain", "constant", "large", "tiny", "signed zeros", "lattice"]))
    x = {
        "plain": x,
        "rounded": np.round(x),
        "rain": np.where(rng.random(n) < 0.6, 0.0, np.abs(np.round(x, 1))),
        "constant": np.full(n, 7.25),
        "large": 101325 + x,
        "tiny": x * 1e-30,
        "signed zeros": np.where(rng.random(n) < 0.5, -0.0, 0.0) * x,
        "lattice": rng.integers(0, 3, n).astype(float),
    }[kind]
    x = np.where(rng.random(n) < draw(st.sampled_from([0.0, 0.0, 0.15])), np.nan, x)
    vectors = neighbours.delay_embed(x, dim, draw(st.integers(1, 3)))
    queries = np.isfinite(vectors[:, 0])
    library = queries & (rng.random(n) < draw(st.sampled_from([1.0, 0.5])))
    return vectors, queries, library, draw(st.integers(0, n + 1) | st.integers(0, 3))


@settings(max_examples=300)
@given(manifolds())
@example((np.full((5, 2), np.nan), np.zeros(5, bool), np.zeros(5, bool), 0))
def test_the_compiled_search_weighs_as_scipys_tree(case):
    vectors, queries, library, radius = case
    plain = neighbours.build_operator(vectors, queries, library, radius)
    fast = neighbours.build_operator(vectors, queries, library, radius, compiled=True)
    np.testing.assert_array_equal(fast.mapped, plain.mapped)
    np.testing.assert_array_equal(fast.tied, plain.tied)
    np.testing.assert_allclose(weight_of_day(fast), weight_of_day(plain), atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("radius", [0, 20])
def test_the_compiled_search_weighs_as_scipys_tree_on_long_series(dim, radius):
    rng = np.random.default_rng(dim)
    walk = np.cumsum(rng.standard_normal(900))
    rain = np.where(rng.random(900) < 0.7, 0.0, np.round(rng.gamma(0.7, 8, 900), 1))
    for series in (walk, np.round(walk), rain, rng.standard_normal(900)):
        vectors = neighbours.delay_embed(series, dim, 1)
        ok = np.isfinite(vectors[:, 0])
        plain = neighbours.build_operator(vectors, ok, ok, radius)
        fast = neighbours.build_operator(vectors, ok, ok, radius, compiled=True)
        np.testing.assert_array_equal(fast.tied, plain.tied)
        np.testing.assert_allclose(weight_of_day(fast), weight_of_day(plain), atol=1e-12)


@given(manifolds())
def test_weights_sum_to_one_and_avoid_the_window(case):
    vectors, queries, library, radius = case
    operator = neighbours.build_operator(vectors, queries, library, radius, compiled=True)
    weights = weight_of_day(operator)
    assert not (operator.mapped & ~queries).any()
    for day in np.flatnonzero(operator.mapped):
        near = slice(max(day - radius, 0), day + radius + 1)
        np.testing.assert_allclose(weights[day, near], 0, atol=1e-12)
        assert weights[day].sum() == pytest.approx(1)
        assert (weights[day] > -1e-12).all()
        np.testing.assert_allclose(weights[day, ~library], 0, atol=1e-12)


@given(manifolds())
def test_groups_are_the_distinct_vectors(case):
    vectors, _, library, _ = case
    groups = group_equal(vectors, library)
    rows, count = np.unique(vectors[library] + 0.0, axis=0, return_counts=True)
    assert sorted(groups.size) == sorted(count)
    assert (groups.at[~library] == -1).all()
    for day in np.flatnonzero(library):
        assert groups.first[groups.at[day]] <= day
        np.testing.assert_array_equal(vectors[groups.first[groups.at[day]]], vectors[day])
    assert len(rows) == groups.first.size


@pytest.mark.parametrize("dim", [1, 2, 5, 9])
def test_nearest_distances_are_those_of_scipy(dim):
    points = np.random.default_rng(dim).standard_normal((700, dim))
    groups = group_equal(points, np.ones(700, bool))
    square, group = nearest_groups(sort_points(points, groups), groups, points, np.arange(700), 0, dim + 2, True)
    distance, index = cKDTree(points).query(points, k=np.arange(2, dim + 4))
    np.testing.assert_allclose(np.sqrt(square), distance, rtol=1e-12)
    np.testing.assert_array_equal(groups.first[group], index)


def test_many_zeros_stay_linear():
    n = 60_000
    rng = np.random.default_rng(0)
    rain = np.where(rng.random(n) < 0.8, 0.0, rng.random(n))
    vectors = neighbours.delay_embed(rain, 2, 1)
    ok = np.isfinite(vectors[:, 0])
    operator = neighbours.build_operator(vectors, ok, ok, 0, compiled=True)
    assert operator.weights.size + operator.members.size < 5 * n  # pairs of dry days would be 1.5e9
    dry = ok & (vectors == 0).all(axis=1)
    target = rng.standard_normal(n)
    others = (target[dry].sum() - target[dry]) / (dry.sum() - 1)
    np.testing.assert_allclose(operator.estimate(target[None])[0][dry], others, atol=1e-12)


def test_the_search_runs_in_threads():
    rng = np.random.default_rng(0)
    series = rng.standard_normal((4, 800))
    found = {}

    def work(at: int) -> None:
        vectors = neighbours.delay_embed(series[at], 3, 1)
        ok = np.isfinite(vectors[:, 0])
        found[at] = neighbours.build_operator(vectors, ok, ok, 0, compiled=True)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at in range(4):
        vectors = neighbours.delay_embed(series[at], 3, 1)
        ok = np.isfinite(vectors[:, 0])
        alone = neighbours.build_operator(vectors, ok, ok, 0, compiled=True)
        np.testing.assert_array_equal(found[at].columns, alone.columns)
        np.testing.assert_array_equal(found[at].weights, alone.weights)


@settings(max_examples=50)
@given(st.integers(2, 200), st.integers(0, 2**32 - 1), st.sampled_from([1.0, 1e-300, 1e30]))
def test_sums_are_in_order_to_within_the_step(n, seed, scale):
    sums = np.random.default_rng(seed).standard_cauchy(n) * scale
    order = np.empty(n, np.int64)
    step = order_by_sum(sums, n, order, np.empty(4 * n, np.int64))
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    highest = np.maximum.accumulate(sums[order])
    assert (highest - sums[order] <= step).all()
    assert step < 2 * np.ptp(sums) / n
    assert order_by_sum(np.full(n, 0.1), n, order, np.empty(4 * n, np.int64)) < 0
