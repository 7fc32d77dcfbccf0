"""At how many sites do faster droughts have more causes? The paper's synchronization, site by site (Figure 7c)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xdrought.kernels import rank_association as kernel
from xdrought.study.bands import Resampling
from xdrought.study.places import place_of_events, require_fit


def site_synchrony(
    x: xr.DataArray,
    y: xr.DataArray,
    events: xr.Dataset,
    *,
    min_events: int = 5,
    permutations: int = 1000,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Rank correlation of two numbers over the events of each site, and the share of sites where it is positive.

    Parameters
    ----------
    x, y : xarray.DataArray
        On `event`, in the paper the intensification rate and the complexity; events without both are left out.
    events : xarray.Dataset
        The same events, with `site` (or `cell`); `lat` and `lon` are kept for a map.
    min_events : int
        Sites with fewer are NaN.
    permutations : int
        Of y among the events of each site.
    confidence : float
        Of the interval.
    resamples : int
        Bootstrap samples of sites.
    seed : int
        Of permutations and bootstrap.

    Returns
    -------
    xarray.Dataset
        On `site` (or `cell`): `spearman`, its `p_value` (two-sided, by permutation) and `event_count`. Over sites:
        `share` of those with a positive correlation, a zero being half, with `lower` and `upper`; `chance_share`,
        the mean share of the permutations; and the one-sided `share_p_value`, how often they reach the share.

    Raises
    ------
    ValueError
        For values that do not fit the events, or settings out of range.

    Notes
    -----
    The paper says that synchronization "is observed in most (73 %)" of the sites and not how it was decided; here it is
    the sign of the rank correlation over events. Half of the sites are positive by chance, so a share means something
    only beside `chance_share` and its test; with few events at a site its own sign means little, see its p-value.
    Shuffling takes sites as independent: years that reach many sites alike make the test of the share too easy.

    References
    ----------
    Tang et al. 2025, section 4.5, Figure 7c.

    Examples
    --------
    >>> import xarray as xr
    >>> events = xr.Dataset(coords={"site": ("event", list("AAABBBC"))})
    >>> x, y = (xr.DataArray(v, dims="event") for v in ([1.0, 2, 3, 1, 2, 3, 1], [1.0, 2, 3, 3, 1, 2, 9]))
    >>> found = site_synchrony(x, y, events, min_events=3)
    >>> found.spearman.values
    array([ 1. , -0.5,  nan])
    >>> float(found.share)
    0.5
    """
    caller = "site_synchrony"
    how = Resampling(confidence, resamples, seed).checked(caller)
    if min_events < 3:
        raise ValueError(f"{caller}: min_events={min_events!r}; a rank correlation needs 3 events")
    require_fit(events, caller, x=x, y=y)
    place = place_of_events(events, caller)
    names, first, site = np.unique(place.to_numpy(), return_index=True, return_inverse=True)
    a, b = (values.to_numpy().astype("float64") for values in (x, y))
    both = np.isfinite(a) & np.isfinite(b)
    count = np.bincount(site[both], minlength=names.size)
    kept = both & (count >= min_events)[site]
    rho, p_value, chance = _by_site(a[kept], b[kept], site[kept], names.size, permutations, how)
    signs = _positive(rho)
    there = np.isfinite(rho)
    share = float(signs[there].mean()) if there.any() else float("nan")
    weights = kernel.drawn_sites(int(there.sum()), how.resamples, how.rng(1))
    samples = weights @ signs[there] / max(1, int(there.sum())) if there.any() else np.full(how.resamples, np.nan)
    lower, upper = how.interval(samples)
    share_p = (1 + np.sum(chance >= share - 1e-12)) / (1 + permutations) if there.any() else np.nan
    dim = str(place.name)
    coords = {
        name: (dim, events[name].to_numpy()[first]) for name in ("lat", "lon") if name in events.coords
    }  # fmt: skip
    text = f"{confidence:.0%} interval over sites"
    return xr.Dataset(
        {
            "spearman": (dim, rho, {"long_name": "Spearman correlation over events"}),
            "p_value": (dim, p_value, {"long_name": "p-value, shuffled within the site"}),
            "event_count": (dim, count, {"long_name": "number of events"}),
            "share": ((), share, {"long_name": "share of sites with a positive correlation"}),
            "lower": ((), lower, {"long_name": f"lower end of the {text}"}),
            "upper": ((), upper, {"long_name": f"upper end of the {text}"}),
            "chance_share": ((), chance.mean() if there.any() else np.nan, {"long_name": "share when shuffled"}),
            "share_p_value": ((), share_p, {"long_name": "one-sided p-value of the share"}),
        },
        {dim: names, **coords},
    ).assign_attrs(
        min_events=min_events, permutations=permutations, confidence=confidence, resamples=resamples, seed=seed
    )


def _positive(rho: np.ndarray) -> np.ndarray:
    """1 where positive, 0 where negative, a half at zero."""
    return np.where(np.abs(rho) < 1e-12, 0.5, rho > 0).astype("float64")


def _by_site(
    a: np.ndarray, b: np.ndarray, site: np.ndarray, n_site: int, permutations: int, how: Resampling
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlation and p-value of each site, and the share of positive sites in each permutation."""
    rank_a, rank_b = np.zeros(a.size), np.zeros(b.size)
    for name in np.unique(site):
        own = site == name
        rank_a[own], rank_b[own] = kernel.ranks(a[own]), kernel.ranks(b[own])
    squares = [np.bincount(site, ranks**2, n_site) for ranks in (rank_a, rank_b)]
    scale = np.sqrt(squares[0] * squares[1])

    def correlations(other: np.ndarray) -> np.ndarray:
        products = np.bincount(site, rank_a * other, n_site)
        return np.divide(products, scale, out=np.full(n_site, np.nan), where=scale > 0)

    rho = correlations(rank_b)
    there = np.isfinite(rho)
    larger, chance, rng = np.zeros(n_site), np.full(permutations, np.nan), how.rng(2)
    for k in range(permutations):
        drawn = correlations(rank_b[kernel.permuted_within(site, rng)])
        larger += np.abs(drawn) >= np.abs(rho) - 1e-12
        chance[k] = _positive(drawn[there]).mean() if there.any() else np.nan
    return rho, np.where(there, (1 + larger) / (1 + permutations), np.nan), chance
