"""How large the found events are against how large they are."""

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
    frames: Sequence[Frame], who: str, number: int, matches: Matches, confidence: float
) -> Sizes:
    """Of the hits that score at least `confidence`."""
    known, found = [], []
    for place, frame in enumerate(frames):
        mine = matches.frame == place  # in the order of scores, as the frame's own below
        boxes = _sorted(frame.found[who].of_class(number))
        sure = boxes.scores >= confidence
        partner = matches.partner[mine, 0]
        hit = (partner >= 0) & sure
        if hit.any():
            truth = frame.truth.of_class(number).corners[partner[hit]]
            known.append(frame.grid.areas(truth))
            found.append(frame.grid.areas(boxes.corners[hit]))
    if not known:
        return Sizes(0, math.nan, math.nan, math.nan)
    there, here = np.concatenate(known), np.concatenate(found)
    return Sizes(
        len(there), float(there.mean()), float(here.mean()), float(np.median(here / there))
    )


def _sorted(boxes: Boxes) -> Boxes:
    order = np.argsort(-boxes.scores, kind="stable")
    return Boxes(boxes.corners[order], boxes.classes[order], boxes.scores[order])
