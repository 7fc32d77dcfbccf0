"""The same attributions by shap's GradientExplainer: the reference, slower and noisier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from xdrought.models.expected_gradients import Attributions, NetworkInputs


def shap_gradients(
    network: nn.Module,
    windows: NetworkInputs,
    background: NetworkInputs,
    keys: np.ndarray,
    axes: tuple[int, ...],
    n_draws: int,
    seed: int,
    at_once: int,
) -> Attributions:
    """As :func:`xdrought.models.expected_gradients.expected_gradients`, with shap's own draws for each window."""
    import torch

    from xdrought.models.expected_gradients import Attributions, outputs

    explainer_of = _gradient_explainer()
    causal = windows.causality is not None and _uses_causality(network, background)
    with _global_numpy_state():
        explainer = explainer_of(_as_column(network), _listed(background, causal), batch_size=min(50, at_once))
        found: list[list[Any]] = []
        for k, key in enumerate(keys):
            one = _listed(windows[slice(k, k + 1)], causal)
            rseed = int(np.random.SeedSequence([seed, int(key)]).generate_state(1)[0])
            values = explainer.shap_values(one, nsamples=n_draws, rseed=rseed)
            values = values if causal else [values]
            found.append([torch.from_numpy(each[..., 0]).float() for each in values])
    x, *causality = (torch.cat(parts).to(windows.x.device) for parts in zip(*found, strict=True))
    shares = causality[0] if causality else None
    if windows.causality is not None and shares is None:
        shares = torch.zeros_like(windows.causality)
    return Attributions(x.sum(axes) if axes else x, shares, outputs(network, windows, at_once))


def _gradient_explainer() -> Any:
    try:
        from shap import GradientExplainer
    except ImportError as error:
        raise ImportError(
            'method="shap" needs shap; install it with pip install "xdrought[reference]", or use method="balanced"'
        ) from error
    return GradientExplainer


def _as_column(network: nn.Module) -> nn.Module:
    """The network with an output (N, 1) and inputs one by one, as shap wants them."""
    from torch import nn

    class Column(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: Any) -> Any:
            return self.network(*inputs)[:, None]

    return Column()


def _listed(inputs: NetworkInputs, causal: bool) -> list[Any]:
    return [inputs.x, inputs.causality] if causal else [inputs.x]


def _uses_causality(network: nn.Module, background: NetworkInputs) -> bool:
    """Whether causality reaches the output: shap refuses an input that does not."""
    import torch

    causality = background.causality
    assert causality is not None
    with torch.enable_grad():
        given = causality[:1].clone().requires_grad_()
        total = network(background.x[:1].clone().requires_grad_(), given).sum()
        return torch.autograd.grad(total, given, allow_unused=True)[0] is not None


@contextmanager
def _global_numpy_state() -> Iterator[None]:
    """Numpy's global random state afterwards as before: shap seeds it."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
