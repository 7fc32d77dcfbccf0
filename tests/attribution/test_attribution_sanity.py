"""Sanity of attributions: random weights change them, and what they name moves the forecast when it is deleted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import spearmanr

from tests.support.forecasters import untrained
from tests.support.helpers import unchanged
from tests.support.towers import random_sites
from xdrought.attribution import attributions, deletion_curve, sanity, weight_randomisation
from xdrought.models.expected_gradients import NetworkInputs

FEW = {"n_background": 6, "n_draws": 24, "device": "cpu", "progress": False}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def sites() -> xr.Dataset:
    return random_sites(3, 120, 2)


# --- weights ----------------------------------------------------------------------------------------------


def test_layers_are_named_up_to_their_first_number():
    names = ["encoder.units.0.body.1.weight", "encoder.units.0.body.1.bias", "encoder.project.weight", "head.1.bias"]
    assert sanity._layers(dict.fromkeys(names)) == {
        "encoder.units.0": names[:2],
        "encoder.project": names[2:3],
        "head.1": names[3:],
    }


def test_attributions_of_random_weights_are_others_and_those_of_the_same_are_not(sites):
    forecaster = untrained(sites, "Rec", widths=(8, 8))
    state = torch.random.get_rng_state()
    with unchanged(sites):
        found = weight_randomisation(
            sites, forecaster, n_windows=25, randomisations=2, **(FEW | {"n_background": 40, "n_draws": 80})
        )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert found.similarity.dims == ("layer", "randomisation")
    assert found.layer.values.tolist() == [
        "none, other draws",
        "head.1",
        "head.0",
        "recurrence.cells.1",
        "recurrence.cells.0",
    ]
    mean = found.mean("randomisation")
    assert float(mean.signed_similarity[0]) > 0.85
    assert float(mean.similarity[0]) > 0.85
    assert float(mean.signed_similarity[-1]) < 0.5
    assert float(mean.similarity[-1]) < float(mean.similarity[0]) - 0.1


def test_the_last_layer_of_a_cascade_is_a_wholly_untrained_network(sites):
    forecaster = untrained(sites, "Rec")
    where = (sites.site == "S1") & sites.time.isin(sites.time[30:34])
    where = where.assign_coords(init_time=where.time)  # as that of a forecast
    found = weight_randomisation(sites, forecaster, where=where, seed=3, **FEW)
    fresh = dataclasses.replace(forecaster, weights=tuple(sanity._untrained(forecaster, 3, 0)))
    summed = {"reduce": ("patch_lat", "patch_lon", "cell"), "where": where.drop_vars("init_time"), "seed": 3}
    first, last = (attributions(sites, f, **summed, **FEW).attribution for f in (forecaster, fresh))
    rho = [
        [
            spearmanr(
                f(first.sel(site="S1", time=day)).values.ravel(), f(last.sel(site="S1", time=day)).values.ravel()
            ).statistic
            for day in first.time
        ]
        for f in (abs, lambda values: values)
    ]
    assert float(found.similarity[-1, 0]) == pytest.approx(np.mean(rho[0]), abs=1e-6)
    assert float(found.signed_similarity[-1, 0]) == pytest.approx(np.mean(rho[1]), abs=1e-6)
    assert found.attrs["n_windows"] == 4


def test_similarity_equals_scipy_and_knows_missing_and_equal_attributions():
    rng = np.random.default_rng(0)
    dims = ("site", "time", "variable", "window")
    first, second = (xr.DataArray(rng.integers(-4, 5, (2, 3, 4, 5)).astype(float), dims=dims) for _ in range(2))
    first[0, 0], second[1, 2] = np.nan, 0.0  # a window that is not explained, and one without any attribution
    found = sanity._similarity(first, second)
    rows = [np.delete(da.values.reshape(6, 20), 0, axis=0) for da in (first, second)]
    for name, pair in (("similarity", [abs(values) for values in rows]), ("signed_similarity", rows)):
        rho = [spearmanr(a, b).statistic if np.ptp(b) else 0.0 for a, b in zip(*pair, strict=True)]
        assert found[name].item() == pytest.approx(np.mean(rho), abs=1e-15)


def test_one_layer_at_a_time_keeps_the_others(sites):
    forecaster = untrained(sites, "CauRec", runs=2)
    both = [
        weight_randomisation(sites, forecaster, n_windows=8, cascade=cascade, **FEW).signed_similarity
        for cascade in (True, False)
    ]
    assert both[0].sizes == {"layer": 7, "randomisation": 1, "run": 2}
    xr.testing.assert_equal(both[0][:2], both[1][:2])  # the first layer is the same in both
    assert not np.allclose(both[0][2:], both[1][2:])


# --- deletion ---------------------------------------------------------------------------------------------


class Weighted(torch.nn.Module):
    """Sum of two days of two drivers, with weights 1, 10, -100, 1000."""

    def forward(self, x, causality=None):
        return x.flatten(1) @ torch.tensor([1.0, 10, -100, 1000])


def test_deleted_features_are_the_mean_over_backgrounds():
    x = torch.ones(2, 2, 2, 1, 1)
    background = torch.zeros(2, 2, 2, 1, 1)
    background[1] = 0.5  # in the mean 0.25, so each deleted weight moves the output by 0.75 of itself
    order = np.array([[3, 2, 1, 0], [0, 1, 2, 3]])
    found = sanity._changes(Weighted(), NetworkInputs(x), NetworkInputs(background), order, np.arange(5))
    np.testing.assert_allclose(found, 0.75 * np.array([[0, 0], [1000, 1], [900, 11], [910, 89], [911, 911]]), rtol=1e-6)


def test_orders_run_from_the_largest_to_the_smallest_and_back():
    importance = np.array([[3.0, 9, 1], [1, 2, 4]])
    first, random, last = sanity._orders(importance, 1, np.random.default_rng(0))
    np.testing.assert_array_equal(first, [[1, 0, 2], [2, 1, 0]])
    np.testing.assert_array_equal(last, [[1, 2, 0], [0, 1, 2]])
    assert sorted(random[0]) == [0, 1, 2]


def test_importance_rows_stand_in_the_order_of_the_windows(sites):
    forecaster = untrained(sites, "Rec")
    where = ((sites.site == "S2") & sites.time.isin(sites.time[[40, 60]])) | (
        (sites.site == "S0") & (sites.time == sites.time[50])
    )
    shares = attributions(sites, forecaster, where=where, reduce=("patch_lat", "patch_lon"), **FEW).attribution
    rows = sanity._rows(shares)
    expected = [
        shares.sel(site=s, time=sites.time[k]).transpose("window", "variable").values.ravel()
        for s, k in (("S0", 50), ("S2", 40), ("S2", 60))
    ]
    np.testing.assert_array_equal(rows, expected)


def test_what_attributions_name_moves_the_forecast_most(sites):
    forecaster = untrained(sites, "Rec", widths=(8, 8))
    settings = {"n_windows": 40, "n_background": 12, "n_draws": 48, "seed": 1, "device": "cpu"}
    with unchanged(sites):
        found = deletion_curve(sites, forecaster, steps=5, **settings)
    assert list(found.deleted) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    largest, random, smallest = (found.area.sel(order=name).item() for name in found.order.values)
    assert largest > 1.2 * random
    assert random > 1.2 * smallest
    assert 0 < float(found.lower) < float(found.advantage) < float(found.upper)
    assert float(found.advantage) == pytest.approx(largest - random, abs=1e-6)
    np.testing.assert_allclose(found.change[:, 0], 0, atol=1e-7)
    # with everything deleted it is the mean forecast of the background
    explained, _, few = sanity.draw_windows(sites, forecaster, None, 40, None, 1, "time")
    shares = attributions(sites, forecaster, where=few, seed=1, n_background=12, device="cpu", progress=False)
    end = float(abs(shares.prediction - shares.base_value).mean())
    np.testing.assert_allclose(found.change[:, -1], end, rtol=1e-4)
    assert found.change.attrs["units"] == sites.soil_moisture.attrs["units"]
    assert len(explained.windows) > 40


def test_several_runs_causality_and_the_interval_over_windows(sites):
    found = deletion_curve(sites, untrained(sites, "CauRec", runs=2), n_windows=10, steps=2, n_background=4, n_draws=8)
    assert found.change.sizes == {"run": 2, "order": 3, "deleted": 3}
    assert found.advantage.dims == ("run",)
    assert "over windows" in found.lower.attrs["long_name"]  # three sites are too few to draw from


def test_lazy_data_give_the_same(sites):
    forecaster = untrained(sites, "Rec")
    settings = {"n_windows": 10, "steps": 2, "n_background": 4, "n_draws": 8, "device": "cpu"}
    xr.testing.assert_allclose(
        deletion_curve(sites, forecaster, **settings), deletion_curve(sites.chunk(site=1), forecaster, **settings)
    )


def test_refusals(sites):
    forecaster = untrained(sites, "Rec")
    with pytest.raises(ValueError, match="n_windows=0; it must be a whole number, 1 or more"):
        weight_randomisation(sites, forecaster, n_windows=0)
    with pytest.raises(ValueError, match="randomisations=0.5; it must be a whole number"):
        weight_randomisation(sites, forecaster, randomisations=0.5)
    with pytest.raises(ValueError, match="steps=0; it must be a whole number"):
        deletion_curve(sites, forecaster, steps=0)
    with pytest.raises(ValueError, match="confidence=95; it must be a share"):
        deletion_curve(sites, forecaster, confidence=95)
    with pytest.raises(ValueError, match="where is True on 0 of its values"):
        deletion_curve(sites, forecaster, where=sites.soil_moisture < -99)
