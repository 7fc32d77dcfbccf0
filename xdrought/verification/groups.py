"""The same score once more: for each lead, of every reference on the same days, and of groups of days or places."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, calendars, checks
from xdrought.provenance import recorded
from xdrought.public_functions import public
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
    of_lead = forecast.isel({LEAD: int(at[0])})
    issued: Any = of_lead.indexes[INIT]
    valid = issued + pd.Timedelta(days=wanted)
    _require_valid_times(of_lead, valid, wanted)
    of_lead = of_lead.drop_vars(VALID, errors="ignore").rename({INIT: time}).assign_coords({time: valid.rename(time)})
    return of_lead.assign_coords({INIT: (time, issued.rename(time), {"long_name": "last day of the inputs"})})


def _require_valid_times(of_lead: xr.Dataset | xr.DataArray, valid: Any, lead: float) -> None:
    """Raise when a forecast of one lead says other valid times than those that its days of issue give."""
    if VALID not in of_lead.coords or of_lead[VALID].dims != (INIT,):
        return
    stored = of_lead[VALID].to_numpy()
    other = np.flatnonzero((stored != np.asarray(valid, stored.dtype)) & pd.notna(stored))
    if other.size:
        raise ValueError(
            f"{other.size} of {stored.size} values of 'valid_time' are not {INIT} + {LEAD}: issued on "
            f"{of_lead.indexes[INIT][other[0]]} for {lead:g} day(s) ahead, valid on {pd.Index(stored)[other[0]]}; "
            f"correct the days of issue or the leads, or drop it, forecast.drop_vars('valid_time')"
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


SEASONS = ("DJF", "MAM", "JJA", "SON")
Score = Callable[[xr.DataArray], xr.Dataset]
By = str | xr.DataArray


def with_references(
    forecast: xr.DataArray,
    references: Mapping[str, xr.DataArray],
    known: Callable[[xr.DataArray], xr.DataArray],
    score: Score,
) -> xr.Dataset:
    """`score` of a forecast, and with ``_reference`` on `reference` those of others, on the days that all have.

    Parameters
    ----------
    forecast : xarray.DataArray
        What is scored.
    references : mapping of str to DataArray
        Forecasts of the same kind.
    known : callable
        True on the days that a forecast has.
    score : callable
        The scores of one forecast.
    """
    aligned = {
        name: alignment.align_to(forecast, reference, what=f"the reference {name!r}")
        for name, reference in references.items()
    }
    shared = known(forecast)
    for reference in aligned.values():
        shared = shared & known(reference)
    result = score(forecast.where(shared))
    tables = [score(reference.where(shared)) for reference in aligned.values()]
    return result.assign(side_by_side(tables, list(aligned)))


def side_by_side(tables: list[xr.Dataset], names: list[str]) -> dict[Hashable, xr.DataArray]:
    """The scores of several references on `reference`, each with ``_reference`` behind its name."""
    index = pd.Index(names, name="reference")
    joined = xr.concat(tables, index, combine_attrs="override", coords="minimal", compat="override")
    return {f"{name}_reference": values for name, values in joined.data_vars.items() if "reference" in values.dims}


def for_each_group(by: By, like: xr.DataArray, time: Hashable, score: Score) -> xr.Dataset:
    """`score` of the days and places of each group, a mask, on the group's own dimension.

    Parameters
    ----------
    by : str or xarray.DataArray
        "season" of the time dimension, the name of a coordinate, or labels on some dimensions of `like`.
    like : xarray.DataArray
        What is grouped.
    time : hashable
        The time dimension.
    score : callable
        The scores of the days and places where a mask is True.
    """
    labels = _labels(by, like, time)
    values = labels.to_numpy().ravel()
    there = values[~pd.isna(values)]
    if not there.size:
        raise ValueError(f"by={labels.name!r} has no label at all; give groups of days or places")
    groups = [season for season in SEASONS if season in there] if labels.name == "season" else np.unique(there).tolist()
    index = pd.Index(groups, name=labels.name)
    tables = [score(labels == group).drop_vars(str(labels.name), errors="ignore") for group in groups]
    return xr.concat(tables, index, combine_attrs="override", coords="minimal", compat="override")


def _labels(by: By, like: xr.DataArray, time: Hashable) -> xr.DataArray:
    if isinstance(by, xr.DataArray):
        if not set(by.dims) <= set(like.dims):
            raise ValueError(f"by has dimensions {by.dims}, the data {like.dims}; give groups of days or places")
        labels = alignment.align_to(like, by, what="by")
        return labels.rename(by.name if by.name is not None else "group").reset_coords(drop=True)
    if by in like.coords:
        return like[by].reset_coords(drop=True)
    if by == "season" and time in like.dims:
        return like[time].dt.season.rename("season").reset_coords(drop=True)
    raise ValueError(
        f"by={by!r} is no coordinate; choose 'season' or one of {sorted(map(str, like.coords))}, or give a DataArray"
    )
