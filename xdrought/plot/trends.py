"""Trends of onsets, numbers of events against one another, and where they go together (Figure 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.plot import style
from xdrought.plot.experiments import draw_curve, draw_points, name_panel, p_text, wrapped
from xdrought.plot.maps import plot_map
from xdrought.public_functions import public

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@public
@style.squeezed
def plot_coincidence(
    coincidence: xr.Dataset, *, pairs: int = 20, alpha: float = 0.05, ax: Axes | None = None, **options: Any
) -> Axes:
    """Draw how much more often than in shifted years the droughts of each site set in with those of others.

    Parameters
    ----------
    coincidence : xarray.Dataset
        From :func:`xdrought.study.onset_coincidence`, with `lat` and `lon`.
    pairs : int
        Pairs of the largest share above that of shifted years, joined by lines.
    alpha : float
        Sites whose adjusted p-value is smaller are ringed.
    ax : cartopy.mpl.geoaxes.GeoAxes, optional
        Where to draw; a new figure by default.
    **options
        `extent`, `projection` and `resolution` of :func:`xdrought.plot.plot_map`.

    Returns
    -------
    cartopy.mpl.geoaxes.GeoAxes

    Raises
    ------
    ValueError
        For anything else than coincidence on places.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.plot import plot_coincidence
    >>> from xdrought.study import onset_coincidence
    >>> days = pd.date_range("2001-01-01", "2006-12-31")
    >>> place = {"site": ["A", "B"], "lat": ("site", [50.0, 51.0]), "lon": ("site", [8.0, 9.0])}
    >>> record = xr.DataArray(np.ones((2, days.size)), {**place, "time": days}, ("site", "time"))
    >>> start = pd.to_datetime(["2001-07-01", "2003-07-01", "2001-07-09", "2005-07-01"])
    >>> events = xr.Dataset({"start_time": ("event", start)}, {"site": ("event", list("AABB"))})
    >>> ax = plot_coincidence(onset_coincidence(events, record))
    >>> ax.get_title(loc="left").splitlines()[0]
    '50 % of droughts set in within 15 days of one at another site'
    """
    if not {"rate", "expected", "excess", "lat", "lon"} <= set(coincidence.variables):
        raise ValueError(
            "needs rate, expected and excess with lat and lon; take them from "
            "xdrought.study.onset_coincidence of a record that has lat and lon"
        )
    excess = coincidence.excess.assign_attrs(long_name="share above that of shifted years")
    reach = max(float(np.nanmax(np.abs(excess.values))), 1e-9) if np.isfinite(excess.values).any() else 1.0
    axes = plot_map(excess, cmap="PuOr_r", vmin=-reach, vmax=reach, ax=ax, **options)
    import cartopy.crs as ccrs

    lon, lat = coincidence.lon.values, coincidence.lat.values
    above = np.tril((coincidence.rate - coincidence.expected).transpose("site", "other").values, -1)
    order = np.argsort(np.where(above > 0, -above, 0), axis=None)[:pairs]
    for a, b in zip(*np.unravel_index(order, above.shape), strict=True):
        if above[a, b] > 0:
            axes.plot(
                [lon[a], lon[b]],
                [lat[a], lat[b]],
                color="#b35806",
                linewidth=0.4 + 2 * above[a, b],
                alpha=0.55,
                transform=ccrs.Geodetic(),
                zorder=2.5,
            )
    sure = (coincidence.p_value_adjusted < alpha).values
    if sure.any():
        axes.plot(
            lon[sure],
            lat[sure],
            "o",
            markerfacecolor="none",
            color="#1a1a1a",
            markersize=8,
            markeredgewidth=0.9,
            transform=ccrs.PlateCarree(),
            zorder=4,
        )
    rate, expected = (100 * float(coincidence[f"network_{name}"]) for name in ("rate", "expected"))
    days = f"{coincidence.attrs.get('tolerance', 0):g} days"
    first = f"{rate:.0f} % of droughts set in within {days} of one at another site"
    second = (
        f"years shifted {expected:.0f} %, {p_text(float(coincidence.network_p_value))}; ringed: adjusted p < {alpha:g}"
    )
    axes.set_title(f"{first}\n{second}", fontsize=style.SMALL, loc="left")
    return axes


@public
@style.squeezed
def plot_onset_trend(trend: xr.Dataset, *, title: str = "", legend: bool = True, ax: Axes | None = None) -> Axes:
    """Draw yearly means and the trend within sites, beside what all events together show (Figure 7a).

    Parameters
    ----------
    trend : xarray.Dataset
        From :func:`xdrought.study.onset_trend`.
    title : str
        What the trend is of, above its numbers.
    legend : bool
        Whether to say what is what.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For anything else than the trend.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from xdrought.plot import plot_onset_trend
    >>> from xdrought.study import onset_trend
    >>> days = pd.to_datetime(["2001-06-01", "2002-06-01", "2003-06-01"] * 3)
    >>> events = xr.Dataset({"onset_time": ("event", days)}, {"site": ("event", list("AAABBBCCC"))})
    >>> rate = xr.DataArray([1.0, 2, 3, 4, 5, 7, 2, 2, 4], dims="event", name="rate")
    >>> plot_onset_trend(onset_trend(rate, events)).get_ylabel()
    'Rate'
    """
    if not {"slope", "adjusted", "pooled", "event_count"} <= set(trend.variables):
        raise ValueError("needs the slope and yearly means; take them from xdrought.study.onset_trend")
    ax = style.new_axes(ax, (4.6, 2.9))
    from matplotlib.ticker import MaxNLocator

    year, adjusted, count = trend["year"].values, trend.adjusted.values, trend.event_count.values
    lower, upper = trend.adjusted_lower.values, trend.adjusted_upper.values
    ends = np.clip(np.stack([adjusted - lower, upper - adjusted]), 0, None)
    ax.errorbar(
        year,
        adjusted,
        ends,
        fmt="o",
        color=style.FORECAST,
        markersize=4,
        elinewidth=0.8,
        zorder=3,
        label="mean of the year, site levels taken off",
    )
    ax.plot(
        year,
        trend.pooled,
        "o",
        color=style.REFERENCE,
        markersize=4,
        markerfacecolor="none",
        zorder=2,
        label="mean of all events",
    )
    known = np.isfinite(adjusted)
    if np.isfinite(float(trend.slope)):
        middle = np.average(year[known], weights=count[known])
        height = np.average(adjusted[known], weights=count[known])
        reach = year[known][[0, -1]]
        _line(ax, reach, middle, height, trend, "slope", style.FORECAST, "trend within sites")
        pooled = np.average(trend.pooled.values[known], weights=count[known])
        naive = pooled + float(trend.naive_slope) * (reach - middle)
        ax.plot(
            reach,
            naive,
            color=style.REFERENCE,
            linewidth=1,
            linestyle=(0, (4, 2)),
            zorder=1,
            label="regression of all events",
        )
    numbers = f"{float(trend.slope):+.3g} [{float(trend.lower):+.2g}, {float(trend.upper):+.2g}] per year"
    text = f"{numbers}, {p_text(float(trend.p_value))}\nall events: {float(trend.naive_slope):+.3g}, "
    name_panel(ax, title, text + p_text(float(trend.naive_p_value)))
    name = str(trend.pooled.attrs.get("long_name", "value")).removesuffix(", mean of all events")
    ax.set_ylabel(wrapped(style.label(trend.pooled.assign_attrs(long_name=name))), fontsize=style.TEXT)
    ax.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    _headroom(ax, adjusted, trend.pooled.values)
    style.clean(ax)
    if legend:
        ax.legend(fontsize=style.SMALL, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    return ax


def _headroom(ax: Axes, *means: np.ndarray) -> None:
    """An axis made for the means: error bars of years with few sites may leave it."""
    values = np.concatenate(means)
    values = values[np.isfinite(values)]
    if values.size:
        room = max(np.ptp(values), 1e-9)
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, values.min() - room), min(high, values.max() + room))


def _line(
    ax: Axes, x: np.ndarray, middle: float, height: float, trend: xr.Dataset, name: str, color: str, text: str
) -> None:
    """A line through the middle, with the fan of the slope's interval."""
    ax.plot(x, height + float(trend[name]) * (x - middle), color=color, linewidth=1.6, zorder=4, label=text)
    ends = np.linspace(x[0], x[-1], 50)
    fan = np.stack([height + float(trend[side]) * (ends - middle) for side in ("lower", "upper")])
    if np.isfinite(fan).all():
        ax.fill_between(ends, fan.min(axis=0), fan.max(axis=0), color=color, alpha=0.13, linewidth=0, zorder=1)


@public
@style.squeezed
def plot_event_association(association: xr.Dataset, *, within: bool = True, ax: Axes | None = None) -> Axes:
    """Draw two numbers of each event against one another with their curve, as Figures 7b and 7d.

    Parameters
    ----------
    association : xarray.Dataset
        From :func:`xdrought.study.event_association`.
    within : bool
        With the sites' levels taken off, and the curve; otherwise the events as they are, without one.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For anything else than the association.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.plot import plot_event_association
    >>> from xdrought.study import event_association
    >>> years = np.array(["2001-06", "2002-06", "2003-06"] * 2, "datetime64[ns]")
    >>> events = xr.Dataset({"onset_time": ("event", years)}, {"site": ("event", list("AAABBB"))})
    >>> x, y = (xr.DataArray(v, dims="event", name=n) for n, v in (("a", [1.0, 2, 3, 4, 5, 6]), ("b", [3.0, 2, 1] * 2)))
    >>> plot_event_association(event_association(x, y, events)).get_xlabel()
    'A'
    """
    if not {"x_within", "y_within", "curve", "spearman"} <= set(association.variables):
        raise ValueError("needs x, y and their curve; take them from xdrought.study.event_association")
    ax = style.new_axes(ax, (3.6, 2.9))
    x, y = (association[f"{name}_within" if within else name] for name in ("x", "y"))
    draw_points(ax, x.values, y.values)
    if within:
        draw_curve(ax, association)
    if (association.y.values < 0).any() and (association.y.values > 0).any():
        ax.axhline(0, color=style.REFERENCE, linewidth=0.8, zorder=0)
    name = "spearman" if within else "pooled_spearman"
    middle, low, high = (float(association[name + end]) for end in ("", "_lower", "_upper"))
    numbers = f"ρ = {middle:.2f} [{low:.2f}, {high:.2f}]"
    title = f"within sites\n{numbers}, {p_text(float(association.p_value))}" if within else f"all events\n{numbers}"
    ax.set_title(title, fontsize=style.SMALL, loc="left")
    ax.set_xlabel(wrapped(style.label(x), 44), fontsize=style.TEXT)
    ax.set_ylabel(wrapped(style.label(y)), fontsize=style.TEXT)
    style.clean(ax)
    return ax


@public
@style.squeezed
def plot_synchrony(synchrony: xr.Dataset, *, alpha: float = 0.05, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw on a map where two numbers of droughts rise together, as Figure 7c of Tang et al. (2025).

    Parameters
    ----------
    synchrony : xarray.Dataset
        From :func:`xdrought.study.site_synchrony`, with `lat` and `lon`.
    alpha : float
        Sites whose own p-value is smaller are ringed.
    ax : cartopy.mpl.geoaxes.GeoAxes, optional
        Where to draw; a new figure by default.
    **options
        `extent`, `projection` and `resolution` of :func:`xdrought.plot.plot_map`.

    Returns
    -------
    cartopy.mpl.geoaxes.GeoAxes

    Raises
    ------
    ValueError
        For anything else than synchrony on places.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_synchrony
    >>> from xdrought.study import site_synchrony
    >>> coords = {"site": ("event", list("AAABBB")), "lat": ("event", [50.0] * 3 + [51.0] * 3)}
    >>> events = xr.Dataset(coords={**coords, "lon": ("event", [8.0] * 6)})
    >>> x, y = (xr.DataArray(v, dims="event") for v in ([1.0, 2, 3] * 2, [1.0, 2, 3, 3, 2, 1]))
    >>> ax = plot_synchrony(site_synchrony(x, y, events, min_events=3))
    >>> ax.get_title(loc="left").splitlines()[0]
    'positive at 50 % of 2 sites [0 %, 100 %]'
    """
    if not {"spearman", "share", "lat", "lon"} <= set(synchrony.variables):
        raise ValueError(
            "needs spearman and share with lat and lon; take them from xdrought.study.site_synchrony of "
            "events that have lat and lon"
        )
    rho = synchrony.spearman.assign_attrs(long_name="rank correlation over events")
    (dim,) = rho.dims
    axes = plot_map(rho, cmap="PuOr_r", vmin=-1, vmax=1, ax=ax, **options)
    import cartopy.crs as ccrs

    sure = (synchrony.p_value < alpha).values
    if sure.any():
        axes.plot(
            synchrony.lon.values[sure],
            synchrony.lat.values[sure],
            "o",
            markerfacecolor="none",
            color="#1a1a1a",
            markersize=8,
            markeredgewidth=0.9,
            transform=ccrs.PlateCarree(),
            zorder=4,
        )
    known, unit = int(np.isfinite(rho.values).sum()), "sites" if dim == "site" else "cells"
    middle, low, high = (f"{100 * float(synchrony[name]):.0f} %" for name in ("share", "lower", "upper"))
    chance = f"by chance {100 * float(synchrony.chance_share):.0f} %"
    ringed = f"ringed: p < {alpha:g} at the site itself ({int(sure.sum())})"
    first = f"positive at {middle} of {known} {unit} [{low}, {high}]"
    second = f"{chance}, {p_text(float(synchrony.share_p_value))}; {ringed}"
    axes.set_title(f"{first}\n{second}", fontsize=style.SMALL, loc="left")
    return axes
