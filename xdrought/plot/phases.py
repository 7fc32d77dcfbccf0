"""Onsets and conditions as shaded stretches of time, and which events belong to a record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from xdrought.plot.dressing import (
    LOWER,
    UPPER,
    require_events,
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


def percentile_lines(ax: Axes, values: np.ndarray) -> list[Any]:
    """Dashed lines at the 40th and 20th percentile of the whole record."""
    upper, lower = np.nanquantile(values, [0.4, 0.2])
    return [
        ax.axhline(upper, color=UPPER, linestyle=(0, (5, 2)), linewidth=1, label="40th percentile"),
        ax.axhline(lower, color=LOWER, linestyle=(0, (2, 1.5)), linewidth=1, label="20th percentile"),
    ]


def shade(ax: Axes, spans: Sequence[Span]) -> list[Any]:
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


def events_here(events: xr.Dataset, record: xr.DataArray, caller: str) -> xr.Dataset:
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


def place_name(record: xr.DataArray) -> str:
    """What to call the record in a title."""
    if "site" in record.coords and record["site"].size == 1:
        return str(record["site"].item())
    if all(key in record.coords and record[key].size == 1 for key in ("lat", "lon")):
        lat, lon = float(record["lat"].item()), float((record["lon"].item() + 180) % 360 - 180)
        return f"{abs(lat):.2f}°{'N' if lat >= 0 else 'S'} {abs(lon):.2f}°{'E' if lon >= 0 else 'W'}"
    return "the record"


def event_spans(moments: Sequence[np.datetime64], is_flash: bool) -> list[Span]:
    onset, start, end = moments
    kind = "flash" if is_flash else "normal"
    return [Span(onset, start, f"{kind} onset"), Span(start, end, f"{kind} condition")]


def record_spans(events: xr.Dataset, caller: str) -> Iterator[Span]:
    """Onset and condition of each event in time order; a relapse's onset begins after the event before."""
    columns = [to_datetime64(events[name].values, caller) for name in MOMENTS]
    previous = None
    for i in np.argsort(columns[1]):
        onset, start, end = (column[i] for column in columns)
        if previous is not None:
            onset = max(onset, previous)
        yield from event_spans((onset, start, end), bool(events["is_flash"].values[i]))
        previous = end


def class_spans(dates: np.ndarray, classes: np.ndarray) -> Iterator[Span]:
    """Runs of equal class; an onset reaches to the start of its condition."""
    edges = np.flatnonzero(np.diff(classes)) + 1
    for first, stop in zip(np.r_[0, edges], np.r_[edges, classes.size], strict=True):
        if (phase := PHASES.get(int(classes[first]))) is not None:
            last = min(stop, classes.size - 1) if phase.endswith("onset") else stop - 1
            yield Span(dates[first], dates[last], phase)
