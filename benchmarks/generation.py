"""Measure how many events a core simulates in a second, with the early veto and without it.

    python benchmarks/generation.py

Runs the full chain (Pythia, detector, jets, selection, images on disk) in this process and counts
its CPU time, for the signal and for every slice of QCD of the shipped settings; with and without
the veto take turns. A balanced data set takes half its events from the signal and the other half
from the slices in equal numbers.
"""

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

import baryon_hep
from baryon_hep.generation import parts
from baryon_hep.generation.chain import passing_events
from baryon_hep.generation.events import EventGenerator
from baryon_hep.generation.hits import Hits
from baryon_hep.generation.merge import write_split
from baryon_hep.generation.processes import Process, processes
from baryon_hep.generation.settings import Settings
from baryon_hep.generation.splits import SplitFile, Stream

EVENTS, EVENTS_WITHOUT_VETO = 400, 40
"""Passing events of a process, at least. Without the veto one of the lowest slice takes seconds."""
IMAGE_SIZE, ETA_MAX = 64, 2.5
GOAL = 60.0


def shipped_settings() -> Settings:
    """Return the defaults of the option, which are for a balanced set."""
    option = Path(baryon_hep.__file__).parent / "conf/generate/hep_images.yaml"
    keys = yaml.safe_load(option.read_text())
    for runtime in ("out", "workers"):
        del keys[runtime]
    return Settings(**keys | {"pt_hat_slices": tuple(keys["pt_hat_slices"])})


def seconds_an_event(process: Process, min_events: int, settings: Settings) -> float:
    """Return the CPU time of a passing event, from collision to image.

    The start of Pythia is spread over `settings.part_events`, as when a data set is generated.
    """
    start = time.process_time()
    generator = EventGenerator(process, seed=1)
    started = time.process_time()
    random = np.random.default_rng(1)
    parts, flags, events = [], [], 0
    while events < min_events:
        hits, passed_cuts, _ = passing_events(generator, random, settings)
        parts.append(hits)
        flags.append(passed_cuts)
        events += len(hits)
    with tempfile.TemporaryDirectory() as folder:
        write_images(process, Hits.joined(parts), np.concatenate(flags), Path(folder))
    return (time.process_time() - started) / events + (started - start) / settings.part_events


def write_images(process: Process, hits: Hits, flags: npt.NDArray[np.bool_], folder: Path) -> None:
    """Write events as a part, then as images."""
    process = replace(process, events=len(hits))
    (part,) = parts.parts([process], len(hits), folder)
    parts.write(part.file, hits, flags, parts.Tally(1, 1.0, 0.0, 1, 1, len(hits)))
    stream = Stream(0, process, [part], 0, len(hits), 1.0, 1.0)
    file = SplitFile(folder / "images.h5", IMAGE_SIZE, ETA_MAX, [stream], (1, 0), {})
    write_split(file, lambda _: None)


def main() -> None:
    """Print a line for each process, then the result."""
    settings = shipped_settings()
    signal, *slices = processes(settings)
    seconds_an_event(signal, 1, settings)  # loads the libraries
    of_signal = seconds_an_event(signal, EVENTS, settings)
    print(f"{signal.name}: {1000 * of_signal:.1f} ms an event")
    with_veto, without = [], []
    for process in slices:
        with_veto.append(seconds_an_event(process, EVENTS, settings))
        plain = replace(process, early_veto=False)
        without.append(seconds_an_event(plain, EVENTS_WITHOUT_VETO, settings))
        print(
            f"{process.name}: {1000 * with_veto[-1]:.1f} ms an event, "
            f"{1000 * without[-1]:.1f} without the veto"
        )
    rate, alternative = (
        2 / (of_signal + sum(of_slices) / len(of_slices)) for of_slices in (with_veto, without)
    )
    result = {
        "name": "generation",
        "value": rate,
        "unit": "passing events per core-second",
        "alternative": alternative,
        "ratio": rate / alternative,
        "goal": GOAL,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
