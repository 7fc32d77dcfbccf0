"""Batch normalisation where a day occurs several times in a batch, or where other processes hold part of the batch.

A batch of windows shares days, and each day's maps are encoded once. Its statistics must nevertheless be those of all
windows written out, so every row x[n] comes with the number of times that it occurs, and counts as often.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import batch_norm, linear


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process among them, from 0."""
    return dist.get_rank() if world() > 1 else 0


def all_sum(values: Tensor) -> Tensor:
    """Sum over the processes; each process gets the same result."""
    if world() > 1:
        values = values.clone()
        dist.all_reduce(values)
    return values


class Counted:
    """A module with ``forward(x, counts)``, where counts[n] says how often row n of x occurs in the batch."""


class _WeightedNorm(torch.autograd.Function):
    """y = gamma (x - mean) / std + beta, with the mean and variance of x in which row n occurs counts[n] times.

    The gradients are those of the rows written out. The gradient of y arrives already summed over the copies of a row,
    and each copy contributes to mean and variance. Statistics have the type of gamma (float32), also where x is
    bfloat16; call it with autocast off, which would compute them in bfloat16.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, counts: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> tuple[Tensor, ...]:
        cells = tuple(range(2, x.ndim))
        counts = counts.to(gamma.dtype)
        total = all_sum(counts.sum())
        share = counts / total  # [N]
        mean = all_sum(share @ x.mean(cells, dtype=gamma.dtype))  # [C]
        var = all_sum(share @ (x - _to_channels(mean, x)).square_().mean(cells))
        ctx.save_for_backward(x, share, gamma, mean, var)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, var, total)
        return batch_norm(x, mean, var, gamma, beta, False, 0.0, eps), mean, var, total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, *unused: Tensor) -> tuple[Tensor | None, ...]:
        x, share, gamma, mean, var = ctx.saved_tensors
        # With mean and std held fixed: dx = gamma dy / std, dgamma = sum of dy x_hat, dbeta = sum of dy.
        dx, dgamma, dbeta = torch.ops.aten.native_batch_norm_backward(
            dy, x, gamma, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        inverse = torch.rsqrt(var + ctx.eps)
        sum_dy, sum_dyx = all_sum(dbeta), all_sum(dgamma)
        # Through mean and std: share gamma / std (sum_dy + x_hat sum_dyx) is subtracted, which is linear in x.
        slope = gamma * inverse.square() * sum_dyx
        level = gamma * inverse * (sum_dy - mean * inverse * sum_dyx)
        per_cell = (share / x[0, 0].numel())[:, None]  # [N, 1]
        shape = (*x.shape[:2], *(1,) * (x.ndim - 2))
        dx.addcmul_(x, (per_cell * slope).view(shape).to(dx.dtype), value=-1)
        return dx.sub_((per_cell * level).view(shape).to(dx.dtype)), None, dgamma, dbeta, None


def _to_channels(values: Tensor, x: Tensor) -> Tensor:
    """(C,) in a shape that broadcasts against x (N, C, ...)."""
    return values.view(-1, *(1,) * (x.ndim - 2))


class _CountedNorm(Counted, nn.modules.batchnorm._BatchNorm):
    """Torch's batch normalisation, over rows with counts and over all processes."""

    def forward(self, x: Tensor, counts: Tensor | None = None) -> Tensor:
        if not self.training or (counts is None and world() == 1):
            return super().forward(x)
        self._check_input_dim(x)
        counts = torch.ones(len(x), device=x.device) if counts is None else counts
        with torch.autocast(x.device.type, enabled=False):
            y, mean, var, total = _WeightedNorm.apply(x, counts, self.weight, self.bias, self.eps)
        self._update_running_statistics(mean, var, total * x[0, 0].numel())
        return y

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, var: Tensor, n: Tensor) -> None:
        """Update the running mean and variance as torch does, from n values per channel."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var * n / (n - 1).clamp(min=1), self.momentum)


class BatchNorm2d(_CountedNorm, nn.BatchNorm2d):
    """Batch normalisation of (N, C, H, W)."""


class BatchNorm3d(_CountedNorm, nn.BatchNorm3d):
    """Batch normalisation of (N, C, T, H, W)."""


class Conv2d(nn.Conv2d):
    """Convolution of (N, C, H, W), padded by half its kernel; of maps of one cell the matrix product that it is there.

    All but the middle of the kernel then meets zeros alone, and its gradient is zero.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (1, 1):
            return super().forward(x)
        row, column = (size // 2 for size in self.kernel_size)
        return linear(x.flatten(1), self.weight[:, :, row, column], self.bias)[:, :, None, None]


class Stack(Counted, nn.Sequential):
    """Layers in order; the counts go to those that take them."""

    def forward(self, x: Tensor, counts: Tensor | None = None) -> Tensor:
        for layer in self:
            x = layer(x, counts) if isinstance(layer, Counted) else layer(x)
        return x
