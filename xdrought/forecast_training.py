"""The runs of a training: seeded networks, windows gathered from the resident cube, and what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.patches import Patches

if TYPE_CHECKING:
    from torch import Tensor, device

    from xdrought.models import Architecture
    from xdrought.models.training import Course, Plan


def train_members(
    spec: Architecture,
    scaled: Patches,
    vectors: Tensor | None,
    parts: Mapping[str, np.ndarray],
    plan: Plan,
    runs: int,
    seed: int,
    device: device,
    progress: bool,
) -> list[Course]:
    """One training for each run."""
    import torch
    from tqdm.auto import tqdm

    from xdrought.models.training import train_network
    from xdrought.models.zoo import build_architecture

    cube = scaled.to_torch(device)
    degrees = None if vectors is None else vectors.to(device)
    train, val = (torch.from_numpy(parts[part]).to(device) for part in ("train", "val"))

    def sample(index: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        causality = None if degrees is None else degrees[cube.cell[index]]
        assert cube.target is not None
        return cube.gather(index), causality, cube.target[index]

    courses = []
    with tqdm(total=runs * plan.epochs, desc=spec.variant, unit="epoch", disable=not progress) as bar:
        for k in range(runs):
            with _seeded(seed, k) as generator:
                network = build_architecture(spec).to(device)
                courses.append(
                    train_network(
                        network,
                        sample,
                        train,
                        val,
                        plan,
                        generator=generator,
                        on_epoch=_reporter(bar),
                        caller="fit_resattcaurec",
                    )
                )
    return courses


def _reporter(bar: Any) -> Callable[[float, float], None]:
    """Moves the bar by an epoch and shows the losses."""

    def report(train_loss: float, val_loss: float) -> None:
        bar.set_postfix(train=f"{train_loss:.4f}", val=f"{val_loss:.4f}", refresh=False)
        bar.update()

    return report


@contextmanager
def _seeded(seed: int, run: int) -> Iterator[Any]:
    """Torch's random state from (seed, run) inside, as before outside; gives a generator for shuffling."""
    import torch

    own = int(np.random.SeedSequence(seed, spawn_key=(run,)).generate_state(1)[0])
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(own)
        yield torch.Generator().manual_seed(own)


def history_of(courses: Sequence[Course]) -> xr.Dataset:
    """The losses on (run, epoch)."""
    dims, names = ("run", "epoch"), {"train_loss": "training", "val_loss": "validation"}
    losses = {
        name: (dims, [getattr(c, name) for c in courses], {"long_name": f"{part} loss, scaled", "units": "1"})
        for name, part in names.items()
    }
    best = ("run", [c.best_epoch for c in courses], {"long_name": "epoch whose weights are kept"})
    coords = {"run": range(len(courses)), "epoch": range(len(courses[0].train_loss))}
    return xr.Dataset({**losses, "best_epoch": best}, coords)
