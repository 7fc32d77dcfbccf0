"""The leakage audit of one forecaster: every check, in the order of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from xdrought.devices import resolve_device
from xdrought.leakage import data_checks, future_checks, given_checks, split_checks, training_checks
from xdrought.leakage.audited_data import gather
from xdrought.leakage.given_checks import AlarmThreshold
from xdrought.leakage.report import LeakageReport
from xdrought.public_functions import public

if TYPE_CHECKING:
    from torch import device as torch_device

    from xdrought.forecast.forecaster import Forecaster

__all__ = ["audit_leakage"]


@public
def audit_leakage(
    forecaster: Forecaster,
    ds: xr.Dataset,
    *,
    reference: xr.DataArray | None = None,
    forcing: xr.Dataset | None = None,
    threshold: AlarmThreshold | None = None,
    start_from: Forecaster | None = None,
    near_km: float = 1.0,
    batch_size: int = 512,
    device: str | torch_device = "auto",
) -> LeakageReport:
    """State what every statistic of a forecaster was computed on, and whether any of it depends on a tested day.

    Everything is computed again from the data of the training: nothing is taken on trust from the forecaster.

    Parameters
    ----------
    forecaster : Forecaster
        From :func:`xdrought.fit_resattcaurec` or :func:`xdrought.load_forecaster`.
    ds : xarray.Dataset
        The data of the training. What is used of them is read into memory.
    reference : xarray.DataArray, optional
        The record that percentiles of the target are ranked against, where one is used beside the forecaster. By
        default it is the observations of the training days.
    forcing : xarray.Dataset, optional
        Weather forecasts on (init_time, lead_time) that are used beside the drivers, or with which the forecaster was
        trained.
    threshold : AlarmThreshold, optional
        The probability from which on an alarm is given, with the forecasts and outcomes that it was chosen for.
    start_from : Forecaster, optional
        The one that the training started from, whose scaling it uses. Audit that one with its own data, too.
    near_km : float
        Distance in km below which a place that is held out and one of training count as the same spot.
    batch_size : int
        Windows at a time where the losses are computed again.
    device : str or torch.device
        "auto", "cpu", "cuda", ...

    Returns
    -------
    LeakageReport
        ``.clean`` is True only when no leak was found and everything could be checked.

    Raises
    ------
    KeyError
        For a variable that is not there.
    TypeError
        For data, a reference, forcing, a threshold or a start of another kind.
    ValueError
        For a distance that is not above 0, units or dimensions that do not fit, or no complete window.

    Notes
    -----
    The user guide's page on leakage lists what is looked for, and what no audit can find.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import SplitConfig, audit_leakage, fit_resattcaurec
    >>> rain = np.random.default_rng(0).random((1, 400))
    >>> soil = np.apply_along_axis(np.convolve, 1, rain, 0.95 ** np.arange(60))[:, :400]
    >>> ds = xr.Dataset({"tp": (("site", "time"), rain), "soil_moisture": (("site", "time"), soil)})
    >>> ds = ds.assign_coords(site=["A"], time=pd.date_range("2001-01-01", periods=400))
    >>> options = dict(variant="Rec", widths=(4, 4), epochs=1, device="cpu", progress=False)
    >>> audit_leakage(fit_resattcaurec(ds, "soil_moisture", **options), ds, device="cpu").clean
    True
    >>> forecaster = fit_resattcaurec(ds, "soil_moisture", split=SplitConfig(embargo=0), **options)
    >>> audit_leakage(forecaster, ds, device="cpu").leaks
    ('embargo',)
    """
    if isinstance(near_km, bool) or not isinstance(near_km, int | float) or not near_km > 0:
        raise ValueError(f"near_km={near_km!r}; it is a distance in km above 0")
    audit = gather(ds, forecaster)
    return LeakageReport(
        forecaster.describe(),
        (
            split_checks.check_windows(audit),
            split_checks.check_order(audit),
            split_checks.check_overlap(audit),
            split_checks.check_embargo(audit),
            split_checks.check_same_series(audit),
            split_checks.check_same_location(audit, float(near_km)),
            training_checks.check_scaling(audit, start_from),
            training_checks.check_causality(audit),
            training_checks.check_filled_inputs(audit),
            given_checks.check_reference(audit, reference),
            data_checks.check_percentiles(audit),
            data_checks.check_standardised(audit),
            data_checks.check_range(audit),
            data_checks.check_site_statistics(audit),
            future_checks.check_future(audit),
            future_checks.check_other_drivers(audit),
            future_checks.check_day_boundaries(audit),
            given_checks.check_issue_times(audit, ds, forcing),
            given_checks.check_lead_weather(audit, forcing),
            given_checks.check_threshold(audit, threshold),
            split_checks.check_filled_gaps(audit),
            split_checks.check_repeated_days(audit),
            training_checks.check_best_epoch(audit, forcing, batch_size, resolve_device(device)),
        ),
    )
