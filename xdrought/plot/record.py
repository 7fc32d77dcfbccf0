"""A place's whole record with its events, and a forecast drawn on one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import xarray as xr

from xdrought.plot.dressing import (
    FORECAST,
    LINE,
    TEXT,
    clean,
    date_axis,
    label,
    legend_below,
    message,
    new_axes,
    one_series,
    require_one_definition,
)  # fmt: skip
from xdrought.plot.phases import Span, class_spans, events_here, percentile_lines, place_name, record_spans, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_record(
    soil_moisture: xr.DataArray,
    events: xr.Dataset | None = None,
    *,
    classes: xr.DataArray | None = None,
    forecast: xr.DataArray | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    time: Hashable = "time",
) -> Axes:
    """Draw a place's record with its droughts, as Figure 4 of Tang et al. (2025).

    Parameters
    ----------
    soil_moisture : xarray.DataArray
        The whole record of one place, (time,); the percentile lines are those of all its valid days.
        Dask values are computed.
    events : xarray.Dataset, optional
        From :func:`xdrought.flash_drought_events`, of one definition; see :func:`plot_event`.
    classes : xarray.DataArray, optional
        Instead of events: the days' classes from :func:`xdrought.drought_classes`, (time,).
    forecast : xarray.DataArray, optional
        Predicted soil moisture at its valid time, (time,) or (run, time): the runs' mean and range.
    legend : bool
        Whether to explain lines and colours under the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    time : hashable
        The time dimension.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        When events and classes are both given, or the input is not of one place and one definition.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.plot import plot_record
    >>> time = pd.date_range("2001-01-01", periods=400)
    >>> attrs = {"long_name": "soil moisture", "units": "percent"}
    >>> moisture = xr.DataArray(30 + 10 * np.cos(np.arange(400) / 58), {"time": time}, attrs=attrs)
    >>> plot_record(moisture).get_ylabel()
    'Soil moisture (%)'
    """
    caller = "plot_record"
    if events is not None and classes is not None:
        raise ValueError(f"{caller}: both events and classes were given; give one, they shade the same days")
    dates, values = one_series(soil_moisture, time, caller)
    spans: list[Span] = []
    if events is not None:
        here = events_here(events, soil_moisture, caller)
        require_one_definition(here, caller)
        spans = list(record_spans(here, caller))
    elif classes is not None:
        spans = list(class_spans(*one_series(classes, time, caller)))
    ax = new_axes(ax, (7.1, 2.6), caller)
    (line,) = ax.plot(dates, values, color=LINE, linewidth=0.9, label="observed")  # type: ignore[arg-type]
    handles = [line, *percentile_lines(ax, values)]
    if forecast is not None:
        handles.append(forecast_line(ax, forecast, time, caller))
    handles += shade(ax, spans)
    if not spans and (events is not None or classes is not None):
        message(ax, "no drought event in this record")
    clean(ax)
    date_axis(ax)
    ax.set_xlim(dates[0], dates[-1])
    ax.set_ylabel(label(soil_moisture), fontsize=TEXT)
    if (place := place_name(soil_moisture)) != "the record":
        ax.set_title(place, fontsize=TEXT, loc="left")
    if legend:
        legend_below(ax, handles)
    return ax


def forecast_line(ax: Axes, forecast: xr.DataArray, time: Hashable, caller: str, name: str = "forecast") -> Any:
    """One line for a forecast; with several runs their mean, and their range as a band."""
    if "run" in forecast.dims:
        dates, low = one_series(forecast.min("run"), time, caller)
        high = one_series(forecast.max("run"), time, caller)[1]
        ax.fill_between(dates, low, high, color=FORECAST, alpha=0.25, linewidth=0)  # type: ignore[arg-type]
        forecast, name = forecast.mean("run"), f"{name} (mean of {forecast.sizes['run']} runs)"
    dates, values = one_series(forecast, time, caller)
    return ax.plot(dates, values, color=FORECAST, linewidth=1, label=name)[0]  # type: ignore[arg-type]
