"""Several cross maps of one block of series: each direction with an embedding of its own, and one or many lags."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr
from scipy.stats import kendalltau

from xdrought.kernels import cross_map
from xdrought.kernels.cross_map import FORWARD, Settings

if TYPE_CHECKING:
    from xdrought.kernels.cross_map import Skill

NAMES = (
    "convergence",
    "convergence_lower",
    "convergence_upper",
    "kendall_tau",
    "kendall_p_value",
    "fisher_z",
    "fisher_p_value",
)
QUANTILES = (0.025, 0.975)


def summarise(samples: Skill, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Skill (k, sizes, samples) of random libraries in numbers: the mean curve (k, sizes) and tests of it (k,)."""
    rho, n = samples.rho.mean(axis=-1), samples.n_pairs.min(axis=-1)
    low, high = np.quantile(samples.rho, QUANTILES, axis=-1)
    found = {
        "rho": rho,
        "n_pairs": n,
        "tied_fraction": samples.tied_fraction.mean(axis=-1),
        "rho_lower": low,
        "rho_upper": high,
    }
    if len(sizes) > 1:
        found |= dict(zip(NAMES, growth_of(samples.rho, n, np.array(sizes)), strict=True))
    return found


def growth_of(rho: np.ndarray, n: np.ndarray, sizes: np.ndarray, *, nested: bool = True) -> tuple[np.ndarray, ...]:
    """The numbers of `NAMES` (k,) for skill (k, sizes, samples) and pairs (k, sizes).

    Sizes without skill (more than the record holds) are left out; with fewer than two left all is NaN. Libraries that
    are not `nested` may differ in number by size (the rest is NaN), and any small one is compared with any large one.
    """
    out = np.full((len(NAMES), len(rho)), np.nan)
    for at, (curve, pairs) in enumerate(zip(rho, n, strict=True)):
        order = np.argsort(sizes, kind="stable")
        known = np.isfinite(curve[order])
        order = order[known.all(axis=-1) if nested else known.any(axis=-1)]
        if len(order) < 2 or sizes[order[0]] == sizes[order[-1]]:
            continue
        first, last = order[0], order[-1]
        gain = curve[last] - curve[first] if nested else np.subtract.outer(curve[last], curve[first])
        gain = gain[np.isfinite(gain)]
        mean = np.nanmean(curve[order], axis=-1)
        tau, tau_p = kendalltau(sizes[order], mean, alternative="greater")
        z, z_p = fisher_difference(mean[-1], pairs[last], mean[0], pairs[first])
        out[:, at] = (gain.mean(), *np.quantile(gain, QUANTILES), tau, tau_p, z, z_p)
    return tuple(out)


def fisher_difference(high: float, n_high: int, low: float, n_low: int) -> tuple[float, float]:
    """Fisher's z of the difference of two correlations, and its one-sided p-value (first is larger)."""
    if min(n_high, n_low) <= 3:
        return np.nan, np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.arctanh(high) - np.arctanh(low)) / np.sqrt(1 / (n_high - 3) + 1 / (n_low - 3))
    return z, ndtr(-z)


ENGINES = {"kdtree": cross_map.cross_map, "causal-ccm": cross_map.cross_map_by_causal_ccm}
SIZED = ("rho", "p_value", "n_pairs", "tied_fraction")  # on library_size where sizes are asked for


def result_names(settings: Settings) -> tuple[str, ...]:
    """The results of :func:`map_block` in order; those of `SIZED` and the bounds have the sizes as last axis."""
    names: tuple[str, ...] = (*SIZED, "exclusion_radius")
    if settings.library_sizes:
        names += ("rho_lower", "rho_upper")
    if len(settings.library_sizes) > 1:
        names += NAMES
    if settings.surrogates:
        names += ("surrogate_p_value", "tested_rho")
    return names


def has_sizes(name: str, settings: Settings) -> bool:
    """Whether a result has the library sizes as its last axis."""
    return bool(settings.library_sizes) and name in (*SIZED, "rho_lower", "rho_upper")


def map_block(
    effect: np.ndarray, *causes: np.ndarray, settings: Settings, where: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """Cross map each cause (..., time) and the effect (..., time), which broadcast against each other.

    Only days in `where` (..., time) are learned from and estimated; delay vectors are those of the whole record.

    Returns
    -------
    tuple of ndarray
        (..., cause, direction[, library size]) each, named by :func:`result_names`.
    """
    effect = np.asarray(effect, dtype=np.float64)
    causes = tuple(np.asarray(cause, dtype=np.float64) for cause in causes)
    shape = np.broadcast_shapes(effect.shape, *(cause.shape for cause in causes))
    where = None if where is None else np.broadcast_to(where, shape)
    if settings.compiled is None:
        n_maps = len(causes) * len(settings.directions) * math.prod(shape[:-1])
        settings = replace(settings, compiled=cross_map.worth_compiling(settings, n_maps, shape[-1]))
    all_causes = np.stack([np.broadcast_to(cause, shape) for cause in causes])
    all_effects = np.broadcast_to(effect, shape)[None]
    results = _allocate((len(causes), len(settings.directions), *shape[:-1]), settings)
    for at, direction in enumerate(settings.directions):
        if direction == FORWARD:
            _fill({name: out[:, at] for name, out in results.items()}, effect, all_causes, settings, where)
            continue
        for number, cause in enumerate(causes):
            part = {name: out[number : number + 1, at] for name, out in results.items()}
            _fill(part, cause, all_effects, settings, where)
    results["p_value"] = cross_map.pearson_p_value(results["rho"], results["n_pairs"])
    return tuple(np.moveaxis(out, (0, 1), (len(shape) - 1, len(shape))) for out in results.values())


def _allocate(shape: tuple[int, ...], settings: Settings) -> dict[str, np.ndarray]:
    results = {}
    for name in result_names(settings):
        tail = (len(settings.library_sizes),) if has_sizes(name, settings) else ()
        integer = name in ("n_pairs", "exclusion_radius")
        results[name] = np.zeros(shape + tail, np.int64) if integer else np.full(shape + tail, np.nan)
    return results


def _fill(
    results: dict[str, np.ndarray],
    series: np.ndarray,
    targets: np.ndarray,
    settings: Settings,
    where: np.ndarray | None,
) -> None:
    """Map `targets` (k, ..., time) from the manifolds of `series` (..., time) into `results` (k, ..., [sizes])."""
    for one, place in _manifolds(series, targets.ndim - 1):
        group = targets[(slice(None), *place)]
        rows = group.reshape(-1, group.shape[-1])
        days = None if where is None else np.broadcast_to(where[place], group.shape).reshape(rows.shape)
        found = map_from(one, rows, settings, days)
        for name, values in found.items():
            out = results[name][(slice(None), *place)]
            out[...] = values.reshape(out.shape)


def _manifolds(series: np.ndarray, ndim: int) -> Iterator[tuple[np.ndarray, tuple]]:
    """Each series once, with the place of all targets that it meets by broadcasting."""
    padded = series.reshape((1,) * (ndim - series.ndim) + series.shape)
    for index in np.ndindex(padded.shape[:-1]):
        yield (
            padded[index],
            tuple(
                slice(None) if length == 1 else slice(i, i + 1)
                for i, length in zip(index, padded.shape[:-1], strict=True)
            ),
        )


def map_from(
    series: np.ndarray, targets: np.ndarray, settings: Settings, where: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """What is found for `targets` (k, time) from the manifold of `series` (time,), on the days in `where`."""
    radius = cross_map.decorrelation_time(series) if settings.radius is None else settings.radius
    targets = cross_map.shift(targets, settings.lag)
    compared = targets if where is None else np.where(where, targets, np.nan)
    found = {"exclusion_radius": np.full(len(targets), radius)}
    if settings.library_sizes:
        found |= summarise(cross_map.library_skill(series, compared, settings, radius), settings.library_sizes)
    else:
        mapper = settings.mapper or ENGINES[settings.engine]
        found |= mapper(series, compared, settings, radius)._asdict()
    if settings.surrogates:
        tests = cross_map.surrogate_test(series, targets, settings, radius, where)
        found["surrogate_p_value"], found["tested_rho"] = tests
    return found


def map_variants(
    effect: np.ndarray, *others: np.ndarray, variants: Sequence[Sequence[Settings]], masked: bool
) -> tuple[np.ndarray, ...]:
    """Cross map causes (..., time) and effect (..., time) with each of the `variants` [direction][lag].

    Parameters
    ----------
    effect : ndarray (..., time)
    *others : ndarray (..., time)
        The causes; the first one is the mask of days when `masked`.

    Returns
    -------
    tuple of ndarray
        (..., cause, direction, lag[, library size]) each, named by :func:`result_names`.
    """
    where, causes = (others[0], others[1:]) if masked else (None, others)
    names = result_names(variants[0][0])
    rows = []
    for settings in variants:
        lags = [map_block(effect, *causes, settings=one, where=where) for one in settings]
        rows.append(
            [_join(parts, name, settings[0]) for name, parts in zip(names, zip(*lags, strict=True), strict=True)]
        )
    # a direction of its own is the last but one axis of each part (two before the end with sizes)
    return tuple(
        np.concatenate(parts, axis=-3 if has_sizes(name, variants[0][0]) else -2)
        for name, parts in zip(names, zip(*rows, strict=True), strict=True)
    )


def _join(parts: Sequence[np.ndarray], name: str, settings: Settings) -> np.ndarray:
    """One array per lag (..., cause, direction[, size]) to (..., cause, direction, lag[, size])."""
    return np.stack(parts, axis=-2 if has_sizes(name, settings) else -1)
