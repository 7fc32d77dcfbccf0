"""The leakage audit: every kind of leak is made on purpose and found, and nothing else is called one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tests.support.helpers import unchanged
from tests.support.towers import forced_soil, random_grid, random_sites
from xdrought import degrade_forcing
from xdrought.calendars import utc_days
from xdrought.causality import causality_degree
from xdrought.data import open_dataset
from xdrought.events import soil_moisture_percentile
from xdrought.forecast import fit_resattcaurec, fitting, load_forecaster
from xdrought.forecast.missing_inputs import fit_usual_year
from xdrought.leakage import AlarmThreshold, Finding, LeakageReport, audit_leakage
from xdrought.leakage.audited_data import gather
from xdrought.leakage.future_checks import check_day_boundaries, pairwise_correlation
from xdrought.scaling import fit_scaling
from xdrought.splits import PARTS, SplitConfig, Splits, chronological, spatial_monte_carlo
from xdrought.windows.filling import with_mask
from xdrought.windows.labelled import patches
from xdrought.windows.tensors import ResidentCube

TARGET, DRIVERS = "soil_moisture", ["tp", "t2m"]
SMALL = {"window": 5, "lead": 2, "epochs": 1, "batch_size": 256, "device": "cpu", "progress": False, "widths": (4, 4)}
CHECKS = [
    "data",
    "order",
    "overlap",
    "embargo",
    "same series",
    "same location",
    "scaling",
    "causality",
    "filled inputs",
    "reference",
    "percentiles",
    "standardised",
    "range",
    "site statistics",
    "future",
    "future of drivers",
    "day boundaries",
    "issue times",
    "weather ahead",
    "threshold",
    "filled gaps",
    "repeated days",
    "best epoch",
]


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


def bare(da: xr.DataArray) -> xr.DataArray:
    """Without the units of what it was made of, which arithmetic keeps."""
    return da.drop_attrs()


def splits_of(ds: xr.Dataset, **options) -> Splits:
    return chronological(patches(ds, TARGET, drivers=DRIVERS, window=5, lead=2), **options)


def spatial(ds: xr.Dataset, **options) -> Splits:
    return spatial_monte_carlo(patches(ds, TARGET, drivers=DRIVERS, window=5, lead=2), **options)


def train_days(ds: xr.Dataset) -> xr.DataArray:
    return splits_of(ds).training_days(ds.time).drop_vars("part", errors="ignore")


# --- clean set-ups --------------------------------------------------------------------------------------------


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


def test_a_driver_that_does_not_say_which_day_it_is_of_is_unknown(ds):
    """Temperature has no effect here, so nothing tells the day from the day before."""
    moved = ds.assign(other=ds.t2m.shift(time=-3)).isel(time=slice(0, -3))
    found = audit_leakage(fit(moved, [*DRIVERS, "other"]), moved)
    assert found.unknown == ("future of drivers",)
    assert "other is t2m 3 days later, or t2m its past" in found["future of drivers"].computed_on


def test_what_is_given_beside_the_data_and_knows_no_later_day_passes(ds):
    forecaster = fit(ds)
    found = audit_leakage(forecaster, ds, forcing=forcing(ds, 1.0), threshold=alarm(forecaster, ds, "val"))
    assert found.clean, found
    assert (found["issue times"].verdict, found["threshold"].verdict) == ("passed", "passed")


def test_what_is_given_and_cannot_be_judged_is_unknown(ds):
    forecaster = fit(ds)
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


def test_an_alarm_s_threshold_is_scored_by_counts(ds):
    """Of four forecasts two come true; from 0.4 on: two hits, one false alarm."""
    p = xr.DataArray([0.1, 0.4, 0.6, 0.9], {"time": ds.time[:4].values}, ("time",))
    given = AlarmThreshold(0.4, p, xr.DataArray([0, 1, 0, 1], p.coords, ("time",)))
    assert given.scores(xr.ones_like(p, dtype=bool)) == pytest.approx((2 / 3, 2 / 3))
    assert replace(given, score="f1", value=0.9).scores(xr.ones_like(p, dtype=bool)) == pytest.approx((2 / 3, 4 / 5))
    assert replace(given, score="peirce", value=0.7).scores(xr.ones_like(p, dtype=bool)) == pytest.approx((0.5, 0.5))
    with pytest.raises(ValueError, match="value=2; it is a probability"):
        replace(given, value=2)
    with pytest.raises(ValueError, match="score='best' is unknown"):
        replace(given, score="best")


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


def with_gaps(ds: xr.Dataset) -> xr.Dataset:
    rng = np.random.default_rng(5)
    return ds.assign({name: ds[name].where(rng.random(ds[name].shape) > 0.02) for name in DRIVERS})


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


def driver_is_the_rain_of_later_days(ds, monkeypatch):
    leaky = ds.assign(ahead=ds.tp.shift(time=-3))
    return fit(leaky, [*DRIVERS, "ahead"]), leaky


def driver_is_the_rain_of_later_days_in_a_longer_record(ds, monkeypatch):
    """Both cover the same days, so only the soil's response tells which of them is displaced."""
    leaky = ds.assign(ahead=ds.tp.shift(time=-3)).isel(time=slice(0, -3))
    return fit(leaky, [*DRIVERS, "ahead"]), leaky


def driver_is_the_sum_of_rain_to_come(ds, monkeypatch):
    leaky = ds.assign(ahead=ds.tp.rolling(time=3).sum().shift(time=-3))
    return fit(leaky, [*DRIVERS, "ahead"]), leaky


def driver_is_the_change_of_temperature_to_come(ds, monkeypatch):
    leaky = ds.assign(warming=bare(np.exp(ds.t2m.shift(time=-2) - ds.t2m)))
    return fit(leaky, [*DRIVERS, "warming"]), leaky


def a_weather_forecast_of_the_next_morning(ds, monkeypatch):
    rng = np.random.default_rng(4)
    noisy = (ds.tp + rng.random(ds.tp.shape)).assign_coords(init_time=("time", ds.time.values + np.timedelta64(1, "D")))
    leaky = ds.assign(forecast=noisy.drop_vars("init_time"))
    return fit(leaky, [*DRIVERS, "forecast"]), leaky.assign_coords(init_time=noisy.init_time)


def counted_by(ds: xr.Dataset, **days: str) -> xr.Dataset:
    """The same, and each variable says when its days begin."""
    return ds.assign({name: ds[name].assign_attrs(day_boundary=text) for name, text in days.items()})


def forcing(ds, noise: float) -> xr.Dataset:
    """Forecasts of rain of the days to come, right but for some noise."""
    leads = np.array([1, 2], "timedelta64[D]").astype("timedelta64[ns]")
    rain = xr.concat([ds.tp.shift(time=-k) for k in (1, 2)], pd.Index(leads, name="lead_time")).rename(time="init_time")
    return (rain + np.random.default_rng(5).normal(scale=noise, size=rain.shape)).to_dataset(name="tp")


def forcing_of_later_runs(ds, monkeypatch):
    late = forcing(ds, 1.0)
    reference = (
        "init_time",
        late.init_time.values + np.timedelta64(12, "h"),
        {"standard_name": "forecast_reference_time"},
    )
    return fit(ds), ds, {"forcing": late.assign_coords(run=reference)}


def forcing_that_is_observed(ds, monkeypatch):
    return fit(ds), ds, {"forcing": forcing(ds, 0.0)}


def percentiles_ranked_among_tested_days(ds, monkeypatch):
    return fit(ds), ds, {"reference": ds[TARGET]}


def percentiles_ranked_among_days_after_the_test(ds, monkeypatch):
    forecaster = fit(ds.isel(time=slice(0, 900)))
    return forecaster, ds.isel(time=slice(0, 900)), {"reference": ds[TARGET].isel(time=slice(900, None))}


def threshold_chosen_on_the_test_part(ds, monkeypatch):
    forecaster = fit(ds)
    return forecaster, ds, {"threshold": alarm(forecaster, ds, "test")}


def alarm(forecaster, ds: xr.Dataset, part: str) -> AlarmThreshold:
    """A noisy probability of a dry day, with the threshold of the highest CSI among the days of a part."""
    dry = ds[TARGET] < 3.0
    p = 1 / (1 + np.exp(1 - 2.0 * dry + np.random.default_rng(6).normal(size=dry.shape)))
    days = forecaster.splits.mask(part, ds.time).transpose(*p.dims).values
    given, came = p.values[days], dry.values[days]
    choices = np.quantile(given, np.linspace(0, 1, 200))
    csi = [(came & (given >= c)).sum() / (came | (given >= c)).sum() for c in choices]
    best = choices[int(np.argmax(csi))]
    every = np.unique(given)
    near = every[np.abs(every - best) < 0.05]  # the best of all lies beside the best of some
    return AlarmThreshold(
        float(max(near, key=lambda c: (came & (given >= c)).sum() / (came | (given >= c)).sum())), p, dry
    )


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
    leaky = ds.assign(t2m=bare((ds.t2m - ds.t2m.mean()) / ds.t2m.std()))
    return fit(leaky), leaky


def driver_is_without_normals_of_the_whole_record(ds, monkeypatch):
    leaky = ds.assign(t2m=bare(ds.t2m.groupby("time.dayofyear") - ds.t2m.groupby("time.dayofyear").mean()))
    return fit(leaky), leaky


def driver_is_scaled_by_extremes_of_the_whole_record(ds, monkeypatch):
    low, high = ds.t2m.min(), ds.t2m.max()
    ds = ds.assign(t2m=ds.t2m.where(ds.time != ds.time[-3], high + 1))  # the warmest day is tested
    low, high = ds.t2m.min("time"), ds.t2m.max("time")
    leaky = ds.assign(t2m=bare((ds.t2m - low) / (high - low)))
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
    return fit(
        ds, split=dated(ds, ("2001-12-15", "2003-12-31"), ("2001-06-15", "2001-12-01"), ("2001-01-08", "2001-06-01"))
    ), ds


test_before_training.__test__ = False  # a leak, not a test


def no_embargo(ds, monkeypatch):
    return fit(ds, split=SplitConfig(embargo=0)), ds


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
    (driver_is_the_rain_of_later_days, "future of drivers"),
    (driver_is_the_rain_of_later_days_in_a_longer_record, "future of drivers"),
    (driver_is_the_sum_of_rain_to_come, "future of drivers"),
    (driver_is_the_change_of_temperature_to_come, "future of drivers"),
    (a_weather_forecast_of_the_next_morning, "issue times"),
    (forcing_of_later_runs, "issue times"),
    (forcing_that_is_observed, "issue times"),
    (percentiles_ranked_among_tested_days, "reference"),
    (percentiles_ranked_among_days_after_the_test, "reference"),
    (threshold_chosen_on_the_test_part, "threshold"),
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
FOLLOWING = {"overlap": {"embargo", "scaling", "reference", "order"}, "order": {"scaling", "reference"}}


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
    forecaster = fit(ds)
    assert audit_leakage(forecaster, ds, reference=ds[TARGET].where(train_days(ds))).clean
    found = audit_leakage(forecaster, ds, reference=ds[TARGET])
    assert found.leaks == ("reference",)
    tested = sum(int(forecaster.splits.mask(part, ds.time).sum()) for part in ("val", "test"))
    assert found["reference"].numbers["tested values among them"] == tested


def test_weather_forecasts_that_are_not_given_are_not_called_clean(ds):
    forcing = degrade_forcing(ds, ["tp"], lead=2)
    forecaster = fit(ds, future=["tp"], forcing=forcing)
    found = audit_leakage(forecaster, ds, device="cpu")
    assert found.unknown == ("weather ahead", "best epoch")
    assert not found.clean
    assert audit_leakage(forecaster, ds, forcing=forcing, device="cpu")["weather ahead"].verdict == "passed"


def test_every_check_is_seen_to_find_something():
    assert {check for _, check in LEAKS} | {"data", "weather ahead", "filled inputs", "day boundaries"} == set(CHECKS)


# --- what cannot be told is not called clean ------------------------------------------------------------------


def test_other_data_certify_nothing(ds):
    forecaster = fit(ds, variant="CauRec")
    found = audit_leakage(forecaster, ds.isel(site=slice(0, 4)))
    assert not found.clean
    assert {"data", "scaling", "best epoch"} <= set(found.unknown)
    assert "unknown: " in str(found)
    assert "clean" not in str(found)


def test_parts_changed_after_training_certify_nothing(ds):
    forecaster = replace(fit(ds), splits=splits_of(ds, fractions=(0.5, 0.1, 0.4)))
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


def test_a_start_that_has_learnt_from_test_days_is_a_leak(ds):
    first = fit(ds)
    part = ds.isel(time=slice(0, 800))
    with pytest.warns(UserWarning, match="learnt from days that are now test days at 8"):
        tuned = fit(part, start_from=first)
    found = audit_leakage(tuned, part, start_from=first, device="cpu")
    assert found.leaks == ("scaling",)
    assert "learnt from test days at 8 place(s)" in found["scaling"].computed_on


def test_sites_without_coordinates_cannot_be_told_apart(ds):
    bare = ds.drop_vars(["lat", "lon"])
    assert audit_leakage(fit(bare, split=spatial(bare)), bare).unknown == ("same location",)


# --- the value, its words and its errors ----------------------------------------------------------------------


def test_a_report_is_read_as_text_table_and_html():
    found = LeakageReport(
        "Rec, 1 run",
        (
            Finding("scaling", "LEAK", "mean <and> spread", "the whole record", {"difference": 0.25, "days": 3}),
            Finding("order", "passed", "days", "one after the other"),
            Finding("causality", "unknown", "degrees", "cannot be told"),
        ),
    )
    assert not found.clean
    assert (found.leaks, found.unknown) == (("scaling",), ("causality",))
    assert found["order"].computed_on == "one after the other"
    first, second, *_ = str(found).splitlines()
    assert first == "<xdrought.LeakageReport of Rec, 1 run: LEAK in scaling; unknown: causality>"
    assert second == "  scaling   LEAK     the whole record"
    table = found.to_dataframe()
    assert table.index.tolist() == ["scaling", "order", "causality"]
    assert table.loc["scaling", "numbers"] == "difference 0.25, days 3"
    assert "mean &lt;and&gt; spread" in found._repr_html_()
    with pytest.raises(KeyError, match="no check 'order of days'; there are"):
        found["order of days"]


def test_what_is_refused(ds):
    forecaster = fit(ds)
    with pytest.raises(ValueError, match="near_km=0; it is a distance in km above 0"):
        audit_leakage(forecaster, ds, near_km=0)
    with pytest.raises(TypeError, match="reference is a slice; give the DataArray"):
        audit_leakage(forecaster, ds, reference=slice(None))
    with pytest.raises(TypeError, match="forcing is a DataArray; give a Dataset on"):
        audit_leakage(forecaster, ds, forcing=ds.tp)
    with pytest.raises(TypeError, match="threshold is a float; give an xdrought.leakage.AlarmThreshold"):
        audit_leakage(forecaster, ds, threshold=0.5)
    with pytest.raises(TypeError, match="start_from is a str; give the Forecaster that the training started from"):
        audit_leakage(forecaster, ds, start_from="first.xdrought")
    # The cures are followed where what is asked for is looked at, as this is.
    assert audit_leakage(forecaster, ds, reference=ds[TARGET].where(train_days(ds)), start_from=forecaster).clean
    with pytest.raises(TypeError, match="expected the Dataset of the training, got DataArray"):
        audit_leakage(forecaster, ds.tp)
    with pytest.raises(KeyError, match=r"no variable \['t2m'\]"):
        audit_leakage(forecaster, ds.drop_vars("t2m"))


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
    found = audit_leakage(fit(towers, drivers, "CauRec", window=15, lead=7), towers, device="cpu")
    assert found.clean, found
    assert pd.notna(found["future"].numbers["highest correlation with the future"])


# --- days of drivers and target -------------------------------------------------------------------------------

UTC, LOCAL = "00:00 UTC", "00:00 local standard time"


def days_of(ds: xr.Dataset, **days: str):
    """What this check alone says, of a forecaster of the eight towers."""
    return check_day_boundaries(gather(counted_by(ds, **days), trained()))


@cache
def trained():
    return fit(eight_towers())


def test_hours_of_a_later_day_are_counted_at_each_place(ds):
    """Eight towers from 100 degrees west to 120 degrees east: at the last one ten minus two hours are to come."""
    found = days_of(ds, tp=UTC, t2m=LOCAL, soil_moisture=LOCAL)
    assert found.verdict == "LEAK"
    assert found.numbers == {"hours later, tp": 8.0, "hours later, t2m": 0.0}
    leaky = counted_by(ds, tp=UTC, t2m=LOCAL, soil_moisture=LOCAL)
    assert audit_leakage(fit(leaky), leaky, device="cpu").leaks == ("day boundaries",)
    assert "8 hours of the day after at S7 in tp (00:00 UTC, target 00:00 local standard time)" in found.computed_on
    eastern = ds.assign_coords(lon=("site", np.full(8, 150.0)))
    assert days_of(eastern, tp=UTC, t2m=UTC, soil_moisture=LOCAL).numbers["hours later, t2m"] == 10.0
    assert days_of(eastern, tp="00:00 UTC+10", t2m="00:00 UTC+10", soil_moisture=LOCAL).verdict == "passed"
    western = ds.assign_coords(lon=("site", np.full(8, 240.0)))
    found = days_of(western, tp=UTC, t2m=UTC, soil_moisture=LOCAL)
    assert (found.verdict, found.numbers["hours later, tp"]) == ("passed", -8.0)
    assert days_of(western, tp=LOCAL, t2m=LOCAL, soil_moisture=UTC).numbers["hours later, tp"] == 8.0


def test_the_cure_of_days_that_end_late_is_followed(ds):
    """Towers of central Europe beside UTC days of ERA5: one hour of tomorrow; days from the hours anew have none."""
    europe = ds.assign_coords(lon=("site", np.linspace(-8.0, 30.0, 8)))
    found = days_of(europe, tp=UTC, t2m=UTC, soil_moisture=LOCAL)
    assert (found.verdict, found.numbers["hours later, tp"]) == ("LEAK", 2.0)
    central = ds.assign_coords(lon=("site", np.full(8, 11.0)))
    assert "1 hour of the day after at S0" in days_of(central, tp=UTC, t2m=UTC, soil_moisture=LOCAL).computed_on
    anew = utc_days(float(re.search(r"utc_offset=(\d+)", found.computed_on)[1]))
    assert days_of(europe, tp=anew, t2m=anew, soil_moisture=LOCAL).verdict == "passed"


def test_a_standard_time_that_is_given_goes_before_the_sun_s(ds):
    """Spain lies west of Greenwich and counts its days an hour before it."""
    spain = ds.assign_coords(lon=("site", np.full(8, -4.0)))
    said = {"tp": UTC, "t2m": UTC, "soil_moisture": LOCAL}
    assert days_of(spain, **said).verdict == "passed"
    told = spain.assign_coords(utc_offset=("site", np.r_[np.nan, np.ones(7)]))
    assert days_of(told, **said).numbers["hours later, tp"] == 1.0
    assert "at S1 in tp" in days_of(told, **said).computed_on


def test_days_that_cannot_be_compared_are_unknown(ds):
    assert days_of(ds).verdict == "absent"
    assert "t2m without 'day_boundary'" in days_of(ds, tp=UTC, soil_moisture=UTC).computed_on
    assert "soil_moisture without 'day_boundary'" in days_of(ds, tp=UTC, t2m=UTC).computed_on
    assert "'06:00 UTC' is none of" in days_of(ds, tp="06:00 UTC", t2m=UTC, soil_moisture=UTC).computed_on
    found = days_of(ds.drop_vars("lon"), tp=UTC, t2m=UTC, soil_moisture=LOCAL)
    assert (found.verdict, "without a longitude" in found.computed_on) == ("unknown", True)
    assert days_of(ds.drop_vars("lon"), tp=LOCAL, t2m=LOCAL, soil_moisture=LOCAL).verdict == "passed"
    constant = ds.assign(t2m=ds.t2m * 0 + 280.0)
    assert days_of(constant, tp=UTC, soil_moisture=UTC).verdict == "passed"


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


def test_the_page_tells_of_every_check():
    page = (Path(__file__).parents[2] / "docs" / "guide" / "leakage.md").read_text()
    table = [line for line in page.splitlines() if line.startswith("| ")]
    assert [check for check in CHECKS if not any(f"`{check}`" in line for line in table)] == []
    measured = (Path(__file__).parents[2] / "docs" / "_include" / "leakage.md").read_text()
    assert f"{len(LEAKS)} of {len(LEAKS)} leaks" in measured, "run tests/campaigns/leakage.py"
