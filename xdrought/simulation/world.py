"""Places and their weather and soil put together: numbers of a simulated world before they are labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from xdrought.simulation import soil as land
from xdrought.simulation import weather as air
from xdrought.simulation.soil import Planted, Soil

DRIVERS = ("d2m", "t2m", "mx2t", "cape", "tp", "e", "sp", "r", "z500", "ws10", "stl1", "swvl1")
STEP = 0.25  # degrees between cells
# Last keys of the random streams, apart from those of the latent fields; never 0, which numpy takes as absent.
_PLACE, _TERRAIN, _WETTER, _RAIN_RATIO, _SENSOR = 100, 101, 102, 103, 104
_SOIL_FIELD = 200
_IGBP = ("GRA", "CRO", "DBF", "ENF", "MF", "SAV")
N_SOIL = len(fields(Soil)) - 1  # uniform numbers that make a soil
N_PLANTED = 12


@dataclass(frozen=True)
class Place:
    """A tower: where it is, its climate, and the uniform numbers behind its soil and planted causes."""

    lat: float
    lon: float
    elevation: float
    igbp: str
    climate: air.Climate
    soil: np.ndarray
    planted: np.ndarray

    @classmethod
    def draw(cls, seed: int, index: int) -> Place:
        rng = np.random.default_rng([seed, index, _PLACE])
        u = rng.random(5)
        return cls(
            lat=float(34.0 + 24.0 * u[0] if u[1] < 0.85 else -26.0 - 14.0 * u[0]),
            lon=float(-170.0 + 340.0 * u[2]),
            elevation=float(30.0 + 900.0 * u[3] ** 2),
            igbp=_IGBP[int(len(_IGBP) * u[4])],
            climate=air.draw_climate(rng),
            soil=rng.random(N_SOIL),
            planted=rng.random(N_PLANTED),
        )

    def patch(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes, north to south, and longitudes, west to east, of the cells of a patch.

        Even sizes have the tower between the two middle cells, odd ones in the middle cell.
        """
        return _axis(self.lat, size)[::-1], _axis(self.lon, size)

    def cells(self, seed: int, index: int, lat: np.ndarray, lon: np.ndarray) -> air.CellPlaces:
        return make_cells((seed, index), lat, lon, (self.lat, self.lon), self.elevation)


def _axis(centre: float, size: int) -> np.ndarray:
    middle = np.floor(centre / STEP) if size % 2 == 0 else np.round(centre / STEP)
    return (middle + np.arange(size) - (size - 1) // 2) * STEP


def make_cells(
    stream: tuple[int, ...],
    lat: np.ndarray,
    lon: np.ndarray,
    origin: tuple[float, float],
    elevation: float,
) -> air.CellPlaces:
    """The cells of a latitude-longitude grid, row by row, with terrain."""
    north, east = np.meshgrid(lat - origin[0], (lon - origin[1]) * np.cos(np.deg2rad(origin[0])), indexing="ij")
    north, east = north.ravel(), east.ravel()
    terrain = air.static_field((*stream, _TERRAIN), east, north, 0.6)
    wetter = air.static_field((*stream, _WETTER), east, north, 1.0)
    return air.CellPlaces(
        lat=np.repeat(lat, len(lon)),
        east=east,
        north=north,
        elevation=np.maximum(elevation + 100.0 * terrain, 0.0),
        rain_factor=np.exp(0.12 * wetter),
    )


def make_drivers(
    climate: air.Climate,
    cells: air.CellPlaces,
    latent: air.Fields,
    days: pd.DatetimeIndex,
    wanted: Sequence[str],
) -> dict[str, np.ndarray]:
    """The drivers wanted, float32 (time, cell), the days before the record included."""
    values = latent.at(cells)
    weather = air.make_weather(climate, cells, values, days)
    if {"e", "swvl1"} & set(wanted):
        radiation = air.extraterrestrial_radiation(days, cells.lat)
        weather |= land.grid_drivers(weather, radiation, values["grid_error"])
    return {name: weather[name].astype("float32") for name in wanted}


def soil_fields(stream: tuple[int, ...], cells: air.CellPlaces) -> np.ndarray:
    """Uniform numbers (N_SOIL, cell) for soils that vary over some 50 km, and from cell to cell."""
    rough = np.random.default_rng([*stream, _SOIL_FIELD, N_SOIL + 1]).standard_normal((len(cells.lat), N_SOIL)).T
    smooth = [air.static_field((*stream, _SOIL_FIELD, 1 + k), cells.east, cells.north, 0.5) for k in range(N_SOIL)]
    return air.ndtr(0.9 * np.stack(smooth) + np.sqrt(1.0 - 0.9**2) * rough)


def rain_ratio(stream: tuple[int, ...], n_days: int, n: int, noise: float) -> np.ndarray:
    """Rain at a point over rain of the grid, (time, n), mean 1."""
    rng = np.random.default_rng([*stream, _RAIN_RATIO])
    sigma = 0.3 * noise
    return np.exp(sigma * rng.standard_normal((n_days, n)) - sigma**2 / 2.0)


def sensor_error(stream: tuple[int, ...], n_days: int, n: int, noise: float) -> np.ndarray:
    """White noise and a drift of weeks, m3 m-3 (time, n)."""
    white, shocks = np.moveaxis(np.random.default_rng([*stream, _SENSOR]).standard_normal((n_days, 2, n)), 1, 0)
    keep = np.exp(-1.0 / 20.0)
    drift = lfilter([np.sqrt(1.0 - keep**2)], [1.0, -keep], shocks, axis=0)
    return noise * (0.0015 * white + 0.004 * drift)


@dataclass(frozen=True)
class SoilColumns:
    """The soils of n towers or cells and their planted causes."""

    soil: Soil
    planted: Planted
    lat: np.ndarray

    def forcing(self, drivers: Mapping[str, np.ndarray], ratio: np.ndarray) -> dict[str, np.ndarray]:
        """What the soils receive from the drivers (time, n) of the grid."""
        given = land.grid_forcing({name: drivers[name].astype("float64") for name in land.PATHS})
        return given | {
            "rain": given["rain"] * ratio,
            "soil_temperature": given["soil_temperature"] + self.soil.warmer,
        }

    def run(
        self, forcing: Mapping[str, np.ndarray], days: pd.DatetimeIndex, start: np.ndarray | None = None
    ) -> land.Water:
        return land.run(forcing, self.soil, self.planted, self.radiation(days), start)

    def reading(self, water: land.Water, forcing: Mapping[str, np.ndarray]) -> np.ndarray:
        total = land.soil_water(water, self.soil)
        return land.sensor_reading(total, forcing["soil_temperature"], self.soil, self.planted)

    def observed(self, reading: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Reading with the sensor's error, inside what the soil can hold."""
        return np.clip(reading + error, 0.2 * self.soil.residual, self.soil.porosity)

    def radiation(self, days: pd.DatetimeIndex) -> np.ndarray:
        return air.extraterrestrial_radiation(days, self.lat)


@dataclass(frozen=True)
class SimulatedRecord:
    """What happened at n columns, (time, n), and by experiment why."""

    observed: np.ndarray  # m3 m-3
    water: land.Water
    soil_temperature: np.ndarray  # degC
    ratio: np.ndarray
    strength: Mapping[str, np.ndarray]


def simulate_columns(
    columns: SoilColumns,
    drivers: Mapping[str, np.ndarray],
    ratio: np.ndarray,
    error: np.ndarray,
    days: pd.DatetimeIndex,
    spinup: int,
) -> SimulatedRecord:
    """Spin the soils up, then run the record from the state they are in: so it can be run again without."""
    ratio = ratio.astype("float32")
    begin = {name: values[:spinup] for name, values in drivers.items()}
    start = None
    if spinup:
        before = columns.run(columns.forcing(begin, ratio[:spinup]), days[:spinup])
        start = np.stack([before.storage[-1], before.snow[-1]])
    days, ratio = days[spinup:], ratio[spinup:]
    forcing = columns.forcing({name: values[spinup:] for name, values in drivers.items()}, ratio)
    water = columns.run(forcing, days, start)
    strength = land.measured_strength(
        forcing,
        columns.soil,
        columns.planted,
        columns.radiation(days),
        water.start,
        days.day_of_year.to_numpy(),
    )
    observed = columns.observed(columns.reading(water, forcing), error[spinup:])
    return SimulatedRecord(observed, water, forcing["soil_temperature"], ratio, strength)
