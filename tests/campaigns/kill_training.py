"""Does a training that is killed at random moments end with the weights of one that is not?

    python tests/campaigns/kill_training.py [--kills 20] [--days 300] [--window 15] [--batch-size 2] [--seed 0]

A small fit with a checkpoint runs in a process of its own, which is killed after a random time and started again,
until it was killed often enough; then it may end. Its weights and losses must be, bit for bit, those of the same fit
without checkpoint. Ends with an error otherwise. The time is that of the processor, so that a busy machine changes
nothing; the signal that ends it there, SIGPROF, leaves a process no more time than SIGKILL.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from xdrought.forecast.fitting import Forecaster, fit_resattcaurec, load_forecaster
from xdrought.models.checkpoint import read


def records(n_days: int) -> xr.Dataset:
    """Rain that soil keeps 90 % of each day, at two sites."""
    rng = np.random.default_rng(0)
    rain = rng.exponential(1.0, (2, n_days)) * (rng.random((2, n_days)) < 0.3)
    soil = np.zeros_like(rain)
    for day in range(1, n_days):
        soil[:, day] = 0.9 * soil[:, day - 1] + rain[:, day]
    dims = ("site", "time")
    coords = {"site": ["A", "B"], "time": pd.date_range("2001-01-01", periods=n_days)}
    return xr.Dataset({"tp": (dims, rain), "soil_moisture": (dims, soil)}, coords)


def fit(ds: xr.Dataset, window: int, batch_size: int, checkpoint: Path | None) -> Forecaster:
    """Two runs of 2 epochs, of 192 batches of 2 with 300 days: checkpoints within the epochs and at their ends."""
    return fit_resattcaurec(
        ds,
        "soil_moisture",
        variant="ResAttCauRec",
        equations="released",  # with dropout
        window=window,
        widths=(4, 4),
        epochs=2,
        batch_size=batch_size,
        learning_rate=0.001,
        runs=2,
        device="cpu",
        progress=False,
        checkpoint=checkpoint,
    )


def go_on(ds: xr.Dataset, window: int, batch_size: int, folder: Path, seconds: float = 0.0) -> int:
    """Begin or go on in another process, which is killed after so much time of the processor; how it ended."""
    process = os.fork()
    if process == 0:
        signal.setitimer(signal.ITIMER_PROF, seconds)  # never, by default
        fit(ds, window, batch_size, folder / "checkpoint").save(folder / "result")
        os._exit(0)
    return os.waitpid(process, 0)[1]


def progress(path: Path) -> str:
    """Epochs done, over all runs, and batches of the epoch under way."""
    if not path.exists():
        return "0"
    _, notes = read(path)
    going = notes["under_way"]
    epochs = 2 * len(notes["histories"]) + (len(going["history"]["val_loss"]) if going else 0)
    return f"{epochs} and {going['step']} batches" if going else str(epochs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--days", type=int, default=300)
    parser.add_argument("--window", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ds, rng = records(options.days), np.random.default_rng(options.seed)
    given = (ds, options.window, options.batch_size)
    fit(ds, options.window, 1000, None)  # what is imported once is no part of the time between two kills
    begun = time.process_time()
    expected = fit(*given, None)
    duration = time.process_time() - begun

    with tempfile.TemporaryDirectory() as name:
        folder, halfway = Path(name), []
        while len(halfway) < options.kills:
            # what a kill loses is up to the eighth of the fit that lies between two checkpoints
            seconds = rng.uniform(0.01, duration / 8 + 0.75 * duration / options.kills)
            status = go_on(*given, folder, seconds)
            if not os.WIFSIGNALED(status):
                print("it ended before it was killed; begin anew")
                for path in folder.iterdir():
                    path.unlink()
                continue
            halfway.append(progress(folder / "checkpoint"))
        if status := go_on(*given, folder):
            sys.exit(f"kill_training: the last process failed with status {status}")
        found = load_forecaster(folder / "result")

    for run in range(expected.runs):
        for key, value in expected.weights[run].items():
            if not torch.equal(found.weights[run][key], value):
                sys.exit(f"kill_training: {key} of run {run} differs after {options.kills} kills")
    xr.testing.assert_identical(found.history, expected.history)
    print(f"{options.kills} kills, with these epochs of 4 on disk: {', '.join(halfway)}")
    print("the same weights and losses, bit for bit")


if __name__ == "__main__":
    main()
