"""The layers of a network as it is built: what goes in and out of each, and how many numbers it learns (Table S2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from torch import nn

# Layers of the network by the parts of Figure 1, in the order of the data; children of these are not told apart.
PARTS = {
    "encoder.stem": "convolution 3 x 3",
    "encoder.units.0": "ResAtt block 1",
    "encoder.units.1": "ResAtt block 2",
    "encoder.units.2": "ResAtt block 3",
    "encoder.units.3": "ResAtt block 4",
    "encoder.project": "mean of cells, linear",
    "recurrence.initial.0": "c₀ of layer 1",
    "recurrence.initial.1": "c₀ of layer 2",
    "recurrence.cells.0": "LSTM cell 1",
    "recurrence.cells.1": "LSTM cell 2",
    "head.0": "linear",
    "head.1": "linear",
}


def layers(network: nn.Module, *, n_features: int, n_causal: int, size: int, window: int) -> pd.DataFrame:
    """Parts of a network in the order in which data reach them: `input`, `output` (of one window), `parameters`.

    Shapes are those of a forward pass; a part that one window enters day by day is given for one day.
    """
    import torch

    seen: dict[str, dict[str, Any]] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, given: Any, out: Any) -> None:
            said = out[0] if isinstance(out, tuple) else out
            shapes = {"input": _text(given[0].shape[1:]), "output": _text(said.shape[1:])}
            learnt = sum(p.numel() for p in module.parameters())
            seen.setdefault(name, {"part": PARTS.get(name, name), **shapes, "parameters": learnt})

        return hook

    named = dict(network.named_modules())
    chosen = [name for name in PARTS if name in named] or _pieces(network)
    handles = [named[name].register_forward_hook(note(name)) for name in chosen]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, window, n_features, size, size), torch.zeros(1, n_causal))
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return pd.DataFrame(list(seen.values()), index=pd.Index(list(seen), name="layer"))


def _pieces(network: nn.Module) -> list[str]:
    """The children of a network, and those of its lists."""
    from torch import nn

    lists = {name: child for name, child in network.named_children() if isinstance(child, nn.ModuleList)}
    inside = [f"{name}.{k}" for name, child in lists.items() for k in range(len(child))]
    return [name for name, _ in network.named_children() if name not in lists] + inside


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
