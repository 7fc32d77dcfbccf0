"""ERA5 in pieces of other steps, in cubes of GRIB and by patterns of files: read right, or refused with a cure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.era5_pieces import field, first_cell, t2m
from tests.support.helpers import follow, raise_if_dask_computes
from xdrought.data.era5 import daily_drivers, open_era5


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (t2m(281.0, "2003-04-01", 30, "D"), 30),
        (t2m(281.0, "2003-04-01 12:00", 30, "D"), 30),
        (t2m(281.0, "2003-04-01", 240, "3h"), 30),
        (t2m(281.0, "2003-04-01", 120, "6h"), 30),
        (t2m(281.0, "2003-05-05", 10, "D"), 10),  # after the hours
        (t2m(281.0, "2003-04-01", 240, "3h").isel(time=slice(0, 237)), 29),  # cut in the last afternoon
    ],
    ids=["days", "days at noon", "3 hours", "6 hours", "days after", "cut short"],
)
@pytest.mark.parametrize("turned", [False, True])
def test_pieces_of_another_step_are_days_too(first, expected, turned):
    hours = t2m(280.0, "2003-05-01", 96)
    parts = [hours, first] if turned else [first, hours]
    if expected == 29:
        with pytest.warns(UserWarning, match=r"'t2m' lacks times on 1 day\(s\).*first 2003-04-30"):
            made = daily_drivers(parts, drivers=["t2m"])
        assert made.sizes["time"] == 34
    else:
        made = daily_drivers(parts, drivers=["t2m"])
        assert made.sizes["time"] == expected + 4
    values = first_cell(made, "t2m")
    assert (values == 281.0).sum() == expected
    assert (values == 280.0).sum() == 4
    assert made.indexes["time"].is_monotonic_increasing


def test_three_steps_in_turn_and_a_gap_between():
    parts = [
        t2m(281.0, "2003-01-01", 31, "D"),
        t2m(282.0, "2003-02-01", 28 * 8, "3h"),
        t2m(283.0, "2003-03-01", 31 * 24),
        t2m(284.0, "2003-05-01", 31, "D"),
    ]
    with pytest.warns(UserWarning, match=r"'t2m' lacks times on 30 day\(s\) inside its record, first 2003-04-01"):
        made = daily_drivers(parts, drivers=["t2m"])
    months = made.t2m.isel(lat=0, lon=0).groupby("time.month").mean()
    np.testing.assert_array_equal(months, [281, 282, 283, np.nan, 284])
    assert made.t2m.attrs["days_missing_inside"] == 30


def test_a_day_that_changes_its_step_at_noon_is_missing():
    parts = [t2m(281.0, "2003-05-01", 12, "3h"), t2m(280.0, "2003-05-02 12:00", 60)]
    with pytest.warns(UserWarning, match="first 2003-05-02"):
        made = daily_drivers(parts, drivers=["t2m"])
    np.testing.assert_array_equal(first_cell(made, "t2m"), [281, np.nan, 280, 280])
    with pytest.raises(ValueError, match=r"'t2m' has 1 day\(s\) in parts of different steps, first 2003-05-02"):
        daily_drivers(parts, drivers=["t2m"], min_hours=6)


def test_files_of_one_time_each():
    hours = [t2m(250.0 + k, "2003-05-01", 72).isel(time=[k]) for k in range(72)]
    assert daily_drivers(hours, drivers=["t2m"]).sizes["time"] == 3
    days = [t2m(280.0, "2003-05-01", 9, "D").isel(time=[k]) for k in range(9)]
    assert daily_drivers(days, drivers=["t2m"]).sizes["time"] == 9
    assert daily_drivers([*days[::-1], *[t2m(280.0, "2003-05-10", 48)]], drivers=["t2m"]).sizes["time"] == 11
    midnight = field("tp", 1e-3, pd.date_range("2003-05-02", periods=1), "m")
    rain = field("tp", 1e-3, pd.date_range("2003-05-01 01:00", periods=23, freq="h"), "m")
    np.testing.assert_allclose(first_cell(daily_drivers([midnight, rain], drivers=["tp"]), "tp"), [0.024])


def test_two_steps_in_one_dataset_are_refused_and_the_cure_keeps_all_days():
    april, may = t2m(281.0, "2003-04-01", 30, "D"), t2m(280.0, "2003-05-01", 96)
    for order in ([april, may], [may, t2m(281.0, "2003-05-05", 30, "D")]):
        ds = xr.concat(order, "time").rename(time="valid_time")
        with pytest.raises(ValueError, match=r"'t2m' comes every 24 h on 30 day\(s\).*and every 1 h on others") as e:
            daily_drivers(ds, drivers=["t2m"])
        call = str(e.value).rpartition("themselves, ")[2].replace("...", "drivers=['t2m']")
        made = follow(f"made = {call}", ds=ds, daily_drivers=daily_drivers)["made"]
        assert made.sizes["time"] == 34
        assert int(made.t2m.isel(lat=0, lon=0).notnull().sum()) == 34
    rain = xr.concat(
        [
            field("tp", 1.0, pd.date_range("2003-04-01 03:00", periods=80, freq="3h"), "mm d-1"),
            field("tp", 1.0, pd.date_range("2003-04-11 01:00", periods=96, freq="h"), "mm d-1"),
        ],
        "time",
    )
    with pytest.raises(ValueError, match=r"'tp' comes every 3 h on 10 day\(s\), first 2003-04-01") as e:
        daily_drivers(rain, drivers=["tp"], accumulation="step")
    call = str(e.value).rpartition("themselves, ")[2].replace("...", "drivers=['tp'], accumulation='step'")
    made = follow(f"made = {call}", ds=rain, daily_drivers=daily_drivers)["made"]
    np.testing.assert_allclose(first_cell(made, "tp"), np.full(14, 1e-3))


def test_hours_and_days_of_two_variables_are_not_put_side_by_side():
    """Of daily dewpoints and hourly temperatures only the midnights would be left, taken for means."""
    days = field("d2m", 275.0, pd.date_range("2003-05-01", periods=4), "K")
    hours = t2m(280.0, "2003-05-01", 96)
    with pytest.raises(ValueError, match="'r' cannot be made of 't2m' every 1 h and 'd2m' every 1 day") as e:
        daily_drivers([days, hours], drivers=["r"])
    cured = follow("ds = " + str(e.value).rpartition("to days, ")[2], ds=hours)["ds"]
    assert daily_drivers([days, cured], drivers=["r"]).sizes["time"] == 4
    later = field("d2m", 275.0, pd.date_range("2004-05-01", periods=4), "K")
    with pytest.raises(ValueError, match="'r' cannot be made of 't2m' 2003.* and 'd2m' 2004.*: no time is in both"):
        daily_drivers([later, hours], drivers=["r"])
    both = [days, field("d2m", 275.0, pd.date_range("2003-05-05", periods=48, freq="h"), "K")]
    two = [t2m(280.0, "2003-05-01", 4, "D"), t2m(280.0, "2003-05-05", 48)]
    assert daily_drivers([*both, *two], drivers=["r"]).sizes["time"] == 6
    coarse = field("d2m", 275.0, pd.date_range("2003-05-01", periods=32, freq="3h"), "K")
    assert daily_drivers([coarse, hours], drivers=["r"]).sizes["time"] == 4  # the hours that both have


def test_laziness_is_kept_with_pieces_of_other_steps():
    parts = [t2m(281.0, "2003-04-01", 30, "D").chunk(), t2m(280.0, "2003-05-01", 96).chunk(time=7)]
    with raise_if_dask_computes():
        made = daily_drivers(parts, drivers=["t2m"])
    assert made.t2m.chunks
    assert made.t2m.notnull().all().compute()


def cube(first, days, value=1e-3, starts=(6, 18), name="tp"):
    """What cfgrib makes of the hours 00 to 23 of some days: a cube of starts and steps, padded with NaN."""
    valid = pd.date_range(first, periods=24 * days, freq="h")
    if starts == (0,):
        base = [(v - pd.Timedelta("1h")).floor("D") for v in valid]
    else:
        base = [(v - pd.Timedelta("7h")).floor("12h") + pd.Timedelta("6h") for v in valid]
    rows = pd.DatetimeIndex(sorted(set(base)))
    steps = 24 if starts == (0,) else 12
    values = np.full((len(rows), steps, 2, 2), np.nan)
    for start, t in zip(base, valid, strict=True):
        step = int((t - start) / pd.Timedelta("1h"))
        values[rows.get_loc(start), step - 1] = value * (step if starts == (0,) else 1)
    return xr.Dataset(
        {name: (("time", "step", "latitude", "longitude"), values, {"units": "m"})},
        {
            "time": rows,
            "step": pd.to_timedelta(np.arange(1, steps + 1), "h"),
            "latitude": [1.0, 0.0],
            "longitude": [0.0, 1.0],
        },
    )


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_consecutive_grib_files_join_where_their_cubes_are_padded(lazy, turned):
    parts = [cube("2003-05-01", 5), cube("2003-05-06", 5), cube("2003-05-11", 3)]
    parts = [part.chunk() for part in parts] if lazy else parts
    with raise_if_dask_computes():
        made = daily_drivers(parts[::-1] if turned else parts, drivers=["tp"])
    assert made.sizes["time"] == 13
    np.testing.assert_allclose(first_cell(made.compute(), "tp"), [0.024] * 12 + [np.nan])


def test_consecutive_cubes_of_era5_land_join_too():
    parts = [cube("2003-05-01", 5, starts=(0,)), cube("2003-05-06", 5, starts=(0,))]
    made = daily_drivers(parts, drivers=["tp"], accumulation="since_midnight")
    assert [f"{day:%m-%d}" for day in made.indexes["time"][[0, -1]]] == ["04-30", "05-10"]
    np.testing.assert_allclose(first_cell(made, "tp")[:10], 0.024)
    assert np.isnan(first_cell(made, "tp")[10])  # its 24th hour is in no file


def test_cubes_that_contradict_each_other_are_refused():
    first, other = cube("2003-05-01", 5), cube("2003-05-05", 5, value=2e-3)
    with pytest.raises(ValueError, match=r"'tp' has two different values at \d+ place\(s\) and time\(s\)"):
        daily_drivers([first, other], drivers=["tp"])
    lazy = daily_drivers([first.chunk(), other.chunk()], drivers=["tp"])
    with pytest.raises(ValueError, match="two different values"):
        lazy.compute()
    same = daily_drivers([first, cube("2003-05-05", 5)], drivers=["tp"])
    assert same.sizes["time"] == 9


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_the_packing_of_the_file_is_not_kept(tmp_path, suffix):
    celsius = np.linspace(-20, 30, 31)
    ds = field("t2m", celsius, pd.date_range("2003-01-01", periods=31), "degC")
    packed = {"dtype": "int16", "scale_factor": 50 / 65000, "add_offset": 5.0, "_FillValue": -32767}
    if suffix == "nc":
        ds.to_netcdf(tmp_path / "a.nc", encoding={"t2m": packed}, engine="h5netcdf")
    else:
        ds.to_zarr(tmp_path / "a.zarr", encoding={"t2m": packed}, zarr_format=2)
    made = open_era5(tmp_path / f"a.{suffix}", drivers=["t2m"])
    assert all(not made[name].encoding for name in made.variables)
    assert not made.encoding
    made.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "b.nc") as written:
        np.testing.assert_allclose(written.t2m[:, 0, 0], celsius + 273.15, atol=1e-3)


def test_patterns_of_files(tmp_path):
    for k, start in enumerate(("2003-05-01", "2003-05-03", "2004-05-01")):
        t2m(280.0 + k, start, 48).to_netcdf(tmp_path / f"era5_{start[:7]}_{k}.nc", engine="h5netcdf")
    (tmp_path / "deeper").mkdir()
    t2m(285.0, "2003-05-05", 48).to_netcdf(tmp_path / "deeper" / "era5_2003-05_3.nc", engine="h5netcdf")
    assert open_era5(tmp_path / "era5_2003*.nc", drivers=["t2m"]).sizes["time"] == 4
    assert open_era5(f"{tmp_path}/**/era5_2003*.nc", drivers=["t2m"]).sizes["time"] == 6
    assert open_era5([f"{tmp_path}/era5_2003*.nc", tmp_path / "deeper"], drivers=["t2m"]).sizes["time"] == 6
    assert open_era5(f"{tmp_path}/*2003-05_[01].nc", drivers=["t2m"]).sizes["time"] == 4
    assert open_era5(f"file://{tmp_path}/era5_2003*.nc", drivers=["t2m"]).sizes["time"] == 4
    with pytest.raises(FileNotFoundError, match=r"era5_1999\*.nc fits no file; download ERA5 from"):
        open_era5(tmp_path / "era5_1999*.nc")
    odd = tmp_path / "a[1].nc"
    t2m(280.0, "2003-05-01", 48).to_netcdf(odd, engine="h5netcdf")
    assert open_era5(odd, drivers=["t2m"]).sizes["time"] == 2
