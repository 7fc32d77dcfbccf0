"""Attributions on labels: the network's own numbers on coordinates, completeness, the training part, refusals."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from tests.support.forecasters import untrained
from tests.support.helpers import unchanged
from tests.support.towers import forced_soil, random_grid, random_sites
from xdrought.attribution import explained_windows as attribution_inputs
from xdrought.attribution.expected_gradients import attributions
from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.models.expected_gradients import NetworkInputs, balanced_draws, expected_gradients, frozen
from xdrought.windows.labelled import patches

TARGET = "soil_moisture"
FEW = {"n_background": 6, "n_draws": 12, "progress": False, "device": "cpu"}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def sites() -> xr.Dataset:
    return random_sites(3, 120, 2)


@pytest.fixture(scope="module")
def causal(sites):
    return untrained(sites, "ResAttCauRec")


@pytest.fixture(scope="module")
def some(sites) -> xr.DataArray:
    """Three valid times of S2 and one of S0."""
    return ((sites.site == "S2") & sites.time.isin(sites.time[[40, 41, 60]])) | (
        (sites.site == "S0") & (sites.time == sites.time[60])
    )


# --- the numbers and where they stand ---------------------------------------------------------------------


def test_each_window_has_its_own_numbers_at_its_valid_time(sites, causal, some):
    found = attributions(sites, causal, where=some, reduce=(), **FEW)
    assert found.attribution.dims == ("site", "time", "variable", "window", "patch_lat", "patch_lon")
    assert list(found.site) == ["S0", "S2"]
    assert list(found.time) == list(sites.time[[40, 41, 60]])
    assert (found.time - found.init_time == np.timedelta64(2, "D")).all()
    assert list(found.window) == [-4, -3, -2, -1, 0]
    np.testing.assert_array_equal(found.prediction.notnull(), [[False, False, True], [True, True, True]])

    p = patches(causal.scaling.apply(sites), drivers=causal.features, window=5, lead=2)
    train = causal.splits.windows(p, "train")
    background = attribution_inputs.background_windows(p, causal, 6, 0)
    assert set(background) <= set(train)
    degree = {name: causal.causality.sel(site=name) for name in ("S0", "S1", "S2")}

    def inputs(windows):
        x = torch.from_numpy(np.stack([w.inputs.values for w in windows])).float()
        vectors = [
            np.concatenate(
                [degree[w.site.item()][q].fillna(fill).values.ravel() for q, fill in (("rho", 0), ("p_value", 1))]
            )
            for w in windows
        ]
        return NetworkInputs(x, torch.from_numpy(np.stack(vectors)).float())

    k = next(k for k in range(len(p)) if p[k].site == "S2" and p[k].valid_time == sites.time[41])
    network = frozen(causal.network())
    draws = balanced_draws([k], 6, 12, 0)
    expected = expected_gradients(network, inputs([p[k]]), inputs([p[int(b)] for b in background]), draws)
    std = float(causal.scaling.std.sel(variable=TARGET))
    here = found.sel(site="S2", time=sites.time[41])
    np.testing.assert_allclose(
        here.attribution.transpose("window", "variable", ...), expected.x[0] * std, rtol=1e-3, atol=1e-9
    )
    vector = here.causality_attribution.transpose("quantity", "variable", "cell").values.ravel()
    np.testing.assert_allclose(vector, expected.causality[0] * std, rtol=1e-3, atol=1e-9)


def test_the_forecast_is_predicts_and_the_base_is_the_training_mean(sites, causal, some):
    found = attributions(sites, causal, where=some, **FEW)
    forecast = predict(sites, causal, device="cpu")[TARGET]
    forecast = forecast.sel(site=found.site, time=found.time).where(found.prediction.notnull())
    np.testing.assert_allclose(found.prediction, forecast, atol=1e-6)
    everything = attributions(sites, causal, where=some, **(FEW | {"n_background": 10**6}))
    p = patches(sites, drivers=causal.features, window=5, lead=2)
    train = p.to_labels(np.isin(np.arange(len(p)), causal.splits.windows(p, "train")))
    mean = float(predict(sites, causal, device="cpu")[TARGET].where(train).mean())
    assert float(everything.base_value) == pytest.approx(mean, abs=1e-6)
    assert everything.attrs["n_background"] == int(train.sum())


def test_shares_add_up_to_the_forecast_above_the_base(sites, causal, some):
    found = attributions(sites, causal, where=some, **(FEW | {"n_draws": 60}))
    total = found.attribution.sum("variable") + found.causality_attribution.sum(["quantity", "variable"])
    above = (found.prediction - found.base_value).where(some)
    error = (total - above).where(found.prediction.notnull())
    np.testing.assert_allclose(found.completeness_error, error, atol=1e-7)
    assert float(np.sqrt((error**2).mean() / (above**2).mean())) < 0.01


@pytest.mark.parametrize("reduce", [("window",), ("patch_lat", "patch_lon"), ("cell",), "window"])
def test_sums_over_dimensions_are_sums(sites, causal, some, reduce):
    whole = attributions(sites, causal, where=some, reduce=(), **FEW)
    found = attributions(sites, causal, where=some, reduce=reduce, **FEW)
    names = [reduce] if isinstance(reduce, str) else list(reduce)
    inside = [name for name in names if name != "cell"]
    expected = whole.attribution.sum(inside, skipna=False)
    xr.testing.assert_allclose(found.attribution, expected, rtol=1e-3, atol=1e-8)
    expected = whole.causality_attribution
    expected = expected.sum("cell", skipna=False) if "cell" in names else expected
    xr.testing.assert_allclose(found.causality_attribution, expected, rtol=1e-3, atol=1e-8)


def test_the_cells_of_patches_keep_their_places(sites, causal, some):
    pytest.importorskip("cartopy")
    import matplotlib.pyplot as plt

    from xdrought.plot import plot_map

    north, east = xr.DataArray([0.25, 0.0], dims="patch_lat"), xr.DataArray([0.0, 0.25], dims="patch_lon")
    origin = xr.DataArray([10.0, 20.0, 30.0], {"site": sites.site})
    placed = sites.assign_coords(cell_lat=origin + north, cell_lon=origin - 5 + east)
    found = attributions(placed, causal, where=some, reduce=("window", "cell"), **FEW)
    np.testing.assert_array_equal(found.cell_lat.sel(site="S2"), [30.25, 30.0])
    np.testing.assert_array_equal(found.cell_lon.sel(site="S0"), [5.0, 5.25])
    lazy = attributions(placed.chunk(site=1), causal, where=some, reduce=("window", "cell"), **FEW)
    np.testing.assert_array_equal(lazy.cell_lat, placed.cell_lat)
    assert "cell_lat" not in attributions(placed, causal, where=some, reduce=("patch_lat", "patch_lon"), **FEW).coords
    one = found.attribution.sel(site="S2").isel(time=1, variable=0)
    ax = plot_map(one)
    (mesh,) = [c for c in ax.collections if type(c).__name__ == "GeoQuadMesh"]
    np.testing.assert_allclose(
        np.asarray(mesh.get_array()).ravel(), one.transpose("patch_lat", "patch_lon").values.ravel()
    )
    edges = mesh.get_coordinates()
    np.testing.assert_allclose((edges[1:, 0, 1] + edges[:-1, 0, 1]) / 2, [30.25, 30.0])
    np.testing.assert_allclose((edges[0, 1:, 0] + edges[0, :-1, 0]) / 2, [25.0, 25.25])
    plt.close("all")


def test_which_others_are_explained_changes_nothing(sites, causal, some):
    few = attributions(sites, causal, where=some, **FEW)
    one = attributions(sites, causal, where=some & (sites.time == sites.time[41]), **FEW)
    xr.testing.assert_allclose(few.attribution.sel(site=one.site, time=one.time), one.attribution, rtol=1e-3, atol=1e-8)
    tight = attributions(sites, causal, where=some, **FEW, memory_limit="300 kB")
    xr.testing.assert_allclose(tight.attribution, few.attribution, rtol=1e-3, atol=1e-8)
    assert not np.allclose(few.attribution, attributions(sites, causal, where=some, seed=1, **FEW).attribution)


def test_grids_by_coordinates():
    ds = random_grid(4, 4, 60)
    forecaster = untrained(ds, "CauRec", target="swvl1", size=2)
    where = (ds.lat == ds.lat[1]) & (ds.time == ds.time[30])
    found = attributions(ds, forecaster, where=where, **FEW)
    assert found.attribution.dims == ("time", "lat", "lon", "variable")
    assert list(found.lat) == [ds.lat[1]]
    assert list(found.lon) == list(ds.lon[:3])  # the last column is no centre of a patch of 2
    forecast = predict(ds, forecaster, device="cpu").swvl1.sel(time=found.time, lat=found.lat, lon=found.lon)
    np.testing.assert_allclose(found.prediction, forecast, atol=1e-6)
    for name in ("lat", "lon"):
        np.testing.assert_array_equal(found[name], forecast[name])


def test_several_runs_and_networks_without_causality(sites, some):
    forecaster = untrained(sites, "Rec", runs=2)
    found = attributions(sites, forecaster, where=some, **FEW)
    assert found.attribution.dims == ("run", "site", "time", "variable")
    assert found.base_value.dims == ("run",)
    assert "causality_attribution" not in found
    assert found.attrs["variant"] == "Rec"
    assert not np.allclose(found.attribution.isel(run=0), found.attribution.isel(run=1), equal_nan=True)


def test_a_unet_is_explained_too():
    ds = random_sites(1, 80, 2)
    forecaster = untrained(ds, "UNet", widths=(2, 3))
    found = attributions(ds, forecaster, where=ds.time == ds.time[50], **(FEW | {"n_draws": 120}))
    above = found.prediction - found.base_value
    assert abs(found.completeness_error.item()) < 0.05 * abs(above.item())


def test_the_targets_own_past_is_a_driver_without_causality(sites, some):
    forecaster = untrained(sites, "CauRec", history=True)
    found = attributions(sites, forecaster, where=some, **FEW)
    assert list(found.variable) == ["tp", "t2m", "soil_moisture_history"]
    shares = found.causality_attribution.isel(site=1, time=0)
    np.testing.assert_array_equal(shares.notnull().all("quantity"), [True, True, False])


def test_units_labels_and_settings(sites, causal, some):
    with unchanged(sites, some):
        found = sites.xdrought.attributions(causal, where=some, **FEW)
    for name in ("attribution", "causality_attribution", "prediction", "completeness_error", "base_value"):
        assert found[name].attrs["units"] == "m3 m-3"
        assert found[name].attrs["long_name"]
    assert {name: found.attrs[name] for name in ("method", "n_background", "n_draws", "seed", "window", "lead")} == {
        "method": "balanced",
        "n_background": 6,
        "n_draws": 12,
        "seed": 0,
        "window": 5,
        "lead": 2,
    }
    assert found.attrs["reduced"] == "window patch_lat patch_lon cell"
    assert list(found.quantity) == ["rho", "p_value"]
    xr.testing.assert_identical(found, attributions(sites, causal, where=some, **FEW))


# --- shap -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["ResAttCauRec", "Rec"])
def test_shap_agrees_and_leaves_no_trace(sites, some, variant):
    pytest.importorskip("shap")
    forecaster = untrained(sites, variant)
    options = FEW | {"n_background": 4}
    torch.manual_seed(3)
    state, expected = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    theirs = attributions(sites, forecaster, where=some, method="shap", **(options | {"n_draws": 1500}))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), expected)
    ours = attributions(sites, forecaster, where=some, **(options | {"n_draws": 400}))
    assert theirs.attribution.dims == ours.attribution.dims
    assert theirs.attrs["method"] == "shap"
    scale = float(abs(ours.attribution).max())
    np.testing.assert_allclose(theirs.attribution, ours.attribution, atol=0.1 * scale)
    xr.testing.assert_allclose(theirs.prediction, ours.prediction)
    again = attributions(sites, forecaster, where=some, method="shap", **options)
    xr.testing.assert_identical(again, attributions(sites, forecaster, where=some, method="shap", **options))


def test_shap_takes_a_network_that_ignores_causality(sites, causal, some):
    """With the maps to the cell state at zero weight, causality still reaches the graph; without them it does not."""
    pytest.importorskip("shap")
    from xdrought.attribution.shap_reference import shap_gradients
    from xdrought.models import build

    network = frozen(build("ResAttRec", n_features=2, n_causal=16, size=2, window=5, widths=(4, 4)))
    generator = torch.Generator().manual_seed(0)
    given = NetworkInputs(torch.randn(5, 5, 2, 2, 2, generator=generator), torch.randn(5, 16, generator=generator))
    found = shap_gradients(network, given[slice(0, 2)], given[slice(2, 5)], np.arange(2), (1, 3, 4), 5, 0, 50)
    assert found.x.shape == (2, 2)
    assert (found.causality == 0).all()
    assert found.causality.shape == (2, 16)


def test_shap_that_is_not_there_is_named(sites, causal, some, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "shap", None)
    with pytest.raises(ImportError, match=r"method=\"shap\" needs shap; install it with"):
        attributions(sites, causal, where=some, method="shap", **FEW)


# --- sanity -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    """Rain drives the soil, temperature does nothing."""
    ds = forced_soil(2, 500)
    options = {"variant": "Rec", "window": 10, "lead": 1, "epochs": 12, "learning_rate": 0.02, "batch_size": 64}
    return ds, fit_resattcaurec(ds, TARGET, ["tp", "t2m"], widths=(8,), device="cpu", progress=False, **options)


def test_the_planted_driver_is_found_and_recent_rain_counts_most(trained):
    """The weight of rain k days ago is 0.9**k by construction."""
    ds, forecaster = trained
    enough = FEW | {"n_background": 50, "n_draws": 50}  # of six backgrounds the rain of a single day decides
    found = attributions(ds, forecaster, reduce=["patch_lat", "patch_lon"], where=ds.time.dt.year == 2002, **enough)
    importance = abs(found.attribution).mean(["site", "time"])
    totals = importance.sum("window")
    assert totals.sel(variable="tp") > 5 * totals.sel(variable="t2m")
    by_day = importance.sel(variable="tp")
    assert by_day.sel(window=[-2, -1, 0]).mean() > 1.2 * by_day.sel(window=[-9, -8, -7]).mean()
    wet = found.attribution.sel(variable="tp", window=0).where(ds.tp.shift(time=1) > 2)
    assert int(wet.notnull().sum()) > 5
    assert (wet.dropna("time", how="all").fillna(1) > 0).all()


def test_the_planted_strengths_of_the_twin_are_ranked():
    """Drivers made independent of one another; two of the seven do nothing, so 0.99 is the most there can be."""
    pytest.importorskip("shap")  # of the script
    script = runpy.run_path(str(Path(__file__).parents[2] / "ci" / "benchmarks" / "attribution.py"))
    importance, strength, rank = script["planted_ranks"](
        script["WORLDS"][0], 10, True, n_sites=6, epochs=10, runs=1, batch_size=128, learning_rate=5e-3
    )
    assert rank >= 0.9
    assert importance.idxmax("variable") == "tp"
    assert (strength > 0).sum() == 5


def test_other_weights_have_other_reasons(trained):
    """Adebayo et al. 2018: an explanation that survives random weights explains nothing of the network."""
    ds, forecaster = trained
    where = ds.time.dt.month == 5
    learnt = attributions(ds, forecaster, where=where, **FEW).attribution
    random = untrained(ds, "Rec", window=10, lead=1, widths=(8,))
    other = attributions(ds, random, where=where, **FEW).attribution
    learnt, other = (a.values[np.isfinite(a.values)] for a in (learnt, other))
    assert learnt.shape == other.shape
    assert abs(np.corrcoef(learnt, other)[0, 1]) < 0.9
    shares = [abs(a.reshape(-1, 2)).mean(0) for a in (learnt, other)]
    assert shares[0][0] / shares[0].sum() > shares[1][0] / shares[1].sum()


def test_deleting_what_counts_moves_the_forecast_most(trained):
    """Days and drivers put to the training mean, those of largest share first, against a random order."""
    ds, forecaster = trained
    p = patches(forecaster.scaling.apply(ds), drivers=["tp", "t2m"], window=10, lead=1)
    windows = forecaster.splits.windows(p, "test")[::5]
    where = p.to_labels(np.isin(np.arange(len(p)), windows))
    found = attributions(ds, forecaster, where=where.astype(bool), reduce=["patch_lat", "patch_lon"], **FEW)
    shares = [
        abs(found.attribution.sel(site=w.site, time=w.valid_time)).transpose("window", "variable").values
        for w in (p[int(k)] for k in windows)
    ]
    x = torch.from_numpy(np.stack([p[int(k)].inputs.values for k in windows])).float()
    network, rng = frozen(forecaster.network()), np.random.default_rng(0)

    def moved(order: np.ndarray, n: int) -> float:
        changed = x.flatten(1).clone()
        for row, first in zip(changed, order, strict=True):
            row[torch.from_numpy(first[:n].copy())] = 0
        return float((network(changed.view_as(x)) - network(x)).abs().mean())

    by_share = np.stack([np.argsort(-s.ravel()) for s in shares])
    by_chance = np.stack([rng.permutation(s.size) for s in shares])
    for n in (1, 2, 4, 8):
        assert moved(by_share, n) > 1.5 * moved(by_chance, n)
    assert moved(by_share, 20) == pytest.approx(moved(by_chance, 20), rel=1e-4)


# --- refusals ---------------------------------------------------------------------------------------------


def test_refusals(sites, causal, some):
    def refused(match, error=ValueError, **options):
        with pytest.raises(error, match=match):
            attributions(options.pop("ds", sites), causal, **(FEW | {"where": some} | options))

    refused("n_draws=0; it must be a whole number, 1 or more", n_draws=0)
    refused("n_background=1.5", n_background=1.5)
    refused("method='lime' is unknown; choose one of", method="lime")
    refused("memory_limit='much' is no size", memory_limit="much")
    refused("memory_limit=0; it is at least 1 byte", memory_limit=0)
    refused(r"\['variable'\] cannot be summed over", reduce=["variable"])
    refused("where is float64; give a boolean DataArray", TypeError, where=sites.soil_moisture)
    refused("where must be a DataArray, got str", TypeError, where="soil_moisture")
    refused(r"where has \['patch_lat', 'patch_lon'\]", where=sites.tp > 0)
    refused("where is True on 3 of its values, but on none with a complete window", where=sites.time < sites.time[3])
    refused(r"need \d+ MiB, allowed are 0 MiB, four times memory_limit", MemoryError, memory_limit=10)
    refused(
        "no window of the training part to compare with; give background=",
        ds=sites.isel(time=slice(105, None)),
        where=None,
    )
    refused(r"no variable \['tp'\]", KeyError, ds=sites[["t2m", TARGET]])


def test_the_training_part_can_come_from_elsewhere(sites, causal):
    late = sites.isel(time=slice(100, None))
    found = attributions(late, causal, background=sites, **FEW)
    whole = attributions(sites, causal, where=sites.time >= late.time[6], **FEW)
    xr.testing.assert_allclose(found.base_value, whole.base_value)
    assert found.prediction.sizes["time"] == 16  # 20 days, less 6, and 2 beyond the record
    shared = found.sel(time=whole.time[:14])
    np.testing.assert_allclose(shared.prediction, whole.prediction[:, :14], atol=1e-6)


def test_shap_is_installed_here():
    """The reference must not be skipped for ever: the test extra brings it."""
    assert importlib.util.find_spec("shap")


def test_where_may_carry_coordinates_of_other_kinds(sites, causal, some):
    later = some.assign_coords(init_time=some.time - np.timedelta64(7, "D"))
    found, plain = (attributions(sites, causal, where=where, **FEW) for where in (later, some))
    xr.testing.assert_equal(found.prediction, plain.prediction)
