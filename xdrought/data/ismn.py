"""International Soil Moisture Network: hourly ``.stm`` files of stations to daily soil moisture, layer by layer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars, checks
from xdrought.data.layers import depth_attrs
from xdrought.data.sites import SiteRecord, insert_missing_days, is_plausible, mask_codes, mask_impossible, to_dataset
from xdrought.public_functions import public

REFERENCE = "Dorigo et al. (2021), https://doi.org/10.5194/hess-25-5749-2021"
HOME = "https://ismn.earth (free, after registration)"
MAX_BYTES = 256 * 2**20
_DATE = re.compile(r"\d{4}/\d{2}/\d{2}")
_CEOP_FIELDS, _HEADER_FIELDS = 14, 8
# Variables of file names: name here, units, what a day is, and its name in words.
_KINDS = {
    "sm": ("soil_moisture", "m3 m-3", "mean", "volumetric soil moisture"),
    "ts": ("soil_temperature", "degC", "mean", "soil temperature"),
    "ta": ("TA", "degC", "mean", "air temperature"),
    "p": ("P", "mm", "sum", "precipitation"),
}


@dataclass(frozen=True)
class Sensor:
    """One ``.stm`` file: where the sensor is, and its readings with their flags by UTC time."""

    network: str
    station: str
    kind: str
    lat: float
    lon: float
    elevation: float
    top: float
    bottom: float
    sensor: str
    readings: pd.DataFrame

    @property
    def site(self) -> str:
        return f"{self.network}:{self.station}"


@public
def open_ismn(
    path: str | PathLike | Iterable[str | PathLike],
    *,
    sites: Sequence[str] | None = None,
    depth: float | None = None,
    layers: bool = False,
    flags: Sequence[str] = ("G",),
    min_hours: int = 18,
    utc_offset: float | str = 0.0,
) -> xr.Dataset:
    """Read stations of the International Soil Moisture Network as one SITE Dataset of days.

    Parameters
    ----------
    path : path or iterable of paths
        ``.stm`` files, in either format that the network offers ("header + values" or CEOP), or folders that hold such
        at any depth: an archive as it was unpacked. Soil moisture, soil and air temperature and precipitation are read,
        other variables left aside.
    sites : sequence of str, optional
        Keep these only, in this order: ``"NETWORK:STATION"``.
    depth : float, optional
        The depth in metres whose sensor becomes ``soil_moisture``; None: the uppermost of each station. Of several
        sensors at one depth the one with most accepted readings is taken.
    layers : bool
        Also every depth under its own name, ``soil_moisture_0.05`` and the like, for
        :func:`xdrought.data.soil_profile` and :func:`xdrought.data.root_zone`.
    flags : sequence of str
        Quality flags of the network whose readings are kept: ``"G"``, good, or also ``"C01"`` to ``"D10"``. A reading
        with several flags needs them all.
    min_hours : int
        Hours of a day with an accepted reading that its mean needs, 1 to 24; a sum of rain needs all 24.
    utc_offset : float or "local"
        Hours from UTC to the time by which days are counted, -12 to 14; "local": the whole hour next to the sun's time
        at the longitude of each station. Readings are stamped in UTC.

    Returns
    -------
    xarray.Dataset
        ``soil_moisture`` (m3 m-3) and, where there are files, ``soil_temperature`` (degC, the depth next to that of
        the soil moisture), ``TA`` (degC) and ``P`` (mm), float64 (site, time), days without a gap. On site:
        ``lat lon elevation depth sensor utc_offset record_start record_end`` and the counts of the other readers;
        ``rejected_days`` are days that lack accepted readings only. Values that cannot be are NaN, with a warning.

    Raises
    ------
    FileNotFoundError
        No such path, or no ``.stm`` file in the folder.
    ValueError
        A file that is none, is cut short or has more than 256 MB; a site twice with other places; unknown sites; no
        soil moisture at all.

    References
    ----------
    Dorigo et al. (2021), https://doi.org/10.5194/hess-25-5749-2021.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xdrought.data import open_ismn
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "NET_NET_Abc_sm_0.050000_0.050000_Probe_20010101_20010101.stm"
    >>> lines = [f"2001/01/01 {hour:02d}:00 0.2{hour % 2} G M" for hour in range(24)]
    >>> _ = file.write_text("\\n".join(["NET NET Abc 47.0 11.0 900.0 0.05 0.05 Probe", *lines]) + "\\n")
    >>> ds = open_ismn(file)
    >>> ds.site.values, ds.soil_moisture.values.round(3), ds.depth.values
    (array(['NET:Abc'], dtype='<U7'), array([[0.205]]), array([0.05]))
    """
    checks.require_integer(min_hours, "min_hours", of="hours")
    if min_hours > 24:
        raise ValueError(f"min_hours={min_hours}; a day has 24")
    if utc_offset != "local" and (isinstance(utc_offset, str) or not -12 <= utc_offset <= 14):
        raise ValueError(f'utc_offset={utc_offset!r}; give hours from -12 to 14, or "local"')
    flags = (flags,) if isinstance(flags, str) else tuple(flags)
    by_site: dict[str, list[Sensor]] = defaultdict(list)
    for file in _files(path):
        if (kind := _kind_of(file)) is not None:
            sensor = read_stm(file, kind)
            by_site[sensor.site].append(sensor)
    wanted = _chosen(by_site, sites)
    made = [_record(by_site[site], depth, layers, flags, min_hours, utc_offset) for site in wanted]
    records = [record for record in made if record is not None]
    names = dict.fromkeys(name for record in records for name in record.table.columns)
    if "soil_moisture" not in names:
        raise ValueError(f"none of the stations {wanted[:8]} has a file of soil moisture (_sm_); add these files")
    boundary = calendars.LOCAL_DAYS if utc_offset == "local" else calendars.utc_days(float(utc_offset))
    about = {name: {**_attributes(name, records), calendars.DAY_BOUNDARY: boundary} for name in names}
    title = {"title": "ISMN daily records", "references": REFERENCE, "accepted_flags": " ".join(flags)}
    return mask_impossible(to_dataset(records, about, title))


def read_stm(path: Path, kind: str) -> Sensor:
    """One file of either format; refuses what is none."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} has more than {MAX_BYTES} bytes, which no station has; get it again")
    text = path.read_text(encoding="utf-8", errors="replace")
    first = text.partition("\n")[0].split()
    is_ceop = bool(first) and _DATE.fullmatch(first[0]) is not None
    if len(first) < (_CEOP_FIELDS if is_ceop else _HEADER_FIELDS):
        raise ValueError(f"{path.name} does not begin as .stm files do; get it again from {HOME}")
    if not text.endswith("\n"):
        raise ValueError(f"the last line of {path.name} is not complete; get the file again")
    lines = text.splitlines()[0 if is_ceop else 1 :]
    rows = [line.split() for line in lines if line.strip()]
    at = (12, 13) if is_ceop else (2, 3)
    short = next((k for k, row in enumerate(rows) if len(row) <= at[1]), None)
    if short is not None or not rows:
        where = "no line" if short is None else f"line {short + (1 if is_ceop else 2)}"
        raise ValueError(f"{path.name} has {where} of date, time, value and flag; the file is damaged: get it again")
    times = pd.to_datetime(pd.Series([f"{r[0]} {r[1]}" for r in rows]), format="%Y/%m/%d %H:%M", errors="coerce")
    written = pd.Series([r[at[0]] for r in rows])
    values = pd.to_numeric(written, errors="coerce")
    if not is_plausible(times).all() or (values.isna() & (written.str.lower() != "nan")).any():
        raise ValueError(f"{path.name} has lines whose dates or values are none; the file is damaged: get it again")
    readings = pd.DataFrame({"value": values.to_numpy("float64"), "flag": [r[at[1]] for r in rows]}, index=times)
    place = first[5:] if is_ceop else first[1:]  # network, station, lat, lon, elevation, top, bottom
    try:
        lat, lon, elevation, top, bottom = (float(text) for text in place[2:7])
    except ValueError as error:
        raise ValueError(f"{path.name} does not say where the sensor is ({error}); get it again") from error
    if not (abs(lat) <= 90 and abs(lon) <= 360):
        raise ValueError(f"{path.name} gives latitude {lat:g} and longitude {lon:g}, which cannot be; get it again")
    sensor = " ".join(place[7:]) if not is_ceop else _sensor_of(path)
    return Sensor(place[0], place[1], kind, lat, lon, elevation, abs(top), abs(bottom), sensor, readings)


def _files(path: str | PathLike | Iterable[str | PathLike]) -> list[Path]:
    found: list[Path] = []
    for item in [Path(path)] if isinstance(path, str | PathLike) else [Path(one) for one in path]:
        inside = sorted(item.rglob("*.stm")) if item.is_dir() else [item]
        if not inside or not inside[0].is_file():
            what = f"no .stm file in {str(item)!r} or below" if item.is_dir() else f"no file or folder {str(item)!r}"
            raise FileNotFoundError(f"{what}; download them from {HOME}, and archives have to be unpacked")
        found += inside
    return list(dict.fromkeys(found))


def _kind_of(path: Path) -> str | None:
    """The variable of a file name: the word before the two depths, or of a CEOP file the last but one."""
    match = re.search(r"_(?P<kind>[a-z]+)_-?\d+\.\d+_-?\d+\.\d+_", path.name)
    if match is None:
        raise ValueError(
            f"{path.name!r} is not named as published, "
            f"<network>_<network>_<station>_sm_<depth>_<depth>_<sensor>_<day>_<day>.stm; rename it"
        )
    return match["kind"] if match["kind"] in _KINDS else None


def _sensor_of(path: Path) -> str:
    match = re.search(r"_-?\d+\.\d+_-?\d+\.\d+_(?P<sensor>.+)_\d{8}_\d{8}", path.name)
    return match["sensor"] if match else ""


def _chosen(by_site: dict[str, list[Sensor]], sites: Sequence[str] | None) -> list[str]:
    if sites is None:
        return sorted(by_site)
    unknown = [site for site in sites if site not in by_site]
    if unknown or isinstance(sites, str):
        raise ValueError(f"sites={sites!r} must be a list of sites that are there; there are {sorted(by_site)}")
    return list(dict.fromkeys(sites))


def _record(
    sensors: list[Sensor],
    depth: float | None,
    layers: bool,
    flags: tuple[str, ...],
    min_hours: int,
    utc_offset: float | str,
) -> SiteRecord | None:
    """The daily table of one station; None without a sensor at the depth asked for."""
    first = sensors[0]
    if any((s.lat, s.lon) != (first.lat, first.lon) for s in sensors):
        raise ValueError(f"the files of {first.site} give several places; read them apart, as the sites that they are")
    offset = round(first.lon / 15) if utc_offset == "local" else float(utc_offset)
    series: dict[str, pd.Series] = {}
    moisture = _best(sensors, "sm", flags)
    target = _nearest(moisture, depth, first.site)
    if target is None and moisture:
        return None
    rejected = 0
    if target is not None:
        series["soil_moisture"] = _daily(target, flags, min_hours, offset)
        every = _daily(target, None, min_hours, offset)
        rejected = int((every.notna() & series["soil_moisture"].reindex(every.index).isna()).sum())
        _tell_no_day(target, series["soil_moisture"], flags, min_hours)
    if layers:
        series |= {_layer_name(s): _daily(s, flags, min_hours, offset) for s in moisture}
    below = _nearest(_best(sensors, "ts", flags), target.top if target else depth, None)
    others = [("ts", below), *((kind, next(iter(_best(sensors, kind, flags)), None)) for kind in ("ta", "p"))]
    for kind, sensor in others:
        if sensor is not None:
            series[_KINDS[kind][0]] = _daily(sensor, flags, 24 if kind == "p" else min_hours, offset)
    table, inserted = insert_missing_days(pd.DataFrame(series), where=f"station {first.site}")
    place = {
        "lat": first.lat,
        "lon": first.lon,
        "elevation": float(mask_codes(pd.DataFrame({"elevation": [first.elevation]}))["elevation"].iloc[0]),
        "depth": float("nan") if target is None else (target.top + target.bottom) / 2,
        "sensor": "" if target is None else target.sensor,
        "utc_offset": float(offset),
    }
    return SiteRecord(first.site, table, place, {"inserted_days": inserted, "rejected_days": rejected})


def _best(sensors: list[Sensor], kind: str, flags: tuple[str, ...]) -> list[Sensor]:
    """One sensor of each depth, the one with most accepted readings, downwards."""
    found: dict[tuple[float, float], Sensor] = {}
    for sensor in sensors:
        if sensor.kind != kind:
            continue
        key = (sensor.top, sensor.bottom)
        if key not in found or _accepted(sensor, flags).sum() > _accepted(found[key], flags).sum():
            found[key] = sensor
    return [found[key] for key in sorted(found)]


def _nearest(sensors: list[Sensor], depth: float | None, site: str | None) -> Sensor | None:
    """The sensor at a depth; of soil moisture it must be there, of anything else the next one does."""
    if not sensors or depth is None:
        return sensors[0] if sensors else None
    best = min(sensors, key=lambda s: abs((s.top + s.bottom) / 2 - depth))
    if site is not None and not best.top - 0.01 <= depth <= best.bottom + 0.01:
        checks.warn(f"{site} has no sensor at {depth:g} m, but at {[s.top for s in sensors]} m; it is left out")
        return None
    return best


def _accepted(sensor: Sensor, flags: tuple[str, ...] | None) -> np.ndarray:
    given = sensor.readings["flag"].to_numpy(str)
    if flags is None:
        return given != "M"
    known = {text: all(one in flags for one in text.split(",")) for text in np.unique(given)}
    return np.array([known[text] for text in given], bool)


def _daily(sensor: Sensor, flags: tuple[str, ...] | None, min_hours: int, offset: float) -> pd.Series:
    """Means, or sums, of the days of a zone that have readings in enough of their hours."""
    values = mask_codes(sensor.readings[["value"]])["value"].where(_accepted(sensor, flags))
    stamps = pd.DatetimeIndex(values.index) + pd.Timedelta(hours=offset)
    hourly = values.groupby(stamps.floor("h"))
    is_sum = _KINDS[sensor.kind][2] == "sum"
    hours = hourly.sum(min_count=1) if is_sum else hourly.mean()
    days = hours.groupby(pd.DatetimeIndex(hours.index).floor("D"))
    total = days.sum(min_count=1) if is_sum else days.mean()
    return total.where(days.count() >= min_hours)


def _tell_no_day(sensor: Sensor, days: pd.Series, flags: tuple[str, ...], min_hours: int) -> None:
    """Say why a station that has readings has no day."""
    if days.notna().any():
        return
    accepted = _accepted(sensor, flags)
    hours = pd.DatetimeIndex(sensor.readings.index)[accepted].floor("h").unique()
    most = hours.floor("D").value_counts().max() if len(hours) else 0
    flagged = sorted({text for text in sensor.readings["flag"] if text != "M"} - set(flags))
    why = f"its readings have the flags {flagged}; name those that are good, flags={[*flags, *flagged[:1]]}"
    if accepted.any():
        why = f"no day has more than {most} accepted hours, of {min_hours}; ask for less, min_hours={most}"
    checks.warn(f"soil moisture of {sensor.site} is missing on every day: {why}")


def _layer_name(sensor: Sensor) -> str:
    """Name of the variable of a depth, which tells it in metres."""
    to = f"-{sensor.bottom:.2f}" if sensor.bottom > sensor.top else ""
    return f"soil_moisture_{sensor.top:.2f}{to}"


def _attributes(name: str, records: Sequence[SiteRecord]) -> dict[str, Any]:
    layer = re.fullmatch(r"soil_moisture_(?P<top>\d+\.\d\d)(-(?P<bottom>\d+\.\d\d))?", name)
    kind = next(k for k, (known, *_) in _KINDS.items() if known == ("soil_moisture" if layer else name))
    _, unit, way, text = _KINDS[kind]
    attrs: dict[str, Any] = {"long_name": text, "units": unit, "cell_methods": f"time: {way} within days"}
    if kind == "sm":
        attrs["standard_name"] = "volume_fraction_of_condensed_water_in_soil"
    depths = {record.place["depth"] for record in records}
    if layer is not None:
        attrs |= depth_attrs(float(layer["top"]), float(layer["bottom"] or layer["top"]))
    elif name == "soil_moisture" and len(depths) == 1:
        attrs |= {"depth": depths.pop(), "depth_units": "m"}
    return attrs
