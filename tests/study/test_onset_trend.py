"""Trends with a roster of sites that changes: by hand, by dummies, by leaving out one at a time, and false alarms."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, t, theilslopes

from tests.support.helpers import unchanged
from xdrought import flash_drought_events
from xdrought.statistics.trends import linear_trend, rank_trend, year_effects, year_tables
from xdrought.study import onset_trend

CALIBRATION = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "studies" / "trend_calibration.py"))


def table(site, year, value, **coords) -> tuple[xr.DataArray, xr.Dataset]:
    """A number of each event, and the events."""
    days = pd.to_datetime([f"{y}-06-01" for y in year])
    events = xr.Dataset(
        {"onset_time": ("event", days)}, {"site": ("event", np.array(list(site), dtype=object)), **coords}
    )
    attrs = {"units": "percent d-1", "long_name": "intensification rate"}
    return xr.DataArray(np.array(value, "float64"), dims="event", attrs=attrs), events


def scattered(seed, n=60, sites=6, years=9):
    """Events of sites of other levels."""
    rng = np.random.default_rng(seed)
    site, year = rng.integers(0, sites, n), rng.integers(0, years, n)
    several = np.array([np.unique(year[site == s]).size > 1 for s in site])  # others say nothing of trends
    site, year = np.unique(site[several], return_inverse=True)[1], year[several]
    return site, year, rng.normal(size=site.size) + 3 * site


def dummies(site, year):
    return np.stack([(site == s).astype(float) for s in np.unique(site)] + [year.astype(float)], 1)


def least_squares(site, year, values):
    """Slope per year with a column for each site."""
    return np.linalg.lstsq(dummies(site, year), values, rcond=None)[0][-1]


# --- the estimate -----------------------------------------------------------------------------------------


def test_a_roster_that_changes_is_no_trend():
    """Slow sites leave, fast ones come; none of them changes."""
    rate, events = table("AAABBB", [2001, 2002, 2003, 2003, 2004, 2005], [1, 1, 1, 5, 5, 5])
    with unchanged(rate, events):
        found = onset_trend(rate, events)
    assert float(found.slope) == 0
    assert float(found.naive_slope) == pytest.approx(
        12 / 10
    )  # years from 2003: -2 -1 0 0 1 2, rates from 3: -2 x 3, 2 x 3
    np.testing.assert_allclose(found.adjusted, np.full(5, 3.0))
    np.testing.assert_allclose(found.pooled, [1, 1, 3, 5, 5])
    np.testing.assert_array_equal(found.site_count, [1, 1, 2, 1, 1])
    assert list(found.year) == [2001, 2002, 2003, 2004, 2005]
    assert found.slope.attrs["units"] == "percent d-1 a-1"
    assert found.attrs["sites"] == 2


def test_a_trend_within_sites_is_found_where_the_pooled_one_points_down():
    """Each site gains 1 a year, and those that come later are slower by 4."""
    site = np.repeat(np.arange(4), 4)
    year = 2000 + np.concatenate([np.arange(k, k + 4) for k in range(0, 8, 2)])
    found = onset_trend(*table(site, year, year - 2000 - 4.0 * site))
    assert float(found.slope) == pytest.approx(1)
    assert float(found.naive_slope) < -0.3
    assert float(found.p_value) == 0  # the sites agree exactly
    rank = onset_trend(*table(site, year, year - 2000 - 4.0 * site), method="rank")
    assert float(rank.slope) == pytest.approx(1)


@given(st.integers(0, 10**6))
def test_the_slope_is_that_of_least_squares_with_a_column_for_each_site(seed):
    site, year, value = scattered(seed)
    found = linear_trend(*year_tables(site, year, value, (6, 9)), 0.95)
    assert found.slope == pytest.approx(least_squares(site, year, value), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_what_leaving_out_one_at_a_time_gives(seed):
    """Every site, every year and every site-year is left out in turn, and the whole is fitted again."""
    site, year, value = scattered(seed, n=40, sites=7, years=6)

    def variance(groups):
        slopes = []
        for group in np.unique(groups):
            kept = groups != group
            slopes.append(least_squares(site[kept], year[kept], value[kept]))
        return (len(slopes) - 1) / len(slopes) * np.sum((np.array(slopes) - np.mean(slopes)) ** 2)

    each = variance(site), variance(year), variance(site * 100 + year)
    error = np.sqrt(max(each[0] + each[1] - each[2], min(each)))
    half = error * t.ppf(0.95, 6 - 2)
    found = linear_trend(*year_tables(site, year, value, (site.max() + 1, 6)), 0.9)
    assert found.freedom == 4
    assert found.upper - found.slope == pytest.approx(half, rel=1e-6)
    assert found.p_value == pytest.approx(2 * t.sf(abs(found.slope) / error, 4), rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_means_of_years_are_those_of_a_column_for_each_site_and_year(seed):
    site, year, value = scattered(seed)
    columns = [(site == s).astype(float) for s in range(6)] + [(year == y).astype(float) for y in range(9)]
    both = np.linalg.lstsq(np.stack(columns, 1), value, rcond=None)[0][6:]
    expected = both - both[year].mean() + value.mean()
    np.testing.assert_allclose(year_effects(*year_tables(site, year, value, (6, 9))), expected, atol=1e-9)


# --- ranks ------------------------------------------------------------------------------------------------


def test_the_rank_trend_of_one_site_is_sens_slope():
    rng = np.random.default_rng(0)
    year, value = np.arange(12), rng.normal(size=12)
    found = rank_trend(np.zeros(12, int), year, value, 0.95)
    assert found.slope == pytest.approx(theilslopes(value, year).slope)
    assert np.isnan(found.p_value)  # one site says nothing of sites


@pytest.mark.parametrize("seed", range(4))
def test_the_rank_trend_in_loops(seed):
    site, year, value = scattered(seed, n=40, sites=5, years=8)

    def pairs(kept):
        rows = np.flatnonzero(kept)
        return [(i, j) for i in rows for j in rows if site[i] == site[j] and year[i] < year[j]]

    slopes = [(value[j] - value[i]) / (year[j] - year[i]) for i, j in pairs(np.ones(site.size, bool))]
    middle = np.median(slopes)

    def tau(kept, by=0.0):
        return np.mean([np.sign((value[j] - value[i]) / (year[j] - year[i]) - by) for i, j in pairs(kept)])

    def variance(groups):
        each = np.array([tau(groups != group, middle) for group in np.unique(groups)])
        return (each.size - 1) / each.size * np.sum((each - each.mean()) ** 2)

    each = variance(site), variance(year), variance(site * 100 + year)
    error = np.sqrt(max(each[0] + each[1] - each[2], min(each)))
    found = rank_trend(site, year, value, 0.95)
    assert found.slope == pytest.approx(middle)
    assert found.p_value == pytest.approx(2 * t.sf(abs(tau(np.ones(site.size, bool))) / error, found.freedom), rel=1e-6)
    share = 0.5 + t.ppf(0.975, found.freedom) * error / 2
    assert found.upper == pytest.approx(np.quantile(slopes, min(1, share)), rel=1e-6)
    assert found.lower <= found.slope <= found.upper


def test_tau_is_kendalls():
    rng = np.random.default_rng(1)
    year = np.arange(15)
    value = 0.1 * year + rng.normal(size=15)
    signs = [np.sign(value[j] - value[i]) for i in range(15) for j in range(i + 1, 15)]
    assert np.mean(signs) == pytest.approx(kendalltau(year, value).statistic)


# --- false alarms -----------------------------------------------------------------------------------------


def test_false_trends_are_as_rare_as_said_and_pooled_ones_are_not():
    """Sites of other levels come and go, and dry years reach all of them; the page has more worlds and more draws."""
    rates = CALIBRATION["false_rates"]("roster and shared years", draws=250, seed=3)
    assert 0.02 <= rates["linear"] <= 0.08
    assert 0.02 <= rates["rank"] <= 0.08
    assert rates["all events, one regression"] > 0.8
    assert rates["bootstrap of sites"] > 0.12


# --- labels and edges -------------------------------------------------------------------------------------


def test_events_without_a_number_are_left_out_and_cells_are_places():
    rate, events = table("AAABBB", [2001, 2002, 2003, 2003, 2004, 2005], [1, 2, 4, 5, 7, np.nan])
    cells = events.drop_vars("site").assign_coords(cell=("event", [0, 0, 0, 1, 1, 1]))
    found = onset_trend(rate, cells)
    np.testing.assert_array_equal(found.event_count, [1, 1, 2, 1])
    assert float(found.slope) == pytest.approx(
        least_squares(np.array([0, 0, 0, 1, 1]), np.array([1, 2, 3, 3, 4]), np.array([1.0, 2, 4, 5, 7]))
    )
    assert np.isnan(found.p_value)


def test_years_without_events_are_unknown():
    found = onset_trend(*table("AABB", [2001, 2004, 2001, 2004], [1, 2, 3, 4]))
    np.testing.assert_allclose(found.adjusted, [2, np.nan, np.nan, 3])
    assert float(found.slope) == pytest.approx(1 / 3)


def test_other_calendars():
    time = xr.date_range("2001-01-01", periods=4, freq="360D", calendar="noleap", use_cftime=True)
    events = xr.Dataset({"onset_time": ("event", time)}, {"site": ("event", list("AABB"))})
    found = onset_trend(xr.DataArray([1.0, 2, 3, 4], dims="event"), events)
    assert list(found.year) == [2001, 2002, 2003]


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_events(n):
    rate, events = table("A" * n, [2001] * n, [1.0] * n)
    for method in ("linear", "rank"):
        found = onset_trend(rate, events, method=method)
        assert np.isnan(found.slope)
        assert np.isnan(found.p_value)
        assert int(found.event_count.sum()) == n


def test_refusals():
    rate, events = table("AAB", [2001, 2002, 2003], [1, 2, 3])
    with pytest.raises(ValueError, match="method='ols' is unknown; choose one of"):
        onset_trend(rate, events, method="ols")
    with pytest.raises(ValueError, match="values is on .* the events are 2; give one number"):
        onset_trend(rate, events.isel(event=[0, 1]))
    with pytest.raises(ValueError, match="the events have neither site nor cell"):
        onset_trend(rate, events.drop_vars("site"))
    with pytest.raises(ValueError, match="the events have no 'start_time'"):
        onset_trend(rate, events, time="start_time")
    with pytest.raises(ValueError, match="confidence=95; it must be a share"):
        onset_trend(rate, events, confidence=95)
    with pytest.raises(ValueError, match="n_boot=0; it must be a whole number"):
        onset_trend(rate, events, n_boot=0)


def test_with_flags_there_are_two_trends_and_that_of_all_is_unchanged():
    """A station whose probe drifts makes the trend of all; the others have none."""
    years = np.tile(np.arange(2001, 2009), 4)
    site = np.repeat(list("ABCD"), 8)
    rate = np.where(site == "D", 1.0 + years - 2001, 2.0) + 0.01 * np.random.default_rng(0).normal(size=32)
    values, events = table(site, years, rate, is_flagged=("event", site == "D"))
    found = onset_trend(values, events, flagged="is_flagged", n_boot=20)
    plain = onset_trend(values, events, n_boot=20)
    xr.testing.assert_equal(found.sel(stations="all", drop=True), plain)
    sound = events.isel(event=site != "D")
    xr.testing.assert_equal(
        found.sel(stations="unflagged", drop=True), onset_trend(values.isel(event=site != "D"), sound, n_boot=20)
    )
    assert float(found.slope.sel(stations="all")) == pytest.approx(0.25, abs=0.01)
    assert abs(float(found.slope.sel(stations="unflagged"))) < 0.01
    assert found.attrs["flagged"] == "is_flagged"


def test_flags_of_a_report_travel_with_the_record_to_the_events():
    days = pd.date_range("2001-01-01", periods=900)
    wave = 0.25 + 0.1 * np.sin(np.arange(900) / 20) * np.ones((2, 1))
    soil = xr.DataArray(wave, {"site": ["A", "B"], "time": days}, ("site", "time"), attrs={"units": "m3 m-3"})
    events = flash_drought_events(soil.assign_coords(is_flagged=("site", [False, True])))
    np.testing.assert_array_equal(events.is_flagged, events.site == "B")
    found = onset_trend(events.intensification_rate, events, flagged="is_flagged", n_boot=5)
    assert found.event_count.dtype.kind == "i"
    assert found.event_count.sum("year").values.tolist() == [events.sizes["event"], int((events.site == "A").sum())]
    with pytest.raises(ValueError, match="have no flags 'doubtful' that are true or false"):
        onset_trend(events.intensification_rate, events, flagged="doubtful")
