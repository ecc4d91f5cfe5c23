"""Probability of detection, false-alarm ratio and critical success index."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from baryon_climate.evaluator.frames import Floats
from baryon_climate.evaluator.matching import Matches


@dataclass(frozen=True, slots=True)
class Skill:
    """Skill scores of one finder for one class (Wilks, Statistical Methods, chapter 8)."""

    hits: int
    misses: int
    false_alarms: int
    confidence: float
    """Score from which detected boxes count."""

    @property
    def pod(self) -> float:
        """Probability of detection: the share of known events that were detected."""
        return _share(self.hits, self.misses)

    @property
    def far(self) -> float:
        """False-alarm ratio: the share of detected events that are none."""
        return _share(self.false_alarms, self.hits)

    @property
    def csi(self) -> float:
        """Critical success index: hits among all events that happened or were detected."""
        return _share(self.hits, self.misses + self.false_alarms)


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part + rest else math.nan


def skill_at(matches: Matches, confidence: float) -> Skill:
    """Count hits, misses and false alarms among boxes that score at least `confidence`.

    A box keeps its partner whatever scores below it, so all thresholds are read off one matching.
    """
    count = int(np.searchsorted(-matches.scores, -confidence, side="right"))
    hits = int(matches.right[:count, 0].sum())
    return Skill(hits, int(matches.known.sum()) - hits, count - hits, confidence)


def best_skill(matches: Matches) -> Skill:
    """Return the skill at the confidence with the highest critical success index."""
    if not len(matches.scores):
        return skill_at(matches, 1.0)
    pod, success = performance(matches)
    known = matches.known.sum()
    hits = pod * known
    detected = hits / np.maximum(success, 1e-300)
    csi = hits / np.maximum(known + detected - hits, 1)  # no hit and nothing known: zero, not 0/0
    return skill_at(matches, float(matches.scores[int(np.argmax(csi))]))


def performance(matches: Matches) -> tuple[Floats, Floats]:
    """Return POD and success ratio (1 - FAR), (n,) each, after every detected box, best first."""
    hits = np.cumsum(matches.right[:, 0])
    detected = np.arange(1, len(hits) + 1)
    return hits / max(1, int(matches.known.sum())), hits / detected


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the 68 % interval of a share (Wilson, J. Am. Stat. Assoc. 22 (1927) 209), z = 1."""
    share, spread = hits / trials, 1 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return middle - half, middle + half
