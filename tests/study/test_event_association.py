"""Numbers of droughts against each other, within sites: by hand, against pooled ones, tests that keep their level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import spearmanr, t

from tests.support.helpers import unchanged
from xdrought.statistics.correlation import association_within, demean_by_site, permuted_within, ranks
from xdrought.study import event_association, onset_error, site_synchrony

FEW = {"permutations": 300, "n_boot": 100}
DAYS = pd.date_range("2001-01-01", periods=6)


def events_at(site, **coords) -> xr.Dataset:
    n = len(list(site))
    moments = pd.to_datetime([f"{2001 + k % 5}-06-01" for k in range(n)])
    return xr.Dataset(
        {"onset_time": ("event", moments)}, {"site": ("event", np.array(list(site), dtype=object)), **coords}
    )


def number(values, **attrs) -> xr.DataArray:
    return xr.DataArray(np.array(values, "float64"), dims="event", attrs=attrs)


# --- error in the onset -----------------------------------------------------------------------------------


def test_error_is_the_mean_over_the_onset_of_forecast_less_observation():
    coords = {"site": ["A", "B"], "time": DAYS}
    seen = xr.DataArray(np.arange(12.0).reshape(2, 6), coords, ("site", "time"), attrs={"units": "m3 m-3"})
    shift = xr.DataArray([[1.0, 2, 3, 4, 5, np.nan], [0, 0, -1, -4, 0, 0]], coords, ("site", "time"))
    forecast = xr.concat([seen + shift + 1, seen + shift - 1], "run").assign_attrs(units="m3 m-3")
    moments = {"onset_time": ("event", DAYS[[0, 2, 5]]), "start_time": ("event", DAYS[[3, 4, 5]])}
    events = xr.Dataset(moments, {"site": ("event", ["A", "B", "A"])})
    with unchanged(forecast, seen, events):
        found = onset_error(forecast, seen, events)
    np.testing.assert_allclose(found, [2, -2.5, np.nan])
    assert found.attrs["units"] == "m3 m-3"
    fraction = (100 * forecast).assign_attrs(units="percent")
    np.testing.assert_allclose(onset_error(fraction, seen, events), found)
    with pytest.raises(ValueError, match="units 'K', which cannot be converted to 'm3 m-3'"):
        onset_error(forecast.assign_attrs(units="K"), seen, events)


# --- two numbers ------------------------------------------------------------------------------------------


def test_levels_of_sites_make_a_relation_that_no_site_has():
    """In each site y falls by 2 as x rises by 1; sites with larger x have larger y."""
    x = number([0, 1, 2, 10, 11, 12, 20, 21, 22], units="1")
    y = number([4, 2, 0, 24, 22, 20, 44, 42, 40], units="percent d-1")
    events = events_at("AAABBBCCC")
    with unchanged(x, y, events):
        found = event_association(x, y, events, n_boot=100)
    # ranks of x: 1..9; of y: 3 2 1 6 5 4 9 8 7; within sites they mirror each other
    assert float(found.spearman) == pytest.approx(-1)
    assert float(found.pooled_spearman) == pytest.approx(spearmanr(x, y).statistic)
    assert float(found.pooled_spearman) == pytest.approx(0.8)
    assert float(found.slope) == pytest.approx(-2)
    np.testing.assert_allclose(found.x_within, [10, 11, 12] * 3)
    np.testing.assert_allclose(found.y_within, [24, 22, 20] * 3)
    np.testing.assert_allclose(found.curve[[0, -1]], [24, 20])
    assert found.x.attrs["units"] == "1"


@pytest.mark.parametrize("seed", range(3))
def test_within_sites_is_the_correlation_of_ranks_less_their_site_means(seed):
    rng = np.random.default_rng(seed)
    site = rng.integers(0, 7, 50)
    x, y = rng.normal(size=50) + site, rng.normal(size=50) - site
    found = event_association(number(x), number(y), events_at(site.tolist()), n_boot=100)
    frame = pd.DataFrame({"x": pd.Series(x).rank(), "y": pd.Series(y).rank(), "site": site})
    off = frame[["x", "y"]] - frame.groupby("site")[["x", "y"]].transform("mean")
    assert float(found.spearman) == pytest.approx(off.x.corr(off.y))
    dummies = np.stack([(site == s).astype(float) for s in np.unique(site)] + [x], 1)
    assert float(found.slope) == pytest.approx(np.linalg.lstsq(dummies, y, rcond=None)[0][-1])
    for name in ("spearman", "slope", "pooled_spearman"):
        assert float(found[f"{name}_lower"]) < float(found[name]) < float(found[f"{name}_upper"])


@pytest.mark.parametrize("seed", range(3))
def test_the_error_is_what_leaving_out_one_at_a_time_gives(seed):
    rng = np.random.default_rng(seed)
    site, year = np.repeat(np.arange(8), 6), np.tile(np.arange(6), 8)
    x = rng.normal(size=48) + site
    y = 0.5 * x + rng.normal(size=48)

    def transformed(kept):
        frame = pd.DataFrame({"x": x[kept], "y": y[kept], "site": site[kept]})
        off = frame[["x", "y"]] - frame.groupby("site")[["x", "y"]].transform("mean")
        return np.arctanh(off.x.corr(off.y))

    def variance(groups):
        each = np.array([transformed(groups != group) for group in np.unique(groups)])
        return (each.size - 1) / each.size * np.sum((each - each.mean()) ** 2)

    each = variance(site), variance(year), variance(site * 100 + year)
    error = np.sqrt(max(each[0] + each[1] - each[2], min(each)))
    middle = transformed(np.ones(48, bool))
    found = association_within(x, y, site, year, 0.9)
    assert found.rho == pytest.approx(np.tanh(middle))
    assert found.upper == pytest.approx(np.tanh(middle + t.ppf(0.95, 4) * error), rel=1e-6)
    assert found.p_value == pytest.approx(2 * t.sf(abs(middle) / error, 4), rel=1e-6)


def test_the_p_value_keeps_its_level_where_sites_and_years_have_their_own_and_finds_what_is_there():
    """Years that reach all sites make two unrelated numbers alike in a few draws, not in 240 events."""
    rng = np.random.default_rng(2)
    site, year = np.repeat(np.arange(20), 12), np.tile(np.arange(12), 20)
    alarms, intervals, shuffled, found = 0, 0, 0, 0
    for _ in range(200):
        x, y = (rng.normal(size=240) + 2 * rng.normal(size=20)[site] + 0.6 * rng.normal(size=12)[year] for _ in "xy")
        one = association_within(ranks(x), ranks(y), site, year, 0.95)
        alarms += one.p_value <= 0.05
        intervals += not one.lower <= 0 <= one.upper
        found += association_within(ranks(x), ranks(y + 0.7 * x), site, year, 0.95).p_value <= 0.05
        off = [demean_by_site(ranks(values), site) for values in (x, y)]
        drawn = [abs((off[0] * off[1][permuted_within(site, rng)]).sum()) for _ in range(39)]
        shuffled += abs((off[0] * off[1]).sum()) > max(drawn[:19])
    assert alarms / 200 <= 0.09
    assert intervals == alarms
    assert shuffled / 200 > 0.12  # what shuffling events within sites would say, at the same level
    assert found / 200 > 0.9


def test_values_are_shuffled_within_their_site_only():
    rng = np.random.default_rng(0)
    site = np.array([2, 0, 2, 1, 0, 2, 1, 2])
    seen = {tuple(permuted_within(site, rng)) for _ in range(2000)}
    assert all((site[list(order)] == site).all() and sorted(order) == list(range(8)) for order in seen)
    assert len(seen) == 24 * 2 * 2  # every order of 4, 2 and 2


def test_events_without_both_numbers_are_left_out():
    x, y = number([1, 2, np.nan, 4, 5]), number([2, 1, 3, 5, np.nan])
    found = event_association(x, y, events_at("AAAAA", event=np.arange(5)), n_boot=100)
    assert list(found.event) == [0, 1, 3]
    assert float(found.spearman) == pytest.approx(spearmanr([1, 2, 4], [2, 1, 5]).statistic)


@pytest.mark.parametrize("n", [0, 2])
def test_too_few_events_are_unknown(n):
    found = event_association(number(range(n)), number(range(n)), events_at("A" * n), n_boot=100)
    assert np.isnan(found.spearman)
    assert np.isnan(found.p_value)
    assert found.curve.isnull().all()


# --- synchrony --------------------------------------------------------------------------------------------


def test_each_site_has_scipys_correlation():
    rng = np.random.default_rng(0)
    site = rng.integers(0, 5, 60)
    x, y = rng.normal(size=60), rng.normal(size=60)
    events = events_at([f"S{s}" for s in site], lat=("event", 40.0 + site), lon=("event", 10.0 + site))
    with unchanged(events):
        found = site_synchrony(number(x), number(y), events, **(FEW | {"permutations": 4000}))
    for k in range(5):
        expected = spearmanr(x[site == k], y[site == k])
        assert float(found.spearman[k]) == pytest.approx(expected.statistic)
        assert float(found.p_value[k]) == pytest.approx(expected.pvalue, abs=0.06)
    assert float(found.share) == np.mean(found.spearman.values > 0)
    np.testing.assert_allclose(found.lat, 40 + np.arange(5))
    assert float(found.chance_share) == pytest.approx(0.5, abs=0.02)


def test_the_share_is_tested_against_chance():
    """All sites rise together: 8 of 8 by chance is 1 in 256, and the interval is a point."""
    site = np.repeat(np.arange(8), 5)
    x = number(np.tile(np.arange(5.0), 8))
    found = site_synchrony(x, x * 2 + 1, events_at(site.tolist()), permutations=2000)
    assert float(found.share) == 1
    assert float(found.share_p_value) == pytest.approx(1 / 256, abs=0.004)
    assert float(found.lower) == float(found.upper) == 1
    np.testing.assert_allclose(found.p_value, 2 / 120, atol=0.01)


def test_sites_with_few_or_constant_events_are_unknown():
    x, y = number([1, 2, 3, 1, 2, 7, 8, 9]), number([1, 2, 3, 1, 2, 5, 5, 5])
    found = site_synchrony(x, y, events_at("AAABBCCC"), min_events=3, **FEW)
    np.testing.assert_allclose(found.spearman, [1, np.nan, np.nan])
    np.testing.assert_array_equal(found.event_count, [3, 2, 3])
    assert np.isnan(site_synchrony(x, y, events_at("ABCDEFGH"), **FEW).share)


def test_refusals():
    x, events = number([1, 2, 3]), events_at("AAB", lat=("event", [1.0, 1, 2]))
    with pytest.raises(ValueError, match="y is on .* the events are 3; give one number"):
        event_association(x, x[:2], events)
    with pytest.raises(ValueError, match="the events have no 'onset_time'"):
        event_association(x, x, events.drop_vars("onset_time"))
    with pytest.raises(ValueError, match="confidence=2; it must be a share"):
        event_association(x, x, events, confidence=2)
    with pytest.raises(ValueError, match="min_events=2; a rank correlation needs 3"):
        site_synchrony(x, x, events, min_events=2)
    with pytest.raises(ValueError, match="the events have neither site nor cell"):
        site_synchrony(x, x, events.drop_vars("site"))
