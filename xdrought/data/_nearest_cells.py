"""The cells of a patch that are nearest to its site."""

from __future__ import annotations

import numpy as np
import xarray as xr

_PATCH = ("patch_lat", "patch_lon")


def nearest_cells(patches: xr.Dataset) -> xr.Dataset:
    """The four cells nearest to each site.

    Parameters
    ----------
    patches : xarray.Dataset
        Variables on (site, time, patch_lat, patch_lon), of :func:`collocate` or the simulated world.

    Returns
    -------
    xarray.Dataset
        Variables on (site, time, cell), `cell` from 0 row by row: north-west, north-east, south-west,
        south-east; ``cell_lat`` and ``cell_lon`` are then on (site, cell). Of a patch of size 10 these are
        rows and columns 4 and 5. Of an odd size they are the nearest cell and those on the site's side of it;
        a patch of one cell gives that one. Variables without patch dimensions are unchanged; lazy for dask.

    Raises
    ------
    ValueError
        No patch dimensions, patches that are not square, or an odd size without the places of sites and
        cells.

    Examples
    --------
    >>> from xdrought.data import collocate, twin
    >>> collocate.nearest_cells(twin.simulate(2, 30, size=4)).t2m.sizes["cell"]
    4
    """
    caller = "nearest_cells"
    if not set(_PATCH) <= set(patches.dims) or patches.sizes[_PATCH[0]] != patches.sizes[_PATCH[1]]:
        raise ValueError(
            f"{caller}: expected square patches on {_PATCH}, found {dict(patches.sizes)}; make them with collocate"
        )
    size = patches.sizes[_PATCH[0]]
    first = {dim: _first_of_two(patches, dim, caller) for dim in _PATCH}
    steps = [(0, 0)] if size == 1 else [(0, 0), (0, 1), (1, 0), (1, 1)]
    pick = {dim: first[dim] + xr.DataArray([step[k] for step in steps], dims="cell") for k, dim in enumerate(_PATCH)}
    if any("site" in index.dims for index in pick.values()):
        pick["site"] = xr.DataArray(np.arange(patches.sizes["site"]), dims="site")
    on_cells = patches.isel(pick).assign_coords(cell=("cell", np.arange(len(steps)), {"long_name": "cell, row by row"}))
    return on_cells.transpose("site", ..., "cell", missing_dims="ignore")


def _first_of_two(patches: xr.Dataset, dim: str, caller: str) -> xr.DataArray | int:
    """First of the two nearest cells along a patch dimension: one index for all, or one a site (site,)."""
    size = patches.sizes[dim]
    if size == 1 or size % 2 == 0:
        return max(size // 2 - 1, 0)
    cell, place = ("cell_lat", "lat") if dim == _PATCH[0] else ("cell_lon", "lon")
    if cell not in patches.coords or place not in patches.coords:
        raise ValueError(
            f"{caller}: in patches of odd size {size} the nearest cells depend on {cell!r} and {place!r}, "
            f"which are not coordinates; "
            f"make the patches with collocate"
        )
    ahead = patches[place].variable - patches[cell].isel({dim: size // 2}).variable
    before = ahead.values > 0 if place == "lat" else (ahead.values + 180.0) % 360.0 - 180.0 < 0
    return xr.DataArray(size // 2 - before.astype(np.int64), dims="site")
