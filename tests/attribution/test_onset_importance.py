"""Importance over onsets: worked by hand, intervals that cover, ranks, complexity, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import bootstrap, rankdata

from tests.support.helpers import unchanged
from xdrought.attribution.importance import (
    driver_importance,
    drought_complexity,
    event_importance,
    importance_by_rate,
)

DAYS = pd.date_range("2001-01-01", periods=6)


def shares(values, **dims) -> xr.DataArray:
    """(site, time, variable) of two sites, six days, two drivers."""
    coords = {"site": ["A", "B"], "time": DAYS, "variable": ["tp", "t2m"]}
    attrs = {"units": "m3 m-3"}
    return xr.DataArray(np.array(values, "float64"), coords, ("site", "time", "variable"), attrs=attrs, **dims)


@pytest.fixture
def daily() -> xr.DataArray:
    return shares(
        [[[1, -2], [-3, 4], [5, 6], [0, 0], [0, 0], [0, 0]], [[0, 0], [0, 0], [2, 2], [4, -8], [6, 2], [9, 9]]]
    )


def events(rows, **variables) -> xr.Dataset:
    """From (site, first onset day, start day)."""
    site, first, start = zip(*rows, strict=True)
    moments = {"onset_time": DAYS[list(first)], "start_time": DAYS[list(start)]}
    data = {name: ("event", days) for name, days in moments.items()}
    return xr.Dataset(data | {name: ("event", v) for name, v in variables.items()}, {"site": ("event", list(site))})


# --- importance of events ---------------------------------------------------------------------------------


def test_mean_absolute_shares_from_the_onset_to_the_day_before_the_start(daily):
    with unchanged(daily):
        found = event_importance(daily, events([("A", 0, 2), ("B", 2, 4), ("B", 3, 4)]))
    np.testing.assert_allclose(found, [[2, 3], [3, 5], [4, 8]])
    assert found.dims == ("event", "variable")
    assert list(found.site) == ["A", "B", "B"]
    assert found.attrs["units"] == "m3 m-3"


def test_days_that_are_not_explained_are_left_out(daily):
    holed = daily.where(daily.time != DAYS[3])
    found = event_importance(holed, events([("B", 2, 5), ("B", 3, 4), ("C", 0, 2)]))
    np.testing.assert_allclose(found, [[4, 2], [np.nan, np.nan], [np.nan, np.nan]])
    # the days that are missing altogether
    np.testing.assert_allclose(
        found, event_importance(daily.drop_sel(time=DAYS[3]), events([("B", 2, 5), ("B", 3, 4), ("C", 0, 2)]))
    )


def test_input_days_are_summed_before_and_runs_averaged_after_the_absolute_value(daily):
    by_day = xr.concat([daily + 1, xr.full_like(daily, -1)], "window")
    ds = xr.Dataset({"attribution": by_day})
    rows = events([("A", 0, 2)])
    np.testing.assert_allclose(event_importance(ds, rows), [[2, 3]])
    np.testing.assert_allclose(event_importance(xr.concat([daily, -3 * daily], "run"), rows), [[4, 6]])


def test_grids_by_lat_and_lon(daily):
    grid = xr.concat([daily.isel(site=0, drop=True), daily.isel(site=1, drop=True)], pd.Index([8.0, 8.5], name="lon"))
    grid = grid.expand_dims(lat=[50.0])
    rows = events([("A", 0, 2), ("B", 2, 4)]).drop_vars("site")
    rows = rows.assign_coords(lat=("event", [50.0, 50.0]), lon=("event", [8.0, 8.5]))
    np.testing.assert_allclose(event_importance(grid, rows), [[2, 3], [3, 5]])


# --- flash against normal ---------------------------------------------------------------------------------


def importance(values, **coords) -> xr.DataArray:
    values = np.array(values, "float64")
    names = [f"v{k}" for k in range(values.shape[1])]
    return xr.DataArray(values, {"variable": names, **coords}, ("event", "variable"))


def test_means_and_ratio_by_hand():
    flash = xr.Dataset({"is_flash": ("event", [True, False, True, False])})
    found = driver_importance(importance([[4, 1], [2, 1], [8, 3], [2, np.nan]]), flash)
    np.testing.assert_allclose(found.importance.sel(type="flash"), [6, 2])
    np.testing.assert_allclose(found.importance.sel(type="normal"), [2, 1])  # the event with a gap is left out
    np.testing.assert_allclose(found.ratio, [3, 2])
    np.testing.assert_array_equal(found.event_count, [1, 2])


def test_a_type_without_events_is_unknown():
    found = driver_importance(importance([[4, 1], [2, 1]]), xr.Dataset({"is_flash": ("event", [False, False])}))
    assert found.importance.sel(type="flash").isnull().all()
    assert found.ratio.isnull().all()
    assert found.ratio_lower.isnull().all()
    np.testing.assert_allclose(found.importance.sel(type="normal"), [3, 1])


def test_the_interval_of_independent_events_is_scipys():
    rng = np.random.default_rng(0)
    values = rng.exponential(1.0, (60, 1))
    found = driver_importance(importance(values), xr.Dataset({"is_flash": ("event", np.zeros(60, bool))}), n_boot=4000)
    expected = bootstrap((values[:, 0],), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    normal = found.sel(type="normal", variable="v0")
    assert float(normal.lower) == pytest.approx(expected.low, abs=0.02)
    assert float(normal.upper) == pytest.approx(expected.high, abs=0.02)


def test_the_interval_covers_the_truth_when_sites_differ():
    """Events of a site share its level, so events are not independent: intervals over sites cover, over events not."""
    rng = np.random.default_rng(1)
    covered = {"site": 0, "none": 0}
    for _ in range(150):
        level = np.repeat(rng.normal(5, 1, 25), 8)
        values = (level + rng.normal(0, 0.3, level.size))[:, None]
        site = np.repeat(np.arange(25), 8)
        flags = xr.Dataset({"is_flash": ("event", np.tile([True, False], 100))})
        for name, table in (("site", flags.assign_coords(site=("event", site))), ("none", flags)):
            found = driver_importance(importance(values), table, n_boot=300).sel(type="flash", variable="v0")
            covered[name] += float(found.lower) <= 5 <= float(found.upper)
    assert covered["site"] / 150 > 0.87
    assert covered["none"] / 150 < 0.7


# --- rate -------------------------------------------------------------------------------------------------


def test_ranks_in_groups_of_equal_numbers_by_rate():
    values = [[3, 2, 1], [3, 1, 2], [1, 2, 3], [1, 3, 2], [9, 9, 1]]
    table = xr.Dataset({"intensification_rate": ("event", [1.0, 2.0, 8.0, 7.0, 9.0])})
    found = importance_by_rate(importance(values), table, bins=2)
    np.testing.assert_array_equal(found.event_count, [3, 2])
    np.testing.assert_allclose(found.rate, [10 / 3, 8.5])
    np.testing.assert_allclose(found.mean_rank[0], [(1 + 1 + 3) / 3, (2 + 3 + 1) / 3, (3 + 2 + 2) / 3])
    np.testing.assert_allclose(
        found.mean_rank[1], [(3 + 1.5) / 2, (2 + 1.5) / 2, (1 + 3) / 2]
    )  # a tie shares its ranks
    np.testing.assert_allclose(found.standard_error[1, 0], 1.5 / 2)


def test_ranks_by_rate_equal_those_by_hand_on_bare_arrays():
    rng = np.random.default_rng(0)
    values, rate = rng.integers(0, 6, (40, 5)).astype(float), rng.random(40)
    values[[3, 17], 2] = np.nan
    found = importance_by_rate(importance(values), xr.Dataset({"intensification_rate": ("event", rate)}), bins=7)
    known = np.isfinite(values).all(axis=1)
    ranks, rate = rankdata(-values[known], axis=1), rate[known]
    groups = np.array_split(np.argsort(rate, kind="stable"), 7)
    np.testing.assert_allclose(found.mean_rank, [ranks[g].mean(axis=0) for g in groups], rtol=1e-15)
    errors = [ranks[g].std(axis=0, ddof=1) / np.sqrt(g.size) for g in groups]
    np.testing.assert_allclose(found.standard_error, errors, rtol=1e-14)
    np.testing.assert_allclose(found.rate, [rate[g].mean() for g in groups], rtol=1e-15)
    assert found.mean_rank.dims == found.standard_error.dims == ("bin", "variable")
    alone = importance_by_rate(
        importance(values[:2]), xr.Dataset({"intensification_rate": ("event", rate[:2])}), bins=2
    )
    assert np.isnan(alone.standard_error).all()  # of single events


# --- complexity -------------------------------------------------------------------------------------------


def test_complexity_counts_key_drivers_a_day(daily):
    """Absolute shares sorted: 12 zeros of 24, then 1 2 2 2 2 3 4 4 5 6 6 8 9 9; a quantile of 0.8 lies at 5.4."""
    rows = events([("A", 0, 3), ("B", 3, 5), ("B", 5, 5)])
    limit = np.quantile(abs(daily), 0.8)
    assert 5 < limit < 6
    np.testing.assert_allclose(drought_complexity(daily, rows), [1 / 3, 2 / 2, np.nan])
    by_place = drought_complexity(daily, rows, threshold="place")
    # A: 0 0 0 0 0 0 1 2 3 4 5 6, limit 3.8; B: 0 0 0 0 2 2 2 4 6 8 9 9, limit 7.6
    np.testing.assert_allclose(by_place, [(0 + 1 + 2) / 3, 1 / 2, np.nan])
    by_variable = drought_complexity(daily, rows, threshold="variable")
    # tp: 0 x 5, 1 2 3 4 5 6 9, limit 4.8; t2m: 0 x 5, 2 2 2 4 6 8 9, limit 5.6
    np.testing.assert_allclose(by_variable, [2 / 3, 2 / 2, np.nan])
    assert by_variable.attrs["threshold"] == "variable"
    onsets = [abs(daily).isel(site=0, time=slice(0, 3)).values, abs(daily).isel(site=1, time=slice(3, 5)).values]
    of_event = [(one > np.quantile(one, 0.8)).sum(axis=1).mean() for one in onsets]
    np.testing.assert_allclose(drought_complexity(daily, rows, threshold="event"), [*of_event, np.nan])
    of_day = [np.mean([(day > np.quantile(day, 0.8)).sum() for day in one]) for one in onsets]
    np.testing.assert_allclose(drought_complexity(daily, rows, threshold="day"), [*of_day, np.nan])


# --- refusals ---------------------------------------------------------------------------------------------


def test_refusals(daily):
    rows = events([("A", 0, 2)], is_flash=[True], intensification_rate=[2.0])
    with pytest.raises(ValueError, match=r"the attributions have dimensions .*, not \['variable'\]"):
        event_importance(daily.isel(variable=0), rows)
    with pytest.raises(ValueError, match=r"the events lack \['onset_time'\]"):
        event_importance(daily, rows.drop_vars("onset_time"))
    with pytest.raises(ValueError, match=r"the events lack \['site'\]"):
        drought_complexity(daily, rows.drop_vars("site"))
    with pytest.raises(ValueError, match="quantile=80; it must be a share"):
        drought_complexity(daily, rows, quantile=80)
    with pytest.raises(ValueError, match="threshold='week' is unknown; choose one of"):
        drought_complexity(daily, rows, threshold="week")
    found = event_importance(daily, rows)
    with pytest.raises(ValueError, match=r"the events lack \['is_flash'\]"):
        driver_importance(found, rows.drop_vars("is_flash"))
    with pytest.raises(ValueError, match="importance on .* does not fit 2 events"):
        driver_importance(found, events([("A", 0, 2), ("B", 0, 2)], is_flash=[True, True]))
    with pytest.raises(ValueError, match="confidence=95; it must be a share"):
        driver_importance(found, rows, confidence=95)
    with pytest.raises(ValueError, match="bins=5 for 1 events with importance"):
        importance_by_rate(found, rows)
