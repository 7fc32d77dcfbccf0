"""A monitor through its months: reruns, late and corrected days, stations that come and go, one writer at a time."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.events.test_monitor import assert_same_table, record, require_batch_result
from tests.support.event_checks import draw_options, draw_values
from xdrought import drought_classes, files, flash_drought_events
from xdrought.events import DroughtMonitor, load_monitor, start_monitor

OLD = Path(__file__).parents[1] / "support" / "golden" / "monitor_v1.zip"


def walk(n_site: int = 3, n_days: int = 120, seed: int = 0) -> xr.DataArray:
    return record(np.cumsum(np.random.default_rng(seed).standard_normal((n_site, n_days)), axis=1))


# The law: whatever the way, the table is that of the final data.


@st.composite
def months(draw):
    """A final record, its first version with other values, and moves that lead from the one to the other."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_days = draw(st.integers(45, 130))
    kind = draw(st.sampled_from(["walk", "ties", "floor", "pulses"]))
    values = draw_values(rng, kind, 3, n_days).astype(draw(st.sampled_from(["f4", "f8"])))
    values[rng.random(values.shape) < draw(st.sampled_from([0, 0.02, 0.1, 0.3]))] = np.nan
    first = draw(st.integers(20, n_days - 5))
    options = draw_options(rng) | {"max_gap": draw(st.sampled_from([0, 2, 10]))}
    reference = record(draw_values(rng, "walk", 1, 200), "1996-03-02")[0].drop_vars(["site", "lat"])
    definition = draw(st.sampled_from(["tang2025", "tang2025", "yuan2019"]))
    if definition == "yuan2019":
        options = {key: options[key] for key in ("relapse", "max_gap")}
    return rng, record(values), first, {"reference": reference, "definition": definition, **options}


@settings(deadline=None, max_examples=20)
@given(months())
def test_any_way_through_the_months_ends_in_the_batch(drawn):
    rng, final, first, options = drawn
    n_days = final.sizes["time"]
    arrives = int(rng.integers(first, n_days))  # the third station comes later, with its days of the last weeks
    begin = max(arrives - 29, 0)
    final[2, :begin] = np.nan
    closes = int(rng.integers(first, n_days))  # and the first one stops
    final[0, closes:] = np.nan
    given_so_far = final.copy(data=garbled(rng, final.values))
    given_so_far[:, : max(first - 30, 0)] = final[:, : max(first - 30, 0)]  # nobody corrects these any more
    monitor = start_monitor(given_so_far[:2, :first], **options)
    n_known, n_stations = first, 2
    while n_known < n_days or not final[:n_stations, :n_known].equals(given_so_far[:n_stations, :n_known]):
        ready = n_known == n_days
        move = "correct" if ready else rng.choice(["go on", "correct", "again", "go on"])
        window = slice(max(n_known - 30, 0), n_known)
        if move == "go on":
            ahead = min(n_known + int(rng.integers(1, 6)), n_days, arrives if n_known < arrives else n_days)
            leaving = slice(window.start, max(ahead - 30, window.start))  # the last chance to correct these
            if leaving.stop > leaving.start:
                given_so_far[:, leaving] = final[:, leaving]
                monitor = monitor.update(given_so_far[:n_stations, leaving], revise=True)
            names = shuffled(rng, final[:n_stations])
            if n_known >= closes and rng.random() < 0.5:
                names = [name for name in names if name != "S0"]
            new = given_so_far[:, n_known:ahead].sel(site=names)
            monitor = monitor.update(new.assign_coords(time=new.time + np.timedelta64(12, "h")))
            n_known = ahead
        elif move == "correct":
            some = shuffled(rng, final[:n_stations])[: int(rng.integers(1, n_stations + 1))]
            if ready:
                some = final.site[:n_stations].values
            corrected = given_so_far[:, window]
            corrected.loc[{"site": some}] = final[:, window].sel(site=some)
            given_so_far[:, window] = corrected
            monitor = monitor.update(corrected.sel(site=some), revise=True)
        else:
            assert monitor.update(given_so_far[:n_stations, window]) is monitor
        if n_known == arrives and n_stations == 2:
            n_stations = 3
            given_so_far[2, begin:arrives] = final[2, begin:arrives]
            monitor = monitor.update(given_so_far[2:, begin:arrives])
    assert_seen_in_order(monitor)
    final = final[:n_stations]
    require_batch_result(monitor, final, **options)
    classes = drought_classes(final, **options)
    if options["definition"] == "tang2025":
        np.testing.assert_array_equal(monitor.today().drought_class, classes[:, -1])


def garbled(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """As the days are told first: some late, some wrong."""
    told = values.copy()
    told[rng.random(values.shape) < 0.2] += 1
    told[rng.random(values.shape) < 0.1] = np.nan
    return told


def shuffled(rng: np.random.Generator, da: xr.DataArray) -> list[str]:
    return rng.permutation(da.site.values).tolist()


def assert_seen_in_order(monitor: DroughtMonitor) -> None:
    everything = monitor.changes_since(monitor.index[0] - pd.Timedelta(days=1))
    assert everything.sizes["event"] >= monitor.events().sizes["event"]
    assert np.unique(everything.event_id[everything.status > 0]).size == monitor.events().sizes["event"]


# One rule at a time.


def test_a_rerun_is_nothing_and_another_value_is_refused_until_it_is_a_revision():
    da = walk()
    options = {"reference": ("2001-11", "2001-12"), "min_duration": 5}
    monitor = start_monitor(da[:, :110], **options).update(da[:, 110:115])
    assert monitor.update(da[:, 112:115]) is monitor
    assert monitor.update(da[::-1, 86:115]) is monitor
    wrong = da.copy()
    wrong[1, 100] += 3
    with pytest.raises(ValueError, match=r"differ from what is known in 1 value\(s\), the first on 2002-01-28"):
        monitor.update(wrong[:, 95:118])
    revised = monitor.update(wrong[:, 95:118], revise=True)
    require_batch_result(revised, wrong[:, :118], **options)
    back = revised.update(da[:, 95:118], revise=True)
    require_batch_result(back, da[:, :118], **options)


def test_only_the_last_thirty_days_can_be_corrected():
    da = walk()
    options = {"reference": ("2001-11", "2001-12")}
    monitor = start_monitor(da, **options)
    for day, is_taken in ((90, True), (89, False)):
        wrong = da.copy()
        wrong[1, day] -= 9
        if is_taken:
            require_batch_result(monitor.update(wrong[:, day:], revise=True), wrong, **options)
            continue
        with pytest.raises(ValueError, match=r"only the last 30 steps, from 2002-01-18 00:00:00 on, can be corrected"):
            monitor.update(wrong[:, day:], revise=True)
    with pytest.raises(ValueError, match=r"only the days from 2001-12-\d\d 00:00:00 on are kept.*leave earlier ones"):
        monitor.update(da)


def test_a_gap_is_bridged_when_its_next_value_comes():
    p = np.repeat([60.0, 15.0, np.nan, 15.0, 30.0], [5, 12, 4, 9, 6])
    da = record(p, units="percent")
    monitor = start_monitor(da[:, :17], is_percentile=True)
    seen = []
    for day in range(17, 36):
        monitor = monitor.update(da[:, day : day + 1])
        require_batch_result(monitor, da[:, : day + 1], is_percentile=True)
        table, today = monitor.events(), monitor.today().isel(site=0)
        seen.append((int(today.drought_class), int(today.provisional_days), table.gap_days.values.tolist()))
    assert seen[3] == (-1, 17, [])  # four days missing: those before may become a drought, or nobody will know
    assert seen[4] == (4, 0, [4])
    assert seen[18] == (0, 6, [4])
    assert monitor.events().status.values.tolist() == [2]
    strict = start_monitor(da, is_percentile=True, max_gap=3)
    assert strict.events().sizes["event"] == 0
    assert int(strict.today().drought_class[0]) == 0


def test_the_cells_of_a_grid_stay():
    coords = {"time": pd.date_range("2001-01-01", periods=60), "lat": [1.0, 2.0], "lon": [3.0, 4.0]}
    da = xr.DataArray(np.random.default_rng(1).random((60, 2, 2)), coords, ("time", "lat", "lon"), "sm")
    monitor = start_monitor(da[:50], reference=("2001-01-01", "2001-01-31"))
    with pytest.raises(ValueError, match="lacks 1 of the record's 2 labels along 'lat'"):
        monitor.update(da[50:, :1])
    with pytest.raises(ValueError, match=r"1 label\(s\) along 'lat'"):
        monitor.update(xr.concat([da, da[:, :1].assign_coords(lat=[9.0])], "lat")[50:])


def test_stations_come_with_a_reference_of_their_own_and_go():
    da, pools = walk(5), record(np.random.default_rng(3).standard_normal((5, 400)) * 8, "1996-01-01")
    monitor = start_monitor(da[:3, :100], reference=pools[:3])
    with pytest.raises(ValueError, match=r"the stations \['S3', 'S4'\] are new and have no reference"):
        monitor.update(da[:, 100:])
    with pytest.raises(ValueError, match=r"are new and lack the coordinates \['lat'\]"):
        monitor.update(da[:, 100:].drop_vars("lat"), reference=pools[3:])
    with pytest.raises(ValueError, match=r"calls stations \[1, 2, 3\] along 'site', the record .*'S0'"):
        monitor.update(da[:3, 100:].assign_coords(site=[1, 2, 3]))
    with pytest.raises(ValueError, match="has S1 twice along 'site'; keep one of each"):
        monitor.update(da[[0, 1, 1], 100:])
    monitor = monitor.update(da[[4, 0, 3, 1], 90:], reference=pools[3:])
    final = da.sel(site=["S0", "S1", "S2", "S4", "S3"]).copy()
    final[3:, :90] = np.nan
    final[2, 100:] = np.nan
    require_batch_result(monitor, final, reference=pools.sel(site=final.site))
    other_years = pools.assign_coords(time=pd.date_range("1990-01-01", periods=400))[3:]
    for pool in ("record", "dayofyear"):
        options = {"pool": pool, "window": 5} if pool == "dayofyear" else {}
        monitor = start_monitor(da[:3, :100], reference=pools[:3], **options).update(da[:, 100:], reference=other_years)
        final = da.copy()
        final[3:, :100] = np.nan
        for rows, own in ((slice(0, 3), pools[:3]), (slice(3, 5), other_years)):
            table = monitor.events().isel(event=np.isin(monitor.events().site, da.site[rows]))
            expected = flash_drought_events(final[rows], reference=own, **options)
            assert table.drop_vars("cell").start_time.equals(expected.drop_vars("cell").start_time)
            np.testing.assert_array_equal(table.severity, expected.severity)


def test_events_keep_their_name_and_say_when_they_changed():
    p = np.repeat([60.0, 30.0, 15.0, 30.0, 60.0], [5, 1, 20, 10, 4])
    da = record(p, units="percent")
    monitor = start_monitor(da[:, :15], is_percentile=True, min_duration=10)
    names, status = set(), []
    for day in range(15, 40):
        monitor = monitor.update(da[:, day : day + 1])
        table = monitor.events()
        names |= set(table.event_id.values.tolist())
        status += table.status.values.tolist()
    assert names == {"S0-20011026"}
    assert status == [1] * 15 + [2] * 10
    issued, changed = np.datetime64("2001-11-04"), np.datetime64("2001-11-19")  # ten dry days; the fifth day above 20
    assert (table.first_issued.values[0], table.last_changed.values[0]) == (issued, changed)
    assert monitor.changes_since("2001-11-18").sizes["event"] == 1
    assert monitor.changes_since("2001-11-19").sizes["event"] == 0
    wet = da[:, 10:].copy()
    wet[0, :16] = 30.0  # the drought was none
    gone = monitor.update(wet, revise=True)
    assert gone.events().sizes["event"] == 0
    withdrawn = gone.changes_since("2001-11-19")
    assert (withdrawn.event_id.item(), withdrawn.status.item()) == ("S0-20011026", 0)
    assert withdrawn.status.attrs["flag_meanings"] == "withdrawn provisional ended final"
    again = gone.update(da[:, 10:], revise=True).events()
    assert again.event_id.values.tolist() == ["S0-20011026"]
    later = da[:, 10:].copy()
    later[0, :5] = 30.0  # it recovered for five days, and began nine days later than said
    moved = monitor.update(later, revise=True).events()
    assert moved.start_time.values[0] == np.datetime64("2001-11-04")
    assert moved.event_id.values.tolist() == ["S0-20011026"]
    with pytest.raises(ValueError, match=r"'some day' is no day of the record; give e.g. '2001-11-28'"):
        monitor.changes_since("some day")


def test_an_old_event_is_final():
    da = record(np.repeat([60.0, 15.0, 60.0], [5, 20, 60]), units="percent")
    monitor = start_monitor(da[:, :60], is_percentile=True)
    assert monitor.events().status.item() == 2
    final = monitor.update(da[:, 60:]).events()
    assert final.status.item() == 3
    assert final.last_changed.item() == monitor.events().last_changed.item()


# The folder.


def test_time_does_not_go_back_and_there_is_one_writer(tmp_path: Path):
    da = walk()
    options = {"reference": ("2001-11", "2001-12")}
    folder = tmp_path / "soil.monitor"
    start_monitor(da[:, :110], **options).save(folder)
    slow, quick = load_monitor(folder), load_monitor(folder)
    quick.update(da[:, 110:113]).save(folder)
    with pytest.raises(ValueError, match=r"holds days up to 2002-02-09.*ends at 2002-02-07.*time does not go back"):
        slow.update(da[:, 110:111]).save(folder)
    wrong = da.copy()
    wrong[1, 100] -= 9
    with pytest.raises(ValueError, match=r"as another run has written it since this monitor was read.*load it again"):
        slow.update(wrong[:, 95:113], revise=True).save(folder)
    require_batch_result(load_monitor(folder), da[:, :113], **options)
    load_monitor(folder).update(wrong[:, 95:113], revise=True).save(folder)  # the cure
    before = (folder / "state.nc").stat().st_mtime_ns
    load_monitor(folder).update(wrong[:, 95:113]).save(folder)  # a rerun
    assert (folder / "state.nc").stat().st_mtime_ns == before
    monitor = load_monitor(folder).update(da[:, 95:113], revise=True)
    with files.locked(folder, "it"), pytest.raises(BlockingIOError, match="in use by another run; wait until it has"):
        monitor.save(folder)
    monitor.save(folder)
    monitor.update(da[:, 113:]).save(folder)
    require_batch_result(load_monitor(folder), da, **options)


def test_a_folder_takes_up_the_reference_of_further_stations(tmp_path: Path):
    da, pools = walk(), record(np.random.default_rng(3).standard_normal((3, 400)) * 8, "1996-01-01")
    start_monitor(da[:2, :100], reference=pools[:2]).save(tmp_path)
    load_monitor(tmp_path).update(da[:, 100:], reference=pools[2:]).save(tmp_path)
    final = da.copy()
    final[2, :100] = np.nan
    require_batch_result(load_monitor(tmp_path), final, reference=pools)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("definition", ["tang2025", "yuan2019"])
def test_a_state_of_the_first_format_goes_on(definition: str, tmp_path: Path):
    """Written by version 0.1.0.dev before monitors kept their last days, with the record below up to day 401."""
    values = np.cumsum(np.random.default_rng(20).standard_normal((3, 460)), axis=1).round(2).astype("float32")
    values[1, 200:203] = np.nan
    days = pd.date_range("2001-10-20", periods=460)
    da = xr.DataArray(values, {"time": days, "site": ["A", "B", "C"]}, ("site", "time"), "soil_moisture")
    da = da.assign_coords(lat=("site", [40.0, 45.0, 50.0])).assign_attrs(units="mm")
    with zipfile.ZipFile(OLD) as stored:
        stored.extractall(tmp_path)
    folder = tmp_path / definition
    monitor = load_monitor(folder)
    expected = {"reference": ("2001-11", "2002-06"), "definition": definition, "max_gap": 0}
    assert_same_table(monitor.events(), flash_drought_events(da[:, :401], **expected))
    assert monitor.definition.max_gap == 0  # as it was begun
    with pytest.raises(ValueError, match=r"can be compared; leave earlier ones out"):
        monitor.update(da[:, 385:405], revise=True)
    for first, last in ((401, 402), (402, 403), (403, 421), (421, 450)):
        monitor = monitor.update(da[:, first:last])
        monitor.save(folder)
        monitor = load_monitor(folder)
    wrong = da.copy()
    wrong[0, 430] += 5
    require_batch_result(monitor.update(wrong[:, 425:], revise=True), wrong, **expected)
