"""Forecasts at sites, and their distribution by observed percentile (Figures 4 and S6)."""

from __future__ import annotations

from xdrought.plot import plot_forecast
from xdrought.study.report.findings import Chapter
from xdrought.study.report.material import FULL, Material
from xdrought.study.report.pictures import by_percentile


def forecasts(m: Material) -> Chapter:
    """The test part of the sites where the whole network is nearest to its median and where it is worst."""
    chapter = Chapter("Forecasts")
    nse = m.member_scores("test").nse.sel(model=FULL).mean("run").dropna("site")
    ordered = nse["site"].values[nse.values.argsort()]
    for site, which in ((ordered[-1], "best"), (ordered[len(ordered) // 2], "median"), (ordered[0], "worst")):
        lines = {
            name: m.forecast(name).where(m.part("test")).sel(site=site).mean("run").dropna("time")
            for name in (FULL, "Rec")
        }
        ax = plot_forecast(lines[FULL], m.observed.sel(site=site), lead=m.settings.lead)
        ax.plot(lines["Rec"]["time"], lines["Rec"], color="#CC79A7", lw=0.9, ls=":", label="Rec")
        chapter.show(
            ax,
            f"Figure 4: {site}, {which} NSE of {FULL} in the test part ({float(nse.sel(site=site)):.2f}); dotted: Rec.",
        )
    chapter.show(
        by_percentile(m.forecasts(part="test"), m.observed, m.persistence),
        "Figure S6: forecast less observation by fifths of the observed percentile at each site, test part. "
        "Above zero is forecast too wet.",
    )
    return chapter
