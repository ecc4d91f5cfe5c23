"""Find samples whose inputs are the same to the bit, within a split and across splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from baryon.data.checks.finding import Finding
from baryon.data.checks.values import Survey


def duplicate_findings(surveys: Mapping[str, Survey]) -> Iterator[Finding]:
    """Find repeated samples of every split, and those that two splits share."""
    earlier: dict[str, dict[bytes, int]] = {}
    for split, survey in surveys.items():
        rows = dict(zip(survey.digests, survey.rows, strict=True))
        repeated = len(survey.digests) - len(rows)
        if repeated:
            text = f"{repeated:,} samples have the inputs of another one of this split"
            yield Finding(split, text)
        for other, other_rows in earlier.items():
            shared = rows.keys() & other_rows.keys()
            if shared:
                # A sample that training has seen tests nothing.
                digest = min(shared, key=lambda digest: rows[digest])
                yield Finding(
                    split,
                    f"{len(shared):,} samples are in {other} too, such as {rows[digest]:,} here "
                    f"and {other_rows[digest]:,} there: the splits are not independent",
                )
        earlier[split] = rows
