"""Scores of all samples by run: worked by hand, on the days of all others, training and test part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import t

from tests.support.helpers import unchanged
from xdrought.verification import generalization_ability, verify

DAYS = pd.date_range("2001-01-01", periods=5)


def by_hand() -> tuple[xr.DataArray, xr.DataArray]:
    """Two sites of four scored days (the first one is the day of issue) and three runs with errors 1, 2 and -1."""
    coords = {"site": ["A", "B"], "time": DAYS}
    observed = xr.DataArray(
        [[0.0, 1, 2, 3, 4], [5.0, 5, 6, 7, 8]], coords, ("site", "time"), attrs={"units": "percent"}
    )
    errors = xr.DataArray([1.0, 2.0, -1.0], dims="run")
    return (observed[:, 1:] + errors).transpose("run", "site", "time").assign_attrs(units="percent"), observed


def test_scores_by_run_worked_by_hand():
    forecast, observed = by_hand()
    with unchanged(forecast, observed):
        scores = verify(forecast, observed, references="persistence", lead=1, n_boot=1)
    own = scores.sel(model="forecast")
    # observations 1 2 3 4 5 6 7 8: mean 4.5, sum of squares around it 42; errors are constant
    np.testing.assert_allclose(own.rmse_run, [1, 2, 1])
    np.testing.assert_allclose(own.bias_run, [1, 2, -1])
    np.testing.assert_allclose(own.nse_run, [1 - 8 / 42, 1 - 32 / 42, 1 - 8 / 42])
    # correlation and spread are perfect, the mean is 5.5, 6.5 and 3.5 instead of 4.5
    np.testing.assert_allclose(own.kge_run, [1 - 1 / 4.5, 1 - 2 / 4.5, 1 - 1 / 4.5])
    assert own.nse_run_mean.item() == pytest.approx(1 - 16 / 42)
    spread = np.std([1, 2, 1], ddof=1) / np.sqrt(3) * t.ppf(0.975, 2)
    np.testing.assert_allclose(own.rmse_run_interval, [4 / 3 - spread, 4 / 3 + spread])
    assert scores.rmse_run.attrs["units"] == "percent"
    assert "95% interval of the mean over runs" in scores.nse_run_interval.attrs["long_name"]
    # the ensemble mean has the error 2 / 3; what is scored beside the runs is as before
    assert own.rmse_summary.sel(summary="pooled").item() == pytest.approx(2 / 3)
    # persistence is one day behind: errors 1 1 1 1 and 0 1 1 1, the same in every run, without an interval
    held = scores.sel(model="persistence")
    np.testing.assert_allclose(held.rmse_run, np.sqrt(7 / 8))
    assert held.rmse_run_mean.item() == pytest.approx(np.sqrt(7 / 8))
    assert np.isnan(held.rmse_run_interval).all()


def test_each_run_is_scored_on_the_days_that_all_have():
    forecast, observed = by_hand()
    forecast = forecast.where((forecast["run"] != 1) | (forecast["time"] != DAYS[2]))  # one run lacks two samples
    scores = verify(
        {"net": forecast, "one": forecast.isel(run=0)}, observed, references="persistence", lead=1, n_boot=1
    )
    days = [0, 2, 3]
    for run, error in enumerate([1, 2, -1]):
        alone = verify((observed[:, 1:] + error)[:, days], observed, references="persistence", lead=1, n_boot=1).sel(
            model="forecast"
        )
        for name in ("rmse", "nse", "kge", "correlation"):
            expected = alone[f"{name}_summary"].sel(summary="pooled").item()
            assert scores[f"{name}_run"].sel(model="net")[run].item() == pytest.approx(expected)
    np.testing.assert_allclose(scores.rmse_run.sel(model="one"), 1)  # a model without runs is the same in each


def test_units_site_order_and_a_single_run():
    forecast, observed = by_hand()
    expected = verify(forecast, observed, references="persistence", lead=1, n_boot=1)
    fraction = (forecast / 100).assign_attrs(units="m3 m-3").transpose("time", "run", "site")
    other = verify(fraction, observed, references="persistence", lead=1, n_boot=1)
    for name in ("rmse_run", "nse_run_mean", "kge_run_interval"):
        np.testing.assert_allclose(other[name], expected[name])
    single = verify(forecast.isel(run=[0]), observed, references="persistence", lead=1, n_boot=1)
    assert single.nse_run.sizes["run"] == 1
    assert np.isnan(single.nse_run_interval).all()
    without = verify(forecast.isel(run=0), observed, references="persistence", lead=1, n_boot=1)
    assert "nse_run" not in without
    np.testing.assert_allclose(
        single.nse_run.sel(model="forecast"), without.nse_summary.sel(model="forecast", summary=["pooled"])
    )


def test_generalization_ability_of_each_run():
    forecast, observed = by_hand()
    options = {"references": "persistence", "lead": 1, "n_boot": 1}
    training, test = (
        verify(forecast, observed, **options),
        verify(observed[:, 1:] + 2 * (forecast - observed[:, 1:]), observed, **options),
    )
    ability = generalization_ability(training, test)
    np.testing.assert_allclose(ability.ga_run.sel(model="forecast"), 0.5)  # errors are doubled
    np.testing.assert_allclose(ability.ga_run_mean.sel(model="forecast"), 0.5)
    other = test.assign(rmse_run=test.rmse_run * [1, 2, 4])
    by_run = generalization_ability(training, other).sel(model="forecast")
    np.testing.assert_allclose(by_run.ga_run, [0.5, 0.25, 0.125])
    middle, reach = 0.875 / 3, np.std([0.5, 0.25, 0.125], ddof=1) / np.sqrt(3) * t.ppf(0.975, 2)
    np.testing.assert_allclose(by_run.ga_run_interval, [middle - reach, middle + reach])
    assert "ga_run" not in generalization_ability(training.drop_vars("rmse_run"), test)
