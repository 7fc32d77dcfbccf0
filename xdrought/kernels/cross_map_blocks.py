"""Cross maps of a block of series: causes and effect in both directions, at many lags, with their tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr
from scipy.stats import kendalltau

from xdrought.kernels import cross_map
from xdrought.kernels.cross_map import LibrarySkill, Settings, Skill

BY_SIZE = ("rho", "p_value", "n_pairs", "tied_fraction", "library_days", "rho_lower", "rho_upper")
WHOLE_NUMBERS = ("n_pairs", "library_days", "exclusion_radius")
GROWTH = (
    "convergence",
    "convergence_lower",
    "convergence_upper",
    "kendall_tau",
    "kendall_p_value",
    "fisher_z",
    "fisher_p_value",
)
QUANTILES = (0.025, 0.975)
TOGETHER = 64  # series at a time: what is made of them fits the cache


def result_names(settings: Settings) -> tuple[str, ...]:
    """The results of :func:`map_block` in order."""
    names: tuple[str, ...] = ("rho", "p_value", "n_pairs", "tied_fraction", "exclusion_radius")
    if settings.library_sizes:
        names += ("library_days", "rho_lower", "rho_upper")
    if len(settings.library_sizes) > 1:
        names += GROWTH
    if settings.surrogates:
        names += ("surrogate_p_value", "tested_rho")
    return names


def has_sizes(name: str, settings: Settings) -> bool:
    """Whether a result has the library sizes as its last axis."""
    return bool(settings.library_sizes) and name in BY_SIZE


def map_block(
    effect: np.ndarray,
    *others: np.ndarray,
    from_effect: Sequence[bool],
    settings: Sequence[Sequence[Settings]],
    masked: bool = False,
) -> tuple[np.ndarray, ...]:
    """Cross map causes (..., time) and effect (..., time), which broadcast against each other.

    Parameters
    ----------
    effect : ndarray (..., time)
    *others : ndarray (..., time)
        The causes; the first one is the mask of days to learn from and to estimate when `masked`. Delay vectors are
        those of the whole record.
    from_effect : sequence of bool
        For each direction, whether the causes are estimated from the manifold of the effect, or the reverse.
    settings : sequence of sequences of Settings
        For each direction and lag; they share everything but the embedding and the lag.

    Returns
    -------
    tuple of ndarray
        (..., cause, direction, lag[, library size]) each, named by :func:`result_names`.
    """
    effect, *causes = (np.asarray(series, dtype=np.float64) for series in (effect, *others[masked:]))
    shape = np.broadcast_shapes(effect.shape, *(cause.shape for cause in causes))
    where = np.broadcast_to(others[0], shape) if masked else None
    all_causes = np.stack([np.broadcast_to(cause, shape) for cause in causes])
    all_effects = np.broadcast_to(effect, shape)[None]
    results = _allocate((len(causes), len(settings), len(settings[0]), *shape[:-1]), settings[0][0])
    for way, by_lag in enumerate(settings):
        for lag, chosen in enumerate(by_lag):
            of_way = {name: values[:, way, lag] for name, values in results.items()}
            if from_effect[way]:
                _map_targets(of_way, effect, all_causes, chosen, where)
                continue
            for number, cause in enumerate(causes):
                of_cause = {name: values[number : number + 1] for name, values in of_way.items()}
                _map_targets(of_cause, cause, all_effects, chosen, where)
    results["p_value"] = cross_map.pearson_p_value(results["rho"], results["n_pairs"])
    last = len(shape) - 1
    return tuple(np.moveaxis(values, (0, 1, 2), (last, last + 1, last + 2)) for values in results.values())


def _allocate(shape: tuple[int, ...], settings: Settings) -> dict[str, np.ndarray]:
    """Arrays for every result, (*shape[, library size]), NaN or 0 until they are filled."""
    results = {}
    for name in result_names(settings):
        whole = (*shape, len(settings.library_sizes)) if has_sizes(name, settings) else shape
        results[name] = np.zeros(whole, np.int64) if name in WHOLE_NUMBERS else np.full(whole, np.nan)
    return results


def _map_targets(
    results: dict[str, np.ndarray],
    series: np.ndarray,
    targets: np.ndarray,
    settings: Settings,
    where: np.ndarray | None,
) -> None:
    """Map `targets` (k, ..., time) from the manifolds of `series` (..., time) into `results` (k, ..., [sizes])."""
    time = series.shape[-1]
    lengths = (1,) * (targets.ndim - 1 - series.ndim) + series.shape[:-1]
    own = [axis for axis, length in enumerate(lengths, start=1) if length > 1]  # each of the series meets its targets
    manifolds = series.reshape(-1, time)

    def by_series(values: np.ndarray) -> np.ndarray:
        """A view with the dimensions of the series first."""
        return np.moveaxis(values, own, range(len(own)))

    def of(values: np.ndarray, place: tuple) -> np.ndarray:
        """Those of some series, (series, targets, time)."""
        chosen = by_series(values)[place]
        return chosen.reshape(len(chosen), -1, time)

    for first in range(0, len(manifolds), TOGETHER):
        part = slice(first, min(first + TOGETHER, len(manifolds)))
        place: tuple = (None,)
        if own:
            place = np.unravel_index(np.arange(part.start, part.stop), [targets.shape[axis] for axis in own])
        days = None if where is None else of(np.broadcast_to(where, targets.shape), place)
        for name, values in _map_together(manifolds[part], of(targets, place), settings, days).items():
            out = by_series(results[name])
            out[place] = values.reshape(out[place].shape)


def _map_together(
    series: np.ndarray, targets: np.ndarray, settings: Settings, where: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Every result (s, k, ...) for `targets` (s, k, time) from the manifolds of `series` (s, time)."""
    radius = [cross_map.decorrelation_time(each) if settings.radius is None else settings.radius for each in series]
    known: list[Skill | None] = [None] * len(series)
    if settings.compiled and settings.engine is None and not settings.library_sizes:
        from xdrought.kernels.plain_maps import map_plain

        moved = cross_map.shift(targets, settings.lag)
        compared = moved if where is None else np.where(where, moved, np.nan)
        rho, n_pairs, done = map_plain(series, compared, settings.dim, settings.tau, np.array(radius))
        if done.all() and not settings.surrogates:
            whole = np.broadcast_to(n_pairs[:, None], rho.shape)
            skill = Skill(rho, whole, np.zeros(rho.shape))
            return skill._asdict() | {"exclusion_radius": np.broadcast_to(np.array(radius)[:, None], rho.shape)}
        known = [
            Skill(rho[at], np.full(len(rho[at]), n_pairs[at]), np.zeros(len(rho[at]))) if done[at] else None
            for at in range(len(series))
        ]
    each = [
        map_from(one, targets[at], settings, None if where is None else where[at], known[at], radius[at])
        for at, one in enumerate(series)
    ]
    return {name: np.stack([results[name] for results in each]) for name in each[0]}


def map_from(
    series: np.ndarray,
    targets: np.ndarray,
    settings: Settings,
    where: np.ndarray | None,
    skill: Skill | None,
    radius: int,
) -> dict[str, np.ndarray]:
    """Every result for `targets` (k, time) from the manifold of `series` (time,), on the days in `where` (k, time).

    `skill` is that of the whole record as library where it is known.
    """
    targets = cross_map.shift(targets, settings.lag)
    compared = targets if where is None else np.where(where, targets, np.nan)
    results = {"exclusion_radius": np.full(len(targets), radius)}
    if settings.library_sizes:
        results |= summarise(cross_map.library_skill(series, compared, settings, radius))
    elif skill is not None:
        results |= skill._asdict()
    else:
        engine = settings.engine or cross_map.cross_map_with_ties
        results |= engine(series, compared, settings, radius)._asdict()
    if settings.surrogates:
        tests = cross_map.surrogate_test(series, targets, settings, radius, where)
        results["surrogate_p_value"], results["tested_rho"] = tests
    return results


def summarise(samples: LibrarySkill) -> dict[str, np.ndarray]:
    """Skill (k, sizes, samples) of random libraries in numbers: the mean curve (k, sizes) and tests of it (k,)."""
    n_pairs = samples.n_pairs.min(axis=-1)
    low, high = np.quantile(samples.rho, QUANTILES, axis=-1)
    results = {
        "rho": samples.rho.mean(axis=-1),
        "n_pairs": n_pairs,
        "tied_fraction": samples.tied_fraction.mean(axis=-1),
        "library_days": samples.library_days,
        "rho_lower": low,
        "rho_upper": high,
    }
    if n_pairs.shape[-1] > 1:
        results |= dict(zip(GROWTH, growth_of(samples.rho, n_pairs, samples.library_days), strict=True))
    return results


def growth_of(rho: np.ndarray, n: np.ndarray, sizes: np.ndarray, *, nested: bool = True) -> tuple[np.ndarray, ...]:
    """The numbers of `GROWTH` (k,) for skill (k, sizes, samples), pairs (k, sizes) and sizes (k, sizes).

    Sizes without skill are left out, and nested libraries of one size are one; with fewer than two sizes left all is
    NaN. Libraries that are not `nested` may differ in number by size (the rest is NaN), and any small one is compared
    with any large one.
    """
    out = np.full((len(GROWTH), len(rho)), np.nan)
    for row, (curve, pairs, size) in enumerate(zip(rho, n, sizes, strict=True)):
        order = np.unique(size, return_index=True)[1] if nested else np.argsort(size, kind="stable")
        known = np.isfinite(curve[order])
        order = order[known.all(axis=-1) if nested else known.any(axis=-1)]
        if len(order) < 2 or size[order[0]] == size[order[-1]]:
            continue
        first, last = order[0], order[-1]
        gain = curve[last] - curve[first] if nested else np.subtract.outer(curve[last], curve[first])
        gain = gain[np.isfinite(gain)]
        mean = np.nanmean(curve[order], axis=-1)
        tau, tau_p = kendalltau(size[order], mean, alternative="greater")
        z, z_p = fisher_difference(mean[-1], pairs[last], mean[0], pairs[first])
        out[:, row] = (gain.mean(), *np.quantile(gain, QUANTILES), tau, tau_p, z, z_p)
    return tuple(out)


def fisher_difference(high: float, n_high: int, low: float, n_low: int) -> tuple[float, float]:
    """Fisher's z of the difference of two correlations, and its one-sided p-value (first is larger)."""
    if min(n_high, n_low) <= 3:
        return np.nan, np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.arctanh(high) - np.arctanh(low)) / np.sqrt(1 / (n_high - 3) + 1 / (n_low - 3))
    return z, ndtr(-z)
