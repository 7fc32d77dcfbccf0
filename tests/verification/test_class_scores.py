"""Scores of classes (Table 1 of the paper): by hand, and equal to scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.scored import FIVE, labelled
from xdrought.verification.scores import class_scores


def test_classes_by_hand():
    observed = labelled([0, 0, 0, 0, 3, 3, 4, 4, -1, 0])
    forecast = labelled([0, 0, 0, 4, 3, 0, 4, 4, 0, -1])
    found = class_scores(forecast, observed)
    assert found.n_days == 8
    assert found["class_name"].values.tolist() == list(FIVE)[:5]
    np.testing.assert_allclose(found.precision, [3 / 4, np.nan, np.nan, 1, 2 / 3])
    np.testing.assert_allclose(found.recall, [3 / 4, np.nan, np.nan, 1 / 2, 1])
    np.testing.assert_allclose(found.f1, [3 / 4, np.nan, np.nan, 2 / 3, 4 / 5])
    np.testing.assert_allclose(found.share, [4 / 8, 0, 0, 2 / 8, 2 / 8])
    assert found.accuracy == 6 / 8
    assert found.majority_accuracy == 4 / 8
    assert found.confusion.sel(class_name="flash_onset", forecast_class="no_drought") == 1


def test_classes_equal_scikit_learn_and_the_identities_hold():
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    rng = np.random.default_rng(0)
    observed = rng.choice(5, 4000, p=[0.74, 0.06, 0.05, 0.02, 0.13])
    forecast = np.where(rng.random(4000) < 0.7, observed, rng.integers(0, 5, 4000))
    found = class_scores(labelled(forecast).chunk(time=500), labelled(observed))
    precision, recall, f1, count = precision_recall_fscore_support(observed, forecast)
    np.testing.assert_allclose(found.precision, precision, atol=1e-12)
    np.testing.assert_allclose(found.recall, recall, atol=1e-12)
    np.testing.assert_allclose(found.f1, f1, atol=1e-12)
    np.testing.assert_allclose(found.share, count / 4000, atol=1e-12)
    assert found.accuracy.item() == pytest.approx(accuracy_score(observed, forecast))
    assert (found.recall * found.share).sum().item() == pytest.approx(found.accuracy.item())
    assert (found.recall * found.share / found.precision).sum().item() == pytest.approx(1)
    np.testing.assert_allclose(found.recall * found.share / found.precision, found.forecast_share)


def test_classes_that_are_not_known_or_not_alike_are_refused():
    plain = xr.DataArray([0, 1], dims="time")
    with pytest.raises(ValueError, match="the observation has no flag_values and flag_meanings"):
        class_scores(plain, plain)
    with pytest.raises(ValueError, match="forecast has 2 steps along 'time' and the record 3|forecast lacks"):
        class_scores(labelled([0, 1]), labelled([0, 1, 2]))
    with pytest.raises(ValueError, match=r"forecast lacks the dimension\(s\) \['site'\] of observed"):
        class_scores(labelled([0, 1]), labelled([0, 1]).expand_dims("site"))


def test_classes_are_compared_by_what_they_are_called():
    """Another program numbers the same classes otherwise, and what it calls a drought is one."""
    rng = np.random.default_rng(3)
    observed, forecast, other = (
        xr.DataArray(rng.integers(0, 3, 400), {"time": pd.date_range("2001-01-01", periods=400)}, "time")
        for _ in range(3)
    )
    ours = {"flag_values": [0, 1, 2], "flag_meanings": "wet dry missing"}
    theirs = {"flag_values": [7, 0, 3], "flag_meanings": "dry wet missing"}
    numbered = {"dry": 7, "wet": 0, "missing": 3}

    def written_otherwise(da):
        names = dict(zip([0, 1, 2], ["wet", "dry", "missing"], strict=True))
        return da.copy(data=[numbered[names[k]] for k in da.values.tolist()]).assign_attrs(theirs)

    observed, forecast, other = (da.assign_attrs(ours) for da in (observed, forecast, other))
    expected = class_scores(forecast, observed, references={"other": other})
    found = class_scores(written_otherwise(forecast), observed, references={"other": written_otherwise(other)})
    xr.testing.assert_equal(found, expected)
    with pytest.raises(TypeError, match="forecast.* has dtype <U.*; expected numbers"):
        class_scores(forecast.astype(str), observed)
    with pytest.raises(ValueError, match=r"has the classes \['D0', 'D1'\], which the observation lacks"):
        class_scores(forecast.assign_attrs(flag_values=[0, 1], flag_meanings="D0 D1"), observed)
