"""Flash-drought events, daily classes and summary maps of soil moisture."""

from xdrought.events.flash_droughts import (
    CLASSES,
    definition_agreement,
    drought_classes,
    drought_summary,
    flash_drought_events,
    soil_moisture_percentile,
)

__all__ = [
    "CLASSES",
    "definition_agreement",
    "drought_classes",
    "drought_summary",
    "flash_drought_events",
    "soil_moisture_percentile",
]
