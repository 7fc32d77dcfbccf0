"""What the causality of a site may be, where soil moisture was never measured: from its weather and position."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

PENALTIES = 10.0 ** np.arange(-3, 4)  # of the ridge regression, times the number of sites


def predicted_degree(
    degree: xr.Dataset, drivers: xr.Dataset, *, known: xr.DataArray, time: Hashable = "time"
) -> xr.Dataset:
    """The causality degree of sites without soil moisture, expected from their weather and position.

    A ridge regression over the known sites, on the mean and standard deviation of every driver over the record (and
    the patch) and on the position, as a point on the unit sphere. All are standardised, as is each number of the
    degree. The penalty is the one with the least squared error when each known site is left out in turn.

    Parameters
    ----------
    degree : xarray.Dataset
        `rho` and `p_value` on (site, variable, cell) with the coordinates `lat` and `lon` on site; values at unknown
        sites are not read.
    drivers : xarray.Dataset
        Weather of all sites, (site, time[, patch_lat, patch_lon]).
    known : boolean xarray.DataArray
        (site), True where the degree may be used.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        `degree`, with the expected values at the other sites, kept within -1 to 1 and 0 to 1.

    Raises
    ------
    ValueError
        Without `lat` and `lon`, or with fewer than three known sites.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.study.predicted_degree import predicted_degree
    >>> warmth = np.linspace(0, 1, 8)
    >>> coords = {"site": range(8), "time": pd.date_range("2001-01-01", periods=2), "variable": ["t2m"]}
    >>> t2m = xr.DataArray(np.stack([warmth, warmth + 1], axis=1), dims=("site", "time"))
    >>> rho = (("site", "variable", "cell"), 0.5 * warmth[:, None, None])
    >>> degree = xr.Dataset({"rho": rho, "p_value": rho}, coords).assign_coords(
    ...     lat=("site", np.full(8, 47.0)), lon=("site", np.full(8, 11.0))
    ... )
    >>> found = predicted_degree(degree, t2m.to_dataset(name="t2m"), known=degree.site != 4)
    >>> bool(abs(found.rho.sel(site=4).item() - degree.rho.sel(site=4).item()) < 0.01)
    True
    """
    caller = "predicted_degree"
    if not {"lat", "lon"} <= set(degree.coords):
        raise ValueError(f"{caller}: the sites have no lat and lon; assign them as coordinates")
    is_known = known.sel(site=degree["site"]).values
    if is_known.sum() < 3:
        raise ValueError(f"{caller}: {int(is_known.sum())} known sites; a regression needs at least three")
    x = _site_descriptors(drivers.sel(site=degree["site"]), degree["lat"].values, degree["lon"].values, time)
    found = {}
    for name, lowest in (("rho", -1.0), ("p_value", 0.0)):
        values = degree[name].transpose("site", ...)
        y = values.values.reshape(len(x), -1)
        expected = np.clip(_ridge(x[is_known], y[is_known], x), lowest, 1.0)
        y = np.where(is_known[:, None], y, expected)
        found[name] = values.copy(data=y.reshape(values.shape)).transpose(*degree[name].dims)
    return degree.assign(found)


def _site_descriptors(drivers: xr.Dataset, lat: np.ndarray, lon: np.ndarray, time: Hashable) -> np.ndarray:
    """(site, descriptor): what is known of a site without measuring soil moisture there."""
    columns = []
    for da in drivers.data_vars.values():
        over = [dim for dim in da.dims if dim != "site"]
        columns += [da.mean(over).values, da.std(over).values]
    lat, lon = np.deg2rad(lat), np.deg2rad(lon)
    columns += [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]
    return np.stack(columns, axis=1)


def _ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Regression of y (site, column) on x (site, descriptor), both standardised, at `new`."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-9 * (1 + np.abs(mean))] = np.inf  # what does not vary says nothing
    z, level, scale = (x - mean) / spread, y.mean(axis=0), y.std(axis=0)
    target = (y - level) / np.where(scale > 0, scale, 1.0)
    errors = []
    for penalty in PENALTIES * len(x):  # each site left out: its residual over one less its leverage
        hat = 1 / len(x) + z @ np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T)
        left_out = (target - hat @ target) / (1 - np.diag(hat))[:, None]
        errors.append(float((left_out**2).mean()))
    best = PENALTIES[int(np.argmin(errors))] * len(x)
    weights = np.linalg.solve(z.T @ z + best * np.eye(z.shape[1]), z.T @ target)
    return level + scale * ((new - mean) / spread @ weights)
