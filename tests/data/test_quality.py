"""Doubtful days and stations, and soil moisture of several depths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.data import open_uscrn, quality_report, root_zone, soil_profile
from xdrought.data.quality import lonely_days, standing_still

DAYS = pd.date_range("2001-01-01", periods=5 * 365)


@pytest.fixture(scope="module")
def stations() -> xr.Dataset:
    """Five stations close to each other and one far away; the third has a step, the last a stuck sensor and a spike."""
    rng = np.random.default_rng(0)
    shared = np.zeros(DAYS.size)
    for k in range(1, DAYS.size):
        shared[k] = 0.97 * shared[k - 1] + 0.01 * rng.normal()
    values = 0.3 + shared + 0.002 * rng.normal(size=(6, DAYS.size))
    values[2, 900:] += 0.08
    values[5, 100:115] = values[5, 100]
    values[5, 300] += 0.2
    coords = {
        "site": list("abcdef"),
        "time": DAYS,
        "lat": ("site", [47.0, 47.1, 47.2, 47.3, 47.4, -20.0]),
        "lon": ("site", [8.0] * 6),
    }
    return xr.Dataset({"soil_moisture": (("site", "time"), values, {"units": "m3 m-3"})}, coords)


def test_what_was_planted_is_found_and_nothing_else(stations):
    with unchanged(stations):
        report = quality_report(stations, n_simulations=199)
    assert report.has_step.values.tolist() == [False, False, True, False, False, False]
    assert not report.has_drift.any()
    assert report.step_time[2].values == DAYS[900].to_datetime64()
    assert report.step_size[2] == pytest.approx(0.08, rel=0.2)
    assert report.step_size.attrs["units"] == "m3 m-3"
    assert report.compared_with.values.tolist() == [1, 1, 1, 1, 1, 0]
    assert np.flatnonzero(report.is_suspect[5]).tolist() == [*range(100, 115), 300]
    assert report.constant_days.values.tolist() == [0, 0, 0, 0, 0, 15]
    assert report.spike_days.values.tolist() == [0, 0, 0, 0, 0, 1]
    sound = stations.soil_moisture.where(~report.is_suspect).sel(site=~report.is_flagged)
    assert sound.sizes["site"] == 5
    assert int(sound.isnull().sum()) == 16


def test_a_reference_takes_the_place_of_neighbours_whatever_its_units_and_order(stations):
    truth = stations.soil_moisture.isel(site=[0]).drop_vars(["lat", "lon"]).isel(site=0, drop=True)
    report = quality_report(stations, reference=100 * truth[::-1].sortby("time"), n_simulations=99)
    assert (report.compared_with == 2).all()
    assert report.has_step.values.tolist() == [False, False, True, False, False, False]
    reordered = quality_report(stations.isel(site=[2]), n_simulations=99)
    assert reordered.compared_with.item() == 0


def test_a_step_too_small_for_its_months_is_found_by_its_day_across_a_short_gap(stations):
    """Alone, with a memory of a month: the fall is a rare one, and the level does not come back."""
    alone = stations.isel(site=[0]).drop_vars(["lat", "lon"]).copy(deep=True)
    alone["soil_moisture"][:, 900:] -= 0.06
    alone["soil_moisture"][:, 898:900] = np.nan
    report = quality_report(alone, n_simulations=199).isel(site=0)
    assert bool(report.has_step)
    assert report.step_time.values == DAYS[900].to_datetime64()
    assert report.p_value <= 0.05
    slowly = stations.isel(site=[0]).drop_vars(["lat", "lon"]).copy(deep=True)
    slowly["soil_moisture"][0] -= 0.06 * np.clip((np.arange(DAYS.size) - 870) / 60, 0, 1)  # the same in two months
    assert quality_report(slowly, n_simulations=199).p_value.item() > report.p_value


def test_a_storm_that_dries_again_is_no_step(stations):
    alone = stations.isel(site=[0]).drop_vars(["lat", "lon"]).copy(deep=True)
    alone["soil_moisture"][0, 900:] += 0.1 * 0.95 ** np.arange(DAYS.size - 900)
    assert not quality_report(alone, n_simulations=199).is_flagged.item()


def test_a_drift_is_not_called_a_step(stations):
    drifting = stations.copy(deep=True)
    drifting["soil_moisture"][1] += np.linspace(0, 0.15, DAYS.size)
    report = quality_report(drifting, n_simulations=99)
    assert bool(report.has_drift[1])
    assert not bool(report.has_step[1])
    assert report.drift[1] == pytest.approx(0.03, rel=0.2)


def test_runs_and_spikes_by_hand():
    nan = np.nan
    values = np.array([[1, 1, 1, 2, nan, nan, nan, 3, 3, 2, 2, 2.0]])
    assert np.flatnonzero(standing_still(values, 3)[0]).tolist() == [0, 1, 2, 9, 10, 11]
    assert not standing_still(values, 4).any()
    spiky = np.array([[0, 0, 9, 0, 0, 0, 9, 5, 0, 0, -9, 0.0]])  # a rise that goes on is none
    assert np.flatnonzero(lonely_days(spiky, 0.5)[0]).tolist() == [2, 10]
    assert not lonely_days(np.full((1, 5), nan), 0.5).any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda ds: (ds.rename(soil_moisture="sm"), {}), KeyError, "no variable 'soil_moisture'"),
        (lambda ds: (ds.isel(site=0), {}), ValueError, "no dimension 'site' in 'soil_moisture'"),
        (lambda ds: (ds.isel(time=slice(None, None, 5)), {}), ValueError, "is not daily"),
        (lambda ds: (ds, {"alpha": 5}), ValueError, "alpha=5; it must be a share"),
        (lambda ds: (ds, {"constant_days": 0}), ValueError, "constant_days=0"),
    ],
)
def test_what_is_refused(stations, change, error, message):
    ds, options = change(stations)
    with pytest.raises(error, match=message):
        quality_report(ds, **options)


def layered() -> xr.Dataset:
    rng = np.random.default_rng(0)
    bounds = {"swvl1": (0.0, 0.07), "swvl2": (0.07, 0.28), "swvl3": (0.28, 1.0)}
    about = {
        name: {"units": "m3 m-3", "depth_from": top, "depth_to": bottom, "depth_units": "m"}
        for name, (top, bottom) in bounds.items()
    }
    values = {name: (("time", "lat"), rng.random((4, 2)), attrs) for name, attrs in about.items()}
    return xr.Dataset({**values, "t2m": (("time", "lat"), np.zeros((4, 2)), {"units": "K"})}, {"lat": [1.0, 2.0]})


def test_the_root_zone_is_the_mean_weighted_by_thickness():
    ds = layered()
    expected = 0.07 * ds.swvl1 + 0.21 * ds.swvl2 + 0.72 * ds.swvl3
    with unchanged(ds):
        found = root_zone(ds, 1.0)
    xr.testing.assert_allclose(found.drop_attrs(), expected.rename("soil_moisture").drop_attrs())
    assert (found.attrs["units"], found.attrs["depth_to"]) == ("m3 m-3", 1.0)
    shallow = root_zone(ds, 0.14)
    xr.testing.assert_allclose(shallow.drop_attrs(), (0.5 * ds.swvl1 + 0.5 * ds.swvl2).rename("soil_moisture"))
    with raise_if_dask_computes():
        lazy = root_zone(ds.chunk(time=1), 1.0)
    xr.testing.assert_allclose(lazy.compute(), found)


def test_a_missing_layer_makes_it_missing_unless_enough_is_known():
    ds = layered()
    ds["swvl1"][0, 0] = np.nan
    ds["swvl3"][1, 1] = np.nan
    found = root_zone(ds, 1.0)
    assert np.argwhere(found.isnull().values).tolist() == [[0, 0], [1, 1]]
    some = root_zone(ds, 1.0, min_share=0.9)
    assert np.argwhere(some.isnull().values).tolist() == [[1, 1]]
    assert float(some[0, 0]) == pytest.approx(float((0.21 * ds.swvl2 + 0.72 * ds.swvl3)[0, 0]) / 0.93)


def test_units_are_brought_to_those_of_the_uppermost_layer():
    ds = layered()
    percent = ds.assign(swvl2=(100 * ds.swvl2).assign_attrs(ds.swvl2.attrs, units="percent"))
    xr.testing.assert_allclose(root_zone(percent, 1.0), root_zone(ds, 1.0))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"depth": 1.5}, ValueError, "the layers go from 0 to 1 m"),
        ({"depth": 0}, ValueError, "depth=0"),
        ({"min_share": 0}, ValueError, "min_share=0"),
        ({"layers": {"swvl9": 0.1}}, KeyError, r"no variable \['swvl9'\]"),
        ({"layers": {"swvl1": (0, 0.2), "swvl2": (0.1, 0.3)}}, ValueError, "repeat, overlap or are upside down"),
        ({"layers": {"swvl1": 0.1, "swvl2": 0.1}}, ValueError, "repeat, overlap or are upside down"),
    ],
)
def test_wrong_layers_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        root_zone(layered(), **{"depth": 0.1, **options})
    with pytest.raises(ValueError, match="knows its depth; give the depths"):
        soil_profile(layered()[["t2m"]])


def test_stations_know_the_depths_of_their_probes(data_dir):
    station = "OK_Stillwater_5_WNW"
    columns = [f"SOIL_MOISTURE_{d}_DAILY" for d in (10, 20, 50, 100)]
    found = sorted((data_dir / "uscrn").rglob("CRND0103-*.txt"))
    name = next((f.name[14:-4] for f in found if station in f.name), found[0].name[14:-4])
    ds = open_uscrn(data_dir / "uscrn", stations=[name], years=[2012], variables=columns)
    profile = soil_profile(ds)
    assert profile.depth.values.tolist() == [0.05, 0.1, 0.2, 0.5, 1.0]
    assert profile.layer_bottom.values.round(3).tolist() == [0.075, 0.15, 0.35, 0.75, 1.25]
    weights = np.array([0.075, 0.075, 0.2, 0.4, 0.25])
    complete = profile.dropna("time")
    expected = (complete.transpose(..., "depth").values * weights).sum(-1)
    np.testing.assert_allclose(root_zone(ds, 1.0).sel(time=complete.time).values, expected)
