"""Cross-map results on labels: the kernel on named dimensions, lazy for dask, with names, units and settings."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought.causality.inputs import Causes

if TYPE_CHECKING:
    from xdrought.kernels.crossmap import Settings

CAUSE_DIM, LAG_DIM = "_cause", "_lag"  # until they become `variable` and `lag`, which the user's arrays may have
LABELS = {
    "rho": "cross-map skill (correlation of estimate and truth)",
    "p_value": "Pearson p-value of the skill, which takes days as independent and is far too small for daily series",
    "n_pairs": "number of days compared",
    "tied_fraction": "share of days with tied or zero-distance neighbours, which share their weight",
    "exclusion_radius": "days on either side that may not be neighbours",
    "rho_lower": "2.5 % quantile of the skill over random libraries",
    "rho_upper": "97.5 % quantile of the skill over random libraries",
    "convergence": "skill with the largest library minus skill with the smallest, mean over random libraries",
    "convergence_lower": "2.5 % quantile of the convergence over random libraries",
    "convergence_upper": "97.5 % quantile of the convergence over random libraries",
    "kendall_tau": "Kendall's rank correlation of library size and mean skill",
    "kendall_p_value": "one-sided p-value of Kendall's tau: skill grows with the library",
    "fisher_z": "Fisher's z of the skill with the largest library against that with the smallest",
    "fisher_p_value": "one-sided p-value of Fisher's z, which takes days as independent",
    "surrogate_p_value": "one-sided p-value of the skill against surrogates",
    "tested_rho": "skill that is compared with the surrogates",
}
SOURCES = "Sugihara et al. 2012, doi:10.1126/science.1227079; Tang et al. 2025, Eq. 8"


@dataclass(frozen=True)
class Plan:
    """What is mapped: one `Settings` per direction and lag, and which of them get a dimension of their own."""

    variants: tuple[tuple[Settings, ...], ...]
    directions: tuple[str, ...]
    lags: tuple[int, ...]
    keep_lag: bool
    keep_sizes: bool

    @property
    def common(self) -> Settings:
        """Any of the settings, for what they share."""
        return self.variants[0][0]


def map_labelled(
    causes: Causes, effect: xr.DataArray, where: xr.DataArray | None, plan: Plan, time: Hashable, caller: str
) -> xr.Dataset:
    """The kernel on labels; lazy for dask."""
    from xdrought.kernels.crossmap_blocks import has_sizes, result_names
    from xdrought.kernels.crossmap_variants import map_variants

    settings = plan.common
    names = result_names(settings)
    inputs = (effect, *(() if where is None else (where,)), *causes.arrays)
    own = _own_dimensions(inputs, plan, causes, caller)
    lengths = {CAUSE_DIM: len(causes.arrays), "direction": len(plan.directions), LAG_DIM: len(plan.lags)}
    if settings.library_sizes:
        lengths["library_size"] = len(settings.library_sizes)
    out = xr.apply_ufunc(
        map_variants,
        *without_repeated_coordinates(inputs, own),
        kwargs={"variants": _choose_search(plan, inputs, time), "masked": where is not None},
        input_core_dims=[[time]] * len(inputs),
        output_core_dims=[
            [CAUSE_DIM, "direction", LAG_DIM, *(["library_size"] if has_sizes(name, settings) else [])]
            for name in names
        ],
        dask="parallelized",
        output_dtypes=[np.int64 if name in ("n_pairs", "exclusion_radius") else np.float64 for name in names],
        dask_gufunc_kwargs={"output_sizes": lengths},
        keep_attrs=False,
    )
    found = {
        name: da.rename(name).assign_attrs(long_name=LABELS[name], units="1")
        for name, da in zip(names, out, strict=True)
        if name != "exclusion_radius" or settings.radius is None
    }
    return _coordinates(xr.Dataset(found), causes, plan)


def _choose_search(plan: Plan, inputs: tuple[xr.DataArray, ...], time: Hashable) -> tuple[tuple[Settings, ...], ...]:
    """The settings with the tree that suits the whole job, so that results do not depend on chunks."""
    from xdrought.kernels.crossmap import worth_compiling

    sizes = {dim: size for da in inputs for dim, size in da.sizes.items()}
    n_steps = sizes.pop(time)
    n_maps = math.prod(sizes.values()) * len(inputs) * sum(len(lags) for lags in plan.variants)
    compiled = worth_compiling(plan.common, n_maps, n_steps)
    return tuple(tuple(replace(one, compiled=compiled) for one in lags) for lags in plan.variants)


def _own_dimensions(inputs: tuple[xr.DataArray, ...], plan: Plan, causes: Causes, caller: str) -> set[str]:
    """Names that the result takes for itself; none may be a dimension of the input."""
    own = {CAUSE_DIM, LAG_DIM, "direction", "library_size"}
    own |= {"variable"} if causes.names else set()
    own |= {"lag"} if plan.keep_lag else set()
    clash = sorted(own & {str(dim) for da in inputs for dim in da.dims})
    if clash:
        raise ValueError(f"{caller}: the input has dimensions {clash}, which the result needs; rename them")
    return own


def without_repeated_coordinates(inputs: tuple[xr.DataArray, ...], own: set[str]) -> list[xr.DataArray]:
    """Inputs whose lazy coordinates come once: to compare them xarray would compute them."""
    lazy = {name for da in inputs for name, coord in da.coords.items() if coord.chunks is not None}
    seen: set[Hashable] = set()
    found = []
    for da in inputs:
        found.append(da.drop_vars([*own, *(seen & lazy)], errors="ignore"))
        seen |= set(da.coords)
    return found


def _coordinates(result: xr.Dataset, causes: Causes, plan: Plan) -> xr.Dataset:
    """Labels on the result's own dimensions; those that were not asked for go."""
    result = result.assign_coords(direction=list(plan.directions))
    if plan.common.library_sizes:
        result = result.assign_coords(library_size=list(plan.common.library_sizes))
    if plan.keep_lag:
        attrs = {"long_name": "steps from the manifold's day to the estimated one", "units": "1"}
        result = result.rename({LAG_DIM: "lag"}).assign_coords(lag=("lag", list(plan.lags), attrs))
    else:
        result = result.isel({LAG_DIM: 0})
    if plan.common.library_sizes and not plan.keep_sizes:
        result = result.isel(library_size=0)
    if len(plan.directions) == 1:
        result = result.isel(direction=0)
    if causes.names is None:
        return result.isel({CAUSE_DIM: 0})
    return result.rename({CAUSE_DIM: "variable"}).assign_coords(variable=list(causes.names))


def describe(plan: Plan, radius: int | str, deseasonalize: bool) -> dict[str, object]:
    """Settings as attributes that a file can hold; an embedding that differs by direction is a list in their order."""
    settings = plan.common
    dims, taus = [row[0].dim for row in plan.variants], [row[0].tau for row in plan.variants]
    found: dict[str, object] = {
        "embedding_dim": dims if len(set(dims)) > 1 else dims[0],
        "tau": taus if len(set(taus)) > 1 else taus[0],
        "exclusion_radius": radius,
        "lag": list(plan.lags) if plan.keep_lag else plan.lags[0],
        "engine": settings.engine,
        "source": SOURCES,
    }
    if settings.library_sizes:
        found |= {"library_samples": settings.samples, "seed": settings.seed}
    if settings.surrogates:
        found |= {
            "surrogates": settings.surrogates,
            "surrogate_kind": settings.surrogate_kind,
            "seed": settings.seed,
            "deseasonalize": int(deseasonalize and settings.surrogate_kind != "seasonal"),
        }
    return found
