"""Kept forecasts: read instead of trained, equal to those trained anew, refused where they are of something else."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.towers import forced_soil
from xdrought.study import compare, keeping
from xdrought.study.keeping import plain

SMALL = {"variant": "Rec", "epochs": 1, "widths": (4, 4), "learning_rate": 1e-2, "device": "cpu", "progress": False}
TWO = {"near": {}, "narrow": {"widths": (2, 4)}}


@pytest.fixture(scope="module")
def soil() -> xr.Dataset:
    return forced_soil(n_site=2, n_time=420)


def compared(soil: xr.Dataset, folder, configurations=TWO, **changes) -> xr.Dataset:
    return compare(soil, "soil_moisture", configurations=configurations, runs=2, keep=folder, **{**SMALL, **changes})


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """Names of the variants that were trained."""
    seen: list[str] = []
    fit = keeping.fit_resattcaurec

    def spy(*args, **keywords):
        seen.append(keywords["variant"])
        return fit(*args, **keywords)

    monkeypatch.setattr(keeping, "fit_resattcaurec", spy)
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
    assert sorted(file.name for file in tmp_path.iterdir()) == ["narrow.nc", "near.nc"]


def test_a_configuration_that_was_stopped_in_training_goes_on_from_its_checkpoint(soil, tmp_path, monkeypatch):
    whole = compared(soil, None, {"near": {}})

    def stop(*args, **keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(keeping, "predict", stop)
        with pytest.raises(KeyboardInterrupt):
            compared(soil, tmp_path, {"near": {}})
    assert [file.name for file in tmp_path.iterdir()] == ["near.training"]
    xr.testing.assert_identical(compared(soil, tmp_path, {"near": {}}), whole)
    assert [file.name for file in tmp_path.iterdir()] == ["near.nc"]


def test_forecasts_of_other_settings_data_or_names_are_refused(soil, tmp_path):
    compared(soil, tmp_path, {"near": {}})
    with pytest.raises(ValueError, match=r".*near\.nc was made with learning_rate=0\.01, now 0\.02; call with"):
        compared(soil, tmp_path, {"near": {}}, learning_rate=0.02)
    other = soil.assign(tp=soil.tp + 1e-9)
    with pytest.raises(ValueError, match=r"near\.nc was made with data="):
        compared(other, tmp_path, {"near": {}})
    with pytest.raises(ValueError, match=r"ne_ar\.nc was made with name='ne ar', now 'ne_ar'"):
        compared(soil, tmp_path, {"ne ar": {}, "ne_ar": {}})


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
