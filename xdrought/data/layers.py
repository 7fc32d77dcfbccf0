"""Soil moisture at several depths: one array along depth, and the mean of the root zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xdrought import calendars, checks, limits, units
from xdrought.provenance import recorded
from xdrought.public_functions import public

_DEEPEST = 20.0  # metres; soil of land models ends at 2 to 12, and no probe is as deep
Layers = Mapping[str, float | tuple[float, float]]


@public
@recorded
def soil_profile(ds: xr.Dataset, *, layers: Layers | None = None) -> xr.DataArray:
    """Soil moisture of several depths along a dimension ``depth``.

    Parameters
    ----------
    ds : xarray.Dataset
        From a reader of this package, whose variables know their depth: ERA5 (``swvl1`` to ``swvl4``), USCRN, ISMN. Or
        any other with `layers`. Dask stays lazy.
    layers : mapping, optional
        Variables and the depth of each probe, or top and bottom of each layer, in metres:
        ``{"SWC_F_MDS_1": 0.05, "SWC_F_MDS_2": 0.2}``, ``{"sm": (0, 0.1)}``. FLUXNET files do not tell depths. None:
        every soil moisture of `ds` that knows its own.

    Returns
    -------
    xarray.DataArray
        On ``depth`` (m, the probe or the middle of the layer, downwards) and the dims of the variables, in the units of
        the uppermost, with coordinates ``layer_top`` and ``layer_bottom``. A probe stands for the soil half-way to its
        neighbours, the uppermost one up to the surface.

    Raises
    ------
    KeyError
        A variable that is not there.
    ValueError
        No variable with a depth, depths that repeat, are negative or overlap, or units that do not convert.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.data import soil_profile
    >>> ds = xr.Dataset({name: ("time", [0.2], {"units": "m3 m-3"}) for name in ("a", "b", "c")})
    >>> profile = soil_profile(ds, layers={"a": 0.05, "b": 0.1, "c": 0.2})
    >>> profile.depth.values.tolist(), profile.layer_bottom.values.round(3).tolist()
    ([0.05, 0.1, 0.2], [0.075, 0.15, 0.25])
    """
    bounds = _bounds(_known_layers(ds) if layers is None else _given_layers(ds, layers))
    names = sorted(bounds, key=lambda name: bounds[name][1])
    ds = ds.assign({name: limits.check(ds[name], quantity="volumetric soil moisture") for name in names})
    first = ds[names[0]]
    parts = [first, *(_in_units_of(ds[name], first) for name in names[1:])]
    top, middle, bottom = np.array([bounds[name] for name in names]).T
    about = {"standard_name": "depth", "units": "m", "positive": "down", "axis": "Z"}
    out = xr.concat(
        [part.drop_attrs().drop_vars("depth", errors="ignore") for part in parts],
        xr.Variable("depth", middle, about),
        coords="minimal",
    )
    out = out.assign_coords(
        layer_top=("depth", top, {"long_name": "top of the layer", "units": "m"}),
        layer_bottom=("depth", bottom, {"long_name": "bottom of the layer", "units": "m"}),
    )
    attrs = {"long_name": "volumetric soil moisture", "layers": " ".join(map(str, names))}
    return out.rename("soil_moisture").assign_attrs({**_units(first), **_day_of(parts), **attrs})


@public
@recorded
def root_zone(
    ds: xr.Dataset, depth: float = 1.0, *, layers: Layers | None = None, min_share: float = 1.0
) -> xr.DataArray:
    """Soil moisture of the root zone: the mean from the surface to `depth`, weighted by thickness.

    Parameters
    ----------
    ds : xarray.Dataset
        As for :func:`soil_profile`. Dask stays lazy.
    depth : float
        Bottom of the root zone, m.
    layers : mapping, optional
        As for :func:`soil_profile`.
    min_share : float
        Share of the thickness, above 0 and up to 1, that must be known on a day; the mean is of what is known.

    Returns
    -------
    xarray.DataArray
        ``soil_moisture`` on the dims of the variables and in their units; NaN where too little is known.

    Raises
    ------
    KeyError, ValueError
        As :func:`soil_profile`; a `depth` of nothing or below the deepest layer.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.data import root_zone
    >>> values = {"swvl1": 0.1, "swvl2": 0.2, "swvl3": 0.3}
    >>> ds = xr.Dataset({name: ("time", [value], {"units": "m3 m-3"}) for name, value in values.items()})
    >>> layers = {"swvl1": (0.0, 0.07), "swvl2": (0.07, 0.28), "swvl3": (0.28, 1.0)}
    >>> root_zone(ds, 1.0, layers=layers).round(3).values  # 0.07 * 0.1 + 0.21 * 0.2 + 0.72 * 0.3
    array([0.265])
    """
    if not 0 < min_share <= 1:
        raise ValueError(f"min_share={min_share!r}; it must be above 0 and at most 1")
    profile = soil_profile(ds, layers=layers)
    deepest = float(profile.layer_bottom[-1])
    if isinstance(depth, bool) or not 0 < depth <= deepest + 1e-9:
        raise ValueError(
            f"depth={depth!r}; the layers go from 0 to {deepest:g} m: give a depth above 0 and within these"
        )
    thickness = (profile.layer_bottom.clip(max=depth) - profile.layer_top.clip(max=depth)).drop_attrs()
    used = profile.isel(depth=np.flatnonzero(thickness.values > 0))
    thickness = thickness.isel(depth=np.flatnonzero(thickness.values > 0))
    known = (thickness * used.notnull()).sum("depth")
    mean = (used * thickness).sum("depth") / known
    out = mean.where(known >= min_share * float(thickness.sum()) * (1 - 1e-9)).transpose(*used.isel(depth=0).dims)
    _warn_of_nothing(out, known / float(thickness.sum()), min_share)
    about = {"long_name": f"soil moisture of the root zone, 0 to {depth:g} m", "layers": profile.attrs["layers"]}
    return out.rename("soil_moisture").assign_attrs(
        {**_units(profile), **_day_of([profile]), **about, **depth_attrs(0.0, float(depth))}
    )


def _warn_of_nothing(out: xr.DataArray, share: xr.DataArray, min_share: float) -> None:
    """Say why nothing is known although layers hold values; lazy results are not looked at."""
    if out.chunks is None and out.size and not bool(out.notnull().any()) and (best := float(share.max())) > 0:
        least = np.floor(100 * best) / 100
        checks.warn(
            f"no step has values in {min_share:.0%} of the depth, {best:.0%} at most, so that all are missing; a mean "
            f"of what is there is min_share={least:g}"
        )


def depth_attrs(top: float, bottom: float) -> dict[str, Any]:
    """What the depth of a layer, or of a probe, is told by; in metres."""
    return {"depth_from": top, "depth_to": bottom, "depth_units": "m"}


def _units(da: xr.DataArray) -> dict[str, Any]:
    return {"units": da.attrs["units"]} if "units" in da.attrs else {}


def _day_of(parts: Sequence[xr.DataArray]) -> dict[str, Any]:
    """When the days of all layers begin, if they say the same."""
    boundaries = {part.attrs.get(calendars.DAY_BOUNDARY) for part in parts}
    return {calendars.DAY_BOUNDARY: boundaries.pop()} if len(boundaries) == 1 and None not in boundaries else {}


def _in_units_of(da: xr.DataArray, first: xr.DataArray) -> xr.DataArray:
    wanted = first.attrs.get("units")
    return da if wanted is None or da.attrs.get("units") == wanted else units.convert(da, wanted)


def _known_layers(ds: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Tops and bottoms of the soil moistures that know them."""
    result = {
        str(name): (float(da.attrs["depth_from"]), float(da.attrs["depth_to"]))
        for name, da in ds.data_vars.items()
        if {"depth_from", "depth_to"} <= set(da.attrs) and _is_moisture(da)
    }
    if not result:
        raise ValueError(
            f"no soil moisture among {sorted(map(str, ds.data_vars))} knows its depth; give the depths in metres, e.g. "
            f'layers={{"soil_moisture": 0.05}}'
        )
    return result


def _is_moisture(da: xr.DataArray) -> bool:
    return units.converts(da, "m3 m-3")


def _given_layers(ds: xr.Dataset, layers: Layers) -> dict[str, tuple[float, float]]:
    missing = [name for name in layers if name not in ds]
    if missing or not layers:
        raise KeyError(f"no variable {missing}; there are {sorted(map(str, ds.data_vars))}")
    return {
        name: (float(given), float(given)) if np.isscalar(given) else (float(given[0]), float(given[1]))  # type: ignore[index,arg-type]
        for name, given in layers.items()
    }


def _bounds(layers: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float, float]]:
    """Top, middle and bottom of each; probes reach half-way to their neighbours, the first one to the surface."""
    names = sorted(layers, key=lambda name: layers[name])
    top, bottom = np.array([layers[name] for name in names]).T
    if (
        (top < 0).any()
        or (bottom < top).any()
        or (top[1:] < bottom[:-1] - 1e-9).any()
        or (np.diff(top + bottom) <= 0).any()
    ):
        raise ValueError(
            f"the layers {layers} (m) repeat, overlap or are upside down; name those to be used with layers="
        )
    if bottom[-1] > _DEEPEST:
        metres = {name: (round(low / 100, 6), round(high / 100, 6)) for name, (low, high) in layers.items()}
        raise ValueError(
            f"the layers reach {bottom[-1]:g} m, deeper than soils are modelled or measured ({_DEEPEST:g} m); where "
            f"these are centimetres, give metres, layers={metres}"
        )
    middle, probe = (top + bottom) / 2, top == bottom
    half = (bottom[:-1] + top[1:]) / 2
    above, below = np.r_[0.0, half], np.r_[half, 2 * middle[-1] - (half[-1] if half.size else 0.0)]
    tops, bottoms = np.where(probe, above, top), np.where(probe, below, bottom)
    return {name: (tops[k], middle[k], bottoms[k]) for k, name in enumerate(names)}


__all__ = ["root_zone", "soil_profile"]
