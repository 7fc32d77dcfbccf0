"""Training and forecasting on labels: skill on a known process, no leakage, coordinates, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
import xarray as xr

from tests.support.helpers import unchanged
from tests.support.quick_training import DRIVERS, TARGET, quick, weights_of
from tests.support.towers import forced_soil, random_grid, random_sites
from xdrought import SplitConfig, files, verify
from xdrought.causality import causality_degree
from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.splits import chronological
from xdrought.windows.labelled import patches


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


# --- skill and honesty ------------------------------------------------------------------------------------


def test_it_beats_climatology_on_a_known_process():
    """Soil keeps 90 % a day of what fell: 20 days of rain tell all but the last day's, 19 % of variance."""
    ds = forced_soil(2, 600)
    forecaster = quick(ds, window=20, lead=1, epochs=15, learning_rate=0.02, widths=(16,), batch_size=32)
    windows = patches(ds, TARGET, drivers=DRIVERS, window=20, lead=1)
    test = windows.to_labels(np.isin(np.arange(len(windows)), forecaster.splits.windows(windows, "test")))
    observed = ds[TARGET].where(test)
    error = float(((predict(ds, forecaster)[TARGET] - observed) ** 2).mean())
    training = ds[TARGET].where(forecaster.splits.training_days(ds.time))
    assert int(test.sum()) > 100
    assert error < 0.5 * float(((training.mean("time") - observed) ** 2).mean())


def test_later_days_change_nothing_that_is_learnt(sites):
    splits = chronological(patches(sites, TARGET, window=5, lead=2))
    seen = splits.mask("train", sites.time) | splits.mask("val", sites.time)
    last = int(np.flatnonzero(seen.any("site"))[-1])
    rng = np.random.default_rng(9)
    other = sites.copy(deep=True)
    for name in (*DRIVERS, TARGET):
        noise = rng.standard_normal(other[name][:, last + 1 :].shape)
        other[name][:, last + 1 :] = float(sites[name].mean()) * (1 + 0.01 * noise)
    first, second = quick(sites, "ResAttCauRec"), quick(other, "ResAttCauRec")
    np.testing.assert_array_equal(weights_of(first), weights_of(second))
    xr.testing.assert_identical(first.scaling.mean, second.scaling.mean)
    xr.testing.assert_identical(first.causality, second.causality)
    xr.testing.assert_identical(first.history, second.history)


def test_scaling_and_causality_are_of_the_training_part(sites, causal):
    train = causal.splits.training_days(sites.time)
    assert causal.scaling.mean.sel(variable="tp") == pytest.approx(float(sites.tp.where(train).mean()))
    expected = causality_degree(sites[DRIVERS], sites[TARGET], train=train)
    xr.testing.assert_equal(causal.causality.rho, expected.rho)
    assert causal.causality.rho.dims == ("site", "variable", "cell")
    assert causal.architecture.n_causal == 2 * 2 * 4


def test_validation_loss_of_the_kept_weights_is_the_best(sites):
    forecaster = quick(sites, epochs=6, learning_rate=0.05)
    p = patches(sites, TARGET, drivers=DRIVERS, window=5, lead=2)
    val = p.to_labels(np.isin(np.arange(len(p)), forecaster.splits.windows(p, "val")))
    scaled = forecaster.scaling.apply(xr.Dataset({TARGET: predict(sites, forecaster)[TARGET]}))[TARGET]
    errors = ((scaled - forecaster.scaling.apply(sites)[TARGET]) ** 2).where(val)
    history = forecaster.history.isel(run=0)
    assert history.sizes == {"epoch": 6}
    assert float(errors.mean()) == pytest.approx(float(history.val_loss.min()), rel=1e-4)
    assert history.best_epoch == history.val_loss.argmin("epoch")


# --- seeds ------------------------------------------------------------------------------------------------


def test_runs_differ_and_do_not_depend_on_their_number(sites, causal):
    again = quick(sites, "ResAttCauRec")
    np.testing.assert_array_equal(weights_of(again), weights_of(causal, 0))
    assert not np.allclose(weights_of(causal, 0), weights_of(causal, 1))
    assert not np.allclose(weights_of(quick(sites, "ResAttCauRec", seed=1)), weights_of(again))


def test_global_state_and_data_are_as_before(sites):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with unchanged(sites):
        predict(sites, quick(sites, "ResAttRec", equations="released"))
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


# --- forecasts on coordinates -----------------------------------------------------------------------------


def window_by_window(ds, forecaster, run: int = 0) -> xr.DataArray:
    """Every window through the whole network by itself."""
    p = patches(
        forecaster.scaling.apply(ds[list(forecaster.features)]),
        drivers=forecaster.features,
        window=forecaster.window,
        lead=forecaster.lead,
        size=forecaster.size,
    )
    network = forecaster.network(run)
    out = []
    for k in range(len(p)):
        one = p[k]
        x = torch.from_numpy(one.inputs.values)[None]
        degree = None
        if forecaster.causality is not None:
            place = {dim: one[dim].item() for dim in forecaster.causality.rho.dims[:-2]}
            here = forecaster.causality.sel(place)
            numbers = np.concatenate([here.rho.fillna(0).values.ravel(), here.p_value.fillna(1).values.ravel()])
            degree = torch.from_numpy(numbers.astype("float32"))[None]
        with torch.no_grad():
            out.append(network(x, degree).item())
    values = forecaster.scaling.invert(xr.DataArray(out), forecaster.target).values
    return p.to_labels(values)


def test_sites_by_coordinates(sites, causal):
    forecast = predict(sites, causal, batch_size=7)
    assert forecast[TARGET].dims == ("run", "site", "time")
    assert forecast[TARGET].attrs["units"] == "m3 m-3"
    assert forecast[TARGET].attrs["long_name"] == "soil moisture, forecast 2 days ahead"
    # the first window ends on day 4, the last on day 119; targets are two days later
    assert forecast.time[0] == sites.time[0]
    assert forecast.time[-1] == sites.time[-1] + np.timedelta64(2, "D")
    assert (forecast.time - forecast.init_time == forecast.lead_time).all()
    assert forecast.lead_time == np.timedelta64(2, "D")
    known = forecast[TARGET].notnull().all(["run", "site"]).values
    np.testing.assert_array_equal(known, np.arange(122) >= 6)
    assert list(forecast.lat) == [40, 41]
    for run in (0, 1):
        expected = window_by_window(sites, causal, run)
        np.testing.assert_allclose(forecast[TARGET].sel(run=run), expected, atol=1e-6)


@pytest.mark.parametrize("variant", ["ResAttCauRec", "CauRec", "UNet"])
def test_grids_by_coordinates(variant):
    ds = random_grid(4, 4, 60) if variant != "UNet" else random_grid(3, 3, 60)
    options = {"widths": (4, 5), "size": 2} if variant == "UNet" else {"size": 2}
    forecaster = quick(ds, variant, "swvl1", **options)
    forecast = predict(ds, forecaster)
    assert forecast.swvl1.dims == ("time", "lat", "lon")
    assert forecast.swvl1.shape == (62, ds.sizes["lat"], ds.sizes["lon"])
    # of a 2 x 2 patch the centre is the north-western cell: the last row and column have none
    assert forecast.swvl1[10, :-1, :-1].notnull().all()
    assert forecast.swvl1[10, -1].isnull().all()
    np.testing.assert_allclose(forecast.swvl1, window_by_window(ds, forecaster), atol=1e-6)
    if variant != "UNet":
        some = forecaster.causality.isel(lat=1, lon=2).sel(variable="tp").rho
        boxes = {(0, 1): 1, (1, 0): 2, (1, 1): 3}  # neighbours south and east, row-major
        train = forecaster.splits.training_days(ds.time).isel(lat=1, lon=2)
        for (south, east), cell in boxes.items():
            driver = ds[["tp"]].isel(lat=1 + south, lon=2 + east, drop=True)
            degree = causality_degree(
                driver, ds.swvl1.isel(lat=1, lon=2, drop=True), train=train.drop_vars(["lat", "lon"])
            )
            assert some.sel(cell=cell) == pytest.approx(degree.rho.item(), abs=1e-12)


def test_the_order_of_variables_and_the_target_do_not_matter(sites, causal):
    turned = sites[["t2m", "tp"]].transpose("patch_lon", "time", "patch_lat", "site")
    xr.testing.assert_identical(predict(turned, causal), predict(sites, causal))


def test_days_after_gaps_and_other_sites_are_left_alone(sites, causal):
    holed = sites.where(sites.time != sites.time[50])
    forecast, whole = predict(holed, causal)[TARGET], predict(sites, causal)[TARGET]
    # windows that hold day 50 end on days 50..54, their targets are two days later
    lost = np.isin(np.arange(122), range(52, 57))
    assert forecast[:, :, lost].isnull().all()
    xr.testing.assert_allclose(forecast[:, :, ~lost], whole[:, :, ~lost], atol=1e-6)
    alone = predict(sites.isel(site=[1]), causal)[TARGET]
    xr.testing.assert_allclose(alone, whole.isel(site=[1]), atol=1e-6)


def test_units_are_converted_or_refused(sites, causal):
    expected = predict(sites, causal)
    celsius = (sites.t2m - 273.15).assign_attrs(units="degC")
    xr.testing.assert_allclose(predict(sites.assign(t2m=celsius), causal), expected, atol=1e-5)
    with pytest.raises(ValueError, match="'t2m' has units 'mm', which cannot be converted to 'K'"):
        predict(sites.assign(t2m=sites.t2m.assign_attrs(units="mm")), causal)
    with pytest.raises(ValueError, match="'t2m' has no units"):
        predict(sites.assign(t2m=sites.t2m.drop_attrs()), causal)


def test_a_site_without_target_is_dropped_and_can_be_predicted():
    ds = random_sites(3, 120)
    lacking = ds.assign(soil_moisture=ds[TARGET].where(ds.site != "S1"))
    with pytest.warns(UserWarning, match=r"1 site\(s\) without a complete window .*: S1"):
        plain = quick(lacking, "Rec")
    assert list(plain.splits.ranges.site) == ["S0", "S2"]
    assert predict(lacking, plain)[TARGET].sel(site="S1").notnull().any()

    with pytest.warns(UserWarning, match="S1"):
        causal = quick(lacking, "CauRec")
    with pytest.raises(ValueError, match=r"no causality degree for 1 place\(s\), first \[\('S1',\)\].*causality="):
        predict(lacking, causal)
    degree = causality_degree(ds[DRIVERS], ds[TARGET], train=slice(None))
    found = predict(lacking, causal, causality=degree)[TARGET]
    assert found.sel(site="S1").notnull().any()
    known = predict(lacking.sel(site=["S0", "S2"]), causal)[TARGET]
    assert not np.allclose(known, found.sel(site=["S0", "S2"]), equal_nan=True)  # other degrees, other numbers


def test_given_causality_is_used(sites):
    degree = causality_degree(sites[DRIVERS], sites[TARGET], train=slice(None))
    forecaster = quick(sites, "CauRec", causality=degree.isel(site=[1, 0], variable=[1, 0]))
    xr.testing.assert_equal(forecaster.causality.rho.reindex_like(degree.rho), degree.rho)
    with pytest.raises(ValueError, match=r"the causality degree lacks \['t2m'\]"):
        quick(sites, "CauRec", causality=degree.sel(variable=["tp"]))
    with pytest.raises(ValueError, match=r"\['site'\] needs labels"):
        quick(sites, "CauRec", causality=degree.isel(site=0, drop=True))


def test_constant_drivers_are_named(sites):
    with pytest.warns(UserWarning, match=r"\['t2m'\] are constant"):
        forecaster = quick(sites.assign(t2m=xr.full_like(sites.t2m, 280.0)))
    assert forecaster.scaling.constant == ("t2m",)
    assert predict(sites, forecaster)[TARGET].notnull().any()


# --- the value and its file -------------------------------------------------------------------------------


def test_the_text_says_what_it_is(causal):
    text = repr(causal)
    for part in (
        "ResAttCauRec (paper), 2 runs",
        "soil_moisture (m3 m-3), 2 days ahead",
        "2 x 2 cells",
        "tp, t2m",
    ):
        assert part in text
    assert (causal.variant, causal.runs, causal.size, causal.window) == ("ResAttCauRec", 2, 2, 5)


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "error", "match"),
    [
        (lambda ds: ds.chunk(time=50), {}, ValueError, "'time' has 3 chunks"),
        (lambda ds: ds.isel(time=slice(6)), {}, ValueError, "the record has 6 days"),
        (lambda ds: ds.isel(time=slice(25)), {}, ValueError, "no window is left for 'val'.*record is too"),
        (lambda ds: ds.assign(tp=ds.tp * np.nan), {}, ValueError, r"\['tp'\] has no finite value"),
        (lambda ds: ds.drop_vars(TARGET), {}, KeyError, r"no variable \['soil_moisture'\]"),
        (lambda ds: ds.assign(soil_moisture=ds[TARGET] * np.nan), {}, ValueError, "has no finite value"),
        (None, {"lead": 0}, ValueError, "lead=0"),
        (None, {"lead": -1}, ValueError, "lead=-1"),
        (None, {"window": 200}, ValueError, "a window of 200 days"),
        (None, {"variant": "Transformer"}, ValueError, "variant='Transformer' is unknown"),
        (None, {"equations": "mine"}, ValueError, "equations='mine' is unknown"),
        (None, {"epochs": 0}, ValueError, "epochs=0; it must be a whole number, 1 or more"),
        (None, {"runs": 1.5}, ValueError, "runs=1.5"),
        (None, {"batch_size": True}, ValueError, "batch_size=True"),
        (None, {"learning_rate": 0}, ValueError, "learning_rate=0; it must be above 0"),
        (None, {"learning_rate": 1e30}, FloatingPointError, "the loss is .*use a learning rate below"),
        (None, {"device": "nonsense"}, ValueError, "device='nonsense' is not usable here"),
        (None, {"split": SplitConfig(fractions=(1, 1, 1))}, ValueError, "three shares that add up to 1"),
    ],
)
def test_refusals_of_training(change, options, error, match):
    ds = random_sites(2, 120)
    with pytest.raises(error, match=match):
        quick(ds if change is None else change(ds), **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(sites):
    with pytest.raises(ValueError, match='device=\'cuda\' is not usable here.*use device="cpu", or "auto"'):
        quick(sites, device="cuda")


def test_refusals_of_forecasts(sites, causal):
    with pytest.raises(KeyError, match=r"no variable \['tp'\].*needs \['tp', 't2m'\]"):
        predict(sites.drop_vars("tp"), causal)
    with pytest.raises(ValueError, match="size=2 cannot be cut from patches of 1 x 1"):
        predict(random_sites(2, 50), causal)
    with pytest.raises(ValueError, match="the record has 4 days, but a window of 5 days needs 5"):
        predict(sites.isel(time=slice(4)), causal)
    with pytest.raises(ValueError, match="there is no complete window"):
        predict(sites.where(sites.time != sites.time[2]).isel(time=slice(5)), causal)
    with pytest.raises(ValueError, match="'time' has 12 chunks"):
        predict(sites.chunk(time=10), causal)
    with pytest.raises(ValueError, match="batch_size=0"):
        predict(sites, causal, batch_size=0)


def test_progress_shows_the_loss(sites, caplog):
    with warnings.catch_warnings(), caplog.at_level("INFO", "xdrought"):
        warnings.simplefilter("ignore")
        quick(sites, progress=True)
    assert "Rec" in caplog.text
    assert "val=" in caplog.text


# --- parts, names and surroundings ------------------------------------------------------------------------------


def test_a_forecast_says_which_part_each_day_belongs_to(sites):
    forecaster = quick(sites)
    forecast = predict(sites, forecaster)
    for k, part in enumerate(("train", "val", "test"), start=1):
        days = forecaster.splits.mask(part, forecast.time.reset_coords(drop=True))
        np.testing.assert_array_equal(forecast.part == k, days.transpose("site", "time"))
    assert forecast.part.attrs["flag_meanings"] == "outside train val test"
    assert (forecast.part[:, -2:] == 0).all()  # beyond the record
    xr.testing.assert_identical(predict(sites.chunk(site=1), forecaster).compute(), forecast)
    scores = verify(forecast[TARGET], sites[TARGET], n_boot=5)
    test = forecaster.splits.mask("test", sites.time).drop_vars("part", errors="ignore")
    plain = verify(forecast[TARGET].drop_vars("part").where(test, drop=True), sites[TARGET], n_boot=5)
    xr.testing.assert_allclose(scores, plain)
    assert scores.rmse.notnull().all()


def test_sites_may_have_another_name(sites):
    theirs = sites.rename(site="station", time="day")
    forecaster = quick(theirs, "CauRec", site="station", time="day")
    expected = predict(sites, quick(sites, "CauRec"))
    found = predict(theirs, forecaster, time="day")  # the name of the sites is known from the training
    assert found[TARGET].dims == ("station", "day")
    np.testing.assert_array_equal(found[TARGET], expected[TARGET])


def test_stacked_cells_are_trained_as_sites():
    stacked = random_grid(2, 2, 120)[["tp", "t2m", "swvl1"]].stack(site=("lat", "lon"))
    forecast = predict(stacked, quick(stacked, "CauRec", target="swvl1"))
    assert forecast.indexes["site"].equals(stacked.indexes["site"])
    assert forecast.swvl1.unstack("site").sizes["lat"] == 2


def test_the_caller_s_torch_settings_change_nothing(sites):
    expected = weights_of(quick(sites))
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            found = quick(sites)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(default)
    np.testing.assert_array_equal(weights_of(found), expected)


def test_the_caller_s_numpy_settings_change_nothing(sites):
    with np.errstate(all="raise"):
        quick(sites, "CauRec")


@pytest.mark.parametrize("seed", [-1, None, 1.5, "a"])
def test_a_seed_is_a_whole_number(sites, seed):
    with pytest.raises(ValueError, match=f"seed={seed!r}; it must be a whole number, 0 or more"):
        quick(sites, seed=seed)


def test_one_checkpoint_is_for_one_training(sites, tmp_path):
    with files.locked(tmp_path / "c", "checkpoint"), pytest.raises(BlockingIOError, match="c is in use by another run"):
        quick(sites, checkpoint=tmp_path / "c")
    quick(sites, checkpoint=tmp_path / "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "c.run0"]  # the lock is gone


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda tensors, notes: notes.pop("histories"), "KeyError"),
        (lambda tensors, notes: notes.update(settings=3), "settings 3"),
        (lambda tensors, notes: notes["histories"][0].update(val_loss=[1.0]), "losses"),
        (lambda tensors, notes: notes["histories"][0].update(train_loss=["a", "b"]), "losses"),
        (lambda tensors, notes: notes["histories"][0].update(best_epoch=7), "best epoch 7 of 2"),
        (lambda tensors, notes: notes["histories"][0].update(order=[]), "weights of another network"),
        (lambda tensors, notes: notes.update(histories=notes["histories"] * 3), "KeyError"),
    ],
)
def test_a_checkpoint_of_sound_form_and_other_contents_is_refused(sites, tmp_path, change, match):
    from xdrought.models import checkpoint

    path = tmp_path / "c"
    quick(sites, checkpoint=path)
    tensors, notes = checkpoint.read(path)
    notes = {name: value for name, value in notes.items() if name not in ("format", "version", "sum")}
    change(tensors, notes)
    path.write_bytes(checkpoint.to_bytes(tensors, notes))
    with pytest.raises(ValueError, match=f"{match}.*delete it to start anew|{match}.*call with the same"):
        quick(sites, checkpoint=path)


def test_choices_of_the_paper_and_of_its_code_make_a_forecaster_that_is_written_and_read(tmp_path):
    from xdrought import TrainingOptions, audit_leakage, causality_degree, load_forecaster
    from xdrought.splits import chronological
    from xdrought.windows.labelled import patches

    ds = forced_soil(n_site=2, n_time=200)
    names = [name for name in ds.data_vars if name != "soil_moisture"]
    splits = chronological(patches(ds, "soil_moisture", drivers=names), embargo=0)
    days = splits.training_days(ds["time"])
    both = causality_degree(ds[names], ds.soil_moisture, train=days, direction="both")
    how = {"variant": "CauRec", "widths": (3, 4), "epochs": 2, "device": "cpu", "progress": False, "split": splits}
    options = TrainingOptions(keep="last", scale_target=False, initial_hidden=5)
    made = fit_resattcaurec(ds, "soil_moisture", causality=both, training=options, **how)
    assert made.architecture.n_causal == 4 * len(names)  # rho and p, in both directions, of one cell
    assert made.weights[0]["recurrence.initial.0.0.weight"].shape == (5, made.architecture.n_causal)
    assert made.scaling.mean.sel(variable="soil_moisture") == 0
    assert made.scaling.std.sel(variable="soil_moisture") == 1
    made.save(tmp_path / "it.xdrought")
    xr.testing.assert_identical(
        predict(ds, load_forecaster(tmp_path / "it.xdrought"))[["soil_moisture"]].drop_attrs(),
        predict(ds, made)[["soil_moisture"]].drop_attrs(),
    )
    assert audit_leakage(made, ds)["scaling"].verdict == "passed"
    assert audit_leakage(made, ds)["causality"].verdict == "passed"

    first = str(ds.time.values[0])[:10], str(ds.time.values[40])[:10]
    early = fit_resattcaurec(ds, "soil_moisture", training=TrainingOptions(scaling_period=first), **how)
    expected = ds.soil_moisture.isel(time=slice(41)).mean()
    assert float(early.scaling.mean.sel(variable="soil_moisture")) == pytest.approx(float(expected))
    with pytest.raises(ValueError, match="scaling_period=.* holds no day of the data"):
        fit_resattcaurec(
            ds, "soil_moisture", training=TrainingOptions(scaling_period=("1991-01-01", "1991-12-31")), **how
        )
    with pytest.raises(ValueError, match="keep='first'"):
        TrainingOptions(keep="first")
