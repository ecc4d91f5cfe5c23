"""From collisions to the hits of passing events: the work of one part."""

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
"""Events between two looks at how many have passed."""


def generate_part(part: Part, settings: Settings, report: Callable[[int], None]) -> None:
    """Write the part's file; `report` is told of every passing event.

    One event more than the part holds is waited for, and the trials before that one are counted:
    then events over trials is an unbiased estimate of the efficiency (Haldane, Biometrika 33
    (1945) 222); stopping the count at the last event kept would bias it upwards.
    """
    generator_seed, detector_seed = (int(word) for word in part.entropy(settings).generate_state(2))
    generator = EventGenerator(part.process, generator_seed)
    random = np.random.default_rng(detector_seed)
    hits, flags, trials, found = [], [], [], 0
    while found <= part.events:
        passed, in_region, trial = passing_events(generator, random, settings)
        hits.append(passed)
        flags.append(in_region)
        trials.append(trial)
        report(min(len(passed), max(part.events - found, 0)))
        found += len(passed)
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
    kept = Hits.joined(hits).rows(0, part.events)
    parts.write(part.file, kept, np.concatenate(flags)[: part.events], tally)


def passing_events(
    generator: EventGenerator, random: np.random.Generator, settings: Settings
) -> tuple[Hits, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Hits, signal-region flag and trial number of the events of a batch that pass."""
    particles, trial = generator.batch(BATCH)
    towers, tracks = detect(particles, random, settings.energy_significance)
    jets = large_radius_jets(towers, settings.trimmed)
    passed = passes_preselection(jets)
    return Hits.of(towers, tracks).where(passed), in_signal_region(jets)[passed], trial[passed]
