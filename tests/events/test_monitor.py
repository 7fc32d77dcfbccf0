"""Near real time: does a monitor that is given days as they come say what the whole record says?"""

from __future__ import annotations

import json
from pathlib import Path

import dask.array
import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.event_checks import draw_options, draw_values
from tests.support.helpers import unchanged
from xdrought import drought_classes, flash_drought_events
from xdrought.calendars import pentad_blocks
from xdrought.events import DroughtMonitor, load_monitor, start_monitor

KINDS = ("walk", "ties", "floor", "pulses", "outlier", "percentiles")


def record(values, start: str = "2001-10-20", **attrs) -> xr.DataArray:
    """Cells by day, with labels of their own."""
    values = np.atleast_2d(values)
    coords = {
        "time": pd.date_range(start, periods=values.shape[1]),
        "site": [f"S{k}" for k in range(values.shape[0])],
        "lat": ("site", np.linspace(40, 50, values.shape[0]), {"units": "degrees_north"}),
        "country": "nowhere",
    }
    return xr.DataArray(values, coords, ("site", "time"), "soil_moisture", {"units": "mm"} | attrs)


def in_pieces(da: xr.DataArray, cuts: list[int], **options) -> DroughtMonitor:
    """A monitor that is given a record cut before these days."""
    edges = [0, *cuts, da.sizes["time"]]
    monitor = start_monitor(da.isel(time=slice(0, edges[1])), **options)
    for first, last in zip(edges[1:-1], edges[2:], strict=True):
        monitor = monitor.update(da.isel(time=slice(first, last)))
    return monitor


MEMORY = ["is_provisional", "status", "event_id", "first_issued", "last_changed"]  # what only a monitor knows


def assert_same_table(table: xr.Dataset, batch: xr.Dataset) -> None:
    """Equal to the last bit, with the same names and units."""
    xr.testing.assert_identical(without_record(table.drop_vars(MEMORY)), without_record(batch))


def without_record(ds: xr.Dataset) -> xr.Dataset:
    """Without the attributes that tell which call made it."""
    return ds.drop_attrs(deep=False).assign_attrs({name: ds.attrs[name] for name in ("definition", "source")})


def require_batch_result(monitor: DroughtMonitor, da: xr.DataArray, **options) -> None:
    """The table and the last day's classes are those of the whole record."""
    table = monitor.events()
    assert_same_table(table, flash_drought_events(da, **options))
    assert np.unique(table.event_id).size == table.sizes["event"]
    assert (table.first_issued <= table.last_changed).all()
    assert ((table.status == 1) == table.is_provisional).all()
    assert (table.last_changed <= da.time[-1]).all()
    assert table.is_provisional.where(table.is_censored, True).values[table.end_time == da.time[-1]].all()


@st.composite
def records(draw):
    """Random records, with gaps and odd options, and cuts to give them in."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_days = draw(st.integers(2, 150))
    values = draw_values(rng, draw(st.sampled_from(KINDS)), 3, n_days).astype(draw(st.sampled_from(["f4", "f8"])))
    gaps = rng.random(values.shape) < draw(st.sampled_from([0, 0, 0.01, 0.1]))
    values[gaps] = draw(st.sampled_from([np.nan, np.inf]))
    cuts = draw(st.lists(st.integers(1, n_days - 1), unique=True, max_size=6).map(sorted))
    reference = record(draw_values(rng, "walk", 3, draw(st.integers(10, 400))), "1996-03-02")
    return record(values), cuts, reference, draw_options(rng) | {"max_gap": draw(st.sampled_from([0, 2, 10]))}


@settings(deadline=None, max_examples=60)
@given(records(), st.sampled_from(["record", "dayofyear"]), st.integers(0, 9), st.booleans())
def test_any_split_gives_the_events_of_the_whole_record(drawn, pool, window, count_onset):
    da, cuts, reference, options = drawn
    options |= {"reference": reference, "pool": pool, "count_onset": count_onset}
    options |= {"window": window} if pool == "dayofyear" else {}
    monitor = in_pieces(da, cuts, **options)
    require_batch_result(monitor, da, **options)
    last_class = drought_classes(da, **options).isel(time=-1)
    np.testing.assert_array_equal(monitor.today().drought_class, last_class)


@settings(deadline=None, max_examples=25)
@given(records(), st.sampled_from(["yuan2019", "ford_labosier2017", "o_park2024"]))
def test_pentads_wait_until_they_are_over(drawn, definition):
    da, cuts, reference, options = drawn
    options = {"definition": definition, "reference": reference, **{k: options[k] for k in ("relapse", "max_gap")}}
    monitor = in_pieces(da, cuts, **options)
    require_batch_result(monitor, da, **options)
    blocks = pentad_blocks(da.indexes["time"])
    if len(blocks.first) > 1 or blocks.complete[-1]:
        last_whole = len(blocks.first) - (1 if blocks.complete[-1] else 2)
        days = slice(blocks.first[last_whole], blocks.first[last_whole] + blocks.length[last_whole])
        last_class = drought_classes(da, **options).isel(time=days).max("time")  # missing when all days are
        np.testing.assert_array_equal(monitor.today().drought_class, last_class)


@settings(deadline=None, max_examples=25)
@given(records())
def test_percentiles_need_no_reference(drawn):
    da, cuts, _, options = drawn
    percentiles = (da.clip(-50, 50) + 50).where(np.isfinite(da)).assign_attrs(units="percent")
    options |= {"is_percentile": True}
    require_batch_result(in_pieces(percentiles, cuts, **options), percentiles, **options)


def test_a_drought_is_followed_by_pencil():
    """Wet to day 4, dry from day 6 to 25: five days above 20 end it, fifteen dry days make it."""
    da = record(np.repeat([60.0, 30.0, 15.0, 30.0], [5, 1, 20, 10]), units="percent")
    monitor = start_monitor(da[:, :6], is_percentile=True)
    seen = []
    for day in range(6, 36):
        monitor = monitor.update(da[:, day : day + 1])
        today, table = monitor.today().isel(site=0), monitor.events()
        flags = [bool(table[name][0]) for name in ("is_censored", "is_provisional")] if table.sizes["event"] else []
        seen.append((int(today.drought_class), int(today.provisional_days), *flags))
    assert seen[0] == (0, 3)  # days 4, 5 and 6 become an onset and a drought, or not
    assert seen[13] == (0, 16)  # fourteen dry days are not enough
    assert seen[14] == (4, 0, True, True)  # fifteen are: no day's class is open, the end is
    assert seen[20] == (4, 1, True, True)  # day 26, the first above 20: condition, unless four more follow
    assert seen[23] == (4, 4, True, True)
    assert seen[24] == (0, 5, False, False)  # and they do; a relapse would make an onset of these five
    assert int(monitor.events().duration[0]) == 20


@pytest.mark.parametrize(
    ("percentiles", "last_class"),
    [
        ([60, 15, 15, 30], 4),  # the one step of the recovery is the last of the drought
        ([60, 15, 15, 60], 4),
        ([60, 15, 30], 0),  # two steps are too few
        ([60, 15, 15, 30, 30], 0),
        ([30, np.nan, 15, 15, 30], -1),  # a drought whose onset point the gap may hide
        ([30, np.nan, 15, 15, 30, 30], 0),
        ([60, 15, 15, 30, np.nan], -1),
    ],
)
@pytest.mark.parametrize("relapse", ["event", "drop", "merge"])
def test_the_last_day_may_be_the_rise(percentiles, last_class, relapse):
    options = {"recovery": 1, "min_duration": 3, "end_at": "rise", "relapse": relapse, "max_gap": 0}
    da = record([np.array(percentiles, float)], units="percent")
    monitor = start_monitor(da, is_percentile=True, **options)
    today = monitor.today().isel(site=0)
    assert int(today.drought_class) == last_class == drought_classes(da, is_percentile=True, **options).values[0, -1]
    assert_same_table(monitor.events(), flash_drought_events(da, is_percentile=True, **options))
    if last_class == 4:
        assert int(today.provisional_days) == 0
        is_open = relapse == "merge" and percentiles[-1] == 30  # a relapse would lengthen it
        assert monitor.events().is_provisional.values.tolist() == [is_open]


def test_today_tells_how_a_drought_comes():
    da = record([[60.0] * 3 + [30.0] * 2 + [15.0] * 4, [60.0] * 9], units="percent")
    today = start_monitor(da, is_percentile=True).today()
    assert today.time == da.time[-1]
    assert today.days_since_onset.values.tolist() == [6, 0]
    np.testing.assert_array_equal(today.days_since_start, [3, np.nan])
    np.testing.assert_array_equal(today.intensification_rate, [45 / 3, np.nan])
    assert today.percentile.values.tolist() == [15, 60]
    assert today.lat.attrs == {"standard_name": "latitude", "units": "degrees_north"}


def test_an_update_leaves_the_monitor_and_the_data_as_they_were():
    da = record(np.random.default_rng(0).random((3, 400)))
    monitor = start_monitor(da[:, :390], reference=("2001-11", "2002-03"))
    before = monitor.events()
    with unchanged(da):
        once = monitor.update(da[:, 390:])
    xr.testing.assert_identical(monitor.events(), before)
    xr.testing.assert_identical(monitor.update(da[:, 390:]).events(), once.events())


@pytest.mark.parametrize("wanted", [("2001-11", "2002-03"), slice(None, "2002-03-07")])
@pytest.mark.parametrize("definition", ["tang2025", "yuan2019"])
def test_a_period_of_the_record_is_a_reference(wanted, definition):
    da = record(np.cumsum(np.random.default_rng(1).standard_normal((3, 700)), axis=1))
    options = {"reference": wanted, "definition": definition}
    require_batch_result(in_pieces(da, [500, 501, 650], **options), da, **options)


def test_one_series_may_be_the_reference_of_all():
    rng = np.random.default_rng(2)
    da = record(np.cumsum(rng.standard_normal((3, 300)), axis=1))
    for pool in ("record", "dayofyear"):
        options = {"reference": record(rng.standard_normal((1, 900)) * 9)[0].drop_vars("site"), "pool": pool}
        require_batch_result(in_pieces(da, [100, 101], **options), da, **options)


def test_grids_dask_and_order_of_dims_do_not_matter():
    values = np.cumsum(np.random.default_rng(3).standard_normal((300, 5, 7)), axis=0)
    coords = {"time": pd.date_range("2001-01-01", periods=300), "lat": np.arange(5.0), "lon": np.arange(7.0)}
    da = xr.DataArray(values, coords, ("time", "lat", "lon"), "sm", {"units": "mm"})
    options = {"reference": ("2001-02", "2001-06")}
    monitor = in_pieces(da.chunk(lat=2, lon=3), [250, 260], **options)
    require_batch_result(monitor, da, **options)
    mixed = start_monitor(da[:250], **options).update(da[250:].transpose("lon", "time", "lat"))
    require_batch_result(mixed, da, **options)
    assert isinstance(da.chunk(lat=2).data, dask.array.Array)
    assert monitor.today().percentile.dims == ("lat", "lon")


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "standard"])
def test_other_calendars(calendar, tmp_path):
    time = xr.date_range("2001-01-01", periods=900, calendar=calendar, use_cftime=True)
    values = np.cumsum(np.random.default_rng(4).standard_normal((2, 900)), axis=1)
    da = xr.DataArray(values, {"time": time}, ("site", "time"))
    for definition in ("tang2025", "yuan2019"):
        options = {"reference": ("2001", "2002"), "definition": definition}
        start_monitor(da[:, :800], **options).save(tmp_path / definition)
        monitor = load_monitor(tmp_path / definition).update(da[:, 800:])
        assert monitor.index.equals(da.indexes["time"])
        require_batch_result(monitor, da, **options)


def test_a_single_series():
    da = record(np.cumsum(np.random.default_rng(5).standard_normal(300)))[0]
    options = {"reference": ("2001-11", "2002-03")}
    require_batch_result(in_pieces(da, [200, 250], **options), da, **options)


def test_censored_events_can_be_left_out():
    da = record(np.repeat([60.0, 15.0], [5, 20]), units="percent")
    monitor = start_monitor(da, is_percentile=True)
    assert monitor.events().sizes["event"] == 1
    assert monitor.events(censored="drop").sizes["event"] == 0
    with pytest.raises(ValueError, match="censored='hide' is unknown"):
        monitor.events(censored="hide")


# what is refused


def small_monitor() -> tuple[xr.DataArray, DroughtMonitor]:
    da = record(np.random.default_rng(6).random((3, 60)))
    return da, start_monitor(da[:, :50], reference=("2001-10", "2001-11"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda da: da[:, 51:], r"the new days begin at 2001-12-10 00:00:00, 2 days later; give every step between"),
        (lambda da: da[:, [50, 52]], r"missing steps|go(es)? by 1 day"),
        (lambda da: da[:, 50:].drop_vars("site"), r"labels along 'site' and new_days has none"),
        (
            lambda da: xr.concat([da, da[:1].assign_coords(site=["more"])], "site")[:, 50:],
            r"'more'\] are new and have no",
        ),
        (lambda da: da[0, 50:], r"have dimensions \('time',\), the record \('site', 'time'\)"),
        (lambda da: da[:, 50:].assign_attrs(units="percent"), r"have units 'percent', the record 'mm'"),
        (lambda da: da[:, 50:].drop_attrs(), r"have units None"),
        (lambda da: da[:, 50:].convert_calendar("noleap"), r"another kind of dates"),
        (lambda da: da[:, 50:].chunk(time=5), r"'time' has 2 chunks"),
    ],
)
def test_days_that_do_not_follow_or_fit_are_refused(change, message):
    da, monitor = small_monitor()
    before = monitor.events(), monitor.today()
    with pytest.raises(ValueError, match=message):
        monitor.update(change(da))
    xr.testing.assert_identical(monitor.events(), before[0])
    xr.testing.assert_identical(monitor.today(), before[1])
    require_batch_result(monitor.update(da[:, 50:]), da, reference=("2001-10", "2001-11"))


def test_only_numbers_in_arrays_are_taken():
    da, monitor = small_monitor()
    with pytest.raises(TypeError, match="must be a DataArray"):
        monitor.update(da.values)
    with pytest.raises(TypeError, match="expected numbers"):
        monitor.update(da[:, 50:].astype(str))
    with pytest.raises(ValueError, match="outside what percentile can be, 0 to 100"):
        start_monitor(record([1.0, 101.0], units="percent"), is_percentile=True)


def test_what_would_change_the_past_is_refused():
    da = record(np.random.default_rng(7).random((3, 60)))
    with pytest.raises(ValueError, match=r"no reference; percentiles of a growing record change.*reference=\("):
        start_monitor(da)
    for period in (("2001-10", "2001-12"), slice("2001-11", None), ("2001-11-01", "2001-12-19")):
        with pytest.raises(ValueError, match="goes on after the record's last day 2001-12-18"):
            start_monitor(da, reference=period)
    start_monitor(da, reference=("2001-11-01", "2001-12-18"))
    # the pentad of 17 to 21 December is not over, that of the 12th is
    with pytest.raises(ValueError, match="goes on after the record's last day"):
        start_monitor(da, reference=("2001-11-01", "2001-12-17"), definition="yuan2019")
    start_monitor(da, reference=("2001-11-01", "2001-12-16"), definition="yuan2019")


@pytest.mark.parametrize("definition", ["yuan2023", "osman2021"])
def test_other_rules_are_refused(definition):
    da = record(np.random.default_rng(8).random((1, 60)))
    with pytest.raises(ValueError, match=f"{definition!r} has the rule .* which is not followed day by day"):
        start_monitor(da, reference=da, definition=definition)


# the file


@pytest.mark.parametrize("definition", ["tang2025", "yuan2019", "osman_pool"])
def test_a_saved_monitor_goes_on_as_if_it_had_not_been(definition, tmp_path: Path):
    da = record(np.cumsum(np.random.default_rng(9).standard_normal((3, 500)), axis=1).astype("float32"))
    options = {"reference": ("2001-11", "2002-06"), "definition": definition}
    if definition == "osman_pool":
        options |= {"definition": "tang2025", "pool": "dayofyear", "window": 7}
    monitor = start_monitor(da[:, :401], **options)
    for day in range(401, 405):
        monitor.save(tmp_path / "here")
        monitor = load_monitor(tmp_path / "here")
        monitor = monitor.update(da[:, day : day + 1])
    xr.testing.assert_identical(monitor.cells, start_monitor(da[:, :401], **options).cells)
    require_batch_result(monitor, da[:, :405], **options)
    assert sorted(p.name for p in (tmp_path / "here").iterdir()) == [
        f"reference-{monitor.reference.key}.nc",
        "state.nc",
    ]


@pytest.mark.parametrize("name", ["state.nc", "reference-*.nc"])
def test_a_state_that_leads_to_another_file_is_refused(tmp_path: Path, name: str):
    da, monitor = small_monitor()
    monitor.save(tmp_path)
    (file,) = tmp_path.glob(name)
    with h5py.File(file, "a") as held:
        held["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/")
    with pytest.raises(ValueError, match="'elsewhere' of .* is refused: it is a link to another file"):
        load_monitor(tmp_path)


def test_a_write_that_fails_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    da, monitor = small_monitor()
    monitor.save(tmp_path)
    held = (tmp_path / "state.nc").read_bytes()
    further = monitor.update(da[:, 50:])

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        further.save(tmp_path)
    assert (tmp_path / "state.nc").read_bytes() == held
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.undo()
    require_batch_result(load_monitor(tmp_path), da[:, :50], reference=("2001-10", "2001-11"))


def test_files_that_are_not_monitors_are_refused(tmp_path: Path):
    da, monitor = small_monitor()
    with pytest.raises(FileNotFoundError, match="there is no state.nc in"):
        load_monitor(tmp_path / "nowhere")
    monitor.save(tmp_path / "a")
    with pytest.raises(ValueError, match="holds another monitor, with a reference of its own"):
        start_monitor(da[:, :50], reference=("2001-10", "2001-10")).save(tmp_path / "a")
    state = tmp_path / "a" / "state.nc"
    whole = state.read_bytes()
    state.write_bytes(whole[:500])
    with pytest.raises(ValueError, match="cannot be read"):
        load_monitor(tmp_path / "a")
    da.to_netcdf(state, engine="h5netcdf")
    with pytest.raises(ValueError, match="is no monitor, it says None"):
        load_monitor(tmp_path / "a")
    state.write_bytes(whole)
    _relabel(state, format_version=99)
    with pytest.raises(ValueError, match="has format version 99, this xdrought reads 1 to 3"):
        load_monitor(tmp_path / "a")
    state.write_bytes(whole)
    _relabel(state, reference_key="../a/reference")
    with pytest.raises(ValueError, match="names the reference '../a/reference'; it was changed"):
        load_monitor(tmp_path / "a")
    state.write_bytes(whole)
    _relabel(state, dims=json.dumps(["lat"]))
    with pytest.raises(ValueError, match="does not fit together"):
        load_monitor(tmp_path / "a")
    state.write_bytes(whole)
    (tmp_path / "a" / f"reference-{monitor.reference.key}.nc").unlink()
    with pytest.raises(FileNotFoundError, match="lacks its reference"):
        load_monitor(tmp_path / "a")


def _relabel(path: Path, **labels) -> None:
    import h5py

    with h5py.File(path, "a") as file:
        for name, value in labels.items():
            file.attrs[name] = value
