"""Whether the parts of a forecaster that came from a file fit together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xdrought.forecast.forecaster import Forecaster
from xdrought.forecast.target_past import history_name, make_past
from xdrought.splits import PARTS


def check_forecaster(forecaster: Forecaster) -> None:
    """Raise ValueError for the first part of the wrong type or size; the weights are checked where they are read."""
    _check_names(forecaster)
    past = forecaster.past
    make_past(past.history, past.change, past.latency, "past")
    _require(_is_count(forecaster.lead), f"lead={forecaster.lead!r}")
    steps = forecaster.steps
    _require(isinstance(steps, Mapping) and all(isinstance(step, float) for step in steps.values()), f"steps={steps!r}")
    _require(forecaster.runs >= 1, "there are no weights")
    for name in ("target_attrs", "settings"):
        _require(isinstance(getattr(forecaster, name), Mapping), f"{name} is no mapping")
    _check_scaling(forecaster)
    _check_splits(forecaster)
    history, shape = forecaster.history, ("run", "epoch")
    for name in ("train_loss", "val_loss"):
        _require(_is_real(history[name], shape) and history.sizes["run"] == forecaster.runs, f"history has no {name}")
    _check_causality(forecaster)


def _check_names(forecaster: Forecaster) -> None:
    names = [*forecaster.features, forecaster.target]
    _require(all(isinstance(name, str) for name in names), f"names {names} are no text")
    _require(len(set(names)) == len(names), f"names {names} are given twice")
    _require(
        len(forecaster.features) == forecaster.architecture.n_features, f"features {names[:-1]} are too many or few"
    )
    _require(all(isinstance(u, str | None) for u in forecaster.units.values()), "units are no text")
    has_history = history_name(forecaster.target) in forecaster.features
    _require(has_history or not forecaster.past.history, "past.history without the driver that holds it")


def _check_scaling(forecaster: Forecaster) -> None:
    for name in ("mean", "std"):
        numbers: xr.DataArray = getattr(forecaster.scaling, name)
        chosen = numbers.sel(variable=[*forecaster.features, forecaster.target])
        _require(_is_real(chosen, ("variable",)) and bool(np.isfinite(chosen).all()), f"scaling has no {name}")
    _require(bool((forecaster.scaling.std > 0).all()), "scaling has a spread of 0")


def _check_splits(forecaster: Forecaster) -> None:
    splits = forecaster.splits
    for name in ("start", "end"):
        ranges = splits.ranges[name].sel(part=list(PARTS))
        _require(ranges.dtype.kind == "M", f"splits have no {name} dates")
    _require(_is_count(splits.embargo, 0) and isinstance(splits.time, str), "splits have no embargo or time")
    _require(len(splits.fractions) == len(PARTS) and all(0 <= f <= 1 for f in splits.fractions), "no shares of parts")


def _check_causality(forecaster: Forecaster) -> None:
    from xdrought.models.zoo import VARIANTS

    causality, spec = forecaster.causality, forecaster.architecture
    _require((causality is not None) == VARIANTS[spec.variant].causal, f"{spec.variant} and its causality")
    if causality is not None:
        drivers = causality.sel(variable=list(forecaster.drivers))
        for name in ("rho", "p_value"):
            _require(drivers[name].dtype.kind == "f", f"causality has no {name}")
        size = 2 * drivers.sizes["variable"] * drivers.sizes["cell"]
        _require(size == spec.n_causal, f"causality has {size} numbers, the network takes {spec.n_causal}")


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_real(da: xr.DataArray, dims: tuple[str, ...]) -> bool:
    return da.dims == dims and da.dtype.kind == "f"


def _require(good: bool, what: str) -> None:
    if not good:
        raise ValueError(what)
