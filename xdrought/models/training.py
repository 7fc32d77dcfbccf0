"""The training loop on tensors: Adam, mean squared error, and the best validation epoch truly kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

Sample = Callable[[Tensor], tuple[Tensor, Tensor | None, Tensor]]


@dataclass(frozen=True)
class Plan:
    """How to train."""

    epochs: int = 50
    batch_size: int = 512
    learning_rate: float = 1e-4


@dataclass
class Course:
    """What happened: the mean loss of each epoch, and the weights of the best one, copied to the CPU."""

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    best_epoch: int = -1
    weights: dict[str, Tensor] = field(default_factory=dict)


def train_network(
    network: nn.Module,
    sample: Sample,
    train: Tensor,
    val: Tensor,
    plan: Plan,
    *,
    generator: torch.Generator,
    on_epoch: Callable[[float, float], None] = lambda train_loss, val_loss: None,
    caller: str = "train_network",
) -> Course:
    """Train in place; the best weights are in the result.

    Parameters
    ----------
    network : torch.nn.Module
        ``network(x, causality)`` gives (N,).
    sample : callable
        From positions (N,) to (x, causality, y).
    train, val : torch.Tensor
        (n,) positions of the training and validation windows.
    plan : Plan
        Epochs, batch size, learning rate.
    generator : torch.Generator
        Shuffles the windows, on the CPU; dropout uses torch's own state.
    on_epoch : callable
        Told the two losses after each epoch.
    caller : str
        Name for the error text.

    Raises
    ------
    FloatingPointError
        When a loss is not finite, with the likely cause.
    """
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.learning_rate)
    course = Course()
    for epoch in range(plan.epochs):
        order = torch.randperm(len(train), generator=generator).to(train.device)
        losses = (
            _train_epoch(network, sample, train[order], plan, optimiser),
            mean_loss(network, sample, val, plan.batch_size),
        )
        if not all(torch.isfinite(torch.tensor(losses))):
            cause = _cause(sample, torch.cat([train, val]), plan)
            raise FloatingPointError(f"{caller}: the loss is {losses} (training, validation) in epoch {epoch}: {cause}")
        course.train_loss.append(losses[0])
        course.val_loss.append(losses[1])
        if losses[1] == min(course.val_loss) and losses[1] not in course.val_loss[:-1]:
            course.best_epoch = epoch
            # a copy: the live tensors go on changing
            course.weights = {k: v.detach().to("cpu", copy=True) for k, v in network.state_dict().items()}
        on_epoch(*losses)
    return course


@torch.no_grad()
def mean_loss(network: nn.Module, sample: Sample, index: Tensor, batch_size: int) -> float:
    """Mean squared error over windows, in evaluation mode."""
    network.eval()
    total = 0.0
    for part in index.split(batch_size):
        x, causality, y = sample(part)
        total += float((network(x, causality) - y).square().sum())
    return total / len(index)


def _train_epoch(
    network: nn.Module, sample: Sample, order: Tensor, plan: Plan, optimiser: torch.optim.Optimizer
) -> float:
    """One pass; the mean over windows of the loss met on the way."""
    network.train()
    total = 0.0
    for part in _batches(order, plan.batch_size):
        x, causality, y = sample(part)
        loss = (network(x, causality) - y).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += float(loss.detach()) * len(part)
    return total / len(order)


def _batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """Batches in order; a last one of a single window joins its neighbour, for batch statistics need two."""
    parts = list(order.split(batch_size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def _cause(sample: Sample, index: Tensor, plan: Plan) -> str:
    """Why a loss is not finite."""
    for part in index.split(plan.batch_size):
        x, causality, y = sample(part)
        for name, values in (("inputs", x), ("causality degrees", causality), ("target values", y)):
            if values is not None and not torch.isfinite(values).all():
                return f"some window holds {name} that are not finite; look for inf or NaN in the data"
    return f"the weights grew without bound; use a learning rate below {plan.learning_rate:g}"
