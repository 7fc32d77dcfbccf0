"""Why a forecast says what it says: expected gradients on labels, and what they say of onsets."""

from xdrought.attribution.expected_gradients import attributions
from xdrought.attribution.importance import (
    driver_importance,
    drought_complexity,
    event_importance,
    importance_by_rate,
)
from xdrought.attribution.onset_drivers import event_drivers
from xdrought.attribution.sanity import deletion_curve, weight_randomisation

__all__ = [
    "attributions",
    "deletion_curve",
    "driver_importance",
    "drought_complexity",
    "event_drivers",
    "event_importance",
    "importance_by_rate",
    "weight_randomisation",
]
