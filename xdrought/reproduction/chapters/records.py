"""The data, the sites and the days of each part (sections 3.1, 3.2 and 3.4), and the droughts found (section 3.1)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars
from xdrought.events import CLASSES, flash_drought_events
from xdrought.plot import plot_event, plot_record
from xdrought.reproduction import published
from xdrought.reproduction.findings import Chapter, Claim, LeftOut, with_interval
from xdrought.reproduction.modes import choices
from xdrought.reproduction.pictures.onsets import with_and_without_recovery
from xdrought.reproduction.results import Results
from xdrought.statistics.bootstrap import bootstrap_weights, percentile_interval


def data(m: Results) -> Chapter:
    """Which sites, which drivers, which days."""
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
    _settings(m, chapter)
    chapter.tabulate(
        choices(),
        f'What the paper, the released code and this package do differently; mode "{m.settings.mode}" was chosen.',
    )
    columns = [
        c for c in ("site", "start", "end", "days", "invalid_percent", "longest_gap", "reason") if c in source.sites
    ]
    chapter.tabulate(
        source.sites[columns].set_index("site"),
        "Every site and what became of it.",
        digits=1,
        of=["Number gaps"],
    )
    return chapter


def _settings(m: Results, chapter: Chapter) -> None:
    """The paper's numbers of data and training beside those of this report."""
    s, ds = m.settings, m.source.ds
    parts = {part: int((m.part(part) & m.observed.notnull()).sum()) for part in ("train", "val", "test")}
    n, years = ds.sizes["site"], float(m.observed.notnull().sum()) / calendars.DAYS_IN_YEAR
    rows = {
        "sites": (f"{published.SITES} of 212", f"{n} of {len(m.source.sites)}"),
        "years of a site, mean": (f"{published.SITE_YEARS}", f"{years / n:.1f}"),
        "drivers": (f"{published.N_DRIVERS}", f"{len(m.source.drivers)}"),
        "cells of a map": ("10 x 10", f"{m.source.size} x {m.source.size}"),
        "days of input, days ahead": ("15, 7", f"{s.window}, {s.lead}"),
        "target days of training": ("about 260,000", f"{parts['train']:,}"),
        "target days of validation": ("not given", f"{parts['val']:,}"),
        "target days of test": ("55,700", f"{parts['test']:,}"),
        "days left out at the borders of the parts": ("0", f"{m.splits.embargo}"),
        "epochs, networks of each kind": ("50, 10", f"{s.epochs}, {s.runs}"),
        "batch size, learning rate": ("512, 0.0001", f"{s.batch_size}, {s.learning_rate:g}"),
    }
    chapter.tabulate(
        pd.DataFrame.from_dict(rows, orient="index", columns=["paper", "here"]).rename_axis("setting"),
        "The paper's numbers of data and training, and those of this report. Parts are 70:15:15 by time at each site.",
        of=[f"Number {name}" for name in ("sites", "drivers", "window", "split", "test days")],
    )


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
        of=["Figure 2"],
    )
    chapter.show(plot_record(record, here), f"The whole record of {site}.")
    _excursions(m, chapter)
    return chapter


def _count(m: Results, chapter: Chapter) -> None:
    events = m.events
    n, flash = events.sizes["event"], int(events.is_flash.sum())
    by_site = _by_site(m)
    sites, years = int((by_site["flash"] > 0).sum()), float(by_site["years"].sum())
    drawn = bootstrap_weights(len(by_site), m.settings.n_boot, np.random.default_rng(m.settings.seed))
    rates = drawn @ by_site["flash"].to_numpy() / (drawn @ by_site["years"].to_numpy())
    low, high = (float(end) for end in percentile_interval(rates, 0.95))
    in_paper = published.FLASH_EVENTS / (published.SITES * published.SITE_YEARS)
    chapter.find(
        "3.1",
        "flash droughts in a site-year",
        f"{in_paper:.2f} ({published.FLASH_EVENTS} at {published.FLASH_SITES} of {published.SITES} sites)",
        f"{with_interval(flash / years, low, high)} ({flash} at {sites} of {len(by_site)} sites; {flash / n:.0%} of "
        f"{n} droughts)",
        interval=(low, high),
        claim=Claim.of_value(in_paper, of_nature=True),
        setting=m.setting(),
        of=["Number flash events"],
    )
    short = flash_drought_events(m.observed, min_duration=1)
    whole = ~short.is_censored.values
    long = short.duration.values[whole] > published.LONGER_THAN
    chapter.find(
        "3.1",
        f"droughts last longer than {published.LONGER_THAN} days without a rule that makes them",
        "all do; whether by a rule is not said",
        f"{long.mean():.0%} of {long.size} (the default definition has the rule, so all of its droughts do)",
        claim=None,
        setting=m.setting(),
        of=["Number duration"],
    )
    if "is_frozen" in events:
        frozen = int((events.is_frozen & events.is_flash).sum())
        chapter.find(
            "3.1",
            "flash droughts on soil that freezes instead of drying",
            "not examined",
            f"{frozen} of {flash} mostly on frozen soil",
            claim=None,
            setting=m.setting(),
        )
    chapter.tabulate(
        by_site,
        "Table S1: droughts of each site and those that are flash droughts, sites in the order of the data.",
        digits=1,
        of=["Table S1"],
    )
    table = events[["duration", "onset_length", "intensification_rate"]].reset_coords(drop=True).to_dataframe()
    table["kind"] = np.where(events.is_flash.values, "flash", "normal")
    chapter.tabulate(
        table.groupby("kind").quantile(np.array([0.25, 0.5, 0.75])).rename_axis(["kind", "quantile"]),
        "Days of drought, days of onset, and percentiles a day.",
        digits=1,
    )


def _by_site(m: Results) -> pd.DataFrame:
    """Years with soil moisture, and events, of each site."""
    site, is_flash = m.events.site.values, m.events.is_flash.values
    names = m.observed["site"].values
    return pd.DataFrame(
        {
            "latitude": m.source.ds["lat"].values if "lat" in m.source.ds.coords else np.nan,
            "longitude": m.source.ds["lon"].values if "lon" in m.source.ds.coords else np.nan,
            "years": m.observed.notnull().sum("time").values / calendars.DAYS_IN_YEAR,
            "droughts": [int((site == name).sum()) for name in names],
            "flash": [int(is_flash[site == name].sum()) for name in names],
        },
        index=pd.Index(names, name="site"),
    )


def _classes(m: Results, chapter: Chapter) -> None:
    test = m.classes.where(m.part("test"), CLASSES["missing"])
    columns = {"paper (test part)": published.SHARE}
    for name, classes in (("here, test part", test), ("here, all days", m.classes)):
        known = classes.values[classes.values != CLASSES["missing"]]
        columns[name] = {c: float((known == CLASSES[c]).mean()) for c in published.CLASSES}
    chapter.tabulate(
        pd.DataFrame(columns).rename_axis("class") * 100,
        f"Share of days in each class, %. The paper's text gives {published.SHARE_IN_TEXT:.2%} of days without drought "
        f"where its Table 1 gives {published.SHARE['no_drought']:.2%}; only the latter fits the accuracies of Table 1.",
        digits=1,
        of=["Number shares"],
    )


def _excursions(m: Results, chapter: Chapter) -> None:
    """A drought that short wet spells would cut into pieces (Figure S3)."""
    pieces = flash_drought_events(m.observed, recovery=1, min_duration=1)
    inside = [_pieces(pieces, m.events, k) for k in range(m.events.sizes["event"])]
    cut = int(np.sum(np.array(inside) > 1))
    chapter.say(
        f"Short wet spells would cut {cut} of {len(inside)} droughts into pieces if one day above the 20th percentile "
        "ended a drought; the definition asks for five days in a row.",
        of=["Figure S3"],
    )
    if cut:
        k = int(np.argmax(inside))
        record = m.observed.sel(site=m.events.site.values[k]).dropna("time")
        chapter.show(
            with_and_without_recovery(record, m.events.isel(event=[k]), pieces),
            f"Figure S3: the drought that is cut most often, at {m.events.site.values[k]}: as one, and in "
            f"{inside[k]} pieces without the rule of five days.",
        )


def _pieces(pieces: xr.Dataset, events: xr.Dataset, k: int) -> int:
    """How many of the pieces lie in a drought."""
    one = events.isel(event=k)
    same = pieces.site.values == one.site.item()
    begun = (pieces.start_time.values >= one.start_time.values) & (pieces.start_time.values <= one.end_time.values)
    return int((same & begun).sum())
