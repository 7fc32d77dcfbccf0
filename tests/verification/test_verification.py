"""Scores: worked by hand, equal to other libraries, on the same days as their references, with honest intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from tests.support.scored import daily, world
from xdrought import select_lead
from xdrought.kernels import score_sums as kernel
from xdrought.verification.references import climatology_forecast
from xdrought.verification.scores import verify


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


def test_scores_can_be_drawn():
    pytest.importorskip("matplotlib").use("Agg")
    from xdrought.plot import plot_scores

    forecast, seen = world()
    assert plot_scores(verify(forecast, seen, n_boot=5)).get_xlabel() != ""


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"references": ()}, ValueError, r"references=\(\); a score needs at least one of"),
        ({"references": ["chance"]}, ValueError, r"references=\('chance',\); a score needs at least one"),
        ({"n_boot": 0}, ValueError, "n_boot=0; it must be a whole number, 1 or more"),
        ({"confidence": 95}, ValueError, "confidence=95; it must be a share between 0 and 1"),
        ({"observed": np.zeros(3)}, TypeError, "observed must be a DataArray, got ndarray; give it labels"),
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
