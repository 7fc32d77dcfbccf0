"""Convergent cross mapping of labelled series."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought import causality_inputs as inputs
from xdrought.causality_inputs import Cause, Causes

if TYPE_CHECKING:
    from xdrought.kernels.crossmap import Settings

CAUSE_DIM = "_cause"  # until it becomes `variable`, which the user's own arrays may have
_LABELS = {
    "rho": "cross-map skill (correlation of estimate and truth)",
    "p_value": "Pearson p-value of the skill, which takes days as independent and is far too small for daily series",
    "n_pairs": "number of days compared",
    "tied_fraction": "share of days with tied or zero-distance neighbours, which share their weight",
    "exclusion_radius": "days on either side that may not be neighbours",
    "rho_lower": "2.5 % quantile of the skill over random libraries",
    "rho_upper": "97.5 % quantile of the skill over random libraries",
    "surrogate_p_value": "one-sided p-value of the skill against phase-randomised surrogates",
    "tested_rho": "skill that is compared with the surrogates",
}
_SOURCES = "Sugihara et al. 2012, doi:10.1126/science.1227079; Tang et al. 2025, Eq. 8"


def ccm(
    cause: Cause,
    effect: xr.DataArray,
    *,
    embedding_dim: int = 2,
    tau: int = 1,
    direction: str = "both",
    exclusion_radius: int | str = 0,
    lag: int = 0,
    library_size: int | Iterable[int] | None = None,
    library_samples: int = 30,
    surrogates: int = 0,
    deseasonalize: bool = True,
    seed: int = 0,
    engine: str = "kdtree",
    time: Hashable = "time",
) -> xr.Dataset:
    """Convergent cross mapping: how well a cause can be read from its effect's history, and the reverse.

    Parameters
    ----------
    cause : xarray.DataArray, xarray.Dataset, dict or list of xarray.DataArray
        One or several candidate causes, any units, with a time dimension. Several share one neighbour search.
    effect : xarray.DataArray
        The candidate effect. Other dimensions broadcast against those of the cause; shared ones must have the
        same labels. With dask, time must be one chunk; the result is lazy, nothing is computed.
    embedding_dim, tau : int
        Dimension E and delay (in steps) of the manifold; see :func:`choose_embedding`.
    direction : {"both", "cause_to_effect", "effect_to_cause"}
        "cause_to_effect" asks whether the cause drives the effect: the **cause is estimated from the effect's
        manifold**. "effect_to_cause" estimates the effect from the cause's manifold.
    exclusion_radius : int or "auto"
        Steps on either side of a day that may not be its neighbours (Theiler window). 0 leaves out the day itself
        only; "auto" takes the first lag at which the autocorrelation of the searched series is below 1/e.
    lag : int
        Estimate the mapped variable `lag` steps later (earlier when negative) than the day of the manifold.
    library_size : int or sequence of int, optional
        Learn from random libraries of these sizes instead of the whole record; skill that grows and levels off
        with size is the sign of causation. `rho` is then the mean over libraries.
    library_samples : int
        Random libraries per size. They are nested: a sample's larger libraries contain its smaller ones.
    surrogates : int
        Phase-randomised copies of the mapped variable to test against, e.g. 1000; 0 for no test.
    deseasonalize : bool
        Remove the annual cycle (four harmonics) from both series before the test. `rho` is of the raw series.
    seed : int
        For libraries and surrogates; the draws do not depend on chunks.
    engine : {"kdtree", "causal-ccm"}
        Own search, or the package causal-ccm for comparison: whole library, no gaps, no exclusion radius.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        On the broadcast dimensions without time, `variable` for several causes, `direction` for both and
        `library_size` where a sequence is given: `rho`; `p_value`, raw and two-sided; `n_pairs`, the number of
        days compared; `tied_fraction`. With library sizes `rho_lower` and `rho_upper`; with surrogates
        `surrogate_p_value` and the skill it tests, `tested_rho`; with "auto" the `exclusion_radius`.

    Raises
    ------
    TypeError
        For anything but numbers in DataArrays.
    ValueError
        For axes that differ, time in chunks, irregular or too few steps, or settings out of range.
    ModuleNotFoundError
        When the engine's package is not installed.

    Notes
    -----
    Each day's estimate is the mean of its E + 1 nearest days on the manifold, weighted by ``exp(-d / d_1)``
    (Tang et al. 2025, Eq. 8, with the distances of the searched manifold). Zero distances share equally; days tied
    with the last neighbour (relative 1e-9) share its slots. Delay vectors that touch a missing day are left out and
    nothing is glued. `rho` is NaN when either series is constant or fewer than three days are left. The surrogate
    p-value is NaN also for records under one year when `deseasonalize` is on.

    The surrogate test says whether there is a relation; its direction needs convergence and both `rho`.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.causality import ccm
    >>> x, y = np.full((2, 400), 0.4)
    >>> for t in range(399):  # x drives y, hardly the reverse
    ...     x[t + 1] = x[t] * (3.8 - 3.8 * x[t])
    ...     y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.1 * x[t])
    >>> result = ccm(xr.DataArray(x, dims="time"), xr.DataArray(y, dims="time"))
    >>> result.rho.sel(direction="cause_to_effect").item() > 0.9 > result.rho.sel(direction="effect_to_cause").item()
    True
    """
    caller = "ccm"
    causes = inputs.collect_causes(cause, caller)
    for da in (effect, *causes.arrays):
        inputs.check_series(da, time, caller)
    inputs.check_same_labels(causes.arrays, effect, caller)
    inputs.check_embedding(embedding_dim, tau, effect.sizes[time], caller)
    if direction not in inputs.DIRECTIONS:
        raise ValueError(f"{caller}: direction {direction!r} is unknown; choose one of {list(inputs.DIRECTIONS)}")
    sizes = inputs.library_sizes(library_size, embedding_dim + 2, effect.sizes[time], caller)
    _check_engine(engine, exclusion_radius, bool(sizes), surrogates, caller)

    from xdrought.kernels.crossmap import Settings

    settings = Settings(
        dim=int(embedding_dim),
        tau=int(tau),
        radius=inputs.check_radius(exclusion_radius, caller),
        lag=inputs.check_lag(lag, effect.sizes[time], caller),
        directions=inputs.DIRECTIONS[direction],
        library_sizes=sizes,
        samples=inputs.check_count(library_samples, "library_samples", 1, caller),
        surrogates=inputs.check_count(surrogates, "surrogates", 0, caller),
        seed=int(seed),
        years=inputs.time_in_years(effect, time, caller) if surrogates and deseasonalize else None,
        engine=engine,
    )
    result = _map(causes, effect, settings, time, caller)
    if library_size is not None and np.ndim(np.asarray(library_size)) == 0:
        result = result.isel(library_size=0)
    return result.assign_attrs(_describe(settings, exclusion_radius, deseasonalize))


def _check_engine(engine: str, radius: int | str, has_sizes: bool, surrogates: int, caller: str) -> None:
    if engine not in inputs.ENGINES:
        raise ValueError(f"{caller}: engine {engine!r} is unknown; choose one of {list(inputs.ENGINES)}")
    if engine == "kdtree":
        return
    if radius != 0 or has_sizes or surrogates:
        raise ValueError(
            f"{caller}: engine {engine!r} has no exclusion_radius, library_size or surrogates; "
            f'leave them out or use engine="kdtree"'
        )
    from importlib.util import find_spec

    if find_spec("causal_ccm") is None:
        raise ModuleNotFoundError(
            f"{caller}: engine {engine!r} needs the package causal-ccm; pip install xdrought[reference]"
        )


def _map(causes: Causes, effect: xr.DataArray, settings: Settings, time: Hashable, caller: str) -> xr.Dataset:
    """The kernel on labels; lazy for dask."""
    from xdrought.kernels.crossmap_blocks import has_sizes, map_block, result_names

    names = result_names(settings)
    own = {CAUSE_DIM, "direction", "library_size", *(("variable",) if causes.names else ())}
    clash = sorted(own & {str(dim) for da in (effect, *causes.arrays) for dim in da.dims})
    if clash:
        raise ValueError(f"{caller}: the input has dimensions {clash}, which the result needs; rename them")
    lengths = {CAUSE_DIM: len(causes.arrays), "direction": len(settings.directions)}
    if settings.library_sizes:
        lengths["library_size"] = len(settings.library_sizes)
    out = xr.apply_ufunc(
        map_block,
        *(da.drop_vars(own, errors="ignore") for da in (effect, *causes.arrays)),
        kwargs={"settings": settings},
        input_core_dims=[[time]] * (1 + len(causes.arrays)),
        output_core_dims=[
            [CAUSE_DIM, "direction", *(["library_size"] if has_sizes(name, settings) else [])] for name in names
        ],
        dask="parallelized",
        output_dtypes=[np.int64 if name in ("n_pairs", "exclusion_radius") else np.float64 for name in names],
        dask_gufunc_kwargs={"output_sizes": lengths},
        keep_attrs=False,
    )
    found = {
        name: da.rename(name).assign_attrs(long_name=_LABELS[name], units="1")
        for name, da in zip(names, out, strict=True)
        if name != "exclusion_radius" or settings.radius is None
    }
    result = xr.Dataset(found).assign_coords(direction=list(settings.directions))
    if settings.library_sizes:
        result = result.assign_coords(library_size=list(settings.library_sizes))
    if len(settings.directions) == 1:
        result = result.isel(direction=0)
    if causes.names is None:
        return result.isel({CAUSE_DIM: 0})
    return result.rename({CAUSE_DIM: "variable"}).assign_coords(variable=list(causes.names))


def _describe(settings: Settings, radius: int | str, deseasonalize: bool) -> dict[str, object]:
    """Settings as attributes that a file can hold."""
    found: dict[str, object] = {
        "embedding_dim": settings.dim,
        "tau": settings.tau,
        "exclusion_radius": radius,
        "lag": settings.lag,
        "engine": settings.engine,
        "source": _SOURCES,
    }
    if settings.library_sizes:
        found |= {"library_samples": settings.samples, "seed": settings.seed}
    if settings.surrogates:
        found |= {"surrogates": settings.surrogates, "seed": settings.seed, "deseasonalize": int(deseasonalize)}
    return found
