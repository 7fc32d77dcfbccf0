"""ERA5 reader: names of the files, levels, units, and what is made of what."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.era5_fields import UNITS, fields, hourly, one, with_levels
from xdrought.data.era5 import DRIVERS, daily_drivers, open_era5, relative_humidity

pytestmark = pytest.mark.usefixtures("whole_numbers")


@pytest.mark.parametrize(
    ("found", "driver"),
    [
        ("2t", "t2m"),
        ("2m_temperature", "t2m"),
        ("var167", "t2m"),
        ("tas", "t2m"),
        ("2m_dewpoint_temperature", "d2m"),
        ("convective_available_potential_energy", "cape"),
        ("total_precipitation", "tp"),
        ("surface_pressure", "sp"),
        ("soil_temperature_level_1", "stl1"),
        ("volumetric_soil_water_layer_1", "swvl1"),
    ],
)
def test_names_of_the_files(found, driver):
    made = daily_drivers(fields(driver, hours=49).rename({driver: found}), drivers=[driver])
    assert list(made.data_vars) == [driver]
    assert made[driver].attrs["made_of"] == found


def test_two_names_of_one_quantity():
    ds = fields("t2m").assign(tas=fields("t2m").t2m)
    with pytest.raises(ValueError, match="'t2m' and 'tas' are both 't2m'; keep one"):
        daily_drivers(ds, drivers=["t2m"])


def test_cmip_evaporation_of_the_opposite_sign_is_not_taken():
    with pytest.raises(ValueError, match=re.escape("'e' needs e (")):
        daily_drivers(fields("e").rename(e="evspsbl"), drivers=["e"])


def test_missing_inputs_are_all_named_with_what_was_found():
    with pytest.raises(ValueError, match="Found: t2m") as error:
        daily_drivers(fields("t2m"))
    for text in (
        "'cape' needs cape (convective_available",
        "'ws10' needs ws10",
        "u10 (10m_u_component_of_wind) and v10",
    ):
        assert text in str(error.value)
    assert "'t2m' needs" not in str(error.value)
    with pytest.raises(ValueError, match=r"ask for fewer drivers: drivers=\['mx2t', 't2m'\]"):
        daily_drivers(fields("t2m"), drivers=["mx2t", "t2m", "tp"])
    with pytest.raises(ValueError, match=r"'tp' needs tp \(total_precipitation\)"):
        daily_drivers(fields("t2m"), drivers=["tp"])
    with pytest.raises(ValueError, match="Found: nothing. Add the files that hold them, or rename what is called"):
        daily_drivers(fields("t2m").rename(t2m="nothing"), drivers=["t2m"])
    with pytest.raises(ValueError, match="Found: no variable"):
        daily_drivers([], drivers=["t2m"])


@pytest.mark.parametrize("dim", ["pressure_level", "level", "isobaricInhPa"])
def test_geopotential_at_500_hpa_becomes_height(dim):
    ds, name = with_levels(dim=dim)
    ds[name].attrs["units"] = "m**2 s**-2"
    np.testing.assert_allclose(daily_drivers(ds, drivers=["z500"]).z500, 200.0)
    pa, _ = with_levels(dim="plev", levels=(100000.0, 50000.0), units="Pa")
    pa[name].attrs["units"] = "m2 s-2"
    np.testing.assert_allclose(daily_drivers(pa, drivers=["z500"]).z500, 200.0)
    alone = ds.sel({dim: 500.0})
    np.testing.assert_allclose(daily_drivers(alone, drivers=["z500"]).z500, 200.0)
    np.testing.assert_allclose(daily_drivers(ds.sel({dim: [500.0]}), drivers=["z500"]).z500, 200.0)


def test_height_in_gpm_is_taken_as_it_is():
    ds, _ = with_levels("gh")
    ds["gh"].attrs["units"] = "gpm"
    np.testing.assert_allclose(daily_drivers(ds, drivers=["z500"]).z500, 200 * 9.80665)


def test_geopotential_without_or_at_another_level_is_not_guessed():
    with pytest.raises(ValueError, match=r"'z500' needs z500, or gh .*Found: z \(without a pressure level\)"):
        daily_drivers(fields("z"), drivers=["z500"])
    ds, _ = with_levels(levels=(1000.0, 850.0))
    with pytest.raises(ValueError, match=r"Found: z \(at 1000, 850 hPa\)"):
        daily_drivers(ds, drivers=["z500"])
    with pytest.raises(ValueError, match=r"Found: z \(at 850 hPa\)"):
        daily_drivers(ds.isel(pressure_level=1), drivers=["z500"])
    pascal, _ = with_levels(levels=(100000.0, 50000.0), units=None)
    with pytest.raises(ValueError, match=r"up to 100000 with units 'hPa'; set the units"):
        daily_drivers(pascal, drivers=["z500"])


def test_wind_is_the_mean_of_the_speed_not_the_speed_of_the_mean():
    ds = fields(["u10", "v10"], hours=24)
    ds["u10"][:] = 3.0
    ds["v10"][:] = np.where(np.arange(24) % 2, 4.0, -4.0)[:, None, None]  # the mean wind is (3, 0)
    made = daily_drivers(ds, drivers=["ws10"]).ws10
    np.testing.assert_allclose(made, 5.0)
    daily = fields(["u10", "v10"], hours=2, step=24) * 3.0
    for name in ("u10", "v10"):
        daily[name].attrs["units"] = "m s-1"
    of_means = daily_drivers(daily, drivers=["ws10"]).ws10
    np.testing.assert_allclose(of_means, 3 * np.sqrt(2))
    assert "speed of the mean wind" in of_means.attrs["comment"]


def test_relative_humidity_by_hand():
    # es(293.16) / es(303.16): exponents 17.502 * 20 / 260.97 and 17.502 * 30 / 270.97 of 611.21 Pa
    t, d = (xr.DataArray([kelvin], dims="x", attrs={"units": "K"}) for kelvin in (303.16, 293.16))
    expected = 100 * np.exp(1.3413036 - 1.9377053)
    np.testing.assert_allclose(relative_humidity(t, d), expected, rtol=2e-7)
    np.testing.assert_allclose(relative_humidity(t, t), 100.0)
    with pytest.raises(ValueError, match=".* no units"):
        relative_humidity(t.drop_attrs(), d)


def test_humidity_of_the_file_comes_before_the_made_one():
    ds = fields(["t2m", "d2m"], hours=24) * 280.0
    for name in ("t2m", "d2m"):
        ds[name].attrs["units"] = "K"
    np.testing.assert_allclose(daily_drivers(ds, drivers=["r"]).r, 100.0)
    levels = xr.DataArray([1000.0, 500.0], dims="level", attrs={"units": "hPa"})
    r = (ds.t2m * 0 + xr.DataArray([60.0, 20.0], {"level": levels}, dims="level")).assign_attrs(units="%")
    made = daily_drivers(ds.assign(r=r), drivers=["r"]).r
    np.testing.assert_allclose(made, 60.0)
    assert made.attrs["comment"] == "at 1000 hPa"
    np.testing.assert_allclose(daily_drivers(ds.assign(r=r.isel(level=[1])), drivers=["r"]).r, 100.0)
    with pytest.raises(ValueError, match=r"'r' needs .*Found: r \(at 500 hPa\)"):
        daily_drivers(r.isel(level=[1]).to_dataset(name="r"), drivers=["r"])
    daily = ds.isel(valid_time=slice(0, None, 12)).assign_coords(valid_time=pd.date_range("2003", periods=2))
    assert daily_drivers(daily, drivers=["r"]).r.attrs["comment"].startswith("made of daily means")


def test_humidity_of_a_file_on_levels_is_that_at_1000_hpa(tmp_path: Path):
    """As the Climate Data Store names it: `relative_humidity` on `pressure_level`, beside what 2 m gives."""
    ds = fields(["t2m", "d2m"], hours=24) * 280.0
    for name in ("t2m", "d2m"):
        ds[name].attrs["units"] = "K"
    levels = xr.DataArray([500.0, 1000.0, 850.0], dims="pressure_level", attrs={"units": "hPa"})
    humidity = xr.DataArray([20.0, 60.0, 40.0], {"pressure_level": levels}, dims="pressure_level")
    hours = xr.DataArray(np.linspace(-1.0, 1.0, ds.sizes["valid_time"]), dims="valid_time")
    r = (ds.t2m * 0 + hours + humidity).assign_attrs(units="%").rename("relative_humidity")
    ds.to_netcdf(tmp_path / "single_levels.nc")
    r.to_netcdf(tmp_path / "pressure_levels.nc")
    made = open_era5(tmp_path, drivers=["r"]).r
    expected = (60.0 + hours.values)[: 24 * made.sizes["time"]].reshape(-1, 24).mean(axis=1)
    np.testing.assert_allclose(made.isel(lat=0, lon=0), expected)
    assert (made.attrs["comment"], made.attrs["made_of"]) == ("at 1000 hPa", "relative_humidity")


def test_the_maximum_of_daily_means_is_refused():
    with pytest.raises(ValueError, match="'mx2t' cannot be made of daily 'tas'"):
        daily_drivers(fields("t2m", hours=3, step=24).rename(t2m="tas"), drivers=["mx2t"])


@pytest.mark.parametrize("name", sorted(set(UNITS) - {"u10", "v10", "z"}))
def test_missing_and_wrong_units_are_refused_with_the_cure(name):
    ds = fields(name, hours=49)
    with pytest.raises(ValueError, match=rf"{name}' has no units"):
        daily_drivers(ds.drop_attrs(), drivers=[name])
    ds[name].attrs["units"] = "cd"
    with pytest.raises(ValueError, match=rf"'{name}' has units 'cd', which cannot be converted"):
        daily_drivers(ds, drivers=[name])


def test_units_are_converted():
    np.testing.assert_allclose(one(hourly("t2m", np.full(24, 7.0), units="degC"), "t2m")[1], 280.15)
    np.testing.assert_allclose(one(hourly("sp", np.full(24, 900.0), units="hPa"), "sp")[1], 90000.0)
    np.testing.assert_allclose(one(hourly("tp", np.ones(25), units="mm"), "tp")[1], 0.024)


def test_every_driver_has_its_units_and_says_what_it_is():
    names = [*UNITS]
    ds = fields(names, hours=25)
    ds["z"] = ds["z"].expand_dims(pressure_level=[500.0]).assign_attrs(units="m**2 s**-2")
    ds["d2m"], ds["t2m"] = (ds[name].copy(data=ds[name] * 280.0) for name in ("d2m", "t2m"))
    made = daily_drivers(ds)
    assert list(made.data_vars) == [
        "d2m",
        "t2m",
        "mx2t",
        "cape",
        "tp",
        "e",
        "sp",
        "r",
        "z500",
        "ws10",
        "stl1",
        "swvl1",
    ]
    for name, driver in DRIVERS.items():
        assert made[name].dims == ("time", "lat", "lon")
        assert made[name].attrs["units"] == driver.units
        assert {"long_name", "cell_methods", "made_of"} <= set(made[name].attrs)
    assert "negative upwards" in made.e.attrs["long_name"]
    assert made.attrs["accumulation"] == "hourly"
