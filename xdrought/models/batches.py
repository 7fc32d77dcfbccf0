"""Batches that hold each day's maps once, and networks that are fed with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from xdrought.models.framewise import FramewiseNetwork


@dataclass(frozen=True)
class Batch:
    """N windows over F different days of places.

    Parameters
    ----------
    frames : torch.Tensor
        (F, n_features, size, size) the maps of each day.
    position : torch.Tensor
        (N, window) which of them a window's days are.
    counts : torch.Tensor
        (F,) how many windows hold each.
    causality : torch.Tensor or None
        (N, n_causal).
    target : torch.Tensor
        (N,).
    """

    frames: Tensor
    position: Tensor
    counts: Tensor
    causality: Tensor | None
    target: Tensor


class Shard(Protocol):
    """The windows of some places, sorted by cell and day; their maps are read when they are asked for."""

    @property
    def cell(self) -> Tensor: ...
    @property
    def start(self) -> Tensor: ...
    @property
    def train(self) -> Tensor: ...
    @property
    def val(self) -> Tensor: ...
    def batch(self, index: Tensor) -> Batch: ...


class SharedDays(nn.Module):
    """A network for batches that hold each day once; the same numbers and gradients as window by window."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor, position: Tensor, counts: Tensor, causality: Tensor | None) -> Tensor:
        """The fields of a :class:`Batch` to (N,)."""
        if not isinstance(self.network, FramewiseNetwork):
            return self.network(frames[position], causality)
        z = self.network.encode(frames, counts)  # [F, n_features]
        return self.network.recur(z[position], causality)


def cut(order: Tensor, batch_size: int, least: int) -> list[Tensor]:
    """Batches in order; a last one of fewer than `least` windows joins its neighbour."""
    parts = list(order.split(batch_size))
    if len(parts) > 1 and len(parts[-1]) < least:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
