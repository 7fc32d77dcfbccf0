"""A network of the user's own: trained, run, saved and read back like ours, and clear about what does not fit."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from tests.support.helpers import raise_if_dask_computes
from tests.support.towers import forced_soil
from xdrought import TrainingOptions, load_forecaster
from xdrought.forecast.fitting import fit_resattcaurec, predict

TARGET = "soil_moisture"
QUICK = {"window": 5, "lead": 2, "batch_size": 128, "device": "cpu", "progress": False, "epochs": 2}


class Flat(nn.Module):
    """A linear layer over the whole window, after torch's dropout, with a constant that is no weight."""

    def __init__(self, n_features: int, window: int, size: int, scale: float = 1.0):
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.dropout, self.out = nn.Dropout(0.2), nn.Linear(n_features * window * size * size, 1)

    def forward(self, x):
        return self.out(self.dropout(x.flatten(1))).squeeze(1) * self.scale


class Told(nn.Module):
    """A layer over the causality degree and the last day."""

    def __init__(self, n_features: int, n_causal: int):
        super().__init__()
        self.degree, self.last = nn.Linear(n_causal, 1), nn.Linear(n_features, 1)

    def forward(self, x, causality):
        return (self.degree(causality) + self.last(x[:, -1].mean((2, 3)))).squeeze(1)


class Ahead(nn.Module):
    """A linear layer over the last day for each lead."""

    def __init__(self, n_features: int, n_leads: int):
        super().__init__()
        self.out = nn.Linear(n_features, n_leads)

    def forward(self, x):
        return self.out(x[:, -1].mean((2, 3)))


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    torch.set_num_threads(1)
    return forced_soil(2, 300)


def fit(ds, network, **options):
    return fit_resattcaurec(ds, TARGET, ["tp", "t2m"], network=network, **QUICK | {"learning_rate": 0.01} | options)


@pytest.mark.parametrize("network", [Flat, Told, partial(Flat, scale=2.0)])
def test_it_is_trained_run_lazily_saved_and_read_back(ds, network, tmp_path):
    state = torch.random.get_rng_state()
    forecaster = fit(ds, network, runs=2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (forecaster.causality is not None) == (network is Told)
    assert "Told" in repr(forecaster) or "Flat" in repr(forecaster)
    found = predict(ds, forecaster)
    with raise_if_dask_computes():
        lazy = predict(ds.chunk(site=1), forecaster)
    xr.testing.assert_identical(lazy.compute(), found)
    forecaster.save(tmp_path / "f.xdrought")
    again = load_forecaster(tmp_path / "f.xdrought", network=network)
    xr.testing.assert_identical(predict(ds, again), found)
    np.testing.assert_array_equal(
        [w.numpy() for w in again.weights[1].values()][0], [w.numpy() for w in forecaster.weights[1].values()][0]
    )


def test_the_forecast_is_what_the_module_says_of_each_window(ds):
    """Window by window, with the scaling undone by hand."""
    forecaster = fit(ds, partial(Flat, scale=2.0))
    weight, bias = (forecaster.weights[0][f"own.out.{name}"].double().numpy() for name in ("weight", "bias"))
    mean, std = forecaster.scaling.mean, forecaster.scaling.std
    found = predict(ds, forecaster)[TARGET]
    for day in (10, 100):
        days = ds.isel(site=1, time=slice(day - 4, day + 1))
        x = np.stack([(days[n] - mean.sel(variable=n)) / std.sel(variable=n) for n in ("tp", "t2m")], axis=1)
        scaled = 2 * (x.ravel() @ weight[0] + bias[0])
        expected = scaled * float(std.sel(variable=TARGET)) + float(mean.sel(variable=TARGET))
        assert float(found.isel(site=1).sel(time=ds.time[day] + np.timedelta64(2, "D"))) == pytest.approx(
            expected, rel=1e-4
        )


def test_several_leads_are_what_the_module_says_of_each(ds, tmp_path):
    forecaster = fit(ds, Ahead, lead=[1, 3])
    found = predict(ds, forecaster)
    assert found[TARGET].dims == ("site", "init_time", "lead_time")
    weight, bias = (forecaster.weights[0][f"own.out.{name}"].double().numpy() for name in ("weight", "bias"))
    mean, std = forecaster.scaling.mean, forecaster.scaling.std
    today = ds[["tp", "t2m"]].isel(site=1, time=100)
    x = np.array([(today[n] - mean.sel(variable=n)) / std.sel(variable=n) for n in ("tp", "t2m")])
    expected = (weight @ x + bias) * float(std.sel(variable=TARGET)) + float(mean.sel(variable=TARGET))
    at = found[TARGET].isel(site=1).sel(init_time=ds.time[100].values)
    np.testing.assert_allclose(at, expected, rtol=1e-4)
    with raise_if_dask_computes():
        lazy = predict(ds.chunk(site=1), forecaster)
    xr.testing.assert_identical(lazy.compute(), found)
    forecaster.save(tmp_path / "f.xdrought")
    again = load_forecaster(tmp_path / "f.xdrought", network=Ahead)
    xr.testing.assert_identical(predict(ds, again), found)
    one = predict(ds, fit(ds, Ahead, lead=2))  # one lead: the axis of the leads is gone
    assert one[TARGET].dims == ("site", "time")


def test_the_same_seed_gives_the_same_weights_also_with_torchs_dropout_and_a_checkpoint(ds, tmp_path):
    torch.manual_seed(1)
    first = fit(ds, Flat, epochs=3)
    torch.manual_seed(2)
    fit(ds, Flat, epochs=1, checkpoint=tmp_path / "c")
    second = fit(ds, Flat, epochs=3, checkpoint=tmp_path / "c")
    for name, tensor in first.weights[0].items():
        assert torch.equal(tensor, second.weights[0][name])
    with pytest.raises(ValueError, match="was made with .*network="):
        fit(ds, partial(Flat, scale=2.0), epochs=3, checkpoint=tmp_path / "c")


def test_parts_can_be_frozen_and_taken_over(ds):
    first = fit(ds, Told)
    tuned = fit(ds, Told, start_from=first, training=TrainingOptions(freeze=("last",)))
    assert torch.equal(tuned.weights[0]["own.last.weight"], first.weights[0]["own.last.weight"])
    assert not torch.equal(tuned.weights[0]["own.degree.weight"], first.weights[0]["own.degree.weight"])


def test_a_file_needs_the_class_and_says_which(ds, tmp_path):
    fit(ds, Flat, epochs=1).save(tmp_path / "own.xdrought")
    with pytest.raises(TypeError, match=r"weights of .*test_own_network\.Flat, .* give its class, .*network=Flat\)"):
        load_forecaster(tmp_path / "own.xdrought")
    with pytest.raises(ValueError, match="the weights are not those of Flat"):
        load_forecaster(tmp_path / "own.xdrought", network=Wider)
    ours = fit_resattcaurec(ds, TARGET, ["tp", "t2m"], variant="Rec", widths=(3,), **QUICK)
    ours.save(tmp_path / "ours.xdrought")
    with pytest.raises(TypeError, match="load it without network="):
        load_forecaster(tmp_path / "ours.xdrought", network=Flat)


class Wider(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.out = nn.Linear(n_features, 2)


class Wide(Flat):
    def forward(self, x):
        return super().forward(x)[:, None]


class Short(Ahead):
    def forward(self, x):
        return super().forward(x)[:, :1]


class Empty(nn.Module):
    pass


class Strange(nn.Module):
    def __init__(self, hidden):
        super().__init__()


@pytest.mark.parametrize(
    ("network", "options", "error", "match"),
    [
        (Wide, {}, ValueError, r"Wide gave \(\d+, 1\) for \d+ windows; it must give one value for each"),
        (Empty, {}, TypeError, "Empty gave Empty without weights"),
        (Strange, {}, TypeError, r"Strange cannot be made with \{\} .*fill in anything else with functools.partial"),
        (
            Flat,
            {"lead": [1, 2]},
            ValueError,
            "Flat takes no n_leads, .*and 2 leads are asked for",
        ),
        (Flat, {"quantiles": (0.1, 0.9)}, ValueError, "a network of your own, which knows neither future= nor quant"),
        (Ahead, {"future": ["tp"], "forcing": "observed"}, ValueError, "which knows neither future= nor quantiles="),
        (partial(Ahead, n_leads=1), {"lead": [1, 2]}, ValueError, "Ahead takes no n_leads"),
        (
            Short,
            {"lead": [1, 2]},
            ValueError,
            r"Short gave \(\d+, 1\) for \d+ windows; it must give 2 for each",
        ),
        (Flat, {"widths": (4,)}, ValueError, "beside a network of your own"),
    ],
)
def test_networks_that_do_not_fit(ds, network, options, error, match):
    with pytest.raises(error, match=match):
        fit(ds, network, **options)
