"""Forecasts for several leads, on init_time and lead_time: one of them by valid time, and what is done for each."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars, checks
from xdrought.checks import public
from xdrought.provenance import recorded
from xdrought.windows.selection import INIT, LEAD, VALID

_Labelled = TypeVar("_Labelled", xr.Dataset, xr.DataArray)


@public
@recorded
def select_lead(
    forecast: _Labelled,
    lead: int | np.timedelta64 | datetime.timedelta,
    *,
    time: Hashable = "time",
) -> _Labelled:
    """One lead of a forecast for several, by valid time, as every function of events, scores and pictures takes it.

    Parameters
    ----------
    forecast : xarray.DataArray or xarray.Dataset
        On (init_time, lead_time, ...), from :func:`xdrought.predict` with several leads, or any forecast archive.
    lead : int or timedelta
        The lead in days.
    time : hashable
        What the valid time is called in the result.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        On `time` in place of (init_time, lead_time), with the coordinates ``init_time(time)`` and ``lead_time``. Lazy
        for dask.

    Raises
    ------
    ValueError
        For a forecast without these dimensions, a lead that it does not have, or a coordinate ``valid_time`` that is
        not ``init_time + lead_time``.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import select_lead
    >>> days = pd.date_range("2001-01-01", periods=3)
    >>> leads = pd.to_timedelta([1, 7], unit="D")
    >>> coords = {"init_time": days, "lead_time": leads}
    >>> forecast = xr.DataArray(np.arange(6.0).reshape(3, 2), coords, ("init_time", "lead_time"))
    >>> week = select_lead(forecast, 7)
    >>> week.values, str(week.time.values[0])[:10]
    (array([1., 3., 5.]), '2001-01-08')
    """
    if not has_leads(forecast):
        raise ValueError(
            f"the forecast has dimensions {tuple(forecast.dims)}, not {INIT!r} and {LEAD!r} with coordinates"
        )
    wanted, found = checks.require_days(lead, "lead"), calendars.spans_in_days(forecast[LEAD])
    at = np.flatnonzero(np.isclose(found, wanted))
    if not at.size:
        raise ValueError(f"lead={wanted} is none of the forecast's leads {found.tolist()} (days)")
    one = forecast.isel({LEAD: int(at[0])})
    issued: Any = one.indexes[INIT]
    valid = issued + pd.Timedelta(days=wanted)
    _require_valid_times(one, valid, wanted)
    one = one.drop_vars(VALID, errors="ignore").rename({INIT: time}).assign_coords({time: valid.rename(time)})
    return one.assign_coords({INIT: (time, issued.rename(time), {"long_name": "last day of the inputs"})})


def _require_valid_times(one: xr.Dataset | xr.DataArray, valid: Any, lead: float) -> None:
    """Raise when a forecast of one lead says other valid times than those that its days of issue give."""
    if VALID not in one.coords or one[VALID].dims != (INIT,):
        return
    said = one[VALID].to_numpy()
    other = np.flatnonzero((said != np.asarray(valid, said.dtype)) & pd.notna(said))
    if other.size:
        raise ValueError(
            f"{other.size} of {said.size} values of 'valid_time' are not {INIT} + {LEAD}: issued on "
            f"{one.indexes[INIT][other[0]]} for {lead:g} day(s) ahead, valid on {pd.Index(said)[other[0]]}; correct "
            f"the days of issue or the leads, or drop it, forecast.drop_vars('valid_time')"
        )


def has_leads(forecast: Any) -> bool:
    """Whether a forecast is on init_time and lead_time."""
    return isinstance(forecast, xr.DataArray | xr.Dataset) and {INIT, LEAD} <= set(forecast.dims) & set(forecast.coords)


def for_each_lead(forecast: Any, time: Hashable, score: Callable[[Any], xr.Dataset]) -> xr.Dataset:
    """`score` of each lead of a forecast, or of each of several models, on `lead_time`.

    Raises
    ------
    ValueError
        For models with other leads, or of which only some have leads.
    """
    models = forecast if isinstance(forecast, Mapping) and not isinstance(forecast, xr.Dataset) else {"": forecast}
    leads = {name: calendars.spans_in_days(da[LEAD]).tolist() if has_leads(da) else None for name, da in models.items()}
    first = next(iter(leads.values()))
    if first is None or any(other != first for other in leads.values()):
        raise ValueError(f"the models have the leads {leads}; give the same of each, or one with select_lead")
    found = []
    for lead in first:
        of_lead = {name: select_lead(da, pd.Timedelta(days=lead), time=time) for name, da in models.items()}
        found.append(score(of_lead if models is forecast else of_lead[""]))
    spans = pd.Index(pd.to_timedelta(first, unit="D").as_unit("s"), name=LEAD)
    return xr.concat(found, spans, combine_attrs="override", coords="minimal", compat="override")
