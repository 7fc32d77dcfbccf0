"""ERA5 reader: times, forecasts by valid time as GRIB holds them, rows and columns, and several inputs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support.era5_fields import fields, grib, hourly, one
from tests.support.helpers import raise_if_dask_computes
from xdrought.data.era5 import daily_drivers
from xdrought.data.grid_axes import standard_grid, wrap_longitude

pytestmark = pytest.mark.usefixtures("whole_numbers")


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
    with pytest.raises(TypeError, match=r"ds\[0\] must be a Dataset, got DataArray; make it one, ds\[0\].to_dataset"):
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
