"""The events: how many, how fast, how long, on frozen soil or not (section 3.1, Figure 2)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from xdrought.events import CLASSES, flash_drought_events
from xdrought.plot import plot_event, plot_record
from xdrought.study.report import published
from xdrought.study.report.findings import CONTRADICTED, SUPPORTED, Chapter, LeftOut
from xdrought.study.report.material import Material

LONGER_THAN = 14  # days


def droughts(m: Material) -> Chapter:
    """Events by the paper's definition."""
    chapter = Chapter("Flash droughts")
    events = m.events
    if not events.sizes["event"]:
        raise LeftOut("no drought was found in these data")
    _count(m, chapter)
    _classes(m, chapter)
    flash = np.flatnonzero(events.is_flash.values)
    chosen = int(flash[events.severity.values[flash].argmax()]) if flash.size else int(events.severity.values.argmax())
    site = events.site.values[chosen]
    record = m.observed.sel(site=site).dropna("time")
    here = events.isel(event=events.site.values == site)
    number = int((events.site.values[:chosen] == site).sum())
    chapter.show(
        plot_event(record, here, event=number),
        f"Figure 2: the severest {'flash ' * bool(flash.size)}drought, at {site}.",
    )
    chapter.show(plot_record(record, here), f"The whole record of {site}.")
    return chapter


def _count(m: Material, chapter: Chapter) -> None:
    events = m.events
    n, flash = events.sizes["event"], int(events.is_flash.sum())
    sites = len(np.unique(events.site.values[events.is_flash.values]))
    years = float(m.observed.notnull().sum()) / 365.25
    chapter.find(
        "3.1", "flash droughts found", f"{published.FLASH_EVENTS} at {published.FLASH_SITES} sites",
        f"{flash} at {sites} sites ({flash / years:.2f} a site-year; {flash / n:.0%} of {n} droughts)", "other sites",
    )  # fmt: skip
    short = flash_drought_events(m.observed, min_duration=1)
    long = short.duration.values[~short.is_censored.values] > LONGER_THAN
    chapter.find(
        "3.1", f"all droughts last longer than {LONGER_THAN} days", "100 %",
        f"{long.mean():.0%} of {long.size} without a rule that makes them (the default definition has one)",
        SUPPORTED if long.all() else CONTRADICTED,
    )  # fmt: skip
    if "is_frozen" in events:
        frozen = int((events.is_frozen & events.is_flash).sum())
        chapter.find(
            "3.1", "flash droughts are of soil that dries, not freezes", "not examined",
            f"{frozen} of {flash} mostly on frozen soil", SUPPORTED if not frozen else CONTRADICTED,
        )  # fmt: skip
    table = events[["duration", "onset_length", "intensification_rate"]].to_dataframe()[
        ["duration", "onset_length", "intensification_rate"]
    ]
    table["kind"] = np.where(events.is_flash.values, "flash", "normal")
    chapter.tabulate(
        table.groupby("kind").quantile(np.array([0.25, 0.5, 0.75])).rename_axis(["kind", "quantile"]),
        "Days of drought, days of onset, and percentiles a day.", digits=1,
    )  # fmt: skip


def _classes(m: Material, chapter: Chapter) -> None:
    known = m.classes.values[m.classes.values != CLASSES["missing"]]
    ours = {name: float((known == CLASSES[name]).mean()) for name in published.CLASSES}
    frame = pd.DataFrame({"paper (test part)": published.SHARE, "here (all days)": ours})
    chapter.tabulate(frame.rename_axis("class") * 100, "Share of days in each class, %.", digits=1)
