"""At which lag a cause is estimated best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought.checks import public
from xdrought.plot.causality import CURVES, curve_name, curves_along
from xdrought.plot.style import LINE, REFERENCE, TEXT, clean, legend_below, new_axes, squeezed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@public
@squeezed
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
    ax = new_axes(ax, (4.0, 2.8))
    ax.axvline(0, color=REFERENCE, linewidth=0.7, linestyle=(0, (3, 2)), zorder=0)
    ax.axhline(0, color=LINE, linewidth=0.5, zorder=0)
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
    ax.set_xlabel("Lag of the cause (days, negative: before)", fontsize=TEXT)
    ax.set_ylabel("Cross-map skill ρ", fontsize=TEXT)
    clean(ax)
    if legend:
        legend_below(ax, handles, below=30)
    return ax
