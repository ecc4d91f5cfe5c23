"""An evaluated frame: its known boxes, and the boxes that each finder drew in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from baryon.errors import BaryonError
from baryon_climate.grid import Grid

if TYPE_CHECKING:
    from baryon.interfaces import Batch
    from baryon_climate.boxes.coding import Detections

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of one frame, best first if they have scores."""

    corners: NDArray[np.float32]
    """(n, 4) ymin, xmin, ymax, xmax in pixels; xmax exceeds a cyclic frame at its seam."""
    classes: NDArray[np.int64]
    """(n,)"""
    scores: NDArray[np.float32]
    """(n,) from 0 to 1 of a network; a measure of strength of the criteria; 1 of a label."""

    def of_class(self, number: int) -> Boxes:
        """Return the boxes of one class."""
        of_class = self.classes == number
        return Boxes(self.corners[of_class], self.classes[of_class], self.scores[of_class])

    def above(self, confidence: float) -> Boxes:
        """Return the boxes that score at least `confidence`."""
        sure = self.scores >= confidence
        return Boxes(self.corners[sure], self.classes[sure], self.scores[sure])

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.classes)


NETWORK, HEURISTIC = "network", "heuristic"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose boxes are known."""

    key: int
    """Its row in the split."""
    time: int
    """Seconds since 1900-01-01."""
    grid: Grid
    truth: Boxes
    detected: Mapping[str, Boxes]
    """Boxes by the name of their finder, `NETWORK` or `HEURISTIC`."""


def labels_of(rows: NDArray[np.float32]) -> Boxes:
    """Return the known boxes of a frame from its rows (n, 5), without unused ones of class -1."""
    used = rows[rows[:, 4] >= 0]
    ones = np.ones(len(used), np.float32)
    return Boxes(used[:, :4], used[:, 4].astype(np.int64), ones)


def boxes_of(detections: Detections) -> Boxes:
    """Convert the detections of a network to arrays."""
    return Boxes(
        detections.boxes.float().numpy(),
        detections.classes.numpy(),
        detections.scores.float().numpy(),
    )


def grid_of(batch: Batch, number: int) -> Grid:
    """Return the grid of one sample of a batch."""
    height, width = batch["inputs"].shape[-2:]
    return Grid.of(batch["grid"][number].numpy(), height, width)


def in_order(frames: Sequence[Frame]) -> list[Frame]:
    """Sort frames by their row. Raises `BaryonError` if there is none, or one came twice."""
    if not frames:
        raise BaryonError(
            "climate_boxes has seen no frame with labels: evaluate a split whose boxes are known"
        )
    ordered = sorted(frames, key=lambda frame: frame.key)
    for before, after in pairwise(ordered):
        if before.key == after.key:
            raise BaryonError(f"climate_boxes: the frame of row {after.key} came twice")
    return ordered
