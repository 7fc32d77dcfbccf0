"""Space-time droughts on maps: how long each cell was in one, how far it went, and how it moves day by day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.choices import Resolution
from xdrought.plot.maps import draw_colorbar, draw_field, draw_ground, extent_around, new_map, west_to_east
from xdrought.plot.style import LINE, SMALL, TEXT, squeezed, to_datetime64
from xdrought.public_functions import public

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

_HUES = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6b4c9a", "#8c8c00")
_NEEDED = {"object_id", "day_object", "day_time", "day_lat", "day_lon", "day_area"}


@public
@squeezed
def plot_objects(
    objects: xr.Dataset,
    ids: int | Sequence[int] | None = None,
    *,
    extent: tuple[float, float, float, float] | None = None,
    projection: Any = None,
    resolution: Resolution | None = "110m",
    cmap: str = "YlOrBr",
    track_cmap: str = "viridis",
    colorbar: bool = True,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the footprint of space-time droughts, and the tracks of their centroids colored by day.

    Parameters
    ----------
    objects : xarray.Dataset
        From :func:`xdrought.drought_objects`. The days of the objects drawn are computed, no other.
    ids : int or sequence of int, optional
        Numbers of the objects; by default the one with the largest sum of daily areas.
    extent : tuple of float, optional
        West, east, south, north in degrees; around the objects by default.
    projection : cartopy.crs.Projection, optional
        As for :func:`plot_map`.
    resolution : {"110m", "50m", "10m"} or None
        Coastline, as for :func:`plot_map`.
    cmap : str
        Colors of the days that each cell was in an object.
    track_cmap : str
        Colors of the days along the track.
    colorbar : bool
        Whether to draw the color bar of the footprint.
    title : str, optional
        By default which objects, and from when to when.
    ax : cartopy.mpl.geoaxes.GeoAxes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    cartopy.mpl.geoaxes.GeoAxes

    Raises
    ------
    ValueError
        For something else than objects, or a number that no object has.
    ModuleNotFoundError
        Without matplotlib or cartopy.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import drought_objects
    >>> from xdrought.plot import plot_objects
    >>> dry = np.zeros((3, 4, 8), bool)
    >>> dry[0, 1, 2], dry[1, 1, 2:4], dry[2, 1, 3] = True, True, True
    >>> coords = {"time": pd.date_range("2001-07-01", periods=3), "lat": [50, 49, 48, 47], "lon": np.arange(8)}
    >>> ax = plot_objects(drought_objects(xr.DataArray(dry, coords, ("time", "lat", "lon"))))
    >>> ax.get_title(loc="left")
    'Flash drought 1, 1 Jul 2001 to 3 Jul 2001'
    """
    chosen = _chosen(objects, ids)
    field, days = _days_in_objects(objects, chosen)
    lon, lat = (field[name].values.astype("float64") for name in field.dims[::-1])
    hit_lat, hit_lon = (axis[np.nonzero(field.values)[k]] for k, axis in enumerate((lat, lon)))
    if extent is None:
        extent = extent_around(hit_lon, hit_lat, least=2 * _cell_size(lat))
    axes = new_map(ax, extent, projection)
    import cartopy.crs as ccrs

    plate = ccrs.PlateCarree()
    draw_ground(axes, extent, resolution)
    shown = field.where(field > 0).rename({field.dims[0]: "lat", field.dims[1]: "lon"})
    drawn = draw_field(axes, lon, lat, shown.values, cmap=cmap, vmin=0)
    for number in chosen:
        _track(axes, objects, number, plate, track_cmap)
    if colorbar:
        draw_colorbar(axes, drawn, shown.assign_attrs(long_name="days in the drought", units="d"), extent is None)
    if title is None:
        named = "Flash drought" + ("s" if len(chosen) > 1 else "")
        title = f"{named} {', '.join(map(str, chosen))}, {_day(days[0])} to {_day(days[-1])}"
    axes.set_title(title, fontsize=TEXT, loc="left")
    return axes


@public
@squeezed
def animate_objects(
    objects: xr.Dataset,
    ids: int | Sequence[int] | None = None,
    *,
    background: xr.DataArray | None = None,
    extent: tuple[float, float, float, float] | None = None,
    projection: Any = None,
    resolution: Resolution | None = "110m",
    cmap: str = "Greys",
    every: int = 1,
    interval: float = 150,
    ax: Axes | None = None,
) -> FuncAnimation:
    """Animate space-time droughts: each in a color of its own, with its track up to the day.

    Parameters
    ----------
    objects : xarray.Dataset
        From :func:`xdrought.drought_objects`. Their days are computed at once.
    ids : int or sequence of int, optional
        Numbers of the objects, from the first day of the earliest to the last of the latest; all objects by default.
    background : xarray.DataArray, optional
        A field (time, lat, lon) to draw beneath, e.g. percentiles.
    extent, projection, resolution, ax
        As for :func:`plot_objects`.
    cmap : str
        Colors of the background.
    every : int
        Show every so many days only.
    interval : float
        Milliseconds between frames.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        Keep it, and write it with ``.save("droughts.gif", writer="pillow")`` or show it with ``.to_jshtml()``.

    Raises
    ------
    ValueError
        As :func:`plot_objects`, or for a background on another grid.
    ModuleNotFoundError
        Without matplotlib or cartopy.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import drought_objects
    >>> from xdrought.plot import animate_objects
    >>> dry = np.zeros((3, 4, 8), bool)
    >>> dry[0, 1, 2], dry[1, 1, 2:4], dry[2, 1, 3] = True, True, True
    >>> coords = {"time": pd.date_range("2001-07-01", periods=3), "lat": [50, 49, 48, 47], "lon": np.arange(8)}
    >>> animation = animate_objects(drought_objects(xr.DataArray(dry, coords, ("time", "lat", "lon"))))
    >>> animation.save("droughts.gif", writer="pillow")  # doctest: +SKIP
    """
    chosen = _chosen(objects, objects["object"].values if ids is None else ids)
    if every < 1:
        raise ValueError(f"every={every}; expected 1 or more days")
    _, days = _days_in_objects(objects, chosen, field=False)
    time, lat_name, lon_name = objects["object_id"].dims
    steps = np.flatnonzero(np.isin(objects[time].values, days))[::every]
    ids_by_day = np.maximum(objects["object_id"].isel({time: steps}).values, 0)  # -1 is missing
    lat, lon = (objects[name].values.astype("float64") for name in (lat_name, lon_name))
    if extent is None:
        extent = extent_around(lon, lat, least=2 * _cell_size(lat))
    axes = new_map(ax, extent, projection)
    import cartopy.crs as ccrs
    from matplotlib.animation import FuncAnimation
    from matplotlib.colors import ListedColormap
    from matplotlib.patheffects import withStroke

    draw_ground(axes, extent, resolution)
    order = west_to_east(lon)[0]  # of the columns that are drawn
    under = None
    if background is not None:
        beneath = _background(background, objects, steps)
        ends = {"vmin": float(beneath.min()), "vmax": float(beneath.max())}
        under = draw_field(axes, lon, lat, beneath.values[0], cmap=cmap, zorder=0.4, **ends)
        draw_colorbar(axes, under, beneath, extent is None)
    hue = np.zeros(int(objects["object"].max()) + 1)
    hue[chosen] = np.arange(len(chosen)) % len(_HUES) + 1
    nothing = np.full(ids_by_day.shape[1:], np.nan)
    over = draw_field(axes, lon, lat, nothing, cmap=ListedColormap(_HUES), vmin=0.5, vmax=len(_HUES) + 0.5)
    halo = [withStroke(linewidth=2.6, foreground="white")]
    tracks = {
        k: axes.plot([], [], "-", color=LINE, linewidth=1.2, transform=ccrs.Geodetic(), zorder=3, path_effects=halo)[0]
        for k in chosen
    }
    dates = to_datetime64(objects[time].values[steps])
    of_day = {k: objects["day_object"].values == k for k in chosen}

    def show(frame: int) -> list[Any]:
        hues = hue[ids_by_day[frame][:, order]]
        over.set_array(np.where(hues > 0, hues, np.nan))
        if under is not None:
            under.set_array(beneath.values[frame][:, order])
        today = objects[time].values[steps[frame]]
        for number, line in tracks.items():
            rows = of_day[number] & (objects["day_time"].values <= today)
            alive = of_day[number] & (objects["day_time"].values >= today)
            shown = rows if alive.any() else np.zeros_like(rows)
            line.set_data(objects["day_lon"].values[shown], objects["day_lat"].values[shown])
        present = np.isin(chosen, ids_by_day[frame]).sum()
        axes.set_title(
            f"{_day(dates[frame])}: {present} flash drought{'' if present == 1 else 's'}", fontsize=TEXT, loc="left"
        )
        return [over, *tracks.values()]

    return FuncAnimation(axes.figure, show, frames=len(steps), interval=interval, blit=False)


def _chosen(objects: xr.Dataset, ids: Any) -> list[int]:
    """Numbers of the objects to draw."""
    if not isinstance(objects, xr.Dataset) or not set(objects.variables) >= _NEEDED:
        raise ValueError(f"objects must come from xdrought.drought_objects, with {sorted(_NEEDED)}")
    known = objects["object"].values
    if not known.size:
        raise ValueError("there is no object; nothing to draw")
    if ids is None:
        return [int(known[np.argmax(objects["area_days"].values)])]
    wanted = [int(number) for number in np.atleast_1d(np.asarray(ids))]
    if not wanted or (missing := sorted(set(wanted) - set(known.tolist()))):
        raise ValueError(f"no object {missing if wanted else ''}; there are {known[0]} to {known[-1]}")
    return wanted


def _days_in_objects(objects: xr.Dataset, ids: list[int], field: bool = True) -> tuple[xr.DataArray, np.ndarray]:
    """Number of days of each cell in some objects (lat, lon), and the days from the first to the last of them."""
    time = objects["object_id"].dims[0]
    own = objects[["start_time", "end_time"]].sel(object=ids)
    of_all = objects[time].values
    days = of_all[(of_all >= own["start_time"].values.min()) & (of_all <= own["end_time"].values.max())]
    if not field:
        return objects["object_id"], days
    inside = objects["object_id"].sel({time: slice(days[0], days[-1])}).isin(ids)
    step = (
        float((of_all[1] - of_all[0]) / np.timedelta64(1, "D")) if of_all.dtype.kind == "M" and of_all.size > 1 else 1
    )
    return (inside.sum([time]) * int(step)).compute(), to_datetime64(days)


def _background(background: xr.DataArray, objects: xr.Dataset, steps: np.ndarray) -> xr.DataArray:
    """The days of a field that are shown."""
    ids = objects["object_id"]
    same = set(background.dims) == set(ids.dims) and all(
        background.indexes.get(d) is not None and background.indexes[d].equals(ids.indexes[d]) for d in ids.dims
    )
    if not same:
        raise ValueError("the background is on another grid than the objects'; use .reindex_like(objects)")
    return background.transpose(*ids.dims).isel({ids.dims[0]: steps}).compute()


def _cell_size(lat: np.ndarray) -> float:
    return float(np.abs(np.diff(lat)).mean()) if lat.size > 1 else 1.0


def _track(axes: Any, objects: xr.Dataset, number: int, plate: Any, cmap: str) -> None:
    """The centroids of an object, a line with a dot a day from the first color to the last."""
    import cartopy.crs as ccrs

    rows = objects["day_object"].values == number
    lon, lat, area = (objects[name].values[rows] for name in ("day_lon", "day_lat", "day_area"))
    axes.plot(lon, lat, "-", color=LINE, linewidth=0.8, transform=ccrs.Geodetic(), zorder=3)
    size = 6 + 34 * area / area.max()
    axes.scatter(
        lon, lat, c=np.arange(lon.size), s=size, cmap=cmap, edgecolor=LINE, linewidth=0.4, transform=plate, zorder=4
    )
    times = to_datetime64(objects["day_time"].values[rows])
    for k, align in ((0, "bottom"), (-1, "top")):
        if np.isfinite(lon[k]):
            axes.annotate(
                _day(times[k], year=False),
                (lon[k], lat[k]),
                xycoords=plate._as_mpl_transform(axes),
                fontsize=SMALL,
                xytext=(5, 5 if align == "bottom" else -5),
                textcoords="offset points",
                va=align,
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.8},
            )


def _day(time: np.datetime64, year: bool = True) -> str:
    """A date in words: 5 Jul 2003."""
    day = time.astype("datetime64[D]").item()
    return f"{day.day} {day:%b %Y}" if year else f"{day.day} {day:%b}"
