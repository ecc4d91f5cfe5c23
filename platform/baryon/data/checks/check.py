"""Run all checks of a dataset, through the `Split` interface alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baryon.data.checks.checksums import SUMS, checksum, checksum_findings, is_listed
from baryon.data.checks.distributions import distribution_findings
from baryon.data.checks.duplicates import duplicate_findings
from baryon.data.checks.figures import draw
from baryon.data.checks.finding import CheckResult, Finding
from baryon.data.checks.layout import layout_findings
from baryon.data.checks.speed import speed
from baryon.data.checks.tables import tables
from baryon.data.checks.values import Survey
from baryon.data.decoding import Decoding, as_arrays
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.interfaces import Dataset, Split, Table
from baryon.terminal.progress import bar
from baryon.terminal.units import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAIN = "train"
STATES = ("refused", "warning", "passed", "skipped")
"""States of a check in the order in which they are shown."""
POOR = 0.5
"""A shuffle is warned of if its batches are worth less than this share of fully shuffled ones."""


@dataclass(frozen=True)
class Diagnosis:
    """The result of all checks of a dataset."""

    summary: str
    checks: Sequence[CheckResult]
    """All checks, those that refuse the data first, then those with warnings."""
    tables: Mapping[str, Table]
    figures: Mapping[str, Figure]
    checksums: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of every file, in hexadecimal, by path."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found by all checks: faults first, then warnings."""
        found = [finding for result in self.checks for finding in result.findings]
        return sorted(found, key=lambda finding: not finding.refused)

    @property
    def refused(self) -> bool:
        """Whether training on these data would stop or mean nothing."""
        return any(finding.refused for finding in self.findings)


def check(dataset: Dataset, loading: Loading, max_samples: int | None) -> Diagnosis:
    """Check a dataset.

    Parameters
    ----------
    dataset
        The dataset, opened.
    loading
        How a training would read it.
    max_samples
        Samples of each split to look at, about; None for all.

    """
    # Training first, for the others are compared with it.
    names = sorted(dataset.splits, key=lambda name: name != TRAIN)
    splits = {name: dataset.splits[name] for name in names}
    loaders = {name: Loader(split, loading) for name, split in splits.items() if len(split)}
    speeds = {name: speed(loader) for name, loader in loaders.items()}
    surveys = {name: _survey(name, loader, max_samples) for name, loader in loaders.items()}
    sums = {name: _checksums(loader.split) for name, loader in loaders.items()}
    checks = _checks(splits, loaders, surveys, sums)
    findings = [finding for result in checks for finding in result.findings]
    return Diagnosis(
        summary=_summary(findings, splits),
        checks=sorted(checks, key=lambda result: STATES.index(result.state)),
        tables=tables(loaders, speeds, surveys),
        figures=draw(surveys, speeds) if surveys else {},
        checksums={str(path): digest for files in sums.values() for path, digest in files.items()},
    )


def _checks(
    splits: Mapping[str, Split],
    loaders: Mapping[str, Loader],
    surveys: Mapping[str, Survey],
    sums: Mapping[str, Mapping[Path, str]],
) -> list[CheckResult]:
    """Make all checks, in the order in which one looks at data."""
    layout = [
        finding
        for name, loader in loaders.items()
        for finding in layout_findings(name, loader.split.stored(), loader.loading.window_mib)
    ]
    values = [
        finding
        for name, survey in surveys.items()
        for field in survey.fields.values()
        for finding in field.findings(name, loaders[name].split.place)
    ]
    checksums = [finding for name in loaders for finding in checksum_findings(name, sums[name])]
    distributions = list(distribution_findings(surveys)) if surveys else []
    shuffle = list(_shuffle_findings(loaders[TRAIN], surveys[TRAIN])) if TRAIN in surveys else []
    nothing = "" if surveys else "no split has samples"
    listed = any(is_listed(path) for of_split in sums.values() for path in of_split)
    return [
        CheckResult("Splits have samples, and the same fields", list(_field_findings(splits))),
        CheckResult(
            "Files have the checksums that are listed beside them",
            checksums,
            "" if listed else f"no {SUMS} lists these files",
        ),
        CheckResult("Values are finite, and no input is constant", values, nothing),
        CheckResult("Classes and weights leave enough to learn from", distributions, nothing),
        CheckResult(
            "No sample is repeated or in two splits", list(duplicate_findings(surveys)), nothing
        ),
        CheckResult("Chunks can be read fast in a shuffled order", layout, nothing),
        CheckResult(
            "Batches are well mixed",
            shuffle,
            "" if TRAIN in surveys else f"there is no split {TRAIN} with samples",
        ),
    ]


def _field_findings(splits: Mapping[str, Split]) -> Iterator[Finding]:
    """Find splits without samples, and fields that differ from those of the first split."""
    first = next(iter(splits.values()))
    for name, split in splits.items():
        if not len(split):
            yield Finding(name, "has no samples: give other files", refused=True)
        for entry, expected in first.fields.items():
            if entry in split.fields and split.fields[entry] != expected:
                text = f"{entry} is {split.fields[entry]}, not {expected}"
                yield Finding(name, text, refused=True)


def _survey(name: str, loader: Loader, max_samples: int | None) -> Survey:
    """Look at the samples of a split, or at those of evenly spaced chunks."""
    bounds = loader.bounds
    count = len(bounds) - 1
    if max_samples is not None:
        count = max(1, min(count, round(count * max_samples / len(loader.split))))
    chosen = np.unique(np.linspace(0, len(bounds) - 2, count).round().astype(int)).tolist()
    batches = [np.arange(bounds[chunk], bounds[chunk + 1]) for chunk in chosen]
    survey = Survey(loader.split)
    budget = 4 * max(len(batch) for batch in batches) * loader.sample_bytes
    total = sum(map(len, batches))
    decoding = Decoding(
        loader.split, bounds, batches, budget=budget, threads=loader.threads, pinned=False
    )
    with closing(decoding), bar(f"checking {name}", total, "samples") as advance:
        for rows in batches:
            survey.take(int(rows[0]), as_arrays(decoding.gather(rows)))
            advance(len(rows))
    return survey


def _shuffle_findings(loader: Loader, survey: Survey) -> Iterator[Finding]:
    """Find fields whose windowed shuffle is poor at the correlation that chunks really have."""
    quality = loader.shuffle_quality()
    for name, correlation in survey.chunk_correlations().items():
        effective = quality.effective_batch_at(correlation)
        if effective < POOR * quality.effective_batch_of_full_shuffle:
            yield Finding(
                TRAIN,
                f"samples of a chunk are alike in {name} (correlation {correlation:.2f}), and "
                f"{quality.chunks:,} chunks are mixed: effective batch size {effective:.1f} of "
                f"{quality.batch}; raise data.window_mib, or repack the file with `shuffle=true`",
            )


def _checksums(split: Split) -> dict[Path, str]:
    paths = sorted({storage.path for storage in split.stored()})
    if not paths:
        return {}
    digests = {}
    with bar("checksums", len(paths), "files") as advance:
        for path in paths:
            digests[path] = checksum(path)
            advance(1)
    return digests


def _summary(findings: Sequence[Finding], splits: Mapping[str, Split]) -> str:
    samples = ", ".join(f"{name} {len(split):,}" for name, split in splits.items())
    faults = sum(finding.refused for finding in findings)
    warnings = counted(len(findings) - faults, "warning")
    verdict = f"Data refused: {counted(faults, 'fault')}, " if faults else "Data OK: "
    return f"{verdict}{warnings} in {counted(len(splits), 'split')} ({samples} samples)"
