"""Samples whose inputs are the same to the bit, within a split and across splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from baryon.data.checks.finding import Finding
from baryon.data.checks.values import Survey


def duplicate_findings(surveys: Mapping[str, Survey]) -> Iterator[Finding]:
    """Every pair of splits once; a sample that training has seen tests nothing."""
    seen: dict[str, dict[bytes, int]] = {}
    for split, survey in surveys.items():
        mine = dict(zip(survey.digests, survey.rows, strict=True))
        again = len(survey.digests) - len(mine)
        if again:
            yield Finding(split, f"{again:,} samples have the inputs of another one of this split")
        for other, theirs in seen.items():
            both = mine.keys() & theirs.keys()
            if both:
                digest = min(both, key=lambda one: mine[one])
                yield Finding(
                    split,
                    f"{len(both):,} samples are in {other} too, such as {mine[digest]:,} here and "
                    f"{theirs[digest]:,} there: the splits are not independent",
                )
        seen[split] = mine
