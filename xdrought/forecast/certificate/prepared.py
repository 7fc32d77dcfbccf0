"""Were the variables normalised beforehand with what only the whole record tells: ranks, means, extremes, normals?"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.forecast.certificate.evidence import HONEST, Evidence, shown
from xdrought.forecast.certificate.findings import LEAK, PASSED, Finding
from xdrought.percentiles import METHODS, POOLS, soil_moisture_percentile

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
            if _centred(values, group) <= EXACT < _centred(in_training, group):
                found[str(name)] = f"without {words} of the whole record"
                break
        if str(name) not in found and _centred(values.reshape(1, -1), np.zeros(values.size, int)) <= EXACT:
            alone = _centred(in_training.reshape(1, -1), np.zeros(values.size, int))
            found |= {str(name): "without the mean of all places over the whole record"} if alone > EXACT else {}
    return _told("standardised", looked_at, found, evidence, "none by the whole record")


def _centred(values: np.ndarray, group: np.ndarray) -> float:
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
