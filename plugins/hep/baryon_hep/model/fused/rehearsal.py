"""Do the kernels give the right answers on a device? Asked before they are relied on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from baryon_hep.model.fused import operators
from baryon_hep.model.fused.block import plain


def right_on(device: torch.device) -> bool:
    """Whether outputs and gradients are, to the bit, those of PyTorch on the CPU in float32.

    All numbers are small and whole, so that their sums are exact in any order and type; many are
    equal.
    """
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
    """The first output and the last two tensors' gradients, with the first tensor in `dtype`."""
    there = [tensors[0].to(device, dtype), *(tensor.to(device) for tensor in tensors[1:])]
    found = _answers(lambda *here: fused(*here, leakiness)[0], there)
    expected = _answers(lambda *here: by_pytorch(*here, leakiness), tensors)
    pairs = zip(found, expected, strict=True)
    return all(torch.equal(one.float().cpu(), other) for one, other in pairs)


def pooled(full: Tensor, bias: Tensor, leakiness: float) -> Tensor:
    """What `operators.pool` computes, by PyTorch."""
    best = functional.max_pool2d(full + bias[:, None, None], 2)
    return functional.leaky_relu(best, leakiness) if leakiness else functional.relu(best)


def whole(shape: Sequence[int], count: int) -> Tensor:
    """`count` different numbers around zero, in an order without a pattern."""
    numbers = torch.arange(torch.Size(shape).numel())
    return ((numbers * numbers * 7 + numbers * 3) % 31 % count - count // 2).float().reshape(shape)


def _answers(block: Callable[..., Tensor], tensors: Sequence[Tensor]) -> list[Tensor]:
    with torch.enable_grad(), torch.autocast(tensors[0].device.type, enabled=False):
        *given, one, other = [tensor.detach() for tensor in tensors]
        sought = one.requires_grad_(), other.requires_grad_()
        output = block(*given, *sought)
        came = whole(output.shape, 5).to(output)
        return [output.detach(), *torch.autograd.grad(output, sought, came)]
