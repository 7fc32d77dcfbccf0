"""The anatomy of one drought event and a place's whole record with its events."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import units
from xdrought.plot.dressing import (
    FORECAST,
    LINE,
    LOWER,
    SMALL,
    TEXT,
    UPPER,
    clean,
    date_axis,
    inches_below,
    label,
    legend_below,
    message,
    new_axes,
    one_series,
    require_events,
    require_one_definition,
    to_datetime64,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The four shades differ in lightness and along blue-yellow, so they survive grey print and red-green
# blindness. Onset purple and condition pink are those of the paper's Figure 2.
SHADES = {
    "normal onset": "#cf9f45",
    "normal condition": "#f6eed0",
    "flash onset": "#9b6cc4",
    "flash condition": "#f6c8dc",
}
MOMENTS = ("onset_time", "start_time", "end_time")
PHASES = {1: "normal onset", 2: "normal condition", 3: "flash onset", 4: "flash condition"}  # drought_classes


class Span(NamedTuple):
    """One shaded stretch of time."""

    start: np.datetime64
    end: np.datetime64
    phase: str


def _percentile_lines(ax: Axes, values: np.ndarray) -> list[Any]:
    """Dashed lines at the 40th and 20th percentile of the whole record."""
    upper, lower = np.nanquantile(values, [0.4, 0.2])
    return [
        ax.axhline(upper, color=UPPER, linestyle=(0, (5, 2)), linewidth=1, label="40th percentile"),
        ax.axhline(lower, color=LOWER, linestyle=(0, (2, 1.5)), linewidth=1, label="20th percentile"),
    ]


def _shade(ax: Axes, spans: Sequence[Span]) -> list[Any]:
    """Shade the spans; the legend handle of each phase that occurs."""
    first: dict[str, Any] = {}
    for span in spans:
        colour: Any = SHADES[span.phase]
        # edge and order keep a two-day onset visible in a record of ten years
        edge, order = (0.8, 0.2) if span.phase.endswith("onset") else (0, 0.1)
        patch = ax.axvspan(
            span.start, span.end, facecolor=colour, edgecolor=colour, linewidth=edge, zorder=order,  # type: ignore[arg-type]
            label=span.phase,
        )  # fmt: skip
        first.setdefault(span.phase, patch)
    return [first[phase] for phase in SHADES if phase in first]


def _events_here(events: xr.Dataset, record: xr.DataArray, caller: str) -> xr.Dataset:
    """The events that belong to the record, by its scalar site or lat and lon."""
    require_events(events, caller)
    keys = ["site"] if "site" in events.coords else ["lat", "lon"]
    if all(key in events.coords and key in record.coords and record[key].size == 1 for key in keys):
        here = np.ones(events.sizes["event"], dtype=bool)
        for key in keys:
            here &= events[key].values == record[key].item()
        return events.isel(event=np.flatnonzero(here))
    if "cell" in events.coords and np.unique(events["cell"].values).size > 1:
        raise ValueError(
            f"{caller}: the events are of several places and {record.name!r} does not say which one it is; "
            f"keep its scalar coordinate ({' and '.join(keys)}), e.g. by .sel(...) without drop=True"
        )
    return events


def _one_event(events: xr.Dataset, event: int, place: str, caller: str) -> xr.Dataset:
    count = events.sizes["event"]
    if not -count <= event < count:
        raise IndexError(f"{caller}: no event {event} at {place}; there are {count}, event=0 to {count - 1}")
    return events.isel(event=event)


def _place(record: xr.DataArray) -> str:
    """What to call the record in a title."""
    if "site" in record.coords and record["site"].size == 1:
        return str(record["site"].item())
    if all(key in record.coords and record[key].size == 1 for key in ("lat", "lon")):
        lat, lon = float(record["lat"].item()), float((record["lon"].item() + 180) % 360 - 180)
        return f"{abs(lat):.2f}°{'N' if lat >= 0 else 'S'} {abs(lon):.2f}°{'E' if lon >= 0 else 'W'}"
    return "the record"


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
        Whether to explain the colours under the picture.
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
    'Soil moisture'
    """
    caller = "plot_event"
    dates, values = one_series(soil_moisture, time, caller)
    here, place = _events_here(events, soil_moisture, caller), _place(soil_moisture)
    ax = new_axes(ax, (5.5, 3.0 if soil_temperature is None else 3.7), caller)
    (line,) = ax.plot(dates, values, color=LINE, linewidth=1.1, label="soil moisture")  # type: ignore[arg-type]
    handles = [line, *_percentile_lines(ax, values)]
    clean(ax)
    date_axis(ax)
    ax.set_ylabel(label(soil_moisture), fontsize=TEXT)
    if here.sizes["event"] == 0:
        message(ax, "no drought event in this record")
        return ax
    chosen = _one_event(here, event, place, caller)
    moments = [to_datetime64(chosen[name].values, caller)[0] for name in MOMENTS]
    handles += _shade(ax, _event_spans(moments, bool(chosen["is_flash"])))
    _zoom(ax, dates, values, moments, pad)
    _mark(ax, dates, values, moments)
    _say(ax, chosen, moments, place)
    strip = None
    if soil_temperature is not None:
        strip = _temperature_strip(ax, soil_temperature, time, caller)
        frozen = strip.collections[0]
        handles += [frozen] if frozen.get_paths() else []
    if legend:
        legend_below(ax, handles, under=strip)
    return ax


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
        here = _events_here(events, soil_moisture, caller)
        require_one_definition(here, caller)
        spans = list(_record_spans(here, caller))
    elif classes is not None:
        spans = list(_class_spans(*one_series(classes, time, caller)))
    ax = new_axes(ax, (7.1, 2.6), caller)
    (line,) = ax.plot(dates, values, color=LINE, linewidth=0.9, label="observed")  # type: ignore[arg-type]
    handles = [line, *_percentile_lines(ax, values)]
    if forecast is not None:
        handles.append(forecast_line(ax, forecast, time, caller))
    handles += _shade(ax, spans)
    if not spans and (events is not None or classes is not None):
        message(ax, "no drought event in this record")
    clean(ax)
    date_axis(ax)
    ax.set_xlim(dates[0], dates[-1])
    ax.set_ylabel(label(soil_moisture), fontsize=TEXT)
    if (place := _place(soil_moisture)) != "the record":
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


def _event_spans(moments: Sequence[np.datetime64], is_flash: bool) -> list[Span]:
    onset, start, end = moments
    kind = "flash" if is_flash else "normal"
    return [Span(onset, start, f"{kind} onset"), Span(start, end, f"{kind} condition")]


def _record_spans(events: xr.Dataset, caller: str) -> Iterator[Span]:
    """Onset and condition of each event in time order; a relapse's onset begins after the event before."""
    columns = [to_datetime64(events[name].values, caller) for name in MOMENTS]
    previous = None
    for i in np.argsort(columns[1]):
        onset, start, end = (column[i] for column in columns)
        if previous is not None:
            onset = max(onset, previous)
        yield from _event_spans((onset, start, end), bool(events["is_flash"].values[i]))
        previous = end


def _class_spans(dates: np.ndarray, classes: np.ndarray) -> Iterator[Span]:
    """Runs of equal class; an onset reaches to the start of its condition."""
    edges = np.flatnonzero(np.diff(classes)) + 1
    for first, stop in zip(np.r_[0, edges], np.r_[edges, classes.size], strict=True):
        if (phase := PHASES.get(int(classes[first]))) is not None:
            last = min(stop, classes.size - 1) if phase.endswith("onset") else stop - 1
            yield Span(dates[first], dates[last], phase)


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
        ax.plot(moment, y, "o", color=LINE, markersize=4, markeredgecolor="white", zorder=3)  # type: ignore[arg-type]
        day = pd.Timestamp(moment)
        ax.annotate(
            f"$t_{name}$ {day.day} {day:%b}", (anchor, y), xytext=shift, textcoords="offset points",  # type: ignore[arg-type]
            ha=ha, va=va, fontsize=SMALL, path_effects=halo, zorder=4,
        )  # fmt: skip


def _say(ax: Axes, event: xr.Dataset, moments: Sequence[np.datetime64], place: str) -> None:
    """What happened, in two lines: kind and dates; rate, lengths, and what makes the event doubtful."""
    onset, start, end = (pd.Timestamp(moment) for moment in moments)
    kind = "flash drought" if bool(event["is_flash"]) else "normal drought"
    where = "" if place == "the record" else f"{place}: "
    title = f"{where}{kind}, {onset.day} {onset:%b %Y} to {end.day} {end:%b %Y}"
    facts = [f"onset {(start - onset).days} d", f"condition {(end - start).days + 1} d"]
    if "intensification_rate" in event:
        facts[0] += f" at {float(event['intensification_rate']):.2f} % d⁻¹"
    if "frozen_fraction" in event and float(event["frozen_fraction"]) > 0:
        facts.append(f"{100 * float(event['frozen_fraction']):.0f} % frozen")
    if "is_censored" in event and bool(event["is_censored"]):
        facts.append("cut short")
    ax.set_title(title[0].upper() + title[1:], fontsize=TEXT, loc="left", pad=14)
    ax.annotate(
        ", ".join(facts), (0, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points",
        fontsize=SMALL,
    )  # fmt: skip


def _temperature_strip(ax: Axes, soil_temperature: xr.DataArray, time: Hashable, caller: str) -> Axes:
    """Soil temperature under the picture, its days below 0 °C hatched."""
    from matplotlib.dates import date2num

    celsius = units.convert(soil_temperature, "degC", caller=caller)
    dates, values = one_series(celsius, time, caller)
    figure: Any = ax.figure
    tall = 0.2 * figure.get_figheight()
    strip = ax.inset_axes((0, -tall - 0.14, 1, tall), transform=inches_below(ax), sharex=ax)
    left, right = ax.get_xlim()
    days = np.asarray(date2num(dates))
    half = float(np.median(np.diff(days))) / 2 if days.size > 1 else 0.5  # a single frozen day has a width too
    runs = np.flatnonzero(np.diff(np.r_[0, values < 0, 0])).reshape(-1, 2)
    strip.broken_barh(
        [(days[a] - half, days[b - 1] - days[a] + 2 * half) for a, b in runs if left < days[b - 1] and days[a] < right],
        (0, 1), facecolor="#dbe9f6",
        edgecolor=FORECAST, hatch="////", linewidth=0, label="frozen soil",
        transform=strip.get_xaxis_transform(),
    )  # fmt: skip
    strip.plot(dates, values, color=LINE, linewidth=0.9)  # type: ignore[arg-type]
    strip.axhline(0, color="#777777", linewidth=0.6)
    clean(strip)
    strip.tick_params(labelsize=TEXT)
    strip.set_ylabel("Soil (°C)", fontsize=TEXT)
    ax.tick_params(labelbottom=False)
    ax.xaxis.get_offset_text().set_visible(False)
    date_axis(strip)
    strip.set_xlim(left, right)
    shown = values[(days >= left) & (days <= right)]
    if np.isfinite(shown).any():
        low, high = min(np.nanmin(shown), 0), max(np.nanmax(shown), 0)
        strip.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    return strip
