"""The simulated world: seeds, physical order, water balance, planted causes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from xdrought import flash_drought_events
from xdrought.simulation import soil as land
from xdrought.simulation import twin
from xdrought.simulation import weather as air

PATHS = ["t2m", "mx2t", "r", "ws10", "tp", "stl1"]
NO_PATH = ["d2m", "cape", "sp", "z500", "e", "swvl1"]


# --- what the world depends on


def test_same_seed_gives_the_same_world():
    one, two = (twin.simulate(2, 40, size=2, seed=5, spinup_days=20) for _ in range(2))
    xr.testing.assert_identical(one, two)


@pytest.mark.parametrize("name", ["t2m", "tp", "soil_moisture", "truth_rain_ratio", "truth_soil", "lat"])
def test_another_seed_gives_another_world(name):
    one, two = (twin.simulate(2, 40, size=2, seed=seed, spinup_days=20) for seed in (5, 6))
    assert not np.allclose(one[name], two[name])


def test_sites_differ_and_have_fluxnet_names(world):
    assert world.site.values.tolist() == ["TW-001", "TW-002", "TW-003", "TW-004"]
    assert abs(float(xr.corr(world.tp[0, :, 0, 0], world.tp[1, :, 0, 0]))) < 0.2
    assert len(np.unique(world.lat)) == 4


def test_a_site_does_not_depend_on_how_many_there_are():
    few, many = (twin.simulate(n, 60, size=2, seed=1, spinup_days=30) for n in (2, 5))
    for name in [*twin.DRIVERS, "soil_moisture", "soil_temperature", "truth_soil_moisture", "truth_soil"]:
        np.testing.assert_array_equal(few[name], many[name][:2], err_msg=name)


def test_the_first_days_do_not_depend_on_how_many_follow():
    short, long = (twin.simulate(2, n, size=2, seed=1, spinup_days=30) for n in (50, 90))
    for name in [*twin.DRIVERS, "soil_moisture", "soil_temperature"]:
        np.testing.assert_allclose(short[name], long[name][:, :50], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("size", [1, 3, 6])
def test_towers_do_not_depend_on_the_patch(size):
    two, other = (twin.simulate(2, 50, size=n, seed=1, spinup_days=30, drivers=["t2m"]) for n in (2, size))
    np.testing.assert_array_equal(two.soil_moisture, other.soil_moisture)


def test_drivers_left_out_change_nothing():
    every, one = (twin.simulate(2, 50, size=2, spinup_days=30, drivers=d) for d in (twin.DRIVERS, ["swvl1"]))
    assert [name for name in one.data_vars if name in twin.DRIVERS] == ["swvl1"]
    xr.testing.assert_identical(one.swvl1, every.swvl1)
    xr.testing.assert_identical(one.soil_moisture, every.soil_moisture)


def test_no_noise_leaves_the_reading_and_the_rain_as_they_are():
    ds = twin.simulate(2, 200, size=2, noise=0)
    np.testing.assert_array_equal(ds.truth_rain_ratio, 1)
    np.testing.assert_allclose(ds.soil_moisture, twin.respond(ds).soil_moisture, atol=1e-6)


# --- labels


def test_dimensions_units_and_kind(world):
    assert all(world[name].dims == ("site", "time", "patch_lat", "patch_lon") for name in twin.DRIVERS)
    assert all(world[name].dtype == np.float32 for name in world.data_vars)
    assert not any(world[name].isnull().any() for name in world.data_vars)
    units = {name: world[name].attrs["units"] for name in twin.DRIVERS}
    assert units == {
        **dict.fromkeys(("d2m", "t2m", "mx2t", "stl1"), "K"),
        **{"cape": "J kg-1", "tp": "m", "e": "m", "sp": "Pa", "r": "%", "z500": "m"},
        **{"ws10": "m s-1", "swvl1": "m3 m-3"},
    }
    assert world.soil_moisture.attrs["units"] == "m3 m-3"
    assert world.soil_temperature.attrs["units"] == "degC"
    assert "not observations" in world.attrs["source"]
    # Truth travels as coordinates, so that nobody trains on it by taking all variables.
    assert set(world.data_vars) == {*twin.DRIVERS, "soil_moisture", "soil_temperature"}


@pytest.mark.parametrize("size", [2, 3, 10])
def test_cells_are_a_quarter_degree_apart_around_the_tower(size):
    ds = twin.simulate(3, 2, size=size, spinup_days=0, drivers=["tp"])
    np.testing.assert_array_equal(ds.cell_lat.diff("patch_lat"), -0.25)
    np.testing.assert_array_equal(ds.cell_lon.diff("patch_lon"), 0.25)
    np.testing.assert_array_equal(ds.cell_lat % 0.25, 0)
    if size % 2 == 0:  # between the cells size/2 - 1 and size/2
        assert (ds.cell_lat[:, size // 2] <= ds.lat).all()
        assert (ds.lat < ds.cell_lat[:, size // 2 - 1]).all()
    else:
        assert (abs(ds.cell_lat[:, size // 2] - ds.lat) <= 0.125).all()


# --- physical order


def test_temperatures_are_in_order(world):
    assert (world.d2m <= world.t2m).all()
    assert (world.t2m <= world.mx2t).all()


def test_ranges(world):
    assert ((world.r >= 0) & (world.r <= 100)).all()
    for name in ("tp", "cape", "ws10"):
        assert (world[name] >= 0).all(), name
    assert (world.e <= 0).all()
    assert 0.4 < float((world.tp < 0.001).mean()) < 0.9
    assert 45000 < float(world.sp.min()) < float(world.sp.max()) < 108000


def test_humidity_follows_from_temperature_and_dewpoint():
    # Magnus: e(10 degC) = 6.1094 exp(176.25 / 253.04) = 12.26 hPa, e(20 degC) = 6.1094 exp(352.5 / 263.04) = 23.33 hPa
    np.testing.assert_allclose(air.vapour_pressure(np.array([283.15, 293.15])), [12.26, 23.33], rtol=1e-3)


def test_humidity_in_the_world_is_consistent(world):
    celsius = world[["d2m", "t2m"]].astype("float64") - 273.15
    vapour = 6.1094 * np.exp(17.625 * celsius / (celsius + 243.04))
    np.testing.assert_allclose(world.r, 100 * vapour.d2m / vapour.t2m, rtol=2e-4)


def test_radiation_is_that_of_the_worked_example():
    # FAO-56, example 8: 20 degrees south on 3 September, 32.2 MJ m-2 d-1, that is 13.1 mm d-1.
    day = pd.DatetimeIndex(["2015-09-03"])
    np.testing.assert_allclose(air.extraterrestrial_radiation(day, np.array([-20.0])), [[32.2 / 2.45]], rtol=5e-3)


def test_polar_night_has_no_radiation():
    day = pd.DatetimeIndex(["2015-12-21"])
    np.testing.assert_allclose(air.extraterrestrial_radiation(day, np.array([80.0])), 0, atol=1e-9)


def anomalies(da: xr.DataArray) -> xr.DataArray:
    """Without the annual cycle of each place."""
    return da - da.groupby("time.month").mean()


@pytest.mark.parametrize(
    ("one", "other", "sign"),
    [("sp", "tp", -1), ("tp", "r", 1), ("sp", "r", -1), ("t2m", "z500", 1), ("tp", "cape", 1), ("r", "mx2t", -1)],
)
def test_weather_hangs_together(world, one, other, sign):
    middle = world.isel(patch_lat=1, patch_lon=1)
    rho = xr.corr(anomalies(middle[one]), anomalies(middle[other]), "time")
    assert (sign * rho > 0.15).all(), rho.values


def test_clear_days_have_a_larger_range_of_temperature(world):
    swing, wet = world.mx2t - world.t2m, world.tp > 0.001
    assert float(swing.where(~wet).mean()) > 1.3 * float(swing.where(wet).mean())


def test_summer_is_warm_on_both_hemispheres():
    days = pd.DatetimeIndex(["2001-01-20", "2001-07-20"])
    season = air.summer(days, np.array([50.0, -50.0]))
    np.testing.assert_allclose(season, [[-1, 1], [1, -1]], atol=0.02)


def test_weather_remembers(world):
    for name, least in (("t2m", 0.5), ("ws10", 0.3), ("sp", 0.4)):
        series = anomalies(world[name].isel(patch_lat=1, patch_lon=1))
        rho = xr.corr(series[:, 1:].drop_vars("time"), series[:, :-1].drop_vars("time"), "time")
        assert (rho > least).all(), (name, rho.values)


def test_neighbours_are_alike_and_far_cells_less():
    ds = twin.simulate(3, 500, size=10, drivers=["tp", "swvl1"])
    for name in ("tp", "swvl1"):
        row = anomalies(ds[name].isel(patch_lat=5))
        near, far = (xr.corr(row.isel(patch_lon=0), row.isel(patch_lon=k), "time") for k in (1, 9))
        assert (near > 0.9).all(), name
        assert (far < near - 0.02).all(), name


def test_latent_fields_have_unit_variance_and_their_memory():
    n = 60
    cells = air.CellPlaces(*(np.zeros(n), 40.0 * np.arange(n), np.zeros(n), np.zeros(n), np.ones(n)))
    values = air.Fields((0, 0), 4000).at(cells)["warm"]
    assert values.var() == pytest.approx(1, abs=0.06)
    assert np.mean(values[1:] * values[:-1]) == pytest.approx(np.exp(-1 / 4.5), abs=0.05)
    assert values[0].var() == pytest.approx(1, abs=0.5)  # stationary from the first day


# --- the soil


def one_column(**changes) -> land.Soil:
    values = {
        "depth": 100.0,
        "residual": 0.04,
        "wilting_point": 0.10,
        "field_capacity": 0.30,
        "porosity": 0.45,
        "stress_point": 0.20,
        "drainage_rate": 0.5,
        "warmer": 0.0,
        "frozen_share": 0.5,
    } | changes
    return land.Soil(**{name: np.array([value]) for name, value in values.items()})


def planted(**coefficient) -> land.Planted:
    values = dict.fromkeys(PATHS, 0.0) | {"tp": 1.0, "stl1": 1.0} | coefficient
    return land.Planted(
        {name: np.array([value]) for name, value in values.items()}, {name: np.array([0]) for name in PATHS}
    )


def forcing(rain, soil_temperature) -> dict[str, np.ndarray]:
    given = {name: np.full((len(rain), 1), neutral) for name, (neutral, _) in land.DEMAND.items()}
    return given | {"rain": np.array(rain)[:, None], "soil_temperature": np.array(soil_temperature)[:, None]}


def test_bucket_by_hand():
    # Radiation 10 mm, nothing in the exponent: demand 0.24 * 10 = 2.4 mm. Capacity 45, field capacity 30, stress at 20.
    # Day 1: 15 - stress (15 - 10) / (20 - 10) = 0.5, evaporates 1.2, leaves 13.8.
    # Day 2: 13.8 + 40 = 53.8, runs off 8.8 to 45, evaporates 2.4 to 42.6, drains 0.5 * 12.6 = 6.3 to 36.3.
    # Day 3, frozen: 5 mm fall as snow, nothing else moves. Day 4 at 1 degC: 5 mm melt (2 + 4 allowed):
    #        41.3, evaporates 2.4 to 38.9, drains 4.45 to 34.45.
    start = np.array([[15.0], [0.0]])
    water = land.run(
        forcing([0.0, 40.0, 5.0, 0.0], [10.0, 10.0, -1.0, 1.0]), one_column(), planted(), np.full((4, 1), 10.0), start
    )
    np.testing.assert_allclose(water.storage[:, 0], [13.8, 36.3, 36.3, 34.45])
    np.testing.assert_allclose(water.snow[:, 0], [0, 0, 5, 0])
    np.testing.assert_allclose(water.evaporation[:, 0], [1.2, 2.4, 0, 2.4])
    np.testing.assert_allclose(water.runoff[:, 0], [0, 8.8, 0, 0])
    np.testing.assert_allclose(water.drainage[:, 0], [0, 6.3, 0, 4.45])


def test_demand_by_hand():
    # t2m +10 K over its neutral value with coefficient 0.5, r 20 % under it with 0.2: 2.4 exp(0.7) mm.
    given = forcing([0.0], [10.0]) | {"t2m": np.array([[298.15]]), "r": np.array([[50.0]])}
    demand = land.evaporative_demand(given, planted(t2m=0.5, r=0.2), np.array([[10.0]]))
    np.testing.assert_allclose(demand, 2.4 * np.exp(0.7))


def test_ice_reads_as_dry():
    # Half of the water is lost to the sensor when all is frozen, at -1.5 degC; a quarter half way.
    reading = land.sensor_reading(np.full((3, 1), 0.4), np.array([[1.0], [-0.75], [-5.0]]), one_column(), planted())
    np.testing.assert_allclose(reading[:, 0], [0.4, 0.3, 0.2])


def test_water_balance_closes(world):
    water = twin.respond(world)
    change = (water.storage + water.snow).diff("time")
    flux = (water.rain - water.evaporation - water.drainage - water.runoff).isel(time=slice(1, None))
    np.testing.assert_allclose(change, flux, atol=1e-10)
    for name in ("runoff", "drainage", "snow"):
        assert float(water[name].max()) > 0, name


def test_soil_moisture_stays_inside_the_soil(world):
    soil = world.truth_soil.to_dataset("soil_property")
    assert (world.truth_soil_moisture >= soil.residual - 1e-6).all()
    assert (world.truth_soil_moisture <= soil.porosity + 1e-6).all()
    assert (world.soil_moisture <= soil.porosity + 1e-6).all()
    assert (world.soil_moisture > 0).all()


def test_the_grids_soil_is_another_one(world):
    grid = world.swvl1.mean(("patch_lat", "patch_lon"))
    assert (abs((grid - world.soil_moisture).mean("time")) > 0.005).any()
    rho = xr.corr(grid, world.soil_moisture, "time")
    assert ((rho > 0.3) & (rho < 0.99)).all(), rho.values


def test_frost_dips_the_reading_and_not_the_water():
    ds = twin.simulate(12, 730, size=2, noise=0, seed=0)
    hard = ds.soil_temperature < -1.5
    assert int(hard.sum()) > 50
    lost = 1 - (ds.soil_moisture / ds.truth_soil_moisture)
    expected = ds.truth_soil.sel(soil_property="frozen_share")
    np.testing.assert_allclose((lost - expected).where(hard).max(), 0, atol=1e-4)
    np.testing.assert_allclose(lost.where(ds.soil_temperature >= 0).max(), 0, atol=1e-4)


def test_without_frost_planted_none_happens():
    ds = twin.simulate(6, 730, size=2, noise=0, strengths={"stl1": 0})
    assert float(ds.soil_temperature.min()) < -1
    np.testing.assert_allclose(ds.soil_moisture, ds.truth_soil_moisture, atol=1e-6)
    assert float(twin.respond(ds).snow.max()) == 0


# --- planted causes


def shaken(ds: xr.Dataset, name: str) -> xr.Dataset:
    """The driver changed everywhere by an amount that matters, within its range."""
    change = {"tp": lambda x: 1.5 * x, "r": lambda x: x - 15, "ws10": lambda x: x + 2, "stl1": lambda x: x - 4}
    return ds.assign({name: change.get(name, lambda x: 1.01 * x)(ds[name])})


def test_undisturbed_drivers_give_the_record_again(world):
    with unchanged(world):
        again = twin.respond(world)
    np.testing.assert_allclose(again.total_water, world.truth_soil_moisture, atol=2e-5)
    assert float(abs(again.soil_moisture - world.soil_moisture).mean()) < 0.01
    assert again.soil_moisture.dims == world.soil_moisture.dims


@pytest.mark.parametrize("name", twin.DRIVERS)
def test_a_driver_acts_where_it_is_planted_and_nowhere_else(world, name):
    effect = abs(twin.respond(shaken(world, name)).soil_moisture - twin.respond(world).soil_moisture).max("time")
    strength = world.truth_strength.sel(variable=name)
    coefficient = world.truth_coefficient.sel(variable=name)
    if name != "stl1":  # soil that never freezes has a path that is never taken
        assert ((effect > 0) == (strength > 0)).all()
        assert ((coefficient > 0) == (strength > 0)).all()
    assert (effect.where(coefficient == 0, 0) == 0).all()
    assert (world.truth_lag.sel(variable=name).notnull() == (coefficient > 0)).all()


def test_drivers_without_a_path_have_no_strength(world):
    assert (world.truth_strength.sel(variable=NO_PATH) == 0).all()
    assert (world.truth_strength.sel(variable="tp") > 0.005).all()


def test_some_paths_are_planted_and_some_are_not():
    truth = twin.simulate(30, 3, size=2, spinup_days=0, drivers=["tp"]).truth_coefficient
    for name in ("t2m", "mx2t", "r", "ws10"):
        share = float((truth.sel(variable=name) > 0).mean())
        assert 0.1 < share < 1, name


def test_strengths_and_lags_of_your_own():
    ds = twin.simulate(3, 400, size=2, strengths={"ws10": 0.0, "r": 0.6}, lags={"r": 4})
    assert (ds.truth_coefficient.sel(variable="r") == 0.6).all()
    assert (ds.truth_lag.sel(variable="r") == 4).all()
    assert (ds.truth_strength.sel(variable="ws10") == 0).all()
    weak = twin.simulate(3, 400, size=2, strengths={"ws10": 0.0, "r": 0.2}, lags={"r": 4})
    assert (ds.truth_strength.sel(variable="r") > weak.truth_strength.sel(variable="r")).all()


@pytest.mark.parametrize("lag", [0, 3])
def test_an_effect_comes_after_its_lag(lag):
    only = {"t2m": 0.6, "mx2t": 0.0, "r": 0.0, "ws10": 0.0}
    ds = twin.simulate(2, 60, size=2, start="2002-06-01", strengths=only, lags={"t2m": lag}, spinup_days=100)
    ds = ds.assign_coords(truth_rain_ratio=8 * ds.truth_rain_ratio)  # a wet soil answers the demand
    pulse = ds.t2m + 10 * (ds.time == ds.time[20])
    effect = abs(twin.respond(ds.assign(t2m=pulse)).evaporation - twin.respond(ds).evaporation)
    first = (effect > 1e-3).argmax("time")
    np.testing.assert_array_equal(first, 20 + lag)


def test_rain_that_never_arrives():
    ds = twin.simulate(2, 60, size=2, strengths={"tp": 0.0, "stl1": 0.0})
    assert (twin.respond(ds).storage.diff("time") <= 0).all()


def test_there_are_droughts_and_the_truth_of_them(world):
    years = world.sizes["site"] * world.sizes["time"] / 365.25
    seen = flash_drought_events(world.soil_moisture, soil_temperature=world.soil_temperature)
    true = flash_drought_events(world.truth_soil_moisture.reset_coords(drop=True))
    for events in (seen, true):
        assert 0.3 < events.sizes["event"] / years < 3
        assert events.is_flash.any()
