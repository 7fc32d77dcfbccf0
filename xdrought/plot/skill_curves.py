"""Skill of cross mapping as curves: by the length of the library, and by the lag of the cause."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.plot import style
from xdrought.public_functions import public

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES = [style.FORECAST, style.UPPER, style.LOWER, "#7b3fa0", style.REFERENCE, "#b5892b"]


@public
@style.squeezed
def plot_convergence(
    result: xr.Dataset,
    *,
    null: xr.Dataset | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw how cross-map skill grows with the library, with the interval over random libraries.

    Skill that rises and levels off is what coupled dynamics show; a flat curve is a mere correlation. With shared
    weather neither tells a cause: that is asked by :func:`xdrought.driver_gain`.

    Parameters
    ----------
    result : xarray.Dataset
        From :func:`xdrought.ccm` or :func:`xdrought.gccm` with several library sizes: `rho`, `rho_lower`,
        `rho_upper` on library_size and, if there are, `direction` and `variable`; up to six curves.
    null : xarray.Dataset, optional
        From :func:`xdrought.convergence_null`: what causes without a relation give, as a grey band.
    legend : bool
        Whether to name the curves, with the gain from the smallest to the largest library and its interval.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Without several library sizes, with other dimensions or too many curves.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_convergence
    >>> sizes = {"library_size": [50, 100, 200]}
    >>> rho = xr.DataArray([0.2, 0.5, 0.6], sizes)
    >>> ax = plot_convergence(xr.Dataset({"rho": rho, "rho_lower": rho - 0.1, "rho_upper": rho + 0.1}))
    >>> ax.get_xlabel()
    'Library size (days)'
    """
    needed = ["rho", "rho_lower", "rho_upper"]
    if any(name not in result or "library_size" not in result[name].dims for name in needed):
        raise ValueError(
            f"{needed} on library_size are needed, found {sorted(map(str, result.data_vars))} on "
            f"{tuple(result.sizes)}; call ccm with library_size=[...]"
        )
    curves, others = curves_along(result, "library_size")
    ax = style.new_axes(ax, (4.0, 2.8))
    handles = [_curve(ax, curves.isel(_curve=i), others, i) for i in range(curves.sizes["_curve"])]
    if null is not None:
        handles.append(_null_band(ax, null))
    ax.axhline(0, color=style.LINE, linewidth=0.5, zorder=0)
    sizes = result["library_size"]
    unit = str(sizes.attrs.get("units", "days"))
    ax.set_xlabel(f"{'Side of the library' if unit == 'cells' else 'Library size'} ({unit})", fontsize=style.TEXT)
    ax.set_ylabel("Cross-map skill ρ", fontsize=style.TEXT)
    ax.set_xlim(left=0)
    style.clean(ax)
    named = [handle for handle in handles if not str(handle.get_label()).startswith("_")]  # matplotlib's for no name
    if legend and named:
        style.legend_below(ax, named, below=30)
    return ax


def _null_band(ax: Axes, null: xr.Dataset) -> Any:
    """The band of causes without a relation, and its median as a dashed line."""
    if not {"rho", "rho_lower", "rho_upper"} <= set(null.data_vars) or null["rho"].dims != ("library_size",):
        raise ValueError(
            f"null needs rho, rho_lower and rho_upper on library_size, found {sorted(map(str, null.data_vars))} on "
            f"{tuple(null.sizes)}; take it from convergence_null"
        )
    null = null.sortby("library_size")
    size = null["library_size"].values
    ax.plot(size, null["rho"], color=style.REFERENCE, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0.6)
    what = "season and memory alone" if null.attrs.get("surrogate_kind") == "seasonal" else "no relation"
    text = f"{what} ({100 * null.attrs['confidence']:g} %)" if "confidence" in null.attrs else what
    return ax.fill_between(
        size, null["rho_lower"], null["rho_upper"], color="#dcdcdc", linewidth=0, zorder=0.5, label=text
    )


def _curve(ax: Axes, curve: xr.Dataset, others: Sequence[Any], number: int) -> Any:
    """One line with its band, named by what sets it apart and by its gain."""
    curve = curve.sortby("library_size")
    size = curve["library_size"].values
    color = CURVES[number]
    ax.fill_between(size, curve["rho_lower"], curve["rho_upper"], color=color, alpha=0.18, linewidth=0)
    text = curve_name(curve, others)
    if "convergence" in curve and np.isfinite(curve["convergence"]):
        gain = [float(curve[name]) for name in ("convergence", "convergence_lower", "convergence_upper")]
        text += f"{': ' if text else ''}gain {gain[0]:.2f} ({gain[1]:.2f} to {gain[2]:.2f})"
    (line,) = ax.plot(size, curve["rho"], "o-", color=color, linewidth=1.3, markersize=3, label=text or None)
    return line


def curves_along(result: xr.Dataset, along: str) -> tuple[xr.Dataset, list[Hashable]]:
    """The curves of rho along a dimension, on a new dimension ``_curve``, and the dimensions that set them apart."""
    others = [dim for dim in result["rho"].dims if dim != along]
    if not set(others) <= {"direction", "variable"}:
        raise ValueError(
            f"rho must be on ({along}[, direction][, variable]), found {result['rho'].dims}; "
            f"choose along the others with .isel(...)"
        )
    curves = result.stack(_curve=others, create_index=False) if others else result.expand_dims("_curve")
    if curves.sizes["_curve"] > len(CURVES):
        both = curves.sizes["_curve"] // result.sizes.get("variable", 1)
        raise ValueError(
            f"{curves.sizes['_curve']} curves cannot be told apart; choose {len(CURVES) // both} or fewer variables"
            f"{f', or {len(CURVES)} or fewer of one direction' if both > 1 else ''}"
        )
    return curves, others


def curve_name(curve: xr.Dataset | xr.DataArray, others: Sequence[Any]) -> str:
    """What sets one curve apart: its cause, be it alone or one of several, and its direction."""
    alone = ["cause"] if "cause" in curve.coords and curve["cause"].ndim == 0 and "cause" not in others else []
    names = [*alone, *sorted(others, key=lambda dim: dim == "direction")]
    return ", ".join(style.literal(curve[name].item()) for name in names)


@public
@style.squeezed
def plot_lags(result: xr.Dataset, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Draw the cross-map skill against the lag, with the best lag of each curve marked.

    A delayed cause is estimated best at a negative lag: the state of the effect tells most about the cause some days
    before. The largest skill at a positive lag speaks against a cause.

    Parameters
    ----------
    result : xarray.Dataset
        From :func:`xdrought.ccm` with several lags, e.g. ``lag=range(-20, 21)``: `rho` on lag and, if there are,
        `direction` and `variable`; up to six curves. Dimensions of length one are left out.
    legend : bool
        Whether to name the curves, with the best lag of each.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Without several lags, with other dimensions or too many curves.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_lags
    >>> rho = xr.DataArray([0.2, 0.6, 0.4], {"lag": [-5, 0, 5]})
    >>> [text.get_text() for text in plot_lags(xr.Dataset({"rho": rho})).get_legend().get_texts()]
    ['best at 0 days']
    """
    if "rho" not in result or "lag" not in result["rho"].dims:
        raise ValueError(
            f"rho on lag is needed, found {sorted(map(str, result.data_vars))} on {tuple(result.sizes)}; "
            f"call ccm with several lags, e.g. lag=range(-20, 21)"
        )
    rho = result["rho"].squeeze([dim for dim in result["rho"].dims if dim != "lag" and result.sizes[dim] == 1])
    curves, others = curves_along(rho.to_dataset(), "lag")
    ax = style.new_axes(ax, (4.0, 2.8))
    ax.axvline(0, color=style.REFERENCE, linewidth=0.7, linestyle=(0, (3, 2)), zorder=0)
    ax.axhline(0, color=style.LINE, linewidth=0.5, zorder=0)
    handles = []
    for number in range(curves.sizes["_curve"]):
        curve = curves["rho"].isel(_curve=number).sortby("lag")
        lag, skill = curve["lag"].values, curve.values
        name = curve_name(curve, others)
        best = f"best at {lag[np.nanargmax(skill)]:g} days" if np.isfinite(skill).any() else "no skill"
        text = f"{name}: {best}" if name else best
        color = CURVES[number]
        handles += ax.plot(lag, skill, color=color, linewidth=1.3, label=text)
        if np.isfinite(skill).any():
            ax.plot(lag[np.nanargmax(skill)], np.nanmax(skill), "o", color=color, markersize=4)
    ax.set_xlabel("Lag of the cause (days, negative: before)", fontsize=style.TEXT)
    ax.set_ylabel("Cross-map skill ρ", fontsize=style.TEXT)
    style.clean(ax)
    if legend:
        style.legend_below(ax, handles, below=30)
    return ax
