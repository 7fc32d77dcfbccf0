"""Every kind of leak, made on purpose: each gives a forecaster and the data, or what is given beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr

from tests.support.audited import (
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
)
from xdrought.causality import causality_degree
from xdrought.events import soil_moisture_percentile
from xdrought.forecast import fitting
from xdrought.scaling import fit_scaling
from xdrought.splits import PARTS, SplitConfig, Splits


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


def forcing_of_later_runs(ds, monkeypatch):
    late = forcing(ds, 1.0)
    reference = (
        "init_time",
        late.init_time.values + np.timedelta64(12, "h"),
        {"standard_name": "forecast_reference_time"},
    )
    return trained(), ds, {"forcing": late.assign_coords(run=reference)}


def forcing_that_is_observed(ds, monkeypatch):
    return trained(), ds, {"forcing": forcing(ds, 0.0)}


def percentiles_ranked_among_tested_days(ds, monkeypatch):
    return trained(), ds, {"reference": ds[TARGET]}


def percentiles_ranked_among_days_after_the_test(ds, monkeypatch):
    forecaster = fit(ds.isel(time=slice(0, 900)))
    return forecaster, ds.isel(time=slice(0, 900)), {"reference": ds[TARGET].isel(time=slice(900, None))}


def threshold_chosen_on_the_test_part(ds, monkeypatch):
    forecaster = fit(ds)
    return forecaster, ds, {"threshold": alarm(forecaster, ds, "test")}


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


def parts_in_the_wrong_order(ds, monkeypatch):
    return fit(
        ds, split=dated(ds, ("2001-12-15", "2003-12-31"), ("2001-06-15", "2001-12-01"), ("2001-01-08", "2001-06-01"))
    ), ds


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
    (parts_in_the_wrong_order, "order"),
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
