"""The runs of a training: seeded networks, one after the other, and what happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought import files
from xdrought.forecast.shards import Shards

if TYPE_CHECKING:
    from torch import Tensor, device

    from xdrought.models import Architecture
    from xdrought.models.training import History, Training, TrainingConfig


class Checkpoint:
    """The file of one fit; without a path it does nothing.

    Parameters
    ----------
    path : str, pathlib.Path or None
        The file; if it is there, the fit goes on from it.
    settings : mapping
        All that the weights depend on, as JSON holds it: what was given, and sums of the data.
    expected : mapping
        A network's tensors, by name: those that stored weights must have.

    Attributes
    ----------
    histories : list of History
        The runs that were finished.

    Raises
    ------
    ValueError
        For a damaged file, or one of other settings or data.
    FileNotFoundError
        When there is no folder to write to.
    """

    def __init__(self, path: str | Path | None, settings: Mapping[str, Any], expected: Mapping[str, Tensor]):
        self.expected = expected
        self.path, self.settings = None if path is None else Path(path), json.loads(json.dumps(settings))
        self.histories: list[History] = []
        self._tensors: dict[str, Any] = {}
        self._notes: dict[str, Any] = {}
        if self.path is None:
            return
        if not self.path.absolute().parent.is_dir():
            raise FileNotFoundError(f"checkpoint {path} is in no folder; make {self.path.parent} first")
        if self.path.exists():
            self._read(self.path)

    def _read(self, path: Path) -> None:
        from xdrought.models.checkpoint import read, restored_history

        self._tensors, self._notes = read(path)
        found = self._notes.get("settings", {})
        with _named(path):
            _require(isinstance(found, Mapping), f"settings {found!r}")
        other = [name for name in {**found, **self.settings} if found.get(name) != self.settings.get(name)]
        if other:
            differences = ", ".join(f"{name}={found.get(name)!r}, now {self.settings.get(name)!r}" for name in other)
            raise ValueError(
                f"checkpoint {path} was made with {differences}; call with the same settings and data to go "
                f"on, name another path, or delete it to start anew"
            )
        with _named(path):
            self.histories = [
                restored_history(self._tensors, notes, f"run{k}") for k, notes in enumerate(self._notes["histories"])
            ]
            _require(len(self.histories) <= self.settings["runs"], f"{len(self.histories)} finished runs")
            for history in self.histories:
                _check_history(history, self._lengths(), self.expected)
            if self._notes["under_way"] is not None:
                _check_under_way(self._tensors, self._notes["under_way"], self._lengths(), self.expected)

    def _lengths(self) -> range:
        """How many epochs a finished run may have."""
        epochs, patience = self.settings["epochs"], self.settings.get("patience")
        return range(epochs if patience is None else min(patience + 1, epochs), epochs + 1)

    def resume(self, training: Training) -> None:
        """Put the training of the run after the finished ones where it was."""
        from xdrought.models.checkpoint import restore

        if self._notes.get("under_way"):
            with _named(self.path):
                restore(training, self._tensors, self._notes["under_way"])
                _require(training.step <= training.n_batches, f"{training.step} batches of an epoch")
        self._tensors, self._notes = {}, {}

    def save(self, finished: Sequence[History], training: Training | None) -> None:
        """Replace the file."""
        if self.path is None:
            return
        from xdrought.models.checkpoint import history_state, state_of, to_bytes
        from xdrought.models.norm import rank

        tensors, under_way = ({}, None) if training is None else state_of(training)
        notes = []
        for k, history in enumerate(finished):
            more, note = history_state(history, f"run{k}")
            tensors |= more
            notes.append(note)
        if rank() == 0:
            labels = {"settings": self.settings, "histories": notes, "under_way": under_way}
            with files.replacing(self.path) as part:
                part.write_bytes(to_bytes(tensors, labels))


@contextmanager
def _named(path: Path | None) -> Iterator[None]:
    """Say of whatever a checkpoint's contents lead to that it is the file's fault."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"checkpoint {path} does not fit together ({type(error).__name__}: {error}); delete it to start anew, "
            f"or name another path"
        ) from error


def _require(good: bool, what: str) -> None:
    if not good:
        raise ValueError(what)


def _check_history(history: History, epochs: range, expected: Mapping[str, Tensor], finished: bool = True) -> None:
    """Raise unless losses, best epoch and weights are those that a training of so many epochs leaves."""
    losses = (history.train_loss, history.val_loss)
    n = len(history.val_loss)
    _require(n in epochs if finished else n < epochs.stop, f"losses of {n} epochs")
    for each in losses:
        known = all(isinstance(loss, float) and np.isfinite(loss) for loss in each)
        _require(len(each) == n and known, f"losses {each!r}")
    best = int(np.argmin(history.val_loss)) if n else -1
    _require(history.best_epoch == best, f"best epoch {history.best_epoch!r} of {n}")
    _require(_shapes(history.weights) == (_shapes(expected) if n else {}), "weights of another network")


def _check_under_way(
    tensors: Mapping[str, Tensor], notes: Mapping[str, Any], epochs: range, expected: Mapping[str, Tensor]
) -> None:
    """Raise unless the unfinished run can be continued: its losses, weights, moments and place in the epoch."""
    from xdrought.models.checkpoint import restored_history

    _check_history(restored_history(tensors, notes["history"], "best"), epochs, expected, finished=False)
    live = {name.removeprefix("live."): tensor for name, tensor in tensors.items() if name.startswith("live.")}
    _require(_shapes(live) == _shapes(expected), "live weights of another network")
    for name, tensor in tensors.items():
        if name.startswith(("live.", "adam.")):
            _require(bool(tensor.double().isfinite().all()), f"{name} is not finite")
    step, total = notes["step"], notes["total"]
    _require(isinstance(step, int) and not isinstance(step, bool) and step >= 0, f"step {step!r}")
    _require(isinstance(total, int | float) and 0 <= total < np.inf, f"sum of squared errors {total!r}")


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[Any, Any]]:
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}


def train_members(
    spec: Architecture,
    shards: Shards,
    config: TrainingConfig,
    runs: int,
    seed: int,
    *,
    progress: bool,
    checkpoint: str | Path | None,
    losses: str | Path | None = None,
) -> list[History]:
    """One training for each run; with a checkpoint, the runs and batches that are still to come."""
    import torch

    from xdrought.models.training import Training
    from xdrought.models.zoo import build_architecture

    settings = (
        {} if checkpoint is None else {**asdict(spec), **asdict(config), "runs": runs, "seed": seed, **shards.sums()}
    )
    with torch.device("meta"):
        expected = build_architecture(spec).state_dict()
    stored = Checkpoint(checkpoint, settings, expected)
    histories = stored.histories
    with _Progress(spec.variant, runs, config.epochs, progress) as shown:
        for k in range(len(histories), runs):
            own_seed = seed_of_run(seed, k)
            network = build_architecture(spec, torch.Generator().manual_seed(own_seed))
            training = Training(network.to(shards.device), shards, config, own_seed)
            stored.resume(training)
            shown.begin(k, training)
            finished = tuple(histories)

            def save(now: Training, finished: tuple[History, ...] = finished) -> None:
                stored.save(finished, now)

            def end_epoch(*both: float, training: Training = training, finished: Any = finished) -> None:
                shown.epoch(*both)
                write_losses(losses, [*finished, training.history])

            histories.append(training.run(shown.batch, end_epoch, save))
            stored.save(histories, None)
    return histories


def seed_of_run(seed: int, k: int) -> int:
    """The seed of run k, the same however many runs there are."""
    return int(np.random.SeedSequence(seed, spawn_key=(k,)).generate_state(1)[0])


def write_losses(path: str | Path | None, histories: Sequence[History]) -> None:
    """Both losses of every run and epoch so far, as a csv file that is replaced whole."""
    from xdrought.models.norm import rank

    if path is None or rank() > 0:
        return
    table = history_of(histories)[["train_loss", "val_loss"]].to_dataframe().dropna().reset_index()
    with files.replacing(Path(path)) as part:
        table.to_csv(part, index=False)


def lock_of(checkpoint: str | Path | None) -> AbstractContextManager[None]:
    """Keep a checkpoint for one fit; its first process holds the lock for all."""
    from xdrought.models.norm import rank

    if checkpoint is None or rank() > 0 or not Path(checkpoint).absolute().parent.is_dir():
        return nullcontext()
    return files.locked(checkpoint, "checkpoint")


class _Progress:
    """A bar over all batches of all runs, with the losses and the time left; on one process only."""

    def __init__(self, name: str, runs: int, epochs: int, wanted: bool):
        from tqdm.auto import tqdm

        from xdrought.models.norm import rank

        self.runs, self.epochs = runs, epochs
        self.bar = tqdm(desc=name, unit="batch", disable=not wanted or rank() > 0)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def begin(self, run: int, training: Training) -> None:
        """Show where a run starts from, which after a checkpoint is not its first batch."""
        self.training, n_batches = training, training.n_batches
        if self.bar.disable:
            return
        self.bar.total = self.runs * self.epochs * n_batches
        done = (run * self.epochs + training.epoch) * n_batches + training.step
        self.bar.initial += done - self.bar.n  # not done just now: no part of the speed
        self.bar.n = done
        self.bar.refresh()

    def batch(self, loss: Tensor) -> None:
        if self.bar.update():  # the bar was drawn: only then is the loss read, for which a GPU must be waited for
            self.bar.set_postfix_str(f"epoch={self.training.epoch}, batch loss={float(loss):.4f}{self._best()}")

    def epoch(self, train_loss: float, val_loss: float) -> None:
        self.bar.set_postfix_str(f"train={train_loss:.4f}, val={val_loss:.4f}{self._best()}")

    def _best(self) -> str:
        losses = self.training.history.val_loss
        return f", best val={min(losses):.4f}" if losses else ""


def join_processes(device: device) -> None:
    """Meet the processes that ``torchrun`` started, each on its own device; a group that exists is used as it is."""
    import atexit
    import os

    import torch
    import torch.distributed as dist

    if not dist.is_available() or dist.is_initialized() or not dist.is_torchelastic_launched():
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    atexit.register(dist.destroy_process_group)  # not before: processes cannot meet twice


def history_of(histories: Sequence[History]) -> xr.Dataset:
    """The losses on (run, epoch)."""
    dims, names = ("run", "epoch"), {"train_loss": "training", "val_loss": "validation"}
    n_epochs = max(len(h.train_loss) for h in histories)
    losses = {
        name: (
            dims,
            [_filled(getattr(h, name), n_epochs) for h in histories],
            {"long_name": f"{part} loss, scaled", "units": "1"},
        )
        for name, part in names.items()
    }
    best = ("run", [h.best_epoch for h in histories], {"long_name": "epoch whose weights are kept"})
    coords = {"run": range(len(histories)), "epoch": range(n_epochs)}
    return xr.Dataset({**losses, "best_epoch": best}, coords)


def _filled(losses: Sequence[float], n: int) -> list[float]:
    """Losses of a run that ended early, NaN in the epochs that it did not do."""
    return [*losses, *[float("nan")] * (n - len(losses))]
