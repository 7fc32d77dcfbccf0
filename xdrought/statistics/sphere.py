"""Places, distances and areas of cells on the sphere of the Earth."""

from __future__ import annotations

import numpy as np

EARTH_RADIUS = 6371.0  # km


def unit_vectors(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Places (...) in degrees as points (..., 3) of the unit sphere; latitudes and longitudes are broadcast."""
    phi, lam = np.deg2rad(lat), np.deg2rad(lon)
    return np.stack(np.broadcast_arrays(np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)), axis=-1)


def km_of_chord(chord: np.ndarray) -> np.ndarray:
    """Great-circle distance of points of the unit sphere whose straight distance is `chord`."""
    return 2 * EARTH_RADIUS * np.arcsin(np.clip(chord / 2, 0, 1))


def chord_of_km(km: float) -> float:
    """Straight distance of points of the unit sphere that are `km` apart on the Earth, at most its diameter."""
    return float(2 * np.sin(min(km / EARTH_RADIUS, np.pi) / 2))


def cell_edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells: midpoints, and half a step beyond the ends (half a degree around a single one)."""
    step = np.diff(centres) if centres.size > 1 else np.ones(1)
    return np.concatenate([[centres[0] - step[0] / 2], (centres[:-1] + centres[1:]) / 2, [centres[-1] + step[-1] / 2]])


def cell_areas(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Area of each cell (lat, lon), km2, of centres in degrees that grow or fall without a jump."""
    bands = np.abs(np.diff(np.sin(np.deg2rad(np.clip(cell_edges(lat), -90, 90)))))
    widths = np.abs(np.diff(np.deg2rad(cell_edges(lon))))
    return EARTH_RADIUS**2 * bands[:, None] * widths
