"""Detection against false alarms in one picture, and where on the map a model beats its reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.plot import style
from xdrought.plot.maps import plot_map
from xdrought.plot.scores import COLORS
from xdrought.public_functions import public

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRICS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
LAST = 0.4  # how much higher the last row is, half of it


@public
@style.squeezed
def plot_class_scores(
    scores: xr.Dataset | Mapping[str, xr.Dataset],
    *,
    cmap: str = "YlGnBu",
    ax: Axes | None = None,
) -> Axes:
    """Draw precision, recall and F1 of every class and model, with accuracies, as Table 1 of Tang et al. 2025.

    Parameters
    ----------
    scores : xarray.Dataset or mapping of str to Dataset
        From :func:`xdrought.class_scores`, of one model or of several by name, all of the same observed days.
    cmap : str
        Colors of 0 to 1; the paper's is "RdYlGn", which not everybody can read.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Cells without a value (a class never forecast, or never observed) hold a dash. The last row gives the share of
        observed days of each class and what always saying the commonest class would get.

    Raises
    ------
    ValueError
        When there are no class scores, or the models have other classes or days.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought import class_scores
    >>> from xdrought.plot import plot_class_scores
    >>> obs = xr.DataArray([0, 0, 0, 1], dims="time")
    >>> result = class_scores(xr.DataArray([0, 0, 1, 1], dims="time"), obs, classes={"wet": 0, "dry": 1})
    >>> ax = plot_class_scores({"net": result})
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['Precision', 'Recall', 'F1', 'Share of days']
    """
    models = style.by_model(scores, "f1", "class_scores")
    names = list(models)
    first = models[names[0]]
    for name in names[1:]:
        if not np.allclose(first["share"], models[name]["share"].reindex(class_name=first["class_name"])):
            raise ValueError(f"{names[0]!r} and {name!r} have other classes or days; score them on the same")
    classes = list(map(str, first["class_name"].values))
    rows = [(name, metric) for name in names for metric in METRICS]
    values = np.array([models[name][metric].reindex(class_name=classes).values for name, metric in rows])
    width = 1.6 + 0.78 * (len(classes) + 1)
    ax = style.new_axes(ax, (width, 0.75 + 0.19 * (len(rows) + 1 + 2 * LAST)))
    _cells(ax, values, cmap)
    _accuracies(ax, models, len(classes), cmap)
    _shares(ax, first, len(rows))
    for k in range(len(names) + 1):
        ax.axhline(len(METRICS) * k - 0.5, color=style.LINE, linewidth=0.6)
    heads = [style.literal(class_name.replace("_", "\n", 1)) for class_name in classes]
    ax.set_xticks(range(len(classes) + 1), [*(head[:1].upper() + head[1:] for head in heads), "Accuracy"])
    ax.set_yticks([*range(len(rows)), len(rows) + LAST], [METRICS[metric] for _, metric in rows] + ["Share of days"])
    ax.tick_params(labelsize=style.SMALL, length=0, labeltop=True, labelbottom=False)
    for k, name in enumerate(names):
        ax.annotate(
            style.literal(name),
            (0, len(METRICS) * k + 1),
            (-52, 0),
            ("axes fraction", "data"),
            "offset points",
            ha="right",
            va="center",
            fontsize=style.TEXT,
            fontweight="bold",
            annotation_clip=False,
        )
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set(xlim=(-0.5, len(classes) + 0.5), ylim=(len(rows) + 0.5 + 2 * LAST, -0.5))
    return ax


def _cells(ax: Axes, values: np.ndarray, cmap: str) -> None:
    """Colored numbers (row, class); a dash without a value."""
    rows, columns = values.shape
    ax.imshow(
        values, cmap=cmap, vmin=0, vmax=1, aspect="auto", extent=(-0.5, columns - 0.5, rows - 0.5, -0.5), zorder=0
    )
    for (i, j), value in np.ndenumerate(values):
        _number(ax, j, i, value, cmap)


def _number(ax: Axes, x: float, y: float, value: float, cmap: str, **options: Any) -> None:
    import matplotlib as mpl

    red, green, blue, _ = mpl.colormaps[cmap](float(value)) if np.isfinite(value) else (1, 1, 1, 1)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
    text = f"{value:.2f}" if np.isfinite(value) else "–"
    ax.text(
        x, y, text, ha="center", va="center", fontsize=style.SMALL, color="white" if dark else style.LINE, **options
    )


def _accuracies(ax: Axes, models: dict[str, xr.Dataset], column: int, cmap: str) -> None:
    """One cell per model, as high as its metrics."""
    import matplotlib as mpl

    height = len(METRICS)
    for k, scores in enumerate(models.values()):
        value = float(scores["accuracy"])
        patch = mpl.patches.Rectangle(
            (column - 0.5, height * k - 0.5), 1, height, facecolor=mpl.colormaps[cmap](value), edgecolor="none"
        )
        ax.add_patch(patch)
        _number(ax, column, height * k + 1, value, cmap, fontweight="bold")
    ax.axvline(column - 0.5, color="white", linewidth=2)


def _shares(ax: Axes, first: xr.Dataset, row: int) -> None:
    """The last row: how common each class is, and the accuracy of always saying the commonest."""
    for j, share in enumerate(first["share"].values):
        ax.text(j, row + LAST, f"{100 * share:.1f} %", ha="center", va="center", fontsize=style.SMALL, color=style.LINE)
    text = f"{float(first['majority_accuracy']):.2f} by the\ncommonest"
    ax.text(
        first.sizes["class_name"], row + LAST, text, ha="center", va="center", fontsize=style.SMALL, color=style.LINE
    )


MARKERS = "osD^vP"
BIASES = (0.25, 0.5, 1, 2, 4)


@public
@style.squeezed
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
    >>> obs = xr.DataArray([0, 0, 1, 1], dims="time", attrs=flags)
    >>> ax = plot_performance(occurrence_scores(obs.copy(data=[0, 1, 1, 1]), obs, event="flash_condition"))
    >>> ax.lines[-1].get_xydata().round(2).tolist()
    [[0.67, 1.0]]
    """
    models = style.by_model(scores, "pod_pooled", "occurrence_scores")
    ax = style.new_axes(ax, (3.6, 3.7))
    _isolines(ax)
    handles = []
    for k, (name, of_model) in enumerate(models.items()):
        color = COLORS[k % len(COLORS)]
        marker = MARKERS[k % len(MARKERS)]
        if sites and of_model["pod"].size > 1:
            ax.plot(
                1 - of_model["far"], of_model["pod"], marker, color=color, markersize=2.5, alpha=0.5, linestyle="none"
            )
        pooled = {part: float(of_model[f"{part}_pooled"]) for part in ("pod", "far", "csi")}
        if "pod_pooled_interval" in of_model:
            across = 1 - of_model["far_pooled_interval"].values, [pooled["pod"]] * 2
            upright = [1 - pooled["far"]] * 2, of_model["pod_pooled_interval"].values
            for line in (across, upright):
                ax.plot(*line, color=color, linewidth=1.4, zorder=3)
        handles += ax.plot(
            [1 - pooled["far"]],
            [pooled["pod"]],
            marker,
            color=color,
            markersize=7,
            markeredgecolor="white",
            label=f"{style.literal(name)}, CSI {pooled['csi']:.2f}",
            clip_on=False,
            zorder=4,
            linestyle="none",
        )
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set_xlabel("Success ratio (1 − false alarm ratio)", fontsize=style.TEXT)
    ax.set_ylabel("Probability of detection", fontsize=style.TEXT)
    style.clean(ax)
    if legend:
        style.legend_below(ax, handles, below=30)
    return ax


def _isolines(ax: Axes) -> None:
    """Equal critical success index as labelled curves, equal frequency bias as dashed rays."""
    success, detection = np.meshgrid(np.linspace(0.005, 1, 200), np.linspace(0.005, 1, 200))
    csi = 1 / (1 / success + 1 / detection - 1)
    levels = np.arange(0.1, 1, 0.1)
    lines = ax.contour(success, detection, csi, levels, colors="#c9c9c9", linewidths=0.6, zorder=0)
    at = 0.93
    places = [(at, 1 / (1 / level + 1 - 1 / at)) for level in levels if level < at - 0.05]
    ax.clabel(lines, fontsize=style.SMALL, fmt="CSI %.1f", colors="#888888", manual=places)
    for bias in BIASES:
        end = (1 / bias, 1) if bias > 1 else (1, bias)
        ax.plot([0, end[0]], [0, end[1]], color="#a8a8a8", linewidth=0.6, linestyle=(0, (5, 3)), zorder=0)
        text = f"bias {bias:g}" if bias == 1 else f"{bias:g}"
        over = bias > 1
        ax.annotate(
            text,
            end,
            (0, 2) if over else (3, 0),
            textcoords="offset points",
            fontsize=style.SMALL,
            color="#777777",
            ha="center" if over else "left",
            va="bottom" if over else "center",
            annotation_clip=False,
        )


@public
@style.squeezed
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
    """Draw the skill of a model against a named reference at each site on a map, colors centred on zero.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.verify` of an observation with coordinates `lat` and `lon` by site.
    reference : str
        Against which; one of the references or drivers that were given to it.
    model : str, optional
        Whose skill; the first model by default.
    limit : float, optional
        Skill at both ends of the colors; by default the largest one drawn, 1 at most. Sites beyond have the end's
        color, and the title counts them.
    cmap : str
        Diverging color map.
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
    if "skill" not in scores:
        raise ValueError(f"no 'skill' among {sorted(map(str, scores.data_vars))}; give the result of verify")
    model = str(scores["model"].values[0]) if model is None else model
    for dim, wanted in (("reference", reference), ("model", model)):
        if wanted not in scores[dim].values:
            raise ValueError(f"no {dim} {wanted!r}; choose one of {scores[dim].values.tolist()}")
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
            doubtful["lon"],
            doubtful["lat"],
            ".",
            color=style.LINE,
            markersize=2,
            zorder=4,
            transform=ccrs.PlateCarree(),
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
    names = f"{style.literal(model)} against {style.literal(reference)}"
    text = f"{names}: better at {(known > 0).sum()} of {known.size} sites"
    if sure is not None:
        better = int((sure & (skill.values > 0)).sum())
        text += f"\nclearly better at {better}, clearly worse at {int(sure.sum()) - better} (dot: in doubt)"
    beyond = int((np.abs(known) > limit).sum())
    return text + (f"; {beyond} beyond ±{limit:g}" if beyond else "")
