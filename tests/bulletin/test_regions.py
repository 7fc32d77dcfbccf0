"""Shares of regions are sums over cells, worked out the slow way; masks and polygons give the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.bulletin import CATEGORIES, region_shares, region_table

LAT, LON = np.arange(30.5, 36), np.arange(-4.0, 5)
FLAGS = {"flag_values": list(CATEGORIES.values()), "flag_meanings": " ".join(CATEGORIES)}
KNOWN = [name for name in CATEGORIES if name != "missing"]


@pytest.fixture
def classes() -> xr.DataArray:
    rng = np.random.default_rng(1)
    values = rng.integers(-1, 6, (5, LAT.size, LON.size)).astype(np.int8)
    coords = {"time": pd.date_range("2001-07-01", periods=5, freq="7D"), "lat": LAT, "lon": LON}
    return xr.DataArray(values, coords, ("time", "lat", "lon"), "drought_category", FLAGS)


@pytest.fixture
def mask() -> xr.DataArray:
    """West, east, and a column of cells in neither."""
    labels = np.where(LON < 0, "west", np.where(LON > 0, "east", "")) * np.ones((LAT.size, 1), object)
    return xr.DataArray(labels.astype(object), {"lat": LAT, "lon": LON}, ("lat", "lon"))


def slow_share(classes: xr.DataArray, inside: np.ndarray, day: int, value: int) -> tuple[float, float]:
    """Share of the known area and known share of the area, cell by cell; areas by the cosine of the latitude."""
    own = known = area = 0.0
    for i, lat in enumerate(LAT):
        for j in range(LON.size):
            weight = inside[i, j] * np.cos(np.deg2rad(lat))
            found = classes.values[day, i, j]
            area += weight
            known += weight * (found >= 0)
            own += weight * (found == value)
    return 100 * own / known, 100 * known / area


def test_shares_are_those_of_a_sum_cell_by_cell(classes, mask):
    with unchanged(classes, mask):
        found = region_shares(classes, mask)
    for name in ("west", "east"):
        for day in range(5):
            for category in KNOWN:
                share, known = slow_share(classes, (mask == name).values, day, CATEGORIES[category])
                one = found.sel(region=name).isel(time=day)
                assert float(one.share.sel(drought_class=category)) == pytest.approx(share, abs=1e-3)
                assert float(one.known_share) == pytest.approx(known, abs=1e-3)
    np.testing.assert_allclose(found.share.sum("drought_class"), 100)
    assert found.share.dims == ("region", "drought_class", "time")
    assert found.area.attrs["units"] == "km2"


def test_areas_are_those_of_the_sphere(classes):
    everywhere = xr.ones_like(classes.isel(time=0, drop=True))
    band = 2 * np.pi * 6371.0**2 * (np.sin(np.deg2rad(36)) - np.sin(np.deg2rad(30))) * 9 / 360
    assert float(region_shares(classes, everywhere).area[0]) == pytest.approx(band, rel=1e-3)


def test_a_mask_of_fractions_is_the_mask_of_labels_when_they_are_whole(classes, mask):
    whole = xr.concat([mask == "east", mask == "west"], pd.Index(["east", "west"], name="region"))
    xr.testing.assert_allclose(region_shares(classes, whole), region_shares(classes, mask))
    half = region_shares(classes, 0.5 * whole)
    np.testing.assert_allclose(half.share, region_shares(classes, mask).share)
    np.testing.assert_allclose(2 * half.area, region_shares(classes, mask).area)


def test_dask_stays_lazy_and_gives_the_same(classes, mask):
    with raise_if_dask_computes():
        lazy = region_shares(classes.chunk(time=2, lat=3), mask)
    xr.testing.assert_allclose(lazy.compute(), region_shares(classes, mask))


def test_order_of_cells_and_the_date_line_do_not_matter(classes, mask):
    expected = region_shares(classes, mask)
    turned = {"lat": slice(None, None, -1), "lon": [4, 0, 7, 2, 8, 1, 3, 5, 6]}
    xr.testing.assert_allclose(region_shares(classes.isel(turned), mask), expected)
    moved = {"lon": (classes.lon + 180 + 180) % 360 - 180}
    far = region_shares(classes.assign_coords(moved), mask.assign_coords(moved))
    np.testing.assert_allclose(far.area, expected.area)
    across = {"lon": (classes.lon.values + 180) % 360}
    far = region_shares(classes.assign_coords(across), mask.assign_coords(across))
    np.testing.assert_allclose(far.area, expected.area)


def test_where_nothing_is_known_nothing_is_said(classes, mask):
    found = region_shares(classes.where(classes.time != classes.time[2], -1).assign_attrs(FLAGS), mask)
    assert found.share.isel(time=2).isnull().all()
    assert (found.known_share.isel(time=2) == 0).all()


def test_stations_count_the_same_unless_told(classes, mask):
    stations = classes.stack(site=("lat", "lon"), create_index=False).drop_vars(["lat", "lon"])
    where = mask.stack(site=("lat", "lon"), create_index=False).drop_vars(["lat", "lon"])
    found = region_shares(stations, where)
    west = stations.values[0][where.values == "west"]
    assert float(found.share.sel(region="west", drought_class="D2")[0]) == pytest.approx(
        100 * (west == CATEGORIES["D2"]).sum() / (west >= 0).sum()
    )
    assert found.area.sel(region="west") == 24
    assert found.area.attrs["units"] == "1"


def test_own_areas_are_taken(classes, mask):
    area = xr.DataArray(np.arange(1.0, LAT.size + 1) * 1e6, {"lat": LAT}, "lat", attrs={"units": "m2"})
    found = region_shares(classes, mask, cell_area=area)
    assert float(found.area.sel(region="west")) == pytest.approx(4 * 21)
    with pytest.raises(ValueError, match="cell_area is negative or missing"):
        region_shares(classes, mask, cell_area=-area)


def test_what_is_no_class_place_or_region_is_refused(classes, mask):
    with pytest.raises(TypeError, match="classes must be a DataArray, got list"):
        region_shares([1], mask)
    with pytest.raises(ValueError, match="no flag_values and flag_meanings"):
        region_shares(classes.drop_attrs(), mask)
    with pytest.raises(ValueError, match=r"regions need \('lat', 'lon'\) or 'site'"):
        region_shares(classes.isel(lat=0), mask)
    with pytest.raises(ValueError, match="no cell lies in a region"):
        region_shares(classes, mask.where(mask == "nowhere"))
    with pytest.raises(ValueError, match="from 0 to 2; expected True and False or fractions"):
        region_shares(classes, 2 * (mask == "west").expand_dims(region=["west"]).astype(float))
    with pytest.raises(ValueError, match="cells='all' is unknown"):
        region_shares(classes, mask, cells="all")


def test_polygons_give_what_their_mask_gives(classes):
    geopandas = pytest.importorskip("geopandas", reason="polygons need geopandas")
    regionmask = pytest.importorskip("regionmask", reason="polygons need regionmask")
    from shapely.geometry import box

    frame = geopandas.GeoDataFrame({"name": ["A", "B"]}, geometry=[box(-4.5, 30, 0, 36), box(0, 30, 4.5, 33)], crs=4326)
    fractions = np.zeros((2, LAT.size, LON.size))
    fractions[0, :, :4], fractions[0, :, 4] = 1, 0.5
    fractions[1, :3, 5:], fractions[1, :3, 4] = 1, 0.5
    own = xr.DataArray(fractions, {"region": ["A", "B"], "lat": LAT, "lon": LON}, ("region", "lat", "lon"))
    expected = region_shares(classes, own)
    xr.testing.assert_allclose(region_shares(classes, frame, names="name"), expected)
    regions = regionmask.Regions(list(frame.geometry), names=["A", "B"])
    xr.testing.assert_allclose(region_shares(classes, regions), expected)
    numbered = region_shares(classes, frame)
    assert numbered.region.values.tolist() == ["0", "1"]
    centre = region_shares(classes, frame, names="name", cells="centre")
    assert float(centre.area.sel(region="B")) < float(expected.area.sel(region="B")) * 1.13
    with pytest.raises(TypeError, match="give a mask as DataArray, regionmask.Regions or a GeoDataFrame"):
        region_shares(classes, {"A": 1})
    with pytest.raises(ValueError, match=r"no cell lies in a region; .*lat 30.5 to 35.5 and lon -4 to 4"):
        region_shares(classes, frame.set_geometry(frame.translate(100)), names="name")
    metres = frame.to_crs(3857)
    with pytest.raises(ValueError, match=r"are in 'WGS 84 / .*', not in degrees; use regions\.to_crs\(4326\)"):
        region_shares(classes, metres, names="name")
    # The cures of both messages are followed: in degrees, and over the classes as above.
    xr.testing.assert_allclose(region_shares(classes, metres.to_crs(4326), names="name"), expected, atol=1e-6)
    with pytest.raises(ValueError, match="polygons need them"):
        region_shares(classes.drop_vars(["lat", "lon"]), frame)


def test_polygons_hold_stations(classes):
    geopandas = pytest.importorskip("geopandas", reason="polygons need geopandas")
    pytest.importorskip("regionmask", reason="polygons need regionmask")
    from shapely.geometry import box

    stations = classes.stack(site=("lat", "lon"), create_index=False)
    found = region_shares(stations, geopandas.GeoDataFrame(geometry=[box(-4.5, 30, -0.5, 36)]))
    assert found.area.values.tolist() == [24]


def test_polygons_without_the_package_are_refused_with_the_cure(classes, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "regionmask", None)
    with pytest.raises(ModuleNotFoundError, match=r"xdrought\[regions\]"):
        region_shares(classes, object())


def test_the_table_has_the_day_and_those_before(classes, mask):
    shares = region_shares(classes, mask)
    table = region_table(shares, before=["7D", 28])
    assert list(table.index.get_level_values("region").unique()) == ["east", "west"]
    assert table.shape == (6, 7)
    day = pd.Timestamp("2001-07-22")
    row = table.loc[("west", day)]
    np.testing.assert_allclose(row[KNOWN], shares.share.sel(region="west", time=day))
    assert row["known_share"] == pytest.approx(float(shares.known_share.sel(region="west", time=day)))
    assert region_table(shares, "2001-07-08").index[0] == ("east", pd.Timestamp("2001-07-08"))


def test_the_cumulative_table_adds_what_is_worse(classes, mask):
    shares = region_shares(classes, mask)
    plain, summed = region_table(shares), region_table(shares, cumulative=True)
    assert list(summed.columns) == ["none", "D0-D4", "D1-D4", "D2-D4", "D3-D4", "D4", "known_share"]
    np.testing.assert_allclose(summed["D2-D4"], plain[["D2", "D3", "D4"]].sum(axis=1))
    np.testing.assert_allclose(summed["none"] + summed["D0-D4"], 100)


def test_a_table_of_what_is_not_there_is_refused(classes, mask):
    shares = region_shares(classes, mask)
    with pytest.raises(KeyError):
        region_table(shares, "2001-07-02")
    with pytest.raises(KeyError, match="from 2001-07-01 .* have no .'2001-07-26"):
        region_table(shares, before=["3D"])
    with pytest.raises(ValueError, match="no dimension 'time'"):
        region_table(shares.isel(time=0))
    with pytest.raises(ValueError, match=r"dimension\(s\) \['member'\]; choose along them"):
        region_table(shares.expand_dims(member=2))
