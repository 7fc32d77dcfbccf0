"""Forecasts that cost nothing, which every other has to beat: persistence, damped persistence and climatology."""

from __future__ import annotations

import datetime
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, calendars, checks, limits
from xdrought.calendars import Period, training_mask
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.windows.selection import INIT, LEAD


@public
@recorded
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
    >>> obs = xr.DataArray([10.0, 30.0, 10.0, 30.0], {"time": days}, attrs={"units": "percent"})
    >>> era5 = xr.DataArray([0.2, 0.3, 0.2, 0.4], {"time": days}, attrs={"units": "m3 m-3"})
    >>> mean_variance_matching(era5, obs, train=slice(None, "2001-01-02")).values.round(6)
    array([10., 30., 10., 50.])
    """
    for da in (driver, observed):
        checks.require_dim(da, time)
    driver, observed = limits.check(driver), limits.check(observed)
    observed = alignment.on_days_of(driver, observed, time, what="the observation")
    days = driver.reindex({time: observed[time]})
    usable = training_mask(observed, train, time) & days.notnull() & observed.notnull()
    ours, theirs = days.where(usable), observed.where(usable)
    spread = ours.std([time])
    ratio = theirs.std([time]) / spread.where(spread > 0)
    matched = (driver - ours.mean([time])) * ratio + theirs.mean([time])
    return matched.transpose(*driver.dims).rename(driver.name).assign_attrs(observed.attrs)


Lead = int | float | str | np.timedelta64 | pd.Timedelta | datetime.timedelta | None


@public
@recorded
def persistence_forecast(
    observed: xr.DataArray,
    forecast: xr.DataArray,
    *,
    lead: Lead = None,
    time: Hashable = "time",
) -> xr.DataArray:
    """The observed value on the day a forecast was issued, as a forecast for its valid time.

    Parameters
    ----------
    observed : xarray.DataArray
        (..., time), any units; should begin `lead` before the forecast.
    forecast : xarray.DataArray
        Gives the valid times, and with ``init_time(time)`` or ``lead_time`` the days of issue.
    lead : int, timedelta64 or Timedelta, optional
        Days (or time) from issue to valid time, above 0; by default from the forecast's coordinates.
    time : hashable
        The time dimension of both.

    Returns
    -------
    xarray.DataArray
        (..., time) on the forecast's times; NaN where nothing was observed on the day of issue. Lazy for dask.

    Raises
    ------
    ValueError
        When the lead is not known.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from xdrought import persistence_forecast
    >>> days = pd.date_range("2001-01-01", periods=5)
    >>> obs = xr.DataArray([10.0, 11, 12, 13, 14], {"time": days})
    >>> persistence_forecast(obs, obs[2:], lead=2).values
    array([10., 11., 12.])
    """
    observed, forecast, issued = observed_and_issued(observed, forecast, lead, time)
    held = observed.reindex({time: issued})
    return held.assign_coords({time: forecast[time]}).rename("persistence")


def _minutes_of_day(index: Any) -> np.ndarray:
    """The minutes after midnight at which the days of an index begin."""
    return np.unique(index.hour * 60 + index.minute)


def observed_and_issued(
    observed: xr.DataArray, forecast: xr.DataArray, lead: Lead, time: Hashable
) -> tuple[xr.DataArray, xr.DataArray, pd.Index]:
    """The observation within its limits, the forecast with dates of its kind, and the days of issue, at its hour."""
    for da in (observed, forecast):
        checks.days_since_start(da, time)
    forecast = alignment.with_dates_of(observed, forecast, time, what="the forecast")
    issued = issue_times(forecast, lead, time)
    known, asked = (_minutes_of_day(index) for index in (observed.indexes[time], issued))
    if not np.isin(known, asked).any():
        if len(issued) and np.isin(known, _minutes_of_day(forecast.indexes[time])).any():
            span = (forecast.indexes[time][0] - issued[0]) / pd.Timedelta(days=1)
            raise ValueError(
                f"a lead of {span:g} days goes back to hours at which nothing was observed; give whole days, e.g. "
                f"lead={max(int(span), 1)}"
            )
        days = xr.DataArray(issued, {time: issued}, [time])
        alignment.require_common(days, observed, time, what="the observation")
    return limits.check(observed), forecast, issued


def issue_times(forecast: xr.DataArray, lead: Lead, time: Hashable) -> pd.Index:
    """The day on which each valid time was forecast, always before it."""
    valid = forecast.indexes[time]
    if lead is None and INIT in forecast.coords and forecast[INIT].dims == (time,):
        issued = pd.Index(forecast[INIT].values)
        if len(issued) and not (issued < valid).all():
            late = int((~(issued < valid)).sum())
            raise ValueError(
                f"{late} of {len(issued)} days have an init_time on or after their valid time, first {valid[0]}; a "
                f"forecast is issued before: correct init_time, or give lead="
            )
        return issued
    own = None
    if LEAD in forecast.coords and forecast[LEAD].size == 1:
        own = float(calendars.spans_in_days(forecast[LEAD]).ravel()[0])
    if lead is not None and own is not None and as_span(lead) != pd.Timedelta(days=own):
        checks.warn(f"lead={lead!r} is taken, though the forecast's own lead_time says {own:g} days")
    lead = own if lead is None else lead
    if lead is None:
        raise ValueError(
            f"the forecast has neither init_time({time}) nor a single lead_time, so its day of issue is not "
            f"known; give the days ahead, e.g. lead=7"
        )
    ahead = as_span(lead)
    return valid - (ahead.to_pytimedelta() if isinstance(valid, xr.CFTimeIndex) else ahead)


def as_span(lead: Lead) -> pd.Timedelta:
    """Time from issue to valid time: days as a number, a timedelta, or a text such as "7D"."""
    try:
        if isinstance(lead, bool):
            raise TypeError
        if isinstance(lead, str | np.timedelta64 | pd.Timedelta | datetime.timedelta):
            span = pd.Timedelta(lead)
        else:
            span = pd.Timedelta(days=float(lead))  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"lead={lead!r} is no time; give days, lead=7, or a timedelta") from error
    if not span > pd.Timedelta(0):
        raise ValueError(f"lead={lead!r}; a forecast is issued before its valid time: give a lead above 0, e.g. lead=7")
    return span


def single_lead(forecast: xr.DataArray, lead: Lead, time: Hashable) -> pd.Timedelta:
    """Time from issue to valid time, which is the same for the whole forecast; none for a forecast without days."""
    ahead = (forecast.indexes[time] - issue_times(forecast, lead, time)).unique()
    if len(ahead) > 1:
        raise ValueError("the forecast has several lead times; forecast them one by one")
    return ahead[0] if len(ahead) else pd.Timedelta(0)


@public
@recorded
def climatology_forecast(
    observed: xr.DataArray,
    forecast: xr.DataArray,
    *,
    train: Period,
    window: int = 15,
    time: Hashable = "time",
) -> xr.DataArray:
    """The mean of the training part around the same day of year, as a forecast for the valid time.

    Parameters
    ----------
    observed : xarray.DataArray
        (..., time), any units, daily or coarser.
    forecast : xarray.DataArray
        Gives the valid times.
    train : slice, (start, end) or boolean xarray.DataArray
        The training part: dates, or True on the days of `observed` that may be used.
    window : int
        Days on either side of the day of year that are averaged; it wraps around the year's end.
    time : hashable
        The time dimension of both.

    Returns
    -------
    xarray.DataArray
        (..., time) on the forecast's times; NaN for days of year without a training day. Computed at once.

    Raises
    ------
    TypeError
        For a training mask that is not boolean.
    ValueError
        For a mask with other labels, a window outside 0 to 182 days, or a time axis without dates.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from xdrought import climatology_forecast
    >>> days = pd.date_range("2001-06-01", "2003-06-30")
    >>> obs = xr.DataArray(days.year.astype(float), {"time": days}, dims="time")
    >>> result = climatology_forecast(obs, obs.sel(time="2003-06"), train=slice(None, "2002-12-31"), window=0)
    >>> result.values[:3]
    array([2001.5, 2001.5, 2001.5])
    """
    for da in (observed, forecast):
        checks.require_dim(da, time)
    observed, forecast = limits.check(observed), alignment.with_dates_of(observed, forecast, time, what="the forecast")
    return _on_days(_normals(observed, forecast, train, window, time), forecast, time).transpose(*observed.dims)


def _normals(
    observed: xr.DataArray, forecast: xr.DataArray, train: Period, window: int, time: Hashable
) -> xr.DataArray:
    """Training means (..., _day_of_year), with the attributes of the observation."""
    if not 0 <= window <= 182:
        raise ValueError(f"window={window}; give 0 to 182 days on either side")
    for da in (observed, forecast):
        checks.days_since_start(da, time)
    day = calendars.common_day_of_year(observed.indexes[time])  # type: ignore[arg-type]
    means = xr.apply_ufunc(
        _day_of_year_means,
        observed.where(training_mask(observed, train, time)).compute(),
        kwargs={"day": day, "window": window},
        input_core_dims=[[time]],
        output_core_dims=[["_day_of_year"]],
        keep_attrs=False,
    )
    return means.rename("climatology").assign_attrs(observed.attrs)


def _on_days(normals: xr.DataArray, like: xr.DataArray, time: Hashable) -> xr.DataArray:
    """The normals of the days of year of `like`, on its times."""
    wanted = calendars.common_day_of_year(like.indexes[time])  # type: ignore[arg-type]
    return normals.isel(_day_of_year=xr.DataArray(wanted, {time: like[time]}, [time]))


@public
@recorded
def damped_persistence_forecast(
    observed: xr.DataArray,
    forecast: xr.DataArray,
    *,
    train: Period,
    lead: Lead = None,
    window: int = 15,
    time: Hashable = "time",
) -> xr.DataArray:
    """The anomaly on the day of issue, shrunk towards the climatology of the valid time.

    Parameters
    ----------
    observed, forecast, train, window, time
        As in :func:`climatology_forecast`; `observed` should begin `lead` before the forecast.
    lead : int, timedelta64 or Timedelta, optional
        Days (or time) from issue to valid time, above 0; by default from the forecast's coordinates.

    Returns
    -------
    xarray.DataArray
        (..., time): ``climatology + r * anomaly at issue``, where r is the regression of the anomaly on the one `lead`
        before it, over the training part (0, that is climatology, where nothing tells it); NaN where the climatology
        or the observation at issue is not known. Within physical limits, as :func:`xdrought.predict` is. Computed at
        once.

    Raises
    ------
    TypeError
        For a training mask that is not boolean.
    ValueError
        As :func:`climatology_forecast`, or when the lead is not known.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import damped_persistence_forecast
    >>> days = pd.date_range("2001-01-01", periods=800)
    >>> obs = xr.DataArray(np.tile([1.0, -1.0], 400), {"time": days}, dims="time")  # turns over each day
    >>> damped_persistence_forecast(obs, obs[797:], train=slice(None, "2002"), lead=1).values.round(1)
    array([-1.,  1., -1.])
    """
    observed, forecast, issued = observed_and_issued(observed, forecast, lead, time)
    ahead = single_lead(forecast, lead, time)
    normals = _normals(observed, forecast, train, window, time)
    usable = training_mask(observed, train, time)
    anomaly = (observed - _on_days(normals, observed, time)).compute()
    past = anomaly.where(usable).reindex({time: observed.indexes[time] - ahead}).assign_coords({time: observed[time]})
    pairs = anomaly.where(usable) * past
    both = past.where(pairs.notnull())
    spread = (both**2).sum([time])
    slope = (pairs.sum([time]) / spread).where(spread > 0, 0.0)
    at_issue = anomaly.reindex({time: issued}).assign_coords({time: forecast[time]})
    damped = _on_days(normals, forecast, time) + slope * at_issue
    damped = damped.transpose(*observed.dims).rename(observed.name).assign_attrs(observed.attrs)
    return limits.within(damped).rename("damped_persistence")


def _day_of_year_means(values: np.ndarray, *, day: np.ndarray, window: int) -> np.ndarray:
    """Means (..., 365) of values (..., time) in a circular window around each day of the year."""
    there = np.isfinite(values)
    total, count = np.zeros((2, *values.shape[:-1], 365))
    for step, number in enumerate(day):
        total[..., number] += np.where(there[..., step], values[..., step], 0.0)
        count[..., number] += there[..., step]
    shifts = range(-window, window + 1)
    total, count = (sum(np.roll(part, shift, axis=-1) for shift in shifts) for part in (total, count))
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)
