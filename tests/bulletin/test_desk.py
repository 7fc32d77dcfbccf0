"""A morning at the desk: the last day of the whole record, scores of the past beside it, the page, and the command."""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from tests.support.towers import forced_soil
from xdrought import alarms, degrade_forcing, fit_onset, onset_days, onset_label, onset_skill, predict_onset
from xdrought.bulletin import desk_report, desk_table, write_desk_page
from xdrought.cli import _page, main
from xdrought.events import load_monitor, start_monitor
from xdrought.forecast.onset import Boosting

P = "flash_onset_probability"
REFERENCE = ("2001", "2005")


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return forced_soil(4, 2600)


@pytest.fixture(scope="module")
def forcing(ds):
    return degrade_forcing(ds, ["tp"], lead=7, seed=3)


@pytest.fixture(scope="module")
def onset(ds, forcing):
    model = Boosting(n_trees=20, min_leaf=20)
    return fit_onset(ds, "soil_moisture", ["tp"], future=["tp"], forcing=forcing, model=model)


@pytest.fixture(scope="module")
def warning(ds, onset, forcing):
    return predict_onset(ds, onset, forcing=forcing)


@pytest.fixture(scope="module")
def past(ds, onset, warning):
    """Alarms and skill of the test part."""
    train = onset.splits.training_days(ds.time)
    soil = ds.soil_moisture
    starts = onset_days(soil, label="event", train=train)
    began = onset_label(soil, train=train, lead=7)
    return {"alarms": alarms(warning, starts, n_boot=20), "skill": onset_skill(warning, began, n_boot=20)}


@pytest.fixture(scope="module")
def monitor(ds):
    return start_monitor(ds.soil_moisture, reference=REFERENCE)


@pytest.fixture(scope="module")
def report(ds, monitor, onset, forcing, past):
    return desk_report(ds, monitor, onset, forcing=forcing, **past)


def test_probabilities_are_the_last_ones_of_the_whole_record(report, warning):
    for name in (P, "season_frequency", "percentile_frequency"):
        np.testing.assert_array_equal(report[name], warning[name].isel(time=-1))
    assert np.isfinite(report[P]).all()
    assert report.time == warning.time[-1]
    assert report.valid_until == warning.time[-1] + np.timedelta64(7, "D")


def test_the_state_is_that_of_the_monitor_in_any_order_of_the_sites(ds, monitor, onset, forcing, report):
    shuffled = desk_report(ds.isel(site=[2, 0, 3, 1]), monitor, onset, forcing=forcing)
    for name, da in monitor.today().data_vars.items():
        np.testing.assert_array_equal(report[name], da)
        np.testing.assert_array_equal(shuffled[name], da.isel(site=[2, 0, 3, 1]))
    np.testing.assert_array_equal(shuffled[P].sel(site=ds.site), report[P])


def test_how_often_it_came_true_is_counted_by_hand(ds, onset, warning, report):
    train = onset.splits.training_days(ds.time)
    began = onset_label(ds.soil_moisture, train=train, lead=7)
    edges = [0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.01]
    for site in ds.site.values:
        today = float(report[P].sel(site=site))
        low, high = next((a, b) for a, b in zip(edges, edges[1:], strict=False) if a <= today < b)
        outcomes = [
            outcome
            for p, outcome, part in zip(
                warning[P].values.ravel(), began.values.ravel(), warning.part.values.ravel(), strict=True
            )
            if part == 3 and low <= p < high and np.isfinite(outcome)
        ]
        assert int(report.n_in_bin.sel(site=site)) == len(outcomes)
        assert float(report.observed_frequency.sel(site=site)) == pytest.approx(np.mean(outcomes))


def test_alarms_and_past_scores_are_handed_on(report, past):
    threshold = float(past["alarms"].threshold)
    assert report.is_alarm.values.tolist() == [bool(p >= threshold) for p in report[P].values]
    assert float(report.past_pod) == float(past["alarms"].pod)
    assert float(report.past_pod_upper) == float(past["alarms"].pod_interval[1])
    assert float(report.past_brier_skill) == float(past["skill"].brier_skill.sel(forecast=P))
    assert set(report.dims) == {"site"}


def test_a_place_without_soil_moisture_today_has_no_alarm(ds, onset, forcing):
    gone = ds.copy(deep=True)
    gone.soil_moisture[0, -1] = np.nan
    monitor = start_monitor(gone.soil_moisture, reference=REFERENCE)
    found = desk_report(gone, monitor, onset, forcing=forcing, threshold=0.0)
    assert np.isnan(found[P][0])
    assert found.is_alarm.values.tolist() == [False, True, True, True]
    assert desk_table(found).site.tolist().count(ds.site.values[0]) == 0


def test_dask_gives_the_same_and_the_record_stays_as_it_is(ds, monitor, onset, forcing, report):
    chunked = ds.chunk(time=-1, site=2)
    with unchanged(chunked):
        found = desk_report(chunked, monitor, onset, forcing=forcing)
    np.testing.assert_array_equal(found[P], report[P])


def test_what_does_not_fit_is_refused(ds, monitor, onset, forcing, past):
    yesterday = ds.isel(time=slice(None, -1))
    with pytest.raises(ValueError, match="the monitor has come to .*, the record to .*; bring it up to date first"):
        desk_report(yesterday, monitor, onset, forcing=forcing)
    # The cure of the message is followed.
    behind = start_monitor(yesterday.soil_moisture, reference=REFERENCE)
    with pytest.raises(ValueError, match="bring it up to date first"):
        desk_report(ds, behind, onset, forcing=forcing)
    behind = behind.update(ds.soil_moisture.isel(time=slice(-1, None)))
    assert desk_report(ds, behind, onset, forcing=forcing).sizes["site"] == ds.sizes["site"]
    with pytest.raises(ValueError, match="was issued from .* to .*, not today"):
        desk_report(ds, monitor, onset, forcing=forcing.isel(init_time=slice(None, -1)))
    with pytest.raises(ValueError, match="forcing=None, but the weather of the lead days is needed"):
        desk_report(ds, monitor, onset)
    with pytest.raises(ValueError, match="skill= is of warnings with lead 3, the onset model has 7"):
        desk_report(ds, monitor, onset, forcing=forcing, skill=past["skill"].assign_attrs(lead=3))
    with pytest.raises(ValueError, match="threshold=30; it is a probability"):
        desk_report(ds, monitor, onset, forcing=forcing, threshold=30)
    with pytest.raises(ValueError, match=r"no \['is_alarm'\] in the report; give what desk_report returned"):
        desk_table(desk_report(ds, monitor, onset, forcing=forcing), only_alarms=True)


def test_the_table_begins_with_the_most_probable(report):
    table = desk_table(report, at_most=3)
    order = np.argsort(-report[P].values, kind="stable")[:3]
    assert table.site.tolist() == report.site.values[order].tolist()
    words = ["no drought", "normal onset", "normal condition", "flash onset", "flash condition"]
    assert table.drought_class.tolist() == [words[k] for k in report.drought_class.values[order]]


def test_the_page_holds_what_the_report_says(report, tmp_path):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.subplots().plot([0, 1])
    page = tmp_path / "new" / "today.html"
    write_desk_page(report, page, note="rain < 1 & simulated", pictures={"A <map>": figure})
    text = page.read_text(encoding="utf-8")
    assert "rain &lt; 1 &amp; simulated" in text
    assert 'alt="A &lt;map&gt;" src="data:image/png;base64,iVBOR' in text
    assert f"Past droughts announced: {float(report.past_pod):.2f} ({float(report.past_pod_lower):.2f} to " in text
    for site, p in zip(report.site.values, report[P].values, strict=True):
        assert f"<td>{site}</td>" in text
        assert f"<td>{p:.2f}</td>" in text


def test_the_command_is_a_morning_and_a_rerun_changes_nothing(ds, onset, forcing, past, report, tmp_path, capsys):
    at = {name: tmp_path / f"{name}.nc" for name in ("record", "onset", "forcing", "alarms", "skill")}
    ds.isel(time=slice(None, -5)).to_netcdf(at["record"])
    forcing.to_netcdf(at["forcing"])
    onset.save(at["onset"])
    for name, scores in past.items():
        scores.to_netcdf(at[name])
    folder, out, page = tmp_path / "monitor", tmp_path / "today.nc", tmp_path / "today.html"
    command = ["desk", str(at["record"]), str(out), "--monitor", str(folder)]
    command += [text for name in ("onset", "forcing", "alarms", "skill") for text in (f"--{name}", str(at[name]))]
    assert main(command) == 1
    assert "there is no monitor" in capsys.readouterr().err
    assert main([*command, "--reference", "2001-01-01", "2005-12-31"]) == 0
    at["record"].unlink()
    ds.to_netcdf(at["record"])
    for _ in range(2):
        assert main([*command, "--page", str(page), "--quiet"]) == 0
        found = xr.load_dataset(out)
        xr.testing.assert_allclose(found.drop_encoding(), report.drop_vars("lead_time", errors="ignore"))
    assert pd.Timestamp(load_monitor(folder).index[-1]) == ds.indexes["time"][-1]
    assert "came true in the past" in page.read_text(encoding="utf-8")


def test_the_page_of_places_that_are_known_has_a_map(report, tmp_path):
    pytest.importorskip("matplotlib")
    n = report.sizes["site"]
    placed = report.assign_coords(lat=("site", np.linspace(45, 50, n)), lon=("site", np.linspace(5, 15, n)))
    page = tmp_path / "today.html"
    _page(placed, argparse.Namespace(page=page, note=""))
    assert f'alt="Probability of an onset within {report.attrs["lead"]} days" src="data:image/png' in page.read_text()
    _page(report.drop_vars(["lat", "lon"], errors="ignore"), argparse.Namespace(page=page, note=""))
    assert "data:image/png" not in page.read_text()
