"""Published definitions of flash droughts beside their transcriptions, and several of them in one call."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.support import oracles
from tests.support.cases import YUAN2023_CASES
from tests.support.soil_series import series
from xdrought.definitions import DEFINITIONS


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
