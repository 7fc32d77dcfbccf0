"""Cross mapping of blocks of fields: which field maps which, with what test. Last axes are (lat, lon)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numba import njit

from xdrought.kernels.compilation import inner
from xdrought.kernels.cross_map import pearson, pearson_p_value
from xdrought.kernels.cross_map_blocks import GROWTH, QUANTILES, growth_of

TIE = 1e-9  # distances this close (relative) are one distance


@dataclass(frozen=True)
class SpatialSettings:
    """How to map fields; plain values, so that they travel to dask workers."""

    dim: int = 3
    tau: int = 1
    neighbours: int = 4
    radius: int = 0
    from_effect: tuple[bool, ...] = (True,)  # for each direction: whether causes are estimated from the effect
    window_sizes: tuple[int, ...] = ()  # () for the whole field
    samples: int = 30
    surrogates: int = 0
    detrend: bool = False
    periodic: bool = False
    seed: int = 0


class FieldSkill(NamedTuple):
    """Skill (targets, sizes, samples), and cells compared; without windows one size of one sample."""

    rho: np.ndarray
    n_pairs: np.ndarray


def ring_means(field: np.ndarray, ring: int, *, periodic: bool) -> np.ndarray:
    """Mean (lat, lon) over the finite cells that are `ring` cells away, king's moves; NaN where there is none.

    `periodic` joins the first longitude to the last; there is nothing beyond the other edges.
    """
    if ring == 0:
        return np.asarray(field, dtype=np.float64)
    outer, inner = _square_sums(field, ring, periodic), _square_sums(field, ring - 1, periodic)
    total, count = outer[0] - inner[0], outer[1] - inner[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)


def _square_sums(field: np.ndarray, reach: int, periodic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the finite cells in the square of 2 reach + 1 cells around each cell."""
    finite = np.isfinite(field)
    sums = []
    for values in (np.where(finite, field, 0.0), finite.astype(np.float64)):
        padded = np.pad(values, ((reach, reach), (0, 0)))
        padded = np.pad(padded, ((0, 0), (reach, reach)), mode="wrap" if periodic and reach else "constant")
        window = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1, 2 * reach + 1))
        sums.append(window.sum(axis=(-2, -1)))
    return sums[0], np.rint(sums[1])


def spatial_embed(field: np.ndarray, dim: int, tau: int, *, periodic: bool) -> np.ndarray:
    """State vectors (lat, lon, dim): the cell itself and the means of the rings tau, 2 tau, ... around it.

    A cell without a value, or without any value in one of its rings, is NaN.
    """
    vectors = np.stack([ring_means(field, ring * tau, periodic=periodic) for ring in range(dim)], axis=-1)
    vectors[~np.isfinite(vectors).all(axis=-1)] = np.nan
    return vectors


def remove_plane(field: np.ndarray) -> np.ndarray:
    """Residuals (lat, lon) from a plane in row and column, fitted to the finite cells."""
    finite = np.isfinite(field)
    row, column = np.indices(field.shape)
    design = np.stack([np.ones(field.size), row.ravel(), column.ravel()], axis=1)
    out = np.full(field.shape, np.nan)
    if finite.sum() > 3:
        known = finite.ravel()
        fit, *_ = np.linalg.lstsq(design[known], field.ravel()[known], rcond=None)
        out[finite] = field[finite] - (design[known] @ fit)
    return out


@inner
def _distances(cell, vectors, places, library, radius, width, distance):
    """Mean absolute differences (Gao et al. 2023) of a cell's state to the library's; infinite within `radius`."""
    for at in range(library.size):
        other = library[at]
        apart = abs(places[cell, 1] - places[other, 1])
        if width > 0:
            apart = min(apart, width - apart)
        if max(apart, abs(places[cell, 0] - places[other, 0])) <= radius:
            distance[at] = np.inf
            continue
        total = 0.0
        for axis in range(vectors.shape[1]):
            total += abs(vectors[cell, axis] - vectors[other, axis])
        distance[at] = total / vectors.shape[1]


@inner
def _smallest(distance, nearest):
    """The smallest distances in order, into `nearest`."""
    nearest[:] = np.inf
    last = nearest.size - 1
    for value in distance:
        if value >= nearest[last]:
            continue
        slot = last
        while slot > 0 and nearest[slot - 1] > value:
            nearest[slot] = nearest[slot - 1]
            slot -= 1
        nearest[slot] = value


@inner
def _weights(distance, nearest, weight):
    """Weights ``exp(-d / d_1)`` of sum 1; cells tied with the last neighbour share its slots, zero distances all."""
    first, last = nearest[0], nearest[-1]
    closer, tied, total = 0, 0, 0.0
    for value in distance:
        closer += value < last * (1 - TIE)
        tied += value >= last * (1 - TIE) and value <= last * (1 + TIE)
    share = (nearest.size - closer) / tied
    for at in range(distance.size):
        value = distance[at]
        weight[at] = 0.0
        if value > last * (1 + TIE) or (first == 0 and value > 0):
            continue
        weight[at] = np.exp(-value / first) if first > 0 else 1.0
        if value >= last * (1 - TIE):
            weight[at] *= share
        total += weight[at]
    weight /= total


@njit(cache=True, nogil=True)
def _estimate(vectors, places, library, targets, k, radius, width):
    """Estimates (target, cell) for the cells of `vectors` (cell, dim); NaN with fewer than k permitted neighbours.

    `places` (cell, 2) are rows and columns; cells within `radius` king's moves are no neighbours. `width` is the
    number of columns where these join at the ends, else 0.
    """
    out = np.full((targets.shape[0], vectors.shape[0]), np.nan)
    distance, weight, nearest = np.empty(library.size), np.empty(library.size), np.empty(k)
    for cell in range(vectors.shape[0]):
        _distances(cell, vectors, places, library, radius, width, distance)
        _smallest(distance, nearest)
        if not np.isfinite(nearest[k - 1]):
            continue
        _weights(distance, nearest, weight)
        out[:, cell] = 0.0
        for at in range(library.size):
            if weight[at] > 0:
                for target in range(targets.shape[0]):
                    out[target, cell] += weight[at] * targets[target, library[at]]
    return out


def windows(size: int, valid: np.ndarray, samples: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Random square windows (lat, lon) bool of `size` cells a side of which at least half are valid.

    No window comes twice; all of them when there are no more than `samples`.
    """
    rows, columns = valid.shape
    if size > min(rows, columns):
        return []
    share = np.lib.stride_tricks.sliding_window_view(valid, (size, size)).mean(axis=(-2, -1))
    corners = np.argwhere(share >= 0.5)
    found = []
    for row, column in corners[rng.permutation(len(corners))[:samples]]:
        inside = np.zeros(valid.shape, bool)
        inside[row : row + size, column : column + size] = True
        found.append(inside & valid)
    return found


def cross_map_field(field: np.ndarray, targets: np.ndarray, settings: SpatialSettings) -> FieldSkill:
    """Skill of estimating `targets` (k, lat, lon) with the same gaps from the state vectors of `field` (lat, lon)."""
    vectors = spatial_embed(field, settings.dim, settings.tau, periodic=settings.periodic)
    valid = np.isfinite(vectors[..., 0]) & np.isfinite(targets[0])
    cells = np.flatnonzero(valid)
    rng = np.random.default_rng(settings.seed)
    if cells.size and np.ptp(vectors[valid], axis=0).max() == 0:
        valid = np.zeros_like(valid)  # a field of one value tells cells apart no more than no field does
        cells = cells[:0]
    groups = [windows(size, valid, settings.samples, rng) for size in settings.window_sizes] or [[valid]]
    samples = settings.samples if settings.window_sizes else 1
    rho = np.full((len(targets), len(groups), samples), np.nan)
    n = np.zeros(rho.shape, np.int64)
    number = np.full(valid.size, -1)
    number[cells] = np.arange(cells.size)
    places = np.stack(np.unravel_index(cells, valid.shape), axis=1)
    truth = np.ascontiguousarray(targets.reshape(len(targets), -1)[:, cells])
    truth = truth - truth.mean(axis=1, keepdims=True) if cells.size else truth
    width = valid.shape[1] if settings.periodic else 0
    for at, group in enumerate(groups):
        for sample, inside in enumerate(group):
            library = number[np.flatnonzero(inside)]
            states = np.ascontiguousarray(vectors.reshape(-1, settings.dim)[cells])
            found = _estimate(states, places, library, truth, settings.neighbours, settings.radius, width)
            rho[:, at, sample], n[:, at, sample] = pearson(found, truth)
    return FieldSkill(rho, n)


def field_surrogates(field: np.ndarray, number: int, seed: int, *, periodic: bool) -> np.ndarray:
    """Phase-randomised copies (number, lat, lon) of a field: its spectrum, no place of its own.

    The field is mirrored at its edges first (in longitude not where these join), as opposite edges need not fit;
    missing cells are filled with the mean and are missing again afterwards.
    """
    finite = np.isfinite(field)
    filled = np.where(finite, field, field[finite].mean())
    whole = np.concatenate([filled, filled[::-1]])
    whole = whole if periodic else np.concatenate([whole, whole[:, ::-1]], axis=1)
    spectrum = np.fft.rfft2(whole)
    rng = np.random.default_rng(seed)
    copies = np.empty((number, *field.shape))
    for copy in copies:
        # the phases of a real random field have the symmetry that a real copy needs
        phase = np.fft.rfft2(rng.standard_normal(whole.shape))
        phase /= np.abs(phase)
        phase[0, 0] = 1.0
        copy[...] = np.fft.irfft2(spectrum * phase, s=whole.shape)[: field.shape[0], : field.shape[1]]
    copies[:, ~finite] = np.nan
    return copies


def whole_field(settings: SpatialSettings) -> SpatialSettings:
    """The same settings with the whole field as the library."""
    return replace(settings, window_sizes=())


SIZED = ("rho", "p_value", "n_pairs", "rho_lower", "rho_upper")  # on library_size where sizes are asked for


def result_names(settings: SpatialSettings) -> tuple[str, ...]:
    """The results of :func:`map_block` in order."""
    names: tuple[str, ...] = ("rho", "p_value", "n_pairs")
    if settings.window_sizes:
        names += ("rho_lower", "rho_upper")
    if len(settings.window_sizes) > 1:
        names += GROWTH
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
        whole = (*shape[:-2], len(causes), len(settings.from_effect), *tail)
        out[name] = np.zeros(whole, np.int64) if name == "n_pairs" else np.full(whole, np.nan)
    for index in np.ndindex(shape[:-2]):
        for at, cause in enumerate(everything):
            for way, from_effect in enumerate(settings.from_effect):
                pair = (effects[index], cause[index])
                field, target = pair if from_effect else pair[::-1]
                for name, value in map_field(field, target, settings).items():
                    out[name][(*index, at, way)] = value
    return tuple(out.values())


def map_field(field: np.ndarray, target: np.ndarray, settings: SpatialSettings) -> dict[str, np.ndarray]:
    """Every result for one `target` (lat, lon) estimated from the state vectors of `field` (lat, lon)."""
    if settings.detrend:
        field, target = remove_plane(field), remove_plane(target)
    skill = cross_map_field(field, target[None], settings)
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
        growth = growth_of(rho[None], n[None], np.array([settings.window_sizes]), nested=False)
        found |= {name: value[0] for name, value in zip(GROWTH, growth, strict=True)}
    if settings.surrogates:
        found["surrogate_p_value"] = surrogate_test(field, target, settings)
    return found


def surrogate_test(field: np.ndarray, target: np.ndarray, settings: SpatialSettings) -> np.ndarray:
    """One-sided p-value of the whole field's skill against phase-randomised copies of `target`."""
    if not np.isfinite(target).any():
        return np.array(np.nan)
    copies = field_surrogates(target, settings.surrogates, settings.seed, periodic=settings.periodic)
    whole = whole_field(settings)
    rho = cross_map_field(field, np.concatenate([target[None], copies]), whole).rho[:, 0, 0]
    if not np.isfinite(rho[0]):
        return np.array(np.nan)
    return np.array((1 + np.sum(rho[1:] >= rho[0])) / (1 + settings.surrogates))
