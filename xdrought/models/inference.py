"""Networks rearranged for forecasts: the same numbers to rounding, in fewer passes over memory."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.fusion import fuse_conv_bn_eval

from xdrought.models.own import OwnNetwork
from xdrought.models.resattcaurec import CBAM


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
