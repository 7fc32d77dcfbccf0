"""From one daily table per site to one SITE Dataset; shared by the tower and station readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

COUNTS = {
    "inserted_days": "days absent from the file, inserted as missing",
    "out_of_range_days": "days whose soil moisture was outside the valid range, set to missing",
    "rejected_days": "days whose soil moisture was below the quality asked for, set to missing",
}

_SITE_ATTRS: dict[str, dict[str, str]] = {
    "site": {"long_name": "site", "cf_role": "timeseries_id"},
    "lat": {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"},
    "elevation": {"long_name": "elevation above sea level", "units": "m"},
    "igbp": {"long_name": "IGBP land cover class"},
    "version": {"long_name": "version of the published file"},
    "wban": {"long_name": "WBAN station number"},
    "record_start": {"long_name": "first day of the file"},
    "record_end": {"long_name": "last day of the file"},
} | {name: {"long_name": text, "units": "1"} for name, text in COUNTS.items()}


@dataclass(frozen=True)
class SiteRecord:
    """One site: a gapless daily table (float columns, dates as index) and what is known of the place."""

    site: str
    table: pd.DataFrame
    place: Mapping[str, Any]
    counts: Mapping[str, int] = field(default_factory=dict)


def insert_missing_days(table: pd.DataFrame, *, caller: str, where: str) -> tuple[pd.DataFrame, int]:
    """The table on every day from its first to its last, and how many days had to be inserted.

    Raises
    ------
    ValueError
        If there is no row, a day occurs twice, or the days are not in order.
    """
    days = table.index
    if not len(days):
        raise ValueError(f"{caller}: {where} has a header but no rows; it is cut short, get the file again")
    if days.has_duplicates:
        twice = days[days.duplicated()]
        raise ValueError(
            f"{caller}: {where} has {len(twice)} duplicated day(s), first {twice[0]:%Y-%m-%d}; keep one row a day"
        )
    if not days.is_monotonic_increasing:
        first = days[1:][np.diff(days.to_numpy()) < np.timedelta64(0)][0]
        raise ValueError(f"{caller}: {where} is not in order of time at {first:%Y-%m-%d}; sort its rows by date")
    complete = pd.date_range(days[0], days[-1], freq="D")
    return table.reindex(complete), len(complete) - len(days)


def mask_out_of_range(values: pd.Series, valid_range: tuple[float, float]) -> tuple[pd.Series, int]:
    """The values with those outside the closed range set to NaN, and how many that were."""
    low, high = valid_range
    outside = (values < low) | (values > high)
    return values.mask(outside), int(outside.sum())


def check_valid_range(valid_range: tuple[float, float], caller: str) -> None:
    """Raise unless the range is two ascending numbers."""
    if len(valid_range) != 2 or not valid_range[0] < valid_range[1]:
        raise ValueError(f"{caller}: valid_range={valid_range!r} must be (low, high) with low < high")


def to_dataset(
    records: Sequence[SiteRecord], variables: Mapping[str, Mapping[str, str]], attrs: Mapping[str, Any]
) -> xr.Dataset:
    """Outer-join site records on one daily axis, NaN outside each site's own record.

    Parameters
    ----------
    records : sequence of SiteRecord
        At least one; each site once.
    variables : mapping
        Column name to the attributes of the variable made of it.
    attrs : mapping
        Attributes of the Dataset.

    Returns
    -------
    xarray.Dataset
        Float64 variables (site, time); coordinates of the places and counts on site.
    """
    start = min(record.table.index[0] for record in records)
    end = max(record.table.index[-1] for record in records)
    time = pd.date_range(start, end, freq="D", name="time")
    data = {name: np.full((len(records), len(time)), np.nan) for name in variables}
    for row, record in enumerate(records):
        begin = int(time.searchsorted(record.table.index[0]))
        for name in record.table.columns.intersection(list(variables)):
            data[name][row, begin : begin + len(record.table)] = record.table[name].to_numpy("float64")
    return xr.Dataset(
        {name: (("site", "time"), values, dict(variables[name])) for name, values in data.items()},
        coords={
            "time": ("time", time, {"standard_name": "time", "long_name": "day"}),
            **_site_coords(records),
        },
        attrs=dict(attrs),
    )


def _site_coords(records: Sequence[SiteRecord]) -> dict[str, tuple]:
    columns: dict[str, Any] = {"site": [record.site for record in records]}
    for name in records[0].place:
        columns[name] = [record.place[name] for record in records]
    columns["record_start"] = pd.DatetimeIndex([record.table.index[0] for record in records])
    columns["record_end"] = pd.DatetimeIndex([record.table.index[-1] for record in records])
    for name in COUNTS:
        columns[name] = np.array([record.counts.get(name, 0) for record in records], dtype="int64")
    return {name: ("site", np.asarray(values), _SITE_ATTRS.get(name, {})) for name, values in columns.items()}
