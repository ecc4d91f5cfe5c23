"""What all detectors share: checked and padded frames, scaled widths, the strides to a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional

from baryon.errors import BaryonError
from baryon.interfaces import Field

FRAME_AXES, WINDOW_AXES = 3, 4


def frame_channels(name: str, fields: Mapping[str, Field], cell: int) -> int:
    """Return the channels of inputs (channels, H, W).

    Raises `BaryonError` for windows of time steps, and for frames smaller than a cell.
    """
    shape = fields["inputs"].shape
    if len(shape) != FRAME_AXES:
        raise BaryonError(
            f"model {name!r} takes frames (channels, height, width), not {shape}: "
            "choose dataset.window=1, or model=climate_racah_3d for windows"
        )
    _require_a_cell(name, shape, cell)
    return shape[0]


def window_channels(name: str, fields: Mapping[str, Field], cell: int) -> tuple[int, int]:
    """Return channels and steps of inputs (channels, T, H, W). Raises `BaryonError` likewise."""
    shape = fields["inputs"].shape
    if len(shape) != WINDOW_AXES:
        raise BaryonError(
            f"model {name!r} takes windows (channels, steps, height, width), not {shape}: "
            "give dataset.window=8"
        )
    _require_a_cell(name, shape, cell)
    return shape[0], shape[1]


def _require_a_cell(name: str, shape: Sequence[int], cell: int) -> None:
    height, width = shape[-2:]
    if min(height, width) < cell:
        raise BaryonError(
            f"model {name!r} divides a frame into cells of {cell} pixels, larger than frames of "
            f"{height} x {width}: give a larger dataset.crop, or a smaller model.cell"
        )


def fill_cells(inputs: torch.Tensor, cell: int, *, cyclic: bool = False) -> torch.Tensor:
    """Pad frames (N, C, H, W) or windows (N, C, T, H, W) to whole cells, where need be.

    Rows are added after the last one and repeat it; columns likewise, but around a globe
    (`cyclic`) they are the first ones. Pixels keep their places, so boxes do too.
    """
    rows, columns = (-size % cell for size in inputs.shape[-2:])
    if rows:
        inputs = _pad(inputs, (0, 0, 0, rows), "replicate")
    if columns:
        inputs = _pad(inputs, (0, columns, 0, 0), "circular" if cyclic else "replicate")
    return inputs


def _pad(inputs: torch.Tensor, sides: tuple[int, int, int, int], mode: str) -> torch.Tensor:
    """Pad the last two axes; time steps (if there are any) stay as they are."""
    time = (0,) * (2 * (inputs.dim() - 4))
    return functional.pad(inputs, (*sides, *time), mode=mode)


def scaled(filters: Sequence[int], width: float) -> list[int]:
    """Return filters times `width`, at least one each. Raises `BaryonError` for a width of 0."""
    if width <= 0 or min(filters, default=0) < 1:
        raise BaryonError(f"model.width={width} and model.filters={list(filters)} must be above 0")
    return [max(1, round(number * width)) for number in filters]


def strides(name: str, cell: int, layers: int) -> list[int]:
    """Return the strides of layers that end in cells of `cell` pixels: twos, then ones.

    Raises `BaryonError` for a cell that they cannot make.
    """
    # later layers keep their size, so that a coarse grid keeps the depth of the network
    twos = cell.bit_length() - 1
    if cell < 1 or cell != 2**twos or twos > layers:
        raise BaryonError(
            f"model {name!r} has {layers} layers: model.cell={cell} must be a power of two up to "
            f"{2**layers}"
        )
    return [2] * twos + [1] * (layers - twos)
