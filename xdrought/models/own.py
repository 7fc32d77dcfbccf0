"""A network of the user's own in place of the paper's.

The class, or any function that gives a module, is called with those of ``n_features``, ``n_causal``, ``size``,
``window`` and ``n_leads`` that it takes. The module's ``forward(x)`` gives (N,) scaled values for windows x (N, window,
n_features, size, size), and (N, n_leads) where the class takes ``n_leads``. Where it takes ``n_causal`` it is
``forward(x, causality)`` with causality (N, n_causal).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

SIZES = ("n_features", "n_causal", "size", "window", "n_leads")


def takes_causality(make: Callable[..., nn.Module]) -> bool:
    """Whether the class wants the length of the causality degree, and so the degree itself."""
    return "n_causal" in _wanted(make)


def takes_leads(make: Callable[..., nn.Module]) -> bool:
    """Whether the class wants the number of leads, and so answers for each."""
    return "n_leads" in _wanted(make)


def _wanted(make: Callable[..., nn.Module]) -> list[str]:
    filled = make.keywords if isinstance(make, functools.partial) else {}
    return [name for name in SIZES if name in inspect.signature(make).parameters and name not in filled]


def name_of_class(make: Callable[..., nn.Module]) -> str:
    """The short name of the class."""
    inner = make.func if isinstance(make, functools.partial) else make
    return str(getattr(inner, "__name__", type(inner).__name__))


def own_network(make: Callable[..., nn.Module] | None, sizes: Mapping[str, int], several: bool) -> nn.Module:
    """The user's module, wrapped; of `several` leads it gives (N, n_leads).

    Raises
    ------
    TypeError
        When the class cannot be made from the sizes, or gives no module.
    """
    assert make is not None
    wanted = {name: sizes[name] for name in _wanted(make)}
    try:
        module = make(**wanted)
    except TypeError as error:
        raise TypeError(
            f"{name_of_class(make)} cannot be made with {wanted} ({error}); it may take {list(SIZES)}; fill in "
            f"anything else with functools.partial"
        ) from error
    if not isinstance(module, nn.Module) or not any(True for _ in module.parameters()):
        raise TypeError(f"{name_of_class(make)} gave {type(module).__name__} without weights; give a torch.nn.Module")
    by_lead = takes_leads(make)
    return OwnNetwork(module, takes_causality(make), sizes["n_leads"] if by_lead else None, several)


class OwnNetwork(nn.Module):
    """A user's module behind the interface of ours, whose answers are checked.

    Parameters
    ----------
    module : torch.nn.Module
        The user's.
    causal : bool
        Whether it reads the causality degree.
    n_leads : int, optional
        How many values it gives for each window, on an axis of their own; by default one value without an axis.
    several : bool
        Whether the axis of the leads is kept.
    """

    def __init__(self, module: nn.Module, causal: bool, n_leads: int | None = None, several: bool = False):
        super().__init__()
        self.own, self.causal, self.n_leads, self.several = module, causal, n_leads, several

    def forward(self, x: Tensor, causality: Tensor | None = None) -> Tensor:
        """(N, window, n_features, size, size) and (N, n_causal) to (N,), or of several leads (N, n_leads)."""
        out = self.own(x, causality) if self.causal else self.own(x)
        wanted = (len(x),) if self.n_leads is None else (len(x), self.n_leads)
        if not isinstance(out, Tensor) or out.shape != wanted:
            found = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            asked = "one value for each" if self.n_leads is None else f"{self.n_leads} for each, one a lead"
            cure = ", e.g. with .squeeze(-1)" if self.n_leads is None else ""
            raise ValueError(
                f"{type(self.own).__name__} gave {found} for {len(x)} windows; it must give {asked}, {wanted}{cure}"
            )
        return out if self.several or self.n_leads is None else out.squeeze(1)


@contextmanager
def global_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's global generators from this seed, and afterwards as they were: torch's own dropout draws from them."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
