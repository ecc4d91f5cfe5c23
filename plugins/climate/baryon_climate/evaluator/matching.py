"""Which found boxes are right: a known box is found once, by the best-scored one that fits."""

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
"""(n, m) of n found and m known boxes; the larger the closer."""


@dataclass(frozen=True, slots=True)
class Matches:
    """All boxes of one class that one finder found in all frames, best first."""

    scores: Floats
    """(n,)"""
    frame: NDArray[np.int64]
    """(n,) number of the frame that each lies in."""
    right: NDArray[np.bool_]
    """(n, thresholds) whether each is right."""
    partner: NDArray[np.int64]
    """(n, thresholds) row of the known box that it found, among its frame's of the class, or -1."""
    known: NDArray[np.int64]
    """(frames,) known boxes of the class."""


def match_by_overlap(
    frames: Sequence[Frame], who: str, number: int, thresholds: Floats, *, strict: bool
) -> Matches:
    """Of class `number`, at every threshold of the intersection over union.

    `strict`: the overlap must be above the threshold, as in the code of Racah et al. (reported);
    else at or above it, as in COCO's. Of several known boxes the one with the largest overlap is
    found; of equals the last, as in COCO's code.
    """

    def closeness(found: Boxes, known: Boxes, grid: Grid) -> Floats:
        period = grid.width if grid.cyclic else None
        there = torch.from_numpy(known.corners.astype(np.float64))
        return iou(torch.from_numpy(found.corners.astype(np.float64)), there, period).numpy()

    if strict:
        thresholds = np.nextafter(thresholds, 2)
    return _match(frames, who, number, closeness, np.minimum(thresholds, 1 - 1e-10))


def match_by_distance(frames: Sequence[Frame], who: str, number: int, kilometres: float) -> Matches:
    """Of class `number`, by the great-circle distance of centres: the nearest is found."""

    def closeness(found: Boxes, known: Boxes, grid: Grid) -> Floats:
        here, there = centres(found, grid), centres(known, grid)
        return -distance(here[:, None, 0], here[:, None, 1], there[None, :, 0], there[None, :, 1])

    return _match(frames, who, number, closeness, np.array([-kilometres]))


def centres(boxes: Boxes, grid: Grid) -> Floats:
    """(n, 2) latitude and longitude in degrees."""
    corners = boxes.corners.astype(np.float64)
    rows, columns = (corners[:, 0] + corners[:, 2]) / 2, (corners[:, 1] + corners[:, 3]) / 2
    return np.stack([grid.latitudes(rows), grid.longitudes(columns)], axis=1)


def _match(
    frames: Sequence[Frame], who: str, number: int, closeness: Closeness, least: Floats
) -> Matches:
    scores, frame, partner, known = [], [], [], []
    for place, one in enumerate(frames):
        found, truth = one.found[who].of_class(number), one.truth.of_class(number)
        order = np.argsort(-found.scores, kind="stable")
        found = Boxes(found.corners[order], found.classes[order], found.scores[order])
        near = closeness(found, truth, one.grid)
        scores.append(found.scores.astype(np.float64))
        frame.append(np.full(len(found), place))
        partner.append(np.stack([partners(near, at) for at in least], axis=1))
        known.append(len(truth))
    every = np.concatenate(scores)
    best = np.argsort(-every, kind="stable")
    together = np.concatenate(partner)[best]
    return Matches(
        every[best], np.concatenate(frame)[best], together >= 0, together, np.array(known)
    )


def partners(closeness: Floats, least: float) -> NDArray[np.int64]:
    """(n,) of found boxes, best first, the known box that each finds, or -1.

    `closeness` (n, m) of found and known boxes must be at least `least`.
    """
    free = np.where(closeness >= least, closeness, -np.inf)
    chosen = np.full(len(closeness), -1)
    if not free.size:
        return chosen
    last = free.shape[1] - 1
    for number in np.flatnonzero(np.isfinite(free).any(axis=1)):
        best = last - int(np.argmax(free[number, ::-1]))
        if np.isfinite(free[number, best]):
            chosen[number] = best
            free[number + 1 :, best] = -np.inf
    return chosen
