"""ERA5 reader: which hours make a day, and days that lack some."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.era5_fields import fields, hourly, one
from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.data.era5 import daily_drivers
from xdrought.limits import set_options

pytestmark = pytest.mark.usefixtures("whole_numbers")


def test_mean_and_maximum_take_hours_00_to_23():
    values = np.r_[np.arange(24.0), 100 + np.arange(24.0)]
    days, mean = one(hourly("t2m", values), "t2m")
    assert days == ["2003-05-01", "2003-05-02"]
    np.testing.assert_allclose(mean, [11.5, 111.5])
    np.testing.assert_allclose(one(hourly("t2m", values), "mx2t")[1], [23.0, 123.0])


@pytest.mark.parametrize(("hour", "day"), [(1, 0), (23, 0), (24, 0), (25, 1), (48, 1)])
@pytest.mark.parametrize("name", ["tp", "e"])
def test_a_pulse_stamped_at_the_end_of_its_hour_belongs_to_the_day_of_that_hour(hour, day, name):
    values = np.zeros(49)
    values[hour] = -0.002
    days, sums = one(hourly(name, values), name)
    assert days == ["2003-05-01", "2003-05-02"]  # the stamp 00 UTC of 1 May alone makes no 30 April
    expected = [0.0, 0.0]
    expected[day] = -0.002
    np.testing.assert_allclose(sums, expected)


def test_the_maximum_since_previous_post_processing_is_stamped_at_the_end_of_its_hour_too():
    values = np.full(49, 280.0)
    values[24] = 300.0  # between 23 and 24 UTC of 1 May
    ds = hourly("mx2t", values)
    np.testing.assert_allclose(one(ds, "mx2t")[1], [300.0, 280.0])


def test_the_maximum_says_what_it_was_made_of():
    own = daily_drivers(fields(["mx2t", "t2m"], hours=49), drivers=["mx2t"])["mx2t"]
    made = daily_drivers(fields(["t2m"], hours=49, step=3), drivers=["mx2t"])["mx2t"]
    assert own.attrs["made_of"] == "mx2t"
    assert made.attrs["made_of"] == "t2m"
    assert "8 instantaneous values" in made.attrs["comment"]


def test_totals_since_midnight_are_those_at_00_utc_of_the_day_after():
    within_day = np.arange(25) * 0.001  # 0 at 00 UTC of 1 May is the total of 30 April, then 1 mm an hour
    values = np.r_[0.0, within_day[1:25], 2 * within_day[1:25], 0.005]
    days, totals = one(hourly("tp", values), "tp", accumulation="since_midnight")
    assert days == ["2003-04-30", "2003-05-01", "2003-05-02"]
    np.testing.assert_allclose(totals, [0.0, 0.024, 0.048])
    midnights = hourly("tp", values).isel(valid_time=slice(0, None, 24))
    np.testing.assert_array_equal(one(midnights, "tp", accumulation="since_midnight")[1], totals)


def test_three_hourly_sums_need_to_be_told_what_they_are():
    ds = hourly("tp", np.r_[9.0, np.arange(1.0, 9.0)], step=3)
    with pytest.raises(ValueError, match=r"'tp' comes every 3 h, and values of one hour .* 67% of the day"):
        one(ds, "tp")
    np.testing.assert_allclose(one(ds, "tp", accumulation="step")[1], [36.0])
    with pytest.raises(ValueError, match="'mx2t' comes every 3 h"):
        one(fields("mx2t", hours=17, step=3), "mx2t")


def test_rates_become_the_sum_of_the_day():
    ds = hourly("tp", np.full(25, 1 / 3600), units="kg m-2 s-1")  # 1 mm an hour
    np.testing.assert_allclose(one(ds, "tp")[1], [0.024])
    np.testing.assert_allclose(one(ds, "tp", accumulation="since_midnight")[1], [0.024])
    daily = hourly("tp", [3.0, 4.0], step=24, units="mm d-1")
    np.testing.assert_allclose(one(daily, "tp")[1], [0.003, 0.004])
    np.testing.assert_allclose(one(hourly("tp", np.ones(25), units="kg m**-2"), "tp")[1], [0.024])


@pytest.mark.parametrize("step", [1, 2, 3, 6, 12])
def test_any_step_that_divides_the_day(step):
    n = 24 // step
    np.testing.assert_allclose(
        one(hourly("t2m", np.arange(2.0 * n), step=step), "t2m")[1], [(n - 1) / 2, (3 * n - 1) / 2]
    )


def test_daily_values_pass_through_under_their_date():
    ds = hourly("t2m", [280.0, 281.0, 282.0], step=24, start="2003-05-01 12:00")
    days, values = one(ds, "t2m")
    assert days == ["2003-05-01", "2003-05-02", "2003-05-03"]
    np.testing.assert_array_equal(values, [280.0, 281.0, 282.0])
    np.testing.assert_array_equal(one(hourly("tp", [1.0, 2.0], step=24), "tp", accumulation="step")[1], [1.0, 2.0])


def test_part_days_at_the_ends_are_left_out_and_counted():
    ds = hourly("t2m", np.full(60, 280.0), start="2003-05-01 06:00")  # 18 h, 24 h, 18 h
    made = daily_drivers(ds, drivers=["t2m"])
    assert made.indexes["time"].equals(pd.DatetimeIndex(["2003-05-02"]))
    assert made.t2m.attrs["days_left_out_at_the_ends"] == 2


def test_a_day_inside_that_lacks_an_hour_is_missing_and_warned_of():
    ds = hourly("t2m", np.full(96, 280.0)).isel(valid_time=np.delete(np.arange(96), [30, 31]))
    with pytest.warns(UserWarning, match="'t2m' lacks times on 1 day.*first 2003-05-02"):
        made = daily_drivers(ds, drivers=["t2m"]).t2m[:, 0, 0]
    np.testing.assert_array_equal(np.isnan(made), [False, True, False, False])
    assert made.attrs["days_missing_inside"] == 1


def test_a_day_absent_altogether_is_missing_not_skipped():
    hours = hourly("tp", np.full(97, 0.001))
    ds = hours.isel(valid_time=np.r_[0:25, 49:97])
    with pytest.warns(UserWarning, match="'tp' lacks times on 1 day"):
        days, sums = one(ds, "tp")
    assert days == [f"2003-05-0{k}" for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(sums, [0.024, np.nan, 0.024, 0.024])
    daily = hourly("t2m", np.full(4, 280.0), step=24).isel(valid_time=[0, 1, 3])
    with pytest.warns(UserWarning, match="first 2003-05-03"):
        np.testing.assert_array_equal(one(daily, "t2m")[1], [280.0, 280.0, np.nan, 280.0])


def test_min_hours_lets_a_mean_lack_some_but_never_a_sum():
    ds = hourly("t2m", np.arange(73.0)).isel(valid_time=np.delete(np.arange(73), [30, 31, 32]))
    ds["tp"] = ds.t2m.assign_attrs(units="m")
    with pytest.warns(UserWarning, match="'tp' lacks"):
        made = daily_drivers(ds, drivers=["t2m", "tp"], min_hours=21)
    np.testing.assert_allclose(made.t2m[:, 0, 0], [11.5, (35.5 * 24 - 93) / 21, 59.5])
    np.testing.assert_array_equal(np.isnan(made.tp[:, 0, 0]), [False, True, False])
    with pytest.warns(UserWarning, match="'t2m' lacks"):
        np.testing.assert_array_equal(np.isnan(one(ds, "t2m", min_hours=22)[1]), [False, True, False])


def test_a_missing_value_makes_its_cell_and_day_missing():
    ds = fields("t2m", hours=48)
    ds.t2m[30, 1, 2] = np.nan
    made = daily_drivers(ds, drivers=["t2m"]).t2m
    expected = np.ones((2, 2, 3))
    expected[1, 1, 2] = np.nan
    np.testing.assert_array_equal(made, expected)
    kept = daily_drivers(ds, drivers=["t2m"], min_hours=23).t2m
    assert kept.notnull().all()


def test_drivers_that_end_on_different_days_share_the_longer_axis():
    ds = fields(["t2m", "tp"], hours=48)  # the last hour of 2 May's rain is stamped 00 UTC of 3 May
    made = daily_drivers(ds, drivers=["t2m", "tp"])
    assert made.sizes["time"] == 2
    assert made.t2m.notnull().all()
    np.testing.assert_array_equal(made.tp.isnull().all(("lat", "lon")), [False, True])


def test_no_whole_day():
    with pytest.raises(ValueError, match=r"'t2m' has no day with 24 hours .*give whole days"):
        daily_drivers(fields(hours=20), drivers=["t2m"])
    with pytest.raises(ValueError, match="end of its step"):
        daily_drivers(fields("tp", hours=24), drivers=["tp"])
    with pytest.raises(ValueError, match="'tp' has no value at 00 UTC"):
        daily_drivers(fields("tp", hours=20, start="2003-05-01 01:00"), drivers=["tp"], accumulation="since_midnight")


@pytest.mark.parametrize("hours_a_chunk", [1, 7, 24, 100])
def test_dask_stays_lazy_and_chunks_do_not_matter(hours_a_chunk):
    rng = np.random.default_rng(0)
    ds = fields(["t2m", "d2m", "tp", "e", "u10", "v10"], hours=97, lon=(350.0, 10.0, 200.0))
    ds = ds.map(lambda da: da.copy(data=280 + rng.random(da.shape)), keep_attrs=True)
    names = ["t2m", "mx2t", "tp", "e", "r", "ws10"]
    with unchanged(ds):
        eager = daily_drivers(ds, drivers=names)
    lazy = ds.chunk(valid_time=hours_a_chunk, latitude=1)
    with raise_if_dask_computes():
        made = daily_drivers(lazy, drivers=names, min_hours=None)
    assert all(made[name].chunks for name in names)
    xr.testing.assert_allclose(made.compute(), eager, rtol=1e-12)
    with raise_if_dask_computes():
        daily_drivers(lazy, drivers=["t2m", "mx2t"], min_hours=20)


@pytest.mark.parametrize("value", [1.0, -1e-4])
def test_hours_that_can_be_may_make_a_day_that_cannot(value):
    """A metre an hour, millimetres labelled m, is 24 m a day; rain below zero by packing does not add up to 2.4 mm."""
    ds = hourly("tp", np.full(48, value), start="2003-05-01 01:00", units="m")
    with set_options(check_limits=True):
        with pytest.raises(ValueError, match="'tp' has .* values outside what precipitation, amount can be"):
            daily_drivers(ds, drivers=["tp"])
        lazy = daily_drivers(ds.chunk(), drivers=["tp"])
    with pytest.raises(ValueError, match="outside what precipitation"):
        lazy.compute()
