"""NOAA US Climate Reference Network, daily01: 5 cm soil moisture and weather, local or fetched."""

from __future__ import annotations

import csv
import datetime
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars, checks
from xdrought.data.download import cache_folder, fetch, require_https
from xdrought.data.layers import depth_attrs
from xdrought.data.sites import (
    SiteRecord,
    check_valid_range,
    insert_missing_days,
    is_plausible,
    mask_codes,
    mask_impossible,
    mask_out_of_range,
    to_dataset,
)
from xdrought.public_functions import public

_DEPTHS = (5, 10, 20, 50, 100)

# Order and units as in the readme of daily01; None: not a number that is kept.
COLUMNS: dict[str, tuple[str | None, str]] = {
    "WBANNO": (None, "station number"),
    "LST_DATE": (None, "local standard date"),
    "CRX_VN": (None, "datalogger program version"),
    "LONGITUDE": (None, "longitude"),
    "LATITUDE": (None, "latitude"),
    "T_DAILY_MAX": ("degC", "maximum air temperature"),
    "T_DAILY_MIN": ("degC", "minimum air temperature"),
    "T_DAILY_MEAN": ("degC", "mean of maximum and minimum air temperature"),
    "T_DAILY_AVG": ("degC", "average air temperature"),
    "P_DAILY_CALC": ("mm d-1", "precipitation, sum of the day"),
    "SOLARAD_DAILY": ("MJ/m^2/day", "solar energy, sum of the day"),
    "SUR_TEMP_DAILY_TYPE": (None, "kind of surface temperature"),
    "SUR_TEMP_DAILY_MAX": ("degC", "maximum surface temperature"),
    "SUR_TEMP_DAILY_MIN": ("degC", "minimum surface temperature"),
    "SUR_TEMP_DAILY_AVG": ("degC", "average surface temperature"),
    "RH_DAILY_MAX": ("%", "maximum relative humidity"),
    "RH_DAILY_MIN": ("%", "minimum relative humidity"),
    "RH_DAILY_AVG": ("%", "average relative humidity"),
    **{f"SOIL_MOISTURE_{d}_DAILY": ("m3 m-3", f"volumetric soil moisture at {d} cm") for d in _DEPTHS},
    **{f"SOIL_TEMP_{d}_DAILY": ("degC", f"soil temperature at {d} cm") for d in _DEPTHS},
}
NAME = re.compile(r"CRND0103-(?P<year>\d{4})-(?P<station>[A-Z]{2}_[\w.'-]+)\.txt")
# One day is one line of 217 bytes; a file with less holds nothing. A station's year has 80 thousand.
_MIN_BYTES = 200
MAX_FILE_BYTES = 10 * 2**20


def read_file(path: Path) -> pd.DataFrame:
    """The rows of one station-year, dates as index, missing values NaN; refuses what is not such a file."""
    size = path.stat().st_size
    if not _MIN_BYTES <= size <= MAX_FILE_BYTES:
        much = "less than one day needs" if size < _MIN_BYTES else f"more than the {MAX_FILE_BYTES} that any year has"
        raise ValueError(f"{path.name} has {size} bytes, {much}; get it again")
    text = path.read_text(encoding="ascii", errors="replace")
    match = NAME.fullmatch(path.name)
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line.split()) != len(COLUMNS):
            raise ValueError(
                f"line {number} of {path.name} has {len(line.split())} fields, daily01 has "
                f"{len(COLUMNS)}; the file is truncated or no daily01 file: get it again"
            )
    if not text.endswith("\n"):
        raise ValueError(f"the last line of {path.name} is not complete; get the file again")
    names, texts = list(COLUMNS), {"LST_DATE": str}
    frame = pd.read_csv(StringIO(text), sep=r"\s+", header=None, names=names, dtype=texts, quoting=csv.QUOTE_NONE)
    days = pd.to_datetime(frame["LST_DATE"], format="%Y%m%d", errors="coerce")
    if not is_plausible(days).all() or (match and not (days.dt.year == int(match["year"])).all()):
        raise ValueError(f"the dates of {path.name} are not days of its year; get the file again")
    numbers = frame.drop(columns=["LST_DATE", "SUR_TEMP_DAILY_TYPE", "CRX_VN"])
    numbers = numbers.apply(pd.to_numeric, errors="coerce")
    odd = ~np.isfinite(numbers.to_numpy("float64")).all(axis=0)
    if odd.any():
        column = numbers.columns[odd][0]
        raise ValueError(f"column {column} of {path.name} holds text, not numbers; get the file again")
    return _mask_missing(numbers).set_index(pd.DatetimeIndex(days, name="time"))


def _mask_missing(numbers: pd.DataFrame) -> pd.DataFrame:
    """NaN for -9999 and other numbers of nines; -99 stands for missing in soil moisture alone."""
    moisture = [f"SOIL_MOISTURE_{depth}_DAILY" for depth in _DEPTHS]
    masked = mask_codes(numbers.astype("float64"))
    masked[moisture] = masked[moisture].replace([-99.0, -99.9, -99.99, -99.999], np.nan)
    return masked


BASE_URL = "https://www.ncei.noaa.gov/pub/data/uscrn/products/daily01"
REFERENCE = "Bell et al. (2013), https://doi.org/10.1175/JHM-D-12-0146.1; Diamond et al. (2013)"
DRIVERS = (
    "T_DAILY_MAX",
    "T_DAILY_MIN",
    "T_DAILY_AVG",
    "P_DAILY_CALC",
    "SOLARAD_DAILY",
    "SUR_TEMP_DAILY_AVG",
    "RH_DAILY_AVG",
)

_STATION = re.compile(r"[A-Z]{2}_[\w.'-]+")


@public
def open_uscrn(
    path: str | PathLike | Iterable[str | PathLike] | None = None,
    *,
    stations: Sequence[str] | None = None,
    years: Iterable[int] | None = None,
    target: str = "SOIL_MOISTURE_5_DAILY",
    soil_temperature: str = "SOIL_TEMP_5_DAILY",
    variables: Sequence[str] = (),
    valid_range: tuple[float, float] = (0.0, 1.0),
    base_url: str = BASE_URL,
    cache: str | PathLike | None = None,
    retries: int = 3,
    wait: float = 1.0,
    progress: bool = True,
) -> xr.Dataset:
    """Read USCRN daily01 station files as one SITE Dataset; without a path, fetch them from NOAA.

    Screen the result with :func:`xdrought.data.screen_sites`: winter gaps are frozen soil.

    Parameters
    ----------
    path : path or iterable of paths, optional
        Files ``CRND0103-<year>-<station>.txt``, or folders that hold such files at any depth. None: the
        files of `stations` and `years` are fetched over https and kept in the cache.
    stations : sequence of str, optional
        Station names as in the file names, e.g. ``"OK_Stillwater_5_WNW"``; needed for fetching.
        The order is kept.
    years : iterable of int, optional
        Calendar years; needed for fetching.
    target, soil_temperature : str
        The columns that become ``soil_moisture`` and ``soil_temperature``; there are also
        10, 20, 50 and 100 cm.
    variables : sequence of str
        Columns to keep beside ``T_DAILY_MAX T_DAILY_MIN T_DAILY_AVG P_DAILY_CALC SOLARAD_DAILY
        SUR_TEMP_DAILY_AVG RH_DAILY_AVG``.
    valid_range : (float, float)
        Soil moisture in m3 m-3 outside this closed range is set to NaN and counted.
    base_url : str
        Folder of the year folders; https (plain http only to this machine).
    cache : path, optional
        Folder of fetched files; ``$XDROUGHT_CACHE_DIR/uscrn/daily01`` or the system's cache otherwise. A file
        fetched before its year was over is fetched again when it is older than a day.
    retries : int
        Further tries after a failed one.
    wait : float
        Seconds before the first new try, doubled each time.
    progress : bool
        Show a bar while fetching (on a terminal only).

    Returns
    -------
    xarray.Dataset
        ``soil_moisture`` (m3 m-3), ``soil_temperature`` (degC) and the drivers under their published names,
        float64 (site, time), NaN where missing; on site: ``lat lon wban record_start record_end inserted_days
        out_of_range_days rejected_days``. Days are local standard time. Read into memory.

    Raises
    ------
    FileNotFoundError
        No such path, no station file in it, or none of a station for the years asked.
    ConnectionError
        A file could not be fetched whole; nothing of it is kept.
    ValueError
        A damaged file, a day twice, unknown columns, or fetching without stations and years.

    References
    ----------
    Bell et al. (2013), https://doi.org/10.1175/JHM-D-12-0146.1; layout in the readme of
    https://www.ncei.noaa.gov/pub/data/uscrn/products/daily01/.

    Examples
    --------
    >>> from xdrought.data import open_uscrn
    >>> ds = open_uscrn(stations=["OK_Stillwater_5_WNW"], years=range(2010, 2013))  # doctest: +SKIP
    >>> ds.soil_moisture.attrs["units"]  # doctest: +SKIP
    'm3 m-3'
    """
    kept = _kept_columns(target, soil_temperature, variables)
    check_valid_range(valid_range)
    chosen = None if years is None else sorted({int(year) for year in years})
    if isinstance(stations, str):
        raise ValueError(f"stations={stations!r} is one text; give a list, stations=[{stations!r}]")
    if path is None:
        folder = cache_folder() / "uscrn" / "daily01" if cache is None else Path(cache)
        files = _fetch_all(stations, chosen, base_url, folder, retries, wait, progress)
    else:
        files = _local_files(path)
    by_station = _choose(files, stations, chosen)
    records = [_read_station(name, parts, kept, target, valid_range) for name, parts in by_station.items()]
    ds = to_dataset(records, _attributes(kept), _global_attrs(valid_range))
    return mask_impossible(ds, skip=("soil_moisture",))


def _kept_columns(target: str, soil_temperature: str, variables: Sequence[str]) -> dict[str, str]:
    """New name to published column."""
    kept = {"soil_moisture": target, "soil_temperature": soil_temperature}
    kept |= {name: name for name in (*DRIVERS, *variables)}
    for column in kept.values():
        if COLUMNS.get(column, (None,))[0] is None:
            known = [name for name, (units, _) in COLUMNS.items() if units]
            raise ValueError(f"no column {column!r} in daily01; there are {known}")
    return kept


def _attributes(kept: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    return {
        name: {"long_name": COLUMNS[column][1], "units": str(COLUMNS[column][0]), "original_name": column}
        | _depth_of(column)
        | {calendars.DAY_BOUNDARY: calendars.LOCAL_DAYS}
        for name, column in kept.items()
    }


def _depth_of(column: str) -> dict[str, Any]:
    """The depth that the name of a soil column tells."""
    found = re.fullmatch(r"SOIL_(MOISTURE|TEMP)_(?P<cm>\d+)_DAILY", column)
    return depth_attrs(int(found["cm"]) / 100, int(found["cm"]) / 100) if found else {}


def _global_attrs(valid_range: tuple[float, float]) -> dict[str, object]:
    return {
        "title": "USCRN daily01 records",
        "license": "public domain",
        "references": REFERENCE,
        "soil_moisture_valid_range": [float(bound) for bound in valid_range],
    }


def _local_files(path: str | PathLike | Iterable[str | PathLike]) -> list[Path]:
    items = [Path(path)] if isinstance(path, str | PathLike) else [Path(item) for item in path]
    files: list[Path] = []
    for item in items:
        if item.is_dir():
            found = sorted(file for file in item.rglob("CRND0103-*.txt") if _is_station_file(file))
            if not found:
                raise FileNotFoundError(
                    f"no file CRND0103-<year>-<station>.txt in {str(item)!r} or below; "
                    f"download them from {BASE_URL}, or call open_uscrn(stations=[...], years=[...])"
                )
            files += found
        elif not item.is_file():
            raise FileNotFoundError(f"no file or folder {str(item)!r}")
        elif not NAME.fullmatch(item.name):
            raise ValueError(f"{item.name!r} is not named as published, CRND0103-<year>-<station>.txt; rename it")
        else:
            files.append(item)
    return files


def _is_station_file(file: Path) -> bool:
    # What an interrupted download left behind is not data.
    return NAME.fullmatch(file.name) is not None and not file.parent.name.startswith(".part-")


def _choose(
    files: Sequence[Path], stations: Sequence[str] | None, years: Sequence[int] | None
) -> dict[str, list[Path]]:
    """Files by station, in the order asked, of the years asked."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        match = NAME.fullmatch(file.name)
        if match and (years is None or int(match["year"]) in years):
            found[match["station"]].append(file)
    _refuse_twice(files)
    wanted = sorted(found) if stations is None else list(dict.fromkeys(stations))
    missing = [name for name in wanted if name not in found]
    if missing or not wanted:
        raise FileNotFoundError(
            f"no file of station(s) {missing} for years {years or 'any'}; there are {sorted(found)}"
        )
    return {name: found[name] for name in wanted}


def _refuse_twice(files: Sequence[Path]) -> None:
    first: dict[str, Path] = {}
    for file in files:
        other = first.setdefault(file.name, file)
        if other is not file:
            raise ValueError(f"{file.name} is given twice, as {str(other)!r} and {str(file)!r}; give one")


def _read_station(
    station: str,
    files: Sequence[Path],
    kept: Mapping[str, str],
    target: str,
    valid_range: tuple[float, float],
) -> SiteRecord:
    parts = [read_file(file) for file in sorted(files, key=lambda file: file.name)]
    whole = pd.concat(parts)
    complete, inserted = insert_missing_days(whole, where=f"station {station}")
    moisture, outside = mask_out_of_range(complete[target], valid_range)
    table = pd.DataFrame({name: complete[column] for name, column in kept.items()})
    table = table.assign(soil_moisture=moisture)
    return SiteRecord(
        station, table, _place(station, whole.iloc[-1]), {"inserted_days": inserted, "out_of_range_days": outside}
    )


def _place(station: str, last: pd.Series) -> dict[str, object]:
    """Where a station is by the last day of its record, and its number."""
    lat, lon, wban = (float(last[name]) for name in ("LATITUDE", "LONGITUDE", "WBANNO"))
    if abs(lat) > 90 or abs(lon) > 360 or not (0 <= wban < 100_000 or np.isnan(wban)):
        raise ValueError(
            f"the last day of station {station} gives latitude {lat:g}, longitude {lon:g} and WBAN {wban:g}, which "
            f"cannot be; get the file again"
        )
    return {"lat": lat, "lon": lon, "wban": "" if np.isnan(wban) else f"{int(wban):05d}"}


def _fetch_all(
    stations: Sequence[str] | None,
    years: Sequence[int] | None,
    base_url: str,
    folder: Path,
    retries: int,
    wait: float,
    progress: bool,
) -> list[Path]:
    if not stations or not years:
        raise ValueError(
            f"fetching needs stations=[...] and years=[...]; got stations={stations}, years={years}. Station names are "
            f"those of the files at {BASE_URL}/2024/, e.g. stations=['OK_Stillwater_5_WNW'], years=[2020]"
        )
    odd = [name for name in stations if not _STATION.fullmatch(name)]
    if odd:
        raise ValueError(f"{odd} are no station names; they look like 'OK_Stillwater_5_WNW'")
    require_https(base_url)
    from tqdm import tqdm

    files, absent = [], []
    wanted = [(station, year) for station in stations for year in years]
    for station, year in tqdm(wanted, desc="USCRN", unit="file", disable=None if progress else True):
        file = folder / str(year) / f"CRND0103-{year}-{station}.txt"
        url = f"{base_url.rstrip('/')}/{year}/{file.name}"
        try:
            if not _is_fresh(file, year):
                fetch(url, file, read_file, limit=MAX_FILE_BYTES, retries=retries, wait=wait)
            files.append(file)
        except FileNotFoundError:
            absent.append(f"{station} {year}")
        except ConnectionError as error:
            if not file.is_file():
                raise
            files.append(file)
            checks.warn(f"{error}; the older copy in the cache is used")
    if absent:
        checks.warn(f"{base_url} has no file of {absent}")
    return files


def _is_fresh(file: Path, year: int) -> bool:
    """Whether the cached file is sound and final, or less than a day old; an unsound one is removed."""
    if not file.is_file():
        return False
    try:
        read_file(file)
    except ValueError:
        file.unlink()
        return False
    written = datetime.datetime.fromtimestamp(file.stat().st_mtime)
    # Late days of a year come in during the first days of the next one.
    final = written > datetime.datetime(year + 1, 1, 10)
    return final or datetime.datetime.now() - written < datetime.timedelta(days=1)
