"""Attributions of windows back on coordinates, in the target's units."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought.forecast.forecaster import Forecaster
from xdrought.windows.inputs import GRID, PATCH, SITE
from xdrought.windows.patches import Patches

if TYPE_CHECKING:
    from xdrought.models.expected_gradients import Attributions

REDUCIBLE = ("window", *PATCH, "cell")
_AXES = {"window": 1, PATCH[0]: 3, PATCH[1]: 4}  # of a network's inputs
QUANTITIES = ("rho", "p_value")
_ATTRIBUTION, _CAUSALITY = "attribution", "causality_attribution"
_NAMES = {
    _ATTRIBUTION: "share of the driver in the forecast above the mean forecast of the background",
    _CAUSALITY: "share of the causality degree in the forecast above the mean forecast of the background",
    "prediction": "forecast",
    "completeness_error": "sum of all attributions less (prediction - base_value)",
}


@dataclass(frozen=True, eq=False)
class Labels:
    """Where the chosen windows go, and what is summed over."""

    windows: Patches
    chosen: np.ndarray
    reduce: tuple[str, ...]
    template: xr.DataArray  # True where a window is explained, on the places and times that have any
    std: float
    mean: float
    drivers: tuple[Hashable, ...]  # those with a causality degree

    @classmethod
    def of(
        cls, windows: Patches, chosen: np.ndarray, forecaster: Forecaster, reduce: Sequence[str], caller: str
    ) -> Labels:
        """Checked; `reduce` may name any of :data:`REDUCIBLE`."""
        names = (reduce,) if isinstance(reduce, str) else tuple(reduce)
        unknown = [name for name in names if name not in REDUCIBLE]
        if unknown:
            raise ValueError(f"{caller}: reduce={reduce!r}; {unknown} cannot be summed over, only {list(REDUCIBLE)}")
        mask = np.zeros(len(windows), dtype=bool)
        mask[chosen] = True
        template = windows.to_labels(mask)
        for dim in template.dims:
            template = template.isel({dim: template.any([d for d in template.dims if d != dim]).to_numpy()})
        mean, std = (
            float(statistic.sel(variable=forecaster.target))
            for statistic in (forecaster.scaling.mean, forecaster.scaling.std)
        )
        return cls(windows, chosen, names, template, std, mean, forecaster.drivers)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of a network's inputs that are summed over."""
        return tuple(_AXES[name] for name in self.reduce if name in _AXES)

    @property
    def dims(self) -> dict[str, int]:
        """What is kept of the inputs, in their order."""
        window, size = self.windows.window, self.windows.size
        sizes = {"window": window, "variable": len(self.windows.features), PATCH[0]: size, PATCH[1]: size}
        return {name: n for name, n in sizes.items() if name not in self.reduce}

    def require_room(self, limit: int, runs: int, caller: str) -> None:
        """Raise when the attributions would be larger than `limit` bytes."""
        size = 4 * runs * self.template.size * int(np.prod(list(self.dims.values())))
        if size > limit:
            raise MemoryError(
                f"{caller}: {len(self.chosen)} windows on {tuple(self.dims)} need {size / 2**20:.0f} MiB, allowed are "
                f"{limit / 2**20:.0f} MiB, four times memory_limit; explain fewer with where=, sum over more "
                f"with reduce=, or raise memory_limit="
            )

    def arrays(self, result: Attributions, base: float) -> dict[str, np.ndarray]:
        """One row for each window, in the target's units, float32."""
        whole = result.x.double().flatten(1).sum(1)
        found = {_ATTRIBUTION: result.x * self.std}
        if result.causality is not None:
            shares = result.causality.unflatten(1, (len(QUANTITIES), len(self.drivers), -1))
            whole = whole + result.causality.double().sum(1)
            found[_CAUSALITY] = (shares.sum(3) if "cell" in self.reduce else shares) * self.std
        found["prediction"] = result.output * self.std + self.mean
        found["completeness_error"] = (whole - (result.output.double() - base)) * self.std
        return {name: tensor.float().cpu().numpy() for name, tensor in found.items()}

    def dataset(self, parts: Sequence[tuple[Mapping[str, np.ndarray], float]], forecaster: Forecaster) -> xr.Dataset:
        """All runs on coordinates."""
        members = [
            xr.Dataset({name: self._placed(name, rows) for name, rows in arrays.items()}).assign(
                base_value=np.float32(base * self.std + self.mean)
            )
            for arrays, base in parts
        ]
        out = members[0] if len(members) == 1 else xr.concat(members, xr.DataArray(range(len(members)), dims="run"))
        out = out.assign_coords(self._coords(out))
        attrs = {} if (unit := forecaster.units.get(forecaster.target)) is None else {"units": unit}
        names = _NAMES | {"base_value": "mean forecast of the background"}
        return out.assign({name: out[name].assign_attrs(attrs, long_name=names[str(name)]) for name in out.data_vars})

    def _placed(self, name: str, rows: np.ndarray) -> xr.DataArray:
        """Rows of windows on the places and times of the template."""
        extra: list[str] = []
        if name == _ATTRIBUTION:
            extra = list(self.dims)
        elif name == _CAUSALITY:
            extra = ["quantity", "variable", "cell"][: rows.ndim - 1]
        places = GRID if self.windows.on_grid else (SITE,)
        ordered = self.template.transpose(*places, self.windows.time)
        values = np.full((*ordered.shape, *rows.shape[1:]), np.nan, dtype="float32")
        values[ordered.to_numpy()] = rows  # windows are sorted by place and day, as the template's values are
        placed = xr.DataArray(values, ordered.coords, (*ordered.dims, *extra))
        if name == _CAUSALITY:  # the target's own past is no cause: NaN
            placed = placed.assign_coords(variable=list(self.drivers)).reindex(variable=list(self.windows.features))
        elif name == _ATTRIBUTION:
            placed = placed.assign_coords(variable=list(self.windows.features))
            extra = [dim for dim in ("variable", "window", *PATCH) if dim in extra]
        return placed.transpose(*self.template.dims, *extra)

    def _coords(self, out: xr.Dataset) -> dict[Hashable, object]:
        """Labels of the inputs' own dimensions."""
        coords: dict[Hashable, object] = {}
        if "window" in out.dims:
            days = np.arange(1 - self.windows.window, 1)
            coords["window"] = ("window", days, {"long_name": "days from the last input day", "units": "d"})
        if _CAUSALITY in out:
            coords["quantity"] = list(QUANTITIES)
        if "cell" in out.dims:
            coords["cell"] = np.arange(out.sizes["cell"])
        return coords
