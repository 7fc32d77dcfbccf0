"""The networks against the authors' own program, from which nine outputs are stored.

Inputs and weights are filled by a rule, so that nothing but the outputs had to be stored. The rule numbers the weight
tensors in the order in which the authors' classes hold them; :func:`tensors` lists ours in that order.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xdrought.models import build
from xdrought.models.resattcaurec import RecurrentNetwork
from xdrought.models.unet import UNet

STORED = json.loads((Path(__file__).parents[1] / "support" / "golden" / "authors_networks.json").read_text())[
    "networks"
]
OURS = {name: "UNet" if name == "UNet3D" else name for name in STORED}


def layers_in_their_order(network: nn.Module) -> list[nn.Module | None]:
    """The parts of a network as the authors' classes hold them; None is a layer that theirs hold but never use."""
    if isinstance(network, UNet):
        rises = [part for pair in zip(network.rise, network.up, strict=True) for part in pair]
        return [*network.down, network.middle, *rises, network.head]
    if not isinstance(network, RecurrentNetwork):
        return [network.encoder, network.head]
    recurrence = network.recurrence
    cell_state_maps = [None] * len(recurrence.cells) if recurrence.initial is None else [*recurrence.initial]
    return [network.encoder, *cell_state_maps, *recurrence.cells, network.head]


def tensors(network: nn.Module) -> list[tuple[str, Tensor] | None]:
    """Name and value of each tensor in the authors' order; None where we hold no such tensor."""
    result: list[tuple[str, Tensor] | None] = []
    for layer in layers_in_their_order(network):
        if layer is None:
            result += [None, None]  # weight and bias
        else:
            result += [item for item in layer.state_dict().items() if not item[0].endswith("num_batches_tracked")]
    return result


def fill(network: nn.Module) -> int:
    """Set every weight and running statistic by the stored rule; returns how many tensors the authors' class holds."""
    named = tensors(network)
    norms = {id(m.weight) for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)}
    parameters = {p.data_ptr(): p for p in network.parameters()}
    for k, item in enumerate(named):
        if item is None:
            continue
        name, tensor = item
        v = torch.sin(torch.arange(1, tensor.numel() + 1, dtype=torch.float64) * (1 + 0.013 * k)).reshape(tensor.shape)
        if tensor.ndim > 1:
            value = v / tensor[0].numel() ** 0.5
        elif name.endswith("running_var"):
            value = 1 + 0.5 * v.abs()
        elif id(parameters.get(tensor.data_ptr())) in norms:
            value = 1 + 0.1 * v
        else:  # biases and running means
            value = 0.1 * v
        tensor.copy_(value)
    return len(named)


def outputs(name: str, equations: str) -> tuple[np.ndarray, int]:
    """Output of our network for the stored input, and how many tensors the authors' class holds."""
    network = build(OURS[name], equations=equations).double().eval()
    n_tensors = fill(network)
    x = torch.sin(0.37 * torch.arange(3 * 15 * 12 * 10 * 10, dtype=torch.float64)).reshape(3, 15, 12, 10, 10)
    causality = 0.5 * torch.sin(0.11 * torch.arange(3 * 96, dtype=torch.float64)).reshape(3, 96)
    with torch.no_grad():
        return network(x, causality).numpy(), n_tensors


@pytest.mark.parametrize("name", list(STORED))
def test_released_equations_give_what_the_authors_program_gives(name):
    torch.set_num_threads(1)
    result, n_tensors = outputs(name, "released")
    assert n_tensors == STORED[name]["n_tensors"]
    np.testing.assert_allclose(result, STORED[name]["output"], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["CauRec", "ResAtt"])
def test_the_stored_outputs_tell_the_paper_from_the_released_code(name):
    """The recurrence differs in one case, the attention in the other."""
    result, _ = outputs(name, "paper")
    assert np.abs(result - STORED[name]["output"]).min() > 1e-4
