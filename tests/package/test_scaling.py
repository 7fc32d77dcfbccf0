"""Scaling: the training part only, there and back."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from tests.support.towers import random_sites
from xdrought.scaling import fit_scaling


def test_by_hand():
    # of 2, 4, 6 the mean is 4 and the variance (4 + 0 + 4) / 3
    ds = xr.Dataset({"x": (("site", "time"), [[2.0, 4.0, np.nan, 600.0], [6.0, np.inf, np.nan, 0.0]])})
    train = xr.DataArray([True, True, True, False], dims="time")
    scaling = fit_scaling(ds, train=train)
    assert scaling.mean.sel(variable="x") == 4
    assert scaling.std.sel(variable="x") == pytest.approx(np.sqrt(8 / 3))


def test_there_and_back():
    ds = random_sites(2, 30, 3)
    with unchanged(ds):
        scaling = fit_scaling(ds, ["tp", "soil_moisture"])
        scaled = scaling.apply(ds)
    assert float(scaled.tp.mean()) == pytest.approx(0, abs=1e-12)
    assert float(scaled.tp.std()) == pytest.approx(1)
    assert scaled.tp.attrs["units"] == "1"
    xr.testing.assert_identical(scaled.t2m, ds.t2m)
    xr.testing.assert_allclose(scaling.invert(scaled.tp), ds.tp)
    xr.testing.assert_allclose(scaling.invert(scaled.tp.rename(None), "tp"), ds.tp)


def test_later_days_change_nothing():
    ds = random_sites(2, 30)
    train = xr.DataArray(np.arange(30) < 20, dims="time")
    changed = ds.where(train, 1e6)
    xr.testing.assert_identical(fit_scaling(ds, train=train).mean, fit_scaling(changed, train=train).mean)
    assert fit_scaling(changed).mean.sel(variable="tp") > 1e5


def test_float32_far_from_zero():
    pressure = (101_325 + np.arange(1000) % 10).astype("float32")
    scaling = fit_scaling(xr.Dataset({"sp": ("time", pressure)}))
    assert scaling.mean.item() == 101_329.5
    assert scaling.std.item() == pytest.approx(np.sqrt(99 / 12))


def test_constant_variables_are_shifted_and_named():
    ds = xr.Dataset({"x": ("time", np.full(50, 273.15, "float32")), "zero": ("time", np.zeros(50))})
    with pytest.warns(UserWarning, match=r"\['x', 'zero'\] are constant in the training part"):
        scaling = fit_scaling(ds)
    assert scaling.constant == ("x", "zero")
    assert (scaling.std == 1).all()
    np.testing.assert_allclose(scaling.apply(ds).x, 0)


def test_refusals():
    ds = random_sites(1, 30)
    with pytest.raises(ValueError, match="'tp' has no finite value in the training part"):
        fit_scaling(ds.assign(tp=ds.tp * np.nan), train=xr.DataArray(np.ones(30, bool), dims="time"))
    with pytest.raises(TypeError, match="train has dtype float64"):
        fit_scaling(ds, train=xr.DataArray(np.ones(30), dims="time"))
    with pytest.raises(KeyError, match="no statistics of 'wind'"):
        fit_scaling(ds).invert(ds.tp, "wind")


def test_blocks_have_the_statistics_of_the_whole():
    rng = np.random.default_rng(0)
    values = rng.normal(280, 5, (6, 50))
    values[2, 3:9], values[4, 0] = np.nan, np.inf
    ds = xr.Dataset({"t2m": (("site", "time"), values)})
    train = xr.DataArray(rng.random((6, 50)) < 0.7, dims=("site", "time"))
    whole, blocks = fit_scaling(ds, train=train), fit_scaling(ds.chunk(site=2, time=20), train=train)
    np.testing.assert_allclose(blocks.mean, whole.mean, rtol=1e-14)
    np.testing.assert_allclose(blocks.std, whole.std, rtol=1e-12)
    with pytest.raises(ValueError, match="'t2m' has no finite value in the training part"):
        fit_scaling(ds.chunk(site=1), train=xr.zeros_like(train))
