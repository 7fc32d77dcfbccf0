"""A simulated land surface with known causes, lags and flash droughts; never an observation.

Weather is drawn first, from latent Gaussian fields; then a bucket of soil at each tower is driven by it. Only
``tp t2m mx2t r ws10 stl1`` reach the soil of a tower, each with a planted coefficient and lag. ``d2m cape sp z500``
share the weather behind them and ``e swvl1`` come from the grid's own soil: they follow or foretell soil moisture, and
cause none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.public_functions import public
from xdrought.simulation.observation import (
    SIMULATED,
    columns_of,
    grid_dataset,
    grid_rows,
    nearest_mean,
    require_drivers,
    site_dataset,
    space_of,
)
from xdrought.simulation.soil import MAX_LAG, PATHS, Planted, Soil, soil_water
from xdrought.simulation.weather import Fields, draw_climate
from xdrought.simulation.world import (
    DRIVERS,
    N_PLANTED,
    STEP,
    Place,
    SoilColumns,
    make_cells,
    make_drivers,
    rain_ratio,
    sensor_error,
    simulate_columns,
    soil_fields,
)
from xdrought.simulation.writers import to_era5, to_fluxnet_csv

__all__ = ["DRIVERS", "respond", "simulate", "simulate_grid", "to_era5", "to_fluxnet_csv"]

MAX_SITES = 999  # a site's name has three digits


def check_sites(n_sites: int, size: int) -> None:
    if not 1 <= n_sites <= MAX_SITES:
        raise ValueError(f"n_sites={n_sites}; expected 1 to {MAX_SITES}")
    if size < 1:
        raise ValueError(f"size={size}; a patch has at least one cell")


def check_settings(
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
            raise ValueError(f"{name}={value}; expected {least} or more")
    if not noise >= 0:
        raise ValueError(f"noise={noise}; expected a factor of 0 or more")
    unknown = [name for name in drivers if name not in DRIVERS]
    if unknown or isinstance(drivers, str):
        raise ValueError(f"drivers={drivers!r} must be a list from {list(DRIVERS)}; unknown: {unknown}")
    pathless = [name for name in (*(strengths or {}), *(lags or {})) if name not in PATHS]
    if pathless:
        raise ValueError(f"{pathless} have no path to the soil that could be planted; only {list(PATHS)} have")
    for name, strength in (strengths or {}).items():
        if not 0 <= strength <= 1:
            raise ValueError(f"the strength {strength} of {name!r} is outside 0 to 1")
    for name, days in (lags or {}).items():
        if not 0 <= days <= MAX_LAG or days != int(days):
            raise ValueError(f"the lag {days} of {name!r} is not a whole number of days, 0 to {MAX_LAG}")


def check_region(n_lat: int, n_lon: int, north: float, west: float) -> None:
    south = north - STEP * (n_lat - 1)
    if n_lat < 1 or n_lon < 1 or n_lon * STEP > 360 or north > 90 or south < -90 or not -180 <= west <= 360:
        raise ValueError(
            f"{n_lat} x {n_lon} cells of {STEP} degree from {north} N, {west} E are not a region "
            f"of the globe; choose fewer cells or another corner"
        )


_CELLS_AT_ONCE = 200
_GRID = 1000  # key of the streams of a region, beyond those of the sites


@public
def simulate(
    n_sites: int = 4,
    n_days: int = 1096,
    *,
    size: int = 10,
    seed: int = 0,
    start: str | pd.Timestamp = "2002-01-01",
    drivers: Sequence[str] = DRIVERS,
    strengths: Mapping[str, float] | None = None,
    lags: Mapping[str, int] | None = None,
    noise: float = 1.0,
    spinup_days: int = 365,
) -> xr.Dataset:
    """Simulate towers with a patch of gridded weather around each.

    Parameters
    ----------
    n_sites : int
        1 to 999. Site k is the same world whatever `n_sites` is.
    n_days : int
        Length of the record. The first days do not depend on how many follow (to rounding); `truth_strength`,
        measured over the record, does.
    size : int
        Cells along each side of a patch, 0.25 degree each. The towers do not depend on it.
    seed : int
        0 or more.
    start : str or Timestamp
        First day.
    drivers : sequence of str
        Which drivers to return; the world is the same. Memory is about that of the result.
    strengths, lags : mapping, optional
        Plant these coefficients and lags (days, 0 to 10) at every site in place of drawn ones, for any of
        ``t2m mx2t r ws10 tp stl1``. Demand changes by ``exp(coefficient)`` for +10 K (t2m, mx2t), -20 % (r),
        +2 m s-1 (ws10); ``tp`` is the share of rain that reaches the soil; ``stl1`` is 1 or 0, soil freezes or
        not. 0 removes the path.
    noise : float
        Factor of the sensor's error and of the mismatch between rain at the tower and on the grid.
    spinup_days : int
        Days simulated before the record, for the soil to forget its start.

    Returns
    -------
    xarray.Dataset
        Drivers (site, time, patch_lat, patch_lon), ``soil_moisture`` (m3 m-3) and ``soil_temperature`` (degC) on
        (site, time), float32. As in ERA5, ``tp`` and ``e`` are metres a day and evaporation is negative. The cells
        are at ``cell_lat cell_lon``, north to south and west to east. What is true comes as coordinates:

        - ``truth_coefficient truth_lag`` (site, variable): as planted; 0 and NaN without a path;
        - ``truth_strength`` (site, variable), m3 m-3: standard deviation of the change of the noise-free soil
          moisture when only the departures of this driver from its annual cycle are taken away; 0 without a path;
        - ``truth_soil_moisture`` (site, time): water in the soil without error, ice included, so that a fall of
          `soil_moisture` alone is frost or noise;
        - ``truth_rain_ratio`` (site, time) and ``truth_soil`` (site, soil_property): see :func:`respond`.

    Raises
    ------
    ValueError
        A number out of its range, or a driver that is unknown or has no path to the soil.

    Notes
    -----
    Radiation above the air: FAO-56 Eq. 21, Allen et al. (1998). Humidity: the Magnus formula of Alduchov and
    Eskridge (1996), https://doi.org/10.1175/1520-0450(1996)035<0601:IMFAOS>2.0.CO;2.

    Examples
    --------
    >>> from xdrought.simulation import simulate
    >>> ds = simulate(n_sites=2, n_days=30, size=4)
    >>> ds.t2m.dims, ds.sizes["patch_lat"], float(ds.truth_strength.sel(variable="z500").max())
    (('site', 'time', 'patch_lat', 'patch_lon'), 4, 0.0)
    """
    check_settings(n_days, seed, noise, spinup_days, drivers, strengths, lags)
    check_sites(n_sites, size)
    days = _days(start, n_days, spinup_days)
    places = [Place.draw(seed, k) for k in range(n_sites)]
    cubes = {name: np.empty((n_sites, n_days, size, size), "float32") for name in drivers}
    near = {name: np.empty((len(days), n_sites), "float32") for name in PATHS}
    for k, place in enumerate(places):
        latent = Fields((seed, k), len(days))
        cells = place.cells(seed, k, *place.patch(size))
        patch = make_drivers(place.climate, cells, latent, days, drivers)
        for name, cube in cubes.items():
            cube[k] = patch[name][spinup_days:].reshape(n_days, size, size)
        nearest = make_drivers(place.climate, place.cells(seed, k, *place.patch(2)), latent, days, PATHS)
        for name in PATHS:
            near[name][:, k] = nearest[name].mean(axis=1)
    ratio = np.concatenate([rain_ratio((seed, k), len(days), 1, noise) for k in range(n_sites)], axis=1)
    error = np.concatenate([sensor_error((seed, k), len(days), 1, noise) for k in range(n_sites)], axis=1)
    planted = Planted.draw(np.stack([place.planted for place in places], axis=1))
    columns = SoilColumns(
        Soil.draw(np.stack([place.soil for place in places], axis=1)),
        planted.replace(strengths or {}, lags or {}),
        np.array([place.lat for place in places]),
    )
    record = simulate_columns(columns, near, ratio, error, days, spinup_days)
    settings = {"seed": seed, "noise": float(noise), "spinup_days": spinup_days}
    return site_dataset(cubes, record, columns, places, days[spinup_days:], size, settings)


@public
def simulate_grid(
    n_lat: int = 20,
    n_lon: int = 20,
    n_days: int = 1096,
    *,
    seed: int = 0,
    start: str | pd.Timestamp = "2002-01-01",
    north: float = 52.0,
    west: float = 8.0,
    drivers: Sequence[str] = DRIVERS,
    strengths: Mapping[str, float] | None = None,
    lags: Mapping[str, int] | None = None,
    noise: float = 1.0,
    spinup_days: int = 365,
) -> xr.Dataset:
    """Simulate a region of one climate with a soil of its own in each cell.

    Parameters
    ----------
    n_lat, n_lon : int
        Cells of 0.25 degree.
    north, west : float
        Latitude of the first row and longitude of the first column, multiples of 0.25 degree or not.
    n_days, seed, start, drivers, strengths, lags, noise, spinup_days
        As in :func:`simulate`; planted causes are the same in all cells, soils differ.

    Returns
    -------
    xarray.Dataset
        Drivers, ``soil_moisture`` and ``soil_temperature`` on (time, lat, lon), float32, north to south; what is true
        as in :func:`simulate` on (lat, lon). Drawn in blocks of rows of some 200 cells: memory is
        about that of the result and of one block.

    Raises
    ------
    ValueError
        As :func:`simulate`, or for a region that leaves the globe or is wider than the globe.

    Examples
    --------
    >>> from xdrought.simulation import simulate_grid
    >>> ds = simulate_grid(3, 4, 10, spinup_days=30)
    >>> dict(ds.sizes)["lat"], ds.tp.dims, ds.tp.attrs["units"]
    (3, ('time', 'lat', 'lon'), 'm')
    """
    check_settings(n_days, seed, noise, spinup_days, drivers, strengths, lags)
    check_region(n_lat, n_lon, north, west)
    days = _days(start, n_days, spinup_days)
    lat, lon = north - STEP * np.arange(n_lat), west + STEP * np.arange(n_lon)
    rng = np.random.default_rng([seed, _GRID])
    climate, planted_from = draw_climate(rng), rng.random((N_PLANTED, 1))
    planted = Planted.draw(planted_from).replace(strengths or {}, lags or {})
    cells = make_cells((seed, _GRID), lat, lon, (float(lat.mean()), float(lon.mean())), 200.0)
    soil_from, latent = soil_fields((seed, _GRID), cells), Fields((seed, _GRID), len(days))
    cubes = {name: np.empty((n_days, n_lat, n_lon), "float32") for name in drivers}
    parts = []
    rows_at_once = max(1, _CELLS_AT_ONCE // n_lon)
    for first in range(0, n_lat, rows_at_once):
        rows = range(first, min(first + rows_at_once, n_lat))
        part = slice(rows.start * n_lon, rows.stop * n_lon)
        weather = make_drivers(climate, cells.part(part), latent, days, list({*drivers, *PATHS}))
        for name, cube in cubes.items():
            cube[:, rows.start : rows.stop] = weather[name][spinup_days:].reshape(n_days, len(rows), n_lon)
        # One random stream a row, so that the draws do not depend on the blocks.
        ratio = [rain_ratio((seed, _GRID, row), len(days), n_lon, noise) for row in rows]
        error = [sensor_error((seed, _GRID, row), len(days), n_lon, noise) for row in rows]
        columns = SoilColumns(Soil.draw(soil_from[:, part]), planted.spread(len(rows) * n_lon), cells.lat[part])
        near = {name: weather[name] for name in PATHS}
        record = simulate_columns(columns, near, np.concatenate(ratio, 1), np.concatenate(error, 1), days, spinup_days)
        parts.append(grid_rows(record, columns, lat[rows.start : rows.stop], lon, days[spinup_days:]))
    settings = {"seed": seed, "noise": float(noise), "spinup_days": spinup_days}
    return grid_dataset(cubes, parts, lat, lon, days[spinup_days:], settings)


@public
def respond(ds: xr.Dataset) -> xr.Dataset:
    """Run the soils of a simulated world again under the drivers of `ds` as they are now.

    Change a driver and compare: what happens is what the driver causes. Unchanged drivers give the record again,
    without the sensor's error.

    Parameters
    ----------
    ds : xarray.Dataset
        From :func:`simulate` or :func:`simulate_grid`, from its first day on, with ``t2m mx2t r ws10 tp stl1``; of
        patches the cells around the tower.

    Returns
    -------
    xarray.Dataset
        float64 on the dims of ``soil_moisture``: ``soil_moisture`` (m3 m-3, as a sensor without error reads it: ice
        is dry), ``total_water`` (m3 m-3), ``storage`` and ``snow`` (mm, at the day's end), ``rain evaporation drainage
        runoff`` (mm d-1). Storage and snow change by rain - evaporation - drainage - runoff.

    Raises
    ------
    ValueError
        Without the truth of a simulated world, one of the drivers, or the cells around the tower.

    Examples
    --------
    >>> from xdrought.simulation import respond, simulate
    >>> ds = simulate(2, 60, size=2)
    >>> hotter = ds.assign(t2m=ds.t2m + 5, mx2t=ds.mx2t + 5)
    >>> bool((respond(hotter).evaporation.sum() > respond(ds).evaporation.sum()))
    True
    """
    space = space_of(ds)
    columns, start = columns_of(ds, space)
    require_drivers(ds, PATHS, "soils")
    near = {name: nearest_mean(ds, name).transpose("time", *space) for name in PATHS}
    shape = near["tp"].shape
    drivers = {name: da.values.reshape(len(ds.time), -1) for name, da in near.items()}
    ratio = ds["truth_rain_ratio"].transpose("time", *space).values.reshape(len(ds.time), -1)
    days = pd.DatetimeIndex(ds.indexes["time"])
    forcing = columns.forcing(drivers, ratio)
    water = columns.run(forcing, days, start)
    values = {
        "soil_moisture": (columns.reading(water, forcing), "volumetric liquid water, noise-free", "m3 m-3"),
        "total_water": (soil_water(water, columns.soil), "volumetric water, ice included", "m3 m-3"),
        "storage": (water.storage, "water in the soil", "mm"),
        "snow": (water.snow, "water in the snow", "mm"),
        "rain": (forcing["rain"], "rain and snowfall at the place", "mm d-1"),
        "evaporation": (water.evaporation, "evaporation", "mm d-1"),
        "drainage": (water.drainage, "drainage below the soil", "mm d-1"),
        "runoff": (water.runoff, "saturation-excess runoff", "mm d-1"),
    }
    return xr.Dataset(
        {
            name: xr.DataArray(
                array.reshape(shape),
                {k: c for k, c in near["tp"].coords.items() if not str(k).startswith("truth")},
                ("time", *space),
                attrs={"long_name": long_name, "units": units},
            ).transpose(*ds["truth_rain_ratio"].dims)
            for name, (array, long_name, units) in values.items()
        },
        attrs={"source": SIMULATED},
    )


def _days(start: str | pd.Timestamp, n_days: int, spinup_days: int) -> pd.DatetimeIndex:
    first = pd.Timestamp(start).normalize() - pd.Timedelta(days=spinup_days)
    return pd.date_range(first, periods=spinup_days + n_days, freq="D", name="time")
