"""Pictures of events, records, maps and scores; each function returns the Axes it drew on.

Needs the optional packages matplotlib and, for maps only, cartopy: ``pip install "xdrought[plot]"``.
Nothing is shown or saved, and matplotlib's global settings stay as they are.
"""

from __future__ import annotations

from xdrought.plot.events import plot_event, plot_record
from xdrought.plot.maps import plot_map
from xdrought.plot.scores import plot_agreement, plot_causality, plot_forecast, plot_scores

__all__ = [
    "plot_agreement",
    "plot_causality",
    "plot_event",
    "plot_forecast",
    "plot_map",
    "plot_record",
    "plot_scores",
]
