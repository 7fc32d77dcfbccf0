"""What an attribution is made from: the windows to explain, and windows of the training part."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.forecast import driver_inputs as forecast_inputs
from xdrought.forecast.forecaster import Forecaster
from xdrought.windows.labelled import Patches, make_patches
from xdrought.windows.selection import GRID, SITE, corner

if TYPE_CHECKING:
    from torch import Tensor

    from xdrought.models.expected_gradients import NetworkInputs
    from xdrought.windows.tensors import ResidentCube

_TRIES = 20  # for each background that is wanted: a window that is tried may be incomplete


@dataclass(frozen=True, eq=False)
class Explained:
    """Windows with their causality degrees (places..., n_causal); `scaled` holds what the network sees."""

    windows: Patches
    scaled: Patches
    degrees: Any | None  # in memory or lazy

    @property
    def is_lazy(self) -> bool:
        return self.scaled.inputs.chunks is not None

    @property
    def keys(self) -> np.ndarray:
        """A number for each window that depends on its place and day only."""
        return self.windows.cell * _n_starts(self.windows) + self.windows.start

    @cached_property
    def cube(self) -> ResidentCube:
        return self.scaled.to_torch("cpu")

    @cached_property
    def vectors(self) -> Tensor | None:
        """(cells, n_causal) of all places."""
        import torch

        if self.degrees is None:
            return None
        return torch.from_numpy(np.asarray(self.degrees).reshape(-1, self.degrees.shape[-1]))

    def sample(self, index: np.ndarray, device: Any) -> NetworkInputs:
        """The network's inputs of the windows at positions `index`, on the device."""
        import torch

        from xdrought.models.expected_gradients import NetworkInputs

        position = torch.from_numpy(index)
        degrees = None if self.vectors is None else self.vectors[self.cube.cell[position]].to(device)
        return NetworkInputs(self.cube.gather(position).to(device), degrees)


def windows_of(ds: xr.Dataset, forecaster: Forecaster, causality: xr.Dataset | None, time: Hashable) -> Explained:
    """All complete windows of a Dataset, as the forecaster needs them; of a lazy one nothing is computed."""
    forecaster.require_complete_inputs("an attribution")
    known = forecast_inputs.forecast_inputs(ds, forecaster, time)
    windows = make_patches(
        known, None, forecaster.features, forecaster.size, forecaster.window, forecaster.lead, False, time
    )
    scaled = windows.with_data(forecaster.scaling.apply(windows.data))
    is_lazy = scaled.inputs.chunks is not None
    if not is_lazy:
        windows.require_windows()
    degrees = None
    if forecaster.causality is not None:
        degree = forecaster.causality if causality is None else causality
        degrees = forecast_inputs.degrees_of_places(windows, degree, forecaster.drivers)
        if not is_lazy:
            degrees = np.asarray(degrees)
            forecast_inputs.require_degrees(windows, degrees)
    return Explained(windows, scaled, degrees)


def chosen_windows(windows: Patches, where: xr.DataArray | None) -> np.ndarray:
    """Positions of the windows whose valid time and place are True in `where`; all without it."""
    if where is None:
        return np.arange(len(windows))
    every = windows.to_labels(np.ones(len(windows), dtype=bool))
    check_where(where, every.dims)
    labels = {dim: every.indexes[dim] for dim in where.dims if dim in every.indexes and dim in where.indexes}
    mask = (
        where.reset_coords(drop=True)
        .reindex(labels, fill_value=False)
        .broadcast_like(every)
        .transpose(..., windows.time)
    )
    chosen = mask.to_numpy().reshape(-1, len(windows.times))[windows.cell, windows.valid_day]
    _require_any(chosen.any(), where, windows)
    return np.flatnonzero(chosen)


def check_where(where: xr.DataArray, dims: tuple[Hashable, ...]) -> None:
    """Raise for anything but booleans on places and times of the windows."""
    if where.dtype != bool:
        raise TypeError(f"where is {where.dtype}; give a boolean DataArray, True on the valid times to explain")
    unknown = [dim for dim in where.dims if dim not in dims]
    if unknown:
        raise ValueError(f"where has {unknown}, the windows have {dims}; reduce it with .any({unknown})")


def _require_any(n: int, where: xr.DataArray, windows: Patches) -> None:
    if not n:
        raise ValueError(
            f"where is True on {int(where.sum())} of its values, but on none with a complete window; "
            f"its times are valid times, {windows.lead} days after the last input day"
        )


def asked_days(windows: Patches, where: xr.DataArray | None) -> tuple[Any | None, np.ndarray]:
    """Of lazy windows: `where` as (places..., valid day) with absent places of length one, and which days it has.

    Days on which a `where` in memory is nowhere True are left out.
    """
    days = np.arange(len(windows.times))
    if where is None:
        return None, days
    places = GRID if windows.on_grid else (SITE,)
    check_where(where, (*places, windows.time))
    every: dict[Hashable, Any] = {dim: windows.data.indexes.get(dim) for dim in places}
    every[windows.time] = windows.times
    mask = xr.DataArray(where.variable)
    for dim in where.dims:
        own, wanted = where.indexes.get(dim), every[dim]
        if own is not None and wanted is not None and not own.equals(wanted):
            at = own.get_indexer(wanted)
            mask = mask.isel({dim: at.clip(min=0)}) & xr.DataArray(at >= 0, dims=[dim])
    mask = mask.expand_dims([dim for dim in (*places, windows.time) if dim not in mask.dims])
    mask = mask.transpose(*places, windows.time)
    if mask.sizes[windows.time] == 1:
        mask = mask.isel({windows.time: np.zeros(len(days), int)})
    if mask.chunks is None:
        days = np.flatnonzero(mask.any(places).to_numpy())
        mask = mask.isel({windows.time: days})
        _require_any(len(days), where, windows)
    return mask.data, days


def background_of(usual: Explained, forecaster: Forecaster, n: int, seed: int) -> NetworkInputs:
    """The background on the CPU; of lazy data the windows that are tried are read now, a few at a time."""
    import torch

    from xdrought.models.expected_gradients import NetworkInputs

    if not usual.is_lazy:
        return usual.sample(background_windows(usual.windows, forecaster, n, seed), "cpu")
    cell, start = _tries(usual.windows, forecaster, n, seed)
    found: list[tuple[int, int, np.ndarray]] = []
    for first in range(0, len(cell), n):
        part = slice(first, first + n)
        found += _read_windows(usual.scaled, cell[part], start[part])
        if len(found) >= n:
            break
    _require_background(len(found))
    cell, start, values = zip(*sorted(found[:n], key=lambda each: each[:2]), strict=True)
    x = torch.from_numpy(np.stack(values))
    if usual.degrees is None:
        return NetworkInputs(x)
    degrees = np.asarray(usual.degrees.reshape(-1, usual.degrees.shape[-1])[list(cell)])
    if not np.isfinite(degrees).all():
        raise ValueError(forecast_inputs.without_degree("a place of the background"))
    return NetworkInputs(x, torch.from_numpy(degrees))


def background_windows(windows: Patches, forecaster: Forecaster, n: int, seed: int) -> np.ndarray:
    """Positions of `n` windows of the training part (fewer, if fewer are found), drawn without replacement."""
    n_start = _n_starts(windows)
    cell, start = _tries(windows, forecaster, n, seed)
    keys, tried = windows.cell * n_start + windows.start, cell * n_start + start
    position = np.searchsorted(keys, tried).clip(max=len(keys) - 1)
    found = position[keys[position] == tried]
    _require_background(len(found))
    return np.sort(found[:n])


def _tries(windows: Patches, forecaster: Forecaster, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(cell, start) of windows of the training part, complete or not, in random order: labels alone decide."""
    first, stop = forecaster.splits.starts(windows, "train")
    counts = stop - first
    edges = np.cumsum(counts)
    total = int(edges[-1])
    _require_background(total)
    tried = np.random.default_rng([seed, total]).choice(total, min(total, _TRIES * n), replace=False)
    cell = np.searchsorted(edges, tried, side="right")
    return cell, first[cell] + tried - (edges[cell] - counts[cell])


def _read_windows(scaled: Patches, cell: np.ndarray, start: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """The complete ones of some windows of lazy data, computed together."""
    import dask

    cube, kept = scaled.inputs.data, []
    for place, day in zip(cell.tolist(), start.tolist(), strict=True):
        days = slice(day, day + scaled.window)
        if not scaled.on_grid:
            kept.append((place, day, cube[place, days]))
            continue
        row, column = corner(place, cube.shape[3], scaled.size)
        if min(row, column) >= 0 and row + scaled.size <= cube.shape[2] and column + scaled.size <= cube.shape[3]:
            kept.append((place, day, cube[days, :, row : row + scaled.size, column : column + scaled.size]))
    values = dask.compute(*[lazy for _, _, lazy in kept])
    return [(*each[:2], x) for each, x in zip(kept, values, strict=True) if np.isfinite(x).all()]


def _require_background(n: int) -> None:
    if not n:
        raise ValueError(
            "the data hold no window of the training part to compare with; give "
            "background=, the drivers of sites and years that the forecaster was trained on"
        )


def _n_starts(windows: Patches) -> int:
    return windows.data.sizes[windows.time] - windows.window + 1


def as_bytes(limit: str | int) -> int:
    """A number of bytes, from words such as "256 MiB"."""
    from dask.utils import parse_bytes

    try:
        result = int(parse_bytes(limit))
    except (ValueError, TypeError) as error:
        raise ValueError(f'memory_limit={limit!r} is no size; give bytes, or words as "256 MiB"') from error
    if result < 1:
        raise ValueError(f"memory_limit={limit!r}; it is at least 1 byte")
    return result
