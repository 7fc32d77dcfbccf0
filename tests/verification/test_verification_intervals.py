"""Intervals of scores: equal to plain loops, honest when few, and as often right as they say where skill is known."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.support.scored import world
from xdrought.kernels import score_sums as score_kernel
from xdrought.statistics import bootstrap as kernel
from xdrought.verification import compare_models, verify

ROOT = Path(__file__).parents[2]


def squared_errors(forecast, seen) -> np.ndarray:
    return ((forecast - seen.reindex_like(forecast)) ** 2).values


def log_rmse_and_error(units: list[tuple[float, int]]) -> tuple[float, float]:
    """Logarithm of the RMSE of units (sum of squared errors, days), and its jackknife error, one unit out at a time."""
    total, days = sum(unit[0] for unit in units), sum(unit[1] for unit in units)
    without = [0.5 * np.log((total - one) / (days - n)) for one, n in units]
    spread = sum((value - np.mean(without)) ** 2 for value in without)
    return 0.5 * np.log(total / days), np.sqrt((len(units) - 1) / len(units) * spread)


def bootstrap_t(units, samples) -> list[float]:
    """RMSE interval: as far as the 95th percentile of |resampled - value| / resampled error, times the error."""
    value, error = log_rmse_and_error(units)
    t = []
    for sample in samples:
        resampled, resampled_error = log_rmse_and_error(sample)
        t.append(abs(resampled - value) / resampled_error)
    reach = np.quantile(t, 0.95) * error
    return [np.exp(value - reach), np.exp(value + reach)]


def test_one_site_is_resampled_in_blocks_of_days():
    forecast, seen = world(1)
    found = verify(forecast, seen, n_boot=60, seed=4, block_length=50)
    assert found.attrs["interval"] == "95 % block bootstrap of one site, blocks of 50 steps"
    blocks = [(one.sum(), 50) for one in squared_errors(forecast, seen)[0].reshape(6, 50)]
    drawn = np.random.default_rng([4, 1]).integers(6, size=(60, 6))
    expected = bootstrap_t(blocks, [[blocks[k] for k in row] for row in drawn])
    ours = found.rmse_interval.sel(model="forecast")
    np.testing.assert_allclose(ours.sel(summary="pooled"), expected, rtol=1e-9)
    np.testing.assert_allclose(ours.sel(summary="median"), expected, rtol=1e-9)
    np.testing.assert_allclose(found.rmse_site_interval.sel(model="forecast")[0], expected, rtol=1e-9)


def test_the_pool_is_resampled_in_sites_and_blocks_of_days_within():
    forecast, seen = world(5)
    found = verify(forecast, seen, n_boot=60, seed=4, block_length=50)
    error = squared_errors(forecast, seen)
    versions = []  # each site with its days drawn sixty times
    for k in range(5):
        blocks = error[k].reshape(6, 50).sum(axis=1)
        drawn = np.random.default_rng([4, k + 1]).integers(6, size=(60, 6))
        versions.append([(blocks[row].sum(), 300) for row in drawn])
    rng = np.random.default_rng([4, 0])
    sites, which = rng.integers(5, size=(60, 5)), rng.integers(60, size=(60, 5))
    samples = [[versions[k][v] for k, v in zip(*rows, strict=True)] for rows in zip(sites, which, strict=True)]
    expected = bootstrap_t([(one.sum(), 300) for one in error], samples)
    ours = found.rmse_interval.sel(model="forecast")
    np.testing.assert_allclose(ours.sel(summary="pooled"), expected, rtol=1e-9)
    # the median: drawn sites, tails widened to those of Student's t with four degrees of freedom
    rmse = np.sqrt(error.mean(axis=1))
    tail = stats.norm.cdf(np.sqrt(5 / 4) * stats.t.ppf(0.025, 4))
    medians = np.quantile([np.median(rmse[row]) for row in sites], [tail, 1 - tail])
    np.testing.assert_allclose(ours.sel(summary="median"), medians, rtol=1e-9)


def test_a_site_has_the_interval_that_it_has_alone():
    forecast, seen = world(3)
    together = verify(forecast, seen, n_boot=80).nse_site_interval.sel(site="S0")
    alone = verify(forecast.isel(site=[0]), seen, n_boot=80).nse_site_interval.sel(site="S0")
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_blocks_begin_on_the_first_scored_day_and_empty_ones_are_dropped():
    daily = np.zeros((2, 100, 13))
    daily[:, 10:, 0] = 1
    daily[:, 40:60, 0] = 0
    assert kernel.blocks(daily, 10)[0, :, 0].tolist() == [10] * 7  # days 10 to 39 and 60 to 99
    assert kernel.blocks(daily, 25)[1, :, 0].tolist() == [25, 5, 25, 15]  # from 10, 35, 60 and 85 on
    assert kernel.blocks(daily, None)[0, :, 0].tolist() == [30, 10, 30]  # 30 steps at least
    long = np.ones((1, 1201, 13))
    assert kernel.blocks(long, None)[0, :, 0].tolist() == [101] * 11 + [90]  # a twelfth, rounded up
    assert kernel.blocks(daily * 0, 10).shape == (2, 0, 13)


def test_too_few_blocks_make_no_interval_and_say_so():
    forecast, seen = world(1)
    whole = verify(forecast, seen, n_boot=50, block_length=120)
    assert whole.attrs["interval"].startswith("no interval: one site, 3 of the 4 blocks that it takes")
    assert np.isnan(whole.rmse_interval).all()
    forecast, seen = world(2)
    found = verify(forecast.where((forecast["site"] == "S0") | (forecast["time"] < forecast["time"][40])), seen)
    assert np.isfinite(found.rmse_site_interval.sel(site="S0")).all()
    assert np.isnan(found.rmse_site_interval.sel(site="S1")).all()


@pytest.mark.parametrize("name", score_kernel.SCORES)
def test_the_scale_without_ends_goes_there_and_back(name):
    values = np.array([0.01, 0.3, 0.99])
    np.testing.assert_allclose(score_kernel.bounded(name, score_kernel.unbounded(name, values)), values, rtol=1e-12)
    assert np.diff(score_kernel.unbounded(name, values)).min() > 0


def test_intervals_stay_where_scores_can_be():
    forecast, seen = world(4)
    close = seen + 0.05 * (forecast - seen)
    found = verify(close, seen, n_boot=200)
    for name in ("nse", "kge", "correlation", "anomaly_correlation", "skill"):
        assert (found[f"{name}_interval"].sel(model="forecast") <= 1).all()
    for name in ("rmse", "mse", "mae"):
        assert (found[f"{name}_interval"] >= 0).all()


def test_a_perfect_forecast_has_no_uncertainty():
    forecast, seen = world(6)
    perfect = verify(seen.reindex_like(forecast), seen, lead=7, n_boot=50).sel(model="forecast")
    np.testing.assert_allclose(perfect.rmse_interval, 0)
    np.testing.assert_allclose(perfect.nse_interval, 1)
    itself = verify(forecast, seen, n_boot=50).skill_interval.sel(model="persistence", reference="persistence")
    np.testing.assert_allclose(itself, 0, atol=1e-12)


def test_p_values_and_intervals_agree():
    rng = np.random.default_rng(0)
    samples = rng.normal(rng.uniform(-3, 3, (200, 1)), 1, (200, 999))
    low, high = kernel.percentile_bounds(samples, 0.95, 12).T
    assert ((kernel.percentile_p_value(samples, 12) < 0.05) == ((low > 0) | (high < 0))).mean() > 0.95
    found = kernel.Studentised(rng.uniform(-4, 4, 200), np.ones(200), rng.standard_t(6, (200, 999)))
    low, high = kernel.studentised_bounds(found, 0.95).T
    assert ((kernel.studentised_p_value(found) < 0.05) == ((low > 0) | (high < 0))).mean() > 0.95


def test_expanded_percentiles_of_normal_samples_are_those_of_student():
    samples = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000) * np.sqrt(7 / 8)  # of the mean of 8, as drawn
    expected = stats.t.ppf([0.025, 0.975], 7)
    np.testing.assert_allclose(kernel.percentile_bounds(samples, 0.95, 8), expected, rtol=1e-3)


# on forecasts of known skill


@pytest.fixture(scope="module")
def simulation():
    return runpy.run_path(str(ROOT / "docs" / "studies" / "bootstrap_coverage.py"))


def test_the_true_scores_of_a_simulated_site_are_those_of_a_very_long_record(simulation):
    long = simulation["World"](sites=5, years=150)
    forecasts, observed = simulation["simulate"](long, np.random.default_rng(0))
    found = verify(forecasts, observed, lead=7, references="persistence", n_boot=1).isel(model=0, reference=0)
    for name, truth in simulation["truths"](long, observed)["site"].items():
        to_one = 0 if name == "bias" else 1  # one less an efficiency is what has an error in proportion
        np.testing.assert_allclose(to_one - found[name], to_one - truth, rtol=0.08, atol=0.05, err_msg=name)


def test_the_true_median_and_pool_are_those_of_very_many_sites(simulation):
    world = simulation["World"]()
    rng = np.random.default_rng(0)
    size2 = (world.error * np.exp(world.error_spread * rng.standard_normal(1_000_000))) ** 2
    scale2 = np.exp(world.spread * rng.standard_normal(1_000_000)) ** 2
    truth = simulation["truths"](world, simulation["simulate"](world, rng)[1])
    held = simulation["persistence_error"](world)
    by_site = {"rmse": size2**0.5, "nse": 1 - size2 / scale2, "skill": 1 - size2 / (held * scale2)}
    for name, scores in by_site.items():
        assert truth["median"][name] == pytest.approx(np.median(scores), abs=0.002)
    error2, variance = size2.mean(), scale2.mean() + world.means**2
    pooled = {"rmse": error2**0.5, "nse": 1 - error2 / variance, "skill": 1 - error2 / (held * scale2.mean())}
    for name, score in pooled.items():
        assert truth["pooled"][name] == pytest.approx(score, abs=0.002)


def test_ninety_five_per_cent_intervals_hold_the_truth_nine_times_of_ten_and_more(simulation):
    table = simulation["covered"](simulation["World"](), 50, seed=3)
    assert table.loc[["rmse", "skill"], "site"].between(0.90, 0.98).all()  # of 650 intervals
    assert table.to_numpy().min() >= 0.82  # of 50: four standard deviations below 0.95
    narrow = simulation["covered"](simulation["World"](), 10, seed=3, confidence=0.6)
    assert narrow.loc[["rmse", "skill"], "site"].max() < 0.75  # the test can fail


def test_two_models_of_equal_skill_are_seldom_told_apart(simulation):
    rate = simulation["false_alarms"](simulation["World"](), 40, seed=5)
    assert max(rate.values()) <= 6 / 40  # more than 6 of 40 have a chance of 1 in 300 at 5 %


# differences


def test_differences_are_paired():
    forecast, seen = world(6)
    scores = verify({"a": forecast, "b": forecast + 0.5}, seen, n_boot=5)
    table = compare_models({"a": forecast, "b": forecast + 0.5}, seen, score=["nse", "rmse"], n_boot=300)
    rows = table.set_index(["score", "summary", "model", "other"])
    for name in ("nse", "rmse"):
        by_site = scores[name].sel(model="a") - scores[name].sel(model="b")
        one = rows.loc[(name, "median", "a", "b")]
        assert one.difference == pytest.approx(by_site.median().item())
        assert (one.better_sites, one.worse_sites, one.sites) == (6, 0, 6)
        summary = scores[f"{name}_summary"].sel(summary="pooled")
        expected = (summary.sel(model="a") - summary.sel(model="b")).item()
        assert rows.loc[(name, "pooled", "a", "b")].difference == pytest.approx(expected)
    assert len(table) == 2 * 2 * 10  # pairs of two models and three references
    assert (table.lower <= table.upper).all()
    assert rows.loc[("nse", "pooled", "a", "b")].lower > 0  # one is the other and a shift: surely better
    assert rows.loc[("rmse", "pooled", "a", "b")].upper < 0
    assert rows.loc[("nse", "pooled", "a", "b")].p_value < 0.05


def test_a_baseline_stands_second_in_every_row():
    forecast, seen = world(4)
    table = compare_models(forecast, seen, baseline="persistence", n_boot=50)
    assert table.other.unique().tolist() == ["persistence"]
    assert table.model.tolist() == ["forecast", "damped_persistence", "climatology"] * 2
    every = compare_models(forecast, seen, n_boot=50)
    one = table[(table.model == "forecast") & (table.summary == "pooled")].iloc[0]
    same = every[(every.model == "forecast") & (every.other == "persistence") & (every.summary == "pooled")].iloc[0]
    assert one.lower == pytest.approx(same.lower)


def test_pairs_are_better_known_than_their_members():
    forecast, seen = world(8)
    near = forecast + 0.1 * np.random.default_rng(2).standard_normal(forecast.shape)
    scores = verify({"a": forecast, "b": near}, seen, n_boot=300)
    pooled = compare_models({"a": forecast, "b": near}, seen, n_boot=300).set_index(["summary", "model", "other"])
    one = pooled.loc[("pooled", "a", "b")]
    single = scores.nse_interval.sel(model="a", summary="pooled")
    assert one.upper - one.lower < 0.3 * (single[1] - single[0])


def test_many_tests_are_corrected_for():
    from scipy.stats import false_discovery_control

    forecast, seen = world(6)
    models = {f"m{k}": forecast + 0.02 * k for k in range(3)}
    tables = {way: compare_models(models, seen, fdr=way, n_boot=200) for way in (None, "bh", "holm")}
    for summary in ("median", "pooled"):
        raw, fdr, holm = (table[table.summary == summary] for table in tables.values())
        p = raw.p_value.to_numpy()
        np.testing.assert_allclose(raw.p_value_adjusted, p)
        np.testing.assert_allclose(fdr.p_value_adjusted, false_discovery_control(p))
        expected = []  # Holm 1979: the k-th smallest of n times n - k + 1, never below a smaller one's, at most 1
        for own in p:
            ranked = sorted(p)
            steps = [min(1.0, (p.size - k) * one) for k, one in enumerate(ranked) if one <= own]
            expected.append(max(steps))
        np.testing.assert_allclose(holm.p_value_adjusted, expected)


def test_a_single_site_is_compared_in_its_blocks_of_days():
    forecast, seen = world(1)
    table = compare_models(forecast, seen, baseline="climatology", n_boot=100).set_index(["summary", "model"])
    median, pooled = (table.loc[(name, "forecast")] for name in ("median", "pooled"))
    assert (median.lower, median.upper, median.p_value) == (pooled.lower, pooled.upper, pooled.p_value)
    nothing = compare_models(forecast, seen, baseline="climatology", n_boot=10, block_length=300)
    assert nothing[["lower", "upper", "p_value", "p_value_adjusted"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"score": "bias"}, r"score=\('bias',\); choose from \['rmse', 'mse'"),
        ({"fdr": "bonferroni"}, r"fdr='bonferroni' is unknown; choose one of \['bh', 'by', 'holm', None\]"),
        ({"baseline": "luck"}, "no model or reference 'luck'; choose one of"),
        ({"n_boot": 0}, "n_boot=0"),
    ],
)
def test_wrong_comparisons_are_refused(change, text):
    with pytest.raises(ValueError, match=text):
        compare_models(*world(2), **change)
