"""FLUXNET files as networks publish them: names, archives, and a daily table checked line by line."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import pandas as pd

from xdrought.data.sites import insert_missing_days, is_plausible, mask_codes

HOME = "https://data.fluxnet.org or https://fluxnet.org/data/fluxnet2015-dataset (free, CC-BY-4.0)"
# The largest daily table published is some 30 MB and has some 10,000 lines of 400 columns.
MAX_BYTES = 128 * 2**20
MAX_LINES = 100_000
MAX_COLUMNS = 5_000
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError),
    *(UnicodeDecodeError, MemoryError),
)
_FILE = re.compile(r"(?P<stem>.+)\.(?P<kind>csv|zip)(?P<packed>\.gz)?", re.IGNORECASE)
_SITE = re.compile(r"[A-Za-z]{2}-[A-Za-z0-9-]+|[A-Za-z0-9-]+")
_YEARS = re.compile(r"(\d{4})-(\d{4})")
_STEPS = {"DD": "daily", "HH": "half-hourly", "HR": "hourly", "WW": "weekly", "MM": "monthly", "YY": "yearly"}
_TABLES = ("", "SUBSET", "FULLSET", "FLUXMET")  # products with the fluxes and the weather at the tower
_SUFFIXES = (".csv", ".zip", ".gz", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".xls", ".xlsx", ".parquet", ".nc")


@dataclass(frozen=True)
class Name:
    """What a published file name says.

    FLUXNET2015: ``FLX_<site>_FLUXNET2015_SUBSET_DD_<years>_<version>``. AmeriFlux: ``AMF_<site>_FLUXNET_FULLSET_DD_``.
    ICOS: ``ICOSETC_<site>_FLUXNET_DD_L2``. The common product of all networks, as the FLUXNET shuttle fetches it:
    ``<network>_<site>_FLUXNET_FLUXMET_DD_<years>_v1.3_r1``. Archives leave the step out.
    """

    site: str
    product: str
    step: str | None
    last_year: int | None
    version: str
    kind: str

    @property
    def is_daily(self) -> bool:
        """Whether the file is a daily table, or an archive that may hold one."""
        return self.product in _TABLES and (self.step == "DD" or (self.kind == "zip" and self.step is None))


def read_name(file: str) -> Name | None:
    """The parts of a published file name; None for another name."""
    match = _FILE.fullmatch(file)
    if match is None:
        return None
    parts = [*match["stem"].split("_"), "", ""]
    network, site, family, words = parts[0], parts[1], parts[2], parts[3:]
    known = family.startswith("FLUXNET") or family in ("ARCHIVE", "BASE", "BASE-BADM")
    if not known or not re.fullmatch(r"[A-Z0-9-]+", network) or not _SITE.fullmatch(site):
        return None
    rest = [word for word in words if word not in ("", "INTERIM")]
    steps = [word for word in rest if word in _STEPS]
    years = [word for word in rest if _YEARS.fullmatch(word)]
    product = next((word for word in rest if re.fullmatch(r"[A-Z][A-Z0-9]{2,}", word) and word not in _STEPS), "")
    version = "_".join(word for word in rest if word not in (*steps, *years[:1], product))
    return Name(
        site,
        family if family.startswith("BASE") else product,
        steps[0] if steps else None,
        int(years[0][5:]) if years else None,
        version or "unknown",
        match["kind"].lower(),
    )


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
        raise FileNotFoundError(f"no path was given; download the data from {HOME}")
    named_files = [item for item in paths if not item.is_dir()]
    if isinstance(site_id, str) and (len(named_files) != 1 or len(paths) != 1):
        raise ValueError(
            f"site_id={site_id!r} names one site but {len(paths)} path(s) were given; "
            f"give a mapping of file names to site ids, site_id={{'tower.csv': {site_id!r}}}"
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
        raise FileNotFoundError(f"no file or folder {str(path)!r}; download the data from {HOME}")
    name = read_name(path.name)
    if name is None and path.name not in ids and path.suffix.lower() == ".zip":
        name = _name_inside(path)
    if name is None:
        if path.name not in ids:
            raise ValueError(
                f"the site cannot be told from the file name {path.name!r} (published names look like "
                f"FLX_AT-Neu_FLUXNET2015_SUBSET_DD_2002-2012_1-4.csv or AMF_US-Ha1_FLUXNET_FLUXMET_DD_1991-2025_v1.3_r1"
                f".csv); give it, site_id='AT-Neu'"
            )
        return Source(path, ids[path.name], "unknown", None)
    if not name.is_daily:
        kind = f"the {name.product} product" if name.product not in _TABLES else _STEPS.get(name.step or "", "no table")
        raise ValueError(
            f"{path.name} is {kind}; only daily files (SUBSET_DD, FULLSET_DD, FLUXMET_DD or DD) are read: "
            f"give the DD file of the same download"
        )
    return Source(path, ids.get(path.name, name.site), name.version, name.last_year)


def _name_inside(path: Path) -> Name | None:
    """What the daily table in an archive says of its site, where the archive's own name does not."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [read_name(PurePosixPath(member).name) for member in archive.namelist()]
    except _BROKEN:
        return None  # said when it is read
    daily = [name for name in names if name is not None and name.is_daily and name.kind == "csv"]
    return daily[0] if len(daily) == 1 else None


def _scan_folder(folder: Path, ids: Mapping[str, str]) -> tuple[list[Source], list[str]]:
    """The daily files of a folder and of those in it, and what else looks like data."""
    sources, others = [], []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.name == "sites.csv" or any(part.startswith((".", "__MACOSX")) for part in inside) or not path.is_file():
            continue
        name = read_name(path.name)
        if path.name in ids or (name is not None and name.is_daily):
            sources.append(_source_of_file(path, ids))
        elif name is not None or path.suffix.lower() in _SUFFIXES:
            others.append((path.name, name.site if name is not None else None))
    if not sources:
        raise FileNotFoundError(
            f"no daily FLUXNET file (FLX_<site>_FLUXNET2015_SUBSET_DD_*.csv, <network>_<site>_FLUXNET_FLUXMET_DD_*.csv "
            f"or the published zip) in {str(folder)!r}; it has {[name for name, _ in others[:5]] or 'no csv or zip'}. "
            f"Download the data from {HOME}"
        )
    # The other steps and products of a site that is read are no surprise.
    read = {source.site for source in sources}
    return sources, [name for name, site in others if site not in read]


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
    """The daily table of a file, packed or not, of bounded size."""
    suffix, name = source.path.suffix.lower(), source.path.name
    try:
        if suffix == ".zip":
            with zipfile.ZipFile(source.path) as archive:
                member = _daily_member(archive, name, source.site)
                with archive.open(member) as stream:
                    return _read_bounded(stream, name), f"{name}:{PurePosixPath(member.filename).name}"
        if suffix == ".gz":
            with gzip.open(source.path) as stream:
                return _read_bounded(stream, name), name
    except _BROKEN as error:
        raise ValueError(f"{name} is not a sound {suffix[1:]} ({error}); download it again") from error
    with source.path.open("rb") as stream:
        return _read_bounded(stream, name), name


def _read_bounded(stream: IO[bytes] | gzip.GzipFile, name: str) -> bytes:
    """All bytes of a stream, whatever it promised; refused when they are more than any daily table has."""
    raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError(
            f"the daily table in {name} unpacks to more than {MAX_BYTES} bytes, which no published one has; "
            f"download it again"
        )
    return raw


def _daily_member(archive: zipfile.ZipFile, file: str, site: str) -> zipfile.ZipInfo:
    """The one daily csv of a published zip; read in memory, so member paths never reach the disk."""
    tables = [(info, PurePosixPath(info.filename).name) for info in archive.infolist() if not info.is_dir()]
    tables = [(info, name) for info, name in tables if name.lower().endswith(".csv") and not name.startswith(".")]
    named = [(info, read_name(name)) for info, name in tables]
    daily = [info for info, name in named if name is not None and name.is_daily]
    if not daily and not any(name for _, name in named):  # names of no network: by their step, or the only one
        daily = [info for info, name in tables if re.search(r"(^|_)DD[_.]", name)] or [info for info, _ in tables]
    if len(daily) != 1:
        raise ValueError(
            f"{file} holds {len(daily)} daily tables (*_DD_*.csv) where one is needed; its members are "
            f"{archive.namelist()[:8]}; unpack the one and give its path, with site_id= where its name is another"
        )
    inner, outer = read_name(PurePosixPath(daily[0].filename).name), read_name(file)
    if inner and outer and inner.site != outer.site and site == outer.site:
        raise ValueError(f"{file} holds the table of site {inner.site}; rename the zip or get it again")
    if daily[0].file_size > MAX_BYTES:
        raise ValueError(
            f"the daily table in {file} unpacks to {daily[0].file_size} bytes, "
            f"more than the {MAX_BYTES} any published one has; download it again"
        )
    return daily[0]


_PLACE = {"LOCATION_LAT": "lat", "LOCATION_LONG": "lon", "LOCATION_ELEV": "elevation", "IGBP": "igbp"}
_MAX_PLACE_BYTES = 16 * 2**20


def read_place(source: Source) -> dict[str, object]:
    """Position, elevation and land cover of a site from the metadata (BIF, SITEINFO) that come with its table."""
    if source.path.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(source.path) as archive:
                found = [member for member in archive.infolist() if _holds_place(PurePosixPath(member.filename).name)]
                raws = [archive.open(member).read(_MAX_PLACE_BYTES) for member in found]
        except _BROKEN:
            return {}  # said when the table is read
    else:
        beside = [path for path in source.path.parent.iterdir() if _holds_place(path.name) and source.site in path.name]
        raws = [path.open("rb").read(_MAX_PLACE_BYTES) for path in beside if path.is_file()]
    place: dict[str, object] = {}
    for raw in raws:
        try:
            table = pd.read_csv(io.BytesIO(raw), dtype=str, encoding_errors="replace")
        except ValueError:
            continue
        if not {"VARIABLE", "DATAVALUE"} <= set(table.columns):
            continue
        for variable, value in table[["VARIABLE", "DATAVALUE"]].dropna().itertuples(index=False):
            if variable in _PLACE:
                place.setdefault(_PLACE[variable], value if variable == "IGBP" else pd.to_numeric(value, "coerce"))
    return place


def _holds_place(file: str) -> bool:
    words = re.split(r"[_.]", file)
    return file.lower().endswith(".csv") and ("BIF" in words or "SITEINFO" in words)


def _parse(raw: bytes, where: str, wanted: Callable[[str], bool]) -> pd.DataFrame:
    header = _check_lines(raw, where)
    positions = [k for k, name in enumerate(header) if name == "TIMESTAMP" or wanted(name)]
    try:
        table = pd.read_csv(
            io.BytesIO(raw),
            header=None,
            skiprows=1,
            usecols=positions,
            dtype={header.index("TIMESTAMP"): str},
            encoding="utf-8-sig",
            skip_blank_lines=True,
            skipinitialspace=True,
        )
    except ValueError as error:  # bytes that are no text, quotes that do not end
        if isinstance(error, pd.errors.EmptyDataError):
            table = pd.DataFrame({k: pd.Series(dtype=str) for k in positions})
        else:
            raise ValueError(f"{where} is damaged ({error}); get the file again") from error
    table = table.rename(columns=dict(enumerate(header)))
    days = _parse_days(table.pop("TIMESTAMP"), where)
    for name, values in table.items():
        if len(values) and values.dtype.kind not in "fi":
            text = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()].iloc[0]
            raise ValueError(f"column {name} of {where} holds {text!r}, not numbers; get the file again")
    numbers = table.astype("float64")
    infinite = np.isinf(numbers.to_numpy()).any(axis=0)
    if infinite.any():
        raise ValueError(f"column {numbers.columns[infinite][0]} of {where} holds inf, not numbers; get the file again")
    return mask_codes(numbers).set_index(days)


def _check_lines(raw: bytes, where: str) -> list[str]:
    """The header of a table whose lines all have as many fields as it."""
    text = raw.removeprefix(b"\xef\xbb\xbf").rstrip()
    end = b"\n" if b"\n" in raw else b"\r"
    n_lines = text.count(end) + 1
    first = text.partition(end)[0].rstrip(b"\r")
    header = _read_header(first, where)
    if n_lines > MAX_LINES or len(header) > MAX_COLUMNS:
        raise ValueError(
            f"{where} has {n_lines} lines of {len(header)} columns, more than any daily record "
            f"({MAX_LINES}, {MAX_COLUMNS}); give the daily file, or get it again"
        )
    fields = np.frombuffer(text, np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(fields == end[0]) + 1])
    commas = np.add.reduceat(fields == ord(","), starts[starts < fields.size], dtype=np.int64)
    if (odd := np.flatnonzero(commas != commas[0])).size:
        number = int(odd[0])
        raise ValueError(
            f"line {number + 1} of {n_lines} of {where} has {commas[number] + 1} fields, the "
            f"header has {commas[0] + 1}; the file is truncated or damaged: get it again"
        )
    if not raw.endswith((b"\n", b"\r")):  # the last number may lack digits
        raise ValueError(
            f"the last line of {where} does not end; the file is truncated: get it again, or add the "
            f"line's end when it is whole"
        )
    return header


def _read_header(line: bytes, where: str) -> list[str]:
    """The names of the columns, with or without quotes and spaces."""
    text = line[: 64 * MAX_COLUMNS].decode("utf-8", errors="replace")
    try:
        header = [name.strip() for name in next(csv.reader([text]), [""])]
    except csv.Error as error:
        raise ValueError(f"the header of {where} is damaged ({error}); get the file again") from error
    if "TIMESTAMP" not in header:
        finer = " (TIMESTAMP_START: half-hourly or weekly)" if "TIMESTAMP_START" in header else ""
        other = next((mark for mark in (";", "\t") if "TIMESTAMP" in [n.strip('" ') for n in text.split(mark)]), None)
        if other:
            finer = f" (its fields are parted by {other!r}; write it with commas and decimal points)"
        raise ValueError(
            f"{where} is not a daily FLUXNET table: no column TIMESTAMP{finer}; "
            f"it starts with {header[:4]}. Download the data from {HOME}"
        )
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise ValueError(f"{where} has the column(s) {twice} more than once; get the file again")
    return header


def _parse_days(stamps: pd.Series, where: str) -> pd.DatetimeIndex:
    kinds = {4: "yearly", 6: "monthly", 12: "half-hourly"}
    stamps = stamps.fillna("").str.strip()
    wrong = stamps[~stamps.str.fullmatch(r"\d{8}")]
    if len(wrong):
        kind = kinds.get(len(str(wrong.iloc[0])), "no date")
        raise ValueError(f"TIMESTAMP of {where} holds {wrong.iloc[0]!r} ({kind}); daily files have YYYYMMDD")
    days = pd.to_datetime(stamps, format="%Y%m%d", errors="coerce")
    wrong = stamps[~is_plausible(days)]
    if len(wrong):
        raise ValueError(f"TIMESTAMP of {where} holds {wrong.iloc[0]!r}, which is no date of a record")
    return pd.DatetimeIndex(days, name="time")
