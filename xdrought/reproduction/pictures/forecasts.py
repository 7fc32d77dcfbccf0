"""Losses, violins over runs, forecasts by group of the observed percentile, and Figure 4: both with their droughts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.percentiles import soil_moisture_percentile
from xdrought.plot import style
from xdrought.plot.experiments import wrapped
from xdrought.plot.records import class_spans, percentile_lines, shade
from xdrought.reproduction.results import REFERENCES
from xdrought.verification.scores import summarise_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIFTHS = np.linspace(0, 100, 6)
COLORS = ["#0072B2", "#E69F00", "#56B4E9", "#D55E00", "#CC79A7", style.REFERENCE]


def loss_curves(history: xr.Dataset) -> Any:
    """Training (a) and validation loss (b) by epoch: mean of the runs, and the 95 % interval of that mean."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, panels = plt.subplots(1, 2, figsize=(7.1, 2.5), layout="constrained", sharey=True)
    epochs = history["epoch"].values + 1  # counted from one, as in the paper
    losses = (("train_loss", style.FORECAST, "a  training"), ("val_loss", style.UPPER, "b  validation"))
    for ax, (name, colour, text) in zip(panels, losses, strict=True):
        found = summarise_runs({"loss": history[name].transpose("run", "epoch")}, 0.95)
        for of_run in history[name].transpose("run", "epoch").values:
            ax.plot(epochs, of_run, color=colour, lw=0.5, alpha=0.35)
        low, high = found.loss_run_interval.transpose("bound", "epoch").values
        ax.fill_between(epochs, low, high, color=colour, alpha=0.2, lw=0)
        ax.plot(epochs, found.loss_run_mean, color=colour, lw=1.6)
        if name == "val_loss":
            best = history.best_epoch.values.astype(int)
            kept = history.val_loss.transpose("run", "epoch").values[np.arange(best.size), best]
            ax.plot(best + 1, kept, "o", color=style.LINE, ms=3.5, zorder=4)
        ax.set_xlabel("Epoch", fontsize=style.TEXT)
        ax.set_title(text, fontsize=style.TEXT, loc="left")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.tick_params(labelsize=style.TEXT, labelleft=True)
        style.clean(ax)
    of_runs = [history[name].values for name, *_ in losses]  # an interval of two runs reaches farther
    low, high = np.nanmin(of_runs), np.nanmax(of_runs)
    panels[0].set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    panels[0].set_ylabel("Mean squared error\n(variance of the target is 1)", fontsize=style.TEXT)
    return figure


def violins(
    train: xr.DataArray | None, test: xr.DataArray, name: str, *, line: float | None = 1.0, ax: Axes | None = None
) -> Axes:
    """A pooled score of every run by model, (model, run): training on the left, test on the right; references as lines.

    Without `train` there is one violin for each model, beside a line at `line`, if any. Fewer than five runs are dots
    alone: a density of them would be the width of the kernel.
    """
    names = [model for model in test["model"].values.tolist() if model not in REFERENCES]
    ax = style.new_axes(ax, (1.3 + 0.95 * len(names), 2.7))
    handles: dict[str, Any] = {}
    for k, model in enumerate(names):
        parts = [("a run" if train is None else "test", test, "both" if train is None else "high", style.UPPER)]
        parts += [] if train is None else [("training", train, "low", style.FORECAST)]
        for part, scores, side, colour in parts:
            values = scores.sel(model=model).values
            values = values[np.isfinite(values)]
            if not values.size:
                continue
            if values.size >= 5 and np.ptp(values) > 0:
                drawn = ax.violinplot([values], [k], widths=0.8, side=side, showextrema=False)  # type: ignore[arg-type]
                for body in drawn["bodies"]:  # type: ignore[attr-defined]
                    body.set(facecolor=colour, alpha=0.35, edgecolor="none")
            middle = {"low": -0.14, "high": 0.14, "both": 0.0}[side]
            spread = np.linspace(-0.06, 0.06, values.size) if values.size > 1 else np.zeros(1)
            dots = ax.plot(
                k + middle + spread, np.sort(values), "o", color=colour, ms=3, zorder=3, mec="white", mew=0.4
            )
            ends = [k + middle - 0.13, k + middle + 0.13]
            for level, width in zip(np.quantile(values, (0.25, 0.5, 0.75)), (0.6, 1.4, 0.6), strict=True):
                ax.plot(ends, [level, level], color=style.LINE, lw=width, ls="--" if width < 1 else "-", zorder=2)
            handles.setdefault(part, dots[0])
    if "persistence" in test["model"].values and test.sel(model="persistence").notnull().all():
        level = float(test.sel(model="persistence").values.ravel()[0])
        handles["persistence, test"] = ax.axhline(level, color=style.REFERENCE, lw=1, ls=(0, (4, 2)), zorder=1)
    if train is None and line is not None:
        handles["no overfitting"] = ax.axhline(line, color=style.REFERENCE, lw=0.8, ls=(0, (1, 2)), zorder=1)
    ax.set_ylabel(name, fontsize=style.TEXT)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_xticks(range(len(names)), names, fontsize=style.SMALL)
    order = [part for part in ("a run", "training", "test", "persistence, test", "no overfitting") if part in handles]
    ax.legend(
        [handles[part] for part in order],
        order,
        fontsize=style.SMALL,
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
    )
    style.clean(ax)
    return ax


def by_percentile(
    forecasts: Mapping[str, xr.DataArray], observed: xr.DataArray, persistence: xr.DataArray, *, ax: Axes | None = None
) -> Axes:
    """Boxes of forecast less observation by fifths of the observed percentile, one colour a model, outliers as dots."""
    ax = style.new_axes(ax, (7.1, 3.1))
    rank = soil_moisture_percentile(observed.drop_attrs())
    scale = observed.std("time")
    models = {**{name: da.mean("run") for name, da in forecasts.items()}, "persistence": persistence}
    shared = (
        xr.concat([da.drop_attrs() for da in models.values()], "model", coords="minimal", compat="override")
        .notnull()
        .all("model")
    )
    for k, (name, da) in enumerate(models.items()):
        error = ((da - observed) / scale).where(shared)
        groups = [
            error.where((rank >= low) & (rank < high + (high == 100))).values
            for low, high in zip(FIFTHS[:-1], FIFTHS[1:], strict=True)
        ]
        colour = style.REFERENCE if name == "persistence" else COLORS[k % 5]
        drawn = ax.boxplot(
            [group[np.isfinite(group)] for group in groups],
            positions=np.arange(5) + (k - (len(models) - 1) / 2) * 0.13,
            widths=0.11,
            patch_artist=True,
            medianprops={"color": style.LINE, "lw": 0.9},
            whiskerprops={"lw": 0.6},
            capprops={"lw": 0.6},
            boxprops={"lw": 0.6},
            flierprops={"marker": ".", "ms": 2, "mfc": colour, "mec": "none", "alpha": 0.4},
        )
        for box in drawn["boxes"]:
            box.set_facecolor(colour)
        drawn["boxes"][0].set_label(name)
    ax.axhline(0, color="0.6", lw=0.7, zorder=0)
    ax.set_xticks(range(5), [f"{low:.0f} to {high:.0f}" for low, high in zip(FIFTHS[:-1], FIFTHS[1:], strict=True)])
    ax.set_xlabel("Observed percentile", fontsize=style.TEXT)
    ax.set_ylabel("Forecast less observation\n(standard deviations of the site)", fontsize=style.TEXT)
    ax.legend(frameon=False, fontsize=style.SMALL, ncols=6, loc="lower left", bbox_to_anchor=(0, 1), handlelength=1)
    style.clean(ax)
    return ax


LOOKS: tuple[dict[str, Any], ...] = (
    {"color": style.FORECAST, "lw": 1.2},
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
    observed = record.sel(time=part)
    (line,) = ax.plot(
        style.to_datetime64(observed["time"].values), observed.values, color=style.LINE, lw=1.0, label="observed"
    )
    handles = [line, *percentile_lines(ax, record.values)]
    for (name, da), look in zip(forecasts.items(), LOOKS, strict=False):
        of_part = da.sel(time=part)
        handles += ax.plot(
            style.to_datetime64(of_part["time"].values), of_part.values, **look, label=f"{name}, NSE {nse[name]:.2f}"
        )
    phases = dict.fromkeys(style.SHADES)
    for row, (name, da) in enumerate(classes.items()):
        of_part = da.sel(time=part)
        spans = list(class_spans(style.to_datetime64(of_part["time"].values), of_part.values))
        if name == "observed":
            for patch in shade(ax, spans):
                phases[patch.get_label()] = patch
        for span in spans:
            drawn = strips.barh(
                row,
                np.maximum(span.end - span.start, np.timedelta64(1, "D")),
                left=span.start,
                height=0.8,
                color=style.SHADES[span.phase],
                label=span.phase,
            )
            phases[span.phase] = phases[span.phase] or drawn[0]
    handles += [patch for patch in phases.values() if patch is not None]
    strips.set_yticks(range(len(classes)), list(classes), fontsize=style.TEXT - 1)
    strips.set_ylim(len(classes) - 0.5, -0.5)
    strips.tick_params(labelsize=style.TEXT - 1, length=0, axis="y")
    strips.tick_params(labelsize=style.TEXT, axis="x")
    ax.tick_params(labelsize=style.TEXT)
    ax.set_xlim(*style.to_datetime64(np.array([days[0], days[-1]])))
    ax.set_ylabel(wrapped(style.label(record)), fontsize=style.TEXT)
    ax.set_title(style.literal(record["site"].item()), fontsize=style.TEXT, loc="left")
    for one_ax in (ax, strips):
        style.clean(one_ax)
    style.date_axis(strips)
    style.legend_below(strips, handles)
    return figure
