"""Average precision: the area under the curve of precision over recall."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from baryon_climate.evaluator.frames import Floats

Rule: TypeAlias = Literal["racah", "coco"]
COCO_RANGE = np.linspace(0.5, 0.95, 10)
"""Thresholds of the overlap that COCO's average precision is the mean over."""
COCO_RECALLS = np.linspace(0, 1, 101)


def curve(right: Floats, known: float) -> tuple[Floats, Floats]:
    """Recall and precision after each found box, best first; `right` are weights of right ones.

    `right` (2, n): weight of each box if it is right, else 0; and its weight.
    """
    true, all_ = np.cumsum(right, axis=1)
    precision = true / np.maximum(all_, np.finfo(float).tiny)
    return true / known, precision


def average_precision(recall: Floats, precision: Floats, rule: Rule) -> float:
    """Of a curve whose precision is first made to fall only (the best at this recall or more).

    `coco`: the mean over 101 recalls. `racah`: the exact area.
    """
    if not len(recall):
        return 0.0
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    if rule == "coco":
        place = np.searchsorted(recall, COCO_RECALLS, side="left")
        return float(np.append(falling, 0.0)[place].mean())
    return float(np.sum(np.diff(recall, prepend=0.0) * falling))
