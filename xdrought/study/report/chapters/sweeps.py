"""Other leads, windows, thresholds and training settings (section 4.2, Tables S4 to S6; section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import xarray as xr

from xdrought.plot import plot_sweep
from xdrought.study.comparison import paired_differences
from xdrought.study.report import published
from xdrought.study.report.findings import Chapter, Difference, LeftOut
from xdrought.study.report.material import Material
from xdrought.study.sweeps import sweep

THRESHOLDS = (15, 20, 25)  # percentiles below which a drought begins
TITLES = {
    "lead": "Table S5: lead time in days",
    "window": "Table S6: days of input",
    "lower": "Table S4: percentile below which a drought begins",
    "batch_size": "Section 3.4: batch size",
    "learning_rate": "Section 3.4: learning rate",
}


def sweeps(m: Material) -> Chapter:
    """One setting after another."""
    s, chapter = m.settings, Chapter("Other leads, windows, thresholds")
    asked: dict[str, Sequence[Any]] = {
        "lead": s.leads, "window": s.windows, "lower": THRESHOLDS, "batch_size": s.batch_sizes,
        "learning_rate": s.learning_rates,
    }  # fmt: skip
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


def _swept(m: Material, name: str, values: Sequence[Any]) -> xr.Dataset:
    s, how = m.settings, m.experiment(f"sweep_{name}")
    how |= {"variant": s.variant, "window": s.window, "lead": s.lead}
    how.pop(name, None)
    return sweep(m.source.ds, m.target, m.source.features, over={name: values}, **how)


def _table(found: xr.Dataset, name: str) -> pd.DataFrame:
    of = {"NSE": found.nse.mean("run").median("site")}
    of |= {f"F1, {c}": found.f1.sel(class_name=c, drop=True).mean("run") for c in published.CLASSES}
    of["accuracy"] = found.accuracy.mean("run")
    kept = [model for model in found["model"].values if model in ("network", "persistence")]
    frame = xr.Dataset(of).sel(model=kept).reset_coords(drop=True).to_dataframe()
    return frame[list(of)].rename(columns=lambda text: text.replace("_", " "))


def _leads(found: xr.Dataset, m: Material, chapter: Chapter) -> None:
    leads, usual = found["lead"].values.tolist(), m.settings.lead
    if usual not in leads:
        return
    for lead, said in ((min(leads), f"F1 {published.LEAD_GAIN[0]} to {published.LEAD_GAIN[1]} higher"),
                       (max(leads), f"F1 up to {published.LEAD_LOSS} lower")):  # fmt: skip
        if lead == usual:
            continue
        both = found[["nse"]].sel(lead=[usual, lead], model="network", drop=True).rename(lead="model")
        gain = Difference.of(paired_differences(both.assign_coords(model=["usual", "other"]), "usual"), "other")
        word = "better" if lead < usual else "worse"
        chapter.find(
            "4.2, Table S5", f"a lead of {lead} day{'s' * (lead > 1)} is forecast {word} than one of {usual}", said,
            f"NSE {gain}", (gain if lead < usual else -gain).verdict,
        )  # fmt: skip
