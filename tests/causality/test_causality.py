"""Cross mapping on labels: published values, direction, laziness and refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support import oracles_ccm as slow
from tests.support.causal_series import BACKWARD, FORWARD, logistic, weather
from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.causality import causality_degree, ccm, choose_embedding
from xdrought.kernels import cross_map, cross_map_blocks


# numbers on which plain numpy, pyEDM 2.5.7 and causal-ccm 0.4.0 agree to 6e-16 (coupled logistic maps, n = 1000)
@pytest.mark.parametrize(
    ("options", "y_from_x", "x_from_y"),
    [
        ({}, 0.628462893225, 0.977378834819),
        ({"embedding_dim": 3}, 0.680979158141, 0.968697509465),
        ({"embedding_dim": 4}, 0.682013933621, 0.962101957013),
        ({"exclusion_radius": 10}, None, 0.976528225989),
        ({"tau": 2}, None, 0.882823552309),
        ({"lag": -1}, None, 0.991535111792),
        ({"lag": 1}, 0.594321576551, None),
    ],
)
def test_coupled_logistic_maps(options, y_from_x, x_from_y):
    x, y = logistic()
    found = ccm(x, y, **options)
    if x_from_y is not None:
        assert found.rho.sel(direction=FORWARD).item() == pytest.approx(x_from_y, abs=1e-10)
    if y_from_x is not None:
        assert found.rho.sel(direction=BACKWARD).item() == pytest.approx(y_from_x, abs=1e-10)
    lost = (options.get("embedding_dim", 2) - 1) * options.get("tau", 1)
    expected = 1000 - max(lost, -options.get("lag", 0)) - max(options.get("lag", 0), 0)
    assert (found.n_pairs == expected).all()
    assert (found.tied_fraction == 0).all()


# tie-average reference values: E, radius, cause -> (estimated from soil moisture, estimating it)
TIED = {
    (2, 0): {
        "TA_F": (0.526664946483, 0.228810569242),
        "VPD_F": (0.568966914719, 0.264141719337),
        "SW_IN_F": (0.415656926734, 0.0722161203616),
        "P_F": (0.405091185646, 0.16989432097),
        "PA_F": (0.231057185145, 0.00769777667367),
        "WS_F": (0.224126118945, 0.191339916723),
    },
    (2, 7): {
        "TA_F": (0.44801602911, 0.200837992673),
        "VPD_F": (0.443630838938, 0.23633777772),
        "SW_IN_F": (0.323373627644, 0.0291970764315),
        "P_F": (0.409922742836, 0.157964940528),
        "PA_F": (0.0708636906124, -0.0100939297632),
        "WS_F": (0.107863525708, 0.164373399557),
    },
    (5, 0): {
        "TA_F": (0.640128143331, 0.325236364997),
        "VPD_F": (0.667601510146, 0.333778348029),
        "SW_IN_F": (0.528233605045, 0.11094487668),
        "P_F": (0.338446874565, 0.18550812385),
        "PA_F": (0.367521580918, 0.145725842145),
        "WS_F": (0.393525013406, 0.352147600727),
    },
}
TIED_DAYS = {(2, 0): (11, 1071), (2, 7): (5, 1073), (5, 0): (0, 420)}  # of the manifolds of soil moisture and of rain


@pytest.mark.parametrize(("dim", "radius"), TIED)
def test_real_daily_series_with_ties(de_hai, dim, radius):
    expected = TIED[dim, radius]
    causes, soil = de_hai[list(expected)], de_hai["SWC_F_MDS_1"]
    found = ccm(causes, soil, embedding_dim=dim, exclusion_radius=radius)
    np.testing.assert_allclose(found.rho.transpose("variable", "direction").values, list(expected.values()), atol=1e-10)
    assert (found.n_pairs == 1661 - dim).all()
    tied = (found.tied_fraction * found.n_pairs).sel(variable="P_F")
    np.testing.assert_allclose(tied.values, TIED_DAYS[dim, radius], atol=1e-9)


def test_raw_skill_does_not_depend_on_units(de_hai):
    one = ccm(de_hai["PA_F"], de_hai["SWC_F_MDS_1"])
    other = ccm(de_hai["PA_F"] * 1000 + 1e6, de_hai["SWC_F_MDS_1"] / 100)
    np.testing.assert_allclose(one.rho, other.rho, atol=1e-9)


def test_real_series_with_gaps_equal_the_slow_reference(de_hai):
    part = de_hai.isel(time=slice(0, 150))
    part = part.where(np.random.default_rng(0).random(150) > 0.05)
    found = ccm(part["P_F"], part["SWC_F_MDS_1"], embedding_dim=3)
    rain, soil = part["P_F"].values, part["SWC_F_MDS_1"].values
    for direction, (series, target) in {FORWARD: (soil, rain), BACKWARD: (rain, soil)}.items():
        rho, n = slow.skill(series, target, 3, 1)
        assert found.rho.sel(direction=direction).item() == pytest.approx(rho, abs=1e-10)
        assert found.n_pairs.sel(direction=direction).item() == n


def test_engine_of_the_paper_agrees_without_ties():
    pytest.importorskip("causal_ccm")
    x, y = logistic(300)
    theirs, ours = ccm(x, y, engine="causal-ccm"), ccm(x, y)
    np.testing.assert_allclose(theirs.rho, ours.rho, atol=1e-12)
    np.testing.assert_allclose(theirs.p_value, ours.p_value, rtol=1e-6)
    assert (theirs.n_pairs == ours.n_pairs).all()
    assert np.isnan(theirs.tied_fraction).all()


def test_engine_of_the_paper_uses_the_common_span_and_knows_no_gaps():
    pytest.importorskip("causal_ccm")
    x, y = logistic(200)
    late = x.where(np.arange(200) >= 20)
    found = ccm(late, y, engine="causal-ccm", direction=FORWARD)
    common = slice(20, None)
    expected = ccm(x.isel(time=common), y.isel(time=common), direction=FORWARD).rho.item()
    assert found.rho.item() == pytest.approx(expected, abs=1e-12)
    assert found.n_pairs == 179
    gap = ccm(x.where(np.arange(200) != 50), y, engine="causal-ccm", direction=FORWARD)
    assert np.isnan(gap.rho)
    assert gap.n_pairs == 0
    assert np.isnan(ccm(x * 0, y, engine="causal-ccm", direction=FORWARD).rho)


def test_result_has_the_dimensions_without_time():
    ds = weather()
    found = ccm(ds[["t2m", "tp"]], ds["sm"])
    assert dict(found.sizes) == {"site": 3, "variable": 2, "direction": 2}
    assert found["variable"].values.tolist() == ["t2m", "tp"]
    assert found["direction"].values.tolist() == [FORWARD, BACKWARD]
    np.testing.assert_array_equal(found["lat"], ds["lat"])
    assert set(found) == {"rho", "p_value", "n_pairs", "tied_fraction"}
    assert found.attrs["embedding_dim"] == 2
    assert found.attrs["source"].startswith("Sugihara")
    assert all(found[name].attrs["units"] == "1" and found[name].attrs["long_name"] for name in found)


def test_a_single_cause_and_direction_have_no_dimension_of_their_own():
    ds = weather()
    found = ccm(ds["t2m"], ds["sm"], direction=BACKWARD)
    assert found.rho.dims == ("site",)
    assert found["direction"].item() == BACKWARD
    both = ccm(ds["t2m"], ds["sm"])
    xr.testing.assert_allclose(found.rho, both.rho.sel(direction=BACKWARD))


def test_each_result_is_that_of_its_own_pair():
    ds = weather()
    found = ccm([ds["t2m"], ds["tp"]], ds["sm"])
    for site in range(3):
        for name in ("t2m", "tp"):
            pair = ccm(ds[name].isel(site=site), ds["sm"].isel(site=site))
            one = found.isel(site=site).sel(variable=name, drop=True)
            xr.testing.assert_allclose(one[["rho", "n_pairs"]], pair[["rho", "n_pairs"]].drop_vars("cause"))
    xr.testing.assert_identical(found, ccm({"t2m": ds["t2m"], "tp": ds["tp"]}, ds["sm"]))


def test_other_dimensions_broadcast_both_ways_and_in_any_order():
    ds = weather()
    patch = ds["t2m"] * xr.DataArray([1.0, 2, 3], dims="cell") + ds["tp"] * xr.DataArray([0.0, 1, -1], dims="cell")
    found = ccm(patch.transpose("cell", "time", "site"), ds["sm"])
    assert set(found.rho.dims) == {"site", "cell", "direction"}
    reverse = ccm(ds["sm"], patch, direction=FORWARD)  # the effect has the extra dimension here
    for cell in range(3):
        one = ccm(patch.isel(cell=cell), ds["sm"])
        xr.testing.assert_allclose(found.isel(cell=cell).transpose("site", "direction").rho, one.rho)
        back = one.rho.sel(direction=BACKWARD, drop=True).drop_vars("effect")  # of sm, the cause of the reverse
        xr.testing.assert_allclose(reverse.rho.isel(cell=cell).drop_vars(["direction", "cause"]), back)


def test_a_result_names_what_it_is_of():
    ds = weather()
    found = ccm(ds["t2m"], ds["sm"], direction=FORWARD)
    assert (found.cause.item(), found.effect.item()) == ("t2m", "sm")
    together = xr.concat([found, ccm(ds["tp"], ds["sm"], direction=FORWARD)], "pair")
    assert together.cause.values.tolist() == ["t2m", "tp"]
    assert together.rho.to_series().size == 6
    several = ccm(ds[["t2m", "tp"]], ds["sm"])
    assert "cause" not in several.coords
    assert several.effect.item() == "sm"
    assert not {"cause", "effect"} & set(ccm(ds["t2m"].rename(None), ds["sm"].rename(None)).coords)


def test_dimensions_called_cause_or_effect_stay_those_of_the_caller():
    ds = weather().rename(site="effect")
    found = ccm(ds["t2m"], ds["sm"], direction=FORWARD)
    assert found["effect"].values.tolist() == ["S0", "S1", "S2"]
    assert found.cause.item() == "t2m"


def test_causes_and_cells_of_one_manifold_share_its_search(monkeypatch):
    manifolds = []
    map_from = cross_map_blocks.map_from

    def counted(series, targets, *rest):
        manifolds.append(len(targets))
        return map_from(series, targets, *rest)

    monkeypatch.setattr(cross_map_blocks, "map_from", counted)
    monkeypatch.setattr(cross_map, "worth_compiling", lambda *job, **how: False)
    ds = weather()
    patch = ds[["t2m", "tp"]].expand_dims(cell=4)
    ccm(patch, ds["sm"], direction=FORWARD)
    assert manifolds == [8, 8, 8]  # one manifold a site, for 2 causes x 4 cells


def test_other_names_of_time():
    ds = weather()
    xr.testing.assert_allclose(
        ccm(ds["t2m"], ds["sm"]), ccm(ds["t2m"].rename(time="day"), ds["sm"].rename(time="day"), time="day")
    )


def test_dask_is_lazy_and_chunks_do_not_matter():
    ds = weather()
    eager = ccm(
        ds[["t2m", "tp"]], ds["sm"], surrogates=19, deseasonalize=False, library_size=[30, 100], library_samples=3
    )
    for chunks in ({"site": 1}, {"site": 2}, {"site": -1}):
        lazy_input = ds.chunk(chunks)
        with raise_if_dask_computes():
            lazy = ccm(
                lazy_input[["t2m", "tp"]],
                lazy_input["sm"],
                surrogates=19,
                deseasonalize=False,
                library_size=[30, 100],
                library_samples=3,
            )
        assert all(lazy[name].chunks is not None for name in lazy)
        xr.testing.assert_allclose(lazy.compute(), eager)


def test_the_input_is_not_changed():
    ds = weather()
    with unchanged(ds):
        ccm(ds[["t2m", "tp"]], ds["sm"], exclusion_radius="auto")
        choose_embedding(ds["sm"], max_dim=2)
        causality_degree(ds[["t2m"]], ds["sm"], train=slice("2001-02-01", None))


def test_float32_input_is_mapped_in_double_precision():
    x, y = logistic(300)
    single = ccm(x.astype("float32"), y.astype("float32"))
    double = ccm(x.astype("float32").astype("float64"), y.astype("float32").astype("float64"))
    xr.testing.assert_identical(single, double)
    assert single.rho.dtype == np.float64


def test_constant_and_empty_series_are_nan_with_a_count():
    ds = weather(n_site=2)
    found = ccm(ds["t2m"].where(ds["site"] == "S0", 5.0), ds["sm"])
    assert np.isnan(found.rho.sel(site="S1")).all()
    assert np.isfinite(found.rho.sel(site="S0")).all()
    assert found.n_pairs.sel(site="S1").values.tolist() == [299, 0]  # compared with a constant; no manifold
    empty = ccm(ds["t2m"].where(ds["site"] == "S0"), ds["sm"])
    assert (empty.n_pairs.sel(site="S1") == 0).all()
    assert np.isnan(empty.rho.sel(site="S1")).all()


def test_monthly_and_numbered_steps_are_regular():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2, 60))
    plain = ccm(*(xr.DataArray(v, dims="time") for v in values))
    for index in (pd.date_range("2001-01-01", periods=60, freq="MS"), np.arange(1950, 2010)):
        labelled = ccm(*(xr.DataArray(v, {"time": index}, name=n) for v, n in zip(values, "ab", strict=True)))
        np.testing.assert_array_equal(labelled.rho, plain.rho)


def broken(**change) -> dict:
    ds = weather()
    return {"cause": ds["t2m"], "effect": ds["sm"]} | change


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"cause": 5}, TypeError, "the cause is a int; give a DataArray, a Dataset"),
        ({"cause": "t2m"}, TypeError, "the cause is a str; give a DataArray"),
        ({"cause": [np.zeros(3)]}, ValueError, r"the causes are called \[None\]; each needs a name of its own"),
        ({"cause": {"a": np.zeros(3)}}, TypeError, "must be a DataArray, got ndarray; give it labels"),
        ({"cause": []}, ValueError, "no cause was given"),
        ({"cause": [weather()["tp"]] * 2}, ValueError, r"the causes are called \['tp', 'tp'\]"),
        ({"cause": weather()["t2m"].astype(str)}, TypeError, "'t2m' has dtype <U32; cross mapping needs numbers"),
        ({"cause": weather()["t2m"].isel(time=0)}, ValueError, "no dimension 'time' in 't2m'"),
        (
            {"cause": weather()["t2m"].chunk(time=100)},
            ValueError,
            r"'time' has 3 chunks; neighbours need the whole series: use .chunk\(\{'time': -1\}\)",
        ),
        (
            {"cause": weather(start="2001-01-02")["t2m"]},
            ValueError,
            r"'t2m' lacks 1 of the record's 300 labels along 'time' .* keep what both have, xarray.align\(",
        ),
        ({"cause": weather(n_time=299)["t2m"]}, ValueError, "'t2m' lacks 1 of the record's 300 labels along 'time'"),
        ({"cause": weather(n_site=2)["t2m"]}, ValueError, "'t2m' lacks 1 of the record's 3 labels along 'site' .S2;"),
        ({"cause": weather(n_site=4)["t2m"]}, ValueError, r"'t2m' has 1 label\(s\) along 'site' that the record lacks"),
        ({"effect": weather()["sm"].drop_isel(time=5)}, ValueError, "'time' has missing steps"),
        ({"effect": weather()["sm"].isel(time=slice(None, None, -1))}, ValueError, "'time' goes backwards"),
        ({"embedding_dim": 0}, ValueError, "embedding_dim=0; it must be a whole number, 1 or more"),
        ({"tau": -1}, ValueError, "tau=-1; it must be a whole number, 1 or more: tau=1 already looks back in time"),
        ({"tau": 1.5}, ValueError, "tau=1.5; it must be a whole number, 1 or more"),
        ({"tau": 300}, ValueError, "300 steps are too few for embedding_dim=2, tau=300; at least 304 are needed"),
        ({"direction": "x->y"}, ValueError, "direction='x->y' is unknown; choose one of"),
        ({"exclusion_radius": -1}, ValueError, 'exclusion_radius=-1; give a number of steps .* or "auto"'),
        ({"lag": 300}, ValueError, "lag=300; it must be a whole number of steps, less than the record's 300"),
        ({"library_size": [3, 50]}, ValueError, r"library_size=\[3, 50\]; sizes are whole numbers from 4"),
        ({"library_samples": 0}, ValueError, "library_samples=0; it must be a whole number, 1 or more"),
        ({"surrogates": -1}, ValueError, "surrogates=-1; it must be a whole number, 0 or more"),
        ({"engine": "magic"}, ValueError, "engine='magic' is unknown; choose one of"),
        (
            {"engine": "causal-ccm", "surrogates": 9},
            ValueError,
            "engine 'causal-ccm' has no exclusion_radius, library_size, where or surrogates",
        ),
        (
            {"cause": weather()["t2m"].rename(site="direction"), "effect": weather()["sm"].rename(site="direction")},
            ValueError,
            r"the input has dimensions \['direction'\], which the result needs; rename them",
        ),
    ],
)
def test_wrong_input_is_refused(change, error, text):
    with pytest.raises(error, match=text):
        ccm(**broken(**change))


def test_unequal_numbered_steps_are_refused():
    x = xr.DataArray(np.arange(9.0), {"time": [0, 1, 2, 3, 4, 5, 6, 7, 9]}, name="x")
    with pytest.raises(ValueError, match="the steps of 'time' differ; insert the missing ones as NaN"):
        ccm(x, x)


def test_the_annual_cycle_needs_dates():
    x, y = logistic(50)
    with pytest.raises(ValueError, match="'time' has no dates, so there is no annual cycle .* pass deseasonalize"):
        ccm(x, y, surrogates=9)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    x, y = logistic(50)
    with pytest.raises(ModuleNotFoundError, match=r"engine 'causal-ccm' needs the package causal-ccm; pip install"):
        ccm(x, y, engine="causal-ccm")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_dim": 0}, "max_dim=0; it must be a whole number, 1 or more"),
        ({"tau": [1, 0]}, "tau=0; it must be"),
        ({"lead": 0}, "lead=0; it must be"),
        ({"max_dim": 30, "tau": 20}, "299 steps are too few"),
    ],
)
def test_wrong_embeddings_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        choose_embedding(weather()["sm"], **options)


def test_a_constant_series_has_no_embedding_and_says_so():
    with pytest.warns(UserWarning, match="no skill could be computed: the series is constant"):
        found = choose_embedding(xr.DataArray(np.ones(100), dims="time"), max_dim=3)
    assert np.isnan(found.best_embedding_dim)
