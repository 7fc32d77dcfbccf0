"""Pictures of events, records, maps, scores and causes; each function returns the Axes it drew on.

Needs the optional packages matplotlib and, for maps only, cartopy: ``pip install "xdrought[plot]"``.
Nothing is shown or saved, and matplotlib's global settings stay as they are.
"""

from __future__ import annotations

from xdrought.plot.attribution import plot_attributions, plot_driver_importance, plot_importance_by_rate
from xdrought.plot.causality import plot_causality, plot_dominant_cause
from xdrought.plot.convergence import plot_convergence
from xdrought.plot.maps import plot_map
from xdrought.plot.one_event import plot_event
from xdrought.plot.record import plot_record
from xdrought.plot.scores import plot_agreement, plot_forecast, plot_scores

__all__ = [
    "plot_agreement",
    "plot_attributions",
    "plot_causality",
    "plot_convergence",
    "plot_dominant_cause",
    "plot_driver_importance",
    "plot_event",
    "plot_forecast",
    "plot_importance_by_rate",
    "plot_map",
    "plot_record",
    "plot_scores",
]
