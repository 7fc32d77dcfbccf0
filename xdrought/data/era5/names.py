"""The drivers, the soil layers below them, and by what names files hold what they are made of."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import xarray as xr

# ECMWF short name: the names that mean the same quantity with the same sign. ``var`` numbers are those of
# GRIB table 128. CMIP's evspsbl is not here: its sign is the opposite of ECMWF's e.
ALIASES: dict[str, tuple[str, ...]] = {
    "t2m": ("t2m", "2t", "2m_temperature", "var167", "tas"),
    "d2m": ("d2m", "2d", "2m_dewpoint_temperature", "var168", "tdps"),
    "mx2t": ("mx2t", "maximum_2m_temperature_since_previous_post_processing", "var201", "tasmax"),
    "cape": ("cape", "convective_available_potential_energy", "var59"),
    "tp": ("tp", "total_precipitation", "var228", "mtpr", "avg_tprate", "mean_total_precipitation_rate", "pr"),
    "e": ("e", "evaporation", "total_evaporation", "var182", "mer", "avg_ie", "mean_evaporation_rate"),
    "sp": ("sp", "surface_pressure", "var134", "ps"),
    "r": ("r", "relative_humidity", "var157", "hurs"),
    "z": ("z", "geopotential", "var129"),
    "gh": ("gh", "geopotential_height", "var156"),
    "z500": ("z500",),
    "ws10": ("ws10", "si10", "10si", "10m_wind_speed", "var207", "sfcWind"),
    "u10": ("u10", "10u", "10m_u_component_of_wind", "var165", "uas"),
    "v10": ("v10", "10v", "10m_v_component_of_wind", "var166", "vas"),
    **{
        f"stl{k}": (f"stl{k}", f"soil_temperature_level_{k}", f"var{n}")
        for k, n in {1: 139, 2: 170, 3: 183, 4: 236}.items()
    },
    **{f"swvl{k}": (f"swvl{k}", f"volumetric_soil_water_layer_{k}", f"var{38 + k}") for k in (1, 2, 3, 4)},
}
_SHORT = {alias: short for short, aliases in ALIASES.items() for alias in aliases}

# Names of the vertical dimension, all in pressure.
LEVELS = ("pressure_level", "level", "isobaricInhPa", "isobaricInPa", "plev")


class Driver(NamedTuple):
    """One daily driver: its attributes and what it may be made of, first choice first."""

    long_name: str
    units: str
    statistic: str
    inputs: tuple[tuple[str, ...], ...]


DRIVERS: dict[str, Driver] = {
    "d2m": Driver("dewpoint temperature at 2 m, mean of the day", "K", "mean", (("d2m",),)),
    "t2m": Driver("temperature at 2 m, mean of the day", "K", "mean", (("t2m",),)),
    "mx2t": Driver("temperature at 2 m, maximum of the day", "K", "maximum", (("mx2t",), ("t2m",))),
    "cape": Driver("convective available potential energy, mean of the day", "J kg-1", "mean", (("cape",),)),
    "tp": Driver("precipitation, sum of the day", "m", "sum", (("tp",),)),
    "e": Driver("evaporation, sum of the day, negative upwards", "m", "sum", (("e",),)),
    "sp": Driver("surface pressure, mean of the day", "Pa", "mean", (("sp",),)),
    "r": Driver("relative humidity, mean of the day", "%", "mean", (("r",), ("t2m", "d2m"))),
    "z500": Driver("geopotential height at 500 hPa, mean of the day", "m", "mean", (("z500",), ("gh",), ("z",))),
    "ws10": Driver("wind speed at 10 m, mean of the day", "m s-1", "mean", (("ws10",), ("u10", "v10"))),
    "stl1": Driver("temperature of the uppermost soil layer, mean of the day", "K", "mean", (("stl1",),)),
    "swvl1": Driver("volumetric water of the uppermost soil layer, mean of the day", "m3 m-3", "mean", (("swvl1",),)),
}
# Top and bottom of the layers of HTESSEL, m.
LAYER_BOUNDS = {1: (0.0, 0.07), 2: (0.07, 0.28), 3: (0.28, 1.0), 4: (1.0, 2.89)}
# Further layers, made when they are asked for by name.
LAYERS: dict[str, Driver] = {
    **{
        f"stl{k}": Driver(f"temperature of soil layer {k}, mean of the day", "K", "mean", ((f"stl{k}",),))
        for k in (2, 3, 4)
    },
    **{
        f"swvl{k}": Driver(f"volumetric water of soil layer {k}, mean of the day", "m3 m-3", "mean", ((f"swvl{k}",),))
        for k in (2, 3, 4)
    },
}
KNOWN = DRIVERS | LAYERS
# What each field is, in the table of physical limits.
QUANTITY = {
    **dict.fromkeys(("t2m", "mx2t"), "air temperature"),
    "d2m": "dew-point temperature",
    "cape": "convective available potential energy",
    "tp": "precipitation, amount",
    "e": "evaporation, amount",
    "sp": "air pressure at the surface",
    "r": "relative humidity",
    "z": "geopotential",
    **dict.fromkeys(("gh", "z500"), "geopotential height of 500 hPa"),
    **dict.fromkeys(("ws10", "u10", "v10"), "wind"),
    **{f"stl{k}": "soil or surface temperature" for k in LAYER_BOUNDS},
    **{f"swvl{k}": "volumetric soil moisture" for k in LAYER_BOUNDS},
}


def inputs_of(drivers: tuple[str, ...]) -> set[str]:
    """Short names of everything that may go into the drivers."""
    return {name for driver in drivers for choice in KNOWN[driver].inputs for name in choice}


def find_inputs(ds: xr.Dataset, wanted: set[str]) -> dict[str, Hashable]:
    """Short name to the name in `ds`, for the wanted quantities that are there."""
    result: dict[str, Hashable] = {}
    for name in ds.data_vars:
        short = _SHORT.get(str(name))
        if short not in wanted:
            continue
        if short in result:
            raise ValueError(
                f"{str(result[short])!r} and {str(name)!r} are both {short!r}; "
                f"keep one, e.g. ds.drop_vars({str(name)!r})"
            )
        result[short] = name
    return result


def choose_inputs(name: str, have: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The first choice of inputs of a driver that is there whole."""
    choices = KNOWN[name].inputs
    return next((choice for choice in choices if all(source in have for source in choice)), None)


def require_inputs(drivers: tuple[str, ...], have: Mapping[str, Any], there: list[str]) -> None:
    """Raise, naming for every driver without its inputs the ERA5 variables it could be made of."""
    absent = [name for name in drivers if choose_inputs(name, have) is None]
    if absent:
        needs = "; ".join(f"{name!r} needs {_choices(name)}" for name in absent)
        others = [name for name in drivers if name not in absent]
        fewer = f"ask for fewer drivers: drivers={others}" if others else "rename what is called otherwise"
        raise ValueError(
            f"{needs}. Found: {', '.join(there) or 'no variable'}. Add the files that hold them, or {fewer}"
        )


def _choices(name: str) -> str:
    return ", or ".join(" and ".join(_described(source) for source in choice) for choice in KNOWN[name].inputs)


def _described(source: str) -> str:
    names = ALIASES[source]
    long_name = next((alias for alias in names if "_" in alias), "")
    return f"{source} ({long_name})" if long_name else source
