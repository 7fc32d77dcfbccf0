"""The style of all pictures: colors of drought classes and others, sizes, labels, dates, legends, and shared checks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.flags import flags_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_P = ParamSpec("_P")
_T = TypeVar("_T")
# hues after Okabe and Ito
LINE, UPPER, LOWER, FORECAST, REFERENCE = "#1a1a1a", "#D55E00", "#007a5a", "#0072B2", "#777777"
# Told apart from each other and from white with full vision and with each of the three kinds of colour blindness; the
# onsets stand out from white by 3 to 1. Purple for a flash onset and pink for its condition as in the paper's Figure 2.
SHADES = {
    "normal onset": "#b98324",
    "normal condition": "#f4e3a9",
    "flash onset": "#8f5fbd",
    "flash condition": "#f0b0d0",
}
PHASES = {1: "normal onset", 2: "normal condition", 3: "flash onset", 4: "flash condition"}  # drought_classes
NO_DROUGHT, MISSING = "#ffffff", "#c9c9c9"
OTHERS = ["#009E73", "#56B4E9", "#E69F00", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#332288"]
TEXT, SMALL = 8, 7  # points
WIDE = 4.5  # inches, more than one column
UNITS = {
    "percent": "%",
    "percent d-1": "percentiles per day",
    "year-1": "per year",
    "1": "",
    "dimensionless": "",
    "degC": "°C",
    "m3 m-3": "m³ m⁻³",
    "m3/m3": "m³ m⁻³",
}


def missing_package(name: str) -> ModuleNotFoundError:
    """What to tell a user who has not installed the optional packages."""
    return ModuleNotFoundError(f'needs {name}; install it with pip install "xdrought[plot]"')


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The caller's axes, or those of a new figure of `size` inches, with small print."""
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ModuleNotFoundError as error:
            raise missing_package("matplotlib") from error
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    ax.tick_params(labelsize=TEXT)
    return ax


def literal(name: object) -> str:
    """A name as text that matplotlib draws as it is: a dollar sign starts no mathtext."""
    return str(name).replace("$", r"\$")


def label(da: xr.DataArray, fallback: str = "value") -> str:
    """Axis text "long name (units)", without brackets when there are no units."""
    name = literal(da.attrs.get("long_name") or da.name or fallback)
    unit = str(da.attrs.get("units", ""))
    unit = UNITS.get(unit, literal(unit))
    name = name[:1].upper() + name[1:] if "long_name" in da.attrs or da.name is None else name  # a name stays
    return f"{name} ({unit})" if unit else name


def to_datetime64(times: Any) -> np.ndarray:
    """Dates as datetime64, also those of cftime calendars as long as the days exist."""
    values = np.atleast_1d(np.asarray(times))
    if values.dtype.kind == "M":
        return values
    try:
        return np.array([np.datetime64(t.isoformat()) for t in values], dtype="datetime64[s]")
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"cannot put the dates on a time axis ({error}); bring them to the standard calendar, "
            f'e.g. .convert_calendar("standard", align_on="year"), before the events are found'
        ) from error


def one_series(da: xr.DataArray, time: Hashable) -> tuple[np.ndarray, np.ndarray]:
    """Dates and values of a record that has only the time dimension."""
    checks.require_dim(da, time)
    others = [dim for dim in da.dims if dim != time and da.sizes[dim] > 1]
    if others:
        raise ValueError(
            f"{da.name!r} has the dimensions {tuple(da.dims)}; one series is drawn at a time: "
            f"choose along {others}, e.g. .isel({others[0]}=0)"
        )
    values = np.asarray(da.squeeze([dim for dim in da.dims if dim != time]).values, dtype="float64")
    if not np.isfinite(values).any():
        raise ValueError(f"{da.name!r} holds no valid value; there is nothing to draw")
    return to_datetime64(da[time].values), values


# Dimensions that a picture draws, whatever their length.
_DRAWN = frozenset(
    {"time", "site", "lat", "lon", "cell", "event", "object", "variable", "direction", "lag", "library_size", "lead"}
    | {"model", "reference", "start", "alarm", "year", "month", "bin", "type", "class", "threshold", "cost_ratio"}
    | {"other", "order", "deleted", "layer", "randomisation", "days_ahead", "feature", "summary"}
)


def squeezed(draw: Callable[_P, _T]) -> Callable[_P, _T]:
    """A picture of data without their dimensions of length one, but for those that are drawn as such."""

    @wraps(draw)
    def called(*args: _P.args, **options: _P.kwargs) -> _T:
        kept = _DRAWN.union(value for value in options.values() if isinstance(value, str))
        plain: Any = draw
        return plain(
            *(_without_single(value, kept) for value in args),
            **{name: _without_single(value, kept) for name, value in options.items()},
        )

    return called


def _without_single(value: Any, kept: frozenset[Hashable]) -> Any:
    if isinstance(value, Mapping) and not isinstance(value, xr.Dataset):
        return {name: _without_single(one, kept) for name, one in value.items()}
    if isinstance(value, xr.DataArray | xr.Dataset):
        return value.squeeze([dim for dim, size in value.sizes.items() if size == 1 and dim not in kept])
    return value


def date_axis(ax: Axes) -> None:
    """Short dates on the x axis."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.xaxis.get_offset_text().set_fontsize(TEXT)


def clean(ax: Axes) -> None:
    """Keep only the two axis lines that carry numbers."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def legend_below(ax: Axes, handles: Sequence[Any], *, under: Axes | None = None, below: float = 26) -> None:
    """A legend outside the data, `below` points under the axes or those named by `under`."""
    from matplotlib.transforms import ScaledTranslation

    figure: Any = ax.figure
    room = 1.1 * figure.get_figwidth() * ax.get_position().width
    entry = 0.45 + 0.05 * max(len(str(handle.get_label())) for handle in handles)
    anchor = (under or ax).transAxes + ScaledTranslation(0, -below / 72, figure.dpi_scale_trans)
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=anchor,
        frameon=False,
        ncols=int(np.clip(room / entry, 1, len(handles))),
        fontsize=SMALL,
        borderaxespad=0,
        handlelength=1.8,
        columnspacing=1.2,
    )


def inches_below(ax: Axes) -> Any:
    """Transform: x as a part of the axes' width, y in inches from their lower edge.

    What hangs below by inches, not by a part of the axes' height, lets the layout settle in one pass.
    """
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    figure: Any = ax.figure
    lower_edge = ScaledTranslation(0, 0, ax.transAxes)  # type: ignore[arg-type]
    return blended_transform_factory(ax.transAxes, figure.dpi_scale_trans + lower_edge)


def message(ax: Axes, text: str) -> None:
    """Say on the axes why something is missing."""
    ax.text(
        0.5,
        0.97,
        text,
        transform=ax.transAxes,
        ha="center",
        va="top",
        fontsize=TEXT,
        bbox={"facecolor": "white", "edgecolor": "#bbbbbb", "linewidth": 0.6},
    )


def by_model(scores: xr.Dataset | Mapping[str, xr.Dataset], needed: str, made_by: str) -> dict[str, xr.Dataset]:
    """Scores by name of the model; a single Dataset is called "forecast"."""
    found = {"forecast": scores} if isinstance(scores, xr.Dataset) else dict(scores)
    lacking = [name for name, one in found.items() if not isinstance(one, xr.Dataset) or needed not in one]
    if lacking or not found:
        raise ValueError(
            f"no {needed!r} in the scores of {lacking}; give the result of {made_by}, or several by name, "
            f"e.g. {{'net': ..., 'persistence': ...}}"
        )
    return found


class Palette(NamedTuple):
    """Classes as numbers 0, 1, 2 ... of a color map, and the legend of those that occur."""

    numbers: xr.DataArray
    colors: dict[str, Any]
    handles: list[Any]


def class_palette(data: xr.DataArray) -> Palette:
    """The palette of data with ``flag_values`` and ``flag_meanings``; days without a class are grey."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    flags = flags_of(data)
    names = list(flags)
    of_droughts = {phase.replace(" ", "_"): SHADES[phase] for phase in PHASES.values()}
    known = {**of_droughts, "no_drought": NO_DROUGHT, "missing": MISSING}
    others = iter(OTHERS * (1 + len(names) // len(OTHERS)))
    colors = [known[name] if name in known else next(others) for name in names]
    if "missing" not in names:
        names, colors = [*names, "missing"], [*colors, MISSING]
    numbers = np.full(data.shape, float(names.index("missing")))
    for number, value in enumerate(flags.values()):
        numbers[data.values == value] = number
    handles = [
        Patch(facecolor=color, edgecolor="#777777", linewidth=0.4, label=name)
        for number, (name, color) in enumerate(zip(names, colors, strict=True))
        if (numbers == number).any()
    ]
    style = {"cmap": ListedColormap(colors), "vmin": -0.5, "vmax": len(colors) - 0.5}
    return Palette(data.copy(data=numbers), style, handles)
