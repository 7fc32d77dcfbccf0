"""The networks of the paper: every day's maps are encoded by themselves, then the days are read together."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from xdrought.models.recurrence import CausalRecurrence


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
        Of the recurrence, see :class:`xdrought.models.recurrence.CausalRecurrence`.
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
            raise ValueError(f"forward: this network needs causality {(len(z), self.n_causal)}, found {found}")
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
            raise ValueError(f"forward: this network reads {self.window} days, found {z.shape[1]}; build it anew")
        return self.head(z.flatten(1)).squeeze(1)
