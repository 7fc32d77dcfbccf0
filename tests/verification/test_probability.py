"""Yes-or-no and probability scores: worked by hand, missing days left out, wrong input refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from xdrought.verification.probability import occurrence_scores, probability_scores

FLAGS = {"flag_values": [0, 3, 4, -1], "flag_meanings": "no_drought flash_onset flash_condition missing"}


def classes(values) -> xr.DataArray:
    values = np.asarray(values, dtype=np.int8)
    coords = {"site": [f"S{k}" for k in range(len(values))]}
    return xr.DataArray(values, coords, ("site", "time"), "drought_class", FLAGS)


def test_occurrence_by_hand():
    seen = classes([[0, 0, 3, 4, 4, 0, -1, 0], [0] * 8])
    said = classes([[0, 3, 3, 4, 0, 0, 4, -1], [0] * 7 + [4]])
    with unchanged(said, seen):
        found = occurrence_scores(said, seen)
    # S0, six days known to both: hits on days 2 and 3, a miss on day 4, a false alarm on day 1
    one = found.sel(site="S0")
    assert one.n_days.item() == 6
    assert one.pod.item() == pytest.approx(2 / 3)
    assert one.far.item() == pytest.approx(1 / 3)
    assert one.csi.item() == pytest.approx(2 / 4)
    assert one.frequency_bias.item() == 1
    assert one.base_rate.item() == 0.5
    h, f = 2 / 3, 1 / 3  # three days without: one of them a false alarm
    top = np.log(f) - np.log(h) - np.log(1 - f) + np.log(1 - h)
    bottom = np.log(f) + np.log(h) + np.log(1 - f) + np.log(1 - h)
    assert one.sedi.item() == pytest.approx(top / bottom)
    # S1 never had one: nothing to detect, and its false alarm counts in the pool
    assert np.isnan(found.pod.sel(site="S1"))
    assert found.far_pooled.item() == pytest.approx(2 / 4)
    assert found.attrs["event"] == "flash_onset flash_condition"


def test_occurrence_of_one_class_without_sites():
    seen, said = classes([[0, 4, 4, 3]]).isel(site=0), classes([[0, 4, 0, 4]]).isel(site=0)
    found = occurrence_scores(said, seen, event="flash_condition")
    assert found.pod.dims == ()
    assert found.pod.item() == 0.5


def test_brier_skill_and_reliability_by_hand():
    said = xr.DataArray([[0.9, 0.7, 0.2, 0.0, np.nan]], {"site": ["A"]}, ("site", "time"))
    seen = xr.DataArray([[1.0, 0.0, 0.0, 0.0, 1.0]], {"site": ["A"]}, ("site", "time"))
    with unchanged(said, seen):
        found = probability_scores(said, seen, climatology=0.5, n_bins=2)
    brier = (0.1**2 + 0.7**2 + 0.2**2) / 4
    assert found.brier.item() == pytest.approx(brier)
    assert found.brier_climatology.item() == pytest.approx(0.25)
    assert found.brier_skill_pooled.item() == pytest.approx(1 - brier / 0.25)
    assert found.n_days.item() == 4
    assert found.probability_bin.values.tolist() == [0.25, 0.75]
    np.testing.assert_allclose(found.mean_probability, [0.1, 0.8])
    np.testing.assert_allclose(found.observed_frequency, [0, 0.5])
    assert found.n_in_bin.values.tolist() == [2, 2]


def test_the_default_reference_is_each_sites_own_rate():
    seen = xr.DataArray([[1.0, 1, 0, 0], [0, 0, 0, 1]], dims=("site", "time"))
    found = probability_scores(seen * 0.8 + 0.1, seen)
    np.testing.assert_allclose(found.brier_climatology, [0.25, 0.75 * 0.25])
    np.testing.assert_allclose(found.brier, 0.01)


def test_a_perfect_forecast_is_worth_everything_and_the_base_rate_nothing():
    rng = np.random.default_rng(0)
    seen = xr.DataArray((rng.random(400) < 0.3).astype(float), dims="time")
    perfect = probability_scores(seen, seen, cost_loss_ratio=[0.1, 0.3, 0.8])
    np.testing.assert_allclose(perfect.economic_value, 1)
    nothing = probability_scores(xr.full_like(seen, 0.3), seen, cost_loss_ratio=[0.1, 0.3, 0.8])
    np.testing.assert_allclose(nothing.economic_value, 0, atol=1e-12)
    never = probability_scores(xr.zeros_like(seen), xr.zeros_like(seen))
    assert np.isnan(never.economic_value).all()
    assert np.isnan(never.brier_skill.item())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c, p: occurrence_scores(c, c, event="frost"), r"event=\['frost'\] is unknown; choose from"),
        (lambda c, p: occurrence_scores(c, c, event="missing"), "is unknown; choose from"),
        (lambda c, p: occurrence_scores(c, c.assign_coords(site=["Z"])), "forecast lacks .* labels along 'site'"),
        (lambda c, p: occurrence_scores(c.drop_attrs(), c.drop_attrs()), "has no flag_values and flag_meanings"),
        (lambda c, p: probability_scores(p * 100, p > 0.5), "probabilities reach 0 to 100; give 0 to 1"),
        (lambda c, p: probability_scores(p, p), "holds other values than 0 and 1"),
        (lambda c, p: probability_scores(p, (p > 0.5).assign_coords(time=[5, 6, 7])), "occurred lacks 3 of"),
        (lambda c, p: probability_scores(p, p > 0.5, n_bins=0), "n_bins=0; give 1 or more"),
        (lambda c, p: probability_scores(p, p > 0.5, cost_loss_ratio=[0.5, 0.1]), "must grow and lie between 0 and 1"),
    ],
)
def test_wrong_input_is_refused(call, text):
    probability = xr.DataArray([0.0, 0.4, 1.0], {"time": [0, 1, 2]}, ("time",))
    with pytest.raises(ValueError, match=text):
        call(classes([[0, 3, 4]]), probability)
