"""Events and classes against the slow reference on random records, xclim's runs, and references of other records."""

from __future__ import annotations

import dataclasses
import weakref
from collections import Counter

import dask
import dask.array
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.package.test_oracles import falling
from tests.support import oracles
from tests.support.event_checks import differences, draw_records


def record(values, **kwargs) -> xr.DataArray:
    time = pd.date_range("2001-01-01", periods=np.shape(values)[-1])
    dims = ("site", "time")[-np.ndim(values) :]
    return xr.DataArray(np.asarray(values, dtype=float), dims=dims, coords={"time": time}, name="sm", **kwargs)


def steps(times: xr.DataArray, da: xr.DataArray) -> list[int]:
    return da.get_index("time").get_indexer(times.values).tolist()


def test_random_records_equal_the_reference_bit_for_bit():
    """`python tests/campaigns/check_events.py` does the same on 100,000 records."""
    rng = np.random.default_rng(11)
    tally: Counter = Counter()
    for _ in range(40):
        assert differences(draw_records(rng, 15), tally) == []
    assert tally["series"] == 600
    for what in ("flash droughts", "censored events", "series with ties", "series with gaps", "pentad series"):
        assert tally[what] > 20, what
    assert tally["events over a bridged gap"] > 10
    assert tally["events that end at the rise"] > 20
    assert tally["days of which nobody knows"] > 100
    assert tally["events"] - tally["flash droughts"] > 20
    assert tally["series with a day exactly on a threshold"] > 100


def test_the_comparison_notices_another_reading(monkeypatch):
    rng = np.random.default_rng(11)
    records = draw_records(rng, 50)
    while records.is_percentile or records.values.shape[1] < 100:
        records = draw_records(rng, 50)
    eager = dataclasses.replace(records, options={"relapse": "event", "min_duration": 3, "recovery": 2})
    assert differences(eager) == []
    true = oracles.events
    monkeypatch.setattr(oracles, "events", lambda p, **options: true(p, **options | {"min_duration": 4}))
    wrong = differences(eager)
    assert any(line.startswith("events of") for line in wrong)
    assert any(line.startswith("classes of") for line in wrong)


def test_a_gap_after_every_dry_day():
    """More dry spells than a record without gaps could hold: one event for each wet and dry day between two gaps."""
    da = record([60, 15, np.nan] * 200)
    events = xd.flash_drought_events(da, is_percentile=True, min_duration=1, max_gap=0)
    assert steps(events.start_time, da) == list(range(1, 600, 3))
    assert events.is_censored.values.all()
    assert (
        np.unique(xd.drought_classes(da, is_percentile=True, min_duration=1, max_gap=0), return_counts=True)[1].tolist()
        == [200] * 3
    )


def test_dry_spells_are_the_runs_of_xclim():
    """Every event of a day or more is a run of xclim; its other runs have no day above the 40th percentile before."""
    from xclim.indices import run_length

    values = np.cumsum(np.random.default_rng(5).standard_normal((20, 801)), axis=1)
    da = record(values)
    p = xd.soil_moisture_percentile(da)
    runs = run_length.find_events(p < 20, 1, p > 20, 5)
    events = xd.flash_drought_events(da, min_duration=1)
    assert events.sizes["event"] > 60
    n_unseen = 0
    for site in range(20):
        ours = events.isel(event=events.cell.values == site)
        length = runs.event_length.isel(site=site).values
        start = steps(runs.event_start.isel(site=site)[length > 0], da)
        theirs = dict(zip(start, length[length > 0].astype(int).tolist(), strict=True))
        found = dict(zip(steps(ours.start_time, da), ours.duration.values.tolist(), strict=True))
        assert found.items() <= theirs.items()
        for unseen in theirs.keys() - found.keys():
            assert not (p.isel(site=site)[:unseen] > 40).any()
            n_unseen += 1
    assert n_unseen > 0


@pytest.mark.parametrize("relapse", ["event", "drop", "merge"])
def test_events_by_the_percentiles_of_another_record(relapse):
    rng = np.random.default_rng(9)
    values, pool = np.cumsum(rng.standard_normal((15, 150)), axis=1), np.cumsum(rng.standard_normal((15, 90)), axis=1)
    da = record(values)
    options = {"min_duration": 5, "relapse": relapse}
    events = xd.flash_drought_events(da, reference=record(pool), **options)
    labels = xd.drought_classes(da, reference=record(pool), **options)
    n = 0
    for row in range(15):
        p = oracles.percentiles_of_reference(values[row].tolist(), pool[row].tolist())
        expected = oracles.events(p, **options)
        ours = events.isel(event=events.cell.values == row)
        assert steps(ours.onset_time, da) == [e["to"] for e in expected]
        assert steps(ours.start_time, da) == [e["ts"] for e in expected]
        assert steps(ours.end_time, da) == [e["te"] for e in expected]
        assert ours.is_flash.values.tolist() == [e["is_flash"] for e in expected]
        np.testing.assert_allclose(ours.intensification_rate, [float(e["rate"]) for e in expected], rtol=1e-9)
        assert labels[row].values.tolist() == oracles.classes(p, expected)
        n += len(expected)
    assert n > 10


@pytest.mark.parametrize("period", [("2001-01-11", "2001-03-31"), slice("2001-01-11", "2001-03-31")])
def test_a_reference_period_is_that_part_as_a_reference(period):
    da = record(np.cumsum(np.random.default_rng(2).standard_normal((4, 300)), axis=1))
    part = da.sel(time=slice("2001-01-11", "2001-03-31"))
    xr.testing.assert_equal(
        xd.drought_classes(da, reference=period, min_duration=3), xd.drought_classes(da, reference=part, min_duration=3)
    )
    xr.testing.assert_equal(
        xd.flash_drought_events(da, reference=period, min_duration=3),
        xd.flash_drought_events(da, reference=part, min_duration=3),
    )


def test_the_whole_record_as_reference_changes_nothing():
    da = record(np.round(np.cumsum(np.random.default_rng(3).standard_normal((20, 301)), axis=1)))
    whole = (str(da.time.values[0]), str(da.time.values[-1]))
    with_reference = xd.flash_drought_events(da, reference=whole, min_duration=3)
    assert with_reference.sizes["event"] > 20
    without = xd.flash_drought_events(da, min_duration=3)
    xr.testing.assert_allclose(with_reference, without, rtol=0, atol=1e-9)
    xr.testing.assert_equal(with_reference.end_time, without.end_time)


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_events_of_a_day_of_year_window_are_those_of_its_percentiles(calendar):
    time = xr.date_range("2001-01-01", "2005-12-30", calendar=calendar, use_cftime=True)
    values = np.cumsum(np.random.default_rng(4).standard_normal((3, time.size)), axis=1)
    da = xr.DataArray(values, dims=("site", "time"), coords={"time": time})
    p = xd.soil_moisture_percentile(da, pool="dayofyear", window=7)
    events = xd.flash_drought_events(da, pool="dayofyear", window=7, min_duration=5)
    assert events.sizes["event"] > 5
    xr.testing.assert_equal(events, xd.flash_drought_events(p, is_percentile=True, min_duration=5))
    # by hand: the pool of one day is the 15 days around it in each of the 5 years
    day = 2 * (360 if calendar == "360_day" else 365) + 100
    same = [y * (360 if calendar == "360_day" else 365) + 100 + k for y in range(5) for k in range(-7, 8)]
    if calendar != "standard":  # no leap day shifts the years
        expected = oracles.percentiles(values[0, same].tolist())[same.index(day)]
        assert p.values[0, day] == float(expected)


def test_osman2021_by_hand():
    # The 5-day mean is below the 20-day mean on days 20 to 47 (tests/package/test_oracles.py). The 21 lowest days
    # (29 to 49) share rank 11 of 50, 100 x 10 / 49 = 20.4; day 28 has rank 22: 42.9.
    # So days 29 to 47 qualify below 30: 19 days.
    da = record(falling(10))
    keywords = {"definition": "osman2021", "pool": "record", "lower": 30}
    events = xd.flash_drought_events(da, min_duration=19, **keywords)
    assert (steps(events.start_time, da), steps(events.end_time, da)) == ([29], [47])
    assert events.duration.values.tolist() == [19]
    assert xd.flash_drought_events(da, **keywords).sizes["event"] == 0


def test_a_dask_record_is_streamed_block_by_block():
    alive, most = set(), 0

    def load(block_info=None):
        nonlocal most
        key = block_info[None]["chunk-location"][0]
        block = np.random.default_rng(key).random((1, 400))
        alive.add(key)
        weakref.finalize(block, alive.discard, key)
        most = max(most, len(alive))
        return block

    values = dask.array.map_blocks(load, chunks=((1,) * 30, (400,)), dtype=float)
    da = xr.DataArray(values, dims=("site", "time"), coords={"time": pd.date_range("2001", periods=400)})
    with dask.config.set(scheduler="synchronous"):
        xd.flash_drought_events(da, min_duration=1)
    assert 1 <= most <= 3
