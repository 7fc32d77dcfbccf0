"""ERA5 reader: which hours make a day, names, units, shapes of files, labels, and each way to be wrong."""

from __future__ import annotations

import re
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.data import era5
from xdrought.data.era5 import DRIVERS, daily_drivers, open_era5, relative_humidity
from xdrought.data.grid_axes import standard_grid, wrap_longitude
from xdrought.limits import set_options
from xdrought.simulation import twin


@pytest.fixture(autouse=True)
def _whole_numbers():
    """The tests count in small whole numbers, which are no weather; the limits have tests of their own."""
    with set_options(check_limits=False):
        yield


DIMS = ("valid_time", "latitude", "longitude")
UNITS = {
    "t2m": "K",
    "d2m": "K",
    "mx2t": "K",
    "cape": "J kg**-1",
    "tp": "m",
    "e": "m of water equivalent",
    "sp": "Pa",
    "u10": "m s**-1",
    "v10": "m s**-1",
    "z": "m**2 s**-2",
    "stl1": "K",
    "swvl1": "m**3 m**-3",
}


def fields(names="t2m", hours=48, start="2003-05-01", step=1, lat=(47.0, 46.75), lon=(11.0, 11.25, 11.5)):
    """ERA5-shaped fields of ones; a single name or several."""
    time = pd.date_range(start, periods=hours, freq=f"{step}h")
    shape = (hours, len(lat), len(lon))
    data = {
        name: (DIMS, np.ones(shape), {"units": UNITS[name]}) for name in ([names] if isinstance(names, str) else names)
    }
    return xr.Dataset(data, {"valid_time": time, "latitude": list(lat), "longitude": list(lon)})


def hourly(name="t2m", values=None, start="2003-05-01", step=1, units=None):
    """One cell with the given values over time."""
    values = np.asarray(values, dtype="float64")
    time = pd.date_range(start, periods=values.size, freq=f"{step}h")
    attrs = {"units": units or UNITS[name]}
    return xr.Dataset(
        {name: (DIMS, values[:, None, None], attrs)},
        {"valid_time": time, "latitude": [47.0], "longitude": [11.0]},
    )


def one(ds, name, **options):
    """Dates and values of one driver at the first cell."""
    made = daily_drivers(ds, drivers=[name], **options)[name][:, 0, 0]
    return [f"{day:%Y-%m-%d}" for day in made.indexes["time"]], made.values


# --- which hours make a day -------------------------------------------------------------------------------


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


# --- days that lack hours ---------------------------------------------------------------------------------


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


# --- times ------------------------------------------------------------------------------------------------


def test_times_out_of_order_repeated_or_off_the_steps():
    ds = fields(hours=48)
    backwards = ds.isel(valid_time=[*range(10), 20, 15, *range(21, 48)])
    with pytest.raises(ValueError, match=r"'t2m' go backwards at 2003-05-01 15:00:00; use ds.sortby\('valid_time'\)"):
        daily_drivers(backwards, drivers=["t2m"])
    with pytest.raises(ValueError, match=r"05:00:00 twice along 'valid_time'; .* ds.drop_duplicates\('valid_time'\)"):
        daily_drivers(ds.isel(valid_time=[*range(6), *range(5, 48)]), drivers=["t2m"])
    moved = ds.valid_time.values.copy()
    moved[7] += np.timedelta64(30, "m")
    with pytest.raises(ValueError, match="t2m"):
        daily_drivers(ds.assign_coords(valid_time=moved), drivers=["t2m"])
    half = ds.assign_coords(valid_time=ds.valid_time + np.timedelta64(30, "m"))
    with pytest.raises(ValueError, match="off the 1-hourly steps of the day: 2003-05-01 00:30"):
        daily_drivers(half, drivers=["t2m"])
    with pytest.raises(ValueError, match="are 5 h apart"):
        daily_drivers(fields(hours=48, step=5), drivers=["t2m"])
    with pytest.raises(ValueError, match="31 days.*apart|30 days.*apart"):
        daily_drivers(fields(hours=12, step=24 * 30), drivers=["t2m"])
    with pytest.raises(ValueError, match=r"has 1 time\(s\); at least two"):
        daily_drivers(fields(hours=1), drivers=["t2m"])


def test_times_that_are_not_dates():
    ds = fields(hours=48)
    with pytest.raises(ValueError, match="are int64, not datetime64; make dates of them"):
        daily_drivers(ds.assign_coords(valid_time=np.arange(48)), drivers=["t2m"])
    noleap = xr.date_range("2003-05-01", periods=48, freq="h", calendar="noleap", use_cftime=True)
    with pytest.raises(ValueError, match="convert_calendar"):
        daily_drivers(ds.assign_coords(valid_time=noleap), drivers=["t2m"])
    with pytest.raises(ValueError, match="has no time coordinate"):
        daily_drivers(ds.rename(valid_time="when"), drivers=["t2m"])
    assert daily_drivers(ds.rename(valid_time="when"), drivers=["t2m"], time="when").sizes["time"] == 2
    with pytest.raises(ValueError, match="no dimension 'hour' in 't2m'"):
        daily_drivers(ds, drivers=["t2m"], time="hour")
    gone = ds.valid_time.values.copy()
    gone[3] = "NaT"
    with pytest.raises(ValueError, match="missing times"):
        daily_drivers(ds.assign_coords(valid_time=gone), drivers=["t2m"])


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_the_resolution_of_the_times_does_not_matter(unit):
    ds = fields(["t2m", "tp"], hours=49)
    ds = ds.assign_coords(valid_time=ds.valid_time.astype(f"datetime64[{unit}]"))
    assert daily_drivers(ds, drivers=["t2m", "tp"]).sizes["time"] == 2


# --- GRIB-shaped ------------------------------------------------------------------------------------------


def grib(days=2, base_hours=(6, 18), steps=range(1, 13), name="tp"):
    """Forecasts as cfgrib gives them: value = hours since 2003-05-01 at the valid time."""
    start = pd.Timestamp("2003-04-30")
    base = pd.DatetimeIndex([start + pd.Timedelta(days=d, hours=h) for d in range(days + 1) for h in base_hours])
    step = pd.to_timedelta(list(steps), unit="h")
    valid = base.to_numpy()[:, None] + step.to_numpy()[None, :]
    values = ((valid - np.datetime64("2003-05-01")) / np.timedelta64(1, "h"))[:, :, None, None] * np.ones((1, 1, 2, 2))
    attrs = {"units": "m", "GRIB_shortName": name, "GRIB_stepType": "accum"}
    return xr.Dataset(
        {name: (("time", "step", "latitude", "longitude"), values, attrs)},
        {
            "time": base,
            "step": step,
            "valid_time": (("time", "step"), valid),
            "latitude": [47.0, 46.75],
            "longitude": [11.0, 11.25],
            "number": 0,
            "surface": 0.0,
        },
        {"GRIB_centre": "ecmf", "institution": "European Centre for Medium-Range Weather Forecasts"},
    )


@pytest.mark.parametrize("written", [True, False])
def test_grib_forecasts_are_laid_out_by_valid_time(written):
    ds = grib() if written else grib().drop_vars("valid_time")
    made = daily_drivers(ds, drivers=["tp"])
    assert made.indexes["time"].equals(pd.DatetimeIndex(["2003-05-01", "2003-05-02"]))
    np.testing.assert_allclose(made.tp[:, 1, 1], [np.arange(1, 25).sum(), np.arange(25, 49).sum()])
    assert not [key for key in (*made.attrs, *made.tp.attrs) if key.startswith("GRIB")]
    with raise_if_dask_computes():
        lazy = daily_drivers(ds.chunk({"time": 1, "step": 5}), drivers=["tp"])
    xr.testing.assert_identical(lazy.compute(), made)


def test_forecasts_that_overlap_are_sorted_and_repeats_refused():
    late_first = grib().isel(time=[1, 0, 2, 3, 5, 4])
    np.testing.assert_allclose(one(late_first, "tp")[1], one(grib(), "tp")[1])
    with pytest.raises(ValueError, match="repeated time"):
        daily_drivers(grib(steps=range(1, 15)), drivers=["tp"])


def test_an_analysis_with_a_scalar_step_uses_the_valid_time():
    ds = fields("t2m", hours=48).rename(valid_time="time")
    late = ds.assign_coords(step=np.timedelta64(6, "h"), valid_time=("time", ds.time.values + np.timedelta64(6, "h")))
    assert one(late, "t2m")[0] == ["2003-05-02"]
    assert one(late.drop_vars("valid_time"), "t2m")[0] == ["2003-05-02"]
    assert one(late.drop_vars(["valid_time", "step"]), "t2m")[0] == ["2003-05-01", "2003-05-02"]


def test_accumulation_that_contradicts_the_forecast_steps():
    land = grib(base_hours=(0,), steps=range(1, 25))
    with pytest.raises(ValueError, match=r"forecast steps up to 24 h, as ERA5-Land.*since_midnight"):
        daily_drivers(land, drivers=["tp"])
    days, totals = one(land, "tp", accumulation="since_midnight")
    assert days == ["2003-04-30", "2003-05-01", "2003-05-02"]
    np.testing.assert_allclose(totals, [0, 24, 48])  # the values at 00 UTC of the days after
    with pytest.raises(ValueError, match=r"start at 06:00, as ERA5.*accumulation=\"hourly\""):
        daily_drivers(grib(), drivers=["tp"], accumulation="since_midnight")


def test_steps_that_were_not_decoded():
    hours = grib().assign_coords(step=np.arange(1, 13))
    with pytest.raises(ValueError, match="'step' of 'tp' holds int64, not durations; .*decode_timedelta=True"):
        daily_drivers(hours, drivers=["tp"])


def test_further_dimensions_are_named():
    ds = fields(hours=48).expand_dims(expver=[1, 5])
    with pytest.raises(ValueError, match=r"further dimensions \{'expver': 2\}.*combine_first"):
        daily_drivers(ds, drivers=["t2m"])
    with pytest.raises(ValueError, match=r"further dimensions \{'number': 3\}.*ds.isel\(number=0\)"):
        daily_drivers(fields(hours=48).expand_dims(number=3), drivers=["t2m"])
    assert daily_drivers(ds.isel(expver=[0]), drivers=["t2m"]).t2m.dims == ("time", "lat", "lon")


# --- names, levels and what is made of what ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "driver"),
    [
        ("2t", "t2m"),
        ("2m_temperature", "t2m"),
        ("var167", "t2m"),
        ("tas", "t2m"),
        ("2m_dewpoint_temperature", "d2m"),
        ("convective_available_potential_energy", "cape"),
        ("total_precipitation", "tp"),
        ("surface_pressure", "sp"),
        ("soil_temperature_level_1", "stl1"),
        ("volumetric_soil_water_layer_1", "swvl1"),
    ],
)
def test_names_of_the_files(found, driver):
    made = daily_drivers(fields(driver, hours=49).rename({driver: found}), drivers=[driver])
    assert list(made.data_vars) == [driver]
    assert made[driver].attrs["made_of"] == found


def test_two_names_of_one_quantity():
    ds = fields("t2m").assign(tas=fields("t2m").t2m)
    with pytest.raises(ValueError, match="'t2m' and 'tas' are both 't2m'; keep one"):
        daily_drivers(ds, drivers=["t2m"])


def test_cmip_evaporation_of_the_opposite_sign_is_not_taken():
    with pytest.raises(ValueError, match=re.escape("'e' needs e (")):
        daily_drivers(fields("e").rename(e="evspsbl"), drivers=["e"])


def test_missing_inputs_are_all_named_with_what_was_found():
    with pytest.raises(ValueError, match="Found: t2m") as error:
        daily_drivers(fields("t2m"))
    for text in (
        "'cape' needs cape (convective_available",
        "'ws10' needs ws10",
        "u10 (10m_u_component_of_wind) and v10",
    ):
        assert text in str(error.value)
    assert "'t2m' needs" not in str(error.value)
    with pytest.raises(ValueError, match=r"ask for fewer drivers: drivers=\['mx2t', 't2m'\]"):
        daily_drivers(fields("t2m"), drivers=["mx2t", "t2m", "tp"])
    with pytest.raises(ValueError, match=r"'tp' needs tp \(total_precipitation\)"):
        daily_drivers(fields("t2m"), drivers=["tp"])
    with pytest.raises(ValueError, match="Found: nothing. Add the files that hold them, or rename what is called"):
        daily_drivers(fields("t2m").rename(t2m="nothing"), drivers=["t2m"])
    with pytest.raises(ValueError, match="Found: no variable"):
        daily_drivers([], drivers=["t2m"])


def with_levels(name="z", levels=(1000.0, 500.0), units="hPa", dim="pressure_level"):
    ds = fields("z", hours=24).rename(z=name)
    level = xr.DataArray(list(levels), dims=dim, attrs={"units": units} if units else {})
    return ds * xr.DataArray(np.arange(1.0, len(levels) + 1), {dim: level}, dims=dim) * 9.80665 * 100, name


@pytest.mark.parametrize("dim", ["pressure_level", "level", "isobaricInhPa"])
def test_geopotential_at_500_hpa_becomes_height(dim):
    ds, name = with_levels(dim=dim)
    ds[name].attrs["units"] = "m**2 s**-2"
    np.testing.assert_allclose(daily_drivers(ds, drivers=["z500"]).z500, 200.0)
    pa, _ = with_levels(dim="plev", levels=(100000.0, 50000.0), units="Pa")
    pa[name].attrs["units"] = "m2 s-2"
    np.testing.assert_allclose(daily_drivers(pa, drivers=["z500"]).z500, 200.0)
    alone = ds.sel({dim: 500.0})
    np.testing.assert_allclose(daily_drivers(alone, drivers=["z500"]).z500, 200.0)
    np.testing.assert_allclose(daily_drivers(ds.sel({dim: [500.0]}), drivers=["z500"]).z500, 200.0)


def test_height_in_gpm_is_taken_as_it_is():
    ds, _ = with_levels("gh")
    ds["gh"].attrs["units"] = "gpm"
    np.testing.assert_allclose(daily_drivers(ds, drivers=["z500"]).z500, 200 * 9.80665)


def test_geopotential_without_or_at_another_level_is_not_guessed():
    with pytest.raises(ValueError, match=r"'z500' needs z500, or gh .*Found: z \(without a pressure level\)"):
        daily_drivers(fields("z"), drivers=["z500"])
    ds, _ = with_levels(levels=(1000.0, 850.0))
    with pytest.raises(ValueError, match=r"Found: z \(at 1000, 850 hPa\)"):
        daily_drivers(ds, drivers=["z500"])
    with pytest.raises(ValueError, match=r"Found: z \(at 850 hPa\)"):
        daily_drivers(ds.isel(pressure_level=1), drivers=["z500"])
    pascal, _ = with_levels(levels=(100000.0, 50000.0), units=None)
    with pytest.raises(ValueError, match=r"up to 100000 with units 'hPa'; set the units"):
        daily_drivers(pascal, drivers=["z500"])


def test_wind_is_the_mean_of_the_speed_not_the_speed_of_the_mean():
    ds = fields(["u10", "v10"], hours=24)
    ds["u10"][:] = 3.0
    ds["v10"][:] = np.where(np.arange(24) % 2, 4.0, -4.0)[:, None, None]  # the mean wind is (3, 0)
    made = daily_drivers(ds, drivers=["ws10"]).ws10
    np.testing.assert_allclose(made, 5.0)
    daily = fields(["u10", "v10"], hours=2, step=24) * 3.0
    for name in ("u10", "v10"):
        daily[name].attrs["units"] = "m s-1"
    of_means = daily_drivers(daily, drivers=["ws10"]).ws10
    np.testing.assert_allclose(of_means, 3 * np.sqrt(2))
    assert "speed of the mean wind" in of_means.attrs["comment"]


def test_relative_humidity_by_hand():
    # es(293.16) / es(303.16): exponents 17.502 * 20 / 260.97 and 17.502 * 30 / 270.97 of 611.21 Pa
    t, d = (xr.DataArray([kelvin], dims="x", attrs={"units": "K"}) for kelvin in (303.16, 293.16))
    expected = 100 * np.exp(1.3413036 - 1.9377053)
    np.testing.assert_allclose(relative_humidity(t, d), expected, rtol=2e-7)
    np.testing.assert_allclose(relative_humidity(t, t), 100.0)
    with pytest.raises(ValueError, match=".* no units"):
        relative_humidity(t.drop_attrs(), d)


def test_humidity_of_the_file_comes_before_the_made_one():
    ds = fields(["t2m", "d2m"], hours=24) * 280.0
    for name in ("t2m", "d2m"):
        ds[name].attrs["units"] = "K"
    np.testing.assert_allclose(daily_drivers(ds, drivers=["r"]).r, 100.0)
    levels = xr.DataArray([1000.0, 500.0], dims="level", attrs={"units": "hPa"})
    r = (ds.t2m * 0 + xr.DataArray([60.0, 20.0], {"level": levels}, dims="level")).assign_attrs(units="%")
    made = daily_drivers(ds.assign(r=r), drivers=["r"]).r
    np.testing.assert_allclose(made, 60.0)
    assert made.attrs["comment"] == "at 1000 hPa"
    np.testing.assert_allclose(daily_drivers(ds.assign(r=r.isel(level=[1])), drivers=["r"]).r, 100.0)
    with pytest.raises(ValueError, match=r"'r' needs .*Found: r \(at 500 hPa\)"):
        daily_drivers(r.isel(level=[1]).to_dataset(name="r"), drivers=["r"])
    daily = ds.isel(valid_time=slice(0, None, 12)).assign_coords(valid_time=pd.date_range("2003", periods=2))
    assert daily_drivers(daily, drivers=["r"]).r.attrs["comment"].startswith("made of daily means")


def test_humidity_of_a_file_on_levels_is_that_at_1000_hpa(tmp_path: Path):
    """As the Climate Data Store names it: `relative_humidity` on `pressure_level`, beside what 2 m gives."""
    ds = fields(["t2m", "d2m"], hours=24) * 280.0
    for name in ("t2m", "d2m"):
        ds[name].attrs["units"] = "K"
    levels = xr.DataArray([500.0, 1000.0, 850.0], dims="pressure_level", attrs={"units": "hPa"})
    humidity = xr.DataArray([20.0, 60.0, 40.0], {"pressure_level": levels}, dims="pressure_level")
    hours = xr.DataArray(np.linspace(-1.0, 1.0, ds.sizes["valid_time"]), dims="valid_time")
    r = (ds.t2m * 0 + hours + humidity).assign_attrs(units="%").rename("relative_humidity")
    ds.to_netcdf(tmp_path / "single_levels.nc")
    r.to_netcdf(tmp_path / "pressure_levels.nc")
    made = open_era5(tmp_path, drivers=["r"]).r
    expected = (60.0 + hours.values)[: 24 * made.sizes["time"]].reshape(-1, 24).mean(axis=1)
    np.testing.assert_allclose(made.isel(lat=0, lon=0), expected)
    assert (made.attrs["comment"], made.attrs["made_of"]) == ("at 1000 hPa", "relative_humidity")


def test_the_maximum_of_daily_means_is_refused():
    with pytest.raises(ValueError, match="'mx2t' cannot be made of daily 'tas'"):
        daily_drivers(fields("t2m", hours=3, step=24).rename(t2m="tas"), drivers=["mx2t"])


# --- units ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(UNITS) - {"u10", "v10", "z"}))
def test_missing_and_wrong_units_are_refused_with_the_cure(name):
    ds = fields(name, hours=49)
    with pytest.raises(ValueError, match=rf"{name}' has no units"):
        daily_drivers(ds.drop_attrs(), drivers=[name])
    ds[name].attrs["units"] = "cd"
    with pytest.raises(ValueError, match=rf"'{name}' has units 'cd', which cannot be converted"):
        daily_drivers(ds, drivers=[name])


def test_units_are_converted():
    np.testing.assert_allclose(one(hourly("t2m", np.full(24, 7.0), units="degC"), "t2m")[1], 280.15)
    np.testing.assert_allclose(one(hourly("sp", np.full(24, 900.0), units="hPa"), "sp")[1], 90000.0)
    np.testing.assert_allclose(one(hourly("tp", np.ones(25), units="mm"), "tp")[1], 0.024)


def test_every_driver_has_its_units_and_says_what_it_is():
    names = [*UNITS]
    ds = fields(names, hours=25)
    ds["z"] = ds["z"].expand_dims(pressure_level=[500.0]).assign_attrs(units="m**2 s**-2")
    ds["d2m"], ds["t2m"] = (ds[name].copy(data=ds[name] * 280.0) for name in ("d2m", "t2m"))
    made = daily_drivers(ds)
    assert list(made.data_vars) == [
        "d2m",
        "t2m",
        "mx2t",
        "cape",
        "tp",
        "e",
        "sp",
        "r",
        "z500",
        "ws10",
        "stl1",
        "swvl1",
    ]
    for name, driver in DRIVERS.items():
        assert made[name].dims == ("time", "lat", "lon")
        assert made[name].attrs["units"] == driver.units
        assert {"long_name", "cell_methods", "made_of"} <= set(made[name].attrs)
    assert "negative upwards" in made.e.attrs["long_name"]
    assert made.attrs["accumulation"] == "hourly"


# --- labels: rows and columns -----------------------------------------------------------------------------


@pytest.mark.parametrize("convention", ["0 to 360", "-180 to 180"])
@pytest.mark.parametrize("northward", [True, False])
def test_a_marker_stays_at_its_place(convention, northward):
    """The value that sits at 119 E, 40 N must be found there, not on the other side of the globe."""
    lon = np.arange(0.0, 360.0) if convention == "0 to 360" else np.arange(-180.0, 180.0)
    lat = np.arange(-90.0, 91.0) if northward else np.arange(90.0, -91.0, -1.0)
    ds = fields(hours=24, lat=lat, lon=lon)
    ds.t2m.loc[{"latitude": 40.0, "longitude": 119.0}] = 7.0
    ds.t2m.loc[{"latitude": 40.0, "longitude": 241.0 if convention == "0 to 360" else -119.0}] = 5.0
    made = daily_drivers(ds, drivers=["t2m"]).t2m[0]
    assert made.sel(lat=40, lon=119) == 7.0
    assert made.sel(lat=40, lon=-119) == 5.0
    assert (made == 1).sum() == made.size - 2
    np.testing.assert_array_equal(made.lon, np.arange(-180.0, 180.0))
    np.testing.assert_array_equal(made.lat, np.arange(90.0, -91.0, -1.0))


@given(st.lists(st.integers(-1800, 3599), min_size=1, max_size=12, unique_by=lambda tenth: tenth % 3600))
def test_every_column_keeps_its_values_under_any_labels(tenths):
    lon = np.array(tenths) / 10.0
    ds = xr.Dataset({"v": (("lat", "lon"), [tenths])}, {"lat": [0.0], "lon": lon})
    made = standard_grid(ds)
    assert (np.diff(made.lon) > 0).all()
    assert ((made.lon >= -180) & (made.lon < 180)).all()
    for value, label in zip(made.v.values[0], made.lon.values, strict=True):
        assert label == (value / 10 if value < 1800 else (value - 3600) / 10)  # no noise in the label


def test_float32_labels_become_the_decimals_they_mean():
    ds = fields(hours=24, lon=np.array([350.1, 350.2], "float32"), lat=np.array([47.1, 47.2], "float32"))
    made = daily_drivers(ds, drivers=["t2m"])
    assert made.lon.values.tolist() == [-9.9, -9.8]
    assert made.lat.values.tolist() == [47.2, 47.1]
    assert wrap_longitude(np.array([-180.0, 180.0, 360.0, 0.1])).tolist() == [-180.0, -180.0, 0.0, 0.1]


def test_labels_that_are_no_grid():
    with pytest.raises(ValueError, match=r"names the same place more than once \(0 degrees"):
        daily_drivers(fields(lon=[0.0, 180.0, 360.0]), drivers=["t2m"])
    with pytest.raises(ValueError, match="'latitude' runs from 47 to 95; expected degrees within -90 to 90"):
        daily_drivers(fields(lat=[47.0, 95.0]), drivers=["t2m"])
    with pytest.raises(
        ValueError,
        match=r"expected one dimension called lat or latitude, or with the CF .*, found none.*name it with lat=",
    ):
        daily_drivers(fields().rename(latitude="y"), drivers=["t2m"])
    with pytest.raises(ValueError, match="no 1-D coordinate 'longitude'"):
        daily_drivers(fields().drop_vars("longitude"), drivers=["t2m"])
    with pytest.raises(ValueError, match="'longitude' holds .*not degrees"):
        daily_drivers(fields().assign_coords(longitude=["a", "b", "c"]), drivers=["t2m"])


# --- several inputs ---------------------------------------------------------------------------------------


def test_parts_in_time_and_in_variables_are_joined_before_days_are_made():
    rain = hourly("tp", np.arange(73.0))
    whole = daily_drivers(rain, drivers=["tp"]).tp
    parts = [rain.isel(valid_time=slice(40, None)), rain.isel(valid_time=slice(0, 40))]
    np.testing.assert_array_equal(daily_drivers(parts, drivers=["tp"]).tp, whole)
    both = daily_drivers([*parts, hourly("t2m", np.ones(72))], drivers=["t2m", "tp"])
    np.testing.assert_array_equal(both.tp, whole)
    odd, even = rain.isel(valid_time=slice(1, None, 2)), rain.isel(valid_time=slice(0, None, 2))
    np.testing.assert_array_equal(daily_drivers([odd, even], drivers=["tp"]).tp, whole)


def test_parts_that_do_not_fit():
    with pytest.raises(ValueError, match=r"'t2m' is in more than one input at 24 time\(s\), first 2003-05-02"):
        daily_drivers([fields(hours=48), fields(hours=48, start="2003-05-02")], drivers=["t2m"])
    with pytest.raises(ValueError, match="on different grids"):
        daily_drivers([fields("t2m"), fields("d2m", lat=(50.0, 49.0))], drivers=["t2m", "d2m"])
    with pytest.raises(ValueError, match="on different grids"):
        daily_drivers([fields("t2m"), fields("t2m", start="2003-05-03", lat=(50.0, 49.0))], drivers=["t2m"])
    other = fields("tp", start="2003-05-03")
    other["tp"].attrs["units"] = "mm"
    with pytest.raises(ValueError, match=r"'tp' has units \['m', 'mm'\] in different inputs"):
        daily_drivers([fields("tp"), other], drivers=["tp"])
    with pytest.raises(TypeError, match="expected a Dataset, or several, got DataArray"):
        daily_drivers([fields().t2m])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"drivers": ["t2m", "snow"]}, r"drivers=\['t2m', 'snow'\]; choose from"),
        ({"drivers": ["t2m", "t2m"]}, "each once"),
        ({"drivers": []}, "choose from"),
        ({"accumulation": "daily"}, "accumulation='daily'; choose from"),
        ({"min_hours": 0}, "min_hours=0; expected over 0"),
        ({"min_hours": 25}, "min_hours=25"),
    ],
)
def test_settings_out_of_their_choices(options, text):
    with pytest.raises(ValueError, match=text):
        daily_drivers(fields(), **options)


# --- laziness ---------------------------------------------------------------------------------------------


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


# --- files ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    return twin.simulate_grid(2, 3, 12, spinup_days=30)


@pytest.mark.parametrize("format", ["netcdf", "zarr"])
@pytest.mark.parametrize("step", ["day", "hour"])
def test_files_of_the_simulated_world_come_back(tmp_path, world, format, step):
    paths = twin.to_era5(world, tmp_path / f"era5.{'nc' if format == 'netcdf' else 'zarr'}", format=format, step=step)
    made = open_era5(paths)
    assert made.t2m.chunks
    assert made.indexes["time"].equals(world.indexes["time"])
    np.testing.assert_array_equal(made.lat, world.lat)
    np.testing.assert_array_equal(made.lon, world.lon)
    assert made.attrs["source"] == made.t2m.attrs["source"] == world.t2m.attrs["source"]  # still said to be simulated
    for name in set(DRIVERS) - ({"r", "mx2t", "d2m"} if step == "hour" else set()):
        np.testing.assert_allclose(made[name], world[name], rtol=2e-6, atol=1e-6, err_msg=name)


def test_folders_and_several_files(tmp_path):
    rain = hourly("tp", np.arange(73.0))
    rain.isel(valid_time=slice(0, 30)).to_netcdf(tmp_path / "b.nc", engine="scipy")
    rain.isel(valid_time=slice(30, None)).to_netcdf(tmp_path / "a.nc", engine="scipy")
    (tmp_path / "notes.txt").write_text("not data")
    made = open_era5(tmp_path, drivers="tp")
    np.testing.assert_allclose(made.tp[:, 0, 0], [sum(range(1, 25)), sum(range(25, 49)), sum(range(49, 73))])
    assert open_era5(str(tmp_path / "a.nc"), drivers=["tp"], chunks=None).tp.chunks is None


def test_paths_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.nc does not exist; download ERA5 from https"):
        open_era5(tmp_path / "nowhere.nc")
    with pytest.raises(FileNotFoundError, match="no file or store in"):
        open_era5(tmp_path)
    with pytest.raises(FileNotFoundError, match="no path was given"):
        open_era5([])


def test_files_that_are_something_else(tmp_path):
    archive = tmp_path / "download.nc"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("data_stream-oper_stepType-accum.nc", "x")
    with pytest.raises(ValueError, match="is a zip archive, as the Climate Data Store sends"):
        open_era5(archive)
    page = tmp_path / "page.nc"
    page.write_text("<html>quota exceeded</html>")
    with pytest.raises(ValueError, match=r"neither NetCDF, GRIB nor a zarr store \(it begins with b'<html>qu'"):
        open_era5(page)


def test_a_file_cut_short(tmp_path):
    path = tmp_path / "cut.nc"
    fields(hours=48).to_netcdf(path, engine="scipy")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(OSError, match="cut.nc cannot be read .*cut short"):
        open_era5(path, drivers=["t2m"])


def test_a_package_that_is_not_there(tmp_path, monkeypatch):
    path = tmp_path / "fields.grib"
    path.write_bytes(b"GRIB" + bytes(20))
    monkeypatch.setitem(sys.modules, "cfgrib", None)
    with pytest.raises(ImportError, match="needs the package 'cfgrib' to be read; pip install cfgrib"):
        open_era5(path)


def test_grib_files_give_what_cfgrib_makes_of_them(tmp_path, monkeypatch):
    path = tmp_path / "fields.grib"
    path.write_bytes(b"GRIB" + bytes(20))
    wind = fields(["u10", "v10"], hours=48, lat=(47.0, 46.75), lon=(11.0, 11.25)).rename(valid_time="time")
    asked = {}

    def open_datasets(name, **options):
        asked.update(options)
        return [grib(), wind] if name == str(path) else []

    fake = types.SimpleNamespace(open_datasets=open_datasets)
    monkeypatch.setitem(sys.modules, "cfgrib", fake)
    made = open_era5(path, drivers=["tp", "ws10"])
    assert made.tp.chunks
    np.testing.assert_allclose(made.tp[:, 0, 0], [np.arange(1, 25).sum(), np.arange(25, 49).sum()])
    np.testing.assert_allclose(made.ws10, np.sqrt(2))
    assert asked == {"backend_kwargs": {"indexpath": ""}}  # an index beside the file would be unpickled


# --- real files -------------------------------------------------------------------------------------------


def test_gulf_three_hourly_against_pandas(data_dir):
    folder = data_dir / "era5"
    made = open_era5([folder / f"gulf_era5_3h_{year}.nc" for year in (2004, 2003)], drivers=["t2m", "mx2t", "ws10"])
    assert dict(made.sizes) == {"time": 731, "lat": 7, "lon": 12}
    with xr.open_dataset(folder / "gulf_era5_3h_2003.nc") as raw:
        cell = raw[["t2m", "u10", "v10"]].sel(latitude=26.25, longitude=50.0).load()
    frame = cell.to_dataframe()[["t2m", "u10", "v10"]].astype("float64")
    frame["ws10"] = np.hypot(frame.u10, frame.v10)
    by_day = frame.groupby(frame.index.date)
    there = made.sel(lat=26.25, lon=50.0).isel(time=slice(0, 365)).load()
    np.testing.assert_allclose(there.t2m, by_day.t2m.mean(), rtol=1e-6)
    np.testing.assert_allclose(there.mx2t, by_day.t2m.max(), rtol=1e-6)
    np.testing.assert_allclose(there.ws10, by_day.ws10.mean(), rtol=1e-5)


def test_a_folder_of_other_things_names_the_file_that_does_not_fit(data_dir):
    with pytest.raises(
        ValueError, match=r"(?s)expected one dimension.*in the file daily_surface_cancities_1990-1993.nc; open it"
    ):
        open_era5(data_dir / "era5", drivers=["t2m"])


def test_cities_in_cf_names_and_rates(data_dir):
    with xr.open_dataset(data_dir / "era5" / "daily_surface_cancities_1990-1993.nc") as opened:
        cities = opened.load()
    with pytest.raises(ValueError, match="expected one dimension called lat or latitude"):
        daily_drivers(cities, drivers=["t2m"])
    halifax = cities.isel(location=0, drop=True)
    grid = halifax.expand_dims(lat=cities.lat.values[:1], lon=cities.lon.values[:1])
    names = ["t2m", "mx2t", "d2m", "tp", "sp", "ws10"]
    made = daily_drivers(grid, drivers=names)
    assert [made[name].attrs["made_of"] for name in names] == ["tas", "tasmax", "tdps", "pr", "ps", "sfcWind"]
    flat = made.isel(lat=0, lon=0)
    np.testing.assert_allclose(flat.tp, halifax.pr * 86.4, rtol=1e-6)  # kg m-2 s-1 to m a day
    np.testing.assert_allclose(flat.t2m, halifax.tas, rtol=1e-7)
    assert 1.0 < float(flat.tp.mean() * 365.25) < 2.0  # Halifax has some 1.4 m a year
    with pytest.raises(ValueError, match="'hurs' has no units"):  # the file's hurs has units ""
        daily_drivers(grid, drivers=["r"])
    ours = daily_drivers(grid.drop_vars("hurs"), drivers=["r"]).r[:, 0, 0]
    np.testing.assert_allclose(ours, 100 * halifax.hurs, atol=1.0)  # a fraction after all; by Sonntag (1990)


def test_quebec_says_millimetres_for_temperature(data_dir):
    path = data_dir / "era5" / "era5land_3vars_quebec_1970.nc"
    made = open_era5(path, drivers=["tp"])
    with xr.open_dataset(path) as raw:  # its labels are 45.00000000000092
        there = raw.tp.sel(latitude=45.0, longitude=-73.0, method="nearest")
        np.testing.assert_allclose(made.tp.sel(lat=45.0, lon=-73.0), there / 1000, rtol=1e-6)
    with pytest.raises(ValueError, match="'tasmax' has units 'mm d-1', which cannot be converted to 'K'"):
        open_era5(path, drivers=["mx2t"])


def test_wfde5_has_no_units(data_dir):
    with xr.open_dataset(data_dir / "wfde5" / "splash_nw_us_grid_data.nc") as opened:
        raw = opened[["tmp"]].rename(tmp="t2m").load()
    with pytest.raises(ValueError, match="'t2m' has no units"):
        daily_drivers(raw, drivers=["t2m"])
    raw["t2m"].attrs["units"] = "degC"
    made = daily_drivers(raw, drivers=["t2m"]).t2m
    assert (np.diff(made.lat) < 0).all()  # the file goes northward
    np.testing.assert_allclose(
        made.sel(lat=38.25, lon=-120.75), raw.t2m.sel(lat=38.25, lon=-120.75) + 273.15, rtol=1e-6
    )


def test_public_names():
    assert set(era5.__all__) == {"DRIVERS", "daily_drivers", "open_era5", "relative_humidity"}
