"""One setting varied: the same days and splits for all its values, references of each lead, classes counted anew."""

from __future__ import annotations

import dataclasses

import matplotlib
import numpy as np
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from tests.support.towers import forced_soil
from xdrought.definitions import get_definition
from xdrought.events import CLASSES, drought_classes
from xdrought.plot import plot_sweep
from xdrought.study import result_cache, sweep
from xdrought.verification import class_scores

matplotlib.use("Agg")
SMALL = {"variant": "Rec", "epochs": 1, "widths": (4, 4), "learning_rate": 1e-2, "device": "cpu", "progress": False}
REFERENCES = ["persistence", "damped_persistence", "climatology"]


@pytest.fixture(scope="module")
def soil() -> xr.Dataset:
    return forced_soil(n_site=2, n_time=600)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def leads(soil, folder) -> xr.Dataset:
    both = {"weather": {}, "past": {"predict_change": True}}
    with unchanged(soil):
        return sweep(
            soil, "soil_moisture", over={"lead": [1, 9]}, configurations=both, runs=2, cache_dir=folder, **SMALL
        )


def test_a_sweep_has_the_settings_name_and_the_references_of_each_lead(soil, leads):
    assert leads.nse.dims == ("lead", "model", "run", "site")
    assert leads.model.values.tolist() == ["weather", "past", *REFERENCES]
    assert leads.is_reference.values.tolist() == [False, False, True, True, True]
    assert leads.lead.attrs["units"] == "days"
    truth = soil.soil_moisture.transpose("site", "time")
    for lead in (1, 9):  # persistence by hand, on the common days
        days = scored_days(soil, leads)
        held = truth.shift(time=lead).values
        error = np.where(days, held - truth.values, np.nan)
        spread = np.where(days, truth.values, np.nan)
        nse = 1 - np.nansum(error**2, axis=1) / np.nansum((spread - np.nanmean(spread, axis=1)[:, None]) ** 2, axis=1)
        np.testing.assert_allclose(leads.nse.sel(lead=lead, model="persistence", run=0), nse)
    persistence = leads.rmse.sel(model="persistence", run=0)
    assert (persistence.sel(lead=9) > persistence.sel(lead=1)).all()


def scored_days(soil: xr.Dataset, leads: xr.Dataset) -> np.ndarray:
    """The test part of the longest window and lead: 70:15:15 of the days that have a window, after 15 + 9 days."""
    n = 600 - 23  # the first target day is 14 + 9 days after the first
    first = int(np.rint(0.85 * n)) + 23 + 15 + 9
    days = np.zeros((2, 600), dtype=bool)
    days[:, first:] = True
    assert leads.n_days.values.tolist() == days.sum(axis=1).tolist()
    return days


def test_climatology_does_not_depend_on_the_lead(leads):
    found = leads.sel(model="climatology")
    for name in ("nse", "rmse", "f1", "accuracy"):
        np.testing.assert_array_equal(found[name].sel(lead=1), found[name].sel(lead=9))


def test_class_scores_are_those_of_each_runs_path(soil, leads, folder):
    days = scored_days(soil, leads)
    truth = soil.soil_moisture
    seen = drought_classes(truth)
    counted = seen.where(xr.DataArray(days, dims=("site", "time")), CLASSES["missing"]).assign_attrs(seen.attrs)
    (stored,) = folder.glob("past_lead=9-*.nc")
    kept = xr.open_dataset(stored, engine="h5netcdf").forecast.load()
    path = kept.isel(run=1).reindex(time=truth.time).assign_attrs(truth.attrs)
    by_hand = class_scores(drought_classes(path, reference=truth), counted)
    here = {"lead": 9, "model": "past", "run": 1}
    for name in ("f1", "precision", "recall", "share", "accuracy"):
        np.testing.assert_allclose(leads[name].sel(here), by_hand[name])


def test_thresholds_are_swept_with_networks_that_are_trained_once(soil, monkeypatch):
    trained, fit = [], result_cache.fit_resattcaurec

    def spy(*args, **keywords):
        trained.append(1)
        return fit(*args, **keywords)

    monkeypatch.setattr(result_cache, "fit_resattcaurec", spy)
    found = sweep(soil, "soil_moisture", over={"lower": [10, 20, 30]}, runs=1, **SMALL)
    assert len(trained) == 1
    assert found.lower.values.tolist() == [10, 20, 30]
    np.testing.assert_array_equal(found.nse.sel(lower=10), found.nse.sel(lower=30))
    drought = 1 - found.share.sel(class_name="no_drought", model="network", run=0)
    assert drought.sel(lower=10) < drought.sel(lower=30)
    whole = [dataclasses.replace(get_definition("tang2025"), name=f"below {lower}", lower=lower) for lower in (10, 30)]
    same = sweep(soil, "soil_moisture", over={"definition": whole}, runs=1, **SMALL)
    assert same.definition.values.tolist() == ["below 10", "below 30"]
    np.testing.assert_array_equal(same.f1, found.f1.sel(lower=[10, 30]))


def test_windows_and_rates_are_swept_on_the_same_days(soil):
    windows = sweep(soil, "soil_moisture", over={"window": [5, 20]}, runs=1, **SMALL)
    assert windows.nse.sizes["window"] == 2
    np.testing.assert_array_equal(
        windows.nse.sel(window=5, model=REFERENCES), windows.nse.sel(window=20, model=REFERENCES)
    )
    assert (windows.nse.sel(window=5, model="network") != windows.nse.sel(window=20, model="network")).all()
    how = {name: value for name, value in SMALL.items() if name != "learning_rate"}
    rates = sweep(soil, "soil_moisture", over={"learning_rate": [1e-4, 1e-2]}, runs=1, **how)
    assert (rates.rmse.sel(model="network").diff("learning_rate") != 0).all()
    assert rates.learning_rate.values.tolist() == [1e-4, 1e-2]


def test_wrong_sweeps_are_refused(soil):
    with pytest.raises(ValueError, match="over=.* give one setting and its values"):
        sweep(soil, "soil_moisture", over={"lead": [1], "window": [5]})
    with pytest.raises(ValueError, match=r"lead=\[1, 1\] needs at least one value, each once"):
        sweep(soil, "soil_moisture", over={"lead": [1, 1]})
    with pytest.raises(ValueError, match="'lead' is swept and cannot be set to 3 as well"):
        sweep(soil, "soil_moisture", over={"lead": [1, 2]}, lead=3)


# --- the picture ------------------------------------------------------------------------------------------


def test_every_model_is_a_line_with_its_median_and_references_are_dashed(leads):
    one = plot_sweep(leads.isel(lead=[0]).rename(lead="window"))  # one point a line
    assert all(len(line.get_xdata()) == 1 for line in one.lines if line.get_label()[:1] != "_")
    ax = plot_sweep(leads)
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines) == ["weather", "past", *REFERENCES]
    expected = leads.nse.sel(model="past").mean("run").median("site")
    np.testing.assert_allclose(lines["past"].get_ydata(), expected)
    assert [line.get_linestyle() for line in ax.lines] == ["-", "-", "--", "--", "--"]
    assert len(ax.collections) == 2  # a band for each network
    assert ax.get_xlabel() == "Lead (days)"


def test_a_class_is_named_and_its_band_holds_all_runs(leads):
    ax = plot_sweep(leads, score="recall", class_name="no_drought")
    assert ax.get_ylabel() == "recall of no_drought days"
    runs = leads.recall.sel(model="weather", class_name="no_drought")
    (line,) = [line for line in ax.lines if line.get_label() == "weather"]
    np.testing.assert_allclose(line.get_ydata(), runs.mean("run"))
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(runs.min().item())
    assert heights.max() == pytest.approx(runs.max().item())


def test_what_cannot_be_drawn_is_refused(leads):
    with pytest.raises(ValueError, match="no score 'sugar'"):
        plot_sweep(leads, score="sugar")
    with pytest.raises(ValueError, match="'f1' is of drought classes; give class_name"):
        plot_sweep(leads, score="f1")
    with pytest.raises(ValueError, match="'nse' is on .* scores come from xdrought.study.sweep"):
        plot_sweep(leads.isel(lead=0))
