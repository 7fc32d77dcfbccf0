"""Quantile forecasts: in order, corrected on the validation part, lazy, and what is said where they are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tests.support.helpers import raise_if_dask_computes
from tests.support.towers import forced_soil, random_grid
from xdrought import load_forecaster
from xdrought.forecast.conformal import corrected, corrections
from xdrought.forecast.fitting import fit_resattcaurec, predict

TARGET, LEVELS = "soil_moisture", (0.1, 0.25, 0.5, 0.9)
QUICK = {"variant": "Rec", "widths": (6,), "window": 5, "epochs": 3, "learning_rate": 0.01, "batch_size": 64}
QUICK |= {"device": "cpu", "progress": False}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return forced_soil(3, 1000)


def fit(ds, **options):
    return fit_resattcaurec(ds, TARGET, ["tp", "t2m"], **QUICK | {"quantiles": LEVELS} | options)


@pytest.mark.parametrize(
    "options",
    [
        {"lead": 3},
        {"lead": [1, 3], "runs": 2, "target_history": True, "predict_change": True},
        {"lead": [1, 3], "future": ["tp"], "forcing": "climatology"},
        {"lead": 3, "future": ["tp"], "forcing": "observed"},
    ],
)
def test_quantiles_are_in_order_corrected_lazy_and_in_the_file(ds, options, tmp_path):
    forecaster, how = fit(ds, **options), {"forcing": options.get("forcing")}
    found = predict(ds, forecaster, **how)
    da = found[TARGET]
    assert da.dims[-1] == "quantile"
    assert da["quantile"].values.tolist() == list(LEVELS)
    assert bool((da.diff("quantile").fillna(0) >= 0).all())
    assert found.attrs["conformal"] == "by the validation part of each of 3 place(s)"
    with raise_if_dask_computes():
        lazy = predict(ds.chunk(site=2), forecaster, **how)
    xr.testing.assert_identical(lazy.compute(), found)
    forecaster.save(tmp_path / "f.xdrought")
    xr.testing.assert_identical(predict(ds, load_forecaster(tmp_path / "f.xdrought"), **how), found)
    # in the validation part each quantile is right as often as it says, at every place
    each = da.mean("run") if "run" in da.dims else da
    valid = found.valid_time if "valid_time" in found else found.time
    seen = ds[TARGET].reindex(time=pd.Index(np.unique(valid))).sel(time=valid.reset_coords(drop=True))
    below = (seen.drop_vars("time", errors="ignore") <= each).where(each.notnull() & (found.part == 2))
    share = below.mean([dim for dim in below.dims if dim not in ("site", "quantile", "lead_time")])
    np.testing.assert_allclose(
        (share - xr.DataArray(list(LEVELS), dims="quantile")).values, 0, atol=0.03 if "run" not in da.dims else 0.06
    )


def test_quantiles_of_a_grid():
    ds = random_grid(4, 5, 300)
    options = QUICK | {"epochs": 1, "size": 2, "quantiles": (0.1, 0.5, 0.9)}
    forecaster = fit_resattcaurec(ds, "swvl1", ["tp", "t2m"], **options)
    found = predict(ds, forecaster)
    assert found.swvl1.dims == ("time", "lat", "lon", "quantile")
    xr.testing.assert_identical(predict(ds.chunk(lat=2, lon=3), forecaster).compute(), found)


def test_places_that_are_not_known_are_corrected_as_all_are_and_it_is_said(ds):
    forecaster = fit(ds, lead=[1, 3])
    known, other = predict(ds, forecaster), predict(ds.assign_coords(site=["S0", "new", "S2"]), forecaster)
    assert other.attrs["conformal"] == (
        "by the validation part of each of 2 place(s); 1 unseen place(s), or with few validation days, by that of all "
        "places"
    )
    xr.testing.assert_equal(other[TARGET].isel(site=[0, 2]), known[TARGET].isel(site=[0, 2]))
    assert (other[TARGET].isel(site=1) != known[TARGET].isel(site=1)).any()


def test_corrections_by_hand():
    """Errors of 0, 1, ... 199 at one place and of 1000 at another with too few days."""
    days = pd.date_range("2001-01-01", periods=250)
    observed = xr.DataArray(np.full((2, 250), np.nan), {"site": ["A", "B"], "time": days}, ("site", "time"))
    observed[0, :200] = np.arange(200.0)
    observed[1, :20] = 1000.0
    forecast = xr.zeros_like(observed).expand_dims({"quantile": [0.25, 0.5]}, -1)
    forecast = forecast.assign_coords(part=("time", np.full(250, 2, "int8")))
    found = corrections(forecast, observed, "time")
    np.testing.assert_allclose(found.by_place.sel(site="A"), np.quantile(np.arange(200), [0.25, 0.5]))
    assert found.by_place.sel(site="B").isnull().all()
    every = np.concatenate([np.arange(200), np.full(20, 1000)])
    np.testing.assert_allclose(found.of_all, [np.quantile(every, 0.25), np.quantile(every, 0.5)])
    raw = forecast + xr.DataArray([500.0, 0.0], dims="quantile")  # cross after the correction
    moved, words = corrected(raw, found)
    a = np.quantile(np.arange(200), [0.25, 0.5]) + [500, 0]
    np.testing.assert_allclose(moved.sel(site="A").isel(time=0), np.sort(a), rtol=1e-6)
    assert "each of 1 place(s); 1 unseen" in words
    nothing = corrections(forecast.assign_coords(part=("time", np.full(250, 1, "int8"))), observed, "time")
    assert nothing.by_place.isnull().all()


@pytest.mark.parametrize(
    ("levels", "match"),
    [
        ((0.5, 0.1), "growing order"),
        ((0.5, 0.5), "each once"),
        ((0.0, 0.5), "between 0 and 1"),
        ((0.5, 1.2), "between"),
    ],
)
def test_quantiles_that_cross_or_are_none_are_refused(ds, levels, match):
    with pytest.raises(ValueError, match=match):
        fit(ds, quantiles=levels)


def test_networks_without_a_recurrence_have_no_quantiles(ds):
    with pytest.raises(ValueError, match="no recurrence"):
        fit(ds, variant="ResAtt", widths=None)
