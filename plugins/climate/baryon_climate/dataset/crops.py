"""Parts of a frame: cut across the longitude seam, with the boxes that remain in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]
GOLDEN = 0.6180339887498949
PLASTIC = 0.7548776662466927
"""Multiples of these, without their whole part, lie evenly in 0..1 however many they are."""


@dataclass(frozen=True, slots=True)
class Crop:
    """`height` x `width` pixels from a row and a column on."""

    row: int
    column: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Cropping:
    """How crops of one size are taken out of frames of another."""

    frame: tuple[int, int]
    size: tuple[int, int]
    cyclic: bool
    """Columns go on beyond the last one with the first: a crop may begin at any column."""
    keep: float
    """Share of a box's area that must be in the crop, else the box is dropped."""

    @property
    def rows(self) -> int:
        """Rows that a crop can begin at."""
        return self.frame[0] - self.size[0] + 1

    @property
    def columns(self) -> int:
        """Columns that a crop can begin at."""
        return self.frame[1] if self.cyclic else self.frame[1] - self.size[1] + 1

    def fixed(self, number: int) -> Crop:
        """Return the crop of a frame in evaluation: always the same, evenly spread over all frames.

        The whole circle is not turned.
        """
        # random crops would differ from run to run, and evaluations could not be compared
        row = int(number * PLASTIC % 1.0 * self.rows)
        whole = self.size[1] == self.frame[1]
        return Crop(row, 0 if whole else int(number * GOLDEN % 1.0 * self.columns), *self.size)

    def random(self, random: np.random.Generator) -> Crop:
        """Return a crop anywhere, each place as likely as another; the whole circle is turned."""
        return Crop(int(random.integers(self.rows)), int(random.integers(self.columns)), *self.size)

    def boxes(self, boxes: Numbers, crop: Crop) -> Numbers:
        """Return the boxes (n, 5) of a frame in pixels of the crop; unused and dropped rows are -1.

        A box is clipped to the crop if at least `keep` of its area is in it, else it is dropped.
        Where a crop holds both ends of a box but not its middle, the larger part counts. In a crop
        that is the whole circle nothing is clipped at the seam: xmax may exceed the width.
        """
        remaining = np.full_like(boxes, -1)
        used = boxes[:, 4] >= 0
        ymin, xmin, ymax, xmax, kind = boxes[used].T
        low, high = (np.clip(y - crop.row, 0, crop.height) for y in (ymin, ymax))
        left, right = self._across(xmin, xmax, crop)
        whole = np.maximum((ymax - ymin) * (xmax - xmin), 1e-6).astype(np.float64)
        # A quotient in double precision is exactly `keep` where it should be; a product, or single
        # precision, may be rounded to the other side of it.
        share = (high - low) * (right - left) / whole
        rows = np.stack([low, left, high, right, kind], axis=1)[share >= self.keep]
        remaining[: len(rows)] = rows
        return remaining

    def _across(self, xmin: Numbers, xmax: Numbers, crop: Crop) -> tuple[Numbers, Numbers]:
        width = self.frame[1]
        if not self.cyclic:
            left, right = (np.clip(x - crop.column, 0, crop.width) for x in (xmin, xmax))
            return left, right
        start = (xmin - crop.column) % width
        stop = start + (xmax - xmin)
        if crop.width == width:
            return start, stop
        # a box may enter the crop from the west, from the east around the globe, or both
        direct = np.clip(start, 0, crop.width), np.clip(stop, 0, crop.width)
        wrapped = np.clip(start - width, 0, crop.width), np.clip(stop - width, 0, crop.width)
        first = direct[1] - direct[0] >= wrapped[1] - wrapped[0]
        return np.where(first, direct[0], wrapped[0]), np.where(first, direct[1], wrapped[1])


def columns(crop: Crop, width: int) -> list[tuple[slice, slice]]:
    """Return slices of crop and frame that hold the same columns: two pairs across the seam."""
    first = min(crop.width, width - crop.column)
    pieces = [(slice(0, first), slice(crop.column, crop.column + first))]
    if first < crop.width:
        pieces.append((slice(first, crop.width), slice(0, crop.width - first)))
    return pieces
