"""What can be simulated, and what cannot: the settings of a twin checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdrought.data._twin_soil import MAX_LAG, PATHS
from xdrought.data._twin_world import DRIVERS, STEP

MAX_SITES = 999  # a site's name has three digits


def check_sites(n_sites: int, size: int) -> None:
    if not 1 <= n_sites <= MAX_SITES:
        raise ValueError(f"simulate: n_sites={n_sites}; expected 1 to {MAX_SITES}")
    if size < 1:
        raise ValueError(f"simulate: size={size}; a patch has at least one cell")


def check_settings(
    caller: str,
    n_days: int,
    seed: int,
    noise: float,
    spinup_days: int,
    drivers: Sequence[str],
    strengths: Mapping[str, float] | None,
    lags: Mapping[str, int] | None,
) -> None:
    for name, value, least in (("n_days", n_days, 1), ("seed", seed, 0), ("spinup_days", spinup_days, 0)):
        if value < least:
            raise ValueError(f"{caller}: {name}={value}; expected {least} or more")
    if not noise >= 0:
        raise ValueError(f"{caller}: noise={noise}; expected a factor of 0 or more")
    unknown = [name for name in drivers if name not in DRIVERS]
    if unknown or isinstance(drivers, str):
        raise ValueError(f"{caller}: drivers={drivers!r} must be a list from {list(DRIVERS)}; unknown: {unknown}")
    pathless = [name for name in (*(strengths or {}), *(lags or {})) if name not in PATHS]
    if pathless:
        raise ValueError(
            f"{caller}: {pathless} have no path to the soil that could be planted; only {list(PATHS)} have"
        )
    for name, strength in (strengths or {}).items():
        if not 0 <= strength <= 1:
            raise ValueError(f"{caller}: the strength {strength} of {name!r} is outside 0 to 1")
    for name, days in (lags or {}).items():
        if not 0 <= days <= MAX_LAG or days != int(days):
            raise ValueError(f"{caller}: the lag {days} of {name!r} is not a whole number of days, 0 to {MAX_LAG}")


def check_region(n_lat: int, n_lon: int, north: float, west: float) -> None:
    south = north - STEP * (n_lat - 1)
    if n_lat < 1 or n_lon < 1 or n_lon * STEP > 360 or north > 90 or south < -90 or not -180 <= west <= 360:
        raise ValueError(
            f"simulate_grid: {n_lat} x {n_lon} cells of {STEP} degree from {north} N, {west} E are not a region "
            f"of the globe; choose fewer cells or another corner"
        )
