"""Attributions summed up over the onsets of droughts: each driver's importance, and how many drivers act."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

__all__ = ["drought_complexity", "event_importance"]

_ATTRIBUTION, _NEEDED = "attribution", ("onset_time", "start_time")


def event_importance(
    attributions: xr.Dataset | xr.DataArray, events: xr.Dataset, *, time: Hashable = "time"
) -> xr.DataArray:
    """Importance of each driver in the onset of each event: mean of the absolute attributions over its days.

    Parameters
    ----------
    attributions : xarray.Dataset or DataArray
        From :func:`xdrought.attributions`, or its ``attribution``. Input days and cells are summed before the
        absolute value is taken, the mean over runs after it.
    events : xarray.Dataset
        From :func:`xdrought.flash_drought_events`, with the places' own names. An onset lasts from `onset_time` to
        the day before `start_time`.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.DataArray
        (event, variable), with the coords of the events; NaN for events of which no onset day is explained.

    Raises
    ------
    ValueError
        Without `variable` among the attributions, or without the moments or places of the events.

    References
    ----------
    Tang et al. 2025, sections 3.6 and 4.4.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> days = pd.date_range("2001-01-01", periods=4)
    >>> shares = xr.DataArray(
    ...     [[[-1.0, 4.0], [3.0, 4.0], [9.0, 9.0], [9.0, 9.0]]],
    ...     {"site": ["A"], "time": days, "variable": ["tp", "t2m"]},
    ...     ("site", "time", "variable"),
    ... )
    >>> events = xr.Dataset(
    ...     {"onset_time": ("event", days[:1]), "start_time": ("event", days[2:3])}, {"site": ("event", ["A"])}
    ... )
    >>> event_importance(shares, events).values
    array([[2., 4.]])
    """
    caller = "event_importance"
    daily = abs(_by_driver(attributions, time, caller))
    daily = daily.mean("run") if "run" in daily.dims else daily
    return mean_over_onsets(daily, events, time, caller).rename("importance").assign_attrs(
        daily.attrs, long_name="mean absolute attribution over the onset"
    )  # fmt: skip


def drought_complexity(
    attributions: xr.Dataset | xr.DataArray,
    events: xr.Dataset,
    *,
    quantile: float = 0.8,
    threshold: str = "pooled",
    time: Hashable = "time",
) -> xr.DataArray:
    """Number of key drivers a day, in the mean over the onset of each event.

    Parameters
    ----------
    attributions, events, time
        As for :func:`event_importance`.
    quantile : float
        A driver is a key driver on days on which its absolute attribution exceeds this quantile.
    threshold : {"pooled", "variable", "place"}
        Of which values the quantile is: of all that are explained (the paper does not say; the others would make
        the mean count the same for each driver, or each place), of each driver's own, or of each place's own.

    Returns
    -------
    xarray.DataArray
        (event,), between 0 and the number of drivers; NaN for events of which no onset day is explained.

    Raises
    ------
    ValueError
        As :func:`event_importance`, or for an unknown threshold or a quantile that is no share.

    Notes
    -----
    The quantile is of the days that are explained: explain every day, or at least the same kind of days, when
    complexities are to be compared.

    References
    ----------
    Tang et al. 2025, section 3.6; Jiang et al. 2024.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> days = pd.date_range("2001-01-01", periods=4)
    >>> shares = xr.DataArray(
    ...     [[[9.0, 8.0], [9.0, 1.0], [1.0, 1.0], [1.0, 1.0]]],
    ...     {"site": ["A"], "time": days, "variable": ["tp", "t2m"]}, ("site", "time", "variable"),
    ... )
    >>> events = xr.Dataset(
    ...     {"onset_time": ("event", days[:1]), "start_time": ("event", days[2:3])}, {"site": ("event", ["A"])}
    ... )
    >>> drought_complexity(shares, events, quantile=0.5).values
    array([1.5])
    """
    caller = "drought_complexity"
    if not 0 < quantile < 1:
        raise ValueError(f"{caller}: quantile={quantile!r}; it is a share between 0 and 1, e.g. 0.8")
    daily = abs(_by_driver(attributions, time, caller))
    daily = daily.mean("run") if "run" in daily.dims else daily
    kept = {
        "pooled": (),
        "variable": ("variable",),
        "place": tuple(d for d in daily.dims if d not in (time, "variable")),
    }
    if threshold not in kept:
        raise ValueError(f"{caller}: threshold={threshold!r} is unknown; choose one of {list(kept)}")
    over = [dim for dim in daily.dims if dim not in kept[threshold]]
    limit = daily.quantile(quantile, over).drop_vars("quantile")
    count = (daily > limit).sum("variable").where(daily.notnull().any("variable"))
    out = mean_over_onsets(count, events, time, caller).rename("drought_complexity")
    return out.assign_attrs(
        long_name="mean number of key drivers a day in the onset", units="1", quantile=quantile, threshold=threshold
    )


def _by_driver(attributions: xr.Dataset | xr.DataArray, time: Hashable, caller: str) -> xr.DataArray:
    """Attributions on places, time and variable; input days and cells are summed."""
    da = attributions[_ATTRIBUTION] if isinstance(attributions, xr.Dataset) else attributions
    missing = [dim for dim in ("variable", time) if dim not in da.dims]
    if missing:
        raise ValueError(f"{caller}: the attributions have dimensions {da.dims}, not {missing}; take them as they come")
    inside = [dim for dim in ("window", "patch_lat", "patch_lon") if dim in da.dims]
    return da.sum(inside, skipna=False, keep_attrs=True) if inside else da


def mean_over_onsets(daily: xr.DataArray, events: xr.Dataset, time: Hashable, caller: str) -> xr.DataArray:
    """Mean over the onset days of each event at its own place, on (event, ...)."""
    places = [dim for dim in ("site", "lat", "lon") if dim in daily.dims]
    missing = [name for name in (*_NEEDED, *places) if name not in events.variables]
    if missing:
        raise ValueError(f"{caller}: the events lack {missing}; take them from xdrought.flash_drought_events")
    extra = [dim for dim in daily.dims if dim not in (*places, time)]
    values = daily.transpose(*places, time, *extra).to_numpy()
    where = np.array([daily.indexes[dim].get_indexer(events[dim].to_numpy()) for dim in places], dtype=int)
    days = daily.indexes[time]
    first, stop = (days.searchsorted(events[name].to_numpy()) for name in _NEEDED)
    out = np.full((events.sizes["event"], *values.shape[len(places) + 1 :]), np.nan)
    for k in np.flatnonzero((where >= 0).all(axis=0) & (first < stop)):
        onset = values[tuple(where[:, k])][first[k] : stop[k]]
        known = np.isfinite(onset).reshape(len(onset), -1).all(axis=1)
        if known.any():
            out[k] = onset[known].mean(axis=0)
    coords = {dim: daily[dim] for dim in extra if dim in daily.coords}
    return xr.DataArray(out, {**events.coords, **coords}, ("event", *extra))
