"""Define the fused block as a layer, with the parameters of an `nn.Conv2d`."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from baryon.terminal.console import say
from baryon_hep.model.fused import operators
from baryon_hep.model.fused.kernels import INTERPRETED

FEW_CHANNELS = 7
"""Channels up to which the whole block is one kernel."""
# 9 times as many, and one for the bias, are 64 columns of a tile.


class Block(nn.Conv2d):
    """3x3 convolution, 2x2 max pooling and ReLU: (N, channels, H, W) to (N, filters, H/2, W/2).

    Fused on a CUDA device, in the precision that autocast asks for, float32 or bfloat16; elsewhere
    made of PyTorch's own operations.
    """

    # Named like its convolution and holding its parameters (pooling and ReLU have none), so that
    # checkpoints, communicators and operation counts need not know of it.

    def __init__(self, channels: int, filters: int, leakiness: float) -> None:
        super().__init__(channels, filters, kernel_size=3, padding=1)
        self.leakiness = leakiness

    def forward(self, images: Tensor) -> Tensor:
        """Return pooled activations (N, filters, H/2, W/2) of images (N, channels, H, W)."""
        assert self.bias is not None
        dtype = _product_type(images)
        if (images.is_cuda or INTERPRETED) and dtype in operators.TYPES:
            return fused(images.to(dtype), self.weight, self.bias, self.leakiness)
        if not torch.compiler.is_compiling():
            _say_plain(images.device.type, dtype)
        return plain(images, self.weight, self.bias, self.leakiness)


def fused(images: Tensor, weight: Tensor, bias: Tensor, leakiness: float) -> Tensor:
    """Apply the fused kernels in the type of `images`; weight and bias are float32.

    With few channels in bfloat16 the convolution's output is never written.
    """
    # In float32 it is: without tensor cores cuDNN's convolution is worth more than what is saved.
    if images.dtype == torch.bfloat16 and images.shape[1] <= FEW_CHANNELS:
        pooled: Tensor = operators.first_block(images, weight, bias, leakiness)[0]
    else:
        full = functional.conv2d(images, weight.to(images.dtype), padding=1)
        pooled = operators.pool(full, bias, leakiness)[0]
    return pooled


def plain(images: Tensor, weight: Tensor, bias: Tensor, leakiness: float) -> Tensor:
    """Compute the same with PyTorch's own operations, one by one."""
    pooled = functional.max_pool2d(functional.conv2d(images, weight, bias, padding=1), 2)
    return functional.leaky_relu(pooled, leakiness) if leakiness else functional.relu(pooled)


@cache
def _say_plain(device: str, dtype: torch.dtype) -> None:
    say(
        f"hep_cnn computes with PyTorch's own kernels on {device} in {dtype}: the fused ones are "
        "for CUDA devices, in float32 and bfloat16"
    )


def _product_type(images: Tensor) -> torch.dtype:
    """Return the type that autocast would have a convolution multiply in."""
    kind = images.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else images.dtype
