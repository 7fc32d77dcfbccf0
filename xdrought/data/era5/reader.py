"""ERA5 to the twelve daily drivers: hours to days, names, units, and one convention of labels."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import xarray as xr

from xdrought.checks import public
from xdrought.data.era5.drivers import DRIVERS, inputs_of, make_driver, relative_humidity, require_inputs
from xdrought.data.era5.fields import gather_inputs, shared_attrs

__all__ = ["DRIVERS", "daily_drivers", "open_era5", "relative_humidity"]

_SUFFIXES = (".nc", ".nc4", ".cdf", ".grib", ".grb", ".grib2", ".zarr")
_MAGIC = {b"CDF": "scipy", b"\x89HDF": "h5netcdf", b"GRIB": "cfgrib"}
HOME = "https://cds.climate.copernicus.eu"


def open_all(paths: str | PathLike | Iterable[str | PathLike], chunks: Any) -> list[xr.Dataset]:
    """Open every file or store lazily; a GRIB file may give several Datasets."""
    return [ds for path in _expand(paths) for ds in _open(path, chunks)]


def _expand(paths: str | PathLike | Iterable[str | PathLike]) -> list[str]:
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    found = [one for path in given for one in _of_path(fspath(path))]
    if not found:
        raise FileNotFoundError(f"no path was given; ERA5 is had from {HOME}")
    return found


def _of_path(path: str) -> list[str]:
    if "://" in path:  # a store elsewhere; zarr and fsspec know how
        if path.partition("://")[0].lower() in ("http", "ftp"):
            raise ValueError(f"{path!r} is not encrypted and could be changed on its way; give an https address")
        return [path]
    here = Path(path)
    if not here.exists():
        raise FileNotFoundError(f"{path} does not exist; ERA5 is had from {HOME}")
    if here.is_file() or _is_zarr(here):
        return [path]
    inside = sorted(str(one) for one in here.iterdir() if one.suffix.lower() in _SUFFIXES and one.name[0] != ".")
    if not inside:
        raise FileNotFoundError(f"no file or store in {path} ends with {', '.join(_SUFFIXES)}; ERA5 is had from {HOME}")
    return inside


def _is_zarr(path: Path) -> bool:
    return any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json"))


def _open(path: str, chunks: Any) -> list[xr.Dataset]:
    engine = _engine(path)
    try:
        if engine == "cfgrib":
            return _open_grib(path, chunks)
        return [xr.open_dataset(path, engine=engine, chunks=chunks, decode_timedelta=True)]  # type: ignore[arg-type]
    except ImportError as error:
        raise ImportError(f"{path} needs the package {engine!r} to be read; pip install {engine}") from error
    except (OSError, ValueError, TypeError, EOFError, KeyError, RuntimeError) as error:  # HDF5 raises all of them
        raise OSError(f"{path} cannot be read ({error}); it may be cut short: get it again") from error


def _open_grib(path: str, chunks: Any) -> list[xr.Dataset]:
    from cfgrib import open_datasets

    return [ds.chunk(chunks) if chunks is not None else ds for ds in open_datasets(path)]


def _engine(path: str) -> str:
    here = Path(path)
    if "://" in path or here.is_dir():
        return "zarr"
    with here.open("rb") as file:
        begin = file.read(8)
    if begin[:2] == b"PK":
        raise ValueError(
            f"{path} is a zip archive, as the Climate Data Store sends when a request holds "
            f"instantaneous and accumulated variables; unpack it and give the files inside"
        )
    engine = next((name for magic, name in _MAGIC.items() if begin.startswith(magic)), None)
    if engine is None:
        raise ValueError(
            f"{path} is neither NetCDF, GRIB nor a zarr store (it begins with {begin!r}); "
            f"it may be empty or an error page: get it again"
        )
    return engine


_ACCUMULATIONS = ("hourly", "since_midnight", "step")


@public
def open_era5(
    paths: str | PathLike | Iterable[str | PathLike],
    *,
    drivers: Sequence[str] | None = None,
    accumulation: str = "hourly",
    min_hours: float | None = None,
    time: Hashable | None = None,
    chunks: Any = "auto",
) -> xr.Dataset:
    """Open ERA5 files or stores and make the daily drivers of them.

    Parameters
    ----------
    paths : path or iterable of paths
        NetCDF (3 or 4), GRIB (with the package cfgrib) or zarr, or folders of such. Several files may hold
        different variables, or the same ones at other times, in any order.
    drivers, accumulation, min_hours, time
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
        A path does not exist, or a folder holds nothing that can be opened.
    ImportError
        The package that reads such a file is not installed.
    OSError
        A file is damaged or cut short.
    ValueError
        A zip archive, a file of another kind, or anything :func:`daily_drivers` refuses.

    References
    ----------
    Hersbach et al. (2020), https://doi.org/10.1002/qj.3803. Files: https://cds.climate.copernicus.eu.

    Examples
    --------
    >>> import tempfile
    >>> from xdrought.data import era5
    >>> from xdrought.simulation import twin
    >>> path = f"{tempfile.mkdtemp()}/hours.zarr"
    >>> stores = twin.to_era5(twin.simulate_grid(2, 3, 5), path, format="zarr", step="hour")
    >>> era5.open_era5(stores, drivers=["t2m", "tp"]).tp.shape
    (5, 2, 3)
    """
    opened = open_all(paths, chunks)
    return _make(opened, drivers, accumulation, min_hours, time)


@public
def daily_drivers(
    ds: xr.Dataset | Sequence[xr.Dataset],
    *,
    drivers: Sequence[str] | None = None,
    accumulation: str = "hourly",
    min_hours: float | None = None,
    time: Hashable | None = None,
) -> xr.Dataset:
    """Make the daily drivers of Tang et al. (2025) of hourly or daily ERA5 fields.

    Parameters
    ----------
    ds : xarray.Dataset or sequence of xarray.Dataset
        Variables on (time, latitude, longitude), or on (time, step, latitude, longitude) with ``valid_time``
        as cfgrib gives them, with units. Names may be ECMWF's short ones (``t2m``, ``2t``), the long ones
        (``2m_temperature``), those of GRIB table 128 (``var167``) or CF's (``tas``). Parts may differ in
        variables and times; the grid must be the same. Daily fields pass through, labelled by their date.
    drivers : sequence of str, optional
        Which of ``d2m t2m mx2t cape tp e sp r z500 ws10 stl1 swvl1``; None: all.
    accumulation : {"hourly", "since_midnight", "step"}
        What a value of ``tp`` or ``e`` is the amount of, ending at its stamp: the hour before (ERA5), the
        time since 00 UTC (ERA5-Land; 00 UTC gives the total of the day before, and is the only stamp used),
        or the time since the stamp before (ERA5's 3-hourly ensemble). Never guessed; daily values pass
        through under the first and the last. ``mx2t`` is held to the same, but for ``"since_midnight"``,
        where it is hourly. Rates (``mm d-1``, ``kg m-2 s-1``) are means over such a step and are turned to
        amounts.
    min_hours : float, optional
        Hours of a day, over 0 to 24, that a mean or maximum needs. None: all. A sum needs all whatever is
        given.
    time : hashable, optional
        The dimension of the valid time; None: ``valid_time`` when it is there, else ``time`` (plus ``step``).

    Returns
    -------
    xarray.Dataset
        Drivers on (time, lat, lon), lazy for dask. ``time``: every UTC day from the first to the last that is
        whole for any driver; ``lat`` from north to south; ``lon`` from -180 to below 180, values moved with
        their labels. Units: K, J kg-1, m (``tp e``, a day's sum; ``e`` is negative for evaporation, as ECMWF
        has it), Pa, %, m (``z500``), m s-1, m3 m-3. A day that lacks hours, or a cell that lacks one, is NaN.
        Each driver's attrs say what it was made of and how many days were left out.

    Raises
    ------
    ValueError
        A driver without its inputs, units missing or wrong, times out of order, repeated or off the steps, no
        whole day, a grid that is not regular in labels or not the same for all, or an accumulation that
        contradicts the forecast steps or the step of the times.
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
    return _make(parts, drivers, accumulation, min_hours, time)


def _make(
    parts: Sequence[xr.Dataset],
    drivers: Sequence[str] | None,
    accumulation: str,
    min_hours: float | None,
    time: Hashable | None,
) -> xr.Dataset:
    names = _check_settings(drivers, accumulation, min_hours)
    for part in parts:
        if not isinstance(part, xr.Dataset):
            raise TypeError(f"expected a Dataset, or several, got {type(part).__name__}")
    inputs, there = gather_inputs(parts, inputs_of(names), accumulation, time)
    require_inputs(names, inputs, there)
    made = [make_driver(name, inputs, accumulation, min_hours) for name in names]
    aligned = xr.align(*made, join="outer")  # a day that is whole for some drivers only is NaN in others
    days = aligned[0]["time"].assign_attrs(standard_name="time", long_name="day (UTC)")
    settings = {"accumulation": accumulation, "min_hours": 24 if min_hours is None else min_hours}
    return xr.Dataset(
        {str(da.name): da for da in aligned},
        {"time": days, "lat": made[0]["lat"], "lon": made[0]["lon"]},
        {**shared_attrs(parts), "title": "daily drivers", **settings},
    )


def _check_settings(drivers: Sequence[str] | None, accumulation: str, min_hours: float | None) -> tuple[str, ...]:
    names = tuple(DRIVERS) if drivers is None else (drivers,) if isinstance(drivers, str) else tuple(drivers)
    unknown = [name for name in names if name not in DRIVERS]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(f"drivers={list(names)}; choose from {list(DRIVERS)}, each once")
    if accumulation not in _ACCUMULATIONS:
        raise ValueError(f"accumulation={accumulation!r}; choose from {list(_ACCUMULATIONS)}")
    if min_hours is not None and not 0 < min_hours <= 24:
        raise ValueError(f"min_hours={min_hours}; expected over 0, up to 24, or None for all")
    return names
