"""Drivers as references: in the units of the observation or refused, matched by the training part, scored alike."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.scored import daily, world
from xdrought.provenance import without_record
from xdrought.verification import compare_models, mean_variance_matching, persistence_forecast, to_table, verify


def reanalysis(seen: xr.DataArray) -> xr.DataArray:
    """The observation, shrunk, shifted and noisy, in m3 m-3."""
    noise = np.random.default_rng(7).standard_normal(seen.shape)
    return (0.003 * (seen + noise) + 0.1).assign_attrs(units="m3 m-3").rename("swvl1")


def test_a_driver_stands_among_the_references_with_its_skill():
    forecast, seen = world()
    driver = (0.5 * seen + 12).assign_attrs(units="percent")
    with unchanged(forecast, seen, driver):
        found = verify(forecast, seen, drivers={"ERA5 soil water": driver}, n_boot=50)
    assert found.reference.values.tolist() == ["persistence", "damped_persistence", "climatology", "ERA5 soil water"]
    truth = seen.reindex_like(forecast)
    mse = ((driver.reindex_like(forecast) - truth) ** 2).mean("time")
    np.testing.assert_allclose(found.mse.sel(model="ERA5 soil water"), mse)
    expected = 1 - ((forecast - truth) ** 2).mean("time") / mse
    np.testing.assert_allclose(found.skill.sel(model="forecast", reference="ERA5 soil water"), expected)
    pooled = 1 - ((forecast - truth) ** 2).mean() / mse.mean()
    ours = found.skill_summary.sel(model="forecast", reference="ERA5 soil water", summary="pooled")
    np.testing.assert_allclose(ours, pooled)
    assert "skill against ERA5 soil water" in to_table(found).columns


def test_units_of_a_driver_are_converted_and_a_fraction_is_not_taken_for_per_cent():
    forecast, seen = world()
    fraction = (seen / 100 + 0.01).assign_attrs(units="m3 m-3")
    found = verify(forecast, seen, drivers={"era5": fraction}, n_boot=1)
    np.testing.assert_allclose(found.bias.sel(model="era5"), 1)
    with pytest.raises(ValueError, match="the driver 'era5' has no units, the observation 'percent'; set its"):
        verify(forecast, seen, drivers={"era5": fraction.drop_attrs()})
    with pytest.raises(ValueError, match="units 'K', which cannot be converted"):
        verify(forecast, seen, drivers={"era5": fraction.assign_attrs(units="K")})


def test_matching_by_hand():
    seen = daily([10.0, 30.0, 10.0, 30.0, 50.0])
    driver = daily([1.0, 2.0, np.nan, 2.0, 5.0]).drop_attrs()
    found = mean_variance_matching(driver, seen, train=slice(None, "2001-01-04"))
    # training days that both have: 1 2 2 and 10 30 30, means 5/3 and 70/3, standard deviations 1 : 20
    np.testing.assert_allclose(found, [10, 30, np.nan, 30, 90])
    assert without_record(found).attrs == seen.attrs
    still = mean_variance_matching(xr.ones_like(seen), seen, train=slice(None))
    assert np.isnan(still).all()


def test_matching_knows_the_training_part_only_and_is_lazy():
    _, seen = world(3)
    driver, train = reanalysis(seen), seen["time"] < seen["time"][600]
    expected = mean_variance_matching(driver, seen, train=train)
    np.testing.assert_allclose(expected.where(train).mean("time"), seen.where(train).mean("time"))
    np.testing.assert_allclose(expected.where(train).std("time"), seen.where(train).std("time"))
    spoiled = mean_variance_matching(driver, seen.where(train, 2.0), train=train)
    np.testing.assert_allclose(spoiled, expected)
    with raise_if_dask_computes():
        lazy = mean_variance_matching(driver.chunk(site=1), seen.chunk(site=1), train=train)
    np.testing.assert_allclose(lazy, expected)


def test_a_matched_driver_is_scored_after_matching_and_never_unasked():
    forecast, seen = world()
    driver = reanalysis(seen).drop_attrs()
    train = slice(None, "2002-08-01")
    found = verify(forecast, seen, drivers={"era5": driver}, matching="mean_variance", train=train, n_boot=1)
    matched = mean_variance_matching(driver, seen, train=train).reindex_like(forecast)
    rmse = np.sqrt(((matched - seen.reindex_like(forecast)) ** 2).mean("time"))
    np.testing.assert_allclose(found.rmse.sel(model="era5"), rmse)
    plain = verify(forecast, seen, drivers={"era5": driver.assign_attrs(units="m3 m-3")}, train=train, n_boot=1)
    assert (plain.rmse.sel(model="era5") > 2 * rmse).all()


def test_what_a_driver_said_on_the_day_of_issue_is_another_reference():
    forecast, seen = world(3)
    driver = seen + 1
    held = persistence_forecast(driver, forecast)
    found = verify(forecast, seen, drivers={"on the day": driver, "at issue": held.assign_attrs(seen.attrs)}, n_boot=1)
    np.testing.assert_allclose(found.bias.sel(model="on the day"), 1)
    expected = (found.bias.sel(model="persistence") + 1).values
    np.testing.assert_allclose(found.bias.sel(model="at issue"), expected)


def test_drivers_are_compared_with_models():
    forecast, seen = world(5)
    table = compare_models(forecast, seen, baseline="era5", drivers={"era5": seen + 5}, score="mse", n_boot=50)
    one = table[(table.model == "forecast") & (table.summary == "median")].iloc[0]
    assert one.better_sites == 5
    assert one.difference == pytest.approx(-24, abs=0.5)  # 1 less 25


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"matching": "cdf"}, "matching='cdf' is unknown; choose one of"),
        ({"drivers": {"climatology": world(2)[1]}}, "'climatology' is the name of a driver and of a model"),
        ({"drivers": {"era5": world(1)[1]}}, r"the driver 'era5' lacks 1 of the record's 2 labels along 'site' \(S1;"),
    ],
)
def test_wrong_drivers_are_refused(change, text):
    with pytest.raises(ValueError, match=text):
        verify(*world(2), **change)


def test_matching_refuses_what_it_cannot_use():
    seen = daily([1.0, 2, 3])
    with pytest.raises(ValueError, match="no dimension 'time'"):
        mean_variance_matching(seen.isel(time=0), seen, train=slice(None))
    with pytest.raises(TypeError, match="train has dtype float64; a training mask is boolean"):
        mean_variance_matching(seen, seen, train=seen)
