"""What the forecaster itself holds of the data: scaling, causality degrees, and the record percentiles refer to."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought.choices import Verdict
from xdrought.forecast import driver_inputs
from xdrought.forecast.driver_inputs import degrees_of_places
from xdrought.forecast.ensemble import seed_of_run
from xdrought.forecast.forcing import Forcing, resolve
from xdrought.forecast.missing_inputs import fit_usual_year, resolve_filling
from xdrought.forecast.options import FORECASTS, NONE
from xdrought.forecast.shards import Shards
from xdrought.forecast.starting import count_known_places, digest_of_start
from xdrought.leakage.audited_data import ALLOWED, FORBIDDEN, Audit, names_of_places, shown
from xdrought.leakage.report import ABSENT, LEAK, PASSED, UNKNOWN, Finding
from xdrought.scaling import fit_scaling
from xdrought.windows.labelled import Patches

if TYPE_CHECKING:
    from xdrought.forecast.forecaster import Forecaster

SAME_YEAR = 1e-5  # of a standard deviation; coefficients are stored in float32
SAME_LOSS = 1e-3  # relative; devices and number formats round differently


def check_best_epoch(audit: Audit, forcing: xr.Dataset | None, batch_size: int, device: Any) -> Finding:
    """The lowest validation loss of the training, and the loss of the kept weights in validation and test."""
    looked_at = "loss of the kept weights in validation and in test, beside the one that the training stored"
    history, kind = audit.forecaster.history, audit.forecaster.ahead.forcing
    if kind == FORECASTS and forcing is None:
        return Finding("best epoch", UNKNOWN, looked_at, "weather forecasts that are not given: give forcing=")
    stored = history.val_loss.min("epoch").to_numpy()
    given = forcing if kind == FORECASTS else None if kind == NONE else kind
    losses = {part: _losses(audit, part, given, batch_size, device) for part in ("val", "test")}
    numbers = {"stored": float(stored[0]), **{f"in {part}": float(loss[0]) for part, loss in losses.items()}}
    same = {part: np.isclose(loss, stored, rtol=SAME_LOSS, atol=0) for part, loss in losses.items()}
    if same["val"].all():
        return Finding("best epoch", PASSED, looked_at, "the lowest loss in validation", numbers)
    if same["test"].any():
        return Finding("best epoch", LEAK, looked_at, "the lowest loss in the test part", numbers)
    return Finding("best epoch", UNKNOWN, looked_at, "neither validation nor test part of these data", numbers)


def _losses(audit: Audit, part: str, forcing: Forcing, batch_size: int, device: Any) -> np.ndarray:
    """(run,) mean loss of scaled values over the windows of a part, as in training; NaN without any."""
    import torch

    from xdrought.models.training import Training, TrainingConfig
    from xdrought.models.zoo import network_of

    forecaster, windows = audit.forecaster, audit.windows
    splits = audit.splits_of(windows.data)
    parts, targets = driver_inputs.learnt_targets(windows, splits, forecaster.target_inputs)
    if not len(parts[part]):
        return np.full(forecaster.runs, np.nan)
    vectors = None
    if forecaster.causality is not None:
        rows = degrees_of_places(windows, forecaster.causality, forecaster.drivers)
        vectors = torch.from_numpy(rows.reshape(-1, rows.shape[-1]))
    scaling = forecaster.scaling
    scaled = windows.with_data(scaling.apply(windows.data))
    shards = Shards(
        scaled,
        vectors,
        {"train": parts[part][:0], "val": parts[part]},
        device,
        targets=None if targets is None else scaling.forward_values(targets, forecaster.target),
        weather=resolve(forcing, forecaster.ahead, windows, forecaster.units, scaling, splits),
        by_lead=bool(forecaster.architecture.leads),
        filling=resolve_filling(forecaster.missing, forecaster.usual_year, scaled),
    )
    config, seed = TrainingConfig(batch_size=batch_size), int(forecaster.settings["seed"])
    networks = (network_of(forecaster.architecture, weights, device) for weights in forecaster.weights)
    trainings = (Training(net, shards, config, seed_of_run(seed, k)) for k, net in enumerate(networks))
    return np.array([training.validation_loss() for training in trainings])


SAME = 1e-6  # of a standard deviation, or of a correlation: the same number computed again, not a similar one
OPTIONS = {  # of a method of the degree, told in its attributes
    "ccm": ("embedding_dim", "tau", "exclusion_radius", "lag", "engine"),
    "driver_gain": ("lags", "flips", "seed"),
}


def check_scaling(audit: Audit, start: Forecaster | None) -> Finding:
    """Means and spreads of the training days, of those of the forecaster that it started from, or of more?"""
    scaling = audit.forecaster.scaling
    data = driver_inputs.learnt_data(audit.windows, audit.forecaster.target_inputs)
    names = [*audit.windows.drivers, audit.target]
    unscaled = (scaling.mean.sel(variable=names) == 0) & (scaling.std.sel(variable=names) == 1)  # of no data
    names = [name for name, left in zip(names, unscaled.values, strict=True) if not left]
    looked_at = f"mean and standard deviation of {len(names)} variables"
    held = np.stack([scaling.mean.sel(variable=names).to_numpy(), scaling.std.sel(variable=names).to_numpy()])
    apart = {}
    for kind in (*ALLOWED, *FORBIDDEN):
        found = _statistics(data, names, audit.days_of(kind, data))
        if found is not None:
            apart[kind] = float(np.max(np.abs(held - found) / held[1]))
            if apart[kind] <= SAME:
                verdict = PASSED if kind in ALLOWED else LEAK
                return Finding("scaling", verdict, looked_at, kind, {"largest difference (std)": apart[kind]})
    if "start_from" in audit.forecaster.settings:
        return Finding("scaling", *_scaling_of_start(audit, start, looked_at))
    return Finding("scaling", UNKNOWN, looked_at, _nothing_known(apart), _differences(apart))


def _scaling_of_start(audit: Audit, start: Forecaster | None, looked_at: str) -> tuple[Verdict, str, str]:
    """What a finding says of a scaling that came with the forecaster that the training started from."""
    forecaster, looked_at = audit.forecaster, f"{looked_at}, beside those of the forecaster that it started from"
    if start is None:
        return UNKNOWN, looked_at, "not these data but those of the forecaster it started from: give start_from="
    if digest_of_start(start) != forecaster.settings["start_from"] or not _same_scaling(start, forecaster):
        return UNKNOWN, looked_at, "another forecaster than start_from: give the one that the training started from"
    if "start_from" in start.settings:
        return UNKNOWN, looked_at, "the data of a forecaster that start_from had itself started from"
    n_known = count_known_places(start, forecaster.splits)
    if n_known is None:
        return UNKNOWN, looked_at, "the training days of start_from, at places that cannot be compared with these"
    if n_known:
        return LEAK, looked_at, f"those of start_from, which has learnt from test days at {n_known} place(s)"
    return PASSED, looked_at, "the training days of start_from, which has learnt from no test day"


def _same_scaling(start: Forecaster, forecaster: Forecaster) -> bool:
    return start.scaling.mean.equals(forecaster.scaling.mean) and start.scaling.std.equals(forecaster.scaling.std)


def _statistics(data: xr.Dataset, names: list[Hashable], days: xr.DataArray) -> np.ndarray | None:
    """(mean or std, variable); None without any value on such days."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # constant variables
        try:
            found = fit_scaling(data, names, train=days)
        except ValueError:
            return None
    return np.stack([found.mean.to_numpy(), found.std.to_numpy()])


def check_causality(audit: Audit) -> Finding:
    """Causality degrees of each place's training days, and of none at places held out?"""
    degree, windows = audit.forecaster.causality, audit.windows
    looked_at = "causality degrees, recomputed with the settings that they tell"
    if degree is None:
        return Finding("causality", ABSENT, looked_at, "a network without causality")
    held, apart = _rows(degree, audit), {}
    for kind in (*ALLOWED, *FORBIDDEN):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                days = audit.days_of(kind, windows.data)
                again = driver_inputs.causality_of_days(windows, days, **_settings_of(degree))
        except (TypeError, ValueError) as error:  # a method of the user's own, or too few such days
            return Finding("causality", UNKNOWN, looked_at, f"what cannot be computed again: {error}")
        if kind in ALLOWED:
            again = driver_inputs.with_mean_where_held_out(again, audit.splits_of(windows.data))
        each = np.max(np.abs(held - _rows(again, audit)), axis=1)
        apart[kind] = float(np.median(each))
        if (each <= SAME).all():
            verdict = PASSED if kind in ALLOWED else LEAK
            return Finding("causality", verdict, looked_at, kind, {"largest difference": float(each.max())})
        if kind in FORBIDDEN and (each <= SAME).any():
            names = np.array(names_of_places(windows.data, audit.places))[np.unique(windows.cell)][each <= SAME]
            return Finding("causality", LEAK, looked_at, f"{kind} at {shown(names.tolist())}", {"places": len(names)})
    return Finding("causality", UNKNOWN, looked_at, _nothing_known(apart), _differences(apart))


FILLED = 20  # windows that are filled once more from records that end on their day of issue


def check_filled_inputs(audit: Audit) -> Finding:
    """Is what fills missing inputs of the training days and of the window alone?"""
    looked_at = "the usual year, recomputed; filled windows, once more from records that end on the day of issue"
    if audit.forecaster.usual_year is None:
        return Finding("filled inputs", ABSENT, looked_at, "a network whose inputs are never filled")
    scaled = audit.windows.with_data(audit.forecaster.scaling.apply(audit.windows.data))
    n_filled, n_later = _filled_from_later_days(audit, scaled)
    numbers = {"filled windows": n_filled, "of them from later days": n_later}
    if n_later:
        return Finding("filled inputs", LEAK, looked_at, f"days after the day of issue in {n_later} windows", numbers)
    held, apart = audit.forecaster.usual_year, {}
    for kind in (*ALLOWED, *FORBIDDEN):
        again = fit_usual_year(scaled, audit.days_of(kind, scaled.data))
        apart[kind] = float(np.abs(held.to_numpy() - again.to_numpy()).max()) if held.shape == again.shape else np.inf
        if apart[kind] <= SAME_YEAR:
            verdict = PASSED if kind in ALLOWED else LEAK
            return Finding("filled inputs", verdict, looked_at, kind, numbers | {"largest difference": apart[kind]})
    return Finding("filled inputs", UNKNOWN, looked_at, _nothing_known(apart), _differences(apart))


def _filled_from_later_days(audit: Audit, scaled: Patches) -> tuple[int, int]:
    """How many windows that lack something were filled twice, and how many came out in another way."""
    import torch

    given = resolve_filling(audit.forecaster.missing, audit.forecaster.usual_year, scaled)
    assert given is not None
    cube = given.of(scaled.to_torch(), None)
    tried = torch.arange(0, len(cube), max(1, len(cube) // 2000))
    chosen = [int(n) for n in tried[cube.has_missing(tried).any(1)][:FILLED]]
    later = 0
    for n in chosen:
        alone = cube.until(n)
        later += not torch.equal(alone.gather(torch.tensor([0])), cube.gather(torch.tensor([n])))
    return len(chosen), later


def _settings_of(degree: xr.Dataset) -> dict:
    """How a degree says that it was computed."""
    method = degree.attrs.get("method", "ccm")
    chosen = {name: degree.attrs[name] for name in OPTIONS.get(method, ()) if name in degree.attrs}
    stored = degree.coords.get("direction")
    direction = "cause_to_effect" if stored is None else "both" if stored.ndim else stored.item()
    return {"method": method, "direction": direction, **chosen}


def _rows(degree: xr.Dataset, audit: Audit) -> np.ndarray:
    """(places of the windows, numbers), as the network takes them."""
    values = driver_inputs.degrees_of_places(audit.windows, degree, audit.forecaster.drivers)
    return values.reshape(-1, values.shape[-1])[np.unique(audit.windows.cell)].astype("float64")


def _nothing_known(apart: dict[str, float]) -> str:
    if not apart:
        return "no such days in the data: give the data of the training"
    nearest = min(apart, key=lambda kind: apart[kind])
    return f"neither the training days nor the whole record of these data, nearest to {nearest}"


def _differences(apart: dict[str, float]) -> dict[str, float]:
    return {f"difference from {kind}": value for kind, value in apart.items()}
