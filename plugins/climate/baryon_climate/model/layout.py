"""What all detectors share: checked frames, widths scaled by one number, the strides to a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from baryon.errors import BaryonError
from baryon.interfaces import Field

FRAME_AXES, WINDOW_AXES = 3, 4


def frame_channels(who: str, fields: Mapping[str, Field], cell: int) -> int:
    """Channels of inputs (channels, H, W).

    Raises `BaryonError` for windows of time steps, and for frames that cells do not fill.
    """
    shape = fields["inputs"].shape
    if len(shape) != FRAME_AXES:
        raise BaryonError(
            f"model {who!r} takes frames (channels, height, width), not {shape}: "
            "choose dataset.window=1, or model=climate_racah_3d for windows"
        )
    _require_filled(who, shape, cell)
    return shape[0]


def window_channels(who: str, fields: Mapping[str, Field], cell: int) -> tuple[int, int]:
    """Channels and time steps of inputs (channels, T, H, W); raises `BaryonError` likewise."""
    shape = fields["inputs"].shape
    if len(shape) != WINDOW_AXES:
        raise BaryonError(
            f"model {who!r} takes windows (channels, steps, height, width), not {shape}: "
            "give dataset.window=8"
        )
    _require_filled(who, shape, cell)
    return shape[0], shape[1]


def _require_filled(who: str, shape: Sequence[int], cell: int) -> None:
    height, width = shape[-2:]
    if height % cell or width % cell:
        raise BaryonError(
            f"model {who!r} divides a frame into cells of {cell} pixels, which do not fill "
            f"{height} x {width}: give another dataset.crop, or model.cell="
            f"{_largest_cell(height, width, cell)}"
        )


def _largest_cell(height: int, width: int, cell: int) -> int:
    while height % cell or width % cell:
        cell //= 2
    return cell


def scaled(filters: Sequence[int], width: float) -> list[int]:
    """Numbers of filters times `width`, at least one. Raises `BaryonError` for a width of 0."""
    if width <= 0 or min(filters, default=0) < 1:
        raise BaryonError(f"model.width={width} and model.filters={list(filters)} must be above 0")
    return [max(1, round(number * width)) for number in filters]


def strides(who: str, cell: int, layers: int) -> list[int]:
    """Of so many layers that end in cells of `cell` pixels: twos, then ones.

    Raises `BaryonError` for a cell that they cannot make.
    """
    twos = cell.bit_length() - 1
    if cell < 1 or cell != 2**twos or twos > layers:
        raise BaryonError(
            f"model {who!r} has {layers} layers: model.cell={cell} must be a power of two up to "
            f"{2**layers}"
        )
    return [2] * twos + [1] * (layers - twos)
