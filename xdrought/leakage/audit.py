"""All checks of one forecaster, in the order of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from xdrought.devices import resolve_device
from xdrought.leakage import data_checks, split_checks, training_checks
from xdrought.leakage.evidence import gather
from xdrought.leakage.report import Certificate

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
        raise ValueError(f"near_km={near_km!r}; it is a distance in km above 0")
    if reference is not None and not isinstance(reference, xr.DataArray):
        raise TypeError(f"reference is a {type(reference).__name__}; give the DataArray that predict(reference=) takes")
    evidence = gather(ds, forecaster)
    return Certificate(
        forecaster.describe(),
        (
            split_checks.check_windows(evidence),
            split_checks.check_order(evidence),
            split_checks.check_overlap(evidence),
            split_checks.check_embargo(evidence),
            split_checks.check_same_series(evidence),
            split_checks.check_same_location(evidence, float(near_km)),
            training_checks.check_scaling(evidence),
            training_checks.check_causality(evidence),
            training_checks.check_reference(evidence, reference),
            data_checks.check_percentiles(evidence),
            data_checks.check_standardised(evidence),
            data_checks.check_range(evidence),
            data_checks.check_site_statistics(evidence),
            data_checks.check_future(evidence),
            split_checks.check_filled_gaps(evidence),
            split_checks.check_repeated_days(evidence),
            training_checks.check_best_epoch(evidence, batch_size, resolve_device(device)),
        ),
    )
