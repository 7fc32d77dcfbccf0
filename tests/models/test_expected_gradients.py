"""Expected gradients on tensors: known answers, shap on the same draws, an independent integral, laws of the draws."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch import nn

from xdrought.models import build
from xdrought.models.expected_gradients import (
    Draws,
    NetworkInputs,
    balanced_draws,
    bytes_per_point,
    expected_gradients,
    frozen,
    outputs,
)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def small(variant: str = "ResAttCauRec", seed: int = 0) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = frozen(build(variant, n_features=3, n_causal=6, size=4, window=5, widths=(8, 8)))
        for weights in network.parameters():
            weights.mul_(2)  # a fresh network is nearly constant
        return network


def random_inputs(n: int, seed: int, causal: bool = True, size: int = 4) -> NetworkInputs:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 5, 3, size, size, generator=generator)
    return NetworkInputs(x, torch.randn(n, 6, generator=generator) if causal else None)


class Linear(nn.Module):
    """A sum with weights, 3 sum(x of driver 1) - 2 causality[0] + 7."""

    def forward(self, x, causality=None):
        return 3 * x[:, :, 1].sum((1, 2, 3)) - (0 if causality is None else 2 * causality[:, 0]) + 7


class Product(nn.Module):
    """First driver's first number times the second's: f = a b."""

    def forward(self, x, causality=None):
        return x[:, 0, 0, 0, 0] * x[:, 0, 1, 0, 0]


# --- known answers ----------------------------------------------------------------------------------------


def test_a_linear_network_gets_weight_times_departure():
    inputs, background = random_inputs(4, 0), random_inputs(8, 1)
    found = expected_gradients(Linear(), inputs, background, balanced_draws(range(4), 8, 8, 0))
    departure = inputs.x - background.x.mean(0)
    expected = torch.zeros_like(departure)
    expected[:, :, 1] = 3 * departure[:, :, 1]
    torch.testing.assert_close(found.x, expected, atol=1e-5, rtol=1e-5)
    expected = torch.zeros(4, 6)
    expected[:, 0] = -2 * (inputs.causality - background.causality.mean(0))[:, 0]
    torch.testing.assert_close(found.causality, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("known_ends", [True, False])
def test_a_product_from_zero_is_shared_equally(known_ends):
    """f = a b along a path from 0: both get the integral of a b t, a half of the product; the others nothing."""
    x = torch.zeros(1, 1, 3, 1, 1)
    x[0, 0, :, 0, 0] = torch.tensor([4.0, 5.0, 6.0])
    position = (torch.arange(200) + 0.5) / 200
    draws = Draws(torch.zeros(1, 200, dtype=torch.int64), position[None])
    zero = NetworkInputs(torch.zeros_like(x))
    found = expected_gradients(Product(), NetworkInputs(x), zero, draws, known_ends=known_ends).x.ravel()
    np.testing.assert_allclose(found, [10, 10, 0], atol=1e-4)


def test_equal_to_integrated_gradients_of_a_fine_grid():
    """One background and positions on a fine grid: the path integral, here by the trapezium rule in float64."""
    network = small("CauRec").double()  # smooth: no ReLU
    inputs = random_inputs(1, 2)
    background = random_inputs(1, 3)
    x, b, c, d = (t.double() for t in (inputs.x, background.x, inputs.causality, background.causality))
    total = torch.zeros_like(x)
    grid = torch.linspace(0, 1, 401, dtype=torch.float64)
    for k, t in enumerate(grid):
        point = (b + t * (x - b)).requires_grad_()
        (gradient,) = torch.autograd.grad(network(point, d + t * (c - d)).sum(), point)
        total += (0.5 if k in (0, 400) else 1.0) * gradient * (x - b) / 400
    draws = Draws(torch.zeros(1, 2000, dtype=torch.int64), ((torch.arange(2000) + 0.5) / 2000)[None])
    found = expected_gradients(small("CauRec"), inputs, background, draws, at_once=500)
    np.testing.assert_allclose(found.x, total, atol=2e-4 * float(total.abs().max()))


@pytest.mark.parametrize("variant", ["ResAttCauRec", "Rec"])
def test_equal_to_shap_on_the_same_draws(variant):
    shap = pytest.importorskip("shap")
    network, causal = small(variant), variant != "Rec"
    inputs, background = random_inputs(3, 4, causal), random_inputs(7, 5, causal)

    class Column(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, *given):
            return self.network(*given)[:, None]

    def listed(part):
        return [part.x, part.causality] if causal else [part.x]

    state = np.random.get_state()  # noqa: NPY002
    explainer = shap.GradientExplainer(Column(), listed(background))
    theirs = explainer.shap_values(listed(inputs), nsamples=60, rseed=11)
    np.random.seed(11)  # noqa: NPY002
    pairs = [[(np.random.choice(7), np.random.uniform()) for _ in range(60)] for _ in range(3)]  # noqa: NPY002
    np.random.set_state(state)  # noqa: NPY002
    drawn = np.array(pairs)
    draws = Draws(torch.from_numpy(drawn[..., 0].astype("int64")), torch.from_numpy(drawn[..., 1].astype("float32")))
    ours = expected_gradients(network, inputs, background, draws, known_ends=False)
    theirs = theirs if causal else [theirs]
    assert np.abs(theirs[0]).max() > 1e-3
    np.testing.assert_allclose(ours.x, theirs[0][..., 0], atol=1e-5)
    if causal:
        np.testing.assert_allclose(ours.causality, theirs[1][..., 0], atol=1e-5)


# --- completeness -----------------------------------------------------------------------------------------


def completeness_gap(found, network, background) -> float:
    total = found.x.flatten(1).sum(1) + (0 if found.causality is None else found.causality.sum(1))
    wanted = found.output - outputs(network, background).mean()
    return float((total - wanted).square().mean().sqrt() / wanted.square().mean().sqrt())


def test_shares_add_up_to_the_output_above_the_background():
    network, inputs, background = small(), random_inputs(6, 6), random_inputs(20, 7)
    draws = balanced_draws(range(6), 20, 200, 0)
    assert completeness_gap(expected_gradients(network, inputs, background, draws), network, background) < 0.01


def test_known_ends_and_even_draws_lower_the_error():
    network, inputs, background = small(), random_inputs(8, 6), random_inputs(20, 7)
    every = Draws(torch.arange(20).repeat(8, 50), ((torch.arange(1000) + 0.5) / 1000)[None].repeat(8, 1))
    exact = expected_gradients(network, inputs, background, every, reduce=(1, 3, 4)).x

    def error(draws: list[Draws], known_ends: bool) -> float:
        found = [
            expected_gradients(network, inputs, background, d, reduce=(1, 3, 4), known_ends=known_ends).x for d in draws
        ]
        return float((torch.stack(found) - exact).square().mean().sqrt())

    rng = np.random.default_rng(0)
    independent = [
        Draws(torch.from_numpy(rng.integers(20, size=(8, 80))), torch.from_numpy(rng.random((8, 80), "float32")))
        for _ in range(5)
    ]
    even = [balanced_draws(range(8), 20, 80, seed) for seed in range(5)]
    assert error(even, False) < 0.8 * error(independent, False)
    assert error(even, True) < error(even, False)


# --- draws ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_background", "n_draws"), [(10, 40), (10, 7), (10, 33), (1, 5), (7, 7)])
def test_backgrounds_are_used_equally_often(n_background, n_draws):
    draws = balanced_draws(range(3), n_background, n_draws, 0)
    assert draws.background.shape == draws.position.shape == (3, n_draws)
    for used in draws.background:
        counts = np.bincount(used.numpy(), minlength=n_background)
        assert counts.max() - counts.min() <= 1
        assert set(used[:n_background].tolist()) <= set(range(n_background))
    assert ((draws.position >= 0) & (draws.position <= 1)).all()


def test_positions_are_spread_over_each_path_and_over_all():
    draws = balanced_draws([5], 10, 40, 0)
    background, position = draws.background[0].numpy(), draws.position[0].numpy()
    for k in range(10):
        np.testing.assert_array_equal(np.sort((position[background == k] * 4).astype(int)), range(4))
    np.testing.assert_array_equal(np.sort((position * 40).astype(int)), range(40))


def test_positions_are_uniform():
    """Mean 1/2 and variance 1/12 for a background's first point, too, over many windows."""
    draws = balanced_draws(range(4000), 5, 5, 0)
    first = draws.position[:, 0].double()
    assert float(first.mean()) == pytest.approx(1 / 2, abs=4 * (1 / 12 / 4000) ** 0.5)
    assert float(first.var()) == pytest.approx(1 / 12, rel=0.1)


def test_draws_belong_to_the_window_not_to_its_neighbours():
    together, alone = balanced_draws([3, 8, 4], 6, 14, 1), balanced_draws([8], 6, 14, 1)
    assert torch.equal(together.background[1], alone.background[0])
    assert torch.equal(together.position[1], alone.position[0])
    assert not torch.equal(together.position[1], balanced_draws([8], 6, 14, 2).position[0])


# --- pieces, memory, networks -----------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 7, 16, 1000])
@pytest.mark.parametrize("reduce", [(), (1,), (3, 4), (1, 3, 4), (1, 2, 3, 4)])
def test_pieces_and_sums_change_nothing(at_once, reduce):
    network, inputs, background = small(), random_inputs(3, 8), random_inputs(5, 9)
    draws = balanced_draws(range(3), 5, 16, 0)
    whole = expected_gradients(network, inputs, background, draws)
    found = expected_gradients(network, inputs, background, draws, reduce=reduce, at_once=at_once)
    expected = whole.x.sum(reduce) if reduce else whole.x
    torch.testing.assert_close(found.x, expected, atol=2e-6, rtol=1e-4)
    torch.testing.assert_close(found.causality, whole.causality, atol=2e-6, rtol=1e-4)


def test_what_a_network_ignores_gets_nothing():
    network, inputs, background = small("ResAttRec"), random_inputs(2, 0), random_inputs(4, 1)
    found = expected_gradients(network, inputs, background, balanced_draws(range(2), 4, 8, 0))
    assert (found.causality == 0).all()
    assert (found.x != 0).any()
    without = expected_gradients(
        network, NetworkInputs(inputs.x), NetworkInputs(background.x), balanced_draws(range(2), 4, 8, 0)
    )
    assert without.causality is None
    torch.testing.assert_close(without.x, found.x)


def test_memory_of_a_point_grows_with_the_network():
    few, many = small("Rec"), small("ResAttRec")
    inputs = random_inputs(2, 0)
    point = inputs.x[0].numel() * 4
    assert point < bytes_per_point(few, inputs) < bytes_per_point(many, inputs)
    kept = bytes_per_point(many, inputs)
    # 5 days; the stem and each of 2 + 2 units keep several maps of 8 channels
    assert kept > 5 * 8 * 16 * 4 * 5


def test_cudnn_is_off_for_its_own_recurrent_layers_only():
    """No GPU is needed: the switch is read inside the network's forward pass."""
    seen = []

    class Watch(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x, causality=None):
            if torch.is_grad_enabled():
                seen.append(torch.backends.cudnn.enabled)
            return self.layer(x.flatten(2))[0][:, -1, 0]

    before = torch.backends.cudnn.enabled
    inputs, background = random_inputs(1, 0, False), random_inputs(2, 1, False)
    draws = balanced_draws([0], 2, 2, 0)
    expected_gradients(frozen(Watch(nn.LSTM(48, 3, batch_first=True))), inputs, background, draws)
    assert seen == [False]
    assert torch.backends.cudnn.enabled is before
    expected_gradients(small("Rec"), inputs, background, draws)

    class Cell(Watch):
        def forward(self, x, causality=None):
            if torch.is_grad_enabled():
                seen.append(torch.backends.cudnn.enabled)
            return self.layer(x.flatten(2)[:, 0])[0][:, 0]

    expected_gradients(frozen(Cell(nn.LSTMCell(48, 3))), inputs, background, draws)
    assert seen == [False, before]


def test_parameters_get_no_gradient_and_inputs_stay_as_they_are():
    network, inputs, background = small(), random_inputs(2, 0), random_inputs(3, 1)
    before = [t.clone() for t in (inputs.x, inputs.causality, background.x, background.causality)]
    expected_gradients(network, inputs, background, balanced_draws(range(2), 3, 6, 0))
    assert all(not p.requires_grad and p.grad is None for p in network.parameters())
    assert not inputs.x.requires_grad
    for old, new in zip(before, (inputs.x, inputs.causality, background.x, background.causality), strict=True):
        assert torch.equal(old, new)


def test_memory_stays_level_over_many_calls():
    """What is saved for the backward pass is freed with it."""
    network, inputs = small(), random_inputs(2, 0)

    def tensors_alive_after(n: int) -> int:
        for _ in range(n):
            bytes_per_point(network, inputs)
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    before = tensors_alive_after(1)
    assert tensors_alive_after(3) == before
