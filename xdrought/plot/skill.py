"""Detection against false alarms in one picture, and where on the map a model beats its reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.plot.dressing import LINE, SMALL, TEXT, by_model, clean, legend_below, new_axes
from xdrought.plot.maps import plot_map
from xdrought.plot.scores import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vP"
BIASES = (0.25, 0.5, 1, 2, 4)


def plot_performance(
    scores: xr.Dataset | Mapping[str, xr.Dataset],
    *,
    sites: bool = True,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the performance diagram: detection against success, with lines of equal CSI and of equal bias.

    Parameters
    ----------
    scores : xarray.Dataset or mapping of str to Dataset
        From :func:`xdrought.occurrence_scores` or :func:`xdrought.match_events`, of one model or several by name.
    sites : bool
        Whether to draw each site as a small dot beside the pooled score.
    legend : bool
        Whether to name the models, with their pooled critical success index (CSI).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The upper right corner is perfect; on the dashed line of bias 1 it is forecast as often as observed. Intervals
        of the pooled scores, where there are any (``n_boot`` of the scores), are drawn as a cross.

    Raises
    ------
    ValueError
        When detection and false alarms are not among the scores.
    ModuleNotFoundError
        Without matplotlib.

    References
    ----------
    Roebber 2009, https://doi.org/10.1175/2008WAF2222159.1.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought import occurrence_scores
    >>> from xdrought.plot import plot_performance
    >>> flags = {"flag_values": [0, 1], "flag_meanings": "no_drought flash_condition"}
    >>> seen = xr.DataArray([0, 0, 1, 1], dims="time", attrs=flags)
    >>> ax = plot_performance(occurrence_scores(seen.copy(data=[0, 1, 1, 1]), seen, event="flash_condition"))
    >>> ax.lines[-1].get_xydata().round(2).tolist()
    [[0.67, 1.0]]
    """
    caller = "plot_performance"
    models = by_model(scores, "pod_pooled", "occurrence_scores", caller)
    ax = new_axes(ax, (3.6, 3.7), caller)
    _isolines(ax)
    handles = []
    for k, (name, one) in enumerate(models.items()):
        colour = COLOURS[k % len(COLOURS)]
        marker = MARKERS[k % len(MARKERS)]
        if sites and one["pod"].size > 1:
            ax.plot(1 - one["far"], one["pod"], marker, color=colour, markersize=2.5, alpha=0.5, linestyle="none")
        pooled = {part: float(one[f"{part}_pooled"]) for part in ("pod", "far", "csi")}
        if "pod_pooled_interval" in one:
            across = 1 - one["far_pooled_interval"].values, [pooled["pod"]] * 2
            upright = [1 - pooled["far"]] * 2, one["pod_pooled_interval"].values
            for line in (across, upright):
                ax.plot(*line, color=colour, linewidth=1.4, zorder=3)
        handles += ax.plot(
            [1 - pooled["far"]], [pooled["pod"]], marker, color=colour, markersize=7, markeredgecolor="white",
            label=f"{name.replace('_', ' ')}, CSI {pooled['csi']:.2f}", clip_on=False, zorder=4, linestyle="none",
        )  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set_xlabel("Success ratio (1 − false alarm ratio)", fontsize=TEXT)
    ax.set_ylabel("Probability of detection", fontsize=TEXT)
    clean(ax)
    if legend:
        legend_below(ax, handles, below=30)
    return ax


def _isolines(ax: Axes) -> None:
    """Equal critical success index as labelled curves, equal frequency bias as dashed rays."""
    success, detection = np.meshgrid(np.linspace(0.005, 1, 200), np.linspace(0.005, 1, 200))
    csi = 1 / (1 / success + 1 / detection - 1)
    levels = np.arange(0.1, 1, 0.1)
    lines = ax.contour(success, detection, csi, levels, colors="#c9c9c9", linewidths=0.6, zorder=0)
    at = 0.93
    places = [(at, 1 / (1 / level + 1 - 1 / at)) for level in levels if level < at - 0.05]
    ax.clabel(lines, fontsize=SMALL, fmt="CSI %.1f", colors="#888888", manual=places)
    for bias in BIASES:
        end = (1 / bias, 1) if bias > 1 else (1, bias)
        ax.plot([0, end[0]], [0, end[1]], color="#a8a8a8", linewidth=0.6, linestyle=(0, (5, 3)), zorder=0)
        text = f"bias {bias:g}" if bias == 1 else f"{bias:g}"
        over = bias > 1
        ax.annotate(
            text, end, (0, 2) if over else (3, 0), textcoords="offset points", fontsize=SMALL, color="#777777",
            ha="center" if over else "left", va="bottom" if over else "center", annotation_clip=False,
        )  # fmt: skip


def plot_skill_map(
    scores: xr.Dataset,
    *,
    reference: str,
    model: str | None = None,
    limit: float | None = None,
    cmap: str = "PuOr_r",
    title: str | None = None,
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw the skill of a model against a named reference at each site on a map, colours centred on zero.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.verify` of an observation with coordinates `lat` and `lon` by site.
    reference : str
        Against which; one of the references or drivers that were given to it.
    model : str, optional
        Whose skill; the first model by default.
    limit : float, optional
        Skill at both ends of the colours; by default the largest one drawn, 1 at most. Sites beyond have the end's
        colour, and the title counts them.
    cmap : str
        Diverging colour map.
    title : str, optional
        By default who is compared with whom, at how many sites it is better, and at how many the site's interval
        leaves zero out. A dot marks the sites where it does not.
    ax : cartopy.mpl.geoaxes.GeoAxes, optional
        Where to draw; a new figure by default.
    **settings
        Keywords of :func:`xdrought.plot.plot_map`: ``extent projection resolution colorbar``.

    Returns
    -------
    cartopy.mpl.geoaxes.GeoAxes

    Raises
    ------
    ValueError
        For an unknown model or reference, scores without skill, or sites without lat and lon.
    ModuleNotFoundError
        Without matplotlib or cartopy.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_skill_map
    >>> coords = {"reference": ["persistence"], "model": ["net"], "site": ["AT-Neu", "DE-Hai"]}
    >>> places = {"lat": ("site", [47.1, 51.1]), "lon": ("site", [11.3, 10.5])}
    >>> skill = xr.DataArray([[[0.2, -0.1]]], coords, name="skill").assign_coords(places)
    >>> plot_skill_map(skill.to_dataset(), reference="persistence").get_title(loc="left")
    'net against persistence: better at 1 of 2 sites'
    """
    caller = "plot_skill_map"
    if "skill" not in scores:
        raise ValueError(f"{caller}: no 'skill' among {sorted(map(str, scores.data_vars))}; give the result of verify")
    model = str(scores["model"].values[0]) if model is None else model
    for dim, wanted in (("reference", reference), ("model", model)):
        if wanted not in scores[dim].values:
            raise ValueError(f"{caller}: no {dim} {wanted!r}; choose one of {scores[dim].values.tolist()}")
    chosen = {"reference": reference, "model": model}
    skill = scores["skill"].sel(chosen, drop=True)
    skill.attrs = {"long_name": f"Skill against {reference}".replace("_", " "), "units": "1"}
    if limit is None:
        limit = float(min(1.0, np.nanmax(np.abs(skill.values), initial=0.01)))
    sure = _told_apart(scores, chosen)
    text = _title(skill, sure, model, reference, limit) if title is None else title
    axes: Any = plot_map(skill, cmap=cmap, vmin=-limit, vmax=limit, title=text, ax=ax, **settings)
    doubtful = skill[~sure & np.isfinite(skill.values)] if sure is not None else skill[:0]
    if doubtful.size:
        import cartopy.crs as ccrs

        axes.plot(
            doubtful["lon"], doubtful["lat"], ".", color=LINE, markersize=2, zorder=4, transform=ccrs.PlateCarree()
        )
    return axes


def _told_apart(scores: xr.Dataset, chosen: dict[str, str]) -> np.ndarray | None:
    """Sites whose interval leaves zero out; None without intervals."""
    if "skill_site_interval" not in scores:
        return None
    interval = scores["skill_site_interval"].sel(chosen)
    low, high = (interval.sel(bound=side).values for side in ("lower", "upper"))
    return (low > 0) | (high < 0)


def _title(skill: xr.DataArray, sure: np.ndarray | None, model: str, reference: str, limit: float) -> str:
    known = skill.values[np.isfinite(skill.values)]
    text = f"{model} against {reference}: better at {(known > 0).sum()} of {known.size} sites".replace("_", " ")
    if sure is not None:
        better = int((sure & (skill.values > 0)).sum())
        text += f"\nclearly better at {better}, clearly worse at {int(sure.sum()) - better} (dot: in doubt)"
    beyond = int((np.abs(known) > limit).sum())
    return text + (f"; {beyond} beyond ±{limit:g}" if beyond else "")
