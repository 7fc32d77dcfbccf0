"""Trends of rate and complexity, error by complexity, synchrony (section 4.5, Figure 7)."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from xdrought.attribution import driver_importance, drought_complexity, event_importance, importance_by_rate
from xdrought.plot import (
    plot_coupling,
    plot_driver_importance,
    plot_event_association,
    plot_importance_by_rate,
    plot_onset_trend,
    plot_skill_by_degree,
    plot_synchrony,
)
from xdrought.reproduction import findings
from xdrought.reproduction.findings import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Chapter,
    LeftOut,
    above_zero,
    with_interval,
)
from xdrought.reproduction.results import FULL, Results
from xdrought.study.degree_skill import coupling_strength, skill_by_degree
from xdrought.study.event_association import event_association, onset_error, site_synchrony
from xdrought.study.onset_trend import onset_trend

FEW_SITES, TOP = 5, 3


def coupling(m: Results) -> Chapter:
    """Is the network better where the drivers are better coupled to soil moisture?"""
    chapter = Chapter("Causality degree and skill")
    degree = m.forecaster(FULL).causality
    if degree is None or m.source.ds.sizes["site"] < FEW_SITES:
        raise LeftOut(f"a relation over sites needs at least {FEW_SITES}")
    scores = m.member_scores("test").mean("run")
    relation = skill_by_degree(degree, scores.nse.sel(model=FULL, drop=True), seed=m.settings.seed)
    lazy = skill_by_degree(degree, scores.nse.sel(model="persistence", drop=True), seed=m.settings.seed)
    importance = event_importance(m.shares, m.events)
    order = importance.mean("event").sortby(importance.mean("event"), ascending=False)["variable"].values.tolist()
    chapter.show(plot_skill_by_degree(relation), "Figure S9: mean causality degree of a site and its NSE.")
    for name in order[:TOP]:
        chapter.show(plot_skill_by_degree(relation, name), f"Figure 5: causality degree of {name} and NSE of a site.")
    strength = coupling_strength(relation, importance, seed=m.settings.seed)
    chapter.show(plot_coupling(strength), "Figure 5f: strength of the relation against the driver's importance.")
    chapter.tabulate(
        _table(relation, lazy),
        "Spearman correlation over sites of the causality degree with the NSE of the network, and with that of "
        "persistence, which has no network to help.",
    )
    for name in order[:TOP]:
        one = relation.sel(variable=name)
        low, high = float(one.lower), float(one.upper)
        verdict = above_zero(low, high) if float(one.p_value_adjusted) < 0.05 else UNDECIDED
        chapter.find(
            "4.3, Fig. 5",
            f"sites with a higher causality degree of {name} (an important driver) are forecast better",
            "positive, significant",
            f"{with_interval(float(one.spearman), low, high, sign=True)}, adjusted p {float(one.p_value_adjusted):.2f}",
            verdict,
        )
    return chapter


def _table(relation: xr.Dataset, lazy: xr.Dataset) -> pd.DataFrame:
    frame = relation[["spearman", "p_value", "p_value_adjusted"]].to_dataframe()
    frame = frame[["spearman", "p_value", "p_value_adjusted"]]
    frame["spearman with persistence"] = lazy.spearman.to_series()
    return frame.rename(columns=lambda name: name.replace("_", " "))


# Drivers that the paper finds to matter more for flash onsets, in ERA5 and in tower names.
FASTER = {
    "sp": "surface pressure",
    "PA_F": "surface pressure",
    "ws10": "wind speed",
    "WS_F": "wind speed",
    "e": "evaporation",
    "LE_F_MDS": "latent heat",
}
RAIN = ("tp", "P_F")


def explanations(m: Results) -> Chapter:
    """Expected gradients on all onset days."""
    chapter = Chapter("Drivers of drought onsets")
    if m.events.sizes["event"] < 10:
        raise LeftOut(f"only {m.events.sizes['event']} droughts; importance by kind needs at least ten")
    shares = m.shares
    error = float(abs(shares.completeness_error).mean() / abs(shares.prediction - shares.base_value).mean())
    chapter.say(
        f"Expected gradients of the whole network on {int(shares.prediction.notnull().sum()):,} onset days of the "
        f"whole record; all shares of a day add up to its forecast within {error:.2%}."
    )
    importance = event_importance(shares, m.events)
    table = driver_importance(importance, m.events)
    chapter.show(
        plot_driver_importance(table), "Figure 6a: importance for normal and flash onsets, with intervals over sites."
    )
    chapter.show(
        plot_importance_by_rate(importance_by_rate(importance, m.events)),
        "Figure 6b: rank of importance in groups of rising intensification rate (1 is the most important).",
    )
    frame = pd.DataFrame(
        {
            "normal": table.importance.sel(type="normal").to_series(),
            "flash": table.importance.sel(type="flash").to_series(),
            "flash over normal": table.ratio.to_series(),
            "lower": table.ratio_lower.to_series(),
            "upper": table.ratio_upper.to_series(),
        }
    )
    chapter.tabulate(
        frame.sort_values("flash", ascending=False), "Mean importance (in units of soil moisture) and ratio.", digits=3
    )
    for name in [name for name in FASTER if name in frame.index]:
        row = frame.loc[name]
        chapter.find(
            "4.4, Fig. 6a",
            f"{FASTER[name]} matters more for flash than for normal onsets",
            "ratio above 1",
            f"{row['flash over normal']:.2f} [{row.lower:.2f}, {row.upper:.2f}]",
            SUPPORTED if row.lower > 1 else CONTRADICTED if row.upper < 1 else UNDECIDED,
        )
    for name in [name for name in RAIN if name in frame.index]:
        rank = int(frame.flash.rank(ascending=False)[name])
        chapter.find(
            "4.4",
            "precipitation has minimal importance",
            "among the last",
            f"rank {rank} of {len(frame)} for flash onsets",
            SUPPORTED if rank > 2 * len(frame) / 3 else CONTRADICTED,
        )
    return chapter


FEW_EVENTS, YEARS = 20, 17


def acceleration(m: Results) -> Chapter:
    """Do droughts come faster and of more causes, and are those forecast worse?"""
    chapter = Chapter("Faster and more complex droughts")
    if m.events.sizes["event"] < FEW_EVENTS:
        raise LeftOut(f"only {m.events.sizes['event']} droughts; trends need at least {FEW_EVENTS}")
    rate, complexity = m.events.intensification_rate, drought_complexity(m.shares, m.events)
    _trends(rate, complexity, m, chapter)
    _errors(complexity, m, chapter)
    _synchrony(rate, complexity, m, chapter)
    return chapter


def _trends(rate: xr.DataArray, complexity: xr.DataArray, m: Results, chapter: Chapter) -> None:
    for values, name, said in (
        (rate, "intensification rate", f"+{findings.RATE_TREND} in {YEARS} years"),
        (complexity, "complexity", "rises, significant"),
    ):
        trend = onset_trend(values, m.events, seed=m.settings.seed)
        chapter.show(
            plot_onset_trend(trend),
            f"Figure 7a: {name} by year. Sites enter and leave; within sites (levels taken off) and naive.",
        )
        low, high = float(trend.lower) * YEARS, float(trend.upper) * YEARS
        chapter.find(
            "4.5, Fig. 7a",
            f"{name} of onsets has risen",
            said,
            f"{with_interval(float(trend.slope) * YEARS, low, high, sign=True)} in {YEARS} years within sites, p "
            f"{float(trend.p_value):.2f}; naive {float(trend.naive_slope) * YEARS:+.2f}, p "
            f"{float(trend.naive_p_value):.2f}",
            above_zero(low, high),
        )


def _errors(complexity: xr.DataArray, m: Results, chapter: Chapter) -> None:
    error = onset_error(m.forecast(), m.observed, m.events)
    found = event_association(complexity, error, m.events, seed=m.settings.seed)
    chapter.show(plot_event_association(found), "Figure 7b: error at onsets by complexity, sites' levels off.")
    low, high = float(found.pooled_spearman_lower), float(found.pooled_spearman_upper)
    chapter.find(
        "4.5, Fig. 7b",
        "more complex droughts are forecast with other errors (negative correlation)",
        f"{findings.ERROR_CORRELATION} (pooled)",
        f"pooled {with_interval(float(found.pooled_spearman), low, high, sign=True)}, within sites "
        f"{float(found.spearman):+.2f}, p {float(found.p_value):.2f}",
        above_zero(-high, -low),
    )


def _synchrony(rate: xr.DataArray, complexity: xr.DataArray, m: Results, chapter: Chapter) -> None:
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
        "4.5, Fig. 7c",
        "rate and complexity rise together at most sites",
        f"{findings.SYNCHRONY:.0%} of the sites",
        f"{float(found.share):.0%} [{float(found.lower):.0%}, {float(found.upper):.0%}]; by chance "
        f"{float(found.chance_share):.0%}, p {p:.2f}",
        (SUPPORTED if above else CONTRADICTED) if p < 0.05 else UNDECIDED,
    )
