"""Forecasts beside the observation, and scores beside their references."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.choices import ScorePlot
from xdrought.plot import style
from xdrought.plot.records import forecast_line
from xdrought.public_functions import public
from xdrought.verification import paired_days, persistence_forecast, verify
from xdrought.verification.paired_days import in_units_of
from xdrought.verification.references import Lead, single_lead

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REFERENCES = {  # marker and color of each
    "persistence": ("D", style.REFERENCE),
    "damped_persistence": ("d", "#8c6d9c"),
    "climatology": ("s", "#b5892b"),
}
COLORS = [style.FORECAST, style.UPPER, "#007a5a", "#7b3fa0", "#56B4E9"]
DRIVERS = [("s", "#a34a6b"), ("P", "#5b7a3a"), ("X", "#3f7f93")]
KINDS = get_args(ScorePlot)
CROWD = 40  # sites that still have a row of their own


def _pick(data: xr.DataArray | xr.Dataset, name: Hashable) -> xr.DataArray:
    """The array itself, or the Dataset's variable `name` or only one."""
    if isinstance(data, xr.DataArray):
        return data
    if name in data:
        return data[name]
    if len(data.data_vars) == 1:
        return next(iter(data.data_vars.values()))
    raise ValueError(f"{sorted(map(str, data.data_vars))} were given; choose one, ds[name]")


def _scores(forecast: xr.DataArray, observed: xr.DataArray, lead: Lead, time: Hashable) -> xr.Dataset:
    """What :func:`xdrought.verify` says of the forecast; beside persistence alone where nothing else has a day."""
    for references in (paired_days.REFERENCES, ("persistence",)):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "sites .* have forecasts but no day")
            scores = verify(forecast, observed, references=references, lead=lead, n_boot=1, time=time)
        if scores["n_days"].any():
            break
    return scores


def _with_nse(name: str, scores: xr.Dataset, model: str) -> str:
    """A name with its pooled NSE, where there is one."""
    nse = float(scores["nse_summary"].sel(model=model, summary="pooled"))
    return f"{name}, NSE {nse:.2f}" if np.isfinite(nse) else name


@public
@style.squeezed
def plot_forecast(
    forecast: xr.DataArray | xr.Dataset,
    observed: xr.DataArray,
    *,
    lead: Lead = None,
    scores: xr.Dataset | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    time: Hashable = "time",
) -> Axes:
    """Draw a site's forecast beside the observation and beside persistence.

    Parameters
    ----------
    forecast : xarray.DataArray or xarray.Dataset
        One site's prediction at its valid time, (time,) or (run, time), e.g. from :func:`xdrought.predict`.
    observed : xarray.DataArray
        (time,); may be longer, and should begin `lead` days before the forecast for persistence.
    lead : int, timedelta64 or Timedelta, optional
        Days (or time) ahead; by default from the forecast's coordinates.
    scores : xarray.Dataset, optional
        From :func:`xdrought.verify` of this site; by default it is called with its own defaults.
    legend : bool
        Whether to explain the lines, with the Nash-Sutcliffe efficiency (NSE) that the scores give to each.
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
        When no single lead time is known, or the input is not one series.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.plot import plot_forecast
    >>> time = pd.date_range("2001-01-01", periods=60)
    >>> obs = xr.DataArray(np.sin(np.arange(60) / 9), {"time": time}, name="soil_moisture")
    >>> ax = plot_forecast(0.9 * obs[10:], obs, lead=7)
    >>> [line.get_label() for line in ax.lines][0]
    'observed'
    """
    style.one_series(observed, time)
    obs = observed.squeeze([dim for dim in observed.dims if dim != time], drop=True)
    predicted = in_units_of(_pick(forecast, observed.name), observed)
    predicted = predicted.squeeze([dim for dim in predicted.dims if dim not in (time, "run")], drop=True)
    days = f"{single_lead(predicted, lead, time) / pd.Timedelta(days=1):g}-day"
    held = persistence_forecast(obs, predicted, lead=lead, time=time)
    scores = _scores(predicted, obs, lead, time) if scores is None else scores
    ax = style.new_axes(ax, (7.1, 2.6))
    dates, values = style.one_series(obs.reindex({time: predicted[time]}), time)
    (line,) = ax.plot(dates, values, color=style.LINE, linewidth=1.1, label="observed")  # type: ignore[arg-type]
    first = str(scores["model"].values[0])
    handles = [line, forecast_line(ax, predicted, time, _with_nse(f"{days} forecast", scores, first))]
    if np.isfinite(held.values).any():
        dates, values = style.one_series(held, time)
        name = _with_nse(f"{days} persistence", scores, "persistence")
        handles += ax.plot(dates, values, color=style.REFERENCE, linewidth=0.9, linestyle=(0, (3, 1.5)), label=name)  # type: ignore[arg-type]
    else:
        style.message(ax, "no observation before the forecast: persistence is not known")
    style.clean(ax)
    style.date_axis(ax)
    ax.set_xlim(dates[0], dates[-1])
    ax.set_ylabel(style.label(observed), fontsize=style.TEXT)
    if "site" in observed.coords and observed["site"].size == 1:
        ax.set_title(style.literal(observed["site"].item()), fontsize=style.TEXT, loc="left")
    if legend:
        style.legend_below(ax, handles)
    return ax


@public
@style.squeezed
def plot_scores(
    scores: xr.Dataset,
    *,
    score: str = "nse",
    kind: ScorePlot = "auto",
    floor: float | None = -1.0,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a score per site, every model beside its references.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.verify`: `score` on (model, site). References, by the coordinate `reference` or by their
        usual names, stand last.
    score : str
        Which one; for RMSE and the like set ``floor=None``.
    kind : {"auto", "rows", "violins"}
        "rows": a row per site, ordered by the first model that is no reference. "violins": the distribution over sites
        per model, as Figure 3 of Tang et al. 2025, a dot per site, and the median with its interval where there is
        one. "auto": rows for up to 40 sites.
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
        When the score, or one of its dimensions, is not there, or the kind is unknown.
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
    if score not in scores:
        raise ValueError(f"no score {score!r}; choose one of {sorted(map(str, scores.data_vars))}")
    checks.require_choice(kind, "kind", KINDS)
    table = scores[score]
    if set(table.dims) != {"model", "site"}:
        raise ValueError(
            f"{score!r} must be on (model, site), found {tuple(table.dims)}; choose along the others with .isel(...)"
        )
    frame: Any = table.transpose("site", "model").to_pandas()
    styles = _styles(frame.columns, set(REFERENCES) | set(scores["reference"].values if "reference" in scores else ()))
    frame = frame[list(styles)].dropna(how="all")
    rows = kind == "rows" or (kind == "auto" and len(frame) <= CROWD)
    ax = style.new_axes(ax, (5.0, 0.9 + 0.16 * len(frame)) if rows else (max(5.0, 1.0 * len(styles)), 3.2))
    if rows:
        handles = _rows(ax, frame.sort_values(frame.columns[0]), styles, floor)
    else:
        handles = _violins(ax, frame, styles, floor, _median_intervals(scores, score))
    short = score.upper() if len(score) < 5 else style.literal(score)
    title = style.literal(table.attrs.get("long_name") or short)
    unit = style.literal(table.attrs.get("units", ""))
    title = f"{title} ({unit})" if unit not in ("", "1") else title
    if rows and floor is not None and bool((frame < floor).any(axis=None)):
        title += f"  (◁ below {floor:g})"
    (ax.set_xlabel if rows else ax.set_ylabel)(title, fontsize=style.TEXT)
    style.clean(ax)
    if legend and rows:
        style.legend_below(ax, handles, below=30)
    return ax


def _styles(models: Any, references: set[str]) -> dict[Any, tuple[str, str]]:
    """Marker and color of each model, references last; drivers are squares of other colors."""
    ordered = sorted(models, key=lambda name: name in references)
    spare = iter(DRIVERS * len(ordered))
    return {
        name: REFERENCES.get(str(name)) or (next(spare) if name in references else ("o", COLORS[i % len(COLORS)]))
        for i, name in enumerate(ordered)
    }


def _median_intervals(scores: xr.Dataset, score: str) -> Any:
    """Bounds of the median over sites by model, where there are any."""
    name = f"{score}_interval"
    if name not in scores or "summary" not in scores[name].dims:
        return None
    return scores[name].sel(summary="median", drop=True).transpose("model", "bound").to_pandas()


def _medians(frame: pd.DataFrame, styles: dict[Any, Any]) -> list[str]:
    median = "median " if len(frame) > 1 else ""
    return [f"{style.literal(name)}, {median}{frame[name].median():.2f}" for name in styles]


def _rows(ax: Axes, frame: pd.DataFrame, styles: dict[Any, Any], floor: float | None) -> list[Any]:
    """One row per site, one marker per model; values under the floor are arrows with their number."""
    rows = np.arange(len(frame))
    ax.hlines(rows, 0, 1, transform=ax.get_yaxis_transform(), color="#e4e4e4", linewidth=0.6, zorder=0)
    handles = []
    for name, text in zip(styles, _medians(frame, styles), strict=True):
        marker, color = styles[name]
        values = frame[name].to_numpy()
        inside = values >= floor if floor is not None else np.isfinite(values)
        face = color if marker == "o" else "white"
        look = {"color": color, "markerfacecolor": face, "markersize": 4.5}
        handles += ax.plot(values[inside], rows[inside], marker, label=text, **look)
        below = rows[np.isfinite(values) & ~inside]
        if below.size:
            ax.plot(np.full(below.size, floor, dtype="float64"), below, "<", clip_on=False, **look)
    if floor is not None:
        ax.axvline(0, color=style.LINE, linewidth=0.6, zorder=0)
        ax.set_xlim(floor, 1)
    ax.set_yticks(rows, [style.literal(site) for site in frame.index], fontsize=style.SMALL)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.7, len(frame) - 0.3)
    return handles


def _violins(
    ax: Axes, frame: pd.DataFrame, styles: dict[Any, Any], floor: float | None, intervals: pd.DataFrame | None
) -> list[Any]:
    """One violin per model, its sites as dots, its median as a bar with the interval as a line."""
    shift = np.random.default_rng(0).uniform(-0.09, 0.09, len(frame))  # spreads the dots; not data
    names = []
    for i, name in enumerate(styles):
        values = frame[name].dropna().to_numpy()
        below = int((values < floor).sum()) if floor is not None else 0
        drawn = values.clip(min=floor)
        if np.ptp(drawn) > 0:
            body = ax.violinplot(drawn, [i], widths=0.75, showextrema=False)["bodies"]
            for part in body:  # type: ignore[attr-defined]
                part.set(facecolor=styles[name][1], edgecolor="none", alpha=0.3)
        ax.plot(i + shift[: drawn.size], drawn, ".", color=styles[name][1], markersize=2.5)
        ax.hlines(np.median(drawn), i - 0.25, i + 0.25, color=style.LINE, linewidth=1.4)
        if intervals is not None and np.isfinite(intervals.loc[name]).all():
            ax.vlines(i, *intervals.loc[name].clip(lower=floor), color=style.LINE, linewidth=1.4)
        names.append(f"{_on_lines(name)}\nmedian {np.median(values):.2f}")
        names[-1] += f"\n{below} below {floor:g}" if below else ""
    if floor is not None:
        ax.axhline(0, color=style.LINE, linewidth=0.6, zorder=0)
    ax.set_xticks(range(len(names)), names, fontsize=style.SMALL)
    return []


def _on_lines(name: str) -> str:
    """A name on lines of its own, broken after underscores and at blanks."""
    return textwrap.fill(style.literal(name).replace("_", "_ "), 14).replace("_ ", "_")
