"""FLUXNET2015 files as published: names, zips, and a daily csv checked line by line."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from xdrought.data.sites import insert_missing_days

CALLER = "open_fluxnet"
HOME = "https://fluxnet.org/data/fluxnet2015-dataset (free registration, CC-BY-4.0)"
SENTINEL = -9999.0
# The largest daily member published is some 30 MB; a zip that promises far more is not one of them.
MAX_MEMBER_BYTES = 512 * 2**20
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, UnicodeDecodeError
)  # fmt: skip

_NAME = re.compile(
    r"FLX_(?P<site>[A-Za-z0-9-]+)_FLUXNET2015_(?P<product>[A-Z]+)(?:_(?P<step>HH|HR|DD|WW|MM|YY))?"
    r"_(?P<first>\d{4})-(?P<last>\d{4})_(?P<version>[\w.-]+)\.(?P<kind>csv|zip)"
)
_STEPS = {"HH": "half-hourly", "HR": "hourly", "WW": "weekly", "MM": "monthly", "YY": "yearly"}
_PRODUCTS = ("SUBSET", "FULLSET")


@dataclass(frozen=True)
class Source:
    """A file that holds one site's daily table, and what its name says."""

    path: Path
    site: str
    version: str
    last_year: int | None


def find_sources(
    path: str | PathLike | Iterable[str | PathLike], site_id: str | Mapping[str, str] | None
) -> tuple[list[Source], list[str]]:
    """All daily sources of a file, a folder or a list of either; and the files of folders left aside."""
    paths = [Path(path)] if isinstance(path, str | PathLike) else [Path(item) for item in path]
    if not paths:
        raise FileNotFoundError(f"no path was given; the data are had from {HOME}")
    named_files = [item for item in paths if not item.is_dir()]
    if isinstance(site_id, str) and (len(named_files) != 1 or len(paths) != 1):
        raise ValueError(
            f"site_id={site_id!r} names one site but {len(paths)} path(s) were given; "
            f"give a mapping of file names to site ids"
        )
    ids = {item.name: site_id for item in named_files} if isinstance(site_id, str) else dict(site_id or {})
    sources, aside = [], []
    for item in paths:
        if item.is_dir():
            found, left = _scan_folder(item, ids)
            sources += found
            aside += left
        else:
            sources.append(_source_of_file(item, ids))
    _refuse_twice(sources)
    return sources, aside


def _source_of_file(path: Path, ids: Mapping[str, str]) -> Source:
    if not path.is_file():
        raise FileNotFoundError(f"no file or folder {str(path)!r}")
    match = _NAME.fullmatch(path.name)
    if match is None:
        if path.name not in ids:
            raise ValueError(
                f"the site cannot be told from the file name {path.name!r} (published names look "
                f"like FLX_AT-Neu_FLUXNET2015_SUBSET_DD_2002-2012_1-4.csv); give site_id="
            )
        return Source(path, ids[path.name], "unknown", None)
    if not _is_daily(match):
        kind = _STEPS.get(match["step"], f"the {match['product']} product")
        raise ValueError(
            f"{path.name} is {kind}; only daily files (SUBSET_DD or FULLSET_DD) are read: "
            f"give the DD file of the same download"
        )
    return Source(path, ids.get(path.name, match["site"]), match["version"], int(match["last"]))


def _is_daily(match: re.Match) -> bool:
    step_is_right = match["step"] == "DD" or (match["kind"] == "zip" and match["step"] is None)
    return match["product"] in _PRODUCTS and step_is_right


def _scan_folder(folder: Path, ids: Mapping[str, str]) -> tuple[list[Source], list[str]]:
    sources, aside = [], []
    for path in sorted(folder.iterdir()):
        if path.suffix not in {".csv", ".zip"} or path.name == "sites.csv":
            continue
        match = _NAME.fullmatch(path.name)
        if path.name in ids or (match is not None and _is_daily(match)):
            sources.append(_source_of_file(path, ids))
        else:
            aside.append(path.name)
    if not sources:
        raise FileNotFoundError(
            f"no daily FLUXNET2015 file (FLX_<site>_FLUXNET2015_SUBSET_DD_*.csv or the published "
            f"zip) in {str(folder)!r}; it has {aside[:5] or 'no csv or zip'}. The data are had from {HOME}"
        )
    return sources, aside


def _refuse_twice(sources: Sequence[Source]) -> None:
    for site, count in Counter(source.site for source in sources).items():
        if count > 1:
            names = [source.path.name for source in sources if source.site == site]
            raise ValueError(f"site {site} is in {count} files: {names}; give one of them")


def read_table(source: Source, wanted: Callable[[str], bool]) -> tuple[pd.DataFrame, int]:
    """The wanted columns of a source on every day of its record, and how many days were inserted."""
    raw, where = _read_bytes(source)
    table = _parse(raw, where, wanted)
    return insert_missing_days(table, where=where)


def _read_bytes(source: Source) -> tuple[bytes, str]:
    if source.path.suffix != ".zip":
        return source.path.read_bytes(), source.path.name
    with source.path.open("rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                member = _daily_member(archive, source.path.name)
                return archive.read(member), f"{source.path.name}:{PurePosixPath(member.filename).name}"
        except _BROKEN as error:
            raise ValueError(f"{source.path.name} is not a sound zip ({error}); download it again") from error


def _daily_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The one daily csv of a published zip; read in memory, so member paths never reach the disk."""
    matches = ((info, _NAME.fullmatch(PurePosixPath(info.filename).name)) for info in archive.infolist())
    daily = [info for info, match in matches if match and match["kind"] == "csv" and _is_daily(match)]
    if len(daily) != 1:
        raise ValueError(
            f"{name} holds {len(daily)} daily tables (FLX_*_DD_*.csv) where one is needed; "
            f"its members are {archive.namelist()[:8]}"
        )
    inner, outer = (_NAME.fullmatch(PurePosixPath(one).name) for one in (daily[0].filename, name))
    if inner and outer and inner["site"] != outer["site"]:
        raise ValueError(f"{name} holds the table of site {inner['site']}; rename the zip or get it again")
    if daily[0].file_size > MAX_MEMBER_BYTES:
        raise ValueError(
            f"the daily table in {name} unpacks to {daily[0].file_size} bytes, "
            f"more than the {MAX_MEMBER_BYTES} any published one has; download it again"
        )
    return daily[0]


def _parse(raw: bytes, where: str, wanted: Callable[[str], bool]) -> pd.DataFrame:
    header = _check_lines(raw, where)
    try:
        table = pd.read_csv(
            BytesIO(raw),
            usecols=["TIMESTAMP", *filter(wanted, header)],
            dtype={"TIMESTAMP": str},
            encoding="utf-8-sig",
            skip_blank_lines=True,
        )
    except ValueError as error:  # bytes that are no text, quotes that do not end
        raise ValueError(f"{where} is damaged ({error}); get the file again") from error
    days = _parse_days(table.pop("TIMESTAMP"), where)
    for name, values in table.items():
        if len(values) and values.dtype.kind not in "fi":
            text = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()].iloc[0]
            raise ValueError(f"column {name} of {where} holds {text!r}, not numbers; get the file again")
    numbers = table.to_numpy("float64", copy=True)
    numbers[numbers == SENTINEL] = np.nan
    return pd.DataFrame(numbers, index=days, columns=table.columns)


def _check_lines(raw: bytes, where: str) -> list[str]:
    """The header of a table whose lines all have as many fields as it."""
    lines = raw.removeprefix(b"\xef\xbb\xbf").rstrip().splitlines() or [b""]
    header = lines[0].decode("utf-8", errors="replace").split(",")
    if "TIMESTAMP" not in header:
        finer = " (TIMESTAMP_START: half-hourly or weekly)" if "TIMESTAMP_START" in header else ""
        raise ValueError(
            f"{where} is not a daily FLUXNET2015 table: no column TIMESTAMP{finer}; "
            f"it starts with {header[:4]}. The data are had from {HOME}"
        )
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise ValueError(f"{where} has the column(s) {twice} more than once; get the file again")
    commas = lines[0].count(b",")
    for number, line in enumerate(lines, start=1):
        if line.count(b",") != commas:
            raise ValueError(
                f"line {number} of {len(lines)} of {where} has {line.count(b',') + 1} fields, the "
                f"header has {commas + 1}; the file is truncated or damaged: get it again"
            )
    if not raw.endswith((b"\n", b"\r")):  # the last number may lack digits
        raise ValueError(
            f"the last line of {where} does not end; the file is truncated: get it again, or add the "
            f"line's end when it is whole"
        )
    return header


def _parse_days(stamps: pd.Series, where: str) -> pd.DatetimeIndex:
    kinds = {4: "yearly", 6: "monthly", 12: "half-hourly"}
    wrong = stamps[~stamps.fillna("").str.fullmatch(r"\d{8}")]
    if len(wrong):
        kind = kinds.get(len(str(wrong.iloc[0])), "no date")
        raise ValueError(f"TIMESTAMP of {where} holds {wrong.iloc[0]!r} ({kind}); daily files have YYYYMMDD")
    days = pd.to_datetime(stamps, format="%Y%m%d", errors="coerce")
    if days.isna().any():
        raise ValueError(f"TIMESTAMP of {where} holds {stamps[days.isna()].iloc[0]!r}, which is no date")
    return pd.DatetimeIndex(days, name="time")
