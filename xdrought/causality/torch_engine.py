"""The torch engine of cross mapping: arrays to tensors on the GPU, where there is one, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xdrought.devices import require_torch, resolve_device

if TYPE_CHECKING:
    from xdrought.kernels.crossmap import Settings, Skill


def cross_map(series: np.ndarray, targets: np.ndarray, settings: Settings, radius: int) -> Skill:
    """Skill of estimating `targets` (k, time) from the manifold of `series` (time,), the whole record as library."""
    require_torch("ccm")
    import torch

    from xdrought.kernels.crossmap import Skill, patterns
    from xdrought.models.cross_mapping import cross_map as map_tensors

    device = resolve_device("auto", "ccm")
    rho, n, tied = np.full(len(targets), np.nan), np.zeros(len(targets), np.int64), np.full(len(targets), np.nan)
    for chosen, valid, vectors in patterns(series, targets, settings):
        days = np.flatnonzero(valid)
        if not days.size:
            continue
        points, steps, values = (
            torch.from_numpy(array).to(device) for array in (vectors[days], days, targets[np.ix_(chosen, days)])
        )
        found = map_tensors(points, steps, values, radius)
        rho[chosen], n[chosen] = found.rho.cpu().numpy(), found.mapped
        tied[chosen] = found.tied / found.mapped if found.mapped else np.nan
    return Skill(rho, n, tied)
