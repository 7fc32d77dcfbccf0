"""Networks by their laws: published counts, torch's own LSTM, a plain numpy reading of the equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from xdrought.models import VARIANTS, build
from xdrought.models.attention import CBAM
from xdrought.models.encoder import CentreMean, FrameEncoder
from xdrought.models.prediction import run
from xdrought.models.recurrence import CausalRecurrence
from xdrought.models.training import Plan, train_network
from xdrought.resident import ResidentCube

SMALL = {"n_features": 3, "n_causal": 24, "widths": (4, 6)}
UNUSED_C0_MAPS = 96 * 64 + 64 + 96 * 128 + 128  # what the published counts of plain variants hold but never use


@pytest.fixture(autouse=True)
def _reproducible():
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# --- sizes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "used", "published"),
    [
        ("ResAttCauRec", 839_961, 839_961),
        ("ResAttRec", 821_337, 839_961),
        ("ResCauRec", 829_325, 829_325),
        ("ResRec", 810_701, 829_325),
        ("CauRec", 146_241, 146_241),
        ("Rec", 127_617, 146_241),
        ("UNet", 848_473, 848_473),
    ],
)
@pytest.mark.parametrize("equations", ["paper", "released"])
def test_published_counts(variant, used, published, equations):
    assert count(build(variant, equations=equations)) == used
    assert published - used in (0, UNUSED_C0_MAPS)


def test_published_counts_of_parts():
    assert count(FrameEncoder(12)) == 693_720
    assert [count(unit) for unit in FrameEncoder(12).units] == [75_235, 75_235, 234_723, 299_875]
    assert (count(CBAM(64)), count(CBAM(128))) == (1_123, 4_195)
    network = build("ResAttCauRec")
    assert [count(cell) for cell in network.recurrence.cells] == [19_968, 99_328]
    assert [count(layer) for layer in network.recurrence.initial] == [6_208, 12_416]
    assert count(network.head) == 8_256 + 65


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "UNet"])
@pytest.mark.parametrize(("size", "window"), [(1, 1), (1, 15), (2, 3), (5, 4), (10, 2)])
def test_any_size(variant, size, window):
    network = build(variant, size=size, window=window, **SMALL).eval()
    x = torch.randn(2, window, 3, size, size)
    assert network(x, torch.rand(2, 24)).shape == (2,)


@pytest.mark.parametrize(("size", "window"), [(8, 8), (10, 15), (11, 9)])
def test_any_size_of_the_unet(size, window):
    network = build("UNet", 3, size=size, window=window, widths=(4, 5, 6, 7)).eval()
    assert network(torch.randn(2, window, 3, size, size)).shape == (2,)
    assert build("UNet", 3, size=2, window=2, widths=(4, 5)).eval()(torch.randn(1, 2, 3, 2, 2)).shape == (1,)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"variant": "LSTM"}, r"variant 'LSTM' is unknown; choose one of \['ResAttCauRec'"),
        ({"equations": "tang"}, "equations='tang' is unknown"),
        ({"n_features": 0}, "{'n_features': 0}"),
        ({"n_causal": 0}, "{'n_causal': 0}"),
        ({"widths": ()}, "widths=()"),
        ({"widths": (4, -1)}, r"widths\[1\]"),
        ({"dropout": 1.0}, "dropout=1.0; it is a share"),
        ({"variant": "UNet", "size": 4}, "needs 8 days and 8 x 8 cells, found window=15, size=4"),
    ],
)
def test_refusals(options, match):
    with pytest.raises(ValueError, match=match):
        build(**options)


@pytest.mark.parametrize("causality", [None, torch.zeros(3, 24), torch.zeros(2, 23)])
def test_missing_causality_is_refused(causality):
    with pytest.raises(ValueError, match=r"needs causality \(2, 24\), found"):
        build("CauRec", **SMALL)(torch.zeros(2, 15, 3, 1, 1), causality)


# --- equations --------------------------------------------------------------------------------------------


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def by_hand(recurrence: CausalRecurrence, z: np.ndarray, degree: np.ndarray, equations: str) -> np.ndarray:
    """Eq. 4-6, or the released rule, for one sample in plain numpy."""
    weights = {name: value.numpy() for name, value in recurrence.state_dict().items()}
    below = z
    for k in range(len(recurrence.cells)):
        w, v = weights[f"cells.{k}.weight_ih"], weights[f"cells.{k}.weight_hh"]
        b = weights[f"cells.{k}.bias_ih"] + weights[f"cells.{k}.bias_hh"]
        c0 = weights[f"initial.{k}.weight"] @ degree + weights[f"initial.{k}.bias"]
        c, h, above = c0, np.zeros_like(c0), []
        for x in below:
            i, f, g, o = np.split(w @ x + v @ h + b, 4)
            if equations == "paper":
                c = sigmoid(f) * (c + c0) + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
            else:
                u = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                c = c + u
                h = sigmoid(o) * np.tanh(u)
            above.append(h)
        below = np.array(above)
    return below[-1]


@pytest.mark.parametrize("equations", ["paper", "released"])
def test_recurrence_follows_the_equations(equations):
    recurrence = CausalRecurrence(3, 8, (4, 5, 6), equations).double().eval()
    z, degree = torch.randn(2, 7, 3).double(), torch.rand(2, 8).double()
    with torch.no_grad():
        found = recurrence(z, degree).numpy()
    expected = [by_hand(recurrence, z[n].numpy(), degree[n].numpy(), equations) for n in range(2)]
    np.testing.assert_allclose(found, expected, atol=1e-14)


def torch_lstm(recurrence: CausalRecurrence, z: torch.Tensor) -> torch.Tensor:
    """Torch's own stacked LSTM with the same weights."""
    below = z
    for cell in recurrence.cells:
        lstm = nn.LSTM(cell.input_size, cell.hidden_size, batch_first=True).to(z.dtype)
        lstm.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
        below = lstm(below)[0]
    return below[:, -1]


def test_without_causality_it_is_torchs_lstm():
    z = torch.randn(4, 9, 3).double()
    plain = CausalRecurrence(3, None, (5, 6)).double()
    torch.testing.assert_close(plain(z), torch_lstm(plain, z), atol=1e-14, rtol=0)

    causal = CausalRecurrence(3, 8, (5, 6), "paper").double()
    for layer in causal.initial:  # c_0 = 0
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    torch.testing.assert_close(causal(z, torch.rand(4, 8).double()), torch_lstm(causal, z), atol=1e-14, rtol=0)
    nn.init.ones_(causal.initial[0].bias)
    assert not torch.allclose(causal(z, torch.rand(4, 8).double()), torch_lstm(causal, z))


@pytest.mark.parametrize("released", [False, True])
def test_attention_follows_the_equations(released):
    block = CBAM(8, reduction=4, released=released).double()
    f = torch.randn(1, 8, 5, 5).double()
    first, second = (block.channel[k].weight.detach().numpy()[:, :, 0, 0] for k in (0, 2))
    maps = f[0].numpy()

    def perceptron(v):
        return second @ np.maximum(first @ v, 0)

    gate = sigmoid(perceptron(maps.mean((1, 2))) + perceptron(maps.max((1, 2))))
    g = gate[:, None, None] * maps
    planes = [g.mean(0), g.max(0)][:: -1 if released else 1]
    padded = np.pad(planes, ((0, 0), (3, 3), (3, 3)))
    kernel, bias = block.spatial.weight.detach().numpy()[0], block.spatial.bias.item()
    places = [[np.sum(padded[:, i : i + 7, j : j + 7] * kernel) + bias for j in range(5)] for i in range(5)]
    expected = sigmoid(np.array(places)) * g + (maps if released else 0)
    np.testing.assert_allclose(block(f).detach().numpy()[0], expected, atol=1e-13)


def test_centre_mean():
    frames = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert CentreMean()(frames).item() == (5 + 6 + 9 + 10) / 4
    assert CentreMean()(frames[:, :, :3, :3]).item() == 5
    assert CentreMean()(frames[:, :, 3:, 3:]).item() == 15


@pytest.mark.parametrize(("equations", "expected"), [("paper", 0.0), ("released", 0.2)])
def test_default_dropout(equations, expected):
    assert build("CauRec", equations=equations, **SMALL).recurrence.dropout.p == expected
    assert build("CauRec", equations=equations, dropout=0.5, **SMALL).recurrence.dropout.p == 0.5


# --- laws of all networks ---------------------------------------------------------------------------------


def make(variant: str, size: int = 8, window: int = 8) -> nn.Module:
    options = {"n_features": 3, "widths": (4, 5, 6, 7)} if variant == "UNet" else SMALL
    return build(variant, size=size, window=window, **options)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_samples_do_not_influence_each_other(variant):
    network = make(variant).eval()
    x, degree = torch.randn(3, 8, 3, 8, 8), torch.rand(3, 24)
    alone = network(x[1:2], degree[1:2])
    changed = torch.stack([x[0] * 9, x[1], x[2] - 5])
    torch.testing.assert_close(network(changed, degree)[1:2], alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("equations", ["paper", "released"])
def test_every_parameter_gets_a_gradient(variant, equations):
    # 16 x 16 and 16 days: at the paper's size the U-Net's deepest kernels see one cell only
    size = 16 if variant == "UNet" else 8
    options = {"n_features": 3, "widths": (4, 5, 6, 7)} if variant == "UNet" else SMALL
    network = build(variant, size=size, window=size, equations=equations, **options)
    got = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in network.named_parameters()}
    for _ in range(4):  # a ReLU may be off for one batch
        network.zero_grad()
        network(torch.randn(8, size, 3, size, size), torch.rand(8, 24)).square().sum().backward()
        for name, p in network.named_parameters():
            got[name] |= p.grad != 0
    assert [name for name, some in got.items() if not some.any()] == []


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_eight_samples_can_be_learnt_by_heart(variant):
    size = 8 if variant == "UNet" else 3
    network = make(variant, size, size)
    x, degree, y = torch.randn(8, size, 3, size, size), torch.rand(8, 24), torch.randn(8)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(200):
        loss = (network(x, degree) - y).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.02 * y.var()


def test_same_seed_same_weights():
    first, second, third = (build_seeded(seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], third[0])


def build_seeded(seed: int) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    return list(build("ResAttCauRec", **SMALL).parameters())


# --- use and training -------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("on_grid", [False, True])
def test_days_encoded_once_give_the_same(variant, on_grid):
    network = make(variant).eval()
    cube = torch.randn(20, 3, 9, 9) if on_grid else torch.randn(2, 20, 3, 8, 8)
    cell = torch.tensor([30, 30, 30, 31]) if on_grid else torch.tensor([0, 0, 0, 1])  # 3 * 9 + 3: a corner at (0, 0)
    windows = ResidentCube(cube, cell, torch.tensor([0, 1, 9, 4]), None, 8, 8)
    degrees = torch.rand(81 if on_grid else 2, 24)
    found = run(network, windows, degrees, batch_size=3)
    with torch.no_grad():
        expected = network(windows.gather(torch.arange(4)), degrees[cell])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


class Line(nn.Module):
    """y = a x + b."""

    def __init__(self, a: float = 0.0):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x, causality=None):
        return self.a * x[:, 0] + self.b


def train_line(network, x, y, val_y, plan, **options):
    targets = torch.cat([y, val_y])
    inputs = torch.cat([x, x])

    def sample(index):
        return inputs[index], None, targets[index]

    train, val = torch.arange(len(y)), torch.arange(len(y), 2 * len(y))
    return train_network(network, sample, train, val, plan, generator=torch.Generator().manual_seed(0), **options)


def test_training_finds_a_line():
    x = torch.linspace(-1, 1, 64)[:, None]
    y = 2 * x[:, 0] + 1
    network = Line()
    course = train_line(network, x, y, y, Plan(epochs=60, batch_size=16, learning_rate=0.05))
    assert course.weights["a"] == pytest.approx(2, abs=0.01)
    assert course.weights["b"] == pytest.approx(1, abs=0.01)
    assert len(course.train_loss) == len(course.val_loss) == 60


def test_best_epoch_is_truly_kept():
    # training pulls a from 0 to 2, validation is best at 1: its loss falls, then rises again
    x = torch.linspace(-1, 1, 64)[:, None]
    network = Line()
    course = train_line(network, x, 2 * x[:, 0], x[:, 0], Plan(epochs=60, batch_size=16, learning_rate=0.05))
    assert course.val_loss[course.best_epoch] == min(course.val_loss) < course.val_loss[-1] / 10
    assert course.weights["a"] == pytest.approx(1, abs=0.1)
    assert network.a.item() == pytest.approx(2, abs=0.05)  # the live network went on
    network.load_state_dict(course.weights)
    again = ((network(x) - x[:, 0]) ** 2).mean().item()
    assert again == pytest.approx(min(course.val_loss), rel=1e-5)


def test_losses_are_means_over_windows():
    # 5 windows in batches of 4 and 1: the last one joins, and the mean weighs every window alike
    x, y = torch.zeros(5, 1), torch.tensor([0.0, 0.0, 0.0, 0.0, 5.0])
    plan = Plan(epochs=1, batch_size=4, learning_rate=1e-12)
    course = train_line(Line(), x, y, y, plan)
    assert course.train_loss[0] == pytest.approx(5)
    assert course.val_loss[0] == pytest.approx(5)


def test_batches_never_hold_one_window():
    sizes = []

    class Watch(Line):
        def forward(self, x, causality=None):
            if self.training:
                sizes.append(len(x))
            return super().forward(x)

    train_line(Watch(), torch.zeros(9, 1), torch.zeros(9), torch.zeros(9), Plan(epochs=1, batch_size=4))
    assert sizes == [4, 5]


@pytest.mark.parametrize(
    ("x", "y", "match"),
    [
        (float("nan"), 1.0, "demo: the loss is .* in epoch 0: some window holds inputs that are not finite"),
        (1.0, float("inf"), "some window holds target values that are not finite"),
        (1e30, 1.0, "the weights grew without bound; use a learning rate below 0.1"),
    ],
)
def test_a_loss_that_is_no_number_stops_with_its_cause(x, y, match):
    plan = Plan(epochs=3, learning_rate=0.1)
    values = torch.full((4,), y)
    with pytest.raises(FloatingPointError, match=match):
        train_line(Line(1.0), torch.full((4, 1), x), values, values, plan, caller="demo")
