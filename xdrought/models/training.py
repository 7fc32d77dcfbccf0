"""The training loop on tensors: Adam on a loss of :mod:`xdrought.models.losses`, keeping the best validation epoch.

Every random draw is a function of (seed, epoch, step) and comes from the training's own generators. A training that
continues from a checkpoint therefore needs no random state and draws the same numbers, and trainings in several threads
do not disturb each other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from xdrought.models.batches import Batch, Shard, SharedDays, cut
from xdrought.models.losses import Loss, loss_function, total_loss
from xdrought.models.norm import all_sum, rank, world
from xdrought.models.own import OwnNetwork, global_seed
from xdrought.models.resattcaurec import Dropout, FramewiseNetwork

Sampler = Callable[[Tensor, Tensor, int, torch.Generator], Tensor]


def independent(cell: Tensor, start: Tensor, block_length: int, generator: torch.Generator) -> Tensor:
    """Shuffle all windows, as the paper does."""
    return torch.randperm(len(start), generator=generator)


def consecutive(cell: Tensor, start: Tensor, block_length: int, generator: torch.Generator) -> Tensor:
    """Shuffle blocks of up to `block_length` windows of one cell that start on consecutive days.

    n windows of a block hold n + window - 1 days instead of n * window. The days at which blocks begin are drawn again
    in every epoch, so that no two windows stay together, or apart, for a whole training.

    Parameters
    ----------
    cell, start : torch.Tensor
        (N,) cell and first day of each window, sorted by cell and day, on the CPU.
    block_length : int
        Windows of a block.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    torch.Tensor
        (N,) permutation of the positions.
    """
    begins = torch.ones(len(start), dtype=torch.bool)
    begins[1:] = (cell.diff() != 0) | (start.diff() != 1)
    stretch = begins.cumsum(0) - 1  # number of the unbroken series of days that a window belongs to
    first = begins.nonzero()[:, 0]
    phase = torch.randint(block_length, (len(first),), generator=generator)
    place = torch.arange(len(start)) - first[stretch] + phase[stretch]
    begins |= place % block_length == 0
    block = begins.cumsum(0) - 1
    place_of_block = torch.randperm(int(begins.sum()), generator=generator)
    return torch.argsort(place_of_block[block], stable=True)


SAMPLERS: dict[str, Sampler] = {"independent": independent, "consecutive": consecutive}


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training.

    Parameters
    ----------
    epochs, batch_size : int
        Passes over the training windows, and windows in a step of Adam.
    learning_rate : float
        Step size of Adam.
    sampler : {"independent", "consecutive"}
        Which windows share a batch: see :func:`independent` and :func:`consecutive`.
    block_length : int
        Windows of a block of the "consecutive" sampler.
    mixed_precision : bool
        Compute in bfloat16 where torch's autocast does; used on a GPU only.
    compile : bool
        Compile the encoder; used on a GPU only.
    weight_decay, clip, schedule, patience, freeze
        See :class:`xdrought.TrainingOptions`.
    save_every : int
        Batches between two checkpoints within an epoch.
    quantiles : tuple of float
        Levels of the quantiles that the network gives; none where it gives one value.
    loss : str or callable
        "mse", which of quantiles is the pinball loss, "gaussian_crps", "survival" of log odds of hazards, or a function
        of prediction and target.
    keep : {"best", "last"}
        Weights of which epoch are kept: the one with the lowest validation loss, or the last.
    """

    epochs: int = 50
    batch_size: int = 512
    learning_rate: float = 1e-4
    sampler: str = "independent"
    block_length: int = 16
    mixed_precision: bool = False
    compile: bool = False
    save_every: int = 100
    quantiles: tuple[float, ...] = ()
    keep: str = "best"
    weight_decay: float = 0.0
    clip: float | None = None
    schedule: str = "constant"
    patience: int | None = None
    loss: str | Loss = "mse"
    freeze: tuple[str, ...] = ()


@dataclass
class History:
    """The mean losses of each epoch, the epoch of the lowest validation loss, and a copy of the kept weights."""

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    best_epoch: int = -1
    weights: dict[str, Tensor] = field(default_factory=dict)


class Training:
    """The training of one network, which can be saved and continued after every batch.

    Parameters
    ----------
    network : torch.nn.Module
        The network, on its device. It is trained in place.
    shards : sequence of Shard
        The windows. An epoch visits one shard after the other, in a new order each time.
    config : TrainingConfig
        Epochs, batch size, learning rate, sampler.
    seed : int
        Seed of the order of the windows and of dropout.

    Attributes
    ----------
    history : History
        The epochs so far.
    step : int
        Batches done in the present epoch.
    total : torch.Tensor
        Sum of their losses, float64 on the device. These three and the states of `network` and `optimiser` are
        all that a checkpoint must hold.
    """

    def __init__(self, network: nn.Module, shards: Sequence[Shard], config: TrainingConfig, seed: int):
        self.network, self.shards, self.config, self.seed = network, shards, config, seed
        self.device = next(network.parameters()).device
        self.loss = loss_function(config.loss, config.quantiles)
        self.frozen = frozen_modules(network, config.freeze) if config.freeze else []
        self.dropout_generator = torch.Generator(self.device)
        for module in network.modules():
            if isinstance(module, Dropout):
                module.generator = self.dropout_generator
        if config.compile and self.device.type == "cuda" and isinstance(network, FramewiseNetwork):
            network.encoder.compile(dynamic=True)
        self.model: nn.Module = SharedDays(network)
        if world() > 1:
            self.model = DistributedDataParallel(self.model)
        # On a GPU one kernel updates all parameters, and the number of the step stays on the device.
        on_gpu: dict[str, Any] = {"fused": True, "capturable": True} if self.device.type == "cuda" else {}
        learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.Adam(learning, lr=config.learning_rate, weight_decay=config.weight_decay, **on_gpu)
        self.history, self.step, self.total = History(), 0, self._zero()

    @property
    def epoch(self) -> int:
        return len(self.history.val_loss)

    def run(
        self,
        on_batch: Callable[[Tensor], None] = lambda loss: None,
        on_epoch: Callable[[float, float], None] = lambda train_loss, val_loss: None,
        save: Callable[[Training], None] = lambda training: None,
    ) -> History:
        """Train to the end of the last epoch.

        Parameters
        ----------
        on_batch, on_epoch : callable
            Called with this process's loss after each batch, a tensor on the device: reading its value waits for the
            GPU. Then with the two losses after each epoch.
        save : callable
            Called at the end of each epoch and every `config.save_every` batches.

        Raises
        ------
        FloatingPointError
            When a loss is not finite, with the likely cause.
        """
        while not self.is_done:
            for k, index in self._remaining_batches():
                mine, seed = index.tensor_split(world())[rank()], _seed_of(self.seed, "member", self.epoch, self.step)
                loss = self._learn(self.shards[k].batch(mine, seed, learning=True), len(index))
                self.total += loss * len(index)
                self.step += 1
                on_batch(loss)
                if not self.step % self.config.save_every:
                    save(self)
            self._end_epoch()
            on_epoch(self.history.train_loss[-1], self.history.val_loss[-1])
            save(self)
        return self.history

    @property
    def is_done(self) -> bool:
        """Whether all epochs are done, or the last `patience` of them were in vain."""
        patience, vain = self.config.patience, self.epoch - 1 - self.history.best_epoch
        return self.epoch >= self.config.epochs or (patience is not None and self.epoch > 0 and vain >= patience)

    @property
    def n_batches(self) -> int:
        """Batches of an epoch."""
        return sum(len(cut(shard.train, self.config.batch_size, _least())) for shard in self.shards if len(shard.train))

    def _remaining_batches(self) -> Iterator[tuple[int, Tensor]]:
        """Shard and positions of the windows of each batch that this epoch has still to do."""
        generator = torch.Generator().manual_seed(_seed_of(self.seed, "order", self.epoch))
        batches = []
        for k in torch.randperm(len(self.shards), generator=generator).tolist():
            shard = self.shards[k]
            sampler, train = SAMPLERS[self.config.sampler], shard.train
            if not len(train):
                continue
            order = sampler(shard.cell[train], shard.start[train], self.config.block_length, generator)
            batches += [(k, part) for part in cut(train[order], self.config.batch_size, _least())]
        yield from batches[self.step :]

    def _learn(self, batch: Batch, n: int) -> Tensor:
        """Take one step of Adam on this process's part of a batch of `n` windows; gives its part of the mean loss."""
        self.network.train()
        for module in self.frozen:
            module.eval()  # the statistics of batch normalisation stay, too
        self.dropout_generator.manual_seed(_seed_of(self.seed, "dropout", self.epoch, self.step, rank()))
        if batch.target.ndim > 1:
            n = max(1, int(all_sum(_n_known(batch.target))))
        own = isinstance(self.network, OwnNetwork)
        seed = _seed_of(self.seed, "own", self.epoch, self.step, rank())
        with global_seed(seed, self.device) if own else nullcontext():
            error = self._error(batch)
        loss = world() * error / n  # DistributedDataParallel takes the mean over processes
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        if self.config.schedule == "cosine":
            done = (self.epoch + self.step / self.n_batches) / self.config.epochs
            for group in self.optimiser.param_groups:
                group["lr"] = self.config.learning_rate * (1 + math.cos(math.pi * done)) / 2
        self.optimiser.step()
        return loss.detach().double() / world()

    def _error(self, batch: Batch) -> Tensor:
        """Sum of the loss over the known targets of a batch."""
        model = self.model if self.network.training else self.model_here
        mixed = self.config.mixed_precision and self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            output = model(batch.frames, batch.position, batch.counts, batch.causality, batch.ahead)
        output = output.to(batch.target.dtype)
        # a single target is there, or spoils the loss
        known = batch.target.isfinite() if batch.target.ndim > 1 else None
        target = batch.target if known is None else batch.target.where(known, 0.0)
        return total_loss(self.loss, output, target, known)

    def epoch_total(self) -> float:
        """Sum of the losses of the batches done in this epoch, over all processes."""
        return self._over_processes(self.total)

    def resume_total(self, total: float) -> None:
        """Continue from a sum that :meth:`epoch_total` gave."""
        self.total = self._zero() + (total if rank() == 0 else 0.0)

    def _over_processes(self, total: Tensor) -> float:
        return float(all_sum(total))

    def _zero(self) -> Tensor:
        """The start of a sum of losses, which stays on the device: a GPU waits for nobody to read it."""
        return torch.zeros((), dtype=torch.float64, device=self.device)

    @property
    def model_here(self) -> nn.Module:
        """The network for shared days, without the wrapper that joins the other processes."""
        return self.model.module if isinstance(self.model, DistributedDataParallel) else self.model

    def _end_epoch(self) -> None:
        """Append both losses to the history, and copy the weights to the CPU if they are to be kept so far."""
        history, n_train = self.history, sum(len(shard.train) for shard in self.shards)
        train_loss = self.epoch_total() / n_train
        val_loss = self.validation_loss()
        if not torch.tensor([train_loss, val_loss]).isfinite().all():
            losses = (train_loss, val_loss)
            raise FloatingPointError(
                f"the loss is {losses} (training, validation) in epoch {self.epoch}: {self._cause()}"
            )
        best = not history.val_loss or val_loss < min(history.val_loss)
        if best:
            history.best_epoch = self.epoch
        if best or self.config.keep == "last":
            # A copy, because the live tensors change with the next step.
            history.weights = {k: v.detach().to("cpu", copy=True) for k, v in self.network.state_dict().items()}
        history.train_loss.append(train_loss)
        history.val_loss.append(val_loss)
        self.step, self.total = 0, self._zero()

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean loss over the known targets of the validation windows, in evaluation mode."""
        self.network.eval()
        total, count = self._zero(), self._zero()
        for shard in self.shards:
            for part in shard.val.tensor_split(world())[rank()].split(self.config.batch_size):
                if len(part):
                    batch = shard.batch(part, _seed_of(self.seed, "member", "val"))
                    total += self._error(batch)
                    count += _n_known(batch.target)
        return self._over_processes(total) / self._over_processes(count)

    def _cause(self) -> str:
        """Say why a loss is not finite."""
        for shard in self.shards:
            for part in torch.cat([shard.train, shard.val]).split(self.config.batch_size):
                batch = shard.batch(part)
                values = {
                    "inputs": batch.frames,
                    "causality degrees": batch.causality,
                    "target values": batch.target,
                }
                for name, tensor in values.items():
                    if tensor is not None and not tensor.isfinite().all():
                        return f"some window holds {name} that are not finite; look for inf or NaN in the data"
        return f"the weights grew without bound; use a learning rate below {self.config.learning_rate:g}"


def _n_known(target: Tensor) -> Tensor:
    """How many targets of a batch are there; of single ones all."""
    return target.isfinite().sum() if target.ndim > 1 else torch.tensor(len(target), device=target.device)


def _least() -> int:
    """Fewest windows of a batch: its statistics need two, and each process needs one."""
    return max(2, world())


def _seed_of(*key: object) -> int:
    """A seed that depends on nothing but the key."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=7).digest(), "big")


def frozen_modules(network: nn.Module, names: Iterable[str]) -> list[nn.Module]:
    """The modules of these names, whose parameters are no longer trained from here on.

    Raises
    ------
    ValueError
        For a name that is no part of the network, or when nothing is left to train.
    """
    network = network.own if isinstance(network, OwnNetwork) else network
    modules = dict(network.named_modules())
    there = [name for name, module in modules.items() if name and any(True for _ in module.parameters())]
    result = []
    for name in names:
        if name not in there:
            parts = [part for part in there if "." not in part]
            raise ValueError(
                f"freeze names {name!r}, which is no part of the network; choose from {parts}, or one of "
                f"their parts, e.g. {there[-1]!r}"
            )
        result.append(modules[name].requires_grad_(False))
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ValueError(f"freeze={list(names)} leaves nothing to train; leave a part out, e.g. {there[-1]!r}")
    return result
