"""Networks by their laws: published counts, torch's own LSTM, a plain numpy reading of the equations."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from xdrought.models import VARIANTS, build
from xdrought.models.batches import SharedDays, rearranged, run
from xdrought.models.norm import BatchNorm2d, BatchNorm3d
from xdrought.models.resattcaurec import CBAM, CausalRecurrence, CentreMean, Dropout, FrameEncoder
from xdrought.windows.tensors import ResidentCube

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
        ("ResAtt", 693_720 + 15 * 12 + 1, 693_901),
        ("Res", 693_720 - 2 * 1_123 - 2 * 4_195 + 15 * 12 + 1, 683_265),
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
        ({"variant": "LSTM"}, r"variant='LSTM' is unknown; choose one of \['ResAttCauRec'"),
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


def test_other_days_than_built_for_are_refused():
    with pytest.raises(ValueError, match="reads 15 days, found 14; build it for that window"):
        build("ResAtt", 3, size=2, widths=(4, 6))(torch.zeros(2, 14, 3, 2, 2))


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
        if loss < 0.02 * y.var():
            break
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


# --- days encoded once --------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("equations", ["paper", "released"])
@pytest.mark.parametrize("size", [8, 9])
def test_a_rearranged_network_gives_the_same(variant, equations, size):
    options = {"n_features": 3, "widths": (4, 5, 6, 7)} if variant == "UNet" else {**SMALL, "widths": (8, 16)}
    network = build(variant, size=size, window=8, equations=equations, **options).train()
    for name, values in network.named_buffers():  # statistics that a training might leave
        if "running" in name:
            values.uniform_(0.5, 2)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    x, degree = torch.randn(5, 8, 3, size, size), torch.rand(5, 24)
    quick = rearranged(network)
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in quick.modules())
    assert network.training  # the network itself is left alone
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    with torch.no_grad():
        expected = network.eval()(x, degree)
        torch.testing.assert_close(quick(x, degree), expected, atol=1e-6 * max(1, float(expected.abs().max())), rtol=0)
        exact, x, degree = network.double(), x.double(), degree.double()
        torch.testing.assert_close(rearranged(exact)(x, degree), exact(x, degree), atol=1e-12, rtol=1e-12)


def shared_windows(on_grid: bool) -> tuple[ResidentCube, torch.Tensor]:
    """Windows that share days, and two with none in common, of two cells."""
    cube = torch.randn(20, 3, 9, 9) if on_grid else torch.randn(2, 20, 3, 8, 8)
    first = 3 * 9 + 3 if on_grid else 0  # a corner at (0, 0)
    cell = torch.tensor([0, 0, 0, 0, 1, 1]) + first
    windows = ResidentCube(cube.double(), cell, torch.tensor([0, 1, 2, 9, 4, 12]), None, 8, 8)
    return windows, torch.tensor([3, 0, 2, 1, 5, 4])


@pytest.mark.parametrize("on_grid", [False, True])
def test_days_of_windows(on_grid):
    windows, index = shared_windows(on_grid)
    frames, position, counts = windows.days(index)
    torch.testing.assert_close(frames[position], windows.gather(index), atol=0, rtol=0)
    # cell 0: days 0-9 and 9-16 make 17, met 4 x 8 times; cell 1: days 4-11 and 12-19, met once each
    assert (len(frames), int(counts.sum())) == (17 + 16, 6 * 8)
    assert sorted(counts.tolist()) == sorted([1, 2, *[3] * 6, 2, 2, *[1] * 7, *[1] * 16])


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("on_grid", [False, True])
def test_training_on_days_encoded_once_is_exact(variant, on_grid):
    windows, index = shared_windows(on_grid)
    written_out = make(variant).double().train()
    shared = copy.deepcopy(written_out)
    degree, y = torch.rand(6, 24).double(), torch.randn(6).double()
    losses = (
        (written_out(windows.gather(index), degree) - y).square().mean(),
        (SharedDays(shared)(*windows.days(index), degree) - y).square().mean(),
    )
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(losses[0], losses[1], atol=1e-12, rtol=0)
    for (name, p), q in zip(written_out.named_parameters(), shared.parameters(), strict=True):
        if p.grad is not None:
            torch.testing.assert_close(q.grad, p.grad, atol=1e-10, rtol=1e-8, msg=name)
    for (name, p), q in zip(written_out.named_buffers(), shared.buffers(), strict=True):
        torch.testing.assert_close(q, p, atol=1e-12, rtol=1e-10, msg=name)


@pytest.mark.parametrize(("norm", "shape"), [(BatchNorm2d, (5, 3, 2, 4)), (BatchNorm3d, (5, 3, 2, 2, 3))])
@pytest.mark.parametrize("channels_last", [False, True])
def test_weighted_norm_is_that_of_the_rows_written_out(norm, shape, channels_last):
    counts = torch.tensor([1, 4, 2, 1, 3])
    x = 3 + 2 * torch.randn(shape).double()
    if channels_last and len(shape) == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    theirs = (torch.nn.BatchNorm2d if norm is BatchNorm2d else torch.nn.BatchNorm3d)(3).double()
    ours = norm(3).double()
    for layer in (theirs, ours):
        nn.init.uniform_(layer.weight.requires_grad_(False)).requires_grad_(True)
    ours.load_state_dict(theirs.state_dict())
    written_out, once = x.clone().requires_grad_(True), x.clone().requires_grad_(True)
    expected, found = theirs(written_out.repeat_interleave(counts, 0)), ours(once, counts)
    torch.testing.assert_close(found.repeat_interleave(counts, 0), expected)
    slope = torch.randn_like(found)
    (expected * slope.repeat_interleave(counts, 0)).sum().backward()
    (found * slope * counts.view(-1, *[1] * (found.ndim - 1))).sum().backward()
    torch.testing.assert_close(once.grad, written_out.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


def test_without_counts_the_norm_is_torchs_own():
    x = torch.randn(4, 3, 2, 2)
    assert torch.equal(BatchNorm2d(3)(x), nn.BatchNorm2d(3)(x))
    with pytest.raises(ValueError, match="expected 4D input"):
        BatchNorm2d(3)(x[0], torch.ones(3))


# --- mixed precision ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [BatchNorm2d, nn.BatchNorm2d])
def test_batch_statistics_are_computed_in_float32_under_autocast(norm):
    """bfloat16 keeps 8 bits: at 100 it tells 0.5 apart, so means rounded to it are off by far more than 1e-5."""
    counts = torch.tensor([1, 3, 2])
    x = (100 + 4 * torch.randn(3, 2, 8, 8)).bfloat16()
    rows = x.float().repeat_interleave(counts, 0)
    layer = norm(2)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x, counts) if norm is BatchNorm2d else layer(x.repeat_interleave(counts, 0))
    assert (y.dtype, layer.running_mean.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(layer.running_mean, 0.1 * rows.mean((0, 2, 3)), rtol=1e-5, atol=0)
    torch.testing.assert_close(layer.running_var, 0.9 + 0.1 * rows.var((0, 2, 3)), rtol=1e-4, atol=0)


def test_gradients_of_the_norm_in_bfloat16_are_near_those_in_float32():
    counts, slope = torch.tensor([1, 3, 2]), torch.randn(3, 2, 8, 8)
    x = (5 + 2 * torch.randn(3, 2, 8, 8)).bfloat16()
    gradients = []
    for dtype in (torch.bfloat16, torch.float32):
        layer, leaf = BatchNorm2d(2), x.clone().to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            y = layer(leaf, counts)
        (y.float() * slope).sum().backward()
        gradients.append([leaf.grad.float(), layer.weight.grad, layer.bias.grad])
    for mixed, exact in zip(*gradients, strict=True):
        torch.testing.assert_close(mixed, exact, rtol=0.02, atol=0.02 * float(exact.abs().max()))


def test_an_encoder_under_autocast_is_near_that_in_float32():
    """Forward only: torch's own backward of bfloat16 convolutions can damage memory on a CPU without bfloat16."""
    frames, _, counts = shared_windows(on_grid=False)[0].days(torch.arange(6))
    encoder = FrameEncoder(3, (4, 6)).train()
    with torch.no_grad():
        exact = encoder(frames.float(), counts)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = encoder(frames.float(), counts)
    torch.testing.assert_close(mixed.float(), exact, rtol=0, atol=0.03 * float(exact.abs().max()))


# --- own generators -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_generator_gives_the_weights_of_the_global_one(variant):
    options = {"n_features": 3, "widths": (4, 5, 6, 7)} if variant == "UNet" else SMALL
    torch.manual_seed(7)
    expected = build(variant, **options).state_dict()
    state = torch.random.get_rng_state()
    result = build(variant, generator=torch.Generator().manual_seed(7), **options).state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, value in expected.items():
        assert torch.equal(result[name], value), name


def test_dropout_with_a_generator_draws_what_torchs_own_draws():
    x = torch.randn(50, 20)
    ours, theirs = Dropout(0.3), nn.Dropout(0.3)
    ours.generator = torch.Generator().manual_seed(3)
    torch.manual_seed(3)
    assert torch.equal(ours(x), theirs(x))
    state = torch.random.get_rng_state()
    assert not torch.equal(ours(x), ours(x))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(ours.eval()(x), x)
