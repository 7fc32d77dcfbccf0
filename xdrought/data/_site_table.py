"""Where sites are: a small table of site, lat, lon, elevation and land cover."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

_TABLE_NAMES = {
    "site": ("site", "site_id"),
    "lat": ("lat", "latitude", "location_lat"),
    "lon": ("lon", "longitude", "location_long"),
    "elevation": ("elevation", "elevation_m", "location_elev"),
    "igbp": ("igbp",),
}


def read_places(
    site_table: str | PathLike | pd.DataFrame | None, sites: Sequence[tuple[str, Path]], caller: str
) -> pd.DataFrame:
    """Positions by site, from the table or ``sites.csv`` in the folders of the sites; warns of the rest."""
    if site_table is None:
        beside = {folder / "sites.csv" for _, folder in sites}
        there = [path for path in sorted(beside) if path.is_file()]
        tables = [_normalise(_read(path, caller), str(path), caller) for path in there]
        nowhere = pd.DataFrame({"lat": [], "lon": []}, index=pd.Index([], name="site"))
        places = pd.concat(tables) if tables else nowhere
        places = places[~places.index.duplicated()]
    elif isinstance(site_table, pd.DataFrame):
        places = _normalise(site_table, "site_table", caller)
    else:
        if not Path(site_table).is_file():
            raise FileNotFoundError(f"{caller}: no site table {str(site_table)!r}")
        places = _normalise(_read(Path(site_table), caller), str(site_table), caller)
    unknown = [site for site, _ in sites if site not in places.index]
    if unknown:
        warnings.warn(
            f"{caller}: no position for {unknown}: lat and lon are NaN; give site_table= or put sites.csv "
            f"(site,lat,lon) beside the files",
            stacklevel=3,
        )
    return places


def _read(path: Path, caller: str) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except ValueError as error:  # nothing in it, not a table, not a text
        raise ValueError(f"{caller}: {path} is not a csv table of sites ({error}); write site,lat,lon in it") from error


def _normalise(table: pd.DataFrame, where: str, caller: str) -> pd.DataFrame:
    lower = {str(name).lower(): name for name in table.columns}
    found = {
        name: next((lower[alias] for alias in aliases if alias in lower), None)
        for name, aliases in _TABLE_NAMES.items()
    }
    absent = [name for name in ("site", "lat", "lon") if found[name] is None]
    if absent:
        raise ValueError(f"{caller}: {where} lacks the column(s) {absent}; it has {list(table.columns)}")
    places = pd.DataFrame({name: table[column] for name, column in found.items() if column is not None})
    places = places.set_index("site")
    if places.index.has_duplicates:
        raise ValueError(f"{caller}: {where} has {places.index[places.index.duplicated()][0]} twice; keep one row")
    for name in ("lat", "lon"):
        degrees = pd.to_numeric(places[name], errors="coerce")
        text = places.index[degrees.isna() & places[name].notna()]
        if len(text):
            raise ValueError(f"{caller}: {where} gives {name} of {list(text)} in words; expected decimal degrees")
        places[name] = degrees
    wrong = places.index[(places["lat"].abs() > 90) | (places["lon"].abs() > 360)]
    if len(wrong):
        raise ValueError(f"{caller}: {where} puts {list(wrong)} off the globe; are lat and lon exchanged?")
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
