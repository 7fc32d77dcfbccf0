"""How rare a year was: its rank in a record and its return period, with intervals."""

from __future__ import annotations

from collections.abc import Hashable
from typing import get_args

import numpy as np
import xarray as xr

from xdrought import alignment, checks
from xdrought.choices import Worst
from xdrought.provenance import recorded
from xdrought.public_functions import public

_WORST = get_args(Worst)
_FEWEST = 5  # years


@public
@recorded
def return_period(
    values: xr.DataArray, *, worst: Worst = "high", confidence: float = 0.95, year: Hashable = "year"
) -> xr.Dataset:
    """Rank and return period of each year among all years of a record, with intervals.

    Parameters
    ----------
    values : xarray.DataArray
        One number for each year along `year`, and any other dimensions, e.g. the largest share of a region in drought
        of each year, ``shares.share.groupby("time.year").max()``. NaN is missing. Read into memory.
    worst : {"high", "low"}
        Which end is rank 1.
    confidence : float
        Confidence level of the intervals.
    year : hashable
        The dimension of years; others are independent records.

    Returns
    -------
    xarray.Dataset
        On the dims of `values`: `rank`, 1 for the worst, equal years share the better rank; `rank_lower` and
        `rank_upper`, which rank the year would have among as many other years of the same climate; `return_period`, a,
        of a year as bad or worse, with `return_period_lower` and `return_period_upper`. `n_years` without `year`. NaN
        for missing years, and everywhere for records of fewer than 5 years.

    Raises
    ------
    TypeError
        For something else than numbers in a DataArray.
    ValueError
        For an unknown end or confidence, or values without `year`.

    Notes
    -----
    Of n independent years from one climate, the probability of a year as bad as the k-th worst or worse has the beta
    distribution (k, n + 1 - k), whatever the distribution of the values is. The return period is the inverse of its
    mean, (n + 1) / k (Weibull's plotting position), and its interval that of the inverse. The rank among n other years
    then is one more than a beta-binomial number. Years with a trend, or that remember the one before, are neither.

    References
    ----------
    Gumbel and von Schelling 1950, The distribution of the number of exceedances, Annals of Mathematical Statistics 21,
    247-262. Makkonen 2006, doi:10.1175/JAM2349.1 (plotting positions).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> worst = xr.DataArray(np.arange(1, 40), {"year": np.arange(1981, 2020)}, "year")
    >>> result = return_period(worst).sel(year=2019)
    >>> int(result["rank"]), float(result.return_period), round(float(result.return_period_lower), 1)
    (1, 40.0, 11.1)
    """
    from scipy.stats import beta, betabinom

    checks.require_numbers(values)
    checks.require_choice(worst, "worst", _WORST)
    checks.require_share(confidence, "confidence")
    if year not in values.dims:
        raise ValueError(
            f"no dimension {year!r} in {values.name!r}, which has {tuple(values.dims)}; give one number a year, e.g. "
            f'da.groupby("time.year").max()'
        )
    rows = values.transpose(..., year).astype("float64").values
    sign = 1 if worst == "high" else -1
    better, as_bad, n = _standing(sign * rows)
    known = np.isfinite(rows) & (n >= _FEWEST)
    k, tail = np.where(known, as_bad, 1), (1 - confidence) / 2
    years = np.broadcast_to(np.maximum(n, k), k.shape)
    each, where = np.unique(np.stack([k, years]).reshape(2, -1).astype(int), axis=1, return_inverse=True)
    of_k, of_n = each
    tails = np.array([[tail], [1 - tail]])
    ends = beta.ppf(tails, of_k, of_n + 1 - of_k)[:, where].reshape(2, *k.shape)
    ranks = 1 + betabinom.ppf(tails, of_n, of_k, of_n + 1 - of_k)[:, where].reshape(2, *k.shape)
    share = f"{confidence:.0%}"
    numbers = {
        "rank": (better + 1, "rank, 1 for the worst", "1"),
        "rank_lower": (ranks[0], f"lower end of the rank's {share} interval", "1"),
        "rank_upper": (ranks[1], f"upper end of the rank's {share} interval", "1"),
        "return_period": ((years + 1) / k, "return period of a year as bad or worse", "a"),
        "return_period_lower": (1 / ends[1], f"lower end of the return period's {share} interval", "a"),
        "return_period_upper": (1 / ends[0], f"upper end of the return period's {share} interval", "a"),
    }
    dims = values.transpose(..., year).dims
    arrays = {
        name: xr.Variable(dims, np.where(known, numbers_of, np.nan), {"long_name": text, "units": unit}).transpose(
            *values.dims
        )
        for name, (numbers_of, text, unit) in numbers.items()
    }
    places = [dim for dim in dims if dim != year]
    arrays["n_years"] = xr.Variable(places, n[..., 0], {"long_name": "number of years", "units": "1"})
    settings = {"worst": worst, "confidence": confidence}
    return alignment.dataset_of(arrays, values.coords).assign_attrs(settings)


def _standing(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of rows (..., year): how many years are worse (larger), as bad or worse, and there; NaN count nowhere."""
    flat = rows.reshape(-1, rows.shape[-1])
    worse, as_bad = np.zeros(flat.shape), np.zeros(flat.shape)
    for row, over, at_least in zip(flat, worse, as_bad, strict=True):
        ordered = np.sort(row[np.isfinite(row)])
        over[:] = ordered.size - np.searchsorted(ordered, row, side="right")
        at_least[:] = ordered.size - np.searchsorted(ordered, row, side="left")
    n = np.isfinite(rows).sum(axis=-1, keepdims=True)
    return worse.reshape(rows.shape), as_bad.reshape(rows.shape), n
