"""Windows: which exist, what they hold by two engines, and the way back to coordinates."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import random_grid, random_sites
from xdrought.splits import chronological
from xdrought.windows.labelled import patches

TARGET = "soil_moisture"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def holed_sites(size=None) -> xr.Dataset:
    """Site 0 lacks one driver value on day 30, site 1 lacks the target on day 40."""
    ds = random_sites(2, 60, size)
    tp, soil = ds.tp.values.copy(), ds[TARGET].values.copy()
    tp[(0, 30, *(0,) * (tp.ndim - 2))] = np.nan
    soil[1, 40] = np.nan
    return ds.assign(tp=(ds.tp.dims, tp), soil_moisture=(ds[TARGET].dims, soil))


def test_which_windows_exist():
    # 60 days: starts 0..38; site 0 loses the 15 that hold day 30 (starts 16..30), site 1 the target day 40
    p = patches(holed_sites(), TARGET)
    starts = {cell: set(p.start[p.cell == cell]) for cell in (0, 1)}
    assert starts[0] == set(range(39)) - set(range(16, 31))
    assert starts[1] == set(range(39)) - {40 - 21}
    assert len(p) == len(list(p)) == 24 + 38


def test_windows_without_target_reach_the_last_day():
    ds = holed_sites()
    p = patches(ds, drivers=["tp", "t2m"])
    assert max(p.start) == 60 - 15
    labelled = p.to_labels(np.arange(len(p)))
    assert labelled.time[-1] == ds.time[-1] + np.timedelta64(7, "D")
    assert labelled.sizes == {"site": 2, "time": 67}
    with_target = patches(ds, TARGET, require_target=False)
    assert np.isnan(with_target[-1].target)
    assert with_target[0].target == ds[TARGET][0, 21]


@pytest.mark.parametrize("size", [None, 1, 3, 4])
def test_window_holds_the_days_and_the_target(size):
    ds = random_sites(2, 40, size)
    with unchanged(ds):
        p = patches(ds, TARGET, window=5, lead=3)
        one = p[int(np.flatnonzero((p.cell == 1) & (p.start == 10))[0])]
    width = size or 1
    assert one.inputs.dims == ("time", "variable", "patch_lat", "patch_lon")
    assert one.inputs.shape == (5, 2, width, width)
    expected = np.stack([ds[name].values[1, 10:15].reshape(5, width, width) for name in ("tp", "t2m")], 1)
    np.testing.assert_array_equal(one.inputs, expected.astype("float32"))
    assert list(one["variable"].values) == ["tp", "t2m"]
    assert one.target == ds[TARGET][1, 17]
    assert one.site == "S1"
    assert (one.lat, one.lon) == (41, 9)
    assert one.init_time == ds.time[14]
    assert one.valid_time == ds.time[17]
    assert (one.time == ds.time[10:15]).all()


@pytest.mark.parametrize("make", [lambda: holed_sites(4), holed_sites, lambda: random_grid(6, 5, 12)])
def test_xbatcher_and_gathered_windows_are_equal(make):
    ds = make()
    target = TARGET if TARGET in ds else "swvl1"
    p = patches(ds, target, drivers=["t2m", "tp"], size=None if TARGET in ds else 4, window=5, lead=2)
    gathered = p.to_torch().gather(torch.arange(len(p)))
    labelled = [p[i] for i in range(len(p))]
    assert len(p) > 20
    np.testing.assert_array_equal(gathered.numpy(), np.stack([w.inputs.values for w in labelled]))
    np.testing.assert_array_equal(p.to_torch().target, np.array([w.target for w in labelled], "float32"))


@pytest.mark.parametrize("size", [1, 3, 4])
def test_grid_windows_have_their_centre(size):
    ds, window, lead = random_grid(6, 5, 9), 3, 2
    p = patches(ds, "swvl1", drivers=["tp"], size=size, window=window, lead=lead)
    assert len(p) == (6 - size + 1) * (5 - size + 1) * (9 - 3 - 2 + 1)
    before = {1: 0, 3: 1, 4: 1}[size]  # size / 2 - 1 cells north and west of the centre for even sizes
    for i in (0, len(p) // 2, len(p) - 1):
        one = p[i]
        row, column = (list(ds[d].values).index(one[d]) for d in ("lat", "lon"))
        t = list(ds.time.values).index(one.init_time)
        box = ds.tp.values[t - window + 1 : t + 1, row - before :, column - before :][:, :size, :size]
        np.testing.assert_array_equal(one.inputs[:, 0], box.astype("float32"))
        assert one.target == ds.swvl1[t + lead, row, column]
        assert one.patch_lat[before] == one.lat


def test_grid_window_with_a_missing_cell_does_not_exist():
    ds = random_grid(5, 5, 9)
    tp = ds.tp.values.copy()
    tp[4, 2, 2] = np.nan
    p = patches(ds.assign(tp=(ds.tp.dims, tp)), "swvl1", drivers=["tp"], size=2, window=3, lead=2)
    # 16 centres x 5 starts; the 4 patches around the cell lose the starts 2, 3, 4
    assert len(p) == 16 * 5 - 4 * 3


def test_frames_are_the_days_of_a_cell():
    for p in (patches(random_sites(2, 30, 3), TARGET), patches(random_grid(), "swvl1", size=3)):
        cube = p.to_torch()
        k = len(p) // 2
        cell, start = int(p.cell[k]), int(p.start[k])
        frames = cube.frames(cell)[start : start + 15]
        assert torch.equal(frames, cube.gather(torch.tensor([k]))[0])


@pytest.mark.parametrize("make", [holed_sites, lambda: random_grid(6, 5, 30)])
def test_labels_come_back_at_the_valid_time(make):
    ds = make()
    target = TARGET if TARGET in ds else "swvl1"
    p = patches(ds, target, size=None if TARGET in ds else 3)
    back = p.to_labels(p.targets)
    assert back.dims == ds[target].dims
    has_window = p.to_labels(np.ones(len(p), bool))
    assert has_window.dtype == bool
    assert has_window.sum() == len(p)
    xr.testing.assert_equal(back.drop_vars("init_time"), ds[target].where(has_window).drop_vars("init_time"))
    assert (back.time - back.init_time == np.timedelta64(7, "D")).all()


def test_missing_days_break_windows():
    ds = random_sites(1, 40).drop_isel(time=[20])
    p = patches(ds, TARGET, window=5, lead=1)
    assert p.data.sizes["time"] == 40
    # starts 0..34; those that hold day 20 are 16..20, and 15 has it as its target
    assert set(p.start) == set(range(35)) - set(range(15, 21))


def test_cftime_calendars():
    ds = random_sites(1, 70)
    ds["time"] = xr.date_range("2001-02-01", periods=70, calendar="360_day", use_cftime=True)
    p = patches(ds.drop_isel(time=[3]), TARGET)
    assert len(p) == 70 - 21 - 4
    assert p[0].valid_time.item() == ds.time.values[4 + 21]
    assert p.to_labels(p.targets).sizes["time"] == 70


def test_default_drivers():
    ds = random_sites(1, 40, 2)
    more = {name: ds[TARGET] for name in ("soil_moisture_qc", "truth_soil_moisture", "soil_temperature")}
    assert patches(ds.assign(more), TARGET).drivers == ("tp", "t2m")  # those with a patch
    towers = random_sites(1, 40).assign(more)
    assert patches(towers, TARGET).drivers == ("tp", "t2m", "soil_temperature")


def test_driver_without_a_patch_is_the_same_in_every_cell():
    ds = random_sites(1, 40, 3)
    one = patches(ds.assign(flat=ds[TARGET] * 2), TARGET, drivers=["tp", "flat"])[0]
    assert (one.inputs.sel(variable="flat") == one.inputs.sel(variable="flat")[:, 1, 1]).all()


def test_patches_are_cropped_about_their_centre():
    ds = random_sites(1, 40, 10)
    cropped = patches(ds, TARGET, size=4)[0]
    np.testing.assert_array_equal(cropped.inputs, patches(ds, TARGET)[0].inputs[:, :, 3:7, 3:7])


def test_one_site_without_its_dimension():
    ds = random_sites(2, 40).isel(site=1)
    assert patches(ds, TARGET)[0].site == "S1"
    assert len(patches(ds.drop_vars("site"), TARGET)) == 40 - 21


def test_another_name_for_time():
    p = patches(random_sites(1, 40).rename(time="day"), TARGET, time="day")
    assert p.to_labels(p.targets).dims == ("site", "day")
    assert p[0].inputs.dims[0] == "day"


def test_dask_is_lazy_and_equal():
    ds = random_grid(12, 12, 30)
    with raise_if_dask_computes():
        lazy = patches(ds.chunk(lat=5, lon=4), "swvl1")
        lazy.inputs  # noqa: B018
    eager = patches(ds, "swvl1")
    assert len(lazy) == len(eager) == 9 * 9
    xr.testing.assert_identical(lazy[40].compute(), eager[40])


def test_scaled_windows_share_the_index():
    ds = random_sites(2, 40)
    p = patches(ds, TARGET)
    before = p[3]
    doubled = p.with_data(p.data * 2)
    xr.testing.assert_equal(doubled[3].inputs, before.inputs * 2)
    xr.testing.assert_identical(p[3], before)


def test_the_text_says_what_is_in_it():
    text = repr(patches(random_sites(2, 40, 4), TARGET))
    assert "2 sites, 40 days" in text
    assert "15 days x 2 drivers x 4 x 4 cells" in text


def test_xbatcher_is_the_definition():
    generator = patches(random_sites(2, 40, 3), TARGET).generator
    assert type(generator).__module__.startswith("xbatcher")
    assert len(generator) == 2 * (40 - 15 + 1)


def time_backwards(ds):
    return ds.isel(time=slice(None, None, -1))


def weekly(ds):
    return ds.isel(time=slice(None, None, 7))


@pytest.mark.parametrize(
    ("change", "options", "error", "match"),
    [
        (lambda ds: ds.chunk(time=10), {}, ValueError, r"'time' has 4 chunks.*\.chunk\(\{'time': -1\}\)"),
        (lambda ds: ds.isel(time=slice(21)), {}, ValueError, "the record has 21 days.* need 22"),
        (lambda ds: ds.isel(time=slice(5)), {"target": None}, ValueError, "has 5 days.* needs 15"),
        (lambda ds: ds.isel(time=slice(0)), {}, ValueError, "'time' is empty"),
        (lambda ds: ds.drop_vars(TARGET), {}, KeyError, r"no variable \['soil_moisture'\]"),
        (None, {"lead": 0}, ValueError, "lead=0; it must be a whole number, 1 or more"),
        (None, {"lead": -7}, ValueError, "lead=-7"),
        (None, {"window": 100}, ValueError, "a window of 100 days"),
        (None, {"window": 2.5}, ValueError, "window=2.5"),
        (None, {"drivers": "tp"}, TypeError, r"one name; give a list, \['tp'\]"),
        (None, {"drivers": []}, ValueError, "no drivers"),
        (None, {"drivers": ["tp", "tp"]}, ValueError, r"\['tp'\] is named twice"),
        (None, {"drivers": ["tp", TARGET]}, ValueError, "the target is no driver"),
        (None, {"target": None, "require_target": True}, ValueError, "=True without a target"),
        (lambda ds: ds.tp, {"target": None}, TypeError, "ds must be a Dataset, got DataArray; make it one"),
        (lambda ds: ds.assign(tp=ds.tp.astype(str)), {"drivers": ["tp"]}, TypeError, "windows need numbers"),
        (lambda ds: ds.assign(tp=ds.tp.isel(time=0)), {"drivers": ["tp"]}, ValueError, "no dimension"),
        (lambda ds: ds.expand_dims(level=[1]), {}, ValueError, "has dimensions.*collocate"),
        (time_backwards, {}, ValueError, "goes backwards"),
        (weekly, {"window": 2, "lead": 1}, ValueError, "shortest step of 'time' is 7 days.*resample"),
        (None, {"size": 2}, ValueError, "size=2 cannot be cut from patches of 1 x 1"),
    ],
)
def test_refusals(change, options, error, match):
    ds = random_sites(2, 40)
    options = {"target": TARGET} | options
    with pytest.raises(error, match=match):
        patches(ds if change is None else change(ds), **options)


def test_refusals_of_patches():
    ds = random_sites(1, 40, 4)
    with pytest.raises(ValueError, match=r"choose one of \[4, 2\]"):
        patches(ds, TARGET, size=3)
    with pytest.raises(ValueError, match="patches are square"):
        patches(ds.isel(patch_lat=slice(2)), TARGET)
    with pytest.raises(ValueError, match="does not fit into 'lat' with 6"):
        patches(random_grid(), "swvl1")
    p = patches(ds, TARGET)
    with pytest.raises(IndexError, match="no window 19; there are 19"):
        p[19]
    with pytest.raises(ValueError, match=r"\(3,\) values for 19 windows"):
        p.to_labels(np.zeros(3))
    with pytest.raises(ValueError, match="these windows have no target"):
        patches(ds, drivers=["tp"]).targets  # noqa: B018


def test_no_window_at_all_has_a_reason():
    ds = random_sites(1, 40)
    with pytest.raises(ValueError, match=r"there is no complete window; \['tp'\] has no finite value"):
        patches(ds.assign(tp=ds.tp * np.nan), TARGET).require_windows()
    holes = ds.tp.where(np.arange(40) % 10 > 0)
    with pytest.raises(ValueError, match="no 15 days in a row hold every driver and a target"):
        patches(ds.assign(tp=holes), TARGET).require_windows()


# --- the caller's own names -----------------------------------------------------------------------------------


def renamed(ds: xr.Dataset) -> xr.Dataset:
    return ds.rename(site="station", lat="latitude", lon="longitude", time="day")


def test_dimensions_may_have_other_names():
    ds = random_sites(3, 60, 2)
    ours = patches(ds, TARGET, window=5, lead=2)
    theirs = patches(renamed(ds), TARGET, window=5, lead=2, site="station", lat="latitude", lon="longitude", time="day")
    values = np.arange(len(ours), dtype=float)
    xr.testing.assert_identical(theirs.to_labels(values), renamed_labels(ours.to_labels(values)))
    assert theirs[0]["station"].item() == ours[0]["site"].item()
    np.testing.assert_array_equal(theirs[7].inputs, ours[7].inputs)


def renamed_labels(labels: xr.DataArray) -> xr.DataArray:
    return labels.rename(
        {
            a: b
            for a, b in {"site": "station", "lat": "latitude", "lon": "longitude", "time": "day"}.items()
            if a in labels.coords
        }
    )


def test_names_are_found_by_their_cf_attributes():
    ds = renamed(random_sites(3, 60, 2))
    ds.station.attrs["cf_role"] = "timeseries_id"
    ds.day.attrs["standard_name"] = "time"
    found = patches(ds, TARGET, window=5, lead=2)
    assert found.to_labels(np.ones(len(found))).dims == ("station", "day")
    grid = random_grid(4, 4, 40).rename(lat="y", lon="x")
    grid.y.attrs["units"], grid.x.attrs["standard_name"] = "degrees_north", "longitude"
    assert patches(grid, "swvl1", size=2).to_labels(np.ones(len(patches(grid, "swvl1", size=2)))).dims == (
        "time",
        "y",
        "x",
    )
    other = grid.assign_coords(y2=("y", grid.y.values, {"units": "degrees_north"}))
    with pytest.raises(ValueError, match="are all latitude by their CF attributes; name one with lat="):
        patches(other, "swvl1", size=2)


def test_names_that_are_not_there_or_are_taken_are_refused():
    ds = random_sites(2, 40)
    with pytest.raises(ValueError, match="site='station' is no dimension or coordinate"):
        patches(ds, TARGET, site="station")
    both = ds.rename(site="station").assign_coords(site=("station", ["a", "b"]))
    with pytest.raises(ValueError, match=r"\['site'\] is in the data beside \['station'\]; drop or rename it"):
        patches(both, TARGET, site="station")


def test_stacked_cells_are_sites():
    grid = random_grid(2, 2, 40)[["tp", "swvl1"]]
    windows = patches(grid.stack(site=("lat", "lon")), "swvl1", window=5, lead=2)
    labels = windows.to_labels(windows.targets)
    assert labels.indexes["site"].names == ["lat", "lon"]
    found = labels.drop_vars("init_time").unstack("site").reindex_like(grid.swvl1).transpose("time", "lat", "lon")
    xr.testing.assert_equal(found, grid.swvl1.where(found.notnull()))
    assert found.notnull().sum() == len(windows)


# --- days, xbatcher and torch ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lead", [np.timedelta64(2, "D"), np.timedelta64(48, "h"), pd.Timedelta(days=2), timedelta(2)])
def test_a_lead_may_be_a_timedelta(lead):
    assert patches(random_sites(1, 40), TARGET, window=5, lead=lead).lead == 2


@pytest.mark.parametrize(
    ("lead", "match"),
    [
        (np.timedelta64(36, "h"), "it must be whole days, 1 or more"),
        (pd.Timedelta(0), "it must be whole days, 1 or more"),
        (np.timedelta64("NaT"), "it must be whole days"),
        ("7D", "lead='7D' is text; give days as a whole number"),
    ],
)
def test_a_lead_of_no_whole_days_is_refused(lead, match):
    with pytest.raises(ValueError, match=match):
        patches(random_sites(1, 40), TARGET, lead=lead)


@pytest.mark.parametrize("ds", [random_sites(2, 40, 2), random_grid(4, 4, 40)], ids=["sites", "grid"])
def test_the_generator_names_its_dims_in_the_order_of_its_batches(ds):
    windows = patches(ds, size=2, window=5)
    assert tuple(windows.generator.input_dims) == tuple(dim for dim in windows.generator[0].dims if dim != "site")


def test_torch_reads_windows_as_a_dataset():
    import pickle

    from torch.utils.data import DataLoader, Dataset, Subset

    windows = patches(random_sites(2, 40), TARGET, window=5, lead=2)
    assert isinstance(windows.to_torch(), Dataset)
    assert len(Subset(windows.to_torch(), [0, 3])) == 2
    sent = pickle.loads(pickle.dumps(windows.to_torch()))  # as a loader with workers does
    np.testing.assert_array_equal(sent[7][0], windows.to_torch()[7][0])
    batches = list(DataLoader(windows.to_torch(), batch_size=10))
    assert sum(len(target) for _, target in batches) == len(windows)
    np.testing.assert_array_equal(batches[1][0][3], windows[13].inputs.astype("float32"))
    np.testing.assert_allclose(batches[1][1], windows.targets[10:20], rtol=1e-6)
    bare = patches(random_sites(2, 40), drivers=["tp", "t2m"], window=5).to_torch()
    assert tuple(bare[-1].shape) == (5, 2, 1, 1)
    with pytest.raises(IndexError, match="window 99 of"):
        bare[99]


# --- several leads -------------------------------------------------------------------------------------------


def test_several_leads_give_each_window_its_targets():
    ds = holed_sites()
    p, one = patches(ds, TARGET, window=5, lead=[1, 3, 7]), patches(ds, TARGET, window=5, lead=7)
    assert (p.lead, p.leads, p.targets.shape) == (7, (1, 3, 7), (len(p), 3))
    first = p[0]
    assert first.target.dims == ("lead_time",)
    assert first.lead_time.dt.days.values.tolist() == [1, 3, 7]
    observed = ds[TARGET].isel(site=0).sel(time=first.valid_time.values)
    np.testing.assert_array_equal(first.target, observed)
    # a day without a target at one lead is NaN there, and the window stays: of a single lead it would be gone
    last = np.flatnonzero((p.cell == 1) & (p.start + 5 - 1 + 7 == 40))[0]
    assert np.isnan(p.targets[last]).tolist() == [False, False, True]
    assert len(p) == len(one) + 1
    assert len(patches(ds, TARGET, window=5, lead=[7])) == len(one)


def test_targets_of_several_leads_return_to_labels():
    for ds, target, places in (
        (random_sites(2, 30), TARGET, ("site",)),
        (random_grid(4, 5, 30), "swvl1", ("lat", "lon")),
    ):
        p = patches(ds, target, window=5, lead=[1, 4], size=None if "site" in ds.dims else 2)
        labelled = p.to_labels(p.targets)
        assert set(labelled.dims) == {*places, "init_time", "lead_time"}
        assert (labelled.valid_time == labelled.init_time + labelled.lead_time).all()
        found = labelled.sel(init_time=ds.time[10]).isel(lead_time=1)
        expected = ds[target].isel(time=14).transpose(*places)
        there = found.notnull()
        assert there.sum() == (2 if "site" in ds.dims else 12)
        np.testing.assert_array_equal(found.transpose(*places).where(there), expected.where(there))


def test_the_embargo_covers_the_longest_lead():
    assert chronological(patches(random_sites(1, 200), TARGET, lead=[1, 14])).embargo == 15 + 14


@pytest.mark.parametrize(
    ("lead", "match"),
    [
        ([7, 1], "in growing order"),
        ([1, 1], "named once each"),
        ([], "named once each"),
        ([0, 1], "lead=0"),
        ("7", "text"),
    ],
)
def test_wrong_leads_are_refused(lead, match):
    with pytest.raises(ValueError, match=match):
        patches(random_sites(), TARGET, lead=lead)
