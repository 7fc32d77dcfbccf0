"""Why a forecast says what it says: expected gradients on labels, and what they say of onsets."""

from xdrought.attribution.deletion import deletion_curve
from xdrought.attribution.gradients import attributions
from xdrought.attribution.onset_comparison import driver_importance, importance_by_rate
from xdrought.attribution.onset_importance import drought_complexity, event_importance
from xdrought.attribution.sanity import weight_randomisation

__all__ = [
    "attributions",
    "deletion_curve",
    "driver_importance",
    "drought_complexity",
    "event_importance",
    "importance_by_rate",
    "weight_randomisation",
]
