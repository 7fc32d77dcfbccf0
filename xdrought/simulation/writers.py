"""A simulated world as files in the shape of ERA5 and FLUXNET2015, so that the readers can be run on it."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import files
from xdrought.choices import StoreFormat, WriterStep
from xdrought.public_functions import public
from xdrought.simulation.observation import (
    DRIVER_ATTRS,
    SIMULATED,
    columns_of,
    nearest_mean,
    require_drivers,
    space_of,
)
from xdrought.simulation.soil import PATHS
from xdrought.simulation.weather import FREEZING, extraterrestrial_radiation, vapour_pressure

GRAVITY = 9.80665  # m s-2
_WARMEST = 14  # hour of the day
_NEEDED = ("d2m", "t2m", "mx2t", "cape", "tp", "e", "sp", "z500", "ws10", "stl1", "swvl1")


def to_hours(grid: xr.Dataset) -> xr.Dataset:
    """Hours from 00:00 of the first day to 00:00 of the day after the last.

    Daily means, the daily maximum and the daily sums (of the hours 01:00 to 24:00) are those of `grid`, but for
    the dewpoint, which is held below the hour's temperature.
    """
    require_drivers(grid, _NEEDED, "hours")
    first = pd.Timestamp(grid.indexes["time"][0])
    hours = pd.date_range(first, periods=24 * grid.sizes["time"] + 1, freq="h", name="time")
    # The last stamp has no day of its own: it goes on with the last one.
    day = np.minimum(np.arange(hours.size) // 24, grid.sizes["time"] - 1)
    daily = grid.isel(time=xr.DataArray(day, dims="time")).assign_coords(time=hours)
    swing = daily["mx2t"] - daily["t2m"]
    t2m = daily["t2m"] + swing * _sun(hours.hour)
    turn = xr.DataArray(0.3 * day, dims="time", coords={"time": hours})
    hourly = {
        "d2m": daily["d2m"].where(daily["d2m"] <= t2m, t2m),
        "t2m": t2m,
        "mx2t": daily["t2m"] + swing * np.maximum(_sun(hours.hour), _sun(hours.hour - 1)),
        "cape": daily["cape"],
        "tp": _hourly_sum(grid["tp"], hours),
        "e": _hourly_sum(grid["e"], hours),
        "sp": daily["sp"],
        "u10": daily["ws10"] * np.cos(turn),
        "v10": daily["ws10"] * np.sin(turn),
        "stl1": daily["stl1"],
        "swvl1": daily["swvl1"],
        "z": (GRAVITY * daily["z500"]).expand_dims(pressure_level=[500.0], axis=1),
    }
    units = {"cape": "J kg**-1", "u10": "m s**-1", "v10": "m s**-1", "swvl1": "m**3 m**-3", "z": "m**2 s**-2"}
    sums = dict.fromkeys(("tp", "e"), "m of water equivalent")
    return xr.Dataset(
        {
            name: da.astype("float32").assign_attrs(
                long_name=grid[name].attrs["long_name"] if name in grid else name,
                units={**units, **sums}.get(name, "Pa" if name == "sp" else "K"),
                source=SIMULATED,
            )
            for name, da in hourly.items()
        }
    )


def _sun(hour: pd.Index) -> xr.DataArray:
    """Daily swing between -1 and 1 with mean 0 over 24 hours."""
    return xr.DataArray(np.cos(2 * np.pi * (np.asarray(hour) - _WARMEST) / 24.0), dims="time")


def _hourly_sum(daily: xr.DataArray, hours: pd.DatetimeIndex) -> xr.DataArray:
    """Equal parts stamped at the end of their hour; the first stamp belongs to the day before and is 0."""
    share = (daily / 24.0).isel(time=xr.DataArray((np.arange(hours.size - 1)) // 24, dims="time"))
    return share.assign_coords(time=hours[1:]).reindex(time=hours, fill_value=0.0)


_SENTINEL = -9999.0
_MEAN_GAP = 6.0  # days
_LATENT_HEAT = 2.45e6 / 86400.0  # W m-2 of one mm d-1
_SUFFIX = {"netcdf": ".nc", "zarr": ".zarr"}


@public
def to_era5(
    ds: xr.Dataset,
    path: str | PathLike,
    *,
    format: StoreFormat = "netcdf",
    step: WriterStep = "day",
    overwrite: bool = False,
) -> list[Path]:
    """Write the drivers of a simulated world in the shape of ERA5 files.

    Parameters
    ----------
    ds : xarray.Dataset
        From ``simulate_grid``, written as one file or store at `path`; or from ``simulate``, written as one a site,
        ``era5_<site>.nc`` or ``.zarr``, in the folder `path`.
    path : path
        Its folder is made.
    format : {"netcdf", "zarr"}
        NetCDF is version 4.
    step : {"day", "hour"}
        ``"day"``: the drivers as they are. ``"hour"``: as ERA5 publishes them, with ``u10 v10`` for the wind, ``z`` at
        500 hPa, no humidity, and sums stamped at the end of their hour, so that the file ends at 00:00 of the
        day after. Temperature swings by the sun, and the dewpoint never exceeds it. Needs all but ``r`` of the
        drivers and 24 times their memory.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    list of pathlib.Path
        What was written, on (valid_time, latitude, longitude): latitude from north to south, longitude from 0 to
        360. A file is whole or not there.

    Raises
    ------
    ValueError
        An unknown format or step, no driver in `ds`, or not a simulated world.
    FileExistsError
        There is something at `path`, and `overwrite` is False.

    Examples
    --------
    >>> import tempfile
    >>> from xdrought.simulation import simulate_grid, to_era5
    >>> folder = tempfile.mkdtemp()
    >>> [path.name for path in to_era5(simulate_grid(2, 3, 5), f"{folder}/region.nc")]
    ['region.nc']
    """
    if format not in _SUFFIX or step not in ("day", "hour"):
        raise ValueError(f'format={format!r}, step={step!r}; choose "netcdf" or "zarr", and "day" or "hour"')
    names = [name for name in DRIVER_ATTRS if name in ds]
    if not names:
        raise ValueError(f"none of the drivers {list(DRIVER_ATTRS)} is in the dataset")
    if "cell_lat" in ds.coords:
        names_of = file_names(ds["site"].values)
        parts = {Path(path) / f"era5_{names_of[site]}{_SUFFIX[format]}": _patch(ds, site) for site in names_of}
    elif {"time", "lat", "lon"} <= set(ds.dims):
        parts = {Path(path): ds}
    else:
        raise ValueError(f"{dict(ds.sizes)} are neither the patches of simulate nor a grid of simulate_grid")
    taken = [str(target) for target in parts if target.exists() and not overwrite]
    if taken:
        raise FileExistsError(f"{taken} is there already; choose another path or overwrite=True")
    for target, data in parts.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        era5 = _shape(_bare(data[names]), step)
        with files.replacing(target) as part:
            _write(era5, part, format)
    return list(parts)


@public
def to_fluxnet_csv(ds: xr.Dataset, folder: str | PathLike, *, gap_fraction: float = 0.0, seed: int = 0) -> list[Path]:
    """Write simulated towers as FLUXNET2015 daily csv files with a site table beside them.

    Parameters
    ----------
    ds : xarray.Dataset
        From ``simulate``, with the drivers ``d2m sp`` and those with a path.
    folder : path
        Made if needed; files of the same name are replaced.
    gap_fraction : float
        Share of days, 0 to below 1, on which soil moisture is missing (-9999), in gaps of six days on average.
    seed : int
        Of the gaps.

    Returns
    -------
    list of pathlib.Path
        ``FLX_<site>_FLUXNET2015_SUBSET_DD_<years>_1-4.csv`` for every site, and ``sites.csv``. Units are those of
        FLUXNET2015. Shortwave radiation is that of Hargreaves and Samani (1985),
        https://doi.org/10.13031/2013.26773, from the daily range of temperature. A file is whole or not there.

    Raises
    ------
    ValueError
        Not simulated towers, a driver missing, or `gap_fraction` out of range.

    Examples
    --------
    >>> import tempfile
    >>> from xdrought.simulation import simulate, to_fluxnet_csv
    >>> [path.name for path in to_fluxnet_csv(simulate(1, 365, size=2), tempfile.mkdtemp())]
    ['FLX_TW-001_FLUXNET2015_SUBSET_DD_2002-2002_1-4.csv', 'sites.csv']
    """
    if not 0 <= gap_fraction < 1:
        raise ValueError(f"gap_fraction={gap_fraction}; expected 0 to below 1")
    if space_of(ds) != ("site",):
        raise ValueError("a grid has no towers; give a world of twin.simulate")
    columns = _tower_columns(ds)
    days = pd.DatetimeIndex(ds.indexes["time"])
    years = f"{days[0].year}-{days[-1].year}"
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    names_of = file_names(ds["site"].values)
    for k, site in enumerate(names_of.values()):
        table = pd.DataFrame({name: values[:, k] for name, values in columns.items()}, index=days)
        missing = _gaps(np.random.default_rng([seed, k]), len(days), gap_fraction)
        table.loc[missing, ["SWC_F_MDS_1", "SWC_F_MDS_1_QC"]] = np.nan, 0.0
        table.insert(0, "TIMESTAMP", days.strftime("%Y%m%d"))
        target = folder / f"FLX_{site}_FLUXNET2015_SUBSET_DD_{years}_1-4.csv"
        _write_csv(table.fillna({name: _SENTINEL for name in columns}), target)
        written.append(target)
    places = ds[["site", "lat", "lon", "elevation", "igbp"]].reset_coords()
    towers = pd.DataFrame({name: places[name].values for name in ("lat", "lon", "elevation", "igbp")})
    towers.insert(0, "site", list(names_of.values()))
    _write_csv(towers.rename(columns={"elevation": "elevation_m"}), folder / "sites.csv")
    return [*written, folder / "sites.csv"]


def file_names(sites: np.ndarray) -> dict[str, str]:
    """Site to the name that its file gets: letters, digits, points and hyphens, so that no name leads elsewhere.

    Raises
    ------
    ValueError
        For names that become the same, or that are empty.
    """
    names = {site: re.sub(r"[^A-Za-z0-9.-]+", "-", str(site)).strip(".-") for site in sites}
    if len(set(names.values())) < len(sites) or not all(names.values()):
        raise ValueError(
            f"the sites {[str(site) for site in sites][:8]} give files without a name or of the same name; name them "
            f"apart, ds.assign_coords(site=[f'S{{k}}' for k in range({len(sites)})])"
        )
    return names


def _tower_columns(ds: xr.Dataset) -> dict[str, np.ndarray]:
    """The columns of the csv files in FLUXNET2015 units, (time, site)."""
    needed = list(dict.fromkeys((*PATHS, "d2m", "sp")))
    require_drivers(ds, needed, "towers")
    near = {name: nearest_mean(ds, name) for name in needed}
    drivers = {name: da.transpose("time", "site").values.astype("float64") for name, da in near.items()}
    days = pd.DatetimeIndex(ds.indexes["time"])
    soils, start = columns_of(ds, ("site",))
    forcing = soils.forcing(drivers, ds["truth_rain_ratio"].transpose("time", "site").values)
    water = soils.run(forcing, days, start)
    daily_range = 2.0 * (drivers["mx2t"] - drivers["t2m"])
    sky = extraterrestrial_radiation(days, soils.lat) * _LATENT_HEAT
    moisture = ds["soil_moisture"].transpose("time", "site").values.astype("float64")
    return {
        "TA_F": drivers["t2m"] - FREEZING,
        "SW_IN_F": sky * np.minimum(0.16 * np.sqrt(daily_range), 0.78),
        "VPD_F": vapour_pressure(drivers["t2m"]) - vapour_pressure(drivers["d2m"]),
        "PA_F": drivers["sp"] / 1000.0,
        "P_F": forcing["rain"],
        "WS_F": drivers["ws10"],
        "TS_F_MDS_1": ds["soil_temperature"].transpose("time", "site").values.astype("float64"),
        "SWC_F_MDS_1": 100.0 * moisture,
        "SWC_F_MDS_1_QC": np.ones_like(moisture),
        "LE_F_MDS": water.evaporation * _LATENT_HEAT,
    }


def _gaps(rng: np.random.Generator, n_days: int, fraction: float) -> np.ndarray:
    """Days missing (time,): a two-state chain that spends `fraction` of its time in gaps."""
    ends = 1.0 / _MEAN_GAP
    begins = min(ends * fraction / (1.0 - fraction), 1.0)
    chance = rng.random(n_days)
    missing = np.zeros(n_days, dtype=bool)
    inside = False
    for day in range(n_days):
        inside = chance[day] >= ends if inside else chance[day] < begins
        missing[day] = inside
    return missing


def _patch(ds: xr.Dataset, site: str) -> xr.Dataset:
    """The patch of a site as a small grid on (time, lat, lon)."""
    one = ds.sel(site=site)
    lat, lon = one["cell_lat"].values, one["cell_lon"].values
    drivers = one[[name for name in DRIVER_ATTRS if name in ds]]
    drivers = _bare(drivers).rename(patch_lat="lat", patch_lon="lon")
    return drivers.assign_coords(lat=lat, lon=lon)


def _bare(ds: xr.Dataset) -> xr.Dataset:
    """Without coordinates but those of the axes."""
    return ds.drop_vars([name for name in ds.coords if name not in ds.dims])


def _shape(grid: xr.Dataset, step: str) -> xr.Dataset:
    """The names and order of axes of an ERA5 file."""
    whole = to_hours(grid) if step == "hour" else grid
    turned = whole.assign_coords(lon=whole["lon"] % 360.0)
    renamed = turned.rename(time="valid_time", lat="latitude", lon="longitude")
    sorted_ = renamed.sortby("latitude", ascending=False).sortby("longitude")
    axes = {
        "valid_time": {"standard_name": "time", "long_name": "time"},
        "latitude": {"standard_name": "latitude", "units": "degrees_north", "stored_direction": "decreasing"},
        "longitude": {"standard_name": "longitude", "units": "degrees_east"},
    }
    labelled = sorted_.assign_coords({name: sorted_[name].assign_attrs(attrs) for name, attrs in axes.items()})
    labelled.attrs = {"Conventions": "CF-1.7", "title": "drivers in the shape of ERA5", "source": SIMULATED}
    return labelled


def _write(ds: xr.Dataset, path: Path, format: str) -> None:
    if format == "zarr":
        ds.to_zarr(path, mode="w", zarr_format=2, consolidated=True)
    else:
        ds.to_netcdf(path, engine="h5netcdf")


def _write_csv(table: pd.DataFrame, target: Path) -> None:
    with files.replacing(target) as part:
        table.to_csv(part, index=False, float_format="%.6g")
