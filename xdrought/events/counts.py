"""How many droughts where and when: per place and year, by year, and through the seasons."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.choices import CountBy
from xdrought.public_functions import public

__all__ = ["event_counts", "flash_frequency"]


_IN_FULL = {"lat": "latitude", "lon": "longitude"}


def require_lat_lon(data: xr.DataArray | xr.Dataset) -> None:
    """Raise unless the places have coordinates `lat` and `lon`."""
    if missing := [name for name in ("lat", "lon") if name not in data.coords]:
        long = {name: lat_lon for lat_lon, name in _IN_FULL.items() if lat_lon in missing and name in data.coords}
        if len(long) == len(missing):
            raise ValueError(f"{' and '.join(missing)} are called otherwise here; rename them, .rename({long})")
        raise ValueError(
            f"{' and '.join(missing)} not among the coordinates {sorted(map(str, data.coords))}; "
            f"rename or assign, e.g. .assign_coords(lat=('site', ...), lon=('site', ...))"
        )


def require_events(events: xr.Dataset) -> None:
    """Raise unless `events` is an event table."""
    needed = {"onset_time", "start_time", "end_time", "is_flash"}
    if "event" not in events.dims or not needed <= set(events.variables):
        raise ValueError(
            f"events must come from flash_drought_events, with {sorted(needed)} on 'event'; "
            f"found {sorted(map(str, events.variables))} on {tuple(events.sizes)}"
        )


def require_one_definition(events: xr.Dataset) -> None:
    """Raise when the same drought may be in the table several times."""
    if "definition" in events.coords and (names := np.unique(events["definition"].values)).size > 1:
        raise ValueError(
            f"the events are of the definitions {names.tolist()}; choose one, "
            f'e.g. events.isel(event=events.definition == "{names[0]}")'
        )


@public
def flash_frequency(events: xr.Dataset, years: float | xr.DataArray | None = None) -> xr.DataArray:
    """Flash droughts of each place, per year when the length of the record is given.

    Parameters
    ----------
    events : xarray.Dataset
        From :func:`xdrought.flash_drought_events`, of one definition, with `lat` and `lon`.
    years : float or xarray.DataArray, optional
        Length of the records in years: one for all, or by `site`, or on (lat, lon) of a grid. By place it also names
        the places that had no event, which a table of events cannot know.

    Returns
    -------
    xarray.DataArray
        On `site` with `lat` and `lon`, or on (lat, lon): number of flash droughts (1), or their frequency (per year).
        Cells of a grid without any event are NaN, unless `years` says that they are there. The same numbers of a grid
        without a table are ``flash_frequency`` of :func:`xdrought.drought_summary`.

    Raises
    ------
    ValueError
        For anything else than events of one definition on places, or `years` of other places.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import flash_drought_events, flash_frequency
    >>> p = np.tile(np.repeat([60.0, 30.0, 15.0, 30.0], [5, 1, 20, 10]), 2)
    >>> coords = {"lat": [50.0], "lon": [8.0, 9.0], "time": pd.date_range("2001-01-01", periods=72)}
    >>> grid = xr.DataArray(np.tile(p, (1, 2, 1)), coords, ("lat", "lon", "time"))
    >>> flash_frequency(flash_drought_events(grid, is_percentile=True), years=2.0).values
    array([[1., 1.]])
    """
    require_events(events)
    require_one_definition(events)
    require_lat_lon(events)
    years = checks.lengths_in_years(years)
    by_site = "site" in events.coords
    columns = ["site", "lat", "lon"] if by_site else ["lat", "lon"]
    table = pd.DataFrame({name: events[name].values for name in [*columns, "is_flash"]})
    counts = table.groupby(columns, sort=True)["is_flash"].sum().astype("int64").reset_index()
    count = _of_sites(counts, columns, years) if by_site else _of_cells(counts, years)
    if years is None:
        return count.rename("flash_count").assign_attrs(long_name="flash droughts", units="1")
    return (count / years).rename("flash_frequency").assign_attrs(long_name="flash droughts", units="year-1")


def _of_sites(counts: pd.DataFrame, columns: list[str], years: float | xr.DataArray | None) -> xr.DataArray:
    place = {name: ("site", counts[name].to_numpy()) for name in columns}
    count = xr.DataArray(counts["is_flash"].to_numpy(), dims="site", coords=place)
    if isinstance(years, xr.DataArray):
        if "site" not in years.coords:
            raise ValueError("years by site need a coordinate 'site' on the events and on years")
        require_lat_lon(years)
        if set(years.dims) != {"site"}:
            raise ValueError(
                f"years by site are one length for each site, found {tuple(years.dims)}; those of a daily record are "
                f"record.notnull().sum('time') / 365.2425"
            )
        zeroes = count.drop_vars(["lat", "lon"]).reindex(site=years["site"].values, fill_value=0)
        return years.copy(data=zeroes.values)
    return count


def _of_cells(counts: pd.DataFrame, years: float | xr.DataArray | None) -> xr.DataArray:
    """Counts as a field; scattered cells (more than a hundred places a count) stay a list of places."""
    lat, lon = (np.unique(counts[name]) for name in ("lat", "lon"))
    if isinstance(years, xr.DataArray):
        if set(years.dims) != {"lat", "lon"}:
            raise ValueError(
                f"years by site need a coordinate 'site' on the events and on years; of a grid they are on (lat, lon), "
                f"found {tuple(years.dims)}; those of a daily record are record.notnull().sum('time') / 365.2425"
            )
        lat, lon = years["lat"].values, years["lon"].values
    elif lat.size * lon.size > 100 * max(len(counts), 1):
        place = {name: ("cell", counts[name].to_numpy()) for name in ("lat", "lon")}
        return xr.DataArray(counts["is_flash"].to_numpy(), dims="cell", coords=place)
    field = counts.set_index(["lat", "lon"])["is_flash"].unstack()
    found = field.reindex(index=lat, columns=lon).to_numpy(dtype="float64")
    found = np.where(np.isnan(found), 0.0, found) if isinstance(years, xr.DataArray) else found
    return xr.DataArray(found, {"lat": lat, "lon": lon}, ("lat", "lon"))


@public
def event_counts(events: xr.Dataset, *, by: CountBy = "year") -> xr.Dataset:
    """Number of droughts by the year or the month of their onset.

    Parameters
    ----------
    events : xarray.Dataset
        From :func:`xdrought.flash_drought_events`, of one definition; all places together: choose before, for one.
    by : {"year", "month"}
        Every year from the first to the last onset, or the twelve months, for the season of onsets.

    Returns
    -------
    xarray.Dataset
        `flash_count` and `normal_count` (1) on `year` or `month`.

    Raises
    ------
    ValueError
        For anything else than events of one definition, or without any event when they are counted by year.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from xdrought import event_counts
    >>> days = pd.to_datetime(["2001-06-01", "2001-07-01", "2003-06-01"])
    >>> moments = {name: ("event", days) for name in ("onset_time", "start_time", "end_time")}
    >>> events = xr.Dataset({**moments, "is_flash": ("event", [True, False, True])})
    >>> event_counts(events).flash_count.values
    array([1, 0, 1])
    """
    checks.require_choice(by, "by", get_args(CountBy))
    require_events(events)
    require_one_definition(events)
    when = events["onset_time"].dt.year.values if by == "year" else events["onset_time"].dt.month.values
    if by == "year" and not when.size:
        raise ValueError("there is no event, so no year to count; by='month' gives twelve zeros")
    steps = np.arange(when.min(), when.max() + 1) if by == "year" else np.arange(1, 13)
    is_flash = events["is_flash"].values.astype(bool)
    counts = {
        name: np.bincount(when[chosen].astype(int) - steps[0], minlength=steps.size)
        for name, chosen in (("flash_count", is_flash), ("normal_count", ~is_flash))
    }
    texts = {"flash_count": "flash droughts", "normal_count": "normal droughts"}
    named = {name: (by, values, {"long_name": texts[name], "units": "1"}) for name, values in counts.items()}
    return xr.Dataset(named, {by: (by, steps, {"long_name": f"{by} of the onset"})})
