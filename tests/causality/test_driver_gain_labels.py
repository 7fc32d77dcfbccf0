"""Gains of drivers with their labels: order, gaps, masks, dask, units, warnings and refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.driven_soil import DAYS, DRIVERS, QUIET, world
from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.causality import driver_contributions, driver_gain, false_discovery_control


def same(a: xr.Dataset, b: xr.Dataset) -> None:
    """The same to rounding: draws are counted, so p-values agree to the last count or two."""
    xr.testing.assert_allclose(a, b.transpose(*a.dims), rtol=1e-7, atol=1e-9)


def test_labels_and_settings_of_the_result(small):
    ds, found = small
    assert dict(found.sizes) == {"site": 3, "variable": 4, "driver": 4}
    assert list(found) == ["gain", "p_value", "p_value_adjusted", "n_days", "redundancy", "conditioned_on"]
    assert found["variable"].values.tolist() == DRIVERS
    assert found.n_days.dims == ("site",)
    assert (found.n_days == DAYS - 5).all()
    assert found.attrs["flips"] == 999
    assert all(found[name].attrs["long_name"] for name in found)
    assert (found.conditioned_on.sum("driver") == 3).all()
    assert not found.conditioned_on.sel(variable="rain", driver="rain").any()
    assert ((found.p_value * 1000) % 1 < 1e-9).all()


def test_units_change_nothing(small):
    ds, found = small
    other = ds.assign(rain=ds["rain"] / 1000, heat=ds["heat"] * 1.8 + 300, soil=ds["soil"] * 100 + 25)
    same(found, driver_gain(other[DRIVERS], other["soil"]))


def test_the_order_of_drivers_and_of_sites_changes_nothing(small):
    ds, found = small
    turned = driver_gain(ds[DRIVERS[::-1]], ds["soil"])
    assert turned["variable"].values.tolist() == DRIVERS[::-1]
    same(found, turned.sel(variable=DRIVERS, driver=DRIVERS))
    back = ds.isel(site=[2, 0, 1])
    same(
        found.isel(site=[2, 0, 1]),
        driver_gain(back[DRIVERS], back["soil"], fdr=None).assign(
            p_value_adjusted=found.p_value_adjusted.isel(site=[2, 0, 1])
        ),
    )
    alone = driver_gain(ds[DRIVERS].isel(site=1), ds["soil"].isel(site=1))
    same(found.isel(site=1).drop_vars("p_value_adjusted"), alone.drop_vars("p_value_adjusted"))


def test_days_without_a_value_before_and_after_the_record_change_nothing(small):
    ds, found = small
    longer = ds.reindex(time=pd.date_range("2000-11-11", periods=DAYS + 150))
    same(found, driver_gain(longer[DRIVERS], longer["soil"]))


def test_a_missing_value_takes_the_days_that_need_it_and_nothing_is_glued(small):
    ds, found = small
    middle = ds["time"] == ds["time"][600]
    for name, lost in (("soil", 3), ("wind", 6)):
        holed = ds.assign({name: ds[name].where(~middle)})
        assert (driver_gain(holed[DRIVERS], holed["soil"]).n_days == found.n_days - lost).all()


def test_the_mask_is_of_the_days_predicted_not_of_their_past(small):
    ds, found = small
    where = ~ds["time"].dt.month.isin([1, 7])
    masked = driver_gain(ds[DRIVERS], ds["soil"], where=where)
    assert (masked.n_days == int(where[5:].sum())).all()
    by_site = driver_gain(ds[DRIVERS], ds["soil"], where=where & (ds["site"] != "S0"))
    assert by_site.n_days.values.tolist() == [0, *masked.n_days.values[1:]]
    np.testing.assert_allclose(by_site.gain.isel(site=slice(1, None)), masked.gain.isel(site=slice(1, None)))
    assert np.isnan(by_site.gain.sel(site="S0")).all()


def test_dask_is_lazy_and_chunks_do_not_matter(small):
    ds, found = small
    for chunks in ({"site": 1}, {"site": 2}, {"site": -1}):
        lazy_input = ds.chunk(chunks)
        with raise_if_dask_computes():
            lazy = driver_gain(lazy_input[DRIVERS], lazy_input["soil"])
            share = driver_contributions(lazy_input[DRIVERS], lazy_input["soil"])
        assert all(lazy[name].chunks is not None for name in lazy)
        xr.testing.assert_identical(lazy.compute(), found)
        assert lazy.gain.chunksizes["site"] == lazy_input["soil"].chunksizes["site"]
        xr.testing.assert_identical(share.compute(), driver_contributions(ds[DRIVERS], ds["soil"]))


def test_grids_other_names_of_time_and_any_order_of_dimensions(small):
    ds, found = small
    grid = ds.isel(site=[0, 1]).assign_coords(site=[50.0, 49.0]).rename(site="lat", time="day").expand_dims(lon=[8.0])
    turned = {name: grid[name].transpose("day", "lon", "lat") for name in DRIVERS}
    on_grid = driver_gain(turned, grid["soil"], time="day")
    assert dict(on_grid.gain.sizes) == {"lon": 1, "lat": 2, "variable": 4}
    np.testing.assert_allclose(on_grid.gain.isel(lon=0), found.gain.isel(site=[0, 1]))


def test_a_driver_of_all_sites_broadcasts(small):
    ds, _ = small
    regional = ds["wind"].isel(site=0, drop=True)
    everywhere = driver_gain({"rain": ds["rain"], "wind": regional}, ds["soil"])
    same(everywhere, driver_gain({"rain": ds["rain"], "wind": regional.broadcast_like(ds["rain"])}, ds["soil"]))


@pytest.fixture(scope="module")
def noisy() -> xr.Dataset:
    """Ten sites where the sensor's noise hides most of what heat does."""
    ds = world(10, DAYS, seed=6)
    return ds.assign(soil=ds["soil"] + 2.5 * np.random.default_rng(0).standard_normal(ds["soil"].shape))


def test_the_seed_draws_signs_only(noisy):
    found = driver_gain(noisy[DRIVERS], noisy["soil"])
    other = driver_gain(noisy[DRIVERS], noisy["soil"], seed=1)
    xr.testing.assert_identical(other.gain, found.gain)
    assert not other.p_value.equals(found.p_value)
    np.testing.assert_allclose(other.p_value, found.p_value, atol=0.06)
    xr.testing.assert_identical(driver_gain(noisy[DRIVERS], noisy["soil"], seed=1), other)


def test_what_loses_is_never_significant(noisy):
    found = driver_gain(noisy[DRIVERS], noisy["soil"], fdr=None)
    assert (found.gain <= 0).any()
    assert (found.p_value.where(found.gain <= 0, 1) == 1).all()


def test_the_input_is_not_changed_and_single_precision_is_mapped_in_double(small):
    ds, _ = small
    single = ds.astype("float32")
    with unchanged(single):
        found = driver_gain(single[DRIVERS], single["soil"])
        driver_contributions(single[DRIVERS], single["soil"])
    assert found.gain.dtype == np.float64
    xr.testing.assert_identical(found, driver_gain(single[DRIVERS].astype(float), single["soil"].astype(float)))


def test_adjusting_is_over_the_dimensions_asked(noisy):
    found = driver_gain(noisy[DRIVERS], noisy["soil"])
    xr.testing.assert_equal(found.p_value_adjusted, false_discovery_control(found.p_value))
    by_site = driver_gain(noisy[DRIVERS], noisy["soil"], fdr_dim="variable")
    xr.testing.assert_equal(by_site.p_value_adjusted, false_discovery_control(found.p_value, dim="variable"))
    assert not by_site.p_value_adjusted.equals(found.p_value_adjusted)
    assert "p_value_adjusted" not in driver_gain(noisy[DRIVERS], noisy["soil"], fdr=None)


def test_contributions_add_up_and_have_the_units_of_the_soil(small):
    ds, _ = small
    soil = ds["soil"].assign_attrs(units="m3 m-3")
    apart = driver_contributions(ds[DRIVERS], soil)
    pair = driver_contributions(ds[DRIVERS], soil, groups={"both": ["rain", "cloud"]})
    assert pair["variable"].values.tolist() == ["both", "heat", "wind"]
    np.testing.assert_allclose(
        pair.sel(variable="both"), apart.sel(variable=["rain", "cloud"]).sum("variable", skipna=False)
    )
    assert apart.attrs["units"] == "m3 m-3"
    assert set(apart.dims) == {"site", "time", "variable"}
    assert apart.isel(time=slice(0, 5)).isnull().all()


# records that give no answer


def test_a_driver_that_is_missing_at_a_site_is_not_held_against_the_others(small):
    ds, found = small
    holed = ds.assign(wind=ds["wind"].where(ds["site"] != "S1"), cloud=ds["cloud"].where(ds["site"] != "S2", 3.0))
    other = driver_gain(holed[DRIVERS], holed["soil"])
    assert np.isnan(other.gain.sel(site="S1", variable="wind"))
    assert np.isnan(other.p_value.sel(site="S2", variable="cloud"))
    assert not other.conditioned_on.sel(site="S1", driver="wind").any()
    three = [name for name in DRIVERS if name != "wind"]
    alone = driver_gain(ds[three].sel(site="S1"), ds["soil"].sel(site="S1"))
    np.testing.assert_allclose(other.gain.sel(site="S1", variable=three), alone.gain)
    np.testing.assert_allclose(other.gain.sel(site="S0"), found.gain.sel(site="S0"))
    share = driver_contributions(holed[DRIVERS], holed["soil"])
    assert share.sel(site="S1", variable="wind").isnull().all()


@QUIET
def test_constant_short_and_empty_records_have_no_gain():
    ds = world(1)
    for soil in (ds["soil"] * 0 + 0.3, ds["soil"].where(ds["time"] < ds["time"][300]), ds["soil"] * np.nan):
        found = driver_gain(ds[DRIVERS], soil)
        assert np.isnan(found.gain).all()
        assert np.isnan(found.p_value_adjusted).all()
        assert driver_contributions(ds[DRIVERS], soil).isnull().all()
    assert driver_gain(ds[DRIVERS], ds["soil"].where(ds["time"] < ds["time"][305])).n_days.item() == 300
    short = ds.isel(time=slice(0, 360))
    assert np.isnan(driver_gain(short[DRIVERS], short["soil"]).gain).all()
    nothing = driver_gain(ds[DRIVERS] * np.nan, ds["soil"])
    assert np.isnan(nothing.gain).all()
    assert not nothing.conditioned_on.any()


# warnings and refusals


def messages(call) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return " | ".join(str(one.message) for one in caught)


def test_responses_are_named():
    ds = world(1)
    named = {"rain": ds["rain"], "LE_F_MDS": ds["heat"], "swvl1": ds["wind"]}
    text = messages(lambda: driver_gain(named, ds["soil"]))
    assert "['LE_F_MDS', 'swvl1'] follow from soil moisture" in text
    told = {"rain": ds["rain"], "x": ds["heat"].assign_attrs(standard_name="water_evapotranspiration_flux")}
    assert "['x'] follow from soil moisture" in messages(lambda: driver_contributions(told, ds["soil"]))
    assert messages(lambda: driver_gain(ds[DRIVERS], ds["soil"])) == ""


def test_short_records_are_said():
    ds = world(1, 800)
    with pytest.warns(UserWarning, match="the record has 800 days; with less than 1095"):
        driver_gain(ds[DRIVERS], ds["soil"])


def soil_temperatures(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    warm = (ds["heat"] + 20).assign_attrs(units="degC")
    return {
        "warm": warm,
        "cold": (warm - 20).assign_attrs(units="degC"),
        "cold in kelvin": (warm + 253.15).assign_attrs(units="K"),
        "without units": warm.drop_attrs(),
        "lazy": warm.chunk(),
    }


@pytest.mark.parametrize("kind", list(soil_temperatures(world(1, 30))))
def test_frozen_soil_is_said_unless_its_days_are_left_out(kind):
    ds = world(1)
    drivers = {"rain": ds["rain"], "stl1": soil_temperatures(ds)[kind]}
    assert ("the soil of ['stl1'] freezes" in messages(lambda: driver_gain(drivers, ds["soil"]))) == (kind != "warm")
    assert "freezes" not in messages(lambda: driver_gain(drivers, ds["soil"], where=ds["heat"] > -9))


def test_frost_in_the_soil_is_part_of_what_a_soil_temperature_says():
    """A sensor that loses water below 0 degC: found with the units that tell where that is, the same in all units."""
    ds = world(3, 1400, seed=8)
    season = -9 * np.cos(2 * np.pi * np.arange(1400) / 365.25)
    cold = ds["wind"] + xr.DataArray(season, dims="time") + 5
    soil = ds["soil"] - 3 * np.clip(-cold / 2, 0, 1)
    gains = {}
    for units, values in {"degC": cold, "K": cold + 273.15, "degF": 1.8 * cold + 32, None: cold}.items():
        told = values.assign_attrs({} if units is None else {"units": units})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gains[units] = driver_gain({"rain": ds["rain"], "heat": ds["heat"], "stl1": told}, soil).gain
    np.testing.assert_allclose(gains["K"], gains["degC"], atol=1e-8)
    np.testing.assert_allclose(gains["degF"], gains["degC"], atol=1e-8)
    assert (gains["degC"] > gains[None] + 0.03).sel(variable="stl1").all()


def test_a_soil_temperature_is_known_by_its_standard_name():
    ds = world(1)
    told = {"rain": ds["rain"], "x": ds["heat"].assign_attrs(standard_name="soil_temperature", units="degC")}
    assert "['x'] freezes" in messages(lambda: driver_gain(told, ds["soil"]))


def test_redundant_drivers_are_named_when_dask_computes():
    ds = world(1).chunk()
    drivers = {"rain": ds["rain"], "twin": ds["rain"] * 2, "heat": ds["heat"]}
    lazy = driver_gain(drivers, ds["soil"])
    with pytest.warns(UserWarning, match="explain more than 90% of rain"):
        lazy.compute()


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (TypeError, "groups is a list; give a dict", {"groups": [["rain", "heat"]]}),
        (ValueError, r"groups name \['snow'\], which are no drivers", {"groups": {"water": ["rain", "snow"]}}),
        (ValueError, "a driver belongs to one group only", {"groups": {"a": ["rain"], "b": ["rain", "heat"]}}),
        (ValueError, "each needs members", {"groups": {"a": []}}),
        (ValueError, r"the groups \['wind'\] are called as drivers", {"groups": {"wind": ["rain", "heat"]}}),
        (ValueError, "lags=-1; it must be a whole number, 0 or more", {"lags": -1}),
        (ValueError, "flips=5; it must be a whole number, 19 or more", {"flips": 5}),
        (ValueError, "seed=-2; it must be a whole number, 0 or more", {"seed": -2}),
        (ValueError, r"no dimension \['cell'\] among the tests", {"fdr_dim": "cell"}),
        (ValueError, "no dimension 'day'", {"time": "day"}),
        (TypeError, "where has dtype float64; a mask is boolean", {"where": world(1)["rain"]}),
    ],
)
@QUIET
def test_settings_out_of_range_are_refused(error, match, change):
    ds = world(1, 400)
    with pytest.raises(error, match=match):
        driver_gain(ds[DRIVERS], ds["soil"], **change)


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (ValueError, "'time' has 4 chunks", lambda ds: ds.chunk(time=100)),
        (ValueError, "has no coordinate; assign the dates", lambda ds: ds.drop_vars("time")),
        (
            ValueError,
            "the steps of 'time' are 1 h; the change from one day to the next",
            lambda ds: ds.assign_coords(time=pd.date_range("2001-01-01", periods=400, freq="h")),
        ),
        (ValueError, "has missing steps", lambda ds: ds.isel(time=np.r_[0:100, 120:400])),
        (ValueError, "7 steps are too few for lags=5", lambda ds: ds.isel(time=slice(0, 7))),
        (ValueError, r"the input has dimensions \['driver'\]", lambda ds: ds.rename(site="driver")),
        (TypeError, "needs numbers", lambda ds: ds.assign(rain=ds["rain"].astype(str))),
        (
            ValueError,
            "has units 'degC', which cannot be converted to 'mm'",
            lambda ds: ds.assign(rain=ds["rain"].assign_attrs(standard_name="soil_temperature", units="mm")),
        ),
    ],
)
def test_records_that_cannot_be_used_are_refused(error, match, change):
    ds = change(world(1, 400))
    with pytest.raises(error, match=match):
        driver_gain(ds[DRIVERS], ds["soil"])


def test_drivers_of_other_days_or_sites_are_refused():
    ds = world(2, 400)
    with pytest.raises(ValueError, match="'heat' lacks 1 of the record's 2 labels along 'site'"):
        driver_gain([ds["rain"], ds["heat"].assign_coords(site=["S1", "S2"])], ds["soil"])
    with pytest.raises(ValueError, match="no cause was given"):
        driver_gain([], ds["soil"])
    with pytest.raises(ValueError, match="'heat' lacks 1 of the record's 2 labels along 'cell'"):
        driver_gain([ds["rain"].expand_dims(cell=[0, 1]), ds["heat"].expand_dims(cell=[1, 2])], ds["soil"])


def test_one_driver_alone_is_tested_given_season_and_wetness():
    ds = world(1)
    found = driver_gain(ds["rain"], ds["soil"])
    assert found["variable"].values.tolist() == ["rain"]
    assert found.redundancy.item() == 0
    assert found.p_value.item() == 0.001
    assert driver_gain(ds["rain"].rename(None), ds["soil"])["variable"].values.tolist() == ["driver"]
