"""Cross mapping of arrays: embed, search, estimate, correlate. Time is the last axis everywhere.

One series builds the manifold; each of the targets is estimated from its neighbours there, and the skill is the
correlation of estimate and truth. Blocks of series, directions and lags: :mod:`xdrought.kernels.cross_map_blocks`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import betainc

from xdrought.kernels import compilation
from xdrought.kernels.neighbours import Operator, build_operator, delay_embed
from xdrought.kernels.surrogates import anomalies_to_test, make_surrogates

BATCH = 64  # surrogates mapped at once: they fit the cache, and do not change the result
# Day searches for which scipy's tree takes so much longer as it takes to import numba and load compiled code, to
# compile one embedding, to compile the operator that surrogates need as well, and to compile libraries
WORTH_LOADING, WORTH_COMPILING = 300_000, 6_000_000
WORTH_COMPILING_SURROGATES, WORTH_COMPILING_LIBRARIES = 20_000_000, 10_000_000


@dataclass(frozen=True, eq=False)
class Settings:
    """How one direction is mapped at one lag; plain values, so that it travels to dask workers."""

    dim: int = 2
    tau: int = 1
    radius: int | None = 0  # None: from the autocorrelation of the searched series
    lag: int = 0
    library_sizes: tuple[int, ...] = ()
    samples: int = 30
    surrogates: int = 0
    surrogate_kind: str = "phase"
    seed: int = 0
    years: np.ndarray | None = None  # time in years, when the annual cycle is to be removed or kept for the test
    compiled: bool = False  # numba's search or scipy's, the same numbers
    may_compile: bool = True  # what is missing of it, for ties and surrogates; else these are left to scipy's
    engine: Callable[..., Skill] | None = None  # in place of `cross_map`, for the whole record as library


def worth_compiling(settings: Settings, n_maps: int, n_steps: int, *, any_dim: bool = False) -> bool:
    """Whether a job of `n_maps` cross maps should use compiled code; says so when it is not there yet.

    With `any_dim` the code that serves all embedding dimensions counts, else that for the dimension of the settings.
    """
    if _work(settings, n_maps, n_steps) < WORTH_LOADING and "numba" not in sys.modules:
        return False
    if _is_compiled(settings, any_dim):
        return True
    if not is_long(settings, n_maps, n_steps):
        return False
    compilation.announce("cross mapping")
    return True


def is_long(settings: Settings, n_maps: int, n_steps: int) -> bool:
    """Whether a job of `n_maps` cross maps is worth the time of a compiler."""
    least = WORTH_COMPILING_SURROGATES if settings.surrogates else WORTH_COMPILING
    least = WORTH_COMPILING_LIBRARIES if settings.library_sizes else least
    return _work(settings, n_maps, n_steps) >= least


def _work(settings: Settings, n_maps: int, n_steps: int) -> float:
    """Searches of days, by which the time of scipy's tree is judged."""
    return n_maps * n_steps * (1 + len(settings.library_sizes) * settings.samples + settings.surrogates / 20)


def _is_compiled(settings: Settings, any_dim: bool) -> bool:
    """Whether the compiled code that a job begins with is there."""
    from xdrought.kernels.plain_maps import is_compiled_for
    from xdrought.kernels.random_libraries import library_skills

    if settings.library_sizes:
        return compilation.is_stored(library_skills)
    return _has_operator() if any_dim else is_compiled_for(settings.dim)


def _has_operator() -> bool:
    from xdrought.kernels.compiled_operator import operator_arrays

    return compilation.is_stored(operator_arrays)


def _uses_operator(settings: Settings) -> bool:
    """Whether ties and surrogates are left to compiled code, which must be there or may be made."""
    return settings.compiled and (settings.may_compile or _has_operator())


class Skill(NamedTuple):
    """Correlation of estimate and truth, the days compared and the share of them with tied neighbours."""

    rho: np.ndarray
    n_pairs: np.ndarray
    tied_fraction: np.ndarray


def cross_map(series: np.ndarray, targets: np.ndarray, settings: Settings, radius: int) -> Skill:
    """Skill of estimating `targets` (k, time) from the manifold of `series` (time,), the whole record as library."""
    if settings.compiled:
        from xdrought.kernels.plain_maps import map_plain

        found, n_pairs, done = map_plain(series[None], targets[None], settings.dim, settings.tau, np.array([radius]))
        if done[0]:
            return Skill(found[0], np.full(len(targets), n_pairs[0]), np.zeros(len(targets)))
    return cross_map_with_ties(series, targets, settings, radius)


def cross_map_with_ties(series: np.ndarray, targets: np.ndarray, settings: Settings, radius: int) -> Skill:
    """As :func:`cross_map`, also for series with ties and targets that differ in their gaps."""
    rho, n, tied = np.full(len(targets), np.nan), np.zeros(len(targets), np.int64), np.full(len(targets), np.nan)
    compiled = _uses_operator(settings)
    for chosen, days, vectors in patterns(series, targets, settings):
        operator = build_operator(vectors, days, days, radius, compiled=compiled)
        rho[chosen], n[chosen] = score(operator, targets[chosen], compiled=compiled)
        tied[chosen] = tied_share(operator)
    return Skill(rho, n, tied)


def cross_map_by_causal_ccm(series: np.ndarray, targets: np.ndarray, settings: Settings, radius: int) -> Skill:
    """Skill of each of `targets` (k, time) from the manifold of `series` (time,) by ``causal_ccm.ccm``.

    The span that both series have is used; a gap inside it, or a span too short for E + 1 neighbours, gives NaN.
    The package doesn't report ties. `radius` is 0 here: it has no exclusion window.
    """
    from causal_ccm.causal_ccm import ccm

    rho, n = np.full(len(targets), np.nan), np.zeros(len(targets), np.int64)
    for at, target in enumerate(targets):
        days = np.flatnonzero(np.isfinite(series) & np.isfinite(target))
        reach = (settings.dim - 1) * settings.tau
        if days.size < reach + settings.dim + 2 or days[-1] - days[0] + 1 != days.size:
            continue
        if np.ptp(series[days]) == 0 or np.ptp(target[days]) == 0:
            continue
        result = ccm(target[days], series[days], tau=settings.tau, E=settings.dim)
        rho[at], _ = result.causality()
        n[at] = days.size - reach
    return Skill(rho, n, np.full(len(targets), np.nan))


def patterns(
    series: np.ndarray, targets: np.ndarray, settings: Settings
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Targets (k, time) with the same gaps can share a search of the manifold of `series` (time,).

    Yields their indices, the days on which they and the delay vector are there, and the delay vectors.
    """
    vectors = delay_embed(series, settings.dim, settings.tau)
    valid = np.isfinite(targets) & np.isfinite(vectors[:, 0])
    if (valid == valid[0]).all():
        yield np.arange(len(targets)), valid[0], vectors
        return
    distinct, member = np.unique(np.packbits(valid, axis=1), axis=0, return_inverse=True)
    for pattern in range(len(distinct)):
        chosen = np.flatnonzero(member.ravel() == pattern)
        yield chosen, valid[chosen[0]], vectors


def score(operator: Operator, targets: np.ndarray, *, compiled: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Correlation and number of pairs of targets (k, time) that share the operator's valid days."""
    if compiled:
        from xdrought.kernels.compiled_operator import skills

        rho = skills(*operator[:6], compilation.as_one_type(targets))
        return rho, np.full(len(targets), np.count_nonzero(operator.mapped))
    truth = np.where(operator.mapped, targets, np.nan)
    # centred first: sums over groups then lose nothing on pressures in Pa or geopotentials
    centre = np.nanmean(truth, axis=1, keepdims=True) if operator.mapped.any() else 0.0
    return pearson(operator.estimate(targets - centre), truth - centre)


def tied_share(operator: Operator) -> float:
    """Share of the mapped days with tied neighbours; NaN without any."""
    mapped = int(operator.mapped.sum())
    return float(operator.tied.sum()) / mapped if mapped else np.nan


def pearson(estimate: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation (...,) and number of pairs over the days (..., time) that both have.

    NaN where the truth is constant, the estimate is (to rounding), or fewer than three pairs are left.
    """
    both = np.isfinite(estimate) & np.isfinite(truth)
    n = both.sum(axis=-1)
    a, b = _anomalies(estimate, both, n), _anomalies(truth, both, n)
    size_a, size_b = np.sqrt((a * a).sum(axis=-1)), np.sqrt((b * b).sum(axis=-1))
    scale = np.abs(np.where(both, truth, 0.0)).max(axis=-1, initial=0.0) * np.sqrt(n)
    varies = (size_b > 1e-13 * scale) & (size_a > 1e-12 * size_b) & (n >= 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = (a * b).sum(axis=-1) / (size_a * size_b)
    return np.where(varies, np.clip(rho, -1.0, 1.0), np.nan), n


def _anomalies(values: np.ndarray, both: np.ndarray, n: np.ndarray) -> np.ndarray:
    kept = np.where(both, values, 0.0)
    return np.where(both, kept - (kept.sum(axis=-1) / np.maximum(n, 1))[..., None], 0.0)


def pearson_p_value(rho: np.ndarray, n_pairs: np.ndarray) -> np.ndarray:
    """Two-sided p-value of a correlation of independent normal pairs; NaN with fewer than three."""
    half = np.maximum(np.asarray(n_pairs, dtype=np.float64) / 2 - 1, 0.5)
    # 1 - |rho| over 2 keeps the small tail that 1 - cdf(|rho|) would lose
    return np.where(np.asarray(n_pairs) >= 3, 2 * betainc(half, half, (1 - np.abs(rho)) / 2), np.nan)


def decorrelation_time(series: np.ndarray) -> int:
    """First lag at which the autocorrelation of `series` (time,) is below 1/e; its length when it never is."""
    for lag in range(1, series.size - 2):
        rho, _ = pearson(series[lag:], series[:-lag])
        if not rho >= np.exp(-1):
            return lag
    return series.size


def shift(targets: np.ndarray, lag: int) -> np.ndarray:
    """``targets(t + lag)`` at t, NaN beyond the record; (..., time)."""
    if lag == 0:
        return targets
    moved = np.full(targets.shape, np.nan)
    if lag > 0:
        moved[..., :-lag] = targets[..., lag:]
    else:
        moved[..., -lag:] = targets[..., :lag]
    return moved


class LibrarySkill(NamedTuple):
    """Skill of random libraries (k, sizes, samples), and the days that they hold (k, sizes)."""

    rho: np.ndarray
    n_pairs: np.ndarray
    tied_fraction: np.ndarray
    library_days: np.ndarray


def library_skill(series: np.ndarray, targets: np.ndarray, settings: Settings, radius: int) -> LibrarySkill:
    """Skill (k, sizes, samples) of random libraries.

    Libraries are nested: one permutation of the days per sample, of which each size takes the first valid ones.
    The permutations depend on the seed and the length of the record only. A size beyond the valid days takes them all.
    """
    sizes = np.array(settings.library_sizes)
    shape = (len(targets), sizes.size, settings.samples)
    library_days = np.zeros(shape[:2], np.int64)
    rho, tied = np.full(shape, np.nan), np.full(shape, np.nan)
    n = np.zeros(shape, np.int64)
    rng = np.random.default_rng(settings.seed)
    order = [rng.permutation(series.size) for _ in range(settings.samples)]
    for chosen, days, vectors in patterns(series, targets, settings):
        held = np.minimum(sizes, np.count_nonzero(days))
        library_days[chosen] = held
        if settings.compiled:
            rho[chosen], n[chosen], tied[chosen] = _compiled_library_skill(
                vectors, days, targets[chosen], order, held, radius
            )
            continue
        for sample, permutation in enumerate(order):
            candidates = permutation[days[permutation]]
            for at, size in enumerate(held if candidates.size else ()):
                library = np.zeros(series.size, bool)
                library[candidates[:size]] = True
                operator = build_operator(vectors, days, library, radius)
                rho[chosen, at, sample], n[chosen, at, sample] = score(operator, targets[chosen])
                tied[chosen, at, sample] = tied_share(operator)
    return LibrarySkill(rho, n, tied, library_days)


def _compiled_library_skill(
    vectors: np.ndarray,
    days: np.ndarray,
    targets: np.ndarray,
    order: list[np.ndarray],
    sizes: np.ndarray,
    radius: int,
) -> Skill:
    """Skill of targets (k, time) that share the gaps, with libraries of `sizes`, none beyond the valid days."""
    from xdrought.kernels.random_libraries import library_skills

    valid = np.stack([permutation[days[permutation]] for permutation in order])
    rho, mapped, tied = library_skills(vectors, days, compilation.as_one_type(targets), valid, sizes, radius)
    with np.errstate(invalid="ignore"):
        return Skill(rho, mapped, tied / mapped)


def surrogate_test(
    series: np.ndarray, targets: np.ndarray, settings: Settings, radius: int, where: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """One-sided p-value (k,) and tested skill (k,) against surrogates of each target.

    With `settings.years` the annual cycle is removed from the series and the targets first, unless the surrogates
    keep it. The manifold stays, so a surrogate costs no search. All targets share their random phases, which keeps
    their cross-correlation. Surrogates are made of the whole target; only the days in `where` (k, time) are compared.
    """
    kind, years = settings.surrogate_kind, settings.years
    series, targets = (anomalies_to_test(values, kind, years) for values in (series, targets))
    compared = targets if where is None else np.where(where, targets, np.nan)
    p_value, tested = np.full(len(targets), np.nan), np.full(len(targets), np.nan)
    compiled = _uses_operator(settings)
    for chosen, days, vectors in patterns(series, compared, settings):
        operator = build_operator(vectors, days, days, radius, compiled=compiled)
        tested[chosen], _ = score(operator, targets[chosen], compiled=compiled)
        for target in chosen[np.isfinite(tested[chosen])]:
            reached = 0
            for batch in make_surrogates(targets[target], kind, settings.surrogates, settings.seed, years, BATCH):
                rho, _ = score(operator, batch, compiled=compiled)
                reached += int((rho >= tested[target]).sum())
            p_value[target] = (1 + reached) / (1 + settings.surrogates)
    return p_value, tested
