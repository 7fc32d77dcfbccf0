"""Which cells make the patch of a site: arrays of positions on regular axes, nothing labelled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_STRAIGHT = 0.01  # largest deviation of a label from equal spacing, in cells
_ON_CELL = 1e-6  # a site closer than this to a cell's centre or edge, in cells, lies on it


class Axis(NamedTuple):
    """Cells in order (north to south, or west to east) and their place along the axis."""

    order: np.ndarray  # position in the input of each cell
    start: float  # degrees of the first cell
    step: float  # degrees from one cell to the next, negative to the south
    wraps: bool  # the cell after the last is the first

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.order)


class Cells(NamedTuple):
    """Cells of every site along one axis, (site, size)."""

    position: np.ndarray  # in the input; any valid one where not inside
    inside: np.ndarray


def latitude_axis(lat: np.ndarray) -> Axis:
    """The rows of a grid from north to south; ValueError when they are not evenly spaced."""
    order = np.argsort(-lat)
    start, step = _spacing(lat[order], "lat")
    return Axis(order, start, step, wraps=False)


def longitude_axis(lon: np.ndarray, wrap: bool | None) -> Axis:
    """The columns of a grid from west to east, from the longest gap on; `lon` is in [-180, 180).

    `wrap` None: a grid around the globe wraps. True raises for another one.
    """
    order = np.argsort(lon)
    labels = lon[order]
    gaps = np.diff(np.append(labels, labels[0] + 360.0))
    if gaps.max() > 1.5 * gaps.min():  # a region: it begins east of where there is nothing
        order = np.roll(order, -(int(gaps.argmax()) + 1))
        labels = lon[order]
    unrolled = labels[0] + (labels - labels[0]) % 360.0
    start, step = _spacing(unrolled, "lon")
    is_global = abs(len(lon) * step - 360.0) < 0.5 * step
    if wrap and not is_global:
        raise ValueError(
            f"wrap=True, but the grid covers {len(lon) * step:g} of 360 degrees of longitude; use wrap='auto'"
        )
    return Axis(order, start, step, wraps=is_global and wrap is not False)


def _spacing(labels: np.ndarray, name: str) -> tuple[float, float]:
    if labels.size < 2:
        raise ValueError(f"{name!r} has one cell; at least two are needed to know the spacing")
    step = (labels[-1] - labels[0]) / (labels.size - 1)
    off = np.abs((labels - labels[0]) / step - np.arange(labels.size))
    if off.max() > _STRAIGHT:
        gaps = np.abs(np.diff(labels))
        raise ValueError(
            f"{name!r} is not evenly spaced (steps from {gaps.min():g} to {gaps.max():g} degrees); a patch "
            f"needs a "
            f"regular grid without missing rows or columns: regrid it, or give the whole of it"
        )
    return float(labels[0]), float(step)


def place_latitude(axis: Axis, lat: np.ndarray) -> np.ndarray:
    """Position of latitudes in cells from the first one on, with fractions (site,)."""
    return _snap((lat - axis.start) / axis.step)


def place_longitude(axis: Axis, lon: np.ndarray) -> np.ndarray:
    """Position of longitudes of either convention in cells from the first one on (site,)."""
    middle = axis.start + 0.5 * (axis.size - 1) * axis.step
    near = (lon - middle + 180.0) % 360.0 - 180.0  # the way round that is nearer to the grid's middle
    return _snap((near + middle - axis.start) / axis.step)


def _snap(position: np.ndarray) -> np.ndarray:
    half = np.rint(2.0 * position) / 2.0
    return np.where(np.abs(position - half) < _ON_CELL, half, position)


def patch_cells(axis: Axis, place: np.ndarray, size: int) -> Cells:
    """The `size` cells around each place along one axis.

    Even: the place is between cells size/2-1 and size/2, or on the former. Odd: the middle cell is the
    nearest one, the northern or western one of two as near.
    """
    middle = np.floor(place) if size % 2 == 0 else np.ceil(place - 0.5)
    steps = middle.astype(np.int64)[:, None] - (size - 1) // 2 + np.arange(size)
    if axis.wraps:
        return Cells(axis.order[steps % axis.size], np.ones(steps.shape, dtype=bool))
    inside = (steps >= 0) & (steps < axis.size)
    return Cells(axis.order[np.clip(steps, 0, axis.size - 1)], inside)
