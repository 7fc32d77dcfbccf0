"""Which days of a forecast are scored, generalization, and the table of the scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.scored import daily, with_parts, world
from xdrought.events import flash_drought_events
from xdrought.verification.differences import compare_models
from xdrought.verification.scores import generalization_ability, to_table, verify


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
    with pytest.raises(ValueError, match="the scores lack .'rmse'., among .*give what xdrought.verify returned"):
        generalization_ability(training, test.drop_vars("rmse"))


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
    assert verify(forecast, seen, part=None, n_boot=1).attrs["part"] == "all days"  # the cure
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
