"""ERA5 in pieces: accumulations, units, impossible values, levels and axes: read right, or refused with a cure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from tests.support.era5_pieces import field, first_cell, t2m, totals
from tests.support.helpers import follow, raise_if_dask_computes
from xdrought.data.era5 import daily_drivers
from xdrought.data.era5.days import refuse_totals


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda ds: ds, "steps of 0.1 degree"),
        (lambda ds: ds.astype("float32").assign_coords(latitude=np.float32([48.0, 47.9])), "steps of 0.1 degree"),
        (lambda ds: ds.isel(longitude=[0]), "steps of 0.1 degree"),
        (lambda ds: ds.assign_coords(latitude=[48.0, 47.0]).assign_attrs(history="cds era5-land"), "names era5-land"),
        (lambda ds: ds.assign_coords(latitude=[48.0, 47.0]).assign_attrs(title="ERA5 Land hourly"), "names ERA5 Land"),
        (lambda ds: ds.isel(latitude=[0], longitude=[0]), "rises from hour to hour"),
        (lambda ds: ds.assign_coords(latitude=[48.0, 47.0], longitude=[7.0, 8.0]), "rises from hour to hour"),
    ],
    ids=["grid", "float32", "one column", "history", "title", "one cell", "coarse grid"],
)
def test_totals_of_era5_land_are_not_taken_for_amounts(change, why):
    ds, expected = totals()
    ds = change(ds)
    with pytest.raises(ValueError, match=why) as e:
        daily_drivers(ds, drivers=["tp"])
    told = follow("accumulation" + str(e.value).partition("accumulation")[2].split('"')[0] + '"since_midnight"')
    made = daily_drivers(ds, drivers=["tp"], **told)
    np.testing.assert_allclose(first_cell(made, "tp"), expected, rtol=1e-6)


def test_totals_are_seen_in_the_blocks_and_though_told_to_be_hourly():
    ds, _ = totals()
    with raise_if_dask_computes():
        lazy = daily_drivers(ds.chunk(latitude=1), drivers=["tp"], accumulation="hourly")
    with pytest.raises(ValueError, match="rises from hour to hour and falls back after 00 UTC on 100% of its days"):
        lazy.compute()
    negative = ds.rename(tp="e").map(lambda da: -da, keep_attrs=True)
    with pytest.raises(ValueError, match="'e' rises from hour to hour"):
        daily_drivers(negative, drivers=["e"], accumulation="hourly")
    path_says_so = ds.assign_coords(latitude=[48.0, 47.0], longitude=[7.0, 8.0])
    path_says_so.encoding["source"] = "/data/era5land_tp_2003.nc"
    with pytest.raises(ValueError, match="'source' names era5land"):
        daily_drivers(path_says_so, drivers=["tp"])


def test_amounts_of_hours_are_not_taken_for_totals():
    rng = np.random.default_rng(2)
    hours = rng.exponential(1.0, (400, 24, 30)) * (rng.random((400, 24, 30)) < 0.5)
    refuse_totals(hours, "tp")
    sun = np.maximum(np.sin(2 * np.pi * (np.arange(1, 25) + np.arange(24)[:, None]) / 24), 0)  # noon at any hour
    refuse_totals(np.stack([sun] * 40).swapaxes(1, 2), "e")
    refuse_totals(np.ones((9, 24, 2)), "tp")
    refuse_totals(np.zeros((9, 24, 2)), "tp")
    refuse_totals(np.arange(240.0).reshape(10, 24, 1), "tp")
    with pytest.raises(ValueError, match="'tp' rises"):
        refuse_totals(np.cumsum(hours, axis=1), "tp")
    ds, _ = totals()
    amounts = ds.copy(data={"tp": np.where(ds.tp > 0, 1e-3, 0.0)})  # ERA5 on a finer grid
    with pytest.raises(ValueError, match=r'or accumulation="hourly" where each is of one hour'):
        daily_drivers(amounts, drivers=["tp"])
    assert daily_drivers(amounts, drivers=["tp"], accumulation="hourly").sizes["time"] == 6


@pytest.mark.parametrize(
    ("units", "metres"),
    [
        *[(text, 0.01) for text in ("kg m-2 d-1", "kg m-2 day-1", "kg/m^2", "kg m**-2", "mm/day", "mm", "l m-2")],
        *[(text, 0.01) for text in ("mm of water equivalent", "kg m^-2 d^-1", "kg/m2/day", "mm per day", "mm d^-1")],
        *[(text, 864.0) for text in ("kg m-2 s-1", "kg/m2/s", "kg.m-2.s-1", "kg m^-2 s^-1", "mm s-1", "kg·m⁻²·s⁻¹")],
        ("cm", 0.1),
        ("m of water equivalent", 10.0),
        ("g cm-2", 0.1),
    ],
)
def test_water_in_any_spelling(units, metres):
    ds = field("tp", 10.0, pd.date_range("2003-05-01", periods=4), units)
    with xdrought.set_options(check_limits=False):
        made = daily_drivers(ds, drivers=["tp"])
    np.testing.assert_allclose(first_cell(made, "tp"), metres)
    assert made.tp.attrs["units"] == "m"


@pytest.mark.parametrize("units", ["K", "W m-2", "kg kg-1", "%", "m s-2", "kg"])
def test_what_is_no_water_is_refused(units):
    ds = field("tp", 280.0 if units == "K" else 10.0, pd.date_range("2003-05-01", periods=4), units)
    with pytest.raises(ValueError, match=r"'tp' has units '.*', which cannot be converted to an amount of water"):
        daily_drivers(ds, drivers=["tp"])


def test_units_that_differ_between_pieces_are_refused_with_a_cure_that_works():
    parts = [
        field("tp", 1.0, pd.date_range("2003-05-01", periods=4), "mm"),
        field("tp", 1e-3, pd.date_range("2003-05-05", periods=4), "m"),
    ]
    with pytest.raises(ValueError, match=r"'tp' has units \['m', 'mm'\] in different inputs; bring them to one") as e:
        daily_drivers(parts, drivers=["tp"])
    cure = str(e.value).rpartition("e.g. ")[2]
    cured = [follow(cure, ds=part, xdrought=xdrought)["ds"] for part in parts]
    np.testing.assert_allclose(first_cell(daily_drivers(cured, drivers=["tp"]), "tp"), 1e-3)


@pytest.mark.parametrize(
    ("name", "value", "units", "text"),
    [
        ("t2m", -9999.0, "K", "codes of missing values"),
        ("t2m", 280.0, "degC", "outside what air temperature can be"),
        ("sp", -9999.0, "Pa", "codes of missing values"),
        ("swvl1", 25.0, "m3 m-3", "outside what volumetric soil moisture can be"),
        ("tp", 9.96921e36, "m", "codes of missing values"),
        ("stl1", -32767.0, "K", "codes of missing values"),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_codes_and_impossible_values_of_one_hour_are_seen(name, value, units, text, lazy):
    """The mean of a day would hide them: one hour of -9999 Pa makes a plausible day of 967 hPa."""
    usual = {"t2m": 280.0, "sp": 101325.0, "swvl1": 0.3, "tp": 1e-3, "stl1": 280.0}[name]
    ds = field(name, usual, pd.date_range("2003-05-01", periods=73, freq="h"), units)
    ds = ds.assign({name: ds[name].where(ds.time != ds.time[30], value)})
    ds[name].attrs["units"] = units
    if units == "degC":
        ds[name][:] = value
    with pytest.raises(ValueError, match=text) as e:
        daily_drivers(ds.chunk() if lazy else ds, drivers=[name]).compute()
    cure = str(e.value).rpartition("da = ")[2].split(";")[0].split(",")[0]
    if "assign_attrs" in cure or "where" in cure:
        cured = ds.assign({name: follow(f"da = {cure}", da=ds[name])["da"]})
        made = daily_drivers(cured, drivers=[name], min_hours=20).compute()
        assert int(made[name].notnull().sum()) > 0


def test_packed_numbers_are_refused_with_a_cure_that_works():
    ds = t2m(280.0, "2003-05-01", 48)
    raw = ds.copy(data={"t2m": np.full(ds.t2m.shape, 1000, "int16")})
    raw["t2m"].attrs |= {"scale_factor": 0.01, "add_offset": 270.0}
    with pytest.raises(ValueError, match="'t2m' holds packed numbers") as e:
        daily_drivers(raw, drivers=["t2m"])
    assert "ds = xarray.decode_cf(ds)" in str(e.value)
    cured = follow("ds = xarray.decode_cf(ds)", ds=raw)["ds"]
    np.testing.assert_allclose(first_cell(daily_drivers(cured, drivers=["t2m"]), "t2m"), 280.0)


@pytest.mark.parametrize("labels", [[1, 5], ["0001", "0005"], ["0005", "0001"], [5, 1], None])
def test_the_versions_of_era5_are_combined_by_the_cure(labels):
    ds = t2m(280.0, "2003-05-01", 96).rename(time="valid_time")
    final, early = ds.where(ds.valid_time < ds.valid_time[48]), ds.where(ds.valid_time >= ds.valid_time[48]) + 1
    early["t2m"].attrs["units"] = "K"
    both = xr.concat([final, early], pd.Index(labels or [0, 1], name="expver"))
    both = both if labels else both.drop_vars("expver")
    with pytest.raises(ValueError, match=r"further dimensions \{'expver': 2\}; combine the versions, ds\.") as e:
        daily_drivers(both, drivers=["t2m"])
    cured = follow("ds = " + str(e.value).rpartition("versions, ")[2], ds=both)["ds"]
    made = daily_drivers(cured, drivers=["t2m"])
    assert sorted(first_cell(made, "t2m")) == [280, 280, 281, 281]


def test_other_dimensions_are_selected_by_the_cure():
    ds = t2m(280.0, "2003-05-01", 48).expand_dims(number=3, sample=2)
    with pytest.raises(ValueError, match=r"further dimensions .*'number': 3.*select one") as e:
        daily_drivers(ds, drivers=["t2m"])
    cured = follow("ds = " + str(e.value).rpartition("e.g. ")[2], ds=ds)["ds"]
    assert daily_drivers(cured, drivers=["t2m"]).sizes["time"] == 2


@pytest.mark.parametrize(
    ("levels", "units", "right"),
    [
        ([50000.0, 85000.0], None, "Pa"),
        ([50000.0, 85000.0], "hPa", "Pa"),
        ([500.0, 850.0], "~", "hPa"),
        ([500.0, 850.0], "1", "hPa"),
        ([500.0, 850.0], "m", "hPa"),
    ],
)
@pytest.mark.parametrize("dim", ["plev", "level", "pressure_level", "isobaricInhPa"])
def test_levels_get_the_units_that_the_cure_says(levels, units, right, dim):
    ds = t2m(54_000.0, "2003-05-01", 48).rename(t2m="z").expand_dims({dim: levels})
    ds.z.attrs["units"] = "m**2 s**-2"
    ds[dim].attrs |= {"units": units} if units else {}
    with pytest.raises(ValueError, match=rf"'{dim}'.*\"units\"\] = ['\"]{right}") as e:
        daily_drivers(ds, drivers=["z500"])
    follow(str(e.value).rpartition("e.g. ")[2], ds=ds)
    np.testing.assert_allclose(first_cell(daily_drivers(ds, drivers=["z500"]), "z500"), 54_000 / 9.80665)


@pytest.mark.parametrize(("levels", "units"), [([500.0], "mb"), ([50.0], "kPa"), ([50000.0], "Pascal"), ([0.5], "bar")])
def test_levels_in_any_unit_of_pressure(levels, units):
    ds = t2m(54_000.0, "2003-05-01", 48).rename(t2m="z").expand_dims(plev=levels)
    ds.z.attrs["units"], ds.plev.attrs["units"] = "m**2 s**-2", units
    np.testing.assert_allclose(first_cell(daily_drivers(ds, drivers=["z500"]), "z500"), 54_000 / 9.80665)


def test_two_names_of_one_quantity_are_parted_by_the_cure():
    ds = t2m(280.0, "2003-05-01", 48)
    ds["tas"] = ds.t2m
    with pytest.raises(ValueError, match="are both 't2m'; keep one, e.g. ") as e:
        daily_drivers(ds, drivers=["t2m"])
    cured = follow("ds = " + str(e.value).rpartition("e.g. ")[2], ds=ds)["ds"]
    assert daily_drivers(cured, drivers=["t2m"]).sizes["time"] == 2


def test_fewer_drivers_are_those_of_the_cure():
    ds = t2m(280.0, "2003-05-01", 48)
    with pytest.raises(ValueError, match="ask for fewer drivers: ") as e:
        daily_drivers(ds, drivers=["mx2t", "t2m", "tp"])
    told = follow(str(e.value).rpartition("fewer drivers: ")[2])
    assert set(daily_drivers(ds, **told).data_vars) == {"mx2t", "t2m"}


def test_axes_are_known_by_their_attributes_or_given():
    ds = t2m(280.0, "2003-05-01", 48).rename(latitude="y", longitude="x", time="when")
    with pytest.raises(ValueError, match=r"expected one dimension called lat or latitude.*name it with lat="):
        daily_drivers(ds, drivers=["t2m"])
    given = daily_drivers(ds, drivers=["t2m"], lat="y", lon="x", time="when")
    assert dict(given.sizes) == {"time": 2, "lat": 2, "lon": 3}
    ds["y"].attrs["standard_name"] = "latitude"
    ds["x"].attrs["units"] = "degrees_east"
    with pytest.raises(ValueError, match="'t2m' has no time coordinate.*Name another one with time="):
        daily_drivers(ds, drivers=["t2m"])
    ds["when"].attrs["axis"] = "T"
    xr.testing.assert_identical(daily_drivers(ds, drivers=["t2m"]), given)
    with pytest.raises(ValueError, match="no dimension 'z' for lat=; it has"):
        daily_drivers(ds, drivers=["t2m"], lat="z")


def test_deeper_layers_say_their_depth():
    times = pd.date_range("2003-05-01", periods=48, freq="h")
    parts = [field(f"swvl{k}", 0.1 * k, times, "m**3 m**-3") for k in (1, 2, 3, 4)]
    parts += [field("var170", 280.0, times, "K"), field("soil_temperature_level_3", 281.0, times, "K")]
    made = daily_drivers(parts, drivers=["swvl1", "swvl2", "swvl3", "swvl4", "stl2", "stl3"])
    np.testing.assert_allclose([first_cell(made, f"swvl{k}")[0] for k in (1, 2, 3, 4)], [0.1, 0.2, 0.3, 0.4])
    depths = [(made[f"swvl{k}"].attrs["depth_from"], made[f"swvl{k}"].attrs["depth_to"]) for k in (1, 2, 3, 4)]
    assert depths == [(0.0, 0.07), (0.07, 0.28), (0.28, 1.0), (1.0, 2.89)]
    assert made.stl3.attrs["made_of"] == "soil_temperature_level_3"
