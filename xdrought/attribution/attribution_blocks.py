"""Explanations of a block of places: arrays in, arrays out, the same for a whole record and for a chunk of dask."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.forecast.blocks import (
    complete_days,
    delayed_constant,
    dimension_letters,
    gpu_lock,
    needed_neighbours,
    pad_to,
    require_known_degrees,
    with_neighbours,
)
from xdrought.forecast.forecaster import Forecaster
from xdrought.windows.labelled import Patches
from xdrought.windows.selection import GRID, PATCH, SITE, whole_windows

if TYPE_CHECKING:
    from torch import Tensor

    from xdrought.models import Architecture
    from xdrought.models.expected_gradients import Attributions, NetworkInputs
    from xdrought.windows.tensors import ResidentCube

REDUCIBLE = ("window", *PATCH, "cell")
REDUCIBLE_AXES = {"window": 1, PATCH[0]: 3, PATCH[1]: 4}  # of a network's inputs
QUANTITIES = ("rho", "p_value")
ATTRIBUTION, CAUSALITY = "attribution", "causality_attribution"
_NAMES = {
    ATTRIBUTION: "share of the driver in the forecast above the mean forecast of the background",
    CAUSALITY: "share of the causality degree in the forecast above the mean forecast of the background",
    "prediction": "forecast",
    "completeness_error": "sum of all attributions less (prediction - base_value)",
    "base_value": "mean forecast of the background",
}


def check_reduce(reduce: Sequence[str]) -> tuple[str, ...]:
    """What to sum over, any of :data:`REDUCIBLE`."""
    names = (reduce,) if isinstance(reduce, str) else tuple(reduce)
    unknown = [name for name in names if name not in REDUCIBLE]
    if unknown:
        raise ValueError(f"reduce={reduce!r}; {unknown} cannot be summed over, only {list(REDUCIBLE)}")
    return names


def explained_template(windows: Patches, chosen: np.ndarray) -> xr.DataArray:
    """True where a window is explained, on (places..., time) without the places and times that have none."""
    mask = np.zeros(len(windows), dtype=bool)
    mask[chosen] = True
    template = windows.to_labels(mask).transpose(..., windows.time)
    for dim in template.dims:
        template = template.isel({dim: template.any([d for d in template.dims if d != dim]).to_numpy()})
    return template


@dataclass(frozen=True, eq=False)
class Labels:
    """Where attributions go, and what is summed over."""

    windows: Patches
    reduce: tuple[str, ...]
    forecaster: Forecaster
    limit: int  # bytes

    @property
    def dims(self) -> dict[str, int]:
        """What is kept of the inputs, in their order."""
        window, size = self.windows.window, self.windows.size
        sizes = {"window": window, "variable": len(self.windows.drivers), PATCH[0]: size, PATCH[1]: size}
        return {name: n for name, n in sizes.items() if name not in self.reduce}

    def require_room(self, n_values: int, what: str) -> None:
        """Raise when the attributions at `n_values` places and times would be larger than the limit."""
        size = 4 * self.forecaster.runs * n_values * int(np.prod(list(self.dims.values())))
        if size > self.limit:
            raise MemoryError(
                f"{what} on {tuple(self.dims)} need {size / 2**20:.0f} MiB, allowed are "
                f"{self.limit / 2**20:.0f} MiB, four times memory_limit; explain fewer with where=, sum over more "
                f'with reduce=, or allow more, memory_limit="{math.ceil(size / 2**22)} MiB"'
            )

    def dataset(self, runs: Sequence[Mapping[str, Any]], bases: Sequence[Any], coords: Mapping[Any, Any]) -> xr.Dataset:
        """All runs on coordinates; each has arrays (places..., time, ...) by name, in memory or lazy."""
        coords = {f"series_{name}" if name in _NAMES else name: one for name, one in coords.items()}
        members = [
            xr.Dataset({name: self._placed(name, values, coords) for name, values in arrays.items()}).assign(
                base_value=((), base)
            )
            for arrays, base in zip(runs, bases, strict=True)
        ]
        out = members[0] if len(members) == 1 else xr.concat(members, xr.DataArray(range(len(members)), dims="run"))
        out = out.assign_coords(self._own_coords(out))
        unit = self.forecaster.units.get(self.forecaster.target)
        attrs = {} if unit is None else {"units": unit}
        return out.assign({name: out[name].assign_attrs(attrs, long_name=_NAMES[str(name)]) for name in out.data_vars})

    def _placed(self, name: str, values: Any, coords: Mapping[Any, Any]) -> xr.DataArray:
        """An array with its labels, and its dimensions in the order of the result."""
        places = GRID if self.windows.on_grid else (SITE,)
        time, drivers = self.windows.time, list(self.windows.drivers)
        extra: list[str] = []
        if name == ATTRIBUTION:
            extra = list(self.dims)
        elif name == CAUSALITY:
            extra = ["quantity", "variable", "cell"][: values.ndim - len(places) - 1]
        placed = xr.DataArray(values, coords, (*places, time, *extra))
        if name == CAUSALITY:  # the target's own past is no cause: NaN
            placed = placed.assign_coords(variable=list(self.forecaster.drivers)).reindex(variable=drivers)
        elif name == ATTRIBUTION:
            placed = placed.assign_coords(variable=drivers)
            extra = [dim for dim in ("variable", "window", *PATCH) if dim in extra]
        return placed.transpose(*((time, *places) if self.windows.on_grid else (*places, time)), *extra)

    def _own_coords(self, out: xr.Dataset) -> dict[Hashable, object]:
        """Labels of the inputs' own dimensions."""
        coords: dict[Hashable, object] = {}
        if "window" in out.dims:
            days = np.arange(1 - self.windows.window, 1)
            coords["window"] = ("window", days, {"long_name": "days from the last input day", "units": "d"})
        if CAUSALITY in out:
            coords["quantity"] = list(QUANTITIES)
        if "cell" in out.dims:
            coords["cell"] = np.arange(out.sizes["cell"])
        for name in ("cell_lat", "cell_lon"):  # where the cells of a site's patch lie
            place = self.windows.data.coords.get(name)
            if place is not None and set(place.dims) <= set(out.dims):
                coords[name] = place.sel({SITE: out[SITE]}) if SITE in place.dims else place
        return coords


@dataclass(frozen=True, eq=False)
class Job:
    """The networks, the background and how to explain; what dask sends to each worker, once."""

    architecture: Architecture
    weights: tuple[Mapping[str, Tensor], ...]
    background: NetworkInputs  # on the CPU
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
        result: dict[str, tuple[int, ...]] = {"prediction": (), "completeness_error": ()}
        inside = self.background.x.shape[1:]
        result[ATTRIBUTION] = tuple(n for axis, n in enumerate(inside, start=1) if axis not in self.axes)
        if self.background.causality is not None:
            n_cells = self.background.causality.shape[1] // (2 * self.n_drivers)
            result[CAUSALITY] = (2, self.n_drivers, *(() if "cell" in self.reduce else (n_cells,)))
        return result


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
    from xdrought.models.expected_gradients import NetworkInputs, bytes_per_point, frozen, outputs
    from xdrought.models.zoo import network_of

    device = resolve_device(job.device)
    found: dict[str, list[np.ndarray]] = {name: [] for name in job.shapes}
    with gpu_lock(device):
        network = frozen(network_of(job.architecture, job.weights[run], device))
        background = _on(job.background, device)
        at_once = max(1, job.memory_limit // bytes_per_point(network, background))
        base = float(outputs(network, background, at_once).double().mean())
        step = max(1, at_once // job.draws)
        for first in range(0, len(chosen), step):
            index = torch.from_numpy(chosen[first : first + step])
            known = None if degrees is None else degrees[cube.cell[index]]
            windows = _on(NetworkInputs(cube.gather(index), known), device)
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
        job=delayed_constant(job, "job"),
        days=delayed_constant(days, "days"),
        n_columns=sum(chunks.get("x", ())),
        depth=depth,
        new_axes={"r": len(job.weights), "T": len(days), "k": width},
        adjust_chunks=chunks,
        align_arrays=False,
        concatenate=True,
        dtype="float32",
        meta=np.empty((0,) * (3 + len(places)), "float32"),
    )
    result, first = {}, 0
    for name, shape in job.shapes.items():
        n = math.prod(shape)
        result[name] = packed[..., first : first + n].reshape(*packed.shape[:-1], *shape)
        first += n
    return result


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

    from xdrought.windows.tensors import ResidentCube

    window, size = job.background.x.shape[1], job.background.x.shape[-1]
    inside: tuple[slice, ...] = (slice(None),)
    numbers = rows if columns is None else rows[:, None] * n_columns + columns
    own = np.ones(numbers.shape, bool)
    if depth:
        cube, inside = needed_neighbours(cube, size, depth)
        own, numbers = (pad_to(values, cube.shape[2:], inside, 0) for values in (own, numbers))
        degrees = None if degrees is None else pad_to(degrees, cube.shape[2:], inside, np.nan)
    last = window - 1 + job.lead  # from a window's first day to its valid day
    ok = whole_windows(complete_days(cube, size), window).reshape(own.size, -1)
    asked = np.zeros((own.size, ok.shape[1] + last), bool)
    asked[:, days] = _asked(mask, own, inside, len(days)).reshape(own.size, len(days))
    cell, start = np.nonzero(ok & asked[:, last:])
    require_known_degrees(degrees, cell)
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
    from xdrought.models.zoo import network_of

    device = resolve_device(job.device)
    with gpu_lock(device):
        network = frozen(network_of(job.architecture, job.weights[run], device))
        background = _on(job.background, device)
        at_once = max(1, job.memory_limit // bytes_per_point(network, background))
        return np.float32(float(outputs(network, background, at_once).double().mean()) * job.std + job.mean)


def _asked(mask: np.ndarray | None, own: np.ndarray, inside: tuple[slice, ...], n_days: int) -> np.ndarray:
    """(places..., days) True where an explanation is asked for; a mask may have dims of length one."""
    if mask is None:
        return np.broadcast_to(own[..., None], (*own.shape, n_days))
    shape = (*own[inside].shape, n_days)
    return pad_to(np.broadcast_to(mask, shape), own.shape, inside, False)


def _on(inputs: NetworkInputs, device: Any) -> NetworkInputs:
    from xdrought.devices import copied_to
    from xdrought.models.expected_gradients import NetworkInputs

    degrees = None if inputs.causality is None else copied_to(inputs.causality, device)
    return NetworkInputs(copied_to(inputs.x, device), degrees)


def _attribute(
    network: Any, windows: NetworkInputs, background: NetworkInputs, keys: np.ndarray, job: Job, at_once: int
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
