"""What each driver adds to the prediction of soil moisture: by refitting, by laws, on planted truth, and refusals."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest
import xarray as xr

from tests.support import oracles_gain as slow
from tests.support.driven_soil import DAYS, DRIVERS, QUIET, world
from xdrought.causality import driver_contributions, driver_gain
from xdrought.kernels import prediction_gain as kernel
from xdrought.kernels.surrogates import remove_annual_cycle
from xdrought.simulation.twin import respond, simulate


def as_arrays(ds: xr.Dataset, site: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Drivers, soil, years and days of one site, for the kernel and its slow version."""
    one = ds.isel(site=site)
    days = np.arange(ds.sizes["time"], dtype=float)
    return np.stack([one[name].values for name in DRIVERS]), one["soil"].values, days / 365.2425, days


# against the slow version

GROUPS = [(0,), (1, 3), (2,)]


def holes(ds: xr.Dataset, seed: int = 5) -> tuple[xr.Dataset, np.ndarray]:
    """Missing values in every variable, and a mask with a season off."""
    rng = np.random.default_rng(seed)
    gappy = ds.map(lambda da: da.where(rng.random(da.shape) > 0.01))
    return gappy, (np.arange(ds.sizes["time"]) % 365) > 40


@pytest.mark.parametrize(("lags", "frozen"), [(1, None), (5, None), (5, (1, -0.5, -2.5))])
def test_gains_are_those_of_models_fitted_anew(lags, frozen):
    ds, mask = holes(world(1, 700))
    drivers, soil, years, days = as_arrays(ds)
    settings = kernel.GainSettings(lags=lags, flips=99, freezing=(frozen,) if frozen else ())
    mine = kernel.driver_gain(drivers, soil, mask, years, days, GROUPS, settings)
    expected = slow.gains(drivers, soil, mask, years, GROUPS, lags, frozen)
    np.testing.assert_allclose(mine.gain, [gain for gain, _ in expected], rtol=1e-8, atol=1e-10)
    for i, (gain, sums) in enumerate(expected):
        signs = np.random.default_rng(0).integers(0, 2, (99, sums.size)) * 2 - 1
        drawn = [slow.rank_statistic(row * sums) for row in signs]
        p = (1 + sum(value >= slow.rank_statistic(sums) for value in drawn)) / 100
        assert mine.p_value[i] == pytest.approx(p if gain > 0 else 1.0)


def test_leaving_out_in_closed_form_is_refitting():
    ds, mask = holes(world(1, 600, seed=2))
    drivers, soil, years, days = as_arrays(ds)
    usable = kernel.usable_days(drivers, soil, mask, years, days, kernel.GainSettings())
    columns = kernel.columns_of(usable)
    penalty = columns.penalty(0.1)
    _, without = kernel.fold_predictions(usable.change, columns, GROUPS, penalty, 10)
    weights = kernel.robust_weights(usable.change, columns.table, penalty)
    for group, mine in zip(GROUPS, without, strict=True):
        refitted = slow.out_of_fold(usable.change, weights, columns.table, penalty, columns.owner, group)
        np.testing.assert_allclose(mine, refitted, rtol=0, atol=1e-8 * np.abs(refitted).max())


def test_contributions_are_predictions_less_those_with_the_columns_at_their_means():
    ds, mask = holes(world(1, 600, seed=3))
    drivers, soil, years, days = as_arrays(ds)
    mine = kernel.contributions(drivers, soil, mask, years, days, GROUPS, kernel.GainSettings())
    for group, row in zip(GROUPS, mine, strict=True):
        usable, expected = slow.contribution(drivers, soil, mask, years, group)
        np.testing.assert_allclose(row[usable], expected, atol=1e-9)
        assert np.isnan(np.delete(row, usable)).all()


def test_signs_of_few_blocks_are_those_of_all_sign_patterns():
    rng = np.random.default_rng(0)
    gains = rng.standard_normal((2, 60)) + [[0.5], [0.0]]
    blocks = np.repeat(np.arange(6), 10)
    p = kernel.sign_flip_p_values(gains, blocks, 20000, seed=1)
    for row, mine in zip(gains, p, strict=True):
        sums = row.reshape(6, 10).sum(axis=1)
        every = [slow.rank_statistic(sums * signs) for signs in product([-1, 1], repeat=6)]
        assert mine == pytest.approx(np.mean(np.array(every) >= slow.rank_statistic(sums)), abs=0.01)


def test_the_smallest_p_value_needs_gains_in_all_months():
    assert kernel.sign_flip_p_values(np.ones((1, 40)), np.arange(40), 99, seed=0)[0] == 0.01
    assert kernel.sign_flip_p_values(-np.ones((1, 40)), np.arange(40), 99, seed=0)[0] == 1.0


def test_redundancy_is_the_explained_variance():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 4000))
    anomalies = np.stack([a + b, a, b, rng.standard_normal(4000)])

    def explained(rows: np.ndarray, group: tuple[int, ...]) -> float:
        empty = np.empty(0)
        days = kernel.Days(np.ones(len(rows), bool), empty, empty, empty, empty, rows[None], empty)
        return kernel.explained_by_others(days, group)

    assert explained(anomalies, (0,)) == pytest.approx(1.0)
    assert explained(anomalies[[0, 1]], (0,)) == pytest.approx(0.5, abs=0.03)
    assert explained(anomalies, (3,)) == pytest.approx(0.0, abs=0.01)
    assert explained(anomalies, (0, 1, 2)) == pytest.approx(0.0, abs=0.01)
    assert explained(anomalies[:1], (0,)) == 0.0


# planted truth


@pytest.fixture(scope="module")
def many() -> xr.Dataset:
    ds = world(20, DAYS, seed=11)
    return driver_gain(ds[DRIVERS], ds["soil"])


def test_drivers_are_found_and_those_that_share_their_weather_are_not(many):
    called = (many.p_value_adjusted < 0.05).sum("site").to_series()
    assert called["rain"] == 20
    assert called["heat"] == 20
    assert called["cloud"] <= 1
    assert called["wind"] <= 1
    assert (many.gain.sel(variable=["rain", "heat"]) > 0.05).all()
    assert (many.gain.sel(variable=["cloud", "wind"]) < 0.01).all()


def test_the_others_hide_what_is_told_twice():
    ds = world(5, seed=4)
    twice = ds.assign(twin=ds["rain"] * 1.0)
    with pytest.warns(UserWarning, match=r"explain more than 90% of rain \(100%\), twin \(100%\)"):
        apart = driver_gain(twice[["rain", "twin", "heat"]], ds["soil"])
    assert (apart.redundancy.sel(variable=["rain", "twin"]) > 0.999).all()
    assert (apart.gain.sel(variable="rain") < 0.2).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        together = driver_gain(twice[["rain", "twin", "heat"]], ds["soil"], groups={"water": ["rain", "twin"]})
    assert together["variable"].values.tolist() == ["water", "heat"]
    assert (together.p_value.sel(variable="water") == 0.001).all()
    assert (together.gain.sel(variable="water") > 0.3).all()


@pytest.fixture(scope="module")
def towers() -> xr.Dataset:
    """Five simulated towers, the mean weather of the four nearest cells."""
    return simulate(5, 2192, size=2, seed=301).mean(["patch_lat", "patch_lon"])


@QUIET
def test_rain_is_found_at_the_towers_of_the_twin_and_what_does_nothing_is_not(towers):
    names = ["t2m", "cape", "tp", "sp", "r", "ws10", "stl1"]
    found = driver_gain(towers[names], towers["soil_moisture"])
    called = found.p_value_adjusted < 0.05
    truth = towers["truth_strength"].sel(variable=names)
    assert called.sel(variable="tp").all()
    assert int((called & (truth == 0)).sum()) <= 1
    assert float(called.where(truth > 0.0005).mean()) > 0.4


def without_anomaly(da: xr.DataArray, days: np.ndarray) -> xr.DataArray:
    """The driver on its usual course (mean and four harmonics) on these days, as it was on the others."""
    years = np.arange(da.sizes["time"]) / 365.2425
    anomaly = remove_annual_cycle(da.transpose(..., "time").values.astype(float), years)
    usual = np.where(days, da.transpose(..., "time").values - anomaly, da.transpose(..., "time").values)
    usual = np.maximum(usual, 0) if da.name == "tp" else usual
    return da.transpose(..., "time").copy(data=usual.astype("float32")).transpose(*da.dims)


@QUIET
def test_summed_contributions_are_what_the_soil_of_the_twin_does_without_the_driver():
    """Over windows of twenty days, against runs of the soil with the driver's anomaly taken away in the windows."""
    ds = simulate(4, 2192, size=2, seed=302)
    day = np.arange(ds.sizes["time"])
    inside = (day % 60 < 20) & (day >= 60)
    groups = {"temperature": ["t2m", "mx2t"]}
    names = ["t2m", "mx2t", "tp", "r", "ws10", "stl1", "cape", "sp"]
    share = driver_contributions(ds[names].mean(["patch_lat", "patch_lon"]), ds["soil_moisture"], groups=groups)
    window = xr.DataArray(day // 60, {"time": ds["time"]}, name="window").where(inside)
    as_it_was = respond(ds)["soil_moisture"]
    true = {}
    for test, members in (groups | {"tp": ["tp"], "r": ["r"]}).items():
        other = respond(ds.assign({name: without_anomaly(ds[name], inside) for name in members}))
        effect = as_it_was - other["soil_moisture"]
        true[test] = (effect - effect.shift(time=1)).groupby(window).sum()
    truth = xr.concat(true.values(), "variable").assign_coords(variable=list(true))
    mine = share.groupby(window).sum().sel(variable=list(true)).transpose(*truth.dims)
    assert xr.corr(truth, mine, "window").sel(variable="tp").min() > 0.5
    falls = truth.sum("variable") < -0.01
    right = (truth.argmin("variable") == mine.argmin("variable")).where(falls)
    assert int(falls.sum()) > 50
    assert float(right.mean()) > 0.7


def test_contributions_of_a_planted_driver_are_the_planted_ones(small):
    ds, _ = small
    share = driver_contributions(ds[DRIVERS], ds["soil"]).sel(variable="heat")
    years = np.arange(DAYS) / 365.2425
    planted = -0.15 * xr.zeros_like(ds["heat"]).copy(data=remove_annual_cycle(ds["heat"].values, years)).shift(time=1)
    assert (xr.corr(share, planted, "time") > 0.95).all()
    np.testing.assert_allclose(share.std("time") / planted.std("time"), 0.9, atol=0.1)  # a ridge takes a little


# laws


@pytest.fixture(scope="module")
def small() -> tuple[xr.Dataset, xr.Dataset]:
    ds = world(3, DAYS, seed=1)
    return ds, driver_gain(ds[DRIVERS], ds["soil"])
