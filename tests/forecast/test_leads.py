"""Forecasts for several leads, and with the weather of the lead days: labels, laziness, masks, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import forced_soil, random_grid, random_sites
from xdrought import audit_leakage, degrade_forcing, load_forecaster, select_lead, verify
from xdrought.forecast import driver_inputs
from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.forecast.forcing import days_of_season, rows_of_season
from xdrought.forecast.options import TargetInputs
from xdrought.splits import chronological

TARGET = "soil_moisture"
QUICK = {"variant": "Rec", "widths": (6,), "window": 5, "epochs": 1, "device": "cpu", "progress": False}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return forced_soil(3, 900)


def fit(ds, **options):
    return fit_resattcaurec(ds, TARGET, ["tp", "t2m"], **QUICK | options)


# --- labels --------------------------------------------------------------------------------------------------


PAST = {"target_history": True, "predict_change": True}


@pytest.mark.parametrize(
    "options",
    [
        {"lead": [1, 3]},
        {"lead": [3]},
        {"lead": [1, 3], "future": ["tp"], "forcing": "observed", **PAST},
        {"lead": 3, "future": ["t2m", "tp"], "forcing": "observed", "predict_change": True, "latency": 2},
        {"lead": [1, 3], "future": ["tp"], "forcing": "climatology", "runs": 2},
    ],
)
def test_labels_laziness_and_files(ds, options, tmp_path):
    forecaster, how = fit(ds, **options), {"forcing": options.get("forcing")}
    with unchanged(ds):
        found = predict(ds, forecaster, **how)
    da, several = found[TARGET], isinstance(options["lead"], list)
    extra = ("run",) * (options.get("runs", 1) > 1) + ("member",) * (how["forcing"] == "climatology")
    assert da.dims == (*extra, "site", *(("init_time", "lead_time") if several else ("time",)))
    if several:
        assert (found.valid_time == found.init_time + found.lead_time).all()
        assert found.lead_time.dt.days.values.tolist() == options["lead"]
        assert found.part.dims == ("site", "init_time", "lead_time")
        assert (found.init_time == ds.time.values).all()
    else:
        assert (found.time - found.init_time == np.timedelta64(3, "D")).all()
        assert found.time[-1] == ds.time[-1] + np.timedelta64(3, "D")
    assert found.attrs.get("forcing") == how["forcing"]
    with raise_if_dask_computes():
        lazy = predict(ds.chunk(site=2), forecaster, **how)
    xr.testing.assert_identical(lazy.compute(), found)
    forecaster.save(tmp_path / "f.xdrought")
    again = load_forecaster(tmp_path / "f.xdrought")
    assert again.ahead == forecaster.ahead
    xr.testing.assert_identical(predict(ds, again, **how), found)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_chunks_of_a_grid_change_no_bit(size):
    ds = random_grid(6, 7, 120)
    forecaster = fit_resattcaurec(
        ds, "swvl1", ["tp", "t2m"], **QUICK | {"size": size}, lead=[1, 2], future=["tp"], forcing="observed"
    )
    given = xr.Dataset({"tp": weather_of(ds.tp, 2)})
    for forcing in ("observed", given):
        found = predict(ds, forecaster, forcing=forcing)
        assert found.swvl1.dims == ("init_time", "lead_time", "lat", "lon")
        for chunks in ({"lat": 2, "lon": 3}, {"lat": -1}):
            with raise_if_dask_computes():
                lazy = predict(ds.chunk(chunks), forecaster, forcing=forcing)
            xr.testing.assert_identical(lazy.compute(), found)
    # the forecasts given are what was observed
    xr.testing.assert_allclose(found.swvl1, predict(ds, forecaster, forcing="observed").swvl1)


def weather_of(da: xr.DataArray, n_leads: int) -> xr.DataArray:
    """What was observed on the lead days, as a weather forecast."""
    days = [da.shift(time=-k).rename(time="init_time") for k in range(1, n_leads + 1)]
    return xr.concat(days, pd.Index(pd.to_timedelta(range(1, n_leads + 1), unit="D"), name="lead_time")).assign_attrs(
        da.attrs
    )


def test_one_lead_of_several_by_valid_time_is_scored_as_it_is(ds):
    forecast = predict(ds, fit(ds, lead=[1, 4]))
    week = select_lead(forecast, 4)
    assert week[TARGET].dims == ("site", "time")
    assert (week.time - week.init_time == np.timedelta64(4, "D")).all()
    scores = verify(forecast, ds[TARGET], n_boot=20)
    assert scores.nse.dims == ("lead_time", "model", "site")
    one = verify(week, ds[TARGET], n_boot=20)
    xr.testing.assert_equal(scores.nse.sel(lead_time="4D", drop=True), one.nse)
    assert (scores.rmse.sel(model="persistence").isel(lead_time=0) < scores.rmse.sel(model="persistence")[1]).all()


# --- what is learnt ------------------------------------------------------------------------------------------


def test_leads_before_a_part_or_without_a_target_are_masked():
    ds = random_sites(1, 200)
    ds[TARGET][0, 60] = np.nan
    for used in (TargetInputs(), TargetInputs(change=True, latency=1)):
        windows = driver_inputs.training_windows(ds, TARGET, ["tp", "t2m"], None, 5, [1, 4], "time", used)
        splits = chronological(windows, embargo=0)  # parts that touch, so that leads of one window lie in two
        parts, targets = driver_inputs.learnt_targets(windows, splits, used)
        issued = windows.start + 4
        observed = ds[TARGET].values[0]
        bounds = {p: splits.ranges.start.sel(part=p).values[0] for p in parts}
        for part, index in parts.items():
            for n in index:
                last = observed[issued[n] - 1] if used.change else 0.0
                expected = [observed[issued[n] + lead] - last for lead in (1, 4)]
                for k, lead in enumerate((1, 4)):
                    if ds.time.values[issued[n] + lead] < bounds[part]:
                        expected[k] = np.nan
                np.testing.assert_allclose(targets[n], expected)
        first = parts["val"][np.argmin(issued[parts["val"]])]
        assert np.isnan(targets[first]).tolist() == [True, False]
        assert np.isnan(targets[np.concatenate(list(parts.values()))]).any(axis=0).all()


def test_a_lead_without_targets_changes_nothing_of_the_others(ds):
    """Targets that are missing have no part in the loss: the network of leads 1 and 2 learns lead 1 as if alone."""
    from xdrought.models.batches import Batch
    from xdrought.models.training import Training, TrainingConfig
    from xdrought.models.zoo import architecture, build_architecture

    def trained(target):
        class Shard:
            cell = start = torch.zeros(8, dtype=torch.int64)
            train, val = torch.arange(8), torch.arange(8)

            def batch(self, index, seed=0, learning=False):
                frames = torch.linspace(-1, 1, 16).view(8, 2, 1, 1)
                return Batch(frames, torch.arange(8)[:, None], torch.ones(8), None, target[index])

        spec = architecture("Rec", 2, 0, 1, 1, "paper", (3,), None, (1, 2))
        network = build_architecture(spec, torch.Generator().manual_seed(0))
        return Training(network, [Shard()], TrainingConfig(2, 8, 0.01), 0).run()

    both = torch.stack([torch.linspace(0, 1, 8), torch.full((8,), torch.nan)], 1)
    some = both.clone()
    some[:, 1] = torch.nan
    found, other = trained(both), trained(torch.stack([both[:, 0], both[:, 0] + 5], 1))
    assert np.isfinite(found.train_loss).all()
    assert found.train_loss != other.train_loss
    assert found.train_loss[0] == pytest.approx(trained(some).train_loss[0])


def test_observed_weather_of_the_lead_days_is_worth_more_than_history():
    ds = forced_soil(3, 1500)
    options = {"lead": [1, 5], "epochs": 12, "learning_rate": 0.01, "widths": (12,), "batch_size": 64, **PAST}
    nse = {}
    for name, how in (("history", {}), ("observed", {"future": ["tp"], "forcing": "observed"})):
        forecast = predict(ds, fit(ds, **options, **how), forcing=how.get("forcing"))
        nse[name] = verify(forecast, ds[TARGET], references=["damped_persistence"], n_boot=1).nse.mean("site")
    gain = (nse["observed"] - nse["history"]).sel(model="forecast")
    assert gain.values.tolist() == pytest.approx([0.35, 0.6], abs=0.25)


def test_no_later_weather_reaches_a_forecast(ds):
    """Of `observed` only the drivers of `future`, and only lead days up to the lead."""
    forecaster = fit(ds, lead=[1, 3], future=["tp"], forcing="observed")
    whole = predict(ds, forecaster, forcing="observed")[TARGET].isel(init_time=500)
    changed = ds.copy(deep=True)
    changed["t2m"][:, 501:] += 9
    changed["tp"][:, 502:] += 9
    found = predict(changed, forecaster, forcing="observed")[TARGET].isel(init_time=500)
    xr.testing.assert_equal(found.isel(lead_time=0), whole.isel(lead_time=0))
    assert (found != whole).isel(lead_time=1).all()


def test_climatology_takes_the_same_day_of_other_training_years():
    index = pd.date_range("2001-01-01", "2004-12-31")
    season, years = days_of_season(index)
    assert years.tolist() == [2001, 2002, 2003, 2004]
    at = index.get_loc("2003-03-05")
    assert [str(index[day])[:10] if day >= 0 else "" for day in season[at]] == [
        "2001-03-05",
        "2002-03-05",
        "",
        "2004-03-05",
    ]
    allowed = np.stack([index < "2002-03-10", index > "1990"])
    rows = rows_of_season(season, allowed, 3)
    assert (rows[0, at] >= 0).tolist() == [True, True, False, False]
    assert (rows_of_season(season, allowed, 5)[0, at] >= 0).tolist() == [True, False, False, False]
    assert (rows[1, at] == season[at]).all()


def test_climatology_in_use_knows_training_days_only(ds):
    forecaster = fit(ds, lead=[1, 3], future=["tp"], forcing="climatology")
    end = forecaster.splits.ranges.end.sel(part="train").values.max()
    changed = ds.assign(tp=ds.tp.where(ds.time <= end, ds.tp + 5))
    issued = ds.indexes["time"].get_indexer([end])[0]
    whole, found = (predict(each, forecaster, forcing="climatology")[TARGET] for each in (ds, changed))
    xr.testing.assert_equal(whole.isel(init_time=issued), found.isel(init_time=issued))
    with pytest.raises(ValueError, match="needs days of the training in the data"):
        predict(ds.sel(time=slice(end + np.timedelta64(30, "D"), None)), forecaster, forcing="climatology")


# --- the emulator ---------------------------------------------------------------------------------------------


def test_emulated_forecasts_are_right_as_often_as_asked_and_from_the_season_otherwise():
    days = pd.date_range("2001-01-01", "2006-12-31")
    rng = np.random.default_rng(0)
    ds = xr.Dataset(
        {
            "tp": (("site", "time"), np.tile(np.arange(days.size) / 1000, (2, 1)), {"units": "mm"}),
            "t2m": (("site", "time"), 280 + rng.random((2, days.size)), {"units": "K"}),
        },
        {"site": ["A", "B"], "time": days},
    )
    found = degrade_forcing(ds, ["tp", "t2m"], lead=3, members=2, seed=4)
    assert found.tp.dims == ("site", "init_time", "lead_time", "member")
    assert found.tp.units == "mm"
    truth = degrade_forcing(ds, ["tp", "t2m"], lead=3, skill=1)
    inside = truth.tp.notnull()
    right = (found == truth).where(inside).mean(["site", "init_time", "member"])
    np.testing.assert_allclose(right.tp, [0.75, 0.68, 0.60], atol=0.02)  # known as rain by its name and units
    np.testing.assert_allclose(right.t2m, [0.97, 0.95, 0.92], atol=0.02)
    day = (found.tp * 1000).round()
    off = (day - (truth.tp * 1000).round()).where(found.tp != truth.tp)
    years = (off / 365.2425).round()
    assert float(abs(off - years * 365.2425).max()) <= 11
    assert float(abs(years).min()) >= 1
    xr.testing.assert_identical(degrade_forcing(ds, ["tp", "t2m"], lead=3, members=2, seed=4), found)
    assert not degrade_forcing(ds, ["tp", "t2m"], lead=3, members=2, seed=5).tp.equals(found.tp)
    alone = degrade_forcing(ds.isel(site=[1]), ["tp", "t2m"], lead=3, members=2, seed=4)
    xr.testing.assert_identical(alone, found.isel(site=[1]))
    # a wrong day is a real day: where the temperature is wrong, so is the rain, and both are of one day
    wrong = (found.t2m != truth.t2m) & inside
    assert bool((found.tp != truth.tp).where(wrong, True).all())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"skill": 1.5}, "probabilities from 0 to 1"),
        ({"skill": [0.5, 0.4]}, "one or 3 of them"),
        ({"skill": {"t2m": 0.5}}, "not the driver 'tp'"),
        ({"members": 0}, "members=0"),
        ({"season": -1}, "season=-1"),
    ],
)
def test_wrong_settings_of_the_emulator(ds, options, match):
    with pytest.raises(ValueError, match=match):
        degrade_forcing(ds, ["tp"], lead=3, **options)


def test_records_that_cannot_be_degraded(ds):
    with pytest.raises(KeyError, match="no variable \\['rain'\\]"):
        degrade_forcing(ds, ["rain"])
    with pytest.raises(ValueError, match="takes two years or more"):
        degrade_forcing(ds.isel(time=slice(300)), ["tp"])


# --- forcing ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def coupled(ds):
    return fit(ds, lead=[1, 3], future=["tp"], forcing=degrade_forcing(ds, ["tp"], lead=3, members=2))


def test_members_and_units_of_forecasts(ds, coupled):
    forcing = degrade_forcing(ds, ["tp"], lead=5, members=3, seed=9)
    found = predict(ds, coupled, forcing=forcing)
    assert found.attrs["forcing"] == "forecasts"
    assert found[TARGET].dims == ("member", "site", "init_time", "lead_time")
    for member in (0, 2):
        one = predict(ds, coupled, forcing=forcing.sel(member=member, drop=True))
        xr.testing.assert_allclose(one[TARGET], found[TARGET].sel(member=member, drop=True))
    metres = forcing.assign(tp=(forcing.tp / 1000).assign_attrs(units="m"))
    xr.testing.assert_allclose(predict(ds, coupled, forcing=metres)[TARGET], found[TARGET], rtol=1e-5)
    mixed = forcing.isel(site=[2, 0, 1], lead_time=[4, 3, 2, 1, 0])
    xr.testing.assert_allclose(predict(ds, coupled, forcing=mixed)[TARGET], found[TARGET])
    # a day of issue without a forecast has none of ours
    some = predict(ds, coupled, forcing=forcing.isel(init_time=slice(100, 200)))[TARGET]
    assert some.notnull().any(["member", "site", "lead_time"]).sum() == 100


def wrong_forcings(forcing: xr.Dataset) -> dict[str, tuple[object, str]]:
    later = forcing.assign_coords(init_time=forcing.init_time + np.timedelta64(6, "h"))
    issued = forcing.init_time + np.timedelta64(1, "D")
    return {
        "none": (None, "the weather of the lead days is needed for"),
        "word": ("perfect", "forcing='perfect'"),
        "number": (3, "forcing is a int"),
        "no dims": (forcing.rename(init_time="reference"), r"it lacks \['init_time'\]"),
        "starts a day late": (forcing.isel(lead_time=[1, 2]), "no lead_time of 1 days"),
        "missing lead": (forcing.isel(lead_time=[0, 1]), "no lead_time of 3 days"),
        "unsorted": (
            forcing.isel(init_time=slice(None, None, -1)),
            r"is not sorted; use .sortby\('init_time'\)",
        ),
        "no common day": (later, "on no day of the record"),
        "issued later": (
            forcing.assign_coords(forecast_reference_time=("init_time", issued.values)),
            "were issued after their init_time",
        ),
        "other units": (forcing.assign(tp=forcing.tp.assign_attrs(units="K")), "cannot be converted to 'mm'"),
        "other driver": (forcing.rename(tp="rain"), "no variable 'tp' in the forcing"),
        "other sites": (forcing.isel(site=[0]), "site"),
        "empty member": (forcing.where(forcing.member != 1), r"member \[1\] of the forcing 'tp' is missing throughout"),
    }


@pytest.mark.parametrize("what", list(wrong_forcings(degrade_forcing(forced_soil(2, 800), ["tp"], lead=3, members=2))))
def test_wrong_forcing_is_refused_in_training_and_use(ds, coupled, what):
    forcing, match = wrong_forcings(degrade_forcing(ds, ["tp"], lead=3, members=2))[what]
    with pytest.raises((ValueError, KeyError, TypeError), match=match):
        predict(ds, coupled, forcing=forcing)
    with pytest.raises((ValueError, KeyError, TypeError), match=match):
        fit(ds, lead=[1, 3], future=["tp"], forcing=forcing)


def test_the_cures_that_are_named_work(ds, coupled):
    good = degrade_forcing(ds, ["tp"], lead=3, members=2)
    found = predict(ds, coupled, forcing=good)
    for wrong in (good.isel(init_time=slice(None, None, -1)).sortby("init_time"), good.rename(lead_time="step")):
        wrong = wrong.rename(step="lead_time") if "step" in wrong.dims else wrong
        xr.testing.assert_identical(predict(ds, coupled, forcing=wrong), found)


def test_members_of_some_drivers_only_are_refused(ds):
    both = degrade_forcing(ds, ["tp", "t2m"], lead=3, members=2)
    some = both.assign(t2m=both.t2m.isel(member=0, drop=True))
    with pytest.raises(ValueError, match=r"\['t2m'\] has no members, the others have"):
        fit(ds, lead=3, future=["tp", "t2m"], forcing=some)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"future": ["tp"]}, ValueError, "the weather of the lead days is needed for"),
        ({"forcing": "observed"}, ValueError, "without future="),
        ({"future": "tp", "forcing": "observed"}, TypeError, "give a list"),
        ({"future": ["rain"], "forcing": "observed"}, ValueError, "name drivers of"),
        ({"future": ["tp", "tp"], "forcing": "observed"}, ValueError, "each once"),
        ({"lead": [3, 1]}, ValueError, "growing order"),
        ({"lead": [1, 2], "variant": "UNet", "widths": None}, ValueError, "no recurrence"),
    ],
)
def test_wrong_settings(ds, options, error, match):
    with pytest.raises(error, match=match):
        fit(ds, **options)


def test_forcing_that_nothing_reads_is_refused(ds):
    with pytest.raises(ValueError, match="without future="):
        predict(ds, fit(ds, lead=[1, 2]), forcing="observed")


def test_sites_in_memory_and_a_checkpoint_change_no_weight(ds, tmp_path):
    from xdrought import TrainingOptions

    forcing = degrade_forcing(ds, ["tp"], lead=3, members=2)
    options = {"lead": [1, 3], "future": ["tp"], "forcing": forcing, "epochs": 2, **PAST}
    whole = fit(ds, **options)
    fit(ds, **options, checkpoint=tmp_path / "c")
    again = fit(ds, **options, checkpoint=tmp_path / "c")
    for name, tensor in whole.weights[0].items():
        assert torch.equal(tensor, again.weights[0][name])
    with pytest.raises(ValueError, match="forcing="):
        fit(ds, **options | {"forcing": "observed"}, checkpoint=tmp_path / "c")
    parts = fit(ds, **options, training=TrainingOptions(sites_in_memory=1))
    assert np.isfinite(parts.history.val_loss).all()


# --- audit and what takes one lead ------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"future": ["tp"], "forcing": "observed", "predict_change": True}])
def test_the_audit_reads_forecasters_of_several_leads(ds, options):
    forecaster = fit(ds, lead=[1, 3], **options)
    report = audit_leakage(forecaster, ds, device="cpu")
    assert report.leaks == ()
    assert "best epoch" not in report.unknown
    told = {finding.check: finding for finding in report.findings}["weather ahead"]
    assert ("upper bound" in told.computed_on) == bool(options)


def test_what_takes_one_lead_names_the_cure(ds):
    from xdrought import attributions, flash_drought_events

    forecaster = fit(ds, lead=[1, 3])
    with pytest.raises(ValueError, match=r"one lead.*train one with lead=3"):
        attributions(ds, forecaster, progress=False)
    forecast = predict(ds, forecaster)[TARGET]
    with pytest.raises(ValueError, match="select_lead"):
        flash_drought_events(forecast)
    assert "event" in flash_drought_events(select_lead(forecast, 3)).dims
    with pytest.raises(ValueError, match=r"lead=2 is none of the forecast's leads \[1.0, 3.0\]"):
        select_lead(forecast, 2)
    with pytest.raises(ValueError, match="not 'init_time' and 'lead_time'"):
        select_lead(ds[TARGET], 2)
