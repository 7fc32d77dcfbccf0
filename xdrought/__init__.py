"""Flash droughts on xarray: events, causes, forecasts, explanations and honest scores.

Importing the package registers ``ds.xdrought`` and stays light: torch, shap, cartopy and matplotlib are imported by the
functions that need them.
"""

from xdrought.accessor import XdroughtAccessor
from xdrought.attribution import (
    attributions,
    driver_importance,
    drought_complexity,
    event_importance,
    importance_by_rate,
)
from xdrought.causality import (
    causality_degree,
    ccm,
    choose_embedding,
    driver_contributions,
    driver_gain,
    false_discovery_control,
    gccm,
)
from xdrought.definitions import DEFINITIONS, Definition
from xdrought.events import (
    definition_agreement,
    drought_classes,
    drought_state,
    drought_summary,
    flash_drought_events,
    onset_days,
    onset_label,
    soil_moisture_percentile,
)
from xdrought.forecast import (
    Forecaster,
    OnsetModel,
    fit_onset,
    fit_resattcaurec,
    load_forecaster,
    load_onset,
    predict,
    predict_onset,
)
from xdrought.limits import set_options
from xdrought.verification import (
    alarms,
    class_scores,
    match_events,
    occurrence_scores,
    onset_skill,
    probability_scores,
    to_table,
    verify,
)
from xdrought.windows import Patches, patches

__version__ = "0.1.0"

__all__ = [
    "DEFINITIONS",
    "Definition",
    "Forecaster",
    "OnsetModel",
    "Patches",
    "XdroughtAccessor",
    "alarms",
    "attributions",
    "causality_degree",
    "ccm",
    "choose_embedding",
    "class_scores",
    "definition_agreement",
    "driver_contributions",
    "driver_gain",
    "driver_importance",
    "drought_classes",
    "drought_complexity",
    "drought_state",
    "drought_summary",
    "event_importance",
    "false_discovery_control",
    "fit_onset",
    "fit_resattcaurec",
    "flash_drought_events",
    "gccm",
    "importance_by_rate",
    "load_forecaster",
    "load_onset",
    "match_events",
    "occurrence_scores",
    "onset_days",
    "onset_label",
    "onset_skill",
    "patches",
    "predict",
    "predict_onset",
    "probability_scores",
    "set_options",
    "soil_moisture_percentile",
    "to_table",
    "verify",
]
