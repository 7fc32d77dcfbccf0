"""Ways to say how strongly each driver bears on the target, all filling one labelled matrix of (rho, p_value).

A method is called with the training part only, ``method(drivers, target, direction=..., time=..., **options)``:
`drivers` is a dict of DataArrays with a `cell` dimension, `target` a DataArray. It returns a Dataset of `rho` and
`p_value` (and more if it likes) on `variable` and `cell` and, as far as they differ, the target's other dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.causality import pairs
from xdrought.causality.cross_mapping import ccm
from xdrought.causality.gain import driver_gain
from xdrought.causality.gain_inputs import Groups
from xdrought.causality.spatial_mapping import gccm

Method = Callable[..., xr.Dataset]
Drivers = Mapping[Hashable, xr.DataArray]


def by_spatial_mapping(
    drivers: Drivers,
    target: xr.DataArray,
    *,
    direction: str,
    time: Hashable,
    lat: Hashable = "lat",
    lon: Hashable = "lon",
    **options: object,
) -> xr.Dataset:
    """Skill of :func:`xdrought.gccm` between the maps of training means; one value for the region in all its cells."""
    known = target.notnull()  # the same days for both
    means = {name: da.where(known).mean([time]) for name, da in drivers.items()}
    region = gccm(means, target.mean([time]), direction=direction, lat=lat, lon=lon, **options)  # type: ignore[arg-type]
    place = xr.ones_like(target.isel({time: 0}, drop=True), dtype=bool).drop_attrs()
    return region.broadcast_like(place).assign_coords({dim: place[dim] for dim in (lat, lon) if dim in place.coords})


def by_driver_gain(
    drivers: Drivers,
    target: xr.DataArray,
    *,
    direction: str,
    time: Hashable,
    groups: Groups | None = None,
    lags: int = 5,
    flips: int = 999,
    seed: int = 0,
) -> xr.Dataset:
    """What each driver adds to the prediction of soil moisture, given the others: :func:`xdrought.driver_gain`.

    `rho` is the root of the gain, which is like a partial correlation out of sample, and 0 where there is none. The
    members of a group share its numbers. Asked of drivers only: "cause_to_effect".
    """
    if direction != pairs.FORWARD:
        raise ValueError(
            f'direction={direction!r}; the gain is of drivers, given all the others: use direction="{pairs.FORWARD}"'
        )
    gains = driver_gain(drivers, target, groups=groups, lags=lags, flips=flips, seed=seed, time=time, fdr=None)
    test_of = {member: name for name, members in (groups or {}).items() for member in members}
    gains = gains[["gain", "p_value", "redundancy", "n_days"]].sel(variable=[test_of.get(v, v) for v in drivers])
    gains = gains.assign_coords(variable=list(drivers), direction=direction)
    return gains.assign(rho=np.sqrt(gains["gain"].clip(min=0)))


def by_lagged_correlation(
    drivers: Drivers, target: xr.DataArray, *, direction: str, time: Hashable, max_lag: int = 30
) -> xr.Dataset:
    """Pearson correlation with the driver at the lead of 0 to `max_lag` steps where it is strongest.

    "effect_to_cause" lets the target lead. The p-value is Bonferroni's over the lags tried, and takes days as
    independent; `lag` is the lead that was chosen.
    """
    max_lag = checks.require_integer(max_lag, "max_lag", 0)
    return _by_pairs(drivers, target, direction, time, _strongest_lag, ("rho", "p_value", "lag"), max_lag=max_lag)


def by_mutual_information(
    drivers: Drivers, target: xr.DataArray, *, direction: str, time: Hashable, bins: int = 8, lag: int = 0
) -> xr.Dataset:
    """Mutual information of ranks in `bins` classes of equal size, as the correlation of normal variables that has it.

    `rho` is ``sqrt(1 - exp(-2 I))``, 0 to 1; `mutual_information` I is in nats. The p-value is that of the G-test,
    which takes days as independent. The driver leads by `lag` steps ("effect_to_cause": the target does). Equal values
    share a class, so half a year of zero rain makes classes of unequal size.
    """
    bins, lag = (checks.require_integer(v, n, least) for v, n, least in ((bins, "bins", 2), (lag, "lag", 0)))
    names = ("rho", "p_value", "mutual_information")
    return _by_pairs(drivers, target, direction, time, _binned_information, names, bins=bins, lag=lag)


def _by_pairs(
    drivers: Drivers,
    target: xr.DataArray,
    direction: str,
    time: Hashable,
    function: Callable[..., tuple[float, ...]],
    names: tuple[str, ...],
    **options: int,
) -> xr.Dataset:
    """`function` (leading, following) of each driver and the target, one series at a time, in the directions asked."""

    def block(leading: np.ndarray, following: np.ndarray) -> tuple[np.ndarray, ...]:
        shape = np.broadcast_shapes(leading.shape, following.shape)
        pair = (np.broadcast_to(v, shape).reshape(-1, shape[-1]).astype(np.float64) for v in (leading, following))
        rows = [function(*series, **options) for series in zip(*pair, strict=True)]
        values = np.array(rows, dtype=np.float64).reshape(*shape[:-1], len(names))
        return tuple(np.moveaxis(values, -1, 0))

    def of_pair(leading: xr.DataArray, following: xr.DataArray) -> xr.Dataset:
        arrays = xr.apply_ufunc(
            block,
            leading,
            following,
            input_core_dims=[[time], [time]],
            output_core_dims=[[]] * len(names),
            dask="parallelized",
            output_dtypes=[np.float64] * len(names),
        )
        return xr.Dataset(dict(zip(names, arrays, strict=True))).drop_attrs()

    by_way = []
    for way in pairs.DIRECTIONS[direction]:
        series = [(driver, target) if way == pairs.FORWARD else (target, driver) for driver in drivers.values()]
        by_driver = xr.concat([of_pair(*pair) for pair in series], "variable")
        by_way.append(by_driver.assign_coords(variable=list(drivers), direction=way))
    return by_way[0] if len(by_way) == 1 else xr.concat(by_way, "direction")


def _strongest_lag(leading: np.ndarray, following: np.ndarray, *, max_lag: int) -> tuple[float, float, float]:
    """Correlation of the largest size over lags 0 to `max_lag`, its p-value for so many tries, and the lag."""
    from xdrought.kernels.cross_map import pearson, pearson_p_value, shift

    lags = np.arange(min(max_lag, leading.size - 1) + 1)
    moved = np.stack([shift(leading, -int(lag)) for lag in lags])
    rho, n = pearson(moved, np.broadcast_to(following, moved.shape))
    if not np.isfinite(rho).any():
        return np.nan, np.nan, np.nan
    best = int(np.nanargmax(np.abs(rho)))
    return rho[best], min(float(pearson_p_value(rho[best], n[best])) * lags.size, 1.0), float(lags[best])


def _binned_information(
    leading: np.ndarray, following: np.ndarray, *, bins: int, lag: int
) -> tuple[float, float, float]:
    """Correlation of equal information, p-value of the G-test, and information in nats."""
    from scipy.stats import chi2_contingency

    from xdrought.kernels.cross_map import shift

    leading = shift(leading, -lag)
    both = np.isfinite(leading) & np.isfinite(following)
    if both.sum() < bins:
        return np.nan, np.nan, np.nan
    classes = [_rank_classes(series[both], bins) for series in (leading, following)]
    table = np.zeros((bins, bins))
    np.add.at(table, tuple(classes), 1)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:  # a constant tells nothing
        return np.nan, np.nan, np.nan
    test = chi2_contingency(table, correction=False, lambda_="log-likelihood")
    information = max(test.statistic, 0.0) / (2 * both.sum())
    return float(np.sqrt(-np.expm1(-2 * information))), float(test.pvalue), information


def _rank_classes(values: np.ndarray, bins: int) -> np.ndarray:
    """Class 0 to bins - 1 by mean rank, so that equal values are in one class."""
    from scipy.stats import rankdata

    return np.minimum(((rankdata(values) - 0.5) * bins / values.size).astype(int), bins - 1)


METHODS: dict[str, Method] = {
    "ccm": ccm,
    "gccm": by_spatial_mapping,
    "driver_gain": by_driver_gain,
    "lagged_correlation": by_lagged_correlation,
    "mutual_information": by_mutual_information,
}


def find_method(method: str | Method) -> Method:
    """The function behind a name, or the user's own."""
    if callable(method):
        return method
    if method not in METHODS:
        raise ValueError(f"method={method!r} is unknown; choose one of {list(METHODS)} or give a function")
    return METHODS[method]


def check_causality(causality: object, drivers: Drivers) -> xr.Dataset:
    """What a method gave: rho and p_value for every driver and cell."""
    if not isinstance(causality, xr.Dataset):
        raise TypeError(f"the method gave a {type(causality).__name__}; it must give an xarray.Dataset")
    if missing := [name for name in ("rho", "p_value") if name not in causality]:
        raise ValueError(f"the method gave no {missing}; it gave {sorted(map(str, causality.data_vars))}")
    for name in ("rho", "p_value"):
        if lacking := [dim for dim in ("variable", "cell") if dim not in causality[name].dims]:
            raise ValueError(f"the method's {name} has no dimension {lacking}; it is on {causality[name].dims}")
    names = causality["variable"].values.tolist() if "variable" in causality.coords else []
    if names != list(drivers):
        raise ValueError(f"the method gave the variables {names}, not the drivers {list(drivers)} in order")
    return causality
