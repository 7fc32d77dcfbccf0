"""Flash droughts on xarray: events, causes, forecasts, explanations and honest scores."""

from xdrought.definitions import DEFINITIONS, Definition
from xdrought.events import (
    definition_agreement,
    drought_classes,
    drought_summary,
    flash_drought_events,
    soil_moisture_percentile,
)

__version__ = "0.1.0"
