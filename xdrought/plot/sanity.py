"""Whether attributions explain the network: deletion curves, and what random weights do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought.plot.degree_skill import wrapped
from xdrought.plot.dressing import FORECAST, LOWER, REFERENCE, SMALL, TEXT, UPPER, clean, label, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDERS = {"largest first": UPPER, "random": REFERENCE, "smallest first": FORECAST}
NAMED_AT = {"largest first": 0.5, "random": 0.3, "smallest first": 0.6}  # where on a curve its name stands


def plot_deletion(curves: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw how the forecast changes as features are deleted in each order.

    Parameters
    ----------
    curves : xarray.Dataset
        From :func:`xdrought.attribution.deletion_curve`; several runs are averaged.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For anything else than deletion curves.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_deletion
    >>> coords = {"order": ["largest first", "random", "smallest first"], "deleted": [0.0, 1.0]}
    >>> curves = xr.Dataset({"change": (("order", "deleted"), [[0.0, 1.0]] * 3)}, coords)
    >>> len(plot_deletion(curves.assign(advantage=0.3, lower=0.2, upper=0.4)).lines)
    3
    """
    caller = "plot_deletion"
    if "change" not in curves or "deleted" not in curves.dims:
        raise ValueError(f"{caller}: needs 'change' by order; take it from xdrought.attribution.deletion_curve")
    ax = new_axes(ax, (3.6, 2.9), caller)
    change = curves.change.mean("run", keep_attrs=True) if "run" in curves.change.dims else curves.change
    for name, colour in ORDERS.items():
        one = change.sel(order=name)
        ax.plot(100 * one.deleted, one, marker="o", markersize=3, linewidth=1.4, color=colour, label=name)
        at, above = NAMED_AT[name], name == "largest first"
        ax.annotate(
            name, (100 * at, float(np.interp(at, one.deleted, one))), xytext=(-4, 4) if above else (4, -4),
            textcoords="offset points", fontsize=SMALL, color=colour, va="bottom" if above else "top",
            ha="right" if above else "left",
        )  # fmt: skip
    gain, low, high = (float(curves[name].mean()) for name in ("advantage", "lower", "upper"))
    ax.set_title(f"area less random {gain:+.2f} [{low:+.2f}, {high:+.2f}]", fontsize=SMALL, loc="left")
    ax.set_xlabel("features deleted (%)", fontsize=TEXT)
    ax.set_ylabel(wrapped(label(change)), fontsize=TEXT)
    ax.set_ylim(0, 1.12 * float(change.max()))
    clean(ax)
    return ax


def plot_weight_randomisation(similarity: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw how similar attributions stay when layers forget what they learnt, from the output to the input.

    Parameters
    ----------
    similarity : xarray.Dataset
        From :func:`xdrought.attribution.weight_randomisation`; bars are the range over randomisations and runs.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For anything else than similarities by layer.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_weight_randomisation
    >>> values = (("layer", "randomisation"), [[0.9], [0.1]])
    >>> found = xr.Dataset({"similarity": values, "signed_similarity": values}, {"layer": ["none", "head"]})
    >>> [text.get_text() for text in plot_weight_randomisation(found).get_xticklabels()]
    ['none', 'head']
    """
    caller = "plot_weight_randomisation"
    if not {"similarity", "signed_similarity"} <= set(similarity.variables):
        raise ValueError(f"{caller}: needs similarities; take them from xdrought.attribution.weight_randomisation")
    names = [str(name) for name in similarity["layer"].values]
    ax = new_axes(ax, (1.6 + 0.32 * len(names), 3.1), caller)
    place = np.arange(len(names))
    kinds = {"signed_similarity": (UPPER, "o", "attributions"), "similarity": (LOWER, "s", "absolute attributions")}
    for shift, (name, (colour, marker, text)) in zip((-0.06, 0.06), kinds.items(), strict=True):
        values = similarity[name].transpose("layer", ...).to_numpy().reshape(len(names), -1)
        middle = values.mean(axis=1)
        ends = np.stack([middle - values.min(axis=1), values.max(axis=1) - middle])
        ax.errorbar(
            place + shift, middle, ends, color=colour, marker=marker, markersize=4, linewidth=1.2, elinewidth=0.8,
            label=text,
        )  # fmt: skip
    ax.axhline(0, color=REFERENCE, linewidth=0.8, zorder=0)
    ax.set_xticks(place, names, rotation=40, ha="right", fontsize=SMALL)
    ax.set_ylim(min(-0.25, ax.get_ylim()[0]), 1.02)
    ax.set_ylabel("rank correlation with the trained", fontsize=TEXT)
    ax.legend(fontsize=SMALL, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    clean(ax)
    return ax
