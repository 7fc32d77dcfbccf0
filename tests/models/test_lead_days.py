"""Networks that go on over the lead days, by their laws: the recurrence in plain words, one pass for every lead."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xdrought.models.batches import run
from xdrought.models.lead_days import LeadDaysNetwork
from xdrought.models.losses import pinball
from xdrought.models.resattcaurec import InOrder, RecurrentNetwork
from xdrought.models.zoo import architecture, build_architecture
from xdrought.windows.tensors import LeadWeather, ResidentCube, leads_known, of_observations


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def network(variant="CauRec", leads=(1, 3, 4), future=(1,), n_quantiles=0, size=1, **options):
    spec = architecture(variant, 3, 6, size, 5, "paper", (4, 6), None, leads, future, n_quantiles)
    return build_architecture(spec, torch.Generator().manual_seed(0), **options).eval()


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_one_lead_is_the_papers_network_bit_for_bit():
    net = network(leads=(), future=())
    assert type(net) is RecurrentNetwork
    z, causality = drawn(7, 5, 3), drawn(7, 6)
    h, c0 = [torch.zeros(7, 4), torch.zeros(7, 6)], [layer(causality) for layer in net.recurrence.initial]
    c = list(c0)
    for t in range(5):  # Eq. 4-6 in torch's cell, written out
        x = z[:, t]
        for k, cell in enumerate(net.recurrence.cells):
            h[k], c[k] = cell(x, (h[k], c[k] + c0[k]))
            x = h[k]
    assert torch.equal(net.recur(z, causality), net.head[1](net.head[0](h[-1])).squeeze(1))


def test_every_lead_is_one_more_step_with_the_weather_of_its_day():
    net = network()
    x, causality, ahead = drawn(4, 5, 3, 1, 1), drawn(4, 6), drawn(4, 4, 1)
    days = torch.cat([x[..., 0, 0], x[:, :, [1], 0, 0], torch.zeros(4, 5, 1)], 2)  # codes, known driver, not ahead
    later = torch.cat([torch.zeros(4, 4, 3), ahead, torch.ones(4, 4, 1)], 2)
    for column, lead in enumerate((1, 3, 4)):
        h = net.recurrence(torch.cat([days, later[:, :lead]], 1), causality)
        torch.testing.assert_close(net(x, causality, ahead)[:, column], net.head(h).squeeze(1))
    # what is asked for later leads changes no earlier one
    short = LeadDaysNetwork(net.encoder, 3, 6, (4, 6), "paper", 0.0, leads=(1,), future=(1,)).eval()
    short.load_state_dict(net.state_dict())
    torch.testing.assert_close(short(x, causality, ahead[:, :1])[:, 0], net(x, causality, ahead)[:, 0])


def test_weather_beyond_what_is_known_spoils_later_leads_only():
    ahead = drawn(2, 4, 1)
    ahead[0, 2] = float("nan")
    found = network()(drawn(2, 5, 3, 1, 1), drawn(2, 6), ahead)
    assert found.isnan().tolist() == [[False, True, True], [False, False, False]]
    assert leads_known(ahead).tolist() == [[True, True, False, False], [True] * 4]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("on_grid", [False, True])
def test_members_are_read_at_once_as_one_by_one(size, on_grid):
    net = network("ResRec" if size > 1 else "Rec", size=size)
    cube = drawn(20, 3, 4, 5) if on_grid else drawn(3, 20, 3, size, size)
    before = (size - 1) // 2
    cells = [6, 7] if on_grid else [0, 2]
    cell, start = torch.tensor(cells).repeat_interleave(4), torch.arange(4).repeat(2)
    windows = ResidentCube(cube, cell, start, None, 5, size)
    rows = torch.arange(20)[None, :, None] + torch.tensor([0, 3])  # member 1: the weather of three days later
    weather = of_observations(windows, (1,), 4, rows)
    found = run(net, windows, None, 3, weather)
    assert found.shape == (8, 2, 3)
    for n in range(8):
        row, column = divmod(int(cell[n]), 5)
        frames = windows.frames(int(cell[n])) if not on_grid else cube[:, :, row - before :, column - before :]
        frames = frames[..., :size, :size]
        middle = slice((size - 1) // 2, size // 2 + 1)
        for member, later in enumerate((0, 3)):
            first = int(start[n]) + 5 + later
            ahead = frames[first : first + 4, [1], middle, middle].mean((2, 3))
            one = net(frames[None, int(start[n]) : int(start[n]) + 5], None, ahead[None])[0]
            torch.testing.assert_close(found[n, member], one)


def test_a_member_is_drawn_among_those_that_know_most():
    values = torch.zeros(1, 3, 2, 1)
    values[0, 0], values[0, 1], values[0, 2, 1] = 1.0, 2.0, float("nan")
    weather = LeadWeather(values, torch.tensor([[[0, 1, 2, -1]]]))
    cell = torch.zeros(200, dtype=torch.int64)
    first = weather.draw(cell, cell, 5)
    assert set(first[:, 0, 0].tolist()) == {1.0, 2.0}
    assert torch.equal(first, weather.draw(cell, cell, 5))
    assert not torch.equal(first, weather.draw(cell, cell, 6))
    assert weather.of_member(cell[:1], cell[:1], 3).isnan().all()


def test_quantiles_never_cross_and_the_pinball_loss_finds_them():
    levels = (0.1, 0.25, 0.5, 0.9)
    raw = (100 * drawn(500, 4)).requires_grad_()
    assert (InOrder()(raw).diff(dim=-1) >= 0).all()
    net = network("Rec", n_quantiles=4)
    assert net(drawn(4, 5, 3, 1, 1), None, drawn(4, 4, 1)).shape == (4, 3, 4)
    assert network("Rec", leads=(), future=(), n_quantiles=4)(drawn(4, 5, 3, 1, 1)).shape == (4, 4)
    values = torch.from_numpy(np.random.default_rng(0).gamma(2.0, size=4000)).float()
    numbers = torch.zeros(4, requires_grad=True)
    optimiser = torch.optim.Adam([numbers], lr=0.05)
    for _ in range(400):
        loss = pinball(InOrder()(numbers).expand(4000, 4), values, levels).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = InOrder()(numbers.detach()).numpy()
    np.testing.assert_allclose(found, np.quantile(values, levels), atol=0.05)
    by_hand = (0.1 * 3 + 0.75 * 0 + 0.5 * 1 + 0.1 * 4) / 4  # 5 beside 2, 5, 4, 9
    assert pinball(torch.tensor([2.0, 5.0, 4.0, 9.0]), torch.tensor(5.0), levels).item() == pytest.approx(by_hand)


@pytest.mark.parametrize("variant", ["UNet", "Res"])
@pytest.mark.parametrize("asked", [{"leads": (1, 2)}, {"n_quantiles": 3}])
def test_networks_without_a_recurrence_refuse(variant, asked):
    with pytest.raises(ValueError, match="no recurrence.*choose one of"):
        architecture(variant, 3, 6, 8, 8, "paper", None, None, **asked)


@pytest.mark.parametrize(("n_quantiles", "levels"), [(1, (0.5,)), (3, (0.1, 0.9))])
def test_a_normal_distribution_has_two_levels_or_more_and_a_quantile_for_each(n_quantiles, levels):
    asked = ("Rec", 3, 0, 1, 5, "paper", (4, 6), None, (), ())
    with pytest.raises(ValueError, match="quantiles of a normal distribution of levels .*; give two or more"):
        architecture(*asked, n_quantiles, normal_levels=levels)
    assert architecture(*asked, 2, normal_levels=(0.1, 0.9)).n_quantiles == 2


def test_missing_weather_is_told():
    with pytest.raises(ValueError, match=r"needs the weather of the lead days, \(2, 4, 1\), found None"):
        network("Rec")(drawn(2, 5, 3, 1, 1))
