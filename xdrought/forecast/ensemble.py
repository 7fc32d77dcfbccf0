"""The runs of a training: seeded networks, one after the other, and what happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xdrought import checks, files
from xdrought.forecast.progress import Progress, board_in, write_losses
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
        self._run_under_way: int | None = None
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
        other = self._differing(found)
        if other:
            differences = ", ".join(f"{name}={found.get(name)!r}, now {self.settings.get(name)!r}" for name in other)
            raise ValueError(
                f"checkpoint {path} was made with {differences}; call with the same settings and data to go "
                f"on, name another path, or delete it to start anew"
            )
        epochs = found["epochs"]
        with _named(path):
            self.histories = [
                restored_history(self._tensors, notes, f"run{k}") for k, notes in enumerate(self._notes["histories"])
            ]
            _require(len(self.histories) <= self.settings["runs"], f"{len(self.histories)} finished runs")
            for history in self.histories:
                _check_history(history, self._lengths(epochs), self.expected)
            if self._notes["under_way"] is not None:
                _check_under_way(self._tensors, self._notes["under_way"], self._lengths(epochs), self.expected)
                self._run_under_way = len(self.histories)
        if epochs < self.settings["epochs"]:
            self.histories = []  # each goes on from its end

    def _differing(self, found: Mapping[str, Any]) -> list[str]:
        """Settings that are not those of the file; more epochs are none where the learning rate knows no end."""
        now = self.settings
        other = [name for name in {**found, **now} if found.get(name) != now.get(name)]
        epochs = found.get("epochs")
        may_grow = isinstance(epochs, int) and epochs < now["epochs"] and now.get("schedule") == "constant"
        return [name for name in other if not (may_grow and name == "epochs")]

    def _lengths(self, epochs: int) -> range:
        """How many epochs a finished run may have."""
        patience = self.settings.get("patience")
        return range(epochs if patience is None else min(patience + 1, epochs), epochs + 1)

    def resume(self, training: Training, run: int) -> None:
        """Put the training of a run where it was: under way, or at an end that fewer epochs had."""
        from xdrought.models.checkpoint import restore

        tensors, under_way, path = self._tensors, self._notes.get("under_way"), self.path
        if run != self._run_under_way:
            tensors, under_way, path = self._end_of(run)
        if under_way:
            with _named(path):
                restore(training, tensors, under_way)
                _require(training.step <= training.n_batches, f"{training.step} batches of an epoch")
        if run == self._run_under_way:
            self._tensors = {}

    def _path_of_end(self, run: int) -> Path | None:
        return None if self.path is None else self.path.with_name(f"{self.path.name}.run{run}")

    def _end_of(self, run: int) -> tuple[dict[str, Any], Any, Path | None]:
        """Where a run ended in a training of the same settings and fewer epochs; nothing where that is not known."""
        from xdrought.models.checkpoint import read

        path = self._path_of_end(run)
        if not self._notes or path is None or not path.exists():
            return {}, None, path
        tensors, notes = read(path)
        found = notes.get("settings", {})
        if not isinstance(found, Mapping) or self._differing(found):
            return {}, None, path  # of another training
        with _named(path):
            _check_under_way(tensors, notes["under_way"], self._lengths(found["epochs"]), self.expected)
        return tensors, notes["under_way"], path

    def save_end(self, training: Training, run: int) -> None:
        """Write down how a run ended, for more epochs later."""
        from xdrought.models.checkpoint import state_of

        path = self._path_of_end(run)
        if path is not None:
            tensors, under_way = state_of(training)
            self._write(path, tensors, {"settings": self.settings, "under_way": under_way})

    def save(self, finished: Sequence[History], training: Training | None) -> None:
        """Replace the file."""
        if self.path is None:
            return
        from xdrought.models.checkpoint import history_state, state_of

        tensors, under_way = ({}, None) if training is None else state_of(training)
        notes = []
        for k, history in enumerate(finished):
            more, note = history_state(history, f"run{k}")
            tensors |= more
            notes.append(note)
        self._write(self.path, tensors, {"settings": self.settings, "histories": notes, "under_way": under_way})

    def _write(self, path: Path, tensors: Mapping[str, Any], labels: Mapping[str, Any]) -> None:
        from xdrought.models.checkpoint import to_bytes
        from xdrought.models.norm import rank

        if rank() == 0:
            with files.replacing(path) as part:
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
    start: Sequence[Mapping[str, Tensor]] = (),
    losses: str | Path | None = None,
    tensorboard: str | Path | None = None,
) -> list[History]:
    """One training for each run; with a checkpoint, the runs and batches that are still to come.

    Run k starts from the weights ``start[k % len(start)]``, where there are some.
    """
    import torch

    from xdrought.models.checkpoint import take_over
    from xdrought.models.training import Training
    from xdrought.models.zoo import build_architecture, unfilled

    settings = {} if checkpoint is None else _settings(spec, config, runs, seed, start) | shards.sums()
    expected = unfilled(spec).state_dict()
    stored = Checkpoint(checkpoint, settings, expected)
    histories = stored.histories
    with Progress(spec.variant, runs, config.epochs, progress) as shown, board_in(tensorboard) as board:
        for k in range(len(histories), runs):
            own_seed = seed_of_run(seed, k)
            network = build_architecture(spec, torch.Generator().manual_seed(own_seed))
            if start and (new := take_over(network, start[k % len(start)])) and k == len(stored.histories):
                checks.warn(f"the parts {new} of the network have other shapes than in start_from, and begin anew")
            training = Training(network.to(shards.device), shards, config, own_seed)
            stored.resume(training, k)
            shown.begin(k, training)
            finished = tuple(histories)

            def save(now: Training, finished: tuple[History, ...] = finished) -> None:
                stored.save(finished, now)

            def end_epoch(*both: float, training: Training = training, finished: Any = finished) -> None:
                shown.epoch(*both)
                write_losses(losses, [*finished, training.history])
                if board is not None:
                    board.epoch(len(finished), training.epoch - 1, *both)

            histories.append(training.run(shown.batch, end_epoch, save))
            stored.save_end(training, k)
            stored.save(histories, None)
    return histories


def _settings(
    spec: Architecture, config: TrainingConfig, runs: int, seed: int, start: Sequence[Mapping[str, Tensor]]
) -> dict[str, Any]:
    """All that the weights depend on, beside the data."""
    from xdrought.models.losses import name_of

    loss = config.loss if isinstance(config.loss, str) else name_of(config.loss)
    network = {} if spec.network is None else {"network": name_of(spec.network)}
    settings = {
        **asdict(replace(spec, network=None)),
        **asdict(config),
        "loss": loss,
        "runs": runs,
        "seed": seed,
        **network,
    }
    tensors = (tensor.numpy() for weights in start for tensor in weights.values())
    return settings | ({"start_from": files.digest(tensors)} if start else {})


def seed_of_run(seed: int, k: int) -> int:
    """The seed of run k, the same however many runs there are."""
    return int(np.random.SeedSequence(seed, spawn_key=(k,)).generate_state(1)[0])


def lock_of(checkpoint: str | Path | None) -> AbstractContextManager[None]:
    """Keep a checkpoint for one fit; its first process holds the lock for all."""
    from xdrought.models.norm import rank

    if checkpoint is None or rank() > 0 or not Path(checkpoint).absolute().parent.is_dir():
        return nullcontext()
    return files.locked(checkpoint, "checkpoint")


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
