"""Pictures of forecasts, scores, causality and agreement, and that every picture fits the page and can be read."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
ccrs = pytest.importorskip("cartopy.crs")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

import xdrought.plot as xp
from tests.support.drawn import (  # noqa: E402
    degree,
    legend,
    record,
    scores,
    table,
    texts,
    values_at,
)
from xdrought.verification import verify

pytestmark = pytest.mark.usefixtures("offline_and_tidy")


def test_forecast_beside_persistence_with_both_scores():
    seen = record().isel(time=slice(0, 10)).copy(data=np.arange(10.0))
    predicted = (seen + 1).isel(time=slice(4, 10)).assign_coords(lead_time=np.timedelta64(2, "D"))
    ax = xp.plot_forecast(predicted.to_dataset(name="soil_moisture"), seen)
    observed, model, held = ax.lines
    assert observed.get_ydata().tolist() == [4, 5, 6, 7, 8, 9]
    assert held.get_ydata().tolist() == [2, 3, 4, 5, 6, 7]  # two days before
    # mean 6.5, spread 17.5; errors 6 * 1 and 6 * 4: 1 - 6 / 17.5 and 1 - 24 / 17.5
    assert legend(ax) == ["observed", "2-day forecast, NSE 0.66", "2-day persistence, NSE -0.37"]
    assert model.get_ydata().tolist() == [5, 6, 7, 8, 9, 10]
    assert ax.get_ylabel() == "Soil moisture (%)"


@pytest.mark.parametrize("kind", ["other units", "runs with gaps", "a row of a Dataset"])
def test_the_efficiency_in_a_picture_is_that_of_verify(kind):
    rng, days = np.random.default_rng(0), pd.date_range("2000-01-01", periods=1095)
    values = 0.3 + 0.05 * np.cos(np.arange(1095) / 58) + 0.002 * rng.standard_normal(1095).cumsum()
    seen = xr.DataArray(values, {"time": days}, ["time"], name="sm", attrs={"units": "m3 m-3"})
    forecast = seen[300:] + 0.02 * rng.standard_normal(795)
    if kind == "other units":
        forecast = (100 * forecast).assign_attrs(units="percent")
    elif kind == "runs with gaps":
        forecast = xr.concat([forecast, forecast + 0.1], pd.Index([0, 1], name="run"))
        forecast[1, :200] = np.nan
    else:
        seen, forecast = seen.expand_dims(site=["A"]), forecast.expand_dims(site=["A"]).to_dataset(name="sm")
    scores = verify(forecast, seen, lead=7, n_boot=1).nse_summary.sel(summary="pooled")
    ax = xp.plot_forecast(forecast, seen, lead=pd.Timedelta(days=7))
    _, model, held = legend(ax)
    assert model.startswith(f"7-day forecast, NSE {scores.sel(model='forecast').item():.2f}")
    assert held == f"7-day persistence, NSE {scores.sel(model='persistence').item():.2f}"
    assert 0.25 < np.nanmean(ax.lines[1].get_ydata()) < 0.45  # in the units of the observation
    given = scores.copy(data=np.full(4, 0.25)).expand_dims(summary=["pooled"])
    _, model, held = legend(xp.plot_forecast(forecast, seen, lead=7, scores=given.to_dataset(name="nse_summary")))
    assert (model[:24], held) == ("7-day forecast, NSE 0.25", "7-day persistence, NSE 0.25")


def test_forecast_without_the_days_before_says_so():
    seen = record().isel(time=slice(0, 5))
    ax = xp.plot_forecast(seen, seen, lead=7)
    assert "persistence is not known" in texts(ax)
    assert len(ax.lines) == 2
    assert legend(ax) == ["observed", "7-day forecast"]  # no day with a reference, so no score


def test_forecast_of_the_first_weeks_is_scored_beside_persistence_alone():
    seen = record().isel(time=slice(0, 100)).copy(data=np.sin(np.arange(100.0)))
    late = seen.isel(time=slice(60, 100))  # the climatology of the first 54 days ends before
    ax = xp.plot_forecast(late, seen, lead=7)
    assert legend(ax)[1] == "7-day forecast, NSE 1.00"


def test_forecast_needs_a_lead_and_one_variable():
    with pytest.raises(ValueError, match=r"the forecast has neither init_time\(time\) nor a single lead_time.*lead=7"):
        xp.plot_forecast(record(), record())
    issued = record().indexes["time"] - pd.to_timedelta(np.arange(200) % 2 + 1, "D")
    with pytest.raises(ValueError, match="the forecast has several lead times; forecast them one by one"):
        xp.plot_forecast(record().assign_coords(init_time=("time", issued)), record())
    with pytest.raises(ValueError, match=r"\['a', 'b'\] were given; choose one"):
        xp.plot_forecast(xr.Dataset({"a": record(), "b": record()}), record(), lead=7)


def test_scores_stand_beside_their_references_in_the_order_of_the_model():
    ax = xp.plot_scores(scores([[-3.0, 0.1, 0.2], [0.5, 0.9, 0.7], [0.6, 0.8, 0.4]], ["a", "b", "c"]))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "c", "b"]
    drawn = {line.get_label(): list(line.get_xdata()) for line in ax.lines}
    assert drawn["net, median 0.70"] == [0.5, 0.7, 0.9]
    assert drawn["persistence, median 0.60"] == [0.6, 0.4, 0.8]
    assert drawn["climatology, median 0.10"] == [0.2, 0.1]
    arrows = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "<"]
    assert arrows == [[[-1, 0]]]  # climatology at site a: -3, drawn at the floor
    assert ax.get_xlabel() == "NSE  (◁ below -1)"


def test_many_sites_become_violins():
    rng = np.random.default_rng(1)
    values = rng.random((3, 60))
    values[1, 0] = -5
    ax = xp.plot_scores(scores(values, np.arange(60)))
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels[0].split("\n") == ["net", f"median {np.median(values[1]):.2f}", "1 below -1"]
    assert [label.split("\n")[0] for label in labels[1:]] == ["climatology", "persistence"]
    assert ax.get_ylabel() == "NSE"


def test_scores_without_a_floor_have_units():
    rmse = scores([[1.0, 2], [3, 4], [5, 6]], ["a", "b"]).rename(nse="rmse")
    rmse["rmse"].attrs["units"] = "percent"
    ax = xp.plot_scores(rmse, score="rmse", floor=None)
    assert ax.get_xlabel() == "RMSE (percent)"
    assert ax.get_xlim()[1] > 6


def test_unknown_scores_are_refused():
    table = scores(np.zeros((3, 2)), ["a", "b"])
    with pytest.raises(ValueError, match=r"no score 'kge'; choose one of \['nse'\]"):
        xp.plot_scores(table, score="kge")
    with pytest.raises(ValueError, match=r"'nse' must be on \(model, site\), found \('site',\)"):
        xp.plot_scores(table.isel(model=0))


def test_causality_bars_by_direction_with_stars():
    ax = xp.plot_causality(degree(direction=["cause_to_effect", "effect_to_cause"]))
    assert [round(bar.get_width(), 3) for bar in ax.patches] == [0, 0.2, 0.1, 0.3]
    stars = np.concatenate([line.get_xydata() for line in ax.lines if line.get_marker() == "*"])
    assert stars[:, 0] == pytest.approx([0.22, 0.32])  # both of tp, just beyond its bars
    assert stars[:, 1] == pytest.approx([0.8, 1.2])
    assert legend(ax) == ["cause_to_effect", "effect_to_cause", "p < 0.05 (raw, ignores autocorrelation)"]


def test_surrogate_significance_comes_first():
    table = degree()
    table = table.assign(surrogate_p_value=table["p_value"] * 0 + 1)
    ax = xp.plot_causality(table)
    assert not any(line.get_xdata().size for line in ax.lines if line.get_marker() == "*")
    assert legend(ax) == ["p < 0.05 (surrogates)"]


def test_causality_by_site_is_a_heat_map_with_a_block_per_direction():
    ax = xp.plot_causality(degree(site=["a", "b", "c"], direction=["cause_to_effect", "effect_to_cause"]))
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    expected = [[0, 0.2, 0.4, np.nan, 0.1, 0.3, 0.5], [0.6, 0.8, 1.0, np.nan, 0.7, 0.9, 1.1]]
    np.testing.assert_allclose(drawn, expected)
    ax.figure.canvas.draw()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "c"] * 2
    assert ax.child_axes[0].get_ylabel() == "Cross-map skill ρ (relation)"
    marked = sorted(tuple(xy) for line in ax.lines for xy in line.get_xydata().tolist())
    assert marked == [(0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (4, 1), (5, 0), (5, 1), (6, 0), (6, 1)]


def test_causality_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"rho and p_value are needed, found \['rho'\]"):
        xp.plot_causality(degree()[["rho"]])
    with pytest.raises(ValueError, match=r"rho must be on .* found \('variable', 'lat'\)"):
        xp.plot_causality(degree(lat=[1, 2]))


def test_agreement_numbers_stand_in_their_cells():
    shares = xr.DataArray([[1, 0.25], [np.nan, 0.9]], {"a": ["x", "y"], "b": ["x", "y"]}, name="share")
    ax = xp.plot_agreement(shares)
    assert [(text.get_text(), *text.get_position()) for text in ax.texts] == [
        ("1.00", 0, 0),
        ("0.25", 1, 0),
        ("0.90", 1, 1),
    ]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["x", "y"]
    with pytest.raises(ValueError, match=r"the table must be square, found \(1, 2\)"):
        xp.plot_agreement(shares[:1])
    with pytest.raises(ValueError, match=r"shares lie between 0 and 1, found 25 to 100"):
        xp.plot_agreement(shares * 100)


PICTURES = {
    "event": lambda ax: xp.plot_event(record(), table(), soil_temperature=record().assign_attrs(units="degC"), ax=ax),
    "record": lambda ax: xp.plot_record(record(), table(), forecast=record() + 1, ax=ax),
    "forecast": lambda ax: xp.plot_forecast(record(), record(), lead=7, ax=ax),
    "scores": lambda ax: xp.plot_scores(scores(np.ones((3, 9)) / 2, list("abcdefghi")), ax=ax),
    "causality": lambda ax: xp.plot_causality(degree(), ax=ax),
    "agreement": lambda ax: xp.plot_agreement(pd.DataFrame(np.eye(3), list("abc"), list("abc")), ax=ax),
}


@pytest.mark.parametrize("width", [3.54, 7.1])
@pytest.mark.parametrize("picture", PICTURES)
def test_everything_fits_the_page_in_print_that_can_be_read(picture, width):
    figure, ax = plt.subplots(figsize=(width, 3.2), layout="constrained")
    PICTURES[picture](ax)
    figure.canvas.draw()
    page, drawn = figure.bbox, figure.get_tightbbox()
    assert drawn.x0 >= -0.02
    assert drawn.y0 >= -0.02
    assert drawn.x1 <= width + 0.02
    assert drawn.y1 <= page.height / figure.dpi + 0.02
    sizes = {text.get_fontsize() for text in figure.findobj(matplotlib.text.Text) if text.get_text()}
    assert min(sizes) >= 7


@pytest.mark.parametrize(
    ("package", "draw"),
    [
        ("matplotlib", lambda: xp.plot_record(record())),
        ("cartopy", lambda: xp.plot_map(values_at([47], [11]))),
    ],
)
def test_a_missing_package_is_named_with_its_cure(monkeypatch, package, draw):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=rf'needs {package}.*pip install "xdrought\[plot\]"'):
        draw()
