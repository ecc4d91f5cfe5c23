"""Simulate one part of a data set: from collisions to the hits of passing events."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from baryon_hep.generation import parts
from baryon_hep.generation.detector import detect
from baryon_hep.generation.events import EventGenerator
from baryon_hep.generation.hits import Hits
from baryon_hep.generation.jets import large_radius_jets
from baryon_hep.generation.parts import Part, Tally
from baryon_hep.generation.selection import in_signal_region, passes_preselection
from baryon_hep.generation.settings import Settings

BATCH = 100
"""Events that are generated before those that passed are counted."""


def generate_part(part: Part, settings: Settings, report: Callable[[int], None]) -> None:
    """Generate the events of a part and write its file.

    Parameters
    ----------
    part
        Process, number of events and file.
    settings
        Settings of the data set.
    report
        Called with the number of events that have passed since the last call.

    """
    generator_seed, detector_seed = (int(word) for word in part.entropy(settings).generate_state(2))
    generator = EventGenerator(part.process, generator_seed)
    random = np.random.default_rng(detector_seed)
    # Hits, not images, are stored: they are small, and can be rendered at any resolution later.
    hits, in_region, trials = _passing_events(generator, random, settings, part.events, report)
    cross_section = generator.cross_section()
    tally = Tally(
        generator_seed,
        cross_section.value,
        cross_section.error,
        cross_section.points,
        tried=int(trials[part.events]) - 1,
        passed=part.events,
    )
    parts.write(part.file, hits.rows(0, part.events), in_region[: part.events], tally)


def _passing_events(
    generator: EventGenerator,
    random: np.random.Generator,
    settings: Settings,
    events: int,
    report: Callable[[int], None],
) -> tuple[Hits, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Generate batches until more than `events` events have passed; return what all of them are."""
    batches, passed = [], 0
    # Wait for one event more than the part holds, and count the trials before it: then events over
    # trials is an unbiased estimate of the efficiency (Haldane, Biometrika 33 (1945) 222). A count
    # that stops at the last event of the part is biased upwards.
    while passed <= events:
        batches.append(passing_events(generator, random, settings))
        count = len(batches[-1][0])
        report(min(count, max(events - passed, 0)))
        passed += count
    hits, in_region, trials = zip(*batches, strict=True)
    return Hits.joined(hits), np.concatenate(in_region), np.concatenate(trials)


def passing_events(
    generator: EventGenerator, random: np.random.Generator, settings: Settings
) -> tuple[Hits, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Generate a batch: hits, signal-region flag and trial number of each event that passes."""
    particles, trial = generator.batch(BATCH)
    towers, tracks = detect(particles, random, settings.energy_significance)
    jets = large_radius_jets(towers, settings.trimmed)
    passed = passes_preselection(jets)
    return Hits.of(towers, tracks).where(passed), in_signal_region(jets)[passed], trial[passed]
