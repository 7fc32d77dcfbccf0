"""The published network restated plainly, and its loop: windows cut one by one, every day encoded, a Python cell.

A peer for the benchmarks, after the description of the authors' training; parameters have the names of
:func:`xdrought.models.build`, so that weights can be copied.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Attention(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        hidden = width // 8
        self.channel = nn.Sequential(
            nn.Conv2d(width, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, width, 1, bias=False)
        )
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)
        self.mean, self.peak = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.sigmoid(self.channel(self.mean(x)) + self.channel(self.peak(x))) * x
        planes = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
        return torch.sigmoid(self.spatial(planes)) * x


class Unit(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1),
            nn.BatchNorm2d(n_out),
        )
        self.attention = Attention(n_out)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.attention(self.body(x)) + self.shortcut(x))


class Encoder(nn.Module):
    def __init__(self, n_features: int):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(n_features, 64, 3, 1, 1), nn.BatchNorm2d(64), nn.ReLU())
        self.units = nn.Sequential(Unit(64, 64, 1), Unit(64, 64, 1), Unit(64, 128, 2), Unit(128, 128, 1))
        self.project = nn.Linear(128, n_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.units(self.stem(x)).mean((2, 3)))


class Recurrence(nn.Module):
    def __init__(self, n_features: int, n_causal: int):
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTMCell(n_features, 64), nn.LSTMCell(64, 128)])
        self.initial = nn.ModuleList([nn.Linear(n_causal, 64), nn.Linear(n_causal, 128)])

    def forward(self, z: Tensor, causality: Tensor) -> Tensor:
        start = [layer(causality) for layer in self.initial]
        h, c = [torch.zeros_like(s) for s in start], list(start)
        for day in range(z.shape[1]):
            h[0], c[0] = self.cells[0](z[:, day], (h[0], c[0] + start[0]))
            h[1], c[1] = self.cells[1](h[0], (h[1], c[1] + start[1]))
        return h[1]


class PlainNetwork(nn.Module):
    """ResAttCauRec of the published size."""

    def __init__(self, n_features: int = 12, n_causal: int = 96):
        super().__init__()
        self.encoder = Encoder(n_features)
        self.recurrence = Recurrence(n_features, n_causal)
        self.head = nn.Sequential(nn.Linear(128, 64), nn.Linear(64, 1))

    def forward(self, x: Tensor, causality: Tensor) -> Tensor:
        n, days, *frame = x.shape
        z = self.encoder(x.view(n * days, *frame)).view(n, days, -1)
        return self.head(self.recurrence(z, causality)).squeeze(1)


class WindowDataset(Dataset):
    """Item i: a slice of its site's days, the site's causality degree, and the target."""

    def __init__(self, cube: np.ndarray, causality: np.ndarray, target: np.ndarray, window: int, lead: int):
        self.cube, self.causality = torch.from_numpy(cube), torch.from_numpy(causality)
        self.target, self.window, self.lead = torch.from_numpy(target), window, lead
        self.per_site = cube.shape[1] - window - lead + 1

    def __len__(self) -> int:
        return len(self.cube) * self.per_site

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        site, day = divmod(i, self.per_site)
        target = self.target[site, day + self.window - 1 + self.lead]
        return self.cube[site, day : day + self.window], self.causality[site], target


def loader(windows: WindowDataset, batch_size: int, shuffle: bool, seed: int = 0) -> DataLoader:
    return DataLoader(windows, batch_size, shuffle, generator=torch.Generator().manual_seed(seed))
