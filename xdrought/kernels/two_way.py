"""Errors of an estimate whose events share their site and their year, by leaving out one of each at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Without(NamedTuple):
    """The estimate without each site (site,), each year (year,), each site in each year (site, year)."""

    site: np.ndarray
    year: np.ndarray
    cell: np.ndarray


def two_way_error(counts: np.ndarray, without: Without) -> tuple[float, int]:
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
