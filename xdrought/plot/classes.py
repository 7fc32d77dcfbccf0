"""The table of the paper: how well each class of day is forecast, number by number, in colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.plot.dressing import LINE, SMALL, TEXT, by_model, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRICS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
LAST = 0.4  # how much higher the last row is, half of it


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
        Colours of 0 to 1; the paper's is "RdYlGn", which not everybody can read.
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
    >>> seen = xr.DataArray([0, 0, 0, 1], dims="time")
    >>> found = class_scores(xr.DataArray([0, 0, 1, 1], dims="time"), seen, classes={"wet": 0, "dry": 1})
    >>> ax = plot_class_scores({"net": found})
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['Precision', 'Recall', 'F1', 'Share of days']
    """
    caller = "plot_class_scores"
    models = by_model(scores, "f1", "class_scores", caller)
    names = list(models)
    first = models[names[0]]
    for name in names[1:]:
        if not np.allclose(first["share"], models[name]["share"].reindex(class_name=first["class_name"])):
            raise ValueError(f"{caller}: {names[0]!r} and {name!r} have other classes or days; score them on the same")
    classes = [str(one) for one in first["class_name"].values]
    rows = [(name, metric) for name in names for metric in METRICS]
    values = np.array([models[name][metric].reindex(class_name=classes).values for name, metric in rows])
    width = 1.6 + 0.78 * (len(classes) + 1)
    ax = new_axes(ax, (width, 0.75 + 0.19 * (len(rows) + 1 + 2 * LAST)), caller)
    _cells(ax, values, cmap)
    _accuracies(ax, models, len(classes), cmap)
    _shares(ax, first, len(rows))
    for k in range(len(names) + 1):
        ax.axhline(len(METRICS) * k - 0.5, color=LINE, linewidth=0.6)
    heads = [one.replace("_", "\n", 1).replace("_", " ") for one in classes]
    ax.set_xticks(range(len(classes) + 1), [*(head[:1].upper() + head[1:] for head in heads), "Accuracy"])
    ax.set_yticks([*range(len(rows)), len(rows) + LAST], [METRICS[metric] for _, metric in rows] + ["Share of days"])
    ax.tick_params(labelsize=SMALL, length=0, labeltop=True, labelbottom=False)
    for k, name in enumerate(names):
        ax.annotate(
            name.replace("_", " "), (0, len(METRICS) * k + 1), (-52, 0), ("axes fraction", "data"), "offset points",
            ha="right", va="center", fontsize=TEXT, fontweight="bold", annotation_clip=False,
        )  # fmt: skip
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set(xlim=(-0.5, len(classes) + 0.5), ylim=(len(rows) + 0.5 + 2 * LAST, -0.5))
    return ax


def _cells(ax: Axes, values: np.ndarray, cmap: str) -> None:
    """Coloured numbers (row, class); a dash without a value."""
    rows, columns = values.shape
    ax.imshow(
        values, cmap=cmap, vmin=0, vmax=1, aspect="auto", extent=(-0.5, columns - 0.5, rows - 0.5, -0.5), zorder=0
    )
    for (i, j), value in np.ndenumerate(values):
        _number(ax, j, i, value, cmap)


def _number(ax: Axes, x: float, y: float, value: float, cmap: str, **style: Any) -> None:
    import matplotlib as mpl

    red, green, blue, _ = mpl.colormaps[cmap](float(value)) if np.isfinite(value) else (1, 1, 1, 1)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
    text = f"{value:.2f}" if np.isfinite(value) else "–"
    ax.text(x, y, text, ha="center", va="center", fontsize=SMALL, color="white" if dark else LINE, **style)


def _accuracies(ax: Axes, models: dict[str, xr.Dataset], column: int, cmap: str) -> None:
    """One cell per model, as high as its metrics."""
    import matplotlib as mpl

    height = len(METRICS)
    for k, one in enumerate(models.values()):
        value = float(one["accuracy"])
        patch = mpl.patches.Rectangle(
            (column - 0.5, height * k - 0.5), 1, height, facecolor=mpl.colormaps[cmap](value), edgecolor="none"
        )
        ax.add_patch(patch)
        _number(ax, column, height * k + 1, value, cmap, fontweight="bold")
    ax.axvline(column - 0.5, color="white", linewidth=2)


def _shares(ax: Axes, first: xr.Dataset, row: int) -> None:
    """The last row: how common each class is, and the accuracy of always saying the commonest."""
    for j, share in enumerate(first["share"].values):
        ax.text(j, row + LAST, f"{100 * share:.1f} %", ha="center", va="center", fontsize=SMALL, color=LINE)
    text = f"{float(first['majority_accuracy']):.2f} by the\ncommonest"
    ax.text(first.sizes["class_name"], row + LAST, text, ha="center", va="center", fontsize=SMALL, color=LINE)
