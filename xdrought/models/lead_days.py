"""A network whose recurrence goes on over the lead days, with the weather that is known of them.

The paper's network reads the days of a window and answers for one day ahead. Here it takes one more step for each lead
day, and the head answers after each step that is asked for, so that one pass gives every lead.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xdrought.models.resattcaurec import CentreMean, RecurrentNetwork, State


class LeadDaysNetwork(RecurrentNetwork):
    """Encoder, recurrence over the window and the lead days, and the head after each lead.

    On a day of the window the recurrence reads what the encoder says of the day's maps, the central values of the
    drivers in `future`, and 0; on a lead day 0 for the maps, which nobody knows, the values of `future` that are known
    for it, and 1. Drivers are scaled, so 0 is their training mean.

    Parameters
    ----------
    encoder : torch.nn.Module
        See :class:`~xdrought.models.resattcaurec.FramewiseNetwork`.
    n_features, n_causal, widths, equations, dropout, n_quantiles, initial_hidden, normal_levels
        See :class:`~xdrought.models.resattcaurec.RecurrentNetwork`.
    leads : sequence of int
        The lead days L that are answered for, growing, from 1.
    future : sequence of int
        Positions of the drivers known for the lead days, F of them.
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
        *,
        leads: Sequence[int],
        future: Sequence[int] = (),
    ):
        more = (n_causal, widths, equations, dropout, n_quantiles, initial_hidden, normal_levels)
        super().__init__(encoder, n_features + len(future) + 1, *more)
        self.n_features, self.leads, self.future = n_features, tuple(leads), tuple(future)
        self.centre = CentreMean()

    def encode(self, frames: Tensor, counts: Tensor | None = None) -> Tensor:
        """(N, n_features, H, W) to (N, n_features + F + 1)."""
        codes = self.encoder(frames, counts)
        known = self.centre(frames[:, list(self.future)]) if self.future else codes[:, :0]
        return torch.cat([codes, known.to(codes.dtype), codes.new_zeros(len(codes), 1)], 1)

    def recur(self, z: Tensor, causality: Tensor | None = None, ahead: Tensor | None = None) -> Tensor:
        """Days (N, S, n_features + F + 1), (N, n_causal) and lead days (N, leads[-1], F) to (N, L[, n_quantiles])."""
        return self.answer_ahead(self.read(z, causality), ahead)

    def answer_ahead(self, state: State, ahead: Tensor | None = None) -> Tensor:
        """The answers after each lead, (N, L[, n_quantiles]), from the state after the window."""
        h = state.h[-1]
        if self.future and (ahead is None or ahead.shape != (len(h), self.leads[-1], len(self.future))):
            wanted, given = (len(h), self.leads[-1], len(self.future)), None if ahead is None else tuple(ahead.shape)
            raise ValueError(f"this network needs the weather of the lead days, {wanted}, found {given}")
        if ahead is None:
            ahead = h.new_zeros(len(h), self.leads[-1], 0)
        shape = ahead.shape[:2]
        days = torch.cat([h.new_zeros(*shape, self.n_features), ahead.to(h.dtype), h.new_ones(*shape, 1)], 2)
        answers = []
        for k in range(self.leads[-1]):
            state = self.recurrence.go_on(days[:, k : k + 1], state)
            if k + 1 in self.leads:
                answers.append(state.h[-1])
        return self.answer(torch.stack(answers, 1))  # [N, L, widths[-1]] to [N, L] or [N, L, n_quantiles]

    def forward(self, x: Tensor, causality: Tensor | None = None, ahead: Tensor | None = None) -> Tensor:
        """(N, S, n_features, H, W), (N, n_causal) and (N, leads[-1], F) to (N, L[, n_quantiles])."""
        n, window = x.shape[:2]
        return self.recur(self.encode(x.flatten(0, 1)).unflatten(0, (n, window)), causality, ahead)
