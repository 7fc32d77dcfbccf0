"""Causality degree: what the network is told about each site's drivers, from the training part only."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.calendars import Period, as_slice, check_mask, in_period
from xdrought.causality import pairs
from xdrought.causality.methods import Method, check_causality, find_method
from xdrought.causality.pairs import Cause
from xdrought.choices import CausalityMethod, Direction
from xdrought.provenance import recorded
from xdrought.public_functions import public


@public
@recorded
def causality_degree(
    drivers: Cause,
    target: xr.DataArray,
    *,
    train: Period,
    method: CausalityMethod | Method = "ccm",
    direction: Direction = "cause_to_effect",
    time: Hashable = "time",
    patch_dims: tuple[Hashable, Hashable] = ("patch_lat", "patch_lon"),
    **options: Any,
) -> xr.Dataset:
    """Causality degree: skill and p-value of each driver in the cells nearest to a site, from the training part.

    Parameters
    ----------
    drivers : xarray.Dataset (or DataArray, dict, list)
        Driver series, e.g. (site, time[, patch_lat, patch_lon]). Of a patch the four central cells are taken (the
        one central cell for odd sizes); tower data without a patch are one cell.
    target : xarray.DataArray
        Soil moisture, e.g. (site, time).
    train : slice, (start, end) or boolean xarray.DataArray
        The training part: dates, or True on the target's training days (time and any of its other dimensions).
        Nothing outside is used. ``slice(None)`` takes the whole record, which leaks the test part.
    method : {"ccm", "gccm", "driver_gain", "lagged_correlation", "mutual_information"} or callable
        What fills the matrix. "ccm" is the paper's. "gccm" maps the training means of a grid on each other and gives
        all cells the region's value. "driver_gain" is the root of what each driver adds to the prediction of the
        daily change given the others, with its p-value (options `groups`, `lags`, `flips`, `seed`).
        "lagged_correlation" is that at the lead of the driver where it is strongest (option `max_lag`, 30 steps);
        "mutual_information" is given as the correlation of normal variables that has it (options `bins`, 8, and `lag`,
        0). For a function see Notes.
    direction : {"cause_to_effect", "effect_to_cause", "both"}
        The paper's is the first: weather drives soil moisture.
    time : hashable
        The time dimension.
    patch_dims : (hashable, hashable)
        Names of the patch's dimensions, north-south first.
    **options
        For the method. Those of "ccm" are the keywords of :func:`xdrought.ccm`, whose defaults are the paper's:
        E = 2, tau = 1, raw p-value.

    Returns
    -------
    xarray.Dataset
        `rho`, `p_value` and what else the method gives (for "ccm" `n_pairs`, `tied_fraction` and those of the
        surrogate test) on the target's dimensions without time, `variable` and `cell` (row-major); lazy for dask.

    Raises
    ------
    TypeError
        For a training mask that is not boolean, options that the method does not have, or a method that gives no
        Dataset.
    ValueError
        As :func:`xdrought.ccm`, when only one patch dimension is there, for an unknown method, or one that does not
        give `rho` and `p_value` of every driver and cell.

    Notes
    -----
    A function of one's own is called as ``method(drivers, target, direction=..., time=..., **options)`` with the
    training part only: `drivers` is a dict of DataArrays with a `cell` dimension, `target` a DataArray, which is NaN
    outside a training mask. It returns a Dataset of `rho` and `p_value` on `variable`, `cell` and, as far as
    they differ, the target's other dimensions.

    References
    ----------
    Tang et al. 2025, section 3.3.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.causality import causality_degree, degree_vector
    >>> rng, time = np.random.default_rng(0), pd.date_range("2001-01-01", periods=200)
    >>> rain = xr.DataArray(rng.random((1, 200, 10, 10)), dims=("site", "time", "patch_lat", "patch_lon"))
    >>> drivers = xr.Dataset({"tp": rain}, {"time": time})
    >>> soil = xr.DataArray(rng.random((1, 200)), {"time": time}, ("site", "time"), name="soil_moisture")
    >>> degree = causality_degree(drivers, soil, train=("2001-01-01", "2001-05-20"))
    >>> dict(degree.rho.sizes), dict(degree_vector(degree).sizes)
    ({'site': 1, 'variable': 1, 'cell': 4}, {'site': 1, 'causal': 8})
    """
    checks.require_choice(direction, "direction", pairs.DIRECTIONS)
    causes = pairs.collect_causes(drivers)
    names = causes.names or (causes.arrays[0].name or "driver",)
    for da in (target, *causes.arrays):
        pairs.check_series(da, time)
    causes, target = pairs.match(causes, target)
    cells = [_nearest_cells(da, patch_dims) for da in causes.arrays]
    if not any("cell" in da.dims for da in cells):
        cells = [da.expand_dims("cell", axis=-1) for da in cells]
    target, cells = _training_part(target, cells, train, time)
    named = dict(zip(names, cells, strict=True))
    causality = find_method(method)(named, target, direction=direction, time=time, **options)
    causality = check_causality(causality, named)
    causality = causality.assign_coords(cell=np.arange(causality.sizes["cell"]))
    name = method if isinstance(method, str) else getattr(method, "__name__", "function")
    return causality.transpose(..., "variable", "cell").assign_attrs(causality.attrs, method=name)


def _nearest_cells(da: xr.DataArray, patch_dims: tuple[Hashable, Hashable]) -> xr.DataArray:
    """The central cells of a patch on `cell`, row-major: four where both sizes are even."""
    present = [dim for dim in patch_dims if dim in da.dims]
    if not present:
        return da
    if len(present) == 1:
        raise ValueError(
            f"{da.name!r} has {present[0]!r} but not both of {list(patch_dims)}, among {list(da.dims)}; name both, "
            f"patch_dims=({present[0]!r}, ...), or choose along it, .isel({present[0]}=0)"
        )
    centre = [np.arange((da.sizes[dim] - 1) // 2, da.sizes[dim] // 2 + 1) for dim in patch_dims]
    rows, columns = (index.ravel() for index in np.meshgrid(*centre, indexing="ij"))
    return da.isel({patch_dims[0]: xr.DataArray(rows, dims="cell"), patch_dims[1]: xr.DataArray(columns, dims="cell")})


def _training_part(
    target: xr.DataArray, drivers: list[xr.DataArray], train: Period, time: Hashable
) -> tuple[xr.DataArray, list[xr.DataArray]]:
    """Both cut to the training dates, or both without a value outside the mask."""
    if isinstance(train, xr.DataArray):
        mask = check_mask(train, target)
        return target.where(mask), [da.where(mask) for da in drivers]
    period = as_slice(train)
    return in_period(target, period, time), [da.sel({time: period}) for da in drivers]


@public
@recorded
def degree_vector(causality: xr.Dataset, *, fill_missing: bool = True) -> xr.DataArray:
    """A causality degree as the vector that the network takes: all correlations, then all p-values.

    Parameters
    ----------
    causality : xarray.Dataset
        From :func:`xdrought.causality_degree`, of one direction or of both.
    fill_missing : bool
        Put rho = 0 and p = 1, no evidence, where a constant or empty series left NaN.

    Returns
    -------
    xarray.DataArray
        (..., causal), ``2 * n_variables * n_cells`` long, variable-major and cell-minor in each half, with coords
        `quantity`, `variable` and `cell` on `causal`. Of both directions it is twice as long (192 numbers of twelve
        drivers in four cells): in each half all of the first direction, then all of the second.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.causality import degree_vector
    >>> rho = xr.DataArray([[0.4, 0.5], [0.1, 0.2]], {"variable": ["t2m", "tp"], "cell": [0, 1]})
    >>> degree_vector(xr.Dataset({"rho": rho, "p_value": rho / 10})).values
    array([0.4 , 0.5 , 0.1 , 0.2 , 0.04, 0.05, 0.01, 0.02])
    """
    checks.require_variables(causality, ("rho", "p_value"), "the causality degree lacks", "xdrought.causality_degree")
    along = [dim for dim in ("direction", "variable", "cell") if dim in causality["rho"].dims]
    halves = []
    for quantity, none in (("rho", 0.0), ("p_value", 1.0)):
        half = causality[quantity].transpose(..., *along)
        half = half.fillna(none) if fill_missing else half
        flat = half.stack(causal=along, create_index=False)
        halves.append(flat.assign_coords(quantity=("causal", [quantity] * flat.sizes["causal"])))
    vector = xr.concat(halves, "causal", coords="minimal", compat="override", combine_attrs="drop")
    return vector.rename("causality_degree").assign_attrs(long_name="causality degree", units="1")
