"""What a forecast is made from: the same drivers, units and causality degrees in training and in use."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought import checks, limits, units
from xdrought.forecast.options import (
    NO_TARGET_INPUTS,
    TargetInputs,
    history_name,
    known_before,
    with_history,
)
from xdrought.splits import PARTS, Splits
from xdrought.windows.labelled import Patches, make_patches
from xdrought.windows.selection import GRID, PATCH, SITE, Lead

if TYPE_CHECKING:
    from torch import Tensor

    from xdrought.forecast.forecaster import Forecaster


def training_windows(
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable] | None,
    size: int | None,
    window: int,
    lead: Lead,
    time: Hashable,
    target_inputs: TargetInputs = NO_TARGET_INPUTS,
    max_filled: float = 0.0,
) -> Patches:
    """The windows of all sites that have any.

    With `target_inputs.history` the last of their drivers is the target's own past; with `target_inputs.change` their
    target is the change from the last known observation, and the observations are kept beside it. Of several leads the
    target stays the observation; :func:`learnt_targets` makes the changes. Windows may lack the share `max_filled` of
    their values.
    """

    def cut(data: xr.Dataset, names: Sequence[Hashable] | None) -> Patches:
        return make_patches(data, target, names, size, window, lead, True, time, max_filled)

    windows = cut(ds, drivers)
    drivers, data = windows.drivers, limits.check_variables(windows.data, windows.data.data_vars)
    windows = windows.with_data(data)
    observed = data[target]
    if target_inputs.history:
        data, drivers = with_history(data, target, target_inputs, time), (*drivers, history_name(target))
    if target_inputs.change and not windows.several:
        data = data.assign({target: _change(observed, windows, target_inputs)})
    if target_inputs.is_used:
        windows = cut(data, drivers)
    windows.require_windows()
    kept = _warn_of_places_without_windows(windows)
    if not windows.on_grid and kept.size < windows.data.sizes[SITE]:
        windows, observed = cut(windows.data.isel({SITE: kept}), drivers), observed.isel({SITE: kept})
    if not target_inputs.change:
        return windows
    return windows.with_data(windows.data.assign({_observed_name(target): observed}))


def _change(observed: xr.DataArray, windows: Patches, target_inputs: TargetInputs) -> xr.DataArray:
    """The change from the last known observation to the day of the longest lead, on that day."""
    last = known_before(observed, windows.lead + target_inputs.latency, windows.time)
    return (observed - last).assign_attrs(observed.attrs)


def learnt_data(windows: Patches, target_inputs: TargetInputs) -> xr.Dataset:
    """The data of windows from :func:`training_windows` with what is learnt as their target, for scaling."""
    if not (windows.several and target_inputs.change):
        return windows.data
    assert windows.target is not None
    return windows.data.assign({windows.target: _change(windows.data[windows.target], windows, target_inputs)})


def learnt_targets(
    windows: Patches, splits: Splits, target_inputs: TargetInputs
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """The windows of each part, and of several leads their targets, (N, lead_time), NaN where there is none.

    A window is in the part of its longest lead. Leads whose day is before that part have no target, and a window
    without any target is in no part. Of a single lead the targets are those of the windows, and None is given.
    """
    parts = {part: splits.windows(windows, part) for part in PARTS}
    if not windows.several:
        return parts, None
    targets = windows.targets.copy()
    if target_inputs.change:
        observed = windows.data[windows.target]
        last = known_before(observed, target_inputs.latency, windows.time).transpose(..., windows.time).to_numpy()
        targets = targets - last.reshape(-1, last.shape[-1])[windows.cell, windows.start + windows.window - 1, None]
    for part, index in parts.items():
        starts, _ = splits.starts(windows, part)  # the first window whose longest lead is in the part
        first_day = starts[windows.cell[index]] + windows.window - 1 + windows.lead
        days = windows.valid_day[index, None] - windows.lead + np.array(windows.leads)
        targets[index] = np.where(days >= first_day[:, None], targets[index], np.nan)
        parts[part] = index[np.isfinite(targets[index]).any(axis=1)]
    return parts, targets


def _observed_name(target: Hashable) -> str:
    """Name of the observations where the windows' target is their change."""
    return f"{target}_observed"


def _warn_of_places_without_windows(windows: Patches) -> np.ndarray:
    """Indices of the sites that have windows; the others are named in a warning."""
    kept = np.unique(windows.cell)
    if windows.on_grid or kept.size == windows.data.sizes[SITE]:
        return kept
    lost = np.setdiff1d(np.arange(windows.data.sizes[SITE]), kept)
    names = windows.data[SITE].to_numpy()[lost] if SITE in windows.data.coords else lost
    checks.warn(
        f"{lost.size} site(s) without a complete window (no target, or a driver missing) are left "
        f"out: {', '.join(map(str, names))}"
    )
    return kept


def in_known_units(ds: xr.Dataset, drivers: Sequence[Hashable], known: Mapping[Hashable, str | None]) -> xr.Dataset:
    """The drivers in the units that the network was trained with; others are converted or refused."""
    missing = [name for name in drivers if name not in ds.data_vars]
    if missing:
        raise KeyError(f"no variable {missing} in the Dataset; the forecaster needs {list(drivers)}")
    return ds.assign({name: in_training_units(ds[name], known.get(name)) for name in drivers})


def in_training_units(da: xr.DataArray, wanted: str | None) -> xr.DataArray:
    """Values within physical limits, in the units of the training where these are known."""
    if wanted is None or da.attrs.get("units") == wanted:
        return limits.check(da)
    units.require_convertible(da, wanted)  # units of something else are told first
    return units.convert(limits.check(da), wanted)


def forecast_inputs(ds: xr.Dataset, forecaster: Forecaster, time: Hashable) -> xr.Dataset:
    """All that a forecaster needs of `ds`, in the units of the training, with the target's past where it has one."""
    target_inputs, target = forecaster.target_inputs, forecaster.target
    needed = list(forecaster.drivers)
    if target_inputs.is_used:
        if target not in ds.data_vars:
            raise KeyError(
                f"no variable {target!r} in the Dataset; the forecaster was trained with target_history or "
                f"predict_change, and needs what was observed up to the day of issue"
            )
        needed.append(target)
    known = in_known_units(ds, needed, forecaster.units)[needed]
    return with_history(known, target, target_inputs, time) if target_inputs.history else known


def grid_steps(windows: Patches) -> dict[str, float]:
    """Degrees from one cell of a patch to the next, southward and westward negative; empty where it is not known."""
    if windows.size == 1:
        return {}
    steps = {}
    for dim in GRID:
        places = windows.data.get(dim if windows.on_grid else f"cell_{dim}")
        if places is not None and places.dtype.kind in "fiu" and places.shape[-1] > 1:
            steps[dim] = float(np.median(np.diff(places.to_numpy(), axis=-1)))
    return steps


def require_steps(windows: Patches, trained: Mapping[str, float]) -> None:
    """Raise when the cells of the patches are not as far apart as in training, or run the other way."""
    for dim, found in grid_steps(windows).items():
        wanted = trained.get(dim, found)
        if np.isclose(found, -wanted, rtol=0.01):
            cure = "turn it with .sortby, " + f"e.g. ds.sortby({dim!r}, ascending={wanted > 0})"
        else:
            cure = "regrid the drivers, or train again on this grid"
        if not np.isclose(found, wanted, rtol=0.01):
            raise ValueError(f"{dim!r} goes from cell to cell by {found:g} degrees, in training by {wanted:g}; {cure}")


def splits_on_places(splits: Splits, data: xr.Dataset) -> Splits:
    """The same parts on the places of `data`, in their order; empty where they have none."""
    dims = [dim for dim in splits.ranges.start.dims if dim in data.indexes and dim in splits.ranges.indexes]
    if all(splits.ranges.indexes[dim].equals(data.indexes[dim]) for dim in dims):
        return splits
    return splits.on_places({dim: data.indexes[dim] for dim in dims})


def training_causality(windows: Patches, splits: Splits) -> xr.Dataset:
    """Causality degree of every place from its training days, in memory; that of a place held out is their mean."""
    degree = causality_of_days(windows, splits.training_days(windows.data[windows.time]))
    return with_mean_where_held_out(degree, splits)


def causality_of_days(windows: Patches, days: xr.DataArray, **options: Any) -> xr.Dataset:
    """Causality degree of the windows' drivers and observations on some days, in memory."""
    from xdrought.causality import causality_degree

    data, time = windows.data, windows.time
    drivers = data[without_history(windows)]
    if windows.on_grid:
        drivers = drivers.map(_central_cells, size=windows.size)
    observed = data.get(_observed_name(windows.target), data[windows.target])
    with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):  # whatever the caller has set
        degree = causality_degree(drivers, observed, train=days, time=time, **options)
        return degree[["rho", "p_value"]].compute()


def with_mean_where_held_out(degree: xr.Dataset, splits: Splits) -> xr.Dataset:
    """The mean degree of the training places where nothing is known of a place."""
    used = splits.ranges.start.notnull()
    held_out = used.any("part") & ~used.sel(part="train", drop=True)
    return degree.where(~held_out, degree.where(~held_out).mean(held_out.dims)).assign_attrs(degree.attrs)


def without_history(windows: Patches) -> list[Hashable]:
    """The drivers without the target's own past, which is no cause."""
    return [name for name in windows.drivers if name != history_name(windows.target)]


def _central_cells(da: xr.DataArray, size: int) -> xr.DataArray:
    """The cells around the centre of an even patch on patch dimensions; an odd patch is its centre."""
    if size % 2:
        return da
    rows = [xr.concat([da.shift(lat=-i, lon=-j) for j in (0, 1)], PATCH[1]) for i in (0, 1)]
    return xr.concat(rows, PATCH[0])


def causality_of_places(windows: Patches, degree: xr.Dataset) -> Tensor:
    """(cells, n_causal) float32: the degree of each place of the windows, in the order of their drivers.

    Raises
    ------
    ValueError
        When a driver, or a place that has windows, has no degree.
    """
    import torch

    degrees = np.asarray(degrees_of_places(windows, degree, without_history(windows)))
    require_degrees(windows, degrees)
    return torch.from_numpy(degrees.reshape(-1, degrees.shape[-1]))


def degrees_of_places(windows: Patches, degree: xr.Dataset, drivers: Sequence[Hashable]) -> Any:
    """(places..., n_causal) float32 in the order of `drivers`, lazy if `degree` is; NaN at places without a degree."""
    from xdrought.causality import degree_vector

    places = GRID if windows.on_grid else (SITE,)
    missing: list[Hashable] = [name for name in ("rho", "p_value") if name not in degree]
    known = list(degree.indexes["variable"]) if "variable" in degree.indexes else []
    missing += [name for name in drivers if name not in known]
    if missing:
        raise ValueError(f"the causality degree lacks {missing}; compute it with xdrought.causality_degree")
    ordered = degree[["rho", "p_value"]].sel(variable=list(drivers))
    labels: dict[Hashable, Any] = {dim: windows.data.indexes[dim] for dim in places if dim in windows.data.indexes}
    unlabelled = set(places) - set(labels) | {dim for dim in places if dim not in degree.indexes}
    if unlabelled:
        raise ValueError(f"{sorted(unlabelled)} needs labels in the data and in the causality degree")
    return degree_vector(ordered).reindex(labels).transpose(*places, "causal").astype("float32").data


def require_degrees(windows: Patches, degrees: np.ndarray) -> None:
    """Raise when a place that has windows has no degree."""
    places = GRID if windows.on_grid else (SITE,)
    known = np.isfinite(degrees).all(axis=-1)
    unknown = [cell for cell in np.unique(windows.cell) if not known.ravel()[cell]]
    if unknown:
        first = [np.unravel_index(cell, known.shape) for cell in unknown[:5]]
        where = [tuple(windows.data.indexes[d][k] for d, k in zip(places, at, strict=True)) for at in first]
        raise ValueError(without_degree(f"{len(unknown)} place(s), first {where}"))


def without_degree(where: str) -> str:
    """Words for places that need a causality degree and have none."""
    return (
        f"no causality degree for {where}; give "
        f"causality=xdrought.causality_degree(ds[drivers], ds[target], train=...), which needs "
        f'observations, or fit a variant without causality, e.g. variant="ResAttRec"'
    )
