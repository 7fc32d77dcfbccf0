"""A driver as a forecast of soil moisture: its anomalies on the scale of the observation."""

from __future__ import annotations

from collections.abc import Hashable

import xarray as xr

from xdrought import checks
from xdrought.periods import Period, training_mask


def mean_variance_matching(
    driver: xr.DataArray,
    observed: xr.DataArray,
    *,
    train: Period,
    time: Hashable = "time",
) -> xr.DataArray:
    """A driver with the mean and standard deviation that the observation has in the training part.

    Parameters
    ----------
    driver : xarray.DataArray
        (..., time) of the same places as the observation, e.g. ERA5 soil water in m3 m-3.
    observed : xarray.DataArray
        (..., time), any units.
    train : slice, (start, end) or boolean xarray.DataArray
        The training part: dates, or True on the days of `observed` that may be used.
    time : hashable
        The time dimension of both.

    Returns
    -------
    xarray.DataArray
        On the driver's times, with the observation's attributes: ``(driver - its mean) / its standard deviation *
        standard deviation of the observation + mean of the observation``, place by place, moments of the training days
        that both have. NaN where there are none, or the driver does not vary on them. Lazy for dask.

    Raises
    ------
    TypeError
        For a training mask that is not boolean.
    ValueError
        When a time dimension is missing, or a mask has other labels.

    Notes
    -----
    A linear rescaling: it takes away bias and the wrong spread, and leaves the correlation as it is. Use it where
    two soil moistures are not of the same depth or unit; what a driver scores after it, it owes to its timing alone.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from xdrought.verification import mean_variance_matching
    >>> days = pd.date_range("2001-01-01", periods=4)
    >>> seen = xr.DataArray([10.0, 30.0, 10.0, 30.0], {"time": days}, attrs={"units": "percent"})
    >>> era5 = xr.DataArray([0.2, 0.3, 0.2, 0.4], {"time": days}, attrs={"units": "m3 m-3"})
    >>> mean_variance_matching(era5, seen, train=slice(None, "2001-01-02")).values.round(6)
    array([10., 30., 10., 50.])
    """
    caller = "mean_variance_matching"
    for da in (driver, observed):
        checks.require_dim(da, time, caller)
    days = driver.reindex({time: observed[time]})
    usable = training_mask(observed, train, time, caller) & days.notnull() & observed.notnull()
    ours, theirs = days.where(usable), observed.where(usable)
    spread = ours.std([time])
    ratio = theirs.std([time]) / spread.where(spread > 0)
    matched = (driver - ours.mean([time])) * ratio + theirs.mean([time])
    return matched.transpose(*driver.dims).rename(driver.name).assign_attrs(observed.attrs)
