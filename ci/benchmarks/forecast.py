"""Training and prediction against the published way of doing them: CPU time and peak memory.

    python ci/benchmarks/forecast.py [--rounds 3] [--tuned-rounds 1] [--out docs/benchmarks/forecast.md]

The published way (plain_network.py) cuts windows one by one and encodes every day of each. Every measurement is a
process of its own with one thread, and the ways take turns. A batch of 512 windows is a batch of an epoch over
16 sites x 600 windows, of the published network at full size; prediction is that of one site's 512 days. "Tuned" tells
malloc, on both sides, to keep its memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from plain_network import PlainNetwork, WindowDataset, loader

from xdrought.models import build
from xdrought.models.batches import Batch, run
from xdrought.models.training import Training, TrainingConfig
from xdrought.windows.tensors import ResidentCube

N_SITES, PER_SITE, WINDOW, LEAD = 16, 600, 15, 7
SHAPE = (12, 10, 10)
SETTING = """ResAttCauRec at the published size (839,961 parameters, windows of 15 days x 12 drivers x 10 x 10), random
numbers as data. The published way is restated in `ci/benchmarks/plain_network.py`: windows are cut one by one and
every day of each is encoded. Batches are of 512 windows out of an epoch over 16 sites x 600 windows and include
gathering, both passes and the step of Adam; independent windows go the same way as runs, but few of them share days.
Each measurement is a process of its own, and the ways take turns. CPU time, one thread, {machine}, torch {torch}, numpy
{numpy}, Python {python}; the machine is shared with other jobs, so only ratios mean something. No GPU was there."""
TUNED = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592", "MALLOC_TOP_PAD_": "268435456"}


def world(n_sites: int, n_days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days of maps (site, time, variable, lat, lon), causality degrees (site, 96) and targets (site, time)."""
    rng = np.random.default_rng(0)
    cube = rng.standard_normal((n_sites, n_days, *SHAPE), dtype="float32")
    degrees = rng.random((n_sites, 8 * SHAPE[0]), dtype="float32")
    return cube, degrees, rng.standard_normal((n_sites, n_days), dtype="float32")


class Everything:
    """All windows of the world as one shard."""

    def __init__(self, cube: np.ndarray, degrees: np.ndarray, target: np.ndarray):
        n_sites, n_days = target.shape
        starts = n_days - WINDOW - LEAD + 1
        self.cell = torch.arange(n_sites).repeat_interleave(starts)
        self.start = torch.arange(starts).repeat(n_sites)
        y = torch.from_numpy(target)[self.cell, self.start + WINDOW - 1 + LEAD]
        self.cube = ResidentCube(torch.from_numpy(cube), self.cell, self.start, y, WINDOW, SHAPE[1])
        self.degrees, self.train, self.val = torch.from_numpy(degrees), torch.arange(len(y)), torch.arange(0)

    def batch(self, index: torch.Tensor, seed: int = 0) -> Batch:
        assert self.cube.target is not None
        return Batch(*self.cube.days(index), self.degrees[self.cell[index]], self.cube.target[index])


def train_published(n_batches: int, size: int = 512) -> list[float]:
    """CPU seconds of each batch: gathering, both passes and the step of Adam."""
    batches = iter(loader(WindowDataset(*world(N_SITES, PER_SITE + WINDOW + LEAD - 1), WINDOW, LEAD), size, True))
    network = PlainNetwork().train()
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)
    spent = []
    for _ in range(n_batches):
        begun = time.process_time()
        x, causality, y = next(batches)
        loss = torch.nn.functional.mse_loss(network(x, causality), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        spent.append(time.process_time() - begun)
    return spent


def train_shared(sampler: str, block_length: int, n_batches: int, size: int = 512) -> list[float]:
    shard = Everything(*world(N_SITES, PER_SITE + WINDOW + LEAD - 1))
    config = TrainingConfig(sampler=sampler, block_length=block_length, batch_size=size)
    training = Training(build("ResAttCauRec"), [shard], config, 0)
    spent, begun = [], time.process_time()

    class Enough(Exception):
        pass

    def stop(loss: float) -> None:
        nonlocal begun
        spent.append(time.process_time() - begun)
        begun = time.process_time()
        if len(spent) == n_batches:
            raise Enough

    with contextlib.suppress(Enough):
        training.run(on_batch=stop)
    return spent


def prediction_ways(n_days: int = 512) -> tuple[Callable[[], torch.Tensor], Callable[[], torch.Tensor]]:
    """Both ways to predict one site's days with the same weights: ours, and the published."""
    cube, degrees, _ = world(1, n_days + WINDOW - 1)
    network = build("ResAttCauRec").eval()
    plain = PlainNetwork().eval()
    plain.load_state_dict(network.state_dict())
    cell, start = torch.zeros(n_days, dtype=torch.long), torch.arange(n_days)
    windows = ResidentCube(torch.from_numpy(cube), cell, start, None, WINDOW, SHAPE[1])
    dataset = WindowDataset(cube, degrees, np.zeros((1, n_days + WINDOW), "float32"), WINDOW, 0)

    def published() -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([plain(x, causality) for x, causality, _ in loader(dataset, 512, False)])[:n_days]

    return lambda: run(network, windows, torch.from_numpy(degrees)), published


def predict_both() -> dict[str, float]:
    """CPU seconds of both ways for one site's windows, and how far their numbers are apart.

    Ours is the median of five, in turns with the same network as it was trained: nothing folded.
    """
    shared, published = prediction_ways()
    spent: dict[str, list[float]] = {"ours": [], "as_trained": []}
    for _ in range(6):
        for way, times in spent.items():
            with contextlib.ExitStack() as stack:
                if way == "as_trained":
                    stack.enter_context(mock.patch("xdrought.models.batches.rearranged", lambda network: network))
                begun = time.process_time()
                found = shared()
                times.append(time.process_time() - begun)
    ours, as_trained = (statistics.median(times[1:]) for times in spent.values())
    begun = time.process_time()
    expected = published()
    theirs = time.process_time() - begun
    return {"theirs": theirs, "ours": ours, "as_trained": as_trained, "apart": float((found - expected).abs().max())}


WAYS = {
    "published": lambda: train_published(1),
    "runs of 16": lambda: train_shared("consecutive", 16, 2),
    "runs of 32": lambda: train_shared("consecutive", 32, 2),
    "independent": lambda: train_shared("independent", 1, 1),
}


def measure(way: str, tuned: bool) -> dict:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **(TUNED if tuned else {})}
    done = subprocess.run([sys.executable, __file__, "--way", way], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    print(way, "tuned" if tuned else "", done.stdout.strip(), flush=True)
    return json.loads(done.stdout.splitlines()[-1])


def child(way: str) -> None:
    torch.set_num_threads(1)
    found = predict_both() if way == "predict" else {"cpu": WAYS[way]()}
    print(json.dumps({**found, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


def table(results: dict[str, list[dict]], title: str) -> list[str]:
    seconds = {way: statistics.median(s for r in found for s in r["cpu"]) for way, found in results.items()}
    memory = {way: max(r["peak_gb"] for r in found) for way, found in results.items()}
    lines = [
        f"| {title} | times faster | CPU seconds, median (range) | peak memory of the process |",
        "|---|---|---|---|",
    ]
    for way, found in results.items():
        every = [s for r in found for s in r["cpu"]]
        span = f"{seconds[way]:.1f} ({min(every):.1f} to {max(every):.1f}, {len(every)} batches)"
        lines.append(f"| {way} | {seconds['published'] / seconds[way]:.1f} | {span} | {memory[way]:.2f} GB |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tuned-rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/forecast.md"))
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        child(options.way)
        return
    lines = [
        "# Speed: training and prediction",
        "",
        f"`python ci/benchmarks/forecast.py --rounds {options.rounds} --tuned-rounds {options.tuned_rounds}`",
        "",
        SETTING.format(
            machine=platform.machine(),
            torch=version("torch"),
            numpy=version("numpy"),
            python=platform.python_version(),
        ),
        "",
    ]
    for n, tuned, title in (
        (options.rounds, False, "training"),
        (options.tuned_rounds, True, "training, malloc tuned"),
    ):
        results: dict[str, list[dict]] = {way: [] for way in WAYS}
        predictions = []
        for k in range(n):
            for way in WAYS:
                if way == "independent" and (k or tuned):
                    continue
                results[way].append(measure(way, tuned))
            predictions.append(measure("predict", tuned))
        if n:
            lines += table({way: found for way, found in results.items() if found}, title)
            ratios = [p["theirs"] / p["ours"] for p in predictions]
            lines += [
                f"Prediction of one site's 512 days{', malloc tuned' if tuned else ''}: "
                f"**{statistics.median(ratios):.1f} times faster** "
                f"(each of {n}: {', '.join(f'{ratio:.1f}' for ratio in ratios)}); "
                f"largest difference of the numbers {max(p['apart'] for p in predictions):.1e}. Batch "
                f"normalisation in the convolutions and the rest of `xdrought/models/batches.py` make it "
                f"{statistics.median(p['as_trained'] / p['ours'] for p in predictions):.2f} times as fast as the "
                f"network as it was trained.",
                "",
            ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
