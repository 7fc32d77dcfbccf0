"""Steps and drifts: the statistics beside plain loops, and the rate at which sound series are accused."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from xdrought.statistics.homogeneity import (
    NO_BREAK,
    Jumps,
    _of_each_step,
    _of_jumps,
    drift,
    exceedance,
    find_break,
    snht,
)


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


@settings(max_examples=60)
@given(arrays(np.float64, st.integers(0, 60), elements=st.integers(1, 30).map(float)), st.floats(0.05, 1.0))
def test_the_tail_is_the_one_of_a_plain_loop(values, share):
    kept, shares = exceedance(values, share, 4, 12)
    ordered = sorted(values, reverse=True)
    n = min(max(int(share * len(ordered)), 4), 12, len(ordered) // 2)
    if n < 3 or ordered[1] == ordered[n]:
        assert kept.size == shares.size == 0
        return
    excess = [value - ordered[n] for value in ordered[:n]]
    scale = (sum(excess[1:]) + excess[1]) / (n - 1)
    expected = [n / len(ordered) * np.exp(-each / scale) for each in excess]
    assert values[kept].tolist() == ordered[:n]
    np.testing.assert_allclose(shares, expected)


def test_shares_of_exponential_values_are_uniform_and_a_fault_does_not_hide_itself():
    rng = np.random.default_rng(6)
    least = [exceedance(rng.exponential(size=400), 0.05, 15, 100)[1][0] for _ in range(600)]
    # the smallest of 400 uniform shares is below x in 1 - (1 - x)**400 of all cases
    for x in (0.05 / 400, 1 / 400, 3 / 400):
        expected = 1 - (1 - x) ** 400
        assert abs(np.mean(np.array(least) <= x) - expected) < 0.05
    values = rng.exponential(size=400)
    values[7] = 40.0
    kept, shares = exceedance(values, 0.05, 15, 100)
    assert kept[0] == 7
    assert shares[0] < 1e-9
    assert exceedance(values * [1, *[1e-3] * 399], 0.05, 15, 100)[1].min() > 0  # its logarithm is a number


@settings(max_examples=40)
@given(
    arrays(np.float64, st.just((3, 12)), elements=st.integers(-5, 5).map(float)),
    st.lists(st.tuples(st.integers(0, 11), st.sampled_from([-1, 1])), min_size=1, max_size=8),
    st.lists(st.integers(0, 11), max_size=2),
)
def test_jumps_add_to_the_step_at_their_place_and_in_their_direction(series, some, gaps):
    series[:, gaps] = np.nan
    place, direction = (np.array(each) for each in zip(*some, strict=True))
    given_shares = np.linspace(0.01, 0.2, place.size)
    jumps = Jumps(place, direction, given_shares, np.full(place.size, 0.2))
    steps, rises = _of_each_step(series, 3)
    found = _of_jumps(steps, rises, jumps, 3.0, np.random.default_rng(0))
    drawn = 0.2 * (1 - np.random.default_rng(0).random((2, place.size)))
    for row, shares in enumerate([given_shares, *drawn]):
        for j, (at, way) in enumerate(some):
            levels = [-1.0]
            for last in {max(at - 1, 0), at}:
                before, after = series[row, : last + 1], series[row, last + 1 :]
                before, after = before[np.isfinite(before)], after[np.isfinite(after)]
                if np.isfinite(series[row, last]) and min(before.size, after.size) >= 3:
                    rise = after.mean() - before.mean()
                    if abs(rise) > 1e-9 and np.sign(rise) == way:
                        levels.append(steps[row, last])
            expected = max(levels) - 3 * np.log(shares[j]) if max(levels) >= 0 else -1.0
            if np.ptp(series[row][np.isfinite(series[row])]) and abs(found[row, j] - expected) > 1e-9:
                assert max(abs(steps[row, [max(at - 1, 0), at]])) < 1e-9  # no step: its direction is rounding


def jumps_at(place: int, share: float, direction: int = 1) -> Jumps:
    return Jumps(np.array([place]), np.array([direction]), np.array([share]), np.array([0.05]))


def test_a_step_that_came_with_a_rare_jump_is_surer_and_dated_by_it():
    rng = np.random.default_rng(5)
    series = rng.normal(size=60)
    series[30:] += 0.7
    alone, with_it = (
        find_break(series, 6, 499, np.random.default_rng(0), *some) for some in ([], [jumps_at(31, 1e-9)])
    )
    assert with_it.step_p_value < 0.01 < alone.step_p_value
    assert (with_it.position, with_it.jump) == (31, 0)
    assert (alone.jump, with_it.drift_p_value) == (-1, alone.drift_p_value)
    assert with_it.size == pytest.approx(series[31:].mean() - series[:31].mean())
    fall = find_break(series, 6, 499, np.random.default_rng(0), jumps_at(31, 1e-9, -1))
    assert fall.jump == -1  # the level rises
    usual = find_break(series, 6, 499, np.random.default_rng(0), jumps_at(31, 0.04))
    assert usual.step_p_value > with_it.step_p_value


@pytest.mark.parametrize(("memory", "cycle"), [(0.0, 1), (0.6, 1), (0.6, 12)])
def test_series_without_a_step_are_rarely_accused(memory, cycle):
    rng = np.random.default_rng(2)
    accused = np.zeros(3)
    for _ in range(120):
        series = rng.normal(size=96)
        for k in range(1, 96):
            series[k] += memory * series[k - 1]
        series -= np.tile(series.reshape(-1, cycle).mean(axis=0), 96 // cycle)
        sudden = Jumps(rng.integers(0, 96, 40), rng.choice([-1, 1], 40), 0.05 * rng.random(40), np.full(40, 0.05))
        found = find_break(series, 6, 99, rng, sudden, cycle)
        accused += [found.step_p_value <= 0.05, found.drift_p_value <= 0.05, found.p_value <= 0.05]
    # 0.05 of 120 are 6; of a binomial 14 or more come once in a thousand times
    assert (accused < 14).all(), accused


def test_too_few_values_and_constants_say_nothing():
    rng = np.random.default_rng(3)
    assert find_break(rng.normal(size=23), 6, 9, rng) is NO_BREAK
    assert find_break(np.ones(50), 6, 9, rng) is NO_BREAK
    assert find_break(np.full(50, np.nan), 6, 9, rng) is NO_BREAK
