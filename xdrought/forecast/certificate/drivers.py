"""Do the drivers themselves know more than they may: the target's future, or statistics of the whole record?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from xdrought.forecast.certificate.correlation import pairwise_correlation
from xdrought.forecast.certificate.evidence import Evidence, shown
from xdrought.forecast.certificate.findings import ABSENT, LEAK, PASSED, Finding

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
