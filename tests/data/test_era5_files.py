"""ERA5 reader: files of the simulated world, of other hands and of the archives."""

from __future__ import annotations

import sys
import types
import zipfile

import numpy as np
import pytest
import xarray as xr

from tests.support.era5_fields import fields, grib, hourly
from xdrought.data import era5
from xdrought.data.era5 import DRIVERS, daily_drivers, open_era5
from xdrought.simulation import twin

pytestmark = pytest.mark.usefixtures("whole_numbers")


@pytest.fixture(scope="module")
def world():
    return twin.simulate_grid(2, 3, 12, spinup_days=30)


@pytest.mark.parametrize("format", ["netcdf", "zarr"])
@pytest.mark.parametrize("step", ["day", "hour"])
def test_files_of_the_simulated_world_come_back(tmp_path, world, format, step):
    paths = twin.to_era5(world, tmp_path / f"era5.{'nc' if format == 'netcdf' else 'zarr'}", format=format, step=step)
    made = open_era5(paths)
    assert made.t2m.chunks
    assert made.indexes["time"].equals(world.indexes["time"])
    np.testing.assert_array_equal(made.lat, world.lat)
    np.testing.assert_array_equal(made.lon, world.lon)
    assert made.attrs["source"] == made.t2m.attrs["source"] == world.t2m.attrs["source"]  # still said to be simulated
    for name in set(DRIVERS) - ({"r", "mx2t", "d2m"} if step == "hour" else set()):
        np.testing.assert_allclose(made[name], world[name], rtol=2e-6, atol=1e-6, err_msg=name)


def test_folders_and_several_files(tmp_path):
    rain = hourly("tp", np.arange(73.0))
    rain.isel(valid_time=slice(0, 30)).to_netcdf(tmp_path / "b.nc", engine="scipy")
    rain.isel(valid_time=slice(30, None)).to_netcdf(tmp_path / "a.nc", engine="scipy")
    (tmp_path / "notes.txt").write_text("not data")
    made = open_era5(tmp_path, drivers="tp")
    np.testing.assert_allclose(made.tp[:, 0, 0], [sum(range(1, 25)), sum(range(25, 49)), sum(range(49, 73))])
    assert open_era5(str(tmp_path / "a.nc"), drivers=["tp"], chunks=None).tp.chunks is None


def test_paths_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.nc does not exist; download ERA5 from https"):
        open_era5(tmp_path / "nowhere.nc")
    with pytest.raises(FileNotFoundError, match="no file or store in"):
        open_era5(tmp_path)
    with pytest.raises(FileNotFoundError, match="no path was given"):
        open_era5([])


def test_files_that_are_something_else(tmp_path):
    archive = tmp_path / "download.nc"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("data_stream-oper_stepType-accum.nc", "x")
    with pytest.raises(ValueError, match="is a zip archive, as the Climate Data Store sends"):
        open_era5(archive)
    page = tmp_path / "page.nc"
    page.write_text("<html>quota exceeded</html>")
    with pytest.raises(ValueError, match=r"neither NetCDF, GRIB nor a zarr store \(it begins with b'<html>qu'"):
        open_era5(page)


def test_a_file_cut_short(tmp_path):
    path = tmp_path / "cut.nc"
    fields(hours=48).to_netcdf(path, engine="scipy")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(OSError, match="cut.nc cannot be read .*cut short"):
        open_era5(path, drivers=["t2m"])


def test_a_package_that_is_not_there(tmp_path, monkeypatch):
    path = tmp_path / "fields.grib"
    path.write_bytes(b"GRIB" + bytes(20))
    monkeypatch.setitem(sys.modules, "cfgrib", None)
    with pytest.raises(ImportError, match="needs the package 'cfgrib' to be read; pip install cfgrib"):
        open_era5(path)


def test_grib_files_give_what_cfgrib_makes_of_them(tmp_path, monkeypatch):
    path = tmp_path / "fields.grib"
    path.write_bytes(b"GRIB" + bytes(20))
    wind = fields(["u10", "v10"], hours=48, lat=(47.0, 46.75), lon=(11.0, 11.25)).rename(valid_time="time")
    asked = {}

    def open_datasets(name, **options):
        asked.update(options)
        return [grib(), wind] if name == str(path) else []

    fake = types.SimpleNamespace(open_datasets=open_datasets)
    monkeypatch.setitem(sys.modules, "cfgrib", fake)
    made = open_era5(path, drivers=["tp", "ws10"])
    assert made.tp.chunks
    np.testing.assert_allclose(made.tp[:, 0, 0], [np.arange(1, 25).sum(), np.arange(25, 49).sum()])
    np.testing.assert_allclose(made.ws10, np.sqrt(2))
    assert asked == {"backend_kwargs": {"indexpath": ""}}  # an index beside the file would be unpickled


def test_gulf_three_hourly_against_pandas(data_dir):
    folder = data_dir / "era5"
    made = open_era5([folder / f"gulf_era5_3h_{year}.nc" for year in (2004, 2003)], drivers=["t2m", "mx2t", "ws10"])
    assert dict(made.sizes) == {"time": 731, "lat": 7, "lon": 12}
    with xr.open_dataset(folder / "gulf_era5_3h_2003.nc") as raw:
        cell = raw[["t2m", "u10", "v10"]].sel(latitude=26.25, longitude=50.0).load()
    frame = cell.to_dataframe()[["t2m", "u10", "v10"]].astype("float64")
    frame["ws10"] = np.hypot(frame.u10, frame.v10)
    by_day = frame.groupby(frame.index.date)
    there = made.sel(lat=26.25, lon=50.0).isel(time=slice(0, 365)).load()
    np.testing.assert_allclose(there.t2m, by_day.t2m.mean(), rtol=1e-6)
    np.testing.assert_allclose(there.mx2t, by_day.t2m.max(), rtol=1e-6)
    np.testing.assert_allclose(there.ws10, by_day.ws10.mean(), rtol=1e-5)


def test_a_folder_of_other_things_names_the_file_that_does_not_fit(data_dir):
    with pytest.raises(
        ValueError, match=r"(?s)expected one dimension.*in the file daily_surface_cancities_1990-1993.nc; open it"
    ):
        open_era5(data_dir / "era5", drivers=["t2m"])


def test_cities_in_cf_names_and_rates(data_dir):
    with xr.open_dataset(data_dir / "era5" / "daily_surface_cancities_1990-1993.nc") as opened:
        cities = opened.load()
    with pytest.raises(ValueError, match="expected one dimension called lat or latitude"):
        daily_drivers(cities, drivers=["t2m"])
    halifax = cities.isel(location=0, drop=True)
    grid = halifax.expand_dims(lat=cities.lat.values[:1], lon=cities.lon.values[:1])
    names = ["t2m", "mx2t", "d2m", "tp", "sp", "ws10"]
    made = daily_drivers(grid, drivers=names)
    assert [made[name].attrs["made_of"] for name in names] == ["tas", "tasmax", "tdps", "pr", "ps", "sfcWind"]
    flat = made.isel(lat=0, lon=0)
    np.testing.assert_allclose(flat.tp, halifax.pr * 86.4, rtol=1e-6)  # kg m-2 s-1 to m a day
    np.testing.assert_allclose(flat.t2m, halifax.tas, rtol=1e-7)
    assert 1.0 < float(flat.tp.mean() * 365.25) < 2.0  # Halifax has some 1.4 m a year
    with pytest.raises(ValueError, match="'hurs' has no units"):  # the file's hurs has units ""
        daily_drivers(grid, drivers=["r"])
    ours = daily_drivers(grid.drop_vars("hurs"), drivers=["r"]).r[:, 0, 0]
    np.testing.assert_allclose(ours, 100 * halifax.hurs, atol=1.0)  # a fraction after all; by Sonntag (1990)


def test_quebec_says_millimetres_for_temperature(data_dir):
    path = data_dir / "era5" / "era5land_3vars_quebec_1970.nc"
    made = open_era5(path, drivers=["tp"])
    with xr.open_dataset(path) as raw:  # its labels are 45.00000000000092
        there = raw.tp.sel(latitude=45.0, longitude=-73.0, method="nearest")
        np.testing.assert_allclose(made.tp.sel(lat=45.0, lon=-73.0), there / 1000, rtol=1e-6)
    with pytest.raises(ValueError, match="'tasmax' has units 'mm d-1', which cannot be converted to 'K'"):
        open_era5(path, drivers=["mx2t"])


def test_wfde5_has_no_units(data_dir):
    with xr.open_dataset(data_dir / "wfde5" / "splash_nw_us_grid_data.nc") as opened:
        raw = opened[["tmp"]].rename(tmp="t2m").load()
    with pytest.raises(ValueError, match="'t2m' has no units"):
        daily_drivers(raw, drivers=["t2m"])
    raw["t2m"].attrs["units"] = "degC"
    made = daily_drivers(raw, drivers=["t2m"]).t2m
    assert (np.diff(made.lat) < 0).all()  # the file goes northward
    np.testing.assert_allclose(
        made.sel(lat=38.25, lon=-120.75), raw.t2m.sel(lat=38.25, lon=-120.75) + 273.15, rtol=1e-6
    )


def test_public_names():
    assert set(era5.__all__) == {"DRIVERS", "daily_drivers", "open_era5", "relative_humidity"}
