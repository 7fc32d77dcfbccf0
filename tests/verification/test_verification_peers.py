"""Scores of classes, occurrences and probabilities: equal to scikit-learn, and to the formulas written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from tests.support.scored import FIVE, labelled
from xdrought.verification import class_scores, occurrence_scores, probability_scores

sklearn = pytest.importorskip("sklearn")
from sklearn import calibration, metrics  # noqa: E402


def classes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Observed and forecast classes with the shares of the paper's Table 1."""
    rng = np.random.default_rng(seed)
    observed = rng.choice(5, 5000, p=[0.738, 0.0646, 0.0524, 0.0185, 0.1265])
    return observed, np.where(rng.random(5000) < rng.uniform(0.2, 0.9), observed, rng.integers(0, 5, 5000))


@pytest.mark.parametrize("seed", range(5))
def test_the_identities_of_table_1_hold(seed):
    observed, forecast = classes(seed)
    found = class_scores(labelled(forecast), labelled(observed))
    assert float((found.recall * found.share).sum()) == pytest.approx(float(found.accuracy), abs=1e-12)
    assert float((found.recall * found.share / found.precision).sum()) == pytest.approx(1, abs=1e-12)
    assert float(found.majority_accuracy) == pytest.approx(float(found.share.max()), abs=1e-12)
    harmonic = 2 / (1 / found.precision + 1 / found.recall)
    np.testing.assert_allclose(found.f1, harmonic, rtol=1e-12)


def test_the_published_table_nearly_keeps_the_identities_where_its_rounding_lets_it():
    """Table 1 of Tang et al. 2025, ResAttCauRec: two decimals, so the sums are known to about 0.01."""
    recall, precision = np.array([0.72, 0.64, 0.39, 0.60, 0.96]), np.array([0.60, 0.47, 0.44, 0.76, 0.96])
    share = np.array([0.0646, 0.0524, 0.0185, 0.1266, 0.7380])
    assert (recall * share).sum() == pytest.approx(0.87, abs=0.01)
    assert (recall * share / precision).sum() == pytest.approx(1, abs=0.015)


@pytest.mark.parametrize("seed", range(3))
def test_occurrences_equal_scikit_learn(seed):
    observed, forecast = classes(seed)
    found = occurrence_scores(labelled(forecast), labelled(observed))
    said, seen = np.isin(forecast, [3, 4]), np.isin(observed, [3, 4])
    assert found.pod.item() == pytest.approx(metrics.recall_score(seen, said), abs=1e-12)
    assert 1 - found.far.item() == pytest.approx(metrics.precision_score(seen, said), abs=1e-12)
    assert found.f1.item() == pytest.approx(metrics.f1_score(seen, said), abs=1e-12)
    assert found.csi.item() == pytest.approx(metrics.jaccard_score(seen, said), abs=1e-12)
    assert found.base_rate.item() == pytest.approx(seen.mean(), abs=1e-12)
    assert found.frequency_bias.item() == pytest.approx(said.sum() / seen.sum(), abs=1e-12)


def test_occurrence_scores_by_their_formulas():
    # 30 hits, 10 misses, 20 false alarms, 140 days without
    forecast = labelled([4] * 30 + [0] * 10 + [4] * 20 + [0] * 140)
    observed = labelled([4] * 40 + [0] * 160)
    found = occurrence_scores(forecast, observed)
    hit_rate, false_rate = 30 / 40, 20 / 160
    by_hand = {
        "pod": 0.75,
        "far": 0.4,
        "csi": 0.5,
        "frequency_bias": 1.25,
        "f1": 2 / 3,
        "base_rate": 0.2,
        "sedi": (math.log(false_rate) - math.log(hit_rate) - math.log(1 - false_rate) + math.log(1 - hit_rate))
        / (math.log(false_rate) + math.log(hit_rate) + math.log(1 - false_rate) + math.log(1 - hit_rate)),
    }
    for name, value in by_hand.items():
        assert found[name].item() == pytest.approx(value, abs=1e-12), name
    assert found.sedi.item() == pytest.approx(3.04452 / 3.88694, abs=1e-5)
    assert FIVE["flash_condition"] == 4


def test_brier_and_reliability_equal_scikit_learn():
    rng = np.random.default_rng(0)
    said = rng.beta(0.6, 2, 4000)
    seen = (rng.random(4000) < said**1.2).astype(float)
    found = probability_scores(xr.DataArray(said, dims="time"), xr.DataArray(seen, dims="time"))
    assert found.brier.item() == pytest.approx(metrics.brier_score_loss(seen, said), abs=1e-12)
    frequency, mean = calibration.calibration_curve(seen, said, n_bins=10)
    there = found.n_in_bin.values > 0
    np.testing.assert_allclose(found.observed_frequency[there], frequency, atol=1e-12)
    np.testing.assert_allclose(found.mean_probability[there], mean, atol=1e-12)


def test_economic_value_by_hand():
    # a base rate of 0.2; protecting on the 40 days above 0.5 meets 30 of 40 occurrences among 200 days
    said = xr.DataArray([0.9] * 30 + [0.1] * 10 + [0.9] * 10 + [0.1] * 150, dims="time")
    seen = xr.DataArray([1.0] * 40 + [0.0] * 160, dims="time")
    found = probability_scores(said, seen, cost_loss_ratio=[0.1, 0.2, 0.4])
    for ratio in (0.1, 0.2, 0.4):
        expense = (40 * ratio + 10) / 200  # protect on 40 days, and lose on 10
        without, perfect = min(ratio, 0.2), 0.2 * ratio
        value = (without - expense) / (without - perfect)
        assert found.economic_value.sel(cost_loss_ratio=ratio).item() == pytest.approx(value, abs=1e-12)
