"""Trends of how often: counted by place and year, planted ones are found, and labels stay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xdrought.statistics.trends import rate_trend
from xdrought.study import frequency_trend

DAYS = pd.date_range("1991-01-01", "2010-12-31")
LAT, LON = [48.0, 47.0, 46.0], [8.0, 9.0]
YEARS = np.arange(1991, 2011)


def record(**changes) -> xr.DataArray:
    values = np.full((DAYS.size, 3, 2), 0.2)
    values[: DAYS.size // 4, 2, 1] = np.nan
    return xr.DataArray(
        values, {"time": DAYS, "lat": LAT, "lon": LON}, ("time", "lat", "lon"), "soil_moisture", changes
    )


def events_of(counts: np.ndarray) -> xr.Dataset:
    """Events on the first of June of as many years as a table (lat, lon, year) says."""
    i, j, year = np.nonzero(counts)
    where = [np.repeat(one, counts[i, j, year]) for one in (i, j, year)]
    onset = pd.to_datetime([f"{YEARS[k]}-06-01" for k in where[2]])
    coords = {"lat": ("event", np.array(LAT)[where[0]]), "lon": ("event", np.array(LON)[where[1]])}
    return xr.Dataset({"onset_time": ("event", onset)}, coords)


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    rng = np.random.default_rng(0)
    found = rng.poisson(1.0, (3, 2, 20))
    found[0, 0] = rng.poisson(np.linspace(0.2, 3.0, 20))
    found[1, 1] = 0
    found[2, 1, :5] = 0
    return found


def test_counts_rates_and_trends_are_those_of_each_cell(counts):
    found = frequency_trend(events_of(counts), record())
    np.testing.assert_array_equal(found.event_count, counts.sum(axis=-1))
    assert found.trend.dims == ("lat", "lon")
    np.testing.assert_array_equal(found.lat, LAT)
    one = rate_trend(counts[0, 0][None], np.ones((1, 20)), YEARS.astype(float), 0.95)
    assert float(found.trend[0, 0]) == pytest.approx(100 * (np.exp(10 * one.slope[0]) - 1), rel=1e-6)
    assert float(found.p_value_adjusted[0, 0]) < 0.05
    assert float(found.rate[2, 0]) == pytest.approx(counts[2, 0].sum() / 20)
    assert float(found.years_known[2, 1]) == pytest.approx(15, abs=0.01)
    assert np.isnan(found.trend[1, 1])


def test_p_values_are_adjusted_for_all_cells_or_not(counts):
    events = events_of(counts)
    plain = frequency_trend(events, record(), fdr=None)
    xr.testing.assert_equal(plain.p_value, plain.p_value_adjusted.rename("p_value"))
    assert (frequency_trend(events, record(), fdr="holm").p_value_adjusted.fillna(1) >= plain.p_value.fillna(1)).all()


def test_dask_and_a_calendar_without_leap_days_give_the_same(counts):
    events = events_of(counts)
    expected = frequency_trend(events, record())
    xr.testing.assert_identical(frequency_trend(events, record().chunk(lat=1)), expected)
    calm = record().convert_calendar("noleap")
    onset = xr.DataArray(
        xr.CFTimeIndex(
            [t for t in xr.date_range("1991-06-01", "2010-06-01", freq="YS-JUN", calendar="noleap", use_cftime=True)]
        )[events.onset_time.dt.year.values - 1991],
        dims="event",
    )
    found = frequency_trend(events.assign(onset_time=onset), calm)
    xr.testing.assert_allclose(found.trend, expected.trend, rtol=1e-2)


def test_events_of_somewhere_else_are_refused(counts):
    events = events_of(counts)
    with pytest.raises(ValueError, match="events lie outside the record"):
        frequency_trend(events, record().isel(lat=[0, 1]))
    with pytest.raises(ValueError, match="do not say their 'lat'"):
        frequency_trend(events.drop_vars("lat"), record())
    with pytest.raises(ValueError, match="have no 'start_time'"):
        frequency_trend(events, record(), moment="start_time")
    names = np.where(np.arange(events.sizes["event"]) % 2, "a", "b")
    with pytest.raises(ValueError, match="several definitions"):
        frequency_trend(events.assign_coords(definition=("event", names)), record())
    with pytest.raises(ValueError, match=r"record has 1 day\(s\)"):
        frequency_trend(events, record().isel(time=[0]))
    with pytest.raises(TypeError, match="record must be a DataArray, got ndarray"):
        frequency_trend(events, record().values)


def test_with_flags_the_places_that_are_doubtful_count_in_one_of_two_maps(counts):
    events, flags = events_of(counts), np.array([[True, False], [False, False], [False, False]])
    told = record().assign_coords(is_flagged=(("lat", "lon"), flags))
    found = frequency_trend(events, told, flagged="is_flagged")
    plain = frequency_trend(events, told)
    xr.testing.assert_equal(found.sel(stations="all", drop=True), plain)
    sound = found.sel(stations="unflagged", drop=True)
    assert (int(sound.event_count[0, 0]), float(sound.years_known[0, 0])) == (0, 0.0)
    assert np.isnan([float(sound[name][0, 0]) for name in ("rate", "trend", "p_value", "p_value_adjusted")]).all()
    others = record().where(~xr.DataArray(flags, dims=("lat", "lon")))
    is_left = ~flags[np.searchsorted(-np.array(LAT), -events.lat), np.searchsorted(LON, events.lon)]
    left = frequency_trend(events.isel(event=is_left), others)
    xr.testing.assert_allclose(sound.drop_vars("is_flagged"), left)  # adjusted for five places, not six
    assert float(plain.p_value_adjusted[0, 1]) != float(sound.p_value_adjusted[0, 1])
    assert found.event_count.dtype.kind == "i"
    assert found.attrs["flagged"] == "is_flagged"


def test_flags_of_one_dimension_serve_the_whole_map_and_others_are_refused(counts):
    events = events_of(counts)
    told = record().assign_coords(doubtful=("lat", [False, True, False]))
    found = frequency_trend(events, told, flagged="doubtful").sel(stations="unflagged")
    assert found.event_count.sum("lon").values.tolist() == [counts[0].sum(), 0, counts[2].sum()]
    with pytest.raises(ValueError, match="record has no flags 'is_flagged' that are true or false at its places"):
        frequency_trend(events, told, flagged="is_flagged")
    with pytest.raises(ValueError, match="has no flags 'doubtful'"):
        frequency_trend(events, told.assign_coords(doubtful=("lat", [0, 1, 0])), flagged="doubtful")
