"""Scores of forecasts as they come: any order of days, sites and dimensions, leads in other units, missing codes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.support.cures import follow
from xdrought.verification import climatology_forecast, compare_models, persistence_forecast

N = 1200
DAYS = pd.date_range("2001-01-01", periods=N)


def walk(seed: int = 1) -> np.ndarray:
    steps, series = np.random.default_rng(seed).standard_normal(N), np.zeros(N)
    for i in range(1, N):
        series[i] = 0.95 * series[i - 1] + steps[i]
    return series + 30


def observed() -> xr.DataArray:
    coords = {"site": ["A", "B"], "time": DAYS}
    return xr.DataArray([walk(1), walk(2)], coords, ("site", "time"), "soil", {"units": "%"})


def forecast() -> xr.DataArray:
    return (0.9 * observed() + 3)[:, 800:].assign_attrs(units="%").assign_coords(lead_time=np.timedelta64(7, "D"))


def same_scores(first: xr.Dataset, second: xr.Dataset) -> None:
    """The same scores by label, intervals included, whatever the order of sites."""
    xr.testing.assert_allclose(second.sel(site=first.site), first)


ORDERS = {
    "days reversed": lambda da: da[:, ::-1],
    "days shuffled": lambda da: da.isel(time=np.random.default_rng(0).permutation(da.sizes["time"])),
    "sites turned": lambda da: da[::-1],
    "other dimensions": lambda da: da.T,
    "dask": lambda da: da[::-1].chunk(time=100),
    "seconds": lambda da: da.assign_coords(time=da.indexes["time"].as_unit("s")),
    "cftime": lambda da: da.convert_calendar("standard", use_cftime=True),
}


@pytest.fixture(scope="module")
def expected() -> xr.Dataset:
    return xd.verify(forecast(), observed(), n_boot=20)


@pytest.mark.parametrize("which", ["forecast", "observed", "driver"])
@pytest.mark.parametrize("kind", ORDERS)
def test_no_order_of_days_or_sites_changes_a_score(kind, which, expected):
    given = {"forecast": forecast(), "observed": observed()}
    if which == "driver":
        drivers = {"era5": ORDERS[kind](observed() + 1).assign_attrs(units="%")}
        plain = xd.verify(**given, drivers={"era5": (observed() + 1).assign_attrs(units="%")}, n_boot=20)
        same_scores(plain, xd.verify(**given, drivers=drivers, n_boot=20))
        return
    given[which] = ORDERS[kind](given[which])
    same_scores(expected, xd.verify(**given, n_boot=20))


def test_models_are_compared_in_any_order_of_sites():
    both = {"a": forecast(), "b": (forecast() + 1).assign_attrs(units="%")}
    turned = {"a": forecast(), "b": both["b"][::-1, ::-1]}
    frames = [compare_models(models, observed(), n_boot=20, score="rmse") for models in (both, turned)]
    pd.testing.assert_frame_equal(*frames)


@pytest.mark.parametrize("make", [persistence_forecast, climatology_forecast])
def test_references_take_days_in_any_order(make):
    options = {"lead": 7} if make is persistence_forecast else {"train": (None, "2002-12-31")}
    plain = make(observed(), forecast(), **options)
    for shuffled in (observed()[:, ::-1], observed()[::-1].T):
        xr.testing.assert_allclose(
            make(shuffled, forecast(), **options).sel(site=["A", "B"]).transpose(*plain.dims), plain
        )


def test_a_training_mask_is_taken_by_its_labels():
    train = xr.DataArray(DAYS < "2003-01-01", {"time": DAYS}, "time")
    plain = xd.verify(forecast(), observed(), train=train, n_boot=20)
    same_scores(plain, xd.verify(forecast(), observed(), train=train[::-1], n_boot=20))


def test_missing_codes_in_the_observation_are_refused_and_the_cure_works():
    bad = observed().where(observed().time != DAYS[900], -9999.0)
    with pytest.raises(ValueError, match="'soil' holds codes of missing values as numbers .2 of -9999") as caught:
        xd.verify(forecast(), bad, n_boot=20)
    assert xd.verify(forecast(), follow(str(caught.value), da=bad)["da"], n_boot=20).rmse.notnull().all()


def test_a_forecast_may_go_beyond_what_is_possible_but_not_hold_missing_codes():
    wild = forecast().where(forecast().time != DAYS[900], 140.0)
    assert xd.verify(wild, observed(), n_boot=20).rmse.sel(model="forecast").min() > 1
    with pytest.raises(ValueError, match="holds codes of missing values"):
        xd.verify(forecast().where(forecast().time != DAYS[900], -9999.0), observed(), n_boot=20)


def test_calendars_that_differ_are_refused_and_the_cure_works():
    noleap = forecast().convert_calendar("noleap", use_cftime=True)
    with pytest.raises(
        ValueError, match="calendar 'proleptic_gregorian' along 'time' and the record of 'noleap'"
    ) as caught:
        xd.verify(noleap, observed(), n_boot=20)
    cured = follow(str(caught.value), da=observed())["da"]
    assert xd.verify(noleap, cured, n_boot=20).rmse.notnull().all()


# ---- leads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lead",
    [
        xr.DataArray(168, attrs={"units": "hours"}),
        xr.DataArray(168.0, attrs={"units": "h"}),
        xr.DataArray(10080, attrs={"units": "minutes"}),
        xr.DataArray(7, attrs={"units": "days"}),
        xr.DataArray(7),
        xr.DataArray([np.timedelta64(168, "h")], dims="one").squeeze(),
    ],
)
def test_leads_of_files_are_read_with_their_units(lead, expected):
    same_scores(expected, xd.verify(forecast().assign_coords(lead_time=lead), observed(), n_boot=20).drop_attrs())


@pytest.mark.parametrize("lead", ["7D", "168h", pd.Timedelta(days=7), np.timedelta64(168, "h"), 7.0])
def test_leads_are_given_as_numbers_texts_and_spans(lead, expected):
    same_scores(expected, xd.verify(forecast(), observed(), lead=lead, n_boot=20))


@pytest.mark.parametrize("lead", [0, -7, "-7D", np.nan, pd.Timedelta(0)])
def test_a_forecast_is_issued_before_its_valid_time(lead):
    with pytest.raises(ValueError, match="lead=.*(give a lead above 0|is no time)"):
        xd.verify(forecast(), observed(), lead=lead, n_boot=20)


def test_init_times_after_the_valid_time_are_refused():
    late = forecast().assign_coords(init_time=("time", DAYS[800:]))
    with pytest.raises(ValueError, match="400 of 400 days have an init_time on or after their valid time"):
        xd.verify(late, observed(), n_boot=20)


@pytest.mark.parametrize("lead", ["soon", [1, 2], True])
def test_what_is_no_time_is_refused(lead):
    with pytest.raises(ValueError, match="is no time; give days, lead=7"):
        xd.verify(forecast(), observed(), lead=lead, n_boot=20)


def test_units_that_are_no_time_are_refused():
    odd = forecast().assign_coords(lead_time=xr.DataArray(7, attrs={"units": "furlongs"}))
    with pytest.raises(ValueError, match="lead_time has the units 'furlongs', which are no time"):
        xd.verify(odd, observed(), n_boot=20)


# ---- probabilities and classes -------------------------------------------------------------------------------------


def reliable() -> tuple[xr.DataArray, xr.DataArray]:
    """Probabilities, and what happened with just these."""
    rng = np.random.default_rng(0)
    coords = {"site": [f"S{k}" for k in range(20)], "time": DAYS[:50]}
    p = xr.DataArray(rng.random((20, 50)), coords, ("site", "time"))
    return p, p.copy(data=rng.random((20, 50)) < p.values)


@pytest.mark.parametrize("kind", [name for name in ORDERS if name != "cftime"])
def test_no_order_changes_the_scores_of_probabilities(kind):
    p, happened = reliable()
    plain = xd.probability_scores(p, happened)
    turned = ORDERS[kind](happened)
    xr.testing.assert_allclose(xd.probability_scores(p, turned).sel(site=p.site), plain)
    xr.testing.assert_allclose(xd.probability_scores(ORDERS[kind](p), happened).sel(site=p.site), plain)


def test_rounding_above_one_is_one_and_more_is_refused():
    p = xr.DataArray(np.array([0.2, 1.0000001], "float32"), dims="time")
    exact = xd.probability_scores(p.clip(0, 1), p > 0.5)
    xr.testing.assert_allclose(xd.probability_scores(p, p > 0.5), exact)
    with pytest.raises(ValueError, match="probabilities reach 0.2 to 1.01; give 0 to 1"):
        xd.probability_scores(p.where(p < 1, 1.01), p > 0.5)


def test_the_climatology_is_a_probability_on_its_labels():
    p, happened = reliable()
    normal = happened.mean("time")
    plain = xd.probability_scores(p, happened, climatology=normal)
    xr.testing.assert_allclose(xd.probability_scores(p, happened, climatology=normal[::-1]), plain)
    with pytest.raises(ValueError, match="climatology reaches 1.5 to 1.5; a probability is 0 to 1"):
        xd.probability_scores(p, happened, climatology=1.5)


def test_never_to_act_is_a_choice():
    fcst = xr.DataArray([1.0, 1.0, 1.0, 1.0, 0.0, 0.0], dims="time")
    obs = xr.DataArray([1, 0, 0, 0, 0, 0], dims="time")
    value = xd.probability_scores(fcst, obs, cost_loss_ratio=[0.1, 0.3, 0.5]).economic_value
    np.testing.assert_allclose(value, [0.4, 0.0, 0.0])


def test_probabilities_without_a_common_day_are_told():
    p, happened = reliable()
    with pytest.warns(UserWarning, match="no day has both a probability and an occurrence"):
        found = xd.probability_scores(p.where(p.time < DAYS[20]), happened.where(p.time >= DAYS[20]))
    assert np.isnan(found.brier_pooled)


def classes() -> tuple[xr.DataArray, xr.DataArray]:
    attrs = {"flag_values": [0, 3, 4], "flag_meanings": "no_drought flash_onset flash_condition"}
    rng, (p, _) = np.random.default_rng(3), reliable()
    obs = p.copy(data=rng.choice([0, 3, 4], p.shape)).assign_attrs(attrs)
    return obs.copy(data=np.where(rng.random(p.shape) < 0.6, obs, 0)), obs


@pytest.mark.parametrize("score", [xd.class_scores, xd.occurrence_scores])
@pytest.mark.parametrize("kind", [name for name in ORDERS if name != "cftime"])
def test_no_order_changes_the_scores_of_classes(kind, score):
    fcst, obs = classes()
    plain = score(fcst, obs, n_boot=20)
    for given in ((ORDERS[kind](fcst), obs), (fcst, ORDERS[kind](obs)), (ORDERS[kind](fcst), ORDERS[kind](obs))):
        found = score(*given, n_boot=20)
        found = found.sel(site=plain.site) if "site" in found.coords else found
        xr.testing.assert_allclose(found, plain)


@pytest.mark.parametrize("score", [xd.class_scores, xd.occurrence_scores])
def test_classes_in_other_things_than_arrays_are_refused(score):
    fcst, obs = classes()
    with pytest.raises(TypeError, match="forecast must be a DataArray, got ndarray"):
        score(fcst.values, obs)


# ---- events of grids -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grid() -> xr.DataArray:
    rng, days = np.random.default_rng(0), pd.date_range("2000-01-01", periods=2920)
    season = 0.05 * np.cos(2 * np.pi * np.arange(2920) / 365.25)[:, None, None]
    values = rng.standard_normal((2920, 4, 4)).cumsum(0) * 0.002 + 0.3 + season
    coords = {"time": days, "lat": [50.0, 49, 48, 47], "lon": [0.1, 1.1, 2.1, 3.1]}
    return xr.DataArray(values, coords, ("time", "lat", "lon"), "sm")


GRIDS = {
    "as it is": (lambda da: da, 69, 69),
    "latitudes ascending": (lambda da: da.sortby("lat"), 69, 69),
    "lon before lat": (lambda da: da.transpose("time", "lon", "lat"), 69, 69),
    "southern half": (lambda da: da.isel(lat=[2, 3]), 29, 29),
    "single precision": (lambda da: da.assign_coords(lon=da.lon.astype("float32")), 69, 69),
    "stacked": (lambda da: da.stack(point=("lon", "lat")), 69, 69),
}


@pytest.mark.parametrize("kind", GRIDS)
def test_events_of_grids_are_matched_by_their_labels(kind, grid):
    change, n, hits = GRIDS[kind]
    found = xd.match_events(xd.flash_drought_events(change(grid)), xd.flash_drought_events(grid))
    assert (int(found.n_forecast_pooled), int(found.hits_pooled), int(found.false_alarms_pooled)) == (n, hits, 0)
    assert (found.start_error == 0).all()
    assert {"lat", "lon", "match_lat", "match_lon"} <= set(found.coords)


def test_years_of_grids_are_taken_by_their_labels(grid):
    events = xd.flash_drought_events(grid)
    years = xr.ones_like(grid.isel(time=0, drop=True)) * 8.0
    found = xd.match_events(events.isel(event=slice(0, 0)), events, years=years.sortby("lat"))
    assert found.sizes["cell"] == 16
    assert found.false_alarms_per_year_pooled == 0
    part = xd.match_events(events, events, years=years.isel(lat=[0]))
    assert int(part.false_alarms_per_year.notnull().sum()) == 4


def table(**place) -> xr.Dataset:
    start = np.array(["2001-01-01"], "datetime64[s]")
    data = {"start_time": ("event", start), "duration": ("event", [20])}
    return xr.Dataset(data, {name: ("event", [value]) for name, value in place.items()})


def test_places_of_other_kinds_are_refused_and_the_cure_works():
    with pytest.raises(
        ValueError, match="the forecast's events has numbers along 'site'|numbers along 'site'"
    ) as caught:
        xd.match_events(table(site=1), table(site="1"))
    cured = follow(str(caught.value), da=table(site=1))["da"]
    assert xd.match_events(cured, table(site="1")).hits_pooled == 1
    with pytest.raises(ValueError, match="are told apart by 'site', the observed ones by 'cell'"):
        xd.match_events(table(site="a"), table(cell=0))


def test_cells_of_other_grids_without_labels_are_refused(grid):
    bare = grid.drop_vars(["lat", "lon"])
    events = [xd.flash_drought_events(da) for da in (bare, bare.isel(lat=[2, 3]))]
    assert xd.match_events(events[0], events[0]).hits_pooled == 69
    with pytest.raises(ValueError, match="give both the same coordinates, e.g. lat and lon"):
        xd.match_events(events[1], events[0])
    with pytest.raises(ValueError, match="give both the same coordinates"):
        xd.match_events(xd.flash_drought_events(grid), events[0])


def test_calendars_of_events_are_the_same(grid):
    one = grid[:, :1, :1]
    other = one.convert_calendar("noleap", use_cftime=True)
    with pytest.raises(ValueError, match="the forecast's events has dates of the calendar 'noleap' along 'start_time'"):
        xd.match_events(xd.flash_drought_events(other), xd.flash_drought_events(one))


def test_a_lead_that_is_not_the_forecasts_own_is_told():
    with pytest.warns(UserWarning, match=r"lead=3 is taken, though the forecast's own lead_time says 7 days"):
        found = persistence_forecast(observed(), forecast(), lead=3)
    xr.testing.assert_equal(found.drop_vars("lead_time", errors="ignore"), observed().shift(time=3)[:, 800:])


def test_thresholds_and_counts_that_are_none_are_refused():
    days = xr.DataArray(np.zeros((1, 50)), {"site": ["A"], "time": DAYS[:50]}, ("site", "time"))
    warning = days.to_dataset(name="flash_onset_probability")
    for setting, words in {"threshold": "it is a probability, 0 to 1", "false_alarms": "give how many a year"}.items():
        with pytest.raises(ValueError, match=words):
            xd.alarms(warning, days.astype(bool), lead=7, part=None, chosen_on=None, **{setting: -1})
