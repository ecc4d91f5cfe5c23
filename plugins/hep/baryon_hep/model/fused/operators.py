"""Register the operators with PyTorch: shapes, gradients, operation counts, launches of kernels.

Images are (N, channels, height, width) in any memory format; what comes out is channels-last.
Weights and biases, and their gradients, are float32 whatever the images are. The second output of
`first_block` and `pool` says what passed, and where from (`kernels`): backward needs nothing else
of the convolution's output.

The operators are opaque to `torch.compile`, which neither inlines nor splits them.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.library import custom_op
from torch.utils.flop_counter import conv_flop_count, register_flop_formula

from baryon_hep.model.fused import kernels

MOST_FILTERS = 128  # of a program
FIRST_WINDOWS = 32  # of a tile of the first block, backward
FIRST_PROGRAMS = 264  # of the first block, backward: two on each of an H100's 132 multiprocessors
POOL_WINDOWS = 16
POOL_PROGRAMS = 8 * FIRST_PROGRAMS

TYPES = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16}
"""Types that the operators compute in, as PyTorch and Triton call them."""


@custom_op("baryon_hep::first_block", mutates_args=())
def first_block(
    images: Tensor, weight: Tensor, bias: Tensor, leakiness: float
) -> tuple[Tensor, Tensor]:
    """Compute ReLU of 2x2 max pooling of a 3x3 convolution with padding 1, in one kernel.

    `weight` has the shape (filters, channels, 3, 3). Products are of the type of `images`, float32
    or bfloat16, and so is the output, (N, filters, height // 2, width // 2).
    """
    filters, block = len(weight), _block(len(weight))
    pooled, passed = _outputs(images, filters)
    count = passed.numel() // filters

    def grid(tile: dict[str, int]) -> tuple[int, int]:
        return triton.cdiv(count, tile["WINDOWS"]), triton.cdiv(filters, block)

    _launch(
        kernels.first_block_forward[grid],
        passed,
        *(images, weight, bias, pooled, passed, count, filters),
        *(tuple(images.shape[2:]), images.stride(), weight.stride()),
        FILTERS=block,
        LEAKINESS=leakiness,
        **_products(images),
    )
    return pooled, passed


@custom_op("baryon_hep::first_block_gradient", mutates_args=())
def first_block_gradient(
    gradient: Tensor, passed: Tensor, images: Tensor, leakiness: float
) -> tuple[Tensor, Tensor]:
    """Return the gradients of weight and bias, from that of the output of `first_block`."""
    filters, channels = passed.shape[1], images.shape[1]
    block, count, products = _block(filters), passed.numel() // filters, _products(images)
    programs = min(FIRST_PROGRAMS, triton.cdiv(count, FIRST_WINDOWS))
    # Partial sums are stored and added up, not added by atomics: the same input gives the same
    # gradient.
    partial = images.new_empty((programs, filters, products["TAPS"]), dtype=torch.float32)
    _launch(
        kernels.first_block_backward[programs, triton.cdiv(filters, block)],
        passed,
        *(images, _dense(gradient), passed, partial, count, filters),
        *(tuple(images.shape[2:]), images.stride()),
        FILTERS=block,
        LEAKINESS=leakiness,
        WINDOWS=FIRST_WINDOWS,
        num_warps=4,
        **products,
    )
    total = partial.sum(0)
    weight = total[:, : 9 * channels].reshape(filters, 3, 3, channels)
    return _dense(weight.permute(0, 3, 1, 2)), total[:, 9 * channels].contiguous()


@custom_op("baryon_hep::pool", mutates_args=())
def pool(full: Tensor, bias: Tensor, leakiness: float) -> tuple[Tensor, Tensor]:
    """Compute ReLU of 2x2 max pooling of `full` + bias, in one kernel."""
    filters, block = full.shape[1], _block(full.shape[1])
    pooled, passed = _outputs(full, filters)
    count = passed.numel() // filters
    _launch(
        kernels.pool_forward[triton.cdiv(count, POOL_WINDOWS), triton.cdiv(filters, block)],
        passed,
        *(_dense(full), bias, pooled, passed, count, filters, tuple(full.shape[2:])),
        FILTERS=block,
        LEAKINESS=leakiness,
        WINDOWS=POOL_WINDOWS,
    )
    return pooled, passed


@custom_op("baryon_hep::pool_gradient", mutates_args=())
def pool_gradient(
    gradient: Tensor, passed: Tensor, height: int, width: int, leakiness: float
) -> tuple[Tensor, Tensor]:
    """Return the gradients of `full`, of this height and width, and of the bias."""
    samples, filters = passed.shape[:2]
    full = _images(gradient, (samples, filters, height, width))
    block, count = _block(filters), samples * -(-height // 2) * -(-width // 2)
    programs = min(POOL_PROGRAMS, triton.cdiv(count, POOL_WINDOWS))
    partial = gradient.new_empty((programs, filters), dtype=torch.float32)
    _launch(
        kernels.pool_backward[programs, triton.cdiv(filters, block)],
        full,
        *(_dense(gradient), passed, full, partial, count, filters, (height, width)),
        FILTERS=block,
        LEAKINESS=leakiness,
        WINDOWS=POOL_WINDOWS,
    )
    return full, partial.sum(0)


def _launch(kernel: Any, result: Tensor, *arguments: Any, **constants: Any) -> None:
    """Launch a kernel on the device of its result; do nothing for an empty batch."""
    if result.numel():
        # The device of a model need not be the current one.
        with torch.cuda.device_of(result):  # type: ignore[no-untyped-call]
            kernel(*arguments, **constants)


def _dense(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def _images(like: Tensor, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> Tensor:
    return torch.empty(
        shape,
        dtype=dtype or like.dtype,
        device=like.device,
        memory_format=torch.channels_last,
    )


def _outputs(full: Tensor, filters: int) -> tuple[Tensor, Tensor]:
    """Allocate what comes out of a pooling, and a byte for each value."""
    samples, _, height, width = full.shape
    shape = (samples, filters, height // 2, width // 2)
    return _images(full, shape), _images(full, shape, torch.uint8)


def _block(filters: int) -> int:
    """Return the number of filters of a program: a power of two, as Triton requires."""
    rounded: int = triton.next_power_of_2(filters)
    return min(MOST_FILTERS, max(16, rounded))  # a matrix product takes 16 or more


def _products(images: Tensor) -> dict[str, Any]:
    """Return the constants by which the kernels of the first block multiply."""
    channels, rounded = images.shape[1], TYPES[images.dtype]
    return {
        "CHANNELS": channels,
        "TAPS": max(16, triton.next_power_of_2(9 * channels + 1)),
        "ROUNDED": rounded,
        "PRODUCT": tl.float32 if kernels.INTERPRETED else rounded,
    }


# Shapes and types of outputs, for tracing without data.


@first_block.register_fake
def _(images: Tensor, weight: Tensor, bias: Tensor, leakiness: float) -> tuple[Tensor, Tensor]:
    del bias, leakiness
    return _outputs(images, weight.shape[0])


@first_block_gradient.register_fake
def _(gradient: Tensor, passed: Tensor, images: Tensor, leakiness: float) -> tuple[Tensor, Tensor]:
    del gradient, leakiness
    weight = _images(images, (passed.shape[1], images.shape[1], 3, 3), torch.float32)
    return weight, images.new_empty((passed.shape[1],), dtype=torch.float32)


@pool.register_fake
def _(full: Tensor, bias: Tensor, leakiness: float) -> tuple[Tensor, Tensor]:
    del bias, leakiness
    return _outputs(full, full.shape[1])


@pool_gradient.register_fake
def _(
    gradient: Tensor, passed: Tensor, height: int, width: int, leakiness: float
) -> tuple[Tensor, Tensor]:
    del leakiness
    samples, filters = passed.shape[:2]
    full = _images(gradient, (samples, filters, height, width))
    return full, gradient.new_empty((filters,), dtype=torch.float32)


# Gradients.


def _keep_first(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    images, weight, _, ctx.leakiness = inputs
    ctx.save_for_backward(images, weight, output[1])


def _first_backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    images, _, passed = ctx.saved_tensors
    back = _images_gradient(ctx, gradient) if ctx.needs_input_grad[0] else None
    return back, *first_block_gradient(gradient, passed, images, ctx.leakiness), None


def _images_gradient(ctx: Any, gradient: Tensor) -> Tensor:
    """Compute the gradient of the images, through the convolution at full size."""
    # No training asks for it, but who looks for what the network sees may.
    images, weight, passed = ctx.saved_tensors
    full, _ = pool_gradient(gradient, passed, *images.shape[2:], ctx.leakiness)
    back: Tensor = torch.ops.aten.convolution_backward(
        full,
        images,
        weight.to(images.dtype),
        None,
        *([1, 1], [1, 1], [1, 1], False, [0, 0], 1),
        [True, False, False],
    )[0]
    return back


def _keep_pooled(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    full, _, ctx.leakiness = inputs
    ctx.size = full.shape[2:]
    ctx.save_for_backward(output[1])


def _pool_backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    (passed,) = ctx.saved_tensors
    return *pool_gradient(gradient, passed, *ctx.size, ctx.leakiness), None


first_block.register_autograd(_first_backward, setup_context=_keep_first)
pool.register_autograd(_pool_backward, setup_context=_keep_pooled)


# Operation counts: those of the convolution, as PyTorch counts them.


def _convolution(images: Any, filters: int) -> int:
    samples, channels, *size = images
    count: int = conv_flop_count(images, [filters, channels, 3, 3], [samples, filters, *size])
    return count


@register_flop_formula(torch.ops.baryon_hep.first_block)
def _(images: Any, weight: Any, *_: Any, **__: Any) -> int:
    return _convolution(images, weight[0])


@register_flop_formula(torch.ops.baryon_hep.first_block_gradient)
def _(_: Any, passed: Any, images: Any, *__: Any, **___: Any) -> int:
    return _convolution(images, passed[1])
