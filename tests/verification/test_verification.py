"""Scores: worked by hand, equal to other libraries, on the same days as their references, with honest intervals."""

from __future__ import annotations

import cftime
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from xdrought import select_lead
from xdrought.events import flash_drought_events
from xdrought.kernels import score_sums as kernel
from xdrought.verification.differences import compare_models
from xdrought.verification.references import climatology_forecast, damped_persistence_forecast, persistence_forecast
from xdrought.verification.scores import class_scores, generalization_ability, to_table, verify


def daily(values, start="2001-01-01", **coords) -> xr.DataArray:
    values = np.asarray(values, dtype=float)
    dims = ("site", "time")[-values.ndim :]
    labels = {"time": pd.date_range(start, periods=values.shape[-1])}
    if values.ndim == 2:
        labels["site"] = [f"S{i}" for i in range(values.shape[0])]
    return xr.DataArray(values, labels | coords, dims, name="soil_moisture", attrs={"units": "percent"})


def world(n_site=6, n_time=900, seed=0) -> tuple[xr.DataArray, xr.DataArray]:
    """Soil moisture as an autoregressive series about a season, and a forecast of its last 300 days."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_site, n_time))
    for t in range(1, n_time):
        noise[:, t] += 0.95 * noise[:, t - 1]
    season = 8 * np.cos(2 * np.pi * np.arange(n_time) / 365.25)
    seen = daily(30 + season + noise + rng.uniform(-5, 5, (n_site, 1)))
    forecast = (seen + rng.standard_normal(seen.shape)).isel(time=slice(600, None))
    return forecast.assign_coords(lead_time=np.timedelta64(7, "D")), seen


def test_scores_by_hand():
    # observed 1 2 3 4, forecast 2 2 4 4, first issued on the day before
    seen = daily([1.0, 1, 2, 3, 4])
    forecast = daily([2.0, 2, 4, 4], start="2001-01-02")
    found = verify(forecast, seen, lead=1, references="persistence", block_length=1, n_boot=10).sel(
        model="forecast", site="all"
    )
    assert found.mse.item() == pytest.approx(2 / 4)
    assert found.rmse.item() == pytest.approx(np.sqrt(0.5))
    assert found.mae.item() == pytest.approx(0.5)
    assert found.bias.item() == pytest.approx(0.5)
    assert found.nse.item() == pytest.approx(1 - 2 / 5)  # spread of the observation: 2.25 + 0.25 + 0.25 + 2.25
    # means 3 and 2.5, variances 1 and 1.25, covariance (1.5 + 0.5 + 0.5 + 1.5) / 4 = 1
    r, spread, mean = 1 / np.sqrt(1.25), np.sqrt(1 / 1.25), 3 / 2.5
    assert found.correlation.item() == pytest.approx(r)
    assert found.kge.item() == pytest.approx(1 - np.sqrt((r - 1) ** 2 + (spread - 1) ** 2 + (mean - 1) ** 2))
    # persistence says 1 1 2 3: squared errors 0 1 1 1
    assert found.skill.sel(reference="persistence").item() == pytest.approx(1 - 0.5 / 0.75)
    assert found.n_days.item() == 4


def test_scores_equal_other_libraries():
    from scores import continuous
    from sklearn.metrics import r2_score

    forecast, seen = world()
    forecast = forecast.where(np.random.default_rng(1).random(forecast.shape) > 0.1)
    found = verify(forecast, seen, n_boot=1).sel(model="forecast")
    truth = seen.reindex_like(forecast)
    for dims, picked in ((["time"], ""), (["site", "time"], "_summary")):
        ours = {n: found[n + picked] for n in ("rmse", "mse", "mae", "bias", "nse", "kge", "correlation")}
        if picked:
            ours = {n: one.sel(summary="pooled") for n, one in ours.items()}
        expected = {
            "rmse": continuous.rmse(forecast, truth, reduce_dims=dims),
            "mse": continuous.mse(forecast, truth, reduce_dims=dims),
            "mae": continuous.mae(forecast, truth, reduce_dims=dims),
            "bias": continuous.additive_bias(forecast, truth, reduce_dims=dims),
            "kge": continuous.kge(forecast, truth, reduce_dims=dims),
            "correlation": continuous.correlation.pearsonr(forecast, truth, reduce_dims=dims),
        }
        for name, one in expected.items():
            np.testing.assert_allclose(ours[name], one, rtol=1e-12, atol=1e-12, err_msg=name)
    for site in range(6):
        both = np.isfinite(forecast[site].values)
        expected_nse = r2_score(truth[site].values[both], forecast[site].values[both])
        assert found.nse[site].item() == pytest.approx(expected_nse, abs=1e-12)


def test_anomaly_correlation_is_that_of_the_anomalies():
    forecast, seen = world()
    found = verify(forecast, seen, n_boot=1)
    normal = climatology_forecast(seen, forecast, train=slice(None, "2002-08-17"))  # the first day of issue
    for site in range(6):
        a, b = (forecast - normal)[site], (seen.reindex_like(forecast) - normal)[site]
        expected = np.corrcoef(a, b)[0, 1]
        assert found.anomaly_correlation.sel(model="forecast")[site].item() == pytest.approx(expected, abs=1e-10)
    assert np.isnan(found.anomaly_correlation.sel(model="climatology")).all()  # it has no anomalies


def test_shape_labels_and_summaries():
    forecast, seen = world()
    seen = seen.assign_coords(lat=("site", np.arange(6.0)))
    found = verify(forecast, seen, n_boot=20)
    assert found["model"].values.tolist() == ["forecast", "persistence", "damped_persistence", "climatology"]
    assert found.nse.dims == ("model", "site")
    assert found.nse_summary.dims == ("model", "summary")
    assert found.nse_interval.dims == ("model", "summary", "bound")
    assert found.skill.dims == ("reference", "model", "site")
    assert found.skill_interval.dims == ("reference", "model", "summary", "bound")
    assert "time" not in found.dims
    np.testing.assert_array_equal(found["lat"], seen["lat"])
    assert found.rmse.attrs == {"long_name": "root mean squared error", "units": "percent"}
    assert found.mse.attrs["units"] == "(percent)^2"
    assert found.attrs["interval"] == (
        "95 % block bootstrap nested in 6 sites, blocks of 1/12 of a record, 30 steps or more"
    )
    np.testing.assert_allclose(found.nse_summary.sel(summary="median"), found.nse.median("site"))
    pooled = ((forecast - seen.reindex_like(forecast)) ** 2).mean()
    np.testing.assert_allclose(found.mse_summary.sel(model="forecast", summary="pooled"), pooled)


def test_models_and_references_are_scored_on_the_same_days():
    forecast, seen = world()
    holes = forecast.where(forecast["time"] != forecast["time"][5])
    seen = seen.where(seen["time"] != seen["time"][610])  # no truth on one day, no persistence seven days later
    found = verify(holes, seen, n_boot=1)
    assert (found.n_days == 300 - 3).all()
    assert (found.n_forecast_days == 300 - 2).all()
    days = forecast["time"][[i for i in range(300) if i not in (5, 10, 17)]]
    held = seen.shift(time=7).sel(time=days)
    expected = np.sqrt(((held - seen.sel(time=days)) ** 2).mean("time"))
    np.testing.assert_allclose(found.rmse.sel(model="persistence"), expected, rtol=1e-12)


def test_skill_against_itself_is_zero_and_the_identity_holds():
    forecast, seen = world()
    found = verify(forecast, seen, n_boot=5)
    for name in ("persistence", "damped_persistence", "climatology"):
        np.testing.assert_allclose(found.skill.sel(reference=name, model=name), 0, atol=1e-12)
        expected = 1 - found.mse.sel(model="forecast") / found.mse.sel(model=name)
        np.testing.assert_allclose(found.skill.sel(reference=name, model="forecast"), expected)


def test_several_models_share_their_days():
    forecast, seen = world()
    other = (forecast + 1).where(forecast["time"] != forecast["time"][3])
    found = verify({"a": forecast, "b": other}, seen, n_boot=5)
    assert found["model"].values.tolist() == ["a", "b", "persistence", "damped_persistence", "climatology"]
    assert (found.n_days == 299).all()
    np.testing.assert_allclose(found.bias.sel(model="b") - found.bias.sel(model="a"), 1)


def test_runs_are_averaged_and_a_dataset_is_searched_by_name():
    forecast, seen = world()
    runs = xr.concat([forecast - 1, forecast + 1], "run")
    expected = verify(forecast, seen, n_boot=5)
    found = verify(runs, seen, n_boot=5)
    own = [name for name in found.data_vars if "run" in str(name).split("_")]
    for run, one in enumerate((forecast - 1, forecast + 1)):
        alone = verify(one, seen, n_boot=5).sel(model="forecast", summary="pooled")
        for name in ("nse", "rmse", "kge", "bias"):
            pooled = found[f"{name}_run"].sel(model="forecast", run=run)
            np.testing.assert_allclose(pooled, alone[f"{name}_summary"], rtol=1e-12)
    xr.testing.assert_allclose(found.drop_vars([*own, "run"]), expected)
    expected = found
    both = xr.Dataset({"soil_moisture": runs, "spread": runs.std("run")})
    xr.testing.assert_allclose(verify(both, seen, n_boot=5), expected)
    xr.testing.assert_allclose(verify(both[["soil_moisture"]], seen.rename(None), n_boot=5), expected)


def test_units_are_converted_or_refused():
    forecast, seen = world()
    fraction = (forecast / 100).assign_attrs(units="m3 m-3")
    np.testing.assert_allclose(verify(fraction, seen, n_boot=1).rmse, verify(forecast, seen, n_boot=1).rmse)
    with pytest.raises(ValueError, match="'soil_moisture' has units 'K', which cannot be converted"):
        verify(forecast.assign_attrs(units="K"), seen)


def test_dask_and_dimension_order_and_names_do_not_matter():
    forecast, seen = world(3)
    expected = verify(forecast, seen, n_boot=5)
    xr.testing.assert_allclose(verify(forecast.chunk(site=1).T, seen.chunk(time=100), n_boot=5), expected)
    renamed = verify(
        forecast.rename(site="tower", time="day"),
        seen.rename(site="tower", time="day"),
        site="tower",
        time="day",
        n_boot=5,
    )
    xr.testing.assert_allclose(renamed.rename(tower="site"), expected)
    with unchanged(forecast, seen):
        verify(forecast, seen, n_boot=5)


# what is missing


def test_an_empty_site_is_nan_with_a_count():
    forecast, seen = world(3)
    forecast = forecast.where(forecast["site"] != "S1")
    found = verify(forecast, seen, n_boot=50)
    assert found.n_days.values.tolist() == [300, 0, 300]
    assert np.isnan(found.nse.sel(site="S1")).all()
    assert np.isfinite(found.nse_interval).all()
    assert found.attrs["interval"].startswith("95 % block bootstrap nested in 2 sites")
    assert found.attrs["interval"].endswith("; medians of so few sites: 50 % at most")
    alone = verify(forecast.drop_sel(site="S1"), seen.drop_sel(site="S1"), n_boot=50)
    xr.testing.assert_allclose(found.nse_summary, alone.nse_summary)


def test_a_constant_observation_has_errors_but_no_efficiency():
    seen = daily(np.full((2, 40), 0.1) + [[0.0], [5.0]])
    forecast = daily(np.random.default_rng(0).standard_normal((2, 30)), start="2001-01-11")
    found = verify(forecast, seen, lead=1, references="persistence", n_boot=5)
    assert np.isnan(found.nse).all()
    assert np.isnan(found.kge).all()
    assert np.isfinite(found.rmse).all()
    assert np.isnan(found.skill).all()  # persistence makes no error
    assert np.isfinite(found.nse_summary.sel(model="forecast", summary="pooled"))


def test_a_site_without_references_warns():
    forecast, seen = world(2)
    late = seen.where((seen["site"] == "S0") | (seen["time"] >= forecast["time"][0]))
    with pytest.warns(UserWarning, match=r"sites \['S1'\] have forecasts but no day that all references share"):
        found = verify(forecast, late, n_boot=5)
    assert found.n_days.values.tolist() == [300, 0]
    assert found.n_forecast_days.values.tolist() == [300, 300]


def test_nothing_to_score_says_so():
    forecast, seen = world(2)
    found = verify(forecast * np.nan, seen)
    assert found.attrs["interval"] == "no interval: no day could be scored"
    assert np.isnan(found.rmse).all()
    assert np.isnan(found.rmse_interval).all()


# references


def test_persistence_is_what_was_seen_on_the_day_of_issue():
    seen = daily([10.0, 11, np.nan, 13, 14, 15])
    forecast = seen[2:]
    expected = [10, 11, np.nan, 13]
    for lead in (2, np.timedelta64(2, "D"), pd.Timedelta(days=2)):
        np.testing.assert_array_equal(persistence_forecast(seen, forecast, lead=lead), expected)
    for lead_time in (np.timedelta64(2, "D"), 2):
        np.testing.assert_array_equal(persistence_forecast(seen, forecast.assign_coords(lead_time=lead_time)), expected)
    issued = forecast.assign_coords(init_time=("time", forecast.indexes["time"] - pd.Timedelta(days=2)))
    found = persistence_forecast(seen, issued)
    np.testing.assert_array_equal(found, expected)
    assert found.indexes["time"].equals(forecast.indexes["time"])
    np.testing.assert_array_equal(persistence_forecast(seen[2:], forecast, lead=2), [np.nan] * 2 + [np.nan, 13])


def test_persistence_on_another_calendar():
    time = xr.date_range("2001-02-26", periods=6, calendar="noleap", use_cftime=True)
    seen = xr.DataArray(np.arange(6.0), {"time": time}, name="sm")
    assert persistence_forecast(seen, seen[3:], lead=2).values.tolist() == [1, 2, 3]
    assert isinstance(time[0], cftime.DatetimeNoLeap)


def test_climatology_is_the_mean_of_the_training_days_around_the_date():
    seen = daily(np.arange(3 * 365.0) / 20)  # no leap year from 2001 to 2003
    found = climatology_forecast(seen, seen[730:], train=slice(None, "2002-12-31"), window=1)
    # day d of the year: days d - 1, d, d + 1 of both years, a twentieth of d + {-1, 0, 1} and 365 more
    assert found[100].item() == pytest.approx((100 + 365 / 2) / 20)
    # 1 January: 31 December, 1 and 2 January of 2001 and 2002
    assert found[0].item() == pytest.approx(np.mean([364, 0, 1, 729, 365, 366]) / 20)
    np.testing.assert_array_equal(found["time"], seen["time"][730:])
    assert found.attrs["units"] == "percent"


def test_climatology_sees_the_training_part_only():
    seen = daily(30 + np.random.default_rng(0).standard_normal((2, 900)))
    train = slice(None, "2002-12-31")
    mask = seen["time"] <= np.datetime64("2002-12-31")
    expected = climatology_forecast(seen, seen[:, 730:], train=train)
    spoiled = seen.where(mask, 99.0)
    for period in (train, (None, "2002-12-31"), mask, mask & (seen["site"] != "")):
        xr.testing.assert_allclose(climatology_forecast(spoiled, seen[:, 730:], train=period), expected)


def test_climatology_without_a_training_day_nearby_is_nan_and_29_february_has_one():
    seen = daily(np.ones(800))
    found = climatology_forecast(seen, seen, train=slice("2001-03-01", "2001-06-30"), window=5)
    known = found["time"].values[np.isfinite(found)]
    assert (known[0], known[121 + 10]) == (np.datetime64("2001-02-24"), np.datetime64("2001-07-05"))
    leap = daily(np.arange(10.0), start="2004-02-25")
    assert climatology_forecast(leap, leap, train=slice(None), window=0)[4].item() == 3.5  # 28 and 29 February


def test_damped_persistence_is_the_regression_of_anomalies_in_the_training_part():
    _, seen = world(n_site=2)
    forecast, train = seen[:, 650:], slice(None, "2002-09-30")
    found = damped_persistence_forecast(seen, forecast, train=train, lead=7)
    assert found.dims == seen.dims
    normal = climatology_forecast(seen, seen, train=train).values
    n_train = int((seen["time"] <= np.datetime64("2002-09-30")).sum())
    for k in range(2):
        anomaly = seen.values[k] - normal[k]
        a, b = anomaly[: n_train - 7], anomaly[7:n_train]
        slope = (a * b).sum() / (a * a).sum()
        assert 0 < slope < 0.95  # 0.95 ** 7 = 0.70, less what the climatology of two years takes away
        np.testing.assert_allclose(found.values[k], normal[k, 650:] + slope * anomaly[643:-7], rtol=1e-12)


def test_damped_persistence_sees_the_training_part_only_and_knows_what_is_missing():
    _, seen = world(n_site=1)
    train = slice(None, "2002-09-30")  # day 637
    expected = damped_persistence_forecast(seen, seen[:, 660:700], train=train, lead=7)
    spoiled = seen.where(seen["time"] < seen["time"][700], 99.0)
    found = damped_persistence_forecast(spoiled, seen[:, 660:700], train=train, lead=7)
    xr.testing.assert_allclose(found, expected)
    holed = seen.where(seen["time"] != seen["time"][660])
    assert np.isnan(damped_persistence_forecast(holed, seen[:, 667:668], train=train, lead=7)).all()
    constant = xr.full_like(seen, 5.0)  # no anomaly, so no regression: the climatology
    assert (damped_persistence_forecast(constant, seen[:, 660:], train=train, lead=7) == 5).all()
    mixed = seen[0, 660:].assign_coords(init_time=("time", seen["time"].values[650:-10]))
    mixed["init_time"].values[0] -= np.timedelta64(1, "D")
    with pytest.raises(ValueError, match="the forecast has several lead times"):
        damped_persistence_forecast(seen, mixed, train=train)


def test_the_default_climatology_ends_at_each_sites_first_issue():
    forecast, seen = world(2)
    forecast = forecast.where((forecast["site"] == "S0") | (forecast["time"] >= forecast["time"][100]))
    found = verify(forecast, seen, n_boot=1)
    for site, first in (("S0", 600), ("S1", 700)):
        train = slice(None, seen.indexes["time"][first - 7])
        alone = verify(forecast.sel(site=[site]), seen.sel(site=[site]), train=train, n_boot=1)
        np.testing.assert_allclose(found.rmse.sel(site=site), alone.rmse.sel(site=site), rtol=1e-12)


# intervals


def test_intervals_follow_the_seed_and_hold_the_value():
    forecast, seen = world(12)
    found = [verify(forecast, seen, n_boot=200, seed=seed) for seed in (1, 1, 2)]
    xr.testing.assert_identical(found[0], found[1])
    assert not np.allclose(found[0].nse_interval, found[2].nse_interval)
    low, high = found[0].rmse_interval.sel(bound="lower"), found[0].rmse_interval.sel(bound="upper")
    assert ((low <= found[0].rmse_summary) & (found[0].rmse_summary <= high)).all()
    wide = verify(forecast, seen, n_boot=200, seed=1, confidence=0.99).rmse_interval
    assert (wide.diff("bound").values > (high - low).values[..., None]).all()


def test_moments_add_up():
    rng = np.random.default_rng(0)
    f, o, c = rng.standard_normal((3, 2, 30)) + 5
    f[0, 3] = np.nan
    sums = kernel.moments(f, o, c, 5.0)
    halves = kernel.scores(sums[:, :15].sum(axis=1) + sums[:, 15:].sum(axis=1), 5.0)
    whole = kernel.scores(kernel.moments(f, o, c, 4.0).sum(axis=1), 4.0)
    for name in kernel.SCORES:
        np.testing.assert_allclose(halves[name], whole[name], rtol=1e-12)


# generalization, tables


def test_generalization_ability_is_training_over_test_error():
    forecast, seen = world()
    training = verify(seen + 2, seen, lead=7, train=slice(None), n_boot=1)
    test = verify(forecast * 0 + seen + 4, seen, n_boot=1)
    found = generalization_ability(training, test)
    np.testing.assert_allclose(found.ga.sel(model="forecast"), 0.5)
    np.testing.assert_allclose(found.ga_summary.sel(model="forecast"), [0.5, 0.5])
    expected = training.rmse.sel(model="persistence") / test.rmse.sel(model="persistence")
    np.testing.assert_allclose(found.ga.sel(model="persistence"), expected)
    assert found.ga_summary["summary"].values.tolist() == ["median", "pooled"]
    with pytest.raises(ValueError, match="the two results have different models or sites"):
        generalization_ability(training.isel(site=[0]), test)
    with pytest.raises(ValueError, match="no rmse and rmse_summary; give two results of verify"):
        generalization_ability(training, test.drop_vars("rmse"))


def with_parts(forecast: xr.DataArray) -> xr.DataArray:
    """The forecast of 300 days: 100 of training, 50 outside of all parts, 150 of the test."""
    flags = {"flag_values": np.arange(4, dtype="int8"), "flag_meanings": "outside train val test"}
    return forecast.assign_coords(part=("time", np.repeat([1, 0, 3], [100, 50, 150]).astype("int8"), flags))


def test_a_forecast_that_knows_its_parts_is_scored_on_its_test_days():
    forecast, seen = world(n_site=2)
    known, options = with_parts(forecast), {"n_boot": 1, "train": slice(None, "2002-06-01")}
    for part, days in (("test", slice(150, None)), ("train", slice(0, 100)), (None, slice(None))):
        found = verify(known, seen, part=part, **options)
        expected = verify(forecast.isel(time=days), seen, **options)
        xr.testing.assert_allclose(found[["nse", "skill", "n_days"]], expected[["nse", "skill", "n_days"]])
        assert found.attrs["part"] == (part or "all days")
        table = compare_models(known, seen, part=part, baseline="persistence", **options)
        by_hand = compare_models(forecast.isel(time=days), seen, baseline="persistence", **options)
        np.testing.assert_allclose(table["difference"], by_hand["difference"])
    xr.testing.assert_identical(verify(known, seen, **options).nse, verify(known, seen, part="test", **options).nse)


def test_a_forecast_without_test_days_is_scored_as_it_is_and_says_so():
    forecast, seen = world(n_site=2)
    for given in (forecast, with_parts(forecast).isel(time=slice(0, 100))):
        assert verify(given, seen, n_boot=1).attrs["part"] == "all days"
    with pytest.raises(ValueError, match="part='train', but the forecast has no coordinate 'part' on 'time'"):
        verify(forecast, seen, part="train")
    assert verify(forecast, seen, part=None, n_boot=1).attrs["part"] == "all days"
    for function in (verify, compare_models):
        with pytest.raises(ValueError, match="part='later' is unknown; choose one of"):
            function(forecast, seen, part="later")


@pytest.mark.parametrize("places", ["station", "grid", "series"])
def test_events_are_a_table_of_twelve_columns_at_most(places):
    days = pd.date_range("2001-01-01", periods=1500)
    values = 30 + np.cumsum(np.random.default_rng(0).standard_normal((2, 1500)) * 0.3, axis=1)
    soil = daily(values).assign_coords(lat=("site", [47.1, 51.0]), country=("site", ["AT", "DE"]))
    if places == "grid":
        soil = xr.DataArray(values[None], {"lat": [47.0], "lon": [1.0, 2.0], "time": days})
    events = flash_drought_events(soil.isel(site=0, drop=True) if places == "series" else soil)
    table = to_table(events)
    where = {"station": ["site"], "grid": ["lat", "lon"], "series": []}[places]
    assert table.columns.tolist()[: len(where)] == where
    assert len(table.columns) <= 12
    assert {"onset_time", "start_time", "end_time", "duration", "is_flash", "is_censored"} <= set(table.columns)
    assert not {"cell", "country", "gap_days"} & set(table.columns)
    assert max(map(len, repr(table).splitlines())) <= 80
    assert len(table) == events.sizes["event"] > 0
    np.testing.assert_array_equal(table["severity"], events.severity.values.round(2))
    assert to_table(events, names=["gap_days"]).columns.tolist() == [*where, "gap_days"]
    with pytest.raises(ValueError, match="no column 'length' of events; choose from"):
        to_table(events, names=["length"])


def test_table_has_a_row_per_model_and_every_interval():
    forecast, seen = world()
    scores = verify(forecast, seen, n_boot=50)
    table = to_table(scores, digits=3)
    assert table.index.tolist() == ["forecast", "persistence", "damped_persistence", "climatology"]
    skills = [f"skill against {name}" for name in ("persistence", "damped_persistence", "climatology")]
    assert table.columns.tolist() == ["rmse", "nse", "kge", *skills]
    with pd.option_context("display.width", 80, "display.max_columns", 0):  # as in a terminal
        for printed, names in ((repr(table), table.columns), (repr(table.T), table.index)):
            assert all(name in printed for name in names)
            assert "..." not in printed
            assert max(map(len, printed.splitlines())) <= 80
    value = scores.rmse_summary.sel(model="forecast", summary="median").item()
    low, high = scores.rmse_interval.sel(model="forecast", summary="median").values
    assert table.loc["forecast", "rmse"] == f"{value:.3f} ({low:.3f} to {high:.3f})"
    pooled = to_table(scores, names=["bias"], summary="pooled")
    assert pooled.loc["forecast", "bias"].startswith(f"{scores.bias_summary.sel(summary='pooled')[0].item():.2f} (")
    bare = to_table(verify(forecast.isel(site=[0]), seen, n_boot=5, block_length=300), names=["rmse"])
    assert "(" not in bare.loc["forecast", "rmse"]
    with pytest.raises(ValueError, match="summary='mean' is unknown; choose one of"):
        to_table(scores, summary="mean")
    with pytest.raises(ValueError, match="no score 'r2'; choose from"):
        to_table(scores, names=["r2"])


def test_scores_can_be_drawn():
    pytest.importorskip("matplotlib").use("Agg")
    from xdrought.plot import plot_scores

    forecast, seen = world()
    assert plot_scores(verify(forecast, seen, n_boot=5)).get_xlabel() != ""


# refusals


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"references": ()}, ValueError, r"references=\(\); a score needs at least one of"),
        ({"references": ["chance"]}, ValueError, r"references=\('chance',\); a score needs at least one"),
        ({"n_boot": 0}, ValueError, "n_boot=0; it must be a whole number, 1 or more"),
        ({"confidence": 95}, ValueError, "confidence=95; it must be a share between 0 and 1"),
        ({"observed": np.zeros(3)}, TypeError, "the observation must be a DataArray, got ndarray; give it labels"),
        ({"observed": world(2)[1].isel(time=0)}, ValueError, "no dimension 'time' in 'soil_moisture'"),
        ({"observed": world(2)[1].astype(str)}, TypeError, "'soil_moisture' has dtype <U32; expected numbers"),
        ({"observed": world(2)[1] > 0.2}, TypeError, "'soil_moisture' has dtype bool; expected numbers"),
        (
            {"observed": world(2)[1].assign_coords(time=world(2)[1].time + np.timedelta64(14610, "D"))},
            ValueError,
            r"the observation lacks \d+ of the record's \d+ labels along 'time' .*keep what both have",
        ),
        ({"observed": world(2)[1].drop_vars("time")}, ValueError, "dimension 'time' has no coordinate"),
        (
            {"observed": world(2)[1].isel(time=[0, 0])},
            ValueError,
            "'soil_moisture' has 2001-01-01 00:00:00 twice along 'time'",
        ),
        ({"observed": world(1)[1]}, ValueError, r"the observation lacks 1 of the record's 2 labels along 'site' \(S1;"),
        (
            {"forecast": world(2)[0].expand_dims(level=2)},
            ValueError,
            r"'soil_moisture' has dimensions \['level'\] beside 'site' and 'time'; choose along them",
        ),
        (
            {"forecast": world(2)[0].drop_vars("lead_time")},
            ValueError,
            "the forecast has neither init_time.* e.g. lead=7",
        ),
        ({"forecast": {}}, ValueError, r"models are called \[\]; give at least one"),
        ({"forecast": {"persistence": world(2)[0]}}, ValueError, r"models are called \['persistence'\]"),
        (
            {"forecast": xr.Dataset({"a": world(2)[0], "b": world(2)[0]})},
            ValueError,
            r"no variable 'soil_moisture' in the forecast, which has \['a', 'b'\]; choose one",
        ),
        (
            {"forecast": {"a": world(2)[0], "b": world(2)[0].isel(site=[0])}},
            ValueError,
            "'b' lacks 1 of the record's 2 labels along 'site'",
        ),
        (
            {"forecast": {"a": world(2)[0][:, :50], "b": world(2)[0][:, 60:]}},
            ValueError,
            "the models have no valid time in common",
        ),
        (
            {"forecast": {"a": world(2)[0], "b": world(2)[0].assign_coords(lead_time=np.timedelta64(3, "D"))}},
            ValueError,
            "'a' and 'b' have different lead times",
        ),
        ({"window": 200}, ValueError, "window=200; give 0 to 182 days"),
        (
            {"train": world(2)[1]},
            TypeError,
            "train has dtype float64; a training mask is boolean",
        ),
        (
            {"train": (world(2)[1] > 0)[:, :-1]},
            ValueError,
            "the training mask lacks .* along 'time'",
        ),
    ],
)
def test_wrong_input_is_refused(change, error, text):
    forecast, seen = world(2)
    with pytest.raises(error, match=text):
        verify(**({"forecast": forecast, "observed": seen} | change))


# classes (the paper's Table 1)

FIVE = {
    "no_drought": 0,
    "normal_onset": 1,
    "normal_condition": 2,
    "flash_onset": 3,
    "flash_condition": 4,
    "missing": -1,
}


def labelled(values) -> xr.DataArray:
    attrs = {"flag_values": np.array(list(FIVE.values()), "int8"), "flag_meanings": " ".join(FIVE)}
    return xr.DataArray(np.asarray(values, "int8"), dims="time", attrs=attrs)


def test_classes_by_hand():
    observed = labelled([0, 0, 0, 0, 3, 3, 4, 4, -1, 0])
    forecast = labelled([0, 0, 0, 4, 3, 0, 4, 4, 0, -1])
    found = class_scores(forecast, observed)
    assert found.n_days == 8
    assert found["class_name"].values.tolist() == list(FIVE)[:5]
    np.testing.assert_allclose(found.precision, [3 / 4, np.nan, np.nan, 1, 2 / 3])
    np.testing.assert_allclose(found.recall, [3 / 4, np.nan, np.nan, 1 / 2, 1])
    np.testing.assert_allclose(found.f1, [3 / 4, np.nan, np.nan, 2 / 3, 4 / 5])
    np.testing.assert_allclose(found.share, [4 / 8, 0, 0, 2 / 8, 2 / 8])
    assert found.accuracy == 6 / 8
    assert found.majority_accuracy == 4 / 8
    assert found.confusion.sel(class_name="flash_onset", forecast_class="no_drought") == 1


def test_classes_equal_scikit_learn_and_the_identities_hold():
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    rng = np.random.default_rng(0)
    observed = rng.choice(5, 4000, p=[0.74, 0.06, 0.05, 0.02, 0.13])
    forecast = np.where(rng.random(4000) < 0.7, observed, rng.integers(0, 5, 4000))
    found = class_scores(labelled(forecast).chunk(time=500), labelled(observed))
    precision, recall, f1, count = precision_recall_fscore_support(observed, forecast)
    np.testing.assert_allclose(found.precision, precision, atol=1e-12)
    np.testing.assert_allclose(found.recall, recall, atol=1e-12)
    np.testing.assert_allclose(found.f1, f1, atol=1e-12)
    np.testing.assert_allclose(found.share, count / 4000, atol=1e-12)
    assert found.accuracy.item() == pytest.approx(accuracy_score(observed, forecast))
    assert (found.recall * found.share).sum().item() == pytest.approx(found.accuracy.item())
    assert (found.recall * found.share / found.precision).sum().item() == pytest.approx(1)
    np.testing.assert_allclose(found.recall * found.share / found.precision, found.forecast_share)


def test_classes_that_are_not_known_or_not_alike_are_refused():
    plain = xr.DataArray([0, 1], dims="time")
    with pytest.raises(ValueError, match="the observation has no flag_values and flag_meanings"):
        class_scores(plain, plain)
    with pytest.raises(ValueError, match="forecast has 2 steps along 'time' and the record 3|forecast lacks"):
        class_scores(labelled([0, 1]), labelled([0, 1, 2]))
    with pytest.raises(ValueError, match=r"forecast lacks the dimension\(s\) \['site'\] of observed"):
        class_scores(labelled([0, 1]), labelled([0, 1]).expand_dims("site"))


def test_valid_times_that_contradict_the_days_of_issue_are_refused():
    days = pd.date_range("2001-01-01", periods=200)
    seen = xr.DataArray(np.random.default_rng(0).random(260), {"time": pd.date_range("2000-12-01", periods=260)})
    coords = {"init_time": days, "lead_time": pd.to_timedelta([1, 7], unit="D")}
    forecast = xr.DataArray(np.random.default_rng(1).random((200, 2)), coords, ("init_time", "lead_time"))
    right = forecast.assign_coords(valid_time=forecast.init_time + forecast.lead_time)
    expected = verify(forecast, seen, n_boot=5)
    xr.testing.assert_equal(verify(right, seen, n_boot=5), expected)
    xr.testing.assert_equal(verify(right.transpose(), seen, n_boot=5), expected)
    unsaid = right.assign_coords(valid_time=right.valid_time.where(right.init_time > days[3]))
    xr.testing.assert_equal(verify(unsaid, seen, n_boot=5), expected)
    wrong = forecast.assign_coords(valid_time=right.valid_time + np.timedelta64(6, "h") * (right.init_time > days[9]))
    words = r"190 of 200 values of 'valid_time' are not .* 2001-01-11 00:00:00 for 1 .* valid on 2001-01-12 06:00:00; "
    with pytest.raises(ValueError, match=words):
        verify(wrong, seen, n_boot=5)
    xr.testing.assert_equal(verify(wrong.drop_vars("valid_time"), seen, n_boot=5), expected)
    calm = right.drop_vars("valid_time").convert_calendar("noleap", dim="init_time", use_cftime=True)
    valid = (calm.indexes["init_time"] + pd.Timedelta(days=7)).values[:, None].repeat(2, axis=1)
    calm = calm.assign_coords(valid_time=(("init_time", "lead_time"), valid))
    assert select_lead(calm, 7).sizes["time"] == 200
    with pytest.raises(ValueError, match="200 of 200 values of 'valid_time'"):
        select_lead(calm, 1)
