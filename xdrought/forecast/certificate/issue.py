"""All checks of one forecaster, in the order of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from xdrought.devices import resolve_device
from xdrought.forecast.certificate import choice, drivers, parts, places, prepared, statistics
from xdrought.forecast.certificate.evidence import gather
from xdrought.forecast.certificate.findings import Certificate

if TYPE_CHECKING:
    from xdrought.forecast.forecaster import Forecaster

CALLER = "certificate"


def issue_certificate(
    forecaster: Forecaster,
    ds: xr.Dataset,
    *,
    reference: xr.DataArray | None = None,
    near_km: float = 1.0,
    batch_size: int = 512,
    device: Any = "auto",
) -> Certificate:
    """:meth:`xdrought.Forecaster.certificate` as a function; see :class:`xdrought.Forecaster`."""
    if isinstance(near_km, bool) or not isinstance(near_km, int | float) or not near_km > 0:
        raise ValueError(f"{CALLER}: near_km={near_km!r}; it is a distance in km above 0")
    if reference is not None and not isinstance(reference, xr.DataArray):
        raise TypeError(
            f"{CALLER}: reference is a {type(reference).__name__}; give the DataArray that predict(reference=) takes"
        )
    evidence = gather(ds, forecaster, CALLER)
    return Certificate(
        forecaster.describe(),
        (
            parts.check_windows(evidence),
            parts.check_order(evidence),
            parts.check_overlap(evidence),
            parts.check_embargo(evidence),
            places.check_same_series(evidence),
            places.check_same_location(evidence, float(near_km)),
            statistics.check_scaling(evidence),
            statistics.check_causality(evidence),
            statistics.check_reference(evidence, reference),
            prepared.check_percentiles(evidence),
            prepared.check_standardised(evidence),
            prepared.check_range(evidence),
            drivers.check_site_statistics(evidence),
            drivers.check_future(evidence),
            parts.check_filled_gaps(evidence),
            parts.check_repeated_days(evidence),
            choice.check_best_epoch(evidence, batch_size, resolve_device(device, CALLER)),
        ),
    )
