"""Expected gradients of a network: how much each input moved the output away from a background of inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

_ROUNDING = 1e-6  # (0.1 % of a path's sum) squared


@dataclass(frozen=True, eq=False)
class NetworkInputs:
    """Inputs of a network: x (N, window, n_features, size, size), and causality (N, n_causal) or None."""

    x: Tensor
    causality: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor | slice) -> NetworkInputs:
        return NetworkInputs(self.x[index], None if self.causality is None else self.causality[index])


@dataclass(frozen=True, eq=False)
class Draws:
    """Points on the paths from backgrounds to windows.

    Parameters
    ----------
    background : torch.Tensor
        (N, draws) int64, which background each path starts from.
    position : torch.Tensor
        (N, draws) float32, where on the path: 0 at the background, 1 at the window.
    """

    background: Tensor
    position: Tensor

    def to(self, device: torch.device) -> Draws:
        """The same on a device."""
        return Draws(self.background.to(device), self.position.to(device))


@dataclass(frozen=True, eq=False)
class Attributions:
    """Shares of the inputs in ``f(x) - mean f(background)``, their dimensions reduced; `causality` may be None."""

    x: Tensor
    causality: Tensor | None
    output: Tensor  # f(x), (N,)


def balanced_draws(keys: Sequence[int], n_background: int, n_draws: int, seed: int) -> Draws:
    """Every background once before any twice, at positions spread evenly over its own path and over all.

    Parameters
    ----------
    keys : sequence of int
        One number for each window; its draws depend on it, `seed` and the two counts only.
    n_background, n_draws : int
        With ``n_draws = m * n_background`` each background has one position in each m-th of its path.
    seed : int
        Of the draws.
    """
    pairs = [_balanced(np.random.default_rng([seed, int(key)]), n_background, n_draws) for key in keys]
    background, position = (np.stack(each) for each in zip(*pairs, strict=True))
    return Draws(torch.from_numpy(background), torch.from_numpy(position.astype("float32")))


def _balanced(rng: np.random.Generator, n_background: int, n_draws: int) -> tuple[np.ndarray, np.ndarray]:
    rounds, rest = divmod(n_draws, n_background)
    # in round r each path has a point in [r, r + 1) / rounds, and these points are themselves spread evenly
    order = rng.permuted(np.tile(np.arange(n_background), (rounds, 1)), axis=1)
    within = (order + rng.random(order.shape)) / n_background
    position = (np.arange(rounds)[:, None] + within) / max(1, rounds)
    last = rng.choice(n_background, rest, replace=False)
    last_position = (rng.permutation(rest) + rng.random(rest)) / max(1, rest)
    background = np.concatenate([np.tile(np.arange(n_background), rounds), last])
    return background.astype("int64"), np.concatenate([position.ravel(), last_position])


def frozen(network: nn.Module) -> nn.Module:
    """The network itself, in evaluation mode, with parameters that ask for no gradient, channels last."""
    network.eval().requires_grad_(False)
    if all(p.ndim <= 4 for p in network.parameters()):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def expected_gradients(
    network: nn.Module,
    inputs: NetworkInputs,
    background: NetworkInputs,
    draws: Draws,
    *,
    reduce: Sequence[int] = (),
    at_once: int | None = None,
    known_ends: bool = True,
) -> Attributions:
    """Mean over draws of ``(x - background) * gradient`` at points between background and x.

    Parameters
    ----------
    network : torch.nn.Module
        ``network(x, causality)`` gives (N,); from :func:`frozen`.
    inputs, background : NetworkInputs
        Windows to explain, and windows that stand for what is usual.
    draws : Draws
        For the windows to explain, e.g. from :func:`balanced_draws`.
    reduce : sequence of int
        Dimensions of x to sum over, of 1 (window) to 4.
    at_once : int, optional
        Points at a time; all by default.
    known_ends : bool
        Use that a path's sum is ``f(x) - f(background)``: how far the drawn points miss it is a control variate.

    Returns
    -------
    Attributions
        float32, on the device of the inputs.

    References
    ----------
    Erion et al. 2021, doi:10.1038/s42256-021-00343-w. Control variates: Owen 2013, Monte Carlo theory, methods
    and examples, section 8.9.
    """
    n_draws = draws.position.shape[1]
    output = outputs(network, inputs, at_once)
    ends = outputs(network, background, at_once) if known_ends else None
    totals = _Totals(inputs, reduce)
    for window, drawn in _pairs(len(inputs), n_draws, at_once, inputs.x.device):
        start = draws.background[window, drawn]
        parts = _contributions(network, inputs[window], background[start], draws.position[window, drawn])
        miss = None
        if ends is not None:
            miss = _whole(parts) - (output[window] - ends[start])
        totals.add(window, parts, miss)
    means = totals.means(n_draws)
    return Attributions(means[0], means[1] if len(means) > 1 else None, output)


@torch.no_grad()
def outputs(network: nn.Module, inputs: NetworkInputs, at_once: int | None = None) -> Tensor:
    """The network's numbers, (N,), some windows at a time."""
    parts = torch.arange(len(inputs), device=inputs.x.device).split(at_once or max(1, len(inputs)))
    return torch.cat([network(part.x, part.causality) for part in (inputs[index] for index in parts)])


def bytes_per_point(network: nn.Module, inputs: NetworkInputs) -> int:
    """Memory that one point on a path needs: what the backward pass keeps, and the point with its copies."""
    kept: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # the graph must not hold a tensor that holds the graph: neither would be freed

    two = inputs[torch.zeros(2, dtype=torch.int64, device=inputs.x.device)]
    x = two.x.requires_grad_()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(x, two.causality)  # the graph ends here, its sizes are known
    # of two points; the backward pass holds about half as much again
    return sum(kept.values()) * 3 // 4 + 6 * x[0].numel() * x.element_size()


class _Totals:
    """Running sums over the draws of each window: contributions, and their products with the path's miss."""

    def __init__(self, inputs: NetworkInputs, reduce: Sequence[int]):
        n, *shape = inputs.x.shape
        kept = [size for k, size in enumerate(shape, start=1) if k not in reduce]
        self.reduce = tuple(reduce)
        self.sums = [inputs.x.new_zeros(n, *kept)]
        if inputs.causality is not None:
            self.sums.append(torch.zeros_like(inputs.causality))
        self.products = [torch.zeros_like(total) for total in self.sums]
        self.miss, self.miss_squared, self.squared = (inputs.x.new_zeros(n) for _ in range(3))

    def add(self, window: Tensor, parts: Sequence[Tensor], miss: Tensor | None) -> None:
        x, *causality = parts
        kept = [x.sum(self.reduce) if self.reduce else x, *causality]
        for part, total, product in zip(kept, self.sums, self.products, strict=True):
            total.index_add_(0, window, part)
            if miss is not None:
                product.index_add_(0, window, part * _column(miss, part))
        if miss is not None:
            self.miss.index_add_(0, window, miss)
            self.miss_squared.index_add_(0, window, miss**2)
            self.squared.index_add_(0, window, _whole(parts) ** 2)

    def means(self, n_draws: int) -> list[Tensor]:
        """Means over draws, less what regression on the miss explains; without a miss they are plain means."""
        miss = self.miss / n_draws
        floor = _ROUNDING * self.squared / n_draws  # a miss as small as rounding errors explains nothing
        spread = (self.miss_squared / n_draws - miss**2).clamp(min=0) + floor + torch.finfo(miss.dtype).tiny
        means = []
        for total, product in zip(self.sums, self.products, strict=True):
            mean = total / n_draws
            covariance = product / n_draws - mean * _column(miss, mean)
            means.append(mean - covariance * _column(miss / spread, mean))
        return means


def _whole(parts: Sequence[Tensor]) -> Tensor:
    """Sum over all inputs, (N,)."""
    return torch.stack([part.flatten(1).sum(1) for part in parts]).sum(0)


def _column(values: Tensor, like: Tensor) -> Tensor:
    """(N,) as (N, 1, ...)."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def _pairs(n_windows: int, n_draws: int, at_once: int | None, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """All pairs of window and draw, some at a time."""
    for pair in torch.arange(n_windows * n_draws, device=device).split(at_once or max(1, n_windows * n_draws)):
        yield pair // n_draws, pair % n_draws


def _contributions(network: nn.Module, inputs: NetworkInputs, start: NetworkInputs, position: Tensor) -> list[Tensor]:
    """``(x - background) * gradient`` at one point of each path; zero for an input that the network ignores."""
    pairs = [(inputs.x, start.x)]
    if inputs.causality is not None and start.causality is not None:
        pairs.append((inputs.causality, start.causality))
    ways = [end - begin for end, begin in pairs]
    points = [
        torch.addcmul(begin, way, _column(position, way)).requires_grad_()
        for (_, begin), way in zip(pairs, ways, strict=True)
    ]
    with torch.enable_grad(), _differentiable(network):
        total = network(points[0], points[1] if len(points) > 1 else None).sum()
        gradients = torch.autograd.grad(total, points, allow_unused=True)
    return [
        torch.zeros_like(way) if gradient is None else gradient * way
        for gradient, way in zip(gradients, ways, strict=True)
    ]


def _differentiable(network: nn.Module) -> AbstractContextManager:
    """cuDNN refuses the backward pass of its own recurrent layers in evaluation mode; torch's kernels do not."""
    if any(isinstance(module, nn.RNNBase) for module in network.modules()):
        return torch.backends.cudnn.flags(enabled=False)
    return nullcontext()
