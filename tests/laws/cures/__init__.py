"""Every cure that a message names, by room: what is refused, and the call after the message is followed."""

from tests.laws.cures import (
    attribution,
    bulletin,
    causality,
    collocate,
    data,
    doors,
    era5,
    events,
    forcing,
    forecast,
    labels,
    monitor,
    package,
    plot,
    study,
    verification,
)

CURES = [
    *attribution.CURES,
    *bulletin.CURES,
    *causality.CURES,
    *collocate.CURES,
    *data.CURES,
    *doors.CURES,
    *era5.CURES,
    *events.CURES,
    *forcing.CURES,
    *forecast.CURES,
    *labels.CURES,
    *monitor.CURES,
    *package.CURES,
    *plot.CURES,
    *study.CURES,
    *verification.CURES,
]
