"""Other leads, windows, thresholds and training settings (section 4.2, Tables S4 to S6; section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import xarray as xr

from xdrought.plot import plot_sweep
from xdrought.reproduction import findings
from xdrought.reproduction.findings import CONTRADICTED, SUPPORTED, UNDECIDED, Chapter, Difference, LeftOut
from xdrought.reproduction.results import Results
from xdrought.study.ablation import ablation, factorial_effects
from xdrought.study.comparison import paired_differences
from xdrought.study.placebo import gain_shares, placebo
from xdrought.study.spatial import spatial_validation
from xdrought.study.sweeps import sweep

FEW_SITES = 6
PLACEBOS = ("shuffled", "random", "surrogate", "identity", "embedding", "statics")
WITHOUT = {"ResAttCauRec": "ResAttRec", "ResCauRec": "ResRec", "CauRec": "Rec"}


def controls(m: Results) -> Chapter:
    """Is it the causality, or the site's name? And where a site was never seen?"""
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
    gain = Difference.of(over, "causality")
    chapter.find(
        "4.1",
        "the causality matrix helps (NSE over zeros)",
        "yes (ResAttCauRec over ResAttRec)",
        str(gain),
        gain.verdict,
    )
    beside = paired_differences(scores, "causality")
    better = {name: (-Difference.of(beside, name)).verdict for name in names if name in PLACEBOS}
    ahead = [name for name, verdict in better.items() if verdict == SUPPORTED]
    behind = [name for name, verdict in better.items() if verdict == CONTRADICTED]
    chapter.find(
        "absent",
        "the causality matrix helps more than a placebo of it",
        "not examined",
        f"ahead of {len(ahead)} of {len(better)} placebos ({', '.join(ahead) or 'none'}), behind {len(behind)}",
        SUPPORTED if len(ahead) == len(better) else CONTRADICTED if behind else UNDECIDED,
    )
    shares = gain_shares(scores)
    chapter.tabulate(shares, "What share of the gain over zeros each placebo reaches.", digits=2)


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
        folds=s.folds,
        window=s.window,
        lead=s.lead,
        **how,
    )
    against = paired_differences(scores, "none")
    chapter.tabulate(
        _differences(against, list(against.index), "no causality").rename_axis("told of a held-out site"),
        f"Sites that were never seen ({s.folds} folds), by what the network is told of the site. Its own causality "
        f"needs soil moisture there. NSE without any: {float(scores.nse.sel(model='none').mean('run').median()):.3f}.",
        digits=3,
    )
    for kind in [kind for kind in ("own", "predicted") if kind in against.index]:
        gain = Difference.of(against, kind)
        chapter.find(
            "4.1, Fig. S5",
            f"at sites never seen, {kind} causality helps (NSE over none)",
            "not separated" if kind == "own" else "not examined",
            str(gain),
            gain.verdict,
        )


def _ablation(m: Results, chapter: Chapter) -> None:
    s, how = m.settings, m.experiment("ablation")
    scores = ablation(m.source.ds, m.target, m.source.drivers, window=s.window, lead=s.lead, **how)
    caption = "Each piece by itself and together: effects on NSE over all eight networks."
    chapter.tabulate(factorial_effects(scores), caption, digits=3)


THRESHOLDS = (15, 20, 25)  # percentiles below which a drought begins
TITLES = {
    "lead": "Table S5: lead time in days",
    "window": "Table S6: days of input",
    "lower": "Table S4: percentile below which a drought begins",
    "batch_size": "Section 3.4: batch size",
    "learning_rate": "Section 3.4: learning rate",
}


def sweeps(m: Results) -> Chapter:
    """One setting after another."""
    s, chapter = m.settings, Chapter("Other leads, windows, thresholds")
    asked: dict[str, Sequence[Any]] = {
        "lead": s.leads,
        "window": s.windows,
        "lower": THRESHOLDS,
        "batch_size": s.batch_sizes,
        "learning_rate": s.learning_rates,
    }
    if not any(asked[name] for name in ("lead", "window", "batch_size", "learning_rate")):
        raise LeftOut("no values were asked for")
    chapter.say(f"These networks are {s.variant}; all values of one sweep are scored on the same days.")
    for name, values in asked.items():
        if not values:
            continue
        found = _swept(m, name, values)
        chapter.tabulate(_table(found, name), f"{TITLES[name]}.")
        if name in ("lead", "window", "learning_rate"):
            chapter.show(plot_sweep(found), f"{TITLES[name]}, NSE per site with an interval, beside the references.")
        if name == "lead":
            _leads(found, m, chapter)
    return chapter


def _swept(m: Results, name: str, values: Sequence[Any]) -> xr.Dataset:
    s, how = m.settings, m.experiment(f"sweep_{name}")
    how |= {"variant": s.variant, "window": s.window, "lead": s.lead}
    how.pop(name, None)
    return sweep(m.source.ds, m.target, m.source.drivers, over={name: values}, **how)


def _table(found: xr.Dataset, name: str) -> pd.DataFrame:
    of = {"NSE": found.nse.mean("run").median("site")}
    of |= {f"F1, {c}": found.f1.sel(class_name=c, drop=True).mean("run") for c in findings.CLASSES}
    of["accuracy"] = found.accuracy.mean("run")
    kept = [model for model in found["model"].values if model in ("network", "persistence")]
    frame = xr.Dataset(of).sel(model=kept).reset_coords(drop=True).to_dataframe()
    return frame[list(of)].rename(columns=lambda text: text.replace("_", " "))


def _leads(found: xr.Dataset, m: Results, chapter: Chapter) -> None:
    leads, usual = found["lead"].values.tolist(), m.settings.lead
    if usual not in leads:
        return
    for lead, said in (
        (min(leads), f"F1 {findings.LEAD_GAIN[0]} to {findings.LEAD_GAIN[1]} higher"),
        (max(leads), f"F1 up to {findings.LEAD_LOSS} lower"),
    ):
        if lead == usual:
            continue
        both = found[["nse"]].sel(lead=[usual, lead], model="network", drop=True).rename(lead="model")
        gain = Difference.of(paired_differences(both.assign_coords(model=["usual", "other"]), "usual"), "other")
        word = "better" if lead < usual else "worse"
        chapter.find(
            "4.2, Table S5",
            f"a lead of {lead} day{'s' * (lead > 1)} is forecast {word} than one of {usual}",
            said,
            f"NSE {gain}",
            (gain if lead < usual else -gain).verdict,
        )
