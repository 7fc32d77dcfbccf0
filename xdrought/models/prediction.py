"""Numbers for many windows: each day's maps are encoded once and shared by the windows that hold the day."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from xdrought.models.framewise import FramewiseNetwork


class Windows(Protocol):
    """What is needed of :class:`xdrought.resident.ResidentCube`."""

    @property
    def cell(self) -> Tensor: ...
    @property
    def start(self) -> Tensor: ...
    @property
    def window(self) -> int: ...
    def __len__(self) -> int: ...
    def gather(self, index: Tensor) -> Tensor: ...
    def frames(self, cell: int) -> Tensor: ...


@torch.no_grad()
def run(network: nn.Module, windows: Windows, causality: Tensor | None, batch_size: int = 512) -> Tensor:
    """Output of the network in evaluation mode for every window, (N,) on the CPU.

    Parameters
    ----------
    network : torch.nn.Module
        On the device of the windows.
    windows : Windows
        Sorted by cell.
    causality : torch.Tensor or None
        (cells, n_causal), indexed by the windows' cell.
    batch_size : int
        Frames, and windows, at a time.
    """
    network.eval()
    if isinstance(network, FramewiseNetwork):
        return _by_frame(network, windows, causality, batch_size)
    parts = torch.arange(len(windows), device=windows.start.device).split(batch_size)
    return torch.cat([network(windows.gather(part)).cpu() for part in parts])


def _by_frame(network: FramewiseNetwork, windows: Windows, causality: Tensor | None, batch_size: int) -> Tensor:
    """Cell by cell: encode the days that some window holds, then run the recurrence over the codes."""
    out = torch.empty(len(windows))
    cells, counts = windows.cell.unique_consecutive(return_counts=True)
    offsets = torch.arange(windows.window, device=windows.start.device)
    first = 0
    for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
        days = windows.start[first : first + count, None] + offsets  # [n, window]
        used, position = days.unique(return_inverse=True)
        frames = windows.frames(cell)
        z = torch.cat([network.encode(frames[part]) for part in used.split(batch_size)])  # [days, n_features]
        degree = None if causality is None else causality[cell]
        outputs = [
            network.recur(z[part], None if degree is None else degree.expand(len(part), -1))
            for part in position.split(batch_size)
        ]
        out[first : first + count] = torch.cat(outputs).cpu()
        first += count
    return out
