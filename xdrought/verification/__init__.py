"""Scores of forecasts, never alone: values, classes, occurrences and events, beside their references."""

from xdrought.verification.alarm_scores import alarms
from xdrought.verification.differences import compare_models
from xdrought.verification.distributions import dressed_persistence_forecast
from xdrought.verification.event_matching import match_events
from xdrought.verification.groups import select_lead
from xdrought.verification.percentile_table import percentile_table_forecast
from xdrought.verification.probability import occurrence_scores, probability_scores
from xdrought.verification.references import (
    climatology_forecast,
    damped_persistence_forecast,
    mean_variance_matching,
    persistence_forecast,
)
from xdrought.verification.scores import class_scores, generalization_ability, to_table, verify
from xdrought.verification.warning_scores import onset_skill

__all__ = [
    "alarms",
    "class_scores",
    "climatology_forecast",
    "compare_models",
    "damped_persistence_forecast",
    "dressed_persistence_forecast",
    "generalization_ability",
    "match_events",
    "mean_variance_matching",
    "occurrence_scores",
    "onset_skill",
    "percentile_table_forecast",
    "persistence_forecast",
    "probability_scores",
    "select_lead",
    "to_table",
    "verify",
]
