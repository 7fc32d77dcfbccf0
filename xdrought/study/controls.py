"""What share of the gain that the causality input brings is had without any causality."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.calendars import check_mask
from xdrought.causality import causality_degree
from xdrought.choices import Control, VariantName
from xdrought.limits import set_options
from xdrought.public_functions import public
from xdrought.splits import chronological
from xdrought.statistics import percentile_interval
from xdrought.statistics.bootstrap import bootstrap_medians
from xdrought.study.comparison import compare, usable_table
from xdrought.windows.labelled import patches

CONTROLS = get_args(Control)


@public
def causality_controls(
    degree: xr.Dataset,
    drivers: xr.Dataset,
    target: xr.DataArray,
    *,
    train: xr.DataArray,
    controls: Sequence[Control] = CONTROLS,
    seed: int = 0,
    time: Hashable = "time",
) -> dict[str, xr.Dataset]:
    """Datasets shaped like a causality degree, none of which holds this site's causality.

    Parameters
    ----------
    degree : xarray.Dataset
        From :func:`xdrought.causality_degree`: `rho` and `p_value` on (site, variable, cell).
    drivers, target
        What it was computed from.
    train : boolean xarray.DataArray
        (site, time), True on training days: nothing else is used.
    controls : sequence of str
        - "zeros": nothing at all;
        - "shuffled": the matrix of another site (no site keeps its own);
        - "random": normal numbers with the mean and spread of each column;
        - "surrogate": cross mapping of phase-randomised drivers, which cause nothing;
        - "identity": a name tag in the matrix's own columns: one-hot where there are no more sites than columns, else
          random signs;
        - "embedding": a learned vector for each site (see Notes), for any number of sites;
        - "statics": mean and standard deviation of the target in the training part, latitude and longitude,
          standardised over sites and repeated over the columns.
    seed : int
        For shuffling, random numbers and surrogates.
    time : hashable
        The time dimension.

    Returns
    -------
    dict of str to xarray.Dataset
        Those of "embedding" have as many cells as it takes for a column of each site; all others those of `degree`.

    Raises
    ------
    ValueError
        For an unknown control, fewer than two sites for "shuffled", or sites without lat and lon for "statics".

    Notes
    -----
    The network's first state is an affine map of the matrix, c_0 = W v + b, one for each layer. Where v is one-hot,
    column k of W is the free vector that training gives to site k: a learned site embedding. "identity" is one already
    where there are no more sites than columns; with more sites its random signs only span as many directions as there
    are columns. "embedding" widens the matrix until each site has its own column, and holds there not 1 but the mean
    length of the causality vectors, so that steps of equal size in W move c_0 as far as with the matrix.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import causality_degree
    >>> from xdrought.study import causality_controls
    >>> rng, time = np.random.default_rng(0), pd.date_range("2001-01-01", periods=300)
    >>> coords = {"site": ["A", "B"], "time": time}
    >>> rain = xr.DataArray(rng.random((2, 300)), coords, ("site", "time"), name="tp")
    >>> soil = rain.rolling(time=9, min_periods=1).mean().rename("soil_moisture")
    >>> train = xr.ones_like(soil, dtype=bool)
    >>> degree = causality_degree(rain.to_dataset(), soil, train=train)
    >>> result = causality_controls(degree, rain.to_dataset(), soil, train=train, controls=["shuffled"])
    >>> bool((result["shuffled"].rho.values == degree.rho.values[::-1]).all())
    True
    """
    unknown = [name for name in controls if name not in CONTROLS]
    if unknown:
        raise ValueError(f"controls {unknown} are unknown; choose from {list(CONTROLS)}")
    drivers, target = drivers.map(limits.check, keep_attrs=True), limits.check(target)
    checks.require_variables(degree, ("rho", "p_value"), "the causality degree lacks", "xdrought.causality_degree")
    true = alignment.in_label_order(degree[["rho", "p_value"]].transpose("site", "variable", "cell"), ["site"])

    def soil() -> xr.DataArray:
        return _on_sites_of(target, true)

    make = {
        "zeros": lambda: xr.zeros_like(true),
        "shuffled": lambda: _shuffled(true, seed),
        "random": lambda: _random(true, seed),
        "surrogate": lambda: _surrogate(drivers.map(_on_sites_of, like=true), soil(), train, seed, time, true),
        "identity": lambda: _identity(true, seed),
        "embedding": lambda: _embedding(true),
        "statics": lambda: _statics(true, soil().where(check_mask(train, soil())), time),
    }
    return {name: alignment.in_order_of(make[name](), degree, ["site"]) for name in controls}


@public
def placebo(
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable] | None = None,
    *,
    controls: Sequence[Control] = CONTROLS,
    variant: VariantName = "CauRec",
    size: int | None = None,
    window: int = 15,
    lead: int = 7,
    runs: int = 5,
    seed: int = 0,
    cache_dir: str | Path | None = None,
    time: Hashable = "time",
    **settings: Any,
) -> xr.Dataset:
    """Train the same network with its causality matrix and with placebos of it, and without.

    Parameters
    ----------
    ds, target, drivers
        Daily data of sites with `lat` and `lon`; see :func:`xdrought.fit_resattcaurec`.
    controls : sequence of str
        See :func:`causality_controls`.
    variant : str
        A network that takes the causality degree.
    size, window, lead, runs, seed, cache_dir, time, **settings
        As in :func:`compare`.

    Returns
    -------
    xarray.Dataset
        As from :func:`compare`, with the models "causality" and the controls; give it to :func:`paired_differences`.
        If "identity" or "shuffled" gains as much over "zeros" as "causality" does, the gain is not causality.

    Raises
    ------
    ValueError
        As :func:`compare` and :func:`causality_controls`.

    Examples
    --------
    The command behind the documentation's table is ``python docs/studies/placebo_real.py``.
    """
    windows = patches(ds, target, drivers=drivers, size=size, window=window, lead=lead, time=time)
    windows.require_windows()
    splits = chronological(windows)
    train = splits.training_days(windows.data[time])
    weather, moisture = windows.data[list(windows.drivers)], windows.data[target]
    degree = causality_degree(weather, moisture, train=train, time=time)[["rho", "p_value"]].compute()
    found = {"causality": degree}
    found |= causality_controls(degree, weather, moisture, train=train, controls=controls, seed=seed, time=time)
    configurations = {name: {"causality": matrix.fillna(0.0)} for name, matrix in found.items()}
    return compare(
        ds,
        target,
        windows.drivers,
        configurations=configurations,
        variant=variant,
        size=size,
        window=window,
        lead=lead,
        runs=runs,
        seed=seed,
        cache_dir=cache_dir,
        time=time,
        **settings,
    )


def _on_sites_of(da: xr.DataArray, like: xr.Dataset) -> xr.DataArray:
    """A series on the sites of the degree."""
    sites = like["rho"].isel(variable=0, cell=0, drop=True).reset_coords(drop=True)
    return alignment.align_to(sites, da, what=repr(da.name), extra_dims=True)


def _filled(true: xr.Dataset, matrix: np.ndarray) -> xr.Dataset:
    """A matrix (site, column) in the place of correlations, then p-values."""
    first, second = np.split(matrix, 2, axis=1)
    shape = true["rho"].shape
    return true.assign(
        rho=true["rho"].copy(data=first.reshape(shape)), p_value=true["p_value"].copy(data=second.reshape(shape))
    )


def _matrix(true: xr.Dataset) -> np.ndarray:
    n_site = true.sizes["site"]
    return np.concatenate([true[name].values.reshape(n_site, -1) for name in ("rho", "p_value")], axis=1)


def _shuffled(true: xr.Dataset, seed: int) -> xr.Dataset:
    n = true.sizes["site"]
    if n < 2:
        raise ValueError(f'"shuffled" needs at least two sites, found {n}')
    order = np.random.default_rng(seed).permutation(n)
    giver = np.empty(n, dtype=int)
    giver[order] = np.roll(order, 1)  # one cycle through all sites, so none keeps its own
    return _filled(true, _matrix(true)[giver])


def _random(true: xr.Dataset, seed: int) -> xr.Dataset:
    """Normal numbers with the mean and the spread over sites of each number of the degree."""
    from scipy.stats import norm
    from xarray_einstats.stats import XrContinuousRV

    both = true.to_array("statistic")
    mean, spread = both.mean("site"), both.std("site")
    standard = XrContinuousRV(norm, xr.zeros_like(mean))
    draws: Any = standard.rvs(  # type: ignore[func-returns-value]
        size=true.sizes["site"], dims=["site"], random_state=np.random.default_rng(seed)
    )
    drawn = (mean + spread * draws).to_dataset("statistic")
    return true.assign({name: true[name].copy(data=drawn[name].transpose(*true[name].dims)) for name in true})


def _identity(true: xr.Dataset, seed: int) -> xr.Dataset:
    n_site, n_column = _matrix(true).shape
    if n_site <= n_column:
        return _filled(true, np.eye(n_site, n_column))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_site, n_column))
    return _filled(true, signs)


def _embedding(true: xr.Dataset) -> xr.Dataset:
    """A column of its own for each site, as long as the causality vectors are on average."""
    n_site, n_variable = true.sizes["site"], true.sizes["variable"]
    n_cell = -(-n_site // (2 * n_variable))  # correlations and p-values of each driver and cell are columns
    length = float(np.nanmean(np.sqrt(np.nansum(_matrix(true) ** 2, axis=1))))
    rho = true["rho"].isel(cell=np.zeros(n_cell, dtype=int)).assign_coords(cell=np.arange(n_cell))
    wide = xr.Dataset({"rho": rho, "p_value": rho})
    return _filled(wide, length * np.eye(n_site, 2 * n_variable * n_cell))


def _statics(true: xr.Dataset, target: xr.DataArray, time: Hashable) -> xr.Dataset:
    if "lat" not in true.coords or "lon" not in true.coords:
        raise ValueError('"statics" needs the coordinates lat and lon on site; assign them, or leave it out')
    target = target.sel(site=true["site"])
    columns = [target.mean([time]), target.std([time]), true["lat"], true["lon"]]
    facts = np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)
    spread = facts.std(axis=0)
    facts = (facts - facts.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return _filled(true, np.resize(facts.T, (_matrix(true).shape[1], len(facts))).T)


def _surrogate(
    drivers: xr.Dataset, target: xr.DataArray, train: xr.DataArray, seed: int, time: Hashable, true: xr.Dataset
) -> xr.Dataset:
    """The degree of drivers whose phases were drawn anew: same spectrum, no relation."""
    randomised = drivers.map(_phase_randomised, seed=seed, time=time)
    with set_options(check_limits=False):  # negative rain is no error here
        result = causality_degree(randomised, target, train=train, time=time)[["rho", "p_value"]].compute()
    return result.transpose("site", "variable", "cell").sel(variable=true["variable"])


def _phase_randomised(da: xr.DataArray, *, seed: int, time: Hashable) -> xr.DataArray:
    from xdrought.kernels.surrogates import phase_surrogates

    def one(series: np.ndarray) -> np.ndarray:
        if not np.isfinite(series).any():
            return series
        return next(iter(phase_surrogates(series, 1, seed, 1)))[0]

    return xr.apply_ufunc(
        one, da.compute(), input_core_dims=[[time]], output_core_dims=[[time]], vectorize=True, keep_attrs=True
    ).transpose(*da.dims)


CAUSALITY = "causality"


@public
def gain_shares(
    scores: xr.Dataset,
    *,
    controls: Sequence[str] | None = None,
    over: Control = "zeros",
    score: str = "nse",
    n_boot: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """The gain of causality over nothing, and the share of it that each control reaches without causality.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.study.placebo`, with the models "causality" and `over`.
    controls : sequence of str, optional
        Models whose share is asked; by default all that are neither causality, `over` nor a reference.
    over : str
        The model without any site input.
    score : str
        Which score.
    n_boot, confidence, seed
        As in :func:`xdrought.study.paired_differences`: sites are drawn and runs within them, the same for all.

    Returns
    -------
    pandas.DataFrame
        A row for causality, then one for each control: ``gain lower upper`` (median over sites of the difference to
        `over`), ``share share_lower share_upper`` (the control's gain over that of causality) and ``verdict``. One
        less the share is what causality adds to the control. Shares are NaN, and the verdict says so, unless the whole
        interval of causality's own gain is above 0: there is then nothing to share.

    Raises
    ------
    ValueError
        For an unknown score or models.

    Notes
    -----
    A share is a ratio of two medians, its interval the percentiles of that ratio over the bootstrap samples.
    "identity", "embedding", "random" and "shuffled" tell sites apart and hold nothing else; what they reach is site
    identity.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.study import gain_shares
    >>> rng = np.random.default_rng(0)
    >>> zeros = rng.random((3, 20))
    >>> nse = np.stack([zeros + 0.4, zeros, zeros + 0.3])
    >>> coords = {"model": ["causality", "zeros", "identity"], "site": range(20)}
    >>> result = gain_shares(xr.Dataset({"nse": (("model", "run", "site"), nse)}, coords))
    >>> result.share.round(2).tolist()
    [1.0, 0.75]
    """
    table, models = usable_table(scores, score)
    references = scores["is_reference"].values if "is_reference" in scores else np.zeros(len(models), dtype=bool)
    if controls is None:
        controls = [m for m, known in zip(models, references, strict=True) if not known and m not in (CAUSALITY, over)]
    wanted = [CAUSALITY, *controls]
    missing = [name for name in (*wanted, over) if name not in models]
    if missing:
        raise ValueError(f"no model {missing}; the scores have {models}")
    gains = table[[models.index(name) for name in wanted]] - table[models.index(over)]
    samples = bootstrap_medians(gains, n_boot, seed)
    medians = np.median(gains.mean(axis=1), axis=-1)
    bounds = np.stack(percentile_interval(samples, confidence), axis=-1)  # (model, 2)
    is_gain = bool(bounds[0, 0] > 0)
    ratio = samples / samples[0]
    rows = []
    for k, name in enumerate(wanted):
        share, low, high = (
            (medians[k] / medians[0], *percentile_interval(ratio[k], confidence)) if is_gain else (np.nan,) * 3
        )
        words = _verdict(float(low), float(high)) if is_gain else _refusal(medians[0], *bounds[0])
        rows.append(
            {
                "model": name,
                "gain": medians[k],
                "lower": bounds[k, 0],
                "upper": bounds[k, 1],
                "share": share,
                "share_lower": low,
                "share_upper": high,
                "verdict": "" if k == 0 and is_gain else words,
            }
        )
    return pd.DataFrame(rows).set_index("model")


def _verdict(low: float, high: float) -> str:
    if high < 1:
        return "causality adds to it"
    if low > 1:
        return "it gives more than causality"
    return "no evidence that causality adds to it" if low > 0 else "the share is not determined"


def _refusal(gain: float, low: float, high: float) -> str:
    return f"no share: the gain of causality, {gain:+.3f} ({low:+.3f} to {high:+.3f}), is not above 0"
