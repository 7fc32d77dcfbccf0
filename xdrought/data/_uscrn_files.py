"""USCRN daily01 files as published: the columns, and one station-year checked line by line."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

CALLER = "open_uscrn"
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
# One day is one line of 217 bytes; a file with less holds nothing.
_MIN_BYTES = 200


def read_file(path: Path) -> pd.DataFrame:
    """The rows of one station-year, dates as index, missing values NaN; refuses what is not such a file."""
    text = path.read_text(encoding="ascii", errors="replace")
    match = NAME.fullmatch(path.name)
    size = len(text)
    if size < _MIN_BYTES:
        raise ValueError(f"{CALLER}: {path.name} has {size} bytes, less than one day needs; get it again")
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line.split()) != len(COLUMNS):
            raise ValueError(
                f"{CALLER}: line {number} of {path.name} has {len(line.split())} fields, daily01 has "
                f"{len(COLUMNS)}; the file is truncated or no daily01 file: get it again"
            )
    if not text.endswith("\n"):
        raise ValueError(f"{CALLER}: the last line of {path.name} is not complete; get the file again")
    names, texts = list(COLUMNS), {"LST_DATE": str}
    frame = pd.read_csv(StringIO(text), sep=r"\s+", header=None, names=names, dtype=texts, quoting=csv.QUOTE_NONE)
    days = pd.to_datetime(frame["LST_DATE"], format="%Y%m%d", errors="coerce")
    if days.isna().any() or (match and not (days.dt.year == int(match["year"])).all()):
        raise ValueError(f"{CALLER}: the dates of {path.name} are not days of its year; get the file again")
    numbers = frame.drop(columns=["LST_DATE", "SUR_TEMP_DAILY_TYPE", "CRX_VN"])
    numbers = numbers.apply(pd.to_numeric, errors="coerce")
    if numbers.isna().any(axis=None):
        column = numbers.columns[numbers.isna().any()][0]
        raise ValueError(f"{CALLER}: column {column} of {path.name} holds text, not numbers; get the file again")
    return _mask_sentinels(numbers).set_index(pd.DatetimeIndex(days, name="time"))


def _mask_sentinels(numbers: pd.DataFrame) -> pd.DataFrame:
    moisture = [f"SOIL_MOISTURE_{depth}_DAILY" for depth in _DEPTHS]
    masked = numbers.astype("float64").replace(-9999.0, np.nan)
    # -99 stands for missing in soil moisture alone; elsewhere it would be a value.
    masked[moisture] = masked[moisture].replace(-99.0, np.nan)
    return masked
