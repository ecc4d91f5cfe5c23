"""Distribute events to files: every split takes its share of every process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baryon_hep.generation.parts import Part
from baryon_hep.generation.processes import Process
from baryon_hep.generation.provenance import Yield
from baryon_hep.generation.settings import Settings

TRAIN = "train"


@dataclass(frozen=True, slots=True)
class Stream:
    """A process's share of a split."""

    data_set: int
    """Number of the data set, with which event ids begin."""
    process: Process
    parts: Sequence[Part]
    """All parts of the process."""
    first: int
    """Number within the process of the first event."""
    events: int
    weight: float
    normalised_weight: float
    """Weight over the largest weight in the training set."""


@dataclass(frozen=True, slots=True)
class SplitFile:
    """A file to be written."""

    file: Path
    size: int
    eta_max: float
    streams: Sequence[Stream]
    entropy: tuple[int, int]
    """Seed of the order of the processes, the same for every size."""
    attributes: Mapping[str, Any]

    def __len__(self) -> int:
        return sum(stream.events for stream in self.streams)


def split_files(
    settings: Settings,
    folder: Path,
    parts_of: Mapping[Process, Sequence[Part]],
    yields: Mapping[Process, Yield],
    attributes: Mapping[str, Any],
) -> list[SplitFile]:
    """Return the files of all sizes and splits, except for splits without events."""
    files = [
        SplitFile(
            folder / f"hep_{size}_{split}.h5",
            size,
            settings.window(size),
            streams,
            (settings.digest, number),
            attributes,
        )
        for number, (split, streams) in enumerate(_streams(settings, parts_of, yields).items())
        for size in settings.image_sizes
    ]
    return [file for file in files if len(file)]


def split_edges(events: int, shares: Sequence[float]) -> list[int]:
    """Return the number of the first event of each share, then `events`."""
    edges = np.rint(np.cumsum([0.0, *shares]) * events).astype(int).tolist()
    return [*edges[:-1], events]


def _streams(
    settings: Settings,
    parts_of: Mapping[Process, Sequence[Part]],
    yields: Mapping[Process, Yield],
) -> dict[str, list[Stream]]:
    """Return the streams of every split, by its name."""
    edges = {
        process: split_edges(process.events, tuple(settings.splits.values())) for process in yields
    }
    train = list(settings.splits).index(TRAIN)
    training_weights = [
        process_yield.weight
        for process, process_yield in yields.items()
        if edges[process][train] < edges[process][train + 1]
    ]
    heaviest = max(training_weights, default=1.0)
    return {
        split: [
            Stream(
                settings.data_set,
                process,
                parts_of[process],
                first=edges[process][number],
                events=edges[process][number + 1] - edges[process][number],
                weight=process_yield.weight,
                normalised_weight=process_yield.weight / heaviest,
            )
            for process, process_yield in yields.items()
        ]
        for number, split in enumerate(settings.splits)
    }
