"""Events of records as they come: labels in any order, missing codes, other scales, names and calendars."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.support.cures import follow
from tests.support.helpers import raise_if_dask_computes
from xdrought.events import drought_objects, start_monitor

FALL = np.repeat([60.0, 30.0, 15.0, 30.0], [5, 1, 20, 10])  # one flash drought of 20 days
DAYS = pd.date_range("2001-01-01", periods=FALL.size)
FUNCTIONS = (xd.flash_drought_events, xd.drought_classes, xd.drought_summary)


def north_and_south(units: str = "%") -> xr.DataArray:
    coords = {"lat": [50.0, 49.0], "time": DAYS}
    return xr.DataArray([FALL, FALL], coords, ("lat", "time"), "soil", {"units": units})


def frozen_north() -> xr.DataArray:
    soil = xr.full_like(north_and_south(), 5.0).assign_attrs(units="degC")
    soil.loc[50.0] = -5.0
    return soil


# ---- labels --------------------------------------------------------------------------------------------------------

ORDERS = {
    "as it is": lambda da: da,
    "rows turned": lambda da: da[::-1],
    "other order of dimensions": lambda da: da.T,
    "more rows": lambda da: xr.concat([da.assign_coords(lat=[60.0, 59.0]), da], "lat"),
    "dask": lambda da: da[::-1].chunk(lat=1),
    "days shuffled": lambda da: da.isel(time=np.random.default_rng(0).permutation(FALL.size)),
    "Kelvin": lambda da: (da[::-1] + 273.15).assign_attrs(units="K"),
    "cftime": lambda da: da.convert_calendar("standard", use_cftime=True),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_soil_temperature_is_taken_by_its_labels(kind):
    events = xd.flash_drought_events(
        north_and_south(), is_percentile=True, soil_temperature=ORDERS[kind](frozen_north())
    )
    assert dict(zip(events.lat.values.tolist(), events.frozen_fraction.values.tolist(), strict=True)) == {50: 1, 49: 0}


def test_one_row_serves_all_only_when_it_has_no_row_of_its_own():
    with pytest.raises(ValueError, match="soil_temperature lacks 1 of the record's 2 labels along 'lat'") as caught:
        xd.flash_drought_events(north_and_south(), is_percentile=True, soil_temperature=frozen_north()[:1])
    cured = follow(str(caught.value), da=frozen_north()[:1])["da"]
    events = xd.flash_drought_events(north_and_south(), is_percentile=True, soil_temperature=cured)
    assert events.frozen_fraction.values.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("other", [np.zeros(36), xr.Dataset({"t": ("time", np.zeros(36))})])
def test_other_things_than_arrays_are_named(other):
    with pytest.raises(TypeError, match=f"soil_temperature must be a DataArray, got {type(other).__name__}"):
        xd.drought_classes(north_and_south(), soil_temperature=other)


def test_soil_temperature_needs_the_days_of_the_record():
    with pytest.raises(ValueError, match="soil_temperature has no dimension 'time'; it needs the steps"):
        xd.drought_classes(north_and_south(), soil_temperature=frozen_north().isel(time=0, drop=True))


def two_levels() -> xr.DataArray:
    days = pd.date_range("2001-01-01", periods=1200)
    values = np.sin(np.arange(1200) / 20.0) + [[0.0], [10.0]]
    return xr.DataArray(values, {"lat": [50.0, 49.0], "time": days}, ("lat", "time"), "soil")


@pytest.mark.parametrize("function", [*FUNCTIONS, xd.soil_moisture_percentile])
@pytest.mark.parametrize("order", [lambda da: da, lambda da: da[::-1], lambda da: da.T, lambda da: da[::-1].chunk()])
def test_the_reference_is_taken_by_its_labels(function, order):
    da = two_levels()
    xr.testing.assert_identical(function(da, reference=order(da)).drop_attrs(), function(da, reference=da).drop_attrs())
    if function is xd.flash_drought_events:
        assert function(da, reference=order(da)).sizes["event"] == 18


def test_a_reference_of_one_row_is_refused():
    with pytest.raises(ValueError, match="reference lacks 1 of the record's 2 labels along 'lat' "):
        xd.flash_drought_events(two_levels(), reference=two_levels()[:1])


def test_a_monitor_takes_its_cells_in_any_order():
    da = two_levels()
    monitor = start_monitor(da[:, :1000], reference=("2001", "2002"))
    expected = monitor.update(da[:, 1000:]).events()
    xr.testing.assert_identical(monitor.update(da[::-1, 1000:].T).events(), expected)


# ---- missing codes and impossible values ---------------------------------------------------------------------------


@pytest.mark.parametrize("function", [*FUNCTIONS, xd.soil_moisture_percentile])
def test_missing_codes_are_refused_and_the_cure_works(function):
    da = north_and_south().where(north_and_south().time != DAYS[7], -9999.0)
    with pytest.raises(ValueError, match="'soil' holds codes of missing values as numbers .2 of -9999") as caught:
        function(da)
    cured = follow(str(caught.value), da=da)["da"]
    xr.testing.assert_identical(function(cured), function(da.where(da > -9999)))
    with raise_if_dask_computes():
        lazy = None if function is xd.flash_drought_events else function(da.chunk(lat=1))
    with pytest.raises(ValueError, match="1 of -9999, among 36 values"):
        xd.flash_drought_events(da.chunk(lat=1)) if lazy is None else lazy.compute()


def test_the_option_lets_everything_through():
    da = north_and_south().where(north_and_south().time != DAYS[7], -9999.0)
    with xd.set_options(check_limits=False):
        assert xd.flash_drought_events(da).sizes["event"] >= 0


@pytest.mark.parametrize(
    ("units", "factor", "told"),
    [("m3 m-3", 1.0, "fit 'percent'"), ("%", 100.0, "if the units are wrong, correct them; if single values")],
)
def test_soil_moisture_on_a_wrong_scale_is_refused(units, factor, told):
    with pytest.raises(ValueError, match=told) as caught:
        xd.drought_classes((factor * north_and_south()).assign_attrs(units=units))
    assert "volumetric soil moisture can be" in str(caught.value)


def test_soil_temperature_in_kelvin_labelled_celsius_is_refused_and_the_cure_works():
    wrong = (frozen_north() + 273.15).assign_attrs(units="degC")
    with pytest.raises(ValueError, match="'soil_temperature' has 72 of 72 .* all values fit 'K'") as caught:
        xd.flash_drought_events(north_and_south(), is_percentile=True, soil_temperature=wrong)
    cured = follow(str(caught.value), da=wrong)["da"]
    events = xd.flash_drought_events(north_and_south(), is_percentile=True, soil_temperature=cured)
    assert sorted(events.frozen_fraction.values.tolist()) == [0.0, 1.0]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_quantiles_are_no_percentiles_and_the_cure_works(function):
    quantiles = (north_and_south() / 100).drop_attrs()
    with pytest.raises(ValueError, match="these are quantiles .0 to 1., and percentiles go from 0 to 100") as caught:
        function(quantiles, is_percentile=True)
    cured = follow(str(caught.value), da=quantiles)["da"]
    xr.testing.assert_identical(function(cured, is_percentile=True), function(north_and_south(), is_percentile=True))


def test_a_monitor_takes_a_dry_day_whose_percentiles_all_lie_below_one():
    monitor = start_monitor(north_and_south(), is_percentile=True)
    days = pd.date_range(DAYS[-1] + pd.Timedelta(days=1), periods=15)
    dry = xr.DataArray(
        np.full((2, 15), 0.4), {"lat": [50.0, 49.0], "time": days}, ("lat", "time"), "soil", {"units": "%"}
    )
    assert monitor.update(dry).today().percentile.values.tolist() == [0.4, 0.4]


# ---- steps ---------------------------------------------------------------------------------------------------------


def test_steps_of_eight_days_are_refused_and_the_cure_gives_events():
    days = pd.date_range("2001-01-01", periods=1200)
    eight = xr.DataArray(np.random.default_rng(0).random(1200), {"time": days}, "time").resample(time="8D").mean()
    with pytest.raises(ValueError, match="steps of 8 days; expected daily or 5-day") as caught:
        xd.flash_drought_events(eight)
    cured = follow(str(caught.value), da=eight)["da"]
    assert cured.notnull().all()
    assert xd.flash_drought_events(cured).sizes["event"] > 0


# ---- names ---------------------------------------------------------------------------------------------------------


def test_coordinates_of_the_record_do_not_replace_results():
    da = xr.DataArray([FALL], {"site": ["A"], "time": DAYS}, ("site", "time"))
    da = da.assign_coords(duration=("site", [3650]), severity=("site", [9.0]), is_censored=("site", [True]))
    with pytest.warns(UserWarning, match="'duration' of the record is called 'series_duration'"):
        events = xd.flash_drought_events(da, is_percentile=True)
    assert (events.duration.item(), events.severity.item(), events.is_censored.item()) == (20, 100.0, False)
    assert events.series_duration.item() == 3650
    with pytest.warns(UserWarning, match="series_is_censored"):
        assert xd.flash_drought_events(da, is_percentile=True, censored="drop").sizes["event"] == 1


def test_coordinates_do_not_replace_maps():
    da = xr.DataArray([FALL], {"site": ["A"], "time": DAYS}, ("site", "time")).assign_coords(event_count=("site", [7]))
    with pytest.warns(UserWarning, match="'series_event_count'"):
        assert xd.drought_summary(da, is_percentile=True).event_count.item() == 1


@pytest.mark.parametrize("name", ["point", "cell"])
def test_stacked_places_are_written_by_their_levels(name, tmp_path):
    values = np.broadcast_to(FALL, (2, 2, FALL.size))
    grid = xr.DataArray(values, {"lat": [1.0, 0.0], "lon": [0.0, 1.0], "time": DAYS}, ("lat", "lon", "time"))
    events = xd.flash_drought_events(grid.stack({name: ("lat", "lon")}), is_percentile=True)
    assert events.cell.values.tolist() == [0, 1, 2, 3]
    assert events.cell.attrs["instance_dimension"] == name
    assert list(zip(events.lat.values, events.lon.values, strict=True)) == [(1, 0), (1, 1), (0, 0), (0, 1)]
    events.to_netcdf(tmp_path / "events.nc", engine="h5netcdf")
    xr.testing.assert_equal(xr.open_dataset(tmp_path / "events.nc", engine="h5netcdf"), events)


def test_a_dimension_called_cell_leaves_the_index_its_name():
    values = np.broadcast_to(FALL, (2, FALL.size))
    icon = xr.DataArray(values, {"cell": [409601, 409602], "time": DAYS}, ("cell", "time"))
    events = xd.flash_drought_events(icon, is_percentile=True)
    assert events.cell.values.tolist() == [0, 1]
    assert events.cell.attrs["long_name"] == "index of the series among all"
    assert events.series_cell.values.tolist() == [409601, 409602]


# ---- calendars and references --------------------------------------------------------------------------------------


def seasonal(calendar: str) -> xr.DataArray:
    """Ten years of a cosine of the season with a little noise."""
    rng = np.random.default_rng(0)
    if calendar == "360_day":
        time = xr.date_range("2001-01-01", periods=3600, calendar="360_day", use_cftime=True)
        phase = (np.arange(3600) % 360) / 360
    else:
        time = pd.date_range("2001-01-01", "2010-12-31")
        phase = (time.day_of_year.to_numpy() - 1) / np.where(time.is_leap_year, 366, 365)
    return xr.DataArray(np.cos(2 * np.pi * phase) + 0.02 * rng.normal(size=len(time)), {"time": time}, "time", "soil")


@pytest.mark.parametrize("pair", [("360_day", "numpy"), ("numpy", "360_day")])
@pytest.mark.parametrize("pool", ["dayofyear", "pentad"])
def test_days_of_years_of_other_lengths_are_refused_and_the_cure_works(pair, pool):
    record, reference = map(seasonal, pair)
    with pytest.raises(ValueError, match="so that their days of the year are not the same") as caught:
        xd.soil_moisture_percentile(record, pool=pool, reference=reference)
    cured = follow(str(caught.value), reference=reference)["da"]
    percentile = xd.soil_moisture_percentile(record, pool=pool, window=2, reference=cured)
    assert percentile.notnull().all()
    assert abs(percentile.groupby("time.month").mean() - 50).max() < 12
    assert xd.soil_moisture_percentile(record, reference=reference).notnull().all()  # all days are one pool


def test_calendars_with_years_of_the_same_length_are_compared():
    noleap = seasonal("numpy").convert_calendar("noleap", use_cftime=True)
    percentile = xd.soil_moisture_percentile(seasonal("numpy"), pool="dayofyear", window=2, reference=noleap)
    assert percentile.notnull().all()


def record_of(days: int) -> xr.DataArray:
    time = pd.date_range("2001-01-01", periods=days)
    return xr.DataArray(np.random.default_rng(0).random(days), {"time": time}, "time", "soil")


def test_a_period_that_is_mostly_absent_is_told_with_its_share():
    with pytest.warns(UserWarning, match="1981 to 2001 the record holds 2001-01-01 to 2001-12-31, 5% of"):
        percentile = xd.soil_moisture_percentile(record_of(1000), reference=("1981", "2001"))
    assert percentile.attrs["reference"] == "1981 to 2001 (2001-01-01 to 2001-12-31, 5% of it)"
    cftime = record_of(1000).convert_calendar("noleap", use_cftime=True)
    with pytest.warns(UserWarning, match="5% of it"):
        xd.soil_moisture_percentile(cftime, reference=("1981", "2001"))


@pytest.mark.parametrize("form", [(2001, 2002), [2001, 2002], slice(2001, 2002), ("2001", "2002"), slice(None, "2002")])
def test_years_come_as_numbers_and_as_texts(form):
    expected = xd.soil_moisture_percentile(record_of(1000), reference=slice("2001-01-01", "2002-12-31"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        percentile = xd.soil_moisture_percentile(record_of(1000), reference=form)
    xr.testing.assert_equal(percentile, expected)


@pytest.mark.parametrize("year", [2002, "2002"])
def test_one_year_is_a_period(year):
    expected = xd.soil_moisture_percentile(record_of(1000), reference=("2002-01-01", "2002-12-31"))
    xr.testing.assert_equal(xd.soil_moisture_percentile(record_of(1000), reference=year), expected)


@pytest.mark.parametrize("form", [record_of(9).values, record_of(9).to_dataset(name="x"), True, 3.5, ("2001",)])
def test_other_references_are_refused_by_name(form):
    with pytest.raises(TypeError, match="reference must be a DataArray, a slice, .start, end. or a year, got"):
        xd.soil_moisture_percentile(record_of(9), reference=form)


def test_a_period_that_is_no_period_is_refused_in_words():
    with pytest.raises(TypeError, match="got .'summer', 'autumn'.; give a period"):
        xd.soil_moisture_percentile(record_of(9), reference=("summer", "autumn"))
    with pytest.raises(ValueError, match="1981 to 1990 holds no day of the record, which goes from 2001-01-01"):
        xd.soil_moisture_percentile(record_of(9), reference=(1981, 1990))


def test_a_pool_of_one_value_is_told_and_the_cure_works():
    with pytest.warns(UserWarning, match="percentiles rest on as few as 1 values .365 of 365 pools"):
        xd.soil_moisture_percentile(record_of(365), pool="dayofyear")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xd.soil_moisture_percentile(record_of(365), pool="dayofyear", window=15)


# ---- objects -------------------------------------------------------------------------------------------------------


def dry_maps() -> xr.DataArray:
    coords = {"time": DAYS[:4], "lat": [10.0, 5.0, 0.0], "lon": np.arange(6) * 5.0}
    return xr.DataArray(np.random.default_rng(1).random((4, 3, 6)) < 0.4, coords, ("time", "lat", "lon"), "dry")


def test_intensities_and_areas_are_taken_by_their_labels():
    dry = dry_maps()
    intensity = dry * 1.0 + dry.lat + dry.lon
    area = (100.0 + dry.lat).assign_attrs(units="km2")
    plain = drought_objects(dry, intensity=intensity, cell_area=area)
    turned = drought_objects(dry, intensity=intensity[::-1, ::-1].transpose("lon", ...), cell_area=area[::-1])
    xr.testing.assert_identical(turned, plain)


def test_longitudes_around_the_date_line_are_refused_and_the_cure_works():
    lon = np.r_[np.arange(-180.0, -175), np.arange(175.0, 180)]
    coords = {"time": DAYS[:6], "lat": np.arange(4.0), "lon": lon}
    dry = xr.DataArray(np.ones((6, 4, 10), bool), coords, ("time", "lat", "lon"))
    with pytest.raises(ValueError, match="expected even steps in one direction: use da.roll") as caught:
        drought_objects(dry)
    assert drought_objects(follow(str(caught.value), da=dry)["da"]).sizes["object"] == 1
    shuffled = dry.isel(lon=[3, 0, 1, 2, 4, 5, 6, 7, 8, 9]).sel(lon=lon[:5][[3, 0, 1, 2, 4]])
    with pytest.raises(ValueError, match="use da.sortby.'lon'") as caught:
        drought_objects(shuffled)
    assert drought_objects(follow(str(caught.value), da=shuffled)["da"]).sizes["object"] == 1


# nothing to look at


@pytest.mark.parametrize("chunks", [None, {"site": 1}])
@pytest.mark.parametrize("function", [xd.flash_drought_events, lambda da: xd.detect_droughts(da).events])
def test_a_record_without_values_says_why_there_is_no_event(function, chunks):
    days = pd.date_range("2001-01-01", periods=400)
    values = np.random.default_rng(0).random((2, 400))
    da = xr.DataArray(values, {"site": ["A", "B"], "time": days}, name="sm")
    with pytest.warns(UserWarning, match="no value at all .* the variable of the file is another one"):
        events = function(da.where(False).chunk(chunks) if chunks else da.where(False))
    assert events.sizes["event"] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        half = da.where(da.site == "A")  # a site of sea and a wet year are nothing to warn of
        function(half.chunk(chunks) if chunks else half)


def test_units_that_are_not_known_change_no_event():
    days = pd.date_range("2001-01-01", periods=1500)
    da = xr.DataArray(30 + np.cumsum(np.random.default_rng(0).standard_normal(1500)), {"time": days}, name="sm")
    known, unknown = (xd.flash_drought_events(da.assign_attrs(units=text)) for text in ("kg m-2", "bananas"))
    assert known.sizes["event"] > 0
    xr.testing.assert_equal(known, unknown)
