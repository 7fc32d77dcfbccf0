"""What terminals and notebooks show: a dozen short lines, everything by its name, nothing that a browser would run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.support.forecasters import untrained
from tests.support.towers import random_sites
from xdrought import shown
from xdrought.definitions import DEFINITIONS, Definition
from xdrought.forecast.onset.predictors import OnsetTask
from xdrought.leakage.report import Finding

EVIL = "<script>alert(1)</script>"
LONG = "a_driver_with_a_name_that_leaves_nothing_unsaid"


def forecaster() -> xd.Forecaster:
    made = untrained(random_sites(2, 200, 4))
    return replace(made, target=EVIL, features=tuple(f"{LONG}_{k}" for k in range(12)))


def monitor() -> xd.DroughtMonitor:
    days = pd.date_range("2001-01-01", periods=100)
    values = np.random.default_rng(0).random((2, 100)) * 100
    da = xr.DataArray(values, {"site": ["A", "B"], "time": days}, name=EVIL, attrs={"units": "percent"})
    return xd.start_monitor(da, is_percentile=True)


def onset_model() -> xd.OnsetModel:
    task = OnsetTask("swc", (EVIL, *(f"{LONG}_{k}" for k in range(12))), (), 7, "path", DEFINITIONS["tang2025"], {})
    nothing = xr.DataArray(0.0)
    counts = {"train_days": 20000, "train_positive": 300}
    return xd.OnsetModel(task, ("percentile",), "boosting", None, (1.0, 0.0), nothing, nothing, None, counts)


def report() -> xd.LeakageReport:
    findings = [Finding(f"check_{k}", "passed", "looked", f"the training part, {LONG} {LONG}") for k in range(10)]
    return xd.LeakageReport(f"{LONG} {EVIL}", (*findings, Finding("scaling", "LEAK", EVIL, EVIL)))


def many_windows() -> xd.Patches:
    ds = random_sites(2, 40, 4)
    names = {f"{LONG}_{k}": ds["tp"] for k in range(12)}
    return xd.patches(ds.drop_vars("tp").assign(names).rename(t2m=EVIL), "soil_moisture")


VALUES = {
    "Forecaster": forecaster,
    "Patches": many_windows,
    "DroughtMonitor": monitor,
    "LeakageReport": report,
    "OnsetModel": onset_model,
    "SplitConfig": lambda: xd.SplitConfig("spatial_monte_carlo", clusters=xr.DataArray(np.arange(500), dims="site")),
    "TrainingOptions": lambda: xd.TrainingOptions(freeze=("encoder", "recurrence", "head")),
    "MissingInputs": xd.MissingInputs,
    **{f"Definition {name}": lambda name=name: DEFINITIONS[name] for name in DEFINITIONS},
}


@pytest.mark.parametrize("name", VALUES)
def test_each_value_is_shown_on_a_dozen_short_lines(name):
    text = repr(VALUES[name]())
    lines = text.splitlines()
    assert name.split()[0] in lines[0]
    assert len(lines) <= 13
    assert max(map(len, lines)) <= 80
    assert not any(" at 0x" in line for line in lines)


@pytest.mark.parametrize("name", ["Forecaster", "Patches", "DroughtMonitor", "LeakageReport", "OnsetModel"])
def test_notebooks_run_nothing_that_a_name_holds(name):
    html = VALUES[name]()._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_a_definition_says_its_thresholds_and_its_note_in_notebooks():
    d = DEFINITIONS["tang2025"]
    words = " ".join(repr(d).split())
    assert "doi:10.1029/2024WR039470" in words
    assert "upper=40.0, lower=20.0" in words
    assert d.note[:40] in d._repr_html_()


def test_a_call_that_is_shown_makes_the_same_value():
    options = xd.TrainingOptions(patience=5, freeze=("encoder",))
    assert eval(repr(options), {"TrainingOptions": xd.TrainingOptions}) == options
    d = DEFINITIONS["yuan2023"]
    assert eval(shown.in_one_line(d), {"Definition": Definition}) == d


def test_results_and_the_history_keep_the_whole_definition_on_one_line():
    days = pd.date_range("2001-01-01", periods=100)
    da = xr.DataArray(np.linspace(100, 0, 100), {"time": days}, name="sm")
    events = xd.flash_drought_events(da, is_percentile=True, definition=DEFINITIONS["tang2025"])
    assert events.attrs["definition_settings"].startswith("Definition(name='tang2025', source='Tang et al.")
    assert "\n" not in events.attrs["definition_settings"] + events.attrs["history"]


@pytest.mark.parametrize(("length", "expected"), [(3, "abc"), (2, "a…")])
def test_what_is_too_long_is_cut_with_an_ellipsis(length, expected):
    assert shown.cut("abc", length) == expected
