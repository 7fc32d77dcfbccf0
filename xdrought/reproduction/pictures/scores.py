"""Losses with the interval of their mean, violins over runs, and forecasts by group of the observed percentile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.percentiles import soil_moisture_percentile
from xdrought.plot.style import FORECAST, LINE, REFERENCE, SMALL, TEXT, UPPER, clean, new_axes
from xdrought.reproduction.results import REFERENCES
from xdrought.verification.run_scores import summarise_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIFTHS = np.linspace(0, 100, 6)
COLORS = ["#0072B2", "#E69F00", "#56B4E9", "#D55E00", "#CC79A7", REFERENCE]


def loss_curves(history: xr.Dataset) -> Any:
    """Training (a) and validation loss (b) by epoch: mean of the runs, and the 95 % interval of that mean."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, panels = plt.subplots(1, 2, figsize=(7.1, 2.5), layout="constrained", sharey=True)
    epochs = history["epoch"].values + 1  # counted from one, as in the paper
    losses = (("train_loss", FORECAST, "a  training"), ("val_loss", UPPER, "b  validation"))
    for ax, (name, colour, text) in zip(panels, losses, strict=True):
        found = summarise_runs({"loss": history[name].transpose("run", "epoch")}, 0.95)
        for one in history[name].transpose("run", "epoch").values:
            ax.plot(epochs, one, color=colour, lw=0.5, alpha=0.35)
        low, high = found.loss_run_interval.transpose("bound", "epoch").values
        shown = ax.get_ylim()  # of the runs: an interval of two runs reaches far
        ax.fill_between(epochs, low, high, color=colour, alpha=0.2, lw=0)
        ax.plot(epochs, found.loss_run_mean, color=colour, lw=1.6)
        ax.set_ylim(shown)
        if name == "val_loss":
            best = history.best_epoch.values.astype(int)
            kept = history.val_loss.transpose("run", "epoch").values[np.arange(best.size), best]
            ax.plot(best + 1, kept, "o", color=LINE, ms=3.5, zorder=4)
        ax.set_xlabel("Epoch", fontsize=TEXT)
        ax.set_title(text, fontsize=TEXT, loc="left")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.tick_params(labelsize=TEXT, labelleft=True)
        clean(ax)
    panels[0].set_ylabel("Mean squared error\n(variance of the target is 1)", fontsize=TEXT)
    return figure


def violins(
    train: xr.DataArray | None, test: xr.DataArray, name: str, *, line: float | None = 1.0, ax: Axes | None = None
) -> Axes:
    """A pooled score of every run by model, (model, run): training on the left, test on the right; references as lines.

    Without `train` there is one violin for each model, beside a line at `line`, if any. Fewer than five runs are dots
    alone: a density of them would be the width of the kernel.
    """
    names = [model for model in test["model"].values.tolist() if model not in REFERENCES]
    ax = new_axes(ax, (1.3 + 0.95 * len(names), 2.7))
    handles: dict[str, Any] = {}
    for k, model in enumerate(names):
        parts = [("a run" if train is None else "test", test, "both" if train is None else "high", UPPER)]
        parts += [] if train is None else [("training", train, "low", FORECAST)]
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
                ax.plot(ends, [level, level], color=LINE, lw=width, ls="--" if width < 1 else "-", zorder=2)
            handles.setdefault(part, dots[0])
    if "persistence" in test["model"].values and test.sel(model="persistence").notnull().all():
        level = float(test.sel(model="persistence").values.ravel()[0])
        handles["persistence, test"] = ax.axhline(level, color=REFERENCE, lw=1, ls=(0, (4, 2)), zorder=1)
    if train is None and line is not None:
        handles["no overfitting"] = ax.axhline(line, color=REFERENCE, lw=0.8, ls=(0, (1, 2)), zorder=1)
    ax.set_ylabel(name, fontsize=TEXT)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_xticks(range(len(names)), names, fontsize=SMALL)
    order = [part for part in ("a run", "training", "test", "persistence, test", "no overfitting") if part in handles]
    ax.legend(
        [handles[part] for part in order],
        order,
        fontsize=SMALL,
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
    )
    clean(ax)
    return ax


def by_percentile(
    forecasts: Mapping[str, xr.DataArray], observed: xr.DataArray, persistence: xr.DataArray, *, ax: Axes | None = None
) -> Axes:
    """Boxes of forecast less observation by fifths of the observed percentile, one colour a model, outliers as dots."""
    ax = new_axes(ax, (7.1, 3.1))
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
        colour = REFERENCE if name == "persistence" else COLORS[k % 5]
        drawn = ax.boxplot(
            [group[np.isfinite(group)] for group in groups],
            positions=np.arange(5) + (k - (len(models) - 1) / 2) * 0.13,
            widths=0.11,
            patch_artist=True,
            medianprops={"color": LINE, "lw": 0.9},
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
    ax.set_xlabel("Observed percentile", fontsize=TEXT)
    ax.set_ylabel("Forecast less observation\n(standard deviations of the site)", fontsize=TEXT)
    ax.legend(frameon=False, fontsize=SMALL, ncols=6, loc="lower left", bbox_to_anchor=(0, 1), handlelength=1)
    clean(ax)
    return ax
