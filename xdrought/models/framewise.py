"""The networks of the paper: every day's maps are encoded by themselves, then a recurrence reads the days."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from xdrought.models.recurrence import CausalRecurrence


class FramewiseNetwork(nn.Module):
    """An encoder for each day, a recurrence over days, two linear layers without anything between.

    Because a day's code does not depend on its window, a day can be encoded once for all windows that hold
    it.

    Parameters
    ----------
    encoder : torch.nn.Module
        (N, n_features, size, size) to (N, n_features).
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
        super().__init__()
        self.encoder, self.n_causal = encoder, n_causal
        self.recurrence = CausalRecurrence(n_features, n_causal, widths, equations, dropout)
        half = max(1, widths[-1] // 2)
        self.head = nn.Sequential(nn.Linear(widths[-1], half), nn.Linear(half, 1))

    def encode(self, frames: Tensor) -> Tensor:
        """(N, n_features, size, size) to (N, n_features)."""
        return self.encoder(frames)

    def recur(self, z: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, window, n_features) and (N, n_causal) to (N,)."""
        if self.n_causal and (causality is None or causality.shape != (len(z), self.n_causal)):
            found = "none" if causality is None else tuple(causality.shape)
            raise ValueError(f"forward: this network needs causality {(len(z), self.n_causal)}, found {found}")
        return self.head(self.recurrence(z, causality)).squeeze(1)

    def forward(self, x: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, window, n_features, size, size) and (N, n_causal), ignored where not needed, to (N,)."""
        n, window = x.shape[:2]
        z = self.encode(x.flatten(0, 1))  # [N * window, n_features]
        return self.recur(z.unflatten(0, (n, window)), causality)
