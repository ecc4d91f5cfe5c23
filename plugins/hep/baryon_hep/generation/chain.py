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

    `report` is called with the number of events that have passed since the last call.
    """
    generator_seed, detector_seed = (int(word) for word in part.entropy(settings).generate_state(2))
    generator = EventGenerator(part.process, generator_seed)
    random = np.random.default_rng(detector_seed)
    hits, flags, trials, passing = [], [], [], 0
    # Wait for one event more than the part holds, and count the trials before it: then events over
    # trials is an unbiased estimate of the efficiency (Haldane, Biometrika 33 (1945) 222). A count
    # that stops at the last event of the part is biased upwards.
    while passing <= part.events:
        passed, in_region, trial = passing_events(generator, random, settings)
        hits.append(passed)
        flags.append(in_region)
        trials.append(trial)
        report(min(len(passed), max(part.events - passing, 0)))
        passing += len(passed)
    cross_section = generator.cross_section()
    tried = int(np.concatenate(trials)[part.events]) - 1
    tally = Tally(
        generator_seed,
        cross_section.value,
        cross_section.error,
        cross_section.points,
        tried,
        part.events,
    )
    of_part = Hits.joined(hits).rows(0, part.events)
    parts.write(part.file, of_part, np.concatenate(flags)[: part.events], tally)


def passing_events(
    generator: EventGenerator, random: np.random.Generator, settings: Settings
) -> tuple[Hits, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Generate a batch: hits, signal-region flag and trial number of each event that passes."""
    particles, trial = generator.batch(BATCH)
    towers, tracks = detect(particles, random, settings.energy_significance)
    jets = large_radius_jets(towers, settings.trimmed)
    passed = passes_preselection(jets)
    return Hits.of(towers, tracks).where(passed), in_signal_region(jets)[passed], trial[passed]
