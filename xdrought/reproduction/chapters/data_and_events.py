"""Causality: cross mapping of every driver, by the raw and by an honest p-value (section 3.3, Figures S4, S7)."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.causality import ccm, driver_gain, false_discovery_control
from xdrought.events import CLASSES, flash_drought_events
from xdrought.plot import plot_event, plot_record
from xdrought.reproduction import findings
from xdrought.reproduction.findings import CONTRADICTED, SUPPORTED, Chapter, LeftOut
from xdrought.reproduction.results import FULL, Results


def data(m: Results) -> Chapter:
    """Sections 3.1, 3.2 and 3.4: which sites, which drivers, which days."""
    chapter = Chapter("Data")
    source, ds = m.source, m.source.ds
    if source.is_simulated:
        chapter.say_html(
            "These data are <strong>simulated</strong>: a small land surface with known causes, no observations. What "
            "follows shows how the study works and what its methods find where the truth is known; it says nothing of "
            "the real world."
        )
    days = int(m.observed.notnull().sum())
    cells = f"maps of {source.size} x {source.size} cells" if source.has_maps else "one series at each site, no maps"
    chapter.say(
        f"{source.name}: {ds.sizes['site']} of {len(source.sites)} sites kept (at most 10 % invalid days, at least one "
        f"year), {days:,} days with soil moisture, {len(source.drivers)} drivers "
        f"({', '.join(map(str, source.drivers))}), {cells}."
    )
    if source.lacking:
        chapter.say(f"Drivers of the paper that these data lack: {', '.join(source.lacking)}.")
    if not source.has_maps:
        chapter.say(
            "Left out for want of maps: the U-Net, the four-cell causality matrix (one cell instead), and what "
            "attention and residual blocks do with space (they see 1 x 1 cell)."
        )
    columns = [
        c for c in ("site", "start", "end", "days", "invalid_percent", "longest_gap", "reason") if c in source.sites
    ]
    chapter.tabulate(source.sites[columns].set_index("site"), "Every site and what became of it.", digits=1)
    parts = {part: int((m.part(part) & m.observed.notnull()).sum()) for part in ("train", "val", "test")}
    chapter.tabulate(
        pd.DataFrame({"days": parts}).rename_axis("part"),
        f"Target days of the parts (70:15:15 at each site) with an embargo of {m.splits.embargo} days at the borders; "
        "the paper has no embargo.",
    )
    return chapter


LONGER_THAN = 14  # days


def droughts(m: Results) -> Chapter:
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


def _count(m: Results, chapter: Chapter) -> None:
    events = m.events
    n, flash = events.sizes["event"], int(events.is_flash.sum())
    sites = len(np.unique(events.site.values[events.is_flash.values]))
    years = float(m.observed.notnull().sum()) / 365.25
    chapter.find(
        "3.1",
        "flash droughts found",
        f"{findings.FLASH_EVENTS} at {findings.FLASH_SITES} sites",
        f"{flash} at {sites} sites ({flash / years:.2f} a site-year; {flash / n:.0%} of {n} droughts)",
        "other sites",
    )
    short = flash_drought_events(m.observed, min_duration=1)
    long = short.duration.values[~short.is_censored.values] > LONGER_THAN
    chapter.find(
        "3.1",
        f"all droughts last longer than {LONGER_THAN} days",
        "100 %",
        f"{long.mean():.0%} of {long.size} without a rule that makes them (the default definition has one)",
        SUPPORTED if long.all() else CONTRADICTED,
    )
    if "is_frozen" in events:
        frozen = int((events.is_frozen & events.is_flash).sum())
        chapter.find(
            "3.1",
            "flash droughts are of soil that dries, not freezes",
            "not examined",
            f"{frozen} of {flash} mostly on frozen soil",
            SUPPORTED if not frozen else CONTRADICTED,
        )
    table = events[["duration", "onset_length", "intensification_rate"]].to_dataframe()[
        ["duration", "onset_length", "intensification_rate"]
    ]
    table["kind"] = np.where(events.is_flash.values, "flash", "normal")
    chapter.tabulate(
        table.groupby("kind").quantile(np.array([0.25, 0.5, 0.75])).rename_axis(["kind", "quantile"]),
        "Days of drought, days of onset, and percentiles a day.",
        digits=1,
    )


def _classes(m: Results, chapter: Chapter) -> None:
    known = m.classes.values[m.classes.values != CLASSES["missing"]]
    ours = {name: float((known == CLASSES[name]).mean()) for name in findings.CLASSES}
    frame = pd.DataFrame({"paper (test part)": findings.SHARE, "here (all days)": ours})
    chapter.tabulate(frame.rename_axis("class") * 100, "Share of days in each class, %.", digits=1)


SURROGATES, ALPHA = 199, 0.05


def causes(m: Results) -> Chapter:
    """Which drivers are related to soil moisture in the training part, and which drive it given the others."""
    chapter = Chapter("Causality")
    found = m.cache.dataset("cross_mapping", {"surrogates": SURROGATES, "seed": m.settings.seed}, lambda _: _map(m))
    gained = m.cache.dataset("driver_gain", {"seed": m.settings.seed}, lambda _: _gain(m))
    adjusted = false_discovery_control(found.surrogate_p_value)
    drives = gained.p_value_adjusted < ALPHA
    columns = {
        "skill, median of sites": found.rho.median("site"),
        "related, raw p < 0.05": (found.p_value < ALPHA).sum("site"),
        "related, surrogate p < 0.05": (found.surrogate_p_value < ALPHA).sum("site"),
        "related, adjusted": (adjusted < ALPHA).sum("site"),
        "drives, given the others, adjusted": drives.sum("site"),
    }
    truth = _truth(m, found)
    if truth is not None:
        columns["planted"] = (truth > 0).sum("site")
    by_driver = pd.DataFrame({name: column.to_series() for name, column in columns.items()})
    chapter.tabulate(
        by_driver.sort_values("skill, median of sites", ascending=False),
        f"Two questions. Related: cross-map skill of each driver (E = 2, tau = 1, training part, central cell), and at "
        f"how many of {found.sizes['site']} sites it is beyond chance: by the raw p-value of the correlation, as in "
        f"the paper, by {SURROGATES} surrogates with the driver's own spectrum, and after the Benjamini-Hochberg "
        f"correction. With shared weather nearly all drivers are related. Drives, given the others: at how many sites "
        f"the driver, on top of all others, the season and the wetness of the day before, predicts the change of soil "
        f"moisture better on days not used for fitting.",
    )
    raw, tested, n = int((found.p_value < ALPHA).sum()), int((adjusted < ALPHA).sum()), found.rho.size
    chapter.find(
        "3.3, S8",
        "the p-value of the correlation tells a cause",
        "p of autocorrelated series, uncorrected",
        f"{raw} of {n} pairs by the raw p, {tested} by surrogates and correction",
        SUPPORTED if tested >= raw else CONTRADICTED,
    )
    if truth is not None:
        planted = truth > 0
        counts = [
            f"{int((said & planted).sum())} and {int((said & ~planted).sum())}"
            for said in (adjusted < ALPHA, drives.transpose(*truth.dims))
        ]
        chapter.say(
            f"In this simulated world the truth is known: {int(planted.sum())} causes are planted, and "
            f"{int((~planted).sum())} drivers cause nothing. Of the planted ones and of the others, {counts[0]} are "
            f"related to soil moisture (they share the weather behind the causes), and {counts[1]} are said to drive "
            f"it, given the others."
        )
    degree = m.forecaster(FULL).causality
    assert degree is not None
    chapter.say(
        f"The network's input is the matrix of skill and raw p-value of {degree.sizes['variable']} drivers in "
        f"{degree.sizes['cell']} cell(s), as in the paper."
    )
    return chapter


def _truth(m: Results, like: xr.Dataset) -> xr.DataArray | None:
    """Planted strengths in the order of the result; None for observations."""
    if not m.source.is_simulated or "truth_strength" not in m.source.ds.coords:
        return None
    return m.source.ds.truth_strength.sel(variable=like["variable"]).transpose(*like.rho.dims)


def _central_drivers(m: Results) -> dict:
    """The drivers of the cell at the site, on training days."""
    drivers = m.source.ds[list(m.source.drivers)]
    if m.source.has_maps:
        centre = m.source.size // 2 - 1
        drivers = drivers.isel(patch_lat=centre, patch_lon=centre)
    days = m.training_days
    return {name: drivers[name].where(days) for name in drivers.data_vars}


def _map(m: Results) -> xr.Dataset:
    soil = m.observed.where(m.training_days)
    return ccm(
        _central_drivers(m), soil, direction="cause_to_effect", surrogates=SURROGATES, seed=m.settings.seed
    ).squeeze(drop=True)


def _gain(m: Results) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the drivers are the paper's, responses and all
        found = driver_gain(_central_drivers(m), m.observed.where(m.training_days), seed=m.settings.seed)
    return found[["gain", "p_value", "p_value_adjusted", "redundancy", "n_days"]]
