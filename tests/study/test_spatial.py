"""Held-out sites: each is tested once, by networks that never saw it, and is told only what it should be."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from tests.support.towers import forced_soil
from xdrought.causality import causality_degree
from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.splits import PARTS, chronological
from xdrought.study import paired_differences, spatial, spatial_folds, spatial_validation
from xdrought.study.comparison import score_members
from xdrought.study.result_cache import Member
from xdrought.windows.labelled import patches

SMALL = {"epochs": 1, "widths": (4, 4), "learning_rate": 1e-2, "device": "cpu"}
NETWORKS = {"variant": "CauRec", "without": "Rec"}


def sites(n: int, n_time: int = 420) -> xr.Dataset:
    ds = forced_soil(n_site=n, n_time=n_time)
    return ds.assign_coords(lat=("site", np.linspace(30, 50, n)), lon=("site", np.linspace(-120, -80, n)))


@pytest.fixture(scope="module")
def soil() -> xr.Dataset:
    return sites(6)


@pytest.fixture(scope="module")
def found(soil) -> xr.Dataset:
    with unchanged(soil):
        return spatial_validation(soil, "soil_moisture", folds=3, runs=2, progress=False, **NETWORKS, **SMALL)


# --- folds ------------------------------------------------------------------------------------------------


def observed(n: int) -> xr.DataArray:
    return sites(n, 60).soil_moisture.notnull()


@pytest.mark.parametrize(("n", "folds"), [(6, 3), (13, 5), (36, 5), (3, 3)])
def test_each_site_is_tested_once_and_is_in_one_part_of_each_fold(n, folds):
    parts = [
        splits.ranges.start.notnull().transpose("part", "site") for splits in spatial_folds(observed(n), folds=folds)
    ]
    assert len(parts) == folds
    assert all((one.sum("part") == 1).all() for one in parts)
    for part in ("test", "val"):
        assert (sum(one.sel(part=part).astype(int) for one in parts) == 1).all()
    counts = [int(one.sel(part="test").sum()) for one in parts]
    assert max(counts) - min(counts) <= 1
    assert parts[0].part.values.tolist() == list(PARTS)


def test_near_sites_stay_together():
    pairs = xr.DataArray(np.arange(12) // 2, {"site": observed(12).site})
    for splits in spatial_folds(observed(12), folds=3, clusters=pairs):
        tested = splits.ranges.start.sel(part="test").notnull().values.reshape(6, 2)
        assert (tested[:, 0] == tested[:, 1]).all()


def test_folds_depend_on_the_seed_only():
    def drawn(seed: int) -> list[list[bool]]:
        return [
            s.ranges.start.sel(part="test").notnull().values.tolist() for s in spatial_folds(observed(9), seed=seed)
        ]

    assert drawn(1) == drawn(1) != drawn(2)


def test_sites_without_a_target_are_in_no_part():
    there = observed(7)
    there[3] = False
    for splits in spatial_folds(there, folds=3):
        assert splits.ranges.start.isel(site=3).isnull().all()


def test_wrong_folds_are_refused():
    with pytest.raises(ValueError, match="folds=2; it must be a whole number, 3 or more"):
        spatial_folds(observed(6), folds=2)
    with pytest.raises(ValueError, match="7 folds of 6 sites leave one empty"):
        spatial_folds(observed(6), folds=7)


# --- the causality of a site without soil moisture --------------------------------------------------------


def linear_degree(n: int) -> tuple[xr.Dataset, xr.Dataset]:
    """A degree that is a line in mean rain, and the rain."""
    rng = np.random.default_rng(0)
    ds = sites(n, 40)
    level = rng.random(n)
    rain = xr.Dataset({"tp": ds.tp * 0 + xr.DataArray(level, dims="site")})
    rho = (0.2 + 0.5 * level)[:, None, None]
    degree = xr.Dataset(
        {"rho": (("site", "variable", "cell"), rho), "p_value": (("site", "variable", "cell"), 1 - rho)},
        {"site": ds.site, "variable": ["tp"], "cell": [0], "lat": ds.lat, "lon": ds.lon},
    )
    return degree, rain


def test_a_linear_degree_is_predicted_and_known_sites_keep_theirs():
    degree, rain = linear_degree(20)
    known = degree.site.isin(degree.site[5:])
    found = spatial.predicted_degree(degree, rain, known=known)
    np.testing.assert_array_equal(found.rho[5:], degree.rho[5:])
    np.testing.assert_allclose(found.rho[:5], degree.rho[:5], atol=0.02)
    np.testing.assert_allclose(found.p_value[:5], degree.p_value[:5], atol=0.02)


def test_nothing_of_an_unknown_site_but_its_weather_and_place_is_used():
    degree, rain = linear_degree(12)
    known = degree.site != degree.site[2]
    spoiled = degree.where(known, 99.0)
    xr.testing.assert_identical(
        spatial.predicted_degree(spoiled, rain, known=known), spatial.predicted_degree(degree, rain, known=known)
    )


def test_expected_values_stay_in_their_range():
    degree, rain = linear_degree(12)
    rain["tp"] = rain.tp.where(rain.site != rain.site[0], 100.0)
    found = spatial.predicted_degree(degree, rain, known=degree.site != degree.site[0])
    assert found.rho.isel(site=0).item() <= 1
    assert found.p_value.isel(site=0).item() >= 0


def test_a_degree_that_weather_does_not_tell_is_expected_near_its_mean():
    degree, rain = linear_degree(40)
    rng = np.random.default_rng(3)
    degree["rho"] = degree.rho.copy(data=rng.random(degree.rho.shape))
    known = degree.site.isin(degree.site[10:])
    found = spatial.predicted_degree(degree, rain, known=known)
    assert float(found.rho[:10].std()) < 0.5 * float(degree.rho[10:].std())


def test_the_penalty_is_that_of_leaving_sites_out_one_by_one():
    from xdrought.study.spatial import PENALTIES, _ridge

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((15, 4)), rng.standard_normal((15, 3)) + 2
    x[:, 3] = 1.0  # does not vary
    y[:, 0] += x[:, 0]
    z = (x - x.mean(0))[:, :3] / x.std(0)[:3]
    t = (y - y.mean(0)) / y.std(0)

    def fitted(rows: np.ndarray, penalty: float, at: np.ndarray) -> np.ndarray:
        design = np.column_stack([np.ones(len(rows)), z[rows]])
        shrink = penalty * np.diag([0.0, 1, 1, 1])
        return np.r_[1, at] @ np.linalg.solve(design.T @ design + shrink, design.T @ t[rows])

    every = np.arange(15)
    errors = [sum(((fitted(every[every != k], 15 * p, z[k]) - t[k]) ** 2).sum() for k in every) for p in PENALTIES]
    best = 15 * PENALTIES[int(np.argmin(errors))]
    expected = np.stack([fitted(every, best, z[k]) for k in every]) * y.std(0) + y.mean(0)
    at = xr.DataArray(x, dims=("site", "descriptor"))
    found = _ridge(at, xr.DataArray(y, dims=("site", "column")), at)
    np.testing.assert_allclose(found.transpose("site", "column"), expected)


def test_what_cannot_be_predicted_is_refused():
    degree, rain = linear_degree(6)
    with pytest.raises(ValueError, match="2 known sites; a regression needs at least three"):
        spatial.predicted_degree(degree, rain, known=degree.site.isin(degree.site[:2]))
    with pytest.raises(ValueError, match="the sites have no lat and lon"):
        spatial.predicted_degree(degree.drop_vars(["lat", "lon"]), rain, known=degree.site != "S0")


# --- the validation ---------------------------------------------------------------------------------------


def test_every_site_is_scored_for_every_kind_beside_the_references(found):
    assert found.model.values.tolist()[:4] == ["own", "predicted", "mean", "none"]
    assert found.is_reference.values.tolist() == [False] * 4 + [True] * 3
    assert np.isfinite(found.nse).all()
    assert sorted(np.unique(found.fold)) == [0, 1, 2]
    assert np.isfinite(paired_differences(found, "none", n_boot=20).difference).all()


def test_a_fold_by_hand(soil, found):
    windows = patches(soil, "soil_moisture")
    later = chronological(windows, fractions=(0.7, 0.0, 0.3))
    splits = spatial_folds(windows.to_labels(np.ones(len(windows), bool)), folds=3)[1]
    out = splits.ranges.start.sel(part="test", drop=True).notnull()
    np.testing.assert_array_equal(out, found.fold == 1)
    train = later.training_days(soil.time)
    own = causality_degree(soil[list(windows.drivers)], soil.soil_moisture, train=train)[["rho", "p_value"]].compute()
    forecaster = fit_resattcaurec(
        soil, "soil_moisture", variant="CauRec", causality=own, split=splits, runs=2, progress=False, **SMALL
    )
    mean = own.where(~out, own.where(~out).mean("site"))
    for kind, degree in (("own", own), ("mean", mean)):
        forecast = predict(soil, forecaster, causality=degree).soil_moisture
        alone = score_members({kind: Member(forecast, later, 7)}, soil.soil_moisture)
        here = {"model": kind, "site": soil.site[out.values]}
        np.testing.assert_allclose(found.nse.sel(here), alone.nse.sel(here))


def test_wrong_settings_are_refused(soil):
    with pytest.raises(ValueError, match=r"causality=\['guess'\]; choose from"):
        spatial_validation(soil, "soil_moisture", causality=["guess"])
    with pytest.raises(ValueError, match="known=1.0; it is a share of the days"):
        spatial_validation(soil, "soil_moisture", known=1.0)


def test_random_draws_of_sites_are_scored_draw_by_draw(soil):
    how = {"causality": ("own", "none"), "folds": 2, "runs": 2, "progress": False, **NETWORKS, **SMALL}
    found = spatial_validation(soil, "soil_moisture", draws="random", **how)
    held = found.nse.sel(model="own").notnull().all("run")
    assert (held == (found.fold >= 0)).all()
    assert held.any()
    assert found.nse_run.sel(model="none").notnull().all()
    with pytest.raises(ValueError, match="draws='some'"):
        spatial_validation(soil, "soil_moisture", draws="some", **how)


def test_generalization_is_the_error_where_it_learnt_over_that_where_it_did_not(soil, monkeypatch):
    def wrong_by(cache, name, ds, target, drivers, *, split, lead=7, degrees=None, **how):
        """Errors of 2 at the sites that train, of 4 elsewhere."""
        learnt = split.ranges.start.sel(part="train", drop=True).notnull()
        forecast = (ds[target] + xr.where(learnt, 2.0, -4.0)).expand_dims(run=2)
        return Member(forecast if degrees is None else forecast.expand_dims(degree=list(degrees)), split, lead)

    monkeypatch.setattr(spatial, "trained", wrong_by)
    found = spatial_validation(soil, "soil_moisture", folds=3, runs=2, progress=False, **NETWORKS, **SMALL)
    ability = found.ga_run.transpose("model", "run")
    np.testing.assert_allclose(ability.sel(model=["own", "predicted", "mean", "none"]), 0.5)
    assert ability.sel(model="persistence").isnull().all()
