"""Match detected boxes to known ones: each known box counts once, for the best-scored match."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from baryon_climate.boxes.overlap import iou
from baryon_climate.evaluator.frames import Boxes, Floats, Frame
from baryon_climate.grid import Grid, distance

Closeness: TypeAlias = Callable[[Boxes, Boxes, Grid], Floats]
"""Closeness (n, m) of n detected and m known boxes; larger is closer."""


@dataclass(frozen=True, slots=True)
class Matches:
    """All boxes of one class that one finder drew in all frames, best first."""

    scores: Floats
    """(n,)"""
    frame: NDArray[np.int64]
    """(n,) number of the frame that each box lies in."""
    right: NDArray[np.bool_]
    """(n, thresholds) whether each box is right."""
    partner: NDArray[np.int64]
    """(n, thresholds) row of the matched box among its frame's known ones of the class, or -1."""
    known: NDArray[np.int64]
    """(frames,) number of known boxes of the class."""


def match_by_overlap(
    frames: Sequence[Frame], finder: str, number: int, thresholds: Floats, *, strict: bool
) -> Matches:
    """Match boxes of class `number` at every threshold of the intersection over union.

    With `strict` the overlap must be above the threshold, as in the code of Racah et al.
    (reported); else at or above it, as in COCO's. Of several known boxes that fit, the one with the
    largest overlap is matched; of equals the last, as in COCO's code.
    """

    def closeness(detected: Boxes, known: Boxes, grid: Grid) -> Floats:
        period = grid.width if grid.cyclic else None
        detected_corners, known_corners = (
            torch.from_numpy(boxes.corners.astype(np.float64)) for boxes in (detected, known)
        )
        return iou(detected_corners, known_corners, period).numpy()

    # Ties are common, at IoU 0.5 and boxes of whole pixels, so the two rules must differ at them.
    if strict:
        thresholds = np.nextafter(thresholds, 2)
    return _match(frames, finder, number, closeness, np.minimum(thresholds, 1 - 1e-10))


def match_by_distance(
    frames: Sequence[Frame], finder: str, number: int, kilometres: float
) -> Matches:
    """Match boxes of class `number` to the known ones whose centres are nearest on the sphere."""

    def closeness(detected: Boxes, known: Boxes, grid: Grid) -> Floats:
        latitude, longitude = centres(detected, grid).T[:, :, None]
        known_latitude, known_longitude = centres(known, grid).T[:, None, :]
        # Negative, as closeness: a short distance is a close match.
        return -distance(latitude, longitude, known_latitude, known_longitude)

    return _match(frames, finder, number, closeness, np.array([-kilometres]))


def centres(boxes: Boxes, grid: Grid) -> Floats:
    """Return the centres (n, 2) of boxes: latitude and longitude in degrees."""
    corners = boxes.corners.astype(np.float64)
    rows, columns = (corners[:, 0] + corners[:, 2]) / 2, (corners[:, 1] + corners[:, 3]) / 2
    return np.stack([grid.latitudes(rows), grid.longitudes(columns)], axis=1)


def _match(
    frames: Sequence[Frame], finder: str, number: int, closeness: Closeness, least: Floats
) -> Matches:
    scores, frame, partner, known = [], [], [], []
    for frame_number, evaluated in enumerate(frames):
        detected = evaluated.detected[finder].of_class(number)
        truth = evaluated.truth.of_class(number)
        # Stable: boxes of equal score keep one order, so that the same outputs give the same
        # precision.
        order = np.argsort(-detected.scores, kind="stable")
        detected = Boxes(detected.corners[order], detected.classes[order], detected.scores[order])
        near = closeness(detected, truth, evaluated.grid)
        scores.append(detected.scores.astype(np.float64))
        frame.append(np.full(len(detected), frame_number))
        partner.append(np.stack([partners(near, at) for at in least], axis=1))
        known.append(len(truth))
    all_scores = np.concatenate(scores)
    best_first = np.argsort(-all_scores, kind="stable")
    all_partners = np.concatenate(partner)[best_first]
    return Matches(
        scores=all_scores[best_first],
        frame=np.concatenate(frame)[best_first],
        right=all_partners >= 0,
        partner=all_partners,
        known=np.array(known),
    )


def partners(closeness: Floats, least: float) -> NDArray[np.int64]:
    """Match detected boxes greedily, best first: (n,) the known box of each, or -1.

    `closeness` (n, m) of n detected and m known boxes must be at least `least`.
    """
    free = np.where(closeness >= least, closeness, -np.inf)
    chosen = np.full(len(closeness), -1)
    if not free.size:
        return chosen
    # argmax takes the first of equals: searched backwards it gives the last, as COCO's code does.
    last = free.shape[1] - 1
    for number in np.flatnonzero(np.isfinite(free).any(axis=1)):
        best = last - int(np.argmax(free[number, ::-1]))
        if np.isfinite(free[number, best]):
            chosen[number] = best
            free[number + 1 :, best] = -np.inf
    return chosen
