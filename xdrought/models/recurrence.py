"""The causal recurrence: LSTM cells whose state starts from the causality degree and returns to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

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
