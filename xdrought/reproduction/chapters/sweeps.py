"""Other leads, windows, thresholds and training settings (section 4.2, Tables S4 to S6; section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.plot import plot_sweep
from xdrought.reproduction import published
from xdrought.reproduction.chapters.forecasts import class_scores, resampled
from xdrought.reproduction.findings import Chapter, Claim, Difference, LeftOut, with_interval
from xdrought.reproduction.results import FULL, Results
from xdrought.statistics.bootstrap import percentile_interval
from xdrought.study.comparison import paired_differences
from xdrought.study.sweeps import sweep

THRESHOLDS = ((35, 15), (40, 20), (45, 25))  # percentiles that an onset falls from, and to
TITLES = {
    "lead": "Table S5: lead time in days",
    "window": "Table S6: days of input",
    "batch_size": "Section 3.4: batch size",
    "learning_rate": "Section 3.4: learning rate",
}
TABLES = {"lead": "Table S5", "window": "Table S6"}


def sweeps(m: Results) -> Chapter:
    """One setting after another."""
    s, chapter = m.settings, Chapter("Other leads, windows, thresholds")
    asked: dict[str, Sequence[Any]] = {
        "lead": s.leads,
        "window": s.windows,
        "batch_size": s.batch_sizes,
        "learning_rate": s.learning_rates,
    }
    if not any(asked.values()):
        raise LeftOut("no values were asked for")
    _thresholds(m, chapter)
    chapter.say(f"From here on networks are {s.variant}; all values of one sweep are scored on the same days.")
    for name, values in asked.items():
        if not values:
            chapter.lack(*([TABLES[name]] if name in TABLES else []), why="no values were asked for")
            continue
        found = _swept(m, name, values)
        of = [TABLES[name]] if name in TABLES else ["Number training"]
        chapter.tabulate(_table(found, name), f"{TITLES[name]}; mean of {s.runs} runs.", of=of)
        if name in ("lead", "window", "learning_rate"):
            chapter.show(plot_sweep(found), f"{TITLES[name]}, NSE per site with an interval, beside the references.")
        if name == "lead":
            _leads(found, m, chapter)
        if name == "window":
            _days(found, m, chapter)
    if not (s.batch_sizes or s.learning_rates):
        chapter.lack("Number training", why="no values were asked for")
    for name, key in (("lead", "Number leads"), ("window", "Number input days")):
        if key not in chapter.shown:
            chapter.lack(key, why=f"the values asked for, {list(asked[name])}, do not hold the usual one and another")
    return chapter


def _thresholds(m: Results, chapter: Chapter) -> None:
    """Table S4: the networks of Table 1 by classes with other thresholds, and whether the first stays first."""
    rows, ahead, drawn = {}, [], []
    for upper, lower in THRESHOLDS:
        counts = m.confusions_with(upper, lower)
        f1 = class_scores(counts.sum("site")).f1.mean("run")
        for model in f1["model"].values.tolist():
            rows[(f"{lower} and {upper}", model)] = f1.sel(model=model).to_series()
        ahead.append(float(_lead_of(f1, m)))
        drawn.append(_lead_of(class_scores(resampled(counts, m.settings.n_boot, m.settings.seed)).f1.mean("run"), m))
    low, high = percentile_interval(np.mean([one.values for one in drawn], axis=0), 0.95)
    frame = pd.DataFrame(rows).T[list(published.CLASSES)]
    chapter.tabulate(
        frame.rename_axis(["start and end", "model"]),
        "Table S4: F1 of each class with other percentiles below which a drought begins and from which its onset "
        f"falls; mean of {m.settings.runs} runs.",
        coloured=True,
        of=["Table S4"],
    )
    chapter.find(
        "4.2, Table S4",
        f"F1 of flash onset days, {FULL} less the best of the others, mean of three pairs of thresholds",
        "the same gap with all thresholds",
        f"{with_interval(float(np.mean(ahead)), float(low), float(high), sign=True)}; by pair "
        f"{', '.join(f'{gain:+.2f}' for gain in ahead)}",
        interval=(float(low), float(high)),
        claim=Claim(),
        setting=m.setting("maps", "training"),
        of=["Number ranking"],
    )


def _lead_of(f1: xr.DataArray, m: Results) -> xr.DataArray:
    """F1 of flash onset days of the whole network less that of the best of the others."""
    onset = f1.sel(class_name="flash_onset", model=list(m.variants)).fillna(0)
    return onset.sel(model=FULL) - onset.drop_sel(model=FULL).max("model")


def _swept(m: Results, name: str, values: Sequence[Any]) -> xr.Dataset:
    s, how = m.settings, m.experiment(f"sweep_{name}")
    how |= {"variant": s.variant, "window": s.window, "lead": s.lead}
    how.pop(name, None)
    return sweep(m.source.ds, m.target, m.source.drivers, over={name: values}, **how)


def _table(found: xr.Dataset, name: str) -> pd.DataFrame:
    of = {"NSE": found.nse.mean("run").median("site")}
    of |= {f"F1, {c}": found.f1.sel(class_name=c, drop=True).mean("run") for c in published.CLASSES}
    of["accuracy"] = found.accuracy.mean("run")
    kept = [model for model in found["model"].values if model in ("network", "persistence")]
    frame = xr.Dataset(of).sel(model=kept).reset_coords(drop=True).to_dataframe()
    return frame[list(of)].rename(columns=lambda text: text.replace("_", " "))


def _gain(found: xr.Dataset, name: str, value: Any, usual: Any) -> Difference:
    """NSE of the network with a value less that with the usual one, site by site."""
    both = found[["nse"]].sel({name: [usual, value]}, drop=True).sel(model="network", drop=True).rename({name: "model"})
    return Difference.of(paired_differences(both.assign_coords(model=["usual", "other"]), "usual"), "other")


def _f1_change(found: xr.Dataset, name: str, value: Any, usual: Any) -> str:
    """Mean change of F1 of the four drought classes, run by run."""
    classes = [c for c in published.CLASSES if c != "no_drought"]
    f1 = found.f1.sel(model="network", class_name=classes).fillna(0)
    change = (f1.sel({name: value}) - f1.sel({name: usual})).mean("run")
    return f"F1 of the drought classes {', '.join(f'{x:+.2f}' for x in np.atleast_1d(change.values))}"


def _leads(found: xr.Dataset, m: Results, chapter: Chapter) -> None:
    leads, usual = found["lead"].values.tolist(), m.settings.lead
    if usual not in leads:
        return
    for lead, sentence in (
        (min(leads), f"F1 {published.LEAD_GAIN[0]} to {published.LEAD_GAIN[1]} higher"),
        (max(leads), f"F1 up to {published.LEAD_LOSS} lower"),
    ):
        if lead == usual:
            continue
        gain = _gain(found, "lead", lead, usual)
        chapter.find(
            "4.2, Table S5",
            f"a lead of {lead} day{'s' * (lead > 1)} less one of {usual} (NSE of a site)",
            f"{'better' if lead < usual else 'worse'}: {sentence}",
            f"{gain}; {_f1_change(found, 'lead', lead, usual)}",
            interval=gain.interval,
            claim=Claim(above=lead < usual),
            setting=m.setting("maps", "experiment"),
            of=["Number leads"],
        )


def _days(found: xr.Dataset, m: Results, chapter: Chapter) -> None:
    windows, usual = found["window"].values.tolist(), m.settings.window
    for days in (min(windows), max(windows)):
        if usual not in windows or days == usual:
            continue
        gain = _gain(found, "window", days, usual)
        more = days > usual
        chapter.find(
            "4.2, Table S6",
            f"{days} days of input less {usual} (NSE of a site)",
            "modest improvement" if more else "more pronounced decline",
            f"{gain}; {_f1_change(found, 'window', days, usual)}",
            interval=gain.interval,
            claim=Claim(above=more),
            setting=m.setting("maps", "experiment"),
            of=["Number input days"],
        )
