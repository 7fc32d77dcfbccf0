"""Where droughts set in together with those of other sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.plot.degree_skill import p_text
from xdrought.plot.dressing import SMALL
from xdrought.plot.maps import plot_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    caller = "plot_coincidence"
    if not {"rate", "expected", "excess", "lat", "lon"} <= set(coincidence.variables):
        raise ValueError(
            f"{caller}: needs rate, expected and excess with lat and lon; take them from "
            f"xdrought.study.onset_coincidence of a record that has lat and lon"
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
                [lon[a], lon[b]], [lat[a], lat[b]], color="#b35806", linewidth=0.4 + 2 * above[a, b], alpha=0.55,
                transform=ccrs.Geodetic(), zorder=2.5,
            )  # fmt: skip
    sure = (coincidence.adjusted_p_value < alpha).values
    if sure.any():
        axes.plot(
            lon[sure], lat[sure], "o", markerfacecolor="none", color="#1a1a1a", markersize=8, markeredgewidth=0.9,
            transform=ccrs.PlateCarree(), zorder=4,
        )  # fmt: skip
    rate, expected = (100 * float(coincidence[f"network_{name}"]) for name in ("rate", "expected"))
    days = f"{coincidence.attrs.get('tolerance', 0):g} days"
    first = f"{rate:.0f} % of droughts set in within {days} of one at another site"
    second = (
        f"years shifted {expected:.0f} %, {p_text(float(coincidence.network_p_value))}; ringed: adjusted p < {alpha:g}"
    )
    axes.set_title(f"{first}\n{second}", fontsize=SMALL, loc="left")
    return axes
