"""What a training makes small: squared error, pinball loss, CRPS, survival likelihood, or a function."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

Loss = Callable[[Tensor, Tensor], Tensor]


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """(...) of one value each."""
    return (prediction - target).square()


def pinball(output: Tensor, target: Tensor, levels: Sequence[float]) -> Tensor:
    """Mean over the quantiles of the pinball loss, (...), of output (..., quantile) for target (...).

    It is least, on average, where each output is the quantile of its level (Koenker and Bassett 1978).
    """
    level = output.new_tensor(levels)
    above = target[..., None] - output
    return (level * relu(above) + (1 - level) * relu(-above)).mean(-1)


def gaussian_crps(output: Tensor, target: Tensor, levels: Sequence[float]) -> Tensor:
    """Continuous ranked probability score of normal distributions, (...), told by their quantiles (..., quantile).

    ``crps = s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))`` with ``z = (target - mean) / s``, in the target's units
    (Gneiting et al. 2005, doi:10.1175/MWR2904.1). Mean and spread s are read off the outermost quantiles.
    """
    first, last = (NormalDist().inv_cdf(levels[k]) for k in (0, -1))
    spread = (output[..., -1] - output[..., 0]) / (last - first)
    mean = output[..., 0] - first * spread
    z = (target - mean) / spread
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return spread * (z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))


def survival(output: Tensor, target: Tensor) -> Tensor:
    """Minus log likelihood of each day at risk, (...), of log odds of the hazard for what happened, 1 or 0 (...).

    ``-y log h - (1 - y) log(1 - h)`` with the hazard h, the probability that it happens on the day given that it has
    not happened before. Over the days at risk of a window it adds up to minus the log likelihood of the discrete time
    of the event, which may be censored (Allison 1982, doi:10.2307/270718); the other days have no target.
    """
    return softplus(output) - target * output


def loss_function(loss: str | Loss, levels: Sequence[float]) -> Loss:
    """The loss of each target (...) from predictions (...), or (..., quantile) where there are levels."""
    if callable(loss):
        return loss
    if loss == "gaussian_crps":
        return functools.partial(gaussian_crps, levels=levels)
    if loss == "survival":
        return survival
    return functools.partial(pinball, levels=levels) if levels else squared_error


def total_loss(loss: Loss, prediction: Tensor, target: Tensor, known: Tensor | None) -> Tensor:
    """Sum of the loss over the known targets; a function of the user's sees these only, in one row.

    Raises
    ------
    ValueError
        When a function does not give one loss for each target.
    """
    if _is_ours(loss):
        error = loss(prediction, target)
        return (error if known is None else error * known).sum()
    if known is not None:
        prediction, target = prediction[known], target[known]
    error = loss(prediction, target)
    if not isinstance(error, Tensor) or error.shape != target.shape:
        found = tuple(error.shape) if isinstance(error, Tensor) else type(error).__name__
        raise ValueError(
            f"loss {name_of(loss)} gave {found} for targets of shape {tuple(target.shape)}; it must give the loss of "
            f"each target, without the mean over them"
        )
    return error.sum()


def _is_ours(loss: Loss) -> bool:
    inner = loss.func if isinstance(loss, functools.partial) else loss
    return inner in (squared_error, pinball, gaussian_crps, survival)


def name_of(function: Any) -> str:
    """A function or class in words: module and name, and of a partial one what is filled in."""
    if isinstance(function, functools.partial):
        filled = [repr(value) for value in function.args] + [f"{k}={v!r}" for k, v in function.keywords.items()]
        return f"{name_of(function.func)}({', '.join(filled)})"
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"
