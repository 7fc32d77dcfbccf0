"""Ranks and return periods: worked by hand, and intervals that hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import beta

from xdrought.bulletin import return_period


def yearly(values) -> xr.DataArray:
    values = np.asarray(values, float)
    return xr.DataArray(values, dims=("site", "year")[2 - values.ndim :], name="share")


def test_ranks_and_periods_of_six_years():
    found = return_period(yearly([5.0, 9.0, 1.0, 9.0, np.nan, 3.0, 2.0]))
    np.testing.assert_array_equal(found["rank"], [3, 1, 6, 1, np.nan, 4, 5])
    np.testing.assert_allclose(found.return_period, [7 / 3, 7 / 2, 7 / 6, 7 / 2, np.nan, 7 / 4, 7 / 5])
    assert found.n_years == 6
    np.testing.assert_array_equal(
        return_period(yearly([5.0, 9.0, 1.0, 9.0, 3.0, 2.0]), worst="low")["rank"], [4, 5, 1, 5, 3, 2]
    )


def test_the_interval_is_the_inverse_of_the_beta_distribution():
    found = return_period(yearly(np.arange(30.0)), confidence=0.9).isel(year=-3)
    np.testing.assert_allclose(
        [found.return_period_upper, found.return_period_lower], 1 / beta.ppf([0.05, 0.95], 3, 28)
    )


def test_records_are_independent_and_too_short_ones_say_nothing():
    rng = np.random.default_rng(2)
    values = yearly(rng.normal(size=(3, 20)))
    values[2, 4:] = np.nan
    found = return_period(values)
    for i in range(2):
        one = return_period(values[i])
        xr.testing.assert_allclose(found.isel(site=i).drop_attrs(), one.drop_attrs())
    assert found["rank"].isel(site=2).isnull().all()
    xr.testing.assert_identical(return_period(values.T).transpose("site", "year"), found)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Uniform numbers: the probability of a year as bad as x is 1 - x, exactly."""
    values = yearly(np.random.default_rng(3).uniform(size=(2000, 25)))
    found = return_period(values, confidence=0.9)
    truth = 1 / (1 - values)
    held = ((found.return_period_lower <= truth) & (truth <= found.return_period_upper)).values
    rank = found["rank"].values
    for k in (1, 2, 5, 15):
        assert held[rank == k].mean() == pytest.approx(0.9, abs=0.025)
    other = np.random.default_rng(4).uniform(size=(2000, 25))
    again = 1 + (other[:, None, :] > values.values[..., None]).sum(axis=-1)
    inside = (found.rank_lower.values <= again) & (again <= found.rank_upper.values)
    assert 0.9 <= inside[rank == 3].mean() < 0.98  # of whole numbers, a little more than asked for


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(TypeError, match="values must be a DataArray, got list"):
        return_period([1.0])
    with pytest.raises(TypeError, match="expected numbers"):
        return_period(yearly([1.0]) > 0)
    with pytest.raises(ValueError, match=r'no dimension .year. .* da.groupby\("time.year"\)'):
        return_period(xr.DataArray([1.0], dims="time"))
    with pytest.raises(ValueError, match="worst='up' is unknown"):
        return_period(yearly([1.0]), worst="up")
    with pytest.raises(ValueError, match="confidence=95"):
        return_period(yearly([1.0]), confidence=95)
