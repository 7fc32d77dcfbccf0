"""What drives what: skill of each driver with its significance, and where which cause is strongest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import xarray as xr

from xdrought.choices import Resolution
from xdrought.plot import style
from xdrought.plot.maps import plot_map
from xdrought.plot.records import frameless
from xdrought.public_functions import public

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TESTS = {  # the most honest p-value of a relation that is there is the one that counts
    "surrogate_p_value_adjusted": "surrogates, adjusted for many tests",
    "surrogate_p_value": "surrogates",
    "p_value_adjusted": "raw, adjusted, ignores autocorrelation",
    "p_value": "raw, ignores autocorrelation",
}
GAIN_TESTS = {"p_value_adjusted": "given the others, adjusted for many tests", "p_value": "given the others"}
SKILL_LABEL, GAIN_LABEL = "Cross-map skill ρ (relation)", "Gain of prediction, given the others"


def _tested(causality: xr.Dataset, alpha: float) -> tuple[xr.DataArray, xr.DataArray, str, str]:
    """Skill or gain, where the best p-value that is there is below `alpha`, what to call this, and an axis label."""
    is_gain = "gain" in causality and "rho" not in causality
    tests, value = (GAIN_TESTS, "gain") if is_gain else (TESTS, "rho")
    kinds = [name for name in tests if name in causality]
    if value not in causality or not kinds:
        raise ValueError(
            f"rho and p_value are needed, found {sorted(map(str, causality.data_vars))}; give the result of ccm, or "
            f"gain and p_value of driver_gain"
        )
    mark = f"p < {alpha:g} ({tests[kinds[0]]})"
    return causality[value], causality[kinds[0]] < alpha, mark, GAIN_LABEL if is_gain else SKILL_LABEL


@public
@style.squeezed
def plot_causality(
    causality: xr.Dataset,
    *,
    alpha: float = 0.05,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw how each driver is related to soil moisture, or what it drives given the others, significant ones marked.

    Without sites a bar per driver and direction; with sites a heat map. Of :func:`xdrought.ccm` the cross-map skill is
    drawn: a relation beyond season and memory, with shared weather nearly all are. Of :func:`xdrought.driver_gain` the
    gain is drawn: what drives soil moisture, given the other drivers. Significance of a relation is that of the
    surrogates where there is a `surrogate_p_value`, adjusted for many tests where that was done, else of `p_value`,
    which ignores autocorrelation and is too small.

    Parameters
    ----------
    causality : xarray.Dataset
        From :func:`xdrought.ccm` or :func:`xdrought.causality_degree`, `rho` and `p_value` on
        (variable[, direction][, site]); or from :func:`xdrought.driver_gain`, `gain` and `p_value`.
    alpha : float
        Level of significance.
    legend : bool
        Whether to explain directions and markers.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Without rho and a p-value, or with other dimensions.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_causality
    >>> rho = xr.DataArray([0.7, 0.2], {"variable": ["t2m", "tp"]})
    >>> ax = plot_causality(xr.Dataset({"rho": rho, "p_value": ("variable", [0.001, 0.3])}))
    >>> ax.get_xlabel()
    'Cross-map skill ρ (relation)'
    """
    rho, significant, mark, label = _tested(causality, alpha)
    alone = [dim for dim in ("cell",) if causality.sizes.get(dim) == 1]  # of a tower
    rho, significant = rho.squeeze(alone), significant.squeeze(alone)
    if "variable" not in rho.dims or not set(rho.dims) <= {"variable", "direction", "site"}:
        raise ValueError(
            f"{rho.name} must be on (variable[, direction][, site]), found {tuple(rho.dims)}; "
            f"choose along the others with .isel(...)"
        )
    if "direction" not in rho.dims:
        rho = rho.expand_dims("direction")
    significant = significant.broadcast_like(rho)
    if "site" in rho.dims:
        return _causality_map(rho, significant, (mark, label), legend, ax)
    return _causality_bars(rho, significant, (mark, label), legend, ax)


def _names(rho: xr.DataArray, dim: str) -> list[str]:
    if dim not in rho.coords:
        return [""] * rho.sizes[dim]
    return [style.literal(name) for name in np.atleast_1d(rho[dim].values)]


def _causality_bars(
    rho: xr.DataArray, significant: xr.DataArray, texts: tuple[str, str], legend: bool, ax: Axes | None
) -> Axes:
    """Drivers down, one bar per direction; `texts` say what is marked and what is drawn."""
    from matplotlib.lines import Line2D

    mark, label = texts
    directions, variables = rho.sizes["direction"], rho.sizes["variable"]
    ax = style.new_axes(ax, (4.0, 0.9 + 0.16 * variables * (1 + directions) / 1.5))
    thick, rows = 0.8 / directions, np.arange(variables)
    handles: list[Any] = []
    for i, name in enumerate(_names(rho, "direction")):
        values = rho.isel(direction=i).values
        at = rows + (i - (directions - 1) / 2) * thick
        bars = ax.barh(at, values, 0.9 * thick, color=[style.FORECAST, "#c9c9c9"][i % 2], label=name or "ρ")
        sure = significant.isel(direction=i).transpose("variable").values
        beside = np.maximum(values, 0)[sure] + 0.02
        ax.plot(beside, at[sure], "*", color=style.LINE, markersize=4, markeredgewidth=0)
        handles += [bars] if name else []
    handles.append(Line2D([], [], marker="*", color=style.LINE, linestyle="none", markersize=4, label=mark))
    ax.axvline(0, color=style.LINE, linewidth=0.6)
    ax.set_yticks(rows, _names(rho, "variable"), fontsize=style.TEXT)
    ax.invert_yaxis()
    ax.set_xlabel(label, fontsize=style.TEXT)
    style.clean(ax)
    if legend:
        style.legend_below(ax, handles, below=30)
    return ax


def _causality_map(
    rho: xr.DataArray, significant: xr.DataArray, texts: tuple[str, str], legend: bool, ax: Axes | None
) -> Axes:
    """Drivers down, sites across, one block per direction with a gap between; `texts` as for bars."""
    from matplotlib.lines import Line2D

    mark, label = texts
    sites, variables = rho.sizes["site"], rho.sizes["variable"]
    order = ("direction", "variable", "site")
    table, sure = rho.transpose(*order).values, significant.transpose(*order).values
    gap = np.full((variables, 1), np.nan)
    blocks = [block for values in table for block in (values, gap)][:-1]
    ax = style.new_axes(ax, (7.1, 1.5 + 0.18 * variables))
    limit = float(np.nanmax(np.abs(table))) if np.isfinite(table).any() else 1.0
    image = ax.imshow(np.hstack(blocks), cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
    names = _names(rho, "direction")
    for i, name in enumerate(names):
        y, x = np.nonzero(sure[i])
        ax.plot(x + i * (sites + 1), y, ".", color=style.LINE, markersize=2)
        ax.annotate(
            name,
            (i * (sites + 1) + (sites - 1) / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=style.TEXT,
        )
    ax.set_yticks(range(variables), _names(rho, "variable"), fontsize=style.TEXT)
    few = sites * len(names) <= 60
    ticks = [i * (sites + 1) + j for i in range(len(names)) for j in range(sites)] if few else []
    ax.set_xticks(ticks, _names(rho, "site") * len(names) if few else [], rotation=90, fontsize=style.SMALL)
    if not few:
        ax.set_xlabel(f"{sites} sites", fontsize=style.TEXT)
    frameless(ax)
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.02, 0, 0.02, 1)))
    bar.set_label(label, fontsize=style.TEXT)
    bar.ax.tick_params(labelsize=style.TEXT)
    if legend:
        dot = Line2D([], [], marker=".", color=style.LINE, linestyle="none", markersize=3, label=mark)
        style.legend_below(ax, [dot], below=42 if few else 26)
    return ax


@public
@style.squeezed
def plot_dominant_cause(
    causality: xr.Dataset,
    *,
    alpha: float = 0.05,
    extent: tuple[float, float, float, float] | None = None,
    projection: Any = None,
    resolution: Resolution | None = "110m",
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw on a map which significant driver has the largest skill, or gain, at each site or in each cell.

    Of :func:`xdrought.ccm` this is the strongest relation, of :func:`xdrought.driver_gain` the driver that adds most
    given the others. Places where none is significant are grey; places without any skill are left out. Significance is
    as in :func:`xdrought.plot.plot_causality`.

    Parameters
    ----------
    causality : xarray.Dataset
        From :func:`xdrought.ccm` or :func:`xdrought.causality_degree`, `rho` and p-values, or from
        :func:`xdrought.driver_gain`, `gain` and p-values, on variable and on one dimension of places with coordinates
        `lat` and `lon`, or on (lat, lon).
    alpha : float
        Level of significance.
    extent, projection, resolution
        As in :func:`xdrought.plot.plot_map`.
    legend : bool
        Whether to name the causes, with the number of places of each.
    ax : cartopy.mpl.geoaxes.GeoAxes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    cartopy.mpl.geoaxes.GeoAxes

    Raises
    ------
    ValueError
        Without p-values, lat and lon, with further dimensions, or with more causes than colors (12).
    FileNotFoundError
        When the coastline asked for is not on this computer.
    ModuleNotFoundError
        Without matplotlib or cartopy.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_dominant_cause
    >>> coords = {"variable": ["t2m", "tp"], "lat": ("site", [47.1, 50.9]), "lon": ("site", [11.3, 13.5])}
    >>> rho = xr.DataArray([[0.7, 0.2], [0.3, 0.4]], coords, ("variable", "site"))
    >>> ax = plot_dominant_cause(xr.Dataset({"rho": rho, "p_value": rho * 0}))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['t2m (1)', 'tp (1)']
    """
    try:
        from matplotlib.colors import ListedColormap
        from matplotlib.lines import Line2D
    except ModuleNotFoundError as error:
        raise style.missing_package("matplotlib") from error
    rho, significant, mark, label = _tested(causality, alpha)
    rho = rho.squeeze([dim for dim in rho.dims if dim == "cell" and causality.sizes[dim] == 1])
    if "variable" not in rho.dims:
        raise ValueError(f"{rho.name} must be on variable and places, found {rho.dims}; give several causes")
    if rho.sizes["variable"] > len(CAUSES):
        raise ValueError(f"{rho.sizes['variable']} causes have no colors of their own; choose {len(CAUSES)} or fewer")
    significant = significant.squeeze([dim for dim in significant.dims if dim not in rho.dims]).broadcast_like(rho)
    candidate = rho.where(significant & (rho > 0))
    found = candidate.notnull().any("variable")
    which = candidate.fillna(-np.inf).argmax("variable").where(found, -1.0)
    names = [*_names(rho, "variable"), "none significant"]
    colors = [*CAUSES[: len(names) - 1], NO_CAUSE]
    which = which.where(which >= 0, len(names) - 1.0).where(rho.notnull().any("variable"))
    axes = plot_map(
        which.rename("cause"),
        extent=extent,
        projection=projection,
        resolution=resolution,
        colorbar=False,
        ax=ax,
        cmap=cast("Any", ListedColormap(colors)),
        vmin=-0.5,
        vmax=len(names) - 0.5,
    )
    figure: Any = axes.figure
    between = ", " if figure.get_figwidth() >= style.WIDE else "\n"
    strongest = "Driver of the largest gain" if label == GAIN_LABEL else "Strongest relation"
    axes.set_title(f"{strongest}{between}{mark}", fontsize=style.TEXT, loc="left")
    if legend:
        counts = [int((which == i).sum()) for i in range(len(names))]
        handles = [
            Line2D([], [], marker="s", color=color, linestyle="none", markersize=5, label=f"{name} ({count})")
            for name, color, count in zip(names, colors, counts, strict=True)
            if count
        ]
        style.legend_below(axes, handles, below=22)
        if ax is None:
            figure.set_figheight(figure.get_figheight() + 0.45)  # the map keeps its size
    return axes


# after Okabe and Ito, and Tol: heat in reds, water in blues would need to know what a name means
CAUSES = [
    "#D55E00",
    "#0072B2",
    "#009E73",
    "#F0E442",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#332288",
    "#882255",
    "#44AA99",
    "#999933",
    "#661100",
]
NO_CAUSE = "#c9c9c9"
