"""Trainings that go on: from another forecaster, with parts held still, for more epochs, and what they tell of it."""

from __future__ import annotations

import logging
import sys
import types
import warnings

import numpy as np
import pytest
import torch
import xarray as xr

from tests.support.towers import forced_soil
from xdrought import TrainingOptions, load_forecaster
from xdrought.forecast.fitting import fit_resattcaurec, predict

TARGET, DRIVERS = "soil_moisture", ["tp", "t2m"]
QUICK = {"variant": "Rec", "widths": (4,), "window": 5, "lead": 2, "batch_size": 128, "device": "cpu"}
QUICK |= {"progress": False, "epochs": 2, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    torch.set_num_threads(1)
    return forced_soil(2, 300)


@pytest.fixture(scope="module")
def first(ds):
    return fit(ds)


def fit(ds, drivers=DRIVERS, **options):
    return fit_resattcaurec(ds, TARGET, drivers, **QUICK | options)


def elsewhere(ds: xr.Dataset) -> xr.Dataset:
    return ds.assign_coords(site=[f"other {name}" for name in ds.site.values])


def weights(forecaster, part="", run=0) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in forecaster.weights[run].items() if name.startswith(part)}


# --- losses -------------------------------------------------------------------------------------------------------


def test_a_function_as_loss_is_the_same_as_the_loss_by_name(ds, first):
    squared = fit(ds, loss=lambda prediction, target: (prediction - target) ** 2)
    for name, tensor in weights(first).items():
        np.testing.assert_allclose(weights(squared)[name], tensor, atol=1e-6)
    assert first.settings["loss"] == "mse"
    assert "lambda" in squared.settings["loss"]
    several = fit(ds, lead=[1, 3], loss=torch.nn.L1Loss(reduction="none"))
    assert np.isfinite(several.history.val_loss).all()


def test_quantiles_of_a_normal_distribution_are_learnt(ds, tmp_path):
    levels = (0.1, 0.5, 0.9)
    forecaster = fit(ds, loss="gaussian_crps", quantiles=levels, epochs=8)
    assert forecaster.history.val_loss[0, -1] < forecaster.history.val_loss[0, 0]
    forecaster.save(tmp_path / "f.xdrought")
    again = load_forecaster(tmp_path / "f.xdrought")
    found = predict(ds, again)[TARGET]
    xr.testing.assert_identical(found, predict(ds, forecaster)[TARGET])
    assert bool((found.diff("quantile").fillna(0) >= 0).all())
    raw = again.network()(torch.randn(6, 5, 2, 1, 1)).detach()
    np.testing.assert_allclose(raw[:, 1] - raw[:, 0], raw[:, 2] - raw[:, 1], rtol=1e-4)  # symmetric about the median


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"loss": "mae"}, "loss='mae' is unknown"),
        ({"loss": "gaussian_crps"}, "say which quantiles of it are wanted, two or more"),
        ({"loss": "gaussian_crps", "quantiles": (0.5,)}, "two or more"),
        ({"quantiles": (0.9, 0.1)}, "quantiles"),
        ({"loss": lambda p, t: (p - t).mean()}, "it must give the loss of each target"),
    ],
)
def test_losses_that_do_not_fit(ds, options, match):
    with pytest.raises(ValueError, match=match):
        fit(ds, **options)


# --- from another forecaster --------------------------------------------------------------------------------------


def test_fine_tuning_begins_where_the_other_training_ended(ds, first):
    tuned = fit(elsewhere(ds), start_from=first, epochs=1, learning_rate=1e-12)
    for name, tensor in weights(first).items():
        np.testing.assert_allclose(weights(tuned)[name], tensor, atol=1e-9)
    xr.testing.assert_identical(tuned.scaling.mean, first.scaling.mean)
    fresh = fit(elsewhere(ds), epochs=1, learning_rate=1e-12)
    assert float(tuned.history.val_loss[0, 0]) < float(fresh.history.val_loss[0, 0])


def test_frozen_parts_stay_and_the_others_learn(ds, first):
    frozen = TrainingOptions(freeze=["recurrence"], weight_decay=0.1)
    tuned = fit(elsewhere(ds), start_from=first, training=frozen)
    for name, tensor in weights(first, "recurrence").items():
        np.testing.assert_array_equal(weights(tuned)[name], tensor)
    moved = [np.abs(weights(tuned)[name] - tensor).max() for name, tensor in weights(first, "head").items()]
    assert min(moved) > 0


def test_frozen_batch_normalisation_keeps_its_statistics(ds):
    residual = {"variant": "ResRec", "widths": (2,), "epochs": 1}
    start = fit(ds, **residual)
    free, still = (
        fit(elsewhere(ds), start_from=start, training=TrainingOptions(freeze=names), **residual)
        for names in ((), ("encoder",))
    )
    running = [name for name in weights(start) if "running_mean" in name]
    assert running
    for name in running:
        np.testing.assert_array_equal(weights(still)[name], weights(start)[name])
    assert any((weights(free)[name] != weights(start)[name]).any() for name in running)


def test_a_part_that_does_not_fit_begins_anew(ds, first):
    with pytest.warns(UserWarning, match=r"the parts \['head'\] of the network have other shapes than in start_from"):
        tuned = fit(elsewhere(ds), start_from=first, quantiles=(0.1, 0.9), epochs=1, learning_rate=1e-12)
    for name, tensor in weights(first, "recurrence").items():
        np.testing.assert_allclose(weights(tuned)[name], tensor, atol=1e-9)


def test_runs_start_from_their_own(ds):
    pair = fit(ds, runs=2, epochs=1)
    tuned = fit(elsewhere(ds), start_from=pair, runs=3, epochs=1, learning_rate=1e-12)
    for run, before in ((0, 0), (1, 1), (2, 0)):
        for name, tensor in weights(pair, run=before).items():
            np.testing.assert_allclose(weights(tuned, run=run)[name], tensor, atol=1e-9)


def test_days_that_the_start_has_learnt_from_are_no_test_days(ds, first):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(ds, start_from=first, epochs=1)
        fit(elsewhere(ds), start_from=first, epochs=1)
    with pytest.warns(UserWarning, match=r"days that are now test days at 2 place\(s\)"):
        fit(ds.isel(time=slice(0, 200)), start_from=first, epochs=1)


def test_a_start_that_does_not_fit_is_refused(ds, first):
    with pytest.raises(TypeError, match="start_from must be a Forecaster, got str; load it"):
        fit(ds, start_from="soil.xdrought")
    with pytest.raises(ValueError, match=r"trained on the drivers \['tp', 't2m'\] for 'soil_moisture', found \['t2m'"):
        fit(ds, DRIVERS[::-1], start_from=first)
    with pytest.raises(ValueError, match="give the same target_history"):
        fit(ds, start_from=first, predict_change=True)
    other = ds.assign(tp=ds.tp.assign_attrs(units="inch"))
    with pytest.raises(ValueError, match=r"trained with other units \(then, now\): .*'inch'"):
        fit(other, start_from=first)
    with pytest.raises(ValueError, match="none of which has the shapes"):
        fit(ds, start_from=first, widths=(6,))


@pytest.mark.parametrize(
    ("freeze", "error", "match"),
    [
        (["lstm"], ValueError, r"freeze names 'lstm', which is no part .* choose from \['recurrence', 'head'\]"),
        (["recurrence", "head"], ValueError, "leaves nothing to train"),
        ("head", TypeError, "give names of parts"),
    ],
)
def test_parts_that_cannot_be_frozen(ds, freeze, error, match):
    with pytest.raises(error, match=match):
        fit(ds, training=TrainingOptions(freeze=freeze))


# --- more epochs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [1, 2])
def test_more_epochs_end_as_a_training_of_so_many_would(ds, tmp_path, runs):
    fit(ds, epochs=2, runs=runs, checkpoint=tmp_path / "c")
    more, whole = (fit(ds, epochs=4, runs=runs, checkpoint=path) for path in (tmp_path / "c", None))
    for run in range(runs):
        for name, tensor in weights(whole, run=run).items():
            np.testing.assert_array_equal(weights(more, run=run)[name], tensor)
    np.testing.assert_array_equal(more.history.train_loss, whole.history.train_loss)


def test_more_epochs_are_not_done_again(ds, tmp_path, caplog):
    fit(ds, epochs=2, runs=2, checkpoint=tmp_path / "c")
    with caplog.at_level(logging.INFO, "xdrought"):
        fit(ds, epochs=3, runs=2, checkpoint=tmp_path / "c", progress=True)
    lines = [record.getMessage().split(":")[0] for record in caplog.records if "epoch" in record.getMessage()]
    assert lines == ["Rec run 1/2 epoch 3/3", "Rec run 2/2 epoch 3/3"]


def test_a_falling_rate_knows_its_last_epoch(ds, tmp_path):
    cosine = TrainingOptions(schedule="cosine")
    fit(ds, training=cosine, checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match="was made with epochs=2, now 4"):
        fit(ds, training=cosine, checkpoint=tmp_path / "c", epochs=4)


def test_an_end_of_another_training_is_not_used(ds, tmp_path):
    fit(ds, checkpoint=tmp_path / "c", seed=1)
    end = (tmp_path / "c.run0").read_bytes()
    (tmp_path / "c").unlink()
    fit(ds, checkpoint=tmp_path / "c")
    (tmp_path / "c.run0").write_bytes(end)
    more, whole = (fit(ds, epochs=3, checkpoint=path) for path in (tmp_path / "c", None))
    for name, tensor in weights(whole).items():
        np.testing.assert_array_equal(weights(more)[name], tensor)


# --- what is told on the way --------------------------------------------------------------------------------------


def test_without_a_terminal_there_is_a_line_an_epoch(ds, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    fit(ds, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Rec epoch 1/2", "Rec epoch 2/2"]
    assert all("train=" in line and "best val=" in line for line in lines)
    assert logging.getLogger("xdrought").handlers == []


def test_a_terminal_shows_a_bar(ds, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fit(ds, progress=True)
    assert "batch" in capsys.readouterr().err


def test_losses_go_to_tensorboard_where_it_is_installed(ds, tmp_path, monkeypatch):
    """A stand-in for the package, which need not be there, keeps what it is given."""
    told = []

    class SummaryWriter:
        def __init__(self, folder):
            self.folder = folder

        def add_scalar(self, name, value, step):
            told.append((self.folder, name, step, value))

        def flush(self):
            pass

        def close(self):
            told.append((self.folder, "closed"))

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr("xdrought.forecast.options.find_spec", lambda name: name)
    forecaster = fit(ds, runs=2, training=TrainingOptions(tensorboard=tmp_path / "board"))
    folder, history = str(tmp_path / "board" / "run1"), forecaster.history
    expected = [
        (folder, f"loss/{part}", epoch, float(history[f"{part}_loss"][1, epoch]))
        for epoch in range(2)
        for part in ("train", "val")
    ]
    assert [one for one in told if one[0] == folder] == [*expected, (folder, "closed")]


def test_tensorboard_that_is_not_there_is_said_before_long_work(tmp_path, monkeypatch):
    monkeypatch.setattr("xdrought.forecast.options.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install tensorboard, or give losses="):
        TrainingOptions(tensorboard=tmp_path)
