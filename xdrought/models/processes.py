"""Sums over the processes that train together; alone, the values as they are."""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if world() > 1 else 0


def all_sum(values: Tensor) -> Tensor:
    """Sum over the processes, the same on each."""
    if world() > 1:
        values = values.clone()
        dist.all_reduce(values)
    return values
