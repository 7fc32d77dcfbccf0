"""The accessor: names become variables, and nothing else happens; nothing is kept."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import random_sites
from xdrought.accessor import XdroughtAccessor

METHODS = sorted(name for name in vars(XdroughtAccessor) if not name.startswith("_"))
ON_DATASET = {"patches", "fit_resattcaurec", "predict", "attributions"}
QUICK = {"window": 5, "lead": 2, "epochs": 1, "batch_size": 64, "device": "cpu", "progress": False, "widths": (4, 4)}


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Two sites, 400 days: soil moisture with falls, a wet year to rank against, cold soil, two drivers."""
    rng = np.random.default_rng(0)
    time = pd.date_range("2001-01-01", periods=400)
    moisture = 0.3 + 0.002 * np.cumsum(rng.standard_normal((2, 400)), axis=1)
    dims = ("site", "time")
    return xr.Dataset(
        {
            "soil_moisture": (dims, moisture, {"units": "m3 m-3"}),
            "wetter": (dims, moisture + 0.05, {"units": "m3 m-3"}),
            "stl1": (dims, np.where(rng.random((2, 400)) < 0.1, -1.0, 5.0), {"units": "degC"}),
            "t2m": (dims, 280 + 5 * rng.standard_normal((2, 400)), {"units": "K"}),
            "tp": (dims, 0.005 + 0.0005 * rng.standard_normal((2, 400)), {"units": "m"}),
            "summer": (dims, np.tile((time.month > 5) & (time.month < 9), (2, 1))),
        },
        {"site": ["A", "B"], "time": time},
    )


def by_name_and_by_array(ds: xr.Dataset) -> dict[str, list[tuple]]:
    """Calls of every method on variables: with names, and the same with arrays."""
    pair = ds[["t2m", "tp"]]
    return {
        "soil_moisture_percentile": [
            (("soil_moisture",), {}, (ds.soil_moisture,), {}),
            (("soil_moisture",), {"reference": "wetter"}, (ds.soil_moisture,), {"reference": ds.wetter}),
        ],
        "flash_drought_events": [
            (
                ("soil_moisture",),
                {"soil_temperature": "stl1", "min_duration": 5},
                (ds.soil_moisture,),
                {"soil_temperature": ds.stl1, "min_duration": 5},
            ),
            ((), {"soil_moisture": "soil_moisture", "relapse": "drop"}, (ds.soil_moisture,), {"relapse": "drop"}),
        ],
        "drought_classes": [
            (("soil_moisture",), {"reference": "wetter"}, (ds.soil_moisture,), {"reference": ds.wetter}),
            (("soil_moisture",), {"reference": ("2001-01-01", "2001-06-30")}, (ds.soil_moisture,),
             {"reference": ("2001-01-01", "2001-06-30")}),
        ],
        "drought_summary": [(("soil_moisture",), {"definition": "yuan2019"}, (ds.soil_moisture,),
                             {"definition": "yuan2019"})],
        "ccm": [
            (("t2m", "soil_moisture"), {}, (ds.t2m, ds.soil_moisture), {}),
            ((["t2m", "tp"], "soil_moisture"), {"tau": 2}, (pair, ds.soil_moisture), {"tau": 2}),
            (("t2m",), {"effect": "soil_moisture", "where": "summer"}, (ds.t2m, ds.soil_moisture),
             {"where": ds.summer}),
        ],
        "driver_gain": [
            ((["t2m", "tp"], "soil_moisture"), {"where": "summer"}, (pair, ds.soil_moisture), {"where": ds.summer}),
        ],
        "driver_contributions": [((["t2m", "tp"], "soil_moisture"), {}, (pair, ds.soil_moisture), {})],
        "causality_degree": [
            ((["t2m", "tp"], "soil_moisture"), {"train": ("2001", "2001")}, (pair, ds.soil_moisture),
             {"train": ("2001", "2001")}),
            ((("t2m", "tp"), "soil_moisture"), {"train": ("2001", "2001")}, (pair, ds.soil_moisture),
             {"train": ("2001", "2001")}),
        ],
        "choose_embedding": [(("soil_moisture",), {"max_dim": 3}, (ds.soil_moisture,), {"max_dim": 3})],
        "gccm": [((["t2m", "tp"], "soil_moisture"), {"lat": "site", "lon": "time", "embedding_dim": 1},
                  (pair, ds.soil_moisture), {"lat": "site", "lon": "time", "embedding_dim": 1})],
    }  # fmt: skip


def test_every_method_is_tried_here(ds):
    assert set(METHODS) == set(by_name_and_by_array(ds)) | ON_DATASET


@pytest.mark.parametrize("name", sorted(set(METHODS) - ON_DATASET))
def test_a_name_is_the_variable_of_that_name(ds, name):
    for names, settings, arrays, same_settings in by_name_and_by_array(ds)[name]:
        with unchanged(ds):
            by_name = getattr(ds.xdrought, name)(*names, **settings)
        by_array = getattr(ds.xdrought, name)(*arrays, **same_settings)
        xr.testing.assert_identical(by_name, getattr(xd, name)(*arrays, **same_settings))
        xr.testing.assert_identical(by_name, by_array)


def test_the_patches_are_those_of_the_function():
    sites = random_sites(2, 60, 2)
    mine = sites.xdrought.patches("soil_moisture", window=5, lead=2)
    other = xd.patches(sites, "soil_moisture", window=5, lead=2)
    assert len(mine) == len(other) > 0
    xr.testing.assert_identical(mine[3], other[3])


def test_training_and_forecast_are_those_of_the_functions():
    sites = random_sites(2, 120, 2)
    mine = sites.xdrought.fit_resattcaurec("soil_moisture", ["tp", "t2m"], variant="Rec", **QUICK)
    other = xd.fit_resattcaurec(sites, "soil_moisture", ["tp", "t2m"], variant="Rec", **QUICK)
    xr.testing.assert_identical(sites.xdrought.predict(mine, device="cpu"), xd.predict(sites, other, device="cpu"))
    few = {"n_background": 2, "n_draws": 4, "progress": False, "device": "cpu"}
    xr.testing.assert_identical(sites.xdrought.attributions(mine, **few), xd.attributions(sites, other, **few))


@pytest.mark.parametrize("name", METHODS)
def test_signature_and_help_are_those_of_the_function(name):
    method, function = getattr(XdroughtAccessor, name), getattr(xd, name)
    own = list(inspect.signature(method).parameters.values())
    of_function = list(inspect.signature(function).parameters.values())
    assert own[0].name == "self"
    assert own[1:] == (of_function[1:] if name in ON_DATASET else of_function)
    assert method.__name__ == name
    assert method.__doc__.startswith(inspect.getdoc(function).split("\n\n")[0])
    assert f":func:`xdrought.{name}`" in method.__doc__


def test_a_dask_dataset_stays_lazy(ds):
    with raise_if_dask_computes():
        lazy = ds.chunk(site=1).xdrought.drought_classes("soil_moisture")
    xr.testing.assert_identical(lazy.compute(), ds.xdrought.drought_classes("soil_moisture"))


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (KeyError, r"no variable \['swc'\] in the Dataset; it has soil_moisture, wetter",
         lambda ds: ds.xdrought.drought_classes("swc")),
        (KeyError, r"no variable \['tsoil'\]",
         lambda ds: ds.xdrought.flash_drought_events("soil_moisture", soil_temperature="tsoil")),
        (KeyError, r"no variable \['rain'\]", lambda ds: ds.xdrought.ccm(["t2m", "rain"], "soil_moisture")),
        (KeyError, r"no variable \['rain'\]",
         lambda ds: ds.xdrought.causality_degree(("t2m", "rain"), "soil_moisture", train=("2001", "2001"))),
        (TypeError, "missing a required argument: 'effect'", lambda ds: ds.xdrought.ccm("t2m")),
        (TypeError, "got an unexpected keyword argument 'lags'",
         lambda ds: ds.xdrought.ccm("t2m", "soil_moisture", lags=2)),
        (TypeError, "expected a DataArray, got Dataset",
         lambda ds: ds.xdrought.drought_classes(["soil_moisture"])),
        (TypeError, "expected a DataArray, got ndarray",
         lambda ds: ds.xdrought.drought_classes(ds.soil_moisture.values)),
        (TypeError, "expected a DataArray, got NoneType",
         lambda ds: ds.xdrought.drought_classes(None)),
    ],
)  # fmt: skip
def test_wrong_calls_say_what_is_there(ds, error, match, call):
    with pytest.raises(error, match=match):
        call(ds)


def test_nothing_is_kept_on_the_accessor(ds):
    ds = ds.copy()
    accessor = ds.xdrought
    accessor.drought_summary("soil_moisture")
    assert list(vars(accessor)) == ["_ds"]
    assert vars(accessor)["_ds"] is ds
    assert ds.xdrought is accessor  # xarray keeps it: what it held would outlive the next edit
    first = ds.xdrought.drought_classes("soil_moisture")
    ds["soil_moisture"] = ds.soil_moisture[:, ::-1].assign_coords(time=ds.time)
    assert not ds.xdrought.drought_classes("soil_moisture").equals(first)
