"""Simulated soils: a bucket with known properties, and the demand of the air with planted driver strengths.

Arrays are (time, n) for n independent columns of soil: towers, or cells of a grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xdrought.simulation.weather import FREEZING

# Driver: the value without effect, and the change that the planted coefficient is the exponent of.
DEMAND = {"t2m": (288.15, 10.0), "mx2t": (293.15, 10.0), "r": (70.0, -20.0), "ws10": (3.0, 2.0)}
PATHS = (*DEMAND, "tp", "stl1")  # the only drivers with a path to the soil of a tower
MAX_LAG = 10  # days
_BASE_DEMAND = 0.24  # share of the radiation above the air that evaporates at the values without effect
_MAX_DEMAND = 12.0  # mm d-1
_MAX_INTERCEPTION = 3.0  # mm d-1; what else never reaches the soil runs off
_MELT = (2.0, 4.0)  # mm d-1, and mm d-1 K-1 above freezing
_GRID_COEFFICIENTS = {"t2m": 0.35, "mx2t": 0.0, "r": 0.25, "ws10": 0.15}


@dataclass(frozen=True)
class Soil:
    """Properties of n columns, each (n,)."""

    depth: np.ndarray  # mm
    residual: np.ndarray  # m3 m-3
    wilting_point: np.ndarray
    field_capacity: np.ndarray
    porosity: np.ndarray
    stress_point: np.ndarray  # below it evaporation falls, linearly, to none at the wilting point
    drainage_rate: np.ndarray  # d-1, of the water above field capacity
    warmer: np.ndarray  # K, soil temperature of the tower above the grid's
    frozen_share: np.ndarray  # share of the water that a sensor loses when the soil freezes hard

    @property
    def capacity(self) -> np.ndarray:
        return self.porosity * self.depth

    @classmethod
    def draw(cls, uniform: np.ndarray) -> Soil:
        """Soils from uniform numbers (8, n): sand to clay, thin to deep."""
        clay = uniform[0]
        wilting_point = 0.04 + 0.18 * clay
        field_capacity = wilting_point + 0.16 + 0.12 * uniform[1]
        return cls(
            depth=180.0 + 220.0 * uniform[2],
            residual=0.4 * wilting_point,
            wilting_point=wilting_point,
            field_capacity=field_capacity,
            porosity=field_capacity + 0.08 + 0.08 * uniform[3],
            stress_point=wilting_point + (0.55 + 0.4 * uniform[4]) * (field_capacity - wilting_point),
            drainage_rate=0.05 + 0.18 * uniform[5] * (1.0 - 0.5 * clay),
            warmer=-0.5 + 2.0 * uniform[6],
            frozen_share=0.3 + 0.4 * uniform[7],
        )

    @classmethod
    def of_grid(cls, n: int) -> Soil:
        """The model's one loam, deeper than a sensor sees."""
        values = (260.0, 0.05, 0.15, 0.31, 0.44, 0.26, 0.3, 0.0, 0.0)
        return cls(*(np.full(n, value) for value in values))


@dataclass(frozen=True)
class Planted:
    """Coefficients and lags of the drivers with a path, each (n,)."""

    coefficient: Mapping[str, np.ndarray]
    lag: Mapping[str, np.ndarray]

    @classmethod
    def draw(cls, uniform: np.ndarray) -> Planted:
        """From uniform numbers (12, n). Some paths are missing at some places; one temperature always acts."""
        by_mean = uniform[0] < 0.6
        heat = 0.45 + 0.4 * uniform[1]
        nothing = np.zeros_like(heat)
        coefficient = {
            "t2m": np.where(by_mean, heat, nothing),
            "mx2t": np.where(by_mean, nothing, heat),
            "r": np.where(uniform[2] < 0.2, nothing, 0.1 + 0.4 * uniform[3]),
            "ws10": np.where(uniform[4] < 0.35, nothing, 0.05 + 0.35 * uniform[5]),
            "tp": 0.7 + 0.25 * uniform[6],
            "stl1": np.ones_like(heat),
        }
        lag = {name: (5 * uniform[7 + k]).astype(int) for k, name in enumerate(DEMAND)}
        return cls(coefficient, lag | {"tp": nothing.astype(int), "stl1": nothing.astype(int)})

    def replace(self, strengths: Mapping[str, float], lags: Mapping[str, int]) -> Planted:
        """The same values at every place for the drivers named."""
        size = self.coefficient["tp"].shape
        given = {name: np.full(size, float(value)) for name, value in strengths.items()}
        given_lags = {name: np.full(size, int(value)) for name, value in lags.items()}
        return Planted({**self.coefficient, **given}, {**self.lag, **given_lags})

    def spread(self, n: int) -> Planted:
        """The values of one place at n places."""
        return Planted(
            {name: np.repeat(value, n) for name, value in self.coefficient.items()},
            {name: np.repeat(value, n) for name, value in self.lag.items()},
        )

    @classmethod
    def of_grid(cls, n: int) -> Planted:
        coefficient = {**_GRID_COEFFICIENTS, "tp": 0.9, "stl1": 1.0}
        return cls(
            {name: np.full(n, value) for name, value in coefficient.items()},
            {name: np.zeros(n, int) for name in PATHS},
        )


@dataclass(frozen=True)
class Water:
    """What the bucket did, each (time, n) in mm or mm d-1; `start` is (2, n), storage and snow before day 0."""

    storage: np.ndarray
    snow: np.ndarray
    evaporation: np.ndarray  # interception included
    drainage: np.ndarray
    runoff: np.ndarray
    start: np.ndarray


def evaporative_demand(forcing: Mapping[str, np.ndarray], planted: Planted, radiation: np.ndarray) -> np.ndarray:
    """Evaporation of a wet soil, mm d-1: ``0.24 radiation exp(sum of coefficient * scaled driver)``."""
    exponent = np.zeros_like(radiation)
    for name, (neutral, scale) in DEMAND.items():
        delayed = _delay(forcing[name], planted.lag[name])
        exponent += planted.coefficient[name] * (delayed - neutral) / scale
    return np.minimum(_BASE_DEMAND * radiation * np.exp(exponent), _MAX_DEMAND)


def run(
    forcing: Mapping[str, np.ndarray],
    soil: Soil,
    planted: Planted,
    radiation: np.ndarray,
    start: np.ndarray | None = None,
) -> Water:
    """Daily water balance of the columns.

    Parameters
    ----------
    forcing : mapping of (time, n)
        ``t2m mx2t r ws10`` as the drivers are, ``rain`` in mm d-1, ``soil_temperature`` in degC.
    radiation : (time, n)
        Above the air, mm d-1 of evaporation.
    start : (2, n), optional
        Storage and snow in mm; field capacity and none by default.
    """
    rain = _delay(forcing["rain"], planted.lag["tp"])
    warmth = _delay(forcing["soil_temperature"], planted.lag["stl1"])
    freezes = planted.coefficient["stl1"] > 0.0
    demand = evaporative_demand(forcing, planted, radiation)
    begin = np.stack([soil.field_capacity * soil.depth, 0.0 * soil.depth]) if start is None else start
    storage, snow = begin.copy()
    out = {name: np.empty_like(rain) for name in ("storage", "snow", "evaporation", "drainage", "runoff")}

    through = planted.coefficient["tp"] * rain
    is_frozen = (warmth < 0.0) & freezes
    melting = np.where(is_frozen, 0.0, _MELT[0] + _MELT[1] * np.maximum(warmth, 0.0))
    residual, wilting = soil.residual * soil.depth, soil.wilting_point * soil.depth
    free = soil.field_capacity * soil.depth
    slope = 1.0 / ((soil.stress_point - soil.wilting_point) * soil.depth)
    for day in range(len(rain)):
        snow = snow + np.where(is_frozen[day], through[day], 0.0)
        melt = np.minimum(snow, melting[day])
        snow = snow - melt
        supply = np.where(is_frozen[day], 0.0, through[day]) + melt
        storage = storage + supply
        runoff = np.maximum(storage - soil.capacity, 0.0)
        storage = storage - runoff
        stress = np.clip((storage - wilting) * slope, 0.0, 1.0)
        wanted = np.where(is_frozen[day], 0.0, demand[day] * stress)
        evaporation = np.minimum(wanted, np.maximum(storage - residual, 0.0))
        storage = storage - evaporation
        drainage = np.where(is_frozen[day], 0.0, soil.drainage_rate * np.maximum(storage - free, 0.0))
        storage = storage - drainage
        out["storage"][day], out["snow"][day] = storage, snow
        out["evaporation"][day], out["drainage"][day], out["runoff"][day] = evaporation, drainage, runoff
    kept = rain - through
    wet_leaves = np.minimum(kept, _MAX_INTERCEPTION)
    out["evaporation"] += wet_leaves
    out["runoff"] += kept - wet_leaves
    return Water(**out, start=begin)


def soil_water(water: Water, soil: Soil) -> np.ndarray:
    """Total water, ice included, m3 m-3 (time, n)."""
    return water.storage / soil.depth


def sensor_reading(total: np.ndarray, soil_temperature: np.ndarray, soil: Soil, planted: Planted) -> np.ndarray:
    """Liquid water as a dielectric sensor reads it: ice, formed between 0 and -1.5 degC, reads as dry."""
    ice = np.clip(-_delay(soil_temperature, planted.lag["stl1"]) / 1.5, 0.0, 1.0)
    return total * (1.0 - planted.coefficient["stl1"] * soil.frozen_share * ice)


def annual_cycle(values: np.ndarray, day_of_year: np.ndarray) -> np.ndarray:
    """Mean and two harmonics of the year fitted to each column, (time, n)."""
    turn = 2 * np.pi * day_of_year[:, None] * np.array([1.0, 2.0]) / 365.25
    design = np.concatenate([np.ones_like(turn[:, :1]), np.cos(turn), np.sin(turn)], axis=1)
    return design @ np.linalg.lstsq(design, values, rcond=None)[0]


def measured_strength(
    forcing: Mapping[str, np.ndarray],
    soil: Soil,
    planted: Planted,
    radiation: np.ndarray,
    start: np.ndarray,
    day_of_year: np.ndarray,
) -> dict[str, np.ndarray]:
    """What each driver does to the noise-free reading, m3 m-3 (n,), by experiment.

    The standard deviation of the change when the departures of this driver alone from its annual cycle are
    taken away. Exactly 0 for a driver that has no path.
    """

    def reading(given: Mapping[str, np.ndarray]) -> np.ndarray:
        total = soil_water(run(given, soil, planted, radiation, start), soil)
        return sensor_reading(total, given["soil_temperature"], soil, planted)

    truth = reading(forcing)
    strength = {}
    for name in PATHS:
        key = {"tp": "rain", "stl1": "soil_temperature"}.get(name, name)
        calm = annual_cycle(forcing[key], day_of_year)
        calm = np.maximum(calm, 0.0) if name == "tp" else calm
        change = reading({**forcing, key: calm}) - truth
        strength[name] = np.where(planted.coefficient[name] == 0.0, 0.0, change.std(axis=0))
    return strength


def grid_forcing(weather: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Drivers in the units of the bucket: rain in mm, soil temperature in degC."""
    given = {name: weather[name] for name in DEMAND}
    return {**given, "rain": 1000.0 * weather["tp"], "soil_temperature": weather["stl1"] - FREEZING}


def _delay(values: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Each column `days` late; the first value stands in before the record."""
    if not days.any():
        return values
    rows = np.maximum(np.arange(len(values))[:, None] - days, 0)
    return np.take_along_axis(values, rows, axis=0)


def grid_drivers(weather: Mapping[str, np.ndarray], radiation: np.ndarray, error: np.ndarray) -> dict[str, np.ndarray]:
    """`e` (m d-1, negative: evaporation) and `swvl1` (m3 m-3) of the grid's own soil.

    It is smoother than a tower's, biased, and carries the model's error; neither reaches the tower.
    """
    n = radiation.shape[1]
    soil = Soil.of_grid(n)
    water = run(grid_forcing(weather), soil, Planted.of_grid(n), radiation)
    swvl1 = 0.04 + 0.85 * soil_water(water, soil) + 0.012 * error
    return {"e": -water.evaporation / 1000.0, "swvl1": np.clip(swvl1, 0.01, 0.6)}
