"""The ways out that a refusal of values names, each followed; and forecasts, which stay within what can be."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdrought
from tests.support import cures
from tests.support.helpers import raise_if_dask_computes
from tests.support.refused_values import refusal, series
from xdrought import limits

# ---- several ways out ----------------------------------------------------------------------------------------------


def ways(message: str, da: xr.DataArray) -> list[xr.DataArray]:
    """The array after each way out that a message names."""
    return [cures.follow(message, way, da=da)["da"] for way in range(len(cures.ways_out(message)))]


DIFFERENCES = {
    "temperature": series([285.0, 290.0, 280.0], "t2m", "K"),
    "soil moisture": series([0.3, 0.1, 0.5], "swvl1", "m3 m-3"),
    "rain": series([10.0, 0.0, 5.0], "tp", "mm"),
    "energy": series([100.0, 0.0, 900.0], "cape", "J kg-1"),
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_differences_keep_the_units_of_what_they_differ_from_and_may_be_called_so(kind):
    """Of 0.2 mm a day less than the mean nobody should make a missing value, nor of 5 K less a temperature in degC."""
    with xr.set_options(keep_attrs=True):
        anomaly = DIFFERENCES[kind] - DIFFERENCES[kind].mean()
    assert anomaly.attrs["units"] == DIFFERENCES[kind].attrs["units"]
    message = refusal(anomaly)
    named = [one for one in ways(message, anomaly) if "anomaly" in one.attrs.get("long_name", "")]
    assert len(named) == 1
    np.testing.assert_array_equal(limits.check(named[0]), anomaly)


@pytest.mark.parametrize(
    "da",
    [
        series([280.0, 281.0, -5.0], "t2m", "K"),
        series([0.2, 1.5, 0.3] + [0.25] * 20, "swvl1", "m3 m-3"),
        series([-0.1, 0.3], "swvl1", "m3 m-3"),
        series([7000.0, 0.0], "tp", "mm"),
        series([0.14, 0.0], "pr", "kg m-2 s-1"),
    ],
)
def test_every_way_out_leads_out(da):
    found = ways(refusal(da), da)
    assert len(found) >= 2
    for one in found:
        limits.check(one)


def test_one_wrong_value_among_many_does_not_change_the_units_of_all():
    spike = series([0.2, 1.5, 0.3] + [0.25] * 20, "swvl1", "m3 m-3")
    assert "percent" not in refusal(spike)
    assert np.isnan(ways(refusal(spike), spike)[0].values).tolist() == [k == 1 for k in range(23)]


# ---- forecasts -----------------------------------------------------------------------------------------------------


def test_forecasts_stay_within_what_can_be_and_say_so():
    said = series(np.float32([0.2, -0.05, np.nan, 1.4] + [0.3] * 300)[:40], "swvl1", "m3 m-3")
    with pytest.warns(
        UserWarning, match=r"2 of 39 values forecast of 'swvl1' lay beyond .*\(they reached -0.05 to 1.4"
    ):
        found = limits.within(said)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found[:4], [0.2, -0.02, np.nan, 1.02], rtol=1e-6)
    np.testing.assert_array_equal(found[4:], said[4:])
    assert found.attrs == said.attrs | {"limited_to": "-0.02 to 1.02 m3 m-3"}
    limits.check(found)
    with xdrought.set_options(check_limits=False):  # what the message says
        xr.testing.assert_identical(limits.within(said), said)


def test_lazy_forecasts_stay_lazy_and_within_what_can_be():
    said = series([0.2, -0.05, 1.4], "theta", "m3 m-3").chunk(time=1)
    with raise_if_dask_computes():
        found = limits.within(said)
    np.testing.assert_allclose(found, [0.2, -0.02, 1.02])
    assert found.attrs["limited_to"] == "-0.02 to 1.02 m3 m-3"


@pytest.mark.parametrize(
    "da", [series([-3.0, 2.0], "index", "1"), series([-3.0], "t2m", "K", long_name="anomaly"), series([1, 2], "x")]
)
def test_what_has_no_limits_is_forecast_as_it_is(da):
    xr.testing.assert_identical(limits.within(da), da)


def test_forecasts_that_can_be_are_the_same_to_the_last_bit():
    said = series(np.linspace(-0.02, 1.02, 40), "swvl1", "m3 m-3")
    xr.testing.assert_identical(limits.within(said), said.assign_attrs(limited_to="-0.02 to 1.02 m3 m-3"))
