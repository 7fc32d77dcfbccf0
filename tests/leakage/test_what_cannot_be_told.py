"""What cannot be told is not called clean: other data, a causality or scaling that cannot be computed again, days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from tests.support.audited import (
    DRIVERS,
    TARGET,
    alarm,
    fit,
    forcing,
    spatial,
    splits_of,
    train_days,
    trained,
)
from xdrought import degrade_forcing
from xdrought.causality import causality_degree
from xdrought.forecast import load_forecaster
from xdrought.leakage import audit_leakage


def test_a_driver_that_does_not_say_which_day_it_is_of_is_unknown(ds):
    """Temperature has no effect here, so nothing tells the day from the day before."""
    moved = ds.assign(other=ds.t2m.shift(time=-3)).isel(time=slice(0, -3))
    found = audit_leakage(fit(moved, [*DRIVERS, "other"]), moved)
    assert found.unknown == ("future of drivers",)
    assert "other is t2m 3 days later, or t2m its past" in found["future of drivers"].computed_on


def test_what_is_given_and_cannot_be_judged_is_unknown(ds):
    forecaster = trained()
    threshold = alarm(forecaster, ds, "val")
    given = {
        "threshold": replace(threshold, value=0.999),
        "forcing": forcing(ds, 1.0).rename(lead_time="step"),
        "reference": ds[TARGET].mean("time"),
    }
    found = audit_leakage(forecaster, ds, **given)
    assert found.unknown == ("reference", "issue times", "threshold")
    whole = forcing(ds, 1.0).assign_coords(lead_time=[1, 2])
    assert "give timedeltas" in audit_leakage(forecaster, ds, forcing=whole)["issue times"].computed_on


def test_weather_forecasts_that_are_not_given_are_not_called_clean(ds):
    forcing = degrade_forcing(ds, ["tp"], lead=2)
    forecaster = fit(ds, future=["tp"], forcing=forcing)
    found = audit_leakage(forecaster, ds, device="cpu")
    assert found.unknown == ("weather ahead", "best epoch")
    assert not found.clean
    assert audit_leakage(forecaster, ds, forcing=forcing, device="cpu")["weather ahead"].verdict == "passed"


def test_other_data_certify_nothing(ds):
    forecaster = fit(ds, variant="CauRec")
    found = audit_leakage(forecaster, ds.isel(site=slice(0, 4)))
    assert not found.clean
    assert {"data", "scaling", "best epoch"} <= set(found.unknown)
    assert "unknown: " in str(found)
    assert "clean" not in str(found)


def test_parts_changed_after_training_certify_nothing(ds):
    forecaster = replace(trained(), splits=splits_of(ds, fractions=(0.5, 0.1, 0.4)))
    found = audit_leakage(forecaster, ds)
    assert not found.clean
    assert {"data", "scaling"} <= set(found.unknown)


def test_a_causality_that_cannot_be_computed_again_is_unknown(ds):
    def mine(drivers, target, *, direction, time):
        shape = (ds.sizes["site"], len(drivers), 1)
        values = xr.DataArray(
            np.full(shape, 0.5), {"site": ds.site, "variable": list(drivers)}, ("site", "variable", "cell")
        )
        return xr.Dataset({"rho": values, "p_value": values})

    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=train_days(ds), method=mine)
    found = audit_leakage(fit(ds, variant="CauRec", causality=degree), ds)
    assert found.unknown == ("causality",)
    assert "cannot be computed again" in found["causality"].computed_on


def test_the_scaling_of_a_fine_tuned_forecaster_is_that_of_the_one_it_started_from(ds, tmp_path):
    before, after = ds.isel(site=slice(4)), ds.isel(site=slice(4, 8))
    first = fit(before)
    tuned = fit(after, start_from=first)
    found = audit_leakage(tuned, after, device="cpu")
    assert found.unknown == ("scaling",)
    assert "those of the forecaster it started from: give start_from=" in found["scaling"].computed_on
    tuned.save(tmp_path / "tuned.xdrought")
    for one in (tuned, load_forecaster(tmp_path / "tuned.xdrought")):
        found = audit_leakage(one, after, start_from=first, device="cpu")
        assert found.clean, found
        assert "start_from, which has learnt from no test day" in found["scaling"].computed_on
    found = audit_leakage(tuned, after, start_from=fit(before, seed=3), device="cpu")["scaling"]
    assert (found.verdict, "another forecaster than start_from" in found.computed_on) == ("unknown", True)
    older = replace(first, settings={**first.settings, "start_from": "another"})
    found = audit_leakage(tuned, after, start_from=older, device="cpu")["scaling"]
    assert (found.verdict, "had itself started from" in found.computed_on) == ("unknown", True)


def test_sites_without_coordinates_cannot_be_told_apart(ds):
    bare = ds.drop_vars(["lat", "lon"])
    assert audit_leakage(fit(bare, split=spatial(bare)), bare).unknown == ("same location",)
