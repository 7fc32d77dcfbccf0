"""Trends of rate and complexity, error by complexity, synchrony (section 4.5, Figure 7)."""

from __future__ import annotations

import xarray as xr

from xdrought.attribution import drought_complexity
from xdrought.plot import plot_event_association, plot_onset_trend, plot_synchrony
from xdrought.study.event_association import event_association, onset_error
from xdrought.study.onset_trend import onset_trend
from xdrought.study.report import published
from xdrought.study.report.findings import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Chapter,
    LeftOut,
    above_zero,
    with_interval,
)
from xdrought.study.report.material import Material
from xdrought.study.synchrony import site_synchrony

FEW_EVENTS, YEARS = 20, 17


def acceleration(m: Material) -> Chapter:
    """Do droughts come faster and of more causes, and are those forecast worse?"""
    chapter = Chapter("Faster and more complex droughts")
    if m.events.sizes["event"] < FEW_EVENTS:
        raise LeftOut(f"only {m.events.sizes['event']} droughts; trends need at least {FEW_EVENTS}")
    rate, complexity = m.events.intensification_rate, drought_complexity(m.shares, m.events)
    _trends(rate, complexity, m, chapter)
    _errors(complexity, m, chapter)
    _synchrony(rate, complexity, m, chapter)
    return chapter


def _trends(rate: xr.DataArray, complexity: xr.DataArray, m: Material, chapter: Chapter) -> None:
    for values, name, said in (
        (rate, "intensification rate", f"+{published.RATE_TREND} in {YEARS} years"),
        (complexity, "complexity", "rises, significant"),
    ):
        trend = onset_trend(values, m.events, seed=m.settings.seed)
        chapter.show(
            plot_onset_trend(trend),
            f"Figure 7a: {name} by year. Sites enter and leave; within sites (levels taken off) and naive.",
        )
        low, high = float(trend.lower) * YEARS, float(trend.upper) * YEARS
        chapter.find(
            "4.5, Fig. 7a", f"{name} of onsets has risen", said,
            f"{with_interval(float(trend.slope) * YEARS, low, high, sign=True)} in {YEARS} years within sites, p "
            f"{float(trend.p_value):.2f}; naive {float(trend.naive_slope) * YEARS:+.2f}, p "
            f"{float(trend.naive_p_value):.2f}",
            above_zero(low, high),
        )  # fmt: skip


def _errors(complexity: xr.DataArray, m: Material, chapter: Chapter) -> None:
    error = onset_error(m.forecast(), m.observed, m.events)
    found = event_association(complexity, error, m.events, seed=m.settings.seed)
    chapter.show(plot_event_association(found), "Figure 7b: error at onsets by complexity, sites' levels off.")
    low, high = float(found.pooled_spearman_lower), float(found.pooled_spearman_upper)
    chapter.find(
        "4.5, Fig. 7b", "more complex droughts are forecast with other errors (negative correlation)",
        f"{published.ERROR_CORRELATION} (pooled)",
        f"pooled {with_interval(float(found.pooled_spearman), low, high, sign=True)}, within sites "
        f"{float(found.spearman):+.2f}, p {float(found.p_value):.2f}", above_zero(-high, -low),
    )  # fmt: skip


def _synchrony(rate: xr.DataArray, complexity: xr.DataArray, m: Material, chapter: Chapter) -> None:
    scatter = event_association(rate, complexity, m.events, seed=m.settings.seed)
    chapter.show(plot_event_association(scatter, within=False), "Figure 7d: complexity and rate of each drought.")
    found = site_synchrony(rate, complexity, m.events, seed=m.settings.seed)
    if not found.sizes["site"] or not bool(found.spearman.notnull().any()):
        chapter.say("Figure 7c is left out: no site has enough droughts.")
        return
    where = m.source.ds[["lat", "lon"]].sel(site=found["site"])
    chapter.show(
        plot_synchrony(found.assign_coords(lat=where.lat, lon=where.lon)),
        "Figure 7c: rank correlation of intensification rate and complexity at each site; ringed: significant.",
    )
    p = float(found.share_p_value)
    above = float(found.share) > float(found.chance_share)
    chapter.find(
        "4.5, Fig. 7c", "rate and complexity rise together at most sites", f"{published.SYNCHRONY:.0%} of the sites",
        f"{float(found.share):.0%} [{float(found.lower):.0%}, {float(found.upper):.0%}]; by chance "
        f"{float(found.chance_share):.0%}, p {p:.2f}",
        (SUPPORTED if above else CONTRADICTED) if p < 0.05 else UNDECIDED,
    )  # fmt: skip
