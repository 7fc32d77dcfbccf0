"""When droughts set in: by year and through the seasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought.checks import public
from xdrought.plot.records import SHADES
from xdrought.plot.style import SMALL, TEXT, clean, legend_below, new_axes, squeezed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MONTHS = ["J", "F", "M", "A", "M", "J", "J", "A", "S", "O", "N", "D"]
COLORS = {"flash_count": SHADES["flash onset"], "normal_count": SHADES["normal onset"]}
NAMES = {"flash_count": "flash droughts", "normal_count": "normal droughts"}


@public
@squeezed
def plot_event_counts(counts: xr.Dataset, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Draw how many droughts set in each year, or in each month of the year, flash ones below the normal ones.

    Parameters
    ----------
    counts : xarray.Dataset
        From :func:`xdrought.event_counts`, by year or by month.
    legend : bool
        Whether to name the two kinds, with how many there are of each.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        For anything else than counts.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_event_counts
    >>> counts = {"flash_count": ("year", [2, 0, 1]), "normal_count": ("year", [1, 1, 3])}
    >>> ax = plot_event_counts(xr.Dataset(counts, {"year": [2001, 2002, 2003]}))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['flash droughts (3)', 'normal droughts (5)']
    """
    if not set(COLORS) <= set(counts.data_vars) or counts["flash_count"].dims not in (("year",), ("month",)):
        raise ValueError(
            f"flash_count and normal_count on year or month are needed, found {sorted(map(str, counts.data_vars))} on "
            f"{tuple(counts.sizes)}; take them from event_counts"
        )
    from matplotlib.ticker import MaxNLocator

    (by,) = counts["flash_count"].dims
    at = counts[by].values
    ax = new_axes(ax, (4.5, 2.6))
    below, handles = np.zeros(at.size), []
    for name, color in COLORS.items():
        number = counts[name].values
        text = f"{NAMES[name]} ({number.sum()})"
        handles.append(ax.bar(at, number, 0.8, bottom=below, color=color, linewidth=0, label=text))
        below = below + number
    _ticks(ax, str(by), at)
    ax.set_ylabel("Droughts", fontsize=TEXT)
    ax.set_xlabel(f"{str(by).capitalize()} of the onset", fontsize=TEXT)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    clean(ax)
    if legend:
        legend_below(ax, handles, below=30)
    return ax


def _ticks(ax: Axes, by: str, at: np.ndarray) -> None:
    """Letters for the months; round years, as many as there is room for."""
    if by == "month":
        ax.set_xticks(at, [MONTHS[month - 1] for month in at], fontsize=SMALL)
        return
    from matplotlib.ticker import MaxNLocator

    ax.set_xlim(at[0] - 0.6, at[-1] + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(7, integer=True))
