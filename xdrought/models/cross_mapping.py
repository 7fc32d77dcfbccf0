"""Cross mapping as dense algebra on tensors: every pair of days, for GPUs; a tree is faster on a CPU."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

TIE = 1e-9  # distances this close (relative) are one distance
PAIRS = 2**24  # pairs of days at once: bounds the memory, not the result


class TensorSkill(NamedTuple):
    """Correlation of estimate and truth (k,), NaN where undefined; days estimated, and those of them with ties."""

    rho: Tensor
    mapped: int
    tied: int


def cross_map(vectors: Tensor, days: Tensor, targets: Tensor, radius: int) -> TensorSkill:
    """Skill of estimating targets from the E + 1 nearest other delay vectors.

    Parameters
    ----------
    vectors : Tensor (n, E), float64
        Finite delay vectors, in any units.
    days : Tensor (n,), int64
        Their time steps; steps with ``|i - j| <= radius`` are no neighbours.
    targets : Tensor (k, n), float64
        Finite values to estimate.

    Returns
    -------
    TensorSkill

    Notes
    -----
    The rules are those of the package's own search: weights ``exp(-d / d_1)``, zero distances share equally, and all
    vectors tied with the last neighbour share its slots. Distances are differences first, never expanded squares.
    """
    n, k = len(vectors), vectors.shape[-1] + 1
    truth = targets - targets.mean(dim=-1, keepdim=True)
    estimate = torch.full_like(truth, torch.nan)
    tied = 0
    if n > k and bool((vectors != vectors[0]).any()):
        for rows in torch.arange(n, device=vectors.device).split(max(PAIRS // n, 1)):
            weights, mapped, shared = _weights(vectors, days, rows, radius, k)
            estimate[:, rows[mapped]] = truth @ weights[mapped].T
            tied += int((shared & mapped).sum())
    known = torch.isfinite(estimate[0])
    return TensorSkill(_correlation(estimate[:, known], truth[:, known]), int(known.sum()), tied)


def _weights(vectors: Tensor, days: Tensor, rows: Tensor, radius: int, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (rows, n) that sum to one, which rows have k neighbours, and which have ties."""
    distance = torch.cdist(vectors[rows], vectors, compute_mode="donot_use_mm_for_euclid_dist")
    distance = distance.masked_fill((days[rows, None] - days).abs() <= radius, torch.inf)
    nearest = distance.topk(k, largest=False).values  # (rows, k)
    first, last = nearest[:, :1], nearest[:, -1:]
    mapped = torch.isfinite(last[:, 0])
    closer = distance < last * (1 - TIE)
    level = ~closer & (distance <= last * (1 + TIE))
    slots, sharing = k - closer.sum(dim=1, keepdim=True), level.sum(dim=1, keepdim=True)
    decay = torch.where(first > 0, torch.exp(-distance / first), (distance == 0).to(distance.dtype))
    weights = decay * torch.where(closer, 1.0, level * (slots / sharing).to(distance.dtype))
    tied = ((sharing > slots) | (first == 0))[:, 0]
    weights = torch.where(first > 0, weights, decay)  # at no distance all share equally
    return weights / weights.sum(dim=1, keepdim=True), mapped, tied


def _correlation(estimate: Tensor, truth: Tensor) -> Tensor:
    """Pearson correlation (k,) over the last axis; NaN where either is constant to rounding or of less than three."""
    n = truth.shape[-1]
    if n < 3:
        return torch.full_like(truth.sum(dim=-1), torch.nan)
    a, b = (x - x.mean(dim=-1, keepdim=True) for x in (estimate, truth))
    size_a, size_b = a.norm(dim=-1), b.norm(dim=-1)
    varies = (size_b > 1e-13 * truth.abs().amax(dim=-1) * n**0.5) & (size_a > 1e-12 * size_b)
    return torch.where(varies, ((a * b).sum(dim=-1) / (size_a * size_b)).clamp(-1, 1), torch.nan)
