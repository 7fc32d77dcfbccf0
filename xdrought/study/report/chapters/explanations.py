"""What moved the forecasts of drought onsets: importance by kind and by rate (section 4.4, Figure 6)."""

from __future__ import annotations

import pandas as pd

from xdrought.attribution import driver_importance, event_importance, importance_by_rate
from xdrought.plot import plot_driver_importance, plot_importance_by_rate
from xdrought.study.report.findings import CONTRADICTED, SUPPORTED, UNDECIDED, Chapter, LeftOut
from xdrought.study.report.material import Material

# Drivers that the paper finds to matter more for flash onsets, in ERA5 and in tower names.
FASTER = {"sp": "surface pressure", "PA_F": "surface pressure", "ws10": "wind speed", "WS_F": "wind speed",
          "e": "evaporation", "LE_F_MDS": "latent heat"}  # fmt: skip
RAIN = ("tp", "P_F")


def explanations(m: Material) -> Chapter:
    """Expected gradients on all onset days."""
    chapter = Chapter("Drivers of drought onsets")
    if m.events.sizes["event"] < 10:
        raise LeftOut(f"only {m.events.sizes['event']} droughts; importance by kind needs at least ten")
    shares = m.shares
    error = float(abs(shares.completeness_error).mean() / abs(shares.prediction - shares.base_value).mean())
    chapter.say(
        f"Expected gradients of the whole network on {int(shares.prediction.notnull().sum()):,} onset days of the "
        f"whole record; all shares of a day add up to its forecast within {error:.2%}."
    )
    importance = event_importance(shares, m.events)
    table = driver_importance(importance, m.events)
    chapter.show(
        plot_driver_importance(table), "Figure 6a: importance for normal and flash onsets, with intervals over sites."
    )
    chapter.show(
        plot_importance_by_rate(importance_by_rate(importance, m.events)),
        "Figure 6b: rank of importance in groups of rising intensification rate (1 is the most important).",
    )
    frame = pd.DataFrame(
        {
            "normal": table.importance.sel(type="normal").to_series(),
            "flash": table.importance.sel(type="flash").to_series(),
            "flash over normal": table.ratio.to_series(),
            "lower": table.ratio_lower.to_series(),
            "upper": table.ratio_upper.to_series(),
        }
    )
    chapter.tabulate(
        frame.sort_values("flash", ascending=False), "Mean importance (in units of soil moisture) and ratio.", digits=3
    )
    for name in [name for name in FASTER if name in frame.index]:
        row = frame.loc[name]
        chapter.find(
            "4.4, Fig. 6a", f"{FASTER[name]} matters more for flash than for normal onsets", "ratio above 1",
            f"{row['flash over normal']:.2f} [{row.lower:.2f}, {row.upper:.2f}]",
            SUPPORTED if row.lower > 1 else CONTRADICTED if row.upper < 1 else UNDECIDED,
        )  # fmt: skip
    for name in [name for name in RAIN if name in frame.index]:
        rank = int(frame.flash.rank(ascending=False)[name])
        chapter.find(
            "4.4", "precipitation has minimal importance", "among the last",
            f"rank {rank} of {len(frame)} for flash onsets",
            SUPPORTED if rank > 2 * len(frame) / 3 else CONTRADICTED,
        )  # fmt: skip
    return chapter
