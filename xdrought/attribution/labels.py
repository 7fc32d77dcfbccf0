"""Attributions of windows back on coordinates, in the target's units."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xdrought.forecast.forecaster import Forecaster
from xdrought.windows.inputs import GRID, PATCH, SITE
from xdrought.windows.patches import Patches

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


def check_reduce(reduce: Sequence[str], caller: str) -> tuple[str, ...]:
    """What to sum over, any of :data:`REDUCIBLE`."""
    names = (reduce,) if isinstance(reduce, str) else tuple(reduce)
    unknown = [name for name in names if name not in REDUCIBLE]
    if unknown:
        raise ValueError(f"{caller}: reduce={reduce!r}; {unknown} cannot be summed over, only {list(REDUCIBLE)}")
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
        sizes = {"window": window, "variable": len(self.windows.features), PATCH[0]: size, PATCH[1]: size}
        return {name: n for name, n in sizes.items() if name not in self.reduce}

    def require_room(self, n_values: int, what: str, caller: str) -> None:
        """Raise when the attributions at `n_values` places and times would be larger than the limit."""
        size = 4 * self.forecaster.runs * n_values * int(np.prod(list(self.dims.values())))
        if size > self.limit:
            raise MemoryError(
                f"{caller}: {what} on {tuple(self.dims)} need {size / 2**20:.0f} MiB, allowed are "
                f"{self.limit / 2**20:.0f} MiB, four times memory_limit; explain fewer with where=, sum over more "
                f"with reduce=, or raise memory_limit="
            )

    def dataset(self, runs: Sequence[Mapping[str, Any]], bases: Sequence[Any], coords: Mapping[Any, Any]) -> xr.Dataset:
        """All runs on coordinates; each has arrays (places..., time, ...) by name, in memory or lazy."""
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
        time, features = self.windows.time, list(self.windows.features)
        extra: list[str] = []
        if name == ATTRIBUTION:
            extra = list(self.dims)
        elif name == CAUSALITY:
            extra = ["quantity", "variable", "cell"][: values.ndim - len(places) - 1]
        placed = xr.DataArray(values, coords, (*places, time, *extra))
        if name == CAUSALITY:  # the target's own past is no cause: NaN
            placed = placed.assign_coords(variable=list(self.forecaster.drivers)).reindex(variable=features)
        elif name == ATTRIBUTION:
            placed = placed.assign_coords(variable=features)
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
        return coords
