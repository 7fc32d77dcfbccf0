"""The nested bootstrap: equal to drawing site by site and run by run, and right where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from xdrought.statistics.bootstrap import bootstrap_medians


def one_by_one(scores: np.ndarray, n_boot: int, seed: int) -> np.ndarray:
    """The same draws, written out."""
    n_model, n_run, n_site = scores.shape
    rng, found = np.random.default_rng(seed), np.empty((n_model, n_boot))
    for b in range(n_boot):
        sites = rng.integers(n_site, size=n_site)
        runs = rng.integers(n_run, size=(n_run, n_site))
        for m in range(n_model):
            means = []
            for position, site in enumerate(sites):
                means.append(sum(scores[m, runs[k, position], site] for k in range(n_run)) / n_run)
            found[m, b] = np.median(means)
    return found


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (3, 1, 4), (2, 5, 1)])
def test_equal_to_drawing_one_by_one(shape):
    scores = np.random.default_rng(1).normal(size=shape)
    np.testing.assert_allclose(bootstrap_medians(scores, 20, 7), one_by_one(scores, 20, 7))


def test_models_are_paired_and_a_constant_stays():
    scores = np.random.default_rng(2).normal(size=(1, 3, 9))
    both = bootstrap_medians(np.concatenate([scores, scores + 1]), 50, 0)
    np.testing.assert_allclose(both[1] - both[0], 1)
    assert (bootstrap_medians(np.full((1, 2, 4), 0.25), 10, 0) == 0.25).all()


def test_no_sites_give_no_samples():
    assert np.isnan(bootstrap_medians(np.empty((2, 3, 0)), 5, 0)).all()


def test_the_spread_is_that_of_a_median_of_sites():
    scores = np.random.default_rng(3).normal(size=(1, 1, 400))
    spread = bootstrap_medians(scores, 500, 0).std()
    assert spread == pytest.approx(np.sqrt(np.pi / 2 / 400), rel=0.25)  # of a median of normal numbers
