"""The whole 2 x 2 x 2 ablation: residual encoder, attention and causality, each on or off, over the recurrence."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.causality.significance import false_discovery_control
from xdrought.checks import public
from xdrought.statistics import percentile_interval
from xdrought.statistics.bootstrap import bootstrap_medians
from xdrought.study.comparison import compare, two_sided, usable_table

PIECES = {"residual": "Res", "attention": "Att", "causality": "Cau"}
# All eight networks, from the plain recurrence to the whole one; the paper's ladder has four of them.
FACTORIAL: dict[str, dict[str, Any]] = {
    f"{residual}{attention}{causality}Rec": {"variant": f"{residual}{attention}{causality}Rec"}
    for residual, attention, causality in product(*(("", piece) for piece in PIECES.values()))
}


@public
def ablation(
    ds: xr.Dataset, target: Hashable, drivers: Sequence[Hashable] | None = None, **settings: Any
) -> xr.Dataset:
    """Train the eight networks that are the recurrence with or without residual encoder, attention and causality.

    Parameters
    ----------
    ds, target, drivers, **settings
        As in :func:`xdrought.study.compare`.

    Returns
    -------
    xarray.Dataset
        As from :func:`xdrought.study.compare`, for :func:`factorial_effects` and
        :func:`xdrought.study.paired_differences`.

    Raises
    ------
    ValueError
        As :func:`xdrought.study.compare`.

    Notes
    -----
    The paper takes its three pieces away one after the other (ResAttCauRec, ResAttRec, ResRec, Rec), so what a piece
    gives is only seen beside the pieces that are still there. Two of the eight networks have no published form:
    attention without a residual encoder. There the block with which each residual unit weighs its maps (Eq. 1-3)
    weighs the drivers' maps themselves, once, before the mean of the central cells that the plain recurrence reads:
    "AttRec" and "AttCauRec", 123 parameters more than "Rec" and "CauRec" with twelve drivers. On 1 x 1 patches
    (towers without maps) attention can only weigh drivers, and the residual encoder has no neighbours to look at.

    Examples
    --------
    >>> from xdrought.study import FACTORIAL
    >>> list(FACTORIAL)
    ['Rec', 'CauRec', 'AttRec', 'AttCauRec', 'ResRec', 'ResCauRec', 'ResAttRec', 'ResAttCauRec']
    """
    return compare(ds, target, drivers, configurations=FACTORIAL, **settings)


@public
def factorial_effects(
    scores: xr.Dataset, *, score: str = "nse", n_boot: int = 2000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """What each piece and each pair of them does to a score, over all networks of the 2 x 2 x 2 ablation.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`ablation`.
    score : str
        Which score.
    n_boot, confidence, seed
        As in :func:`xdrought.study.paired_differences`.

    Returns
    -------
    pandas.DataFrame
        A row for each of the three main effects, three interactions of two and that of all three: ``effect`` (median
        over sites of the runs' mean), ``lower upper``, ``better_sites`` and ``sites``, ``p_value`` and
        ``p_value_adjusted`` (false-discovery rate over the seven rows).

    Raises
    ------
    ValueError
        For an unknown score, or scores that lack one of the eight networks.

    Notes
    -----
    A main effect is, at each site and seed, the mean of the four networks with the piece less the mean of the four
    without. An interaction is half the difference between the effect of one piece with and without the other: above 0
    they help each other. These are the contrasts of a two-level factorial design (Yates 1937).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.study import FACTORIAL, factorial_effects
    >>> nse = np.array([0.1 * ("Res" in name) + 0.2 * ("Cau" in name) for name in FACTORIAL])
    >>> nse = np.broadcast_to(nse[:, None, None], (8, 2, 5))
    >>> scores = xr.Dataset({"nse": (("model", "run", "site"), nse)}, {"model": list(FACTORIAL), "site": range(5)})
    >>> factorial_effects(scores, n_boot=10).effect.round(3).tolist()
    [0.1, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0]
    """
    missing = [name for name in FACTORIAL if name not in scores["model"].values]
    if missing:
        raise ValueError(f"the scores lack {missing}; they come from xdrought.study.ablation")
    table = xr.DataArray(usable_table(scores.sel(model=list(FACTORIAL)), score)[0], dims=("model", "run", "site"))
    contrasts = _contrasts()
    names = contrasts["effect"].values.tolist()
    labelled = xr.dot(contrasts / (len(FACTORIAL) / 2), table, dim="model")
    effects = labelled.where(abs(labelled) >= 1e-12, 0.0).transpose("effect", "run", "site").values  # no rounding
    samples = bootstrap_medians(effects, n_boot, seed)
    by_site = effects.mean(axis=1)
    bounds = percentile_interval(samples, confidence)
    p_values = [two_sided(row) for row in samples]
    adjusted = false_discovery_control(xr.DataArray(p_values, dims="effect"))
    columns = {
        "effect": np.median(by_site, axis=1),
        "lower": bounds[0],
        "upper": bounds[1],
        "better_sites": (by_site > 0).sum(axis=1),
        "sites": np.full(len(names), by_site.shape[1]),
        "p_value": p_values,
        "p_value_adjusted": adjusted.values,
    }
    return pd.DataFrame(columns, index=pd.Index(names, name="piece"))


def _contrasts() -> xr.DataArray:
    """+1 or -1 for each network (effect, model), with the names of the seven effects."""
    main = np.array([[1 if piece in name else -1 for name in FACTORIAL] for piece in PIECES.values()])
    rows: dict[str, np.ndarray] = {}
    for chosen in [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]:
        rows[" x ".join(list(PIECES)[k] for k in chosen)] = main[list(chosen)].prod(axis=0)
    return xr.DataArray(np.stack(list(rows.values())), {"effect": list(rows)}, ("effect", "model"))
