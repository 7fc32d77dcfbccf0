"""Flash-drought events, daily classes and summary maps of soil moisture."""

from xdrought.events.drought_monitor import DroughtMonitor
from xdrought.events.flash_droughts import (
    CLASSES,
    definition_agreement,
    drought_classes,
    drought_summary,
    flash_drought_events,
    soil_moisture_percentile,
)
from xdrought.events.near_real_time import load_monitor, start_monitor
from xdrought.events.objects import drought_objects

__all__ = [
    "CLASSES",
    "DroughtMonitor",
    "definition_agreement",
    "drought_classes",
    "drought_objects",
    "drought_summary",
    "flash_drought_events",
    "load_monitor",
    "soil_moisture_percentile",
    "start_monitor",
]
