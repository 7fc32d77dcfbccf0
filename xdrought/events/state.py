"""What is known of the soil on each day: its percentile, how it got there, and what kind of site it is."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr

from xdrought import alignment, calendars, checks
from xdrought.calendars import check_mask, in_period, period_of
from xdrought.choices import DefinitionName
from xdrought.definitions import Definition, get_definition
from xdrought.percentiles import REFERENCE_TIME, as_rows, prepare, rows_like, soil_moisture_percentile
from xdrought.provenance import recorded
from xdrought.public_functions import public

CHANGES = (3, 7)  # days
EXTREMES = (14, 30)
BELOW = 7
LONGEST = 60
LAGS = (1, 3, 7, 14, 30)
DECAY_LAG = 7
SEASON_WINDOW = 15  # days on either side
MEMORY = max(LONGEST, *EXTREMES, *LAGS)  # days that the state looks back

Train = slice | tuple | xr.DataArray | int | str


@public
@recorded
def drought_state(
    soil_moisture: xr.DataArray,
    *,
    train: Train,
    definition: DefinitionName | Definition = "tang2025",
    time: Hashable = "time",
    **thresholds: Any,
) -> xr.Dataset:
    """The state of the soil on each day, from nothing that comes after it.

    These are the inputs that tell whether a flash drought is about to begin (see :func:`xdrought.fit_onset`).

    Parameters
    ----------
    soil_moisture : xarray.DataArray
        Daily values (..., time), any units. With dask, time must be one chunk; the result is lazy.
    train : slice, (start, end), boolean DataArray, or a record
        The days from which percentiles, means, spread and decay are computed: dates, or True on the days of
        `soil_moisture` that may be used, or a record of soil moisture of its own with the same units. It is not
        optional, because statistics of the whole record would tell each day something about its future.
        ``slice(None)`` takes the whole record.
    definition : str or Definition
        Gives `upper`, `lower` and how percentiles are taken; a pentad definition ranks each day within its pentad of
        the year.
    time : hashable
        The time dimension.
    **thresholds
        Fields of :class:`xdrought.definitions.Definition` to change, e.g. ``pool="dayofyear", window=15``.

    Returns
    -------
    xarray.Dataset
        On the dimensions of `soil_moisture`: ``percentile`` (percent); its changes ``percentile_change_3`` and ``_7``
        (days); its extremes ``percentile_min_14 percentile_max_14 percentile_min_30 percentile_max_30``;
        ``days_below_7``, the days below `lower` of the last seven; ``days_since_above``, the days since the last one
        above `upper` (60 when there was none in the last 60); ``onset_possible``, 1 when it was above `upper` in
        these 60 days and has not been below `lower` since, and ``fall_rate``, the mean fall per day since then;
        ``anomaly``, the departure from the mean of the season over the spread of the site, and
        ``anomaly_lag_1 ... anomaly_lag_30``. On time: ``season_sin season_cos``. On the remaining dimensions:
        ``site_mean site_spread`` (units of `soil_moisture`) and ``site_decay``, the correlation of the anomaly with
        itself seven days later.

    Raises
    ------
    ValueError
        For a time axis in chunks, out of order, with repeated or missing days, or not daily; for a training record
        with other units; for a training part without a day.
    TypeError
        For something else than numbers, or an unknown threshold.

    See Also
    --------
    xdrought.onset_label : what follows after each day.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import drought_state
    >>> days = pd.date_range("2001-01-01", periods=200)
    >>> soil = xr.DataArray(np.linspace(0.4, 0.1, 200), {"time": days}, dims="time", attrs={"units": "m3 m-3"})
    >>> state = drought_state(soil, train=slice(None))
    >>> today = state.sel(time="2001-05-20")
    >>> round(today.percentile.item(), 1), round(today.percentile_change_7.item(), 1), today.days_since_above.item()
    (30.2, -3.5, 20.0)
    """
    d = get_definition(definition, **thresholds)
    values = alignment.free_names(prepare(soil_moisture, time), {"percentile"})
    checks.require_daily(values, time)
    record, label = training_record(values, train, time)
    percentile = soil_moisture_percentile(
        values, method=d.percentile_method, pool=d.pool, window=d.window, reference=record, time=time
    )
    found = {"percentile": percentile.assign_attrs(reference=label)}
    found |= _of_percentiles(percentile, d, time)
    found |= _of_anomalies(values, record, time)
    found |= _season(values, time)
    return alignment.dataset_of(found).assign_attrs(definition=d.name, upper=d.upper, lower=d.lower, train=label)


def training_record(values: xr.DataArray, train: Train, time: Hashable) -> tuple[xr.DataArray, str]:
    """The soil moisture that may be learned from, NaN elsewhere, and words for it."""
    if isinstance(train, xr.DataArray) and train.dtype != bool:
        checks.refuse_zeros_and_ones(train, "train", "or give a record of soil moisture")
        record, wanted = prepare(train, time), values.attrs.get("units")
        found = record.attrs.get("units")
        if wanted is not None and found is not None and wanted != found:
            raise ValueError(
                f"the training record has units {found!r}, soil moisture {wanted!r}; convert one of them first, "
                f"e.g. with xdrought.units.convert"
            )
        record = alignment.align_to(values, record.reset_coords(drop=True), what="the training record", skip=(time,))
        return record.assign_attrs(units=wanted), "a record of its own"
    if isinstance(train, xr.DataArray):
        days = check_mask(train, values)
        days = days.drop_vars([name for name in days.coords if name not in days.dims])
        return values.where(days).assign_attrs(values.attrs), "the training days"
    if (period := period_of(train)) is None:
        raise TypeError(f"train={train!r}; give dates as slice or (start, end), a mask of days, or a record")
    record = in_period(values, period, time)
    return record, f"{period.start} to {period.stop}" if period != slice(None) else "whole record"


def _of_percentiles(percentile: xr.DataArray, d: Definition, time: Hashable) -> dict[str, xr.DataArray]:
    """Changes, extremes, days below and days since above."""
    names = [f"percentile_change_{k}" for k in CHANGES]
    names += [f"percentile_{extreme}_{k}" for k in EXTREMES for extreme in ("min", "max")]
    texts = [f"change of the percentile over {k} days" for k in CHANGES]
    texts += [f"{size} percentile of the last {k} days" for k in EXTREMES for size in ("smallest", "largest")]
    described = {name: (text, "percent") for name, text in zip(names, texts, strict=True)}
    described[f"days_below_{BELOW}"] = (f"days below the {d.lower:g}th percentile among the last {BELOW}", "d")
    described["days_since_above"] = (f"days since above the {d.upper:g}th percentile, at most {LONGEST}", "d")
    described["onset_possible"] = (f"whether not below {d.lower:g} since it was last above {d.upper:g} percent", "1")
    described["fall_rate"] = (f"mean fall since last above the {d.upper:g}th percentile", "percent d-1")
    found = xr.apply_ufunc(
        _percentile_block,
        percentile,
        kwargs={"definition": d},
        input_core_dims=[[time]],
        output_core_dims=[[time]] * len(described),
        dask="parallelized",
        output_dtypes=[np.float64] * len(described),
        keep_attrs=False,
    )
    return {
        name: da.transpose(*percentile.dims).assign_attrs(long_name=text, units=unit)
        for da, (name, (text, unit)) in zip(found, described.items(), strict=True)
    }


def _percentile_block(percentiles: np.ndarray, *, definition: Definition) -> tuple[np.ndarray, ...]:
    from xdrought.kernels.onset_state import percentile_state

    d = definition
    found = percentile_state(
        np.ascontiguousarray(as_rows(percentiles)),
        CHANGES,
        EXTREMES,
        BELOW,
        LONGEST,
        d.lower,
        d.upper,
        d.dry_at_lower,
        d.wet_at_upper,
    )
    return tuple(feature.reshape(percentiles.shape) for feature in found)


def _of_anomalies(values: xr.DataArray, record: xr.DataArray, time: Hashable) -> dict[str, xr.DataArray]:
    """Standardised departures from the season with their lags, and what the training days say about the site."""
    # A 360-day calendar fills 360 of the days of a common year.
    days, record_days = (calendars.common_day_of_year(da.indexes[time]) for da in (values, record))  # type: ignore[arg-type]
    names = {"anomaly": ("departure from the season's mean over the site's spread", "1")}
    names |= {f"anomaly_lag_{k}": (f"the same, {k} day{'s' * (k > 1)} before", "1") for k in LAGS}
    unit = str(values.attrs.get("units", "1"))
    site = {
        "site_mean": ("mean soil moisture of the training days", unit),
        "site_spread": ("standard deviation of the departures from the season, training days", unit),
        "site_decay": (f"correlation of the departures over {DECAY_LAG} days, training days", "1"),
    }
    found = xr.apply_ufunc(
        _anomaly_block,
        values,
        record.drop_vars([c for c in record.coords if c not in record.dims]).rename({time: REFERENCE_TIME}),
        kwargs={"days": np.asarray(days), "record_days": np.asarray(record_days)},
        input_core_dims=[[time], [REFERENCE_TIME]],
        output_core_dims=[[time]] * len(names) + [[]] * len(site),
        dask="parallelized",
        output_dtypes=[np.float64] * (len(names) + len(site)),
        keep_attrs=False,
    )
    return {
        name: da.transpose(*(dim for dim in values.dims if dim in da.dims)).assign_attrs(long_name=text, units=unit)
        for da, (name, (text, unit)) in zip(found, (names | site).items(), strict=True)
    }


def _anomaly_block(
    values: np.ndarray, record: np.ndarray, *, days: np.ndarray, record_days: np.ndarray
) -> tuple[np.ndarray, ...]:
    from xdrought.kernels.onset_state import day_of_year_means, lagged_correlation, mean_and_spread

    rows, known = (
        np.ascontiguousarray(part, dtype=np.float64) for part in (as_rows(values), rows_like(values, record))
    )
    normals = day_of_year_means(known, record_days, 365, SEASON_WINDOW)
    departure = known - normals[:, record_days]
    mean, spread = mean_and_spread(known)[0], mean_and_spread(departure)[1]
    anomaly = (rows - normals[:, days]) / np.where(spread > 0, spread, np.nan)[:, None]
    anomaly = np.where(np.isfinite(anomaly), anomaly, np.nan)
    decay = lagged_correlation(departure, DECAY_LAG)
    lagged = [_shifted(anomaly, lag) for lag in LAGS]
    places = values.shape[:-1]
    return tuple(
        [part.reshape(values.shape) for part in (anomaly, *lagged)]
        + [part.reshape(places) for part in (mean, spread, decay)]
    )


def _shifted(values: np.ndarray, lag: int) -> np.ndarray:
    """Values (rows, time) of `lag` days before."""
    out = np.full_like(values, np.nan)
    out[:, lag:] = values[:, : max(values.shape[1] - lag, 0)]
    return out


def _season(values: xr.DataArray, time: Hashable) -> dict[str, xr.DataArray]:
    """Sine and cosine of the day of the year."""
    day = calendars.common_day_of_year(values.indexes[time])  # type: ignore[arg-type]
    angle = 2 * np.pi * (np.asarray(day) + 0.5) / 365
    return {
        f"season_{name}": xr.DataArray(
            function(angle), {time: values[time]}, [time], attrs={"long_name": f"{name} of the season", "units": "1"}
        )
        for name, function in (("sin", np.sin), ("cos", np.cos))
    }
