"""Convergent cross mapping of labelled series."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace

import xarray as xr

from xdrought.causality import inputs, torch_engine
from xdrought.causality.inputs import Cause
from xdrought.causality.labels import Plan, describe, map_labelled
from xdrought.causality.significance import false_discovery_control, family_dims


def ccm(
    cause: Cause,
    effect: xr.DataArray,
    *,
    embedding_dim: int | Mapping[str, int] = 2,
    tau: int | Mapping[str, int] = 1,
    direction: str = "both",
    exclusion_radius: int | str = 0,
    lag: int | Iterable[int] = 0,
    where: xr.DataArray | None = None,
    library_size: int | Iterable[int] | None = None,
    library_samples: int = 30,
    surrogates: int = 0,
    surrogate_kind: str = "phase",
    deseasonalize: bool = True,
    fdr: bool | Hashable | Iterable[Hashable] = False,
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
    embedding_dim, tau : int or dict
        Dimension E and delay (in steps) of the manifold, one for both directions or one each, e.g.
        ``{"cause_to_effect": 3, "effect_to_cause": 4}``. The manifold is that of the effect for "cause_to_effect" and
        that of the cause for "effect_to_cause": choose each by :func:`xdrought.choose_embedding` of its own series.
    direction : {"both", "cause_to_effect", "effect_to_cause"}
        "cause_to_effect" asks whether the cause drives the effect: the **cause is estimated from the effect's
        manifold**. "effect_to_cause" estimates the effect from the cause's manifold.
    exclusion_radius : int or "auto"
        Steps on either side of a day that may not be its neighbours (Theiler window). 0 leaves out the day itself
        only; "auto" takes the first lag at which the autocorrelation of the searched series is below 1/e.
    lag : int or sequence of int
        Estimate the mapped variable `lag` steps later (earlier when negative) than the day of the manifold. A
        delayed cause is best estimated at a negative lag.
    where : boolean xarray.DataArray, optional
        True on the days to learn from and to estimate, e.g. a season; time and any dimensions of the series. Delay
        vectors are those of the whole record. Surrogates too.
    library_size : int or sequence of int, optional
        Learn from random libraries of these sizes instead of the whole record; skill that grows and levels off
        with size is the sign of causation. `rho` is then the mean over libraries.
    library_samples : int
        Random libraries per size. They are nested: a sample's larger libraries contain its smaller ones.
    surrogates : int
        Copies of the mapped variable to test against, e.g. 999; 0 for no test.
    surrogate_kind : {"phase", "seasonal", "circular"}
        "phase" randomises phases and keeps the spectrum; "seasonal" keeps the annual cycle and randomises the phases
        of the rest; "circular" turns the series by a random number of steps, a twentieth of the record or more.
    deseasonalize : bool
        Remove the annual cycle of mean (four harmonics) and spread (two) from both series before the test, and that of
        the mean from the surrogates; not for "seasonal", which keeps it in both. `rho` is of the raw series.
    fdr : bool, hashable or iterable of hashable
        Adjust the p-values for many tests (Benjamini and Hochberg) over these dimensions of the result, True for
        all; see :func:`xdrought.false_discovery_control`.
    seed : int
        For libraries and surrogates; the draws do not depend on chunks.
    engine : {"kdtree", "torch", "causal-ccm"}
        Own search; the same by all pairs on a GPU (whole library, no surrogates); or the package causal-ccm for
        comparison: whole library, no gaps, no exclusion radius.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        On the broadcast dimensions without time, `variable` for several causes, `direction` for both, `lag` and
        `library_size` where sequences are given: `rho`; `p_value`, raw and two-sided; `n_pairs`, the number of
        days compared; `tied_fraction`. With library sizes `rho_lower` and `rho_upper` (95 % of the libraries); with
        several sizes also `convergence`, the growth of skill from the smallest to the largest, with
        `convergence_lower` and `convergence_upper` over libraries, `kendall_tau`, `fisher_z` and their one-sided
        `kendall_p_value` and `fisher_p_value`. With surrogates `surrogate_p_value` and the skill it tests,
        `tested_rho`; with `fdr` `p_value_adjusted` and `surrogate_p_value_adjusted`; with "auto" the
        `exclusion_radius`.

    Raises
    ------
    TypeError
        For anything but numbers in DataArrays, or a mask that is not boolean.
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
    p-value is NaN also for records under one year when the annual cycle is removed or kept.

    The surrogate test says whether there is a relation; its direction needs convergence and both `rho`. The interval
    of convergence is over libraries of one record: it does not say how another record would differ. `fisher_z` takes
    days as independent, as `p_value` does.

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
    if where is not None:
        inputs.check_where(where, (effect, *causes.arrays), time, caller)
    directions = inputs.DIRECTIONS[inputs.check_choice(direction, "direction", inputs.DIRECTIONS, caller)]
    dims = inputs.per_direction(embedding_dim, "embedding_dim", directions, caller)
    taus = inputs.per_direction(tau, "tau", directions, caller)
    for one in zip(dims, taus, strict=True):
        inputs.check_embedding(*one, effect.sizes[time], caller)
    sizes = inputs.library_sizes(library_size, max(dims) + 2, effect.sizes[time], caller)
    inputs.check_choice(surrogate_kind, "surrogate_kind", inputs.SURROGATES, caller)
    needs_dates = bool(surrogates) and (deseasonalize or surrogate_kind == "seasonal")
    _check_engine(engine, exclusion_radius != 0 or where is not None, bool(sizes) or surrogates > 0, caller)

    from xdrought.kernels.crossmap import Settings

    common = Settings(
        radius=inputs.check_radius(exclusion_radius, caller),
        library_sizes=sizes,
        samples=inputs.check_count(library_samples, "library_samples", 1, caller),
        surrogates=inputs.check_count(surrogates, "surrogates", 0, caller),
        surrogate_kind=surrogate_kind,
        seed=int(seed),
        years=inputs.time_in_years(effect, time, caller) if needs_dates else None,
        engine=engine,
        mapper=torch_engine.cross_map if engine == "torch" else None,
    )
    lags = inputs.lags(lag, effect.sizes[time], caller)
    variants = tuple(
        tuple(replace(common, dim=int(dim), tau=int(step), directions=(way,), lag=shift) for shift in lags)
        for way, dim, step in zip(directions, dims, taus, strict=True)
    )
    keep_sizes = library_size is not None and not inputs.is_one(library_size)
    plan = Plan(variants, directions, lags, keep_lag=not inputs.is_one(lag), keep_sizes=keep_sizes)
    result = map_labelled(causes, effect, where, plan, time, caller)
    if fdr is not False:
        result = _adjusted(result, None if fdr is True else fdr, caller)
    return result.assign_attrs(describe(plan, exclusion_radius, deseasonalize))


def _adjusted(result: xr.Dataset, dim: Hashable | Iterable[Hashable] | None, caller: str) -> xr.Dataset:
    """With the p-values adjusted for the number of tests."""
    kinds = [name for name in ("p_value", "surrogate_p_value") if name in result]
    for name in kinds:
        family_dims(dim, result[name].dims, caller)
        result[f"{name}_adjusted"] = false_discovery_control(result[name], dim=dim)
    return result


def _check_engine(engine: str, has_options: bool, has_draws: bool, caller: str) -> None:
    """Own search does all; `has_options`: a window or days to leave out, `has_draws`: libraries or surrogates."""
    inputs.check_choice(engine, "engine", inputs.ENGINES, caller)
    if engine == "kdtree":
        return
    if engine == "torch" and has_draws:
        raise ValueError(
            f'{caller}: engine "torch" has no library_size or surrogates; leave them out or use engine="kdtree"'
        )
    if engine == "causal-ccm" and (has_options or has_draws):
        raise ValueError(
            f"{caller}: engine {engine!r} has no exclusion_radius, library_size, where or surrogates; "
            f'leave them out or use engine="kdtree"'
        )
    from importlib.util import find_spec

    if engine == "causal-ccm" and find_spec("causal_ccm") is None:
        raise ModuleNotFoundError(
            f"{caller}: engine {engine!r} needs the package causal-ccm; pip install xdrought[reference]"
        )
