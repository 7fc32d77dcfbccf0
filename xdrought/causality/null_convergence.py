"""How skill would grow with the library if the cause had nothing to do with the effect."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.causality import pairs
from xdrought.causality.cross_mapping import ccm
from xdrought.choices import SurrogateKind
from xdrought.public_functions import public


@public
def convergence_null(
    cause: xr.DataArray,
    effect: xr.DataArray,
    *,
    library_size: Iterable[int],
    surrogates: int = 99,
    surrogate_kind: SurrogateKind = "seasonal",
    confidence: float = 0.95,
    seed: int = 0,
    time: Hashable = "time",
    **options: Any,
) -> xr.Dataset:
    """Skill at each library size of causes that keep the season and memory of the cause, but not its relation.

    Parameters
    ----------
    cause, effect : xarray.DataArray
        One pair of series, (time,).
    library_size : sequence of int
        Several, as for the :func:`xdrought.ccm` that it stands beside.
    surrogates : int
        Copies of the cause.
    surrogate_kind : {"seasonal", "phase", "circular"}
        What the copies keep, as in :func:`xdrought.ccm`. Nothing is deseasonalised here, so only "seasonal" keeps the
        cycle of the year that both series may share.
    confidence : float
        Share of the copies that the band holds.
    seed : int
        Of the copies.
    time : hashable
        Name of the time dimension.
    **options
        `embedding_dim`, `tau`, `exclusion_radius`, `lag` or `library_samples` of :func:`xdrought.ccm`.

    Returns
    -------
    xarray.Dataset
        On `library_size`, for "cause_to_effect": `rho`, the median of the copies, with `rho_lower` and `rho_upper`.
        :func:`xdrought.plot.plot_convergence` draws it as a band, with ``null=``.

    Raises
    ------
    TypeError, ValueError
        As :func:`xdrought.ccm`; for anything else than one pair of series.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought import convergence_null
    >>> rng = np.random.default_rng(0)
    >>> x, y = (xr.DataArray(rng.normal(size=400), dims="time") for _ in range(2))
    >>> null = convergence_null(x, y, library_size=[50, 200], surrogates=19, surrogate_kind="phase")
    >>> bool((null.rho_lower < null.rho_upper).all())
    True
    """
    from xdrought.kernels.surrogates import make_surrogates

    checks.require_choice(surrogate_kind, "surrogate_kind", pairs.SURROGATES)
    number = checks.require_integer(surrogates, "surrogates", 1)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} must lie between 0 and 1, e.g. 0.95")
    for da in (cause, effect):
        pairs.check_series(da, time)
        if da.dims != (time,):
            raise ValueError(f"one pair of series is needed, found {tuple(da.dims)}; choose with .isel(...) before")
    causes, effect = pairs.match(pairs.Causes((cause,), None), effect)
    years = pairs.time_in_years(effect, time) if surrogate_kind == "seasonal" else None
    values = np.asarray(causes.arrays[0].values, dtype="float64")
    made = np.concatenate(list(make_surrogates(values, surrogate_kind, number, int(seed), years, number)))
    bare = effect.reset_coords(drop=True).drop_attrs().rename(None)  # copies have no units that could be checked
    copies: Mapping[Hashable, xr.DataArray] = {f"copy {k}": bare.copy(data=row) for k, row in enumerate(made)}
    sizes = list(library_size)
    found = ccm(copies, effect, library_size=sizes, direction="cause_to_effect", seed=seed, time=time, **options)
    beyond = (1 - confidence) / 2
    low, middle, high = (found.rho.quantile(q, "variable").drop_vars("quantile") for q in (beyond, 0.5, 1 - beyond))
    band = {"rho": middle, "rho_lower": low, "rho_upper": high}
    return xr.Dataset({name: da.squeeze(drop=True) if da.ndim > 1 else da for name, da in band.items()}).assign_attrs(
        surrogates=number, surrogate_kind=surrogate_kind, confidence=confidence, seed=int(seed)
    )
