"""The trend of a Poisson rate: that of a regression found another way, a test and an interval that hold their level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from xdrought.statistics.trends import rate_trend

YEARS = np.arange(1991.0, 2021.0)


def regression(counts: np.ndarray, exposure: np.ndarray) -> float:
    """Slope of a Poisson regression with the logarithm of the exposure as offset, by a general optimiser."""
    t = YEARS - YEARS.mean()

    def minus_likelihood(p: np.ndarray) -> float:
        log_rate = p[0] + p[1] * t
        return float((exposure * np.exp(log_rate) - counts * log_rate).sum())

    return float(minimize(minus_likelihood, [0.0, 0.0], method="BFGS", options={"gtol": 1e-8}).x[1])


def test_the_trend_is_that_of_a_poisson_regression():
    rng = np.random.default_rng(0)
    exposure = rng.uniform(0.3, 1.0, (20, YEARS.size))
    counts = rng.poisson(exposure * np.exp(0.03 * (YEARS - 2005)))
    found = rate_trend(counts, exposure, YEARS, 0.95)
    expected = [regression(*both) for both in zip(counts, exposure, strict=True)]
    np.testing.assert_allclose(found.slope, expected, atol=1e-5)
    assert ((found.lower < found.slope) & (found.slope < found.upper)).all()


def test_the_interval_holds_no_trend_exactly_when_the_test_does_not_refuse_it():
    counts = np.random.default_rng(1).poisson(0.8, (500, YEARS.size))
    found = rate_trend(counts, np.ones(counts.shape), YEARS, 0.9)
    np.testing.assert_array_equal((found.lower <= 0) & (found.upper >= 0), found.p_value >= 0.1)


@pytest.mark.parametrize(("rate", "slope"), [(0.3, 0.0), (1.0, 0.0), (1.0, 0.04)])
def test_test_and_interval_hold_their_level(rate, slope):
    rng = np.random.default_rng(2)
    exposure = np.where(YEARS < 2001, 0.5, 1.0) * np.ones((4000, 1))
    counts = rng.poisson(exposure * rate * np.exp(slope * (YEARS - 2005)))
    found = rate_trend(counts, exposure, YEARS, 0.95)
    enough = counts.sum(axis=-1) >= 5
    held = ((found.lower <= slope) & (slope <= found.upper))[enough]
    assert held.mean() == pytest.approx(0.95, abs=0.012)
    if slope == 0:
        assert (found.p_value[enough] < 0.05).mean() == pytest.approx(0.05, abs=0.012)


def test_years_that_nobody_watched_and_records_that_become_complete_are_no_trend():
    exposure = np.where(YEARS < 2006, 0.2, 1.0)[None]
    found = rate_trend(exposure * 5, exposure, YEARS, 0.95)
    assert abs(found.slope[0]) < 1e-6
    assert found.p_value[0] > 0.99
    unseen = np.where(YEARS < 2006, 0.0, 1.0)[None]
    later = rate_trend(np.ones((1, 15)), np.ones((1, 15)), YEARS[15:], 0.95)
    assert rate_trend(np.ones((1, 30)), unseen, YEARS, 0.95).p_value == pytest.approx(later.p_value)


def test_no_event_says_nothing_and_all_at_one_end_has_no_bound():
    counts = np.zeros((3, YEARS.size))
    counts[1, -1], counts[2, 0] = 6, 6
    found = rate_trend(counts, np.ones(counts.shape), YEARS, 0.95)
    assert np.isnan(found.slope[0])
    assert found.slope[1] == found.upper[1] == np.inf
    assert found.slope[2] == found.lower[2] == -np.inf
    assert 0 < found.lower[1] < np.inf
