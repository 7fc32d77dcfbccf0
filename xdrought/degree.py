"""Causality degree: what the network is told about each site's drivers, from the training part only."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

from xdrought import causality_inputs as inputs
from xdrought.causality_inputs import Cause
from xdrought.cross_mapping import ccm
from xdrought.periods import Period, as_slice, check_mask


def causality_degree(
    drivers: Cause,
    target: xr.DataArray,
    *,
    train: Period,
    embedding_dim: int = 2,
    tau: int = 1,
    direction: str = "cause_to_effect",
    exclusion_radius: int | str = 0,
    surrogates: int = 0,
    deseasonalize: bool = True,
    seed: int = 0,
    time: Hashable = "time",
    patch_dims: tuple[Hashable, Hashable] = ("patch_lat", "patch_lon"),
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
    embedding_dim, tau, direction, exclusion_radius, surrogates, deseasonalize, seed, time
        As in :func:`ccm`; the defaults are the paper's: weather drives soil moisture, E = 2, tau = 1, raw p-value.
    patch_dims : (hashable, hashable)
        Names of the patch's dimensions, north-south first.

    Returns
    -------
    xarray.Dataset
        `rho`, `p_value`, `n_pairs`, `tied_fraction` (and those of the surrogate test) on the target's dimensions
        without time, `variable` and `cell` (row-major); lazy for dask.

    Raises
    ------
    TypeError
        For a training mask that is not boolean.
    ValueError
        As :func:`ccm`, or when only one patch dimension is there.

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
    caller = "causality_degree"
    causes = inputs.collect_causes(drivers, caller)
    names = causes.names or (causes.arrays[0].name or "driver",)
    for da in (target, *causes.arrays):
        inputs.check_series(da, time, caller)
    inputs.check_same_labels(causes.arrays, target, caller)
    cells = [_nearest_cells(da, patch_dims, caller) for da in causes.arrays]
    if not any("cell" in da.dims for da in cells):
        cells = [da.expand_dims("cell", axis=-1) for da in cells]
    target, cells = _training_part(target, cells, train, time, caller)
    degree = ccm(
        dict(zip(names, cells, strict=True)),
        target,
        embedding_dim=embedding_dim,
        tau=tau,
        direction=direction,
        exclusion_radius=exclusion_radius,
        surrogates=surrogates,
        deseasonalize=deseasonalize,
        seed=seed,
        time=time,
    )
    degree = degree.assign_coords(cell=np.arange(degree.sizes["cell"]))
    return degree.transpose(..., "variable", "cell").assign_attrs(degree.attrs)


def _nearest_cells(da: xr.DataArray, patch_dims: tuple[Hashable, Hashable], caller: str) -> xr.DataArray:
    """The central cells of a patch on `cell`, row-major: four where both sizes are even."""
    present = [dim for dim in patch_dims if dim in da.dims]
    if not present:
        return da
    if len(present) == 1:
        raise ValueError(f"{caller}: {da.name!r} has {present[0]!r} but not both of {list(patch_dims)}; set patch_dims")
    centre = [np.arange((da.sizes[dim] - 1) // 2, da.sizes[dim] // 2 + 1) for dim in patch_dims]
    rows, columns = (index.ravel() for index in np.meshgrid(*centre, indexing="ij"))
    return da.isel({patch_dims[0]: xr.DataArray(rows, dims="cell"), patch_dims[1]: xr.DataArray(columns, dims="cell")})


def _training_part(
    target: xr.DataArray, drivers: list[xr.DataArray], train: Period, time: Hashable, caller: str
) -> tuple[xr.DataArray, list[xr.DataArray]]:
    """Both cut to the training dates, or the target masked: a map uses only days that the target has."""
    if isinstance(train, xr.DataArray):
        return target.where(check_mask(train, target, caller)), drivers
    period = as_slice(train)
    return target.sel({time: period}), [da.sel({time: period}) for da in drivers]


def degree_vector(degree: xr.Dataset, *, fill_missing: bool = True) -> xr.DataArray:
    """A causality degree as the vector that the network takes: all correlations, then all p-values.

    Parameters
    ----------
    degree : xarray.Dataset
        From :func:`causality_degree`, one direction.
    fill_missing : bool
        Put rho = 0 and p = 1, no evidence, where a constant or empty series left NaN.

    Returns
    -------
    xarray.DataArray
        (..., causal), ``2 * n_variables * n_cells`` long, variable-major and cell-minor in each half, with coords
        `quantity`, `variable` and `cell` on `causal`.

    Raises
    ------
    ValueError
        When there are several directions.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.causality import degree_vector
    >>> rho = xr.DataArray([[0.4, 0.5], [0.1, 0.2]], {"variable": ["t2m", "tp"], "cell": [0, 1]})
    >>> degree_vector(xr.Dataset({"rho": rho, "p_value": rho / 10})).values
    array([0.4 , 0.5 , 0.1 , 0.2 , 0.04, 0.05, 0.01, 0.02])
    """
    if "direction" in degree.dims:
        raise ValueError(
            'degree_vector: the degree has several directions; choose one, degree.sel(direction="cause_to_effect")'
        )
    halves = []
    for quantity, none in (("rho", 0.0), ("p_value", 1.0)):
        half = degree[quantity].transpose(..., "variable", "cell")
        half = half.fillna(none) if fill_missing else half
        flat = half.stack(causal=("variable", "cell"), create_index=False)
        halves.append(flat.assign_coords(quantity=("causal", [quantity] * flat.sizes["causal"])))
    vector = xr.concat(halves, "causal", coords="minimal", compat="override", combine_attrs="drop")
    return vector.rename("causality_degree").assign_attrs(long_name="causality degree", units="1")
