"""The convolutional block attention module (CBAM)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CBAM(nn.Module):
    """Weights for channels, then for places: F' = M_C(F) F, F'' = M_S(F') F'.

    Eq. 1-3 of Tang et al. 2025; Woo et al. 2018, doi:10.1007/978-3-030-01234-2_1.

    Parameters
    ----------
    channels : int
        Channels C of the maps (N, C, H, W).
    reduction : int
        The hidden layer of the shared perceptron has ``channels // reduction`` units (not said in the paper:
        8).
    released : bool
        As the authors' code: F is added to the result, and the maximum is the first of the two planes.
    """

    def __init__(self, channels: int, reduction: int = 8, released: bool = False):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.released = released
        self.channel = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, channels, 1, bias=False)
        )
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, f: Tensor) -> Tensor:
        mean, peak = f.mean((2, 3), keepdim=True), f.amax((2, 3), keepdim=True)  # [N, C, 1, 1]
        g = torch.sigmoid(self.channel(mean) + self.channel(peak)) * f
        planes = [g.mean(1, keepdim=True), g.amax(1, keepdim=True)]  # each [N, 1, H, W]
        if self.released:
            return torch.sigmoid(self.spatial(torch.cat(planes[::-1], 1))) * g + f
        return torch.sigmoid(self.spatial(torch.cat(planes, 1))) * g
