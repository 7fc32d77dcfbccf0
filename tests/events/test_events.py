"""Events, classes and summaries: hand-worked cases, an independent reference, and the laws of labelled arrays."""

from __future__ import annotations

from fractions import Fraction

import cftime
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings

import xdrought as xd
from tests.support import oracles
from tests.support.cases import CASES, YUAN2023_CASES, Case
from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.data import open_fluxnet
from xdrought.definitions import DEFINITIONS, get_definition

COUNTED = [1, 2, 3, 4, 0, -1]  # the order of Case.counts


def series(values, *, start="2001-01-01", freq="D", **kwargs) -> xr.DataArray:
    values = [np.nan if v is None else float(v) for v in values]
    time = pd.date_range(start, periods=len(values), freq=freq)
    return xr.DataArray(np.array(values), dims="time", coords={"time": time}, name="sm", **kwargs)


def walk(rng: np.random.Generator, shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray:
    """Random walks with ties, floors and gaps: what the rules find hardest."""
    x = np.cumsum(rng.standard_normal(shape), axis=-1)
    x = np.where(rng.random(shape[:-1] + (1,)) < 0.5, np.round(x), x)
    x = np.maximum(x, np.quantile(x, rng.choice([0, 0.3]), axis=-1, keepdims=True))
    return np.where(rng.random(shape) < rng.choice([0, 0.02]), np.nan, x).astype(dtype)


def on_days(case: Case) -> xr.DataArray:
    """The series of a case on its days, counted from the calendar pentad before the one of 29 February 2004."""
    da = series(case.series)
    days = range(da.size) if case.days is None else case.days
    return da.assign_coords(time=[np.datetime64("2004-02-20", "ns") + np.timedelta64(day, "D") for day in days])


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


@pytest.mark.parametrize("case", YUAN2023_CASES, ids=lambda c: c.name)
def test_yuan2023_hand_worked(case):
    da = series(case.series, freq="5D")
    events = xd.flash_drought_events(
        da,
        definition="yuan2023",
        is_percentile=True,
        **{k: v * 5 if k == "min_duration" else (v / 5 if k == "min_rate" else v) for k, v in case.options.items()},
    )
    index = da.get_index("time")
    found = list(
        zip(
            index.get_indexer(events.onset_time).tolist(),
            index.get_indexer(events.end_time).tolist(),
            np.round(events.intensification_rate.values * 5, 9).tolist(),
            events.is_censored.values.tolist(),
            strict=True,
        )
    )
    assert found == [(e[0], e[2], round(float(e[3]), 9), e[4]) for e in case.events]


def test_yuan2023_equals_its_transcription_on_random_series():
    rng = np.random.default_rng(3)
    n = 0
    for _ in range(200):
        p = np.clip(50 + np.cumsum(rng.normal(0, 8, 80)), 0, 100)
        p = np.where(rng.random(80) < 0.02, np.nan, np.round(p / 5) * 5 if rng.random() < 0.5 else p)
        da = series(p, freq="5D")
        events = xd.flash_drought_events(da, definition="yuan2023", is_percentile=True)
        expected = oracles.yuan2023([float(v) for v in p])
        assert da.get_index("time").get_indexer(events.onset_time).tolist() == [e["start"] for e in expected]
        assert da.get_index("time").get_indexer(events.end_time).tolist() == [e["end"] for e in expected]
        n += len(expected)
    assert n > 20


def test_osman2021_equals_its_transcription_on_random_series():
    rng = np.random.default_rng(4)
    time = pd.date_range("2001-01-01", "2006-12-31")
    n = 0
    for _ in range(5):
        sm = np.round(np.cumsum(rng.normal(0, 1, time.size)) * 8) / 8
        sm[rng.random(time.size) < 0.002] = np.nan
        da = xr.DataArray(sm, dims="time", coords={"time": time})
        p = xd.soil_moisture_percentile(da, pool="dayofyear", window=10)
        events = xd.flash_drought_events(da, definition="osman2021", window=10, min_duration=5)
        expected = oracles.osman2021([float(v) for v in sm], [float(v) for v in p.values], min_duration=5)
        assert da.get_index("time").get_indexer(events.start_time).tolist() == [e["ts"] for e in expected]
        assert events.is_censored.values.tolist() == [e["censored"] for e in expected]
        n += len(expected)
    assert n > 20


def test_ford_labosier_takes_the_40th_itself_and_four_pentads():
    p = [40, 30, 25, 22, 15, 15, 30, 40, 35, 30, 26, 22, 15, 30]
    events = xd.flash_drought_events(series(p, freq="5D"), definition="ford_labosier2017", is_percentile=True)
    assert events.onset_length.values.tolist() == [20, 25]
    assert events.is_flash.values.tolist() == [True, False]


def test_yuan2019_counts_the_onset_and_ends_at_the_20th():
    # pentads: onset point 45, start 18 after 2 pentads (13.5 a pentad), back at exactly 20 after one pentad
    events = xd.flash_drought_events(series([45, 30, 18, 20, 50], freq="5D"), definition="yuan2019", is_percentile=True)
    assert events.intensification_rate.values.tolist() == [2.7]
    assert events.duration.values.tolist() == [5]
    # the same fall with a fifth pentad missing is too short: onset point and start only
    assert (
        xd.flash_drought_events(series([45, 18, 20, 50], freq="5D"), definition="yuan2019", is_percentile=True).sizes[
            "event"
        ]
        == 0
    )


def test_o_park_needs_two_pentads_to_recover():
    p = [60, 15, 30, 15, 30, 30, 50]
    events = xd.flash_drought_events(series(p, freq="5D"), definition="o_park2024", is_percentile=True)
    assert events.duration.values.tolist() == [15]


def test_pentad_definition_averages_daily_values_over_calendar_pentads():
    time = pd.date_range("2001-01-03", "2004-12-31")  # begins inside a pentad, holds a leap day
    rng = np.random.default_rng(0)
    daily = xr.DataArray(np.cumsum(rng.standard_normal(time.size)), dims="time", coords={"time": time})
    labels = xd.drought_classes(daily, definition="yuan2019")
    assert labels.sizes == daily.sizes
    assert (labels[:3] == -1).all()  # 3 to 5 January are less than a pentad
    assert labels[3] != -1
    leap = labels.sel(time=slice("2004-02-25", "2004-03-01"))
    assert leap.size == 6
    assert len(set(leap.values.tolist())) == 1
    pentads = daily.sel(time=slice("2001-01-06", "2001-12-31")).coarsen(time=5).mean()
    events = xd.flash_drought_events(daily, definition="yuan2019")
    first = daily.sel(time=slice(events.start_time.values[0], None))[:5].mean()
    assert float(first) in pentads.values or events.start_time.dt.year[0] > 2001


def test_several_definitions_in_one_call():
    rng = np.random.default_rng(1)
    time = pd.date_range("2001-01-01", "2006-12-31")
    da = xr.DataArray(
        np.cumsum(rng.standard_normal((2, time.size)), axis=1), dims=("site", "time"), coords={"time": time}
    )
    names = list(DEFINITIONS)
    events = xd.flash_drought_events(da, definition=names)
    classes = xd.drought_classes(da, definition=names)
    summary = xd.drought_summary(da, definition=names)
    assert classes.definition.values.tolist() == names
    for name in names:
        alone = xd.flash_drought_events(da, definition=name)
        assert int((events.definition == name).sum()) == alone.sizes["event"]
        assert int(summary.event_count.sel(definition=name).sum()) == alone.sizes["event"]
        xr.testing.assert_equal(classes.sel(definition=name, drop=True), xd.drought_classes(da, definition=name))
    table = xd.definition_agreement(classes)
    np.testing.assert_allclose(np.diag(table.agreement), 1)
    np.testing.assert_allclose(table.agreement, table.agreement.values.T)


def test_tang2025_on_pentads_keeps_days():
    da = series([60, 15, 15, 15, 30, 30], freq="5D")
    events = xd.flash_drought_events(da, is_percentile=True)
    assert (events.onset_length.item(), events.duration.item(), events.intensification_rate.item()) == (5, 15, 9.0)
    assert events.severity.item() == 3 * 5 * 5


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


GRID = {"lat": 3, "lon": 4, "time": 400}


def grid(order=("time", "lat", "lon"), dtype="float32") -> xr.DataArray:
    rng = np.random.default_rng(5)
    coords = {"lat": [30.0, 20.0, 10.0], "lon": [1.0, 2.0, 3.0, 4.0], "time": pd.date_range("2001", periods=400)}
    return xr.DataArray(walk(rng, (3, 4, 400), dtype), dims=("lat", "lon", "time"), coords=coords, name="sm").transpose(
        *order
    )


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


def irregular(kind: str) -> xr.DataArray:
    da = series(np.random.default_rng(0).random(100))
    if kind == "gap":
        return da.isel(time=[*range(50), *range(52, 100)])
    if kind == "repeat":
        return da.isel(time=[*range(50), *range(49, 100)])
    if kind == "unsorted":
        return da.isel(time=list(range(100))[::-1])
    if kind == "monthly":
        return da.resample(time="MS").mean()
    if kind == "hourly":
        return da.assign_coords(time=pd.date_range("2001", periods=100, freq="h"))
    if kind == "no dates":
        return da.assign_coords(time=np.arange(100))
    if kind == "no coordinate":
        return da.drop_vars("time")
    if kind == "nat":
        return da.assign_coords(time=da.time.values.astype("datetime64[ns]")).assign_coords(
            time=pd.DatetimeIndex([pd.NaT, *da.get_index("time")[1:]])
        )
    return da.rename(time="t")


@pytest.mark.parametrize("function", [xd.flash_drought_events, xd.drought_classes, xd.drought_summary])
@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("gap", r"missing steps.*2001-02-22.*resample"),
        ("repeat", r"twice along 'time'.*drop_duplicates"),
        ("unsorted", r"backwards.*sortby"),
        ("monthly", r"uneven steps of 28 to 31 days; expected one value a day or a pentad"),
        ("hourly", r"steps of 1 h; expected daily.*resample"),
        ("no dates", r"not dates"),
        ("no coordinate", r"has no coordinate"),
        ("nat", r"NaT"),
        ("renamed", r"no dimension 'time'"),
    ],
)
def test_bad_time_axes_raise_with_the_cure(function, kind, match):
    with pytest.raises(ValueError, match=match):
        function(irregular(kind))


DAY = series(np.arange(100.0))


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueError, r"'time' has 4 chunks.*chunk\(\{'time': -1\}\)", lambda: xd.drought_classes(DAY.chunk(time=25))),
        (ValueError, "definition='tang' is unknown", lambda: xd.drought_classes(DAY, definition="tang")),
        (TypeError, r"unknown threshold\(s\) \['uper'\]", lambda: xd.drought_classes(DAY, uper=30)),
        (TypeError, "expected a name or a Definition", lambda: get_definition(3)),
        (ValueError, "lower=50 and upper=40", lambda: xd.drought_classes(DAY, lower=50)),
        (ValueError, "relapse='glue' is unknown", lambda: xd.drought_classes(DAY, relapse="glue")),
        (ValueError, "recovery=0", lambda: xd.drought_classes(DAY, recovery=0)),
        (ValueError, "max_onset=-1", lambda: xd.drought_classes(DAY, max_onset=-1)),
        (ValueError, "min_rate=-1", lambda: xd.drought_classes(DAY, min_rate=-1)),
        (ValueError, "percentile method='x'", lambda: xd.soil_moisture_percentile(DAY, method="x")),
        (ValueError, "pool='x'", lambda: xd.soil_moisture_percentile(DAY, pool="x")),
        (ValueError, "window=3", lambda: xd.soil_moisture_percentile(DAY, window=3)),
        (ValueError, "holds no step", lambda: xd.soil_moisture_percentile(DAY, reference=("1990", "1991"))),
        (
            ValueError,
            "reference has units 'mm'",
            lambda: xd.soil_moisture_percentile(DAY.assign_attrs(units="%"), reference=DAY.assign_attrs(units="mm")),
        ),
        (ValueError, "frozen='thaw'", lambda: xd.drought_classes(DAY, frozen="thaw")),
        (
            ValueError,
            r"'sm' has a dimension 'event', a name that the result uses.*rename\(\{'event': ...\}\)",
            lambda: xd.flash_drought_events(DAY.expand_dims(event=2)),
        ),
        (ValueError, "has a dimension 'definition'", lambda: xd.drought_classes(DAY.expand_dims(definition=2))),
        (ValueError, 'frozen="mask" needs', lambda: xd.drought_classes(DAY, frozen="mask")),
        (ValueError, "has no units", lambda: xd.drought_classes(DAY, soil_temperature=DAY)),
        (
            ValueError,
            "cannot be converted",
            lambda: xd.drought_classes(DAY, soil_temperature=DAY.assign_attrs(units="Pa")),
        ),
        (
            ValueError,
            "soil_temperature lacks 50 of the record's 100 labels along 'time'",
            lambda: xd.drought_classes(DAY, soil_temperature=DAY[:50].assign_attrs(units="degC")),
        ),
        (
            ValueError,
            r"of soil_temperature is needed: use .chunk\(\{'time': -1\}\)",
            lambda: xd.drought_classes(DAY.chunk(), soil_temperature=DAY.assign_attrs(units="degC").chunk(time=50)),
        ),
        (
            ValueError,
            "'time' has 2 chunks; the whole reference is needed",
            lambda: xd.drought_classes(DAY.chunk(), reference=DAY.chunk(time=50)),
        ),
        (
            ValueError,
            r"soil_temperature has the dimension\(s\) \['x'\] that",
            lambda: xd.drought_classes(DAY, soil_temperature=DAY.expand_dims(x=2).assign_attrs(units="degC")),
        ),
        (
            ValueError,
            "has units 'm3 m-3'; expected percent",
            lambda: xd.drought_classes(DAY.assign_attrs(units="m3 m-3"), is_percentile=True),
        ),
        (ValueError, "leaves nothing to rank", lambda: xd.drought_classes(DAY, is_percentile=True, reference=DAY)),
        (
            ValueError,
            "needs daily soil moisture",
            lambda: xd.drought_classes(DAY, definition="osman2021", is_percentile=True),
        ),
        (ValueError, "list is empty", lambda: xd.drought_classes(DAY, definition=[])),
        (ValueError, "repeat", lambda: xd.drought_classes(DAY, definition=["tang2025", "tang2025"])),
        (ValueError, "censored='x'", lambda: xd.flash_drought_events(DAY, censored="x")),
        (TypeError, "dtype <U1", lambda: xd.drought_classes(DAY.astype(str).astype("<U1"))),
        (TypeError, "expected a DataArray, got Dataset", lambda: xd.drought_classes(DAY.to_dataset(name="x"))),
        (ValueError, "no 'definition' dimension", lambda: xd.definition_agreement(xd.drought_classes(DAY))),
    ],
)
def test_wrong_input_raises_with_words(error, match, call):
    with pytest.raises(error, match=match):
        call()


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


@pytest.mark.parametrize(("low", "high"), [(-9999.0, 60.0), (10.0, 120.0)])
def test_percentiles_outside_0_to_100_are_refused_when_they_are_met(low, high):
    values = np.tile([50.0, low, high], (3, 40))
    da = xr.DataArray(values, {"time": pd.date_range("2001-01-01", periods=120)}, ("site", "time"))
    text = "holds codes of missing values" if low < 0 else "outside what percentile can be, 0 to 100 percent, e.g. 120"
    for function in (xd.flash_drought_events, xd.drought_classes, xd.drought_summary):
        with pytest.raises(ValueError, match=text):
            function(da, is_percentile=True)
    lazy = xd.drought_classes(da.chunk(site=1), is_percentile=True)  # not looked at on the way
    with pytest.raises(ValueError, match=text):
        lazy.compute()
    missing = da.where((da >= 0) & (da <= 100), np.inf)
    assert (xd.drought_classes(missing, is_percentile=True) == -1).any()
