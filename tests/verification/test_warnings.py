"""Scores of warnings and alarms: worked by hand, by loops, by scikit-learn, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support.helpers import unchanged
from xdrought.kernels.alarms import scan_alarms
from xdrought.verification.alarm_scores import THRESHOLDS, alarms
from xdrought.verification.warning_scores import FORECASTS, onset_skill

P = FORECASTS[0]
FLAGS = {"flag_values": np.array([0, 1, 2, 3], np.int8), "flag_meanings": "outside train val test"}


def world(n_site: int = 5, n_time: int = 400, seed: int = 0) -> tuple[xr.Dataset, xr.DataArray]:
    """Probabilities that are right, a season and a table that know less, and what came true."""
    rng = np.random.default_rng(seed)
    coords = {"site": [f"S{k}" for k in range(n_site)], "time": pd.date_range("2001-01-01", periods=n_time)}
    p = rng.beta(0.3, 2.0, (n_site, n_time))
    values = {P: p, FORECASTS[1]: np.full_like(p, p.mean()), FORECASTS[2]: 0.5 * p + 0.5 * p.mean()}
    ds = xr.Dataset({name: (("site", "time"), one) for name, one in values.items()}, coords)
    ds["part"] = (("site", "time"), np.broadcast_to(np.repeat([1, 2, 3, 0], n_time // 4), p.shape).astype("i1"), FLAGS)
    return ds.assign_attrs(lead=7), ds[P].copy(data=(rng.random(p.shape) < p).astype(float))


# --- skill ----------------------------------------------------------------------------------------------------------


def test_skill_by_hand_and_by_scikit_learn():
    from sklearn.metrics import brier_score_loss, roc_auc_score

    ds, began = world()
    ds[P][0, 210], began[1, 220] = np.nan, np.nan
    with unchanged(ds, began):
        found = onset_skill(ds, began, n_boot=50)
    test = ((ds.part == 3) & ds[P].notnull() & began.notnull()).values
    y = began.values[test]
    assert found.n_days == test.sum() == 5 * 100 - 2
    assert found.base_rate == pytest.approx(y.mean())
    for name in FORECASTS:
        one, p = found.sel(forecast=name), ds[name].values[test]
        assert one.brier == pytest.approx(brier_score_loss(y, p))
        assert one.auc == pytest.approx(roc_auc_score(y, p))
        assert one.brier_skill == pytest.approx(1 - brier_score_loss(y, p) / found.brier[1].item())
        assert one.skill_behind == pytest.approx(found.brier_skill[0].item() - one.brier_skill.item())
        assert one.brier_interval[0] <= one.brier <= one.brier_interval[1]
    s2 = test[2]
    expected = 1 - ((ds[P][2] - began[2]) ** 2)[s2].sum() / ((ds[FORECASTS[1]][2] - began[2]) ** 2)[s2].sum()
    assert found.brier_skill_by_site.sel(forecast=P, site="S2") == pytest.approx(expected.item())
    assert found.n_days_by_site.values.tolist() == [99, 99, 100, 100, 100]
    assert found.brier_skill_interval.sel(forecast=P, bound="lower") > 0
    np.testing.assert_array_equal(found.brier_skill_interval.sel(forecast=FORECASTS[1]), 0)


def test_reliability_counts_every_day_once():
    ds, began = world()
    edges = [0, 0.1, 0.5, 1]
    found = onset_skill(ds, began, part=None, bins=edges, n_boot=0)
    p, y = ds[P].values.ravel(), began.values.ravel()
    for k, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        inside = (p >= low) & ((p < high) | (high == 1))
        assert found.n_in_bin[k] == inside.sum()
        assert found.mean_probability[k] == pytest.approx(p[inside].mean())
        assert found.observed_frequency[k] == pytest.approx(y[inside].mean())
    assert found.n_in_bin.sum() == p.size


def test_intervals_draw_whole_sites():
    ds, began = world()
    same = xr.concat([ds.isel(site=[0])] * 5, "site").assign_coords(site=ds.site)
    twins = xr.concat([began.isel(site=[0])] * 5, "site").assign_coords(site=ds.site)
    found = onset_skill(same, twins, n_boot=20)
    np.testing.assert_allclose(found.auc_interval[0], found.auc[0].item())  # all sites alike: nothing to vary
    first, again, other = (onset_skill(ds, began, n_boot=20, seed=seed) for seed in (0, 0, 1))
    xr.testing.assert_identical(first, again)
    assert not first.auc_interval.equals(other.auc_interval)


def test_skill_on_grids():
    ds, began = world(4)
    cells = xr.Coordinates.from_pandas_multiindex(
        pd.MultiIndex.from_product([[1.0, 2.0], [5.0, 6.0]], names=["lat", "lon"]), "site"
    )
    grid, on_grid = (one.drop_vars("site").assign_coords(cells).unstack("site") for one in (ds, began))
    flags = grid.part.assign_attrs(FLAGS)
    found = onset_skill(grid.assign(part=flags).chunk(lat=1), on_grid, n_boot=20)
    expected = onset_skill(ds, began, n_boot=20)
    assert found.brier_skill_by_site.dims == ("forecast", "lat", "lon")
    np.testing.assert_allclose(found.brier_skill, expected.brier_skill)
    np.testing.assert_allclose(found.auc_interval, expected.auc_interval)


def test_skill_refuses():
    ds, began = world()
    with pytest.raises(ValueError, match="bins must grow from 0 to 1"):
        onset_skill(ds, began, bins=[0, 0.5, 0.4, 1])
    with pytest.raises(KeyError, match="no variable .*season_frequency"):
        onset_skill(ds[[P]], began)
    with pytest.raises(KeyError, match="no variable 'part'"):
        onset_skill(ds.drop_vars("part"), began)
    with pytest.raises(ValueError, match="part='later' is unknown; choose one of"):
        onset_skill(ds, began, part="later")
    with pytest.raises(ValueError, match="no day of part 'test' has a probability"):
        onset_skill(ds, began * np.nan)
    with pytest.raises(ValueError, match="occurred"):
        onset_skill(ds, began.isel(time=slice(50)))


# --- alarms ---------------------------------------------------------------------------------------------------------


def told(p, starts, threshold, lead, repeat_after):
    """Alarms of one series, as a clerk would keep them: a list of (raised, last, start or None), and each warning."""
    book, open_alarm = [], None
    for day, value in enumerate(p):
        if open_alarm and day > open_alarm[1] + lead:
            book.append((*open_alarm, None))
            open_alarm = None
        if starts[day] and open_alarm:
            book.append((*open_alarm, day))
            open_alarm = None
        if value >= threshold:
            open_alarm = (open_alarm[0] if open_alarm else day, day)
    if open_alarm:
        book.append((*open_alarm, None))
    false = {}
    for raised, last, start in book:
        false[raised] = (start - raised - 1) // repeat_after if start else (last - raised) // repeat_after + 1
    warning = {}
    for day in np.flatnonzero(starts):
        before = [d for d in range(max(0, day - lead), day) if not np.isnan(p[d])]
        warned = [int(day - d) for d in before if p[d] >= threshold]
        if before:
            warning[int(day)] = max(warned, default=0)
    return false, {raised: last for raised, last, _ in book}, warning


chances = st.sampled_from([np.nan, 0.0, 0.2, 0.5, 0.9])


@given(st.lists(st.tuples(chances, st.booleans()), min_size=1, max_size=40), st.integers(1, 4), st.integers(1, 6))
def test_alarms_are_those_of_the_clerk(days, lead, repeat_after):
    p, starts = (np.array(one) for one in zip(*days, strict=True))
    for threshold in (0.2, 0.5):
        found = scan_alarms(p[None].astype(float), starts[None], threshold, lead, repeat_after)
        warning, false, last = (
            {int(day): int(values[0, day]) for day in np.flatnonzero(values[0] >= 0)} for values in found
        )
        assert (false, last, warning) == told(p, starts, threshold, lead, repeat_after)


def one_site(probability: list[float], starts: list[int]) -> tuple[xr.Dataset, xr.DataArray]:
    coords = {"site": ["A"], "time": pd.date_range("2001-01-01", periods=len(probability))}
    p = xr.DataArray([probability], coords, ("site", "time"))
    begun = p.copy(data=np.isin(np.arange(len(probability)), starts)[None])
    return p.to_dataset(name=P).assign_attrs(lead=7), begun


def test_alarms_by_hand():
    p = np.zeros(100)
    p[[5, 6, 10]] = 0.6  # in force until the 17th, nothing begins
    p[30] = 0.6  # begins on the 33rd
    p[40:82] = 0.6  # 42 days in a row, nothing begins: counts again after 30 days
    ds, starts = one_site(p, [33, 95])
    found = alarms(ds, starts, threshold=0.5, part=None, chosen_on=None, n_boot=0)
    assert found.alarm_time.dt.dayofyear.values.tolist() == [6, 31, 41]
    assert found.alarm_end.dt.dayofyear.values.tolist() == [11, 31, 82]
    assert found.false_alarms.values.tolist() == [1, 0, 2]
    assert found.start_time.dt.dayofyear.values.tolist() == [34, 96]
    assert found.days_of_warning.values.tolist() == [3, 0]
    assert found.start_site.values.tolist() == ["A", "A"]
    assert found.pod == 0.5
    assert found.n_false_alarms == 3
    assert found.false_alarms_per_year == pytest.approx(3 * 365.25 / 100)
    assert found.share_of_hits.values.tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert found.alarm_fraction == pytest.approx((6 + 1 + 42) / 100)
    strict = alarms(ds, starts, threshold=0.5, part=None, chosen_on=None, repeat_after=7, n_boot=0)
    assert strict.false_alarms.values.tolist() == [1, 0, 6]


def test_the_threshold_is_chosen_on_the_validation_part():
    ds, _ = world(8, 2000)
    rng = np.random.default_rng(3)
    starts = ds[P].copy(data=rng.random(ds[P].shape) < 0.01)
    found = alarms(ds, starts, false_alarms=6.0, n_boot=30)
    on_val = {"part": "val", "n_boot": 0, "cost_loss_ratio": ()}
    rates = [alarms(ds, starts, threshold=t, **on_val).false_alarms_per_year.item() for t in THRESHOLDS]
    allowed = [t for k, t in enumerate(THRESHOLDS) if max(rates[k:]) <= 6.0]
    assert found.threshold == min(allowed)
    other = ds.assign({P: ds[P].where(ds.part != 3, 0.123)})
    assert alarms(other, starts, false_alarms=6.0, n_boot=0).threshold == found.threshold
    assert found.pod_interval[0] <= found.pod <= found.pod_interval[1]
    assert alarms(ds, starts, n_boot=0).threshold == alarms(ds, starts, false_alarms=2.0, n_boot=0).threshold
    quiet = alarms(ds, starts, false_alarms=0.0, n_boot=0)
    assert alarms(ds, starts, threshold=quiet.threshold.item(), **on_val).n_false_alarms == 0


def expense(p, begins, ratio, threshold):
    return np.mean([ratio if x >= threshold else float(y) for x, y in zip(p, begins, strict=True)])


def test_value_by_loops_and_never_below_zero():
    rng = np.random.default_rng(5)
    ds, _ = world(3, 800)
    starts = ds[P].copy(data=rng.random(ds[P].shape) < 0.02)
    within = sum(starts.shift(time=-k, fill_value=False).astype(int) for k in range(1, 8)) > 0
    ds[P] = xr.where(within, 0.2 + 0.6 * rng.random(within.shape), 0.5 * rng.random(within.shape)).transpose(
        *starts.dims
    )
    found = alarms(ds, starts, threshold=0.5, n_boot=0, cost_loss_ratio=[0.05, 0.3])
    val, test = ((ds.part == k).values for k in (2, 3))
    for ratio, value in zip((0.05, 0.3), found.value.values, strict=True):
        choices = [0.0, *THRESHOLDS, 2.0]
        losses = [expense(ds[P].values[val], within.values[val], ratio, t) for t in choices]
        mine = expense(ds[P].values[test], within.values[test], ratio, choices[int(np.argmin(losses))])
        rate = within.values[test].mean()
        assert value == pytest.approx((min(ratio, rate) - mine) / (min(ratio, rate) - ratio * rate))
        assert 0 < value < 1
    best = alarms(ds, starts, cost_loss=0.3, n_boot=0)
    assert best.threshold == choices[int(np.argmin(losses))]
    wrong = ds.assign({P: xr.where(ds.part == 3, 1 - ds[P], ds[P])})
    assert (alarms(wrong, starts, threshold=0.5, n_boot=0, cost_loss_ratio=[0.05, 0.3]).value == 0).all()
    nothing = alarms(ds, starts & False, threshold=0.5, n_boot=0)
    assert nothing.value.isnull().all()
    assert nothing.pod.isnull()
    assert nothing.share_of_hits.isnull().all()


def test_alarms_refuse():
    ds, starts = one_site([0.1] * 50, [20])
    for options, words in (
        ({"threshold": 0.5, "cost_loss": 0.2}, "give one way to choose"),
        ({"cost_loss": 1.0, "part": None}, "ratios must lie between 0 and 1"),
        ({"cost_loss_ratio": [0.0], "part": None}, "ratios must lie between 0 and 1"),
        ({"threshold": 0.5, "part": None, "lead": 0}, "lead=0; give the days"),
        ({"threshold": 0.5, "part": None, "repeat_after": 1.5}, "repeat_after=1.5; it is a whole number"),
    ):
        with pytest.raises(ValueError, match=words):
            alarms(ds, starts, chosen_on=None, **options)
    with pytest.raises(ValueError, match="lead=None; give the days"):
        alarms(ds.drop_attrs(), starts, threshold=0.5, part=None)
    with pytest.raises(KeyError, match="no variable 'rule'"):
        alarms(ds, starts, variable="rule", part=None)
    with pytest.raises(TypeError, match="starts has dtype float64"):
        alarms(ds, starts.astype(float), part=None)
    with pytest.raises(ValueError, match="no day has a probability; look at what is missing"):
        alarms(ds * np.nan, starts, part=None, lead=7)
    ds, _ = world(1, 400)
    starts = xr.zeros_like(ds[P], dtype=bool)
    ds[P] = ds[P].where(ds.part != 3)
    with pytest.raises(ValueError, match="no day of part 'test' has a probability; choose part= and chosen_on= from"):
        alarms(ds, starts, threshold=0.5, n_boot=0)
    assert alarms(ds, starts, threshold=0.5, n_boot=0, part="val", chosen_on=None).n_starts == 0
