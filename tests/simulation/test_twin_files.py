"""The simulated world on a grid, its files, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from xdrought.data import open_dataset, open_fluxnet, screen_sites
from xdrought.simulation import twin

PATHS = ["t2m", "mx2t", "r", "ws10", "tp", "stl1"]
NO_PATH = ["d2m", "cape", "sp", "z500", "e", "swvl1"]


@pytest.fixture(scope="module")
def region() -> xr.Dataset:
    return twin.simulate_grid(5, 6, 120, seed=2, spinup_days=60)


# --- grid


def test_region_is_a_grid(region):
    assert region.t2m.dims == region.soil_moisture.dims == ("time", "lat", "lon")
    np.testing.assert_array_equal(region.lat, 52 - 0.25 * np.arange(5))
    assert (region.d2m <= region.t2m).all()
    assert float(region.soil_moisture.std("time").min()) > 0
    assert len(np.unique(region.truth_soil.sel(soil_property="depth"))) == 30
    again = twin.respond(region)
    np.testing.assert_allclose(again.total_water, region.truth_soil_moisture, atol=2e-5)


def test_region_does_not_depend_on_its_blocks(region, monkeypatch):
    monkeypatch.setattr(twin, "_CELLS_AT_ONCE", 12)
    parts = twin.simulate_grid(5, 6, 120, seed=2, spinup_days=60)
    xr.testing.assert_allclose(parts, region, rtol=1e-4, atol=1e-5)


# --- files


@pytest.mark.parametrize(("format", "suffix"), [("netcdf", "nc"), ("zarr", "zarr")])
def test_a_region_survives_a_file(region, tmp_path, format, suffix):
    path = tmp_path / "new" / f"region.{suffix}"
    with unchanged(region):
        assert twin.to_era5(region, path, format=format) == [path]
    with xr.open_dataset(path, engine="zarr" if format == "zarr" else None) as back:
        assert back.t2m.dims == ("valid_time", "latitude", "longitude")
        assert (np.diff(back.latitude) < 0).all()
        assert set(back.data_vars) == set(twin.DRIVERS)
        for name in twin.DRIVERS:
            np.testing.assert_array_equal(back[name], region[name])
            assert back[name].attrs["units"] == region[name].attrs["units"]
        assert "not observations" in back.attrs["source"]


def test_longitudes_run_from_0_to_360(tmp_path):
    region = twin.simulate_grid(2, 4, 5, west=-0.5, spinup_days=0, drivers=["t2m"])
    (path,) = twin.to_era5(region, tmp_path / "a.nc")
    with xr.open_dataset(path) as back:
        np.testing.assert_array_equal(back.longitude, [0, 0.25, 359.5, 359.75])
        np.testing.assert_array_equal(back.t2m.sel(longitude=359.5), region.t2m.sel(lon=-0.5))


def test_patches_go_to_a_file_each(world, tmp_path):
    paths = twin.to_era5(world[["t2m", "tp"]].isel(time=slice(10), site=slice(2)), tmp_path)
    assert [path.name for path in paths] == ["era5_TW-001.nc", "era5_TW-002.nc"]
    with xr.open_dataset(paths[1]) as back:
        np.testing.assert_array_equal(back.tp, world.tp[1, :10])
        np.testing.assert_array_equal(back.latitude, world.cell_lat[1])
        np.testing.assert_allclose(back.longitude, world.cell_lon[1] % 360)


def test_hours_make_the_days_again(region, tmp_path):
    (path,) = twin.to_era5(region.isel(time=slice(6)), tmp_path / "hours.nc", step="hour")
    with xr.open_dataset(path) as hours:
        hours = hours.load()
    assert hours.sizes["valid_time"] == 6 * 24 + 1
    assert (hours.d2m <= hours.t2m + 1e-3).all()
    instants = hours.isel(valid_time=slice(-1)).resample(valid_time="1D")
    # Sums are stamped at the end of their hour: 01:00 to 24:00 make a day.
    ends = hours.isel(valid_time=slice(1, None))
    sums = ends.assign_coords(valid_time=ends.valid_time - np.timedelta64(1, "h")).resample(valid_time="1D").sum()
    wind = np.hypot(hours.u10, hours.v10).isel(valid_time=slice(-1)).resample(valid_time="1D").mean()
    for back, name in [
        (instants.mean().t2m, "t2m"),
        (instants.max().mx2t, "mx2t"),
        (instants.mean().sp, "sp"),
        (instants.mean().z.squeeze("pressure_level") / 9.80665, "z500"),
        (sums.tp, "tp"),
        (sums.e, "e"),
        (wind, "ws10"),
    ]:
        np.testing.assert_allclose(back, region[name][:6], rtol=2e-5, atol=1e-7, err_msg=name)


def test_towers_survive_csv(world, tmp_path):
    with unchanged(world):
        paths = twin.to_fluxnet_csv(world, tmp_path)
    assert paths[0].name == "FLX_TW-001_FLUXNET2015_SUBSET_DD_2002-2005_1-4.csv"
    back = open_fluxnet(tmp_path)
    assert back.site.values.tolist() == world.site.values.tolist()
    np.testing.assert_allclose(back.soil_moisture, 100 * world.soil_moisture, rtol=1e-5)
    np.testing.assert_allclose(back.soil_temperature, world.soil_temperature, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(back.P_F, twin.respond(world).rain, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(back.lat, world.lat, rtol=1e-5)
    near = world.isel(patch_lat=[1, 2], patch_lon=[1, 2]).mean(("patch_lat", "patch_lon"))
    np.testing.assert_allclose(back.TA_F, near.t2m - 273.15, atol=1e-3)
    np.testing.assert_allclose(back.PA_F, near.sp / 1000, rtol=1e-5)
    for name, low, high in (("VPD_F", 0, 60), ("SW_IN_F", 0, 400), ("LE_F_MDS", 0, 400), ("WS_F", 0, 40)):
        assert ((back[name] >= low) & (back[name] < high)).all(), name
    kept, report = screen_sites(back)
    assert kept.sizes["site"] == 4, report


def test_gaps_are_planted(world, tmp_path):
    twin.to_fluxnet_csv(world, tmp_path, gap_fraction=0.2, seed=1)
    assert "-9999" in (tmp_path / "FLX_TW-001_FLUXNET2015_SUBSET_DD_2002-2005_1-4.csv").read_text()
    back = open_fluxnet(tmp_path)
    missing = back.soil_moisture.isnull()
    assert float(missing.mean()) == pytest.approx(0.2, abs=0.06)
    assert not back.TA_F.isnull().any()
    np.testing.assert_array_equal(back.soil_moisture_qc == 0, missing)
    runs = int((missing.astype(int).diff("time") == 1).sum())
    assert float(missing.sum()) / runs == pytest.approx(6, abs=2)


@pytest.mark.parametrize("format", ["netcdf", "zarr"])
def test_overwrite_must_be_asked_for(region, tmp_path, format):
    first, second = region[["t2m"]].isel(time=slice(2)), region[["t2m"]].isel(time=slice(2, 5))
    path = tmp_path / "a"
    twin.to_era5(first, path, format=format)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        twin.to_era5(second, path, format=format)
    twin.to_era5(second, path, format=format, overwrite=True)
    with xr.open_dataset(path, engine="zarr" if format == "zarr" else None) as back:
        assert back.sizes["valid_time"] == 3


# --- refusals


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"n_sites": 0}, "n_sites=0"),
        ({"n_sites": 1000}, "1 to 999"),
        ({"n_days": 0}, "n_days=0; expected 1"),
        ({"size": 0}, "at least one cell"),
        ({"seed": -1}, "seed=-1"),
        ({"spinup_days": -1}, "spinup_days=-1"),
        ({"noise": -0.1}, "noise=-0.1"),
        ({"noise": float("nan")}, "noise=nan"),
        ({"drivers": ["t2m", "tmax"]}, r"\['tmax'\]"),
        ({"drivers": "t2m"}, "must be a list"),
        ({"strengths": {"z500": 0.5}}, r"\['z500'\] have no path"),
        ({"strengths": {"r": 1.5}}, "1.5 of 'r' is outside"),
        ({"lags": {"r": 11}}, "lag 11 of 'r'"),
        ({"lags": {"r": 1.5}}, "whole number"),
    ],
)
def test_impossible_settings_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        twin.simulate(**({"n_sites": 1, "n_days": 3, "size": 2} | settings))


@pytest.mark.parametrize("where", [{"north": 91.0}, {"north": -89.9}, {"n_lat": 0}, {"n_lon": 1441}, {"west": 400.0}])
def test_a_region_off_the_globe_is_refused(where):
    with pytest.raises(ValueError, match="not a region"):
        twin.simulate_grid(**({"n_lat": 3, "n_lon": 3, "n_days": 2} | where))


def test_respond_needs_the_truth_and_the_drivers(world):
    with pytest.raises(ValueError, match="no 'truth_soil'"):
        twin.respond(world.drop_vars("truth_soil"))
    with pytest.raises(ValueError, match=r"soils need the drivers \['ws10'\] too; simulate with them, drivers="):
        twin.respond(world.drop_vars("ws10"))
    with pytest.raises(ValueError, match="size=2 or more"):
        twin.respond(twin.simulate(1, 3, size=1, spinup_days=0))


def test_writers_refuse_what_they_cannot_write(world, region, tmp_path):
    with pytest.raises(ValueError, match="format='csv'"):
        twin.to_era5(world, tmp_path, format="csv")
    with pytest.raises(ValueError, match="none of the drivers"):
        twin.to_era5(world[["soil_moisture"]], tmp_path)
    with pytest.raises(ValueError, match="neither the patches"):
        twin.to_era5(region[["t2m"]].isel(lat=0), tmp_path / "a.nc")
    with pytest.raises(ValueError, match="hours need the drivers"):
        twin.to_era5(region[["t2m"]], tmp_path / "a.nc", step="hour")
    with pytest.raises(ValueError, match="gap_fraction=1"):
        twin.to_fluxnet_csv(world, tmp_path, gap_fraction=1)
    with pytest.raises(ValueError, match="a grid has no towers"):
        twin.to_fluxnet_csv(region, tmp_path)
    assert not list(tmp_path.iterdir())


# --- house


def test_open_dataset_by_name():
    ds = open_dataset("twin", n_sites=2, n_days=10, size=2, seed=4, spinup_days=5)
    xr.testing.assert_identical(ds, twin.simulate(2, 10, size=2, seed=4, spinup_days=5))


def test_hours_need_their_drivers(tmp_path):
    grid = twin.simulate_grid(n_lat=2, n_lon=2, n_days=3, spinup_days=0, drivers=["t2m", "tp"])
    with pytest.raises(ValueError, match=r"hours need the drivers \['d2m'"):
        twin.to_era5(grid, tmp_path / "era5", step="hour")
