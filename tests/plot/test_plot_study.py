"""Pictures of Figures 5 and 7 and of sanity checks: what is drawn equals what is in the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from tests.support.helpers import unchanged  # noqa: E402
from xdrought.plot import (
    plot_coupling,
    plot_deletion,
    plot_event_association,
    plot_onset_trend,
    plot_skill_by_degree,
    plot_synchrony,
    plot_weight_randomisation,
)
from xdrought.study import coupling_strength, event_association, onset_trend, site_synchrony, skill_by_degree

FEW = {"permutations": 50, "n_boot": 30}


@pytest.fixture(autouse=True)
def _tidy():
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def relation() -> xr.Dataset:
    rng = np.random.default_rng(0)
    sites = {"site": np.arange(20)}
    score = xr.DataArray(rng.random(20), sites, attrs={"long_name": "Nash-Sutcliffe efficiency"})
    rho = xr.DataArray(rng.random((3, 20)), {"variable": ["tp", "t2m", "sp"], **sites}, ("variable", "site"))
    return skill_by_degree(rho, score, **FEW)


@pytest.fixture
def events() -> xr.Dataset:
    rng = np.random.default_rng(1)
    site = np.repeat(np.arange(6), 8)
    days = pd.to_datetime([f"{year}-06-01" for year in rng.integers(2001, 2009, 48)])
    place = {"site": ("event", site), "lat": ("event", 40.0 + site), "lon": ("event", 5.0 + site)}
    rate = ("event", rng.random(48) + site, {"long_name": "intensification rate", "units": "percent d-1"})
    return xr.Dataset({"onset_time": ("event", days), "intensification_rate": rate}, place)


@pytest.fixture
def other(events) -> xr.DataArray:
    return events.intensification_rate.copy(data=np.random.default_rng(2).normal(size=48)).rename("error").drop_attrs()


def dots(ax) -> np.ndarray:
    (cloud,) = [c for c in ax.collections if len(c.get_offsets()) > 1]
    return np.asarray(cloud.get_offsets())


# --- Figure 5 ---------------------------------------------------------------------------------------------


def test_a_driver_with_its_curve_and_numbers(relation):
    with unchanged(relation):
        ax = plot_skill_by_degree(relation, "t2m")
    one = relation.sel(variable="t2m")
    np.testing.assert_allclose(dots(ax), np.stack([one.degree, one.score], 1))
    np.testing.assert_allclose(ax.lines[0].get_ydata(), one.curve)
    assert [text.get_text() for text in ax.texts] == ["t2m"]
    assert f"ρ = {float(one.spearman):.2f}" in ax.get_title(loc="left")
    assert "adjusted" in ax.get_title(loc="left")
    assert ax.get_ylabel() == "Nash-Sutcliffe efficiency"
    assert "adjusted" not in plot_skill_by_degree(relation).get_title(loc="left")  # of all drivers: one test


def test_a_score_far_below_does_not_flatten_the_others(relation):
    far = relation.assign(score=relation.score.where(relation.site != 4, -20))
    ax = plot_skill_by_degree(far, "tp")
    assert ax.get_ylim()[0] > -1
    (triangle,) = [line for line in ax.lines if line.get_marker() == "v"]
    assert list(triangle.get_xdata()) == [float(relation.degree.sel(variable="tp", site=4))]
    assert not [line for line in plot_skill_by_degree(relation, "tp").lines if line.get_marker() == "v"]


def test_coupling_has_a_name_at_each_driver_and_p_values_fall_to_the_right(relation):
    importance = xr.DataArray([3.0, 1.0, 2.0], {"variable": ["tp", "t2m", "sp"]}, attrs={"units": "m3 m-3"})
    table = coupling_strength(relation, importance, permutations=50)
    ax = plot_coupling(table)
    np.testing.assert_allclose(dots(ax), np.stack([table.p_value, table.importance], 1))
    assert [text.get_text() for text in ax.texts][:3] == ["tp", "t2m", "sp"]
    assert ax.get_xlim()[0] > ax.get_xlim()[1] > 0
    assert f"ρ = {float(table.rank_correlation):.2f}" in ax.get_title(loc="left")


# --- Figure 7 ---------------------------------------------------------------------------------------------


def test_a_trend_with_its_years_and_the_pooled_one_beside(events):
    trend = onset_trend(events.intensification_rate, events, n_boot=30)
    with unchanged(trend):
        ax = plot_onset_trend(trend, title="rate")
    assert [text.get_text() for text in ax.texts] == ["rate"]
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(lines["mean of all events"].get_ydata(), trend.pooled)
    x, y = lines["trend within sites"].get_data()
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(float(trend.slope))
    x, y = lines["regression of all events"].get_data()
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(float(trend.naive_slope))
    assert ax.get_ylabel() == "Intensification rate\n(percentiles per day)"
    assert f"{float(trend.slope):+.3g}" in ax.get_title(loc="left")
    assert plot_onset_trend(trend, legend=False).get_legend() is None


def test_a_trend_that_is_unknown_is_drawn_without_a_line(events):
    alone = events.isel(event=[0])
    ax = plot_onset_trend(onset_trend(alone.intensification_rate, alone, n_boot=5))
    assert "trend within sites" not in [line.get_label() for line in ax.lines]


def test_events_within_sites_and_as_they_are(events, other):
    found = event_association(events.intensification_rate, other, events, n_boot=30)
    ax = plot_event_association(found)
    np.testing.assert_allclose(dots(ax), np.stack([found.x_within, found.y_within], 1))
    assert f"ρ = {float(found.spearman):.2f}" in ax.get_title(loc="left")
    curves = [line for line in ax.lines if len(line.get_xdata()) == 60]
    np.testing.assert_allclose(curves[0].get_ydata(), found.curve)
    assert any(np.all(np.asarray(line.get_ydata()) == 0) for line in ax.lines)  # the error is signed
    ax = plot_event_association(found, within=False)
    np.testing.assert_allclose(dots(ax), np.stack([found.x, found.y], 1))
    assert f"ρ = {float(found.pooled_spearman):.2f}" in ax.get_title(loc="left")


def test_synchrony_on_a_map(events, other):
    pytest.importorskip("cartopy")
    found = site_synchrony(events.intensification_rate, other, events, **FEW)
    ax = plot_synchrony(found, alpha=1.1, extent=(0, 20, 35, 50))
    cloud = next(c for c in ax.collections if c.get_array() is not None and len(c.get_offsets()) == 6)
    np.testing.assert_allclose(np.sort(cloud.get_array()), np.sort(found.spearman))
    assert cloud.get_clim() == (-1, 1)
    rings = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert len(rings[0].get_xdata()) == 6
    assert f"positive at {100 * float(found.share):.0f} % of 6 sites" in ax.get_title(loc="left")


# --- sanity -----------------------------------------------------------------------------------------------


def test_deletion_curves_by_order():
    coords = {"order": ["largest first", "random", "smallest first"], "deleted": [0.0, 0.5, 1.0]}
    change = xr.DataArray([[[0, 3, 4], [0, 2, 4], [0, 1, 4.0]]] * 2, coords, ("run", "order", "deleted"))
    curves = xr.Dataset(
        {"change": change, "advantage": ("run", [0.2, 0.4]), "lower": ("run", [0.1, 0.1]), "upper": ("run", [0.5, 0.5])}
    )
    ax = plot_deletion(curves)
    np.testing.assert_allclose([line.get_ydata()[1] for line in ax.lines], [3, 2, 1])
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0, 50, 100])
    assert [text.get_text() for text in ax.texts] == coords["order"]
    assert ax.get_title(loc="left") == "area less random +0.30 [+0.10, +0.50]"


def test_similarity_by_layer_with_its_range():
    values = xr.DataArray([[0.9, 1.0], [0.1, 0.3]], {"layer": ["none", "head"]}, ("layer", "randomisation"))
    ax = plot_weight_randomisation(xr.Dataset({"similarity": values, "signed_similarity": values - 0.2}))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["none", "head"]
    middles = [container.lines[0].get_ydata() for container in ax.containers]
    np.testing.assert_allclose(middles, [[0.75, 0.0], [0.95, 0.2]], atol=1e-12)


def test_refusals(relation, events):
    with pytest.raises(ValueError, match="needs degree, score and curve"):
        plot_skill_by_degree(xr.Dataset())
    with pytest.raises(ValueError, match=r"no driver 'r'; choose one of \['tp'"):
        plot_skill_by_degree(relation, "r")
    with pytest.raises(ValueError, match="needs importance and p-values"):
        plot_coupling(relation)
    with pytest.raises(ValueError, match="needs the slope and yearly means"):
        plot_onset_trend(events)
    with pytest.raises(ValueError, match="needs x, y and their curve"):
        plot_event_association(events)
    found = site_synchrony(events.intensification_rate, events.intensification_rate, events, **FEW)
    with pytest.raises(ValueError, match="needs spearman and share with lat and lon"):
        plot_synchrony(found.drop_vars("lat"))
    with pytest.raises(ValueError, match="needs 'change' by order"):
        plot_deletion(events)
    with pytest.raises(ValueError, match="needs similarities"):
        plot_weight_randomisation(events)
