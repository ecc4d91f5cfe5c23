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
    """Of one finder under one rule."""

    thresholds: Floats
    values: Floats
    """(thresholds, classes); NaN for a class without known boxes."""
    replicas: Floats
    """(replicas, thresholds, classes) of frames drawn anew."""
    matches: Sequence[Matches]
    """By class."""

    def mean(self, threshold: float) -> tuple[float, float]:
        """Over the classes that there are, at a threshold; and its standard deviation."""
        return self._mean(self._place(threshold))

    def mean_of_range(self) -> tuple[float, float]:
        """COCO's: also over thresholds from 0.5 to 0.95."""
        return self._mean(np.isin(self.thresholds, COCO_RANGE))

    def of_class(self, number: int, threshold: float) -> tuple[float, float]:
        """One class's at a threshold, and its standard deviation."""
        place = self._place(threshold)
        drawn = self.replicas[:, place, number]
        return float(self.values[place, number][0]), _deviation(drawn[:, 0])

    def _place(self, threshold: float) -> np.ndarray:
        return np.isclose(self.thresholds, threshold)

    def _mean(self, places: np.ndarray) -> tuple[float, float]:
        drawn = [mean_of_known(one[places]) for one in self.replicas]
        return mean_of_known(self.values[places]), _deviation(np.array(drawn))


def mean_of_known(values: Floats) -> float:
    """The mean of those that are not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _deviation(drawn: Floats) -> float:
    known = drawn[~np.isnan(drawn)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def precisions(
    frames: Sequence[Frame],
    who: str,
    rule: Rule,
    thresholds: Sequence[float],
    draws: Floats,
) -> Precisions:
    """Of a finder at the thresholds and, under COCO's rule, at those of its range.

    `draws` (replicas, frames): how often each frame counts in each replica (bootstrap over frames,
    for the boxes of one frame are not independent).
    """
    every = np.array(sorted({*thresholds, *(COCO_RANGE if rule == "coco" else ())}))
    strict = rule == "racah"
    matches = [match_by_overlap(frames, who, n, every, strict=strict) for n in range(len(CLASSES))]
    once = np.ones((1, len(frames)))
    values, replicas = (
        np.stack([_of_class(one, weights, rule) for one in matches], axis=-1)
        for weights in (once, draws)
    )
    return Precisions(every, values[0], replicas, matches)


def _of_class(matches: Matches, draws: Floats, rule: Rule) -> Floats:
    """Average precision (replicas, thresholds)."""
    found = np.full((len(draws), matches.right.shape[1]), np.nan)
    for number, draw in enumerate(draws):
        known = draw @ matches.known
        if not known:
            continue
        weight = draw[matches.frame]
        for threshold, right in enumerate(matches.right.T):
            recall, precision = curve(np.stack([weight * right, weight]), known)
            found[number, threshold] = average_precision(recall, precision, rule)
    return found


def all_precisions(
    frames: Sequence[Frame], who: str, thresholds: Sequence[float], draws: Floats
) -> Mapping[Rule, Precisions]:
    """Under both rules."""
    return {rule: precisions(frames, who, rule, thresholds, draws) for rule in RULES}
