"""Bootstrap and jackknife: samples of sites and of blocks of days, intervals, p-values and standard errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

N_BLOCKS, SHORTEST = 12, 30  # blocks of a record, and the fewest steps of each
BATCH = 2_000_000  # numbers held at once while resampling

Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]  # sums (model, ..., 13) -> by name (row, ...)


class Studentised(NamedTuple):
    """A statistic, its jackknife error, and ``(resampled - value) / resampled error``, all by row."""

    value: np.ndarray  # (row,)
    error: np.ndarray  # (row,)
    t: np.ndarray  # (row, n_boot)


def blocks(daily: np.ndarray, length: int | None) -> np.ndarray:
    """Add up daily sums (model, time, 13) in consecutive blocks (model, block, 13), from the first scored day on.

    Without a length the record, from the first to the last scored day, is cut into `N_BLOCKS` blocks, none shorter than
    `SHORTEST` steps. Blocks without a scored day are dropped.
    """
    scored = np.flatnonzero(daily[0, :, 0])
    if not scored.size:
        return daily[:, :0]
    first, last = scored[0], scored[-1] + 1
    step = max(SHORTEST, -(-(last - first) // N_BLOCKS)) if length is None else length
    sums = np.add.reduceat(daily, np.arange(first, last, step), axis=1)
    return sums[:, sums[0, :, 0] > 0]


def draw(n_units: int, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Which of the units each sample holds, drawn with replacement."""
    return rng.integers(n_units, size=size)


def bootstrap_weights(n_site: int, n_boot: int, rng: np.random.Generator) -> np.ndarray:
    """How often each bootstrap sample, drawn with replacement, holds each site: (n_boot, site)."""
    if not n_site:
        return np.zeros((n_boot, 0))
    return rng.multinomial(n_site, np.full(n_site, 1 / n_site), n_boot).astype("float64")


def batches(n_boot: int, numbers_each: int) -> Iterator[slice]:
    """Slices of the samples, so that a batch holds about `BATCH` numbers."""
    step = max(1, BATCH // max(1, numbers_each))
    yield from (slice(start, min(start + step, n_boot)) for start in range(0, n_boot, step))


def jackknife(units: np.ndarray, statistic: Statistic) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Value (row, ...) of the sum of units (model, ..., unit, 13), and its jackknife standard error (row, ...)."""
    count = units.shape[-2]
    total = units.sum(axis=-2)
    values, errors = statistic(total), {}
    for name, without in statistic(total[..., None, :] - units).items():
        with np.errstate(invalid="ignore"):
            distance = without - without.mean(axis=-1, keepdims=True)
            errors[name] = np.sqrt((count - 1) / count * (distance**2).sum(axis=-1))
    return values, errors


def studentised(
    units: np.ndarray, sample: Callable[[slice], np.ndarray], n_boot: int, statistic: Statistic
) -> dict[str, Studentised]:
    """Bootstrap-t of statistics of the sum of units (model, unit, 13).

    `sample` gives the units of a batch of samples (model, batch, unit, 13).
    """
    values, errors = jackknife(units, statistic)
    t = {name: np.empty((*value.shape, n_boot)) for name, value in values.items()}
    for part in batches(n_boot, units.size):
        drawn, drawn_error = jackknife(sample(part), statistic)
        for name, value in values.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                t[name][..., part] = (drawn[name] - value[..., None]) / drawn_error[name]
    return {name: Studentised(value, errors[name], t[name]) for name, value in values.items()}


def studentised_bounds(estimate: Studentised, confidence: float) -> np.ndarray:
    """Symmetric interval (row, 2); NaN where the units are too few, the value itself where nothing makes it vary.

    Symmetric, since the two tails of few and unequal sites are too uncertain to be told apart.
    """
    with np.errstate(invalid="ignore"):
        reach = quantile(np.abs(estimate.t), [confidence])[..., 0] * estimate.error
    bounds = np.stack([estimate.value - reach, estimate.value + reach], axis=-1)
    bounds = np.where(np.isfinite(bounds), bounds, np.nan)
    still = (estimate.error == 0) | np.isinf(estimate.value)
    return np.where(still[..., None], estimate.value[..., None], bounds)


def studentised_p_value(estimate: Studentised) -> np.ndarray:
    """Two-sided p-value (row,) of a value of zero: the smallest level at which the interval leaves zero out."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(estimate.value / estimate.error)
        further = (np.abs(estimate.t) >= distance[..., None]).sum(axis=-1)
    n = (~np.isnan(estimate.t)).sum(axis=-1)
    return np.where(np.isfinite(distance) & (n > 0), (1 + further) / (1 + n), np.nan)


def two_sided(samples: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Share of samples (row, n_boot) as far out as a value (row,), in the nearer tail, twice; NaN without a value."""
    n = np.isfinite(samples).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        tails = [(samples <= value[..., None]).sum(axis=-1), (samples >= value[..., None]).sum(axis=-1)]
    result = np.minimum(1.0, 2 * (1 + np.minimum(*tails)) / (1 + n))
    return np.where(np.isfinite(value) & (n > 0), result, np.nan)


def percentile_interval(samples: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end (...) of the central interval of samples (..., n_boot).

    Samples that are NaN are left out; the ends are NaN where no sample is left.
    """
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    if samples.shape[-1] and not np.isnan(samples).any():
        lower, upper = np.quantile(samples, ends, axis=-1)
    else:
        lower, upper = np.moveaxis(quantile(samples, ends), -1, 0)
    return lower, upper


def percentile_bounds(samples: np.ndarray, confidence: float, n_units: int) -> np.ndarray:
    """Expanded percentile interval (..., 2) of bootstrap samples (..., n_boot); undefined samples are left out.

    A percentile interval of few units is too narrow, as a normal interval in place of Student's t; the tails are
    those that make up for it (Hesterberg 2015, https://doi.org/10.1080/00031305.2015.1089789).
    """
    from scipy.stats import norm, t

    wide = np.sqrt(n_units / (n_units - 1)) * t.ppf((1 - confidence) / 2, n_units - 1)
    tail = float(norm.cdf(wide))
    return quantile(samples, [tail, 1 - tail])


def percentile_p_value(samples: np.ndarray, n_units: int) -> np.ndarray:
    """Two-sided p-value (row,) of zero: the smallest level at which :func:`percentile_bounds` leave zero out."""
    from scipy.stats import norm, t

    share = two_sided(samples, np.where(np.isnan(samples).all(axis=-1), np.nan, 0.0))
    return 2 * t.cdf(norm.ppf(share / 2) * np.sqrt((n_units - 1) / n_units), n_units - 1)


def quantile(samples: np.ndarray, at: list[float]) -> np.ndarray:
    """Quantiles (..., at) over the last axis without NaN; NaN where nothing else is there."""
    some = ~np.isnan(samples).all(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        result = np.nanquantile(np.where(some, samples, 0.0), at, axis=-1)
    return np.where(some, np.moveaxis(result, 0, -1), np.nan)


def bootstrap_medians(scores: np.ndarray, n_boot: int, seed: int) -> np.ndarray:
    """Median over drawn sites of the mean over drawn runs of scores (model, run, site): (model, n_boot).

    The same sites and runs are drawn for all models, so that differences between models are paired.
    """
    n_model, n_run, n_site = scores.shape
    rng = np.random.default_rng(seed)
    result = np.full((n_model, n_boot), np.nan)
    if not n_site:
        return result
    for b in range(n_boot):
        sites, runs = rng.integers(n_site, size=n_site), rng.integers(n_run, size=(n_run, n_site))
        result[:, b] = np.median(scores[:, runs, sites].mean(axis=1), axis=-1)
    return result


class LeaveOneOut(NamedTuple):
    """The estimates that leave out one site (site,), one year (year,), or one site in one year (site, year)."""

    site: np.ndarray
    year: np.ndarray
    cell: np.ndarray


def twoway_jackknife(counts: np.ndarray, without: LeaveOneOut) -> tuple[float, int]:
    """Standard error with dependence within sites and within years, and degrees of freedom.

    Variance over sites plus that over years less that over both (Cameron, Gelbach and Miller 2011), each by jackknife,
    and at least the smallest of the three. Sites that were seen in one year only say nothing of trends.
    """
    useful = (counts > 0).sum(axis=1) > 1
    there = useful[:, None] & (counts > 0)
    sites, years = int(useful.sum()), int(there.any(axis=0).sum())
    over_sites = _jackknife(without.site[useful])
    over_years = _jackknife(without.year[there.any(axis=0)])
    over_both = _jackknife(without.cell[there])
    freedom = min(sites, years) - 2
    if freedom < 1:
        return float("nan"), 0
    three = (over_sites, over_years, over_both)
    return float(np.sqrt(max(over_sites + over_years - over_both, min(three)))), freedom


def _jackknife(without: np.ndarray) -> float:
    n = without.size
    return float((n - 1) / n * ((without - without.mean()) ** 2).sum()) if n else float("nan")
