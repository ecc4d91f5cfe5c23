"""Labels and weights: classes that are rare or missing, weights of which few count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from baryon.data.checks.finding import Finding
from baryon.data.checks.values import Numbers, Survey

MOST_CLASSES = 20
RARE = 0.01
FEW_EFFECTIVE = 0.05
"""Share of samples that the weights leave; below it a mean over the sample is one over few."""


def classes(survey: Survey) -> dict[str, dict[int, int]]:
    """Counts of each value of the integer fields that have few of them."""
    found = {}
    for name, one in survey.fields.items():
        if one.field.shape == () and np.dtype(one.field.dtype).kind in "biu":
            values, counts = np.unique(one.column, return_counts=True)
            if 0 < len(values) <= MOST_CLASSES:
                found[name] = dict(zip(values.astype(int).tolist(), counts.tolist(), strict=True))
    return found


def distribution_findings(surveys: Mapping[str, Survey]) -> Iterator[Finding]:
    """Within each split, and between the first and the others."""
    first, *others = surveys
    for split, survey in surveys.items():
        yield from _rare_classes(split, classes(survey))
        for name, one in survey.fields.items():
            if "weight" in name and one.field.shape == ():
                yield from _weights(split, name, one.column)
    seen = classes(surveys[first])
    for split in others:
        for name, counts in classes(surveys[split]).items():
            unknown = sorted(set(counts) - set(seen.get(name, counts)))
            if unknown:
                yield Finding(split, f"{name} is {unknown} in some samples, but never in {first}")


def _rare_classes(split: str, found: Mapping[str, Mapping[int, int]]) -> Iterator[Finding]:
    for name, counts in found.items():
        total = sum(counts.values())
        for value, count in counts.items():
            if count < RARE * total:
                yield Finding(split, f"{name} is {value} in only {count:,} of {total:,} samples")


def _weights(split: str, name: str, values: Numbers) -> Iterator[Finding]:
    values = values[np.isfinite(values)].astype(np.float64)
    negative = int((values < 0).sum())
    if negative:
        yield Finding(split, f"{name} is negative in {negative:,} of {len(values):,} samples")
    squares = float(np.square(values).sum())
    effective = float(values.sum()) ** 2 / squares if squares else 0.0
    if effective < FEW_EFFECTIVE * len(values):
        yield Finding(
            split,
            f"{name} makes the {len(values):,} samples worth {effective:,.0f} of equal weight",
        )
