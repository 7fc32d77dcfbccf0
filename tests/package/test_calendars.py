"""Days, pentads and pools of a time axis, worked by hand for every calendar."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xdrought import calendars, checks

CALENDARS = ["standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day"]


def days(start: str, end: str, calendar: str = "") -> pd.DatetimeIndex | xr.CFTimeIndex:
    if not calendar:
        return pd.date_range(start, end)
    return xr.date_range(start, end, calendar=calendar, use_cftime=True)


def test_29_february_counts_as_the_28th():
    leap = calendars.common_day_of_year(days("2004-02-27", "2004-03-02"))
    assert leap.tolist() == [57, 58, 58, 59, 60]
    assert calendars.common_day_of_year(days("2003-02-27", "2003-03-02")).tolist() == [57, 58, 59, 60]
    assert calendars.common_day_of_year(days("2004-12-31", "2005-01-01")).tolist() == [364, 0]


@pytest.mark.parametrize(
    ("calendar", "year", "last"),
    [("", 1900, 364), ("standard", 2000, 364), ("julian", 1900, 364), ("noleap", 2004, 364), ("all_leap", 2003, 364)],
)
def test_every_year_has_365_days_of_the_year(calendar, year, last):
    day = calendars.common_day_of_year(days(f"{year}-01-01", f"{year}-12-31", calendar))
    assert day[0] == 0
    assert day[-1] == last
    assert set(np.diff(day)) <= {0, 1}
    assert np.unique(day).size == last + 1


def test_a_year_has_73_pentads_and_the_one_of_29_february_six_days():
    pentad = calendars.pentad_of_year(days("2004-01-01", "2004-12-31"))
    assert np.bincount(pentad).tolist() == [5] * 11 + [6] + [5] * 61
    assert np.bincount(calendars.pentad_of_year(days("2003-01-01", "2003-12-31"))).tolist() == [5] * 73
    assert np.bincount(calendars.pentad_of_year(days("2003-01-01", "2003-12-30", "360_day"))).tolist() == [5] * 72


def test_blocks_cut_by_the_ends_are_not_complete():
    blocks = calendars.pentad_blocks(days("2004-02-23", "2004-03-09"))
    # 23 and 24 February end a pentad; 25 February to 1 March; 2 to 6 March; 7 to 9 March
    assert blocks.first.tolist() == [0, 2, 8, 13]
    assert blocks.length.tolist() == [2, 6, 5, 3]
    assert blocks.complete.tolist() == [False, True, True, False]


def test_a_five_day_pentad_of_29_february_is_cut():
    assert calendars.pentad_blocks(days("2004-02-26", "2004-03-06")).complete.tolist() == [False, True]


def test_blocks_do_not_run_over_the_year():
    blocks = calendars.pentad_blocks(days("2003-12-27", "2004-01-05"))
    assert blocks.length.tolist() == [5, 5]
    assert blocks.complete.all()


def test_pools_wrap_around_the_year():
    """Four groups of a circle, two members each; the window of one takes in both neighbours."""
    groups = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    pools = calendars.make_pools(groups, groups, 4, 1)
    of_group = [set(pools.pools[a:b]) for a, b in zip(pools.pool_starts, pools.pool_starts[1:], strict=False)]
    assert of_group == [{3, 7, 0, 4, 1, 5}, {0, 4, 1, 5, 2, 6}, {1, 5, 2, 6, 3, 7}, {2, 6, 3, 7, 0, 4}]
    members = [set(pools.members[a:b]) for a, b in zip(pools.member_starts, pools.member_starts[1:], strict=False)]
    assert members == [{0, 4}, {1, 5}, {2, 6}, {3, 7}]


def test_a_window_wider_than_the_year_takes_every_group_once():
    groups = np.arange(4)
    pools = calendars.make_pools(groups, groups, 4, 9)
    assert np.diff(pools.pool_starts).tolist() == [4, 4, 4, 4]
    assert sorted(pools.pools[:4].tolist()) == [0, 1, 2, 3]


# --- checks of the time axis ----------------------------------------------------------------------------------


def on(index) -> xr.DataArray:
    return xr.DataArray(np.zeros(len(index)), dims="time", coords={"time": index}, name="sm")


@pytest.mark.parametrize("calendar", CALENDARS)
def test_days_of_every_calendar_are_one_day_apart(calendar):
    da = on(days("2003-12-01", "2004-03-30", calendar))
    assert checks.require_regular_steps(da, "time") == 1.0
    assert checks.days_since_start(da, "time").tolist() == list(range(da.size))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(("freq", "step"), [("D", 1.0), ("5D", 5.0), ("6h", 0.25), ("h", 0.041667), ("7D", 7.0)])
def test_the_step_is_found_at_every_resolution(unit, freq, step):
    assert checks.require_regular_steps(on(pd.date_range("2001", periods=50, freq=freq, unit=unit)), "time") == step


def test_calendar_pentads_are_regular_over_a_leap_year():
    first = [
        d for d in days("2003-01-01", "2005-12-31") if calendars.common_day_of_year(pd.DatetimeIndex([d]))[0] % 5 == 0
    ]
    # 29 February shares the number of the 28th, which begins no pentad
    assert checks.require_regular_steps(on(pd.DatetimeIndex(first)), "time") == 5.0


def test_a_step_of_six_days_without_29_february_is_a_gap():
    start = np.array([0, 5, 11, 16, 21])
    leap = pd.Timestamp("2004-02-20") + pd.to_timedelta(start, "D")
    assert checks.require_regular_steps(on(leap), "time") == 5.0
    with pytest.raises(
        ValueError, match=r"missing steps \(expected every 5 days, broken 1 time\(s\), first at 2003-03-03"
    ):
        checks.require_regular_steps(on(leap - pd.Timedelta(days=365)), "time")


def test_one_step_is_a_day():
    assert checks.require_regular_steps(on(days("2001-01-01", "2001-01-01")), "time") == 1.0


@pytest.mark.parametrize(("step", "text"), [(1.0, "1 day"), (5.0, "5 days"), (0.041667, "1 h"), (0.25, "6 h")])
def test_steps_in_words(step, text):
    assert checks.step_text(step) == text


def test_the_whole_of_a_dimension_is_asked_for():
    da = on(days("2001-01-01", "2001-01-10"))
    checks.require_one_chunk(da, "time", "why")
    checks.require_one_chunk(da.chunk(time=-1), "time", "why")
    with pytest.raises(ValueError, match=r"'time' has 2 chunks; why: use .chunk\(\{'time': -1\}\)"):
        checks.require_one_chunk(da.chunk(time=5), "time", "why")
    with pytest.raises(ValueError, match=r"no dimension 't' in 'sm'; it has \('time',\).*time=..."):
        checks.require_dim(da, "t")


def test_a_period_is_years_dates_or_one_of_them():
    assert calendars.period_of((2001, np.int64(2003))) == slice("2001", "2003")
    assert calendars.period_of(2001) == calendars.period_of("2001") == slice("2001", "2001")
    assert (
        calendars.period_of([None, "2001-06"]) == calendars.period_of(slice(None, "2001-06")) == slice(None, "2001-06")
    )
    for other in (True, 3, 2001.0, (2001,), (1, 2, 3), None):
        assert calendars.period_of(other) is None
    da = xr.DataArray(np.ones(800), {"time": days("2001-01-01", "2003-03-11")}, "time")
    for train in (2002, "2002", (2002, 2002), ("2002-01-01", "2002-12-31"), slice("2002", "2002")):
        assert int(calendars.training_mask(da, train, "time").sum()) == 365
    with pytest.raises(TypeError, match="train=2.5; give a period"):
        calendars.training_mask(da, 2.5, "time")


@pytest.mark.parametrize(
    ("zone", "way"),
    [("Europe/Berlin", "round"), ("America/Chicago", "round"), ("Australia/Sydney", "round"), (None, None)],
)
def test_midnights_of_a_zone_with_summer_time_become_its_days(zone, way):
    """The days of a clock, as UTC has them, are 23 or 25 hours long twice a year."""
    index = days("2001-01-01", "2001-12-31")
    stamps = index if zone is None else index.tz_localize(zone).tz_convert(None)
    da = xr.DataArray(np.arange(365.0), {"time": stamps}, "time")
    if way is None:
        assert checks.require_regular_steps(da, "time") == 1
        return
    with pytest.raises(ValueError, match=rf"days of 23 to 25 h.*\.dt\.{way}\('D'\)\)"):
        checks.require_regular_steps(da, "time")
    assert da.assign_coords(time=getattr(da["time"].dt, way)("D")).indexes["time"].equals(index)


def test_a_day_that_lacks_among_stamps_that_shift_is_a_missing_step():
    index = days("2001-01-01", "2001-12-31").tz_localize("Europe/Berlin").tz_convert(None).delete(100)
    with pytest.raises(ValueError, match="has missing steps"):
        checks.require_regular_steps(xr.DataArray(np.arange(364.0), {"time": index}, "time"), "time")
