"""Maps of places and fields, drawn offline."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.choices import Resolution
from xdrought.events.counts import flash_frequency, require_lat_lon
from xdrought.flags import flags_of
from xdrought.plot import style
from xdrought.public_functions import public

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COASTLINE = Path(__file__).with_name("coastline.npz")
BORDERS = Path(__file__).with_name("borders.npz")


@cache
def _segments(packaged: Path) -> tuple[np.ndarray, ...]:
    """The packaged coastline or borders as segments (point, 2), none of them over the date line."""
    with np.load(packaged) as stored:
        points = np.column_stack([stored["lon"], stored["lat"]]).astype("float64")
        return tuple(np.split(points, stored["start"][1:]))


def _natural_earth_folders(kind: str) -> list[Path]:
    import cartopy

    roots = [Path(cartopy.config[key]) for key in ("pre_existing_data_dir", "data_dir", "repo_data_dir")]
    folders = [root / "shapefiles" / "natural_earth" / kind for root in roots]
    return [*folders, roots[0] / "natural_earth" / kind]  # the variable may name the inner folder


def _coast_geometries(resolution: str) -> list[Any]:
    """Coastlines for cartopy: the packaged ones, or Natural Earth files that are already on this computer."""
    from cartopy.io.shapereader import Reader
    from shapely import LineString

    if resolution == "110m":
        return [LineString(segment) for segment in _segments(COASTLINE)]
    folders = _natural_earth_folders("physical")
    for folder in folders:
        if (path := folder / f"ne_{resolution}_coastline.shp").is_file():
            return list(Reader(path).geometries())
    raise FileNotFoundError(
        f"no Natural Earth coastline {resolution!r} in {[str(folder) for folder in folders]}; "
        f"set CARTOPY_DATA_DIR before cartopy is imported, fetch it with "
        f'cartopy.io.shapereader.natural_earth("{resolution}", "physical", "coastline"), '
        f'or use resolution="110m"'
    )


def _border_geometries(resolution: str) -> list[Any]:
    """Borders of countries: Natural Earth's of this resolution where they are on this computer, else the packaged."""
    from cartopy.io.shapereader import Reader
    from shapely import LineString

    for folder in _natural_earth_folders("cultural") if resolution != "110m" else []:
        if (path := folder / f"ne_{resolution}_admin_0_boundary_lines_land.shp").is_file():
            return list(Reader(path).geometries())
    return [LineString(segment) for segment in _segments(BORDERS)]


def _patch_as_field(data: xr.DataArray) -> xr.DataArray:
    """A patch with the coordinates of its cells as a field (lat, lon); anything else as it is."""
    cells = {"patch_lat": "cell_lat", "patch_lon": "cell_lon"}
    if not all(dim in data.dims and name in data.coords and data[name].dims == (dim,) for dim, name in cells.items()):
        return data
    field = data.drop_vars(["lat", "lon", *cells], errors="ignore")
    return field.swap_dims(cells).rename(cell_lat="lat", cell_lon="lon")


_ONE_PLACE = 2.0  # degrees shown around a single cell, which has no width of its own


def extent_around(lon: np.ndarray, lat: np.ndarray, least: float) -> tuple[float, float, float, float] | None:
    """West, east, south, north around the data by the shorter way round; None when that is most of the world.

    A region is at least `least` degrees high, and neither a needle nor a ribbon.
    """
    around = np.unique(np.mod(lon[np.isfinite(lon)], 360))
    if not around.size or not np.isfinite(lat).any():
        raise ValueError(
            "no place has a latitude and a longitude, so there is nothing to put on a map; assign them, "
            "e.g. da.assign_coords(lat=('site', ...), lon=('site', ...))"
        )
    gaps = np.diff(np.r_[around, around[0] + 360])
    widest = int(gaps.argmax())
    width, height = 360 - gaps[widest], np.nanmax(lat) - np.nanmin(lat)
    if width > 180 or height > 110:
        return None
    if width == height == 0:
        least = max(least, _ONE_PLACE)
    east_west = around[(widest + 1) % around.size] + width / 2
    middle = ((east_west + 180) % 360 - 180, (np.nanmax(lat) + np.nanmin(lat)) / 2)
    shrink = max(np.cos(np.deg2rad(middle[1])), 0.2)  # a degree of longitude in degrees of latitude
    pad = 0.08 * max(width * shrink, height)
    half_height = max(height / 2 + pad, 0.25 * (width * shrink + 2 * pad), least / 2)
    half_width = max(width / 2 + pad / shrink, 0.8 * half_height / shrink)
    south, north = max(middle[1] - half_height, -90), min(middle[1] + half_height, 90)
    return middle[0] - half_width, middle[0] + half_width, south, north


def _aspect(extent: tuple[float, float, float, float]) -> float:
    """Height over width of a region on the ground, kept between 0.3 and 1.5."""
    west, east, south, north = extent
    shrink = max(np.cos(np.deg2rad((south + north) / 2)), 0.2)
    return float(np.clip((north - south) / ((east - west) * shrink), 0.3, 1.5))


def new_map(ax: Axes | None, extent: Any, projection: Any) -> Any:
    """GeoAxes: the caller's, or Robinson for the world and an equal-area map around a region."""
    try:
        import cartopy.crs as ccrs
        from cartopy.mpl.geoaxes import GeoAxes
    except ModuleNotFoundError as error:
        raise style.missing_package(error.name or "cartopy") from error
    if ax is not None:
        if not isinstance(ax, GeoAxes):
            raise ValueError(
                f"ax is {type(ax).__name__}, which has no map projection; "
                f'make it with plt.subplots(subplot_kw={{"projection": cartopy.crs.Robinson()}})'
            )
        return ax
    import matplotlib.pyplot as plt

    is_wide = extent is None or extent[1] - extent[0] > 180  # more than an equal-area map of a region can show
    if projection is None and is_wide:
        projection = ccrs.Robinson(0 if extent is None else (extent[0] + extent[1]) / 2)
    elif projection is None:
        west, east, south, north = extent
        projection = ccrs.LambertAzimuthalEqualArea((west + east) / 2, (south + north) / 2)
    size = (7.1, 4.1) if is_wide else (5.0, 0.6 + 3.9 * _aspect(extent))
    return plt.subplots(figsize=size, layout="constrained", subplot_kw={"projection": projection})[1]


def _require_drawable(data: xr.DataArray) -> None:
    """Refuse what has no color, and places that are none."""
    if data.dtype.kind not in "fiub":
        name = str(data.name or "the input")
        cures = {
            "m": "make numbers of it, da = da / numpy.timedelta64(1, 'D')",
            "M": "make numbers of it, e.g. da = da.dt.dayofyear",
        }
        cure = cures.get(data.dtype.kind, "make numbers of it, da = da.astype(float)")
        raise TypeError(f"{name!r} has dtype {data.dtype}, which has no colors; {cure}")
    lat = data["lat"].values.astype("float64")
    if (np.abs(lat) > 90).any():
        raise ValueError(
            f"latitudes run from {np.nanmin(lat):g} to {np.nanmax(lat):g}; if lat and lon are each other's, use "
            f".rename(lat='lon', lon='lat')"
        )


@public
@style.squeezed
def plot_map(
    data: xr.DataArray | xr.Dataset,
    *,
    years: float | xr.DataArray | None = None,
    extent: tuple[float, float, float, float] | None = None,
    projection: Any = None,
    resolution: Resolution | None = "110m",
    borders: bool = True,
    cmap: str = "YlOrBr",
    vmin: float | None = None,
    vmax: float | None = None,
    significant: xr.DataArray | None = None,
    colorbar: bool = True,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw events per place, one value per site, a field, or the classes of a day, on a map; nothing is downloaded.

    Parameters
    ----------
    data : xarray.Dataset or xarray.DataArray
        Events from :func:`xdrought.flash_drought_events`, counted per site or cell (see
        :func:`xdrought.flash_frequency`); or values on one dimension with coordinates `lat` and `lon`; or a field
        (lat, lon), e.g. a variable of :func:`xdrought.drought_summary`, or one day of
        :func:`xdrought.drought_classes`, which has colors of its own; or the patch of one site (patch_lat, patch_lon)
        with its ``cell_lat`` and ``cell_lon``, e.g. attributions of one day and driver. Dask values are computed.
    years : float or xarray.DataArray, optional
        With events: length of the record in years, so that rates are drawn. By site, with `lat` and `lon`, or on
        (lat, lon) of a grid, it also names the places that had no event, which a table of events cannot know.
    extent : tuple of float, optional
        West, east, south, north in degrees; around the data by default, the world when they are far apart.
    projection : cartopy.crs.Projection, optional
        Robinson for the world, Lambert's equal-area one for a region by default.
    resolution : {"110m", "50m", "10m"} or None
        Coastline: "110m" comes with the package; the others must be on this computer; None draws none.
    borders : bool
        Whether to draw the borders of countries, thinner than the coast and of its resolution where that is here.
    cmap : str
        Color map.
    vmin, vmax : float, optional
        Ends of the colors; the data's by default.
    significant : xarray.DataArray, optional
        True or False on the places of `data`: dots where it is True, e.g. ``trend.p_value_adjusted < 0.05``.
    colorbar : bool
        Whether to draw the color bar, or of classes the legend.
    title : str, optional
        By default none, and with events how many there are at how many places.
    ax : cartopy.mpl.geoaxes.GeoAxes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    cartopy.mpl.geoaxes.GeoAxes

    Raises
    ------
    ValueError
        Without lat and lon, with further dimensions, or when `ax` has no map projection.
    FileNotFoundError
        When the coastline asked for is not on this computer.
    ModuleNotFoundError
        Without matplotlib or cartopy.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_map
    >>> places = {"lat": ("site", [47.1, 50.9]), "lon": ("site", [11.3, 13.5])}
    >>> ax = plot_map(xr.DataArray([1.2, 0.7], dims="site", coords=places, name="rate"))
    >>> ax.projection.__class__.__name__
    'LambertAzimuthalEqualArea'
    """
    if isinstance(data, xr.Dataset):
        if "event" not in data.dims:
            raise ValueError(f"a Dataset with {sorted(map(str, data.data_vars))} was given; choose one, ds[name]")
        counted, data = data, flash_frequency(data, years)
        places = f"{int(data.notnull().sum())} {'sites' if 'site' in data.coords else 'cells'}"
        title = title if title is not None else f"{int(counted['is_flash'].sum())} flash droughts at {places}"
    data = _places(data)
    _require_drawable(data)
    is_field = set(data.dims) == {"lat", "lon"}
    lon, lat = (data[name].values.astype("float64") for name in ("lon", "lat"))
    if extent is None and data.size:
        extent = extent_around(lon, lat, least=0 if is_field else 8)
    axes = new_map(ax, extent, projection)
    draw_ground(axes, extent, resolution, borders)
    palette = style.class_palette(data) if flags_of(data) else None
    shown = data if palette is None else palette.numbers
    colors = {"cmap": cmap, "vmin": vmin, "vmax": vmax} if palette is None else palette.colors
    if data.size == 0:
        style.message(axes, "no flash drought event")
    elif is_field:
        drawn = draw_field(axes, lon, lat, shown.transpose("lat", "lon").values, **colors)
    else:
        drawn = _points(axes, shown, **colors)
    if significant is not None:
        _stipple(axes, _places(significant), data)
    if palette is not None and colorbar:
        style.legend_below(axes, palette.handles, below=22)
        if ax is None:
            axes.figure.set_figheight(axes.figure.get_figheight() + 0.3)  # the map keeps its size
    elif colorbar and data.size:
        draw_colorbar(axes, drawn, data, extent is None)
    if title is not None:
        axes.set_title(title, fontsize=style.TEXT, loc="left")
    return axes


def _places(data: xr.DataArray) -> xr.DataArray:
    """A field (lat, lon), or one dimension of places; a dimension of one element is left out."""
    data = _patch_as_field(data)
    require_lat_lon(data)
    data = data.squeeze([d for d in data.dims if data.sizes[d] == 1 and d not in ("lat", "lon", "site")])
    is_field = set(data.dims) == {"lat", "lon"}
    if not is_field and (data.ndim != 1 or data["lat"].dims != data.dims or data["lon"].dims != data.dims):
        raise ValueError(
            f"a map shows (lat, lon) or one dimension of places with lat and lon along it; "
            f"{data.name!r} has {tuple(data.dims)}: choose along the others, e.g. .isel(time=0)"
        )
    return data


def _stipple(axes: Any, significant: xr.DataArray, data: xr.DataArray) -> None:
    """Small dots on the places that are significant; of a fine grid on a part of the cells, not to cover it."""
    import cartopy.crs as ccrs

    if set(significant.dims) != set(data.dims):
        raise ValueError(f"significant has {significant.dims}, the data {data.dims}; compare p-values of the same map")
    if significant.dtype != bool:
        raise ValueError(f"significant is {significant.dtype}; give True and False, e.g. p_value < 0.05")
    significant = significant.transpose(*data.dims)
    if significant.ndim == 2:
        step = max(1, max(data.shape) // 60)
        significant = significant[::step, ::step]
        significant = significant.stack(_place=significant.dims, create_index=False)
    lon, lat = (significant[name].values[significant.values] for name in ("lon", "lat"))
    axes.plot(
        lon, lat, ".", color=style.LINE, markersize=2.6, markeredgewidth=0, transform=ccrs.PlateCarree(), zorder=3.5
    )


def west_to_east(lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order of a field's columns from west to east, and their longitudes in that order without a jump.

    The widest gap between neighbouring longitudes lies west of the first column, so that a region over the date line
    is in one piece whether it counts from -180 to 180 or from 0 to 360.
    """
    order = np.argsort(lon % 360, kind="stable")
    east = (lon % 360)[order]
    gaps = np.diff(np.r_[east, east[0] + 360])  # east of each column
    once_around = gaps[-1] > (1 - 1e-6) * gaps.max()  # no gap is wider than that west of the first column
    first = 0 if once_around else int(gaps.argmax()) + 1
    return np.roll(order, -first), np.r_[east[first:], east[:first] + 360]


def draw_field(axes: Any, lon: np.ndarray, lat: np.ndarray, values: np.ndarray, **options: Any) -> Any:
    """A field (lat, lon) as colored cells, with its columns in order from west to east."""
    import cartopy.crs as ccrs

    order, east = west_to_east(lon)
    options = {"zorder": 1, **options}
    return axes.pcolormesh(
        east, lat, values[:, order], transform=ccrs.PlateCarree(), shading="nearest", rasterized=True, **options
    )


def draw_ground(axes: Any, extent: Any, resolution: str | None, borders: bool = True) -> None:
    """Extent, coastline and borders (lines: polygons over the date line would flood the map), labelled gridlines."""
    import cartopy.crs as ccrs
    from cartopy.feature import ShapelyFeature

    if extent is None:
        axes.set_global()
    else:
        middle = (extent[0] + extent[1]) / 2  # from here a region over the date line is in one piece
        around = (extent[0] - middle, extent[1] - middle, *extent[2:])
        axes.set_extent(around, crs=ccrs.PlateCarree(central_longitude=middle))
    if resolution is not None:
        coast = ShapelyFeature(_coast_geometries(resolution), ccrs.PlateCarree())
        axes.add_feature(coast, facecolor="none", edgecolor="#555555", linewidth=0.5, zorder=2)
    if resolution is not None and borders:
        lines = ShapelyFeature(_border_geometries(resolution), ccrs.PlateCarree())
        axes.add_feature(lines, facecolor="none", edgecolor="#8a8a8a", linewidth=0.35, zorder=1.9)
    axes.gridlines(
        draw_labels={"bottom": "x", "left": "y"},
        linewidth=0.3,
        color="#bbbbbb",
        rotate_labels=False,
        x_inline=False,
        y_inline=False,
        xlabel_style={"size": style.SMALL},
        ylabel_style={"size": style.SMALL},
        xlocs=_meridians(extent, axes.figure.get_figwidth()),
        ylocs=_parallels(extent),
        zorder=0.5,
    )


def _round_degrees(low: float, high: float) -> np.ndarray:
    from matplotlib.ticker import MaxNLocator

    return np.asarray(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high))


def _meridians(extent: Any, inches: float) -> np.ndarray:
    """Round longitudes in the extent, in -180 to 180: cartopy's own choice stops at the date line."""
    if extent is None:
        return np.arange(-180, 181, 60 if inches >= style.WIDE else 120)
    return np.sort((_round_degrees(*extent[:2]) + 180) % 360 - 180)


def _parallels(extent: Any) -> np.ndarray:
    return np.arange(-60, 61, 30) if extent is None else _round_degrees(*extent[2:])


def _points(axes: Any, data: xr.DataArray, **colors: Any) -> Any:
    """A dot per place, the largest values on top; places without a value are small crosses."""
    import cartopy.crs as ccrs

    plate = ccrs.PlateCarree()
    data = data.isel({data.dims[0]: np.argsort(data.values)})
    known = np.isfinite(data.values)
    lon, lat = data["lon"].values, data["lat"].values
    area = 26 if axes.figure.get_figwidth() >= style.WIDE else 14
    if not known.all():
        axes.plot(lon[~known], lat[~known], "x", color="#555555", markersize=3, transform=plate, zorder=3)
    return axes.scatter(
        lon[known],
        lat[known],
        c=data.values[known],
        s=area,
        edgecolor=style.LINE,
        linewidth=0.5,
        zorder=3,
        transform=plate,
        **colors,
    )


def draw_colorbar(axes: Any, drawn: Any, data: xr.DataArray, is_world: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    if is_world:
        cax, side = axes.inset_axes((0.15, -0.42, 0.7, 0.1), transform=style.inches_below(axes)), "horizontal"
    else:
        cax, side = axes.inset_axes((1.03, 0, 0.035, 1)), "vertical"  # as long as the map is high
    bar = axes.figure.colorbar(drawn, cax=cax, orientation=side)
    bar.set_label(style.label(data), fontsize=style.TEXT)
    bar.ax.tick_params(labelsize=style.TEXT)
    bar.locator = MaxNLocator(6, integer=data.dtype.kind in "iu")
    bar.outline.set_linewidth(0.5)
    bar.update_ticks()
