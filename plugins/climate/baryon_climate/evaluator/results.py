"""All that the report and the figures are made of."""

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
"""The confidence from which the criteria's boxes count: they have met their thresholds."""


@dataclass(frozen=True, slots=True)
class Finder:
    """What one finder is worth: the network, or the criteria."""

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
    """Of all frames with labels."""

    frames: Sequence[Frame]
    overlaps: Sequence[float]
    kilometres: Sequence[float]
    """By class, how far apart the centres of a hit may lie."""
    confidence: float
    finders: Mapping[str, Finder]
    few: int
    unlabelled: int

    @property
    def known(self) -> Sequence[int]:
        """Known boxes by class."""
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
    """Of frames in order; `draws` as `precisions.precisions` takes them."""
    finders = {
        who: _finder(frames, who, overlaps, kilometres, at, draws)
        for who, at in ((NETWORK, confidence), (HEURISTIC, EVERYTHING))
        if who in frames[0].found
    }
    return Results(frames, overlaps, kilometres, confidence, finders, few, unlabelled)


def _finder(
    frames: Sequence[Frame],
    who: str,
    overlaps: Sequence[float],
    kilometres: Sequence[float],
    confidence: float,
    draws: Floats,
) -> Finder:
    by_distance = [match_by_distance(frames, who, n, far) for n, far in enumerate(kilometres)]
    return Finder(
        precisions=all_precisions(frames, who, overlaps, draws),
        by_distance=by_distance,
        skill=[skill_at(one, confidence) for one in by_distance],
        best=[best_skill(one) for one in by_distance],
        sizes=[sizes(frames, who, n, one, confidence) for n, one in enumerate(by_distance)],
    )
