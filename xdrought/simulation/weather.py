"""Simulated daily weather: latent Gaussian fields turned into nine drivers in a physical order.

Pressure falls with the synoptic state; rain comes where it falls; wet days are humid, cloudy and even; the
dewpoint stays below the temperature and the temperature below its maximum. Arrays are (time, cell).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.special import gamma, ndtr, ndtri

FREEZING = 273.15  # K
N_MODES = 32  # random Fourier modes of a field; each has a cosine and a sine amplitude
_MAX_DEPRESSION = 24.0  # K
_TAIL = 1.25  # above 1, the rain of wet days has a heavier tail than an exponential one
_RAIN_WEIGHTS = {"synoptic": 0.60, "regime": 0.46, "shower": 0.71}


@dataclass(frozen=True)
class Latent:
    """A stationary Gaussian field of unit variance: AR(1) in time, Gaussian correlation in space."""

    key: int  # of its random stream, so that no field depends on another
    memory: float  # e-folding time, days
    length: float  # correlation length, degrees of latitude


LATENTS = {
    "synoptic": Latent(1, 2.5, 9.0),
    "regime": Latent(2, 45.0, 15.0),
    "warm": Latent(3, 4.5, 7.0),
    "shower": Latent(4, 0.8, 0.9),
    "moist": Latent(5, 2.5, 3.5),
    "wind": Latent(6, 1.5, 4.0),
    "grid_error": Latent(7, 20.0, 1.5),
}


@dataclass(frozen=True)
class Climate:
    """The climate of a site or a small region; every field is one number."""

    warmth: float  # K, departure from the mean temperature of the latitude
    continentality: float  # factor of the annual temperature range
    wet_fraction: float  # share of days with rain
    wet_mean: float  # mm, mean rain of a wet day
    rain_season: float  # above 0 wet summers, below 0 wet winters
    dewpoint_depression: float  # K, annual mean
    wind: float  # m s-1


@dataclass(frozen=True)
class CellPlaces:
    """Places at which the weather is evaluated, one number a cell."""

    lat: np.ndarray
    east: np.ndarray  # degrees of latitude east of the origin, true length
    north: np.ndarray
    elevation: np.ndarray  # m
    rain_factor: np.ndarray

    def part(self, where: slice) -> CellPlaces:
        return CellPlaces(*(getattr(self, name)[where] for name in self.__dataclass_fields__))


def draw_climate(rng: np.random.Generator) -> Climate:
    """A climate from the range of the towers of FLUXNET2015 that measure soil moisture."""
    u = rng.random(7)
    wet_fraction = 0.18 + 0.26 * u[2]
    return Climate(
        warmth=-2.0 + 4.0 * u[0],
        continentality=0.75 + 0.45 * u[1],
        wet_fraction=wet_fraction,
        wet_mean=4.0 + 3.5 * u[3],
        rain_season=-1.0 + 1.6 * u[4],
        # Dry air belongs to places where it seldom rains.
        dewpoint_depression=8.5 - 11.0 * wet_fraction + 2.0 * u[5],
        wind=1.5 + 2.5 * u[6],
    )


class Fields:
    """The latent fields of one world: amplitudes of modes in time, evaluated anywhere in space.

    The amplitudes are drawn day by day, so the first days do not depend on how many follow, and no draw
    depends on where, or at how many places, the fields are evaluated.
    """

    def __init__(self, stream: tuple[int, ...], n_days: int) -> None:
        self._modes = {name: _modes(stream, latent, n_days) for name, latent in LATENTS.items()}

    def at(self, cells: CellPlaces) -> dict[str, np.ndarray]:
        """Every latent field at the cells, float32 (time, cell)."""
        return {name: _evaluate(*modes, cells) for name, modes in self._modes.items()}


def _modes(stream: tuple[int, ...], latent: Latent, n_days: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([*stream, latent.key])
    waves = rng.standard_normal((N_MODES, 2)) / latent.length
    shocks = rng.standard_normal((n_days, 2 * N_MODES))
    memory = np.exp(-1.0 / latent.memory)
    scale = np.sqrt(1.0 - memory**2)
    shocks[0] /= scale  # the first day already has the stationary variance
    return lfilter([scale], [1.0, -memory], shocks, axis=0), waves


def _evaluate(amplitudes: np.ndarray, waves: np.ndarray, cells: CellPlaces) -> np.ndarray:
    phase = waves @ np.stack([cells.east, cells.north])
    basis = np.concatenate([np.cos(phase), np.sin(phase)]) / np.sqrt(N_MODES)
    return (amplitudes @ basis).astype("float32")


def static_field(stream: tuple[int, ...], east: np.ndarray, north: np.ndarray, length: float) -> np.ndarray:
    """One Gaussian field without time (cell,), unit variance."""
    rng = np.random.default_rng(list(stream))
    phase = (rng.standard_normal((N_MODES, 2)) / length) @ np.stack([east, north])
    weights = rng.standard_normal((2, N_MODES)) / np.sqrt(N_MODES)
    return weights[0] @ np.cos(phase) + weights[1] @ np.sin(phase)


def summer(days: pd.DatetimeIndex, lat: np.ndarray, *, late: float = 20.0) -> np.ndarray:
    """Phase of the year (time, cell): 1 in high summer, -1 in deep winter, `late` days after the solstice."""
    phase = 2 * np.pi * (days.day_of_year.to_numpy()[:, None] + 10.0 - late) / 365.25
    return -np.cos(phase) * np.where(np.asarray(lat) < 0, -1.0, 1.0)


def extraterrestrial_radiation(days: pd.DatetimeIndex, lat: np.ndarray) -> np.ndarray:
    """Radiation above the air in mm d-1 of evaporation (time, cell); Allen et al. (1998), FAO-56 Eq. 21."""
    turn = 2 * np.pi * days.day_of_year.to_numpy()[:, None] / 365.25
    phi = np.deg2rad(np.asarray(lat, dtype="float64"))
    declination = 0.409 * np.sin(turn - 1.39)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1.0, 1.0))
    distance = 1.0 + 0.033 * np.cos(turn)
    angle = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return 37.6 * distance * angle / 2.45


def vapour_pressure(kelvin: np.ndarray) -> np.ndarray:
    """Saturation over water, hPa; Magnus formula, Alduchov and Eskridge (1996)."""
    celsius = kelvin - FREEZING
    return 6.1094 * np.exp(17.625 * celsius / (celsius + 243.04))


def make_weather(
    climate: Climate, cells: CellPlaces, latent: Mapping[str, np.ndarray], days: pd.DatetimeIndex
) -> dict[str, np.ndarray]:
    """The nine drivers that do not need a soil, float64 (time, cell), in ECMWF names and units."""
    season = summer(days, cells.lat)
    rain_index = sum(weight * latent[name] for name, weight in _RAIN_WEIGHTS.items())
    rain_index = rain_index / np.sqrt(sum(weight**2 for weight in _RAIN_WEIGHTS.values()))
    rain, is_wet = _rain(climate, cells, rain_index, season)
    anomaly = _temperature_anomaly(cells, latent, rain_index, season)
    mean = 29.0 - 0.0085 * cells.lat**2 + climate.warmth - 0.0055 * cells.elevation
    span = 0.23 * np.abs(cells.lat) * climate.continentality
    t2m = FREEZING + mean + span * season + anomaly

    cloud = ndtr(0.8 * rain_index + 0.6 * latent["moist"])
    sun = extraterrestrial_radiation(days, cells.lat) / 17.0
    half_range = (1.0 + 4.5 * sun) * (0.3 + 0.9 * (1.0 - cloud))
    depression = _dewpoint_depression(climate, latent, rain_index, is_wet, season)
    d2m = t2m - depression
    pressure = 101325.0 * (1.0 - 2.25577e-5 * cells.elevation) ** 5.2559
    low = 0.9 * latent["synoptic"] + 0.3 * latent["regime"]
    gust = 0.33 * latent["wind"] + 0.15 * latent["synoptic"] - 0.12 * season
    return {
        "d2m": d2m,
        "t2m": t2m,
        "mx2t": t2m + half_range,
        "cape": _cape(d2m, rain_index, latent["shower"]),
        "tp": rain / 1000.0,
        "sp": pressure - 700.0 * low,
        "r": 100.0 * vapour_pressure(d2m) / vapour_pressure(t2m),
        "z500": 5890.0 - 0.135 * cells.lat**2 + 80.0 * season + 7.0 * anomaly - 60.0 * low,
        "ws10": climate.wind * np.exp(gust),
        "stl1": _soil_temperature(t2m),
    }


def _rain(
    climate: Climate, cells: CellPlaces, rain_index: np.ndarray, season: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rain in mm and which days are wet: the latent index above a threshold that moves with the season."""
    chance = np.clip(climate.wet_fraction * (1.0 + 0.45 * climate.rain_season * season), 0.04, 0.9)
    is_wet = rain_index > -ndtri(chance)
    rank = np.where(is_wet, ndtr(-rain_index) / chance, 1.0)  # uniform between 0 and 1 on wet days
    mean = climate.wet_mean * cells.rain_factor * (1.0 + 0.2 * season + 0.25 * climate.rain_season * season)
    return mean / gamma(1.0 + _TAIL) * (-np.log(rank)) ** _TAIL, is_wet


def _temperature_anomaly(
    cells: CellPlaces, latent: Mapping[str, np.ndarray], rain_index: np.ndarray, season: np.ndarray
) -> np.ndarray:
    """Cloudy weather is cool in summer and mild in winter; dry regimes heat the summer."""
    size = (2.2 + 0.045 * np.abs(cells.lat)) * (1.0 - 0.2 * season)
    weather = -0.35 * season * rain_index - 0.25 * np.maximum(season, 0.0) * latent["regime"]
    return size * (0.9 * latent["warm"] + weather)


def _dewpoint_depression(
    climate: Climate,
    latent: Mapping[str, np.ndarray],
    rain_index: np.ndarray,
    is_wet: np.ndarray,
    season: np.ndarray,
) -> np.ndarray:
    weather = -0.32 * rain_index - 0.28 * latent["moist"] - 0.12 * latent["regime"]
    depression = climate.dewpoint_depression * np.exp(0.4 * season + weather)
    depression = np.where(is_wet, 0.65, 1.0) * depression
    return np.maximum(_MAX_DEPRESSION * np.tanh(depression / _MAX_DEPRESSION), 0.05)


def _cape(d2m: np.ndarray, rain_index: np.ndarray, shower: np.ndarray) -> np.ndarray:
    cape = 60.0 * np.exp(0.17 * (d2m - FREEZING - 8.0) + 0.4 * rain_index + 0.6 * shower)
    return np.where(cape < 1.0, 0.0, np.minimum(cape, 6000.0))


def _soil_temperature(t2m: np.ndarray) -> np.ndarray:
    """Five-day memory of the air; frozen soil under snow cools at a third of the rate."""
    keep = np.exp(-1.0 / 5.0)
    air = t2m - FREEZING
    smooth, _ = lfilter([1.0 - keep], [1.0, -keep], air, axis=0, zi=keep * air[:1])
    return FREEZING + np.where(smooth < 0.0, 0.35 * smooth, smooth)
