"""Maps of sites and fields, and their coastline: every place where it is, nothing fetched or left changed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
ccrs = pytest.importorskip("cartopy.crs")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

import xdrought.plot as xp
from tests.support.drawn import (  # noqa: E402
    END,
    ONSET,
    START,
    field,
    table,
    texts,
    values_at,
)
from tests.support.helpers import unchanged  # noqa: E402
from xdrought.plot.maps import COASTLINE, west_to_east

pytestmark = pytest.mark.usefixtures("offline_and_tidy")


def dots(ax):
    (found,) = [c for c in ax.collections if type(c).__name__ == "PathCollection"]
    return found


def test_map_of_sites_far_apart_is_the_world():
    ax = xp.plot_map(values_at([47, 38, -12], [11, -121, 131]), title="Sites")
    ax.figure.canvas.draw()
    assert isinstance(ax.projection, ccrs.Robinson)
    np.testing.assert_allclose(dots(ax).get_offsets(), [[11, 47], [-121, 38], [131, -12]])
    np.testing.assert_allclose(dots(ax).get_array(), [0.5, 1.5, 2.5])
    assert ax.child_axes[0].get_xlabel() == "Flash droughts (per year)"
    assert ax.get_title(loc="left") == "Sites"


def test_map_of_a_region_is_around_it_even_over_the_date_line():
    ax = xp.plot_map(values_at([-18, -14], [178, -174]))
    ax.figure.canvas.draw()
    assert ax.projection.proj4_params["lon_0"] == pytest.approx(-178)  # halfway by the shorter way round
    assert ax.projection.proj4_params["lat_0"] == pytest.approx(-16)
    west, east, _, _ = ax.get_extent(ccrs.PlateCarree(central_longitude=182))
    assert -15 < west < -4 < 4 < east < 15


def mesh_columns(ax) -> tuple[np.ndarray, np.ndarray]:
    """Longitude of the middle of each column of the field drawn, and the values of its first row."""
    (mesh,) = [c for c in ax.collections if type(c).__name__ == "GeoQuadMesh"]
    edges = mesh.get_coordinates()[0, :, 0]
    return (edges[1:] + edges[:-1]) / 2, np.asarray(mesh.get_array()).reshape(mesh.get_coordinates().shape[0] - 1, -1)[
        0
    ]


@pytest.mark.parametrize(
    ("lon", "expected"),
    [
        (np.r_[-180.0:-174, 174:180], [*range(174, 186)]),  # counted from -180, over the date line
        (np.r_[174.0:186], [*range(174, 186)]),
        (np.r_[355.0:360, 0:5], [*range(355, 365)]),  # over Greenwich, counted from 0
        (np.r_[-5.0:5], [*range(355, 365)]),
        (np.r_[10.0:0:-1], [*range(1, 11)]),  # from east to west
    ],
)
def test_a_field_is_drawn_from_west_to_east(lon, expected):
    values = np.tile(np.round(lon) % 360, (3, 1))
    ax = xp.plot_map(xr.DataArray(values, {"lat": [50.0, 49, 48], "lon": lon}, ("lat", "lon")))
    middle, first = mesh_columns(ax)
    np.testing.assert_allclose(middle, expected)
    np.testing.assert_array_equal(first, np.mod(expected, 360))


@pytest.mark.parametrize("start", [-180.0, 0.0, 0.125, -179.875])
def test_a_field_around_the_globe_keeps_every_column(start):
    lon = start + np.arange(0, 360, 22.5)
    order, east = west_to_east(lon)
    assert sorted(order) == list(range(16))
    np.testing.assert_allclose(np.diff(east), 22.5)
    np.testing.assert_allclose(east % 360, lon[order] % 360)


def test_sites_without_a_value_are_crosses():
    ax = xp.plot_map(values_at([47, 50], [11, 13], values=[1.0, np.nan]))
    assert len(dots(ax).get_offsets()) == 1
    (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert cross.get_xydata().tolist() == [[13, 50]]


def test_events_are_counted_per_site_and_year():
    flash, normal = (ONSET, START, END, True), (ONSET, START, END, False)
    here, there = table((flash, flash, normal)), table((normal,), site="DE-Hai")
    there = there.assign_coords(lat=("event", [51.0]), lon=("event", [10.0]))
    events = xr.concat([here, there], "event")
    ax = xp.plot_map(events)
    assert sorted(dots(ax).get_array()) == [0, 2]
    assert ax.get_title(loc="left") == "2 flash droughts at 2 sites"
    years = values_at([47.1, 51, 45], [11.3, 10, 9], values=[4.0, 2.0, 3.0])
    years = years.assign_coords(site=["AT-Neu", "DE-Hai", "IT-Tor"])
    rates = dots(xp.plot_map(events, years=years))
    assert sorted(rates.get_array()) == [0, 0, 0.5]  # IT-Tor had no event and is there all the same
    assert xp.plot_map(events, years=2.0).child_axes[0].get_ylabel() == "Flash droughts (per year)"
    with pytest.raises(ValueError, match="years by site need a coordinate 'site'"):
        xp.plot_map(events, years=years.drop_vars("site"))


def test_map_without_events_says_so():
    assert "no flash drought event" in texts(xp.plot_map(table(())))


def test_map_of_a_field_in_any_order_of_dims_and_longitudes():
    share = field([358.0, 359, 0, 1])
    ax = xp.plot_map(share)
    ax.figure.canvas.draw()
    (mesh,) = [c for c in ax.collections if type(c).__name__ == "GeoQuadMesh"]
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).ravel(), share.values.T.ravel())
    np.testing.assert_allclose(np.diff(mesh.get_coordinates()[0, :, 0]), 1)  # none around the world
    assert ax.child_axes[0].get_ylabel() == "Share of flash droughts (%)"


def test_map_leaves_its_input_unchanged():
    share = field([10.0, 11])
    with unchanged(share):
        xp.plot_map(share)


def test_maps_refuse_what_has_no_place():
    with pytest.raises(ValueError, match=r"lat and lon not among the coordinates.*assign_coords"):
        xp.plot_map(xr.DataArray([1.0], dims="site", coords={"site": ["AT-Neu"]}))
    with pytest.raises(ValueError, match=r"a map shows \(lat, lon\).*\.isel\(time=0\)"):
        xp.plot_map(field([10.0, 11]).expand_dims(time=2))
    with pytest.raises(ValueError, match=r"a Dataset with \['share'\] was given"):
        xp.plot_map(field([10.0, 11]).to_dataset())
    with pytest.raises(ValueError, match="ax is Axes, which has no map projection"):
        xp.plot_map(values_at([47], [11]), ax=plt.figure().add_subplot())


def test_a_coastline_that_is_not_here_is_an_error_and_no_download(monkeypatch, tmp_path):
    import cartopy

    for key in ("pre_existing_data_dir", "data_dir", "repo_data_dir"):
        monkeypatch.setitem(cartopy.config, key, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no Natural Earth coastline '50m'.*110m"):
        xp.plot_map(values_at([47], [11]), resolution="50m")
    xp.plot_map(values_at([47], [11])).figure.canvas.draw()  # the packaged one needs no folder


@pytest.mark.parametrize("inner", ["", "shapefiles"])
def test_a_finer_coastline_on_this_computer_is_used(data_dir, monkeypatch, inner):
    import cartopy

    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", data_dir / "naturalearth" / inner)
    xp.plot_map(values_at([47, 52], [11, 4]), resolution="50m").figure.canvas.draw()


def test_coastline_has_no_segment_over_the_date_line():
    with np.load(COASTLINE) as stored:
        lon, lat, start = stored["lon"], stored["lat"], stored["start"]
    segments = np.split(lon, start[1:])
    assert COASTLINE.stat().st_size < 40_000
    assert len(segments) == 128
    assert min(map(len, segments)) >= 2
    assert max(np.abs(np.diff(segment)).max() for segment in segments) < 20
    assert np.abs(lon).max() == 180
    assert -86 < lat.min() < -84
    assert 83 < lat.max() < 84
    # a known place: the coast passes within half a degree of Land's End, 50.07 N 5.71 W
    assert np.hypot(lat - 50.07, lon + 5.71).min() < 0.5


@pytest.fixture(scope="module")
def maker():
    path = Path(__file__).resolve().parents[2] / "ci" / "make_coastline.py"
    spec = importlib.util.spec_from_file_location("make_coastline", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_line_is_cut_at_the_date_line_and_its_seam_dropped(maker):
    line = np.array([[170.0, 0], [178, 10], [-176, 40], [-180, 50], [-180, 60], [-170, 70]])
    first, second, third = maker.split_at_date_line(line)
    # from 178 to 184 the date line is a third of the way: 10 + 30 / 3 = 20
    assert first.tolist() == [[170, 0], [178, 10], [180, 20]]
    assert second.tolist() == [[-180, 20], [-176, 40], [-180, 50]]
    assert third.tolist() == [[-180, 60], [-170, 70]]
    (west,) = maker.split_at_date_line(np.array([[-180.0, 5], [175, 6]]))
    assert west.tolist() == [[180, 5], [175, 6]]


def test_arcs_are_decoded_and_each_is_used_once(maker, tmp_path):
    topology = {
        "transform": {"scale": [0.5, 2.0], "translate": [-10, 20]},
        "arcs": [[[0, 0], [2, 1], [2, 0]], [[9, 9], [1, 1]], [[4, 1], [-4, -1]]],
        "objects": {"land": {"geometries": [{"type": "MultiPolygon", "arcs": [[[0, ~2]], [[2]]]}]}},
    }
    segments = maker.coastline(topology)
    assert [segment.tolist() for segment in segments] == [
        [[-10, 20], [-9, 22], [-8, 22]],
        [[-8, 22], [-10, 20]],
    ]  # arc 1 bounds no land; arc 2 occurs twice
    maker.write(segments, tmp_path / "coast.npz")
    with np.load(tmp_path / "coast.npz") as stored:
        assert stored["start"].tolist() == [0, 3]
        assert stored["lon"].tolist() == [-10, -9, -8, -8, -10]


def test_another_source_is_refused(maker, tmp_path, monkeypatch):
    (tmp_path / "land-110m.json").write_text("{}")
    monkeypatch.setattr(sys, "argv", ["make_coastline", "--source", str(tmp_path)])
    with pytest.raises(SystemExit, match="expected land-110m.json of world-atlas"):
        maker.main()


def test_a_single_cell_has_a_map():
    ax = xp.plot_map(xr.DataArray([[1.0]], {"lat": [50.0], "lon": [3.0]}, ["lat", "lon"]))
    west, east, south, north = ax.get_extent()
    assert north - south > 100e3  # metres of the equal-area map: a degree around the cell
    ax.figure.canvas.draw()


def test_places_without_coordinates_are_refused():
    nowhere = ("site", [np.nan])
    with pytest.raises(ValueError, match="no place has a latitude and a longitude"):
        xp.plot_map(xr.DataArray([1.0], dims="site", coords={"lat": nowhere, "lon": nowhere}))
