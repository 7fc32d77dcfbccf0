"""How often something happens after a day of today's percentile: the table that every warning has to beat."""

from __future__ import annotations

import datetime
from collections.abc import Hashable

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.calendars import Period, training_mask
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics.frequencies import percentile_bin, percentile_frequency
from xdrought.verification.references import observed_and_issued, single_lead


@public
@recorded
def percentile_table_forecast(
    occurred: xr.DataArray,
    percentile: xr.DataArray,
    forecast: xr.DataArray,
    *,
    train: Period,
    lead: int | np.timedelta64 | datetime.timedelta | None = None,
    n_bins: int = 20,
    time: Hashable = "time",
) -> xr.DataArray:
    """The share of training days on which it occurred, by the percentile on the day of issue, as a forecast.

    Parameters
    ----------
    occurred : xarray.DataArray
        (..., time) whether it happened: booleans, or 0 and 1 with NaN where it is not known.
    percentile : xarray.DataArray
        Soil-moisture percentile, 0 to 100, of the same places and days; should begin `lead` before the forecast.
    forecast : xarray.DataArray
        Gives the valid times, and with ``init_time(time)`` or ``lead_time`` the days of issue.
    train : slice, (start, end) or boolean xarray.DataArray
        The training part of the valid days: dates, or True on the days of `occurred` that may be used.
    lead : int, timedelta64 or Timedelta, optional
        Days (or time) from issue to valid time, above 0; by default from the forecast's coordinates.
    n_bins : int
        Bins of equal width of the percentile. The table is one of all places.
    time : hashable
        The time dimension of all.

    Returns
    -------
    xarray.DataArray
        (..., time) probabilities on the forecast's times; NaN where the percentile at issue is not known. A bin without
        a training day has the share of all. Computed at once.

    Raises
    ------
    TypeError
        For a training mask that is not boolean.
    ValueError
        For a percentile outside 0 to 100, a training part without days, or a lead that is not known.

    See Also
    --------
    xdrought.probability_scores : takes it as one of its `references`.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import percentile_table_forecast
    >>> days = {"time": pd.date_range("2001-01-01", periods=8)}
    >>> percentile = xr.DataArray([10.0, 10, 90, 90, 10, 90, 10, 90], days)
    >>> dry = xr.DataArray([0.0, 1, 1, 0, 0, 1, 0, 1], days)  # follows a day of percentile 10
    >>> percentile_table_forecast(dry, percentile, dry[6:], train=slice(None, "2001-01-06"), lead=1).values
    array([0., 1.])
    """
    n_bins = checks.require_integer(n_bins, "n_bins")
    occurred = limits.check(occurred, codes_only=True)
    low, high = float(percentile.min()), float(percentile.max())
    if low < 0 or high > 100:
        raise ValueError(f"percentiles reach {low:g} to {high:g}; give 0 to 100, of soil_moisture_percentile")
    percentile = alignment.align_to(occurred, percentile, what="percentile", skip=(time,))
    usable = training_mask(occurred, train, time) & occurred.notnull()
    percentile, forecast, issued = observed_and_issued(percentile, forecast, lead, time)
    ahead = single_lead(forecast, lead, time)
    before = _on_days(percentile, occurred.indexes[time] - ahead, occurred, time)
    there = np.asarray((usable & before.notnull()).transpose(*occurred.dims))
    happened = occurred.astype(float).to_numpy()[there]
    if not happened.size:
        raise ValueError(f"train={train!r} holds no day with an outcome and a percentile; give a longer training part")
    table = percentile_frequency(happened, before.transpose(*occurred.dims).to_numpy()[there], n_bins)
    today = _on_days(percentile, issued, forecast, time)
    result = today.copy(data=table[percentile_bin(today.to_numpy(), n_bins)]).where(today.notnull())
    attrs = {"long_name": "share of training days by the percentile at issue", "units": "1"}
    return result.rename("percentile_table").assign_attrs(attrs)


def _on_days(percentile: xr.DataArray, days: pd.Index, like: xr.DataArray, time: Hashable) -> xr.DataArray:
    """The percentile on some days, on the days of `like`."""
    return percentile.reindex({time: days}).assign_coords({time: like[time]}).compute()
