"""Cross-map kernels: the slow reference, hand-worked neighbours, ties, gaps, libraries, surrogates."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given, settings

from tests.support import oracles_ccm as slow
from xdrought.causality import ccm, cross_mapping
from xdrought.kernels import compilation, cross_map, neighbours, plain_maps, surrogates
from xdrought.kernels.cross_map import Settings
from xdrought.kernels.cross_map_blocks import summarise


def one_day(vectors, day, values, radius=0) -> float:
    """The estimate of one day."""
    ok = np.ones(len(vectors), bool)
    operator = neighbours.build_operator(np.array(vectors, float), ok, ok, radius)
    return operator.estimate(np.array([values], float))[0, day]


def test_delay_vectors_leave_out_what_touches_a_gap():
    found = neighbours.delay_embed(np.array([1.0, 2, np.nan, 4, 5, 6]), 2, 1)
    np.testing.assert_array_equal(found, [[np.nan] * 2, [2, 1], [np.nan] * 2, [np.nan] * 2, [5, 4], [6, 5]])
    found = neighbours.delay_embed(np.array([1.0, 2, 3, 4, 5]), 3, 2)
    np.testing.assert_array_equal(found[4], [5, 3, 1])
    assert np.isnan(found[:4]).all()


def test_weights_by_hand():
    # day 0 at 0: neighbours at 1 and 2, E + 1 = 2; weights e^-1 and e^-2
    w = np.exp([-1.0, -2.0])
    assert one_day([[0], [1], [2], [9]], 0, [0, 10, 20, 30]) == pytest.approx((w @ [10, 20]) / w.sum(), abs=1e-14)


def test_last_slot_is_shared_by_ties_by_hand():
    # distances 1, 2, 2, 2 for two slots: the second slot goes to three days, a third each
    w = np.array([np.exp(-1), *[np.exp(-2) / 3] * 3])
    expected = (w @ [10, 20, 30, 70]) / w.sum()
    assert one_day([[0], [1], [2], [-2], [2]], 0, [0, 10, 20, 30, 70]) == pytest.approx(expected, abs=1e-14)


def test_zero_distances_share_equally_by_hand():
    # days 1 and 2 equal day 0, and so does day 3: mean of all three although there are two slots
    assert one_day([[0], [0], [0], [0], [5]], 0, [99, 10, 20, 60, 7]) == pytest.approx(30)
    # one equal day: it takes all
    assert one_day([[0], [0], [1], [5]], 0, [99, 10, 20, 60]) == pytest.approx(10)


def test_a_day_never_sees_itself_or_its_window():
    values = np.array([0.0, 10, 20, 30, 40])
    # equal vectors everywhere but the last: day 2 with radius 1 may use days 0 only of its group, then the last
    assert one_day([[0], [0], [0], [0], [5]], 2, values, radius=0) == pytest.approx((0 + 10 + 30) / 3)
    assert one_day([[0], [0], [0], [0], [5]], 2, values, radius=1) == pytest.approx(0)


def test_too_few_neighbours_or_a_single_point_give_no_estimate():
    assert np.isnan(one_day([[0], [1]], 0, [1, 2]))
    assert np.isnan(one_day([[0], [1], [2], [3]], 0, [1, 2, 3, 4], radius=9))
    assert np.isnan(one_day([[3], [3], [3], [3], [3]], 0, [1, 2, 3, 4, 5]))


def test_tie_average_is_the_mean_over_all_ways_to_break_ties():
    rng = np.random.default_rng(3)
    series, target = rng.integers(0, 4, 14).astype(float), rng.standard_normal(14)
    expected = slow.estimates(series, target, 2, 1)
    met = 0
    for day in range(1, 14):
        found = slow.candidates(series, target, day, 2, 1, 0)
        if found[0][0] > 0:  # with zero distances the limit of the equation says more than tie breaking
            assert slow.estimate_day_by_random_ties(found, target, 3) == pytest.approx(expected[day], abs=1e-12)
            met += 1
    assert met >= 3
    vectors = neighbours.delay_embed(series, 2, 1)
    ok = np.isfinite(vectors).all(axis=1)
    found = neighbours.build_operator(vectors, ok, ok, 0).estimate(target[None])[0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@st.composite
def series_pairs(draw) -> tuple[np.ndarray, np.ndarray]:
    """Two short series with ties, zeros, gaps and constants."""
    rng, n = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.integers(5, 45))
    pair = []
    for _ in range(2):
        x = np.cumsum(rng.standard_normal(n))
        kind = draw(st.sampled_from(["plain", "rounded", "rain", "constant", "large"]))
        x = {
            "plain": x,
            "rounded": np.round(x),
            "rain": np.maximum(np.round(x, 1), 0),
            "constant": np.full(n, 7.25),
            "large": 101325 + x,
        }[kind]
        pair.append(np.where(rng.random(n) < draw(st.sampled_from([0.0, 0.1])), np.nan, x))
    return pair[0], pair[1]


@settings(max_examples=150)
@given(series_pairs(), st.integers(1, 4), st.integers(1, 3), st.integers(0, 4))
def test_equals_the_slow_reference(pair, dim, tau, radius):
    series, target = pair
    found = cross_map.cross_map(series, target[None], Settings(dim=dim, tau=tau), radius)
    rho, n = slow.skill(series, target, dim, tau, radius)
    assert found.n_pairs[0] == n
    np.testing.assert_allclose(found.rho[0], rho, atol=1e-8)


@settings(max_examples=40)
@given(series_pairs(), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_equals_the_slow_reference_with_a_library(pair, radius, seed):
    series, target = pair
    vectors = neighbours.delay_embed(series, 2, 1)
    queries = np.isfinite(vectors[:, 0]) & np.isfinite(target)
    library = queries & (np.random.default_rng(seed).random(series.size) < 0.6)
    found = neighbours.build_operator(vectors, queries, library, radius).estimate(target[None])[0]
    expected = slow.estimates(series, target, 2, 1, radius, set(np.flatnonzero(library)))
    np.testing.assert_allclose(found, expected, atol=1e-8)


@settings(max_examples=100)
@given(series_pairs(), st.integers(1, 4), st.integers(1, 3), st.integers(0, 4))
def test_compiled_skill_equals_the_slow_reference(pair, dim, tau, radius):
    series, target = pair
    found = cross_map.cross_map(series, target[None], Settings(dim=dim, tau=tau, compiled=True), radius)
    plain = cross_map.cross_map(series, target[None], Settings(dim=dim, tau=tau, compiled=False), radius)
    rho, n = slow.skill(series, target, dim, tau, radius)
    assert found.n_pairs[0] == n
    np.testing.assert_allclose(found.rho[0], rho, atol=1e-8)
    np.testing.assert_allclose(found.rho, plain.rho, atol=1e-9)
    np.testing.assert_array_equal(found.tied_fraction, plain.tied_fraction)


@pytest.mark.parametrize("n_days", [1, 2, 5, 6, 7])
def test_a_record_shorter_than_its_delays_is_left_alone(n_days):
    # as Python, which refuses what compiled code would write behind the end of an array
    series, dim, tau = np.arange(float(n_days))[None] ** 2, 3, 3
    keys, n, mean, width = compilation.interpreted(plain_maps.keys_across)(series, series[:, None], dim, tau)
    assert n.tolist() == [max(n_days - (dim - 1) * tau, 0)]
    assert (keys != plain_maps.LAST).sum() == n[0]
    keys.sort(axis=1)
    compilation.interpreted(plain_maps.keys_along)(series, dim, tau, keys, n, mean, width)
    found = cross_map.cross_map(series[0], series, Settings(dim=dim, tau=tau, compiled=True), 0)
    assert np.isnan(found.rho).all()


@settings(max_examples=100)
@given(
    series_pairs(), st.integers(1, 4), st.integers(0, 4), st.integers(0, 99), st.sampled_from([(3, 2), (3, 9), (25, 2)])
)
def test_compiled_libraries_equal_one_search_each(pair, dim, radius, seed, number):
    series, target = pair
    n_samples, n_targets = number  # of three sizes, so that 25 are more than the bits of a word
    others = np.arange(target.size) % (2.0 + np.arange(1, n_targets)[:, None])
    targets = np.concatenate([target[None], np.where(np.isfinite(target), others, np.nan)])
    sizes = tuple(np.random.default_rng(seed).integers(2, series.size + 1, 3).tolist())
    chosen = Settings(dim=dim, library_sizes=sizes, samples=n_samples, seed=seed)
    plain = cross_map.library_skill(series, targets, replace(chosen, compiled=False), radius)
    fast = cross_map.library_skill(series, targets, replace(chosen, compiled=True), radius)
    np.testing.assert_array_equal(fast.n_pairs, plain.n_pairs)
    np.testing.assert_array_equal(fast.tied_fraction, plain.tied_fraction)
    np.testing.assert_allclose(fast.rho, plain.rho, atol=1e-8)


@pytest.mark.parametrize("apart", [1e-12, 3e-11, 3e-10, 1e-9, 3e-9])
def test_libraries_take_what_is_nearly_tied_as_one_search_each_does(apart):
    rng = np.random.default_rng(5)
    series = rng.integers(0, 12, 300) + apart * rng.standard_normal(300)
    target = np.cumsum(rng.standard_normal((1, 300)), axis=1)
    chosen = Settings(library_sizes=(40, 299), samples=20)
    plain = cross_map.library_skill(series, target, replace(chosen, compiled=False), 2)
    fast = cross_map.library_skill(series, target, replace(chosen, compiled=True), 2)
    np.testing.assert_array_equal(fast.tied_fraction, plain.tied_fraction)
    np.testing.assert_allclose(fast.rho, plain.rho, atol=1e-11)


@pytest.mark.parametrize("radius", [0, 15])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_compiled_libraries_equal_one_search_each_on_long_series(dim, radius):
    rng = np.random.default_rng(dim)
    walk = np.cumsum(rng.standard_normal(500))
    rain = np.where(rng.random(500) < 0.7, 0.0, np.round(rng.gamma(0.7, 8, 500), 1))
    chosen = Settings(dim=dim, library_sizes=(20, 350, 90, 499 - dim), samples=3)
    for series, target in ((walk, rain), (rain, walk), (np.round(walk), walk)):
        plain = cross_map.library_skill(series, target[None], replace(chosen, compiled=False), radius)
        fast = cross_map.library_skill(series, target[None], replace(chosen, compiled=True), radius)
        np.testing.assert_array_equal(fast.tied_fraction, plain.tied_fraction)
        np.testing.assert_allclose(fast.rho, plain.rho, atol=1e-11)


@settings(max_examples=60)
@given(series_pairs(), st.integers(1, 4), st.integers(1, 3), st.integers(0, 4))
def test_the_torch_engine_equals_the_slow_reference(pair, dim, tau, radius):
    series, target = pair
    found = cross_mapping.cross_map_by_torch(series, target[None], Settings(dim=dim, tau=tau), radius)
    plain = cross_map.cross_map(series, target[None], Settings(dim=dim, tau=tau, compiled=False), radius)
    rho, n = slow.skill(series, target, dim, tau, radius)
    assert found.n_pairs[0] == n
    np.testing.assert_allclose(found.rho[0], rho, atol=1e-6)
    np.testing.assert_array_equal(found.tied_fraction, plain.tied_fraction)


def test_the_torch_engine_does_not_depend_on_how_many_pairs_fit(monkeypatch):
    import xdrought.models.cross_mapping as tensors

    rng = np.random.default_rng(1)
    series, targets = rng.standard_normal(300), rng.standard_normal((5, 300))
    whole = cross_mapping.cross_map_by_torch(series, targets, Settings(), 2)
    monkeypatch.setattr(tensors, "PAIRS", 1000)
    in_parts = cross_mapping.cross_map_by_torch(series, targets, Settings(), 2)
    np.testing.assert_allclose(in_parts.rho, whole.rho, atol=1e-13)


def test_labelled_maps_agree_between_engines():
    rng = np.random.default_rng(2)
    x = xr.DataArray(np.cumsum(rng.standard_normal((3, 200)), axis=1), dims=("site", "time"), name="x")
    y = x.shift(time=1) + rng.standard_normal((3, 200))
    own, torch_engine = ccm(x, y, exclusion_radius=3), ccm(x, y, exclusion_radius=3, engine="torch")
    assert torch_engine.engine == "torch"
    for name in ("rho", "p_value", "n_pairs", "tied_fraction"):
        np.testing.assert_allclose(torch_engine[name], own[name], atol=1e-6)
    with pytest.raises(ValueError, match='engine "torch" has no library_size or surrogates; leave them out'):
        ccm(x, y, engine="torch", surrogates=9)


@pytest.mark.parametrize("stored", [False, True])
def test_small_jobs_wait_for_no_compiler_and_use_what_is_compiled(stored, monkeypatch, caplog):
    monkeypatch.setattr(cross_map, "_is_compiled", lambda settings, any_dim: stored)
    plain, libraries = Settings(), Settings(library_sizes=(50,) * 10, samples=100)
    tested = Settings(surrogates=200)  # as long a job, of more code
    with caplog.at_level("INFO", "xdrought"):
        assert cross_map.worth_compiling(plain, 1, 100) == stored
        assert cross_map.worth_compiling(plain, 96, 1660) == stored
        assert cross_map.worth_compiling(libraries, 5, 1660) == stored
        assert cross_map.worth_compiling(tested, 7 * 96, 1660) == stored
        assert not caplog.records
        assert cross_map.worth_compiling(plain, 156 * 96, 1660)
        assert cross_map.worth_compiling(libraries, 7, 1660)
        assert cross_map.worth_compiling(tested, 12 * 96, 1660)
    said = ["xdrought: compiling cross mapping once on this machine, some seconds"]
    assert [record.message for record in caplog.records] == ([] if stored else said * 3)


def test_compiled_code_is_found_in_this_process_and_on_this_machine():
    x = np.random.default_rng(0).standard_normal((1, 60))
    cross_map.cross_map_with_ties(x[0], x, Settings(dim=2, compiled=True), 0)
    assert cross_map._has_operator()
    cross_map.cross_map(x[0], x, Settings(dim=2, compiled=True), 0)
    assert cross_map._is_compiled(Settings(dim=2), False)
    assert not cross_map._is_compiled(Settings(dim=29), False)  # each dimension has its own code
    assert cross_map._is_compiled(Settings(dim=29), True)
    code = (
        "from xdrought.kernels.cross_map import Settings, _is_compiled;"
        "print(_is_compiled(Settings(dim=2), False), _is_compiled(Settings(dim=29), False))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_short_jobs_leave_ties_to_scipy_where_their_code_is_missing(monkeypatch):
    rain = np.maximum(np.random.default_rng(0).standard_normal((2, 80)).round(1), 0)
    expected = cross_map.cross_map_with_ties(rain[0], rain[1:], Settings(), 0)
    monkeypatch.setattr(cross_map, "_has_operator", lambda: False)
    monkeypatch.setattr("xdrought.kernels.compiled_operator.operator_arrays", None)
    found = cross_map.cross_map_with_ties(rain[0], rain[1:], Settings(compiled=True, may_compile=False), 0)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError):  # the compiled code is what a long job asks for
        cross_map.cross_map_with_ties(rain[0], rain[1:], Settings(compiled=True), 0)


def test_an_array_that_may_not_be_written_is_compiled_for_no_second_time():
    from xdrought.kernels.plain_maps import _map_plain, map_plain

    x = np.random.default_rng(0).standard_normal((1, 1, 60))
    map_plain(x[0], x, 2, 1, np.zeros(1, int))
    before = len(_map_plain.signatures)
    map_plain(np.broadcast_to(x[0], (3, 60)), np.broadcast_to(x, (3, 2, 60)), 2, 1, np.zeros(3, int))
    assert len(_map_plain.signatures) == before


def test_small_jobs_do_not_start_numba():
    code = (
        "import sys, numpy as np; from xdrought.kernels.cross_map_blocks import map_block;"
        "from xdrought.kernels.cross_map import Settings;"
        "x = np.random.default_rng(0).standard_normal((2, 300));"
        "map_block(x[0], x[1], from_effect=[True], settings=[[Settings()]]);"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# reference values of other programs


def coupled_logistic(n: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """The two-species map of Sugihara et al. 2012."""
    x, y = np.full(n, 0.4), np.full(n, 0.2)
    for t in range(n - 1):
        x[t + 1] = x[t] * (3.8 - 3.8 * x[t] - 0.02 * y[t])
        y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.1 * x[t])
    return x, y


@pytest.mark.parametrize("compiled", [False, True])
def test_coupled_logistic_maps_equal_pyedm_and_causal_ccm(compiled):
    x, y = coupled_logistic()
    chosen = Settings(compiled=compiled)  # the values are those on which pyEDM and causal-ccm agree
    assert cross_map.cross_map(y, x[None], chosen, 0).rho[0] == pytest.approx(0.977378834819, abs=1e-12)
    assert cross_map.cross_map(x, y[None], chosen, 0).rho[0] == pytest.approx(0.628462893225, abs=1e-12)
    assert cross_map.cross_map(y, x[None], chosen, 10).rho[0] == pytest.approx(0.976528225989, abs=1e-12)


@pytest.fixture(scope="module")
def reference() -> Path:
    """The folder of the reference table, or a skip with the reason."""
    folder = Path(os.environ.get("XDROUGHT_DATA_DIR", "."), "..", "facts", "ccm_reference")
    if not (folder / "expected_full_library.csv").is_file():
        pytest.skip(f"no reference table in {folder}: set XDROUGHT_DATA_DIR")
    return folder


@pytest.mark.parametrize("compiled", [False, True])
def test_every_case_of_the_reference_table(reference, compiled):
    table = pd.read_csv(reference / "expected_full_library.csv")
    assert len(table) > 20
    for case in table.itertuples():
        data = pd.read_csv(reference / f"{case.dataset}.csv")
        series, target = (data[name].to_numpy(float) for name in (case.manifold_of, case.estimated))
        chosen = Settings(dim=case.E, tau=case.tau, compiled=compiled)
        found = cross_map.cross_map(series, cross_map.shift(target[None], case.Tp), chosen, case.theiler)
        expected = case.rho_tie_average if case.tied_rows else case.rho
        assert found.rho[0] == pytest.approx(expected, abs=2e-12), case  # the table is rounded to 12 digits
        assert found.n_pairs[0] == case.n
        assert (found.tied_fraction[0] > 0) == (case.tied_rows > 0)


def test_targets_with_other_gaps_are_mapped_as_if_alone():
    rng = np.random.default_rng(0)
    series, targets = rng.standard_normal(80), rng.standard_normal((3, 80))
    targets[1, 10:15] = np.nan
    together = cross_map.cross_map(series, targets, Settings(), 0)
    for at in range(3):
        alone = cross_map.cross_map(series, targets[at : at + 1], Settings(), 0)
        assert together.rho[at] == alone.rho[0]
        assert together.n_pairs[at] == alone.n_pairs[0] == [79, 74, 79][at]


def test_targets_share_one_search_per_pattern_of_gaps(monkeypatch):
    searches = []
    build = cross_map.build_operator
    monkeypatch.setattr(cross_map, "build_operator", lambda *args, **how: searches.append(1) or build(*args, **how))
    rng = np.random.default_rng(0)
    targets = rng.standard_normal((12, 60))
    cross_map.cross_map(rng.standard_normal(60), targets, Settings(), 0)
    assert len(searches) == 1
    targets[5, 3] = np.nan
    cross_map.cross_map(rng.standard_normal(60), targets, Settings(), 0)
    assert len(searches) == 3


def test_many_zeros_stay_linear_in_memory():
    rng = np.random.default_rng(0)
    rain = np.where(rng.random(3000) < 0.8, 0.0, rng.random(3000))
    vectors = neighbours.delay_embed(rain, 2, 1)
    ok = np.isfinite(vectors).all(axis=1)
    operator = neighbours.build_operator(vectors, ok, ok, 0)
    assert operator.weights.size + operator.members.size < 10 * 3000  # pairs would be 4 million
    dry = ok & (vectors == 0).all(axis=1)
    target = rng.standard_normal(3000)
    others = (target[dry].sum() - target[dry]) / (dry.sum() - 1)
    np.testing.assert_allclose(operator.estimate(target[None])[0][dry], others, atol=1e-12)


def test_correlation_and_p_value_equal_scipy():
    rng = np.random.default_rng(5)
    a = rng.standard_normal((4, 50))
    b = np.array([[0.0], [0.3], [1], [9]]) * a + rng.standard_normal((4, 50))
    rho, n = cross_map.pearson(a, b)
    p = cross_map.pearson_p_value(rho, n)
    for row in range(4):
        expected = scipy.stats.pearsonr(a[row], b[row])
        assert rho[row] == pytest.approx(expected.statistic, abs=1e-14)
        assert p[row] == pytest.approx(expected.pvalue, rel=1e-9)


def test_correlation_of_constants_and_of_too_little_is_nan():
    x = np.arange(6.0)
    rho, n = cross_map.pearson(np.array([x, np.full(6, 0.1), x]), np.array([np.full(6, 1 / 3), x, x]))
    assert np.isnan(rho[:2]).all()
    assert rho[2] == 1
    rho, n = cross_map.pearson(np.array([1.0, 2, np.nan]), np.array([2.0, 1, 4]))
    assert np.isnan(rho)
    assert n == 2
    assert np.isnan(cross_map.pearson_p_value(np.array(0.5), np.array(2)))


def test_shift_looks_ahead_and_back():
    np.testing.assert_array_equal(cross_map.shift(np.array([[1.0, 2, 3]]), 1), [[2, 3, np.nan]])
    np.testing.assert_array_equal(cross_map.shift(np.array([[1.0, 2, 3]]), -2), [[np.nan, np.nan, 1]])


def test_decorrelation_time_of_an_autoregressive_series():
    rng, x = np.random.default_rng(0), np.zeros(20000)
    for t in range(1, x.size):
        x[t] = 0.9 * x[t - 1] + rng.standard_normal()
    assert cross_map.decorrelation_time(x) == pytest.approx(-1 / np.log(0.9), abs=2)  # 9.5 days
    assert cross_map.decorrelation_time(rng.standard_normal(500)) == 1
    assert cross_map.decorrelation_time(np.arange(40.0)) == 40  # a trend never lets go


def test_skill_by_library_size_equals_the_slow_reference_on_the_same_days():
    rng = np.random.default_rng(2)
    series, target = rng.standard_normal((2, 40))
    target[[4, 9]] = np.nan
    chosen = Settings(library_sizes=(8, 20), samples=3, seed=11)
    found = summarise(cross_map.library_skill(series, target[None], chosen, 0))
    draws = np.random.default_rng(11)
    expected = []
    for _ in range(3):
        days = [day for day in draws.permutation(40) if day >= 1 and np.isfinite(target[day])]
        expected.append([slow.skill(series, target, 2, 1, 0, set(days[:size]))[0] for size in (8, 20)])
    np.testing.assert_allclose(found["rho"][0], np.mean(expected, axis=0), atol=1e-12)
    np.testing.assert_allclose(found["rho_lower"][0], np.quantile(expected, 0.025, axis=0), atol=1e-12)
    np.testing.assert_allclose(found["rho_upper"][0], np.quantile(expected, 0.975, axis=0), atol=1e-12)
    assert found["n_pairs"].tolist() == [[37, 37]]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_library_beyond_the_valid_days_is_all_of_them(compiled):
    rng = np.random.default_rng(2)
    series, target = rng.standard_normal((2, 40))
    target[20:] = np.nan
    chosen = Settings(library_sizes=(30, 10, 19), samples=2, compiled=compiled)
    found = summarise(cross_map.library_skill(series, target[None], chosen, 0))
    assert found["library_days"].tolist() == [[19, 10, 19]]  # days 1 to 19
    assert found["rho"][0, 0] == found["rho"][0, 2]
    assert found["rho"][0, 0] == pytest.approx(slow.skill(series, target, 2, 1)[0], abs=1e-12)
    nothing = summarise(cross_map.library_skill(series, np.full((1, 40), np.nan), chosen, 0))
    assert nothing["library_days"].tolist() == [[0, 0, 0]]
    assert np.isnan(nothing["rho"]).all()


# surrogates


def test_surrogates_keep_the_spectrum_and_the_gaps_and_differ():
    rng = np.random.default_rng(0)
    for length in (200, 201):
        x = np.cumsum(rng.standard_normal(length))
        copies = np.concatenate(list(surrogates.phase_surrogates(x, 5, 1, batch=2)))
        assert copies.shape == (5, length)
        expected = np.tile(np.abs(np.fft.rfft(x)), (5, 1))
        np.testing.assert_allclose(np.abs(np.fft.rfft(copies)), expected, atol=1e-6 * expected.max())
        assert len(np.unique(copies.round(6), axis=0)) == 5
    x[[0, 1, 50]] = np.nan
    copy = next(surrogates.phase_surrogates(x, 1, 1, batch=8))[0]
    np.testing.assert_array_equal(np.isnan(copy), np.isnan(x))


@pytest.mark.parametrize("length", [1, 2, 3, 200, 201])
@pytest.mark.parametrize("mean", [0.0, 101325.0])
def test_surrogates_are_turned_by_the_phases_drawn(length, mean):
    x = mean + np.random.default_rng(length).standard_normal(length)
    n_terms = length // 2 + 1
    words = np.random.default_rng(7).integers(0, 2**64, (3, -(-n_terms // 4)), np.uint64)
    phase = 2 * np.pi * words.view(np.uint16)[:, :n_terms] / 2**16
    phase[:, 0] = 0.0
    if length % 2 == 0:
        phase[:, -1] = 0.0
    expected = np.fft.irfft(np.fft.rfft(x) * np.exp(1j * phase), n=length)  # all in double precision
    copies = next(surrogates.phase_surrogates(x, 3, 7, batch=3))
    np.testing.assert_allclose(copies, expected, rtol=0, atol=1e-6)


def test_the_phases_to_draw_from_are_spread_like_all_of_the_circle():
    circle = surrogates._circle().astype(complex)
    assert circle[0] == 1.0
    for power in (1, 2, 3, 4):  # the means that products of terms have over copies
        assert abs((circle**power).mean()) < 1e-7


def test_surrogates_depend_on_the_seed_and_not_on_the_batch():
    x = np.random.default_rng(0).standard_normal(64)
    draw = lambda seed, batch: np.concatenate(list(surrogates.phase_surrogates(x, 6, seed, batch)))  # noqa: E731
    np.testing.assert_allclose(draw(1, 6), draw(1, 4), atol=1e-6)
    assert not np.allclose(draw(1, 6), draw(2, 6))


def test_the_annual_cycle_is_removed_and_the_rest_is_kept():
    days = np.arange(1500)
    years = days / 365.2425
    noise = np.random.default_rng(0).standard_normal(1500)
    cycle = 5 + 10 * np.cos(2 * np.pi * years + 1) + 3 * np.sin(6 * np.pi * years)
    found = surrogates.remove_annual_cycle(np.array([cycle + noise, noise]), years)
    np.testing.assert_allclose(found[0], found[1], atol=1e-10)
    assert np.corrcoef(found[0], noise)[0, 1] > 0.99
    gap = np.where(days == 700, np.nan, cycle + noise)
    assert np.flatnonzero(np.isnan(surrogates.remove_annual_cycle(gap, years))).tolist() == [700]


def test_no_anomalies_without_a_year_or_without_anything_but_the_cycle():
    years = np.arange(1500) / 365.2425
    short = np.where(years < 0.9, np.random.default_rng(0).standard_normal(1500), np.nan)
    assert np.isnan(surrogates.remove_annual_cycle(short, years)).all()
    assert np.isnan(surrogates.remove_annual_cycle(np.cos(2 * np.pi * years), years)).all()


def test_compiled_surrogate_test_equals_the_plain_one():
    rng = np.random.default_rng(4)
    series = rng.standard_normal(120)
    targets = series + 2.0 * rng.standard_normal((3, 120))
    targets[2, 30:33] = np.nan
    chosen = Settings(surrogates=150, seed=3)
    plain = cross_map.surrogate_test(series, targets, replace(chosen, compiled=False), 1)
    fast = cross_map.surrogate_test(series, targets, replace(chosen, compiled=True), 1)
    np.testing.assert_array_equal(fast[0], plain[0])
    np.testing.assert_allclose(fast[1], plain[1], atol=1e-12)


def test_surrogate_p_value_is_that_of_the_definition():
    rng = np.random.default_rng(4)
    series = rng.standard_normal(120)
    target = series + 2.0 * rng.standard_normal(120)
    chosen = Settings(surrogates=39, seed=3)
    p, tested = cross_map.surrogate_test(series, target[None], chosen, 0)
    copies = next(surrogates.phase_surrogates(target, 39, 3, batch=39))
    null = [slow.skill(series, copy, 2, 1)[0] for copy in copies]
    rho = slow.skill(series, target, 2, 1)[0]
    assert tested[0] == pytest.approx(rho, abs=1e-12)
    assert p[0] == (1 + sum(one >= rho for one in null)) / 40
    assert 1 / 40 < p[0] < 1
