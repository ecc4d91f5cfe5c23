"""Tell where the data comes from; it is recorded in `generation.json` and in every file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from baryon_hep.generation.parts import Part, read_tally
from baryon_hep.generation.processes import Process
from baryon_hep.generation.settings import Settings
from baryon_hep.generation.versions import versions

LUMINOSITY = 36_000.0
"""Luminosity in pb^-1: weights are events expected in 36 fb^-1, as in the paper's data."""
CITATIONS = (
    "Pythia 8.3: C. Bierlich et al., SciPost Phys. Codebases 8 (2022), arXiv:2203.11601",
    "Pythia supersymmetry: N. Desai, P. Skands, Eur. Phys. J. C 72 (2012) 2238, arXiv:1109.5852",
    "FastJet: M. Cacciari, G. Salam, G. Soyez, Eur. Phys. J. C 72 (2012) 1896, arXiv:1111.6097",
    "detector parametrisation: Delphes 3, JHEP 02 (2014) 057, arXiv:1307.6346",
)


@dataclass(frozen=True, slots=True)
class Yield:
    """Cross section, events and weight of a process, from all its parts."""

    process: str
    label: int
    jz: int
    cross_section_pb: float
    cross_section_error_pb: float
    """One standard deviation; the relative error of the weights is that of the cross section."""
    tried: int
    passed: int
    weight: float
    """Weight of each event: cross section times luminosity over the events tried."""


def total_yield(process: Process, parts: Sequence[Part]) -> Yield:
    """Combine the tallies of a process's parts."""
    # Each part has its own estimate of the cross section; they count by their points.
    tallies = [read_tally(part.file) for part in parts]
    points = np.array([tally.points for tally in tallies], np.float64)
    shares = points / points.sum()
    cross_section = float(shares @ [tally.cross_section for tally in tallies])
    errors = np.array([tally.cross_section_error for tally in tallies])
    tried = sum(tally.tried for tally in tallies)
    return Yield(
        process=process.name,
        label=process.label,
        jz=process.slice_number,
        cross_section_pb=cross_section,
        cross_section_error_pb=float(np.sqrt((shares * errors) @ (shares * errors))),
        tried=tried,
        passed=sum(tally.passed for tally in tallies),
        weight=cross_section * LUMINOSITY / tried,
    )


def provenance(settings: Settings, yields: Sequence[Yield]) -> dict[str, Any]:
    """Return settings, versions, yields and citations of a data set, as JSON holds them."""
    return {
        "settings": settings.record(),
        "data_set": settings.data_set,
        "command": settings.command(),
        "versions": versions(),
        "luminosity_per_pb": LUMINOSITY,
        "processes": [asdict(process) for process in yields],
        "made_with": "simulated proton-proton collisions at 13 TeV; please cite what made them",
        "citations": list(CITATIONS),
    }
