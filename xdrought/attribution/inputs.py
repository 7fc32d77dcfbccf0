"""What an attribution is made from: the windows to explain, and windows of the training part."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.forecast import inputs as forecast_inputs
from xdrought.forecast.forecaster import Forecaster
from xdrought.windows.patches import Patches, make_patches

if TYPE_CHECKING:
    from torch import Tensor

    from xdrought.models.expected_gradients import Inputs
    from xdrought.windows.resident import ResidentCube


@dataclass(frozen=True, eq=False)
class Explained:
    """Windows with their causality degrees (cells, n_causal); `scaled` holds what the network sees."""

    windows: Patches
    scaled: Patches
    degrees: Tensor | None

    @cached_property
    def cube(self) -> ResidentCube:
        return self.scaled.to_torch("cpu")

    def sample(self, index: np.ndarray, device: Any) -> Inputs:
        """The network's inputs of the windows at positions `index`, on the device."""
        import torch

        from xdrought.models.expected_gradients import Inputs

        position = torch.from_numpy(index)
        degrees = None if self.degrees is None else self.degrees[self.cube.cell[position]].to(device)
        return Inputs(self.cube.gather(position).to(device), degrees)


def windows_of(
    ds: xr.Dataset, forecaster: Forecaster, causality: xr.Dataset | None, time: Hashable, caller: str
) -> Explained:
    """All complete windows of a Dataset, as the forecaster needs them."""
    known = forecast_inputs.forecast_inputs(ds, forecaster, time, caller)
    windows = make_patches(
        known, None, forecaster.features, forecaster.size, forecaster.window, forecaster.lead, False, time, caller
    )
    windows.require_windows(caller)
    degrees = None
    if forecaster.causality is not None:
        degree = forecaster.causality if causality is None else causality
        degrees = _degrees(windows, degree, forecaster, caller)
    return Explained(windows, windows.with_data(forecaster.scaling.apply(windows.data)), degrees)


def _degrees(windows: Patches, degree: xr.Dataset, forecaster: Forecaster, caller: str) -> Tensor:
    """(cells, n_causal) of all places that have windows."""
    import torch

    degrees = forecast_inputs.degrees_of_places(windows, degree, forecaster.drivers, caller)
    forecast_inputs.require_degrees(windows, degrees, caller)
    return torch.from_numpy(degrees.reshape(-1, degrees.shape[-1]))


def chosen_windows(windows: Patches, where: xr.DataArray | None, caller: str) -> np.ndarray:
    """Positions of the windows whose valid time and place are True in `where`; all without it."""
    if where is None:
        return np.arange(len(windows))
    if not isinstance(where, xr.DataArray) or where.dtype != bool:
        found = where.dtype if isinstance(where, xr.DataArray) else type(where).__name__
        raise TypeError(f"{caller}: where is {found}; give a boolean DataArray, True on the valid times to explain")
    every = windows.to_labels(np.ones(len(windows), dtype=bool))
    unknown = [dim for dim in where.dims if dim not in every.dims]
    if unknown:
        raise ValueError(
            f"{caller}: where has {unknown}, the windows have {every.dims}; reduce it with .any({unknown})"
        )
    labels = {dim: every.indexes[dim] for dim in where.dims if dim in every.indexes and dim in where.indexes}
    mask = where.reindex(labels, fill_value=False).broadcast_like(every).transpose(..., windows.time)
    chosen = mask.to_numpy().reshape(-1, len(windows.times))[windows.cell, windows.valid_day]
    if not chosen.any():
        raise ValueError(
            f"{caller}: where is True on {int(where.sum())} of its values, but on none with a complete window; "
            f"its times are valid times, {windows.lead} days after the last input day"
        )
    return np.flatnonzero(chosen)


def background_windows(windows: Patches, forecaster: Forecaster, n: int, seed: int, caller: str) -> np.ndarray:
    """Positions of `n` windows of the training part (all, if there are fewer), drawn without replacement."""
    train = forecaster.splits.windows(windows, "train")
    if not len(train):
        raise ValueError(
            f"{caller}: the data hold no window of the training part to compare with; give "
            f"background=, the drivers of sites and years that the forecaster was trained on"
        )
    rng = np.random.default_rng([seed, len(train)])
    return np.sort(rng.choice(train, min(n, len(train)), replace=False))


def check_counts(caller: str, **counts: int) -> None:
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise ValueError(f"{caller}: {name}={count!r}; it is a whole number of at least 1")


def as_bytes(limit: str | int, caller: str) -> int:
    """A number of bytes, from words such as "256 MiB"."""
    from dask.utils import parse_bytes

    try:
        found = int(parse_bytes(limit))
    except (ValueError, TypeError) as error:
        raise ValueError(f'{caller}: memory_limit={limit!r} is no size; give bytes, or words as "256 MiB"') from error
    if found < 1:
        raise ValueError(f"{caller}: memory_limit={limit!r}; it is at least 1 byte")
    return found
