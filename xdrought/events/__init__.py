"""Flash-drought events, daily classes and summary maps of soil moisture."""

from xdrought.events.counts import event_counts, flash_frequency
from xdrought.events.flash_droughts import (
    CLASSES,
    definition_agreement,
    drought_classes,
    drought_summary,
    flash_drought_events,
    soil_moisture_percentile,
)
from xdrought.events.monitor import DroughtMonitor
from xdrought.events.monitor_start import load_monitor, start_monitor
from xdrought.events.objects import drought_objects
from xdrought.events.one_pass import Droughts, detect_droughts
from xdrought.events.onsets import onset_days, onset_label
from xdrought.events.state import drought_state
from xdrought.events.uncertainty import event_uncertainty

__all__ = [
    "CLASSES",
    "DroughtMonitor",
    "Droughts",
    "definition_agreement",
    "detect_droughts",
    "drought_classes",
    "drought_objects",
    "drought_state",
    "drought_summary",
    "event_counts",
    "event_uncertainty",
    "flash_drought_events",
    "flash_frequency",
    "load_monitor",
    "onset_days",
    "onset_label",
    "soil_moisture_percentile",
    "start_monitor",
]
