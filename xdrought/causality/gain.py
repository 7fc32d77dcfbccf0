"""Which drivers predict the change of soil moisture better than all the others do: the gain of each, out of sample."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.causality.gain_inputs import GainPlan, Groups, make_plan, warn_of_drivers
from xdrought.causality.pairs import Cause, warn_without_skill
from xdrought.causality.significance import with_adjusted
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics.hypothesis_tests import Fdr

if TYPE_CHECKING:
    from xdrought.kernels.prediction_gain import GainSettings

REDUNDANT = 0.9  # share of a driver's anomaly that the others explain, above which they hide each other
LABELS = {
    "gain": "share of the error of the predicted change of soil moisture that the driver removes, given the others",
    "p_value": "one-sided p-value of the gain: the driver predicts nothing that the others do not",
    "n_days": "days whose change is predicted",
    "redundancy": "share of the variance of the driver's anomaly that the other drivers explain",
    "conditioned_on": "whether the driver is among the others that the gain is beyond",
}


@public
@recorded
def driver_gain(
    drivers: Cause,
    soil_moisture: xr.DataArray,
    *,
    groups: Groups | None = None,
    lags: int = 5,
    where: xr.DataArray | None = None,
    fdr: Fdr | None = "bh",
    fdr_dim: Hashable | Iterable[Hashable] | None = None,
    flips: int = 999,
    seed: int = 0,
    time: Hashable = "time",
) -> xr.Dataset:
    """Which drivers act on soil moisture, given all the others: what each adds to the prediction of its daily change.

    A driver is listed when knowing it, on top of all other drivers given, the season and the wetness of the day
    before, predicts the change of soil moisture better on days that were not used for fitting. This is evidence for a
    direct influence *among the drivers given*. It is not proof: an omitted driver can stand behind it, two
    near-identical drivers hide each other (group them), and a driver that is not listed may still act weakly.

    Parameters
    ----------
    drivers : xarray.Dataset, dict or list of xarray.DataArray, or one xarray.DataArray
        All candidate drivers together, in any units, daily, with a time dimension. Each is tested given all others.
    soil_moisture : xarray.DataArray
        Daily soil moisture in any units, e.g. (site, time) or (time, lat, lon). Other dimensions broadcast against
        those of the drivers; shared ones must have the same labels. With dask, time must be one chunk; the result is
        lazy, one task a block.
    groups : mapping of str to sequence of names, optional
        Drivers that are tested together, e.g. ``{"temperature": ["t2m", "mx2t"]}``. The group takes the place of its
        members in the result.
    lags : int
        Days before the change, 0 to this one, on which a driver may act.
    where : boolean xarray.DataArray, optional
        True on the days whose change is predicted, e.g. soil above freezing; time and any dimensions of the series.
        What the drivers did on the days before is taken from the whole record.
    fdr : {"bh", "by", "holm", None}
        How p-values are adjusted for the number of tests; see :func:`xdrought.false_discovery_control`.
    fdr_dim : hashable or iterable of hashable, optional
        Dimensions of the result that form one family of tests; by default all.
    flips : int
        Random signs of the test, 19 or more; the smallest p-value is ``1 / (flips + 1)``.
    seed : int
        Seed of the random signs; the draws do not depend on chunks.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        On `variable` (groups and single drivers, in the order given) and the broadcast dimensions without time:
        `gain`, the share of the error that the driver removes, below zero where it only adds noise; `p_value`,
        one-sided; `p_value_adjusted`, unless `fdr` is None; `n_days`, the days used; `redundancy`, the share of the
        variance of the driver's anomaly that the others explain on the same day; and `conditioned_on` with a further
        dimension `driver`, True for the drivers that the model held beside the tested one. Gain, p-value and
        redundancy are NaN where a driver has less than a year of values, is constant, or where fewer than 300 days are
        left; such a driver is not held against the others.

    Raises
    ------
    TypeError
        For anything but numbers in DataArrays, a mask that is not boolean, or groups that are no mapping.
    ValueError
        For axes that differ, time in chunks or without dates, irregular steps or steps under a day, unknown or
        repeated members of groups, or settings out of range.

    Warns
    -----
    UserWarning
        For responses among the drivers (evaporation, latent heat, a modelled soil's water), by name or
        ``standard_name``: they share the water balance, and every method calls them causes. For records shorter than
        three years. For a soil temperature that reaches freezing (or may, with dask) without `where`. When computed,
        for drivers of which the others explain more than 90 %.

    Notes
    -----
    Days with any missing value are left out and nothing is glued. Anomalies are departures from a mean and four
    harmonics of the year. The change of a day is predicted by a ridge regression with Huber's weights on the season,
    powers of the wetness of the day before, both together, and the anomaly of each driver at each lag, alone and times
    that wetness, and its means over lags times the season; a soil temperature (by name or ``standard_name``, with
    units) also by how far it lies between 0 and -2 degC, since frozen soil reads dry. The ridge of a driver is less the
    larger its coefficients are in a first fit. Ten folds of days in a row are predicted by the model of the other nine,
    with and without each driver. The gains, differences of Huber's losses, are summed over blocks of 20 days; the sum
    of their signed ranks is compared with those under random signs. A driver
    whose gain is not positive has the p-value 1.

    The test is conservative: it calls well under 5 % of unrelated drivers. "Not found" is not "no cause". Where a
    driver is missing on some days, all drivers lose those days: leave out one with long gaps.

    References
    ----------
    Clark and West 2007, doi:10.1016/j.jeconom.2006.05.023 (predictions of nested models);
    :doc:`/studies/driver_gain` for its errors and its power.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> import xdrought
    >>> rng, days = np.random.default_rng(0), pd.date_range("2001-01-01", periods=1100)
    >>> rain, wind = rng.gamma(0.3, 8.0, (2, 1100))
    >>> soil = np.zeros(1100)
    >>> for day in range(1, 1100):
    ...     soil[day] = 0.95 * soil[day - 1] + 0.002 * rain[day]
    >>> make = lambda values: xr.DataArray(values, {"time": days})
    >>> result = xdrought.driver_gain({"tp": make(rain), "ws10": make(wind)}, make(soil))
    >>> (result.p_value_adjusted < 0.05).values
    array([ True, False])
    """
    plan = make_plan(drivers, soil_moisture, groups, lags, where, time)
    from xdrought.kernels.prediction_gain import GainSettings

    settings = GainSettings(
        lags=plan.lags,
        flips=checks.require_integer(flips, "flips", 19),
        seed=checks.require_integer(seed, "seed", 0),
        freezing=plan.freezing,
    )
    warn_of_drivers(plan, where)
    result = _map(plan, settings, time)
    warn_without_skill(result["gain"], (soil_moisture, *plan.driver_arrays))
    result = with_adjusted(result, fdr, fdr_dim)
    order = [name for name in ("gain", "p_value", "p_value_adjusted", *LABELS) if name in result]
    return result[list(dict.fromkeys(order))].assign_attrs(
        lags=plan.lags, flips=settings.flips, seed=settings.seed, source="xdrought.driver_gain"
    )


@public
@recorded
def driver_contributions(
    drivers: Cause,
    soil_moisture: xr.DataArray,
    *,
    groups: Groups | None = None,
    lags: int = 5,
    where: xr.DataArray | None = None,
    time: Hashable = "time",
) -> xr.DataArray:
    """How much of each day's predicted change of soil moisture each driver accounts for.

    The model of :func:`xdrought.driver_gain`, of the other folds than the day's, predicts the change with all drivers
    as they were, and with the columns of one of them at their means. The difference is what this driver's departure
    from its usual course adds on that day, given the others. Summed over an onset it says what drove the drought.
    The ridge takes a part of each (a tenth to a third): compare drivers, and close no water
    balance with it.

    Parameters
    ----------
    drivers, soil_moisture, groups, lags, where, time
        As in :func:`xdrought.driver_gain`.

    Returns
    -------
    xarray.DataArray
        On `variable` and the broadcast dimensions, time among them, in the units of soil moisture (a step); NaN on
        days with a missing value, outside `where`, and where :func:`xdrought.driver_gain` has no gain.

    Raises
    ------
    TypeError, ValueError
        As :func:`xdrought.driver_gain`.

    Warns
    -----
    UserWarning
        As :func:`xdrought.driver_gain`, but for redundancy.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> import xdrought
    >>> rng, days = np.random.default_rng(0), pd.date_range("2001-01-01", periods=1100)
    >>> rain, soil = rng.gamma(0.3, 8.0, 1100), np.zeros(1100)
    >>> for day in range(1, 1100):
    ...     soil[day] = 0.95 * soil[day - 1] + 0.002 * rain[day]
    >>> make = lambda values: xr.DataArray(values, {"time": days})
    >>> share = xdrought.driver_contributions({"tp": make(rain)}, make(soil)).sel(variable="tp")
    >>> bool(np.corrcoef(share[10:], 0.002 * rain[10:])[0, 1] > 0.99)
    True
    """
    plan = make_plan(drivers, soil_moisture, groups, lags, where, time)
    from xdrought.kernels.prediction_gain import GainSettings

    warn_of_drivers(plan, where)
    result = xr.apply_ufunc(
        _contributions_of_blocks,
        *plan.arrays,
        kwargs=_block_options(plan, GainSettings(lags=plan.lags, freezing=plan.freezing)),
        input_core_dims=[[time]] * len(plan.arrays),
        output_core_dims=[["variable", time]],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"variable": len(plan.names)}},
        keep_attrs=False,
    )
    attrs = {"long_name": "predicted change of soil moisture that the driver accounts for, given the others"}
    if "units" in soil_moisture.attrs:
        attrs["units"] = soil_moisture.attrs["units"]
    coords = {"variable": list(plan.names), **({time: soil_moisture[time]} if time in soil_moisture.coords else {})}
    return result.assign_coords(coords).rename("contribution").assign_attrs(attrs)


def _map(plan: GainPlan, settings: GainSettings, time: Hashable) -> xr.Dataset:
    """The test of each place; lazy for dask."""
    out = xr.apply_ufunc(
        _gain_of_blocks,
        *plan.arrays,
        kwargs={**_block_options(plan, settings), "names": plan.names},
        input_core_dims=[[time]] * len(plan.arrays),
        output_core_dims=[["variable"], ["variable"], ["variable"], ["variable", "driver"], []],
        dask="parallelized",
        output_dtypes=[np.float64, np.float64, np.float64, np.bool_, np.int64],
        dask_gufunc_kwargs={"output_sizes": {"variable": len(plan.names), "driver": len(plan.drivers)}},
        keep_attrs=False,
    )
    names = ("gain", "p_value", "redundancy", "conditioned_on", "n_days")
    variables = {
        name: da.rename(name).assign_attrs(long_name=LABELS[name], units="1")
        for name, da in zip(names, out, strict=True)
    }
    return xr.Dataset(variables).assign_coords(variable=list(plan.names), driver=list(plan.drivers))


# blocks


def _block_options(plan: GainPlan, settings: GainSettings) -> dict[str, Any]:
    return {"masked": plan.masked, "years": plan.years, "days": plan.days, "groups": plan.groups, "settings": settings}


def _rows(arrays: tuple[np.ndarray, ...], masked: bool) -> tuple[tuple[int, ...], Iterable[tuple[Any, ...]]]:
    """The places' shape, and of each place its index, drivers (driver, time), soil (time,) and mask."""
    shape = np.broadcast_shapes(*(array.shape for array in arrays))[:-1]
    soil, *rest = (np.broadcast_to(array, (*shape, array.shape[-1])) for array in arrays)
    mask = rest.pop(0) if masked else None
    rows = (
        (
            place,
            np.stack([driver[place] for driver in rest]).astype(np.float64),
            soil[place].astype(np.float64),
            None if mask is None else mask[place],
        )
        for place in np.ndindex(shape)
    )
    return shape, rows


def _gain_of_blocks(
    *arrays: np.ndarray, masked: bool, names: tuple[Hashable, ...], **options: Any
) -> tuple[np.ndarray, ...]:
    """Gain, p-value and redundancy (..., variable), what is given (..., variable, driver), and days of each place."""
    from xdrought.kernels.prediction_gain import driver_gain as gain_of_record

    shape, rows = _rows(arrays, masked)
    groups = options["groups"]
    n_drivers = len(arrays) - 1 - masked
    member = np.array([[j in group for j in range(n_drivers)] for group in groups])
    found = np.full((3, *shape, len(groups)), np.nan)
    given, n_days = np.zeros((*shape, len(groups), n_drivers), bool), np.zeros(shape, np.int64)
    for place, drivers, soil, mask in rows:
        result = gain_of_record(drivers, soil, mask, **options)
        found[(slice(None), *place)] = result.gain, result.p_value, result.redundancy
        given[place], n_days[place] = result.used & ~member, result.n_days
    _warn_of_redundancy(found[2], names)
    return found[0], found[1], found[2], given, n_days


def _warn_of_redundancy(redundancy: np.ndarray, names: tuple[Hashable, ...]) -> None:
    """Name the drivers that the others explain almost wholly in some place."""
    rows = redundancy.reshape(-1, len(names))
    high = rows > REDUNDANT
    if high.any():
        listed = [f"{names[i]} ({rows[high[:, i], i].max():.0%})" for i in np.flatnonzero(high.any(axis=0))]
        checks.warn(
            f"the other drivers explain more than {REDUNDANT:.0%} of {', '.join(listed)}; drivers that "
            f"say the same hide each other: leave some out, or test them together with groups="
        )


def _contributions_of_blocks(*arrays: np.ndarray, masked: bool, **options: Any) -> np.ndarray:
    """Contributions (..., variable, time) of arrays (..., time)."""
    from xdrought.kernels.prediction_gain import contributions

    shape, rows = _rows(arrays, masked)
    result = np.empty((*shape, len(options["groups"]), arrays[0].shape[-1]))
    for place, drivers, soil, mask in rows:
        result[place] = contributions(drivers, soil, mask, **options)
    return result
