"""Weather forecasts as archives ship them, to the weather of the lead days: (init_time, lead_time[, member]).

ECMWF open data, S2S and GEFS reforecasts, WeatherBench 2 and earth2studio: names of dimensions and variables, totals
since the start, 6-hourly steps. Nothing is guessed of units.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.choices import LastKnown
from xdrought.data.collocate import collocate
from xdrought.data.era5.drivers import GRAVITY, relative_humidity
from xdrought.data.era5.names import KNOWN, QUANTITY
from xdrought.data.era5.opening import open_all
from xdrought.data.forecast_days import (
    STEP,
    Steps,
    extreme_of,
    lead_days,
    mean_of_moments,
    mean_of_spans,
    since_the_start,
    sum_of_spans,
)
from xdrought.data.forecast_layout import INIT, LEAD, MEMBER, fields_of, joined_pieces, laid_out
from xdrought.limits import check
from xdrought.public_functions import public
from xdrought.units import convert, converts

# How long a value of such a name is of.
_SPANS = {"total_precipitation_6hr": "6h", "total_precipitation_24hr": "24h", "tp06": "6h"}
# Units of sums, the factors that lead to them, and those of rates.
_WATER = ("m", {"m": 1.0, "kg m-2": 1e-3}, {"m d-1": 1.0, "kg m-2 d-1": 1e-3})
_RADIATION = ("J m-2", {"J m-2": 1.0}, {"J m-2 d-1": 1.0})
_SUMS = {"tp": _WATER, "e": _WATER, **dict.fromkeys(("ssr", "ssrd", "str", "strd"), _RADIATION)}
_GROWS = frozenset({"tp", "ssr", "ssrd", "strd"})  # totals that never fall
_MADE_OF: dict[str, tuple[tuple[str, ...], ...]] = {
    **{name: driver.inputs for name, driver in KNOWN.items()},
    "mn2t": (("mn2t",), ("t2m",)),
    **{name: ((name,),) for name in ("ssr", "ssrd", "str", "strd")},
}
_UNITS = {**{name: driver.units for name, driver in KNOWN.items()}, "mn2t": "K"}
_KNOWN_UP_TO = {"run_day": 1, "day_before": 0}


@public
def open_forecast(
    source: str | PathLike | xr.Dataset | Iterable[Any],
    drivers: Sequence[str] | Mapping[Hashable, str],
    *,
    sites: xr.Dataset | pd.DataFrame | None = None,
    last_known: LastKnown = "run_day",
    accumulation: str | None = None,
    units: Mapping[str, str] | None = None,
    members: int | None = None,
    leads: int | None = None,
    chunks: Any = "auto",
) -> xr.Dataset:
    """Open weather forecasts as an archive or a weather model gives them, as daily values of the lead days.

    Parameters
    ----------
    source : path, Dataset, or several of one kind
        NetCDF, GRIB (with the package cfgrib) or zarr; folders and patterns too; or open Datasets. Files of different
        variables, runs, members and steps may come in any order, and together must hold each of these for each other.
        Runs are on ``time``, ``init_time`` or ``forecast_reference_time``; steps on ``step``, ``lead_time``,
        ``prediction_timedelta`` or ``forecast_period`` (durations, or numbers with units); members on ``number``,
        ``member``, ``realization`` or ``ensemble``.
    drivers : sequence of str, or mapping
        ECMWF's short names: ``t2m d2m mx2t mn2t tp e sp r z500 ws10 cape ssr ssrd str strd``, soil layers. A mapping
        also says what each is called in the result, as the record that it belongs to calls it:
        ``{"P_DAILY_CALC": "tp"}``.
    sites : xarray.Dataset or pandas.DataFrame, optional
        ``lat`` and ``lon`` of sites, of which the nearest cell is taken; by default the grid is kept.
    last_known : {"run_day", "day_before"}
        The last day whose observations are known when a run is used; it becomes ``init_time``, and lead day 1 is the
        day after. ``run_day`` leaves out what is left of the day of the run. ``day_before`` is for runs of 00 UTC that
        are used in the morning: their first day is lead day 1.
    accumulation : {"since_start", "step"} or a length of time, optional
        What a value of rain, evaporation or radiation is the amount of: all since the start of the run, as ECMWF
        gives it; the time since the step before; or a time after which totals begin anew, of which only the whole ones
        are read: ``"6h"`` for GEFS. By default what the name says (``total_precipitation_6hr``, ``tp06``), else since
        the start. Rates are rates whatever is given.
    units : mapping of str to str, optional
        Units of variables that have none, by their names in the source.
    members, leads : int, optional
        How many members and lead days there must be; further lead days are left out.
    chunks : int, dict, "auto" or None
        Of files, as for :func:`xarray.open_dataset`. None reads into memory.

    Returns
    -------
    xarray.Dataset
        Drivers on (init_time, lead_time[, member], lat, lon), or (site, ...), lazy for dask: what `forcing` of
        :func:`xdrought.fit_onset` and :func:`xdrought.fit_resattcaurec` takes. Means, largest (``mx2t``) and smallest
        (``mn2t``) values and sums of whole days of UTC, in K, m (``tp e``), J m-2, Pa, %, m s-1. ``valid_time`` on
        (init_time, lead_time); ``lat`` from north to south, ``lon`` from -180 to below 180.

    Raises
    ------
    FileNotFoundError
        A path that does not exist.
    ImportError
        The package that reads such a file is not installed.
    KeyError
        A driver that is unknown, or whose variables are not in the source.
    ValueError
        Without runs or steps; runs out of order, twice on one day or at different hours; a run, member or step that
        lacks somewhere; a lead day that is not whole; fewer members or lead days than asked for; totals that fall;
        missing or other units; impossible values (of dask data when they are computed).
    TypeError
        For something else than paths and Datasets.

    See Also
    --------
    xdrought.degrade_forcing : forecasts of a chosen quality, where no archive is at hand.

    Notes
    -----
    Instantaneous fields need the moments from 00 UTC on, six hours apart or closer; extremes and amounts the steps
    after 00 up to 24 UTC. Step 0 is of no use to these and may be there or not. ``ws10`` is the mean of the speeds,
    ``r`` of the humidities of the moments, over water; ``mx2t`` of ``t2m`` is the largest of the moments, which is at
    most the true one.

    References
    ----------
    Rasp et al. 2024, WeatherBench 2, https://doi.org/10.1029/2023MS004019; Vitart et al. 2017, the S2S database,
    https://doi.org/10.1175/BAMS-D-16-0017.1; Guan et al. 2022, GEFSv12 reforecasts,
    https://doi.org/10.1175/MWR-D-21-0245.1.

    Examples
    --------
    Totals since the start, six-hourly: 1 mm in each step.

    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.data import open_forecast
    >>> steps = pd.to_timedelta(np.arange(0, 79, 6), "h")
    >>> axes = {"time": pd.date_range("2020-05-01", periods=2), "step": steps, "latitude": [50.0], "longitude": [8.0]}
    >>> tp = xr.DataArray(np.zeros((2, 14, 1, 1)), axes, tuple(axes), attrs={"units": "mm"})
    >>> tp = (tp + xr.DataArray(np.arange(14.0), dims="step")).assign_attrs(units="mm")
    >>> forcing = open_forecast(tp.to_dataset(name="tp"), {"rain": "tp"})
    >>> forcing.rain.squeeze().values, forcing.lead_time.values.astype("timedelta64[D]").astype(int)
    (array([[0.004, 0.004],
           [0.004, 0.004]]), array([1, 2]))
    """
    checks.require_choice(last_known, "last_known", tuple(_KNOWN_UP_TO))
    wanted = _wanted(drivers)
    parts = [laid_out(part) for part in _parts(source, chunks)]
    needed = {short for name in wanted.values() for choice in _MADE_OF[name] for short in choice}
    fields = {short: joined_pieces(pieces, short) for short, pieces in fields_of(parts, needed, units or {}).items()}
    made = {
        name: _driver(short, fields, accumulation, _KNOWN_UP_TO[last_known]).rename(name)
        for name, short in wanted.items()
    }
    n_leads = min(da.sizes[LEAD] for da in made.values())
    if leads is not None and n_leads < leads:
        raise ValueError(f"the forecasts have {n_leads} whole lead days, {leads} are asked for; add later steps")
    n_leads = n_leads if leads is None else leads
    out = xr.Dataset({name: da.isel({LEAD: slice(n_leads)}) for name, da in made.items()})
    if members is not None and out.sizes.get(MEMBER, 1) != members:
        have = out[MEMBER].values.tolist() if MEMBER in out.coords else "no dimension of members"
        raise ValueError(f"the forecasts have the members {have}, {members} are asked for; add those that lack")
    days = pd.DatetimeIndex(out.indexes[INIT]).normalize() - pd.Timedelta(days=1 - _KNOWN_UP_TO[last_known])
    valid = np.stack([days + pd.Timedelta(days=lead) for lead in range(1, n_leads + 1)], axis=1)
    spans = pd.to_timedelta(np.arange(1, n_leads + 1), unit="D").as_unit("s")
    out = out.assign_coords({INIT: days.rename(INIT), LEAD: spans, "valid_time": ((INIT, LEAD), valid)})
    if sites is not None:
        out = collocate(out, sites, size=1, time=INIT).isel(patch_lat=0, patch_lon=0)
        out = out.drop_vars(["cell_lat", "cell_lon"]).assign_coords(valid_time=((INIT, LEAD), valid))
    places = ("site",) if sites is not None else ()
    out = out.transpose(*places, INIT, LEAD, MEMBER, "lat", "lon", ..., missing_dims="ignore")
    return out.assign_attrs(title="weather of the lead days", last_known=last_known).drop_encoding()


def _wanted(drivers: Sequence[str] | Mapping[Hashable, str]) -> dict[Hashable, str]:
    """Name in the result to ECMWF's short name."""
    if isinstance(drivers, str):
        raise TypeError(f"drivers={drivers!r} is one name; give a list, [{drivers!r}]")
    wanted: dict[Hashable, str] = dict(drivers) if isinstance(drivers, Mapping) else {name: name for name in drivers}
    unknown = [name for name in wanted.values() if name not in _MADE_OF]
    if unknown or not wanted:
        raise KeyError(
            f"drivers {unknown} are unknown; choose from {list(_MADE_OF)}, or say what yours are, "
            f"drivers={{'rain': 'tp'}}"
        )
    return wanted


def _parts(source: Any, chunks: Any) -> list[xr.Dataset]:
    """The Datasets of what was given."""
    several: list[Any] = [source] if isinstance(source, str | PathLike | xr.Dataset) else list(source)
    if several and all(isinstance(one, xr.Dataset) for one in several):
        return several
    if not several or not all(isinstance(one, str | PathLike) for one in several):
        kinds = sorted({type(one).__name__ for one in several})
        raise TypeError(f"source holds {kinds or 'nothing'}; give paths, or Datasets")
    try:
        return open_all(several, chunks)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{str(error).partition('; download ERA5')[0]}; give the files of the forecast"
        ) from None


# --- one driver ------------------------------------------------------------------------------------------------------


def _driver(name: str, fields: Mapping[str, xr.DataArray], accumulation: str | None, first: int) -> xr.DataArray:
    """A driver on (init_time, lead_time, ...) in its units."""
    choice = next((c for c in _MADE_OF[name] if all(source in fields for source in c)), None)
    if choice is None:
        needs = " or ".join(" and ".join(c) for c in _MADE_OF[name])
        raise KeyError(f"{name!r} needs {needs}; the source has {sorted(fields) or 'none of what was asked for'}")
    sources = [fields[source] for source in choice]
    steps = _steps(sources[0], first)
    source = str(sources[0].name)
    if name in _SUMS:
        _, values = _sum(name, sources[0], steps, _SPANS.get(source) if accumulation is None else accumulation)
        units = _SUMS[name][0]
    else:
        units = _UNITS[name]
        checked = [
            check(da, quantity=QUANTITY.get(s), name=str(da.name)) for s, da in zip(choice, sources, strict=True)
        ]
        field = _instantaneous(name, choice, checked).rename(source)
        if name in ("mx2t", "mn2t"):
            of_spans = choice[0] == name
            one_day = partial(extreme_of, largest=name == "mx2t", of_spans=of_spans)
            _, values = lead_days(field, steps, one_day, "evenly spaced steps")
        else:
            _, values = lead_days(field, steps, *_mean(sources[0]))
    made = check(values.assign_attrs(units=units), quantity=QUANTITY.get(name), name=name)
    attrs = {"units": units, "made_of": ", ".join(str(da.name) for da in sources)}
    if name in KNOWN:
        attrs["long_name"] = KNOWN[name].long_name
    made.attrs = attrs
    return made


def _mean(da: xr.DataArray) -> tuple[Any, str]:
    """How a mean is taken, of moments or of means of the time before each step, and what it needs in words."""
    if da.attrs.get("GRIB_stepType") == "avg" or "mean" in str(da.attrs.get("cell_methods", "")):
        return mean_of_spans, "evenly spaced steps"
    return mean_of_moments, (
        "steps six hours apart or closer (or, where a value is the mean of the time before, "
        "ds[name].attrs['cell_methods'] = 'step: mean')"
    )


def _steps(da: xr.DataArray, first: int) -> Steps:
    """The steps of the runs, which begin at one hour, once a day."""
    runs = da.indexes[INIT]
    hours = np.unique((runs - runs.normalize()) / pd.Timedelta(hours=1))  # type: ignore[attr-defined]
    if hours.size > 1:
        raise ValueError(
            f"the runs of {da.name!r} begin at {', '.join(f'{hour:g}' for hour in hours)} UTC; a day of issue has one "
            f"run: choose, e.g. ds.sel(time=ds.time.dt.hour == {hours[0]:g})"
        )
    if first == 0 and hours[0] > 0:
        raise ValueError(
            f'the runs begin at {hours[0]:g} UTC, and their first day is not whole; use last_known="run_day"'
        )
    return Steps(hours[0] + da[STEP].to_numpy(), float(hours[0]), first)


def _instantaneous(name: str, choice: tuple[str, ...], sources: list[xr.DataArray]) -> xr.DataArray:
    """The quantity at each step in the units of the driver."""
    if len(choice) == 1:
        if name == "z500" and not converts(sources[0], "m"):
            return convert(sources[0], "m2 s-2") / GRAVITY
        return convert(sources[0], _UNITS[name])
    if name == "r":
        return relative_humidity(*sources)
    u, v = (convert(da, _UNITS[name]) for da in sources)
    return (u**2 + v**2) ** 0.5


def _sum(name: str, da: xr.DataArray, steps: Steps, accumulation: str | None) -> tuple[list[int], xr.DataArray]:
    """Sums of days, of totals, amounts or rates."""
    wanted, amounts, rates = _SUMS[name]
    for units, factor in rates.items():
        if converts(da, units):
            rate = (convert(da, units) * factor).rename(da.name)
            return lead_days(rate, steps, mean_of_spans, "evenly spaced steps")
    units = next((units for units in amounts if converts(da, units)), wanted)
    amount = (convert(da, units) * amounts[units]).rename(da.name)
    if accumulation in (None, "since_start"):
        grows = partial(since_the_start, grows=name in _GROWS)
        return lead_days(amount, steps, grows, "a total at both its ends,")
    if accumulation == "step":
        return lead_days(amount, steps, sum_of_spans, "evenly spaced steps")
    span = _hours(accumulation)
    since = steps.hours - steps.start
    at = np.flatnonzero(np.isclose(since % span, 0) & (since > 0))
    whole = Steps(steps.hours[at], steps.start, steps.first)
    _require_span(whole, span, da.name)
    return lead_days(amount.isel({STEP: at}), whole, sum_of_spans, f"a total every {span:g} h")


def _hours(accumulation: str) -> float:
    try:
        hours = pd.Timedelta(accumulation) / pd.Timedelta(hours=1)
    except (TypeError, ValueError):
        hours = np.nan
    if not (hours > 0 and 24 % hours == 0):
        raise ValueError(
            f'accumulation={accumulation!r}; choose "since_start", "step", or a time that divides the day, e.g. "6h"'
        )
    return float(hours)


def _require_span(steps: Steps, span: float, name: Hashable) -> None:
    """Raise where totals of a span leave out some of the time."""
    apart = np.diff(steps.hours)
    if apart.size and not np.allclose(apart, span):
        raise ValueError(
            f"{name!r} has totals of {span:g} h each, but steps {np.max(apart):g} h apart; give every {span:g} h"
        )
