"""The droughts of a record: shaded over the series, by year and season, and how far several definitions agree."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.events.counts import require_events, require_one_definition
from xdrought.plot import style
from xdrought.public_functions import public
from xdrought.verification.paired_days import ensemble_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOMENTS = ("onset_time", "start_time", "end_time")


class ShadedSpan(NamedTuple):
    """One shaded stretch of time."""

    start: np.datetime64
    end: np.datetime64
    phase: str


def percentile_lines(ax: Axes, values: np.ndarray) -> list[Any]:
    """Dashed lines at the 40th and 20th percentile of the whole record."""
    upper, lower = np.nanquantile(values, [0.4, 0.2])
    return [
        ax.axhline(upper, color=style.UPPER, linestyle=(0, (5, 2)), linewidth=1, label="40th percentile"),
        ax.axhline(lower, color=style.LOWER, linestyle=(0, (2, 1.5)), linewidth=1, label="20th percentile"),
    ]


def shade(ax: Axes, spans: Sequence[ShadedSpan]) -> list[Any]:
    """Shade the spans; the legend handle of each phase that occurs."""
    first: dict[str, Any] = {}
    for span in spans:
        days: Any = (span.start, span.end)
        # An edge, drawn later, keeps a two-day onset visible in a record of ten years.
        edge, order = (0.8, 0.2) if span.phase.endswith("onset") else (0, 0.1)
        color: Any = style.SHADES[span.phase]
        patch = ax.axvspan(*days, facecolor=color, edgecolor=color, linewidth=edge, zorder=order, label=span.phase)
        first.setdefault(span.phase, patch)
    return [first[phase] for phase in style.SHADES if phase in first]


def events_here(events: xr.Dataset, record: xr.DataArray) -> xr.Dataset:
    """The events that belong to the record, by its scalar site or lat and lon."""
    require_events(events)
    keys = ["site"] if "site" in events.coords else ["lat", "lon"]
    if all(key in events.coords and key in record.coords and record[key].size == 1 for key in keys):
        here = np.ones(events.sizes["event"], dtype=bool)
        for key in keys:
            here &= events[key].values == record[key].item()
        return events.isel(event=np.flatnonzero(here))
    if "cell" in events.coords and np.unique(events["cell"].values).size > 1:
        raise ValueError(
            f"the events are of several places and {record.name!r} does not say which one it is; "
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


def event_spans(moments: Sequence[np.datetime64], is_flash: bool) -> list[ShadedSpan]:
    onset, start, end = moments
    kind = "flash" if is_flash else "normal"
    return [ShadedSpan(onset, start, f"{kind} onset"), ShadedSpan(start, end, f"{kind} condition")]


def record_spans(events: xr.Dataset) -> Iterator[ShadedSpan]:
    """Onset and condition of each event in time order; a relapse's onset begins after the event before."""
    columns = [style.to_datetime64(events[name].values) for name in MOMENTS]
    previous = None
    for i in np.argsort(columns[1]):
        onset, start, end = (column[i] for column in columns)
        if previous is not None:
            onset = max(onset, previous)
        yield from event_spans((onset, start, end), bool(events["is_flash"].values[i]))
        previous = end


def class_spans(dates: np.ndarray, classes: np.ndarray) -> Iterator[ShadedSpan]:
    """Runs of equal class; an onset reaches to the start of its condition."""
    edges = np.flatnonzero(np.diff(classes)) + 1
    for first, stop in zip(np.r_[0, edges], np.r_[edges, classes.size], strict=True):
        if (phase := style.PHASES.get(int(classes[first]))) is not None:
            last = min(stop, classes.size - 1) if phase.endswith("onset") else stop - 1
            yield ShadedSpan(dates[first], dates[last], phase)


@public
@style.squeezed
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
        Whether to explain lines and colors under the picture.
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
    if events is not None and classes is not None:
        raise ValueError("both events and classes were given; give one, they shade the same days")
    dates, values = style.one_series(soil_moisture, time)
    spans: list[ShadedSpan] = []
    if events is not None:
        here = events_here(events, soil_moisture)
        require_one_definition(here)
        spans = list(record_spans(here))
    elif classes is not None:
        spans = list(class_spans(*style.one_series(classes, time)))
    ax = style.new_axes(ax, (7.1, 2.6))
    (line,) = ax.plot(dates, values, color=style.LINE, linewidth=0.9, label="observed")  # type: ignore[arg-type]
    handles = [line, *percentile_lines(ax, values)]
    if forecast is not None:
        handles.append(forecast_line(ax, forecast, time))
    handles += shade(ax, spans)
    if not spans and (events is not None or classes is not None):
        style.message(ax, "no drought event in this record")
    style.clean(ax)
    style.date_axis(ax)
    ax.set_xlim(dates[0], dates[-1])
    ax.set_ylabel(style.label(soil_moisture), fontsize=style.TEXT)
    if (place := place_name(soil_moisture)) != "the record":
        ax.set_title(style.literal(place), fontsize=style.TEXT, loc="left")
    if legend:
        style.legend_below(ax, handles)
    return ax


def forecast_line(ax: Axes, forecast: xr.DataArray, time: Hashable, name: str = "forecast") -> Any:
    """One line for a forecast; with several runs the mean of the days that all have, and their range as a band."""
    if "run" in forecast.dims:
        dates, low = style.one_series(forecast.min("run"), time)
        high = style.one_series(forecast.max("run"), time)[1]
        ax.fill_between(dates, low, high, color=style.FORECAST, alpha=0.25, linewidth=0)  # type: ignore[arg-type]
        name = f"{name} (mean of {forecast.sizes['run']} runs)"
    dates, values = style.one_series(ensemble_mean(forecast, "run"), time)
    return ax.plot(dates, values, color=style.FORECAST, linewidth=1, label=name)[0]  # type: ignore[arg-type]


def frameless(ax: Axes) -> None:
    """A heat map needs no axis lines."""
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


@public
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
    title = style.literal(table.attrs.get("long_name", "Share of agreement"))
    frame: Any = table.to_pandas() if isinstance(table, xr.DataArray) else table
    if getattr(frame, "ndim", 0) != 2 or frame.shape[0] != frame.shape[1]:
        raise ValueError(f"the table must be square, found {table.shape}; choose along others")
    values = np.asarray(frame, dtype="float64")
    if ((values < 0) | (values > 1)).any():
        found = f"{np.nanmin(values):g} to {np.nanmax(values):g}"
        raise ValueError(f"shares lie between 0 and 1, found {found}; divide percentages by 100")
    count = len(frame)
    ax = style.new_axes(ax, (1.4 + 0.45 * count, 1.0 + 0.4 * count))
    ax.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, j in np.argwhere(np.isfinite(values)):
        ax.text(
            j,
            i,
            f"{values[i, j]:.2f}",
            ha="center",
            va="center",
            fontsize=style.SMALL,
            color="white" if values[i, j] > 0.6 else style.LINE,
        )
    names = [style.literal(name) for name in frame.columns]
    ax.set_xticks(range(count), names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(count), [style.literal(name) for name in frame.index])
    ax.tick_params(labelsize=style.TEXT)
    frameless(ax)
    ax.set_title(title[:1].upper() + title[1:], fontsize=style.TEXT, loc="left")
    return ax


MONTHS = ["J", "F", "M", "A", "M", "J", "J", "A", "S", "O", "N", "D"]
COUNT_COLORS = {"flash_count": style.SHADES["flash onset"], "normal_count": style.SHADES["normal onset"]}
NAMES = {"flash_count": "flash droughts", "normal_count": "normal droughts"}


@public
@style.squeezed
def plot_event_counts(counts: xr.Dataset, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Draw how many droughts set in each year, or in each month of the year, flash ones below the normal ones.

    Parameters
    ----------
    counts : xarray.Dataset
        From :func:`xdrought.event_counts`, by year or by month.
    legend : bool
        Whether to name the two kinds, with how many there are of each.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        For anything else than counts.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_event_counts
    >>> counts = {"flash_count": ("year", [2, 0, 1]), "normal_count": ("year", [1, 1, 3])}
    >>> ax = plot_event_counts(xr.Dataset(counts, {"year": [2001, 2002, 2003]}))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['flash droughts (3)', 'normal droughts (5)']
    """
    if not set(COUNT_COLORS) <= set(counts.data_vars) or counts["flash_count"].dims not in (("year",), ("month",)):
        raise ValueError(
            f"flash_count and normal_count on year or month are needed, found {sorted(map(str, counts.data_vars))} on "
            f"{tuple(counts.sizes)}; take them from event_counts"
        )
    from matplotlib.ticker import MaxNLocator

    (by,) = counts["flash_count"].dims
    at = counts[by].values
    ax = style.new_axes(ax, (4.5, 2.6))
    below, handles = np.zeros(at.size), []
    for name, color in COUNT_COLORS.items():
        number = counts[name].values
        text = f"{NAMES[name]} ({number.sum()})"
        handles.append(ax.bar(at, number, 0.8, bottom=below, color=color, linewidth=0, label=text))
        below = below + number
    _ticks(ax, str(by), at)
    ax.set_ylabel("Droughts", fontsize=style.TEXT)
    ax.set_xlabel(f"{str(by).capitalize()} of the onset", fontsize=style.TEXT)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    style.clean(ax)
    if legend:
        style.legend_below(ax, handles, below=30)
    return ax


def _ticks(ax: Axes, by: str, at: np.ndarray) -> None:
    """Letters for the months; round years, as many as there is room for."""
    if by == "month":
        ax.set_xticks(at, [MONTHS[month - 1] for month in at], fontsize=style.SMALL)
        return
    from matplotlib.ticker import MaxNLocator

    ax.set_xlim(at[0] - 0.6, at[-1] + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(7, integer=True))
