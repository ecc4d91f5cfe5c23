"""Encode boxes cell by cell, as networks predict them, and decode them.

As read in hur-detect's `ground_truth_maker.py` (reported): the cell that holds a box's centre says
it, as the centre's offset in the cell and the logarithm to base 2 of width and height in cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn.functional import log_softmax

from baryon.errors import BaryonError
from baryon_climate.boxes.suppression import suppress

LARGEST = 10.0
"""log2 of the most cells that a network's box is taken to be wide: more than any frame has."""
CANDIDATES = 1000
"""Best-scored boxes of a frame that suppression looks at."""
ROUNDING = 1e-3
"""Pixels by which a box may seem to begin west of the frame and is still not cyclic."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What a network should say of N frames with h x w cells."""

    occupied: torch.Tensor
    """(N, h, w) bool: a box has its centre there."""
    position: torch.Tensor
    """(N, 2, h, w) offset of the centre in its cell, x then y, in [0, 1)."""
    size: torch.Tensor
    """(N, 2, h, w) log2 of width and of height in cells."""
    classes: torch.Tensor
    """(N, h, w) int64."""


@dataclass(frozen=True, slots=True)
class Detections:
    """Boxes of one frame, best first."""

    boxes: torch.Tensor
    """(n, 4) float32 ymin, xmin, ymax, xmax in pixels; xmax exceeds a cyclic frame at its seam."""
    scores: torch.Tensor
    """(n,) float32, the probability that there is a box of this class."""
    classes: torch.Tensor
    """(n,) int64."""


def cells_of(frame: tuple[int, int], cell: int) -> tuple[int, int]:
    """Return the rows and columns of cells: the last ones may reach beyond the frame."""
    return -(-frame[0] // cell), -(-frame[1] // cell)


def cell_of(frame: tuple[int, int], cells: tuple[int, int]) -> int:
    """Return the side in pixels of a model's cells: a power of two, if one fits.

    Raises `BaryonError` if no cells of one size make so many.
    """
    powers = (1 << power for power in range(max(frame).bit_length() + 1))
    for cell in (*powers, -(-frame[0] // cells[0])):
        if cells_of(frame, cell) == cells:
            return cell
    raise BaryonError(
        f"frames of {frame[0]} x {frame[1]} pixels are not divided into {cells[0]} x {cells[1]} "
        "cells by any size of cell: is it the output of a detector for these frames?"
    )


def encode(boxes: torch.Tensor, frame: tuple[int, int], cell: int) -> Targets:
    """Encode boxes (N, most, 5) as targets: ymin, xmin, ymax, xmax, class; rows of -1 are unused.

    Boxes are longer and wider than nothing. Of two in one cell the later row is said (as in
    hur-detect). A centre east of a cyclic frame's last column is said at its beginning.
    """
    height, width = cells_of(frame, cell)
    count, most = boxes.shape[:2]
    used = boxes[..., 4] >= 0
    centre_y = (boxes[..., 0] + boxes[..., 2]) / 2 / cell
    # a box across the seam may have its centre beyond the last column: it is said at the beginning
    centre_x = (boxes[..., 1] + boxes[..., 3]) / 2 % frame[1] / cell
    row = centre_y.floor().clamp(0, height - 1)
    column = centre_x.floor().clamp(0, width - 1)
    place = (row * width + column).long().where(used, height * width)  # past the end: unused
    says = torch.full((count, height * width + 1), -1, device=boxes.device)
    # A maximum over row numbers: an index assignment with one index twice is not deterministic on
    # a GPU.
    rows = torch.arange(most, device=boxes.device).expand(count, most)
    says = says.scatter_reduce(1, place, rows, "amax")[:, :-1]
    occupied = says >= 0
    sides = torch.stack([boxes[..., 3] - boxes[..., 1], boxes[..., 2] - boxes[..., 0]], dim=-1)
    # of unused rows 1, whose logarithm is finite: NaN would spread through the gradient
    logarithms = torch.log2((sides / cell).where(used[..., None], 1.0))
    offsets = torch.stack([centre_x - column, centre_y - row], dim=-1)
    values = torch.cat([offsets, logarithms, boxes[..., 4:]], dim=-1)
    which = says.clamp(min=0)[..., None].expand(-1, -1, values.shape[-1])
    targets = torch.gather(values, 1, which).where(occupied[..., None], 0.0)
    grid = targets.transpose(1, 2).reshape(count, -1, height, width)
    return Targets(
        occupied=occupied.reshape(count, height, width),
        position=grid[:, 0:2],
        size=grid[:, 2:4],
        classes=grid[:, 4].long(),
    )


def decode(
    targets: Targets, *, frame: tuple[int, int], cell: int, cyclic: bool
) -> list[torch.Tensor]:
    """Decode the boxes (n, 5) of each frame, cell by cell: the inverse of `encode`."""
    boxes = corners(targets.position, targets.size, cell)
    if cyclic:
        boxes = eastward(boxes, frame[1])
    decoded = []
    for in_cells, occupied, classes in zip(boxes, targets.occupied, targets.classes, strict=True):
        of_class = classes[occupied].to(in_cells.dtype)
        decoded.append(torch.cat([in_cells[occupied], of_class[:, None]], dim=1))
    return decoded


def corners(position: torch.Tensor, size: torch.Tensor, cell: int) -> torch.Tensor:
    """Compute boxes (N, h, w, 4) in pixels from offsets and logarithms (N, 2, h, w)."""
    height, width = position.shape[-2:]
    columns = torch.arange(width, device=position.device)
    rows = torch.arange(height, device=position.device)[:, None]
    x, y = (position[:, 0] + columns) * cell, (position[:, 1] + rows) * cell
    # an untrained network may say any size, and 2 to the power of it must stay finite
    sides = torch.exp2(size.clamp(max=LARGEST)) * (cell / 2)
    across, along = sides[:, 0], sides[:, 1]
    return torch.stack([y - along, x - across, y + along, x + across], dim=-1)


def eastward(boxes: torch.Tensor, width: int) -> torch.Tensor:
    """Move boxes (..., 4) of a cyclic frame so that xmin lies in it; none is wider than it."""
    ymin, xmin, ymax, xmax = boxes.unbind(-1)
    xmax = torch.minimum(xmax, xmin + width)
    turn = torch.where(xmin < -ROUNDING, width, torch.where(xmin >= width, -width, 0))
    return torch.stack([ymin, xmin + turn, ymax, xmax + turn], dim=-1)


def detect(
    output: Mapping[str, torch.Tensor],
    *,
    frame: tuple[int, int],
    cell: int,
    cyclic: bool,
    confidence: float,
    overlap: float,
    most: int,
) -> list[Detections]:
    """Decode a model's output to the best boxes of each frame of `frame` (H, W) pixels.

    A score is the probability of an object times that of its class; boxes above `confidence` are
    clipped to the frame (a cyclic one only north and south) and suppressed within their class
    where their IoU is above `overlap`; the best `most` are given. Cells that reach beyond the
    frame say no boxes whose centres do.
    """
    boxes = corners(output["position"], output["size"], cell).flatten(1, 2)
    padded = _in_padding(boxes, frame, cell)
    boxes = _within(boxes, frame, cyclic)
    # the product of probabilities as a sum of logarithms, which half precision can hold
    objectness = log_softmax(output["objectness"], dim=1)[:, :1]
    scores = (objectness + log_softmax(output["classes"], dim=1)).exp().flatten(2)
    # padding repeats the last row, so a storm at the edge looks like another one beyond it
    scores = scores.masked_fill(padded[:, None], 0.0)
    return [
        _best(frame_boxes, score, frame[1] if cyclic else None, confidence, overlap, most)
        for frame_boxes, score in zip(boxes, scores, strict=True)
    ]


def _in_padding(boxes: torch.Tensor, frame: tuple[int, int], cell: int) -> torch.Tensor:
    """Return (N, n) whether a box (N, n, 4) has its centre in the padding to whole cells."""
    ymin, xmin, ymax, xmax = boxes.unbind(-1)
    low = (ymin + ymax) / 2 >= frame[0] if frame[0] % cell else torch.zeros_like(ymin).bool()
    right = (xmin + xmax) / 2 >= frame[1] if frame[1] % cell else torch.zeros_like(xmin).bool()
    return low | right


def _within(boxes: torch.Tensor, frame: tuple[int, int], cyclic: bool) -> torch.Tensor:
    if cyclic:
        boxes = eastward(boxes, frame[1])
    ymin, xmin, ymax, xmax = boxes.unbind(-1)
    ymin, ymax = ymin.clamp(0, frame[0]), ymax.clamp(0, frame[0])
    if not cyclic:
        xmin, xmax = xmin.clamp(0, frame[1]), xmax.clamp(0, frame[1])
    return torch.stack([ymin, xmin, ymax, xmax], dim=-1)


def _best(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    period: int | None,
    confidence: float,
    overlap: float,
    most: int,
) -> Detections:
    """Select from the cells' boxes (n, 4) by their scores (classes, n)."""
    classes, cells = torch.nonzero(scores > confidence, as_tuple=True)
    confident = scores[classes, cells]
    # stable: boxes of equal score come in the order of cells, on every device
    best = torch.sort(confident, descending=True, stable=True).indices[:CANDIDATES]
    classes, cells, confident = classes[best], cells[best], confident[best]
    stays = suppress(boxes[cells], confident, classes, overlap=overlap, period=period)[:most]
    return Detections(boxes[cells[stays]].float(), confident[stays], classes[stays])
