"""The middle of a score with its interval, for every value of a setting that was swept."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

from xdrought.checks import public
from xdrought.statistics import percentile_interval
from xdrought.statistics.bootstrap import bootstrap_medians


@public
def sweep_interval(
    scores: xr.Dataset,
    *,
    score: str = "nse",
    class_name: str | None = None,
    confidence: float = 0.95,
    n_boot: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """The middle of a swept score with an interval, for every model and value of the setting.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.study.sweep`.
    score : str
        Which one. Of a score of each site the middle is the median over sites of the runs' mean, its interval a
        bootstrap over sites and runs; of a score of classes it is the mean over runs, from the lowest to the highest.
    class_name : str, optional
        Which drought class, for the scores of classes.
    confidence : float
        Of the bootstrap.
    n_boot, seed : int
        Samples of the bootstrap, and its seed.

    Returns
    -------
    xarray.Dataset
        `middle`, `lower` and `upper` on the swept dimension and model; NaN where no site has all runs.

    Raises
    ------
    ValueError
        When the score or the class is not there, or nothing was swept.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.study import sweep_interval
    >>> coords = {"lead": [1, 7], "model": ["network"], "run": [0, 1], "site": list("ABC")}
    >>> nse = xr.DataArray(np.random.default_rng(0).random((2, 1, 2, 3)), coords)
    >>> found = sweep_interval(xr.Dataset({"nse": nse}))
    >>> bool((found.lower <= found.middle).all())
    True
    """
    if score not in scores:
        raise ValueError(f"no score {score!r}; choose one of {sorted(map(str, scores.data_vars))}")
    chosen = scores[score]
    if "class_name" in chosen.dims:
        known = chosen["class_name"].values.tolist()
        if class_name not in known:
            raise ValueError(f"{score!r} is of drought classes; give class_name, one of {known}")
        chosen = chosen.sel(class_name=class_name)
    swept = [dim for dim in chosen.dims if dim not in ("model", "run", "site")]
    if len(swept) != 1:
        raise ValueError(f"{score!r} is on {chosen.dims}; scores come from xdrought.study.sweep")
    bands = [_band(chosen.isel(model=k), swept[0], confidence, n_boot, seed) for k in range(chosen.sizes["model"])]
    names = ("middle", "lower", "upper")
    found = {
        name: (("model", swept[0]), np.array(lines))
        for name, lines in zip(names, zip(*bands, strict=True), strict=True)
    }
    return xr.Dataset(found, {"model": chosen["model"].values, swept[0]: scores[swept[0]]})


def _band(
    values: xr.DataArray, swept: Hashable, confidence: float, n_boot: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle, lower and upper line of one model."""
    if "site" not in values.dims:
        by_run = values.transpose(swept, "run").values
        return by_run.mean(axis=1), by_run.min(axis=1), by_run.max(axis=1)
    table = values.transpose(swept, "run", "site").values
    table = table[..., np.isfinite(table).all(axis=(0, 1))]
    if not table.size:
        return (np.full(len(table), np.nan),) * 3
    low, high = percentile_interval(bootstrap_medians(table, n_boot, seed), confidence)
    return np.median(table.mean(axis=1), axis=-1), low, high
