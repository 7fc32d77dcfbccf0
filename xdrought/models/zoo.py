"""The networks by name: each variant is a row of a table, and each size is an argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xdrought.choices import Equations, VariantName
from xdrought.models.lead_days import LeadDaysNetwork
from xdrought.models.norm import Stack
from xdrought.models.own import name_of_class, own_network, takes_causality, takes_leads
from xdrought.models.resattcaurec import CBAM, STEPS, CentreMean, FrameEncoder, LinearNetwork, RecurrentNetwork
from xdrought.models.unet import UNet

_DROPOUT = {"paper": 0.0, "released": 0.2}  # the paper names none, the released code has it


@dataclass(frozen=True)
class Architecture:
    """All that the shape and equations of a network depend on; see :func:`xdrought.models.build`.

    Parameters
    ----------
    variant, n_features, n_causal, size, window, equations, widths, dropout, initial_hidden
        As there.
    leads : tuple of int
        Lead days that a ``xdrought.models.lead_days.LeadDaysNetwork`` answers for; none for the paper's network.
    future : tuple of int
        Positions of the drivers known for them.
    n_quantiles : int
        How many quantiles are told; 0 for one number.
    normal_levels : tuple of float
        Levels of the quantiles, where they are those of a normal distribution whose mean and spread are learnt.
    network : callable, optional
        A class of the user's own, which `variant` names; see ``xdrought.models.own``.
    """

    variant: str = "ResAttCauRec"
    n_features: int = 12
    n_causal: int = 96
    size: int = 10
    window: int = 15
    equations: Equations = "paper"
    widths: tuple[int, ...] = (64, 128)
    dropout: float | None = None
    leads: tuple[int, ...] = ()
    future: tuple[int, ...] = ()
    n_quantiles: int = 0
    initial_hidden: int | None = None
    normal_levels: tuple[float, ...] = ()
    network: Callable[..., nn.Module] | None = None


def _recurrent(spec: Architecture, encoder: Callable[[Architecture], nn.Module], causal: bool) -> nn.Module:
    """An encoder and a recurrence."""
    dropout = _DROPOUT[spec.equations] if spec.dropout is None else spec.dropout
    n_causal = spec.n_causal if causal else None
    sizes = (n_causal, spec.widths, spec.equations, dropout, spec.n_quantiles, spec.initial_hidden, spec.normal_levels)
    if spec.leads:
        return LeadDaysNetwork(encoder(spec), spec.n_features, *sizes, leads=spec.leads, future=spec.future)
    return RecurrentNetwork(encoder(spec), spec.n_features, *sizes)


def _linear(spec: Architecture, encoder: Callable[[Architecture], nn.Module]) -> nn.Module:
    """An encoder and a linear layer."""
    return LinearNetwork(encoder(spec), spec.n_features, spec.window)


def _residual(spec: Architecture, attention: bool) -> nn.Module:
    return FrameEncoder(spec.n_features, spec.widths, attention, spec.equations == "released")


def _centre(spec: Architecture) -> nn.Module:
    return CentreMean()


def _attentive_centre(spec: Architecture) -> nn.Module:
    """Attention without a residual encoder: one block weighs the drivers and cells of the maps that are averaged."""
    return Stack(CBAM(spec.n_features, released=spec.equations == "released"), CentreMean())


def _unet(spec: Architecture) -> nn.Module:
    smallest = 2 ** (len(spec.widths) - 1)
    if min(spec.window, spec.size) < smallest:
        raise ValueError(
            f"a U-Net of {len(spec.widths)} stages needs {smallest} days and {smallest} x {smallest} "
            f"cells, found window={spec.window}, size={spec.size}; use a recurrent variant, or fewer widths"
        )
    return UNet(spec.n_features, spec.widths)


@dataclass(frozen=True)
class Variant:
    """How to make a network, whether it takes the causality degree, its published widths, and whether it recurs."""

    make: Callable[[Architecture], nn.Module]
    causal: bool = False
    widths: tuple[int, ...] = (64, 128)
    recurrent: bool = False


def _row(encoder: Callable[[Architecture], nn.Module], causal: bool) -> Variant:
    return Variant(partial(_recurrent, encoder=encoder, causal=causal), causal, recurrent=True)


_attentive, _plain = partial(_residual, attention=True), partial(_residual, attention=False)
VARIANTS: dict[str, Variant] = {
    "ResAttCauRec": _row(_attentive, causal=True),
    "ResAttRec": _row(_attentive, causal=False),
    "ResCauRec": _row(_plain, causal=True),
    "ResRec": _row(_plain, causal=False),
    "AttCauRec": _row(_attentive_centre, causal=True),
    "AttRec": _row(_attentive_centre, causal=False),
    "CauRec": _row(_centre, causal=True),
    "Rec": _row(_centre, causal=False),
    "ResAtt": Variant(partial(_linear, encoder=_attentive)),
    "Res": Variant(partial(_linear, encoder=_plain)),
    "UNet": Variant(_unet, widths=(24, 32, 40, 64)),
}


def kind_of(spec: Architecture) -> Variant:
    """The row of an architecture: one of the table, or that of the user's own network."""
    if spec.network is None:
        return VARIANTS[spec.variant]
    return Variant(_own, takes_causality(spec.network), widths=())


def _own(spec: Architecture) -> nn.Module:
    return own_network(spec.network, _sizes(spec), bool(spec.leads))


def _sizes(spec: Architecture) -> dict[str, int]:
    sizes = {name: getattr(spec, name) for name in ("n_features", "n_causal", "size", "window")}
    return sizes | {"n_leads": max(1, len(spec.leads))}


def build(
    variant: VariantName = "ResAttCauRec",
    n_features: int = 12,
    n_causal: int = 96,
    size: int = 10,
    window: int = 15,
    equations: Equations = "paper",
    widths: Sequence[int] | None = None,
    dropout: float | None = None,
    initial_hidden: int | None = None,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """A network of the paper with fresh weights.

    Parameters
    ----------
    variant : str
        One of :data:`xdrought.models.VARIANTS`. The name says the parts: Res has the residual encoder (else the mean of
        the central cells), Att has attention, Cau reads the causality degree, Rec has the recurrence (else a linear
        layer over all days). UNet is the Conv3d benchmark. Att without Res, for which nothing is published, is one
        attention block on the drivers' maps before the mean of the central cells.
    n_features : int
        Number of drivers.
    n_causal : int
        Length of the causality degree; variants without Cau ignore it.
    size, window : int
        Cells along a side of the maps, and days. A network with a recurrence also takes other sizes.
    equations : {"paper", "released"}
        "paper" follows Eq. 1-6. "released" follows the authors' code, which adds the input of the attention block to
        its result, swaps its two planes, skips from the previous cell state instead of c_0, and has dropout 0.2.
    widths : sequence of int, optional
        Channels of the encoder's stages and units of the recurrent layers, (64, 128) in the paper; channels
        of the U-Net's stages, (24, 32, 40, 64).
    dropout : float, optional
        Share of h and c that is dropped at each step; by default 0 for "paper" and 0.2 for "released".
    initial_hidden : int, optional
        Units of a hidden layer between the causality degree and c_0; none by default, as in the published number of
        parameters.
    generator : torch.Generator, optional
        Source of the fresh weights, on the CPU; torch's global generator by default.

    Returns
    -------
    torch.nn.Module
        ``forward(x, causality)``: x (N, window, n_features, size, size), causality (N, n_causal), gives (N,).

    Raises
    ------
    ValueError
        For an unknown variant or equations, or sizes out of range.

    References
    ----------
    Tang et al. 2025, section 2.

    Examples
    --------
    >>> from xdrought.models import build
    >>> sum(p.numel() for p in build("ResAttCauRec").parameters())
    839961
    """
    sizes = (variant, n_features, n_causal, size, window, equations, widths, dropout)
    spec = architecture(*sizes, initial_hidden=initial_hidden)
    return build_architecture(spec, generator)


def architecture(
    variant: str,
    n_features: int,
    n_causal: int,
    size: int,
    window: int,
    equations: Equations,
    widths: Sequence[int] | None,
    dropout: float | None,
    leads: tuple[int, ...] = (),
    future: tuple[int, ...] = (),
    n_quantiles: int = 0,
    initial_hidden: int | None = None,
    normal_levels: tuple[float, ...] = (),
    network: Callable[..., nn.Module] | None = None,
) -> Architecture:
    """The arguments of `build`, and what is asked ahead, as a checked value, with the published widths by default."""
    if network is None and variant not in VARIANTS:
        raise ValueError(f"variant={variant!r} is unknown; choose one of {list(VARIANTS)}")
    if network is not None and widths is not None:
        raise ValueError(f"widths={widths!r} beside a network of your own; fill them in with functools.partial")
    if network is not None:
        variant, widths = name_of_class(network), ()
    widths = VARIANTS[variant].widths if widths is None else tuple(widths)
    sizes = (variant, n_features, n_causal, size, window, equations, widths, dropout)
    spec = Architecture(*sizes, leads, future, n_quantiles, initial_hidden, normal_levels, network)
    check_architecture(spec)
    return spec


def build_architecture(spec: Architecture, generator: torch.Generator | None = None) -> nn.Module:
    """A network with fresh weights, drawn from `generator` if there is one, from its architecture."""
    with _single_precision(), nullcontext() if generator is None else _DrawFrom(generator):
        return kind_of(spec).make(spec)


@contextmanager
def _single_precision() -> Iterator[None]:
    """Layers are made in float32 also where the caller's default is another type, as the data are."""
    default = torch.get_default_dtype()
    if default == torch.float32:
        yield
        return
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


def _takes_generator(function: object) -> bool:
    return inspect.isfunction(function) and "generator" in inspect.signature(function).parameters


class _DrawFrom(TorchFunctionMode):
    """Within this context and thread, what initialises torch's layers draws from one generator.

    Torch's layers know no generator and draw from the global one, which all threads share. The numbers are those of
    the global generator with the same seed.
    """

    FILLS = frozenset(
        {Tensor.uniform_, Tensor.normal_, Tensor.bernoulli_, torch.rand, torch.randn, torch.randint, torch.randperm}
        | {function for function in vars(nn.init).values() if _takes_generator(function)}
    )

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self.generator = generator

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in self.FILLS and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)


def unfilled(spec: Architecture) -> nn.Module:
    """A network whose weights mean nothing yet, without drawing from the global random state."""
    if spec.network is not None:  # what it makes beside its weights must have values
        return build_architecture(spec, torch.Generator())
    with torch.device("meta"):
        return build_architecture(spec)


def network_of(architecture: Architecture, weights: Mapping[str, Tensor], device: str | torch.device) -> nn.Module:
    """The network of these weights, in evaluation mode."""
    network = unfilled(architecture)
    network.load_state_dict({name: w.clone() for name, w in weights.items()}, assign=True)
    return network.to(device).eval()


def check_architecture(spec: Architecture) -> None:
    """Raise ValueError for what no network can be built from."""
    if spec.equations not in STEPS:
        raise ValueError(f"equations={spec.equations!r} is unknown; choose one of {list(STEPS)}")
    sizes = {name: getattr(spec, name) for name in ("n_features", "size", "window")}
    if kind_of(spec).causal:
        sizes["n_causal"] = spec.n_causal
    sizes |= {f"widths[{k}]": width for k, width in enumerate(spec.widths)}
    wrong = {name: n for name, n in sizes.items() if isinstance(n, bool) or not isinstance(n, int) or n < 1}
    if wrong or (not spec.widths and spec.network is None):
        raise ValueError(f"{wrong or 'widths=()'}; sizes are whole numbers of at least 1")
    if spec.dropout is not None and not 0 <= spec.dropout < 1:
        raise ValueError(f"dropout={spec.dropout!r}; it is a share, 0 or more and below 1")
    if spec.network is not None:
        _check_own(spec)
    elif (spec.leads or spec.n_quantiles) and not kind_of(spec).recurrent:
        able = [name for name, variant in VARIANTS.items() if variant.recurrent]
        raise ValueError(
            f"variant={spec.variant!r} has no recurrence, so that it gives one value for one lead; for several leads, "
            f"for future or for quantiles choose one of {able}"
        )
    grows = all(isinstance(lead, int) and lead >= 1 for lead in spec.leads) and list(spec.leads) == sorted(
        set(spec.leads)
    )
    there = all(isinstance(k, int) and 0 <= k < spec.n_features for k in spec.future)
    if not grows or not there or (spec.future and not spec.leads) or spec.n_quantiles < 0:
        raise ValueError(
            f"leads={spec.leads}, future={spec.future}, n_quantiles={spec.n_quantiles} do not fit together"
        )
    if spec.normal_levels and (len(spec.normal_levels) != spec.n_quantiles or spec.n_quantiles < 2):
        raise ValueError(
            f"{spec.n_quantiles} quantiles of a normal distribution of levels {spec.normal_levels}; give two or more"
        )


def _check_own(spec: Architecture) -> None:
    """Raise ValueError for what a network of the user's own cannot be asked for."""
    assert spec.network is not None
    if spec.future or spec.n_quantiles:
        able = [name for name, variant in VARIANTS.items() if variant.recurrent]
        raise ValueError(
            f"{spec.variant} is a network of your own, which knows neither future= nor quantiles=; choose one of {able}"
        )
    if spec.leads and not takes_leads(spec.network):
        raise ValueError(
            f"{spec.variant} takes no n_leads, so that it gives one value, and {len(spec.leads)} leads are asked for; "
            f"give its class the keyword n_leads and let forward give (N, n_leads), or ask for one lead"
        )
