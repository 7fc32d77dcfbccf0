"""Causality degree against scores over sites: scipy's numbers, intervals that cover, coupling, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

from tests.support.helpers import unchanged
from xdrought.causality import false_discovery_control
from xdrought.study import coupling_strength, skill_by_degree

FEW = {"permutations": 500, "n_boot": 60, "points": 9}


def degrees(n_site=40, seed=0, strength=(2.0, 0.4, 0.0)) -> tuple[xr.DataArray, xr.DataArray]:
    """Degrees (variable, site, cell) of which the first drivers go with the score."""
    rng = np.random.default_rng(seed)
    sites = [f"S{k}" for k in range(n_site)]
    score = rng.normal(0.5, 0.2, n_site)
    rho = np.array(strength)[:, None, None] * score[:, None] + rng.normal(0, 0.2, (len(strength), n_site, 1))
    names = [f"v{k}" for k in range(len(strength))]
    cells = rho + rng.normal(0, 0.01, (len(strength), n_site, 4))
    coords = {"variable": names, "site": sites}
    return xr.DataArray(cells, coords, ("variable", "site", "cell")), xr.DataArray(score, {"site": sites})


def test_correlations_are_scipys_of_the_mean_over_cells():
    rho, score = degrees()
    with unchanged(rho, score):
        found = skill_by_degree(xr.Dataset({"rho": rho}), score, **FEW)
    assert list(found["variable"]) == ["v0", "v1", "v2", "all drivers"]
    mean = rho.mean("cell")
    expected = [spearmanr(mean[k], score).statistic for k in range(3)]
    expected.append(spearmanr(mean.sum("variable"), score).statistic)
    np.testing.assert_allclose(found.spearman, expected, atol=1e-12)
    np.testing.assert_allclose(found.degree.sel(variable="v1"), mean[1])
    np.testing.assert_array_equal(found.site_count, 40)
    assert ((found.lower <= found.spearman) & (found.spearman <= found.upper)).all()
    assert (found.curve_lower <= found.curve_upper + 1e-12).all()


def test_p_values_are_scipys_and_adjusted_over_the_drivers_only():
    rho, score = degrees(strength=(0.5, 0.3, 0.0, 0.1))
    found = skill_by_degree(rho, score, **(FEW | {"permutations": 20000}))
    mean = rho.mean("cell")
    expected = [spearmanr(mean[k], score).pvalue for k in range(4)]
    np.testing.assert_allclose(found.p_value[:4], expected, atol=0.012)
    adjusted = false_discovery_control(xr.DataArray(found.p_value.values[:4], dims="variable"))
    np.testing.assert_allclose(found.p_value_adjusted[:4], adjusted)
    assert float(found.p_value_adjusted[4]) == float(found.p_value[4])


def test_sites_are_matched_by_name_and_runs_averaged():
    rho, score = degrees()
    mixed = xr.concat([score, score + 0.2], "run")[:, ::-1].isel(site=slice(0, 30))
    found = skill_by_degree(rho, mixed, **FEW)
    kept = score.isel(site=slice(10, 40))
    expected = spearmanr(rho.mean("cell")[0].isel(site=slice(10, 40)), kept).statistic
    assert float(found.spearman[0]) == pytest.approx(expected)
    assert found.sizes["site"] == 30


def test_a_site_that_a_driver_does_not_know_is_left_out_for_it():
    rho, score = degrees()
    holed = rho.where((rho["variable"] != "v1") | (rho.site != "S3"))
    found = skill_by_degree(holed, score, **FEW)
    np.testing.assert_array_equal(found.site_count, [40, 39, 40, 39])
    kept = np.arange(40) != 3
    assert float(found.spearman[1]) == pytest.approx(spearmanr(rho.mean("cell")[1][kept], score[kept]).statistic)


def test_intervals_cover_the_correlation_of_all_sites():
    """60 sites drawn from a world whose rank correlation is known from 20000."""
    rng = np.random.default_rng(5)

    def world(n):
        a = rng.normal(size=n)
        return a, 0.6 * a + 0.8 * rng.standard_t(4, n)

    truth = spearmanr(*world(20000)).statistic
    hits = 0
    for _ in range(40):
        x, y = world(60)
        sites = {"site": np.arange(60)}
        found = skill_by_degree(
            xr.DataArray(x[None], {"variable": ["v"], **sites}, ("variable", "site")),
            xr.DataArray(y, sites),
            permutations=1,
            n_boot=100,
            points=2,
        )
        hits += float(found.lower[0]) <= truth <= float(found.upper[0])
    assert 0.86 <= hits / 40 <= 1


def test_too_few_sites_or_constant_degrees_are_unknown():
    rho, score = degrees(n_site=2)
    assert skill_by_degree(rho, score, **FEW).spearman.isnull().all()
    rho, score = degrees()
    found = skill_by_degree(xr.zeros_like(rho), score, **FEW)
    assert found.spearman.isnull().all()
    assert found.p_value.isnull().all()
    assert found.curve.isnull().all()


# --- coupling ---------------------------------------------------------------------------------------------


def test_coupling_by_hand():
    rho, score = degrees(strength=(2.0, 0.5, 0.2, 0.0))
    relation = skill_by_degree(rho, score, **FEW)
    importance = xr.DataArray(
        [[4.0, 3, 1, 2], [6, 5, 1, 0]], {"variable": relation["variable"][:4]}, ("event", "variable")
    )
    found = coupling_strength(relation, importance, permutations=500)
    np.testing.assert_allclose(found.importance, [5, 4, 1, 1])
    np.testing.assert_allclose(found.coupling, -np.log10(relation.p_value[:4]))
    expected = spearmanr([5, 4, 1, 1], abs(relation.spearman[:4])).statistic
    assert float(found.rank_correlation) == pytest.approx(expected)
    assert 0 < float(found.rank_p_value) <= 1


def test_drivers_that_go_together_are_no_evidence_of_coupling():
    """Twelve copies in two groups: one group correlates by chance, and the test knows that it is one draw, not six."""
    rng = np.random.default_rng(0)
    p_values = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        groups = np.repeat(rng.normal(size=(2, 30)), 6, axis=0) + 0.05 * rng.normal(size=(12, 30))
        names = [f"v{k}" for k in range(12)]
        sites = {"site": np.arange(30)}
        relation = skill_by_degree(
            xr.DataArray(groups, {"variable": names, **sites}, ("variable", "site")),
            xr.DataArray(rng.normal(size=30), sites),
            permutations=20,
            n_boot=1,
            points=3,
        )
        importance = xr.DataArray(np.repeat([2.0, 1.0], 6) + 0.01 * rng.random(12), {"variable": names})
        p_values.append(float(coupling_strength(relation, importance, permutations=200).rank_p_value))
    assert np.mean(np.array(p_values) < 0.05) <= 0.12
    assert 0.3 < np.mean(p_values) < 0.7


def test_refusals():
    rho, score = degrees()
    with pytest.raises(ValueError, match=r"the degree has dimensions .* not \['variable'\]"):
        skill_by_degree(rho.isel(variable=0), score)
    with pytest.raises(ValueError, match="the degree has two directions; choose one"):
        skill_by_degree(rho.expand_dims(direction=["a", "b"]), score)
    with pytest.raises(ValueError, match="the score has dimensions .*choose a model"):
        skill_by_degree(rho, score.expand_dims(model=["a"]))
    with pytest.raises(ValueError, match="degree and score share no site"):
        skill_by_degree(rho, score.assign_coords(site=[f"T{k}" for k in range(40)]))
    with pytest.raises(ValueError, match="the score has numbers along 'site' .* and the record text"):
        skill_by_degree(rho, score.assign_coords(site=np.arange(40)))
    with pytest.raises(ValueError, match="confidence=0; it must be a share"):
        skill_by_degree(rho, score, confidence=0)
    relation = skill_by_degree(rho, score, **FEW)
    with pytest.raises(ValueError, match=r"relation and importance share the drivers \['v0'\]"):
        coupling_strength(relation, xr.DataArray([1.0], {"variable": ["v0"]}))
