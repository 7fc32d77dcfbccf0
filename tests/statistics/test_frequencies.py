"""How often something happened, by season and by percentile, equals plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from xdrought.statistics.frequencies import percentile_bin, percentile_frequency, season_frequency


def test_frequencies_by_loops():
    rng = np.random.default_rng(2)
    begins, known = rng.random((2, 3, 900)) < [[[0.1]], [[0.8]]]
    day = np.arange(900) % 365
    pool, sites = season_frequency(begins, known, day)
    for d in (0, 100, 364):
        near = np.array([min(abs(k - d), 365 - abs(k - d)) <= 30 for k in day])
        expected = begins[known & near].mean()
        assert pool[d] == pytest.approx(expected)
        for site in range(3):
            own = begins[site, known[site] & near]
            assert sites[site, d] == pytest.approx((own.sum() + 200 * expected) / (own.size + 200))
    percentile = rng.uniform(0, 100, 900)
    percentile[:2] = 0, 100
    table = percentile_frequency(begins[0].astype(float), percentile, 20)
    for k in range(20):
        inside = (percentile >= 5 * k) & ((percentile < 5 * k + 5) | (k == 19))
        assert table[k] == pytest.approx(begins[0, inside].mean())
    unseen = percentile_frequency(np.array([0.0, 1.0]), np.array([1.0, 2.0]), 20)
    assert unseen.tolist() == [0.5] * 20


def test_bins_of_percentiles_are_of_equal_width_and_missing_ones_are_in_the_first():
    assert percentile_bin(np.array([0.0, 9.9, 10.0, 95.0, 100.0, np.nan]), 10).tolist() == [0, 0, 1, 9, 9, 0]
