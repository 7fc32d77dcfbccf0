"""Steps and drifts: the statistics beside plain loops, and the rate at which sound series are accused."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from xdrought.statistics.hypothesis_tests import NO_BREAK, drift, find_break, snht


def plain_snht(row: np.ndarray, least: int) -> tuple[float, int]:
    """Alexandersson's statistic, value by value."""
    places = np.flatnonzero(np.isfinite(row))
    x = row[places]
    best, place = np.nan, -1
    for k in range(least, x.size - least + 1):
        z = (x - x.mean()) / x.std()
        value = k * z[:k].mean() ** 2 + (x.size - k) * z[k:].mean() ** 2
        if not value <= best:
            best, place = value, int(places[k])
    return best, place


@settings(max_examples=60)
@given(
    arrays(np.float64, st.integers(4, 30), elements=st.integers(-5, 5).map(float)),
    st.lists(st.integers(0, 29), max_size=10),
    st.integers(2, 4),
)
def test_the_statistic_is_the_one_of_a_plain_loop(row, gaps, least):
    row[[g for g in gaps if g < row.size]] = np.nan
    there = row[np.isfinite(row)]
    if there.size < 2 * least or np.ptp(there) == 0:
        return
    value, place = snht(row[None], least)
    expected, where = plain_snht(row, least)
    np.testing.assert_allclose(value[0], expected, atol=1e-9)
    if np.isfinite(expected) and place[0] != where:  # two steps may be equally clear
        at = np.isfinite(row[: place[0]]).sum()
        z = (there - there.mean()) / there.std()
        np.testing.assert_allclose(z[:at].sum() ** 2 * there.size / (at * (there.size - at)), expected, atol=1e-9)


def test_a_line_is_all_drift_and_rows_do_not_know_each_other():
    rng = np.random.default_rng(0)
    rows = np.stack([np.arange(20.0), rng.normal(size=20), rng.normal(size=20)])
    rows[1, 3] = np.nan
    found = drift(rows)
    np.testing.assert_allclose(found[0], 20)
    there = np.isfinite(rows[1])
    np.testing.assert_allclose(found[1], 19 * np.corrcoef(np.arange(20)[there], rows[1, there])[0, 1] ** 2)
    np.testing.assert_allclose(drift(rows[::-1])[::-1], found)


def test_a_clear_step_is_dated_and_sized():
    rng = np.random.default_rng(1)
    series = rng.normal(size=120)
    series[50] = np.nan
    series[70:] += 3
    found = find_break(series, 6, 199, rng)
    assert found.position == 70
    assert found.step_p_value == pytest.approx(0.005)
    assert found.size == pytest.approx(np.nanmean(series[70:]) - np.nanmean(series[:70]))
    assert found.step_share > found.drift_share
    line = find_break(rng.normal(size=120) + np.arange(120) / 30, 6, 199, rng)
    assert line.drift_share > line.step_share
    assert line.slope == pytest.approx(1 / 30, abs=0.01)


@pytest.mark.parametrize("memory", [0.0, 0.6])
def test_series_without_a_step_are_rarely_accused(memory):
    rng = np.random.default_rng(2)
    accused = np.zeros(2)
    for _ in range(120):
        series = rng.normal(size=90)
        for k in range(1, 90):
            series[k] += memory * series[k - 1]
        found = find_break(series, 6, 99, rng)
        accused += [found.step_p_value <= 0.05, found.drift_p_value <= 0.05]
    # 0.05 of 120 are 6; of a binomial 14 or more come once in a thousand times
    assert (accused < 14).all(), accused


def test_too_few_values_and_constants_say_nothing():
    rng = np.random.default_rng(3)
    assert find_break(rng.normal(size=23), 6, 9, rng) is NO_BREAK
    assert find_break(np.ones(50), 6, 9, rng) is NO_BREAK
    assert find_break(np.full(50, np.nan), 6, 9, rng) is NO_BREAK
