"""Causality degree and skill (section 4.3, Figure 5), and the drivers of onsets (section 4.4, Figure 6)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.attribution import driver_importance, event_importance, importance_by_rate
from xdrought.plot import plot_coupling, plot_skill_by_degree
from xdrought.reproduction import fits
from xdrought.reproduction.findings import Chapter, Claim, LeftOut, with_interval
from xdrought.reproduction.pictures.onsets import by_driver, flash_against_normal, panels, rank_curves, ranks_by_year
from xdrought.reproduction.results import FULL, Results
from xdrought.statistics.bootstrap import bootstrap_weights, percentile_interval
from xdrought.study.degree_skill import coupling_strength, skill_by_degree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW_SITES, FEW_EVENTS, TOP, PANELS = 5, 10, 3, "abcde"


def coupling(m: Results) -> Chapter:
    """Is the network better where the drivers are better coupled to soil moisture?"""
    chapter = Chapter("Causality degree and skill")
    degree = m.forecaster(FULL).causality
    if degree is None or m.source.ds.sizes["site"] < FEW_SITES:
        raise LeftOut(f"a relation over sites needs at least {FEW_SITES}")
    degree = degree.sel(direction="cause_to_effect") if "direction" in degree.dims else degree
    scores = m.member_scores("test").mean("run")
    relation = skill_by_degree(degree, scores.nse.sel(model=FULL, drop=True), seed=m.settings.seed)
    lazy = skill_by_degree(degree, scores.nse.sel(model="persistence", drop=True), seed=m.settings.seed)
    importance = event_importance(m.shares, m.events)
    mean = importance.mean("event")
    order = mean.sortby(mean, ascending=False)["variable"].values.tolist()
    strength = coupling_strength(relation, importance, seed=m.settings.seed)
    drawn = [partial(_panel, relation, name) for name in order]
    shown = len(PANELS)
    chapter.show(
        panels([*drawn[:shown], partial(_strength, strength)]),
        f"Figure 5: causality degree and NSE of a site for the {min(shown, len(order))} most important drivers "
        f"(a to e: {', '.join(map(str, order[:shown]))}), and the p-value of that relation against importance (f).",
        of=[*(f"Figure 5{panel}" for panel, _ in zip(PANELS, order, strict=False)), "Figure 5f"],
    )
    chapter.show(
        plot_skill_by_degree(relation), "Figure S9: mean causality degree of a site and its NSE.", of=["Figure S9"]
    )
    if len(order) > shown:
        chapter.show(panels(drawn[shown:]), "Figure S10: the same for the less important drivers.", of=["Figure S10"])
    chapter.lack(*(f"Figure 5{panel}" for panel in PANELS[len(order) :]), why=f"there are only {len(order)} drivers")
    if len(order) <= len(PANELS):
        chapter.lack("Figure S10", why=f"there are only {len(order)} drivers, which are in Figure 5")
    chapter.tabulate(
        _table(relation, lazy),
        "Spearman correlation over sites of the causality degree with the NSE of the network (mean of the runs), and "
        "with that of persistence, which has no network to help.",
    )
    _findings(relation, strength, order, m, chapter)
    return chapter


def _panel(relation: xr.Dataset, name: str, ax: Axes) -> None:
    plot_skill_by_degree(relation, name, ax=ax)


def _strength(strength: xr.Dataset, ax: Axes) -> None:
    plot_coupling(strength, ax=ax)


def _findings(relation: xr.Dataset, strength: xr.Dataset, order: Sequence, m: Results, chapter: Chapter) -> None:
    setting = m.setting("maps", "training")
    for name in order[:TOP]:
        one = relation.sel(variable=name)
        ends = float(one.lower), float(one.upper)
        chapter.find(
            "4.3, Fig. 5",
            f"sites with a higher causality degree of {name} (an important driver) are forecast better; the interval "
            "counts where the adjusted p is below 0.05",
            "positive, significant",
            f"{with_interval(float(one.spearman), *ends, sign=True)}, adjusted p {float(one.p_value_adjusted):.2f}",
            interval=ends if float(one.p_value_adjusted) < 0.05 else (np.nan, np.nan),
            claim=Claim(),
            setting=setting,
            of=["Number important"],
        )
    chapter.find(
        "4.3, Fig. 5f",
        "the relation is the stronger the more important the driver (rank correlation)",
        "yes",
        f"{float(strength.rank_correlation):+.2f}, p {float(strength.rank_p_value):.2f} among shuffled scores",
        claim=Claim(),
        setting=setting,
        of=["Number amplified"],
    )


def _table(relation: xr.Dataset, lazy: xr.Dataset) -> pd.DataFrame:
    frame = relation[["spearman", "p_value", "p_value_adjusted"]].to_dataframe()
    frame = frame[["spearman", "p_value", "p_value_adjusted"]]
    frame["spearman with persistence"] = lazy.spearman.to_series()
    return frame.rename(columns=lambda name: name.replace("_", " "))


# Drivers that the paper finds to matter more for flash onsets, in ERA5 and in tower names, and by how much.
FASTER = {
    "sp": ("surface pressure", 1.2),
    "PA_F": ("surface pressure", 1.2),
    "ws10": ("wind speed", 1.3),
    "WS_F": ("wind speed", 1.3),
    "e": ("evaporation", 1.2),
    "LE_F_MDS": ("latent heat", 1.2),
}
RAIN = ("tp", "P_F")
CROSSING = {"sp": "pressure", "PA_F": "pressure", "mx2t": "maximum temperature"}  # rise and fall in rank, section 4.4
IN_FRONT, ORDER = 6, 4


def explanations(m: Results) -> Chapter:
    """Expected gradients on all onset days."""
    chapter = Chapter("Drivers of drought onsets")
    if m.events.sizes["event"] < FEW_EVENTS:
        raise LeftOut(f"only {m.events.sizes['event']} droughts; importance by kind needs at least ten")
    shares = m.shares
    error = float(abs(shares.completeness_error).mean() / abs(shares.prediction - shares.base_value).mean())
    chapter.say(
        f"Expected gradients (Text S1) of the whole network on {int(shares.prediction.notnull().sum()):,} onset days "
        f"of the whole record, {m.settings.n_draws} draws from {m.settings.n_background} background windows, mean of "
        f"the runs; all shares of a day add up to its forecast within {error:.2%}.",
        of=["Text S1"],
    )
    importance = event_importance(shares, m.events)
    table = driver_importance(importance, m.events, n_boot=m.settings.n_boot, seed=m.settings.seed)
    unplaced = m.events.drop_vars(["site", "cell"], errors="ignore")  # then events are drawn one by one
    of_events = driver_importance(importance, unplaced, n_boot=m.settings.n_boot, seed=m.settings.seed)
    chapter.show(
        flash_against_normal(table, of_events),
        "Figure 6a: importance for normal and for flash onsets; above the line of ratio 1 a driver matters more for "
        "flash onsets. 95 % intervals over all events, as in the paper, and over sites, whose events are alike.",
        of=["Figure 6a"],
    )
    known = importance.notnull().all("variable").values & np.isfinite(m.events.intensification_rate.values)
    _by_rate(importance, known, m, chapter)
    chapter.show(
        by_driver(importance.isel(event=known), "Importance, mean of an onset"),
        "Figure S8: importance of each driver in the onset of each drought.",
        of=["Figure S8"],
    )
    _by_year(importance, known, m, chapter)
    frame = pd.DataFrame(
        {
            "normal": table.importance.sel(type="normal").to_series(),
            "flash": table.importance.sel(type="flash").to_series(),
            "flash over normal": table.ratio.to_series(),
            "lower": table.ratio_lower.to_series(),
            "upper": table.ratio_upper.to_series(),
            "lower, over events": of_events.ratio_lower.to_series(),
            "upper, over events": of_events.ratio_upper.to_series(),
        }
    ).sort_values("flash", ascending=False)
    chapter.tabulate(
        frame, "Mean importance (in units of soil moisture) and ratio, with intervals over sites and events.", digits=3
    )
    _ratios(frame, importance, known, m, chapter)
    return chapter


def _by_rate(importance: xr.DataArray, known: np.ndarray, m: Results, chapter: Chapter) -> None:
    """Figure 6b and S12: rank against rate, a polynomial of all events, dots of five groups."""
    from xarray_einstats import stats

    some = importance.isel(event=known)
    ranks = stats.rankdata(-some.reset_coords(drop=True), dims="variable").transpose("event", "variable")
    rate = m.events.intensification_rate.values[known]
    place = m.events.site.values[known]
    dots = importance_by_rate(importance, m.events, bins=min(5, int(known.sum())))
    order = ranks.mean("event").sortby(ranks.mean("event"))["variable"].values.tolist()
    for name, drivers in (("Figure 6b", order[:IN_FRONT]), ("Figure S12", order[IN_FRONT:])):
        if not drivers:
            chapter.lack(name, why=f"there are only {len(order)} drivers, which are in Figure 6b")
            continue
        curves = {
            driver: fits.polynomial(
                np.log10(rate), ranks.sel(variable=driver).values, place, order=ORDER, seed=m.settings.seed
            )
            for driver in drivers
        }
        which = "the six most important drivers" if name == "Figure 6b" else "the other drivers"
        chapter.show(
            rank_curves(curves, dots),
            f"{name}: rank of importance of {which} by intensification rate. Lines: polynomial of order {ORDER} of all "
            f"{rate.size} events (of the logarithm of the rate) with its 95 % band over sites; dots: five groups of as "
            "many events.",
            of=[name],
        )
    _slopes(ranks, rate, place, m, chapter)


def _slopes(ranks: xr.DataArray, rate: np.ndarray, place: np.ndarray, m: Results, chapter: Chapter) -> None:
    """Does pressure rise in rank with the rate, and maximum temperature fall?"""
    found = [name for name in CROSSING if name in ranks["variable"].values]
    for name in found:
        word = CROSSING[name]
        line = fits.linear(np.log10(rate), ranks.sel(variable=name).values, place, seed=m.settings.seed)
        rises = word == "pressure"
        chapter.find(
            "4.4, Fig. 6b",
            f"{word} becomes {'more' if rises else 'less'} important with the rate (correlation of rank and log rate)",
            "rises with the rate" if rises else "falls with the rate",
            with_interval(line.r, line.lower, line.upper, sign=True),
            interval=(line.lower, line.upper),
            claim=Claim(above=not rises, of_nature=True),
            setting=m.setting("maps", "training"),
            of=["Number crossing"],
        )
    if not found:
        chapter.lack("Number crossing", why="neither surface pressure nor maximum temperature is among the drivers")


def _by_year(importance: xr.DataArray, known: np.ndarray, m: Results, chapter: Chapter) -> None:
    """Figure S11: rank of the mean importance of each year's events."""
    from xarray_einstats import stats

    year = m.events.onset_time.dt.year.values[known]
    by_year = (
        importance.isel(event=known).reset_coords(drop=True).groupby(xr.DataArray(year, dims="event", name="year"))
    )
    count, mean = by_year.count().isel(variable=0, drop=True), by_year.mean()
    kept = (count >= 3).values
    if kept.sum() < 2:
        chapter.lack("Figure S11", why="fewer than two years have three droughts")
        return
    ranks = stats.rankdata(-mean.isel(year=kept), dims="variable").transpose("year", "variable")
    chapter.show(
        ranks_by_year(ranks, count.isel(year=kept)),
        "Figure S11: rank of the mean importance over the onsets of each year with three or more.",
        of=["Figure S11"],
    )


def _ratios(frame: pd.DataFrame, importance: xr.DataArray, known: np.ndarray, m: Results, chapter: Chapter) -> None:
    setting = m.setting("maps", "training")
    faster = [name for name in FASTER if name in frame.index]
    for name in faster:
        word, value = FASTER[name]
        ratio, low, high = (float(frame[key][name]) for key in ("flash over normal", "lower", "upper"))
        chapter.find(
            "4.4, Fig. 6a",
            f"importance of {word} for flash over that for normal onsets",
            f"about {value}",
            with_interval(ratio, low, high),
            interval=(low, high),
            claim=Claim(nothing=1.0, value=value, of_nature=True),
            setting=setting,
            of=["Number ratio"],
        )
    if not faster:
        chapter.lack("Number ratio", why="pressure, wind and evaporation are not among the drivers")
    chapter.say(
        "In order of importance for flash onsets: "
        f"{', '.join(map(str, frame.index))}. The paper: soil temperature and water, pressure second, evaporation "
        "fifth, wind sixth, rain among the last.",
        of=["Number order"],
    )
    for name in [name for name in RAIN if name in frame.index]:
        low, high = _share_interval(importance, name, known & m.events.is_flash.values, m)
        share = float(frame.flash[name] / frame.flash.sum())
        even = 1 / len(frame)
        chapter.find(
            "4.4",
            f"rain has less than an even share of all importance ({even:.2f} for {len(frame)} drivers)",
            "minimal",
            f"{with_interval(share, low, high)}, rank {int(frame.flash.rank(ascending=False)[name])} of {len(frame)}",
            interval=(low, high),
            claim=Claim(above=False, nothing=even, of_nature=True),
            setting=setting,
        )
    degree = m.forecaster(FULL).causality
    if degree is not None:
        over = [dim for dim in degree.rho.dims if dim != "variable"]
        both = pd.DataFrame({"importance": frame.flash, "degree": degree.rho.mean(over).to_series()})
        chapter.say(
            f"Over the drivers the rank correlation of importance and mean causality degree is "
            f"{both.corr('spearman').to_numpy()[0, 1]:+.2f}; the paper sees no apparent overlap of the two.",
            of=["Number overlap"],
        )


def _share_interval(importance: xr.DataArray, name: str, is_flash: np.ndarray, m: Results) -> tuple[float, float]:
    """95 % interval over sites of a driver's share of all importance in flash onsets."""
    some = importance.isel(event=np.flatnonzero(is_flash))
    _, site = np.unique(some["site"].values, return_inverse=True)
    total, own = (np.bincount(site, da.values) for da in (some.sum("variable"), some.sel(variable=name)))
    weights = bootstrap_weights(total.size, m.settings.n_boot, np.random.default_rng(m.settings.seed))
    low, high = percentile_interval((weights @ own) / (weights @ total), 0.95)
    return float(low), float(high)
