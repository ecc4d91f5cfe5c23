"""Boxes as an imperfect labeller would draw them: edges that scatter, storms missed, false alarms.

The boxes of `truth` are exact. Those of real data sets come from criteria that miss storms, see
some where there are none, and place edges by rules of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from baryon_climate.generation.extent import SMALLEST

Boxes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """How a labeller errs; all zero: not at all."""

    jitter: float
    """Standard deviation of each edge, as a share of the box's height or width."""
    misses: float
    """Share of the storms that get no box."""
    false_alarms: float
    """Mean number of boxes in a frame where no storm is."""

    def applied(self, boxes: Boxes, height: int, width: int, random: np.random.Generator) -> Boxes:
        """Return other boxes for those of a frame.

        Parameters
        ----------
        boxes
            (n, 5) ymin, xmin, ymax, xmax, class of a globe; unused rows are -1.
        height, width
            Rows and columns of the globe.
        random
            The frame's own source of random numbers, so that frames can be made in any order.

        Returns
        -------
        numpy.ndarray
            (n, 5) as `boxes`; false alarms for which no row is left are dropped.

        """
        if not (self.jitter or self.misses or self.false_alarms):
            return boxes
        known = boxes[boxes[:, 4] >= 0]
        labelled = known[random.random(len(known)) >= self.misses]
        invented = self._false_alarms(known, width, random)
        noisy = np.concatenate([labelled, invented])[: len(boxes)]
        result = np.full_like(boxes, -1)
        for row, box in enumerate(noisy):
            result[row] = self._jittered(box, height, width, random)
        return result

    def _false_alarms(self, known: Boxes, width: int, random: np.random.Generator) -> Boxes:
        """Return copies of the frame's boxes elsewhere on their circles of latitude."""
        count = random.poisson(self.false_alarms) if len(known) else 0
        copies = known[random.integers(len(known), size=count)] if count else known[:0].copy()
        # at the storm's own latitude, so that size and place are usual, but far from it
        shift = random.integers(width // 6, width - width // 6, size=count)
        copies[:, [1, 3]] += shift[:, None].astype(np.int32)
        return copies

    def _jittered(
        self, box: Boxes, height: int, width: int, random: np.random.Generator
    ) -> tuple[int, int, int, int, int]:
        ymin, xmin, ymax, xmax, kind = (int(value) for value in box)
        sides = np.array([ymax - ymin, xmax - xmin] * 2)
        edges = box[:4] + np.rint(self.jitter * sides * random.standard_normal(4))
        low, west, high, east = (int(edge) for edge in edges)
        low = min(max(low, 0), height - 1 - SMALLEST)
        high = min(max(high, low + SMALLEST), height - 1)
        wide = min(max(east - west, SMALLEST), width - 1)
        return low, west % width, high, west % width + wide, kind
