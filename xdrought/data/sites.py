"""From one daily table per site to one SITE Dataset; shared by the tower and station readers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks, limits

_SHOWN = 8


def site_coords(sites: xr.Dataset | pd.DataFrame) -> xr.Dataset:
    """A Dataset of coordinates only: ``site``, ``lat``, ``lon`` and whatever else is known on site."""
    if isinstance(sites, pd.DataFrame):
        table = sites if sites.index.name == "site" else sites.set_index("site") if "site" in sites else None
        if table is None:
            raise ValueError(f"the table of sites has no column 'site'; it has {list(map(str, sites.columns))}")
        known = {str(name): ("site", _plain(table[name])) for name in table.columns}
        coords = xr.Dataset(coords={"site": table.index.astype(str).to_numpy(dtype="U"), **known})
    else:
        if "site" not in sites.dims or "site" not in sites.coords:
            raise ValueError(f"the sites have no dimension and coordinate 'site'; they have {dict(sites.sizes)}")
        wanted = [name for name in ("lat", "lon") if name in sites.data_vars]
        names = [name for name in sites.set_coords(wanted).coords if sites[name].dims == ("site",)]
        coords = xr.Dataset(coords={name: sites[name].variable for name in names})
    _check(coords)
    return coords


def name_some(names: np.ndarray) -> str:
    """The first names of many, for an error text."""
    shown = ", ".join(str(name) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _plain(column: pd.Series) -> np.ndarray:
    values = column.to_numpy()
    return values if values.dtype.kind in "fiubM" else column.astype(str).to_numpy(dtype="U")


def _check(coords: xr.Dataset) -> None:
    absent = [name for name in ("lat", "lon") if name not in coords]
    if absent:
        raise ValueError(f"the sites have no {absent} on 'site'; they have {list(map(str, coords.coords))}")
    names = coords["site"].values
    if not names.size:
        raise ValueError("no sites were given")
    index = pd.Index(names)
    if index.has_duplicates:
        raise ValueError(f"sites given more than once: {name_some(index[index.duplicated()].unique())}")
    for name, low, high in (("lat", -90.0, 90.0), ("lon", -180.0, 360.0)):
        if coords[name].dtype.kind not in "fiu":
            raise ValueError(f"{name!r} of the sites holds {coords[name].dtype}, not degrees")
        values = coords[name].values.astype("float64")
        wrong = ~((values >= low) & (values <= high))
        if wrong.any():
            raise ValueError(f"{name!r} is missing or outside {low:g} to {high:g} degrees at {name_some(names[wrong])}")


_TABLE_NAMES = {
    "site": ("site", "site_id"),
    "lat": ("lat", "latitude", "location_lat"),
    "lon": ("lon", "longitude", "location_long"),
    "elevation": ("elevation", "elevation_m", "location_elev"),
    "igbp": ("igbp",),
}


def read_places(
    site_table: str | PathLike | pd.DataFrame | None,
    sites: Sequence[tuple[str, Path]],
    known: Callable[[str], Mapping[str, object]] = lambda site: {},
) -> pd.DataFrame:
    """Positions by site, from the table or ``sites.csv`` in the folders of the sites; warns of the rest.

    `known` gives what the files themselves say of a site that the table lacks.
    """
    if site_table is None:
        beside = {folder / "sites.csv" for _, folder in sites}
        there = [path for path in sorted(beside) if path.is_file()]
        tables = [_normalise(_read(path), str(path)) for path in there]
        nowhere = pd.DataFrame({"lat": [], "lon": []}, index=pd.Index([], name="site"))
        places = pd.concat(tables) if tables else nowhere
        places = places[~places.index.duplicated()]
    elif isinstance(site_table, pd.DataFrame):
        places = _normalise(site_table, "site_table")
    else:
        if not Path(site_table).is_file():
            raise FileNotFoundError(f"no site table {str(site_table)!r}")
        places = _normalise(_read(Path(site_table)), str(site_table))
    lacking = {site: dict(known(site)) for site, _ in sites if site not in places.index}
    if any(lacking.values()):
        described = pd.DataFrame({site: place for site, place in lacking.items() if place}).T.rename_axis("site")
        places = pd.concat(
            [places, _normalise(described.reset_index().reindex(columns=list(_TABLE_NAMES)), "the metadata")]
        )
    unknown = [site for site, _ in sites if site not in places.index or places.loc[site, ["lat", "lon"]].isna().any()]
    if unknown:
        checks.warn(
            f"no position for {unknown}: lat and lon are NaN; give site_table= or put sites.csv "
            f"(site,lat,lon) beside the files"
        )
    return places


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except ValueError as error:  # nothing in it, not a table, not a text
        raise ValueError(f"{path} is not a csv table of sites ({error}); write site,lat,lon in it") from error


def _normalise(table: pd.DataFrame, where: str) -> pd.DataFrame:
    lower = {str(name).lower(): name for name in table.columns}
    found = {
        name: next((lower[alias] for alias in aliases if alias in lower), None)
        for name, aliases in _TABLE_NAMES.items()
    }
    absent = [name for name in ("site", "lat", "lon") if found[name] is None]
    if absent:
        raise ValueError(f"{where} lacks the column(s) {absent}; it has {list(table.columns)}")
    places = pd.DataFrame({name: table[column] for name, column in found.items() if column is not None})
    places["site"] = places["site"].astype(str).str.strip()
    places = places.set_index("site")
    if places.index.has_duplicates:
        raise ValueError(f"{where} has {places.index[places.index.duplicated()][0]} twice; keep one row")
    for name, wanted in (("lat", "decimal degrees"), ("lon", "decimal degrees"), ("elevation", "metres")):
        if name not in places:
            continue
        numbers = pd.to_numeric(places[name], errors="coerce")
        text = places.index[numbers.isna() & places[name].notna()]
        if len(text):
            raise ValueError(f"{where} gives {name} of {list(text)} in words; expected {wanted}")
        places[name] = numbers
        places = places.assign(**mask_codes(places[[name]].astype("float64").replace(np.inf, np.nan)))
    wrong = places.index[(places["lat"].abs() > 90) | (places["lon"].abs() > 360)]
    if len(wrong):
        raise ValueError(f"{where} puts {list(wrong)} off the globe; are lat and lon exchanged?")
    return places


def place_of(site: str, places: pd.DataFrame) -> dict[str, object]:
    """Coordinates of one site; NaN and empty where the table does not know."""
    row: dict[Any, Any] = places.loc[site].to_dict() if site in places.index else {}
    igbp = row.get("igbp", "")
    return {
        "lat": float(row.get("lat", "nan")),
        "lon": float(row.get("lon", "nan")),
        "elevation": float(row.get("elevation", "nan")),
        "igbp": igbp if isinstance(igbp, str) else "",
    }


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
    "depth": {"long_name": "depth of the soil moisture sensor", "units": "m"},
    "sensor": {"long_name": "soil moisture sensor"},
    "utc_offset": {"long_name": "hours from UTC to the time by which days are counted", "units": "h"},
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


def is_plausible(days: pd.Series) -> pd.Series:
    """Whether dates are days that a record can have: there, and from 1800 to 2200."""
    return days.dt.year.between(1800, 2200)


def insert_missing_days(table: pd.DataFrame, *, where: str) -> tuple[pd.DataFrame, int]:
    """The table on every day from its first to its last, and how many days had to be inserted.

    Raises
    ------
    ValueError
        If there is no row, a day occurs twice, or the days are not in order.
    """
    days = table.index
    if not len(days):
        raise ValueError(f"{where} has a header but no rows; it is cut short, get the file again")
    if days.has_duplicates:
        twice = days[days.duplicated()]
        raise ValueError(f"{where} has {len(twice)} duplicated day(s), first {twice[0]:%Y-%m-%d}; keep one row a day")
    if not days.is_monotonic_increasing:
        first = days[1:][np.diff(days.to_numpy()) < np.timedelta64(0)][0]
        raise ValueError(f"{where} is not in order of time at {first:%Y-%m-%d}; sort its rows by date")
    complete = pd.date_range(days[0], days[-1], freq="D")
    return table.reindex(complete), len(complete) - len(days)


# Nines in any number, with and without decimals. -99 is none of them: it may be a temperature.
_CODES = np.array([-(10.0**n - 1) - tail for n in range(3, 13) for tail in (0.0, 0.9, 0.99, 0.999)])


def mask_codes(numbers: pd.DataFrame) -> pd.DataFrame:
    """The numbers with codes of missing values (-999, -9999, -99999.9 ...) set to NaN."""
    return numbers.mask(np.isin(numbers.to_numpy("float64"), _CODES))


def mask_impossible(ds: xr.Dataset, *, skip: Collection[str] = ()) -> xr.Dataset:
    """The variables with values that their quantity cannot have set to NaN; a warning tells how many, and where.

    Without the check of limits (``xdrought.set_options``) they stay as they are.
    """
    if not limits.is_checking():
        return ds
    messages, masked = [], {}
    for name, da in ds.data_vars.items():
        bounds = limits.limits_of(da)
        outside = (da.values < bounds.lower) | (da.values > bounds.upper)
        if str(name) in skip or not outside.any():
            continue
        site, day = (int(k[0]) for k in np.nonzero(outside)[:2])
        value = float(da.values[site, day])
        messages.append(
            f"{int(outside.sum())} of {name} outside {bounds.lower:g} to {bounds.upper:g} {bounds.units} (first "
            f"{value:g} at {ds['site'].values[site]} on {pd.Timestamp(ds['time'].values[day]):%Y-%m-%d})"
        )
        masked[name] = da.where(~outside)
    if messages:
        checks.warn(
            f"values that cannot be were set to missing: {'; '.join(messages)}; to see them, read the files inside "
            f"`with xdrought.set_options(check_limits=False):`"
        )
    return ds.assign(masked)


def mask_out_of_range(values: pd.Series, valid_range: tuple[float, float]) -> tuple[pd.Series, int]:
    """The values with those outside the closed range set to NaN, and how many that were."""
    low, high = valid_range
    outside = (values < low) | (values > high)
    return values.mask(outside), int(outside.sum())


def check_valid_range(valid_range: tuple[float, float]) -> None:
    """Raise unless the range is two ascending numbers."""
    if len(valid_range) != 2 or not valid_range[0] < valid_range[1]:
        raise ValueError(f"valid_range={valid_range!r} must be (low, high) with low < high")


def to_dataset(
    records: Sequence[SiteRecord], variables: Mapping[str, Mapping[str, Any]], attrs: Mapping[str, Any]
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
