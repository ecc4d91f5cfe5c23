"""All checks of a dataset, on the `Split` protocol and what else its splits can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baryon.data.checks.checksums import checksum, checksum_findings
from baryon.data.checks.distributions import classes, distribution_findings
from baryon.data.checks.duplicates import duplicate_findings
from baryon.data.checks.figures import draw
from baryon.data.checks.finding import Finding
from baryon.data.checks.layout import MIB, layout_findings, layout_table
from baryon.data.checks.speed import Speed, speed
from baryon.data.checks.values import Survey
from baryon.data.decoding import Decoding, as_arrays
from baryon.data.loader import Loader, Loading
from baryon.interfaces import Dataset, Split, Table
from baryon.terminal.progress import bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAIN = "train"
POOR = 0.5
"""A batch that is worth less than this share of a fully shuffled one is warned of."""


@dataclass(frozen=True)
class Diagnosis:
    """The answer of a check."""

    summary: str
    findings: Sequence[Finding]
    tables: Mapping[str, Table]
    figures: Mapping[str, Figure]
    checksums: Mapping[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether training on these data would stop or mean nothing."""
        return any(finding.refused for finding in self.findings)


def check(dataset: Dataset, loading: Loading, most_samples: int | None) -> Diagnosis:
    """Look at every sample of every split, or at about `most_samples` of each."""
    splits = {name: dataset.splits[name] for name in _in_order(dataset.splits)}
    findings = list(_shapes(splits))
    there = {name: split for name, split in splits.items() if len(split)}
    loaders = {name: Loader(split, loading) for name, split in there.items()}
    speeds = {name: speed(loader) for name, loader in loaders.items()}
    surveys = {name: _survey(name, loader, most_samples) for name, loader in loaders.items()}
    sums = {name: _checksums(split) for name, split in there.items()}
    for name, split in there.items():
        findings += layout_findings(name, split.stored(), loading.window_mib)
        findings += _values(name, surveys[name], split)
        findings += checksum_findings(name, sums[name])
    findings += distribution_findings(surveys) if surveys else ()
    findings += duplicate_findings(surveys)
    if TRAIN in surveys:
        findings += _mixing(loaders[TRAIN], surveys[TRAIN])
    return Diagnosis(
        summary=_summary(findings, splits),
        findings=sorted(findings, key=lambda finding: not finding.refused),
        tables=_tables(loaders, speeds, surveys),
        figures=draw(surveys, speeds) if surveys else {},
        checksums={str(path): one for found in sums.values() for path, one in found.items()},
    )


def _in_order(splits: Mapping[str, Split]) -> list[str]:
    """Training first, for the others are compared with it."""
    return sorted(splits, key=lambda name: name != TRAIN)


def _shapes(splits: Mapping[str, Split]) -> Iterator[Finding]:
    first = next(iter(splits.values()))
    for name, split in splits.items():
        if not len(split):
            yield Finding(name, "has no samples: give other files", refused=True)
        for entry, kind in first.fields.items():
            if entry in split.fields and split.fields[entry] != kind:
                yield Finding(name, f"{entry} is {split.fields[entry]}, not {kind}", refused=True)


def _survey(name: str, loader: Loader, most_samples: int | None) -> Survey:
    bounds = loader.bounds
    count = len(bounds) - 1
    if most_samples is not None:
        count = max(1, min(count, round(count * most_samples / len(loader.split))))
    chosen = np.unique(np.linspace(0, len(bounds) - 2, count).round().astype(int)).tolist()
    batches = [np.arange(bounds[chunk], bounds[chunk + 1]) for chunk in chosen]
    survey = Survey(loader.split)
    room = 4 * max(len(batch) for batch in batches) * loader.sample_bytes
    total = sum(map(len, batches))
    decoding = Decoding(
        loader.split, bounds, batches, room=room, threads=loader.threads, pinned=False
    )
    with closing(decoding), bar(f"checking {name}", total, "samples") as advance:
        for rows in batches:
            survey.take(int(rows[0]), as_arrays(decoding.gather(rows)))
            advance(len(rows))
    return survey


def _values(name: str, survey: Survey, split: Split) -> Iterator[Finding]:
    for one in survey.fields.values():
        yield from one.findings(name, split.place)


def _mixing(loader: Loader, survey: Survey) -> Iterator[Finding]:
    """The shuffle's measure at the likeness that the samples of a chunk really have."""
    mixing = loader.mixing()
    for name, likeness in survey.likeness().items():
        worth = mixing.worth(likeness)
        if worth < POOR * mixing.worst_of_full_shuffle:
            yield Finding(
                TRAIN,
                f"samples of a chunk are alike in {name} (correlation {likeness:.2f}), and "
                f"{mixing.chunks:,} chunks are mixed: a batch of {mixing.batch} is worth "
                f"{worth:.1f} samples; raise data.window_mib, or repack the file with "
                "`shuffle=true`",
            )


def _checksums(split: Split) -> dict[Path, str]:
    paths = sorted({one.path for one in split.stored()})
    if not paths:
        return {}
    with bar("checksums", len(paths), "files") as advance:
        found = {}
        for path in paths:
            found[path] = checksum(path)
            advance(1)
    return found


def _tables(
    loaders: Mapping[str, Loader], speeds: Mapping[str, Speed], surveys: Mapping[str, Survey]
) -> dict[str, Table]:
    stored = {name: loader.split.stored() for name, loader in loaders.items()}
    found = {
        "reading": _reading(loaders, speeds),
        "layout": layout_table(stored),
        "values": _values_table(surveys),
        "classes": _classes_table(surveys),
    }
    return {name: table for name, table in found.items() if table.rows}


def _values_table(surveys: Mapping[str, Survey]) -> Table:
    columns = ("split", "field", "smallest", "mean", "deviation", "largest", "zeros")
    fields = [(split, one) for split, survey in surveys.items() for one in survey.fields.values()]
    rows = [row for split, one in fields for row in one.rows(split)]
    return Table(columns, rows, "Values, as a network sees them")


def _classes_table(surveys: Mapping[str, Survey]) -> Table:
    rows: list[list[str | float]] = [
        [split, name, value, count, f"{count / sum(counts.values()):.2%}"]
        for split, survey in surveys.items()
        for name, counts in classes(survey).items()
        for value, count in counts.items()
    ]
    columns = ("split", "field", "value", "samples", "share")
    return Table(columns, rows, "Whole numbers that take few values")


def _reading(loaders: Mapping[str, Loader], speeds: Mapping[str, Speed]) -> Table:
    rows: list[list[str | float]] = []
    for name, loader in loaders.items():
        sizes, mixing = np.diff(loader.bounds), loader.mixing()
        rows.append(
            [
                name,
                len(loader.split),
                loader.sample_bytes / 1024,
                float(sizes.mean()),
                speeds[name].shuffled,
                speeds[name].one_by_one,
                mixing.chunks,
                f"{mixing.worst:.1f} of {mixing.worst_of_full_shuffle:.1f}",
                loader.most_bytes() / MIB,
            ]
        )
    columns = (
        "split",
        "samples",
        "KiB a sample",
        "samples a chunk",
        "shuffled, samples/s",
        "one by one, samples/s",
        "chunks mixed",
        "batch worth at least",
        "MiB held",
    )
    return Table(columns, rows, "Reading, measured on this machine")


def _summary(findings: Sequence[Finding], splits: Mapping[str, Split]) -> str:
    samples = ", ".join(f"{name} {len(split):,}" for name, split in splits.items())
    refused = sum(finding.refused for finding in findings)
    others = len(findings) - refused
    if refused:
        return f"training would refuse these data ({samples}): {refused} faults, {others} warnings"
    return f"training would take these data ({samples}); {others} warnings"
