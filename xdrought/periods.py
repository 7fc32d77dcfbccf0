"""Which part of a record may be learned from: dates, or a mask of days."""

from __future__ import annotations

from collections.abc import Hashable

import xarray as xr

Period = slice | tuple | xr.DataArray


def check_mask(mask: xr.DataArray, da: xr.DataArray, caller: str) -> xr.DataArray:
    """A boolean mask on dimensions of `da`, with its labels."""
    if mask.dtype.kind != "b":
        raise TypeError(f"{caller}: train has dtype {mask.dtype}; a training mask is boolean, True where it trains")
    for dim in mask.dims:
        ours, theirs = mask.indexes.get(dim), da.indexes.get(dim)
        both = ours is not None and theirs is not None
        if dim not in da.dims or mask.sizes[dim] != da.sizes[dim] or (both and not ours.equals(theirs)):  # type: ignore[union-attr]
            raise ValueError(
                f"{caller}: the training mask and {da.name!r} differ along {dim!r}; use mask.reindex_like(...)"
            )
    return mask


def as_slice(period: slice | tuple) -> slice:
    """(start, end) as a slice."""
    return period if isinstance(period, slice) else slice(*period)


def training_mask(da: xr.DataArray, train: Period, time: Hashable, caller: str) -> xr.DataArray:
    """True on the days of `da` that belong to the training part."""
    if isinstance(train, xr.DataArray):
        return check_mask(train, da, caller)
    return da[time].isin(da[time].sel({time: as_slice(train)}))
