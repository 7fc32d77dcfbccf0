"""Each daily driver from the fields it is made of."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

from xdrought.checks import public
from xdrought.data.era5.days import DAY, HOUR, daily_statistic, read_stamps, total_since_midnight
from xdrought.units import convert

# ECMWF short name: the names that mean the same quantity with the same sign. ``var`` numbers are those of
# GRIB table 128. CMIP's evspsbl is not here: its sign is the opposite of ECMWF's e.
ALIASES: dict[str, tuple[str, ...]] = {
    "t2m": ("t2m", "2t", "2m_temperature", "var167", "tas"),
    "d2m": ("d2m", "2d", "2m_dewpoint_temperature", "var168", "tdps"),
    "mx2t": ("mx2t", "maximum_2m_temperature_since_previous_post_processing", "var201", "tasmax"),
    "cape": ("cape", "convective_available_potential_energy", "var59"),
    "tp": (
        "tp",
        "total_precipitation",
        "var228",
        "mtpr",
        "avg_tprate",
        "mean_total_precipitation_rate",
        "pr",
    ),
    "e": ("e", "evaporation", "total_evaporation", "var182", "mer", "mean_evaporation_rate"),
    "sp": ("sp", "surface_pressure", "var134", "ps"),
    "r": ("r", "relative_humidity", "var157", "hurs"),
    "z": ("z", "geopotential", "var129"),
    "gh": ("gh", "geopotential_height", "var156"),
    "z500": ("z500",),
    "ws10": ("ws10", "si10", "10si", "10m_wind_speed", "var207", "sfcWind"),
    "u10": ("u10", "10u", "10m_u_component_of_wind", "var165", "uas"),
    "v10": ("v10", "10v", "10m_v_component_of_wind", "var166", "vas"),
    "stl1": ("stl1", "soil_temperature_level_1", "var139"),
    "swvl1": ("swvl1", "volumetric_soil_water_layer_1", "var39"),
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


def inputs_of(drivers: tuple[str, ...]) -> set[str]:
    """Short names of everything that may go into the drivers."""
    return {name for driver in drivers for choice in DRIVERS[driver].inputs for name in choice}


def find_inputs(ds: xr.Dataset, wanted: set[str]) -> dict[str, Hashable]:
    """Short name to the name in `ds`, for the wanted quantities that are there."""
    found: dict[str, Hashable] = {}
    for name in ds.data_vars:
        short = _SHORT.get(str(name))
        if short not in wanted:
            continue
        if short in found:
            raise ValueError(
                f"{str(found[short])!r} and {str(name)!r} are both {short!r}; keep one, "
                f"e.g. ds.drop_vars({str(name)!r})"
            )
        found[short] = name
    return found


def choose_inputs(name: str, have: Mapping[str, xr.DataArray]) -> tuple[str, ...] | None:
    """The first choice of inputs of a driver that is there whole."""
    choices = DRIVERS[name].inputs
    return next((choice for choice in choices if all(source in have for source in choice)), None)


def require_inputs(drivers: tuple[str, ...], have: Mapping[str, xr.DataArray], there: list[str]) -> None:
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
    return ", or ".join(" and ".join(_described(source) for source in choice) for choice in DRIVERS[name].inputs)


def _described(source: str) -> str:
    names = ALIASES[source]
    long_name = next((alias for alias in names if "_" in alias), "")
    return f"{source} ({long_name})" if long_name else source


GRAVITY = 9.80665  # m s-2, by which ECMWF divides geopotential
# Water: 1 kg m-2 is 1 mm at 1000 kg m-3.
_WATER = {
    "kg m-2": "mm",
    "kg m**-2": "mm",
    "kg m-2 s-1": "mm/s",
    "kg m**-2 s**-1": "mm/s",
}
_OF_MEANS = "made of daily means: "


def make_driver(
    name: str, inputs: Mapping[str, xr.DataArray], accumulation: str, min_hours: float | None
) -> xr.DataArray:
    """One driver on (time, lat, lon), one value a day; its inputs must be there."""
    choice = choose_inputs(name, inputs)
    assert choice is not None
    sources = xr.align(*(inputs[source] for source in choice), join="inner")  # on the times that all have
    if DRIVERS[name].statistic == "sum":
        daily, comment = _daily_water(sources[0], accumulation), None
    elif name == "mx2t":
        daily, comment = _daily_maximum(sources[0], choice[0], accumulation, min_hours)
    else:
        field, comment = _field(name, choice, sources)
        daily = daily_statistic(field, "mean", ends=False, min_hours=min_hours)
    return _labelled(daily, name, sources, comment)


def _field(name: str, choice: tuple[str, ...], sources: tuple[xr.DataArray, ...]) -> tuple[xr.DataArray, str | None]:
    """The quantity at each of its times, in the driver's units, and a remark."""
    if choice == ("z",):
        return convert(sources[0], "m2 s-2") / GRAVITY, f"geopotential divided by {GRAVITY} m s-2"
    if len(choice) == 1:
        return convert(sources[0], DRIVERS[name].units), None
    daily = read_stamps(sources[0]).step == DAY
    if name == "r":
        made = relative_humidity(*(convert(da, "K") for da in sources))
        return made, (_OF_MEANS if daily else "") + "over water, IFS Documentation CY41R2 part IV Eq. 7.5"
    u, v = (convert(da, "m s-1") for da in sources)
    remark = _OF_MEANS + "the speed of the mean wind, below the mean speed" if daily else "mean of sqrt(u10^2 + v10^2)"
    return (u**2 + v**2) ** 0.5, remark


def _daily_maximum(
    da: xr.DataArray, source: str, accumulation: str, min_hours: float | None
) -> tuple[xr.DataArray, str]:
    kelvin = convert(da, "K")
    if source == "mx2t":
        _require_steps(da, accumulation)
        daily = daily_statistic(kelvin, "maximum", ends=True, min_hours=min_hours)
        return daily, "maximum of the maxima since previous post-processing"
    stamps = read_stamps(da)
    if stamps.step == DAY:
        raise ValueError(
            f"'mx2t' cannot be made of daily {str(da.attrs['original_name'])!r}, the maximum of "
            f"one value; give "
            f"hourly t2m or mx2t (maximum_2m_temperature_since_previous_post_processing), or leave it out "
            f"of drivers="
        )
    daily = daily_statistic(kelvin, "maximum", ends=False, min_hours=min_hours)
    return daily, f"maximum of {stamps.per_day} instantaneous values of t2m a day, at most the true one"


def _daily_water(da: xr.DataArray, accumulation: str) -> xr.DataArray:
    """Metres of water a day of amounts or rates."""
    water, is_rate = _water(da)
    if accumulation == "since_midnight" and not is_rate:
        return total_since_midnight(water)
    _require_steps(da, accumulation)
    if not is_rate:
        return daily_statistic(water, "sum", ends=True, min_hours=None)
    return daily_statistic(water, "mean", ends=True, min_hours=None)  # m/day over one day


def _water(da: xr.DataArray) -> tuple[xr.DataArray, bool]:
    """The values in m or m/day, and whether they are the latter."""
    units = da.attrs.get("units")
    named = da.assign_attrs(units=_WATER.get(units.strip(), units)) if isinstance(units, str) else da
    try:
        return convert(named, "m/day"), True
    except ValueError:
        return convert(named, "m"), False


def _require_steps(da: xr.DataArray, accumulation: str) -> None:
    """Raise when values of one hour do not fill the day."""
    step = read_stamps(da).step
    if accumulation != "step" and step not in (HOUR, DAY):
        raise ValueError(
            f"{da.name!r} comes every {step / HOUR:g} h, and values of one hour each would leave "
            f"out "
            f'{1 - HOUR / step:.0%} of the day; accumulation="step" if each is of the whole time since the '
            f"stamp "
            f'before; "since_midnight" for totals since 00 UTC (ERA5-Land); else give every hour'
        )


def _labelled(daily: xr.DataArray, name: str, sources: tuple[xr.DataArray, ...], comment: str | None) -> xr.DataArray:
    driver = DRIVERS[name]
    attrs: dict[str, object] = {
        "long_name": driver.long_name,
        "units": driver.units,
        "cell_methods": f"time: {driver.statistic} within days",
        "made_of": ", ".join(str(da.attrs["original_name"]) for da in sources),
    }
    notes = [note for note in (comment, *(da.attrs.get("level_used") for da in sources)) if note]
    attrs |= {"comment": "; ".join(notes)} if notes else {}
    attrs |= {key: daily.attrs[key] for key in ("days_missing_inside", "days_left_out_at_the_ends")}
    attrs |= {key: sources[0].attrs[key] for key in ("source",) if key in sources[0].attrs}
    made = daily.rename(name).transpose("time", "lat", "lon")
    made.attrs = attrs
    return made


@public
def relative_humidity(t2m: xr.DataArray, d2m: xr.DataArray) -> xr.DataArray:
    """Relative humidity at 2 m over water, from temperature and dewpoint.

    Parameters
    ----------
    t2m, d2m : xarray.DataArray
        Any shape, with units of temperature.

    Returns
    -------
    xarray.DataArray
        Percent. A little over 100 where packing lifts the dewpoint above the temperature; not clipped.

    Raises
    ------
    ValueError
        Units missing or not of temperature.

    Notes
    -----
    ``100 es(d2m) / es(t2m)`` with ``es = 611.21 exp(17.502 (T - 273.16) / (T - 32.19))`` Pa, IFS
    Documentation CY41R2, part IV, Eq. 7.5, for water at all temperatures, as ERA5's dewpoint is.

    References
    ----------
    ECMWF (2016), IFS Documentation CY41R2, part IV, section 7.2.1b; Buck (1981),
    https://doi.org/10.1175/1520-0450(1981)020<1527:NEFCVP>2.0.CO;2.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.data.era5 import relative_humidity
    >>> t, d = (xr.DataArray(x, attrs={"units": "degC"}) for x in (20.0, 10.0))
    >>> round(float(relative_humidity(t, d)), 1)
    52.5
    """
    kelvin = [convert(da, "K") for da in (t2m, d2m)]
    saturation, vapour = (17.502 * (da - 273.16) / (da - 32.19) for da in kelvin)  # logarithms
    made = xr.apply_ufunc(np.exp, vapour - saturation, dask="allowed") * 100.0
    return made.rename("r").assign_attrs(long_name="relative humidity at 2 m over water", units="%")
