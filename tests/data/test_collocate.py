"""Patches around sites: against picking cells one by one, at the date line, the poles and the edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.data import open_fluxnet
from xdrought.data.collocate import collocate, join_towers, nearest_cells
from xdrought.data.era5 import daily_drivers
from xdrought.simulation import twin

STEP = 2.5


def globe(*, east=False, northward=False, step=STEP, offset=0.0, days=2):
    """A global grid whose values say where they are: lat * 1000 + lon (in -180..180), plus the day."""
    lat = np.arange(90.0 - offset, -90.0 - 1e-9, -step)
    lon = (np.arange(0.0, 360.0, step) if east else np.arange(-180.0, 180.0, step)) + offset
    lat = lat[::-1] if northward else lat
    place = lat[:, None] * 1000 + np.where(lon >= 180, lon - 360, lon)[None, :]
    values = place + 0.001 * np.arange(days)[:, None, None]
    return xr.Dataset(
        {"t2m": (("time", "lat", "lon"), values, {"units": "K"}), "orography": (("lat", "lon"), place)},
        {"time": pd.date_range("2003-05-01", periods=days), "lat": lat, "lon": lon},
        {"source": "made up"},
    )


def places(*points):
    names = [f"S{k}" for k in range(len(points))]
    return pd.DataFrame({"site": names, "lat": [lat for lat, _ in points], "lon": [lon for _, lon in points]})


def picked_by_hand(ds, lat, lon, size):
    """Cells one by one: those with the smallest distances on each side, north to south and west to east."""
    rows = np.sort(ds.lat.values)[::-1]
    east = (ds.lon.values - lon + 180.0) % 360.0 - 180.0  # degrees east of the site
    columns = ds.lon.values[np.argsort(east)]
    east = np.sort(east)
    if size % 2:
        row = min(range(rows.size), key=lambda k: (round(abs(rows[k] - lat), 9), -rows[k]))
        column = min(range(east.size), key=lambda k: (round(abs(east[k]), 9), east[k]))
        first = row - size // 2, column - size // 2
    else:
        row = max(k for k in range(rows.size) if rows[k] >= lat - 1e-9)
        column = max(k for k in range(east.size) if east[k] <= 1e-9)
        first = row - (size // 2 - 1), column - (size // 2 - 1)
    if first[0] < 0 or first[0] + size > rows.size:
        return None
    n = columns.size
    return rows[first[0] : first[0] + size], np.array([columns[(first[1] + k) % n] for k in range(size)])


@settings(max_examples=60)
@given(
    # Four decimals: on a cell's centre or edge, or well away from it.
    lat=st.floats(-90, 90).map(lambda x: round(x, 4)) | st.integers(-72, 72).map(lambda k: k * STEP / 2),
    lon=st.floats(-180, 360).map(lambda x: round(x, 4)) | st.integers(-144, 288).map(lambda k: k * STEP / 2),
    size=st.integers(1, 10),
    east=st.booleans(),
    northward=st.booleans(),
)
def test_patches_are_those_picked_by_hand(lat, lon, size, east, northward):
    ds = globe(east=east, northward=northward, days=1)
    expected = picked_by_hand(ds, lat, lon, size)
    if expected is None:
        with pytest.raises(ValueError, match="S0 passes the grid's edge or a pole"):
            collocate(ds, places((lat, lon)), size=size)
        return
    rows, columns = expected
    made = collocate(ds, places((lat, lon)), size=size)
    values = ds.t2m.isel(time=0).sel(lat=rows).sel(lon=columns).values
    np.testing.assert_array_equal(made.t2m[0, 0], values)
    np.testing.assert_array_equal(made.cell_lat[0], rows)
    np.testing.assert_array_equal(made.cell_lon[0], np.where(columns >= 180, columns - 360, columns))


@settings(max_examples=40)
@given(lat=st.floats(-70, 70), lon=st.floats(-180, 180), size=st.integers(1, 5).map(lambda k: 2 * k))
def test_the_site_is_in_the_middle_and_labels_are_those_of_the_values(lat, lon, size):
    made = collocate(globe(east=True, days=1), places((lat, lon)), size=size)
    half = size // 2
    north, south = made.cell_lat.values[0, half - 1 : half + 1]
    assert south <= lat + 1e-5
    assert lat <= north + 1e-5
    west, east = (made.cell_lon.values[0, half - 1 : half + 1] - lon + 180) % 360 - 180
    assert -STEP - 1e-5 < west <= 1e-5
    assert -1e-5 < east <= STEP + 1e-5
    labels = made.cell_lat.values[0][:, None] * 1000 + made.cell_lon.values[0][None, :]
    np.testing.assert_allclose(made.t2m[0, 0], labels)


@pytest.mark.parametrize("east", [True, False])
@pytest.mark.parametrize("northward", [True, False])
def test_neither_convention_nor_direction_changes_a_patch(east, northward):
    points = places((47.1, 11.3), (-12.5, 131.3), (65.0, -179.9), (1.0, 0.1), (40.0, -99.4))
    made = collocate(globe(east=east, northward=northward), points)
    xr.testing.assert_identical(made, collocate(globe(), points))
    other = points.assign(lon=points.lon % 360.0)
    np.testing.assert_array_equal(collocate(globe(), other).t2m, made.t2m)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_between_two_cells_as_near_the_northern_and_western_is_the_middle_one(size):
    made = collocate(globe(), places((46.25, 11.25)), size=size)  # cells at 47.5 and 45.0, 10.0 and 12.5
    middle = {"patch_lat": size // 2, "patch_lon": size // 2}
    assert made.cell_lat.isel(patch_lat=size // 2).item() == 47.5
    assert made.cell_lon.isel(patch_lon=size // 2).item() == 10.0
    assert made.t2m.isel(middle)[0, 0].item() == 47.5 * 1000 + 10.0


@pytest.mark.parametrize("size", [1, 2])
def test_rounding_does_not_decide_where_a_site_on_a_centre_or_an_edge_belongs(size):
    lat, lon = np.arange(60.0, 40.0, -0.1), np.arange(0.0, 20.0, 0.1)  # 47.10000000000018, 11.3 and so on
    ds = xr.Dataset({"v": (("lat", "lon"), lat[:, None] * 1000 + lon)}, {"lat": lat, "lon": lon})
    for k in range(1, 150):
        north, west = 600 - k, k  # in tenths of a degree
        shift = (0.0, 0.05)[size == 1]  # on the centre for an even patch, half way for an odd one
        made = collocate(ds, places((north / 10 - shift, west / 10 + shift)), size=size)
        assert round(made.cell_lat.values[0, 0] * 10) == north
        assert round(made.cell_lon.values[0, 0] * 10) == west


def test_a_patch_across_the_date_line_has_no_seam():
    made = collocate(globe(east=True), places((0.0, 179.9)), size=4)
    np.testing.assert_array_equal(made.cell_lon[0], [175.0, 177.5, -180.0, -177.5])
    np.testing.assert_array_equal(made.orography[0, 1] - made.cell_lat.values[0, 1] * 1000, made.cell_lon[0])
    with pytest.raises(ValueError, match="passes the grid's edge"):
        collocate(globe(), places((0.0, 179.9)), size=4, wrap=False)
    assert collocate(globe(), places((0.0, 1.0)), size=4, wrap=True).sizes["site"] == 1


def test_a_region_across_the_date_line_is_one_region():
    whole = globe(east=True)
    region = whole.sel(lon=slice(170.0, 190.0))
    wrapped = region.assign_coords(lon=np.where(region.lon >= 180, region.lon - 360, region.lon)).sortby("lon")
    sites = places((0.0, 179.9), (1.0, -178.0))
    expected = collocate(whole, sites, size=4)
    xr.testing.assert_identical(collocate(region, sites, size=4), expected)
    xr.testing.assert_identical(collocate(wrapped, sites, size=4), expected)
    with pytest.raises(ValueError, match=r"S0 passes .*170 to -170 east"):
        collocate(wrapped, places((0.0, -160.0)), size=4)
    with pytest.raises(ValueError, match="wrap=True, but the grid covers 22.5 of 360 degrees"):
        collocate(region, sites, size=4, wrap=True)


@pytest.mark.parametrize("size", [1, 3, 10])
def test_the_poles(size):
    near = places((89.0, 10.0), (-89.0, 10.0))
    if size == 1:
        assert collocate(globe(), near, size=1).cell_lat.values.ravel().tolist() == [90.0, -90.0]
        return
    with pytest.raises(ValueError, match=f"the {size} x {size} patch of S0, S1 passes the grid's edge or a pole"):
        collocate(globe(), near, size=size)


def test_a_site_beyond_the_outermost_row_of_cell_centres():
    ds = globe(offset=STEP / 2)  # rows from 88.75 on
    assert collocate(ds, places((89.9, 0.0)), size=1).cell_lat.item() == 88.75
    with pytest.raises(ValueError, match="88.75 to -88.75 north"):
        collocate(ds, places((89.9, 0.0)), size=2)


def test_four_nearest_of_ten_are_4_to_6_by_4_to_6_row_by_row():
    made = collocate(globe(), places((47.1, 11.3), (-12.4, 179.0)))
    near = nearest_cells(made)
    assert near.t2m.dims == ("site", "time", "cell")
    np.testing.assert_array_equal(near.t2m, made.t2m.values[:, :, 4:6, 4:6].reshape(2, 2, 4))
    np.testing.assert_array_equal(near.cell_lat[0], [47.5, 47.5, 45.0, 45.0])
    np.testing.assert_array_equal(near.cell_lon[0], [10.0, 12.5, 10.0, 12.5])
    np.testing.assert_array_equal(near.cell, [0, 1, 2, 3])


@settings(max_examples=40)
@given(lat=st.floats(-60, 60), lon=st.floats(-180, 180), size=st.sampled_from([2, 3, 4, 5, 7, 10]))
def test_nearest_cells_are_the_same_for_every_size(lat, lon, size):
    # Where the site is on a cell's own row or column, two choices are as near.
    assume(all(0.01 < (x / STEP) % 1 < 0.99 for x in (lat, lon)))
    ds = globe(days=1)
    expected = nearest_cells(collocate(ds, places((lat, lon)), size=2))
    made = nearest_cells(collocate(ds, places((lat, lon)), size=size))
    np.testing.assert_array_equal(made.t2m, expected.t2m)
    np.testing.assert_array_equal(made.cell_lon, expected.cell_lon)


def test_one_cell_and_other_variables():
    made = collocate(globe(), places((47.1, 11.3)), size=1)
    made["soil_moisture"] = (("site", "time"), [[0.1, 0.2]])
    near = nearest_cells(made)
    assert near.t2m.shape == (1, 2, 1)
    assert near.t2m[0, 0, 0] == 47.5 * 1000 + 12.5
    np.testing.assert_array_equal(near.soil_moisture, made.soil_moisture)


def test_nearest_cells_refuses():
    made = collocate(globe(), places((47.1, 11.3)), size=3)
    with pytest.raises(ValueError, match="expected square patches on"):
        nearest_cells(globe())
    with pytest.raises(ValueError, match="expected square patches"):
        nearest_cells(made.isel(patch_lat=[0, 1]))
    with pytest.raises(ValueError, match="odd size 3 the nearest cells depend on 'cell_lat' and 'lat'"):
        nearest_cells(made.drop_vars("cell_lat"))


def test_the_simulated_world_has_the_same_shape():
    world = twin.simulate(2, 20, size=4, drivers=["t2m"], spinup_days=10)
    lat = np.arange(90, -90.1, -0.25)
    lon = np.arange(-180, 180, 0.25)
    grid = xr.Dataset({"place": (("lat", "lon"), lat[:, None] * 1000 + lon)}, {"lat": lat, "lon": lon})
    made = collocate(grid, world, size=4)
    np.testing.assert_array_equal(made.cell_lat, world.cell_lat)
    np.testing.assert_array_equal(made.cell_lon, world.cell_lon)
    np.testing.assert_array_equal(nearest_cells(world).t2m, world.t2m.values[:, :, 1:3, 1:3].reshape(2, 20, 4))


# --- what is outside --------------------------------------------------------------------------------------


@pytest.fixture
def region():
    return globe().sel(lat=slice(60, 30), lon=slice(-10, 30))


def test_outside_raises_drops_or_fills(region):
    points = places((47.1, 11.3), (58.9, 11.3), (47.1, 90.0))
    with unchanged(region):
        with pytest.raises(ValueError, match=r"the 4 x 4 patch of S1, S2 passes .*60 to 30 north, -10 to 30 east"):
            collocate(region, points, size=4)
        with pytest.warns(UserWarning, match="left out: the 4 x 4 patch of S1, S2"):
            kept = collocate(region, points, size=4, outside="drop")
        filled = collocate(region, points, size=4, outside="nan")
    assert kept.site.values.tolist() == ["S0"]
    assert kept.attrs["dropped_sites"] == "S1, S2"
    np.testing.assert_array_equal(filled.t2m[0], kept.t2m[0])
    np.testing.assert_array_equal(np.isnan(filled.t2m[1, 0]), np.repeat([[True], [False], [False], [False]], 4, 1))
    np.testing.assert_array_equal(np.isnan(filled.cell_lat[1]), [True, False, False, False])
    there = globe().t2m[0].sel(lat=filled.cell_lat.values[1, 1:]).sel(lon=filled.cell_lon.values[1])
    np.testing.assert_array_equal(filled.t2m[1, 0, 1:], there)
    assert np.isnan(filled.t2m[2]).all()
    with pytest.raises(ValueError, match="no site has its whole patch"):
        collocate(region, places((0.0, 0.0)), outside="drop")


def test_nothing_outside_changes_no_type(region):
    whole = region.astype("int32")
    assert collocate(whole, places((47.1, 11.3)), size=4).t2m.dtype == "int32"
    assert collocate(whole, places((47.1, 11.3)), size=4, outside="drop").attrs["dropped_sites"] == ""


# --- grids that are none ----------------------------------------------------------------------------------


def test_irregular_grids_are_refused():
    ds = globe()
    with pytest.raises(ValueError, match=r"'lat' is not evenly spaced \(steps from 2.5 to 5 degrees\)"):
        collocate(ds.isel(lat=np.delete(np.arange(ds.sizes["lat"]), 20)), places((47.1, 11.3)))
    with pytest.raises(ValueError, match="'lon' is not evenly spaced"):
        collocate(ds.isel(lon=[40, 41, 43, 44, 45]), places((47.1, 11.3)))
    gaussian = ds.isel(lat=slice(0, 4)).assign_coords(lat=[87.86, 85.10, 82.31, 79.42])
    with pytest.raises(ValueError, match="'lat' is not evenly spaced"):
        collocate(gaussian, places((85.0, 11.3)), size=1)
    with pytest.raises(ValueError, match="'lat' has one cell"):
        collocate(ds.isel(lat=[5]), places((47.1, 11.3)), size=1)
    with pytest.raises(ValueError, match=r"'lon' names the same place more than once \(-180 degrees"):
        collocate(xr.concat([ds, ds.isel(lon=[0]).assign_coords(lon=[180.0])], "lon"), places((47.1, 11.3)))
    with pytest.raises(ValueError, match="expected one dimension called lat or latitude"):
        collocate(ds.rename(lat="y").drop_attrs(), places((47.1, 11.3)))
    made = collocate(ds.rename(lat="latitude", lon="longitude"), places((47.1, 11.3)), lat="latitude", lon="longitude")
    xr.testing.assert_identical(made, collocate(ds, places((47.1, 11.3))))


def test_rounded_and_float32_labels_are_regular():
    third = np.round(np.arange(0, 360, 1 / 3), 4)
    lat = np.arange(60, 40, -1 / 3).astype("float32")
    ds = xr.Dataset({"v": (("lat", "lon"), np.zeros((lat.size, third.size)))}, {"lat": lat, "lon": third})
    assert collocate(ds, places((47.1, 359.9))).cell_lon.values[0, 5] == 0.0


# --- sites ------------------------------------------------------------------------------------------------


def test_what_is_known_of_sites_is_kept():
    table = places((47.1, 11.3), (40.0, -99.4)).assign(igbp=["GRA", "DBF"], elevation=[970.0, 600.0])
    made = collocate(globe(), table, size=2)
    assert made.igbp.values.tolist() == ["GRA", "DBF"]
    assert made.lat.dims == made.elevation.dims == ("site",)
    labelled = made[["site", "lat", "lon", "igbp", "elevation"]]
    xr.testing.assert_identical(collocate(globe(), labelled, size=2), made)
    variables = labelled.reset_coords(["lat", "lon"])
    xr.testing.assert_identical(collocate(globe(), variables, size=2), made)
    xr.testing.assert_identical(collocate(globe(), table.set_index("site"), size=2), made)
    assert made.attrs == {"source": "made up", "patch_size": 2}
    assert made.t2m.attrs == {"units": "K"}


@pytest.mark.parametrize(
    ("sites", "error", "text"),
    [
        (places((47.1, 11.3)).drop(columns="site"), ValueError, "no column 'site'; it has"),
        (places((47.1, 11.3)).drop(columns="lat"), ValueError, r"the sites have no \['lat'\]"),
        (places((47.1, 11.3)).iloc[:0], ValueError, "no sites were given"),
        (
            places((47.1, 11.3), (1.0, np.nan)),
            ValueError,
            "'lon' is missing or outside -180 to 360 degrees at S1",
        ),
        (places((97.1, 11.3)), ValueError, "'lat' is missing or outside -90 to 90 degrees at S0"),
        (places(("47", 11.3)), ValueError, "'lat' of the sites holds .*not degrees"),
        (pd.concat([places((47.1, 11.3))] * 2), ValueError, "sites given more than once: S0"),
        (xr.Dataset({"lat": ("x", [1.0])}), ValueError, "no dimension and coordinate 'site'"),
        ([("S0", 1.0, 2.0)], TypeError, "sites must be a Dataset or DataFrame, got list"),
    ],
)
def test_sites_that_cannot_be_used(sites, error, text):
    with pytest.raises(error, match=text):
        collocate(globe(), sites)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size": 0}, "size=0; it must be a whole number"),
        ({"size": 2.0}, "size=2.0"),
        ({"size": True}, "size=True"),
        ({"wrap": "yes"}, "wrap='yes'; expected True, False or \"auto\""),
        ({"outside": "skip"}, "outside='skip'; choose from"),
    ],
)
def test_settings_out_of_their_choices(options, text):
    with pytest.raises(ValueError, match=text):
        collocate(globe(), places((47.1, 11.3)), **options)


def test_an_array_is_refused_with_the_cure():
    with pytest.raises(TypeError, match="grid must be a Dataset, got DataArray; make it one, grid.to_dataset"):
        collocate(globe().t2m, places((47.1, 11.3)))


# --- laziness ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [{"time": 1}, {"lat": 7, "lon": 11}, {"time": -1}])
def test_dask_stays_lazy_and_chunks_do_not_matter(chunks):
    ds = globe(days=5)
    points = places((47.1, 11.3), (0.0, 179.9), (-40.0, -60.0), (89.0, 3.0))
    with unchanged(ds):
        eager = collocate(ds, points, size=3, outside="nan")
    with raise_if_dask_computes():
        lazy = collocate(ds.chunk(chunks), points, size=3, outside="nan")
        near = nearest_cells(lazy)
    assert lazy.t2m.chunks
    xr.testing.assert_identical(lazy.compute(), eager)
    xr.testing.assert_identical(near.compute(), nearest_cells(eager))


def test_each_chunk_is_read_once():
    import dask.array as da

    reads = []

    def read(block, block_info=None):
        reads.append(block_info[0]["chunk-location"])
        return block

    ds = globe(days=6).chunk(time=2)
    ds["t2m"] = ds.t2m.copy(data=da.map_blocks(read, ds.t2m.data, dtype="float64", meta=np.empty((0, 0, 0))))
    rng = np.random.default_rng(0)
    points = places(*zip(rng.uniform(-60, 60, 30), rng.uniform(-180, 180, 30), strict=True))
    collocate(ds, points).t2m.compute(scheduler="synchronous")
    assert sorted(reads) == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]


# --- towers -----------------------------------------------------------------------------------------------


def towers(names=("S0", "S1"), start="2003-04-30", days=3, lon=(11.3, -99.4)):
    moisture = np.arange(len(names) * days, dtype="float64").reshape(len(names), days)
    return xr.Dataset(
        {"soil_moisture": (("site", "time"), moisture, {"units": "%"})},
        {
            "site": list(names),
            "time": pd.date_range(start, periods=days),
            "lat": ("site", [47.1, 40.0]),
            "lon": ("site", list(lon)),
            "igbp": ("site", ["GRA", "DBF"]),
        },
    )


def test_towers_are_joined_by_name_and_day():
    drivers = collocate(globe(days=4), places((47.1, 11.3), (40.0, -99.4)), size=2)
    station = towers()
    with unchanged(drivers, station):
        made = join_towers(drivers, station)
    xr.testing.assert_identical(join_towers(drivers, station.isel(site=[1, 0])), made)
    np.testing.assert_array_equal(made.soil_moisture, [[1, 2, np.nan, np.nan], [4, 5, np.nan, np.nan]])
    assert made.soil_moisture.attrs == {"units": "%"}
    assert made.igbp.values.tolist() == ["GRA", "DBF"]
    xr.testing.assert_identical(made[["t2m", "orography"]].drop_vars("igbp"), drivers[["t2m", "orography"]])
    parts = [ds.chunk(time=1).assign_coords(ds.coords) for ds in (drivers, station)]  # places in memory
    with raise_if_dask_computes():
        lazy = join_towers(*parts)
    xr.testing.assert_identical(lazy.compute(), made)
    seconds = station.assign_coords(time=station.time.astype("datetime64[s]"))
    np.testing.assert_array_equal(join_towers(drivers, seconds).soil_moisture, made.soil_moisture)
    turned = station.assign_coords(lon=station.lon % 360)
    np.testing.assert_array_equal(join_towers(drivers, turned).soil_moisture, made.soil_moisture)


def test_towers_that_do_not_fit():
    drivers = collocate(globe(days=4), places((47.1, 11.3), (40.0, -99.4)), size=2)
    with pytest.raises(ValueError, match="the towers lack the sites S1; select those both have"):
        join_towers(drivers, towers(names=("S0", "S9")))
    with pytest.raises(ValueError, match="'lon' of S1 differs by up to 0.4 degrees"):
        join_towers(drivers, towers(lon=(11.3, -99.0)))
    with pytest.raises(ValueError, match="no day is in both: drivers 2003-05-01"):
        join_towers(drivers, towers(start="2010-01-01"))
    with pytest.raises(ValueError, match=r"\['t2m'\] are variables of both"):
        join_towers(drivers, towers().rename(soil_moisture="t2m"))


# --- real files -------------------------------------------------------------------------------------------


def test_us_var_in_wfde5(data_dir):
    with xr.open_dataset(data_dir / "wfde5" / "splash_nw_us_grid_data.nc") as opened:
        raw = opened[["tmp"]].rename(tmp="t2m").load()
    raw["t2m"].attrs["units"] = "degC"
    grid = daily_drivers(raw, drivers=["t2m"])
    tower = open_fluxnet(data_dir / "fluxnet2015", sites=["US-Var"])
    made = collocate(grid, tower, size=4)
    cell = made.t2m[0, :, 1, 1]
    assert abs(made.cell_lat[0, 1] - made.lat[0]) < 0.5
    np.testing.assert_array_equal(cell, grid.t2m.sel(lat=made.cell_lat[0, 1], lon=made.cell_lon[0, 1]))
    joined = join_towers(made, tower)
    air = joined.TA_F[0] + 273.15
    there = air.notnull().values & nearest_cells(joined).t2m.notnull().all("cell").values[0]
    near = nearest_cells(joined).t2m[0].mean("cell")
    assert np.corrcoef(air.values[there], near.values[there])[0, 1] > 0.95  # a patch elsewhere would not follow


def test_axes_of_the_grid_are_known_by_their_cf_attributes():
    axes = {"time": pd.date_range("2003", periods=3), "lat": np.arange(50, 45, -0.25), "lon": np.arange(5, 10, 0.25)}
    grid = xr.Dataset({"t2m": xr.DataArray(np.random.default_rng(0).random((3, 20, 20)), axes)})
    sites = pd.DataFrame({"site": ["AT-Neu"], "lat": [47.1167], "lon": [7.32]})
    expected = collocate(grid, sites, size=4)
    named = grid.rename(lat="y", lon="x")
    with pytest.raises(ValueError, match=r"expected one dimension called lat or latitude.*name it with lat="):
        collocate(named, sites, size=4)
    xr.testing.assert_identical(collocate(named, sites, size=4, lat="y", lon="x"), expected)
    named["y"].attrs["units"], named["x"].attrs["standard_name"] = "degrees_north", "longitude"
    xr.testing.assert_identical(collocate(named, sites, size=4), expected)


def test_packing_of_the_file_is_not_kept():
    axes = {"time": pd.date_range("2003", periods=3), "lat": np.arange(50, 45, -0.25), "lon": np.arange(5, 10, 0.25)}
    grid = xr.Dataset({"t2m": xr.DataArray(np.zeros((3, 20, 20)), axes)})
    grid.t2m.encoding = {"dtype": "int16", "scale_factor": 0.1}
    sites = pd.DataFrame({"site": ["edge"], "lat": [49.9], "lon": [7.32]})
    assert collocate(grid, sites, size=4, outside="nan").t2m.encoding == {}


def test_towers_and_drivers_each_keep_when_their_days_begin():
    grid = globe().assign_attrs(source="made up")
    patches = collocate(grid.assign(t2m=grid.t2m.assign_attrs(day_boundary="00:00 UTC")), places((47.1, 11.3)), size=2)
    soil = xr.DataArray(np.zeros((1, 2)), {"site": patches.site, "time": patches.time}, name="soil_moisture")
    towers = soil.assign_attrs(day_boundary="00:00 local standard time").to_dataset()
    joined = join_towers(patches, towers)
    assert joined.t2m.attrs["day_boundary"] == "00:00 UTC"
    assert joined.soil_moisture.attrs["day_boundary"] == "00:00 local standard time"
