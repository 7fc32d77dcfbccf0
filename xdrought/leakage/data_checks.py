"""Were the variables normalised beforehand with what only the whole record tells: ranks, means, extremes, normals?"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.leakage.evidence import HONEST, Evidence, shown
from xdrought.leakage.report import ABSENT, LEAK, PASSED, Finding
from xdrought.percentiles import METHODS, POOLS, soil_moisture_percentile


def pairwise_correlation(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's r of every row of `a` (m, time) with every row of `b` (n, time), and the number of common days.

    Both (m, n); NaN where a row is constant on the common days.
    """
    (a, there_a), (b, there_b) = _centred(a), _centred(b)
    n = there_a @ there_b.T
    with np.errstate(divide="ignore", invalid="ignore"):
        sum_a, sum_b = a @ there_b.T, there_a @ b.T
        covariance = a @ b.T - sum_a * sum_b / n
        spread_a = (a**2) @ there_b.T - sum_a**2 / n
        spread_b = there_a @ (b**2).T - sum_b**2 / n
        flat = (spread_a <= 1e-9 * n) | (spread_b <= 1e-9 * n)  # of series with variance 1
        r = np.where(flat, np.nan, covariance / np.sqrt(spread_a * spread_b))
    return np.clip(r, -1, 1), n


def _centred(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of mean 0 and variance 1 with 0 where nothing is known, and 1 where something is."""
    there = np.isfinite(values)
    n = np.maximum(there.sum(axis=1, keepdims=True), 1)
    centred = np.where(there, values - np.where(there, values, 0).sum(axis=1, keepdims=True) / n, 0.0)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / n)
    return centred / np.where(spread > 0, spread, 1), there.astype("float64")


COPY, CHANGE = 0.999, 0.9999  # correlation of a copy or an average, and of a change
COMMON = 60  # days
CENTRED = 15  # days on either side of the widest centred average


def check_future(evidence: Evidence) -> Finding:
    """Is a driver made of observations of the target that are not reported yet?"""
    target, names = evidence.target, list(evidence.forecaster.drivers)
    looked_at = (
        f"every driver beside {target!r} of the days before and after: copies, averages, changes, at every place"
    )
    observed = evidence.series(target)
    drivers = np.stack([evidence.series(name) for name in names])
    suspects: dict[str, tuple[float, str]] = {}
    highest = 0.0
    for place, series in enumerate(observed):
        known, future = _candidates(series, evidence)
        for name, values in zip(names, drivers[:, place], strict=True):
            best, words = _best(values, future)
            highest = max(highest, best)
            # better than anything that may be known, so that a slow series' yesterday is not taken for its tomorrow
            if words and 1 - best < 0.25 * (1 - _best(values, known)[0]):
                suspects[str(name)] = max(suspects.get(str(name), (0.0, "")), (best, words))
    numbers = {"highest correlation with the future": highest} | {name: r for name, (r, _) in suspects.items()}
    if suspects:
        said = shown([f"{name} is {words}" for name, (_, words) in suspects.items()])
        return Finding("future", LEAK, looked_at, said, numbers)
    return Finding("future", PASSED, looked_at, "nothing that is only known later", numbers)


Candidates = list[tuple[str, float, np.ndarray]]


def _candidates(series: np.ndarray, evidence: Evidence) -> tuple[Candidates, Candidates]:
    """What may be known of the target on each day, and what may not: words, threshold, (time,)."""
    name, last, reach = evidence.target, -evidence.latency, evidence.windows.window + evidence.windows.lead
    known = [(f"{name} {-k} days before", COPY, _moved(series, k)) for k in range(last - reach, last + 1)]
    known += [(f"the mean of {w} days", COPY, _mean(series, last - w + 1, last)) for w in range(2, 2 * CENTRED + 2)]
    future = [(f"{name} {k} days later", COPY, _moved(series, k)) for k in range(last + 1, reach + 1)]
    future += [
        (f"the mean of {name} from {-a} days before to {b} days after", COPY, _mean(series, a, b))
        for a, b in [*((-h, h) for h in range(1, CENTRED + 1)), *((0, k) for k in range(1, reach + 1)),
                     *((1, k) for k in range(2, reach + 1))]
    ]  # fmt: skip
    future += [
        (f"the change of {name} over the next {k} days", CHANGE, _moved(series, k) - series)
        for k in range(1, reach + 1)
    ]
    return known, future


def _moved(series: np.ndarray, days: int) -> np.ndarray:
    """The value of `days` later on each day."""
    out = np.full(series.shape, np.nan)
    if abs(days) < series.size:
        out[max(-days, 0) : series.size - max(days, 0)] = series[max(days, 0) : series.size - max(-days, 0)]
    return out


def _mean(series: np.ndarray, first: int, last: int) -> np.ndarray:
    """Mean from `first` to `last` days later, where all of them are known."""
    width = last - first + 1
    if series.size < width:
        return np.full(series.shape, np.nan)
    means = np.lib.stride_tricks.sliding_window_view(series, width).mean(axis=1)  # of day t to t + width - 1
    return _moved(np.concatenate([means, np.full(width - 1, np.nan)]), first)


def _best(values: np.ndarray, candidates: Candidates) -> tuple[float, str]:
    """The highest correlation, of values or of ranks, that reaches its threshold, and what with; else ''."""
    words, thresholds, series = zip(*candidates, strict=True)
    matrix = np.stack(series)
    r = np.maximum(_correlation(values[None], matrix), _correlation(_ranks(values[None]), _ranks(matrix)))
    passing = r >= np.array(thresholds)
    best = int(np.argmax(np.where(passing, r, -1)))
    return (float(r[best]), words[best]) if passing[best] else (float(r.max()), "")


def _correlation(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    r, n = pairwise_correlation(values, matrix)
    return np.where((n >= COMMON) & np.isfinite(r), np.abs(r), 0.0)[0]


def _ranks(rows: np.ndarray) -> np.ndarray:
    return pd.DataFrame(rows.T).rank().to_numpy().T


def check_site_statistics(evidence: Evidence) -> Finding:
    """Does a driver that never changes hold a statistic of the whole record?"""
    looked_at = "drivers that are constant at each place, beside mean, spread, extremes and quantiles of every variable"
    constants = {}
    for name in evidence.forecaster.drivers:
        values = evidence.series(name)
        if (np.nanmax(values, axis=1) == np.nanmin(values, axis=1)).all():
            constants[name] = np.nanmax(values, axis=1)
    if not constants:
        return Finding("site statistics", ABSENT, looked_at, "no driver is constant")
    found = []
    for name in evidence.names:
        if name in constants:
            continue
        values = evidence.series(name)
        seen = dict(_statistics(np.where(evidence.learnt, values, np.nan)))
        for statistic, whole in _statistics(values):
            for constant, held in constants.items():
                if _is_made_of(held, whole) and not _is_made_of(held, seen[statistic]):
                    found.append(f"{constant} is the {statistic} of {name} over the whole record")
    numbers = {"constant drivers": len(constants)}
    if found:
        return Finding("site statistics", LEAK, looked_at, shown(sorted(set(found)), 3), numbers)
    return Finding("site statistics", PASSED, looked_at, "none of the whole record", numbers)


def _statistics(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(places,) each, over time."""
    some = np.where(np.isfinite(values).any(axis=1)[:, None], values, 0.0)
    yield "mean", np.nanmean(some, axis=1)
    yield "standard deviation", np.nanstd(some, axis=1)
    n = np.maximum(np.isfinite(some).sum(axis=1), 2)
    yield "sample standard deviation", np.nanstd(some, axis=1) * np.sqrt(n / (n - 1))
    quantiles = (0, 5, 10, 20, 25, 40, 50, 60, 75, 80, 90, 95, 100)
    for q, each in zip(quantiles, np.nanpercentile(some, quantiles, axis=1), strict=True):
        yield {0: "minimum", 50: "median", 100: "maximum"}.get(q, f"{q} % quantile"), each


def _is_made_of(held: np.ndarray, statistic: np.ndarray) -> bool:
    """Equal at every place, or, of many places, on a straight line with it."""
    scale = np.max(np.abs(statistic), initial=1e-12)
    if np.max(np.abs(held - statistic)) <= 1e-6 * scale:
        return True
    if held.size < 6 or not held.std() or not statistic.std():
        return False
    return bool(abs(np.corrcoef(held, statistic)[0, 1]) > 1 - 1e-9)


EXACT = 1e-5  # of a standard deviation: of arithmetic, not of chance
RANKED = 1e-3  # percentiles


def check_percentiles(evidence: Evidence) -> Finding:
    """Is a variable a percentile among all days? Ranked once more it is then itself, or its attributes say so."""
    looked_at = "every variable that runs from 0 to 100 or 0 to 1, ranked once more, and what attributes say of ranks"
    found: dict[str, str] = {}
    for name in evidence.names:
        words = _said_of_ranks(evidence.central[name], evidence) or _ranked_again(name, evidence)
        found |= {str(name): words} if words else {}
    return _told("percentiles", looked_at, found, evidence, "none of the whole record")


def _said_of_ranks(da: xr.DataArray, evidence: Evidence) -> str:
    """What :func:`xdrought.soil_moisture_percentile` writes down, where it is a reference that is tested."""
    reference = str(da.attrs.get("reference", ""))
    if "plotting_position" not in da.attrs or reference.startswith("series"):
        return ""
    if reference == "whole record":
        return "ranked against the whole record, as its attributes say"
    end = pd.to_datetime(reference.rpartition(" to ")[2], errors="coerce")
    learnt = evidence.bounds("train")[1]
    if pd.isna(end) or (end.to_datetime64() > learnt[~np.isnat(learnt)]).any():
        return f"ranked against {reference}, as its attributes say, beyond the end of training"
    return ""


def _ranked_again(name: Hashable, evidence: Evidence) -> str:
    values, learnt = evidence.central[name], evidence.days_of(HONEST[0], evidence.central)
    top = 100.0 if float(values.max()) > 1.0 else 1.0
    if not 0 <= float(values.min()) <= float(values.max()) <= top:
        return ""
    percent = (values.astype("float64") * (100.0 / top)).drop_attrs()
    for pool in POOLS:
        for method in METHODS:
            if _is_ranked(percent, method, pool, evidence) and not _is_ranked(
                percent.where(learnt), method, pool, evidence
            ):
                return f"ranked against the whole record ({method}, {pool})"
    return ""


def _is_ranked(percent: xr.DataArray, method: str, pool: str, evidence: Evidence) -> bool:
    again = soil_moisture_percentile(percent, method=method, pool=pool, time=evidence.time)
    return bool((abs(again - percent).max() <= RANKED).item())


def check_standardised(evidence: Evidence) -> Finding:
    """Is the mean of a variable, or of each month or day of the year, 0 over all days, but not in training?"""
    looked_at = "mean over all days and over training days: of the record, of each month and of each day of the year"
    index = pd.DatetimeIndex(evidence.days)
    groups = {
        "the mean": np.zeros(index.size, int),
        "the normals of the month": index.month.to_numpy(),
        "the normals of the day of the year": index.dayofyear.to_numpy(),
    }
    found = {}
    for name in evidence.names:
        values = evidence.series(name)
        in_training = np.where(evidence.learnt, values, np.nan)
        for words, group in groups.items():
            if _centred_days(values, group) <= EXACT < _centred_days(in_training, group):
                found[str(name)] = f"without {words} of the whole record"
                break
        if str(name) not in found and _centred_days(values.reshape(1, -1), np.zeros(values.size, int)) <= EXACT:
            alone = _centred_days(in_training.reshape(1, -1), np.zeros(values.size, int))
            found |= {str(name): "without the mean of all places over the whole record"} if alone > EXACT else {}
    return _told("standardised", looked_at, found, evidence, "none by the whole record")


def _centred_days(values: np.ndarray, group: np.ndarray) -> float:
    """The largest mean of a group of days at any place, in standard deviations of the place; infinite if it tells nothing."""  # noqa: E501
    table = pd.DataFrame(values.T)
    spread = table.std().to_numpy()
    grouped = table.groupby(group)
    if not (spread > 0).any() or grouped.count().to_numpy().max() < 2:
        return np.inf
    means = np.abs(grouped.mean().to_numpy()) / np.where(spread > 0, spread, np.nan)
    return float(np.nanmax(means))


def check_range(evidence: Evidence) -> Finding:
    """Does a variable run from exactly 0 (or -1) to exactly 1, with an end that is reached outside training only?"""
    looked_at = "variables whose smallest and largest values are exactly 0 and 1 or -1 and 1, reached once"
    found = {}
    for name in evidence.names:
        values = evidence.series(name)
        in_training = np.where(evidence.learnt, values, np.nan)
        pooled = (values.reshape(1, -1), in_training.reshape(1, -1))
        for rows, seen in ((values, in_training), pooled):
            if _fills_range(rows) and not _fills_range(seen):
                found[str(name)] = "scaled by the smallest and largest value of the whole record"
    return _told("range", looked_at, found, evidence, "none by the whole record")


def _fills_range(values: np.ndarray) -> bool:
    values = values[np.isfinite(values).any(axis=1)]
    if not values.size:
        return False
    low, high = np.nanmin(values, axis=1, keepdims=True), np.nanmax(values, axis=1, keepdims=True)
    ends = (high == 1) & ((low == 0) | (low == -1))
    rare = ((values == low).sum(axis=1) <= 2) & ((values == high).sum(axis=1) <= 2)  # unlike a cloud cover
    return bool(ends.all() and rare.all())


Check = Callable[[Evidence], Finding]


def _told(check: str, looked_at: str, found: dict[str, str], evidence: Evidence, passed: str) -> Finding:
    numbers = {"variables": len(evidence.names)}
    if found:
        return Finding(check, LEAK, looked_at, shown([f"{name} {words}" for name, words in found.items()]), numbers)
    return Finding(check, PASSED, looked_at, passed, numbers)
