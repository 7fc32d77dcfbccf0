"""ERA5 in pieces, of other steps, calendars and accumulations: read right, or refused with a cure that works."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from tests.support.helpers import follow, raise_if_dask_computes
from xdrought.data.era5 import daily_drivers, open_era5
from xdrought.data.era5.days import refuse_totals

LAT, LON = [48.0, 47.0], [7.0, 8.0, 9.0]


def field(name, values, times, units, dims=("time", "latitude", "longitude"), lat=LAT, lon=LON):
    """One variable with the same value in all cells at each time."""
    values = np.broadcast_to(np.asarray(values, "float64").reshape(-1, 1, 1), (len(times), len(lat), len(lon)))
    return xr.Dataset({name: (dims, values.copy(), {"units": units})}, dict(zip(dims, (times, lat, lon), strict=True)))


def t2m(value, start, n, freq="h", **options):
    return field("t2m", value, pd.date_range(start, periods=n, freq=freq), "K", **options)


def first_cell(made, name):
    return made[name].isel(lat=0, lon=0).values


# --- steps ------------------------------------------------------------------------------------------------


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


# --- time units and calendars -----------------------------------------------------------------------------


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


# --- local days -------------------------------------------------------------------------------------------


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


# --- GRIB cubes -------------------------------------------------------------------------------------------


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


# --- ERA5-Land --------------------------------------------------------------------------------------------


def totals(days=6, lat=(48.0, 47.9), lon=(7.0, 7.1), name="tp", seed=0):
    """Rain as ERA5-Land counts it, from 00 UTC on, and its days."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2003-05-01 01:00", periods=24 * days, freq="h")
    amounts = rng.exponential(1e-3, times.size) * (rng.random(times.size) < 0.6)
    day = (times - pd.Timedelta("1h")).normalize()
    series = pd.Series(amounts, times)
    return field(name, series.groupby(day).cumsum(), times, "m", lat=list(lat), lon=list(lon)), series.groupby(
        day
    ).sum()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda ds: ds, "steps of 0.1 degree"),
        (lambda ds: ds.astype("float32").assign_coords(latitude=np.float32([48.0, 47.9])), "steps of 0.1 degree"),
        (lambda ds: ds.isel(longitude=[0]), "steps of 0.1 degree"),
        (lambda ds: ds.assign_coords(latitude=[48.0, 47.0]).assign_attrs(history="cds era5-land"), "names era5-land"),
        (lambda ds: ds.assign_coords(latitude=[48.0, 47.0]).assign_attrs(title="ERA5 Land hourly"), "names ERA5 Land"),
        (lambda ds: ds.isel(latitude=[0], longitude=[0]), "rises from hour to hour"),
        (lambda ds: ds.assign_coords(latitude=[48.0, 47.0], longitude=[7.0, 8.0]), "rises from hour to hour"),
    ],
    ids=["grid", "float32", "one column", "history", "title", "one cell", "coarse grid"],
)
def test_totals_of_era5_land_are_not_taken_for_amounts(change, why):
    ds, expected = totals()
    ds = change(ds)
    with pytest.raises(ValueError, match=why) as e:
        daily_drivers(ds, drivers=["tp"])
    told = follow("accumulation" + str(e.value).partition("accumulation")[2].split('"')[0] + '"since_midnight"')
    made = daily_drivers(ds, drivers=["tp"], **told)
    np.testing.assert_allclose(first_cell(made, "tp"), expected, rtol=1e-6)


def test_totals_are_seen_in_the_blocks_and_though_told_to_be_hourly():
    ds, _ = totals()
    with raise_if_dask_computes():
        lazy = daily_drivers(ds.chunk(latitude=1), drivers=["tp"], accumulation="hourly")
    with pytest.raises(ValueError, match="rises from hour to hour and falls back after 00 UTC on 100% of its days"):
        lazy.compute()
    negative = ds.rename(tp="e").map(lambda da: -da, keep_attrs=True)
    with pytest.raises(ValueError, match="'e' rises from hour to hour"):
        daily_drivers(negative, drivers=["e"], accumulation="hourly")
    path_says_so = ds.assign_coords(latitude=[48.0, 47.0], longitude=[7.0, 8.0])
    path_says_so.encoding["source"] = "/data/era5land_tp_2003.nc"
    with pytest.raises(ValueError, match="'source' names era5land"):
        daily_drivers(path_says_so, drivers=["tp"])


def test_amounts_of_hours_are_not_taken_for_totals():
    rng = np.random.default_rng(2)
    hours = rng.exponential(1.0, (400, 24, 30)) * (rng.random((400, 24, 30)) < 0.5)
    refuse_totals(hours, "tp")
    sun = np.maximum(np.sin(2 * np.pi * (np.arange(1, 25) + np.arange(24)[:, None]) / 24), 0)  # noon at any hour
    refuse_totals(np.stack([sun] * 40).swapaxes(1, 2), "e")
    refuse_totals(np.ones((9, 24, 2)), "tp")
    refuse_totals(np.zeros((9, 24, 2)), "tp")
    refuse_totals(np.arange(240.0).reshape(10, 24, 1), "tp")
    with pytest.raises(ValueError, match="'tp' rises"):
        refuse_totals(np.cumsum(hours, axis=1), "tp")
    ds, _ = totals()
    amounts = ds.copy(data={"tp": np.where(ds.tp > 0, 1e-3, 0.0)})  # ERA5 on a finer grid
    with pytest.raises(ValueError, match=r'or accumulation="hourly" where each is of one hour'):
        daily_drivers(amounts, drivers=["tp"])
    assert daily_drivers(amounts, drivers=["tp"], accumulation="hourly").sizes["time"] == 6


# --- units ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "metres"),
    [
        *[(text, 0.01) for text in ("kg m-2 d-1", "kg m-2 day-1", "kg/m^2", "kg m**-2", "mm/day", "mm", "l m-2")],
        *[(text, 0.01) for text in ("mm of water equivalent", "kg m^-2 d^-1", "kg/m2/day", "mm per day", "mm d^-1")],
        *[(text, 864.0) for text in ("kg m-2 s-1", "kg/m2/s", "kg.m-2.s-1", "kg m^-2 s^-1", "mm s-1", "kg·m⁻²·s⁻¹")],
        ("cm", 0.1),
        ("m of water equivalent", 10.0),
        ("g cm-2", 0.1),
    ],
)
def test_water_in_any_spelling(units, metres):
    ds = field("tp", 10.0, pd.date_range("2003-05-01", periods=4), units)
    with xdrought.set_options(check_limits=False):
        made = daily_drivers(ds, drivers=["tp"])
    np.testing.assert_allclose(first_cell(made, "tp"), metres)
    assert made.tp.attrs["units"] == "m"


@pytest.mark.parametrize("units", ["K", "W m-2", "kg kg-1", "%", "m s-2", "kg"])
def test_what_is_no_water_is_refused(units):
    ds = field("tp", 280.0 if units == "K" else 10.0, pd.date_range("2003-05-01", periods=4), units)
    with pytest.raises(ValueError, match=r"'tp' has units '.*', which cannot be converted to an amount of water"):
        daily_drivers(ds, drivers=["tp"])


def test_units_that_differ_between_pieces_are_refused_with_a_cure_that_works():
    parts = [
        field("tp", 1.0, pd.date_range("2003-05-01", periods=4), "mm"),
        field("tp", 1e-3, pd.date_range("2003-05-05", periods=4), "m"),
    ]
    with pytest.raises(ValueError, match=r"'tp' has units \['m', 'mm'\] in different inputs; bring them to one") as e:
        daily_drivers(parts, drivers=["tp"])
    cure = str(e.value).rpartition("e.g. ")[2]
    cured = [follow(cure, ds=part, xdrought=xdrought)["ds"] for part in parts]
    np.testing.assert_allclose(first_cell(daily_drivers(cured, drivers=["tp"]), "tp"), 1e-3)


# --- values that cannot be --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "units", "text"),
    [
        ("t2m", -9999.0, "K", "codes of missing values"),
        ("t2m", 280.0, "degC", "outside what air temperature can be"),
        ("sp", -9999.0, "Pa", "codes of missing values"),
        ("swvl1", 25.0, "m3 m-3", "outside what volumetric soil moisture can be"),
        ("tp", 9.96921e36, "m", "codes of missing values"),
        ("stl1", -32767.0, "K", "codes of missing values"),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_codes_and_impossible_values_of_one_hour_are_seen(name, value, units, text, lazy):
    """The mean of a day would hide them: one hour of -9999 Pa makes a plausible day of 967 hPa."""
    usual = {"t2m": 280.0, "sp": 101325.0, "swvl1": 0.3, "tp": 1e-3, "stl1": 280.0}[name]
    ds = field(name, usual, pd.date_range("2003-05-01", periods=73, freq="h"), units)
    ds = ds.assign({name: ds[name].where(ds.time != ds.time[30], value)})
    ds[name].attrs["units"] = units
    if units == "degC":
        ds[name][:] = value
    with pytest.raises(ValueError, match=text) as e:
        daily_drivers(ds.chunk() if lazy else ds, drivers=[name]).compute()
    cure = str(e.value).rpartition("da = ")[2].split(";")[0].split(",")[0]
    if "assign_attrs" in cure or "where" in cure:
        cured = ds.assign({name: follow(f"da = {cure}", da=ds[name])["da"]})
        made = daily_drivers(cured, drivers=[name], min_hours=20).compute()
        assert int(made[name].notnull().sum()) > 0


def test_packed_numbers_are_refused_with_a_cure_that_works():
    ds = t2m(280.0, "2003-05-01", 48)
    raw = ds.copy(data={"t2m": np.full(ds.t2m.shape, 1000, "int16")})
    raw["t2m"].attrs |= {"scale_factor": 0.01, "add_offset": 270.0}
    with pytest.raises(ValueError, match="'t2m' holds packed numbers") as e:
        daily_drivers(raw, drivers=["t2m"])
    assert "ds = xarray.decode_cf(ds)" in str(e.value)
    cured = follow("ds = xarray.decode_cf(ds)", ds=raw)["ds"]
    np.testing.assert_allclose(first_cell(daily_drivers(cured, drivers=["t2m"]), "t2m"), 280.0)


# --- further dimensions and levels ------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [[1, 5], ["0001", "0005"], ["0005", "0001"], [5, 1], None])
def test_the_versions_of_era5_are_combined_by_the_cure(labels):
    ds = t2m(280.0, "2003-05-01", 96).rename(time="valid_time")
    final, early = ds.where(ds.valid_time < ds.valid_time[48]), ds.where(ds.valid_time >= ds.valid_time[48]) + 1
    early["t2m"].attrs["units"] = "K"
    both = xr.concat([final, early], pd.Index(labels or [0, 1], name="expver"))
    both = both if labels else both.drop_vars("expver")
    with pytest.raises(ValueError, match=r"further dimensions \{'expver': 2\}; combine the versions, ds\.") as e:
        daily_drivers(both, drivers=["t2m"])
    cured = follow("ds = " + str(e.value).rpartition("versions, ")[2], ds=both)["ds"]
    made = daily_drivers(cured, drivers=["t2m"])
    assert sorted(first_cell(made, "t2m")) == [280, 280, 281, 281]


def test_other_dimensions_are_selected_by_the_cure():
    ds = t2m(280.0, "2003-05-01", 48).expand_dims(number=3, sample=2)
    with pytest.raises(ValueError, match=r"further dimensions .*'number': 3.*select one") as e:
        daily_drivers(ds, drivers=["t2m"])
    cured = follow("ds = " + str(e.value).rpartition("e.g. ")[2], ds=ds)["ds"]
    assert daily_drivers(cured, drivers=["t2m"]).sizes["time"] == 2


@pytest.mark.parametrize(
    ("levels", "units", "right"),
    [
        ([50000.0, 85000.0], None, "Pa"),
        ([50000.0, 85000.0], "hPa", "Pa"),
        ([500.0, 850.0], "~", "hPa"),
        ([500.0, 850.0], "1", "hPa"),
        ([500.0, 850.0], "m", "hPa"),
    ],
)
@pytest.mark.parametrize("dim", ["plev", "level", "pressure_level", "isobaricInhPa"])
def test_levels_get_the_units_that_the_cure_says(levels, units, right, dim):
    ds = t2m(54_000.0, "2003-05-01", 48).rename(t2m="z").expand_dims({dim: levels})
    ds.z.attrs["units"] = "m**2 s**-2"
    ds[dim].attrs |= {"units": units} if units else {}
    with pytest.raises(ValueError, match=rf"'{dim}'.*\"units\"\] = ['\"]{right}") as e:
        daily_drivers(ds, drivers=["z500"])
    follow(str(e.value).rpartition("e.g. ")[2], ds=ds)
    np.testing.assert_allclose(first_cell(daily_drivers(ds, drivers=["z500"]), "z500"), 54_000 / 9.80665)


@pytest.mark.parametrize(("levels", "units"), [([500.0], "mb"), ([50.0], "kPa"), ([50000.0], "Pascal"), ([0.5], "bar")])
def test_levels_in_any_unit_of_pressure(levels, units):
    ds = t2m(54_000.0, "2003-05-01", 48).rename(t2m="z").expand_dims(plev=levels)
    ds.z.attrs["units"], ds.plev.attrs["units"] = "m**2 s**-2", units
    np.testing.assert_allclose(first_cell(daily_drivers(ds, drivers=["z500"]), "z500"), 54_000 / 9.80665)


def test_two_names_of_one_quantity_are_parted_by_the_cure():
    ds = t2m(280.0, "2003-05-01", 48)
    ds["tas"] = ds.t2m
    with pytest.raises(ValueError, match="are both 't2m'; keep one, e.g. ") as e:
        daily_drivers(ds, drivers=["t2m"])
    cured = follow("ds = " + str(e.value).rpartition("e.g. ")[2], ds=ds)["ds"]
    assert daily_drivers(cured, drivers=["t2m"]).sizes["time"] == 2


def test_fewer_drivers_are_those_of_the_cure():
    ds = t2m(280.0, "2003-05-01", 48)
    with pytest.raises(ValueError, match="ask for fewer drivers: ") as e:
        daily_drivers(ds, drivers=["mx2t", "t2m", "tp"])
    told = follow(str(e.value).rpartition("fewer drivers: ")[2])
    assert set(daily_drivers(ds, **told).data_vars) == {"mx2t", "t2m"}


# --- axes by their CF attributes --------------------------------------------------------------------------


def test_axes_are_known_by_their_attributes_or_given():
    ds = t2m(280.0, "2003-05-01", 48).rename(latitude="y", longitude="x", time="when")
    with pytest.raises(ValueError, match=r"expected one dimension called lat or latitude.*name it with lat="):
        daily_drivers(ds, drivers=["t2m"])
    given = daily_drivers(ds, drivers=["t2m"], lat="y", lon="x", time="when")
    assert dict(given.sizes) == {"time": 2, "lat": 2, "lon": 3}
    ds["y"].attrs["standard_name"] = "latitude"
    ds["x"].attrs["units"] = "degrees_east"
    with pytest.raises(ValueError, match="'t2m' has no time coordinate.*Name another one with time="):
        daily_drivers(ds, drivers=["t2m"])
    ds["when"].attrs["axis"] = "T"
    xr.testing.assert_identical(daily_drivers(ds, drivers=["t2m"]), given)
    with pytest.raises(ValueError, match="no dimension 'z' for lat=; it has"):
        daily_drivers(ds, drivers=["t2m"], lat="z")


# --- soil layers ------------------------------------------------------------------------------------------


def test_deeper_layers_say_their_depth():
    times = pd.date_range("2003-05-01", periods=48, freq="h")
    parts = [field(f"swvl{k}", 0.1 * k, times, "m**3 m**-3") for k in (1, 2, 3, 4)]
    parts += [field("var170", 280.0, times, "K"), field("soil_temperature_level_3", 281.0, times, "K")]
    made = daily_drivers(parts, drivers=["swvl1", "swvl2", "swvl3", "swvl4", "stl2", "stl3"])
    np.testing.assert_allclose([first_cell(made, f"swvl{k}")[0] for k in (1, 2, 3, 4)], [0.1, 0.2, 0.3, 0.4])
    depths = [(made[f"swvl{k}"].attrs["depth_from"], made[f"swvl{k}"].attrs["depth_to"]) for k in (1, 2, 3, 4)]
    assert depths == [(0.0, 0.07), (0.07, 0.28), (0.28, 1.0), (1.0, 2.89)]
    assert made.stl3.attrs["made_of"] == "soil_temperature_level_3"


# --- files ------------------------------------------------------------------------------------------------


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
