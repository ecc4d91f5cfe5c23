"""Store parts: passing events of one process that are generated in one go, in a file of their own.

What a part holds depends only on the settings, the process and the part's number, never on how many
workers there are. A part's file appears under its name when it is complete.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError, format_error
from baryon_hep.generation.folder import writing
from baryon_hep.generation.hits import Hits
from baryon_hep.generation.processes import Process
from baryon_hep.generation.settings import Settings


@dataclass(frozen=True, slots=True)
class Part:
    """A number of events of a process: one task of a worker."""

    process: Process
    number: int
    first: int
    """Number within the process of its first event."""
    events: int
    file: Path

    def entropy(self, settings: Settings) -> np.random.SeedSequence:
        """Return what the part's random numbers follow from."""
        # From all settings, the seed among them: with the seed alone two data sets that differ in
        # size or window would hold the same collisions, and one would test what the other taught.
        return np.random.SeedSequence([settings.digest, self.process.number, self.number])


@dataclass(frozen=True, slots=True)
class Tally:
    """How a part's events came about."""

    generator_seed: int
    cross_section: float
    """In pb, before any veto."""
    cross_section_error: float
    """One standard deviation in pb."""
    points: int
    """Phase-space points that the cross section is the mean of."""
    tried: int
    """Hard processes tried for the part's events, vetoed ones included."""
    passed: int
    """Events that passed the pre-selection, all of which the part holds."""


def parts(all_processes: list[Process], part_events: int, folder: Path) -> list[Part]:
    """Return all parts, those of a process in order."""
    return [
        Part(
            process,
            number,
            first,
            min(part_events, process.events - first),
            folder / f"{process.name}-{number:05d}.h5",
        )
        for process in all_processes
        for number, first in enumerate(range(0, process.events, part_events))
    ]


def write(file: Path, hits: Hits, passed_cuts: npt.NDArray[np.bool_], tally: Tally) -> None:
    """Write the file of a part; raise `BaryonError` if the disk does not take it."""
    # Made in memory: the HDF5 library may take the process with it when a disk is full.
    memory = io.BytesIO()
    with h5py.File(memory, "w") as h5:
        for field in fields(hits):
            h5.create_dataset(field.name, data=getattr(hits, field.name), compression=1)
        h5["psr"] = passed_cuts
        h5.attrs.update(asdict(tally))
    with writing(file) as temporary:
        temporary.write_bytes(memory.getvalue())


def read(file: Path) -> tuple[Hits, npt.NDArray[np.bool_]]:
    """Return the events of a part, and which of them the cuts call signal."""
    with _opened(file) as h5:
        return Hits(*(h5[field.name][:] for field in fields(Hits))), h5["psr"][:]


def read_tally(file: Path) -> Tally:
    """Return how the events of a part came about, without reading them."""
    with _opened(file) as h5:
        return Tally(**{field.name: h5.attrs[field.name].item() for field in fields(Tally)})


@contextmanager
def _opened(file: Path) -> Iterator[h5py.File]:
    """Open the file of a part; raise `BaryonError` if it is damaged."""
    try:
        with h5py.File(file) as h5:
            yield h5
    except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
        raise BaryonError(
            f"{file} is damaged ({format_error(error)}): remove it and run the same command "
            "again, which makes it anew"
        ) from error
