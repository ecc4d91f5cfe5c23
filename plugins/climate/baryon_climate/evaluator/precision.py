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
    """Return recall and precision (n,) each after every detected box, best first.

    `right` (2, n) holds the weight of each box if it is right, else 0, and then its weight; `known`
    is the weight of all known boxes.
    """
    hits, detected = np.cumsum(right, axis=1)
    precision = hits / np.maximum(detected, np.finfo(float).tiny)
    return hits / known, precision


def average_precision(recall: Floats, precision: Floats, rule: Rule) -> float:
    """Integrate precision over recall, after making precision fall only.

    The precision at a recall becomes the best one at this recall or more. Rule `coco` takes the
    mean over 101 recalls, rule `racah` the exact area.
    """
    if not len(recall):
        return 0.0
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    if rule == "coco":
        place = np.searchsorted(recall, COCO_RECALLS, side="left")
        return float(np.append(falling, 0.0)[place].mean())
    return float(np.sum(np.diff(recall, prepend=0.0) * falling))
