"""Events, classes and summaries: hand-worked cases, an independent reference, and the laws of labelled arrays."""

from __future__ import annotations

from fractions import Fraction

import cftime
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.support import oracles
from tests.support.cases import CASES
from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.soil_series import grid, on_days, series, walk
from xdrought.data import open_fluxnet

COUNTED = [1, 2, 3, 4, 0, -1]  # the order of Case.counts


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_hand_worked_cases(case):
    step = case.days[1] - case.days[0] if case.days else 1
    da = on_days(case)
    options = {
        k: v * step if k in ("recovery", "min_duration", "min_wet_run", "max_onset", "max_gap") else v
        for k, v in (case.options | {"max_gap": case.max_gap}).items()
    }
    events = xd.flash_drought_events(da, is_percentile=True, **options)
    found = [
        (to, ts, te, bool(flash), bool(censored))
        for to, ts, te, flash, censored in zip(
            *(da.get_index("time").get_indexer(events[f"{k}_time"]) for k in ("onset", "start", "end")),
            events.is_flash.values,
            events.is_censored.values,
            strict=True,
        )
    ]
    assert found == [(e.to, e.ts, e.te, e.is_flash, e.censored) for e in case.events]
    np.testing.assert_allclose(events.intensification_rate, [float(e.rate) for e in case.events], rtol=1e-12)
    labels = xd.drought_classes(da, is_percentile=True, **options).values
    assert tuple(int((labels == k).sum()) for k in COUNTED) == case.counts


def test_against_the_reference_on_random_series():
    """The compiled scan against exact fractions; `tests/campaigns/check_events.py` does the same on 100,000 series."""
    rng = np.random.default_rng(7)
    for relapse in ("event", "drop", "merge"):
        values = walk(rng, (40, 150), rng.choice(["float32", "float64"]))
        da = xr.DataArray(values, dims=("site", "time"), coords={"time": pd.date_range("2001", periods=150)})
        options = {"relapse": relapse, "min_duration": 5}
        events = xd.flash_drought_events(da, max_gap=0, **options)
        labels = xd.drought_classes(da, max_gap=0, **options).values
        for row in range(40):
            p = oracles.percentiles([float(v) for v in values[row]])
            expected = oracles.events(p, **options)
            got = events.isel(event=events.cell.values == row)
            start = (got.start_time.values - da.time.values[0]) / np.timedelta64(1, "D")
            assert start.tolist() == [e["ts"] for e in expected]
            assert got.duration.values.tolist() == [e["te"] - e["ts"] + 1 for e in expected]
            assert got.is_flash.values.tolist() == [e["is_flash"] for e in expected]
            assert got.onset_percentile.values.tolist() == pytest.approx(
                [float(e["p_to"]) for e in expected], abs=1e-12
            )
            assert labels[row].tolist() == oracles.classes(p, expected, oracles.cut_spells(p, **options))


def test_severity_is_the_summed_deficit():
    events = xd.flash_drought_events(series([60] + [15] * 10 + [30] * 2 + [10] * 5 + [30] * 5), is_percentile=True)
    assert events.severity.item() == 10 * 5 + 5 * 10


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "standard"])
def test_cftime_calendars(calendar):
    time = xr.date_range("2001-02-20", periods=40, calendar=calendar, use_cftime=True)
    da = xr.DataArray([60.0] * 5 + [30] + [15] * 24 + [30] * 10, dims="time", coords={"time": time})
    events = xd.flash_drought_events(da, is_percentile=True)
    assert events.duration.item() == 24
    assert isinstance(events.start_time.values[0], cftime.datetime)
    assert events.start_time.values[0] == time[6]
    assert xd.drought_classes(da.astype("float32"), definition="yuan2019").sizes == da.sizes


def test_frozen_soil_is_flagged_masked_or_ignored():
    """Day 5 is the last above 40; of the 20 days below 20 that follow, the first 16 are frozen."""
    p = series([60] * 6 + [15] * 20 + [30] * 10)
    frozen = (np.arange(36) >= 6) & (np.arange(36) < 22)
    celsius = series(np.where(frozen, -2.0, 5.0), attrs={"units": "degC"})
    flagged = xd.flash_drought_events(p, is_percentile=True, soil_temperature=celsius)
    assert flagged.frozen_fraction.values.tolist() == [0.8]
    assert flagged.is_frozen.values.tolist() == [True]
    assert (
        xd.flash_drought_events(p, is_percentile=True, soil_temperature=celsius.where(~frozen, 5)).is_frozen.sum() == 0
    )
    kelvin = (celsius + 273.15).assign_attrs(units="K")
    ignored = xd.flash_drought_events(p, is_percentile=True, soil_temperature=kelvin, frozen="ignore")
    assert "is_frozen" not in ignored
    assert ignored.frozen_fraction.values.tolist() == [0.8]
    # the onset was never seen, and of the four days below 20 that follow nobody knows what they were
    assert xd.flash_drought_events(p, is_percentile=True, soil_temperature=celsius, frozen="mask").sizes["event"] == 0
    masked = xd.drought_classes(p, is_percentile=True, soil_temperature=celsius, frozen="mask")
    assert masked.values.tolist() == [0] * 6 + [-1] * 20 + [0] * 10


@pytest.mark.parametrize("order", [("time", "lat", "lon"), ("lat", "time", "lon"), ("lat", "lon", "time")])
@pytest.mark.parametrize("chunks", [{"lat": 1, "lon": 3}, {"lat": 2}, {}])
@pytest.mark.parametrize("options", [{}, {"definition": "yuan2019"}, {"reference": ("2001-01-01", "2001-06-30")}])
def test_dask_is_lazy_and_equal_whatever_the_chunks_and_the_order(order, chunks, options):
    da = grid(order)
    with raise_if_dask_computes():
        lazy = xd.drought_classes(da.chunk(chunks), **options)
        maps = xd.drought_summary(da.chunk(chunks), **options)
        percentile = xd.soil_moisture_percentile(da.chunk(chunks))
    xr.testing.assert_identical(lazy.compute(), xd.drought_classes(da, **options))
    xr.testing.assert_identical(maps.compute(), xd.drought_summary(da, **options))
    xr.testing.assert_identical(percentile.compute(), xd.soil_moisture_percentile(da))
    events = xd.flash_drought_events(da.chunk(chunks), **options)
    expected = xd.flash_drought_events(grid(("lat", "lon", "time")), **options)
    xr.testing.assert_identical(events, expected)
    assert lazy.dims == da.dims


def test_events_say_where_they_are():
    da = grid()
    events = xd.flash_drought_events(da, min_duration=5)
    assert events.sizes["event"] > 5
    lat, lon = np.unravel_index(events.cell.values, (3, 4))
    np.testing.assert_array_equal(events.lat, da.lat.values[lat])
    np.testing.assert_array_equal(events.lon, da.lon.values[lon])
    assert events.cell.attrs["instance_dimension"] == "lat lon"


def test_summary_equals_the_events():
    da = grid()
    summary = xd.drought_summary(da, min_duration=5)
    events = xd.flash_drought_events(da, min_duration=5)
    classes = xd.drought_classes(da, min_duration=5)
    table = events.to_dataframe()
    for (lat, lon), rows in table.groupby(["lat", "lon"]):
        cell = summary.sel(lat=lat, lon=lon)
        assert int(cell.event_count) == len(rows)
        assert int(cell.flash_count) == rows.is_flash.sum()
        assert float(cell.mean_duration) == pytest.approx(rows.duration.mean())
        assert float(cell.mean_intensification_rate) == pytest.approx(rows.intensification_rate.mean())
        days = classes.sel(lat=lat, lon=lon)
        assert float(cell.drought_fraction) == pytest.approx(float(days.isin([2, 4]).sum() / (days != -1).sum()))


def test_inputs_are_unchanged():
    da = grid()
    temperature = (da * 0 - 1).assign_attrs(units="degC")
    with unchanged(da, temperature):
        xd.flash_drought_events(da, soil_temperature=temperature, frozen="mask")
        xd.drought_classes(da, definition="yuan2019")
        xd.drought_summary(da)
        xd.soil_moisture_percentile(da, pool="dayofyear", window=3)


def test_accessor_equals_function():
    da = grid()
    ds = da.to_dataset(name="soil_moisture").assign(ts=(da * 0 + 1).assign_attrs(units="degC"))
    xr.testing.assert_identical(
        ds.xdrought.flash_drought_events("soil_moisture", soil_temperature="ts"),
        xd.flash_drought_events(ds.soil_moisture, soil_temperature=ds.ts),
    )
    xr.testing.assert_identical(ds.xdrought.drought_classes("soil_moisture"), xd.drought_classes(ds.soil_moisture))
    xr.testing.assert_identical(ds.xdrought.drought_summary("soil_moisture"), xd.drought_summary(ds.soil_moisture))
    with pytest.raises(KeyError, match="no variable.*swc.*it has soil_moisture"):
        ds.xdrought.flash_drought_events("swc")


@pytest.mark.parametrize(
    "values",
    [[np.nan] * 50, [0.3] * 50, [0.3], [np.inf] * 50, [0.3] * 25 + [np.nan] * 25],
    ids=["all missing", "constant", "one day", "infinite", "constant then missing"],
)
def test_series_without_droughts(values):
    da = series(values)
    assert xd.flash_drought_events(da).sizes["event"] == 0
    labels = xd.drought_classes(da)
    np.testing.assert_array_equal(labels, np.where(np.isfinite(da), 0, -1))
    expected = np.nan if not np.isfinite(da).any() else 0
    np.testing.assert_array_equal(xd.drought_summary(da).event_count, expected)


@pytest.mark.parametrize("function", [xd.flash_drought_events, xd.drought_classes, xd.drought_summary])
@pytest.mark.parametrize("definition", ["tang2025", "yuan2019", "osman2021"])
def test_no_site_is_no_event_and_no_day_is_an_error(function, definition):
    da = series(np.arange(400.0)).expand_dims(site=["A"])
    for no_site in (da[:0], da[:0].chunk()):
        result = function(no_site, definition=definition)
        assert result.sizes["event" if function is xd.flash_drought_events else "site"] == 0
    with pytest.raises(ValueError, match="'time' has no step; check the selection"):
        function(da.sel(time=slice("1990", "1991")), definition=definition)


def test_a_shift_that_crosses_no_threshold_changes_nothing():
    p = series([60, 30] + [15] * 20 + [30] * 10)
    moved = p + 3
    xr.testing.assert_equal(xd.drought_classes(p, is_percentile=True), xd.drought_classes(moved, is_percentile=True))


def test_onset_within_20_days_is_always_flash_and_over_100_days_never():
    events = xd.flash_drought_events(grid(), min_duration=3)
    fast, slow = events.onset_length <= 20, events.onset_length > 100
    assert fast.any()
    assert events.is_flash.where(fast, True).all()
    assert not events.is_flash.where(slow, False).any()


def test_record_longer_than_int16_days():
    n = 40_000  # 109 years
    p = np.full(n, 15.0)
    p[0], p[-5:] = 60, 30
    time = xr.date_range("1900-01-01", periods=n, calendar="noleap", use_cftime=True)
    da = xr.DataArray(p, dims="time", coords={"time": time})
    assert xd.flash_drought_events(da, is_percentile=True).duration.item() == n - 6


def test_censored_events_can_be_dropped():
    da = series([60] + [15] * 20)
    assert xd.flash_drought_events(da, is_percentile=True).is_censored.values.tolist() == [True]
    assert xd.flash_drought_events(da, is_percentile=True, censored="drop").sizes["event"] == 0


def test_events_survive_a_round_trip_through_netcdf(tmp_path):
    events = xd.flash_drought_events(grid(), definition=["tang2025", "yuan2019"], min_duration=5)
    events.to_netcdf(tmp_path / "events.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "events.nc", engine="h5netcdf"), events)


def test_known_answer_at_neu(data_dir):
    (path,) = (data_dir / "fluxnet2015").glob("FLX_AT-Neu_*.csv")
    table = pd.read_csv(path, usecols=["TIMESTAMP", "SWC_F_MDS_1"], na_values=-9999)
    time = pd.to_datetime(table.TIMESTAMP.astype(str))
    sm = xr.DataArray(table.SWC_F_MDS_1.values, dims="time", coords={"time": time.values})
    events = xd.flash_drought_events(sm)
    assert (events.sizes["event"], int(events.is_flash.sum())) == (15, 13)
    winter = events.isel(event=events.onset_time.values == np.datetime64("2007-12-16"))
    assert str(winter.start_time.values[0])[:10] == "2007-12-18"
    assert str(winter.end_time.values[0])[:10] == "2008-02-25"
    assert float(winter.intensification_rate[0]) == pytest.approx(18.97, abs=0.005)


def test_the_winter_drought_of_neu_is_frozen_soil(data_dir):
    """Soil was below zero on 54 of the 70 days from 18 December 2007 to 25 February 2008."""
    ds = open_fluxnet(data_dir / "fluxnet2015", sites=["AT-Neu"])
    events = ds.xdrought.flash_drought_events("soil_moisture", soil_temperature="soil_temperature")
    winter = events.isel(event=events.start_time.values == np.datetime64("2007-12-18"))
    assert winter.frozen_fraction.item() == pytest.approx(54 / 70)
    assert winter.is_frozen.item()
    assert int(events.is_frozen.sum()) == 2
    assert events.attrs["definition"] == "tang2025"
    assert set(events.site.values) == {"AT-Neu"}


def test_rate_is_decided_exactly():
    """30 days for 30 percentiles of a record of 301 days: no rounding may turn the flash drought into a normal one."""
    n = 301
    p = [Fraction(100 * k, n - 1) for k in range(n)]
    wet, dry = 135, 45  # percentiles 45 and 15
    assert p[wet] - p[dry] == 30
    middle = [k for k in range(60, 121)][:29]
    low = list(range(0, 45))
    rest = [k for k in range(n) if k not in {wet, dry, *middle, *low}]
    ranks = [r for r in rest if r > 120] + [wet, *middle, dry, *low] + [r for r in rest if r <= 120]
    events = xd.flash_drought_events(series(ranks))
    chosen = events.isel(event=events.onset_length.values == 30)
    assert chosen.intensification_rate.values.tolist() == pytest.approx([1.0])
    assert chosen.is_flash.values.tolist() == [True]
