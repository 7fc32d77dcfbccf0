"""Were the variables normalised beforehand with what only the whole record tells: ranks, means, extremes, normals?"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.choices import PercentileMethod, Pool
from xdrought.leakage.audited_data import ALLOWED, Audit, shown
from xdrought.leakage.report import ABSENT, LEAK, PASSED, Finding
from xdrought.percentiles import METHODS, POOLS, soil_moisture_percentile


def check_site_statistics(audit: Audit) -> Finding:
    """Does a driver that never changes hold a statistic of the whole record?"""
    looked_at = "drivers that are constant at each place, beside mean, spread, extremes and quantiles of every variable"
    constants = {}
    for name in audit.forecaster.drivers:
        values = audit.series(name)
        if (np.nanmax(values, axis=1) == np.nanmin(values, axis=1)).all():
            constants[name] = np.nanmax(values, axis=1)
    if not constants:
        return Finding("site statistics", ABSENT, looked_at, "no driver is constant")
    found = []
    for name in audit.names:
        if name in constants:
            continue
        values = audit.series(name)
        learnt = dict(_statistics(np.where(audit.learnt, values, np.nan)))
        for statistic, whole in _statistics(values):
            for constant, held in constants.items():
                if _is_made_of(held, whole) and not _is_made_of(held, learnt[statistic]):
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
LOWEST_MEAN = 45.0  # percentiles; ranks of a pool have a mean of 50 or more, whatever the plotting position


def check_percentiles(audit: Audit) -> Finding:
    """Is a variable a percentile among all days? Ranked once more it is then itself, or its attributes say so."""
    looked_at = "every variable that runs from 0 to 100 or 0 to 1, ranked once more, and what attributes say of ranks"
    found: dict[str, str] = {}
    for name in audit.names:
        words = _ranks_in_attributes(audit.central[name], audit) or _ranked_again(name, audit)
        found |= {str(name): words} if words else {}
    return _finding("percentiles", looked_at, found, audit, "none of the whole record")


def _ranks_in_attributes(da: xr.DataArray, audit: Audit) -> str:
    """What :func:`xdrought.soil_moisture_percentile` writes down, where it is a reference that is tested."""
    reference = str(da.attrs.get("reference", ""))
    if "plotting_position" not in da.attrs or reference.startswith("series"):
        return ""
    if reference == "whole record":
        return "ranked against the whole record, as its attributes say"
    end = pd.to_datetime(reference.rpartition(" to ")[2], errors="coerce")
    learnt = audit.bounds("train")[1]
    if pd.isna(end) or (end.to_datetime64() > learnt[~np.isnat(learnt)]).any():
        return f"ranked against {reference}, as its attributes say, beyond the end of training"
    return ""


def _ranked_again(name: Hashable, audit: Audit) -> str:
    values, learnt = audit.central[name], audit.days_of(ALLOWED[0], audit.central)
    top = 100.0 if float(values.max()) > 1.0 else 1.0
    if not 0 <= float(values.min()) <= float(values.max()) <= top:
        return ""
    percent = (values.astype("float64") * (100.0 / top)).drop_attrs()
    places = [dim for dim in percent.dims if dim != audit.time]
    fullest = percent.count([audit.time]).argmax(places) if places else {}
    one = percent.isel(fullest)  # what this place is not is none of all
    if float(one.mean()) < LOWEST_MEAN:
        return ""
    for pool in POOLS:
        for method in METHODS:
            if not _is_ranked(one, method, pool, audit):
                continue
            if _is_ranked(percent, method, pool, audit) and not _is_ranked(percent.where(learnt), method, pool, audit):
                return f"ranked against the whole record ({method}, {pool})"
    return ""


def _is_ranked(percent: xr.DataArray, method: PercentileMethod, pool: Pool, audit: Audit) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of few values in a pool
        again = soil_moisture_percentile(percent, method=method, pool=pool, time=audit.time)
    return bool((abs(again - percent).max() <= RANKED).item())


def check_standardised(audit: Audit) -> Finding:
    """Is the mean of a variable, or of each month or day of the year, 0 over all days, but not in training?"""
    looked_at = "mean over all days and over training days: of the record, of each month and of each day of the year"
    index = pd.DatetimeIndex(audit.days)
    groups = {
        "the mean": np.zeros(index.size, int),
        "the normals of the month": index.month.to_numpy(),
        "the normals of the day of the year": index.day_of_year.to_numpy(),
    }
    found = {}
    for name in audit.names:
        values = audit.series(name)
        in_training = np.where(audit.learnt, values, np.nan)
        for words, group in groups.items():
            if _centred_days(values, group) <= EXACT < _centred_days(in_training, group):
                found[str(name)] = f"without {words} of the whole record"
                break
        if str(name) not in found and _centred_days(values.reshape(1, -1), np.zeros(values.size, int)) <= EXACT:
            alone = _centred_days(in_training.reshape(1, -1), np.zeros(values.size, int))
            found |= {str(name): "without the mean of all places over the whole record"} if alone > EXACT else {}
    return _finding("standardised", looked_at, found, audit, "none by the whole record")


def _centred_days(values: np.ndarray, group: np.ndarray) -> float:
    """The largest mean of a group of days at any place, in its standard deviations; infinite if it tells nothing."""
    table = pd.DataFrame(values.T)
    spread = table.std().to_numpy()
    grouped = table.groupby(group)
    if not (spread > 0).any() or grouped.count().to_numpy().max() < 2:
        return np.inf
    means = np.abs(grouped.mean().to_numpy()) / np.where(spread > 0, spread, np.nan)
    return float(np.nanmax(means))


def check_range(audit: Audit) -> Finding:
    """Does a variable run from exactly 0 (or -1) to exactly 1, with an end that is reached outside training only?"""
    looked_at = "variables whose smallest and largest values are exactly 0 and 1 or -1 and 1, reached once"
    found = {}
    for name in audit.names:
        values = audit.series(name)
        in_training = np.where(audit.learnt, values, np.nan)
        pooled = (values.reshape(1, -1), in_training.reshape(1, -1))
        for rows, learnt in ((values, in_training), pooled):
            if _fills_range(rows) and not _fills_range(learnt):
                found[str(name)] = "scaled by the smallest and largest value of the whole record"
    return _finding("range", looked_at, found, audit, "none by the whole record")


def _fills_range(values: np.ndarray) -> bool:
    values = values[np.isfinite(values).any(axis=1)]
    if not values.size:
        return False
    low, high = np.nanmin(values, axis=1, keepdims=True), np.nanmax(values, axis=1, keepdims=True)
    ends = (high == 1) & ((low == 0) | (low == -1))
    rare = ((values == low).sum(axis=1) <= 2) & ((values == high).sum(axis=1) <= 2)  # unlike a cloud cover
    return bool(ends.all() and rare.all())


def _finding(check: str, looked_at: str, found: dict[str, str], audit: Audit, passed: str) -> Finding:
    numbers = {"variables": len(audit.names)}
    if found:
        return Finding(check, LEAK, looked_at, shown([f"{name} {words}" for name, words in found.items()]), numbers)
    return Finding(check, PASSED, looked_at, passed, numbers)
