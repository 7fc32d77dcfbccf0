"""Stores of results: equal to what was computed, written once, carried on after an interruption."""

from __future__ import annotations

import cf_xarray  # noqa: F401  registers .cf
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.towers import random_grid
from xdrought import detect_droughts, drought_classes, drought_summary, write_zarr


@pytest.fixture
def lazy() -> xr.Dataset:
    soil = random_grid(7, 6, 120).swvl1.chunk(lat=2, lon=3)
    ds = drought_classes(soil).to_dataset()
    return ds.assign(drought_summary(soil)).assign_coords(height=("lat", np.arange(7.0)), late=ds.lon.chunk(lon=3) * 2)


def opened(path) -> xr.Dataset:
    return xr.open_zarr(path, consolidated=False).load()


def test_the_store_holds_the_result_its_chunks_and_attributes(lazy, tmp_path):
    path = write_zarr(lazy, tmp_path / "it.zarr")
    found = opened(path)
    xr.testing.assert_identical(found, lazy.compute())
    stored = xr.open_zarr(path, consolidated=False)
    assert all(stored[name].chunks == lazy[name].chunks for name in lazy.data_vars)
    assert (path / "zarr.json").is_file()


@pytest.mark.parametrize("chunks", [{}, {"lat": (3, 1, 3)}, {"time": 50}, {"lon": (1, 5)}], ids=str)
def test_any_chunks_can_be_written(lazy, tmp_path, chunks):
    given = lazy.compute().chunk(chunks)
    xr.testing.assert_identical(opened(write_zarr(given, tmp_path / "it.zarr")), given.compute())
    one = given.event_count.rename(None)
    xr.testing.assert_identical(opened(write_zarr(one, tmp_path / "one.zarr")).result, one.compute().rename("result"))


def test_the_record_of_an_array_is_that_of_the_store(tmp_path):
    classes = drought_classes(random_grid(3, 2, 60).swvl1.chunk(lat=1))
    stored = opened(write_zarr(classes, tmp_path / "classes.zarr"))
    assert stored.attrs["history"] == classes.attrs["history"]
    assert "history" not in stored.drought_class.attrs


def test_an_interrupted_run_is_carried_on_and_nothing_is_computed_twice(tmp_path):
    computed, allowed = [], 3

    def block(values, block_info=None):
        row = block_info[0]["chunk-location"][0]
        if len(computed) == allowed:
            raise KeyboardInterrupt
        computed.append(row)
        return values + row

    values = xr.DataArray(np.zeros((10, 4)), {"site": list("abcdefghij")}, ("site", "time")).chunk(site=2)
    lazy = values.copy(data=values.data.map_blocks(block, dtype=float)).to_dataset(name="it")
    with pytest.raises(KeyboardInterrupt):
        write_zarr(lazy, tmp_path / "it.zarr")
    begun = xr.open_zarr(tmp_path / "it.zarr", consolidated=False)
    assert (begun.attrs["regions_written"], begun.attrs["regions_of_the_result"]) == (3, 5)
    allowed = 99
    found = opened(write_zarr(lazy, tmp_path / "it.zarr"))
    assert computed == [0, 1, 2, 3, 4]
    assert found.attrs == {}
    np.testing.assert_array_equal(found.it, np.repeat(np.arange(5.0), 2)[:, None] * np.ones(4))


def test_another_result_and_a_complete_store_are_not_touched_unless_asked(lazy, tmp_path):
    path = write_zarr(lazy, tmp_path / "it.zarr")
    for other, words in ((lazy, "is complete"), (lazy.isel(lat=slice(3)), "is complete")):
        with pytest.raises(FileExistsError, match=f"{words}; use overwrite=True"):
            write_zarr(other, path)
    xr.testing.assert_identical(opened(write_zarr(lazy.isel(lat=slice(3)), path, overwrite=True)).lat, lazy.lat[:3])
    text = tmp_path / "text.zarr"
    text.write_text("not a store")
    with pytest.raises(FileExistsError, match="cannot be read as a zarr store; use overwrite=True"):
        write_zarr(lazy, text)
    xr.testing.assert_identical(opened(write_zarr(lazy, text, overwrite=True)), lazy.compute())


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.assign_coords(lat=ds.lat + 1),
        lambda ds: ds.assign_attrs(definition="another"),
        lambda ds: ds.assign(drought_class=ds.drought_class.assign_attrs(upper=35.0)),
        lambda ds: ds.astype("float64"),
        lambda ds: ds.chunk(lat=3),
        lambda ds: ds.rename(event_count="number"),
        lambda ds: ds.isel(lon=slice(3)),
    ],
)
def test_a_store_begun_with_another_result_is_not_carried_on(lazy, tmp_path, monkeypatch, change):
    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("xdrought.stores._write_rows", stop)
        with pytest.raises(KeyboardInterrupt):
            write_zarr(lazy, tmp_path / "it.zarr")
    with pytest.raises(FileExistsError, match="was begun with another result; use overwrite=True"):
        write_zarr(change(lazy), tmp_path / "it.zarr")
    xr.testing.assert_identical(opened(write_zarr(lazy, tmp_path / "it.zarr")), lazy.compute())


def test_a_forecast_of_several_leads_is_carried_on(tmp_path, monkeypatch):
    days, leads = pd.date_range("2001-01-01", periods=6), pd.to_timedelta([1, 7], unit="D")
    coords = {"site": list("abcd"), "init_time": days, "lead_time": leads}
    values = xr.DataArray(np.random.default_rng(0).random((4, 6, 2)), coords, ("site", "init_time", "lead_time"))
    flags = {"flag_values": np.arange(2, dtype="int8"), "flag_meanings": "no yes"}
    forecast = xr.Dataset(
        {"soil_moisture": values.assign_attrs(units="m3 m-3")}, attrs={"leads": [1, 7]}
    ).assign_coords(
        valid_time=(("init_time", "lead_time"), days.values[:, None] + leads.values),
        part=(("site", "init_time"), np.ones((4, 6), "int8"), flags),
    )
    lazy = forecast.chunk(site=1)

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("xdrought.stores._write_rows", stop)
        with pytest.raises(KeyboardInterrupt):
            write_zarr(lazy, tmp_path / "it.zarr")
    found = opened(write_zarr(lazy, tmp_path / "it.zarr"))
    xr.testing.assert_equal(found, forecast)
    assert found.attrs == {"leads": [1, 7]}


def projected() -> xr.DataArray:
    """Soil moisture on a grid whose variables name its projection, as CF files do."""
    mapping = ((), 0, {"grid_mapping_name": "latitude_longitude", "semi_major_axis": 6378137.0})
    soil = random_grid(4, 3, 400).swvl1.assign_coords(spatial_ref=mapping)
    soil.encoding |= {"grid_mapping": "spatial_ref", "scale_factor": 2.0, "dtype": "int16"}
    return soil.chunk(lat=2)


def test_the_grid_mapping_is_in_the_store_and_other_encodings_are_not(tmp_path, monkeypatch):
    classes, soil = drought_classes(projected()), projected()
    assert classes.encoding["grid_mapping"] == "spatial_ref"
    with monkeypatch.context() as patched:  # begun, and carried on
        patched.setattr("xdrought.stores._write_rows", lambda *args: None)
        write_zarr(classes, tmp_path / "classes.zarr")
    for given in (classes, soil):
        path = write_zarr(given, tmp_path / f"{'soil' if given is soil else 'classes'}.zarr")
        stored = xr.open_zarr(path, consolidated=False, decode_coords="all")
        assert stored[given.name].encoding["grid_mapping"] == "spatial_ref"
        assert "scale_factor" not in stored[given.name].encoding
        assert stored[given.name].cf["grid_mapping"].attrs["grid_mapping_name"] == "latitude_longitude"
        np.testing.assert_array_equal(stored[given.name], given)
        raw = xr.open_zarr(path, consolidated=False, decode_cf=False)
        assert raw[given.name].attrs["grid_mapping"] == "spatial_ref"
    dangling = soil.drop_vars("spatial_ref")
    stored = xr.open_zarr(write_zarr(dangling, tmp_path / "d.zarr"), consolidated=False)
    assert "grid_mapping" not in stored.swvl1.attrs


def test_droughts_written_band_by_band_keep_the_grid_mapping(tmp_path):
    soil = projected()
    detect_droughts(soil, path=tmp_path / "droughts.zarr")
    whole = detect_droughts(soil)
    for group, names in {"classes": ["drought_class"], "summary": list(whole.summary.data_vars)}.items():
        stored = xr.open_zarr(tmp_path / "droughts.zarr", group=group, consolidated=False, decode_coords="all")
        assert stored.spatial_ref.attrs["grid_mapping_name"] == "latitude_longitude"
        assert {stored[name].encoding.get("grid_mapping") for name in names} == {"spatial_ref"}
    np.testing.assert_array_equal(stored.event_count, whole.summary.event_count)
