"""Cross mapping of blocks of fields: which field maps which, with what test. Last axes are (lat, lon)."""

from __future__ import annotations

import warnings

import numpy as np

from xdrought.kernels import spatial_crossmap as fields
from xdrought.kernels.convergence_tests import NAMES as CONVERGENCE
from xdrought.kernels.convergence_tests import QUANTILES, growth_of
from xdrought.kernels.crossmap import FORWARD, pearson_p_value
from xdrought.kernels.spatial_crossmap import SpatialSettings

SIZED = ("rho", "p_value", "n_pairs", "rho_lower", "rho_upper")  # on library_size where sizes are asked for


def result_names(settings: SpatialSettings) -> tuple[str, ...]:
    """The results of :func:`map_block` in order."""
    names: tuple[str, ...] = ("rho", "p_value", "n_pairs")
    if settings.window_sizes:
        names += ("rho_lower", "rho_upper")
    if len(settings.window_sizes) > 1:
        names += CONVERGENCE
    if settings.surrogates:
        names += ("surrogate_p_value",)
    return names


def has_sizes(name: str, settings: SpatialSettings) -> bool:
    """Whether a result has the library sizes as its last axis."""
    return bool(settings.window_sizes) and name in SIZED


def map_block(effect: np.ndarray, *causes: np.ndarray, settings: SpatialSettings) -> tuple[np.ndarray, ...]:
    """Cross map each cause (..., lat, lon) and the effect (..., lat, lon), which broadcast against each other.

    Returns
    -------
    tuple of ndarray
        (..., cause, direction[, library size]) each, named by :func:`result_names`.
    """
    shape = np.broadcast_shapes(effect.shape, *(cause.shape for cause in causes))
    effects = np.broadcast_to(np.asarray(effect, dtype=np.float64), shape)
    everything = [np.broadcast_to(np.asarray(cause, dtype=np.float64), shape) for cause in causes]
    out = {}
    for name in result_names(settings):
        tail = (len(settings.window_sizes),) if has_sizes(name, settings) else ()
        whole = (*shape[:-2], len(causes), len(settings.directions), *tail)
        out[name] = np.zeros(whole, np.int64) if name == "n_pairs" else np.full(whole, np.nan)
    for index in np.ndindex(shape[:-2]):
        for at, cause in enumerate(everything):
            for way, direction in enumerate(settings.directions):
                pair = (effects[index], cause[index])
                field, target = pair if direction == FORWARD else pair[::-1]
                for name, value in map_field(field, target, settings).items():
                    out[name][(*index, at, way)] = value
    return tuple(out.values())


def map_field(field: np.ndarray, target: np.ndarray, settings: SpatialSettings) -> dict[str, np.ndarray]:
    """Every result for one `target` (lat, lon) estimated from the state vectors of `field` (lat, lon)."""
    if settings.detrend:
        field, target = fields.remove_plane(field), fields.remove_plane(target)
    skill = fields.cross_map_field(field, target[None], settings)
    rho, n = skill.rho[0], skill.n_pairs[0].max(axis=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # sizes without a window are NaN
        mean, (low, high) = np.nanmean(rho, axis=-1), np.nanquantile(rho, QUANTILES, axis=-1)
    found = {"rho": mean, "p_value": pearson_p_value(mean, n), "n_pairs": n}
    if settings.window_sizes:
        found |= {"rho_lower": low, "rho_upper": high}
    else:
        found = {name: value[0] for name, value in found.items()}
    if len(settings.window_sizes) > 1:
        growth = growth_of(rho[None], n[None], np.array(settings.window_sizes), nested=False)
        found |= {name: value[0] for name, value in zip(CONVERGENCE, growth, strict=True)}
    if settings.surrogates:
        found["surrogate_p_value"] = surrogate_test(field, target, settings)
    return found


def surrogate_test(field: np.ndarray, target: np.ndarray, settings: SpatialSettings) -> np.ndarray:
    """One-sided p-value of the whole field's skill against phase-randomised copies of `target`."""
    if not np.isfinite(target).any():
        return np.array(np.nan)
    copies = fields.field_surrogates(target, settings.surrogates, settings.seed, wrap=settings.wrap)
    whole = fields.whole_field(settings)
    rho = fields.cross_map_field(field, np.concatenate([target[None], copies]), whole).rho[:, 0, 0]
    if not np.isfinite(rho[0]):
        return np.array(np.nan)
    return np.array((1 + np.sum(rho[1:] >= rho[0])) / (1 + settings.surrogates))
