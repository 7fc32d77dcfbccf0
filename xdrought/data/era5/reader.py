"""ERA5 to the twelve daily drivers: hours to days, names, units, and one convention of labels."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np
import xarray as xr

from xdrought.choices import Era5Accumulation
from xdrought.data.era5.drivers import make_driver
from xdrought.data.era5.fields import ReaderSettings, gather_inputs, shared_attrs
from xdrought.data.era5.names import DRIVERS, KNOWN, inputs_of, require_inputs
from xdrought.data.era5.opening import open_all
from xdrought.public_functions import public

_ACCUMULATIONS = ("hourly", "since_midnight", "step")


@public
def open_era5(
    paths: str | PathLike | Iterable[str | PathLike],
    *,
    drivers: Sequence[str] | None = None,
    accumulation: Era5Accumulation | None = None,
    min_hours: float | None = None,
    utc_offset: float = 0.0,
    time: Hashable | None = None,
    lat: Hashable | None = None,
    lon: Hashable | None = None,
    chunks: Any = "auto",
) -> xr.Dataset:
    """Open ERA5 files or stores and make the daily drivers of them.

    Parameters
    ----------
    paths : path or iterable of paths
        NetCDF (3 or 4), GRIB (with the package cfgrib) or zarr, folders of such, or patterns (``era5/*_2003*.nc``).
        Several files may hold different variables, or the same ones at other times, in any order and of any step.
    drivers, accumulation, min_hours, utc_offset, time, lat, lon
        See :func:`daily_drivers`.
    chunks : int, dict, "auto" or None
        As for :func:`xarray.open_dataset`. None reads into memory.

    Returns
    -------
    xarray.Dataset
        See :func:`daily_drivers`; lazy unless ``chunks=None``.

    Raises
    ------
    FileNotFoundError
        A path does not exist, a pattern fits nothing, or a folder holds nothing that can be opened.
    ImportError
        The package that reads such a file is not installed.
    OSError
        A file is damaged or cut short.
    ValueError
        A zip archive, a file of another kind; a file that could run code, leads to other files or promises far more
        than it holds (the page on security lists them); or anything :func:`daily_drivers` refuses.

    Notes
    -----
    Each file is looked through once before any value is read. Nothing is written beside it, and no index of GRIB
    files is read: cfgrib would unpickle it.

    References
    ----------
    Hersbach et al. (2020), https://doi.org/10.1002/qj.3803. Files: https://cds.climate.copernicus.eu.

    Examples
    --------
    >>> import tempfile
    >>> from xdrought.data import era5
    >>> from xdrought import simulation
    >>> path = f"{tempfile.mkdtemp()}/hours.zarr"
    >>> stores = simulation.to_era5(simulation.simulate_grid(2, 3, 5), path, format="zarr", step="hour")
    >>> era5.open_era5(stores, drivers=["t2m", "tp"]).tp.shape
    (5, 2, 3)
    """
    settings = ReaderSettings(accumulation, min_hours, utc_offset, time, lat, lon)
    return _make(open_all(paths, chunks), drivers, settings)


@public
def daily_drivers(
    ds: xr.Dataset | Sequence[xr.Dataset],
    *,
    drivers: Sequence[str] | None = None,
    accumulation: Era5Accumulation | None = None,
    min_hours: float | None = None,
    utc_offset: float = 0.0,
    time: Hashable | None = None,
    lat: Hashable | None = None,
    lon: Hashable | None = None,
) -> xr.Dataset:
    """Make the daily drivers of Tang et al. (2025) of hourly or daily ERA5 fields.

    Parameters
    ----------
    ds : xarray.Dataset or sequence of xarray.Dataset
        Variables on (time, latitude, longitude), or on (time, step, latitude, longitude) with ``valid_time``
        as cfgrib gives them, with units. Names may be ECMWF's short ones (``t2m``, ``2t``), the long ones
        (``2m_temperature``), those of GRIB table 128 (``var167``) or CF's (``tas``). Parts may differ in
        variables, times and steps (a month of days, a month of hours); the grid must be the same. Daily fields pass
        through, labelled by their date.
    drivers : sequence of str, optional
        Which of ``d2m t2m mx2t cape tp e sp r z500 ws10 stl1 swvl1``; None: all of these. Deeper layers of the soil
        are ``stl2 stl3 stl4 swvl2 swvl3 swvl4``; their attrs say from which depth to which.
    accumulation : {"hourly", "since_midnight", "step"}, optional
        What a value of ``tp`` or ``e`` is the amount of, ending at its stamp: the hour before (ERA5), the
        time since 00 UTC (ERA5-Land; 00 UTC gives the total of the day before), or the time since the stamp before
        (ERA5's 3-hourly ensemble). None is ``"hourly"``, but is refused for what seems to be ERA5-Land by its grid of
        0.1 degree, its attributes or its file name. Hours that rise all day and fall back after 00 UTC are refused in
        either case. Daily values pass through under the first and the last. ``mx2t`` is held to the same, but for
        ``"since_midnight"``, where it is hourly. Rates (``mm d-1``, ``kg m-2 s-1``) are means over such a step and
        are turned to amounts.
    min_hours : float, optional
        Hours of a day, over 0 to 24, that a mean or maximum needs. None: all. A sum needs all whatever is
        given.
    utc_offset : float
        Hours from UTC to the time by which days are counted, -12 to 14: 10 makes the days of eastern Australia, -6
        those of central North America, as towers and stations count them. A multiple of the step of the times; daily
        values have none and are refused.
    time, lat, lon : hashable, optional
        The dimensions of the valid time, latitude and longitude. None: ``valid_time`` when it is there, else ``time``
        (plus ``step``), ``lat`` or ``latitude``, ``lon`` or ``longitude``, else what has their CF attributes.

    Returns
    -------
    xarray.Dataset
        Drivers on (time, lat, lon), lazy for dask. ``time``: every day from the first to the last that is
        whole for any driver; ``lat`` from north to south; ``lon`` from -180 to below 180, values moved with
        their labels. Units: K, J kg-1, m (``tp e``, a day's sum; ``e`` is negative for evaporation, as ECMWF
        has it), Pa, %, m (``z500``), m s-1, m3 m-3. A day that lacks hours, or a cell that lacks one, is NaN.
        Each driver's attrs say what it was made of and how many days were left out.

    Raises
    ------
    ValueError
        A driver without its inputs; units missing or wrong; codes of missing values, impossible values or packed
        numbers (the table of physical limits; of dask data when they are computed); times out of order, repeated or
        off the steps; two steps in one Dataset; no whole day; a grid that is not regular in labels or not the same for
        all; an accumulation that contradicts the forecast steps, the step of the times or the values.
    TypeError
        `ds` is not Datasets.

    Warns
    -----
    UserWarning
        Days inside the record lack hours; they are NaN.

    Notes
    -----
    Instantaneous fields: hours 00 to 23 of the day. Fields over a step (``tp e mx2t``): stamps after 00 UTC,
    up to 00 UTC of the day after. ``mx2t`` is the maximum of the file's, else of t2m over the day's hours,
    which is at most that. A driver in the file is taken as it is (``r`` at 1000 hPa if on levels); else ``r``
    is made of t2m and d2m by :func:`relative_humidity` and ``ws10`` is the mean of sqrt(u10^2 + v10^2). Of
    daily means these are the humidity and the wind of the mean, and attrs say so. Geopotential is divided by
    9.80665 m s-2. ``z`` without a pressure level is not used: in ERA5's single levels it is that of the
    surface.

    References
    ----------
    Tang et al. (2025), section 3.2; Hersbach et al. (2020), https://doi.org/10.1002/qj.3803; ECMWF,
    conversion table for accumulated variables,
    https://confluence.ecmwf.int/pages/viewpage.action?pageId=197702790.

    Examples
    --------
    A millimetre that fell between 23 and 24 UTC of 1 May is stamped 00 UTC of 2 May:

    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.data.era5 import daily_drivers
    >>> hours = pd.date_range("2003-05-01 01:00", periods=48, freq="h")
    >>> tp = np.zeros((48, 1, 2))
    >>> tp[23] = 0.001
    >>> tp = xr.Variable(("valid_time", "latitude", "longitude"), tp, {"units": "m"})
    >>> ds = xr.Dataset({"tp": tp}, {"valid_time": hours, "latitude": [47.0], "longitude": [0.0, 359.75]})
    >>> daily = daily_drivers(ds, drivers=["tp"])
    >>> daily.tp[:, 0, 0].values, daily.lon.values
    (array([0.001, 0.   ]), array([-0.25,  0.  ]))
    """
    parts = [ds] if isinstance(ds, xr.Dataset) else list(ds)
    return _make(parts, drivers, ReaderSettings(accumulation, min_hours, utc_offset, time, lat, lon))


def _make(parts: Sequence[xr.Dataset], drivers: Sequence[str] | None, settings: ReaderSettings) -> xr.Dataset:
    names = _check_settings(drivers, settings)
    inputs, there = gather_inputs(parts, inputs_of(names), settings)
    require_inputs(names, inputs, there)
    made = [make_driver(name, inputs, settings) for name in names]
    aligned = xr.align(*made, join="outer")  # a day that is whole for some drivers only is NaN in others
    offset = settings.utc_offset
    zone = f"UTC{offset:+g} h" if offset else "UTC"
    days = aligned[0]["time"].assign_attrs(standard_name="time", long_name=f"day ({zone})")
    used = {
        "accumulation": settings.accumulation or "hourly",
        "min_hours": 24 if settings.min_hours is None else settings.min_hours,
        "utc_offset": float(offset),
    }
    return xr.Dataset(
        {str(da.name): da for da in aligned},
        {"time": days, "lat": made[0]["lat"], "lon": made[0]["lon"]},
        {**shared_attrs(parts), "title": "daily drivers", **used},
    ).drop_encoding()


def _check_settings(drivers: Sequence[str] | None, settings: ReaderSettings) -> tuple[str, ...]:
    names = tuple(DRIVERS) if drivers is None else (drivers,) if isinstance(drivers, str) else tuple(drivers)
    unknown = [name for name in names if name not in KNOWN]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(f"drivers={list(names)}; choose from {list(KNOWN)}, each once")
    if settings.accumulation not in (None, *_ACCUMULATIONS):
        raise ValueError(f"accumulation={settings.accumulation!r}; choose from {list(_ACCUMULATIONS)}")
    if settings.min_hours is not None and not 0 < settings.min_hours <= 24:
        raise ValueError(f"min_hours={settings.min_hours}; expected over 0, up to 24, or None for all")
    offset = settings.utc_offset
    if isinstance(offset, bool) or not isinstance(offset, int | float | np.number) or not -12 <= offset <= 14:
        raise ValueError(f"utc_offset={offset!r}; expected hours from UTC, -12 to 14")
    return names
