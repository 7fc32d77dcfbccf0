"""Events, classes and summary of one pass are those of three calls, in memory and from a store that was killed."""

from __future__ import annotations

import dask.array
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import xdrought as xd
from tests.support.event_checks import draw_records
from xdrought.events import drought_store, droughts

STEPS = ("recovery", "min_duration", "min_wet_run", "max_onset", "max_gap")


def three_calls(da, **options):
    censored = options.pop("censored", "keep")
    return (
        xd.flash_drought_events(da, censored=censored, **options),
        xd.drought_classes(da, **options),
        xd.drought_summary(da, **options),
    )


def require_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        xr.testing.assert_identical(one, other)
        assert one.dims == other.dims


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_one_pass_gives_what_three_calls_give(seed, in_chunks):
    records = draw_records(np.random.default_rng(seed), 4)
    options = {k: v * records.step if k in STEPS and v else v for k, v in records.options.items()}
    options |= {"is_percentile": records.is_percentile, "percentile_method": records.method}
    values = records.values.reshape(2, 2, -1)
    coords = {"time": records.time, "lat": [40.0, 50.0], "country": "nowhere", "height": ("lon", [1.0, 2.0])}
    da = xr.DataArray(values, coords, ("lat", "lon", "time"), "sm").transpose("lon", "time", "lat")
    da = da.chunk(lon=1, lat=2) if in_chunks else da
    require_same(xd.detect_droughts(da, **options), three_calls(da, **options))


@pytest.fixture
def soil():
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.standard_normal((5, 4, 500)), axis=-1).astype("float32")
    walk[1, 2, 100:103] = walk[0, 0, 300:340] = walk[3, 3] = np.nan
    coords = {"time": pd.date_range("2001-01-01", periods=500), "lat": np.arange(5.0), "lon": np.arange(4.0)}
    return xr.DataArray(walk, coords, ("lat", "lon", "time"), "sm", {"units": "mm"})


@pytest.mark.parametrize(
    "options",
    [
        {"definition": "yuan2019"},
        {"definition": "yuan2023"},
        {"definition": "osman2021"},
        {"reference": ("2001-01-01", "2001-12-31")},
        {"pool": "dayofyear", "window": 9},
        {"censored": "drop", "relapse": "merge"},
    ],
    ids=str,
)
def test_every_definition_and_reference(soil, options):
    require_same(xd.detect_droughts(soil, **options), three_calls(soil, **options))
    require_same(
        xd.detect_droughts(soil.isel(lat=0, lon=0), **options), three_calls(soil.isel(lat=0, lon=0), **options)
    )


def test_frozen_soil(soil):
    temperature = (soil * 0 + np.sin(np.arange(500) / 60) * 10).fillna(1).assign_attrs(units="degC")
    for frozen in ("flag", "mask", "ignore"):
        options = {"soil_temperature": temperature, "frozen": frozen}
        require_same(xd.detect_droughts(soil, **options), three_calls(soil, **options))


@pytest.mark.parametrize("chunks", [{"lat": 2, "lon": 3}, {"lon": 1}, {"lat": (1, 2, 2)}, {}], ids=str)
def test_a_store_holds_the_same(soil, chunks, tmp_path):
    options = {"soil_temperature": (soil * 0 + 3).assign_attrs(units="degC"), "reference": soil + 0.1}
    found = xd.detect_droughts(soil.chunk(chunks), path=tmp_path / "droughts.zarr", progress=False, **options)
    assert found.classes.chunks is not None
    events, classes, summary = (one.load() for one in found)
    expected = three_calls(soil, **options)
    order = np.lexsort((events.start_time, events.cell))
    for one, other in zip((events.isel(event=order), classes, summary), expected, strict=True):
        xr.testing.assert_equal(one, other)
    assert "detect_droughts" in events.attrs["history"]
    assert classes.attrs["history"] == summary.attrs["history"] == events.attrs["history"]
    with pytest.raises(FileExistsError, match="is complete"):
        xd.detect_droughts(soil.chunk(chunks), path=tmp_path / "droughts.zarr", **options)


def test_a_killed_run_goes_on(soil, tmp_path, monkeypatch):
    path, seen, write = tmp_path / "droughts.zarr", [], drought_store._write_band

    def killed(path, group, field, band):
        seen.append((group, band))
        if len(seen) == 6:  # the events of the third band are written, its summary is not
            raise KeyboardInterrupt
        write(path, group, field, band)

    monkeypatch.setattr(drought_store, "_write_band", killed)
    with pytest.raises(KeyboardInterrupt):
        xd.detect_droughts(soil.chunk(lat=1), path=path, progress=False)
    assert dict(zarr.open_group(path).attrs)["bands_written"] == 2
    with pytest.raises(FileExistsError, match="begun with another record or definition"):
        xd.detect_droughts(soil.chunk(lat=1), path=path, progress=False, upper=50)
    found = xd.detect_droughts(soil.chunk(lat=1), path=path, progress=False)
    assert [band["lat"].start for group, band in seen if group == "classes"] == [0, 1, 2, 2, 3, 4]
    for one, other in zip(found, three_calls(soil), strict=True):
        xr.testing.assert_equal(one.load(), other)


def test_a_folder_of_something_else_is_left_alone(soil, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="cannot be read as a zarr store"):
        xd.detect_droughts(soil, path=tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_each_block_is_read_once(soil):
    reads = []

    def block(block):
        reads.append(1)
        return block

    chunked = soil.chunk(lat=1).copy(
        data=dask.array.map_blocks(block, soil.chunk(lat=1).data, meta=np.empty((0,) * 3, "f4"))
    )
    xd.detect_droughts(chunked)
    assert len(reads) == 5


def test_names_of_the_caller_do_not_become_results(soil):
    named = soil.assign_coords(duration=("lat", np.arange(5.0)))
    with pytest.warns(UserWarning, match="series_duration"):
        found = xd.detect_droughts(named)
    assert "series_duration" in found.events.coords
    assert found._fields == droughts.Droughts._fields
