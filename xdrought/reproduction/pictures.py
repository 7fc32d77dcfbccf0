"""Figures of the report that are of no use elsewhere: losses, violins of two parts, errors by percentile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought.percentiles import soil_moisture_percentile
from xdrought.plot.style import FORECAST, REFERENCE, SMALL, TEXT, UPPER, clean, new_axes
from xdrought.reproduction.results import REFERENCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIFTHS = np.linspace(0, 100, 6)


def loss_curves(history: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Training and validation loss by epoch: the mean of the runs and, where there are several, their range."""
    from matplotlib.ticker import MaxNLocator

    ax = new_axes(ax, (4.5, 2.6))
    epochs = history["epoch"].values
    for name, colour, text in (("train_loss", FORECAST, "training"), ("val_loss", UPPER, "validation")):
        losses = history[name].transpose("run", "epoch").values
        ax.plot(epochs, losses.mean(axis=0), color=colour, label=text)
        ax.fill_between(epochs, losses.min(axis=0), losses.max(axis=0), color=colour, alpha=0.2, lw=0)
    ax.set_xlabel("Epoch", fontsize=TEXT)
    ax.set_ylabel("Loss (variance of the target is 1)", fontsize=TEXT)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize=SMALL)
    clean(ax)
    return ax


def violins(train: xr.Dataset, test: xr.Dataset, score: str, *, ax: Axes | None = None) -> Axes:
    """A score of every site and run by model: the training part on the left half, the test part on the right."""
    models = test["model"].values.tolist()
    ax = new_axes(ax, (1.2 + 0.75 * len(models), 2.8))
    low, high = _limits(train, test, score)
    for k, model in enumerate(models):
        for scores, side, colour in ((train, "low", FORECAST), (test, "high", UPPER)):
            values = scores[score].sel(model=model).values.ravel()
            values = np.clip(values[np.isfinite(values)], low, high)
            if not values.size:
                continue
            if values.size > 2 and np.ptp(values) > 0:
                drawn = ax.violinplot([values], [k], widths=0.8, side=side, showextrema=False)  # type: ignore[arg-type]
                for body in drawn["bodies"]:  # type: ignore[attr-defined]
                    body.set(facecolor=REFERENCE if model in REFERENCES else colour, alpha=0.55, edgecolor="none")
            ends = [k - 0.3, k - 0.02] if side == "low" else [k + 0.02, k + 0.3]
            for quantile, width in ((0.25, 0.6), (0.5, 1.4), (0.75, 0.6)):
                ax.plot(
                    ends, [np.quantile(values, quantile)] * 2, color="#1a1a1a", lw=width, ls="--" if width < 1 else "-"
                )
    ax.set_ylabel(f"{score.upper()}, training | test", fontsize=TEXT)
    ax.set_ylim(low, high)
    ax.set_xticks(range(len(models)), [str(model).replace("_", "\n") for model in models], fontsize=SMALL)
    clean(ax)
    return ax


def _limits(train: xr.Dataset, test: xr.Dataset, score: str) -> tuple[float, float]:
    """What to show: everything, but not the longest lower tail."""
    values = np.concatenate([scores[score].values.ravel() for scores in (train, test)])
    values = values[np.isfinite(values)]
    if score == "rmse":
        return 0.0, float(np.quantile(values, 0.98) * 1.05)
    return float(max(values.min(), min(-1.0, np.quantile(values, 0.05)))) - 0.05, 1.0


def by_percentile(
    forecasts: Mapping[str, xr.DataArray], observed: xr.DataArray, persistence: xr.DataArray, *, ax: Axes | None = None
) -> Axes:
    """Boxes of forecast less observation by fifths of the observed percentile, one colour a model."""
    ax = new_axes(ax, (6.5, 3.0))
    rank = soil_moisture_percentile(observed.drop_attrs())
    scale = observed.std("time")
    models = {**{name: da.mean("run") for name, da in forecasts.items()}, "persistence": persistence}
    shared = (
        xr.concat([da.drop_attrs() for da in models.values()], "model", coords="minimal", compat="override")
        .notnull()
        .all("model")
    )
    colours = ["#0072B2", "#E69F00", "#56B4E9", "#D55E00", "#CC79A7", REFERENCE]
    for k, (name, da) in enumerate(models.items()):
        error = ((da - observed) / scale).where(shared)
        groups = [
            error.where((rank >= low) & (rank < high + (high == 100))).values
            for low, high in zip(FIFTHS[:-1], FIFTHS[1:], strict=True)
        ]
        drawn = ax.boxplot(
            [group[np.isfinite(group)] for group in groups],
            positions=np.arange(5) + (k - (len(models) - 1) / 2) * 0.13,
            widths=0.11,
            showfliers=False,
            patch_artist=True,
            medianprops={"color": "#1a1a1a", "lw": 0.9},
            whiskerprops={"lw": 0.6},
            capprops={"lw": 0.6},
            boxprops={"lw": 0.6},
        )
        colour = REFERENCE if name == "persistence" else colours[k % 5]
        for box in drawn["boxes"]:
            box.set_facecolor(colour)
        drawn["boxes"][0].set_label(name)
    ax.axhline(0, color="0.6", lw=0.7, zorder=0)
    ax.set_xticks(range(5), [f"{low:.0f}–{high:.0f}" for low, high in zip(FIFTHS[:-1], FIFTHS[1:], strict=True)])
    ax.set_xlabel("Observed percentile", fontsize=TEXT)
    ax.set_ylabel("Forecast less observation\n(standard deviations of the site)", fontsize=TEXT)
    ax.legend(frameon=False, fontsize=SMALL, ncols=3)
    clean(ax)
    return ax
