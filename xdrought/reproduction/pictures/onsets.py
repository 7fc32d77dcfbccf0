"""Figures of droughts and of what drives their onsets: 6a, 6b, 7b and S3, S7, S8, S11 to S13."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.plot import style
from xdrought.plot.experiments import wrapped
from xdrought.plot.records import ShadedSpan, percentile_lines, shade
from xdrought.reproduction.fits import Band, Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ["#0072B2", "#d55e00", "#007a5a", "#7b3fa0", "#b5892b", "#555555"]
MARKERS = "osD^vP"
_BOXES: dict[str, Any] = {
    "patch_artist": True,
    "medianprops": {"color": style.LINE, "lw": 1.2},
    "boxprops": {"lw": 0.6, "facecolor": "#bcd6ea"},
    "whiskerprops": {"lw": 0.7},
    "capprops": {"lw": 0.7},
}
_FLIERS = {"marker": ".", "mfc": style.FORECAST, "mec": "none"}


def with_and_without_recovery(record: xr.DataArray, whole: xr.Dataset, pieces: xr.Dataset) -> Any:
    """One drought as the definition has it (above), and cut by every day above the 20th percentile (below)."""
    import matplotlib.pyplot as plt

    start, end = (style.to_datetime64(whole[name].values)[0] for name in ("onset_time", "end_time"))
    room = max(np.timedelta64(20, "D"), (end - start) // 6)
    same = (pieces.site.values == whole.site.values[0]) & (pieces.end_time.values >= whole.start_time.values[0])
    inside = pieces.isel(event=np.flatnonzero(same & (pieces.start_time.values <= whole.end_time.values[0])))
    figure, panels = plt.subplots(2, 1, figsize=(5.8, 3.6), sharex=True, layout="constrained")
    texts = ("5 days above the 20th percentile end a drought", "1 day above the 20th percentile ends a drought")
    for ax, events, text in zip(panels, (whole, inside), texts, strict=True):
        (line,) = ax.plot(
            style.to_datetime64(record["time"].values), record.values, color=style.LINE, lw=1.1, label="observed"
        )
        handles = [line, *percentile_lines(ax, record.values)]
        handles += shade(ax, list(_conditions(events)))
        shown = record.sel(time=slice(start - room, end + room)).values
        edges = np.r_[shown, np.nanquantile(record.values, [0.2, 0.4])]
        low, high = np.nanmin(edges), np.nanmax(edges)
        ax.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
        ax.set_title(f"{text}: {events.sizes['event']}", fontsize=style.SMALL, loc="left")
        ax.set_ylabel(wrapped(style.label(record), 20), fontsize=style.SMALL)
        ax.tick_params(labelsize=style.TEXT)
        style.clean(ax)
    panels[0].set_xlim(start - room, end + room)
    style.date_axis(panels[1])
    style.legend_below(panels[1], handles)
    return figure


def _conditions(events: xr.Dataset) -> Iterator[ShadedSpan]:
    """The condition of each drought; what lies between two of them stays white."""
    for k in range(events.sizes["event"]):
        start, end = (style.to_datetime64(events[name].values)[k] for name in ("start_time", "end_time"))
        kind = "flash" if bool(events.is_flash.values[k]) else "normal"
        yield ShadedSpan(start, end + np.timedelta64(1, "D"), f"{kind} condition")


def by_driver(values: xr.DataArray, name: str, *, ax: Axes | None = None) -> Axes:
    """Distribution of a number of each driver, (place or event, variable), as boxes in the order of the medians."""
    values = values.transpose(..., "variable")
    order = np.argsort(-np.nanmedian(values.values, axis=0), kind="stable")
    names = [style.literal(one) for one in values["variable"].values[order]]
    columns = [column[np.isfinite(column)] for column in values.values.T[order]]
    ax = style.new_axes(ax, (4.6, 0.7 + 0.21 * len(names)))
    ax.boxplot(columns, orientation="horizontal", widths=0.6, flierprops={**_FLIERS, "ms": 2.5, "alpha": 0.5}, **_BOXES)
    ax.set_yticks(range(1, len(names) + 1), names, fontsize=style.TEXT)
    ax.invert_yaxis()
    ax.set_xlabel(name, fontsize=style.TEXT)
    style.clean(ax)
    return ax


def flash_against_normal(of_sites: xr.Dataset, of_events: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Importance for flash against that for normal onsets with the line of equality, as Figure 6a.

    Both are from :func:`xdrought.driver_importance`: with intervals over sites, and over events as in the paper.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    ax = style.new_axes(ax, (4.4, 3.9))
    x, y = (of_sites.importance.sel(type=kind).values for kind in ("normal", "flash"))
    for table, colour, width, text in (
        (of_sites, "#a9c8e2", 2.4, "interval over sites"),
        (of_events, style.LINE, 0.8, "interval over events"),
    ):
        ends = [
            np.clip(
                [
                    table.importance.sel(type=kind) - table.lower.sel(type=kind),
                    table.upper.sel(type=kind) - table.importance.sel(type=kind),
                ],
                0,
                None,
            )
            for kind in ("normal", "flash")
        ]
        ax.errorbar(x, y, yerr=ends[1], xerr=ends[0], fmt="none", zorder=1, ecolor=colour, elinewidth=width, label=text)
    above = y > x
    for chosen, kind, text in ((above, "flash", "more for flash onsets"), (~above, "normal", "more for normal")):
        shown = style.SHADES[f"{kind} onset"]
        ax.plot(x[chosen], y[chosen], "o", color=shown, ms=6, mec="white", mew=0.6, zorder=4, label=text)
    far = 1.15 * float(np.nanmax([of_sites.upper, of_events.upper]))
    near = 0.0
    if np.nanmin(x) > 0 and far > 8 * np.nanmin([x, y]):
        near = 0.7 * float(np.nanmin([x, y]))
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))  # there may be less than a decade
            axis.set_major_formatter(ScalarFormatter())
            axis.set_minor_formatter(NullFormatter())
    ax.plot([near, far], [near, far], color=style.UPPER, lw=1.2, ls=(0, (4, 2)), zorder=2, label="ratio 1")
    ax.set(xlim=(near, far), ylim=(near, far), aspect="equal")
    unit = style.UNITS.get(*[str(of_sites.importance.attrs.get("units", ""))] * 2)
    for side, kind in ((ax.set_xlabel, "normal"), (ax.set_ylabel, "flash")):
        n = int(of_sites.event_count.sel(type=kind))
        side(f"Importance for {kind} onsets{f' ({unit})' if unit else ''}, {n} events", fontsize=style.TEXT)
    ax.legend(fontsize=style.SMALL, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    style.clean(ax)
    name_points(ax, x, y, [style.literal(name) for name in of_sites["variable"].values])  # the axes have their size now
    return ax


def name_points(ax: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Names right of points, or left of those at the right edge: each is moved up until it is clear of those below."""
    figure: Any = ax.figure
    figure.canvas.draw()
    pixels = ax.transData.transform(np.stack([x, y], axis=1))
    line = style.SMALL * 1.25 * figure.dpi / 72
    from matplotlib.patheffects import withStroke

    placed: list[tuple[float, float, float]] = []
    for k in np.argsort(pixels[:, 1]):
        width = 0.62 * style.SMALL * figure.dpi / 72 * len(names[k])
        to_left = pixels[k][0] + 5 + width > ax.bbox.x1
        left, up = pixels[k][0] - 5 - width if to_left else pixels[k][0] + 5, pixels[k][1]
        while any(
            abs(up - other) < line and left < start + wide and start < left + width for start, other, wide in placed
        ):
            up += line / 4
        placed.append((left, up, width))
        shift = ((-5 if to_left else 5) * 72 / figure.dpi, (up - pixels[k][1]) * 72 / figure.dpi)
        ax.annotate(
            names[k],
            (x[k], y[k]),
            xytext=shift,
            textcoords="offset points",
            fontsize=style.SMALL,
            ha="right" if to_left else "left",
            va="center",
            zorder=5,
            path_effects=[withStroke(linewidth=1.6, foreground="white")],
            arrowprops={"arrowstyle": "-", "lw": 0.3, "color": "#888888", "shrinkA": 0, "shrinkB": 0}
            if shift[1] > 8
            else None,
        )


def rank_curves(
    curves: Mapping[str, Band], dots: xr.Dataset, *, logarithm: bool = True, ax: Axes | None = None
) -> Axes:
    """Rank of importance by intensification rate, as Figure 6b: a fit to all events with its band, dots of groups.

    `curves` is by driver, on the decimal logarithm of the rate with `logarithm`; `dots` is from
    :func:`xdrought.importance_by_rate`.
    """
    ax = style.new_axes(ax, (5.4, 3.4))
    top, bottom = [], []
    for k, (name, band) in enumerate(curves.items()):
        colour, marker = COLORS[k % len(COLORS)], MARKERS[k % len(MARKERS)]
        x = 10**band.x if logarithm else band.x
        ax.fill_between(x, band.lower, band.upper, color=colour, alpha=0.12, lw=0)
        ax.plot(x, band.y, color=colour, lw=1.4)
        dots_of_driver = dots.sel(variable=name)
        ax.plot(
            dots_of_driver.rate,
            dots_of_driver.mean_rank,
            marker,
            color=colour,
            ms=5,
            mec="white",
            mew=0.3,
            label=style.literal(name),
        )
        inner = slice(len(band.y) // 10, -(len(band.y) // 10))
        top.append(min(band.y[inner].min(), float(dots_of_driver.mean_rank.min())))
        bottom.append(max(band.y[inner].max(), float(dots_of_driver.mean_rank.max())))
    if logarithm:
        from matplotlib.ticker import NullFormatter, ScalarFormatter

        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
    room = 0.12 * (max(bottom) - min(top)) + 0.3
    ax.set_ylim(max(bottom) + room, max(0.5, min(top) - room))  # 1, the most important, is above
    ax.axvline(1, color=style.REFERENCE, lw=0.8, ls=(0, (2, 2)), zorder=0)
    ax.annotate("normal | flash", (1, 1.01), xycoords=("data", "axes fraction"), ha="center", fontsize=style.SMALL)
    ax.set_xlabel(style.label(dots.rate), fontsize=style.TEXT)
    ax.set_ylabel("Rank of importance (1: most important)", fontsize=style.TEXT)
    ax.legend(fontsize=style.SMALL, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    style.clean(ax)
    return ax


def ranks_by_year(ranks: xr.DataArray, count: xr.DataArray, *, ax: Axes | None = None) -> Axes:
    """Rank of each driver's importance by year, (year, variable), as Figure S11; open where a year has few events."""
    ax = style.new_axes(ax, (5.4, 3.2))
    order = np.argsort(ranks.mean("year").values)
    for k, j in enumerate(order):
        of_driver = ranks.isel(variable=int(j))
        colour = COLORS[k] if k < len(COLORS) else "#b8b8b8"
        name = style.literal(of_driver["variable"].item())
        ax.plot(
            of_driver["year"],
            of_driver,
            color=colour,
            lw=1.3 if k < len(COLORS) else 0.8,
            marker="o",
            ms=3.5,
            zorder=10 - k,
        )
        ax.annotate(
            name,
            (float(of_driver["year"][-1]), float(of_driver[-1])),
            (6, 0),
            textcoords="offset points",
            fontsize=style.SMALL,
            va="center",
            color=colour if k < len(COLORS) else "#777777",
        )
    from matplotlib.ticker import MaxNLocator

    ax.invert_yaxis()
    ax.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    ax.set_xlabel(f"Year of the onset ({int(count.min())} to {int(count.max())} events each)", fontsize=style.TEXT)
    ax.set_ylabel("Rank of importance", fontsize=style.TEXT)
    style.clean(ax)
    return ax


def error_by_complexity(
    x: np.ndarray, y: np.ndarray, line: Line, names: tuple[str, str], *, ax: Axes | None = None
) -> Axes:
    """Points, the line of least squares with its band, and Pearson's correlation, as Figure 7b."""
    ax = style.new_axes(ax, (3.9, 3.0))
    ax.scatter(x, y, s=13 if x.size <= 150 else 6, color=style.FORECAST, alpha=0.55, linewidth=0, zorder=2)
    ax.fill_between(line.band.x, line.band.lower, line.band.upper, color=style.LINE, alpha=0.14, lw=0, zorder=1)
    ax.plot(line.band.x, line.band.y, color=style.LINE, lw=1.5, zorder=3)
    ax.axhline(0, color=style.REFERENCE, lw=0.8, zorder=0)
    ax.set_title(
        f"r = {line.r:.2f} [{line.lower:.2f}, {line.upper:.2f}] over sites, {x.size} events",
        fontsize=style.SMALL,
        loc="left",
    )
    ax.set_xlabel(names[0], fontsize=style.TEXT)
    ax.set_ylabel(wrapped(names[1]), fontsize=style.TEXT)
    style.clean(ax)
    return ax


def error_by_group(groups: Mapping[str, np.ndarray], names: tuple[str, str], *, ax: Axes | None = None) -> Axes:
    """Boxes of the error by group of complexity, with the number of events, as Figure S13."""
    ax = style.new_axes(ax, (4.2, 2.8))
    ax.boxplot(list(groups.values()), widths=0.55, flierprops={**_FLIERS, "ms": 3, "alpha": 0.6}, **_BOXES)
    ax.axhline(0, color=style.REFERENCE, lw=0.8, zorder=0)
    ax.set_xticks(
        range(1, len(groups) + 1), [f"{name}\nn = {v.size}" for name, v in groups.items()], fontsize=style.SMALL
    )
    ax.set_xlabel(names[0], fontsize=style.TEXT)
    ax.set_ylabel(wrapped(names[1]), fontsize=style.TEXT)
    style.clean(ax)
    return ax


def panels(draw: Sequence[Any], *, columns: int = 3, width: float = 2.5, height: float = 2.4) -> Any:
    """Several pictures in one: each of `draw` is called with its Axes."""
    import matplotlib.pyplot as plt

    rows = -(-len(draw) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), layout="constrained", squeeze=False
    )
    for ax, draw_panel in zip(grid.flat, draw, strict=False):
        draw_panel(ax)
    for ax in grid.flat[len(draw) :]:
        ax.axis("off")
    return figure
