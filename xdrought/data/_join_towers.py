"""The towers' variables beside the drivers of their sites."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

from xdrought.data._site_list import name_some

_SAME_PLACE = 1e-4  # degrees, some 10 m


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
    ERA5 days are UTC, those of FLUXNET and USCRN local standard time. Nothing is shifted here: at 120 degrees
    west, day D of the tower is 08 UTC of D to 08 UTC of the day after. Of dask data only the places are read.

    Examples
    --------
    >>> from xdrought.data import collocate, twin
    >>> world = twin.simulate(2, 30, size=4)
    >>> joined = collocate.join_towers(world[["t2m", "tp"]], world[["soil_moisture"]])
    >>> sorted(joined.data_vars)
    ['soil_moisture', 't2m', 'tp']
    """
    caller = "join_towers"
    both = sorted(str(name) for name in set(patches.data_vars) & set(towers.data_vars))
    if both:
        raise ValueError(f"{caller}: {both} are variables of both; drop or rename them in one")
    absent = np.setdiff1d(patches["site"].values, towers["site"].values)
    if absent.size:
        raise ValueError(
            f"{caller}: the towers lack the sites {name_some(absent)}; select those both have, e.g. "
            f'patches.sel(site=np.intersect1d(patches["site"], towers["site"]))'
        )
    ordered = towers.sel(site=patches["site"].values)
    _require_same_places(patches, ordered, caller)
    if time in towers.dims and not len(patches.indexes[time].intersection(towers.indexes[time])):
        spans = [f"{index[0]} to {index[-1]}" for index in (patches.indexes[time], towers.indexes[time])]
        raise ValueError(f"{caller}: no day is in both: drivers {spans[0]}, towers {spans[1]}")
    on_days = ordered.reindex({time: patches.indexes[time]}) if time in towers.dims else ordered
    return patches.assign({name: _tower_order(da, time) for name, da in on_days.data_vars.items()}).assign_coords(
        {name: on_days[name] for name in on_days.coords if name not in patches.coords}
    )


def _tower_order(da: xr.DataArray, time: Hashable) -> xr.DataArray:
    return da.reset_coords(drop=True).transpose("site", time, ..., missing_dims="ignore")


def _require_same_places(patches: xr.Dataset, towers: xr.Dataset, caller: str) -> None:
    for name in ("lat", "lon"):
        if name not in patches.coords or name not in towers.coords:
            continue
        apart = np.abs(patches[name].values.astype("float64") - towers[name].values.astype("float64"))
        apart = np.minimum(apart, 360.0 - apart) if name == "lon" else apart
        if (apart > _SAME_PLACE).any():
            moved = patches["site"].values[apart > _SAME_PLACE]
            raise ValueError(
                f"{caller}: {name!r} of {name_some(moved)} differs by up to {apart.max():g} degrees between "
                f"drivers and "
                f"towers; collocate with the towers' own places"
            )
