"""Probability of detection, false-alarm ratio and critical success index."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from baryon_climate.evaluator.frames import Floats
from baryon_climate.evaluator.matching import Matches


@dataclass(frozen=True, slots=True)
class Skill:
    """Of one class and finder, as forecasts are verified (Wilks, Statistical Methods, ch. 8)."""

    hits: int
    misses: int
    false_alarms: int
    confidence: float
    """Found boxes count from this score on."""

    @property
    def pod(self) -> float:
        """Probability of detection: the share of known events that are found."""
        return _share(self.hits, self.misses)

    @property
    def far(self) -> float:
        """False-alarm ratio: the share of found ones that are none."""
        return _share(self.false_alarms, self.hits)

    @property
    def csi(self) -> float:
        """Critical success index: hits among all that happened or were found."""
        return _share(self.hits, self.misses + self.false_alarms)


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part + rest else math.nan


def skill_at(matches: Matches, confidence: float) -> Skill:
    """Counting what scores at least `confidence`.

    A box keeps its partner whatever scores below it, so all thresholds are read off one matching.
    """
    count = int(np.searchsorted(-matches.scores, -confidence, side="right"))
    hits = int(matches.right[:count, 0].sum())
    return Skill(hits, int(matches.known.sum()) - hits, count - hits, confidence)


def best_skill(matches: Matches) -> Skill:
    """At the confidence with the highest critical success index."""
    if not len(matches.scores):
        return skill_at(matches, 1.0)
    pod, success = performance(matches)
    known = matches.known.sum()
    hits = pod * known
    found = hits / np.maximum(success, 1e-300)
    csi = hits / np.maximum(known + found - hits, 1)  # no hit and nothing known: zero, not 0/0
    return skill_at(matches, float(matches.scores[int(np.argmax(csi))]))


def performance(matches: Matches) -> tuple[Floats, Floats]:
    """Probability of detection and success ratio, 1 - FAR, with each found box counted in turn."""
    hits = np.cumsum(matches.right[:, 0])
    found = np.arange(1, len(hits) + 1)
    return hits / max(1, int(matches.known.sum())), hits / found
