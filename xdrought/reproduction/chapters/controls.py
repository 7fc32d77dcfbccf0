"""Is it the causality, or the site's name? And where a site was never seen (section 4.1, Figure S5)?"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from xdrought.choices import VariantName
from xdrought.reproduction import published
from xdrought.reproduction.chapters.networks import over_runs
from xdrought.reproduction.findings import (
    CONTRADICTED,
    SUPPORTED,
    Chapter,
    Claim,
    Difference,
    LeftOut,
    Setting,
    judge,
    with_interval,
)
from xdrought.reproduction.pictures.forecasts import violins
from xdrought.reproduction.results import FULL, Results
from xdrought.study.comparison import ablation, factorial_effects, paired_differences
from xdrought.study.controls import gain_shares, placebo
from xdrought.study.spatial import KINDS, spatial_validation

FEW_SITES = 6
PLACEBOS = ("shuffled", "random", "surrogate", "identity", "embedding", "statics")
WITHOUT: dict[str, VariantName] = {"ResAttCauRec": "ResAttRec", "ResCauRec": "ResRec", "CauRec": "Rec"}


def controls(m: Results) -> Chapter:
    """Placebos of the causality matrix, sites held out, and each piece of the network by itself."""
    if m.source.ds.sizes["site"] < FEW_SITES:
        raise LeftOut(f"placebos and held-out sites need at least {FEW_SITES} sites")
    chapter = Chapter("Placebos and held-out sites")
    _placebo(m, chapter)
    _spatial(m, chapter)
    if m.settings.ablation:
        _ablation(m, chapter)
    else:
        chapter.say("Left out here: all eight networks with and without each piece (`ablation=True` trains them).")
    return chapter


def _placebo(m: Results, chapter: Chapter) -> None:
    s, how = m.settings, m.experiment("placebo")
    scores = placebo(m.source.ds, m.target, m.source.drivers, variant=s.variant, window=s.window, lead=s.lead, **how)
    over = paired_differences(scores, "zeros")
    names = [str(name) for name in scores["model"].values if name != "zeros"]
    chapter.tabulate(
        _differences(over, names, "zeros").rename_axis("input"),
        f"{s.variant} with the causality matrix, with placebos of its shape, and the references: NSE less that of the "
        "same network with zeros.",
        digits=3,
    )
    setting = m.setting("maps", "experiment")
    gain = Difference.of(over, "causality")
    chapter.find(
        "4.1",
        "the causality matrix helps (NSE of a site over zeros)",
        f"yes ({FULL} over ResAttRec)",
        str(gain),
        interval=gain.interval,
        claim=Claim(),
        setting=setting,
        of=["Number causality"],
    )
    beside = paired_differences(scores, "causality")
    ahead = {name: -Difference.of(beside, name) for name in names if name in PLACEBOS}
    sides = {name: judge(one.interval, Claim(), Setting()) for name, one in ahead.items()}
    best = [name for name, side in sides.items() if side == SUPPORTED]
    worst = [name for name, side in sides.items() if side == CONTRADICTED]
    chapter.find(
        "absent",
        "the causality matrix beside placebos of it (NSE of a site)",
        "not examined",
        f"ahead of {len(best)} of {len(ahead)} placebos ({', '.join(best) or 'none'}), behind {len(worst)} "
        f"({', '.join(worst) or 'none'})",
        claim=None,
        setting=setting,
    )
    chapter.tabulate(gain_shares(scores), "What share of the gain over zeros each placebo reaches.", digits=2)


def _differences(frame: pd.DataFrame, names: Sequence[str], baseline: str) -> pd.DataFrame:
    """Median NSE and difference to the baseline, as the report shows them."""
    rows = {
        name: {
            "median NSE": float(frame["median"][name]),
            f"less {baseline}": str(Difference.of(frame, name)),
            "adjusted p": Difference.of(frame, name).adjusted_p,
        }
        for name in names
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _spatial(m: Results, chapter: Chapter) -> None:
    s, how = m.settings, m.experiment("spatial")
    scores = spatial_validation(
        m.source.ds,
        m.target,
        m.source.drivers,
        variant=s.variant,
        without=WITHOUT.get(s.variant, "ResAttRec"),
        causality=("own", "none") if s.mode == "paper" else KINDS,
        folds=s.folds,
        draws=s.spatial_draws,
        window=s.window,
        lead=s.lead,
        **how,
    )
    for score, panel in (("rmse", "b"), ("kge", "c"), ("nse", "d")):
        chapter.show(
            violins(None, scores[f"{score}_run"].transpose("model", "run"), score.upper(), line=None),
            f"Figure S5{panel}: {score.upper()} of all samples of sites that were never seen, pooled, a dot for each "
            f"of {s.runs} runs, by what the network is told of them.",
            of=[f"Figure S5{panel}"],
        )
    chapter.show(
        violins(None, scores["ga_run"].transpose("model", "run"), "Generalization ability"),
        "Figure S5e: generalization ability of the spatial splits: RMSE of the training sites over that of the sites "
        "held out, the mean of the folds.",
        of=["Figure S5e"],
    )
    chapter.lack(
        "Figure S5a", why="the networks of the folds are not kept, only their forecasts, so their losses are not"
    )
    setting = m.setting("maps", "experiment")
    if "own" in scores["model"].values:
        mean, low, high = over_runs(scores.ga_run.sel(model="own"))
        chapter.find(
            "4.1, Fig. S5e",
            "generalization ability at sites never seen, told their own causality",
            f"{published.SPATIAL_GENERALIZATION}",
            with_interval(mean, low, high),
            interval=(low, high),
            claim=Claim.of_value(published.SPATIAL_GENERALIZATION),
            setting=setting,
            of=["Number spatial"],
        )
    against = paired_differences(scores, "none")
    chapter.tabulate(
        _differences(against, list(against.index), "no causality").rename_axis("told of a held-out site"),
        f"Sites that were never seen ({s.folds} {'random draws' if s.spatial_draws == 'random' else 'folds'}), by what "
        "the network is told of the site. Its own causality needs soil moisture there. NSE without any: "
        f"{float(scores.nse.sel(model='none').mean('run').median()):.3f}.",
        digits=3,
    )
    for kind in [kind for kind in ("own", "predicted") if kind in against.index]:
        gain = Difference.of(against, kind)
        chapter.find(
            "absent",
            f"at sites never seen, {kind} causality less none (NSE of a site)",
            "not separated" if kind == "own" else "not examined",
            str(gain),
            claim=None,
            setting=setting,
        )


def _ablation(m: Results, chapter: Chapter) -> None:
    s, how = m.settings, m.experiment("ablation")
    scores = ablation(m.source.ds, m.target, m.source.drivers, window=s.window, lead=s.lead, **how)
    caption = "Each piece by itself and together: effects on NSE over all eight networks."
    chapter.tabulate(factorial_effects(scores), caption, digits=3)
