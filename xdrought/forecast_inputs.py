"""What a forecast is made from: the same drivers, units and causality degrees in training and in use."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought import units
from xdrought.patch_inputs import GRID, PATCH, SITE
from xdrought.patches import Patches, make_patches
from xdrought.splits import Splits

if TYPE_CHECKING:
    from torch import Tensor


def training_windows(
    ds: xr.Dataset,
    target: Hashable,
    features: Sequence[Hashable] | None,
    size: int | None,
    window: int,
    lead: int,
    time: Hashable,
    caller: str,
) -> Patches:
    """The windows of all sites that have any."""
    windows = make_patches(ds, target, features, size, window, lead, True, time, caller)
    windows.require_windows(caller)
    kept = _warn_of_places_without_windows(windows, caller)
    if windows.on_grid or kept.size == windows.data.sizes["site"]:
        return windows
    return make_patches(windows.data.isel(site=kept), target, windows.features, size, window, lead, True, time, caller)


def _warn_of_places_without_windows(windows: Patches, caller: str) -> np.ndarray:
    """Indices of the sites that have windows; the others are named in a warning."""
    kept = np.unique(windows.cell)
    if windows.on_grid or kept.size == windows.data.sizes[SITE]:
        return kept
    lost = np.setdiff1d(np.arange(windows.data.sizes[SITE]), kept)
    names = windows.data[SITE].to_numpy()[lost] if SITE in windows.data.coords else lost
    warnings.warn(
        f"{caller}: {lost.size} site(s) without a complete window (no target, or a driver missing) are left "
        f"out: {', '.join(map(str, names))}",
        stacklevel=4,
    )
    return kept


def in_known_units(
    ds: xr.Dataset, features: Sequence[Hashable], known: Mapping[Hashable, str | None], caller: str
) -> xr.Dataset:
    """The drivers in the units that the network was trained with; others are converted or refused."""
    missing = [name for name in features if name not in ds.data_vars]
    if missing:
        raise KeyError(f"{caller}: no variable {missing} in the Dataset; the forecaster needs {list(features)}")
    changed = {}
    for name in features:
        wanted = known.get(name)
        if wanted is not None and ds[name].attrs.get("units") != wanted:
            changed[name] = units.convert(ds[name], wanted, caller=caller)
    return ds.assign(changed)


def training_causality(windows: Patches, splits: Splits) -> xr.Dataset:
    """Causality degree of every place from its training days, in memory."""
    from xdrought.causality import causality_degree

    data, time = windows.data, windows.time
    drivers = data[list(windows.features)]
    if windows.on_grid:
        drivers = drivers.map(_central_cells, size=windows.size)
    degree = causality_degree(drivers, data[windows.target], train=splits.training_days(data[time]), time=time)
    return degree[["rho", "p_value"]].compute()


def _central_cells(da: xr.DataArray, size: int) -> xr.DataArray:
    """The cells around the centre of an even patch on patch dimensions; an odd patch is its centre."""
    if size % 2:
        return da
    rows = [xr.concat([da.shift(lat=-i, lon=-j) for j in (0, 1)], PATCH[1]) for i in (0, 1)]
    return xr.concat(rows, PATCH[0])


def causality_of_places(windows: Patches, degree: xr.Dataset, caller: str) -> Tensor:
    """(cells, n_causal) float32: the degree of each place of the windows, in the order of their drivers.

    Raises
    ------
    ValueError
        When a driver, or a place that has windows, has no degree.
    """
    import torch

    from xdrought.causality import degree_vector

    places = GRID if windows.on_grid else (SITE,)
    missing = [name for name in ("rho", "p_value") if name not in degree]
    known = list(degree.indexes["variable"]) if "variable" in degree.indexes else []
    missing += [name for name in windows.features if name not in known]
    if missing:
        raise ValueError(f"{caller}: the causality degree lacks {missing}; compute it with xdrought.causality_degree")
    ordered = degree[["rho", "p_value"]].sel(variable=list(windows.features))
    labels = {dim: windows.data.indexes[dim] for dim in places if dim in windows.data.indexes}
    unlabelled = set(places) - set(labels) | {dim for dim in places if dim not in degree.indexes}
    if unlabelled:
        raise ValueError(f"{caller}: {sorted(unlabelled)} needs labels in the data and in the causality degree")
    vector = degree_vector(ordered)
    has_degree = xr.ones_like(vector.isel(causal=0, drop=True), dtype=bool)
    has_degree = has_degree.reindex(labels, fill_value=False).transpose(*places).to_numpy().ravel()
    unknown = [k for k in np.unique(windows.cell) if not has_degree[k]]
    if unknown:
        where = [
            tuple(labels[d][k] for d, k in zip(places, np.unravel_index(u, windows._shape), strict=True))
            for u in unknown[:5]
        ]
        raise ValueError(
            f"{caller}: no causality degree for {len(unknown)} place(s), first {where}; give "
            f"causality=xdrought.causality_degree(ds[features], ds[target], train=...), which needs "
            f'observations, or fit a variant without causality, e.g. variant="ResAttRec"'
        )
    numbers = vector.reindex(labels).transpose(*places, "causal").to_numpy().astype("float32")
    return torch.from_numpy(numbers.reshape(-1, numbers.shape[-1]))
