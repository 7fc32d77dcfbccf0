"""Areas of grid cells on the sphere, from the coordinates of their centres or as they are given."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xdrought import alignment, units
from xdrought.statistics.sphere import EARTH_RADIUS


def edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells: midpoints, and half a step beyond the ends (half a degree around a single one)."""
    step = np.diff(centres) if centres.size > 1 else np.ones(1)
    return np.concatenate([[centres[0] - step[0] / 2], (centres[:-1] + centres[1:]) / 2, [centres[-1] + step[-1] / 2]])


def of_grid(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Area of each cell (lat, lon), km2, of centres in degrees that grow or fall without a jump."""
    bands = np.abs(np.diff(np.sin(np.deg2rad(np.clip(edges(lat), -90, 90)))))
    widths = np.abs(np.diff(np.deg2rad(edges(lon))))
    return EARTH_RADIUS**2 * bands[:, None] * widths


def as_given(cell_area: object, own: xr.DataArray) -> xr.DataArray:
    """Areas of the user on the labels of `own`, km2, or a refusal of what cannot be areas."""
    given = units.convert(alignment.align_to(own, cell_area, what="cell_area"), "km2")
    full = given.broadcast_like(own).transpose(*own.dims).astype(np.float64)
    if not (full.values >= 0).all():
        raise ValueError("cell_area is negative or missing somewhere; fill it, 0 where nothing counts")
    return full
