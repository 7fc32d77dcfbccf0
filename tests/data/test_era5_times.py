"""ERA5 in pieces: units and calendars of times, days of another zone: read right, or refused with a cure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from tests.support.era5_pieces import field, first_cell, t2m
from tests.support.helpers import follow
from xdrought.data.era5 import daily_drivers, open_era5


@pytest.mark.parametrize("units", [("ns", "s"), ("s", "ns"), ("us", "ms"), ("s", "us")])
def test_pieces_may_have_times_of_any_resolution(units):
    parts = [t2m(280.0, "2003-05-01", 48), t2m(280.0, "2003-05-03", 48)]
    parts = [
        part.assign_coords(time=part.indexes["time"].as_unit(unit)) for part, unit in zip(parts, units, strict=True)
    ]
    assert daily_drivers(parts, drivers=["t2m"]).sizes["time"] == 4
    rain = field("tp", 1e-3, parts[0].indexes["time"].as_unit("s"), "m")
    both = daily_drivers(
        [parts[0].assign_coords(time=parts[0].indexes["time"].as_unit("ns")), rain], drivers=["t2m", "tp"]
    )
    assert both.sizes["time"] == 2


@pytest.mark.parametrize("calendar", ["standard", "gregorian", "proleptic_gregorian"])
def test_dates_counted_from_year_0_are_dates(calendar):
    """MATLAB counts days from year 0; xarray gives such times as cftime objects."""
    ds = t2m(280.0, "2003-05-01", 48)
    times = xr.date_range("2003-05-01", periods=48, freq="h", calendar=calendar, use_cftime=True)
    made = daily_drivers(ds.assign_coords(time=times), drivers=["t2m"])
    assert made.indexes["time"].equals(pd.date_range("2003-05-01", periods=2))


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (xr.date_range("2003-05-01", periods=48, freq="h", calendar="noleap", use_cftime=True), "calendar 'noleap'"),
        (xr.date_range("2003-05-01", periods=48, freq="h", calendar="360_day", use_cftime=True), "calendar '360_day'"),
        (pd.date_range("2003-05-01", periods=48, freq="h").strftime("%Y-%m-%dT%H:%M").to_numpy(), "texts"),
        (np.arange(48) + 905_664, "int64, not"),
        (np.arange(48.0), "float64, not"),
    ],
    ids=["noleap", "360_day", "texts", "hours since 1900", "numbers"],
)
@pytest.mark.parametrize("dim", ["time", "valid_time"])
def test_times_that_are_no_dates_are_refused_with_a_cure_that_works(times, text, dim):
    ds = t2m(280.0, "2003-05-01", 48).rename(time=dim).assign_coords({dim: times})
    with pytest.raises(ValueError, match=rf"the times of 't2m' are .*{text}.*make dates of them, ") as e:
        daily_drivers(ds, drivers=["t2m"])
    cure = str(e.value).rpartition("make dates of them, ")[2]
    cured = follow(cure if cure.startswith("ds[") else f"ds = {cure}", ds=ds)["ds"]
    assert daily_drivers(cured, drivers=["t2m"]).sizes["time"] == 2


def test_days_as_numbers_are_refused_with_a_cure_that_works():
    ds = t2m(280.0, "2003-05-01", 4, "D").assign_coords(time=[20030501, 20030502, 20030503, 20030504])
    with pytest.raises(ValueError, match="are numbers like 20030501, not datetime64") as e:
        daily_drivers(ds, drivers=["t2m"])
    cured = follow("ds = " + str(e.value).rpartition("of them, ")[2], ds=ds)["ds"]
    assert daily_drivers(cured, drivers=["t2m"]).indexes["time"][3] == pd.Timestamp("2003-05-04")


def test_the_year_0_is_refused_with_a_cure_that_works(tmp_path):
    ds = t2m(280.0, "2003-05-01", 48)
    early = {"units": "hours since 0000-01-01", "calendar": "proleptic_gregorian"}
    ds = ds.assign_coords(time=("time", np.arange(48), early))
    ds.to_netcdf(tmp_path / "it.nc", engine="h5netcdf")
    with pytest.raises(
        ValueError, match=r"times of 't2m' lie in the years 0 to 0, where no reanalysis is.*=False"
    ) as e:
        open_era5(tmp_path / "it.nc", drivers=["t2m"])
    raw = xr.open_dataset(tmp_path / "it.nc", decode_times=False)
    cured = follow(str(e.value).rpartition("correct them, ")[2], ds=raw)["ds"]
    assert daily_drivers(cured, drivers=["t2m"]).sizes["time"] == 2


@pytest.mark.parametrize(
    "units", ["hours since 0000-01-01", "days since 0000-00-00", "hours since yesterday", "months since 2003-01-01"]
)
def test_times_that_cannot_be_decoded_say_so(tmp_path, units):
    path = tmp_path / "it.nc"
    ds = t2m(280.0, "2003-05-01", 48)
    ds.assign_coords(time=("time", np.arange(48), {"units": units})).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(OSError, match=r"the times of .*it.nc cannot be decoded .*correct their units") as e:
        open_era5(path, drivers=["t2m"])
    cure = str(e.value).rpartition("correct their units, ")[2].partition(", and give")[0]
    assert daily_drivers(follow(cure)["ds"], drivers=["t2m"]).sizes["time"] == 2


@pytest.mark.parametrize("dim", ["time", "valid_time"])
def test_cures_of_times_name_the_users_dimension(dim):
    ds = t2m(280.0, "2003-05-01", 48).rename(time=dim)
    gone = ds[dim].values.copy()
    gone[3] = "NaT"
    half = ds[dim].values + np.timedelta64(30, "m")
    for broken, text in (
        (ds.isel({dim: [*range(10), 20, 15, *range(10, 15), *range(16, 20), *range(21, 48)]}), "go backwards"),
        (ds.isel({dim: [*range(6), *range(5, 48)]}), "twice along"),
        (ds.assign_coords({dim: gone}), "missing times"),
        (ds.assign_coords({dim: half}), "off the 1-hourly steps"),
    ):
        with pytest.raises(ValueError, match=text) as e:
            daily_drivers(broken, drivers=["t2m"])
        cure = "ds." + str(e.value).rpartition("ds.")[2]
        cured = follow(f"ds = {cure}", ds=broken)["ds"]
        with xdrought.set_options(check_limits=True):
            made = daily_drivers(cured, drivers=["t2m"], min_hours=20)
        assert made.sizes["time"] == 2


def test_the_same_time_in_two_pieces_is_refused_with_a_cure_that_works():
    first, second = t2m(280.0, "2003-05-01", 48), t2m(281.0, "2003-05-02", 48)
    with pytest.raises(ValueError, match=r"'t2m' is in more than one input at 24 time\(s\), first 2003-05-02") as e:
        daily_drivers([first, second], drivers=["t2m"])
    cure = str(e.value).rpartition("e.g. ")[2]
    second = follow(cure, first=first, second=second)["second"]
    assert daily_drivers([first, second], drivers=["t2m"]).sizes["time"] == 3


@pytest.mark.parametrize("offset", [-6, 10])
def test_days_of_another_zone(offset):
    times = pd.date_range("2003-04-30", periods=24 * 5, freq="h")
    local = times + pd.Timedelta(hours=offset)
    hot = np.where(local.normalize() == pd.Timestamp("2003-05-02"), 290.0, 280.0)
    ds = field("t2m", hot, times, "K")
    made = daily_drivers(ds, drivers=["t2m"], utc_offset=offset)
    day = made.t2m.sel(time="2003-05-02").isel(lat=0, lon=0)
    assert day == 290.0
    assert set(first_cell(made, "t2m")) == {280.0, 290.0}
    assert made.attrs["utc_offset"] == offset
    assert made.time.attrs["long_name"] == f"day (UTC{offset:+d} h)"
    assert made.t2m.attrs["day_boundary"] == f"00:00 UTC{offset:+d}"
    assert daily_drivers(ds, drivers=["t2m"]).t2m.attrs["day_boundary"] == "00:00 UTC"
    assert first_cell(daily_drivers(ds, drivers=["t2m"]), "t2m").max() < 290.0


def test_daily_fields_say_when_their_days_begin_only_if_they_were_told():
    """Daily statistics are published for any time zone, and the file's times are dates."""
    days = t2m(280.0, "2003-05-01", 4, "D")
    assert "day_boundary" not in daily_drivers(days, drivers=["t2m"]).t2m.attrs
    made = daily_drivers(t2m(280.0, "2003-05-01", 96), drivers=["t2m"], utc_offset=-6)
    assert daily_drivers(made, drivers=["t2m"]).t2m.attrs["day_boundary"] == "00:00 UTC-6"
    both = daily_drivers([days, t2m(280.0, "2003-05-05", 48)], drivers=["t2m"])
    assert both.sizes["time"] == 6
    assert "day_boundary" not in both.t2m.attrs


@pytest.mark.parametrize("offset", [-8, 0, 9])
def test_totals_since_utc_midnight_become_totals_of_local_days(offset):
    rng = np.random.default_rng(1)
    times = pd.date_range("2003-05-01 01:00", periods=24 * 6, freq="h")
    amounts = rng.exponential(1e-3, times.size)
    utc_day = (times - pd.Timedelta("1h")).normalize()
    totals = pd.Series(amounts, times).groupby(utc_day).cumsum()
    expected = pd.Series(amounts, times).groupby((times + pd.Timedelta(hours=offset - 1)).normalize()).sum()
    ds = field("tp", totals.to_numpy(), times, "m")
    made = daily_drivers(ds, drivers=["tp"], accumulation="since_midnight", utc_offset=offset)
    days = made.indexes["time"]
    assert len(days) == (6 if offset == 0 else 5)
    np.testing.assert_allclose(first_cell(made, "tp"), expected[days], rtol=1e-9)


def test_an_offset_that_does_not_fit_is_refused_with_a_cure_that_works():
    ds = t2m(280.0, "2003-05-01", 40, "3h")
    with pytest.raises(ValueError, match="utc_offset=10 does not fit the times of 't2m'.*utc_offset=9") as e:
        daily_drivers(ds, drivers=["t2m"], utc_offset=10)
    offset = follow(str(e.value).rpartition("e.g. ")[2])["utc_offset"]
    assert daily_drivers(ds, drivers=["t2m"], utc_offset=offset).sizes["time"] == 4
    with pytest.raises(ValueError, match="daily values have no hours to count anew"):
        daily_drivers(t2m(280.0, "2003-05-01", 4, "D"), drivers=["t2m"], utc_offset=-6)
    for bad in (15, "10", True, np.nan):
        with pytest.raises(ValueError, match="utc_offset=.*expected hours from UTC"):
            daily_drivers(ds, drivers=["t2m"], utc_offset=bad)
