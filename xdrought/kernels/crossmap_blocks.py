"""Cross mapping of blocks of series: which series share a manifold, and where their results go."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from xdrought.kernels import causal_ccm_reference, crossmap
from xdrought.kernels.convergence_tests import NAMES as CONVERGENCE
from xdrought.kernels.convergence_tests import summarise
from xdrought.kernels.crossmap import FORWARD, Settings

ENGINES = {"kdtree": crossmap.cross_map, "causal-ccm": causal_ccm_reference.cross_map}
SIZED = ("rho", "p_value", "n_pairs", "tied_fraction")  # on library_size where sizes are asked for


def result_names(settings: Settings) -> tuple[str, ...]:
    """The results of :func:`map_block` in order; those of `SIZED` and the bounds have the sizes as last axis."""
    names: tuple[str, ...] = (*SIZED, "exclusion_radius")
    if settings.library_sizes:
        names += ("rho_lower", "rho_upper")
    if len(settings.library_sizes) > 1:
        names += CONVERGENCE
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
        settings = replace(settings, compiled=crossmap.worth_compiling(settings, n_maps, shape[-1]))
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
    results["p_value"] = crossmap.pearson_p_value(results["rho"], results["n_pairs"])
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
    radius = crossmap.decorrelation_time(series) if settings.radius is None else settings.radius
    targets = crossmap.shift(targets, settings.lag)
    compared = targets if where is None else np.where(where, targets, np.nan)
    found = {"exclusion_radius": np.full(len(targets), radius)}
    if settings.library_sizes:
        found |= summarise(crossmap.library_skill(series, compared, settings, radius), settings.library_sizes)
    else:
        mapper = settings.mapper or ENGINES[settings.engine]
        found |= mapper(series, compared, settings, radius)._asdict()
    if settings.surrogates:
        tests = crossmap.surrogate_test(series, targets, settings, radius, where)
        found["surrogate_p_value"], found["tested_rho"] = tests
    return found
