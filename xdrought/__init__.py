"""Flash droughts on xarray: events, causes, forecasts, explanations and honest scores.

Importing the package registers ``ds.xdrought`` and stays light: torch, shap, cartopy and matplotlib are imported by the
functions that need them. The rooms ``xdrought.data``, ``bulletin``, ``plot``, ``study``, ``models``, ``simulation``,
``reproduction`` and ``statistics`` are imported when they are first named.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from xdrought.accessor import XdroughtAccessor
from xdrought.attribution import (
    attributions,
    driver_importance,
    drought_complexity,
    event_drivers,
    event_importance,
    importance_by_rate,
)
from xdrought.causality import (
    causality_degree,
    ccm,
    choose_embedding,
    convergence_null,
    driver_contributions,
    driver_gain,
    false_discovery_control,
    gccm,
)
from xdrought.data.tutorial import open_dataset
from xdrought.definitions import DEFINITIONS, Definition
from xdrought.events import (
    DroughtMonitor,
    definition_agreement,
    detect_droughts,
    drought_classes,
    drought_objects,
    drought_state,
    drought_summary,
    event_counts,
    event_uncertainty,
    flash_drought_events,
    flash_frequency,
    load_monitor,
    onset_days,
    onset_label,
    soil_moisture_percentile,
    start_monitor,
)
from xdrought.forecast import (
    Forecaster,
    MissingInputs,
    OnsetModel,
    TrainingOptions,
    degrade_forcing,
    fit_onset,
    fit_resattcaurec,
    load_forecaster,
    load_onset,
    predict,
    predict_onset,
)
from xdrought.leakage import LeakageReport, audit_leakage
from xdrought.limits import set_options
from xdrought.provenance import cf_dataset
from xdrought.splits import SplitConfig
from xdrought.stores import write_zarr
from xdrought.suggestions import did_you_mean
from xdrought.verification import (
    alarms,
    class_scores,
    climatology_forecast,
    compare_models,
    damped_persistence_forecast,
    dressed_persistence_forecast,
    match_events,
    occurrence_scores,
    onset_skill,
    percentile_table_forecast,
    persistence_forecast,
    probability_scores,
    select_lead,
    to_table,
    verify,
)
from xdrought.version import __version__ as __version__
from xdrought.windows import Patches, patches

__all__ = [
    "DEFINITIONS",
    "Definition",
    "DroughtMonitor",
    "Forecaster",
    "LeakageReport",
    "OnsetModel",
    "SplitConfig",
    "MissingInputs",
    "TrainingOptions",
    "Patches",
    "XdroughtAccessor",
    "alarms",
    "attributions",
    "audit_leakage",
    "causality_degree",
    "ccm",
    "cf_dataset",
    "choose_embedding",
    "convergence_null",
    "class_scores",
    "climatology_forecast",
    "compare_models",
    "damped_persistence_forecast",
    "definition_agreement",
    "degrade_forcing",
    "detect_droughts",
    "dressed_persistence_forecast",
    "driver_contributions",
    "driver_gain",
    "driver_importance",
    "drought_classes",
    "drought_complexity",
    "drought_objects",
    "drought_state",
    "drought_summary",
    "event_drivers",
    "event_importance",
    "event_counts",
    "event_uncertainty",
    "false_discovery_control",
    "fit_onset",
    "fit_resattcaurec",
    "flash_drought_events",
    "flash_frequency",
    "gccm",
    "importance_by_rate",
    "load_forecaster",
    "load_monitor",
    "load_onset",
    "match_events",
    "occurrence_scores",
    "onset_days",
    "onset_label",
    "onset_skill",
    "open_dataset",
    "patches",
    "percentile_table_forecast",
    "persistence_forecast",
    "predict",
    "predict_onset",
    "probability_scores",
    "select_lead",
    "set_options",
    "soil_moisture_percentile",
    "start_monitor",
    "to_table",
    "verify",
    "write_zarr",
]

_ROOMS = ("data", "plot", "study", "models", "simulation", "reproduction", "statistics", "leakage", "bulletin")


def __getattr__(name: str) -> ModuleType:
    """Import a room when it is first named."""
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{did_you_mean(name, [*__all__, *_ROOMS])}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
