"""A score against a setting that was varied, beside what needs no network."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.kernels.nested_bootstrap import bootstrap_medians
from xdrought.plot.dressing import LINE, TEXT, clean, label, legend_below, new_axes
from xdrought.plot.scores import COLOURS, REFERENCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {"nse": "NSE", "kge": "KGE", "rmse": "RMSE", "f1": "F1"}
BOOT = 1000


def plot_sweep(
    scores: xr.Dataset,
    *,
    score: str = "nse",
    class_name: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a score against the swept setting, every model with an interval band and the references dashed.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.study.sweep`.
    score : str
        Which one. A score of each site is drawn as the median over sites of the runs' mean, its band a bootstrap over
        sites and runs; a score of classes as the mean over runs, its band from the lowest to the highest run.
    class_name : str, optional
        Which drought class, for the scores of classes.
    confidence : float
        Of the bootstrap.
    seed : int
        For the bootstrap.
    legend : bool
        Whether to name the lines.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        When the score or the class is not there, or nothing was swept.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.plot import plot_sweep
    >>> coords = {"lead": [1, 7, 14], "model": ["network", "persistence"], "run": [0, 1], "site": list("ABC")}
    >>> nse = xr.DataArray(np.random.default_rng(0).random((3, 2, 2, 3)), coords)
    >>> plot_sweep(xr.Dataset({"nse": nse, "is_reference": ("model", [False, True])})).get_ylabel()
    'NSE, median of 3 sites'
    """
    caller = "plot_sweep"
    if score not in scores:
        raise ValueError(f"{caller}: no score {score!r}; choose one of {sorted(map(str, scores.data_vars))}")
    chosen = scores[score]
    if "class_name" in chosen.dims:
        known = chosen["class_name"].values.tolist()
        if class_name not in known:
            raise ValueError(f"{caller}: {score!r} is of drought classes; give class_name, one of {known}")
        chosen = chosen.sel(class_name=class_name)
    swept = [dim for dim in chosen.dims if dim not in ("model", "run", "site")]
    if len(swept) != 1:
        raise ValueError(f"{caller}: {score!r} is on {chosen.dims}; scores come from xdrought.study.sweep")
    at = scores[swept[0]]
    numeric = at.dtype.kind in "iuf"
    x = at.values if numeric else np.arange(at.size)
    ax = new_axes(ax, (4.0, 2.8), caller)
    known_reference = scores["is_reference"].values if "is_reference" in scores else [False] * scores.sizes["model"]
    handles, k = [], 0
    for model, is_reference in zip(scores["model"].values.tolist(), known_reference, strict=True):
        middle, low, high = _band(chosen.sel(model=model), swept[0], confidence, seed)
        if not np.isfinite(middle).any():
            continue
        marker, colour = REFERENCES.get(model, ("s", LINE)) if is_reference else ("o", COLOURS[k % len(COLOURS)])
        look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3, "label": model.replace("_", " ")}
        look |= (
            {"linewidth": 0.9, "linestyle": "--", "markerfacecolor": "white"} if is_reference else {"linewidth": 1.4}
        )
        if not is_reference:
            ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
            k += 1
        handles += ax.plot(x, middle, zorder=2 if is_reference else 3, **look)
    _axes(ax, at, x, numeric)
    name = NAMES.get(score, score.replace("_", " "))
    sites = f", median of {chosen.sizes['site']} sites" if chosen.sizes.get("site", 1) > 1 else ""
    of_class = f" of {class_name.replace('_', ' ')} days" if class_name and "class_name" in chosen.coords else ""
    ax.set_ylabel(f"{name}{of_class}{sites}", fontsize=TEXT)
    clean(ax)
    if legend:
        legend_below(ax, handles, below=30)
    return ax


def _axes(ax: Axes, at: xr.DataArray, x: np.ndarray, numeric: bool) -> None:
    """The swept values on the x axis: a logarithm where they span more than a factor of twenty."""
    ax.set_xlabel(label(at), fontsize=TEXT)
    if not numeric:
        ax.set_xticks(x, [str(value) for value in at.values])
    elif x.min() > 0 and x.max() / x.min() > 20:
        ax.set_xscale("log")
    elif x.size <= 15:
        ax.set_xticks(x)


def _band(
    values: xr.DataArray, swept: Hashable, confidence: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle, lower and upper line of one model."""
    if "site" not in values.dims:
        by_run = values.transpose(swept, "run").values
        return by_run.mean(axis=1), by_run.min(axis=1), by_run.max(axis=1)
    table = values.transpose(swept, "run", "site").values
    table = table[..., np.isfinite(table).all(axis=(0, 1))]
    if not table.size:
        return (np.full(len(table), np.nan),) * 3
    samples = bootstrap_medians(table, BOOT, seed)
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2], axis=1)
    return np.median(table.mean(axis=1), axis=-1), low, high
