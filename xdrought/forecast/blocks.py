"""Forecasts of a block of places: arrays in, arrays out, the same for a whole record and for a chunk of dask."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.windows.selection import missing_in_windows, whole_patches, window_starts

if TYPE_CHECKING:
    from torch import Tensor, device

    from xdrought.forecast.forcing import LeadSource
    from xdrought.forecast.missing_inputs import FillingRule
    from xdrought.models import Architecture
    from xdrought.splits import Splits
    from xdrought.windows.tensors import LeadWeather, ResidentCube

_ONE_AT_A_TIME = threading.Lock()  # blocks on a GPU wait for each other, so that its memory holds one


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The networks of an ensemble and how to run them; what dask sends to each worker, once."""

    architecture: Architecture
    weights: tuple[Mapping[str, Tensor], ...]
    lead: int
    batch_size: int
    device: Any
    source: LeadSource | None = None
    filling: FillingRule | None = None
    most_missing: int = 0

    @property
    def by_issue(self) -> bool:
        """Whether blocks are by day of issue, with members, leads and quantiles, and not by valid day."""
        return bool(self.architecture.leads or self.architecture.n_quantiles)

    @property
    def n_members(self) -> int | None:
        """Members of the weather of the lead days; None where there is none."""
        return None if self.source is None else self.source.n_members

    def __dask_tokenize__(self) -> tuple:
        weights = [{name: w.numpy() for name, w in tensors.items()} for tensors in self.weights]
        settings = (self.lead, self.batch_size, str(self.device), self.source, self.filling, self.most_missing)
        return ("xdrought.Ensemble", self.architecture, weights, *settings)


def forecast_block(
    cube: np.ndarray,
    degrees: np.ndarray | None = None,
    ahead: np.ndarray | None = None,
    usual: np.ndarray | None = None,
    *,
    ensemble: Ensemble,
) -> np.ndarray:
    """Scaled forecasts of each run, by valid day, NaN where there is no complete window.

    A network that answers for leads or quantiles gives them by day of issue.

    Parameters
    ----------
    cube : numpy.ndarray
        Scaled drivers, (site, time, variable, size, size) or (time, variable, lat, lon).
    degrees : numpy.ndarray, optional
        (site, n_causal) or (lat, lon, n_causal), NaN where unknown.
    ahead : numpy.ndarray, optional
        What :meth:`xdrought.forecast.forcing.LeadSource.weather` takes.
    usual : numpy.ndarray, optional
        What missing values are filled from: the coefficients of the usual year, laid out as the days of `cube`.
    ensemble : Ensemble
        The networks.

    Returns
    -------
    numpy.ndarray
        float32 (run, site, time + lead) or (run, time + lead, lat, lon); of leads or
        quantiles (run, places..., time, member, lead[, quantile]).

    Raises
    ------
    ValueError
        Where there is a complete window but no causality degree.
    """
    import torch

    from xdrought.devices import resolve_device
    from xdrought.models.batches import run
    from xdrought.models.zoo import network_of
    from xdrought.windows.tensors import ResidentCube

    spec = ensemble.architecture
    lacking = missing_drivers(cube, spec.size)
    cell, start = window_starts(lacking, None, spec.window, (ensemble.lead,), ensemble.most_missing)
    require_known_degrees(degrees, cell)
    device = resolve_device(ensemble.device)
    beyond, more = (0, _numbers_each(ensemble)) if ensemble.by_issue else (ensemble.lead, ())
    shape = (len(ensemble.weights), *lacking.shape[:-1], lacking.shape[-1] + beyond, *more)
    out = np.full(shape, np.nan, "float32")
    if len(cell):
        with gpu_lock(device):
            cube = np.ascontiguousarray(cube)
            windows = ResidentCube(
                torch.from_numpy(cube if cube.flags.writeable else cube.copy()).to(device),
                torch.from_numpy(cell).to(device),
                torch.from_numpy(start).to(device),
                None,
                spec.window,
                spec.size,
                None if usual is None or ensemble.filling is None else ensemble.filling.filling(usual, device),
            )
            known = None if degrees is None else torch.from_numpy(degrees.reshape(-1, degrees.shape[-1])).to(device)
            weather = _weather(windows, ahead, ensemble)
            flat = out.reshape(len(ensemble.weights), -1, *shape[lacking.ndim :])
            for k, weights in enumerate(ensemble.weights):
                network = network_of(spec, weights, device)
                found = run(network, windows, known, ensemble.batch_size, weather).numpy()
                flat[k, cell, start + spec.window - 1 + beyond] = found.reshape(len(cell), *more)
    return out if cube.ndim == 5 or ensemble.by_issue else np.moveaxis(out, -1, 1)


def _numbers_each(ensemble: Ensemble) -> tuple[int, ...]:
    """(member, lead[, quantile]) of each window."""
    spec = ensemble.architecture
    each = (ensemble.n_members or 1, max(1, len(spec.leads)))
    return (*each, spec.n_quantiles) if spec.n_quantiles else each


def _weather(windows: ResidentCube, ahead: np.ndarray | None, ensemble: Ensemble) -> LeadWeather | None:
    """The weather of the lead days of a block."""
    return None if ensemble.source is None else ensemble.source.weather(windows, ahead)


def complete_days(cube: np.ndarray, size: int) -> np.ndarray:
    """(site, time), or (lat, lon, time) of a grid: whether the whole patch is there on a day."""
    if cube.ndim == 5:
        return np.isfinite(cube).all(axis=(2, 3, 4))
    return whole_patches(np.moveaxis(np.isfinite(cube).all(axis=1), 0, -1), size)


def missing_drivers(cube: np.ndarray, size: int) -> np.ndarray:
    """(site, time), or (lat, lon, time) of a grid: how many drivers have no whole patch on a day."""
    if cube.ndim == 5:
        return (~np.isfinite(cube).all(axis=(3, 4))).sum(axis=2)
    days = np.moveaxis(np.isfinite(cube), (0, 1), (2, 3))  # [lat, lon, time, variable]
    return (~whole_patches(days, size)).sum(axis=3)


def missing_block(cube: np.ndarray, *, window: int, size: int, lead: int = 0, depth: int = 0) -> np.ndarray:
    """(places..., time + lead) int32: how many values the window lacks that ends `lead` days before each day.

    All of them, where the window begins before the record or its patch reaches across the edge. A chunk's cells have
    `depth` neighbours on each side.
    """
    if depth:
        cube, inside = needed_neighbours(cube, size, depth)
        return missing_block(cube, window=window, size=size, lead=lead)[inside]
    lacking = missing_drivers(cube, size)
    n_drivers = cube.shape[2 if cube.ndim == 5 else 1]
    before = np.full((*lacking.shape[:-1], lead + window - 1), window * n_drivers, "int32")
    return np.concatenate([before, missing_in_windows(lacking, window)], axis=-1)


def lazy_missing(cube: Any, *, window: int, size: int, lead: int = 0) -> Any:
    """:func:`missing_block` over the chunks of places of a dask cube."""
    import dask.array as da

    n_days = cube.shape[0 if cube.ndim == 4 else 1]
    cube, chunks, depth = with_neighbours(cube, size)
    names, places = dimension_letters(cube)
    return da.blockwise(
        partial(missing_block, window=window, size=size, lead=lead, depth=depth),
        places + "T",
        cube,
        names,
        new_axes={"T": n_days + lead},
        adjust_chunks=chunks,
        align_arrays=False,
        concatenate=True,
        dtype="int32",
        meta=np.empty((0,) * (len(places) + 1), "int32"),
    )


def lazy_forecast(
    cube: Any, degrees: Any | None, ensemble: Ensemble, ahead: Any | None = None, usual: Any | None = None
) -> Any:
    """:func:`forecast_block` over the chunks of places of a dask cube; time is whole in each.

    `degrees`, `ahead` and `usual` may be lazy too; in memory they travel with the graph.
    """
    import dask.array as da

    n_days, size = cube.shape[0 if cube.ndim == 4 else 1], ensemble.architecture.size
    if usual is not None:
        own = [axis for axis, letter in enumerate(dimension_letters(cube)[0]) if letter in "syx"]
        usual = da.asarray(usual).rechunk({axis: cube.chunks[axis] for axis in own})
        usual, *_ = with_neighbours(usual, size)
    cube, chunks, depth = with_neighbours(cube, size)
    names, places = dimension_letters(cube)
    arguments = [cube, names]
    if degrees is not None:
        arguments += [da.asarray(degrees).rechunk((*chunks.values(), -1)), places + "c"]
    if ahead is not None:
        whole = dict.fromkeys(range(len(places), ahead.ndim), -1)
        ahead = da.asarray(ahead).rechunk(dict(enumerate(chunks.values())) | whole)
        arguments += [ahead, places + ("b" if ahead.ndim == len(places) + 1 else "tmhw")]
    if usual is not None:
        arguments += [usual, names.replace("t", "k")]
    if ensemble.by_issue:
        each = dict(zip("MLQ", _numbers_each(ensemble), strict=False))
        out, new = "r" + places + "T" + "".join(each), {"T": n_days, **each}
    else:
        out, new = ("rTyx" if places == "yx" else "rsT"), {"T": n_days + ensemble.lead}
    return da.blockwise(
        partial(_block_without_edge, given=tuple(each is not None for each in (degrees, ahead, usual))),
        out,
        *arguments,
        ensemble=delayed_constant(ensemble, "ensemble"),
        depth=depth,
        new_axes={"r": len(ensemble.weights), **new},
        adjust_chunks=chunks,
        align_arrays=False,
        concatenate=True,
        dtype="float32",
        meta=np.empty((0,) * len(out), "float32"),
    )


def lazy_parts(
    splits: Splits, labels: Mapping[Hashable, np.ndarray], chunks: Mapping[Hashable, tuple[int, ...]], times: np.ndarray
) -> Any:
    """:meth:`Splits.part_of` over chunks of places, each with its own labels: int8 (places..., times...)."""
    import dask.array as da

    where: list[Any] = []
    for axis, (dim, own) in enumerate(labels.items()):
        where += [da.from_array(own, (chunks[dim],)), (axis,)]
    axes = range(len(labels), len(labels) + times.ndim)
    return da.blockwise(
        _parts_of_block,
        (*range(len(labels)), *axes),
        *where,
        splits=delayed_constant(splits, "splits"),
        times=times,
        new_axes=dict(zip(axes, times.shape, strict=True)),
        align_arrays=False,
        dtype="int8",
        meta=np.empty((0,) * (len(labels) + times.ndim), "int8"),
    )


def _parts_of_block(*labels: np.ndarray, splits: Splits, times: np.ndarray) -> np.ndarray:
    """The part of each day at the places of a chunk."""
    places = [dim for dim in splits.ranges.start.dims if dim != "part"]
    days = xr.DataArray(times, dims=[f"_day_{axis}" for axis in range(times.ndim)])
    here = splits.on_places(dict(zip(places, labels, strict=True)))
    return here.part_of(days).transpose(*places, *days.dims).to_numpy()


def delayed_constant(value: Any, name: str) -> Any:
    """A value as one object of a dask graph, which each worker receives once."""
    import dask
    from dask.base import tokenize

    return dask.delayed(value, name=f"{name}-{tokenize(value)}", traverse=False)


def dimension_letters(cube: Any) -> tuple[str, str]:
    """What blockwise calls the dimensions of a cube, and those of them that are places."""
    return ("tvyx", "yx") if cube.ndim == 4 else ("stvij", "s")


def with_neighbours(cube: Any, size: int) -> tuple[Any, dict[str, tuple[int, ...]], int]:
    """A dask cube whose chunks of places have `depth` neighbours on each side, the chunks without them, and `depth`."""
    from dask.array.overlap import overlap

    names, places = dimension_letters(cube)
    axes = [names.index(letter) for letter in places]
    cube = cube.rechunk({axis: -1 for axis in range(cube.ndim) if axis not in axes})
    depth = size // 2 if cube.ndim == 4 else 0
    if depth:
        cube = overlap(cube, dict.fromkeys(axes, depth), dict.fromkeys(axes, np.nan))
    return cube, {names[axis]: tuple(n - 2 * depth for n in cube.chunks[axis]) for axis in axes}, depth


def needed_neighbours(cube: np.ndarray, size: int, depth: int) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A chunk of a grid with the neighbours that its patches reach, and where its own cells are."""
    before = (size - 1) // 2  # of an even patch one less than after
    return cube[..., depth - before :, depth - before :], (slice(before, -depth), slice(before, -depth))


def pad_to(values: np.ndarray, shape: tuple[int, ...], inside: tuple[slice, ...], fill: Any) -> np.ndarray:
    """(lat, lon, ...) of a chunk's own cells, `fill` at its neighbours."""
    out = np.full((*shape, *values.shape[len(shape) :]), fill, values.dtype)
    out[inside] = values
    return out


def _block_without_edge(
    cube: np.ndarray, *arrays: np.ndarray, ensemble: Ensemble, depth: int, given: tuple[bool, ...]
) -> np.ndarray:
    """The forecasts of a chunk whose cells have `depth` neighbours on each side.

    `arrays` are those of degrees, `ahead` and `usual` that are `given`.
    """
    rest = iter(arrays)
    degrees, ahead, usual = (next(rest) if there else None for there in given)
    if not depth:
        return forecast_block(cube, degrees, ahead, usual, ensemble=ensemble)
    if usual is not None:
        usual, _ = needed_neighbours(usual, ensemble.architecture.size, depth)
    cube, inside = needed_neighbours(cube, ensemble.architecture.size, depth)
    if degrees is not None:
        degrees = pad_to(degrees, cube.shape[2:], inside, np.nan)
    if ahead is not None:
        ahead = pad_to(ahead, cube.shape[2:], inside, False if ahead.dtype == bool else np.nan)
    found = forecast_block(cube, degrees, ahead, usual, ensemble=ensemble)
    return found[(slice(None), *inside)] if ensemble.by_issue else found[(..., *inside)]


def require_known_degrees(degrees: np.ndarray | None, cell: np.ndarray) -> None:
    """Raise when one of the places `cell` of a chunk has no degree."""
    if degrees is None:
        return
    from xdrought.forecast.driver_inputs import without_degree

    known = np.isfinite(degrees).all(axis=-1).ravel()
    n_unknown = int((~known[np.unique(cell)]).sum())
    if n_unknown:
        raise ValueError(without_degree(f"{n_unknown} place(s) of a chunk"))


def gpu_lock(device: device) -> AbstractContextManager:
    """Wait until no other block uses the GPU."""
    return nullcontext() if device.type == "cpu" else _ONE_AT_A_TIME
