"""A text table of one station, as spreadsheets and loggers write it: separators, dates and numbers told, or refused."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

MAX_BYTES = 256 * 2**20
_SEPARATORS = (",", ";", "\t")
# A day of a written date may come before its month; ISO 8601 is tried before these.
_FORMATS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y")
_HOURS = ("", " %H:%M", " %H:%M:%S")
_ZONE = re.compile(r"(?<=\d\d:\d\d)(:\d\d(\.\d+)?)?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)$")
_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")


def read_station_table(path: Path, time: str) -> xr.Dataset:
    """The columns of a csv table on its dates, sorted, with the days that lack as missing values.

    Fields are parted by commas, semicolons or tabs; lines that begin with ``#`` are left out. Dates are those of
    ISO 8601, or day, month and year in the one order in which all of them are dates; a zone is dropped, so that days
    are those of the table.

    Raises
    ------
    ValueError
        A file that is no UTF-8 text or has more than 256 MB; no column `time`; no rows; dates that are none or can be
        read in two ways; a date in two rows; a column of numbers with texts in it.
    """
    text = _text(path)
    header = next((line for line in text.splitlines() if line.strip() and line[0] != "#"), "")
    separator = next((mark for mark in _SEPARATORS if time in _names(header, mark)), None)
    if separator is None:
        columns = max((_names(header, mark) for mark in _SEPARATORS), key=len)
        raise ValueError(f"{path} has the columns {columns}, not {time!r}; name the column of dates with --time")
    table = _parse(path, text, separator, time)
    if not len(table):
        raise ValueError(f"{path} has no row below its header; check the export")
    days = _dates(table.pop(time), path)
    if days.has_duplicates:
        twice = days[days.duplicated()].unique()
        raise ValueError(
            f"{path} has {len(twice)} date(s) in more than one row, first {twice[0]:%Y-%m-%d}; a table holds one "
            f"station: give the rows of each in a table of its own"
        )
    numbers = {name: _numbers(column, path, separator) for name, column in table.items()}
    return _every_day(pd.DataFrame(numbers).set_index(days.rename(time)).sort_index()).to_xarray()


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES} bytes, which no table of a station has; get it again")
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error.reason}); save it as CSV UTF-8") from None


def _names(header: str, separator: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]


def _parse(path: Path, text: str, separator: str, time: str) -> pd.DataFrame:
    """The table as it is written: what is no number stays text."""
    try:
        table = pd.read_csv(io.StringIO(text), sep=separator, comment="#", skipinitialspace=True, dtype={time: str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(
            f"{path} is no table ({str(error).strip()}); each line needs as many fields as the header"
        ) from None
    if isinstance(table.index, pd.RangeIndex):
        return table.rename(columns=str.strip)
    raise ValueError(f"{path} has lines with more fields than its header; each line needs as many fields as the header")


def _dates(column: pd.Series, path: Path) -> pd.DatetimeIndex:
    """The dates of a column of texts, read in the one way in which all of them are dates."""
    texts = column.fillna("").str.strip().map(lambda one: _ZONE.sub(r"\1", one))
    found = [pd.DatetimeIndex(pd.to_datetime(texts, format="ISO8601", errors="coerce"))]
    if found[0].hasnans:
        forms = [form + hours for form in _FORMATS for hours in _HOURS]
        found = [pd.DatetimeIndex(pd.to_datetime(texts, format=form, errors="coerce")) for form in forms]
        found = [days for days in found if not days.hasnans]
    if len(found) > 1:  # 1/2/2001: the days of a record follow one another
        found = [days for days in found if np.unique(np.diff(np.sort(days.to_numpy()))).size == 1] or found
    if len(found) == 1:
        return found[0]
    told = "they can be read in two ways"
    if not found:
        line = int(np.flatnonzero(pd.to_datetime(texts, format="ISO8601", errors="coerce").isna())[0])
        told = f"{texts.iloc[line]!r} in row {line + 1} is none" if texts.iloc[line] else f"row {line + 1} has none"
    raise ValueError(
        f"the dates of {path} are not told, {told}; write all of them as YYYY-MM-DD, and nothing else there"
    )


def _numbers(column: pd.Series, path: Path, separator: str) -> pd.Series:
    """A column of numbers as numbers; one of texts alone, such as a name, stays as it is."""
    if column.dtype.kind in "fiub":
        return column
    texts = column.dropna().astype(str)
    if separator != "," and texts.str.fullmatch(_COMMA.pattern + r"|\s*[+-]?\d+\s*").all():
        return pd.to_numeric(column.astype(str).str.replace(",", ".").where(column.notna()))
    is_number = pd.to_numeric(texts, errors="coerce").notna()
    if not is_number.any():
        return column
    first = texts[~is_number]
    raise ValueError(
        f"column {column.name!r} of {path} holds {first.iloc[0]!r} in row {first.index[0] + 1} ({len(first)} such in "
        f"all), which is no number; leave fields without a value empty"
    )


def _every_day(table: pd.DataFrame) -> pd.DataFrame:
    """Days between the first and the last that have no row, as rows without values."""
    index = pd.DatetimeIndex(table.index)
    steps = np.unique(np.diff(index.to_numpy()))
    day = np.timedelta64(1, "D")
    if steps.size > 1 and steps[0] == day and not (steps % day).astype(int).any():
        return table.asfreq("D")
    return table
