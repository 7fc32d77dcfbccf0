"""Grid and sites: the patch of cells around each site, the nearest cells, the towers beside them."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks
from xdrought.data.grid_axes import (
    LAT_ATTRS,
    LATITUDES,
    LON_ATTRS,
    LONGITUDES,
    PATCH,
    Axis,
    PatchCells,
    exact_labels,
    find_axis,
    grid_labels,
    latitude_axis,
    longitude_axis,
    nearest_cells,
    patch_cells,
    place_latitude,
    place_longitude,
    require_distinct,
    wrap_longitude,
)
from xdrought.data.sites import name_some, site_coords
from xdrought.public_functions import public

__all__ = ["collocate", "join_towers", "nearest_cells"]

_SAME_PLACE = 1e-4  # degrees, some 10 m


@public
def join_towers(patches: xr.Dataset, towers: xr.Dataset, *, time: Hashable = "time") -> xr.Dataset:
    """Put the towers' variables beside the drivers, site by site and day by day.

    Parameters
    ----------
    patches : xarray.Dataset
        Drivers on (site, time, ...), of :func:`collocate`.
    towers : xarray.Dataset
        SITE Dataset, e.g. of :func:`xdrought.data.open_fluxnet`, with all of the drivers' sites, in any
        order. Times are dates without an hour in both.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        The sites and days of `patches` with the variables of both; NaN where a tower has no day. Coordinates
        that both have are those of `patches`; others of the towers are added.

    Raises
    ------
    ValueError
        A site that the towers lack, or that is elsewhere in both (more than 0.0001 degree); no common day; or
        variables of the same name.

    Notes
    -----
    ERA5 days are UTC unless they were counted by another time, those of FLUXNET and USCRN local standard time. Each
    variable says so in its attribute ``day_boundary``, which :func:`xdrought.audit_leakage` compares. Nothing is
    shifted here: at 120 degrees west, day D of the tower is 08 UTC of D to 08 UTC of the day after. Of dask data only
    the places are read.

    Examples
    --------
    >>> from xdrought.data import collocate
    >>> from xdrought import simulation
    >>> world = simulation.simulate(2, 30, size=4)
    >>> joined = collocate.join_towers(world[["t2m", "tp"]], world[["soil_moisture"]])
    >>> sorted(joined.data_vars)
    ['soil_moisture', 't2m', 'tp']
    """
    checks.require_variables(patches, ("site", time), "the drivers lack", "xdrought.data.collocate")
    checks.require_variables(towers, ("site",), "the towers lack", "xdrought.data.open_fluxnet")
    both = sorted(str(name) for name in set(patches.data_vars) & set(towers.data_vars))
    if both:
        raise ValueError(f"{both} are variables of both; drop or rename them in one")
    absent = np.setdiff1d(patches["site"].values, towers["site"].values)
    if absent.size:
        raise ValueError(
            f"the towers lack the sites {name_some(absent)}; select those both have, e.g. "
            f'patches.sel(site=np.intersect1d(patches["site"], towers["site"]))'
        )
    ordered = towers.sel(site=patches["site"].values)
    _require_same_places(patches, ordered)
    if time in towers.dims and not len(patches.indexes[time].intersection(towers.indexes[time])):
        spans = [f"{index[0]} to {index[-1]}" for index in (patches.indexes[time], towers.indexes[time])]
        raise ValueError(
            f"no day is in both: drivers {spans[0]}, towers {spans[1]}; days that are stamped at other hours are named "
            f"alone by da = da.assign_coords({time}=da[{str(time)!r}].dt.floor('D'))"
        )
    on_days = ordered.reindex({time: patches.indexes[time]}) if time in towers.dims else ordered
    joined = patches.assign({name: _tower_order(da, time) for name, da in on_days.data_vars.items()})
    more = {name: on_days[name] for name in on_days.coords if name not in patches.coords}
    joined = alignment.dataset_of(joined.data_vars, {**joined.coords, **more}).assign_attrs(joined.attrs)
    return joined.drop_encoding()


def _tower_order(da: xr.DataArray, time: Hashable) -> xr.DataArray:
    return da.reset_coords(drop=True).transpose("site", time, ..., missing_dims="ignore")


def _require_same_places(patches: xr.Dataset, towers: xr.Dataset) -> None:
    for name in ("lat", "lon"):
        if name not in patches.coords or name not in towers.coords:
            continue
        apart = np.abs(patches[name].values.astype("float64") - towers[name].values.astype("float64"))
        apart = np.minimum(apart, 360.0 - apart) if name == "lon" else apart
        if (apart > _SAME_PLACE).any():
            moved = patches["site"].values[apart > _SAME_PLACE]
            raise ValueError(
                f"{name!r} of {name_some(moved)} differs by up to {apart.max():g} degrees between drivers and towers; "
                f"collocate with the towers' own places"
            )


_OUTSIDE = ("raise", "drop", "nan")


@public
def collocate(
    grid: xr.Dataset,
    sites: xr.Dataset | pd.DataFrame,
    *,
    size: int = 10,
    time: Hashable = "time",
    lat: Hashable | None = None,
    lon: Hashable | None = None,
    wrap: bool | str = "auto",
    outside: str = "raise",
) -> xr.Dataset:
    """Cut the patch of cells around each site out of a regular grid.

    Parameters
    ----------
    grid : xarray.Dataset
        Variables on (time, lat, lon) or (lat, lon), rows and columns in any order, longitudes of either
        convention; e.g. of :func:`xdrought.data.era5.daily_drivers`.
    sites : xarray.Dataset or pandas.DataFrame
        ``lat`` and ``lon`` (degrees) on ``site``; or columns ``site lat lon``. What else is known on site is
        kept.
    size : int
        Cells along each side. Even: the site is between cells size/2-1 and size/2 of both axes, so that for
        10 the four nearest cells are 4:6 x 4:6. Odd: the middle cell is the nearest one. A site on a cell's
        centre (to a millionth of a cell) has that cell at (size-1)//2; between two as near, the northern or
        western one is taken.
    time : hashable
        The time dimension.
    lat, lon : hashable, optional
        The dimensions; None: ``lat`` or ``latitude``, ``lon`` or ``longitude``, else what has their CF attributes.
    wrap : bool or "auto"
        Whether a patch goes on past the last column with the first one: ``"auto"`` for a grid around the
        globe. True refuses another one.
    outside : {"raise", "drop", "nan"}
        For sites whose patch is cut by an edge of the grid, or passes a pole: name them in an error; leave
        them out with a warning and their names in ``attrs["dropped_sites"]``; or fill the cells that are not
        there with NaN.

    Returns
    -------
    xarray.Dataset
        Variables on (site, time, patch_lat, patch_lon), rows from north to south and columns from west to
        east whatever the grid's order is; lazy for dask. Coordinates ``lat lon`` of the sites, ``cell_lat``
        (site, patch_lat) and ``cell_lon`` (site, patch_lon, -180 to below 180) of the cells.

    Raises
    ------
    ValueError
        A grid that is irregular, repeats a meridian, or cuts a patch; sites without a place or named twice;
        `size`, `wrap` or `outside` out of their choices.
    TypeError
        `grid` or `sites` is of another kind.

    Warns
    -----
    UserWarning
        Sites were left out (``outside="drop"``).

    Notes
    -----
    All sites are taken in one pointwise selection, so that each chunk of a variable is read once. Only labels
    and places are looked at before that.

    References
    ----------
    Tang et al. (2025), sections 3.2 (10 x 10 cells) and 3.3 (four nearest cells).

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.data.collocate import collocate
    >>> lat, lon = np.arange(50, 45, -0.25), np.arange(5, 10, 0.25)
    >>> axes = {"time": pd.date_range("2003", periods=3), "lat": lat, "lon": lon}
    >>> t2m = xr.DataArray(np.zeros((3, 20, 20)), axes)
    >>> sites = pd.DataFrame({"site": ["AT-Neu"], "lat": [47.1167], "lon": [7.32]})
    >>> patches = collocate(xr.Dataset({"t2m": t2m}), sites, size=4)
    >>> patches.t2m.dims
    ('site', 'time', 'patch_lat', 'patch_lon')
    >>> patches.cell_lat.values, patches.cell_lon.values
    (array([[47.5 , 47.25, 47.  , 46.75]]), array([[7.  , 7.25, 7.5 , 7.75]]))
    """
    _check_settings(size, wrap, outside)
    places = site_coords(sites)
    lat, lon = find_axis(grid, LATITUDES, "latitude", lat), find_axis(grid, LONGITUDES, "longitude", lon)
    rows, columns = _axes(grid, lat, lon, wrap)
    site_lat, site_lon = (exact_labels(places[name].values) for name in ("lat", "lon"))
    down = patch_cells(rows, place_latitude(rows, site_lat), size)
    across = patch_cells(columns, place_longitude(columns, site_lon), size)
    whole = down.inside.all(axis=1) & across.inside.all(axis=1)
    dropped = places["site"].values[~whole]
    if dropped.size and outside != "nan":
        text = _outside_text(dropped, rows, columns, size)
        if outside == "raise" or not whole.any():
            raise ValueError(
                f'{text}; give a larger grid, or outside="drop" or "nan"'
                + ("" if whole.any() else " (no site has its whole patch)")
            )
        checks.warn(f"left out: {text}")
        places = places.isel(site=whole)
        down, across = (PatchCells(cells.position[whole], cells.inside[whole]) for cells in (down, across))
    patches = _take(grid, down, across, time, lat, lon)
    labels = {
        "cell_lat": _labels(grid, lat, down, PATCH[0], LAT_ATTRS),
        "cell_lon": _labels(grid, lon, across, PATCH[1], LON_ATTRS),
    }
    settings: dict[str, object] = {"patch_size": size}
    if outside == "drop":
        settings["dropped_sites"] = ", ".join(map(str, dropped))
    # Packing of the file could not hold the NaN of cells that are not there.
    labelled = alignment.dataset_of(patches.data_vars, {**patches.coords, **places.coords, **labels})
    return labelled.assign_attrs(patches.attrs | settings).drop_encoding()


def _check_settings(size: int, wrap: bool | str, outside: str) -> None:
    checks.require_integer(size, "size", of="cells")
    if not isinstance(wrap, bool) and wrap != "auto":
        raise ValueError(f'wrap={wrap!r}; expected True, False or "auto"')
    if outside not in _OUTSIDE:
        raise ValueError(f"outside={outside!r}; choose from {list(_OUTSIDE)}")


def _axes(grid: xr.Dataset, lat: Hashable, lon: Hashable, wrap: bool | str) -> tuple[Axis, Axis]:
    rows = grid_labels(grid, lat, (-90.0, 90.0))
    columns = wrap_longitude(grid_labels(grid, lon, (-180.0, 360.0)))
    require_distinct(rows, lat)
    require_distinct(columns, lon)
    return latitude_axis(rows), longitude_axis(columns, wrap if isinstance(wrap, bool) else None)


def _take(
    grid: xr.Dataset, down: PatchCells, across: PatchCells, time: Hashable, lat: Hashable, lon: Hashable
) -> xr.Dataset:
    """Variables on (site, time, patch_lat, patch_lon); NaN outside the grid."""
    fields = [name for name, da in grid.data_vars.items() if {lat, lon} <= set(da.dims)]
    along = [name for name in grid.coords if {lat, lon} & set(grid[name].dims)]
    row = xr.DataArray(down.position, dims=("site", PATCH[0]))
    column = xr.DataArray(across.position, dims=("site", PATCH[1]))
    taken = grid[fields].drop_vars(along, errors="ignore").isel({lat: row, lon: column})
    if not (down.inside.all() and across.inside.all()):
        taken = taken.where(row.copy(data=down.inside) & column.copy(data=across.inside))
    return taken.transpose("site", time, ..., *PATCH, missing_dims="ignore")


def _labels(grid: xr.Dataset, dim: Hashable, cells: PatchCells, along: str, attrs: dict[str, str]) -> xr.Variable:
    labels = exact_labels(grid.indexes[dim].to_numpy())
    labels = wrap_longitude(labels) if along == PATCH[1] else labels
    return xr.Variable(("site", along), np.where(cells.inside, labels[cells.position], np.nan), attrs)


def _outside_text(names: np.ndarray, rows: Axis, columns: Axis, size: int) -> str:
    south, east = rows.start + (rows.size - 1) * rows.step, columns.start + (columns.size - 1) * columns.step
    extent = f"{rows.start:g} to {south:g} north"
    if not columns.wraps:
        extent += f", {columns.start:g} to {(east + 180.0) % 360.0 - 180.0:g} east"
    patch = f"the {size} x {size} patch of {name_some(names)}"
    return f"{patch} passes the grid's edge or a pole (cells at {extent})"
