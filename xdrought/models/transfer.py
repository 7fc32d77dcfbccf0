"""Start from the weights of another training, and hold parts of a network still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from xdrought.models.own import OwnNetwork


@torch.no_grad()
def take_over(network: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Give the parts of a network (its children) the weights of another one, and name the parts that do not fit.

    A part is taken over whole or not at all: its tensors must have the same names and shapes in both.

    Raises
    ------
    ValueError
        When no part fits.
    """
    if isinstance(network, OwnNetwork):
        network, weights = network.own, {name.removeprefix("own."): tensor for name, tensor in weights.items()}
    own = network.state_dict()
    parts = list(dict.fromkeys(name.partition(".")[0] for name in own))
    new = [part for part in parts if _shapes(own, part) != _shapes(weights, part)]
    if len(new) == len(parts):
        raise ValueError(
            f"start_from has the parts {sorted({name.partition('.')[0] for name in weights})}, none of which has the "
            f"shapes of this network's {parts}; use the same drivers, widths and variant, or begin without start_from"
        )
    for name, tensor in own.items():
        if name.partition(".")[0] not in new:
            tensor.copy_(weights[name])
    return new


def _shapes(tensors: Mapping[str, Tensor], part: str) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items() if name.partition(".")[0] == part}


def frozen_modules(network: nn.Module, names: Iterable[str]) -> list[nn.Module]:
    """The modules of these names, whose parameters are no longer trained from here on.

    Raises
    ------
    ValueError
        For a name that is no part of the network, or when nothing is left to train.
    """
    network = network.own if isinstance(network, OwnNetwork) else network
    modules = dict(network.named_modules())
    there = [name for name, module in modules.items() if name and any(True for _ in module.parameters())]
    found = []
    for name in names:
        if name not in there:
            parts = [part for part in there if "." not in part]
            raise ValueError(
                f"freeze names {name!r}, which is no part of the network; choose from {parts}, or one of "
                f"their parts, e.g. {there[-1]!r}"
            )
        found.append(modules[name].requires_grad_(False))
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ValueError(f"freeze={list(names)} leaves nothing to train; leave a part out, e.g. {there[-1]!r}")
    return found
