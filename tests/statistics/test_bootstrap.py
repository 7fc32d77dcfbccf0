"""Bootstrap samples as weights, and percentile intervals, against samples and sorting written out."""

from __future__ import annotations

import numpy as np
import pytest

from xdrought.statistics import bootstrap_weights, percentile_interval


def test_weights_are_counts_of_a_sample_with_replacement():
    weights = bootstrap_weights(5, 4000, np.random.default_rng(0))
    assert weights.shape == (4000, 5)
    assert (weights.sum(axis=1) == 5).all()
    # the counts of one site are binomial with 5 draws of probability 1/5
    expected = [0.8**5, 5 * 0.2 * 0.8**4, 10 * 0.2**2 * 0.8**3]
    shares = [(weights[:, 2] == k).mean() for k in range(3)]
    np.testing.assert_allclose(shares, expected, atol=4 * (0.25 / 4000) ** 0.5)
    assert bootstrap_weights(0, 3, np.random.default_rng(0)).shape == (3, 0)


def by_sorting(samples: list[float], share: float) -> float:
    """Linear interpolation between the sorted samples, which are at 0, 1/(n-1), ... 1."""
    known = sorted(s for s in samples if s == s)
    place = share * (len(known) - 1)
    k = min(int(place), len(known) - 2)
    return known[k] + (place - k) * (known[k + 1] - known[k])


@pytest.mark.parametrize("gaps", [0, 30])
def test_interval_is_between_sorted_samples(gaps):
    samples = np.random.default_rng(1).standard_normal((3, 201))
    samples[1, :gaps] = np.nan
    lower, upper = percentile_interval(samples, 0.9)
    for k in range(3):
        assert lower[k] == pytest.approx(by_sorting(list(samples[k]), 0.05), abs=1e-12)
        assert upper[k] == pytest.approx(by_sorting(list(samples[k]), 0.95), abs=1e-12)


def test_interval_without_samples_is_nan():
    lower, upper = percentile_interval(np.full((2, 7), np.nan), 0.95)
    assert np.isnan([lower, upper]).all()
    assert lower.shape == upper.shape == (2,)
