"""Quantiles that are right as often as they say: corrected on the validation part, place by place."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.splits import PARTS
from xdrought.statistics.bootstrap import quantile
from xdrought.windows.selection import INIT, LEAD, MEMBER, QUANTILE, VALID

LEAD_DAY = "lead_day"
FEWEST = 100  # validation days of a place from which its own correction is taken


def corrections(forecast: xr.DataArray, observed: xr.DataArray, time: Hashable) -> xr.Dataset:
    """What has to be added to each quantile so that, in the validation part, it is right as often as it says.

    Parameters
    ----------
    forecast : xarray.DataArray
        Quantiles as the network gives them, with `part`; runs are averaged, members are days of their own.
    observed : xarray.DataArray
        The target.
    time : hashable
        Its time dimension.

    Returns
    -------
    xarray.Dataset
        In units of the target: ``by_place`` (places..., [lead_day,] quantile), NaN at places of fewer than 100
        validation days, and ``of_all`` ([lead_day,] quantile).
    """
    if "run" in forecast.dims:
        forecast = forecast.mean("run")
    several = LEAD in forecast.dims
    valid = forecast[VALID] if several else forecast[time].reset_coords(drop=True)
    days = pd.Index(np.unique(valid.values), name=time)
    obs = observed.reset_coords(drop=True).reindex({time: days}).sel({time: valid.reset_coords(drop=True).rename("at")})
    part = forecast["part"] == PARTS.index("val") + 1
    over = [INIT, MEMBER] if several else [time, MEMBER]
    errors = (
        (obs.drop_vars([time], errors="ignore") - forecast).where(part.drop_vars("part", errors="ignore")).compute()
    )
    over = [dim for dim in over if dim in errors.dims]
    places = [dim for dim in errors.dims if dim not in (*over, LEAD, QUANTILE)]
    by_place, of_all = (_shifts(errors, dims) for dims in (over, [*over, *places]))
    n_days = errors.notnull().all(QUANTILE).sum(over)
    result = xr.Dataset({"by_place": by_place.where(n_days >= FEWEST), "of_all": of_all}).drop_vars(
        [VALID, "part"], errors="ignore"
    )
    if several:
        lead_days = (result[LEAD] / np.timedelta64(1, "D")).astype(int).values
        result = result.drop_vars(LEAD).rename({LEAD: LEAD_DAY}).assign_coords({LEAD_DAY: lead_days})
    kept = {*places, LEAD_DAY, QUANTILE}
    result = result.drop_vars([name for name in result.coords if name not in kept])
    return result.transpose(*places, ..., QUANTILE).astype("float64").drop_attrs()


def _shifts(errors: xr.DataArray, dims: list[Hashable]) -> xr.DataArray:
    """Of each quantile the error below which its own share of the errors lies."""
    flat = errors.stack(_day=dims, create_index=False)  # [..., day]
    one_by_one = [
        xr.apply_ufunc(
            quantile,
            flat.sel({QUANTILE: level}, drop=True),
            kwargs={"at": [level]},
            input_core_dims=[["_day"]],
            output_core_dims=[[QUANTILE]],
        )
        for level in errors[QUANTILE].values
    ]
    return xr.concat(one_by_one, QUANTILE).assign_coords({QUANTILE: errors[QUANTILE].values})


def corrected(forecast: xr.DataArray, conformal: xr.Dataset) -> tuple[xr.DataArray, str]:
    """Corrected quantiles in growing order, lazy where the forecast is, and in words what they were corrected by."""
    if LEAD_DAY in conformal.dims:
        conformal = conformal.rename({LEAD_DAY: LEAD}).assign_coords({LEAD: forecast[LEAD]})
    own = conformal["by_place"]
    labels = {dim: forecast.indexes[dim] for dim in own.dims if dim in forecast.indexes and dim in own.indexes}
    own = own.reindex({dim: index for dim, index in labels.items() if dim not in (QUANTILE, LEAD)})
    places = [dim for dim in own.dims if dim not in (QUANTILE, LEAD)]
    known = own.notnull().any([QUANTILE, *([LEAD] if LEAD in own.dims else [])])
    n_known, n = int(known.sum()), int(np.prod([own.sizes[dim] for dim in places]))
    shift = own.fillna(conformal["of_all"]).astype("float32").reset_coords(drop=True)
    moved = (forecast + shift).transpose(*forecast.dims)
    ordered = xr.apply_ufunc(
        np.sort,
        moved,
        input_core_dims=[[QUANTILE]],
        output_core_dims=[[QUANTILE]],
        dask="parallelized",
        output_dtypes=[moved.dtype],
        keep_attrs=True,
    )
    words = f"by the validation part of each of {n_known} place(s)"
    if n_known < n:
        words += f"; {n - n_known} unseen place(s), or with few validation days, by that of all places"
    return ordered.transpose(*forecast.dims).assign_coords(forecast.coords), words
