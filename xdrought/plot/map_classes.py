"""Colors and legend of drought classes, or of any CF flags, on a map."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from xdrought.plot.records import PHASES, SHADES
from xdrought.plot.style import missing_package

NO_DROUGHT, MISSING = "#ffffff", "#c9c9c9"
OTHERS = ["#009E73", "#56B4E9", "#E69F00", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#332288"]


class Palette(NamedTuple):
    """Classes as numbers 0, 1, 2 ... of a color map, and the legend of those that occur."""

    numbers: xr.DataArray
    colors: dict[str, Any]
    handles: list[Any]


def class_palette(data: xr.DataArray) -> Palette:
    """The palette of data with ``flag_values`` and ``flag_meanings``; days without a class are grey."""
    try:
        from matplotlib.colors import ListedColormap
        from matplotlib.patches import Patch
    except ModuleNotFoundError as error:
        raise missing_package("matplotlib") from error
    names = str(data.attrs["flag_meanings"]).split()
    values = np.atleast_1d(data.attrs.get("flag_values", np.arange(len(names))))
    of_droughts = {phase.replace(" ", "_"): SHADES[phase] for phase in PHASES.values()}
    known = {**of_droughts, "no_drought": NO_DROUGHT, "missing": MISSING}
    others = iter(OTHERS * (1 + len(names) // len(OTHERS)))
    colors = [known[name] if name in known else next(others) for name in names]
    if "missing" not in names:
        names, colors = [*names, "missing"], [*colors, MISSING]
    numbers = np.full(data.shape, float(names.index("missing")))
    for number, value in enumerate(values):
        numbers[data.values == value] = number
    handles = [
        Patch(facecolor=color, edgecolor="#777777", linewidth=0.4, label=name)
        for number, (name, color) in enumerate(zip(names, colors, strict=True))
        if (numbers == number).any()
    ]
    style = {"cmap": ListedColormap(colors), "vmin": -0.5, "vmax": len(colors) - 0.5}
    return Palette(data.copy(data=numbers), style, handles)
