"""The experiments: paired over sites and seeds, on the same days, with placebos that hold what they say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from tests.support.towers import forced_soil
from xdrought.causality import causality_degree
from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.study import causality_controls, compare, gain_shares, paired_differences, placebo
from xdrought.study.controls import CONTROLS
from xdrought.verification.scores import verify

SMALL = {"epochs": 1, "widths": (4, 4), "learning_rate": 1e-2, "device": "cpu", "progress": False}
REFERENCES = ["persistence", "damped_persistence", "climatology"]


@pytest.fixture(scope="module")
def soil() -> xr.Dataset:
    ds = forced_soil(n_site=3, n_time=420)
    return ds.assign_coords(lat=("site", [47.0, 51.0, 36.0]), lon=("site", [11.0, 13.0, -99.0]))


def scores(*models: np.ndarray, names: list[str]) -> xr.Dataset:
    values = np.stack([np.asarray(model, dtype=float) for model in models])
    coords = {"model": names, "site": [f"S{k}" for k in range(values.shape[2])]}
    return xr.Dataset({"nse": (("model", "run", "site"), values)}, coords)


def test_compare_scores_every_member_beside_the_references(soil):
    with unchanged(soil):
        found = compare(
            soil,
            "soil_moisture",
            runs=2,
            configurations={"Rec": {"variant": "Rec"}, "half": {"widths": (2, 4)}},
            **{**SMALL, "variant": "Rec"},
        )
    assert found.model.values.tolist() == ["Rec", "half", *REFERENCES]
    assert found.is_reference.values.tolist() == [False, False, True, True, True]
    assert dict(found.nse.sizes) == {"model": 5, "run": 2, "site": 3}
    for name in REFERENCES:
        np.testing.assert_array_equal(found.nse.sel(model=name, run=0), found.nse.sel(model=name, run=1))
    # the same member by hand
    forecaster = fit_resattcaurec(soil, "soil_moisture", runs=2, **{**SMALL, "variant": "Rec"})
    forecast = predict(soil, forecaster).soil_moisture
    test = forecast.where(forecaster.splits.mask("test", forecast.time))
    train = forecaster.splits.training_days(soil.time)
    alone = verify(test.isel(run=1), soil.soil_moisture, train=train, n_boot=1)
    np.testing.assert_allclose(found.nse.sel(model="Rec", run=1), alone.nse.sel(model="forecast"))
    np.testing.assert_array_equal(found.n_days, alone.n_days)
    # the pooled scores of both members, of the test and of the training part
    pooled = verify(test, soil.soil_moisture, train=train, n_boot=1)
    for name in ("nse", "rmse", "kge"):
        np.testing.assert_allclose(found[f"{name}_run"].sel(model="Rec"), pooled[f"{name}_run"].sel(model="forecast"))
        np.testing.assert_allclose(found[f"{name}_run_mean"].sel(model="Rec"), pooled[f"{name}_run_mean"][0])


def test_compare_refuses_what_cannot_be_compared(soil):
    with pytest.raises(ValueError, match="no configuration was given"):
        compare(soil, "soil_moisture", configurations={})
    with pytest.raises(ValueError, match="'far' has other splits than the first"):
        compare(
            soil,
            "soil_moisture",
            runs=1,
            configurations={"near": {}, "far": {"lead": 3}},
            **{**SMALL, "variant": "Rec"},
        )
    # The cure of the message is followed: apart, they are scored.
    apart = compare(soil, "soil_moisture", runs=1, configurations={"far": {"lead": 3}}, **{**SMALL, "variant": "Rec"})
    assert apart.nse.notnull().all()


def test_paired_differences_by_hand():
    base = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])  # (run, site)
    better = base + np.array([[0.2, 0.1, 0.4], [0.4, 0.1, 0.0]])
    table = paired_differences(scores(base, better, base, names=["base", "better", "same"]), "base")
    assert table.index.tolist() == ["better", "same"]
    # runs' means of the difference by site: 0.3, 0.1, 0.2
    assert table.loc["better", "difference"] == pytest.approx(0.2)
    assert table.loc["better", "median"] == pytest.approx(np.median([0.5, 0.3, 0.4]))
    assert table.loc["better", ["better_sites", "sites"]].tolist() == [3, 3]
    assert 0.0 <= table.loc["better", "lower"] <= 0.2 <= table.loc["better", "upper"] <= 0.4
    same = table.loc["same"]
    assert (same.difference, same.lower, same.upper, same.better_sites) == (0, 0, 0, 0)
    assert same.p_value == 1
    assert (table.p_value_adjusted >= table.p_value).all()


def test_paired_intervals_cover_a_known_difference_and_leave_out_undefined_sites():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        base = rng.normal(0, 1, (3, 25))  # sites differ much more than the models do
        other = base + 0.1 + rng.normal(0, 0.1, (1, 25)) + rng.normal(0, 0.05, (3, 25))
        row = paired_differences(scores(base, other, names=["a", "b"]), "a", n_boot=300, seed=trial).loc["b"]
        covered += row.lower <= 0.1 <= row.upper
    assert 0.88 <= covered / 200 <= 1.0
    holed = other.copy()
    holed[0, 3] = np.nan
    assert paired_differences(scores(base, holed, names=["a", "b"]), "a", n_boot=10).loc["b", "sites"] == 24
    none = paired_differences(scores(base, other * np.nan, names=["a", "b"]), "a", n_boot=10).loc["b"]
    assert none.sites == 0
    assert np.isnan([none.difference, none.p_value, none.p_value_adjusted]).all()


def test_paired_differences_of_unknown_things_are_refused():
    table = scores(np.zeros((1, 2)), names=["a"])
    with pytest.raises(ValueError, match="no score 'kge'"):
        paired_differences(table, "a", score="kge")
    with pytest.raises(ValueError, match="no model 'b'; choose one of"):
        paired_differences(table, "b")


@pytest.fixture(scope="module")
def degree(soil) -> xr.Dataset:
    return causality_degree(soil[["tp", "t2m"]], soil.soil_moisture, train=first_days(soil)).compute()


def first_days(soil: xr.Dataset) -> xr.DataArray:
    return (soil.time <= soil.time[290]).broadcast_like(soil.soil_moisture)


def controls_of(soil: xr.Dataset, degree: xr.Dataset, **options) -> dict[str, xr.Dataset]:
    drivers = soil[["tp", "t2m"]]
    return causality_controls(degree, drivers, soil.soil_moisture, train=first_days(soil), **options)


def test_controls_have_the_shape_of_the_degree_and_hold_what_they_say(soil, degree):
    found = controls_of(soil, degree)
    assert tuple(found) == CONTROLS
    for name, control in found.items():
        assert control.rho.dims == ("site", "variable", "cell"), name
        for quantity in ("rho", "p_value"):
            assert control[quantity].shape == degree[quantity].shape, name
            assert np.isfinite(control[quantity]).all(), name
    assert not found["zeros"].rho.any()
    assert not found["zeros"].p_value.any()
    own = degree.rho.values.reshape(3, -1)
    given = found["shuffled"].rho.values.reshape(3, -1)
    assert sorted(map(tuple, given)) == sorted(map(tuple, own))
    assert not (given == own).all(axis=1).any()
    flat = np.concatenate([found["identity"][name].values.reshape(3, -1) for name in ("rho", "p_value")], axis=1)
    np.testing.assert_array_equal(flat, np.eye(3, 4))
    # rain drives this soil, its surrogate does not
    rain = {name: control.rho.sel(variable="tp").mean().item() for name, control in found.items()}
    assert degree.rho.sel(variable="tp").min().item() > 0.3 > abs(rain["surrogate"]) + 0.1


def test_statics_know_the_training_part_only(soil, degree):
    statics = controls_of(soil, degree, controls=["statics"])["statics"]
    spoiled = soil.assign(soil_moisture=soil.soil_moisture.where(soil.time <= soil.time[290], 1e6))
    xr.testing.assert_identical(controls_of(spoiled, degree, controls=["statics"])["statics"], statics)
    means = soil.soil_moisture.where(first_days(soil)).mean("time").values
    np.testing.assert_allclose(statics.rho.values.reshape(3, -1)[:, 0], (means - means.mean()) / means.std())


def test_a_name_tag_for_more_sites_than_columns_differs_between_them(soil, degree):
    many = degree.isel(site=np.arange(30) % 3, variable=[0]).assign_coords(site=np.arange(30))
    tag = causality_controls(many, soil, soil.soil_moisture, train=first_days(soil), controls=["identity"])["identity"]
    assert set(np.unique(tag.rho)) == {-1.0, 1.0}


def test_an_embedding_has_a_free_column_for_each_of_any_number_of_sites(soil, degree):
    many = degree.isel(site=np.arange(30) % 3).assign_coords(site=np.arange(30))
    found = controls_of(soil, many, controls=["embedding"])["embedding"]
    assert found.sizes["cell"] == 8  # 2 x 2 variables x 8 cells are 32 columns, 7 cells would be 28
    flat = np.concatenate([found[name].values.reshape(30, -1) for name in ("rho", "p_value")], axis=1)
    vectors = np.concatenate([many[name].values.reshape(30, -1) for name in ("rho", "p_value")], axis=1)
    length = np.linalg.norm(vectors, axis=1).mean()
    np.testing.assert_allclose(flat, length * np.eye(30, 32))


def test_an_embedding_learns_a_level_for_each_site_that_weather_cannot_tell(soil):
    levels = np.array([-30.0, 0.0, 30.0])
    ds = soil.assign(soil_moisture=soil.soil_moisture + xr.DataArray(levels, dims="site"))
    how = {**SMALL, "epochs": 6, "batch_size": 32, "learning_rate": 5e-2}
    found = placebo(ds, "soil_moisture", controls=["zeros", "embedding"], runs=1, **how)
    rmse = found.rmse.isel(run=0).max("site")
    assert rmse.sel(model="embedding") < 0.5 * rmse.sel(model="zeros")


def gains(control: float, causality: float = 0.4, noise: float = 0.02) -> xr.Dataset:
    rng = np.random.default_rng(1)
    zeros = rng.normal(0, 1, (3, 25))
    others = [zeros + size + noise * rng.standard_normal((3, 25)) for size in (causality, control)]
    return scores(zeros, *others, names=["zeros", "causality", "identity"])


def test_shares_by_hand():
    zeros = np.zeros((2, 3))
    causality = np.array([[0.2, 0.4, 0.6], [0.4, 0.4, 1.0]])  # runs' means 0.3, 0.4, 0.8
    identity = np.array([[0.1, 0.2, 0.2], [0.1, 0.2, 0.6]])  # 0.1, 0.2, 0.4
    table = gain_shares(scores(zeros, causality, identity, names=["zeros", "causality", "identity"]))
    assert table.index.tolist() == ["causality", "identity"]
    assert table.gain.tolist() == pytest.approx([0.4, 0.2])
    assert table.share.tolist() == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize(
    ("control", "verdict"),
    [
        (0.2, "causality adds to it"),
        (0.6, "it gives more than causality"),
        (0.4, "no evidence that causality adds to it"),
    ],
)
def test_the_share_of_a_known_gain_lies_in_its_interval(control, verdict):
    row = gain_shares(gains(control), n_boot=500).loc["identity"]
    assert row.share_lower - 0.03 <= control / 0.4 <= row.share_upper + 0.03
    assert row.verdict == verdict


def test_a_control_that_does_nothing_or_differs_wildly_gets_no_praise():
    nothing = gain_shares(gains(0.0), n_boot=500).loc["identity"]
    assert nothing.share == pytest.approx(0, abs=0.05)
    assert nothing.verdict == "causality adds to it"
    wild = gain_shares(gains(0.2, noise=1.5), n_boot=500)
    assert wild.loc["identity", "share_lower"] < 0 or np.isnan(wild.loc["identity", "share"])


@pytest.mark.parametrize("causality", [0.0, -0.4])
def test_no_share_of_a_gain_that_may_be_none(causality):
    table = gain_shares(gains(0.3, causality=causality, noise=0.5), n_boot=500)
    assert table.share.isna().all()
    assert table[["share_lower", "share_upper"]].isna().all(axis=None)
    assert table.verdict.str.contains("no share: the gain of causality, .* is not above 0").all()


def test_shares_leave_out_references_and_refuse_unknown_models():
    table = gains(0.2).assign(is_reference=("model", [False, False, True]))
    assert gain_shares(table, n_boot=10).index.tolist() == ["causality"]
    with pytest.raises(ValueError, match=r"no model \['sugar'\]; the scores have"):
        gain_shares(table, controls=["sugar"])
    with pytest.raises(ValueError, match="no score 'kge'"):
        gain_shares(table, score="kge")


def test_wrong_controls_are_refused(soil, degree):
    with pytest.raises(ValueError, match=r"controls \['sugar'\] are unknown"):
        controls_of(soil, degree, controls=["sugar"])
    with pytest.raises(ValueError, match='"shuffled" needs at least two sites, found 1'):
        controls_of(soil, degree.isel(site=[0]), controls=["shuffled"])
    with pytest.raises(ValueError, match='"statics" needs the coordinates lat and lon'):
        controls_of(soil, degree.drop_vars(["lat", "lon"]), controls=["statics"])


def test_placebo_end_to_end(soil):
    found = placebo(soil, "soil_moisture", controls=["zeros", "shuffled"], runs=1, **SMALL)
    assert found.model.values.tolist() == ["causality", "zeros", "shuffled", *REFERENCES]
    table = paired_differences(found, "zeros", n_boot=50)
    assert np.isfinite(table.loc["causality", "difference"])
    assert table.loc["causality", "difference"] != 0
