"""Do attributions explain this network? Layer by layer it forgets what it learnt, and they should change."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.attribution import explained_windows
from xdrought.attribution.expected_gradients import attributions
from xdrought.devices import resolve_device
from xdrought.forecast.forecaster import Forecaster
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics import bootstrap_weights, percentile_interval

if TYPE_CHECKING:
    from torch import Tensor, nn

    from xdrought.models.expected_gradients import NetworkInputs

__all__ = ["deletion_curve", "weight_randomisation"]

_FEW_PLACES = 5  # below this the bootstrap draws windows


@public
@recorded
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
    n_boot: int = 1000,
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
    n_boot : int
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
    checks.require_integers(n_windows=n_windows, steps=steps, n_random=n_random, n_boot=n_boot)
    checks.require_share(confidence, "confidence")
    ds, place_on = ds.compute(), resolve_device(device)
    explained, chosen, few = draw_windows(ds, forecaster, where, n_windows, causality, seed, time)
    shares = attributions(
        ds,
        forecaster,
        where=few,
        reduce=SUMMED,
        n_background=n_background,
        n_draws=n_draws,
        causality=causality,
        seed=seed,
        progress=False,
        device=device,
        time=time,
    ).attribution
    train = explained_windows.background_windows(explained.windows, forecaster, n_background, seed)
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
    out = _curves(change, explained.windows.cell[chosen], confidence, n_boot, np.random.default_rng([seed, 8]))
    unit = forecaster.units.get(forecaster.target)
    out.change.attrs |= {"long_name": "mean absolute change of the forecast", **({"units": unit} if unit else {})}
    out = out if forecaster.runs > 1 else out.isel(run=0)
    return out.assign_attrs(
        n_windows=len(chosen),
        n_background=len(train),
        n_random=n_random,
        confidence=confidence,
        seed=seed,
        variant=forecaster.variant,
    )


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
    network: nn.Module, windows: NetworkInputs, background: NetworkInputs, order: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """(counts, sample) absolute change of the output when the first features of the order come from the background."""
    import torch

    from xdrought.models.expected_gradients import NetworkInputs, outputs

    rank = torch.from_numpy(order).to(windows.x.device).reshape(len(order), *windows.x.shape[1:3], 1, 1)
    whole = outputs(network, windows, 1024)
    found = []
    for count in counts.tolist():
        total = torch.zeros_like(whole)
        for k in range(len(background)):
            x = torch.where(rank < count, background.x[k : k + 1], windows.x)
            total += outputs(network, NetworkInputs(x, windows.causality), 1024)
        found.append((total / len(background) - whole).abs().double().cpu().numpy())
    return np.stack(found)


def _curves(
    change: xr.DataArray, place: np.ndarray, confidence: float, n_boot: int, rng: np.random.Generator
) -> xr.Dataset:
    """Means over windows, areas, and the advantage with an interval over places."""
    names, place = np.unique(place, return_inverse=True)
    if names.size < _FEW_PLACES:
        place = np.arange(place.size)
    n = int(place.max()) + 1
    end = change.isel(deleted=-1, drop=True).sel(order="random", drop=True)  # (run, sample)
    area = change.integrate("deleted")
    gain = (area.sel(order="largest first", drop=True) - area.sel(order="random", drop=True)).to_numpy()
    sums = np.stack([np.bincount(place, row, n) for row in gain])  # (run, place)
    ends = np.stack([np.bincount(place, row, n) for row in end.to_numpy()])
    drawn = bootstrap_weights(n, n_boot, rng)
    samples = (drawn @ sums.T) / np.maximum(drawn @ ends.T, 1e-300)
    low, high = percentile_interval(samples.T, confidence)
    share = f"{confidence:.0%} interval over {'windows' if names.size < _FEW_PLACES else 'places'}"
    return xr.Dataset(
        {
            "change": change.mean("sample"),
            "area": (area.mean("sample") / end.mean("sample")).assign_attrs(
                long_name="mean of the curve over its last value"
            ),
            "advantage": ("run", sums.sum(axis=1) / ends.sum(axis=1), {"long_name": "area, largest first less random"}),
            "lower": ("run", low, {"long_name": f"lower end of the {share}"}),
            "upper": ("run", high, {"long_name": f"upper end of the {share}"}),
        }
    )


REPEATED = "none, other draws"
FEATURES = ("variable", "window")  # what is compared: a driver on an input day, over all cells
SUMMED = ("patch_lat", "patch_lon", "cell")


@public
@recorded
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
    >>> result = weight_randomisation(ds, forecaster, n_windows=10, n_draws=50, progress=False)
    >>> result.layer.values.tolist()
    ['none, other draws', 'head.1', 'head.0', 'recurrence.cells.1', 'recurrence.cells.0']
    """
    checks.require_integers(n_windows=n_windows, randomisations=randomisations)
    ds = ds.compute()
    _, _, few = draw_windows(ds, forecaster, where, n_windows, settings.get("causality"), seed, time)
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
) -> tuple[explained_windows.Explained, np.ndarray, xr.DataArray]:
    """All windows, positions of the drawn ones, and True at their places and valid times."""
    explained = explained_windows.windows_of(ds, forecaster, causality, time)
    where = where if where is None else where.reset_coords(drop=True)
    chosen = explained_windows.chosen_windows(explained.windows, where)
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
    """Fresh weights of each run."""
    import torch

    from xdrought.models.zoo import build_architecture

    generator = torch.Generator().manual_seed(int(np.random.default_rng([seed, number, 6]).integers(2**31)))
    return [build_architecture(forecaster.architecture, generator).state_dict() for _ in range(forecaster.runs)]


def _similarity(first: xr.DataArray, second: xr.DataArray) -> xr.Dataset:
    """Mean over windows of the rank correlation over features; 0 where all attributions of a window are equal."""
    from xarray_einstats import stats

    pairs = {"similarity": (abs(first), abs(second)), "signed_similarity": (first, second)}
    names = {"similarity": "absolute attributions", "signed_similarity": "attributions"}
    windows = [dim for dim in first.dims if dim not in (*FEATURES, "run")]
    known = (first.notnull() & second.notnull()).all(FEATURES)
    similarity = {}
    for name, (a, b) in pairs.items():
        ranks_a, ranks_b = (stats.rankdata(values.fillna(0.0), dims=FEATURES) for values in (a, b))
        rho = xr.corr(ranks_a, ranks_b, dim=FEATURES).fillna(0.0).where(known)
        text = f"rank correlation of {names[name]} with those of the trained network"
        similarity[name] = rho.mean(windows).drop_attrs().assign_attrs(long_name=text, units="1")
    return xr.Dataset(similarity)
