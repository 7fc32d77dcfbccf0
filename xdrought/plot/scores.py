"""Forecasts beside the observation, scores beside their references, and agreement of definitions."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.plot.dressing import (
    FORECAST,
    LINE,
    REFERENCE,
    SMALL,
    TEXT,
    UPPER,
    clean,
    date_axis,
    label,
    legend_below,
    message,
    new_axes,
    one_series,
)  # fmt: skip
from xdrought.plot.record import forecast_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REFERENCES = {  # marker, colour
    "persistence": ("D", REFERENCE),
    "damped_persistence": ("d", "#8c6d9c"),
    "climatology": ("s", "#b5892b"),
}
COLOURS = [FORECAST, UPPER, "#007a5a", "#7b3fa0", "#56B4E9"]
CROWD = 40  # sites that still have a row of their own


def _pick(data: xr.DataArray | xr.Dataset, name: Hashable, caller: str) -> xr.DataArray:
    """The array itself, or the Dataset's variable `name` or only one."""
    if isinstance(data, xr.DataArray):
        return data
    if name in data:
        return data[name]
    if len(data.data_vars) == 1:
        return next(iter(data.data_vars.values()))
    raise ValueError(f"{caller}: {sorted(map(str, data.data_vars))} were given; choose one, ds[name]")


def _lead(forecast: xr.DataArray, lead: int | None, caller: str) -> pd.Timedelta:
    """How long before its valid time a forecast was made."""
    if lead is not None:
        return pd.Timedelta(days=lead)
    if "lead_time" not in forecast.coords or forecast["lead_time"].size != 1:
        raise ValueError(f"{caller}: the forecast has no single lead_time; give the days ahead, e.g. lead=7")
    found = forecast["lead_time"].values.ravel()[0]
    return pd.Timedelta(found) if np.asarray(found).dtype.kind == "m" else pd.Timedelta(days=float(found))


def _nse(predicted: xr.DataArray, observed: xr.DataArray) -> float:
    """Nash-Sutcliffe efficiency over the days that both have; NaN when the observation does not vary."""
    predicted, observed = xr.align(predicted, observed, join="inner")
    seen = observed.where(np.isfinite(predicted))
    spread = float(((seen - seen.mean()) ** 2).sum())
    return 1 - float(((predicted - seen) ** 2).sum()) / spread if spread > 0 else float("nan")


def plot_forecast(
    forecast: xr.DataArray | xr.Dataset,
    observed: xr.DataArray,
    *,
    lead: int | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    time: Hashable = "time",
) -> Axes:
    """Draw a site's forecast beside the observation and beside doing nothing, which is persistence.

    Parameters
    ----------
    forecast : xarray.DataArray or xarray.Dataset
        One site's prediction at its valid time, (time,) or (run, time), e.g. from :func:`xdrought.predict`.
    observed : xarray.DataArray
        (time,); may be longer, and should begin `lead` days before the forecast for persistence.
    lead : int, optional
        Days ahead; the forecast's `lead_time` by default.
    legend : bool
        Whether to explain the lines, with the Nash-Sutcliffe efficiency (NSE) of each over the days drawn.
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
        When no lead time is known, or the input is not one series.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.plot import plot_forecast
    >>> time = pd.date_range("2001-01-01", periods=60)
    >>> seen = xr.DataArray(np.sin(np.arange(60) / 9), {"time": time}, name="soil_moisture")
    >>> ax = plot_forecast(0.9 * seen[10:], seen, lead=7)
    >>> [line.get_label() for line in ax.lines][0]
    'observed'
    """
    caller = "plot_forecast"
    predicted = _pick(forecast, observed.name, caller)
    ahead = _lead(predicted, lead, caller)
    one_series(observed, time, caller)
    seen = observed.squeeze(drop=True)
    mean = (predicted.mean("run") if "run" in predicted.dims else predicted).squeeze(drop=True)
    held = seen.assign_coords({time: seen.indexes[time] + ahead})
    held = held.reindex({time: mean[time]})
    truth = seen.reindex({time: mean[time]})
    both = truth.where(np.isfinite(held) & np.isfinite(mean))  # the same days for both scores
    ax = new_axes(ax, (7.1, 2.6), caller)
    dates, values = one_series(truth, time, caller)
    (line,) = ax.plot(dates, values, color=LINE, linewidth=1.1, label="observed")  # type: ignore[arg-type]
    days = f"{ahead / pd.Timedelta(days=1):g}-day"
    model = forecast_line(ax, predicted, time, caller, f"{days} forecast, NSE {_nse(mean, both):.2f}")
    handles = [line, model]
    if np.isfinite(held.values).any():
        dates, values = one_series(held, time, caller)
        name = f"{days} persistence, NSE {_nse(held, both):.2f}"
        handles += ax.plot(dates, values, color=REFERENCE, linewidth=0.9, linestyle=(0, (3, 1.5)), label=name)  # type: ignore[arg-type]
    else:
        message(ax, "no observation before the forecast: persistence is not known")
    clean(ax)
    date_axis(ax)
    ax.set_xlim(dates[0], dates[-1])
    ax.set_ylabel(label(observed), fontsize=TEXT)
    if "site" in observed.coords and observed["site"].size == 1:
        ax.set_title(str(observed["site"].item()), fontsize=TEXT, loc="left")
    if legend:
        legend_below(ax, handles)
    return ax


def plot_scores(
    scores: xr.Dataset,
    *,
    score: str = "nse",
    floor: float | None = -1.0,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a score per site, every model beside persistence and climatology.

    Up to 40 sites have a row each, ordered by the first model that is no reference; more become a violin
    per model, with the median marked.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.verify`: `score` on (model, site), of which "persistence" and "climatology" are
        references.
    score : str
        Which one; for RMSE and the like set ``floor=None``.
    floor : float or None
        Values below are drawn at the edge as arrows: a single site at -20 would hide all others.
    legend : bool
        Whether to explain the markers.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        When the score, or one of its dimensions, is not there.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_scores
    >>> coords = {"model": ["net", "persistence"], "site": ["AT-Neu", "DE-Hai"]}
    >>> nse = xr.DataArray([[0.6, 0.7], [0.5, 0.6]], coords, name="nse")
    >>> [text.get_text() for text in plot_scores(nse.to_dataset()).get_yticklabels()]
    ['AT-Neu', 'DE-Hai']
    """
    caller = "plot_scores"
    if score not in scores:
        raise ValueError(f"{caller}: no score {score!r}; choose one of {sorted(map(str, scores.data_vars))}")
    table = scores[score]
    if set(table.dims) != {"model", "site"}:
        raise ValueError(
            f"{caller}: {score!r} must be on (model, site), found {tuple(table.dims)}; "
            f"choose along the others with .isel(...)"
        )
    frame: Any = table.transpose("site", "model").to_pandas()
    models = sorted(frame.columns, key=lambda name: name in REFERENCES)  # references last
    frame = frame[models].dropna(how="all")
    rows = len(frame) <= CROWD
    ax = new_axes(ax, (5.0, 0.9 + 0.16 * len(frame)) if rows else (5.0, 3.2), caller)
    styles = {name: REFERENCES.get(str(name)) or ("o", COLOURS[i % len(COLOURS)]) for i, name in enumerate(models)}
    handles = (_rows if rows else _violins)(ax, frame.sort_values(models[0]), styles, floor)
    short = score.upper() if len(score) < 5 else score.replace("_", " ")
    title = str(table.attrs.get("long_name") or short)
    unit = str(table.attrs.get("units", ""))
    title = f"{title} ({unit})" if unit not in ("", "1") else title
    if rows and floor is not None and bool((frame < floor).any(axis=None)):
        title += f"  (◁ below {floor:g})"
    (ax.set_xlabel if rows else ax.set_ylabel)(title, fontsize=TEXT)
    clean(ax)
    if legend and rows:
        legend_below(ax, handles, below=30)
    return ax


def _medians(frame: pd.DataFrame, styles: dict[Any, Any]) -> list[str]:
    median = "median " if len(frame) > 1 else ""
    return [f"{name}, {median}{frame[name].median():.2f}".replace("_", " ") for name in styles]


def _rows(ax: Axes, frame: pd.DataFrame, styles: dict[Any, Any], floor: float | None) -> list[Any]:
    """One row per site, one marker per model; values under the floor are arrows with their number."""
    rows = np.arange(len(frame))
    ax.hlines(rows, 0, 1, transform=ax.get_yaxis_transform(), color="#e4e4e4", linewidth=0.6, zorder=0)
    handles = []
    for name, text in zip(styles, _medians(frame, styles), strict=True):
        marker, colour = styles[name]
        values = frame[name].to_numpy()
        inside = values >= floor if floor is not None else np.isfinite(values)
        face = colour if marker == "o" else "white"
        look = {"color": colour, "markerfacecolor": face, "markersize": 4.5}
        handles += ax.plot(values[inside], rows[inside], marker, label=text, **look)
        below = rows[np.isfinite(values) & ~inside]
        if below.size:
            ax.plot(np.full(below.size, floor, dtype="float64"), below, "<", clip_on=False, **look)
    if floor is not None:
        ax.axvline(0, color=LINE, linewidth=0.6, zorder=0)
        ax.set_xlim(floor, 1)
    ax.set_yticks(rows, [str(site) for site in frame.index], fontsize=SMALL)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.7, len(frame) - 0.3)
    return handles


def _violins(ax: Axes, frame: pd.DataFrame, styles: dict[Any, Any], floor: float | None) -> list[Any]:
    """One violin per model, its sites as dots and its median as a bar."""
    shift = np.random.default_rng(0).uniform(-0.09, 0.09, len(frame))  # spreads the dots; not data
    names = []
    for i, name in enumerate(styles):
        values = frame[name].dropna().to_numpy()
        below = int((values < floor).sum()) if floor is not None else 0
        drawn = values.clip(min=floor)
        body = ax.violinplot(drawn, [i], widths=0.75, showextrema=False)["bodies"]
        for part in body:  # type: ignore[attr-defined]
            part.set(facecolor=styles[name][1], edgecolor="none", alpha=0.3)
        ax.plot(i + shift[: drawn.size], drawn, ".", color=styles[name][1], markersize=2.5)
        ax.hlines(np.median(values), i - 0.25, i + 0.25, color=LINE, linewidth=1.4)
        names.append(f"{name}\nmedian {np.median(values):.2f}")
        names[-1] += f"\n{below} below {floor:g}" if below else ""
    if floor is not None:
        ax.axhline(0, color=LINE, linewidth=0.6, zorder=0)
    ax.set_xticks(range(len(names)), names, fontsize=SMALL)
    return []


def frameless(ax: Axes) -> None:
    """A heat map needs no axis lines."""
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


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
    caller = "plot_agreement"
    title = str(table.attrs.get("long_name", "Share of agreement"))
    frame: Any = table.to_pandas() if isinstance(table, xr.DataArray) else table
    if getattr(frame, "ndim", 0) != 2 or frame.shape[0] != frame.shape[1]:
        raise ValueError(f"{caller}: the table must be square, found {table.shape}; choose along others")
    values = np.asarray(frame, dtype="float64")
    if ((values < 0) | (values > 1)).any():
        found = f"{np.nanmin(values):g} to {np.nanmax(values):g}"
        raise ValueError(f"{caller}: shares lie between 0 and 1, found {found}; divide percentages by 100")
    count = len(frame)
    ax = new_axes(ax, (1.4 + 0.45 * count, 1.0 + 0.4 * count), caller)
    ax.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, j in np.argwhere(np.isfinite(values)):
        ax.text(
            j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=SMALL,
            color="white" if values[i, j] > 0.6 else LINE,
        )  # fmt: skip
    names = [str(name) for name in frame.columns]
    ax.set_xticks(range(count), names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(count), [str(name) for name in frame.index])
    ax.tick_params(labelsize=TEXT)
    frameless(ax)
    ax.set_title(title[:1].upper() + title[1:], fontsize=TEXT, loc="left")
    return ax
