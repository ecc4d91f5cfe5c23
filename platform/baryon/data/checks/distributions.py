"""Check labels and weights: classes that are rare or missing, weights of which few count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from baryon.data.checks.finding import Finding
from baryon.data.checks.values import MAX_CLASSES, Numbers, Survey

RARE = 0.01
FEW_EFFECTIVE = 0.05
"""Share of the samples that the effective number is; below it a mean is one over few samples."""


def classes(survey: Survey) -> dict[str, dict[int, int]]:
    """Return the number of samples of each value, by field, of integer fields with few values."""
    counts_by_field = {}
    for name, surveyed in survey.fields.items():
        if surveyed.field.shape == () and np.dtype(surveyed.field.dtype).kind in "biu":
            values, counts = np.unique(surveyed.column, return_counts=True)
            if 0 < len(values) <= MAX_CLASSES:
                counted = zip(values.astype(int).tolist(), counts.tolist(), strict=True)
                counts_by_field[name] = dict(counted)
    return counts_by_field


def distribution_findings(surveys: Mapping[str, Survey]) -> Iterator[Finding]:
    """Find odd classes and weights within each split, and classes unknown to the first split."""
    first, *others = surveys
    for split, survey in surveys.items():
        yield from _rare_classes(split, classes(survey))
        for name, surveyed in survey.fields.items():
            if "weight" in name and surveyed.field.shape == ():
                yield from _weights(split, name, surveyed.column)
    known = classes(surveys[first])
    for split in others:
        for name, counts in classes(surveys[split]).items():
            unknown = sorted(set(counts) - set(known.get(name, counts)))
            if unknown:
                yield Finding(split, f"{name} is {unknown} in some samples, but never in {first}")


def _rare_classes(
    split: str, counts_by_field: Mapping[str, Mapping[int, int]]
) -> Iterator[Finding]:
    for name, counts in counts_by_field.items():
        total = sum(counts.values())
        for value, count in counts.items():
            if count < RARE * total:
                yield Finding(split, f"{name} is {value} in only {count:,} of {total:,} samples")


def _weights(split: str, name: str, values: Numbers) -> Iterator[Finding]:
    values = values[np.isfinite(values)].astype(np.float64)
    negative = int((values < 0).sum())
    if negative:
        yield Finding(split, f"{name} is negative in {negative:,} of {len(values):,} samples")
    # Kish's effective number of samples.
    squares = float(np.square(values).sum())
    effective = float(values.sum()) ** 2 / squares if squares else 0.0
    if effective < FEW_EFFECTIVE * len(values):
        yield Finding(
            split,
            f"{name} makes the {len(values):,} samples worth {effective:,.0f} of equal weight",
        )
