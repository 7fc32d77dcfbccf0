"""The benchmark U-Net: days and cells are convolved together."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool3d

from xdrought.models.norm import BatchNorm3d


def _pair(n_in: int, n_out: int) -> nn.Sequential:
    """Two 3 x 3 x 3 convolutions, each with BN and ReLU."""
    layers: list[nn.Module] = []
    for before in (n_in, n_out):
        layers += [nn.Conv3d(before, n_out, 3, padding=1), BatchNorm3d(n_out), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Stages down with max pooling between, one below, stages up beside the maps of the way down.

    848,473 parameters with 12 drivers. At 15 x 10 x 10 the deepest maps are 1 x 1 x 1, where only the middle
    of each kernel meets data: 45 % of the weights never get a gradient. Causality is ignored.

    Parameters
    ----------
    n_features : int
        Drivers.
    widths : sequence of int
        Channels of the stages down.
    """

    def __init__(self, n_features: int, widths: tuple[int, ...] = (24, 32, 40, 64)):
        super().__init__()
        self.down = nn.ModuleList(_pair(a, b) for a, b in zip((n_features, *widths[:-1]), widths, strict=True))
        self.middle = _pair(widths[-1], widths[-1])
        steps = list(zip(widths[:0:-1], widths[-2::-1], strict=True))  # (64, 40), (40, 32), (32, 24)
        self.rise = nn.ModuleList(nn.ConvTranspose3d(a, b, 2, stride=2) for a, b in steps)
        self.up = nn.ModuleList(_pair(2 * b, b) for _, b in steps)
        self.head = nn.Linear(widths[0], 1)

    def forward(self, x: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, window, n_features, size, size) to (N,)."""
        x = x.transpose(1, 2)  # [N, n_features, window, size, size]
        x = x.contiguous(memory_format=torch.channels_last_3d)  # convolutions are faster in this layout
        skips: list[Tensor] = []
        for stage in self.down:
            x = stage(max_pool3d(skips[-1], 2) if skips else x)
            skips.append(x)
        x = self.middle(x)
        for rise, stage, skip in zip(self.rise, self.up, skips[-2::-1], strict=True):
            x = stage(torch.cat([skip, interpolate(rise(x), size=skip.shape[2:])], 1))
        return self.head(x.mean((2, 3, 4))).squeeze(1)
