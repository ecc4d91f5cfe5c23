"""Compare the areas of detected boxes with those of the known boxes that they match."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from baryon_climate.evaluator.frames import Boxes, Frame
from baryon_climate.evaluator.matching import Matches


@dataclass(frozen=True, slots=True)
class Sizes:
    """Means over the hits of one class and finder, of the boxes' areas on the sphere."""

    hits: int
    known_km2: float
    found_km2: float
    ratio: float
    """Median of found over known; NaN without hits, as the means."""


def sizes(
    frames: Sequence[Frame], finder: str, number: int, matches: Matches, confidence: float
) -> Sizes:
    """Compare areas over the hits that score at least `confidence`."""
    known, detected = [], []
    for frame_number, frame in enumerate(frames):
        # Matches of a frame are in the order of scores, so its boxes are sorted likewise.
        of_frame = matches.frame == frame_number
        boxes = _sorted(frame.detected[finder].of_class(number))
        sure = boxes.scores >= confidence
        partner = matches.partner[of_frame, 0]
        hit = (partner >= 0) & sure
        if hit.any():  # areas of misses and false alarms have nothing to be compared with
            truth = frame.truth.of_class(number).corners[partner[hit]]
            known.append(frame.grid.areas(truth))
            detected.append(frame.grid.areas(boxes.corners[hit]))
    if not known:
        return Sizes(0, math.nan, math.nan, math.nan)
    known_km2, detected_km2 = np.concatenate(known), np.concatenate(detected)
    return Sizes(
        hits=len(known_km2),
        known_km2=float(known_km2.mean()),
        found_km2=float(detected_km2.mean()),
        ratio=float(np.median(detected_km2 / known_km2)),
    )


def _sorted(boxes: Boxes) -> Boxes:
    order = np.argsort(-boxes.scores, kind="stable")
    return Boxes(boxes.corners[order], boxes.classes[order], boxes.scores[order])
