"""P(a flash drought begins within the lead): classifiers, references, labels, laziness, files, refusals."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import forced_soil
from xdrought.events import onset_label
from xdrought.forecast.onset import Boosting, Logistic, fit_onset, load_onset, predict_onset
from xdrought.forecast.onset.classifiers import log_loss, settings_of, trees_of_sklearn
from xdrought.forecast.onset.onset_fitting import _platt_scaling
from xdrought.forecast.onset.predictors import WINDOWS
from xdrought.splits import Splits, chronological

TARGET, P = "soil_moisture", "flash_onset_probability"
QUICK = Boosting(n_trees=30, min_leaf=20)


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return forced_soil(4, 2600)


@pytest.fixture(scope="module")
def onset(ds):
    return fit_onset(ds, TARGET, ["tp"], model=QUICK)


def brier_skill(found: xr.Dataset, begins: xr.DataArray, name: str = P) -> float:
    test = (found.part == 3) & begins.notnull() & found[P].notnull()
    loss, reference = (float(((found[n] - begins) ** 2).where(test).sum()) for n in (name, "season_frequency"))
    return 1 - loss / reference


# --- pieces -------------------------------------------------------------------------------------------------------


def rows(n: int = 3000):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 5)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    y = np.nan_to_num(x[:, 0]) * np.nan_to_num(x[:, 1]) + rng.normal(size=n) > 0.5
    return x, y.astype(float)


def test_trees_are_those_of_scikit_learn():
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, y = rows()
    theirs = HistGradientBoostingClassifier(max_iter=20, early_stopping=False).fit(x, y)
    ours = trees_of_sklearn(theirs)
    ours.check(5)
    for n_trees, expected in enumerate(theirs.staged_predict_proba(x), start=1):
        np.testing.assert_allclose(1 / (1 + np.exp(-ours.first(n_trees).margins(x))), expected[:, 1], rtol=1e-12)
    one = ours.values_by_tree(x[:7])
    np.testing.assert_allclose(ours.baseline + one.sum(axis=0), ours.margins(x[:7]), rtol=1e-12)


def test_boosting_keeps_the_trees_that_serve_validation_best():
    x, y = rows()
    settings = Boosting(n_trees=60, learning_rate=0.5, min_leaf=5)
    every = settings.fit(x[:1500], y[:1500], (x[:0], y[:0]), 0)
    best = settings.fit(x[:1500], y[:1500], (x[1500:], y[1500:]), 0)
    losses = [log_loss(every.first(k).margins(x[1500:]), y[1500:]) for k in range(1, 61)]
    assert every.roots.size == 60
    assert best.roots.size == 1 + int(np.argmin(losses)) < 60
    np.testing.assert_array_equal(best.margins(x), every.first(best.roots.size).margins(x))


def test_logistic_regression_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    x, y = rows()
    ours = Logistic(c=0.1).fit(x, y, (x, y), 0)
    scaled = np.nan_to_num((x - np.nanmean(x.astype(float), axis=0)) / np.nanstd(x.astype(float), axis=0))
    theirs = LogisticRegression(C=0.1, max_iter=2000).fit(scaled, y)
    np.testing.assert_allclose(ours.margins(x), theirs.decision_function(scaled), atol=1e-3)
    assert ours.margins(np.full((1, 5), np.nan)) == ours.intercept
    constant = Logistic().fit(np.ones((4, 1), np.float32), np.array([0, 1, 0, 1.0]), (x, y), 0)
    assert np.isfinite(constant.margins(np.ones((1, 1)))).all()


def test_log_loss_by_hand():
    assert log_loss(np.array([0.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(np.log(2))
    assert log_loss(np.log([3.0]), np.array([1.0])) == pytest.approx(-np.log(0.75))


def test_platt_scaling_is_logistic_regression_of_the_margins():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    margins = rng.normal(-2, 2, 4000)
    begins = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 * margins - 0.7)))).astype(float)
    slope, intercept = _platt_scaling(margins, begins)
    theirs = LogisticRegression(C=1e9, tol=1e-10).fit(margins[:, None], begins)
    assert (slope, intercept) == pytest.approx((theirs.coef_[0, 0], theirs.intercept_[0]), abs=1e-3)
    slope, _ = _platt_scaling(np.array([-5.0, -4, 4, 5]), np.array([0, 0, 1, 1.0]))  # separated: no end, but no error
    assert slope > 1


# --- on labels ------------------------------------------------------------------------------------------------------


def test_it_is_ahead_of_both_references(ds, onset):
    with unchanged(ds):
        found = predict_onset(ds, onset)
    begins = onset_label(ds[TARGET], train=onset.splits.training_days(ds.time))
    assert brier_skill(found, begins) > max(0.2, brier_skill(found, begins, "percentile_frequency") + 0.05)
    assert found[P].dims == ds[TARGET].dims
    assert found.lead_time == np.timedelta64(7, "D")
    assert found.attrs["label"] == "path"
    assert "boosting" in repr(onset)
    assert onset.splits.embargo == max(WINDOWS) + 7
    counts = [int(((found.part == k) & begins.notnull() & found[P].notnull()).sum()) for k in (1, 2, 3)]
    assert counts == [onset.settings[f"{part}_days"] for part in ("train", "val", "test")]


@pytest.mark.parametrize("label", ["path", "event"])
@pytest.mark.parametrize("pool", ["record", "dayofyear"])
def test_both_labels_and_the_seasonal_pool(ds, label, pool):
    window = 15 if pool == "dayofyear" else None
    found = fit_onset(ds, TARGET, label=label, model=QUICK, pool=pool, window=window, min_duration=5)
    assert found.task.definition.pool == pool
    assert found.splits.embargo == 60 + 7 + (4 if label == "event" else 0)
    assert predict_onset(ds, found)[P].mean() > 0


def test_the_references_are_those_of_the_training(ds, onset):
    found = predict_onset(ds, onset)
    begins = onset_label(ds[TARGET], train=onset.splits.training_days(ds.time))
    train = (found.part == 1) & begins.notnull()
    near = abs((ds.time.dt.dayofyear - 200 + 182) % 365 - 182) <= 30
    # 29 February counts as the day before, so leap years shift by one after it; day 199 of a common year.
    day = xr.where(
        ds.time.dt.is_leap_year & (ds.time.dt.dayofyear > 59), ds.time.dt.dayofyear - 1, ds.time.dt.dayofyear
    )
    near = abs((day - 200 + 182) % 365 - 182) <= 30
    pooled, own = begins.where(train & near), begins.where(train & near).isel(site=1)
    expected = (own.sum() + 200 * pooled.mean()) / (own.count() + 200)
    at = ds.time[(day == 200).values][0]
    assert found.season_frequency.isel(site=1).sel(time=at) == pytest.approx(expected.item(), abs=1e-6)
    assert len(np.unique(found.percentile_frequency)) <= 20


def test_nothing_after_the_day_of_issue_is_used(ds, onset):
    before = predict_onset(ds, onset)
    day = int(np.flatnonzero((before.part == 3).any("site"))[100])
    other = ds.where(ds.time <= ds.time[day], 7.0)
    after = predict_onset(other, onset)
    xr.testing.assert_identical(before.isel(time=slice(day + 1)), after.isel(time=slice(day + 1)))
    assert not before[P].equals(after[P])


def test_the_test_part_is_not_looked_at(ds, onset):
    start = onset.splits.ranges.start.sel(part="test").min()
    other = ds.where(ds.time < start, ds * 1.5)
    again = fit_onset(other, TARGET, ["tp"], model=QUICK)
    xr.testing.assert_identical(again.classifier.to_dataset(), onset.classifier.to_dataset())
    xr.testing.assert_identical(again.season, onset.season)
    assert again.calibration == onset.calibration


@pytest.mark.parametrize("model", [QUICK, Logistic()])
def test_lazy_on_sites_and_grids(ds, model):
    onset = fit_onset(ds, TARGET, ["tp"], model=model)
    eager = predict_onset(ds, onset)
    with raise_if_dask_computes():
        lazy = predict_onset(ds.chunk(site=1), onset)
    assert all(lazy[name].chunks for name in lazy.data_vars)
    xr.testing.assert_identical(lazy.compute(), eager)
    cells = pd.MultiIndex.from_product([[1.0, 2.0], [5.0, 6.0]], names=["lat", "lon"])
    grid = ds.drop_vars("site").assign_coords(xr.Coordinates.from_pandas_multiindex(cells, "site"))
    grid = grid.unstack("site").transpose("time", "lat", "lon")
    on_grid = fit_onset(grid.chunk(lat=1), TARGET, ["tp"], model=model)
    with raise_if_dask_computes():
        lazy = predict_onset(grid.chunk(lat=1, lon=2), on_grid)
    assert lazy[P].dims == ("time", "lat", "lon")
    found = lazy[P].compute().stack(site=["lat", "lon"]).transpose("site", "time")
    np.testing.assert_array_equal(found, eager[P])


def test_missing_days_have_no_probability_and_no_label(ds, onset):
    holes = ds.copy(deep=True)
    holes[TARGET][1, 2000] = np.nan
    holes["tp"][1, 2100] = np.nan
    found = predict_onset(holes, onset)
    missing = found.to_array().isnull().any("variable")
    assert np.argwhere(missing.values).tolist() == [[1, 2000]]
    more = found.n_filled - predict_onset(ds, onset).n_filled
    assert more.values[1, 2100] == 1  # the rain of the day itself; its means are known from the other days
    assert more.values[1, 2101] == 0
    assert (more.values[[0, 2, 3]] == 0).all()
    assert found.n_filled.attrs["inputs"] == len(onset.inputs)


def test_units_are_converted(ds, onset):
    metres = ds.assign(
        {TARGET: (ds[TARGET] / 1000).assign_attrs(units="m"), "tp": (ds.tp / 10).assign_attrs(units="cm")}
    )
    change = abs(predict_onset(metres, onset)[P] - predict_onset(ds, onset)[P])
    assert (change > 1e-6).mean() < 0.02  # rounding moves a few inputs over the threshold of a tree
    with pytest.raises(ValueError, match="cannot be converted"):
        predict_onset(ds.assign(tp=ds.tp.assign_attrs(units="K")), onset)


def test_sites_that_the_training_has_not_seen(ds):
    onset = fit_onset(ds.isel(site=[0, 1, 2]), TARGET, ["tp"], model=QUICK)
    with pytest.raises(ValueError, match=r"1 place\(s\) \[\['S3'\]\] hold no day of the training.*train="):
        predict_onset(ds, onset)
    with pytest.raises(ValueError, match="hold no day of the training"):
        predict_onset(ds.isel(site=[0], time=slice(2300, None)), onset)
    train = chronological(ds[TARGET].notnull()).training_days(ds.time)
    found = predict_onset(ds, onset, train=train)
    begins = onset_label(ds[TARGET], train=train)
    assert brier_skill(found.assign(part=found.part.isel(site=0)).isel(site=[3]), begins.isel(site=[3])) > 0.1
    assert (found.part.sel(site="S3") == 0).all()
    pool = onset.season.pool
    assert found.season_frequency.sel(site="S3").isel(time=99) == pool[99]
    recent = predict_onset(
        ds.isel(site=[3], time=slice(2000, None)), onset, train=ds[TARGET].isel(site=[3]).where(train)
    )
    later = {"site": ["S3"], "time": ds.time[2100:]}
    xr.testing.assert_equal(recent[P].sel(later), found[P].sel(later))


def test_one_site_and_one_series(ds):
    one = fit_onset(ds.isel(site=[0]), TARGET, ["tp"], model=QUICK)
    assert predict_onset(ds.isel(site=[0]), one)[P].notnull().all()
    series = fit_onset(ds.isel(site=0, drop=True), TARGET, ["tp"], model=QUICK)
    np.testing.assert_array_equal(
        predict_onset(ds.isel(site=0, drop=True), series)[P], predict_onset(ds.isel(site=[0]), one)[P][0]
    )
    np.testing.assert_array_equal(predict_onset(ds.isel(site=0), one)[P], predict_onset(ds.isel(site=[0]), one)[P][0])


def test_whole_sites_held_out_need_a_period(ds):
    options = {"model": QUICK, "split": "spatial_monte_carlo", "fractions": (0.5, 0.25, 0.25)}
    with pytest.raises(ValueError, match="have no training days.*give train="):
        fit_onset(ds, TARGET, **options)
    onset = fit_onset(ds, TARGET, train=(None, "2004"), **options)
    assert onset.settings["train"] == "None to 2004"
    found = predict_onset(ds, onset, train=(None, "2004"))
    assert set(np.unique(found.part)) == {1, 2, 3}


def test_splits_of_your_own_and_too_many_days(ds):
    splits = chronological(ds[TARGET].notnull(), embargo=30)
    onset = fit_onset(ds, TARGET, model=QUICK, split=splits, train=splits.training_days(ds.time))
    assert onset.splits is splits
    assert onset.settings["train"] == "a mask of days"
    drawn = fit_onset(ds, TARGET, model=QUICK, max_days=2 * ds.sizes["time"])
    again = fit_onset(ds, TARGET, model=QUICK, max_days=2 * ds.sizes["time"])
    assert drawn.settings["train_days"] < onset.settings["train_days"]
    assert drawn.season.dims == ("day_of_year",)
    xr.testing.assert_identical(predict_onset(ds, drawn), predict_onset(ds, again))
    others = [fit_onset(ds, TARGET, model=QUICK, max_days=2 * ds.sizes["time"], seed=k) for k in (1, 2)]
    assert not all(predict_onset(ds, other)[P].equals(predict_onset(ds, drawn)[P]) for other in others)


def test_without_platt_scaling(ds, onset):
    raw = fit_onset(ds, TARGET, ["tp"], model=QUICK, calibrate=False)
    assert raw.calibration == (1.0, 0.0)
    odds = [np.log(p / (1 - p)) for p in (predict_onset(ds, one)[P] for one in (raw, onset))]
    slope, intercept = onset.calibration
    np.testing.assert_allclose(odds[1], intercept + slope * odds[0], atol=1e-9)


# --- the weather ahead ------------------------------------------------------------------------------------------------


def forecasts(ds: xr.Dataset, members: int | None = None) -> xr.Dataset:
    """The truth of the lead days as forecasts; further members are dry."""
    leads = pd.to_timedelta(range(1, 8), unit="D")
    ahead = xr.concat([ds.tp.shift(time=-k) for k in range(1, 8)], pd.Index(leads, name="lead_time"))
    ahead = ahead.rename(time="init_time").assign_attrs(units="mm").rename("tp")
    if members:
        ahead = xr.concat([ahead, *[ahead * 0] * (members - 1)], "member")
    return ahead.to_dataset()


def test_the_weather_of_the_lead_days_helps(ds, onset):
    perfect = fit_onset(ds, TARGET, ["tp"], future=["tp"], forcing="observed", model=QUICK)
    assert perfect.settings["forcing"] == "observed"
    begins = onset_label(ds[TARGET], train=onset.splits.training_days(ds.time))
    found = predict_onset(ds, perfect, forcing="observed")
    assert found.attrs["forcing"] == "observed"
    assert brier_skill(found, begins) > brier_skill(predict_onset(ds, onset), begins) + 0.03
    forcing = forecasts(ds)
    same = fit_onset(ds, TARGET, ["tp"], future=["tp"], forcing=forcing, model=QUICK)
    assert same.settings["forcing"] == "forecasts"
    xr.testing.assert_equal(predict_onset(ds, same, forcing=forcing)[P], found[P])
    numbered = forcing.assign_coords(lead_time=range(1, 8)).isel(lead_time=slice(None, None, -1))
    xr.testing.assert_equal(predict_onset(ds, same, forcing=numbered)[P], found[P])
    members = predict_onset(ds, same, forcing=forecasts(ds, 3))[P]
    dry = predict_onset(ds, same, forcing=forcing * 0)[P]
    np.testing.assert_allclose(members, (found[P] + 2 * dry) / 3, atol=1e-12)
    with raise_if_dask_computes():
        lazy = predict_onset(ds.chunk(site=2), same, forcing=forecasts(ds, 3).chunk(site=2))
    xr.testing.assert_allclose(lazy[P].compute(), members)
    fitted = fit_onset(ds, TARGET, ["tp"], future=["tp"], forcing=forecasts(ds, 3), model=QUICK)
    xr.testing.assert_identical(fitted.classifier.to_dataset(), same.classifier.to_dataset())  # of the first member


def test_forcing_that_does_not_fit(ds):
    options = {"future": ["tp"], "model": QUICK}
    forcing = forecasts(ds)
    with pytest.raises(ValueError, match="the weather of the lead days is needed"):
        fit_onset(ds, TARGET, **options)
    with pytest.raises(ValueError, match="forcing='perfect'"):
        fit_onset(ds, TARGET, forcing="perfect", **options)
    with pytest.raises(ValueError, match="no lead_time of 7 days"):
        fit_onset(ds, TARGET, forcing=forcing.isel(lead_time=slice(6)), **options)
    with pytest.raises(ValueError, match="init_time of the forcing 'tp' is not sorted"):
        fit_onset(ds, TARGET, forcing=forcing.isel(init_time=slice(None, None, -1)), **options)
    with pytest.raises(ValueError, match=r"it lacks \['lead_time'\]"):
        fit_onset(ds, TARGET, forcing=forcing.isel(lead_time=0), **options)
    with pytest.raises(KeyError, match="no variable 'tp' in the forcing"):
        fit_onset(ds, TARGET, forcing=forcing.rename(tp="rain"), **options)
    with pytest.raises(KeyError, match='which forcing="observed" reads'):
        fit_onset(ds.drop_vars("tp"), TARGET, forcing="observed", **options)
    with pytest.raises(ValueError, match="cannot be converted"):
        fit_onset(ds, TARGET, forcing=forcing.assign(tp=forcing.tp.assign_attrs(units="K")), **options)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [QUICK, Logistic()])
def test_a_saved_model_predicts_the_same(ds, model, tmp_path):
    onset = fit_onset(ds, TARGET, ["tp"], model=model, pool="dayofyear", window=15)
    onset.save(tmp_path / "onset.nc")
    again = load_onset(tmp_path / "onset.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["onset.nc"]
    assert again.task == onset.task
    assert again.settings == onset.settings
    xr.testing.assert_identical(predict_onset(ds, again), predict_onset(ds, onset))
    again.save(tmp_path / "twice.nc")
    assert load_onset(tmp_path / "twice.nc").inputs == onset.inputs
    with h5py.File(tmp_path / "twice.nc", "a") as file:
        file["elsewhere"] = h5py.ExternalLink(str(tmp_path / "onset.nc"), "/")
    with pytest.raises(ValueError, match="'elsewhere' of .*twice.nc is refused: it is a link to another file"):
        load_onset(tmp_path / "twice.nc")


def test_files_that_are_not_ours(onset, tmp_path):
    path = tmp_path / "onset.nc"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_onset(path)
    onset.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="no whole NetCDF file"):
        load_onset(path)
    xr.Dataset({"a": 1}).to_netcdf(path)
    with pytest.raises(ValueError, match="is not a saved onset model"):
        load_onset(path)
    import h5py

    for change, words in (
        (lambda f: f["classifier/value"].__setitem__(0, 9.0), "was changed after it was saved"),
        (lambda f: f.attrs.__setitem__("format_version", 9), "has format version 9"),
    ):
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            change(file)
        with pytest.raises(ValueError, match=words):
            load_onset(path)


def test_classifiers_that_do_not_fit_together(ds, onset):
    trees = onset.classifier
    with pytest.raises(ValueError, match="trees point to nodes or inputs"):
        trees.check(1)
    with pytest.raises(ValueError, match="trees point to nodes or inputs"):
        replace(trees, left=np.where(trees.left >= 0, 0, -1)).check(len(onset.inputs))
    linear = fit_onset(ds, TARGET, model="logistic").classifier
    with pytest.raises(ValueError, match="coefficients for 3 inputs"):
        linear.check(3)


# --- refusals -----------------------------------------------------------------------------------------------------


def test_one_class_parts(ds):
    wet = ds.assign({TARGET: ds[TARGET] * 0 + np.arange(ds.sizes["time"])})  # it only gets wetter
    with pytest.raises(ValueError, match="training part of 'soil_moisture' has .* days, 0 of them before an onset"):
        fit_onset(wet, TARGET)
    end = chronological(ds[TARGET].notnull(), embargo=97).ranges.end.sel(part="train").max().values
    late = ds.assign({TARGET: ds[TARGET].where(ds.time <= end, 100.0)})  # always wet after training
    with pytest.raises(ValueError, match="validation part .* or calibrate=False"):
        fit_onset(late, TARGET, model=QUICK)
    assert fit_onset(late, TARGET, model=QUICK, calibrate=False).calibration == (1.0, 0.0)


def test_wrong_input(ds):
    with pytest.raises(KeyError, match=r"no variable \['rain'\]"):
        fit_onset(ds, TARGET, ["rain"])
    with pytest.raises(KeyError, match=r"no variable \['swc'\]"):
        fit_onset(ds, "swc")
    with pytest.raises(TypeError, match="is one name; give a list"):
        fit_onset(ds, TARGET, "tp")
    with pytest.raises(ValueError, match="has no value on any day"):
        fit_onset(ds.assign({TARGET: ds[TARGET] * np.nan}), TARGET)
    with pytest.raises(ValueError, match="goes backwards"):
        fit_onset(ds.isel(time=slice(None, None, -1)), TARGET)
    with pytest.raises(ValueError, match="a driver has 'time' and no other dimension"):
        fit_onset(ds.assign(tp=ds.tp.expand_dims(patch_lat=2)), TARGET, ["tp"])
    with pytest.raises(ValueError, match="split='years' is unknown"):
        fit_onset(ds, TARGET, split="years")
    with pytest.raises(ValueError, match="model='forest' is unknown"):
        fit_onset(ds, TARGET, model="forest")
    for lead in (0, 2.5):
        with pytest.raises(ValueError, match="whole number of days"):
            fit_onset(ds, TARGET, lead=lead)
    assert settings_of(Logistic(c=2)) == ("logistic", Logistic(c=2))
    assert isinstance(chronological(ds[TARGET].notnull()), Splits)
