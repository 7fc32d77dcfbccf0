"""How many delays a series needs: skill of predicting itself, by embedding dimension and delay."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.causality import pairs
from xdrought.provenance import recorded
from xdrought.public_functions import public


@public
@recorded
def choose_embedding(
    da: xr.DataArray,
    *,
    max_dim: int = 10,
    tau: int | Iterable[int] = 1,
    lead: int = 1,
    exclusion_radius: int | str = 0,
    time: Hashable = "time",
) -> xr.Dataset:
    """Skill of a series at predicting itself from its delay manifold, and the smallest embedding that is as good.

    Parameters
    ----------
    da : xarray.DataArray
        The series that builds the manifold (the effect, for "cause_to_effect"), any shape with time, any units.
        With dask, time must be one chunk; the result is lazy.
    max_dim : int
        Dimensions E = 1 to `max_dim` are tried.
    tau : int or sequence of int
        Delays to try, in steps.
    lead : int
        Steps ahead that are predicted.
    exclusion_radius : int or "auto"
        As in :func:`xdrought.ccm`.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        `rho`, its `standard_error` and `n_pairs` on (..., tau, embedding_dim); `best_embedding_dim` and `best_tau`
        (...): the smallest E, then the smallest tau, within one standard error of the highest skill, NaN where no
        skill is defined.

    Raises
    ------
    TypeError
        For anything but numbers in a DataArray.
    ValueError
        For time in chunks, irregular or too few steps, or settings out of range.

    Notes
    -----
    The standard error is that of a correlation of independent pairs, ``(1 - rho**2) / sqrt(n - 1)``; daily series
    are not independent, so it is a lower bound.

    References
    ----------
    Sugihara and May 1990, doi:10.1038/344734a0.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought import choose_embedding
    >>> x = np.full(300, 0.4)
    >>> for t in range(299):
    ...     x[t + 1] = 3.8 * x[t] * (1 - x[t])
    >>> int(choose_embedding(xr.DataArray(x, dims="time"), max_dim=4).best_embedding_dim)
    1
    """
    from xdrought.kernels.cross_map import Settings, worth_compiling

    pairs.check_series(da, time)
    da = limits.check(da)
    max_dim = checks.require_integer(max_dim, "max_dim", 1)
    lead = checks.require_integer(lead, "lead", 1)
    taus = [checks.require_integer(one, "tau", 1) for one in np.atleast_1d(np.asarray(tau)).tolist()]
    pairs.check_embedding(max_dim, max(taus), da.sizes[time] - lead)
    radius = pairs.check_radius(exclusion_radius)
    table = ["tau", "embedding_dim"]
    compiled = worth_compiling(
        Settings(), da.size // da.sizes[time] * len(taus) * max_dim, da.sizes[time], any_dim=True
    )
    result = xr.apply_ufunc(
        _tables,
        da,
        kwargs={"max_dim": max_dim, "taus": taus, "lead": lead, "radius": radius, "compiled": compiled},
        input_core_dims=[[time]],
        output_core_dims=[table, table, table, [], []],
        dask="parallelized",
        output_dtypes=[np.float64, np.float64, np.int64, np.float64, np.float64],
        dask_gufunc_kwargs={"output_sizes": {"tau": len(taus), "embedding_dim": max_dim}},
        keep_attrs=False,
    )
    labels = {
        "rho": "skill of simplex self-prediction",
        "standard_error": "standard error of the skill",
        "n_pairs": "number of days compared",
        "best_embedding_dim": "smallest embedding dimension within one standard error of the best",
        "best_tau": "delay that goes with it, in steps",
    }
    variables = {
        name: one.rename(name).assign_attrs(long_name=labels[name], units="1")
        for name, one in zip(labels, result, strict=True)
    }
    result = alignment.dataset_of(variables, {"tau": taus, "embedding_dim": np.arange(1, max_dim + 1)})
    if da.chunks is None and not result["rho"].notnull().any() and bool(da.notnull().any()):
        checks.warn("no skill could be computed: the series is constant, or none of its days has a whole delay vector")
    return result.assign_attrs(lead=lead, exclusion_radius=exclusion_radius, source="doi:10.1038/344734a0")


def _tables(
    block: np.ndarray, *, max_dim: int, taus: list[int], lead: int, radius: int | None, compiled: bool
) -> tuple[np.ndarray, ...]:
    """Skill, standard error and pairs (..., tau, E) of a block (..., time), and the choice (...)."""
    from xdrought.kernels.cross_map import Settings, cross_map_with_ties, decorrelation_time, shift

    rows = np.asarray(block, dtype=np.float64).reshape(-1, block.shape[-1])
    shape = (len(rows), len(taus), max_dim)
    rho, n = np.full(shape, np.nan), np.zeros(shape, np.int64)
    for at, row in enumerate(rows):
        window = decorrelation_time(row) if radius is None else radius
        for column, tau in enumerate(taus):
            for dim in range(1, max_dim + 1):
                settings = Settings(dim=dim, tau=tau, compiled=compiled)  # code that serves all dimensions
                skill = cross_map_with_ties(row, shift(row[None], lead), settings, window)
                rho[at, column, dim - 1], n[at, column, dim - 1] = skill.rho[0], skill.n_pairs[0]
    error = np.where(n > 1, (1 - rho**2) / np.sqrt(np.maximum(n - 1, 1)), np.nan)
    best_dim, best_tau = _smallest_as_good(rho, error, taus)
    lead_shape = block.shape[:-1]
    tables = (part.reshape(*lead_shape, len(taus), max_dim) for part in (rho, error, n))
    return *tables, best_dim.reshape(lead_shape), best_tau.reshape(lead_shape)


def _smallest_as_good(rho: np.ndarray, error: np.ndarray, taus: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Smallest E, then smallest tau, within one standard error of the best cell of each table (row, tau, E)."""
    choice = np.full((2, len(rho)), np.nan)
    for at, (skill, spread) in enumerate(zip(rho, error, strict=True)):
        if not np.isfinite(skill).any():
            continue
        best = np.unravel_index(np.nanargmax(skill), skill.shape)
        column, dim = np.nonzero(skill >= skill[best] - spread[best])
        choice[:, at] = min((d + 1, taus[c]) for c, d in zip(column, dim, strict=True))
    return choice[0], choice[1]
