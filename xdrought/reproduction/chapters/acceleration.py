"""Trends of rate and complexity, error by complexity, synchrony (section 4.5, Figures 7 and S13)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.attribution import drought_complexity
from xdrought.plot import plot_event_association, plot_onset_trend, plot_synchrony
from xdrought.plot.style import label
from xdrought.reproduction import fits, published
from xdrought.reproduction.findings import Chapter, Claim, LeftOut, with_interval
from xdrought.reproduction.pictures.onsets import error_by_complexity, error_by_group
from xdrought.reproduction.results import Results
from xdrought.study.association import event_association, onset_error, site_synchrony
from xdrought.study.trends import onset_trend

FEW_EVENTS, GROUPS = 20, 4


def acceleration(m: Results) -> Chapter:
    """Do droughts come faster and of more causes, and are those forecast worse?"""
    chapter = Chapter("Faster and more complex droughts")
    if m.events.sizes["event"] < FEW_EVENTS:
        raise LeftOut(f"only {m.events.sizes['event']} droughts; trends need at least {FEW_EVENTS}")
    rate = m.events.intensification_rate
    complexity = drought_complexity(m.shares, m.events, threshold=m.settings.complexity_pool)
    _trends(rate, complexity, m, chapter)
    _errors(complexity, m, chapter)
    _synchrony(rate, complexity, m, chapter)
    return chapter


def _trends(rate: xr.DataArray, complexity: xr.DataArray, m: Results, chapter: Chapter) -> None:
    for values, name, sentence, value in (
        (rate, "intensification rate", f"+{published.RATE_TREND} in {published.YEARS} years", published.RATE_TREND),
        (complexity, "complexity", "rises, significant", None),
    ):
        trend = onset_trend(values, m.events, seed=m.settings.seed)
        chapter.show(
            plot_onset_trend(trend),
            f"Figure 7a: {name} by year. Sites enter and leave; within sites (levels taken off), and a regression of "
            "all events.",
            of=["Figure 7a"],
        )
        low, high = float(trend.lower) * published.YEARS, float(trend.upper) * published.YEARS
        chapter.find(
            "4.5, Fig. 7a",
            f"{name} of onsets has risen, within sites",
            sentence,
            f"{with_interval(float(trend.slope) * published.YEARS, low, high, sign=True)} in {published.YEARS} years, "
            f"p {float(trend.p_value):.2f}; all events in one regression "
            f"{float(trend.naive_slope) * published.YEARS:+.2f}, p {float(trend.naive_p_value):.2f}",
            interval=(low, high),
            claim=Claim(value=value, of_nature=True),
            setting=m.setting(*(() if value else ("maps", "training"))),
            of=["Number rate" if value else "Number complexity"],
        )


def _errors(complexity: xr.DataArray, m: Results, chapter: Chapter) -> None:
    error = onset_error(m.forecast(), m.observed, m.events)
    known = np.isfinite(complexity.values) & np.isfinite(error.values)
    x, y, place = complexity.values[known], error.values[known], m.events.site.values[known]
    names = (label(complexity), label(error))
    line = fits.linear(x, y, place, n_boot=m.settings.n_boot, seed=m.settings.seed)
    chapter.show(
        error_by_complexity(x, y, line, names),
        "Figure 7b: error of the forecast (mean of the runs) in the onset by complexity, with Pearson's correlation "
        f"and a line of least squares, slope {line.slope:+.3g}; 95 % band over sites. Above zero is forecast too wet.",
        of=["Figure 7b"],
    )
    found = event_association(complexity, error, m.events, seed=m.settings.seed)
    chapter.show(
        plot_event_association(found),
        "The same with the sites' levels taken off, and a smooth curve: what holds within sites.",
    )
    chapter.find(
        "4.5, Fig. 7b",
        "more complex droughts have lower errors (Pearson, all events)",
        f"{published.ERROR_CORRELATION}",
        f"{with_interval(line.r, line.lower, line.upper, sign=True)}; Spearman {float(found.pooled_spearman):+.2f}, "
        f"within sites {float(found.spearman):+.2f}, p {float(found.p_value):.2f}",
        interval=(line.lower, line.upper),
        claim=Claim(above=False, value=published.ERROR_CORRELATION),
        setting=m.setting("maps", "training"),
        of=["Number errors"],
    )
    limits = np.unique(np.quantile(x, np.linspace(0, 1, GROUPS + 1)))
    number = np.clip(np.searchsorted(limits, x, side="right") - 1, 0, limits.size - 2)
    groups = {
        f"{limits[k]:.1f} to {limits[k + 1]:.1f}": y[number == k]
        for k in range(limits.size - 1)
        if (number == k).sum() > 2
    }
    if len(groups) < 2:
        chapter.lack("Figure S13", why="too few droughts of different complexity for groups")
        return
    chapter.show(
        error_by_group(groups, names),
        "Figure S13: error in the onset by groups of about as many events of rising complexity.",
        of=["Figure S13"],
    )
    spread = pd.DataFrame(
        {name: {"events": v.size, "mean error": v.mean(), "spread": v.std(ddof=1)} for name, v in groups.items()}
    )
    chapter.tabulate(spread.T.rename_axis("complexity"), "Mean and standard deviation of the error by group.", digits=3)


def _synchrony(rate: xr.DataArray, complexity: xr.DataArray, m: Results, chapter: Chapter) -> None:
    scatter = event_association(rate, complexity, m.events, seed=m.settings.seed)
    chapter.show(
        plot_event_association(scatter, within=False),
        "Figure 7d: complexity and rate of each drought.",
        of=["Figure 7d"],
    )
    found = site_synchrony(rate, complexity, m.events, seed=m.settings.seed)
    if not found.sizes["site"] or not bool(found.spearman.notnull().any()):
        chapter.lack("Figure 7c", "Number synchrony", why="no site has enough droughts")
        return
    where = m.source.ds[["lat", "lon"]].sel(site=found["site"])
    chapter.show(
        plot_synchrony(found.assign_coords(lat=where.lat, lon=where.lon)),
        "Figure 7c: rank correlation of intensification rate and complexity at each site; ringed: significant.",
        of=["Figure 7c"],
    )
    ends = float(found.lower), float(found.upper)
    chapter.find(
        "4.5, Fig. 7c",
        "share of sites where rate and complexity rise together",
        f"{published.SYNCHRONY:.0%}",
        f"{float(found.share):.0%} [{ends[0]:.0%}, {ends[1]:.0%}]; by chance {float(found.chance_share):.0%}, "
        f"p {float(found.share_p_value):.2f}",
        interval=ends,
        claim=Claim(nothing=float(found.chance_share), value=published.SYNCHRONY, of_nature=True),
        setting=m.setting("maps", "training"),
        of=["Number synchrony"],
    )
