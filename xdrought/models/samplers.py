"""Orders in which an epoch meets the training windows; consecutive entries go into one batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Sampler = Callable[[Tensor, Tensor, int, torch.Generator], Tensor]


def independent(cell: Tensor, start: Tensor, run_length: int, generator: torch.Generator) -> Tensor:
    """All windows shuffled, as the paper does it."""
    return torch.randperm(len(start), generator=generator)


def runs(cell: Tensor, start: Tensor, run_length: int, generator: torch.Generator) -> Tensor:
    """Runs of up to `run_length` windows of one cell, each a day after the one before, shuffled as wholes.

    n windows of a run hold n + window - 1 days instead of n * window. Where runs are cut is drawn anew each
    time, so that no two windows are kept apart, or together, for a whole training.

    Parameters
    ----------
    cell, start : torch.Tensor
        (N,) cell and first day of each window, sorted by cell and day, on the CPU.
    run_length : int
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
    phase = torch.randint(run_length, (len(first),), generator=generator)
    place = torch.arange(len(start)) - first[stretch] + phase[stretch]
    begins |= place % run_length == 0
    run = begins.cumsum(0) - 1
    rank = torch.randperm(int(begins.sum()), generator=generator)
    return torch.argsort(rank[run], stable=True)


SAMPLERS: dict[str, Sampler] = {"independent": independent, "runs": runs}
