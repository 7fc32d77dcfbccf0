"""Figure 1, the network as it is built, with its attention block and its recurrence; and its layers (Table S2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from xdrought.plot.style import LINE, SMALL, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import nn

FILLS = {"data": "#eeeeee", "encoder": "#d6e6f2", "recurrence": "#f7dfc9", "causal": "#d9ecd9", "head": "#e6dcef"}
KINDS = {"encoder": "encoder", "recurrence.initial": "causal", "recurrence.cells": "recurrence", "head": "head"}
NOTES = SMALL - 1


def diagram(layers: pd.DataFrame) -> Any:
    """Draw the parts that :func:`layers` lists, the attention block and a step in time."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(7.4, 5.3), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=(1.25, 1))  # an array of two
    top, below = halves
    _network(top.subplots(), layers)
    left, right = below.subplots(1, 2)
    _attention(left)
    _recurrence(right)
    return figure


def _network(ax: Axes, layers: pd.DataFrame) -> None:
    """Panel a, d: the way of the data, one box a part."""
    _blank(ax, (0, 10.2), (-0.45, 4.9), "a, d  the network")
    encoder = layers[layers.index.str.startswith("encoder")]
    first = layers.loc[layers.index[0], "input"]
    drivers, days = int(first.split(" x ")[0]), 15
    _box(ax, 0.6, 4.1, f"maps of\n{drivers} drivers", f"{days} x {first}", "data", inside=True)
    x = 2.05
    for name, row in encoder.iterrows():
        note = f"{row.output}\n{row.parameters:,}"
        _box(ax, x, 4.1, _short(row["part"]), note, _kind(str(name)), inside=True)
        _arrow(ax, (x - 0.83, 4.1), (x - 0.62, 4.1))
        x += 1.49
    ax.annotate("each day by itself", (5.0, 4.83), ha="center", fontsize=NOTES, style="italic", color="#555555")
    cells = layers[layers.index.str.contains("cells")]
    initial = layers[layers.index.str.contains("initial")]
    head = layers[layers.index.str.startswith("head")]
    right, left, middle, last = 9.5, 7.5, 5.4, 3.3
    _arrow(ax, (right, 3.48), (right, 2.96), f"{days} x {drivers}")
    for place, number, cell in ((right, 1, cells.iloc[0]), (left, 2, cells.iloc[1])):
        _box(ax, place, 2.35, f"LSTM\ncell {number}", f"{cell.output}\n{cell.parameters:,}", "recurrence", inside=True)
    _arrow(ax, (right - 0.6, 2.35), (left + 0.62, 2.35), "h")
    for place, (_, row) in zip((right, left), initial.iterrows(), strict=True):
        _box(ax, place, 0.6, "c₀\nlinear", f"{row.output}\n{row.parameters:,}", "causal", inside=True)
        _arrow(ax, (place, 1.22), (place, 1.73))
    _box(ax, middle, 0.6, "causality\ndegree", f"{initial.input.iloc[0]} numbers\nof a site", "data", inside=True)
    _arrow(ax, (middle + 0.6, 0.6), (left - 0.62, 0.6))
    ax.plot([middle, middle, right], [-0.02, -0.32, -0.32], color="#555555", lw=0.8)
    _arrow(ax, (right, -0.32), (right, -0.03))
    numbers = "\n".join(f"{row.output}: {row.parameters:,}" for _, row in head.iterrows())
    _box(ax, middle, 2.35, "two linear\nlayers", numbers, "head", inside=True)
    _arrow(ax, (left - 0.6, 2.35), (middle + 0.62, 2.35), "last h")
    _box(ax, last, 2.35, "soil\nmoisture", "7 days ahead", "data", inside=True)
    _arrow(ax, (middle - 0.6, 2.35), (last + 0.62, 2.35))
    ax.annotate(
        f"small print: what comes out,\nand how many numbers\nare learnt; {layers.parameters.sum():,} in all",
        (0.02, 1.0),
        fontsize=NOTES,
        va="center",
        color="#555555",
    )


def _attention(ax: Axes) -> None:
    """Panel b: Eq. 1 to 3."""
    _blank(ax, (0, 10), (0, 5), "b  attention in each ResAtt block (CBAM)")
    _box(ax, 0.9, 2.5, "F", "C x H x W", "data", 1.3, 1.1)
    _box(ax, 3.4, 3.9, "channel\nattention", "", "encoder", 2.0, 1.3)
    _box(ax, 3.4, 2.5, "x", "", "data", 0.6, 0.6)
    _box(ax, 5.6, 2.5, "F′", "C x H x W", "data", 1.3, 1.1)
    _box(ax, 7.6, 3.9, "spatial\nattention", "", "encoder", 2.0, 1.3)
    _box(ax, 7.6, 2.5, "x", "", "data", 0.6, 0.6)
    _box(ax, 9.3, 2.5, "F″", "", "data", 0.9, 1.1)
    for start, stop in (((1.55, 2.5), (3.1, 2.5)), ((3.7, 2.5), (4.95, 2.5)), ((6.25, 2.5), (7.3, 2.5))):
        _arrow(ax, start, stop)
    _arrow(ax, (7.9, 2.5), (8.85, 2.5))
    for place, gate in ((1.55, 3.4), (6.25, 7.6)):
        _arrow(ax, (place - 0.25, 3.05), (gate - 1.0, 3.9))
        _arrow(ax, (gate, 3.25), (gate, 2.8))
    texts = (
        r"$M_C = \sigma\,(\mathrm{MLP}(\mathrm{mean}_{HW} F) + \mathrm{MLP}(\mathrm{max}_{HW} F))$: C x 1 x 1 (Eq. 2)",
        r"$M_S = \sigma\,(f^{7\times7}[\mathrm{mean}_C F';\ \mathrm{max}_C F'])$: 1 x H x W (Eq. 3)",
    )
    for y, text in zip((1.0, 0.25), texts, strict=True):
        ax.text(0.1, y, text, fontsize=NOTES + 0.5, color=LINE)


def _recurrence(ax: Axes) -> None:
    """Panel c: Eq. 4 to 6."""
    _blank(ax, (0, 10), (0, 5), "c  a step of the causal recurrence")
    _box(ax, 1.2, 4.1, "c(t−1)", "", "recurrence", 1.5, 0.8)
    _box(ax, 1.2, 2.9, "c₀", "from causality", "causal", 1.5, 0.9)
    _box(ax, 3.5, 4.1, "+", "", "data", 0.6, 0.6)
    _box(ax, 5.2, 4.1, "x F", "", "data", 0.9, 0.6)
    _box(ax, 7.0, 4.1, "+ I g", "", "data", 1.1, 0.6)
    _box(ax, 9.0, 4.1, "c(t)", "", "recurrence", 1.3, 0.8)
    _box(ax, 9.0, 2.9, "h(t)", "O tanh c(t)", "recurrence", 1.5, 0.9)
    for start, stop in (((1.95, 4.1), (3.2, 4.1)), ((3.8, 4.1), (4.75, 4.1)), ((5.65, 4.1), (6.45, 4.1))):
        _arrow(ax, start, stop)
    _arrow(ax, (7.55, 4.1), (8.35, 4.1))
    _arrow(ax, (9.0, 3.7), (9.0, 3.35))
    _arrow(ax, (1.95, 2.9), (3.5, 3.8))
    texts = (
        r"$I, F, O = \sigma(x_t w_x + h_{t-1} w_h + b)$ (Eq. 4)",
        r"$g = \tanh(x_t w_{xc} + h_{t-1} w_{hc} + b_c)$ (Eq. 5)",
        r"$c_t = F\,(c_{t-1} + c_0) + I\,g,\quad h_t = O \tanh c_t$ (Eq. 6)",
    )
    for y, text in zip((1.6, 0.9, 0.2), texts, strict=True):
        ax.text(0.4, y, text, fontsize=NOTES + 0.5, color=LINE)


def _short(part: str) -> str:
    """A part's name on two lines."""
    words = part.split(", ") if ", " in part else part.rsplit(" ", 3 if part.endswith("x 3") else 2)
    return f"{words[0]}\n{' '.join(words[1:])}"


def _kind(name: str) -> str:
    return next(kind for start, kind in KINDS.items() if name.startswith(start))


def _box(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    note: str,
    kind: str,
    width: float = 1.2,
    height: float = 1.22,
    *,
    inside: bool = False,
) -> None:
    """A box with its name, and small print inside its lower half or under it."""
    from matplotlib.patches import FancyBboxPatch

    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0.0,rounding_size=0.08",
            facecolor=FILLS[kind],
            edgecolor="#666666",
            linewidth=0.7,
        )
    )
    up = y + 0.24 * height if inside else y
    ax.text(x, up, text, ha="center", va="center", fontsize=SMALL, color=LINE, linespacing=1.1)
    if note:
        below = y - 0.02 * height if inside else y - height / 2 - 0.07
        ax.text(x, below, note, ha="center", va="top", fontsize=NOTES, color="#333333", linespacing=1.2)


def _arrow(ax: Axes, start: tuple[float, float], stop: tuple[float, float], text: str = "") -> None:
    look = {"arrowstyle": "-|>", "color": "#555555", "lw": 0.8, "mutation_scale": 8, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", stop, start, arrowprops=look)
    if not text:
        return
    x, y = (start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2
    if start[0] == stop[0]:
        ax.text(x + 0.08, y, text, fontsize=NOTES, ha="left", va="center")
    else:
        ax.text(x, y + 0.1, text, fontsize=NOTES, ha="center", va="bottom")


def _blank(ax: Axes, across: tuple[float, float], up: tuple[float, float], title: str) -> None:
    ax.set(xlim=across, ylim=up)
    ax.axis("off")
    ax.set_title(title, fontsize=TEXT, loc="left", fontweight="bold")


# Layers of the network by the parts of Figure 1, in the order of the data; children of these are not told apart.
PARTS = {
    "encoder.stem": "convolution 3 x 3",
    "encoder.units.0": "ResAtt block 1",
    "encoder.units.1": "ResAtt block 2",
    "encoder.units.2": "ResAtt block 3",
    "encoder.units.3": "ResAtt block 4",
    "encoder.project": "mean of cells, linear",
    "recurrence.initial.0": "c₀ of layer 1",
    "recurrence.initial.1": "c₀ of layer 2",
    "recurrence.cells.0": "LSTM cell 1",
    "recurrence.cells.1": "LSTM cell 2",
    "head.0": "linear",
    "head.1": "linear",
}


def layers(network: nn.Module, *, n_features: int, n_causal: int, size: int, window: int) -> pd.DataFrame:
    """Parts of a network in the order in which data reach them: `input`, `output` (of one window), `parameters`.

    Shapes are those of a forward pass; a part that one window enters day by day is given for one day.
    """
    import torch

    layers: dict[str, dict[str, Any]] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, given: Any, out: Any) -> None:
            output = out[0] if isinstance(out, tuple) else out
            shapes = {"input": _text(given[0].shape[1:]), "output": _text(output.shape[1:])}
            learnt = sum(p.numel() for p in module.parameters())
            layers.setdefault(name, {"part": PARTS.get(name, name), **shapes, "parameters": learnt})

        return hook

    named = dict(network.named_modules())
    chosen = [name for name in PARTS if name in named] or _pieces(network)
    handles = [named[name].register_forward_hook(note(name)) for name in chosen]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, window, n_features, size, size), torch.zeros(1, n_causal))
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return pd.DataFrame(list(layers.values()), index=pd.Index(list(layers), name="layer"))


def _pieces(network: nn.Module) -> list[str]:
    """The children of a network, and those of its lists."""
    from torch import nn

    lists = {name: child for name, child in network.named_children() if isinstance(child, nn.ModuleList)}
    inside = [f"{name}.{k}" for name, child in lists.items() for k in range(len(child))]
    return [name for name, _ in network.named_children() if name not in lists] + inside


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
