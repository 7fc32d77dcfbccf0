"""The accessor: names become variables, and nothing else happens; nothing is kept."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import forced_soil, random_sites
from xdrought.accessor import XdroughtAccessor

METHODS = sorted(name for name in vars(XdroughtAccessor) if not name.startswith("_"))
ON_DATASET = {"patches", "fit_resattcaurec", "predict", "fit_onset", "predict_onset", "attributions"}
BESIDE_DATASET = {"event_drivers": "ds"}  # what the Dataset is called where it is not the first argument
TABLES_AND_OBJECTS = {"start_monitor", "verify", "compare_models", "drought_objects"}  # results with tests of their own
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
            (
                ("soil_moisture",),
                {"reference": ("2001-01-01", "2001-06-30")},
                (ds.soil_moisture,),
                {"reference": ("2001-01-01", "2001-06-30")},
            ),
        ],
        "drought_summary": [
            (("soil_moisture",), {"definition": "yuan2019"}, (ds.soil_moisture,), {"definition": "yuan2019"})
        ],
        "detect_droughts": [
            (("soil_moisture",), {"reference": "wetter"}, (ds.soil_moisture,), {"reference": ds.wetter})
        ],
        "event_uncertainty": [
            (
                ("soil_moisture",),
                {"reference": "wetter", "n_boot": 2},
                (ds.soil_moisture,),
                {"reference": ds.wetter, "n_boot": 2},
            )
        ],
        "ccm": [
            (("t2m", "soil_moisture"), {}, (ds.t2m, ds.soil_moisture), {}),
            ((["t2m", "tp"], "soil_moisture"), {"tau": 2}, (pair, ds.soil_moisture), {"tau": 2}),
            (
                ("t2m",),
                {"effect": "soil_moisture", "where": "summer"},
                (ds.t2m, ds.soil_moisture),
                {"where": ds.summer},
            ),
        ],
        "driver_gain": [
            ((["t2m", "tp"], "soil_moisture"), {"where": "summer"}, (pair, ds.soil_moisture), {"where": ds.summer}),
        ],
        "driver_contributions": [((["t2m", "tp"], "soil_moisture"), {}, (pair, ds.soil_moisture), {})],
        "causality_degree": [
            (
                (["t2m", "tp"], "soil_moisture"),
                {"train": ("2001", "2001")},
                (pair, ds.soil_moisture),
                {"train": ("2001", "2001")},
            ),
            (
                (("t2m", "tp"), "soil_moisture"),
                {"train": ("2001", "2001")},
                (pair, ds.soil_moisture),
                {"train": ("2001", "2001")},
            ),
        ],
        "choose_embedding": [(("soil_moisture",), {"max_dim": 3}, (ds.soil_moisture,), {"max_dim": 3})],
        "drought_state": [
            (
                ("soil_moisture",),
                {"train": "summer", "min_duration": 5},
                (ds.soil_moisture,),
                {"train": ds.summer, "min_duration": 5},
            )
        ],
        "onset_days": [
            (
                ("soil_moisture",),
                {"train": ("2001-01-01", "2001-06-30")},
                (ds.soil_moisture,),
                {"train": ("2001-01-01", "2001-06-30")},
            )
        ],
        "onset_label": [
            (("soil_moisture",), {"lead": 3, "train": "summer"}, (ds.soil_moisture,), {"lead": 3, "train": ds.summer})
        ],
        "gccm": [
            (
                (["t2m", "tp"], "soil_moisture"),
                {"lat": "site", "lon": "time", "embedding_dim": 1},
                (pair, ds.soil_moisture),
                {"lat": "site", "lon": "time", "embedding_dim": 1},
            )
        ],
    }


def test_every_method_is_tried_here(ds):
    assert set(METHODS) == set(by_name_and_by_array(ds)) | ON_DATASET | set(BESIDE_DATASET) | TABLES_AND_OBJECTS


@pytest.mark.parametrize("name", sorted(set(METHODS) - ON_DATASET - set(BESIDE_DATASET) - TABLES_AND_OBJECTS))
def test_a_name_is_the_variable_of_that_name(ds, name):
    for names, settings, arrays, same_settings in by_name_and_by_array(ds)[name]:
        with unchanged(ds):
            by_name = getattr(ds.xdrought, name)(*names, **settings)
        by_array = getattr(ds.xdrought, name)(*arrays, **same_settings)
        by_function = getattr(xd, name)(*arrays, **same_settings)
        for one, *others in zip(*map(parts_of, (by_name, by_array, by_function)), strict=True):
            for other in others:
                xr.testing.assert_identical(one, other)


def test_a_misspelt_method_is_told_what_was_meant(ds):
    with pytest.raises(AttributeError, match="ds.xdrought has no method 'flash_drought_event'.*flash_drought_events"):
        ds.xdrought.flash_drought_event("soil_moisture")


def parts_of(result) -> tuple:
    return result if isinstance(result, tuple) else (result,)


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


def test_scores_and_differences_are_those_of_the_functions(ds):
    ds = ds.assign(guess=ds.soil_moisture.shift(time=1).assign_attrs(ds.soil_moisture.attrs))
    how = {"lead": 1, "n_boot": 5, "train": ("2001-01-01", "2001-06-30")}
    xr.testing.assert_identical(
        ds.xdrought.verify("guess", "soil_moisture", **how), xd.verify(ds.guess, ds.soil_moisture, **how)
    )
    mine = ds.xdrought.compare_models(ds.guess, "soil_moisture", **how)
    pd.testing.assert_frame_equal(mine, xd.compare_models(ds.guess, ds.soil_moisture, **how))


def test_objects_and_the_monitor_are_those_of_the_functions(ds):
    days = pd.date_range("2001-07-01", periods=20)
    coords = {"time": days, "lat": [50.0, 49.0], "lon": [10.0, 11.0, 12.0]}
    dry = xr.DataArray(np.random.default_rng(0).random((20, 2, 3)) < 0.3, coords, ("time", "lat", "lon"))
    depth = dry * 2.0
    grid = xr.Dataset({"dry": dry, "depth": depth})
    xr.testing.assert_identical(
        grid.xdrought.drought_objects("dry", intensity="depth"), xd.drought_objects(dry, intensity=depth)
    )
    mine, other = (
        ds.xdrought.start_monitor("soil_moisture", reference="wetter"),
        xd.start_monitor(ds.soil_moisture, reference=ds.wetter),
    )
    xr.testing.assert_identical(mine.events(), other.events())


def test_drivers_of_events_are_those_of_the_function():
    sites = forced_soil(2, 800)
    events = sites.xdrought.flash_drought_events("soil_moisture")
    mine = sites.xdrought.event_drivers(events, drivers={"tp": "rain"}, alpha=1.0)
    xr.testing.assert_identical(mine, xd.event_drivers(events, sites, drivers={"tp": "rain"}, alpha=1.0))


def test_warnings_are_those_of_the_functions():
    sites = forced_soil(4, 1500)
    mine = sites.xdrought.fit_onset("soil_moisture", ["tp"], model="logistic", calibrate=False)
    other = xd.fit_onset(sites, "soil_moisture", ["tp"], model="logistic", calibrate=False)
    xr.testing.assert_identical(sites.xdrought.predict_onset(mine), xd.predict_onset(sites, other))


@pytest.mark.parametrize("name", METHODS)
def test_signature_and_help_are_those_of_the_function(name):
    method, function = getattr(XdroughtAccessor, name), getattr(xd, name)
    own = list(inspect.signature(method).parameters.values())
    of_function = list(inspect.signature(function).parameters.values())
    assert own[0].name == "self"
    itself = of_function[0].name if name in ON_DATASET else BESIDE_DATASET.get(name)
    assert own[1:] == [one for one in of_function if one.name != itself]
    assert method.__name__ == name
    help_text, whole = method.__doc__, inspect.getdoc(function)
    assert help_text.startswith(whole.split("\n\n")[0])
    assert f":func:`xdrought.{name}`" in help_text
    told = whole[whole.index("Returns\n") :]
    assert told in help_text
    if itself is not None:
        assert "\nds : " not in help_text
        assert "\nds, " not in help_text


def test_help_shows_every_parameter_and_completion_reads_them(ds):
    """IPython's `?` prints, and its completion offers, what `inspect.signature` of the bound method tells."""
    shown = inspect.signature(ds.xdrought.ccm)
    assert list(shown.parameters)[:3] == ["cause", "effect", "embedding_dim"]
    assert shown.parameters["embedding_dim"].default == 2
    assert "surrogates" in shown.parameters
    assert "drivers" in inspect.signature(ds.xdrought.fit_resattcaurec).parameters


def typed_keywords(method) -> tuple[dict, bool]:
    """The keywords that the method writes out for type checkers, and whether any other is taken."""
    hints = typing.get_type_hints(method, include_extras=True)
    code = method.__code__
    own = list(code.co_varnames[1 : code.co_argcount])
    keywords = {name: hints[name] for name in own}
    rest = hints.get("options")
    if typing.get_origin(rest) is typing.Unpack:
        return keywords | typing.get_type_hints(typing.get_args(rest)[0]), False
    return keywords, True


@pytest.mark.parametrize("name", sorted(set(METHODS) - ON_DATASET - {"causality_degree"}))
def test_the_keywords_written_out_are_those_of_the_function(name):
    ours, is_open = typed_keywords(getattr(XdroughtAccessor, name))
    parameters = inspect.signature(getattr(xd, name)).parameters.values()
    theirs = {p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD} - {BESIDE_DATASET.get(name)}
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        theirs |= {field.name for field in dataclasses.fields(xd.Definition)} - {"name", "source", "note"}
    assert not is_open
    assert set(ours) == theirs, "write the keywords out in xdrought/accessor.py"


SNIPPET = """
import xarray as xr
import xdrought
from xdrought.accessor import XdroughtAccessor

def study(a: XdroughtAccessor, forecaster: xdrought.Forecaster) -> None:
    a.ccm("t2m", "soil_moisture", surrogates=99, where="summer")
    a.flash_drought_events("soil_moisture", soil_temperature="stl1", min_duration=14)
    a.predict(forecaster, batch_size=8)
    a.ccm("t2m", "soil_moisture", surogates=99)
    a.flash_drought_events("soil_moisture", min_durations=14)
    a.predict(forecaster, batchsize=8)
    a.ccm("t2m", "soil_moisture", surrogates="many")
"""


def test_a_type_checker_refuses_a_misspelt_keyword_and_a_wrong_type(tmp_path, monkeypatch):
    api = pytest.importorskip("mypy.api")
    (tmp_path / "study.py").write_text(SNIPPET)
    root = Path(xd.__file__).parents[1]
    monkeypatch.setenv("MYPYPATH", str(root))
    monkeypatch.chdir(root)  # with the options and the cache of the type check of the whole package
    found, _, _ = api.run([str(tmp_path / "study.py")])
    lines = [int(line.split(":")[1]) for line in found.splitlines() if "study.py" in line and ": error:" in line]
    assert lines == [10, 11, 12, 13], found


def test_a_dask_dataset_stays_lazy(ds):
    with raise_if_dask_computes():
        lazy = ds.chunk(site=1).xdrought.drought_classes("soil_moisture")
    xr.testing.assert_identical(lazy.compute(), ds.xdrought.drought_classes("soil_moisture"))


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (
            KeyError,
            r"no variable \['swc'\] in the Dataset; it has soil_moisture, wetter",
            lambda ds: ds.xdrought.drought_classes("swc"),
        ),
        (
            KeyError,
            r"no variable \['tsoil'\]",
            lambda ds: ds.xdrought.flash_drought_events("soil_moisture", soil_temperature="tsoil"),
        ),
        (KeyError, r"no variable \['rain'\]", lambda ds: ds.xdrought.ccm(["t2m", "rain"], "soil_moisture")),
        (
            KeyError,
            r"no variable \['rain'\]",
            lambda ds: ds.xdrought.causality_degree(("t2m", "rain"), "soil_moisture", train=("2001", "2001")),
        ),
        (TypeError, "missing 1 required positional argument: 'effect'", lambda ds: ds.xdrought.ccm("t2m")),
        (
            TypeError,
            "got an unexpected keyword argument 'lags'",
            lambda ds: ds.xdrought.ccm("t2m", "soil_moisture", lags=2),
        ),
        (TypeError, "must be a DataArray, got Dataset", lambda ds: ds.xdrought.drought_classes(["soil_moisture"])),
        (
            TypeError,
            "must be a DataArray, got ndarray",
            lambda ds: ds.xdrought.drought_classes(ds.soil_moisture.values),
        ),
        (TypeError, "must be a DataArray, got NoneType", lambda ds: ds.xdrought.drought_classes(None)),
    ],
)
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
