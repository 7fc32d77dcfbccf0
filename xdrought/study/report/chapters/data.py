"""The data: sites, screening, parts, and what is lacking."""

from __future__ import annotations

import pandas as pd

from xdrought.study.report.findings import Chapter
from xdrought.study.report.material import Material


def data(m: Material) -> Chapter:
    """Sections 3.1, 3.2 and 3.4: which sites, which drivers, which days."""
    chapter = Chapter("Data")
    source, ds = m.source, m.source.ds
    if source.is_simulated:
        chapter.say(
            "These data are <strong>simulated</strong>: a small land surface with known causes, no observations. What "
            "follows shows how the study works and what its methods find where the truth is known; it says nothing of "
            "the real world."
        )
    days = int(m.observed.notnull().sum())
    cells = f"maps of {source.size} x {source.size} cells" if source.has_maps else "one series at each site, no maps"
    chapter.say(
        f"{source.name}: {ds.sizes['site']} of {len(source.sites)} sites kept (at most 10 % invalid days, at least one "
        f"year), {days:,} days with soil moisture, {len(source.features)} drivers "
        f"({', '.join(map(str, source.features))}), {cells}."
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
