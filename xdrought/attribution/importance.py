"""Which drivers matter more for flash than for normal droughts, and for faster ones."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.choices import ComplexityThreshold
from xdrought.provenance import recorded
from xdrought.public_functions import public

__all__ = ["driver_importance", "drought_complexity", "event_importance", "importance_by_rate"]

_ATTRIBUTION, _NEEDED = "attribution", ("onset_time", "start_time")
_PLACES = ("site", "lat", "lon")


@public
@recorded
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
    daily = abs(_by_driver(attributions, time))
    daily = daily.mean("run") if "run" in daily.dims else daily
    return (
        mean_over_onsets(daily, events, time)
        .rename("importance")
        .assign_attrs(daily.attrs, long_name="mean absolute attribution over the onset")
    )


@public
@recorded
def drought_complexity(
    attributions: xr.Dataset | xr.DataArray,
    events: xr.Dataset,
    *,
    quantile: float = 0.8,
    threshold: ComplexityThreshold = "pooled",
    time: Hashable = "time",
) -> xr.DataArray:
    """Number of key drivers a day, in the mean over the onset of each event.

    Parameters
    ----------
    attributions, events, time
        As for :func:`event_importance`.
    quantile : float
        A driver is a key driver on days on which its absolute attribution exceeds this quantile.
    threshold : {"pooled", "variable", "place", "event", "day"}
        Of which values the quantile is: of all that are explained (the paper does not say; the others would make
        the mean count the same for each driver, place, event or day), of each driver's own, of each place's own, of all
        drivers and days of an event's onset, or of the drivers on each day.

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
    checks.require_share(quantile, "quantile", 0.8)
    daily = abs(_by_driver(attributions, time))
    daily = daily.mean("run") if "run" in daily.dims else daily
    kept = {
        "pooled": (),
        "variable": ("variable",),
        "place": tuple(d for d in daily.dims if d not in (time, "variable")),
        "day": tuple(d for d in daily.dims if d != "variable"),
    }
    checks.require_choice(threshold, "threshold", (*kept, "event"))
    attrs = {
        "long_name": "mean number of key drivers a day in the onset",
        "units": "1",
        "quantile": quantile,
        "threshold": threshold,
    }
    if threshold == "event":
        _require_onsets(events, daily)
        out = np.full(events.sizes["event"], np.nan)
        for k, values in _onsets(daily, events, time):
            values = values.reshape(len(values), -1)
            out[k] = (values > np.quantile(values, quantile)).sum(axis=1).mean()
        return xr.DataArray(out, _labels_of(events), ("event",), "drought_complexity", attrs)
    over = [dim for dim in daily.dims if dim not in kept[threshold]]
    limit = daily.quantile(quantile, over).drop_vars("quantile")
    count = (daily > limit).sum("variable").where(daily.notnull().any("variable"))
    return mean_over_onsets(count, events, time).rename("drought_complexity").assign_attrs(attrs)


def _by_driver(attributions: xr.Dataset | xr.DataArray, time: Hashable) -> xr.DataArray:
    """Attributions on places, time and variable; input days and cells are summed."""
    if isinstance(attributions, xr.Dataset):
        checks.require_variables(attributions, (_ATTRIBUTION,), "the attributions lack", "xdrought.attributions")
        attributions = attributions[_ATTRIBUTION]
    da = limits.check(attributions, codes_only=True)
    missing = [dim for dim in ("variable", time) if dim not in da.dims]
    if missing:
        raise ValueError(f"the attributions have dimensions {da.dims}, not {missing}; take them as they come")
    inside = [dim for dim in ("window", "patch_lat", "patch_lon") if dim in da.dims]
    return da.sum(inside, skipna=False, keep_attrs=True) if inside else da


def mean_over_onsets(daily: xr.DataArray, events: xr.Dataset, time: Hashable) -> xr.DataArray:
    """Mean over the onset days of each event at its own place, on (event, ...)."""
    _require_onsets(events, daily)
    extra = [dim for dim in daily.dims if dim not in (*_PLACES, time)]
    out = np.full((events.sizes["event"], *(daily.sizes[dim] for dim in extra)), np.nan)
    for k, onset in _onsets(daily, events, time):
        out[k] = onset.mean(axis=0)
    coords = {dim: daily[dim] for dim in extra if dim in daily.coords}
    return xr.DataArray(out, {**_labels_of(events), **coords}, ("event", *extra))


def _require_onsets(events: xr.Dataset, daily: xr.DataArray) -> None:
    """Raise unless the events have the days of their onsets, and the places that the daily values have."""
    needed = (*_NEEDED, *(dim for dim in _PLACES if dim in daily.dims))
    checks.require_variables(events, needed, "the events lack", "xdrought.flash_drought_events")


def _labels_of(events: xr.Dataset) -> dict[Any, xr.DataArray]:
    """What tells events apart: their places, and the day on which each starts."""
    return {**events.coords, "start_time": events["start_time"]}


def _onsets(daily: xr.DataArray, events: xr.Dataset, time: Hashable) -> Iterator[tuple[int, np.ndarray]]:
    """Number of each event that has known onset days at its own place, and the values (day, ...) of these days."""
    places = [dim for dim in _PLACES if dim in daily.dims]
    daily = alignment.in_order(daily, time)
    values = daily.transpose(*places, time, ...).to_numpy()
    where = np.array([_positions(daily, events, dim) for dim in places], dtype=int)
    first, stop = (_days_before(daily, events[name], time) for name in _NEEDED)
    if events.sizes["event"] and not (where >= 0).all(axis=0).any():
        raise ValueError(
            f"none of the {events.sizes['event']} events lies at a place of the daily values ({places}); take both "
            f"from the same record"
        )
    for k in np.flatnonzero((where >= 0).all(axis=0) & (first < stop)):
        onset = values[tuple(where[:, k])][first[k] : stop[k]]
        known = np.isfinite(onset).reshape(len(onset), -1).all(axis=1)
        if known.any():
            yield int(k), onset[known]


def _positions(daily: xr.DataArray, events: xr.Dataset, dim: str) -> np.ndarray:
    """Where each event's place is along a dimension, -1 where it is not; 0.1 in single precision is 0.1."""
    alignment.require_same_kind(daily[dim], events[dim], dim, what="the table of events")
    ours, theirs = daily.indexes[dim], pd.Index(events[dim].to_numpy())
    if ours.dtype.kind == "f":
        ours, theirs = pd.Index(ours.astype("float32")), theirs.astype("float32")
    return ours.get_indexer(theirs)


def _days_before(daily: xr.DataArray, moment: xr.DataArray, time: Hashable) -> np.ndarray:
    """How many of the days are before each moment, whatever hour they are stamped at."""
    days = daily.indexes[time]
    if not moment.size:
        return np.zeros(0, int)
    if (moment.dtype.kind == "M") != isinstance(days, pd.DatetimeIndex):
        raise ValueError(
            f"the events have dates of numpy and the daily values of cftime, or the reverse; convert the latter, "
            f'da = da.convert_calendar("standard", use_cftime={moment.dtype.kind != "M"})'
        )
    if isinstance(days, pd.DatetimeIndex):
        return days.floor("D").searchsorted(pd.DatetimeIndex(moment.to_numpy()).floor("D"))
    return days.searchsorted(moment.to_numpy())


TYPES = ("normal", "flash")
_FEW_PLACES = 5  # below this the bootstrap draws events


@public
@recorded
def driver_importance(
    importance: xr.DataArray,
    events: xr.Dataset,
    *,
    confidence: float = 0.95,
    n_boot: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Mean importance of each driver for flash and for normal onsets, their ratio, and intervals (Figure 6a).

    Parameters
    ----------
    importance : xarray.DataArray
        From :func:`event_importance`.
    events : xarray.Dataset
        The same events, with `is_flash` and, for the intervals, `site` or `cell`.
    confidence : float
        Confidence level of the intervals.
    n_boot : int
        Bootstrap samples of places, each with all its events; of events where there are fewer than five places.
    seed : int
        Of the bootstrap.

    Returns
    -------
    xarray.Dataset
        On (type, variable): `importance`, and `lower` `upper` of its interval; on (variable): `ratio` (flash over
        normal), `ratio_lower`, `ratio_upper`; and `event_count` (type). NaN for a type without events.

    Raises
    ------
    ValueError
        For events that do not fit, importance of which no event has that of all drivers, or a confidence that is no
        share.

    Notes
    -----
    The paper takes all events as independent; those of one site are not, so places are resampled here.

    References
    ----------
    Tang et al. 2025, Figure 6a.

    Examples
    --------
    >>> import xarray as xr
    >>> importance = xr.DataArray([[1.0, 4.0], [3.0, 4.0]], {"variable": ["tp", "t2m"]}, ("event", "variable"))
    >>> events = xr.Dataset({"is_flash": ("event", [False, True])})
    >>> driver_importance(importance, events).ratio.values
    array([3., 1.])
    """
    _check_events(importance, events, ("is_flash",))
    checks.require_share(confidence, "confidence")
    values = importance.transpose("event", ...).to_numpy()
    known = np.isfinite(values).all(axis=1)
    if not known.any():
        raise ValueError(
            f"no event of {known.size} has an importance of every driver; leave out drivers that have none, "
            f"da = da.dropna('variable', how='all'), or explain the days of the onsets"
        )
    values, is_flash = values[known], events.is_flash.to_numpy()[known]
    masks = np.stack([~is_flash, is_flash])
    samples = _resampled(_places(events)[known], n_boot, seed)
    means = _weighted_means(values, masks[None] * np.ones((1, len(values))))[0]
    drawn = _weighted_means(values, masks[None] * samples[:, None])
    (lower, upper), (ratio_lower, ratio_upper) = (
        _interval(sample, confidence) for sample in (drawn, drawn[:, 1] / drawn[:, 0])
    )
    both, share = ("type", "variable"), f"{confidence:.0%}"
    out = xr.Dataset(
        {
            "importance": (both, means, {**importance.attrs, "long_name": "mean importance over onsets"}),
            "lower": (both, lower, {"long_name": f"lower end of the {share} interval"}),
            "upper": (both, upper, {"long_name": f"upper end of the {share} interval"}),
            "ratio": ("variable", means[1] / means[0], {"long_name": "importance, flash over normal", "units": "1"}),
            "ratio_lower": ("variable", ratio_lower, {"long_name": f"lower end of the {share} interval"}),
            "ratio_upper": ("variable", ratio_upper, {"long_name": f"upper end of the {share} interval"}),
            "event_count": ("type", masks.sum(axis=1), {"long_name": "number of events"}),
        },
        {"type": list(TYPES), "variable": importance["variable"].variable},
    )
    return out.assign_attrs(confidence=confidence, n_boot=n_boot, seed=seed)


@public
@recorded
def importance_by_rate(importance: xr.DataArray, events: xr.Dataset, *, bins: int = 5) -> xr.Dataset:
    """Rank of each driver's importance in groups of events of rising intensification rate (Figure 6b).

    Parameters
    ----------
    importance : xarray.DataArray
        From :func:`event_importance`.
    events : xarray.Dataset
        The same events, with `intensification_rate`.
    bins : int
        Groups of as equal numbers of events as possible.

    Returns
    -------
    xarray.Dataset
        On (bin, variable): `mean_rank` over the events (1 is the most important) and its `standard_error`; on (bin):
        `rate`, the mean intensification rate, and `event_count`.

    Raises
    ------
    ValueError
        For events that do not fit, or fewer events than groups.

    References
    ----------
    Tang et al. 2025, Figure 6b.

    Examples
    --------
    >>> import xarray as xr
    >>> importance = xr.DataArray([[1.0, 4.0], [5.0, 4.0]], {"variable": ["tp", "t2m"]}, ("event", "variable"))
    >>> events = xr.Dataset({"intensification_rate": ("event", [1.0, 3.0])})
    >>> importance_by_rate(importance, events, bins=2).mean_rank.values
    array([[2., 1.],
           [1., 2.]])
    """
    from xarray_einstats import stats

    _check_events(importance, events, ("intensification_rate",))
    known = np.flatnonzero(importance.notnull().all("variable"))
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or not 1 <= bins <= known.size:
        raise ValueError(f"bins={bins!r} for {known.size} events with importance; give 1 to that many")
    ranks = stats.rankdata(-importance.isel(event=known).reset_coords(drop=True), dims="variable")
    rate = xr.DataArray(events["intensification_rate"].to_numpy()[known], dims="event")
    group = np.empty(known.size, dtype=int)
    for number, members in enumerate(np.array_split(np.argsort(rate.to_numpy(), kind="stable"), bins)):
        group[members] = number
    by_bin = xr.Dataset({"rank": ranks, "rate": rate}, {"bin": ("event", group)}).groupby("bin")
    mean, spread, count = by_bin.mean(), by_bin.std()["rank"], by_bin.count()["rate"]
    error = (spread / np.sqrt((count - 1).clip(min=1))).where(count > 1)
    return xr.Dataset(
        {
            "mean_rank": mean["rank"].assign_attrs(long_name="mean rank of importance"),
            "standard_error": error.assign_attrs(long_name="standard error of the mean rank"),
            "rate": mean["rate"].assign_attrs(long_name="mean intensification rate", units="percent d-1"),
            "event_count": count.assign_attrs(long_name="number of events"),
        }
    ).transpose("bin", "variable")


def _check_events(importance: xr.DataArray, events: xr.Dataset, names: tuple[str, ...]) -> None:
    checks.require_variables(events, names, "the events lack", "xdrought.flash_drought_events")
    if set(importance.dims) != {"event", "variable"} or importance.sizes["event"] != events.sizes["event"]:
        raise ValueError(
            f"importance on {dict(importance.sizes)} does not fit {events.sizes['event']} events; "
            f"compute it from the same events with xdrought.event_importance"
        )
    alignment.require_same_rows(events, importance, "event", what="the importance")


def _places(events: xr.Dataset) -> np.ndarray:
    """A number for each event, the same for events of one place; of its own where places are few or unknown."""
    for name in ("site", "cell"):
        if name in events.variables and np.unique(events[name].to_numpy()).size >= _FEW_PLACES:
            return np.unique(events[name].to_numpy(), return_inverse=True)[1]
    return np.arange(events.sizes["event"])


def _resampled(place: np.ndarray, n_boot: int, seed: int) -> np.ndarray:
    """How often each event is in each bootstrap sample of places, (n_boot, event)."""
    names, place = np.unique(place, return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(names.size, np.full(names.size, 1 / max(1, names.size)), n_boot)
    return drawn[:, place].astype("float64")


def _weighted_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(sample, type, variable) means of (event, variable) with weights (sample, type, event); NaN without any."""
    total = weights.sum(axis=-1, keepdims=True)
    return np.divide(
        weights @ values, total, out=np.full((*weights.shape[:2], values.shape[1]), np.nan), where=total > 0
    )


def _interval(samples: np.ndarray, confidence: float) -> np.ndarray:
    """(2, ...) central interval over the first axis; NaN where no sample is known."""
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    known = np.isfinite(samples).any(axis=0)
    return np.where(known, np.nanquantile(np.where(known, samples, 0.0), ends, axis=0), np.nan)
