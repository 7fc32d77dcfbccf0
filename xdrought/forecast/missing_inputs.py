"""Missing inputs of windows: the policy by name, the usual year of each driver, and how many values a window lacks."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import calendars
from xdrought.choices import MissingPolicy
from xdrought.forecast.options import MissingInputs
from xdrought.kernels.surrogates import harmonics
from xdrought.windows.labelled import Patches
from xdrought.windows.selection import GRID, INIT, PATCH, SITE

if TYPE_CHECKING:
    from xdrought.windows.filling import Filling
    from xdrought.windows.tensors import ResidentCube

HARMONICS = 2
N_COEFFICIENTS = 1 + 2 * HARMONICS
SHRINKAGE = 30.0  # the season's coefficients count so many days on which they are 0: short records have a flat year
COEFFICIENT = "coefficient"


@dataclass(frozen=True, eq=False)
class FillingRule:
    """How blocks of places fill the missing values of windows; plain arrays, which dask may send.

    Parameters
    ----------
    policy : {"last", "climatology", "interpolate"}
        See :func:`xdrought.windows.filling.fill_windows`.
    basis : numpy.ndarray
        (time, coefficient), from :func:`year_basis`.
    """

    policy: MissingPolicy
    basis: np.ndarray

    def __dask_tokenize__(self) -> tuple:
        return ("xdrought.FillingRule", self.policy, self.basis)

    def filling(self, usual: np.ndarray, device: Any) -> Filling:
        """The rule with the coefficients of some places, laid out as their cube, as tensors."""
        import torch

        from xdrought.windows.filling import Filling

        cycle = torch.from_numpy(np.array(usual, dtype="float32", order="C")).to(device)
        return Filling(self.policy, cycle, torch.from_numpy(self.basis).to(device))


@dataclass(frozen=True, eq=False)
class GivenFilling:
    """How the windows of a training are filled: the rule, the usual year of their places, and the drop-out."""

    rule: FillingRule
    usual: xr.DataArray
    driver_dropout: float = 0.0

    def of(self, cube: ResidentCube, sites: slice | None) -> ResidentCube:
        """The days of some sites with the filling of these sites."""
        usual = self.usual if sites is None else self.usual.isel({SITE: sites})
        return replace(cube, filling=self.rule.filling(usual.to_numpy(), cube.cube.device))


def resolve_filling(missing: MissingInputs, usual: xr.DataArray | None, scaled: Patches) -> GivenFilling | None:
    """How the windows of scaled data are filled; None where they are not.

    Parameters
    ----------
    missing : MissingInputs
        The policy.
    usual : xarray.DataArray or None
        From :func:`fit_usual_year`.
    scaled : Patches
        The windows.
    """
    if usual is None:
        return None
    rule = FillingRule(missing.policy, year_basis(scaled.data.indexes[scaled.time]))
    return GivenFilling(rule, usual_on_places(usual, scaled), missing.driver_dropout)


def year_basis(index: pd.Index) -> np.ndarray:
    """(time, coefficient) float32: one, and the waves of the year on each day."""
    years = (np.asarray(calendars.common_day_of_year(index)) + 0.5) / 365  # type: ignore[arg-type]
    return harmonics(years, HARMONICS).astype("float32")


def fit_usual_year(scaled: Patches, days: xr.DataArray) -> xr.DataArray:
    """The usual year of each driver at each place and cell: a mean and two harmonics of its training days.

    Parameters
    ----------
    scaled : Patches
        Windows of scaled data; dask is computed one driver at a time.
    days : xarray.DataArray
        True on the training days, (places..., time).

    Returns
    -------
    xarray.DataArray
        float32 on (site, coefficient, variable, patch_lat, patch_lon) or (coefficient, variable, lat, lon), in memory:
        least squares of the scaled values, the harmonics shrunk towards 0 as by 30 days on which they are 0. A
        place without a training value takes the mean of the others.
    """
    data, time = scaled.data, scaled.time
    days = days.reset_coords(drop=True)
    basis = year_basis(data.indexes[time]).astype("float64")
    result = xr.concat(
        [_coefficients(data[name], days, basis, time) for name in scaled.drivers],
        pd.Index(scaled.drivers, name="variable"),
    )
    places = [dim for dim in _places(scaled) if dim in result.dims]
    result = result.fillna(result.mean(places)).fillna(0.0).astype("float32")
    return result.transpose(*_layout(scaled)).rename("usual_year")


def _coefficients(da: xr.DataArray, days: xr.DataArray, basis: np.ndarray, time: Hashable) -> xr.DataArray:
    """(..., coefficient) of one driver, NaN where it has no training value."""
    import dask

    other = f"_{COEFFICIENT}"
    waves = xr.DataArray(basis, dims=[time, COEFFICIENT])
    products = xr.DataArray(basis[:, :, None] * basis[:, None, :], dims=[time, COEFFICIENT, other])
    da = da.drop_vars([name for name in da.coords if name not in (SITE, *GRID)]).astype("float64")
    days = days.drop_vars([time])
    known = xr.apply_ufunc(np.isfinite, da, dask="allowed") & days
    sums = xr.dot(known.astype("float64"), products, dim=[time]), xr.dot(da.where(known, 0.0), waves, dim=[time])
    gram, moment = (each.transpose(..., *last) for each, last in zip(dask.compute(*sums), _LAST, strict=True))
    gram_of, penalty = gram.to_numpy().copy(), np.diag([0.0, *[SHRINKAGE] * (basis.shape[1] - 1)])
    nothing = gram_of[..., 0, 0] == 0
    gram_of[nothing] = np.eye(basis.shape[1])
    solved = np.linalg.solve(gram_of + penalty, moment.to_numpy()[..., None])[..., 0]
    solved[nothing] = np.nan
    return moment.copy(data=solved)


_LAST = ((COEFFICIENT, f"_{COEFFICIENT}"), (COEFFICIENT,))


def usual_on_places(usual: xr.DataArray, windows: Patches) -> xr.DataArray:
    """The usual year on the places of windows, laid out as their cube; an unknown place takes the mean of all."""
    places = _places(windows)
    if set(usual.dims) != set(_layout(windows)):  # trained on sites, used on a grid, or the other way round
        mean = usual.mean([dim for dim in usual.dims if dim not in (COEFFICIENT, "variable")])
        usual = mean
    else:
        mean = usual.mean(places)
        labels = {dim: windows.data.indexes[dim] for dim in places if dim in windows.data.indexes}
        known = {dim: index for dim, index in labels.items() if dim in usual.indexes}
        usual = usual.reindex(known).fillna(mean)
        strange = [dim for dim in places if dim not in known and usual.sizes[dim] != windows.data.sizes[dim]]
        usual = mean if strange else usual
    width = dict.fromkeys(PATCH, windows.size)
    sizes = {dim: windows.data.sizes.get(dim, width.get(dim, 0)) for dim in _layout(windows)}
    lacking = {dim: sizes[dim] for dim in _layout(windows) if dim not in usual.dims}
    usual = usual.sel(variable=list(windows.drivers)).expand_dims(lacking)
    return usual.transpose(*_layout(windows)).astype("float32")


def _places(windows: Patches) -> tuple[str, ...]:
    return GRID if windows.on_grid else (SITE,)


def _layout(windows: Patches) -> tuple[str, ...]:
    """Dimensions of a cube whose days are coefficients."""
    return (COEFFICIENT, "variable", *GRID) if windows.on_grid else (SITE, COEFFICIENT, "variable", *PATCH)


def labelled_n_filled(counts: Any, windows: Patches) -> xr.DataArray:
    """How many values each window lacks, (places..., day), on the labels of the forecasts that it gives."""
    what = {"long_name": "values of drivers that the window lacks, and that are filled where there is a forecast"}
    attrs = {**what, "units": "1", "window_values": windows.window * len(windows.drivers)}
    day = INIT if windows.several else windows.time
    out = xr.DataArray(counts, dims=[*_places(windows), day], attrs=attrs)
    labels = windows.coordinates_ahead if windows.several else windows.coordinates
    out = out.assign_coords({dim: labels[dim] for dim in out.dims if dim in labels})
    return out.transpose(day, *GRID) if windows.on_grid else out
