"""Every kind of leak is made on purpose and found, and nothing else is called one."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from tests.support.audited import (
    CHECKS,
    TARGET,
    fit,
    train_days,
    trained,
    with_gaps,
)
from tests.support.leaks import FOLLOWING, LEAKS
from xdrought.forecast import fitting
from xdrought.forecast.missing_inputs import fit_usual_year
from xdrought.leakage import audit_leakage
from xdrought.windows.filling import with_mask
from xdrought.windows.tensors import ResidentCube


def usual_year_of_the_whole_record(monkeypatch):
    monkeypatch.setattr(fitting, "fit_usual_year", lambda scaled, days: fit_usual_year(scaled, xr.ones_like(days)))


def filled_by_the_mean_of_the_record(monkeypatch):
    def fill(self, x, index):
        return with_mask(x.nan_to_num(nan=float(self.cube.nanmean())), x.isfinite())

    monkeypatch.setattr(ResidentCube, "_fill", fill)


@pytest.mark.parametrize(
    ("leak", "words"),
    [(usual_year_of_the_whole_record, "whole record"), (filled_by_the_mean_of_the_record, "after the day of issue")],
)
def test_inputs_filled_from_what_is_only_known_later_are_found(ds, monkeypatch, leak, words):
    gapped = with_gaps(ds)
    leak(monkeypatch)
    found = audit_leakage(fit(gapped, missing="last"), gapped, device="cpu")
    assert found.leaks == ("filled inputs",), found
    assert words in found["filled inputs"].computed_on


@pytest.mark.filterwarnings("ignore:fit_scaling")  # drivers that are constant
@pytest.mark.parametrize(("leak", "check"), LEAKS, ids=lambda one: getattr(one, "__name__", one))
def test_the_leak_is_found(ds, monkeypatch, leak, check):
    forecaster, data, *given = leak(ds, monkeypatch)
    found = audit_leakage(forecaster, data, device="cpu", **dict(*given))
    assert check in found.leaks, found
    assert set(found.leaks) <= {check} | FOLLOWING.get(check, set()), found
    assert not found.clean
    assert "clean" not in str(found)
    assert "clean" not in found._repr_html_()


def test_thresholds_from_tested_days_are_found(ds):
    forecaster = trained()
    assert audit_leakage(forecaster, ds, reference=ds[TARGET].where(train_days(ds))).clean
    found = audit_leakage(forecaster, ds, reference=ds[TARGET])
    assert found.leaks == ("reference",)
    tested = sum(int(forecaster.splits.mask(part, ds.time).sum()) for part in ("val", "test"))
    assert found["reference"].numbers["tested values among them"] == tested


def test_every_check_is_seen_to_find_something():
    assert {check for _, check in LEAKS} | {"data", "weather ahead", "filled inputs", "day boundaries"} == set(CHECKS)


def test_a_start_that_has_learnt_from_test_days_is_a_leak(ds):
    first = fit(ds)
    part = ds.isel(time=slice(0, 800))
    with pytest.warns(UserWarning, match="learnt from days that are now test days at 8"):
        tuned = fit(part, start_from=first)
    found = audit_leakage(tuned, part, start_from=first, device="cpu")
    assert found.leaks == ("scaling",)
    assert "learnt from test days at 8 place(s)" in found["scaling"].computed_on


def test_the_page_tells_of_every_check():
    page = (Path(__file__).parents[2] / "docs" / "guide" / "leakage.md").read_text()
    table = [line for line in page.splitlines() if line.startswith("| ")]
    assert [check for check in CHECKS if not any(f"`{check}`" in line for line in table)] == []
    measured = (Path(__file__).parents[2] / "docs" / "_include" / "leakage.md").read_text()
    assert f"{len(LEAKS)} of {len(LEAKS)} leaks" in measured, "run tests/campaigns/leakage.py"
