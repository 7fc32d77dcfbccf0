"""Whether probabilities mean what they say, what they are worth to who acts on them, and the alarms that they raise."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought.plot import style
from xdrought.plot.scores import COLORS
from xdrought.public_functions import public
from xdrought.verification.probability import base_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vP"


@public
@style.squeezed
def plot_reliability(
    scores: xr.Dataset | Mapping[str, xr.Dataset],
    *,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often it happened against the probability given, with the number of days of every bin above.

    Parameters
    ----------
    scores : xarray.Dataset or mapping of str to Dataset
        From :func:`xdrought.probability_scores` or :func:`xdrought.onset_skill`, of one model or of several by name,
        all of the same days.
    legend : bool
        Whether to name the models, with their Brier skill against climatology.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Points on the diagonal are reliable. On the horizontal line the probability says nothing (no resolution); in
        the shaded part a bin helps the Brier score against always giving the base rate, outside it harms (the dotted
        edge is "no skill").

    Raises
    ------
    ValueError
        When there is no reliability among the scores, or no bin has a day.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought import probability_scores
    >>> from xdrought.plot import plot_reliability
    >>> fcst = xr.DataArray(np.tile([0.1, 0.9], 50), dims="time")
    >>> ax = plot_reliability(probability_scores(fcst, fcst > 0.5))
    >>> ax.get_xlabel()
    'Forecast probability'
    """
    models = style.by_model(scores, "observed_frequency", "probability_scores")
    rate = base_rate(next(iter(models.values())))
    ax = style.new_axes(ax, (3.5, 4.4))
    counts = ax.inset_axes((0, 1.04, 1, 0.2))
    _guides(ax, rate)
    handles = []
    for k, (name, of_model) in enumerate(models.items()):
        color = COLORS[k % len(COLORS)]
        there = of_model["n_in_bin"].values > 0
        skill = float(of_model["brier_skill_pooled"]) if "brier_skill_pooled" in of_model else np.nan
        text = style.literal(name) + (f", Brier skill {skill:.2f}" if np.isfinite(skill) else "")
        handles += ax.plot(
            of_model["mean_probability"].values[there],
            of_model["observed_frequency"].values[there],
            marker=MARKERS[k % len(MARKERS)],
            color=color,
            linewidth=1.2,
            markersize=4.5,
            label=text,
            clip_on=False,
        )
        _days(counts, of_model, k, len(models), color)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_xlabel("Forecast probability", fontsize=style.TEXT)
    ax.set_ylabel("Observed frequency", fontsize=style.TEXT)
    style.clean(ax)
    if legend:
        style.legend_below(ax, handles, below=30)
    return ax


def _guides(ax: Axes, rate: float) -> None:
    """Diagonal, no resolution, no skill, and the part where a bin helps the Brier score."""
    x = np.array([0.0, rate, 1.0])
    no_skill = (x + rate) / 2
    ax.fill_between([0, rate], no_skill[:2], 0, color="#eeeeee", linewidth=0, zorder=0)
    ax.fill_between([rate, 1], no_skill[1:], 1, color="#eeeeee", linewidth=0, zorder=0)
    ax.plot([0, 1], [0, 1], color=style.LINE, linewidth=0.7, zorder=1)
    ax.plot(x, no_skill, color=style.REFERENCE, linewidth=0.7, linestyle=":", zorder=1)
    ax.axhline(rate, color=style.REFERENCE, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    ax.annotate(
        f"no resolution (base rate {rate:.2g})",
        (1, rate),
        (0, 3 if rate < 0.85 else -3),
        textcoords="offset points",
        ha="right",
        va="bottom" if rate < 0.85 else "top",
        fontsize=style.SMALL,
        color="#555555",
    )
    at = 0.98 if rate < 0.5 else 0.3
    ax.text(
        at,
        (at + rate) / 2 - 0.015,
        "no skill",
        ha="right",
        va="top",
        fontsize=style.SMALL,
        color="#555555",
        rotation=np.rad2deg(np.arctan(0.5)),
        rotation_mode="anchor",
        transform_rotates_text=True,
    )


def _days(ax: Axes, scores: xr.Dataset, k: int, n_models: int, color: str) -> None:
    """Bars with the days of each bin, models side by side, on a logarithmic scale."""
    centres = scores["probability_bin"].values
    widths = scores["bin_width"].values if "bin_width" in scores else np.full(centres.size, 1 / centres.size)
    width = 0.8 * widths / n_models
    ax.bar(centres + (k - (n_models - 1) / 2) * width, scores["n_in_bin"].values, width, color=color, linewidth=0)
    ax.set(xlim=(0, 1), yscale="log", ylim=(0.7, None))
    ax.tick_params(labelsize=style.SMALL, labelbottom=False)
    ax.minorticks_off()
    ax.set_ylabel("Days", fontsize=style.SMALL)
    style.clean(ax)


@public
@style.squeezed
def plot_economic_value(
    scores: xr.Dataset | Mapping[str, xr.Dataset],
    *,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw what the probabilities are worth to users whose protection costs different shares of the loss it avoids.

    Parameters
    ----------
    scores : xarray.Dataset or mapping of str to Dataset
        From :func:`xdrought.probability_scores`, of one model or of several by name, all of the same days.
    legend : bool
        Whether to name the models.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        1 is a perfect forecast, 0 what always or never protecting gives; the dotted line is the base rate, where a
        forecast is worth most.

    Raises
    ------
    ValueError
        When there is no economic value among the scores, or no bin has a day.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought import probability_scores
    >>> from xdrought.plot import plot_economic_value
    >>> fcst = xr.DataArray(np.tile([0.1, 0.9], 50), dims="time")
    >>> ax = plot_economic_value({"net": probability_scores(fcst, fcst > 0.5)})
    >>> [line.get_label() for line in ax.lines][0]
    'net'
    """
    models = style.by_model(scores, "economic_value", "probability_scores")
    rate = base_rate(next(iter(models.values())))
    ax = style.new_axes(ax, (3.5, 2.8))
    handles = []
    for k, (name, of_model) in enumerate(models.items()):
        value = of_model["economic_value"]
        handles += ax.plot(
            value["cost_loss_ratio"], value, color=COLORS[k % len(COLORS)], linewidth=1.2, label=style.literal(name)
        )
    ax.axhline(0, color=style.LINE, linewidth=0.6)
    ax.axvline(rate, color=style.REFERENCE, linewidth=0.7, linestyle=":")
    ax.annotate(
        f"base rate {rate:.2g}",
        (rate, 1),
        (3 if rate < 0.7 else -3, 0),
        textcoords="offset points",
        va="top",
        ha="left" if rate < 0.7 else "right",
        fontsize=style.SMALL,
        color="#555555",
    )
    ax.set(xlim=(0, 1), ylim=(-0.1, 1))
    ax.set_xlabel("Cost of protection over loss avoided", fontsize=style.TEXT)
    ax.set_ylabel("Relative economic value", fontsize=style.TEXT)
    style.clean(ax)
    if legend:
        style.legend_below(ax, handles, below=30)
    return ax


HIT, FALSE, START = "#009E73", "#D55E00", "#000000"


@public
@style.squeezed
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
    >>> result = alarms(prediction, p > 1, threshold=0.5, part=None, chosen_on=None, n_boot=0)
    >>> plot_alarms(prediction, result).get_ylabel()
    'P(onset within 7 days)'
    """
    variable = alarms.attrs.get("variable", "flash_onset_probability")
    if variable not in prediction:
        raise KeyError(
            f"no {variable!r} in the prediction, which has {list(prediction.data_vars)}; give the prediction that the "
            f"alarms are of, from predict_onset"
        )
    if "alarm_time" not in alarms:
        raise KeyError(f"no 'alarm_time' among {list(alarms.variables)}; give what alarms() returned")
    p = prediction[variable]
    if "site" in p.dims:
        known = p.indexes["site"]
        if site is None and known.size == 1:
            site = known[0]
        if site not in known:
            raise KeyError(f"site={site!r} is not among {known.tolist()[:10]}; name one of them")
        p = p.sel(site=site)
        alarms = alarms.isel(alarm=(alarms.alarm_site == site).values, start=(alarms.start_site == site).values)
    ax = style.new_axes(ax, (7.0, 2.8))
    dates = [*alarms.alarm_time.values, *alarms.start_time.values]
    if dates:  # the part that was scored, not the whole record
        margin = np.timedelta64(60, "D")
        p = p.sel(time=slice(min(dates) - margin, max(dates) + margin))
    ax.plot(p.time, p, color=style.LINE, linewidth=0.8)
    threshold = float(alarms.threshold)
    ax.axhline(threshold, color=style.REFERENCE, linewidth=0.8, linestyle=(0, (4, 2)))
    day = np.timedelta64(1, "D")
    for first, last, false in zip(
        alarms.alarm_time.values, alarms.alarm_end.values, alarms.false_alarms.values, strict=True
    ):
        ax.axvspan(first, last + day, color=FALSE if false else HIT, alpha=0.35, linewidth=0)
    for start, warned in zip(alarms.start_time.values, alarms.days_of_warning.values, strict=True):
        ax.plot(start, 1.0, "v", color=START, markersize=5, fillstyle="full" if warned else "none", clip_on=False)
    ax.set_ylim(0, 1)
    lead = alarms.attrs.get("lead_days", prediction.attrs.get("lead"))
    ax.set_ylabel(f"P(onset within {lead} days)", fontsize=style.TEXT)
    if site is not None:
        ax.set_title(style.literal(site), fontsize=style.TEXT)
    style.date_axis(ax)
    style.clean(ax)
    if legend:
        _legend(ax, threshold)
    return ax


def _legend(ax: Axes, threshold: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=HIT, alpha=0.35, linewidth=0, label="alarm, a drought followed"),
        Patch(color=FALSE, alpha=0.35, linewidth=0, label="false alarm"),
        Line2D([], [], color=style.REFERENCE, linestyle=(0, (4, 2)), label=f"threshold {threshold:.2f}"),
        Line2D([], [], color=START, marker="v", linestyle="", markersize=5, label="a drought begins"),
    ]
    style.legend_below(ax, handles, below=26)
