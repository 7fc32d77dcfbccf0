"""P(a flash drought begins within each lead) from the hazard network: its likelihood, leads, laziness, refusals."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forecast.test_onset_model import brier_skill, forecasts
from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import forced_soil
from xdrought.bulletin import desk_report
from xdrought.definitions import get_definition
from xdrought.events import onset_label, start_monitor
from xdrought.forecast.onset import Hazard, fit_onset, load_onset, predict_onset
from xdrought.forecast.onset.hazard import DayWindows, days_at_risk, within_leads
from xdrought.forecast.onset.predictors import OnsetTask
from xdrought.forecast.onset.training_days import TrainingDays
from xdrought.models.losses import loss_function, survival, total_loss
from xdrought.models.zoo import build_architecture, network_of
from xdrought.verification import alarms, onset_skill

TARGET, P = "soil_moisture", "flash_onset_probability"
QUICK = Hazard(widths=(16,), epochs=6, batch_size=128, learning_rate=1e-2, device="cpu")
OPTIONS = {"model": QUICK, "embargo": 30, "calibrate": False}
LEADS = [1, 3, 7]


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return forced_soil(4, 1300)


@pytest.fixture(scope="module")
def onset(ds):
    return fit_onset(ds, TARGET, ["tp"], lead=LEADS, **OPTIONS)


@pytest.fixture(scope="module")
def found(ds, onset):
    return predict_onset(ds, onset)


# --- the likelihood -----------------------------------------------------------------------------------------------


def happened_by_hand(onsets: list[bool], known: list[bool]) -> list[float]:
    """What happened on the lead days at risk, day by day: NaN after the first onset and from the first unknown day."""
    out = [math.nan] * len(onsets)
    for k, (begins, told) in enumerate(zip(onsets, known, strict=True)):
        if not told:
            break
        out[k] = float(begins)
        if begins:
            break
    return out


def labels_by_hand(onsets: list[bool], known: list[bool]) -> list[float]:
    """Whether an onset falls within the first 1, 2, ... days; NaN where one of these days is not known."""
    return [float(any(onsets[: k + 1])) if all(known[: k + 1]) else math.nan for k in range(len(onsets))]


def minus_log_likelihood(log_odds: list[float], happened: list[float]) -> float:
    """Of one window, day by day: survived until the onset, or until the last day that is known."""
    likelihood = 1.0
    for x, y in zip(log_odds, happened, strict=True):
        h = 1 / (1 + math.exp(-x))
        if not math.isnan(y):
            likelihood *= h if y == 1 else 1 - h
    return -math.log(likelihood)


def loss_of(log_odds: np.ndarray, happened: np.ndarray) -> float:
    output, target = torch.tensor(log_odds), torch.tensor(happened)
    known = target.isfinite()
    return total_loss(loss_function("survival", ()), output, target.where(known, 0.0), known).item()


DAYS = st.lists(st.tuples(st.booleans(), st.sampled_from([True, True, True, False])), min_size=1, max_size=8)


def test_a_case_worked_by_hand():
    # Hazards of 1/2, 1/4 and 1/5 a day. An onset on the third day: (1 - 1/2) (1 - 1/4) 1/5 = 3/40.
    log_odds = np.log([[1.0, 1 / 3, 1 / 4]])
    assert loss_of(log_odds, np.array([[0.0, 0.0, 1.0]])) == pytest.approx(-math.log(3 / 40))
    # None on the first day, then nobody knows: 1/2. None at all: 1/2 3/4 4/5 = 3/10, so P(within 3 days) = 7/10.
    assert loss_of(log_odds, np.array([[0.0, np.nan, np.nan]])) == pytest.approx(math.log(2))
    np.testing.assert_allclose(within_leads(log_odds), [[0.5, 0.625, 0.7]])


@given(DAYS, st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_the_loss_is_the_likelihood_day_by_day(days, seed):
    onsets, known = map(list, zip(*days, strict=True))
    happened = days_at_risk(np.array(labels_by_hand(onsets, known), np.float32))
    np.testing.assert_array_equal(happened, np.array(happened_by_hand(onsets, known), np.float32))
    log_odds = np.random.default_rng(seed).normal(0, 3, len(days))
    expected = minus_log_likelihood(log_odds.tolist(), happened.tolist())
    assert loss_of(log_odds[None], happened[None]) == pytest.approx(expected, abs=1e-6)


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=10))
@settings(deadline=None)
def test_probabilities_never_fall_with_the_lead(log_odds):
    found = within_leads(np.array(log_odds))
    assert (np.diff(found) >= 0).all()
    survival_by_hand = np.cumprod([1 / (1 + math.exp(x)) for x in log_odds])
    np.testing.assert_allclose(1 - found, survival_by_hand, atol=1e-12)


def test_the_probabilities_of_all_courses_add_up_to_one():
    log_odds = [0.3, -1.2, 2.0]
    courses = [[0, 0, 0], *([0] * k + [1] + [math.nan] * (2 - k) for k in range(3))]
    assert sum(math.exp(-minus_log_likelihood(log_odds, course)) for course in courses) == pytest.approx(1)


def test_the_gradient_is_hazard_minus_outcome_on_days_at_risk():
    output = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 2, (5, 4)).double()
    target[0, 2:], target[3] = math.nan, math.nan
    known = target.isfinite()
    filled = target.where(known, 0.0)
    total_loss(survival, output, filled, known).backward()
    torch.testing.assert_close(output.grad, (output.detach().sigmoid() - filled) * known)
    assert torch.autograd.gradcheck(lambda x: total_loss(survival, x, filled, known), output)


def test_the_same_hazard_for_all_days_is_found():
    """Onsets on 1 of 50 days at risk: the hazard with the largest likelihood is 1/50."""
    target = torch.zeros(50, dtype=torch.float64)
    target[7] = 1
    log_odds = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_odds], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = survival(log_odds.expand(50), target).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    assert log_odds.sigmoid().item() == pytest.approx(1 / 50, abs=1e-5)


# --- what it learns from --------------------------------------------------------------------------------------------


def test_days_before_a_gap_are_learned_from(ds):
    rng = np.random.default_rng(0)
    labels = np.where(rng.random((2, 300, 3)) < 0.1, 1.0, 0.0)
    labels = np.maximum.accumulate(labels, axis=-1)
    labels[0, 100:, 1:] = np.nan  # only the first lead day is told
    labels[0, 200:, 0] = np.nan
    every = np.ones((2, 300), bool)
    days = TrainingDays(labels, {"percentile": rng.random((2, 300)).astype(np.float32)}, {"train": every})
    learned = QUICK.learnable(days, "train")
    assert learned[0].sum() == 200
    assert days.parts["train"][0].sum() == 100
    happened = QUICK.outcomes(days, learned)
    assert np.isfinite(happened[100:200]).tolist() == [[True, False, False]] * 100


def test_training_and_use_read_the_same(ds):
    rng = np.random.default_rng(0)
    names = ("percentile", "tp", "tp_ahead_1", "tp_ahead_2")
    inputs = {name: rng.normal(size=(2, 40)).astype(np.float32) for name in names}
    inputs["percentile"][1, 5] = np.nan
    chosen = np.isfinite(inputs["percentile"])
    days = TrainingDays(np.zeros((2, 40, 2)), inputs, {"train": chosen})
    task = OnsetTask(TARGET, ("tp",), ("tp",), 2, "path", get_definition("tang2025"), window=4)
    fitted = replace(QUICK, window=4)._unfitted(days, chosen, task)
    fitted = replace(fitted, weights=fresh_weights(fitted)[None])
    windows = DayWindows(fitted, days, chosen, np.zeros_like(chosen), torch.device("cpu"))
    assert windows.base_rate == 0
    batch = windows.batch(torch.arange(int(chosen.sum())))
    network = network_of(fitted.architecture, fitted._tensors(fitted.weights[0]), "cpu")
    with torch.no_grad():
        taught = network.recur(network.encode(batch.frames)[batch.position], None, batch.ahead)
    np.testing.assert_allclose(taught.numpy(), fitted.margins_of(days, chosen), rtol=1e-5, atol=1e-6)
    first = batch.frames[batch.position[0]][..., 0, 0]  # it reaches three days before the record
    assert (first[:3] == 0).all()
    today = (np.array([inputs[name][0, 0] for name in names[:2]]) - fitted.mean) / fitted.std
    np.testing.assert_allclose(first[3], today, atol=1e-6)
    ahead = (np.array([inputs[name][0, 7] for name in names[2:]]) - fitted.mean[1]) / fitted.std[1]
    np.testing.assert_allclose(batch.ahead[7, :, 0], ahead, atol=1e-6)


def fresh_weights(fitted) -> np.ndarray:
    tensors = build_architecture(fitted.architecture, torch.Generator().manual_seed(3)).state_dict().values()
    return np.concatenate([tensor.numpy().ravel() for tensor in tensors])


# --- on labels ------------------------------------------------------------------------------------------------------


def test_it_knows_more_than_the_season_at_every_lead(ds, onset, found):
    assert found[P].dims == ("site", "time", "lead_time")
    assert found.lead_time.values.tolist() == [np.timedelta64(lead, "D") for lead in LEADS]
    assert found.attrs["lead"] == LEADS
    assert "1..1, 1..3, 1..7 days" in repr(onset)
    assert (found[P].diff("lead_time").fillna(0) >= 0).all()
    train = onset.splits.training_days(ds.time)
    for lead in LEADS:
        one = found.sel(lead_time=np.timedelta64(lead, "D"))
        begins = onset_label(ds[TARGET], lead=lead, train=train)
        assert brier_skill(one, begins) > 0.15
        skill = onset_skill(one, begins, n_boot=0)
        assert float(skill.auc.sel(forecast=P)) > 0.85
        assert skill.attrs["lead"] == lead


def test_references_of_each_lead_are_those_of_one(ds, found):
    for lead in (1, 7):
        options = {"lead": lead, "model": "logistic", "embargo": 30, "calibrate": False}
        one = predict_onset(ds, fit_onset(ds, TARGET, ["tp"], **options))
        both = found.sel(lead_time=np.timedelta64(lead, "D"))
        for name in ("season_frequency", "percentile_frequency"):
            np.testing.assert_array_equal(both[name], one[name])


def test_one_lead_is_the_longest_of_several(ds, onset, found):
    one = fit_onset(ds, TARGET, ["tp"], lead=7, **OPTIONS)
    single = predict_onset(ds, one)
    assert single[P].dims == ("site", "time")
    assert single.attrs["lead"] == 7
    xr.testing.assert_equal(single[P], found[P].isel(lead_time=-1))
    np.testing.assert_array_equal(one.classifier.weights, onset.classifier.weights)  # the same seed, the same weights
    other = fit_onset(ds, TARGET, ["tp"], lead=7, seed=1, **OPTIONS)
    assert not np.array_equal(other.classifier.weights, one.classifier.weights)


def test_runs_are_averaged(ds):
    options = {"lead": 3, "calibrate": False, "embargo": 30}
    quick = replace(QUICK, epochs=1)
    both = fit_onset(ds, TARGET, model=replace(quick, runs=2), **options)
    one = fit_onset(ds, TARGET, model=quick, **options)
    np.testing.assert_array_equal(both.classifier.weights[0], one.classifier.weights[0])
    second = replace(one, classifier=replace(one.classifier, weights=both.classifier.weights[1:]))
    every = np.ones((2, 5), bool)
    days = np.random.default_rng(0).normal(size=(2, 5, len(both.inputs))).astype(np.float32)
    hazards = [1 / (1 + np.exp(-each.classifier.hazards(days, None, every))) for each in (one, second, both)]
    np.testing.assert_allclose(hazards[2], (hazards[0] + hazards[1]) / 2, rtol=1e-9)


def test_calibration_is_of_the_hazards_on_days_not_learned_from(ds, onset):
    """Slope and intercept make the likelihood of the lead days at risk largest; here networks are far too sure."""
    sure = replace(QUICK, epochs=2, learning_rate=1e-3)
    calibrated = fit_onset(ds, TARGET, ["tp"], lead=2, **(OPTIONS | {"model": sure, "calibrate": True}))
    raw = fit_onset(ds, TARGET, ["tp"], lead=2, **(OPTIONS | {"model": sure}))
    assert raw.calibration == (1.0, 0.0)
    slope, intercept = calibrated.calibration
    np.testing.assert_array_equal(raw.classifier.weights, calibrated.classifier.weights)
    both = [predict_onset(ds, one)[P] for one in (raw, replace(raw, calibration=(slope, intercept)), calibrated)]
    xr.testing.assert_equal(both[1], both[2])
    assert not both[0].equals(both[2])


def test_nothing_after_the_day_of_issue_is_used(ds, onset, found):
    day = int(np.flatnonzero((found.part == 3).any("site"))[50])
    after = predict_onset(ds.where(ds.time <= ds.time[day], 7.0), onset)
    xr.testing.assert_equal(found[P].isel(time=slice(day + 1)), after[P].isel(time=slice(day + 1)))
    assert not found[P].equals(after[P])


def test_the_test_part_is_not_looked_at(ds, onset):
    start = onset.splits.ranges.start.sel(part="test").min()
    other = ds.where(ds.time < start, ds * 1.5)
    again = fit_onset(other, TARGET, ["tp"], lead=LEADS, **OPTIONS)
    np.testing.assert_array_equal(again.classifier.weights, onset.classifier.weights)
    assert again.calibration == onset.calibration


def test_lazy_on_sites_and_grids(ds, onset, found):
    with unchanged(ds), raise_if_dask_computes():
        lazy = predict_onset(ds.chunk(site=1), onset)
    assert all(lazy[name].chunks for name in lazy.data_vars)
    xr.testing.assert_identical(lazy.compute(), found)
    cells = pd.MultiIndex.from_product([[1.0, 2.0], [5.0, 6.0]], names=["lat", "lon"])
    grid = ds.drop_vars("site").assign_coords(xr.Coordinates.from_pandas_multiindex(cells, "site"))
    grid = grid.unstack("site").transpose("time", "lat", "lon").chunk(lat=1, lon=2)
    on_grid = fit_onset(grid, TARGET, ["tp"], lead=LEADS, **OPTIONS)
    with raise_if_dask_computes():
        lazy = predict_onset(grid, on_grid)
    assert lazy[P].dims == ("time", "lat", "lon", "lead_time")
    got = lazy[P].compute().stack(site=["lat", "lon"]).transpose("site", "time", "lead_time")
    np.testing.assert_array_equal(got, found[P])


def test_missing_inputs_are_not_known(ds, onset, found):
    holes = ds.copy(deep=True)
    holes[TARGET][1, 1100] = np.nan
    holes["tp"][1, 1200] = np.nan
    again = predict_onset(holes, onset)
    assert np.argwhere(again[P].isnull().all("lead_time").values).tolist() == [[1, 1100]]
    assert again.n_filled.values[1, 1200] == found.n_filled.values[1, 1200] + 1


def test_a_window_of_several_days_and_one_place(ds):
    place = ds.isel(site=[0])
    model = replace(QUICK, window=5, variant="ResRec", dropout=0.2, epochs=1)
    onset = fit_onset(place, TARGET, ["tp"], model=model, lead=3, calibrate=False)
    assert onset.task.memory == 90 + 4
    assert onset.splits.embargo == 90 + 4 + 3
    found = predict_onset(place, onset)
    assert found[P].notnull().all()
    np.testing.assert_array_equal(predict_onset(ds.isel(site=0), onset)[P], found[P][0])
    end = predict_onset(place.isel(time=slice(-1 - onset.task.memory, None)), onset, train=place[TARGET])
    whole = predict_onset(place, onset, train=place[TARGET])
    xr.testing.assert_equal(end[P].isel(time=-1), whole[P].isel(time=-1))


def test_places_that_the_training_has_not_seen(ds):
    seen = fit_onset(ds.isel(site=[0, 1, 2]), TARGET, ["tp"], **OPTIONS)
    train = seen.splits.training_days(ds.time).isel(site=0, drop=True)
    found = predict_onset(ds.isel(site=[3]), seen, train=train)
    begins = onset_label(ds[TARGET].isel(site=[3]), train=train)
    part = xr.where(train, 1, 3).where(found[P].notnull(), 0)
    assert brier_skill(found.assign(part=part), begins) > 0.1


# --- the weather ahead ------------------------------------------------------------------------------------------------


def test_the_weather_of_the_lead_days_helps_and_members_are_averaged(ds, onset, found):
    perfect = fit_onset(ds, TARGET, ["tp"], future=["tp"], forcing="observed", **OPTIONS)
    assert perfect.inputs[-7:] == tuple(f"tp_ahead_{k}" for k in range(1, 8))
    begins = onset_label(ds[TARGET], train=onset.splits.training_days(ds.time))
    observed = predict_onset(ds, perfect, forcing="observed")
    assert brier_skill(observed, begins) > brier_skill(found.isel(lead_time=-1), begins) + 0.03
    forcing = forecasts(ds)
    one = predict_onset(ds, perfect, forcing=forcing)
    xr.testing.assert_equal(one[P], observed[P])
    members = predict_onset(ds, perfect, forcing=forecasts(ds, 3))
    dry = predict_onset(ds, perfect, forcing=forcing * 0)[P]
    np.testing.assert_allclose(members[P], (one[P] + 2 * dry) / 3, rtol=1e-6)
    with raise_if_dask_computes():
        lazy = predict_onset(ds.chunk(site=2), perfect, forcing=forecasts(ds, 3).chunk(site=2, member=1))
    xr.testing.assert_identical(lazy[P].compute(), members[P])


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_saved_model_predicts_the_same(ds, onset, found, tmp_path):
    onset.save(tmp_path / "onset.nc")
    again = load_onset(tmp_path / "onset.nc")
    assert again.task == onset.task
    assert again.settings == {**onset.settings, "widths": [16]}  # JSON knows no tuples
    xr.testing.assert_identical(predict_onset(ds, again), found)
    with pytest.raises(ValueError, match="reads 26 inputs, and there are 3"):
        again.classifier.check(3)


def test_the_random_state_stays(ds):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit_onset(ds, TARGET, lead=2, model=replace(QUICK, epochs=1, dropout=0.1), calibrate=False)
    assert torch.rand(1) == expected


# --- refusals -----------------------------------------------------------------------------------------------------


def test_one_class_parts(ds):
    wet = ds.assign({TARGET: ds[TARGET] * 0 + np.arange(ds.sizes["time"])})
    with pytest.raises(ValueError, match="training part of 'soil_moisture' has .* days, 0 of them before an onset"):
        fit_onset(wet, TARGET, model="hazard")


def test_wrong_input(ds):
    for model, lead in itertools.product(["boosting", "logistic"], [[1, 7]]):
        with pytest.raises(ValueError, match=r'lead=\[1, 7\].*model="hazard"'):
            fit_onset(ds, TARGET, model=model, lead=lead)
    with pytest.raises(ValueError, match=r"lead=\[7, 3\]; several leads are named once each and in growing order"):
        fit_onset(ds, TARGET, model="hazard", lead=[7, 3])
    with pytest.raises(ValueError, match=r"future=\['tp'\] names weather that is not among the drivers"):
        fit_onset(ds, TARGET, model="hazard", future=["tp"], forcing="observed")
    # The cures of both are followed: one lead at a time (for several, `onset` is of a hazard), and drivers of today.
    assert [fit_onset(ds, TARGET, model="logistic", lead=one, calibrate=False).task.lead for one in (1, 7)] == [1, 7]
    options = OPTIONS | {"model": replace(QUICK, epochs=1)}
    told = fit_onset(ds, TARGET, ["tp"], future=["tp"], forcing="observed", lead=2, **options)
    assert told.task.future == ("tp",)
    with pytest.raises(ValueError, match="variant='CauRec'"):
        Hazard(variant="CauRec")
    with pytest.raises(ValueError, match="window"):
        Hazard(window=0)
    with pytest.raises(ValueError, match="learning_rate=0; it must be above 0"):
        Hazard(learning_rate=0)


def test_scores_and_the_desk_want_one_lead(ds, onset, found):
    begins = onset_label(ds[TARGET], train=onset.splits.training_days(ds.time))
    with pytest.raises(ValueError, match=r"several leads.*\.sel\(lead_time="):
        onset_skill(found, begins)
    with pytest.raises(ValueError, match=r"several leads.*\.sel\(lead_time="):
        alarms(found, begins == 1)
    with pytest.raises(ValueError, match=r"answers for the leads \[1, 3, 7\]"):
        desk_report(ds, start_monitor(ds[TARGET], reference=ds[TARGET]), onset)
