"""The state of the soil and the days on which droughts begin: literal oracles, hand-worked cases, causality, labels."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import forced_soil
from xdrought.definitions import DEFINITIONS, get_definition
from xdrought.events import flash_drought_events
from xdrought.events.onsets import confirming_days, onset_days, onset_label
from xdrought.events.state import drought_state
from xdrought.kernels.onset_state import (
    day_of_year_means,
    lagged_correlation,
    mean_and_spread,
    path_onsets,
    percentile_state,
    trailing_means,
    within_lead,
)
from xdrought.percentiles import soil_moisture_percentile

NAN = np.nan


def by_pencil(p, changes, extremes, below_window, longest, lower, upper, dry_at_lower, wet_at_upper):
    """Each day by itself, from lists of the days that it may look at."""
    rows = []
    for t, today in enumerate(p):
        past = list(p[: t + 1])
        if math.isnan(today):
            rows.append([NAN] * (len(changes) + 2 * len(extremes) + 4))
            continue
        row = [today - past[-1 - k] if len(past) > k else NAN for k in changes]
        for k in extremes:
            known = [x for x in past[-k:] if not math.isnan(x)]
            row += [min(known), max(known)]
        row.append(sum(x < lower or (dry_at_lower and x == lower) for x in past[-below_window:]))
        wet = [x > upper or (wet_at_upper and x == upper) for x in past[::-1]]
        row.append(min(wet.index(True) if True in wet else longest, longest))
        days = wet.index(True) if True in wet else 99
        since = past[len(past) - days :]
        possible = days < longest and all(x > lower or (x == lower and not dry_at_lower) for x in since)
        row += [possible, (past[-1 - days] - today) / max(days, 1) if possible else NAN]
        rows.append(row)
    return np.array(rows).reshape(len(p), -1).T


levels = st.sampled_from([NAN, 5.0, 19.0, 20.0, 25.0, 40.0, 41.0, 60.0])
series = st.lists(levels, min_size=1, max_size=40).map(np.array)


@given(series, st.booleans(), st.booleans())
def test_the_state_is_that_of_the_pencil(p, dry, wet):
    arguments = ((1, 3), (2, 5), 4, 6, 20.0, 40.0, dry, wet)
    found = percentile_state(np.stack([p, p[::-1]]), *arguments)
    np.testing.assert_array_equal(found[:, 0], by_pencil(p, *arguments))
    np.testing.assert_array_equal(found[:, 1], by_pencil(p[::-1], *arguments))


def begins(path, lower, upper, dry_at_lower, wet_at_upper, min_rate, max_onset):
    """Days on which a flash drought begins, each by looking back from it."""
    found = []
    for day, p in enumerate(path):
        top = day - 1
        dry = p < lower or (dry_at_lower and p == lower)
        while top >= 0 and not (path[top] > upper or (wet_at_upper and path[top] == upper)):
            if math.isnan(path[top]) or path[top] < lower or (dry_at_lower and path[top] == lower):
                top = -1
            top -= 1
        fast = top >= 0 and (path[top] - p) / (day - top) >= min_rate and day - top <= max_onset
        found.append(dry and fast)
    return found


@given(series, st.booleans(), st.booleans(), st.sampled_from([0.0, 1.0, 7.0]), st.sampled_from([np.inf, 2.0]))
def test_onsets_of_the_path(p, dry, wet, rate, longest):
    arguments = (20.0, 40.0, dry, wet, rate, longest)
    found = path_onsets(p[None], np.arange(p.size, dtype=float), *arguments)
    np.testing.assert_array_equal(found[0], begins(p, *arguments))


@pytest.mark.parametrize(
    ("path", "onset"),
    [
        ([50, 30, 25, 15], [3]),  # 35 in three days
        ([50, 30, 25, 20], []),  # 20 is not below 20
        ([41, *[30] * 30, 15], []),  # 26 in 31 days is too slow
        ([41, *[30] * 24, 16], [25]),  # 25 in 25 days is just fast enough
        ([50, 15, 30, 15], [1]),  # the second time it was dry before without being wet since
        ([50, 15, 41, 15], [1, 3]),
        ([50, NAN, 30, 15], []),  # what was before the gap is not known
    ],
)
def test_paths_by_hand(path, onset):
    found = path_onsets(
        np.array([path], float), np.arange(len(path), dtype=float), 20.0, 40.0, False, False, 1.0, np.inf
    )
    assert np.flatnonzero(found[0]).tolist() == onset


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=25), st.integers(1, 4), st.integers(0, 3))
def test_labels_by_looking_ahead(days, lead, confirm):
    onsets, known = (np.array(part) for part in zip(*days, strict=True))
    expected = []
    for t in range(len(days)):
        ahead = range(t, t + lead + confirm + 1)
        clear = all(d < len(days) and known[d] for d in ahead)
        expected.append(float(onsets[t + 1 : t + 1 + lead].any()) if clear else NAN)
    np.testing.assert_array_equal(within_lead(onsets[None], known[None], lead, confirm)[0], expected)


@given(st.lists(st.sampled_from([NAN, 0.0, 1.0, 2.5, -4.0]), min_size=1, max_size=30).map(np.array))
def test_trailing_means_of_half_known_windows(x):
    for k, width in enumerate((1, 3, 8)):
        expected = []
        for t in range(x.size):
            known = [v for v in x[max(0, t - width + 1) : t + 1] if not math.isnan(v)]
            expected.append(np.mean(known) if known and 2 * len(known) >= width else NAN)
        np.testing.assert_allclose(trailing_means(x[None], (1, 3, 8))[k, 0], expected, atol=1e-12)


def test_seasons_and_correlations_by_loops():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((2, 90)) < 0.2, NAN, rng.random((2, 90)))
    day = np.arange(90) % 20
    means = day_of_year_means(values, day, 20, 2)
    for d in range(20):
        near = [(k - d) % 20 in (0, 1, 2, 18, 19) for k in day]
        np.testing.assert_allclose(means[:, d], np.nanmean(values[:, near], axis=1))
    for row, found in zip(values, lagged_correlation(values, 3), strict=True):
        pairs = pd.DataFrame({"a": row[:-3], "b": row[3:]}).dropna()
        assert found == pytest.approx(pairs.corr().iloc[0, 1])
    assert np.isnan(lagged_correlation(np.ones((1, 9)), 3)).all()
    assert np.isnan(day_of_year_means(values[:, :1] * NAN, day[:1], 20, 2)).all()
    mean, spread = mean_and_spread(values)
    np.testing.assert_allclose(mean, np.nanmean(values, axis=1))
    np.testing.assert_allclose(spread, np.nanstd(values, axis=1))
    assert np.isnan(mean_and_spread(values * NAN)).all()


# --- on labels ------------------------------------------------------------------------------------------------


def soil(n_time: int = 900) -> xr.DataArray:
    return forced_soil(3, n_time).soil_moisture


TRAIN = slice(None, "2002-06-30")


def test_names_units_and_the_input_is_unchanged():
    da = soil()
    with unchanged(da):
        state = drought_state(da, train=TRAIN)
    assert all({"long_name", "units"} <= set(state[name].attrs) for name in state)
    assert state.percentile_min_30.dims == da.dims
    assert state.season_sin.dims == ("time",)
    assert state.site_mean.dims == ("site",)
    assert state.site_mean.attrs["units"] == "mm"
    xr.testing.assert_equal(
        state.percentile.drop_attrs(), soil_moisture_percentile(da, reference=da.sel(time=TRAIN)).drop_attrs()
    )
    np.testing.assert_allclose(state.site_mean, da.sel(time=TRAIN).mean("time"))
    xr.testing.assert_equal(state.anomaly_lag_7.drop_attrs(), state.anomaly.shift(time=7).drop_attrs())
    normal = da.sel(time=TRAIN).isel(site=0)
    near = abs((normal.time.dt.dayofyear - 100 + 182) % 365 - 182) <= 15
    departure = da.isel(site=0).sel(time="2002-04-10") - normal[near].mean()
    assert state.anomaly.sel(site="S0", time="2002-04-10") * state.site_spread.sel(site="S0") == pytest.approx(
        departure.item()
    )


@pytest.mark.parametrize("pool", ["record", "dayofyear"])
@pytest.mark.parametrize("day", [600, 777])
def test_nothing_after_the_day_is_used(day, pool):
    da = soil()
    other = da.where(da.time <= da.time[day], 99.0)
    window = 15 if pool == "dayofyear" else None
    before, after = (drought_state(one, train=TRAIN, pool=pool, window=window) for one in (da, other))
    xr.testing.assert_identical(before.isel(time=slice(day + 1)), after.isel(time=slice(day + 1)))
    assert not before.percentile.equals(after.percentile)


def test_training_days_as_dates_as_a_mask_and_as_a_record():
    da = soil()
    by_dates = drought_state(da, train=TRAIN).drop_attrs()
    mask = (da.time <= np.datetime64("2002-06-30")).expand_dims(site=da.site)
    xr.testing.assert_identical(drought_state(da, train=mask).drop_attrs(), by_dates)
    xr.testing.assert_identical(drought_state(da, train=da.sel(time=TRAIN)).drop_attrs(), by_dates)
    later = da.sel(time=slice("2002-07-01", None))
    recent = drought_state(later, train=da.sel(time=TRAIN)).drop_attrs()
    xr.testing.assert_identical(recent.percentile, by_dates.percentile.sel(time=later.time))


@pytest.mark.parametrize("label", ["path", "event"])
def test_lazy_on_sites_and_grids(label):
    da = soil()
    grid = da.rename(site="lat").expand_dims(lon=[1.0, 2.0], axis=2)
    for eager, chunks in ((da, {"site": 1}), (grid, {"lat": 2, "lon": 1})):
        with raise_if_dask_computes():
            lazy = drought_state(eager.chunk(chunks), train=TRAIN)
            begins = onset_label(eager.chunk(chunks), label=label, train=TRAIN)
        xr.testing.assert_identical(lazy.compute(), drought_state(eager, train=TRAIN))
        xr.testing.assert_identical(begins.compute(), onset_label(eager, label=label, train=TRAIN))
        assert bool((begins == 1).any())
        assert begins.dims == eager.dims


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_events_that_the_table_lists(name):
    da = soil(2500)
    found = onset_days(da, label="event", definition=name, min_duration=10, train=slice(None))
    events = flash_drought_events(da, definition=get_definition(name, min_duration=10), reference=da)
    events = events.isel(event=events.is_flash.values)
    expected = set(zip(events.site.values.tolist(), events.start_time.values.tolist(), strict=True))
    site, time = np.nonzero(found.values)
    assert set(zip(da.site.values[site].tolist(), da.time.values[time].tolist(), strict=True)) == expected
    assert expected or name == "yuan2023"


def test_path_of_pentads_is_told_by_their_first_day():
    da = soil(1461).isel(site=0)
    found = onset_days(da, definition="yuan2019", train=slice(None))
    pentads = da.resample(time="5D").mean().isel(time=slice(0, 73))  # 2001 is no leap year
    from xdrought.calendars import pentad_blocks
    from xdrought.events.detection import pentad_means

    means = pentad_means(da, pentad_blocks(da.indexes["time"]), "time")
    np.testing.assert_allclose(means[:73], pentads)
    p = soil_moisture_percentile(means, pool="pentad", reference=means)
    d = get_definition("yuan2019")
    days = (means.time - means.time[0]).dt.days.values.astype(float)
    steps = [k for k, yes in enumerate(begins_of(p.values, days, d)) if yes]
    assert da.time.values[found.values].tolist() == means.time.values[steps].tolist()
    assert steps


def begins_of(p, days, d):
    """The oracle on steps that are not a day long."""
    found = []
    for k, value in enumerate(p):
        top = max((j for j in range(k) if p[j] > d.upper), default=-1)
        between = p[top + 1 : k]
        fresh = top >= 0 and not (between < d.lower).any() and not np.isnan(between).any()
        found.append(bool(value < d.lower and fresh and p[top] - value >= d.min_rate * (days[k] - days[top]) - 1e-9))
    return found


def test_what_cannot_be_told_is_missing():
    da = soil(900)
    da[0, 700] = NAN
    path, event = (onset_label(da, label=label, train=TRAIN) for label in ("path", "event"))
    assert np.flatnonzero(path[0].isnull()).tolist() == [*range(693, 701), *range(893, 900)]
    assert np.flatnonzero(event[0].isnull()).tolist() == [*range(679, 701), *range(879, 900)]
    assert confirming_days(get_definition("tang2025"), "event") == 14
    assert set(np.unique(path[1, :890])) == {0.0, 1.0}


def test_labels_with_day_of_year_percentiles():
    da = soil(2500)
    record = onset_label(da, train=slice(None))
    seasonal = onset_label(da, train=slice(None), pool="dayofyear", window=15)
    assert seasonal.mean() > 0
    assert not seasonal.equals(record)


def test_refusals():
    da = soil(100)
    with pytest.raises(ValueError, match="goes backwards"):
        drought_state(da.isel(time=slice(None, None, -1)), train=slice(None))
    with pytest.raises(ValueError, match="has missing steps"):
        onset_days(da.isel(time=[0, 1, 3]), train=slice(None))
    with pytest.raises(ValueError, match="has steps of 5 days and is not daily"):
        drought_state(da.isel(time=slice(None, None, 5)), train=slice(None))
    with pytest.raises(ValueError, match="units 'mm', soil moisture 'm'"):
        drought_state(da.assign_attrs(units="m"), train=da)
    with pytest.raises(ValueError, match="holds no day of the record"):
        drought_state(da, train=("1990", "1991"))
    with pytest.raises(TypeError, match="give dates as slice"):
        drought_state(da, train=2.5)
    with pytest.raises(ValueError, match=r"label='start' is unknown"):
        onset_days(da, label="start", train=slice(None))
    with pytest.raises(ValueError, match='use label="event"'):
        onset_label(da, definition="osman2021", train=slice(None))
    for lead in (0, 1.5, True):
        with pytest.raises(ValueError, match="whole number of days"):
            onset_label(da, lead=lead, train=slice(None))


def test_all_missing_and_one_site():
    da = soil(100)
    empty = da.copy(data=np.full(da.shape, NAN))
    state = drought_state(empty, train=slice(None))
    assert all(state[name].isnull().all() for name in state if not name.startswith("season"))
    assert onset_label(empty, train=slice(None)).isnull().all()
    one = drought_state(da[1], train=slice(None))
    xr.testing.assert_identical(one, drought_state(da, train=slice(None)).isel(site=1))
