"""Which drivers brought a drought on: one event by day, flash against normal onsets, and ranks by rate."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.plot import style
from xdrought.plot.experiments import wrapped
from xdrought.public_functions import public

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDERS = {"largest first": style.UPPER, "random": style.REFERENCE, "smallest first": style.FORECAST}
NAMED_AT = {"largest first": 0.5, "random": 0.3, "smallest first": 0.6}  # where on a curve its name stands


@public
@style.squeezed
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
    if "change" not in curves or "deleted" not in curves.dims:
        raise ValueError("needs 'change' by order; take it from xdrought.attribution.deletion_curve")
    ax = style.new_axes(ax, (3.6, 2.9))
    change = curves.change.mean("run", keep_attrs=True) if "run" in curves.change.dims else curves.change
    for name, color in ORDERS.items():
        curve = change.sel(order=name)
        ax.plot(100 * curve.deleted, curve, marker="o", markersize=3, linewidth=1.4, color=color, label=name)
        at, above = NAMED_AT[name], name == "largest first"
        ax.annotate(
            name,
            (100 * at, float(np.interp(at, curve.deleted, curve))),
            xytext=(-4, 4) if above else (4, -4),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=color,
            va="bottom" if above else "top",
            ha="right" if above else "left",
        )
    gain, low, high = (float(curves[name].mean()) for name in ("advantage", "lower", "upper"))
    ax.set_title(f"area less random {gain:+.2f} [{low:+.2f}, {high:+.2f}]", fontsize=style.SMALL, loc="left")
    ax.set_xlabel("features deleted (%)", fontsize=style.TEXT)
    ax.set_ylabel(wrapped(style.label(change)), fontsize=style.TEXT)
    ax.set_ylim(0, 1.12 * float(change.max()))
    style.clean(ax)
    return ax


@public
@style.squeezed
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
    >>> result = xr.Dataset({"similarity": values, "signed_similarity": values}, {"layer": ["none", "head"]})
    >>> [text.get_text() for text in plot_weight_randomisation(result).get_xticklabels()]
    ['none', 'head']
    """
    if not {"similarity", "signed_similarity"} <= set(similarity.variables):
        raise ValueError("needs similarities; take them from xdrought.attribution.weight_randomisation")
    names = [style.literal(name) for name in similarity["layer"].values]
    ax = style.new_axes(ax, (1.6 + 0.32 * len(names), 3.1))
    place = np.arange(len(names))
    kinds = {
        "signed_similarity": (style.UPPER, "o", "attributions"),
        "similarity": (style.LOWER, "s", "absolute attributions"),
    }
    for shift, (name, (color, marker, text)) in zip((-0.06, 0.06), kinds.items(), strict=True):
        values = similarity[name].transpose("layer", ...).to_numpy().reshape(len(names), -1)
        middle = values.mean(axis=1)
        ends = np.stack([middle - values.min(axis=1), values.max(axis=1) - middle])
        ax.errorbar(
            place + shift,
            middle,
            ends,
            color=color,
            marker=marker,
            markersize=4,
            linewidth=1.2,
            elinewidth=0.8,
            label=text,
        )
    ax.axhline(0, color=style.REFERENCE, linewidth=0.8, zorder=0)
    ax.set_xticks(place, names, rotation=40, ha="right", fontsize=style.SMALL)
    ax.set_ylim(min(-0.25, ax.get_ylim()[0]), 1.02)
    ax.set_ylabel("rank correlation with the trained", fontsize=style.TEXT)
    ax.legend(fontsize=style.SMALL, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    style.clean(ax)
    return ax


RATIO = "#d55e00"
COLORS = ["#0072B2", "#d55e00", "#007a5a", "#7b3fa0", "#b5892b", "#555555"]


@public
@style.squeezed
def plot_attributions(
    attributions: xr.Dataset | xr.DataArray,
    event: xr.Dataset | None = None,
    *,
    ax: Axes | None = None,
    time: Hashable = "time",
) -> Axes:
    """Draw the attributions of one place by driver and day: what made the forecast of each day drier or wetter.

    Parameters
    ----------
    attributions : xarray.Dataset or DataArray
        From :func:`xdrought.attributions`, of one place; input days and cells are summed. Drivers are ordered by the
        mean absolute attribution of the days drawn.
    event : xarray.Dataset, optional
        One event, e.g. ``events.isel(event=3)``; its onset and start are marked.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    time : hashable
        The time dimension.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For several places or runs, nothing finite, or several events.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from xdrought.plot import plot_attributions
    >>> days = pd.date_range("2001-06-01", periods=2)
    >>> coords = {"time": days, "variable": ["tp", "t2m"]}
    >>> shares = xr.DataArray([[-0.1, 0.2], [0.0, 0.3]], coords, ("time", "variable"))
    >>> ax = plot_attributions(shares)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['t2m', 'tp']
    """
    da = attributions["attribution"] if isinstance(attributions, xr.Dataset) else attributions
    da = da.sum([dim for dim in ("window", "patch_lat", "patch_lon") if dim in da.dims], skipna=False, keep_attrs=True)
    others = [dim for dim in da.dims if dim not in ("variable", time) and da.sizes[dim] > 1]
    if others:
        raise ValueError(f"the attributions have {others}; choose one, e.g. .sel({others[0]}=...), or average runs")
    da = da.squeeze([dim for dim in da.dims if dim not in ("variable", time)])
    da = da.transpose("variable", time).dropna(time, how="all")
    if not da.sizes[time]:
        raise ValueError("no attribution is finite; explain these days with where=")
    da = da.isel(variable=np.argsort(abs(da).mean([time]).to_numpy())[::-1])
    days = style.to_datetime64(da[time].values)
    index = pd.date_range(days[0], days[-1], freq="D")
    values = np.full((da.sizes["variable"], index.size), np.nan)
    values[:, index.searchsorted(days)] = da.to_numpy()

    ax = style.new_axes(ax, (6.4, 0.9 + 0.24 * len(values)))
    span = float(np.nanmax(np.abs(values)))
    half = np.timedelta64(12, "h")
    edges = np.append(index.to_numpy() - half, index.to_numpy()[-1] + half)
    mesh = ax.pcolormesh(edges, np.arange(len(values) + 1) - 0.5, values, cmap="BrBG", vmin=-span, vmax=span)  # type: ignore[arg-type]
    ax.set_yticks(range(len(values)), [style.literal(name) for name in da["variable"].values])
    ax.set_ylim(len(values) - 0.5, -0.5)
    style.date_axis(ax)
    if event is not None:
        _mark(ax, event)
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.01)
    bar.set_label(
        style.label(xr.DataArray(0, name="attribution", attrs={"units": da.attrs.get("units", "")})),
        fontsize=style.TEXT,
    )
    bar.ax.tick_params(labelsize=style.SMALL)
    ax.set_xlabel("valid day of the forecast", fontsize=style.TEXT)
    return ax


def _mark(ax: Axes, event: xr.Dataset) -> None:
    """Lines at the onset and the start of an event."""
    if "event" in event.dims and event.sizes["event"] != 1:
        raise ValueError(f"{event.sizes['event']} events were given; choose one, events.isel(event=0)")
    kind = "flash" if bool(event["is_flash"].squeeze()) else "normal"
    for name, text in (("onset_time", f"{kind} onset"), ("start_time", "start")):
        day: Any = style.to_datetime64(event[name].values)[0]
        ax.axvline(day, color="black", linewidth=1, linestyle=(0, (3, 2)))
        ax.annotate(
            text,
            (day, 1),
            xycoords=("data", "axes fraction"),
            xytext=(2, 3),
            textcoords="offset points",
            fontsize=style.SMALL,
        )


@public
@style.squeezed
def plot_driver_importance(importance: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the drivers' importance for normal and flash onsets and their ratio, as Figure 6a of Tang et al. (2025).

    Parameters
    ----------
    importance : xarray.Dataset
        From :func:`xdrought.driver_importance`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        That of the bars; the ratio's is its twin.

    Raises
    ------
    ValueError
        For anything else than the table of importance.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought import driver_importance
    >>> from xdrought.plot import plot_driver_importance
    >>> importance = xr.DataArray([[1.0, 4.0], [3.0, 4.0]], {"variable": ["tp", "t2m"]}, ("event", "variable"))
    >>> table = driver_importance(importance, xr.Dataset({"is_flash": ("event", [False, True])}))
    >>> [text.get_text() for text in plot_driver_importance(table).get_xticklabels()]
    ['t2m', 'tp']
    """
    if "type" not in importance.dims or "ratio" not in importance:
        raise ValueError("needs 'importance' by type and 'ratio'; take them from driver_importance")
    ordered = importance.isel(variable=np.argsort(-importance.importance.max("type").fillna(-1).to_numpy()))
    place = np.arange(ordered.sizes["variable"])
    ax = style.new_axes(ax, (1.6 + 0.5 * len(place), 3.4))
    for shift, kind in ((-0.2, "normal"), (0.2, "flash")):
        of_kind = ordered.sel(type=kind)
        ends = _lengths(of_kind.importance, of_kind.lower, of_kind.upper)
        ax.bar(
            place + shift,
            of_kind.importance.values,
            0.38,
            yerr=ends,
            color=style.SHADES[f"{kind} onset"],
            error_kw={"elinewidth": 0.8, "capsize": 2},
            label=f"{kind} onset ({int(of_kind.event_count)} events)",
        )
    ax.set_xticks(place, [style.literal(name) for name in ordered["variable"].values], rotation=40, ha="right")
    ax.set_ylabel(style.label(ordered.importance), fontsize=style.TEXT)
    ax.spines["top"].set_visible(False)
    twin: Any = ax.twinx()
    ends = _lengths(ordered.ratio, ordered.ratio_lower, ordered.ratio_upper)
    twin.errorbar(
        place, ordered.ratio, ends, fmt="o", color=RATIO, markersize=4, elinewidth=0.8, label="flash / normal"
    )
    twin.axhline(1, color=RATIO, linestyle=(0, (4, 2)), linewidth=1)
    twin.set_ylabel("ratio", fontsize=style.TEXT, color=RATIO)
    twin.tick_params(labelsize=style.TEXT, colors=RATIO)
    twin.spines["top"].set_visible(False)
    handles = [*ax.get_legend_handles_labels()[0], *twin.get_legend_handles_labels()[0]]
    ax.legend(handles=handles, fontsize=style.SMALL, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return ax


@public
@style.squeezed
def plot_importance_by_rate(ranks: xr.Dataset, *, top: int = 6, ax: Axes | None = None) -> Axes:
    """Draw the drivers' mean rank against the intensification rate, as Figure 6b of Tang et al. (2025).

    Parameters
    ----------
    ranks : xarray.Dataset
        From :func:`xdrought.importance_by_rate`. Bars are 1.96 standard errors; no curve is fitted
        through the few groups.
    top : int
        Drivers of the best mean rank to draw.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For anything else than the table of ranks.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought import importance_by_rate
    >>> from xdrought.plot import plot_importance_by_rate
    >>> importance = xr.DataArray([[1.0, 4.0], [5.0, 4.0]], {"variable": ["tp", "t2m"]}, ("event", "variable"))
    >>> events = xr.Dataset({"intensification_rate": ("event", [1.0, 3.0])})
    >>> ax = plot_importance_by_rate(importance_by_rate(importance, events, bins=2), top=1)
    >>> len(ax.lines)
    1
    """
    if "bin" not in ranks.dims or "mean_rank" not in ranks:
        raise ValueError("needs 'mean_rank' by bin; take it from importance_by_rate")
    ax = style.new_axes(ax, (5.2, 3.4))
    best = np.argsort(ranks.mean_rank.mean("bin").to_numpy())[:top]
    for k, variable in enumerate(best):
        of_driver = ranks.isel(variable=variable)
        ax.errorbar(
            of_driver.rate.values,
            of_driver.mean_rank.values,
            1.96 * of_driver.standard_error.fillna(0).values,
            color=COLORS[k % len(COLORS)],
            marker="osD^vP"[k % 6],
            markersize=4,
            linewidth=1.2,
            elinewidth=0.7,
            label=style.literal(of_driver["variable"].item()),
        )
    ax.invert_yaxis()
    ax.set_xlabel(style.label(ranks.rate), fontsize=style.TEXT)
    ax.set_ylabel("mean rank of importance", fontsize=style.TEXT)
    ax.legend(fontsize=style.SMALL, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    style.clean(ax)
    return ax


def _lengths(middle: xr.DataArray, lower: xr.DataArray, upper: xr.DataArray) -> np.ndarray:
    """(2, variable) lengths of error bars; an interval of few draws may lie beside the value: it has none there."""
    return np.stack([middle - lower, upper - middle]).clip(0)
