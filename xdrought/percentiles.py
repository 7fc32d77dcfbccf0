"""Soil-moisture percentiles: of the whole record, of a reference, or of a day or pentad of the year."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, calendars, checks, limits
from xdrought.choices import PercentileMethod, Pool
from xdrought.provenance import recorded
from xdrought.public_functions import public

POOLS = get_args(Pool)
METHODS = get_args(PercentileMethod)
REFERENCE_TIME = "_reference_time"

SOIL_MOISTURE = "volumetric soil moisture"
_THIN = 10  # values in a pool below which percentiles say little
_MOSTLY = 0.9  # share of a reference period that should be there

Reference = xr.DataArray | slice | tuple | int | str | None


@public
@recorded
def soil_moisture_percentile(
    soil_moisture: xr.DataArray,
    *,
    method: PercentileMethod = "linear",
    pool: Pool = "record",
    window: int = 0,
    reference: Reference = None,
    time: Hashable = "time",
) -> xr.DataArray:
    """Percentile (0 driest to 100 wettest) of every step of a record.

    Parameters
    ----------
    soil_moisture : xarray.DataArray
        Any shape with a time dimension, any units; NaN and infinite values are missing and stay NaN.
        With dask, time must be one chunk; the result is lazy.
    method : {"linear", "hazen", "weibull", "gringorten", "ecdf"}
        Plotting position of the average rank r among n valid values: ``100 (r-1)/(n-1)`` (the inverse of
        ``quantile(method="linear")``), ``100 (r-0.5)/n``, ``100 r/(n+1)``, ``100 (r-0.44)/(n+0.12)``, ``100 r/n``.
    pool : {"record", "dayofyear", "pentad"}
        Rank against all steps (Tang et al. 2025), or against the same day or pentad of all years.
    window : int
        Half width of the day-of-year or pentad window, in days or pentads; it wraps around the year's end.
    reference : DataArray, slice, (start, end) or year, optional
        Rank against this series, or against this period of the record, instead of the whole record: dates, texts or
        whole years, ``(1991, 2020)``. A series is aligned by its labels; without a dimension of `soil_moisture` it
        serves all of that dimension. Values between two order statistics get a percentile linear between theirs;
        outside all of them 0 or 100.
    time : hashable
        Name of the time dimension.

    Returns
    -------
    xarray.DataArray
        float64 on the input's dims, units ``percent``.

    Raises
    ------
    TypeError
        For something else than numbers in a DataArray, or a reference of another kind.
    ValueError
        For an unknown method or pool, time split into chunks, or a time axis with missing or repeated steps; for
        physically impossible values and missing codes; for a reference with other labels, units or, where days of the
        year are compared, another calendar.

    Warns
    -----
    UserWarning
        For a reference period of which the record holds less than nine tenths, and for pools of fewer than ten values.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> days = pd.date_range("2001-01-01", periods=5)
    >>> sm = xr.DataArray([0.3, 0.1, 0.2, 0.2, 0.5], dims="time", coords={"time": days})
    >>> from xdrought import soil_moisture_percentile
    >>> soil_moisture_percentile(sm).values
    array([ 75. ,   0. ,  37.5,  37.5, 100. ])
    """
    values = alignment.free_names(prepare(soil_moisture, time), {"percentile"})
    reference = check_reference(values, reference, time)
    ranking, pool_series = make_ranking(values, method, pool, window, reference, time)
    others = [] if pool_series is None else [pool_series]
    out = xr.apply_ufunc(
        _percentile_block,
        values,
        *others,
        kwargs={"ranking": ranking},
        input_core_dims=[[time], *[[REFERENCE_TIME]] * len(others)],
        output_core_dims=[[time]],
        dask="parallelized",
        output_dtypes=[np.float64],
        keep_attrs=False,
    )
    return (
        out.transpose(*soil_moisture.dims)
        .rename("percentile")
        .assign_attrs(
            long_name="soil moisture percentile",
            units="percent",
            plotting_position=method,
            pool=pool,
            window=window,
            reference=ranking.label,
            **{k: v for k, v in soil_moisture.attrs.items() if k == calendars.DAY_BOUNDARY},
        )
    )


def prepare(da: xr.DataArray, time: Hashable, quantity: str = SOIL_MOISTURE, *, scale: bool = True) -> xr.DataArray:
    """Checked values: a regular time axis in one chunk, floating point, within the limits of `quantity`."""
    checks.require_numbers(da)
    checks.require_dim(da, time)
    checks.require_one_chunk(da, time, "the whole record is needed")
    checks.require_regular_steps(da, time)
    da = limits.check(da, quantity=quantity, scale=scale)
    if da.dtype not in (np.dtype("float32"), np.dtype("float64")):
        return da.astype("float32" if da.dtype == np.dtype("float16") else "float64")
    return da


@dataclass(frozen=True, eq=False)
class Ranking:
    """What each step is ranked against; plain arrays, so that it travels to dask workers."""

    method: PercentileMethod
    pools: calendars.Pools | None  # None: the whole record against itself
    label: str

    def __dask_tokenize__(self) -> tuple:
        return ("xdrought.Ranking", self.method, None if self.pools is None else tuple(self.pools), self.label)


def check_reference(values: xr.DataArray, reference: Reference, time: Hashable) -> xr.DataArray | slice | None:
    """A series on the labels of the record, or a period of it."""
    if reference is None:
        return None
    if isinstance(reference, xr.DataArray):
        checks.require_one_chunk(reference, time, "the whole reference is needed")
        checks.refuse_zeros_and_ones(reference, "the reference", "and give the days that it chooses, record.where(da)")
        chosen = prepare(reference, time)
        _check_same_units(values, chosen)
        return alignment.align_to(values, chosen, what="reference", skip=(time,))
    if (period := calendars.period_of(reference)) is not None:
        return period
    shown = repr(reference) if isinstance(reference, str | slice | tuple | list) else type(reference).__name__
    raise TypeError(
        f"reference must be a DataArray, a slice, (start, end) or a year, got {shown}; give a "
        f"period, reference=(1991, 2020), or a series with its dates, e.g. ds['soil_moisture']"
    )


def make_ranking(
    values: xr.DataArray,
    method: PercentileMethod,
    pool: Pool,
    window: int,
    reference: xr.DataArray | slice | None,
    time: Hashable,
) -> tuple[Ranking, xr.DataArray | None]:
    """A ranking of `values`, and the series it ranks against when that is not `values`.

    The reference comes from :func:`check_reference`.
    """
    checks.require_choice(method, "percentile method", METHODS)
    checks.require_choice(pool, "pool", POOLS)
    if window < 0 or (window and pool == "record"):
        raise ValueError(
            f"window={window} with pool={pool!r}; a window is 0 or more days or pentads and needs "
            f'pool="dayofyear" or pool="pentad"'
        )
    if pool == "record" and reference is None:
        return Ranking(method, None, "whole record"), None
    chosen, label = _pick_reference(values, reference, time)
    n_groups = 1 if pool == "record" else year_length(values.indexes[time], pool)
    if pool != "record":
        _check_year_lengths(values.indexes[time], chosen.indexes[time])
    pools = calendars.make_pools(
        pool_groups(values.indexes[time], pool), pool_groups(chosen.indexes[time], pool), n_groups, window
    )
    _warn_of_thin_pools(pools, pool)
    return Ranking(method, pools, label), chosen.reset_coords(drop=True).rename({time: REFERENCE_TIME})


def _pick_reference(
    values: xr.DataArray, reference: xr.DataArray | slice | None, time: Hashable
) -> tuple[xr.DataArray, str]:
    """The reference series, and words for it."""
    if reference is None:
        return values, "whole record"
    if isinstance(reference, xr.DataArray):
        return reference, f"series {reference.name!r}"
    label = f"{reference.start} to {reference.stop}"
    chosen = calendars.in_period(values, reference, time, "reference")
    return chosen, label + _told_share(chosen.indexes[time], reference)


def _told_share(index: calendars.TimeIndex, period: slice) -> str:
    """Nothing when the record holds the period, else what of it is there, with a warning."""
    share = _share_there(index, period)
    if share >= _MOSTLY:
        return ""
    there = f"{index[0]} to {index[-1]}, {share:.0%} of it".replace(" 00:00:00", "")
    checks.warn(
        f"of the reference {period.start} to {period.stop} the record holds {there}; percentiles are of these days "
        f"only: give a longer record, or name the period that is there"
    )
    return f" ({there})"


def _share_there(index: calendars.TimeIndex, period: slice) -> float:
    """Share of a period's days that lie between the first and the last step of its part of the record."""
    try:
        first = pd.Period(str(period.start)).asfreq("D", "start") if period.start is not None else None
        last = pd.Period(str(period.stop)).asfreq("D", "end") if period.stop is not None else None
    except ValueError:
        return 1.0
    there = [pd.Period(year=date.year, month=date.month, day=min(date.day, 28), freq="D") for date in index[[0, -1]]]
    first, last = there[0] if first is None else first, there[1] if last is None else last
    days = [(bounds[1] - bounds[0]).n + 1 for bounds in (there, (first, last))]
    return days[0] / max(days[1], 1)


def _check_year_lengths(ours: calendars.TimeIndex, theirs: calendars.TimeIndex) -> None:
    """Refuse to compare days of the year of calendars whose years have 360 and 365 days."""
    names = [getattr(index, "calendar", "proleptic_gregorian") for index in (ours, theirs)]
    if (names[0] == "360_day") == (names[1] == "360_day"):
        return
    whole = ")" if names[0] == "360_day" else ', missing=numpy.nan).interpolate_na("time", limit=1)'
    cftime = ", use_cftime=True" if isinstance(ours, xr.CFTimeIndex) else ""
    raise ValueError(
        f"the record has the calendar {names[0]!r} and the reference {names[1]!r}, so that their days of the year are "
        f'not the same; convert one, reference.convert_calendar({names[0]!r}, align_on="year"{cftime}{whole}'
    )


def _warn_of_thin_pools(pools: calendars.Pools, pool: str) -> None:
    """Warn where a step is ranked against few values: among one value everything is the 50th percentile."""
    used = np.diff(pools.member_starts) > 0
    sizes = np.diff(pools.pool_starts)[used]
    if not sizes.size or sizes.min() >= _THIN:
        return
    window = ", or a wider window=, e.g. window=15" if pool != "record" else ""
    checks.warn(
        f"percentiles rest on as few as {sizes.min()} values ({int((sizes < _THIN).sum())} of {sizes.size} pools hold "
        f"fewer than {_THIN}), and one value alone is always the 50th percentile; give a longer reference{window}"
    )


def _check_same_units(values: xr.DataArray, reference: xr.DataArray) -> None:
    found, wanted = reference.attrs.get("units"), values.attrs.get("units")
    if found != wanted and found is not None and wanted is not None:
        raise ValueError(
            f"the reference has units {found!r}, the record {wanted!r}; convert one of them first, "
            f"e.g. with xdrought.units.convert"
        )


def pool_groups(index: calendars.TimeIndex, pool: str) -> np.ndarray:
    """The number of each step's pool: its day or pentad of the year, or 0 for all."""
    if pool == "record":
        return np.zeros(len(index), np.int64)
    return (calendars.common_day_of_year if pool == "dayofyear" else calendars.pentad_of_year)(index)


def year_length(index: calendars.TimeIndex, pool: str) -> int:
    """Days or pentads of a year of the calendar, without leap days."""
    days = 360 if getattr(index, "calendar", "") == "360_day" else 365
    return days if pool == "dayofyear" else days // 5


def _percentile_block(values: np.ndarray, *reference: np.ndarray, ranking: Ranking) -> np.ndarray:
    pool = rows_like(values, reference[0]) if reference else None
    return rank_rows(as_rows(values), pool, ranking).reshape(values.shape)


def as_rows(values: np.ndarray) -> np.ndarray:
    """A block (..., time) as (rows, time); a view where memory allows."""
    return values.reshape(math.prod(values.shape[:-1]), values.shape[-1])


def rows_like(values: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Another block with one row per row of `values`; a single series serves all rows."""
    return as_rows(np.broadcast_to(other, (*values.shape[:-1], other.shape[-1])))


def rank_rows(rows: np.ndarray, reference: np.ndarray | None, ranking: Ranking) -> np.ndarray:
    """Percentiles (rows, time) of a block, float64."""
    from xdrought.kernels import ranks

    a, b = ranks.PLOTTING_POSITIONS[ranking.method]
    rows = np.ascontiguousarray(rows)
    if ranking.pools is None:
        return ranks.record_percentiles(rows, a, b)
    pool = rows if reference is None else reference
    common = np.result_type(rows, pool)
    return ranks.pooled_percentiles(
        rows.astype(common, copy=False), np.ascontiguousarray(pool, dtype=common), *ranking.pools, a, b
    )
