"""Does a driver's day end after the target's day of the same date, because the two are counted by different times?"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from xdrought.calendars import DAY_BOUNDARY, LOCAL_DAYS, offset_of_days, utc_days
from xdrought.leakage.audited_data import Audit, shown
from xdrought.leakage.report import ABSENT, LEAK, PASSED, UNKNOWN, Finding

CHECK = "day boundaries"


def check_day_boundaries(audit: Audit) -> Finding:
    """Hours by which each driver's day ends later than the target's, at every place.

    On the day of issue these hours are still to come.
    """
    looked_at = f"attribute {DAY_BOUNDARY!r} of drivers and target, in hours from UTC at every place"
    names = [audit.target, *(name for name in audit.forecaster.drivers if _changes(audit, name))]
    said = {name: str(audit.central[name].attrs.get(DAY_BOUNDARY, "")) for name in names}
    silent = [str(name) for name in names if not said[name]]
    if len(silent) == len(names):
        return Finding(CHECK, ABSENT, looked_at, "no variable says by which time its days are counted")
    if not said[audit.target]:
        return Finding(CHECK, UNKNOWN, looked_at, _unsaid([str(audit.target)]))
    try:
        later = {name: _hours_later(audit, said[name]) for name in names[1:] if said[name]}
    except ValueError as error:
        return Finding(CHECK, UNKNOWN, looked_at, str(error))
    numbers = {f"hours later, {name}": float(np.nanmax(hours)) for name, hours in later.items() if _known(hours).any()}
    ahead = {name: hours for name, hours in later.items() if (_known(hours) & (np.nan_to_num(hours) > 0)).any()}
    if ahead:
        return Finding(CHECK, LEAK, looked_at, _words(audit, said, ahead), numbers)
    if silent:
        return Finding(CHECK, UNKNOWN, looked_at, _unsaid(silent), numbers)
    if lost := [str(name) for name, hours in later.items() if not _known(hours).all()]:
        return Finding(CHECK, UNKNOWN, looked_at, f"local days at places without a longitude: {shown(lost)}", numbers)
    return Finding(CHECK, PASSED, looked_at, "no driver's day ends after that of the target", numbers)


def _changes(audit: Audit, name: Hashable) -> bool:
    """Whether a driver is one of days: not the same value all the time."""
    values = audit.series(name)
    return bool((np.nanmax(values, axis=1) > np.nanmin(values, axis=1)).any())


def _hours_later(audit: Audit, boundary: str) -> np.ndarray:
    """(places,) hours from the end of the target's day to the end of a driver's; NaN without a longitude."""
    target = audit.central[audit.target].attrs[DAY_BOUNDARY]
    if boundary == target:
        return np.zeros(len(audit.place_names))
    return _offsets(audit, target) - _offsets(audit, boundary)


def _offsets(audit: Audit, boundary: str) -> np.ndarray:
    """(places,) hours from UTC to the time by which days are counted.

    Of local standard time: a coordinate `utc_offset` of the places, else the whole hour next to the sun's time.
    """
    fixed = offset_of_days(boundary)
    if fixed is not None:
        return np.full(len(audit.place_names), fixed)
    first = audit.central[audit.target].isel({audit.time: 0}, drop=True)
    lon = first.coords.get("lon", first * np.nan)
    hours = np.round(((lon + 180.0) % 360.0 - 180.0) / 15.0)
    known = first.coords.get("utc_offset", hours * np.nan)
    both = known.where(np.isfinite(known), hours).broadcast_like(first)
    return both.transpose(*audit.places).to_numpy().ravel().astype("float64")


def _known(hours: np.ndarray) -> np.ndarray:
    return np.isfinite(hours)


def _unsaid(names: list[str]) -> str:
    return f"{shown(names)} without {DAY_BOUNDARY!r}, e.g. {utc_days()!r}, {utc_days(10)!r} or {LOCAL_DAYS!r}"


def _words(audit: Audit, said: dict[Hashable, str], ahead: dict[Hashable, np.ndarray]) -> str:
    """Which driver knows how many hours of the next day, where most, and by which hour its days should be counted."""
    name = max(ahead, key=lambda one: float(np.nanmax(ahead[one])))
    place = int(np.nanargmax(ahead[name]))
    earliest = float(np.nanmax(_offsets(audit, said[audit.target])))  # midnight comes first in the east
    hours = f"{ahead[name][place]:g} hour{'' if ahead[name][place] == 1 else 's'}"
    return (
        f"{hours} of the day after at {audit.place_names[place]} in {name} ({said[name]}, target "
        f"{said[audit.target]}); {len(ahead)} driver(s) in all: make their days of hourly values anew, which end with "
        f"the earliest day of the target, e.g. open_era5(path, utc_offset={earliest:g})"
    )
