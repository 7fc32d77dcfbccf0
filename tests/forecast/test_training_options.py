"""Options of a training: weight decay, clipping, a falling rate, patience, and the losses as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from tests.support.towers import forced_soil
from xdrought import TrainingOptions, load_forecaster
from xdrought.forecast.fitting import fit_resattcaurec

QUICK = {"variant": "Rec", "widths": (4,), "window": 5, "lead": 2, "batch_size": 64, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def ds():
    torch.set_num_threads(1)
    return forced_soil(2, 400)


def fit(ds, epochs=3, checkpoint=None, runs=1, learning_rate=0.01, **options):
    training = TrainingOptions(**options)
    how = {"epochs": epochs, "checkpoint": checkpoint, "runs": runs, "learning_rate": learning_rate}
    return fit_resattcaurec(ds, "soil_moisture", ["tp", "t2m"], **QUICK, **how, training=training)


def length(forecaster) -> float:
    return float(sum(w.square().sum() for w in forecaster.weights[0].values()))


def test_each_option_does_what_it_says(ds):
    plain = fit(ds)
    assert length(fit(ds, weight_decay=1.0)) < 0.7 * length(plain)
    still = fit(ds, clip=1e-12, epochs=1)  # Adam divides by the gradient's length, but not by less than 1e-8
    start = fit(ds, epochs=1, learning_rate=1e-12)
    apart = [
        float(max((a - b).abs().max() for a, b in zip(f.weights[0].values(), start.weights[0].values(), strict=True)))
        for f in (still, plain)
    ]
    assert apart[0] < 0.01 * apart[1]
    cosine = fit(ds, schedule="cosine")
    assert cosine.history.train_loss[0, 0] != plain.history.train_loss[0, 0]


def test_the_cosine_begins_at_the_rate_and_ends_at_nothing(ds, monkeypatch):
    rates = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self: (rates.append(self.param_groups[0]["lr"]), step(self))[1]
    )
    fit(ds, schedule="cosine", epochs=2)
    assert rates[0] == 0.01
    assert rates == sorted(rates, reverse=True)
    n = len(rates)
    np.testing.assert_allclose(rates, 0.005 * (1 + np.cos(np.pi * np.arange(n) / n)))


def test_patience_ends_a_run_that_no_longer_gains_and_everything_goes_on(ds, tmp_path):
    options = {"patience": 2, "epochs": 12, "runs": 2, "learning_rate": 0.3}
    found = fit(ds, **options, losses=tmp_path / "losses.csv", checkpoint=tmp_path / "c")
    loss = found.history.val_loss
    done = loss.notnull().sum("epoch").values
    assert (done < 12).all()
    for k in range(2):
        assert done[k] - 1 - int(found.history.best_epoch[k]) == 2
    table = pd.read_csv(tmp_path / "losses.csv")
    assert table.groupby("run").size().tolist() == done.tolist()
    np.testing.assert_allclose(table.val_loss, loss.values[loss.notnull().values])
    again = fit(ds, **options, checkpoint=tmp_path / "c")
    np.testing.assert_array_equal(again.history.val_loss, loss)
    found.save(tmp_path / "f.xdrought")
    np.testing.assert_array_equal(load_forecaster(tmp_path / "f.xdrought").history.val_loss, loss)
    whole = fit(ds, epochs=3, patience=3)
    assert whole.history.val_loss.notnull().all()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"weight_decay": -1}, "weight_decay=-1"),
        ({"clip": 0}, "clip=0; it is a length above 0"),
        ({"schedule": "steps"}, "schedule='steps' is unknown"),
        ({"patience": 0}, "patience=0"),
    ],
)
def test_wrong_options(options, match):
    with pytest.raises(ValueError, match=match):
        TrainingOptions(**options)


def test_losses_need_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="is in no folder"):
        TrainingOptions(losses=tmp_path / "none" / "losses.csv")
