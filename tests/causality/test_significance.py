"""Surrogate tests of cross mapping and p-values for many tests at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.signal import lfilter

from tests.support import oracles_ccm as slow
from tests.support.causal_series import BACKWARD, FORWARD, logistic, weather
from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.causality import ccm, false_discovery_control
from xdrought.kernels import surrogates
from xdrought.kernels.cross_map import Settings, surrogate_test


def seasonal_series(rng, n=1100, memory=0.8, n_series=1) -> np.ndarray:
    """(series, time): autoregressive noise on an annual cycle."""
    noise = lfilter([1.0], [1.0, -memory], rng.standard_normal((n_series, n + 200)), axis=1)[:, 200:]
    return noise + 3 * np.cos(2 * np.pi * np.arange(n) / 365.2425)


YEARS = np.arange(1100) / 365.2425


# what surrogates keep


def test_seasonal_surrogates_keep_the_cycle_of_mean_and_spread():
    series = seasonal_series(np.random.default_rng(0))[0]
    copies = np.concatenate(list(surrogates.seasonal_surrogates(series, 40, 1, 8, YEARS)))
    assert copies.shape == (40, 1100)
    anomaly = surrogates.remove_annual_cycle(series, YEARS)
    cycle, spread = series - anomaly, surrogates.seasonal_spread(anomaly, YEARS)
    random_part = (copies - cycle) / spread
    power = np.abs(np.fft.rfft(random_part))[:, 1:]
    expected = np.abs(np.fft.rfft(anomaly / spread))[1:]
    np.testing.assert_allclose(power, np.tile(expected, (40, 1)), atol=1e-6 * expected.max())
    assert abs(np.corrcoef((copies - cycle)[0], anomaly)[0, 1]) < 0.3
    expected = np.abs(anomaly).mean() * np.sqrt(np.pi / 2) / np.abs(anomaly / spread).mean()
    assert (copies - cycle).std() == pytest.approx(expected, rel=0.1)


def test_standard_anomalies_have_no_season_of_mean_or_size():
    rng = np.random.default_rng(0)
    years = np.arange(20 * 365) / 365.0
    angle = 2 * np.pi * years
    values = 5 * np.cos(angle) + (2 + np.sin(angle)) * rng.standard_normal(years.size)
    values[100:200] = np.nan
    found = surrogates.standard_anomalies(values[None], years)[0]
    assert np.isnan(found[100:200]).all()
    season = (found.size // 365, 365)
    by_day = np.nan_to_num(found).reshape(season)
    for quarter in np.split(np.arange(364), 4):
        assert abs(by_day[:, quarter].mean()) < 0.05
        assert by_day[:, quarter].std() == pytest.approx(np.sqrt(np.pi / 2), rel=0.06)  # mean size 1, normal
    raw = values[200:].reshape(-1)
    assert np.abs(raw).max() > 5  # the caller's values are untouched
    assert np.isnan(surrogates.standard_anomalies(np.cos(angle)[None], years)).all()
    zeros = np.where(np.cos(angle) > 0, rng.gamma(1, 1, years.size), 0.0)  # rain in one half of the year
    assert np.abs(surrogates.standard_anomalies(zeros[None], years)).max() < 60


@pytest.mark.parametrize("kind", ["phase", "circular"])
def test_copies_of_anomalies_have_no_annual_cycle_either(kind):
    series = seasonal_series(np.random.default_rng(0))
    series[0, 300:320] = np.nan
    anomaly = surrogates.standard_anomalies(series, YEARS)[0]
    for copies in surrogates.make_surrogates(anomaly, kind, 6, 0, YEARS, batch=4):
        again = surrogates.remove_annual_cycle(copies, YEARS)
        np.testing.assert_allclose(again, copies, atol=1e-9)
    with_cycle = next(surrogates.make_surrogates(anomaly, kind, 6, 0, None, batch=6))
    assert np.abs(surrogates.remove_annual_cycle(with_cycle, YEARS) - with_cycle)[:, :300].max() > 1e-3


def test_circular_surrogates_are_turns_of_the_series():
    series = np.random.default_rng(0).standard_normal(50)
    copies = np.concatenate(list(surrogates.circular_surrogates(series, 47, 1, 8)))
    turns = {tuple(np.roll(series, turn)) for turn in range(2, 49)}
    assert {tuple(copy) for copy in copies} == turns  # each once, none by less than a twentieth of the record
    more = np.concatenate(list(surrogates.circular_surrogates(series, 60, 1, 60)))
    np.testing.assert_array_equal(more[:47], copies)
    np.testing.assert_array_equal(more[47:], copies[:13])


def test_surrogates_keep_gaps_where_they_are():
    series = seasonal_series(np.random.default_rng(0))[0]
    series[[0, 1, 500, 1099]] = np.nan
    for kind in surrogates.KINDS:
        copies = np.concatenate(list(surrogates.make_surrogates(series, kind, 5, 0, YEARS, batch=2)))
        assert copies.shape == (5, 1100)
        np.testing.assert_array_equal(np.isnan(copies), np.tile(np.isnan(series), (5, 1)))


def test_seasonal_surrogates_need_dates():
    with pytest.raises(ValueError, match="seasonal surrogates keep the annual cycle and need the time in years"):
        surrogates.make_surrogates(np.arange(9.0), "seasonal", 5, 0, None, batch=5)


def test_surrogates_of_a_mere_cycle_or_a_short_record_are_empty():
    cycle = np.cos(2 * np.pi * YEARS)
    copies = np.concatenate(list(surrogates.seasonal_surrogates(cycle, 5, 1, 2, YEARS)))
    assert copies.shape == (5, 1100)
    assert np.isnan(copies).all()


# the test


@pytest.mark.parametrize("kind", ["phase", "seasonal", "circular"])
@pytest.mark.parametrize("season", [False, True])
def test_p_value_is_the_rank_of_the_skill_among_those_of_surrogates(kind, season):
    rng = np.random.default_rng(2)
    series, target = seasonal_series(rng, n=120, n_series=2)
    years = np.arange(120) / 90
    where = (np.arange(120) % 90 < 60) if season else np.ones(120, bool)
    settings = Settings(surrogates=19, surrogate_kind=kind, seed=5, years=years)
    p, tested = surrogate_test(series, target[None], settings, 0, where[None] if season else None)
    if kind != "seasonal":
        series, target = surrogates.standard_anomalies(np.stack([series, target]), years)
    rows = np.concatenate([target[None], *surrogates.make_surrogates(target, kind, 19, 5, years, batch=7)])
    skills = [slow.skill(series, np.where(where, row, np.nan), 2, 1)[0] for row in rows]
    assert tested[0] == pytest.approx(skills[0], abs=1e-10)
    assert p[0] == pytest.approx((1 + sum(s >= skills[0] for s in skills[1:])) / 20)


@pytest.mark.parametrize("kind", ["phase", "seasonal", "circular"])
def test_a_shared_season_fools_no_kind_of_surrogate(kind):
    rng, n = np.random.default_rng(1), 1100
    time = pd.date_range("2001-01-01", periods=n)
    pair = [
        xr.DataArray(seasonal_series(rng, n, memory, 40), {"time": time}, ("site", "time"), name=name)
        for memory, name in ((0.7, "air"), (0.9, "soil"))
    ]
    found = ccm(*pair, surrogates=39, surrogate_kind=kind)
    assert ((found.p_value < 0.05) & (found.rho > 0)).mean() > 0.9
    assert ((found.surrogate_p_value <= 0.05).mean("site") <= 0.15).all()  # 6 of 40: 2 % chance at 5 %
    assert found.attrs["surrogate_kind"] == kind
    assert found.attrs["deseasonalize"] == (0 if kind == "seasonal" else 1)
    same = np.allclose(found.tested_rho, found.rho)
    assert same == (kind == "seasonal")


@pytest.mark.parametrize("kind", ["phase", "circular"])
def test_every_kind_finds_a_real_driver(kind):
    x, y = logistic(400)
    found = ccm(x, y, surrogates=99, surrogate_kind=kind, deseasonalize=False, direction=FORWARD)
    assert found.surrogate_p_value.item() == 0.01


def test_seasonal_surrogates_find_a_real_driver_and_need_dates():
    x, y = logistic(800)
    with pytest.raises(ValueError, match="'time' has no dates, so there is no annual cycle"):
        ccm(x, y, surrogates=9, surrogate_kind="seasonal", deseasonalize=False)
    x, y = (da.assign_coords(time=pd.date_range("2001-01-01", periods=800)) for da in (x, y))
    found = ccm(x, y, surrogates=99, surrogate_kind="seasonal", direction=FORWARD)
    assert found.surrogate_p_value.item() == 0.01


def test_a_season_is_tested_against_surrogates_of_the_whole_record():
    ds = weather(n_time=800, n_site=2)
    summer = ds["time"].dt.month.isin([6, 7, 8])
    found = ccm(ds["t2m"], ds["sm"], where=summer, surrogates=39)
    assert ((found.surrogate_p_value >= 1 / 40) & (found.surrogate_p_value <= 1)).all()
    assert (found.n_pairs == int(summer.sum())).all()


# many tests at once


def test_benjamini_hochberg_by_hand():
    p = xr.DataArray([0.01, 0.02, 0.03, 0.9], dims="site", name="p_value", attrs={"long_name": "raw p"})
    found = false_discovery_control(p)
    np.testing.assert_allclose(found, [0.04, 0.04, 0.04, 0.9])  # 4/1 p1, 4/2 p2, 4/3 p3, 4/4 p4, made monotone
    assert found.attrs["long_name"] == "raw p, adjusted for the number of tests over site"
    any_kind = false_discovery_control(p, fdr="by")
    np.testing.assert_allclose(any_kind, np.minimum(np.array([0.04, 0.04, 0.04, 0.9]) * (1 + 1 / 2 + 1 / 3 + 1 / 4), 1))
    holm = false_discovery_control(p, fdr="holm")
    np.testing.assert_allclose(holm, [0.04, 0.06, 0.06, 0.9])  # 4 p1, 3 p2, 2 p3, 1 p4, made monotone
    np.testing.assert_array_equal(false_discovery_control(p, fdr=None), p)


def test_families_are_the_named_dimensions_and_nan_is_no_test():
    rng = np.random.default_rng(0)
    p = xr.DataArray(rng.random((3, 4, 2)), dims=("site", "variable", "direction"))
    p[0, 1, 0] = np.nan
    found = false_discovery_control(p, dim=["variable", "site"])
    assert found.dims == p.dims
    assert np.isnan(found[0, 1, 0])
    for way in range(2):
        flat = p.isel(direction=way).values.ravel()
        alone = false_discovery_control(xr.DataArray(flat[np.isfinite(flat)], dims="test"))
        ours = found.isel(direction=way).values.ravel()
        np.testing.assert_allclose(ours[np.isfinite(ours)], alone)
    assert (found.fillna(1) >= p.fillna(0)).all()
    assert np.isnan(false_discovery_control(p * np.nan)).all()


def test_control_is_lazy_and_leaves_its_input():
    p = xr.DataArray(np.random.default_rng(0).random((4, 3)), dims=("site", "variable"))
    with unchanged(p), raise_if_dask_computes():
        lazy = false_discovery_control(p.chunk(site=1), dim="site")
    xr.testing.assert_allclose(lazy.compute(), false_discovery_control(p, dim="site"))


def test_cross_mapping_adjusts_on_request():
    ds = weather()
    found = ccm(ds[["t2m", "tp"]], ds["sm"], surrogates=19, deseasonalize=False, fdr="bh", fdr_dim=("site", "variable"))
    for name in ("p_value", "surrogate_p_value"):
        expected = false_discovery_control(found[name], dim=("site", "variable"))
        xr.testing.assert_identical(found[f"{name}_adjusted"], expected.rename(f"{name}_adjusted"))
    everything = ccm(ds["t2m"], ds["sm"], fdr="bh")
    xr.testing.assert_allclose(everything.p_value_adjusted, false_discovery_control(everything.p_value))
    assert "p_value_adjusted" not in ccm(ds["t2m"], ds["sm"])


def test_wrong_families_are_refused():
    p = xr.DataArray([0.1, 0.2], dims="site")
    with pytest.raises(TypeError, match="p_value must be a DataArray, got list"):
        false_discovery_control([0.1])
    with pytest.raises(ValueError, match=r"no dimension \['lat'\] among the tests"):
        false_discovery_control(p, dim="lat")
    with pytest.raises(ValueError, match="fdr='none' is unknown"):
        false_discovery_control(p, fdr="none")
    with pytest.raises(ValueError, match="are outside 0 to 1, e.g. 1.8"):
        false_discovery_control(p * 9)
    ds = weather(n_time=60)
    with pytest.raises(ValueError, match=r"no dimension \['cell'\] among the tests; they are on \['site', 'dir"):
        ccm(ds["t2m"], ds["sm"], fdr="bh", fdr_dim="cell")
    with pytest.raises(ValueError, match=r"fdr_dim='site', but fdr=None adjusts nothing; give fdr=\"bh\""):
        ccm(ds["t2m"], ds["sm"], fdr_dim="site")


def test_directions_are_tested_apart():
    ds = weather(n_time=400, n_site=1)
    both = ccm(ds["t2m"], ds["sm"], surrogates=19)
    for direction in (FORWARD, BACKWARD):
        one = ccm(ds["t2m"], ds["sm"], surrogates=19, direction=direction)
        np.testing.assert_array_equal(both.surrogate_p_value.sel(direction=direction), one.surrogate_p_value)
