"""What drove each drought: sums over onsets by hand, classes, and soils of which one driver alone is the cause."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from tests.support.helpers import unchanged
from xdrought.attribution.onset_drivers import DRIVER_CLASSES, classify, recognised

DAYS = pd.date_range("2001-01-01", periods=1500)


@pytest.fixture(scope="module")
def sites() -> xr.Dataset:
    """Soils with a memory: at "wet" and "cold" rain is the cause, at "hot" the temperature; the soil of one freezes."""
    rng = np.random.default_rng(0)
    rain = rng.gamma(0.3, 8.0, (3, DAYS.size))
    heat = np.zeros((3, DAYS.size))
    soil = np.full((3, DAYS.size), 0.25)
    for day in range(1, DAYS.size):
        heat[:, day] = 0.8 * heat[:, day - 1] + 2 * rng.normal(size=3)
        change = np.where([True, False, True], 0.003 * (rain[:, day] - 2.4), -0.003 * heat[:, day])
        soil[:, day] = 0.25 + 0.95 * (soil[:, day - 1] - 0.25) + change
    coords = {"site": ["wet", "hot", "cold"], "time": DAYS}
    made = {
        "soil_moisture": (soil, "m3 m-3"),
        "P_F": (rain, "mm d-1"),
        "TA_F": (10 + heat, "degC"),
        "soil_temperature": (np.array([[12.0], [12.0], [-1.0]]) + 0.1 * rng.normal(size=soil.shape), "degC"),
        "LE_F_MDS": (50 + 3 * heat, "W m-2"),
    }
    return xr.Dataset({name: (("site", "time"), v, {"units": unit}) for name, (v, unit) in made.items()}, coords)


@pytest.fixture(scope="module")
def events(sites: xr.Dataset) -> xr.Dataset:
    return xdrought.flash_drought_events(sites.soil_moisture)


@pytest.fixture(scope="module")
def found(sites: xr.Dataset, events: xr.Dataset) -> xr.Dataset:
    with unchanged(sites, events):
        return xdrought.event_drivers(events, sites)


def test_the_cause_of_each_soil_is_named(found):
    names = np.array(list(DRIVER_CLASSES))[[list(DRIVER_CLASSES.values()).index(v) for v in found.driver_class.values]]
    for site, name in (("wet", "rain_deficit"), ("hot", "demand"), ("cold", "freezing")):
        own = names[found.site.values == site]
        assert own.size >= 5
        assert (own == name).mean() >= 0.8, (site, own)
    assert found.driver_class.dtype == found.driver_class.attrs["flag_values"].dtype == np.int8
    assert found.frozen_share.values[found.site.values == "cold"].min() == 1


def test_numbers_are_sums_and_means_over_the_days_on_which_the_soil_falls(sites, events):
    every = xdrought.event_drivers(events, sites, alpha=1)
    names = ["P_F", "TA_F", "soil_temperature"]
    daily = xdrought.driver_contributions(sites[names], sites.soil_moisture)
    for k in (0, 3, events.sizes["event"] - 1):
        event = events.isel(event=k)
        span = slice(event.onset_time.values, event.start_time.values)
        onset = daily.sel(site=event.site.item()).sel(time=span).isel(time=slice(1, None))
        assert onset.sizes["time"] == int(event.onset_length)
        for name in names:
            total = onset.sel(variable=name).sum()
            np.testing.assert_allclose(every.contribution.sel(driver=name)[k], total, rtol=1e-9)
        dry = np.maximum(-onset.sum("time"), 0)
        np.testing.assert_allclose(every.share.sel(driver=names)[k], (dry / dry.sum()).sel(variable=names))
        rain = sites.P_F.sel(site=event.site.item()).values
        year = np.arange(DAYS.size) / 365.2425
        waves = [f(2 * np.pi * n * year) for n in range(1, 5) for f in (np.cos, np.sin)]
        design = np.stack([np.ones(DAYS.size), *waves], axis=1)
        z = rain - design @ np.linalg.lstsq(design, rain, rcond=None)[0]
        first, last = (DAYS.get_loc(pd.Timestamp(event[name].values)) for name in ("onset_time", "start_time"))
        expected = (z / z.std())[first + 1 : last + 1].mean()
        np.testing.assert_allclose(every.anomaly.sel(driver="P_F")[k], expected, rtol=1e-6)
    assert np.isnan(every.contribution.sel(driver="LE_F_MDS")).all()
    assert np.isfinite(every.anomaly.sel(driver="LE_F_MDS")).all()


def test_what_is_not_found_to_act_counts_nothing(found):
    hot = found.isel(event=found.site.values == "hot")
    assert (hot.contribution.sel(driver="P_F") == 0).all()
    assert (hot.contribution.sel(driver="TA_F") != 0).all()


def test_gaps_leave_events_unknown(sites, events):
    event = events.isel(event=[0])
    within = (sites.time > event.onset_time.values[0]) & (sites.time <= event.start_time.values[0])
    holed = sites.assign(P_F=sites.P_F.where(~within))
    out = xdrought.event_drivers(event, holed, drivers={"P_F": "rain", "TA_F": "temperature"})
    assert out.driver_class.values.tolist() == [DRIVER_CLASSES["unknown"]]
    assert np.isnan(out.frozen_share).all()


@pytest.mark.parametrize(
    ("rain", "demand", "frozen", "name"),
    [
        (-2.0, -1.0, 0.0, "rain_deficit"),
        (-1.0, -2.0, 0.0, "demand"),
        (-1.0, -1.0, 0.0, "compound"),
        (-1.0, 3.0, 0.0, "rain_deficit"),
        (1.0, -3.0, np.nan, "demand"),
        (1.0, 1.0, 0.0, "neither"),
        (-2.0, np.nan, 0.0, "rain_deficit"),
        (np.nan, -1.0, 0.0, "unknown"),
        (-2.0, -1.0, 0.5, "freezing"),
        (-2.0, -1.0, 0.4, "rain_deficit"),
    ],
)
def test_classes_by_hand(rain, demand, frozen, name):
    assert classify(*(np.array([value]) for value in (rain, demand, frozen))).tolist() == [DRIVER_CLASSES[name]]


def test_variables_are_known_by_names_and_units(sites):
    assert recognised(sites, "soil_moisture") == {
        "P_F": "rain",
        "TA_F": "temperature",
        "soil_temperature": "soil_temperature",
        "LE_F_MDS": "evaporation",
    }
    about = {
        **{"tp": "m", "t2m": "K", "r": "%", "ws10": "m s-1", "e": "m", "stl1": "K", "ssrd": "J m-2"},
        **{"SOLARAD_DAILY": "MJ m-2", "RH_DAILY_AVG": "%", "VPD_F": "hPa"},
        **{"sp": "Pa", "SW_OUT": "W m-2", "H_F_MDS": "W m-2", "G_F_MDS": "W m-2", "pev": "m", "cape": "J kg-1"},
    }
    ds = xr.Dataset({name: ("time", np.zeros(2), {"units": unit}) for name, unit in about.items()})
    assert recognised(ds, "swvl1") == {
        **{"tp": "rain", "t2m": "temperature", "r": "humidity", "ws10": "wind", "e": "evaporation"},
        **{"stl1": "soil_temperature", "ssrd": "radiation", "SOLARAD_DAILY": "radiation"},
        **{"RH_DAILY_AVG": "humidity", "VPD_F": "vpd"},
    }


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda ds, ev: (ds, ev), {"target": "sm"}, KeyError, "no variable 'sm'"),
        (lambda ds, ev: (ds, ev), {"drivers": {"P": "rain"}}, KeyError, r"no variable \['P'\]"),
        (lambda ds, ev: (ds, ev), {"drivers": {"P_F": "snow"}}, ValueError, "the role of 'P_F'='snow' is unknown"),
        (lambda ds, ev: (ds.drop_vars("P_F"), ev), {}, ValueError, "there is no rain among the drivers"),
        (lambda ds, ev: (ds.assign(TA_F=ds.TA_F.expand_dims("x")), ev), {}, ValueError, "nearest_cells"),
        (lambda ds, ev: (ds, ev.drop_vars("onset_time")), {}, ValueError, r"the events lack \['onset_time'\]"),
        (lambda ds, ev: (ds.isel(site=[0]), ev), {}, ValueError, "of places or days that the data lack"),
    ],
)
def test_what_is_refused(sites, events, change, options, error, message):
    ds, table = change(sites, events)
    with pytest.raises(error, match=message):
        xdrought.event_drivers(table, ds, **options)
