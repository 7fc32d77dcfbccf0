"""Intervals of scores that are made of counts of days: classes, hits, misses and false alarms."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.kernels import bootstrap as kernel
from xdrought.verification.resampling import Bootstrap, in_words, resample


def _logit(share: np.ndarray) -> np.ndarray:
    return np.log(share) - np.log1p(-share)


def _from_logit(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


# scales without ends, there and back; all others are shares
SCALES = {"frequency_bias": (np.log, np.exp), "sedi": (np.arctanh, np.tanh)}
SHARE = (_logit, _from_logit)


def pooled_intervals(
    cells: xr.DataArray,
    statistic: kernel.Statistic,
    bootstrap: Bootstrap,
    site: Hashable,
    time: Hashable,
) -> tuple[dict[str, np.ndarray], str]:
    """Intervals (row, 2) of a statistic of the counts of all days, and in words what was drawn.

    `cells` (..., time, cell) is True in the cell of each day that counts; `statistic` takes counts (..., cell).
    """
    checks.require_dim(cells, time, bootstrap.caller)
    cell = cells.dims[-1]
    if site not in cells.dims:
        cells = cells.expand_dims(site)
    others = set(cells.dims) - {site, time, cell}
    if others:
        raise ValueError(
            f"{bootstrap.caller}: dimensions {sorted(map(str, others))} beside {site!r} and {time!r}; intervals need "
            f"sites and days: choose along them, or make them sites with .stack({site}=...)"
        )
    values = cells.transpose(site, time, cell).values.astype(float)
    known = np.concatenate([values.any(axis=-1, keepdims=True), values], axis=-1)  # whether a day counts comes first
    sites = [kernel.blocks(one[None], bootstrap.block) for one in known]
    plain = partial(_of_one_model, statistic)
    drawn = resample(sites, bootstrap, plain, partial(_unbounded, plain))
    found = {}
    for name, value in plain(known.sum(axis=(0, 1))[None]).items():
        bounds = np.full((*value.shape, 2), np.nan)
        if drawn is not None:
            back = SCALES.get(name, SHARE)[1]
            bounds = back(kernel.studentised_bounds(drawn.pooled[name], bootstrap.confidence))
            varies = np.isfinite(drawn.pooled[name].value) & (drawn.pooled[name].error > 0)
            bounds = np.where(varies[:, None], bounds, np.nan)  # all or nothing: counts say no more
        found[name] = bounds
    return found, in_words(sites, bootstrap)


def _of_one_model(statistic: kernel.Statistic, sums: np.ndarray) -> dict[str, np.ndarray]:
    """The statistic (row, ...) of counts (1, ..., cells and one more)."""
    return statistic(sums[0, ..., 1:])


def _unbounded(plain: kernel.Statistic, sums: np.ndarray) -> dict[str, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: SCALES.get(name, SHARE)[0](value) for name, value in plain(sums).items()}
