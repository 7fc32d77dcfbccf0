"""A training of seconds, as many tests need one."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xdrought.forecast.fitting import fit_resattcaurec

TARGET, DRIVERS = "soil_moisture", ["tp", "t2m"]
QUICK = {
    "window": 5,
    "lead": 2,
    "epochs": 2,
    "batch_size": 64,
    "device": "cpu",
    "progress": False,
    "widths": (4, 4),
}


def quick(ds: xr.Dataset, variant: str = "Rec", target: str = TARGET, features=DRIVERS, **options):
    return fit_resattcaurec(ds, target, features, variant=variant, **(QUICK | options))


def weights_of(forecaster, run: int = 0) -> np.ndarray:
    return np.concatenate([tensor.double().numpy().ravel() for tensor in forecaster.weights[run].values()])
