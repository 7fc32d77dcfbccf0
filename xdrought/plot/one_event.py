"""The anatomy of one drought event (Figure 2 of the paper)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import units
from xdrought.plot import style
from xdrought.plot.records import MOMENTS, event_spans, events_here, percentile_lines, place_name, shade
from xdrought.public_functions import public

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@public
@style.squeezed
def plot_event(
    soil_moisture: xr.DataArray,
    events: xr.Dataset,
    *,
    event: int = 0,
    soil_temperature: xr.DataArray | None = None,
    pad: int | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    time: Hashable = "time",
) -> Axes:
    """Draw the anatomy of one drought event, as Figure 2 of Tang et al. (2025).

    Parameters
    ----------
    soil_moisture : xarray.DataArray
        The whole record of one place, (time,); the percentile lines are those of all its valid days.
        Dask values are computed.
    events : xarray.Dataset
        From :func:`xdrought.flash_drought_events`. Events of other sites or cells are left out when the
        record has a scalar `site`, or `lat` and `lon`.
    event : int
        Which of the place's events, counted from 0 (or from the end: -1).
    soil_temperature : xarray.DataArray, optional
        (time,), with units; drawn in a strip beneath, and days below 0 °C are hatched: frozen soil reads dry.
    pad : int, optional
        Days shown before the onset and after the end; a third of the event, at least 20, by default.
    legend : bool
        Whether to explain the colors under the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    time : hashable
        The time dimension.

    Returns
    -------
    matplotlib.axes.Axes
        The strip of soil temperature, when there is one, is ``ax.child_axes[0]``.

    Raises
    ------
    IndexError
        When there is no such event.
    ValueError
        When the record is not one series, has no valid value, or `events` is no event table or of several
        places.
    ModuleNotFoundError
        Without matplotlib.

    Notes
    -----
    A place without any event is drawn whole, with a line of text that says so.

    References
    ----------
    Tang et al. (2025), Figure 2 and Equation 7.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.plot import plot_event
    >>> time = pd.date_range("2001-05-01", periods=120)
    >>> moisture = xr.DataArray(30 + 10 * np.cos(np.arange(120) / 19), {"time": time}, name="soil_moisture")
    >>> days = {"onset_time": time[[40]], "start_time": time[[50]], "end_time": time[[70]]}
    >>> table = xr.Dataset({name: ("event", day) for name, day in days.items()})
    >>> table = table.assign(is_flash=("event", [True]), intensification_rate=("event", [2.0]))
    >>> ax = plot_event(moisture, table, pad=30)
    >>> ax.get_ylabel()
    'soil_moisture'
    """
    dates, values = style.one_series(soil_moisture, time)
    here, place = events_here(events, soil_moisture), place_name(soil_moisture)
    ax = style.new_axes(ax, (5.5, 3.0 if soil_temperature is None else 3.7))
    (line,) = ax.plot(dates, values, color=style.LINE, linewidth=1.1, label="soil moisture")  # type: ignore[arg-type]
    handles = [line, *percentile_lines(ax, values)]
    style.clean(ax)
    style.date_axis(ax)
    ax.set_ylabel(style.label(soil_moisture), fontsize=style.TEXT)
    if here.sizes["event"] == 0:
        style.message(ax, "no drought event in this record")
        return ax
    chosen = _one_event(here, event, place)
    moments = [style.to_datetime64(chosen[name].values)[0] for name in MOMENTS]
    handles += shade(ax, event_spans(moments, bool(chosen["is_flash"])))
    _zoom(ax, dates, values, moments, pad)
    _mark(ax, dates, values, moments)
    _say(ax, chosen, moments, place)
    strip = None
    if soil_temperature is not None:
        strip = _temperature_strip(ax, soil_temperature, time)
        frozen = strip.collections[0]
        handles += [frozen] if frozen.get_paths() else []
    if legend:
        style.legend_below(ax, handles, under=strip)
    return ax


def _one_event(events: xr.Dataset, event: int, place: str) -> xr.Dataset:
    count = events.sizes["event"]
    if not -count <= event < count:
        raise IndexError(f"no event {event} at {place}; there are {count}, event=0 to {count - 1}")
    return events.isel(event=event)


def _zoom(ax: Axes, dates: np.ndarray, values: np.ndarray, moments: Sequence[np.datetime64], pad: int | None) -> None:
    """Show the event and some days on either side, with room for the labels."""
    onset, _, end = (pd.Timestamp(moment) for moment in moments)
    days = max(20, (end - onset).days // 3) if pad is None else pad
    left, right = onset - pd.Timedelta(days=days), end + pd.Timedelta(days=days)
    shown = values[(dates >= left.to_datetime64()) & (dates <= right.to_datetime64())]
    marks = [*shown[np.isfinite(shown)], *np.nanquantile(values, [0.2, 0.4])]
    low, high = min(marks), max(marks)
    room = 0.16 * (high - low) or 1.0
    ax.set_xlim(left, right)  # type: ignore[arg-type]
    ax.set_ylim(low - room, high + room)


def _mark(ax: Axes, dates: np.ndarray, values: np.ndarray, moments: Sequence[np.datetime64]) -> None:
    """Points and dates of onset, start and end; each label lies where the curve of a drought is not."""
    from matplotlib.patheffects import withStroke

    sides = {"o": ((7, 3), "left", "bottom"), "s": ((-6, -7), "right", "top"), "e": ((6, -7), "left", "top")}
    halo = [withStroke(linewidth=2, foreground="white")]
    onset, start, end = moments
    beside = (onset, max(onset, start - (end - onset) // 12), end)  # clear of a short onset's shade
    for moment, anchor, (name, (shift, ha, va)) in zip(moments, beside, sides.items(), strict=True):
        at = np.flatnonzero(dates == moment)
        if at.size == 0:  # the event reaches beyond the series that was given
            continue
        y = values[at[0]]
        ax.plot(moment, y, "o", color=style.LINE, markersize=4, markeredgecolor="white", zorder=3)  # type: ignore[arg-type]
        day = pd.Timestamp(moment)
        ax.annotate(
            f"$t_{name}$ {day.day} {day:%b}",
            (anchor, y),
            xytext=shift,
            textcoords="offset points",  # type: ignore[arg-type]
            ha=ha,
            va=va,
            fontsize=style.SMALL,
            path_effects=halo,
            zorder=4,
        )


def _say(ax: Axes, event: xr.Dataset, moments: Sequence[np.datetime64], place: str) -> None:
    """What happened, in two lines: kind and dates; rate, lengths, and what makes the event doubtful."""
    onset, start, end = (pd.Timestamp(moment) for moment in moments)
    kind = "flash drought" if bool(event["is_flash"]) else "normal drought"
    where = "" if place == "the record" else f"{style.literal(place)}: "
    title = f"{where}{kind}, {onset.day} {onset:%b %Y} to {end.day} {end:%b %Y}"
    facts = [f"onset {(start - onset).days} d", f"condition {(end - start).days + 1} d"]
    if "intensification_rate" in event:
        facts[0] += f" at {float(event['intensification_rate']):.2f} percentiles per day"
    if "frozen_fraction" in event and float(event["frozen_fraction"]) > 0:
        facts.append(f"{100 * float(event['frozen_fraction']):.0f} % frozen")
    if "is_censored" in event and bool(event["is_censored"]):
        facts.append("cut short")
    ax.set_title(title[0].upper() + title[1:], fontsize=style.TEXT, loc="left", pad=14)
    ax.annotate(
        ", ".join(facts),
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=style.SMALL,
    )


def _temperature_strip(ax: Axes, soil_temperature: xr.DataArray, time: Hashable) -> Axes:
    """Soil temperature under the picture, its days below 0 °C hatched."""
    from matplotlib.dates import date2num

    celsius = units.convert(soil_temperature, "degC")
    dates, values = style.one_series(celsius, time)
    figure: Any = ax.figure
    tall = 0.2 * figure.get_figheight()
    strip = ax.inset_axes((0, -tall - 0.14, 1, tall), transform=style.inches_below(ax), sharex=ax)
    left, right = ax.get_xlim()
    days = np.asarray(date2num(dates))
    half = float(np.median(np.diff(days))) / 2 if days.size > 1 else 0.5  # a single frozen day has a width too
    runs = np.flatnonzero(np.diff(np.r_[0, values < 0, 0])).reshape(-1, 2)
    strip.broken_barh(
        [(days[a] - half, days[b - 1] - days[a] + 2 * half) for a, b in runs if left < days[b - 1] and days[a] < right],
        (0, 1),
        facecolor="#dbe9f6",
        edgecolor=style.FORECAST,
        hatch="////",
        linewidth=0,
        label="frozen soil",
        transform=strip.get_xaxis_transform(),
    )
    strip.plot(dates, values, color=style.LINE, linewidth=0.9)  # type: ignore[arg-type]
    strip.axhline(0, color="#777777", linewidth=0.6)
    style.clean(strip)
    strip.tick_params(labelsize=style.TEXT)
    strip.set_ylabel("Soil (°C)", fontsize=style.TEXT)
    ax.tick_params(labelbottom=False)
    ax.xaxis.get_offset_text().set_visible(False)
    style.date_axis(strip)
    strip.set_xlim(left, right)
    shown = values[(days >= left) & (days <= right)]
    if np.isfinite(shown).any():
        low, high = min(np.nanmin(shown), 0), max(np.nanmax(shown), 0)
        strip.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    return strip
