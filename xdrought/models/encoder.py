"""From one day's maps to one number for each driver: residual units, with attention or not, or a mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xdrought.models.attention import CBAM
from xdrought.models.norm import BatchNorm2d, Counted, Stack


class ResidualUnit(Counted, nn.Module):
    """conv - BN - ReLU - conv - BN - attention, added to the input, ReLU; a stride halves the map."""

    def __init__(self, n_in: int, n_out: int, stride: int, attention: bool, released: bool):
        super().__init__()
        self.body = Stack(
            nn.Conv2d(n_in, n_out, 3, stride, padding=1),
            BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1),
            BatchNorm2d(n_out),
        )
        self.attention = CBAM(n_out, released=released) if attention else nn.Identity()
        same = stride == 1 and n_in == n_out
        self.shortcut = Stack() if same else Stack(nn.Conv2d(n_in, n_out, 1, stride), BatchNorm2d(n_out))

    def forward(self, x: Tensor, counts: Tensor | None = None) -> Tensor:
        return (self.attention(self.body(x, counts)) + self.shortcut(x, counts)).relu()


class FrameEncoder(Counted, nn.Module):
    """A stem, two residual units for each width (the first of a new width halves the map), mean, projection.

    At the published size (12 drivers, widths 64 and 128) 693,720 parameters. Maps of any size, also 1 x 1.

    Parameters
    ----------
    n_features : int
        Drivers, and numbers given for each frame.
    widths : sequence of int
        Channels of the stages.
    attention, released : bool
        Attention in each unit, and whether it is the released code's.
    """

    def __init__(
        self,
        n_features: int,
        widths: Sequence[int] = (64, 128),
        attention: bool = True,
        released: bool = False,
    ):
        super().__init__()
        self.stem = Stack(nn.Conv2d(n_features, widths[0], 3, padding=1), BatchNorm2d(widths[0]), nn.ReLU())
        units: list[nn.Module] = []
        for before, width in zip([widths[0], *widths[:-1]], widths, strict=True):
            units.append(ResidualUnit(before, width, 1 if not units else 2, attention, released))
            units.append(ResidualUnit(width, width, 1, attention, released))
        self.units = Stack(*units)
        self.project = nn.Linear(widths[-1], n_features)

    def forward(self, frames: Tensor, counts: Tensor | None = None) -> Tensor:
        """(N, n_features, H, W), each there `counts` (N,) times, to (N, n_features)."""
        frames = frames.contiguous(memory_format=torch.channels_last)  # convolutions are faster
        return self.project(self.units(self.stem(frames, counts), counts).mean((2, 3)))


class CentreMean(Counted, nn.Module):
    """Mean of the central cells: four of an even size, one of an odd size. No parameters."""

    def forward(self, frames: Tensor, counts: Tensor | None = None) -> Tensor:
        """(N, n_features, H, W) to (N, n_features)."""
        rows, columns = (slice((n - 1) // 2, n // 2 + 1) for n in frames.shape[2:])
        return frames[:, :, rows, columns].mean((2, 3))
