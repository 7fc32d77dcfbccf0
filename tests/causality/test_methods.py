"""Providers of the causality degree: each fills the same labelled matrix, from the training part only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import pearsonr

from tests.support.causal_series import BACKWARD, FORWARD, patches, weather
from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.causality import causality_degree, ccm, degree_vector, driver_gain, gccm
from xdrought.causality.methods import METHODS

OWN_GRID = {"gccm"}
ONE_WAY = {"driver_gain"}


def grid(n_time=60, seed=0) -> tuple[xr.Dataset, xr.DataArray]:
    rng = np.random.default_rng(seed)
    coords = {"time": pd.date_range("2001-01-01", periods=n_time), "lat": np.arange(6.0), "lon": np.arange(7.0)}
    values = {name: (("time", "lat", "lon"), rng.standard_normal((n_time, 6, 7))) for name in ("t2m", "tp", "sm")}
    ds = xr.Dataset(values, coords)
    return ds[["t2m", "tp"]], ds["sm"]


def own(drivers, target, *, direction, time, power=1):
    """A user's function: covariance to a power, and a made-up p-value."""
    rho = xr.concat([xr.cov(da, target, dim=time) ** power for da in drivers.values()], "variable")
    return xr.Dataset({"rho": rho, "p_value": 0.5 + 0 * rho}).assign_coords(variable=list(drivers))


@pytest.mark.parametrize("method", [*sorted(set(METHODS) - OWN_GRID), own])
def test_every_method_fills_the_same_matrix(method):
    drivers, soil = patches()
    train = slice(None, "2001-03-31")
    with unchanged(drivers, soil):
        degree = causality_degree(drivers, soil, train=train, method=method)
    assert degree.rho.dims == degree.p_value.dims == ("site", "variable", "cell")
    assert dict(degree.rho.sizes) == {"site": 2, "variable": 2, "cell": 4}
    assert degree["variable"].values.tolist() == ["t2m", "tp"]
    assert degree["cell"].values.tolist() == [0, 1, 2, 3]
    assert degree.attrs["method"] == (method if isinstance(method, str) else "own")
    vector = degree_vector(degree)
    assert vector.sizes["causal"] == 2 * 2 * 4
    mask = soil["time"] <= np.datetime64("2001-03-31")
    later = (~mask).broadcast_like(soil)
    spoiled = drivers.where(mask, -50.0), soil.where(~later, 99.0)
    for part in (train, mask):
        again = causality_degree(*spoiled, train=part, method=method)
        np.testing.assert_allclose(again.rho, degree.rho)  # nothing outside the training part is seen
        np.testing.assert_allclose(again.p_value, degree.p_value)


@pytest.mark.parametrize("method", [*sorted(set(METHODS) - OWN_GRID), own])
def test_every_method_takes_towers_and_is_lazy(method):
    ds = weather(n_time=100)
    eager = causality_degree(ds[["t2m", "tp"]], ds["sm"], train=slice(None), method=method)
    assert dict(eager.rho.sizes) == {"site": 3, "variable": 2, "cell": 1}
    with raise_if_dask_computes():
        lazy = causality_degree(
            ds[["t2m", "tp"]].chunk(site=1), ds["sm"].chunk(site=1), train=slice(None), method=method
        )
    xr.testing.assert_allclose(lazy.compute(), eager)


@pytest.mark.parametrize("method", sorted(set(METHODS) - ONE_WAY))
def test_every_method_knows_both_directions(method):
    drivers, soil = grid()
    both = causality_degree(drivers, soil, train=slice(None), method=method, direction="both")
    assert both["direction"].values.tolist() == [FORWARD, BACKWARD]
    assert dict(both.rho.sizes) == {"lat": 6, "lon": 7, "variable": 2, "cell": 1, "direction": 2}
    for direction in (FORWARD, BACKWARD):
        one = causality_degree(drivers, soil, train=slice(None), method=method, direction=direction)
        assert one["direction"].item() == direction
        np.testing.assert_allclose(both.rho.sel(direction=direction), one.rho)


def test_cross_mapping_takes_its_own_options():
    ds = weather(n_time=100)
    degree = causality_degree(
        ds[["t2m"]], ds["sm"], train=slice(None), embedding_dim=3, lag=[-1, 0], surrogates=9, deseasonalize=False
    )
    expected = ccm(ds[["t2m"]], ds["sm"], embedding_dim=3, lag=[-1, 0], direction=FORWARD)
    np.testing.assert_allclose(degree.rho.isel(cell=0), expected.rho.transpose("site", "lag", "variable"))
    assert degree.surrogate_p_value.dims == ("site", "lag", "variable", "cell")
    assert degree.attrs["embedding_dim"] == 3


def test_spatial_mapping_is_that_of_the_training_means():
    drivers, soil = grid()
    train = slice("2001-01-10", "2001-02-10")
    degree = causality_degree(drivers, soil, train=train, method="gccm", embedding_dim=2)
    expected = gccm(
        drivers.sel(time=train).mean("time"), soil.sel(time=train).mean("time"), embedding_dim=2, direction=FORWARD
    )
    for place in ({"lat": 0, "lon": 0}, {"lat": 5, "lon": 6}):
        np.testing.assert_allclose(degree.rho.isel(place).isel(cell=0), expected.rho)
    assert degree_vector(degree).sizes == {"lat": 6, "lon": 7, "causal": 4}
    with raise_if_dask_computes():
        lazy = causality_degree(drivers.chunk(lat=6), soil.chunk(lat=6), train=train, method="gccm", embedding_dim=2)
    xr.testing.assert_allclose(lazy.compute().rho, degree.rho)


def planted() -> tuple[xr.Dataset, xr.DataArray]:
    """Patches of 2 x 2 cells at two sites, 1200 days: t2m and tp drive the soil, noise does not."""
    rng = np.random.default_rng(0)
    region = rng.standard_normal((3, 2, 1200, 1, 1))
    cells = region + 0.3 * rng.standard_normal((3, 2, 1200, 2, 2))
    values = dict(zip(("t2m", "noise", "tp"), cells, strict=True))
    push = 0.3 * values["tp"].mean(axis=(2, 3)) - 0.2 * values["t2m"].mean(axis=(2, 3))
    soil = np.zeros((2, 1200))
    for day in range(1, 1200):
        soil[:, day] = 0.9 * soil[:, day - 1] + push[:, day] + 0.1 * rng.standard_normal(2)
    time = pd.date_range("2001-01-01", periods=1200)
    dims = ("site", "time", "patch_lat", "patch_lon")
    drivers = xr.Dataset({name: (dims, value) for name, value in values.items()}, {"time": time})
    return drivers, xr.DataArray(soil, {"time": time}, ("site", "time"), name="sm")


def test_the_gain_is_that_of_each_cell_and_groups_share_theirs():
    drivers, soil = planted()
    degree = causality_degree(drivers, soil, train=slice(None), method="driver_gain", lags=2)
    assert degree.rho.dims == ("site", "variable", "cell")
    expected = driver_gain(drivers.isel(patch_lat=1, patch_lon=0), soil, lags=2)
    mine = degree.isel(cell=2)
    np.testing.assert_allclose(mine.p_value, expected.p_value.transpose(*mine.p_value.dims))
    np.testing.assert_allclose(mine.rho**2, expected.gain.clip(min=0).transpose(*mine.rho.dims))
    assert (degree.p_value.sel(variable=["t2m", "tp"]) == 0.001).all()
    assert (degree.p_value.sel(variable="noise") > 0.05).all()
    options = {"train": slice(None), "method": "driver_gain", "groups": {"weather": ["t2m", "tp"]}}
    grouped = causality_degree(drivers, soil, **options)
    assert grouped["variable"].values.tolist() == ["t2m", "noise", "tp"]
    np.testing.assert_array_equal(grouped.rho.sel(variable="t2m"), grouped.rho.sel(variable="tp"))
    assert (grouped.rho.sel(variable="t2m") > degree.rho.sel(variable="t2m")).all()
    with raise_if_dask_computes():
        lazy = causality_degree(drivers.chunk(site=1), soil.chunk(site=1), **options)
    xr.testing.assert_allclose(lazy.compute(), grouped)


def test_lagged_correlation_finds_the_lead_of_the_driver():
    rng = np.random.default_rng(0)
    driver = rng.standard_normal(400)
    target = -np.roll(driver, 5) + 0.5 * rng.standard_normal(400)  # five days later, upside down
    time = pd.date_range("2001-01-01", periods=400)
    pair = [xr.DataArray(v, {"time": time}, name=n) for v, n in ((driver, "tp"), (target, "sm"))]
    options = {"train": slice(None), "method": "lagged_correlation", "max_lag": 9}
    found = causality_degree(*pair, **options).isel(variable=0, cell=0)
    expected = pearsonr(driver[:-5], target[5:])
    assert found.lag == 5
    assert found.rho.item() == pytest.approx(expected.statistic)
    assert found.p_value.item() == pytest.approx(10 * expected.pvalue)
    back = causality_degree(pair[1].rename("x"), pair[0], **options, direction=BACKWARD).isel(variable=0, cell=0)
    assert back.lag == 5  # the target leads in this direction, and it is the same pair
    assert back.rho.item() == pytest.approx(expected.statistic)


def test_mutual_information_sees_what_correlation_does_not():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(5000)
    time = pd.date_range("2001-01-01", periods=5000)
    make = lambda v, n: xr.DataArray(v, {"time": time}, name=n)  # noqa: E731
    options = {"train": slice(None), "method": "mutual_information"}
    linear = make(0.6 * x + 0.8 * rng.standard_normal(5000), "sm")
    found = causality_degree(make(x, "tp"), linear, **options)
    assert found.rho.item() == pytest.approx(0.6, abs=0.05)  # of normal variables it is the correlation, less binning
    parabola = make(x**2, "sm")
    assert abs(np.corrcoef(x, x**2)[0, 1]) < 0.1
    assert causality_degree(make(x, "tp"), parabola, **options).rho > 0.8
    nothing = causality_degree(make(x, "tp"), make(rng.standard_normal(5000), "sm"), **options)
    assert nothing.rho < 0.15
    assert nothing.p_value > 0.01


def test_mutual_information_by_hand():
    time = pd.date_range("2001-01-01", periods=8)
    x, y = np.array([0, 0, 0, 0, 1, 1, 1, 1.0]), np.array([0, 0, 0, 1, 0, 1, 1, 1.0])
    pair = (xr.DataArray(v, {"time": time}, name=n) for v, n in ((x, "tp"), (y, "sm")))
    found = causality_degree(*pair, train=slice(None), method="mutual_information", bins=2)
    by_hand = 2 * (3 / 8 * np.log(3 / 8 / 0.25) + 1 / 8 * np.log(1 / 8 / 0.25))
    assert found.mutual_information.item() == pytest.approx(by_hand)


@pytest.mark.parametrize("method", ["lagged_correlation", "mutual_information"])
def test_constant_short_and_missing_series_have_no_degree(method):
    ds = weather(n_time=60)
    drivers = ds[["t2m"]].where(ds["site"] != "S0")
    drivers = drivers.where(ds["site"] != "S1", 1.0)
    found = causality_degree(drivers, ds["sm"], train=slice(None), method=method)
    assert np.isnan(found.rho.sel(site=["S0", "S1"])).all()
    assert np.isfinite(found.rho.sel(site="S2")).all()


def no_rho(drivers, target, *, direction, time):
    return xr.Dataset({"p_value": 1.0})


def no_cell(drivers, target, *, direction, time):
    return own(drivers, target, direction=direction, time=time).isel(cell=0)


def other_order(drivers, target, *, direction, time):
    return own(drivers, target, direction=direction, time=time).isel(variable=[1, 0])


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"method": "magic"}, ValueError, "method='magic' is unknown; choose one of"),
        ({"method": lambda *_, **__: 5}, TypeError, "the method gave a int; it must give an"),
        ({"method": no_rho}, ValueError, r"the method gave no \['rho'\]; it gave \['p_value'\]"),
        ({"method": no_cell}, ValueError, r"the method's rho has no dimension \['cell'\]"),
        (
            {"method": other_order},
            ValueError,
            r"the method gave the variables \['tp', 't2m'\], not the drivers \['t2m', 'tp'\]",
        ),
        ({"direction": "up"}, ValueError, "direction='up' is unknown; choose one of"),
        ({"max_lag": 3}, TypeError, "unexpected keyword argument 'max_lag'"),
        ({"method": "lagged_correlation", "max_lag": -1}, ValueError, "max_lag=-1; it must be"),
        ({"method": "mutual_information", "bins": 1}, ValueError, "bins=1; it must be"),
        ({"method": "gccm"}, ValueError, "no dimension 'lat' in"),
        ({"method": "driver_gain", "direction": "both"}, ValueError, "direction='both'; the gain is of drivers"),
    ],
)
def test_wrong_methods_are_refused(options, error, text):
    drivers, soil = patches(2)
    with pytest.raises(error, match=text):
        causality_degree(drivers, soil, train=slice(None), **options)
