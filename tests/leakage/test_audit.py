"""The leakage certificate: every kind of leak is made on purpose and found, and nothing else is called one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tests.support.helpers import unchanged
from tests.support.towers import forced_soil, random_grid, random_sites
from xdrought.causality import causality_degree
from xdrought.data import open_dataset
from xdrought.events import soil_moisture_percentile
from xdrought.forecast import Certificate, Finding, fitting
from xdrought.forecast.fitting import fit_resattcaurec, load_forecaster
from xdrought.leakage.data_checks import pairwise_correlation
from xdrought.scaling import fit_scaling
from xdrought.splits import PARTS, Splits, chronological, spatial_monte_carlo
from xdrought.windows.labelled import patches

TARGET, DRIVERS = "soil_moisture", ["tp", "t2m"]
SMALL = {"window": 5, "lead": 2, "epochs": 1, "batch_size": 256, "device": "cpu", "progress": False, "widths": (4, 4)}
CHECKS = [
    "data", "order", "overlap", "embargo", "same series", "same location", "scaling", "causality", "thresholds",
    "percentiles", "standardised", "range", "site statistics", "future", "filled gaps", "repeated days", "best epoch",
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return eight_towers()


def eight_towers() -> xr.Dataset:
    """Three years of soil moisture at eight towers, far from each other."""
    made = forced_soil(8, 1096)
    return made.assign_coords(lat=("site", np.linspace(-40.0, 60.0, 8)), lon=("site", np.linspace(-100.0, 120.0, 8)))


def fit(ds: xr.Dataset, drivers=DRIVERS, variant: str = "Rec", **options):
    return fit_resattcaurec(ds, options.pop("target", TARGET), drivers, variant=variant, **(SMALL | options))


def splits_of(ds: xr.Dataset, **options) -> Splits:
    return chronological(patches(ds, TARGET, drivers=DRIVERS, window=5, lead=2), **options)


def spatial(ds: xr.Dataset, **options) -> Splits:
    return spatial_monte_carlo(patches(ds, TARGET, drivers=DRIVERS, window=5, lead=2), **options)


def train_days(ds: xr.Dataset) -> xr.DataArray:
    return splits_of(ds).training_days(ds.time).drop_vars("part", errors="ignore")


# --- clean set-ups --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["Rec", "CauRec"])
@pytest.mark.parametrize(
    "past", [{}, {"target_history": True}, {"predict_change": True},
             {"target_history": True, "predict_change": True, "latency": 3}],
    ids=["none", "history", "change", "both late"],
)  # fmt: skip
@pytest.mark.parametrize("split", ["chronological", "spatial_monte_carlo"])
def test_a_clean_set_up_passes(ds, variant, past, split):
    forecaster = fit(ds, variant=variant, split=split, **past)
    with unchanged(ds):
        found = forecaster.certificate(ds, device="cpu")
    assert found.clean, found
    assert (found.leaks, found.unknown) == ((), ())
    assert [finding.check for finding in found.findings] == CHECKS
    assert found["causality"].verdict == ("passed" if variant == "CauRec" else "absent")
    assert found["same location"].verdict == ("absent" if split == "chronological" else "passed")


def test_clusters_grids_patches_and_ensembles_pass(ds, tmp_path):
    assert fit(ds, ["tp", "t2m"], "CauRec", split=spatial(ds, clusters=100.0, seed=2)).certificate(ds).clean
    grid = random_grid(5, 5, 150)
    forecaster = fit(grid, variant="ResAttCauRec", target="swvl1", size=2)
    assert forecaster.certificate(grid, device="cpu").clean
    assert forecaster.certificate(grid.chunk(lat=2), device="cpu").clean
    patch = random_sites(3, 200, 4)
    forecaster = fit(patch, variant="ResAttCauRec", runs=2)
    forecaster.save(tmp_path / "it.xdrought")
    with unchanged(patch):
        first, second = forecaster.certificate(patch), load_forecaster(tmp_path / "it.xdrought").certificate(patch)
    assert first.clean
    assert first == second


def test_causality_of_other_settings_is_computed_again_with_them(ds):
    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=train_days(ds), embedding_dim=3, tau=2)
    assert fit(ds, variant="CauRec", causality=degree).certificate(ds).clean
    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=train_days(ds), method="lagged_correlation")
    assert fit(ds, variant="CauRec", causality=degree).certificate(ds).clean
    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=train_days(ds), method="driver_gain", lags=2, seed=1)
    assert fit(ds, variant="CauRec", causality=degree).certificate(ds).clean


def test_what_is_prepared_from_the_training_part_passes(ds):
    train = train_days(ds)
    learnt = ds[TARGET].where(train)
    ready = ds.assign(
        percentile=soil_moisture_percentile(ds[TARGET], reference=learnt),
        departure=(ds[TARGET] - learnt.mean("time")) / learnt.std("time"),
        height=learnt.mean("time").broadcast_like(ds[TARGET]),
        season=ds.t2m.groupby("time.month") - ds.t2m.where(train).groupby("time.month").mean(),
        unit=(ds.t2m - ds.t2m.where(train).min()) / (ds.t2m.where(train).max() - ds.t2m.where(train).min()),
        day=xr.zeros_like(ds.tp) + np.arange(ds.sizes["time"]),
        wet=ds[TARGET].rolling(time=30, min_periods=1).mean(),
    )  # fmt: skip
    drivers = [*DRIVERS, "percentile", "departure", "height", "season", "unit", "day", "wet"]
    found = fit(ready, drivers).certificate(ready)
    assert found.clean, found
    assert found["site statistics"].verdict == "passed"


@pytest.mark.parametrize("damping", [0.5, 0.9, 0.98])
def test_rain_that_moistens_the_next_day_is_no_leak(damping):
    """A driver of a linear world is nearly a difference of the target's next two days; it still came first."""
    rng = np.random.default_rng(2)
    rain = rng.exponential(1.0, (3, 800)) * (rng.random((3, 800)) < 0.3)
    soil = np.zeros_like(rain)
    for t in range(1, 800):
        soil[:, t] = damping * soil[:, t - 1] + rain[:, t - 1]
    made = forced_soil(3, 800).assign(tp=(("site", "time"), rain), soil_moisture=(("site", "time"), soil))
    assert fit(made).certificate(made).clean


# --- leaks, each made on purpose ------------------------------------------------------------------------------


def scaling_of_the_whole_record(ds, monkeypatch):
    monkeypatch.setattr(fitting, "fit_scaling", lambda data, names, train: fit_scaling(data, names))
    return fit(ds), ds


def scaling_with_validation(ds, monkeypatch):
    def until_validation(data, names, train):
        return fit_scaling(data, names, train=data.time <= splits_of(ds).ranges.end.sel(part="val", drop=True))

    monkeypatch.setattr(fitting, "fit_scaling", until_validation)
    return fit(ds), ds


def causality_of_the_whole_record(ds, monkeypatch):
    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=slice(None))
    return fit(ds, variant="CauRec", causality=degree), ds


def causality_of_one_site_s_whole_record(ds, monkeypatch):
    seen = causality_degree(ds[DRIVERS], ds[TARGET], train=slice(None))
    honest = causality_degree(ds[DRIVERS], ds[TARGET], train=train_days(ds))
    return fit(ds, variant="CauRec", causality=seen.where(seen.site == "S3", honest).assign_attrs(honest.attrs)), ds


def own_causality_of_sites_held_out(ds, monkeypatch):
    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=slice(None))  # what training.md names as an option
    return fit(ds, variant="CauRec", causality=degree, split=spatial(ds)), ds


def driver_is_the_answer(ds, monkeypatch):
    leaky = ds.assign(copy=ds[TARGET].shift(time=-2).ffill("time"))
    return fit(leaky, [*DRIVERS, "copy"]), leaky


def driver_is_tomorrow_on_another_scale(ds, monkeypatch):
    noise = np.random.default_rng(1).normal(scale=0.01, size=ds[TARGET].shape)
    leaky = ds.assign(copy=np.log(1 + ds[TARGET].shift(time=-1).ffill("time") + noise.clip(-0.02, 0.02)))
    return fit(leaky, [*DRIVERS, "copy"]), leaky


def driver_is_smoothed_over_days_to_come(ds, monkeypatch):
    leaky = ds.assign(smooth=ds[TARGET].rolling(time=7, center=True, min_periods=1).mean())
    return fit(leaky, [*DRIVERS, "smooth"]), leaky


def driver_is_the_change_to_come(ds, monkeypatch):
    leaky = ds.assign(change=(ds[TARGET].shift(time=-2) - ds[TARGET]).fillna(0.0))
    return fit(leaky, [*DRIVERS, "change"]), leaky


def driver_is_not_reported_yet(ds, monkeypatch):
    leaky = ds.assign(today=ds[TARGET] * 1.0)
    return fit(leaky, [*DRIVERS, "today"], target_history=True, latency=2), leaky


def target_is_a_percentile_of_the_whole_record(ds, monkeypatch):
    leaky = ds.assign(soil_moisture=soil_moisture_percentile(ds[TARGET]).astype("float32").drop_attrs())
    return fit(leaky), leaky


def driver_is_a_percentile_of_the_day_of_the_year(ds, monkeypatch):
    rank = soil_moisture_percentile(ds[TARGET], method="weibull", pool="dayofyear")
    leaky = ds.assign(rank=(rank / 100).drop_attrs())
    return fit(leaky, [*DRIVERS, "rank"]), leaky


def percentiles_with_a_window_say_so(ds, monkeypatch):
    leaky = ds.assign(rank=soil_moisture_percentile(ds[TARGET], pool="dayofyear", window=15))
    return fit(leaky, [*DRIVERS, "rank"]), leaky


def percentiles_of_a_period_beyond_training(ds, monkeypatch):
    leaky = ds.assign(rank=soil_moisture_percentile(ds[TARGET], reference=("2001-01-01", "2003-06-30")))
    return fit(leaky, [*DRIVERS, "rank"]), leaky


def target_is_standardised_by_the_whole_record(ds, monkeypatch):
    leaky = ds.assign(soil_moisture=(ds[TARGET] - ds[TARGET].mean("time")) / ds[TARGET].std("time"))
    return fit(leaky), leaky


def driver_is_standardised_over_all_sites(ds, monkeypatch):
    leaky = ds.assign(t2m=(ds.t2m - ds.t2m.mean()) / ds.t2m.std())
    return fit(leaky), leaky


def driver_is_without_normals_of_the_whole_record(ds, monkeypatch):
    leaky = ds.assign(t2m=ds.t2m.groupby("time.dayofyear") - ds.t2m.groupby("time.dayofyear").mean())
    return fit(leaky), leaky


def driver_is_scaled_by_extremes_of_the_whole_record(ds, monkeypatch):
    low, high = ds.t2m.min(), ds.t2m.max()
    ds = ds.assign(t2m=ds.t2m.where(ds.time != ds.time[-3], high + 1))  # the warmest day is tested
    low, high = ds.t2m.min("time"), ds.t2m.max("time")
    leaky = ds.assign(t2m=(ds.t2m - low) / (high - low))
    return fit(leaky), leaky


def driver_is_the_mean_of_each_site(ds, monkeypatch):
    leaky = ds.assign(climate=ds[TARGET].mean("time").broadcast_like(ds[TARGET]))
    return fit(leaky, [*DRIVERS, "climate"]), leaky


def driver_is_a_standardised_spread_of_each_site(ds, monkeypatch):
    spread = ds[TARGET].std("time")
    leaky = ds.assign(climate=((spread - spread.mean()) / spread.std()).broadcast_like(ds[TARGET]))
    return fit(leaky, [*DRIVERS, "climate"]), leaky


def parts_that_share_days(ds, monkeypatch):
    ranges = splits_of(ds).ranges.copy(deep=True)
    ranges.end.loc[{"part": "train"}] = ranges.start.sel(part="test").values + np.timedelta64(30, "D")
    return fit(ds, split=Splits(ranges, (0.7, 0.15, 0.15), 7)), ds


def test_before_training(ds, monkeypatch):
    return fit(ds, split=dated(ds, ("2001-12-15", "2003-12-31"), ("2001-06-15", "2001-12-01"),
                               ("2001-01-08", "2001-06-01"))), ds  # fmt: skip


test_before_training.__test__ = False  # a leak, not a test


def no_embargo(ds, monkeypatch):
    return fit(ds, embargo=0), ds


def an_embargo_too_short_for_the_latency(ds, monkeypatch):
    return fit(ds, target_history=True, latency=4, split=splits_of(ds, embargo=7)), ds


def the_same_tower_twice(ds, monkeypatch):
    return hidden_twin(ds, lambda values: 0.4 * values + 0.1, moved=3.0)


def a_second_sensor_of_the_tower(ds, monkeypatch):
    noise = np.random.default_rng(3).normal(scale=0.03, size=ds.sizes["time"])
    return hidden_twin(ds, lambda values: values + noise, moved=3.0)


def a_tower_that_learns_when_its_twin_is_tested(ds, monkeypatch):
    ds = ds.copy(deep=True)
    ds[TARGET][1] = ds[TARGET][0]
    ds[TARGET][1, :400] = np.nan  # so that its borders are later
    return fit(ds), ds


def a_tower_at_the_same_spot(ds, monkeypatch):
    return hidden_twin(ds, None, moved=0.004)


def hidden_twin(ds: xr.Dataset, make: Callable | None, moved: float):
    """A held-out site that is a copy of a training site, or stands beside it."""
    splits = spatial(ds)
    kind = splits.ranges.start.notnull()
    learnt, tested = (int(np.flatnonzero(kind.sel(part=part))[0]) for part in ("train", "test"))
    ds = ds.copy(deep=True)
    if make is not None:
        ds[TARGET][tested] = make(ds[TARGET][learnt].values)
    ds.lat[tested] = ds.lat[learnt] + moved
    ds.lon[tested] = ds.lon[learnt]
    return fit(ds, split=splits), ds


def a_gap_filled_across_the_border(ds, monkeypatch):
    ds = ds.copy(deep=True)
    end = int(np.flatnonzero(ds.time.values == splits_of(ds).ranges.end.sel(part="train", site="S2").values)[0])
    ds.t2m[2, end - 3 : end + 12] = np.nan
    ds["t2m"] = ds.t2m.interpolate_na("time")
    return fit(ds), ds


def a_year_that_was_copied(ds, monkeypatch):
    ds = ds.copy(deep=True)
    ds[TARGET][4, 1000:1050] = ds[TARGET][4, 270:320].values
    return fit(ds), ds


def epoch_chosen_on_the_test_part(ds, monkeypatch):
    true = splits_of(ds)
    swapped = replace(true, ranges=true.ranges.sel(part=["train", "test", "val"]).assign_coords(part=list(PARTS)))
    forecaster = fit(ds, split=swapped, epochs=3)
    counts = {"val_windows": forecaster.settings["test_windows"], "test_windows": forecaster.settings["val_windows"]}
    return replace(forecaster, splits=true, settings={**forecaster.settings, **counts}), ds


def dated(ds: xr.Dataset, *dates: tuple[str, str]) -> Splits:
    """The same dates at all sites."""
    bounds = np.array(dates, "datetime64[ns]").T[:, :, None].repeat(ds.sizes["site"], axis=2)
    coords = {"part": list(PARTS), "site": ds.site.values}
    ranges = {name: (("part", "site"), days) for name, days in zip(("start", "end"), bounds, strict=True)}
    return Splits(xr.Dataset(ranges, coords), (0.7, 0.15, 0.15), 7)


LEAKS = [
    (scaling_of_the_whole_record, "scaling"),
    (scaling_with_validation, "scaling"),
    (causality_of_the_whole_record, "causality"),
    (causality_of_one_site_s_whole_record, "causality"),
    (own_causality_of_sites_held_out, "causality"),
    (driver_is_the_answer, "future"),
    (driver_is_tomorrow_on_another_scale, "future"),
    (driver_is_smoothed_over_days_to_come, "future"),
    (driver_is_the_change_to_come, "future"),
    (driver_is_not_reported_yet, "future"),
    (target_is_a_percentile_of_the_whole_record, "percentiles"),
    (driver_is_a_percentile_of_the_day_of_the_year, "percentiles"),
    (percentiles_with_a_window_say_so, "percentiles"),
    (percentiles_of_a_period_beyond_training, "percentiles"),
    (target_is_standardised_by_the_whole_record, "standardised"),
    (driver_is_standardised_over_all_sites, "standardised"),
    (driver_is_without_normals_of_the_whole_record, "standardised"),
    (driver_is_scaled_by_extremes_of_the_whole_record, "range"),
    (driver_is_the_mean_of_each_site, "site statistics"),
    (driver_is_a_standardised_spread_of_each_site, "site statistics"),
    (parts_that_share_days, "overlap"),
    (test_before_training, "order"),
    (no_embargo, "embargo"),
    (an_embargo_too_short_for_the_latency, "embargo"),
    (the_same_tower_twice, "same series"),
    (a_second_sensor_of_the_tower, "same series"),
    (a_tower_that_learns_when_its_twin_is_tested, "same series"),
    (a_tower_at_the_same_spot, "same location"),
    (a_gap_filled_across_the_border, "filled gaps"),
    (a_year_that_was_copied, "repeated days"),
    (epoch_chosen_on_the_test_part, "best epoch"),
]
FOLLOWING = {"overlap": {"embargo", "scaling", "thresholds", "order"}, "order": {"scaling", "thresholds"}}


@pytest.mark.filterwarnings("ignore:fit_scaling")  # drivers that are constant
@pytest.mark.parametrize(("leak", "check"), LEAKS, ids=lambda one: getattr(one, "__name__", one))
def test_the_leak_is_found(ds, monkeypatch, leak, check):
    forecaster, data = leak(ds, monkeypatch)
    found = forecaster.certificate(data, device="cpu")
    assert check in found.leaks, found
    assert set(found.leaks) <= {check} | FOLLOWING.get(check, set()), found
    assert not found.clean
    assert "clean" not in str(found)
    assert "clean" not in found._repr_html_()


def test_thresholds_from_tested_days_are_found(ds):
    forecaster = fit(ds)
    assert forecaster.certificate(ds, reference=ds[TARGET].where(train_days(ds))).clean
    found = forecaster.certificate(ds, reference=ds[TARGET])
    assert found.leaks == ("thresholds",)
    tested = sum(int(forecaster.splits.mask(part, ds.time).sum()) for part in ("val", "test"))
    assert found["thresholds"].evidence["tested values among them"] == tested


def test_every_check_is_seen_to_find_something():
    assert {check for _, check in LEAKS} | {"data", "thresholds"} == set(CHECKS)


# --- what cannot be told is not called clean ------------------------------------------------------------------


def test_other_data_certify_nothing(ds):
    forecaster = fit(ds, variant="CauRec")
    found = forecaster.certificate(ds.isel(site=slice(0, 4)))
    assert not found.clean
    assert {"data", "scaling", "best epoch"} <= set(found.unknown)
    assert "not certified" in str(found)
    assert "clean" not in str(found)


def test_parts_changed_after_training_certify_nothing(ds):
    forecaster = replace(fit(ds), splits=splits_of(ds, fractions=(0.5, 0.1, 0.4)))
    found = forecaster.certificate(ds)
    assert not found.clean
    assert {"data", "scaling"} <= set(found.unknown)


def test_a_causality_that_cannot_be_computed_again_is_unknown(ds):
    def mine(drivers, target, *, direction, time):
        shape = (ds.sizes["site"], len(drivers), 1)
        values = xr.DataArray(np.full(shape, 0.5), {"site": ds.site, "variable": list(drivers)},
                              ("site", "variable", "cell"))  # fmt: skip
        return xr.Dataset({"rho": values, "p_value": values})

    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=train_days(ds), method=mine)
    found = fit(ds, variant="CauRec", causality=degree).certificate(ds)
    assert found.unknown == ("causality",)
    assert "cannot be computed again" in found["causality"].computed_on


def test_sites_without_coordinates_cannot_be_told_apart(ds):
    bare = ds.drop_vars(["lat", "lon"])
    assert fit(bare, split=spatial(bare)).certificate(bare).unknown == ("same location",)


# --- the value, its words and its errors ----------------------------------------------------------------------


def test_a_certificate_is_read_as_text_table_and_html():
    found = Certificate("Rec, 1 run", (
        Finding("scaling", "LEAK", "mean <and> spread", "the whole record", {"difference": 0.25, "days": 3}),
        Finding("order", "passed", "days", "one after the other"),
        Finding("causality", "unknown", "degrees", "cannot be told"),
    ))  # fmt: skip
    assert not found.clean
    assert (found.leaks, found.unknown) == (("scaling",), ("causality",))
    assert found["order"].computed_on == "one after the other"
    first, second, *_ = str(found).splitlines()
    assert first == "<xdrought.Certificate of Rec, 1 run: LEAK in scaling; not certified, unknown: causality>"
    assert second == "  scaling    LEAK     the whole record"
    table = found.to_dataframe()
    assert table.index.tolist() == ["scaling", "order", "causality"]
    assert table.loc["scaling", "evidence"] == "difference 0.25, days 3"
    assert "mean &lt;and&gt; spread" in found._repr_html_()
    with pytest.raises(KeyError, match="Certificate: no check 'order of days'; there are"):
        found["order of days"]


def test_what_is_refused(ds):
    forecaster = fit(ds)
    with pytest.raises(ValueError, match="near_km=0; it is a distance in km above 0"):
        forecaster.certificate(ds, near_km=0)
    with pytest.raises(TypeError, match="reference is a slice; give the DataArray"):
        forecaster.certificate(ds, reference=slice(None))
    with pytest.raises(TypeError, match="expected the Dataset of the training, got DataArray"):
        forecaster.certificate(ds.tp)
    with pytest.raises(KeyError, match=r"no variable \['t2m'\]"):
        forecaster.certificate(ds.drop_vars("t2m"))


def test_correlations_of_many_are_those_of_each_pair():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 90)), 1e4 + rng.standard_normal((3, 90))
    b[0] += 3 * a[1]
    b[2] = 7.0
    a[rng.random(a.shape) < 0.2], b[rng.random(b.shape) < 0.2] = np.nan, np.nan
    r, n = pairwise_correlation(a, b)
    for i in range(4):
        for j in range(3):
            both = np.isfinite(a[i]) & np.isfinite(b[j])
            assert n[i, j] == both.sum()
            expected = np.corrcoef(a[i][both], b[j][both])[0, 1] if j < 2 else np.nan
            np.testing.assert_allclose(r[i, j], expected, rtol=1e-9)


# --- real towers ----------------------------------------------------------------------------------------------


def test_real_towers_pass(data_dir):
    towers = open_dataset("fluxnet")[["TA_F", "P_F", "SW_IN_F", TARGET]].compute()
    drivers = ["TA_F", "P_F", "SW_IN_F"]
    found = fit(towers, drivers, "CauRec", window=15, lead=7).certificate(towers, device="cpu")
    assert found.clean, found
    assert pd.notna(found["future"].evidence["highest correlation with the future"])


def test_splits_may_hold_sites_that_have_no_window(ds):
    """They are left out of the training; the others keep their parts."""
    bare = ds.copy(deep=True)
    bare.tp[3] = np.nan
    splits = splits_of(ds)
    with pytest.warns(UserWarning, match="without a complete window .* left out: S3"):
        forecaster = fit(bare, variant="CauRec", split=splits)
    assert forecaster.splits.ranges.site.values.tolist() == ["S0", "S1", "S2", "S4", "S5", "S6", "S7"]
    xr.testing.assert_equal(forecaster.splits.ranges.sel(site="S6"), splits.ranges.sel(site="S6"))
    assert forecaster.certificate(bare, device="cpu").clean


def test_the_page_tells_of_every_check():
    page = (Path(__file__).parents[2] / "docs" / "guide" / "leakage.md").read_text()
    table = [line for line in page.splitlines() if line.startswith("| ")]
    assert [check for check in CHECKS if not any(f"`{check}`" in line for line in table)] == []
    measured = (Path(__file__).parents[2] / "docs" / "_include" / "leakage.md").read_text()
    assert f"{len(LEAKS)} of {len(LEAKS)} leaks" in measured, "run tests/campaigns/leakage.py"
