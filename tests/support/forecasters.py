"""Forecasters with made-up weights: everything that a forecast needs, without the time of a training."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr

from xdrought.forecast.driver_inputs import (
    causality_of_places,
    grid_steps,
    training_causality,
    training_windows,
)
from xdrought.forecast.forecaster import Forecaster
from xdrought.forecast.missing_inputs import fit_usual_year
from xdrought.forecast.options import MissingInputs, checked_missing, checked_target_inputs
from xdrought.models.zoo import VARIANTS, architecture, build_architecture
from xdrought.scaling import fit_scaling
from xdrought.splits import chronological


def untrained(
    ds: xr.Dataset,
    variant: str = "Rec",
    *,
    target: str = "soil_moisture",
    drivers: tuple[str, ...] = ("tp", "t2m"),
    window: int = 5,
    lead: int = 2,
    size: int | None = None,
    runs: int = 1,
    widths: tuple[int, ...] = (4, 4),
    history: bool = False,
    change: bool = False,
    latency: int = 0,
    missing: str | MissingInputs = "none",
) -> Forecaster:
    """What a training of `ds` would give, with the initial weights."""
    used, missing = checked_target_inputs(history, change, latency), checked_missing(missing)
    windows = training_windows(ds, target, drivers, size, window, lead, "time", used, missing.largest_share)
    splits = chronological(windows)
    names = [*windows.drivers, target]
    degree, n_causal = None, 0
    if VARIANTS[variant].causal:
        degree = training_causality(windows, splits)
        n_causal = causality_of_places(windows, degree).shape[1]
    n_features = len(windows.drivers) * (2 if missing.is_used else 1)
    spec = architecture(variant, n_features, n_causal, windows.size, window, "paper", widths, None)
    generator = torch.Generator().manual_seed(0)
    weights = tuple(build_architecture(spec, generator).state_dict() for _ in range(runs))
    scaling = fit_scaling(windows.data, names, train=splits.training_days(windows.data.time))
    scaled = windows.with_data(scaling.apply(windows.data))
    losses = (("run", "epoch"), np.ones((runs, 1)))
    return Forecaster(
        architecture=spec,
        weights=weights,
        features=windows.drivers,
        target=target,
        units={name: windows.data[name].attrs.get("units") for name in names},
        target_attrs=dict(windows.data[target].attrs),
        lead=lead,
        scaling=scaling,
        causality=degree,
        splits=splits,
        history=xr.Dataset({"train_loss": losses, "val_loss": losses, "best_epoch": ("run", np.zeros(runs, int))}),
        settings={"epochs": 0},
        target_inputs=used,
        steps=grid_steps(windows),
        missing=missing,
        usual_year=fit_usual_year(scaled, splits.training_days(scaled.data.time)) if missing.is_used else None,
    )
