"""Pictures of events, records, maps, scores and causes; each function returns the Axes it drew on.

Needs the optional packages matplotlib and, for maps only, cartopy: ``pip install "xdrought[plot]"``.
Nothing is shown or saved, and matplotlib's global settings stay as they are.
"""

from __future__ import annotations

from xdrought.plot.attribution import (
    plot_attributions,
    plot_deletion,
    plot_driver_importance,
    plot_importance_by_rate,
    plot_weight_randomisation,
)
from xdrought.plot.causality import plot_causality, plot_dominant_cause
from xdrought.plot.experiments import plot_coupling, plot_skill_by_degree, plot_sweep
from xdrought.plot.maps import plot_map
from xdrought.plot.objects import animate_objects, plot_objects
from xdrought.plot.one_event import plot_event
from xdrought.plot.probabilities import plot_alarms, plot_economic_value, plot_reliability
from xdrought.plot.records import plot_agreement, plot_event_counts, plot_record
from xdrought.plot.scores import plot_forecast, plot_scores
from xdrought.plot.skill import plot_class_scores, plot_performance, plot_skill_map
from xdrought.plot.skill_curves import plot_convergence, plot_lags
from xdrought.plot.trends import plot_coincidence, plot_event_association, plot_onset_trend, plot_synchrony

__all__ = [
    "animate_objects",
    "plot_alarms",
    "plot_agreement",
    "plot_attributions",
    "plot_causality",
    "plot_class_scores",
    "plot_coincidence",
    "plot_convergence",
    "plot_coupling",
    "plot_deletion",
    "plot_dominant_cause",
    "plot_driver_importance",
    "plot_economic_value",
    "plot_event",
    "plot_event_association",
    "plot_event_counts",
    "plot_forecast",
    "plot_importance_by_rate",
    "plot_lags",
    "plot_map",
    "plot_objects",
    "plot_onset_trend",
    "plot_performance",
    "plot_record",
    "plot_reliability",
    "plot_scores",
    "plot_skill_by_degree",
    "plot_skill_map",
    "plot_sweep",
    "plot_synchrony",
    "plot_weight_randomisation",
]
