"""LOWESS against a slow reference that fits one weighted line at a time, and against another program's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdrought.statistics.trends import lowess
from xdrought.study.degree_skill import Resampling, curve_with_band


def slow_lowess(x, y, at, fraction=2 / 3, iterations=3):
    """Cleveland's, in loops: the nearest points, tricube weights, a line, bisquare weights of what it misses."""
    near = int(np.clip(fraction * len(x) + 1e-10, 2, len(x)))
    trust = np.ones(len(x))

    def value(point):
        distance = np.abs(x - point)
        radius = np.sort(distance)[near - 1]
        weight = np.array([float(d == 0) if radius == 0 else max(0.0, 1 - (d / radius) ** 3) ** 3 for d in distance])
        weight = weight * trust
        if np.unique(x[weight > 0]).size < 2:
            return np.average(y, weights=weight)
        root = np.sqrt(weight)
        line = np.linalg.lstsq(np.stack([root, root * (x - point)], 1), root * y, rcond=None)[0]
        return line[0]

    for _ in range(iterations):
        miss = np.array([y[k] - value(x[k]) for k in range(len(x))])
        typical = 6 * np.median(np.abs(miss))
        if typical < 1e-12 * np.abs(y).max():
            break
        trust = np.array([max(0.0, 1 - (m / typical) ** 2) ** 2 for m in miss])
    return np.array([value(point) for point in at])


@given(st.integers(5, 40), st.integers(0, 10**6), st.sampled_from([0.4, 2 / 3, 1.0]), st.booleans())
def test_equals_the_slow_reference(n, seed, fraction, ties):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    x = np.round(x * 2) / 2 if ties else x
    y = np.sin(2 * x) + 0.3 * rng.standard_t(2, n)
    if np.ptp(x) > 0:
        np.testing.assert_allclose(lowess(x, y, x, fraction, 0), slow_lowess(x, y, x, fraction, 0), atol=1e-7)
        assert np.isfinite(lowess(x, y, x, fraction, 3)).all()


@pytest.mark.parametrize("seed", range(6))
def test_robust_rounds_equal_the_slow_reference(seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 4, 50)
    y = np.sin(2 * x) + 0.3 * rng.standard_t(2, 50)
    np.testing.assert_allclose(lowess(x, y, x), slow_lowess(x, y, x), atol=1e-10)


def test_equals_statsmodels():
    """``lowess(y, x, frac=0.5, it=3)`` of statsmodels 0.14."""
    y = np.array([1.0, 3, 2, 5, 4, 9, 6, 8])
    expected = [1.34783877, 2.14103935, 3.15214611, 3.87311068, 5.68537039, 6.54765692, 7.39085367, 7.47630008]
    np.testing.assert_allclose(lowess(np.arange(8.0), y, np.arange(8.0), 0.5, 3), expected, atol=1e-8)


def test_a_line_is_a_line_and_an_outlier_does_not_bend_it():
    x = np.arange(30.0)
    np.testing.assert_allclose(lowess(x, 2 * x - 1, np.array([0.0, 7.3, 29])), [-1, 13.6, 57], atol=1e-10)
    rough = 2 * x - 1 + 0.1 * np.cos(x)
    bent = rough.copy()
    bent[15] += 100
    assert np.abs(lowess(x, bent, x) - lowess(x, rough, x)).max() < 0.2
    assert np.abs(lowess(x, bent, x, iterations=0) - lowess(x, rough, x, iterations=0)).max() > 2


def test_many_points_are_fitted_at_some_and_joined():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 6, 400)
    y = np.sin(x) + 0.3 * rng.normal(size=400)
    at = np.linspace(0.1, 5.9, 25)
    assert np.abs(lowess(x, y, at) - slow_lowess(x, y, at)).max() < 0.01


def test_edges():
    one = np.ones(1)
    assert np.isnan(lowess(one, one, one)).all()
    np.testing.assert_allclose(lowess(np.zeros(4), np.arange(4.0), np.zeros(1), iterations=0), [1.5])
    outside = lowess(np.arange(5.0), np.arange(5.0), np.array([-1, 2.0, 5.0]))
    np.testing.assert_allclose(outside, [np.nan, 2, np.nan])


def test_a_band_over_sites_is_wider_than_one_over_points():
    """20 sites of 10 points that share the site's error: as 200 independent points they would seem certain."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 200)
    site = np.repeat(np.arange(20), 10)
    y = rng.normal(0, 1, 20)[site] + 0.1 * rng.normal(size=200)
    how = Resampling(0.95, 200, 0)
    by_site, by_point = (curve_with_band(x, y, place, 11, 2 / 3, how) for place in (site, np.arange(200)))
    widths = [np.mean(curve.y[2] - curve.y[1]) for curve in (by_site, by_point)]
    assert widths[0] > 1.8 * widths[1]
    np.testing.assert_array_equal(by_site.y[0], by_point.y[0])
    assert (by_site.y[1] <= by_site.y[0] + 1e-9).all()


def test_a_curve_needs_three_points():
    curve = curve_with_band(np.array([1.0, 2]), np.array([1.0, 2]), np.arange(2), 4, 0.5, Resampling(0.95, 10, 0))
    assert np.isnan(curve.x).all()
    assert curve.y.shape == (3, 4)
    assert np.isnan(curve.y).all()
