"""Each daily driver from the fields it is made of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from xdrought.data._era5_days import DAY, HOUR, daily_statistic, read_stamps, total_since_midnight
from xdrought.data._era5_names import DRIVERS, choose_inputs
from xdrought.units import convert

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
    name: str, inputs: Mapping[str, xr.DataArray], accumulation: str, min_hours: float | None, caller: str
) -> xr.DataArray:
    """One driver on (time, lat, lon), one value a day; its inputs must be there."""
    choice = choose_inputs(name, inputs)
    assert choice is not None
    sources = xr.align(*(inputs[source] for source in choice), join="inner")  # on the times that all have
    if DRIVERS[name].statistic == "sum":
        daily, comment = _daily_water(sources[0], accumulation, caller), None
    elif name == "mx2t":
        daily, comment = _daily_maximum(sources[0], choice[0], accumulation, min_hours, caller)
    else:
        field, comment = _field(name, choice, sources, caller)
        daily = daily_statistic(field, "mean", ends=False, min_hours=min_hours, caller=caller)
    return _labelled(daily, name, sources, comment)


def _field(
    name: str, choice: tuple[str, ...], sources: tuple[xr.DataArray, ...], caller: str
) -> tuple[xr.DataArray, str | None]:
    """The quantity at each of its times, in the driver's units, and a remark."""
    if choice == ("z",):
        return convert(sources[0], "m2 s-2", caller=caller) / GRAVITY, f"geopotential divided by {GRAVITY} m s-2"
    if len(choice) == 1:
        return convert(sources[0], DRIVERS[name].units, caller=caller), None
    daily = read_stamps(sources[0], caller).step == DAY
    if name == "r":
        made = relative_humidity(*(convert(da, "K", caller=caller) for da in sources))
        return made, (_OF_MEANS if daily else "") + "over water, IFS Documentation CY41R2 part IV Eq. 7.5"
    u, v = (convert(da, "m s-1", caller=caller) for da in sources)
    remark = _OF_MEANS + "the speed of the mean wind, below the mean speed" if daily else "mean of sqrt(u10^2 + v10^2)"
    return (u**2 + v**2) ** 0.5, remark


def _daily_maximum(
    da: xr.DataArray, source: str, accumulation: str, min_hours: float | None, caller: str
) -> tuple[xr.DataArray, str]:
    kelvin = convert(da, "K", caller=caller)
    if source == "mx2t":
        _require_steps(da, accumulation, caller)
        daily = daily_statistic(kelvin, "maximum", ends=True, min_hours=min_hours, caller=caller)
        return daily, "maximum of the maxima since previous post-processing"
    stamps = read_stamps(da, caller)
    if stamps.step == DAY:
        raise ValueError(
            f"{caller}: 'mx2t' cannot be made of daily {str(da.attrs['original_name'])!r}, the maximum of "
            f"one value; give "
            f"hourly t2m or mx2t (maximum_2m_temperature_since_previous_post_processing), or leave it out "
            f"of drivers="
        )
    daily = daily_statistic(kelvin, "maximum", ends=False, min_hours=min_hours, caller=caller)
    return daily, f"maximum of {stamps.per_day} instantaneous values of t2m a day, at most the true one"


def _daily_water(da: xr.DataArray, accumulation: str, caller: str) -> xr.DataArray:
    """Metres of water a day of amounts or rates."""
    water, is_rate = _water(da, caller)
    if accumulation == "since_midnight" and not is_rate:
        return total_since_midnight(water, caller)
    _require_steps(da, accumulation, caller)
    if not is_rate:
        return daily_statistic(water, "sum", ends=True, min_hours=None, caller=caller)
    return daily_statistic(water, "mean", ends=True, min_hours=None, caller=caller)  # m/day over one day


def _water(da: xr.DataArray, caller: str) -> tuple[xr.DataArray, bool]:
    """The values in m or m/day, and whether they are the latter."""
    units = da.attrs.get("units")
    named = da.assign_attrs(units=_WATER.get(units.strip(), units)) if isinstance(units, str) else da
    try:
        return convert(named, "m/day", caller=caller), True
    except ValueError:
        return convert(named, "m", caller=caller), False


def _require_steps(da: xr.DataArray, accumulation: str, caller: str) -> None:
    """Raise when values of one hour do not fill the day."""
    step = read_stamps(da, caller).step
    if accumulation != "step" and step not in (HOUR, DAY):
        raise ValueError(
            f"{caller}: {da.name!r} comes every {step / HOUR:g} h, and values of one hour each would leave "
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
    kelvin = [convert(da, "K", caller="relative_humidity") for da in (t2m, d2m)]
    saturation, vapour = (17.502 * (da - 273.16) / (da - 32.19) for da in kelvin)  # logarithms
    made = xr.apply_ufunc(np.exp, vapour - saturation, dask="allowed") * 100.0
    return made.rename("r").assign_attrs(long_name="relative humidity at 2 m over water", units="%")
