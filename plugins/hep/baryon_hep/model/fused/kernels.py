"""Define the kernels in Triton; `operators.py` says what they compute, and launches them.

Images and activations are addressed as if all windows of all images stood in one row: window number
(image, y, x), each with `filters` values (channels-last). A window is the 2x2 pixels that become
one; its places are numbered 0 to 3, row by row. `passed` holds a byte for each value: the place of
the largest pixel, plus `BLOCKED` if what came out lies below ReLU's zero.

The patches of the first block are 3x3 pixels of all channels, `TAPS` columns: tap (y, x, channel),
then a column of ones, then zeros up to a power of two. The ones make the bias's gradient a column
of the weight's.

`shape` is (height, width) of the images and of what is pooled; `strides` are those of image,
channel, row and column; the weight's those of filter, channel, row and column.

Triton's interpreter cannot multiply in bfloat16: `PRODUCT` is what it multiplies in instead, after
rounding to `ROUNDED`.
"""

# Triton reads the annotations: it allows none but its own.
# ruff: noqa: ANN001, ANN201, ANN202, N803
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl

INTERPRETED = bool(triton.knobs.runtime.interpret)
"""Whether these kernels run in Triton's interpreter, on the CPU (`TRITON_INTERPRET=1`)."""

BLOCKED = tl.constexpr(4)

_TILES = [
    triton.Config({"WINDOWS": windows}, num_warps=warps)
    for windows, warps in ((32, 4), (64, 4), (64, 8))
]
"""Tiles of the first block, forward; the fastest one is found at its first call."""


@triton.jit
def _add(left, right):
    return left + right


@triton.jit
def _activated(values, LEAKINESS: tl.constexpr):
    """Return ReLU of values, and where it blocks them."""
    blocked = values <= 0  # NaN passes, as in PyTorch's
    below = values * LEAKINESS if LEAKINESS != 0.0 else 0.0
    return tl.where(blocked, below, values), blocked


@triton.jit
def _let_through(gradient, passed, LEAKINESS: tl.constexpr):
    """Return what ReLU lets through of its output's gradient."""
    below = gradient * LEAKINESS if LEAKINESS != 0.0 else 0.0
    return tl.where(passed < BLOCKED, gradient, below)


@triton.jit
def _patches(
    images,
    windows,
    inside,
    place,
    shape,
    strides,
    CHANNELS: tl.constexpr,
    TAPS: tl.constexpr,
):
    """Load (WINDOWS, TAPS) in float32: what the convolution sees around a place of each window."""
    height, width = shape[0], shape[1]
    across, down = width // 2, height // 2
    taps = tl.arange(0, TAPS)
    x = (windows % across * 2 + place % 2 - 1)[:, None] + (taps // CHANNELS % 3)[None, :]
    y = (windows // across % down * 2 + place // 2 - 1)[:, None] + (taps // (3 * CHANNELS))[None, :]
    first = images + (windows // (across * down)).to(tl.int64)[:, None] * strides[0]
    valid = inside[:, None] & (taps < 9 * CHANNELS)[None, :]
    valid = valid & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    channel = (taps % CHANNELS)[None, :]
    offset = channel * strides[1] + y * strides[2] + x * strides[3]
    values = tl.load(first + offset, mask=valid, other=0.0).to(tl.float32)
    return tl.where((taps == 9 * CHANNELS)[None, :], 1.0, values)


@triton.autotune(_TILES[:1] if INTERPRETED else _TILES, key=["filters", "TAPS", "ROUNDED"])
@triton.jit
def first_block_forward(
    images,
    weight,
    bias,
    pooled,
    passed,
    count,
    filters,
    shape,
    strides,
    weight_strides,
    CHANNELS: tl.constexpr,
    TAPS: tl.constexpr,
    FILTERS: tl.constexpr,
    LEAKINESS: tl.constexpr,
    ROUNDED: tl.constexpr,
    PRODUCT: tl.constexpr,
    WINDOWS: tl.constexpr,
):
    """Compute, as program (i, j), from windows i * WINDOWS and filters j * FILTERS on."""
    windows = tl.program_id(0) * WINDOWS + tl.arange(0, WINDOWS)
    columns = tl.program_id(1) * FILTERS + tl.arange(0, FILTERS)
    inside = windows < count
    in_range = columns < filters
    taps = tl.arange(0, TAPS)
    offset = (
        taps % CHANNELS * weight_strides[1]
        + taps // (3 * CHANNELS) * weight_strides[2]
        + taps // CHANNELS % 3 * weight_strides[3]
    )
    offset = offset[:, None] + (columns * weight_strides[0])[None, :]
    valid = (taps < 9 * CHANNELS)[:, None] & in_range[None, :]
    matrix = tl.load(weight + offset, mask=valid, other=0.0).to(ROUNDED).to(PRODUCT)

    best = tl.full((WINDOWS, FILTERS), float("-inf"), tl.float32)
    best_place = tl.full((WINDOWS, FILTERS), 0, tl.int32)
    for place in tl.static_range(4):
        patches = _patches(images, windows, inside, place, shape, strides, CHANNELS, TAPS)
        patches = patches.to(ROUNDED).to(PRODUCT)
        sums = tl.dot(patches, matrix, input_precision="ieee")
        better = (sums > best) | (sums != sums)
        best = tl.where(better, sums, best)
        best_place = tl.where(better, place, best_place)

    best += tl.load(bias + columns, mask=in_range, other=0.0).to(tl.float32)[None, :]
    values, blocked = _activated(best, LEAKINESS)
    target = windows.to(tl.int64)[:, None] * filters + columns[None, :]
    valid = inside[:, None] & in_range[None, :]
    tl.store(pooled + target, values, mask=valid)
    tl.store(passed + target, (best_place + tl.where(blocked, BLOCKED, 0)).to(tl.uint8), mask=valid)


@triton.jit
def first_block_backward(
    images,
    gradient,
    passed,
    partial,
    count,
    filters,
    shape,
    strides,
    CHANNELS: tl.constexpr,
    TAPS: tl.constexpr,
    FILTERS: tl.constexpr,
    LEAKINESS: tl.constexpr,
    ROUNDED: tl.constexpr,
    PRODUCT: tl.constexpr,
    WINDOWS: tl.constexpr,
):
    """Sum, as program (i, j) of n, every n-th tile of windows from the i-th on into partial[i].

    partial (n, filters, TAPS) holds the gradients of the weight and, in the column of ones, of the
    bias.
    """
    rows = tl.program_id(1) * FILTERS + tl.arange(0, FILTERS)
    in_range = rows < filters
    total = tl.full((FILTERS, TAPS), 0.0, tl.float32)
    tiles = (count + WINDOWS - 1) // WINDOWS
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        windows = tile * WINDOWS + tl.arange(0, WINDOWS)
        inside = windows < count
        source = windows.to(tl.int64)[None, :] * filters + rows[:, None]
        valid = in_range[:, None] & inside[None, :]
        arrived = tl.load(gradient + source, mask=valid, other=0.0).to(tl.float32)
        byte = tl.load(passed + source, mask=valid, other=0).to(tl.int32)
        arrived = _let_through(arrived, byte, LEAKINESS)
        for place in tl.static_range(4):
            patches = _patches(images, windows, inside, place, shape, strides, CHANNELS, TAPS)
            patches = patches.to(ROUNDED).to(PRODUCT)
            chosen = tl.where(byte % BLOCKED == place, arrived, 0.0).to(ROUNDED).to(PRODUCT)
            total += tl.dot(chosen, patches, input_precision="ieee")
    target = (tl.program_id(0) * filters + rows)[:, None] * TAPS + tl.arange(0, TAPS)[None, :]
    tl.store(partial + target, total, mask=in_range[:, None])


@triton.jit
def pool_forward(
    full,
    bias,
    pooled,
    passed,
    count,
    filters,
    shape,
    FILTERS: tl.constexpr,
    LEAKINESS: tl.constexpr,
    WINDOWS: tl.constexpr,
):
    """Compute, as program (i, j), from windows i * WINDOWS and filters j * FILTERS on."""
    height, width = shape[0], shape[1]
    across, down = width // 2, height // 2
    windows = tl.program_id(0) * WINDOWS + tl.arange(0, WINDOWS)
    columns = tl.program_id(1) * FILTERS + tl.arange(0, FILTERS)
    in_range = columns < filters
    valid = (windows < count)[:, None] & in_range[None, :]
    row = (windows // (across * down)).to(tl.int64) * height + windows // across % down * 2
    corner = row * width + windows % across * 2

    best = tl.full((WINDOWS, FILTERS), float("-inf"), tl.float32)
    best_place = tl.full((WINDOWS, FILTERS), 0, tl.int32)
    for place in tl.static_range(4):
        pixel = corner + place // 2 * width + place % 2
        source = pixel[:, None] * filters + columns[None, :]
        values = tl.load(full + source, mask=valid, other=0.0).to(tl.float32)
        better = (values > best) | (values != values)
        best = tl.where(better, values, best)
        best_place = tl.where(better, place, best_place)

    best += tl.load(bias + columns, mask=in_range, other=0.0).to(tl.float32)[None, :]
    values, blocked = _activated(best, LEAKINESS)
    target = windows.to(tl.int64)[:, None] * filters + columns[None, :]
    tl.store(pooled + target, values, mask=valid)
    tl.store(passed + target, (best_place + tl.where(blocked, BLOCKED, 0)).to(tl.uint8), mask=valid)


@triton.jit
def pool_backward(
    gradient,
    passed,
    full,
    partial,
    count,
    filters,
    shape,
    FILTERS: tl.constexpr,
    LEAKINESS: tl.constexpr,
    WINDOWS: tl.constexpr,
):
    """Write all of `full`, and the bias's gradient over a program's own windows into partial[i].

    `count` is the number of windows of the full size, rounded up: half ones at an edge were not
    pooled, and their gradient is zero.
    """
    height, width = shape[0], shape[1]
    across, down = (width + 1) // 2, (height + 1) // 2
    columns = tl.program_id(1) * FILTERS + tl.arange(0, FILTERS)
    in_range = columns < filters
    total = tl.full((WINDOWS, FILTERS), 0.0, tl.float32)
    tiles = (count + WINDOWS - 1) // WINDOWS
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        windows = tile * WINDOWS + tl.arange(0, WINDOWS)
        inside = windows < count
        column = windows % across
        row = windows // across % down
        image = (windows // (across * down)).to(tl.int64)
        pixel = (image * (height // 2) + row) * (width // 2) + column
        source = pixel[:, None] * filters + columns[None, :]
        pooled = inside & (row < height // 2) & (column < width // 2)
        valid = pooled[:, None] & in_range[None, :]
        arrived = tl.load(gradient + source, mask=valid, other=0.0).to(tl.float32)
        byte = tl.load(passed + source, mask=valid, other=0).to(tl.int32)
        arrived = _let_through(arrived, byte, LEAKINESS)
        total += arrived
        for place in tl.static_range(4):
            y = row * 2 + place // 2
            x = column * 2 + place % 2
            target = ((image * height + y) * width + x)[:, None] * filters + columns[None, :]
            valid = (inside & (y < height) & (x < width))[:, None] & in_range[None, :]
            tl.store(full + target, tl.where(byte % BLOCKED == place, arrived, 0.0), mask=valid)
    sums = tl.reduce(total, 0, _add)
    tl.store(partial + tl.program_id(0) * filters + columns, sums, mask=in_range)
