"""How far several definitions of drought agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.plot.dressing import LINE, SMALL, TEXT, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def frameless(ax: Axes) -> None:
    """A heat map needs no axis lines."""
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def plot_agreement(table: xr.DataArray | pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far definitions of drought agree, as a square of shares with their numbers.

    Parameters
    ----------
    table : xarray.DataArray or pandas.DataFrame
        Square, shares 0 to 1, the same definitions along both sides; NaN where there is nothing to compare.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        When the table is not square or holds something that is no share.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import pandas as pd
    >>> from xdrought.plot import plot_agreement
    >>> names = ["tang2025", "yuan2019"]
    >>> ax = plot_agreement(pd.DataFrame([[1.0, 0.4], [0.6, 1.0]], names, names))
    >>> [text.get_text() for text in ax.texts]
    ['1.00', '0.40', '0.60', '1.00']
    """
    caller = "plot_agreement"
    title = str(table.attrs.get("long_name", "Share of agreement"))
    frame: Any = table.to_pandas() if isinstance(table, xr.DataArray) else table
    if getattr(frame, "ndim", 0) != 2 or frame.shape[0] != frame.shape[1]:
        raise ValueError(f"{caller}: the table must be square, found {table.shape}; choose along others")
    values = np.asarray(frame, dtype="float64")
    if ((values < 0) | (values > 1)).any():
        found = f"{np.nanmin(values):g} to {np.nanmax(values):g}"
        raise ValueError(f"{caller}: shares lie between 0 and 1, found {found}; divide percentages by 100")
    count = len(frame)
    ax = new_axes(ax, (1.4 + 0.45 * count, 1.0 + 0.4 * count), caller)
    ax.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, j in np.argwhere(np.isfinite(values)):
        ax.text(
            j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=SMALL,
            color="white" if values[i, j] > 0.6 else LINE,
        )  # fmt: skip
    names = [str(name) for name in frame.columns]
    ax.set_xticks(range(count), names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(count), [str(name) for name in frame.index])
    ax.tick_params(labelsize=TEXT)
    frameless(ax)
    ax.set_title(title[:1].upper() + title[1:], fontsize=TEXT, loc="left")
    return ax
