"""Figure 4: soil moisture seen and forecast at one site, its percentile lines, and the droughts of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xdrought.plot.experiments import wrapped
from xdrought.plot.records import SHADES, class_spans, percentile_lines, shade
from xdrought.plot.style import FORECAST, LINE, TEXT, clean, date_axis, label, legend_below, literal, to_datetime64

LOOKS: tuple[dict[str, Any], ...] = (
    {"color": FORECAST, "lw": 1.2},
    {"color": "#CC79A7", "lw": 0.9, "ls": (0, (1, 1))},
)


def with_droughts(
    record: xr.DataArray,
    forecasts: Mapping[str, xr.DataArray],
    classes: Mapping[str, xr.DataArray],
    nse: Mapping[str, float],
) -> Any:
    """Draw one site.

    Parameters
    ----------
    record : xarray.DataArray
        The whole observed record (time,), of which the percentile lines are.
    forecasts : mapping of str to DataArray
        (time,) of one part of the record, by name of the network.
    classes : mapping of str to DataArray
        Daily classes (time,) of "observed", drawn as shades, and of each forecast, drawn as a strip.
    nse : mapping of str to float
        What the legend gives beside each name.
    """
    import matplotlib.pyplot as plt

    known = xr.concat([da.drop_vars([c for c in da.coords if c != "time"]) for da in forecasts.values()], "model")
    days = known["time"].values[known.notnull().any("model").values]
    part = slice(days[0], days[-1])
    figure, (ax, strips) = plt.subplots(
        2, 1, figsize=(7.1, 3.4), sharex=True, layout="constrained", height_ratios=(4, 1.3)
    )
    seen = record.sel(time=part)
    (line,) = ax.plot(to_datetime64(seen["time"].values), seen.values, color=LINE, lw=1.0, label="observed")
    handles = [line, *percentile_lines(ax, record.values)]
    for (name, da), look in zip(forecasts.items(), LOOKS, strict=False):
        one = da.sel(time=part)
        handles += ax.plot(to_datetime64(one["time"].values), one.values, **look, label=f"{name}, NSE {nse[name]:.2f}")
    phases = dict.fromkeys(SHADES)
    for row, (name, da) in enumerate(classes.items()):
        one = da.sel(time=part)
        spans = list(class_spans(to_datetime64(one["time"].values), one.values))
        if name == "observed":
            for patch in shade(ax, spans):
                phases[patch.get_label()] = patch
        for span in spans:
            drawn = strips.barh(
                row,
                np.maximum(span.end - span.start, np.timedelta64(1, "D")),
                left=span.start,
                height=0.8,
                color=SHADES[span.phase],
                label=span.phase,
            )
            phases[span.phase] = phases[span.phase] or drawn[0]
    handles += [patch for patch in phases.values() if patch is not None]
    strips.set_yticks(range(len(classes)), list(classes), fontsize=TEXT - 1)
    strips.set_ylim(len(classes) - 0.5, -0.5)
    strips.tick_params(labelsize=TEXT - 1, length=0, axis="y")
    strips.tick_params(labelsize=TEXT, axis="x")
    ax.tick_params(labelsize=TEXT)
    ax.set_xlim(*to_datetime64(np.array([days[0], days[-1]])))
    ax.set_ylabel(wrapped(label(record)), fontsize=TEXT)
    ax.set_title(literal(record["site"].item()), fontsize=TEXT, loc="left")
    for one_ax in (ax, strips):
        clean(one_ax)
    date_axis(strips)
    legend_below(strips, handles)
    return figure
