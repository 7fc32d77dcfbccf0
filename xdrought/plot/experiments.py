"""A score against a setting that was varied, beside what needs no network."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.plot import style
from xdrought.plot.scores import COLORS, REFERENCES
from xdrought.public_functions import public
from xdrought.verification.intervals import sweep_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@public
@style.squeezed
def plot_skill_by_degree(relation: xr.Dataset, variable: str = "all drivers", *, ax: Axes | None = None) -> Axes:
    """Draw one driver's causality degree against the score over sites, as a panel of Figure 5 of Tang et al. (2025).

    Parameters
    ----------
    relation : xarray.Dataset
        From :func:`xdrought.study.skill_by_degree`.
    variable : str
        A driver, or "all drivers".
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        Scores far below all others (three quartile ranges) are triangles at its lower edge.

    Raises
    ------
    ValueError
        For anything else than the relation, or a driver that is not in it.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.plot import plot_skill_by_degree
    >>> from xdrought.study import skill_by_degree
    >>> sites = {"site": np.arange(9)}
    >>> rho = xr.DataArray([np.arange(9.0)], {"variable": ["tp"], **sites}, ("variable", "site"))
    >>> ax = plot_skill_by_degree(skill_by_degree(rho, xr.DataArray(np.arange(9.0), sites)), "tp")
    >>> ax.get_xlabel()
    'Causality degree'
    """
    if not {"spearman", "curve", "degree", "score"} <= set(relation.variables):
        raise ValueError("needs degree, score and curve; take them from xdrought.study.skill_by_degree")
    names = [str(name) for name in relation["variable"].values]
    if variable not in names:
        raise ValueError(f"no driver {variable!r}; choose one of {names}")
    of_driver = relation.isel(variable=names.index(variable))
    ax = style.new_axes(ax, (3.3, 2.7))
    draw_points(ax, of_driver.degree.values, of_driver.score.values)
    draw_curve(ax, of_driver)
    _cut_far_below(ax, of_driver.degree.values, of_driver.score.values)
    numbers = f"ρ = {float(of_driver.spearman):.2f} [{float(of_driver.lower):.2f}, {float(of_driver.upper):.2f}]"
    adjusted = "" if variable == names[-1] else f", adjusted {p_text(float(of_driver.p_value_adjusted))}"
    name_panel(ax, style.literal(variable), f"{numbers}\n{p_text(float(of_driver.p_value))}{adjusted}")
    ax.set_xlabel(style.label(of_driver.degree), fontsize=style.TEXT)
    ax.set_ylabel(score_label(relation), fontsize=style.TEXT)
    style.clean(ax)
    return ax


@public
@style.squeezed
def plot_coupling(coupling: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw importance against the coupling of degree and score, as Figure 5f of Tang et al. (2025).

    Parameters
    ----------
    coupling : xarray.Dataset
        From :func:`xdrought.study.coupling_strength`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        p-values fall to the right.

    Raises
    ------
    ValueError
        For anything else than the table of coupling.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.plot import plot_coupling
    >>> by_driver = xr.Dataset(
    ...     {"importance": ("variable", [3.0, 1.0]), "p_value": ("variable", [0.01, 0.5])}, {"variable": ["tp", "sp"]}
    ... )
    >>> table = by_driver.assign(coupling=0 * by_driver.p_value, rank_correlation=1.0, rank_p_value=0.5)
    >>> [text.get_text() for text in plot_coupling(table).texts[:2]]
    ['tp', 'sp']
    """
    if "rank_correlation" not in coupling:
        raise ValueError("needs importance and p-values; take them from xdrought.study.coupling_strength")
    ax = style.new_axes(ax, (3.3, 2.7))
    from matplotlib.ticker import NullFormatter

    p_value, importance = coupling.p_value.values, coupling.importance.values
    ax.scatter(p_value, importance, s=18, color=style.FORECAST, linewidth=0, zorder=3)
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())  # few decades would have crowded labels
    ax.set_xlim(1.8, max(float(np.nanmin(p_value)), 1e-6) / 2)  # falls to the right
    ax.set_ylim(0, 1.18 * float(np.nanmax(importance)))
    ax.axvline(0.05, color=style.REFERENCE, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
    _name_drivers(ax, coupling["variable"].values, p_value, importance)
    numbers = f"ρ = {float(coupling.rank_correlation):.2f}, {p_text(float(coupling.rank_p_value))}"
    name_panel(ax, "coupling strength", numbers)
    ax.set_xlabel("p-value of degree against score", fontsize=style.TEXT)
    ax.set_ylabel(wrapped(style.label(coupling.importance)), fontsize=style.TEXT)
    style.clean(ax)
    return ax


def _cut_far_below(ax: Axes, x: np.ndarray, score: np.ndarray) -> None:
    """End the axis above scores that would flatten all others, and say where they are."""
    known = score[np.isfinite(score)]
    if not known.size:
        return
    first, third = np.quantile(known, [0.25, 0.75])
    floor = first - 3 * (third - first)
    far = score < floor
    if far.any():
        bottom = known[known >= floor].min() - 0.12 * np.ptp(known[known >= floor])
        ax.plot(x[far], np.full(far.sum(), bottom), "v", color=style.FORECAST, markersize=4, clip_on=False, zorder=3)
        ax.set_ylim(bottom, known.max() + 0.06 * (known.max() - bottom))


def _name_drivers(ax: Axes, names: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """A name beside each point, on the side where there is more room; names that would meet move apart."""
    ends = np.log10(ax.get_xlim())
    across, up = (np.log10(x) - ends[0]) / (ends[1] - ends[0]), y / ax.get_ylim()[1]
    for k, name in enumerate(names):
        near = np.flatnonzero((np.abs(up - up[k]) < 0.055) & (np.arange(up.size) != k))
        room_right = min([1.0 - across[k], *(across[near] - across[k])[across[near] > across[k]]])
        room_left = min([across[k], *(across[k] - across[near])[across[near] < across[k]]])
        to_left = room_right < 0.25 and room_left > room_right
        beside = near[np.abs(across[near] - across[k]) < 0.08]
        shift = 5 * (np.sum(up[beside] < up[k]) - np.sum(up[beside] > up[k])) if beside.size else 0
        ax.annotate(
            style.literal(name),
            (x[k], y[k]),
            xytext=(-4 if to_left else 4, shift),
            textcoords="offset points",
            fontsize=style.SMALL,
            ha="right" if to_left else "left",
            va="center",
        )


def draw_points(ax: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Dots that stay readable when there are many."""
    many = x.size > 150
    ax.scatter(x, y, s=6 if many else 13, color=style.FORECAST, alpha=0.35 if many else 0.65, linewidth=0, zorder=2)


def draw_curve(ax: Axes, relation: xr.Dataset) -> None:
    """LOWESS and its band."""
    x, curve = relation.curve_x.values, relation.curve.values
    if np.isfinite(curve).any():
        low, high = relation.curve_lower.values, relation.curve_upper.values
        bottom, top = ax.get_ylim()  # of the points: a band may run away where there are none
        room = 0.4 * (top - bottom)
        ax.fill_between(x, low, high, color=style.LINE, alpha=0.14, linewidth=0, zorder=1)
        ax.plot(x, curve, color=style.LINE, linewidth=1.4, zorder=4)
        wide = ax.get_ylim()
        ax.set_ylim(max(wide[0], bottom - room), min(wide[1], top + room))


def score_label(relation: xr.Dataset) -> str:
    """NSE for the name nse, words otherwise."""
    name = style.literal(relation.score.attrs.get("long_name") or "score")
    return name.upper() if len(name) <= 4 else name[:1].upper() + name[1:]


def wrapped(text: str, width: int = 30) -> str:
    """A long label on lines of its own."""
    return "\n".join(textwrap.wrap(text, width)) if len(text) > width + 6 else text


def p_text(p: float) -> str:
    """p-value as one writes it."""
    if not np.isfinite(p):
        return "p unknown"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def name_panel(ax: Axes, title: str, numbers: str) -> None:
    """What is drawn in bold, and its numbers under it, above the axes."""
    ax.set_title(numbers, fontsize=style.SMALL, loc="left")
    if title:
        lines = numbers.count("\n") + 1
        ax.annotate(
            title,
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 8 + 1.32 * style.SMALL * lines),
            textcoords="offset points",
            fontsize=style.TEXT,
            fontweight="bold",
        )


NAMES = {"nse": "NSE", "kge": "KGE", "rmse": "RMSE", "f1": "F1"}


@public
def plot_sweep(
    scores: xr.Dataset,
    *,
    score: str = "nse",
    class_name: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a score against the swept setting, every model with an interval band and the references dashed.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.study.sweep`.
    score : str
        Which one. A score of each site is drawn as the median over sites of the runs' mean, its band a bootstrap over
        sites and runs; a score of classes as the mean over runs, its band from the lowest to the highest run.
    class_name : str, optional
        Which drought class, for the scores of classes.
    confidence : float
        Of the bootstrap.
    seed : int
        For the bootstrap.
    legend : bool
        Whether to name the lines.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        When the score or the class is not there, or nothing was swept.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.plot import plot_sweep
    >>> coords = {"lead": [1, 7, 14], "model": ["network", "persistence"], "run": [0, 1], "site": list("ABC")}
    >>> nse = xr.DataArray(np.random.default_rng(0).random((3, 2, 2, 3)), coords)
    >>> plot_sweep(xr.Dataset({"nse": nse, "is_reference": ("model", [False, True])})).get_ylabel()
    'NSE, median of 3 sites'
    """
    dims = scores[score].dims if score in scores else ()
    further = set(dims) - {"model", "run", "site", "class_name"}
    if len(further) > 1:  # one of them was swept, perhaps with one value
        scores = scores.squeeze([dim for dim in further if scores.sizes[dim] == 1])
    band = sweep_interval(scores, score=score, class_name=class_name, confidence=confidence, seed=seed)
    chosen = scores[score]
    (swept,) = (dim for dim in band["middle"].dims if dim != "model")
    at = scores[swept]
    numeric = at.dtype.kind in "iuf"
    x = at.values if numeric else np.arange(at.size)
    ax = style.new_axes(ax, (4.0, 2.8))
    known_reference = scores["is_reference"].values if "is_reference" in scores else [False] * scores.sizes["model"]
    handles, k = [], 0
    for model, is_reference in zip(scores["model"].values.tolist(), known_reference, strict=True):
        of_model = band.sel(model=model)
        middle, low, high = of_model["middle"].values, of_model["lower"].values, of_model["upper"].values
        if not np.isfinite(middle).any():
            continue
        marker, color = REFERENCES.get(model, ("s", style.LINE)) if is_reference else ("o", COLORS[k % len(COLORS)])
        look: dict[str, Any] = {"color": color, "marker": marker, "markersize": 3, "label": style.literal(model)}
        look |= (
            {"linewidth": 0.9, "linestyle": "--", "markerfacecolor": "white"} if is_reference else {"linewidth": 1.4}
        )
        if not is_reference:
            ax.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0)
            k += 1
        handles += ax.plot(x, middle, zorder=2 if is_reference else 3, **look)
    _axes(ax, at, x, numeric)
    name = NAMES.get(score, style.literal(score))
    sites = f", median of {chosen.sizes['site']} sites" if chosen.sizes.get("site", 1) > 1 else ""
    of_class = f" of {class_name} days" if class_name and "class_name" in chosen.dims else ""
    ax.set_ylabel(f"{name}{of_class}{sites}", fontsize=style.TEXT)
    style.clean(ax)
    if legend:
        style.legend_below(ax, handles, below=30)
    return ax


def _axes(ax: Axes, at: xr.DataArray, x: np.ndarray, numeric: bool) -> None:
    """The swept values on the x axis: a logarithm where they span more than a factor of twenty."""
    ax.set_xlabel(style.label(at), fontsize=style.TEXT)
    if not numeric:
        ax.set_xticks(x, [style.literal(value) for value in at.values])
    elif x.min() > 0 and x.max() / x.min() > 20:
        ax.set_xscale("log")
    elif x.size <= 15:
        ax.set_xticks(x)
