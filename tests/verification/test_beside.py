"""Scores beside references and by groups: the same as scoring each by itself, and no credit for being late."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from tests.verification.test_event_matching import table
from xdrought import (
    class_scores,
    match_events,
    occurrence_scores,
    percentile_table_forecast,
    persistence_forecast,
    probability_scores,
)

FLAGS = {"flag_values": [0, 1, 2], "flag_meanings": "no_drought flash_onset flash_condition"}
DAYS = pd.date_range("2001-01-01", periods=400)


@pytest.fixture(scope="module")
def classes() -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(0)
    coords = {"site": ["A", "B", "C"], "time": DAYS, "cover": ("site", ["grass", "grass", "forest"])}
    seen = xr.DataArray(np.repeat(rng.integers(0, 3, (3, 80)), 5, axis=1), coords, ("site", "time"), attrs=FLAGS)
    said = seen.where(rng.random(seen.shape) < 0.7, 1).astype(int).assign_attrs(FLAGS)
    return said, seen


def test_skill_scores_by_hand():
    flags = {"flag_values": [0, 1], "flag_meanings": "no_drought flash_onset"}
    seen = xr.DataArray([1] * 3 + [0] * 7, dims="time", attrs=flags)
    said = xr.DataArray([1, 1, 0] + [1] + [0] * 6, dims="time", attrs=flags)
    found = occurrence_scores(said, seen, event="flash_onset")
    # 2 hits, 1 miss, 1 false alarm, 6 days without; hits by chance 3 * 3 / 10, right by chance 0.9 + 7 * 7 / 10
    assert found.pofd.item() == pytest.approx(1 / 7)
    assert found.ets.item() == pytest.approx((2 - 0.9) / (4 - 0.9))
    assert found.hss.item() == pytest.approx((8 - 5.8) / (10 - 5.8))
    assert found.peirce.item() == pytest.approx(2 / 3 - 1 / 7)


@pytest.mark.parametrize("score", [class_scores, occurrence_scores])
def test_references_are_scored_like_the_forecast_on_the_days_that_all_have(classes, score):
    said, seen = classes
    held = persistence_forecast(seen, said, lead=7)
    with unchanged(said, seen, held):
        found = score(said, seen, references={"persistence": held})
    days = held.notnull()
    alone, of_held = score(said.where(days), seen), score(held, seen)
    for name in alone.data_vars:
        xr.testing.assert_allclose(found[name], alone[name])
        xr.testing.assert_allclose(found[f"{name}_reference"].sel(reference="persistence", drop=True), of_held[name])
    assert int(found.n_days.sum()) == 3 * (400 - 7)


@pytest.mark.parametrize("score", [class_scores, occurrence_scores])
def test_groups_are_scored_as_if_they_were_all(classes, score):
    said, seen = classes
    found = score(said, seen, by="season")
    assert found.season.values.tolist() == ["DJF", "MAM", "JJA", "SON"]
    summer = seen.time.dt.season == "JJA"
    alone = score(said.sel(time=summer), seen.sel(time=summer))
    for name in alone.data_vars:
        xr.testing.assert_allclose(found[name].sel(season="JJA", drop=True), alone[name])
    by_cover = score(said, seen, by="cover", references={"other": seen})
    grass = score(said.isel(site=[0, 1]), seen.isel(site=[0, 1]))
    name = "accuracy" if score is class_scores else "csi_pooled"
    assert by_cover[name].sel(cover="grass").item() == pytest.approx(grass[name].item())
    assert by_cover[f"{name}_reference"].sel(cover="forest", reference="other").item() == 1


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        (
            {"by": "soil"},
            ValueError,
            r"by='soil' is no coordinate; choose 'season' or one of \['cov",
        ),
        ({"by": xr.DataArray([1], dims="member")}, ValueError, r"by has dimensions \('member',\), the data"),
        (
            {"by": xr.DataArray([np.nan] * 3, {"site": ["A", "B", "C"]}, name="pft")},
            ValueError,
            "by='pft' has no label at all",
        ),
        ({"references": {"mine": 0.5}}, TypeError, "references.'mine'. must be a DataArray, got float"),
    ],
)
def test_groups_and_references_that_do_not_fit(classes, options, error, match):
    for score in (class_scores, occurrence_scores):
        with pytest.raises(error, match=match):
            score(*classes, **options)


# --- probabilities ------------------------------------------------------------------------------------------------


def area_by_pairs(said: np.ndarray, seen: np.ndarray) -> float:
    """Of all pairs of a day with and a day without, the share in which the former has the higher value."""
    pairs = [(p > q) + (p == q) / 2 for p in said[seen == 1] for q in said[seen == 0]]
    return float(np.mean(pairs))


def test_the_roc_curve_and_its_area():
    rng = np.random.default_rng(1)
    seen = xr.DataArray((rng.random((2, 60)) < 0.3).astype(float), {"site": ["A", "B"]}, ("site", "time"))
    said = (0.3 * seen + 0.7 * rng.random((2, 60))).round(1)
    found = probability_scores(said, seen)
    for site in ("A", "B"):
        expected = area_by_pairs(said.sel(site=site).values, seen.sel(site=site).values)
        assert found.roc_area.sel(site=site).item() == pytest.approx(expected)
    assert found.roc_area_pooled.item() == pytest.approx(area_by_pairs(said.values.ravel(), seen.values.ravel()))
    at = found.sel(threshold=0.5)
    assert at.roc_pod.item() == pytest.approx(float((said.values[seen.values == 1] >= 0.5).mean()))
    assert at.roc_pofd.item() == pytest.approx(float((said.values[seen.values == 0] >= 0.5).mean()))
    never = probability_scores(said, xr.zeros_like(seen))
    assert np.isnan(never.roc_area_pooled)


def test_the_table_of_todays_percentile_counts_training_days():
    rng = np.random.default_rng(2)
    coords = {"site": ["A", "B"], "time": DAYS}
    percentile = xr.DataArray(rng.random((2, 400)) * 100, coords, ("site", "time"))
    dry = xr.DataArray((rng.random((2, 400)) < 0.4).astype(float), coords, ("site", "time"))
    forecast = dry.isel(time=slice(300, None))
    with unchanged(dry, percentile, forecast):
        found = percentile_table_forecast(dry, percentile, forecast, train=slice(None, DAYS[250]), lead=7, n_bins=4)
    for site in range(2):
        for day in (300, 399):
            now = percentile.values[site, day - 7] // 25
            pairs = [(percentile.values[s, d - 7] // 25, dry.values[s, d]) for s in range(2) for d in range(7, 251)]
            expected = np.mean([outcome for number, outcome in pairs if number == now])
            assert found.values[site, day - 300] == pytest.approx(expected)
    beside = probability_scores(found, forecast, references={"table": found})
    assert beside.brier_reference.sel(reference="table").values == pytest.approx(beside.brier.values)
    seasons = probability_scores(found, forecast, by="season")
    assert seasons.brier.dims == ("season", "site")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"percentile": 200.0}, "percentiles reach 200 to 200; give 0 to 100"),
        ({"train": slice("1990", "1991")}, "holds no day of the record"),
        ({"n_bins": 0}, "n_bins=0"),
        ({"lead": None}, "its day of issue is not known"),
    ],
)
def test_tables_that_cannot_be_made(change, match):
    dry = xr.DataArray(np.zeros(400), {"time": DAYS})
    how = {"train": slice(None, "2001-06"), "lead": 7} | {k: v for k, v in change.items() if k != "percentile"}
    with pytest.raises(ValueError, match=match):
        percentile_table_forecast(dry, xr.full_like(dry, change.get("percentile", 50.0)), dry[300:], **how)


def test_a_table_is_of_one_lead():
    dry = xr.DataArray(np.zeros(400), {"time": DAYS})
    late = dry[300:].assign_coords(init_time=("time", DAYS[300:] - pd.to_timedelta([1] * 50 + [2] * 50, unit="D")))
    with pytest.raises(ValueError, match="the forecast has several lead times"):
        percentile_table_forecast(dry, dry + 50, late, train=slice(None, "2001-06"))


# --- events -------------------------------------------------------------------------------------------------------


def test_only_hits_that_were_announced_before_the_start_are_in_time():
    observed = table(("A", 100, 20), ("A", 200, 20), ("B", 50, 20))
    forecast = table(("A", 103, 20), ("A", 208, 20), ("B", 57, 20))  # issued 4 days before, 1 day after, on the day
    found = match_events(forecast, observed, lead=7)
    assert found.detection_lead.values.tolist() == [4, -1, 0]
    assert (found.hits.values.tolist(), found.hits_in_time.values.tolist()) == ([2, 1], [1, 0])
    assert (found.pod_pooled.item(), found.pod_in_time_pooled.item()) == (1, pytest.approx(1 / 3))
    assert "hits_in_time" not in match_events(forecast, observed)


def test_persistence_hits_everything_and_nothing_in_time():
    observed = table(("A", 100, 20), ("A", 200, 20))
    late = table(("A", 107, 20), ("A", 207, 20), ("C", 5, 20))
    good = table(("A", 101, 20))
    with unchanged(observed, late, good):
        found = match_events(good, observed, lead=7, years=2.0, references={"persistence": late})
    assert found.site.values.tolist() == ["A", "C"]
    held = found.sel(reference="persistence")
    assert held.hits_reference.values.tolist() == [2, 0]
    assert held.hits_in_time_reference.values.tolist() == [0, 0]
    assert held.false_alarms_reference.values.tolist() == [0, 1]
    assert held.pod_in_time_pooled_reference.item() == 0
    assert found.pod_in_time_pooled.item() == 0.5
    assert found.n_observed.values.tolist() == [2, 0]
    assert found.false_alarms_per_year.values.tolist() == [0, 0]
    assert held.false_alarms_per_year_pooled_reference.item() == 0.25  # of four site-years
    alone = match_events(late, observed, lead=7, years=2.0)
    for name in ("pod", "far", "csi", "pod_in_time"):
        np.testing.assert_array_equal(held[f"{name}_reference"], alone[name])
    assert found.start_error.values.tolist() == [1]


def test_events_by_season_and_by_any_variable():
    observed = table(("A", 10, 20), ("A", 200, 20), ("B", 210, 20)).assign(rate=("event", ["slow", "fast", "fast"]))
    forecast = table(("A", 12, 20), ("B", 211, 20), ("B", 300, 20))
    found = match_events(forecast, observed, lead=7, years=1.0, by="season")
    assert found.season.values.tolist() == ["DJF", "MAM", "JJA", "SON"]
    assert found.n_observed_by.values.tolist() == [1, 0, 2, 0]
    assert found.hits_by.values.tolist() == [1, 0, 1, 0]
    assert found.false_alarms_by.values.tolist() == [0, 0, 0, 1]
    assert found.false_alarms_per_year_by.values.tolist() == [0, 0, 0, 0.5]  # of two site-years
    by_rate = match_events(forecast, observed, lead=7, by="rate", references={"same": observed})
    assert by_rate.rate.values.tolist() == ["fast", "slow"]
    assert by_rate.pod_by.values.tolist() == [0.5, 1]
    assert by_rate.false_alarms_by.values.tolist() == [0, 0]  # the forecast's table has no rate
    assert by_rate.pod_by_reference.sel(reference="same").values.tolist() == [1, 1]
    with pytest.raises(ValueError, match="by='cover' is not on the observed events; choose 'season' or"):
        match_events(forecast, observed, by="cover")
