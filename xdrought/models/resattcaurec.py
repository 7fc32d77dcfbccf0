"""The network of Tang et al. (2025), section 2, from the maps of each day to the soil moisture ahead.

The classes stand in the order of the data's way through Figure 1 of the paper:

====================  =============  =====================================================================
here                  in the paper   shapes
====================  =============  =====================================================================
`CBAM`                Eq. 1-3        (N, C, H, W) to (N, C, H, W): attention over channels, then over cells
`ResidualUnit`        Figure 1d      (N, C, H, W) to (N, C', H', W'): two convolutions, CBAM, shortcut
`FrameEncoder`        section 2.2    (N, D, H, W) to (N, D): one day's maps of D drivers to D numbers
`CausalRecurrence`    Eq. 4-6        (N, S, D) to (N, units): LSTM whose cell state starts from, and keeps, c_0
`RecurrentNetwork`    Figure 1a      (N, S, D, H, W) to (N,): encoder, recurrence, two linear layers
====================  =============  =====================================================================

N is the number of windows, S the days of a window (15), D the drivers (12), H x W the cells (10 x 10) and K the length
of the causality degree (96). The other classes are the paper's ablations: `CentreMean` in place of the encoder and
`LinearNetwork` in place of the recurrence.

``equations="released"`` follows the authors' program where it differs from the equations: CBAM adds its input back and
takes the maximum first, and the skip connection of the cell state starts from c_{t-1} instead of c_0.

Where a method takes `counts`, its frames are different days and ``counts[n]`` says how many windows of the batch hold
frame n. Only batch normalisation uses it (:mod:`xdrought.models.norm`); leave it out to read the paper's network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from xdrought.models.norm import BatchNorm2d, Conv2d, Counted, Stack

# --- attention, Eq. 1-3 -------------------------------------------------------------------------------------------


class CBAM(nn.Module):
    """Convolutional block attention: which channels matter (Eq. 2), then which cells matter (Eq. 3).

    Parameters
    ----------
    channels : int
        Channels C of the maps (N, C, H, W).
    reduction : int
        The hidden layer of the shared perceptron has ``channels // reduction`` units. The paper does not give the
        number; the released code has 8.
    released : bool
        Follow the authors' program: it adds F to the result of Eq. 1, and the maximum is the first of the two planes
        of Eq. 3.

    References
    ----------
    Woo et al. 2018, doi:10.1007/978-3-030-01234-2_1.
    """

    def __init__(self, channels: int, reduction: int = 8, released: bool = False):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.released = released
        self.channel = nn.Sequential(  # the MLP of Eq. 2, as 1 x 1 convolutions
            Conv2d(channels, hidden, 1, bias=False), nn.ReLU(), Conv2d(hidden, channels, 1, bias=False)
        )
        self.spatial = Conv2d(2, 1, 7, padding=3)  # f^{7 x 7} of Eq. 3

    def channel_attention(self, f: Tensor) -> Tensor:
        """Eq. 2: M_C(F) = sigmoid(MLP(AvgPool(F)) + MLP(MaxPool(F))), (N, C, H, W) to (N, C, 1, 1)."""
        mean, peak = f.mean((2, 3), keepdim=True), f.amax((2, 3), keepdim=True)  # each [N, C, 1, 1]
        return torch.sigmoid(self.channel(mean) + self.channel(peak))

    def spatial_attention(self, f: Tensor) -> Tensor:
        """Eq. 3: M_S(F) = sigmoid(f([AvgPool(F); MaxPool(F)])), (N, C, H, W) to (N, 1, H, W)."""
        planes = [f.mean(1, keepdim=True), f.amax(1, keepdim=True)]  # each [N, 1, H, W]
        return torch.sigmoid(self.spatial(torch.cat(planes[::-1] if self.released else planes, 1)))

    def forward(self, f: Tensor) -> Tensor:
        """Eq. 1: F' = M_C(F) F and F'' = M_S(F') F', (N, C, H, W) to the same shape."""
        f1 = self.channel_attention(f) * f
        f2 = self.spatial_attention(f1) * f1
        return f2 + f if self.released else f2


# --- residual attention module, section 2.2 -----------------------------------------------------------------------


class ResidualUnit(Counted, nn.Module):
    """A block of Figure 1d: convolution, BN, ReLU, convolution, BN and CBAM, added to a shortcut, then ReLU.

    Parameters
    ----------
    n_in, n_out : int
        Channels of the maps before and after.
    stride : int
        2 halves the maps, and 1 leaves their size.
    attention, released : bool
        Whether there is a CBAM, and whether it is the released code's.
    """

    def __init__(self, n_in: int, n_out: int, stride: int, attention: bool, released: bool):
        super().__init__()
        self.body = Stack(
            Conv2d(n_in, n_out, 3, stride, padding=1),
            BatchNorm2d(n_out),
            nn.ReLU(),
            Conv2d(n_out, n_out, 3, padding=1),
            BatchNorm2d(n_out),
        )
        self.attention = CBAM(n_out, released=released) if attention else nn.Identity()
        same = stride == 1 and n_in == n_out
        self.shortcut = Stack() if same else Stack(Conv2d(n_in, n_out, 1, stride), BatchNorm2d(n_out))

    def forward(self, x: Tensor, counts: Tensor | None = None) -> Tensor:
        """(N, n_in, H, W) to (N, n_out, H / stride, W / stride)."""
        return (self.attention(self.body(x, counts)) + self.shortcut(x, counts)).relu_()


class FrameEncoder(Counted, nn.Module):
    """The ResAtt module: it turns one day's maps into one number per driver.

    A convolution and two residual units for each width follow each other; the first unit of each further width halves
    the maps. The mean over cells and a linear layer end it. At the published size (12 drivers, widths 64 and 128) there
    are 693,720 parameters. It takes maps of any size, also 1 x 1.

    Parameters
    ----------
    n_features : int
        Number of drivers D, which is also how many numbers are given for each frame.
    widths : sequence of int
        Channels of the stages.
    attention, released : bool
        Whether the units hold a CBAM, and whether it is the released code's.
    """

    def __init__(
        self,
        n_features: int,
        widths: Sequence[int] = (64, 128),
        attention: bool = True,
        released: bool = False,
    ):
        super().__init__()
        self.stem = Stack(Conv2d(n_features, widths[0], 3, padding=1), BatchNorm2d(widths[0]), nn.ReLU())
        units: list[nn.Module] = []
        for before, width in zip([widths[0], *widths[:-1]], widths, strict=True):
            units.append(ResidualUnit(before, width, 1 if not units else 2, attention, released))
            units.append(ResidualUnit(width, width, 1, attention, released))
        self.units = Stack(*units)
        self.project = nn.Linear(widths[-1], n_features)

    def forward(self, frames: Tensor, counts: Tensor | None = None) -> Tensor:
        """(N, n_features, H, W) to (N, n_features)."""
        frames = frames.contiguous(memory_format=torch.channels_last)  # convolutions are faster in this layout
        maps = self.stem(frames, counts)  # [N, 64, 10, 10] at the published size
        maps = self.units(maps, counts)  # [N, 128, 5, 5]
        return self.project(maps.mean((2, 3)))  # [N, 128] to [N, 12]


class CentreMean(Counted, nn.Module):
    """The ablation without ResAtt: the mean of the central cells, four of an even size and one of an odd size."""

    def forward(self, frames: Tensor, counts: Tensor | None = None) -> Tensor:
        """(N, n_features, H, W) to (N, n_features)."""
        rows, columns = (slice((n - 1) // 2, n // 2 + 1) for n in frames.shape[2:])
        return frames[:, :, rows, columns].mean((2, 3))


# --- causal recurrent module, Eq. 4-6 -----------------------------------------------------------------------------

Step = Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def paper_step(cell: nn.Module, x: Tensor, h: Tensor, c: Tensor, c0: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. 4-6: h_t and c_t from x_t, h_{t-1}, c_{t-1} and c_0.

    Torch's cell computes I, F, O (Eq. 4) and g (Eq. 5) from x_t and h_{t-1}, then c_t = F c + I g and
    h_t = O tanh(c_t). Called with c = c_{t-1} + c_0 it is Eq. 6: c_t = F (c_{t-1} + c_0) + I g.
    """
    return cell(x, (h, c + c0))


def released_step(cell: nn.Module, x: Tensor, h: Tensor, c: Tensor, c0: Tensor) -> tuple[Tensor, Tensor]:
    """The authors' program: u = F c_{t-1} + I g, c_t = c_{t-1} + u and h_t = O tanh(u); c_0 is only the start."""
    h, u = cell(x, (h, c))
    return h, c + u


STEPS: dict[str, Step] = {"paper": paper_step, "released": released_step}


class Dropout(nn.Dropout):
    """Torch's dropout, whose draws come from `generator` where one is set, else from torch's global generator."""

    generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.generator is None or not self.training or self.p == 0:
            return super().forward(x)
        kept = 1 - self.p
        return x * torch.empty_like(x).bernoulli_(kept, generator=self.generator).div_(kept)


class State(NamedTuple):
    """What a recurrence carries from day to day: h_t and c_t of each layer, and its c_0, each (N, units)."""

    h: list[Tensor]
    c: list[Tensor]
    c0: list[Tensor]


def initial_state(n_causal: int, units: int, hidden: int | None) -> nn.Module:
    """Eq. 6, first line: c_0 = MLP(CCM(X, Y)), (N, n_causal) to (N, units); affine without a hidden layer."""
    if hidden is None:
        return nn.Linear(n_causal, units)
    return nn.Sequential(nn.Linear(n_causal, hidden), nn.ReLU(), nn.Linear(hidden, units))


class CausalRecurrence(nn.Module):
    """The CauRec module: stacked LSTM cells that differ from torch's LSTM only in c_0.

    c_0 is a map of the causality degree for each layer, affine as in the released code and in the published number of
    parameters, or with a hidden layer ("MLP" in Eq. 6), and h_0 = 0. With c_0 = 0, or without
    causality, the paper's equations are a plain LSTM. Each gate has two bias vectors, as the published number of
    parameters needs, where Eq. 4-5 write one.

    Parameters
    ----------
    n_features : int
        Numbers D for each day.
    n_causal : int or None
        Length K of the causality degree; None for a plain LSTM.
    widths : sequence of int
        Units of each layer.
    equations : {"paper", "released"}
        The rule of the cell state, where there is causality.
    dropout : float
        Dropout of h and of the carried c of every layer at every step. The paper names none.
    initial_hidden : int or None
        Units of the hidden layer of the map to c_0; None for an affine map.
    """

    def __init__(
        self,
        n_features: int,
        n_causal: int | None,
        widths: Sequence[int] = (64, 128),
        equations: str = "paper",
        dropout: float = 0.0,
        initial_hidden: int | None = None,
    ):
        super().__init__()
        self.widths = tuple(widths)
        sizes = zip([n_features, *widths[:-1]], widths, strict=True)
        self.cells = nn.ModuleList(nn.LSTMCell(n_in, n) for n_in, n in sizes)
        maps = (initial_state(n_causal, n, initial_hidden) for n in widths) if n_causal else None
        self.initial = None if maps is None else nn.ModuleList(maps)
        self.step = STEPS[equations if n_causal else "paper"]
        self.dropout = Dropout(dropout)

    def start(self, z: Tensor, causality: Tensor | None = None) -> State:
        """h_0 and c_0 for windows z (N, S, n_features) with causality (N, n_causal)."""
        h = [z.new_zeros(len(z), n) for n in self.widths]  # h_0 of each layer, [N, units]
        c0 = list(h) if self.initial is None else [layer(causality) for layer in self.initial]  # Eq. 6, first line
        return State(h, list(c0), c0)

    def go_on(self, z: Tensor, state: State) -> State:
        """The state after some more days z (N, S, n_features)."""
        h, c, c0 = list(state.h), list(state.c), state.c0
        for x in z.unbind(1):  # x_t: [N, n_features]
            for k, cell in enumerate(self.cells):
                h[k], c[k] = map(self.dropout, self.step(cell, x, h[k], c[k], c0[k]))
                x = h[k]  # the layer above reads h_t of this one, [N, units]
        return State(h, c, c0)

    def forward(self, z: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, S, n_features) and (N, n_causal) to the last h of the top layer, (N, widths[-1])."""
        return self.go_on(z, self.start(z, causality)).h[-1]


# --- the whole network, Figure 1a ---------------------------------------------------------------------------------


class FramewiseNetwork(nn.Module):
    """A network that encodes each day by itself, and reads the days of a window together in :meth:`recur`.

    The embedding of a day does not depend on its window, so a day can be encoded once for all windows that hold it.

    Parameters
    ----------
    encoder : torch.nn.Module
        ``encoder(frames, counts)``: (N, n_features, H, W) to (N, n_features).
    """

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def encode(self, frames: Tensor, counts: Tensor | None = None) -> Tensor:
        """(N, n_features, H, W) to (N, n_features)."""
        return self.encoder(frames, counts)

    def recur(self, z: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, S, n_features) and (N, n_causal) to (N,)."""
        raise NotImplementedError

    def forward(self, x: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, S, n_features, H, W) and (N, n_causal), ignored where not needed, to (N,)."""
        n, window = x.shape[:2]
        z = self.encode(x.flatten(0, 1))  # [N * S, n_features, H, W] to [N * S, n_features]
        return self.recur(z.unflatten(0, (n, window)), causality)  # [N, S, n_features] to [N]


class InOrder(nn.Module):
    """Numbers that never cross, (..., Q): the middle one as it is, the others by positive steps away from it."""

    def forward(self, raw: Tensor) -> Tensor:
        middle = raw.shape[-1] // 2
        centre = raw[..., middle : middle + 1]
        above = centre + softplus(raw[..., middle + 1 :]).cumsum(-1)
        below = centre - softplus(raw[..., :middle]).flip(-1).cumsum(-1).flip(-1)
        return torch.cat([below, centre, above], -1)


LEAST_SPREAD = 1e-3  # of the target's standard deviation: a narrower normal distribution claims to know all


class NormalQuantiles(nn.Module):
    """Mean and raw spread (..., 2) to the quantiles (..., Q) of the normal distribution, at growing levels."""

    def __init__(self, levels: Sequence[float]):
        super().__init__()
        self.scores = [NormalDist().inv_cdf(level) for level in levels]

    def forward(self, raw: Tensor) -> Tensor:
        spread = softplus(raw[..., 1:]) + LEAST_SPREAD
        return raw[..., :1] + spread * raw.new_tensor(self.scores)


class RecurrentNetwork(FramewiseNetwork):
    """ResAttCauRec, and every ablation with a recurrence: encoder, recurrence, and two linear layers as the head.

    The released code has nothing between the two linear layers; the paper speaks of one fully connected layer.

    Parameters
    ----------
    encoder : torch.nn.Module
        See :class:`FramewiseNetwork`.
    n_features, n_causal, widths, equations, dropout, initial_hidden
        See :class:`CausalRecurrence`.
    n_quantiles : int
        0 gives one number for each window, as in the paper, more that many quantiles in growing order.
    normal_levels : sequence of float
        Levels of the quantiles, where they are those of a normal distribution: the head then gives two numbers.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_features: int,
        n_causal: int | None,
        widths: Sequence[int],
        equations: str,
        dropout: float,
        n_quantiles: int = 0,
        initial_hidden: int | None = None,
        normal_levels: Sequence[float] = (),
    ):
        super().__init__(encoder)
        self.n_causal, self.n_quantiles = n_causal, n_quantiles
        self.recurrence = CausalRecurrence(n_features, n_causal, widths, equations, dropout, initial_hidden)
        half = max(1, widths[-1] // 2)
        n_out = 2 if normal_levels else max(1, n_quantiles)
        self.head = nn.Sequential(nn.Linear(widths[-1], half), nn.Linear(half, n_out))
        self.in_order = NormalQuantiles(normal_levels) if normal_levels else InOrder()

    def recur(self, z: Tensor, causality: Tensor | None = None) -> Tensor:
        return self.answer(self.read(z, causality).h[-1])  # [N, S, n_features] to [N, widths[-1]] to [N]

    def read(self, z: Tensor, causality: Tensor | None = None) -> State:
        """The state after the windows z (N, S, n_features)."""
        if self.n_causal and (causality is None or causality.shape != (len(z), self.n_causal)):
            given = "none" if causality is None else tuple(causality.shape)
            raise ValueError(f"this network needs causality {(len(z), self.n_causal)}, found {given}")
        return self.recurrence.go_on(z, self.recurrence.start(z, causality))

    def answer(self, h: Tensor) -> Tensor:
        """What the head says of h (..., widths[-1]): (...), or (..., n_quantiles)."""
        out = self.head(h)
        return self.in_order(out) if self.n_quantiles else out.squeeze(-1)


class LinearNetwork(FramewiseNetwork):
    """ResAtt and Res of the released code, which the paper does not show: one linear layer reads all days.

    Parameters
    ----------
    encoder : torch.nn.Module
        See :class:`FramewiseNetwork`.
    n_features, window : int
        Numbers for each day, and days S of a window.
    """

    def __init__(self, encoder: nn.Module, n_features: int, window: int):
        super().__init__(encoder)
        self.window = window
        self.head = nn.Linear(window * n_features, 1)

    def recur(self, z: Tensor, causality: Tensor | None = None) -> Tensor:
        if z.shape[1] != self.window:
            raise ValueError(f"this network reads {self.window} days, found {z.shape[1]}; build it for that window")
        return self.head(z.flatten(1)).squeeze(1)  # [N, S * n_features] to [N, 1] to [N]
