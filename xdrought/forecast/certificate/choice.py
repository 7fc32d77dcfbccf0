"""Which part chose the epoch whose weights are kept? Its loss is computed again."""

from __future__ import annotations

from typing import Any

import numpy as np

from xdrought.forecast.blocks import network_of
from xdrought.forecast.certificate.evidence import Evidence
from xdrought.forecast.certificate.findings import LEAK, PASSED, UNKNOWN, Finding
from xdrought.forecast.inputs import degrees_of_places

SAME_LOSS = 1e-3  # relative; devices and number formats round differently


def check_best_epoch(evidence: Evidence, batch_size: int, device: Any) -> Finding:
    """The lowest validation loss of the training, and the loss of the kept weights in validation and test."""
    looked_at = "loss of the kept weights in validation and in test, beside the one that the training stored"
    history = evidence.forecaster.history
    told = history.val_loss.min("epoch").to_numpy()
    losses = {part: _losses(evidence, part, batch_size, device) for part in ("val", "test")}
    numbers = {"stored": float(told[0]), **{f"in {part}": float(loss[0]) for part, loss in losses.items()}}
    same = {part: np.isclose(loss, told, rtol=SAME_LOSS, atol=0) for part, loss in losses.items()}
    if same["val"].all():
        return Finding("best epoch", PASSED, looked_at, "the lowest loss in validation", numbers)
    if same["test"].any():
        return Finding("best epoch", LEAK, looked_at, "the lowest loss in the test part", numbers)
    return Finding("best epoch", UNKNOWN, looked_at, "neither validation nor test part of these data", numbers)


def _losses(evidence: Evidence, part: str, batch_size: int, device: Any) -> np.ndarray:
    """(run,) mean squared error of scaled values over the windows of a part, NaN without any."""
    import torch

    from xdrought.models.prediction import run

    forecaster = evidence.forecaster
    index = evidence.splits_of(evidence.windows.data).windows(evidence.windows, part)
    if not len(index):
        return np.full(forecaster.runs, np.nan)
    windows = evidence.windows.with_data(forecaster.scaling.apply(evidence.windows.data))
    degrees = None
    if forecaster.causality is not None:
        rows = degrees_of_places(windows, forecaster.causality, forecaster.drivers, "certificate")
        degrees = torch.from_numpy(rows.reshape(-1, rows.shape[-1])).to(device)
    every = windows.to_torch(device)
    chosen = torch.from_numpy(index).to(device)
    some = type(every)(every.cube, every.cell[chosen], every.start[chosen], None, every.window, every.size)
    truth = windows.targets[index].astype("float32")
    networks = (network_of(forecaster.architecture, weights, device) for weights in forecaster.weights)
    return np.array([np.mean((run(net, some, degrees, batch_size).numpy() - truth) ** 2) for net in networks])
