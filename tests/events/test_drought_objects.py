"""Space-time objects: does a plain flood fill find the same ones, whatever the chunks, the date line and the gaps?"""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import dask.array
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought import drought_classes
from xdrought.events import drought_objects
from xdrought.kernels.object_parts import label_days
from xdrought.statistics.sphere import EARTH_RADIUS

TIME = pd.date_range("2001-06-01", periods=40)


def grid(mask, *, world: bool = True) -> xr.DataArray:
    """A mask (time, lat, lon) with labels, around the world or a part of it."""
    mask = np.asarray(mask)
    n_time, n_lat, n_lon = mask.shape
    step = 360 / n_lon if world else 0.5
    lat = np.linspace(80, -80, n_lat) if n_lat > 1 else np.zeros(1)
    coords = {"time": TIME[:n_time], "lat": lat, "lon": np.arange(n_lon) * step}
    return xr.DataArray(mask, coords, ("time", "lat", "lon"), "drought_class")


def drawn(*days: str) -> xr.DataArray:
    """Days as pictures: rows after each other, # is dry."""
    return grid([[[c == "#" for c in row] for row in day.split()] for day in days], world=False)


# the slow reference: one cell after another


def flood(cells: set, neighbours) -> list[set]:
    """Connected sets of cells, in order of their first cells."""
    left, found = set(cells), []
    for seed in sorted(cells):
        if seed not in left:
            continue
        left.discard(seed)
        reached, waiting = {seed}, [seed]
        while waiting:
            for other in neighbours(waiting.pop()):
                if other in left:
                    left.discard(other)
                    reached.add(other)
                    waiting.append(other)
        found.append(reached)
    return found


def reference(mask: np.ndarray, full: bool, around: bool, area: np.ndarray) -> list[dict]:
    n_lon = mask.shape[2]
    steps = [s for s in product((-1, 0, 1), repeat=3) if any(s) and (full or sum(map(abs, s)) == 1)]

    def beside(cell, moves):
        for dt, di, dk in moves:
            t, i, k = cell[0] + dt, cell[1] + di, cell[2] + dk
            yield t, i, k % n_lon if around else k

    within_day = [s for s in steps if s[0] == 0]
    later = [s for s in steps if s[0] == 1]
    out = []
    for cells in flood({tuple(map(int, c)) for c in np.argwhere(mask)}, lambda c: beside(c, steps)):
        days = sorted({t for t, _, _ in cells})
        of_day = {t: [area[i, k] for s, i, k in sorted(cells) if s == t] for t in days}
        parts = flood(cells, lambda c: beside(c, within_day))
        home = {c: n for n, part in enumerate(parts) for c in part}
        children, parents, overlap = defaultdict(set), defaultdict(set), defaultdict(float)
        for c in sorted(cells):
            for move, other in zip(later, beside(c, later), strict=True):
                if other in cells:
                    children[home[c]].add(home[other])
                    parents[home[other]].add(home[c])
                    overlap[home[c], home[other]] += area[c[1:]] if move == (1, 0, 0) else 0
        out.append(
            {
                "cells": cells,
                "days": days,
                "area": [sum(of_day[t]) for t in days],
                "parts": [sum(min(p)[0] == t for p in parts) for t in days],
                "footprint": sum(area[i, k] for i, k in {c[1:] for c in cells}),
                "merges": sum(len(p) > 1 for p in parents.values()),
                "splits": sum(len(c) > 1 for c in children.values()),
                "overlap": sorted(overlap.values()),
            }
        )
    return out


def require_same(objects: xr.Dataset, expected: list[dict], shape: tuple) -> None:
    ids = np.zeros(shape, int)
    for number, one in enumerate(expected, start=1):
        for cell in one["cells"]:
            ids[cell] = number
    np.testing.assert_array_equal(objects.object_id, ids)
    assert objects.object_id.dtype == np.int32
    assert objects.object.values.tolist() == list(range(1, len(expected) + 1))
    for name, key in (("merge_count", "merges"), ("split_count", "splits")):
        assert objects[name].values.tolist() == [one[key] for one in expected]
    np.testing.assert_allclose(objects.footprint_area, [one["footprint"] for one in expected])
    for number, one in enumerate(expected, start=1):
        track = objects.isel(object_day=objects.day_object == number)
        assert track.day_time.values.tolist() == TIME[one["days"]].values.astype(track.day_time.dtype).tolist()
        np.testing.assert_allclose(track.day_area, one["area"])
        assert track.day_parts.values.tolist() == one["parts"]
        links = objects.part_object.values[objects.parent_part.values] == number
        np.testing.assert_allclose(sorted(objects.overlap_area.values[links]), one["overlap"])


masks = st.tuples(
    st.integers(1, 7), st.integers(1, 5), st.integers(1, 7), st.floats(0.05, 0.9), st.integers(0, 2**32 - 1)
).map(lambda d: np.random.default_rng(d[4]).random(d[:3]) < d[3])


@settings(deadline=None, max_examples=60)
@given(masks, st.sampled_from(["full", "face"]), st.booleans(), st.data())
def test_a_flood_fill_finds_the_same_objects_whatever_the_chunks(mask, connectivity, around, data):
    area = 1.0 + np.arange(mask[0].size).reshape(mask[0].shape)
    da = grid(mask)
    cell_area = da[0].drop_vars("time").copy(data=area).assign_attrs(units="km2")
    options = {"connectivity": connectivity, "periodic": around, "cell_area": cell_area}
    expected = reference(mask, connectivity == "full", around, area)
    eager = drought_objects(da, **options)
    require_same(eager, expected, mask.shape)
    chunks = {d: data.draw(st.integers(1, n)) for d, n in da.sizes.items()}
    lazy = drought_objects(da.chunk(chunks), **options)
    assert isinstance(lazy.object_id.data, dask.array.Array)
    xr.testing.assert_identical(lazy.compute(), eager)


def test_the_reference_sees_what_it_must():
    corner = np.zeros((2, 2, 4), bool)
    corner[0, 0, 0] = corner[1, 1, 1] = corner[1, 1, 3] = True
    area = np.ones((2, 4))
    assert [len(reference(corner, *how, area)) for how in [(True, True), (True, False), (False, True)]] == [1, 2, 3]


@given(masks, st.booleans())
@settings(deadline=None, max_examples=30)
def test_the_world_may_be_turned(mask, full):
    """Where a periodic grid begins does not change how many objects there are, nor how large they are."""
    options = {"connectivity": "full" if full else "face"}
    da = grid(mask)
    turned = drought_objects(da.roll(lon=mask.shape[2] // 2, roll_coords=True), **options)
    found = drought_objects(da, **options)
    np.testing.assert_allclose(np.sort(turned.area_days), np.sort(found.area_days))


def test_eager_days_are_worked_on_in_blocks(monkeypatch: pytest.MonkeyPatch):
    mask = grid(np.random.default_rng(0).random((40, 6, 8)) < 0.3)
    once = drought_objects(mask)
    monkeypatch.setattr("xdrought.events.objects._CELLS_AT_ONCE", 3 * 48)
    xr.testing.assert_identical(drought_objects(mask), once)


# by pencil


def test_two_parts_merge_and_one_splits():
    objects = drought_objects(
        drawn("#..# ....", "##.# ....", "#### ....", "#..# ....", "#... ...."), cell_area=one_km2(2, 4)
    )
    assert objects.sizes["object"] == 1
    one = objects.isel(object=0)
    assert [int(one.merge_count), int(one.split_count), int(one.duration)] == [1, 1, 5]
    assert objects.day_area.values.tolist() == [2, 3, 4, 2, 1]
    assert objects.day_parts.values.tolist() == [2, 2, 1, 2, 1]
    assert objects.part_area.values.tolist() == [1, 1, 2, 1, 4, 1, 1, 1]
    pairs = list(zip(objects.parent_part.values.tolist(), objects.child_part.values.tolist(), strict=True))
    assert pairs == [(0, 2), (1, 3), (2, 4), (3, 4), (4, 5), (4, 6), (5, 7)]
    assert objects.overlap_area.values.tolist() == [1, 1, 2, 1, 1, 1, 1]
    assert [float(one.max_area), float(one.footprint_area), float(one.area_days)] == [4, 4, 12]
    assert float(one.spread_rate) == 1.0  # from 2 to 4 km2 in two days
    assert one.max_area_time == objects.time[2]
    assert bool(one.is_censored)


def one_km2(n_lat: int, n_lon: int) -> xr.DataArray:
    place = grid(np.ones((1, n_lat, n_lon)), world=False)[0].drop_vars("time")
    return place.assign_attrs(units="km2")


def test_a_corner_joins_only_when_it_may():
    mask = drawn("#.. ... ...", "... .#. ...", "... ... ..#")
    assert drought_objects(mask).sizes["object"] == 1
    assert drought_objects(mask, connectivity="face").sizes["object"] == 3
    assert drought_objects(mask).overlap_area.values.tolist() == [0, 0]  # they touch and share nothing


def test_a_step_that_only_touches_in_time_is_no_overlap_for_faces():
    mask = drawn("#.", ".#")
    assert drought_objects(mask, connectivity="face").sizes["object"] == 2


def test_the_track_follows_the_centroid_over_the_date_line():
    mask = np.zeros((3, 3, 36), bool)
    mask[0, 1, 17], mask[1, 1, 17:19], mask[2, 1, 18:20] = True, True, True
    da = grid(mask).assign_coords(lon=np.arange(36) * 10.0)
    west = drought_objects(da)  # cells at 170, 180 and 190 E
    np.testing.assert_allclose(west.day_lon, [170, 175, -175])
    signed = da.assign_coords(lon=(da.lon + 180) % 360 - 180).sortby("lon")
    east = drought_objects(signed)
    assert east.sizes["object"] == 1
    np.testing.assert_allclose(east.day_lon, [170, 175, -175])
    np.testing.assert_allclose(west.day_lat, 0, atol=1e-9)


def test_the_centroid_is_on_the_sphere():
    """Two equal cells at 60 N, 90 degrees apart: the middle of the great circle is north of 60 N."""
    mask = np.zeros((1, 3, 4), bool)
    mask[0, 0, [0, 1]] = True
    da = grid(mask).assign_coords(lat=[60.0, 0.0, -60.0])
    objects = drought_objects(da)
    assert float(objects.day_lon[0]) == pytest.approx(45)
    assert float(objects.day_lat[0]) == pytest.approx(np.rad2deg(np.arctan(np.tan(np.pi / 3) / np.cos(np.pi / 4))))


def test_a_ring_around_a_pole_has_its_centroid_there_and_the_whole_world_has_none():
    ring = np.zeros((1, 3, 8), bool)
    ring[0, 0] = True
    assert float(drought_objects(grid(ring)).day_lat[0]) == pytest.approx(90)
    assert np.isnan(drought_objects(grid(np.ones((1, 4, 8), bool))).day_lat[0])


@pytest.mark.parametrize("lat", [np.linspace(90, -90, 7), np.linspace(-75, 75, 6)])
def test_areas_are_those_of_the_sphere(lat):
    da = grid(np.ones((1, lat.size, 12), bool)).assign_coords(lat=lat)
    whole = drought_objects(da)
    assert float(whole.max_area[0]) == pytest.approx(4 * np.pi * EARTH_RADIUS**2)  # poles included, none twice


def test_cells_are_as_large_as_the_cosine_says():
    one = np.zeros((1, 3, 360), bool)
    one[0, 0, 5] = True
    objects = drought_objects(grid(one).assign_coords(lat=[60.5, 59.5, 58.5]))
    expected = EARTH_RADIUS**2 * np.deg2rad(1) ** 2 * np.cos(np.deg2rad(60.5))
    assert float(objects.max_area[0]) == pytest.approx(expected, rel=1e-4)


def test_no_object_goes_over_a_pole():
    mask = np.zeros((1, 3, 8), bool)
    mask[0, 0, [0, 4]] = True
    assert drought_objects(grid(mask)).sizes["object"] == 2


def test_small_and_short_objects_are_left_out_and_the_rest_numbered_again():
    mask = drawn("#.##. .....", "..##. .....", "....# ....#")
    everything = drought_objects(mask, connectivity="face", cell_area=one_km2(2, 5))
    assert everything.max_area.values.tolist() == [1, 2, 2]
    large = drought_objects(mask, connectivity="face", cell_area=one_km2(2, 5), min_area=2)
    assert large.object.values.tolist() == [1, 2]
    assert large.object_id[0].values.tolist() == [[0, 0, 1, 1, 0], [0, 0, 0, 0, 0]]
    long = drought_objects(mask, connectivity="face", min_duration=2)
    assert long.duration.values.tolist() == [2]
    assert long.part_object.values.tolist() == [1, 1]
    assert drought_objects(mask, min_duration=9).sizes["object"] == 0


def test_intensity_peaks_and_means():
    mask = drawn("##", "#.")
    values = mask.copy(data=[[[1.0, 4.0]], [[np.nan, 9.0]]])
    objects = drought_objects(mask, intensity=values, cell_area=one_km2(1, 2))
    assert objects.peak_intensity.values.tolist() == [4]  # the 9 is outside
    np.testing.assert_array_equal(objects.day_intensity, [2.5, np.nan])
    assert objects.mean_intensity.values.tolist() == [2.5]
    lazy = drought_objects(mask.chunk(time=1), intensity=values.chunk(lon=1), cell_area=one_km2(1, 2))
    xr.testing.assert_identical(lazy.compute(), objects)
    assert drought_objects(mask, intensity=values * np.nan).peak_intensity.isnull().all()


def test_classes_missing_days_and_float_masks():
    classes = grid(np.array([[[3, 4, -1, 2, 0]], [[-1, 4, 4, 1, 4]]], np.int8), world=False)
    flash = drought_objects(classes)
    assert flash.object_id.values.tolist() == [[[1, 1, -1, 0, 0]], [[-1, 1, 1, 0, 2]]]
    assert flash.attrs["kinds"] == "flash_onset flash_condition"
    from_file = classes.where(classes >= 0)  # NaN, as a fill value is read
    xr.testing.assert_identical(drought_objects(from_file), flash)
    assert drought_objects(classes, kinds="normal_condition").object_id.values.tolist()[0] == [[0, 0, -1, 1, 0]]
    assert drought_objects(classes, kinds="missing").object_id.values.tolist() == [[[0, 0, 1, 0, 0]], [[2, 0, 0, 0, 0]]]
    lazy = drought_objects(classes.chunk(time=1))
    xr.testing.assert_identical(lazy.compute(), flash)


def test_a_gap_beside_an_object_censors_it():
    """Five days of one cell: dry on days 1 and 2; a gap elsewhere, before, after, or none."""
    for missing, expected in (((), False), ((0,), True), ((3,), True), ((4,), False)):
        days = np.array([0, 4, 4, 0, 0], np.int8)
        days[list(missing)] = -1
        classes = grid(np.stack([days, [-1, -1, 0, 0, 0]], axis=-1)[:, None, :].astype(np.int8), world=False)
        found = drought_objects(classes)
        assert found.is_censored.values.tolist() == [expected]
        xr.testing.assert_identical(drought_objects(classes.chunk(time=1)).compute(), found)
        assert drought_objects(classes == 4).is_censored.values.tolist() == [False]


def test_nothing_dry_is_no_object():
    objects = drought_objects(grid(np.zeros((3, 2, 4), bool)))
    assert [objects.sizes[d] for d in ("object", "object_day", "part", "link")] == [0, 0, 0, 0]
    assert not objects.object_id.any()


def test_objects_of_the_classes_of_a_grid(tmp_path):
    walk = np.cumsum(np.random.default_rng(3).standard_normal((400, 1, 1)), axis=0)
    noise = np.random.default_rng(4).standard_normal((400, 5, 6))
    coords = {"time": pd.date_range("2001-01-01", periods=400), "lat": np.arange(5.0), "lon": np.arange(6.0)}
    soil = xr.DataArray(walk + noise, coords, ("time", "lat", "lon"))
    classes = drought_classes(soil)
    lazy = drought_classes(soil.chunk(lat=2, lon=3))
    found = drought_objects(classes)
    assert found.sizes["object"] > 0
    xr.testing.assert_identical(drought_objects(lazy).compute(), found)
    found.to_netcdf(tmp_path / "objects.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "objects.nc", engine="h5netcdf") as again:
        xr.testing.assert_equal(again.load(), found)


def test_the_lazy_part_stays_lazy_and_the_input_is_not_changed():
    classes = grid(np.random.default_rng(1).random((6, 3, 8)) < 0.4)
    with unchanged(classes):
        drought_objects(classes)
    objects = drought_objects(classes.chunk(time=2))
    with raise_if_dask_computes():
        objects.isel(time=slice(2, 4)).object_id + 1
    shuffled = drought_objects(classes.transpose("lon", "time", "lat"))
    xr.testing.assert_identical(shuffled, drought_objects(classes))


def test_other_calendars_and_pentads():
    mask = drawn("#.", "#.", "##")
    noleap = xr.date_range("2001-02-27", periods=3, calendar="noleap", use_cftime=True)
    objects = drought_objects(mask.assign_coords(time=noleap))
    assert objects.end_time.values[0] == noleap[2]
    pentads = drought_objects(mask.assign_coords(time=pd.date_range("2001-01-01", periods=3, freq="5D")))
    assert pentads.duration.values.tolist() == [15]


def test_parts_are_numbered_by_their_day_alone():
    mask = np.random.default_rng(2).random((8, 6, 9)) < 0.4
    labels, count = label_days(mask, True, True)
    for day in range(8):
        alone, n = label_days(mask[day : day + 1], True, True)
        np.testing.assert_array_equal(labels[day], alone[0])
        assert n[0] == count[day] == labels[day].max()


# what is refused

CLASSES = grid(np.random.default_rng(5).random((4, 3, 8)) < 0.4)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda c: c.isel(lat=0), {}, r"objects live on \('time', 'lat', 'lon'\)"),
        (lambda c: c.expand_dims(definition=2), {}, r'choose along the others, e.g. .sel\(definition="tang2025"\)'),
        (lambda c: c.drop_vars("lat"), {}, "dimension 'lat' has no coordinate"),
        (lambda c: c.isel(time=slice(0, 0)), {}, "dimension 'time' has no step"),
        (lambda c: c.isel(time=[0, 2, 3]), {}, "missing steps"),
        (
            lambda c: c,
            {"connectivity": "corner"},
            r"connectivity='corner' is unknown; choose one of \['full', 'face'\]",
        ),
        (lambda c: c.astype("int8"), {"kinds": ["dry"]}, r"kinds=\('dry',\) names no or unknown classes"),
        (lambda c: c.astype("int8"), {"kinds": []}, r"kinds=\(\) names no or unknown classes"),
        (lambda c: c.isel(lon=[0, 1, 3]), {}, r"longitudes go from 0 to 135 in steps of 45 to 90 degrees"),
        (
            lambda c: c,
            {"cell_area": (CLASSES[0, 0] * 1.0).assign_attrs(units="km2")},
            "the area of cells depends on 'lat'",
        ),
        (lambda c: c.isel(lon=[*range(8), 0]), {}, "twice along 'lon'; keep one of each"),
        (lambda c: c.isel(lat=[0, 2, 1]), {}, "latitudes are not in order between -90 and 90 degrees"),
        (lambda c: c, {"cell_area": CLASSES[0] * 1.0}, "has no units; expected something that converts to 'km2'"),
        (lambda c: c, {"cell_area": one_km2(3, 4)}, "cell_area (lacks|has) .*along"),
        (lambda c: c, {"cell_area": (CLASSES[0] * -1.0 - 1).assign_attrs(units="m2")}, "cell_area is negative or miss"),
        (lambda c: c, {"intensity": CLASSES[0] * 1.0}, r"intensity lacks the dimension\(s\) \['time'\]; it must be on"),
        (lambda c: c, {"intensity": CLASSES[:2] * 1.0}, "intensity lacks 2 of the record's 4 labels along 'time'"),
    ],
)
def test_what_makes_no_objects_is_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        drought_objects(change(CLASSES), **options)


def test_only_classes_in_arrays_are_taken():
    with pytest.raises(TypeError, match="classes must be a DataArray, got ndarray"):
        drought_objects(CLASSES.values)
    with pytest.raises(TypeError, match="expected classes from drought_classes or True and False"):
        drought_objects(CLASSES.astype(str))
