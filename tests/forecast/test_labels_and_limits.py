"""Training, forecasts and attributions of data as they come: missing codes, wrong units, settings of the caller."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

import xdrought as xd
from tests.support.cures import follow
from tests.support.helpers import raise_if_dask_computes
from tests.support.towers import random_grid, random_sites

torch = pytest.importorskip("torch")
QUICK = {"variant": "Rec", "widths": (4, 4), "epochs": 1, "device": "cpu", "progress": False, "window": 5, "lead": 2}
TARGET = "soil_moisture"


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return random_sites(2, 200)


@pytest.fixture(scope="module")
def forecaster(ds) -> xd.Forecaster:
    return xd.fit_resattcaurec(ds, TARGET, **QUICK)


def spoilt(ds: xr.Dataset, name: str, value: float = -9999.0) -> xr.Dataset:
    return ds.assign({name: ds[name].where(ds.time != ds.time[30], value)})


DOORS = {
    "patches": lambda ds, forecaster: xd.patches(ds, TARGET, window=5, lead=2),
    "fit": lambda ds, forecaster: xd.fit_resattcaurec(ds, TARGET, **QUICK),
    "predict": lambda ds, forecaster: xd.predict(ds, forecaster),
    "attributions": lambda ds, forecaster: xd.attributions(ds, forecaster, n_background=4, n_draws=4),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("name", "value"), [("tp", -9999.0), ("t2m", 20.0)])
def test_missing_codes_and_impossible_drivers_are_refused_at_every_door(door, name, value, ds, forecaster):
    with pytest.raises(ValueError, match=f"'{name}' h.*2 of (-9999|400 values outside)") as caught:
        DOORS[door](spoilt(ds, name, value), forecaster)
    cured = ds.assign({name: follow(str(caught.value), da=spoilt(ds, name, value)[name])["da"]})
    DOORS[door](cured, forecaster)


@pytest.mark.parametrize("door", ["patches", "fit"])
def test_missing_codes_in_the_target_are_refused(door, ds, forecaster):
    with pytest.raises(ValueError, match="'soil_moisture' holds codes of missing values"):
        DOORS[door](spoilt(ds, TARGET), forecaster)


def test_kelvin_labelled_celsius_is_refused_and_the_cure_works(ds, forecaster):
    wrong = ds.assign(t2m=ds.t2m.assign_attrs(units="degC"))
    with pytest.raises(ValueError, match="'t2m' has 400 of 400 values outside .* all values fit 'K'") as caught:
        xd.predict(wrong, forecaster)
    cured = ds.assign(t2m=follow(str(caught.value), da=wrong.t2m)["da"])
    xr.testing.assert_identical(xd.predict(cured, forecaster), xd.predict(ds, forecaster))


def test_lazy_drivers_are_checked_in_their_blocks(ds, forecaster):
    with raise_if_dask_computes():
        lazy = xd.predict(spoilt(ds, "tp").chunk(site=1), forecaster)
    with pytest.raises(ValueError, match="'tp' holds codes of missing values"):
        lazy.compute()
    grid = random_grid().chunk(lat=3)
    with raise_if_dask_computes():
        windows = xd.patches(grid.assign(tp=grid.tp.where(grid.lat < 50, -9999.0)), "swvl1", size=2, window=5)
    with pytest.raises(ValueError, match="'tp' holds codes of missing values"):
        len(windows)


def test_the_change_of_soil_moisture_may_be_negative(ds):
    assert xd.fit_resattcaurec(ds, TARGET, predict_change=True, **QUICK).target == TARGET


# ---- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [-1, None, 1.5, "a", True])
@pytest.mark.parametrize(
    "call",
    [
        lambda ds, seed: xd.fit_resattcaurec(ds, TARGET, **QUICK, seed=seed),
        lambda ds, seed: xd.ccm(ds.tp, ds[TARGET], library_size=50, seed=seed),
        lambda ds, seed: xd.verify(ds[TARGET][:, 100:], ds[TARGET], lead=7, seed=seed),
    ],
)
def test_seeds_are_whole_numbers(call, seed, ds):
    with pytest.raises(ValueError, match=f"seed={seed!r}; it must be a whole number, 0 or more"):
        call(ds, seed)


def weights_of(forecaster: xd.Forecaster) -> list[np.ndarray]:
    return [value.numpy() for value in forecaster.weights[0].values()]


def test_the_default_type_of_torch_changes_nothing(ds, forecaster):
    torch.set_default_dtype(torch.float64)
    try:
        other = xd.fit_resattcaurec(ds, TARGET, **QUICK)
        forecast = xd.predict(ds, forecaster)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    for one, two in zip(weights_of(other), weights_of(forecaster), strict=True):
        np.testing.assert_array_equal(one, two)
    xr.testing.assert_identical(forecast, xd.predict(ds, forecaster))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_and_attribution_take_their_own_gradients(mode, ds, forecaster):
    with mode():
        other = xd.fit_resattcaurec(ds, TARGET, **QUICK)
        found = xd.attributions(ds, forecaster, n_background=4, n_draws=4)
    for one, two in zip(weights_of(other), weights_of(forecaster), strict=True):
        np.testing.assert_array_equal(one, two)
    xr.testing.assert_identical(found, xd.attributions(ds, forecaster, n_background=4, n_draws=4))


def test_settings_of_numpy_change_nothing(ds):
    pair = ds.tp.where(ds.time != ds.time[5]), ds[TARGET]
    plain = xd.ccm(*pair), xd.choose_embedding(ds[TARGET], max_dim=3)
    before = np.seterr(all="raise")
    try:
        strict = xd.ccm(*pair), xd.choose_embedding(ds[TARGET], max_dim=3)
    finally:
        np.seterr(**before)
    for one, two in zip(plain, strict, strict=True):
        xr.testing.assert_identical(one, two)


@pytest.fixture(scope="module")
def dry(ds, forecaster) -> xd.Forecaster:
    """A network that forecasts soils drier than dry on many days."""
    wild = dict(forecaster.weights[0])
    (last,) = [name for name, w in wild.items() if w.shape == (1,)]  # the bias of the last layer
    wild[last] = wild[last] - 3.0
    return dataclasses.replace(forecaster, weights=(wild,))


def test_impossible_forecasts_are_set_to_the_limit_and_taken_by_the_functions_of_events(ds, dry):
    with xd.set_options(check_limits=False):
        raw = xd.predict(ds, dry)[TARGET]
    assert (raw < -0.02).any()
    with pytest.raises(ValueError, match=r"if this is a forecast of your own, keep it possible with da = da\.clip"):
        xd.drought_classes(raw, reference=ds[TARGET])
    with pytest.warns(UserWarning, match=r"values forecast of 'soil_moisture' lay beyond what volumetric"):
        found = xd.predict(ds, dry)[TARGET]
    np.testing.assert_array_equal(found, raw.clip(np.float32(-0.02), np.float32(1.02)))
    assert found.attrs["limited_to"] == "-0.02 to 1.02 m3 m-3"
    classes = xd.drought_classes(found, reference=ds[TARGET])
    with xd.set_options(check_limits=False):  # ranks among what was observed do not see the difference
        xr.testing.assert_equal(classes, xd.drought_classes(raw, reference=ds[TARGET]))
    lazy = xd.predict(ds.chunk(site=1), dry)[TARGET]
    np.testing.assert_array_equal(lazy, found)
