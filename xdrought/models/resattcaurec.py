"""The networks of the paper: every day's maps are encoded by themselves, then the days are read together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from xdrought.models.norm import BatchNorm2d, Counted, Stack


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


Step = Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def paper_step(cell: nn.Module, x: Tensor, h: Tensor, c: Tensor, c0: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. 6: c_t = F (c_{t-1} + c_0) + I g, h_t = O tanh(c_t); torch's cell, called with c_{t-1} + c_0."""
    return cell(x, (h, c + c0))


def released_step(cell: nn.Module, x: Tensor, h: Tensor, c: Tensor, c0: Tensor) -> tuple[Tensor, Tensor]:
    """The authors' code: u = F c_{t-1} + I g, c_t = c_{t-1} + u, h_t = O tanh(u); c_0 is only the start."""
    h, u = cell(x, (h, c))
    return h, c + u


STEPS: dict[str, Step] = {"paper": paper_step, "released": released_step}


class CausalRecurrence(nn.Module):
    """Stacked LSTM cells (Eq. 4-6 of Tang et al. 2025); differs from a plain LSTM in c_0 only.

    c_0 is an affine map of the causality degree, one for each layer; h_0 = 0. With c_0 = 0, or without
    causality, "paper" is torch's own LSTM. Gates i, f, g, o with two bias vectors each, as the published
    count needs.

    Parameters
    ----------
    n_features : int
        Numbers for each day.
    n_causal : int or None
        Length of the causality degree; None for a plain LSTM.
    widths : sequence of int
        Units of each layer.
    equations : {"paper", "released"}
        The rule of the cell state, where there is causality.
    dropout : float
        Dropout of h and of the carried c of every layer at every step. Not in the paper.
    """

    def __init__(
        self,
        n_features: int,
        n_causal: int | None,
        widths: Sequence[int] = (64, 128),
        equations: str = "paper",
        dropout: float = 0.0,
    ):
        super().__init__()
        self.widths = tuple(widths)
        sizes = zip([n_features, *widths[:-1]], widths, strict=True)
        self.cells = nn.ModuleList(nn.LSTMCell(n_in, n) for n_in, n in sizes)
        self.initial = nn.ModuleList(nn.Linear(n_causal, n) for n in widths) if n_causal else None
        self.step = STEPS[equations if n_causal else "paper"]
        self.dropout = nn.Dropout(dropout)

    def forward(self, z: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, time, n_features) and (N, n_causal) to the last h of the top layer, (N, widths[-1])."""
        h = [z.new_zeros(len(z), n) for n in self.widths]
        c0 = list(h) if self.initial is None else [layer(causality) for layer in self.initial]
        c = list(c0)
        for x in z.unbind(1):  # x: [N, n_features]
            for k, cell in enumerate(self.cells):
                h[k], c[k] = map(self.dropout, self.step(cell, x, h[k], c[k], c0[k]))
                x = h[k]
        return h[-1]


class FramewiseNetwork(nn.Module):
    """An encoder for each day; what reads the days is :meth:`recur` of the classes below.

    Because a day's code does not depend on its window, a day can be encoded once for all windows that hold
    it.

    Parameters
    ----------
    encoder : torch.nn.Module
        ``encoder(frames, counts)``: (N, n_features, size, size) to (N, n_features).
    """

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def encode(self, frames: Tensor, counts: Tensor | None = None) -> Tensor:
        """(N, n_features, size, size), in training each there `counts` (N,) times, to (N, n_features)."""
        return self.encoder(frames, counts)

    def recur(self, z: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, window, n_features) and (N, n_causal) to (N,)."""
        raise NotImplementedError

    def forward(self, x: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, window, n_features, size, size) and (N, n_causal), ignored where not needed, to (N,)."""
        n, window = x.shape[:2]
        z = self.encode(x.flatten(0, 1))  # [N * window, n_features]
        return self.recur(z.unflatten(0, (n, window)), causality)


class RecurrentNetwork(FramewiseNetwork):
    """A recurrence over days, then two linear layers without anything between.

    Parameters
    ----------
    encoder : torch.nn.Module
        See :class:`FramewiseNetwork`.
    n_features, n_causal, widths, equations, dropout
        Of the recurrence, see :class:`xdrought.models.resattcaurec.CausalRecurrence`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_features: int,
        n_causal: int | None,
        widths: Sequence[int],
        equations: str,
        dropout: float,
    ):
        super().__init__(encoder)
        self.n_causal = n_causal
        self.recurrence = CausalRecurrence(n_features, n_causal, widths, equations, dropout)
        half = max(1, widths[-1] // 2)
        self.head = nn.Sequential(nn.Linear(widths[-1], half), nn.Linear(half, 1))

    def recur(self, z: Tensor, causality: Tensor | None = None) -> Tensor:
        if self.n_causal and (causality is None or causality.shape != (len(z), self.n_causal)):
            found = "none" if causality is None else tuple(causality.shape)
            raise ValueError(f"this network needs causality {(len(z), self.n_causal)}, found {found}")
        return self.head(self.recurrence(z, causality)).squeeze(1)


class LinearNetwork(FramewiseNetwork):
    """No recurrence: one linear layer over the codes of all days. Not in the paper, in the released code.

    Parameters
    ----------
    encoder : torch.nn.Module
        See :class:`FramewiseNetwork`.
    n_features, window : int
        Numbers for each day, and days.
    """

    def __init__(self, encoder: nn.Module, n_features: int, window: int):
        super().__init__(encoder)
        self.window = window
        self.head = nn.Linear(window * n_features, 1)

    def recur(self, z: Tensor, causality: Tensor | None = None) -> Tensor:
        if z.shape[1] != self.window:
            raise ValueError(f"this network reads {self.window} days, found {z.shape[1]}; build it anew")
        return self.head(z.flatten(1)).squeeze(1)
