"""The references beside every score: persistence, climatology and damped persistence, from the training part alone."""

from __future__ import annotations

import cftime
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.scored import daily, world
from xdrought.verification.references import climatology_forecast, damped_persistence_forecast, persistence_forecast
from xdrought.verification.scores import verify


def test_persistence_is_what_was_seen_on_the_day_of_issue():
    seen = daily([10.0, 11, np.nan, 13, 14, 15])
    forecast = seen[2:]
    expected = [10, 11, np.nan, 13]
    for lead in (2, np.timedelta64(2, "D"), pd.Timedelta(days=2)):
        np.testing.assert_array_equal(persistence_forecast(seen, forecast, lead=lead), expected)
    for lead_time in (np.timedelta64(2, "D"), 2):
        np.testing.assert_array_equal(persistence_forecast(seen, forecast.assign_coords(lead_time=lead_time)), expected)
    issued = forecast.assign_coords(init_time=("time", forecast.indexes["time"] - pd.Timedelta(days=2)))
    found = persistence_forecast(seen, issued)
    np.testing.assert_array_equal(found, expected)
    assert found.indexes["time"].equals(forecast.indexes["time"])
    np.testing.assert_array_equal(persistence_forecast(seen[2:], forecast, lead=2), [np.nan] * 2 + [np.nan, 13])


def test_persistence_on_another_calendar():
    time = xr.date_range("2001-02-26", periods=6, calendar="noleap", use_cftime=True)
    seen = xr.DataArray(np.arange(6.0), {"time": time}, name="sm")
    assert persistence_forecast(seen, seen[3:], lead=2).values.tolist() == [1, 2, 3]
    assert isinstance(time[0], cftime.DatetimeNoLeap)


def test_climatology_is_the_mean_of_the_training_days_around_the_date():
    seen = daily(np.arange(3 * 365.0) / 20)  # no leap year from 2001 to 2003
    found = climatology_forecast(seen, seen[730:], train=slice(None, "2002-12-31"), window=1)
    # day d of the year: days d - 1, d, d + 1 of both years, a twentieth of d + {-1, 0, 1} and 365 more
    assert found[100].item() == pytest.approx((100 + 365 / 2) / 20)
    # 1 January: 31 December, 1 and 2 January of 2001 and 2002
    assert found[0].item() == pytest.approx(np.mean([364, 0, 1, 729, 365, 366]) / 20)
    np.testing.assert_array_equal(found["time"], seen["time"][730:])
    assert found.attrs["units"] == "percent"


def test_climatology_sees_the_training_part_only():
    seen = daily(30 + np.random.default_rng(0).standard_normal((2, 900)))
    train = slice(None, "2002-12-31")
    mask = seen["time"] <= np.datetime64("2002-12-31")
    expected = climatology_forecast(seen, seen[:, 730:], train=train)
    spoiled = seen.where(mask, 99.0)
    for period in (train, (None, "2002-12-31"), mask, mask & (seen["site"] != "")):
        xr.testing.assert_allclose(climatology_forecast(spoiled, seen[:, 730:], train=period), expected)


def test_climatology_without_a_training_day_nearby_is_nan_and_29_february_has_one():
    seen = daily(np.ones(800))
    found = climatology_forecast(seen, seen, train=slice("2001-03-01", "2001-06-30"), window=5)
    known = found["time"].values[np.isfinite(found)]
    assert (known[0], known[121 + 10]) == (np.datetime64("2001-02-24"), np.datetime64("2001-07-05"))
    leap = daily(np.arange(10.0), start="2004-02-25")
    assert climatology_forecast(leap, leap, train=slice(None), window=0)[4].item() == 3.5  # 28 and 29 February


def test_damped_persistence_is_the_regression_of_anomalies_in_the_training_part():
    _, seen = world(n_site=2)
    forecast, train = seen[:, 650:], slice(None, "2002-09-30")
    found = damped_persistence_forecast(seen, forecast, train=train, lead=7)
    assert found.dims == seen.dims
    normal = climatology_forecast(seen, seen, train=train).values
    n_train = int((seen["time"] <= np.datetime64("2002-09-30")).sum())
    for k in range(2):
        anomaly = seen.values[k] - normal[k]
        a, b = anomaly[: n_train - 7], anomaly[7:n_train]
        slope = (a * b).sum() / (a * a).sum()
        assert 0 < slope < 0.95  # 0.95 ** 7 = 0.70, less what the climatology of two years takes away
        np.testing.assert_allclose(found.values[k], normal[k, 650:] + slope * anomaly[643:-7], rtol=1e-12)


def test_damped_persistence_sees_the_training_part_only_and_knows_what_is_missing():
    _, seen = world(n_site=1)
    train = slice(None, "2002-09-30")  # day 637
    expected = damped_persistence_forecast(seen, seen[:, 660:700], train=train, lead=7)
    spoiled = seen.where(seen["time"] < seen["time"][700], 99.0)
    found = damped_persistence_forecast(spoiled, seen[:, 660:700], train=train, lead=7)
    xr.testing.assert_allclose(found, expected)
    holed = seen.where(seen["time"] != seen["time"][660])
    assert np.isnan(damped_persistence_forecast(holed, seen[:, 667:668], train=train, lead=7)).all()
    constant = xr.full_like(seen, 5.0)  # no anomaly, so no regression: the climatology
    assert (damped_persistence_forecast(constant, seen[:, 660:], train=train, lead=7) == 5).all()
    mixed = seen[0, 660:].assign_coords(init_time=("time", seen["time"].values[650:-10]))
    mixed["init_time"].values[0] -= np.timedelta64(1, "D")
    with pytest.raises(ValueError, match="the forecast has several lead times"):
        damped_persistence_forecast(seen, mixed, train=train)


def test_the_default_climatology_ends_at_each_sites_first_issue():
    forecast, seen = world(2)
    forecast = forecast.where((forecast["site"] == "S0") | (forecast["time"] >= forecast["time"][100]))
    found = verify(forecast, seen, n_boot=1)
    for site, first in (("S0", 600), ("S1", 700)):
        train = slice(None, seen.indexes["time"][first - 7])
        alone = verify(forecast.sel(site=[site]), seen.sel(site=[site]), train=train, n_boot=1)
        np.testing.assert_allclose(found.rmse.sel(site=site), alone.rmse.sel(site=site), rtol=1e-12)
