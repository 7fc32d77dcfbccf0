"""How cross-map skill grows with the library it is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.plot.dressing import FORECAST, LINE, LOWER, REFERENCE, TEXT, UPPER, clean, legend_below, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES = [FORECAST, UPPER, LOWER, "#7b3fa0", REFERENCE, "#b5892b"]


def plot_convergence(
    result: xr.Dataset,
    *,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw how cross-map skill grows with the library, with the interval over random libraries.

    Skill that rises and levels off is the sign of causation; a flat curve is a mere correlation.

    Parameters
    ----------
    result : xarray.Dataset
        From :func:`xdrought.ccm` or :func:`xdrought.gccm` with several library sizes: `rho`, `rho_lower`,
        `rho_upper` on library_size and, if there are, `direction` and `variable`; up to six curves.
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
    caller = "plot_convergence"
    needed = ["rho", "rho_lower", "rho_upper"]
    if any(name not in result or "library_size" not in result[name].dims for name in needed):
        raise ValueError(
            f"{caller}: {needed} on library_size are needed, found {sorted(map(str, result.data_vars))} on "
            f"{tuple(result.sizes)}; call ccm with library_size=[...]"
        )
    others = [dim for dim in result["rho"].dims if dim != "library_size"]
    if not set(others) <= {"direction", "variable"}:
        raise ValueError(
            f"{caller}: rho must be on (library_size[, direction][, variable]), found {result['rho'].dims}; "
            f"choose along the others with .isel(...)"
        )
    curves = result.stack(_curve=others, create_index=False) if others else result.expand_dims("_curve")
    if curves.sizes["_curve"] > len(CURVES):
        raise ValueError(
            f"{caller}: {curves.sizes['_curve']} curves cannot be told apart; choose {len(CURVES)} or fewer variables"
        )
    ax = new_axes(ax, (4.0, 2.8), caller)
    handles = [_curve(ax, curves.isel(_curve=i), others, i) for i in range(curves.sizes["_curve"])]
    ax.axhline(0, color=LINE, linewidth=0.5, zorder=0)
    sizes = result["library_size"]
    unit = str(sizes.attrs.get("units", "days"))
    ax.set_xlabel(f"{'Side of the library' if unit == 'cells' else 'Library size'} ({unit})", fontsize=TEXT)
    ax.set_ylabel("Cross-map skill ρ", fontsize=TEXT)
    ax.set_xlim(left=0)
    clean(ax)
    if legend and not str(handles[0].get_label()).startswith("_"):  # matplotlib's own name for none
        legend_below(ax, handles, below=30)
    return ax


def _curve(ax: Axes, curve: xr.Dataset, others: Sequence[Any], number: int) -> Any:
    """One line with its band, named by what sets it apart and by its gain."""
    curve = curve.sortby("library_size")
    size = curve["library_size"].values
    colour = CURVES[number]
    ax.fill_between(size, curve["rho_lower"], curve["rho_upper"], color=colour, alpha=0.18, linewidth=0)
    parts = [str(curve[dim].item()).replace("_", " ") for dim in sorted(others, key=lambda dim: dim == "direction")]
    text = ", ".join(parts)
    if "convergence" in curve and np.isfinite(curve["convergence"]):
        gain = [float(curve[name]) for name in ("convergence", "convergence_lower", "convergence_upper")]
        text += f"{': ' if text else ''}gain {gain[0]:.2f} ({gain[1]:.2f} to {gain[2]:.2f})"
    (line,) = ax.plot(size, curve["rho"], "o-", color=colour, linewidth=1.3, markersize=3, label=text or None)
    return line
