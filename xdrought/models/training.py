"""The training loop on tensors: Adam, mean squared error, and the best validation epoch truly kept.

Every random draw is a function of (seed, epoch, step), so that a training that goes on from a checkpoint needs no
random state and meets the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from xdrought.models.batches import Batch, Shard, SharedDays, cut
from xdrought.models.norm import all_sum, rank, world
from xdrought.models.resattcaurec import FramewiseNetwork

Sampler = Callable[[Tensor, Tensor, int, torch.Generator], Tensor]


def independent(cell: Tensor, start: Tensor, block_length: int, generator: torch.Generator) -> Tensor:
    """All windows shuffled, as the paper does it."""
    return torch.randperm(len(start), generator=generator)


def consecutive(cell: Tensor, start: Tensor, block_length: int, generator: torch.Generator) -> Tensor:
    """Runs of up to `block_length` windows of one cell, each a day after the one before, shuffled as wholes.

    n windows of a run hold n + window - 1 days instead of n * window. Where runs are cut is drawn anew each
    time, so that no two windows are kept apart, or together, for a whole training.

    Parameters
    ----------
    cell, start : torch.Tensor
        (N,) cell and first day of each window, sorted by cell and day, on the CPU.
    block_length : int
        Windows of a run.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    torch.Tensor
        (N,) a permutation of the positions.
    """
    begins = torch.ones(len(start), dtype=torch.bool)
    begins[1:] = (cell.diff() != 0) | (start.diff() != 1)
    stretch = begins.cumsum(0) - 1  # which unbroken stretch of days a window is in, from 0
    first = begins.nonzero()[:, 0]
    phase = torch.randint(block_length, (len(first),), generator=generator)
    place = torch.arange(len(start)) - first[stretch] + phase[stretch]
    begins |= place % block_length == 0
    run = begins.cumsum(0) - 1
    rank = torch.randperm(int(begins.sum()), generator=generator)
    return torch.argsort(rank[run], stable=True)


SAMPLERS: dict[str, Sampler] = {"independent": independent, "consecutive": consecutive}


@dataclass(frozen=True)
class Plan:
    """How to train.

    Parameters
    ----------
    epochs, batch_size, learning_rate
        Of Adam.
    sampler : {"independent", "consecutive"}
        Which windows meet in a batch, see :mod:`xdrought.models.training`.
    block_length : int
        Windows of a run.
    mixed_precision, compile
        bfloat16 where torch thinks it safe, and a compiled encoder; on a GPU only.
    save_every : int
        Batches between two checkpoints within an epoch.
    """

    epochs: int = 50
    batch_size: int = 512
    learning_rate: float = 1e-4
    sampler: str = "independent"
    block_length: int = 16
    mixed_precision: bool = False
    compile: bool = False
    save_every: int = 100


@dataclass
class Course:
    """What happened: the mean loss of each epoch, and the weights of the best one, copied to the CPU."""

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    best_epoch: int = -1
    weights: dict[str, Tensor] = field(default_factory=dict)


class Training:
    """One network on its way through the epochs.

    Parameters
    ----------
    network : torch.nn.Module
        On its device; it is trained in place.
    shards : sequence of Shard
        The windows. An epoch visits the shards one after the other, in an order drawn anew.
    plan : Plan
        Epochs, batch size, learning rate, sampler.
    seed : int
        For the order of the windows and for dropout.

    Attributes
    ----------
    course : Course
        What happened so far; with `step` and `total`, the batches done in this epoch and the sum of their
        squared errors, and the states of `network` and `optimiser` it is all that a checkpoint must hold.
    """

    def __init__(self, network: nn.Module, shards: Sequence[Shard], plan: Plan, seed: int):
        self.network, self.shards, self.plan, self.seed = network, shards, plan, seed
        self.device = next(network.parameters()).device
        if plan.compile and self.device.type == "cuda" and isinstance(network, FramewiseNetwork):
            network.encoder.compile(dynamic=True)
        self.model: nn.Module = SharedDays(network)
        if world() > 1:
            self.model = DistributedDataParallel(self.model)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=plan.learning_rate)
        self.course, self.step, self.total = Course(), 0, 0.0

    @property
    def epoch(self) -> int:
        return len(self.course.val_loss)

    def run(
        self,
        on_batch: Callable[[float], None] = lambda loss: None,
        on_epoch: Callable[[float, float], None] = lambda train_loss, val_loss: None,
        save: Callable[[Training], None] = lambda training: None,
    ) -> Course:
        """Train to the end of the last epoch.

        Parameters
        ----------
        on_batch, on_epoch : callable
            Told this process's loss after each batch, and the two losses after each epoch.
        save : callable
            Called at the end of each epoch and every `plan.save_every` batches.

        Raises
        ------
        FloatingPointError
            When a loss is not finite, with the likely cause.
        """
        while self.epoch < self.plan.epochs:
            for k, index in self._batches_to_come():
                loss = self._learn(self.shards[k].batch(index.tensor_split(world())[rank()]), len(index))
                self.total += loss * len(index)
                self.step += 1
                on_batch(loss)
                if not self.step % self.plan.save_every:
                    save(self)
            self._end_epoch()
            on_epoch(self.course.train_loss[-1], self.course.val_loss[-1])
            save(self)
        return self.course

    @property
    def n_batches(self) -> int:
        """Batches of an epoch."""
        return sum(len(cut(shard.train, self.plan.batch_size, _least())) for shard in self.shards if len(shard.train))

    def _batches_to_come(self) -> Iterator[tuple[int, Tensor]]:
        """(shard, positions of the windows) of each batch of this epoch that is not done yet."""
        generator = torch.Generator().manual_seed(_draw(self.seed, "order", self.epoch))
        batches = []
        for k in torch.randperm(len(self.shards), generator=generator).tolist():
            shard = self.shards[k]
            sampler, train = SAMPLERS[self.plan.sampler], shard.train
            if not len(train):
                continue
            order = sampler(shard.cell[train], shard.start[train], self.plan.block_length, generator)
            batches += [(k, part) for part in cut(train[order], self.plan.batch_size, _least())]
        yield from batches[self.step :]

    def _learn(self, batch: Batch, n: int) -> float:
        """One step of Adam on this process's part of a batch of `n` windows; its loss, or share of the loss."""
        self.network.train()
        self._seed_dropout()
        loss = world() * self._squared_error(batch) / n  # DDP takes the mean over processes
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return float(loss.detach()) / world()

    def _squared_error(self, batch: Batch) -> Tensor:
        """Sum over windows."""
        model = self.model if self.network.training else self.model_here
        mixed = self.plan.mixed_precision and self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            found = model(batch.frames, batch.position, batch.counts, batch.causality)
        return (found.to(batch.target.dtype) - batch.target).square().sum()

    def epoch_total(self) -> float:
        """Sum of the squared errors of this epoch so far, over all processes."""
        return self._over_processes(self.total)

    def resume_total(self, total: float) -> None:
        """Go on from such a sum."""
        self.total = total if rank() == 0 else 0.0

    def _over_processes(self, total: float) -> float:
        return float(all_sum(torch.tensor(total, dtype=torch.float64, device=self.device)))

    @property
    def model_here(self) -> nn.Module:
        """The network for shared days without the other processes."""
        return self.model.module if isinstance(self.model, DistributedDataParallel) else self.model

    def _seed_dropout(self) -> None:
        seed = _draw(self.seed, "dropout", self.epoch, self.step, rank())
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _end_epoch(self) -> None:
        """Both losses into the course, and the weights if the epoch is the best so far."""
        course, n_train = self.course, sum(len(shard.train) for shard in self.shards)
        train_loss = self.epoch_total() / n_train
        val_loss = self.validation_loss()
        if not torch.tensor([train_loss, val_loss]).isfinite().all():
            losses = (train_loss, val_loss)
            raise FloatingPointError(
                f"the loss is {losses} (training, validation) in epoch {self.epoch}: {self._cause()}"
            )
        if not course.val_loss or val_loss < min(course.val_loss):
            course.best_epoch = self.epoch
            # a copy: the live tensors go on changing
            course.weights = {k: v.detach().to("cpu", copy=True) for k, v in self.network.state_dict().items()}
        course.train_loss.append(train_loss)
        course.val_loss.append(val_loss)
        self.step, self.total = 0, 0.0

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean squared error over the validation windows, in evaluation mode."""
        self.network.eval()
        total, count = 0.0, 0
        for shard in self.shards:
            count += len(shard.val)
            for part in shard.val.tensor_split(world())[rank()].split(self.plan.batch_size):
                if len(part):
                    total += float(self._squared_error(shard.batch(part)))
        return self._over_processes(total) / count

    def _cause(self) -> str:
        """Why a loss is not finite."""
        for shard in self.shards:
            for part in torch.cat([shard.train, shard.val]).split(self.plan.batch_size):
                batch = shard.batch(part)
                values = {
                    "inputs": batch.frames,
                    "causality degrees": batch.causality,
                    "target values": batch.target,
                }
                for name, tensor in values.items():
                    if tensor is not None and not tensor.isfinite().all():
                        return f"some window holds {name} that are not finite; look for inf or NaN in the data"
        return f"the weights grew without bound; use a learning rate below {self.plan.learning_rate:g}"


def _least() -> int:
    """Windows of a batch: its statistics need two, and each process one."""
    return max(2, world())


def _draw(*key: object) -> int:
    """A seed that is a function of the key."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=7).digest(), "big")
