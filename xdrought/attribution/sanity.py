"""Do attributions explain this network? Layer by layer it forgets what it learnt, and they should change."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.attribution import inputs
from xdrought.attribution.gradients import attributions
from xdrought.forecast.forecaster import Forecaster

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["weight_randomisation"]

REPEATED = "none, other draws"
FEATURES = ("variable", "window")  # what is compared: a driver on an input day, over all cells
SUMMED = ("patch_lat", "patch_lon", "cell")


def weight_randomisation(
    ds: xr.Dataset,
    forecaster: Forecaster,
    *,
    where: xr.DataArray | None = None,
    n_windows: int = 100,
    randomisations: int = 1,
    cascade: bool = True,
    seed: int = 0,
    time: Hashable = "time",
    **settings: Any,
) -> xr.Dataset:
    """How much attributions change when the network forgets what it learnt, layer by layer from its output.

    An explanation that stays the same for random weights tells of the data, not of the network. Each layer in turn gets
    the weights of an untrained network, and all windows are explained again.

    Parameters
    ----------
    ds : xarray.Dataset
        As for :func:`xdrought.attributions`; read into memory.
    forecaster : Forecaster
        A trained one.
    where : boolean xarray.DataArray, optional
        Valid times to choose windows from, as in :func:`xdrought.attributions`.
    n_windows : int
        Windows, drawn from these.
    randomisations : int
        Untrained networks.
    cascade : bool
        Layers that were randomised stay so; otherwise one at a time.
    seed : int
        Of windows, weights and draws.
    time : hashable
        The time dimension.
    **settings
        Further keywords of :func:`xdrought.attributions`: n_background, n_draws, causality, device, ...

    Returns
    -------
    xarray.Dataset
        On (layer, randomisation[, run]), from the output to the input: `similarity`, the Spearman correlation of the
        absolute attributions of all drivers on all input days with those of the trained network, in the mean over
        windows; `signed_similarity`, of the attributions themselves. The first layer is "none, other draws": the
        trained network with another background, which is how similar two explanations of the same network are.

    Raises
    ------
    ValueError
        For settings out of range, and as :func:`xdrought.attributions`.

    References
    ----------
    Adebayo et al. 2018, Sanity checks for saliency maps, arXiv:1810.03292.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import fit_resattcaurec
    >>> from xdrought.attribution import weight_randomisation
    >>> rng = np.random.default_rng(0)
    >>> rain = rng.random((1, 400))
    >>> soil = np.apply_along_axis(np.convolve, 1, rain, 0.95 ** np.arange(60))[:, :400]
    >>> ds = xr.Dataset({"tp": (("site", "time"), rain), "soil_moisture": (("site", "time"), soil)})
    >>> ds = ds.assign_coords(site=["A"], time=pd.date_range("2001-01-01", periods=400))
    >>> forecaster = fit_resattcaurec(
    ...     ds, "soil_moisture", variant="Rec", widths=(4, 4), epochs=2, device="cpu", progress=False
    ... )
    >>> found = weight_randomisation(ds, forecaster, n_windows=10, n_draws=50, progress=False)
    >>> found.layer.values.tolist()
    ['none, other draws', 'head.1', 'head.0', 'recurrence.cells.1', 'recurrence.cells.0']
    """
    caller = "weight_randomisation"
    inputs.check_counts(caller, n_windows=n_windows, randomisations=randomisations)
    ds = ds.compute()
    _, _, few = draw_windows(ds, forecaster, where, n_windows, settings.get("causality"), seed, time, caller)
    settings = {"progress": False, **settings, "reduce": SUMMED, "where": few, "time": time}

    def explained(weights: tuple[Mapping[str, Tensor], ...], seed: int = seed) -> xr.DataArray:
        return attributions(ds, dataclasses.replace(forecaster, weights=weights), seed=seed, **settings).attribution

    trained = explained(forecaster.weights)
    repeated = _similarity(trained, explained(forecaster.weights, seed + 1)).expand_dims(layer=[REPEATED])
    found = []
    for k in range(randomisations):
        fresh = _untrained(forecaster, seed, k)
        weights, steps = [dict(one) for one in forecaster.weights], [repeated]
        for layer, names in reversed(_layers(forecaster.weights[0]).items()):
            if not cascade:
                weights = [dict(one) for one in forecaster.weights]
            for one, new in zip(weights, fresh, strict=True):
                one.update({name: new[name] for name in names})
            steps.append(_similarity(trained, explained(tuple(weights))).expand_dims(layer=[layer]))
        found.append(xr.concat(steps, "layer"))
    out = xr.concat(found, "randomisation").transpose("layer", "randomisation", ...)
    return out.assign_attrs(cascade=str(cascade), n_windows=int(few.sum()), seed=seed, variant=forecaster.variant)


def draw_windows(
    ds: xr.Dataset,
    forecaster: Forecaster,
    where: xr.DataArray | None,
    n_windows: int,
    causality: xr.Dataset | None,
    seed: int,
    time: Hashable,
    caller: str,
) -> tuple[inputs.Explained, np.ndarray, xr.DataArray]:
    """All windows, positions of the drawn ones, and True at their places and valid times."""
    explained = inputs.windows_of(ds, forecaster, causality, time, caller)
    where = where if where is None else where.reset_coords(drop=True)
    chosen = inputs.chosen_windows(explained.windows, where, caller)
    rng = np.random.default_rng([seed, 5])
    chosen = np.sort(rng.choice(chosen, min(n_windows, len(chosen)), replace=False))
    mask = np.zeros(len(explained.windows), dtype=bool)
    mask[chosen] = True
    return explained, chosen, explained.windows.to_labels(mask).astype(bool)


def _layers(weights: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names of the weights of each layer, in the network's order: up to the first number in a name."""
    layers: dict[str, list[str]] = {}
    for name in weights:
        parts = name.split(".")
        numbers = [k for k, part in enumerate(parts) if part.isdigit()]
        layers.setdefault(".".join(parts[: numbers[0] + 1] if numbers else parts[:-1]), []).append(name)
    return layers


def _untrained(forecaster: Forecaster, seed: int, number: int) -> list[dict[str, Tensor]]:
    """Initial weights of each run; the global random state stays as it is."""
    import torch

    from xdrought.models.zoo import build_architecture

    with torch.random.fork_rng([]):
        torch.manual_seed(int(np.random.default_rng([seed, number, 6]).integers(2**31)))
        return [build_architecture(forecaster.architecture).state_dict() for _ in range(forecaster.runs)]


def _similarity(first: xr.DataArray, second: xr.DataArray) -> xr.Dataset:
    """Mean over windows of the rank correlation over features."""
    pairs = {"similarity": (abs(first), abs(second)), "signed_similarity": (first, second)}
    names = {"similarity": "absolute attributions", "signed_similarity": "attributions"}
    windows = [dim for dim in first.dims if dim not in (*FEATURES, "run")]
    found = {}
    for name, (a, b) in pairs.items():
        rho = xr.apply_ufunc(
            _spearman, a.stack(feature=FEATURES), b.stack(feature=FEATURES), input_core_dims=[["feature"]] * 2
        )
        text = f"rank correlation of {names[name]} with those of the trained network"
        found[name] = rho.mean(windows).drop_attrs().assign_attrs(long_name=text, units="1")
    return xr.Dataset(found)


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Over the last axis; NaN for windows that are not explained, 0 where all attributions are equal."""
    from scipy.stats import rankdata

    known = np.isfinite(a).all(axis=-1) & np.isfinite(b).all(axis=-1)
    ranks = [rankdata(np.where(known[..., None], v, 0.0), axis=-1) for v in (a, b)]
    a, b = (r - r.mean(axis=-1, keepdims=True) for r in ranks)
    scale = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    rho = np.divide((a * b).sum(axis=-1), scale, out=np.zeros(scale.shape), where=scale > 0)
    return np.where(known, rho, np.nan)
