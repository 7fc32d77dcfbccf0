"""Explanations of a block of places: arrays in, arrays out, the same for a whole record and for a chunk of dask."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xdrought.attribution.labels import ATTRIBUTION, CAUSALITY, REDUCIBLE_AXES
from xdrought.forecast.blocks import (
    around,
    complete_days,
    dimension_letters,
    needed_neighbours,
    network_of,
    once,
    require_known_degrees,
    turn,
    with_neighbours,
)
from xdrought.windows.index import whole_windows

if TYPE_CHECKING:
    from torch import Tensor

    from xdrought.models import Architecture
    from xdrought.models.expected_gradients import Attributions, Inputs
    from xdrought.windows.resident import ResidentCube

CALLER = "attributions"


@dataclass(frozen=True, eq=False)
class Job:
    """The networks, the background and how to explain; what dask sends to each worker, once."""

    architecture: Architecture
    weights: tuple[Mapping[str, Tensor], ...]
    background: Inputs  # on the CPU
    lead: int
    reduce: tuple[str, ...]
    n_drivers: int  # those with a causality degree
    mean: float  # of the target in training
    std: float
    method: str
    draws: int
    seed: int
    memory_limit: int
    device: Any

    def __dask_tokenize__(self) -> tuple:
        weights = [{name: w.numpy() for name, w in one.items()} for one in self.weights]
        usual = [None if each is None else each.numpy() for each in (self.background.x, self.background.causality)]
        plain = (self.lead, self.reduce, self.n_drivers, self.mean, self.std, self.method, self.draws, self.seed)
        return ("xdrought.Job", self.architecture, weights, usual, *plain, self.memory_limit, str(self.device))

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of a network's inputs that are summed over."""
        return tuple(REDUCIBLE_AXES[name] for name in self.reduce if name in REDUCIBLE_AXES)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """What there is for each window."""
        found: dict[str, tuple[int, ...]] = {"prediction": (), "completeness_error": ()}
        inside = self.background.x.shape[1:]
        found[ATTRIBUTION] = tuple(n for axis, n in enumerate(inside, start=1) if axis not in self.axes)
        if self.background.causality is not None:
            n_cells = self.background.causality.shape[1] // (2 * self.n_drivers)
            found[CAUSALITY] = (2, self.n_drivers, *(() if "cell" in self.reduce else (n_cells,)))
        return found


def explain(
    job: Job,
    run: int,
    cube: ResidentCube,
    degrees: Tensor | None,
    chosen: np.ndarray,
    keys: np.ndarray,
    done: Callable[[int], Any] | None = None,
) -> tuple[dict[str, np.ndarray], float]:
    """A row for each of the windows `chosen`, and the mean forecast of the background, in the target's units.

    `keys` are the windows' own numbers, on which their draws depend; `done` is told how many windows are.
    """
    import torch

    from xdrought.devices import resolve_device
    from xdrought.models.expected_gradients import Inputs, bytes_per_point, frozen, outputs

    device = resolve_device(job.device, CALLER)
    found: dict[str, list[np.ndarray]] = {name: [] for name in job.shapes}
    with turn(device):
        network = frozen(network_of(job.architecture, job.weights[run], device))
        background = _on(job.background, device)
        at_once = max(1, job.memory_limit // bytes_per_point(network, background))
        base = float(outputs(network, background, at_once).double().mean())
        step = max(1, at_once // job.draws)
        for first in range(0, len(chosen), step):
            index = torch.from_numpy(chosen[first : first + step])
            known = None if degrees is None else degrees[cube.cell[index]]
            windows = _on(Inputs(cube.gather(index), known), device)
            result = _attribute(network, windows, background, keys[first : first + step], job, at_once)
            for name, array in _rows(result, base, job).items():
                found[name].append(array)
            if done is not None:
                done(len(index))
    empty = {name: np.zeros((0, *shape), "float32") for name, shape in job.shapes.items()}
    rows = {name: np.concatenate([empty[name], *arrays]) for name, arrays in found.items()}
    return rows, base * job.std + job.mean


def lazy_explanations(cube: Any, degrees: Any | None, mask: Any | None, days: np.ndarray, job: Job) -> dict[str, Any]:
    """:func:`explain` over the chunks of places of a dask cube: (run, places..., days, ...) by name, NaN elsewhere.

    `days` are the valid days; `mask` (places..., days), True where a window is explained, may have dims of length one.
    """
    import dask.array as da

    cube, chunks, depth = with_neighbours(cube, job.background.x.shape[-1])
    names, places = dimension_letters(cube)
    width = sum(math.prod(shape) for shape in job.shapes.values())
    arguments: list[Any] = [cube, names]
    for letter in places:
        own = chunks[letter]
        arguments += [da.arange(sum(own), chunks=(own,), dtype="int64"), letter]
    if places == "s":
        arguments += [None, None]
    if mask is None:
        arguments += [None, None]
    else:
        sizes = [-1 if n == 1 else own for n, own in zip(mask.shape[:-1], chunks.values(), strict=True)]
        arguments += [da.asarray(mask).rechunk((*sizes, -1)), places + "m"]
    if degrees is not None:
        arguments += [da.asarray(degrees).rechunk((*chunks.values(), -1)), places + "c"]
    packed = da.blockwise(
        explain_chunk,
        f"r{places}Tk",
        *arguments,
        job=once(job, "job"),
        days=once(days, "days"),
        n_columns=sum(chunks.get("x", ())),
        depth=depth,
        new_axes={"r": len(job.weights), "T": len(days), "k": width},
        adjust_chunks=chunks,
        align_arrays=False,
        concatenate=True,
        dtype="float32",
        meta=np.empty((0,) * (3 + len(places)), "float32"),
    )
    found, first = {}, 0
    for name, shape in job.shapes.items():
        n = math.prod(shape)
        found[name] = packed[..., first : first + n].reshape(*packed.shape[:-1], *shape)
        first += n
    return found


def explain_chunk(
    cube: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    degrees: np.ndarray | None = None,
    *,
    job: Job,
    days: np.ndarray,
    n_columns: int = 0,
    depth: int = 0,
) -> np.ndarray:
    """(run, places..., days, numbers of :attr:`Job.shapes`) of a chunk with `depth` neighbours on each side.

    `rows` and, of a grid, `columns` are the chunk's places among all, `n_columns` the width of the whole grid.
    """
    import torch

    from xdrought.windows.resident import ResidentCube

    window, size = job.background.x.shape[1], job.background.x.shape[-1]
    inside: tuple[slice, ...] = (slice(None),)
    numbers = rows if columns is None else rows[:, None] * n_columns + columns
    own = np.ones(numbers.shape, bool)
    if depth:
        cube, inside = needed_neighbours(cube, size, depth)
        own, numbers = (around(values, cube.shape[2:], inside, 0) for values in (own, numbers))
        degrees = None if degrees is None else around(degrees, cube.shape[2:], inside, np.nan)
    last = window - 1 + job.lead  # from a window's first day to its valid day
    ok = whole_windows(complete_days(cube, size), window).reshape(own.size, -1)
    asked = np.zeros((own.size, ok.shape[1] + last), bool)
    asked[:, days] = _asked(mask, own, inside, len(days)).reshape(own.size, len(days))
    cell, start = np.nonzero(ok & asked[:, last:])
    require_known_degrees(degrees, cell, CALLER)
    keys = numbers.ravel()[cell] * ok.shape[1] + start
    row = np.searchsorted(days, start + last)

    width = sum(math.prod(shape) for shape in job.shapes.values())
    out = np.full((len(job.weights), own.size, len(days), width), np.nan, "float32")
    if len(cell):
        cube = np.ascontiguousarray(cube)
        record = torch.from_numpy(cube if cube.flags.writeable else cube.copy())
        resident = ResidentCube(record, torch.from_numpy(cell), torch.from_numpy(start), None, window, size)
        known = None if degrees is None else torch.from_numpy(degrees.reshape(-1, degrees.shape[-1]))
        for run in range(len(job.weights)):
            found, _ = explain(job, run, resident, known, np.arange(len(cell)), keys)
            flat = [array.reshape(len(cell), -1) for array in found.values()]
            out[run, cell, row] = np.concatenate(flat, axis=1)
    return out.reshape(len(job.weights), *own.shape, *out.shape[2:])[(slice(None), *inside)]


def base_value(job: Job, run: int) -> np.floating:
    """The mean forecast of the background, in the target's units."""
    from xdrought.devices import resolve_device
    from xdrought.models.expected_gradients import bytes_per_point, frozen, outputs

    device = resolve_device(job.device, CALLER)
    with turn(device):
        network = frozen(network_of(job.architecture, job.weights[run], device))
        background = _on(job.background, device)
        at_once = max(1, job.memory_limit // bytes_per_point(network, background))
        return np.float32(float(outputs(network, background, at_once).double().mean()) * job.std + job.mean)


def _asked(mask: np.ndarray | None, own: np.ndarray, inside: tuple[slice, ...], n_days: int) -> np.ndarray:
    """(places..., days) True where an explanation is asked for; a mask may have dims of length one."""
    if mask is None:
        return np.broadcast_to(own[..., None], (*own.shape, n_days))
    shape = (*own[inside].shape, n_days)
    return around(np.broadcast_to(mask, shape), own.shape, inside, False)


def _on(inputs: Inputs, device: Any) -> Inputs:
    from xdrought.models.expected_gradients import Inputs

    return Inputs(inputs.x.to(device), None if inputs.causality is None else inputs.causality.to(device))


def _attribute(
    network: Any, windows: Inputs, background: Inputs, keys: np.ndarray, job: Job, at_once: int
) -> Attributions:
    """One group of windows by the chosen method."""
    from xdrought.models.expected_gradients import balanced_draws, expected_gradients

    if job.method == "shap":
        from xdrought.attribution.shap_reference import shap_gradients

        return shap_gradients(network, windows, background, keys, job.axes, job.draws, job.seed, at_once)
    draws = balanced_draws(keys.tolist(), len(background), job.draws, job.seed).to(windows.x.device)
    return expected_gradients(network, windows, background, draws, reduce=job.axes, at_once=at_once)


def _rows(result: Attributions, base: float, job: Job) -> dict[str, np.ndarray]:
    """One row for each window, in the target's units, float32."""
    whole = result.x.double().flatten(1).sum(1)
    found = {"prediction": result.output * job.std + job.mean, ATTRIBUTION: result.x * job.std}
    if result.causality is not None:
        shares = result.causality.unflatten(1, (2, job.n_drivers, -1))
        whole = whole + result.causality.double().sum(1)
        found[CAUSALITY] = (shares.sum(3) if "cell" in job.reduce else shares) * job.std
    found["completeness_error"] = (whole - (result.output.double() - base)) * job.std
    return {name: found[name].float().cpu().numpy() for name in job.shapes}
