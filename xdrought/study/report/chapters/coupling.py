"""Causality degree against the score of the sites (section 4.3, Figures 5, S9 and S10)."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from xdrought.attribution import event_importance
from xdrought.plot import plot_coupling, plot_skill_by_degree
from xdrought.study.degree_skill import coupling_strength, skill_by_degree
from xdrought.study.report.findings import UNDECIDED, Chapter, LeftOut, above_zero, with_interval
from xdrought.study.report.material import FULL, Material

FEW_SITES, TOP = 5, 3


def coupling(m: Material) -> Chapter:
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
        verdict = above_zero(low, high) if float(one.adjusted_p_value) < 0.05 else UNDECIDED
        chapter.find(
            "4.3, Fig. 5", f"sites with a higher causality degree of {name} (an important driver) are forecast better",
            "positive, significant", f"{with_interval(float(one.spearman), low, high, sign=True)}, "
            f"adjusted p {float(one.adjusted_p_value):.2f}", verdict,
        )  # fmt: skip
    return chapter


def _table(relation: xr.Dataset, lazy: xr.Dataset) -> pd.DataFrame:
    frame = relation[["spearman", "p_value", "adjusted_p_value"]].to_dataframe()
    frame = frame[["spearman", "p_value", "adjusted_p_value"]]
    frame["spearman with persistence"] = lazy.spearman.to_series()
    return frame.rename(columns=lambda name: name.replace("_", " "))
