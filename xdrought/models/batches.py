"""Numbers for many windows: each day's maps are encoded once and shared by the windows that hold the day.

Forecasts are made by a rearranged network, which gives the same numbers to rounding in fewer passes over memory.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.fusion import fuse_conv_bn_eval

from xdrought.models.lead_days import LeadDaysNetwork
from xdrought.models.own import OwnNetwork
from xdrought.models.resattcaurec import CBAM, FramewiseNetwork

if TYPE_CHECKING:
    from xdrought.windows.tensors import LeadWeather, ResidentCube


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
        (N,), or (N, leads) with NaN where a lead has none.
    ahead : torch.Tensor or None
        (N, lead, variable) the weather of the lead days, for networks that read it.
    """

    frames: Tensor
    position: Tensor
    counts: Tensor
    causality: Tensor | None
    target: Tensor
    ahead: Tensor | None = None


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
    def batch(self, index: Tensor, seed: int = 0, learning: bool = False) -> Batch:
        """The windows at some positions; `seed` draws the member of the lead days' weather where there are several.

        When `learning`, it also draws the drivers that are taken out.
        """


class SharedDays(nn.Module):
    """A network for batches that hold each day once; the same numbers and gradients as window by window."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(
        self,
        frames: Tensor,
        position: Tensor,
        counts: Tensor,
        causality: Tensor | None,
        ahead: Tensor | None = None,
    ) -> Tensor:
        """The fields of a :class:`Batch` to (N,), and of several leads or quantiles to (N, ...)."""
        if not isinstance(self.network, FramewiseNetwork):
            return self.network(frames[position], causality)
        z = self.network.encode(frames, counts)  # [F, n_features]
        if isinstance(self.network, LeadDaysNetwork):
            return self.network.recur(z[position], causality, ahead)
        return self.network.recur(z[position], causality)


def cut(order: Tensor, batch_size: int, least: int) -> list[Tensor]:
    """Batches in order; a last one of fewer than `least` windows joins its neighbour."""
    parts = list(order.split(batch_size))
    if len(parts) > 1 and len(parts[-1]) < least:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


MAPS = 64  # maps at a time on a CPU, so that they stay in its cache
DAYS = 2**18  # days of cells whose codes are held at a time


@torch.no_grad()
def run(
    network: nn.Module,
    windows: ResidentCube,
    causality: Tensor | None,
    batch_size: int = 512,
    ahead: LeadWeather | None = None,
) -> Tensor:
    """Output of the network in evaluation mode for every window, on the CPU: (N,), of quantiles (N, quantile).

    A network that goes on over the lead days gives (N, member, lead[, quantile]); each window is read once for all
    members.

    Every batch has the same shape (the last is filled up with repeats), so a window's number does not depend,
    to the last bit, on which other windows there are.

    Parameters
    ----------
    network : torch.nn.Module
        On the device of the windows; a rearranged copy of it is run.
    windows : ResidentCube
        Sorted by cell.
    causality : torch.Tensor or None
        (cells, n_causal), indexed by the windows' cell.
    batch_size : int
        Windows at a time; on a GPU eight times as many maps.
    ahead : LeadWeather, optional
        Weather of the lead days, by the windows' cell and last day.
    """
    network = rearranged(network)
    n_maps = MAPS if windows.cube.device.type == "cpu" else 8 * batch_size
    if not isinstance(network, FramewiseNetwork):
        every = torch.arange(len(windows), device=windows.start.device)

        def answer(part: Tensor) -> Tensor:
            of_places = None if causality is None else causality[windows.cell[part]]
            out = network(windows.gather(part), of_places)
            return out[:, None] if out.ndim > 1 else out  # of several leads one member

        return _in_batches(answer, every, n_maps).cpu()
    parts = [_by_frame(network, part, causality, batch_size, n_maps, ahead) for part in _groups_of_cells(windows)]
    return torch.cat(parts).cpu() if parts else torch.empty(0)


def _groups_of_cells(windows: ResidentCube) -> Iterator[ResidentCube]:
    """The windows of some cells at a time."""
    group = windows.cell // _cells_at_once(windows)
    first = 0
    for count in group.unique_consecutive(return_counts=True)[1].tolist():
        part = slice(first, first + count)
        yield replace(windows, cell=windows.cell[part], start=windows.start[part], target=None)
        first += count


def _by_frame(
    network: FramewiseNetwork,
    windows: ResidentCube,
    causality: Tensor | None,
    batch_size: int,
    n_maps: int,
    ahead: LeadWeather | None,
) -> Tensor:
    """Encode the days that some window holds, once each, then run the recurrence over the codes."""
    offsets = torch.arange(windows.window, device=windows.start.device)
    day = ((windows.cell - windows.cell[0]) * _n_days(windows) + windows.start)[:, None] + offsets  # [N, window]
    held = torch.zeros(_cells_at_once(windows) * _n_days(windows), dtype=torch.bool, device=day.device)
    held[day] = True
    used = held.nonzero()[:, 0]
    position = (held.cumsum(0) - 1)[day]  # [N, window], into the codes
    maps = replace(
        windows, cell=used // _n_days(windows) + windows.cell[0], start=used % _n_days(windows), target=None, window=1
    )
    each = torch.arange(len(used), device=day.device)
    codes = _in_batches(lambda part: network.encode(maps.gather(part)[:, 0]), each, n_maps)  # [days, n_features]
    if windows.filling is not None and windows.filling.by_window:
        has_missing = torch.cat([maps.has_missing(part)[:, 0] for part in each.split(n_maps)])
        codes, position = _with_own_days(network, windows, codes, position, has_missing[position], batch_size, n_maps)

    def recur(part: Tensor) -> Tensor:
        cell = windows.cell[part]
        of_places = None if causality is None else causality[cell]
        if not isinstance(network, LeadDaysNetwork):
            return network.recur(codes[position[part]], of_places)
        state = network.read(codes[position[part]], of_places)
        if ahead is None:
            return network.answer_ahead(state)[:, None]
        last = windows.start[part] + windows.window - 1
        # one member after the other: all at once would not fit into the cache
        members = (ahead.of_member(cell, last, k) for k in range(ahead.n_members))
        return torch.stack([network.answer_ahead(state, member) for member in members], 1)

    return _in_batches(recur, torch.arange(len(windows), device=day.device), batch_size)


def _with_own_days(
    network: FramewiseNetwork,
    windows: ResidentCube,
    codes: Tensor,
    position: Tensor,
    own: Tensor,
    batch_size: int,
    n_maps: int,
) -> tuple[Tensor, Tensor]:
    """Codes and positions (N, window) where the days `own` (N, window) are encoded as each window fills them."""
    found, n_codes, position, some = [codes], len(codes), position.clone(), own.any(1).nonzero()[:, 0]
    for part in some.split(batch_size) if len(some) else ():
        maps = windows.gather(part)[own[part]]
        each = torch.arange(len(maps), device=maps.device)
        found.append(_in_batches(partial(_encoded, network, maps), each, n_maps))
        position[part] = position[part].masked_scatter(own[part], n_codes + each)
        n_codes += len(maps)
    return torch.cat(found), position


def _encoded(network: FramewiseNetwork, maps: Tensor, at: Tensor) -> Tensor:
    return network.encode(maps[at])


def _in_batches(function: Callable[[Tensor], Tensor], index: Tensor, n: int) -> Tensor:
    """``function(index)``, always called with `n` positions at a time."""
    filled = torch.cat([index, index[-1:].expand(-len(index) % n)])
    return torch.cat([function(part) for part in filled.split(n)])[: len(index)]


def _cells_at_once(windows: ResidentCube) -> int:
    """Cells of a group."""
    shape = windows.cube.shape
    return max(1, min(DAYS // _n_days(windows), shape[2] * shape[3] if windows.on_grid else shape[0]))


def _n_days(windows: ResidentCube) -> int:
    """Days of the record."""
    return windows.cube.shape[0 if windows.on_grid else 1]


class QuickAttention(nn.Module):
    """A :class:`CBAM` for maps of a few cells, channels last: its products are on (N, cells, channels).

    It stays on the device and at the precision where it was made.
    """

    def __init__(self, block: CBAM):
        super().__init__()
        self.released, self.spatial = block.released, block.spatial
        first, second = block.channel[0], block.channel[2]
        assert isinstance(first, nn.Conv2d)
        assert isinstance(second, nn.Conv2d)
        self.inwards, self.outwards = first.weight.flatten(1).T.contiguous(), second.weight.flatten(1).T.contiguous()
        self.gates: dict[torch.Size, Tensor] = {}

    def forward(self, f: Tensor) -> Tensor:
        maps = f.permute(0, 2, 3, 1).flatten(1, 2)  # [N, cells, C], no copy of maps with channels last
        mean, peak = maps.mean(1), maps.amax(1)  # each [N, C]
        hidden = (mean @ self.inwards).relu_() + (peak @ self.inwards).relu_()
        f1 = maps * torch.sigmoid(hidden @ self.outwards)[:, None]
        planes = [f1.mean(2), f1.amax(2)]  # each [N, cells]
        gate = torch.cat(planes[::-1] if self.released else planes, 1) @ self._gate(f.shape[2:])
        if self.spatial.bias is not None:
            gate = gate.add_(self.spatial.bias)
        f1 *= torch.sigmoid(gate)[:, :, None]
        if self.released:
            f1 += maps
        return f1.unflatten(1, f.shape[2:]).permute(0, 3, 1, 2)

    def _gate(self, size: torch.Size) -> Tensor:
        """The convolution of Eq. 3 as a matrix (2 cells, cells)."""
        if size not in self.gates:
            cells = size[0] * size[1]
            weight = self.spatial.weight
            each = torch.eye(2 * cells, dtype=weight.dtype, device=weight.device).view(2 * cells, 2, *size)
            self.gates[size] = conv2d(each, weight, padding=3).flatten(1)
        return self.gates[size]


@torch.no_grad()
def rearranged(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode: batch normalisation folded into the convolutions, ReLU in place, channels last."""
    network = copy.deepcopy(network).eval().requires_grad_(False)
    if isinstance(network, OwnNetwork):
        return network  # a layer may be used twice in it
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, CBAM):
                setattr(module, name, QuickAttention(child))
        if isinstance(module, nn.Sequential):
            for at in range(len(module) - 1):
                first, second = module[at], module[at + 1]
                if isinstance(first, _ConvNd) and isinstance(second, _BatchNorm):
                    module[at], module[at + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
                elif isinstance(second, nn.ReLU):
                    second.inplace = True
    if all(p.ndim <= 4 for p in network.parameters()):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
