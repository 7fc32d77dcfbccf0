"""The same score once more: of every reference on the same days, and of groups of days or places."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment

SEASONS = ("DJF", "MAM", "JJA", "SON")
Score = Callable[[xr.DataArray], xr.Dataset]
By = str | xr.DataArray


def with_references(
    forecast: xr.DataArray,
    references: Mapping[str, xr.DataArray],
    known: Callable[[xr.DataArray], xr.DataArray],
    score: Score,
) -> xr.Dataset:
    """`score` of a forecast, and with ``_reference`` on `reference` those of others, on the days that all have.

    Parameters
    ----------
    forecast : xarray.DataArray
        What is scored.
    references : mapping of str to DataArray
        Forecasts of the same kind.
    known : callable
        True on the days that a forecast has.
    score : callable
        The scores of one forecast.
    """
    aligned = {}
    for name, reference in references.items():
        if not isinstance(reference, xr.DataArray):
            raise TypeError(f"the reference {name!r} is a {type(reference).__name__}; give a DataArray by name")
        aligned[name] = alignment.align_to(forecast, reference, what=f"the reference {name!r}")
    shared = known(forecast)
    for reference in aligned.values():
        shared = shared & known(reference)
    found = score(forecast.where(shared))
    tables = [score(reference.where(shared)) for reference in aligned.values()]
    return found.assign(side_by_side(tables, list(aligned)))


def side_by_side(tables: list[xr.Dataset], names: list[str]) -> dict[Hashable, xr.DataArray]:
    """The scores of several references on `reference`, each with ``_reference`` behind its name."""
    index = pd.Index(names, name="reference")
    joined = xr.concat(tables, index, combine_attrs="override", coords="minimal", compat="override")
    return {f"{name}_reference": values for name, values in joined.data_vars.items() if "reference" in values.dims}


def for_each_group(by: By, like: xr.DataArray, time: Hashable, score: Score) -> xr.Dataset:
    """`score` of the days and places of each group, a mask, on the group's own dimension.

    Parameters
    ----------
    by : str or xarray.DataArray
        "season" of the time dimension, the name of a coordinate, or labels on some dimensions of `like`.
    like : xarray.DataArray
        What is grouped.
    time : hashable
        The time dimension.
    score : callable
        The scores of the days and places where a mask is True.
    """
    labels = _labels(by, like, time)
    values = labels.to_numpy().ravel()
    there = values[~pd.isna(values)]
    if not there.size:
        raise ValueError(f"by={labels.name!r} has no label at all; give groups of days or places")
    groups = [one for one in SEASONS if one in there] if labels.name == "season" else np.unique(there).tolist()
    index = pd.Index(groups, name=labels.name)
    tables = [score(labels == group).drop_vars(str(labels.name), errors="ignore") for group in groups]
    return xr.concat(tables, index, combine_attrs="override", coords="minimal", compat="override")


def _labels(by: By, like: xr.DataArray, time: Hashable) -> xr.DataArray:
    if isinstance(by, xr.DataArray):
        if not set(by.dims) <= set(like.dims):
            raise ValueError(f"by has dimensions {by.dims}, the data {like.dims}; give groups of days or places")
        labels = alignment.align_to(like, by, what="by")
        return labels.rename(by.name if by.name is not None else "group").reset_coords(drop=True)
    if by in like.coords:
        return like[by].reset_coords(drop=True)
    if by == "season" and time in like.dims:
        return like[time].dt.season.rename("season").reset_coords(drop=True)
    raise ValueError(
        f"by={by!r} is no coordinate; choose 'season' or one of {sorted(map(str, like.coords))}, or give a DataArray"
    )
