"""Convergent cross mapping of labelled series."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.causality import pairs
from xdrought.causality.pairs import Cause, Causes
from xdrought.causality.significance import ADJUSTED, with_adjusted
from xdrought.choices import Direction, Engine, SurrogateKind
from xdrought.devices import require_torch, resolve_device
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics.hypothesis_tests import Fdr

if TYPE_CHECKING:
    from xdrought.kernels.cross_map import Settings, Skill

CAUSE_DIM, LAG_DIM = "_cause", "_lag"  # until they become `variable` and `lag`, which the user's arrays may have
LABELS = {
    "rho": "cross-map skill (correlation of estimate and truth)",
    "p_value": "Pearson p-value of the skill, which takes days as independent and is far too small for daily series",
    "n_pairs": "number of days compared",
    "tied_fraction": "share of days with tied or zero-distance neighbours, which share their weight",
    "exclusion_radius": "days on either side that may not be neighbours",
    "library_days": "days in each library: the size asked for, or every day where the record has fewer",
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
SOURCE = "Sugihara et al. 2012, doi:10.1126/science.1227079; Tang et al. 2025, Eq. 8"


@public
@recorded
def ccm(
    cause: Cause,
    effect: xr.DataArray,
    *,
    embedding_dim: int | Mapping[str, int] = 2,
    tau: int | Mapping[str, int] = 1,
    direction: Direction = "both",
    exclusion_radius: int | str = 0,
    lag: int | Iterable[int] = 0,
    where: xr.DataArray | None = None,
    library_size: int | Iterable[int] | None = None,
    library_samples: int = 30,
    surrogates: int = 0,
    surrogate_kind: SurrogateKind = "phase",
    deseasonalize: bool = True,
    fdr: Fdr | None = None,
    fdr_dim: Hashable | Iterable[Hashable] | None = None,
    seed: int = 0,
    engine: Engine = "kdtree",
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
        vectors and surrogates use the whole record.
    library_size : int or sequence of int, optional
        Learn from random libraries of so many days instead of the whole record; skill that grows and levels off
        with size is the sign of causation. `rho` is then the mean over libraries. A size beyond the days that both
        series have takes all of them, with a warning.
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
    fdr : {"bh", "by", "holm"}, optional
        Also adjust the p-values for the number of tests, as :func:`xdrought.false_discovery_control` does.
    fdr_dim : hashable or iterable of hashable, optional
        Dimensions of the result that form one family of tests; by default all.
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
        days compared; `tied_fraction`. With library sizes `library_days`, the days that each library holds, and
        `rho_lower` and `rho_upper` (95 % of the libraries); with several sizes also `convergence`, the growth of skill
        from the smallest to the largest, with `convergence_lower` and `convergence_upper` over libraries,
        `kendall_tau`, `fisher_z` and their one-sided `kendall_p_value` and `fisher_p_value`. With surrogates
        `surrogate_p_value` and the skill it tests, `tested_rho`; with `fdr` `p_value_adjusted` and
        `surrogate_p_value_adjusted`; with "auto" the `exclusion_radius`. Scalar coordinates `cause` and `effect` hold
        the names of the arrays that have one, so that results put together with :func:`xarray.concat` keep apart what
        each is of; several causes are named by `variable` alone.

    Raises
    ------
    TypeError
        For anything but numbers in DataArrays, or a mask that is not boolean.
    ValueError
        For labels that differ, time in chunks, irregular or too few steps, settings out of range, missing codes and
        physically impossible values.
    ModuleNotFoundError
        When the engine's package is not installed.

    Warns
    -----
    UserWarning
        When a library size is beyond the days that a pair of series has.

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
    >>> from xdrought import ccm
    >>> x, y = np.full((2, 400), 0.4)
    >>> for t in range(399):  # x drives y, hardly the reverse
    ...     x[t + 1] = x[t] * (3.8 - 3.8 * x[t])
    ...     y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.1 * x[t])
    >>> result = ccm(xr.DataArray(x, dims="time", name="prey"), xr.DataArray(y, dims="time", name="hunter"))
    >>> result.rho.sel(direction="cause_to_effect").item() > 0.9 > result.rho.sel(direction="effect_to_cause").item()
    True
    >>> result.cause.item(), result.effect.item()
    ('prey', 'hunter')
    """
    causes = pairs.collect_causes(cause)
    for da in (effect, *causes.arrays):
        pairs.check_series(da, time)
    called = pairs.names_of(causes, effect)
    causes, effect = pairs.match(causes, effect)
    if where is not None:
        where = pairs.match_where(where, (effect, *causes.arrays), time)
    n_steps = effect.sizes[time]
    directions = pairs.DIRECTIONS[checks.require_choice(direction, "direction", pairs.DIRECTIONS)]
    dims = pairs.per_direction(embedding_dim, "embedding_dim", directions)
    taus = pairs.per_direction(tau, "tau", directions)
    for embedding in zip(dims, taus, strict=True):
        pairs.check_embedding(*embedding, n_steps)
    lags = pairs.lags(lag, n_steps)
    sizes = pairs.library_sizes(library_size, max(dims) + 2, n_steps)
    checks.require_choice(surrogate_kind, "surrogate_kind", pairs.SURROGATES)
    needs_dates = bool(surrogates) and (deseasonalize or surrogate_kind == "seasonal")
    _check_engine(engine, exclusion_radius != 0 or where is not None, bool(sizes) or surrogates > 0)

    from xdrought.kernels import cross_map as kernel

    common = kernel.Settings(
        radius=pairs.check_radius(exclusion_radius),
        library_sizes=sizes,
        samples=checks.require_integer(library_samples, "library_samples", 1),
        surrogates=checks.require_integer(surrogates, "surrogates", 0),
        surrogate_kind=surrogate_kind,
        seed=int(seed),
        years=pairs.time_in_years(effect, time) if needs_dates else None,
        engine={"torch": cross_map_by_torch, "causal-ccm": kernel.cross_map_by_causal_ccm}.get(engine),
    )
    settings = {
        way: [replace(common, dim=int(e), tau=int(step), lag=shift) for shift in lags]
        for way, e, step in zip(directions, dims, taus, strict=True)
    }
    own = {CAUSE_DIM, LAG_DIM, "direction", "library_size", *called, *LABELS, *ADJUSTED}
    own |= {"variable"} if causes.names else set()
    own |= set() if pairs.is_scalar(lag) else {"lag"}
    inputs = _without_clash((effect, *([] if where is None else [where]), *causes.arrays), own)
    result = _map(inputs, settings, where is not None, time)
    result = _name_dimensions(result, causes, settings, keep_lag="lag" in own).assign_coords(called)
    pairs.warn_without_skill(result["rho"], (effect, *causes.arrays))
    if sizes and pairs.is_scalar(library_size):
        result = result.isel(library_size=0)
    attrs = _describe(settings, lag, exclusion_radius, deseasonalize, engine)
    return with_adjusted(result, fdr, fdr_dim).assign_attrs(attrs)


def _check_engine(engine: str, has_options: bool, has_draws: bool) -> None:
    """Own search does all; `has_options`: a window or days to leave out, `has_draws`: libraries or surrogates."""
    checks.require_choice(engine, "engine", pairs.ENGINES)
    if engine == "torch" and has_draws:
        raise ValueError('engine "torch" has no library_size or surrogates; leave them out or use engine="kdtree"')
    if engine == "causal-ccm" and (has_options or has_draws):
        raise ValueError(
            f"engine {engine!r} has no exclusion_radius, library_size, where or surrogates; "
            f'leave them out or use engine="kdtree"'
        )
    from importlib.util import find_spec

    if engine == "causal-ccm" and find_spec("causal_ccm") is None:
        raise ModuleNotFoundError(f"engine {engine!r} needs the package causal-ccm; pip install xdrought[reference]")


def _map(
    inputs: list[xr.DataArray], settings: Mapping[str, list[Settings]], masked: bool, time: Hashable
) -> xr.Dataset:
    """The kernel on labels, lazy for dask: every result on cause, direction, lag and perhaps library size."""
    from xdrought.kernels.cross_map_blocks import WHOLE_NUMBERS, has_sizes, result_names

    by_lag = next(iter(settings.values()))
    common, n_causes = by_lag[0], len(inputs) - 1 - masked
    names = result_names(common)
    lengths = {CAUSE_DIM: n_causes, "direction": len(settings), LAG_DIM: len(by_lag)}
    if common.library_sizes:
        lengths["library_size"] = len(common.library_sizes)
    arrays = xr.apply_ufunc(
        _map_block,
        *inputs,
        kwargs={
            "from_effect": [way == pairs.FORWARD for way in settings],
            "settings": _choose_search(settings, inputs, time),
            "masked": masked,
        },
        input_core_dims=[[time]] * len(inputs),
        output_core_dims=[[dim for dim in lengths if dim != "library_size" or has_sizes(n, common)] for n in names],
        dask="parallelized",
        output_dtypes=[np.int64 if name in WHOLE_NUMBERS else np.float64 for name in names],
        dask_gufunc_kwargs={"output_sizes": lengths},
        keep_attrs=False,
    )
    return xr.Dataset(
        {
            name: da.rename(name).assign_attrs(long_name=LABELS[name], units="1")
            for name, da in zip(names, arrays, strict=True)
            if name != "exclusion_radius" or common.radius is None
        }
    )


def _map_block(effect: np.ndarray, *others: np.ndarray, settings: list[list[Settings]], **options) -> tuple:
    """The kernel on a block, and a warning where the record has fewer days than a library was to hold."""
    from xdrought.kernels.cross_map_blocks import map_block, result_names

    results = map_block(effect, *others, settings=settings, **options)
    sizes = settings[0][0].library_sizes
    if sizes:
        days = results[result_names(settings[0][0]).index("library_days")]
        short = (days < np.array(sizes)) & (days > 0)
        if short.any():
            checks.warn(
                f"library_size={max(sizes)} is more than the {days[short].min()} days that have a whole delay vector "
                f"and a value to estimate; the library holds all of these, as `library_days` counts"
            )
    return results


def _choose_search(
    settings: Mapping[str, list[Settings]], inputs: list[xr.DataArray], time: Hashable
) -> list[list[Settings]]:
    """The settings with the search that suits the whole job, so that results do not depend on chunks."""
    from xdrought.kernels.cross_map import is_long, worth_compiling

    sizes = {dim: size for da in inputs for dim, size in da.sizes.items()}
    n_steps = sizes.pop(time)
    rows = list(settings.values())
    n_maps = math.prod(sizes.values()) * len(inputs) * len(rows) * len(rows[0])
    job = rows[0][0], n_maps, n_steps
    compiled, may_compile = worth_compiling(*job), is_long(*job)
    return [[replace(each, compiled=compiled, may_compile=may_compile) for each in row] for row in rows]


def _without_clash(inputs: tuple[xr.DataArray, ...], own: set[str]) -> list[xr.DataArray]:
    """The inputs without coordinates that the result has itself; dimensions of such names are refused."""
    clash = sorted(own & {str(dim) for da in inputs for dim in da.dims})
    if clash:
        raise ValueError(f"the input has dimensions {clash}, which the result needs; rename them")
    return without_repeated_coordinates(inputs, own)


def without_repeated_coordinates(inputs: tuple[xr.DataArray, ...], own: set[str]) -> list[xr.DataArray]:
    """Inputs whose lazy coordinates come once: to compare them xarray would compute them."""
    lazy = {name for da in inputs for name, coord in da.coords.items() if coord.chunks is not None}
    present: set[Hashable] = set()
    reduced = []
    for da in inputs:
        reduced.append(da.drop_vars([*own, *(present & lazy)], errors="ignore"))
        present |= set(da.coords)
    return reduced


def _name_dimensions(
    result: xr.Dataset, causes: Causes, settings: Mapping[str, list[Settings]], *, keep_lag: bool
) -> xr.Dataset:
    """Labels on the result's own dimensions; those that were not asked for go."""
    by_lag = next(iter(settings.values()))
    result = result.assign_coords(direction=list(settings))
    if by_lag[0].library_sizes:
        result = result.assign_coords(library_size=list(by_lag[0].library_sizes))
    if keep_lag:
        attrs = {"long_name": "steps from the manifold's day to the estimated one", "units": "1"}
        lags = [each.lag for each in by_lag]
        result = result.rename({LAG_DIM: "lag"}).assign_coords(lag=("lag", lags, attrs))
    else:
        result = result.isel({LAG_DIM: 0})
    if len(settings) == 1:
        result = result.isel(direction=0)
    if causes.names is None:
        return result.isel({CAUSE_DIM: 0})
    return result.rename({CAUSE_DIM: "variable"}).assign_coords(variable=list(causes.names))


def _describe(
    settings: Mapping[str, list[Settings]],
    lag: int | Iterable[int],
    radius: int | str,
    deseasonalize: bool,
    engine: Engine,
) -> dict[str, object]:
    """Settings as attributes that a file can hold; an embedding that differs by direction is a list in their order."""
    common = next(iter(settings.values()))[0]
    dims, taus = [by_lag[0].dim for by_lag in settings.values()], [by_lag[0].tau for by_lag in settings.values()]
    attrs: dict[str, object] = {
        "embedding_dim": dims if len(set(dims)) > 1 else dims[0],
        "tau": taus if len(set(taus)) > 1 else taus[0],
        "exclusion_radius": radius,
        "lag": np.asarray(lag).tolist(),
        "engine": engine,
        "source": SOURCE,
    }
    if common.library_sizes:
        attrs |= {"library_samples": common.samples, "seed": common.seed}
    if common.surrogates:
        removed = deseasonalize and common.surrogate_kind != "seasonal"
        attrs |= {"surrogates": common.surrogates, "surrogate_kind": common.surrogate_kind}
        attrs |= {"seed": common.seed, "deseasonalize": int(removed)}
    return attrs


def cross_map_by_torch(series: np.ndarray, targets: np.ndarray, settings: Settings, radius: int) -> Skill:
    """Skill of `targets` (k, time) from the manifold of `series` (time,), the whole record as library, on a GPU."""
    require_torch()
    import torch

    from xdrought.kernels.cross_map import Skill, patterns
    from xdrought.models.cross_mapping import cross_map as map_tensors

    device = resolve_device("auto")
    rho, n, tied = np.full(len(targets), np.nan), np.zeros(len(targets), np.int64), np.full(len(targets), np.nan)
    for chosen, valid, vectors in patterns(series, targets, settings):
        days = np.flatnonzero(valid)
        if not days.size:
            continue
        points, steps, values = (
            torch.from_numpy(array).to(device) for array in (vectors[days], days, targets[np.ix_(chosen, days)])
        )
        skill = map_tensors(points, steps, values, radius)
        rho[chosen], n[chosen] = skill.rho.cpu().numpy(), skill.mapped
        tied[chosen] = skill.tied / skill.mapped if skill.mapped else np.nan
    return Skill(rho, n, tied)
