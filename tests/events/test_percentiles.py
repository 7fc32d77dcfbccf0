"""Percentiles of soil moisture: an independent reference, other series and periods, pools of days and pentads."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings

import xdrought as xd
from tests.support import oracles
from tests.support.soil_series import series


@given(st.data())
@settings(max_examples=60)
def test_percentiles_equal_the_reference(data):
    n = data.draw(st.integers(2, 40))
    values = data.draw(
        st.lists(st.one_of(st.integers(-3, 3), st.floats(-5, 5, width=32), st.none()), min_size=n, max_size=n)
    )
    method = data.draw(st.sampled_from(["linear", "hazen", "weibull", "gringorten", "ecdf"]))
    expected = oracles.percentiles([None if v is None else float(v) for v in values], method)
    if sum(v is not None for v in values) < 2:
        return
    got = xd.soil_moisture_percentile(series(values), method=method)
    np.testing.assert_allclose(got, [np.nan if e is None else float(e) for e in expected], atol=1e-11)


@given(st.data())
@settings(max_examples=40)
def test_percentiles_of_another_series_equal_the_reference(data):
    floats = st.one_of(st.integers(-3, 3).map(float), st.floats(-5, 5, width=32))
    values = data.draw(st.lists(floats, min_size=3, max_size=20))
    pool = data.draw(st.lists(floats, min_size=3, max_size=20))
    got = xd.soil_moisture_percentile(series(values), reference=series(pool))
    expected = oracles.percentiles_of_reference(values, pool)
    np.testing.assert_allclose(got, [float(e) for e in expected], atol=1e-6)


def test_percentile_is_the_inverse_of_quantile():
    da = series(np.random.default_rng(0).permutation(101))
    p = xd.soil_moisture_percentile(da)
    np.testing.assert_allclose(da.quantile(p.values / 100).values, da.values)
    assert p.attrs["units"] == "percent"


def test_reference_period_ranks_against_that_period_only():
    da = series([1, 2, 3, 4, 5, 10, 0, 3.5])
    p = xd.soil_moisture_percentile(da, reference=("2001-01-01", "2001-01-05"))
    assert p.values.tolist() == [0, 25, 50, 75, 100, 100, 0, 62.5]


@pytest.mark.parametrize("start", ["1996-02-27", "1996-03-02", "1997-01-01"])
def test_a_daily_reference_of_pentads_may_begin_on_any_day(start):
    time = pd.date_range("1996-01-01", "2001-12-31")
    values = np.random.default_rng(0).standard_normal(time.size).cumsum()
    da = xr.DataArray(values, dims="time", coords={"time": time})
    from_border = {"1996-02-27": "1996-03-02", "1996-03-02": "1996-03-02", "1997-01-01": "1997-01-01"}[start]
    found, cut = (
        xd.drought_classes(da, definition="yuan2019", reference=da.sel(time=slice(first, "2001-12-31")))
        for first in (start, from_border)
    )
    xr.testing.assert_equal(found, cut)


def test_day_of_year_pool_ranks_against_the_same_day():
    time = pd.date_range("2001-01-01", "2003-12-31")
    da = xr.DataArray(time.year.values.astype(float), dims="time", coords={"time": time})
    p = xd.soil_moisture_percentile(da, pool="dayofyear")
    assert set(np.unique(p.sel(time="2001"))) == {0.0}
    assert set(np.unique(p.sel(time="2002"))) == {50.0}
    # a window of one day: nine values, three ties of three
    assert float(xd.soil_moisture_percentile(da, pool="dayofyear", window=1).sel(time="2001-06-01")) == 100 * 1 / 8
    # the first of January looks back to the last of December
    ramp = da.copy(data=time.day_of_year.values.astype(float))
    wide = xd.soil_moisture_percentile(ramp, pool="dayofyear", window=1)
    assert float(wide.sel(time="2002-01-01")) == 100 * 1 / 8


def test_leap_day_shares_the_pool_of_28_february():
    time = pd.date_range("2003-01-01", "2004-12-31")
    da = xr.DataArray(np.arange(time.size, dtype=float), dims="time", coords={"time": time})
    p = xd.soil_moisture_percentile(da, pool="dayofyear")
    assert p.sel(time=["2003-02-28", "2004-02-28", "2004-02-29"]).values.tolist() == [0, 50, 100]
