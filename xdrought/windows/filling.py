"""Missing drivers of windows: filled from the window itself and from the season, and told to the network by a mask.

Nothing outside a window is read but the usual value of the day of the year, so that a forecast knows no day after the
day of issue whatever is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xdrought.choices import MissingPolicy

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Filling:
    """What missing values of windows are replaced by.

    Parameters
    ----------
    policy : {"last", "climatology", "interpolate"}
        See :func:`fill_windows`.
    cycle : torch.Tensor
        Coefficients of the usual year, laid out like the days of the record: (site, coefficient, variable, size, size),
        or (coefficient, variable, lat, lon) of a grid.
    basis : torch.Tensor
        (time, coefficient) what they are multiplied by on each day of the record.
    """

    policy: MissingPolicy
    cycle: Tensor
    basis: Tensor

    @property
    def by_window(self) -> bool:
        """Whether the same day is filled in another way in another window."""
        return self.policy != "climatology"

    def usual(self, coefficients: Tensor, start: Tensor, window: int) -> Tensor:
        """The usual values (N, window, ...) of the days after `start` (N,), of coefficients (N, coefficient, ...)."""
        import torch

        days = start[:, None] + torch.arange(window, device=start.device)  # [N, window]
        return torch.einsum("nwk,nk...->nw...", self.basis[days], coefficients)


def fill_windows(x: Tensor, usual: Tensor, policy: MissingPolicy) -> tuple[Tensor, Tensor]:
    """Windows without missing values, and which of their values were there.

    Parameters
    ----------
    x : torch.Tensor
        (N, window, ...) with values that are not finite where something is missing.
    usual : torch.Tensor
        The same shape: the usual value of each day.
    policy : {"last", "climatology", "interpolate"}
        "last": the value of the last day before it within the window. "interpolate": on the straight line between the
        days before and after it within the window, and at its ends the nearest value. "climatology": `usual`, which
        the others take too where the window has nothing else.

    Returns
    -------
    filled : torch.Tensor
        As `x`.
    observed : torch.Tensor
        bool, as `x`.
    """
    import torch

    observed = x.isfinite()
    if policy == "climatology":
        return torch.where(observed, x, usual), observed
    window = x.shape[1]
    day = torch.arange(window, device=x.device).view(1, -1, *[1] * (x.ndim - 2)).expand_as(x)
    before = day.where(observed, -1).cummax(1).values
    left, has_left = x.gather(1, before.clamp(min=0)), before >= 0
    if policy == "last":
        return torch.where(observed, x, torch.where(has_left, left, usual)), observed
    after = day.where(observed, window).flip(1).cummin(1).values.flip(1)
    right, has_right = x.gather(1, after.clamp(max=window - 1)), after < window
    share = (day - before) / (after - before).clamp(min=1)
    between = torch.where(has_left & has_right, left + (right - left) * share, torch.where(has_left, left, right))
    return torch.where(observed, x, torch.where(has_left | has_right, between, usual)), observed


def with_mask(filled: Tensor, observed: Tensor) -> Tensor:
    """(N, window, 2 variable, ...): the variables, then for each of them 1 where it was observed and 0 elsewhere."""
    import torch

    return torch.cat([filled, observed.to(filled.dtype)], 2)


def drop_drivers(x: Tensor, share: float, seed: int) -> Tensor:
    """Windows (N, window, variable, ...) in which each driver of each day is missing with the probability `share`."""
    import torch

    generator = torch.Generator().manual_seed(seed)  # on the CPU: the same draws on every device
    dropped = torch.rand(x.shape[:3], generator=generator) < share
    return x.masked_fill(dropped.to(x.device).view(*x.shape[:3], *[1] * (x.ndim - 3)), float("nan"))
