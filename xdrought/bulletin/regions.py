"""Shares of regions in each class: masks or polygons, weighted by area, over time; and their table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks
from xdrought.choices import Cells
from xdrought.events.objects import given_areas
from xdrought.flags import flags_of
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics import sphere

_CELLS = get_args(Cells)


@public
@recorded
def region_shares(
    classes: xr.DataArray,
    regions: Any,
    *,
    cells: Cells = "fraction",
    names: str | None = None,
    cell_area: xr.DataArray | None = None,
    lat: Hashable = "lat",
    lon: Hashable = "lon",
    site: Hashable = "site",
) -> xr.Dataset:
    """Share of each region's area in each class, over time.

    Parameters
    ----------
    classes : xarray.DataArray
        With ``flag_values`` and ``flag_meanings``, from :func:`xdrought.drought_classes` or
        :func:`drought_categories`, on `lat` and `lon`, or on `site` with coordinates `lat` and `lon`; and any further
        dimensions, usually time.
    regions : xarray.DataArray, regionmask.Regions or geopandas.GeoDataFrame
        A mask: the name or number of the region of each cell or station (NaN, None or "" outside), or, along a further
        dimension ``region``, True and False or the fraction (0 to 1) of each cell that lies within. Or polygons in
        degrees, for which the package regionmask is needed (``pip install "xdrought[regions]"``).
    cells : {"fraction", "centre"}
        What of a cell belongs to a polygon: the fraction that it covers (of grids with even steps), or the whole cell
        when its centre is inside. Stations are inside or not.
    names : str, optional
        The column of a GeoDataFrame that names the regions; by default its index does.
    cell_area : xarray.DataArray, optional
        Area of each cell, with units; by default that of the sphere between latitudes and longitudes. Stations count
        the same, or by this, in any units of area.
    lat, lon, site : hashable
        Names of dimensions and coordinates.

    Returns
    -------
    xarray.Dataset
        `share` (region, drought_class, and the other dimensions of `classes`), percent of what is known of the region;
        `known_share` (region, and the other dimensions), percent of the region's area where the class is known;
        `area` (region), km2, or the number of stations. NaN where nothing is known. Lazy for dask.

    Raises
    ------
    ModuleNotFoundError
        For polygons without regionmask.
    TypeError
        For classes that are no DataArray, or regions of another kind.
    ValueError
        For classes without flags or places, a mask of other cells, fractions outside 0 to 1, no cell in any region, or
        negative or missing areas.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> flags = {"flag_values": [0, 1, -1], "flag_meanings": "none D0 missing"}
    >>> coords = {"lat": [40.0, 60.0], "lon": [0.0, 20.0]}
    >>> classes = xr.DataArray([[1, 0], [1, -1]], coords, ("lat", "lon"), attrs=flags)
    >>> mask = xr.DataArray([["south", "south"], ["north", "north"]], coords, ("lat", "lon"))
    >>> shares = region_shares(classes, mask)
    >>> shares.share.sel(drought_class="D0").round(6).to_series().to_dict(), shares.known_share.values.round(6).tolist()
    ({'north': 100.0, 'south': 50.0}, [50.0, 100.0])
    """
    values = _flags(classes)
    space = _space(classes, lat, lon, site)
    own = classes.isel(dict.fromkeys(set(classes.dims) - set(space), 0), drop=True).transpose(*space)
    inside = _weights(regions, own, cells, names, lat, lon)
    weights = inside * _areas(own, space, cell_area)
    dims = list(space)
    known = classes.isin(list(values.values()))
    there = xr.dot(known.astype("float64"), weights, dim=dims)
    parts = [xr.dot((classes == value).astype("float64"), weights, dim=dims) for value in values.values()]
    named = xr.DataArray(np.array(list(values)), dims="drought_class", name="drought_class")
    share = 100 * xr.concat(parts, named, coords="minimal", compat="override") / there.where(there > 0)
    area = weights.sum(dims)
    order = ("region", "drought_class", *(dim for dim in classes.dims if dim not in space))
    unit = "km2" if len(space) == 2 or cell_area is not None else "1"
    what = {"long_name": "area of the region" if unit == "km2" else "number of stations in the region", "units": unit}
    share_attrs = {"long_name": "share of the region's known area", "units": "percent"}
    known_attrs = {"long_name": "share of the region's area where the class is known", "units": "percent"}
    found = {
        "share": share.transpose(*order).assign_attrs(share_attrs),
        "known_share": (100 * there / area).transpose("region", ...).assign_attrs(known_attrs),
        "area": area.assign_attrs(what),
    }
    return alignment.dataset_of(found)


@public
def region_table(
    shares: xr.Dataset,
    day: object = None,
    *,
    before: Sequence[object] = (),
    cumulative: bool = False,
    time: Hashable = "time",
) -> pd.DataFrame:
    """The table of a bulletin: shares of each region in each class on a day, and on earlier ones.

    Parameters
    ----------
    shares : xarray.Dataset
        From :func:`region_shares`, with a time dimension.
    day : date or text, optional
        By default the last one.
    before : sequence of pandas.Timedelta, text or numbers of days
        How long before `day` further rows are, e.g. ``("7D", "91D")``.
    cumulative : bool
        Shares in each class or a worse one, as the U.S. Drought Monitor prints them; the first class, no drought,
        stays. Right for classes in growing order, as those of :func:`drought_categories`.
    time : hashable
        The time dimension.

    Returns
    -------
    pandas.DataFrame
        A row for each region and date, a column for each class, percent, and `known_share`.

    Raises
    ------
    KeyError
        For days that are not there.
    ValueError
        For shares without time or with further dimensions.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> days = pd.date_range("2001-07-01", periods=8)
    >>> coords = {"region": ["A"], "drought_class": ["none", "D0", "D1"], "time": days}
    >>> share = xr.DataArray(0.0, coords, ("region", "drought_class", "time"))
    >>> share.loc["A", ["none", "D0", "D1"], "2001-07-08"] = [50, 30, 20]
    >>> shares = xr.Dataset({"share": share, "known_share": share.isel(drought_class=0, drop=True) + 100})
    >>> region_table(shares, before=["7D"], cumulative=True)[["none", "D0-D1", "D1"]].values.tolist()
    [[50.0, 50.0, 20.0], [0.0, 0.0, 0.0]]
    """
    share = shares["share"]
    checks.require_dim(share, time)
    if further := set(share.dims) - {"region", "drought_class", time}:
        raise ValueError(f"shares have the dimension(s) {sorted(map(str, further))}; choose along them first")
    index = share.indexes[time]
    last = index[-1] if day is None else _day_of(share, day, time)
    spans = [pd.Timedelta(days=ago) if isinstance(ago, int | float) else pd.Timedelta(ago) for ago in before]  # type: ignore[arg-type]
    days = [last, *(last - span for span in spans)]
    if absent := [str(day) for day in days if day not in index]:
        raise KeyError(
            f"the shares, from {index[0]} to {index[-1]}, have no {absent} that before={before} asks for; choose "
            f"steps that are there, e.g. before={[f'{(last - index[0]).days}D']}"
        )
    found = share.sel({time: days}).transpose("region", time, "drought_class")
    if cumulative:
        worse = found.isel(drought_class=slice(1, None))
        worse = worse.isel(drought_class=slice(None, None, -1)).cumsum("drought_class")
        worse = worse.isel(drought_class=slice(None, None, -1))
        names = [str(name) for name in found["drought_class"].values]
        labels = [name if name == names[-1] else f"{name}-{names[-1]}" for name in names[1:]]
        worse = worse.assign_coords(drought_class=labels)
        found = xr.concat([found.isel(drought_class=[0]), worse], "drought_class")
    known = shares["known_share"].sel({time: days}).transpose("region", time)
    rows = pd.MultiIndex.from_product([found["region"].values, days], names=["region", str(time)])
    columns = pd.Index(found["drought_class"].values, name="share, percent")
    table = pd.DataFrame(found.values.reshape(len(rows), -1), index=rows, columns=columns)
    return table.assign(known_share=known.values.ravel())


def _flags(classes: xr.DataArray) -> dict[str, int]:
    """Names and values of the classes that are known."""
    flags = flags_of(classes)
    if not flags:
        raise ValueError(
            f"{classes.name!r} has no flag_values and flag_meanings; give classes of xdrought.drought_classes or "
            f"xdrought.bulletin.drought_categories"
        )
    return {name: value for name, value in flags.items() if name != "missing"}


def _space(classes: xr.DataArray, lat: Hashable, lon: Hashable, site: Hashable) -> tuple[Hashable, ...]:
    if lat in classes.dims and lon in classes.dims:
        return lat, lon
    if site in classes.dims:
        return (site,)
    raise ValueError(
        f"{classes.name!r} has the dimensions {tuple(classes.dims)}; regions need ({lat!r}, {lon!r}) or {site!r}: name "
        f"them with lat=, lon= or site="
    )


def _areas(own: xr.DataArray, space: tuple[Hashable, ...], cell_area: xr.DataArray | None) -> xr.DataArray:
    """What each cell or station counts."""
    if cell_area is not None:
        return given_areas(cell_area, own)
    if len(space) == 1:
        return xr.ones_like(own, dtype=np.float64)
    north, east = (np.asarray(own[dim].values, np.float64) for dim in space)
    rows, columns = np.argsort(north), np.argsort(_eastward(east))
    full = np.empty((north.size, east.size))
    full[np.ix_(rows, columns)] = sphere.cell_areas(north[rows], _eastward(east)[columns])
    return xr.DataArray(full, {dim: own[dim] for dim in space}, space)


def _eastward(lon: np.ndarray) -> np.ndarray:
    """Longitudes that grow from the cell east of the widest gap, so that the date line is no border."""
    around = np.unique(np.mod(lon, 360))
    gaps = np.diff(around, append=around[0] + 360)
    first = around[(int(np.argmax(gaps)) + 1) % around.size]
    return first + np.mod(lon - first, 360)


def _weights(
    regions: Any, own: xr.DataArray, cells: str, names: str | None, lat: Hashable, lon: Hashable
) -> xr.DataArray:
    """Share of each cell or station that lies in each region, (region, ...)."""
    checks.require_choice(cells, "cells", _CELLS)
    mask = regions if isinstance(regions, xr.DataArray) else _rasterised(regions, own, cells, names, lat, lon)
    if "region" in mask.dims:
        weights = alignment.align_to(own, mask, what="regions", extra_dims=True).astype(np.float64).fillna(0.0)
        if not ((weights >= 0) & (weights <= 1)).all():
            low, high = float(weights.min()), float(weights.max())
            raise ValueError(f"regions go from {low:g} to {high:g}; expected True and False or fractions from 0 to 1")
        return weights.transpose("region", ...)
    labels = alignment.align_to(own, mask, what="regions").broadcast_like(own)
    found = pd.unique(pd.Series(labels.values.ravel()).dropna())
    kinds = sorted(label for label in found if not (isinstance(label, str) and not label))
    if not kinds:
        raise ValueError("no cell lies in a region; check that mask and classes cover the same places")
    index = xr.DataArray(kinds, {"region": kinds}, "region")
    return (labels == index).astype(np.float64).transpose("region", ...)


def _rasterised(regions: Any, own: xr.DataArray, cells: str, names: str | None, lat: Hashable, lon: Hashable) -> Any:
    """A mask (region, ...) of polygons, by regionmask."""
    try:
        import regionmask
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'polygons need regionmask; install it with pip install "xdrought[regions]", or give a mask'
        ) from error
    if not isinstance(regions, regionmask.Regions):
        if not hasattr(regions, "geometry"):
            raise TypeError(
                f"regions are {type(regions).__name__}; give a mask as DataArray, regionmask.Regions or a GeoDataFrame"
            )
        crs = getattr(regions, "crs", None)
        if crs is not None and not crs.is_geographic:
            raise ValueError(f"regions are in {crs.name!r}, not in degrees; use regions.to_crs(4326)")
        labels = regions.index if names is None else regions[names]
        regions = regionmask.Regions(list(regions.geometry), names=[str(label) for label in labels])
    if lat not in own.coords or lon not in own.coords:
        raise ValueError(f"the classes have no coordinates {lat!r} and {lon!r}; polygons need them")
    if own.ndim == 2 and cells == "fraction":
        made = regions.mask_3D_frac_approx(own[lon], own[lat], drop=False)
    else:
        made = regions.mask_3D(own[lon], own[lat], drop=False)
    made = made.assign_coords(region=made["names"].values).drop_vars(["names", "abbrevs"], errors="ignore")
    if not bool((made > 0).any()):
        reach = [f"{name} {float(own[name].min()):g} to {float(own[name].max()):g}" for name in (lat, lon)]
        raise ValueError(
            f"no cell lies in a region; give polygons in degrees that cover the classes, {' and '.join(reach)}"
        )
    return made


def _day_of(share: xr.DataArray, day: object, time: Hashable) -> Any:
    """The step of a day; refused where it is not there."""
    index = share.indexes[time]
    try:
        found = share[time].sel({time: day}).values
    except (KeyError, TypeError, ValueError):
        found = np.array([])
    if found.size != 1:
        raise KeyError(
            f"day={day!r} is no step of the shares, which go from {index[0]} to {index[-1]}; give one of them, e.g. "
            f"day={str(index[-1])!r}"
        )
    return found.reshape(-1)[0]
