"""Cached results: read instead of made, equal to those made anew, and never taken for those of something else."""

from __future__ import annotations

import json
import logging
import re

import numpy as np
import pytest
import xarray as xr

from tests.support.towers import forced_soil
from xdrought.splits import SplitConfig
from xdrought.study import compare, result_cache
from xdrought.study.result_cache import ResultCache, plain

SMALL = {"variant": "Rec", "epochs": 1, "widths": (4, 4), "learning_rate": 1e-2, "device": "cpu", "progress": False}
TWO = {"near": {}, "narrow": {"widths": (2, 4)}}


@pytest.fixture(scope="module")
def soil() -> xr.Dataset:
    return forced_soil(n_site=2, n_time=420)


def compared(soil: xr.Dataset, folder, configurations=TWO, **changes) -> xr.Dataset:
    return compare(
        soil, "soil_moisture", configurations=configurations, runs=2, cache_dir=folder, **{**SMALL, **changes}
    )


def kinds(folder) -> list[str]:
    """Names of the files without the digests of their settings."""
    return sorted(re.sub(r"-[0-9a-f]{16}", "", file.name) for file in folder.iterdir())


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """Names of the variants that were trained."""
    seen: list[str] = []
    fit = result_cache.fit_resattcaurec

    def spy(*args, **keywords):
        seen.append(keywords["variant"])
        return fit(*args, **keywords)

    monkeypatch.setattr(result_cache, "fit_resattcaurec", spy)
    return seen


def test_a_stopped_comparison_goes_on_and_gives_the_same(soil, tmp_path, counted):
    whole = compared(soil, None)
    assert len(counted) == 2
    compared(soil, tmp_path, {"near": {}})
    assert len(counted) == 3
    resumed = compared(soil, tmp_path)
    assert len(counted) == 4  # only the one that was missing
    xr.testing.assert_identical(resumed, whole)
    xr.testing.assert_identical(compared(soil, tmp_path), whole)
    assert len(counted) == 4
    assert kinds(tmp_path) == ["narrow.json", "narrow.nc", "near.json", "near.nc"]


def test_a_configuration_that_was_stopped_in_training_goes_on_from_its_checkpoint(soil, tmp_path, monkeypatch):
    whole = compared(soil, None, {"near": {}})

    def stop(*args, **keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(result_cache, "predict", stop)
        with pytest.raises(KeyboardInterrupt):
            compared(soil, tmp_path, {"near": {}})
    assert {name.partition(".run")[0] for name in kinds(tmp_path)} == {"near.checkpoint"}
    xr.testing.assert_identical(compared(soil, tmp_path, {"near": {}}), whole)
    assert kinds(tmp_path) == ["near.json", "near.nc"]


def test_forecasts_of_other_settings_data_or_names_are_made_anew_and_stay_beside(soil, tmp_path, counted):
    first = compared(soil, tmp_path, {"near": {}})
    compared(soil, tmp_path, {"near": {}}, learning_rate=0.02)
    compared(soil.assign(tp=soil.tp + 1e-9), tmp_path, {"near": {}})
    assert len(counted) == 3
    compared(soil, tmp_path, {"ne ar": {}, "ne_ar": {}})
    assert len(counted) == 5  # two names that a file system could take for one
    xr.testing.assert_identical(compared(soil, tmp_path, {"near": {}}), first)
    assert len(counted) == 5


def test_what_does_not_change_the_forecast_may_differ(soil, tmp_path, counted):
    compared(soil, tmp_path, {"near": {}})
    compared(soil, tmp_path, {"near": {}}, progress=True, device="auto")
    assert len(counted) == 1


def test_settings_are_told_apart_by_what_they_hold():
    array = xr.DataArray([1.0, 2.0], {"x": [0, 1]}, name="a")
    assert plain(array) == plain(array.copy())
    assert plain(array) != plain(array + 1e-12)
    assert plain(array) != plain(array.assign_coords(x=[0, 2]))
    assert plain({"a": (np.int64(1), [np.float32(2)])}) == {"a": [1, [2.0]]}
    assert plain(None) is None
    split = SplitConfig("spatial_monte_carlo", clusters=array)
    assert plain(split)["clusters"] == plain(array)
    assert plain(split) != plain(SplitConfig("spatial_monte_carlo", clusters=array + 1))


def one() -> xr.Dataset:
    return xr.Dataset({"a": ("x", [1.0, 2.0])})


def test_a_dataset_is_made_once_and_anew_for_other_settings(tmp_path, caplog):
    made = []

    def make(checkpoint):
        made.append(checkpoint)
        return one()

    cache = ResultCache(tmp_path, {"data": 1})
    with caplog.at_level(logging.INFO, logger="xdrought"):
        for settings, times in (({"k": 1}, 1), ({"k": 1}, 1), ({"k": 2}, 2), ({"k": 2}, 2), ({"k": 1}, 2)):
            xr.testing.assert_identical(cache.dataset("thing", settings, make), one())
            assert len(made) == times
    assert [record.message.partition(":")[0] for record in caplog.records] == ["thing"] * 2
    ResultCache(tmp_path, {"data": 2}).dataset("thing", {"k": 2}, make)
    assert len(made) == 3
    assert ResultCache(None).dataset("thing", {}, make).identical(one())
    assert made[-1] is None


@pytest.mark.parametrize("damage", ["note gone", "note cut short", "note of others", "file gone"])
def test_what_is_not_whole_is_made_again(tmp_path, damage):
    cache = ResultCache(tmp_path)
    cache.dataset("thing", {}, lambda _: xr.Dataset({"a": 1.0}))
    (note,), (file,) = tmp_path.glob("*.json"), tmp_path.glob("*.nc")
    if damage == "note gone":
        note.unlink()
    elif damage == "note cut short":
        note.write_text('{"settings": {')
    elif damage == "note of others":
        note.write_text('{"settings": {"name": "other"}}')
    else:
        file.unlink()
    assert float(cache.dataset("thing", {}, lambda _: xr.Dataset({"a": 2.0})).a) == 2


def test_a_failure_keeps_nothing_half(tmp_path):
    def fail(checkpoint):
        raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        ResultCache(tmp_path).dataset("thing", {}, fail)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_the_cost_of_what_was_asked_for_is_added_up(tmp_path):
    first = ResultCache(tmp_path)
    first.dataset("thing", {}, lambda _: one())
    (note,) = tmp_path.glob("*.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"cpu_seconds": 7.5}))
    again = ResultCache(tmp_path)
    again.dataset("thing", {}, lambda _: one())
    assert again.cpu_seconds == 7.5
