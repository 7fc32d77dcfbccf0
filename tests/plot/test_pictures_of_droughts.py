"""Maps of classes and frequency, counts by year and month, lags and null bands: what is drawn is what was found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("cartopy")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402

import xdrought as xd  # noqa: E402
import xdrought.plot as xp  # noqa: E402
from xdrought.plot.style import SHADES  # noqa: E402

DAYS = pd.date_range("2001-01-01", "2010-12-31")


@pytest.fixture(autouse=True)
def _tidy():
    yield
    plt.close("all")


def grid() -> xr.DataArray:
    """Percentiles (time, lat, lon): a July drought every year at (50, 8), since 2006 at (50, 9), never at 49 N."""
    july = (DAYS.month == 7)[:, None, None]
    late = (DAYS.year > 2005)[:, None, None]
    where = np.array([[True, False], [False, False]]) | (np.array([[False, True], [False, False]]) & late)
    values = np.where(july & where, 10.0, 60.0)
    coords = {"time": DAYS, "lat": [50.0, 49.0], "lon": [8.0, 9.0]}
    return xr.DataArray(values, coords, ("time", "lat", "lon"))


def events() -> xr.Dataset:
    return xd.flash_drought_events(grid(), is_percentile=True)


def mesh(ax):
    (found,) = [c for c in ax.collections if type(c).__name__ == "GeoQuadMesh"]
    return found


def test_frequency_of_a_grid_is_a_field():
    years = xr.full_like(grid().isel(time=0, drop=True), 10.0)
    np.testing.assert_array_equal(xd.flash_frequency(events(), years), [[1.0, 0.5], [0, 0]])
    # without them nobody knows that 49 N was there
    np.testing.assert_array_equal(xd.flash_frequency(events()), [[10, 5]])
    np.testing.assert_array_equal(np.ravel(mesh(xp.plot_map(events(), years=years)).get_array()), [1, 0.5, 0, 0])


def test_the_summary_holds_the_same_frequency():
    frequency = xd.drought_summary(grid(), is_percentile=True).flash_frequency
    np.testing.assert_allclose(frequency, [[10 / (3652 / 365.25), 5 / (3652 / 365.25)], [0, 0]])
    assert frequency.attrs["units"] == "year-1"


def test_frequency_refuses_years_of_other_places():
    with pytest.raises(ValueError, match=r"of a grid they are on \(lat, lon\), found \('site',\)"):
        xd.flash_frequency(events(), xr.DataArray([1.0], dims="site"))


def test_classes_have_their_palette_and_legend_with_missing_in_grey():
    classes = xd.drought_classes(grid(), is_percentile=True).sel(time="2003-07-10")
    classes[1, 1] = -1
    ax = xp.plot_map(classes)
    drawn = mesh(ax)
    colors = [to_rgb(c) for c in drawn.cmap(drawn.norm(np.ravel(drawn.get_array())))]
    wanted = [SHADES["flash condition"], "#ffffff", "#ffffff", "#c9c9c9"]
    assert colors == [to_rgb(c) for c in wanted]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["no_drought", "flash_condition", "missing"]
    ax.figure.canvas.draw()


def test_places_that_are_significant_have_dots():
    p_value = xr.DataArray([[0.01, 0.5], [0.04, 1.0]], {"lat": [50.0, 49.0], "lon": [8.0, 9.0]}, ("lat", "lon"))
    ax = xp.plot_map(p_value, significant=p_value.T < 0.05)
    (dots,) = [line for line in ax.lines if line.get_marker() == "."]
    assert dots.get_xydata().tolist() == [[8, 50], [8, 49]]
    with pytest.raises(ValueError, match=r"significant is float64; give True and False"):
        xp.plot_map(p_value, significant=p_value)
    with pytest.raises(ValueError, match="compare p-values of the same map"):
        xp.plot_map(
            p_value, significant=xr.DataArray([True], {"lat": ("site", [1.0]), "lon": ("site", [1.0])}, ("site",))
        )


def test_borders_can_be_left_out():
    def lines(**options):
        ax = xp.plot_map(xr.DataArray([1.0], {"lat": ("site", [47.0]), "lon": ("site", [9.0])}, ("site",)), **options)
        return len([artist for artist in ax.artists + list(ax.get_children()) if "Feature" in type(artist).__name__])

    assert lines() == lines(borders=False) + 1 > lines(borders=False, resolution=None)


def test_borders_are_those_between_countries():
    with np.load(xp.maps.BORDERS) as stored:
        lon, lat = stored["lon"], stored["lat"]
    assert np.hypot(lat - 47.6, lon - 7.6).min() < 0.5  # Basel, where three countries meet
    assert np.hypot(lat - 50.07, lon + 5.71).min() > 3  # Land's End is no border


def test_events_are_counted_by_year_and_month():
    table = events()
    by_year = xd.event_counts(table)
    assert by_year.flash_count.values.tolist() == [1] * 5 + [2] * 5
    assert by_year.year.values.tolist() == list(range(2001, 2011))
    by_month = xd.event_counts(table, by="month")
    assert by_month.flash_count.sel(month=6) == 15  # the last wet day is in June
    assert int(by_month.normal_count.sum()) == 0
    ax = xp.plot_event_counts(by_year)
    assert [bar.get_height() for bar in ax.patches[:10]] == [1] * 5 + [2] * 5
    with pytest.raises(ValueError, match="by='week' is unknown|by must be|unknown by|'week'"):
        xd.event_counts(table, by="week")
    with pytest.raises(ValueError, match="there is no event"):
        xd.event_counts(table.isel(event=slice(0)))
    with pytest.raises(ValueError, match="take them from event_counts"):
        xp.plot_event_counts(by_year.rename(year="decade"))


def test_lags_mark_the_best():
    rho = xr.DataArray([[0.2, 0.6, 0.4], [0.1, 0.2, 0.3]], {"variable": ["t2m", "tp"], "lag": [-5, 0, 5]})
    ax = xp.plot_lags(rho.expand_dims("site").to_dataset(name="rho"))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["t2m: best at 0 days", "tp: best at 5 days"]
    with pytest.raises(ValueError, match="call ccm with several lags"):
        xp.plot_lags(rho.isel(lag=0).to_dataset(name="rho"))


def test_the_null_band_holds_unrelated_causes_and_not_a_driver():
    x, y = np.full((2, 500), 0.4)
    for t in range(499):  # x drives y
        x[t + 1] = x[t] * (3.8 - 3.8 * x[t])
        y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.1 * x[t])
    x, y = (xr.DataArray(values, dims="time") for values in (x, y))
    sizes = [50, 400]
    null = xd.convergence_null(x, y, library_size=sizes, surrogates=39, surrogate_kind="phase", library_samples=5)
    assert null.attrs["surrogates"] == 39
    assert (null.rho_lower <= null.rho).all()
    assert (null.rho <= null.rho_upper).all()
    assert float(null.rho_upper[-1]) < 0.3
    found = xd.ccm(x, y, library_size=sizes, direction="cause_to_effect", library_samples=5)
    assert float(found.rho[-1].squeeze()) > 0.9
    ax = xp.plot_convergence(found, null=null)
    assert "no relation (95 %)" in [text.get_text() for text in ax.get_legend().get_texts()]
    with pytest.raises(ValueError, match="take it from convergence_null"):
        xp.plot_convergence(found, null=found[["rho"]])
    with pytest.raises(ValueError, match="one pair of series is needed"):
        xd.convergence_null(x.expand_dims(site=2), y, library_size=sizes)
    with pytest.raises(ValueError, match="confidence=2 must lie between 0 and 1"):
        xd.convergence_null(x, y, library_size=sizes, confidence=2)
