"""Mean and standard deviation of the training part, applied to and taken back from labelled data."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from xdrought import checks, limits
from xdrought.calendars import check_mask
from xdrought.public_functions import public

__all__ = ["Scaling", "fit_scaling"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """One mean and one standard deviation for each variable.

    Parameters
    ----------
    mean, std : xarray.DataArray
        (variable,) float64, in the units of the variables; `std` is 1 where a variable is constant.
    constant : tuple of str
        Variables that were constant in the training part.
    """

    mean: xr.DataArray
    std: xr.DataArray
    constant: tuple[str, ...] = ()

    def apply(self, ds: xr.Dataset) -> xr.Dataset:
        """Scale the known variables of `ds`; the others are as they were. Lazy for dask."""
        known = self.mean.indexes["variable"]
        return ds.assign({name: self.forward(ds[name]) for name in ds.data_vars if name in known})

    def forward(self, da: xr.DataArray) -> xr.DataArray:
        """(values - mean) / std of the variable that `da` is named after."""
        mean, std = self._of(da.name)
        return ((da - mean) / std).assign_attrs({**da.attrs, "units": "1"})

    def forward_values(self, values: np.ndarray, name: Hashable) -> np.ndarray:
        """Plain values of the variable `name`, scaled."""
        mean, std = self._of(name)
        return (values - mean) / std

    def invert(self, da: xr.DataArray, name: Hashable | None = None) -> xr.DataArray:
        """Scaled values of the variable `name` back in its units, without attributes."""
        mean, std = self._of(da.name if name is None else name)
        return da * std + mean

    def without(self, name: Hashable) -> Scaling:
        """The same with a variable that is left as it is."""
        other = self.mean["variable"] != name
        return replace(self, mean=self.mean.where(other, 0.0), std=self.std.where(other, 1.0))

    def _of(self, name: Hashable | None) -> tuple[float, float]:
        if name not in self.mean.indexes["variable"]:
            known = list(self.mean.indexes["variable"])
            raise KeyError(f"no statistics of {name!r}; there are those of {known}")
        return self.mean.sel(variable=name).item(), self.std.sel(variable=name).item()


@public
def fit_scaling(
    ds: xr.Dataset, variables: Sequence[Hashable] | None = None, *, train: xr.DataArray | None = None
) -> Scaling:
    """Mean and standard deviation of each variable over all sites, cells and training days.

    Parameters
    ----------
    ds : xarray.Dataset
        Any dimensions. Dask is computed block by block, one variable at a time.
    variables : sequence of hashable, optional
        By default all.
    train : boolean xarray.DataArray, optional
        True where values may be used, e.g. (site, time) from :meth:`xdrought.splits.Splits.training_days`.
        Without it everything is used, which leaks the test part.

    Returns
    -------
    Scaling
        In float64; missing and infinite values are left out.

    Raises
    ------
    TypeError
        For a mask that is not boolean.
    ValueError
        For a variable without any finite training value.

    Warns
    -----
    UserWarning
        For a variable that is constant in the training part: it is only shifted.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.scaling import fit_scaling
    >>> ds = xr.Dataset({"tp": ("time", [1.0, 3.0, 100.0])})
    >>> scaling = fit_scaling(ds, train=xr.DataArray([True, True, False], dims="time"))
    >>> scaling.apply(ds).tp.values
    array([-1.,  1., 98.])
    """
    if train is not None and train.dtype != bool:
        raise TypeError(f"train has dtype {train.dtype}; a training mask is boolean, True where it trains")
    names = list(ds.data_vars) if variables is None else list(variables)
    stats = np.array([_statistics(ds[name], train) for name in names]).reshape(-1, 2)
    # below this the spread is rounding error of the mean
    flat = stats[:, 1] <= 1e-9 * np.abs(stats[:, 0])
    constant = tuple(str(name) for name, is_flat in zip(names, flat, strict=True) if is_flat)
    if constant:
        checks.warn(
            f"{list(constant)} are constant in the training part; they are shifted to 0, not scaled, and tell the "
            f"network nothing"
        )
    mean, std = stats[:, 0], np.where(flat, 1.0, stats[:, 1])
    return Scaling(
        xr.DataArray(mean, {"variable": names}, ("variable",), "mean", {"long_name": "mean of the training part"}),
        xr.DataArray(std, {"variable": names}, ("variable",), "std", {"long_name": "standard deviation of it"}),
        constant,
    )


def _statistics(da: xr.DataArray, train: xr.DataArray | None) -> tuple[float, float]:
    da = limits.check(da, codes_only=True)  # changes of soil moisture are below 0 too
    if train is not None and set(train.dims) <= set(da.dims) and set(train.dims) <= set(train.indexes):
        train = check_mask(train, da)
    used = da if train is None else da.where(train)
    if used.chunks is None:
        values = used.to_numpy()
        values = values[np.isfinite(values)].astype("float64")
        mean, std = (float(values.mean()), float(values.std())) if values.size else (np.nan, np.nan)
    else:
        mean, std = _blockwise(used)
    if np.isnan(mean):
        part = "" if train is None else " in the training part"
        raise ValueError(f"{da.name!r} has no finite value{part}; leave it out or fill it")
    return mean, std


def _blockwise(da: xr.DataArray) -> tuple[float, float]:
    """The same of dask blocks, without holding the whole."""
    import dask

    finite = da.astype("float64").where(np.isfinite(da))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no finite value: told by the caller
        mean, std = dask.compute(finite.mean(), finite.std())
    return float(mean), float(std)
