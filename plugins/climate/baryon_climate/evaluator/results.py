"""Evaluate all frames: the results that the report and the figures are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from baryon_climate.classes import CLASSES
from baryon_climate.evaluator.frames import HEURISTIC, NETWORK, Floats, Frame
from baryon_climate.evaluator.matching import Matches, match_by_distance
from baryon_climate.evaluator.precision import Rule
from baryon_climate.evaluator.precisions import Precisions, all_precisions
from baryon_climate.evaluator.sizes import Sizes, sizes
from baryon_climate.evaluator.skill import Skill, best_skill, skill_at

EVERYTHING = 0.0
"""Confidence from which boxes of the criteria count: all of them, for they met its thresholds."""


@dataclass(frozen=True, slots=True)
class Finder:
    """Scores of one finder: the network, or the criteria."""

    precisions: Mapping[Rule, Precisions]
    by_distance: Sequence[Matches]
    """By class."""
    skill: Sequence[Skill]
    """By class, from the confidence that the user asks for."""
    best: Sequence[Skill]
    """By class, from the confidence that suits these very frames best."""
    sizes: Sequence[Sizes]
    """By class."""


@dataclass(frozen=True, slots=True)
class Results:
    """Scores of every finder on all labelled frames."""

    frames: Sequence[Frame]
    overlaps: Sequence[float]
    kilometres: Sequence[float]
    """By class, how far apart the centres of a hit may lie."""
    confidence: float
    finders: Mapping[str, Finder]
    few: int
    """A class with fewer known events than this is warned of."""
    unlabelled: int
    """Frames that were left out because their boxes are not known."""

    @property
    def known(self) -> Sequence[int]:
        """Return the number of known boxes of each class."""
        counts = [np.bincount(f.truth.classes, minlength=len(CLASSES)) for f in self.frames]
        return [int(count) for count in np.sum(counts, axis=0)]


def results(
    frames: Sequence[Frame],
    overlaps: Sequence[float],
    kilometres: Sequence[float],
    confidence: float,
    draws: Floats,
    few: int,
    unlabelled: int,
) -> Results:
    """Score the boxes that each finder drew in labelled frames.

    Parameters
    ----------
    frames
        Sorted by their row in the split, so that the bootstrap depends on no rank.
    overlaps
        Thresholds of the intersection over union.
    kilometres
        For each class, the largest distance between the centres of a hit and of its event.
    confidence
        Score from which boxes of the network count in the skill scores.
    draws
        (replicas, frames): how often each frame counts in each replica of the bootstrap.
    few
        Number of known events below which a class is warned of.
    unlabelled
        Number of frames that were left out.

    """
    finders = {
        finder: _finder(frames, finder, overlaps, kilometres, lowest_score, draws)
        for finder, lowest_score in ((NETWORK, confidence), (HEURISTIC, EVERYTHING))
        # Every frame was given to the same finders: the first tells whether the criteria were among
        # them.
        if finder in frames[0].detected
    }
    return Results(frames, overlaps, kilometres, confidence, finders, few, unlabelled)


def _finder(
    frames: Sequence[Frame],
    finder: str,
    overlaps: Sequence[float],
    kilometres: Sequence[float],
    confidence: float,
    draws: Floats,
) -> Finder:
    by_distance = [match_by_distance(frames, finder, n, far) for n, far in enumerate(kilometres)]
    return Finder(
        precisions=all_precisions(frames, finder, overlaps, draws),
        by_distance=by_distance,
        skill=[skill_at(matches, confidence) for matches in by_distance],
        best=[best_skill(matches) for matches in by_distance],
        sizes=[
            sizes(frames, finder, number, matches, confidence)
            for number, matches in enumerate(by_distance)
        ],
    )
