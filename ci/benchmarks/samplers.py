"""Do runs of consecutive windows train as well as windows shuffled one by one? Validation loss on the simulated twin.

    python ci/benchmarks/samplers.py [--seeds 5] [--epochs 8] [--out docs/benchmarks/samplers.md]

Every seed trains the full network, at small width, from the same initial weights with each sampler. Shown is the best
validation loss of each, and the mean paired difference to independent windows with its 95 % interval (Student's t over
seeds). What is measured is kept in a .json beside the page, and ways that are there are not measured again.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy import stats

from xdrought import TrainingOptions
from xdrought.forecast.fitting import fit_resattcaurec
from xdrought.simulation.twin import simulate

SETTING = """The simulated twin (not observations): {sites} sites, {days} days, {n_train} training windows of 15 days x
12 drivers x 4 x 4 cells; ResAttCauRec of widths 8 and 16, batches of 128, learning rate 0.001, {epochs} epochs, {seeds}
seeds with the same initial weights in every row. Loss: mean squared error of scaled soil moisture, best epoch. Torch
{torch}, Python {python}, one thread of a machine shared with other jobs; CPU time of the whole fit, as a ratio."""
WAYS = {
    "independent windows": {"sampler": "independent"},
    "runs of 16": {"sampler": "consecutive", "training": TrainingOptions(block_length=16)},
    "runs of 32": {"sampler": "consecutive", "training": TrainingOptions(block_length=32)},
    "runs of 16, 2.5 times the epochs": {
        "sampler": "consecutive",
        "training": TrainingOptions(block_length=16),
        "longer": 2.5,
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--sites", type=int, default=8)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/samplers.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    ds = simulate(options.sites, options.days, size=4, seed=0)
    kept = options.out.with_suffix(".json")
    asked = {name: getattr(options, name) for name in ("seeds", "epochs", "sites", "days")}
    found = json.loads(kept.read_text()) if kept.exists() else {}
    results = found.get("results", {}) if found.get("asked") == asked else {}
    for name in WAYS:
        if name not in results:
            results[name] = train(ds, options, **WAYS[name])
        print(name, results[name], flush=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"asked": asked, "results": results}, indent=1) + "\n")
    options.out.write_text(page(results, options))


def train(ds: xr.Dataset, options: argparse.Namespace, longer: float = 1, **way: Any) -> dict[str, Any]:
    """Best validation loss of each seed, and CPU seconds."""
    begun = time.process_time()
    forecaster = fit_resattcaurec(
        ds,
        "soil_moisture",
        widths=(8, 16),
        batch_size=128,
        learning_rate=1e-3,
        epochs=round(longer * options.epochs),
        runs=options.seeds,
        device="cpu",
        progress=False,
        **way,
    )
    best = forecaster.history.val_loss.min("epoch").to_numpy()
    return {
        "cpu": round(time.process_time() - begun, 1),
        "best": [round(float(loss), 4) for loss in best],
        "windows": forecaster.settings["train_windows"],
    }


def page(results: dict[str, dict[str, Any]], options: argparse.Namespace) -> str:
    first = next(iter(results))
    best = {name: np.array(found["best"]) for name, found in results.items()}
    lines = [
        "# Speed: samplers",
        "",
        f"`python ci/benchmarks/samplers.py --seeds {options.seeds} --epochs {options.epochs} "
        f"--sites {options.sites} --days {options.days}`",
        "",
        SETTING.format(
            **vars(options),
            n_train=results[first]["windows"],
            torch=version("torch"),
            python=platform.python_version(),
        ),
        "",
        "| sampler | best validation loss, mean (range) | difference to independent, 95 % interval | CPU time |",
        "|---|---|---|---|",
    ]
    for name, losses in best.items():
        difference = "" if name == first else interval(losses - best[first])
        span = f"{losses.mean():.4f} ({losses.min():.4f} to {losses.max():.4f})"
        lines.append(f"| {name} | {span} | {difference} | {results[name]['cpu'] / results[first]['cpu']:.2f} |")
    return "\n".join(lines) + "\n"


def interval(differences: np.ndarray) -> str:
    half = stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    mean = differences.mean()
    return f"{mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f})"


if __name__ == "__main__":
    main()
