"""Test the fused kernels on a device before a model relies on them.

A compiler may be wrong on a device that nobody has tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from baryon_hep.model.fused import operators
from baryon_hep.model.fused.block import plain


def right_on(device: torch.device) -> bool:
    """Return whether outputs and gradients equal, to the bit, PyTorch's on the CPU in float32."""
    # All numbers are small and whole, so that their sums are exact in any order and type: a wrong
    # answer differs by at least 1, a right one by nothing. Many are equal, for ties in pooling.
    images, full, bias = whole((2, 3, 9, 12), 4), whole((2, 32, 9, 12), 15), whole((32,), 9)
    first = (operators.first_block, plain, [images, whole((32, 3, 3, 3), 3), bias])
    later = (operators.pool, pooled, [full, bias])
    half, single = torch.bfloat16, torch.float32
    return all(
        same(fused, by_pytorch, tensors, device, dtype)
        for (fused, by_pytorch, tensors), dtype in ((first, half), (later, half), (later, single))
    )


def same(
    fused: Callable[..., Any],
    by_pytorch: Callable[..., Any],
    tensors: Sequence[Tensor],
    device: torch.device,
    dtype: torch.dtype,
    leakiness: float = 0.0,
) -> bool:
    """Return whether two blocks agree in their first output and the last two tensors' gradients.

    The fused block runs on the device with the first tensor in `dtype`, the other one on the CPU.
    """
    on_device = [tensors[0].to(device, dtype), *(tensor.to(device) for tensor in tensors[1:])]
    results = _results(lambda *inputs: fused(*inputs, leakiness)[0], on_device)
    expected = _results(lambda *inputs: by_pytorch(*inputs, leakiness), tensors)
    pairs = zip(results, expected, strict=True)
    return all(torch.equal(result.float().cpu(), right) for result, right in pairs)


def pooled(full: Tensor, bias: Tensor, leakiness: float) -> Tensor:
    """Compute what `operators.pool` computes with PyTorch's own operations."""
    best = functional.max_pool2d(full + bias[:, None, None], 2)
    return functional.leaky_relu(best, leakiness) if leakiness else functional.relu(best)


def whole(shape: Sequence[int], count: int) -> Tensor:
    """Fill a shape with `count` different whole numbers around 0, in an order without a pattern."""
    numbers = torch.arange(torch.Size(shape).numel())
    return ((numbers * numbers * 7 + numbers * 3) % 31 % count - count // 2).float().reshape(shape)


def _results(block: Callable[..., Tensor], tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the output of a block and the gradients of its last two tensors."""
    with torch.enable_grad(), torch.autocast(tensors[0].device.type, enabled=False):
        inputs = [tensor.detach() for tensor in tensors]
        learned = [tensor.requires_grad_() for tensor in inputs[-2:]]
        output = block(*inputs)
        gradient = whole(output.shape, 5).to(output)
        return [output.detach(), *torch.autograd.grad(output, learned, gradient)]
