"""Windows that lack values: what fills them, the mask beside them, how much may be filled; nothing looks ahead."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.forecasters import untrained
from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import forced_soil, random_grid, random_sites
from xdrought import MissingInputs, attributions, load_forecaster, select_lead, verify
from xdrought.choices import MissingPolicy
from xdrought.forecast import fit_resattcaurec, predict
from xdrought.forecast.blocks import missing_block
from xdrought.forecast.missing_inputs import fit_usual_year, resolve_filling, usual_on_places
from xdrought.forecast.shards import Shards
from xdrought.models.batches import SharedDays, run
from xdrought.splits import chronological
from xdrought.windows.filling import drop_drivers, fill_windows
from xdrought.windows.labelled import make_patches, patches
from xdrought.windows.selection import missing_in_windows

TARGET = "soil_moisture"
POLICIES = get_args(MissingPolicy)[1:]  # without "none"
QUICK = {"variant": "Rec", "widths": (6,), "window": 5, "epochs": 1, "device": "cpu", "progress": False}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def holed(ds: xr.Dataset, share: float, names=("tp", "t2m"), seed: int = 4) -> xr.Dataset:
    """The drivers with days missing at random, each by itself."""
    rng = np.random.default_rng(seed)
    return ds.assign({name: ds[name].where(rng.random(ds[name].shape) > share) for name in names})


def fit(ds: xr.Dataset, missing, **options):
    return fit_resattcaurec(ds, TARGET, ["tp", "t2m"], missing=missing, **QUICK | options)


# --- what fills a window --------------------------------------------------------------------------------------


def slowly_filled(values: list[float], usual: list[float], policy: str) -> list[float]:
    """One series, one day after the other."""
    out = []
    for day, value in enumerate(values):
        before = [k for k in range(day) if np.isfinite(values[k])]
        after = [k for k in range(day + 1, len(values)) if np.isfinite(values[k])]
        if np.isfinite(value):
            out.append(value)
        elif policy == "climatology":
            out.append(usual[day])
        elif policy == "last":
            out.append(values[before[-1]] if before else usual[day])
        elif before and after:
            left, right = before[-1], after[0]
            out.append(values[left] + (values[right] - values[left]) * (day - left) / (right - left))
        else:
            out.append(values[before[-1]] if before else values[after[0]] if after else usual[day])
    return out


@given(
    policy=st.sampled_from(POLICIES),
    rows=st.lists(
        st.lists(st.one_of(st.floats(-9, 9, width=32), st.sampled_from([np.nan, np.inf])), min_size=6, max_size=6),
        min_size=1,
        max_size=4,
    ),
)
@settings(max_examples=150)
def test_windows_are_filled_as_day_by_day(policy, rows):
    x = torch.tensor(rows, dtype=torch.float32)[:, :, None, None, None]
    usual = torch.arange(6.0).view(1, 6, 1, 1, 1).expand_as(x)
    filled, observed = fill_windows(x, usual, policy)
    expected = [slowly_filled(row, list(range(6)), policy) for row in rows]
    np.testing.assert_allclose(filled[..., 0, 0, 0].numpy(), expected, rtol=1e-5, atol=1e-5)
    assert observed[..., 0, 0, 0].tolist() == np.isfinite(rows).tolist()


def test_the_day_of_issue_is_filled_from_the_past_alone():
    x = torch.tensor([[1.0, torch.nan, 3.0, torch.nan]])
    usual = torch.full_like(x, 9.0)
    assert fill_windows(x, usual, "interpolate")[0].tolist() == [[1.0, 2.0, 3.0, 3.0]]
    assert fill_windows(x, usual, "last")[0].tolist() == [[1.0, 1.0, 3.0, 3.0]]
    assert fill_windows(x, usual, "climatology")[0].tolist() == [[1.0, 9.0, 3.0, 9.0]]


# --- the usual year -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lazy", [False, True])
def test_the_usual_year_is_a_ridge_of_the_training_days(lazy):
    ds = holed(random_sites(3, 400, 2), 0.1)
    ds["t2m"][1] = np.nan
    windows = make_patches(ds.chunk(site=1) if lazy else ds, TARGET, ["tp", "t2m"], None, 5, 2, True, "time", 0.9)
    splits = chronological(patches(random_sites(3, 400, 2), TARGET, drivers=["tp", "t2m"], window=5, lead=2))
    found = fit_usual_year(windows, splits.training_days(windows.data.time))
    assert found.dims == ("site", "coefficient", "variable", "patch_lat", "patch_lon")
    year = 2 * np.pi * (year_day(ds) + 0.5) / 365
    design = np.stack([np.ones_like(year), np.cos(year), np.cos(2 * year), np.sin(year), np.sin(2 * year)], 1)
    train = splits.training_days(ds.time).transpose("site", "time").values
    extra = np.sqrt(30.0) * np.eye(5)[1:]
    for site, name in ((0, "tp"), (2, "t2m")):
        values = ds[name].transpose("site", "time", "patch_lat", "patch_lon").values[site, :, 1, 0]
        used = np.isfinite(values) & train[site]
        rows, known = np.vstack([design[used], extra]), np.append(values[used], np.zeros(4))
        expected = np.linalg.lstsq(rows, known, rcond=None)[0]
        mine = found.isel(site=site, patch_lat=1, patch_lon=0).sel(variable=name)
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)
    others = found.isel(site=[0, 2]).sel(variable="t2m").mean("site")
    np.testing.assert_allclose(found.isel(site=1).sel(variable="t2m"), others, rtol=1e-5)


def year_day(ds: xr.Dataset) -> np.ndarray:
    """Day of the year from 0 to 364, counted by hand: 29 February counts as the day before it."""
    days = ds.time.dt
    lengths = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30]).cumsum()
    return lengths[days.month.values - 1] + np.where((days.month == 2) & (days.day == 29), 27, days.day - 1)


def test_an_unknown_place_takes_the_mean_of_all():
    ds = random_sites(3, 200)
    known = untrained(ds, missing="climatology").usual_year
    names = ["x", ds.site.values[1], "y"]
    windows = make_patches(ds.assign_coords(site=names), None, ["tp", "t2m"], 1, 5, 2, False, "time")
    usual = usual_on_places(known, windows)
    mean = known.mean("site").values
    for k, expected in enumerate([mean, known.isel(site=1).values, mean]):
        np.testing.assert_allclose(usual.values[k], expected, rtol=1e-5, atol=1e-7)


# --- which windows there are, and what they lack --------------------------------------------------------------


@given(st.lists(st.integers(0, 3), min_size=4, max_size=20), st.integers(1, 4))
def test_what_windows_lack_is_the_sum_of_their_days(lacking, window):
    expected = [sum(lacking[k : k + window]) for k in range(len(lacking) - window + 1)]
    assert missing_in_windows(np.array([lacking]), window).tolist() == [expected]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("max_filled", [0.0, 0.2, 0.5])
def test_a_window_that_lacks_too_much_gives_no_forecast(policy, max_filled):
    ds = holed(random_sites(2, 120), 0.15)
    forecaster = untrained(random_sites(2, 200, seed=1), missing=MissingInputs(policy, max_filled))
    with unchanged(ds):
        found = predict(ds, forecaster, device="cpu")
    most = int(max_filled * 10)
    assert most == {0.0: 0, 0.2: 2, 0.5: 5}[max_filled]
    lacking = (~np.isfinite(ds.tp.values)).astype(int) + ~np.isfinite(ds.t2m.values)
    for site in range(2):
        for valid in range(122):
            issued = valid - 2
            days = range(issued - 4, issued + 1)
            n = sum(int(lacking[site, day]) for day in days) if days[0] >= 0 else 10
            assert found.n_filled.values[site, valid] == n
            assert np.isfinite(found[TARGET].values[site, valid]) == (n <= most)
    assert found.attrs["missing"] == policy
    assert found.n_filled.attrs["window_values"] == 10


def test_without_a_policy_nothing_is_filled_and_nothing_said():
    ds = holed(random_sites(2, 120), 0.05)
    found = predict(ds, untrained(random_sites(2, 200)), device="cpu")
    assert "n_filled" not in found.coords
    assert "missing" not in found.attrs
    complete = np.isfinite(ds.tp.values) & np.isfinite(ds.t2m.values)
    whole = np.array([[complete[s, k : k + 5].all() for k in range(116)] for s in range(2)])
    assert (np.isfinite(found[TARGET].values[:, 6:]) == whole).all()


def test_patches_of_a_grid_count_drivers_not_cells():
    ds = random_grid(4, 4, 9)
    ds["tp"][4, 1, 2] = np.nan
    ds["t2m"][4, 1, 2] = np.nan
    ds["t2m"][5, 3, 3] = np.nan
    cube = np.stack([ds.tp.values, ds.t2m.values], 1)
    found = missing_block(cube, window=3, size=2)  # a patch has its centre cell at its north-western corner
    assert found.shape == (4, 4, 9)
    assert found[1, 2].tolist() == [6, 6, 0, 0, 2, 2, 2, 0, 0]
    assert found[2, 2].tolist() == [6, 6, 0, 0, 0, 1, 1, 1, 0]
    assert (found[3] == 6).all()  # across the edge there is no patch


# --- the network sees each window as it fills it ---------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("variant", ["Rec", "ResAttCauRec", "UNet"])
@pytest.mark.parametrize("kind", ["sites", "grid"])
def test_shared_days_give_what_windows_one_by_one_give(policy, variant, kind):
    target = TARGET if kind == "sites" else "swvl1"
    whole = random_sites(3, 60, 2) if kind == "sites" else random_grid(3, 4, 40)
    ds = holed(whole, 0.05 if kind == "sites" else 0.02)
    forecaster = untrained(
        ds.assign(whole[["tp", "t2m"]]), variant, target=target, size=2, window=4, missing=MissingInputs(policy, 0.4)
    )
    settings = (forecaster.size, forecaster.window, 2, False, "time", 0.4)
    ds = ds.isel(time=slice(24))
    windows = make_patches(ds, None, forecaster.features, *settings)
    scaled = windows.with_data(forecaster.scaling.apply(windows.data))
    cube = resolve_filling(forecaster.missing, forecaster.usual_year, scaled).of(scaled.to_torch(), None)
    every = torch.arange(len(windows))
    x = cube.gather(every)
    assert x.shape[2] == 4
    assert x.isfinite().all()
    raw = np.stack([windows[i].inputs.values for i in range(len(windows))])
    assert (x[:, :, 2:].numpy() == np.isfinite(raw)).all()
    frames, position, counts = cube.days(every)
    torch.testing.assert_close(frames[position], x, rtol=0, atol=0)
    assert counts.sum() == position.numel()
    assert len(frames) < position.numel()  # whole days are shared
    network, degrees = forecaster.network(), None
    if forecaster.causality is not None:
        degrees = torch.zeros(int(windows.cell.max()) + 1, forecaster.architecture.n_causal)
    given_degrees = None if degrees is None else degrees[windows.cell]
    with torch.no_grad():
        expected = network(x, given_degrees)
        shared = SharedDays(network)(frames, position, counts, given_degrees)
    torch.testing.assert_close(shared, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(run(network, cube, degrees, 7), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", POLICIES)
def test_complete_windows_hold_their_values_and_a_mask_of_ones(policy):
    ds = random_sites(2, 60, 2)
    forecaster = untrained(ds, missing=policy, size=2)
    windows = make_patches(ds, None, forecaster.features, 2, 5, 2, False, "time", 0.25)
    plain = windows.to_torch()
    cube = resolve_filling(forecaster.missing, forecaster.usual_year, windows).of(plain, None)
    every = torch.arange(len(windows))
    torch.testing.assert_close(cube.gather(every)[:, :, :2], plain.gather(every), rtol=0, atol=0)
    assert (cube.gather(every)[:, :, 2:] == 1).all()
    (frames, position, counts), (others, same, like) = cube.days(every), plain.days(every)
    torch.testing.assert_close(frames[:, :2], others, rtol=0, atol=0)
    assert (position == same).all()
    assert (counts == like).all()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("history", [False, True])
def test_no_day_outside_the_window_reaches_a_forecast(policy, history):
    """The forecast of each day of issue is the same from the days of its window alone."""
    ds = holed(forced_soil(2, 400), 0.1, ("tp", "t2m", TARGET))
    forecaster = untrained(forced_soil(2, 400), missing=MissingInputs(policy, 0.6), history=history)
    whole = predict(ds, forecaster, device="cpu")
    for issued in (50, 123, 250, 398):
        days = slice(issued - 4, issued + 1)
        alone = predict(ds.isel(time=days), forecaster, device="cpu")[TARGET].isel(time=[-1])
        there = whole[TARGET].isel(time=[issued + 2])
        xr.testing.assert_equal(alone.drop_vars("part"), there.drop_vars("part"))


# --- dask, shards, files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_chunks_of_sites_change_no_bit(policy):
    ds = holed(random_sites(5, 90, 2), 0.04)
    forecaster = untrained(random_sites(5, 90, 2), "CauRec", runs=2, missing=policy)
    expected = predict(ds, forecaster, device="cpu")
    with raise_if_dask_computes():
        lazy = predict(ds.chunk(site=2), forecaster, device="cpu")
    assert lazy.n_filled.chunks is not None
    xr.testing.assert_identical(lazy.compute(), expected)
    assert np.isfinite(expected[TARGET]).sum() > np.isfinite(predict(ds, untrained(ds))[TARGET]).sum()


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("chunks", [(3, 2), (1, 1)])
def test_chunks_of_a_grid_change_no_bit(size, chunks):
    ds = holed(random_grid(4, 5, 20), 0.01)
    forecaster = untrained(random_grid(4, 5, 60, 1), "ResRec", target="swvl1", size=size, missing="interpolate")
    expected = predict(ds, forecaster, device="cpu")
    with raise_if_dask_computes():
        lazy = predict(ds.chunk(dict(zip(("lat", "lon"), chunks, strict=True))), forecaster, device="cpu")
    xr.testing.assert_identical(lazy.compute(), expected)
    assert expected.n_filled.dims == ("time", "lat", "lon")
    assert ((expected.n_filled > 0) & expected.swvl1.notnull()).any()


def test_a_forecaster_of_sites_serves_a_grid():
    grid = holed(random_grid(4, 4, 40), 0.05)
    forecaster = untrained(random_sites(3, 200), missing="climatology", target=TARGET)
    found = predict(grid, forecaster, device="cpu")[TARGET]
    assert found.notnull().sum() > predict(grid, untrained(random_sites(3, 200)))[TARGET].notnull().sum()


def test_sites_in_memory_fill_as_all_together():
    ds = holed(random_sites(5, 120, 2), 0.05)
    windows = make_patches(ds, TARGET, ["tp", "t2m"], None, 5, 2, True, "time", 0.25)
    splits = chronological(windows)
    filling = resolve_filling(
        MissingInputs("last"), fit_usual_year(windows, splits.training_days(windows.data.time)), windows
    )
    parts = {part: splits.windows(windows, part) for part in ("train", "val")}
    whole, shards = (Shards(windows, None, parts, torch.device("cpu"), n, filling=filling) for n in (None, 2))
    assert len(shards) == 3
    together = whole.cube(0).gather(torch.arange(len(windows)))
    each = [shards.cube(k).gather(torch.arange(len(shards.cube(k)))) for k in range(3)]
    torch.testing.assert_close(torch.cat(each), together, rtol=0, atol=0)
    other = replace(filling, driver_dropout=0.5)
    assert Shards(windows, None, parts, torch.device("cpu"), filling=other).sums() != whole.sums()
    assert "missing" not in Shards(windows, None, parts, torch.device("cpu")).sums()


@pytest.mark.parametrize(
    "options",
    [
        {"lead": [1, 3]},
        {"lead": 2, "target_history": True, "predict_change": True},
        {"lead": [1, 3], "future": ["tp"], "forcing": "climatology", "quantiles": (0.1, 0.5, 0.9)},
        {"lead": 2, "variant": "CauRec", "runs": 2, "training": None},
    ],
)
def test_every_kind_of_forecast_is_filled_saved_and_scored(options, tmp_path):
    whole = forced_soil(3, 900)
    ds = holed(whole, 0.02)
    how = {"forcing": options.get("forcing"), "device": "cpu"}
    with unchanged(ds):
        forecaster = fit(ds, MissingInputs("last", driver_dropout=0.1), **options)
    found = predict(ds, forecaster, **how)
    forecaster.save(tmp_path / "it.xdrought")
    again = load_forecaster(tmp_path / "it.xdrought")
    assert again.missing == forecaster.missing
    xr.testing.assert_identical(predict(ds, again, **how), found)
    day = "init_time" if isinstance(options["lead"], list) else "time"
    assert found.n_filled.dims == ("site", day)
    assert found.n_filled.dtype.kind == "i"
    n_inputs = 3 if options.get("target_history") else 2
    assert found.n_filled.attrs["window_values"] == 5 * n_inputs
    assert "last, up to 25% of a window" in repr(forecaster)
    strict = predict(ds, fit(whole, "none", **options), **how)
    issued, before = (each[TARGET].notnull().mean().item() for each in (found, strict))
    assert issued > before + 0.08
    one = found.isel(member=0, missing_dims="ignore")
    assert verify(one, ds[TARGET], n_boot=1).nse.notnull().any()
    if day == "init_time":
        assert select_lead(found, 3).n_filled.dims == ("site", "time")


def test_a_file_from_before_there_was_a_choice_is_read(tmp_path, monkeypatch):
    from xdrought.forecast import forecaster as module

    ds, plain = random_sites(2, 200), module._to_plain
    old = untrained(ds)
    later = ("missing", "usual_year")
    monkeypatch.setattr(module, "_to_plain", lambda f: {k: v for k, v in plain(f).items() if k not in later})
    old.save(tmp_path / "old.xdrought")
    again = load_forecaster(tmp_path / "old.xdrought")
    assert not again.missing.is_used
    xr.testing.assert_identical(predict(ds, again, device="cpu"), predict(ds, old, device="cpu"))


# --- drop-out ---------------------------------------------------------------------------------------------------


def test_dropped_drivers_are_seeded_whole_and_as_many_as_asked():
    x = torch.ones(200, 10, 3, 2, 2)
    one, same, other = (drop_drivers(x, 0.1, seed) for seed in (1, 1, 2))
    assert (one.isnan() == same.isnan()).all()
    assert (one.isnan() != other.isnan()).any()
    gone = one.isnan().flatten(3)
    assert (gone.all(3) == gone.any(3)).all()
    assert gone.all(3).float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_drop_out_is_for_learning_and_not_for_judging():
    ds = random_sites(2, 200)
    windows = make_patches(ds, TARGET, ["tp", "t2m"], None, 5, 2, True, "time", 0.25)
    splits = chronological(windows)
    filling = resolve_filling(
        MissingInputs("last", driver_dropout=0.3),
        fit_usual_year(windows, splits.training_days(windows.data.time)),
        windows,
    )
    parts = {part: splits.windows(windows, part) for part in ("train", "val")}
    shard = Shards(windows, None, parts, torch.device("cpu"), filling=filling)[0]
    some = torch.arange(40)

    def mask(**how):
        batch = shard.batch(some, **how)
        return batch.frames[batch.position][:, :, 2:]

    assert (mask(seed=3) == 1).all()
    assert mask(seed=3, learning=True).mean().item() == pytest.approx(0.7, abs=0.06)
    assert (mask(seed=3, learning=True) == mask(seed=3, learning=True)).all()
    assert (mask(seed=3, learning=True) != mask(seed=4, learning=True)).any()


def test_a_network_that_met_gaps_stands_them_better():
    """Soil that follows yesterday's rain: filled with drop-out in training, gaps cost less than without."""
    whole = forced_soil(3, 1500)
    ds = holed(whole, 0.1)
    options = {"epochs": 8, "learning_rate": 0.01, "widths": (12,), "batch_size": 64, "target_history": True}
    nse = {}
    for dropout in (0.0, 0.1):
        forecaster = fit(whole, MissingInputs("climatology", 0.9, dropout), **options)
        score = verify(predict(ds, forecaster, device="cpu"), whole[TARGET], n_boot=1)
        nse[dropout] = float(score.nse.sel(model="forecast").mean())
    assert nse[0.1] > nse[0.0]


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: MissingInputs("mean"), "missing='mean'.*'climatology'"),
        (lambda: MissingInputs("last", max_filled=1.0), "max_filled=1.0; it is a share, 0 or more and below 1"),
        (lambda: MissingInputs("last", driver_dropout=-0.1), "driver_dropout=-0.1; it is a share"),
    ],
)
def test_wrong_options_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_policy_is_a_name_or_options():
    with pytest.raises(TypeError, match="missing is a bool; give the name of a policy or xdrought.MissingInputs"):
        fit(random_sites(1, 100), True)


def test_a_start_of_another_policy_is_refused():
    ds = random_sites(1, 100)
    start = untrained(ds, missing="last", widths=(6,))
    with pytest.raises(ValueError, match="start_from was trained with missing='last', this call has 'none'"):
        fit(ds, "none", start_from=start, lead=2)


def test_an_explanation_of_filled_windows_is_refused_with_the_cure():
    ds = random_sites(2, 100)
    with pytest.raises(ValueError, match=r"missing='last'\) and reads a mask beside each driver; train one with missi"):
        attributions(ds, untrained(ds, missing="last"))


def test_a_record_without_one_driver_says_what_is_missing():
    ds = random_sites(1, 60)
    with pytest.raises(ValueError, match="no 5 days in a row hold all but 2 values of drivers"):
        predict(ds.where(ds.time.dt.day % 2 == 0), untrained(ds, missing="last"))
