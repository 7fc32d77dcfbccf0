"""Why a forecast says what it says: expected gradients on labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, get_args

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.attribution import explained_windows
from xdrought.attribution.attribution_blocks import (
    REDUCIBLE,
    Job,
    Labels,
    base_value,
    check_reduce,
    explain,
    explained_template,
    lazy_explanations,
)
from xdrought.choices import AttributionMethod
from xdrought.devices import resolve_device, with_gradients
from xdrought.forecast.blocks import delayed_constant
from xdrought.forecast.forecaster import Forecaster
from xdrought.provenance import recorded
from xdrought.public_functions import public

__all__ = ["attributions"]

METHODS = get_args(AttributionMethod)


@public
@with_gradients
@recorded
def attributions(
    ds: xr.Dataset,
    forecaster: Forecaster,
    *,
    where: xr.DataArray | None = None,
    reduce: Sequence[str] = REDUCIBLE,
    background: xr.Dataset | None = None,
    n_background: int = 50,
    n_draws: int = 200,
    method: AttributionMethod = "balanced",
    causality: xr.Dataset | None = None,
    seed: int = 0,
    memory_limit: str | int = "256 MiB",
    progress: bool = True,
    device: Any = "auto",
    time: Hashable = "time",
) -> xr.Dataset:
    """How much each driver moved each forecast away from the mean forecast of the training part.

    Expected gradients: gradients along straight paths from windows of the training part to the window that is
    explained, times the way. The sum over all inputs is the forecast less the mean forecast of the background.

    Parameters
    ----------
    ds : xarray.Dataset
        The drivers, as for :func:`xdrought.predict`. With dask, time in one chunk, the result is lazy, chunk by
        chunk of places; only the windows tried for the background are then read at once, those of `background` or,
        without it, of `ds`.
    forecaster : Forecaster
        From :func:`xdrought.fit_resattcaurec` or :func:`xdrought.load_forecaster`.
    where : boolean xarray.DataArray, optional
        True on the valid times to explain, e.g. ``classes.isin([1, 3])`` for onsets; on any of the places and
        `time`. By default every complete window. Of a large grid let it be lazy too: in memory it travels with the
        graph.
    reduce : sequence of str
        What to sum over: any of "window" (input days), "patch_lat", "patch_lon", and "cell" (of the causality
        degree). All by default; ``()`` keeps everything.
    background : xarray.Dataset, optional
        Drivers of the training part, when `ds` does not hold it.
    n_background : int
        Windows of the training part, drawn once, that stand for what is usual: the first complete ones among
        twenty times as many tries, fewer where there are fewer.
    n_draws : int
        Points on paths for each window; best a multiple of `n_background`.
    method : {"balanced", "shap"}
        "balanced" uses every background once before any twice, spreads the points evenly over each path, and knows
        where paths end. "shap" is ``shap.GradientExplainer``, which needs some ten times the draws.
    causality : xarray.Dataset, optional
        Causality degrees of places that the forecaster does not know.
    seed : int
        Of background and draws. A window's draws do not depend on which others are explained.
    memory_limit : str or int
        Of the gradients at work, "256 MiB" or bytes; a larger one pays on a GPU, but not on a CPU, whose cache it
        leaves. The result, with dask that of one chunk, must be smaller than four times this, or the call is refused.
    progress : bool
        Show a bar; not of lazy results.
    device : str or torch.device
        "auto", "cpu", "cuda", ...; under dask, of the workers.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        On the places and times with an explained window (`time` is the valid time), in the target's units, NaN
        elsewhere; with `run` in front when there are several. Lazy results are on all places and on all days but
        those on which a `where` in memory is nowhere True, and equal to the others but for rounding:

        - ``attribution`` (..., variable[, window, patch_lat, patch_lon]); `window` counts days from the day of
          issue, 0 the last input day; with both patch dimensions the coordinates ``cell_lat`` and ``cell_lon`` of
          the cells stay, so that :func:`xdrought.plot.plot_map` draws a map of them;
        - ``causality_attribution`` (..., quantity, variable[, cell]), where the network takes causality;
        - ``prediction`` and ``base_value``, the forecast and the mean forecast of the background;
        - ``completeness_error``, all attributions less (prediction - base_value).

        With ``predict_change`` in training, prediction and base value are changes.

    Raises
    ------
    ImportError
        For ``method="shap"`` without shap.
    KeyError
        For a driver that is not there.
    MemoryError
        When the result would be larger than four times `memory_limit`.
    ValueError
        For settings out of range, data without training windows, or nothing to explain; a cell without a causality
        degree in lazy data is told when it is computed.

    Notes
    -----
    Days are not shared by windows here as they are in :func:`xdrought.predict`: each path has a background of its
    own, so the same day is another point in each window and each draw.

    References
    ----------
    Erion et al. 2021, doi:10.1038/s42256-021-00343-w; Tang et al. 2025, section 3.6.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import attributions, fit_resattcaurec
    >>> rng = np.random.default_rng(0)
    >>> rain = rng.random((1, 400))
    >>> soil = np.apply_along_axis(np.convolve, 1, rain, 0.95 ** np.arange(60))[:, :400]
    >>> ds = xr.Dataset({"tp": (("site", "time"), rain), "soil_moisture": (("site", "time"), soil)})
    >>> ds = ds.assign_coords(site=["A"], time=pd.date_range("2001-01-01", periods=400))
    >>> forecaster = fit_resattcaurec(
    ...     ds, "soil_moisture", variant="Rec", widths=(4, 4), epochs=2, device="cpu", progress=False
    ... )
    >>> may = ds.time.dt.month == 5
    >>> shares = attributions(ds, forecaster, where=may, reduce=["patch_lat", "patch_lon"], progress=False)
    >>> dict(shares.attribution.sizes)
    {'site': 1, 'time': 31, 'variable': 1, 'window': 15}
    """
    checks.require_integers(n_background=n_background, n_draws=n_draws)
    checks.require_choice(method, "method", METHODS)
    limit = explained_windows.as_bytes(memory_limit)
    summed = check_reduce(reduce)
    forecaster.require_one_lead("attributions")
    explained = explained_windows.windows_of(ds, forecaster, causality, time)
    usual = explained if background is None else explained_windows.windows_of(background, forecaster, None, time)
    statistics = forecaster.scaling.mean, forecaster.scaling.std
    mean, std = (float(each.sel(variable=forecaster.target)) for each in statistics)

    def job() -> Job:
        return Job(
            architecture=forecaster.architecture,
            weights=forecaster.weights,
            background=explained_windows.background_of(usual, forecaster, int(n_background), seed),
            lead=forecaster.lead,
            reduce=summed,
            n_drivers=len(forecaster.drivers),
            mean=mean,
            std=std,
            method=method,
            draws=int(n_draws),
            seed=int(seed),
            memory_limit=limit,
            device=device,
        )

    labels = Labels(explained.windows, summed, forecaster, 4 * limit)
    if explained.is_lazy:
        out, done = _lazily(explained, where, labels, job)
    else:
        resolve_device(device)
        out, done = _at_once(explained, where, labels, job, progress)
    return out.assign_attrs(
        method=method,
        n_background=len(done.background),
        n_draws=done.draws,
        seed=done.seed,
        reduced=" ".join(summed),
        variant=forecaster.variant,
        equations=forecaster.architecture.equations,
        window=forecaster.window,
        lead=forecaster.lead,
    )


def _at_once(
    explained: explained_windows.Explained,
    where: xr.DataArray | None,
    labels: Labels,
    make_job: Callable[[], Job],
    progress: bool,
) -> tuple[xr.Dataset, Job]:
    """The places and times that have a window to explain, in memory."""
    from tqdm.auto import tqdm

    chosen = explained_windows.chosen_windows(explained.windows, where)
    template = explained_template(explained.windows, chosen)
    labels.require_room(template.size, f"{len(chosen)} windows")
    job, mask, keys = make_job(), template.to_numpy(), explained.keys[chosen]
    members, bases = [], []
    n_runs = len(job.weights)
    with tqdm(
        total=len(chosen) * n_runs, desc="attributions", unit="window", disable=None if progress else True
    ) as bar:
        for run in range(n_runs):
            rows, base = explain(job, run, explained.cube, explained.vectors, chosen, keys, bar.update)
            members.append({name: _dense(mask, array) for name, array in rows.items()})
            bases.append(np.float32(base))
    return labels.dataset(members, bases, template.coords), job


def _lazily(
    explained: explained_windows.Explained, where: xr.DataArray | None, labels: Labels, make_job: Callable[[], Job]
) -> tuple[xr.Dataset, Job]:
    """All places and valid times, chunk by chunk of places."""
    import dask.array as da
    from dask import delayed

    windows, cube = explained.windows, explained.scaled.inputs.data
    mask, days = explained_windows.asked_days(windows, where)
    places = cube.chunks[2:] if windows.on_grid else cube.chunks[:1]
    labels.require_room(len(days) * math.prod(max(sizes) for sizes in places), "the places of a chunk")
    job = make_job()
    found = lazy_explanations(cube, explained.degrees, mask, days, job)
    members, bases = [], []
    shared = delayed_constant(job, "job")
    for run in range(len(job.weights)):
        members.append({name: values[run] for name, values in found.items()})
        bases.append(da.from_delayed(delayed(base_value)(shared, run), (), "float32"))
    coords = xr.Dataset(coords=windows.coordinates).isel({windows.time: days}).coords
    return labels.dataset(members, bases, coords), job


def _dense(mask: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of windows, which are sorted by place and day as the mask's values are, where it is True; NaN elsewhere."""
    values = np.full((*mask.shape, *rows.shape[1:]), np.nan, dtype="float32")
    values[mask] = rows
    return values
