"""Generate Pythia events of one process, a batch at a time, as arrays.

Sources: Pythia 8.3, C. Bierlich et al., 2203.11601; its supersymmetry and R-parity violation,
N. Desai and P. Skands, 1109.5852.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon_hep.generation.detector import Particles
from baryon_hep.generation.early_veto import trial_counter
from baryon_hep.generation.processes import COLLISION_ENERGY, Process

PICOBARN_PER_MILLIBARN = 1e9
MOMENTUM_TOLERANCE = 1e-3
"""Largest imbalance of an event, over the collision energy; Pythia's own check has the same."""
MAX_SEED = 900_000_000
"""Largest seed that Pythia takes."""


@dataclass(frozen=True, slots=True)
class CrossSection:
    """The Monte-Carlo estimate of a cross section."""

    value: float
    """In pb."""
    error: float
    """One standard deviation in pb."""
    points: int
    """Number of phase-space points that it is the mean of."""


class EventGenerator:
    """Pythia, set up for one process.

    Parameters
    ----------
    process
        What collides into what.
    seed
        Any non-negative number.

    Raises
    ------
    BaryonError
        If Pythia refuses the process.

    """

    def __init__(self, process: Process, seed: int) -> None:
        import pythia8mc

        self._counter = trial_counter(process.early_veto)
        self._pythia = pythia8mc.Pythia("", False)
        self._pythia.setUserHooksPtr(self._counter)
        for command in (*process.commands, *_random(seed)):
            if not self._pythia.readString(command):
                raise BaryonError(f"{process.name}: Pythia does not understand {command!r}")
        if not self._initialise(process.slha):
            raise BaryonError(f"{process.name}: Pythia cannot generate this process")
        charge = self._pythia.particleData.charge
        self._charge = np.vectorize(charge, otypes=[np.float64])

    def _initialise(self, slha: str) -> bool:
        if not slha:
            return bool(self._pythia.init())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "spectrum.slha"
            file.write_text(slha)
            self._pythia.readString(f"SLHA:file = {file}")
            return bool(self._pythia.init())

    def batch(self, events: int) -> tuple[Particles, npt.NDArray[np.int64]]:
        """Return the stable particles of up to `events` events, and the number of each one's trial.

        A trial is a hard process, whether it was vetoed or became an event; they count from 1.
        """
        self._counter.finished.clear()
        batch = self._pythia.nextBatch(events)
        particles = self._stable(batch.prt)
        # Pythia's own check of each event takes a tenth of the time of the event itself.
        conserved = conserves_momentum(particles)
        return particles.where(conserved), np.array(self._counter.finished, np.int64)[conserved]

    def cross_section(self) -> CrossSection:
        """Estimate the cross section before any veto, from all that was generated so far."""
        info = self._pythia.infoPython()
        # Pythia counts vetoed events out of its cross section.
        before_veto = info.sigmaGen() * info.nSelected() / info.nAccepted()
        value = before_veto * PICOBARN_PER_MILLIBARN
        return CrossSection(value, value * _relative_error(info), info.nTried())

    def _stable(self, particles: Any) -> Particles:
        import awkward as ak

        stable = particles[particles.status > 0]
        flat = ak.flatten(stable, axis=1)
        codes = ak.to_numpy(flat.id)
        # Pythia is asked for the charge of each kind of particle once.
        kinds, kind = np.unique(codes, return_inverse=True)
        return Particles(
            counts=ak.to_numpy(ak.num(stable, axis=1)).astype(np.int64),
            code=codes,
            charge=self._charge(kinds)[kind] if len(kinds) else np.zeros(0),
            px=ak.to_numpy(flat.p.px),
            py=ak.to_numpy(flat.p.py),
            pz=ak.to_numpy(flat.p.pz),
            energy=ak.to_numpy(flat.p.e),
        )


def conserves_momentum(particles: Particles) -> npt.NDArray[np.bool_]:
    """Return whether the particles of each event (N,) carry the momentum of the beams."""
    totals = [
        np.bincount(particles.event(), values, len(particles.counts))
        for values in (particles.px, particles.py, particles.pz, particles.energy)
    ]
    expected = (0.0, 0.0, 0.0, COLLISION_ENERGY)
    off = [np.abs(total - value) for total, value in zip(totals, expected, strict=True)]
    return np.asarray(np.max(off, axis=0) < MOMENTUM_TOLERANCE * COLLISION_ENERGY)


def _relative_error(info: Any) -> float:
    """Return the standard deviation over value of the cross section before any veto.

    Pythia's `sigmaErr` of a subprocess adds two relative variances (`sigmaDelta` in its
    `ProcessContainer.cc`): that of the mean over phase space, and 1 / accepted - 1 / selected, that
    of the share of events that survive a veto, which has no part in the cross section before it.
    """
    variance = 0.0
    for code in info.codesHard():
        selected, accepted = info.nSelected(code), info.nAccepted(code)
        share = selected / info.nSelected()
        relative = 1.0  # of a rare subprocess, of which Pythia gives no estimate
        if accepted > 1:
            total = (info.sigmaErr(code) / info.sigmaGen(code)) ** 2
            relative = max(0.0, total - (1 / accepted - 1 / selected))
        variance += share**2 * relative
    return float(np.sqrt(variance))


def _random(seed: int) -> tuple[str, str]:
    return "Random:setSeed = on", f"Random:seed = {seed % MAX_SEED + 1}"
