"""Intervals of classes and occurrences: equal to a plain loop, and as often right as they say."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.scored import FIVE, labelled
from xdrought.verification import class_scores, occurrence_scores
from xdrought.verification.contingency import _shares
from xdrought.verification.probability import binary_scores


def days(sites=6, n=300, seed=0) -> tuple[xr.DataArray, xr.DataArray]:
    """Classes of forecast and observation (site, time), right on about 70 % of days, some missing."""
    rng = np.random.default_rng(seed)
    seen = rng.choice(list(FIVE.values()), (sites, n), p=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    said = np.where(rng.random(seen.shape) < 0.7, seen, rng.integers(0, 5, seen.shape))
    one = labelled(np.zeros(n))
    return tuple(xr.DataArray(v.astype("int8"), dims=("site", "time"), attrs=one.attrs) for v in (said, seen))


def logit(p: float) -> float:
    return np.log(p / (1 - p))


def f1(units) -> float:
    hits, said, seen = np.sum(units, axis=0)
    return 2 * hits / (said + seen)


def bootstrap_t(units, samples) -> np.ndarray:
    def value_and_error(group):
        without = [logit(f1([*group[:k], *group[k + 1 :]])) for k in range(len(group))]
        spread = sum((one - np.mean(without)) ** 2 for one in without)
        return logit(f1(group)), np.sqrt((len(group) - 1) / len(group) * spread)

    value, error = value_and_error(units)
    t = [abs(one - value) / own for one, own in map(value_and_error, samples)]
    return 1 / (1 + np.exp(-(value + np.array([-1, 1]) * np.quantile(t, 0.95) * error)))


def test_one_site_equals_a_plain_loop():
    said, seen = (da.isel(site=[0]) for da in days())
    scores = class_scores(said, seen, n_boot=80, block_length=25, seed=3)
    both = (said.values[0] >= 0) & (seen.values[0] >= 0)
    right, forecast, observed = (
        np.where(both, one, False).reshape(12, 25).sum(axis=1)
        for one in ((said == 4) & (seen == 4), said == 4, seen == 4)
    )
    units = list(zip(right, forecast, observed, strict=True))
    drawn = np.random.default_rng([3, 1]).integers(12, size=(80, 12))
    expected = bootstrap_t(units, [[units[k] for k in row] for row in drawn])
    np.testing.assert_allclose(scores.f1_interval.sel(class_name="flash_condition"), expected, rtol=1e-9)
    same = occurrence_scores(said, seen, event="flash_condition", n_boot=80, block_length=25, seed=3)
    np.testing.assert_allclose(same.f1_pooled_interval, expected, rtol=1e-9)
    assert scores.attrs["interval"] == "95 % block bootstrap of one site, blocks of 25 steps"


def test_resampled_scores_are_those_of_the_tables():
    said, seen = days()
    scores = class_scores(said, seen)
    found = _shares(scores.confusion.values.reshape(-1))
    for name in ("precision", "recall", "f1"):
        np.testing.assert_allclose(found[name], scores[name], rtol=1e-12)
    np.testing.assert_allclose(found["accuracy"], scores.accuracy, rtol=1e-12)
    wet = occurrence_scores(said, seen)
    dry = [3, 4]
    known = (said >= 0) & (seen >= 0)
    hit, alarm = said.isin(dry), seen.isin(dry)
    counts = [int((known & a & b).sum()) for a in (hit, ~hit) for b in (alarm, ~alarm)]
    for name, value in binary_scores(np.array(counts)).items():
        assert value[0] == pytest.approx(wet[f"{name}_pooled"].item(), abs=1e-12), name


def test_intervals_hold_their_scores_and_change_nothing_else():
    said, seen = days()
    plain, found = class_scores(said, seen), class_scores(said, seen, n_boot=100)
    xr.testing.assert_identical(
        found[list(plain.data_vars)].drop_vars("bound", errors="ignore").drop_attrs(deep=False), plain
    )
    for name in ("precision", "recall", "f1", "accuracy"):
        low, high = (found[f"{name}_interval"].sel(bound=side) for side in ("lower", "upper"))
        assert ((low <= found[name]) & (found[name] <= high) & (low >= 0) & (high <= 1)).all()
    assert found.attrs["interval"].startswith("95 % block bootstrap nested in 6 sites")


def test_all_or_nothing_has_no_interval():
    _, seen = days()
    found = class_scores(seen, seen, n_boot=20)
    assert (found.recall == 1).all()
    assert np.isnan(found.recall_interval).all()
    assert np.isnan(occurrence_scores(seen, seen, n_boot=20).pod_pooled_interval).all()


def test_intervals_need_sites_and_days():
    said, seen = days()
    with pytest.raises(ValueError, match="no dimension 'time' in"):
        class_scores(said.rename(time="day"), seen.rename(time="day"), n_boot=10)
    lat = [da.expand_dims(lat=2) for da in (said, seen)]
    with pytest.raises(ValueError, match=r"dimensions \['lat'\] beside 'site' and 'time'; choose along them"):
        class_scores(*lat, n_boot=10)
    with pytest.raises(ValueError, match="block_length=0; it must be a whole number, 1 or more"):
        occurrence_scores(said, seen, n_boot=5, block_length=0)
    renamed = class_scores(said.rename(time="day"), seen.rename(time="day"), n_boot=10, time="day")
    assert np.isfinite(renamed.accuracy_interval).all()


def test_intervals_hold_the_true_scores_of_simulated_spells():
    simulation = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "studies" / "bootstrap_coverage.py"))
    covered = simulation["covered_spells"](13, 50)
    assert min(covered.values()) >= 0.82  # of 50: four standard deviations below 0.95
    many = simulation["simulate_spells"](3000, np.random.default_rng(0))
    scores = occurrence_scores(*many, event="flash_condition")
    for name, true in simulation["TRUE_SPELLS"].items():
        assert scores[f"{name}_pooled"].item() == pytest.approx(true, abs=0.01)
