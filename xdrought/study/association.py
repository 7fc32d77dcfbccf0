"""At how many sites do faster droughts have more causes? The paper's synchronization, site by site (Figure 7c)."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

from xdrought import alignment, checks, limits, units
from xdrought.attribution.importance import mean_over_onsets
from xdrought.public_functions import public
from xdrought.statistics import bootstrap_weights
from xdrought.statistics import correlation as kernel
from xdrought.study.degree_skill import Resampling, curve_with_band


def place_of_events(events: xr.Dataset) -> xr.DataArray:
    """The site of each event, or its cell where there are no sites."""
    for name in ("site", "cell"):
        if name in events.variables:
            return events[name]
    raise ValueError("the events have neither site nor cell; give the result of flash_drought_events")


def rows_in_order(events: xr.Dataset) -> np.ndarray:
    """Rows by place and day, so that what is drawn of them does not depend on their order."""
    days = [events[name].to_numpy() for name in ("start_time", "onset_time") if name in events.variables]
    place = np.unique(place_of_events(events).to_numpy(), return_inverse=True)[1]
    return np.lexsort([*days[:1], place])


def require_fit(events: xr.Dataset, **numbers: xr.DataArray) -> None:
    """Raise unless each is one number per event."""
    n_event = events.sizes.get("event", 0)
    for name, values in numbers.items():
        if values.dims != ("event",) or values.sizes["event"] != n_event:
            raise ValueError(
                f"{name} is on {dict(values.sizes)}, the events are {n_event}; "
                f"give one number for each of the same events"
            )
        alignment.require_same_rows(events, values, "event", what=name)


@public
def onset_error(
    forecast: xr.DataArray, observed: xr.DataArray, events: xr.Dataset, *, time: Hashable = "time"
) -> xr.DataArray:
    """Mean error of the forecast over the onset of each event, forecast less observation.

    Parameters
    ----------
    forecast : xarray.DataArray
        At the valid time, on (site, time[, run]); runs are averaged.
    observed : xarray.DataArray
        On (site, time), in units that the forecast's can be converted to.
    events : xarray.Dataset
        Of the observation. An onset lasts from `onset_time` to the day before `start_time`.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.DataArray
        (event,), positive where the forecast was too wet, over the days that were forecast; NaN without any.

    Raises
    ------
    ValueError
        For units that cannot be converted, records without a common day or of other sites, or events that lack moments
        or places.

    References
    ----------
    Tang et al. 2025, section 4.5.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> days = pd.date_range("2001-01-01", periods=3)
    >>> obs = xr.DataArray([[5.0, 4.0, 1.0]], {"site": ["A"], "time": days}, ("site", "time"))
    >>> events = xr.Dataset(
    ...     {"onset_time": ("event", days[:1]), "start_time": ("event", days[2:])}, {"site": ("event", ["A"])}
    ... )
    >>> onset_error(obs + [1.0, 2.0, 9.0], obs, events).values
    array([1.5])
    """
    forecast, observed = limits.check(forecast, codes_only=True), limits.check(observed)
    unit, wanted = forecast.attrs.get("units"), observed.attrs.get("units")
    fcst = forecast.mean("run", keep_attrs=True) if "run" in forecast.dims else forecast
    fcst = fcst if unit is None or wanted is None or unit == wanted else units.convert(fcst, wanted)
    for da in (fcst, observed):
        checks.require_dim(da, time)
    obs = alignment.on_days_of(fcst, observed, time, what="the observation")
    error = (fcst - obs).compute()
    attrs = {"long_name": "forecast less observation in the onset", **({"units": wanted} if wanted else {})}
    return mean_over_onsets(error, events, time).rename("onset_error").assign_attrs(attrs)


@public
def event_association(
    x: xr.DataArray,
    y: xr.DataArray,
    events: xr.Dataset,
    *,
    fraction: float = 2 / 3,
    points: int = 60,
    confidence: float = 0.95,
    n_boot: int = 200,
    seed: int = 0,
    time: Hashable = "onset_time",
) -> xr.Dataset:
    """Two numbers of each event against one another, with the sites' own levels taken off (Figures 7b and 7d).

    Parameters
    ----------
    x, y : xarray.DataArray
        On `event`; events without both are left out.
    events : xarray.Dataset
        The same events, with `site` (or `cell`) and `time`.
    fraction : float
        Share of the events to which each line of LOWESS is fitted.
    points : int
        Of the curve.
    confidence : float
        Of intervals and the band.
    n_boot : int
        Bootstrap samples of sites, each with all its events.
    seed : int
        Of the bootstrap.
    time : hashable
        The variable whose year an event shares with others.

    Returns
    -------
    xarray.Dataset
        `spearman`, the rank correlation with site levels taken off the ranks, its `p_value` and `spearman_lower`
        `spearman_upper`, which allow for dependence within sites and within years (two-way jackknife); `slope` of y on
        x within sites and `pooled_spearman` of all events as they are, with `_lower` and `_upper` over sites. On
        `event`, of the events that have both: `x` and `y` as given, `x_within` and `y_within`, less the site's mean
        plus the mean of all. On `point`: `curve_x curve curve_lower curve_upper` through the latter. Sites with one
        event say nothing within sites.

    Raises
    ------
    ValueError
        For values that do not fit the events, events without a place or time, or settings out of range.

    Notes
    -----
    Events of a year share its weather, at many sites: shuffling events within sites, or drawing sites alone, calls
    some 15 % of unrelated numbers related where both have years of their own. The paper correlates all events, so that
    sites with faster droughts and larger errors make a relation that no site shows. Both are given here. Complexity
    itself grows with how far a forecast departs from the usual, so a relation to the signed error of the same forecast
    is partly arithmetic; see the page on explanations.

    References
    ----------
    Tang et al. 2025, section 4.5, Figures 7b and 7d.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> years = np.array(["2001-06", "2002-06", "2003-06"] * 2, "datetime64[ns]")
    >>> events = xr.Dataset({"onset_time": ("event", years)}, {"site": ("event", list("AAABBB"))})
    >>> x, y = (xr.DataArray(v, dims="event") for v in ([1.0, 2, 3, 11, 12, 13], [3.0, 2, 1, 9, 8, 7]))
    >>> result = event_association(x, y, events)
    >>> round(float(result.spearman), 2), round(float(result.pooled_spearman), 2)
    (-1.0, 0.54)
    """
    how = Resampling(confidence, n_boot, seed).checked()
    require_fit(events, x=x, y=y)
    if time not in events.variables:
        raise ValueError(f"the events have no {time!r}; take them from xdrought.flash_drought_events")
    known = np.isfinite(x.to_numpy()) & np.isfinite(y.to_numpy())
    a, b = (values.to_numpy()[known].astype("float64") for values in (x, y))
    _, site = np.unique(place_of_events(events).to_numpy()[known], return_inverse=True)
    calendar = events[time].dt.year.to_numpy()[known].astype(int) if known.any() else np.zeros(0, int)
    numbers = _numbers(a, b, site, calendar - calendar.min(initial=9999), how)
    several = (np.bincount(site)[site] > 1) if a.size else np.zeros(0, bool)
    inside = [kernel.demean_by_site(values, site) + values.mean() if values.size else values for values in (a, b)]
    curve = curve_with_band(
        inside[0][several], inside[1][several], np.unique(site[several], return_inverse=True)[1], points, fraction, how
    )
    own = {name: coord.variable for name, coord in events.coords.items() if coord.dims == ("event",)}
    coords = {name: coord.isel(event=known) for name, coord in own.items()}
    out = xr.Dataset({name: ((), value) for name, value in numbers.items()}).assign(
        x=("event", a, x.attrs | _name(x)),
        y=("event", b, y.attrs | _name(y)),
        x_within=("event", inside[0], x.attrs | _name(x)),
        y_within=("event", inside[1], y.attrs | _name(y)),
        curve_x=("point", curve.x),
        curve=("point", curve.y[0], {"long_name": "LOWESS"}),
        curve_lower=("point", curve.y[1]),
        curve_upper=("point", curve.y[2]),
    )
    sites = int(np.unique(site[several]).size)
    settings = {"confidence": confidence, "n_boot": n_boot, "seed": seed}
    return alignment.dataset_of(out.variables, coords).assign_attrs(settings, fraction=fraction, sites=sites)


def _name(da: xr.DataArray) -> dict[str, str]:
    return {"long_name": str(da.attrs.get("long_name") or da.name or "value")}


def _numbers(a: np.ndarray, b: np.ndarray, site: np.ndarray, year: np.ndarray, how: Resampling) -> dict[str, float]:
    """Correlations and slope with their intervals."""
    names = ("spearman", "slope", "pooled_spearman")
    if a.size < 3:
        return {f"{name}{end}": float("nan") for name in names for end in ("", "_lower", "_upper")} | {
            "p_value": np.nan
        }
    rank_a, rank_b = kernel.ranks(a), kernel.ranks(b)
    result: dict[str, float] = dict(
        zip(
            ("spearman", "spearman_lower", "spearman_upper", "p_value"),
            kernel.association_within(rank_a, rank_b, site, year, how.confidence),
            strict=True,
        )
    )
    pooled = kernel.site_sums(rank_a, rank_b, site)
    raw = kernel.demeaned_sums(kernel.site_sums(a - a.mean(), b - b.mean(), site))
    weights = bootstrap_weights(len(pooled), how.n_boot, how.rng(2))
    for name, sums, measure in zip(names[1:], (raw, pooled), (kernel.slope, kernel.correlation), strict=True):
        low, high = how.interval(measure(sums, weights))
        middle = float(measure(sums, np.ones(len(sums))))
        result |= {name: middle, f"{name}_lower": float(low), f"{name}_upper": float(high)}
    return result


@public
def site_synchrony(
    x: xr.DataArray,
    y: xr.DataArray,
    events: xr.Dataset,
    *,
    min_events: int = 5,
    permutations: int = 1000,
    confidence: float = 0.95,
    n_boot: int = 1000,
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
    n_boot : int
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
    >>> result = site_synchrony(x, y, events, min_events=3)
    >>> result.spearman.values
    array([ 1. , -0.5,  nan])
    >>> float(result.share)
    0.5
    """
    how = Resampling(confidence, n_boot, seed).checked()
    if min_events < 3:
        raise ValueError(f"min_events={min_events!r}; a rank correlation needs 3 events")
    require_fit(events, x=x, y=y)
    order = rows_in_order(events)
    events, x, y = events.isel(event=order), x.isel(event=order), y.isel(event=order)
    place = place_of_events(events)
    names, first, site = np.unique(place.to_numpy(), return_index=True, return_inverse=True)
    a, b = (values.to_numpy().astype("float64") for values in (x, y))
    both = np.isfinite(a) & np.isfinite(b)
    count = np.bincount(site[both], minlength=names.size)
    kept = both & (count >= min_events)[site]
    rho, p_value, chance = _by_site(a[kept], b[kept], site[kept], names.size, permutations, how)
    signs = _positive(rho)
    there = np.isfinite(rho)
    share = float(signs[there].mean()) if there.any() else float("nan")
    weights = bootstrap_weights(int(there.sum()), how.n_boot, how.rng(1))
    samples = weights @ signs[there] / max(1, int(there.sum())) if there.any() else np.full(how.n_boot, np.nan)
    lower, upper = how.interval(samples)
    share_p = (1 + np.sum(chance >= share - 1e-12)) / (1 + permutations) if there.any() else np.nan
    dim = str(place.name)
    coords = {name: (dim, events[name].to_numpy()[first]) for name in ("lat", "lon") if name in events.coords}
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
    ).assign_attrs(min_events=min_events, permutations=permutations, confidence=confidence, n_boot=n_boot, seed=seed)


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
