"""The 2 x 2 x 2 ablation: which networks, and whether its effects are what was put in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from tests.support.towers import forced_soil
from xdrought.models import VARIANTS, build
from xdrought.models.resattcaurec import CBAM
from xdrought.study import FACTORIAL, LADDER, ablation, factorial_effects


def planted(n_run: int = 3, n_site: int = 30, noise: float = 0.0, **effects: float) -> xr.Dataset:
    """Scores of the eight networks in which each piece, or pair of pieces, gives what is said."""
    rng = np.random.default_rng(0)
    site = rng.normal(0, 1, n_site)  # sites differ much more than networks do
    rows = []
    for name in FACTORIAL:
        gain = sum(size for pieces, size in effects.items() if all(piece in name for piece in pieces.split("_")))
        rows.append(site + gain + noise * rng.standard_normal((n_run, n_site)))
    return xr.Dataset({"nse": (("model", "run", "site"), np.stack(rows))}, {"model": list(FACTORIAL)})


def test_the_eight_networks_are_all_combinations_and_hold_the_papers_ladder():
    assert len(FACTORIAL) == 8
    assert set(LADDER) - {"UNet"} <= set(FACTORIAL)
    assert {one["variant"] for one in FACTORIAL.values()} <= set(VARIANTS)


@pytest.mark.parametrize(("variant", "plain"), [("AttRec", "Rec"), ("AttCauRec", "CauRec")])
@pytest.mark.parametrize("equations", ["paper", "released"])
def test_attention_without_a_residual_encoder_is_one_block_on_the_drivers_maps(variant, plain, equations):
    torch.manual_seed(0)
    network = build(variant, equations=equations, widths=(4, 6), dropout=0.0).eval()
    bare = build(plain, equations=equations, widths=(4, 6), dropout=0.0).eval()
    count = {name: sum(p.numel() for p in net.parameters()) for name, net in (("att", network), ("plain", bare))}
    assert count["att"] - count["plain"] == 2 * 12 + 2 * 49 + 1  # two 1 x 1 convolutions over one unit, one 7 x 7
    # the rest is the plain network, given what the block makes of each day's maps
    block = next(module for module in network.modules() if isinstance(module, CBAM))
    bare.recurrence.load_state_dict(network.recurrence.state_dict())
    bare.head.load_state_dict(network.head.state_dict())
    x, degree = torch.randn(3, 15, 12, 10, 10), torch.rand(3, 96)
    weighed = block(x.flatten(0, 1)).unflatten(0, (3, 15))
    with torch.no_grad():
        torch.testing.assert_close(network(x, degree), bare(weighed, degree))
        assert (network(x, degree) - bare(x, degree)).abs().max() > 1e-4


def test_published_counts_of_the_two_networks_that_have_none():
    assert sum(p.numel() for p in build("AttRec").parameters()) == 127_617 + 123
    assert sum(p.numel() for p in build("AttCauRec").parameters()) == 146_241 + 123


def test_effects_are_what_was_put_in():
    table = factorial_effects(planted(Res=0.3, Cau=0.1), n_boot=50)
    assert table.index.tolist()[:3] == ["residual", "attention", "causality"]
    assert table.effect.to_numpy() == pytest.approx([0.3, 0, 0.1, 0, 0, 0, 0])
    assert table.loc["residual", "better_sites"] == table.loc["residual", "sites"] == 30


def test_an_interaction_by_hand():
    # attention gives 0.4, but only with causality: half the difference between 0.4 and 0
    table = factorial_effects(planted(Att_Cau=0.4), n_boot=50)
    expected = {"attention": 0.2, "causality": 0.2, "attention x causality": 0.2}
    for name, effect in table.effect.items():
        assert effect == pytest.approx(expected.get(name, 0.0)), name


def test_intervals_cover_the_planted_effect_and_small_p_values_are_its_own():
    table = factorial_effects(planted(Cau=0.2, noise=0.3), n_boot=500)
    row = table.loc["causality"]
    assert row.lower < 0.2 < row.upper
    assert row.p_value_adjusted < 0.05
    assert (table.drop("causality").p_value_adjusted > 0.05).all()
    assert (table.p_value_adjusted >= table.p_value).all()


def test_sites_without_a_score_are_left_out():
    scores = planted(Res=0.3)
    scores.nse[2, 1, 4] = np.nan
    assert factorial_effects(scores, n_boot=10).sites.eq(29).all()


def test_scores_of_other_networks_are_refused():
    with pytest.raises(ValueError, match=r"the scores lack \['ResRec'\]"):
        factorial_effects(planted().drop_sel(model="ResRec"))
    with pytest.raises(ValueError, match="no score 'kge'"):
        factorial_effects(planted(), score="kge")


def test_ablation_end_to_end():
    small = {"epochs": 1, "widths": (4, 4), "learning_rate": 1e-2, "device": "cpu", "progress": False}
    found = ablation(forced_soil(2, 420), "soil_moisture", runs=1, **small)
    assert found.model.values.tolist()[:8] == list(FACTORIAL)
    assert np.isfinite(found.nse.sel(model=list(FACTORIAL))).all()
    assert len(set(found.nse.sel(model=list(FACTORIAL)).values.ravel())) == 16  # no two networks are the same
