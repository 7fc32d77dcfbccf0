"""Why a forecast says what it says: expected gradients on labels."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.attribution import inputs
from xdrought.attribution.labels import REDUCIBLE, Labels
from xdrought.devices import resolve_device
from xdrought.forecast.forecaster import Forecaster

if TYPE_CHECKING:
    from torch import nn

    from xdrought.models.expected_gradients import Attributions, Inputs

__all__ = ["attributions"]

METHODS = ("balanced", "shap")


@dataclass(frozen=True)
class _Settings:
    """How to estimate."""

    method: str
    draws: int
    background: int
    seed: int
    memory_limit: int


def attributions(
    ds: xr.Dataset,
    forecaster: Forecaster,
    *,
    where: xr.DataArray | None = None,
    reduce: Sequence[str] = REDUCIBLE,
    background: xr.Dataset | None = None,
    n_background: int = 50,
    n_draws: int = 200,
    method: str = "balanced",
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
        The drivers, as for :func:`xdrought.predict`. They are read into memory.
    forecaster : Forecaster
        From :func:`xdrought.fit_resattcaurec` or :func:`xdrought.load`.
    where : boolean xarray.DataArray, optional
        True on the valid times to explain, e.g. ``classes.isin([1, 3])`` for onsets; on any of the places and
        `time`. By default every complete window.
    reduce : sequence of str
        What to sum over: any of "window" (input days), "patch_lat", "patch_lon", and "cell" (of the causality
        degree). All by default; ``()`` keeps everything.
    background : xarray.Dataset, optional
        Drivers of the training part, when `ds` does not hold it.
    n_background : int
        Windows of the training part, drawn once, that stand for what is usual.
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
        leaves. The result must be smaller than four times this, or the call is refused.
    progress : bool
        Show a bar.
    device : str or torch.device
        "auto", "cpu", "cuda", ...
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        On the places and times with an explained window (`time` is the valid time), in the target's units, NaN
        elsewhere; with `run` in front when there are several:

        - ``attribution`` (..., variable[, window, patch_lat, patch_lon]); `window` counts days from the day of
          issue, 0 the last input day;
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
        For settings out of range, data without training windows, or nothing to explain.

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
    caller = "attributions"
    inputs.check_counts(caller, n_background=n_background, n_draws=n_draws)
    if method not in METHODS:
        raise ValueError(f"{caller}: method={method!r} is unknown; choose one of {list(METHODS)}")
    limit = inputs.as_bytes(memory_limit, caller)
    settings = _Settings(method, int(n_draws), int(n_background), int(seed), limit)
    device = resolve_device(device, caller)

    explained = inputs.windows_of(ds, forecaster, causality, time, caller)
    chosen = inputs.chosen_windows(explained.windows, where, caller)
    labels = Labels.of(explained.windows, chosen, forecaster, reduce, caller)
    labels.require_room(4 * limit, forecaster.runs, caller)
    usual = explained if background is None else inputs.windows_of(background, forecaster, None, time, caller)
    train = inputs.background_windows(usual.windows, forecaster, n_background, seed, caller)
    background_inputs = usual.sample(train, device)

    from tqdm.auto import tqdm

    parts = []
    with tqdm(total=len(chosen) * forecaster.runs, desc="attributions", unit="window", disable=not progress) as bar:
        for run in range(forecaster.runs):
            network = forecaster.network(run, device)
            parts.append(_explain(network, explained, chosen, background_inputs, labels, settings, bar))
    out = labels.dataset(parts, forecaster)
    return out.assign_attrs(
        method=method,
        n_background=len(train),
        n_draws=settings.draws,
        seed=settings.seed,
        reduced=" ".join(labels.reduce),
        variant=forecaster.variant,
        equations=forecaster.architecture.equations,
        window=forecaster.window,
        lead=forecaster.lead,
    )


def _explain(
    network: nn.Module,
    explained: inputs.Explained,
    chosen: np.ndarray,
    background: Inputs,
    labels: Labels,
    settings: _Settings,
    bar: Any,
) -> tuple[dict[str, np.ndarray], float]:
    """Arrays over the chosen windows, and the mean output of the background."""
    from xdrought.models.expected_gradients import bytes_per_point, frozen, outputs

    network = frozen(network)
    at_once = max(1, settings.memory_limit // bytes_per_point(network, background))
    base = float(outputs(network, background, at_once).double().mean())
    found: dict[str, list[np.ndarray]] = {}
    for part in np.split(chosen, range(0, len(chosen), max(1, at_once // settings.draws))[1:]):
        inputs_here = explained.sample(part, background.x.device)
        result = _attribute(network, inputs_here, background, part, labels.axes, settings, at_once)
        arrays = labels.arrays(result, base)
        for name, array in arrays.items():
            found.setdefault(name, []).append(array)
        bar.update(len(part))
    return {name: np.concatenate(arrays) for name, arrays in found.items()}, base


def _attribute(
    network: nn.Module,
    windows: Inputs,
    background: Inputs,
    keys: np.ndarray,
    axes: tuple[int, ...],
    settings: _Settings,
    at_once: int,
) -> Attributions:
    """One group of windows by the chosen method."""
    from xdrought.models.expected_gradients import balanced_draws, expected_gradients

    if settings.method == "shap":
        from xdrought.attribution.shap_reference import shap_gradients

        return shap_gradients(network, windows, background, keys, axes, settings.draws, settings.seed, at_once)
    draws = balanced_draws(keys.tolist(), len(background), settings.draws, settings.seed).to(windows.x.device)
    return expected_gradients(network, windows, background, draws, reduce=axes, at_once=at_once)
