"""Many tests at once: p-values that keep the share of false discoveries in check."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics.hypothesis_tests import FDR, Fdr, adjusted


@public
@recorded
def false_discovery_control(
    p_value: xr.DataArray,
    *,
    dim: Hashable | Iterable[Hashable] | None = None,
    fdr: Fdr | None = "bh",
) -> xr.DataArray:
    """Adjust p-values for the number of tests, so that rejecting those below 0.05 keeps false discoveries in check.

    Parameters
    ----------
    p_value : xarray.DataArray
        p-values in [0, 1], any shape; NaN is no test. With dask the result is lazy.
    dim : hashable or iterable of hashable, optional
        Dimensions that form one family of tests, e.g. ``("site", "variable")``; all by default.
    fdr : {"bh", "by", "holm", None}
        "bh" (Benjamini and Hochberg) keeps the expected share of false discoveries below the level, and is valid under
        positive dependence of the tests. "by" (Benjamini and Yekutieli) does so under any dependence, with less power.
        "holm" keeps the chance of any false discovery below the level, under any dependence. None adjusts nothing.

    Returns
    -------
    xarray.DataArray
        As `p_value`, never smaller than it.

    Raises
    ------
    TypeError
        When `p_value` is no DataArray.
    ValueError
        For dimensions that are not there, or an unknown `fdr`; when computed, for values outside [0, 1].

    Notes
    -----
    The smallest p-value of a test with m surrogates is ``1 / (m + 1)``. A family of n tests of which one is real can
    be significant only when that is below ``alpha / n``: 240 tests at 0.05 need m >= 4800, fewer the more are real.

    References
    ----------
    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x. Benjamini and Yekutieli 2001,
    doi:10.1214/aos/1013699998. Holm 1979, Scand. J. Statist. 6, 65-70.

    Examples
    --------
    >>> import xarray as xr
    >>> import xdrought
    >>> p = xr.DataArray([0.01, 0.04, 0.03, 0.5], dims="site")
    >>> xdrought.false_discovery_control(p).values.round(4)
    array([0.04  , 0.0533, 0.0533, 0.5   ])
    """
    checks.require_choice(fdr, "fdr", FDR)
    dims = family_dims(dim, p_value.dims)
    whole = p_value.chunk(dict.fromkeys(dims, -1)) if p_value.chunks is not None else p_value
    result = xr.apply_ufunc(
        _adjust,
        whole,
        kwargs={"n_dims": len(dims), "fdr": fdr},
        input_core_dims=[dims],
        output_core_dims=[dims],
        dask="parallelized",
        output_dtypes=[np.float64],
        keep_attrs=False,
    )
    name = str(p_value.attrs.get("long_name") or p_value.name or "p-value")
    text = f"{name}, adjusted for the number of tests over {', '.join(map(str, dims)) or 'nothing'}"
    return result.transpose(*p_value.dims).assign_attrs(long_name=text, units="1")


def family_dims(dim: Hashable | Iterable[Hashable] | None, present: Iterable[Hashable]) -> tuple[Hashable, ...]:
    """The dimensions of one family of tests, all for None."""
    present = tuple(present)
    if dim is None:
        return present
    dims = (dim,) if isinstance(dim, str) or not isinstance(dim, Iterable) else tuple(dim)
    if missing := [one for one in dims if one not in present]:
        raise ValueError(f"no dimension {missing} among the tests; they are on {list(present)}")
    return dims


ADJUSTED = ("p_value_adjusted", "surrogate_p_value_adjusted")


def with_adjusted(result: xr.Dataset, fdr: Fdr | None, fdr_dim: Hashable | Iterable[Hashable] | None) -> xr.Dataset:
    """Add the adjusted values of `p_value` and `surrogate_p_value`, where they are, under ``..._adjusted``."""
    checks.require_choice(fdr, "fdr", FDR)
    if fdr is None:
        if fdr_dim is not None:
            raise ValueError(f'fdr_dim={fdr_dim!r}, but fdr=None adjusts nothing; give fdr="bh", or leave fdr_dim out')
        return result
    kinds = [name for name in ("p_value", "surrogate_p_value") if name in result]
    return result.assign(
        {f"{name}_adjusted": false_discovery_control(result[name], dim=fdr_dim, fdr=fdr) for name in kinds}
    )


def _adjust(p_value: np.ndarray, *, n_dims: int, fdr: str | None) -> np.ndarray:
    """Adjust the last `n_dims` axes together."""
    rows = np.asarray(p_value, dtype=np.float64).reshape(*p_value.shape[: p_value.ndim - n_dims], -1)
    if (outside := rows[(rows < 0) | (rows > 1)]).size:
        raise ValueError(f"{outside.size} p-value(s) are outside 0 to 1, e.g. {outside[0]:g}; give probabilities")
    out = np.empty(rows.shape)
    for index in np.ndindex(rows.shape[:-1]):
        out[index] = adjusted(rows[index], fdr)
    return out.reshape(p_value.shape)
