"""Onsets that fall together: in loops, by hand, in worlds that share a season or droughts, and their map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from xdrought.statistics.hypothesis_tests import YEAR, relative_rates, shifted_rates
from xdrought.study import onset_coincidence


def slow_rates(first, second, years, tolerance):
    """One shift, one event at a time, on a circle."""
    found = []
    for shift in range(years):
        moved = [(day + shift * YEAR) % (years * YEAR) for day in second]

        def near(day, others):
            return any(min(abs(day - o), years * YEAR - abs(day - o)) <= tolerance for o in others)

        hits = sum(near(day, moved) for day in first) + sum(near(day, first) for day in moved)
        found.append(hits / (len(first) + len(second)))
    return found


def network(n_site=8, n_year=12, shared=0.0, seed=0, gaps=False) -> tuple[xr.Dataset, xr.DataArray]:
    """Droughts in summer, a share of them at all sites in the same years; sites A.. report for some years."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2001-01-01", f"{2000 + n_year}-12-31")
    sites = [f"S{k}" for k in range(n_site)]
    place = {"lat": ("site", 40.0 + np.arange(n_site)), "lon": ("site", 5.0 + np.arange(n_site))}
    record = xr.DataArray(np.ones((n_site, days.size)), {"site": sites, "time": days, **place}, ("site", "time"))
    everywhere = rng.random(n_year) < 0.4
    rows = []
    for k, site in enumerate(sites):
        first, last = (rng.integers(0, 3), n_year - rng.integers(0, 3)) if gaps else (0, n_year)
        year = record.time.dt.year - 2001
        record[k] = record[k].where((year >= first) & (year < last))
        for y in range(first, last):
            joined = rng.random() < shared
            if everywhere[y] if joined else rng.random() < 0.4:
                day = 190 + (rng.normal(0, 5) if joined else rng.normal(0, 25))
                rows.append((site, pd.Timestamp(f"{2001 + y}-01-01") + pd.Timedelta(days=int(day))))
    site, start = zip(*rows, strict=True)
    events = xr.Dataset({"start_time": ("event", pd.DatetimeIndex(start))}, {"site": ("event", list(site))})
    return events, record


@pytest.mark.parametrize("seed", range(5))
def test_rates_equal_those_in_loops(seed):
    rng = np.random.default_rng(seed)
    years = int(rng.integers(2, 9))
    first, second = (rng.uniform(0, years * YEAR, rng.integers(1, 9)) for _ in range(2))
    np.testing.assert_allclose(shifted_rates(first, second, years, 40), slow_rates(first, second, years, 40))


def test_rates_by_hand():
    first = np.array([180.0, 2 * YEAR + 180])  # years 0 and 2
    second = np.array([188.0, 4 * YEAR + 180])  # years 0 and 4, of 6
    np.testing.assert_allclose(shifted_rates(first, second, 6, 15), [0.5, 0, 1, 0, 0.5, 0])
    np.testing.assert_allclose(shifted_rates(first, second, 6, 7), [0, 0, 0.5, 0, 0.5, 0])
    assert np.isnan(shifted_rates(first, second[:0], 6, 15)).all()


def test_shifted_networks_look_up_the_difference_of_the_shifts():
    rates = np.arange(2 * 2 * 3.0).reshape(2, 2, 3)
    found = relative_rates(rates, np.full((2, 2), 3), np.array([1, 3]))
    np.testing.assert_array_equal(found, [[0, rates[0, 1, 2]], [rates[1, 0, 1], 9]])


def test_pairs_count_the_years_that_both_report():
    events, record = network(n_site=2, n_year=6)
    record[1] = record[1].where(record.time.dt.year != 2006)
    with unchanged(events, record):
        found = onset_coincidence(events, record, n_boot=10)
    day = events.start_time.dt
    here = day.year < 2006
    own = [
        ((day.year - 2001) * YEAR + day.dayofyear - 1).values[(here & (events.site == s)).values] for s in ("S0", "S1")
    ]
    expected = slow_rates(*own, 5, 15)
    assert int(found.common_years[0, 1]) == 5
    assert float(found.rate[0, 1]) == pytest.approx(expected[0])
    assert float(found.expected[0, 1]) == pytest.approx(np.mean(expected[1:]))
    assert float(found.rate[1, 0]) == float(found.rate[0, 1])
    assert float(found.expected[1, 0]) == pytest.approx(float(found.expected[0, 1]))
    assert np.isnan(found.rate[0, 0])


def test_pairs_with_few_common_years_are_unknown():
    events, record = network(n_site=2, n_year=6)
    found = onset_coincidence(events, record, min_years=7, n_boot=10)
    assert np.isnan(found.rate).all()
    assert np.isnan(found.excess).all()
    assert np.isnan(found.network_rate)


def test_a_shared_season_is_no_coincidence_and_shared_droughts_are():
    """All droughts set in in summer; only where the years are shared is there more than the shifts give."""
    alarms, found = [], []
    for seed in range(30):
        for shared, p_values in ((0.0, alarms), (0.8, found)):
            events, record = network(shared=shared, seed=seed, gaps=True)
            p_values.append(float(onset_coincidence(events, record, n_boot=100, seed=seed).network_p_value))
    assert np.mean(np.array(alarms) < 0.05) <= 0.14
    assert 0.3 < np.mean(alarms) < 0.7
    assert np.mean(np.array(found) < 0.05) > 0.9


def test_sites_that_share_are_told_from_one_that_does_not():
    events, record = network(n_site=9, n_year=16, shared=0.95, seed=3)
    alone = network(n_site=9, n_year=16, shared=0.0, seed=4)[0]
    mixed = xr.concat(
        [events.isel(event=(events.site != "S8").values), alone.isel(event=(alone.site == "S8").values)], "event"
    )
    found = onset_coincidence(mixed, record, n_boot=400)
    assert (found.p_value_adjusted[:8] < 0.05).all()
    assert float(found.p_value[8]) > 0.05
    assert float(found.network_rate) > float(found.network_expected) + 0.1


def test_a_map_of_what_is_above_shifted_years():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    pytest.importorskip("cartopy")
    from matplotlib import pyplot

    from xdrought.plot import plot_coincidence

    events, record = network(shared=0.9, seed=1)
    found = onset_coincidence(events, record, n_boot=50)
    ax = plot_coincidence(found, pairs=3, alpha=1.1, extent=(0, 20, 35, 55))
    cloud = next(c for c in ax.collections if c.get_array() is not None and len(c.get_offsets()) == 8)
    np.testing.assert_allclose(np.sort(cloud.get_array()), np.sort(found.excess))
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    above = np.tril((found.rate - found.expected).values, -1)
    assert len(lines) == 3
    index = {float(lon): k for k, lon in enumerate(found.lon.values)}
    drawn = [above[index[line.get_xdata()[0]], index[line.get_xdata()[1]]] for line in lines]
    np.testing.assert_allclose(drawn, np.sort(above[np.isfinite(above)])[::-1][:3])
    with pytest.raises(ValueError, match="needs rate, expected and excess with lat and lon"):
        plot_coincidence(found.drop_vars("lat"))
    pyplot.close("all")


def test_refusals():
    events, record = network(n_site=2, n_year=5)
    with pytest.raises(ValueError, match=r"the events lack \['onset_time'\]"):
        onset_coincidence(events, record, moment="onset_time")
    with pytest.raises(ValueError, match=r"the record has no sites \['S1'\]"):
        onset_coincidence(events, record.sel(site=["S0"]))
    with pytest.raises(ValueError, match="tolerance=-1; it is a number of days, 0 or more"):
        onset_coincidence(events, record, tolerance=-1)
    with pytest.raises(ValueError, match="min_years=1, n_boot=1000; they are at least 2 and 1"):
        onset_coincidence(events, record, min_years=1)
