"""Average precisions of a finder: by class and threshold, under both rules, with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from baryon_climate.classes import CLASSES
from baryon_climate.evaluator.frames import Floats, Frame
from baryon_climate.evaluator.matching import Matches, match_by_overlap
from baryon_climate.evaluator.precision import COCO_RANGE, Rule, average_precision, curve

RULES: tuple[Rule, ...] = ("racah", "coco")


@dataclass(frozen=True, slots=True)
class Precisions:
    """Average precisions of one finder under one rule."""

    thresholds: Floats
    values: Floats
    """(thresholds, classes); NaN for a class without known boxes."""
    replicas: Floats
    """(replicas, thresholds, classes), each replica of frames drawn anew."""
    matches: Sequence[Matches]
    """By class."""

    def mean(self, threshold: float) -> tuple[float, float]:
        """Return the mean over classes with known boxes at a threshold, and its deviation."""
        return self._mean(self._place(threshold))

    def mean_of_range(self) -> tuple[float, float]:
        """Return COCO's mean over classes and thresholds from 0.5 to 0.95, with its deviation."""
        return self._mean(np.isin(self.thresholds, COCO_RANGE))

    def of_class(self, number: int, threshold: float) -> tuple[float, float]:
        """Return the average precision of one class at a threshold, and its standard deviation."""
        place = self._place(threshold)
        drawn = self.replicas[:, place, number]
        return float(self.values[place, number][0]), _deviation(drawn[:, 0])

    def _place(self, threshold: float) -> np.ndarray:
        # Thresholds come from the config and from COCO's range: 0.55 of the one need not be 0.55 of
        # the other to the bit.
        return np.isclose(self.thresholds, threshold)

    def _mean(self, places: np.ndarray) -> tuple[float, float]:
        drawn = [mean_of_known(values[places]) for values in self.replicas]
        return mean_of_known(self.values[places]), _deviation(np.array(drawn))


def mean_of_known(values: Floats) -> float:
    """Return the mean of the values that are not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _deviation(drawn: Floats) -> float:
    known = drawn[~np.isnan(drawn)]
    # A replica may have drawn no frame with a box of the class: its precision is not known, not 0.
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def precisions(
    frames: Sequence[Frame],
    finder: str,
    rule: Rule,
    thresholds: Sequence[float],
    draws: Floats,
) -> Precisions:
    """Compute the average precisions of a finder under one rule.

    Thresholds are those given and, under COCO's rule, those of its range.

    `draws` (replicas, frames): how often each frame counts in each replica (bootstrap over frames,
    for the boxes of one frame are not independent).
    """
    all_thresholds = np.array(sorted({*thresholds, *(COCO_RANGE if rule == "coco" else ())}))
    matches = [
        match_by_overlap(frames, finder, number, all_thresholds, strict=rule == "racah")
        for number in range(len(CLASSES))
    ]
    once = np.ones((1, len(frames)))
    values, replicas = (
        np.stack([_of_class(of_class, weights, rule) for of_class in matches], axis=-1)
        for weights in (once, draws)
    )
    return Precisions(all_thresholds, values[0], replicas, matches)


def _of_class(matches: Matches, draws: Floats, rule: Rule) -> Floats:
    """Return average precisions (replicas, thresholds) of one class."""
    values = np.full((len(draws), matches.right.shape[1]), np.nan)
    # Frames are drawn, not boxes: a match never crosses frames, so nothing has to be matched again.
    for number, draw in enumerate(draws):
        known = draw @ matches.known
        if not known:
            continue
        weight = draw[matches.frame]
        for threshold, right in enumerate(matches.right.T):
            recall, precision = curve(np.stack([weight * right, weight]), known)
            values[number, threshold] = average_precision(recall, precision, rule)
    return values


def precision_over_recall(precisions: Precisions, number: int, at: float) -> tuple[Floats, Floats]:
    """Return recall and precision (n,) of a class at an overlap, (0,) if nothing was detected."""
    matches = precisions.matches[number]
    known = float(matches.known.sum())
    if not known or not len(matches.scores):
        return np.zeros(0), np.zeros(0)
    right = matches.right[:, np.isclose(precisions.thresholds, at)][:, 0].astype(float)
    return curve(np.stack([right, np.ones_like(right)]), known)


def all_precisions(
    frames: Sequence[Frame], finder: str, thresholds: Sequence[float], draws: Floats
) -> Mapping[Rule, Precisions]:
    """Compute the average precisions of a finder under both rules."""
    return {rule: precisions(frames, finder, rule, thresholds, draws) for rule in RULES}
