"""Losses beside their definitions, and functions of the user's own."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import torch

from xdrought.models.losses import gaussian_crps, loss_function, name_of, pinball, total_loss
from xdrought.models.resattcaurec import NormalQuantiles


def crps_by_integration(mean: float, spread: float, seen: float) -> float:
    """The integral of the squared difference of the two distribution functions, on a fine grid."""
    x = np.linspace(min(mean - 9 * spread, seen) - 1, max(mean + 9 * spread, seen) + 1, 200_001)
    below = np.array([NormalDist(mean, spread).cdf(value) for value in x[::100]])
    cdf = np.interp(x, x[::100], below)
    return float(np.sum((cdf - (x >= seen)) ** 2) * (x[1] - x[0]))


@pytest.mark.parametrize(("mean", "spread", "seen"), [(0.0, 1.0, 0.0), (1.0, 0.5, 2.5), (-2.0, 2.0, -1.0)])
def test_the_crps_is_its_integral(mean, spread, seen):
    levels = (0.05, 0.5, 0.9)
    output = torch.tensor([[NormalDist(mean, spread).inv_cdf(level) for level in levels]], dtype=torch.float64)
    found = gaussian_crps(output, torch.tensor([seen], dtype=torch.float64), levels)
    assert found.item() == pytest.approx(crps_by_integration(mean, spread, seen), abs=2e-3)


def test_the_crps_is_least_at_the_distribution_that_the_data_have():
    generator, levels = torch.Generator().manual_seed(0), (0.1, 0.9)
    seen = 2 + 3 * torch.randn(20_000, generator=generator, dtype=torch.float64)
    losses = {}
    for mean in (1.5, 2.0, 2.5):
        for spread in (2.0, 3.0, 4.0):
            quantiles = torch.tensor([NormalDist(mean, spread).inv_cdf(level) for level in levels], dtype=torch.float64)
            losses[mean, spread] = float(gaussian_crps(quantiles.expand(len(seen), 2), seen, levels).mean())
    assert min(losses, key=losses.get) == (2.0, 3.0)


def test_quantiles_of_a_normal_distribution_never_cross():
    levels = (0.05, 0.5, 0.95)
    found = NormalQuantiles(levels)(torch.tensor([[1.0, -50.0], [0.0, 2.0]], dtype=torch.float64))
    assert bool((found.diff(dim=-1) > 0).all())
    assert found[0, 1] == 1.0
    spread = NormalDist().inv_cdf(0.95) * (torch.nn.functional.softplus(torch.tensor(2.0)) + 1e-3)
    assert found[1, 2].item() == pytest.approx(float(spread), rel=1e-6)


def test_the_loss_by_name_is_the_loss():
    output, target = torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])
    assert loss_function("mse", ())(torch.tensor([1.0]), target).tolist() == [4.0]
    torch.testing.assert_close(loss_function("mse", (0.1, 0.9))(output, target), pinball(output, target, (0.1, 0.9)))
    assert pinball(output, target, (0.1, 0.9)).item() == pytest.approx((0.1 * 2 + 0.9 * 1) / 2)


def test_a_function_sees_known_targets_only():
    met = []

    def absolute(prediction, target):
        met.append((tuple(prediction.shape), tuple(target.shape)))
        return (prediction - target).abs()

    prediction = torch.tensor([[1.0, 5.0], [2.0, 7.0]], requires_grad=True)
    target, known = torch.tensor([[0.0, 0.0], [1.0, 4.0]]), torch.tensor([[True, False], [True, True]])
    total = total_loss(absolute, prediction, target, known)
    assert (total.item(), met) == (5.0, [((3,), (3,))])
    total.backward()
    assert prediction.grad.tolist() == [[1.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("loss", "match"),
    [
        (lambda p, t: (p - t).square().mean(), r"gave \(\) for targets of shape \(3,\); it must give the loss of each"),
        (lambda p, t: 1.0, "gave float for targets"),
    ],
)
def test_a_function_must_give_each_target_its_loss(loss, match):
    with pytest.raises(ValueError, match=match):
        total_loss(loss, torch.zeros(3), torch.ones(3), None)


def test_functions_have_names():
    from functools import partial

    assert name_of(pinball) == "xdrought.models.losses.pinball"
    assert name_of(partial(pinball, levels=(0.5,))) == "xdrought.models.losses.pinball(levels=(0.5,))"
    assert name_of(torch.nn.L1Loss()) == "torch.nn.modules.loss.L1Loss"
