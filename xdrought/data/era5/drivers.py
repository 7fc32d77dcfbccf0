"""Each daily driver made of its fields: days of hours, units, and what is derived of what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, calendars, limits
from xdrought.checks import step_text
from xdrought.data.era5.days import (
    DAY,
    HOUR,
    DailyValues,
    amounts_of_steps,
    daily_statistic,
    join_days,
    read_stamps,
    refuse_land,
    tell_no_whole_day,
    time_name,
    total_since_midnight,
)
from xdrought.data.era5.fields import ReaderSettings
from xdrought.data.era5.names import KNOWN, LAYER_BOUNDS, QUANTITY, choose_inputs
from xdrought.data.era5.pieces import overlap
from xdrought.public_functions import public
from xdrought.units import convert, converts

GRAVITY = 9.80665  # m s-2, by which ECMWF divides geopotential
# What amounts and rates of water come in, and metres in one of each; 1 kg m-2 is 1 mm at 1000 kg m-3.
_RATES = {"m d-1": 1.0, "kg m-2 d-1": 1e-3}
_AMOUNTS = {"m": 1.0, "kg m-2": 1e-3}
_OF_MEANS = "made of daily means: "


def make_driver(name: str, inputs: Mapping[str, Sequence[xr.DataArray]], settings: ReaderSettings) -> xr.DataArray:
    """One driver on (time, lat, lon), one value a day; its inputs, fields of one step each, must be there."""
    choice = choose_inputs(name, inputs)
    assert choice is not None
    matched = _match(name, [inputs[source] for source in choice])
    made = [_make_days(name, choice, sources, settings) for sources in matched]
    days = [part for part, _ in made if part is not None]
    if not days:
        ends = KNOWN[name].statistic == "sum" or choice == ("mx2t",)
        need = None if KNOWN[name].statistic == "sum" else settings.min_hours
        raise ValueError(_tell_no_day(matched[0][0], ends, need, settings))
    comments = list(dict.fromkeys(comment for part, comment in made if part is not None and comment))
    daily = join_days(days, matched[0][0].name)
    driver = _labelled(daily, name, matched[0], comments)
    if KNOWN[name].statistic == "sum":  # hours that can be may make a day that cannot
        driver = limits.check(driver, quantity=QUANTITY.get(name), name=name)
    first, *others = {_day_boundary(source) for sources in matched for source in sources}
    return driver if others or first is None else driver.assign_attrs({calendars.DAY_BOUNDARY: first})


def _day_boundary(da: xr.DataArray) -> str | None:
    """When the days of a driver begin; of daily fields only they themselves can say it."""
    if read_stamps(da).step == DAY:
        return da.attrs.get(calendars.DAY_BOUNDARY)
    return calendars.utc_days(da.attrs.get("utc_offset", 0.0))


def _tell_no_day(da: xr.DataArray, ends: bool, min_hours: float | None, settings: ReaderSettings) -> str:
    if ends and settings.accumulation == "since_midnight":
        return (
            f"{da.name!r} has no value at 00 UTC, where a total since midnight is that of the day before; "
            f"add these times"
        )
    return tell_no_whole_day(da, ends=ends, min_hours=min_hours)


def _match(name: str, sources: Sequence[Sequence[xr.DataArray]]) -> list[tuple[xr.DataArray, ...]]:
    """Fields that a driver is made of, side by side on the times that all have; days are never put beside hours."""
    if len(sources) == 1:
        return [(field,) for field in sources[0]]
    first, second = sources
    pairs: list[tuple[xr.DataArray, ...]] = []
    for one in first:
        for other in second:
            if not overlap(one, other):
                continue
            steps = [read_stamps(da).step for da in (one, other)]
            if (steps[0] == DAY) != (steps[1] == DAY):
                texts = [
                    f"{da.name!r} every {step_text(step / DAY)}" for da, step in zip((one, other), steps, strict=True)
                ]
                finer = one if steps[1] == DAY else other
                dim = time_name(finer)
                raise ValueError(
                    f"{name!r} cannot be made of {texts[0]} and {texts[1]}; bring them to one step, e.g. the finer "
                    f"one to days, ds.resample({dim}='D').mean(keep_attrs=True)"
                )
            pairs.append(xr.align(one, other, join="inner"))
    if not pairs:
        spans = [f"{da.name!r} {da.indexes['time'][0]} to {da.indexes['time'][-1]}" for da in (first[0], second[0])]
        raise ValueError(
            f"{name!r} cannot be made of {spans[0]} and {spans[1]}: no time is in both; add what is missing"
        )
    return pairs


def _make_days(
    name: str, choice: tuple[str, ...], sources: tuple[xr.DataArray, ...], settings: ReaderSettings
) -> tuple[DailyValues | None, str | None]:
    """The days that fields of one step make, and a remark."""
    if KNOWN[name].statistic == "sum":
        return _daily_water(sources[0], settings), None
    if name == "mx2t":
        return _daily_maximum(sources[0], choice[0], settings)
    field, remark = _field(name, choice, sources)
    field = field.rename(sources[0].name).assign_attrs(sources[0].attrs)
    return daily_statistic(field, "mean", ends=False, min_hours=settings.min_hours), remark


def _field(name: str, choice: tuple[str, ...], sources: tuple[xr.DataArray, ...]) -> tuple[xr.DataArray, str | None]:
    """The quantity at each of its times, in the driver's units, and a remark."""
    if choice == ("z",):
        return convert(sources[0], "m2 s-2") / GRAVITY, f"geopotential divided by {GRAVITY} m s-2"
    if len(choice) == 1:
        return convert(sources[0], KNOWN[name].units), None
    daily = read_stamps(sources[0]).step == DAY
    if name == "r":
        made = relative_humidity(*(convert(da, "K") for da in sources))
        return made, (_OF_MEANS if daily else "") + "over water, IFS Documentation CY41R2 part IV Eq. 7.5"
    u, v = (convert(da, "m s-1") for da in sources)
    remark = _OF_MEANS + "the speed of the mean wind, below the mean speed" if daily else "mean of sqrt(u10^2 + v10^2)"
    return (u**2 + v**2) ** 0.5, remark


def _daily_maximum(da: xr.DataArray, source: str, settings: ReaderSettings) -> tuple[DailyValues | None, str]:
    kelvin = convert(da, "K")
    if source == "mx2t":
        _require_steps(da, settings.accumulation)
        daily = daily_statistic(kelvin, "maximum", ends=True, min_hours=settings.min_hours)
        return daily, "maximum of the maxima since previous post-processing"
    stamps = read_stamps(da)
    if stamps.step == DAY:
        raise ValueError(
            f"'mx2t' cannot be made of daily {str(da.attrs['original_name'])!r}, the maximum of one value; give hourly "
            f"t2m or mx2t (maximum_2m_temperature_since_previous_post_processing), or leave it out of drivers="
        )
    daily = daily_statistic(kelvin, "maximum", ends=False, min_hours=settings.min_hours)
    return daily, f"maximum of {stamps.per_day} instantaneous values of t2m a day, at most the true one"


def _daily_water(da: xr.DataArray, settings: ReaderSettings) -> DailyValues | None:
    """Metres of water a day of amounts or rates."""
    water, is_rate = _water(da)
    accumulation = settings.accumulation
    is_daily = read_stamps(da).step == DAY
    if accumulation is None and not is_rate and not is_daily:
        refuse_land(da.name, da.attrs.get("land_evidence", ""))
    if accumulation == "since_midnight" and not is_rate:
        if not settings.utc_offset:
            return total_since_midnight(water)
        utc = water.assign_coords(time=water.indexes["time"] - pd.Timedelta(hours=settings.utc_offset))
        amounts = amounts_of_steps(utc)
        local = amounts.assign_coords(time=amounts.indexes["time"] + pd.Timedelta(hours=settings.utc_offset))
        return daily_statistic(local, "sum", ends=True, min_hours=None)
    _require_steps(da, accumulation)
    if not is_rate:
        return daily_statistic(water, "sum", ends=True, min_hours=None)
    return daily_statistic(water, "mean", ends=True, min_hours=None)  # m/day over one day


def _water(da: xr.DataArray) -> tuple[xr.DataArray, bool]:
    """The values in m or m/day, and whether they are the latter."""
    for kinds, is_rate, wanted in ((_RATES, True, "m d-1"), (_AMOUNTS, False, "m")):
        for units, metres in kinds.items():
            if converts(da, units):
                return (convert(da, units) * metres).rename(da.name).assign_attrs(
                    {**da.attrs, "units": wanted}
                ), is_rate
    raise ValueError(
        f"{da.name!r} has units {da.attrs['units']!r}, which cannot be converted to an amount of water (m, mm, kg m-2) "
        f"or to a rate (m d-1, kg m-2 s-1); check that the right variable was given, or correct its units attribute"
    )


def _require_steps(da: xr.DataArray, accumulation: str | None) -> None:
    """Raise when values of one hour do not fill the day."""
    step = read_stamps(da).step
    if accumulation != "step" and step not in (HOUR, DAY):
        raise ValueError(
            f"{da.name!r} comes every {step / HOUR:g} h, and values of one hour each would leave out "
            f'{1 - HOUR / step:.0%} of the day; accumulation="step" if each is of the whole time since the stamp '
            f'before; "since_midnight" for totals since 00 UTC (ERA5-Land); else give every hour'
        )


def _labelled(
    daily: xr.DataArray, name: str, sources: tuple[xr.DataArray, ...], comments: Sequence[str]
) -> xr.DataArray:
    driver = KNOWN[name]
    attrs: dict[str, object] = {
        "long_name": driver.long_name,
        "units": driver.units,
        "cell_methods": f"time: {driver.statistic} within days",
        "made_of": ", ".join(str(da.attrs["original_name"]) for da in sources),
    }
    layer = LAYER_BOUNDS.get(int(name[-1])) if name.startswith(("stl", "swvl")) else None
    attrs |= {"depth_from": layer[0], "depth_to": layer[1], "depth_units": "m"} if layer else {}
    notes = [*comments, *(da.attrs["level_used"] for da in sources if da.attrs.get("level_used"))]
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
        Units missing or not of temperature; other labels; missing codes and impossible values.

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
    t2m = limits.check(t2m, quantity="air temperature", name="t2m")
    d2m = limits.check(d2m, quantity="dew-point temperature", name="d2m")
    kelvin = [convert(da, "K") for da in (t2m, alignment.align_to(t2m, d2m, what="d2m"))]
    saturation, vapour = (17.502 * (da - 273.16) / (da - 32.19) for da in kelvin)  # logarithms
    made = xr.apply_ufunc(np.exp, vapour - saturation, dask="allowed") * 100.0
    return made.rename("r").assign_attrs(long_name="relative humidity at 2 m over water", units="%")
