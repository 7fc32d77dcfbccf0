"""Pictures of attributions: what is drawn equals what is in the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.dates import date2num  # noqa: E402

from tests.support.helpers import unchanged  # noqa: E402
from xdrought.attribution.importance import driver_importance, importance_by_rate
from xdrought.plot.attribution import plot_attributions, plot_driver_importance, plot_importance_by_rate

DAYS = pd.date_range("2001-06-01", periods=5)


@pytest.fixture(autouse=True)
def _tidy():
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def shares() -> xr.DataArray:
    values = np.array([[1.0, -2], [1, 3], [np.nan, np.nan], [-1, 2], [1, 4]])[None]
    coords = {"site": ["A"], "time": DAYS, "variable": ["tp", "t2m"]}
    return xr.DataArray(values, coords, ("site", "time", "variable"), attrs={"units": "m3 m-3"})


@pytest.fixture
def events() -> xr.Dataset:
    rng = np.random.default_rng(0)
    rate = rng.uniform(1, 9, 40)
    return xr.Dataset(
        {
            "onset_time": ("event", DAYS[[1] * 40]),
            "start_time": ("event", DAYS[[3] * 40]),
            "is_flash": ("event", rate > 5),
            "intensification_rate": ("event", rate, {"long_name": "intensification rate", "units": "percent d-1"}),
        }
    )


@pytest.fixture
def importance() -> xr.DataArray:
    values = np.random.default_rng(1).random((40, 3)) * [1, 3, 2]
    return xr.DataArray(values, {"variable": ["tp", "t2m", "sp"]}, ("event", "variable"))


def test_an_event_by_driver_and_day(shares, events):
    with unchanged(shares, events):
        ax = plot_attributions(xr.Dataset({"attribution": shares}), events.isel(event=0))
    (mesh,) = [c for c in ax.collections if hasattr(c, "get_clim") and c.get_array().size == 10]
    drawn = np.ma.filled(mesh.get_array().astype(float), np.nan).reshape(2, 5)
    np.testing.assert_array_equal(drawn, shares[0].T[::-1])  # the larger driver is first
    assert [t.get_text() for t in ax.get_yticklabels()] == ["t2m", "tp"]
    assert mesh.get_clim() == (-4, 4)
    lines = [line.get_xdata()[0] for line in ax.lines]
    np.testing.assert_allclose([date2num(day) for day in lines], date2num(DAYS[[1, 3]]))
    kind = "flash onset" if bool(events.is_flash[0]) else "normal onset"
    assert {t.get_text() for t in ax.texts} == {kind, "start"}


def test_input_days_are_summed(shares):
    by_day = xr.concat([shares + 1, xr.full_like(shares, -1)], "window")
    ax = plot_attributions(by_day)
    drawn = ax.collections[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(drawn, np.nan).reshape(2, 5), shares[0].T[::-1])


def test_importance_of_both_types_with_ratio(importance, events):
    table = driver_importance(importance, events)
    ax = plot_driver_importance(table)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["t2m", "sp", "tp"]
    normal, flash = (
        [bar.get_height() for bar in container] for container in ax.containers if hasattr(container, "patches")
    )
    ordered = table.sel(variable=["t2m", "sp", "tp"])
    np.testing.assert_allclose(normal, ordered.importance.sel(type="normal"))
    np.testing.assert_allclose(flash, ordered.importance.sel(type="flash"))
    (twin,) = [other for other in ax.figure.axes if other is not ax]
    np.testing.assert_allclose(twin.lines[0].get_ydata().astype(float), ordered.ratio)
    assert 1 in [line.get_ydata()[0] for line in twin.lines]
    assert f"flash onset ({int(events.is_flash.sum())} events)" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_ranks_by_rate_best_on_top(importance, events):
    ranks = importance_by_rate(importance, events)
    ax = plot_importance_by_rate(ranks, top=2)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["t2m", "sp"]
    np.testing.assert_allclose(ax.lines[0].get_ydata().astype(float), ranks.mean_rank.sel(variable="t2m"))
    np.testing.assert_allclose(ax.lines[0].get_xdata().astype(float), ranks.rate)
    assert ax.yaxis_inverted()


def test_refusals(shares, events, importance):
    two = xr.concat([shares, shares.assign_coords(site=["B"])], "site")
    with pytest.raises(ValueError, match=r"the attributions have \['site'\]; choose one"):
        plot_attributions(two)
    with pytest.raises(ValueError, match="no attribution is finite"):
        plot_attributions(shares.where(False))
    with pytest.raises(ValueError, match="40 events were given"):
        plot_attributions(shares, events)
    with pytest.raises(ValueError, match="needs 'importance' by type"):
        plot_driver_importance(xr.Dataset({"importance": importance}))
    with pytest.raises(ValueError, match="needs 'mean_rank' by bin"):
        plot_importance_by_rate(xr.Dataset({"importance": importance}))
