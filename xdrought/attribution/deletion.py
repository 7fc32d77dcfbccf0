"""Does the forecast rest on what attributions name? What matters most is taken away first."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.attribution import inputs
from xdrought.attribution.gradients import attributions
from xdrought.attribution.sanity import FEATURES, SUMMED, draw_windows
from xdrought.devices import resolve_device
from xdrought.forecast.forecaster import Forecaster

if TYPE_CHECKING:
    from torch import nn

    from xdrought.models.expected_gradients import Inputs

__all__ = ["deletion_curve"]

_FEW_PLACES = 5  # below this the bootstrap draws windows


def deletion_curve(
    ds: xr.Dataset,
    forecaster: Forecaster,
    *,
    where: xr.DataArray | None = None,
    n_windows: int = 100,
    steps: int = 10,
    n_random: int = 5,
    n_background: int = 20,
    n_draws: int = 100,
    confidence: float = 0.95,
    resamples: int = 1000,
    causality: xr.Dataset | None = None,
    seed: int = 0,
    device: Any = "auto",
    time: Hashable = "time",
) -> xr.Dataset:
    """How fast a forecast changes when what attributions say matters most is taken away first.

    Each driver on each input day is a feature. Features of a window are replaced, in the whole patch, by those of
    background windows of the training part, and the forecasts are averaged over these. The causality degree stays.

    Parameters
    ----------
    ds, forecaster, where, causality, device, time
        As for :func:`xdrought.attributions`; the data are read into memory.
    n_windows : int
        Windows, drawn from those of `where`.
    steps : int
        Equal parts in which the features are deleted.
    n_random : int
        Random orders, whose mean is the comparison.
    n_background, n_draws : int
        Of the attributions; the same background replaces the features.
    confidence : float
        Of the interval.
    resamples : int
        Bootstrap samples of places, each with all its windows; of windows where there are fewer than five places.
    seed : int
        Of windows, background, orders and bootstrap.

    Returns
    -------
    xarray.Dataset
        On (order, deleted[, run]) `change`, the mean absolute change of the forecast after this share of the features,
        in the target's units; orders are "largest first" (by absolute attribution), "random" and "smallest first", and
        all end at the same. On (order[, run]) `area`, the mean of the curve over its last value. On ([run])
        `advantage`, the area of "largest first" less that of "random", with `lower` and `upper`: above zero where
        attributions name what the forecast rests on.

    Raises
    ------
    ValueError
        For settings out of range, and as :func:`xdrought.attributions`.

    References
    ----------
    Samek et al. 2017, doi:10.1109/TNNLS.2016.2599820; Petsiuk et al. 2018, arXiv:1806.07421.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import fit_resattcaurec
    >>> from xdrought.attribution import deletion_curve
    >>> rng = np.random.default_rng(0)
    >>> rain = rng.random((1, 400))
    >>> soil = np.apply_along_axis(np.convolve, 1, rain, 0.95 ** np.arange(60))[:, :400]
    >>> ds = xr.Dataset({"tp": (("site", "time"), rain), "soil_moisture": (("site", "time"), soil)})
    >>> ds = ds.assign_coords(site=["A"], time=pd.date_range("2001-01-01", periods=400))
    >>> forecaster = fit_resattcaurec(
    ...     ds, "soil_moisture", variant="Rec", widths=(4, 4), epochs=2, device="cpu", progress=False
    ... )
    >>> curves = deletion_curve(ds, forecaster, n_windows=20, steps=3)
    >>> bool(curves.area.sel(order="largest first") > curves.area.sel(order="smallest first"))
    True
    """
    caller = "deletion_curve"
    inputs.check_counts(caller, n_windows=n_windows, steps=steps, n_random=n_random, resamples=resamples)
    if not 0 < confidence < 1:
        raise ValueError(f"{caller}: confidence={confidence!r}; it is a share between 0 and 1, e.g. 0.95")
    ds, place_on = ds.compute(), resolve_device(device, caller)
    explained, chosen, few = draw_windows(ds, forecaster, where, n_windows, causality, seed, time, caller)
    shares = attributions(
        ds, forecaster, where=few, reduce=SUMMED, n_background=n_background, n_draws=n_draws, causality=causality,
        seed=seed, progress=False, device=device, time=time,
    ).attribution  # fmt: skip
    train = inputs.background_windows(explained.windows, forecaster, n_background, seed, caller)
    windows, background = (explained.sample(index, place_on) for index in (chosen, train))
    counts = np.rint(np.linspace(0, 1, steps + 1) * windows.x.shape[1] * windows.x.shape[2]).astype(int)
    rng = np.random.default_rng([seed, 7])
    runs = []
    for run in range(forecaster.runs):
        importance = _rows(abs(shares.isel(run=run) if "run" in shares.dims else shares))
        orders = _orders(importance, n_random, rng)
        network = forecaster.network(run, place_on)
        changes = np.stack([_changes(network, windows, background, order, counts) for order in orders])
        runs.append(np.stack([changes[0], changes[1:-1].mean(axis=0), changes[-1]]))
    std = float(forecaster.scaling.std.sel(variable=forecaster.target))
    change = xr.DataArray(
        np.stack(runs) * std,
        {"order": ["largest first", "random", "smallest first"], "deleted": counts / counts[-1]},
        ("run", "order", "deleted", "sample"),
    )
    out = _curves(change, explained.windows.cell[chosen], confidence, resamples, np.random.default_rng([seed, 8]))
    unit = forecaster.units.get(forecaster.target)
    out.change.attrs |= {"long_name": "mean absolute change of the forecast", **({"units": unit} if unit else {})}
    out = out if forecaster.runs > 1 else out.isel(run=0)
    return out.assign_attrs(
        n_windows=len(chosen), n_background=len(train), n_random=n_random, confidence=confidence, seed=seed,
        variant=forecaster.variant,
    )  # fmt: skip


def _rows(values: xr.DataArray) -> np.ndarray:
    """(sample, window x variable) of the explained windows, in the order of their places and days."""
    places = [dim for dim in ("site", "lat", "lon") if dim in values.dims]
    others = [dim for dim in values.dims if dim not in (*places, *FEATURES)]
    array = values.transpose(*places, *others, "window", "variable").to_numpy()
    rows = array.reshape(-1, array.shape[-2] * array.shape[-1])
    return rows[np.isfinite(rows).all(axis=1)]


def _orders(importance: np.ndarray, n_random: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Ranks in the order of deletion, (sample, feature) each: largest first, random ones, smallest first."""
    first = np.argsort(np.argsort(-importance, axis=1, kind="stable"), axis=1)
    tile = np.tile(np.arange(importance.shape[1]), (len(importance), 1))
    return [first, *(rng.permuted(tile, axis=1) for _ in range(n_random)), importance.shape[1] - 1 - first]


def _changes(
    network: nn.Module, windows: Inputs, background: Inputs, order: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """(counts, sample) absolute change of the output when the first features of the order come from the background."""
    import torch

    from xdrought.models.expected_gradients import Inputs, outputs

    rank = torch.from_numpy(order).to(windows.x.device).reshape(len(order), *windows.x.shape[1:3], 1, 1)
    whole = outputs(network, windows, 1024)
    found = []
    for count in counts.tolist():
        total = torch.zeros_like(whole)
        for k in range(len(background)):
            x = torch.where(rank < count, background.x[k : k + 1], windows.x)
            total += outputs(network, Inputs(x, windows.causality), 1024)
        found.append((total / len(background) - whole).abs().double().cpu().numpy())
    return np.stack(found)


def _curves(
    change: xr.DataArray, place: np.ndarray, confidence: float, resamples: int, rng: np.random.Generator
) -> xr.Dataset:
    """Means over windows, areas, and the advantage with an interval over places."""
    names, place = np.unique(place, return_inverse=True)
    if names.size < _FEW_PLACES:
        place = np.arange(place.size)
    n = int(place.max()) + 1
    end = change.isel(deleted=-1, drop=True).sel(order="random", drop=True).mean("sample")
    area = change.integrate("deleted")
    gain = (area.sel(order="largest first", drop=True) - area.sel(order="random", drop=True)).to_numpy()
    sums = np.stack([np.bincount(place, row, n) for row in gain])  # (run, place)
    ends = np.stack([np.bincount(place, row, n) for row in change.isel(deleted=-1).sel(order="random").to_numpy()])
    drawn = rng.multinomial(n, np.full(n, 1 / n), resamples)
    tail = (1 - confidence) / 2
    samples = (drawn @ sums.T) / np.maximum(drawn @ ends.T, 1e-300)
    low, high = np.quantile(samples, [tail, 1 - tail], axis=0)
    share = f"{confidence:.0%} interval over {'windows' if names.size < _FEW_PLACES else 'places'}"
    return xr.Dataset(
        {
            "change": change.mean("sample"),
            "area": (area.mean("sample") / end).assign_attrs(long_name="mean of the curve over its last value"),
            "advantage": ("run", sums.sum(axis=1) / ends.sum(axis=1), {"long_name": "area, largest first less random"}),
            "lower": ("run", low, {"long_name": f"lower end of the {share}"}),
            "upper": ("run", high, {"long_name": f"upper end of the {share}"}),
        }
    )
