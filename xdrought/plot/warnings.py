"""Warnings of one site: the probability, the alarms that it raised, and the droughts that began."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought.checks import public
from xdrought.plot.style import LINE, REFERENCE, TEXT, clean, date_axis, legend_below, literal, new_axes, squeezed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HIT, FALSE, START = "#009E73", "#D55E00", "#000000"


@public
@squeezed
def plot_alarms(
    prediction: xr.Dataset,
    alarms: xr.Dataset,
    *,
    site: Hashable | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the probability of a flash onset at a site, with its alarms and the droughts that began.

    Parameters
    ----------
    prediction : xarray.Dataset
        From :func:`xdrought.predict_onset`.
    alarms : xarray.Dataset
        From :func:`xdrought.alarms` of the same prediction; it gives the threshold, the alarms and the starts.
    site : hashable, optional
        Label of the site; may be left out when there is only one.
    legend : bool
        Whether to name the colours.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Bands are alarms, from the first to the last day that raised them: green when a drought followed, red when none
        did. Triangles are starts of droughts, filled when they were announced.

    Raises
    ------
    KeyError
        For a site that is not there, or datasets that are not of these functions.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import alarms
    >>> from xdrought.plot import plot_alarms
    >>> days = pd.date_range("2001-01-01", periods=40)
    >>> p = xr.DataArray(np.full((1, 40), 0.1), {"site": ["A"], "time": days}, ("site", "time"))
    >>> p[0, 20:24] = 0.7
    >>> prediction = p.to_dataset(name="flash_onset_probability").assign_attrs(lead=7)
    >>> found = alarms(prediction, p > 1, threshold=0.5, part=None, chosen_on=None, n_boot=0)
    >>> plot_alarms(prediction, found).get_ylabel()
    'P(onset within 7 days)'
    """
    variable = alarms.attrs.get("variable", "flash_onset_probability")
    if variable not in prediction or "alarm_time" not in alarms:
        raise KeyError(
            f"no {variable!r} in the prediction, or no 'alarm_time' in the alarms; give what alarms() returned"
        )
    p = prediction[variable]
    if "site" in p.dims:
        known = p.indexes["site"]
        if site is None and known.size == 1:
            site = known[0]
        if site not in known:
            raise KeyError(f"site={site!r} is not among {known.tolist()[:10]}; name one of them")
        p = p.sel(site=site)
        alarms = alarms.isel(alarm=(alarms.alarm_site == site).values, start=(alarms.start_site == site).values)
    ax = new_axes(ax, (7.0, 2.8))
    dates = [*alarms.alarm_time.values, *alarms.start_time.values]
    if dates:  # the part that was scored, not the whole record
        margin = np.timedelta64(60, "D")
        p = p.sel(time=slice(min(dates) - margin, max(dates) + margin))
    ax.plot(p.time, p, color=LINE, linewidth=0.8)
    threshold = float(alarms.threshold)
    ax.axhline(threshold, color=REFERENCE, linewidth=0.8, linestyle=(0, (4, 2)))
    day = np.timedelta64(1, "D")
    for first, last, false in zip(
        alarms.alarm_time.values, alarms.alarm_end.values, alarms.false_alarms.values, strict=True
    ):
        ax.axvspan(first, last + day, color=FALSE if false else HIT, alpha=0.35, linewidth=0)
    for start, warned in zip(alarms.start_time.values, alarms.days_of_warning.values, strict=True):
        ax.plot(start, 1.0, "v", color=START, markersize=5, fillstyle="full" if warned else "none", clip_on=False)
    ax.set_ylim(0, 1)
    lead = alarms.attrs.get("lead_days", prediction.attrs.get("lead"))
    ax.set_ylabel(f"P(onset within {lead} days)", fontsize=TEXT)
    if site is not None:
        ax.set_title(literal(site), fontsize=TEXT)
    date_axis(ax)
    clean(ax)
    if legend:
        _legend(ax, threshold)
    return ax


def _legend(ax: Axes, threshold: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=HIT, alpha=0.35, linewidth=0, label="alarm, a drought followed"),
        Patch(color=FALSE, alpha=0.35, linewidth=0, label="false alarm"),
        Line2D([], [], color=REFERENCE, linestyle=(0, (4, 2)), label=f"threshold {threshold:.2f}"),
        Line2D([], [], color=START, marker="v", linestyle="", markersize=5, label="a drought begins"),
    ]
    legend_below(ax, handles, below=26)
