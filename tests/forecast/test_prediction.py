"""Forecasts of whole records: under dask, with the target's own past, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from tests.support.forecasters import untrained
from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import forced_soil, random_grid, random_sites
from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.forecast.options import known_before
from xdrought.models.resattcaurec import FramewiseNetwork

TARGET = "soil_moisture"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def holed(ds: xr.Dataset, share: float = 0.01) -> xr.Dataset:
    """Some days of the drivers missing here and there."""
    rng = np.random.default_rng(4)
    return ds.assign({name: ds[name].where(rng.random(ds[name].shape) > share) for name in ("tp", "t2m")})


def identical_bits(one: xr.Dataset, other: xr.Dataset) -> None:
    assert [v.dtype for v in one.data_vars.values()] == [v.dtype for v in other.data_vars.values()]
    xr.testing.assert_identical(one, other)


# --- dask ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["ResAttCauRec", "CauRec", "ResRec", "UNet"])
@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_chunks_of_sites_change_no_bit(variant, chunk):
    ds = holed(random_sites(5, 90, 2))
    forecaster = untrained(ds, variant, runs=2)
    expected = predict(ds, forecaster)
    with raise_if_dask_computes(), unchanged(ds):
        lazy = predict(ds.chunk(site=chunk), forecaster)
    assert lazy[TARGET].chunks is not None
    assert lazy[TARGET].chunksizes["site"] == ds.chunk(site=chunk).chunksizes["site"]
    identical_bits(lazy.compute(), expected)


@pytest.fixture(scope="module", params=[1, 2, 3, 4])
def foretold(request):
    """A grid with holes, a network of patches of a size, and its eager forecast."""
    ds, size = holed(random_grid(5, 6, 20), 0.002), request.param
    forecaster = untrained(
        random_grid(5, 6, 60, 1), "ResAttCauRec" if size < 3 else "ResRec", target="swvl1", size=size
    )
    return ds, forecaster, predict(ds, forecaster)


@pytest.mark.parametrize("chunks", [(5, 6), (3, 2), ((1, 3, 1), (4, 2)), (1, 1)])
def test_chunks_of_a_grid_change_no_bit(foretold, chunks):
    ds, forecaster, expected = foretold
    assert expected.swvl1.notnull().any()
    with raise_if_dask_computes():
        lazy = predict(ds.chunk(lat=chunks[0], lon=chunks[1]), forecaster)
    identical_bits(lazy.compute(), expected)


def test_a_block_of_a_grid_alone_gives_its_own_part():
    ds = random_grid(7, 8, 30)
    forecaster = untrained(ds, "ResRec", target="swvl1", size=3)
    whole = predict(ds, forecaster)
    part = predict(ds.isel(lat=slice(1, 6), lon=slice(2, 7)), forecaster)
    # the outer ring of the block has no complete patch of 3 x 3
    inner = part.isel(lat=slice(1, -1), lon=slice(1, -1))
    xr.testing.assert_identical(inner.swvl1, whole.swvl1.isel(lat=slice(2, 5), lon=slice(3, 6)))
    assert part.swvl1.isel(lat=0).isnull().all()


def test_other_sites_change_no_bit():
    ds = random_sites(4, 90, 2)
    forecaster = untrained(ds, "ResAttCauRec")
    whole = predict(ds, forecaster)[TARGET]
    xr.testing.assert_identical(predict(ds.isel(site=[2]), forecaster)[TARGET], whole.isel(site=[2]))


def test_the_model_is_in_the_graph_once():
    ds = random_sites(6, 60)
    lazy = predict(ds.chunk(site=1), untrained(ds, runs=3))
    keys = [key for key in lazy[TARGET].__dask_graph__() if str(key).startswith("ensemble-")]
    assert len(keys) == 1
    again = predict(ds.chunk(site=1), untrained(ds, runs=3))
    assert again[TARGET].data.name == lazy[TARGET].data.name  # the same question has the same name


def test_what_dask_hides_is_told_when_computed():
    ds = random_sites(3, 90)
    forecaster = untrained(ds.isel(site=[0, 1]), "CauRec")
    lazy = predict(ds.chunk(site=1), forecaster)
    with pytest.raises(ValueError, match=r"no causality degree for 1 place\(s\) of a chunk.*causality="):
        lazy.compute()
    # a site without drivers needs none
    dark = ds.assign(tp=ds.tp.where(ds.site != "S2"))
    assert predict(dark.chunk(site=1), forecaster)[TARGET].sel(site="S2").isnull().all().compute()
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device='cuda' is not usable here"):
            predict(ds.isel(site=[0]).chunk(), untrained(ds), device="cuda").compute()


# --- each day once ------------------------------------------------------------------------------------------


def test_each_day_is_encoded_once(monkeypatch):
    """90 days without a gap are 90 maps in two batches of 64, not 86 windows of five."""
    ds = random_sites(1, 90, 2)
    forecaster, seen = untrained(ds, "ResRec"), []
    encode = FramewiseNetwork.encode

    def count(self, frames, *rest):
        seen.append(len(frames))
        return encode(self, frames, *rest)

    monkeypatch.setattr(FramewiseNetwork, "encode", count)
    predict(ds, forecaster)
    assert seen == [64, 64]


@pytest.mark.parametrize("days", [1, 100, 10**6])
def test_the_memory_limit_changes_no_bit(monkeypatch, days):
    from xdrought.models import batches

    ds = holed(random_sites(4, 80, 2))
    forecaster = untrained(ds, "ResAttCauRec")
    expected = predict(ds, forecaster)
    monkeypatch.setattr(batches, "DAYS", days)
    identical_bits(predict(ds, forecaster), expected)


# --- the target's own past ----------------------------------------------------------------------------------


@pytest.mark.parametrize("latency", [0, 3])
@pytest.mark.parametrize(("history", "change"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("on_grid", [False, True])
def test_nothing_after_the_day_of_issue_is_seen(history, change, latency, on_grid):
    ds = random_grid(4, 4, 60) if on_grid else random_sites(2, 60, 2)
    target = "swvl1" if on_grid else TARGET
    forecaster = untrained(ds, "Rec", target=target, size=2, history=history, change=change, latency=latency)
    before = predict(ds, forecaster)[target]
    day = 40
    other = ds.copy(deep=True)
    unknown = ds.time > ds.time[day] - np.timedelta64(latency, "D")  # not reported on day 40
    other[target] = ds[target].where(~unknown, 0.99)
    after = predict(other, forecaster)[target]
    issued = before.init_time <= ds.time[day]
    xr.testing.assert_identical(after.where(issued), before.where(issued))
    assert before.where(issued).notnull().any()
    # and the observation of that day is used: the next day's forecast has changed
    next_day = before.init_time == ds.time[day] + np.timedelta64(1, "D")
    changed = (after != before).where(next_day & before.notnull())
    assert changed.isel(time=np.flatnonzero(next_day)).max() == 1


def test_the_change_is_added_to_the_last_report():
    """A network that says "no change" is persistence."""
    ds = random_sites(2, 60)
    forecaster = untrained(ds, change=True, latency=1)
    silent = {name: torch.zeros_like(w) for name, w in forecaster.weights[0].items()}
    mean = float(forecaster.scaling.mean.sel(variable=TARGET))
    forecast = predict(ds, with_weights(forecaster, silent))[TARGET]
    # lead 2 and a report one day late: the observation of three days before
    expected = ds[TARGET].shift(time=3) + mean
    found = forecast.sel(time=ds.time).where(forecast.notnull())
    np.testing.assert_allclose(found[:, 6:], expected[:, 6:], rtol=1e-5)
    assert forecast.isel(time=slice(-2, None)).notnull().all()  # also beyond the end of the record
    np.testing.assert_allclose(forecast.isel(time=-1), ds[TARGET].isel(time=-2) + mean, rtol=1e-5)


def with_weights(forecaster, weights):
    from dataclasses import replace

    return replace(forecaster, weights=(weights,))


def test_the_history_is_a_driver_on_the_whole_patch():
    ds = random_sites(2, 60, 2)
    forecaster = untrained(ds, "ResRec", history=True, latency=2)
    assert forecaster.features == ("tp", "t2m", "soil_moisture_history")
    assert forecaster.drivers == ("tp", "t2m")
    by_hand = ds.assign(soil_moisture_history=ds[TARGET].shift(time=2).expand_dims(patch_lat=2, patch_lon=2))
    plain = untrained(by_hand, "ResRec", drivers=("tp", "t2m", "soil_moisture_history"))
    xr.testing.assert_allclose(predict(ds, forecaster)[TARGET], predict(by_hand, plain)[TARGET])


def test_reports_are_shifted_by_date_not_by_position():
    ds = random_sites(1, 30).isel(time=[*range(10), *range(15, 30)])
    found = known_before(ds[TARGET], 2, "time").isel(site=0)
    observed = ds[TARGET].isel(site=0)
    assert found.sel(time="2001-01-10") == observed.sel(time="2001-01-08")
    assert np.isnan(found.sel(time="2001-01-16"))  # two days before is in the gap
    assert found.sel(time="2001-01-18") == observed.sel(time="2001-01-16")


def test_causality_is_that_of_the_values_and_without_the_history():
    ds = random_sites(2, 120)
    plain, all_of_it = untrained(ds, "CauRec"), untrained(ds, "CauRec", history=True, change=True)
    assert list(all_of_it.causality["variable"].values) == ["tp", "t2m"]
    ends = all_of_it.splits.ranges.end.sel(part="train")
    # other first days have a change, so the parts differ a little: the same days give the same degree
    from xdrought.causality import causality_degree

    expected = causality_degree(ds[["tp", "t2m"]], ds[TARGET], train=ds.time <= ends)
    np.testing.assert_array_equal(all_of_it.causality.rho, expected.rho)
    assert plain.architecture.n_causal == all_of_it.architecture.n_causal


def test_dask_with_the_past():
    ds = random_sites(3, 80, 2)
    forecaster = untrained(ds, "ResAttCauRec", history=True, change=True, latency=1)
    with raise_if_dask_computes():
        lazy = predict(ds.chunk(site=1), forecaster)
    identical_bits(lazy.compute(), predict(ds, forecaster))
    grid = random_grid(5, 6, 40)
    forecaster = untrained(grid, "ResRec", target="swvl1", size=2, history=True, change=True)
    identical_bits(predict(grid.chunk(lat=2, lon=3), forecaster).compute(), predict(grid, forecaster))


def test_units_of_the_past_are_converted():
    ds = random_sites(2, 60)
    forecaster = untrained(ds, history=True, change=True)
    percent = ds.assign({TARGET: (100 * ds[TARGET]).assign_attrs(units="%")})
    xr.testing.assert_allclose(predict(percent, forecaster), predict(ds, forecaster), atol=1e-5)
    with pytest.raises(ValueError, match="'soil_moisture' has units 'K'"):
        predict(ds.assign({TARGET: ds[TARGET].assign_attrs(units="K")}), forecaster)


def test_a_silent_station_gets_no_forecast():
    ds = random_sites(2, 60)
    forecaster = untrained(ds, change=True)
    quiet = ds.assign({TARGET: ds[TARGET].where((ds.site == "S0") | (ds.time < ds.time[30]))})
    forecast = predict(quiet, forecaster)[TARGET]
    assert forecast.sel(site="S0").isel(time=slice(6, None)).notnull().all()
    # last report on day 29, two days before its valid time
    np.testing.assert_array_equal(forecast.sel(site="S1").notnull(), (np.arange(62) >= 6) & (np.arange(62) <= 31))


def test_training_with_the_past_beats_persistence_on_a_known_process():
    """Soil that keeps 90 % a day falls back to its mean: ten days ahead the change is -0.65 times the anomaly."""
    ds = forced_soil(2, 500)
    forecaster = fit_resattcaurec(
        ds,
        TARGET,
        ["tp"],
        variant="Rec",
        target_history=True,
        predict_change=True,
        window=3,
        lead=10,
        epochs=30,
        learning_rate=0.005,
        batch_size=64,
        widths=(8,),
        device="cpu",
        progress=False,
    )
    assert (forecaster.target_inputs.history, forecaster.target_inputs.change, forecaster.target_inputs.latency) == (
        True,
        True,
        0,
    )
    test = forecaster.splits.mask("test", ds.time)
    observed = ds[TARGET].where(test)
    error = ((predict(ds, forecaster)[TARGET] - observed) ** 2).mean()
    persistence = ((ds[TARGET].shift(time=10) - observed) ** 2).mean()
    # 2 (1 - 0.9^10) = 1.30 of the variance for persistence, 1 - 0.9^20 = 0.88 at best
    assert float(error) < 0.8 * float(persistence)


def test_the_default_knows_nothing_of_the_target():
    ds = random_sites(2, 60)
    forecaster = untrained(ds)
    assert forecaster.features == forecaster.drivers == ("tp", "t2m")
    xr.testing.assert_identical(predict(ds.drop_vars(TARGET), forecaster), predict(ds, forecaster))


# --- refusals -----------------------------------------------------------------------------------------------


def test_refusals_of_the_past():
    ds = random_sites(2, 60)
    options = {"widths": (4,), "window": 5, "lead": 2, "device": "cpu", "progress": False, "variant": "Rec"}
    for given, match in (
        ({"target_history": "yes"}, "target_history='yes'; it is True or False"),
        ({"predict_change": 1}, "predict_change=1; it is True or False"),
        ({"latency": -1, "target_history": True}, "latency=-1; it must be a whole number of days, 0 or more"),
        ({"latency": 2}, "latency=2 says how late observations arrive, but none are used"),
    ):
        with pytest.raises(ValueError, match=match):
            fit_resattcaurec(ds, TARGET, ["tp"], **options, **given)
    taken = ds.assign(soil_moisture_history=ds.tp)
    with pytest.raises(ValueError, match="'soil_moisture_history' is what target_history=True adds"):
        fit_resattcaurec(taken, TARGET, ["tp", "soil_moisture_history"], **options, target_history=True)
    for past in ({"history": True}, {"change": True}):
        with pytest.raises(KeyError, match="no variable 'soil_moisture'.*target_history or predict_change"):
            predict(ds.drop_vars(TARGET), untrained(ds, **past))


def test_refusals_of_lazy_forecasts():
    ds = random_sites(2, 60)
    with pytest.raises(ValueError, match="'time' has 6 chunks.*use .chunk"):
        predict(ds.chunk(time=10), untrained(ds))
    with pytest.raises(ValueError, match="batch_size=True"):
        predict(ds.chunk(), untrained(ds), batch_size=True)


def test_other_resolutions_are_refused():
    ds = random_grid(5, 6, 30)  # latitudes fall by 0.25 degrees
    forecaster = untrained(random_grid(5, 6, 60), "ResRec", target="swvl1", size=2)
    assert forecaster.steps == {"lat": -0.25, "lon": 0.25}
    coarse = ds.assign_coords(lon=8 + 0.5 * np.arange(6))
    with pytest.raises(ValueError, match="'lon' goes from cell to cell by 0.5 degrees, in training by 0.25; regrid"):
        predict(coarse, forecaster)
    turned = ds.sortby("lat")
    with pytest.raises(ValueError, match=r"'lat' goes .* by 0.25 degrees, in training by -0.25; turn it with .sortby"):
        predict(turned, forecaster)
    found = predict(turned.sortby("lat", ascending=False), forecaster)
    xr.testing.assert_identical(found, predict(ds, forecaster))
    alone = untrained(random_grid(5, 6, 60), "Rec", target="swvl1", size=1)  # one cell has no neighbours
    assert predict(coarse, alone).swvl1.notnull().any()


def test_the_resolution_of_patches_around_sites_is_checked():
    ds = random_sites(2, 60, 2)

    def placed(step):
        lat = ds.lat + step * xr.DataArray([0.5, -0.5], dims="patch_lat")
        return ds.assign_coords(cell_lat=lat)

    forecaster = untrained(placed(0.25), "ResRec")
    assert forecaster.steps == {"lat": -0.25}
    with pytest.raises(ValueError, match="'lat' goes from cell to cell by -1 degrees"):
        predict(placed(1.0), forecaster)
    assert predict(ds, forecaster)[TARGET].notnull().any()  # not told
