"""Set-ups without a leak pass the audit: of every kind of network and parts, with prepared drivers, and real towers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.audited import (
    CHECKS,
    DRIVERS,
    TARGET,
    alarm,
    bare,
    fit,
    forcing,
    spatial,
    splits_of,
    train_days,
    trained,
    with_gaps,
)
from tests.support.helpers import unchanged
from tests.support.towers import forced_soil, random_grid, random_sites
from xdrought.causality import causality_degree
from xdrought.data import open_dataset
from xdrought.events import soil_moisture_percentile
from xdrought.forecast import load_forecaster
from xdrought.leakage import audit_leakage


@pytest.mark.parametrize("variant", ["Rec", "CauRec"])
@pytest.mark.parametrize(
    "past",
    [
        {},
        {"target_history": True},
        {"predict_change": True},
        {"target_history": True, "predict_change": True, "latency": 3},
    ],
    ids=["none", "history", "change", "both late"],
)
@pytest.mark.parametrize("split", ["chronological", "spatial_monte_carlo"])
def test_a_clean_set_up_passes(ds, variant, past, split):
    forecaster = fit(ds, variant=variant, split=split, **past)
    with unchanged(ds):
        found = audit_leakage(forecaster, ds, device="cpu")
    assert found.clean, found
    assert (found.leaks, found.unknown) == ((), ())
    assert [finding.check for finding in found.findings] == CHECKS
    assert found["causality"].verdict == ("passed" if variant == "CauRec" else "absent")
    assert found["same location"].verdict == ("absent" if split == "chronological" else "passed")


def test_clusters_grids_patches_and_ensembles_pass(ds, tmp_path):
    assert audit_leakage(fit(ds, ["tp", "t2m"], "CauRec", split=spatial(ds, clusters=100.0, seed=2)), ds).clean
    grid = random_grid(5, 5, 150)
    forecaster = fit(grid, variant="ResAttCauRec", target="swvl1", size=2)
    assert audit_leakage(forecaster, grid, device="cpu").clean
    assert audit_leakage(forecaster, grid.chunk(lat=2), device="cpu").clean
    patch = random_sites(3, 200, 4)
    forecaster = fit(patch, variant="ResAttCauRec", runs=2)
    forecaster.save(tmp_path / "it.xdrought")
    with unchanged(patch):
        first, second = (
            audit_leakage(forecaster, patch),
            audit_leakage(load_forecaster(tmp_path / "it.xdrought"), patch),
        )
    assert first.clean
    assert first == second


def test_causality_of_other_settings_is_computed_again_with_them(ds):
    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=train_days(ds), embedding_dim=3, tau=2)
    assert audit_leakage(fit(ds, variant="CauRec", causality=degree), ds).clean
    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=train_days(ds), method="lagged_correlation")
    assert audit_leakage(fit(ds, variant="CauRec", causality=degree), ds).clean
    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=train_days(ds), method="driver_gain", lags=2, seed=1)
    assert audit_leakage(fit(ds, variant="CauRec", causality=degree), ds).clean


def test_what_is_prepared_from_the_training_part_passes(ds):
    train = train_days(ds)
    learnt = ds[TARGET].where(train)
    ready = ds.assign(
        percentile=soil_moisture_percentile(ds[TARGET], reference=learnt),
        departure=(ds[TARGET] - learnt.mean("time")) / learnt.std("time"),
        height=learnt.mean("time").broadcast_like(ds[TARGET]),
        season=bare(ds.t2m.groupby("time.month") - ds.t2m.where(train).groupby("time.month").mean()),
        unit=bare((ds.t2m - ds.t2m.where(train).min()) / (ds.t2m.where(train).max() - ds.t2m.where(train).min())),
        day=xr.zeros_like(ds.tp) + np.arange(ds.sizes["time"]),
        wet=ds[TARGET].rolling(time=30, min_periods=1).mean(),
    )
    drivers = [*DRIVERS, "percentile", "departure", "height", "season", "unit", "day", "wet"]
    found = audit_leakage(fit(ready, drivers), ready)
    assert found.clean, found
    assert found["site statistics"].verdict == "passed"


@pytest.mark.parametrize("days", [slice(None), slice(3, None)], ids=["with its gap", "of a longer record"])
def test_rain_of_earlier_days_is_no_leak(ds, days):
    """The rain of today is then, of the two drivers, the one that looks like the other's future."""
    ready = ds.assign(before=ds.tp.shift(time=3), week=ds.tp.rolling(time=7).sum()).isel(time=days)
    assert audit_leakage(fit(ready, [*DRIVERS, "before", "week"]), ready).clean


def test_what_is_given_beside_the_data_and_knows_no_later_day_passes(ds):
    forecaster = trained()
    found = audit_leakage(forecaster, ds, forcing=forcing(ds, 1.0), threshold=alarm(forecaster, ds, "val"))
    assert found.clean, found
    assert (found["issue times"].verdict, found["threshold"].verdict) == ("passed", "passed")


@pytest.mark.parametrize("damping", [0.5, 0.9, 0.98])
def test_rain_that_moistens_the_next_day_is_no_leak(damping):
    """A driver of a linear world is nearly a difference of the target's next two days; it still came first."""
    rng = np.random.default_rng(2)
    rain = rng.exponential(1.0, (3, 800)) * (rng.random((3, 800)) < 0.3)
    soil = np.zeros_like(rain)
    for t in range(1, 800):
        soil[:, t] = damping * soil[:, t - 1] + rain[:, t - 1]
    made = forced_soil(3, 800).assign(tp=(("site", "time"), rain), soil_moisture=(("site", "time"), soil))
    assert audit_leakage(fit(made), made).clean


@pytest.mark.parametrize("policy", ["last", "climatology", "interpolate"])
def test_inputs_filled_from_the_window_and_the_training_days_are_clean(ds, policy):
    gapped = with_gaps(ds)
    found = audit_leakage(fit(gapped, missing=policy, target_history=True), gapped, device="cpu")
    assert found.clean, found
    assert found["filled inputs"].computed_on == "the training days"
    assert found["filled inputs"].numbers["filled windows"] == 20


def test_real_towers_pass(data_dir):
    towers = open_dataset("fluxnet")[["TA_F", "P_F", "SW_IN_F", TARGET]].compute()
    drivers = ["TA_F", "P_F", "SW_IN_F"]
    found = audit_leakage(fit(towers, drivers, "CauRec", window=15, lead=7), towers, device="cpu")
    assert found.clean, found
    assert pd.notna(found["future"].numbers["highest correlation with the future"])


def test_splits_may_hold_sites_that_have_no_window(ds):
    """They are left out of the training; the others keep their parts."""
    bare = ds.copy(deep=True)
    bare.tp[3] = np.nan
    splits = splits_of(ds)
    with pytest.warns(UserWarning, match="without a complete window .* left out: S3"):
        forecaster = fit(bare, variant="CauRec", split=splits)
    assert forecaster.splits.ranges.site.values.tolist() == ["S0", "S1", "S2", "S4", "S5", "S6", "S7"]
    xr.testing.assert_equal(forecaster.splits.ranges.sel(site="S6"), splits.ranges.sel(site="S6"))
    assert audit_leakage(forecaster, bare, device="cpu").clean
